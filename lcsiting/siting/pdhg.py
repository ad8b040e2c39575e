"""Good multipliers for the bound: a primal-dual method on the linear relaxation of the whole request.

The relaxation is ``max sum_t a_t sum_j w_j min(1, sum_{i covers j} y_it) + bonus`` over ``0 <= y <= 1`` with
every limit of the request; with ``coupled`` the choices also grow from phase to phase. A row's price stays
within its weight; the weight of a row under a floor moves with the floor's price, so such a row has its covered
share as a variable of its own and its price no lid until a bound is counted. The method is
PDHG with diagonal steps (Pock and Chambolle 2011, "Diagonal preconditioning for first order primal-dual
algorithms"), averaging and restarts (Applegate et al. 2021, "Practical large-scale linear programming
using primal-dual hybrid gradient"). Any non-negative multipliers make a valid bound; how far this runs
only decides how tight it is. Chunks are cut by size, not by thread, and added in order, so the numbers do
not depend on the number of threads.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.siting import _pdhg
from lcsiting.siting._passes import Passes
from lcsiting.siting._pdhg import LANES
from lcsiting.siting.presolve import Reduced
from lcsiting.siting.relaxation import Relaxed, clique_runs, entry_value, unit_prices

Floats = NDArray[np.float64]
FLOOR_CAP = 1e3  # prices of floors stop at this multiple of the weights: beyond it the floor cannot be met
REACH = 8.0  # a floor's price moves this much faster, the covered share of its rows slower; 4 to 16 do alike
SWEEPS = 12  # of the projection onto the targets, at most
TILT = 1e4
SAFE = 0.98  # product of the step sizes, below 1


@dataclass(frozen=True)
class Multipliers:
    """What the iterations found.

    Attributes
    ----------
    share : float32 (n_phases, n_classes)
        Row prices as a share of the row's weight (floors included), 0 to 1.
    price : float64 (n_phases, n_sides)
        Of every side of the request, side 0 (units) included, per unit of load.
    floor : float64 (n_phases, n_floors)
        Of every floor.
    y : float64 (n_items, n_phases)
        The fractional choice.
    bound, relaxed : float64
        The bound in floats and the value of the fractional choice.
    iterations : int
        How many.
    """

    share: NDArray[np.float32]
    price: Floats
    floor: Floats
    y: Floats
    bound: float
    relaxed: float
    iterations: int


@dataclass
class _Point:
    """One point of the iteration (or the running sum of many); ``z`` is the covered share of rows under floors."""

    u: NDArray[np.float32]
    z: NDArray[np.float32]
    y: Floats
    price: Floats
    floor: Floats


def _within(passes: Passes, model: Relaxed, at: _Point) -> NDArray[np.float32]:
    """The row prices, cut to the rows' weights where floors let them pass."""
    if not at.z.size:
        return at.u
    cap = np.zeros((len(passes.reduced.member), LANES * len(at.u)), np.float32)
    cap[:, : at.y.shape[1]] = _family_factor(model, at.floor)
    out = np.empty_like(at.u)
    for b in range(len(at.u)):
        np.multiply(cap[passes.reduced.family, LANES * b : LANES * b + LANES], passes.weights[:, None], out=out[b])
    return np.minimum(out, at.u, out=out)


def _bound(
    passes: Passes, model: Relaxed, at: _Point, nu: Floats, real: int, runs: Any
) -> tuple[Floats, Floats, Floats]:
    """Bound by phase (coupled: the whole in entry 0), unit prices, item sums of the row prices."""
    phases = at.y.shape[1]
    u = _within(passes, model, at)
    c = passes.prices(u, phases)
    score = c + model.bonus
    price = at.price.copy()
    price[:, real:] = 0.0  # a clique's price is in its maximum already
    _pdhg.price_pass(model.ptr, model.of, model.load, price, score)
    nu = unit_prices(score, model, nu, runs)
    score -= model.units[:, None] * nu
    family = np.bincount(passes.reduced.family, passes.weights.astype(float), len(model.member))
    full = family @ (model.factor + model.member @ at.floor.T)
    spent = np.concatenate([part.sum(axis=0, dtype=np.float64) for part in u])[:phases]
    limit = np.where(np.isfinite(model.limit), model.limit, 0.0)
    const = full - spent - (at.floor * model.need).sum(axis=1) + (price * limit).sum(axis=1)
    const += np.where(np.isfinite(model.targets), nu * np.where(np.isfinite(model.targets), model.targets, 0), 0)
    if model.coupled:
        out = np.zeros(phases)
        out[0] = const.sum() + entry_value(score, model.fixed, runs, True)
        return out, nu, c
    items = [entry_value(score[:, t : t + 1], model.fixed, runs, False) for t in range(phases)]
    return const + items, nu, c


