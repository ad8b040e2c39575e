"""Path-loss models against values computed elsewhere, and the one-vector form against the formulas."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcsiting.errors import RangeError
from lcsiting.radio import pathloss as pl

ORACLE = Path(__file__).parents[1] / "data" / "oracles" / "tr38901_values.csv"
LOS = {"uma": pl.uma_los_db, "umi": pl.umi_los_db, "rma": pl.rma_los_db}
NLOS = {"uma": pl.uma_nlos_db, "umi": pl.umi_nlos_db, "rma": pl.rma_nlos_db}
P_LOS = {"uma": pl.uma_los_probability, "umi": pl.umi_los_probability, "rma": pl.rma_los_probability}


def oracle_rows():
    lines = [line for line in ORACLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


@pytest.mark.parametrize(
    "row", oracle_rows(), ids=lambda r: f"{r['scenario']}-{r['frequency_ghz']}-{r['distance_2d_m']}"
)
def test_tr38901_to_the_printed_digit(row):
    name, d, f = row["scenario"], float(row["distance_2d_m"]), 1000 * float(row["frequency_ghz"])
    heights = {"bs_height_m": float(row["bs_height_m"]), "ue_height_m": float(row["ue_height_m"])}
    half = 0.5 * 10.0**-3 + 1e-9
    assert LOS[name](d, f, **heights) == pytest.approx(float(row["los_db"]), abs=half)
    assert NLOS[name](d, f, **heights) == pytest.approx(float(row["nlos_db"]), abs=half)
    assert P_LOS[name](d) == pytest.approx(float(row["los_probability"]), abs=0.5e-5 + 1e-9)
    if row["breakpoint_m"]:
        half = 0.5 * 10.0 ** -decimals(row["breakpoint_m"]) + 1e-9
        assert pl.breakpoint_m(name, f, **heights) == pytest.approx(float(row["breakpoint_m"]), abs=half)


def test_the_mean_weights_the_two_states_in_db():
    d = np.array([50.0, 300.0, 2000.0])
    p = pl.uma_los_probability(d)
    expected = p * pl.uma_los_db(d, 3500) + (1 - p) * pl.uma_nlos_db(d, 3500)
    np.testing.assert_allclose(pl.uma(d, 3500), expected, rtol=0, atol=1e-12)


def test_los_is_certain_next_to_the_mast():
    assert pl.uma_los_probability(18.0) == 1.0
    assert pl.umi_los_probability(5.0) == 1.0
    assert pl.rma_los_probability(10.0) == 1.0
    assert pl.uma_los_probability(200.0, ue_height_m=22.0) > pl.uma_los_probability(200.0, ue_height_m=1.5)


def test_hata_worked_example():
    # 900 MHz, 30 m mast, 1.5 m terminal, 1 km: 69.55 + 77.28 - 20.41 - 0.016 = 126.40 dB (medium city)
    assert pl.okumura_hata(1000.0, 900.0) == pytest.approx(126.40, abs=0.01)
    # slope at 30 m is 35.22 dB per decade
    assert pl.okumura_hata(10_000.0, 900.0) - pl.okumura_hata(1000.0, 900.0) == pytest.approx(35.22, abs=0.01)
    assert pl.okumura_hata(5000.0, 900.0, area="suburban") == pytest.approx(
        pl.okumura_hata(5000.0, 900.0) - 2 * np.log10(900 / 28) ** 2 - 5.4
    )
    assert pl.okumura_hata(5000.0, 900.0, area="open") < pl.okumura_hata(5000.0, 900.0, area="suburban")


def test_cost231_worked_example():
    # 1800 MHz, 30 m, 1.5 m, 1 km: 46.3 + 110.36 - 20.41 - 0.04 = 136.20 dB; metropolitan 3 dB more
    assert pl.cost231_hata(1000.0, 1800.0) == pytest.approx(136.2, abs=0.02)
    assert pl.cost231_hata(1000.0, 1800.0, area="large_city") == pytest.approx(139.2, abs=0.02)


def test_free_space_is_the_itu_figure():
    # P.525: 32.4 + 20 lg f(MHz) + 20 lg d(km)
    assert pl.free_space(1000.0, 1000.0) == pytest.approx(92.45, abs=0.005)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: pl.uma(9.0, 3500), "distance_m"),
        (lambda: pl.uma(5001.0, 3500), "distance_m"),
        (lambda: pl.uma(100.0, 400), "frequency_mhz"),
        (lambda: pl.uma(100.0, 3500, bs_height_m=61.0), "bs_height_m"),
        (lambda: pl.umi(100.0, 3500, bs_height_m=26.0), "bs_height_m"),
        (lambda: pl.rma(100.0, 3500, ue_height_m=11.0), "ue_height_m"),
        (lambda: pl.rma_nlos_db(100.0, 3500, street_width_m=60.0), "street_width_m"),
        (lambda: pl.rma_los_db(10_001.0, 3500), "distance_m"),
        (lambda: pl.rma_nlos_db(5001.0, 3500), "distance_m"),
        (lambda: pl.rma(5001.0, 3500), "distance_m"),
        (lambda: pl.okumura_hata(500.0, 900), "distance_m"),
        (lambda: pl.cost231_hata(1500.0, 2130), "frequency_mhz"),
        (lambda: pl.cost231_hata(1500.0, 1800, area="open"), "open"),
        (lambda: pl.coefficients("itm", 900, 30), "itm"),
        (lambda: pl.coefficients("uma", 3500, 25, 20.0), "ue_height_m"),
    ],
)
def test_outside_the_range_is_an_error_that_names_it(call, word):
    with pytest.raises(RangeError, match=word):
        call()


def test_rma_in_sight_goes_to_ten_kilometres():
    """Table 7.4.1-1: beyond the break point 40 dB per decade of slant distance."""
    near, far = pl.rma_los_db([5000.0, 10_000.0], 773.0)
    assert pl.breakpoint_m("rma", 773.0, 35.0) < 5000
    assert far - near == pytest.approx(40 * np.log10(np.hypot(10_000, 33.5) / np.hypot(5000, 33.5)), abs=1e-9)


def test_mast_heights_off_the_report_are_computed_and_flagged():
    assert pl.uma(500.0, 3500, bs_height_m=45.0) > 0
    np.testing.assert_array_equal(pl.off_nominal("uma", [25.0, 45.0]), [False, True])
    np.testing.assert_array_equal(pl.off_nominal("rma", [25.0, 45.0]), [False, False])


@pytest.mark.parametrize("model", pl.MODELS)
def test_scalars_arrays_and_nan(model):
    valid = pl.MODELS[model]
    f, d = sum(valid.frequency_mhz) / 2, np.geomspace(*valid.distance_m, 7)
    array = valid.loss_db(d, f)
    assert [valid.loss_db(float(v), f) for v in d] == pytest.approx(list(array))
    assert isinstance(valid.loss_db(float(d[0]), f), float)
    assert np.isnan(valid.loss_db(np.nan, f))
    assert np.all(np.diff(array) > 0), "loss grows with distance"


@pytest.mark.parametrize("model", pl.MODELS)
@given(share=st.tuples(*[st.floats(0, 1)] * 3))
def test_one_vector_equals_the_model(model, share):
    valid = pl.MODELS[model]
    f = valid.frequency_mhz[0] * (valid.frequency_mhz[1] / valid.frequency_mhz[0]) ** share[0]
    f = min(max(f, valid.frequency_mhz[0]), valid.frequency_mhz[1])
    bs = valid.bs_height_m[0] + share[1] * (valid.bs_height_m[1] - valid.bs_height_m[0])
    d = np.geomspace(*valid.distance_m, 60)[1:-1]
    row = pl.coefficients(model, f, bs)[0]
    np.testing.assert_allclose(
        pl.generic_loss_db(row, d), valid.loss_db(d, f, bs_height_m=bs, ue_height_m=1.5), rtol=0, atol=1e-9
    )


def test_vectors_of_many_stations_at_once():
    rows = pl.coefficients("uma", [700.0, 3500.0], [25.0, 40.0])
    assert rows.shape == (2, len(pl.COLUMNS))
    np.testing.assert_array_equal(rows[1], pl.coefficients("uma", 3500.0, 40.0)[0])


def test_nearer_than_the_report_the_loss_stays():
    row = pl.coefficients("uma", 3500.0, 25.0)[0]
    assert pl.generic_loss_db(row, 0.0) == pl.generic_loss_db(row, 10.0)
    hata = pl.coefficients("okumura_hata", 900.0, 30.0)[0]
    near = pl.generic_loss_db(hata, np.array([10.0, 100.0, 999.0]))
    assert np.all(near >= pl.free_space(np.array([10.0, 100.0, 999.0]), 900.0) - 1e-9)


def test_slope_used_for_area_reliability():
    assert pl.slope_db_per_decade("uma") == pytest.approx(39.08)
    assert pl.slope_db_per_decade("umi") == pytest.approx(35.3)
    assert pl.slope_db_per_decade("rma") == pytest.approx(43.42 - 3.1 * np.log10(35))
    assert pl.slope_db_per_decade("free_space") == pytest.approx(20.0)
