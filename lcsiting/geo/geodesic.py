"""Geodesics of the ellipsoid (GRS80, that of CGCS2000) in the plane of any projected CRS.

What the radio kernels need of them is smooth enough for cubics. Against ``pyproj.Geod`` in 3-degree Gauss-Krueger and
UTM zones, 0 to 53 degrees north: the curve of a pair (:func:`lines`) is within 0.01 mm on 50 km and 0.1 mm on 100 km,
the map around a site (:func:`local_plane`) within 0.2 mm at 50 km, 3 mm at 100 km and 5 cm at 200 km. Straight lines
of the plane would be 1 m aside and 0.04 per cent off in length at 50 km (:func:`line_error`).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod

from lcsiting.errors import RangeError
from lcsiting.geo.crs import GEOGRAPHIC, transform
from lcsiting.radio.plane import Plane, powers

Floats = NDArray[np.float64]

ELLIPSOID = Geod(ellps="GRS80")
LARGEST_ERROR_M = 0.5  # of a map at its own points: beyond it the radius is refused


def _nodes() -> Floats:
    """Where a map is fitted, in radii: two rings, turned against each other."""
    turn = np.arange(8) * np.pi / 4
    inner, outer = 0.6 * np.exp(1j * turn), np.exp(1j * (turn + np.pi / 8))
    both = np.concatenate([inner, outer])
    return np.column_stack([both.real, both.imag])


NODES = _nodes()
_TERMS = powers(*NODES.T)
_FIT = np.linalg.pinv(_TERMS)
_DEGREE = np.array([1, 1, 2, 2, 2, 3, 3, 3, 3])


class Lines(NamedTuple):
    """Geodesics between pairs of points of the plane.

    Attributes
    ----------
    length_m, azimuth_deg : float64 (n,)
        Geodesic length; azimuth at the start from true north, 0 to 360.
    way_m : float64 (n, 4)
        As of :func:`way_m`.
    """

    length_m: Floats
    azimuth_deg: Floats
    way_m: Floats


def inverse(crs: str, x0_m: ArrayLike, y0_m: ArrayLike, x1_m: ArrayLike, y1_m: ArrayLike) -> tuple[Floats, Floats]:
    """Geodesic length (m) and azimuth at the start (degrees from true north, 0 to 360) between points of the plane."""
    start, end = transform(x0_m, y0_m, crs, GEOGRAPHIC), transform(x1_m, y1_m, crs, GEOGRAPHIC)
    azimuth, _, length = ELLIPSOID.inv(*np.broadcast_arrays(*start, *end))
    return np.asarray(length), np.asarray(azimuth) % 360.0


def convergence_deg(crs: str, x_m: ArrayLike, y_m: ArrayLike) -> Floats:
    """Meridian convergence: true azimuth of the plane's north at points of the plane, degrees in (-180, 180].

    A grid azimuth is the true one less this. Positive east of the central meridian of a Gauss-Krueger zone (northern
    hemisphere), about ``(lon - lon0) sin(lat)``; from the azimuth over 10 m, exact to 1e-5 degrees.
    """
    x, y = np.asarray(x_m, float), np.asarray(y_m, float)
    _, azimuth = inverse(crs, x, y, x, y + 10.0)
    return 180.0 - (180.0 - azimuth) % 360.0


def way_m(crs: str, x_m: ArrayLike, y_m: ArrayLike, azimuth_deg: ArrayLike, length_m: ArrayLike) -> Floats:
    """Where geodesics from points of the plane are at a third and two thirds of their length: x, y, x, y, (n, 4)."""
    lon, lat = transform(x_m, y_m, crs, GEOGRAPHIC)
    lon, lat, azimuth, length = np.broadcast_arrays(lon, lat, azimuth_deg, length_m)
    way = []
    for share in (1 / 3, 2 / 3):
        there = ELLIPSOID.fwd(lon, lat, azimuth, share * length)
        way += transform(there[0], there[1], GEOGRAPHIC, crs)
    return np.column_stack(way)


def lines(crs: str, x0_m: ArrayLike, y0_m: ArrayLike, x1_m: ArrayLike, y1_m: ArrayLike) -> Lines:
    """Geodesics between pairs of points of the plane, ready for cubics."""
    length, azimuth = inverse(crs, x0_m, y0_m, x1_m, y1_m)
    return Lines(length, azimuth, way_m(crs, x0_m, y0_m, azimuth, length))


def local_planes(crs: str, x_m: ArrayLike, y_m: ArrayLike, radius_m: ArrayLike) -> Plane:
    """The plane around each of n sites, out to a radius of its own: arrays of shape (n, 2, 9).

    A site's coefficients do not depend on the other sites.

    Raises
    ------
    RangeError
        A site without a place on the ellipsoid, or a radius at which the fit is off by more than half a metre at its
        own points: from 390 km on in a UTM zone, 460 km in a 3-degree Gauss-Krueger zone (there 0.6 to 2 m at worst).
    """
    x, y, radius = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in (x_m, y_m, radius_m)))
    reach = radius[:, None] * np.hypot(*NODES.T)
    azimuth = np.broadcast_to(np.degrees(np.arctan2(*NODES.T)), reach.shape)
    lon, lat = (np.broadcast_to(v[:, None], reach.shape) for v in transform(x, y, crs, GEOGRAPHIC))
    there = ELLIPSOID.fwd(lon, lat, azimuth, reach)
    plane = np.stack(transform(there[0], there[1], GEOGRAPHIC, crs), axis=-1) - np.stack([x, y], axis=-1)[:, None]
    east, north = (v[:, None] + radius[:, None] * node for v, node in zip((x, y), NODES.T, strict=True))
    azimuth, _, length = ELLIPSOID.inv(lon, lat, *transform(east, north, crs, GEOGRAPHIC))
    turn = np.radians(azimuth)
    local = np.stack([length * np.sin(turn), length * np.cos(turn)], axis=-1)
    _require_smooth(crs, x, y, radius, plane, local)
    scale = radius[:, None, None] ** -_DEGREE
    to_plane, to_local = (np.swapaxes(_FIT @ values, 1, 2) * scale for values in (plane, local))
    return Plane(np.ascontiguousarray(to_plane), np.ascontiguousarray(to_local))


def _require_smooth(crs: str, x_m: Floats, y_m: Floats, radius_m: Floats, *values: Floats) -> None:
    rest = np.max([np.abs(part - _TERMS @ (_FIT @ part)).max(axis=(1, 2)) for part in values], axis=0)
    wrong = ~(rest <= LARGEST_ERROR_M)  # NaN and inf as well
    if wrong.any():
        k = int(np.argmax(wrong))
        what = f"errs by {rest[k]:.1f} m" if np.isfinite(rest[k]) else "does not exist"
        raise RangeError(
            f"radius_m: around ({x_m[k]:.0f}, {y_m[k]:.0f}) of {crs} the map of the geodesics out to "
            f"{radius_m[k] / 1000:g} km {what}. Take a smaller radius, or check the coordinates and the CRS."
        )


def local_plane(crs: str, x_m: float, y_m: float, radius_m: float) -> Plane:
    """The plane around one site; see :func:`local_planes`."""
    many = local_planes(crs, x_m, y_m, radius_m)
    return Plane(many.to_plane[0], many.to_local[0])


def circle(plane: Plane, x_m: float, y_m: float, azimuth_deg: ArrayLike, radius_m: ArrayLike) -> Floats:
    """Points in the plane at geodesic distances and true azimuths from a site, shape (n, 2)."""
    turn, radius = np.radians(azimuth_deg), np.asarray(radius_m, float)
    return np.array([x_m, y_m]) + powers(radius * np.sin(turn), radius * np.cos(turn)) @ plane.to_plane.T


def line_error(crs: str, x_m: float, y_m: float, length_m: float, bearings: int = 16) -> dict[str, Any]:
    """Error that straight lines of a projected CRS would have against the geodesics between the same ends.

    Parameters
    ----------
    crs : str
        Projected CRS.
    x_m, y_m, length_m : float
        Start and length of the lines in the plane.
    bearings : int
        Directions looked at.

    Returns
    -------
    dict
        ``aside_m``: largest distance between line and geodesic; ``length_share``: largest relative error of the length.
    """
    lon, lat = transform(x_m, y_m, crs, GEOGRAPHIC)
    aside, share = 0.0, 0.0
    for angle in np.arange(bearings) * 2.0 * np.pi / bearings:
        east, north = float(np.cos(angle)), float(np.sin(angle))
        end = transform(x_m + east * length_m, y_m + north * length_m, crs, GEOGRAPHIC)
        points = ELLIPSOID.npts(float(lon), float(lat), float(end[0]), float(end[1]), 31)
        x, y = transform(*np.array(points).T, GEOGRAPHIC, crs)
        aside = max(aside, float(np.abs((x - x_m) * north - (y - y_m) * east).max()))
        true = ELLIPSOID.inv(float(lon), float(lat), float(end[0]), float(end[1]))[2]
        share = max(share, abs(length_m / true - 1.0))
    return {"aside_m": aside, "length_share": share}
