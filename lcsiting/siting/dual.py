"""Re-check a ranking and its certificate from the original arrays, in plain NumPy.

Nothing here uses the engine: limits are enumerated again from the request, covered weights are counted
again, the bound is added up again in whole numbers. Formulas: see ``certificate``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.siting.certificate import Certificate, Dual, matrix_hash
from lcsiting.siting.request_check import (
    BEYOND,
    check_cliques,
    excluded_pairs,
    floors_of,
    free_items,
    limits_of,
    locked_of,
    whole,
)

CHUNK_PAIRS = 4_000_000


@dataclass(frozen=True)
class Verification:
    """What the checker found.

    Attributes
    ----------
    problems : tuple of str
        Everything that is not as claimed; empty if all is well.
    value : tuple of int
        Covered weight plus bonus of every phase.
    upper_bound : tuple of int
        Bound of every phase alone, whole weight units.
    joint_value, joint_bound : int
        ``sum_t alpha_t value_t`` and its bound.
    """

    problems: tuple[str, ...]
    value: tuple[int, ...]
    upper_bound: tuple[int, ...]
    joint_value: int
    joint_bound: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def item_sums(indptr: NDArray[Any], indices: NDArray[Any], u: NDArray[Any]) -> NDArray[np.int64]:
    """Sum of ``u`` over the rows of every item, in parts that fit into memory."""
    n, out, start = len(indptr) - 1, np.zeros(len(indptr) - 1, np.int64), 0
    while start < n:
        stop = max(int(np.searchsorted(indptr, indptr[start] + CHUNK_PAIRS, side="right")) - 1, start + 1)
        part = np.cumsum(u[indices[indptr[start] : indptr[stop]]], dtype=np.int64)
        part = np.concatenate([[0], part])
        local = indptr[start : stop + 1] - indptr[start]
        out[start:stop] = part[local[1:]] - part[local[:-1]]
        start = stop
    return out


def _floor_weight(weights: NDArray[Any], floors: Any, factor: int, pi: Any) -> NDArray[np.int64]:
    full = weights.astype(np.int64) * factor
    for (rows, _), price in zip(floors, pi, strict=True):
        full[rows] += weights[rows].astype(np.int64) * int(price)
    return full


def phase_scores(
    cover: Any, weights: Any, floors: Any, limits: Any, bonus: Any, dual: Dual, phase: int, certificate: Certificate
) -> tuple[int, NDArray[np.int64], list[str]]:
    """Constant, scores and complaints of one phase's multipliers."""
    indptr, indices = cover
    problems = []
    full = _floor_weight(weights, floors, certificate.scale * dual.factor, dual.floor)
    u = dual.u.astype(np.int64)
    wrong = int(((u < 0) | (u > full)).sum())
    if wrong:
        problems.append(f"phase {phase}: {wrong} row prices lie outside 0 .. w'")
    if (dual.price < 0).any() or (dual.floor < 0).any():
        problems.append(f"phase {phase}: negative multipliers")
    const = int((full - u).sum())
    for (_, need), price in zip(floors, dual.floor, strict=True):
        const -= int(price) * int(need[phase])
    score = item_sums(indptr, indices, u) + bonus * (dual.factor * certificate.scale)
    for s, (_, items, loads, limit) in enumerate(limits):
        price, shift = int(dual.price[s]), int(certificate.side_shift[s])
        if price == 0:
            continue
        high = int(whole(limit[phase], shift, True))
        if high >= BEYOND:
            problems.append(f"phase {phase}: a price on a limit that does not exist")
        score[items] -= (price * whole(loads, shift, False)) >> certificate.price_bits
        const -= (-price * high) >> certificate.price_bits
    return const, score, problems


def best_of_cliques(clique: NDArray[Any], free: NDArray[Any], best: NDArray[np.int64]) -> int:
    """Sum over cliques of the best of their free items, if positive."""
    top = np.zeros(len(clique), np.int64)
    np.maximum.at(top, clique[free], best[free])
    return int(top.sum())


