"""Explanations, lists and forecasts of a result in the workbook and the GeoPackage."""

import dataclasses

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
from handmade import HOSTILE

from lcsiting import schema
from lcsiting.exporters import vector, workbook


def rows_of(name: str, **values) -> pd.DataFrame:
    """Three rows of a schema table, hostile texts in every text column."""
    kinds = {"str": HOSTILE[3], "int": 7, "float": 115.5, "bool": True, "date": pd.Timestamp("2020-05-01")}
    columns = schema.table(name).columns
    return pd.DataFrame([{key: kinds[column.dtype] for key, column in columns.items()} | values] * 3)


@pytest.fixture(scope="module")
def told(tiny_result):
    tables = {
        "why_chosen": rows_of("why_chosen"),
        "substitutes": rows_of("substitutes"),
        "why_not": rows_of("why_not", status="late", rule="late", lat=36.4, left_weight=np.nan),
        "indoor_buildings": rows_of("indoor_buildings", duty="must", lat=36.4),
        "micro_forecast": rows_of("micro_forecast", lat=36.4),
        "station_load": rows_of("station_load"),
        "coordination_list": rows_of(
            "coordination_list", station_id="GG00001-N2", mechanisms="adjacent;overload", status="requested",
            overdue="confirm_overdue", confirm_due=pd.Timestamp("2020-05-20"), agree_due=pd.NaT,
            may_switch_on=False,
        ),
        "needs": rows_of("needs"),
        "remedies": rows_of("remedies", outcome="curtailed", effective=pd.NaT, margin_overload_db=np.inf),
        "remedy_modes": rows_of("remedy_modes"),
    }  # fmt: skip
    return dataclasses.replace(tiny_result, tables=tables)


def test_the_workbook_has_a_sheet_for_each_but_the_substitutes(told, tmp_path):
    workbook.write_workbook(told, tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    wanted = {"入选说明", "未入选与延后", "室内分布清单", "微站预测", "忙时容量"}
    wanted |= {"协调清单(按运营商×频段)", "所需衰减", "协调措施方案", "基站侧措施"}
    assert wanted <= set(book.sheetnames)
    sheet = book["未入选与延后"]
    header = int(sheet.freeze_panes[1:]) - 1
    row = dict(zip(*(
        [cell.value for cell in cells] for cells in sheet.iter_rows(min_row=header, max_row=header + 1)
    ), strict=True))  # fmt: skip
    assert (row["状态"], row["规则"], row["原因"]) == ("延后入选", "延后入选", HOSTILE[3])
    assert row["当期末尚可新增(人当量)"] is None
    assert not [c for line in sheet.iter_rows() for c in line if c.data_type == "f"], "texts never run"


def test_long_lists_stop_and_say_where_the_rest_is(told, tmp_path, monkeypatch):
    monkeypatch.setitem(workbook.MAX_ROWS, "why_not", 2)
    workbook.write_workbook(told, tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["未入选与延后"]
    assert "plan.gpkg 的 why_not 图层" in "".join(str(row[0].value) for row in sheet.iter_rows(max_row=3))
    assert sheet.max_row == int(sheet.freeze_panes[1:]) - 1 + 2


def test_the_geopackage_has_all_of_them_points_where_there_are_positions(told, tmp_path):
    path = tmp_path / "a.gpkg"
    vector.write_geopackage(told, path)
    kinds = dict(pyogrio.list_layers(path))
    assert kinds["why_not"] == kinds["indoor_buildings"] == kinds["micro_forecast"] == "Point"
    assert kinds["why_chosen"] is None and kinds["substitutes"] is None and kinds["station_load"] is None
    frame = gpd.read_file(path, layer="why_not")
    assert frame["reason"].tolist() == [HOSTILE[3]] * 3
    assert np.allclose(frame.geometry.to_crs("EPSG:4490").x, 115.5, atol=1e-8)
    fields = pyogrio.read_dataframe(path, layer="fields")
    assert {"why_not", "substitutes", "why_chosen"} <= set(fields["layer"])


def test_the_coordination_list_says_where_each_stands(told, tmp_path):
    """Status, deadline and the flag in the workbook; in the GeoPackage each row lies on its base station."""
    workbook.write_workbook(told, tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["协调清单(按运营商×频段)"]
    header = int(sheet.freeze_panes[1:]) - 1
    heads, cells = sheet.iter_rows(min_row=header, max_row=header + 1, values_only=True)
    row = dict(zip(heads, cells, strict=True))
    assert (row["协调状态"], row["逾期"], row["干扰机理"]) == ("已发起", "逾期未确认", "邻频；饱和")
    assert (row["确认期限"], row["协商期限"], row["可启用"]) == ("2020-05-20", None, "否")
    path = tmp_path / "a.gpkg"
    vector.write_geopackage(told, path)
    frame = gpd.read_file(path, layer="coordination_list")
    stations = told.plan.stations.set_index("station_id")
    assert (frame.geometry.distance(stations.geometry["GG00001-N2"]) < 1e-6).all()
    assert frame["may_switch_on"].tolist() == [False] * 3 and frame["confirm_due"].tolist() == ["2020-05-20"] * 3
    assert len(pyogrio.read_dataframe(path, layer="remedies")) == len(pyogrio.read_dataframe(path, layer="needs")) == 3
