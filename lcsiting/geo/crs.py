"""Coordinate systems of Chinese planning data: CGCS2000 zones, GCJ-02, BD-09.

Longitude comes before latitude and easting before northing everywhere. WGS 84
and CGCS2000 are treated as equal: they differ by centimetres to decimetres.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError as ProjCrsError

from lcsiting.errors import CrsError

GEOGRAPHIC = "EPSG:4490"
DATUMS = ("cgcs2000", "wgs84", "gcj02", "bd09")
FIRST_ZONE_3DEG, LAST_ZONE_3DEG = 25, 45
FIRST_ZONE_6DEG, LAST_ZONE_6DEG = 13, 23
CHINA_LON_LAT = (72.0, 0.8, 137.9, 55.9)
NORTHING_RANGE_M = (300_000.0, 6_200_000.0)
EASTING_RANGE_M = (100_000.0, 900_000.0)  # without zone prefix, false easting 500 km

# Krassovsky ellipsoid, on which the GCJ-02 polynomial is defined.
_GCJ_A = 6378245.0
_GCJ_EE = 0.00669342162296594323

Floats = NDArray[np.float64]


# --- CGCS2000 / Gauss-Krueger zones ------------------------------------------------------------


def zone_of(lon: ArrayLike) -> NDArray[np.int64]:
    """3-degree zone number of a longitude in degrees (zone 39 = 115.5–118.5°E, CM 117°E)."""
    return np.floor((np.asarray(lon, float) + 1.5) / 3.0).astype(np.int64)


def zone_epsg(zone: int, prefix: bool = False) -> str:
    """CGCS2000 3-degree Gauss-Krueger CRS of a zone.

    Parameters
    ----------
    zone : int
        25–45.
    prefix : bool
        True: eastings carry the zone number (EPSG:4513–4533); False: false easting
        500 000 m (EPSG:4534–4554).

    Raises
    ------
    CrsError
        Zone outside 25–45.
    """
    if not FIRST_ZONE_3DEG <= zone <= LAST_ZONE_3DEG:
        raise CrsError(f"3°带带号 {zone} 不在 {FIRST_ZONE_3DEG}–{LAST_ZONE_3DEG} 之间")
    return f"EPSG:{(4513 if prefix else 4534) + zone - FIRST_ZONE_3DEG}"


def zone_prefix(easting: ArrayLike) -> NDArray[np.int64]:
    """Zone number in front of eastings, 0 where there is none.

    3-degree zones are 25–45, 6-degree zones 13–23: the two never overlap in China.
    """
    easting = np.asarray(easting, float)
    finite = np.where(np.isfinite(easting), easting, 0.0)
    zone = np.floor(finite / 1e6).astype(np.int64)
    known = ((zone >= FIRST_ZONE_3DEG) & (zone <= LAST_ZONE_3DEG)) | (
        (zone >= FIRST_ZONE_6DEG) & (zone <= LAST_ZONE_6DEG)
    )
    rest = finite - zone * 1e6
    plausible = (rest >= EASTING_RANGE_M[0]) & (rest <= EASTING_RANGE_M[1])
    return np.where(known & plausible, zone, 0)


def prefix_epsg(zone: int) -> str:
    """CRS of a zone number found in eastings: 3-degree (25–45) or 6-degree (13–23)."""
    if FIRST_ZONE_6DEG <= zone <= LAST_ZONE_6DEG:
        return f"EPSG:{4491 + zone - FIRST_ZONE_6DEG}"
    return zone_epsg(zone, prefix=True)


def assume_crs(easting: ArrayLike, northing: ArrayLike, near: tuple[float, float, float, float] | None) -> NDArray[Any]:
    """CGCS2000 CRS of each coordinate pair where the numbers leave only one choice.

    A zone prefix says it by itself. Without prefix the zone is the one that puts the
    point near the city: zones are 3° (about 270 km) apart, so at most one does.

    Parameters
    ----------
    easting, northing : array_like (n,), m
    near : (west, south, east, north) or None
        The city's longitudes and latitudes in degrees; None: only prefixes are believed.

    Returns
    -------
    ndarray of str (n,)
        ``"EPSG:4527"`` …, empty where it cannot be told.
    """
    easting, northing = np.asarray(easting, float), np.asarray(northing, float)
    out = np.full(easting.shape, "", dtype=object)
    prefix = zone_prefix(easting)
    for zone in np.unique(prefix[prefix > 0]):
        out[prefix == zone] = prefix_epsg(int(zone))
    rest = (out == "") & _between(easting, EASTING_RANGE_M) & _between(northing, NORTHING_RANGE_M)
    if near is None or not rest.any():
        return out
    west, south, east, north = near
    margin = 0.6
    hits = np.zeros(easting.shape, int)
    first, last = zone_of([west - 3.0, east + 3.0])
    for zone in range(max(first, FIRST_ZONE_3DEG), min(last, LAST_ZONE_3DEG) + 1):
        crs = zone_epsg(zone)
        lon, lat = transform(easting, northing, crs, GEOGRAPHIC)
        with np.errstate(invalid="ignore"):
            inside = (lon > west - margin) & (lon < east + margin) & (lat > south - margin) & (lat < north + margin)
        out[rest & inside] = crs
        hits += inside
    out[rest & (hits > 1)] = ""
    return out


def _between(values: Floats, limits: tuple[float, float]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return (values >= limits[0]) & (values <= limits[1])


def is_lon_lat(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Where a pair reads as longitude, latitude in degrees within China."""
    west, south, east, north = CHINA_LON_LAT
    return _between(np.asarray(lon, float), (west, east)) & _between(np.asarray(lat, float), (south, north))


