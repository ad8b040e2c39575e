"""Coordination letters, read back from the files."""

import csv
import dataclasses
import re
import zipfile

import docx
import pandas as pd
import pytest

from lcsiting import schema
from lcsiting.errors import ExportError
from lcsiting.exporters import export, letters

PERSON = re.compile(r"联系人|姓名|电话")


def make_list(pairs: int = 60) -> pd.DataFrame:
    """Two operators, one user, one protected station; measures, an unverified basis, a default."""
    base = {
        "protected_id": "ES1", "protected_name": "示例地球站", "user_unit": "示例台", "mechanisms": "adjacent;overload",
        "rule_verdict": "coordinate", "physics_verdict": "coordinate", "measure": "加装滤波器", "status": "draft",
        "since": pd.NaT, "requested_on": pd.NaT, "confirm_due": pd.NaT, "agree_due": pd.NaT, "overdue": "",
        "calendar_known": True, "may_switch_on": False, "on_air": False, "next_step": "", "ignored": "",
        "verified": False,
        "defaults": "noise_temperature_k", "yields": "base_station", "band": "n78",
    }  # fmt: skip
    rows = [
        base | {"operator": op, "station_id": f"GG{i:05d}-N2", "place_name": f"示例站址{i}号", "distance_m": 900.0 + i,
                "margin_db": -30.0 + i * 0.1}
        for op in ("电信", "联通") for i in range(pairs)
    ]  # fmt: skip
    columns = list(schema.table("coordination_list").columns)
    return pd.DataFrame(rows, columns=columns if not rows else None)[list(schema.table("coordination_list").columns)]


@pytest.fixture
def folder(tiny_result, tmp_path, monkeypatch):
    monkeypatch.setattr(letters, "coordination_rows", lambda result: make_list())
    monkeypatch.setattr(letters, "_annex", lambda part, result, lang: letters._translated(
        part, result, list(schema.table("coordination_list").columns), lang))  # fmt: skip
    export(tiny_result, tmp_path / "out", formats=["letters"])
    return tmp_path / "out" / "letters"


def text_of(path):
    document = docx.Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([p.text for p in document.paragraphs] + cells)


def test_one_letter_for_each_operator_and_user_with_its_list(folder):
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "协调函_电信致示例台.docx",
        "协调函_联通致示例台.docx",
        "附件_电信致示例台.csv",
        "附件_联通致示例台.csv",
    ]


def test_what_the_letter_says(folder):
    text = text_of(folder / "协调函_电信致示例台.docx")
    for words in ("示例台：", "工信部无〔2018〕266号", "60 个", "15 个工作日", "2 个月内", "加装滤波器", "共同承担",
                  "不得启用", "抄送：当地无线电管理机构", "2020年5月21日", "电信（盖章）"):  # fmt: skip
        assert words in text, words
    assert not PERSON.search(text)


def test_each_operator_names_its_own_frequencies(folder):
    """Both hold n78: 3400-3500 MHz 电信, 3500-3600 MHz 联通 (licence table)."""
    assert "n78（3400–3500MHz）" in text_of(folder / "协调函_电信致示例台.docx")
    assert "n78（3500–3600MHz）" in text_of(folder / "协调函_联通致示例台.docx")


@pytest.mark.parametrize(
    ("on_air", "said"),
    [(0, "上述基站将在协调完成后启用"), (2, "上述基站中 2 个已启用，其余将在协调完成后启用"), (4, "上述基站均已启用")],
)
def test_base_stations_on_air_are_not_promised_to_wait(tiny_result, tmp_path, monkeypatch, on_air, said):
    rows = make_list(4)
    rows["on_air"] = [i < on_air for _ in ("电信", "联通") for i in range(4)]
    monkeypatch.setattr(letters, "coordination_rows", lambda result: rows)
    monkeypatch.setattr(letters, "_annex", lambda part, result, lang: pd.DataFrame({"a": [1]}))
    export(tiny_result, tmp_path / "out", formats=["letters"])
    assert said in text_of(tmp_path / "out" / "letters" / "协调函_电信致示例台.docx")


def test_seal_and_date_stay_with_the_text(folder):
    paragraphs = docx.Document(str(folder / "协调函_电信致示例台.docx")).paragraphs
    assert [p.text for p in paragraphs[-3:]] == ["电信（盖章）", "2020年5月21日", "抄送：当地无线电管理机构"]
    assert all(p.paragraph_format.keep_with_next for p in paragraphs[-4:-1])


