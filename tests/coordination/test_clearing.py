"""The joint choice for one protected station, against every combination tried one by one."""

import datetime
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lcsiting.coordination import clearing, knapsack, measures, modes
from lcsiting.coordination.measures import MEMBERS
from lcsiting.coordination.profile import load_tables
from lcsiting.errors import RangeError

TABLES = load_tables()
DAY = datetime.date(2020, 5, 21)


def by_budget(components):
    return np.array([sum(components[c] for c in range(4) if MEMBERS[b][c]) for b in (0, 1)])


def make_modes(mw, cost, lost, last):
    n, m = cost.shape
    return modes.SiteModes(
        ids=tuple(f"m{k}" for k in range(m)), labels=tuple(f"m{k}" for k in range(m)), mw=mw, cost=cost, lost=lost,
        offered=np.ones((n, m), bool), last=np.asarray(last), verified=np.zeros(m, bool),
    )  # fmt: skip


def make_measure(name, effect, cost):
    return measures.StationMeasure(name, name, tuple(effect), cost, DAY, 0.0, False)


def brute_force(case, station_side, budget, fixed):
    """(status, objective): least cost without last resorts; else least coverage lost, then cost."""
    n, m = case.cost.shape
    soft = [k for k in range(m) if not case.last[k]]
    every = list(chain.from_iterable(combinations(station_side, k) for k in range(len(station_side) + 1)))
    for allowed, label in ((soft, "cleared"), (range(m), "curtailed")):
        best = None
        for taken in every:
            gain = np.array([10 ** (-sum(item.effect_db[c] for item in taken) / 10) for c in range(4)])
            for pick in product(allowed, repeat=n):
                total = fixed * gain + sum(case.mw[i, k] * gain for i, k in enumerate(pick))
                if (by_budget(total) > budget).any():
                    continue
                cost = sum(item.cost for item in taken) + sum(case.cost[i, k] for i, k in enumerate(pick))
                lost = sum(case.lost[i, k] for i, k in enumerate(pick))
                key = (cost,) if label == "cleared" else (lost + 1e-6 * cost,)
                best = key if best is None or key < best else best
        if best is not None:
            return label, best[0]
    return "broken", None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 3), st.integers(1, 3), st.floats(-2, 1.0))
@example(seed=662, n_measures=2, n=3, tightness=0)  # two choices of equal loss whose costs differ by 0.02
def test_equals_brute_force(seed, n_measures, n, tightness):
    """Up to 3 station-side measures and 3 base stations of 4 modes: 12 choices in all."""
    rng = np.random.default_rng(seed)
    m = 4
    mw = 10 ** rng.uniform(-3, 0, (n, 1, 4)) * 10 ** (-rng.uniform(0, 12, (n, m, 4)) / 10)
    mw[:, 0] = mw.max(axis=1)
    mw[:, -1] = 0.0
    cost = np.round(rng.uniform(0.01, 0.3, (n, m)), 3)
    cost[:, 0] = 0.0
    lost = np.round(rng.uniform(0, 0.5, (n, m)), 3)
    lost[:, 0], lost[:, -1] = 0.0, 1.0
    case = make_modes(mw, cost, lost, [False] * (m - 1) + [True])
    budget = by_budget(mw[:, 0].sum(axis=0)) * 10 ** rng.uniform(-1 + tightness, 0.05, 2)
    fixed = by_budget_split(budget * rng.uniform(0, 0.6), rng)
    station_side = [
        make_measure(f"s{k}", rng.uniform(0, 9, 4), float(np.round(rng.uniform(0.05, 0.4), 3)))
        for k in range(n_measures)
    ]
    found = clearing.clear_station(case, station_side, budget, fixed)
    if found.status == "clear":
        assert (by_budget(case.mw[:, 0].sum(axis=0) + fixed) <= budget).all()
        return
    status, objective = brute_force(case, station_side, budget, fixed)
    assert found.status == status
    if status == "broken":
        return
    assert (found.used_mw <= budget * (1 + 1e-12)).all()
    if status == "cleared":
        assert found.station_cost + found.site_cost == pytest.approx(objective, abs=1e-9)
        assert found.bound == pytest.approx(objective, abs=1e-5)
    else:
        weighed = found.lost.sum() + 1e-6 * (found.station_cost + found.site_cost)
        assert weighed == pytest.approx(objective, abs=1e-9)


