"""Where the rows of a file lie: axis order, zone and datum, then the working CRS.

Axis order and zone are corrected only where the numbers leave one reading; a
datum is never guessed.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lcsiting.config import LayerSource
from lcsiting.errors import CrsError, LayerError
from lcsiting.geo import crs
from lcsiting.inputs import headers, shapes, values
from lcsiting.inputs.raw import Raw

# Long edges in degrees bend in the projection (13 m on 30 km): add vertices before it is straight again.
EDGE_DEG = 0.01
DECLARE = 'datum = "cgcs2000" | "wgs84" | "gcj02" | "bd09"'
Bounds = tuple[float, float, float, float]
Remark = tuple[str, str, str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Placed:
    """Geometry in the working CRS and what was noticed.

    Attributes
    ----------
    geometry : ndarray of shapely geometry or None (n,)
    reason : ndarray of str (n,)
        Why a row has no usable position; empty if it has one.
    header : str
        Headers of the coordinates, for messages.
    remarks : list of (severity, problem, fix, row mask)
    """

    geometry: NDArray[Any]
    reason: NDArray[Any]
    header: str = ""
    remarks: list[Remark] = field(default_factory=list)


def _pair_column(series: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    parts = values.to_text(series).str.split(r"[,,;;\s]+", n=1, expand=True, regex=True)
    if parts.shape[1] < 2:
        return np.full(len(series), np.nan), np.full(len(series), np.nan)
    return values.to_degrees(parts[0]), values.to_degrees(parts[1])


def _dms_column(frame: pd.DataFrame, axis: tuple[str, ...]) -> NDArray[np.float64]:
    """Degrees from columns of degrees, minutes, seconds and hemisphere; nan where a part is missing or 60 and more."""
    degrees, minutes, seconds = (values.to_numbers(frame[header])[0] for header in axis[:3])
    with np.errstate(invalid="ignore"):
        sane = (minutes >= 0) & (minutes < 60) & (seconds >= 0) & (seconds < 60)
    size = np.abs(degrees) + minutes / 60.0 + seconds / 3600.0
    words = values.to_text(frame[axis[3]]) if axis[3] else pd.Series("", index=frame.index)
    south_or_west = words.str.strip().str.lower().str.contains(r"^(?:s|w|南|西)", na=False).to_numpy(bool)
    return np.where(sane, np.where(south_or_west | (degrees < 0), -size, size), np.nan)


def table_geometry(raw: Raw, source: LayerSource) -> tuple[NDArray[Any], str]:
    """Points (or WKT shapes) of a table as the file has them, and the headers they come from.

    Raises
    ------
    LayerError
        No coordinate columns.
    """
    frame = raw.frame
    found = headers.coordinates(list(frame.columns), source.columns)
    if not found:
        raise LayerError(
            f"{raw.file}：没有坐标列（经度/纬度 或 X/Y）；现有列：{'、'.join(map(str, frame.columns))}。"
            '请补上坐标列，或在 project.toml 用 columns = {lon = "列名", lat = "列名"} 指明。'
        )
    if found.wkt:
        shapes = shapely.from_wkt(frame[found.wkt].to_numpy(dtype=object), on_invalid="ignore")
        return np.asarray(shapes, dtype=object), found.wkt
    if found.dms:
        first, second = (_dms_column(frame, axis) for axis in found.dms)
        header = "/".join(found.dms[0][:3] + found.dms[1][:3])
    elif found.pair:
        first, second = _pair_column(frame[found.pair])
        header = found.pair
    else:
        first, second = values.to_degrees(frame[found.first]), values.to_degrees(frame[found.second])
        header = f"{found.first}/{found.second}"
    points = np.full(len(frame), None, dtype=object)
    good = np.isfinite(first) & np.isfinite(second)
    points[good] = shapely.points(first[good], second[good])
    return points, header


def _middle(shapes: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    box = shapely.bounds(shapes)
    return (box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2


def _resolve_zones(declared: str, easting: NDArray[np.float64]) -> NDArray[Any]:
    """CRS of each row of a file with a declared Gauss-Krueger CRS: its zone prefix may contradict or complete it."""
    meridian, zone = crs.gauss_krueger(declared) or (0.0, 0)
    out = np.full(len(easting), "", dtype=object)
    prefixes = crs.zone_prefix(easting)
    for prefix in np.unique(prefixes):
        rows = prefixes == prefix
        if prefix == zone:
            out[rows] = declared
        elif not crs.is_world_datum(declared):
            continue
        elif prefix > 0:
            out[rows] = crs.prefix_epsg(int(prefix))
        elif crs.FIRST_ZONE_3DEG <= zone <= crs.LAST_ZONE_3DEG:
            out[rows] = crs.zone_epsg(round(meridian / 3))
        else:
            out[rows] = f"EPSG:{4502 + zone - crs.FIRST_ZONE_6DEG}"
    return out


def _lon_lat_source(raw: Raw, source: LayerSource) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Datum (empty if another geographic CRS applies), that CRS, and what to say.

    Raises
    ------
    CrsError
        Nobody says what the degrees mean.
    """
    if source.datum:
        return source.datum, crs.GEOGRAPHIC, []
    stated = source.crs or raw.crs
    if stated and crs.parse_crs(stated).is_geographic:
        if crs.is_world_datum(stated):
            code = crs.parse_crs(stated).to_epsg()
            return ("cgcs2000" if code == 4490 else "wgs84"), crs.GEOGRAPHIC, []
        return (
            "",
            stated,
            [
                (
                    "warning",
                    f"坐标基准为 {crs.parse_crs(stated).name}，转换到 CGCS2000 可能差上百米",
                    "请用当地七参数先行转换",
                )
            ],
        )
    if raw.datum:
        say = []
        if raw.datum == "wgs84":
            say = [("info", "该格式规定为 WGS84", '若数据来自高德/DataV/百度，请声明 datum = "gcj02" 或 "bd09"')]
        return raw.datum, crs.GEOGRAPHIC, say
    raise CrsError(
        f"{raw.file}：坐标是经纬度，但没有说明坐标基准。高德/腾讯为 gcj02，百度为 bd09，天地图为 cgcs2000，"
        f"GPS 为 wgs84；弄错会偏 500–1200 m。请在 project.toml 该图层写 {DECLARE}。"
    )


