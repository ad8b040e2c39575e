"""Grades: continuity figures on pictures small enough to count."""

import dataclasses

import numpy as np
import pytest
from tiny_city import build_tiny_project, tiny_config

from lcsiting.coverage import grades
from lcsiting.coverage.coverage import predict_coverage

PICTURE = np.array(
    [
        [1, 1, 0, 0, 0],
        [1, 0, 0, 0, 1],
        [0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0],
    ],
    dtype=bool,
)


def test_largest_part_counts_diagonal_neighbours():
    assert grades.largest_part_pct(PICTURE) == pytest.approx(4 / 6 * 100)
    assert grades.largest_part_pct(np.zeros((3, 3), dtype=bool)) == 0.0
    assert grades.largest_part_pct(np.ones((3, 3), dtype=bool)) == 100.0


def test_largest_hole_does_not_leak_through_corners():
    area = np.ones_like(PICTURE)
    area[3] = False
    assert grades.largest_hole_km2(PICTURE, area, 0.01) == pytest.approx(0.08)
    assert grades.largest_hole_km2(area, area, 0.01) == 0.0


def test_holes_outside_the_area_do_not_count():
    area = np.zeros_like(PICTURE)
    area[:2, :2] = True
    assert grades.largest_hole_km2(PICTURE, area, 1.0) == 1.0


def test_continuity_is_judged_area_by_area():
    """Two seats, each covered in one piece, are continuous although nothing links them."""
    labels = np.zeros((3, 7), dtype=np.int32)
    labels[:, :3], labels[:, 4:] = 1, 2
    covered = labels > 0
    assert grades._continuity(covered, labels, 1.0) == (100.0, 0.0)
    covered[1, 5] = False
    assert grades._continuity(covered, labels, 1.0) == (100.0, 1.0)
    covered[:, 1] = False
    assert grades._continuity(covered, labels, 1.0) == (50.0, 3.0)


def test_the_report_names_every_measure_that_is_due(tiny_project):
    coverage = predict_coverage(tiny_project, None, 2020)
    report = grades.grade_report(tiny_project, coverage)
    urban = report[report["area"] == "市城区"]
    assert set(urban["measure"]) == {"outdoor_area_pct", "outdoor_people_pct"} and set(urban["network"]) == {
        "移动广电",
        "电联",
    }
    table = coverage.statistics.query("level == 'urban' and service == 'outdoor'").set_index("network")
    for row in urban[urban["measure"] == "outdoor_area_pct"].itertuples():
        assert row.value == pytest.approx(100 * table.loc[row.network, "area_share"], abs=1e-6)
    assert grades.grade_report(tiny_project, predict_coverage(tiny_project, None, 2019)).empty


def test_what_nobody_can_measure_is_not_reached(tiny_project):
    """No population and no indoor service: no 100 % out of nothing."""
    project = dataclasses.replace(tiny_project, population=None)
    coverage = predict_coverage(project, None, 2020)
    report = grades.grade_report(project, coverage).set_index(["area", "network", "measure"])
    people = report.loc[("市城区", "移动广电", "outdoor_people_pct")]
    assert np.isnan(people["value"]) and not people["reached"]
    city = coverage.statistics.query("level == 'city'")
    assert city["people_share"].isna().all() and city["area_share"].notna().all()


def test_a_project_with_only_an_indoor_service_is_graded():
    project = build_tiny_project(tiny_config(services=[{"name": "indoor", "indoor": True}]))
    report = grades.grade_report(project, predict_coverage(project, None, 2020))
    outdoor = report[report["measure"].str.startswith("outdoor")]
    assert outdoor["value"].isna().all() and not outdoor["reached"].any()
