"""A place falls through (owner refuses, parcel conflict): swap it and leave the rest of the plan alone.

A substitute takes the rank and the phase of the station it replaces. Among the places that cover some
of what is lost (if there are none, among all) it is the one whose stations add most, summed over the
ends of all phases they serve in: with phi_j the first phase in which row j is served (P if never), a
station put into phase p adds sum_j w_j max(0, phi_j - p).
"""

import dataclasses
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules, schema
from lcsiting.errors import LayerError, LcsitingError
from lcsiting.model import Cover, Plan, Project
from lcsiting.siting import _explain, cellmap, keep, plan_limits, plan_tables
from lcsiting.siting.plan_tables import AREA_UNIT_KM2, Chosen, _typed, cell_measures

Ints = NDArray[np.int64]


def refuse(
    eligible: pd.DataFrame, project: Project, place_ids: Iterable[str], *, rule: str = "failed", reason: str = ""
) -> pd.DataFrame:
    """The eligibility table with all stations of some places refused.

    Parameters
    ----------
    eligible : DataFrame
        Schema table ``eligible``.
    project : Project
        Its stations.
    place_ids : iterable of str
        Places that fell through.
    rule, reason : str
        Why; the words of the rule if no reason is given.
    """
    stations = project.stations["station_id"][project.stations["place_id"].isin(set(place_ids))]
    rows = pd.DataFrame(
        {
            "station_id": stations.to_numpy(object), "rule": rule, "passed": False, "verified": True,
            "reason": reason or schema.value_label(rule),
        }
    ).reindex(columns=list(eligible.columns))  # fmt: skip
    return pd.concat([eligible.astype(object), rows.astype(object)], ignore_index=True)


def _failed(plan: Plan, place_ids: Iterable[str]) -> list[str]:
    """The failed places, checked: planned, none of their stations on air."""
    wanted = list(dict.fromkeys(place_ids))
    table = plan.stations
    unknown = [place for place in wanted if place not in set(table["place_id"])]
    if unknown:
        raise LayerError(
            f"replace: {len(unknown)} places are not in the plan ({', '.join(unknown[:5])}). "
            "Only a planned place can be replaced; look it up in plan.places."
        )
    live = set(table.loc[table["status"] == "on_air", "place_id"])
    working = [place for place in wanted if place in live]
    if working:
        raise LayerError(
            f"replace: {len(working)} places have stations on air ({', '.join(working[:5])}). "
            "A working place is moved with relocate (先建后拆)."
        )
    return wanted


