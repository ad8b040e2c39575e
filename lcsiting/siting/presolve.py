"""A smaller cover with the same optimum: excluded and superfluous items out, rows with equal covers merged.

*Excluded* items (``problem.barred_items``) lose their rows. An item is *superfluous* beside another one that
covers all its rows, loads no limit more, has no smaller bonus and excludes nobody whom it does not exclude,
if beside that one it is worth nothing itself (no bonus, no help with a lower quota) or the two exclude each
other: some best choice does without it. Of equal items the first stays. Items keep their numbers.

Each item draws two fixed 64-bit numbers; a row's key is the pair of their sums over its items, so rows
with equal items have equal keys, and unequal ones do not but for a chance of about ``2**-128`` a pair.
Rows of different floors are never merged. Rows nobody covers are dropped. The new rows are numbered by
the first item that covers them, which keeps what an item reads close together in memory; renumbering the
items as well, along a Morton curve of their positions, changed neither a dual iteration (53 ms on L2, 13 ms
on LD, 3.4 ms on M either way) nor the greedy choice, so it is not done.
"""

import lcsiting._cache  # noqa: F401, I001  (sets the cache directory before numba is imported)
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lcsiting.siting.problem import Problem

Ints = NDArray[np.int64]
SEED = 20200521
NO_SIDE = 2**30


@dataclass(frozen=True)
class Reduced:
    """A presolved cover.

    Attributes
    ----------
    indptr, indices : int64 (n_items + 1,), int32 (pairs,)
        Item to class, in the items' original order.
    row_ptr, row_items : int64 (n_classes + 1,), int32 (pairs,)
        Class to item, ascending.
    weights : int64 (n_classes,)
        Sum of the weights of the merged rows.
    family : int32 (n_classes,)
        Which set of floors the class lies in.
    member : uint8 (n_families, n_floors)
        Floors of each family.
    class_of : int32 (n_rows,)
        Class of each original row, -1 if nobody who can be chosen covers it.
    superior : int32 (n_items,)
        The item that makes this one superfluous, -1 if none does.
    """

    indptr: Ints
    indices: NDArray[np.int32]
    row_ptr: Ints
    row_items: NDArray[np.int32]
    weights: Ints
    family: NDArray[np.int32]
    member: NDArray[np.uint8]
    class_of: NDArray[np.int32]
    superior: NDArray[np.int32]


@njit(cache=True, nogil=True)
def row_keys(indptr, indices, out, draws, keys, first):
    """Add the draws of every item that is not out to the keys of its rows; note the first item of each row."""
    for i in range(indptr.shape[0] - 1):
        if out[i]:
            continue
        a, b = draws[i, 0], draws[i, 1]
        for t in range(indptr[i], indptr[i + 1]):
            j = indices[t]
            keys[j, 0] += a
            keys[j, 1] += b
            if first[j] < 0:
                first[j] = i


@njit(cache=True, nogil=True)
def classify(keys, first, family, weights, order, class_of, class_weight, class_family):
    """Give equal keys one class number, in the given order of rows; return how many there are."""
    size = 1
    while size < 2 * order.shape[0] + 2:
        size *= 2
    slots = np.full(size, -1, np.int32)
    count = 0
    for k in range(order.shape[0]):
        j = order[k]
        if first[j] < 0:
            continue
        place = np.int64((keys[j, 0] ^ (keys[j, 1] >> np.uint64(17))) & np.uint64(size - 1))
        while True:
            other = slots[place]
            if other < 0:
                slots[place] = j
                class_of[j] = count
                class_weight[count] = weights[j]
                class_family[count] = family[j]
                count += 1
                break
            if keys[other, 0] == keys[j, 0] and keys[other, 1] == keys[j, 1] and family[other] == family[j]:
                class_of[j] = class_of[other]
                class_weight[class_of[j]] += weights[j]
                class_of[j] = -2 - class_of[other]  # not the first of its class
                break
            place = (place + 1) & (size - 1)
    return count


@njit(cache=True, nogil=True)
def compress(indptr, indices, out, class_of, new_ptr, kept):
    """Keep the first row of every class in the list of each item that is not out."""
    at = np.int64(0)
    for i in range(indptr.shape[0] - 1):
        start = at
        if not out[i]:
            for t in range(indptr[i], indptr[i + 1]):
                c = class_of[indices[t]]
                if c >= 0:
                    kept[at] = c
                    at += 1
        kept[start:at].sort()
        new_ptr[i + 1] = at


