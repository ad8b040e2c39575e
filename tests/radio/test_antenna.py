"""Antennas against published look-up values and hand-worked points of the Recommendations."""

import numpy as np
import pytest

from lcsiting.errors import RangeError
from lcsiting.radio import antenna

# Look angles of Liaocheng (36.456 N, 115.98 E) and the S.465 gain toward the
# horizon below each satellite: orbit longitude, azimuth, elevation, gain.
LIAOCHENG = [
    (76.5, 234.2, 30.9, -5.3),
    (87.5, 222.4, 38.2, -7.5),
    (92.2, 216.6, 40.8, -8.3),
    (105.5, 197.3, 46.3, -9.6),
    (110.5, 189.2, 47.3, -9.9),
    (115.5, 180.8, 47.7, -10.0),
    (122.0, 169.9, 47.2, -9.9),
    (125.0, 165.0, 46.6, -9.7),
    (130.0, 157.2, 45.2, -9.4),
    (134.0, 151.3, 43.6, -9.0),
    (138.0, 145.8, 41.7, -8.5),
]


@pytest.mark.parametrize(("orbit_deg", "azimuth_deg", "elevation_deg", "gain_dbi"), LIAOCHENG)
def test_look_angles_and_horizon_gain_of_liaocheng(orbit_deg, azimuth_deg, elevation_deg, gain_dbi):
    azimuth, elevation = antenna.gso_look_angles(36.456, 115.98, orbit_deg)
    assert azimuth == pytest.approx(azimuth_deg, abs=0.051)
    assert elevation == pytest.approx(elevation_deg, abs=0.051)
    off = antenna.off_axis_deg(azimuth, elevation, azimuth, 0.0)
    gain = antenna.s465_gain_dbi(off, diameter_m=4.5, frequency_mhz=3800)
    assert gain == pytest.approx(gain_dbi, abs=0.051)


def test_look_angles_of_the_southern_hemisphere_point_north():
    azimuth, elevation = antenna.gso_look_angles([-33.9, 0.0], [151.2, 100.0], [151.2, 100.0])
    assert azimuth[0] == pytest.approx(0.0)
    assert elevation[1] == pytest.approx(90.0)


def test_off_axis_angle_of_known_directions():
    assert antenna.off_axis_deg(0, 0, 90, 0) == pytest.approx(90)
    assert antenna.off_axis_deg(10, 90, 200, 0) == pytest.approx(90)
    assert antenna.off_axis_deg(350, 0, 10, 0) == pytest.approx(20)
    assert antenna.off_axis_deg(165, 46.6, 165.001, 46.6) == pytest.approx(0.001 * np.cos(np.radians(46.6)), rel=1e-6)


def test_off_axis_angle_equals_the_spherical_cosine_rule():
    rng = np.random.default_rng(7)
    az1, az2 = rng.uniform(0, 360, (2, 200))
    el1, el2 = rng.uniform(-90, 90, (2, 200))
    a1, e1, a2, e2 = np.radians([az1, el1, az2, el2])
    cosine = np.sin(e1) * np.sin(e2) + np.cos(e1) * np.cos(e2) * np.cos(a1 - a2)
    np.testing.assert_allclose(antenna.off_axis_deg(az1, el1, az2, el2), np.degrees(np.arccos(cosine)), atol=1e-6)


def test_s465_of_a_large_dish():
    # D/lambda = 57: main lobe to 100 lambda / D = 1.753 degrees.
    gains = antenna.s465_gain_dbi([0.0, 1.7, 1.8, 10.0, 47.9, 48.0, 180.0], diameter_m=4.5, frequency_mhz=3800)
    peak = antenna.peak_gain_dbi(4.5, 3800)
    np.testing.assert_allclose(gains[:2], peak)
    np.testing.assert_allclose(gains[2:], [25.618, 7.0, -10.008, -10.0, -10.0], atol=1e-3)


def test_s465_of_a_small_dish_widens_the_main_lobe():
    # 3 m at 3.8 GHz: D/lambda = 38.03, phi_min = max(2, 114 * 38.03^-1.09) = 2.160 degrees.
    gains = antenna.s465_gain_dbi([2.1, 2.2], diameter_m=3.0, frequency_mhz=3800, peak_gain_dbi=40.0)
    assert gains[0] == 40.0
    assert gains[1] == pytest.approx(32 - 25 * np.log10(2.2))


def test_s580_is_three_decibels_lower_to_twenty_degrees_and_s465_beyond():
    angles = np.array([2.0, 10.0, 20.0, 20.1, 40.0, 60.0])
    dish = {"diameter_m": 6.0, "frequency_mhz": 4000}
    difference = antenna.s465_gain_dbi(angles, **dish) - antenna.s580_gain_dbi(angles, **dish)
    np.testing.assert_allclose(difference, [3, 3, 3, 0, 0, 0], atol=1e-12)
    small = antenna.s580_gain_dbi(angles, diameter_m=1.8, frequency_mhz=4000)
    np.testing.assert_array_equal(small, antenna.s465_gain_dbi(angles, diameter_m=1.8, frequency_mhz=4000))


def test_peak_gain_of_an_aperture():
    # 3 m at 4 GHz, 65 %: 10 log10(0.65 (pi 3 / 0.07495)^2) = 40.12 dBi.
    assert antenna.peak_gain_dbi(3.0, 4000) == pytest.approx(40.12, abs=0.005)
    assert antenna.peak_gain_dbi(3.0, 4000, efficiency=1.0) == pytest.approx(41.99, abs=0.005)


