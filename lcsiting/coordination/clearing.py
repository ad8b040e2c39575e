"""The least-cost joint choice that clears one protected station.

Station-side measures attenuate every base station at once; site-side modes change one base station
each. With the measures fixed, what is left is a multiple-choice knapsack: one mode for each base
station, the sums of the contributions within the budgets. Every set of measures that can help is
tried, cheapest first, until no cheaper total is possible; each knapsack is solved exactly (HiGHS).
Last resorts (dropping a site) are touched only where nothing else suffices, and then the least
coverage is given up rather than the least money spent.
"""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, linprog, milp

from lcsiting.coordination.measures import MEMBERS, StationMeasure, attenuation_db
from lcsiting.coordination.modes import SiteModes
from lcsiting.errors import RangeError

# The solver keeps rows and whole numbers to about 1e-6; its choice is checked exactly, and where it
# does not hold the rows are tightened a little more.
MARGINS = (1e-7, 1e-5, 1e-3)
TIE = 1e-6  # of equal costs the smaller loss of coverage, of equal losses the smaller cost
SLACK = 0.05  # where the search need not be exact it may also stop this near: one step of power
HEAVY = 100  # so many of the heaviest items are chosen anew before the whole is searched
STATUSES = ("clear", "cleared", "curtailed", "broken")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clearing:
    """What clears one protected station.

    Attributes
    ----------
    status : str
        ``clear``: the unrestricted plan is within the budgets; ``cleared``: by the measures chosen;
        ``curtailed``: coverage must be given up as well; ``broken``: what cannot be changed exceeds
        a budget already, whatever is done.
    needed_db : float64 (B,)
        Attenuation the unrestricted plan needs, by budget; 0 where it needs none.
    measures : tuple of StationMeasure
        Taken at the protected station.
    mode : int64 (n,)
        Position of each base station's mode.
    station_cost, site_cost : float
        Relative costs of the two sides.
    lost : float64 (n,)
        Share of each base station's coverage given up.
    used_mw : float64 (B,)
        Sum of the contributions with everything in effect, by budget.
    shadow_db : float64 (B,)
        What one more decibel of a budget is worth, in the unit minimised: relative cost where
        ``cleared``, else coverage shares (multiplier of the linear relaxation); NaN where not even
        the least loads fit.
    bound : float
        No choice has a lower objective (over the modes and measures given).
    """

    status: str
    needed_db: Floats
    measures: tuple[StationMeasure, ...]
    mode: NDArray[np.int64]
    station_cost: float
    site_cost: float
    lost: Floats
    used_mw: Floats
    shadow_db: Floats
    bound: float


def needed_db(mw: ArrayLike, budget_mw: ArrayLike, fixed_mw: ArrayLike = 0.0, members: ArrayLike = MEMBERS) -> Floats:
    """Attenuation that would bring all contributions together within each budget, dB.

    Parameters
    ----------
    mw : array_like, (n, 4)
        Contributions of the unrestricted plan, milliwatts by component.
    budget_mw : array_like, (B,)
        Limits, milliwatts.
    fixed_mw : array_like, (4,)
        What is there besides.
    members : array_like of 0 and 1, (B, 4)
        Which components each budget sums.

    Returns
    -------
    ndarray (B,)
        ``10 log10(sum / budget)``, 0 where the budget holds.
    """
    total = (np.asarray(mw, dtype=float).sum(axis=0) + fixed_mw) @ np.asarray(members, dtype=float).T
    with np.errstate(divide="ignore"):
        return np.maximum(0.0, 10 * np.log10(total / np.asarray(budget_mw, dtype=float)))


def clear_station(
    modes: SiteModes,
    measures: list[StationMeasure],
    budget_mw: ArrayLike,
    fixed_mw: ArrayLike | None = None,
    gap: float = 0.0,
    broken_share: float = 0.0,
    members: ArrayLike = MEMBERS,
) -> Clearing:
    """Choose measures and modes for one protected station together.

    Parameters
    ----------
    modes : SiteModes
        Of the n base stations that can still be decided on.
    measures : list of StationMeasure
        Left to the protected station (at most 12).
    budget_mw : array_like, (B,)
        Limits in milliwatts, positive: by default long-term allowance and overload.
    fixed_mw : array_like, (4,), optional
        Contribution of what cannot be changed, by component.
    gap : float
        Relative gap at which the search may stop (or :data:`SLACK`, if that is more); 0 is exact.
    broken_share : float
        Where what cannot be changed breaks a budget: the share of it that the others may add.
    members : array_like of 0 and 1, (B, 4)
        Which components each budget sums.

    Raises
    ------
    RangeError
        More than 12 measures, a budget that is not positive, negative contributions.
    """
    budget = np.asarray(budget_mw, dtype=float)
    fixed = np.zeros(modes.mw.shape[2]) if fixed_mw is None else np.asarray(fixed_mw, dtype=float)
    if len(measures) > 12 or not (budget > 0).all() or (modes.mw < 0).any() or (fixed < 0).any():
        raise RangeError(
            f"clear_station: {len(measures)} measures (at most 12), budgets {budget} mW (positive), "
            "contributions 0 or more; check the case"
        )
    case = _Case(modes, budget, fixed, np.asarray(members, dtype=float), gap)
    needed = needed_db(modes.mw[:, 0], budget, fixed, case.members)
    plain = np.zeros(len(modes.mw), dtype=np.int64)
    if not needed.any():
        return _finished("clear", needed, (), plain, case, np.zeros(len(budget)), 0.0)
    helpful = [item for item in measures if (case.members[needed > 0] @ item.effect_db > 0).any()]
    soft = modes.offered & ~modes.last
    best = _cheapest(case, helpful, soft, modes.cost + TIE * modes.lost)
    if best is not None:
        return _finished("cleared", needed, best[1], best[2], case, best[3], best[4])
    # Coverage first: every helpful measure may be taken, and of equal losses the cheaper wins.
    weight = modes.lost + TIE * modes.cost
    best = _cheapest(case, helpful, modes.offered, weight, price=TIE)
    if best is not None:
        return _finished("curtailed", needed, best[1], best[2], case, best[3], best[4])
    chosen, shadow_db, bound = _beside_the_broken(case, helpful, weight, broken_share)
    return _finished("broken", needed, tuple(helpful), chosen, case, shadow_db, bound)


