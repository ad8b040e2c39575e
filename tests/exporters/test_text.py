"""The summary in words: what is missing is said, what is unverified is named."""

import dataclasses

import pandas as pd
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


def test_what_the_unrestricted_plan_needs_and_what_the_measures_cost(tiny_result):
    """Told with every run; what measures alone do not clear is told with its margin, loss, price and who pays."""
    need = {"protected_id": "ES1", "mechanism": "long_term", "needed_db": 21.53, "verified": False}
    needs = [need, need | {"mechanism": "overload", "needed_db": 30.0, "verified": True},
             need | {"protected_id": "ES2", "needed_db": 0.0}]  # fmt: skip
    text = said(tiny_result, needs=needs)
    assert "需要的 1 个台站，从大到小）：ES1 饱和 30.0 dB；ES1 同频与无用发射(长期) 21.5 dB(依据未核实)" in text
    assert "ES2" not in text and "协调措施" not in text
    assert "needs" not in said(tiny_result, needs=[need | {"needed_db": 0.0}]) and "所需衰减" not in said(tiny_result)
    row = {
        "protected_id": "ES1", "outcome": "broken", "margin_long_term_db": -3.24, "margin_overload_db": float("nan"),
        "shadow_long_term_db": 0.5, "shadow_overload_db": float("nan"), "lost": 1.25, "lost_shared": 2.0,
        "bearer": "共同承担",
    }  # fmt: skip
    table = pd.DataFrame([row, row | {"protected_id": "ES2", "outcome": "clear"}])
    result = dataclasses.replace(tiny_result, tables={"remedies": table})
    totals = {"station_cost": 0.4, "site_cost": 1.1, "changed": 5, "dropped": 1, "lost": 1.25}
    text = said(result, needs=needs, remedies={"broken": 1, "clear": 1}, remedy_totals=totals)
    assert "台站侧费用 0.40，基站侧费用 1.10，调整基站 5 个（其中取消或迁移 1 个），损失覆盖折合 1.2 个基站" in text
    assert "ES1：现网已超限；最优可行方案余量 -3.2 / 无数据 dB" in text
    assert "涉及基站损失覆盖折合 3.2 个基站（其中 2.0 个也为其他台站）" in text
    assert "价值 0.5 / 无数据；费用承担：共同承担" in text and "ES2：" not in text
    assert "worth of 1 dB 0.5 / no data" in said(result, "en", remedies={"broken": 1}, remedy_totals=totals)


def test_more_needs_than_fit_are_counted(tiny_result):
    needs = [
        {"protected_id": f"ES{k:02d}", "mechanism": "long_term", "needed_db": 40.0 - k, "verified": True}
        for k in range(13)
    ]
    text = said(tiny_result, needs=needs)
    assert "ES09 " in text and "ES10 " not in text and "其余 3 个台站见表 needs" in text
