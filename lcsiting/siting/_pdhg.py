"""Kernels of the dual: one pass over the rows, one over the items, one over the limits, a projection.

Four phases travel together: what a pair reads is then one short contiguous run instead of four numbers.
"""

import lcsiting._cache  # noqa: F401, I001  (sets the cache directory before numba is imported)
import numpy as np
from numba import njit

LANES = 4


@njit(cache=True, nogil=True)
def _sums(indices, values, first, last):
    """Sums of the four lanes of ``values`` over entries ``first`` to ``last - 1`` of ``indices``."""
    a0 = a1 = a2 = a3 = np.float32(0)
    for t in range(first, last):
        k = indices[t]
        a0 += values[k, 0]
        a1 += values[k, 1]
        a2 += values[k, 2]
        a3 += values[k, 3]
    return a0, a1, a2, a3


@njit(cache=True, nogil=True)
def row_pass(ptr, items, y, u, total, weights, family, factor, step, floored, z, top, first, last, cut):
    """Move the row prices of rows ``first`` to ``last - 1`` by one step; add them to ``total``.

    ``factor[family, lane]`` is the row's weight in a lane as a multiple of ``weights``. Rows of ``floored``
    families have a share covered ``z`` of their own, since their weight moves with the floors' prices: it
    steps first, ``top[0]`` its step sizes and ``top[1]`` the scale of the rows' steps;
    ``cut[family, lane]`` collects their covered weight, stepped ahead.
    """
    zero, one = np.float32(0), np.float32(1)
    for j in range(first, last):
        a0, a1, a2, a3 = _sums(items, y, ptr[j], ptr[j + 1])
        degree = np.float32(ptr[j + 1] - ptr[j])
        w, k = weights[j], family[j]
        if floored[k]:
            pull = w / (degree + one)
            for lane in range(4):
                a = a0 if lane == 0 else (a1 if lane == 1 else (a2 if lane == 2 else a3))
                old = z[j, lane]
                if w > zero:
                    z[j, lane] = min(max(old + top[0, k, lane] * (factor[k, lane] - u[j, lane] / w), zero), one)
                ahead = z[j, lane] + z[j, lane] - old
                u[j, lane] = max(u[j, lane] - step[lane] * pull * top[1, k, lane] * (a - ahead), zero)
                total[j, lane] += u[j, lane]
                cut[k, lane] += w * ahead
            continue
        pull = w / degree
        v = u[j, 0] - step[0] * pull * factor[k, 0] * (a0 - one)
        u[j, 0] = min(max(v, zero), w * factor[k, 0])
        v = u[j, 1] - step[1] * pull * factor[k, 1] * (a1 - one)
        u[j, 1] = min(max(v, zero), w * factor[k, 1])
        v = u[j, 2] - step[2] * pull * factor[k, 2] * (a2 - one)
        u[j, 2] = min(max(v, zero), w * factor[k, 2])
        v = u[j, 3] - step[3] * pull * factor[k, 3] * (a3 - one)
        u[j, 3] = min(max(v, zero), w * factor[k, 3])
        for lane in range(4):
            total[j, lane] += u[j, lane]


@njit(cache=True, nogil=True)
def covered_pass(ptr, items, y, weights, family, first, last, cut):
    """Weight covered by a fractional choice, by family and lane, without moving anything."""
    one = np.float32(1)
    for j in range(first, last):
        a0, a1, a2, a3 = _sums(items, y, ptr[j], ptr[j + 1])
        w, k = weights[j], family[j]
        cut[k, 0] += w * min(a0, one)
        cut[k, 1] += w * min(a1, one)
        cut[k, 2] += w * min(a2, one)
        cut[k, 3] += w * min(a3, one)


@njit(cache=True, nogil=True)
def item_pass(ptr, rows, u, first, last, c):
    """Sum of the row prices of items ``first`` to ``last - 1``, into ``c``."""
    for i in range(first, last):
        c[i, 0], c[i, 1], c[i, 2], c[i, 3] = _sums(rows, u, ptr[i], ptr[i + 1])