@njit(cache=True, nogil=True)
def transpose(indptr, indices, row_ptr, out):
    """Row to item lists of a compressed item to row matrix; ``row_ptr`` starts as zeros."""
    for t in range(indices.shape[0]):
        row_ptr[indices[t] + 1] += 1
    for j in range(row_ptr.shape[0] - 1):
        row_ptr[j + 1] += row_ptr[j]
    fill = row_ptr[:-1].copy()
    for i in range(indptr.shape[0] - 1):
        for t in range(indptr[i], indptr[i + 1]):
            j = indices[t]
            out[fill[j]] = i
            fill[j] += 1


@njit(cache=True, nogil=True)
def _excludes(ptr, items, i, k):
    """Whether item i excludes item k; the lists ascend."""
    at = ptr[i] + np.searchsorted(items[ptr[i] : ptr[i + 1]], k)
    return at < ptr[i + 1] and items[at] == k


@njit(cache=True, nogil=True)
def _loads_no_more(ptr, of, load, a, b):
    """1 if item b loads some limit less than a and none more, 0 if they are equal, -1 if b loads one more."""
    p, q, less = ptr[a], ptr[b], 0
    while p < ptr[a + 1] or q < ptr[b + 1]:
        mine, its = np.int64(0), np.int64(0)
        side = min(of[p] if p < ptr[a + 1] else NO_SIDE, of[q] if q < ptr[b + 1] else NO_SIDE)
        if p < ptr[a + 1] and of[p] == side:
            mine = load[p]
            p += 1
        if q < ptr[b + 1] and of[q] == side:
            its = load[q]
            q += 1
        if its > mine:
            return -1
        if its < mine:
            less = 1
    return less


@njit(cache=True, nogil=True)
def _covers(indptr, indices, a, b):
    """Whether item b covers all rows of a; both lists ascend."""
    t = indptr[b]
    for s in range(indptr[a], indptr[a + 1]):
        while t < indptr[b + 1] and indices[t] < indices[s]:
            t += 1
        if t == indptr[b + 1] or indices[t] != indices[s]:
            return False
    return True


@njit(cache=True, nogil=True)
def _beats(indptr, indices, bonus, side_ptr, side_of, low, high, clash_ptr, clash_items, a, b):
    """Whether a is superfluous beside b; never true both ways."""
    more = (indptr[b + 1] - indptr[b]) - (indptr[a + 1] - indptr[a])
    if more < 0 or bonus[b] < bonus[a]:
        return False
    down, up = (
        _loads_no_more(side_ptr, side_of, low, a, b),
        _loads_no_more(side_ptr, side_of, high, a, b),
    )
    if down < 0 or up < 0 or not _covers(indptr, indices, a, b):
        return False
    helps = bonus[a] > 0
    for q in range(side_ptr[a], side_ptr[a + 1]):
        helps = helps or low[q] < 0
    if helps and not _excludes(clash_ptr, clash_items, b, a):
        return False
    for q in range(clash_ptr[b], clash_ptr[b + 1]):
        if clash_items[q] != a and not _excludes(clash_ptr, clash_items, a, clash_items[q]):
            return False
    fewer = (clash_ptr[a + 1] - clash_ptr[a]) - (clash_ptr[b + 1] - clash_ptr[b])
    return more > 0 or bonus[b] > bonus[a] or down > 0 or fewer > 0 or b < a


@njit(cache=True, nogil=True)
def find_superior(
    indptr, indices, row_ptr, row_items, out, bonus, side_ptr, side_of, low, high, clash_ptr, clash_items, above
):
    """Fill ``above`` with an item that makes each superfluous, among those on its row with the fewest items."""
    for a in range(indptr.shape[0] - 1):
        if out[a] or indptr[a] == indptr[a + 1]:
            continue
        rare = indices[indptr[a]]
        for t in range(indptr[a], indptr[a + 1]):
            j = indices[t]
            if row_ptr[j + 1] - row_ptr[j] < row_ptr[rare + 1] - row_ptr[rare]:
                rare = j
        for q in range(row_ptr[rare], row_ptr[rare + 1]):
            b = row_items[q]
            if (
                b != a
                and not out[b]
                and _beats(indptr, indices, bonus, side_ptr, side_of, low, high, clash_ptr, clash_items, a, b)
            ):
                above[a] = b
                break


