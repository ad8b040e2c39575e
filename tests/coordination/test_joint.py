"""Several protected stations at once: one mode for each base station, against every combination tried one by one."""

import datetime
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.coordination import clearing, joint, modes
from lcsiting.coordination.measures import MEMBERS, StationMeasure

DAY = datetime.date(2020, 5, 21)
SUMS = np.array(MEMBERS, dtype=float)


def make_case(item, mw, cost, lost, station_side, budget, fixed=None):
    n, m = cost.shape
    ways = modes.SiteModes(
        ids=tuple(f"m{k}" for k in range(m)), labels=tuple(f"m{k}" for k in range(m)), mw=mw, cost=cost, lost=lost,
        offered=np.ones((n, m), bool), last=np.array([False] * (m - 1) + [True]), verified=np.zeros(m, bool),
    )  # fmt: skip
    return joint.Case(
        np.asarray(item), ways, station_side, np.asarray(budget), np.zeros(4) if fixed is None else fixed, SUMS
    )


def measure(name, effect, cost):
    return StationMeasure(name, name, tuple(effect), cost, DAY, 0.0, False)


def draw(seed, tightness, m=4):
    """Two protected stations that share two of three base stations; a mode may help the one and harm the other."""
    rng = np.random.default_rng(seed)
    cost = np.round(rng.uniform(0.01, 0.3, (3, m)), 3)
    cost[:, 0] = 0.0
    lost = np.round(rng.uniform(0, 0.5, (3, m)), 3)
    lost[:, 0], lost[:, -1] = 0.0, 1.0
    cases = []
    for k, item in enumerate(([0, 1], [1, 2, 0])):
        mw = 10 ** rng.uniform(-3, 0, (len(item), 1, 4)) * 10 ** (-rng.uniform(-3, 12, (len(item), m, 4)) / 10)
        mw[:, -1] = 0.0
        budget = SUMS @ mw[:, 0].sum(axis=0) * 10 ** rng.uniform(-1 + tightness, 0.05, 2)
        side = [measure(f"s{k}{j}", rng.uniform(0, 9, 4), float(np.round(rng.uniform(0.05, 0.4), 3))) for j in range(2)]
        cases.append(make_case(item, mw, cost[item], lost[item], side, budget))
    return cases, cost


def within(case, mode, taken):
    total = sum(case.modes.mw[i, mode[item]] for i, item in enumerate(case.item)) + case.fixed_mw
    gain = np.array([10 ** (-sum(one.effect_db[c] for one in taken) / 10) for c in range(4)])
    return (SUMS @ (total * gain) <= case.budget_mw * (1 + 1e-12)).all()


def cheapest(cases, cost):
    """The least cost of all choices of measures and modes but the last resort; None where nothing fits."""
    best = None
    for mode in product(range(cost.shape[1] - 1), repeat=len(cost)):
        price = sum(cost[i, m] for i, m in enumerate(mode))
        for case in cases:
            sets = chain.from_iterable(combinations(case.measures, k) for k in range(len(case.measures) + 1))
            fitting = [sum(one.cost for one in some) for some in sets if within(case, mode, some)]
            price += min(fitting, default=np.inf)
        if np.isfinite(price) and (best is None or price < best):
            best = price
    return best


def paid(cases, solved, cost):
    return sum(one.station_cost for one in solved.clearings) + sum(cost[i, m] for i, m in enumerate(solved.mode))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1.5, 1.0))
def test_two_stations_equal_brute_force(seed, tightness):
    cases, cost = draw(seed, tightness)
    solved = joint.clear_all(cases)
    for case, one in zip(cases, solved.clearings, strict=True):
        assert one.mode.tolist() == solved.mode[case.item].tolist(), "one mode for each base station"
        assert within(case, solved.mode, one.measures)
    best = cheapest(cases, cost)
    if best is None:
        assert any(one.status == "curtailed" for one in solved.clearings)
    else:
        assert all(one.status in ("clear", "cleared") for one in solved.clearings)
        assert paid(cases, solved, cost) == pytest.approx(best, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1.0, 1.0))
