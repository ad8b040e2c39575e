"""Kernels that make moves: exchanges between phases, filling up, admitting, dropping, and the order within phases.

The state they work on and what a single move does to it is in ``_walk``.
"""

import lcsiting._cache  # noqa: F401, I001  (sets the cache directory before numba is imported)

import numpy as np
from numba import njit

from lcsiting.siting._walk import fits, keeps_floors, relabel, worth

HEADS = 48  # how many of the best candidates anywhere are looked at for one that leaves
ANY = 2**60


@njit(cache=True, nogil=True)
def _lift(walk, out, low, high, extra, near, sign):
    """Add (or take off) what others would gain if ``out`` left; list them in ``near``, return how many."""
    found = 0
    for t in range(walk.indptr[out], walk.indptr[out + 1]):
        j = walk.indices[t]
        gained = np.int64(0)
        for s in range(low, high):
            if walk.count[j, s] == 1:
                gained += walk.weights[j] * walk.factor[walk.family[j], s]
        if gained == 0:
            continue
        for q in range(walk.row_ptr[j], walk.row_ptr[j + 1]):
            x = walk.row_items[q]
            if walk.label[x] == high and walk.fixed[x] == 0:
                if extra[x] == 0 and sign > 0:
                    near[found] = x
                    found += 1
                extra[x] += sign * gained
    return found


@njit(cache=True, nogil=True)
def _better(value, item, best_value, best_item):
    return value > best_value or (value == best_value and best_item >= 0 and item < best_item)


@njit(cache=True, nogil=True)
def exchange_pass(walk, low, high, hard, charge):
    """Let items that enter in ``low`` and items that enter in ``high`` change places where it pays.

    Every item of ``low`` is tried, cheapest first, against those near it (who inherit its rows) and the
    best anywhere. ``charge[i]`` is taken off what an item is worth; ``hard`` keeps the floors. Returns
    the moves made.
    """
    n = walk.label.shape[0]
    leaving, joining = np.flatnonzero(walk.label == low), np.flatnonzero(walk.label == high)
    cost, value = np.empty(leaving.shape[0], np.int64), np.empty(joining.shape[0], np.int64)
    for k in range(leaving.shape[0]):
        cost[k] = worth(walk, leaving[k], low, high) - charge[leaving[k]]
    for k in range(joining.shape[0]):
        value[k] = -(worth(walk, joining[k], low, high) - charge[joining[k]])
    leaving = leaving[np.argsort(cost, kind="mergesort")]
    joining = joining[np.argsort(value, kind="mergesort")]
    extra, near = np.zeros(n, np.int64), np.empty(n, np.int32)
    moves, head = 0, 0
    for out in leaving:
        if walk.fixed[out] or walk.label[out] != low:
            continue
        loss = worth(walk, out, low, high) - charge[out]
        found = _lift(walk, out, low, high, extra, near, 1)
        best, best_value = -1, loss
        while head < joining.shape[0] and (walk.label[joining[head]] != high or walk.fixed[joining[head]]):
            head += 1
        seen, k = 0, head
        while seen < HEADS and k < joining.shape[0]:
            x = joining[k]
            k += 1
            if walk.label[x] != high or walk.fixed[x]:
                continue
            seen += 1
            gained = worth(walk, x, low, high) - charge[x] + extra[x]
            if _better(gained, x, best_value, best) and fits(walk, out, x, low, high):
                if hard and not keeps_floors(walk, out, x, low, high):
                    continue
                best, best_value = x, gained
        for k in range(found):
            x = near[k]
            gained = worth(walk, x, low, high) - charge[x] + extra[x]
            if _better(gained, x, best_value, best) and fits(walk, out, x, low, high):
                if hard and not keeps_floors(walk, out, x, low, high):
                    continue
                best, best_value = x, gained
        _lift(walk, out, low, high, extra, near, -1)
        if best >= 0:
            relabel(walk, out, high)
            relabel(walk, best, low)
            moves += 1
    return moves


