"""Whatever a planner has to a validated layer in the working CRS.

Rows that cannot be used are set aside with file, row and reason; a layer that
cannot be used raises one error.
"""

import difflib
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from lcsiting import rules, schema
from lcsiting.config import Config, LayerSource
from lcsiting.errors import LayerError
from lcsiting.geo import crs
from lcsiting.inputs import columns, headers, placing, shapes, tables, values, vectors
from lcsiting.inputs.notes import Notes
from lcsiting.inputs.raw import Raw

TEXT_TABLES = (".csv", ".tsv")
EXCEL = (".xlsx", ".xlsm", ".xls")
TEXT = (".txt",)
VECTOR = (
    ".gpkg", ".shp", ".dbf", ".geojson", ".json", ".kml", ".kmz", ".ovkml", ".ovkmz", ".gdb", ".zip", ".gml", ".fgb",
    ".tab",
)  # fmt: skip

# How far outside the city a row may lie before its coordinates are not believed, km.
SANE_KM = 50.0
REACH_KM = {"protected_stations": 150.0, "neighbours": 150.0, "demands": 150.0}
INSIDE_ONLY = ("existing", "candidates")
OUTSIDE_FIX = "请核对坐标与坐标系；市外现网站填入图层 neighbours，计入受保护台站的集总干扰"


def sources_of(value: LayerSource | list[LayerSource]) -> list[LayerSource]:
    """A layer's sources as a list."""
    return list(value) if isinstance(value, list) else [value]


def find_file(root: Path, source: LayerSource, layer: str) -> Path:
    """The file of a source.

    Raises
    ------
    LayerError
        It does not exist; names a similar file if there is one.
    """
    path = root / source.path
    if path.exists():
        return path
    folder = path.parent
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    hint = f"是不是 {close[0]}?" if close else "请检查 project.toml 中的路径。"
    raise LayerError(f"{_title(layer)}：找不到文件 {source.path}。{hint}")


def _title(layer: str) -> str:
    return f"{schema.layer(layer).zh}({layer})"


def read_raw(path: Path, layer: str, source: LayerSource) -> Raw:
    """Read one file as it is, by its suffix.

    Raises
    ------
    LayerError
        The format is not one of ours, or the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in TEXT and tables.is_survey_text(path):
        return tables.read_survey_text(path, source.encoding)
    if suffix in (*TEXT_TABLES, *TEXT):
        return tables.read_csv(path, layer, source.columns, source.encoding)
    if suffix in EXCEL:
        return tables.read_excel(path, layer, source.columns, source.layer)
    if suffix in VECTOR:
        return vectors.read_vector(path, source.layer, source.encoding)
    known = "、".join((*TEXT_TABLES, *TEXT, *EXCEL[:1], *VECTOR))
    raise LayerError(f"{path.name}：不支持的格式 {suffix or '(无后缀)'}。可用：{known}。")


def read_layer(
    name: str,
    sources: LayerSource | list[LayerSource],
    root: Path,
    config: Config,
    city: Any = None,
) -> tuple[gpd.GeoDataFrame, list[dict[str, str]], list[dict[str, str]]]:
    """Read a layer from one or several files.

    Parameters
    ----------
    name : str
        Layer of the schema.
    sources : LayerSource or list of LayerSource
        Concatenated in order.
    root : Path
        Folder the paths are relative to; its ``rules/`` may override rule tables.
    config : Config
        Gives the working CRS.
    city : shapely geometry, optional
        The city in the working CRS: zones without prefix are resolved by it, rows outside it reported.

    Returns
    -------
    layer : GeoDataFrame
        The schema's columns and ``geometry``, working CRS, RangeIndex.
    problems, set_aside : list of dict
        Rows for ``notes.problems_table`` and ``notes.aside_table``.

    Raises
    ------
    LayerError, CrsError
        The layer cannot be used.
    """
    notes = Notes(name)
    frame = read_noted(name, sources, root, config, city, notes)
    return frame, notes.problems, notes.aside


def read_noted(
    name: str,
    sources: LayerSource | list[LayerSource],
    root: Path,
    config: Config,
    city: Any,
    notes: Notes,
) -> gpd.GeoDataFrame:
    """:func:`read_layer` into notes that survive an error."""
    near = lon_lat_bounds(city, config.project.crs)
    parts = [_read_source(name, source, root, config, near, notes) for source in sources_of(sources)]
    frame = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0].reset_index(drop=True)
    total, before = len(frame), len(notes.aside)
    frame = _codes_of_today(frame, name, root, notes)
    frame = _drop_duplicates(frame, name, notes)
    if city is not None and len(frame) and schema.layer(name).geometry:
        frame = _near_city(frame, name, city, notes)
    aside_here = len(notes.aside) - before
    if total and not len(frame) and aside_here:
        reasons = pd.Series([row["reason"] for row in notes.aside]).value_counts()
        raise LayerError(f"{_title(name)}：{total} 行全部不能使用，主要原因：{reasons.index[0]}。请检查坐标与坐标系。")
    return finish(frame, name, config.project.crs)


def lon_lat_bounds(city: Any, working_crs: str) -> placing.Bounds | None:
    """Longitudes and latitudes of the city's box."""
    if city is None or city.is_empty:
        return None
    west, south, east, north = city.bounds
    lon, lat = crs.transform([west, west, east, east], [south, north, south, north], working_crs, crs.GEOGRAPHIC)
    return float(min(lon)), float(min(lat)), float(max(lon)), float(max(lat))


