"""County quotas, coverage floors and budgets of a plan: kept, reported, and near the engine's best."""

import dataclasses

import numpy as np
import pytest

from lcsiting.config import Floor, Phase, Quota, Ranking
from lcsiting.errors import ConfigError
from lcsiting.siting import limits as limits_of
from lcsiting.siting import phases, plan_certificate
from lcsiting.siting.items import make_items

WEST, EAST = "东昌府区", "茌平区"


def asking(project, *, unit="station", budgets=(None, None), weights=(1.0, 1.0), improve=False, **fields):
    """The tiny city with limits; always with a certificate, so that the independent checker sees them."""
    steps = [
        phase.model_copy(update={"unit": unit, "budget": b, "weight": w})
        for phase, b, w in zip(project.config.phases, budgets, weights, strict=True)
    ]
    ranking = Ranking(improve=improve, certificate=True)
    config = project.config.model_copy(update={"phases": steps, "ranking": ranking, **fields})
    return dataclasses.replace(project, config=config)


def counted(plan, year, unit="station"):
    """Units of every county by a year, from the stations table."""
    table = plan.stations[plan.stations["phase_year"] <= year]
    key = "station_id" if unit == "station" else "place_id"
    return table.groupby("county")[key].nunique().to_dict()


def share_covered(plan, cover, year, mask):
    """Covered share of the weight of some rows, from the plan and the cover alone."""
    where = {s: k for k, s in enumerate(cover.station_ids)}
    done = np.zeros(len(mask), bool)
    for station in plan.stations.loc[plan.stations["phase_year"] <= year, "station_id"]:
        i = where[station]
        done[cover.indices[cover.indptr[i] : cover.indptr[i + 1]]] = True
    return cover.row_weight[mask & done].sum() / cover.row_weight[mask].sum()


def outcomes(plan):
    return {(row.year, row.kind, row.area): row for row in plan.limits.itertuples()}


@pytest.fixture(scope="module")
def free(tiny_project, cover, eligible, verdicts):
    return phases.rank(tiny_project, cover, eligible, verdicts, threads=1)


def test_without_limits_nothing_is_said(free):
    assert free.limits is None


@pytest.mark.parametrize("unit", ["station", "place"])
@pytest.mark.parametrize("improve", [False, True])
def test_quotas_hold_in_every_phase_and_say_what_binds(tiny_project, cover, eligible, verdicts, unit, improve):
    plain = phases.rank(asking(tiny_project, unit=unit), cover, eligible, verdicts, threads=1)
    before = counted(plain, 2020, unit)
    least, most = before.get(EAST, 0) + 3, before[WEST] - 2
    quotas = [Quota(county=EAST, year=2020, min=least), Quota(county="371502", max=most, year=2020)]
    project = asking(tiny_project, unit=unit, improve=improve, quotas=quotas)
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    after = counted(plan, 2020, unit)
    assert after[EAST] >= least and after[WEST] <= most
    assert plan.certificate["checked"]
    said = outcomes(plan)
    assert said[2020, "quota_min", EAST].outcome == said[2020, "quota_max", WEST].outcome == "binding"
    assert said[2020, "quota_min", EAST].value == after[EAST]
    assert said[2020, "quota_min", EAST].free_value == before.get(EAST, 0)
    assert set(said) == {(2020, "quota_min", EAST), (2020, "quota_max", WEST)}
    if not improve:
        assert (plan.stations["basis"] == "quota").sum() > 0


def test_a_share_for_every_county_counts_on_the_target(tiny_project, cover, eligible, verdicts):
    project = asking(tiny_project, quotas=[Quota(min_share=0.4)])
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    for phase in project.config.phases:
        assert all(n >= np.ceil(0.4 * phase.target) for n in counted(plan, phase.year).values())
    assert len(plan.limits) == 4 and plan.certificate["checked"]


@pytest.mark.parametrize("improve", [False, True])
def test_floors_hold_by_their_year_and_after(tiny_project, cover, eligible, verdicts, free, improve):
    n = len(cover.cells)
    east = cover.cells["county"].astype(str).to_numpy() == "371503"
    mask = np.concatenate([np.zeros(2 * n, bool), np.zeros(n, bool), east])
    share = round(share_covered(free, cover, 2020, mask) + 0.25, 2)
    floor = Floor(area=EAST, service="indoor", network="电联", share=share, by=2020)
    project = asking(tiny_project, improve=improve, floors=[floor])
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    for year in (2020, 2023):
        assert share_covered(plan, cover, year, mask) >= share
    row = outcomes(plan)[2020, "floor", f"{EAST} · 电联 · 室内"]
    assert row.outcome == "binding" and row.value == pytest.approx(share_covered(plan, cover, 2020, mask))
    assert plan.certificate["checked"]
    assert plan.certificate["multipliers"].phases[0].floor.shape == (1,)


