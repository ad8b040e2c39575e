"""Rank items on arrays, with a certificate: presolve, dual, start, joint improvement, bound."""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.errors import RangeError
from lcsiting.siting import _search, certificate, dual, improve, outcome, pdhg, presolve, problem, relaxation

Ints = NDArray[np.int64]
ITERATIONS = 600
TOLERANCE = 2e-4


@dataclass(frozen=True)
class Effort:
    """How hard to try.

    Attributes
    ----------
    improve : bool
        Look for better nested choices than the greedy one.
    certify : bool
        Compute bounds.
    iterations : int
        Of the dual, at most.
    tolerance : float
        The dual ends when bound and relaxed value are this close, relatively.
    """

    improve: bool
    certify: bool
    iterations: int = ITERATIONS
    tolerance: float = TOLERANCE


EFFORTS = {"greedy": Effort(False, False), "bound": Effort(False, True), "best": Effort(True, True)}


def processors() -> int:
    """Threads to use if nothing is said."""
    return os.cpu_count() or 1


def whole_prices(request: problem.Problem, found: pdhg.Multipliers) -> NDArray[np.float64]:
    """Prices per whole load, as the search wants them."""
    return found.price * np.ldexp(1.0, -request.sides.shift)


def chosen_in(label: NDArray[Any], phases: int) -> NDArray[np.float64]:
    """The choice of every phase as zeros and ones, (n_items, n_phases)."""
    return (label[:, None] <= np.arange(phases)).astype(float)


def greedy_start(request: problem.Problem, reduced: presolve.Reduced) -> improve.Nested:
    """The greedy choice that respects every limit and, if it can, the floors."""
    walk = improve.make_walk(request, reduced)
    n, phases = len(request.units), len(request.targets)
    none = np.zeros((phases, len(request.sides.names)))
    improve.round_up(walk, request, np.zeros((n, phases)), none, 0.5)
    improve.mend_floors(walk, request, np.ones(request.need.shape))
    return improve.state_of(walk)


def ordered(request: problem.Problem, reduced: presolve.Reduced, label: NDArray[Any]) -> tuple[Any, Ints, Ints]:
    """Order, gains and phase ends of nested choices; locked items first."""
    n, phases = len(label), len(request.targets)
    order, gain = np.empty(n, np.int32), np.empty(n, np.int64)
    mark = np.where(request.locked, -1, label).astype(np.int8)
    picked = _search.within_order(
        reduced.indptr, reduced.indices, reduced.weights, request.bonus, mark, phases, order, gain
    )
    ends = np.array([(label <= t).sum() for t in range(phases)], np.int64)
    return order[:picked], gain[:picked], ends


def shortfalls(
    request: problem.Problem, reduced: presolve.Reduced, best: improve.Nested, effort: Effort, threads: int
) -> tuple[outcome.Shortfall, ...]:
    """What of the request does not hold, with the best found and a bound on what is possible."""
    out = []
    sides = request.sides
    for t, s in zip(*np.nonzero(best.slack < 0), strict=True):
        unit = 2.0 ** -int(sides.shift[s])
        limit, left = int(sides.limit_low[t, s]) * unit, int(best.slack[t, s]) * unit
        reachable = _side_reach(request, int(s))
        out.append(outcome.Shortfall(sides.names[s], int(t), abs(limit), abs(limit - left), abs(reachable * unit)))
    for t, r in zip(*np.nonzero(best.spare < 0), strict=True):
        need = int(request.need[t, r])
        found, bound = floor_reach(request, reduced, int(t), int(r), effort, threads)
        found = max(found, need + int(best.spare[t, r]))
        out.append(outcome.Shortfall(f"floor[{r}]", int(t), need, found, bound))
    return tuple(out)


def _side_reach(request: problem.Problem, side: int) -> int:
    """The least use a limit can have: what is locked, and for a lower quota everyone there."""
    sides = request.sides
    item = np.repeat(np.arange(len(request.units)), np.diff(sides.ptr))
    mine = (sides.of == side) & (request.locked[item] | ((sides.low < 0) & ~request.barred[item]))
    return int(sides.low[mine].sum())


