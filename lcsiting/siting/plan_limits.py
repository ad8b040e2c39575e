"""Which quota, floor or budget binds in a plan, and which cannot be met: named, with the best found and its bound."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.model import Cover, Plan, Project
from lcsiting.siting import cellmap, engine, improve, outcome, plan_certificate, presolve, problem
from lcsiting.siting.items import Items
from lcsiting.siting.limits import Limits, achieved, cost_by_phase, relaxed
from lcsiting.siting.plan_tables import Chosen, _typed

TOLERANCE = 1e-9


def _values(cover: Cover, items: Items, limits: Limits, label: NDArray[Any]) -> tuple[Any, Any, Any]:
    """Units by county, covered share of every floor, cost of what is new, by phase."""
    units, covered = achieved(cover, items, limits, label)
    whole = np.array([cover.row_weight[mask].sum() for mask in limits.floor_rows], float)
    return units, covered / np.maximum(whole, 1), cost_by_phase(items, limits, label)


def _asked(project: Project, limits: Limits) -> list[tuple[int, str, int, str, float]]:
    """Phase, kind, position, area and limit of everything asked."""
    out: list[tuple[int, str, int, str, float]] = []
    for t, phase in enumerate(project.config.phases):
        for c, name in enumerate(limits.counties):
            if limits.lower[t, c]:
                out.append((t, "quota_min", c, name, float(limits.lower[t, c])))
            if limits.upper[t, c] < limits.none:
                out.append((t, "quota_max", c, name, float(limits.upper[t, c])))
        for r, floor in enumerate(project.config.floors):
            if limits.need[t, r]:
                out.append((t, "floor", r, limits.floors[r], floor.share))
        if phase.budget is not None:
            out.append((t, "budget", 0, "", phase.budget))
    return out


def _at(values: tuple[Any, Any, Any], phase: int, kind: str, position: int) -> float:
    units, shares, cost = values
    if kind == "budget":
        return float(cost[phase])
    return float((shares if kind == "floor" else units)[phase, position])


def _keeps(kind: str, value: float, limit: float) -> bool:
    if kind == "least_cost":  # nothing is asked
        return True
    from_below = kind in ("quota_min", "floor", "target_share")
    slack = value - limit if from_below else limit - value
    return slack >= -TOLERANCE * max(abs(limit), 1.0)


def _shortfalls(
    project: Project, cover: Cover, items: Items, limits: Limits, label: NDArray[Any], broken: list[tuple[Any, ...]],
    resources: Any, threads: int,
) -> dict[tuple[int, str], outcome.Shortfall]:  # fmt: skip
    """What the engine finds out about each broken lower limit beside those that hold, by phase and name."""
    held = relaxed(items, limits, *achieved(cover, items, limits, label))
    out: dict[tuple[int, str], outcome.Shortfall] = {}
    for t, kind, k, *_ in broken:
        if kind not in ("quota_min", "floor"):
            continue
        lower, need = held.lower.copy(), held.need.copy()
        for other, what, position, *_ in broken:  # what does not hold anyway must not speak against this one
            if what in ("quota_min", "floor"):
                (lower if what == "quota_min" else need)[other, position] = 0
        (lower if kind == "quota_min" else need)[t, k] = (limits.lower if kind == "quota_min" else limits.need)[t, k]
        asked = Limits(**(vars(held) | {"lower": lower, "need": need}))
        terms = plan_certificate.request_of(project, items, label, asked, resources)
        request = problem.make_problem((items.indptr, items.indices), cover.row_weight, **terms)
        reduced = presolve.presolve(request)
        walk = improve.make_walk(request, reduced)
        improve.restart(walk, request, label)
        found = engine.shortfalls(request, reduced, improve.state_of(walk), engine.EFFORTS["best"], threads)
        out |= {(one.phase, one.name): one for one in found}
    return out


def limit_rows(
    project: Project, cover: Cover, items: Items, limits: Limits, chosen: Chosen, free: Chosen, *,
    resources: Any = None, threads: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Schema table ``limits``.

    Parameters
    ----------
    project, cover, items, limits : Project, Cover, Items, Limits
        What was asked of what.
    chosen, free : Chosen
        The plan, and what the tiers choose if nothing is asked: a limit *binds* if that breaks it, an upper one
        also if it is used up (a budget: to less than what the median station costs).
    resources : tuple, optional
        As for :func:`plan_certificate.certify`.
    threads : int
        The result does not depend on it.

    Returns
    -------
    DataFrame
        ``best`` and ``bound`` only where a limit is not met: the most (for an upper limit the least) that was found
        and that any plan can have that keeps what this one keeps; ``impossible`` where that bound proves it.
    """
    phases = project.config.phases
    label = plan_certificate.labels_of(items, chosen.rows, len(phases))
    values = _values(cover, items, limits, label)
    without = _values(cover, items, limits, plan_certificate.labels_of(items, free.rows, len(phases)))
    asked = _asked(project, limits)
    broken = [row for row in asked if not _keeps(row[1], _at(values, *row[:3]), row[4])]
    found = _shortfalls(project, cover, items, limits, label, broken, resources, threads)
    whole = [max(int(cover.row_weight[mask].sum()), 1) for mask in limits.floor_rows]
    new = ~items.locked & ~items.further_modes
    typical = float(np.median(limits.cost[new])) if new.any() else 0.0
    rows = []
    for t, kind, k, area, limit in asked:
        value, bare = _at(values, t, kind, k), _at(without, t, kind, k)
        best = bound = np.nan
        if _keeps(kind, value, limit):
            full = (kind == "quota_max" and value >= limit) or (kind == "budget" and limit - value < typical)
            state = "binding" if full or not _keeps(kind, bare, limit) else "kept"
        elif kind == "quota_max":  # only what is on air can exceed it
            best, bound, state = value, float(items.units[items.locked & (limits.county == k)].sum()), "impossible"
        else:
            one = found[t, f"floor[{k}]" if kind == "floor" else f"county[{k}]>="]
            scale = whole[k] if kind == "floor" else 1
            best, bound = max(one.best / scale, value), one.bound / scale
            bound = bound if kind == "floor" else min(bound, float(max(phases[t].target, value)))
            state = "unmet" if _keeps(kind, bound, limit) else "impossible"
        unit = "share" if kind == "floor" else "" if kind == "budget" else phases[t].unit
        rows.append((phases[t].year, kind, area, unit, limit, value, state, bare, best, bound))
    columns = ["year", "kind", "area", "unit", "limit", "value", "outcome", "free_value", "best", "bound"]
    return _typed(pd.DataFrame(rows, columns=columns), "limits")


