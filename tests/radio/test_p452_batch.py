"""Many paths at once against one path at a time, and the separation on radials."""

import math

import numpy as np
import pytest

from lcsiting.errors import RangeError
from lcsiting.radio import p452, p452_batch, p452_contour
from lcsiting.radio.plane import Curve
from lcsiting.radio.terrain import Terrain, clutter_heights_at, ground_at, heights_at, sample_line

LIAOCHENG = {"delta_n": 40.06, "n0": 320.5}
FLAT = np.zeros((1, 1), np.float32)
LEVEL = Terrain(FLAT, 0.0, 0.0, 1.0, FLAT, 0.0, 0.0, 1.0)
# 37 dBm/MHz, -10 dBi, 100 K, I/N -12.2 dB.
NEEDED_DB = 37 - 10 + 12.2 - (10 * np.log10(1.380649e-23 * 100 * 1e6) + 30)


@pytest.fixture(scope="module")
def hills():
    rng = np.random.default_rng(5)
    ground = rng.normal(35, 6, (700, 700)).astype(np.float32)
    clutter = rng.choice([0, 0, 6, 10, 15], (1400, 1400)).astype(np.float32)
    return Terrain(ground, 0.0, 70_000.0, 100.0, clutter, 0.0, 70_000.0, 50.0)


def scene(seed=1, n_tx=12, n_rx=3):
    rng = np.random.default_rng(seed)
    tx, rx = rng.uniform(5_000, 65_000, (n_tx, 2)), rng.uniform(5_000, 65_000, (n_rx, 2))
    i, j = (a.ravel() for a in np.meshgrid(np.arange(n_tx), np.arange(n_rx), indexing="ij"))
    ends = {
        "tx_x_m": tx[:, 0], "tx_y_m": tx[:, 1], "tx_height_agl_m": rng.uniform(12, 45, n_tx),
        "rx_x_m": rx[:, 0], "rx_y_m": rx[:, 1], "rx_height_agl_m": rng.uniform(3, 20, n_rx),
        "rx_latitude_deg": np.full(n_rx, 36.4), "length_m": np.hypot(*(tx[i] - rx[j]).T),
    }  # fmt: skip
    return i, j, ends


@pytest.mark.parametrize("path_clutter", [True, False])
def test_every_pair_equals_the_single_path_function(hills, path_clutter):
    i, j, ends = scene()
    gains = np.linspace(-10, 30, len(i))
    frequency = np.where(np.arange(len(i)) % 2, 3450.0, 4850.0)
    loss, beyond = p452_batch.pair_losses_db(
        hills, i, j, frequency_mhz=frequency, gains_dbi=gains, time_pct=20.0, second_time_pct=50.0,
        path_clutter=path_clutter, **ends, **LIAOCHENG,
    )  # fmt: skip
    for k in range(0, len(i), 5):
        length = ends["length_m"][k]
        t = np.linspace(0, 1, int(np.ceil(length / 100)) + 1)
        x = ends["tx_x_m"][i[k]] + t * (ends["rx_x_m"][j[k]] - ends["tx_x_m"][i[k]])
        y = ends["tx_y_m"][i[k]] + t * (ends["rx_y_m"][j[k]] - ends["tx_y_m"][i[k]])
        for column, pct in enumerate((20.0, 50.0)):
            answer = p452.loss_db(
                t * length, heights_at(hills, x, y),
                clutter_m=clutter_heights_at(hills, x, y) if path_clutter else None,
                frequency_mhz=frequency[k], time_pct=pct, tx_height_agl_m=ends["tx_height_agl_m"][i[k]],
                rx_height_agl_m=ends["rx_height_agl_m"][j[k]], tx_gain_dbi=gains[k], path_latitude_deg=36.4,
                details=True, **LIAOCHENG,
            )  # fmt: skip
            assert loss[k, column] == pytest.approx(answer["Lb"], abs=1e-9)
            assert beyond[k] == (answer["path"] == "Trans-Horizon")


def test_terrain_is_bilinear_and_clutter_that_of_the_pixel():
    ground = np.array([[0.0, 10.0], [20.0, 30.0]], np.float32)
    clutter = np.array([[5.0, 6.0], [7.0, 8.0]], np.float32)
    land = Terrain(ground, 0.0, 200.0, 100.0, clutter, 0.0, 200.0, 100.0)
    x, y = np.array([50.0, 100.0, 150.0, 100.0, -500.0]), np.array([150.0, 150.0, 50.0, 100.0, 150.0])
    assert heights_at(land, x, y).tolist() == [0.0, 5.0, 30.0, 15.0, 0.0]
    assert clutter_heights_at(land, x, y).tolist() == [5.0, 6.0, 8.0, 8.0, 0.0]


