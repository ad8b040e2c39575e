"""From a fractional choice to nested choices, then improve all phases together.

A start lets in what the relaxation is sure of, mends lower quotas, fills up by gain less the price of
the limits, and raises the weight of floors that are short until they hold. Then pairs of items exchange
their phases ("never" is one more phase) as long as ``sum_t alpha_t f(S_t)`` rises: this brings in, takes
out, delays and advances. Limits, conflicts and floors that hold are never broken again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.siting import _search, _walk
from lcsiting.siting.presolve import Reduced
from lcsiting.siting.problem import Problem

Ints = NDArray[np.int64]
SURE = 0.9
ROUNDS = 8  # of all exchanges; a round without a move ends it earlier
FLOOR_ROUNDS = 12
FINE = 64  # while floors are mended, weights count this many parts
SMALL = 200  # selections up to this size also get an iterated local search
KICKS = 120
SEED = 20200521


@dataclass(frozen=True)
class Nested:
    """Nested choices.

    Attributes
    ----------
    label : int8 (n_items,)
        Phase an item enters in, the number of phases if never.
    objective : int
        ``sum_t alpha_t (f(S_t) + bonus)``.
    slack, spare : int64 (n_phases, n_sides), (n_phases, n_floors)
        What is left of each limit, what is covered beyond each floor; negative where one is broken.
    """

    label: NDArray[np.int8]
    objective: int
    slack: Ints
    spare: Ints

    @property
    def broken(self) -> int:
        """Limits and floors that do not hold."""
        return int((self.slack < 0).sum() + (self.spare < 0).sum())


def make_walk(problem: Problem, reduced: Reduced, factor: Ints | None = None) -> _walk.Walk:
    """A search with only the locked items in; ``factor`` (n_families, n_phases) replaces the phases' weights."""
    n, phases, sides = len(problem.units), len(problem.targets), problem.sides
    factor = np.tile(problem.alpha, (len(reduced.member), 1)) if factor is None else factor
    own = np.outer(problem.bonus, problem.alpha)
    label = np.where(problem.locked, 0, phases).astype(np.int8)
    walk = _walk.Walk(
        indptr=reduced.indptr, indices=reduced.indices, row_ptr=reduced.row_ptr, row_items=reduced.row_items,
        weights=reduced.weights, family=reduced.family, member=reduced.member,
        factor=np.array(factor, np.int64), bonus=np.ascontiguousarray(own, np.int64),
        side_ptr=sides.ptr, side_of=sides.of, load=sides.high,
        clash_ptr=problem.conflict_ptr, clash_items=problem.conflict_items,
        fixed=(problem.locked | problem.barred).astype(np.uint8), label=label,
        count=np.zeros((len(reduced.weights), phases), np.int32), gain=np.zeros((n, phases), np.int64),
        slack=np.empty_like(sides.limit_low), spare=np.empty_like(problem.need), clash=np.zeros(n, np.int32),
        scratch=np.zeros(len(sides.names), np.int64), touched=np.zeros(len(reduced.weights), np.uint8),
    )  # fmt: skip
    restart(walk, problem, label)
    return walk


def restart(walk: _walk.Walk, problem: Problem, label: NDArray[np.int8]) -> None:
    """Set the labels and compute everything else from them."""
    walk.label[:] = label
    walk.slack[:] = problem.sides.limit_low
    walk.spare[:] = -problem.need
    _walk.reset(walk)


def round_up(walk: _walk.Walk, problem: Problem, y: NDArray[Any], price: NDArray[Any], threshold: float) -> None:
    """Fill the phases one after the other: what is sure, lower quotas, what is likely, the rest by gain.

    Parameters
    ----------
    walk : Walk
        Changed in place.
    problem : Problem
        The request.
    y : float64 (n_items, n_phases)
        A fractional choice; zeros for a plain greedy.
    price : float64 (n_phases, n_sides)
        Price of a unit of load; what is not sure is ordered by gain less this.
    threshold : float
        Likely means more than this.
    """
    n, phases = y.shape
    one, none = np.ones(n), np.zeros(n)
    sides = problem.sides
    item = np.repeat(np.arange(n), np.diff(sides.ptr))
    for t in range(phases):
        total = price[t:].sum(axis=0)
        total[0] = 0.0
        charge = np.bincount(item, total[sides.of] * sides.high, n) if len(item) else none
        for least in (SURE, threshold):
            wanted = np.flatnonzero(y[:, t] > least)
            _search.admit(walk, t, wanted[np.argsort(-y[wanted, t], kind="stable")])
            _search.fill(walk, t, charge, one, -_search.ANY, True, False)
        _search.fill(walk, t, charge, one, 1, False, False)


def improve(walk: _walk.Walk, *, hard: bool = True, rounds: int = ROUNDS) -> int:
    """Exchange and fill until nothing pays; returns the moves."""
    phases, n = walk.count.shape[1], len(walk.label)
    zero, one, none = np.zeros(n, np.int64), np.ones(n), np.zeros(n)
    pairs = sorted(((a, b) for a in range(phases) for b in range(a + 1, phases + 1)), key=lambda p: (p[1] - p[0], p[0]))
    total = 0
    for _ in range(rounds):
        moves = 0
        for low, high in pairs:
            moves += _search.exchange_pass(walk, low, high, hard, zero)
        for t in range(phases):
            moves += _search.fill(walk, t, none, one, 1, False, False)
        total += moves
        if moves * 2000 < (walk.label < phases).sum() or moves == 0:
            break
    return total