def test_it_says_what_is_unverified_and_which_defaults_decided(folder):
    text = text_of(folder / "协调函_联通致示例台.docx")
    assert "60 对的结论依据未经核实的数值" in text and "协调距离" in text
    assert "系统噪声温度" in text


def test_the_worst_pairs_in_the_letter_all_in_the_list(folder):
    document = docx.Document(str(folder / "协调函_电信致示例台.docx"))
    table = document.tables[1]
    assert len(table.rows) == 1 + letters.SHOWN_ROWS
    assert table.rows[1].cells[0].text == "GG00000-N2", "the smallest margin first"
    with (folder / "附件_电信致示例台.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60 and rows[0]["干扰机理"] == "邻频、饱和" and rows[0]["可启用"] == "否"


def test_chinese_fonts_are_named_for_word(folder):
    """Word takes Chinese fonts from w:eastAsia; theme fonts would win over it."""
    with zipfile.ZipFile(folder / "协调函_电信致示例台.docx") as archive:
        styles = archive.read("word/styles.xml").decode()
    normal = re.search(r'<w:style [^>]*w:styleId="Normal".*?</w:style>', styles, re.S)[0]
    assert 'w:eastAsia="宋体"' in normal and "Theme=" not in re.search(r"<w:rFonts[^>]*>", normal)[0]


def test_same_inputs_same_letter(folder, tiny_result, tmp_path):
    export(tiny_result, tmp_path / "again", formats=["letters"])
    for name in ("word/document.xml", "docProps/core.xml"):
        contents = [
            zipfile.ZipFile(root / "协调函_电信致示例台.docx").read(name)
            for root in (folder, tmp_path / "again" / "letters")
        ]
        assert contents[0] == contents[1]


def test_the_list_says_where_each_base_station_stands(tiny_result, tiny_project):
    """Position, height and frequencies of the station itself, in the order of the rows."""
    result = dataclasses.replace(tiny_result, project=tiny_project)
    stations = tiny_project.stations.iloc[[-1, 0]]
    rows = make_list(2).iloc[2:].assign(station_id=stations["station_id"].tolist())  # 联通
    table = letters._annex(rows, result, "zh")
    assert table["基站编号"].tolist() == stations["station_id"].tolist()
    assert set(table["许可频率(MHz)"]) == {"3500–3600"}
    at = tiny_project.places.to_crs("EPSG:4490").set_index("place_id").geometry[stations["place_id"]]
    assert table["经度(°)"].to_numpy() == pytest.approx(at.x.to_numpy(), abs=1e-6)
    assert table["纬度(°)"].to_numpy() == pytest.approx(at.y.to_numpy(), abs=1e-6)
    assert at.x.nunique() == 2 and table["天线挂高(m)"].tolist() == stations["height_agl_m"].tolist()


def test_a_hostile_unit_name_stays_inside_the_folder(tiny_result, tmp_path, monkeypatch):
    rows = make_list(2).assign(user_unit='../..\\<a>|"台"')
    monkeypatch.setattr(letters, "coordination_rows", lambda result: rows)
    monkeypatch.setattr(letters, "_annex", lambda part, result, lang: pd.DataFrame({"a": [1]}))
    export(tiny_result, tmp_path / "out", formats=["letters"])
    assert not [path for path in (tmp_path / "out" / "letters").iterdir() if path.parent.name != "letters"]
    assert len(list((tmp_path / "out" / "letters").glob("*.docx"))) == 2


def test_the_list_is_the_one_of_the_run(tiny_result):
    listed = make_list(3)
    there = dataclasses.replace(tiny_result, tables={**tiny_result.tables, "coordination_list": listed})
    assert letters.coordination_rows(there).equals(listed)
    none = dataclasses.replace(tiny_result, tables={})
    with pytest.raises(ExportError, match="没有协调清单"):
        letters.coordination_rows(none)


def test_nothing_to_coordinate_is_said(tiny_result, tmp_path, monkeypatch):
    monkeypatch.setattr(letters, "coordination_rows", lambda result: make_list(0))
    export(tiny_result, tmp_path / "out", formats=["letters"])
    assert [path.name for path in (tmp_path / "out" / "letters").iterdir()] == ["无需协调.txt"]