@njit(cache=True, nogil=True)
def price_pass(ptr, of, load, price, out):
    """Take off each item what its limits charge: ``out[i, t] -= sum of price[t, side] * load``."""
    for i in range(out.shape[0]):
        for q in range(ptr[i], ptr[i + 1]):
            for t in range(out.shape[1]):
                out[i, t] -= price[t, of[q]] * load[q]


@njit(cache=True, nogil=True)
def use_pass(ptr, of, load, y, used):
    """What a choice uses of each limit: ``used[t, side]``, which starts as zeros."""
    for i in range(y.shape[0]):
        for q in range(ptr[i], ptr[i + 1]):
            for t in range(y.shape[1]):
                used[t, of[q]] += load[q] * y[i, t]


@njit(cache=True, nogil=True)
def monotone(row):
    """Project a short row onto non-decreasing ones (pool adjacent violators), in place."""
    n = row.shape[0]
    for last in range(1, n):
        if row[last] >= row[last - 1]:
            continue
        start, total, count = last, row[last], 1
        while start > 0 and row[start - 1] * count > total:
            start -= 1
            total += row[start]
            count += 1
        for k in range(start, last + 1):
            row[k] = total / count


@njit(cache=True, nogil=True)
def place_items(x, tau, nu, units, fixed, coupled, y, excess, slope):
    """``y`` nearest to ``x - tau units nu`` between 0 and 1 (and growing with the phase if ``coupled``).

    ``fixed`` is 1 for items that are in, -1 for items that are out. ``excess`` is what the units come to,
    ``slope`` how fast they fall with ``nu``.
    """
    n, phases = x.shape
    row = np.empty(phases)
    excess[:] = 0
    slope[:] = 0
    for i in range(n):
        for t in range(phases):
            row[t] = x[i, t] - tau[i, t] * units[i] * nu[t]
        if fixed[i] != 0:
            for t in range(phases):
                row[t] = 1.0 if fixed[i] > 0 else 0.0
        elif coupled:
            monotone(row)
        for t in range(phases):
            if fixed[i] == 0 and 0 < row[t] < 1:
                slope[t] += units[i] * units[i] * tau[i, t]
            y[i, t] = min(max(row[t], 0.0), 1.0)
            excess[t] += units[i] * y[i, t]


@njit(cache=True, nogil=True)
def project(x, tau, nu, units, targets, fixed, coupled, y, sweeps):
    """Meet the unit targets by prices ``nu`` (changed in place, warm): a guarded Newton per phase."""
    phases = x.shape[1]
    excess, slope = np.empty(phases), np.empty(phases)
    low, high = np.zeros(phases), np.full(phases, np.inf)
    for _ in range(sweeps):
        place_items(x, tau, nu, units, fixed, coupled, y, excess, slope)
        done = True
        for t in range(phases):
            over = excess[t] - targets[t]
            if abs(over) <= 1e-4 * targets[t] or (over < 0 and nu[t] <= 0):
                continue
            done = False
            if not coupled:  # phases do not disturb each other: keep a bracket
                if over > 0:
                    low[t] = nu[t]
                else:
                    high[t] = nu[t]
            step = nu[t] + over / slope[t] if slope[t] > 0 else (nu[t] * 1.5 + 1e-9 if over > 0 else nu[t] / 1.5)
            if nu[t] > 0:
                step = min(max(step, nu[t] / 4), nu[t] * 4)
            if high[t] < np.inf and not low[t] < step < high[t]:
                step = 0.5 * (low[t] + high[t])
            nu[t] = max(step, 0.0)
        if done:
            break


@njit(cache=True, nogil=True)
def start_pass(ptr, items, y, weights, family, factor, u):
    """First row prices: the row's weight, shared by those who cover it."""
    for j in range(weights.shape[0]):
        for lane in range(4):
            a = np.float32(0)
            for t in range(ptr[j], ptr[j + 1]):
                a += y[items[t], lane]
            u[j, lane] = weights[j] * factor[family[j], lane] / max(a, np.float32(1))
