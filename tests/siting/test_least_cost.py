"""The least cost for a coverage against the exact optimum of a general solver, and its bound."""

import numpy as np
import pytest
from scipy import optimize, sparse

from lcsiting.errors import RangeError
from lcsiting.siting import ranking


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
