"""What clears every protected station of a project: needs, least-cost measures, who pays, what is lost.

Joins the computed contributions (``interference.evaluate``) with the choice of ``joint``. The same modes, without a
choice, are offered to a ranking by ``alternatives``.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting import schema
from lcsiting.coordination import joint
from lcsiting.coordination.cases import Scene, budget_terms, by_the_last_phase, make_case, make_scene
from lcsiting.coordination.clearing import Clearing
from lcsiting.coordination.dated import dated_measures
from lcsiting.coordination.interference import Evaluation
from lcsiting.coordination.measures import StationMeasure, measures_left, noise_penalty_db, who_pays
from lcsiting.coordination.modes import MOVE
from lcsiting.coordination.profile import profile_row
from lcsiting.model import Project

OUTCOME = {"clear": "clear", "cleared": "cleared_by_measures", "curtailed": "curtailed", "broken": "broken"}


@dataclass(frozen=True)
class Remedies:
    """Measures for a whole project.

    Attributes
    ----------
    stations : DataFrame
        Schema table ``remedies``, one row per protected station.
    modes : DataFrame
        Schema table ``remedy_modes``, the base stations that change; each has one row and one mode.
    measures : dict
        ``protected_id`` to the measures taken there, as ``aggregate.make_budgets`` wants them.
    totals : dict
        station_cost, site_cost, changed, dropped, lost: of the whole choice, every base station counted once.
    """

    stations: pd.DataFrame
    modes: pd.DataFrame
    measures: dict[str, tuple[StationMeasure, ...]]
    totals: dict[str, float]


def remedies(
    project: Project,
    evaluation: Evaluation,
    station_ids: Collection[str] | None = None,
    as_of: datetime.date | None = None,
    lang: str = "zh",
    only: Iterable[str] | None = None,
    lost: Mapping[str, ArrayLike] | None = None,
    eligible: pd.DataFrame | None = None,
) -> Remedies:
    """The least-cost joint choice at every protected station, one mode for each base station.

    Parameters
    ----------
    project : Project
        The layer ``station_measures`` counts: what takes effect by the last phase is there already.
    evaluation : Evaluation
        From :func:`lcsiting.coordination.interference.evaluate`.
    station_ids : collection of str, optional
        The new base stations of a plan; by default every one in the scope, as if all candidates were built.
        What is on air always counts, and cannot be changed. Only with a plan are there places to move to.
    as_of : date, optional
        From which lead times run; ``project.as_of`` by default.
    lang : str
        Language of the labels.
    only : iterable of str, optional
        Some protected stations, by ``protected_id``; the others are not looked at.
    lost : mapping, optional
        Mode id to the share of its covered weight each station loses in it, over ``Project.stations``, NaN where
        unknown (then the rule row's estimate).
    eligible : DataFrame, optional
        Schema table ``eligible``; a station that failed a rule is no place to move to.

    Returns
    -------
    Remedies
    """
    as_of = as_of or project.config.project.as_of
    scene = make_scene(project, evaluation, station_ids, eligible)
    dated = dated_measures(project, evaluation.protected, evaluation.tables, lang)
    share = float(profile_row(evaluation.tables, "broken_budget", "new_share")["new_share"])
    records = list(evaluation.protected.itertuples(index=False))
    asked = {record.protected_id for record in records} if only is None else set(only)
    chosen = [k for k, record in enumerate(records) if record.protected_id in asked]
    cases = []
    for k in chosen:
        there = by_the_last_phase(project, dated.get(records[k].protected_id, ()))
        left = measures_left(evaluation.tables, records[k], as_of, lang, there)
        cases.append(make_case(project, evaluation, scene, k, left, there, lost, lang))
    solved = joint.clear_all(cases, share)
    rows, taken = [], {}
    for number, (k, case, found) in enumerate(zip(chosen, cases, solved.clearings, strict=True)):
        taken[records[k].protected_id] = found.measures
        rows.append(_row(project, evaluation, records[k], case, found, solved.decided[case.item] == number, lang))
    table = pd.DataFrame(rows, columns=list(schema.table("remedies").columns))
    table["effective"] = pd.to_datetime(table["effective"]).astype("datetime64[s]")
    names = [records[k].protected_id for k in chosen]
    changed = _changed(project, evaluation, scene, cases, solved, names)
    return Remedies(table, changed, taken, _totals(table, changed))


def _totals(table: pd.DataFrame, changed: pd.DataFrame) -> dict[str, float]:
    return {
        "station_cost": float(table["station_cost"].sum()),
        "site_cost": float(changed["cost"].sum()),
        "changed": len(changed),
        "dropped": int(table["dropped"].sum()),
        "lost": float(changed["lost"].sum()),
    }


def _row(
    project: Project,
    evaluation: Evaluation,
    record: Any,
    case: joint.Case,
    found: Clearing,
    own: NDArray[np.bool_],
    lang: str,
) -> dict[str, Any]:
    """A row of ``remedies``; ``own`` marks the base stations whose mode was chosen for this station's need."""
    modes, at = case.modes, np.arange(len(case.item))
    layer = project.layers["protected_stations"]
    user = layer.loc[layer["station_id"] == record.protected_id, "user_unit"]
    bearer = who_pays(evaluation.tables, record.kind, record.rx_low_mhz, record.rx_high_mhz, lang)
    with np.errstate(divide="ignore"):
        margin = 10 * np.log10(case.budget_mw / found.used_mw)
    pad = lambda values: (*values, np.nan)[:2]  # noqa: E731  stations without a block have no overload budget
    needed, after, shadow = pad(found.needed_db), pad(margin), pad(found.shadow_db)
    in_effect = [item.effective for item in found.measures]
    changed = found.mode > 0
    k = int(np.flatnonzero(evaluation.protected["protected_id"] == record.protected_id)[0])
    return {
        "protected_id": record.protected_id,
        "protected_name": record.protected_name,
        "user_unit": "" if user.empty or pd.isna(user.iloc[0]) else str(user.iloc[0]),
        "outcome": OUTCOME[found.status],
        "base_stations": len(case.item),
        "needed_long_term_db": needed[0],
        "needed_overload_db": needed[1],
        "measures": "+".join(item.label for item in found.measures),
        "effective": max(in_effect) if in_effect else None,
        "station_cost": found.station_cost,
        "changed": int(own.sum()),
        "shared": int((changed & ~own).sum()),
        "dropped": int((modes.last[found.mode] & own).sum()),
        "site_cost": float(modes.cost[at, found.mode][own].sum()),
        "lost": float(found.lost[own].sum()),
        "lost_shared": float(found.lost[~own].sum()),
        "margin_long_term_db": after[0],
        "margin_overload_db": after[1],
        "shadow_long_term_db": shadow[0],
        "shadow_overload_db": shadow[1],
        "noise_penalty_db": noise_penalty_db(float(record.noise_temperature_k), list(found.measures)),
        "bearer": bearer.text if found.measures or changed.any() else "",
        "verified": budget_terms(evaluation, k)[2]
        and all(item.verified for item in found.measures)
        and bool(modes.verified[found.mode][changed].all()),
    }


def _changed(
    project: Project,
    evaluation: Evaluation,
    scene: Scene,
    cases: list[joint.Case],
    solved: joint.Joint,
    names: list[str],
) -> pd.DataFrame:
    """The base stations that do not stay as planned, each once, with the protected station it is for."""
    ids = project.stations["station_id"].to_numpy(dtype=object)
    parts = []
    for number, (case, found) in enumerate(zip(cases, solved.clearings, strict=True)):
        at = np.flatnonzero(solved.decided[case.item] == number)
        mode, modes = found.mode[at], case.modes
        load = modes.mw @ case.members.T / case.budget_mw
        with np.errstate(divide="ignore", invalid="ignore"):
            reduction = 10 * np.log10(load[at, 0].max(axis=1) / load[at, mode].max(axis=1))
        word = np.array(modes.ids, dtype=object)[mode]
        goal = np.full(len(at), "", dtype=object)
        if scene.target_row is not None:
            goal = np.where(word == MOVE, ids[scene.target_row[case.item[at]]], "")
        columns = {
            "protected_id": np.full(len(at), names[number], dtype=object),
            "station_id": ids[evaluation.tx.row[case.item[at]]],
            "mode": word,
            "label": np.array(modes.labels, dtype=object)[mode],
            "moved_to": goal,
            "reduction_db": reduction,
            "cost": modes.cost[at, mode],
            "lost": found.lost[at],
            "verified": modes.verified[mode],
        }
        parts.append(pd.DataFrame(columns))
    columns = list(schema.table("remedy_modes").columns)
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=columns)
    return pd.concat(filled, ignore_index=True)[columns].astype({"station_id": "str"})
