"""What a plan must keep beside its targets: county quotas, coverage floors, the budget of each phase.

The tiers take upper limits as linear resources (checked where an item is chosen) and lower ones as blocks
of their own before the first tier; the engine takes all of them as they are. Quotas count units of the
phases, floors count row weights, the budget counts the relative cost of the plan's tables: the first new
network on a place pays for the place, a further one for its equipment only.
"""

import difflib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules, schema
from lcsiting.config import Floor, Quota
from lcsiting.errors import ConfigError
from lcsiting.model import Cover, Project
from lcsiting.siting.items import Items, gather
from lcsiting.siting.plan_tables import county_names
from lcsiting.siting.traffic import ADDED

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
COST_PARTS = 1e6
QUANTUM_BITS = 30  # of a resource's largest limit


@dataclass(frozen=True)
class Limits:
    """Quotas, floors and budgets as arrays.

    Attributes
    ----------
    counties : tuple of str
        Names.
    county : int64 (n_items,)
        Position in ``counties``; -1 for none, and for items that use no unit.
    lower, upper : int64 (n_phases, n_counties)
        Units; 0 and ``none`` where nothing is asked.
    floors : tuple of str
        Names of the floors.
    floor_rows : tuple of bool (n_rows,)
        Rows of each floor.
    need : int64 (n_phases, n_floors)
        Weight to be covered; 0 before its year.
    budget : float64 (n_phases,)
        Relative cost of what is new; infinite where there is none.
    cost, opened_cost : float64 (n_items,)
        What an item costs, and once its place carries another.
    """

    counties: tuple[str, ...]
    county: Ints
    lower: Ints
    upper: Ints
    floors: tuple[str, ...]
    floor_rows: tuple[NDArray[np.bool_], ...]
    need: Ints
    budget: Floats
    cost: Floats
    opened_cost: Floats

    @property
    def none(self) -> int:
        """An upper quota that no plan reaches."""
        return len(self.county) + 1

    @property
    def any(self) -> bool:
        """Whether anything is asked at all."""
        return bool(self.lower.any() or (self.upper < self.none).any() or self.need.any() or self.has_budget)

    @property
    def has_budget(self) -> bool:
        """Whether some phase has a budget."""
        return bool(np.isfinite(self.budget).any())


def _known(name: str, known: list[str], what: str) -> ConfigError:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return ConfigError(f"project.toml: {what} {name!r} is not in the boundaries; {hint}")


def _quotas(project: Project, names: dict[str, str], none: int) -> tuple[Ints, Ints]:
    """Least and most units of every county in every phase; of several rows the strictest counts."""
    phases, codes = project.config.phases, list(names)
    lower = np.zeros((len(phases), len(codes)), np.int64)
    upper = np.full((len(phases), len(codes)), none, np.int64)
    for quota in project.config.quotas:
        if quota.county and quota.county not in codes and quota.county not in names.values():
            raise _known(quota.county, [*names.values()], "quotas.county")
        at = [c for c, code in enumerate(codes) if quota.county in ("", code, names[code])]
        for t, phase in enumerate(phases):
            if quota.year in (None, phase.year):
                least, most = _units_of(quota, phase.target)
                lower[t, at] = np.maximum(lower[t, at], least)
                upper[t, at] = np.minimum(upper[t, at], most if most is not None else none)
    if (lower > upper).any():
        t, c = np.argwhere(lower > upper)[0]
        raise ConfigError(
            f"project.toml: quotas of {names[codes[c]]} in {phases[t].year} ask for at least {lower[t, c]} and at most "
            f"{upper[t, c]}; correct one of them"
        )
    return lower, upper


def _units_of(quota: Quota, target: int) -> tuple[int, int | None]:
    """A quota's numbers at a target: shares of it rounded so that they hold."""
    least = max(quota.min or 0, int(np.ceil((quota.min_share or 0.0) * target - 1e-9)))
    most = [] if quota.max is None else [quota.max]
    if quota.max_share is not None:
        most.append(int(np.floor(quota.max_share * target + 1e-9)))
    return least, min(most) if most else None


