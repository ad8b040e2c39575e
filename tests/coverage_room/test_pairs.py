"""The cover pairs against NumPy windows, cell by cell."""

import coverage_oracle as oracle
import numpy as np
import pytest
from scene import random_sectors

from lcsiting.coverage import pairs

ROWS, COLS, STEP = 70, 80, 100.0
THRESHOLDS = np.array(
    [[[-100.0, -88.0], [-98.0, -85.0], [-96.0, -80.0]] for _ in range(4)]
)  # class, morphology, service


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(7)
    row, col = np.nonzero(rng.random((ROWS, COLS)) < 0.8)
    morphology = rng.integers(0, 3, row.size)
    cells = pairs.demand_raster(
        row, col, morphology, rows=ROWS, cols=COLS, x0_m=-300.0, y0_m=ROWS * STEP, resolution_m=STEP
    )
    sectors = random_sectors(60, 7000.0, seed=11, models=(0, 1, 2, 3), reach_m=4000.0)
    counts = pairs.count_pairs(sectors, cells, THRESHOLDS)
    return sectors, cells, row, col, counts


def levels_by_the_plain_way(sectors, k):
    grid = oracle.PlainGrid(-300.0, ROWS * STEP, STEP, ROWS, COLS)
    rows, cols, levels = oracle.station_window(sectors, k, grid)
    out = np.full((ROWS, COLS), -np.inf)
    if levels.size:
        out[rows, cols] = levels.max(axis=0)
    return out


def test_pairs_are_those_of_the_plain_way(case):
    sectors, cells, row, col, counts = case
    indptr, indices = pairs.fill_pairs(sectors, cells, THRESHOLDS, counts, networks=2)
    n_cells, compared = len(row), 0
    for k in range(len(sectors)):
        level = levels_by_the_plain_way(sectors, k)[row, col]
        got = np.zeros((2, n_cells), dtype=bool)
        mine = indices[indptr[k] : indptr[k + 1]] - sectors.network[k] * 2 * n_cells
        got.ravel()[mine] = True
        for s in range(2):
            required = THRESHOLDS[sectors.klass[k], cells.morphology, s]
            wrong = got[s] != (level >= required)
            assert np.all(np.abs(level - required)[wrong] < 0.001)
            compared += int(got[s].sum())
    assert compared == indptr[-1] > 10_000


def test_rows_ascend_and_counts_agree(case):
    sectors, cells, _, _, counts = case
    indptr, indices = pairs.fill_pairs(sectors, cells, THRESHOLDS, counts, networks=2)
    np.testing.assert_array_equal(np.diff(indptr), counts.sum(axis=1))
    for k in range(len(sectors)):
        assert np.all(np.diff(indices[indptr[k] : indptr[k + 1]]) > 0)
    alone, _ = pairs.fill_pairs(sectors, cells, THRESHOLDS, counts)
    np.testing.assert_array_equal(alone, indptr)


def test_same_pairs_on_any_number_of_threads(case, monkeypatch):
    sectors, cells, _, _, counts = case
    monkeypatch.setattr(pairs, "BLOCK", 7)
    expected = pairs.fill_pairs(sectors, cells, THRESHOLDS, counts, threads=1)
    for threads in (2, 3):
        np.testing.assert_array_equal(pairs.count_pairs(sectors, cells, THRESHOLDS, threads=threads), counts)
        for a, b in zip(expected, pairs.fill_pairs(sectors, cells, THRESHOLDS, counts, threads=threads), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_useful_reach_cuts_nothing(case):
    sectors, cells, _, _, _ = case
    level = THRESHOLDS.min(axis=(1, 2))[sectors.klass]
    reach = pairs.useful_reach_m(sectors, level)
    assert np.all(reach <= sectors.reach_m)
    assert (reach < sectors.reach_m).any()
    for k in range(len(sectors)):
        served = levels_by_the_plain_way(sectors, k)[np.nonzero(cells.index >= 0)]
        x = cells.x0_m + (np.nonzero(cells.index >= 0)[1] + 0.5) * STEP
        y = cells.y0_m - (np.nonzero(cells.index >= 0)[0] + 0.5) * STEP
        far = np.hypot(x - sectors.x_m[k], y - sectors.y_m[k]) > reach[k]
        assert not np.any(served[far] >= level[k])


def test_cells_out_of_order_are_refused():
    with pytest.raises(ValueError, match="row-major"):
        pairs.demand_raster([1, 0], [0, 0], [0, 0], rows=2, cols=2, x0_m=0, y0_m=0, resolution_m=100)


def test_no_station_and_no_pair():
    cells = pairs.demand_raster([0], [0], [0], rows=1, cols=1, x0_m=0, y0_m=100, resolution_m=100)
    sectors = random_sectors(2, 10.0, seed=1)
    counts = pairs.count_pairs(sectors, cells, np.full((4, 1, 1), 0.0))
    indptr, indices = pairs.fill_pairs(sectors, cells, np.full((4, 1, 1), 0.0), counts)
    assert counts.sum() == 0
    assert indices.size == 0
    np.testing.assert_array_equal(indptr, [0, 0, 0])