def families(problem: Problem) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Family of each row (rows in the same floors share one) and the floors of each family."""
    m, floors = len(problem.weights), len(problem.floor_rows)
    if not floors:
        return np.zeros(m, np.int32), np.zeros((1, 0), np.uint8)
    inside = np.zeros((m, floors), np.uint8)
    for r, rows in enumerate(problem.floor_rows):
        inside[rows, r] = 1
    packed = np.packbits(inside, axis=1)
    key = np.ascontiguousarray(packed).view([("", np.uint8)] * packed.shape[1]).ravel()
    _, first, family = np.unique(key, return_index=True, return_inverse=True)
    return family.astype(np.int32), inside[first]


def merge(
    indptr: Ints, indices: NDArray[np.int32], out: NDArray[np.bool_], weights: Ints, family: NDArray[np.int32],
    member: NDArray[np.uint8],
) -> Reduced:  # fmt: skip
    """Merge rows with equal covers and families; items that are out, and rows nobody else covers, are dropped."""
    m, n = len(weights), len(indptr) - 1
    draws = np.random.default_rng(SEED).integers(1, 2**63, (n, 2), dtype=np.uint64)
    keys, first = np.zeros((m, 2), np.uint64), np.full(m, -1, np.int32)
    row_keys(indptr, indices, out, draws, keys, first)
    order = np.argsort(first, kind="stable")
    class_of, weight, of = np.full(m, -1, np.int32), np.zeros(m, np.int64), np.zeros(m, np.int32)
    count = classify(keys, first, family, weights, order, class_of, weight, of)
    new_ptr, kept = np.zeros(n + 1, np.int64), np.empty(len(indices), np.int32)
    compress(indptr, indices, out, class_of, new_ptr, kept)
    indices = kept[: new_ptr[-1]].copy()
    del kept, keys
    row_ptr, row_items = np.zeros(count + 1, np.int64), np.empty(len(indices), np.int32)
    transpose(new_ptr, indices, row_ptr, row_items)
    class_of = np.where(class_of < -1, -2 - class_of, class_of).astype(np.int32)
    none = np.full(n, -1, np.int32)
    return Reduced(new_ptr, indices, row_ptr, row_items, weight[:count], of[:count], member, class_of, none)


def presolve(problem: Problem) -> Reduced:
    """Drop what is excluded, merge rows with equal covers and drop those nobody covers.

    Parameters
    ----------
    problem : Problem
        Items keep their numbers.

    Returns
    -------
    Reduced
    """
    family, member = families(problem)
    return merge(problem.indptr, problem.indices, problem.barred, problem.weights, family, member)


def without_superfluous(problem: Problem, reduced: Reduced) -> tuple[Problem, Reduced]:
    """Bar the superfluous items and merge again; see the head of the module.

    Parameters
    ----------
    problem, reduced : Problem, Reduced
        A request and what :func:`presolve` made of it.

    Returns
    -------
    Problem, Reduced
        The superfluous items barred; their rows are a subset of others', so what can be covered stays.
    """
    sides = problem.sides
    out = (problem.locked | problem.barred).astype(np.uint8)
    above = np.full(len(out), -1, np.int32)
    find_superior(
        reduced.indptr, reduced.indices, reduced.row_ptr, reduced.row_items, out, problem.bonus,
        sides.ptr, sides.of, sides.low, sides.high, problem.conflict_ptr, problem.conflict_items, above,
    )  # fmt: skip
    gone = above >= 0
    if not gone.any():
        return problem, reduced
    again = merge(reduced.indptr, reduced.indices, gone, reduced.weights, reduced.family, reduced.member)
    class_of = spread(reduced, again.class_of, np.int32(-1)).astype(np.int32)
    return replace(problem, barred=problem.barred | gone), replace(again, class_of=class_of, superior=above)


def spread(reduced: Reduced, values: NDArray[Any], uncovered: Any) -> NDArray[Any]:
    """A value of each class to its rows, ``uncovered`` to rows of no class."""
    if not len(values):
        return np.full(len(reduced.class_of), uncovered)
    return np.where(reduced.class_of < 0, uncovered, values[np.maximum(reduced.class_of, 0)])
