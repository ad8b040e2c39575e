"""The engine on arrays alone: nested choices for every phase, with their certificate.

``effort = "greedy"`` without limits is one block of ``blocks`` per phase; everything else goes through
``problem``, ``engine`` and ``least_cost``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.errors import RangeError
from lcsiting.siting import engine, least_cost, problem
from lcsiting.siting.blocks import Block, State, everywhere, lock, new_state, run_block
from lcsiting.siting.outcome import Ranking


def rank_cover(
    cover: tuple[NDArray[Any], NDArray[np.int32]],
    weights: NDArray[Any],
    *,
    phases: Sequence[int],
    costs: NDArray[Any] | None = None,
    units: NDArray[Any] | None = None,
    locked: NDArray[Any] | None = None,
    locked_count: bool = True,
    groups: Mapping[str, NDArray[Any]] | None = None,
    quotas: Mapping[str, tuple[Any, Any]] | None = None,
    floors: Sequence[tuple[Any, Any]] | None = None,
    conflicts: Any = None,
    modes: NDArray[Any] | None = None,
    resources: tuple[Any, Any] | None = None,
    bonus: NDArray[Any] | None = None,
    budget: Any = None,
    target_share: float | None = None,
    phase_weights: Sequence[float] | None = None,
    sibling_bonus: NDArray[Any] | None = None,
    effort: Any = "best",
    threads: int | None = None,
) -> Ranking:
    """Rank items on arrays alone: nested choices for every phase, and a bound on the best possible.

    Maximises ``sum_t alpha_t (f(S_t) + bonus)`` over nested ``S_1 <= S_2 <= ...``, where ``f`` is the
    covered weight. A limit given once holds in every phase; given per phase it has shape (n_phases, ...).

    Parameters
    ----------
    cover : tuple
        ``(indptr, indices)``, compressed rows item to demand row.
    weights : ndarray of int, (n_rows,)
        Row weights, non-negative.
    phases : sequence of int
        Cumulative targets in units, not decreasing; at most so much is used.
    costs, budget : ndarray (n_items,), float or sequence
        Cumulative cost of what is chosen, locked items included, stays within the budget.
    units : ndarray of int, optional
        Units of each item; 1 by default.
    locked : ndarray of int, optional
        Items in service from the start.
    locked_count : bool
        Whether locked items use up the targets.
    groups, quotas : mapping, optional
        ``groups[name]``: code of each item (-1: none). ``quotas[name] = (lower, upper)``: items of each code,
        locked ones included, cumulative; either may be None. ``groups["place"]`` is also what
        ``sibling_bonus`` goes by.
    floors : sequence of (rows, need), optional
        Weight to be covered among rows (a mask or row numbers); need in weight units.
    conflicts : ndarray (k, 2) or (indptr, items), optional
        Items that exclude each other.
    modes : ndarray of int, (n_items,), optional
        Of the items with the same mode number (-1: none) at most one is chosen.
    resources : (loads, limits), optional
        Non-negative loads (n_resources, n_items), their limits.
    bonus : ndarray of int, optional
        Additive preference.
    target_share : float, optional
        Ask for the least cost that covers this share of the weight instead, see
        ``least_cost.least_cost``; ``phases`` then holds one target, a limit of units.
    phase_weights : sequence of float, optional
        ``alpha``; all equal by default.
    sibling_bonus : ndarray of int, optional
        As in ``blocks.run_block``; only with ``effort = "greedy"``.
    effort : str
        ``"greedy"``: order only. ``"bound"``: greedy order with its certificate. ``"best"``: improved order
        with certificate.
    threads : int, optional
        All cores by default; the result does not depend on it.

    Returns
    -------
    Ranking
        Shorter than the target when nothing gains any more. What cannot be met is in ``shortfalls``.

    Raises
    ------
    RangeError
        Arrays that do not fit together.
    """
    if list(phases) != sorted(phases):
        raise RangeError("ranking: phases are cumulative and must not decrease")
    state = new_state(*cover, weights, place_of=None if not groups or sibling_bonus is None else groups.get("place"))
    limits = (quotas, floors, conflicts, modes, resources, budget, target_share)
    if effort == "greedy" and all(limit is None for limit in limits):
        return _plain(state, phases, units, locked, locked_count, bonus, sibling_bonus, threads or 1)
    if sibling_bonus is not None:
        raise RangeError('ranking: sibling_bonus is no part of the bound; use effort="greedy", or bonus')
    request = problem.make_problem(
        (state.indptr, state.indices), state.weights, phases=phases, costs=costs, units=units, locked=locked,
        locked_count=locked_count, groups=groups, quotas=quotas, floors=floors, conflicts=conflicts, modes=modes,
        resources=resources, bonus=bonus, budget=budget, phase_weights=phase_weights,
    )  # fmt: skip
    if target_share is not None:
        return least_cost.least_cost(request, costs, target_share, effort=effort, threads=threads)
    return engine.rank(request, effort=effort, threads=threads)


def _plain(
    state: State, phases: Sequence[int], units: Any, locked: Any, locked_count: bool, bonus: Any, sibling_bonus: Any,
    threads: int,
) -> Ranking:  # fmt: skip
    """Greedy over all rows, phase by phase, no limits but the targets."""
    one = np.ones(len(state.taken), np.int64) if units is None else np.asarray(units, np.int64)
    fixed = np.unique(np.asarray([] if locked is None else locked, np.int64))
    order, gain = [fixed.astype(np.int32)], [lock(state, fixed)]
    used = int(one[fixed].sum()) if locked_count else 0
    ends, value = [], []
    for target in phases:
        block = Block(everywhere(state), max_units=target - used)
        picks = run_block(state, block, bonus=bonus, sibling_bonus=sibling_bonus, units=one, threads=threads)
        order.append(picks.order)
        gain.append(picks.gain)
        used += picks.units
        ends.append(sum(map(len, order)))
        value.append(sum(int(g.sum()) for g in gain))
    return Ranking(np.concatenate(order), np.concatenate(gain), np.array(ends, np.int64), np.array(value, np.int64))
