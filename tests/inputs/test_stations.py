"""Protected stations and the coordination log: what cannot be right is said, nothing is assumed."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from files import CONFIG, read, said, write_csv
from shapely import box

from lcsiting.config import LayerSource
from lcsiting.geo import crs
from lcsiting.inputs.check import check
from lcsiting.inputs.project import open_project
from lcsiting.inputs.read import read_layer
from lcsiting.project_file import parse_config

HEAD = """
[project]
name = "示例"
resolution_m = 100
as_of = 2020-05-21
[[networks]]
name = "电联"
operators = ["电信", "联通"]
bands = {dense_urban = "n78", urban = "n78", suburban = "n78", village = "n1", rural = "n1"}
[[services]]
name = "outdoor"
[[phases]]
year = 2020
target = 1
[layers]
boundaries = "范围.gpkg"
protected_stations = {path = "地球站.csv", datum = "wgs84"}
coordination_log = "协调台账.csv"
"""
GOOD = {
    "台站编号": "ES001", "类别": "地球站", "经度": 115.98, "纬度": 36.456, "接收频率下限": 3700, "接收频率上限": 4200,
    "卫星轨道经度": 115.5, "天线方位角": 180.8, "天线仰角": 47.7, "许可日期": "2014-10-15",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A project of one county with an empty log; the tests fill in the stations."""
    x, y = crs.transform([115.98], [36.456], crs.GEOGRAPHIC, "EPSG:4548")
    area = box(x[0] - 5000, y[0] - 5000, x[0] + 5000, y[0] + 5000)
    frame = gpd.GeoDataFrame(
        {"级别": ["县"], "代码": ["371502"], "名称": ["东昌府区"]}, geometry=[area], crs="EPSG:4548"
    )
    pyogrio.write_dataframe(frame, tmp_path / "范围.gpkg")
    (tmp_path / "project.toml").write_text(HEAD, encoding="utf-8")
    write_log(tmp_path, [])
    return tmp_path


def write_stations(folder, *rows):
    write_csv(folder / "地球站.csv", pd.DataFrame([GOOD | {"台站编号": f"ES{k:03d}"} | r for k, r in enumerate(rows)]))


def write_log(folder, rows, *more):
    names = ["台站编号", "运营商", "基站编号", "日期", "事项", *more]
    write_csv(folder / "协调台账.csv", pd.DataFrame(rows, columns=names))


def test_a_good_record_has_no_problem(folder):
    write_stations(folder, {})
    problems = check(folder)
    ours = problems[problems["layer"].isin(["protected_stations", "coordination_log"])]
    assert set(ours["problem"][ours["severity"] != "info"]) == {"没有数据行"}, "the log is empty"


def test_station_without_position_is_an_error_and_named(folder):
    write_stations(folder, {}, {"经度": "", "纬度": ""})
    problems = check(folder)
    row = problems[(problems["layer"] == "protected_stations") & (problems["severity"] == "error")]
    assert len(row) == 1
    assert "没有坐标" in row["problem"].iloc[0] and row["file"].iloc[0] == "地球站.csv" and row["row"].iloc[0] == "3"
    assert list(open_project(folder).layers["protected_stations"]["station_id"]) == ["ES000"]


def test_band_reversed(folder):
    write_stations(folder, {}, {"接收频率下限": 4200, "接收频率上限": 3700})
    assert said(check(folder), "下限不小于上限", "ES001", severity="error")


def test_satellite_below_the_horizon(folder):
    """From 116° E a satellite at 30° E is 86° away and below the horizon (81.3° can be seen at most)."""
    write_stations(folder, {}, {"卫星轨道经度": 30, "天线方位角": "", "天线仰角": ""})
    assert said(check(folder), "地平线以下", "ES001", severity="error")


def test_elevation_of_zero_or_less(folder):
    write_stations(folder, {"卫星轨道经度": "", "天线仰角": -1})
    assert said(check(folder), "仰角不大于", "ES000", severity="error")


def test_a_fixed_link_looks_along_the_ground_and_needs_its_direction(folder):
    """An elevation of 0 is right for a link, a satellite below the horizon nothing to it; no direction is an error."""
    link = {"类别": "微波站", "卫星轨道经度": 30, "天线仰角": 0}
    write_stations(folder, link, link | {"天线方位角": ""})
    problems = check(folder)
    assert said(problems, "没有登记天线指向", "ES001", severity="error")
    assert (problems[problems["layer"] == "protected_stations"]["severity"] == "error").sum() == 1


def test_a_pattern_nobody_knows_is_named(folder):
    write_stations(folder, {"天线方向图": "S.580-6"}, {"天线方向图": "喇叭"})
    problems = check(folder)
    assert said(problems, "喇叭", severity="warning")
    assert open_project(folder).layers["protected_stations"]["antenna_pattern"].fillna("").tolist() == ["s580", ""]


