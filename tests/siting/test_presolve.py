"""What is merged and left out changes nothing: values, coverable weight, classes, optima."""

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tiny_requests import enumerate_best, requests, to_csr

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


@settings(max_examples=300, deadline=None)
@given(requests())
def test_some_best_choice_does_without_what_is_left_out(case):
    """Every kind of constraint: the optima over what is left are those over all items."""
    rows_of, weights, request = case
    whole = problem.make_problem(to_csr(rows_of), weights, **request)
    rest, small = presolve.without_superfluous(whole, presolve.presolve(whole))
    event(f"excluded {int(whole.barred.sum())}")
    event(f"superfluous {int((small.superior >= 0).sum())}")
    kept = set(np.flatnonzero(~rest.barred).tolist())
    assert enumerate_best(rows_of, weights, request) == enumerate_best(rows_of, weights, request, kept)
    for a in np.flatnonzero(small.superior >= 0):
        assert set(rows_of[a]) <= set(rows_of[small.superior[a]])
    for chosen in ({i for i in kept if i % 2 == odd} for odd in (0, 1)):
        covered = set().union(*(rows_of[i] for i in chosen))
        classes = {c for i in chosen for c in small.indices[small.indptr[i] : small.indptr[i + 1]].tolist()}
        assert weights[sorted(covered)].sum() == small.weights[sorted(classes)].sum()
        assert {int(small.class_of[j]) for j in covered} == classes


def test_the_first_of_equal_items_stays_and_a_better_one_takes_over():
    cover = to_csr([{0, 1}, {0, 1}, {0}, {2, 3}, {2, 3, 4}, {5}, {6}])
    whole = problem.make_problem(
        cover, np.ones(8, int), phases=[2], costs=[1, 1, 1, 1, 2, 9, 1], budget=5, locked=[6],
        groups={"county": np.zeros(7, int)}, quotas={"county": (None, 4)},
    )  # fmt: skip
    rest, small = presolve.without_superfluous(whole, presolve.presolve(whole))
    assert small.superior.tolist() == [-1, 0, 0, -1, -1, -1, -1], "item 4 covers more than item 3 but costs more"
    assert np.flatnonzero(whole.barred).tolist() == [5], "beyond the budget by itself"
    assert np.flatnonzero(rest.barred).tolist() == [1, 2, 5] and small.class_of[5] == -1 == small.class_of[7]


def test_an_item_stays_where_it_counts_itself():
    cover = to_csr([{0, 1}, {0}, {0}, {0}])
    quota = {"groups": {"county": np.array([0, 0, 1, -1])}, "quotas": {"county": (np.array([2, 0]), np.array([2, 0]))}}
    superior = lambda **request: presolve.without_superfluous(  # noqa: E731
        whole := problem.make_problem(cover, np.ones(2, int), phases=[3], **request), presolve.presolve(whole)
    )[1].superior.tolist()
    assert superior() == [-1, 0, 0, 0]
    assert superior(**quota) == [-1, -1, -1, -1], "item 1 fills a quota, item 2 may not be chosen, item 0 uses a quota"
    assert superior(bonus=[1, 1, 0, 2]) == [-1, -1, 0, -1]
    assert superior(modes=[0, 0, -1, -1], bonus=[1, 1, 1, 0]) == [-1, 0, -1, 2], "but item 0 excludes item 1"
