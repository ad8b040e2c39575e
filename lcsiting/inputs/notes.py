"""What the reading noticed: rows of the ``problems`` table and rows set aside."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lcsiting import schema

SEVERITIES = ("error", "warning", "info")
SET_ASIDE_COLUMNS = ("layer", "file", "row", "reason", "record")


def rows_text(rows: Iterable[Any], limit: int = 10) -> str:
    """``"5, 9, 12"``; beyond ``limit`` only the first ones and the count."""
    rows = [str(row) for row in rows]
    if len(rows) <= limit:
        return ", ".join(rows)
    return f"{', '.join(rows[:limit])} …（共 {len(rows)} 行）"


@dataclass
class Notes:
    """Collects problems and set-aside rows of one layer while it is read."""

    layer: str
    problems: list[dict[str, str]] = field(default_factory=list)
    aside: list[dict[str, str]] = field(default_factory=list)
    files: list[pd.DataFrame] = field(default_factory=list)  # raw tables by the rows a planner counts

    def add(
        self, severity: str, file: str, problem: str, fix: str = "", rows: Iterable[Any] = (), header: str = ""
    ) -> None:
        """One row of the problems table; ``rows`` as the planner counts them, ``header`` as in the file."""
        self.problems.append(
            {
                "severity": severity,
                "layer": self.layer,
                "file": file,
                "row": rows_text(rows),
                "field": header,
                "problem": problem,
                "fix": fix,
            }
        )

    def set_aside(
        self,
        frame: pd.DataFrame,
        bad: np.ndarray,
        reason: str,
        fix: str = "",
        header: str = "",
        severity: str = "warning",
    ) -> pd.DataFrame:
        """Move the rows marked ``bad`` out of ``frame`` (index kept), each with its reason.

        ``frame`` carries the helper columns ``_file``, ``_row`` and ``_source`` (position in ``files``);
        the record kept is the file's own row.
        """
        bad = np.asarray(bad, dtype=bool)
        if not bad.any():
            return frame
        out = frame[bad]
        for file, row, source in zip(out["_file"], out["_row"], out["_source"], strict=True):
            record = self.files[source].loc[row]
            text = "; ".join(f"{k}={v}" for k, v in record.items() if not _blank(v))
            self.aside.append({"layer": self.layer, "file": file, "row": str(row), "reason": reason, "record": text})
        for file, part in out.groupby("_file", sort=False):
            self.add(severity, file, f"{len(part)} 行{reason}，已另列，不参加规划", fix, part["_row"], header)
        return frame[~bad]


def _blank(value: Any) -> bool:
    return value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def problems_table(rows: list[dict[str, str]]) -> pd.DataFrame:
    """The ``problems`` table, errors first, else in the order noticed."""
    table = pd.DataFrame(rows, columns=list(schema.table("problems").columns), dtype=object)
    order = table["severity"].map({name: k for k, name in enumerate(SEVERITIES)})
    return table.iloc[np.argsort(order.to_numpy(dtype=float), kind="stable")].reset_index(drop=True)


def aside_table(rows: list[dict[str, str]]) -> pd.DataFrame:
    """Rows that could not be used."""
    return pd.DataFrame(rows, columns=list(SET_ASIDE_COLUMNS), dtype=object)