def test_licence_date_after_as_of(folder):
    write_stations(folder, {}, {"许可日期": "2021-03-01"})
    assert said(check(folder), "晚于规划基准日 2020-05-21", "后用让先用", "ES001", severity="warning")


def test_pointing_that_contradicts_the_satellite(folder):
    write_stations(folder, {}, {"卫星轨道经度": 125})
    assert said(check(folder), "卫星方向不符", "ES001", severity="warning")


def test_log_of_unknown_stations_strangers_and_the_future(folder):
    write_stations(folder, {})
    write_log(
        folder,
        [
            ["ES000", "中国电信", "", "2020-03-02", "发函"],
            ["ES404", "电信", "", "2020-03-02", "发函"],
            ["ES000", "移动", "", "2020-03-02", "发函"],
            ["ES000", "电信", "", "2020-06-01", "确认"],
        ],
    )
    problems = check(folder)
    assert said(problems, "不在台站清单", "ES404", severity="warning")
    assert said(problems, "运营商不在任何网络", "行 3", severity="warning")
    assert said(problems, "晚于规划基准日 2020-05-21", "行 4", severity="info")
    log = open_project(folder).layers["coordination_log"]
    assert list(log["event"]) == ["requested", "requested", "requested", "confirmed"]
    assert list(log["operator"]) == ["电信", "电信", "移动", "电信"]
    assert log["date"].iloc[0] == pd.Timestamp("2020-03-02")


def test_log_entries_for_a_base_station_or_band_that_does_not_exist(folder):
    """They would count for nobody, and the base station would wait for a clearance that has been given."""
    write_stations(folder, {})
    places = pd.DataFrame([{"站址编号": "LC1", "名称": "甲", "经度": 115.98, "纬度": 36.456}])
    write_csv(folder / "存量.csv", places)
    text = (folder / "project.toml").read_text(encoding="utf-8")
    (folder / "project.toml").write_text(text + 'existing = {path = "存量.csv", datum = "wgs84"}\n', encoding="utf-8")
    entry = ["ES000", "电信", "", "2020-03-02", "发函", ""]
    rows = [[*entry[:2], station, *entry[3:5], band] for station, band in
            (("LC1-N1", "n78"), ("LC1-N1-n78", ""), ("LC1", ""), ("LC2-N1", ""), ("", "n87"))]  # fmt: skip
    write_log(folder, rows, "频段")
    problems = check(folder)
    assert said(problems, "2 条记录的基站编号不是", "LC1、LC2-N1", "行 3", severity="warning")
    assert said(problems, "1 条记录的频段不认识", "n87", "行 5", severity="warning")


def test_a_station_that_receives_outside_the_scope_is_said_not_to_be_assessed(folder):
    write_stations(folder, {}, {"接收频率下限": 12250, "接收频率上限": 12750})
    assert said(check(folder), "1 个台站的接收频段在协调频段（3300–4200、4500–5000 MHz）之外", "ES001", severity="info")


def test_a_log_row_without_date_or_with_an_unknown_event_is_set_aside(folder):
    write_stations(folder, {})
    write_log(folder, [["ES000", "电信", "", "", "发函"], ["ES000", "电信", "", "2020-03-02", "吃饭"]])
    opened = open_project(folder)
    assert opened.layers["coordination_log"].empty
    assert len(opened.set_aside["coordination_log"]) == 2


def write_measures(folder, *rows):
    names = ["台站编号", "措施", "抑制", "生效日期", "状态"]
    write_csv(folder / "台站侧措施.csv", pd.DataFrame(rows, columns=names))
    (folder / "project.toml").write_text(HEAD + 'station_measures = "台站侧措施.csv"\n', encoding="utf-8")


def test_dated_measures_are_read(folder):
    write_stations(folder, {})
    write_measures(folder, ["ES000", "加装滤波器", "", "2021-03-01", "已协议"])
    layer = open_project(folder).layers["station_measures"]
    assert layer["effective"].iloc[0] == pd.Timestamp("2021-03-01") and layer["status"].iloc[0] == "agreed"
    problems = check(folder)
    assert problems[problems["layer"] == "station_measures"].empty


def test_dated_measures_that_cannot_be_right(folder):
    """Unknown station or measure, negative decibels, a date before the licence, no date: each said, none assumed."""
    write_stations(folder, {})
    write_measures(
        folder,
        ["ES404", "加装滤波器", "", "2021-03-01", "已协议"],
        ["ES000", "许愿", "", "2021-03-01", "已协议"],
        ["ES000", "加装屏蔽网", -3, "2021-03-01", "已协议"],
        ["ES000", "加装屏蔽网", 12, "2001-03-01", "计划"],
        ["ES000", "加装屏蔽网", 12, "", "计划"],
    )
    problems = check(folder)
    assert said(problems, "不在台站清单", "ES404", severity="error")
    assert said(problems, "不是规则表中的台站侧措施", "许愿", severity="error")
    assert said(problems, "衰减为负", severity="error")
    assert said(problems, "早于台站的设置许可日期", severity="warning")
    assert said(problems, "只是计划", severity="info")
    opened = open_project(folder)
    assert len(opened.set_aside["station_measures"]) == 1, "without a date it cannot take effect"
    assert len(opened.layers["station_measures"]) == 4


