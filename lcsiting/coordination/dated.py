"""Measures at protected stations that are agreed or planned with a date: the layer ``station_measures``."""

from typing import Any

import numpy as np
import pandas as pd

from lcsiting import rules
from lcsiting.coordination.measures import FILTER, SHIELDING, StationMeasure, installed_db, station_measures
from lcsiting.coordination.profile import RuleTables
from lcsiting.model import Project


def dated_measures(
    project: Project, protected: pd.DataFrame, tables: RuleTables, lang: str = "zh"
) -> dict[str, tuple[StationMeasure, ...]]:
    """What the input says will be done at each protected station, and when.

    Parameters
    ----------
    project : Project
        ``layers["station_measures"]``: protected_id, measure (a ``measure_...`` row of the profile by id or name),
        effective, and optionally effect_db (filter and shielding: instead of the row's figure), status, cost.
    protected : DataFrame
        From :func:`lcsiting.coordination.protected.read_protected`.
    tables : RuleTables
    lang : str
        Language of the labels.

    Returns
    -------
    dict
        ``protected_id`` to measures by date, each with what it adds to what is there at that date: a filter of 45 dB
        where 30 dB is installed adds 15. Rows about unknown stations, unknown measures, with a negative effect or
        without a date are left out (``check`` lists them); so is what adds nothing.
    """
    layer = project.layers.get("station_measures")
    if layer is None or layer.empty:
        return {}
    rows = pd.DataFrame(layer.drop(columns="geometry", errors="ignore"))
    rows = rows.assign(effective=pd.to_datetime(rows["effective"], errors="coerce")).dropna(subset=["effective"])
    rows = rows.sort_values("effective", kind="stable")
    records = {record.protected_id: record for record in protected.itertuples(index=False)}
    out: dict[str, list[StationMeasure]] = {}
    there: dict[str, dict[str, float]] = {}
    for row in rows.to_dict("records"):
        name, key = str(row["protected_id"]), rules.row_named(tables.profile, str(row["measure"]), "measure_")
        if name not in records or key is None:
            continue
        record = records[name]
        done = there.setdefault(
            name,
            installed_db(float(record.filter_db), float(record.shielding_db), record.lnb_type == "compliant"),
        )
        item = _measure(row, key, record, done, tables, lang)
        if item is not None:
            done[key] = done.get(key, 0.0) + max(item.effect_db)
            out.setdefault(name, []).append(item)
    return {name: tuple(items) for name, items in out.items()}


def _measure(
    row: dict[str, Any], key: str, record: Any, done: dict[str, float], tables: RuleTables, lang: str
) -> StationMeasure | None:
    """A measure as it adds to what is there; None where it adds nothing."""
    plain = station_measures(tables, row["effective"].date(), earth_station=bool(record.earth_station), lang=lang)
    found = [item for item in plain if item.id == key]
    if not found:
        return None
    given = pd.to_numeric(row.get("effect_db"), errors="coerce")
    whole = np.array(found[0].effect_db)
    if given < 0:
        return None
    if np.isfinite(given) and key in (FILTER, SHIELDING):
        whole = np.where(whole > 0, float(given), 0.0)
    gained = np.maximum(whole - done.get(key, 0.0), 0.0)
    if not gained.any():
        return None
    cost = pd.to_numeric(row.get("cost"), errors="coerce")
    return StationMeasure(
        id=key,
        label=found[0].label,
        effect_db=tuple(float(value) for value in gained),
        cost=float(cost) if np.isfinite(cost) else found[0].cost,
        effective=row["effective"].date(),
        noise_k=0.0 if 0 < done.get(key, 0.0) < np.inf else found[0].noise_k,
        verified=found[0].verified,
    )
