"""A newly applied earth station against what is on air, by hand."""

import dataclasses

import pandas as pd
import pytest
from coordination_cases import with_protected, with_stations

import lcsiting as lc
from lcsiting.coordination.newcomer import assess_application
from lcsiting.errors import LayerError


@pytest.fixture
def project(tiny_project):
    there = with_protected(tiny_project, {"licensed_since": None, "user_unit": "示例台"})
    shared = {"operators": "电信+联通", "on_air_year": 2020}
    out = with_stations(there, [{"at": (0, 2000), "on_air": True, **shared}, {"at": (0, 1000), **shared}])
    out.places["name"] = ["示例甲", "示例乙"]
    return out


def test_only_what_is_on_air_counts_and_the_applicant_gives_way(project):
    found = assess_application(project, project.layers["protected_stations"])
    assert set(found.verdicts["station_id"]) == {"S0"}, "S1 is not on air"
    later = found.verdicts[found.verdicts["principle"] == "later_yields"]
    assert len(later) and set(later["yields"]) == {"protected_station"}
    assert set(found.pairs["operator"]) == {"电信", "联通"}
    assert set(found.pairs["status"]) == {"draft"}


def test_its_own_measures_are_asked_for(project):
    """A wide block 2 km from a base station on air is overloaded; a filter (45 dB) clears it."""
    row = assess_application(project, project.layers["protected_stations"]).stations.iloc[0]
    assert row["needed_overload_db"] > 0
    assert (row["outcome"], row["measures"], row["changed"]) == ("cleared_by_measures", "加装滤波器", 0)


def test_a_file_of_applied_stations_reads_as_the_layer_does(project, tmp_path):
    """The same station from a table in longitude and latitude: position to centimetres, the same answer."""
    layer = project.layers["protected_stations"]
    there = layer.to_crs("EPSG:4490").geometry.iloc[0]
    record = layer.iloc[0]
    head = "台站编号,台站名称,使用单位,台站类别,经度,纬度,天线离地高(m),天线口径(m),天线增益(dBi),接收频率下限(MHz),"
    head += "接收频率上限(MHz),卫星轨道经度(°E),系统噪声温度(K),天线方向图,高频头类型,滤波器抑制(dB),屏蔽衰减(dB)"
    row = f"{record.station_id},{record['name']},示例台,es_rx,{there.x:.8f},{there.y:.8f},5,3.7,41,3700,4200,115.5,100,"
    path = tmp_path / "拟设台站.csv"
    path.write_text(f"{head}\n{row}s465,wide,0,0\n", encoding="utf-8")
    by_file = lc.assess_application(project, path, datum="cgcs2000")
    by_layer = lc.assess_application(project, layer)
    assert by_file.verdicts["margin_db"].to_numpy() == pytest.approx(
        by_layer.verdicts["margin_db"].to_numpy(), abs=1e-3
    )
    pd.testing.assert_frame_equal(by_file.pairs, by_layer.pairs)
    path.write_text(f"{head}\n{row}s465,wide,0,0\nES9,b,c,es_rx,,,5,3.7,41,3700,4200,115.5,100,s465,wide,0,0\n")
    with pytest.raises(LayerError, match="1 行不能使用"):
        lc.assess_application(project, path, datum="cgcs2000")


def test_another_crs_is_refused(project):
    layer = project.layers["protected_stations"].to_crs("EPSG:4490")
    with pytest.raises(LayerError, match="first"):
        assess_application(project, layer)


def test_nothing_on_air_nothing_to_do(project):
    quiet = dataclasses.replace(project, stations=project.stations.assign(on_air=False))
    found = assess_application(quiet, project.layers["protected_stations"])
    assert found.pairs.empty
    assert found.stations["outcome"].tolist() == ["clear"]