def place(raw: Raw, source: LayerSource, near: Bounds | None, working_crs: str) -> Placed:
    """Bring every row into the working CRS.

    Parameters
    ----------
    raw : Raw
        The file.
    source : LayerSource
        What the project file declares about it.
    near : (west, south, east, north) or None
        Longitudes and latitudes of the city, in degrees.
    working_crs : str
        Projected CRS in metres.

    Raises
    ------
    CrsError
        The datum or CRS is unknown or contradicts the numbers.
    LayerError
        No coordinate columns.
    """
    there, header = (raw.geometry, "几何") if raw.geometry is not None else table_geometry(raw, source)
    there, remarks = _repaired(np.asarray(there, dtype=object))
    here = ~(shapely.is_missing(there) | shapely.is_empty(there))
    reason = np.where(here, "", "没有坐标" if raw.geometry is None else "几何为空").astype(object)
    work = _Work(raw, source, there, reason, working_crs, header, remarks)
    if not here.any():
        return work.placed()
    x, y = _middle(there)
    zero = here & (np.abs(x) < 1e-6) & (np.abs(y) < 1e-6)
    reason[zero] = "坐标为 0,0"
    here &= ~zero
    declared = source.crs or raw.crs
    if declared and not crs.parse_crs(declared).is_geographic and crs.gauss_krueger(declared) is None:
        work.move(here, declared, source.datum)
    else:
        _place_classified(work, here, x, y, near)
    return work.placed()