class _Search:
    """Best unused place for a group of stations; gains are kept as upper bounds, exact when they count.

    A place is tried in every combination of the modes its stations are offered in.
    """

    def __init__(self, project: Project, cover: Cover, first_phase: Ints, banned: NDArray[np.bool_]):
        stations = project.stations.iloc[cover.station_rows]
        self.cover, self.phi, self.banned = cover, first_phase, banned
        self.place = place = stations["place"].to_numpy(np.int64)
        network = stations["network_index"].to_numpy(np.int64)
        nth = pd.Series(cover.station_rows).groupby(cover.station_rows).cumcount().to_numpy()
        # item of each place and network, as planned first and then in its further modes
        self.items = np.full((int(nth.max(initial=0)) + 1, len(project.places), len(cover.networks)), -1, np.int64)
        self.items[nth, place, network] = np.arange(len(place))
        self.x, self.y = project.places.geometry.x.to_numpy(), project.places.geometry.y.to_numpy()
        self.gains: dict[int, Ints] = {}

    def _sums(self, items: Ints, left: Ints) -> Ints:
        out = np.zeros(len(items), np.int64)
        _explain.item_sums(self.cover.indptr, self.cover.indices, items, left, out)
        return out

    def _one(self, item: int, phase: int) -> int:
        rows = self.cover.indices[self.cover.indptr[item] : self.cover.indptr[item + 1]]
        return int((self.cover.row_weight[rows] * np.maximum(self.phi[rows] - phase, 0)).sum())

    def _covers_loss(self, wanted: list[tuple[int, int]], gone: Ints, options: Ints) -> NDArray[np.bool_]:
        """Which options cover some of what the ``gone`` items leave open."""
        left = np.zeros(len(self.phi), np.int64)
        for item, (_, phase) in zip(gone, wanted, strict=True):
            rows = self.cover.indices[self.cover.indptr[item] : self.cover.indptr[item + 1]]
            left[rows] = self.cover.row_weight[rows] * (self.phi[rows] > phase)
        return np.sum([self._sums(column, left) for column in options.T], axis=0) > 0

    def _options(self, wanted: list[tuple[int, int]]) -> Ints:
        """Items, one for each wanted network, of every unused place in every way it is offered, (n, k)."""
        free, parts = np.flatnonzero(~self.banned), []
        for ways in product(range(len(self.items)), repeat=len(wanted)):
            items = np.column_stack([self.items[way, free, n] for way, (n, _) in zip(ways, wanted, strict=True)])
            parts.append(items[(items >= 0).all(axis=1)])
        return np.concatenate(parts)

    def best(
        self, wanted: list[tuple[int, int]], gone: Ints, near: int, accept: Callable[[list[int]], bool]
    ) -> list[int]:
        """Items for the (network, phase) pairs of the ``gone`` items; none if no place is left that is accepted.

        Ties: the nearer, then the first.
        """
        options = self._options(wanted)
        if not len(options):
            return []
        covering = self._covers_loss(wanted, gone, options)
        for some in (options[covering], options[~covering]):
            if len(some) and (found := self._first(some, wanted, near, accept)):
                return found
        return []

    def _first(
        self, options: Ints, wanted: list[tuple[int, int]], near: int, accept: Callable[[list[int]], bool]
    ) -> list[int]:
        """The accepted option that adds most."""
        for _, phase in wanted:
            if phase not in self.gains:
                left = self.cover.row_weight * np.maximum(self.phi - phase, 0)
                self.gains[phase] = self._sums(np.arange(len(self.cover.station_ids)), left)
        score = sum(
            (self.gains[phase][options[:, k]] for k, (_, phase) in enumerate(wanted)), np.zeros(len(options), np.int64)
        )
        place = self.place_of(options[:, 0])
        away = np.hypot(self.x[place] - self.x[near], self.y[place] - self.y[near])
        while score.max() >= 0:
            top = np.flatnonzero(score == score.max())
            k = int(top[np.argmin(away[top])])
            exact, items = 0, [int(i) for i in options[k]]
            for item, (_, phase) in zip(items, wanted, strict=True):
                self.gains[phase][item] = self._one(item, phase)
                exact += int(self.gains[phase][item])
            if exact < score[k]:
                score[k] = exact
            elif accept(items):
                return items
            else:
                score[k] = -1
        return []

    def place_of(self, items: Any) -> Any:
        """Places of some items."""
        return self.place[items]

    def take(self, items: list[int], wanted: list[tuple[int, int]]) -> None:
        """Put items into service."""
        self.banned[self.place_of(items)] = True
        self.phi = _served(self.cover, self.phi, items, wanted)


def _served(cover: Cover, phi: Ints, items: list[int], wanted: list[tuple[int, int]]) -> Ints:
    """First phase of each row once some items serve, too."""
    out = phi.copy()
    for item, (_, phase) in zip(items, wanted, strict=True):
        rows = cover.indices[cover.indptr[item] : cover.indptr[item + 1]]
        out[rows] = np.minimum(out[rows], phase)
    return out


