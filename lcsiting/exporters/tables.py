"""Tables as a planner reads them: chosen columns, codes turned into words, safe text."""

import datetime
import re
import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd

from lcsiting import rules, schema
from lcsiting.model import Result
from lcsiting.rules.modes import mode_label

# Codes of these columns are ids of a rule table, not schema values.
VOCABULARY = {
    "tier": "tiers",
    "chosen_in": "tiers",
    "host_kind": "site_kinds",
    "rule": "limits",
    "morphology": "morphology",
}
JOINED = ("mechanisms", "yields")  # several codes in one text
FORMULA_START = ("=", "+", "-", "@", "\t", "\r")
DECIMALS = ((("_m",), 3), (("_db", "_dbm"), 2))  # by the end of a column's name
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


BASIS = ("unverified", "verified")  # words of the columns that say whether a basis is verified


def word(column: str, value: Any, lang: str = "zh", root: Path | None = None) -> Any:
    """The word for one code of one column; anything unknown is returned as it is."""
    if not isinstance(value, str):
        return value
    if column == "defaults":
        return _fields(value, lang, root)
    if column in JOINED:
        return ("；" if lang == "zh" else "; ").join(schema.value_label(code, lang) for code in value.split(";"))
    table = VOCABULARY.get(column)
    if table:
        row = rules.load(table, root / "rules" if root else None).get(value)
        if row:
            return row.get(f"name_{lang}") or (value if lang == "en" else row.get("name_zh", value))
    return schema.value_label(value, lang)


def _fields(value: str, lang: str, root: Path | None) -> str:
    """Names of defaults: columns of the protected stations as their labels, the rest as its rule row calls it."""
    columns = schema.layer("protected_stations").columns
    rows = rules.load("earth_stations", root / "rules" if root else None)
    names = [
        columns[name].label(lang) if name in columns else rows.get(name, {}).get(f"name_{lang}", name)
        for name in value.split(";")
        if name
    ]
    return ("；" if lang == "zh" else "; ").join(names)


def translated(frame: pd.DataFrame, table: str | schema.Table, result: Result, lang: str = "zh") -> pd.DataFrame:
    """The schema's columns of a table, in its order, codes turned into words.

    Parameters
    ----------
    frame : DataFrame
        A table the tool made; a geometry column is dropped, extra columns too.
    table : str or Table
        Its name in ``schema/tables.toml``, or any table of the schema.
    result : Result
        Whose project may override rule tables.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    DataFrame
        New frame with internal column names.
    """
    table = schema.table(table) if isinstance(table, str) else table
    columns = [name for name in table.columns if name in frame.columns]
    out = pd.DataFrame({name: frame[name].to_numpy() for name in columns}, columns=columns)
    root = result.project.root
    measures = rules.load(result.project.config.coordination.profile, root / "rules")
    for name in columns:
        if table.columns[name].dtype == "float" and out[name].dtype == object:  # None among numbers
            out[name] = pd.to_numeric(out[name], errors="coerce").astype(float)
        if name.endswith("verified"):
            out[name] = [None if v is None else schema.value_label(BASIS[bool(v)], lang) for v in map(plain, out[name])]
        if table.columns[name].dtype != "str":
            continue
        codes = pd.Series(pd.unique(out[name].dropna()), dtype=object)
        words = {code: word(name, code, lang, root) for code in codes}
        if name == "mode" and "label" not in columns:
            words = {code: mode_label(code, measures, lang) for code in codes}
        if any(words[code] != code for code in words):
            out[name] = out[name].map(words).astype(object)
    return out


def verdicts_to_settle(result: Result) -> pd.DataFrame:
    """Verdicts that ask something of somebody (neither clear nor outside the bands)."""
    verdicts = result.verdicts
    if "verdict" not in verdicts.columns:
        return verdicts
    return verdicts[verdicts["verdict"].isin(["coordinate", "excluded"])]


def failures(result: Result) -> pd.DataFrame:
    """Eligibility rows that did not pass."""
    eligible = result.eligible
    return eligible[~eligible["passed"].astype(bool)] if "passed" in eligible.columns else eligible


def refused_counts(result: Result, lang: str = "zh") -> pd.DataFrame:
    """Stations and places refused, by rule and reason kind."""
    refused = result.plan.refused
    counts = refused.groupby("rule", sort=True, dropna=False).agg(
        stations=("station_id", "size"), places=("place_id", "nunique"), example=("reason", "first")
    )
    counts = counts.reset_index().sort_values(["stations", "rule"], ascending=[False, True], kind="stable")
    counts["rule"] = [word("rule", value, lang, result.project.root) for value in counts["rule"]]
    return counts.reset_index(drop=True)


def plain(value: Any) -> Any:
    """A value a spreadsheet can hold: None for missing, dates as ISO text, no control characters."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float):
        return None if value != value or value in (float("inf"), float("-inf")) else value
    if isinstance(value, str):
        return _CONTROL.sub("", value)
    if isinstance(value, datetime.date):
        return value.isoformat()[:10]
    return value if isinstance(value, int | bool) else str(value)


def is_formula(value: Any) -> bool:
    """Whether a spreadsheet might run this text (it begins with ``= + - @``, tab or return)."""
    return isinstance(value, str) and value.startswith(FORMULA_START)


def without_year_zero(frame: pd.DataFrame) -> pd.DataFrame:
    """What is on air has no phase year: 0 inside the program, missing in every file."""
    if "phase_year" not in frame.columns:
        return frame
    years = pd.to_numeric(pd.Series(frame["phase_year"])).astype("Int64")
    return frame.assign(phase_year=years.mask(years == 0))


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Floats cut to what they mean: degrees 6 decimals, metres 3, decibels 2, everything else 4; year 0 is none."""
    out = without_year_zero(frame).copy()
    for name in out.columns:
        if out[name].dtype.kind == "f":
            places = next((n for ends, n in DECIMALS if name.endswith(ends)), 4)
            out[name] = out[name].astype(float).round(6 if name in ("lon", "lat") else places)
    return out


def yes_no(frame: pd.DataFrame, lang: str = "zh") -> pd.DataFrame:
    """Truth values as words; a spreadsheet writes TRUE, or 1, in every language."""
    words = {True: "是", False: "否"} if lang == "zh" else {True: "yes", False: "no"}
    return frame.assign(**{name: frame[name].map(words) for name in frame.columns if frame[name].dtype.kind == "b"})


def text_width(text: Any) -> int:
    """Columns a text takes on screen; a wide (Chinese) character takes two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in str(text))


def write_refused(result: Result, path: Path, lang: str = "zh") -> None:
    """Write the full refused list as CSV (``utf-8-sig``, so that Excel reads the Chinese).

    Texts a spreadsheet would run as a formula get a leading apostrophe.
    """
    frame = rounded(translated(result.plan.refused, "refused", result, lang))
    for name in frame.columns:
        if frame[name].dtype.kind not in "ifb":
            frame[name] = [f"'{v}" if is_formula(v) else v for v in map(plain, frame[name])]
    frame.rename(columns=schema.labels("refused", lang)).to_csv(
        path, index=False, encoding="utf-8-sig", lineterminator="\r\n"
    )
