"""The horizon state against plain scans, and properties of the models that ride on it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.radio import diffraction, horizon, p452, p1812, radial
from lcsiting.radio.plane import flat_plane

STEP_KM, POINTS = 0.1, 120
BULGE = 500.0 / 8500.0
LIAOCHENG = {"path_latitude_deg": 36.456, "delta_n": 40.06, "n0": 320.5}
heights = st.lists(st.floats(0.0, 300.0), min_size=8, max_size=60)


def state(ground: np.ndarray, tx_m: float):
    real, index = horizon.new_state(len(ground), STEP_KM)
    real[horizon.GROUND, : len(ground)] = ground
    horizon.begin(real, index, horizon.EARTH, horizon.GROUND, len(ground) - 1, tx_m, BULGE)
    return real, index


@settings(max_examples=200, deadline=None)
@given(heights, st.floats(1.0, 100.0), st.floats(1.0, 100.0), st.floats(0.5, 1.5))
def test_bullington_walking_outwards_is_the_scan(ground, mast, mobile, gap):
    ground = np.array(ground)
    tx = ground[0] + mast
    real, index = state(ground, tx)
    distance = np.arange(len(ground)) * STEP_KM
    for last in range(1, len(ground)):
        horizon.advance(real, index, horizon.EARTH, last)
        total, rx = (last + gap) * STEP_KM, ground[last] + mobile
        walked = horizon.bullington_at(
            real, index, horizon.EARTH, horizon.EARTH_EDGE, last, last, total, tx, rx, BULGE, 0.1
        )
        scanned = diffraction.bullington_profile_db(distance, ground, last + 1, total, tx, rx, 500.0 / BULGE, 0.1)
        assert walked == pytest.approx(scanned, abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 600), st.floats(0.01, 0.3), st.floats(0.5, 1.5), st.floats(0.1, 500.0), st.floats(0.1, 500.0),
    st.floats(0.006, 3.0),
)  # fmt: skip
def test_smooth_earth_in_constant_time_is_the_scan(last, step_km, gap, tx, rx, wavelength):
    _, index = horizon.new_state(16, step_km)
    total = (last + gap) * step_km
    distance = np.arange(last + 1) * step_km
    for _ in range(2):  # cold and with the last edge remembered
        quick = horizon.flat_bullington_at(index, horizon.SMOOTH_EDGE, step_km, last, total, tx, rx, BULGE, wavelength)
        scanned = diffraction.bullington_profile_db(
            distance, np.zeros(last + 1), last + 1, total, tx, rx, 500.0 / BULGE, wavelength
        )
        assert quick == pytest.approx(scanned, abs=1e-9)


def test_hull_finds_the_receiver_horizon():
    rng = np.random.default_rng(4)
    ground = rng.uniform(0.0, 100.0, POINTS)
    real, index = state(ground, 150.0)
    for last in range(1, POINTS):
        horizon.advance(real, index, horizon.EARTH, last)
        x = np.arange(1, last + 1) * STEP_KM
        z = ground[1 : last + 1] - BULGE * x * x
        for rx_z in (-50.0, 20.0, 200.0):
            total = (last + 0.7) * STEP_KM
            at = horizon.tangent(real, index, horizon.EARTH, total, rx_z)
            assert at == 1 + np.argmax((z - rx_z) / (total - x))
        for slope in (-30.0, 0.0, 30.0):
            assert horizon.extreme(real, index, horizon.EARTH, slope) == 1 + np.argmax(z - slope * x)
        assert horizon.top_slope(real, horizon.EARTH, last) == pytest.approx(((z - 150.0) / x).max())
        assert horizon.top_point(index, horizon.EARTH, last) == 1 + np.argmax((z - 150.0) / x)


def hilly(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.arange(n + 1) * 100.0, 200.0 + np.cumsum(rng.normal(0.0, 4.0, n + 1))


@pytest.mark.parametrize("seed", range(6))
def test_p1812_and_bullington_are_reciprocal_and_p452_where_its_blend_is(seed):
    """P.452's Fj looks at the slope from the transmitter only, so far trans-horizon paths alone must agree."""
    distance, ground = hilly(seed)
    one = {"frequency_mhz": 2600.0, "time_pct": 10.0, "tx_height_agl_m": 35.0, "rx_height_agl_m": 12.0, **LIAOCHENG}
    other = one | {"tx_height_agl_m": 12.0, "rx_height_agl_m": 35.0}
    back = ground[::-1].copy()
    assert p1812.loss_db(distance, ground, **one) == pytest.approx(p1812.loss_db(distance, back, **other), abs=1e-9)
    arguments = (len(ground) - 1, distance[-1] / 1000)
    there = diffraction.bullington_profile_db(
        distance / 1000, ground, *arguments, ground[0] + 35, ground[-1] + 12, 8500.0, 0.1
    )
    home = diffraction.bullington_profile_db(
        distance / 1000, back, *arguments, back[0] + 12, back[-1] + 35, 8500.0, 0.1
    )
    assert there == pytest.approx(home, abs=1e-9)
    ways = [p452.loss_db(distance, g, details=True, **a) for g, a in ((ground, one), (back, other))]
    if min(w["Fj"] for w in ways) == max(w["Fj"] for w in ways):
        assert ways[0]["Lb"] == pytest.approx(ways[1]["Lb"], abs=1e-9)
    for name in ("Lbfsg", "Ld50", "Ldb", "Lba", "Lbs", "Lbd"):
        assert ways[0][name] == pytest.approx(ways[1][name], abs=1e-8), name


def test_profile_of_unknown_ground_has_no_loss():
    distance, ground = hilly(1)
    ground[77] = math.nan
    q = radial.question_p452(3500.0, 1.0, True, 40.06, 320.5)
    assert math.isnan(radial.profile_db(q, distance / 1000, ground, np.zeros(0), np.zeros(0, int), 30.0, 10.0, 36.4))
    ground[77] = 200.0
    assert math.isfinite(radial.profile_db(q, distance / 1000, ground, np.zeros(0), np.zeros(0, int), 30.0, 10.0, 36.4))


def test_the_latitude_of_a_path_is_that_of_its_middle():
    """Along a meridian, half the arc north or south of the transmitter; one for all paths where it is fixed."""
    angle = math.radians(36.5)
    place = radial.Place(flat_plane(), math.sin(angle), math.cos(angle), math.nan)
    arc_deg = math.degrees(100.0 / diffraction.EARTH_RADIUS_KM)
    assert radial.latitude_at(place, 1.0, 100.0) == pytest.approx(36.5 + arc_deg / 2, abs=1e-9)
    assert radial.latitude_at(place, -1.0, 100.0) == pytest.approx(36.5 - arc_deg / 2, abs=1e-9)
    assert radial.latitude_at(place._replace(fixed_deg=20.0), 1.0, 100.0) == 20.0
