"""What holds of every model whatever the numbers: monotone, reciprocal, NaN through, arrays like scalars."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.radio import p452, p1812, pathloss

CLIMATE = {"path_latitude_deg": 36.5, "delta_n": 40.06, "n0": 320.5, "time_pct": 50.0}
TERRAIN = {"p452": p452.loss_db, "p1812": p1812.loss_db}

frequencies = st.floats(700.0, 5000.0)
heights = st.floats(5.0, 60.0)


def inside(model: str, mhz: float, height_m: float) -> tuple[float, float]:
    """The nearest values the model takes."""
    valid = pathloss.MODELS[model]
    return float(np.clip(mhz, *valid.frequency_mhz)), float(np.clip(height_m, *valid.bs_height_m))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(pathloss.MODELS)), frequencies, heights, st.floats(0, 1), st.floats(1.01, 3.0))
def test_loss_grows_with_distance(model, mhz, height_m, where, ratio):
    """In free space, and in every model's mean: nobody hears better farther away."""
    mhz, height_m = inside(model, mhz, height_m)
    low, high = pathloss.MODELS[model].distance_m
    near = low * (high / low) ** (0.9 * where)
    far = min(near * ratio, high)
    loss = pathloss.MODELS[model].loss_db
    assert loss(far, mhz, bs_height_m=height_m) >= loss(near, mhz, bs_height_m=height_m) - 1e-9


@settings(max_examples=40, deadline=None)
@given(frequencies, st.floats(1.0, 4.0))
def test_free_space_is_six_decibels_an_octave(mhz, octaves):
    near = pathloss.free_space(500.0, mhz)
    assert pathloss.free_space(500.0 * 2**octaves, mhz) - near == pytest.approx(20 * np.log10(2) * octaves, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(pathloss.MODELS)), frequencies, heights, st.integers(1, 6))
def test_scalars_and_arrays_agree(model, mhz, height_m, count):
    mhz, height_m = inside(model, mhz, height_m)
    distances = np.geomspace(*pathloss.MODELS[model].distance_m, count)
    loss = pathloss.MODELS[model].loss_db
    many = loss(distances, mhz, bs_height_m=height_m)
    assert isinstance(many, np.ndarray) and many.shape == distances.shape
    one = [loss(float(d), mhz, bs_height_m=height_m) for d in distances]
    assert all(isinstance(value, float) for value in one)
    np.testing.assert_array_equal(many, one)


@pytest.mark.parametrize("model", sorted(pathloss.MODELS))
@pytest.mark.parametrize("which", ["distance", "frequency", "height"])
def test_nan_in_nan_out(model, which):
    valid = pathloss.MODELS[model]
    values = [max(valid.distance_m[0], 1000.0), valid.frequency_mhz[0], valid.default_bs_height_m]
    values[["distance", "frequency", "height"].index(which)] = np.nan
    assert np.isnan(valid.loss_db(values[0], values[1], bs_height_m=values[2]))
    pair = valid.loss_db(np.array([values[0], values[0]]), values[1], bs_height_m=values[2])
    assert np.isnan(pair).all()


@pytest.mark.parametrize("name", sorted(TERRAIN))
@pytest.mark.parametrize("hole", ["ground", "frequency", "height"])
def test_terrain_models_let_nan_through(name, hole):
    ground = np.zeros(41)
    asked = {"frequency_mhz": 3450.0, "tx_height_agl_m": 30.0, "rx_height_agl_m": 10.0}
    if hole == "ground":
        ground[20] = np.nan
    else:
        asked["frequency_mhz" if hole == "frequency" else "tx_height_agl_m"] = np.nan
    assert np.isnan(TERRAIN[name](np.linspace(0, 8000, 41), ground, **asked, **CLIMATE))


@pytest.mark.parametrize("name", sorted(TERRAIN))
@settings(max_examples=25, deadline=None)
@given(frequency=frequencies, ratio=st.floats(1.05, 4.0))
def test_terrain_models_on_a_clear_short_path_are_free_space_and_grow(name, frequency, ratio):
    """High masts, flat ground, half of the time: nothing but the distance."""

    def loss(length_m: float) -> float:
        distance = np.linspace(0, length_m, 61)
        asked = {"tx_height_agl_m": 120.0, "rx_height_agl_m": 120.0, "frequency_mhz": frequency}
        return TERRAIN[name](distance, np.zeros(61), **asked, **CLIMATE)

    near, far = loss(2000.0), loss(2000.0 * ratio)
    assert far > near
    # P.452 adds the gases, hundredths of a decibel on such a path
    assert near == pytest.approx(pathloss.free_space(2000.0, frequency), abs=0.2)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(20.0, 60.0), st.floats(20.0, 60.0))
def test_p1812_is_reciprocal_over_its_terrain(seed, one_m, other_m):
    """Turning the path and the two masts around changes nothing at 50 % of the time: same terrain, same ends."""
    ground = np.random.default_rng(seed).uniform(0, 60, 51)
    distance = np.linspace(0, 10_000, 51)
    there = p1812.loss_db(
        distance, ground, frequency_mhz=2000.0, tx_height_agl_m=one_m, rx_height_agl_m=other_m, **CLIMATE
    )
    back = p1812.loss_db(
        distance, ground[::-1], frequency_mhz=2000.0, tx_height_agl_m=other_m, rx_height_agl_m=one_m, **CLIMATE
    )
    assert there == pytest.approx(back, abs=1e-6)
