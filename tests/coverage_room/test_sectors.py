"""Sectors of the tiny city."""

from dataclasses import replace

import numpy as np
import pytest
from pyproj import Proj

from lcsiting import rules
from lcsiting.coverage import pairs
from lcsiting.coverage.budget import link_budget_table
from lcsiting.coverage.sectors import (
    CLIPPED,
    OFF_NOMINAL,
    build_sectors,
    count_flags,
    noise_dbm,
    path_loss_rows,
    thresholds_dbm,
)
from lcsiting.geo.crs import transform
from lcsiting.radio import linkbudget, pathloss


@pytest.fixture(scope="module")
def sectors(tiny_project):
    return build_sectors(tiny_project)


def test_three_sectors_or_one_omnidirectional(tiny_project, sectors):
    per_station = np.diff(sectors.first)
    micro = tiny_project.stations["micro"].to_numpy()
    assert micro.any()
    np.testing.assert_array_equal(per_station, np.where(micro, 1, 3))
    assert np.isinf(sectors.horizontal_beamwidth_deg[sectors.first[:-1][micro]]).all()
    k = int(np.flatnonzero(~micro)[0])
    np.testing.assert_array_equal(sectors.azimuth_deg[sectors.first[k] : sectors.first[k + 1]], [0, 120, 240])


def test_recorded_azimuths_are_true_and_turned_into_the_grid(tiny_project, sectors):
    """PROJ's own convergence as oracle: the city lies west of the central meridian, so by a negative angle."""
    lon, lat = transform(sectors.x_m, sectors.y_m, tiny_project.config.project.crs, "EPSG:4490")
    north = Proj(tiny_project.config.project.crs).get_factors(lon, lat).meridian_convergence
    assert (north < -0.5).all()
    grid_azimuth = pairs.sector_parameters(sectors)[:, 0]
    turned = sectors.azimuth_deg - np.repeat(north, np.diff(sectors.first))
    np.testing.assert_allclose((grid_azimuth - turned + 180) % 360, 180, atol=1e-4)


def test_power_of_macro_and_micro(tiny_project, sectors):
    stations = tiny_project.stations
    macro = stations.index[(stations["band"] == "n78") & ~stations["micro"]][0]
    assert sectors.eirp_dbm[sectors.first[macro]] == pytest.approx(37.857, abs=1e-3)
    small = stations.index[(stations["band"] == "n78") & stations["micro"]][0]
    assert sectors.eirp_dbm[sectors.first[small]] == pytest.approx(7.857 + 11.0, abs=1e-3)


def test_tilt_stays_within_the_rule(sectors):
    assert sectors.tilt_deg.min() >= 2.0
    assert sectors.tilt_deg.max() <= 12.0


def test_reach_within_band_and_model(tiny_project, sectors):
    stations = tiny_project.stations
    assert np.all(sectors.reach_m[stations["band"] == "n78"] == 3000.0)
    assert np.all(sectors.reach_m[stations["band"] == "n28"] == 5000.0)
    assert np.all(sectors.reach_m <= [pathloss.MODELS[m].distance_m[1] for m in stations["model"]])


def test_coefficients_are_those_of_the_model(tiny_project, sectors):
    for k in (0, 5, 30):
        row = tiny_project.stations.iloc[k]
        loss = pathloss.MODELS[row["model"]].loss_db(700.0, row["frequency_mhz"], bs_height_m=row["height_agl_m"])
        assert pathloss.generic_loss_db(sectors.coefficients[k], 700.0) == pytest.approx(loss, abs=1e-9)


def test_masts_outside_the_range_are_clipped_and_flagged():
    model = np.array(["uma", "uma", "uma", "umi"], dtype=object)
    rows, flags = path_loss_rows(model, np.full(4, 3450.0), np.array([25.0, 40.0, 75.0, 3.0]), 1.5)
    np.testing.assert_array_equal(flags, [0, OFF_NOMINAL, OFF_NOMINAL | CLIPPED, OFF_NOMINAL | CLIPPED])
    np.testing.assert_array_equal(rows[2], pathloss.coefficients("uma", 3450.0, 60.0)[0])


def test_flagged_masts_are_counted(tiny_project, sectors):
    stations = tiny_project.stations
    uma, umi = stations["model"] == "uma", stations["model"] == "umi"
    height = stations["height_agl_m"]
    off = (uma & (height != 25)) | (umi & (height != 10))
    outside = (uma & ~height.between(10, 60)) | (umi & ~height.between(5, 25))
    assert count_flags(sectors) == {
        "mast_off_nominal": off.sum(),
        "mast_outside_range": outside.sum(),
        "frequency_outside_range": 0,
    }


def test_a_choice_of_stations(tiny_project, sectors):
    some = build_sectors(tiny_project, [7, 3])
    np.testing.assert_array_equal(some.station_rows, [7, 3])
    assert some.x_m[0] == sectors.x_m[7]
    assert len(build_sectors(tiny_project, [])) == 0


def test_thresholds_add_margin_and_penetration(tiny_project, sectors):
    thresholds = thresholds_dbm(tiny_project, sectors)
    assert thresholds.shape == (len(sectors.classes), 5, 2)
    i = sectors.classes.index(("n78", "uma"))
    margin = linkbudget.shadow_margin_db(95.0, 6.0, 39.08)  # dense urban
    assert thresholds[i, 0, 0] == pytest.approx(-105 + margin)
    assert thresholds[i, 0, 1] == pytest.approx(-105 + margin + 26.0)
    edge = tiny_project.config.services[0].model_copy(update={"reliability_of": "edge"})
    config = tiny_project.config.model_copy(update={"services": [edge]})
    of_edge = thresholds_dbm(replace(tiny_project, config=config), sectors)
    assert of_edge[i, 0, 0] == pytest.approx(-105 + 6.0 * 1.6448536)
    j = sectors.classes.index(("n41", "uma"))
    assert thresholds[j, 0, 1] == pytest.approx(thresholds[i, 0, 1] - 2.0), "2.6 GHz enters buildings 2 dB better"


def test_a_body_s_loss_is_in_every_threshold_and_in_the_link_budgets(tiny_project, sectors, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "radio.toml").write_text("[body_loss_db]\nvalue = 3.0\n", encoding="utf-8")
    carried = replace(tiny_project, root=tmp_path)
    found = thresholds_dbm(carried, sectors)
    np.testing.assert_allclose(found, thresholds_dbm(tiny_project, sectors) + 3.0)
    services = [service.name for service in tiny_project.config.services]
    orders = {key: row["order"] for key, row in rules.load("morphology").items()}
    table = link_budget_table(carried)
    compared = 0
    for row in table.itertuples():
        if (row.band, row.model) in sectors.classes:
            i, j = sectors.classes.index((row.band, row.model)), orders[row.morphology]
            assert row.required_mean_rsrp_dbm == pytest.approx(found[i, j, services.index(row.service)])
            compared += 1
    assert compared > 5


def test_noise_of_a_band(tiny_project):
    assert noise_dbm(tiny_project, "n78") == pytest.approx(-122.2, abs=0.05)