def empty_layer(name: str, working_crs: str) -> gpd.GeoDataFrame:
    """A layer without rows, with the schema's columns and types."""
    table = schema.layer(name)
    data = {column.name: columns.empty(column) for column in table.columns.values()}
    return gpd.GeoDataFrame(data, geometry=gpd.GeoSeries([], crs=working_crs), crs=working_crs)


def finish(frame: pd.DataFrame, name: str, working_crs: str) -> gpd.GeoDataFrame:
    """Schema columns only, in order, final types."""
    table = schema.layer(name)
    if frame.empty:
        return empty_layer(name, working_crs)
    frame = frame.reset_index(drop=True)
    data = {column.name: columns.settle(frame[column.name], column) for column in table.columns.values()}
    return gpd.GeoDataFrame(data, geometry=gpd.GeoSeries(frame["geometry"].to_numpy(), crs=working_crs))


def _read_source(
    name: str, source: LayerSource, root: Path, config: Config, near: placing.Bounds | None, notes: Notes
) -> pd.DataFrame:
    path = find_file(root, source, name)
    try:
        raw = read_raw(path, name, source)
    except LayerError as error:
        raise type(error)(f"{_title(name)}：{error}") from error
    for severity, problem, fix in raw.remarks:
        notes.add(severity, raw.file, problem, fix)
    matched = _match(name, raw, source, notes)
    if not len(raw.frame):
        notes.add("warning", raw.file, "没有数据行", "请检查文件内容")
    if not schema.layer(name).geometry:  # a list, not a map layer
        frame = raw.frame.reset_index(drop=True).assign(_file=raw.file, _row=raw.rows, _source=len(notes.files))
        notes.files.append(raw.frame.set_axis(raw.rows, axis=0))
        frame["geometry"] = None
        return columns.convert(name, frame, matched, raw, notes, root / "rules")
    try:
        placed = placing.place(raw, source, near, config.project.crs)
    except LayerError as error:
        raise type(error)(f"{_title(name)}：{error}") from error
    for severity, problem, fix, rows in placed.remarks:
        notes.add(severity, raw.file, f"{problem}（{int(rows.sum())} 行）", fix, _some(raw.rows, rows), placed.header)
    geometry, wrong, remarks = shapes.conform(placed.geometry, schema.layer(name).geometry)
    for severity, problem, fix, rows in remarks:
        notes.add(severity, raw.file, problem, fix, raw.rows[rows])
    frame = raw.frame.reset_index(drop=True).assign(_file=raw.file, _row=raw.rows, _source=len(notes.files))
    notes.files.append(raw.frame.set_axis(raw.rows, axis=0))
    frame["geometry"] = pd.Series(list(geometry), dtype=object)
    reason = np.where(placed.reason != "", placed.reason, wrong)
    frame = _set_aside_by_reason(frame, reason, notes, placed.header)
    if len(raw.frame) and not len(frame):
        raise LayerError(
            f"{_title(name)}：{raw.file} 的 {len(raw.frame)} 行都没有可用的位置（{reason[0]}）。请检查坐标列与坐标系。"
        )
    return columns.convert(name, frame, matched, raw, notes, root / "rules")


def _some(rows: np.ndarray, mask: np.ndarray) -> list[Any]:
    """Rows to name in a message; all of them need no list."""
    return [] if mask.all() else list(rows[mask])


def _set_aside_by_reason(frame: pd.DataFrame, reason: np.ndarray, notes: Notes, header: str) -> pd.DataFrame:
    for text in dict.fromkeys(r for r in reason if r):
        bad = frame.index.isin(np.flatnonzero(reason == text))
        # A protected station left out would be a station nobody protects.
        severity = "error" if notes.layer == "protected_stations" else "warning"
        frame = notes.set_aside(frame, bad, text, "补上坐标或删除该行", header, severity)
    return frame