def test_threads_do_not_change_a_bit(hills):
    i, j, ends = scene(2, 400, 3)
    one, two = (
        p452_batch.pair_losses_db(hills, i, j, frequency_mhz=3450.0, threads=n, **ends, **LIAOCHENG)[0] for n in (1, 3)
    )
    assert one.tobytes() == two.tobytes()


def test_pairs_without_length_and_impossible_times_are_refused(hills):
    i, j, ends = scene()
    with pytest.raises(RangeError, match="1 pairs have no length"):
        p452_batch.pair_losses_db(
            hills, i, j, frequency_mhz=3450.0, **{**ends, "length_m": [0.0, *ends["length_m"][1:]]}, **LIAOCHENG
        )
    with pytest.raises(RangeError, match="time_pct"):
        p452_batch.pair_losses_db(hills, i, j, frequency_mhz=3450.0, time_pct=60.0, **ends, **LIAOCHENG)


def separation(needed_db, **changes):
    terms = {
        "frequency_mhz": 3500.0, "time_pct": 20.0, "tx_height_agl_m": 30.0, "rx_height_agl_m": 5.0,
        "latitude_deg": 36.456, "polarization": "horizontal", "reach_m": 70_000.0, **LIAOCHENG,
    }  # fmt: skip
    land = changes.pop("land", LEVEL)
    return float(p452_contour.separation_m(land, 0, 0, [needed_db], bearings_deg=[0.0], **{**terms, **changes})[0])


@pytest.mark.parametrize(
    ("density_dbm", "distance_km"), [(37, 40.8), (57, 57.0), (47, 48.8), (27, 32.2)]
)  # second implementation of the Recommendation, no clutter
@pytest.mark.parametrize("step_m", [50.0, 100.0, 250.0])
def test_separation_on_flat_land(density_dbm, distance_km, step_m):
    found = separation(NEEDED_DB + density_dbm - 37, step_m=step_m)
    assert found == pytest.approx(1000 * distance_km, rel=0.01)


@pytest.mark.parametrize("time_pct", [20.0, 1.0, 0.01, 0.001])
@pytest.mark.parametrize("needed_db", [115.0, 125.0])
def test_nothing_beyond_the_contour_is_too_near(time_pct, needed_db):
    """Focusing at small percentages brings more than 11 dB: every point of a radial by the single-path function."""
    heights = {"tx_height_agl_m": 200.0, "rx_height_agl_m": 200.0}
    found = separation(needed_db, time_pct=time_pct, reach_m=60_000.0, step_m=500.0, **heights)
    loss = np.array([
        p452.loss_db(
            np.arange(n + 1) * 500.0, np.zeros(n + 1), frequency_mhz=3500.0, time_pct=time_pct,
            path_latitude_deg=36.456, polarization="horizontal", **heights, **LIAOCHENG,
        )
        for n in range(2, 121)
    ])  # fmt: skip
    last = np.flatnonzero(loss < needed_db)[-1]
    crossing = (last + 2 + (needed_db - loss[last]) / (loss[last + 1] - loss[last])) * 500.0
    assert found == pytest.approx(crossing, abs=1e-6)


def test_an_unknown_need_has_no_contour():
    assert math.isnan(separation(math.nan))


def test_clutter_distances_depend_on_the_step(capsys):
    """Printed: the 5 m dish stands under clutter that begins 50 m away. Only the order is sure."""
    clutter = np.full((1400, 1400), 12, np.float32)
    land = Terrain(FLAT, 0.0, 0.0, 1.0, clutter, -70_000.0, 70_000.0, 100.0)
    found = {step: separation(NEEDED_DB, land=land, step_m=step) / 1000 for step in (10.0, 30.0, 50.0, 100.0, 250.0)}
    with capsys.disabled():
        print("\n12 m clutter all along, km by step:", {int(k): round(v, 1) for k, v in found.items()})
    assert max(found.values()) < 40.8


