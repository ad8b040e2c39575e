"""Tables of station patterns against the array formulas, and the antenna figures of the reference."""

import numpy as np
import pytest

from lcsiting.coordination import patterns
from lcsiting.radio import antenna, antenna_array

PANEL = antenna_array.ArrayAntenna()
BEAMS = patterns.Beams((-40.0, 0.0, 40.0), (4.0, -4.0))
DIRECTIONS = [(0.0, 0.0), (25.0, -3.0), (60.0, -0.5), (110.0, -1.0), (-150.0, -8.0), (12.0, 5.0)]


@pytest.mark.parametrize(("azimuth", "elevation"), DIRECTIONS)
def test_average_and_envelope_are_those_of_the_array(azimuth, elevation):
    table = patterns.panel_tables(PANEL, BEAMS, 6.0)
    beams = antenna_array.beam_grid(BEAMS.azimuths_deg, [-2.0, -10.0])
    at = np.array([azimuth]), np.array([elevation])
    average = antenna_array.average_gain_dbi(PANEL, azimuth, elevation, beams)
    # Behind the panel the beams' elevation moves narrow side lobes, which one horizontal factor cannot follow.
    close = 0.5 if average > -10 else 1.0
    assert 10 * np.log10(patterns.look_up(table["average"], *at)) == pytest.approx(float(average), abs=close)
    envelope = antenna_array.envelope_gain_dbi(PANEL, azimuth, elevation, beams) - (6.4 + 10 * np.log10(96))
    assert 10 * np.log10(patterns.look_up(table["envelope"], *at)) == pytest.approx(float(envelope), abs=close)


def test_the_average_radiates_what_it_is_fed():
    """Mean over the sphere 1, by an integration of its own."""
    rng = np.random.default_rng(0)
    elevation = np.degrees(np.arcsin(rng.uniform(-1, 1, 400_000)))
    azimuth = rng.uniform(-180, 180, 400_000)
    panel, small = patterns.panel_tables(PANEL, BEAMS, 6.0), patterns.sector_tables(65.0, 12.0, 4.0, True)
    for table in (panel["average"], small["average"]):
        assert patterns.look_up(table, azimuth, elevation).mean() == pytest.approx(1.0, abs=0.02)


def test_more_tilt_means_less_toward_the_horizon():
    at = np.array([10.0]), np.array([0.0])
    gains = [
        patterns.look_up(patterns.panel_tables(PANEL, BEAMS, tilt)["average"], *at)[0] for tilt in (4.0, 8.0, 12.0)
    ]
    assert gains == sorted(gains, reverse=True)


def test_sectors_of_a_station_by_the_kernel():
    tables = np.stack([patterns.panel_tables(PANEL, BEAMS, tilt)["average"].astype(np.float32) for tilt in (4.0, 8.0)])
    first, azimuths = np.array([0, 3, 4]), np.array([0.0, 120.0, 240.0, 90.0])
    out = np.zeros((2, 3))
    patterns.sum_sectors(
        tables, patterns.ELEVATIONS_DEG, np.array([0, 1, 0, 1]), first, azimuths, np.array([0, 1]),
        np.array([30.0, 350.0]), np.array([-1.0, -2.0]), out,
    )  # fmt: skip
    expected = [
        patterns.look_up(tables[k], np.array([30.0 - a]), np.array([-1.0]))[0]
        for k, a in zip((0, 1, 0), azimuths[:3], strict=True)
    ]
    assert out[0] == pytest.approx(expected, rel=1e-5)
    alone = patterns.look_up(tables[1], np.array([-100.0]), np.array([-2.0]))[0]
    assert out[1] == pytest.approx([alone, 0.0, 0.0], rel=1e-5)


@pytest.mark.parametrize(
    ("satellite", "azimuth", "elevation", "gain"),
    [(76.5, 234.2, 30.9, -5.3), (87.5, 222.4, 38.2, -7.5), (92.2, 216.6, 40.8, -8.3), (105.5, 197.3, 46.3, -9.6),
     (110.5, 189.2, 47.3, -9.9), (115.5, 180.8, 47.7, -10.0), (122.0, 169.9, 47.2, -9.9), (125.0, 165.0, 46.6, -9.7),
     (130.0, 157.2, 45.2, -9.4), (134.0, 151.3, 43.6, -9.0), (138.0, 145.8, 41.7, -8.5)],
)  # fmt: skip
def test_look_angles_and_gain_toward_the_horizon(satellite, azimuth, elevation, gain):
    found = antenna.gso_look_angles(36.456, 115.98, satellite)
    assert found[0] == pytest.approx(azimuth, abs=0.1)
    assert found[1] == pytest.approx(elevation, abs=0.1)
    horizon = antenna.s465_gain_dbi(found[1], diameter_m=4.5, frequency_mhz=3800.0)
    assert horizon == pytest.approx(gain, abs=0.06)