def by_budget_split(total, rng):
    """Random split of budgets' worth of power over their components."""
    part = rng.uniform(0, 1, 2)
    return np.array([total[0] * part[0], total[0] * (1 - part[0]), total[1] * part[1], total[1] * (1 - part[1])])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_twelve_measures_at_the_station(seed):
    rng = np.random.default_rng(seed)
    station_side = [make_measure(f"s{k}", rng.uniform(0, 4, 4), round(rng.uniform(0.05, 0.4), 3)) for k in range(12)]
    case = make_modes(np.array([[[1.0, 0.2, 0.5, 3.0]]]), np.zeros((1, 1)), np.zeros((1, 1)), [False])
    budget = by_budget(case.mw[0, 0]) * 10 ** -rng.uniform(0.1, 2.0, 2)
    found = clearing.clear_station(case, station_side, budget)
    status, objective = brute_force(case, station_side, budget, np.zeros(4))
    assert found.status == status
    if status == "cleared":
        assert found.station_cost == pytest.approx(objective, abs=1e-9)


def test_worked_by_hand_one_filter_for_ten_base_stations():
    """Ten base stations of -58 dBm each, limit -60 dBm: 12 dB over; one filter (0.10) beats ten beams (0.30)."""
    each = 10 ** (-58 / 10)
    sector_mw = np.zeros((10, 1, 4))
    sector_mw[:, 0, 3] = each
    budget = [1e-9, 1e-6]
    need = clearing.needed_db(sector_mw.sum(1), budget)
    assert need[1] == pytest.approx(12.0)
    ways = modes.site_modes(sector_mw, TABLES)
    there = measures.station_measures(TABLES, DAY)
    found = clearing.clear_station(ways, there, budget)
    assert (found.status, [item.id for item in found.measures]) == ("cleared", ["measure_filter"])
    assert not found.mode.any() and found.site_cost == 0.0
    # For three of them (6.8 dB over) the beams, 0.09, are cheaper than the filter.
    ways = modes.site_modes(sector_mw[:3], TABLES)
    found = clearing.clear_station(ways, there, budget)
    assert found.status == "cleared" and not found.measures
    assert found.site_cost == pytest.approx(0.09)
    assert {ways.ids[k] for k in found.mode} == {"site_beam"}


def test_dropping_is_the_last_resort_and_loses_as_little_as_possible():
    """One strong and one weak base station inside the receive band; shielding and every soft mode fall short."""
    sector_mw = np.zeros((2, 1, 4))
    sector_mw[:, 0, 0] = [1e-7, 2e-12]
    budget = [1e-11, 1.0]
    ways = modes.site_modes(sector_mw, TABLES)
    found = clearing.clear_station(ways, measures.station_measures(TABLES, DAY), budget)
    assert found.status == "curtailed"
    assert [ways.ids[k] for k in found.mode] == ["site_drop", "as_planned"]
    assert found.lost.tolist() == [1.0, 0.0]
    assert found.needed_db[0] == pytest.approx(40.0, abs=1e-3)


def test_an_own_band_outside_the_scope_is_preferred_to_dropping():
    sector_mw = np.zeros((1, 1, 4))
    sector_mw[0, 0, 0] = 1e-5
    ways = modes.site_modes(sector_mw, TABLES, other_band=[True])
    found = clearing.clear_station(ways, [], [1e-11, 1.0])
    assert (found.status, ways.ids[found.mode[0]]) == ("cleared", "site_other_band")