def test_in_sight_free_space_holds_for_an_overload():
    """77 dBm, -10 dBi: -60 dBm at 15.3 km, -20 dBm at 153 m."""
    for limit, distance in ((-60, 15_300), (-20, 153)):
        assert separation(67 - limit, free_in_sight=True, time_pct=50.0) == pytest.approx(distance, rel=0.01)


def test_the_contour_is_where_the_single_path_loss_meets_the_need(hills):
    bearings = np.arange(0, 360, 45.0)
    reach = p452_contour.separation_m(
        hills, 35_000.0, 35_000.0, np.full(8, 150.0), bearings_deg=bearings, frequency_mhz=3500.0, time_pct=20.0,
        tx_height_agl_m=30.0, rx_height_agl_m=5.0, latitude_deg=36.4, reach_m=30_000.0, threads=2, **LIAOCHENG,
    )  # fmt: skip
    for bearing, distance in zip(np.radians(bearings), reach, strict=True):
        away = np.array([np.floor(distance / 100), np.floor(distance / 100) + 1]) * 100
        loss, _ = p452_batch.pair_losses_db(
            hills, [0, 1], [0, 0], frequency_mhz=3500.0, length_m=away, tx_x_m=35_000 + away * np.sin(bearing),
            tx_y_m=35_000 + away * np.cos(bearing), tx_height_agl_m=[30.0, 30.0], rx_x_m=[35_000.0],
            rx_y_m=[35_000.0], rx_height_agl_m=[5.0], rx_latitude_deg=[36.4], **LIAOCHENG,
        )  # fmt: skip
        assert loss[0, 0] < 150.0 <= loss[1, 0]


# One to one, profiles on a terrain that ends.

PIXEL_M, SIZE = 90.0, 200
COMMON = {"frequency_mhz": 3600.0, "time_pct": 0.5, "delta_n": 40.06, "n0": 320.5}


def ground(covered: bool = True) -> Terrain:
    rng = np.random.default_rng(2)
    z = np.cumsum(np.cumsum(rng.normal(0.0, 0.3, (SIZE, SIZE)), axis=0), axis=1) / 3 + 100
    clutter = np.where(rng.random((SIZE, SIZE)) < 0.3, 15.0, 0.0) if covered else np.zeros((0, 0))
    top = SIZE * PIXEL_M
    return Terrain(z.astype(np.float32), 0.0, top, PIXEL_M, clutter.astype(np.float32), 0.0, top, PIXEL_M)


