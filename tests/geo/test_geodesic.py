"""Cubics against ``pyproj.Geod`` over whole 3-degree Gauss-Krueger and UTM zones."""

import math

import numpy as np
import pytest
from pyproj import Geod

from lcsiting.errors import RangeError
from lcsiting.geo import geodesic
from lcsiting.geo.crs import transform
from lcsiting.radio.p452_batch import pair_losses_db
from lcsiting.radio.plane import along, cubic, ray, reach_m, through
from lcsiting.radio.terrain import Terrain

GEOD = Geod(ellps="GRS80")
ZONES = {"EPSG:4548": (115.5, 118.5, 18.0, 53.5), "EPSG:32650": (114.0, 120.0, 0.0, 53.5)}  # west, east, south, north


def corners(crs: str) -> list[tuple[float, float]]:
    """Corners, edges and middle of the zone."""
    west, east, south, north = ZONES[crs]
    return [(lon, lat) for lon in (west, (west + east) / 2, east) for lat in (south, 36.5, north)]


@pytest.mark.parametrize("crs", ZONES)
def test_the_cubic_of_a_pair_lies_on_the_geodesic(crs):
    """Measured: at most 4 micrometres aside on 50 km, 0.06 mm on 100 km."""
    rng = np.random.default_rng(3)
    worst = {50_000.0: 0.0, 100_000.0: 0.0}
    for lon, lat in corners(crs):
        for length in worst:
            azimuth = rng.uniform(0, 360, 12)
            there = GEOD.fwd(np.full(12, lon), np.full(12, lat), azimuth, np.full(12, length))
            start, end = transform(lon, lat, "EPSG:4490", crs), transform(there[0], there[1], "EPSG:4490", crs)
            found = geodesic.lines(crs, *start, *end)
            np.testing.assert_allclose(found.length_m, length, atol=1e-5)
            np.testing.assert_allclose((found.azimuth_deg - azimuth + 180) % 360, 180.0, atol=1e-7)
            for k in range(12):
                points = GEOD.npts(lon, lat, there[0][k], there[1][k], 39)
                x, y = transform(*np.array(points).T, "EPSG:4490", crs)
                curve = through(
                    float(start[0]), float(start[1]), found.way_m[k], end[0][k], end[1][k], found.length_m[k]
                )
                own = np.array([along(curve, found.length_m[k] * i / 40) for i in range(1, 40)])
                worst[length] = max(worst[length], np.hypot(own[:, 0] - x, own[:, 1] - y).max())
    assert worst[50_000.0] < 1e-5
    assert worst[100_000.0] < 1e-4


@pytest.mark.parametrize(
    ("radius_m", "error_m"), [(5_000.0, 1e-6), (50_000.0, 3e-4), (100_000.0, 4e-3), (200_000.0, 0.07)]
)
@pytest.mark.parametrize("crs", ZONES)
def test_the_map_around_a_site_both_ways(crs, radius_m, error_m):
    """Measured: 0.2 mm at 50 km, 3 mm at 100 km, 5 cm at 200 km."""
    rng = np.random.default_rng(4)
    for lon, lat in corners(crs):
        x0, y0 = (float(v) for v in transform(lon, lat, "EPSG:4490", crs))
        plane = geodesic.local_plane(crs, x0, y0, radius_m)
        azimuth, length = rng.uniform(0, 360, 200), radius_m * np.sqrt(rng.uniform(0, 1, 200))
        there = GEOD.fwd(np.full(200, lon), np.full(200, lat), azimuth, length)
        x, y = transform(there[0], there[1], "EPSG:4490", crs)
        turn = np.radians(azimuth)
        curves = [ray(plane, x0, y0, math.sin(t), math.cos(t)) for t in turn]
        own = np.array([along(curve, s) for curve, s in zip(curves, length, strict=True)])
        assert np.hypot(own[:, 0] - x, own[:, 1] - y).max() < error_m
        np.testing.assert_allclose(geodesic.circle(plane, x0, y0, azimuth, length), own, atol=1e-7)
        local = np.array(
            [[cubic(plane.to_local, k, a - x0, b - y0) for k in (0, 1)] for a, b in zip(x, y, strict=True)]
        )
        expected = np.column_stack([length * np.sin(turn), length * np.cos(turn)])
        assert np.hypot(*(local - expected).T).max() < error_m
        assert np.hypot(x - x0, y - y0).max() <= reach_m(plane, radius_m) <= 1.01 * radius_m


