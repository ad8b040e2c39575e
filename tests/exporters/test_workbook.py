"""plan.xlsx read back with openpyxl."""

import dataclasses

import openpyxl
import pandas as pd
import pytest

from lcsiting import schema
from lcsiting.exporters import tables, workbook


@pytest.fixture(scope="module")
def book(tmp_path_factory, tiny_result):
    path = tmp_path_factory.mktemp("xlsx") / "plan.xlsx"
    workbook.write_workbook(tiny_result, path)
    return openpyxl.load_workbook(path)


def table(sheet) -> pd.DataFrame:
    """The rows below the frozen header."""
    header = int(sheet.freeze_panes[1:]) - 1
    rows = list(sheet.iter_rows(min_row=header, values_only=True))
    return pd.DataFrame(rows[1:], columns=rows[0])


def test_sheets_in_a_planners_order(book):
    assert book.sheetnames == [
        "汇总", "分县指标", "覆盖统计", "通达率", "规划基站", "规划站址",
        "未入选原因汇总", "协调结论", "链路预算", "数据问题", "字段说明",
    ]  # fmt: skip


def test_every_station_and_place_with_units_and_words(book, tiny_result):
    stations = table(book["规划基站"])
    assert len(stations) == len(tiny_result.plan.stations)
    assert len(table(book["规划站址"])) == len(tiny_result.plan.places)
    assert {"排名", "新增覆盖面积(km²)", "天线挂高(m)"} <= set(stations.columns)
    assert set(stations["依托主体"]) == {"政府机关"}
    assert set(stations["层级"]) == {"农村", "县城区/园区"}  # ids of rules/tiers, not boundary levels
    assert set(stations["状态"]) == {"现网", "规划"}
    assert stations["县(市、区)"].isin(["茌平区", "莘县"]).all()
    assert stations["行政区代码"].map(type).eq(str).all()  # codes are not numbers


def test_header_is_frozen_and_filtered(book):
    for sheet in book:
        header = int(sheet.freeze_panes[1:]) - 1
        assert sheet.auto_filter.ref.startswith(f"A{header}:")
        assert all(cell.font.bold for cell in sheet[header])


def test_sheets_print_as_wide_as_pages_with_their_header_on_each(book):
    for sheet in book:
        header = int(sheet.freeze_panes[1:]) - 1
        assert sheet.print_title_rows == f"${header}:${header}", sheet.title
        assert sheet.page_setup.orientation == "landscape" and sheet.sheet_properties.pageSetUpPr.fitToPage
        width = sum(column.width for column in sheet.column_dimensions.values())
        pages, paper = int(sheet.page_setup.fitToWidth), str(sheet.page_setup.paperSize)
        assert (pages - 1) * 260 < width <= pages * 260 and int(sheet.page_setup.fitToHeight) == 0
        assert paper == ("9" if width <= 180 else "8"), sheet.title
    papers = {str(sheet.page_setup.paperSize) for sheet in book}
    assert papers == {"8", "9"} and int(book["规划基站"].page_setup.fitToWidth) > 1


def test_columns_are_as_wide_as_chinese_needs():
    assert tables.text_width("站址a") == 5


def test_names_that_look_like_formulas_stay_text(book):
    cells = [cell for row in book["规划基站"].iter_rows() for cell in row if tables.is_formula(cell.value)]
    assert any(str(cell.value).startswith("=HYPERLINK") for cell in cells)
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.quotePrefix for cell in cells)
    assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def test_refusals_are_counted_by_rule(book):
    counts = table(book["未入选原因汇总"]).set_index("规则")
    assert counts.loc["永久基本农田", "基站(个)"] == 2
    assert counts.loc["永久基本农田", "站址(处)"] == 1


def test_only_verdicts_that_ask_for_something(book):
    verdicts = table(book["协调结论"])
    assert list(verdicts["基站编号"]) == ["GG00001-N2"]
    assert list(verdicts["结论"]) == ["需协调"]


def test_shares_are_percentages(book):
    sheet = book["覆盖统计"]
    header = int(sheet.freeze_panes[1:]) - 1
    column = [cell.value for cell in sheet[header]].index("人口覆盖率") + 1
    cell = sheet.cell(header + 1, column)
    assert (cell.value, cell.number_format) == (0.9, "0.0%")


def test_long_lists_stop_with_a_note(tiny_result, tmp_path, monkeypatch):
    monkeypatch.setattr(workbook, "MAX_ROWS", {"verdicts": 3})
    many = pd.concat([tiny_result.verdicts] * 5, ignore_index=True)
    path = tmp_path / "plan.xlsx"
    workbook.write_workbook(dataclasses.replace(tiny_result, verdicts=many), path, lang="en")
    sheet = openpyxl.load_workbook(path)["Verdicts"]
    assert len(table(sheet)) == 3
    assert "5 rows, the first 3 here" in " ".join(str(row[0]) for row in sheet.iter_rows(max_row=2, values_only=True))


def test_dictionary_names_every_column(book):
    fields = table(book["字段说明"])
    assert {"RANK", "GAIN_KM2", "TXGG"} <= set(fields["shp 字段名"])
    assert (fields.groupby("表").size() > 4).all()