def corners(n: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(3)
    return tuple(rng.uniform(200.0, SIZE * PIXEL_M - 200.0, n) for _ in range(4))


def one_to_one(terrain, tx_x, tx_y, tx_height, rx_x, rx_y, rx_height, latitude=36.4, **options):
    k = np.arange(max(np.size(tx_x), np.size(rx_x)))
    loss, _ = p452_batch.pair_losses_db(
        terrain, k, k, tx_x_m=tx_x, tx_y_m=tx_y, tx_height_agl_m=tx_height, rx_x_m=rx_x, rx_y_m=rx_y,
        rx_height_agl_m=rx_height, rx_latitude_deg=latitude, edge_holds=False, **(COMMON | options),
    )  # fmt: skip
    return loss[:, 0]


@pytest.mark.parametrize("covered", [False, True], ids=["bare", "clutter"])
def test_each_pair_is_the_point_to_point_answer(covered):
    terrain = ground(covered)
    tx_x, tx_y, rx_x, rx_y = corners(40)
    gains = np.linspace(0.0, 60.0, 40)
    latitude = np.linspace(35.0, 37.0, 40)
    losses = one_to_one(terrain, tx_x, tx_y, 30.0, rx_x, rx_y, 8.0, latitude, gains_dbi=gains, step_m=100.0)
    for i, loss in enumerate(losses):
        length = math.hypot(rx_x[i] - tx_x[i], rx_y[i] - tx_y[i])
        n = max(2, math.ceil(length / 100.0))
        distance = np.linspace(0.0, length, n + 1)
        heights, clutter = np.empty(n + 1), np.zeros(n + 1)
        line = Curve(tx_x[i], (rx_x[i] - tx_x[i]) / length, 0, 0, tx_y[i], (rx_y[i] - tx_y[i]) / length, 0, 0)
        sample_line(terrain, line, n, distance / 1000, heights, clutter)
        alone = p452.loss_db(
            distance, heights, clutter_m=clutter, tx_height_agl_m=30.0, rx_height_agl_m=8.0, tx_gain_dbi=gains[i],
            path_latitude_deg=latitude[i], **COMMON,
        )  # fmt: skip
        assert loss == pytest.approx(alone, abs=1e-9)


def test_scalars_arrays_and_threads_agree():
    tx_x, tx_y, rx_x, rx_y = corners(300)
    terrain = ground()

    def ask(rows, **options):
        return one_to_one(terrain, tx_x[rows], tx_y[rows], 25.0, rx_x[rows], rx_y[rows], 10.0, **options)

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
    losses = one_to_one(terrain, x, 600.0, heights, rx_x, 600.0, 10.0)
    np.testing.assert_array_equal(np.isnan(losses), [False, True, True, True, True])
    assert np.isnan(one_to_one(terrain, 500.0, 600.0, 30.0, 9000.0, 600.0, 10.0, n0=math.nan)).all()
    for column in ({"frequency_mhz": [math.nan]}, {"gains_dbi": [math.nan]}, {"latitude": math.nan}):
        assert np.isnan(one_to_one(terrain, 500.0, 600.0, 30.0, 9000.0, 600.0, 10.0, **column)).all()


def test_refusals():
    terrain = ground()
    with pytest.raises(RangeError, match="tx_height_agl_m"):
        one_to_one(terrain, 500.0, 600.0, 0.0, 9000.0, 600.0, 10.0)
    with pytest.raises(RangeError, match="lengths"):
        one_to_one(terrain, [1.0, 2.0], [600.0, 600.0, 600.0], 30.0, [1.0, 2.0, 3.0], 600.0, 10.0)
    with pytest.raises(RangeError, match="lengths"):
        one_to_one(terrain, [1.0, 2.0], 600.0, 30.0, [1.0, 2.0], 600.0, 10.0, gains_dbi=[0.0, 0.0, 0.0])
    with pytest.raises(RangeError, match="tx_of: 1 positions outside 0 to 1; first 2"):
        one_to_one(terrain, [1.0, 2.0], 600.0, 30.0, [1.0, 2.0, 3.0], 600.0, 10.0)


def test_off_the_terrain_the_edge_holds_or_nothing_is_known():
    """The same as on a terrain made larger by repeating its edge."""
    small = ground()
    wide = small._replace(ground_m=np.pad(small.ground_m, 50, mode="edge"), x0_m=-50 * PIXEL_M)
    wide = wide._replace(y0_m=small.y0_m + 50 * PIXEL_M)
    ends = {
        "tx_x_m": [-3000.0, 9000.0], "tx_y_m": [5000.0, 20_000.0], "tx_height_agl_m": 30.0, "rx_x_m": [9000.0, 9500.0],
        "rx_y_m": [9000.0, -2000.0], "rx_height_agl_m": 10.0, "rx_latitude_deg": 36.4,
    }  # fmt: skip
    held, beyond = p452_batch.pair_losses_db(small, [0, 1], [0, 1], **ends, **COMMON)
    padded, expected = p452_batch.pair_losses_db(wide, [0, 1], [0, 1], **ends, **COMMON)
    np.testing.assert_allclose(held, padded, atol=1e-9, rtol=0)
    np.testing.assert_array_equal(beyond, expected)
    assert np.isnan(p452_batch.pair_losses_db(small, [0, 1], [0, 1], edge_holds=False, **ends, **COMMON)[0]).all()


def test_unknown_ground_on_the_way_is_no_loss():
    terrain = ground()
    terrain.ground_m[50, 60] = np.nan
    y = (SIZE - 50.5) * PIXEL_M
    losses = one_to_one(terrain, [500.0, 500.0], [y, y], 30.0, [9000.0, 4000.0], [y, y], 10.0)
    np.testing.assert_array_equal(np.isnan(losses), [True, False])


def test_bilinear_ground():
    z = np.array([[0.0, 10.0], [20.0, np.nan]], dtype=np.float32)
    frame = (z, 0.0, 200.0, 100.0)
    assert ground_at(*frame, 50.0, 150.0) == 0.0  # a centre, unknown neighbours or not
    assert ground_at(*frame, 100.0, 150.0) == 5.0
    assert ground_at(*frame, 50.0, 125.0) == 5.0
    assert math.isnan(ground_at(*frame, 100.0, 100.0))
    assert ground_at(*frame, 0.0, 200.0) == 0.0  # the outer half pixel holds the edge value
    assert math.isnan(ground_at(*frame, -1.0, 150.0))
