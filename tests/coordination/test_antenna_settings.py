"""Antenna settings of single stations: what they contribute at protected stations."""

import numpy as np
import pytest
from coordination_cases import open_land, with_protected, with_stations

from lcsiting.coordination import patterns
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.paths import transmitters
from lcsiting.coverage.antennas import with_settings
from lcsiting.radio import antenna_array

ROWS = [{"at": (0, 3000)}, {"at": (2000, 0)}, {"at": (0, 5000), "azimuths_deg": "60/180/300", "height_agl_m": 30.0}]


@pytest.fixture(scope="module")
def scene(tiny_project):
    return with_stations(with_protected(open_land(tiny_project), {}), ROWS)


@pytest.fixture(scope="module")
def recorded(scene):
    return evaluate(scene, threads=1)


def test_less_power_is_as_much_less_at_every_protected_station(scene, recorded):
    weak = evaluate(with_settings(scene, [1], power_offset_db=-3.0), threads=1)
    for name in ("average_mw", "envelope_mw", "overload_mw", "overload_envelope_mw"):
        ratio = getattr(weak.levels, name) / getattr(recorded.levels, name)
        np.testing.assert_allclose(10 * np.log10(ratio), [0.0, -3.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(10 * np.log10(weak.budgets.mw / recorded.budgets.mw), [0, -3, 0] * 2, atol=1e-9)
    change = (
        weak.verdicts.set_index(["station_id", "mechanism"])["margin_db"]
        - recorded.verdicts.set_index(["station_id", "mechanism"])["margin_db"]
    )
    np.testing.assert_allclose(change["S1"], 3.0, atol=1e-4)


def test_a_sector_turned_away_contributes_what_its_pattern_says(scene, recorded):
    """Mean over the beams of the array, at the bearing off the boresight; the mast is 5 m high on level land."""
    aim = transmitters(scene, recorded.tables).azimuth_deg[0]
    turned = evaluate(with_settings(scene, [0], azimuths_deg=[((aim + 70.0) % 360.0,)]), threads=1)
    row = recorded.tables.profile["beam_set"]
    beams = patterns.Beams(tuple(map(float, row["azimuths_deg"])), tuple(map(float, row["elevations_deg"])))
    table = patterns.panel_tables(antenna_array.ArrayAntenna(), beams, 3.0)["average"]
    pairs = recorded.pairs
    off = np.array([pairs.bearing_deg[0] - aim, pairs.bearing_deg[0] - aim - 70.0])
    gain = patterns.look_up(table, off, np.repeat(pairs.elevation_deg[0], 2))
    ratio = turned.levels.overload_mw[0] / recorded.levels.overload_mw[0]
    assert ratio == pytest.approx(gain[1] / gain[0], rel=1e-4)
    assert 10 * np.log10(ratio) < -3.0
    np.testing.assert_array_equal(turned.levels.overload_mw[1:], recorded.levels.overload_mw[1:])


def test_sectors_add_up_and_each_has_its_own_tilt(scene, recorded):
    """Three sectors with three tilts are the sum of three stations with one sector each."""
    azimuths, tilts = (60.0, 180.0, 300.0), (2.0, 6.0, 11.0)
    together = evaluate(with_settings(scene, [2], azimuths_deg=[azimuths], tilts_deg=[tilts]), threads=1)
    alone = [
        evaluate(with_settings(scene, [2], azimuths_deg=[(a,)], tilts_deg=[(t,)]), threads=1)
        for a, t in zip(azimuths, tilts, strict=True)
    ]
    total = sum(one.levels.overload_mw[2] for one in alone)
    assert together.levels.overload_mw[2] == pytest.approx(total, rel=1e-6, abs=0)
    assert together.levels.overload_mw[2] < recorded.levels.overload_mw[2] * 1.5


def test_some_stations_alone_are_what_they_are_among_all(scene, recorded):
    whole, part = transmitters(scene, recorded.tables), transmitters(scene, recorded.tables, station_rows=[2, 0])
    assert part.row.tolist() == [0, 2]
    np.testing.assert_array_equal(part.power_mw, whole.power_mw[[0, 2]])
    np.testing.assert_array_equal(part.azimuth_deg, np.r_[whole.azimuth_deg[:1], whole.azimuth_deg[2:]])
