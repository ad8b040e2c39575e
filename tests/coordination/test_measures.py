"""The cheapest set of station-side measures, against every set tried one by one."""

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.coordination import measures
from lcsiting.coordination.profile import load_tables

TABLES = load_tables()
SETS = measures.measure_sets(TABLES)
AS_BUILT = dict(co_channel=False, filter_db=0.0, shielding_db=0.0, compliant=False)


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
    assert measures.overload_effects_db(TABLES, **AS_BUILT) == {
        "measure_filter": 45.0,
        "measure_lnb": 40.0,
        "measure_shielding": 15.0,
    }
    equipped = dict(co_channel=False, filter_db=30.0, shielding_db=20.0, compliant=True)
    assert measures.overload_effects_db(TABLES, **equipped) == {
        "measure_filter": 15.0,
        "measure_lnb": 0.0,
        "measure_shielding": 0.0,
    }


def test_inside_the_receive_band_only_shielding_helps():
    effects = measures.overload_effects_db(TABLES, **{**AS_BUILT, "co_channel": True})
    assert effects == {"measure_filter": 0.0, "measure_lnb": 0.0, "measure_shielding": 15.0}


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
    found = measures.cheapest_set([shortfall_db], SETS, measures.overload_effects_db(TABLES, **AS_BUILT))
    assert SETS[found[0]].label == label


def test_more_than_all_together_cannot_be_cleared():
    effects = measures.overload_effects_db(TABLES, **AS_BUILT)
    assert measures.cheapest_set([100.1], SETS, effects).tolist() == [-1]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0.1, 120), min_size=1, max_size=8),
    st.tuples(*[st.floats(0, 60)] * 3),
)
def test_never_dearer_than_any_sufficient_set(shortfalls, effects):
    ids = ["measure_filter", "measure_lnb", "measure_shielding"]
    gain, price = dict(zip(ids, effects, strict=True)), {key: TABLES.profile[key]["cost"] for key in ids}
    found = measures.cheapest_set(np.array(shortfalls), SETS, gain)
    for shortfall, position in zip(shortfalls, found, strict=True):
        every = chain.from_iterable(combinations(ids, n) for n in (1, 2, 3))
        prices = [sum(price[k] for k in some) for some in every if shortfall <= sum(gain[k] for k in some)]
        assert (position >= 0) == bool(prices)
        if prices:
            assert SETS[position].cost == pytest.approx(min(prices))
