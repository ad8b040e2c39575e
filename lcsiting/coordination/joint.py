"""Every protected station cleared, one mode for each base station.

A base station may load several protected stations, and what is done for one changes what the others get. The
protected stations are taken in order of need; each is solved with the base stations in the modes they already have, and
may put them only into modes that bring no more to the stations before it. So every budget that was met stays met, and a
mode is paid once. Then what the later choices made superfluous is taken back. A few base stations are solved exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.coordination import clearing
from lcsiting.coordination.clearing import Clearing
from lcsiting.coordination.knapsack import TIE, choose_modes
from lcsiting.coordination.measures import StationMeasure, attenuation_db
from lcsiting.coordination.modes import SiteModes

Floats = NDArray[np.float64]

# A joint problem up to this size is solved exactly.
EXACT_ITEMS, EXACT_SETS = 40, 600
# Each protected station's own problem is exact up to so many base stations; beyond, this near to the best.
EXACT_UP_TO, GAP = 300, 2e-3
ROUNDING = 1e-12
AS_GOOD_DB = 0.1


@dataclass(frozen=True)
class Case:
    """One protected station's problem.

    Attributes
    ----------
    item : int64 (n,)
        Numbers of the base stations, the same in every case.
    modes : SiteModes
        Of those base stations; the same ids in every case.
    measures : list of StationMeasure
    budget_mw, fixed_mw, members : float64 (B,), (4,), (B, 4)
        As for :func:`clearing.clear_station`.
    """

    item: NDArray[np.int64]
    modes: SiteModes
    measures: list[StationMeasure]
    budget_mw: Floats
    fixed_mw: Floats
    members: Floats

    def loads(self, taken: Sequence[StationMeasure]) -> tuple[Floats, Floats]:
        """Load of each mode (n, M, B) and what is left (B,), as shares of the budgets, with some measures."""
        gain = 10 ** (-attenuation_db(list(taken)) / 10)
        load = (self.modes.mw * gain) @ self.members.T / self.budget_mw
        return load, 1.0 - (self.fixed_mw * gain) @ self.members.T / self.budget_mw


@dataclass(frozen=True)
class Joint:
    """The joint choice.

    Attributes
    ----------
    mode : int64 (N,)
        Position of each base station's mode.
    decided : int64 (N,)
        The case for whose need the mode was chosen; -1 where the station stays as planned.
    clearings : list of Clearing
        One for each case, with the modes and measures of the joint choice. Status and needs are those of the case
        given what was chosen before it; where measures alone do not suffice, the shadow prices are those of the case
        by itself.
    """

    mode: NDArray[np.int64]
    decided: NDArray[np.int64]
    clearings: list[Clearing]


def clear_all(cases: Sequence[Case], broken_share: float = 0.0) -> Joint:
    """Clear several protected stations together.

    Parameters
    ----------
    cases : sequence of Case
    broken_share : float
        As for :func:`clearing.clear_station`.

    Returns
    -------
    Joint
        Every case that is not ``broken`` is within its budgets.
    """
    n = 1 + max((int(case.item.max(initial=-1)) for case in cases), default=-1)
    mode, decided, found = _in_order(cases, broken_share, n)
    found = [_cheaper_measures(case, mode, one) for case, one in zip(cases, found, strict=True)]
    _take_back(cases, found, mode, decided)
    best = _exact(cases, found, mode, n)
    if best is not None:
        mode, taken = best
        decided = _most_loaded(cases, mode, n)
        found = [
            replace(one, measures=some, status="cleared" if one.status == "curtailed" else one.status)
            for one, some in zip(found, taken, strict=True)
        ]
    return Joint(mode, decided, [_settled(case, mode, one) for case, one in zip(cases, found, strict=True)])


def _in_order(
    cases: Sequence[Case], share: float, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Clearing]]:
    """The worst need first; modes may change only so that no earlier case gets more."""
    need = [clearing.needed_db(c.modes.mw[:, 0], c.budget_mw, c.fixed_mw, c.members).max() for c in cases]
    mode, decided = np.zeros(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    ways = len(cases[0].modes.ids) if cases else 0
    allowed = np.ones((n, ways), dtype=bool)
    found: dict[int, Clearing] = {}
    for k in np.argsort(-np.array(need), kind="stable").tolist():
        case, rows = cases[k], np.arange(len(cases[k].item))
        start = mode[case.item]
        modes = replace(case.modes, offered=case.modes.offered & allowed[case.item])
        gap = 0.0 if len(rows) <= EXACT_UP_TO else GAP
        one = clearing.clear_station(
            modes, case.measures, case.budget_mw, case.fixed_mw, gap, share, case.members, start
        )
        if start.any() and one.status in ("curtailed", "broken"):
            # What a decibel is worth here, not what it is worth once others have paid.
            apart = clearing.clear_station(
                case.modes, case.measures, case.budget_mw, case.fixed_mw, gap, share, case.members
            )
            one = replace(one, shadow_db=apart.shadow_db)
        changed = one.mode != start
        decided[case.item[changed]] = k
        mode[case.item] = one.mode
        load = case.loads(one.measures)[0]
        top = load[rows, one.mode][:, None, :] * (1 + ROUNDING)
        allowed[case.item] &= (load <= top).all(axis=2)
        found[k] = one
    return mode, decided, [found[k] for k in range(len(cases))]


def _cheaper_measures(case: Case, mode: NDArray[np.int64], found: Clearing) -> Clearing:
    """The same with the cheapest measures that do as much, now that all base stations have their modes.

    What cannot be cleared must not get more than all measures together leave (within :data:`AS_GOOD_DB`).
    """
    taken, rows = found.measures, np.arange(len(case.item))

    def used(some: Sequence[StationMeasure]) -> Floats:
        load, free = case.loads(some)
        return np.asarray(load[rows, mode[case.item]].sum(axis=0) + 1.0 - free)

    top = np.ones(len(case.budget_mw))
    if found.status == "broken":
        top = np.maximum(top, used(taken) * 10 ** (AS_GOOD_DB / 10))
    sets = [some for size in range(len(taken)) for some in combinations(taken, size)]
    for some in sorted(sets, key=lambda one: sum(item.cost for item in one)):
        if (used(some) <= top).all():
            return replace(found, measures=some)
    return found


def _take_back(
    cases: Sequence[Case], found: list[Clearing], mode: NDArray[np.int64], decided: NDArray[np.int64]
) -> None:
    """Put base stations back as planned, the dearest first, where every budget still holds (in place)."""
    n, width = len(mode), max((len(case.budget_mw) for case in cases), default=0)
    more = np.zeros((n, len(cases), width))
    room = np.full((len(cases), width), np.inf)
    price = np.zeros(n)
    for k, (case, one) in enumerate(zip(cases, found, strict=True)):
        rows, b = np.arange(len(case.item)), len(case.budget_mw)
        load, free = case.loads(one.measures)
        now = load[rows, mode[case.item]]
        more[case.item, k, :b] = load[:, 0] - now
        room[k, :b] = np.maximum(free - now.sum(axis=0), 0.0)
        price[case.item] = case.modes.cost[rows, mode[case.item]] + TIE * case.modes.lost[rows, mode[case.item]]
    changed = np.flatnonzero(mode > 0)
    for i in changed[np.argsort(-price[changed], kind="stable")]:
        if (more[i] <= room).all():
            room -= more[i]
            mode[i], decided[i] = 0, -1


def _exact(
    cases: Sequence[Case], found: list[Clearing], mode: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], list[tuple[StationMeasure, ...]]] | None:
    """The best of all joint choices without last resorts, if the problem is small and it is better than ``mode``."""
    some = [
        [taken for size in range(len(case.measures) + 1) for taken in combinations(case.measures, size)]
        for case in cases
        if len(case.measures) <= 12
    ]
    small = len(some) == len(cases) and n <= EXACT_ITEMS and prod(len(one) for one in some) <= EXACT_SETS
    if len(cases) < 2 or not small or any(one.status == "broken" for one in found):
        return None
    ways = len(cases[0].modes.ids)
    value, offered = np.zeros((n, ways)), np.zeros((n, ways), dtype=bool)
    offered[:, 0] = True
    for case in cases:
        value[case.item] = case.modes.cost + TIE * case.modes.lost
        offered[case.item] = case.modes.offered & ~case.modes.last
    best = sum(sum(item.cost for item in one.measures) for one in found) + value[np.arange(n), mode].sum()
    if any(one.status == "curtailed" for one in found):
        best = np.inf
    out = None
    for taken in sorted(product(*some), key=_station_cost):
        start = _station_cost(taken)
        if start >= best - ROUNDING:
            break
        load, free = _side_by_side(cases, taken, n, ways)
        solved = choose_modes(load, value, offered, free, 0.0, best - start)
        if solved is not None and start + solved[1] < best - ROUNDING:
            best, out = start + solved[1], (solved[0], list(taken))
    return out


def _station_cost(taken: Any) -> float:
    return float(sum(item.cost for one in taken for item in one))


def _side_by_side(cases: Sequence[Case], taken: Any, n: int, ways: int) -> tuple[Floats, Floats]:
    """Loads on the budgets of all cases as one problem, (n, M, all budgets), and what is left of them."""
    loads, free = [], []
    for case, some in zip(cases, taken, strict=True):
        own, left = case.loads(some)
        wide = np.zeros((n, ways, own.shape[2]))
        wide[case.item] = own
        loads.append(wide)
        free.append(left)
    return np.concatenate(loads, axis=2), np.concatenate(free)


def _most_loaded(cases: Sequence[Case], mode: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """For each base station that changes, the case it would load most as planned."""
    share = np.zeros((len(cases), n))
    for k, case in enumerate(cases):
        share[k, case.item] = case.loads(())[0][:, 0].max(axis=1)
    return np.where(mode > 0, share.argmax(axis=0), -1)


def _settled(case: Case, mode: NDArray[np.int64], found: Clearing) -> Clearing:
    """A case's result with the final modes and measures."""
    rows, mine = np.arange(len(case.item)), mode[case.item]
    total = case.modes.mw[rows, mine].sum(axis=0) + case.fixed_mw
    return replace(
        found,
        mode=mine,
        station_cost=float(sum(item.cost for item in found.measures)),
        site_cost=float(case.modes.cost[rows, mine].sum()),
        lost=case.modes.lost[rows, mine],
        used_mw=(total * 10 ** (-attenuation_db(list(found.measures)) / 10)) @ case.members.T,
    )
