"""The summary in words: what is missing is said, what is unverified is named."""

import dataclasses

import pytest

from lcsiting.exporters.text import summary_text

PHASE = {
    "year": 2020, "target": 10, "unit": "station", "stations": 10, "places": 6, "sharing": 1.66, "reuse_share": 0.5,
    "stations_per_10k": 0.2, "covered_weight_share": 0.7, "reached": True,
}  # fmt: skip
STATISTIC = {
    "year": 2020, "level": "city", "service": "outdoor", "network": "all", "area_km2": 100.0, "people": 1000.0,
    "covered_area_km2": 90.0, "covered_people": 800.0,
}  # fmt: skip
CHECK = {
    "year": 2020, "network": "电联", "service": "outdoor", "people_share_raster": 0.81, "people_share_cells": 0.79
}  # fmt: skip
GRADE = {
    "year": 2020, "area": "市城区", "grade": "full", "network": "电联", "measure": "outdoor_people_pct",
    "value": 96.0, "required": 95.0, "reached": True,
}  # fmt: skip
SUMMARY = {
    "name": "示例", "hosts": {"existing": 3}, "phases": [PHASE], "statistics": [STATISTIC], "coverage_check": [CHECK],
    "reach": [], "grades": [GRADE], "refused": [], "coordination": {"coordinate": 2, "not_assessed": 1},
    "unverified_rules": ["miit_266_136.radius_co_channel", "limits.fall_distance", "radio.a", "radio.b", "bands.n1"],
}  # fmt: skip


def said(result, lang="zh", **changes):
    return summary_text(dataclasses.replace(result, summary=SUMMARY | changes), lang)


def test_figures_are_said(tiny_result):
    text = said(tiny_result)
    assert "共享率 1.66 个/处，利旧率 50.0%，每万人 0.2 个，加权覆盖率 70.0%" in text
    assert "2020 全市: 室外 90.0% · 80.0%" in text
    assert "2020 电联 室外: 81.0% / 79.0%" in text
    assert "2020 市城区 全覆盖（电联）：室外人口 96.0% (≥ 95%) ✓" in text
    assert "需协调 2，未评估 1" in text


@pytest.mark.parametrize("missing", [None, float("nan")])
@pytest.mark.parametrize(("lang", "word"), [("zh", "无数据"), ("en", "no data")])
def test_what_is_missing_is_no_number_and_neither_reached_nor_failed(tiny_result, missing, lang, word):
    text = said(
        tiny_result,
        lang,
        phases=[PHASE | {"stations_per_10k": missing, "covered_weight_share": missing}],
        statistics=[STATISTIC | {"people": 0.0, "covered_people": missing}],
        coverage_check=[CHECK | {"people_share_raster": missing, "people_share_cells": missing}],
        grades=[GRADE | {"value": missing, "reached": False}],
    )
    assert f"90.0% · {word}" in text
    assert f"{word} / {word}" in text
    assert f"{word} (≥ 95%)" in text
    assert text.count(word) == 6
    assert not {"✓", "✗"} & set(text)
    assert "nan" not in text.lower().replace("finance", "") and "None" not in text


def test_several_areas_of_a_level_are_one_share(tiny_result):
    """Two towns, one without people: 8 of 10 km2 and half of the people of the other."""
    towns = [
        STATISTIC | {"level": "town", "area_km2": 4.0, "covered_area_km2": 4.0, "people": 100, "covered_people": 50},
        STATISTIC | {"level": "town", "area_km2": 6.0, "covered_area_km2": 4.0, "people": 0, "covered_people": 0},
    ]
    assert "乡镇: 室外 80.0% · 50.0%" in said(tiny_result, statistics=towns)


def test_a_projects_own_grade_has_its_name(tiny_result, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "grades.toml").write_text(
        '[mine]\nname_zh = "骨干覆盖"\noutdoor_people_pct = 95.0\nsource = "own"\nverified = true\n', encoding="utf-8"
    )
    project = dataclasses.replace(tiny_result.project, root=tmp_path)
    result = dataclasses.replace(tiny_result, project=project)
    assert "骨干覆盖" in said(result, grades=[GRADE | {"grade": "mine"}])
    assert "骨干覆盖" in said(result, "en", grades=[GRADE | {"grade": "mine"}])


def test_unverified_rules_are_counted_by_table_and_named_where_they_matter(tiny_result):
    lines = said(tiny_result).splitlines()
    start = next(k for k, line in enumerate(lines) if "5 条规则数值未经核实" in line)
    assert lines[start + 1 :] == [
        "  干扰协调规则 miit_266_136 1 条：radius_co_channel",
        "  用地限制 1 条：倒塔距离",
        "  无线参数 2 条、频段 1 条",
    ]
    assert "未经核实" not in said(tiny_result, unverified_rules=[])
    assert "Land limits 1: Fall distance" in said(tiny_result, "en")
