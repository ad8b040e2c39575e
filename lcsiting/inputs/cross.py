"""Checks that need more than one row or layer: do the layers fit each other?"""

import re
from itertools import combinations
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lcsiting import rules, schema
from lcsiting.geo import crs
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive, stations
from lcsiting.inputs.notes import Notes
from lcsiting.inputs.project import Layers

MANY = 5  # fewer pairs say nothing about a shift
SAME_SPREAD_M = 60.0  # offsets of one shift agree within this
POPULATION_TOLERANCE = 0.05
OVERLAP_SHARE = 0.001
GCJ_FIX = '核对该图层的 datum：高德/腾讯/DataV 为 "gcj02"，GPS/天地图为 "wgs84"/"cgcs2000"'


def cross_checks(there: Layers) -> list[dict[str, str]]:
    """Rows of the problems table about layers that do not fit each other.

    Parameters
    ----------
    there : Layers
        Whatever could be read; missing layers are empty.
    """
    rows: list[dict[str, str]] = []
    for step in (_shifted, _counties, _population, _rasters, _fees, _on_air, _demands, _protected, _same_spot):
        rows += step(there)
    return rows


def _note(layer: str, severity: str, problem: str, fix: str, who: Any = (), header: str = "") -> list[dict[str, str]]:
    note = Notes(layer)
    note.add(severity, "", problem, fix, who, header)
    return note.problems


# --- shifts ------------------------------------------------------------------------------------


def _city_lon_lat(there: Layers) -> tuple[float, float] | None:
    if there.grid is None:
        return None
    west, south, east, north = raster.bounds(there.grid)
    lon, lat = crs.transform((west + east) / 2, (south + north) / 2, there.config.project.crs, crs.GEOGRAPHIC)
    return float(lon), float(lat)


def _shifted(there: Layers) -> list[dict[str, str]]:
    """Layers that lie as far and in the direction GCJ-02 would put them."""
    middle = _city_lon_lat(there)
    if middle is None:
        return []
    return [*_outline_shift(there, middle), *_name_shift(there, middle), *_county_shift(there, middle)]


def _describe(east_m: float, north_m: float) -> str:
    azimuth = float(np.degrees(np.arctan2(east_m, north_m)) % 360)
    return f"偏移约 {np.hypot(east_m, north_m):.0f} m、方位 {azimuth:.0f}°"


def _is_gcj(east_m: float, north_m: float, middle: tuple[float, float]) -> bool:
    """An offset like GCJ-02's, in either direction (either layer may be the shifted one)."""
    return crs.looks_gcj02(east_m, north_m, *middle) or crs.looks_gcj02(-east_m, -north_m, *middle)


def _outline_shift(there: Layers, middle: tuple[float, float]) -> list[dict[str, str]]:
    """City outline against the union of its counties."""
    areas = there.layers["boundaries"]
    city, counties = (areas[areas["level"] == level] for level in ("city", "county"))
    if city.empty or counties.empty:
        return []
    a, b = city.union_all(), counties.union_all()
    if not 0.95 < a.area / b.area < 1.05:
        return []
    east, north = a.centroid.x - b.centroid.x, a.centroid.y - b.centroid.y
    if not _is_gcj(east, north, middle):
        return []
    text = f"市域轮廓与各县合并范围{_describe(east, north)}，其中之一很可能是 GCJ-02 坐标"
    return _note("boundaries", "warning", text, GCJ_FIX)


