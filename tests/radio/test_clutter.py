"""P.2108, P.2109 and outdoor-to-indoor loss against published rows."""

import numpy as np
import pytest
from oracle_rows import rows
from scipy.stats import norm

from lcsiting.errors import RangeError
from lcsiting.radio import clutter

# Clutter types as numbered in the published rows.
TYPES = {"1": "water", "2": "open", "3": "suburban", "4": "urban", "5": "trees", "6": "dense_urban"}
BUILDINGS = {"1": "traditional", "2": "thermally_efficient"}


@pytest.mark.parametrize("row", rows("p2108_height_gain.csv"), ids=lambda row: ",".join(list(row.values())[:5]))
def test_height_gain_model_to_the_printed_digit(row):
    def answer():
        return clutter.terminal_clutter_db(
            float(row["f__ghz"]) * 1000,
            float(row["h__meter"]),
            TYPES[row["clutter_type"]],
            clutter_height_m=float(row["R__meter"]),
            street_width_m=float(row["w_s__meter"]),
        )

    if row["rtn"] != "0":
        with pytest.raises(RangeError):
            answer()
    else:
        assert round(float(answer()), 1) == float(row["A_h__db"])


@pytest.mark.parametrize("row", rows("p2108_terrestrial.csv"), ids=lambda row: ",".join(list(row.values())[:3]))
def test_statistical_model_to_the_printed_digit(row):
    def answer():
        return clutter.terrestrial_clutter_db(float(row["f__ghz"]) * 1000, float(row["d__km"]) * 1000, float(row["p"]))

    if row["rtn"] != "0":
        with pytest.raises(RangeError):
            answer()
    else:
        assert round(float(answer()), 1) == float(row["L_ctt__db"])


def test_default_clutter_heights_are_those_of_the_table():
    for name, height in {"open": 10, "suburban": 10, "urban": 15, "trees": 15, "dense_urban": 20}.items():
        given = clutter.terminal_clutter_db(1500, 2.0, name, clutter_height_m=height)
        assert clutter.terminal_clutter_db(1500, 2.0, name) == given


def test_statistical_model_stops_growing_at_two_kilometres_and_grows_with_the_share():
    distances = np.array([250.0, 500.0, 1000.0, 2000.0, 5000.0, 50_000.0])
    losses = clutter.terrestrial_clutter_db(3500, distances, 50)
    assert np.all(np.diff(losses[:4]) > 0)
    assert losses[3] == losses[4] == losses[5]
    assert np.all(np.diff(clutter.terrestrial_clutter_db(3500, 1000, [5, 20, 50, 80, 99])) > 0)
    with pytest.raises(RangeError, match="1000"):
        clutter.terrestrial_clutter_db(3500, 500, 50, both_ends=True)


def test_building_entry_loss_equals_every_published_row():
    table = rows("p2109.csv")
    assert len(table) == 323
    for building, name in BUILDINGS.items():
        part = [row for row in table if row["building type"] == building]
        ours = clutter.entry_loss_db(
            [float(row["freqency (GHz)"]) * 1000 for row in part],
            [float(row["probability (%)"]) for row in part],
            name,
            [float(row["elevation angle (deg)"]) for row in part],
        )
        np.testing.assert_allclose(ours, [float(row["building entry loss (dB)"]) for row in part], atol=1e-6)


def test_entry_loss_quantile_is_a_distribution():
    shares = np.linspace(1, 99, 99)
    assert np.all(np.diff(clutter.entry_loss_db(3500, shares)) > 0)
    # Far out in the tail term A dominates: one more deviation adds sigma_1 = 9.6 + 2 log10(3.5).
    far = clutter.entry_loss_db(3500, [100 * norm.cdf(3), 100 * norm.cdf(4)])
    assert far[1] - far[0] == pytest.approx(9.6 + 2 * np.log10(3.5), abs=0.01)


@pytest.mark.parametrize(
    ("model", "release", "wall_db"), [("low", 16, 12.70), ("low", 19, 12.70), ("high", 16, 26.85), ("high", 19, 27.50)]
)
def test_outdoor_to_indoor_wall_at_3500_mhz(model, release, wall_db):
    assert clutter.o2i_wall_db(3500, model, release=release) == pytest.approx(wall_db, abs=0.005)
    assert clutter.o2i_loss_db(3500, 10, model, release=release) == pytest.approx(wall_db + 5, abs=0.005)


def test_outdoor_to_indoor_sigma():
    assert (clutter.o2i_sigma_db("low"), clutter.o2i_sigma_db("high")) == (4.4, 6.5)


def test_nan_passes_and_refusals_name_the_unit():
    assert np.isnan(clutter.terminal_clutter_db(1500, np.nan, "urban"))
    assert np.isnan(clutter.terrestrial_clutter_db(3500, np.nan, 50))
    assert np.isnan(clutter.entry_loss_db(np.nan, 50))
    assert np.isnan(clutter.o2i_wall_db(np.nan))
    with pytest.raises(RangeError, match="MHz"):
        clutter.o2i_wall_db(300)
    with pytest.raises(RangeError, match="16, 19"):
        clutter.o2i_wall_db(3500, release=15)
    with pytest.raises(RangeError, match="per cent"):
        clutter.entry_loss_db(3500, 100)
