"""Re-check a ranking and its certificate from the original arrays, in plain NumPy.

Nothing here uses the engine: limits are enumerated again from the request, covered weights are counted
again, the bound is added up again in whole numbers. Formulas: see ``certificate``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.siting.certificate import Certificate, Dual, matrix_hash

CHUNK_PAIRS = 4_000_000
BEYOND = 2**59  # loads and limits of this size mean: none


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


def _rows(limit: Any, phases: int) -> NDArray[np.float64]:
    return np.broadcast_to(np.asarray(limit, float), (phases,))


def limits_of(n: int, request: Mapping[str, Any]) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Every linear limit of a request: name, load of each item (n,), limit of each phase."""
    phases = len(request["phases"])
    units = np.ones(n) if request.get("units") is None else np.asarray(request["units"], float).copy()
    if not request.get("locked_count", True) and request.get("locked") is not None:
        units[np.asarray(request["locked"], np.int64)] = 0
    yield "units", units, np.asarray(request["phases"], float)
    if request.get("budget") is not None:
        yield "budget", np.asarray(request["costs"], float), _rows(request["budget"], phases)
    for name, (lower, upper) in (request.get("quotas") or {}).items():
        code = np.asarray(request["groups"][name])
        for bound, sign, mark in ((upper, 1.0, "<="), (lower, -1.0, ">=")):
            if bound is None:
                continue
            table = np.asarray(bound, float)
            count = table.shape[-1] if table.ndim else int(code.max(initial=-1)) + 1
            table = np.broadcast_to(table, (phases, count))
            for g in range(count):
                if np.isfinite(table[:, g]).all() and (sign > 0 or table[:, g].any()):
                    yield f"{name}[{g}]{mark}", sign * (code == g), sign * table[:, g]
    if request.get("resources") is not None:
        matrix, limit = request["resources"]
        dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix, float)
        table = np.broadcast_to(np.asarray(limit, float), (phases, len(dense)))
        for s in range(len(dense)):
            yield f"resource[{s}]", dense[s], table[:, s]


def locked_of(request: Mapping[str, Any]) -> NDArray[np.int64]:
    """Locked items, ascending, each once."""
    return np.unique(np.asarray([] if request.get("locked") is None else request["locked"], np.int64))


def floors_of(request: Mapping[str, Any], phases: int) -> list[tuple[NDArray[Any], NDArray[np.int64]]]:
    """Rows and need per phase of every floor of a request."""
    floors = []
    for rows, need in request.get("floors") or ():
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else np.unique(rows.astype(np.int64))
        floors.append((rows, np.ceil(_rows(need, phases)).astype(np.int64)))
    return floors


def free_items(n: int, locked: NDArray[Any], excluded: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Items that are neither locked nor in conflict with a locked one."""
    free = np.ones(n, bool)
    free[locked] = False
    free[excluded[np.isin(excluded // n, locked)] % n] = False
    return free


def _whole(values: Any, shift: int, up: bool) -> NDArray[np.int64]:
    scaled = np.ldexp(np.asarray(values, float), int(shift))
    scaled = np.ceil(scaled) if up else np.floor(scaled)
    return np.clip(scaled, -float(BEYOND), float(BEYOND)).astype(np.int64)


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


def excluded_pairs(n: int, request: Mapping[str, Any]) -> NDArray[np.int64]:
    """Keys ``i * n + k`` (both ways, sorted) of the pairs that exclude each other."""
    pairs = [np.empty((0, 2), np.int64)]
    conflicts, modes = request.get("conflicts"), request.get("modes")
    if isinstance(conflicts, tuple):
        pairs.append(np.column_stack([np.repeat(np.arange(n), np.diff(conflicts[0])), conflicts[1]]))
    elif conflicts is not None:
        pairs.append(np.asarray(conflicts, np.int64).reshape(-1, 2))
    if modes is not None:
        code = np.asarray(modes)
        for mode in np.unique(code[code >= 0]):
            at = np.flatnonzero(code == mode)
            pairs.append(np.array([(a, b) for a in at for b in at if a != b], np.int64).reshape(-1, 2))
    both = np.concatenate(pairs)
    both = np.concatenate([both, both[:, ::-1]])
    both = both[both[:, 0] != both[:, 1]]
    return np.unique(both[:, 0] * n + both[:, 1])


def check_cliques(n: int, clique: NDArray[Any], excluded: NDArray[np.int64]) -> list[str]:
    """Whether all members of every clique exclude each other."""
    order = np.argsort(clique, kind="stable")
    bad = 0
    for members in np.split(order, np.flatnonzero(np.diff(clique[order])) + 1):
        if len(members) > 1:
            left, right = np.triu_indices(len(members), 1)
            bad += int((~np.isin(members[left] * n + members[right], excluded)).sum())
    return [f"cliques: {bad} pairs inside a clique do not exclude each other"] if bad else []


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
    for s, (_, loads, limit) in enumerate(limits):
        price, shift = int(dual.price[s]), int(certificate.side_shift[s])
        if price == 0:
            continue
        high = int(_whole(limit[phase], shift, True))
        if high >= BEYOND:
            problems.append(f"phase {phase}: a price on a limit that does not exist")
        score -= (price * _whole(loads, shift, False)) >> certificate.price_bits
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
        for s, (name, loads, limit) in enumerate(limits):
            used = int(_whole(loads[chosen], shifts[s], True).sum())
            allowed = int(_whole(limit[t], shifts[s], False))
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
    indptr, indices, weights = np.asarray(cover[0], np.int64), np.asarray(cover[1]), np.asarray(weights, np.int64)
    n, phases = len(indptr) - 1, len(request["phases"])
    bonus = np.zeros(n, np.int64) if request.get("bonus") is None else np.asarray(request["bonus"], np.int64)
    locked = locked_of(request)
    floors = floors_of(request, phases)
    limits = list(limits_of(n, request))
    excluded = excluded_pairs(n, request)
    problems = (
        [] if matrix_hash(indptr, indices, weights) == certificate.matrix else ["matrix: another cover or weights"]
    )
    if tuple(name for name, _, _ in limits) != certificate.side_names:
        problems.append("limits: the certificate was made for others")
        return Verification(tuple(problems), (), (), 0, 0)
    got, broken = check_choice(
        (indptr, indices), weights, order, ends, floors, limits, bonus, certificate.side_shift, locked, excluded
    )
    problems += broken + check_cliques(n, certificate.clique, excluded)
    if value is not None and list(map(int, value)) != got:
        problems.append(f"value: claimed {list(map(int, value))}, counted {got}")
    free = free_items(n, locked, excluded)
    bounds, tables = [], []
    for kind, duals in (("phase", certificate.phases), ("joint", certificate.joint)):
        for t, dual in enumerate(duals):
            if dual.factor != (1 if kind == "phase" else certificate.alpha[t]):
                problems.append(f"{kind} {t}: factor {dual.factor} is not the phase's weight")
            const, score, wrong = phase_scores((indptr, indices), weights, floors, limits, bonus, dual, t, certificate)
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
    cap = int(weights[np.unique(indices)].sum()) if len(indices) else 0
    own, joint = plain_bounds(certificate, cap, bool(bonus.any()))
    joint_value = int(sum(int(a) * v for a, v in zip(certificate.alpha, got, strict=True)))
    return Verification(tuple(problems), tuple(got), own, joint_value, joint)


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