@njit(cache=True, nogil=True)
def _sift(keys, items, place, size):
    key, item = keys[place], items[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and (
            keys[child + 1] > keys[child] or (keys[child + 1] == keys[child] and items[child + 1] < items[child])
        ):
            child += 1
        if not (keys[child] > key or (keys[child] == key and items[child] < item)):
            break
        keys[place], items[place] = keys[child], items[child]
        place = child
    keys[place], items[place] = key, item


@njit(cache=True, nogil=True)
def helps(walk, i, phase):
    """Whether item ``i`` reduces a limit that is broken in ``phase`` (a lower quota)."""
    for q in range(walk.side_ptr[i], walk.side_ptr[i + 1]):
        if walk.load[q] < 0 and walk.slack[phase, walk.side_of[q]] < 0:
            return True
    return False


@njit(cache=True, nogil=True)
def short_of_floor(walk, phase):
    """Whether a floor of the phase does not hold."""
    return walk.spare.shape[1] > 0 and walk.spare[phase].min() < 0


@njit(cache=True, nogil=True)
def fill(walk, phase, charge, per, least, only_helpful, until_floors):
    """Bring items into ``phase`` while they fit, best ``(worth - charge) / per`` first.

    ``worth`` counts the phases from here to where the item would enter anyway; only items worth
    ``least`` or more come in. With ``only_helpful`` only items that mend a lower quota; with
    ``until_floors`` only as long as a floor does not hold. Returns the moves.
    """
    n = walk.label.shape[0]
    keys, items = np.empty(n, np.float64), np.empty(n, np.int32)
    size, moves = 0, 0
    for i in range(n):
        if walk.label[i] > phase and walk.fixed[i] == 0 and (not only_helpful or helps(walk, i, phase)):
            keys[size] = (worth(walk, i, phase, walk.label[i]) - charge[i]) / per[i]
            items[size] = i
            size += 1
    for place in range(size // 2 - 1, -1, -1):
        _sift(keys, items, place, size)
    while size > 0 and not (until_floors and not short_of_floor(walk, phase)):
        i = items[0]
        value = worth(walk, i, phase, walk.label[i])
        key = (value - charge[i]) / per[i]
        if key < keys[0]:
            keys[0] = key
            _sift(keys, items, 0, size)
            continue
        size -= 1
        keys[0], items[0] = keys[size], items[size]
        _sift(keys, items, 0, size)
        if value < least or (only_helpful and not helps(walk, i, phase)):
            continue
        if fits(walk, -1, i, phase, walk.label[i]):
            relabel(walk, i, phase)
            moves += 1
    return moves


@njit(cache=True, nogil=True)
def admit(walk, phase, wanted):
    """Let items enter in ``phase``, in the order given, as long as they fit. Returns the moves."""
    moves = 0
    for i in wanted:
        if walk.label[i] > phase and walk.fixed[i] == 0 and fits(walk, -1, i, phase, walk.label[i]):
            relabel(walk, i, phase)
            moves += 1
    return moves


@njit(cache=True, nogil=True)
def within_order(indptr, indices, weights, bonus, label, n_phases, order, gain):
    """Order the chosen items phase by phase, each phase's own by what they newly cover (lazy greedy).

    Label -1 comes first, by index. Fills ``order`` and ``gain``, returns the length.
    """
    covered = np.zeros(weights.shape[0], np.uint8)
    n, picked = label.shape[0], 0
    keys, items = np.empty(n, np.float64), np.empty(n, np.int32)
    current = np.empty(n, np.int64)
    for phase in range(-1, n_phases):
        size = 0
        for i in range(n):
            if label[i] == phase:
                total = np.int64(0)
                for t in range(indptr[i], indptr[i + 1]):
                    if covered[indices[t]] == 0:
                        total += weights[indices[t]]
                current[i] = total
                keys[size] = -i if phase < 0 else total + bonus[i]
                items[size] = i
                size += 1
        for place in range(size // 2 - 1, -1, -1):
            _sift(keys, items, place, size)
        while size > 0:
            i = items[0]
            total = np.int64(0)
            for t in range(indptr[i], indptr[i + 1]):
                if covered[indices[t]] == 0:
                    total += weights[indices[t]]
            if phase >= 0 and total + bonus[i] < keys[0]:
                keys[0] = total + bonus[i]
                _sift(keys, items, 0, size)
                continue
            size -= 1
            keys[0], items[0] = keys[size], items[size]
            _sift(keys, items, 0, size)
            for t in range(indptr[i], indptr[i + 1]):
                covered[indices[t]] = 1
            order[picked], gain[picked] = i, total
            picked += 1
    return picked


@njit(cache=True, nogil=True)
def drop_pass(walk, order, cost):
    """Take out items, in the order given, whose absence breaks nothing; returns the cost saved."""
    phases, saved = walk.count.shape[1], 0.0
    for i in order:
        low = walk.label[i]
        if low == phases or walk.fixed[i] or cost[i] <= 0:
            continue
        if fits(walk, i, -1, low, phases) and keeps_floors(walk, i, -1, low, phases):
            relabel(walk, i, phases)
            saved += cost[i]
    return saved