@pytest.mark.parametrize("unit", ["station", "place"])
@pytest.mark.parametrize("improve", [False, True])
def test_the_budget_is_what_the_phases_table_says(tiny_project, cover, eligible, verdicts, unit, improve):
    plain = phases.rank(asking(tiny_project, unit=unit), cover, eligible, verdicts, threads=1)
    budgets = tuple(float(c) * 0.6 for c in plain.phases["cost"])
    project = asking(tiny_project, unit=unit, improve=improve, budgets=budgets)
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    assert (plan.phases["cost"].to_numpy() <= np.array(budgets) + 1e-9).all()
    assert plan.phases["cost"].iloc[0] > 0.7 * budgets[0]
    for row, cost in zip(plan.limits.itertuples(), plan.phases["cost"], strict=True):
        assert row.outcome == "binding" and row.value == pytest.approx(cost)
    assert plan.certificate["checked"]
    for row in plan.certificate["phases"]:
        assert row["value"] <= row["upper_bound"]


def test_what_cannot_be_met_is_named_with_the_best_found_and_a_bound(tiny_project, cover, eligible, verdicts):
    floor = Floor(area=EAST, share=1.0, by=2020)
    quotas = [Quota(county=EAST, min=12, year=2020), Quota(county=WEST, max=1, year=2020)]
    plan = phases.rank(asking(tiny_project, floors=[floor], quotas=quotas), cover, eligible, verdicts, threads=1)
    said = outcomes(plan)
    row = said[2020, "floor", EAST]
    assert row.outcome in ("unmet", "impossible") and row.value <= row.best <= row.bound
    assert (row.outcome == "impossible") == (row.bound < 1.0 - 1e-9)
    over = said[2020, "quota_max", WEST]  # on air already
    air = plan.stations.query("status == 'on_air' and county == @WEST")
    assert over.outcome == "impossible" and over.bound == over.value == len(air) > 1
    assert said[2020, "quota_min", EAST].outcome in ("unmet", "impossible")
    assert plan.certificate["checked"], "the certificate counts them as far as they are met"


@pytest.mark.parametrize("budgets", [(None, None), (6.0, 12.0)])
@pytest.mark.parametrize("share", [1.0, 0.85])
def test_a_floor_nothing_can_meet_leaves_the_quotas_their_share(
    tiny_project, cover, eligible, verdicts, budgets, share
):
    """Most of one county is out of reach, by any means or by then, and would take every unit and all of the budget."""
    quotas, floor = [Quota(county=EAST, min=5, year=2020)], Floor(area=WEST, share=share, by=2020)
    alone = phases.rank(asking(tiny_project, budgets=budgets, quotas=quotas), cover, eligible, verdicts, threads=1)
    assert outcomes(alone)[2020, "quota_min", EAST].value >= 5
    project = asking(tiny_project, budgets=budgets, quotas=quotas, floors=[floor])
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    said = outcomes(plan)
    assert said[2020, "quota_min", EAST].outcome == "binding" and said[2020, "floor", WEST].outcome == "impossible"
    assert counted(plan, 2020)[EAST] >= 5 and (plan.stations["basis"] == "floor").any(), (
        "what is left goes to the floor"
    )
    assert plan.certificate["checked"]


def test_a_floor_nothing_can_meet_leaves_another_floor_its_share(tiny_project, cover, eligible, verdicts):
    floors = [Floor(area=WEST, share=1.0, by=2020), Floor(area=EAST, share=0.6, by=2020)]
    plan = phases.rank(asking(tiny_project, floors=floors), cover, eligible, verdicts, threads=1)
    said = outcomes(plan)
    assert said[2020, "floor", EAST].outcome == "binding" and said[2020, "floor", WEST].outcome == "impossible"


def test_a_later_quota_moves_stations_forward(tiny_project, cover, eligible, verdicts):
    """Phase two has room for one station only; the east's minimum there must be prepared in phase one."""
    steps = [Phase(year=2020, target=12), Phase(year=2023, target=13)]
    project = asking(tiny_project, quotas=[Quota(county=EAST, min=7, year=2023)])
    plain = dataclasses.replace(project, config=project.config.model_copy(update={"phases": steps, "quotas": []}))
    project = dataclasses.replace(project, config=project.config.model_copy(update={"phases": steps}))
    assert counted(phases.rank(plain, cover, eligible, verdicts, threads=1), 2023)[EAST] < 6
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    assert counted(plan, 2023)[EAST] >= 7 and outcomes(plan)[2023, "quota_min", EAST].outcome == "binding"


def test_phase_weights_move_the_joint_objective(tiny_project, cover, eligible, verdicts):
    """What counts more may not get worse; the certificate is about the weighted sum."""
    early, late = (
        phases.rank(asking(tiny_project, improve=True, weights=w), cover, eligible, verdicts, threads=1).certificate
        for w in ((8.0, 1.0), (1.0, 8.0))
    )
    assert early["multipliers"].alpha.tolist() == [8, 1] and late["multipliers"].alpha.tolist() == [1, 8]
    assert early["joint"]["value"] == 8 * early["phases"][0]["value"] + early["phases"][1]["value"]
    assert early["phases"][0]["value"] >= late["phases"][0]["value"]
    assert early["phases"][1]["value"] <= late["phases"][1]["value"]


