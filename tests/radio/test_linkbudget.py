"""Link budget against published figures and a numerical integral."""

import math

import numpy as np
import pytest

from lcsiting.errors import RangeError
from lcsiting.radio import linkbudget as lb


def test_200_w_over_273_resource_blocks():
    assert lb.power_per_re_dbm(200.0, 273) == pytest.approx(17.857, abs=1e-3)
    assert lb.ssb_eirp_dbm(200.0, 273, 24.0, 4.0) == pytest.approx(37.857, abs=1e-3)


def test_noise_of_a_subcarrier():
    # -174 dBm/Hz + 10 lg 30 000 + 7 dB
    assert lb.noise_per_re_dbm(30.0, 7.0) == pytest.approx(-122.2, abs=0.05)
    assert lb.noise_per_re_dbm(15.0, 7.0) == pytest.approx(lb.noise_per_re_dbm(30.0, 7.0) - 10 * math.log10(2))


def test_jakes_published_point():
    # sigma 8 dB, gamma 3.9, margin 8.3 dB at the edge: 94.9 % of the area
    assert lb.area_reliability_pct(8.3, 8.0, 39.0) == pytest.approx(94.9, abs=0.05)
    assert lb.shadow_margin_db(94.9, 8.0, 39.0) == pytest.approx(8.3, abs=0.1)
    assert lb.shadow_margin_db(95.0, 8.0, 39.0) == pytest.approx(8.3, abs=0.15)


@pytest.mark.parametrize(("margin", "sigma", "slope"), [(0.0, 6.0, 35.0), (5.0, 8.0, 39.08), (-3.0, 4.0, 22.0)])
def test_jakes_is_the_area_integral(margin, sigma, slope):
    """Edge probability averaged over the disc, r from 0 to 1: F = 2 * integral of P(r) r dr."""
    r = (np.arange(200_000) + 0.5) / 200_000
    z = (margin - slope * np.log10(r)) / sigma
    inside = 0.5 * np.vectorize(math.erfc)(-z[::20] / math.sqrt(2))
    expected = 100 * 2 * np.sum(inside * r[::20]) / inside.size
    assert lb.area_reliability_pct(margin, sigma, slope) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 6.0, 8.0, 12.0])
@pytest.mark.parametrize("reliability", [50.0, 75.0, 90.0, 95.0, 99.0])
def test_the_margin_inverts_the_reliability(reliability, sigma):
    margin = lb.shadow_margin_db(reliability, sigma, 38.6)
    served = lb.area_reliability_pct(margin, sigma, 38.6)
    assert margin >= 0
    assert served == pytest.approx(reliability, abs=1e-6) if margin > 0 else served >= reliability


@pytest.mark.parametrize(("reliability", "quantile"), [(75.0, 0.674490), (90.0, 1.281552), (95.0, 1.644854)])
def test_margin_of_the_edge_is_the_normal_quantile(reliability, quantile):
    margin = lb.shadow_margin_db(reliability, 8.0, 39.0, reliability_of="edge")
    assert margin == pytest.approx(8.0 * quantile, abs=1e-5)
    assert lb.edge_reliability_pct(margin, 8.0) == pytest.approx(reliability, abs=1e-7)
    assert margin > lb.shadow_margin_db(reliability, 8.0, 39.0)
    with pytest.raises(RangeError, match="area, edge"):
        lb.shadow_margin_db(reliability, 8.0, 39.0, reliability_of="cell")


def test_small_sigma_keeps_its_digits():
    # just before and after the series takes over from erfc
    values = [lb.area_reliability_pct(1.0, s, 39.0) for s in np.linspace(1.5, 3.5, 200)]
    steps = np.diff(values)
    assert np.all(steps < 0), "more shadowing serves less of the area"
    assert np.abs(np.diff(steps)).max() < 1e-2


def test_margin_out_of_range():
    with pytest.raises(RangeError, match="reliability_pct"):
        lb.shadow_margin_db(100.0, 8.0, 39.0)
    with pytest.raises(RangeError, match="resource_blocks"):
        lb.power_per_re_dbm(200.0, 0)
    assert lb.shadow_margin_db(95.0, 0.0, 39.0) == 0.0


def test_default_tilt():
    rule = {"ue_height_m": 1.5, "spacing_factor": 0.6, "limits_deg": (2.0, 12.0)}
    # 25 m, 425 m spacing: atan(23.5 / 255) = 5.27 deg, + 3 deg for a 12 deg beam
    assert lb.default_tilt_deg(25.0, 425.0, 12.0, **rule) == pytest.approx(8.27, abs=0.01)
    assert lb.default_tilt_deg(60.0, 300.0, 12.0, **rule) == 12.0
    assert lb.default_tilt_deg(2.0, 5000.0, 4.0, **rule) == 2.0


def test_the_table_adds_up():
    table = lb.link_budget(
        power_w=200.0, resource_blocks=273, scs_khz=30.0, gain_dbi=24.0, ssb_below_peak_db=4.0, noise_figure_db=7.0,
        rsrp_dbm=-105.0, reliability_pct=95.0, sigma_db=6.0, slope_db_per_decade=39.08, penetration_db=26.0,
    ).set_index("item")["value"]  # fmt: skip
    assert table["ssb_eirp_dbm"] == pytest.approx(table["power_per_re_dbm"] + 20.0)
    assert table["required_mean_rsrp_dbm"] == pytest.approx(-105 + table["shadow_margin_db"] + 26)
    assert table["max_path_loss_db"] == pytest.approx(table["ssb_eirp_dbm"] - table["required_mean_rsrp_dbm"])


def test_the_table_by_edge_reliability_names_both_and_the_load():
    asked = dict(
        power_w=200.0, resource_blocks=273, scs_khz=30.0, gain_dbi=24.0, ssb_below_peak_db=4.0, noise_figure_db=7.0,
        rsrp_dbm=-105.0, reliability_pct=75.0, sigma_db=8.0, slope_db_per_decade=39.0, network_load_share=0.5,
    )  # fmt: skip
    edge = lb.link_budget(**asked, reliability_of="edge").set_index("item")["value"]
    assert edge["edge_reliability_pct"] == pytest.approx(75.0)
    assert edge["reliability_pct"] == pytest.approx(lb.area_reliability_pct(8.0 * 0.674490, 8.0, 39.0), abs=1e-3)
    assert edge["network_load_share"] == 0.5
    area = lb.link_budget(**asked).set_index("item")["value"]
    assert area["reliability_pct"] == 75.0 and area["shadow_margin_db"] < edge["shadow_margin_db"]
