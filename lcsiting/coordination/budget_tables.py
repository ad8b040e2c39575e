"""What the budgets say to a planner: who breaks them today, which base station alone would break one, their names."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import schema
from lcsiting.coordination.aggregate import Budgets
from lcsiting.model import Project

WORST = 10
RULE = "protection_budget"
NEARLY = 1e-9  # share of a budget that rounding may add


def _names(budgets: Budgets) -> list[str]:
    """Each budget in words."""
    rows = budgets.rows
    called = rows["protected_name"].where(rows["protected_name"] != "", rows["protected_id"])
    return [
        f"受保护台站“{name}”{schema.value_label(mechanism)}预算"
        for name, mechanism in zip(called, rows["mechanism"], strict=True)
    ]


def resource_names(budgets: Budgets) -> list[str]:
    """Names of the binding budgets, in the order of :func:`lcsiting.coordination.aggregate.resources`."""
    binding = budgets.rows["binding"].to_numpy(bool)
    return [name for name, binds in zip(_names(budgets), binding, strict=True) if binds]


def worst_on_air(project: Project, budgets: Budgets, count: int = WORST) -> pd.DataFrame:
    """The base stations on air that weigh most in each budget they break together.

    Parameters
    ----------
    project : Project
    budgets : Budgets
    count : int
        So many of each.

    Returns
    -------
    DataFrame
        Schema table ``broken_budgets``, the heaviest first. ``over_limit_db`` is the level of this station alone above
        the limit, ``share`` its part of what is on air.
    """
    stations, places = project.stations, project.places
    parts = []
    for b in np.flatnonzero(budgets.rows["broken"].to_numpy(bool)):
        span = slice(budgets.indptr[b], budgets.indptr[b + 1])
        air = budgets.on_air[budgets.indices[span]]
        mw, who = budgets.mw[span][air], budgets.station_rows[budgets.indices[span][air]]
        heaviest = np.argsort(-mw, kind="stable")[:count]
        at = stations.iloc[who[heaviest]]
        place, row = places.iloc[at["place"]], budgets.rows.iloc[b]
        level = 10 * np.log10(np.maximum(mw[heaviest], 1e-300))
        parts.append(
            pd.DataFrame(
                {
                    "protected_id": row["protected_id"], "protected_name": row["protected_name"],
                    "mechanism": row["mechanism"], "limit_dbm": row["limit_dbm"], "on_air_dbm": row["on_air_dbm"],
                    "order": np.arange(1, len(at) + 1), "station_id": at["station_id"].to_numpy(object),
                    "place_id": at["place_id"].to_numpy(object), "name": place["name"].to_numpy(object),
                    "network": at["network"].to_numpy(object), "band": at["band"].to_numpy(object),
                    "level_dbm": level, "over_limit_db": level - row["limit_dbm"], "share": mw[heaviest] / mw.sum(),
                    "verified": row["verified"],
                }
            )
        )  # fmt: skip
    columns = list(schema.table("broken_budgets").columns)
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def alone_over(project: Project, budgets: Budgets, least_share: NDArray[np.float64] | None = None) -> pd.DataFrame:
    """Base stations that no plan can carry: alone they would use up more of a binding budget than any phase leaves.

    Parameters
    ----------
    project : Project
    budgets : Budgets
    least_share : ndarray (pairs,), optional
        The least that a mode of each station brings, as a share of what ``budgets.mw`` says; 1 by default.

    Returns
    -------
    DataFrame
        Failed rows of the schema table ``eligible``: the budget it exceeds most, ``value`` the margin in dB.
    """
    which = np.repeat(np.arange(len(budgets.rows)), np.diff(budgets.indptr))
    mw = budgets.mw if least_share is None else budgets.mw * least_share
    room = budgets.remaining_mw[:, -1][which] if budgets.remaining_mw.size else np.zeros(len(which))
    over = budgets.rows["binding"].to_numpy(bool)[which] & ~budgets.on_air[budgets.indices] & (mw > room * (1 + NEARLY))
    at = np.flatnonzero(over)
    margin = 10 * np.log10(room[at] / mw[at])
    at, margin = at[np.argsort(margin, kind="stable")], np.sort(margin, kind="stable")
    _, first = np.unique(budgets.indices[at], return_index=True)
    at, margin = at[first], margin[first]
    names, broken = np.array(_names(budgets), dtype=object), budgets.rows["broken"].to_numpy(bool)
    share = "，现网已超限，仅留少量新增"
    reasons = [
        f"单站即超出{names[b]}余量 {-m:.1f} dB{share if broken[b] else ''}"
        for b, m in zip(which[at], margin, strict=True)
    ]
    verified = budgets.rows["verified"].to_numpy(bool)[which[at]]
    return pd.DataFrame(
        {
            "station_id": project.stations["station_id"].to_numpy(object)[budgets.station_rows[budgets.indices[at]]],
            "rule": RULE,
            "passed": False,
            "value": margin,
            "limit": 0.0,
            "verified": verified,
            "reason": [
                text + ("" if known else "（依据未核实）") for text, known in zip(reasons, verified, strict=True)
            ],
        }
    ).astype({"station_id": "str", "rule": "str", "reason": "str"})