def _floor_mask(project: Project, cover: Cover, floor: Floor, names: dict[str, str]) -> NDArray[np.bool_]:
    """Rows of a floor."""
    tiers = {row["name_zh"]: row["order"] for row in rules.load("tiers", project.root / "rules").values()}
    cells = np.ones(len(cover.cells), bool)
    if floor.area in tiers:
        cells = cover.cells["tier"].to_numpy() == tiers[floor.area]
    elif floor.area:
        codes = [code for code, name in names.items() if floor.area in (code, name)]
        if not codes:
            raise _known(floor.area, [*tiers, *names.values()], "floors.area")
        cells = cover.cells["county"].astype(str).isin(codes).to_numpy()
    network = np.array([floor.network in ("", name) for name in cover.networks])
    every = [name for name in cover.services if name not in ADDED]  # demand for capacity is no coverage
    service = np.array([name in ([floor.service] if floor.service else every) for name in cover.services])
    return (network[:, None, None] & service[:, None] & cells).reshape(-1)


def _floor_name(floor: Floor) -> str:
    """Area, network and service of a floor for people."""
    return " · ".join(filter(None, (floor.area or "全市", floor.network, schema.value_label(floor.service))))


def _costs(project: Project, cover: Cover, items: Items) -> tuple[Floats, Floats]:
    """Cost of each item on a place of its own, and on one that is open already; nothing for what is on air."""
    stations = project.stations.iloc[cover.station_rows[items.members]]
    second = stations["second_cost"].to_numpy(float)
    opened = np.add.reduceat(second, items.member_ptr[:-1]) if len(items.units) else np.zeros(0)
    lead = items.member_ptr[:-1]
    alone = opened + stations["cost"].to_numpy(float)[lead] - second[lead]
    live = np.zeros(len(project.places), bool)
    live[items.place_of[items.locked]] = True
    alone = np.where(live[items.place_of], opened, alone)
    return np.where(items.locked, 0.0, alone), np.where(items.locked, 0.0, opened)


def make_limits(project: Project, cover: Cover, items: Items) -> Limits:
    """Quotas, floors and budgets of a project.

    Parameters
    ----------
    project, cover, items : Project, Cover, Items
        What is ranked.

    Returns
    -------
    Limits

    Raises
    ------
    ConfigError
        An area the boundaries lack, or a quota whose least is more than its most.
    """
    names, config = county_names(project), project.config
    codes = project.places["county_code"].astype(str).to_numpy()[items.place_of]
    county = pd.Index(list(names)).get_indexer(pd.Index(codes)) if names else np.full(len(codes), -1)
    lower, upper = _quotas(project, names, len(items.units) + 1)
    masks = tuple(_floor_mask(project, cover, floor, names) for floor in config.floors)
    whole = [int(cover.row_weight[mask].sum()) for mask in masks]
    need = np.zeros((len(config.phases), len(masks)), np.int64)
    for r, floor in enumerate(config.floors):
        for t, phase in enumerate(config.phases):
            need[t, r] = int(np.ceil(floor.share * whole[r])) if phase.year >= floor.by else 0
    cost, opened = _costs(project, cover, items)
    budget = np.array([np.inf if phase.budget is None else phase.budget for phase in config.phases])
    return Limits(
        counties=tuple(names.values()), county=np.where(items.units > 0, county, -1).astype(np.int64),
        lower=lower, upper=upper,
        floors=tuple(_floor_name(floor) for floor in config.floors),
        floor_rows=masks, need=need, budget=budget, cost=cost, opened_cost=opened,
    )  # fmt: skip


def _whole(loads: Floats, idx: Any, limits: Floats) -> tuple[Floats, Floats]:
    """Loads and limits in whole quanta of about ``2**-QUANTUM_BITS`` of the limit, loads up and limits down."""
    shift = QUANTUM_BITS - np.frexp(limits.max(axis=0))[1]
    whole = np.minimum(np.ceil(np.ldexp(loads, shift[idx])), 2.0 ** (QUANTUM_BITS + 1))
    return whole, np.floor(np.ldexp(limits, shift))


