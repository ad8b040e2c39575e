"""Explanations against sets in plain Python."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, box

from lcsiting.errors import LayerError
from lcsiting.siting import _explain, cellmap, explain, phases


@pytest.fixture(scope="module")
def plan(tiny_project, cover, eligible, verdicts):
    return phases.rank(tiny_project, cover, eligible, verdicts, threads=1)


@pytest.fixture(scope="module")
def told(tiny_project, cover, plan):
    return explain.explain(tiny_project, cover, plan, threads=1)


@pytest.fixture(scope="module")
def rows_of(cover):
    """Station id to the set of its demand rows."""
    return {
        station: set(cover.indices[cover.indptr[k] : cover.indptr[k + 1]].tolist())
        for k, station in enumerate(cover.station_ids)
    }


def weight(cover, rows):
    return int(cover.row_weight[sorted(rows)].sum()) / 100


def first_service(cover, rows):
    """People (to 0.01 a cell, as the ranking counts) and km2 of the rows of the outdoor service."""
    n = len(cover.cells)
    cells = [row % n for row in rows if (row // n) % len(cover.services) == 0]
    people = np.rint(cover.cells["people"].to_numpy()[cells] * 100) / 100
    return people.sum(), cover.cells["area_km2"].to_numpy()[cells].sum()


def alone(plan, rows_of, station):
    others = set().union(*(rows_of[s] for s in plan.stations["station_id"] if s != station))
    return rows_of[station] - others


def test_what_is_lost_without_a_station_is_what_it_alone_covers(cover, plan, told, rows_of):
    table = told["why_chosen"]
    assert set(table["station_id"]) == set(plan.stations.query("status != 'on_air'")["station_id"])
    for row in table.itertuples():
        mine = alone(plan, rows_of, row.station_id)
        people, area = first_service(cover, mine)
        assert row.lost_weight == pytest.approx(weight(cover, mine))
        assert (row.lost_people, row.lost_area_km2) == pytest.approx((people, area), abs=1e-6)


def test_substitutes_are_the_best_unused_stations_by_exact_loss(cover, plan, told, rows_of):
    """Brute force: take the station out, put every unused one in, keep the three that lose least."""
    unused = [s for s in cover.station_ids if s not in set(plan.stations["station_id"])]
    everything = set().union(*(rows_of[s] for s in plan.stations["station_id"]))
    groups = dict(list(told["substitutes"].groupby("station_id", sort=False)))
    for station in told["why_chosen"]["station_id"]:
        mine = alone(plan, rows_of, station)
        near = [s for s in unused if weight(cover, rows_of[s] & mine) > 0]
        before = weight(cover, everything)
        losses = {s: before - weight(cover, (everything - mine) | rows_of[s]) for s in near}
        expected = sorted(losses.items(), key=lambda pair: (round(pair[1], 2), unused.index(pair[0])))[:3]
        found = groups.get(station, told["substitutes"].iloc[:0])
        assert found["substitute_id"].tolist() == [s for s, _ in expected]
        assert found["loss_weight"].tolist() == pytest.approx([loss for _, loss in expected])
        for row in found.itertuples():
            after = (everything - mine) | rows_of[row.substitute_id]
            lost = np.subtract(first_service(cover, everything), first_service(cover, after))
            assert (row.loss_people, row.loss_area_km2) == pytest.approx(tuple(lost), abs=1e-5)


def test_the_takers_covered_most_of_it_first(cover, plan, told, rows_of):
    order = plan.stations["station_id"].tolist()
    place = dict(zip(order, plan.stations["place_id"], strict=True))
    cases = told["why_not"].query("rule != 'farmland'")
    assert {"refused", "late"} == set(cases["status"])
    for row in cases.itertuples():
        turn = order.index(row.station_id) if row.status == "late" else len(order)
        left, shares = set(rows_of[row.station_id]), {}
        for server in order[:turn]:
            shares[server] = weight(cover, left & rows_of[server])
            left -= rows_of[server]
        best = max(shares.values())
        assert row.demand_weight == pytest.approx(weight(cover, rows_of[row.station_id]))
        assert row.taker_share == pytest.approx(best / row.demand_weight)
        assert row.taker_place_id == (place[max(shares, key=shares.get)] if best else "")


def test_left_weight_is_what_the_missed_phase_did_not_cover(cover, plan, told, rows_of):
    table = plan.stations
    for row in told["why_not"].query("rule in ('late', 'not_selected')").itertuples():
        until = table[(table["status"] == "on_air") | (table["phase_year"] < (row.phase_year or 9999))]
        there = set().union(*(rows_of[s] for s in until["station_id"]))
        assert row.left_weight == pytest.approx(weight(cover, rows_of[row.station_id] - there))


def test_every_refused_and_late_station_is_explained(tiny_project, plan, told):
    cases = told["why_not"]
    late = plan.stations.query("status != 'on_air' and phase_year > 2020")["station_id"]
    assert set(cases["station_id"]) == set(plan.refused["station_id"]) | set(late)
    assert cases["reason"].str.len().gt(0).all()


def test_stations_that_screening_refused_have_takers_too(told):
    refused = told["why_not"].query("rule == 'farmland'")
    assert len(refused) == 2
    assert refused["reason"].str.startswith("位于示例图斑1内").all()
    assert refused["left_weight"].isna().all() and (refused["demand_weight"] > 0).all()


def test_a_key_place_belongs_to_the_first_station_of_each_network(tiny_project, cover, plan, told, rows_of):
    places = tiny_project.layers["key_places"]
    _, cell = cellmap.shape_cells(tiny_project, cover.cells, places.geometry.iloc[[0]])
    n = len(cover.cells)
    firsts = []
    for network in range(2):
        row = network * 2 * n + int(cell[0])
        firsts += [s for s in plan.stations["station_id"] if row in rows_of[s]][:1]
    named = told["why_chosen"][told["why_chosen"]["key_place_names"].str.contains("示例医院")]["station_id"]
    on_air = set(plan.stations.query("status == 'on_air'")["station_id"])
    assert set(named) == set(firsts) - on_air


def test_a_plan_from_another_cover_is_refused(tiny_project, no_cover, plan):
    with pytest.raises(LayerError, match="Build the cover again"):
        explain.explain(tiny_project, no_cover, plan)


def test_describe_tells_about_a_place_in_lines(told):
    place = told["why_not"].query("status == 'late'")["place_id"].iloc[0]
    text = explain.describe(told, place)
    assert "延后入选" in text and "新增" in text
    assert explain.describe(told, "没有") == ""


def test_describe_in_english_says_the_same_facts(tiny_project, told):
    names = {network.name for network in tiny_project.config.networks}
    for row in told["why_not"].itertuples():
        text = explain.describe(told, row.place_id, "en")
        line = next(line for line in text.splitlines() if line.startswith(f"{row.network}: {row.status.capitalize()}"))
        for name in names:
            line = line.replace(name, "")
        assert line.isascii(), line
        assert all(taker.split("(")[0] in line for taker in row.takers.split("、")) or row.demand_weight == 0
        if row.status == "late":
            assert f"({row.phase_year})" in line
        if row.rule == "farmland":
            assert "Permanent farmland" in line
        elif row.left_weight and row.demand_weight:
            assert f"{row.left_weight:.1f} people-equivalents" in line
    found = dict(list(told["substitutes"].groupby("station_id", sort=False)))
    for row in told["why_chosen"].itertuples():
        text = explain.describe(told, row.place_id, "en")
        line = next(line for line in text.splitlines() if line.startswith(f"{row.network}: no. {row.rank}, "))
        assert f"adds {row.gain_people:.0f} people" in line and f"{row.lost_people:.0f} people are lost" in line
        for one in found[row.station_id].itertuples() if row.station_id in found else ():
            change = round(one.loss_people)
            assert f"{one.substitute_place_id} ({'loses' if change >= 0 else 'gains'} {abs(change)} people)" in line
        if row.station_id not in found:
            assert line.endswith("no place" if row.lost_weight else "nothing is lost without it")


def test_ties_among_takers_go_to_the_earlier_turn():
    """Rows 0-1 belong to turn 2, rows 2-3 to turn 1: the same weight."""
    indptr, indices = np.array([0, 4]), np.array([0, 1, 2, 3], np.int32)
    owner, weights = np.array([2, 2, 1, 1], np.int32), np.array([5, 5, 4, 6])
    taker, taken = np.full((1, 3), -1), np.zeros((1, 3), np.int64)
    total, left = np.zeros(1, np.int64), np.zeros(1, np.int64)
    one = np.array([0])
    _explain.takers(indptr, indices, one, np.array([3]), np.array([2]), owner, weights, 3, taker, taken, total, left)
    assert taker.tolist() == [[1, 2, -1]] and taken.tolist() == [[10, 10, 0]]
    assert (total[0], left[0]) == (20, 10), "turn 2 came after the deadline"


def test_shapes_smaller_than_a_cell_have_the_cell_they_stand_on(tiny_project, cover):
    x, y = cover.cells["x_m"].to_numpy()[5000], cover.cells["y_m"].to_numpy()[5000]
    shapes = gpd.GeoSeries([Point(x + 30, y - 30), box(x + 10, y + 10, x + 20, y + 20), Point(0, 0), None,
                            box(x - 60, y - 60, x + 160, y + 60)])  # fmt: skip
    shape, cell = cellmap.shape_cells(tiny_project, cover.cells, shapes)
    assert pd.Series(cell).groupby(shape).agg(list).to_dict() == {0: [5000], 1: [5000], 4: [5000, 5001]}


@st.composite
def tiny_covers(draw):
    """Up to eight items on up to ten rows, some rows of no weight, and a plan of some of the items."""
    rows, items = draw(st.integers(1, 10)), draw(st.integers(2, 8))
    sets = [sorted(draw(st.sets(st.integers(0, rows - 1)))) for _ in range(items)]
    weights = draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows))
    order = draw(st.permutations(range(items)))[: draw(st.integers(1, items))]
    return sets, np.array(weights, np.int64), order


@given(tiny_covers())
@settings(max_examples=150, deadline=None)
def test_kernels_against_sets_on_any_cover(case):
    """Losses and substitutes of every turn, ties included."""
    sets, weights, order = case
    indptr = np.concatenate([[0], np.cumsum([len(s) for s in sets])]).astype(np.int64)
    indices = np.array([row for s in sets for row in s], np.int32)
    owner, serving = np.full(len(weights), -1, np.int32), np.zeros(len(weights), np.int32)
    _explain.first_servers(indptr, indices, np.array(order, np.int64), owner, serving)
    lost, sums = np.zeros(len(order), np.int64), np.zeros((len(order), 1), np.int64)
    _explain.lost_without(owner, serving, weights, np.ones((1, len(weights)), np.int64), 1, lost, sums)
    unused = np.array([i for i in range(len(sets)) if i not in order], np.int64)
    best, gain = np.full((len(order), 3), -1, np.int64), np.zeros((len(order), 3), np.int64)
    _explain.substitutes(indptr, indices, unused, owner, serving, weights, best, gain)
    for turn, item in enumerate(order):
        others = set().union(*(sets[i] for i in order if i != item))
        mine = set(sets[item]) - others
        assert lost[turn] == weights[sorted(mine)].sum() and sums[turn, 0] == len(mine)
        near = [i for i in unused if weights[sorted(mine & set(sets[i]))].sum() > 0]
        gains = {i: weights[sorted(set(sets[i]) - others)].sum() for i in near}
        expected = sorted(near, key=lambda i: (-gains[i], i))[:3]
        assert best[turn][best[turn] >= 0].tolist() == expected
        assert gain[turn][: len(expected)].tolist() == [gains[i] for i in expected]
