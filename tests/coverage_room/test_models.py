"""A network may name its path-loss model: extrapolation is flagged and counted, terrain decides the line of sight."""

import numpy as np
import pytest
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

from lcsiting.coverage.coverage import predict_coverage
from lcsiting.coverage.sectors import EXTRAPOLATED, FREQUENCY, build_sectors, count_flags
from lcsiting.errors import ConfigError
from lcsiting.geo.grid import cell_centres
from lcsiting.radio import pathloss


def city(model: str, **changes):
    networks = [{**RAW_CONFIG["networks"][0], "model": model}, RAW_CONFIG["networks"][1]]
    return build_tiny_project(tiny_config(networks=networks, **changes))


def test_hata_is_extrapolated_never_silently():
    """Nearer than 1 km its line goes on, not below free space; beyond 1500 MHz the formula goes on: both counted."""
    project = city("okumura_hata")
    sectors = build_sectors(project)
    mine = (project.stations["network_index"] == 0).to_numpy()
    high = mine & (project.stations["frequency_mhz"] > 1500).to_numpy()
    np.testing.assert_array_equal((sectors.flags & FREQUENCY) > 0, high)
    assert count_flags(sectors)["frequency_outside_range"] == high.sum() > 0
    first = project.config.networks[0].name
    today = predict_coverage(project, None, 2019)
    layers = today.layers[first]
    best, flags = layers["best_sector"].array, layers["model_flags"].array
    place = project.stations.set_index("station_id")["place"].loc[today.sectors["station_id"].to_numpy()]
    at = project.places.geometry.iloc[place]
    x, y = np.meshgrid(*cell_centres(project.grid))
    d = np.hypot(x - at.x.to_numpy()[best], y - at.y.to_numpy()[best])
    np.testing.assert_array_equal(flags == EXTRAPOLATED, (best >= 0) & (d < 1000.0))
    assert today.flags[first]["extrapolated_pixels"] == (flags == EXTRAPOLATED).sum() > 0
    assert today.flags[first]["near_field_pixels"] == 0


@pytest.mark.parametrize("model", ["uma", "umi", "rma", "okumura_hata", "cost231_hata", "free_space"])
def test_every_statistical_model_goes_through_the_tile_kernel(model):
    """A lone pixel far from everything else has the model's own loss."""
    project = city(model)
    stations = project.stations
    assert (stations.loc[stations["network_index"] == 0, "model"] == model).all()
    k = int(np.flatnonzero((stations["network_index"] == 0) & (stations["band"] == "n28"))[0])
    sectors = build_sectors(project, [k])
    low, high = pathloss.MODELS[model].bs_height_m if model in pathloss.MODELS else (0, 1e9)
    mast = float(np.clip(stations["height_agl_m"][k], low, high))
    if model == "cost231_hata":  # 773 MHz lies below it: the formula goes on, flagged
        assert sectors.flags[0] & FREQUENCY
        return
    expected = pathloss.MODELS[model].loss_db(1500.0, 773.0, bs_height_m=mast)
    assert pathloss.generic_loss_db(sectors.coefficients[0], 1500.0) == pytest.approx(expected, abs=1e-9)


def test_line_of_sight_from_the_dem_on_a_bare_plain_is_line_of_sight():
    """The tiny city's DEM is flat; its clutter hides some pixels, none of those in open land near a mast."""
    by_chance = build_tiny_project(tiny_config())
    by_dem = build_tiny_project(tiny_config(propagation={"los": "dem"}))
    a, b = (predict_coverage(project, None, 2019) for project in (by_chance, by_dem))
    name = by_chance.config.networks[0].name
    chance, decided = a.layers[name]["rsrp_dbm"].array, b.layers[name]["rsrp_dbm"].array
    np.testing.assert_array_equal(np.isfinite(chance), np.isfinite(decided))
    better = decided - chance
    assert (better[np.isfinite(better)] > 1.0).any() and (better[np.isfinite(better)] < -1.0).any()


def test_an_unknown_model_or_pattern_band_is_refused():
    with pytest.raises(ConfigError, match="model"):
        city("itm")
    networks = [{**RAW_CONFIG["networks"][0], "patterns": {"n99": "x.msi"}}, RAW_CONFIG["networks"][1]]
    with pytest.raises(ConfigError, match="n99"):
        tiny_config(networks=networks)