def test_broken_by_what_is_on_air_new_stations_add_a_share_at_most():
    sector_mw = np.zeros((3, 1, 4))
    sector_mw[:, 0, 0] = [0.6e-12, 0.3e-12, 0.3e-12]
    budget, fixed = [1e-11, 1.0], [1e-9, 0, 0, 0]
    ways = modes.site_modes(sector_mw, TABLES)
    found = clearing.clear_station(ways, [], budget, fixed, broken_share=0.1)
    assert found.status == "broken"
    added = ways.mw[np.arange(3), found.mode, 0].sum()
    assert 0 < added <= 1e-12
    assert found.shadow_db[0] > 0, "a wider budget would keep more coverage"


def test_shadow_price_is_what_one_decibel_saves():
    """Many small base stations: the price of a decibel equals the cost saved by one more decibel of budget."""
    rng = np.random.default_rng(3)
    sector_mw = np.zeros((150, 1, 4))
    sector_mw[:, 0, 0] = 10 ** rng.uniform(-14, -13, 150)
    budget = np.array([sector_mw[:, 0, 0].sum() / 10**0.6, 1.0])
    ways = modes.site_modes(sector_mw, TABLES)
    here = clearing.clear_station(ways, [], budget)
    narrower, wider = (clearing.clear_station(ways, [], budget * [10**step, 1]) for step in (-0.05, 0.05))
    assert here.shadow_db[0] == pytest.approx(narrower.site_cost - wider.site_cost, rel=0.1)


def test_the_worst_sector_goes_off():
    sector_mw = np.zeros((1, 3, 4))
    sector_mw[0, :, 0] = [0.5, 50.0, 2.0]
    ways = modes.site_modes(sector_mw, TABLES)
    off = {name: ways.mw[0, k, 0] for k, name in enumerate(ways.ids) if name.startswith("site_sector_off")}
    names = {"1": 52.0, "2": 2.5, "3": 50.5, "1,2": 2.0, "1,3": 50.0, "2,3": 0.5}
    assert off == {f"site_sector_off:{name}": left for name, left in names.items()}
    for budget, expected in ((30.0, "site_beam"), (0.6, "site_sector_off:2,3")):
        found = clearing.clear_station(ways, [], [budget, 1.0])
        assert ways.ids[found.mode[0]] == expected


def test_refuses_what_it_cannot_mean():
    ways = modes.site_modes(np.zeros((1, 1, 4)), TABLES)
    with pytest.raises(RangeError, match="positive"):
        clearing.clear_station(ways, [], [0.0, 1.0])


def test_two_thousand_base_stations_in_a_moment():
    rng = np.random.default_rng(5)
    sector_mw = np.zeros((2000, 3, 4))
    sector_mw[..., 0] = 10 ** rng.normal(-14, 1.5, (2000, 3))
    budget = np.array([sector_mw[..., 0].sum() / 100, 1.0])
    ways = modes.site_modes(sector_mw, TABLES)
    found = clearing.clear_station(ways, measures.station_measures(TABLES, DAY), budget, gap=1e-3)
    assert found.status == "cleared"
    assert found.used_mw[0] <= budget[0]
    assert found.station_cost + found.site_cost <= found.bound + max(1e-3 * found.bound, knapsack.SLACK) + 1e-6


def test_budgets_may_overlap():
    """Co-channel plus unwanted against one limit, unwanted alone against a tighter one: both are kept."""
    sector_mw = np.zeros((2, 1, 4))
    sector_mw[:, 0, 0], sector_mw[:, 0, 1] = [1e-12, 0.0], [0.0, 1e-12]
    members = [[1, 1, 0, 0], [0, 1, 0, 0]]
    budget = [1e-11, 0.6e-12]
    ways = modes.site_modes(sector_mw, TABLES)
    found = clearing.clear_station(ways, [], budget, members=members)
    assert found.status == "cleared"
    assert [ways.ids[k] for k in found.mode] == ["as_planned", "site_power_3"]
    assert found.used_mw == pytest.approx([1.501e-12, 0.501e-12], rel=1e-3, abs=0)
