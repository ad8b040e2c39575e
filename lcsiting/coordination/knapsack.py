"""One mode for each item, least total value, several budgets: a multiple-choice knapsack.

The linear relaxation (HiGHS) has at most one fractional item per budget; its rounding is improved, its reduced costs
rule out nearly every mode that could be part of a better choice, and what is left is searched exactly.
"""

import lcsiting._cache  # noqa: F401, I001
from itertools import product

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, linprog, milp

# The solver keeps rows and whole numbers to about 1e-6; its choice is checked exactly, and where it
# does not hold the rows are tightened a little more.
MARGINS = (1e-7, 1e-5, 1e-3)
TIE = 1e-6  # of equal costs the smaller loss of coverage, of equal losses the smaller cost
SLACK = 0.05  # where the search need not be exact it may also stop this near: one step of power
# HiGHS stops 1e-6 short of the best whatever gap is asked for; in this unit that is less than the smallest
# tie-breaking term (TIE times a loss of 1e-3).
UNIT = 1e-4
HEAVY = 100  # so many of the heaviest items are chosen anew before the whole is searched
SEARCHED = 4000  # the whole is searched up to so many variables; beyond, the bound says how near the choice is

Floats = NDArray[np.float64]


def choose_modes(
    load: Floats,
    value: Floats,
    offered: NDArray[np.bool_],
    free: Floats,
    gap: float = 0.0,
    cutoff: float = np.inf,
) -> tuple[NDArray[np.int64], float, float, Floats] | None:
    """One mode for each item, least total value, loads within what is free.

    Parameters
    ----------
    load : ndarray (n, M, B)
        Share of each budget that an item takes in a mode.
    value : ndarray (n, M)
        To be minimised.
    offered : ndarray of bool (n, M)
    free : ndarray (B,)
        Share of each budget that is left.
    gap : float
        Relative gap allowed to the solver.
    cutoff : float
        Values from here on are of no interest.

    Returns
    -------
    (mode, value, bound, shadow_db) or None
        ``mode`` (n,); ``shadow_db`` (B,), value saved by one decibel more of the whole budget
        (linear relaxation). None: no choice is feasible (or none below ``cutoff``).
    """
    n, n_budgets = len(load), load.shape[2]
    if (free < 0).any():
        return None
    usable = offered & (load <= free).all(axis=2)
    least = np.where(usable[..., None], load, np.inf).min(axis=1)
    if not usable.any(axis=1).all() or (least.sum(axis=0) > free).any():
        return None
    usable &= ~_dominated(load, value, usable)
    cheapest = np.where(usable, value, np.inf)
    mode = cheapest.argmin(axis=1) if n else np.zeros(0, dtype=np.int64)
    rows = np.arange(n)
    if (load[rows, mode].sum(axis=0) <= free).all():
        total = float(value[rows, mode].sum())
        return mode, total, total, np.zeros(n_budgets)
    for margin in MARGINS:
        solved = _solve(load, value, usable, free * (1 - margin), gap, cutoff)
        if solved is None:
            return None
        mode, bound, shadow_db = solved
        if (load[rows, mode].sum(axis=0) <= free).all():
            total = float(value[rows, mode].sum())
            return mode, total, min(total, bound), shadow_db
    return None


@njit(cache=True, nogil=True)
def _dominated(load, value, usable):
    """Usable modes that another usable mode of the same item beats or equals in every respect."""
    n, ways, budgets = load.shape
    out = np.zeros((n, ways), dtype=np.bool_)
    for i in range(n):
        for m in range(ways):
            if not usable[i, m]:
                continue
            for k in range(ways):
                if k == m or not usable[i, k] or out[i, k] or value[i, k] > value[i, m]:
                    continue
                no_worse, better = True, k < m or value[i, k] < value[i, m]
                for b in range(budgets):
                    if load[i, k, b] > load[i, m, b]:
                        no_worse = False
                        break
                    better = better or load[i, k, b] < load[i, m, b]
                if no_worse and better:
                    out[i, m] = True
                    break
    return out