def updated(project: Project, cover: Cover, before: pd.DataFrame, plan: Plan, limits: Limits) -> pd.DataFrame:
    """The table for a plan that was changed afterwards, counted on its own tables."""
    years = [phase.year for phase in project.config.phases]
    table, by_place = plan.stations, project.config.phases[0].unit == "place"
    order, done = cellmap.plan_order(cover, plan), np.zeros(len(cover.row_weight), bool)
    units, shares = np.zeros((len(years), len(limits.counties)), np.int64), np.zeros(limits.need.shape)
    for t, year in enumerate(years):
        until = (table["phase_year"] <= year).to_numpy(bool)
        for i in order[until]:
            done[cover.indices[cover.indptr[i] : cover.indptr[i + 1]]] = True
        counts = table[until].groupby("county")["place_id" if by_place else "station_id"].nunique()
        units[t] = [counts.get(name, 0) for name in limits.counties]
        shares[t] = [cover.row_weight[m & done].sum() / max(cover.row_weight[m].sum(), 1) for m in limits.floor_rows]
    values = units, shares, plan.phases["cost"].to_numpy(float)
    out, own = before.copy(), before["kind"].isin(["target_share", "least_cost"]).to_numpy()
    out.loc[~own, "value"] = [_at(values, t, kind, k) for t, kind, k, *_ in _asked(project, limits)]
    phases = plan.phases.set_index("year")
    for kind, column in (("target_share", "covered_weight_share"), ("least_cost", "cost")):
        mine = (before["kind"] == kind).to_numpy()
        out.loc[mine, "value"] = phases[column].reindex(before.loc[mine, "year"]).to_numpy(float)
    good = [_keeps(row.kind, row.value, row.limit) for row in out.itertuples()]
    was = before["outcome"].isin(["kept", "binding"]).to_numpy()
    out["outcome"] = np.where(good, np.where(was, before["outcome"], "kept"), np.where(was, "unmet", before["outcome"]))
    return out
