"""The certificate: whole multipliers on the original rows, and the bound they prove.

For phase t, with everything in units of ``1 / scale`` weight and limits' prices in ``2**-price_bits`` of that::

    w'_j = scale f w_j + sum_r pi_r w_j [j in floor r]          0 <= u_j <= w'_j, u_j = w'_j on rows nobody covers
    s_i  = sum_{j in i} u_j + scale f p_i - sum_s floor(lam_s a_is)
    UB   = sum_j (w'_j - u_j) - sum_r pi_r need_r + sum_s ceil(lam_s b_s)
           + sum_{locked} s_i + sum_Q max(0, max_{i in Q} s_i)

over a partition into cliques Q of mutually exclusive items; items that cannot be chosen (in conflict with a
locked one, or beyond a limit in every phase) are left out, and a clique may also hold items that one of its
members makes superfluous (``presolve``): some best choice has at most one of each clique. ``f`` is 1 for a
phase of its own, the phase weight in the joint bound, where the last line is ``sum_{locked} sum_t s_it +
sum_Q max_i max(0, max_tau sum_{t >= tau} s_it)``. The sides s are units, budget, quotas and resources; lower
quotas have negative loads. Any whole non-negative multipliers make a valid bound; ``dual.verify_certificate``
re-checks it all from the original arrays.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.siting import _heap, pdhg, relaxation
from lcsiting.siting.presolve import Reduced, spread
from lcsiting.siting.problem import UNLIMITED, Problem

Ints = NDArray[np.int64]
SHARE_BITS = 16
PRICE_BITS = 12
SCALE_BITS = 10
ROOM_BITS = 50  # scaled weights stay below 2**ROOM_BITS


@dataclass(frozen=True)
class Dual:
    """Multipliers of one phase.

    Attributes
    ----------
    factor : int
        Weight of the phase's objective.
    u : ndarray of int, (n_rows,)
        Row prices on the original rows, in ``1 / scale``.
    price : int64 (n_sides,)
        In the order of ``Certificate.side_names``, per unit of whole load, in ``2**-price_bits / scale``.
    floor : int64 (n_floors,)
        Per unit of weight, in ``1 / scale``.
    """

    factor: int
    u: NDArray[Any]
    price: Ints
    floor: Ints


@dataclass(frozen=True)
class Certificate:
    """An upper bound over the given items and this cover matrix, for every phase and for all together.

    Attributes
    ----------
    matrix : str
        SHA-256 of the cover and the weights; see :func:`matrix_hash`.
    scale, price_bits : int
        Units of the multipliers.
    side_names, side_shift : tuple of str, int64 (n_sides,)
        Limits, and the power of two that makes their loads whole.
    clique : int32 (n_items,)
        A partition of the items; some best choice has at most one of each part.
    alpha : int64 (n_phases,)
        Phase weights of the joint objective.
    phases, joint : tuple of Dual
        One for each phase alone; one for each phase of the joint bound.
    upper_bound : tuple of int
        Bound of each phase alone, in ``1 / scale``.
    joint_bound : int
        Bound of ``sum_t alpha_t (f(S_t) + bonus)``, in ``1 / scale``.
    """

    matrix: str
    scale: int
    price_bits: int
    side_names: tuple[str, ...]
    side_shift: Ints
    clique: NDArray[np.int32]
    alpha: Ints
    phases: tuple[Dual, ...]
    joint: tuple[Dual, ...]
    upper_bound: tuple[int, ...]
    joint_bound: int


def matrix_hash(indptr: NDArray[Any], indices: NDArray[Any], weights: NDArray[Any]) -> str:
    """SHA-256 over int64 row pointers, int32 row numbers and int64 weights, little-endian, in this order."""
    digest = hashlib.sha256()
    for array, kind in ((indptr, "<i8"), (indices, "<i4"), (weights, "<i8")):
        digest.update(np.ascontiguousarray(array, kind).tobytes())
    return digest.hexdigest()


def scale_of(problem: Problem) -> int:
    """Parts a weight unit is cut into: 1024, or fewer if the sums would get too large."""
    total = max(int(problem.weights.sum()), int(np.abs(problem.bonus).sum()), 1) * int(problem.alpha.sum())
    return 1 << max(min(SCALE_BITS, ROOM_BITS - total.bit_length()), 0)


def _narrow(u: Ints) -> NDArray[Any]:
    """The smallest type that holds the prices."""
    return u.astype(np.uint32) if not len(u) or u.max() < 2**32 else u


def whole_dual(problem: Problem, reduced: Reduced, share: Any, price: Any, floor: Any, factor: int, scale: int) -> Dual:
    """Round one phase's multipliers to whole numbers on the original rows.

    Parameters
    ----------
    problem, reduced : Problem, Reduced
        The request.
    share : float (n_classes,)
        Row prices as a share of the weighed rows.
    price, floor : float (n_sides,), (n_floors,)
        Per unit of load (not yet whole loads) and of weight.
    factor, scale : int
        See :class:`Dual` and :class:`Certificate`.

    Returns
    -------
    Dual
    """
    sides = problem.sides
    heaviest = max(int(problem.weights.sum()), 1)
    pi = np.rint(np.clip(np.asarray(floor, float) * scale, 0, 2.0**58 / heaviest)).astype(np.int64)
    raised = reduced.member.astype(np.int64) @ pi if len(pi) else np.zeros(1, np.int64)
    weigh = factor * scale + spread(reduced, raised[reduced.family], 0) if len(pi) else factor * scale
    full = problem.weights * weigh
    if len(pi):  # rows nobody covers have no class: weigh them by their own floors
        alone = reduced.class_of < 0
        for r, rows in enumerate(problem.floor_rows):
            at = rows[alone[rows]]
            full[at] += problem.weights[at] * pi[r]
    parts = np.floor(np.clip(np.asarray(share, float), 0, 1) * (1 << SHARE_BITS)).astype(np.int64)
    u = np.where(reduced.class_of < 0, full, (full * spread(reduced, parts, 0)) >> SHARE_BITS)
    top = np.zeros(len(sides.names), np.int64)
    np.maximum.at(top, sides.of, np.abs(sides.low))
    lam = np.asarray(price, float) * scale * 2.0**PRICE_BITS * np.ldexp(1.0, -sides.shift)
    lam = np.clip(np.rint(lam), 0, 2.0**60 // np.maximum(top, 1)).astype(np.int64)
    used = (sides.limit_high < UNLIMITED).all(axis=0)
    return Dual(factor, _narrow(u), np.where(used, lam, 0), pi)


def _item_sums(reduced: Reduced, u: NDArray[Any]) -> Ints:
    """Sum of the row prices of every item."""
    inside = reduced.class_of >= 0
    sums = np.zeros(len(reduced.weights) + 1, np.int64)
    np.add.at(sums, reduced.class_of[inside], u[inside].astype(np.int64))
    out = np.empty(len(reduced.indptr) - 1, np.int64)
    _heap.evaluate(reduced.indptr, reduced.indices, sums, 0, len(out), out)
    return out


def scores(problem: Problem, reduced: Reduced, dual: Dual, phase: int, scale: int) -> tuple[int, Ints]:
    """The bound's constant and the items' scores, in ``1 / scale``; the price of a unit is still missing."""
    sides, pi = problem.sides, dual.floor
    full = int(problem.weights.sum()) * dual.factor * scale
    for r, rows in enumerate(problem.floor_rows):
        full += int(problem.weights[rows].sum()) * int(pi[r])
    const = (
        full
        - int(dual.u.sum(dtype=np.int64))
        - sum(int(a) * int(b) for a, b in zip(pi, problem.need[phase], strict=True))
    )
    for s in range(1, len(sides.names)):
        const += -((-int(dual.price[s]) * int(sides.limit_high[phase, s])) >> PRICE_BITS)
    score = _item_sums(reduced, dual.u) + problem.bonus * (dual.factor * scale)
    item = np.repeat(np.arange(len(score)), np.diff(sides.ptr))
    keep = (sides.of > 0) & (dual.price[sides.of] > 0)
    np.subtract.at(score, item[keep], (dual.price[sides.of[keep]] * sides.low[keep]) >> PRICE_BITS)
    return const, score


def _charged(problem: Problem, const: int, score: Ints, nu: int, phase: int) -> tuple[int, Ints]:
    """Take the price of a unit off."""
    sides = problem.sides
    item = np.repeat(np.arange(len(score)), np.diff(sides.ptr))
    keep = sides.of == 0
    out = score.copy()
    out[item[keep]] -= (nu * sides.low[keep]) >> PRICE_BITS
    return const - ((-nu * int(sides.limit_high[phase, 0])) >> PRICE_BITS), out


def clique_sum(problem: Problem, best: Ints) -> int:
    """Sum over cliques of the best free item, if positive."""
    free = ~(problem.locked | problem.barred)
    top = np.zeros(len(best), np.int64)
    np.maximum.at(top, problem.clique[free], best[free])
    return int(top.sum())


def finish(
    problem: Problem, reduced: Reduced, duals: list[Dual], scale: int, *, coupled: bool
) -> tuple[list[Dual], list[int]]:
    """Give every phase the best price of a unit for its whole multipliers; the bounds, in ``1 / scale``.

    Returns
    -------
    duals : list of Dual
        With ``price[0]`` set.
    bounds : list of int
        Of every phase; a single one if ``coupled``.
    """
    parts = [scores(problem, reduced, dual, t, scale) for t, dual in enumerate(duals)]
    model = relaxation.relax(problem, reduced, coupled=coupled)
    unit = float(scale)
    score = np.column_stack([s for _, s in parts]) / unit
    start = np.array([d.price[0] for d in duals]) / (unit * 2**PRICE_BITS)
    nu = relaxation.unit_prices(score, model, start, relaxation.clique_runs(problem.clique))
    limited = problem.sides.limit_high[:, 0] < UNLIMITED
    whole = np.where(limited, np.rint(nu * unit * 2**PRICE_BITS), 0).astype(np.int64)
    charged = [_charged(problem, c, s, int(p), t) for t, ((c, s), p) in enumerate(zip(parts, whole, strict=True))]
    out = [Dual(d.factor, d.u, np.concatenate([[p], d.price[1:]]), d.floor) for d, p in zip(duals, whole, strict=True)]
    if not coupled:
        return out, [c + int(s[problem.locked].sum()) + clique_sum(problem, s) for c, s in charged]
    table = np.column_stack([s for _, s in charged])
    later = np.cumsum(table[:, ::-1], axis=1).max(axis=1)
    total = sum(c for c, _ in charged) + int(table[problem.locked].sum()) + clique_sum(problem, later)
    return out, [total]


def proof_cliques(problem: Problem, reduced: Reduced) -> NDArray[np.int32]:
    """The partition of the bound: superfluous items join the clique of the item that makes them so.

    Their scores are not above its score, so they add nothing to the bound, and on the original arrays the
    checker can see why.
    """
    top = np.where(reduced.superior < 0, np.arange(len(reduced.superior)), reduced.superior)
    while not np.array_equal(top, top[top]):
        top = top[top]
    return np.where(reduced.superior < 0, problem.clique, problem.clique[top]).astype(np.int32)


def make_certificate(
    problem: Problem, reduced: Reduced, alone: pdhg.Multipliers, joint: pdhg.Multipliers
) -> Certificate:
    """Whole multipliers and their bounds from what the iterations found."""
    scale, phases = scale_of(problem), len(problem.targets)
    sets = []
    for found, factors in ((alone, np.ones(phases, np.int64)), (joint, problem.alpha)):
        sets.append(
            [whole_dual(problem, reduced, found.share[t], found.price[t], found.floor[t], int(factors[t]), scale)
             for t in range(phases)]
        )  # fmt: skip
    own, bounds = finish(problem, reduced, sets[0], scale, coupled=False)
    together, total = finish(problem, reduced, sets[1], scale, coupled=True)
    return Certificate(
        matrix=matrix_hash(problem.indptr, problem.indices, problem.weights),
        scale=scale,
        price_bits=PRICE_BITS,
        side_names=problem.sides.names,
        side_shift=problem.sides.shift,
        clique=proof_cliques(problem, reduced),
        alpha=problem.alpha,
        phases=tuple(own),
        joint=tuple(together),
        upper_bound=tuple(bounds),
        joint_bound=total[0],
    )


def coverable(problem: Problem, reduced: Reduced) -> int:
    """Weight of the rows somebody covers."""
    return int(problem.weights[reduced.class_of >= 0].sum())
