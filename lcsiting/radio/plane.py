"""Geodesics in the plane of a projected CRS.

A projected geodesic of tens of kilometres is so smooth that a cubic in the distance follows it within a millimetre.
So do cubics in two variables between the plane and the *local coordinates* of a site: the geodesic distance times sine
(east) and cosine (north) of the azimuth it leaves the site with. Kernels only; :mod:`lcsiting.geo.geodesic` fits them
to a CRS.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import njit


class Curve(NamedTuple):
    """A line in the plane, ``x0 + x1 s + x2 s^2 + x3 s^3`` and likewise y, ``s`` the true distance in metres."""

    x0: float
    x1: float
    x2: float
    x3: float
    y0: float
    y1: float
    y2: float
    y3: float


class Plane(NamedTuple):
    """The plane around a site.

    Two rows (x and y, or east and north) of coefficients of :func:`powers`, without constant term: the site is the
    origin of both.
    """

    to_plane: np.ndarray  # float64 (2, 9): offsets in the plane from local coordinates, m
    to_local: np.ndarray  # float64 (2, 9): local coordinates from offsets in the plane, m


def flat_plane() -> Plane:
    """A plane that is the land itself: straight lines, true lengths, north up."""
    same = np.zeros((2, 9))
    same[0, 0] = same[1, 1] = 1.0
    return Plane(same, same.copy())


def powers(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The terms of a cubic in two variables without constant, on a last axis of length 9."""
    return np.stack([u, v, u * u, u * v, v * v, u * u * u, u * u * v, u * v * v, v * v * v], axis=-1)


@njit(cache=True, nogil=True, error_model="numpy")
def cubic(c: np.ndarray, row: int, u: float, v: float) -> float:
    """Value of one row of coefficients at a point."""
    uu, uv, vv = u * u, u * v, v * v
    first = c[row, 0] * u + c[row, 1] * v
    second = c[row, 2] * uu + c[row, 3] * uv + c[row, 4] * vv
    third = u * (c[row, 5] * uu + c[row, 6] * uv + c[row, 7] * vv) + c[row, 8] * v * vv
    return first + (second + third)


@njit(cache=True, nogil=True, error_model="numpy")
def ray(plane: Plane, x_m: float, y_m: float, east: float, north: float) -> Curve:
    """The geodesic from the site (x_m, y_m) whose azimuth has the sine ``east`` and the cosine ``north``."""
    c = plane.to_plane
    ee, en, nn = east * east, east * north, north * north
    return Curve(
        x_m,
        c[0, 0] * east + c[0, 1] * north,
        c[0, 2] * ee + c[0, 3] * en + c[0, 4] * nn,
        east * (c[0, 5] * ee + c[0, 6] * en + c[0, 7] * nn) + c[0, 8] * north * nn,
        y_m,
        c[1, 0] * east + c[1, 1] * north,
        c[1, 2] * ee + c[1, 3] * en + c[1, 4] * nn,
        east * (c[1, 5] * ee + c[1, 6] * en + c[1, 7] * nn) + c[1, 8] * north * nn,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def through(
    tx_x_m: float, tx_y_m: float, way_m: np.ndarray, rx_x_m: float, rx_y_m: float, length_m: float
) -> Curve:  # fmt: skip
    """The cubic through both ends and ``way_m``: x, y at a third and x, y at two thirds of the true length."""
    a, b, c = way_m[0] - tx_x_m, way_m[2] - tx_x_m, rx_x_m - tx_x_m
    d, e, f = way_m[1] - tx_y_m, way_m[3] - tx_y_m, rx_y_m - tx_y_m
    k = 0.5 / length_m
    kk, kkk = 9.0 * k / length_m, 9.0 * k / (length_m * length_m)
    return Curve(
        tx_x_m, k * (18.0 * a - 9.0 * b + 2.0 * c), kk * (4.0 * b - 5.0 * a - c), kkk * (3.0 * (a - b) + c),
        tx_y_m, k * (18.0 * d - 9.0 * e + 2.0 * f), kk * (4.0 * e - 5.0 * d - f), kkk * (3.0 * (d - e) + f),
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def along(curve: Curve, distance_m: float) -> tuple[float, float]:
    """The point of a curve at a true distance from its start."""
    s = distance_m
    return (
        curve.x0 + s * (curve.x1 + s * (curve.x2 + s * curve.x3)),
        curve.y0 + s * (curve.y1 + s * (curve.y2 + s * curve.y3)),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def reach_m(plane: Plane, radius_m: float) -> float:
    """How far from the site, in the plane, geodesics of a length end at most; too far by 0.2 per cent."""
    farthest = 0.0
    for k in range(64):  # between two of the directions at most 0.12 per cent can be missed
        x, y = along(ray(plane, 0.0, 0.0, math.cos(math.pi / 32 * k), math.sin(math.pi / 32 * k)), radius_m)
        farthest = max(farthest, math.hypot(x, y))
    return 1.002 * farthest