def test_unverified_rules_stand_above_the_summary(book, tiny_result, tmp_path):
    above = [row[0] for row in book["汇总"].iter_rows(values_only=True)]
    header = int(book["汇总"].freeze_panes[1:]) - 1
    notes = "\n".join(above[: header - 1])
    assert "4 条规则数值未经核实" in notes and "radius_co_channel" in notes
    assert set(table(book["规划基站"])["协调依据是否核实"]) == {"未核实"}
    assert set(table(book["规划站址"])["协调依据是否核实"]) == {"未核实"}
    verified = dataclasses.replace(tiny_result, summary={})
    workbook.write_workbook(verified, tmp_path / "plan.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "plan.xlsx")["汇总"]
    assert "未经核实" not in "".join(str(cell.value) for row in sheet.iter_rows() for cell in row)


def test_what_is_missing_is_an_empty_cell(tiny_result, tmp_path):
    """No planned year on air, no share without people."""
    today = tiny_result.today
    rows = today.statistics.assign(people_share=pd.Series([None, 0.25], dtype=object), area_share=float("nan"))
    result = dataclasses.replace(tiny_result, today=dataclasses.replace(today, statistics=rows))
    workbook.write_workbook(result, tmp_path / "plan.xlsx")
    book = openpyxl.load_workbook(tmp_path / "plan.xlsx")
    found = table(book["覆盖统计"]).head(2)
    assert found["人口覆盖率"].isna().tolist() == [True, False] and found["人口覆盖率"].iloc[1] == 0.25
    assert found["面积覆盖率"].isna().all()
    for sheet in ("规划基站", "规划站址"):
        planned = table(book[sheet])
        assert (planned["规划年份"].isna() == (planned["状态"] == "现网")).all()


def test_the_english_workbook_says_that_reasons_are_chinese(tiny_result, tmp_path, book):
    workbook.write_workbook(tiny_result, tmp_path / "plan.xlsx", lang="en")
    sheet = openpyxl.load_workbook(tmp_path / "plan.xlsx")["Fields"]
    assert "written in Chinese" in sheet["A1"].value
    assert table(sheet).columns[0] == "Table"
    assert book["字段说明"]["A1"].value == "表"


def test_link_budget_is_an_item_a_row(book, tiny_result):
    """Two networks x five morphologies x two services, and the sums a planner checks by hand."""
    sheet = table(book["链路预算"]).set_index("项目")
    networks, services = tiny_result.project.config.networks, tiny_result.project.config.services
    assert sheet.shape[1] == len(networks) * 5 * len(services)
    one = sheet["移动广电 · n41 · 城区 · 室内"]
    level = one["每资源单元功率(dBm)"] + one["天线增益(dBi)"] - one["SSB波束低于峰值(dB)"]
    assert one["SSB每RE等效全向辐射功率(dBm)"] == pytest.approx(level, abs=0.02)
    needed = one["SS-RSRP门限(dBm)"] + one["阴影余量(dB)"] + one["穿透损耗(dB)"] + one["人体损耗(dB)"]
    assert one["所需室外平均RSRP(dBm)"] == pytest.approx(needed, abs=0.02)
    assert one["最大允许路径损耗(dB)"] == pytest.approx(level - needed, abs=0.04)
    outdoor = sheet["移动广电 · n41 · 城区 · 室外"]
    assert outdoor["穿透损耗(dB)"] == 0
    assert outdoor["主瓣覆盖半径(模型标称站高)(m)"] > one["主瓣覆盖半径(模型标称站高)(m)"] > 0


def test_a_long_note_is_broken_behind_its_commas():
    note = "注意：" + "、".join(f"radius_{i:02d}" for i in range(60))
    lines = workbook._lines(note)
    assert len(lines) > 3 and max(tables.text_width(line) for line in lines) <= workbook.NOTE_WIDTH
    assert "".join(line.strip() for line in lines) == note and workbook._lines("") == []


def test_a_planner_reads_words_and_two_decimals(tiny_result, tmp_path):
    """Truth values and defaults in words, decibels without digits that mean nothing."""
    frame = pd.DataFrame(
        {"protected_id": ["ES1"], "on_air_dbm": [-119.30094], "broken": [True], "verified": [False],
         "defaults": ["antenna_efficiency;shielding_db"]}
    ).reindex(columns=list(schema.table("needs").columns))  # fmt: skip
    frame["broken"], frame["verified"] = True, False
    result = dataclasses.replace(tiny_result, tables={"needs": frame})
    for lang, yes, efficiency in (
        ("zh", "是", "天线效率（未登记增益）；屏蔽衰减(dB)"),
        ("en", "yes", "aperture efficiency"),
    ):
        workbook.write_workbook(result, tmp_path / f"{lang}.xlsx", lang)
        sheet = openpyxl.load_workbook(tmp_path / f"{lang}.xlsx")["所需衰减" if lang == "zh" else "Attenuation needed"]
        row = [cell for cell in list(sheet.iter_rows(values_only=True))[-1] if cell is not None]
        assert row[0] == "ES1" and -119.3 in row and yes in row and True not in row
        assert any(efficiency in str(cell) for cell in row)
