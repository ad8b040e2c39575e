"""Boundaries and lines: counties, zones, built-up areas, parks, roads, railways, water."""

from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from shapely import LineString, Point, Polygon, box

from .basis import CRS, GEOGRAPHIC, blob, project, shares, stream, to_lonlat, to_xy, unproject

SHORT = {"东昌府区": "东昌府", "茌平区": "茌平", "阳谷县": "阳谷", "莘县": "莘县", "东阿县": "东阿", "冠县": "冠县",
         "高唐县": "高唐", "临清市": "临清"}  # fmt: skip


def county_people(facts: dict[str, Any]) -> dict[str, int]:
    """People by county code: quoted figures kept, estimated ones rescaled to the census total."""
    known = sum(row.get("population", 0) for row in facts["counties"])
    guessed = [row for row in facts["counties"] if "population" not in row]
    fitted = shares([row["population_estimated"] for row in guessed], facts["total_population"] - known)
    people = {row["code"]: int(n) for row, n in zip(guessed, fitted, strict=True)}
    return {row["code"]: row.get("population") or people[row["code"]] for row in facts["counties"]}


def towns(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """136 townships: 109 published points, the rest as far as possible from the others, named 示例…."""
    rng = stream("towns")
    out = []
    for county in facts["counties"]:
        outline = project(Polygon(county["outline"]))
        points = [(name, *to_xy(lon, lat)) for name, lon, lat in county["towns"]]
        x0, y0, x1, y1 = outline.buffer(-2500).bounds
        free = np.column_stack([rng.uniform(x0, x1, 4000), rng.uniform(y0, y1, 4000)])
        free = free[shapely.contains_xy(outline.buffer(-2500), free)]
        for k in range(county["townships"] - len(points)):
            gap = cdist(free, np.array([p[1:] for p in points] + [to_xy(*county["seat"])])).min(axis=1)
            points.append((f"示例{SHORT[county['name']]}{'甲乙丙丁戊己庚辛壬癸'[k]}镇", *free[int(gap.argmax())]))
        for k, (name, x_m, y_m) in enumerate(points):
            row = {"code": f"{county['code']}T{k + 1:02d}", "name": name, "county": county["code"]}
            out.append(row | {"x_m": round(float(x_m)), "y_m": round(float(y_m)), "real": k < len(county["towns"])})
    return out


def _rows(level: str, items: list[tuple[str, str, float, Any]]) -> list[dict[str, Any]]:
    return [{"level": level, "code": c, "name": n, "population": p, "geometry": g} for c, n, p, g in items]


def _zones(facts: dict[str, Any]) -> list[tuple[str, str, float, Any]]:
    """Boxes clipped to 东昌府区 and to each other in the order listed.

    Clipped in metres: a point put on a long edge in degrees is off the same edge in metres.
    """
    left = project(Polygon(next(row["outline"] for row in facts["counties"] if row["code"] == "371502")))
    out = []
    for zone in facts["zones"]:
        shape = left.intersection(project(box(*zone["box"])))
        out.append((zone["code"], zone["name"], float(zone["population"]), unproject(shape)))
        left = left.difference(shape)
    return out


def _parks(facts: dict[str, Any], city: Any) -> list[tuple[str, str, float, Any]]:
    """Slightly turned rectangles; a later park gives way to an earlier one."""
    rng = stream("parks")
    out: list[tuple[str, str, float, Any]] = []
    taken = Polygon()
    for k, park in enumerate(facts["parks"]):
        x_m, y_m = to_xy(*park["at"])
        wide = np.sqrt(park["area_km2"] * 1e6 * rng.uniform(0.8, 1.25))
        high = park["area_km2"] * 1e6 / wide
        shape = shapely.affinity.rotate(box(-wide / 2, -high / 2, wide / 2, high / 2), rng.uniform(-8, 8))
        shape = shapely.affinity.translate(shape, x_m, y_m).intersection(city).difference(taken)
        taken = taken.union(shape.buffer(20))
        out.append((f"P{k + 1:02d}", park["name"], np.nan, unproject(shape)))
    return out


def boundaries(facts: dict[str, Any], town_rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    """The boundaries layer in degrees; population is filled for city, counties and zones."""
    rng = stream("areas")
    people = county_people(facts)
    outlines = [(c["code"], c["name"], float(people[c["code"]]), Polygon(c["outline"])) for c in facts["counties"]]
    city = shapely.union_all([item[3] for item in outlines])
    city_m = project(city)
    rows = _rows("city", [("371500", "聊城市", float(facts["total_population"]), city)])
    rows += _rows("county", outlines) + _rows("zone", _zones(facts))
    urban = facts["urban"]
    shape = blob(*to_xy(*urban["centre"]), urban["area_km2"], rng, rough=0.09)
    rows += _rows("urban", [("371500U1", urban["name"], np.nan, unproject(shape))])
    seats = []
    for county in facts["counties"]:
        if "seat_area_km2" in county:
            at = Point(to_xy(*county["seat"]))
            own = project(Polygon(county["outline"])).buffer(-300)
            shape = blob(at.x, at.y, county["seat_area_km2"], rng).intersection(own)
            seats.append((f"{county['code']}S1", f"{SHORT[county['name']]}城区", np.nan, unproject(shape)))
    rows += _rows("county_seat", seats)
    town_shapes = []
    for town in town_rows:
        area_km2 = float(np.clip(rng.lognormal(np.log(1.9), 0.35), 1.0, 4.0))
        shape = blob(town["x_m"], town["y_m"], area_km2, rng, rough=0.18).intersection(city_m)
        town_shapes.append((town["code"], town["name"], np.nan, unproject(shape)))
    rows += _rows("town", town_shapes) + _rows("park", _parks(facts, city_m))
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=GEOGRAPHIC)


def _bent(a: tuple[float, float], b: tuple[float, float], rng: np.random.Generator) -> LineString:
    """A road between two points that is not quite straight."""
    start, end = np.array(a), np.array(b)
    steps = max(2, int(np.hypot(*(end - start)) // 5000) + 1)
    at = np.linspace(0, 1, steps + 1)[:, None]
    side = np.array([start[1] - end[1], end[0] - start[0]]) / np.hypot(*(end - start))
    sway = rng.normal(0, 220, (steps + 1, 1)) * np.sin(np.pi * at)
    return LineString(np.round(start + at * (end - start) + sway * side))


def _links(points: np.ndarray, nearest: int) -> list[tuple[int, int]]:
    """Edges of the minimum spanning tree and to the nearest neighbours."""
    distance = cdist(points, points)
    tree = minimum_spanning_tree(distance).tocoo()
    pairs = {(min(i, j), max(i, j)) for i, j in zip(tree.row.tolist(), tree.col.tolist(), strict=True)}
    for i, row in enumerate(np.argsort(distance, axis=1, kind="stable")[:, 1 : nearest + 1].tolist()):
        pairs |= {(min(i, j), max(i, j)) for j in row}
    return sorted(pairs)


def _trunks(area: gpd.GeoDataFrame, spacing_m: float, rng: np.random.Generator) -> list[tuple[str, str, LineString]]:
    """A street grid inside each built-up area."""
    out = []
    for name, shape in zip(area["name"], area.geometry, strict=True):
        inner = shape.buffer(-200)
        x0, y0, x1, y1 = inner.bounds
        lines = [LineString([(x, y0), (x, y1)]) for x in np.arange(x0 + spacing_m / 2, x1, spacing_m).round()]
        lines += [LineString([(x0, y), (x1, y)]) for y in np.arange(y0 + spacing_m / 2, y1, spacing_m).round()]
        for k, line in enumerate(lines):
            turned = shapely.affinity.rotate(line, rng.uniform(-3, 3)).intersection(inner)
            pieces = [p for p in shapely.get_parts(turned) if p.geom_type == "LineString" and p.length > 600]
            out += [(f"示例{name}{k + 1}号街", "urban_trunk", piece) for piece in pieces]
    return out


def roads(facts: dict[str, Any], areas_m: gpd.GeoDataFrame, town_rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    """Published motorways and 东昌路; everything else generated between centre, seats and towns."""
    rng = stream("roads")
    rows = [
        (line["name"], line["class"], project(LineString(line["vertices"])))
        for line in facts["lines"]
        if line["layer"] == "roads"
    ]
    centre = to_xy(*facts["urban"]["centre"])
    seats = [(SHORT[c["name"]], to_xy(*c["seat"])) for c in facts["counties"] if "seat_area_km2" in c]
    rows += [(f"示例国道(聊城—{name})", "national", _bent(centre, at, rng)) for name, at in seats]
    for i, j in _links(np.array([at for _, at in seats]), 2):
        rows.append((f"示例省道({seats[i][0]}—{seats[j][0]})", "provincial", _bent(seats[i][1], seats[j][1], rng)))
    nodes = [(t["name"], (t["x_m"], t["y_m"])) for t in town_rows] + seats
    for i, j in _links(np.array([at for _, at in nodes]), 2):
        rows.append((f"示例县道({nodes[i][0]}—{nodes[j][0]})", "county", _bent(nodes[i][1], nodes[j][1], rng)))
    rows += _trunks(areas_m[areas_m["level"] == "urban"], 1100, rng)
    rows += _trunks(areas_m[areas_m["level"] == "county_seat"], 1000, rng)
    table = gpd.GeoDataFrame(rows, columns=["name", "class", "geometry"], geometry="geometry", crs=CRS)
    table["geometry"] = shapely.set_precision(table.geometry.to_numpy(), 1.0)
    return table


def rail(facts: dict[str, Any]) -> gpd.GeoDataFrame:
    """Railways as published (demonstration quality)."""
    rows = [
        (line["name"], line["class"], shapely.set_precision(project(LineString(line["vertices"])), 1.0))
        for line in facts["lines"]
        if line["layer"] == "rail"
    ]
    return gpd.GeoDataFrame(rows, columns=["name", "class", "geometry"], geometry="geometry", crs=CRS)


def water(facts: dict[str, Any]) -> gpd.GeoDataFrame:
    """Rivers and the canal as lines, 东昌湖 as a ring round the old city; width_m is our own extra column."""
    rows = [
        (line["name"], line["class"], float(line["width_m"]), project(LineString(line["vertices"])))
        for line in facts["lines"]
        if line["layer"] == "water"
    ]
    lake = facts["lake"]
    west, south, east, north = lake["box"]
    (x0, y0), (x1, y1) = to_xy(west, south), to_xy(east, north)
    ring = shapely.affinity.scale(Point((x0 + x1) / 2, (y0 + y1) / 2).buffer(1, 12), (x1 - x0) / 2, (y1 - y0) / 2)
    ix, iy = to_xy(*lake["island"])
    half = np.sqrt(lake["island_area_km2"] * 1e6) / 2
    rows.append((lake["name"], "lake", np.nan, ring.difference(box(ix - half, iy - half, ix + half, iy + half))))
    table = gpd.GeoDataFrame(rows, columns=["name", "kind", "width_m", "geometry"], geometry="geometry", crs=CRS)
    table["geometry"] = shapely.set_precision(table.geometry.to_numpy(), 1.0)
    return table


def lonlat(x_m: float, y_m: float) -> tuple[float, float]:
    """Metres to degrees rounded to 0.1 m."""
    lon, lat = to_lonlat(x_m, y_m)
    return round(float(lon), 6), round(float(lat), 6)
