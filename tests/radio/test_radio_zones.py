"""Zones along a path: sums along a radial against the scan, and batch and contour against the point-to-point model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.radio import p452, p452_batch, p452_contour, zones
from lcsiting.radio.profile import COASTAL, INLAND, SEA, zone_lengths
from lcsiting.radio.terrain import Terrain, heights_at

STEP_KM = 0.1
CLIMATE = {"delta_n": 40.06, "n0": 320.5}


def test_coasts_and_lengths_by_hand():
    """Land to 1.5 km, sea to 3.5 km, coastal to 4.5 km, inland to the receiver at 6 km."""
    distance, zone = np.arange(7.0), np.array([INLAND, INLAND, SEA, SEA, COASTAL, INLAND, INLAND])
    found = zones.lengths_of(distance, zone, 500.0, 500.0)
    assert found == pytest.approx((2.5, 1.5, 2 / 6, 1.5, 2.5))
    assert zones.lengths_of(distance, zone[::-1].copy(), 500.0, 500.0)[3:] == pytest.approx((2.5, 1.5))
    assert zones.lengths_of(distance, np.full(7, INLAND), 500.0, 400.0) == pytest.approx((6, 6, 0, 500, 400))
    assert zones.lengths_of(distance, np.full(7, SEA), 500.0, 500.0) == pytest.approx((0, 0, 1, 0, 0))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([COASTAL, INLAND, SEA]), min_size=3, max_size=40), st.floats(0.5, 1.5))
def test_sums_along_a_radial_are_the_scan_for_every_receiver(codes, gap):
    n = len(codes) - 1
    distance = np.arange(n + 1) * STEP_KM
    sums, zone = zones.new_sums(n + 1)
    zone[: n + 1] = codes
    zones.begin_sums(sums, zone, distance, n)
    for last in range(1, n):
        total = (last + gap) * STEP_KM
        for rx_zone in (COASTAL, INLAND, SEA):
            walked = zones.lengths_at(sums, zone, distance, last, total, rx_zone, 500.0, 400.0)
            profile, along = np.append(distance[: last + 1], total), np.append(zone[: last + 1], rx_zone)
            assert walked == pytest.approx(zones.lengths_of(profile, along, 500.0, 400.0), abs=1e-12)
            assert walked[:3] == pytest.approx(zone_lengths(profile, along), abs=1e-12)


@pytest.fixture(scope="module")
def coast():
    """Hills in the west, a coastal strip, sea in the east with an island of no zone (inland)."""
    rng = np.random.default_rng(9)
    x, y = np.meshgrid(np.arange(500) * 100.0 + 50, 50_000 - np.arange(500) * 100.0 - 50)
    shore = 20_000 + 3000 * np.sin(y / 4000)
    zone = np.where(x > shore, SEA, np.where(x > shore - 4000, COASTAL, INLAND)).astype(np.uint8)
    zone[200:260, 380:420] = INLAND
    ground = np.where(zone == SEA, 0.0, 30 + 20 * rng.standard_normal(x.shape))
    none = np.zeros((0, 0), np.float32)
    return Terrain(ground.astype(np.float32), 0.0, 50_000.0, 100.0, none, 0.0, 0.0, 1.0, zone, 0.0, 50_000.0, 100.0)


def point_to_point(coast, start, end, length_m, time_pct):
    """P.452 on a profile cut here, its zones looked up and the coasts found in plain Python."""
    t = np.linspace(0, 1, max(2, int(np.ceil(length_m / 100 - 1e-9))) + 1)
    x, y = (start[k] + t * (end[k] - start[k]) for k in (0, 1))
    zone = coast.zone[((50_000 - y) // 100).astype(int), (x // 100).astype(int)]
    away, sea = t * length_m / 1000, np.flatnonzero(zone == SEA)
    ends = [500.0, 500.0]
    if sea.size:
        ends[0] = 0.0 if sea[0] == 0 else (away[sea[0] - 1] + away[sea[0]]) / 2
        ends[1] = 0.0 if sea[-1] == len(t) - 1 else away[-1] - (away[sea[-1]] + away[sea[-1] + 1]) / 2
    loss = p452.loss_db(
        1000 * away, heights_at(coast, x, y), zone=zone, frequency_mhz=3500.0, time_pct=time_pct, tx_height_agl_m=30.0,
        rx_height_agl_m=10.0, path_latitude_deg=36.4, tx_coast_km=ends[0], rx_coast_km=ends[1], **CLIMATE,
    )  # fmt: skip
    return loss, float((zone == SEA).mean())


def test_pairs_over_land_and_sea_are_the_point_to_point_answer(coast):
    rng = np.random.default_rng(11)
    tx, rx = rng.uniform(1000, 49_000, (60, 2)), rng.uniform(1000, 49_000, (60, 2))
    rx[:20, 0] = rng.uniform(30_000, 49_000, 20)
    tx[10:20, 0] = rng.uniform(15_000, 25_000, 10)  # near the coast, mostly over sea
    length = np.hypot(*(tx - rx).T)
    loss, _ = p452_batch.pair_losses_db(
        coast, np.arange(60), np.arange(60), frequency_mhz=3500.0, length_m=length, tx_x_m=tx[:, 0], tx_y_m=tx[:, 1],
        tx_height_agl_m=30.0, rx_x_m=rx[:, 0], rx_y_m=rx[:, 1], rx_height_agl_m=10.0, rx_latitude_deg=36.4,
        time_pct=1.0, second_time_pct=20.0, **CLIMATE,
    )  # fmt: skip
    shares = []
    for k in range(60):
        for column, pct in enumerate((1.0, 20.0)):
            alone, share = point_to_point(coast, tx[k], rx[k], length[k], pct)
            assert loss[k, column] == pytest.approx(alone, abs=1e-9)
        shares.append(share)
    assert min(shares) == 0.0 and max(shares) == 1.0 and (np.array(shares) > 0.75).sum() > 5


def test_a_contour_over_the_sea_ends_where_the_pairs_loss_says(coast):
    needed = 150.0
    bearings = np.arange(0.0, 360.0, 15.0)
    reach = p452_contour.separation_m(
        coast, 25_000.0, 25_000.0, needed, bearings_deg=bearings, frequency_mhz=3500.0, time_pct=1.0,
        tx_height_agl_m=30.0, rx_height_agl_m=10.0, latitude_deg=36.4, reach_m=20_000.0, **CLIMATE,
    )  # fmt: skip
    checked = 0
    for bearing, distance in zip(np.radians(bearings), reach, strict=True):
        away = np.array([np.floor(distance / 100), np.floor(distance / 100) + 1]) * 100
        if away[1] > 20_000 or away[0] < 300:
            continue
        losses = [
            point_to_point(
                coast, (25_000 + a * np.sin(bearing), 25_000 + a * np.cos(bearing)), (25_000, 25_000), a, 1.0
            )[0]
            for a in away
        ]
        assert losses[0] - 1e-9 <= needed <= losses[1] + 1e-9
        checked += 1
    assert checked > 5
