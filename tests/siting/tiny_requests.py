"""Tiny requests with every kind of constraint, and what is best among all choices by enumeration."""

import itertools

import numpy as np
from hypothesis import strategies as st

ROWS = 8


def to_csr(rows_of):
    indptr = np.concatenate([[0], np.cumsum([len(rows) for rows in rows_of])]).astype(np.int64)
    return indptr, np.array([j for rows in rows_of for j in sorted(rows)], dtype=np.int32)


@st.composite
def requests(draw):
    """A tiny instance with each kind of constraint there or not."""
    n = draw(st.integers(1, 6))
    ints = lambda size, low, high: np.array(draw(st.lists(st.integers(low, high), min_size=size, max_size=size)))  # noqa: E731
    maybe = lambda: draw(st.integers(0, 3)) == 0  # noqa: E731
    first = draw(st.integers(0, 3))
    request = {"phases": [first, first + draw(st.integers(0, 3))]}
    if maybe():
        request["locked"] = np.unique(ints(draw(st.integers(1, 2)), 0, n - 1))
        request["locked_count"] = draw(st.booleans())
    if maybe():
        request["units"] = ints(n, 0, 2)
    if maybe():
        request |= {"costs": ints(n, 0, 5) / draw(st.sampled_from([1, 3])), "budget": np.sort(ints(2, 2, 9)) + 0.1}
    if maybe():
        low, high = (np.sort(ints(4, a, b).reshape(2, 2), axis=0) for a, b in ((0, 1), (0, 4)))  # cumulative by year
        if maybe():
            low, high = low[0], high[1]
        request |= {"groups": {"county": ints(n, -1, 1)}, "quotas": {"county": (low if maybe() else None, high)}}
    if maybe():  # stations of a place, at most one or two of each
        request["groups"] = request.get("groups", {}) | {"place": np.sort(ints(n, -1, 2))}
        request["quotas"] = request.get("quotas", {}) | {"place": (None, draw(st.integers(1, 2)))}
    if maybe():
        request["floors"] = [(np.unique(ints(3, 0, ROWS - 1)), np.sort(ints(2, 0, 6))), (np.arange(ROWS) < 3, 2)]
    if maybe():
        request["resources"] = (
            ints(2 * n, 0, 3).reshape(2, n) / 7,
            (np.sort(ints(4, 2, 9).reshape(2, 2), axis=0) + 0.5) / 7,
        )
    if maybe():
        request["bonus"] = ints(n, 0, 4)
    if maybe():
        request["modes"] = ints(n, -1, 1)
    if maybe():
        request["conflicts"] = ints(4, 0, n - 1).reshape(2, 2)
    if maybe():
        request["phase_weights"] = [2, 1]
    locked = request.get("locked", np.array([], int))
    for name in ("modes", "conflicts"):  # locked items may not exclude each other
        if name in request and len(locked) > 1:
            del request[name]
    rows_of = [draw(st.sets(st.integers(0, ROWS - 1), max_size=5)) for _ in range(n)]
    return rows_of, ints(ROWS, 0, 9), request


def feasible(chosen, t, rows_of, weights, request):
    """One phase's choice against every constraint, from the definitions."""
    n, chosen = len(rows_of), sorted(chosen)
    locked = [int(i) for i in request.get("locked", [])]
    units = np.array(request.get("units", np.ones(n, int))).copy()
    if not request.get("locked_count", True):
        units[locked] = 0
    covered = set().union(*(rows_of[i] for i in chosen)) if chosen else set()
    at = lambda value: np.broadcast_to(value, (2, *np.shape(value)[1:]) if np.ndim(value) > 1 else (2,))[t]  # noqa: E731
    good = set(locked) <= set(chosen) and units[chosen].sum() <= request["phases"][t]
    if "budget" in request:
        good &= request["costs"][chosen].sum() <= request["budget"][t] + 1e-9
    if "quotas" in request:
        for name, (low, high) in request["quotas"].items():
            for g in range(3 if name == "place" else 2):
                count = int((request["groups"][name][chosen] == g).sum())
                top, least = (np.broadcast_to(0 if v is None else v, (2, 3 if name == "place" else 2))[t, g]
                              for v in (high, low))  # fmt: skip
                good &= bool(least <= count <= top)
    for rows, need in request.get("floors", []):
        inside = set(np.flatnonzero(rows)) if rows.dtype == bool else set(rows.tolist())
        good &= weights[sorted(inside & covered)].sum() >= at(need)
    if "resources" in request:
        loads, limit = request["resources"]
        good &= bool((loads[:, chosen].sum(axis=1) <= limit[t] + 1e-9).all())
    for a, b in itertools.combinations(chosen, 2):
        if "modes" in request and request["modes"][a] == request["modes"][b] >= 0:
            good = False
        if "conflicts" in request and any({a, b} == set(pair) for pair in request["conflicts"].tolist()):
            good = False
    value = int(weights[sorted(covered)].sum()) + int(np.array(request.get("bonus", np.zeros(n, int)))[chosen].sum())
    return bool(good), value


def enumerate_best(rows_of, weights, request, among=None):
    """Best value of each phase alone, and of both together, among all or some items; None where nothing is feasible."""
    n = len(rows_of)
    alpha = request.get("phase_weights", [1, 1])
    subsets = [tuple(i for i in range(n) if mask >> i & 1) for mask in range(1 << n)]
    subsets = [s for s in subsets if among is None or among.issuperset(s)]
    table = [{s: v for s in subsets for ok, v in [feasible(s, t, rows_of, weights, request)] if ok} for t in (0, 1)]
    alone = [max(part.values(), default=None) for part in table]
    joint = [alpha[0] * a + alpha[1] * b for s, a in table[0].items() for q, b in table[1].items() if set(s) <= set(q)]
    return alone, max(joint, default=None)
