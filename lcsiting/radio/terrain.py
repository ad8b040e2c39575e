"""Ground, clutter and zones as kernels read them: bilinear ground, the rest of the pixel, each on its own frame."""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from lcsiting.radio.plane import Curve, along
from lcsiting.radio.profile import INLAND

NO_ZONES = np.zeros((0, 0), np.uint8)


class Terrain(NamedTuple):
    """North-up rasters of one working CRS, C-contiguous: ground and clutter float32, zones uint8.

    Pixel (row, col) has its centre at ``x0_m + (col + 0.5) pixel_m``, ``y0_m - (row + 0.5) pixel_m``.
    """

    ground_m: np.ndarray  # m above sea level; NaN is unknown
    x0_m: float
    y0_m: float
    pixel_m: float
    clutter_m: np.ndarray  # m above ground, bare outside its frame; shape (0, 0) for none anywhere
    clutter_x0_m: float
    clutter_y0_m: float
    clutter_pixel_m: float
    zone: np.ndarray = NO_ZONES  # radio-climatic: 1 coastal land, 2 inland, 3 sea; inland outside its frame
    zone_x0_m: float = 0.0
    zone_y0_m: float = 0.0
    zone_pixel_m: float = 1.0


def without_clutter(terrain: Terrain) -> Terrain:
    """The same ground, bare."""
    return terrain._replace(clutter_m=np.zeros((0, 0), np.float32))


@njit(cache=True, nogil=True, error_model="numpy")
def ground_at(z: np.ndarray, x0_m: float, y0_m: float, pixel_m: float, x_m: float, y_m: float) -> float:
    """Ground under a point, bilinear between pixel centres; NaN off the frame.

    In the outer half pixel the edge value holds.
    """
    rows, cols = z.shape
    col = (x_m - x0_m) * (1.0 / pixel_m)
    row = (y0_m - y_m) * (1.0 / pixel_m)
    if not (0.0 <= col <= cols and 0.0 <= row <= rows):
        return math.nan
    col = min(max(col - 0.5, 0.0), cols - 1.0)
    row = min(max(row - 0.5, 0.0), rows - 1.0)
    j, i = min(int(col), max(cols - 2, 0)), min(int(row), max(rows - 2, 0))
    k, n = min(j + 1, cols - 1), min(i + 1, rows - 1)
    a, b = col - j, row - i
    # A weight of zero leaves its neighbours out: they may be unknown.
    upper = float(z[i, j]) if a == 0.0 else z[i, j] * (1.0 - a) + z[i, k] * a
    if b == 0.0:
        return upper
    lower = float(z[n, j]) if a == 0.0 else z[n, j] * (1.0 - a) + z[n, k] * a
    return upper * (1.0 - b) + lower * b


@njit(cache=True, nogil=True, error_model="numpy")
def clutter_at(clutter_m: np.ndarray, x0_m: float, y0_m: float, pixel_m: float, x_m: float, y_m: float) -> float:
    """Clutter height of the pixel under a point; 0 off the frame."""
    rows, cols = clutter_m.shape
    col = math.floor((x_m - x0_m) / pixel_m)
    row = math.floor((y0_m - y_m) / pixel_m)
    if not (0 <= col < cols and 0 <= row < rows):
        return 0.0
    return float(clutter_m[row, col])


@njit(cache=True, nogil=True, error_model="numpy")
def zone_at(terrain: Terrain, x_m: float, y_m: float) -> int:
    """Radio-climatic zone of the pixel under a point; inland off the frame."""
    rows, cols = terrain.zone.shape
    col = math.floor((x_m - terrain.zone_x0_m) / terrain.zone_pixel_m)
    row = math.floor((terrain.zone_y0_m - y_m) / terrain.zone_pixel_m)
    if not (0 <= col < cols and 0 <= row < rows):
        return INLAND
    return int(terrain.zone[row, col])


@njit(cache=True, nogil=True, error_model="numpy")
def sample_zones(terrain: Terrain, curve: Curve, last: int, distance_km: np.ndarray, zone: np.ndarray) -> None:
    """Zones along a curve: points 0 .. last at ``distance_km``."""
    for k in range(last + 1):
        x, y = along(curve, 1000.0 * distance_km[k])
        zone[k] = zone_at(terrain, x, y)


