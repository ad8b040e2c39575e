"""Horizon state of a radial: what a scan of the profile finds, kept up to date as the receiver walks outwards.

Along one radial the transmitter and the profile stay, only the receiver moves
away. Heights are lowered by the bulge of the Earth (``z = h - 500 x^2 / a``),
which does not depend on the receiver, so

* the horizon of the transmitter is a prefix maximum,
* the horizon of the receiver is the tangent from the receiver to the upper
  hull of the points passed: pushing is O(1) amortised, the tangent O(log n),
* the largest diffraction parameter of a clear path has no such form; maxima
  over blocks of points, and over blocks of blocks, bound it; those that cannot win are left out.

Nothing is approximated: the numbers are those of the scans in
:mod:`lcsiting.radio.diffraction` and :mod:`lcsiting.radio.profile` up to
rounding. Kernels, km along the path and m in height; the profile is
``x[i] = i * step``. Callers keep NaN out.
"""

import lcsiting._cache  # noqa: F401, I001
import math

import numpy as np
from numba import njit

from lcsiting.radio.diffraction import bullington_db, bullington_point_nu, knife_edge_db

BLOCK_BITS = 3
BLOCK = 1 << BLOCK_BITS
NOTHING = -1e300
CLEAR_NU = -0.78  # eq. (13): no loss at or below


# The state of a radial is two arrays: a tuple of many would cost reference counts at every call.
# real[row, point] holds the profile and, per horizon, five rows; index[row, point] row 0 the counters, then two rows
# per horizon.
X, GROUND, CLUTTER, SURFACE, LEVEL, TILT, _HORIZONS = range(7)
FLAT, EARTH, MEDIAN, BETA = range(4)  # ground as it is; ground, median Earth; with clutter, median and beta0 Earth
_Z, _SLOPE, _TOP, _BLOCK, _CHUNK = range(5)
REAL_ROWS, INDEX_ROWS = _HORIZONS + 20, 9
_GUESSES = 8  # counters 0 .. 7 are hull size and last point pushed of each horizon
EARTH_EDGE, MEDIAN_EDGE, BETA_EDGE, SMOOTH_EDGE, SMOOTH_BETA_EDGE = range(_GUESSES, _GUESSES + 5)


@njit(cache=True, nogil=True)
def new_state(points: int, step_km: float) -> tuple[np.ndarray, np.ndarray]:
    """Buffers for radials of up to ``points`` points, ``step_km`` apart."""
    points = max(points, 16)
    real = np.zeros((REAL_ROWS, points))
    for i in range(points):
        real[X, i] = i * step_km
    return real, np.zeros((INDEX_ROWS, points), np.int32)


@njit(cache=True, nogil=True, error_model="numpy")
def begin(
    real: np.ndarray, index: np.ndarray, horizon: int, surface: int, last: int, tx_m: float, bulge: float
) -> None:
    """Start a horizon over row ``surface``, points 0 .. last; ``bulge`` is 500 / Earth radius, 0 for plain heights."""
    z = _HORIZONS + 5 * horizon
    for i in range(last + 1):
        x = real[X, i]
        real[z + _Z, i] = real[surface, i] - bulge * x * x
        real[z + _SLOPE, i] = (real[z + _Z, i] - tx_m) / x
    top, at = NOTHING, 1
    real[z + _TOP, 0], index[1 + 2 * horizon, 0] = top, at
    for i in range(1, last + 1):
        if real[z + _SLOPE, i] > top:
            top, at = real[z + _SLOPE, i], i
        real[z + _TOP, i], index[1 + 2 * horizon, i] = top, at
    for b in range((last >> BLOCK_BITS) + 1):
        real[z + _BLOCK, b] = real[z + _CHUNK, b >> BLOCK_BITS] = NOTHING
    index[0, 2 * horizon] = index[0, 2 * horizon + 1] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def top_slope(real: np.ndarray, horizon: int, last: int) -> float:
    """Steepest slope from the transmitter to the points 1 .. last, lowered heights, m/km."""
    return real[_HORIZONS + 5 * horizon + _TOP, last]


@njit(cache=True, nogil=True, error_model="numpy")
def top_point(index: np.ndarray, horizon: int, last: int) -> int:
    """The first point with that slope."""
    return index[1 + 2 * horizon, last]


@njit(cache=True, nogil=True, error_model="numpy")
def advance(real: np.ndarray, index: np.ndarray, horizon: int, last: int) -> None:
    """Let the receiver walk past the points up to ``last``."""
    z, hull = _HORIZONS + 5 * horizon, 2 + 2 * horizon
    n, done = index[0, 2 * horizon], index[0, 2 * horizon + 1]
    while done < last:
        done += 1
        x_new, z_new = real[X, done], real[z, done]
        while n >= 2:
            a, b = index[hull, n - 2], index[hull, n - 1]
            if (real[z, b] - real[z, a]) * (x_new - real[X, a]) > (z_new - real[z, a]) * (real[X, b] - real[X, a]):
                break
            n -= 1
        index[hull, n] = done
        n += 1
        b = done >> BLOCK_BITS
        real[z + _BLOCK, b] = max(real[z + _BLOCK, b], real[z + _SLOPE, done])
        b >>= BLOCK_BITS
        real[z + _CHUNK, b] = max(real[z + _CHUNK, b], real[z + _SLOPE, done])
    index[0, 2 * horizon], index[0, 2 * horizon + 1] = n, done


