"""Diffraction pieces against worked values, a plain scan and their own limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from lcsiting.radio import diffraction as dif
from lcsiting.radio.profile import beta0_pct, smooth_surface, zone_lengths

MEDIAN_KM = 8500.0


def plain_bullington(x, g, tx, rx, radius, wavelength):
    """Eqs. (14)-(22) of P.452-18, written out in NumPy on whole arrays."""
    total = x[-1]
    d, h = x[1:-1], g[1:-1]
    bulge = 500 / radius * d * (total - d)
    stim = np.max((h + bulge - tx) / d)
    if stim < (rx - tx) / total:
        direct = (tx * (total - d) + rx * d) / total
        nu = np.max((h + bulge - direct) * np.sqrt(0.002 * total / (wavelength * d * (total - d))))
    else:
        srim = np.max((h + bulge - rx) / (total - d))
        point = (rx - tx + srim * total) / (stim + srim)
        above = tx + stim * point - (tx * (total - point) + rx * point) / total
        nu = above * np.sqrt(0.002 * total / (wavelength * point * (total - point)))
    knife = 6.9 + 20 * np.log10(np.sqrt((nu - 0.1) ** 2 + 1) + nu - 0.1) if nu > -0.78 else 0.0
    return knife + (1 - np.exp(-knife / 6)) * (10 + 0.02 * total)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 300), st.floats(0.5, 120), st.floats(1, 80))
def test_bullington_equals_the_plain_scan(seed, points, total_km, rough_m):
    rng = np.random.default_rng(seed)
    x = np.sort(np.concatenate([[0, total_km], rng.uniform(0.001, 0.999, points - 2) * total_km]))
    g = 50 + rough_m * rng.normal(size=points)
    tx, rx = g[0] + 30, g[-1] + 10
    ours = dif.bullington_profile_db(x, g, points - 1, total_km, tx, rx, MEDIAN_KM, 0.1)
    assert ours == pytest.approx(plain_bullington(x, g, tx, rx, MEDIAN_KM, 0.1), abs=1e-9)


def test_knife_edge_of_p526():
    # P.526 Figure 9: grazing 6.0 dB, nu = 1 13.9 dB, nu = 2.4 about 20.5 dB, none below -0.78.
    assert dif.knife_edge_db(0.0) == pytest.approx(6.03, abs=0.01)
    assert dif.knife_edge_db(1.0) == pytest.approx(13.9, abs=0.1)
    assert dif.knife_edge_db(2.4) == pytest.approx(20.5, abs=0.1)
    assert dif.knife_edge_db(-0.78) == 0.0
    assert dif.knife_edge_db(-0.7799) == pytest.approx(0.0, abs=0.02)


def test_inverse_normal_within_its_stated_error():
    shares = np.array([1e-6, 0.001, 0.01, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999999])
    ours = [dif.inverse_normal(share) for share in shares]
    np.testing.assert_allclose(ours, norm.isf(shares), atol=6e-4)
    assert dif.inverse_normal(1e-9) == dif.inverse_normal(1e-6)


def test_spherical_earth_joins_smoothly_at_the_horizon_and_vanishes_near():
    wave = dif.wave(3.5, True)
    horizon = math.sqrt(2 * MEDIAN_KM) * (math.sqrt(0.030) + math.sqrt(0.010))
    below, above = (dif.spherical_earth_db(wave, horizon * k, 30, 10, MEDIAN_KM, 0.0) for k in (0.9999, 1.0001))
    assert below == pytest.approx(above, abs=0.05)
    assert dif.spherical_earth_db(wave, 1.0, 30, 10, MEDIAN_KM, 0.0) == 0.0


def test_sea_and_land_mix_by_share():
    wave = dif.wave(0.2, True)
    land, half, sea = (dif.first_term_db(wave, 80, 20, 10, MEDIAN_KM, omega) for omega in (0, 0.5, 1))
    assert sea < land
    assert half == pytest.approx((land + sea) / 2)


def test_effective_earth_of_equal_heights_survives_the_rounding_of_its_arc_cosine():
    wave = dif.wave(1.0, False)
    for share in np.linspace(0.01, 0.99, 99):
        assert math.isfinite(dif.spherical_earth_db(wave, share * 40, 1e-9, 60, MEDIAN_KM, 0.0))


def test_zone_lengths_count_half_gaps():
    x = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 9.0, 10.0])
    zones = zone_lengths(x, np.array([2, 2, 1, 3, 3, 2, 2]))
    assert zones.dtm == pytest.approx(3.0)  # 0 .. (2+4)/2
    assert zones.dlm == pytest.approx(1.5)  # 0 .. (1+2)/2; after the sea 8.5 .. 10
    assert zones.omega == pytest.approx((8.5 - 3.0) / 10)
    assert zone_lengths(x, np.full(7, 3)).omega == 1.0


def test_beta0_inland_at_liaocheng_and_near_the_pole():
    # A long inland path; the published figure for the place is 3.33 per cent.
    assert beta0_pct(36.456, 100.0, 100.0) == pytest.approx(3.33, abs=0.01)
    mu1 = (10 ** (-10 / (16 - 6.6 * 0.10068)) + 10 ** (-5 * (0.496 + 0.354 * 0.10068))) ** 0.2
    assert beta0_pct(80.0, 10.0, 10.0) == pytest.approx(4.17 * mu1**1.3, rel=1e-4)


def test_smooth_surface_of_a_slope_is_the_slope():
    x = np.array([0.0, 3.0, 5.0, 11.0, 20.0])
    ground = 100 + 4 * x
    smooth = smooth_surface(x, ground, 4, ground[0] + 500, ground[-1] + 500)
    assert (smooth.hst, smooth.hsr) == (pytest.approx(100), pytest.approx(180))
    assert (smooth.hstd, smooth.hsrd) == (pytest.approx(100), pytest.approx(180))
