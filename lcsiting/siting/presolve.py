"""A smaller cover with the same optimum: rows that the same items cover become one.

Each item draws two fixed 64-bit numbers; a row's key is the pair of their sums over its items, so rows
with equal items have equal keys, and unequal ones do not but for a chance of about ``2**-128`` a pair.
Rows of different floors are never merged. Rows nobody covers are dropped. The new rows are numbered by
the first item that covers them, which keeps what an item reads close together in memory.
"""

import lcsiting._cache  # noqa: F401, I001  (sets the cache directory before numba is imported)
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lcsiting.siting.problem import Problem

Ints = NDArray[np.int64]
SEED = 20200521


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
        Class of each original row, -1 if nobody covers it.
    """

    indptr: Ints
    indices: NDArray[np.int32]
    row_ptr: Ints
    row_items: NDArray[np.int32]
    weights: Ints
    family: NDArray[np.int32]
    member: NDArray[np.uint8]
    class_of: NDArray[np.int32]


@njit(cache=True, nogil=True)
def row_keys(indptr, indices, draws, keys, first):
    """Add the draws of every item to the keys of its rows; note the first item of each row."""
    for i in range(indptr.shape[0] - 1):
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
def compress(indptr, indices, class_of, new_ptr, out):
    """Keep the first row of every class in each item's list."""
    at = np.int64(0)
    for i in range(indptr.shape[0] - 1):
        start = at
        for t in range(indptr[i], indptr[i + 1]):
            c = class_of[indices[t]]
            if c >= 0:
                out[at] = c
                at += 1
        out[start:at].sort()
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


def presolve(problem: Problem) -> Reduced:
    """Merge rows with equal covers and drop those nobody covers.

    Parameters
    ----------
    problem : Problem
        Items keep their numbers.

    Returns
    -------
    Reduced
    """
    m, n = len(problem.weights), len(problem.indptr) - 1
    draws = np.random.default_rng(SEED).integers(1, 2**63, (n, 2), dtype=np.uint64)
    keys, first = np.zeros((m, 2), np.uint64), np.full(m, -1, np.int32)
    row_keys(problem.indptr, problem.indices, draws, keys, first)
    family, member = families(problem)
    order = np.argsort(first, kind="stable")
    class_of, weight, of = np.full(m, -1, np.int32), np.zeros(m, np.int64), np.zeros(m, np.int32)
    count = classify(keys, first, family, problem.weights, order, class_of, weight, of)
    new_ptr, out = np.zeros(n + 1, np.int64), np.empty(len(problem.indices), np.int32)
    compress(problem.indptr, problem.indices, class_of, new_ptr, out)
    indices = out[: new_ptr[-1]].copy()
    del out, keys
    row_ptr, row_items = np.zeros(count + 1, np.int64), np.empty(len(indices), np.int32)
    transpose(new_ptr, indices, row_ptr, row_items)
    class_of = np.where(class_of < -1, -2 - class_of, class_of).astype(np.int32)
    return Reduced(new_ptr, indices, row_ptr, row_items, weight[:count], of[:count], member, class_of)


def spread(reduced: Reduced, values: NDArray[Any], uncovered: Any) -> NDArray[Any]:
    """A value of each class to its rows, ``uncovered`` to rows of no class."""
    if not len(values):
        return np.full(len(reduced.class_of), uncovered)
    return np.where(reduced.class_of < 0, uncovered, values[np.maximum(reduced.class_of, 0)])
