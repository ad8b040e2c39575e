"""What skips on a planner's machine fails in CI, unless third-party files are absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
import pytest

def test_passes(): pass

def test_no_tool(): pytest.skip("no tool")

@pytest.fixture
def tool(): pytest.skip("no tool for the fixture")

def test_fixture(tool): pass

@pytest.mark.skipif(True, reason="marked")
def test_marked(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_expected(): assert False

@pytest.mark.shared("no/such/file")
def test_absent_files(): assert False, "never run"

@pytest.mark.shared
def test_present(): pytest.skip("files there, tool not")
"""


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        ("", "1 passed, 6 skipped, 1 xfailed"),
        ("true", "2 failed, 1 passed, 1 skipped, 1 xfailed, 3 errors"),
    ],
    ids=["here", "CI"],
)
def test_skips(ci, outcome, tmp_path):
    (tmp_path / "test_cases.py").write_text(CASES, encoding="utf-8")
    (tmp_path / "test_module.py").write_text('import pytest\npytest.importorskip("no_such_package_at_all")\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    shared: x\n")
    # ``conftest`` takes the hooks as tests/conftest.py does; every path is "there" but the one asked for.
    (tmp_path / "conftest.py").write_text(
        "import skips\nfrom pathlib import Path\nfrom skips import *\nskips.SHARED = Path(__file__).parent\n"
    )
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--continue-on-collection-errors", "-q"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert outcome in done.stdout.splitlines()[-1], done.stdout
