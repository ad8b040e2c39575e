"""The float32 tile kernel against NumPy in float64."""

import coverage_oracle as oracle
import numpy as np
import pytest
from numba import njit
from scene import random_sectors

from lcsiting.coverage import rowmath, statistical
from lcsiting.errors import RangeError

NOISE = -122.0


@njit
def _apply(x):
    """The kernel's log2, exp2 and short exp2 of each value."""
    out = np.zeros((3, x.size), np.float32)
    for i in range(x.size):
        if x[i] > 0:
            out[0, i] = rowmath.log2(x[i])
        out[1, i], out[2, i] = rowmath.exp2(x[i]), rowmath.exp2_short(x[i])
    return out


@njit
def _angles(y, x):
    out = np.empty(y.size, np.float32)
    for i in range(y.size):
        out[i] = rowmath.atan2_deg(y[i], x[i])
    return out


@pytest.fixture(scope="module")
def case():
    """300 x 290 pixels, so that tiles at the edge are cut; UMa, RMa, UMi and Hata stations, some outside."""
    sectors = random_sectors(90, 6400.0, seed=4, models=(0, 1, 2, 3), reach_m=2500.0)
    grid = oracle.PlainGrid(150.0, 6100.0, 20.0, 290, 300)
    layers = statistical.best_server(sectors, grid, noise_dbm=NOISE, threads=1)
    return sectors, grid, layers, oracle.best_server(sectors, grid, noise_dbm=NOISE)


def test_rsrp_and_sinr_equal_the_plain_way(case):
    _, _, layers, (rsrp, sinr, best, _, _, _) = case
    np.testing.assert_array_equal(np.isnan(layers.rsrp_dbm), best < 0)
    assert np.nanmax(np.abs(layers.rsrp_dbm - rsrp)) <= 0.001
    assert np.nanmax(np.abs(layers.sinr_db - sinr)) <= 0.005


def test_server_and_overlap_differ_only_near_ties(case):
    _, _, layers, (_, _, best, overlap, gap, top) = case
    other = layers.best_sector != best
    assert other.mean() < 1e-4
    assert np.all(gap[other] < 0.002)
    other = layers.overlap != overlap
    edge = np.abs(top[0] - top[1:] - 6.0).min(axis=0)
    assert other.mean() < 1e-3
    assert np.all(edge[other] < 0.002)


def test_pixels_do_not_depend_on_threads(case):
    sectors, grid, one, _ = case
    for threads in (2, 3):
        for a, b in zip(one, statistical.best_server(sectors, grid, noise_dbm=NOISE, threads=threads), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_band_of_tiles_has_the_same_pixels_as_the_whole(case):
    """What a worker computes for its band of tile rows is what one machine computes."""
    sectors, grid, layers, _ = case
    band = oracle.PlainGrid(grid.x0_m, grid.y0_m - 128 * 20.0, 20.0, 128, grid.cols)
    for a, b in zip(layers, statistical.best_server(sectors, band, noise_dbm=NOISE), strict=True):
        np.testing.assert_array_equal(a[128:256], b)


def test_out_may_be_a_file(case, tmp_path):
    sectors, grid, layers, _ = case
    shape = (grid.rows, grid.cols)
    dtypes = (np.float32, np.float32, np.int32, np.uint8)
    out = [np.memmap(tmp_path / str(i), dtype, "w+", shape=shape) for i, dtype in enumerate(dtypes)]
    filled = statistical.best_server(sectors, grid, noise_dbm=NOISE, out=statistical.Layers(*out))
    assert filled.rsrp_dbm is out[0]
    for a, b in zip(layers, out, strict=True):
        np.testing.assert_array_equal(a, b)


def test_far_northings_lose_no_accuracy():
    """At y = 4 000 000 m float32 has steps of a quarter metre; the kernel must not see absolute coordinates."""
    near = random_sectors(12, 2000.0, seed=8)
    far = type(near)(**{**near.__dict__, "x_m": near.x_m + 4e5, "y_m": near.y_m + 4e6})
    a = statistical.best_server(near, oracle.PlainGrid(0.0, 2000.0, 20.0, 100, 100), noise_dbm=NOISE)
    b = statistical.best_server(far, oracle.PlainGrid(4e5, 4e6 + 2000.0, 20.0, 100, 100), noise_dbm=NOISE)
    np.testing.assert_allclose(a.rsrp_dbm, b.rsrp_dbm, atol=1e-4)


def test_nothing_on_air():
    sectors = random_sectors(3, 100.0, seed=1)
    layers = statistical.best_server(sectors, oracle.PlainGrid(9e4, 9e4, 50.0, 5, 6), noise_dbm=NOISE)
    assert np.isnan(layers.rsrp_dbm).all()
    assert np.isnan(layers.sinr_db).all()
    assert (layers.best_sector == -1).all()
    assert (layers.overlap == 0).all()


def test_a_lone_sector_is_limited_by_noise():
    sectors = random_sectors(5, 100.0, seed=2)
    lone = type(sectors)(
        **{
            **sectors.__dict__,
            **{name: getattr(sectors, name)[4:] for name in ("x_m", "y_m", "height_agl_m", "coefficients", "reach_m")},
            "first": np.array([sectors.first[4], sectors.first[5]]),
        }
    )
    layers = statistical.best_server(lone, oracle.PlainGrid(-500.0, 600.0, 20.0, 50, 50), noise_dbm=NOISE)
    found = layers.best_sector >= 0
    np.testing.assert_allclose((layers.rsrp_dbm - layers.sinr_db)[found], NOISE, atol=2e-4)
    assert set(np.unique(layers.overlap)) <= {0, 1}


def test_load_outside_its_range():
    with pytest.raises(RangeError, match="load"):
        statistical.best_server(random_sectors(1, 1.0), oracle.PlainGrid(0, 0, 1, 1, 1), noise_dbm=-120, load=1.5)


def test_polynomials_against_the_library():
    rng = np.random.default_rng(0)
    x = np.exp(rng.uniform(-20, 25, 20_000)).astype(np.float32)
    values = _apply(x)
    np.testing.assert_allclose(values[0], np.log2(x.astype(np.float64)), atol=4e-6)
    exponent = rng.uniform(-100, 40, 20_000).astype(np.float32)
    values = _apply(exponent)
    np.testing.assert_allclose(values[1], np.exp2(exponent.astype(np.float64)), rtol=1e-5)
    np.testing.assert_allclose(values[2], np.exp2(exponent.astype(np.float64)), rtol=1.5e-4)


def test_angles_against_the_library():
    y, x = np.random.default_rng(5).normal(0, 900, (2, 20_000)).astype(np.float32)
    exact = np.degrees(np.arctan2(y.astype(np.float64), x.astype(np.float64)))
    np.testing.assert_allclose(_angles(y, x), exact, atol=1.5e-4)
