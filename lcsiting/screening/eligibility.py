"""Which stations may be built: every applicable rule, with value, limit and reason.

Land rules are judged per place and then stand at each of its stations. What exists already passes
them: the finding is listed, nothing is removed. A rule that is not verified warns only, unless the
planner sets ``[screening] enforce_unverified``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules, schema
from lcsiting.errors import ConfigError
from lcsiting.model import Project
from lcsiting.screening import distances, restricted

Row = dict[str, Any]
# Per place of the ones asked for: applies, failed, value, limit, reason.
Finding = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64], list[str]]
Judge = Callable[[Project, str, Row, NDArray[np.int64]], Finding | None]

ONLY_WARNED = "（未核实，仅提示）"
STANDING = "（现有设施，仅提示）"
MECHANISM_ZH = {"co_channel": "同频", "adjacent": "邻频", "overload": "饱和"}


def _points(project: Project, at: NDArray[np.int64]) -> NDArray[Any]:
    return project.places.geometry.to_numpy()[at]


def _layer(project: Project, name: str) -> Any:
    layer = project.layers.get(name)
    return None if layer is None or layer.empty else layer


def _inside_finding(project: Project, areas: Any, row: Row, at: NDArray[np.int64], words: str) -> Finding:
    hit, names = restricted.inside(_points(project, at), areas)
    exempt = _exempt(project, row, at)
    failed = hit & ~exempt
    reasons = [f"位于{words}{name}内" if bad else "" for bad, name in zip(failed, names, strict=True)]
    return np.ones(len(at), dtype=bool), failed, failed.astype(float), np.zeros(len(at)), reasons


def _exempt(project: Project, row: Row, at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tower types a rule lets through, e.g. landscape towers in scenic areas."""
    types = [str(text) for text in row.get("exempt_tower_types", [])]
    tower = project.places["tower_type"].to_numpy(dtype=object)[at]
    return np.array([any(word in str(text) for word in types) for text in tower], dtype=bool)


def _in_restricted(project: Project, rule: str, row: Row, at: NDArray[np.int64]) -> Finding | None:
    layer = _layer(project, "restricted")
    areas = None if layer is None else layer[layer["kind"] == rule]
    if areas is None or areas.empty:
        return None
    return _inside_finding(project, areas, row, at, str(row["name_zh"]))


def _in_water(project: Project, rule: str, row: Row, at: NDArray[np.int64]) -> Finding | None:
    layer = _layer(project, "water")
    return None if layer is None else _inside_finding(project, layer, row, at, str(row["name_zh"]))


def _owner_refused(project: Project, rule: str, row: Row, at: NDArray[np.int64]) -> Finding | None:
    refused = (project.places["opening"] == "refused").to_numpy(bool)[at]
    owners = project.places["owner"].to_numpy(dtype=object)[at]
    reasons = [
        f"产权单位{restricted.quoted(owner)}拒绝开放" if bad else "" for bad, owner in zip(refused, owners, strict=True)
    ]
    return np.ones(len(at), dtype=bool), refused, refused.astype(float), np.zeros(len(at)), reasons


def _clearance_finding(clearance: distances.Clearance, words: str) -> Finding:
    failed = clearance.distance_m < clearance.required_m
    reasons = [
        f"距{line} {distance:.1f} m，小于{words}要求的 {required:g} m" if bad else ""
        for bad, line, distance, required in zip(
            failed, clearance.line, clearance.distance_m, clearance.required_m, strict=True
        )
    ]
    return np.isfinite(clearance.distance_m), failed, clearance.distance_m, clearance.required_m, reasons


def _rail_setback(project: Project, rule: str, row: Row, at: NDArray[np.int64]) -> Finding | None:
    layer = _layer(project, "rail")
    if layer is None:
        return None
    return _clearance_finding(distances.setback(_points(project, at), layer, row, "rail"), str(row["name_zh"]))


def _road_setback(project: Project, rule: str, row: Row, at: NDArray[np.int64]) -> Finding | None:
    layer = _layer(project, "roads")
    if layer is None:
        return None
    return _clearance_finding(distances.setback(_points(project, at), layer, row, "roads"), str(row["name_zh"]))


def _fall_distance(project: Project, rule: str, row: Row, at: NDArray[np.int64]) -> Finding | None:
    height = project.places["height_agl_m"].to_numpy(float)[at]
    clearance = distances.fall_clearance(
        _points(project, at), height, _layer(project, "rail"), _layer(project, "roads"), float(row["fall_factor"])
    )
    return _clearance_finding(clearance, str(row["name_zh"]))


# Rules with a judge of their own; any other row of limits.toml is a kind of restricted polygon.
JUDGES: dict[str, Judge] = {
    "owner_refused": _owner_refused,
    "water": _in_water,
    "rail_setback": _rail_setback,
    "road_setback": _road_setback,
    "fall_distance": _fall_distance,
}


def _applicable(project: Project, rule: str, row: Row) -> NDArray[np.int64]:
    """Positions of the places a rule is about."""
    places = project.places
    if row["applies"] == "ground":
        return np.flatnonzero(places["ground"].to_numpy(bool))
    if row["applies"] == "all":
        return np.flatnonzero((places["source"] != "existing").to_numpy(bool))
    raise ConfigError(f'rules/limits.toml: [{rule}] applies = {row["applies"]!r}; write "ground" or "all"')


