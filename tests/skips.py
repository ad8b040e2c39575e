"""Which tests may be left out, and where (hooks, imported by ``conftest.py``).

Third-party files beside the checkout may be absent: tests marked ``shared("path", ...)`` are skipped without them,
everywhere. Any other skip (no browser, no font, no optional package) is for a planner's machine; where ``CI`` is set,
as ``.ci/run`` does, it is a failure, so that no check is left out there unnoticed.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def _absent(item: Any) -> list[Path]:
    """Third-party files an item is marked to need that are not there."""
    needed = [SHARED / path for marker in item.iter_markers("shared") for path in marker.args or ("",)]
    return [path for path in needed if not path.exists()]


def _as_in_ci(report: Any, item: Any) -> Any:
    """The report, a skip turned into a failure where it may not be one."""
    ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    if ci and report.skipped and not hasattr(report, "wasxfail") and not _absent(item):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"{reason}\nIn CI (the variable is set) nothing may be skipped."
    return report


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs third-party files that are not there."""
    if absent := _absent(item):
        pytest.skip(f"no third-party files beside the checkout ({absent[0]} is absent)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Tests that skip."""
    return _as_in_ci((yield), item)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Modules that skip as a whole (``importorskip``)."""
    return _as_in_ci((yield), collector)