def test_a_site_has_the_same_map_alone_and_among_others():
    rng = np.random.default_rng(5)
    x, y, radius = rng.uniform(3e5, 7e5, 50), rng.uniform(3e6, 5e6, 50), rng.uniform(500, 50_000, 50)
    many = geodesic.local_planes("EPSG:4548", x, y, radius)
    for k in (0, 17, 49):
        one = geodesic.local_plane("EPSG:4548", x[k], y[k], radius[k])
        np.testing.assert_array_equal(one.to_plane, many.to_plane[k])
        np.testing.assert_array_equal(one.to_local, many.to_local[k])
    assert geodesic.local_planes("EPSG:4548", [], [], []).to_plane.shape == (0, 2, 9)


def test_what_a_cubic_cannot_map_is_refused():
    geodesic.local_plane("EPSG:4548", 365_522.0, 4_036_522.0, 300_000.0)
    with pytest.raises(RangeError, match=r"errs by \d+\.\d m. Take a smaller radius"):
        geodesic.local_plane("EPSG:4548", 365_522.0, 4_036_522.0, 600_000.0)
    with pytest.raises(RangeError, match="does not exist"):
        geodesic.local_plane("EPSG:4548", math.nan, 4_036_522.0, 1000.0)


def test_straight_lines_against_geodesics():
    """A 3-degree zone is 140 km to either side at this latitude; Liaocheng lies 65 to 140 km west of its meridian."""
    edge = geodesic.line_error("EPSG:4548", 365_522.0, 4_036_522.0, 50_000.0)
    assert 0.5 < edge["aside_m"] < 1.1  # a hundredth of a pixel of 100 m
    assert 20 * math.log10(1 + edge["length_share"]) < 0.003  # free space, dB
    near = geodesic.line_error("EPSG:4548", 365_522.0, 4_036_522.0, 5_000.0)
    assert near["aside_m"] < 0.02
    middle = geodesic.line_error("EPSG:4548", 500_000.0, 4_036_522.0, 50_000.0)
    assert middle["aside_m"] < 0.11


def hills(crs: str) -> Terrain:
    """The same smooth hills, a function of longitude and latitude, on a 50 m frame of any CRS."""
    x, y = transform(115.4, 36.8, "EPSG:4490", crs)
    x0, y0, size, pixel = float(x) - 10_000.0, float(y) + 10_000.0, 1700, 50.0
    at = np.arange(size) * pixel + 25.0
    lon, lat = transform(*np.meshgrid(x0 + at, y0 - at), crs, "EPSG:4490")
    z = 150.0 + 100.0 * np.sin(60.0 * lon) * np.cos(70.0 * lat)
    return Terrain(z.astype(np.float32), x0, y0, pixel, np.zeros((0, 0), np.float32), 0.0, 0.0, 1.0)


def test_losses_do_not_depend_on_the_working_crs():
    """Paths of some 50 km in two zones' planes, 0.03 and 0.07 per cent too long in them."""
    rng = np.random.default_rng(6)
    lon, lat = rng.uniform((115.4, 36.25), (115.55, 36.8), (20, 2)).T
    lon_rx, lat_rx = rng.uniform((115.85, 36.25), (116.0, 36.8), (20, 2)).T
    along_geodesic, straight = [], []
    for crs in ("EPSG:4548", "EPSG:32649"):
        tx, rx = transform(lon, lat, "EPSG:4490", crs), transform(lon_rx, lat_rx, "EPSG:4490", crs)
        found, land = geodesic.lines(crs, *tx, *rx), hills(crs)
        asked = {
            "tx_x_m": tx[0], "tx_y_m": tx[1], "rx_x_m": rx[0], "rx_y_m": rx[1], "tx_height_agl_m": 30.0,
            "rx_height_agl_m": 10.0, "rx_latitude_deg": 36.5, "frequency_mhz": 3500.0, "edge_holds": False,
            "delta_n": 40.06, "n0": 320.5,
        }  # fmt: skip
        pairs = np.arange(20), np.arange(20)
        own = {"length_m": found.length_m, "way_m": found.way_m}
        along_geodesic.append(pair_losses_db(land, *pairs, **own, **asked)[0])
        straight.append(pair_losses_db(land, *pairs, **asked)[0])
    apart = np.abs(along_geodesic[0] - along_geodesic[1])
    # What is left: two rasters of one ground, and horizons that jump to the next point of the profile.
    assert np.median(apart) < 5e-4 and apart.max() < 5e-3
    assert np.abs(straight[0] - straight[1]).max() > 0.05
