"""CGCS2000 zones, GCJ-02, BD-09: against published coordinates, pyproj and a second implementation."""

import math

import numpy as np
import pytest
from pyproj import Geod, Transformer

from lcsiting.errors import CrsError
from lcsiting.geo import crs

CITY = (115.27, 35.78, 116.53, 37.03)


def liaocheng(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.uniform(CITY[0], CITY[2], count), rng.uniform(CITY[1], CITY[3], count)


def metres(lon_a, lat_a, lon_b, lat_b) -> np.ndarray:
    return np.asarray(Geod(ellps="GRS80").inv(lon_a, lat_a, lon_b, lat_b)[2])


def gcj_by_hand(lon: float, lat: float) -> tuple[float, float]:
    """The published approximation once more, scalar, term by term as printed."""
    a, ee, pi = 6378245.0, 0.00669342162296594323, math.pi
    x, y = lon - 105.0, lat - 35.0
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y**2 + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    d_lat += (20 * math.sin(6 * x * pi) + 20 * math.sin(2 * x * pi)) * 2 / 3
    d_lat += (20 * math.sin(y * pi) + 40 * math.sin(y / 3 * pi)) * 2 / 3
    d_lat += (160 * math.sin(y / 12 * pi) + 320 * math.sin(y * pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x**2 + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    d_lon += (20 * math.sin(6 * x * pi) + 20 * math.sin(2 * x * pi)) * 2 / 3
    d_lon += (20 * math.sin(x * pi) + 40 * math.sin(x / 3 * pi)) * 2 / 3
    d_lon += (150 * math.sin(x / 12 * pi) + 300 * math.sin(x / 30 * pi)) * 2 / 3
    magic = 1 - ee * math.sin(lat / 180 * pi) ** 2
    d_lat = d_lat * 180 / ((a * (1 - ee)) / (magic * math.sqrt(magic)) * pi)
    d_lon = d_lon * 180 / (a / math.sqrt(magic) * math.cos(lat / 180 * pi) * pi)
    return lon + d_lon, lat + d_lat


def test_city_hall_has_the_published_easting_and_northing():
    east, north = crs.transform(115.98, 36.45, "EPSG:4490", "EPSG:4548")
    assert (round(float(east)), round(float(north))) == (408557, 4035960)
    east, _ = crs.transform(115.98, 36.45, "EPSG:4326", "EPSG:4527")
    assert round(float(east)) == 39408557  # with zone prefix, and WGS 84 taken as equal


def test_transform_agrees_with_pyproj_both_ways():
    lon, lat = liaocheng()
    east, north = crs.transform(lon, lat, crs.GEOGRAPHIC, "EPSG:4547")
    there = Transformer.from_crs("EPSG:4490", "EPSG:4547", always_xy=True).transform(lon, lat)
    np.testing.assert_allclose([east, north], there, atol=1e-6)
    back = crs.transform(east, north, "EPSG:4547", "EPSG:4326")
    np.testing.assert_allclose(back, [lon, lat], atol=1e-9)


def test_the_city_lies_in_two_zones():
    assert crs.zone_of([115.27, 115.4999, 115.5, 116.53]).tolist() == [38, 38, 39, 39]


@pytest.mark.parametrize(
    ("zone", "plain", "prefixed"), [(25, 4534, 4513), (38, 4547, 4526), (39, 4548, 4527), (45, 4554, 4533)]
)
def test_zone_numbers_and_epsg_codes(zone, plain, prefixed):
    assert crs.zone_epsg(zone) == f"EPSG:{plain}"
    assert crs.zone_epsg(zone, prefix=True) == f"EPSG:{prefixed}"
    assert crs.gauss_krueger(f"EPSG:{prefixed}") == (3.0 * zone, zone)
    assert crs.gauss_krueger(f"EPSG:{plain}") == (3.0 * zone, 0)


def test_a_zone_outside_china_is_refused():
    with pytest.raises(CrsError, match="24"):
        crs.zone_epsg(24)


def test_zone_prefix_is_found_only_where_it_is_one():
    eastings = [39408557.0, 38613000.0, 20408557.0, 408557.0, 46408557.0, 39000001.0, np.nan]
    assert crs.zone_prefix(eastings).tolist() == [39, 38, 20, 0, 0, 0, 0]


def test_six_degree_prefix_is_the_six_degree_crs():
    lon, lat = crs.transform(20408557.0, 4035960.0, crs.prefix_epsg(20), crs.GEOGRAPHIC)
    assert metres(float(lon), float(lat), 115.98, 36.45) < 1.0


def test_zone_without_prefix_is_told_by_the_city_or_not_at_all():
    east_38, north_38 = crs.transform(115.4, 36.4, crs.GEOGRAPHIC, "EPSG:4547")
    eastings, northings = [408557.0, float(east_38), 39408557.0], [4035960.0, float(north_38), 4035960.0]
    assert crs.assume_crs(eastings, northings, CITY).tolist() == ["EPSG:4548", "EPSG:4547", "EPSG:4527"]
    assert crs.assume_crs(eastings, northings, None).tolist() == ["", "", "EPSG:4527"]
    assert crs.assume_crs([408557.0], [2_000_000.0], CITY).tolist() == [""]  # nowhere near


def test_gcj02_agrees_with_a_second_implementation():
    for lon, lat in zip(*liaocheng(50), strict=True):
        there = crs.wgs84_to_gcj02(lon, lat)
        assert there == pytest.approx(gcj_by_hand(lon, lat), abs=1e-12)


# County seats as published in GCJ-02 and, derived elsewhere, in WGS 84 (four decimals: about 10 m).
SEATS = [
    (115.9800, 36.4561, 115.9744, 36.4560),
    (116.2534, 36.5919, 116.2477, 36.5917),
    (115.7843, 36.1137, 115.7785, 36.1137),
    (115.6673, 36.2376, 115.6616, 36.2377),
    (116.2489, 36.3360, 116.2432, 36.3359),
    (115.4448, 36.4838, 115.4387, 36.4835),
    (116.2297, 36.8598, 116.2240, 36.8594),
    (115.7135, 36.8426, 115.7076, 36.8423),
]


def test_county_seats_come_back_where_the_published_table_has_them():
    table = np.array(SEATS)
    lon, lat = crs.gcj02_to_wgs84(table[:, 0], table[:, 1])
    assert metres(lon, lat, table[:, 2], table[:, 3]).max() < 15.0


def test_gcj02_offset_at_the_county_seats_is_half_a_kilometre_to_the_east():
    table = np.array(SEATS)
    azimuth, _, distance = Geod(ellps="GRS80").inv(
        table[:, 2], table[:, 3], *crs.wgs84_to_gcj02(table[:, 2], table[:, 3])
    )
    assert distance.min() > 490 and distance.max() < 550
    assert azimuth.min() > 84 and azimuth.max() < 93
    assert crs.gcj_offset_m(115.98, 36.456) == pytest.approx((507.7, 8.0), abs=0.1)  # the figure for the centre


def test_gcj02_round_trip_is_below_a_centimetre():
    lon, lat = liaocheng()
    back = crs.gcj02_to_wgs84(*crs.wgs84_to_gcj02(lon, lat))
    assert metres(lon, lat, *back).max() < 0.001


def test_bd09_round_trip_and_its_distance_from_wgs84():
    lon, lat = liaocheng()
    baidu = crs.gcj02_to_bd09(*crs.wgs84_to_gcj02(lon, lat))
    assert metres(lon, lat, *crs.from_datum(*baidu, "bd09")).max() < 0.01
    # BD-09 minus WGS 84 at the centre: about +0.0123° lon, +0.0058° lat
    east, north = crs.gcj02_to_bd09(*crs.wgs84_to_gcj02(115.98, 36.45))
    assert (float(east) - 115.98, float(north) - 36.45) == pytest.approx((0.0123, 0.0058), abs=3e-4)


def test_bd09_taken_for_gcj02_is_about_a_kilometre_off():
    baidu = crs.gcj02_to_bd09(*crs.wgs84_to_gcj02(115.98, 36.45))
    wrong = crs.from_datum(*baidu, "gcj02")
    assert 600 < metres(115.98, 36.45, *map(float, wrong)) < 1300


def test_nothing_moves_abroad():
    assert crs.wgs84_to_gcj02(2.35, 48.86) == (2.35, 48.86)


def test_an_offset_is_recognised_by_length_and_direction():
    assert crs.looks_gcj02(507, 8, 115.98, 36.45)
    assert not crs.looks_gcj02(8, 507, 115.98, 36.45)
    assert not crs.looks_gcj02(-507, -8, 115.98, 36.45)
    assert not crs.looks_gcj02(200, 0, 115.98, 36.45)


def test_unknown_names_are_refused_with_a_remedy():
    with pytest.raises(CrsError, match="EPSG:4548"):
        crs.parse_crs("高斯投影")
    with pytest.raises(CrsError, match="gcj02"):
        crs.from_datum(116.0, 36.0, "gps")


@pytest.mark.parametrize(
    ("code", "world"),
    [("EPSG:4326", True), ("EPSG:4548", True), ("EPSG:32650", True), ("EPSG:2384", False), ("EPSG:2434", False)],
)
def test_wgs84_and_cgcs2000_count_as_one_but_xian80_and_beijing54_do_not(code, world):
    assert crs.is_world_datum(code) is world
