"""Single passes over whole layers: merge bands, apply thresholds, blank the outside, count by area."""

import lcsiting._cache  # noqa: F401, I001

import numpy as np
from numba import njit

OUTSIDE = 255  # service layers: not in the city


@njit(nogil=True, cache=True)
def merge_band(rsrp, sinr, best, overlap, flags, new_rsrp, new_sinr, new_best, new_overlap, new_flags, offset):
    """Let the stronger band serve each pixel; ``offset`` is added to the newcomer's sector numbers."""
    for i in range(rsrp.shape[0]):
        for j in range(rsrp.shape[1]):
            if new_best[i, j] >= 0 and (best[i, j] < 0 or new_rsrp[i, j] > rsrp[i, j]):
                rsrp[i, j], sinr[i, j] = new_rsrp[i, j], new_sinr[i, j]
                best[i, j], overlap[i, j] = new_best[i, j] + offset, new_overlap[i, j]
                flags[i, j] = new_flags[i, j]


@njit(nogil=True, cache=True)
def flag_near(best, owner, places, flag, frame, flags):
    """Set a station's flag where its sector serves from nearer than its limit. ``places``: x, y, limit (0: none)."""
    x0, y0, step = frame
    for i in range(best.shape[0]):
        y = y0 - (i + 0.5) * step
        for j in range(best.shape[1]):
            if best[i, j] < 0:
                continue
            k = owner[best[i, j]]
            limit = places[k, 2]
            if limit > 0.0:
                dx, dy = x0 + (j + 0.5) * step - places[k, 0], y - places[k, 1]
                if dx * dx + dy * dy < limit * limit:
                    flags[i, j] |= flag[k]


@njit(nogil=True, cache=True)
def apply_threshold(rsrp, best, klass_of_sector, morphology, required, service):
    """Set ``service`` to 1 where the best sector reaches ``required[class, morphology]``; the rest stays."""
    for i in range(rsrp.shape[0]):
        for j in range(rsrp.shape[1]):
            m = best[i, j]
            if m >= 0 and rsrp[i, j] >= required[klass_of_sector[m], morphology[i, j]]:
                service[i, j] = 1


@njit(nogil=True, cache=True)
def blank_outside(inside, rsrp, sinr, best, overlap):
    """NaN, -1 and 0 where ``inside`` is false."""
    for i in range(rsrp.shape[0]):
        for j in range(rsrp.shape[1]):
            if not inside[i, j]:
                rsrp[i, j], sinr[i, j] = np.nan, np.nan
                best[i, j], overlap[i, j] = -1, 0


@njit(nogil=True, cache=True)
def tally(labels, inside, bits, people, areas, flags):
    """Pixels and people by area and flag.

    Parameters
    ----------
    labels : int32 (rows, cols)
        0 none, k area k - 1.
    inside : bool (rows, cols)
        Pixels that count.
    bits : uint32 (rows, cols)
        Bit f is set where flag f holds.
    people : float32 (rows, cols)
    areas, flags : int
        Numbers of them.

    Returns
    -------
    pixels : int64 (areas, flags + 1)
    total : float64 (areas, flags + 1)
        People. The last column counts every pixel.
    """
    pixels = np.zeros((areas, flags + 1), np.int64)
    total = np.zeros((areas, flags + 1), np.float64)
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            k = labels[i, j] - 1
            if k < 0 or not inside[i, j]:
                continue
            here, number = bits[i, j], np.float64(people[i, j])
            pixels[k, flags] += 1
            total[k, flags] += number
            f = 0
            while here:
                if here & np.uint32(1):
                    pixels[k, f] += 1
                    total[k, f] += number
                here >>= np.uint32(1)
                f += 1
    return pixels, total
