"""Places, stations and demand cells of the tiny city."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_city import build_tiny_project, tiny_config

from lcsiting import rules
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("移动:n41;电信:n78", [("移动", "n41"), ("电信", "n78")]),
        ("移动N41、联通：n78", [("移动", "n41"), ("联通", "n78")]),
        ("", []),
        (None, []),
        (float("nan"), []),
        ("4G", []),
    ],
)
def test_what_is_on_air_is_read_from_planners_text(text, expected):
    assert derive.parse_on_air(text) == expected


def test_every_host_becomes_a_place_and_every_place_a_station_per_network(tiny_project):
    layers = tiny_project.layers
    assert len(tiny_project.places) == len(layers["existing"]) + len(layers["candidates"])
    assert len(tiny_project.stations) == 2 * len(tiny_project.places)
    assert tiny_project.stations["station_id"].is_unique


def test_band_follows_morphology_and_what_is_on_air_keeps_its_own(tiny_project):
    stations = tiny_project.stations.set_index("station_id")
    assert stations.loc["LC000-N1", ["band", "on_air", "on_air_holders"]].tolist() == ["n41", True, "移动"]
    assert stations.loc["LC001-N2", "on_air"] == np.False_
    morphology = tiny_project.places["morphology"].to_numpy()[stations["place"]]
    waiting = ~stations["on_air"]
    rural = waiting & np.isin(morphology, ["village", "rural"])
    assert set(stations.loc[rural & (stations["network_index"] == 0), "band"]) == {"n28"}
    assert set(stations.loc[waiting & ~rural & (stations["network_index"] == 1), "band"]) == {"n78"}


def test_action_and_cost_of_existing_places(tiny_project):
    places = tiny_project.places.set_index("place_id")
    assert places.loc["LC000", "action"] == "reuse", "on air, though no level is free"
    assert places.loc["LC006", ["action", "cost"]].tolist() == ["refit", 0.60]
    assert places.loc["LC002", ["action", "cost"]].tolist() == ["reuse", 0.35]
    assert (tiny_project.stations["second_cost"] == 0.35).all()


def test_missing_heights_take_the_default_of_their_kind_and_are_flagged(tiny_project):
    places = tiny_project.places
    candidates = places[places["source"] != "existing"]
    kinds = rules.load("site_kinds")
    assert candidates["height_default"].all() and not places.loc[places["source"] == "existing", "height_default"].any()
    assert (candidates["height_agl_m"] == candidates["host_kind"].map(lambda k: kinds[k]["height_agl_m"])).all()


def test_low_masts_in_town_use_the_street_model(tiny_project):
    stations = tiny_project.stations.merge(tiny_project.places[["place_id", "morphology"]], on="place_id")
    low = stations["height_agl_m"].le(15) & stations["morphology"].isin(["urban", "dense_urban"])
    assert low.any() and (stations.loc[low, "model"] == "umi").all()


def test_demand_cells_add_up_to_the_people_and_the_area(tiny_project):
    cells = derive.demand_cells(tiny_project)
    assert cells["people"].sum() == pytest.approx(float(tiny_project.population.array.sum()), rel=1e-6)
    assert cells["area_km2"].sum() == pytest.approx(144.0)
    assert cells["county"].value_counts().to_dict() == {"371502": 7200, "371503": 7200}


def test_tiers_by_hand(tiny_project):
    cells = derive.demand_cells(tiny_project)
    area = cells.groupby("tier")["area_km2"].sum()
    assert area[1] == pytest.approx(12.0) and area[2] == pytest.approx(5.0) and area[3] == pytest.approx(1.0)


def test_coarser_demand_cells_keep_the_total():
    project = build_tiny_project(tiny_config(demand={"resolution_m": 200}))
    cells = derive.demand_cells(project)
    assert len(cells) == 3600
    assert cells["people"].sum() == pytest.approx(float(project.population.array.sum()), rel=1e-6)


def test_columns_a_file_does_not_have_become_empty_texts(tiny_project):
    """A list of names and points is enough; missing columns arrive as floats of nothing."""
    bare = tiny_project.layers["candidates"][["place_id", "host_kind", "geometry"]].copy()
    for name in tiny_project.layers["candidates"].columns.difference(bare.columns):
        bare[name] = np.nan
    layers = {**tiny_project.layers, "candidates": bare, "existing": tiny_project.layers["existing"].iloc[:0]}
    places = derive.derive_places(
        tiny_project.config, tiny_project.root, layers, tiny_project.clutter, tiny_project.grid
    )
    assert set(places["source"]) == {"public"} and set(places["owner"]) == {""}
    assert (places["fee_yuan"] == 0).all() and places["height_default"].all()


def test_every_band_on_air_is_a_station_of_its_own(tiny_project):
    """A second band of the same network must not vanish: it covers, counts and is coordinated."""
    existing = tiny_project.layers["existing"].copy()
    existing.loc[0, "on_air"] = "电信:n1;联通:n78;移动:n28;广电:n28;移动:n999"
    layers = {**tiny_project.layers, "existing": existing}
    places = derive.derive_places(
        tiny_project.config, tiny_project.root, layers, tiny_project.clutter, tiny_project.grid
    )
    stations = derive.derive_stations(tiny_project.config, tiny_project.root, places)
    there = stations[stations["place_id"] == "LC000"].set_index("station_id")
    assert there["band"].to_dict() == {"LC000-N1": "n28", "LC000-N2": "n1", "LC000-N2-n78": "n78"}
    assert there["on_air_holders"].to_dict() == {"LC000-N1": "移动+广电", "LC000-N2": "电信", "LC000-N2-n78": "联通"}
    assert there["on_air"].all() and stations["station_id"].is_unique


@pytest.mark.parametrize("cell_m", [50.0, 70.0, 230.0])
def test_people_of_cells_do_not_depend_on_the_rows_read_at_a_time(tmp_path, monkeypatch, cell_m):
    """From memory at once, and from a file a row of cells at a time; every person is in one cell."""
    project = build_tiny_project(tiny_config(demand={"resolution_m": cell_m}))
    path = raster.write_raster(tmp_path / "people.tif", project.population)
    left = replace(project, population=replace(project.population, array=None, path=path))
    at_once = derive.demand_cells(project)
    monkeypatch.setattr(raster, "BAND_PIXELS", 1)
    np.testing.assert_array_equal(derive.demand_cells(left)["people"], at_once["people"])
    cells, pixels = derive.demand_grid(project), project.population
    x_m, y_m = np.meshgrid(*raster.cell_centres(project.grid))
    row, col, _ = raster.row_col(cells, x_m.ravel(), y_m.ravel())
    expected = np.zeros((cells.rows, cells.cols))
    np.add.at(expected, (row, col), pixels.array.ravel().astype(float))
    np.testing.assert_allclose(at_once["people"], expected[at_once["row"], at_once["col"]], rtol=1e-12)