@njit(cache=True, nogil=True, error_model="numpy")
def _sample_inside(z, x0_m, y0_m, pixel_m, curve, last, distance_km, ground_m):
    """Ground of points that all lie between pixel centres; NaN if one of them is unknown. As :func:`ground_at`."""
    total, per_m = 0.0, 1.0 / pixel_m
    c0, c1, c2, c3 = (curve.x0 - x0_m) * per_m - 0.5, curve.x1 * per_m, curve.x2 * per_m, curve.x3 * per_m
    r0, r1, r2, r3 = (y0_m - curve.y0) * per_m - 0.5, curve.y1 * per_m, curve.y2 * per_m, curve.y3 * per_m
    for k in range(last + 1):
        s = 1000.0 * distance_km[k]
        col = c0 + s * (c1 + s * (c2 + s * c3))
        row = r0 - s * (r1 + s * (r2 + s * r3))
        j, i = np.uintp(col), np.uintp(row)  # unsigned: no test for negative indices
        a, b = col - j, row - i
        upper = z[i, j] * (1.0 - a) + z[i, j + np.uintp(1)] * a
        lower = z[i + np.uintp(1), j] * (1.0 - a) + z[i + np.uintp(1), j + np.uintp(1)] * a
        ground_m[k] = upper * (1.0 - b) + lower * b
        total += ground_m[k]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _between_centres(z, x0_m, y0_m, pixel_m, x_m, y_m) -> bool:
    rows, cols = z.shape
    col = (x_m - x0_m) * (1.0 / pixel_m) - 0.5
    row = (y0_m - y_m) * (1.0 / pixel_m) - 0.5
    return 0.0 <= col < cols - 1.0 and 0.0 <= row < rows - 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _all_between_centres(z, x0_m, y0_m, pixel_m, curve, far_m) -> bool:
    """Whether the whole curve lies where four pixel centres surround every point."""
    x, y = along(curve, far_m)
    # How far s^2 and s^3 leave their chords: a quarter of far^2, 2 / (3 sqrt 3) of far^3. A millimetre for rounding.
    bend = 0.001 + far_m * far_m * max(
        0.25 * abs(curve.x2) + 0.385 * far_m * abs(curve.x3), 0.25 * abs(curve.y2) + 0.385 * far_m * abs(curve.y3)
    )
    west, east, south, north = min(curve.x0, x), max(curve.x0, x), min(curve.y0, y), max(curve.y0, y)
    return _between_centres(z, x0_m, y0_m, pixel_m, west - bend, south - bend) and _between_centres(
        z, x0_m, y0_m, pixel_m, east + bend, north + bend
    )


@njit(cache=True, nogil=True, error_model="numpy")
def sample_line(
    terrain: Terrain, curve: Curve, last: int, distance_km: np.ndarray, ground_m: np.ndarray, clutter_m: np.ndarray
) -> int:
    """Heights along a curve: points 0 .. last at ``distance_km``.

    Returns
    -------
    int
        Points before the first unknown one, at most ``last + 1``. Without a clutter layer ``clutter_m`` is not touched.
    """
    known = last + 1
    z, x0, y0, pixel = terrain.ground_m, terrain.x0_m, terrain.y0_m, terrain.pixel_m
    total = math.nan
    if _all_between_centres(z, x0, y0, pixel, curve, 1000.0 * distance_km[last]):
        total = _sample_inside(z, x0, y0, pixel, curve, last, distance_km, ground_m)
    if math.isnan(total):
        for k in range(last + 1):
            x, y = along(curve, 1000.0 * distance_km[k])
            ground_m[k] = ground_at(z, x0, y0, pixel, x, y)
            if math.isnan(ground_m[k]):
                known = min(known, k)
    z, x0, y0, pixel = terrain.clutter_m, terrain.clutter_x0_m, terrain.clutter_y0_m, terrain.clutter_pixel_m
    if z.size > 0:
        for k in range(last + 1):
            x, y = along(curve, 1000.0 * distance_km[k])
            clutter_m[k] = clutter_at(z, x0, y0, pixel, x, y)
            if math.isnan(clutter_m[k]):
                known = min(known, k)
    return known


@njit(cache=True, nogil=True, error_model="numpy")
def held_ground_at(terrain: Terrain, x_m: float, y_m: float) -> float:
    """Ground under a point; off the frame that of the nearest edge pixel."""
    rows, cols = terrain.ground_m.shape
    x0, y0, half = terrain.x0_m, terrain.y0_m, 0.5 * terrain.pixel_m
    # To the outermost centres: in the outer half pixel the edge value holds anyway.
    x = min(max(x_m, x0 + half), x0 + (2 * cols - 1) * half)
    y = max(min(y_m, y0 - half), y0 - (2 * rows - 1) * half)
    return ground_at(terrain.ground_m, x0, y0, terrain.pixel_m, x, y)


@njit(cache=True, nogil=True, error_model="numpy")
def sample_held_line(
    terrain: Terrain, curve: Curve, last: int, distance_km: np.ndarray, ground_m: np.ndarray, clutter_m: np.ndarray
) -> int:
    """As :func:`sample_line`, but off the frame of the ground its nearest edge pixel counts."""
    known = sample_line(terrain, curve, last, distance_km, ground_m, clutter_m)
    if known > last:
        return known
    covered = terrain.clutter_m.size > 0
    known = last + 1
    for k in range(last, -1, -1):
        if math.isnan(ground_m[k]):
            x, y = along(curve, 1000.0 * distance_km[k])
            ground_m[k] = held_ground_at(terrain, x, y)
        if math.isnan(ground_m[k]) or (covered and math.isnan(clutter_m[k])):
            known = k
    return known


@njit(cache=True, nogil=True, error_model="numpy")
def _points(terrain: Terrain, x_m: np.ndarray, y_m: np.ndarray, clutter: bool) -> np.ndarray:
    out = np.empty(x_m.size)
    z, x0, y0, pixel = terrain.clutter_m, terrain.clutter_x0_m, terrain.clutter_y0_m, terrain.clutter_pixel_m
    for k in range(x_m.size):
        if clutter:
            out[k] = clutter_at(z, x0, y0, pixel, x_m[k], y_m[k])
        else:
            out[k] = held_ground_at(terrain, x_m[k], y_m[k])
    return out


def heights_at(terrain: Terrain, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.float64]:
    """Ground at points, m above sea level; off its frame that of the nearest edge pixel."""
    return _points(terrain, np.ascontiguousarray(x_m, dtype=float), np.ascontiguousarray(y_m, dtype=float), False)


def clutter_heights_at(terrain: Terrain, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.float64]:
    """Clutter at points, m above ground."""
    return _points(terrain, np.ascontiguousarray(x_m, dtype=float), np.ascontiguousarray(y_m, dtype=float), True)
