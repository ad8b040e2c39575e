"""A file's columns to the schema's: types, codes, believable ranges."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lcsiting import schema
from lcsiting.inputs import values
from lcsiting.inputs.notes import Notes
from lcsiting.inputs.raw import Raw

# Declared instead of a header: the row's number is the value (lists without an id of their own).
ROW_NUMBER = "=#"


def empty(column: schema.Column) -> pd.Series:
    """No rows, of the column's type."""
    return settle(pd.Series([], dtype=object), column)


def settle(series: pd.Series, column: schema.Column) -> pd.Series:
    """Final type of a column.

    ``str`` (missing NaN), ``float``, ``int`` (float with NaN where some are missing),
    ``bool`` (missing False), ``date`` (datetime64, missing NaT).
    """
    if column.dtype == "bool":
        return series.fillna(False).astype(bool)
    if column.dtype == "date":
        return pd.to_datetime(series).astype("datetime64[s]")
    if column.dtype in ("int", "float"):
        numbers = pd.to_numeric(series).astype(float)
        whole = column.dtype == "int" and len(numbers) and numbers.notna().all()
        return numbers.round().astype("int64") if whole else numbers
    return series.astype("str")


def convert(
    layer: str, frame: pd.DataFrame, matched: dict[str, str], raw: Raw, notes: Notes, rules_override: Path
) -> pd.DataFrame:
    """Values of the schema's columns from the file's.

    Parameters
    ----------
    layer : str
    frame : DataFrame
        The file's columns and ``_file``, ``_row``, ``_source``, ``geometry``.
    matched : dict
        Schema column to header, ``"=value"`` for a constant, ``"=#"`` for file name and row number.
    raw : Raw
        For messages.
    notes : Notes
        Collects what was noticed.

    Returns
    -------
    DataFrame
        The schema's columns and the helpers; rows whose required cell is blank are set aside.
    """
    table = schema.layer(layer)
    out = frame[["_file", "_row", "_source", "geometry"]].copy()
    blank_required: list[tuple[schema.Column, str, Any]] = []
    for column in table.columns.values():
        header = matched.get(column.name, "")
        if not header:
            out[column.name] = pd.Series(np.nan, index=out.index, dtype=object)
            continue
        constant = header.startswith("=")
        if header == ROW_NUMBER:
            cells = pd.Series([f"{raw.stem}-{row}" for row in frame["_row"]], index=frame.index, dtype=object)
        else:
            cells = pd.Series(header[1:], index=frame.index, dtype=object) if constant else frame[header]
        shown = column.zh if constant else header
        out[column.name] = _typed(layer, column, cells, shown, out, raw, notes, rules_override)
        if column.required:
            blank_required.append((column, shown, out[column.name].isna().to_numpy()))
    return _without_blank(out, blank_required, frame, raw, notes)


def _without_blank(
    out: pd.DataFrame, blank: list[tuple[schema.Column, str, Any]], frame: pd.DataFrame, raw: Raw, notes: Notes
) -> pd.DataFrame:
    """Rows without an id or a code cannot be used; a missing name can."""
    for column, header, missing in blank:
        if not missing.any():
            continue
        if column.name == "name":
            rows = out["_row"][missing]
            notes.add("warning", raw.file, f"{len(rows)} 行没有{column.zh}", "请补上名称", rows, header)
    fatal = [(c, h, m) for c, h, m in blank if c.name != "name"]
    source = frame.copy()
    for column, header, missing in fatal:
        bad = pd.Series(missing, index=frame.index).reindex(source.index).to_numpy()
        source = notes.set_aside(source, bad, f"没有可用的{column.zh}", f"请填写“{header}”", header)
    return out.loc[source.index]


def _typed(
    layer: str,
    column: schema.Column,
    cells: pd.Series,
    header: str,
    out: pd.DataFrame,
    raw: Raw,
    notes: Notes,
    rules_override: Path,
) -> pd.Series:
    """One column's values; what cannot be understood is blanked and said."""
    words = values.vocabulary(layer, column, rules_override)
    if words:
        series, bad = values.to_codes(cells, words)
        if bad.any():
            seen = list(dict.fromkeys(str(v) for v in cells[bad]))[:5]
            known = "、".join(dict.fromkeys(_known_words(words)))
            severity = "warning"
            notes.add(
                severity,
                raw.file,
                f"{column.zh}的值不认识：{'、'.join(seen)}",
                f"可用：{known}",
                out["_row"][bad],
                header,
            )
        return series
    if column.dtype in ("int", "float"):
        return _numeric(column, cells, header, out, raw, notes)
    if column.dtype == "bool":
        yes, bad = values.to_bools(cells)
        _unreadable(bad, cells, column, header, out, raw, notes, "请填 是/否")
        return pd.Series(yes, index=cells.index)
    if column.dtype == "date":
        dates, bad = values.to_dates(cells)
        _unreadable(bad, cells, column, header, out, raw, notes, "请写成 2020-05-21")
        return dates
    return values.to_text(cells)


def _known_words(words: dict[str, str]) -> list[str]:
    """One Chinese word for each code, as examples."""
    by_code: dict[str, str] = {}
    for word, code in words.items():
        if code not in by_code or (by_code[code].isascii() and not word.isascii()):
            by_code[code] = word
    return list(by_code.values())


def _unreadable(
    bad: Any, cells: pd.Series, column: schema.Column, header: str, out: pd.DataFrame, raw: Raw, notes: Notes, fix: str
) -> None:
    if bad.any():
        seen = "、".join(dict.fromkeys(str(v) for v in cells[bad].to_list()[:3]))
        notes.add("warning", raw.file, f"{column.zh}无法识别：{seen}，按空值处理", fix, out["_row"][bad], header)


def _numeric(
    column: schema.Column, cells: pd.Series, header: str, out: pd.DataFrame, raw: Raw, notes: Notes
) -> pd.Series:
    """Numbers; those outside the believable range are blanked and flagged."""
    numbers, bad = values.to_numbers(cells, column.unit)
    _unreadable(
        bad, cells, column, header, out, raw, notes, f"请填数字（{column.unit}）" if column.unit else "请填数字"
    )
    low = -np.inf if column.min is None else column.min
    high = np.inf if column.max is None else column.max
    with np.errstate(invalid="ignore"):
        absurd = (numbers < low) | (numbers > high)
    if absurd.any():
        seen = "、".join(f"{v:g}" for v in dict.fromkeys(numbers[absurd][:3].tolist()))
        limits = f"{low:g}–{high:g}" if np.isfinite(high) else f"不小于 {low:g}"
        text = f"{column.zh}不合理：{seen}{column.unit}（应为 {limits}），按空值处理"
        notes.add("warning", raw.file, text, "请核对；留空则采用缺省值", out["_row"][absurd], header)
        numbers = np.where(absurd, np.nan, numbers)
    return pd.Series(numbers, index=cells.index)