def _swap(
    project: Project, cover: Cover, plan: Plan, failed: list[str], order: Ints, phase: Ints, keeping: keep.Keep
) -> Ints:
    """The plan's positions with every station of a failed place exchanged."""
    n_phases, table = len(project.config.phases), plan.stations
    gone = table["place_id"].isin(failed).to_numpy(bool)
    place_of = project.stations["place"].to_numpy()[cover.station_rows]
    network = project.stations["network_index"].to_numpy()[cover.station_rows]
    banned = np.zeros(len(project.places), bool)
    banned[place_of[order]] = True
    limits = keeping.limits
    held = keep.floor_sums(cover, limits, keep.first_phase(cover, order, phase, n_phases)) >= limits.need
    search = _Search(project, cover, keep.first_phase(cover, order[~gone], phase[~gone], n_phases), banned)
    out, left = order.copy(), int(gone.sum())
    groups = pd.Series(np.flatnonzero(gone)).groupby(table["place_id"].to_numpy()[gone], sort=False)

    def try_one(turns: Any, wanted: list[tuple[int, int]], last: bool) -> bool:
        """Exchange the stations at some turns for those of one place."""

        def accept(items: list[int]) -> bool:
            if last and held.any():  # all others are back in service
                sums = keep.floor_sums(cover, limits, _served(cover, search.phi, items, wanted))
                if (held & (sums < limits.need)).any():
                    return False
            leave = [(int(order[t]), p, n_phases) for t, (_, p) in zip(turns, wanted, strict=True)]
            return keeping.swap(leave, [(i, p, n_phases) for i, (_, p) in zip(items, wanted, strict=True)])

        items = search.best(wanted, order[turns], int(place_of[order[turns[0]]]), accept)
        if items:
            out[turns] = items
            search.take(items, wanted)
        return bool(items)

    for failed_id, group in groups:
        turns = group.to_numpy()
        wanted = [(int(network[order[t]]), int(phase[t])) for t in turns]
        left -= len(turns)
        if try_one(turns, wanted, left == 0):
            continue
        for k, turn in enumerate(turns):  # no single place carries all its networks
            if not try_one(turns[[k]], [wanted[k]], left == 0 and k == len(turns) - 1):
                raise LcsitingError(
                    f"replace: no eligible place is left for {failed_id} ({table['network'].iloc[turn]}) that keeps "
                    "the coordination budgets, quotas and floors. Add candidates, or lower the target of its phase."
                )
    return out


def _rows(project: Project, cover: Cover, plan: Plan, order: Ints, changed: NDArray[np.bool_], unit: float) -> Chosen:
    """The changed plan as the tables want it; a substitute's block gain is what it newly covers."""
    table, weights = plan.stations, cover.row_weight
    owner, serving = np.full(len(weights), -1, np.int32), np.zeros(len(weights), np.int32)
    _explain.first_servers(cover.indptr, cover.indices, order, owner, serving)
    gain = np.bincount(owner[owner >= 0], weights=weights[owner >= 0], minlength=len(order))
    unused = np.zeros(len(cover.station_ids), np.int64)
    left = np.where(serving == 0, weights, 0)
    _explain.item_sums(cover.indptr, cover.indices, np.arange(len(unused)), left, unused)
    years = [phase.year for phase in project.config.phases]
    on_air = (table["status"] == "on_air").to_numpy(bool)
    chosen_in = table["chosen_in"].to_numpy(object) if "chosen_in" in table else np.full(len(table), "", object)
    rows = pd.DataFrame(
        {
            "position": order,
            "block_gain": np.where(changed, gain, table["block_gain"].to_numpy(float) / unit),
            "phase": np.where(on_air, -1, np.searchsorted(years, table["phase_year"])),
            "tier": np.where(changed, "", chosen_in),
            "basis": np.where(changed, "coverage", table["basis"].to_numpy(object)),
            "block": table["block"].to_numpy(),
        }
    )
    return Chosen(rows, unused.astype(np.float64) * unit)