def floor_reach(
    request: problem.Problem, reduced: presolve.Reduced, phase: int, floor: int, effort: Effort, threads: int
) -> tuple[int, int]:
    """Most of one floor's weight that the rest of the request allows in one phase: found (-1: none), and upper bound.

    This is the bound with no weight in the objective and the floor's own price 1, the other floors' free; a
    bound below the need proves that the floor cannot be met beside the others.
    """
    sides = request.sides
    need = np.where(np.arange(request.need.shape[1]) == floor, 0, request.need[[phase]])
    one = replace(
        request, targets=request.targets[[phase]], alpha=np.ones(1, np.int64), bonus=np.zeros_like(request.bonus),
        sides=replace(sides, limit_low=sides.limit_low[[phase]], limit_high=sides.limit_high[[phase]]),
        need=need, barred=request.barred | (reduced.superior >= 0),
    )  # fmt: skip
    inside = reduced.member[:, [floor]].astype(np.int64)
    start = chosen_in(np.where(one.locked, 0, 1), 1)
    found = pdhg.solve(
        reduced, relaxation.relax(one, reduced, coupled=False, factor=inside.astype(float), bonus=0.0 * start),
        one.clique, start=start, iterations=effort.iterations, tolerance=effort.tolerance, threads=threads,
    )  # fmt: skip
    starts = [(np.zeros((len(one.units), 1)), whole_prices(one, found), found.floor)]
    starts.append((found.y, *starts[0][1:]))
    best = improve.search(one, reduced, starts, enough=np.floor(found.bound + 1e-3), factor=inside)
    scale, price = certificate.scale_of(one), found.floor[0] + (np.arange(need.shape[1]) == floor)
    proof = certificate.whole_dual(one, reduced, found.share[0], found.price[0], price, 0, scale)
    _, bounds = certificate.finish(one, reduced, [proof], scale, coupled=False)
    most = int((one.weights[one.floor_rows[floor]] * (reduced.class_of[one.floor_rows[floor]] >= 0)).sum())
    return -1 if best.broken else best.objective, min(bounds[0] // scale, most)


def solve(
    request: problem.Problem, *, effort: Effort = EFFORTS["best"], threads: int = 1, given: NDArray[Any] | None = None
) -> tuple[improve.Nested, certificate.Certificate | None, presolve.Reduced]:
    """Nested choices and certificate of a request.

    Parameters
    ----------
    request : Problem
        From :func:`problem.make_problem`.
    effort : Effort
        What to do.
    threads : int
        The result does not depend on it.
    given : int8 (n_items,), optional
        Labels of a ranking made elsewhere; it is certified, and is one more start if improving.

    Returns
    -------
    Nested, Certificate or None, Reduced
    """
    reduced = presolve.presolve(request)
    phases = len(request.targets)
    if given is None:
        request, reduced = presolve.without_superfluous(request, reduced)
        best = greedy_start(request, reduced)
    else:
        walk = improve.make_walk(request, reduced)
        improve.restart(walk, request, np.where(request.locked, 0, given).astype(np.int8))
        best = improve.state_of(walk)
    if not (effort.certify or effort.improve):
        return best, None, reduced
    start = chosen_in(best.label, phases)
    joint = pdhg.solve(
        reduced, relaxation.relax(request, reduced, coupled=True), request.clique, start=start,
        iterations=effort.iterations, tolerance=effort.tolerance, threads=threads,
    )  # fmt: skip
    if effort.improve:
        starts = [(joint.y, whole_prices(request, joint), joint.floor)]
        if best.broken == 0:
            walk = improve.make_walk(request, reduced)
            improve.restart(walk, request, best.label)
            improve.improve(walk)
            here = improve.state_of(walk)
            best = here if improve.ahead(here, best) else best
        other = improve.search(request, reduced, starts, enough=np.floor(joint.bound + 1e-3))
        best = other if improve.ahead(other, best) else best
    if not effort.certify:
        return best, None, reduced
    if phases == 1:
        alone = joint
    else:
        alone = pdhg.solve(
            reduced, relaxation.relax(request, reduced, coupled=False), request.clique, start=joint.y,
            iterations=effort.iterations, tolerance=effort.tolerance, first=own_scale(request, joint), threads=threads,
        )  # fmt: skip
    return best, certificate.make_certificate(request, reduced, alone, joint), reduced


def own_scale(request: problem.Problem, joint: pdhg.Multipliers) -> pdhg.Multipliers:
    """Joint prices in the scale of a phase of its own."""
    alpha = request.alpha[:, None].astype(float)
    return replace(joint, price=joint.price / alpha, floor=joint.floor / alpha)


def rank(request: problem.Problem, *, effort: str | Effort = "best", threads: int | None = None) -> outcome.Ranking:
    """Solve a request and put the result together; see ``ranking.rank_cover``."""
    if isinstance(effort, str) and effort not in EFFORTS:
        raise RangeError(f"ranking: effort {effort!r} is not known; use one of {', '.join(EFFORTS)}")
    chosen = EFFORTS[effort] if isinstance(effort, str) else effort
    threads = threads or processors()
    best, proof, reduced = solve(request, effort=chosen, threads=threads)
    order, gain, ends = ordered(request, reduced, best.label)
    worth = np.concatenate([[0], np.cumsum(gain + request.bonus[order])])
    short = shortfalls(request, reduced, best, chosen, threads) if best.broken else ()
    out = outcome.Ranking(order, gain, ends, worth[ends], shortfalls=short)
    return with_bounds(request, reduced, out, proof) if proof is not None else out


def with_bounds(
    request: problem.Problem, reduced: presolve.Reduced, plan: outcome.Ranking, proof: certificate.Certificate
) -> outcome.Ranking:
    """Add bounds and gaps to a ranking."""
    own, joint = dual.plain_bounds(proof, certificate.coverable(request, reduced), bool(request.bonus.any()))
    total = int((request.alpha * plan.value).sum())
    return replace(
        plan,
        upper_bound=np.array(own, np.int64),
        gap_pct=np.array([gap_pct(v, b) for v, b in zip(plan.value, own, strict=True)]),
        joint_value=total,
        joint_bound=joint,
        joint_gap_pct=gap_pct(total, joint),
        dual=proof,
    )


def gap_pct(value: float, bound: float) -> float:
    """How far below the bound a value is, in per cent of the bound."""
    return 100.0 * (bound - value) / bound if bound > 0 else 0.0
