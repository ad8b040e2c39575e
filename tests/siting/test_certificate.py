"""Rankings under every kind of constraint against full enumeration; the checker against forgeries."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from tiny_requests import enumerate_best, feasible, requests, to_csr

from lcsiting.siting import dual, engine, improve, presolve, problem, ranking
from lcsiting.siting._passes import CHUNK_PAIRS
from lcsiting.siting.engine import Effort

QUICK = Effort(True, True, iterations=120)


@settings(max_examples=150, deadline=None)
@given(requests())
def test_bounds_hold_and_plans_are_feasible_under_every_constraint(case):
    rows_of, weights, request = case
    alone, joint = enumerate_best(rows_of, weights, request)
    plan = ranking.rank_cover(to_csr(rows_of), weights, **request, effort=QUICK, threads=1)
    for t in (0, 1):
        if alone[t] is not None:
            assert plan.upper_bound[t] >= alone[t]
    checked = dual.verify_certificate(
        to_csr(rows_of), weights, plan.order, plan.ends, plan.dual, value=plan.value, **request
    )
    assert checked.upper_bound == tuple(plan.upper_bound) and checked.joint_bound == plan.joint_bound
    if joint is not None:
        assert plan.joint_bound >= joint
    if plan.shortfalls:
        assert checked.problems, "a broken request is seen by the checker too"
        for short in plan.shortfalls:
            assert not short.proven or joint is None
    else:
        assert checked.ok, checked.problems
        assert joint is not None and plan.joint_value <= joint
        for t in (0, 1):
            assert feasible(plan.order[: plan.ends[t]].tolist(), t, rows_of, weights, request) == (True, plan.value[t])


@settings(max_examples=150, deadline=None)
@given(requests())
def test_tiny_plans_are_nearly_always_the_best(case):
    """Without floors and lower quotas (always feasible) the found plan is never far off."""
    rows_of, weights, request = case
    request = {k: v for k, v in request.items() if k not in ("floors", "locked", "locked_count")}
    if "quotas" in request:
        request["quotas"] = {name: (None, high) for name, (_, high) in request["quotas"].items()}
    _, joint = enumerate_best(rows_of, weights, request)
    plan = ranking.rank_cover(to_csr(rows_of), weights, **request, effort=QUICK, threads=1)
    assert not plan.shortfalls and plan.joint_value >= 0.75 * joint


def test_an_early_choice_that_blocks_a_better_later_one_is_undone():
    """Item 1 is free and fits the first phase; delaying it lets item 0 in later, which is worth more."""
    request = {
        "phases": [1, 1], "costs": np.array([3.0, 0.0]), "budget": [2.1, 3.1], "bonus": np.array([0, 1]),
        "phase_weights": [2, 1],
    }  # fmt: skip
    plan = ranking.rank_cover(to_csr([{0}, set()]), np.array([5, 0, 0, 0, 0, 0, 0, 0]), **request, threads=1)
    assert plan.order.tolist() == [0] and plan.ends.tolist() == [0, 1] and plan.joint_value == 5


def test_a_mode_that_fits_only_later_replaces_the_one_chosen_first():
    """Item 1 brings 1 in both phases; item 0, its other mode, brings 3, but only in the second: nothing is covered."""
    request = {
        "phases": [0, 0], "units": np.zeros(2, int), "bonus": np.array([3, 1]), "modes": np.array([0, 0]),
        "resources": (np.array([[0.4, 0.0]]), np.array([[0.3], [0.5]])),
    }  # fmt: skip
    plan = ranking.rank_cover(to_csr([set(), set()]), np.zeros(4, int), **request, threads=1)
    assert plan.order.tolist() == [0] and plan.ends.tolist() == [0, 1] and plan.joint_value == 3


def random_request(seed=3, n=300, m=900):
    """A middling instance with everything in it, and room enough to be feasible."""
    rng = np.random.default_rng(seed)
    x, at = rng.random(n), rng.random(m)
    rows_of = [set(np.flatnonzero(np.abs(at - x[i]) < rng.uniform(0.004, 0.02)).tolist()) for i in range(n)]
    county = (x * 4).astype(int)
    request = {
        "phases": [20, 45, 70], "costs": rng.uniform(0.5, 2, n), "budget": [22.0, 50.0, 80.0],
        "locked": np.array([3, 77]), "groups": {"county": county},
        "quotas": {"county": (np.array([[2] * 4, [6] * 4, [10] * 4]), np.array([[8] * 4, [18] * 4, [30] * 4]))},
        "floors": [(at < 0.1, [20, 100, 150]), (np.flatnonzero(at > 0.9), [20, 100, 150])],
        "resources": (rng.random((3, n)) * (rng.random((3, n)) < 0.3), np.array([3.0, 5.0, 8.0])),
        "conflicts": np.column_stack([np.argsort(x)[:-1], np.argsort(x)[1:]])[::7],
        "bonus": rng.integers(0, 3, n),
    }  # fmt: skip
    locked = set(request["locked"].tolist())
    request["conflicts"] = np.array([p for p in request["conflicts"].tolist() if not locked & set(p)])
    return to_csr(rows_of), rng.integers(1, 9, m), request


@pytest.fixture(scope="module")
def everything():
    cover, weights, request = random_request()
    return cover, weights, request, ranking.rank_cover(cover, weights, **request, threads=1)


def complaints(case, plan=None, proof=None, **changed):
    cover, weights, request, made = case
    plan = made if plan is None else plan
    done = dual.verify_certificate(
        cover, weights, plan.order, plan.ends, proof or plan.dual, value=plan.value, **(request | changed)
    )
    return " | ".join(done.problems)


def test_everything_at_once_is_feasible_and_tight(everything):
    plan = everything[3]
    assert not plan.shortfalls and complaints(everything) == ""
    assert plan.joint_gap_pct < 4 and (plan.gap_pct < 8).all()


def test_threads_do_not_change_a_byte(everything):
    cover, weights, request, one = everything
    two = ranking.rank_cover(cover, weights, **request, threads=2)
    assert one.order.tobytes() == two.order.tobytes() and one.joint_bound == two.joint_bound
    for a, b in zip(one.dual.phases + one.dual.joint, two.dual.phases + two.dual.joint, strict=True):
        assert a.u.tobytes() == b.u.tobytes() and a.price.tobytes() == b.price.tobytes()


def test_threads_do_not_change_a_byte_of_a_cover_cut_into_parts():
    rng = np.random.default_rng(11)
    at = rng.random((6_000, 2))
    rows_of = [np.flatnonzero(((at - p) ** 2).sum(axis=1) < 0.07**2) for p in rng.random((900, 2))]
    cover, weights = to_csr(rows_of), rng.integers(1, 9, 6_000)
    request = {"phases": [20, 40], "floors": [(at[:, 0] < 0.2, [1_000, 2_000])], "modes": np.arange(900) // 2}
    effort = Effort(True, True, iterations=60)
    one, two, three = (ranking.rank_cover(cover, weights, **request, effort=effort, threads=k) for k in (1, 2, 3))
    request_whole = problem.make_problem(cover, weights, **request)
    small = presolve.without_superfluous(request_whole, presolve.presolve(request_whole))[1]
    assert len(small.indices) > 2 * CHUNK_PAIRS, "several parts"
    assert not one.shortfalls
    for other in (two, three):
        assert one.order.tobytes() == other.order.tobytes() and one.joint_bound == other.joint_bound
        for a, b in zip(one.dual.phases + one.dual.joint, other.dual.phases + other.dual.joint, strict=True):
            assert a.u.tobytes() == b.u.tobytes() and a.price.tobytes() == b.price.tobytes()


def test_one_item_moved_is_noticed(everything):
    plan = everything[3]
    order = plan.order.copy()
    order[-1] = np.setdiff1d(np.arange(300), order)[0]
    assert complaints(everything, replace(plan, order=order))
    ends = plan.ends.copy()
    ends[0] += 1
    assert complaints(everything, replace(plan, ends=ends))


def test_one_price_above_its_row_is_noticed(everything):
    proof = everything[3].dual
    u = proof.phases[1].u.copy()
    u[5] = 10**6
    forged = replace(proof, phases=(proof.phases[0], replace(proof.phases[1], u=u), proof.phases[2]))
    assert "row prices lie outside" in complaints(everything, proof=forged)


def test_a_claimed_bound_that_does_not_add_up_is_noticed(everything):
    proof = everything[3].dual
    assert "upper bound" in complaints(everything, proof=replace(proof, upper_bound=(1, *proof.upper_bound[1:])))
    assert "joint bound" in complaints(everything, proof=replace(proof, joint_bound=proof.joint_bound - 1))
    assert "value" in complaints(everything, replace(everything[3], value=everything[3].value + 1))


def test_a_clique_that_is_none_is_noticed(everything):
    proof = everything[3].dual
    free = np.setdiff1d(np.arange(300), everything[2]["locked"])
    clique = proof.clique.copy()
    clique[free[10]] = clique[free[200]]  # far apart: neither excludes the other nor makes it superfluous
    assert "pairs inside a clique" in complaints(everything, proof=replace(proof, clique=clique))


def test_other_phase_weights_and_missing_phases_are_noticed(everything):
    proof = everything[3].dual
    assert "phase weights" in complaints(everything, phase_weights=[1, 1, 2])
    assert "made for others" in complaints(everything, proof=replace(proof, phases=(), upper_bound=()))
    for name in ("u", "price", "floor"):  # an array that is too short is named, too
        short = replace(proof.phases[1], **{name: getattr(proof.phases[1], name)[:-1]})
        forged = replace(proof, phases=(proof.phases[0], short, proof.phases[2]))
        assert "made for others" in complaints(everything, proof=forged)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("units", {"phases": [20, 45, 60]}),
        ("budget", {"budget": [10.0, 50.0, 80.0]}),
        ("county[0]<=", {"quotas": {"county": (np.full((3, 4), 1), np.full((3, 4), 2))}}),
        ("county[1]>=", {"quotas": {"county": (np.full((3, 4), 28), np.full((3, 4), 30))}}),
        ("floor 0", {"floors": [(np.arange(900) >= 0, 10**6), (np.arange(900) >= 0, 0)]}),
        ("exclude", {"conflicts": None}),
    ],
)
def test_every_broken_constraint_is_noticed(everything, name, change):
    if name == "exclude":
        order = everything[3].order
        change = {"conflicts": np.array([[order[4], order[9]]])}
    assert name in complaints(everything, **change)


def test_a_broken_resource_is_noticed(everything):
    loads, limits = everything[2]["resources"]
    used = loads[:, everything[3].order].sum(axis=1)
    assert "resource[1]" in complaints(everything, resources=(loads, np.array([limits[0], used[1] * 0.999, limits[2]])))


def test_another_matrix_is_noticed(everything):
    cover, weights, request, plan = everything
    done = dual.verify_certificate(cover, weights + 1, plan.order, plan.ends, plan.dual, **request)
    assert "matrix" in done.problems[0]


def test_an_impossible_floor_is_named_with_its_bound():
    cover, weights = to_csr([{0, 1}, {2}, {3}, {4, 5}]), np.array([5, 5, 4, 3, 2, 2, 9])
    plan = ranking.rank_cover(cover, weights, phases=[1, 2], floors=[(np.array([2, 3, 4, 5]), [0, 9])])
    (short,) = plan.shortfalls
    assert (short.name, short.phase, short.need) == ("floor[0]", 1, 9)
    assert short.best == 8 and short.bound == 8 and short.proven


def test_two_floors_that_only_fail_together_are_proven_to():
    """Each can be met alone within two items; both would take three."""
    cover, weights = to_csr([{0}, {1}, {2}, {0, 3}]), np.array([5, 5, 5, 1])
    floors = [(np.array([0, 1]), 10), (np.array([2]), 5)]
    plan = ranking.rank_cover(cover, weights, phases=[2], floors=floors)
    assert plan.shortfalls and all(short.proven for short in plan.shortfalls)
    assert not ranking.rank_cover(cover, weights, phases=[2], floors=floors[:1]).shortfalls
    assert not ranking.rank_cover(cover, weights, phases=[3], floors=floors).shortfalls


@pytest.mark.parametrize("with_bonus", [False, True])
def test_gains_never_increase_within_a_phase_on_its_own_objective(with_bonus):
    cover, weights, request = random_request(5)
    bonus = request["bonus"] * 7 if with_bonus else np.zeros(300, int)
    plan = ranking.rank_cover(cover, weights, phases=request["phases"], locked=request["locked"], bonus=bonus)
    starts = [2, *plan.ends[:-1]]
    for start, end in zip(starts, plan.ends, strict=True):
        assert (np.diff((plan.gain + bonus[plan.order])[start:end]) <= 0).all()
    assert np.cumsum(plan.gain + bonus[plan.order])[plan.ends - 1].tolist() == plan.value.tolist()


@pytest.mark.parametrize("seed", range(4))
def test_what_holds_is_never_broken_by_later_polish(seed):
    cover, weights, request = random_request(seed)
    whole = problem.make_problem(cover, weights, **request)
    reduced = presolve.presolve(whole)
    start = engine.greedy_start(whole, reduced)
    walk = improve.make_walk(whole, reduced)
    improve.restart(walk, whole, start.label)
    rng, before = np.random.default_rng(seed), start.objective
    held = (start.slack >= 0), (start.spare >= 0)
    assert held[1].any()
    for _ in range(10):
        improve.kick(walk, rng)
        improve.improve(walk)
        here = improve.state_of(walk)
        assert (here.slack >= 0)[held[0]].all() and (here.spare >= 0)[held[1]].all()
        before = max(before, here.objective)
    assert before > start.objective


def test_the_bound_curve_lies_above_every_prefix():
    cover, weights, request = random_request(6)
    plan = ranking.rank_cover(cover, weights, phases=request["phases"])
    curve = np.min([dual.bound_curve(plan.dual, cover, weights, t) for t in range(3)], axis=0)
    covered = np.concatenate([[0], np.cumsum(plan.gain)])
    assert (covered <= curve[: len(covered)]).all()
    assert (covered[plan.ends] >= 0.97 * curve[plan.ends]).all()
