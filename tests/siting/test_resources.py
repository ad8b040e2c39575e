"""Linear resources: the greedy against the plain greedy written out, phase by phase; exchanges keep them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.config import Ranking
from lcsiting.errors import RangeError
from lcsiting.siting import blocks, phases, plan_certificate
from lcsiting.siting.limits import by_item, make_limits


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
    state = blocks.new_state(indptr, np.concatenate(rows), weights, resources=((ptr, res, loads[which, res]), left))
    picks = blocks.run_block(state, blocks.Block(blocks.everywhere(state)))
    assert picks.order.tolist() == plain_greedy(rows, weights, loads, left)
    assert state.res_left == pytest.approx(left - loads[picks.order].sum(axis=0))
    assert (state.res_left >= 0).all()


def test_what_did_not_fit_is_tried_again_when_there_is_more():
    state = blocks.new_state(
        np.array([0, 1, 2]), np.array([0, 1], np.int32), np.array([5, 3]),
        resources=((np.array([0, 1, 2]), np.array([0, 0]), np.array([2.0, 1.0])), np.array([1.0])),
    )  # fmt: skip
    block = blocks.Block(blocks.everywhere(state))
    assert blocks.run_block(state, block).order.tolist() == [1]
    state.res_left[:] += 2.0
    assert blocks.run_block(state, block).order.tolist() == [0]


def budgets_of(cover, seed=3, year_limits=(0.8, 2.0)):
    """Two budgets: random loads of every station, what is left by each phase."""
    rng = np.random.default_rng(seed)
    n = len(cover.station_ids)
    loads = rng.lognormal(-3, 1.5, (n, 2))
    ptr = np.arange(0, 2 * n + 1, 2)
    return (ptr, np.tile(np.array([0, 1], np.int32), n), loads.ravel()), np.outer(year_limits, [1.0, 0.7]), loads


def used_by(plan, cover, loads, year):
    """Loads of the planned stations of a plan by a year, added up from the table."""
    position = {s: k for k, s in enumerate(cover.station_ids)}
    new = plan.stations.query("status == 'planned' and phase_year <= @year")["station_id"].map(position)
    return loads[new].sum(axis=0)


def with_switches(project, unit="station", **switches):
    steps = [phase.model_copy(update={"unit": unit}) for phase in project.config.phases]
    config = project.config.model_copy(update={"ranking": Ranking(**switches), "phases": steps})
    return dataclasses.replace(project, config=config)


@pytest.mark.parametrize("unit", ["station", "place"])
@pytest.mark.parametrize("seed", [3, 4])
def test_exchanges_keep_the_budgets_and_cover_no_less(tiny_project, cover, eligible, verdicts, seed, unit):
    needs, limits, loads = budgets_of(cover, seed)
    plain, better = (
        phases.rank(
            with_switches(tiny_project, unit, improve=improve, certificate=True), cover, eligible, verdicts,
            resources=(needs, limits), threads=1,
        )
        for improve in (False, True)
    )  # fmt: skip
    free = phases.rank(with_switches(tiny_project, unit, improve=True), cover, eligible, verdicts, threads=1)
    years = [phase.year for phase in tiny_project.config.phases]
    assert any((used_by(free, cover, loads, y) > limits[t]).any() for t, y in enumerate(years)), "the budgets bind"
    for plan in (plain, better):
        assert plan.certificate["checked"]
        for t, year in enumerate(years):
            assert (used_by(plan, cover, loads, year) <= limits[t]).all()
    assert better.certificate["joint"]["value"] >= plain.certificate["joint"]["value"]
    assert better.certificate["multipliers"].side_names == ("units", "resource[0]", "resource[1]")


def test_a_budget_that_shrinks_binds_the_phases_before(tiny_project, cover, eligible, verdicts):
    needs, limits, loads = budgets_of(cover, year_limits=(2.0, 0.8))
    project = with_switches(tiny_project, improve=True)
    plan = phases.rank(project, cover, eligible, verdicts, resources=(needs, limits), threads=1)
    last = project.config.phases[-1].year
    assert (used_by(plan, cover, loads, last) <= limits[1]).all()


def test_a_plan_that_breaks_a_budget_is_not_improved_but_refused(tiny_project, cover):
    needs, limits, _ = budgets_of(cover)
    project = with_switches(tiny_project, improve=True)
    items = phases.make_items(project, cover)
    free = phases.choose(project, cover, items)
    tight = by_item(items, (needs, limits * 0.01))
    with pytest.raises(RangeError, match=r"breaks 2 limits \(resource\[0\], resource\[1\]\).*improve = false"):
        plan_certificate.improved(
            project, cover, items, free, 0.01, limits=make_limits(project, cover, items), resources=tight
        )


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_with_costs_the_next_item_gains_most_per_cost(data):
    """Against the greedy written out: a place's further items get cheaper once one of them is chosen."""
    n, m = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 8))
    rows = [sorted(data.draw(st.sets(st.integers(0, m - 1), max_size=m))) for _ in range(n)]
    weights = np.array([data.draw(st.integers(0, 9)) for _ in range(m)], np.int64)
    place = np.array([data.draw(st.integers(0, 2)) for _ in range(n)])
    opened = np.array([data.draw(st.integers(0, 3)) for _ in range(n)], float)
    alone = opened + np.array([data.draw(st.integers(0, 3)) for _ in range(n)])
    limit = float(data.draw(st.integers(0, 9)))
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    indices = np.array([j for r in rows for j in r], np.int32)
    needed = np.arange(n + 1), np.zeros(n, np.int32), alone, opened
    state = blocks.new_state(indptr, indices, weights, place_of=place, resources=(needed, np.array([limit])))
    got = blocks.run_block(state, blocks.Block(blocks.everywhere(state)), costs=(alone, opened)).order.tolist()
    order, done, left, out = [], set(), limit, set()
    while True:
        best = None
        for i in set(range(n)) - set(order) - out:
            gain = sum(int(weights[j]) for j in set(rows[i]) - done)
            cost = opened[i] if place[i] in place[order] else alone[i]
            rate = gain * 1_000_000 // max(round(cost * 1_000_000), 1)
            if gain > 0 and (best is None or (-rate, i) < best[:2]):
                best = -rate, i, cost
        if best is None:
            break
        if best[2] > left:
            out.add(best[1])
            continue
        order.append(best[1])
        done |= set(rows[best[1]])
        left -= best[2]
    assert got == order
