"""ITU-R P.452-18 for many pairs at once, each on its own profile cut from a terrain and a clutter grid.

The profile of a pair runs along the straight line of the projected plane. In a 3-degree
Gauss-Kruger zone that line stays within 1 m of the geodesic at 50 km, far below a pixel. Terrain is
interpolated bilinearly, clutter is that of the nearest pixel. The kernels are those of
:mod:`lcsiting.radio.p452`; median and beta0 diffraction are computed once and serve two time percentages.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from lcsiting.radio.clearair import Climate, combine, ducting_db, horizon_blend, line_of_sight
from lcsiting.radio.diffraction import BETA_EARTH_RADIUS_KM, delta_bullington
from lcsiting.radio.p452 import BARE_KM, RANGES, Question, question
from lcsiting.radio.profile import beta0_pct, path_geometry
from lcsiting.radio.ranges import require_choice, require_ranges
from lcsiting.errors import RangeError

CHUNK = 512  # pairs a thread takes at a time; the answer does not depend on it


class Land(NamedTuple):
    """Terrain and clutter as the kernels read them: north-up grids in one projected CRS, metres.

    ``x0``, ``y0`` are the outer upper left corners. Beyond the terrain the nearest edge pixel
    counts, beyond the clutter there is none.
    """

    ground_m: np.ndarray
    ground_x0: float
    ground_y0: float
    ground_step: float
    clutter_m: np.ndarray
    clutter_x0: float
    clutter_y0: float
    clutter_step: float


@njit(cache=True, nogil=True, error_model="numpy")
def ground_at(land: Land, x_m: float, y_m: float) -> float:
    """Terrain height, bilinear between pixel centres, m."""
    rows, cols = land.ground_m.shape
    c = min(max((x_m - land.ground_x0) / land.ground_step - 0.5, 0.0), cols - 1.0)
    r = min(max((land.ground_y0 - y_m) / land.ground_step - 0.5, 0.0), rows - 1.0)
    c0, r0 = min(int(c), max(cols - 2, 0)), min(int(r), max(rows - 2, 0))
    c1, r1 = min(c0 + 1, cols - 1), min(r0 + 1, rows - 1)
    u, v = c - c0, r - r0
    top = land.ground_m[r0, c0] * (1.0 - u) + land.ground_m[r0, c1] * u
    low = land.ground_m[r1, c0] * (1.0 - u) + land.ground_m[r1, c1] * u
    return top * (1.0 - v) + low * v


@njit(cache=True, nogil=True, error_model="numpy")
def clutter_at(land: Land, x_m: float, y_m: float) -> float:
    """Clutter height of the pixel, m above ground; 0 beyond the grid."""
    rows, cols = land.clutter_m.shape
    c = math.floor((x_m - land.clutter_x0) / land.clutter_step)
    r = math.floor((land.clutter_y0 - y_m) / land.clutter_step)
    if c < 0 or r < 0 or c >= cols or r >= rows:
        return 0.0
    return land.clutter_m[int(r), int(c)]


@njit(cache=True, nogil=True, error_model="numpy")
def _sample(land: Land, x_m: np.ndarray, y_m: np.ndarray, clutter: bool) -> np.ndarray:
    out = np.empty(x_m.size)
    for k in range(x_m.size):
        out[k] = clutter_at(land, x_m[k], y_m[k]) if clutter else ground_at(land, x_m[k], y_m[k])
    return out


def heights_at(land: Land, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.float64]:
    """Terrain height at points, m above sea level."""
    return _sample(land, np.ascontiguousarray(x_m, dtype=float), np.ascontiguousarray(y_m, dtype=float), False)


def clutter_heights_at(land: Land, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.float64]:
    """Clutter height at points, m above ground."""
    return _sample(land, np.ascontiguousarray(x_m, dtype=float), np.ascontiguousarray(y_m, dtype=float), True)


@njit(cache=True, nogil=True, error_model="numpy")
def cut_profile(
    land: Land,
    tx_x: float,
    tx_y: float,
    rx_x: float,
    rx_y: float,
    length_km: float,
    step_km: float,
    path_clutter: bool,
    distance_km: np.ndarray,
    ground_m: np.ndarray,
    surface_m: np.ndarray,
) -> int:
    """Fill the first n + 1 points of a profile and return n: equal steps of at most ``step_km``, at least 2."""
    n = max(math.ceil(length_km / step_km), 2)
    for i in range(n + 1):
        t = i / n
        x, y = tx_x + t * (rx_x - tx_x), tx_y + t * (rx_y - tx_y)
        d = t * length_km
        g = ground_at(land, x, y)
        distance_km[i], ground_m[i], surface_m[i] = d, g, g
        if path_clutter and d >= BARE_KM and d <= length_km - BARE_KM:
            surface_m[i] = g + clutter_at(land, x, y)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def land_losses_db(
    q: Question,
    p_second: float,
    coupling_db: float,
    distance_km: np.ndarray,
    ground_m: np.ndarray,
    surface_m: np.ndarray,
    flat_m: np.ndarray,
    tx_height_m: float,
    rx_height_m: float,
    latitude_deg: float,
) -> tuple[float, float, bool]:
    """Basic loss of an all-inland path at ``q.p`` and at ``p_second``, dB, and whether the path is trans-horizon.

    ``coupling_db`` is the aperture-to-medium loss of eq. (45b) in excess of that of two 0 dBi antennas.
    """
    n = distance_km.size - 1
    total = distance_km[n]
    b0 = beta0_pct(latitude_deg, total, total)
    g = path_geometry(distance_km, ground_m, tx_height_m, rx_height_m, q.ae)
    median = delta_bullington(
        q.wave, distance_km, surface_m, flat_m, n, g.dtot, g.hts, g.hrs, g.hstd, g.hsrd, q.ae, 0.0
    ).Ld
    beta = median
    if q.p < 50.0 or p_second < 50.0:
        beta = delta_bullington(
            q.wave, distance_km, surface_m, flat_m, n, g.dtot, g.hts, g.hrs, g.hstd, g.hsrd, BETA_EARTH_RADIUS_KM, 0.0
        ).Ld
    fj = horizon_blend(g.stim - (g.hrs - g.hts) / g.dtot)
    common = q.troposcatter_db + coupling_db + 20.0 * math.log10(g.dtot) + 0.573 * g.theta
    common += q.troposcatter_gas_db_km * g.dtot
    out = (0.0, 0.0)
    first = 0.0
    for k in range(2):
        p = q.p if k == 0 else p_second
        c = Climate(p, b0, q.ae, total, 0.0, 500.0, 500.0)
        los = line_of_sight(q.wave, c, g, q.inland_gas_db_km)
        lba = ducting_db(q.wave, c, g, q.inland_gas_db_km)
        # q.troposcatter_db holds the time term of q.p.
        lbs = common
        if k == 1:
            lbs += 10.1 * ((-math.log10(q.p / 50.0)) ** 0.7 - (-math.log10(p / 50.0)) ** 0.7)
        value = combine(c, los, g.dtot, median, beta, lba, lbs, fj).total
        if k == 0:
            first = value
        else:
            out = (first, value)
    return out[0], out[1], g.transhorizon


@njit(cache=True, nogil=True, error_model="numpy")
def _chunk(
    land, q, p_second, step_km, path_clutter, pairs, tx_of, rx_of, coupling_db, length_km,
    tx_x, tx_y, tx_height, rx_x, rx_y, rx_height, rx_latitude, first, last, out, beyond,
):  # fmt: skip
    size = 3
    for place in range(first, last):
        size = max(size, math.ceil(length_km[pairs[place]] / step_km) + 2)
    distance, ground, surface, flat = np.empty(size), np.empty(size), np.empty(size), np.zeros(size)
    for place in range(first, last):
        k = pairs[place]
        t, r = tx_of[k], rx_of[k]
        n = cut_profile(
            land, tx_x[t], tx_y[t], rx_x[r], rx_y[r], length_km[k], step_km, path_clutter, distance, ground, surface
        )
        a, b, over = land_losses_db(
            q, p_second, coupling_db[k], distance[: n + 1], ground[: n + 1], surface[: n + 1],
            flat[: n + 1], tx_height[t], rx_height[r], rx_latitude[r],
        )  # fmt: skip
        out[k, 0], out[k, 1], beyond[k] = a, b, over


def coupling_loss_db(gains_dbi: ArrayLike) -> NDArray[np.float64]:
    """Aperture-to-medium coupling of eq. (45b) in excess of two 0 dBi antennas; ``gains_dbi`` is the sum of both."""
    return 0.051 * (np.exp(0.055 * np.asarray(gains_dbi, dtype=float)) - 1.0)


def pair_losses_db(
    land: Land,
    tx_of: ArrayLike,
    rx_of: ArrayLike,
    *,
    frequency_mhz: ArrayLike,
    length_m: ArrayLike,
    tx_x_m: ArrayLike,
    tx_y_m: ArrayLike,
    tx_height_agl_m: ArrayLike,
    rx_x_m: ArrayLike,
    rx_y_m: ArrayLike,
    rx_height_agl_m: ArrayLike,
    rx_latitude_deg: ArrayLike,
    gains_dbi: ArrayLike = 0.0,
    time_pct: float = 20.0,
    second_time_pct: float = 50.0,
    polarization: str = "vertical",
    delta_n: float,
    n0: float,
    step_m: float = 100.0,
    path_clutter: bool = True,
    threads: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Basic transmission loss of P.452-18 for pairs of base stations and receivers.

    Parameters
    ----------
    land : Land
        Terrain and clutter; all paths count as inland.
    tx_of, rx_of : array_like of int, shape (n,)
        Positions of each pair's ends in the arrays of transmitters and receivers.
    frequency_mhz, length_m : array_like, shape (n,)
        Frequency asked about; true path length (plane distance over the projection's scale), above 0 m.
    tx_x_m, tx_y_m, tx_height_agl_m : array_like, shape (n_tx,)
        Transmitters; heights above ground, m.
    rx_x_m, rx_y_m, rx_height_agl_m, rx_latitude_deg : array_like, shape (n_rx,)
        Receivers. Their latitude stands for that of the path: 0.2 degrees change beta0 by 0.7 per cent of itself.
    gains_dbi : array_like, shape (n,)
        Sum of both antennas' gains along the path; enters the troposcatter coupling only.
    time_pct, second_time_pct : float
        Two time percentages, answered from one pass.
    polarization : {"vertical", "horizontal"}
    delta_n, n0 : float
        Refractivity gradient (N-units/km) and sea-level refractivity.
    step_m : float
        Longest step of a profile, 10 to 1000 m.
    path_clutter : bool
        Clutter along the path (P.452-18); switch it off where P.2108 is applied at a terminal instead.
    threads : int
        The answer is the same for any number.

    Returns
    -------
    loss_db : float64 (n, 2)
        At the two time percentages.
    beyond : bool (n,)
        The path is trans-horizon (over bare ground).

    Raises
    ------
    RangeError
        A value outside its range, a pair without length.
    """
    require_choice("polarization", polarization, ("vertical", "horizontal"))
    length_km = np.ascontiguousarray(length_m, dtype=float) / 1000.0
    frequency = np.broadcast_to(np.asarray(frequency_mhz, dtype=float), length_km.shape)
    if length_km.size and not (length_km > 0).all():
        raise RangeError(f"length_m: {int((~(length_km > 0)).sum())} pairs have no length; leave them out (m).")
    if not 10.0 <= step_m <= 1000.0:
        raise RangeError(f"step_m: {step_m:g} m is not between 10 and 1000 m.")
    known = np.unique(frequency)
    for value in known:
        for pct in (time_pct, second_time_pct):
            require_ranges({"frequency_mhz": value, "time_pct": pct, "delta_n": delta_n, "n0": n0}, RANGES)
    n = len(length_km)
    out, beyond = np.empty((n, 2)), np.empty(n, np.bool_)
    if n == 0:
        return out, beyond

    def floats(values: ArrayLike) -> NDArray[np.float64]:
        return np.ascontiguousarray(values, dtype=np.float64)

    ends = [tx_x_m, tx_y_m, tx_height_agl_m, rx_x_m, rx_y_m, rx_height_agl_m, rx_latitude_deg]
    coupling = floats(np.broadcast_to(coupling_loss_db(gains_dbi), n))
    fixed = (np.asarray(tx_of, np.int64), np.asarray(rx_of, np.int64), coupling, length_km, *map(floats, ends))
    vertical, profile = polarization == "vertical", (float(second_time_pct), step_m / 1000.0, path_clutter)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for value in known:
            pairs = np.flatnonzero(frequency == value)
            q = question(value / 1000.0, float(time_pct), vertical, float(delta_n), float(n0), 0.0, 1013.25, 15.0)

            def work(first: int, q: Question = q, pairs: NDArray[np.int64] = pairs) -> None:
                last = min(first + CHUNK, len(pairs))
                kernel: Any = _chunk
                kernel(land, q, *profile, pairs, *fixed, first, last, out, beyond)

            list(pool.map(work, range(0, len(pairs), CHUNK)))
    return out, beyond