def by_item(items: Items, resources: tuple[Any, Any] | None) -> tuple[Any, Floats]:
    """Resources of the items from those of their stations, and what there is of each, (n_phases, n_resources).

    Both in whole quanta: sums are then exact, so the tiers, the exchanges and the certificate judge a budget alike.
    What is chosen stays, so a phase may use no more than any later one leaves.
    """
    n = len(items.units)
    if resources is None:
        return (np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0)), np.zeros((0, 0))
    (indptr, indices, loads), limits = resources
    ptr, idx = gather(indptr, indices, items.members)
    _, load = gather(indptr, loads, items.members)
    table = np.maximum(_kept(np.atleast_2d(np.asarray(limits, np.float64))), 0.0)
    idx, loads = idx.astype(np.int32), load.astype(np.float64)
    if not len(idx) or not table.size:
        return (ptr[items.member_ptr], idx, loads), np.zeros_like(table)
    whole, table = _whole(loads, idx, table)
    return (ptr[items.member_ptr], idx, whole), table


def _kept(table: Any) -> Any:
    """A phase may use no more than any later one leaves."""
    return np.minimum.accumulate(table[::-1])[::-1]


def with_uppers(items: Items, limits: Limits, needed: Any, left: Floats) -> tuple[Any, Floats]:
    """Resources with the upper quotas and the budget as further ones.

    Parameters
    ----------
    items, limits : Items, Limits
        What there is, and what is asked.
    needed, left : tuple, float64 (n_phases, n_resources)
        From :func:`by_item`.

    Returns
    -------
    tuple, float64 (n_phases, n)
        ``(ptr, idx, load, opened)`` as ``blocks.new_state`` takes them; what is on air taken off.
    """
    ptr, idx, load = needed
    n, phases = len(items.units), len(limits.budget)
    left = left if left.size else np.zeros((phases, 0))
    parts = [(np.repeat(np.arange(n), np.diff(ptr)), idx, load, load)]
    columns = [left]
    width = left.shape[1]
    capped = np.flatnonzero((limits.upper < limits.none).any(axis=0))
    if len(capped):
        there = np.flatnonzero(np.isin(limits.county, capped))
        units = np.where(items.locked, 0, items.units)[there].astype(float)
        parts.append((there, width + np.searchsorted(capped, limits.county[there]), units, units))
        columns.append(np.maximum(_kept(limits.upper)[:, capped] - on_air_units(items, limits)[capped], 0))
        width += len(capped)
    if limits.has_budget:
        budget = _kept(np.where(np.isfinite(limits.budget), limits.budget, limits.cost.sum() + 1.0))[:, None]
        both, quanta = _whole(np.concatenate([limits.cost, limits.opened_cost]), np.zeros(2 * n, int), budget)
        parts.append((np.arange(n), np.full(n, width), both[:n], both[n:]))
        columns.append(quanta)
    at, of, one, opened = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(at, minlength=n))]).astype(np.int64)
    return (ends, of[order].astype(np.int32), one[order], opened[order]), np.hstack(columns).astype(float)


def on_air_units(items: Items, limits: Limits) -> Ints:
    """Units on air in each county, (n_counties,)."""
    return units_in(items, limits, items.locked)


def units_in(items: Items, limits: Limits, chosen: NDArray[np.bool_]) -> Ints:
    """Units of the chosen items in each county, (n_counties,)."""
    at = chosen & (limits.county >= 0)
    return np.bincount(limits.county[at], weights=items.units[at], minlength=len(limits.counties)).astype(np.int64)


def cost_by_phase(items: Items, limits: Limits, label: NDArray[Any]) -> Floats:
    """Relative cost of what is new by each phase, as the plan's tables count it, (n_phases,)."""
    phases = len(limits.budget)
    new = (label < phases) & ~items.locked
    out = np.zeros(phases)
    for t in range(phases):
        at = np.flatnonzero(new & (label <= t))
        out[t] = limits.opened_cost[at].sum()
        opening = pd.Series((limits.cost - limits.opened_cost)[at]).groupby(items.place_of[at]).max()
        out[t] += float(opening.sum())
    return out


def relaxed(items: Items, limits: Limits, achieved: Ints, covered: Ints) -> Limits:
    """The limits as far as they hold: lower ones no higher than what is achieved, upper ones no lower than on air."""
    return replace(
        limits,
        lower=np.minimum(limits.lower, achieved), need=np.minimum(limits.need, covered),
        upper=np.maximum(limits.upper, on_air_units(items, limits)),
    )  # fmt: skip


