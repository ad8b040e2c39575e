"""Swapping failed places: the rest stands still, substitutes are the exact best."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lcsiting.config import Phase
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


def value_by_phase(cover, table, years):
    """Covered weight at the end of each phase."""
    return [
        swap.covered_weight(cover, table.loc[(table["status"] == "on_air") | (table["phase_year"] <= y), "station_id"])
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
    whole = swap.covered_weight(cover, plan.stations["station_id"]) - swap.covered_weight(
        cover, after.stations["station_id"]
    )
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
