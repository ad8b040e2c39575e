"""Buildings that leave the macro indoor demand; micro sites by hot zone."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import Point, box

from lcsiting import rules, schema
from lcsiting.siting import cover as siting_cover
from lcsiting.siting import indoor, phases

COLUMNS = list(schema.layer("buildings").columns)


def with_layer(project, name, rows):
    columns = [*schema.layer(name).columns, "geometry"]
    frame = gpd.GeoDataFrame(pd.DataFrame(rows, columns=columns), geometry="geometry", crs=project.config.project.crs)
    return dataclasses.replace(project, layers={**project.layers, name: frame})


@pytest.fixture(scope="module")
def spot(cover):
    """Centre of a dense cell and its number."""
    k = int(np.argmax(cover.cells["people"].to_numpy()))
    return k, Point(cover.cells["x_m"].iloc[k], cover.cells["y_m"].iloc[k])


CASES = [
    ("commercial", 10_000, None, None, "must"),
    ("commercial", 9_999, None, None, ""),
    ("office", 25_000, None, None, "must"),
    ("stadium", 5_000, None, 3_000, "must"),
    ("stadium", 5_000, None, 2_999, ""),
    ("other", 20_000, None, None, "must"),
    ("other", 19_999, None, None, ""),
    ("housing", 4_000, 7, None, "recommended"),
    ("housing", 30_000, 6, None, ""),
    ("underground", 500, None, None, "recommended"),
    ("industrial", 20_000, None, None, "recommended"),
]


@pytest.mark.parametrize(("use", "area", "floors", "seats", "duty"), CASES)
def test_thresholds_of_the_standard(tiny_project, cover, spot, use, area, floors, seats, duty):
    row = dict(building_id="B1", use=use, area_m2=area, floors=floors, seats=seats, stage="in_use", geometry=spot[1])
    table = indoor.indoor_buildings(with_layer(tiny_project, "buildings", [row]), cover.cells)
    assert table["duty"].tolist() == ([duty] if duty else [])
    assert not table["verified"].any()


def building(spot, **changes):
    row = dict(building_id="B1", use="office", area_m2=30_000.0, floors=10, people=12.0, stage="in_use")
    return {**row, "geometry": spot[1], **changes}


def test_a_building_takes_its_people_and_footprint_out_of_the_indoor_rows_only(tiny_project, cover, spot):
    project = with_layer(tiny_project, "buildings", [building(spot)])
    before = siting_cover.row_weights(tiny_project, cover.cells)
    after = siting_cover.row_weights(project, cover.cells)
    k, n = spot[0], len(cover.cells)
    changed = np.flatnonzero(before != after)
    assert changed.tolist() == [n + k, 3 * n + k], "the indoor row of each network"
    # 12 people and 30 000 m2 on ten floors: 0.003 km2 at 50 a km2; indoor weight 0.6, unit 0.01 people
    assert before[n + k] - after[n + k] == pytest.approx(60 * (12 + 50 * 0.003), abs=1)


def test_nobody_takes_more_than_the_cell_holds(tiny_project, cover, spot):
    crowd = [building(spot, building_id=f"B{i}", people=5_000.0, area_m2=400_000.0, floors=2) for i in range(3)]
    project = with_layer(tiny_project, "buildings", crowd)
    people, area = indoor.indoor_demand_taken(project, cover.cells)
    assert people[spot[0]] == pytest.approx(cover.cells["people"].iloc[spot[0]]) and people.sum() == people[spot[0]]
    assert area.sum() == pytest.approx(0.01)
    assert (siting_cover.row_weights(project, cover.cells) >= 0).all()
    table = indoor.indoor_buildings(project, cover.cells)
    assert table["people"].sum() == pytest.approx(people.sum()) and table["people"].iloc[0] == people.sum()


@pytest.mark.parametrize(
    "change", [{"stage": "construction"}, {"area_m2": 9_000.0}, {"use": "housing", "area_m2": 9_000.0}]
)
def test_unfinished_small_and_merely_recommended_buildings_stay(tiny_project, cover, spot, change):
    project = with_layer(tiny_project, "buildings", [building(spot, **change)])
    people, area = indoor.indoor_demand_taken(project, cover.cells)
    assert not people.any() and not area.any()


def test_an_outline_spreads_over_its_cells(tiny_project, cover, spot):
    x, y = spot[1].x, spot[1].y
    shape = box(x - 40, y - 40, x + 140, y + 40)  # two cell centres
    project = with_layer(tiny_project, "buildings", [building(spot, geometry=shape)])
    people, area = indoor.indoor_demand_taken(project, cover.cells)
    assert people[[spot[0], spot[0] + 1]].tolist() == [6.0, 6.0]
    assert area.sum() == pytest.approx(180 * 80 / 1e6)


def test_people_come_from_the_use_where_the_list_does_not_say(tiny_project, cover, spot):
    project = with_layer(tiny_project, "buildings", [building(spot, people=None, area_m2=300_000.0, floors=60)])
    expected = min(
        300_000 / rules.load("building_uses")["office"]["m2_per_person"], cover.cells["people"].iloc[spot[0]]
    )
    assert indoor.indoor_demand_taken(project, cover.cells)[0].sum() == pytest.approx(expected)


def test_missing_reserves_are_listed_at_every_stage(tiny_project, cover, spot):
    rows = [
        building(spot, building_id="A", stage="planning", area_m2=30_000, reserved_room_m2=6, reserved_kw=10),
        building(spot, building_id="B", stage="design", area_m2=30_001, reserved_room_m2=6, reserved_kw=10),
        building(spot, building_id="C", stage="acceptance", reserved_room_m2=6),
    ]
    table = indoor.indoor_buildings(with_layer(tiny_project, "buildings", rows), cover.cells).set_index("building_id")
    assert table["reserve"].to_dict() == {"A": "reserved", "B": "missing", "C": "missing"}
    assert table.loc["B", ["room_needed_m2", "power_needed_kw"]].tolist() == [12, 20]
    assert set(table["county"]) == {"东昌府区"}


def test_without_the_layer_nothing_changes(tiny_project, cover):
    assert indoor.indoor_buildings(tiny_project, cover.cells).empty
    people, area = indoor.indoor_demand_taken(tiny_project, cover.cells)
    assert not people.any() and not area.any()


@pytest.fixture(scope="module")
def plan(tiny_project, cover, eligible, verdicts):
    return phases.rank(tiny_project, cover, eligible, verdicts, threads=1)


@pytest.fixture
def dense(tiny_project, tmp_path):
    """The tiny city with hot zones from 4 000 people per km2, so that its core is one."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "micro.toml").write_text("[hot_people_per_km2]\nvalue = 4000.0\n", encoding="utf-8")
    return dataclasses.replace(tiny_project, root=tmp_path)


