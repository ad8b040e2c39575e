"""The certificate and the limits in what a planner reads: text, workbook, map, GeoPackage."""

import dataclasses

import openpyxl
import pandas as pd
import pyogrio
import pytest

from lcsiting.exporters import proof, vector, workbook
from lcsiting.exporters.html import render

CERTIFICATE = {
    "scope": "…", "matrix": "ab12" * 16, "checked": True,
    "phases": [
        {"year": 2020, "value": 900_000, "upper_bound": 910_000, "gap_pct": 1.0989},
        {"year": 2023, "value": 1_950_000, "upper_bound": 1_960_000, "gap_pct": 0.5102},
    ],
    "joint": {"value": 2_850_000, "upper_bound": 2_861_400, "gap_pct": 0.3984},
}  # fmt: skip
LIMITS = pd.DataFrame(
    [
        (2020, "quota_min", "茌平区", "station", 12.0, 12.0, "binding", 7.0, None, None),
        (2020, "floor", "市城区 · indoor", "share", 0.95, 0.9, "impossible", 0.8, 0.91, 0.93),
        (2023, "budget", "", "", 600.0, 512.5, "kept", 512.5, None, None),
    ],
    columns=["year", "kind", "area", "unit", "limit", "value", "outcome", "free_value", "best", "bound"],
)


@pytest.fixture(scope="module")
def proven(tiny_result):
    plan = dataclasses.replace(tiny_result.plan, certificate=CERTIFICATE, limits=LIMITS)
    return dataclasses.replace(tiny_result, plan=plan)


def test_without_certificate_and_limits_nothing_is_said(tiny_result):
    assert proof.tables(tiny_result) == {}
    assert proof.certificate_lines(tiny_result) == proof.limit_lines(tiny_result) == []


def test_the_lines_give_bounds_gaps_and_the_matrix_they_are_about(proven):
    lines = proof.certificate_lines(proven)
    assert "联合不超过 0.40%" in lines[0] and "候选基站和本覆盖矩阵" in lines[0] and "独立核验通过" in lines[0]
    assert lines[1] == "2020 年：加权覆盖 9,000 人当量，任何方案不超过 9,100，差距不超过 1.10%"
    assert lines[-1].endswith(CERTIFICATE["matrix"])
    english = proof.certificate_lines(proven, "en")
    assert "jointly at most 0.40%" in english[0] and "over the given items and this cover matrix" in english[0]
    failed = dataclasses.replace(proven.plan, certificate=CERTIFICATE | {"checked": False})
    assert "未通过" in proof.certificate_lines(dataclasses.replace(proven, plan=failed))[0]


def test_unmet_limits_come_first_with_best_and_bound(proven):
    lines = proof.limit_lines(proven)
    assert lines[0] == "数量与覆盖约束：3 项，起作用 1 项，未满足 1 项"
    assert "覆盖底线 市城区 · indoor：要求 95.0%，方案 90.0%（不设约束时 80.0%）" in lines[1]
    assert "最好找到 91.0%，任何方案的界 93.0%" in lines[1]
    assert "区县数量下限 茌平区：要求 12，方案 12（不设约束时 7）" in lines[2] and len(lines) == 3


def test_the_workbook_has_both_sheets(proven, tmp_path):
    workbook.write_workbook(proven, tmp_path / "plan.xlsx")
    book = openpyxl.load_workbook(tmp_path / "plan.xlsx")
    assert book.sheetnames[:3] == ["汇总", "最优性证书", "数量与覆盖约束"]
    rows = [list(row) for row in book["最优性证书"].iter_rows(values_only=True)]
    assert [2020, 9000, 9100, 1.0989] in [row[:4] for row in rows]
    assert [None, 28500, 28614, 0.3984] in [row[:4] for row in rows]
    assert any("联合不超过 0.40%" in str(row[0]) for row in rows)
    limits = [list(row) for row in book["数量与覆盖约束"].iter_rows(values_only=True)]
    assert "不可能满足(已证明)" in [row[6] for row in limits]


def test_the_map_and_the_geopackage_carry_them(proven, tmp_path):
    page = render(proven)
    assert "联合不超过 0.40%" in page and "未满足 1 项" in page
    vector.write_geopackage(proven, tmp_path / "plan.gpkg")
    kept = pyogrio.read_dataframe(tmp_path / "plan.gpkg", layer="certificate")
    assert kept["upper_bound"].tolist() == [9100.0, 19600.0, 28614.0]
    assert len(pyogrio.read_dataframe(tmp_path / "plan.gpkg", layer="limits")) == 3
    fields = pyogrio.read_dataframe(tmp_path / "plan.gpkg", layer="fields")
    assert {"certificate", "limits"} <= set(fields["layer"])
