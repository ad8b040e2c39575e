"""Linear resources in the greedy: against the plain greedy written out, and phase by phase."""

import numpy as np
import pytest

from lcsiting.siting import ranking


def plain_greedy(rows, weights, loads, left):
    """Largest new weight first, lowest index on ties, passing over what does not fit."""
    covered, left, order, out = set(), left.copy(), [], set()
    while True:
        gains = [sum(weights[j] for j in set(r) - covered) if i not in out else -1 for i, r in enumerate(rows)]
        best = int(np.argmax(gains))
        if gains[best] < 1:
            return order
        out.add(best)
        if (loads[best] <= left).all():
            left -= loads[best]
            covered |= set(rows[best])
            order.append(best)


@pytest.mark.parametrize("seed", range(8))
def test_the_engine_equals_the_greedy_written_out(seed):
    rng = np.random.default_rng(seed)
    n, n_rows, n_res = 30, 60, 3
    rows = [np.sort(rng.choice(n_rows, rng.integers(1, 9), replace=False)).astype(np.int32) for _ in range(n)]
    loads = np.round(rng.uniform(0, 1, (n, n_res)) * (rng.random((n, n_res)) < 0.6), 3)
    left = rng.uniform(0.5, 3, n_res)
    weights = rng.integers(1, 50, n_rows)
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    which, res = np.nonzero(loads)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(which, minlength=n))])
    state = ranking.new_state(indptr, np.concatenate(rows), weights, resources=((ptr, res, loads[which, res]), left))
    picks = ranking.run_block(state, ranking.Block(ranking.everywhere(state)))
    assert picks.order.tolist() == plain_greedy(rows, weights, loads, left)
    assert state.res_left == pytest.approx(left - loads[picks.order].sum(axis=0))
    assert (state.res_left >= 0).all()


def test_what_did_not_fit_is_tried_again_when_there_is_more():
    state = ranking.new_state(
        np.array([0, 1, 2]), np.array([0, 1], np.int32), np.array([5, 3]),
        resources=((np.array([0, 1, 2]), np.array([0, 0]), np.array([2.0, 1.0])), np.array([1.0])),
    )  # fmt: skip
    block = ranking.Block(ranking.everywhere(state))
    assert ranking.run_block(state, block).order.tolist() == [1]
    state.res_left[:] += 2.0
    assert ranking.run_block(state, block).order.tolist() == [0]
