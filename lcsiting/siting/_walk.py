"""Kernels of the joint improvement: exact gains of every item in every phase, kept up to date.

An item's *label* is the phase it enters, ``n_phases`` if never; it is in the choice of phase s when
``label <= s``. ``gain[i, s]`` is the weight of the rows of i that no other item of phase s covers: what
it would add if it is out, what its removal would lose if it is in. Every move changes labels; what it is
worth is a sum of gains over the phases in which the item comes or goes.
"""

import lcsiting._cache  # noqa: F401, I001  (sets the cache directory before numba is imported)
from typing import Any, NamedTuple

import numpy as np
from numba import njit


class Walk(NamedTuple):
    """The state of the search; kernels change ``label``, ``count``, ``gain``, ``slack``, ``spare``, ``clash``.

    ``factor[family, s]`` multiplies a row's weight in phase s; ``bonus[i, s]`` is the item's own worth;
    ``slack[s, side]`` is what a limit leaves; ``spare[s, floor]`` what is covered beyond a floor;
    ``clash[i]`` how many chosen items exclude i; ``fixed`` items never move.
    """

    indptr: Any
    indices: Any
    row_ptr: Any
    row_items: Any
    weights: Any
    family: Any
    member: Any
    factor: Any
    bonus: Any
    side_ptr: Any
    side_of: Any
    load: Any
    clash_ptr: Any
    clash_items: Any
    fixed: Any
    label: Any
    count: Any
    gain: Any
    slack: Any
    spare: Any
    clash: Any
    scratch: Any
    touched: Any


@njit(cache=True, nogil=True)
def reset(walk):
    """Counts, gains and clashes from the labels; slack and spare must hold the bare limits and minus the needs."""
    phases = walk.count.shape[1]
    walk.count[:] = 0
    walk.gain[:] = 0
    walk.clash[:] = 0
    for i in range(walk.label.shape[0]):
        if walk.label[i] < phases:
            for t in range(walk.indptr[i], walk.indptr[i + 1]):
                for s in range(walk.label[i], phases):
                    walk.count[walk.indices[t], s] += 1
            for q in range(walk.side_ptr[i], walk.side_ptr[i + 1]):
                for s in range(walk.label[i], phases):
                    walk.slack[s, walk.side_of[q]] -= walk.load[q]
            for q in range(walk.clash_ptr[i], walk.clash_ptr[i + 1]):
                walk.clash[walk.clash_items[q]] += 1
    for i in range(walk.label.shape[0]):
        for t in range(walk.indptr[i], walk.indptr[i + 1]):
            j = walk.indices[t]
            for s in range(phases):
                if walk.count[j, s] == (1 if walk.label[i] <= s else 0):
                    walk.gain[i, s] += walk.weights[j] * walk.factor[walk.family[j], s]
    for j in range(walk.weights.shape[0]):
        for s in range(phases):
            if walk.count[j, s] > 0:
                for r in range(walk.member.shape[1]):
                    if walk.member[walk.family[j], r]:
                        walk.spare[s, r] += walk.weights[j]


@njit(cache=True, nogil=True)
def objective(walk):
    """Sum over phases of factor times covered weight, plus the chosen items' own worth."""
    total = np.int64(0)
    phases = walk.count.shape[1]
    for j in range(walk.weights.shape[0]):
        for s in range(phases):
            if walk.count[j, s] > 0:
                total += walk.weights[j] * walk.factor[walk.family[j], s]
    for i in range(walk.label.shape[0]):
        for s in range(walk.label[i], phases):
            total += walk.bonus[i, s]
    return total


@njit(cache=True, nogil=True)
def _enter(walk, i, s):
    for t in range(walk.indptr[i], walk.indptr[i + 1]):
        j = walk.indices[t]
        walk.count[j, s] += 1
        if walk.count[j, s] > 2:
            continue
        worth = walk.weights[j] * walk.factor[walk.family[j], s]
        if walk.count[j, s] == 1:
            for q in range(walk.row_ptr[j], walk.row_ptr[j + 1]):
                walk.gain[walk.row_items[q], s] -= worth
            walk.gain[i, s] += worth
            for r in range(walk.member.shape[1]):
                if walk.member[walk.family[j], r]:
                    walk.spare[s, r] += walk.weights[j]
        else:
            for q in range(walk.row_ptr[j], walk.row_ptr[j + 1]):
                x = walk.row_items[q]
                if x != i and walk.label[x] <= s:
                    walk.gain[x, s] -= worth
                    break


