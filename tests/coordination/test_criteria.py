"""Limits: noise, radio astronomy, long and short term."""

import types

import pytest

from lcsiting.coordination.criteria import criterion, noise_dbm_per_mhz, ra769_threshold
from lcsiting.coordination.profile import load_tables
from lcsiting.errors import ConfigError

TABLES = load_tables()


def record(**changes):
    fields = {"kind": "es_rx", "noise_temperature_k": 100.0, "rx_low_mhz": 3700.0, "rx_high_mhz": 4200.0}
    return types.SimpleNamespace(**{**fields, **changes})


@pytest.mark.parametrize(("kelvin", "noise"), [(70, -120.15), (100, -118.60), (120, -117.81), (142.8, -117.05)])
def test_noise(kelvin, noise):
    assert noise_dbm_per_mhz(kelvin) == pytest.approx(noise, abs=0.006)


@pytest.mark.parametrize(
    "key", ["criterion_ras_continuum_2695", "criterion_ras_line_4830", "criterion_ras_continuum_4995"]
)
def test_rows_of_ra769_follow_from_its_formula(key):
    """The published rows are rounded to whole decibels."""
    row = TABLES.profile[key]
    names = ("frequency_mhz", "bandwidth_khz", "antenna_noise_k", "receiver_noise_k", "integration_s")
    for name, value in ra769_threshold(**{field: row[field] for field in names}).items():
        assert value == pytest.approx(row[name], abs=0.5), name


def test_an_observatory_takes_the_strictest_row_in_its_band():
    limit = criterion(TABLES, record(kind="ras", rx_low_mhz=4800.0, rx_high_mhz=5000.0), "adjacent")
    assert limit.limit_dbm == pytest.approx(-207 + 30 - 10, abs=0.5)
    assert limit.verified


def test_an_observatory_between_the_rows_takes_the_nearest_one_unverified():
    """3332-3339 MHz lies between 2695 and 4830 MHz: the limit of an earth station would be 57 dB too lax."""
    limit = criterion(TABLES, record(kind="ras", rx_low_mhz=3332.0, rx_high_mhz=3339.0), "co_channel")
    assert limit.limit_dbm == pytest.approx(-207 + 30 - 10, abs=0.5), "2695 MHz: 637 MHz away, 4830: 1491"
    assert not limit.verified


@pytest.mark.parametrize("kind", ["ras", "fixed"])
def test_a_profile_without_limits_for_a_service_says_so(kind):
    with pytest.raises(ConfigError, match=f"criterion_{kind}"):
        criterion(load_tables("cbrs"), record(kind=kind), "co_channel")


def test_share_of_the_noise_and_absolute_limits():
    assert criterion(TABLES, record(), "co_channel").limit_dbm == pytest.approx(-118.60 - 12.2, abs=0.01)
    assert criterion(TABLES, record(), "adjacent").limit_dbm == pytest.approx(-118.60 - 20, abs=0.01)
    cbrs = load_tables("cbrs")
    assert criterion(cbrs, record(), "co_channel").limit_dbm == -129.0


def test_a_long_term_limit_is_never_asked_at_a_short_term_percentage(tmp_path):
    (tmp_path / "miit_266_136.toml").write_text(
        '[criterion_co_channel]\ntime_pct = 1.0\nsource = "test"\nverified = false\n', encoding="utf-8"
    )
    with pytest.raises(ConfigError, match="long-term limit asked at 1 %"):
        criterion(load_tables("miit_266_136", tmp_path), record(), "co_channel")
