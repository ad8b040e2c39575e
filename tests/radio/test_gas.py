"""Gaseous attenuation against the ITU validation workbook and the gas inside published P.452 rows."""

import math

import numpy as np
import pytest
from oracle_rows import rows

from lcsiting.errors import RangeError
from lcsiting.radio import gas

# ITU-R SG 3 validation examples (CG-3M3J-13-ValEx), sheet "P676-11 SpAtt": dry air 1013.25 hPa,
# 288.15 K, 7.5 g/m3; GHz, oxygen dB/km, water vapour dB/km.
WORKBOOK = [
    (12, 0.0086982640687736, 0.009535388220246),
    (20, 0.0118835504778076, 0.097047304815112),
    (60, 14.6234747964861, 0.154841840636247),
    (90, 0.0388697110724235, 0.341973394422181),
    (130, 0.0415090835995228, 0.751844703646129),
]


@pytest.mark.parametrize(("f_ghz", "oxygen", "vapour"), WORKBOOK)
def test_lines_equal_the_validation_workbook(f_ghz, oxygen, vapour):
    vapour_hpa = 7.5 * 288.15 / 216.7
    assert gas.oxygen_db_km(f_ghz, 1013.25, vapour_hpa, 288.15) == pytest.approx(oxygen, rel=1e-12)
    assert gas.vapour_db_km(f_ghz, 1013.25, vapour_hpa, 288.15) == pytest.approx(vapour, rel=1e-12)
    both = gas.specific_attenuation_db_km(f_ghz * 1000, pressure_hpa=1013.25, temperature_c=15, vapour_g_m3=7.5)
    assert both == pytest.approx(oxygen + vapour, rel=1e-12)


def test_gas_inside_the_published_free_space_rows():
    """Lbfsg of the 100 km rows less free space leaves the gas of 1013 hPa dry air, 0.1 to 50 GHz."""
    path = [row for row in rows("p452_v18_results.csv") if row["profile"] == "flat_land_100km"]
    f_ghz = np.array([float(row["f (GHz)"]) for row in path])
    total = np.array([float(row["Lbfsg"]) for row in path])
    dtot = float(path[0]["dtot"])
    expected = (total - 92.4 - 20 * np.log10(f_ghz) - 20 * math.log10(dtot)) / dtot
    ours = gas.specific_attenuation_db_km(f_ghz * 1000, pressure_hpa=1013, temperature_c=15, vapour_g_m3=7.5)
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    assert f_ghz.max() == 50


def test_dry_air_absorbs_less_and_nan_passes():
    frequencies = np.array([[3500.0, 22235.0], [60000.0, np.nan]])
    wet = gas.specific_attenuation_db_km(frequencies)
    dry = gas.specific_attenuation_db_km(frequencies, vapour_g_m3=0)
    assert wet.shape == (2, 2)
    assert (wet > dry).sum() == 3
    assert np.isnan(wet[1, 1])


def test_refusals_name_value_and_unit():
    with pytest.raises(RangeError, match=r"frequency_mhz.*MHz"):
        gas.specific_attenuation_db_km(2e6)
    with pytest.raises(RangeError, match=r"vapour_g_m3.*g/m3"):
        gas.specific_attenuation_db_km(3500, vapour_g_m3=-1)