@njit(cache=True, nogil=True)
def _leave(walk, i, s):
    for t in range(walk.indptr[i], walk.indptr[i + 1]):
        j = walk.indices[t]
        walk.count[j, s] -= 1
        if walk.count[j, s] > 1:
            continue
        worth = walk.weights[j] * walk.factor[walk.family[j], s]
        if walk.count[j, s] == 0:
            for q in range(walk.row_ptr[j], walk.row_ptr[j + 1]):
                walk.gain[walk.row_items[q], s] += worth
            walk.gain[i, s] -= worth
            for r in range(walk.member.shape[1]):
                if walk.member[walk.family[j], r]:
                    walk.spare[s, r] -= walk.weights[j]
        else:
            for q in range(walk.row_ptr[j], walk.row_ptr[j + 1]):
                x = walk.row_items[q]
                if x != i and walk.label[x] <= s:
                    walk.gain[x, s] += worth
                    break


@njit(cache=True, nogil=True)
def relabel(walk, i, new):
    """Let item ``i`` enter in phase ``new`` instead."""
    old, phases = walk.label[i], walk.count.shape[1]
    for s in range(min(old, new), max(old, new)):
        if new < old:
            _enter(walk, i, s)
        else:
            _leave(walk, i, s)
        sign = -1 if new < old else 1
        for q in range(walk.side_ptr[i], walk.side_ptr[i + 1]):
            walk.slack[s, walk.side_of[q]] += sign * walk.load[q]
    if (old == phases) != (new == phases):
        change = 1 if old == phases else -1
        for q in range(walk.clash_ptr[i], walk.clash_ptr[i + 1]):
            walk.clash[walk.clash_items[q]] += change
    walk.label[i] = new


@njit(cache=True, nogil=True)
def worth(walk, i, low, high):
    """What item ``i`` is worth in the phases ``low`` to ``high - 1``."""
    total = np.int64(0)
    for s in range(low, high):
        total += walk.gain[i, s] + walk.bonus[i, s]
    return total


@njit(cache=True, nogil=True)
def fits(walk, out, into, low, high):
    """Whether ``into`` may take the place of ``out`` (-1: nobody) in these phases; limits and conflicts.

    A limit that is broken already must not get worse.
    """
    phases = walk.count.shape[1]
    if high == phases and into >= 0:
        clashes = walk.clash[into]
        if clashes and out >= 0:
            for q in range(walk.clash_ptr[into], walk.clash_ptr[into + 1]):
                if walk.clash_items[q] == out:
                    clashes -= 1
        if clashes > 0:
            return False
    if into >= 0:
        for q in range(walk.side_ptr[into], walk.side_ptr[into + 1]):
            walk.scratch[walk.side_of[q]] += walk.load[q]
    if out >= 0:
        for q in range(walk.side_ptr[out], walk.side_ptr[out + 1]):
            walk.scratch[walk.side_of[q]] -= walk.load[q]
    good = True
    for turn in range(2):
        item = np.int64(into) if turn == 0 else np.int64(out)
        if item < 0:
            continue
        for q in range(walk.side_ptr[item], walk.side_ptr[item + 1]):
            side = walk.side_of[q]
            more = walk.scratch[side]
            if more > 0:
                for s in range(low, high):
                    if walk.slack[s, side] < more:
                        good = False
    for turn in range(2):
        item = np.int64(into) if turn == 0 else np.int64(out)
        if item >= 0:
            for q in range(walk.side_ptr[item], walk.side_ptr[item + 1]):
                walk.scratch[walk.side_of[q]] = 0
    return good


@njit(cache=True, nogil=True)
def keeps_floors(walk, out, into, low, high):
    """Whether every floor that holds still holds (and no broken one gets worse) after the exchange."""
    floors = walk.member.shape[1]
    for s in range(low, high):
        for r in range(floors):
            change = np.int64(0)
            if out >= 0:
                for t in range(walk.indptr[out], walk.indptr[out + 1]):
                    j = walk.indices[t]
                    if walk.count[j, s] == 1 and walk.member[walk.family[j], r]:
                        change -= walk.weights[j]
                        walk.touched[j] = 1
            if into >= 0:
                for t in range(walk.indptr[into], walk.indptr[into + 1]):
                    j = walk.indices[t]
                    if walk.member[walk.family[j], r] and (walk.count[j, s] == 0 or walk.touched[j]):
                        change += walk.weights[j]
            if out >= 0:
                for t in range(walk.indptr[out], walk.indptr[out + 1]):
                    walk.touched[walk.indices[t]] = 0
            if change < 0 and walk.spare[s, r] + change < 0:
                return False
    return True
