"""Fixtures every room shares; the cities themselves are built in ``tiny_city.py``."""

from pathlib import Path

import pytest
from skips import pytest_make_collect_report, pytest_runtest_makereport, pytest_runtest_setup  # noqa: F401
from tiny_city import SMALL_COUNTY, build_tiny_project, cut_county

from lcsiting.inputs.demo import demo_path
from lcsiting.inputs.project import open_project
from lcsiting.model import Project


@pytest.fixture(scope="session")
def tiny_project() -> Project:
    """Two counties of 72 km² each, in memory."""
    return build_tiny_project()


@pytest.fixture(scope="session")
def county_project(tmp_path_factory) -> Path:
    """``project.toml`` of one county cut from the demo city."""
    return cut_county(open_project(demo_path()), SMALL_COUNTY, tmp_path_factory.mktemp("东阿 县"))