def _unique_names(layer: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    if layer.empty or "name" not in layer or layer.geometry.iloc[0].geom_type != "Point":
        return layer.iloc[:0]
    points = layer[(layer.geom_type == "Point") & layer["name"].notna()]
    return points[~points["name"].duplicated(keep=False)]


def _name_shift(there: Layers, middle: tuple[float, float]) -> list[dict[str, str]]:
    """Points of the same name in two layers, displaced alike."""
    rows = []
    named = {name: _unique_names(layer) for name, layer in there.layers.items()}
    for a, b in combinations([name for name, layer in named.items() if len(layer) >= MANY], 2):
        both = named[a].merge(pd.DataFrame(named[b][["name", "geometry"]]), on="name", suffixes=("", "_b"))
        if len(both) < MANY:
            continue
        there_b = gpd.GeoSeries(both["geometry_b"])
        dx = there_b.x.to_numpy() - both.geometry.x.to_numpy()
        dy = there_b.y.to_numpy() - both.geometry.y.to_numpy()
        east, north = float(np.median(dx)), float(np.median(dy))
        if np.median(np.hypot(dx - east, dy - north)) > SAME_SPREAD_M or not _is_gcj(east, north, middle):
            continue
        text = (
            f"与图层“{schema.layer(a).zh}”中 {len(both)} 个同名点相比{_describe(east, north)},"
            "其中之一很可能是 GCJ-02 坐标"
        )
        rows += _note(b, "warning", text, GCJ_FIX)
    return rows


def _stem(names: pd.Series) -> pd.Series:
    """County names without their rank, which changes with the years (茌平县, 茌平区)."""
    return names.astype("str").str.strip().str.replace(r"(?<=..)[县区市]$", "", regex=True)


def _county_at(counties: gpd.GeoDataFrame, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.int64]:
    out = np.full(len(x), -1)
    for k, shape in enumerate(counties.geometry):
        shapely.prepare(shape)
        out[shapely.contains_xy(shape, x, y)] = k
    return out


def _county_shift(there: Layers, middle: tuple[float, float]) -> list[dict[str, str]]:
    """Points whose stated county fits much better once GCJ-02's offset is taken off (or put on)."""
    areas = there.layers["boundaries"]
    counties = areas[areas["level"] == "county"].reset_index(drop=True)
    if len(counties) < 2:
        return []
    number = {name: k for k, name in enumerate(_stem(counties["name"]))}
    east, north = crs.gcj_offset_m(*middle)
    rows = []
    for name in ("existing", "candidates", "villages"):
        layer = there.layers[name]
        points = layer[layer["county"].notna() & (layer.geom_type == "Point")]
        stated = _stem(points["county"]).map(number)
        points, stated = points[stated.notna()], stated.dropna().to_numpy(dtype=int)
        if len(points) < MANY:
            continue
        x, y = points.geometry.x.to_numpy(), points.geometry.y.to_numpy()
        wrong = {
            sign: int((_county_at(counties, x - sign * east, y - sign * north) != stated).sum()) for sign in (0, 1, -1)
        }
        best = 1 if wrong[1] <= wrong[-1] else -1
        if wrong[0] >= MANY and wrong[best] < 0.35 * wrong[0]:
            which = "该图层" if best == 1 else "行政范围"
            text = (
                f"{wrong[0]} 个点的所属县与行政范围不符；{which}按 GCJ-02 改正"
                f"（约 {np.hypot(east, north):.0f} m）后只剩 {wrong[best]} 个，很可能是 GCJ-02 坐标"
            )
            rows += _note(name, "warning", text, GCJ_FIX, header=schema.layer(name).columns["county"].zh)
    return rows


# --- areas, people, rasters --------------------------------------------------------------------


def _counties(there: Layers) -> list[dict[str, str]]:
    areas = there.layers["boundaries"]
    counties = areas[areas["level"] == "county"]
    rows = []
    for a, b in combinations(counties.itertuples(), 2):
        if not a.geometry.intersects(b.geometry):
            continue
        shared = a.geometry.intersection(b.geometry).area
        if shared > OVERLAP_SHARE * min(a.geometry.area, b.geometry.area):
            text = f"{a.name} 与 {b.name} 重叠 {shared / 1e6:.2f} km²，重叠处按后者统计"
            rows += _note("boundaries", "warning", text, "请修正县界")
    again = counties["code"][counties["code"].duplicated()]
    if len(again):
        text = "县级代码重复"
        rows += _note(
            "boundaries",
            "warning",
            text,
            "同一县的多个图斑请合并",
            again,
            schema.layer("boundaries").columns["code"].zh,
        )
    return rows


def _population(there: Layers) -> list[dict[str, str]]:
    """People of the raster against the counties' populations."""
    if not there.population_given or there.population is None or there.grid is None:
        return []
    areas = there.layers["boundaries"]
    levels = derive.city_levels(areas)
    table = areas[areas["level"].isin(levels)].reset_index(drop=True)
    stated = pd.to_numeric(table["population"]).to_numpy(dtype=float)
    if not np.isfinite(stated).all() or stated.sum() <= 0:
        return []
    found = np.zeros(len(table))
    for first, last in raster.row_bands(there.grid):
        part = raster.rows_of(there.grid, first, last)
        labels, _ = derive.area_labels(areas, levels, part)
        people = np.asarray(raster.window(there.population, raster.bounds(part)).array, dtype=float)
        found += np.bincount(labels.ravel(), weights=people.ravel(), minlength=len(table) + 1)[1:]
    rows = []
    if abs(found.sum() / stated.sum() - 1) > POPULATION_TOLERANCE:
        change = f"{found.sum() / stated.sum() - 1:+.1%}"
        text = f"人口栅格全市合计 {found.sum():,.0f} 人，与范围图层的 {stated.sum():,.0f} 人相差 {change}"
        rows += _note("population", "warning", text, "核对两者的年份与口径")
    off = np.abs(found / np.where(stated > 0, stated, np.nan) - 1) > POPULATION_TOLERANCE
    if off.any():
        who = [f"{n}({f / s - 1:+.0%})" for n, f, s in zip(table["name"][off], found[off], stated[off], strict=True)]
        text = f"人口栅格与县级人口相差超过 {POPULATION_TOLERANCE:.0%}:{'、'.join(who)}"
        rows += _note("population", "warning", text, "核对县界与栅格")
    return rows


def _rasters(there: Layers) -> list[dict[str, str]]:
    rows = []
    if there.clutter is not None:
        table = rules.load("clutter", there.root / "rules")
        parts = [raster.rows_of(there.clutter.grid, *rows) for rows in raster.row_bands(there.clutter.grid)]
        found = {int(v) for p in parts for v in np.unique(raster.window(there.clutter, raster.bounds(p)).array)}
        unknown = [v for v in sorted(found) if v != 0 and str(v) not in table]
        if unknown:
            text = f"地物栅格有未定义的代码 {', '.join(map(str, unknown[:10]))}，按农村处理"
            rows += _note("clutter", "warning", text, "在项目的 rules/clutter.toml 中补充")
    if there.dem is not None and there.grid is not None:
        inner, outer = raster.bounds(there.grid), raster.bounds(there.dem.grid)
        if inner[0] < outer[0] or inner[1] < outer[1] or inner[2] > outer[2] or inner[3] > outer[3]:
            rows += _note("dem", "warning", "高程栅格没有覆盖整个市域", "提供覆盖市域及外围 50 km 的高程")
        if holes := _unknown_ground(there):
            text = f"高程栅格在市域内有 {holes:,} 个像元无值：地形传播模型在其后算不出覆盖，干扰协调取最近的已知高程"
            rows += _note("dem", "warning", text, "填补空洞，不要沿边界裁剪高程")
    return rows


def _unknown_ground(there: Layers) -> int:
    """Pixels of the DEM in the city that have no height."""
    dem, areas = there.dem, there.layers["boundaries"]
    assert dem is not None
    city = raster.part_of(dem.grid, raster.span(dem.grid, tuple(areas.total_bounds)))
    count = 0
    for first, last in raster.row_bands(city):
        part = raster.rows_of(city, first, last)
        ground = np.asarray(raster.window(dem, raster.bounds(part)).array)
        hole = np.isnan(ground) if dem.nodata is None or np.isnan(dem.nodata) else ground == dem.nodata
        if hole.any():
            count += int((hole & (derive.area_labels(areas, derive.city_levels(areas), part)[0] > 0)).sum())
    return count


# --- hosts, operators, protected stations ------------------------------------------------------


def _fees(there: Layers) -> list[dict[str, str]]:
    layer = there.layers["candidates"]
    kinds = rules.load("site_kinds", there.root / "rules")
    free = layer["host_kind"].map(lambda kind: kinds.get(kind, {}).get("opening") == "free")
    charged = layer[free.astype(bool) & (pd.to_numeric(layer["fee_yuan"]).fillna(0) > 0)]
    if charged.empty:
        return []
    text = f"{len(charged)} 处应免费开放的公共资源收取场租费"
    return _note("candidates", "warning", text, "核对；按规定不得收取场租费", charged["place_id"], "场租费")


def _on_air(there: Layers) -> list[dict[str, str]]:
    """On-air entries nobody can read, or of operators or bands the project does not know; missing heights."""
    rows = _on_air_entries(there, "existing") + _on_air_entries(there, "neighbours")
    for name, default in (("existing", "缺省值"), ("neighbours", "缺省值"), ("candidates", "主体类型的缺省值")):
        missing = int(there.layers[name]["height_agl_m"].isna().sum())
        if missing:
            text = f"{missing} 处没有天线挂高，采用{default}并标记"
            rows += _note(name, "info", text, "补上挂高更准确", header="天线挂高")
    return rows


def _on_air_entries(there: Layers, name: str) -> list[dict[str, str]]:
    layer = there.layers[name]
    bands = rules.load("bands", there.root / "rules")
    operators = {op for network in there.config.networks for op in network.operators}
    bad: dict[str, list[str]] = {"格式不认识": [], "运营商不在任何网络中": [], "频段不认识": []}
    texts = layer["on_air"].astype(object).fillna("")
    for place_id, text in zip(layer["place_id"], texts, strict=True):
        if not text.strip() or text.strip() in ("无", "否", "-", "0"):
            continue
        entries = derive.parse_on_air(text)
        words = [word for word in re.split(r"[;；,，、/|+]+", text) if word.strip()]
        if len(entries) < len(words):
            bad["格式不认识"].append(place_id)
        if any(op not in operators for op, _ in entries):
            bad["运营商不在任何网络中"].append(place_id)
        if any(band not in bands for _, band in entries):
            bad["频段不认识"].append(place_id)
    fix = "写成 移动:n41；联通:n78；运营商须在 [[networks]] 中"
    rows = []
    for problem, who in bad.items():
        if who:
            text = f"{len(who)} 处“已开通5G”{problem}，不计为现网"
            rows += _note(name, "warning", text, fix, who, "已开通5G")
    return rows


def _demands(there: Layers) -> list[dict[str, str]]:
    layer = there.layers["demands"]
    operators = {op for network in there.config.networks for op in network.operators}
    lost = layer[~layer["operator"].isin(operators)]
    if lost.empty:
        return []
    text = f"{len(lost)} 条需求的运营商不在任何网络中：{'、'.join(sorted(set(lost['operator'].dropna())))}"
    return _note("demands", "warning", text, "在 [[networks]] 的 operators 中补上", lost["demand_id"], "运营商")


def _protected(there: Layers) -> list[dict[str, str]]:
    """Records of protected stations and of the coordination log that cannot be right."""
    return stations.protected_checks(there) + stations.log_checks(there) + stations.measure_checks(there)


def _same_spot(there: Layers) -> list[dict[str, str]]:
    """Different ids on the same spot within one layer: one place listed twice?"""
    rows = []
    for name in ("existing", "candidates"):
        layer = there.layers[name]
        if layer.empty:
            continue
        spot = pd.DataFrame({"x": layer.geometry.x.round(0), "y": layer.geometry.y.round(0), "name": layer["name"]})
        again = layer["place_id"][spot.duplicated(keep=False)]
        if len(again):
            text = f"{len(again)} 处名称与位置相同而编号不同，可能重复登记"
            rows += _note(name, "warning", text, "核对后删去重复行", again, schema.layer(name).columns["place_id"].zh)
    return rows
