"""What the budgets say to a planner: what a plan needs, who breaks them today or would alone, and their names."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import schema
from lcsiting.coordination.aggregate import Budgets, columns_of, level_dbm
from lcsiting.model import Plan, Project
from lcsiting.rules.modes import AS_PLANNED

WORST = 10
RULE = "protection_budget"
NEARLY = 1e-9  # share of a budget that rounding may add
LITTLE_LEFT = "，现网已超限，仅留少量新增"


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


def needs(project: Project, budgets: Budgets, plan: Plan) -> pd.DataFrame:
    """The attenuation a plan that knows no budgets needs at each protected station, as the schema table ``needs``.

    Parameters
    ----------
    project : Project
    budgets : Budgets
    plan : Plan
        All of it on air, in its last phase, with what is on air beyond the city border; the protected stations
        equipped as they are today.
    """
    rows = pd.Index(project.stations["station_id"]).get_indexer(plan.stations["station_id"])
    column = columns_of(budgets, rows)
    there = budgets.on_air.copy()
    there[column[column >= 0]] = True
    level = level_dbm(budgets, there)
    table = budgets.rows.assign(
        plan_dbm=level,
        envelope_dbm=level_dbm(budgets, there, envelope=True),
        needed_db=np.maximum(0.0, level - budgets.rows["limit_dbm"].to_numpy(float)),
    )
    return table[list(schema.table("needs").columns)]


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
        the limit, ``share`` its part of what is on air, beyond the city border included.
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
        whole = mw.sum() + budgets.outside_mw[b]
        parts.append(
            pd.DataFrame(
                {
                    "protected_id": row["protected_id"], "protected_name": row["protected_name"],
                    "mechanism": row["mechanism"], "limit_dbm": row["limit_dbm"], "on_air_dbm": row["on_air_dbm"],
                    "order": np.arange(1, len(at) + 1), "station_id": at["station_id"].to_numpy(object),
                    "place_id": at["place_id"].to_numpy(object), "name": place["name"].to_numpy(object),
                    "network": at["network"].to_numpy(object), "band": at["band"].to_numpy(object),
                    "level_dbm": level, "over_limit_db": level - row["limit_dbm"], "share": mw[heaviest] / whole,
                    "verified": row["verified"],
                }
            )
        )  # fmt: skip
    columns = list(schema.table("broken_budgets").columns)
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def over_alone(budgets: Budgets) -> NDArray[np.bool_]:
    """Which pairs of the budgets' matrix are new base stations that alone exceed what the last phase leaves."""
    which = np.repeat(np.arange(len(budgets.rows)), np.diff(budgets.indptr))
    room = budgets.remaining_mw[:, -1][which] if budgets.remaining_mw.size else np.zeros(len(which))
    over = budgets.rows["binding"].to_numpy(bool)[which] & ~budgets.on_air[budgets.indices]
    return np.asarray(over & (budgets.mw > room * (1 + NEARLY)), dtype=np.bool_)


def hopeless_columns(budgets: Budgets) -> NDArray[np.bool_]:
    """Columns of base stations, in their modes, that no plan can carry, (n,)."""
    out = np.zeros(len(budgets.station_rows), dtype=bool)
    out[budgets.indices[over_alone(budgets)]] = True
    return out


def alone_over(project: Project, budgets: Budgets) -> pd.DataFrame:
    """Base stations that no plan can carry: in every mode one alone uses up more of a binding budget than is left.

    Parameters
    ----------
    project : Project
    budgets : Budgets
        With the modes offered, if any are.

    Returns
    -------
    DataFrame
        Failed rows of the schema table ``eligible``: the budget it exceeds most as planned, ``value`` the margin in dB.
    """
    lost = pd.Series(hopeless_columns(budgets)).groupby(budgets.station_rows).all()
    plain = np.ones(len(budgets.station_rows), bool) if budgets.modes is None else budgets.modes == AS_PLANNED
    column = lost.reindex(budgets.station_rows).to_numpy(bool) & plain
    which = np.repeat(np.arange(len(budgets.rows)), np.diff(budgets.indptr))
    at = np.flatnonzero(over_alone(budgets) & column[budgets.indices])
    room = budgets.remaining_mw[:, -1][which[at]] if len(at) else np.zeros(0)
    margin = 10 * np.log10(room / budgets.mw[at])
    order = np.argsort(margin, kind="stable")
    at, margin = at[order], margin[order]
    _, first = np.unique(budgets.indices[at], return_index=True)
    at, margin = at[first], margin[first]
    names, broken = np.array(_names(budgets), dtype=object), budgets.rows["broken"].to_numpy(bool)
    verified = budgets.rows["verified"].to_numpy(bool)[which[at]]
    reasons = [
        f"单站即超出{names[b]}余量 {-m:.1f} dB{LITTLE_LEFT if broken[b] else ''}{'' if sure else '（依据未核实）'}"
        for b, m, sure in zip(which[at], margin, verified, strict=True)
    ]
    return pd.DataFrame(
        {
            "station_id": project.stations["station_id"].to_numpy(object)[budgets.station_rows[budgets.indices[at]]],
            "rule": RULE,
            "passed": False,
            "value": margin,
            "limit": 0.0,
            "verified": verified,
            "reason": reasons,
        }
    ).astype({"station_id": "str", "rule": "str", "reason": "str"})
