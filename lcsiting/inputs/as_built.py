"""The as-built table: which operator is on air on which place since when."""

from pathlib import Path

import pandas as pd

from lcsiting import schema
from lcsiting.errors import LayerError
from lcsiting.inputs import headers, notes, tables, values

FORMATS = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm")


def read_as_built(path: str | Path) -> pd.DataFrame:
    """Read an as-built table.

    Parameters
    ----------
    path : path
        CSV (UTF-8 or GBK) or Excel; headers in the words of the schema table ``as_built``.

    Returns
    -------
    DataFrame
        Checked by :func:`check_as_built`.

    Raises
    ------
    LayerError
        The file is missing, of another format, or lacks something.
    """
    path = Path(path)
    if not path.is_file():
        raise LayerError(f"竣工表：找不到文件 {path}。")
    if path.suffix.lower() not in FORMATS:
        raise LayerError(f"{path.name}：竣工表只能是 {'、'.join(FORMATS)}。")
    excel = path.suffix.lower() in (".xlsx", ".xlsm")
    raw = tables.read_excel(path, "existing", {}, None) if excel else tables.read_csv(path, "existing", {}, None)
    return check_as_built(raw.frame, path.name)


def _columns(frame: pd.DataFrame) -> dict[str, str]:
    """Column of the schema to column of the frame."""
    found = {}
    by_key = {headers.normalise(str(name)): name for name in frame.columns}
    for column in schema.table("as_built").columns.values():
        words = (column.name, column.zh, column.en, *column.synonyms)
        hit = next((by_key[key] for key in map(headers.normalise, words) if key in by_key), None)
        if hit is not None:
            found[column.name] = hit
    return found


def check_as_built(frame: pd.DataFrame, file: str = "as_built") -> pd.DataFrame:
    """Settle an as-built table: columns, operators, dates.

    Parameters
    ----------
    frame : DataFrame
        One row per place, operator and band; columns as in the schema table ``as_built`` or under
        their labels and synonyms. ``band`` may be missing.
    file : str
        Name for messages.

    Returns
    -------
    DataFrame
        place_id, operator, band, on_date (datetime64); row order kept.

    Raises
    ------
    LayerError
        A column is missing, or rows lack a place, have an unknown operator or no readable date.
    """
    found = _columns(frame)
    table = schema.table("as_built")
    missing = [column.zh for column in table.columns.values() if column.required and column.name not in found]
    if missing:
        raise LayerError(f"{file}：竣工表缺少列 {'、'.join(missing)}；现有列：{'、'.join(map(str, frame.columns))}。")
    out = pd.DataFrame({name: frame[column].to_numpy(object) for name, column in found.items()})
    if "band" not in out:
        out["band"] = ""
    out["place_id"] = values.to_text(out["place_id"]).fillna("").astype(object)
    out["band"] = values.to_text(out["band"]).fillna("").str.lower().astype(object)
    operator = schema.layer("demands").columns["operator"]
    out["operator"], strange = values.to_codes(out["operator"], values.vocabulary("demands", operator))
    out["on_date"], _ = values.to_dates(out["on_date"])
    faults = {
        "没有站址编码": (out["place_id"] == "").to_numpy(bool),
        "运营商不认识": strange | out["operator"].isna().to_numpy(bool),
        "开通日期读不出": out["on_date"].isna().to_numpy(bool),
    }
    for what, rows in faults.items():
        if rows.any():
            where = notes.rows_text([i + 2 for i in rows.nonzero()[0]])
            raise LayerError(f"{file}：竣工表有 {int(rows.sum())} 行{what}（第 {where} 行）。请补全或删除这些行。")
    return out[["place_id", "operator", "band", "on_date"]]
