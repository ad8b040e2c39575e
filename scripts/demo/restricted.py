"""Notional permanent farmland and ecological redline; a heritage zone and a scenic spot."""

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, MultiPoint, STRtree

from .basis import CRS, blob, noise, parts, stream, to_xy
from .land import Frame


def redline(facts: dict[str, Any], city: Any, built: Any, water: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Belts along the Yellow River, stretches of canal and rivers, the lake, four example wetlands."""
    rng = stream("redline")
    line = dict(zip(water["name"], water.geometry, strict=True))
    pieces = [("示例黄河沿岸红线", shapely.buffer(line["黄河"], 900, quad_segs=2, cap_style="flat"))]
    stretches = (("京杭大运河(会通河段)", 140, 4), ("徒骇河", 180, 3), ("马颊河", 180, 3))
    for name, width_m, count in stretches:
        for k in range(count):
            start = (k + 0.25) / count
            part = shapely.ops.substring(line[name], start, start + 0.5 / count, normalized=True)
            shape = shapely.buffer(part, width_m, quad_segs=2, cap_style="flat")
            pieces.append((f"示例{name}红线{k + 1}", shape.difference(built)))
    pieces.append(("示例东昌湖红线", shapely.buffer(line["东昌湖"], 20, quad_segs=2)))
    for k, at in enumerate(((116.27, 36.235), (115.60, 36.62), (116.10, 36.80), (115.42, 36.02))):
        shape = blob(*to_xy(*at), rng.uniform(2.0, 5.0), rng)
        pieces.append((f"示例湿地红线{k + 1}", shape.difference(built)))
    rows = [
        ("redline", name, part)
        for name, shape in pieces
        for part in parts(shapely.set_precision(shape.intersection(city).simplify(15), 1.0))
        if part.area > 20_000
    ]
    return gpd.GeoDataFrame(rows, columns=["kind", "name", "geometry"], geometry="geometry", crs=CRS)


def farmland(
    grid: Frame,
    city: Any,
    built: Any,
    villages_m: NDArray[np.float64],
    footprint_px: NDArray[np.int64],
    lines: dict[str, gpd.GeoDataFrame],
    red: gpd.GeoDataFrame,
) -> gpd.GeoDataFrame:
    """Fields between the villages: two in three of the cells round them, without roads, water and built-up land.

    Parameters
    ----------
    villages_m : ndarray (n, 2)
        Village points, metres.
    footprint_px : ndarray (n,)
        Pixels of each village.
    """
    rng = stream("farmland")
    cells = shapely.get_parts(shapely.voronoi_polygons(MultiPoint(villages_m), extend_to=city.envelope))
    order = STRtree(cells).query(shapely.points(villages_m), predicate="within")
    cells = cells[order[1][np.argsort(order[0], kind="stable")]]
    row, col = grid.pixel(villages_m[:, 0], villages_m[:, 1])
    chosen = np.flatnonzero(noise(grid.shape, 10, rng)[row, col] > -0.45)
    margin = np.sqrt(footprint_px / np.pi) * 100 + 90
    keep_out = [shapely.buffer(shapely.points(villages_m), margin, quad_segs=2)]
    roads = lines["roads"]
    roads = roads[roads["class"] != "urban_trunk"]
    for table, width_m in ((roads, 60), (lines["rail"], 60)):
        bits = [_pieces(line) for line in table.geometry]
        keep_out.append(shapely.buffer(np.concatenate(bits), width_m, quad_segs=1))
    rivers = lines["water"][lines["water"]["kind"] != "lake"]
    for line, width_m in zip(rivers.geometry, rivers["width_m"], strict=True):
        keep_out.append(shapely.buffer(_pieces(line), width_m / 2 + 60, quad_segs=1))
    keep_out += [np.array(parts(shapely.buffer(built, 80, quad_segs=1).simplify(20))), red.geometry.to_numpy()]
    obstacles = np.concatenate(keep_out)
    tree = STRtree(obstacles)
    rows = []
    for k in chosen.tolist():
        cell = shapely.buffer(cells[k], -40, join_style="mitre").intersection(city)
        near = obstacles[tree.query(cell, predicate="intersects")]
        left = cell.difference(shapely.union_all(near)).simplify(20)
        good = [p for p in parts(shapely.set_precision(left, 1.0)) if p.area > 50_000]
        rows += [("farmland", f"示例图斑{k + 1:05d}-{j + 1}", part) for j, part in enumerate(good)]
    return gpd.GeoDataFrame(rows, columns=["kind", "name", "geometry"], geometry="geometry", crs=CRS)


def _pieces(line: LineString) -> NDArray[Any]:
    """The segments of a line, so that an index can find them."""
    at = np.asarray(line.coords)
    return shapely.linestrings(np.stack([at[:-1], at[1:]], axis=1))


def special(facts: dict[str, Any], water: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The old city as a heritage zone, 景阳冈 as a scenic spot (example outlines)."""
    ix, iy = to_xy(*facts["lake"]["island"])
    sx, sy = to_xy(*next(p["at"] for p in facts["key_places"] if p["name"] == "景阳冈"))
    rng = stream("special")
    rows = [
        ("heritage", "示例东昌古城建设控制地带", shapely.box(ix - 520, iy - 520, ix + 520, iy + 520)),
        ("scenic", "示例景阳冈景区", blob(sx, sy, 0.9, rng)),
    ]
    return gpd.GeoDataFrame(rows, columns=["kind", "name", "geometry"], geometry="geometry", crs=CRS)
