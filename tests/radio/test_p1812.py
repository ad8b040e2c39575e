"""ITU-R P.1812 against every published log, and location variability and entry loss against their formulas."""

import math

import numpy as np
import pytest
from oracle_rows import profile, rows
from scipy.special import ndtri

from lcsiting.errors import RangeError
from lcsiting.radio import clutter, p1812
from lcsiting.radio.profile import mid_path_latitude_deg

# Name in the log -> ours, where they differ by more than the unit and the equation number.
RENAMED = {
    "d (km)": "dtot",
    "th_t (mrad) Eqs (76-78)": "theta_t",
    "th_r (mrad) Eqs (79-81)": "theta_r",
    "th (mrad) Eq (82)": "theta",
    "w Table 5": "omega",
    "hst (m) Eq (85)": "hst_n",
    "hsr (m) Eq (86)": "hsr_n",
    "htc (m) Eq (37a)": "htc_prime",
    "hrc (m) Eq (37b)": "hrc_prime",
}
INPUTS = {"phi (deg) Eq (4)", "Ep (dBuV/m) w.r.t. Ptx, Gtx, Grx"}
CITY = {
    "distance_m": np.arange(0, 5001, 50.0),
    "ground_m": 30 + 3 * np.sin(np.arange(101) / 7),
    "clutter_m": np.where(np.arange(101) % 9 > 5, 12.0, 0.0),
    "frequency_mhz": 2600.0,
    "time_pct": 50.0,
    "tx_height_agl_m": 35.0,
    "rx_height_agl_m": 1.5,
    "path_latitude_deg": 36.456,
    "delta_n": 40.06,
    "n0": 320.5,
}


def published(row: dict[str, str], **changes):
    """Our answer to the question of one published log."""
    arguments = {
        **profile("p1812_profiles.csv", row["profile"]),
        "frequency_mhz": float(row["f (GHz)"]) * 1000,
        "time_pct": float(row["p (%)"]),
        "tx_height_agl_m": float(row["htg (m)"]),
        "rx_height_agl_m": float(row["hrg (m)"]),
        "polarization": {"1": "horizontal", "2": "vertical"}[row["pol"]],
        "path_latitude_deg": float(row["phi (deg) Eq (4)"]),
        "delta_n": float(row["DN"]),
        "n0": float(row["N0"]),
        "tx_coast_km": float(row["dct (km)"]),
        "rx_coast_km": float(row["dcr (km)"]),
    }
    return p1812.loss_db(**(arguments | changes))


@pytest.mark.parametrize(
    "row", rows("p1812_results.csv"), ids=lambda row: f"{row['profile']}-{row['f (GHz)']}-{row['p (%)']}"
)
def test_every_published_log_and_intermediate(row):
    ours = published(row, details=True)
    names = list(row)[list(row).index("d (km)") :]
    compared = 0
    for column in names:
        if column in INPUTS:
            continue
        name = RENAMED.get(column, column.split(" ")[0])
        expected = float(row[column])
        if name == "Lbd":
            # The logs print Lbd after it has been overwritten; hold it to eq. (43).
            expected = float(row["Lb0p Eq (10)"]) + float(row["Ldp (dB) Eq (41)"])
        assert ours[name] == pytest.approx(expected, abs=1e-6), column
        compared += 1
    assert compared == 49


@pytest.mark.parametrize(
    "row", rows("p1812_vertical.csv"), ids=lambda row: f"{row['profile']}-{row['f (GHz)']}-{row['p (%)']}"
)
def test_published_field_strength_in_vertical_polarization(row):
    key = ("profile", "f (GHz)", "p (%)")
    log = next(log for log in rows("p1812_results.csv") if all(log[k] == row[k] for k in key))
    ours = published(log, polarization="vertical", details=True)["Ep"] + 10 * math.log10(float(log["Ptx (kW)"]))
    assert ours == pytest.approx(float(row["Ep (dBuV/m) w.r.t. Ptx"]), abs=1e-6)


def test_one_kilometre_with_uneven_clutter():
    """Published shortest path (Py1812 validation set, b2iseac_rural_land_1km): 1, 10 and 50 per cent."""
    losses = [
        p1812.loss_db(
            np.arange(6) * 200.0,
            [754.4, 754.4, 729.9, 685.3, 634.3, 610.3],
            clutter_m=np.full(6, 10.0),
            frequency_mhz=95.3,
            time_pct=p,
            tx_height_agl_m=60,
            rx_height_agl_m=7,
            polarization="horizontal",
            path_latitude_deg=53.18551669,
            delta_n=45,
            n0=326.079979,
        )
        for p in (1, 10, 50)
    ]
    np.testing.assert_allclose(losses, [87.03854330, 87.30268122, 87.48987104], atol=1e-7)


def test_land_coast_and_sea_on_uneven_steps():
    """Published path b2iseac: steps of 0.2 to 2 km, 1, 10 and 50 per cent; the only one that tells midpoints apart."""
    ends = 53.1833333333, -6.3333333333, 54.1666666667, -3.1833333333
    path = profile("p1812_profiles.csv", "b2iseac")
    asked = {
        "frequency_mhz": 95.3, "tx_height_agl_m": 60, "rx_height_agl_m": 7, "polarization": "horizontal",
        "path_latitude_deg": mid_path_latitude_deg(*ends, path["distance_m"][-1]), "delta_n": 45, "n0": 326.079979,
    }  # fmt: skip
    details = [p1812.loss_db(**path, **asked, time_pct=p, details=True) for p in (1, 10, 50)]
    losses = [one["Lb"] for one in details]
    np.testing.assert_allclose(losses, [129.09691256, 138.63514196, 160.07345725], atol=1e-7)
    zones = [details[0][name] for name in ("dtm", "dlm", "omega", "b0")]
    np.testing.assert_allclose(zones, [17.5, 12.5, 0.9096129307, 4.26330636], atol=1e-8)