def fair_costs(items: Items, limits: Limits) -> Floats:
    """Costs that add up to no more than any choice costs: what opens a place is shared by its items, (n_items,)."""
    once = ~items.locked & ~items.further_modes
    share = np.bincount(items.place_of[once], minlength=int(items.place_of.max(initial=-1)) + 1)
    return limits.opened_cost + (limits.cost - limits.opened_cost) / np.maximum(share[items.place_of], 1)


def held_costs(items: Items, limits: Limits, label: NDArray[Any]) -> tuple[Floats, Floats]:
    """Costs in whole millionths that no exchange can make too small, as resources: (phases, n_items), (phases, phases).

    One resource for each phase: where a place carries two new items or more by then, its opening is paid for good;
    anywhere else every item pays for it. Exact where the plan stands now.
    """
    phases, places = len(limits.budget), int(items.place_of.max(initial=-1)) + 1
    cost, opened = (np.rint(c * COST_PARTS) for c in (limits.cost, limits.opened_cost))
    loads = np.empty((phases, len(cost)))
    left = np.full((phases, phases), 2.0 * cost.sum() + 1.0)
    for t in range(phases):
        new = (label <= t) & ~items.locked
        shared = (np.bincount(items.place_of[new], minlength=places) > 1)[items.place_of]
        loads[t] = np.where(shared, opened, cost)
        opening = pd.Series((cost - opened)[new & shared]).groupby(items.place_of[new & shared]).max().sum()
        if np.isfinite(limits.budget[t]):
            left[t, t] = max(np.floor(limits.budget[t] * COST_PARTS + 0.5) - opening, loads[t, new].sum())
    return loads, left


def keywords(items: Items, limits: Limits, label: NDArray[Any], *, held: bool) -> dict[str, Any]:
    """The limits as the engine takes them; the budget for exchanges (``held``) is one of :func:`held_costs`."""
    out: dict[str, Any] = {}
    if limits.lower.any() or (limits.upper < limits.none).any():
        capped = (limits.upper < limits.none).any(axis=0)
        out["groups"] = {"county": limits.county}
        out["quotas"] = {"county": (limits.lower, np.where(capped, limits.upper, np.inf))}
    if limits.need.any():
        out["floors"] = [(mask, limits.need[:, r]) for r, mask in enumerate(limits.floor_rows)]
    if limits.has_budget and held:
        out["held"] = held_costs(items, limits, label)
    elif limits.has_budget:  # in whole millionths, down: the bound may only grow
        out["costs"] = whole = np.floor(fair_costs(items, limits) * COST_PARTS)
        out["budget"] = np.ceil(np.where(np.isfinite(limits.budget), limits.budget * COST_PARTS, whole.sum() + 1.0))
    return out


def achieved(cover: Cover, items: Items, limits: Limits, label: NDArray[Any]) -> tuple[Ints, Ints]:
    """Units of each county (n_phases, n_counties) and covered weight of each floor (n_phases, n_floors)."""
    phases = len(limits.budget)
    units, covered = np.zeros_like(limits.lower), np.zeros_like(limits.need)
    done = np.zeros(len(cover.row_weight), bool)
    for t in range(phases):
        for i in np.flatnonzero(label == t):
            done[items.indices[items.indptr[i] : items.indptr[i + 1]]] = True
        units[t] = units_in(items, limits, label <= t)
        covered[t] = [cover.row_weight[mask & done].sum() for mask in limits.floor_rows]
    return units, covered


def advanced(limits: Limits, lower_short: NDArray[np.bool_], floor_short: NDArray[np.bool_]) -> Limits:
    """What is short in a phase asked for one phase earlier; the same limits if nothing can be."""
    lower, need = limits.lower.copy(), limits.need.copy()
    lower[:-1] = np.where(lower_short[1:], np.maximum(lower[:-1], lower[1:]), lower[:-1])
    need[:-1] = np.where(floor_short[1:], np.maximum(need[:-1], need[1:]), need[:-1])
    return replace(limits, lower=np.minimum(lower, limits.upper), need=need)


def nothing(limits: Limits) -> Limits:
    """The same areas with nothing asked of them."""
    return replace(
        limits, lower=np.zeros_like(limits.lower), upper=np.full_like(limits.upper, limits.none),
        need=np.zeros_like(limits.need), budget=np.full_like(limits.budget, np.inf),
    )  # fmt: skip
