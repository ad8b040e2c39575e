"""The two lists of dependencies agree, and so do the notebooks and their sources."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).parent.parent


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=! \[]", item.strip())[0].lower() for item in requirements}


def _environment() -> tuple[set[str], set[str]]:
    """Conda and pip names of environment.yml (a flat file: no YAML library needed)."""
    conda, pip = [], []
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    for line in text.partition("dependencies:")[2].splitlines():
        if match := re.match(r"^  - (?!pip:)(.+)$", line):
            conda.append(match[1])
        elif match := re.match(r"^      - (?!-e)(.+)$", line):
            pip.append(match[1])
    return _names(conda), _names(pip)


def _extras(pyproject: dict) -> list[str]:
    """What a planner's environment has besides the dependencies."""
    return [item for extra in ("docs", "notebook") for item in pyproject["optional-dependencies"][extra]]


def test_environment_names_the_packages_of_pyproject():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = _names(pyproject["dependencies"] + _extras(pyproject))
    conda, pip = _environment()
    assert conda - {"python", "pip"} | pip == wanted
    assert "django-js-lib-leaflet" in pip, "not on conda-forge"


def test_versions_agree_too():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    for item in pyproject["dependencies"] + _extras(pyproject):
        assert f"- {item}\n" in environment


def test_the_wheel_carries_the_demo_city(tmp_path):
    """``demo`` and ``new`` work without a clone."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "-w",
        tmp_path,
        ROOT,
    ]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("lcsiting-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {f"lcsiting/_demo/liaocheng/{path.name}" for path in (ROOT / "data" / "liaocheng").iterdir()}
    assert shipped <= names and "lcsiting/_demo/liaocheng/project.toml" in names
    assert {"lcsiting/rules/bands.toml", "lcsiting/schema/layers.toml", "lcsiting/exporters/assets/map.js"} <= names


@pytest.mark.parametrize("source", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda p: p.stem)
def test_notebook_equals_its_source(source):
    pair = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    script = jupytext.read(source)
    assert [(c.cell_type, c.source) for c in pair.cells] == [(c.cell_type, c.source) for c in script.cells]
    assert all(not cell.get("outputs") for cell in pair.cells), "outputs are not committed"
