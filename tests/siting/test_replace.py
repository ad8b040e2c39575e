"""Swapping failed places: the rest stands still, substitutes are the exact best."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lcsiting.config import Floor, Phase, Quota
from lcsiting.errors import LayerError, LcsitingError
from lcsiting.siting import phases
from lcsiting.siting import replace as swap


@pytest.fixture(scope="module")
def plan(tiny_project, cover, eligible, verdicts):
    return phases.rank(tiny_project, cover, eligible, verdicts, threads=1)


@pytest.fixture(scope="module")
def planned(plan):
    """Places without a station on air, in the order of the plan."""
    table = plan.places[plan.places["status"] != "on_air"]
    return [p for p in table["place_id"] if p not in set(plan.stations.query("status == 'on_air'")["place_id"])]


def run(project, cover, plan, places, eligible, verdicts):
    return swap.replace(
        project, cover, plan, places, eligible=eligible, verdicts=verdicts, rule="owner_refused", reason="业主拒绝"
    )


def test_all_others_keep_place_phase_and_rank(tiny_project, cover, plan, planned, eligible, verdicts):
    failed = [planned[0], planned[5]]
    after = run(tiny_project, cover, plan, failed, eligible, verdicts)
    kept = ~plan.stations["place_id"].isin(failed)
    columns = ["rank", "station_id", "phase_year", "status", "tier", "basis", "block"]
    pd.testing.assert_frame_equal(
        pd.DataFrame(plan.stations.loc[kept, columns]), pd.DataFrame(after.stations.loc[kept, columns])
    )
    assert not after.stations["place_id"].isin(failed).any()
    assert after.stations["station_id"].is_unique
    for name in ("stations", "places", "new_stations", "new_places"):
        assert after.phases[name].tolist() == plan.phases[name].tolist()


def test_the_refused_table_says_why(tiny_project, cover, plan, planned, eligible, verdicts):
    after = run(tiny_project, cover, plan, planned[:1], eligible, verdicts)
    gone = after.refused[after.refused["place_id"] == planned[0]]
    assert set(gone["rule"]) == {"owner_refused"} and set(gone["reason"]) == {"业主拒绝"}
    assert after.stations["reasons"].str.startswith(f"替换{planned[0]}；").sum() == 2 or len(gone) == 2


def covered_weight(cover, stations):
    """Weight of the rows somebody of a set covers."""
    position = {s: k for k, s in enumerate(cover.station_ids)}
    done = np.zeros(len(cover.row_weight), bool)
    for i in (position[station] for station in stations):
        done[cover.indices[cover.indptr[i] : cover.indptr[i + 1]]] = True
    return int(cover.row_weight[done].sum())


def value_by_phase(cover, table, years):
    """Covered weight at the end of each phase."""
    return [
        covered_weight(cover, table.loc[(table["status"] == "on_air") | (table["phase_year"] <= y), "station_id"])
        for y in years
    ]


@pytest.mark.parametrize("which", [0, 3, 8])
def test_the_substitute_is_the_best_of_all_places(tiny_project, cover, plan, planned, eligible, verdicts, which):
    """Brute force over the unused places with the same networks that cover some of the loss, all phases counted."""
    failed = planned[which]
    mine = plan.stations[plan.stations["place_id"] == failed]
    stations = tiny_project.stations.set_index(["place_id", "network"])["station_id"]
    known = set(cover.station_ids)
    rows = {
        s: set(cover.indices[a:b]) for s, a, b in zip(cover.station_ids, cover.indptr, cover.indptr[1:], strict=False)
    }
    lost = set()
    for one in mine.itertuples():
        there = plan.stations.query("place_id != @failed and (status == 'on_air' or phase_year <= @one.phase_year)")
        lost |= rows[one.station_id].difference(*(rows[s] for s in there["station_id"]))
    values = {True: [], False: []}
    for place in tiny_project.places["place_id"]:
        ids = [stations[place, network] for network in mine["network"]]
        if place in set(plan.stations["place_id"]) or not known.issuperset(ids):
            continue
        table = plan.stations[["station_id", "status", "phase_year"]].copy()
        table.loc[mine.index, "station_id"] = ids
        helps = bool(lost & set().union(*(rows[s] for s in ids)))
        values[helps].append(sum(value_by_phase(cover, table, (2020, 2023))))
    best = max(values[True] or values[False])
    after = run(tiny_project, cover, plan, [failed], eligible, verdicts)
    assert sum(value_by_phase(cover, after.stations, (2020, 2023))) == best


def test_losses_add_up_to_the_whole_loss(tiny_project, cover, plan, planned, eligible, verdicts):
    after = run(tiny_project, cover, plan, planned[:3], eligible, verdicts)
    table = swap.replacements(tiny_project, cover, plan, after)
    assert set(table["failed_place_id"]) == set(planned[:3])
    whole = covered_weight(cover, plan.stations["station_id"]) - covered_weight(cover, after.stations["station_id"])
    assert table["loss_weight"].sum() == pytest.approx(whole / 100)
    gained = after.stations["gain_people"].sum() - plan.stations["gain_people"].sum()
    assert table["loss_people"].sum() == pytest.approx(-gained)
    assert after.phases["covered_weight_share"].iloc[-1] == pytest.approx(
        plan.phases["covered_weight_share"].iloc[-1] - whole / cover.row_weight.sum()
    )


def test_places_that_are_not_planned_are_refused(tiny_project, cover, plan, eligible, verdicts):
    with pytest.raises(LayerError, match="not in the plan"):
        run(tiny_project, cover, plan, ["没有"], eligible, verdicts)
    with pytest.raises(LayerError, match="relocate"):
        run(tiny_project, cover, plan, ["LC000"], eligible, verdicts)


def test_nobody_left_is_said_by_name(tiny_project, cover, plan, planned, eligible, verdicts):
    """A cover that holds nothing but the plan has no substitute."""
    keep = np.isin(cover.station_ids, plan.stations["station_id"])
    parts = [cover.indices[cover.indptr[k] : cover.indptr[k + 1]] for k in np.flatnonzero(keep)]
    small = dataclasses.replace(
        cover,
        station_ids=cover.station_ids[keep],
        station_rows=cover.station_rows[keep],
        indptr=np.concatenate([[0], np.cumsum([len(p) for p in parts])]),
        indices=np.concatenate(parts),
    )
    with pytest.raises(LcsitingError, match=planned[0]):
        run(tiny_project, small, plan, planned[:1], eligible, verdicts)


def test_counted_in_places_both_counts_stay(tiny_project, cover, eligible, verdicts):
    targets = [{"year": 2020, "target": 10, "unit": "place"}, {"year": 2023, "target": 20, "unit": "place"}]
    config = tiny_project.config.model_copy(update={"phases": [Phase(**row) for row in targets]})
    project = dataclasses.replace(tiny_project, config=config)
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    live = set(plan.stations.query("status == 'on_air'")["place_id"])
    failed = [place for place in plan.places["place_id"] if place not in live][:2]
    after = run(project, cover, plan, failed, eligible, verdicts)
    assert after.phases[["stations", "places"]].equals(plan.phases[["stations", "places"]])
    assert len(swap.replacements(project, cover, plan, after)) == plan.stations["place_id"].isin(failed).sum()


def test_a_replacement_keeps_the_coordination_budgets(tiny_project, cover, plan, planned, eligible, verdicts):
    """The station that would be best breaks a budget; another one takes its turn."""
    free = run(tiny_project, cover, plan, planned[:1], eligible, verdicts)
    best = free.stations.loc[~free.stations["station_id"].isin(plan.stations["station_id"]), "station_id"]
    n = len(cover.station_ids)
    loads = np.where(np.isin(cover.station_ids, best), 1.0, 0.01)
    planned_now = plan.stations.query("status == 'planned'")
    used = [0.01 * (planned_now["phase_year"] <= y).sum() for y in (2020, 2023)]
    resources = (np.arange(n + 1), np.zeros(n, np.int64), loads), np.array(used)[:, None]
    after = swap.replace(
        tiny_project, cover, plan, planned[:1], eligible=eligible, verdicts=verdicts, resources=resources
    )
    new = after.stations.loc[~after.stations["station_id"].isin(plan.stations["station_id"]), "station_id"]
    assert len(new) == len(best) and not set(new) & set(best)
    loads[:] = 1.0
    loads[np.isin(cover.station_ids, plan.stations["station_id"])] = 0.01
    with pytest.raises(LcsitingError, match="keeps the coordination budgets"):
        swap.replace(tiny_project, cover, plan, planned[:1], eligible=eligible, verdicts=verdicts, resources=resources)


@pytest.mark.parametrize("unit", ["station", "place"])
def test_a_replacement_keeps_quotas_and_budgets(tiny_project, cover, eligible, verdicts, unit):
    steps = [Phase(year=2020, target=10, unit=unit), Phase(year=2023, target=20, unit=unit)]
    config = tiny_project.config.model_copy(update={"phases": steps})
    project = dataclasses.replace(tiny_project, config=config)
    before = phases.rank(project, cover, eligible, verdicts, threads=1)
    live = set(before.stations.query("status == 'on_air'")["place_id"])
    table = before.places[(before.places["status"] == "planned") & ~before.places["place_id"].isin(live)]
    key = "station_id" if unit == "station" else "place_id"
    for row in table.iloc[:6].itertuples():
        counts = {
            year: before.stations[before.stations["phase_year"] <= year].groupby("county")[key].nunique()
            for year in (2020, 2023)
        }
        quotas = [Quota(county=c, year=y, min=int(n), max=int(n)) for y, s in counts.items() for c, n in s.items()]
        paid = [
            phase.model_copy(update={"budget": float(cost) + 1.2})
            for phase, cost in zip(steps, before.phases["cost"], strict=True)
        ]
        tight = dataclasses.replace(project, config=config.model_copy(update={"quotas": quotas, "phases": paid}))
        after = run(tight, cover, before, [row.place_id], eligible, verdicts)
        for year, series in counts.items():
            now = after.stations[after.stations["phase_year"] <= year].groupby("county")[key].nunique()
            assert now.to_dict() == series.to_dict()
        assert (after.phases["cost"] <= before.phases["cost"] + 1.2).all()


def test_a_replacement_keeps_a_floor_the_best_one_would_break(tiny_project, cover, plan, planned, eligible, verdicts):
    """Where the best substitute lets the indoor share of a county fall, a floor there makes it another one, or none."""
    n, kept, refused = len(cover.cells), 0, 0
    county = cover.cells["county"].astype(str).to_numpy()

    def share(stations, code):
        rows = np.concatenate([np.zeros(n, bool), county == code])  # outdoors, indoors of the first network
        position = {s: k for k, s in enumerate(cover.station_ids)}
        done = np.zeros(len(cover.row_weight), bool)
        for i in (position[s] for s in stations):
            done[cover.indices[cover.indptr[i] : cover.indptr[i + 1]]] = True
        return (cover.row_weight[: 2 * n] * (rows & done[: 2 * n])).sum() / cover.row_weight[: 2 * n][rows].sum()

    before = plan.stations["station_id"]
    for place in planned[:5]:
        free = run(tiny_project, cover, plan, [place], eligible, verdicts).stations["station_id"]
        for code, name in (("371502", "东昌府区"), ("371503", "茌平区")):
            had, got = share(before, code), share(free, code)
            if got > had - 1e-6:
                continue
            floor = Floor(area=name, service="indoor", network="移动广电", share=(had + got) / 2, by=2023)
            config = tiny_project.config.model_copy(update={"floors": [floor]})
            asked = dataclasses.replace(tiny_project, config=config)
            try:
                after = run(asked, cover, plan, [place], eligible, verdicts)
            except LcsitingError:
                refused += 1
                continue
            assert share(after.stations["station_id"], code) >= floor.share
            kept += 1
    assert kept > 0, (kept, refused)


def test_the_limits_table_follows_a_replacement(tiny_project, cover, planned, eligible, verdicts):
    steps = [phase.model_copy(update={"budget": 60.0}) for phase in tiny_project.config.phases]
    floors = [Floor(area="市城区", share=0.1, by=2020)]
    config = tiny_project.config.model_copy(update={"phases": steps, "floors": floors, "quotas": [Quota(max=30)]})
    project = dataclasses.replace(tiny_project, config=config)
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    gone = next(p for p in planned if p in set(plan.stations["place_id"]))
    after = run(project, cover, plan, [gone], eligible, verdicts)
    table = after.limits[after.limits["kind"] == "budget"]
    assert table["value"].to_numpy() == pytest.approx(after.phases["cost"].to_numpy())
    counts = after.stations.query("phase_year <= 2023").groupby("county").size()
    quotas = after.limits.query("kind == 'quota_max' and year == 2023").set_index("area")["value"]
    assert quotas.to_dict() == counts.to_dict()
    assert after.limits["outcome"].isin(["kept", "binding"]).all() and len(after.limits) == len(plan.limits)


def test_a_replacement_takes_another_mode_where_the_plain_one_breaks_a_budget(
    tiny_project, cover, plan, planned, eligible, verdicts
):
    n = len(cover.station_ids)
    many = dataclasses.replace(
        cover,
        station_ids=np.tile(cover.station_ids, 2), station_rows=np.tile(cover.station_rows, 2),
        indptr=np.concatenate([cover.indptr, cover.indptr[-1] + cover.indptr[1:]]),
        indices=np.tile(cover.indices, 2), modes=np.repeat(np.array(["as_planned", "site_tilt"], object), n),
    )  # fmt: skip
    chosen = np.isin(many.station_ids, plan.stations["station_id"])
    loads = np.where(many.modes == "site_tilt", 0.0, np.where(chosen, 0.01, 1.0))
    resources = (np.arange(2 * n + 1), np.zeros(2 * n, np.int64), loads), np.full((2, 1), 0.5)
    after = swap.replace(
        tiny_project, many, plan, planned[:1], eligible=eligible, verdicts=verdicts, resources=resources
    )
    plain = run(tiny_project, cover, plan, planned[:1], eligible, verdicts)
    assert after.stations["station_id"].tolist() == plain.stations["station_id"].tolist()
    new = ~after.stations["station_id"].isin(plan.stations["station_id"])
    assert set(after.stations.loc[new, "mode"]) == {"site_tilt"} and (after.stations.loc[~new, "mode"] == "").all()