def _solve(
    load: Floats, value: Floats, usable: NDArray[np.bool_], limit: Floats, gap: float, cutoff: float
) -> tuple[NDArray[np.int64], float, Floats] | None:
    """Modes, a lower bound and shadow prices; None where infeasible or not below ``cutoff``.

    The linear relaxation has at most one fractional item per budget: rounding those gives a plan,
    and its reduced costs rule out nearly every mode that could be part of a better one. What is
    left is small, and solved exactly.
    """
    item, column = np.nonzero(usable)
    cost, share = value[item, column], load[item, column]
    one = sparse.csr_array((np.ones(len(item)), (item, np.arange(len(item)))), shape=(len(load), len(item)))
    relaxed = linprog(cost, A_ub=share.T, b_ub=limit, A_eq=one, b_eq=np.ones(len(load)), method="highs")
    if relaxed.x is None or relaxed.fun >= cutoff:
        return None
    price = np.asarray(relaxed.ineqlin.marginals)
    shadow_db = -price * np.log(10) / 10
    rounded = _completed(np.asarray(relaxed.x), cost, share, item, len(load), limit)
    rounded = _improved(rounded, cost, share, item, limit)
    best = float(cost[rounded].sum()) if (share[rounded].sum(axis=0) <= limit).all() else np.inf
    if gap > 0 and np.isfinite(best):
        gap = max(gap, SLACK / max(best, SLACK))
    if best - relaxed.fun <= gap * abs(best):
        return column[rounded], float(relaxed.fun), shadow_db
    reduced = cost - share @ price - np.asarray(relaxed.eqlin.marginals)[item]
    keep = np.flatnonzero(relaxed.fun + reduced <= best + 1e-9 + 1e-9 * abs(relaxed.fun))
    if gap > 0 and np.isfinite(best) and len(keep) > SEARCHED:
        return column[rounded], float(relaxed.fun), shadow_db
    solved = _whole(cost[keep], share[keep], item[keep], limit, gap)
    if solved.x is None:
        return None
    chosen = keep[_rounded(np.asarray(solved.x), share[keep], item[keep], len(load))]
    return column[chosen], float(solved.mip_dual_bound) * UNIT, shadow_db


def _whole(cost: Floats, share: Floats, item: NDArray[np.int64], limit: Floats, gap: float) -> OptimizeResult:
    """One variable for each item that occurs, in whole numbers; values of the solver's answer in :data:`UNIT`."""
    number = np.unique(item, return_inverse=True)[1]
    one = sparse.csr_array((np.ones(len(item)), (number, np.arange(len(item)))))
    constraints = [LinearConstraint(one, 1, 1), LinearConstraint(share.T, -np.inf, limit)]
    # Without presolve: when a solution of the presolved problem misses a row of the original one by a rounding, HiGHS
    # mends it and prints a line past every output option.
    options = {"mip_rel_gap": gap, "presolve": False}
    whole, bounds = np.ones(len(cost)), Bounds(0, 1)
    return milp(cost / UNIT, integrality=whole, bounds=bounds, constraints=constraints, options=options)


def _improved(
    rounded: NDArray[np.int64], cost: Floats, share: Floats, item: NDArray[np.int64], limit: Floats
) -> NDArray[np.int64]:
    """A better plan by choosing anew for the heaviest items, the others as they are."""
    heaviest = np.zeros(len(rounded))
    np.maximum.at(heaviest, item, share.max(axis=1))
    if len(rounded) <= HEAVY:
        return rounded
    heavy = np.argsort(-heaviest, kind="stable")[:HEAVY]
    rest = np.delete(rounded, heavy)
    some = np.flatnonzero(np.isin(item, heavy))
    solved = _whole(cost[some], share[some], item[some], limit - share[rest].sum(axis=0), 0.0)
    if solved.x is None or solved.fun * UNIT >= cost[rounded[heavy]].sum():
        return rounded
    taken = some[np.asarray(solved.x) > 0.5]
    out = rounded.copy()
    out[item[taken]] = taken
    return out


def _rounded(x: Floats, share: Floats, item: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """One variable for each item: the one taken wholly, else the one that loads the budgets least."""
    whole = x > 1 - 1e-6
    order = np.lexsort((share.max(axis=1), ~whole, item))
    first = np.searchsorted(item[order], np.arange(n))
    return order[first]


def _completed(
    x: Floats, cost: Floats, share: Floats, item: NDArray[np.int64], n: int, limit: Floats
) -> NDArray[np.int64]:
    """A relaxed solution rounded: the few fractional items get their cheapest modes that fit together."""
    rounded = _rounded(x, share, item, n)
    loose = np.flatnonzero(x[rounded] <= 1 - 1e-6)
    ways = [np.flatnonzero(item == k) for k in loose]
    if not ways or np.prod([len(way) for way in ways]) > 10_000:
        return rounded
    rest = share[np.delete(rounded, loose)].sum(axis=0)
    best = np.inf
    for pick in product(*ways):
        total = cost[list(pick)].sum()
        if total < best and (rest + share[list(pick)].sum(axis=0) <= limit).all():
            best = total
            rounded[loose] = pick
    return rounded
