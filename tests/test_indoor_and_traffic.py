"""Optional layers from a planner's files to the result: buildings and busy-hour traffic."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import lcsiting as lc
from lcsiting.config import LayerSource
from lcsiting.geo import crs
from lcsiting.inputs.project import city_shape
from lcsiting.inputs.read import read_layer
from lcsiting.siting.traffic import station_load


def lon_lat(project, x, y):
    return crs.transform(np.asarray(x, float), np.asarray(y, float), project.config.project.crs, crs.GEOGRAPHIC)


@pytest.fixture(scope="module")
def project(tiny_project, tmp_path_factory):
    """The tiny city with a building list (Excel) and a traffic list (GBK), as a planner has them."""
    folder = tmp_path_factory.mktemp("图层")
    west, south, _, _ = tiny_project.layers["boundaries"].total_bounds
    lon, lat = lon_lat(tiny_project, west + np.array([2550, 2650, 3050]), south + np.array([2550, 2550, 2050]))
    buildings = pd.DataFrame(
        {
            "楼栋编号": ["B1", "B2", "B3"], "建筑名称": ["示例商场", "示例小区", "示例医院"],
            "使用性质": ["商场", "住宅", "医院"], "建筑面积(㎡)": [35000, 9000, "12,000"], "层数": [5, 18, 6],
            "建设阶段": ["既有", "既有", "施工"], "预留机房": [12, 0, 6], "预留用电": [20, 0, 10],
            "经度": lon, "纬度": lat,
        }
    )  # fmt: skip
    buildings.to_excel(folder / "楼宇.xlsx", index=False)
    x, y = west + np.arange(1500, 4500, 250), south + np.full(12, 2500)
    busy = pd.DataFrame(dict(zip(("经度", "纬度"), lon_lat(tiny_project, x, y), strict=True)))
    busy.assign(**{"忙时业务量(Mbps)": 800}).to_csv(folder / "业务量.csv", index=False, encoding="gbk")
    layers, city = dict(tiny_project.layers), city_shape(tiny_project.layers["boundaries"])
    for name, file in (("buildings", "楼宇.xlsx"), ("traffic", "业务量.csv")):
        source = LayerSource(path=file, datum="cgcs2000")
        layers[name], problems, aside = read_layer(name, source, folder, tiny_project.config, city)
        assert not aside and not [row for row in problems if row["severity"] == "error"]
    return dataclasses.replace(tiny_project, layers=layers)


@pytest.fixture(scope="module")
def result(project):
    ranking = project.config.ranking.model_copy(update={"certificate": True})
    config = project.config.model_copy(update={"ranking": ranking})
    return lc.run(dataclasses.replace(project, config=config), progress=False)


def test_planners_words_are_understood(project):
    buildings, traffic = project.layers["buildings"], project.layers["traffic"]
    assert buildings["use"].tolist() == ["commercial", "housing", "health"]
    assert buildings["stage"].tolist() == ["in_use", "in_use", "construction"]
    assert buildings["area_m2"].tolist() == [35000, 9000, 12000]
    assert traffic["traffic_mbps"].sum() == 9600 and traffic["network"].isna().all()


def test_the_indoor_list_is_in_the_result(result):
    table = result.tables["indoor_buildings"].set_index("building_id")
    assert table["duty"].to_dict() == {"B1": "must", "B2": "recommended", "B3": "must"}
    assert table["reserve"].to_dict() == {"B1": "reserved", "B2": "missing", "B3": "reserved"}
    assert table.loc["B1", "people"] > 0 and (table.loc[["B2", "B3"], "people"] == 0).all()


def test_full_stations_are_listed_and_relieved(project, result):
    load = result.tables["station_load"]
    assert set(load["station_id"]) == set(result.plan.stations["station_id"])
    quiet = lc.rank(project, result.cover, result.eligible, result.verdicts)
    before = station_load(project, result.cover, quiet)
    assert before.stations["full"].any()
    assert load["excess_mbps"].sum() < before.stations["excess_mbps"].sum()
    assert result.plan.phases["stations"].tolist() == quiet.phases["stations"].tolist()
    total = load["load_mbps"].sum() + station_load(project, result.cover, result.plan).unserved_mbps
    assert total == pytest.approx(9600)


def test_explanations_and_swaps_still_work_on_such_a_plan(project, result):
    assert len(result.tables["why_chosen"]) == (result.plan.stations["status"] != "on_air").sum()
    live = set(result.plan.stations.query("status == 'on_air'")["place_id"])
    failed = next(p for p in result.plan.places["place_id"] if p not in live)
    after = lc.replace(project, result.cover, result.plan, [failed], eligible=result.eligible, verdicts=result.verdicts)
    assert after.phases["stations"].tolist() == result.plan.phases["stations"].tolist()


def test_it_all_is_saved_and_opened(result, tmp_path):
    opened = lc.open_result(lc.save(result, tmp_path / "r"))
    assert {"indoor_buildings", "station_load"} <= set(opened.tables)
    assert opened.project.layers["buildings"]["use"].tolist() == ["commercial", "housing", "health"]
    checked = lc.verify_plan(opened)
    assert checked.ok, checked.problems


def test_the_certificate_counts_the_demand_added_beside_full_stations(result):
    certificate = result.plan.certificate
    assert certificate["checked"] and lc.verify_plan(result).ok
    added = certificate["added_rows"]
    bare = {key: value for key, value in certificate.items() if key != "added_rows"}
    for other in (bare, bare | {"added_rows": added | {"weight": added["weight"] + 1}}):
        plan = dataclasses.replace(result.plan, certificate=other)
        assert any("another cover" in text for text in lc.verify_plan(dataclasses.replace(result, plan=plan)).problems)
