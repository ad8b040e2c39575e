"""A siting request as plain integer arrays: what the dual, the search and the certificate share.

Every linear limit is one *side*: ``sum of load over the chosen items <= limit``, per phase. Units, the
budget, county quotas (an upper one with load 1, a lower one with load -1 and limit -l) and resources
all take this form. Loads and limits are integers in units of ``2**-shift``: rounded down and up where a
bound needs it, the reverse where feasibility is checked.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.errors import RangeError

Ints = NDArray[np.int64]
LOAD_BITS = 24  # a fractional limit becomes an integer of about this many bits
UNLIMITED = np.int64(2**60)


@dataclass(frozen=True)
class Sides:
    """Linear limits on the chosen items.

    Attributes
    ----------
    names : tuple of str
        ``units``, ``budget``, ``county[3]<=``, ``county[3]>=``, ``resource[7]`` ...
    shift : int64 (n_sides,)
        Loads and limits are in units of ``2**-shift``.
    ptr, of, low, high : int64
        Compressed by item: side, load rounded down, load rounded up.
    limit_low, limit_high : int64 (n_phases, n_sides)
        Limits rounded down (feasibility) and up (bound); ``UNLIMITED`` where there is none.
    """

    names: tuple[str, ...]
    shift: Ints
    ptr: Ints
    of: NDArray[np.int32]
    low: Ints
    high: Ints
    limit_low: Ints
    limit_high: Ints


@dataclass(frozen=True)
class Problem:
    """A request, checked and in integers.

    Attributes
    ----------
    indptr, indices, weights : ndarray
        The cover and the row weights.
    targets : int64 (n_phases,)
        Cumulative targets in units.
    alpha : int64 (n_phases,)
        Weights of the phases in the joint objective, whole.
    units : int64 (n_items,)
        What an item uses of a target; 0 for locked items that do not count.
    bonus : int64 (n_items,)
        Additive preference.
    locked, barred : bool (n_items,)
        In from the start; never in, see :func:`barred_items`.
    sides : Sides
        All linear limits; side 0 is ``units``.
    floor_rows : tuple of ndarray
        Rows of each floor.
    need : int64 (n_phases, n_floors)
        Covered weight each floor asks for.
    conflict_ptr, conflict_items : int64, int32
        Items each item excludes (symmetric, compressed).
    clique : int32 (n_items,)
        A partition of the items into sets of mutually exclusive ones.
    """

    indptr: Ints
    indices: NDArray[np.int32]
    weights: Ints
    targets: Ints
    alpha: Ints
    units: Ints
    bonus: Ints
    locked: NDArray[np.bool_]
    barred: NDArray[np.bool_]
    sides: Sides
    floor_rows: tuple[NDArray[np.int64], ...]
    need: Ints
    conflict_ptr: Ints
    conflict_items: NDArray[np.int32]
    clique: NDArray[np.int32]


def whole(values: Any, what: str) -> Ints:
    """Values as int64; fractions are refused."""
    out = np.asarray(values)
    if out.dtype == object or not np.all(np.isfinite(out.astype(float))) or np.any(out != np.rint(out)):
        raise RangeError(f"ranking: {what} must be whole numbers; quantise them first")
    return out.astype(np.int64)


def per_phase(value: Any, phases: int, width: int | None, what: str) -> NDArray[np.float64]:
    """A limit as (n_phases,) or (n_phases, width): one value holds in every phase."""
    shape = (phases,) if width is None else (phases, width)
    array = np.asarray(value, float)
    if width is None and array.ndim > 1:
        raise RangeError(f"ranking: {what} must be one number or one per phase")
    try:
        return np.broadcast_to(array, shape).astype(float)
    except ValueError as error:
        raise RangeError(f"ranking: {what} has shape {array.shape}, wanted {shape}") from error


def shift_of(loads: NDArray[Any], limits: NDArray[Any]) -> int:
    """Power of two that makes loads and limits whole, or fine enough."""
    finite = limits[np.isfinite(limits)]
    values = np.concatenate([np.ravel(loads), np.ravel(finite)]).astype(float)
    if not len(values) or (np.all(values == np.rint(values)) and np.abs(values).max() < 2**40):
        return 0
    top = float(np.abs(finite).max()) if len(finite) and np.abs(finite).max() > 0 else float(np.abs(values).max())
    return max(LOAD_BITS - math.frexp(top)[1], -40)


def _rounded(values: NDArray[Any], shift: int, up: bool) -> Ints:
    scaled = np.ldexp(np.asarray(values, float), shift)
    scaled = np.ceil(scaled) if up else np.floor(scaled)
    return np.where(np.isfinite(scaled), np.clip(scaled, -(2.0**59), 2.0**59), 2.0**60).astype(np.int64)


def _columns(
    n: int, phases: int, unit_loads: Any, targets: Any, costs: Any, budget: Any, groups: Any, quotas: Any,
    resources: Any,
) -> list[tuple[str, Ints, NDArray[np.float64], NDArray[np.float64]]]:  # fmt: skip
    """Every side: name, items, loads, limit per phase."""
    everyone = np.flatnonzero(unit_loads)
    out = [("units", everyone, unit_loads[everyone].astype(float), np.asarray(targets, float))]
    if budget is not None:
        if costs is None:
            raise RangeError("ranking: a budget needs costs")
        used = np.flatnonzero(np.asarray(costs))
        out.append(("budget", used, np.asarray(costs, float)[used], per_phase(budget, phases, None, "budget")))
    for name, (lower, upper) in (quotas or {}).items():
        if groups is None or name not in groups:
            raise RangeError(f"ranking: quotas of {name!r} need groups[{name!r}]")
        code = np.asarray(groups[name], np.int64)
        for bound, sign, mark in ((upper, 1.0, "<="), (lower, -1.0, ">=")):
            if bound is None:
                continue
            count = np.shape(bound)[-1] if np.ndim(bound) else int(code.max(initial=-1)) + 1
            limits = per_phase(bound, phases, count, f"quotas[{name!r}]")
            for g in range(count):
                at = np.flatnonzero(code == g)
                if np.isfinite(limits[:, g]).all() and (sign > 0 or limits[:, g].any()):
                    out.append((f"{name}[{g}]{mark}", at, np.full(len(at), sign), sign * limits[:, g]))
    if resources is not None:
        matrix, limit = resources
        dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix, float)
        limits = per_phase(limit, phases, len(dense), "resource limits")
        if dense.shape[1:] != (n,) or (dense < 0).any():
            raise RangeError(f"ranking: resources need non-negative loads of shape (resources, {n})")
        for s, row in enumerate(dense):
            at = np.flatnonzero(row)
            out.append((f"resource[{s}]", at, row[at], limits[:, s]))
    return out


def make_sides(
    n: int, phases: int, unit_loads: Any, targets: Any, costs: Any = None, budget: Any = None, groups: Any = None,
    quotas: Any = None, resources: Any = None,
) -> Sides:  # fmt: skip
    """All limits of a request as sides."""
    columns = _columns(n, phases, unit_loads, targets, costs, budget, groups, quotas, resources)
    shifts = [shift_of(loads, limit) for _, _, loads, limit in columns]
    item = np.concatenate([c[1] for c in columns]).astype(np.int64)
    of = np.repeat(np.arange(len(columns)), [len(c[1]) for c in columns])
    low = np.concatenate([_rounded(c[2], s, False) for c, s in zip(columns, shifts, strict=True)])
    high = np.concatenate([_rounded(c[2], s, True) for c, s in zip(columns, shifts, strict=True)])
    order = np.argsort(item, kind="stable")
    return Sides(
        names=tuple(c[0] for c in columns),
        shift=np.array(shifts, np.int64),
        ptr=np.concatenate([[0], np.cumsum(np.bincount(item, minlength=n))]).astype(np.int64),
        of=of[order].astype(np.int32),
        low=low[order],
        high=high[order],
        limit_low=np.column_stack([_rounded(c[3], s, False) for c, s in zip(columns, shifts, strict=True)]),
        limit_high=np.column_stack([_rounded(c[3], s, True) for c, s in zip(columns, shifts, strict=True)]),
    )


def conflict_graph(n: int, conflicts: Any, modes: Any) -> tuple[Ints, NDArray[np.int32]]:
    """Symmetric compressed lists of the items each item excludes, ascending."""
    pairs = [np.empty((0, 2), np.int64)]
    if conflicts is not None and isinstance(conflicts, tuple):
        ptr, items = conflicts
        pairs.append(np.column_stack([np.repeat(np.arange(n), np.diff(ptr)), items]))
    elif conflicts is not None:
        pairs.append(np.asarray(conflicts, np.int64).reshape(-1, 2))
    if modes is not None:
        code = np.asarray(modes, np.int64)
        order = np.argsort(code, kind="stable")
        order = order[code[order] >= 0]
        step = 1
        while True:  # pairs of equal modes at distance step in the sorted order
            same = code[order[step:]] == code[order[:-step]] if step < len(order) else np.zeros(0, bool)
            if not same.any():
                break
            pairs.append(np.column_stack([order[:-step][same], order[step:][same]]))
            step += 1
    both = np.concatenate(pairs)
    both = np.concatenate([both, both[:, ::-1]])
    both = both[both[:, 0] != both[:, 1]]
    if len(both) and (both.min() < 0 or both.max() >= n):
        raise RangeError(f"ranking: conflicts name items outside 0 .. {n - 1}")
    key = np.unique(both[:, 0] * n + both[:, 1])
    ptr = np.concatenate([[0], np.cumsum(np.bincount(key // n, minlength=n))]).astype(np.int64)
    return ptr, (key % n).astype(np.int32)


def barred_items(fixed: NDArray[np.bool_], ptr: Ints, items: NDArray[np.int32], sides: Sides) -> NDArray[np.bool_]:
    """Items that cannot be chosen: in conflict with a locked one, or too much for a limit in every phase.

    Too much is a load (rounded down) beyond what the locked items leave of the limit (rounded up); limits
    that some item relieves (lower quotas) do not count.
    """
    n = len(fixed)
    out = np.zeros(n, bool)
    out[items[fixed[np.repeat(np.arange(n), np.diff(ptr))]]] = True
    item = np.repeat(np.arange(n), np.diff(sides.ptr))
    room = sides.limit_high.max(axis=0)
    np.subtract.at(room, sides.of[fixed[item]], sides.low[fixed[item]])
    room[sides.of[sides.low < 0]] = UNLIMITED
    out[item[(sides.low > 0) & (sides.low > room[sides.of])]] = True
    return out & ~fixed


def clique_partition(ptr: Ints, items: NDArray[np.int32]) -> NDArray[np.int32]:
    """Partition the items greedily into cliques of the conflict graph, lowest index first."""
    n = len(ptr) - 1
    clique = np.full(n, -1, np.int32)
    for i in range(n):
        if clique[i] >= 0:
            continue
        clique[i] = i
        common = items[ptr[i] : ptr[i + 1]]
        common = common[(common > i) & (clique[common] < 0)]
        while len(common):
            k = common[0]
            clique[k] = i
            common = np.intersect1d(common[1:], items[ptr[k] : ptr[k + 1]], assume_unique=True)
    return clique


def _alpha(phase_weights: Any, phases: int) -> Ints:
    """Phase weights as small whole numbers in the same proportion."""
    if phase_weights is None:
        return np.ones(phases, np.int64)
    parts = [Fraction(float(v)).limit_denominator(64) for v in phase_weights]
    if len(parts) != phases or min(parts) <= 0:
        raise RangeError(f"ranking: phase_weights need {phases} positive numbers")
    scale = math.lcm(*(p.denominator for p in parts))
    numbers = [int(p * scale) for p in parts]
    common = math.gcd(*numbers)
    return np.array([v // common for v in numbers], np.int64)


def floor_indices(rows: Any, n_rows: int) -> NDArray[np.int64]:
    """Rows of a floor from a mask or a list, ascending, each once."""
    rows = np.asarray(rows)
    if rows.dtype == bool:
        if len(rows) != n_rows:
            raise RangeError(f"ranking: a floor's row mask has {len(rows)} entries, wanted {n_rows}")
        return np.flatnonzero(rows)
    out = np.unique(rows.astype(np.int64))
    if len(out) and (out[0] < 0 or out[-1] >= n_rows):
        raise RangeError(f"ranking: a floor names rows outside 0 .. {n_rows - 1}")
    return out


def make_problem(
    cover: tuple[Any, Any], weights: Any, *, phases: Sequence[int], costs: Any = None, units: Any = None,
    locked: Any = None, locked_count: bool = True, groups: Mapping[str, Any] | None = None,
    quotas: Mapping[str, Any] | None = None, floors: Sequence[tuple[Any, Any]] | None = None, conflicts: Any = None,
    modes: Any = None, resources: Any = None, bonus: Any = None, budget: Any = None, phase_weights: Any = None,
) -> Problem:  # fmt: skip
    """Check a request (the arguments of ``ranking.rank_cover``) and put it into integers.

    Raises
    ------
    RangeError
        Arrays that do not fit together, fractions where whole numbers are needed, two locked items in conflict.
    """
    indptr, indices = np.ascontiguousarray(cover[0], np.int64), np.ascontiguousarray(cover[1], np.int32)
    n, count = len(indptr) - 1, len(phases)
    targets = whole(phases, "phases")
    if count < 1 or (np.diff(targets) < 0).any():
        raise RangeError("ranking: phases are cumulative and must not decrease")
    one = np.ones(n, np.int64) if units is None else whole(units, "units")
    if len(one) != n or (one < 0).any():
        raise RangeError(f"ranking: units need {n} non-negative numbers")
    fixed = np.zeros(n, bool)
    fixed[np.asarray([] if locked is None else locked, np.int64)] = True
    unit_loads = np.where(fixed & (not locked_count), 0, one)
    ptr, items = conflict_graph(n, conflicts, modes)
    source = np.repeat(np.arange(n), np.diff(ptr))
    if (fixed[source] & fixed[items]).any():
        k = int(np.flatnonzero(fixed[source] & fixed[items])[0])
        raise RangeError(f"ranking: locked items {source[k]} and {items[k]} exclude each other; unlock one of them")
    sides = make_sides(n, count, unit_loads, targets, costs, budget, groups, quotas, resources)
    need = (
        np.column_stack([per_phase(f[1], count, None, "a floor") for f in floors]) if floors else np.zeros((count, 0))
    )
    return Problem(
        indptr=indptr,
        indices=indices,
        weights=np.ascontiguousarray(weights, np.int64),
        targets=targets,
        alpha=_alpha(phase_weights, count),
        units=unit_loads,
        bonus=np.zeros(n, np.int64) if bonus is None else whole(bonus, "bonus"),
        locked=fixed,
        barred=barred_items(fixed, ptr, items, sides),
        sides=sides,
        floor_rows=tuple(floor_indices(f[0], len(weights)) for f in floors or ()),
        need=np.ceil(need).astype(np.int64),
        conflict_ptr=ptr,
        conflict_items=items,
        clique=clique_partition(ptr, items) if len(items) else np.arange(n, dtype=np.int32),
    )
