"""Many paths at once against one path at a time, and the separation on radials."""

import numpy as np
import pytest

from lcsiting.errors import RangeError
from lcsiting.radio import p452, p452_batch, p452_contour

LIAOCHENG = {"delta_n": 40.06, "n0": 320.5}
FLAT = np.zeros((1, 1), np.float32)
LEVEL = p452_batch.Land(FLAT, 0.0, 0.0, 1.0, FLAT, 0.0, 0.0, 1.0)
# 37 dBm/MHz, -10 dBi, 100 K, I/N -12.2 dB.
NEEDED_DB = 37 - 10 + 12.2 - (10 * np.log10(1.380649e-23 * 100 * 1e6) + 30)


@pytest.fixture(scope="module")
def hills():
    rng = np.random.default_rng(5)
    ground = rng.normal(35, 6, (700, 700)).astype(np.float32)
    clutter = rng.choice([0, 0, 6, 10, 15], (1400, 1400)).astype(np.float32)
    return p452_batch.Land(ground, 0.0, 70_000.0, 100.0, clutter, 0.0, 70_000.0, 50.0)


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
                t * length, p452_batch.heights_at(hills, x, y),
                clutter_m=p452_batch.clutter_heights_at(hills, x, y) if path_clutter else None,
                frequency_mhz=frequency[k], time_pct=pct, tx_height_agl_m=ends["tx_height_agl_m"][i[k]],
                rx_height_agl_m=ends["rx_height_agl_m"][j[k]], tx_gain_dbi=gains[k], path_latitude_deg=36.4,
                details=True, **LIAOCHENG,
            )  # fmt: skip
            assert loss[k, column] == pytest.approx(answer["Lb"], abs=1e-9)
            assert beyond[k] == (answer["path"] == "Trans-Horizon")


def test_terrain_is_bilinear_and_clutter_that_of_the_pixel():
    ground = np.array([[0.0, 10.0], [20.0, 30.0]], np.float32)
    clutter = np.array([[5.0, 6.0], [7.0, 8.0]], np.float32)
    land = p452_batch.Land(ground, 0.0, 200.0, 100.0, clutter, 0.0, 200.0, 100.0)
    x, y = np.array([50.0, 100.0, 150.0, 100.0, -500.0]), np.array([150.0, 150.0, 50.0, 100.0, 150.0])
    assert p452_batch.heights_at(land, x, y).tolist() == [0.0, 5.0, 30.0, 15.0, 0.0]
    assert p452_batch.clutter_heights_at(land, x, y).tolist() == [5.0, 6.0, 8.0, 8.0, 0.0]


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


def test_clutter_distances_depend_on_the_step(capsys):
    """Printed: the 5 m dish stands under clutter that begins 50 m away. Only the order is sure."""
    clutter = np.full((1400, 1400), 12, np.float32)
    land = p452_batch.Land(FLAT, 0.0, 0.0, 1.0, clutter, -70_000.0, 70_000.0, 100.0)
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
