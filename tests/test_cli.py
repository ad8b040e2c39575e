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
