"""Figures by area and reach, counted by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from shapely import Point, box

from lcsiting import schema
from lcsiting.coverage import statistics

OUT, IN = "outdoor", "indoor"


@pytest.fixture
def made_up(tiny_project):
    """Network A serves the west half outdoors, network B a middle strip outdoors and indoors."""
    grid = tiny_project.grid
    shape = (grid.rows, grid.cols)
    served = {net: {name: np.zeros(shape, np.uint8) for name in (OUT, IN)} for net in ("A", "B")}
    served["A"][OUT][:, : grid.cols // 2] = 1
    served["B"][OUT][:, grid.cols // 4 : 3 * grid.cols // 4] = 1
    served["B"][IN][:, grid.cols // 4 : grid.cols // 2] = 1
    return tiny_project, served, np.ones(shape, bool)


def row(table, **keys):
    for key, value in keys.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_shares_by_hand(made_up):
    table = statistics.area_statistics(*made_up, year=2023)
    assert list(table.columns) == list(schema.table("statistics").columns)
    assert row(table, level="city", network="A", service=OUT).area_share == pytest.approx(0.5)
    assert row(table, level="city", network="all", service=OUT).area_share == pytest.approx(0.75)
    assert row(table, level="city", network="all", service=IN).area_share == pytest.approx(0.25)
    west = row(table, level="county", code="371502", network="B", service=OUT)
    assert west.area_share == pytest.approx(0.5)
    assert west.area_km2 == pytest.approx(72.0)
    assert row(table, level="urban", network="A", service=OUT).people_share == pytest.approx(1.0)
    assert row(table, level="park", network="A", service=OUT).covered_people == 0.0


def test_people_of_the_city_are_those_of_the_raster(made_up):
    table = statistics.area_statistics(*made_up, year=2023)
    total = made_up[0].population.array.astype(float).sum()
    assert row(table, level="city", network="A", service=OUT).people == pytest.approx(total, abs=1e-3)


def test_counties_add_up_to_the_city_to_the_last_bit(made_up):
    project, served, inside = made_up
    people = np.random.default_rng(3).gamma(0.3, 7.0, inside.shape).astype(np.float32)
    project = replace(project, population=replace(project.population, array=people))
    table = statistics.area_statistics(project, served, inside, 2023)
    for (network, service), rows in table.groupby(["network", "service"]):
        county = rows[rows.level == "county"].sample(frac=1.0, random_state=1)
        city = row(table, level="city", network=network, service=service)
        for column in ("area_km2", "people", "covered_area_km2", "covered_people"):
            assert county[column].sum() == city[column]


def test_overlapping_areas_are_each_counted_whole(made_up):
    project, served, inside = made_up
    x0, y0 = project.grid.x0_m, project.grid.y0_m - project.grid.rows * project.grid.resolution_m
    parks = [box(x0, y0, x0 + 1000, y0 + 1000), box(x0 + 500, y0, x0 + 1500, y0 + 1000)]
    layer = project.layers["boundaries"]
    extra = layer[layer.level == "park"].iloc[[0, 0]].copy()
    extra["code"] = ["P1", "P2"]
    extra = extra.set_geometry(parks, crs=layer.crs)
    layers = {**project.layers, "boundaries": pd.concat([layer, extra], ignore_index=True)}
    table = statistics.area_statistics(replace(project, layers=layers), served, inside, 2023)
    for code in ("P1", "P2"):
        assert row(table, code=code, network="A", service=OUT).area_km2 == pytest.approx(1.0)


def test_village_reach_by_hand(made_up):
    project, served, inside = made_up
    table = statistics.reach(project, served, inside, 2023)
    assert list(table.columns) == list(schema.table("reach").columns)
    villages = table[table.measure == "village_reach"]
    # four villages lie west (x = 500, 1500, 4500, 5200 of 12 000), three east
    west = row(villages, county="东昌府区", network="A")
    assert (west.reached, west.total) == (4, 4)
    west = row(villages, county="东昌府区", network="B")
    assert (west.reached, west.total, west.share) == (2, 4, 0.5)
    east = row(villages, county="茌平区", network="all")
    assert (east.reached, east.total) == (1, 3), "only x = 7500 lies in B's strip"


def test_key_places_need_their_polygon_and_their_indoor(made_up):
    project, served, inside = made_up
    # the hospital (point, indoor asked) at x = 2500 has A outdoors only; the scenic polygon x 4000-4600 needs no indoor
    table = statistics.reach(project, served, inside, 2023)
    places = table[table.measure == "key_place_reach"]
    assert row(places, network="A").reached == 1
    assert row(places, network="B").reached == 1
    served["B"][OUT][:, : inside.shape[1] // 4] = 1
    served["B"][IN][:, : inside.shape[1] // 4] = 1
    places = statistics.reach(project, served, inside, 2023).query("measure == 'key_place_reach'")
    assert row(places, network="B").reached == 2
    column = int(4300 / project.grid.resolution_m)
    served["A"][OUT][:, column] = 0  # one of the polygon's 12 columns: 8 % missing
    places = statistics.reach(project, served, inside, 2023).query("measure == 'key_place_reach'")
    assert row(places, network="A").reached == 0


def test_a_village_on_the_border_takes_the_city_pixel_beside_it(made_up):
    project, served, inside = made_up
    inside = inside.copy()
    inside[:, 0] = False
    villages = project.layers["villages"].iloc[[0]].copy()
    edge = project.grid.x0_m + 0.5 * project.grid.resolution_m
    villages = villages.set_geometry([Point(edge, villages.geometry.y.iloc[0])], crs=villages.crs)
    project = replace(project, layers={**project.layers, "villages": villages})
    table = statistics.reach(project, served, inside, 2023).query("measure == 'village_reach'")
    assert row(table, network="A").reached == 1