def test_hot_zones_are_groups_of_dense_cells(dense, tiny_project, cover):
    zone = indoor.hot_zones(dense, cover.cells)
    assert set(np.unique(zone)) == {0, 1}, "the core of the urban area"
    assert (cover.cells["people"].to_numpy()[zone == 1] >= 40).all()
    assert not indoor.hot_zones(tiny_project, cover.cells).any(), "nobody lives 20 000 to the km2"
    one = np.zeros(len(cover.cells))
    one[:1] = 50.0
    assert not indoor.hot_zones(tiny_project, cover.cells, one).any(), "a single cell is no zone"
    one[:5] = 50.0
    assert (indoor.hot_zones(tiny_project, cover.cells, one) > 0).sum() == 5


def test_the_forecast_counts_bare_indoor_area_and_excess_traffic(dense, cover, plan):
    zone, n = indoor.hot_zones(dense, cover.cells), len(cover.cells)
    served = np.zeros(4 * n, bool)
    for station in plan.stations["station_id"]:
        k = cover.station_ids.tolist().index(station)
        served[cover.indices[cover.indptr[k] : cover.indptr[k + 1]]] = True
    bare = (zone == 1) & ~served[n : 2 * n] & ~served[3 * n :]
    excess = np.where(zone == 1, 1000.0 / (zone == 1).sum(), 0.0)
    row = indoor.micro_forecast(dense, cover, plan, excess_mbps=excess).iloc[0]
    assert row["uncovered_indoor_km2"] == pytest.approx(0.01 * bare.sum())
    assert row["for_coverage"] == int(np.ceil(0.01 * bare.sum() / 0.03 - 1e-9))
    assert row["for_capacity"] == 5, "1 000 Mbit/s at 200 a site"
    assert row["micro_sites"] == max(row["for_coverage"], 5)
    assert row["county"] == "东昌府区"