def _relaxed_value(passes: Passes, model: Relaxed, at: _Point, scale: Floats) -> Floats:
    """Value of a fractional choice by phase, less what its broken limits would cost at twice their price."""
    cut = passes.covered(at.y)
    value = (model.factor * cut).sum(axis=0) + (model.bonus * at.y).sum(axis=0)
    used = np.zeros_like(model.limit)
    _pdhg.use_pass(model.ptr, model.of, model.load, at.y, used)
    over = np.where(np.isfinite(model.limit), np.maximum(used - model.limit, 0.0), 0.0)
    value -= (over * 2 * np.maximum(at.price, 0.1 * scale)).sum(axis=1)
    short = np.maximum(model.need - (model.member.T @ cut).T, 0.0)
    return value - (short * 2 * np.maximum(at.floor, 0.1)).sum(axis=1)


def covered(reduced: Reduced, y: Floats, threads: int = 1) -> Floats:
    """Weight that a fractional choice (n_items, n_phases) covers in each phase."""
    passes = Passes(reduced, threads)
    weight: Floats = passes.covered(y).sum(axis=0)
    passes.pool.shutdown()
    return weight


def solve(
    reduced: Reduced,
    model: Relaxed,
    clique: NDArray[np.int32],
    *,
    start: Floats,
    iterations: int = 240,
    check: int = 30,
    tolerance: float = 5e-4,
    first: Multipliers | None = None,
    threads: int = 1,
) -> Multipliers:
    """Run the iterations.

    Parameters
    ----------
    reduced, model : Reduced, Relaxed
        The presolved cover and the relaxation.
    clique : ndarray of int, (n_items,)
        Partition into mutually exclusive items.
    start : float64 (n_items, n_phases)
        A first choice, such as the greedy one.
    iterations, check : int
        At most this many; how often the bound is evaluated.
    tolerance : float
        Ends when bound and relaxed value are this close, relatively.
    first : Multipliers, optional
        Prices of limits and floors to start from.
    threads : int
        The result does not depend on it.

    Returns
    -------
    Multipliers
        The best found; for separate phases each phase's own best.
    """
    passes, phases = Passes(reduced, threads), start.shape[1]
    real = model.limit.shape[1] - int(np.sum(np.unique(clique, return_counts=True)[1] > 1))
    runs = clique_runs(clique)
    floor = np.zeros((phases, model.member.shape[1])) if first is None else first.floor.copy()
    scales = _scales(passes, model, floor)
    u = _first_prices(passes, model, start, floor)
    z = np.ones(u.shape if model.member.any() else (len(u), 0, LANES), np.float32)
    at = _Point(u, z, start.astype(float), np.zeros_like(model.limit), floor)
    if first is not None:
        at.price[:, :real] = first.price[:, 1:]
    omega, sums, anchor, inside, gap_before = np.ones(phases), _blank(at), _copy(at), 0, np.inf
    best, best_value, best_y = _blank_best(phases, len(reduced.weights), real, floor), -np.inf, at.y
    bound, nu, c = _bound(passes, model, at, np.zeros(phases), real, runs)
    _keep(best, passes, model, at, bound, nu, real)
    done = 0
    for done in range(1, iterations + 1):
        c = _iterate(passes, model, scales, at, sums, nu, c, omega)
        inside += 1
        if done % check and done != iterations:
            continue
        part = np.float32(inside)
        mean = _Point(sums.u / part, sums.z / part, sums.y / inside, sums.price / inside, sums.floor / inside)
        found = []
        for point in (at, mean):
            bound, price, _ = _bound(passes, model, point, nu, real, runs)
            value = _relaxed_value(passes, model, point, scales.limit)
            _keep(best, passes, model, point, bound, price, real)
            found.append((float((bound - value).sum()), price))
            if value.sum() > best_value:
                best_value, best_y = float(value.sum()), point.y.copy()
        if _total(best, model) - best_value < tolerance * abs(best_value):
            break
        gap = min(found[0][0], found[1][0])
        if gap < 0.5 * gap_before or inside >= 8 * check:
            if found[1][0] < found[0][0]:
                at, nu = mean, found[1][1]
                c = passes.prices(at.u, phases)
            omega = _balance(passes, model, at, anchor, scales.weight, omega, scales.top)
            anchor, sums, inside, gap_before = _copy(at), _blank(at), 0, gap
    passes.pool.shutdown()
    return Multipliers(best.share, best.price, best.floor, best_y, _total(best, model), best_value, done)


