"""Mutually exclusive modes of a station, from the cover to the plan and its certificate."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting import rules
from lcsiting.config import Phase, Ranking
from lcsiting.siting import blocks, cellmap, compare, engine, explain, phases, problem, replace


def with_modes(cover, keep):
    """Every station not on air a second and a third time behind the others; ``keep[m]`` is the share of rows kept."""
    n = len(cover.station_rows)
    parts = [cover.indices[cover.indptr[i] : cover.indptr[i + 1]] for i in range(n)]
    rows, names = list(parts), ["as_planned"] * n
    for name, share in keep.items():
        rows += [part[: round(share * len(part))] for part in parts]
        names += [name] * n
    at = np.tile(np.arange(n), 1 + len(keep))
    return dataclasses.replace(
        cover,
        station_ids=cover.station_ids[at],
        station_rows=cover.station_rows[at],
        indptr=np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64),
        indices=np.concatenate(rows).astype(np.int32),
        modes=np.array(names, object),
    )


def loads_of(cover, per_mode, limit):
    """One budget: each item needs what its mode needs."""
    loads = np.array([per_mode[mode] for mode in cover.modes])
    return (np.arange(len(loads) + 1), np.zeros(len(loads), np.int32), loads), limit


@pytest.fixture(scope="module")
def case(tiny_project, cover):
    steps = [Phase(year=2020, target=12), Phase(year=2023, target=40)]
    config = tiny_project.config.model_copy(
        update={"phases": steps, "ranking": Ranking(improve=True, certificate=True)}
    )
    return dataclasses.replace(tiny_project, config=config), with_modes(cover, {"site_tilt": 0.9, "sector_off*2": 0.4})


@st.composite
def tiny(draw):
    n, m = draw(st.integers(2, 6)), draw(st.integers(1, 7))
    rows = [sorted(draw(st.sets(st.integers(0, m - 1), max_size=m))) for _ in range(n)]
    group = [draw(st.integers(0, 2)) for _ in range(n)]
    return rows, group, [draw(st.integers(0, 5)) for _ in range(m)], draw(st.integers(1, n))


@given(tiny())
@settings(deadline=None, max_examples=150)
def test_a_block_takes_one_item_of_a_group_and_the_lowest_at_equal_gain(case):
    rows, group, weights, limit = case
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    indices = np.array([j for r in rows for j in r], np.int32)
    mates = problem.conflict_graph(len(rows), None, np.array(group))
    state = blocks.new_state(indptr, indices, np.array(weights, np.int64), mates=mates)
    picks = blocks.run_block(state, blocks.Block(blocks.everywhere(state), max_units=limit))
    covered, out, used = set(), [], set()
    while len(out) < limit:
        gains = [
            0 if group[i] in used else sum(weights[j] for j in rows[i] if j not in covered) for i in range(len(rows))
        ]
        if max(gains) == 0:
            break
        best = gains.index(max(gains))
        out.append(best)
        used.add(group[best])
        covered |= set(rows[best])
    assert picks.order.tolist() == out
    gone = [i for i in range(len(rows)) if group[i] in used and i not in out]
    assert (state.taken[gone] == blocks.GONE).all() and (state.taken == 1).sum() == len(out)


def test_without_a_reason_every_station_stays_as_planned(case, tiny_project, cover, eligible, verdicts):
    project, many = case
    plain = phases.rank(project, cover, eligible, verdicts, threads=1)
    plan = phases.rank(project, many, eligible, verdicts, threads=1)
    assert (plan.stations["mode"] == "").all()
    assert plan.stations["station_id"].tolist() == plain.stations["station_id"].tolist()
    pd.testing.assert_frame_equal(plan.refused, plain.refused)
    assert plan.certificate["checked"]


@pytest.mark.parametrize("improve", [False, True])
def test_a_budget_is_kept_by_stations_in_other_modes(case, eligible, verdicts, improve):
    project, many = case
    config = project.config.model_copy(update={"ranking": Ranking(improve=improve, certificate=True)})
    project = dataclasses.replace(project, config=config)
    needs = {"as_planned": 1.0, "site_tilt": 0.25, "sector_off*2": 0.125}
    limits = np.array([[2.5], [9.6]])
    plan = phases.rank(project, many, eligible, verdicts, resources=loads_of(many, needs, limits), threads=1)
    table = plan.stations[plan.stations["status"] == "planned"]
    assert table["station_id"].is_unique and set(table["mode"]) >= {"", "site_tilt"}
    for year, limit in zip((2020, 2023), limits[:, 0], strict=True):
        until = table[table["phase_year"] <= year]
        assert until["mode"].map(lambda mode: needs[mode or "as_planned"]).sum() <= limit
    assert plan.certificate["checked"]
    only = dataclasses.replace(
        many,
        **{name: getattr(many, name)[many.modes == "as_planned"] for name in ("station_ids", "station_rows", "modes")},
        indptr=many.indptr[: int((many.modes == "as_planned").sum()) + 1],
        indices=many.indices[: many.indptr[int((many.modes == "as_planned").sum())]],
    )
    bare = phases.rank(project, only, eligible, verdicts, resources=loads_of(only, needs, limits), threads=1)
    assert plan.phases["covered_weight_share"].iloc[-1] > bare.phases["covered_weight_share"].iloc[-1]
    name = rules.load(project.config.coordination.profile)["site_tilt"]["name_zh"]
    said = table["reasons"].str.contains(f"按“{name}”开通", regex=False)
    assert said.equals(table["mode"] == "site_tilt")


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_the_certificate_bounds_the_best_choice_of_modes(data):
    """Brute force over all nested choices with at most one mode a station and a budget."""
    rows, group, weights, _ = data.draw(tiny())
    n = len(rows)
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    indices = np.array([j for r in rows for j in r], np.int32)
    load = np.array([data.draw(st.integers(0, 4)) for _ in range(n)], float)
    request = dict(phases=[1, 3], modes=np.array(group), resources=(load[None], np.array([[3.0], [6.0]])))
    got = engine.rank(problem.make_problem((indptr, indices), np.array(weights, np.int64), **request), threads=1)
    best = 0
    for label in itertools.product(range(3), repeat=n):
        sets = [[i for i in range(n) if label[i] <= t] for t in range(2)]
        fits = all(
            len(s) <= k and load[s].sum() <= b and len({group[i] for i in s}) == len(s)
            for s, k, b in zip(sets, (1, 3), (3.0, 6.0), strict=True)
        )
        if fits:
            best = max(best, sum(sum(weights[j] for j in set().union(*(rows[i] for i in s))) for s in sets))
    assert got.joint_value <= best <= got.joint_bound


def test_stages_behind_the_plan_take_its_modes(case, eligible, verdicts):
    project, many = case
    limits = loads_of(many, {"as_planned": 1.0, "site_tilt": 0.25, "sector_off*2": 0.125}, np.array([[2.5], [9.6]]))
    plan = phases.rank(project, many, eligible, verdicts, resources=limits, threads=1)
    order = cellmap.plan_order(many, plan)
    assert [m or "as_planned" for m in plan.stations["mode"]] == many.modes[order].tolist()
    covered = np.unique(np.concatenate([many.indices[many.indptr[i] : many.indptr[i + 1]] for i in order]))
    share = many.row_weight[covered].sum() / many.row_weight.sum()
    assert plan.stations["cumulative_share"].iloc[-1] == pytest.approx(share)
    tables = explain.explain(project, many, plan)
    chosen = set(plan.stations["station_id"])
    assert not set(tables["substitutes"]["substitute_id"]) & chosen
    assert not set(tables["why_not"].query("status == 'refused'")["station_id"]) & chosen
    assert not tables["substitutes"].duplicated(["station_id", "substitute_id"]).any()
    assert len(compare.plan_changes(plan, plan)) == 0
    plain = dataclasses.replace(plan, stations=plan.stations.assign(mode="", band="n78"))
    reset = compare.plan_changes(plan, plain)
    differ = (plan.stations["mode"] != "") | (plan.stations["band"] != "n78")
    assert set(reset["change"]) == {"reset"}
    assert set(reset["station_id"]) == set(plan.stations.loc[differ, "station_id"])
    failed = plan.places.loc[plan.places["status"] == "planned", "place_id"].iloc[0]
    after = replace.replace(project, many, plan, [failed], eligible=eligible, verdicts=verdicts)
    assert failed not in set(after.stations["place_id"]) and after.stations["station_id"].is_unique
    same = ~plan.stations["place_id"].eq(failed).to_numpy()
    assert after.stations.loc[same, "mode"].tolist() == plan.stations.loc[same, "mode"].tolist()


def test_in_its_other_band_a_station_is_outside_the_scope(tiny_project, cover, eligible, verdicts):
    """Whatever was said of it in the band planned; one whose band is outside already has no other."""
    many = with_modes(cover, {"site_other_band": 0.9})
    fresh = ~tiny_project.stations["on_air"].to_numpy(bool)[many.station_rows]
    resources = loads_of(many, {"as_planned": 1.0, "site_other_band": 0.0}, [[0.0], [0.0]])
    resources[0][2][~fresh] = 0.0
    ids = tiny_project.stations["station_id"]
    said = verdicts.iloc[[0] * len(ids)].assign(station_id=ids.to_numpy(), verdict="coordinate")
    table = phases.rank(tiny_project, many, eligible, said, resources=resources).stations
    new = table[table["mode"] == "site_other_band"]
    planned = tiny_project.stations.set_index("station_id").loc[new["station_id"], "band"].to_numpy()
    assert {"n78", "n41"} <= set(planned)
    assert (new["band"] == np.where(planned == "n78", "n1", planned)).all()
    assert (new["coordination"] == "outside").all()
    assert not new["reasons"].str.contains("需与").any()
    assert (table.loc[table["mode"] == "", "coordination"] == "coordinate").all()
