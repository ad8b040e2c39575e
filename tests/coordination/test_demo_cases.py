"""The four constructed cases of the demo city behave as its dictionary says, no engine parameter fitted to them."""

import dataclasses

import numpy as np
import pytest

import lcsiting
from lcsiting.coordination import aggregate
from lcsiting.coordination.interference import evaluate


@pytest.fixture(scope="module")
def demo():
    return evaluate(lcsiting.open_project(lcsiting.demo_path()))


def budget(demo, station, mechanism):
    rows = demo.budgets.rows
    return rows[(rows["protected_id"] == station) & (rows["mechanism"] == mechanism)].iloc[0]


def worst_pair_db(demo, station, mechanism):
    rows = demo.verdicts[(demo.verdicts["protected_id"] == station) & (demo.verdicts["mechanism"] == mechanism)]
    return float(rows["margin_db"].min())


def test_the_co_channel_station_fails_by_far(demo):
    assert budget(demo, "ES025", "long_term")["needed_db"] >= 20
    assert budget(demo, "ES025", "long_term")["on_air_dbm"] > budget(demo, "ES025", "long_term")["limit_dbm"]


def test_the_legacy_block_is_cleared_by_a_filter_and_by_nothing_less(demo):
    assert budget(demo, "ES026", "long_term")["needed_db"] == 0
    measures = {key: row for key, row in demo.tables.profile.items() if key.startswith("measure_")}
    needed = max(budget(demo, "ES026", "overload")["needed_db"], -worst_pair_db(demo, "ES026", "overload"))
    enough = [key for key, row in measures.items() if row["effects_db"].get("overload_out", 0.0) >= needed]
    assert enough == ["measure_filter"]


def test_every_pair_passes_and_the_sum_fails(demo):
    assert worst_pair_db(demo, "ES027", "adjacent") > 0
    assert worst_pair_db(demo, "ES027", "overload") > 0
    row = budget(demo, "ES027", "long_term")
    assert not row["broken"] and row["needed_db"] > 1


def test_the_station_on_the_roof_cannot_be_cleared(demo):
    """What is on air alone exceeds the limit by more than all station-side measures together could take."""
    row = budget(demo, "ES028", "long_term")
    shield = demo.tables.profile["measure_shielding"]["effects_db"]["co_channel"]
    assert row["broken"] and row["on_air_dbm"] - row["limit_dbm"] > shield + 20


def test_any_number_of_threads_gives_the_same_bytes(demo):
    again = evaluate(lcsiting.open_project(lcsiting.demo_path()), threads=1)
    assert demo.levels.average_mw.tobytes() == again.levels.average_mw.tobytes()
    assert demo.levels.overload_mw.tobytes() == again.levels.overload_mw.tobytes()


def test_with_physics_enforced_the_whole_plan_stays_within_every_budget(demo):
    """A greedy over the real contributions, judged by a sum of its own (matrix product, not the engine's ledger)."""
    from lcsiting.siting import blocks

    rows = demo.budgets.rows.assign(binding=True)
    budgets = dataclasses.replace(demo.budgets, rows=rows)
    new = np.flatnonzero(~budgets.on_air)
    items = budgets.station_rows[new]
    needs, left = aggregate.resources(budgets, items)
    rng = np.random.default_rng(0)
    n = len(items)
    weights = rng.integers(1, 100, n)
    state = blocks.new_state(np.arange(n + 1), np.arange(n, dtype=np.int32), weights, resources=(needs, left[0]))
    picks = blocks.run_block(state, blocks.Block(blocks.everywhere(state)))
    chosen = np.zeros(len(budgets.on_air), dtype=bool)
    chosen[new[picks.order]] = True
    dense = np.zeros((len(rows), len(budgets.on_air)))
    dense[np.repeat(np.arange(len(rows)), np.diff(budgets.indptr)), budgets.indices] = budgets.mw
    assert (dense @ chosen <= budgets.remaining_mw[:, 0] * (1 + 1e-9)).all()
    assert 0 < len(picks.order) < n
    passed_over = ~chosen & ~budgets.on_air
    room = budgets.remaining_mw[:, 0] - dense @ chosen
    assert (dense[:, passed_over] > room[:, None] * (1 - 1e-9)).any(axis=0).all(), "no one that still fits was left out"
