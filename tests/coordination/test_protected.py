"""Protected stations as recorded, with defaults filled in and listed."""

import dataclasses
import math

import pytest
from coordination_cases import with_protected

from lcsiting.coordination.criteria import criterion
from lcsiting.coordination.profile import load_tables
from lcsiting.coordination.protected import read_protected, toward_gain_dbi
from lcsiting.errors import LayerError

TABLES = load_tables()
LINK = {"class": "fixed", "pointing_azimuth_deg": 90.0, "pointing_elevation_deg": 0.0}


@pytest.mark.parametrize(
    ("satellite", "azimuth", "elevation", "horizon_gain"),
    [
        (76.5, 234.2, 30.9, -5.3),
        (105.5, 197.3, 46.3, -9.6),
        (115.5, 180.8, 47.7, -10.0),
        (125.0, 165.0, 46.6, -9.7),
        (138.0, 145.8, 41.7, -8.5),
    ],
)
def test_look_angles_and_gain_toward_the_horizon(tiny_project, satellite, azimuth, elevation, horizon_gain):
    record = next(
        read_protected(with_protected(tiny_project, {"satellite_lon_deg": satellite}), TABLES).itertuples(index=False)
    )
    assert record.azimuth_deg == pytest.approx(azimuth, abs=0.1)
    assert record.elevation_deg == pytest.approx(elevation, abs=0.1)
    assert toward_gain_dbi(record, record.azimuth_deg, 0.0, 3450.0, 0.65) == pytest.approx(horizon_gain, abs=0.06)


def test_recorded_pointing_wins_over_the_satellite(tiny_project):
    project = with_protected(tiny_project, {"pointing_azimuth_deg": 200.0, "pointing_elevation_deg": 12.5})
    record = read_protected(project, TABLES).iloc[0]
    assert (record.azimuth_deg, record.elevation_deg) == (200.0, 12.5)


def test_a_complete_record_uses_no_default(tiny_project):
    record = read_protected(with_protected(tiny_project, {}), TABLES).iloc[0]
    assert [record[f"defaults_{name}"] for name in ("co_channel", "adjacent", "overload")] == ["", "", ""]
    assert record.known_overload


def test_a_silent_record_lists_every_default_that_decides(tiny_project):
    fields = [
        "licensed_since", "lnb_type", "filter_rejection_db", "shielding_db", "height_agl_m", "diameter_m",
        "antenna_pattern", "gain_dbi", "satellite_lon_deg",
    ]  # fmt: skip
    record = read_protected(with_protected(tiny_project, dict.fromkeys(fields)), TABLES).iloc[0]
    physics = "shielding_db;height_agl_m;diameter_m;antenna_pattern;antenna_efficiency;satellite_lon_deg"
    assert record.defaults_co_channel == f"licensed_since;{physics}"
    assert record.defaults_adjacent == f"licensed_since;lnb_type;filter_rejection_db;{physics}"
    assert record.defaults_overload == (
        "licensed_since;lnb_type;filter_rejection_db;shielding_db;height_agl_m;diameter_m;"
        "antenna_pattern;antenna_efficiency;satellite_lon_deg"
    )
    assert not record.known_co_channel
    assert (record.height_agl_m, record.diameter_m, record.lnb_type) == (5.0, 3.7, "wide")


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"lnb_type": "wide"}, "radius_adjacent_wide"),
        ({"lnb_type": "standard"}, "radius_adjacent_standard"),
        ({"lnb_type": "compliant"}, "radius_adjacent_filtered"),
        ({"lnb_type": "wide", "filter_rejection_db": 40.0}, "radius_adjacent_filtered"),
        ({"lnb_type": "standard", "filter_rejection_db": 39.9}, "radius_adjacent_standard"),
        ({**LINK, "lnb_type": None}, "radius_adjacent_wide"),
    ],
)
def test_adjacent_distance_by_block_and_filter(tiny_project, fields, rule):
    assert read_protected(with_protected(tiny_project, fields), TABLES).iloc[0].adjacent == rule


def test_what_a_fixed_link_and_an_observatory_assume(tiny_project):
    """Neither looks at a satellite or has a block: no such default decides, and RA.769 counts 0 dBi all around."""
    silent = dict.fromkeys(
        ["lnb_type", "filter_rejection_db", "diameter_m", "antenna_pattern", "gain_dbi", "satellite_lon_deg",
         "noise_temperature_k"]
    )  # fmt: skip
    rows = (silent | LINK, silent | {"class": "ras"}, LINK | {"noise_temperature_k": 600.0})
    records = list(read_protected(with_protected(tiny_project, *rows), TABLES).itertuples(index=False))
    assert records[0].defaults_adjacent == "noise_temperature_k;diameter_m;antenna_pattern;antenna_efficiency"
    assert records[1].defaults_adjacent == "antenna_pattern"
    assert [one.noise_temperature_k for one in (records[0], records[2])] == [1000.0, 600.0], "the record wins"
    assert [float(toward_gain_dbi(records[1], az, 0.0, 3450.0, 0.65)) for az in (0.0, 181.0)] == [0.0, 0.0]
    limit = criterion(TABLES, records[2], "co_channel").limit_dbm
    assert limit == pytest.approx(10 * math.log10(1.380649e-23 * 600 * 1e6) + 30 - 10, abs=1e-6)


def test_a_ku_band_station_is_outside_the_scope(tiny_project):
    project = with_protected(tiny_project, {"rx_low_mhz": 12_250, "rx_high_mhz": 12_750}, {})
    assert read_protected(project, TABLES)["protected_id"].tolist() == ["ES1"]


def test_no_layer_gives_no_stations(tiny_project):
    layers = {key: value for key, value in tiny_project.layers.items() if key != "protected_stations"}
    assert read_protected(dataclasses.replace(tiny_project, layers=layers), TABLES).empty


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"geometry": None}, r"1 row has no position \(station_id ES1\)\. Fill"),
        ({"rx_low_mhz": 4200, "rx_high_mhz": 3700}, "1 row has a reversed receive band"),
        ({"rx_high_mhz": None}, "no receive band"),
        ({"class": "fixed"}, "1 row has no pointing"),
    ],
)
def test_unusable_records_are_named(tiny_project, fields, message):
    with pytest.raises(LayerError, match=message):
        read_protected(with_protected(tiny_project, {}, fields), TABLES)
