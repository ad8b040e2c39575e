"""The least cost that covers a given share: the same machinery turned round.

Minimising the cost of a choice that covers weight T is maximising ``-cost`` under one floor over all
rows. The bound is the certificate's with no weight in the objective, ``-cost`` as the bonus and the
floor's price pi::

    cost >= pi T - sum_j (pi w_j - u_j) - sum_locked (c_i - cost_i) - sum_Q max(0, max_{i in Q} (c_i - cost_i))

Costs are whole numbers of ``2**-shift``; where they are whole themselves the bound is rounded up.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.errors import RangeError
from lcsiting.siting import _search, _walk, certificate, engine, improve, outcome, pdhg, presolve, problem, relaxation

FACTOR_PARTS = 1 << 20  # whole parts of a cost unit in the search
ROUNDS = 6
PRICES = 12  # of coverage tried, at most
SURE = ((0.9, 0.7, 0.5, 0.3), (0.7, 0.3), (0.5,))  # thresholds for the best choices of the relaxation


def costed(request: problem.Problem, costs: NDArray[Any], target: int) -> problem.Problem:
    """The request with its objective replaced: one phase, one more floor over all rows, a budget of nothing.

    The budget's price in the bound is the cost itself, so the bound of an objective of nothing says how
    large the budget must be.
    """
    n = len(request.units)
    shift = problem.shift_of(costs, np.zeros(0))
    shift = min(shift, 46 - int(np.ceil(costs.sum())).bit_length())
    low, high = (r(np.ldexp(costs, shift)).astype(np.int64) for r in (np.floor, np.ceil))
    old = request.sides
    keep = [s for s, name in enumerate(old.names) if name != "budget"]
    renumber = np.full(len(old.names), -1)
    renumber[keep] = np.arange(len(keep))
    item = np.repeat(np.arange(n), np.diff(old.ptr))
    stay = renumber[old.of] >= 0
    at = np.concatenate([item[stay], np.arange(n)])
    order = np.argsort(at, kind="stable")
    sides = problem.Sides(
        names=(*(old.names[s] for s in keep), "budget"),
        shift=np.append(old.shift[keep], shift),
        ptr=np.concatenate([[0], np.cumsum(np.bincount(at, minlength=n))]).astype(np.int64),
        of=np.concatenate([renumber[old.of[stay]], np.full(n, len(keep))])[order].astype(np.int32),
        low=np.concatenate([old.low[stay], low])[order],
        high=np.concatenate([old.high[stay], high])[order],
        limit_low=np.column_stack([old.limit_low[:, keep], [problem.UNLIMITED]]),
        limit_high=np.column_stack([old.limit_high[:, keep], [0]]),
    )
    return replace(
        request,
        bonus=np.zeros(n, np.int64),
        barred=problem.barred_items(request.locked, request.conflict_ptr, request.conflict_items, at_any_cost(sides)),
        sides=sides,
        floor_rows=(*request.floor_rows, np.arange(len(request.weights))),
        need=np.column_stack([request.need, [target]]),
    )


def at_any_cost(sides: problem.Sides) -> problem.Sides:
    """The limits without that of the cost, the last one."""
    return replace(sides, limit_high=np.column_stack([sides.limit_high[:, :-1], [problem.UNLIMITED]]))


def first_choice(walk: _walk.Walk, request: problem.Problem, costs: NDArray[Any], y: NDArray[Any], sure: float) -> None:
    """What the relaxation is sure of, then the most coverage per cost until the floors hold."""
    cheap = np.maximum(costs, 1e-9 * max(float(costs.max(initial=0)), 1e-9))
    wanted = np.flatnonzero(y[:, 0] > sure)
    none = np.zeros(len(costs))
    _search.admit(walk, 0, wanted[np.argsort(-y[wanted, 0], kind="stable")])
    _search.fill(walk, 0, none, np.ones(len(costs)), -_search.ANY, True, False)
    _search.fill(walk, 0, none, cheap, 1, False, True)


def cheaper(walk: _walk.Walk, request: problem.Problem, costs: NDArray[Any], price: float) -> improve.Nested:
    """Exchange at a price of coverage, then drop what is not needed, while the cost falls."""
    best: improve.Nested | None = None
    n = len(costs)
    for _ in range(ROUNDS):
        cost = np.maximum(walk.gain[:, 0] / FACTOR_PARTS, 0)
        order = np.argsort(cost / np.maximum(price, 1e-30) / np.maximum(costs, 1e-30), kind="stable")
        _search.drop_pass(walk, order, costs)
        here = improve.state_of(walk)
        here = replace(here, objective=-total_cost(request, here.label))
        if best is not None and not improve.ahead(here, best):
            break
        best = here
        for _ in range(2):
            _search.exchange_pass(walk, 0, 1, True, np.zeros(n, np.int64))
    assert best is not None
    return best


def total_cost(request: problem.Problem, label: NDArray[Any]) -> int:
    """Cost of a choice in whole parts, rounded up."""
    sides = request.sides
    item = np.repeat(np.arange(len(label)), np.diff(sides.ptr))
    mine = (sides.of == len(sides.names) - 1) & (label[item] == 0)
    return int(sides.high[mine].sum())


def least_cost(
    request: problem.Problem, costs: Any, share: float, *, effort: Any = "best", threads: int | None = None
) -> outcome.Ranking:
    """Cheapest choice that covers a share of the weight, with a lower bound on any choice's cost.

    Parameters
    ----------
    request : Problem
        One phase; its targets, quotas, resources, floors and conflicts hold, a budget does not.
    costs : ndarray, (n_items,)
        Non-negative.
    share : float
        0 to 1, of the whole weight (rows nobody covers included).
    effort, threads : as for ``ranking.rank_cover``

    Returns
    -------
    Ranking
        ``cost`` and ``lower_bound``; ``gap_pct`` is how far the cost lies above the bound, in per cent of
        the cost. ``value`` is the covered weight.

    Raises
    ------
    RangeError
        No costs, several phases, a share outside 0 to 1.
    """
    costs = np.asarray([] if costs is None else costs, float)
    if len(costs) != len(request.units) or (costs < 0).any() or len(request.targets) != 1 or not 0 <= share <= 1:
        raise RangeError("ranking: target_share needs one phase, a cost of 0 or more for every item, a share 0 to 1")
    chosen = engine.EFFORTS[effort] if isinstance(effort, str) else effort
    threads = threads or engine.processors()
    target = int(np.ceil(share * int(request.weights.sum())))
    task = costed(request, costs, target)
    reduced = presolve.presolve(task)
    walk = improve.make_walk(task, reduced, np.ones((len(reduced.member), 1), np.int64))
    bare = walk.label.copy()
    first_choice(walk, task, costs, np.zeros((len(costs), 1)), 2.0)
    inside = (walk.label == 0) & (walk.fixed == 0)
    price = float(costs[inside].sum()) / max(target, 1) * 1.5 + 1e-12
    start = engine.chosen_in(walk.label, 1)
    found, choices = priced(task, reduced, costs, start, price, chosen, threads)
    price = float(found.floor[0, -1]) or price
    best: improve.Nested | None = None
    starts = [(choices[0], 2.0), *((y, sure) for y, some in zip(choices, SURE, strict=False) for sure in some)]
    for y, sure in starts:
        walk.factor[:], walk.bonus[:] = 1, 0
        improve.restart(walk, task, bare)
        first_choice(walk, task, costs, y, sure)
        walk.bonus[:, 0] = -np.rint(costs * FACTOR_PARTS).astype(np.int64)
        walk.factor[:] = max(round(price * FACTOR_PARTS), 1)
        improve.restart(walk, task, walk.label.copy())
        here = cheaper(walk, task, costs, price)
        best = here if improve.ahead(here, best) else best
    assert best is not None
    return _outcome(task, reduced, costs, best, found, chosen, threads)


def priced(
    task: problem.Problem, reduced: presolve.Reduced, costs: NDArray[Any], start: NDArray[Any], price: float,
    effort: engine.Effort, threads: int,
) -> tuple[pdhg.Multipliers, list[NDArray[np.float64]]]:  # fmt: skip
    """Multipliers of the relaxation with the cost as the objective, and fractional choices, the best first.

    The price of coverage pi is searched for outside the iterations: with a fixed one the relaxation is
    ``max pi f - cost``, which they solve well, and the bound ``pi T - max`` is concave in pi with the slope
    ``T - covered``. Two prices with slopes of different signs also say how much more there is to gain.
    """
    target, last = float(task.need[0, -1]), task.need.shape[1] - 1
    need = np.where(np.arange(last + 1) < last, task.need, 0)
    bare = replace(task, sides=at_any_cost(task.sides), need=need)
    found: list[tuple[float, float, float, pdhg.Multipliers]] = []  # bound, price, slope
    first = None
    for _ in range(PRICES):
        model = relaxation.relax(bare, reduced, coupled=False, factor=np.array([price]), bonus=-costs[:, None])
        model = replace(model, member=model.member * (np.arange(last + 1) < last))  # its price is in the factor
        one = pdhg.solve(
            reduced, model, task.clique, start=start, first=first, iterations=effort.iterations,
            tolerance=effort.tolerance, threads=threads,
        )  # fmt: skip
        slope = target - float(pdhg.covered(reduced, one.y, threads)[0])
        found.append((price * target - one.bound, price, slope, one))
        start, first = one.y, one
        following = _next_price([entry[:3] for entry in found], target, effort.tolerance)
        if following is None:
            break
        price = following
    found.sort(key=lambda entry: -entry[0])
    _, price, _, one = found[0]
    floor = one.floor.copy()
    floor[0, -1] = price
    return replace(one, floor=floor), [entry[3].y for entry in found]


def _next_price(found: list[tuple[float, float, float]], target: float, tolerance: float) -> float | None:
    """Where the bound may be larger still, from bounds, prices and slopes so far; None where it cannot be much.

    Between the highest price that covers too little and the lowest that covers enough, where their tangents
    meet, kept off the ends.
    """
    rising = max((entry for entry in found if entry[2] > 0), key=lambda e: e[1], default=None)
    falling = min((entry for entry in found if entry[2] <= 0), key=lambda e: e[1], default=None)
    if rising is None or falling is None:
        price = found[-1][1] * (4.0 if falling is None else 0.25)
        return price if target > 0 else None
    low, high = rising[1], falling[1]
    if low >= high:
        return None
    step = (falling[0] - rising[0] + falling[2] * (low - high)) / (rising[2] - falling[2])
    most = rising[0] + rising[2] * step
    if most - max(entry[0] for entry in found) <= tolerance * abs(most):
        return None
    return low + min(max(step, 0.1 * (high - low)), 0.9 * (high - low))


def _outcome(
    task: problem.Problem, reduced: presolve.Reduced, costs: NDArray[Any], best: improve.Nested,
    found: pdhg.Multipliers, effort: engine.Effort, threads: int,
) -> outcome.Ranking:  # fmt: skip
    """Ranking with cost, bound and certificate."""
    price = found.price.copy()
    price[0, -1] = 1.0
    scale = 1 << max(min(26, 47 - int(np.ceil(costs.sum())).bit_length()), 0)
    dual = certificate.whole_dual(task, reduced, found.share[0], price[0], found.floor[0], 0, scale)
    duals, bounds = certificate.finish(task, reduced, [dual], scale, coupled=False)
    proof = certificate.Certificate(
        certificate.matrix_hash(task.indptr, task.indices, task.weights), scale, certificate.PRICE_BITS,
        task.sides.names, task.sides.shift, task.clique, task.alpha, tuple(duals), (), tuple(bounds), 0,
    )  # fmt: skip
    bound = max(-bounds[0] / scale, 0.0)
    if (costs == np.rint(costs)).all():
        bound = float(max(-(bounds[0] // scale), 0))
    order, gain, ends = engine.ordered(task, reduced, best.label)
    value = np.concatenate([[0], np.cumsum(gain)])[ends]
    cost = float(costs[order].sum())
    bare = replace(task, sides=at_any_cost(task.sides))
    short = engine.shortfalls(bare, reduced, best, effort, threads) if best.broken else ()
    gap = 100.0 * (cost - bound) / cost if cost > 0 else 0.0
    return outcome.Ranking(
        order, gain, ends, value, shortfalls=short, gap_pct=np.array([gap]), dual=proof, cost=cost, lower_bound=bound
    )