def is_easting_northing(easting: ArrayLike, northing: ArrayLike) -> NDArray[np.bool_]:
    """Where a pair reads as Gauss-Krueger easting (with or without prefix), northing in China."""
    easting = np.asarray(easting, float)
    return ((zone_prefix(easting) > 0) | _between(easting, EASTING_RANGE_M)) & _between(
        np.asarray(northing, float), (1_000_000.0, NORTHING_RANGE_M[1])
    )


# --- GCJ-02 and BD-09 --------------------------------------------------------------------------


def _in_china(lon: Floats, lat: Floats) -> NDArray[np.bool_]:
    return (lon >= 72.004) & (lon <= 137.8347) & (lat >= 0.8293) & (lat <= 55.8271)


def _gcj_delta(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Degrees by which GCJ-02 moves a WGS 84 point (published approximation)."""
    x, y = lon - 105.0, lat - 35.0
    root, product = np.sqrt(np.abs(x)), x * y
    common = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * product + 0.2 * root + common
    north += (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi * y / 3.0)) * 2.0 / 3.0
    north += (160.0 * np.sin(np.pi * y / 12.0) + 320.0 * np.sin(np.pi * y / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * product + 0.1 * root + common
    east += (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi * x / 3.0)) * 2.0 / 3.0
    east += (150.0 * np.sin(np.pi * x / 12.0) + 300.0 * np.sin(np.pi * x / 30.0)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _GCJ_EE * np.sin(phi) ** 2
    d_lat = np.degrees(north / (_GCJ_A * (1.0 - _GCJ_EE) / (magic * np.sqrt(magic))))
    d_lon = np.degrees(east / (_GCJ_A / np.sqrt(magic) * np.cos(phi)))
    inside = _in_china(lon, lat)
    return np.where(inside, d_lon, 0.0), np.where(inside, d_lat, 0.0)


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """WGS 84 (or CGCS2000) to GCJ-02, degrees; outside China nothing moves."""
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    d_lon, d_lat = _gcj_delta(lon, lat)
    return lon + d_lon, lat + d_lat


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """GCJ-02 to WGS 84 (or CGCS2000), degrees, by fixed-point iteration (error below 1e-9°)."""
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    out_lon, out_lat = lon.copy(), lat.copy()
    for _ in range(8):
        d_lon, d_lat = _gcj_delta(out_lon, out_lat)
        out_lon, out_lat = lon - d_lon, lat - d_lat
    return out_lon, out_lat


def gcj02_to_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """GCJ-02 to BD-09 (Baidu), degrees."""
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    k = np.pi * 3000.0 / 180.0
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * k)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * k)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def bd09_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """BD-09 to GCJ-02, degrees, the forward formula inverted by iteration."""
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    out_lon, out_lat = lon - 0.0065, lat - 0.006
    for _ in range(8):
        there_lon, there_lat = gcj02_to_bd09(out_lon, out_lat)
        out_lon, out_lat = out_lon + lon - there_lon, out_lat + lat - there_lat
    return out_lon, out_lat


def from_datum(lon: ArrayLike, lat: ArrayLike, datum: str) -> tuple[Floats, Floats]:
    """Degrees of a declared datum to CGCS2000.

    Parameters
    ----------
    datum : str
        ``cgcs2000``, ``wgs84`` (equal to it here), ``gcj02`` or ``bd09``.

    Raises
    ------
    CrsError
        Any other datum.
    """
    if datum in ("cgcs2000", "wgs84"):
        return np.asarray(lon, float), np.asarray(lat, float)
    if datum == "gcj02":
        return gcj02_to_wgs84(lon, lat)
    if datum == "bd09":
        return gcj02_to_wgs84(*bd09_to_gcj02(lon, lat))
    raise CrsError(f"坐标基准 {datum!r} 不认识；可用：{'、'.join(DATUMS)}")


def gcj_offset_m(lon: float, lat: float) -> tuple[float, float]:
    """Metres east and north by which GCJ-02 moves a point."""
    there_lon, there_lat = wgs84_to_gcj02(lon, lat)
    azimuth, _, distance = Geod(ellps="GRS80").inv(lon, lat, float(there_lon), float(there_lat))
    return distance * float(np.sin(np.radians(azimuth))), distance * float(np.cos(np.radians(azimuth)))


def looks_gcj02(east_m: float, north_m: float, lon: float, lat: float, tolerance_m: float = 60.0) -> bool:
    """Whether an offset between two layers is the one GCJ-02 makes at this place.

    In Liaocheng that is 490–535 m toward azimuth 84–92°.
    """
    expected = gcj_offset_m(lon, lat)
    return float(np.hypot(east_m - expected[0], north_m - expected[1])) <= tolerance_m


# --- transformations ---------------------------------------------------------------------------


def parse_crs(text: str | CRS) -> CRS:
    """A CRS from whatever a planner wrote (``EPSG:4548``, ``4548``, WKT).

    Raises
    ------
    CrsError
        pyproj does not know it.
    """
    try:
        return CRS.from_user_input(int(text) if isinstance(text, str) and text.isdigit() else text)
    except ProjCrsError as error:
        raise CrsError(f"坐标系 {text!r} 无法识别；请写成 EPSG 代码，例如 EPSG:4548") from error


@cache
def _is_world_datum(crs: str) -> bool:
    """WGS 84 or CGCS2000, whatever the projection or the spelling of the datum."""
    geodetic = CRS.from_user_input(crs).geodetic_crs
    if geodetic is None:
        return False
    names = f"{geodetic.name} {geodetic.datum.name if geodetic.datum else ''}".upper().replace("_", " ")
    return any(word in names for word in ("CGCS2000", "CGCS 2000", "CHINA 2000", "WGS 84", "WGS84", "WGS 1984"))


def is_world_datum(crs: str | CRS) -> bool:
    """Whether a CRS stands on WGS 84 or CGCS2000 (equal at planning accuracy)."""
    return _is_world_datum(CRS.from_user_input(crs).to_wkt())


@cache
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def transform(x: ArrayLike, y: ArrayLike, source: str | CRS, target: str | CRS) -> tuple[Floats, Floats]:
    """Transform coordinates, x/easting/longitude first.

    WGS 84 and CGCS2000 pass into each other unchanged; other datums go through
    pyproj's best transformation. What cannot be transformed comes back as inf.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    source, target = parse_crs(source), parse_crs(target)
    if not (is_world_datum(source) and is_world_datum(target)):
        return _transformer(source.to_wkt(), target.to_wkt()).transform(x, y)
    if source.is_projected:
        x, y = _transformer(source.to_wkt(), source.geodetic_crs.to_wkt()).transform(x, y)
    if target.is_projected:
        x, y = _transformer(target.geodetic_crs.to_wkt(), target.to_wkt()).transform(x, y)
    return x, y


def gauss_krueger(crs: str | CRS) -> tuple[float, int] | None:
    """Central meridian (degrees) and zone prefix (0 if none) of a Gauss-Krueger CRS; None for anything else."""
    crs = parse_crs(crs)
    operation = crs.coordinate_operation if crs.is_projected else None
    if operation is None or "Transverse Mercator" not in operation.method_name:
        return None
    values = {p.name: p.value for p in operation.params}
    if abs(values.get("Scale factor at natural origin", 0.0) - 1.0) > 1e-9:
        return None
    return values.get("Longitude of natural origin", 0.0), int(values.get("False easting", 0.0) // 1e6)