@dataclass(frozen=True)
class _Case:
    """What stays the same while measures are tried."""

    modes: SiteModes
    budget: Floats
    fixed: Floats
    members: Floats
    gap: float

    def shares(self, taken: list[StationMeasure]) -> tuple[Floats, Floats]:
        """Load of each mode (n, M, B) and what is left (B,), as shares of the budgets."""
        gain = 10 ** (-attenuation_db(taken) / 10)
        load = (self.modes.mw * gain) @ self.members.T / self.budget
        return load, 1.0 - (self.fixed * gain) @ self.members.T / self.budget


def _beside_the_broken(
    case: _Case, helpful: list[StationMeasure], weight: Floats, share: float
) -> tuple[NDArray[np.int64], Floats, float]:
    """Modes that add at most ``share`` of each budget that is broken, every helpful measure taken."""
    load, left = case.shares(helpful)
    found = choose_modes(load, weight, case.modes.offered, np.where(left < 0, share, left), case.gap)
    if found is not None:
        return found[0], found[3], found[2]
    least = np.where(case.modes.offered, load.max(axis=2), np.inf).argmin(axis=1)
    return least, np.full(len(case.budget), np.nan), np.nan


def _finished(
    status: str,
    needed: Floats,
    taken: tuple[StationMeasure, ...],
    mode: NDArray[np.int64],
    case: _Case,
    shadow: Floats,
    bound: float,
) -> Clearing:
    rows, modes = np.arange(len(mode)), case.modes
    total = (modes.mw[rows, mode].sum(axis=0) + case.fixed) * 10 ** (-attenuation_db(list(taken)) / 10)
    return Clearing(
        status=status,
        needed_db=needed,
        measures=taken,
        mode=mode,
        station_cost=float(sum(item.cost for item in taken)),
        site_cost=float(modes.cost[rows, mode].sum()),
        lost=modes.lost[rows, mode],
        used_mw=total @ case.members.T,
        shadow_db=shadow,
        bound=bound,
    )


def _cheapest(
    case: _Case, helpful: list[StationMeasure], offered: NDArray[np.bool_], value: Floats, price: float = 1.0
) -> tuple[float, tuple[StationMeasure, ...], NDArray[np.int64], Floats, float] | None:
    """The best set of measures with its best modes; None where no set makes it feasible.

    ``value`` is what a mode costs, ``price`` what a unit of the measures' cost counts beside it.
    """
    sets = [taken for size in range(len(helpful) + 1) for taken in combinations(helpful, size)]
    sets.sort(key=lambda taken: sum(item.cost for item in taken))
    best, bound = None, np.inf
    for taken in sets:
        start = price * sum(item.cost for item in taken)
        if best is not None and start >= best[0] - 1e-12:
            break
        load, free = case.shares(list(taken))
        cutoff = np.inf if best is None else best[0] - start
        found = choose_modes(load, value, offered, free, case.gap, cutoff)
        if found is None:
            continue
        bound = min(bound, start + found[2])
        total = start + found[1]
        if best is None or total < best[0] - 1e-12:
            best = (total, taken, found[0], found[3])
    return None if best is None else (*best, min(bound, best[0]))


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


def _dominated(load: Floats, value: Floats, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Modes for which another of the same item costs no more and loads no budget more."""
    out = np.zeros(usable.shape, dtype=bool)
    for m in range(usable.shape[1]):
        for k in range(usable.shape[1]):
            if k == m:
                continue
            no_worse = (value[:, k] <= value[:, m]) & (load[:, k] <= load[:, m]).all(axis=1)
            better = (value[:, k] < value[:, m]) | (load[:, k] < load[:, m]).any(axis=1) | (k < m)
            out[:, m] |= usable[:, k] & ~out[:, k] & no_worse & better
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
    solved = _whole(cost[keep], share[keep], item[keep], limit, gap)
    if solved.x is None:
        return None
    chosen = keep[_rounded(np.asarray(solved.x), share[keep], item[keep], len(load))]
    return column[chosen], float(solved.mip_dual_bound), shadow_db


def _whole(cost: Floats, share: Floats, item: NDArray[np.int64], limit: Floats, gap: float) -> OptimizeResult:
    """One variable for each item that occurs, in whole numbers."""
    number = np.unique(item, return_inverse=True)[1]
    one = sparse.csr_array((np.ones(len(item)), (number, np.arange(len(item)))))
    constraints = [LinearConstraint(one, 1, 1), LinearConstraint(share.T, -np.inf, limit)]
    options = {"mip_rel_gap": gap}
    return milp(cost, integrality=np.ones(len(cost)), bounds=Bounds(0, 1), constraints=constraints, options=options)


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
    if solved.x is None or solved.fun >= cost[rounded[heavy]].sum():
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
