"""What planners type into cells: numbers, degrees, yes/no, dates, words for codes."""

import datetime
import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules, schema

BLANK_WORDS = {"", "-", "--", "—", "/", "null", "<null>", "nan", "none", "n/a", "#n/a", "无", "空", "未知", "不详"}
TRUE_WORDS = {"1", "1.0", "是", "有", "y", "yes", "true", "t", "√", "对", "真"}
FALSE_WORDS = {"0", "0.0", "否", "无", "n", "no", "false", "f", "×", "x", "没有", "不", "假"}

# Units people write behind a number, by the unit the schema asks for.
UNIT_FACTORS: dict[str, dict[str, float]] = {
    "m": {"m": 1.0, "米": 1.0, "km": 1000.0, "公里": 1000.0, "千米": 1000.0, "cm": 0.01, "厘米": 0.01},
    "MHz": {"mhz": 1.0, "兆赫": 1.0, "兆": 1.0, "ghz": 1000.0, "吉赫": 1000.0, "khz": 0.001},
    "kW": {"kw": 1.0, "千瓦": 1.0, "kva": 1.0, "w": 0.001, "瓦": 0.001},
    "人": {"人": 1.0, "万人": 1e4, "万": 1e4},
    "元/年": {"元/年": 1.0, "元": 1.0, "万元": 1e4, "万": 1e4, "万元/年": 1e4},
    "°": {"°": 1.0, "度": 1.0, "deg": 1.0},
    "°E": {"°": 1.0, "度": 1.0, "e": 1.0, "°e": 1.0},
    "K": {"k": 1.0, "开": 1.0},
    "dB": {"db": 1.0},
    "dBi": {"dbi": 1.0, "db": 1.0},
    "": {"年": 1.0, "个": 1.0, "级": 1.0, "类": 1.0},
}
_NUMBER = re.compile(r"^([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:e[+-]?\d+)?)\s*(.*)$")
_DEGREES = re.compile(
    r"^[东西南北经纬nsew:\s]*"
    r"([+-]?\d+(?:\.\d+)?)\s*(?:[°度d:\s-]+|$)"
    r"(?:(\d+(?:\.\d+)?)\s*(?:['分m:\s-]+|$))?"
    r"(?:(\d+(?:\.\d+)?)\s*(?:[\"'秒s]*))?"
    r"\s*[东西南北经纬nsew]*$"
)
_MARKS = str.maketrans(
    {
        **dict.fromkeys("º˚゜⁰", "°"),
        **dict.fromkeys("′’‘´`ʹ＇", "'"),
        **dict.fromkeys("″”“〃ʺ＂", '"'),
    }
)


def text_of(value: Any) -> str | None:
    """A cell as text: codes keep no ``.0``, dates become ISO, blank is None."""
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, float):
        if np.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    text = str(value).strip()
    return text or None


def to_text(values: pd.Series) -> pd.Series:
    """A column as text, missing where blank."""
    return pd.Series([text_of(v) for v in values.to_numpy(dtype=object)], index=values.index, dtype="str")


def _is_blank(value: Any) -> bool:
    text = text_of(value)
    return text is None or text.lower() in BLANK_WORDS


def number_of(value: Any, unit: str = "") -> float:
    """One number as typed: ``"4,200"``, ``"30 米"``, ``"3.4GHz"`` for MHz; nan if it is none."""
    text = text_of(value)
    if text is None:
        return np.nan
    text = unicodedata.normalize("NFKC", text).lower().strip().replace("−", "-")
    found = _NUMBER.match(text)
    if not found or not any(ch.isdigit() for ch in found[1]):
        return np.nan
    suffix = found[2].strip().replace(" ", "")
    factor = 1.0 if not suffix else UNIT_FACTORS.get(unit, {}).get(suffix)
    if factor is None:
        return np.nan
    try:
        return float(found[1].replace(",", "")) * factor
    except ValueError:
        return np.nan