def check_choice(
    cover: Any, weights: Any, order: Any, ends: Any, floors: Any, limits: Any, bonus: Any, shifts: Any,
    locked: Any, excluded: Any,
) -> tuple[list[int], list[str]]:  # fmt: skip
    """Values of the phases, and everything the choices break."""
    indptr, indices = cover
    n, problems, value = len(indptr) - 1, [], []
    order = np.asarray(order, np.int64)
    if len(np.unique(order)) != len(order) or (len(order) and (order.min() < 0 or order.max() >= n)):
        return [0] * len(ends), ["order: items appear twice or do not exist"]
    if (np.diff(np.concatenate([[0], ends])) < 0).any() or (len(ends) and ends[-1] != len(order)):
        problems.append("ends: phases are not nested or do not end with the order")
    covered = np.zeros(len(weights), bool)
    start = 0
    for t, end in enumerate(ends):
        for i in order[start:end]:
            covered[indices[indptr[i] : indptr[i + 1]]] = True
        start, chosen = end, order[:end]
        value.append(int(weights[covered].sum()) + int(bonus[chosen].sum()))
        if not np.isin(locked, chosen).all():
            problems.append(f"phase {t}: {int((~np.isin(locked, chosen)).sum())} locked items are not in")
        inside = np.zeros(n, bool)
        inside[chosen] = True
        for s, (name, items, loads, limit) in enumerate(limits):
            used = int(whole(loads[inside[items]], shifts[s], True).sum())
            allowed = int(whole(limit[t], shifts[s], False))
            if used > allowed and allowed < BEYOND:
                problems.append(f"phase {t}: limit {name} is exceeded ({used} > {allowed}, in 2**-{shifts[s]})")
        for r, (rows, need) in enumerate(floors):
            got = int(weights[rows][covered[rows]].sum())
            if got < need[t]:
                problems.append(f"phase {t}: floor {r} asks for {need[t]}, covered {got}")
    if len(excluded) and len(ends):
        inside = np.zeros(n, bool)
        inside[order] = True
        clash = int((inside[excluded // n] & inside[excluded % n]).sum()) // 2
        if clash:
            problems.append(f"conflicts: {clash} chosen pairs exclude each other")
    return value, problems


def verify_certificate(
    cover: tuple[Any, Any],
    weights: Any,
    order: Any,
    ends: Any,
    certificate: Certificate,
    *,
    value: Sequence[int] | None = None,
    **request: Any,
) -> Verification:
    """Check feasibility of every constraint, the values and the bounds.

    Parameters
    ----------
    cover, weights : as for ``ranking.rank_cover``
        The original arrays.
    order, ends : ndarray of int
        The ranking: items, and how many of them each phase has.
    certificate : Certificate
        ``Ranking.dual``.
    value : sequence of int, optional
        Claimed values of the phases (``Ranking.value``).
    **request
        The keywords that ``ranking.rank_cover`` was given: phases, costs, units, locked, locked_count,
        groups, quotas, floors, conflicts, modes, resources, bonus, budget, phase_weights.

    Returns
    -------
    Verification
        ``problems`` says what is wrong; the bounds are added up anew and compared with the claimed ones.
    """
    matrix = np.asarray(cover[0], np.int64), np.asarray(cover[1])
    weights, n, phases = np.asarray(weights, np.int64), len(matrix[0]) - 1, len(request["phases"])
    bonus = np.zeros(n, np.int64) if request.get("bonus") is None else np.asarray(request["bonus"], np.int64)
    floors, limits = floors_of(request, phases), list(limits_of(n, request))
    problems = [] if matrix_hash(*matrix, weights) == certificate.matrix else ["matrix: another cover or weights"]
    counts = {len(certificate.phases), len(certificate.joint), len(certificate.alpha)}
    names = tuple(name for name, *_ in limits)
    if counts != {phases} or not same_shape(certificate, n, len(weights), names, len(floors)):
        problems.append("limits: the certificate was made for others")
        return Verification(tuple(problems), (), (), 0, 0)
    if not _same_alpha(certificate, request.get("phase_weights")):
        problems.append("phase weights: the certificate was made for others")
    locked, excluded, shifts = locked_of(request), excluded_pairs(n, request), certificate.side_shift
    got, broken = check_choice(matrix, weights, order, ends, floors, limits, bonus, shifts, locked, excluded)
    free = free_items(n, locked, excluded, limits, shifts)
    problems += broken + check_cliques(matrix, certificate.clique, excluded, free, limits, shifts, bonus)
    if value is not None and list(map(int, value)) != got:
        problems.append(f"value: claimed {list(map(int, value))}, counted {got}")
    problems += _check_bounds(matrix, weights, floors, limits, bonus, certificate, locked, free)
    own, joint = plain_bounds(certificate, reachable(matrix, weights, locked, free), bool(bonus.any()))
    joint_value = int(sum(int(a) * v for a, v in zip(certificate.alpha, got, strict=True)))
    return Verification(tuple(problems), tuple(got), own, joint_value, joint)


def same_shape(certificate: Certificate, items: int, rows: int, names: tuple[str, ...], floors: int) -> bool:
    """Whether a certificate is about so many items, rows and floors, and limits of these names."""
    wanted = (items, rows, len(names), floors)
    return certificate.side_names == names and all(
        (len(certificate.clique), len(one.u), len(one.price), len(one.floor)) == wanted
        for one in (*certificate.phases, *certificate.joint)
    )


def _same_alpha(certificate: Certificate, phase_weights: Any) -> bool:
    """Whether the phases weigh as asked, up to the fractions with denominators to 64 that are used."""
    asked = [1.0] * len(certificate.alpha) if phase_weights is None else phase_weights
    parts = [Fraction(float(v)).limit_denominator(64) for v in asked]
    alpha = [int(v) for v in certificate.alpha]
    return all(a * parts[0] == alpha[0] * p for a, p in zip(alpha, parts, strict=True))


def reachable(cover: Any, weights: NDArray[np.int64], locked: Any, free: NDArray[np.bool_]) -> int:
    """Weight of the rows that a locked or a free item covers."""
    usable, seen = free.copy(), np.zeros(len(weights), bool)
    usable[locked] = True
    seen[cover[1] if usable.all() else cover[1][np.repeat(usable, np.diff(cover[0]))]] = True
    return int(weights[seen].sum())


def _check_bounds(
    cover: Any, weights: Any, floors: Any, limits: Any, bonus: Any, certificate: Certificate, locked: Any, free: Any
) -> list[str]:
    """Add up every bound anew; what is wrong with them and their multipliers."""
    problems: list[str] = []
    bounds: list[int] = []
    tables = []
    for kind, duals in (("phase", certificate.phases), ("joint", certificate.joint)):
        for t, dual in enumerate(duals):
            if dual.factor != (1 if kind == "phase" else certificate.alpha[t]):
                problems.append(f"{kind} {t}: factor {dual.factor} is not the phase's weight")
            const, score, wrong = phase_scores(cover, weights, floors, limits, bonus, dual, t, certificate)
            problems += [f"{kind} multipliers, {text}" for text in wrong]
            if kind == "phase":
                bounds.append(const + int(score[locked].sum()) + best_of_cliques(certificate.clique, free, score))
            else:
                tables.append((const, score))
    if tuple(bounds) != certificate.upper_bound:
        problems.append(f"upper bound: claimed {certificate.upper_bound}, counted {tuple(bounds)}")
    table = np.column_stack([score for _, score in tables])
    later = np.cumsum(table[:, ::-1], axis=1).max(axis=1)
    total = sum(c for c, _ in tables) + int(table[locked].sum()) + best_of_cliques(certificate.clique, free, later)
    if total != certificate.joint_bound:
        problems.append(f"joint bound: claimed {certificate.joint_bound}, counted {total}")
    return problems


def plain_bounds(certificate: Certificate, coverable: int, with_bonus: bool) -> tuple[tuple[int, ...], int]:
    """Bounds in whole weight units: capped at the coverable weight without bonuses, the joint one also
    at the sum of the phases' own.

    Values are whole, so a bound may be rounded down.
    """
    own = [bound // certificate.scale for bound in certificate.upper_bound]
    if not with_bonus:
        own = [min(bound, coverable) for bound in own]
    together = sum(int(a) * b for a, b in zip(certificate.alpha, own, strict=True))
    return tuple(own), min(certificate.joint_bound // certificate.scale, together)


def bound_curve(certificate: Certificate, cover: tuple[Any, Any], weights: Any, phase: int = -1) -> NDArray[np.float64]:
    """Upper bound on the covered weight of any k items, for k = 0 .. n_items, from one phase's row prices.

    Parameters
    ----------
    certificate : Certificate
        Made without bonuses.
    cover, weights : as for ``ranking.rank_cover``
        The original arrays.
    phase : int
        Whose row prices; take the minimum over several phases for a tighter curve.

    Returns
    -------
    ndarray of float64, (n_items + 1,)
        In weight units. Limits other than the number are left out, which keeps it valid.
    """
    indptr, indices, weights = np.asarray(cover[0], np.int64), np.asarray(cover[1]), np.asarray(weights, np.int64)
    full = weights * certificate.scale
    u = np.minimum(certificate.phases[phase].u.astype(np.int64), full)
    gains = np.sort(item_sums(indptr, indices, u))[::-1]
    cap = int(weights[np.unique(indices)].sum()) if len(indices) else 0
    curve = (int((full - u).sum()) + np.concatenate([[0], np.cumsum(gains)])) / certificate.scale
    return np.minimum(curve, cap)
