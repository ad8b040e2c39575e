"""Merged rows change nothing: values, coverable weight, classes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.siting import presolve, problem


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_choice_covers_the_same_weight_after_merging(data):
    n, m = data.draw(st.integers(1, 6)), 9
    rows_of = [sorted(data.draw(st.sets(st.integers(0, m - 1)))) for _ in range(n)]
    weights = np.array(data.draw(st.lists(st.integers(0, 5), min_size=m, max_size=m)))
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows_of])])
    indices = np.array([j for r in rows_of for j in r], np.int32)
    floors = [(np.array([0, 1, 2]), 0), (np.array([2, 3]), 0)]
    small = presolve.presolve(problem.make_problem((indptr, indices), weights, phases=[n], floors=floors))
    items_of = [frozenset(i for i in range(n) if j in rows_of[i]) for j in range(m)]
    inside = [(j < 3, j in (2, 3)) for j in range(m)]
    for j in range(m):
        assert (small.class_of[j] < 0) == (not items_of[j])
        for k in range(m):
            if items_of[j] and items_of[k]:
                same = items_of[j] == items_of[k] and inside[j] == inside[k]
                assert (small.class_of[j] == small.class_of[k]) == same
    chosen = data.draw(st.sets(st.integers(0, n - 1)))
    covered = set().union(*(rows_of[i] for i in chosen))
    classes = np.unique(np.concatenate([np.empty(0, np.int32), *(
        small.indices[small.indptr[i] : small.indptr[i + 1]] for i in chosen)])).astype(int)  # fmt: skip
    assert weights[sorted(covered)].sum() == small.weights[classes].sum()
    for c in range(len(small.weights)):  # the transposed lists say the same
        items = small.row_items[small.row_ptr[c] : small.row_ptr[c + 1]].tolist()
        assert frozenset(items) == items_of[int(np.flatnonzero(small.class_of == c)[0])]
