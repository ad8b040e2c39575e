"""What people type into cells."""

import math

import pandas as pd
import pytest

from lcsiting import schema
from lcsiting.inputs import headers, values


@pytest.mark.parametrize(
    "text",
    [
        "115°57′35.51″",
        "115º57'35.51\"",
        "115°57’35.51”",
        "115°57'35.51''",
        "E115°57′35.51″",
        "东经115度57分35.51秒",
        "115 57 35.51",
        "115-57-35.51",
        "115：57：35.51",
        "115d57m35.51s",
        "１１５°57′35.51″",
        "115°57.591833′",
        "115.959864°",
        115.959864,
    ],
)
def test_degrees_in_every_spelling(text):
    assert values.degrees_of(text) == pytest.approx(115 + 57 / 60 + 35.51 / 3600, abs=2e-6)


@pytest.mark.parametrize("text", ["", None, "不详", "115°75′", "一百一十五度"])
def test_degrees_that_are_none(text):
    assert math.isnan(values.degrees_of(text))


def test_southern_and_western_degrees_are_negative():
    assert values.degrees_of("36°27′00″S") == -36.45
    assert values.degrees_of("-36.45") == -36.45
    assert values.degrees_of("W70°30′") == -70.5


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("4,200", "", 4200.0),
        ("1,234,567.5", "", 1234567.5),
        ("30米", "m", 30.0),
        ("0.03km", "m", 30.0),
        ("3.4GHz", "MHz", 3400.0),
        ("６０", "m", 60.0),
        ("3.5万", "人", 35000.0),
        ("-5.2", "m", -5.2),
        ("2020年", "", 2020.0),
    ],
)
def test_numbers_as_typed(text, unit, number):
    assert values.number_of(text, unit) == pytest.approx(number)


@pytest.mark.parametrize(
    ("text", "unit"), [("约30", "m"), ("6层", "m"), ("12,5", ""), ("30/35", "m"), ("1,23", ""), ("30kW", "m")]
)
def test_numbers_that_could_mean_anything_are_none(text, unit):
    assert math.isnan(values.number_of(text, unit))


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2020-05-21", "2020-05-21"),
        ("2020/5/1", "2020-05-01"),
        ("2020年5月21日", "2020-05-21"),
        ("20200521", "2020-05-21"),
        (43972, "2020-05-21"),
        ("2020.5.21", "2020-05-21"),
        ("2020", "2020-01-01"),
        ("2020-05-21 08:00:00", "2020-05-21"),
    ],
)
def test_dates_as_typed(text, date):
    assert values.date_of(text) == pd.Timestamp(date)


def test_dates_that_are_none():
    dates, bad = values.to_dates(pd.Series(["去年", "", "2020-13-45"], dtype=object))
    assert dates.isna().all()
    assert bad.tolist() == [True, False, True]


def test_yes_and_no():
    yes, bad = values.to_bools(pd.Series(["是", "否", 1, 0.0, "", "√", "也许"], dtype=object))
    assert yes.tolist() == [True, False, True, False, False, True, False]
    assert bad.tolist() == [False] * 6 + [True]


def test_text_of_codes_keeps_no_decimals():
    text = values.to_text(pd.Series([371502.0, 371502, "0371502", None, " 甲 ", True], dtype=object))
    assert text.fillna("—").tolist() == ["371502", "371502", "0371502", "—", "甲", "1"]


@pytest.mark.parametrize(
    ("layer", "column", "word", "code"),
    [
        ("boundaries", "level", "市城区", "urban"),
        ("boundaries", "level", "district", "county"),
        ("candidates", "opening", "已开放", "open"),
        ("candidates", "power_supply", "直供", "direct"),
        ("candidates", "host_kind", "党政机关", "government"),
        ("candidates", "host_kind", "综合杆", "street_pole"),
        ("restricted", "kind", "生态保护红线", "redline"),
        ("demands", "operator", "中国移动", "移动"),
        ("roads", "class", "高速公路", "motorway"),
        ("protected_stations", "class", "测控站", "ttc"),
    ],
)
def test_words_become_codes(layer, column, word, code):
    words = values.vocabulary(layer, schema.layer(layer).columns[column])
    codes, bad = values.to_codes(pd.Series([word, "", "胡说"], dtype=object), words)
    assert codes[0] == code
    assert codes[1:].isna().all()
    assert bad.tolist() == [False, False, True]


def test_no_word_of_a_column_means_two_codes():
    for table in schema.layers().values():
        for column in table.columns.values():
            seen: dict[str, str] = {}
            for code, words in column.value_synonyms.items():
                assert code in column.values
                for word in words:
                    assert seen.setdefault(word, code) == code, (table.name, column.name, word)


def test_headers_match_without_case_width_brackets_and_units():
    found = headers.match("existing", ["ＩＤ", "挂高（m）", "站 名", "平台", "TOWER_TYPE"], {})
    assert found == {"place_id": "ＩＤ", "height_agl_m": "挂高（m）", "name": "站 名", "tower_type": "TOWER_TYPE"}


def test_headers_cut_by_a_shapefile_match_where_only_one_fits():
    assert headers.match("candidates", ["资源编"], {}) == {"place_id": "资源编"}
    assert headers.match("candidates", ["站址编"], {}) == {"place_id": "站址编"}


@pytest.mark.parametrize(
    ("columns", "pair"),
    [
        (["名称", "经度", "纬度"], ("经度", "纬度")),
        (["Y", "X"], ("X", "Y")),
        (["LAT", "LNG"], ("LNG", "LAT")),
        (["WGS84经度(°)", "WGS84纬度(°)"], ("WGS84经度(°)", "WGS84纬度(°)")),
        (["X坐标（米）", "Y坐标（米）"], ("X坐标（米）", "Y坐标（米）")),
        (["X", "Y", "经度", "纬度"], ("经度", "纬度")),
    ],
)
def test_coordinate_headers(columns, pair):
    found = headers.coordinates(columns, {})
    assert (found.first, found.second) == pair