def to_numbers(values: pd.Series, unit: str = "") -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A column as numbers, and where something stood that is none."""
    numbers = np.array(pd.to_numeric(values, errors="coerce"), dtype=float)
    raw = values.to_numpy(dtype=object)
    bad = np.zeros(len(raw), dtype=bool)
    for i in np.flatnonzero(~np.isfinite(numbers)):
        numbers[i] = number_of(raw[i], unit)
        bad[i] = not np.isfinite(numbers[i]) and not _is_blank(raw[i])
    return np.where(np.isfinite(numbers), numbers, np.nan), bad


def degrees_of(value: Any) -> float:
    """Decimal degrees of ``115.98``, ``115°57′35.51″``, ``E115度57分``, ``115 57 35.5``; nan if none."""
    text = text_of(value)
    if text is None:
        return np.nan
    text = unicodedata.normalize("NFKC", text.translate(_MARKS)).translate(_MARKS).lower().strip()
    try:
        return float(text)
    except ValueError:
        pass
    found = _DEGREES.match(text.replace("''", '"'))
    if not found:
        return number_of(value, "°")
    degrees, minutes, seconds = (float(part) if part else 0.0 for part in found.groups())
    if minutes >= 60 or seconds >= 60:
        return np.nan
    size = abs(degrees) + minutes / 60.0 + seconds / 3600.0
    # a trailing s is "seconds" unless the seconds already have their mark
    south = text.startswith("s") or text.endswith('"s')
    return -size if found[1].startswith("-") or south or any(mark in text for mark in "西南w") else size


def to_degrees(values: pd.Series) -> NDArray[np.float64]:
    """A coordinate column as numbers (degrees or metres), nan where unreadable."""
    numbers = np.array(pd.to_numeric(values, errors="coerce"), dtype=float)
    raw = values.to_numpy(dtype=object)
    for i in np.flatnonzero(~np.isfinite(numbers)):
        numbers[i] = degrees_of(raw[i])
        if not np.isfinite(numbers[i]):
            numbers[i] = number_of(raw[i], "m")
    return np.where(np.isfinite(numbers), numbers, np.nan)


def to_bools(values: pd.Series) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """A column as yes/no (blank: no), and where neither was said."""
    words = [(text_of(v) or "").lower() for v in values.to_numpy(dtype=object)]
    yes = np.array([word in TRUE_WORDS for word in words], dtype=bool)
    known = np.array([w in TRUE_WORDS or w in FALSE_WORDS or w in BLANK_WORDS for w in words], dtype=bool)
    return yes, ~known


def date_of(value: Any) -> Any:
    """A date as typed: ISO, ``2020/5/21``, ``2020年5月21日``, ``20200521``, ``2020``, an Excel day number; else NaT."""
    if isinstance(value, datetime.date):
        return pd.Timestamp(value)
    text = text_of(value)
    if text is None:
        return pd.NaT
    if re.fullmatch(r"\d{5}(\.\d+)?", text) and 20_000 <= float(text) <= 80_000:
        return pd.Timestamp("1899-12-30") + pd.Timedelta(days=int(float(text)))
    text = unicodedata.normalize("NFKC", text)
    found = re.match(r"^(\d{4})[-/.年]?(\d{1,2})?[-/.月]?(\d{1,2})?日?(?:[T ].*)?$", text)
    if not found:
        return pd.NaT
    try:
        return pd.Timestamp(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return pd.NaT


def to_dates(values: pd.Series) -> tuple[pd.Series, NDArray[np.bool_]]:
    """A column as dates, and where something stood that is none."""
    raw = values.to_numpy(dtype=object)
    dates = pd.Series(pd.to_datetime([date_of(v) for v in raw]), index=values.index).astype("datetime64[s]")
    bad = dates.isna().to_numpy() & np.array([not _is_blank(v) for v in raw], dtype=bool)
    return dates, bad


def _word(value: Any) -> str:
    text = text_of(value)
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lower() if text else ""


def vocabulary(layer: str, column: schema.Column, rules_override: Any = None) -> dict[str, str]:
    """Normalised word to code, for a column with codes; empty if the column is free text."""
    out: dict[str, str] = {}
    if layer == "candidates" and column.name == "host_kind":
        for code, row in rules.load("site_kinds", rules_override).items():
            for word in (code, row["name_zh"], row.get("name_en", ""), *row.get("synonyms", [])):
                out.setdefault(_word(word), code)
            for part in row["name_zh"].split("/"):
                out.setdefault(_word(part), code)
        return out
    for code in column.values:
        labels = (code, schema.value_label(code, "zh"), schema.value_label(code, "en"))
        for word in (*labels, *column.value_synonyms.get(code, [])):
            out.setdefault(_word(word), code)
    return out


def to_codes(values: pd.Series, words: dict[str, str]) -> tuple[pd.Series, NDArray[np.bool_]]:
    """A column of words as codes, and where the word is unknown."""
    cache: dict[Any, str | None] = {}
    out, bad = [], []
    for value in values.to_numpy(dtype=object):
        text = _word(value)
        if text not in cache:
            cache[text] = words.get(text)
        out.append(cache[text])
        bad.append(cache[text] is None and bool(text) and text not in BLANK_WORDS)
    return pd.Series(out, index=values.index, dtype="str"), np.array(bad, dtype=bool)


def code_in_name(name: str, words: dict[str, str]) -> str | None:
    """The code whose longest word (two characters or more) stands in a file name."""
    text = _word(name)
    hits = [word for word in words if len(word) > 1 and word in text]
    return words[max(hits, key=len)] if hits else None
