"""Kernels of the explanations: who covered a row first, what is lost with a station, who could stand in."""

import lcsiting._cache  # noqa: F401, I001  (sets the cache directory before numba is imported)
import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def first_servers(indptr, indices, order, owner, serving):
    """Walk through a plan: ``owner[row]`` is the turn of the first station on it, ``serving`` their number."""
    for turn in range(order.shape[0]):
        for t in range(indptr[order[turn]], indptr[order[turn] + 1]):
            j = indices[t]
            serving[j] += 1
            if owner[j] < 0:
                owner[j] = turn


@njit(cache=True, nogil=True)
def takers(indptr, indices, items, turns, deadlines, owner, weights, turn_count, taker, taken, total, left):
    """Who covered an item's rows before its turn.

    ``taker[r, m]`` and ``taken[r, m]``: turn and weight of the m-th largest taker (ties: the earlier
    turn), -1 and 0 if there is none. ``total``: weight of the item's rows. ``left``: what was still
    uncovered when ``deadlines[r]`` stations were in service.
    """
    sums = np.zeros(turn_count, np.int64)
    touched = np.empty(turn_count, np.int32)
    for r in range(items.shape[0]):
        n = 0
        for t in range(indptr[items[r]], indptr[items[r] + 1]):
            j = indices[t]
            total[r] += weights[j]
            k = owner[j]
            if k < 0 or k >= deadlines[r]:
                left[r] += weights[j]
            if k >= 0 and k < turns[r] and weights[j] > 0:
                if sums[k] == 0:
                    touched[n] = k
                    n += 1
                sums[k] += weights[j]
        for m in range(taker.shape[1]):
            best = -1
            for a in range(n):
                k = touched[a]
                if sums[k] > 0 and (best < 0 or sums[k] > sums[best] or (sums[k] == sums[best] and k < best)):
                    best = k
            if best < 0:
                break
            taker[r, m], taken[r, m] = best, sums[best]
            sums[best] = 0
        for a in range(n):
            sums[touched[a]] = 0


@njit(cache=True, nogil=True)
def lost_without(owner, serving, weights, measures, services, weight, sums):
    """What each turn's station alone covers: weight over all rows, measures over the first service."""
    n_cells = measures.shape[1]
    for j in range(owner.shape[0]):
        if serving[j] == 1:
            weight[owner[j]] += weights[j]
            if (j // n_cells) % services == 0:
                for k in range(measures.shape[0]):
                    sums[owner[j], k] += measures[k, j % n_cells]


@njit(cache=True, nogil=True)
def substitutes(indptr, indices, unused, owner, serving, weights, best, gain):
    """For each turn the unused items that would cover most if its station were missing.

    ``best[turn, m]`` item or -1, ``gain[turn, m]`` what it would cover then; only items that share a
    row the station alone covers. Ties: the lower item.
    """
    turn_count, choices = best.shape
    sums = np.zeros(turn_count, np.int64)
    touched = np.empty(turn_count, np.int32)
    for a in range(unused.shape[0]):
        i = unused[a]
        n, free = 0, np.int64(0)
        for t in range(indptr[i], indptr[i + 1]):
            j = indices[t]
            if serving[j] == 0:
                free += weights[j]
            elif serving[j] == 1 and weights[j] > 0:
                k = owner[j]
                if sums[k] == 0:
                    touched[n] = k
                    n += 1
                sums[k] += weights[j]
        for b in range(n):
            k = touched[b]
            value = free + sums[k]
            sums[k] = 0
            if best[k, choices - 1] >= 0 and value <= gain[k, choices - 1]:
                continue
            m = choices - 1
            while m > 0 and (best[k, m - 1] < 0 or value > gain[k, m - 1]):
                best[k, m], gain[k, m] = best[k, m - 1], gain[k, m - 1]
                m -= 1
            best[k, m], gain[k, m] = i, value


@njit(cache=True, nogil=True)
def replacement_sums(indptr, indices, items, turns, owner, serving, measures, services, sums):
    """Measures of the first service that item ``items[r]`` would cover if turn ``turns[r]`` were missing."""
    n_cells = measures.shape[1]
    for r in range(items.shape[0]):
        for t in range(indptr[items[r]], indptr[items[r] + 1]):
            j = indices[t]
            if (j // n_cells) % services == 0 and (serving[j] == 0 or (serving[j] == 1 and owner[j] == turns[r])):
                for k in range(measures.shape[0]):
                    sums[r, k] += measures[k, j % n_cells]


@njit(cache=True, nogil=True)
def item_sums(indptr, indices, items, left, out):
    """Sum of ``left`` over the rows of each of ``items``, into ``out``."""
    for r in range(items.shape[0]):
        total = np.int64(0)
        for t in range(indptr[items[r]], indptr[items[r] + 1]):
            total += left[indices[t]]
        out[r] = total
