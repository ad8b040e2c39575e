"""Three sectors a site: a point at distance r in direction theta is served by a sector towards d if

    |theta - d| <= 60 deg   and   r <= R (1 - |theta - d| / 120 deg),

that is if d lies within ``min(60, 120 (1 - r / R))`` degrees of theta. What a direction serves is then a
sum over intervals of directions, so the best one is read off a running sum.
"""

import lcsiting._cache  # noqa: F401, I001  (sets the cache directory before numba is imported)

import numpy as np
from numba import njit

STEP_DEG = 5
STEPS = 360 // STEP_DEG
APART = 45 // STEP_DEG  # steps between main directions, at least
EDGE_DEG = 60.0
SECTORS = 3
EDGE = 1e-10  # degrees; a point exactly on the edge is served


@njit(cache=True, nogil=True)
def intervals(x, y, radius, points_x, points_y, rows, first, last):
    """First and last step of the directions that serve each point; nobody if first > last."""
    for k in range(rows.shape[0]):
        dx, dy = points_x[rows[k]] - x, points_y[rows[k]] - y
        if dx == 0 and dy == 0:
            first[k], last[k] = 0, STEPS - 1
            continue
        away = np.sqrt(float(dx * dx + dy * dy))
        half = min(EDGE_DEG, 2.0 * EDGE_DEG * (1.0 - away / radius)) + EDGE
        theta = np.degrees(np.arctan2(float(dy), float(dx)))
        first[k], last[k] = int(np.ceil((theta - half) / STEP_DEG)), int(np.floor((theta + half) / STEP_DEG))


@njit(cache=True, nogil=True)
def serves(first, last, step):
    """Whether a direction lies within an interval of steps."""
    return first <= last and (step - first) % STEPS <= last - first


@njit(cache=True, nogil=True)
def served_by_step(first, last, value, skip, total):
    """Value each direction serves, of the points not skipped."""
    total[:] = 0.0
    for k in range(value.shape[0]):
        if skip[k] or first[k] > last[k]:
            continue
        a, length = first[k] % STEPS, last[k] - first[k] + 1
        total[a] += value[k]
        if a + length < STEPS:
            total[a + length] -= value[k]
        elif a + length > STEPS:
            total[0] += value[k]
            total[a + length - STEPS] -= value[k]
    for d in range(1, STEPS):
        total[d] += total[d - 1]


@njit(cache=True, nogil=True)
def aim(first, last, value, steps, total, skip):
    """Turn the sectors one after the other to where they add most, until none moves; steps < 0 are unset.

    Returns the value served.
    """
    served = 0.0
    for _ in range(8):
        moved = False
        for s in range(SECTORS):
            for k in range(value.shape[0]):
                skip[k] = 0
                for o in range(SECTORS):
                    if o != s and steps[o] >= 0 and serves(first[k], last[k], steps[o]):
                        skip[k] = 1
            served_by_step(first, last, value, skip, total)
            best = steps[s]
            for d in range(STEPS):
                free = True
                for o in range(SECTORS):
                    if o != s and steps[o] >= 0:
                        gap = (d - steps[o]) % STEPS
                        free = free and min(gap, STEPS - gap) >= APART
                if free and (best < 0 or total[d] > total[best] + 1e-9):
                    best = d
            if best != steps[s]:
                steps[s] = best
                moved = True
        if not moved:
            break
    for k in range(value.shape[0]):
        for o in range(SECTORS):
            if serves(first[k], last[k], steps[o]):
                served += value[k]
                break
    return served


@njit(cache=True, nogil=True)
def aim_all(indptr, indices, xy, radius, points_x, points_y, value):
    """Directions of every item by themselves, (k, 3) steps, and the value they serve, (k,)."""
    n = indptr.shape[0] - 1
    steps, served = np.full((n, SECTORS), -1, np.int64), np.zeros(n)
    total = np.zeros(STEPS)
    for i in range(n):
        rows = indices[indptr[i] : indptr[i + 1]]
        first, last = np.empty(rows.shape[0], np.int64), np.empty(rows.shape[0], np.int64)
        intervals(xy[i, 0], xy[i, 1], radius[i], points_x, points_y, rows, first, last)
        served[i] = aim(first, last, value[rows], steps[i], total, np.zeros(rows.shape[0], np.uint8))
    return steps, served


@njit(cache=True, nogil=True)
def mark(first, last, step, skip, depth):
    """Count in (1) or out (-1) the points a direction serves."""
    for k in range(first.shape[0]):
        if serves(first[k], last[k], step):
            skip[k] += depth


