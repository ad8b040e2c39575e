"""The four constructed cases of the demo city behave as its dictionary says, no engine parameter fitted to them."""

import dataclasses

import numpy as np
import pytest

import lcsiting
from lcsiting.coordination import aggregate, clearing
from lcsiting.coordination.cases import make_case, make_scene
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.measures import measures_left
from lcsiting.coordination.remedies import remedies


@pytest.fixture(scope="module")
def project():
    return lcsiting.open_project(lcsiting.demo_path())


@pytest.fixture(scope="module")
def demo(project):
    return evaluate(project)


@pytest.fixture(scope="module")
def solved(project, demo):
    """The joint choice at all stations."""
    return remedies(project, demo)


def alone(project, demo, station):
    """The least-cost choice for one station by itself."""
    return remedies(project, demo, only=[station]).stations.iloc[0]


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


# ---------------------------------------------------------------- what the measures do about them


def test_solved_the_co_channel_station_needs_twenty_decibels_and_more(project, demo):
    row = alone(project, demo, "ES025")
    assert row["needed_long_term_db"] >= 20
    assert row["needed_long_term_db"] == pytest.approx(budget(demo, "ES025", "long_term")["needed_db"], abs=0.01)
    assert row["changed"] > 0 and row["lost"] > 0, "what it costs is said"


def test_solved_the_legacy_block_is_cleared_by_the_filter_and_by_nothing_else(project, demo):
    """No site-side choice at all, and of the station-side measures alone only the filter: sum and nearest pair."""
    row = alone(project, demo, "ES026")
    assert (row["outcome"], row["measures"], row["changed"]) == ("cleared_by_measures", "加装滤波器", 0)
    assert row["needed_overload_db"] > 20 and row["needed_long_term_db"] == 0
    k = int(np.flatnonzero(demo.protected["protected_id"] == "ES026")[0])
    record = list(demo.protected.itertuples(index=False))[k]
    left = measures_left(demo.tables, record, project.config.project.as_of)
    case = make_case(project, demo, make_scene(project, demo, None, None), k, left, (), None, "zh")

    def outcome(*some):
        return clearing.clear_station(case.modes, list(some), case.budget_mw, case.fixed_mw, 2e-3).status

    assert outcome() == "broken", "whatever is done at the base stations, what is on air is too much"
    clears = [
        item.id
        for item in left
        if outcome(item) == "cleared" and worst_pair_db(demo, "ES026", "overload") + item.effect_db[3] >= 0
    ]
    assert clears == ["measure_filter"]


def test_solved_every_pair_passes_and_the_sum_is_brought_down(project, demo):
    assert min(worst_pair_db(demo, "ES027", name) for name in ("adjacent", "overload")) > 0
    row = alone(project, demo, "ES027")
    assert row["needed_long_term_db"] > 1
    assert row["outcome"] == "cleared_by_measures" and row["margin_long_term_db"] >= 0


def test_solved_the_infeasible_case_is_reported_as_such(project, demo):
    row = alone(project, demo, "ES028")
    assert row["outcome"] == "broken" and row["margin_long_term_db"] < -20
    assert row["lost"] > 0 and row["shadow_long_term_db"] > 0 and row["bearer"]


def test_the_solver_says_nothing_past_its_options(project, demo, capfd):
    """These two made HiGHS print lines of its own."""
    capfd.readouterr()
    remedies(project, demo, only=["ES008", "ES020"])
    assert capfd.readouterr() == ("", "")


def test_solved_together_every_base_station_has_one_mode(solved):
    """What is paid is the sum of the rows, and every station that can be cleared is."""
    assert solved.modes["station_id"].is_unique
    assert solved.totals["changed"] == len(solved.modes) == solved.stations["changed"].sum()
    assert solved.totals["site_cost"] == pytest.approx(solved.stations["site_cost"].sum())
    assert solved.totals["lost"] == pytest.approx(solved.stations["lost"].sum())
    fine = solved.stations[solved.stations["outcome"] != "broken"]
    margins = fine[["margin_long_term_db", "margin_overload_db"]].fillna(np.inf)
    assert (margins >= -1e-9).all(axis=None)
    assert solved.stations.set_index("protected_id").loc["ES028", "outcome"] == "broken"


# ---------------------------------------------------------------- the engine on the whole city


def test_any_number_of_threads_gives_the_same_bytes(project, demo):
    again = evaluate(project, threads=1)
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
