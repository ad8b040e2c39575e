"""Where the coordination of each base station with each protected station stands on a date.

The log is data: what happened, and when. A licence holder's base station is coordinated with each
protected station on its own (operator x band); status, deadlines and the flag "may be switched on"
follow from the events up to ``as_of``. 协调工作完成前，干扰基站不得启用.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lcsiting import schema
from lcsiting.coordination.profile import RuleTables, load_tables
from lcsiting.coordination.workdays import add_months, add_working_days
from lcsiting.model import Project

# What may follow what. A failed test leads back to mitigation; an agreement implies the confirmation.
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "draft": ("requested",),
    "requested": ("confirmed", "agreed", "escalated"),
    "confirmed": ("agreed", "escalated"),
    "agreed": ("mitigation", "tested"),
    "escalated": ("agreed", "mitigation", "tested"),
    "mitigation": ("mitigation", "tested"),
    "tested": ("cleared", "mitigation"),
    "cleared": (),
}
STATUSES = tuple(FOLLOWS)
NEXT_STEP = {
    "draft": ("运营商向台站使用单位发起协调并提交信息", "the operator requests coordination"),
    "requested": ("台站使用单位确认", "the station's user confirms"),
    "confirmed": ("双方协商一致", "both sides agree"),
    "agreed": ("按协议实施措施", "the agreed measures are carried out"),
    "escalated": ("无线电管理机构协调", "the radio authority mediates"),
    "mitigation": ("措施完成后联合测试", "joint test after the measures"),
    "tested": ("办结协调，申请设台执照", "coordination is closed, licences are applied for"),
    "cleared": ("", ""),
}
ESCALATE = ("可提请无线电管理机构协助", "the radio authority may be asked for help")


@dataclass(frozen=True)
class Status:
    """Where one coordination stands.

    Attributes
    ----------
    status : str
        One of :data:`STATUSES`.
    since, requested_on, confirm_due, agree_due : date or None
    overdue : str
        ``confirm_overdue``, ``agree_overdue`` or empty.
    calendar_known : bool
        The deadline in working days rests on a published calendar.
    may_switch_on : bool
        Only at ``cleared``.
    ignored : tuple of (date, event)
        Events that do not follow from the state they found.
    """

    status: str = "draft"
    since: datetime.date | None = None
    requested_on: datetime.date | None = None
    confirm_due: datetime.date | None = None
    agree_due: datetime.date | None = None
    overdue: str = ""
    calendar_known: bool = True
    may_switch_on: bool = False
    ignored: tuple[tuple[datetime.date, str], ...] = ()


def pair_status(
    events: Iterable[tuple[datetime.date, str]],
    as_of: datetime.date,
    tables: RuleTables,
    override: Path | None = None,
) -> Status:
    """Status of one coordination from its events.

    Parameters
    ----------
    events : iterable of (date, event)
        Any order; events of one day in the order of the procedure. Those after ``as_of`` do not count.
    as_of : date
        Never today's by itself.
    tables : RuleTables
        ``[procedure]`` gives ``confirm_working_days`` and ``agree_months``; without it there are no deadlines.
    override : Path, optional
        The project's ``rules/`` folder, for the calendar.

    Returns
    -------
    Status
    """
    known = [(day, event) for day, event in events if day <= as_of]
    known.sort(key=lambda item: (item[0], STATUSES.index(item[1]) if item[1] in STATUSES else len(STATUSES)))
    status, since, requested, ignored = "draft", None, None, []
    for day, event in known:
        if event not in FOLLOWS[status]:
            ignored.append((day, event))
            continue
        status, since = event, day
        requested = day if event == "requested" else requested
    confirm_due, agree_due, sure = _deadlines(requested, tables, override)
    overdue = ""
    if status in ("requested", "confirmed") and agree_due and as_of > agree_due:
        overdue = "agree_overdue"
    elif status == "requested" and confirm_due and as_of > confirm_due:
        overdue = "confirm_overdue"
    return Status(
        status, since, requested, confirm_due, agree_due, overdue, sure, status == _required(tables), tuple(ignored)
    )


def _required(tables: RuleTables) -> str:
    """Status at which a base station may be switched on."""
    return str(tables.profile.get("switch_on", {}).get("requires", "cleared"))


def _deadlines(
    requested: datetime.date | None, tables: RuleTables, override: Path | None
) -> tuple[datetime.date | None, datetime.date | None, bool]:
    row = tables.profile.get("procedure")
    if requested is None or row is None:
        return None, None, True
    due, sure = add_working_days(requested, int(row["confirm_working_days"]), override)
    return due, add_months(requested, int(row["agree_months"])), sure


# ---------------------------------------------------------------- the list


def licence_holders(project: Project, tables: RuleTables) -> pd.DataFrame:
    """Who holds the licence of each station in the scope: one row per station, operator and band.

    The operators of the station's network that hold its band (``holders`` of ``rules/bands.toml``);
    all of them where the table names none.

    Returns
    -------
    DataFrame
        station_id, operator, band, place, on_air.
    """
    stations = project.stations
    rows = []
    for band, row in tables.bands.items():
        mine = stations[stations["band"] == band]
        for operators, part in mine.groupby(mine["operators"].astype(str), sort=False):
            sharing = [name for name in str(operators).split("+") if name]
            for operator in [name for name in sharing if name in row["holders"]] or sharing:
                rows.append(part[["station_id", "place", "on_air"]].assign(operator=operator, band=band))
    if not rows:
        return pd.DataFrame(columns=["station_id", "place", "on_air", "operator", "band"])
    return pd.concat(rows).sort_index(kind="stable").reset_index(drop=True)


def licence_mhz(bands: Mapping[str, Mapping[str, Any]], band: str, operator: str) -> tuple[float, float]:
    """What a holder is licensed to use of a band: ``licence_mhz`` of its row, else the whole transmit band."""
    row = bands[band]
    low, high = row.get("licence_mhz", {}).get(operator, (row["tx_low_mhz"], row["tx_high_mhz"]))
    return float(low), float(high)


CODES = ("clear", "coordinate", "excluded")


def _codes(table: pd.DataFrame, name: str, method: str) -> Any:
    """Verdict of one method as -1 (none), 0, 1, 2; tables without a column of its own are read by ``method``."""
    if name in table:
        return pd.Categorical(table[name].astype(object), categories=CODES).codes.astype(np.int64)
    codes = pd.Categorical(table["verdict"].astype(object), categories=CODES).codes.astype(np.int64)
    return np.where((table["method"] == method).to_numpy(bool), codes, -1)


def _joined(table: pd.DataFrame, name: str) -> pd.Series:
    """The different texts of a column within each pair, joined by ``;``."""
    texts = table[[*KEYS, name]].astype({name: "str"})
    parts = texts[texts[name] != ""].groupby(KEYS, sort=False)[name]
    return parts.agg(lambda part: ";".join(dict.fromkeys(";".join(part).split(";"))))


KEYS = ["station_id", "protected_id"]


def _pairs(verdicts: pd.DataFrame) -> pd.DataFrame:
    """One row per base station and protected station that one of the two verdicts asks to coordinate."""
    rule, physics = _codes(verdicts, "rule_verdict", "rule"), _codes(verdicts, "physics_verdict", "physics")
    asked = np.maximum(rule, physics)
    table = verdicts.assign(rule=rule, physics=physics)[asked >= 1]
    if table.empty:
        return pd.DataFrame(columns=[*KEYS, "mechanisms", "distance_m", "margin_db", "verified", *LATER])
    table = table.assign(**{key: table[key].astype("str") for key in KEYS})
    grouped = table.groupby(KEYS, sort=False)
    out = grouped[["distance_m", "margin_db"]].min().astype(float)
    out["verified"] = grouped["verified"].all()
    for name in ("rule", "physics"):
        out[f"{name}_verdict"] = grouped[name].max().map(dict(enumerate(CODES))).fillna("")
    for name in ("mechanism", "measure", "defaults", "yields"):
        out[name] = _joined(table, name).reindex(out.index).fillna("") if name in table else ""
    return out.rename(columns={"mechanism": "mechanisms"}).reset_index()


LATER = ("rule_verdict", "physics_verdict", "measure", "defaults", "yields")


def coordination_list(
    project: Project,
    verdicts: pd.DataFrame,
    as_of: datetime.date | None = None,
    station_ids: Iterable[str] | None = None,
    lang: str = "zh",
) -> pd.DataFrame:
    """Every coordination a plan asks for, by licence holder, with its status and deadlines.

    Parameters
    ----------
    project : Project
        ``layers["coordination_log"]`` gives the events; without it everything is a draft.
    verdicts : DataFrame
        From ``coordinate``.
    as_of : date, optional
        ``project.as_of`` by default.
    station_ids : iterable of str, optional
        Only these base stations, e.g. those of a plan.
    lang : str
        Language of ``next_step``.

    Returns
    -------
    DataFrame
        Schema table ``coordination_list``, by operator, protected station and distance.
    """
    tables = load_tables(project.config.coordination.profile, project.root / "rules")
    as_of = as_of or project.config.project.as_of
    pairs = _pairs(verdicts)
    if station_ids is not None:
        pairs = pairs[pairs["station_id"].isin(set(station_ids))]
    holders = licence_holders(project, tables).astype({"station_id": "str"})
    table = pairs.merge(holders, on="station_id", how="inner")
    names = project.places["name"].astype("str").to_numpy(dtype=object)
    table["place_name"] = names[table["place"].to_numpy(dtype=np.int64)] if len(table) else ""
    layer = project.layers["protected_stations"].drop_duplicates("station_id").set_index("station_id")
    for column, source in (("protected_name", "name"), ("user_unit", "user_unit")):
        texts = layer[source].astype("str") if source in layer else pd.Series(dtype="str")
        table[column] = table["protected_id"].map(texts.where(layer[source].notna(), "")).fillna("")
    order = ["operator", "protected_id", "distance_m", "station_id", "band"]
    table = table.sort_values(order, kind="stable").reset_index(drop=True)
    return _with_status(table, project, as_of, tables, lang)[list(schema.table("coordination_list").columns)]


def _with_status(
    table: pd.DataFrame, project: Project, as_of: datetime.date, tables: RuleTables, lang: str
) -> pd.DataFrame:
    """Columns of :class:`Status`: a draft unless the log knows better."""
    fields = ("status", "since", "requested_on", "confirm_due", "agree_due", "overdue", "calendar_known")
    values: dict[str, Any] = {name: np.full(len(table), getattr(Status(), name), dtype=object) for name in fields}
    values["may_switch_on"] = np.zeros(len(table), dtype=object)
    values["ignored"] = np.full(len(table), "", dtype=object)
    for rows, status in _histories(table, project, as_of, tables):
        for name in (*fields, "may_switch_on"):
            values[name][rows] = getattr(status, name)
        values["ignored"][rows] = _named(status.ignored, lang)
    table = table.assign(**values).astype({"calendar_known": bool, "may_switch_on": bool})
    for name in ("since", "requested_on", "confirm_due", "agree_due"):
        table[name] = pd.to_datetime(table[name]).astype("datetime64[s]")
    word = 0 if lang == "zh" else 1
    step = table["status"].map({key: words[word] for key, words in NEXT_STEP.items()})
    table["next_step"] = step.where(table["overdue"] != "agree_overdue", ESCALATE[word]).astype("str")
    return table


def _named(events: Iterable[tuple[datetime.date, str]], lang: str) -> str:
    """Events with their dates, in words."""
    return ";".join(f"{day.isoformat()} {schema.value_label(event, lang)}" for day, event in events)


def _histories(table: pd.DataFrame, project: Project, as_of: datetime.date, tables: RuleTables) -> Any:
    """(rows of the table, their status) for every history the log holds; of a station's own rows the last wins."""
    log = project.layers.get("coordination_log")
    if log is None or log.empty or table.empty:
        return
    log = pd.DataFrame(log.drop(columns="geometry", errors="ignore"))
    texts = {
        name: log[name].astype(object).where(log[name].notna(), "").astype(str).to_numpy()
        for name in ("operator", "protected_id", "station_id", "band")
    }
    dates = [stamp.date() for stamp in pd.to_datetime(log["date"])]
    events = log["event"].astype(str).to_list()
    mine = {name: table[name].astype(str).to_numpy() for name in texts}
    for operator, protected in dict.fromkeys(zip(texts["operator"], texts["protected_id"], strict=True)):
        entries = np.flatnonzero((texts["operator"] == operator) & (texts["protected_id"] == protected))
        rows = np.flatnonzero((mine["operator"] == operator) & (mine["protected_id"] == protected))
        applies = {}
        for row in rows:
            here = ("", mine["station_id"][row]), ("", mine["band"][row])
            fits = tuple(k for k in entries if texts["station_id"][k] in here[0] and texts["band"][k] in here[1])
            applies.setdefault(fits, []).append(row)
        for fits, same in applies.items():
            history = [(dates[k], events[k]) for k in fits]
            yield np.array(same), pair_status(history, as_of, tables, project.root / "rules")


def switch_on(project: Project, listed: pd.DataFrame) -> pd.DataFrame:
    """Whether each licence holder's base station may be switched on.

    Parameters
    ----------
    project : Project
    listed : DataFrame
        From :func:`coordination_list`, of all base stations.

    Returns
    -------
    DataFrame
        station_id, operator, band, open (coordinations not yet complete), may_switch_on, on_air. A base
        station with nothing to coordinate may be switched on; one on air with open coordinations
        shows as ``on_air`` and not ``may_switch_on``.
    """
    tables = load_tables(project.config.coordination.profile, project.root / "rules")
    keys = ["station_id", "operator", "band"]
    left = listed[~listed["may_switch_on"]].astype(dict.fromkeys(keys, "str")).groupby(keys).size().rename("open")
    out = licence_holders(project, tables).astype(dict.fromkeys(keys, "str")).drop(columns="place")
    out = out.merge(left.reset_index(), on=keys, how="left")
    out["open"] = out["open"].fillna(0).astype("int64")
    out["may_switch_on"] = out["open"] == 0
    return out[[*keys, "open", "may_switch_on", "on_air"]]