@njit(cache=True, nogil=True, error_model="numpy")
def tangent(real: np.ndarray, index: np.ndarray, horizon: int, total_km: float, rx_z: float) -> int:
    """Pushed point with the steepest slope seen back from the receiver, ``(z - rx_z) / (total - x)``."""
    z, hull = _HORIZONS + 5 * horizon, 2 + 2 * horizon
    low, high = 0, index[0, 2 * horizon] - 1
    while low < high:
        middle = (low + high) >> 1
        a, b = index[hull, middle], index[hull, middle + 1]
        if (real[z, a] - rx_z) * (total_km - real[X, b]) > (real[z, b] - rx_z) * (total_km - real[X, a]):
            high = middle
        else:
            low = middle + 1
    return index[hull, low]


@njit(cache=True, nogil=True, error_model="numpy")
def extreme(real: np.ndarray, index: np.ndarray, horizon: int, slope: float) -> int:
    """Pushed point highest above lines of the given slope."""
    z, hull = _HORIZONS + 5 * horizon, 2 + 2 * horizon
    low, high = 0, index[0, 2 * horizon] - 1
    while low < high:
        middle = (low + high) >> 1
        a, b = index[hull, middle], index[hull, middle + 1]
        if real[z, b] - real[z, a] < slope * (real[X, b] - real[X, a]):
            high = middle
        else:
            low = middle + 1
    return index[hull, low]


@njit(cache=True, nogil=True, error_model="numpy")
def nearest_edge(
    real: np.ndarray,
    index: np.ndarray,
    horizon: int,
    total_km: float,
    slope: float,
    top: float,
    below: float,
    edge: int,
) -> tuple[int, float, float]:
    """Pushed point with the largest diffraction parameter of a path that clears all of them.

    With ``slope`` that of the line from the transmitter to the receiver (lowered heights) the parameter is
    ``-sqrt(q)`` times a constant of the path, ``q = (slope - slope_i)^2 x_i / (total - x_i)``; the smallest q wins.

    Parameters
    ----------
    top, below : float
        Only a point with q less than ``top / below`` counts.
    edge : int
        Counter that remembers the winner: it is tried first at the next receiver.

    Returns
    -------
    tuple
        Index (0: none under the limit), numerator and denominator of its q.
    """
    z = _HORIZONS + 5 * horizon
    last = index[0, 2 * horizon + 1]
    at = 0
    guess = index[0, edge]
    if 0 < guess <= last:
        gap = slope - real[z + _SLOPE, guess]
        num, den = gap * gap * real[X, guess], total_km - real[X, guess]
        if num * below < top * den:
            at, top, below = guess, num, den
    blocks = last >> BLOCK_BITS
    for c in range((blocks >> BLOCK_BITS) + 1):
        gap = slope - real[z + _CHUNK, c]
        x = real[X, max(c << (2 * BLOCK_BITS), 1)]
        # Within a block x / (total - x) is least at its first point.
        if gap * gap * x * below >= top * (total_km - x):
            continue
        for b in range(c << BLOCK_BITS, min((c + 1) << BLOCK_BITS, blocks + 1)):
            gap = slope - real[z + _BLOCK, b]
            x = real[X, max(b << BLOCK_BITS, 1)]
            if gap * gap * x * below >= top * (total_km - x):
                continue
            for i in range(max(b << BLOCK_BITS, 1), min((b + 1) << BLOCK_BITS, last + 1)):
                x = real[X, i]
                gap = slope - real[z + _SLOPE, i]
                num, den = gap * gap * x, total_km - x
                if num * below < top * den:
                    at, top, below = i, num, den
    if at > 0:
        index[0, edge] = at
    return at, top, below