def replace(
    project: Project,
    cover: Cover,
    plan: Plan,
    failed_place_ids: Iterable[str],
    *,
    eligible: pd.DataFrame,
    verdicts: pd.DataFrame,
    resources: tuple[Any, Any] | None = None,
    rule: str = "failed",
    reason: str = "",
) -> Plan:
    """Swap failed places; every other station keeps its place, phase and rank.

    Each failed place is replaced by one unused eligible place with the same networks that covers some of
    what is lost (any, if none does), so that stations and places per phase stay as they were; where no
    place has them all, station by station (the stations still add up, the places may not). Failed
    places are taken in the order of their first rank, after all of them have left.

    Parameters
    ----------
    project, cover, plan : Project, Cover, Plan
        The plan and the cover it was made from.
    failed_place_ids : iterable of str
        Planned places without a station on air.
    eligible, verdicts : DataFrame
        As for :func:`lcsiting.rank`.
    resources : tuple, optional
        The coordination budgets as for :func:`lcsiting.rank`. Those that hold still do afterwards, and so do county
        quotas, floors and budgets of the project.
    rule, reason : str
        Why they failed, for the refused table.

    Returns
    -------
    Plan
        Without certificate. :func:`replacements` lists the swaps and what they lose.

    Raises
    ------
    LayerError
        A place is not in the plan, or is on air.
    LcsitingError
        No eligible place is left that keeps what must be kept.
    """
    failed = _failed(plan, failed_place_ids)
    order, years = cellmap.plan_order(cover, plan), [phase.year for phase in project.config.phases]
    on_air = (plan.stations["status"] == "on_air").to_numpy(bool)
    phase = np.where(on_air, -1, np.searchsorted(years, plan.stations["phase_year"])).astype(np.int64)
    keeping = keep.Keep(project, cover, plan, resources)
    after = _swap(project, cover, plan, failed, order, phase, keeping)
    unit = rules.load("ranking", project.root / "rules")["weight_unit"]["value"]
    changed = after != order
    chosen = _rows(project, cover, plan, after, changed, unit)
    marked = refuse(eligible, project, failed, rule=rule, reason=reason)
    out = plan_tables.build(project, cover, marked, verdicts, chosen)
    before = plan.stations["place_id"].to_numpy(object)
    out.stations["reasons"] = [
        f"替换{old}；{text}" if new else text
        for old, new, text in zip(before, changed, out.stations["reasons"], strict=True)
    ]
    if plan.limits is None:
        return out
    return dataclasses.replace(out, limits=plan_limits.updated(project, cover, plan.limits, out, keeping.limits))


def replacements(project: Project, cover: Cover, before: Plan, after: Plan) -> pd.DataFrame:
    """The swaps between a plan and its replacement, and what each loses by the end of the plan.

    Swaps are counted one after the other in the order of the plan, so their losses add up to the
    whole loss exactly.

    Parameters
    ----------
    project, cover : Project, Cover
        As in :func:`replace`.
    before, after : Plan
        The plan, and what :func:`replace` made of it.

    Returns
    -------
    DataFrame
        Schema table ``replacements``; negative losses are gains.
    """
    old, new = cellmap.plan_order(cover, before), cellmap.plan_order(cover, after)
    unit = rules.load("ranking", project.root / "rules")["weight_unit"]["value"]
    measures, services = cell_measures(cover.cells, unit), len(cover.services)
    serving = np.zeros(len(cover.row_weight), np.int32)
    _explain.first_servers(cover.indptr, cover.indices, old, np.full(len(serving), -1, np.int32), serving)

    def move(item: int, step: int) -> Ints:
        """Weight, people and area that change hands when an item leaves (-1) or comes (+1)."""
        rows = cover.indices[cover.indptr[item] : cover.indptr[item + 1]]
        serving[rows] += step
        rows = rows[serving[rows] == (0 if step < 0 else 1)]
        first = rows[(rows // len(cover.cells)) % services == 0] % len(cover.cells)
        return -step * np.array([cover.row_weight[rows].sum(), *measures[:, first].sum(axis=1)], np.int64)

    turns = np.flatnonzero(old != new)
    losses = np.array([move(old[t], -1) + move(new[t], 1) for t in turns]).reshape(-1, 3)
    a, b = before.stations.iloc[turns].reset_index(drop=True), after.stations.iloc[turns].reset_index(drop=True)
    frame = pd.DataFrame(
        {
            "rank": a["rank"], "phase_year": a["phase_year"], "network": a["network"],
            "failed_id": a["station_id"], "failed_place_id": a["place_id"], "substitute_id": b["station_id"],
            "substitute_place_id": b["place_id"], "substitute_name": b["name"],
            "distance_m": np.hypot(a["x_m"] - b["x_m"], a["y_m"] - b["y_m"]),
            "loss_weight": losses[:, 0] * unit, "loss_people": losses[:, 1] * unit,
            "loss_area_km2": losses[:, 2] * AREA_UNIT_KM2,
        }
    )  # fmt: skip
    return _typed(frame, "replacements")