def _land_rows(project: Project, rule: str, row: Row) -> pd.DataFrame | None:
    """One rule's rows: judged per place, expanded to the stations standing there."""
    at = _applicable(project, rule, row)
    finding = JUDGES.get(rule, _in_restricted)(project, rule, row, at) if len(at) else None
    if finding is None:
        return None
    applies, failed, value, limit, reasons = finding
    position = np.full(len(project.places), -1, dtype=np.int64)
    position[at[applies]] = np.flatnonzero(applies)
    place = project.stations["place"].to_numpy()
    station = np.flatnonzero(position[place] >= 0)
    k = position[place[station]]
    existing = (project.places["source"] == "existing").to_numpy(bool)[place[station]]
    standing = existing | project.stations["on_air"].to_numpy(bool)[station]
    enforced = project.config.screening.enforce_unverified
    binding = bool(row["verified"]) or (rule in enforced if isinstance(enforced, list) else enforced)
    bad = failed[k]
    note = np.where(standing, STANDING, "" if binding else ONLY_WARNED).astype(object)
    text = np.array(reasons, dtype=object)[k]
    return pd.DataFrame(
        {
            "station": station,
            "rule": rule,
            "passed": ~bad | standing | (not binding),
            "value": value[k],
            "limit": limit[k],
            "verified": bool(row["verified"]),
            "reason": np.where(bad, text + note, ""),
        }
    )


def _coordination_reason(row: Any) -> str:
    """What stands between a station and its worst protected station, in a sentence."""
    if row.verdict == "clear":
        return ""
    who = restricted.quoted(row.protected_name) or restricted.quoted(row.protected_id)
    how = MECHANISM_ZH[row.mechanism]
    if row.method == "rule":
        inside = f"距受保护台站{who} {row.distance_m / 1000:.1f} km，在{how}协调距离 {row.limit_m / 1000:g} km 内"
        return f"{inside}，须协调"
    level = f"距受保护台站{who} {row.distance_m / 1000:.1f} km，{how}余量 {row.margin_db:.1f} dB"
    if row.verdict == "excluded":
        return f"{level}，现有措施均不足"
    return f"{level}，须协调" + (f"（{row.measure}）" if row.measure else "")


def _earth_station_rows(project: Project, verdicts: pd.DataFrame) -> pd.DataFrame | None:
    """Each station's worst verdict. Only ``excluded`` removes, and only if the planner enforces it."""
    if verdicts.empty:
        return None
    level = {"clear": 0, "coordinate": 1, "excluded": 2}
    table = verdicts.assign(
        severity=verdicts["verdict"].astype(object).map(level).to_numpy(np.int64),
        # Within a verdict physics before rule (it says more), then the worst of each kind.
        worst=np.where(
            verdicts["margin_db"].notna(), verdicts["margin_db"], verdicts["distance_m"] - verdicts["limit_m"]
        ),
        by_rule=(verdicts["method"] == "rule").to_numpy(bool),
    )
    order = ["station_id", "severity", "by_rule", "worst", "protected_id"]
    table = table.astype({"station_id": "str", "protected_id": "str"})
    table = table.sort_values(order, ascending=[True, False, True, True, True], kind="stable")
    table = table.drop_duplicates("station_id")
    row_of = pd.Series(np.arange(len(project.stations)), index=project.stations["station_id"].astype("str"))
    station = row_of.reindex(table["station_id"])
    table = table[station.notna().to_numpy()]
    station = station.dropna().to_numpy(np.int64)
    on_air = project.stations["on_air"].to_numpy(bool)[station]
    bad = (table["severity"] == 2).to_numpy(bool)
    binding = project.config.coordination.enforce == "physics"
    physics = ~table["by_rule"].to_numpy(bool)
    reason = np.array([_coordination_reason(row) for row in table.itertuples(index=False)], dtype=object)
    spoken = reason != ""
    unknown = np.where(table["verified"].to_numpy(bool), "", "（依据未核实）").astype(object)
    note = np.where(on_air, STANDING, "" if binding else "（仅提示）").astype(object)
    return pd.DataFrame(
        {
            "station": station,
            "rule": "earth_station",
            "passed": ~bad | on_air | (not binding),
            "value": np.where(physics, table["margin_db"], table["distance_m"]).astype(float),
            "limit": np.where(physics, 0.0, table["limit_m"]).astype(float),
            "verified": table["verified"].to_numpy(bool),
            "reason": np.where(spoken, reason + unknown + np.where(bad, note, "").astype(object), ""),
        }
    )


def screen(project: Project, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Every applicable rule of every station.

    Parameters
    ----------
    project : Project
        Places, stations and the layers ``restricted``, ``water``, ``rail``, ``roads``; a layer that
        is missing or empty makes its rules not applicable (no rows).
    verdicts : DataFrame
        From ``coordinate``: stations with rows get a rule ``earth_station``.

    Returns
    -------
    DataFrame
        Schema table ``eligible``, in station order, then in the order of ``rules/limits.toml``,
        ``earth_station`` last. ``value`` and ``limit``: metres and metres required; 1 or 0 for
        inside or not, limit 0; for an overload the margin in dB, limit 0. A station is out if any
        of its rows has ``passed`` False. ``reason`` (Chinese) is empty where nothing was found.
    """
    limits = rules.load("limits", project.root / "rules")
    parts = [_land_rows(project, rule, row) for rule, row in limits.items()]
    parts.append(_earth_station_rows(project, verdicts))
    names = [*limits, "earth_station"]
    found = [part for part in parts if part is not None and len(part)]
    columns = list(schema.table("eligible").columns)
    if not found:
        return pd.DataFrame(columns=columns).astype({"passed": bool, "value": float, "limit": float, "verified": bool})
    table = pd.concat(found, ignore_index=True)
    order = np.lexsort((table["rule"].map({name: k for k, name in enumerate(names)}), table["station"]))
    table = table.iloc[order].reset_index(drop=True)
    ids = project.stations["station_id"].to_numpy(dtype=object)
    table["station_id"] = pd.Series(ids[table["station"].to_numpy()], dtype="str")
    return table[columns].astype({"rule": "str", "reason": "str"})
