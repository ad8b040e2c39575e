"""Many P.452 pairs at once are the same numbers as one at a time."""

import math

import numpy as np
import pytest

from lcsiting.errors import RangeError
from lcsiting.radio import p452
from lcsiting.radio.p452_pairs import pairs_loss_db
from lcsiting.radio.terrain import Terrain, ground_at, sample_line

PIXEL_M, SIZE = 90.0, 200
COMMON = {"frequency_mhz": 3600.0, "time_pct": 0.5, "delta_n": 40.06, "n0": 320.5}


def ground(covered: bool = True) -> Terrain:
    rng = np.random.default_rng(2)
    z = np.cumsum(np.cumsum(rng.normal(0.0, 0.3, (SIZE, SIZE)), axis=0), axis=1) / 3 + 100
    clutter = np.where(rng.random((SIZE, SIZE)) < 0.3, 15.0, 0.0) if covered else np.zeros((0, 0))
    top = SIZE * PIXEL_M
    return Terrain(z.astype(np.float32), 0.0, top, PIXEL_M, clutter.astype(np.float32), 0.0, top, PIXEL_M)


def ends(n: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(3)
    return tuple(rng.uniform(200.0, SIZE * PIXEL_M - 200.0, n) for _ in range(4))


@pytest.mark.parametrize("covered", [False, True], ids=["bare", "clutter"])
def test_each_pair_is_the_point_to_point_answer(covered):
    terrain = ground(covered)
    tx_x, tx_y, rx_x, rx_y = ends(40)
    gains = np.linspace(0.0, 60.0, 40)
    latitude = np.linspace(35.0, 37.0, 40)
    losses = pairs_loss_db(
        terrain, tx_x, tx_y, 30.0, rx_x, rx_y, 8.0, gains_dbi=gains, path_latitude_deg=latitude, step_m=100.0, **COMMON
    )
    for i, loss in enumerate(losses):
        length = math.hypot(rx_x[i] - tx_x[i], rx_y[i] - tx_y[i])
        n = max(2, round(length / 100.0))
        distance = np.linspace(0.0, length, n + 1)
        heights, clutter = np.empty(n + 1), np.zeros(n + 1)
        direction = (rx_x[i] - tx_x[i]) / length, (rx_y[i] - tx_y[i]) / length
        sample_line(terrain, tx_x[i], tx_y[i], *direction, n, distance / 1000, heights, clutter)
        alone = p452.loss_db(
            distance, heights, clutter_m=clutter, tx_height_agl_m=30.0, rx_height_agl_m=8.0, tx_gain_dbi=gains[i],
            path_latitude_deg=latitude[i], **COMMON,
        )  # fmt: skip
        assert loss == pytest.approx(alone, abs=1e-8)


def test_scalars_arrays_and_threads_agree():
    tx_x, tx_y, rx_x, rx_y = ends(300)
    terrain = ground()

    def ask(rows, **options):
        return pairs_loss_db(
            terrain,
            tx_x[rows],
            tx_y[rows],
            25.0,
            rx_x[rows],
            rx_y[rows],
            10.0,
            path_latitude_deg=36.4,
            **COMMON,
            **options,
        )

    together = ask(slice(None), threads=1)
    np.testing.assert_array_equal(together, ask(slice(None), threads=3))
    for i in (0, 137, 299):
        assert ask(i).shape == (1,)
        assert ask(i)[0] == together[i]


def test_nan_in_nan_out():
    terrain = ground()
    x = np.array([500.0, np.nan, 500.0, 500.0, 500.0])
    heights = np.array([30.0, 30.0, np.nan, 30.0, 30.0])
    rx_x = np.array([9000.0, 9000.0, 9000.0, 500.0, 1e6])  # whole, NaN, NaN, same place, beyond the terrain
    losses = pairs_loss_db(terrain, x, 600.0, heights, rx_x, 600.0, 10.0, path_latitude_deg=36.4, **COMMON)
    np.testing.assert_array_equal(np.isnan(losses), [False, True, True, True, True])
    silent = pairs_loss_db(
        terrain, 500.0, 600.0, 30.0, 9000.0, 600.0, 10.0, path_latitude_deg=36.4, **(COMMON | {"n0": math.nan})
    )
    assert np.isnan(silent).all()


def test_refusals():
    terrain = ground()
    with pytest.raises(RangeError, match="tx_height_agl_m"):
        pairs_loss_db(terrain, 500.0, 600.0, 0.0, 9000.0, 600.0, 10.0, path_latitude_deg=36.4, **COMMON)
    with pytest.raises(RangeError, match="lengths"):
        pairs_loss_db(terrain, [1.0, 2.0], 600.0, 30.0, [1.0, 2.0, 3.0], 600.0, 10.0, path_latitude_deg=36.4, **COMMON)


def test_bilinear_ground():
    z = np.array([[0.0, 10.0], [20.0, np.nan]], dtype=np.float32)
    frame = (z, 0.0, 200.0, 100.0)
    assert ground_at(*frame, 50.0, 150.0) == 0.0  # a centre, unknown neighbours or not
    assert ground_at(*frame, 100.0, 150.0) == 5.0
    assert ground_at(*frame, 50.0, 125.0) == 5.0
    assert math.isnan(ground_at(*frame, 100.0, 100.0))
    assert ground_at(*frame, 0.0, 200.0) == 0.0  # the outer half pixel holds the edge value
    assert math.isnan(ground_at(*frame, -1.0, 150.0))
