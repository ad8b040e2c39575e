"""The linear relaxation of a request, and what follows from its prices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.siting.presolve import Reduced
from lcsiting.siting.problem import UNLIMITED, Problem

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Relaxed:
    """The request in floats, as the iterations want it.

    Attributes
    ----------
    factor : float64 (n_phases,) or (n_families, n_phases)
        Weight of each phase's covered weight.
    bonus : float64 (n_items, n_phases)
        Additive preference, times the phase's weight.
    fixed : int8 (n_items,)
        1 in, -1 out, 0 free.
    units, targets : float64
        Loads and limits of side 0.
    ptr, of, load, limit : ndarray
        The other sides and the cliques; limit (n_phases, n_sides), infinite where there is none.
    member, need : float64 (n_families, n_floors), (n_phases, n_floors)
        Floors.
    coupled : bool
        Choices grow from phase to phase.
    """

    factor: Floats
    bonus: Floats
    fixed: NDArray[np.int8]
    units: Floats
    targets: Floats
    ptr: NDArray[np.int64]
    of: NDArray[np.int32]
    load: Floats
    limit: Floats
    member: Floats
    need: Floats
    coupled: bool


def relax(problem: Problem, reduced: Reduced, *, coupled: bool, factor: Any = None, bonus: Any = None) -> Relaxed:
    """The relaxation of a request; ``factor`` and ``bonus`` replace the objective's."""
    n, phases, sides = len(problem.units), len(problem.targets), problem.sides
    factor = np.asarray(problem.alpha if coupled else np.ones(phases), float) if factor is None else factor
    bonus = np.outer(problem.bonus, factor) if bonus is None else bonus
    scale = np.ldexp(1.0, -sides.shift)
    limit = np.where(sides.limit_high >= UNLIMITED, np.inf, sides.limit_high * scale)
    item = np.repeat(np.arange(n), np.diff(sides.ptr))
    keep = sides.of > 0
    parts: list[tuple[Any, Any, Any]] = [(item[keep], sides.of[keep] - 1, sides.low[keep] * scale[sides.of[keep]])]
    names, size = np.unique(problem.clique, return_counts=True)
    wide = names[size > 1]
    if len(wide):
        inside = np.flatnonzero(np.isin(problem.clique, wide))
        parts.append(
            (inside, np.searchsorted(wide, problem.clique[inside]) + len(sides.names) - 1, np.ones(len(inside)))
        )
    at, of, load = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(at, kind="stable")
    one = np.ones((phases, len(wide)))
    if coupled:
        one[:-1] = np.inf
    units = np.zeros(n)
    units[item[~keep]] = sides.low[~keep] * scale[0]
    return Relaxed(
        factor=factor,
        bonus=bonus,
        fixed=np.where(problem.locked, 1, np.where(problem.barred, -1, 0)).astype(np.int8),
        units=units,
        targets=limit[:, 0],
        ptr=np.concatenate([[0], np.cumsum(np.bincount(at, minlength=n))]).astype(np.int64),
        of=of[order].astype(np.int32),
        load=load[order],
        limit=np.hstack([limit[:, 1:], one]),
        member=reduced.member.astype(float),
        need=problem.need.astype(float),
        coupled=coupled,
    )


def entry_value(score: Floats, fixed: Any, clique: Any, coupled: bool) -> float:
    """``sum_locked + sum_Q max`` of the bound, for scores (n, phases) with unit prices taken off."""
    later = np.cumsum(score[:, ::-1], axis=1)[:, ::-1] if coupled else score
    best = np.maximum(later.max(axis=1) if coupled else later, 0.0)
    if coupled:
        best = best[:, None]
    best[fixed != 0] = 0.0
    total = float(score[fixed == 1].sum())
    if clique is None:
        return total + float(best.sum())
    order, starts = clique
    return total + float(np.maximum.reduceat(best[order], starts, axis=0).sum())


def clique_runs(clique: NDArray[np.int32]) -> Any:
    """Items sorted by clique and the starts of the runs; None if every item is its own."""
    order = np.argsort(clique, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(clique[order]) > 0])
    return None if len(starts) == len(clique) else (order, starts)


def unit_prices(score: Floats, model: Relaxed, nu: Floats, runs: Any = None, sweeps: int = 3) -> Floats:
    """Prices of a unit that make the bound small, phase by phase with the others held.

    In phase t an item pays the price if its best entry is at or before t; it then gains the difference
    to its best later entry. The best price is the target's quantile of that difference per unit.
    """
    free = np.flatnonzero((model.fixed == 0) & (model.units > 0))
    out, phases = nu.copy(), len(nu)
    taken = model.units[model.fixed == 1].sum()
    for _ in range(sweeps if model.coupled else 1):
        for t in range(phases):
            net = score[free] - model.units[free, None] * np.where(np.arange(phases) == t, 0.0, out)
            if model.coupled:
                later = np.cumsum(net[:, ::-1], axis=1)[:, ::-1]
                early = later[:, : t + 1].max(axis=1)
                late = np.maximum(later[:, t + 1 :].max(axis=1), 0.0) if t + 1 < phases else 0.0
                rise = early - late
            else:
                rise = net[:, t]
            if runs is not None:  # only the best of a clique can pay
                every = np.full(len(model.units), -np.inf)
                every[free] = rise
                top = np.maximum.reduceat(every[runs[0]], runs[1])
                lengths = np.diff(np.append(runs[1], len(runs[0])))
                rise = np.where(every[runs[0]] >= np.repeat(top, lengths), every[runs[0]], -np.inf)
                back = np.full(len(every), -np.inf)
                back[runs[0]] = rise
                rise = back[free]
            per_unit = rise / model.units[free]
            order = np.argsort(-per_unit, kind="stable")
            used = np.cumsum(model.units[free][order])
            k = int(np.searchsorted(used, model.targets[t] - taken, side="right"))
            out[t] = max(per_unit[order[k]], 0.0) if k < len(order) else 0.0
    return out