@dataclass(frozen=True)
class _Scales:
    """Step sizes: of items, of limits per unit of load, of floors; the largest weight of a row by phase."""

    weight: Floats
    limit: Floats
    load_sum: Floats
    floor_mass: Floats
    top: Floats


@dataclass
class _Best:
    """The best bound of each phase and its prices."""

    bound: Floats
    share: NDArray[np.float32]
    price: Floats
    floor: Floats


def _blank(at: _Point) -> _Point:
    zero = np.zeros_like
    return _Point(zero(at.u), zero(at.z), zero(at.y), zero(at.price), zero(at.floor))


def _copy(at: _Point) -> _Point:
    return _Point(at.u.copy(), at.z.copy(), at.y.copy(), at.price.copy(), at.floor.copy())


def _blank_best(phases: int, classes: int, real: int, floor: Floats) -> _Best:
    share = np.zeros((phases, classes), np.float32)
    return _Best(np.full(phases, np.inf), share, np.zeros((phases, real + 1)), np.zeros_like(floor))


def _total(best: _Best, model: Relaxed) -> float:
    return float(best.bound[0] if model.coupled else best.bound.sum())


def _family_factor(model: Relaxed, floor: Floats) -> Floats:
    """Weight of a row by family and phase, floors' prices included."""
    return model.factor + model.member @ floor.T


def _scales(passes: Passes, model: Relaxed, floor: Floats) -> _Scales:
    """Diagonal step sizes: a limit weighs as much as the rows of the items it loads."""
    reduced, (n, phases) = passes.reduced, model.bonus.shape
    u = np.zeros((1, len(reduced.weights), LANES), np.float32)
    u[0, :, 0] = passes.weights
    mass = np.maximum(passes.prices(u, 1)[:, 0], 1e-9)
    load_sum = np.bincount(model.of, model.load, model.limit.shape[1]).astype(float)
    behind = np.bincount(model.of, mass[np.repeat(np.arange(n), np.diff(model.ptr))], len(load_sum))
    density = max(len(model.of) / max(n, 1), 1.0)
    top = np.maximum(_family_factor(model, floor).max(axis=0), 1e-12)
    limit = top[:, None] * (behind / np.maximum(np.abs(load_sum), 1e-12) / density)
    side = np.zeros((n, phases))
    _pdhg.price_pass(model.ptr, model.of, np.abs(model.load), -limit, side)
    weight = mass[:, None] * top + side
    if model.coupled:
        weight = np.repeat(weight.max(axis=1)[:, None], phases, axis=1)
    mass_of = np.bincount(reduced.family, passes.weights.astype(float), len(model.member))
    return _Scales(weight, limit, load_sum, np.maximum(mass_of @ model.member, 1.0), top)


