"""The least-cost joint choice that clears one protected station.

Station-side measures attenuate every base station at once; site-side modes change one base station
each. With the measures fixed, what is left is a multiple-choice knapsack: one mode for each base
station, the sums of the contributions within the budgets. Every set of measures that can help is
tried, cheapest first, until no cheaper total is possible; each knapsack is solved exactly (HiGHS), for
thousands of base stations to a known distance from the best.
Last resorts (dropping a site) are touched only where nothing else suffices, and then the least
coverage is given up rather than the least money spent.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting.coordination.knapsack import TIE, choose_modes
from lcsiting.coordination.measures import MEMBERS, StationMeasure, attenuation_db
from lcsiting.coordination.modes import SiteModes
from lcsiting.errors import RangeError

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
    start: ArrayLike | None = None,
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
        0 is exact. Else a relative gap at which the search may stop (or ``knapsack.SLACK``, if that is more), and must
        stop where more than ``knapsack.SEARCHED`` variables are left.
    broken_share : float
        Where what cannot be changed breaks a budget: the share of it that the others may add.
    members : array_like of 0 and 1, (B, 4)
        Which components each budget sums.
    start : array_like of int (n,), optional
        The modes the base stations are in already (for another protected station); as planned by default. A last
        resort taken there counts here as any other mode.

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
    mode = np.zeros(len(modes.mw), dtype=np.int64) if start is None else np.asarray(start, dtype=np.int64)
    rows = np.arange(len(mode))
    short = needed_db(modes.mw[rows, mode], budget, fixed, case.members)
    if not short.any():
        status = "cleared" if needed.any() else "clear"
        return _finished(status, needed, (), mode, case, np.zeros(len(budget)), float(modes.cost[rows, mode].sum()))
    helpful = [item for item in measures if (case.members[short > 0] @ item.effect_db > 0).any()]
    soft = modes.offered & ~modes.last
    soft[rows, mode] = True
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