def _repaired(there: NDArray[Any]) -> tuple[NDArray[Any], list[Remark]]:
    fixed, bad = shapes.repair(there)
    if not bad.any():
        return there, []
    change = float(shapely.area(fixed[bad]).sum() / max(float(shapely.area(there[bad]).sum()), 1e-300) - 1)
    text = f"多边形无效（自相交或重叠），已修复，各部分都保留（面积变化 {change:+.2%}）"
    return fixed, [("warning", text, "请在原文件中核对图形", bad)]


@dataclass
class _Work:
    """Rows on their way into the working CRS."""

    raw: Raw
    source: LayerSource
    shapes: NDArray[Any]
    reason: NDArray[Any]
    working_crs: str
    header: str = ""
    remarks: list[Remark] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.out = np.full(len(self.shapes), None, dtype=object)

    def placed(self) -> Placed:
        """The result."""
        return Placed(self.out, self.reason, self.header, self.remarks)

    def say(self, severity: str, problem: str, fix: str, rows: NDArray[np.bool_]) -> None:
        if rows.any():
            self.remarks.append((severity, problem, fix, rows.copy()))

    def move(self, rows: NDArray[np.bool_], source_crs: str, datum: str | None) -> None:
        """Transform the geometry of ``rows``; what leaves the valid range loses its place."""
        if not rows.any():
            return

        def step(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Any, Any]:
            if datum in ("gcj02", "bd09"):
                lon, lat = crs.transform(x, y, source_crs, crs.GEOGRAPHIC)
                return crs.transform(*crs.from_datum(lon, lat, datum), crs.GEOGRAPHIC, self.working_crs)
            return crs.transform(x, y, source_crs, self.working_crs)

        moved = shapely.transform(shapely.force_2d(self.shapes[rows]), step, interleaved=False)
        broken = ~np.isfinite(shapely.bounds(moved)).all(axis=1)
        moved[broken] = None
        self.out[rows] = moved
        self.reason[np.flatnonzero(rows)[broken]] = "坐标数值不合理"

    def swap(self, rows: NDArray[np.bool_]) -> None:
        if rows.any():
            self.shapes = self.shapes.copy()
            self.shapes[rows] = shapely.transform(self.shapes[rows], lambda x, y: (y, x), interleaved=False)


def _place_classified(
    work: _Work, here: NDArray[np.bool_], x: NDArray[np.float64], y: NDArray[np.float64], near: Bounds | None
) -> None:
    """Degrees or Gauss-Krueger metres, in either order, row by row."""
    degrees = here & crs.is_lon_lat(x, y)
    if crs.gauss_krueger(work.working_crs) is None:  # a project elsewhere: any longitude and latitude
        degrees = here & (np.abs(x) <= 180.0) & (np.abs(y) <= 90.0)
    degrees_swapped = here & ~degrees & crs.is_lon_lat(y, x)
    metres = here & crs.is_easting_northing(x, y)
    metres_swapped = here & ~metres & crs.is_easting_northing(y, x)
    unknown = here & ~(degrees | degrees_swapped | metres | metres_swapped)
    _refuse_contradiction(work, x, y, here, unknown)
    work.reason[unknown] = "坐标数值不合理"
    all_rows = not (here & ~degrees_swapped).any()
    work.say(
        "info" if all_rows else "warning",
        "经度、纬度两列写反，已对调",
        "请在原表中改正",
        degrees_swapped,
    )
    work.say("info", "坐标按测量轴序（X 为北、Y 为东）书写，已对调", "", metres_swapped)
    work.swap(degrees_swapped | metres_swapped)
    easting = np.where(metres_swapped, y, x)
    northing = np.where(metres_swapped, x, y)
    _move_degrees(work, degrees | degrees_swapped)
    _move_metres(work, metres | metres_swapped, easting, northing, near)


