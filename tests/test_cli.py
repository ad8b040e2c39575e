"""The verbs, as a planner types them."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

import lcsiting as lc
from lcsiting.cli import main


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
