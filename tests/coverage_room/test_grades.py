"""Grades: continuity figures on pictures small enough to count."""

import numpy as np
import pytest

from lcsiting.coverage import grades

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
