"""What a request asks, enumerated again from its keywords in plain NumPy: for the checkers, without the engine.

A *limit* is ``(name, items, loads, limit per phase)``: the items that load it, ascending, and their loads.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

BEYOND = 2**59  # loads and limits of this size mean: none
Limit = tuple[str, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


def _rows(limit: Any, phases: int) -> NDArray[np.float64]:
    return np.broadcast_to(np.asarray(limit, float), (phases,))


def whole(values: Any, shift: int, up: bool) -> NDArray[np.int64]:
    """Values in units of ``2**-shift``, rounded up or down."""
    scaled = np.ldexp(np.asarray(values, float), int(shift))
    scaled = np.ceil(scaled) if up else np.floor(scaled)
    return np.clip(scaled, -float(BEYOND), float(BEYOND)).astype(np.int64)


def limits_of(n: int, request: Mapping[str, Any]) -> Iterator[Limit]:
    """Every linear limit of a request."""
    phases = len(request["phases"])
    units = np.ones(n) if request.get("units") is None else np.asarray(request["units"], float).copy()
    if not request.get("locked_count", True) and request.get("locked") is not None:
        units[np.asarray(request["locked"], np.int64)] = 0

    def loaded(name: str, loads: Any, limit: Any) -> Limit:
        at = np.flatnonzero(loads)
        return name, at, np.asarray(loads, float)[at], limit

    yield loaded("units", units, np.asarray(request["phases"], float))
    if request.get("budget") is not None:
        yield loaded("budget", np.asarray(request["costs"], float), _rows(request["budget"], phases))
    for name, (lower, upper) in (request.get("quotas") or {}).items():
        code = np.asarray(request["groups"][name])
        order = np.argsort(code, kind="stable")
        for bound, sign, mark in ((upper, 1.0, "<="), (lower, -1.0, ">=")):
            if bound is None:
                continue
            table = np.asarray(bound, float)
            count = table.shape[-1] if table.ndim else int(code.max(initial=-1)) + 1
            table = np.broadcast_to(table, (phases, count))
            starts = np.searchsorted(code[order], np.arange(count + 1))
            for g in range(count):
                if np.isfinite(table[:, g]).all() and (sign > 0 or table[:, g].any()):
                    at = order[starts[g] : starts[g + 1]]
                    yield f"{name}[{g}]{mark}", at, np.full(len(at), sign), sign * table[:, g]
    if request.get("resources") is not None:
        matrix, limit = request["resources"]
        dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix, float)
        table = np.broadcast_to(np.asarray(limit, float), (phases, len(dense)))
        for s in range(len(dense)):
            yield loaded(f"resource[{s}]", dense[s], table[:, s])


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


def pairs_within(code: NDArray[Any]) -> NDArray[np.int64]:
    """All pairs of items with the same code, (k, 2); codes below 0 mean none."""
    order = np.argsort(code, kind="stable")
    order = order[np.asarray(code)[order] >= 0]
    starts = np.flatnonzero(np.diff(np.asarray(code)[order], prepend=-1))
    size = np.diff(np.append(starts, len(order)))
    out = [np.empty((0, 2), np.int64)]
    for k in np.unique(size[size > 1]):
        left, right = np.triu_indices(k, 1)
        members = order[starts[size == k][:, None] + np.arange(k)]
        out.append(np.column_stack([members[:, left].ravel(), members[:, right].ravel()]))
    return np.concatenate(out)


def excluded_pairs(n: int, request: Mapping[str, Any]) -> NDArray[np.int64]:
    """Keys ``i * n + k`` (both ways, sorted) of the pairs that exclude each other."""
    pairs = [np.empty((0, 2), np.int64)]
    conflicts, modes = request.get("conflicts"), request.get("modes")
    if isinstance(conflicts, tuple):
        pairs.append(np.column_stack([np.repeat(np.arange(n), np.diff(conflicts[0])), conflicts[1]]))
    elif conflicts is not None:
        pairs.append(np.asarray(conflicts, np.int64).reshape(-1, 2))
    if modes is not None:
        pairs.append(pairs_within(np.asarray(modes, np.int64)))
    both = np.concatenate(pairs)
    both = np.concatenate([both, both[:, ::-1]])
    both = both[both[:, 0] != both[:, 1]]
    return np.unique(both[:, 0] * n + both[:, 1])


def contains(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the wanted keys are among the sorted ones."""
    at = np.searchsorted(keys, wanted)
    return np.append(keys, -1)[at] == wanted