def test_clutter_at_the_two_end_points_is_left_out():
    bare = p1812.loss_db(**CITY)
    ends = CITY["clutter_m"].copy()
    ends[[0, -1]] = 100.0
    assert p1812.loss_db(**(CITY | {"clutter_m": ends})) == bare
    second = CITY["clutter_m"].copy()
    second[-2] = 100.0
    assert p1812.loss_db(**(CITY | {"clutter_m": second})) > bare + 10


@pytest.mark.parametrize("pct", [70, 90, 95, 99])
def test_location_variability_adds_quantile_times_sigma(pct):
    median = p1812.loss_db(**CITY)
    wider = p1812.loss_db(**CITY, location_pct=pct, location_sigma_db=5.5)
    assert wider - median == pytest.approx(ndtri(pct / 100) * 5.5, abs=0.003)
    assert p1812.loss_db(**CITY, location_pct=95, location_sigma_db=1.0) - median == pytest.approx(1.645, abs=1e-3)


def test_location_sigma_from_the_resolution():
    # (0.52 + 0.024 * 2.6) * 100^0.28 = 2.11...; u(h) = 1 below the clutter, 0.5 at 5 m above, 0 from 10 m.
    full = (0.52 + 0.024 * 2.6) * 100**0.28
    shares = {0.0: 0.85, 1.5: 1.0, 20.0: 1.0}
    for rx_clutter, share in shares.items():
        details = p1812.loss_db(**CITY, location_pct=95, resolution_m=100, rx_clutter_m=rx_clutter, details=True)
        assert details["sigma_loc"] == pytest.approx(full * share, rel=1e-12)
        assert details["Lb"] - details["Lbc"] == pytest.approx(1.645 * full * share, abs=2e-3)
    assert p1812.outdoor_sigma_db(2600, 100, 15, 10) == pytest.approx(full / 2)
    assert p1812.outdoor_sigma_db(2600, 100, 20, 10) == 0


def test_few_locations_never_fall_below_the_line_of_sight_floor():
    details = p1812.loss_db(**CITY, location_pct=1, location_sigma_db=20, details=True)
    assert details["Lb"] == details["Lb0p"]


def test_no_location_variability_over_sea():
    sea = np.full(101, 3)
    question = CITY | {"zone": sea}
    assert p1812.loss_db(**question, location_pct=95, location_sigma_db=5.5) == p1812.loss_db(**question)


def test_constant_entry_loss_adds_its_median_and_joins_sigma():
    outdoor = p1812.loss_db(**CITY)
    assert p1812.loss_db(**CITY, entry_loss=15.0) - outdoor == pytest.approx(15.0, abs=1e-12)
    both = p1812.loss_db(**CITY, entry_loss=(15.0, 6.0), location_sigma_db=5.5, location_pct=95)
    assert both - outdoor == pytest.approx(15 + 1.645 * math.hypot(6.0, 5.5), abs=5e-3)


@pytest.mark.parametrize("building", ["traditional", "thermally_efficient"])
def test_entry_loss_of_a_building_type_is_that_of_p2109(building):
    outdoor = p1812.loss_db(**CITY)
    for pct in (50, 80, 95):
        indoor = p1812.loss_db(**CITY, entry_loss=building, location_pct=pct, location_sigma_db=0.0)
        assert indoor - outdoor == pytest.approx(float(clutter.entry_loss_db(2600, pct, building)), abs=1e-9)


def test_field_strength_and_loss_belong_together():
    details = p1812.loss_db(**CITY, details=True)
    assert details["Ep"] == pytest.approx(199.36 + 20 * math.log10(2.6) - details["Lb"], abs=1e-12)
    assert details["Lb"] == p1812.loss_db(**CITY)


def test_nan_gives_nan():
    for name in ("frequency_mhz", "time_pct", "rx_height_agl_m", "n0"):
        assert math.isnan(p1812.loss_db(**(CITY | {name: math.nan})))
    ground = CITY["ground_m"].copy()
    ground[3] = np.nan
    assert math.isnan(p1812.loss_db(**(CITY | {"ground_m": ground}), details=True)["Ep"])
    assert math.isnan(p1812.loss_db(**CITY, location_pct=math.nan, location_sigma_db=5.5))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frequency_mhz": 6001.0}, "MHz"),
        ({"time_pct": 0.9}, "per cent"),
        ({"location_pct": 99.5, "location_sigma_db": 5.5}, "per cent"),
        ({"location_pct": 95.0}, "location_sigma_db"),
        ({"entry_loss": "wooden"}, "traditional"),
        ({"tx_height_agl_m": 3001.0}, " m "),
        ({"distance_m": CITY["distance_m"] / 25}, "250 .* m "),
    ],
)
def test_refusals_say_what_and_in_which_unit(change, words):
    with pytest.raises(RangeError, match=words):
        p1812.loss_db(**(CITY | change))