@njit(cache=True, nogil=True, error_model="numpy")
def bullington_at(
    real: np.ndarray,
    index: np.ndarray,
    horizon: int,
    edge: int,
    pushed: int,
    last: int,
    total_km: float,
    tx_m: float,
    rx_m: float,
    bulge: float,
    wavelength_m: float,
) -> float:
    """Bullington loss at a receiver, eqs. (14)-(22), dB.

    Parameters
    ----------
    horizon, edge : int
        The surface with clutter, advanced to ``pushed``; its counter for clear paths.
    pushed, last : int
        Last point on the hull; last point before the receiver. Those between count as bare ground.
    total_km, tx_m, rx_m : float
        Receiver distance; antennas, m above sea level.
    """
    stim = top_slope(real, horizon, pushed)
    for i in range(pushed + 1, last + 1):
        x = real[X, i]
        stim = max(stim, (real[GROUND, i] - bulge * x * x - tx_m) / x)
    rx_z = rx_m - bulge * total_km * total_km
    if stim + bulge * total_km < (rx_m - tx_m) / total_km:
        scale = 0.002 * total_km / wavelength_m
        slope = (rx_z - tx_m) / total_km
        at, top, below = 0, CLEAR_NU * CLEAR_NU / scale, 1.0
        if pushed > 0:
            at, top, below = nearest_edge(real, index, horizon, total_km, slope, top, below, edge)
        for i in range(pushed + 1, last + 1):
            x = real[X, i]
            gap = slope - (real[GROUND, i] - bulge * x * x - tx_m) / x
            num, den = gap * gap * x, total_km - x
            if num * below < top * den:
                at, top, below = i, num, den
        if at == 0:
            return 0.0
        return bullington_db(knife_edge_db(-math.sqrt(scale * top / below)), total_km)
    srim = NOTHING
    if pushed > 0:
        at = tangent(real, index, horizon, total_km, rx_z)
        srim = (real[_HORIZONS + 5 * horizon, at] - rx_z) / (total_km - real[X, at])
    for i in range(pushed + 1, last + 1):
        x = real[X, i]
        srim = max(srim, (real[GROUND, i] - bulge * x * x - rx_z) / (total_km - x))
    nu = bullington_point_nu(stim + bulge * total_km, srim - bulge * total_km, tx_m, rx_m, total_km, wavelength_m)
    return bullington_db(knife_edge_db(nu), total_km) if nu > CLEAR_NU else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def bullington_from(
    real: np.ndarray,
    horizon: int,
    at: int,
    hidden: bool,
    last: int,
    total_km: float,
    tx_m: float,
    rx_m: float,
    bulge: float,
    wavelength_m: float,
) -> float:
    """Bullington loss where the deciding point is known already, dB.

    ``at`` is the receiver's horizon if the path is ``hidden``, else the edge of the clear path.
    """
    z = _HORIZONS + 5 * horizon
    rx_z = rx_m - bulge * total_km * total_km
    rest = total_km - real[X, at]
    if hidden:
        stim = real[z + _TOP, last] + bulge * total_km
        srim = (real[z, at] - rx_z) / rest - bulge * total_km
        nu = bullington_point_nu(stim, srim, tx_m, rx_m, total_km, wavelength_m)
    else:
        gap = (rx_z - tx_m) / total_km - real[z + _SLOPE, at]
        nu = -gap * math.sqrt(0.002 * total_km / wavelength_m * real[X, at] / rest)
    return bullington_db(knife_edge_db(nu), total_km) if nu > CLEAR_NU else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _flat_q(x: float, total_km: float, tx_m: float, rx_m: float, bulge: float) -> float:
    """Diffraction parameter of a point of the smooth Earth without its factor: clearance / sqrt(x (D - x))."""
    span = x * (total_km - x)
    return (bulge * span - tx_m - (rx_m - tx_m) / total_km * x) / math.sqrt(span)


@njit(cache=True, nogil=True, error_model="numpy")
def flat_bullington_at(
    index: np.ndarray,
    edge: int,
    step_km: float,
    last: int,
    total_km: float,
    tx_m: float,
    rx_m: float,
    bulge: float,
    wavelength_m: float,
) -> float:
    """Bullington loss over heights of zero, eqs. (38)-(39), dB.

    The profile is sampled at ``i * step_km``, i from 1 to ``last``. All three maxima are those of functions with a
    single peak, which stands at a neighbour of the continuous optimum; heights must be positive.
    """
    i = int(math.sqrt(tx_m / bulge) / step_km)
    low, high = min(max(i, 1), last) * step_km, min(i + 1, last) * step_km
    stim = max(-bulge * low - tx_m / low, -bulge * high - tx_m / high) + bulge * total_km
    if stim >= (rx_m - tx_m) / total_km:
        i = int(max(total_km - math.sqrt(rx_m / bulge), 0.0) / step_km)
        low, high = min(max(i, 1), last) * step_km, min(i + 1, last) * step_km
        srim = max(bulge * low - rx_m / (total_km - low), bulge * high - rx_m / (total_km - high))
        nu = bullington_point_nu(stim, srim, tx_m, rx_m, total_km, wavelength_m)
        return bullington_db(knife_edge_db(nu), total_km)
    scale = math.sqrt(0.002 * total_km / wavelength_m)
    # Bound: bulge term at mid-path, antenna term where it is least.
    if scale * (0.5 * bulge * total_km - 2.0 * math.sqrt(tx_m * rx_m) / total_km) <= CLEAR_NU:
        return 0.0
    at = min(max(index[0, edge], 1), last)
    best = _flat_q(at * step_km, total_km, tx_m, rx_m, bulge)
    for way in (-1, 1):
        while 1 <= at + way <= last:
            q = _flat_q((at + way) * step_km, total_km, tx_m, rx_m, bulge)
            if q < best:
                break
            at, best = at + way, q
    nu = scale * best
    index[0, edge] = at
    return bullington_db(knife_edge_db(nu), total_km) if nu > CLEAR_NU else 0.0
