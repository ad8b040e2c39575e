"""M.2101 arrays against published composite patterns, the plain double sum, and conservation of power."""

import numpy as np
import pytest

from lcsiting.errors import RangeError
from lcsiting.radio.antenna_array import (
    ArrayAntenna,
    average_gain_dbi,
    beam_gain_dbi,
    beam_grid,
    envelope_gain_dbi,
    radiated_power_db,
)

PLAIN = ArrayAntenna(
    rows=8,
    columns=8,
    row_spacing=0.5,
    column_spacing=0.5,
    element_gain_dbi=5.0,
    horizontal_beamwidth_deg=65.0,
    vertical_beamwidth_deg=65.0,
    subarray_elements=1,
)
PANEL = ArrayAntenna()

# 8 x 8, half a wavelength, 5 dBi element of 65 degrees, as printed by pycraf. Azimuths -50, 0, 50;
# elevations -65, 0; beam azimuth, beam elevation, gains by elevation then azimuth.
PUBLISHED = [
    (0, 0, [[-28.44916415, -7.59590121, -28.44916415], [-15.46860066, 23.06179974, -15.46860066]]),
    (-10, 0, [[-20.56675462, -16.00107180, -59.40530382], [-0.93379524, 14.65662915, -5.31790368]]),
    (0, -5, [[-29.83977594, -8.98651300, -29.83977594], [-17.25319896, 21.27720145, -17.25319896]]),
]


@pytest.mark.parametrize(("beam_azimuth", "beam_elevation", "gains"), PUBLISHED)
def test_composite_pattern_equals_published_values(beam_azimuth, beam_elevation, gains):
    azimuth, elevation = np.meshgrid([-50.0, 0.0, 50.0], [-65.0, 0.0])
    expected = np.array(gains)
    np.testing.assert_allclose(
        beam_gain_dbi(PLAIN, azimuth, elevation, beam_azimuth, beam_elevation), expected, atol=1e-4
    )


def double_sum_dbi(array, azimuth, elevation, beam_azimuth, beam_elevation):
    """Table 4 of M.2101 with its own angles and the explicit sums over elements."""
    theta, phi = np.radians(90 - elevation), np.radians(azimuth)
    tilt, scan = np.radians(-beam_elevation), np.radians(beam_azimuth)
    n, m = np.meshgrid(np.arange(array.rows), np.arange(array.columns), indexing="ij")
    v = np.exp(
        2j * np.pi * (n * array.row_spacing * np.cos(theta) + m * array.column_spacing * np.sin(theta) * np.sin(phi))
    )
    w = np.exp(
        2j * np.pi * (n * array.row_spacing * np.sin(tilt) - m * array.column_spacing * np.cos(tilt) * np.sin(scan))
    ) / np.sqrt(array.rows * array.columns)
    k = np.arange(array.subarray_elements)
    fixed = np.radians(array.subarray_tilt_deg)
    sub = np.exp(2j * np.pi * k * array.subarray_spacing * (np.cos(theta) + np.sin(fixed)))
    across = -min(12 * (azimuth / array.horizontal_beamwidth_deg) ** 2, array.front_to_back_db)
    along = -min(12 * (elevation / array.vertical_beamwidth_deg) ** 2, array.side_lobe_db)
    element = array.element_gain_dbi - min(-(across + along), array.front_to_back_db)
    power = abs((w * v).sum()) ** 2 * abs(sub.sum()) ** 2 / array.subarray_elements
    return element + 10 * np.log10(power)


@pytest.mark.parametrize("array", [PLAIN, PANEL], ids=["plain", "sub-arrays"])
def test_closed_form_equals_the_double_sum(array):
    rng = np.random.default_rng(3)
    for azimuth, elevation, beam_azimuth, beam_elevation in rng.uniform(
        [-180, -90, -60, -30], [180, 90, 60, 5], (200, 4)
    ):
        ours = 10 ** (0.1 * beam_gain_dbi(array, azimuth, elevation, beam_azimuth, beam_elevation))
        expected = 10 ** (0.1 * double_sum_dbi(array, azimuth, elevation, beam_azimuth, beam_elevation))
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_peak_of_the_macro_panel():
    # 6.4 dBi + 10 log10(3 x 32) = 26.2 dBi less what the element loses 3 degrees off its axis.
    peak = beam_gain_dbi(PANEL, 0.0, -3.0, 0.0, -3.0)
    assert peak == pytest.approx(6.4 + 10 * np.log10(96) - 12 * (3 / 65) ** 2, abs=1e-9)
    assert peak == pytest.approx(26.2, abs=0.05)


def test_mechanical_tilt_turns_the_panel():
    tilted = ArrayAntenna(mechanical_tilt_deg=6.0)
    assert beam_gain_dbi(tilted, 0, -9.0, 0, -3.0) == pytest.approx(beam_gain_dbi(PANEL, 0, -3.0, 0, -3.0))


BEAMS = beam_grid(np.arange(-60, 61, 20.0), [-9.0, -3.0])


def sphere_mean(gain_dbi, elevation):
    weight = np.cos(np.radians(elevation))
    return ((10 ** (0.1 * gain_dbi)) * weight).sum() / (weight * np.ones_like(gain_dbi)).sum()


def test_average_pattern_radiates_the_power_it_is_fed():
    azimuth, elevation = np.meshgrid(np.arange(-180, 180, 1.0), np.arange(-89.75, 90, 0.5))
    average = average_gain_dbi(PANEL, azimuth, elevation, BEAMS)
    assert 10 * np.log10(sphere_mean(average, elevation)) == pytest.approx(0.0, abs=0.01)
    single = beam_gain_dbi(PANEL, azimuth, elevation, 20.0, -9.0)
    assert 10 * np.log10(sphere_mean(single, elevation)) == pytest.approx(
        radiated_power_db(PANEL, 20.0, -9.0), abs=0.01
    )


def test_envelope_bounds_every_beam_and_the_average():
    azimuth = np.linspace(-90, 90, 181)
    envelope = envelope_gain_dbi(PANEL, azimuth, -1.0, BEAMS, normalised=True)
    beams = [beam_gain_dbi(PANEL, azimuth, -1.0, a, e, normalised=True) for a, e in BEAMS]
    np.testing.assert_array_equal(envelope, np.max(beams, axis=0))
    average = average_gain_dbi(PANEL, azimuth, -1.0, BEAMS)
    np.testing.assert_allclose(10 ** (0.1 * average), np.mean(10 ** (0.1 * np.array(beams)), axis=0))
    assert np.all(average <= envelope)


def test_weights_choose_among_the_beams():
    only = np.zeros(len(BEAMS))
    only[4] = 7.0
    one = average_gain_dbi(PANEL, 10.0, 0.0, BEAMS, only)
    assert one == pytest.approx(beam_gain_dbi(PANEL, 10.0, 0.0, *BEAMS[4], normalised=True))


def test_scalars_arrays_nan_and_refusals():
    both = beam_gain_dbi(PANEL, [10.0, np.nan], 0.0, 0.0, -3.0)
    assert both[0] == beam_gain_dbi(PANEL, 10.0, 0.0, 0.0, -3.0)
    assert np.isnan(both[1])
    with pytest.raises(RangeError, match="degrees"):
        beam_gain_dbi(PANEL, 0, 95.0, 0, 0)
    with pytest.raises(RangeError, match="wavelengths"):
        ArrayAntenna(row_spacing=0.0)
    with pytest.raises(RangeError, match="at least one beam"):
        average_gain_dbi(PANEL, 0, 0, np.empty((0, 2)))
