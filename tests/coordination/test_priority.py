"""Who gives way: each of the four principles, and their order."""

import types

import numpy as np
import pandas as pd
import pytest
from coordination_cases import with_protected, with_stations

from lcsiting.coordination.coordinate import coordinate
from lcsiting.coordination.priority import PRINCIPLES, YIELDS, who_yields


def asked(mechanism, on_air_year, licensed="2015-03-01", allocation="", planned=None, band_planned=True):
    record = types.SimpleNamespace(licensed_since=pd.Timestamp(licensed), allocation=allocation, planned=planned)
    side, why = who_yields(record, np.array([on_air_year]), np.array([mechanism]), np.array([band_planned]))
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


def test_where_the_dates_tell_nothing_the_unplanned_use_yields():
    assert asked(0, 2020, "2020-02-20", planned=False) == ("protected_station", "unplanned_yields")
    assert asked(2, 2019, None, planned=False) == ("protected_station", "unplanned_yields")
    assert asked(0, 2020, "2020-02-20", planned=True, band_planned=False) == ("base_station", "unplanned_yields")
    for both in (True, False):
        assert asked(0, 2020, "2020-02-20", planned=both, band_planned=both) == ("base_station", "later_yields")
    assert asked(0, 2020, "2020-02-20", planned=None, band_planned=False) == ("base_station", "later_yields")


def test_the_dates_come_before_the_plan():
    assert asked(0, 0, None, planned=False) == ("base_station", "later_yields"), "not on air: later than the list"
    assert asked(0, 2019, "2015-02-20", planned=False) == ("base_station", "later_yields")
    assert asked(0, 2019, "2020-02-20", planned=True, band_planned=False) == ("protected_station", "later_yields")
    assert asked(0, 2020, "2020-02-20", "secondary", planned=True) == ("protected_station", "secondary")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"rx_low_mhz": 3700}, {"adjacent": ("base_station", "out_of_band")}),
        ({"allocation": "secondary"}, {"co_channel": ("protected_station", "secondary")}),
        ({"licensed_since": "2021-01-01"}, {"co_channel": ("protected_station", "later_yields")}),
        ({"licensed_since": "2020-06-01", "planned": False}, {"co_channel": ("protected_station", "unplanned_yields")}),
    ],
)
def test_all_four_are_reached_from_the_records(tiny_project, record, expected):
    base = with_protected(tiny_project, {"rx_low_mhz": 3400, **record})
    table = coordinate(with_stations(base, [{"at": (0, 3000), "on_air": True, "on_air_year": 2020}]))
    rows = table.set_index("mechanism")
    for mechanism, (side, why) in expected.items():
        assert (rows.loc[mechanism, "yields"], rows.loc[mechanism, "principle"]) == (side, why)


def test_a_band_no_plan_provides_for(tiny_project, tmp_path):
    import dataclasses

    (tmp_path / "rules").mkdir()
    text = '[n78]\nplanned = false\nsource = "test"\n'
    (tmp_path / "rules" / "bands.toml").write_text(text, encoding="utf-8")
    base = with_protected(tiny_project, {"rx_low_mhz": 3400, "licensed_since": "2020-06-01", "planned": True})
    project = with_stations(base, [{"at": (0, 3000), "on_air": True, "on_air_year": 2020}])
    row = coordinate(dataclasses.replace(project, root=tmp_path)).iloc[0]
    assert (row["yields"], row["principle"]) == ("base_station", "unplanned_yields")