def mend_floors(walk: _walk.Walk, problem: Problem, floor: NDArray[Any]) -> None:
    """Weigh rows of floors more and more until the floors hold, then count plainly again."""
    if not problem.need.size or (walk.spare >= 0).all():
        return
    plain, bonus = walk.factor.copy(), walk.bonus.copy()
    walk.bonus[:] = bonus * FINE
    extra = np.maximum(floor, 0.05)
    for _ in range(FLOOR_ROUNDS):
        short = walk.spare < 0
        if not short.any():
            break
        extra = np.where(short, extra * 1.6, extra)
        walk.factor[:] = plain * FINE + np.rint(FINE * walk.member @ extra.T).astype(np.int64)
        restart(walk, problem, walk.label.copy())
        improve(walk, hard=False, rounds=1)
    walk.factor[:], walk.bonus[:] = plain, bonus
    restart(walk, problem, walk.label.copy())


def state_of(walk: _walk.Walk) -> Nested:
    """A copy of where the search stands."""
    return Nested(walk.label.copy(), int(_walk.objective(walk)), walk.slack.copy(), walk.spare.copy())


def ahead(a: Nested, b: Nested | None) -> bool:
    """Whether ``a`` is better than ``b``: fewer broken limits, then the larger objective."""
    return b is None or (-a.broken, a.objective) > (-b.broken, b.objective)


def kick(walk: _walk.Walk, rng: np.random.Generator) -> None:
    """Move a few items that lie together to other phases, where they fit."""
    phases = walk.count.shape[1]
    free = np.flatnonzero((walk.fixed == 0) & (walk.label < phases))
    if not len(free):
        return
    centre = int(rng.choice(free))
    rows = walk.indices[walk.indptr[centre] : walk.indptr[centre + 1]]
    near = [walk.row_items[walk.row_ptr[j] : walk.row_ptr[j + 1]] for j in rng.permutation(rows)[:20]]
    around = np.unique(np.concatenate([*near, rng.choice(free, min(2, len(free)))]))
    around = around[(walk.fixed[around] == 0)]
    for i in rng.permutation(around)[: int(rng.integers(2, 7))]:
        new = int(rng.integers(0, phases + 1))
        old = int(walk.label[i])
        partners = np.flatnonzero((walk.label == new) & (walk.fixed == 0))
        if new == old or (not len(partners) and new < old):
            continue
        low, high = min(old, new), max(old, new)
        other = int(rng.choice(partners)) if len(partners) else -1  # nobody there: just delay it
        out, into = (int(i), other) if old < new else (other, int(i))
        if into >= 0 and old < new and not _walk.fits(walk, out, into, low, high):
            into = -1  # what fits in its place may enter in another phase
        if _walk.fits(walk, out, into, low, high) and _walk.keeps_floors(walk, out, into, low, high):
            _walk.relabel(walk, out, high)
            if into >= 0:
                _walk.relabel(walk, into, low)


def iterate(walk: _walk.Walk, problem: Problem, best: Nested, enough: float, kicks: int = KICKS) -> Nested:
    """Iterated local search: kick, improve, keep what is better; ends when the objective is ``enough``."""
    rng = np.random.default_rng(SEED)
    for _ in range(kicks):
        if not best.broken and best.objective >= enough:
            break
        restart(walk, problem, best.label)
        kick(walk, rng)
        improve(walk)
        here = state_of(walk)
        if ahead(here, best):
            best = here
    return best


def search(
    problem: Problem,
    reduced: Reduced,
    starts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]],
    thresholds: tuple[float, ...] = (0.5, 0.3),
    enough: float = np.inf,
    factor: Ints | None = None,
) -> Nested:
    """The best nested choice from several starts.

    Parameters
    ----------
    problem, reduced : Problem, Reduced
        The request and its presolved cover.
    starts : list of tuple
        Fractional choice (n_items, n_phases), price of the limits (n_phases, n_sides) in their integer
        units, price of the floors (n_phases, n_floors).
    thresholds : tuple of float
        See :func:`round_up`.
    enough : float
        An upper bound; nothing better is looked for.
    factor : int64 (n_families, n_phases), optional
        See :func:`make_walk`.

    Returns
    -------
    Nested
    """
    walk, best = make_walk(problem, reduced, factor), None
    bare = walk.label.copy()
    for y, price, floor in starts:
        for threshold in thresholds:
            restart(walk, problem, bare)
            round_up(walk, problem, y, price, threshold)
            mend_floors(walk, problem, floor)
            improve(walk)
            here = state_of(walk)
            if ahead(here, best):
                best = here
    assert best is not None
    if (best.label < len(problem.targets)).sum() <= SMALL:
        best = iterate(walk, problem, best, enough)
    return best
