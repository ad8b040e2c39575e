"""Overload by closed form: the distances of the published figures, worked by hand."""

import numpy as np
import pytest

from lcsiting.coordination import overload


@pytest.mark.parametrize(
    ("eirp_dbm", "limit_dbm", "attenuation_db", "distance_m"),
    [
        (77, -60, 0, 15_300),
        (60, -60, 0, 2_160),
        (50, -60, 0, 680),
        (77, -20, 0, 153),
        (60, -20, 0, 22),
        (50, -20, 0, 7),
        (77, -60, 40, 153),
        (77, -60, 45, 86),
        (77, -60, 55, 27),
        (77, -60, 60, 15),
    ],
)
def test_overload_distance_at_3500_mhz_and_minus_10_dbi(eirp_dbm, limit_dbm, attenuation_db, distance_m):
    found = overload.overload_distance_m(eirp_dbm, -10, limit_dbm, 3500, attenuation_db)
    # The table is rounded to three figures, its short distances to whole metres.
    assert found == pytest.approx(distance_m, rel=0.008, abs=0.5)


def test_free_space_loss_of_one_kilometre():
    # 92.45 + 20 log10(f in GHz) + 20 log10(d in km)
    assert overload.free_space_loss_db(1000, 3500) == pytest.approx(92.45 + 20 * np.log10(3.5), abs=0.005)


def test_level_reaches_the_limit_at_the_overload_distance():
    """P = EIRP + G - L - A, the other way round."""
    distance_m = overload.overload_distance_m(77, -10, -60, 3500, 15)
    assert 77 - 10 - overload.free_space_loss_db(distance_m, 3500) - 15 == pytest.approx(-60, abs=1e-9)


@pytest.mark.parametrize(("h1", "h2", "km"), [(30, 5, 31.8), (30, 20, 41.0), (45, 5, 36.9)])
def test_radio_horizon_of_the_four_thirds_earth(h1, h2, km):
    assert overload.radio_horizon_m(h1, h2) / 1000 == pytest.approx(km, abs=0.05)


def test_distances_under_a_metre_do_not_blow_up():
    assert overload.free_space_loss_db([0.0, 0.5, 1.0], 3500).tolist() == [overload.free_space_loss_db(1, 3500)] * 3
