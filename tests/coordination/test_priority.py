"""Who gives way."""

import types

import numpy as np
import pandas as pd

from lcsiting.coordination.priority import PRINCIPLES, YIELDS, who_yields


def asked(mechanism, on_air_year, licensed="2015-03-01", allocation=""):
    record = types.SimpleNamespace(licensed_since=pd.Timestamp(licensed), allocation=allocation)
    side, why = who_yields(record, np.array([on_air_year]), np.array([mechanism]))
    return YIELDS[side[0]], PRINCIPLES[why[0]]


def test_the_later_one_yields():
    assert asked(0, 0) == ("base_station", "later_yields")
    assert asked(0, 2019) == ("base_station", "later_yields")
    assert asked(0, 2019, "2020-02-20") == ("protected_station", "later_yields")
    assert asked(2, 2020, "2020-02-20") == ("base_station", "later_yields"), (
        "the same year counts against the base station"
    )
    assert asked(0, 2019, None) == ("base_station", "later_yields"), "no date: licensed before every base station"


def test_out_of_band_comes_first_and_secondary_second():
    assert asked(1, 2019, "2020-02-20") == ("base_station", "out_of_band")
    assert asked(0, 0, allocation="secondary") == ("protected_station", "secondary")
    assert asked(1, 0, allocation="secondary") == ("base_station", "out_of_band")