def _refuse_contradiction(
    work: _Work,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    here: NDArray[np.bool_],
    unknown: NDArray[np.bool_],
) -> None:
    if not here.any() or not unknown[here].all():
        return
    k = int(np.flatnonzero(here)[0])
    stated = work.source.crs or work.raw.crs
    said = f"，而文件声明的坐标系是 {crs.parse_crs(stated).name}" if stated else ""
    raise CrsError(
        f"{work.raw.file}：{int(here.sum())} 行的坐标（{work.header}）既不是中国的经纬度，"
        f"也不是 CGCS2000 高斯投影坐标，例如 ({x[k]:.3f}, {y[k]:.3f}){said}。"
        "请核对坐标列，或在 project.toml 声明正确的 crs。"
    )


def _move_degrees(work: _Work, rows: NDArray[np.bool_]) -> None:
    if not rows.any():
        return
    datum, geographic, say = _lon_lat_source(work.raw, work.source)
    for severity, problem, fix in say:
        work.say(severity, problem, fix, rows)
    if datum == "wgs84":
        work.say("info", "WGS84 与 CGCS2000 按相同处理（相差厘米至分米级）", "", rows)
    elif datum in ("gcj02", "bd09"):
        work.say("info", f"{'GCJ-02' if datum == 'gcj02' else 'BD-09'} 坐标已反算为 CGCS2000", "", rows)
    long = rows & ~np.isin(shapely.get_type_id(work.shapes), (0, 4))
    if long.any():
        work.shapes = work.shapes.copy()
        work.shapes[long] = shapely.segmentize(work.shapes[long], EDGE_DEG)
    work.move(rows, geographic, datum)


def _move_metres(
    work: _Work,
    rows: NDArray[np.bool_],
    easting: NDArray[np.float64],
    northing: NDArray[np.float64],
    near: Bounds | None,
) -> None:
    if not rows.any():
        return
    stated = work.source.crs or work.raw.crs
    if stated and crs.gauss_krueger(stated):
        systems = np.where(rows, _resolve_zones(stated, easting), "")
        if not crs.is_world_datum(stated):
            name = crs.parse_crs(stated).name
            work.say("warning", f"坐标系 {name} 转换到 CGCS2000 可能差上百米", "请用当地七参数先行转换", rows)
    else:
        systems = np.where(rows, crs.assume_crs(easting, northing, near), "")
        if stated:
            text = f"文件声明为经纬度（{crs.parse_crs(stated).name}），数值却是投影坐标"
            work.say("warning", text, "请改正 .prj 或声明 crs", rows & (systems != ""))
        if not (systems != "").any():
            raise CrsError(
                f"{work.raw.file}：是投影坐标，但没有带号，也没有说明坐标系。"
                '请在 project.toml 该图层写 crs，例如 crs = "EPSG:4548"（CGCS2000 3°带，中央经线 117°E）。'
            )
    work.reason[rows & (systems == "")] = "投影坐标的带号无法判断"
    home = crs.gauss_krueger(work.working_crs)
    for system in sorted({s for s in systems[rows] if s}):
        here = rows & (systems == system)
        name = _zone_name(system)
        if system != stated:
            fix = "若是西安80/北京54坐标，请先转换" if not stated else "请核对 project.toml 中的 crs"
            work.say(
                "warning" if not stated else "info",
                f"未声明坐标系，按 {name} 读取" if not stated else f"带号与声明不同，按 {name} 读取",
                fix,
                here,
            )
        zone = crs.gauss_krueger(system)
        if zone and home and abs(zone[0] - home[0]) > 0.1:
            work.say("warning", f"坐标在 {name}，与工作坐标系的中央经线不同，已转换", "请确认带号没有写错", here)
        work.move(here, system, work.source.datum)


def _zone_name(system: str) -> str:
    code = crs.parse_crs(system).to_epsg()
    meridian, zone = crs.gauss_krueger(system) or (0.0, 0)
    prefix = f"带号 {zone}" if zone else "无带号"
    return f"CGCS2000 高斯投影 中央经线 {meridian:g}°E({prefix},EPSG:{code})" if code else crs.parse_crs(system).name
