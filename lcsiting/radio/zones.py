"""Radio-climatic zones along a path: 1 coastal land, 2 inland, 3 sea (P.452-18 section 3.2.1, P.1812 section 3.2).

By a scan of one path, or by sums along a radial that hold for every receiver on it. Both add the same lengths in the
same order. Kernels, km.
"""

import lcsiting._cache  # noqa: F401, I001
from typing import NamedTuple

import numpy as np
from numba import njit

from lcsiting.radio.profile import INLAND, SEA, zone_lengths

COAST_KM = 500.0  # of an end whose path meets no sea: P.452 and P.1812's "far from it"
_LAND, _INLAND, _LONGEST_LAND, _LONGEST_INLAND, _SEA, _FIRST_SEA, _LAST_SEA = range(7)


class Lengths(NamedTuple):
    """What the zones of a path come to."""

    dtm: float  # longest continuous land section, km
    dlm: float  # longest continuous inland section, km
    omega: float  # share over sea
    dct: float  # from the transmitter to the coast along the path, km; 0 over sea
    dcr: float  # from the receiver


@njit(cache=True, nogil=True, error_model="numpy")
def inland(total_km: float, dct: float, dcr: float) -> Lengths:
    """An all-inland path; ``dct, dcr``: the coast's distance from the ends, known from elsewhere."""
    return Lengths(total_km, total_km, 0.0, dct, dcr)


@njit(cache=True, nogil=True, error_model="numpy")
def lengths_of(distance_km: np.ndarray, zone: np.ndarray, dct: float, dcr: float) -> Lengths:
    """Lengths of one path. The coast lies half way between two points; where the path meets none, ``dct, dcr`` hold."""
    n = distance_km.size - 1
    z = zone_lengths(distance_km, zone)
    if zone[0] == SEA:
        dct = 0.0
    else:
        for i in range(1, n + 1):
            if zone[i] == SEA:
                dct = (distance_km[i - 1] + distance_km[i]) / 2.0
                break
    if zone[n] == SEA:
        dcr = 0.0
    else:
        for i in range(n - 1, -1, -1):
            if zone[i] == SEA:
                dcr = distance_km[n] - (distance_km[i] + distance_km[i + 1]) / 2.0
                break
    return Lengths(z.dtm, z.dlm, z.omega, dct, dcr)


@njit(cache=True, nogil=True, error_model="numpy")
def new_sums(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Buffers of a radial: sums before each point, and the zones of the points and of a receiver behind them."""
    return np.zeros((7, points)), np.full(points + 1, INLAND)


@njit(cache=True, nogil=True, error_model="numpy")
def _past(land, inner, longest_land, longest_inner, sea, zone, length):
    """The sums after one more point that stands for ``length``."""
    if zone == SEA:
        return 0.0, 0.0, longest_land, longest_inner, sea + length
    land += length
    inner = inner + length if zone == INLAND else 0.0
    return land, inner, max(longest_land, land), max(longest_inner, inner), sea


@njit(cache=True, nogil=True, error_model="numpy")
def begin_sums(sums: np.ndarray, zone: np.ndarray, distance_km: np.ndarray, last: int) -> None:
    """Build the sums of a radial whose points 0 .. last lie in ``zone``."""
    sums[:, 0] = 0.0
    sums[_FIRST_SEA, 0] = sums[_LAST_SEA, 0] = -1.0
    for k in range(last):
        before = (distance_km[k] - distance_km[k - 1]) / 2.0 if k > 0 else 0.0
        after = (distance_km[k + 1] - distance_km[k]) / 2.0
        land, inner, longest_land, longest_inner, sea = _past(
            sums[_LAND, k], sums[_INLAND, k], sums[_LONGEST_LAND, k], sums[_LONGEST_INLAND, k], sums[_SEA, k], zone[k],
            before + after,
        )  # fmt: skip
        sums[_LAND, k + 1], sums[_INLAND, k + 1] = land, inner
        sums[_LONGEST_LAND, k + 1], sums[_LONGEST_INLAND, k + 1], sums[_SEA, k + 1] = longest_land, longest_inner, sea
        first, latest = sums[_FIRST_SEA, k], sums[_LAST_SEA, k]
        if zone[k] == SEA:
            first, latest = k if first < 0.0 else first, k
        sums[_FIRST_SEA, k + 1], sums[_LAST_SEA, k + 1] = first, latest


@njit(cache=True, nogil=True, error_model="numpy")
def lengths_at(
    sums: np.ndarray, zone: np.ndarray, distance_km: np.ndarray, last: int, total: float, rx_zone: int, dct: float,
    dcr: float,
) -> Lengths:  # fmt: skip
    """:func:`lengths_of` of the points 0 .. last (at least 1) and a receiver in ``rx_zone`` at ``total``."""
    before, after = (distance_km[last] - distance_km[last - 1]) / 2.0, (total - distance_km[last]) / 2.0
    land, inner, longest_land, longest_inner, sea = _past(
        sums[_LAND, last], sums[_INLAND, last], sums[_LONGEST_LAND, last], sums[_LONGEST_INLAND, last],
        sums[_SEA, last], zone[last], before + after,
    )  # fmt: skip
    _, _, longest_land, longest_inner, sea = _past(land, inner, longest_land, longest_inner, sea, rx_zone, after)
    first, latest = int(sums[_FIRST_SEA, last]), int(sums[_LAST_SEA, last])
    if zone[last] == SEA:
        first, latest = last if first < 0 else first, last
    if rx_zone == SEA and first < 0:
        first = last + 1
    if first >= 0:
        here = total if first > last else distance_km[first]
        dct = 0.0 if first == 0 else (distance_km[first - 1] + here) / 2.0
    if rx_zone == SEA:
        dcr = 0.0
    elif latest >= 0:
        dcr = total - (distance_km[latest] + (total if latest == last else distance_km[latest + 1])) / 2.0
    # Land of no length does not exist: without a land section all points lie in the sea.
    return Lengths(longest_land, longest_inner, sea / total if longest_land > 0.0 else 1.0, dct, dcr)
