"""The verbs, as a planner types them."""

import dataclasses
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

import lcsiting as lc
from lcsiting.cli import main
from lcsiting.config import Floor, Quota, Ranking


@pytest.fixture
def cli():
    runner = CliRunner()
    return lambda *words: runner.invoke(main, [str(word) for word in words])


def test_help_lists_the_verbs_in_chinese_first(cli):
    result = cli("--help")
    assert result.exit_code == 0
    for verb in ("new", "check", "run", "export", "demo", "doctor"):
        assert verb in result.output
    assert "基站站址规划" in result.output


def test_usage_errors_exit_with_2(cli):
    assert cli("run", "x").exit_code == 2
    assert cli("check").exit_code == 2


def test_a_missing_project_is_one_line_and_exit_code_1(cli, tmp_path):
    result = cli("run", tmp_path / "无", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "lcsiting new" in result.output and "Traceback" not in result.output


def test_doctor_finds_this_machine_in_order(cli):
    result = cli("doctor")
    assert result.exit_code == 0, result.output
    assert "Leaflet" in result.output and "✗" not in result.output


def test_a_newly_applied_earth_station(cli, county_project, tmp_path):
    text = (
        "台站编号,台站名称,使用单位,台站类别,经度,纬度,接收频率下限(MHz),接收频率上限(MHz),卫星轨道经度(°E)\n"
        "NEW1,拟设地球站,示例单位,es_rx,116.2492,36.3329,3700,4200,115.5\n"
    )
    (tmp_path / "拟设.csv").write_text(text, encoding="utf-8")
    out = tmp_path / "新申请"
    result = cli("application", county_project, tmp_path / "拟设.csv", "--datum", "wgs84", "--out", out)
    assert result.exit_code == 0, result.output
    assert "NEW1 拟设地球站" in result.output and "需协调" in result.output
    assert sorted(path.name for path in out.iterdir()) == ["coordination_list.csv", "remedies.csv", "verdicts.csv"]
    listed = (out / "coordination_list.csv").read_text(encoding="utf-8-sig")
    assert "NEW1" in listed and "ES008" not in listed, "only the applicant"
    assert "受保护台站" in (out / "verdicts.csv").read_text(encoding="utf-8-sig"), "who yields, in words"
    again = cli("application", county_project, tmp_path / "拟设.csv", "--datum", "wgs84", "--out", out)
    assert again.exit_code == 1 and "--overwrite" in again.output


def test_the_whole_way_of_a_planner(cli, county_project, tmp_path):
    """check, run, refuse to clobber, export again, in a folder with Chinese name and space."""
    out = tmp_path / "成果 一"
    checked = cli("check", county_project, "--csv", tmp_path / "问题.csv")
    assert checked.exit_code == 0, checked.output
    assert (tmp_path / "问题.csv").read_text(encoding="utf-8-sig").startswith("级别,")
    ran = cli("run", county_project, "--out", out)
    assert ran.exit_code == 0, ran.output
    assert "基站" in ran.output and "map.html" in ran.output
    for name in ("map.html", "plan.xlsx", "plan.gpkg", "result/result.json"):
        assert (out / name).is_file(), name
    again = cli("run", county_project, "--out", out)
    assert again.exit_code == 1 and "--overwrite" in again.output
    exported = cli("export", out, "--out", tmp_path / "另存", "--format", "xlsx", "--lang", "en")
    assert exported.exit_code == 0, exported.output
    assert (tmp_path / "另存" / "plan.xlsx").is_file()


@pytest.fixture(scope="module")
def saved(tiny_project, tmp_path_factory):
    """A saved result whose plan holds quotas, a floor and a budget, with a certificate."""
    steps = [
        phase.model_copy(update={"budget": b}) for phase, b in zip(tiny_project.config.phases, (8.0, 30.0), strict=True)
    ]
    config = tiny_project.config.model_copy(
        update={
            "phases": steps,
            "quotas": [Quota(county="茌平区", min=3)],
            "floors": [Floor(area="市城区", service="outdoor", share=0.5, by=2020)],
            "ranking": Ranking(improve=True, certificate=True),
        }
    )
    result = lc.run(dataclasses.replace(tiny_project, config=config), progress=False)
    return lc.save(result, tmp_path_factory.mktemp("r") / "结果")


def test_replace_swaps_one_place_and_keeps_the_limits(cli, saved, tmp_path):
    result = lc.open_result(saved)
    live = set(result.plan.stations.query("status == 'on_air'")["place_id"])
    failed = next(p for p in result.plan.places["place_id"] if p not in live)
    ran = cli("replace", saved, failed, "--reason", "业主拒绝", "--out", tmp_path / "换")
    assert ran.exit_code == 0, ran.output
    assert f"{failed}-N" in ran.output and "净损失" in ran.output
    swaps = pd.read_csv(tmp_path / "换" / "replacements.csv")
    assert set(swaps["原站址"]) == {failed}
    stations = pd.read_csv(tmp_path / "换" / "stations.csv")
    assert failed not in set(stations["站址编号"]) and len(stations) == len(result.plan.stations)
    assert stations["相对造价"].sum() <= 30.0 + 1e-6
    again = cli("replace", saved, failed, "--out", tmp_path / "换")
    assert again.exit_code == 1 and "--overwrite" in again.output
    unknown = cli("replace", saved, "没有", "--out", tmp_path / "换2")
    assert unknown.exit_code == 1 and "not in the plan" in unknown.output and not (tmp_path / "换2").exists()


def test_explain_tells_why_and_why_not(cli, saved, tmp_path):
    result = lc.open_result(saved)
    planned = result.plan.stations.query("status == 'planned'")["place_id"].iloc[0]
    refused = next(p for p in result.plan.refused["place_id"] if p not in set(result.plan.stations["place_id"]))
    ran = cli("explain", saved, planned, refused, "--out", tmp_path / "说明")
    assert ran.exit_code == 0, ran.output
    assert "新增" in ran.output and "备选" in ran.output and refused in ran.output
    assert set(pd.read_csv(tmp_path / "说明" / "why_chosen.csv")["站址编号"]) == {planned}
    english = cli("explain", saved, planned, refused, "--lang", "en")
    assert english.exit_code == 0 and "could stand in" in english.output and "Refused, " in english.output
    assert not any(word in english.output for word in ("新增", "备选", "承接", "nan"))
    missing = cli("explain", saved, "没有")
    assert missing.exit_code == 1 and "没有这个站址编号" in missing.output


def test_export_and_summary_name_certificate_and_limits(cli, saved, tmp_path):
    from lcsiting.exporters.text import summary_text

    assert cli("export", saved, "--out", tmp_path / "o", "--format", "xlsx").exit_code == 0
    text = summary_text(lc.open_result(saved))
    assert "距最优的差距" in text and "独立核验通过" in text and "数量与覆盖约束：6 项" in text


def test_new_makes_a_project_that_opens(cli, tmp_path):
    folder = tmp_path / "我的 城市"
    assert cli("new", folder).exit_code == 0
    assert (folder / "project.toml").is_file()
    assert cli("new", folder).exit_code == 1, "never into a folder with files"
    assert len(lc.open_project(folder / "project.toml").places) >= 14_000


def test_importing_the_package_is_light():
    """No table or plot library is loaded before it is needed."""
    code = "import sys, lcsiting; print([m for m in ('pandas','folium','matplotlib','openpyxl') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_kernels_load_without_the_file_libraries():
    """A first result in under two CPU seconds, and a worker that stays small."""
    code = (
        "import sys, lcsiting.coverage.statistical, lcsiting.coverage.sectors;"
        "print({'geopandas', 'pandas', 'rasterio', 'pyproj'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "set()"
    )
