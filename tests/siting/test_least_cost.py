"""The least cost for a coverage against the exact optimum of a general solver, and its bound."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse
from tiny_requests import feasible, requests, to_csr

from lcsiting.errors import RangeError
from lcsiting.siting import cost_check, ranking
from lcsiting.siting.engine import Effort


def discs(seed, n=40, m=150):
    """Random discs over random points, whole costs."""
    rng = np.random.default_rng(seed)
    sites, points = rng.random((n, 2)), rng.random((m, 2))
    rows = [np.flatnonzero(((points - s) ** 2).sum(axis=1) < rng.uniform(0.06, 0.25) ** 2) for s in sites]
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    return (indptr, np.concatenate(rows).astype(np.int32)), rng.integers(1, 50, m), rng.integers(1, 11, n)


def exact(cover, weights, costs, target, excluded=()):
    """Optimal cost by ``scipy.optimize.milp``."""
    n, m = len(costs), len(weights)
    matrix = sparse.csr_array((np.ones(len(cover[1])), cover[1], cover[0]), shape=(n, m)).T
    rows = [
        optimize.LinearConstraint(sparse.hstack([matrix, -sparse.eye_array(m)]), 0, np.inf),
        optimize.LinearConstraint(np.concatenate([np.zeros(n), weights]), target, np.inf),
    ]
    for pair in excluded:
        rows.append(optimize.LinearConstraint(np.isin(np.arange(n + m), pair).astype(float), 0, 1))
    whole = np.concatenate([np.ones(n), np.zeros(m)])
    cost = np.concatenate([costs, np.zeros(m)])
    return optimize.milp(cost, constraints=rows, integrality=whole, bounds=optimize.Bounds(0, 1)).fun


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_cost_and_bound_enclose_the_optimum(seed, share):
    cover, weights, costs = discs(seed)
    plan = ranking.rank_cover(cover, weights, phases=[len(costs)], costs=costs, target_share=share)
    best = exact(cover, weights, costs, np.ceil(share * weights.sum()))
    assert not plan.shortfalls and plan.value[0] >= share * weights.sum()
    assert plan.lower_bound <= round(best) <= plan.cost <= 1.06 * best + 1
    assert plan.lower_bound >= 0.9 * best - 1
    assert plan.cost == costs[plan.order].sum()


def test_conflicts_hold_and_stand_in_the_bound():
    cover, weights, costs = discs(4)
    excluded = np.array([[i, i + 1] for i in range(0, 39, 2)])
    plan = ranking.rank_cover(cover, weights, phases=[40], costs=costs, target_share=0.7, conflicts=excluded)
    best = exact(cover, weights, costs, np.ceil(0.7 * weights.sum()), excluded.tolist())
    assert not any(set(pair) <= set(plan.order.tolist()) for pair in excluded.tolist())
    assert plan.lower_bound <= round(best) <= plan.cost <= 1.08 * best


def test_a_share_that_cannot_be_covered_is_named():
    cover, weights, costs = discs(1)
    plan = ranking.rank_cover(cover, weights, phases=[2], costs=costs, target_share=0.9)
    assert [s.name for s in plan.shortfalls] == ["floor[0]"] and plan.shortfalls[0].proven


def test_a_share_needs_costs():
    cover, weights, _ = discs(1)
    with pytest.raises(RangeError, match="a cost of 0 or more"):
        ranking.rank_cover(cover, weights, phases=[2], target_share=0.9)


def full_request(seed=4):
    """Conflicts, a floor, a quota, a resource, two locked items; costs whole or not."""
    cover, weights, costs = discs(seed)
    rng = np.random.default_rng(seed)
    request = {
        "phases": [40], "locked": np.array([0, 17]), "groups": {"county": np.arange(40) % 3},
        "quotas": {"county": (np.array([1, 0, 2]), np.array([14, 14, 14]))},
        "conflicts": np.array([[i, i + 1] for i in range(2, 14, 2)]), "floors": [(np.arange(150) < 30, 300)],
        "resources": (rng.random((2, 40)), np.array([11.0, 12.5])),
    }  # fmt: skip
    return cover, weights, costs, request


@pytest.fixture(scope="module", params=["whole", "fractions"])
def certified(request):
    cover, weights, costs, keywords = full_request()
    keywords |= {"costs": costs if request.param == "whole" else costs / 7, "target_share": 0.7}
    return cover, weights, keywords, ranking.rank_cover(cover, weights, **keywords, threads=1)


def complaints(case, order=None, proof=None, **changed):
    cover, weights, keywords, plan = case
    claims = {"cost": plan.cost, "lower_bound": plan.lower_bound}
    order = plan.order if order is None else order
    done = cost_check.verify_least_cost(cover, weights, order, proof or plan.dual, **(keywords | claims | changed))
    return " | ".join(done.problems)


def test_the_checker_agrees_with_the_engine(certified):
    cover, weights, keywords, plan = certified
    done = cost_check.verify_least_cost(
        cover, weights, plan.order, plan.dual, cost=plan.cost, lower_bound=plan.lower_bound, **keywords
    )
    assert not plan.shortfalls and done.ok, done.problems
    assert done.covered == plan.value[0] >= done.target
    assert done.lower_bound == plan.lower_bound > 0.8 * plan.cost and done.cost == pytest.approx(plan.cost)


@pytest.mark.parametrize("seed", range(3))
def test_the_checked_bound_is_below_the_exact_optimum(seed):
    cover, weights, costs = discs(seed)
    plan = ranking.rank_cover(cover, weights, phases=[40], costs=costs, target_share=0.6)
    done = cost_check.verify_least_cost(
        cover, weights, plan.order, plan.dual, costs=costs, target_share=0.6, phases=[40]
    )
    assert done.ok and done.lower_bound <= round(exact(cover, weights, costs, np.ceil(0.6 * weights.sum())))


def test_the_bound_written_out_once_more():
    """Formula by hand, with loops, for a request of nothing but the target."""
    (indptr, indices), weights, costs = discs(2)
    plan = ranking.rank_cover((indptr, indices), weights, phases=[40], costs=costs, target_share=0.8)
    proof, scale = plan.dual.phases[0], plan.dual.scale
    u, pi = [int(v) for v in proof.u], int(proof.floor[-1])
    bound = pi * int(np.ceil(0.8 * weights.sum())) - sum(pi * int(w) - v for w, v in zip(weights, u, strict=True))
    for i in range(40):
        c = sum(u[j] for j in indices[indptr[i] : indptr[i + 1]])
        bound -= max(0, c - int(costs[i]) * scale)
    assert plan.lower_bound == -(-bound // scale)


def test_one_item_moved_is_noticed(certified):
    _, _, keywords, plan = certified
    outside = np.setdiff1d(np.arange(40), plan.order)
    for item in (2, len(plan.order) - 1):
        order = plan.order.copy()
        order[item] = outside[np.argmax(np.abs(keywords["costs"][outside] - keywords["costs"][order[item]]))]
        assert "cost: claimed" in complaints(certified, order=order)
    assert "locked items are not in" in complaints(certified, order=plan.order[1:])
    assert "twice" in complaints(certified, order=np.append(plan.order, plan.order[0]))


def test_coverage_that_falls_short_is_noticed(certified):
    plan = certified[3]
    assert "coverage:" in complaints(certified, order=plan.order[:-3])
    assert "coverage:" in complaints(certified, target_share=0.95)


def test_a_row_price_above_the_rows_weight_is_noticed(certified):
    proof = certified[3].dual
    u = proof.phases[0].u.astype(np.int64)
    u[5] = int(proof.phases[0].floor.sum()) * int(certified[1][5]) + 1
    forged = dataclasses.replace(proof, phases=(dataclasses.replace(proof.phases[0], u=u),))
    assert "1 row prices lie outside" in complaints(certified, proof=forged)


def test_other_forgeries_are_noticed(certified):
    proof = certified[3].dual
    alone = proof.phases[0]
    price = alone.price.copy()
    price[-1] *= 2
    dear = dataclasses.replace(proof, phases=(dataclasses.replace(alone, price=price),))
    assert "price of cost is above one" in complaints(certified, proof=dear)
    weighed = dataclasses.replace(proof, phases=(dataclasses.replace(alone, factor=1),))
    assert "wanted 0" in complaints(certified, proof=weighed)
    assert "bound: claimed" in complaints(certified, proof=dataclasses.replace(proof, upper_bound=(-(10**15),)))
    assert "lower bound: claimed" in complaints(certified, lower_bound=certified[3].lower_bound + 1)
    assert "cost: claimed" in complaints(certified, cost=certified[3].cost - 1)
    assert "matrix" in cost_check.verify_least_cost(
        certified[0], certified[1] + 1, certified[3].order, proof, **certified[2]
    ).problems[0]  # fmt: skip
    for name in ("u", "price", "floor"):
        short = dataclasses.replace(proof, phases=(dataclasses.replace(alone, **{name: getattr(alone, name)[1:]}),))
        assert "made for others" in complaints(certified, proof=short)


def test_a_bound_is_checked_without_a_choice(certified):
    cover, weights, keywords, plan = certified
    done = cost_check.verify_least_cost(
        cover, weights, None, plan.dual, lower_bound=plan.lower_bound, **keywords
    )  # fmt: skip
    assert done.ok and done.lower_bound == plan.lower_bound
    claimed = cost_check.verify_least_cost(
        cover, weights, None, plan.dual, lower_bound=plan.lower_bound * 1.01, **keywords
    )  # fmt: skip
    assert [text.partition(":")[0] for text in claimed.problems] == ["lower bound"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("county[0]<=", {"quotas": {"county": (np.array([1, 0, 2]), np.array([1, 14, 14]))}}),
        ("county[2]>=", {"quotas": {"county": (np.array([1, 0, 13]), np.array([14, 14, 14]))}}),
        ("floor 0", {"floors": [(np.arange(150) < 30, 10**6)]}),
        ("resource[1]", {"resources": (np.ones((2, 40)), np.array([40.0, 2.0]))}),
        ("units", {"phases": [3]}),
    ],
)
def test_every_broken_constraint_is_noticed(certified, name, change):
    assert name in complaints(certified, **change)


def test_a_chosen_pair_that_excludes_each_other_is_noticed(certified):
    order = certified[3].order
    assert "exclude each other" in complaints(certified, conflicts=np.array([[order[1], order[-1]]]))


def test_a_certificate_of_coverage_is_no_certificate_of_cost(certified):
    cover, weights, _, _ = certified
    other = ranking.rank_cover(cover, weights, phases=[10])
    assert "made for others" in complaints(certified, proof=other.dual)


QUICK = Effort(True, True, iterations=60)


@settings(max_examples=150, deadline=None)
@given(requests(), st.integers(0, 10), st.sampled_from([1, 3]), st.data())
def test_cost_and_bound_enclose_the_enumerated_optimum_under_every_constraint(case, tenths, part, data):
    """The last phase of a tiny request as one phase; a budget has no part in it."""
    rows_of, weights, request = case
    n, count = len(rows_of), len(weights)
    costs = np.array(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))) / part
    request = {k: v for k, v in request.items() if k not in ("budget", "bonus", "phase_weights")} | {"costs": costs}
    target = int(np.ceil(tenths / 10 * int(weights.sum())))
    wanted = request | {"floors": [*request.get("floors", []), (np.arange(count), target)]}
    subsets = itertools.chain.from_iterable(itertools.combinations(range(n), k) for k in range(n + 1))
    best = min((costs[list(s)].sum() for s in subsets if feasible(s, 1, rows_of, weights, wanted)[0]), default=None)

    last = lambda v: v if v is None or np.ndim(v) == 0 else np.asarray(v)[-1]  # noqa: E731
    one = request | {"phases": request["phases"][1:]}
    if "quotas" in request:
        one["quotas"] = {
            name: tuple(None if v is None else (v[-1] if np.ndim(v) == 2 else v) for v in pair)
            for name, pair in request["quotas"].items()
        }
    if "floors" in request:
        one["floors"] = [(rows, last(need)) for rows, need in request["floors"]]
    if "resources" in request:
        one["resources"] = (request["resources"][0], request["resources"][1][-1])
    plan = ranking.rank_cover(to_csr(rows_of), weights, **one, target_share=tenths / 10, effort=QUICK, threads=1)
    done = cost_check.verify_least_cost(
        to_csr(rows_of), weights, plan.order, plan.dual, **one, target_share=tenths / 10, cost=plan.cost,
        lower_bound=plan.lower_bound,
    )  # fmt: skip
    if plan.shortfalls:
        assert done.problems, "a broken request is seen by the checker too"
        assert best is None or not any(short.proven for short in plan.shortfalls)
    else:
        assert done.ok, done.problems
        assert best is not None and plan.lower_bound <= best + 1e-9 <= plan.cost + 2e-9
        assert feasible(plan.order.tolist(), 1, rows_of, weights, wanted)[0]
    if best is not None:
        assert plan.lower_bound <= best + 1e-9
