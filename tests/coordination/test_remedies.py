"""Measures of a whole project: one filter for many pairs, two budgets, who pays, what a ranking is offered."""

import dataclasses

import numpy as np
import pytest
from coordination_cases import with_protected, with_stations

from lcsiting import schema
from lcsiting.coordination.aggregate import make_budgets
from lcsiting.coordination.alternatives import alternatives
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.remedies import remedies

RING = [(2000, 0), (0, 2000), (-2000, 0), (0, -2000), (1500, 1500), (-1500, -1500)]


def build(tiny_project, rows, *protected):
    project = with_stations(with_protected(tiny_project, *protected), rows)
    project.stations["operators"] = "电信+联通"
    project.places["name"] = [f"示例{k}" for k in range(len(rows))]
    return project


@pytest.fixture(scope="module")
def legacy(tiny_project):
    """Six base stations 2 km around a wide block without filter."""
    return build(tiny_project, [{"at": at} for at in RING], {"user_unit": "示例台", "rx_low_mhz": 3700})


def test_one_filter_clears_all_pairs(legacy):
    evaluation = evaluate(legacy)
    found = remedies(legacy, evaluation)
    row = found.stations.iloc[0]
    assert list(found.stations.columns) == list(schema.table("remedies").columns)
    assert row["needed_overload_db"] > 0
    assert "加装滤波器" in row["measures"] and row["margin_overload_db"] > 0
    assert row["outcome"] == "cleared_by_measures" and row["dropped"] == 0
    assert row["noise_penalty_db"] > 0
    assert "共同承担" in row["bearer"] and not row["verified"]


def test_within_the_budgets_when_summed_again(legacy):
    """The chosen modes and measures, applied to the sum over components once more."""
    evaluation = evaluate(legacy)
    found = remedies(legacy, evaluation)
    row, rows = found.stations.iloc[0], evaluation.budgets.rows.set_index("mechanism")
    taken = np.sum([item.effect_db for item in found.measures["ES0"]], axis=0)
    if not row["changed"]:
        for name, component in (("long_term", 1), ("overload", 3)):
            level = rows.loc[name, "candidates_dbm"] - taken[component]
            margin = row[f"margin_{name}_db"]
            assert margin == pytest.approx(rows.loc[name, "limit_dbm"] - level, abs=0.01)
    assert min(row["margin_long_term_db"], row["margin_overload_db"]) >= -1e-9


def test_measures_taken_let_the_budgets_grow(legacy):
    """What the choice says is what the budgets of the ranking then allow."""
    evaluation = evaluate(legacy)
    found = remedies(legacy, evaluation)
    e = evaluation
    grown = make_budgets(legacy, e.tx, e.protected, e.pairs, e.levels, e.tables, found.measures, outside=e.outside)
    row = (e.budgets.rows["mechanism"] == "overload").to_numpy()
    last = 10 * np.log10(grown.limit_mw[row, -1] / e.budgets.limit_mw[row, -1])
    assert last[0] == pytest.approx(sum(item.effect_db[3] for item in found.measures["ES0"]))


def test_on_air_alone_breaks_the_budget(tiny_project):
    """Inside the receive band at 500 m nothing helps against what is on air; it is reported, not hidden."""
    rows = [{"at": (0, 500), "on_air": True}, {"at": (500, 0)}]
    project = build(tiny_project, rows, {"rx_low_mhz": 3400})
    row = remedies(project, evaluate(project)).stations.iloc[0]
    assert row["outcome"] == "broken" and row["margin_long_term_db"] < 0
    assert row["base_stations"] == 1, "what is on air cannot be changed"


def test_only_the_stations_of_a_plan(legacy):
    evaluation = evaluate(legacy)
    found = remedies(legacy, evaluation, station_ids=["S0"])
    assert found.stations["base_stations"].tolist() == [1]
    every = remedies(legacy, evaluation).stations.iloc[0]
    assert found.stations.iloc[0]["needed_overload_db"] < every["needed_overload_db"]


def test_alternatives_for_a_ranking(legacy):
    evaluation = evaluate(legacy)
    offered = alternatives(legacy, evaluation)
    assert sorted(set(offered.station_row)) == list(range(6))
    planned = offered.load_mw[offered.mode == "as_planned"]
    rows = evaluation.budgets.rows
    assert 10 * np.log10(planned.sum(axis=0)) == pytest.approx(rows["candidates_dbm"].to_numpy(), abs=0.01)
    halved = offered.load_mw[offered.mode == "site_power_3"]
    assert halved == pytest.approx(planned * 10**-0.3, rel=1e-9, abs=0)
    assert (offered.cost[offered.mode == "as_planned"] == 0).all()


def test_no_protected_station_no_remedies(legacy):
    nothing = dataclasses.replace(
        legacy, layers={**legacy.layers, "protected_stations": legacy.layers["protected_stations"].iloc[:0]}
    )
    found = remedies(nothing, evaluate(nothing))
    assert found.stations.empty and found.modes.empty and not found.measures
