"""Dated measures as an input: each budget grows from the day one takes effect, by what it adds to what is there."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from coordination_cases import with_protected, with_stations

from lcsiting.coordination.dated import dated_measures
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.remedies import remedies

RING = [(2000, 0), (0, 2000), (-2000, 0), (0, -2000), (1500, 1500), (-1500, -1500)]
COLUMNS = ["protected_id", "measure", "effect_db", "effective", "status", "cost"]


def given(project, *rows):
    """The project with these rows of station_measures."""
    layer = pd.DataFrame([(*row, *[None] * (6 - len(row))) for row in rows], columns=COLUMNS)
    layer["effective"] = pd.to_datetime(layer["effective"])
    return dataclasses.replace(project, layers={**project.layers, "station_measures": layer})


@pytest.fixture(scope="module")
def project(tiny_project):
    """Six base stations around a wide block without filter, and one with a filter of 30 dB."""
    both = ({"user_unit": "示例台", "rx_low_mhz": 3700}, {"rx_low_mhz": 3700, "filter_rejection_db": 30.0})
    built = with_stations(with_protected(tiny_project, *both), [{"at": at} for at in RING])
    built.stations["operators"] = "电信+联通"
    built.places["name"] = [f"示例{k}" for k in range(len(RING))]
    return built


def growth_db(project, station, mechanism):
    """Growth of a budget by phase against the project without the input."""
    plain = dataclasses.replace(project, layers={**project.layers, "station_measures": None})
    before, after = (evaluate(one).budgets for one in (plain, project))
    row = ((after.rows["protected_id"] == station) & (after.rows["mechanism"] == mechanism)).to_numpy()
    return 10 * np.log10(after.limit_mw[row][0] / before.limit_mw[row][0])


def test_a_budget_grows_from_the_phase_of_the_date_on(project):
    assert [phase.year for phase in project.config.phases] == [2020, 2023]
    dated = given(project, ("ES0", "加装滤波器", None, "2021-06-30", "agreed"))
    assert growth_db(dated, "ES0", "overload") == pytest.approx([0.0, 45.0])
    assert growth_db(dated, "ES0", "long_term") == pytest.approx([0.0, 0.0]), "a filter acts on overload only"
    assert growth_db(dated, "ES1", "overload") == pytest.approx([0.0, 0.0])
    now = given(project, ("ES0", "measure_filter", None, "2020-06-30", "agreed"))
    assert growth_db(now, "ES0", "overload") == pytest.approx([45.0, 45.0])


def test_what_is_there_counts_once(project):
    dated = given(
        project,
        ("ES1", "filter", None, "2020-06-30"),
        ("ES1", "加装屏蔽网", 12.0, "2020-06-30"),
        ("ES1", "加装屏蔽网", 20.0, "2022-06-30"),
    )
    assert growth_db(dated, "ES1", "overload") == pytest.approx([15.0 + 12.0, 15.0 + 20.0])
    assert growth_db(dated, "ES1", "long_term") == pytest.approx([12.0, 20.0])


def test_rows_that_mean_nothing_change_nothing(project):
    dated = given(
        project, ("ES9", "加装滤波器", None, "2020-06-30"), ("ES0", "许愿", None, "2020-06-30"),
        ("ES0", "加装滤波器", -3.0, "2020-06-30"), ("ES0", "加装滤波器", None, None),
        ("ES1", "加装滤波器", 30.0, "2020-06-30"),
    )  # fmt: skip
    evaluation = evaluate(project)
    assert dated_measures(dated, evaluation.protected, evaluation.tables) == {}
    assert growth_db(dated, "ES0", "overload") == pytest.approx([0.0, 0.0])


def test_the_joint_choice_counts_on_what_is_agreed(project):
    """With the filter agreed nothing is left to choose there; after the last phase it does not count."""
    alone = remedies(project, evaluate(project), only=["ES0"]).stations.iloc[0]
    assert "加装滤波器" in alone["measures"]
    agreed = given(project, ("ES0", "加装滤波器", None, "2021-06-30", "agreed"))
    row = remedies(agreed, evaluate(agreed), only=["ES0"]).stations.iloc[0]
    assert "加装滤波器" not in row["measures"]
    assert row["needed_overload_db"] == pytest.approx(max(alone["needed_overload_db"] - 45.0, 0.0))
    late = given(project, ("ES0", "加装滤波器", None, "2031-06-30", "planned"))
    row = remedies(late, evaluate(late), only=["ES0"]).stations.iloc[0]
    assert row["measures"] == alone["measures"]
