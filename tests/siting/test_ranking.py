"""The engine against a greedy anyone can read, on random tiny instances."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lcsiting.errors import RangeError
from lcsiting.siting import blocks, ranking

CELLS, CLASSES = 6, 2
greedy = functools.partial(ranking.rank_cover, effort="greedy")


def to_csr(rows_of):
    indptr = np.concatenate([[0], np.cumsum([len(rows) for rows in rows_of])]).astype(np.int64)
    return indptr, np.array([j for rows in rows_of for j in sorted(rows)], dtype=np.int32)


def plain_block(rows_of, weights, chosen, block, bonus, sibling_bonus, units, place_of):
    """One block by the definition: try every item at every step, in plain Python."""
    picks, used = [], 0
    inside = [j for j in range(len(weights)) if block.in_block[j % CELLS]]
    while used < block.max_units:
        covered = set().union(*(rows_of[i] for i in chosen))
        if block.needs.any():
            done = np.zeros_like(block.needs)
            for j in covered.intersection(inside):
                done[:, j // CELLS] += block.measures[:, j % CELLS]
            if (done >= block.needs).all():
                break
        best = None
        for i in range(len(rows_of)):
            if i in chosen:
                continue
            if block.load is None:
                gain = sum(weights[j] for j in rows_of[i] if j in inside and j not in covered)
            else:
                gain = sum(block.load[j] // (1 + sum(j in rows_of[s] for s in chosen)) for j in rows_of[i])
            objective = gain + bonus[i]
            if any(place_of[s] == place_of[i] for s in chosen):
                objective += sibling_bonus[i]
            if gain >= max(block.stop_gain, 1) and (best is None or objective > best[2]):
                best = (i, gain, objective, sum(weights[j] for j in rows_of[i] - covered))
        if best is None:
            break
        chosen.append(best[0])
        picks.append(best)
        used += units[best[0]]
    return picks


@st.composite
def instances(draw):
    n = draw(st.integers(1, 9))
    row_sets = st.sets(st.integers(0, CELLS * CLASSES - 1), max_size=7)
    small = st.integers(0, 6)
    ints = lambda size, values: np.array(draw(st.lists(values, min_size=size, max_size=size)), dtype=np.int64)  # noqa: E731
    return dict(
        rows_of=[draw(row_sets) for _ in range(n)],
        weights=ints(CELLS * CLASSES, small),
        place_of=ints(n, st.integers(0, 3)),
        bonus=ints(n, small),
        sibling_bonus=ints(n, small),
        units=ints(n, st.integers(0, 2)),
        load=ints(CELLS * CLASSES, st.integers(0, 20)),
        locked=sorted(draw(st.sets(st.integers(0, n - 1), max_size=2))),
        cells=[ints(CELLS, st.integers(0, 1)).astype(np.uint8) for _ in range(3)],
        stops=[draw(st.integers(0, 4)) for _ in range(3)],
        limits=[draw(st.integers(0, 5)) for _ in range(3)],
        measures=ints(CELLS * 2, small).reshape(2, CELLS),
        needs=ints(2 * CLASSES, st.integers(0, 8)).reshape(2, CLASSES),
    )


def blocks_of(case):
    """Two tier blocks, the first with a grade, one block over everything, one by load."""
    first, second, _ = (
        blocks.Block(cells, max_units=limit, stop_gain=stop)
        for cells, limit, stop in zip(case["cells"], case["limits"], case["stops"], strict=True)
    )
    first = blocks.Block(first.in_block, first.max_units, first.stop_gain, case["measures"], case["needs"])
    everything = np.ones(CELLS, np.uint8)
    return [first, second, blocks.Block(everything, max_units=3), blocks.Block(everything, load=case["load"])]


@settings(max_examples=300, deadline=None)
@given(instances())
def test_every_block_is_the_plain_greedy(case):
    state = blocks.new_state(*to_csr(case["rows_of"]), case["weights"], n_cells=CELLS, place_of=case["place_of"])
    blocks.lock(state, np.array(case["locked"], dtype=np.int64))
    chosen = list(case["locked"])
    for block in blocks_of(case):
        want = plain_block(
            case["rows_of"], case["weights"], chosen, block, case["bonus"], case["sibling_bonus"], case["units"],
            case["place_of"],
        )  # fmt: skip
        got = blocks.run_block(
            state, block, bonus=case["bonus"], sibling_bonus=case["sibling_bonus"], units=case["units"]
        )
        assert list(zip(got.order, got.block_gain, got.objective, got.gain, strict=True)) == want
        assert got.units == case["units"][got.order].sum()


@settings(max_examples=100, deadline=None)
@given(instances())
def test_objective_only_rises_after_a_sibling_was_raised(case):
    state = blocks.new_state(*to_csr(case["rows_of"]), case["weights"], n_cells=CELLS, place_of=case["place_of"])
    block = blocks.Block(np.ones(CELLS, np.uint8))
    picks = blocks.run_block(state, block, bonus=case["bonus"], sibling_bonus=case["sibling_bonus"])
    for k in range(1, len(picks.order)):
        if picks.objective[k] > picks.objective[k - 1]:
            assert case["place_of"][picks.order[k]] == case["place_of"][picks.order[k - 1]]


@settings(max_examples=100, deadline=None)
@given(instances())
def test_gains_never_increase_in_a_block_without_preference(case):
    state = blocks.new_state(*to_csr(case["rows_of"]), case["weights"], n_cells=CELLS)
    for block in blocks_of(case):
        assert (np.diff(blocks.run_block(state, block).block_gain) <= 0).all()


@settings(max_examples=100, deadline=None)
@given(instances(), st.integers(0, 8))
def test_removing_a_host_never_raises_the_exhausted_total(case, host):
    everyone = len(case["rows_of"])
    full = greedy(to_csr(case["rows_of"]), case["weights"], phases=[everyone])
    without = [set() if i == host else rows for i, rows in enumerate(case["rows_of"])]
    less = greedy(to_csr(without), case["weights"], phases=[everyone])
    assert less.value[-1] <= full.value[-1]
    assert full.value[-1] == case["weights"][sorted(set().union(*case["rows_of"]))].sum()


def test_equal_items_come_in_index_order():
    cover = to_csr([{0}, {1}, {2}, {3}])
    assert greedy(cover, np.array([5, 5, 5, 5]), phases=[4]).order.tolist() == [0, 1, 2, 3]


def test_phases_are_nested_and_count_what_is_locked():
    cover, weights = to_csr([{0}, {1}, {2}, {3}, {0, 1, 2, 3}]), np.array([1, 2, 3, 4])
    plan = greedy(cover, weights, phases=[2, 3], locked=np.array([0]))
    assert plan.order.tolist() == [0, 4] and plan.ends.tolist() == [2, 2] and plan.value.tolist() == [10, 10]
    plan = greedy(cover, weights, phases=[1, 3], locked=np.array([4]), locked_count=False)
    assert plan.order.tolist() == [4], "nothing is left to gain"
    short = greedy(cover, weights, phases=[1])
    longer = greedy(cover, weights, phases=[1, 5])
    assert longer.order[: len(short.order)].tolist() == short.order.tolist()


def test_an_opened_place_pulls_its_second_network_forward():
    cover, weights = to_csr([{0}, {1}, {2}]), np.array([10, 7, 8])
    places = {"place": np.array([0, 0, 1])}
    assert greedy(cover, weights, phases=[3], groups=places).order.tolist() == [0, 2, 1]
    shared = greedy(cover, weights, phases=[3], groups=places, sibling_bonus=np.array([2, 2, 2]))
    assert shared.order.tolist() == [0, 1, 2] and shared.gain.tolist() == [10, 7, 8]


def test_a_locked_place_is_open_from_the_start():
    cover, weights = to_csr([{0}, {1}, {2}]), np.array([10, 7, 8])
    plan = greedy(
        cover, weights, phases=[3], locked=np.array([0]), groups={"place": np.array([0, 0, 1])},
        sibling_bonus=np.array([2, 2, 2]),
    )  # fmt: skip
    assert plan.order.tolist() == [0, 1, 2]


def test_a_block_stops_at_its_grade():
    state = blocks.new_state(*to_csr([{0}, {1}, {2}]), np.array([3, 2, 1]), n_cells=3)
    people = np.array([[30, 20, 10]])
    block = blocks.Block(np.ones(3, np.uint8), measures=people, needs=np.array([[50]]))
    assert blocks.run_block(state, block).order.tolist() == [0, 1]
    assert blocks.covered_measures(state, block.in_block, people).tolist() == [[50]]


def test_the_tail_goes_where_most_people_share_a_station():
    state = blocks.new_state(*to_csr([{0, 1}, {0}, {1}, {1}]), np.array([1, 1]))
    blocks.lock(state, np.array([0]))
    block = blocks.Block(np.ones(2, np.uint8), load=np.array([100, 130]))
    picks = blocks.run_block(state, block)
    # 130/2 = 65, then 100/2 = 50 before 130/3 = 43
    assert picks.order.tolist() == [2, 1, 3] and picks.block_gain.tolist() == [65, 50, 43]
    assert picks.gain.tolist() == [0, 0, 0]


def test_threads_do_not_change_a_byte():
    rng = np.random.default_rng(5)
    rows_of = [set(rng.integers(0, 4000, rng.integers(1, 60)).tolist()) for _ in range(1500)]
    weights = rng.integers(0, 50, 4000)
    one, two = (greedy(to_csr(rows_of), weights, phases=[200, 900], threads=t) for t in (1, 2))
    assert one.order.tobytes() == two.order.tobytes() and one.gain.tobytes() == two.gain.tobytes()
    assert one.gain.sum() == one.value[-1]


def test_a_larger_instance_against_full_recomputation():
    rng = np.random.default_rng(7)
    rows_of = [set(rng.integers(0, 3000, rng.integers(1, 80)).tolist()) for _ in range(800)]
    left, bonus = rng.integers(0, 30, 3000), rng.integers(0, 40, 800)
    indptr, indices = to_csr(rows_of)
    got = greedy((indptr, indices), left, phases=[300], bonus=bonus).order
    matrix = sparse.csr_array((np.ones(len(indices), np.int64), indices, indptr), shape=(800, 3000))
    open_items, left = np.ones(800, bool), left.copy()
    for item in got:
        gains = matrix @ left
        objective = np.where(open_items & (gains > 0), gains + bonus, -1)
        assert item == objective.argmax(), "the first of the largest"
        open_items[item], left[sorted(rows_of[item])] = False, 0


@pytest.mark.parametrize(
    ("weights", "message"),
    [(np.array([1.0, 2.0]), "integers"), (np.array([1, -2]), "non-negative"), (np.array([1]), "outside its 1 rows")],
)
def test_arrays_that_cannot_be_ranked_are_refused(weights, message):
    with pytest.raises(RangeError, match=message):
        greedy(to_csr([{0}, {1}]), weights, phases=[1])