def test_in_order_of_need_everything_holds(seed, tightness):
    """The way taken for thousands of base stations: within every budget, never dearer than one station at a time."""
    cases, cost = draw(seed, tightness)
    kept = joint.EXACT_ITEMS
    joint.EXACT_ITEMS = 0
    try:
        solved = joint.clear_all(cases)
    finally:
        joint.EXACT_ITEMS = kept
    for case, one in zip(cases, solved.clearings, strict=True):
        assert within(case, solved.mode, one.measures)
    best = cheapest(cases, cost)
    if best is not None and all(one.status != "curtailed" for one in solved.clearings):
        assert paid(cases, solved, cost) >= best - 1e-9
    apart = [
        clearing.clear_station(c.modes, c.measures, c.budget_mw, c.fixed_mw, members=c.members).bound for c in cases
    ]
    if all(one.status in ("clear", "cleared") for one in solved.clearings):
        assert paid(cases, solved, cost) >= max(apart) - 1e-5, "each station alone needs that much"


def test_a_base_station_changed_for_two_is_paid_once():
    """Both stations are 6 dB over by the same base station; its mode of 10 dB serves both, by hand 0.05 once."""
    mw = np.zeros((1, 3, 4))
    mw[0, :, 0] = [4e-11, 4e-12, 0.0]
    cost, lost = np.array([[0.0, 0.05, 1.0]]), np.array([[0.0, 0.2, 1.0]])
    cases = [make_case([0], mw, cost, lost, [], [1e-11, 1.0]) for _ in range(2)]
    solved = joint.clear_all(cases)
    assert solved.mode.tolist() == [1]
    assert [one.status for one in solved.clearings] == ["cleared", "cleared"]
    assert (solved.decided >= 0).sum() == 1


def test_turned_away_from_one_toward_the_other():
    """A turn that clears the one station breaks the other: the dearer mode that serves both is found."""
    cost, lost = np.array([[0.0, 0.03, 0.33, 1.0]]), np.array([[0.0, 0.1, 0.3, 1.0]])
    first, second = np.zeros((2, 1, 4, 4))
    first[0, :, 0], second[0, :, 0] = [4e-11, 1e-12, 5e-12, 0.0], [5e-12, 4e-11, 1e-12, 0.0]
    cases = [make_case([0], mw, cost, lost, [], [1e-11, 1.0]) for mw in (first, second)]
    solved = joint.clear_all(cases)
    assert solved.mode.tolist() == [2] and all(one.status == "cleared" for one in solved.clearings)
    alone = clearing.clear_station(cases[0].modes, [], cases[0].budget_mw, members=SUMS)
    assert alone.mode.tolist() == [1], "on its own the first would have been turned"


def test_a_measure_that_later_choices_make_superfluous_is_not_paid():
    """The worse station takes the base station down 20 dB; the other one needs no filter any more."""
    mw = np.zeros((2, 1, 3, 4))
    mw[0, 0, :, 0] = [1e-9, 1e-11, 0.0]
    mw[1, 0, :, 3] = [3e-6, 3e-8, 0.0]
    cost, lost = np.array([[0.0, 0.5, 1.0]]), np.array([[0.0, 0.2, 1.0]])
    block = [measure("filter", (0, 0, 0, 45), 0.1)]
    cases = [make_case([0], one, cost, lost, block, [1.1e-11, 1e-6]) for one in mw]
    solved = joint.clear_all(cases)
    assert [one.measures for one in solved.clearings] == [(), ()] and solved.mode.tolist() == [1]


def test_what_is_broken_for_good_does_not_stop_the_others():
    mw = np.zeros((2, 1, 3, 4))
    mw[:, 0, :, 0] = [2e-11, 2e-12, 0.0]
    cost, lost = np.array([[0.0, 0.05, 1.0]]), np.array([[0.0, 0.2, 1.0]])
    broken = make_case([0], mw[0], cost, lost, [], [1e-11, 1.0], np.array([1e-9, 0, 0, 0]))
    fine = make_case([0], mw[1], cost, lost, [], [1e-11, 1.0])
    solved = joint.clear_all([fine, broken], broken_share=0.5)
    assert [one.status for one in solved.clearings] == ["cleared", "broken"]
    assert solved.mode.tolist() == [1] and solved.decided.tolist() == [1]


def test_nothing_to_clear():
    solved = joint.clear_all([])
    assert solved.mode.tolist() == [] and solved.clearings == []
