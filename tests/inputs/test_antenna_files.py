"""Antenna files as makers write them: twins written here, and the third-party files where they lie."""

from pathlib import Path

import numpy as np
import pytest
from skips import SHARED

from lcsiting.errors import LayerError
from lcsiting.inputs import antenna_files as af


def cut(peak_deg: float, width_deg: float, floor_db: float = 30.0) -> np.ndarray:
    """12 (angle / width)^2 around a peak, rounded as makers do."""
    away = (np.arange(360) - peak_deg + 180) % 360 - 180
    return np.round(np.minimum(12 * (away / width_deg) ** 2, floor_db), 2)


def write_msi(path: Path, *, gain="15.5 dBd", tab=" ", end="\n", peak=0.0, tilt=6.0, skip=1) -> Path:
    horizontal, vertical = cut(peak, 65), cut(tilt, 10)
    lines = ["NAME Twin 65", "MAKE nobody", "FREQUENCY 2100", f"GAIN {gain}", "TILT ELECTRICAL", "COMMENT made here"]
    for name, table in (("HORIZONTAL", horizontal), ("VERTICAL", vertical)):
        lines.append(f"{name} {360 // skip}")
        lines += [f"{angle} {table[angle]}" for angle in range(0, 360, skip)]
    path.write_text(end.join(line.replace(" ", tab, 1) for line in lines) + end, encoding="utf-8")
    return path


@pytest.mark.parametrize(("tab", "end"), [(" ", "\n"), ("\t", "\r\n"), ("   ", "\n")])
def test_spaces_tabs_and_line_ends_read_the_same(tmp_path, tab, end):
    pattern = af.read_pattern(write_msi(tmp_path / "a.msi", tab=tab, end=end))
    np.testing.assert_allclose(pattern.horizontal_db, cut(0, 65))
    np.testing.assert_allclose(pattern.vertical_db, cut(6, 10))
    assert (pattern.name, pattern.frequency_mhz) == ("Twin 65", 2100.0)


@pytest.mark.parametrize(
    ("text", "dbi"), [("15.5 dBd", 17.65), ("17.65 dBi", 17.65), ("15.5", 17.65), ("15,5 dBd", 17.65)]
)
def test_gain_is_dbi(tmp_path, text, dbi):
    """A half-wave dipole has 2.15 dBi; the format's gain without unit is dBd."""
    assert af.read_pattern(write_msi(tmp_path / "a.pln", gain=text)).gain_dbi == pytest.approx(dbi)


def test_peaks_off_zero_stay_where_they_are(tmp_path):
    pattern = af.read_pattern(write_msi(tmp_path / "a.msi", peak=-45, tilt=8))
    assert pattern.horizontal_peak_deg == -45
    assert pattern.electrical_tilt_deg == 8
    assert af.attenuation_db(pattern, -45, 8) == pytest.approx(0, abs=1e-9)
    assert af.attenuation_db(pattern, 0, 8) == pytest.approx(cut(-45, 65)[0], abs=1e-9)


def test_coarser_steps_are_filled_in(tmp_path):
    pattern = af.read_pattern(write_msi(tmp_path / "a.msi", skip=5))
    np.testing.assert_allclose(pattern.horizontal_db[::5], cut(0, 65)[::5])
    assert pattern.horizontal_db[2] == pytest.approx(0.4 * cut(0, 65)[5])


def test_the_cuts_come_back_and_the_back_is_the_back(tmp_path):
    pattern = af.read_pattern(write_msi(tmp_path / "a.msi", tilt=0))
    angle = np.arange(-90, 91)
    np.testing.assert_allclose(af.attenuation_db(pattern, 0, angle), cut(0, 10)[angle % 360], atol=1e-9)
    np.testing.assert_allclose(af.attenuation_db(pattern, np.arange(360), 0), cut(0, 65)[np.arange(360)], atol=1e-9)
    np.testing.assert_allclose(af.attenuation_db(pattern, 180, angle), cut(0, 10)[(180 - angle) % 360], atol=1e-9)


def test_radio_mobile_file(tmp_path):
    """720 gains below the peak: azimuths, then elevations from +90 down over the back."""
    vertical = -cut(0, 20)[(np.arange(360) - 90) % 360]
    values = [*(-cut(0, 65)), *vertical]
    path = tmp_path / "a.ant"
    path.write_text("\n".join(f"{v:g}" for v in values) + "\n\n")
    pattern = af.read_pattern(path)
    np.testing.assert_allclose(pattern.horizontal_db, cut(0, 65))
    np.testing.assert_allclose(pattern.vertical_db, cut(0, 20), atol=1e-9)
    assert np.isnan(pattern.gain_dbi)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.txt", "", "end in"),
        ("a.msi", "NAME x\nGAIN 10 dBd\n", "HORIZONTAL"),
        ("a.msi", "GAIN ten\nHORIZONTAL 360\n" + "\n".join(f"{i} 1" for i in range(360)), "VERTICAL"),
        ("a.ant", "0\n" * 719, "719 values"),
        ("a.ant", "5\n" * 720, "Change their sign"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(LayerError, match=says):
        af.read_pattern(tmp_path / name)


def test_missing_gain_and_odd_numbers_name_the_line(tmp_path):
    path = write_msi(tmp_path / "a.msi")
    text = path.read_text()
    path.write_text(text.replace("GAIN 15.5 dBd\n", ""))
    with pytest.raises(LayerError, match="GAIN"):
        af.read_pattern(path)
    path.write_text(text.replace("\n3 ", "\nthree ", 1))
    with pytest.raises(LayerError, match="line 11"):
        af.read_pattern(path)


@pytest.mark.shared("antennas")
def test_third_party_files():
    huawei = af.read_pattern(SHARED / "antennas" / "AMB4520R8v06_05T.msi")
    assert huawei.gain_dbi == pytest.approx(16.95 + 2.15)
    assert huawei.frequency_mhz == 1845
    assert abs(huawei.horizontal_peak_deg) > 10, "this beam stands beside 0 degrees"
    assert huawei.electrical_tilt_deg == 5
    flat, tilted = (af.read_pattern(SHARED / "antennas" / f"B800A065-18-{t}E.pln") for t in (0, 4))
    assert flat.gain_dbi == pytest.approx(13.6 + 2.15)
    assert (flat.electrical_tilt_deg, tilted.electrical_tilt_deg) == (0, 4)
    half = np.flatnonzero(flat.horizontal_db[:180] >= 3.0)[0]
    assert 2 * half == pytest.approx(65, abs=5), "H_WIDTH of the file's own header"
    mobile = af.read_pattern(SHARED / "antennas" / "crc_generic_antenna_radiomobile_v3.ant")
    assert mobile.horizontal_db.shape == mobile.vertical_db.shape == (360,)
    assert abs(mobile.electrical_tilt_deg) <= 2
