"""What a change of a plan must keep: the coordination budgets, the county quotas, the budgets of the phases.

A limit that holds must hold afterwards; one that is broken already must not get worse. Everything is counted
on the stations of the plan as it stands, so a place that opens costs what it costs and counts once. Floors are
checked where the rows are known (``floor_sums``).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.model import Cover, Plan, Project
from lcsiting.siting import cellmap
from lcsiting.siting.items import make_items
from lcsiting.siting.limits import Limits, make_limits

Ints = NDArray[np.int64]
Move = tuple[int, int, int]  # item of the cover, first phase, phase it ends before
SLACK = 1e-9


class Keep:
    """Use of every limit by a plan, and whether a change keeps them; ``swap`` changes it, nothing else does.

    Parameters
    ----------
    project, cover, plan : Project, Cover, Plan
        The plan and the cover it was made from.
    resources : tuple, optional
        ``((indptr, indices, loads), limits)`` as for ``phases.rank``.
    """

    def __init__(self, project: Project, cover: Cover, plan: Plan, resources: tuple[Any, Any] | None = None) -> None:
        self.years = [phase.year for phase in project.config.phases]
        phases, stations = len(self.years), project.stations.iloc[cover.station_rows]
        self.limits: Limits = make_limits(project, cover, make_items(project, cover))
        self.by_place = project.config.phases[0].unit == "place"
        codes = dict(zip(project.places["county_code"].astype(str), project.places["county"].astype(str), strict=True))
        names = {name: c for c, name in enumerate(self.limits.counties)}
        county = [names.get(codes[code], -1) for code in project.places["county_code"].astype(str)]
        self.place = stations["place"].to_numpy(np.int64)
        self.county = np.array(county, np.int64)[self.place]
        self.second, self.cost = stations["second_cost"].to_numpy(float), stations["cost"].to_numpy(float)
        self.on_air = stations["on_air"].to_numpy(bool)
        self.live = np.zeros(len(project.places), bool)
        self.live[self.place[self.on_air]] = True
        none: Any = (np.zeros(len(stations) + 1, np.int64), np.zeros(0, np.int64), np.zeros(0)), np.zeros((phases, 0))
        self.asks = resources is not None or self.limits.any
        (self.ptr, self.idx, self.load), limit = none if resources is None else resources
        self.limit = np.broadcast_to(np.atleast_2d(limit), (phases, np.shape(np.atleast_2d(limit))[1]))
        self.at = np.zeros((len(project.places), phases), np.int64)
        self.use = np.zeros(self.limit.shape)
        self.units = np.zeros_like(self.limits.lower)
        self.spent = np.zeros(phases)
        for item, first in zip(cellmap.plan_order(cover, plan), self.entries(plan), strict=True):
            self._shift((int(item), int(first), phases), 1, planned=not self.on_air[item])

    def entries(self, plan: Plan) -> Ints:
        """Phase each station of a plan enters in; 0 for what is on air."""
        on_air = (plan.stations["status"] == "on_air").to_numpy(bool)
        return np.where(on_air, 0, np.searchsorted(self.years, plan.stations["phase_year"]))

    def _shift(self, move: Move, sign: int, planned: bool = True) -> None:
        """An item comes (+1) or goes (-1) in some phases; what is on air loads nothing, the limits count it already."""
        item, first, last = move
        span, place = slice(first, last), self.place[item]
        before = self.at[place, span] > 0
        self.at[place, span] += sign
        opened = (self.at[place, span] > 0).astype(int) - before
        if self.county[item] >= 0:
            self.units[span, self.county[item]] += opened if self.by_place else sign
        if not planned:
            return
        for q in range(self.ptr[item], self.ptr[item + 1]):
            self.use[span, self.idx[q]] += sign * self.load[q]
        opening = 0.0 if self.live[place] else self.cost[item] - self.second[item]
        self.spent[span] += sign * self.second[item] * (not self.on_air[item]) + opened * opening

    def leave(self, out: Iterable[Move]) -> None:
        """Let items go, whatever that does to lower quotas: a demolition asks nobody."""
        for move in out:
            self._shift(move, -1)

    def swap(self, out: Iterable[Move], into: Iterable[Move]) -> bool:
        """Let items go and others come if that keeps the limits; otherwise nothing changes and the answer is no."""
        before = self.use.copy(), self.units.copy(), self.spent.copy()
        moves = [(move, -1) for move in out] + [(move, 1) for move in into]
        for move, sign in moves:
            self._shift(move, sign)
        use, units, spent = before
        low, high = self.limits.lower, self.limits.upper
        good = (
            ((self.use <= self.limit * (1 + SLACK)) | (self.use <= use + SLACK * np.abs(use))).all()
            and ((self.units <= high) | (self.units <= units)).all()
            and ((self.units >= low) | (self.units >= units)).all()
            and ((self.spent <= self.limits.budget + SLACK) | (self.spent <= spent + SLACK)).all()
        )
        if not good:
            for (item, first, last), sign in moves:
                self.at[self.place[item], first:last] -= sign
            self.use, self.units, self.spent = before
        return bool(good)


def first_phase(cover: Cover, order: Ints, phase: Ints, n_phases: int) -> Ints:
    """First phase in which each row is served; -1 today, ``n_phases`` never."""
    phi = np.full(len(cover.row_weight), n_phases, np.int64)
    for p in range(n_phases - 1, -2, -1):
        for item in order[phase == p]:
            phi[cover.indices[cover.indptr[item] : cover.indptr[item + 1]]] = p
    return phi


def floor_sums(cover: Cover, limits: Limits, phi: Ints) -> Ints:
    """Covered weight of every floor, (n_phases, n_floors), from the first phase each row is served in."""
    out = np.zeros_like(limits.need)
    for t in range(len(out)):
        out[t] = [cover.row_weight[mask & (phi <= t)].sum() for mask in limits.floor_rows]
    return out
