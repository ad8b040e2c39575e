"""Antenna settings of single stations: what coverage makes of them."""

import numpy as np
import pytest

from lcsiting.coverage.antennas import (
    parse_azimuths,
    settings_text,
    settings_tuple,
    station_antennas,
    with_settings,
)
from lcsiting.coverage.coverage import predict_coverage
from lcsiting.coverage.sectors import build_sectors
from lcsiting.coverage.statistical import best_server
from lcsiting.errors import LayerError


def level(project, row):
    """RSRP of one station over the city, dBm."""
    one = build_sectors(project, [row])
    return best_server(one, project.grid, noise_dbm=-120.0, load=0.5, window_db=6.0).rsrp_dbm


@pytest.fixture(scope="module")
def macro(tiny_project):
    return int(np.flatnonzero(~tiny_project.stations["micro"])[0])


def test_recorded_azimuths():
    assert parse_azimuths("20/140/260") == (20.0, 140.0, 260.0)
    assert parse_azimuths("350°、-10;730") == (350.0, 350.0, 10.0)
    assert parse_azimuths("") == parse_azimuths(None) == (0.0, 120.0, 240.0)
    with pytest.raises(LayerError, match="北"):
        parse_azimuths("北/东")


def test_three_equal_sectors_turned_by_120_degrees_are_the_same_station(tiny_project, macro):
    turned = with_settings(tiny_project, [macro], azimuths_deg=[(120.0, 240.0, 360.0)])
    np.testing.assert_array_equal(level(turned, macro), level(tiny_project, macro))
    away = with_settings(tiny_project, [macro], azimuths_deg=[(60.0, 180.0, 300.0)])
    assert (level(away, macro) != level(tiny_project, macro)).any()


def test_less_power_lowers_the_level_by_as_much(tiny_project):
    rows = np.flatnonzero(tiny_project.stations["on_air"])
    before = predict_coverage(tiny_project, None, 2019).layers
    weak = with_settings(tiny_project, rows, power_offset_db=-3.0)
    for name, layers in predict_coverage(weak, None, 2019).layers.items():
        change = layers["rsrp_dbm"].array - before[name]["rsrp_dbm"].array
        assert np.isfinite(change).sum() > 1000
        np.testing.assert_allclose(change[np.isfinite(change)], -3.0, atol=2e-5)  # float32 of -100 dBm
        np.testing.assert_array_equal(np.isnan(change), np.isnan(before[name]["rsrp_dbm"].array))


def test_a_sector_off_takes_away_that_sector_alone(tiny_project, macro):
    def only(*azimuths):
        return level(with_settings(tiny_project, [macro], azimuths_deg=[azimuths]), macro)

    alone = [only(azimuth) for azimuth in (0.0, 120.0, 240.0)]
    np.testing.assert_array_equal(level(tiny_project, macro), np.fmax.reduce(alone))
    np.testing.assert_array_equal(only(0.0, 240.0), np.fmax(alone[0], alone[2]))


def test_tilts_are_total_one_per_sector_and_other_stations_keep_theirs(tiny_project, macro):
    before = build_sectors(tiny_project)
    changed = build_sectors(with_settings(tiny_project, [macro], tilts_deg=[(4.0, 5.5, 9.0)]))
    mine = slice(before.first[macro], before.first[macro + 1])
    np.testing.assert_array_equal(changed.tilt_deg[mine], [4.0, 5.5, 9.0])
    others = np.delete(np.arange(len(before.tilt_deg)), np.arange(mine.start, mine.stop))
    np.testing.assert_array_equal(changed.tilt_deg[others], before.tilt_deg[others])
    np.testing.assert_array_equal(changed.azimuth_deg, before.azimuth_deg)
    np.testing.assert_array_equal(changed.eirp_dbm, before.eirp_dbm)


def test_settings_add_up_and_nothing_is_changed_in_place(tiny_project, macro):
    columns = list(tiny_project.stations.columns)
    first = with_settings(tiny_project, [macro, macro + 1], power_offset_db=[-3.0, -6.0])
    both = with_settings(first, [macro], azimuths_deg=[(10.0, 190.0)], tilts_deg=[(6.0, 7.0)])
    found = station_antennas(both, [macro + 1, macro])
    np.testing.assert_array_equal(found.power_offset_db, [-6.0, -3.0])
    np.testing.assert_array_equal(found.azimuth_deg[found.first[1] :], [10.0, 190.0])
    back = with_settings(both, [macro], azimuths_deg=[None], tilts_deg=[None], power_offset_db=0.0)
    for mine, own in zip(station_antennas(back, [macro]), station_antennas(tiny_project, [macro]), strict=True):
        np.testing.assert_array_equal(mine, own)
    assert list(tiny_project.stations.columns) == columns
    assert station_antennas(first, [macro]).azimuth_deg.tolist() == [0.0, 120.0, 240.0]


@pytest.mark.parametrize(
    "settings",
    [
        {"azimuths_deg": [()]},
        {"azimuths_deg": [(0.0, 120.0)], "tilts_deg": [(5.0,)]},
        {"tilts_deg": [(5.0, 5.0)]},
        {"azimuths_deg": [(0.0, np.nan)]},
    ],
)
def test_settings_that_do_not_fit_name_the_station(tiny_project, macro, settings):
    with pytest.raises(LayerError, match=tiny_project.stations["station_id"].iloc[macro]):
        with_settings(tiny_project, [macro], **settings)


def test_a_micro_station_keeps_one_sector(tiny_project):
    row = int(np.flatnonzero(tiny_project.stations["micro"])[0])
    with pytest.raises(LayerError, match="one sector for a micro"):
        with_settings(tiny_project, [row], azimuths_deg=[(0.0, 180.0)])
    assert len(build_sectors(with_settings(tiny_project, [row], tilts_deg=[(3.0,)]), [row]).tilt_deg) == 1


def test_settings_survive_as_text():
    for values in ((0.0, 120.0, 240.0), (0.1 + 0.2, 359.999999999), (5.0,), None):
        assert settings_tuple(settings_text(values)) == values
    assert settings_text((0.0, 120.5)) == "0/120.5"
