"""Blocks of an exact greedy ranking of items by the demand rows they newly cover.

The engine knows nothing of radio or of tables: items, rows, integer weights and a sparse cover in
compressed rows without values. It is a lazy greedy (Minoux 1978, "Accelerated greedy algorithms for
maximizing submodular set functions"): what an item adds can only shrink, so an old gain is an upper
bound, and only the item on top of a heap is evaluated again.

A ranking is made of *blocks*. Within a block the next item is the one with the largest

    objective = newly covered weight inside the block's rows + bonus        (ties: lowest index)

among the items that newly cover at least ``stop_gain`` there; where costs are given, with the largest
objective per cost. A bonus is constant, except that
choosing an item of a place adds ``sibling_bonus`` to the other items of that place, which may get cheaper,
too; these are pushed again with the larger key, and the entry left behind is known by its outdated key. Items
that exclude each other (the modes of a station) are gone once one of them is chosen. All sums are
int64, so the order is exact and the same on any machine and any number of threads.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.errors import RangeError
from lcsiting.siting import _heap

Ints = NDArray[np.int64]
NO_LIMIT = np.iinfo(np.int64).max
GONE = 2
COST_PARTS = 1_000_000  # of a cost of one


@dataclass(frozen=True)
class State:
    """What is in service so far; the engine changes ``serving``, ``taken``, ``opened``, ``res_load``,
    ``res_left``.

    Attributes
    ----------
    indptr, indices : int64 (n_items + 1,), int32 (pairs,)
        The cover.
    weights : int64 (n_rows,)
        Non-negative row weights.
    n_cells : int
        Rows come in classes of ``n_cells``: row = class * n_cells + cell.
    place_of, place_ptr, place_items : int
        The place of each item, and the items of each place (compressed).
    serving : int32 (n_rows,)
        Chosen items that cover the row.
    taken, opened : uint8 (n_items,), (n_places,)
        1 chosen items, ``GONE`` those a chosen one excludes; places with a chosen item.
    res_ptr, res_idx, res_load : int64 (n_items + 1,), int32, float64
        Linear resources each item needs (compressed by item), non-negative.
    res_opened : float64
        What an item needs once its place carries a chosen item.
    res_left : float64 (n_resources,)
        What is left of each.
    mate_ptr, mates : int64 (n_items + 1,), int32
        Items each item excludes, compressed, symmetric.
    """

    indptr: Ints
    indices: NDArray[np.int32]
    weights: Ints
    n_cells: int
    place_of: NDArray[np.int32]
    place_ptr: Ints
    place_items: NDArray[np.int32]
    serving: NDArray[np.int32]
    taken: NDArray[np.uint8]
    opened: NDArray[np.uint8]
    res_ptr: Ints
    res_idx: NDArray[np.int32]
    res_load: NDArray[np.float64]
    res_opened: NDArray[np.float64]
    res_left: NDArray[np.float64]
    mate_ptr: Ints
    mates: NDArray[np.int32]


@dataclass(frozen=True)
class Block:
    """What one block counts and when it ends.

    Attributes
    ----------
    in_block : uint8 (n_cells,)
        Cells whose rows count.
    max_units : int
        Units that may be used.
    stop_gain : int
        Items that add less in the block are not chosen; at least 1.
    measures, needs : int64 (n_measures, n_cells), (n_measures, n_classes)
        The block ends when, for every positive need, the covered sum of the measure in that row
        class has reached it. No positive need: no grade to reach.
    rows : bool (n_rows,) or None
        If given, only these rows count.
    items : bool (n_items,) or None
        If given, only these items are chosen.
    enough : int
        The block ends when it newly covers so much of its rows.
    load : int64 (n_rows,) or None
        If given, items are chosen by the load they would take over, ``load // (serving + 1)`` summed
        over their rows, instead of by new coverage.
    """

    in_block: NDArray[np.uint8]
    max_units: int = NO_LIMIT
    stop_gain: int = 1
    measures: Ints = field(default_factory=lambda: np.zeros((0, 1), np.int64))
    needs: Ints = field(default_factory=lambda: np.zeros((0, 1), np.int64))
    load: Ints | None = None
    rows: NDArray[np.bool_] | None = None
    items: NDArray[np.bool_] | None = None
    enough: int = NO_LIMIT


@dataclass(frozen=True)
class Picks:
    """Items in the order chosen, and what each brought.

    Attributes
    ----------
    order : int32 (k,)
        Items.
    gain : int64 (k,)
        Newly covered weight over all rows, no bonus.
    block_gain : int64 (k,)
        The same inside the block (or the load taken over); never increases without bonuses.
    objective : int64 (k,)
        ``block_gain`` plus bonus, per cost where costs are given; never increases except after a sibling was raised.
    units : int
        Units used.
    """

    order: NDArray[np.int32]
    gain: Ints
    block_gain: Ints
    objective: Ints
    units: int


def new_state(
    indptr: NDArray[Any],
    indices: NDArray[np.int32],
    weights: NDArray[Any],
    *,
    n_cells: int | None = None,
    place_of: NDArray[Any] | None = None,
    resources: tuple[tuple[Any, ...], Any] | None = None,
    mates: tuple[Any, Any] | None = None,
) -> State:
    """Nothing in service yet.

    Parameters
    ----------
    indptr, indices : ndarray
        The cover, (n_items + 1,) and (pairs,); row numbers below ``len(weights)``.
    weights : ndarray of int, (n_rows,)
        Non-negative; their sum must stay below 2**62.
    n_cells : int, optional
        Rows of a class; all rows by default.
    place_of : ndarray of int, (n_items,), optional
        Place of each item; each its own by default.
    resources : tuple, optional
        ``((ptr, idx, load), left)``: what each item needs, compressed by item, and what there is; a fourth array
        behind ``load`` is what it needs once its place is open.
    mates : tuple, optional
        ``(ptr, items)``: the items each item excludes, symmetric (``problem.conflict_graph``).

    Raises
    ------
    RangeError
        Weights that are negative or not integer, or arrays that do not fit together.
    """
    n, n_rows = len(indptr) - 1, len(weights)
    if not np.issubdtype(np.asarray(weights).dtype, np.integer) or (n_rows and np.min(weights) < 0):
        raise RangeError("ranking: row weights must be non-negative integers; quantise them first")
    if np.sum(weights, dtype=np.float64) >= 2.0**62:
        raise RangeError("ranking: the row weights add up to more than 2**62; use a coarser unit")
    cells = n_rows if n_cells is None else n_cells
    if n_rows and (cells < 1 or n_rows % cells):
        raise RangeError(f"ranking: {n_rows} rows are not a whole number of classes of {cells} cells")
    if len(indices) != indptr[-1] or (len(indices) and (indices.min() < 0 or indices.max() >= n_rows)):
        raise RangeError(f"ranking: the cover points outside its {n_rows} rows; rebuild it from the same demand")
    place = np.arange(n, dtype=np.int32) if place_of is None else np.asarray(place_of, np.int32)
    n_places = int(place.max(initial=-1)) + 1
    needs, left = resources or ((np.zeros(n + 1), np.zeros(0), np.zeros(0)), np.zeros(0))
    excludes = mates or (np.zeros(n + 1), np.zeros(0))
    return State(
        indptr=np.ascontiguousarray(indptr, np.int64),
        indices=np.ascontiguousarray(indices, np.int32),
        weights=np.ascontiguousarray(weights, np.int64),
        n_cells=cells,
        place_of=place,
        place_ptr=np.concatenate([[0], np.cumsum(np.bincount(place, minlength=n_places))]).astype(np.int64),
        place_items=np.argsort(place, kind="stable").astype(np.int32),
        serving=np.zeros(n_rows, np.int32),
        taken=np.zeros(n, np.uint8),
        opened=np.zeros(n_places, np.uint8),
        res_ptr=np.ascontiguousarray(needs[0], np.int64),
        res_idx=np.ascontiguousarray(needs[1], np.int32),
        res_load=np.array(needs[2], np.float64),
        res_opened=np.ascontiguousarray(needs[-1], np.float64),
        res_left=np.array(left, np.float64),
        mate_ptr=np.ascontiguousarray(excludes[0], np.int64),
        mates=np.ascontiguousarray(excludes[1], np.int32),
    )


def everywhere(state: State) -> NDArray[np.uint8]:
    """The cells of a block over all rows."""
    return np.ones(state.n_cells, np.uint8)


def lock(state: State, items: NDArray[Any]) -> Ints:
    """Put items into service before any choice; return what each newly covers, (k,)."""
    gain = np.zeros(len(items), np.int64)
    left, none = np.zeros_like(state.weights), np.zeros((0, 1), np.int64)
    cells = np.zeros(state.n_cells, np.uint8)
    for r, i in enumerate(np.asarray(items, np.int64)):
        gain[r] = _heap.take(
            i, state.indptr, state.indices, state.weights, state.serving, left, left, False, cells, none, none
        )
    for i in np.asarray(items, np.int64):
        state.taken[state.mates[state.mate_ptr[i] : state.mate_ptr[i + 1]]] = GONE
    state.taken[items] = 1
    state.opened[state.place_of[items]] = 1
    of_opened = np.repeat(state.opened[state.place_of] == 1, np.diff(state.res_ptr))
    state.res_load[of_opened] = state.res_opened[of_opened]
    return gain


def remaining(state: State, block: Block) -> Ints:
    """What each row of the block still has to give, (n_rows,)."""
    left = np.empty_like(state.weights)
    if block.load is None:
        _heap.rows_left(state.weights, state.serving, block.in_block, left)
    else:
        _heap.shared_load(block.load, state.serving, left)
    return left if block.rows is None else np.where(block.rows, left, 0)


def item_gains(state: State, left: Ints, *, threads: int = 1) -> Ints:
    """What each item would add now, (n_items,): the sum of ``left`` over its rows."""
    n = len(state.taken)
    gains = np.empty(n, np.int64)
    cuts = np.linspace(0, n, 4 * threads + 1 if threads > 1 else 2).astype(int)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        list(pool.map(lambda a, b: _heap.evaluate(state.indptr, state.indices, left, a, b, gains), cuts[:-1], cuts[1:]))
    return gains


def covered_measures(state: State, in_block: NDArray[np.uint8], measures: Ints) -> Ints:
    """Sum of each cell measure over the covered rows of a block, (n_measures, n_classes)."""
    done = np.zeros((len(measures), len(state.weights) // state.n_cells), np.int64)
    _heap.covered_measures(state.serving, in_block, measures, done)
    return done


def run_block(
    state: State,
    block: Block,
    *,
    left: Ints | None = None,
    gains: Ints | None = None,
    bonus: NDArray[Any] | None = None,
    sibling_bonus: NDArray[Any] | None = None,
    units: NDArray[Any] | None = None,
    costs: tuple[NDArray[Any], NDArray[Any]] | None = None,
    threads: int = 1,
) -> Picks:
    """Choose the items of one block.

    Parameters
    ----------
    state : State
        Changed in place: the chosen items are in service afterwards.
    block : Block
        What counts and when it ends.
    left, gains : ndarray of int64, optional
        ``remaining(state, block)`` and ``item_gains(state, left)`` if at hand; both are used up.
    bonus, sibling_bonus : ndarray of int, (n_items,), optional
        Non-negative. ``sibling_bonus`` is added once the item's place carries a chosen item.
    units : ndarray of int, (n_items,), optional
        Units of each item, 0 or more; 1 by default.
    costs : tuple of ndarray, (n_items,), optional
        Non-negative cost of each item, and once its place carries a chosen item (no more than before). Items
        are then chosen by their objective per cost, in whole weight units.
    threads : int
        Threads of the first evaluation; the result does not depend on it.

    Returns
    -------
    Picks
    """
    n = len(state.taken)
    left = remaining(state, block) if left is None else left
    gains = item_gains(state, left, threads=threads) if gains is None else gains
    if block.items is not None:
        gains[~block.items] = -1
    raised = np.zeros(n, np.int64) if sibling_bonus is None else np.asarray(sibling_bonus, np.int64)
    own = np.zeros(n, np.int64) if bonus is None else np.array(bonus, np.int64)
    own += np.where(state.opened[state.place_of] == 1, raised, 0)
    if (raised < 0).any():
        raise RangeError("ranking: sibling bonuses must not be negative")
    per, cost, cost_opened = 1, np.ones(n, np.int64), np.ones(n, np.int64)
    if costs is not None:
        per = COST_PARTS
        alone, cost_opened = (np.maximum(np.rint(np.asarray(c, float) * per), 1).astype(np.int64) for c in costs)
        cost = np.where(state.opened[state.place_of] == 1, cost_opened, alone)
    done = covered_measures(state, block.in_block, block.measures)
    order, out = np.empty(n, np.int32), np.zeros((3, n), np.int64)
    picked, used = _heap.run_block(
        state.indptr, state.indices, state.weights, state.serving, state.taken, state.opened,
        state.mate_ptr, state.mates, state.place_of, state.place_ptr, state.place_items,
        left, left if block.load is None else block.load, block.load is not None, gains, own, raised,
        np.ones(n, np.int64) if units is None else np.asarray(units, np.int64), per, cost, cost_opened,
        block.in_block, block.measures, done, block.needs,
        max(block.stop_gain, 1), block.max_units, block.enough,
        state.res_ptr, state.res_idx, state.res_load, state.res_opened, state.res_left, order, out[0], out[1], out[2],
    )  # fmt: skip
    return Picks(order[:picked], out[2, :picked], out[0, :picked], out[1, :picked], int(used))