def _first_prices(passes: Passes, model: Relaxed, start: Floats, floor: Floats) -> NDArray[np.float32]:
    """Row prices that a first choice suggests, (bundles, n_classes, lanes)."""
    r, lanes = passes.reduced, passes.lanes(start.astype(float))
    u = np.zeros((len(lanes), len(r.weights), LANES), np.float32)
    wide = np.zeros((len(r.member), LANES * len(lanes)), np.float32)
    wide[:, : start.shape[1]] = _family_factor(model, floor)
    for b in range(len(lanes)):
        part = np.ascontiguousarray(wide[:, LANES * b : LANES * b + LANES])
        _pdhg.start_pass(r.row_ptr, r.row_items, lanes[b], passes.weights, r.family, part, u[b])
    return u


def _keep(best: _Best, passes: Passes, model: Relaxed, point: _Point, bound: Floats, nu: Floats, real: int) -> None:
    """Remember a point's prices where its bound is better."""
    better = bound < best.bound
    if model.coupled:
        better = np.full(len(better), better[0])
    factor = _family_factor(model, point.floor).astype(np.float32)
    for t in np.flatnonzero(better):
        cap = passes.weights * factor[passes.reduced.family, t]
        best.share[t] = np.clip(point.u[t // LANES, :, t % LANES] / np.maximum(cap, 1e-30), 0, 1)
        best.price[t] = np.concatenate([[nu[t]], point.price[t, :real]])
        best.floor[t] = point.floor[t]
    best.bound[better] = bound[better]


def _iterate(
    passes: Passes, model: Relaxed, scales: _Scales, at: _Point, sums: _Point, nu: Floats, c: Floats, omega: Floats
) -> Floats:
    """One step: choice, row prices, prices of limits and floors; the items' sums of the new row prices."""
    gradient = c + model.bonus
    _pdhg.price_pass(model.ptr, model.of, model.load, at.price, gradient)
    tau, y = SAFE * omega / scales.weight, np.empty_like(at.y)
    _pdhg.project(at.y + tau * gradient, tau, nu, model.units, model.targets, model.fixed, model.coupled, y, SWEEPS)
    ahead, at.y = 2 * y - at.y, y
    step = SAFE / omega
    floors = model.member.sum(axis=1)
    share = np.where(floors > 0, 1 / (1 + REACH * floors), 0.0)[:, None] * (SAFE * omega / scales.top)
    cut = passes.step(ahead, at, sums.u, _family_factor(model, at.floor), step, share, scales.top)
    if model.limit.size:
        used, there = np.zeros_like(model.limit), np.isfinite(model.limit)
        _pdhg.use_pass(model.ptr, model.of, model.load, ahead, used)
        move = scales.limit / np.maximum(np.abs(scales.load_sum), 1e-12) * (used - np.where(there, model.limit, 0.0))
        at.price = np.where(there, np.maximum(at.price + step[:, None] * move, 0.0), 0.0)
    if model.member.size:
        top = scales.top[:, None]
        gone = (model.need - (model.member.T @ cut).T) / scales.floor_mass
        at.floor = np.clip(at.floor + step[:, None] * REACH * top * gone, 0.0, FLOOR_CAP * model.factor.max())
    sums.z += at.z
    sums.y += at.y
    sums.price += at.price
    sums.floor += at.floor
    return passes.prices(at.u, at.y.shape[1])


def _balance(
    passes: Passes, model: Relaxed, at: _Point, anchor: _Point, weight: Floats, omega: Floats, top: Floats
) -> Floats:
    """Weigh primal against dual steps by how far each has moved since the last restart."""
    phases = at.y.shape[1]
    moved_y = np.sqrt((((at.y - anchor.y) ** 2) * weight).sum(axis=0))
    degree = np.diff(passes.reduced.row_ptr) / np.maximum(passes.weights, 1e-9).astype(float)
    squares = [np.square(a - b).T @ degree for a, b in zip(at.u, anchor.u, strict=True)]
    moved_u = np.sqrt(np.concatenate(squares)[:phases] / top)
    if model.coupled:
        moved_y, moved_u = np.full(phases, np.linalg.norm(moved_y)), np.full(phases, np.linalg.norm(moved_u))
    ratio = np.where((moved_u > 0) & (moved_y > 0), moved_y / np.maximum(moved_u, 1e-30), omega)
    balanced: Floats = np.clip(np.sqrt(ratio * omega), 1 / TILT, TILT)  # an infeasible request would tilt on and on
    return balanced