def test_unknown_areas_are_named_with_what_was_meant(tiny_project, cover):
    for fields in ({"quotas": [Quota(county="荏平区", min=1)]}, {"floors": [Floor(area="荏平区", share=0.5, by=2020)]}):
        project = asking(tiny_project, **fields)
        with pytest.raises(ConfigError, match=f"荏平区.*did you mean '{EAST}'"):
            limits_of.make_limits(project, cover, make_items(project, cover))
    project = asking(tiny_project, quotas=[Quota(county=EAST, min=5), Quota(max=4)])
    with pytest.raises(ConfigError, match="at least 5 and at most 4"):
        limits_of.make_limits(project, cover, make_items(project, cover))


@pytest.mark.parametrize("seed", range(8))
def test_costs_that_bound_and_costs_that_hold(tiny_project, cover, seed):
    """Of any choice: fair costs add up to no more than it costs, held ones to no less, exactly where it was made."""
    project = asking(tiny_project, budgets=(50.0, 90.0))
    dearer = project.stations.assign(cost=project.stations["cost"] + 0.4)  # opening a place on air would cost, too
    project = dataclasses.replace(project, stations=dearer)
    items = make_items(project, cover)
    limits = limits_of.make_limits(project, cover, items)
    rng = np.random.default_rng(seed)
    stations = project.stations.iloc[cover.station_rows]

    def real(label):
        out = []
        for t in range(2):
            new = stations[(label <= t) & ~items.locked]
            live = set(stations["place"][items.locked])
            first = ~new["place"].duplicated() & ~new["place"].isin(live)
            out.append(np.where(first, new["cost"], new["second_cost"]).sum())
        return np.array(out)

    label = np.where(items.locked, 0, rng.integers(0, 3, len(items.units))).astype(np.int8)
    assert limits_of.cost_by_phase(items, limits, label) == pytest.approx(real(label))
    fair, held = limits_of.fair_costs(items, limits), limits_of.held_costs(items, limits, label)[0]
    sunk = [held[t, label <= t].sum() / 1e6 - cost for t, cost in enumerate(real(label))]
    tight = dataclasses.replace(limits, budget=real(label))
    _, exact = limits_of.held_costs(items, tight, label)
    for t in range(2):
        assert held[t, label <= t].sum() == pytest.approx(exact[t, t]), "what is paid for is all there is"
    for _ in range(30):
        other = label.copy()
        moved = rng.choice(len(label), 6)
        other[moved] = np.where(items.locked[moved], 0, rng.integers(0, 3, 6))
        for t, cost in enumerate(real(other)):
            assert fair[other <= t].sum() <= cost + 1e-9
            assert held[t, other <= t].sum() / 1e6 - sunk[t] >= cost - 1e-9
    new = np.bincount(items.place_of[label < 2], minlength=int(items.place_of.max()) + 1)
    alone = np.flatnonzero((label == 0) & ~items.locked & (new[items.place_of] == 1))
    assert len(alone)
    for i in alone:  # who stands alone takes what opened the place along
        other = label.copy()
        other[i] = 2
        for t, cost in enumerate(real(other)):
            assert held[t, other <= t].sum() / 1e6 - sunk[t] == pytest.approx(cost)


@pytest.mark.parametrize("seed", range(3))
def test_the_engine_does_not_do_much_better(tiny_project, cover, eligible, verdicts, seed):
    """Tiers put floors first; improved, the plan is within two per cent of the bound with everything asked at once."""
    rng = np.random.default_rng(seed)
    least = int(rng.integers(3, 6))
    project = asking(
        tiny_project, improve=True, budgets=(None, 26.0), targets=[],
        quotas=[Quota(county=EAST, min=least, max=least + 6)],
        floors=[Floor(area=WEST, service="outdoor", share=0.5 + 0.1 * seed, by=2023)],
    )  # fmt: skip
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    assert plan.limits["outcome"].isin(["kept", "binding"]).all() and plan.certificate["checked"]
    assert plan.certificate["joint"]["gap_pct"] < 2.0


def test_one_thread_or_two_make_the_same_plan(tiny_project, cover, eligible, verdicts):
    project = asking(tiny_project, budgets=(6.0, None), quotas=[Quota(min_share=0.3)])
    one, two = (phases.rank(project, cover, eligible, verdicts, threads=k) for k in (1, 2))
    assert one.stations["station_id"].tolist() == two.stations["station_id"].tolist()
    assert plan_certificate.certificate_figures(one.certificate) == plan_certificate.certificate_figures(
        two.certificate
    )


def test_with_exchanges_a_budget_is_spent_near_the_bound(tiny_project, cover, eligible, verdicts):
    """Choosing by gain alone buys dear stations first; the better of several starts may not end below it."""
    budgets = (4.0, 14.0)
    plans = [
        phases.rank(asking(tiny_project, improve=improve, budgets=budgets), cover, eligible, verdicts, threads=1)
        for improve in (False, True)
    ]
    greedy, better = (plan.certificate["joint"] for plan in plans)
    assert better["value"] >= greedy["value"] and all(plan.certificate["checked"] for plan in plans)
    assert (plans[1].phases["cost"].to_numpy() <= np.array(budgets) + 1e-9).all()
    assert better["gap_pct"] < 1.5 < greedy["gap_pct"]