def _match(name: str, raw: Raw, source: LayerSource, notes: Notes) -> dict[str, str]:
    """Schema column to the file's header; raises for what must be there and is not."""
    table = schema.layer(name)
    present = [str(c) for c in raw.frame.columns]
    special = {"lon", "lat", "x", "y", "x_m", "y_m"}
    for ours, header in source.columns.items():
        if ours not in table.columns and ours not in special:
            close = difflib.get_close_matches(ours, list(table.columns), n=1)
            hint = f"；是不是 {close[0]!r}?" if close else f"；可用：{'、'.join(table.columns)}"
            raise LayerError(f"{_title(name)}：columns 中的 {ours!r} 不是该图层的字段{hint}")
        if not header.startswith("=") and header not in present:
            raise LayerError(
                f"{_title(name)}：{raw.file} 没有 project.toml 的 columns 所写的列 {header!r};"
                f"现有列：{'、'.join(present)}。"
            )
    matched = headers.match(name, present, source.columns)
    missing = []
    for column in table.columns.values():
        if column.required and column.name not in matched:
            words = values.vocabulary(name, column)
            code = values.code_in_name(raw.stem, words) if words else None
            if code:
                matched[column.name] = f"={code}"
                label = schema.value_label(code)
                notes.add("info", raw.file, f"没有“{column.zh}”列，按文件名取“{label}”", "", header=column.zh)
            else:
                missing.append(column)
    if missing:
        wanted = "；".join(f"“{c.zh}”（{c.name}，也可叫 {'、'.join(c.synonyms[:4])}）" for c in missing)
        raise LayerError(
            f"{_title(name)}：{raw.file} 缺少必需的列 {wanted}。现有列：{'、'.join(present) or '无'}。"
            '请改表头，或在 project.toml 用 columns = {名称 = "文件列名"} 对应；固定值写 "=值"。'
        )
    return matched


def _codes_of_today(frame: pd.DataFrame, name: str, root: Path, notes: Notes) -> pd.DataFrame:
    """Division codes of another vintage to today's (``rules/codes.toml``)."""
    if name != "boundaries" or frame.empty:
        return frame
    for old, row in rules.load("codes", root / "rules").items():
        hit = frame["code"].fillna("").astype(str).str.startswith(old).to_numpy()
        if hit.any():
            frame = frame.copy()
            frame.loc[hit, "code"] = row["code"] + frame.loc[hit, "code"].astype(str).str[len(old) :]
            text = f"行政区代码 {old} 是旧版，已改为 {row['code']}({row['name_old']}→{row['name_zh']})"
            for file, part in frame[hit].groupby("_file", sort=False):
                notes.add("info", file, text, "请在原文件中更新代码", part["_row"], "code")
    return frame


def _drop_duplicates(frame: pd.DataFrame, name: str, notes: Notes) -> pd.DataFrame:
    for column in schema.layer(name).columns.values():
        if column.unique and len(frame):
            again = frame[column.name].duplicated(keep="first").to_numpy()
            frame = notes.set_aside(frame, again, f"{column.zh}重复（保留第一行）", "改成不重复的编号", column.zh)
    return frame


def _near_city(frame: pd.DataFrame, name: str, city: Any, notes: Notes) -> pd.DataFrame:
    """Rows beyond belief are set aside; rows outside the city are set aside or reported, by layer."""
    geometry = frame["geometry"].to_numpy()
    shapely.prepare(city)
    reach = REACH_KM.get(name, SANE_KM)
    far = ~shapely.dwithin(city, geometry, reach * 1000.0)
    outside = ~shapely.intersects(city, geometry) & ~far
    fix = "请核对坐标与坐标系"
    if name in INSIDE_ONLY:
        keep = ~far
        frame = notes.set_aside(frame, far, f"距市域超过 {reach:g} km", fix, "坐标")
        beyond = OUTSIDE_FIX if name == "existing" else fix
        return notes.set_aside(frame, outside[keep], "在市域外", beyond, "坐标")
    if name == "neighbours":
        frame = notes.set_aside(frame, far, f"距市域超过 {reach:g} km", fix, "坐标")
        return notes.set_aside(frame, ~outside[~far], "在市域内", "市内站址填入图层 existing", "坐标")
    if outside.any():
        severity = "info" if name == "protected_stations" else "warning"
        for file, part in frame[outside].groupby("_file", sort=False):
            notes.add(
                severity,
                file,
                f"{len(part)} 行在市域外（保留）",
                fix if severity == "warning" else "",
                part["_row"],
                "坐标",
            )
    return notes.set_aside(frame, far, f"距市域超过 {reach:g} km", fix, "坐标")
