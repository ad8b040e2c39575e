"""The cheapest set of station-side measures, against every set tried one by one."""

import datetime
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.coordination import measures
from lcsiting.coordination.profile import load_tables

TABLES = load_tables()
DAY = datetime.date(2020, 5, 21)
SETS = measures.measure_sets(TABLES)


def effects(component="overload_out", **equipped):
    return measures.gained_db(measures.station_measures(TABLES, DAY, **equipped), component)


def test_seven_sets_of_three_measures_cheapest_first():
    assert [item.label for item in SETS] == [
        "加装滤波器",
        "更换合规高频头",
        "加装滤波器+更换合规高频头",
        "加装屏蔽网",
        "加装滤波器+加装屏蔽网",
        "更换合规高频头+加装屏蔽网",
        "加装滤波器+更换合规高频头+加装屏蔽网",
    ]
    assert [item.cost for item in SETS] == [0.10, 0.15, 0.25, 0.30, 0.40, 0.45, 0.55]


def test_what_is_installed_counts_once():
    assert effects() == {
        "measure_filter": 45.0,
        "measure_lnb": 40.0,
        "measure_shielding": 15.0,
    }
    assert effects(filter_db=30.0, shielding_db=20.0, compliant=True) == {"measure_filter": 15.0}


def test_inside_the_receive_band_only_shielding_helps():
    for component in ("co_channel", "unwanted", "overload_in"):
        assert effects(component) == {"measure_filter": 0.0, "measure_lnb": 0.0, "measure_shielding": 15.0}, component


@pytest.mark.parametrize(
    ("shortfall_db", "label"),
    [
        (1, "加装滤波器"),
        (45, "加装滤波器"),
        (45.1, "加装滤波器+更换合规高频头"),
        (85.1, "加装滤波器+更换合规高频头+加装屏蔽网"),
        (100, "加装滤波器+更换合规高频头+加装屏蔽网"),
    ],
)
def test_cheapest_set(shortfall_db, label):
    found = measures.cheapest_set([shortfall_db], SETS, effects())
    assert SETS[found[0]].label == label


def test_more_than_all_together_cannot_be_cleared():
    assert measures.cheapest_set([100.1], SETS, effects()).tolist() == [-1]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0.1, 120), min_size=1, max_size=8),
    st.tuples(*[st.floats(0, 60)] * 3),
)
def test_never_dearer_than_any_sufficient_set(shortfalls, decibels):
    ids = ["measure_filter", "measure_lnb", "measure_shielding"]
    gain, price = dict(zip(ids, decibels, strict=True)), {key: TABLES.profile[key]["cost"] for key in ids}
    found = measures.cheapest_set(np.array(shortfalls), SETS, gain)
    for shortfall, position in zip(shortfalls, found, strict=True):
        every = chain.from_iterable(combinations(ids, n) for n in (1, 2, 3))
        prices = [sum(price[k] for k in some) for some in every if shortfall <= sum(gain[k] for k in some)]
        assert (position >= 0) == bool(prices)
        if prices:
            assert SETS[position].cost == pytest.approx(min(prices))


# ---------------------------------------------------------------- by component


def test_a_filter_acts_on_overload_from_outside_the_receive_band_only():
    left = {item.id: item for item in measures.station_measures(TABLES, DAY)}
    assert left["measure_filter"].effect_db == (0.0, 0.0, 0.0, 45.0)
    assert left["measure_lnb"].effect_db == (0.0, 0.0, 0.0, 40.0)
    assert left["measure_shielding"].effect_db == (15.0, 15.0, 15.0, 15.0)


def test_installed_equipment_leaves_the_rest():
    left = {
        item.id: item
        for item in measures.station_measures(TABLES, DAY, filter_db=30.0, shielding_db=15.0, compliant=True)
    }
    assert set(left) == {"measure_filter"}
    assert left["measure_filter"].effect_db[3] == 15.0
    assert left["measure_filter"].noise_k == 0.0, "its insertion loss is there already"


def test_fixed_links_and_observatories_can_be_shielded_only():
    left = measures.station_measures(TABLES, DAY, earth_station=False)
    assert [item.id for item in left] == ["measure_shielding"]


def test_measures_take_effect_after_their_lead_time_or_as_agreed():
    agreed = datetime.date(2020, 12, 31)
    left = measures.station_measures(TABLES, DAY, planned={"measure_shielding": agreed})
    dates = {item.id: item.effective for item in left}
    assert dates["measure_filter"] == datetime.date(2020, 6, 21)
    assert dates["measure_shielding"] == agreed
    assert measures.attenuation_db(left, datetime.date(2020, 7, 1)).tolist() == [0.0, 0.0, 0.0, 85.0]
    assert measures.attenuation_db(left).tolist() == [15.0, 15.0, 15.0, 100.0]


def test_insertion_loss_costs_sensitivity_and_buys_no_interference():
    chosen = measures.station_measures(TABLES, DAY)[:1]
    assert measures.noise_penalty_db(100.0, chosen) == pytest.approx(1.072, abs=1e-3)
    assert measures.noise_penalty_db(100.0, []) == 0.0


def test_who_pays():
    """266号: 3400-4200 earth stations by the 3400-3600 licensees together; other services by the causers."""
    bearer = measures.who_pays(TABLES, "es_rx", 3700.0, 4200.0)
    assert bearer.holders == ("电信", "联通") and bearer.verified
    assert "3400-3600MHz" in bearer.text and "共同承担" in bearer.text
    assert measures.who_pays(TABLES, "fixed", 4400.0, 4900.0).holders == ("移动", "广电")
    nobody = measures.who_pays(TABLES, "es_rx", 4500.0, 4800.0)
    assert not nobody.holders and not nobody.verified and "协商" in nobody.text