@njit(cache=True, nogil=True)
def best_three(first, last, value, least, steps):
    """The most any three directions serve if that is more than ``least``, else ``least``; by branch and bound."""
    skip = np.zeros(value.shape[0], np.uint8)
    one, two, three = np.zeros(STEPS), np.zeros(STEPS), np.zeros(STEPS)
    best = least
    served_by_step(first, last, value, skip, one)
    top = one.max()
    for a in range(STEPS - 2 * APART):
        if one[a] + 2 * top <= best:
            continue
        mark(first, last, a, skip, 1)
        served_by_step(first, last, value, skip, two)
        second = two.max()
        for b in range(a + APART, STEPS - APART):
            if one[a] + two[b] + second <= best:
                continue
            mark(first, last, b, skip, 1)
            served_by_step(first, last, value, skip, three)
            for c in range(b + APART, min(STEPS, STEPS + a - APART + 1)):
                if one[a] + two[b] + three[c] > best:
                    best = one[a] + two[b] + three[c]
                    steps[0], steps[1], steps[2] = a, b, c
            mark(first, last, b, skip, -1)
        mark(first, last, a, skip, -1)
    return best


@njit(cache=True, nogil=True)
def most_of_any(indptr, indices, xy, radius, cost, points_x, points_y, value, steps, served):
    """The most any three directions of an item serve, (k,), where that is more than its cost.

    ``served`` is what ``steps`` reach; better directions are put into ``steps``.
    """
    n = indptr.shape[0] - 1
    out = np.zeros(n)
    for i in range(n):
        rows = indices[indptr[i] : indptr[i + 1]]
        out[i] = max(served[i], float(cost[i]))
        if value[rows].sum() <= out[i]:
            continue
        first, last = np.empty(rows.shape[0], np.int64), np.empty(rows.shape[0], np.int64)
        intervals(xy[i, 0], xy[i, 1], radius[i], points_x, points_y, rows, first, last)
        out[i] = best_three(first, last, value[rows], out[i] + 1e-9, steps[i])
    return out


@njit(cache=True, nogil=True)
def sector_cover(indptr, indices, xy, radius, points_x, points_y, steps):
    """The rows of the full discs that the sectors serve, compressed."""
    n = indptr.shape[0] - 1
    ptr, out, size = np.zeros(n + 1, np.int64), np.empty(indices.shape[0], np.int32), 0
    for i in range(n):
        rows = indices[indptr[i] : indptr[i + 1]]
        first, last = np.empty(rows.shape[0], np.int64), np.empty(rows.shape[0], np.int64)
        intervals(xy[i, 0], xy[i, 1], radius[i], points_x, points_y, rows, first, last)
        for k in range(rows.shape[0]):
            for s in range(SECTORS):
                if serves(first[k], last[k], steps[i, s]):
                    out[size] = rows[k]
                    size += 1
                    break
        ptr[i + 1] = size
    return ptr, out[:size].copy()


@njit(cache=True, nogil=True)
def turn_and_drop(indptr, indices, xy, radius, cost, points_x, points_y, traffic, steps, keep, goal):
    """Turn the sectors of the kept sites in place, then drop what is not needed, worst first.

    Returns the traffic served; ``steps`` and ``keep`` are changed.
    """
    n, count = indptr.shape[0] - 1, np.zeros(traffic.shape[0], np.int64)
    total = np.zeros(STEPS)
    loss = np.full(n, np.inf)
    for sweep in range(3):  # 0 counts, 1 turns, 2 prices and drops
        for i in range(n):
            if not keep[i]:
                continue
            rows = indices[indptr[i] : indptr[i + 1]]
            first, last = np.empty(rows.shape[0], np.int64), np.empty(rows.shape[0], np.int64)
            intervals(xy[i, 0], xy[i, 1], radius[i], points_x, points_y, rows, first, last)
            mine = np.zeros(rows.shape[0], np.uint8)
            for k in range(rows.shape[0]):
                for s in range(SECTORS):
                    if serves(first[k], last[k], steps[i, s]):
                        mine[k] = 1
            if sweep > 0:
                count[rows] -= mine
            worth = np.where(count[rows] == 0, traffic[rows], 0.0)
            if sweep == 1:
                before, fresh = (worth * mine).sum(), steps[i].copy()
                if aim(first, last, worth, fresh, total, np.zeros(rows.shape[0], np.uint8)) > before + 1e-9:
                    steps[i] = fresh
                    for k in range(rows.shape[0]):
                        mine[k] = 0
                        for s in range(SECTORS):
                            if serves(first[k], last[k], fresh[s]):
                                mine[k] = 1
            if sweep == 2:
                loss[i] = (worth * mine).sum() / cost[i]
            count[rows] += mine
    served = traffic[count > 0].sum()
    for i in np.argsort(loss, kind="mergesort"):
        if not keep[i] or served - loss[i] * cost[i] < goal:
            continue
        rows = indices[indptr[i] : indptr[i + 1]]
        first, last = np.empty(rows.shape[0], np.int64), np.empty(rows.shape[0], np.int64)
        intervals(xy[i, 0], xy[i, 1], radius[i], points_x, points_y, rows, first, last)
        mine, lost = np.zeros(rows.shape[0], np.uint8), 0.0
        for k in range(rows.shape[0]):
            for s in range(SECTORS):
                if serves(first[k], last[k], steps[i, s]):
                    mine[k] = 1
            if mine[k] and count[rows[k]] == 1:
                lost += traffic[rows[k]]
        if served - lost >= goal:
            served -= lost
            count[rows] -= mine
            keep[i] = False
    return served