def free_items(
    n: int, locked: NDArray[Any], excluded: NDArray[np.int64], limits: list[Limit], shifts: NDArray[Any]
) -> NDArray[np.bool_]:
    """Items that are not locked, exclude no locked one, and fit each limit in some phase beside the locked ones."""
    free, fixed = np.ones(n, bool), np.zeros(n, bool)
    fixed[locked] = True
    free[locked] = False
    free[excluded[fixed[excluded // n]] % n] = False
    for (_, items, loads, limit), shift in zip(limits, shifts, strict=True):
        low = whole(loads, shift, False)
        room = int(whole(limit, shift, True).max())
        if (low >= 0).all() and room < BEYOND:
            free[items[(low > 0) & (low > room - int(low[fixed[items]].sum()))]] = False
    return free


class _Rivals:
    """Whether one item makes another superfluous, from the original arrays."""

    def __init__(self, cover: Any, excluded: Any, limits: list[Limit], shifts: Any, bonus: Any) -> None:
        self.indptr, self.indices = cover
        self.n, self.excluded, self.bonus = len(self.indptr) - 1, excluded, bonus
        self.item = np.concatenate([at for _, at, _, _ in limits])
        self.side = np.repeat(np.arange(len(limits)), [len(at) for _, at, _, _ in limits])
        low = [whole(loads, shift, False) for (_, _, loads, _), shift in zip(limits, shifts, strict=True)]
        order = np.argsort(self.item, kind="stable")
        self.item, self.side, self.low = self.item[order], self.side[order], np.concatenate(low)[order]

    def loads(self, i: int) -> dict[int, int]:
        """Load of an item on every limit it touches."""
        a, b = np.searchsorted(self.item, [i, i + 1])
        return dict(zip(self.side[a:b].tolist(), self.low[a:b].tolist(), strict=True))

    def enemies(self, i: int) -> NDArray[np.int64]:
        """Items that exclude item i."""
        a, b = np.searchsorted(self.excluded, [i * self.n, (i + 1) * self.n])
        return self.excluded[a:b] % self.n

    def beats(self, b: int, a: int) -> bool:
        """Whether some best choice does without ``a`` because of ``b``; never true both ways.

        Item b serves all rows of a, loads no limit more, has no less bonus, excludes nobody whom a does not;
        and beside b, a is worth nothing (no bonus, no lower quota), or the two exclude each other.
        """
        rows, more = (self.indices[self.indptr[i] : self.indptr[i + 1]] for i in (a, b))
        if len(more) < len(rows) or self.bonus[b] < self.bonus[a] or not np.isin(rows, more).all():
            return False
        mine, its = self.loads(a), self.loads(b)
        over = [its.get(s, 0) - mine.get(s, 0) for s in mine.keys() | its.keys()]
        mine_out, its_out = self.enemies(a), self.enemies(b)
        if any(v > 0 for v in over) or not np.isin(its_out[its_out != a], mine_out).all():
            return False
        if (self.bonus[a] > 0 or any(v < 0 for v in mine.values())) and a not in its_out:
            return False
        strictly = len(more) > len(rows) or self.bonus[b] > self.bonus[a] or any(over) or len(its_out) < len(mine_out)
        return strictly or b < a


def check_cliques(
    cover: Any, clique: NDArray[Any], excluded: Any, free: Any, limits: list[Limit], shifts: Any, bonus: Any
) -> list[str]:
    """Whether some best choice has at most one free member of every clique.

    Two members exclude each other, or one of them is superfluous beside another member.
    """
    n = len(clique)
    pairs = pairs_within(np.where(free, clique, -1))
    bad = pairs[~contains(excluded, pairs[:, 0] * n + pairs[:, 1])]
    if not len(bad):
        return []
    rivals, size = _Rivals(cover, excluded, limits, shifts, bonus), np.diff(cover[0])
    members_of: dict[int, set[int]] = {}
    for pair in bad.tolist():
        members_of.setdefault(int(clique[pair[0]]), set()).update(pair)
    superfluous = np.zeros(n, bool)
    for some in members_of.values():
        members = sorted(some, key=lambda i: -int(size[i]))
        for a in members:
            superfluous[a] = any(rivals.beats(b, a) for b in members if b != a)
    left = int((~superfluous[bad].any(axis=1)).sum())
    return [f"cliques: {left} pairs inside a clique do not exclude each other"] if left else []