def test_refusals_name_the_unit_and_nan_passes():
    with pytest.raises(RangeError, match="degrees"):
        antenna.s465_gain_dbi(181.0, diameter_m=3, frequency_mhz=4000)
    with pytest.raises(RangeError, match="MHz"):
        antenna.s580_gain_dbi(5.0, diameter_m=3, frequency_mhz=700)
    assert np.isnan(antenna.s465_gain_dbi(np.nan, diameter_m=3, frequency_mhz=4000))
    assert np.isnan(antenna.s580_gain_dbi(np.nan, diameter_m=6, frequency_mhz=4000))


# Single element of M.2101 (5 dBi, 65 and 65 degrees, 30 dB): azimuth, elevation, gain as printed by pycraf.
ELEMENT = [
    (-80, -40, -17.72189349),
    (-80, 10, -13.46153846),
    (20, -90, -19.14201183),
    (20, -40, -0.68047337),
    (20, 10, 3.57988166),
    (20, 60, -6.36094675),
    (120, 10, -25.0),
    (-180, 10, -25.0),
]


@pytest.mark.parametrize(("azimuth", "elevation", "gain"), ELEMENT)
def test_sector_element_equals_published_values(azimuth, elevation, gain):
    assert antenna.sector_gain_dbi(azimuth, elevation, peak_gain_dbi=5.0) == pytest.approx(gain, abs=1e-8)


def test_sector_element_of_the_table():
    assert antenna.sector_gain_dbi(0, 0) == 8.0
    assert antenna.sector_gain_dbi(32.5, 0) == pytest.approx(5.0)
    assert antenna.sector_gain_dbi(0, -32.5) == pytest.approx(5.0)
    assert antenna.sector_gain_dbi(392.5, 0) == pytest.approx(5.0)
    assert antenna.sector_gain_dbi(180, -90) == -22.0


def test_tilts_bring_the_peak_down():
    for tilt in ({"electrical_tilt_deg": 8.0}, {"mechanical_tilt_deg": 8.0}):
        assert antenna.sector_gain_dbi(0, -8, vertical_beamwidth_deg=10, **tilt) == pytest.approx(8.0)
    # Turned as a whole the back goes up: behind the mast the lower edge points above the horizon.
    azimuth, elevation = antenna.rotate_downtilt([0, 180, 90], [-8, 8, 0], 8.0)
    np.testing.assert_allclose(elevation, [0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(np.abs(azimuth), [0, 180, 90], atol=1e-9)


def test_f1336_equals_published_values_near_the_main_lobe():
    """18 dBi, 65 degrees: rows at elevations -5 and 30 degrees as printed by pycraf."""
    azimuths = np.array([-155.0, -80.0, -5.0, 70.0, 145.0])
    low = antenna.f1336_sector_gain_dbi(azimuths, -5.0, peak_gain_dbi=18.0)
    np.testing.assert_allclose(low, [-6.45692316, 1.87668674, 12.69344956, 3.84378529, -6.45692316], atol=1e-6)
    high = antenna.f1336_sector_gain_dbi(azimuths, 30.0, peak_gain_dbi=18.0)
    np.testing.assert_allclose(high, [-6.45692316, -2.6577429, 2.27347326, -1.76096923, -6.45692316], atol=1e-6)
    tilted = antenna.f1336_sector_gain_dbi(-5.0, -40.0, peak_gain_dbi=18.0, mechanical_tilt_deg=40.0)
    assert tilted == pytest.approx(17.955959, abs=1e-5)
    shifted = antenna.f1336_sector_gain_dbi(-5.0, -40.0, peak_gain_dbi=18.0, electrical_tilt_deg=40.0)
    assert shifted == pytest.approx(17.92899408, abs=1e-6)


@pytest.mark.parametrize("average", [False, True])
def test_f1336_is_continuous_from_the_edge_of_the_main_lobe_to_ninety_degrees(average):
    elevations = np.linspace(9.0, 90.0, 20_001)
    gains = antenna.f1336_sector_gain_dbi(0.0, elevations, peak_gain_dbi=18.0, average_side_lobes=average)
    assert np.abs(np.diff(gains)).max() < 0.01
    assert antenna.f1336_sector_gain_dbi(0, 0, peak_gain_dbi=18.0, average_side_lobes=average) == 18.0


def test_average_side_lobes_lie_three_decibels_below_the_peaks():
    peak = antenna.f1336_sector_gain_dbi(0.0, 20.0, peak_gain_dbi=18.0)
    average = antenna.f1336_sector_gain_dbi(0.0, 20.0, peak_gain_dbi=18.0, average_side_lobes=True)
    assert peak - average == pytest.approx(3.0)


def test_sector_patterns_pass_nan_and_refuse_nonsense():
    assert np.isnan(antenna.sector_gain_dbi(np.nan, 0))
    assert np.isnan(antenna.f1336_sector_gain_dbi(0, np.nan, peak_gain_dbi=18.0))
    with pytest.raises(RangeError, match="degrees"):
        antenna.sector_gain_dbi(0, 91)
    with pytest.raises(RangeError, match="degrees"):
        antenna.f1336_sector_gain_dbi(0, 0, peak_gain_dbi=8.0)