# ---------------------------------------------------------------- degrees, minutes, seconds in columns


def test_degrees_minutes_seconds_in_columns_below_a_title(tmp_path):
    text = (
        ",某市地球站清单,,,,,,,\n"
        "编号,类别,Latitude Degrees,Latitude Minutes,Latitude Seconds,Latitude Direction,"
        "Longitude Degrees,Longitude Minutes,Longitude Seconds,Longitude Direction,频率下限,频率上限\n"
        'E1,地球站,36,27,21.6,N,115,58,48,E,"3,700","4,200"\n'
        "E2,地球站,36,75,0,N,115,58,48,E,3700,4200\n"
    )
    path = tmp_path / "清单.csv"
    path.write_text(text, encoding="utf-8")
    frame, problems, aside = read(path, "protected_stations", datum="wgs84")
    lon, lat = crs.transform(frame.geometry.x, frame.geometry.y, "EPSG:4548", crs.GEOGRAPHIC)
    assert lon[0] == pytest.approx(115.98, abs=1e-7) and lat[0] == pytest.approx(36.456, abs=1e-7)
    assert frame["rx_low_mhz"].tolist() == [3700.0] and frame["rx_high_mhz"].tolist() == [4200.0]
    assert aside[0]["row"] == "4" and "没有坐标" in aside[0]["reason"], "75 minutes are no position"
    assert (problems["severity"] == "error").sum() == 1


def test_south_and_west_are_negative_elsewhere(tmp_path):
    """In a project whose working CRS is not Gauss-Krueger any longitude and latitude is read."""
    text = (
        "编号,类别,Latitude Degrees,Latitude Minutes,Latitude Seconds,Latitude Direction,"
        "Longitude Degrees,Longitude Minutes,Longitude Seconds,Longitude Direction,频率下限,频率上限\n"
        "E1,地球站,44,38,1.2,N,70,41,51.3,W,3625,4200\n"
    )
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    raw = CONFIG.model_dump(mode="json")
    raw = {k: raw[k] for k in ("networks", "services", "phases")} | {"project": {"name": "x", "crs": "EPSG:32619"}}
    elsewhere = parse_config(raw, path)
    frame, _, _ = read_layer("protected_stations", LayerSource(path=path.name, datum="wgs84"), tmp_path, elsewhere)
    lon, lat = crs.transform(frame.geometry.x, frame.geometry.y, "EPSG:32619", crs.GEOGRAPHIC)
    assert np.allclose([lon[0], lat[0]], [-(70 + 41 / 60 + 51.3 / 3600), 44 + 38 / 60 + 1.2 / 3600], atol=1e-7)


def test_rows_can_be_numbered_where_a_list_has_no_ids(tmp_path):
    path = write_csv(tmp_path / "清单.csv", pd.DataFrame([GOOD, GOOD]).drop(columns="台站编号"))
    frame, _, aside = read(path, "protected_stations", datum="wgs84", columns={"station_id": "=#"})
    assert list(frame["station_id"]) == ["清单-2", "清单-3"] and not aside


def test_the_log_is_kept_with_a_saved_result(folder, tmp_path):
    """A list without geometry survives saving and opening like a map layer does."""
    from lcsiting.storage import _open_project, _save_project

    write_stations(folder, {})
    write_log(folder, [["ES000", "电信", "", "2020-03-02", "发函"]])
    opened = open_project(folder)
    _save_project(opened, tmp_path / "saved")
    again = _open_project(tmp_path / "saved", opened.config).layers["coordination_log"]
    assert again[["protected_id", "operator", "event"]].to_numpy().tolist() == [["ES000", "电信", "requested"]]
    assert pd.Timestamp(again["date"].iloc[0]) == pd.Timestamp("2020-03-02")


def test_without_a_list_nothing_was_assessed_and_that_is_said(folder):
    """An empty list must not read as a clean bill: one warning, in the lenient check and on opening."""
    text = (folder / "project.toml").read_text(encoding="utf-8")
    (folder / "project.toml").write_text(
        "\n".join(line for line in text.splitlines() if not line.startswith("protected_stations")), encoding="utf-8"
    )
    problems = check(folder)
    row = problems[problems["layer"] == "protected_stations"]
    assert row["severity"].tolist() == ["warning"] and "没有受保护台站清单，未作协调评估" in row["problem"].iloc[0]
    opened = open_project(folder).problems
    assert opened["problem"].str.contains("未作协调评估").sum() == 1
    write_stations(folder, {})
    (folder / "project.toml").write_text(text, encoding="utf-8")
    assert not check(folder)["problem"].str.contains("未作协调评估").any()
