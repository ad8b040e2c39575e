"""Places that can carry stations: the tower company's, public resources, infill."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from lcsiting import rules

from . import land
from .basis import CRS, stream, to_xy
from .land import Frame


@dataclass(frozen=True)
class City:
    """What the generator knows once the land is made (all in metres)."""

    facts: dict[str, Any]
    grid: Frame
    cover: NDArray[np.uint8]
    county: NDArray[np.int32]
    areas: gpd.GeoDataFrame
    towns: list[dict[str, Any]]
    villages: gpd.GeoDataFrame
    lines: dict[str, gpd.GeoDataFrame]
    restricted: gpd.GeoDataFrame


EXISTING = {"urban": 560, "seat": 540, "town": 340, "park": 110, "road": 350, "village": 1600}
ON_AIR = {"urban": 330, "seat": 150, "park": 40}

# How many public resources of each kind stand where. 8 000 in all.
PUBLIC = {
    "government": {"urban": 90, "seat": 140, "town": 200},
    "institution": {"urban": 120, "seat": 180, "town": 160, "village": 500},
    "state_enterprise": {"urban": 110, "seat": 130, "town": 140},
    "transport_hub": {"urban": 15, "seat": 25, "town": 20, "road": 40},
    "municipal": {"urban": 220, "seat": 260, "town": 150},
    "street_pole": {"urban": 700, "seat": 700, "town": 300, "road": 300},
    "school": {"urban": 150, "seat": 180, "town": 230, "village": 600},
    "hospital": {"urban": 45, "seat": 70, "town": 140, "village": 150},
    "culture": {"urban": 50, "seat": 70, "town": 110},
    "scenic": {"urban": 15, "seat": 15, "village": 30},
    "commercial": {"urban": 150, "seat": 120},
    "industry": {"park": 350, "seat": 100, "town": 150, "village": 100},
    "residential": {"urban": 220, "seat": 255, "village": 200},
}
GAP_M = {"urban": 110, "seat": 120, "town": 120, "park": 150, "road": 250, "village": 60}
OPENING = ("open", "asked", "not_asked", "refused")
CHANCES = {"free": (0.55, 0.20, 0.22, 0.03), "facilitate": (0.35, 0.30, 0.30, 0.05), "market": (0.15, 0.25, 0.50, 0.10)}
WRONGLY_CHARGED = 12
INFILL = {"fill": 2480, "farmland": 340, "redline": 40, "setback": 140}


def strata(city: City) -> dict[str, NDArray[np.float64]]:
    """Weight of every pixel for each kind of surroundings."""
    grid, cover = city.grid, city.cover

    def mask(level: str) -> NDArray[np.bool_]:
        shapes = city.areas.loc[city.areas["level"] == level, "geometry"]
        return grid.burn(shapes, [1] * len(shapes)) > 0

    urban, seat, town, park = (mask(level) for level in ("urban", "county_seat", "town", "park"))
    dense = np.array([0, 0, 0, 0, 0.35, 1.0, 1.6, 0.4, 0.1, 0])[cover]
    main = city.lines["roads"]
    main = main[main["class"].isin(["motorway", "national", "provincial"])]
    side = grid.burn(main.geometry.buffer(220), [1] * len(main)) > 0
    side &= np.isin(cover, (land.OPEN, land.TREES))
    out = {
        "urban": urban * dense,
        "seat": (seat & ~urban) * dense,
        "town": town & ~urban & ~seat & (cover == land.SUBURB),
        "park": park & (cover == land.INDUSTRY),
        "road": side,
        "village": cover == land.VILLAGE,
    }
    return {key: value * _inner(city).astype(np.float64) for key, value in out.items()}


def _spread(
    weight: NDArray[np.float64], count: int, gap_m: float, taken: list[tuple[float, float]], city: City, rng: Any
) -> NDArray[np.float64]:
    """Points drawn by pixel weight, none nearer than ``gap_m`` to another or to those already taken."""
    row, col = np.nonzero(weight)
    order = np.argsort(rng.exponential(size=row.size) / weight[row, col], kind="stable")
    x, y = city.grid.centres(row[order], col[order])
    x, y = x + rng.uniform(-45, 45, x.size), y + rng.uniform(-45, 45, y.size)
    cell = max(gap_m, 1.0)
    index: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for px, py in taken:
        index.setdefault((int(px // cell), int(py // cell)), []).append((px, py))
    out: list[tuple[float, float]] = []
    for px, py in zip(x.tolist(), y.tolist(), strict=True):
        i, j = int(px // cell), int(py // cell)
        near = [q for a in (i - 1, i, i + 1) for b in (j - 1, j, j + 1) for q in index.get((a, b), ())]
        if any((px - qx) ** 2 + (py - qy) ** 2 < gap_m * gap_m for qx, qy in near):
            continue
        index.setdefault((i, j), []).append((px, py))
        out.append((px, py))
        if len(out) == count:
            return np.round(np.array(out), 1)
    raise RuntimeError(f"only {len(out)} of {count} places fit at {gap_m} m")


def _keep_clear(city: City, weight: dict[str, NDArray[np.float64]]) -> None:
    """No host near the protected stations that ask for room."""
    cases = [case for case in city.facts["cases"].values() if "keep_clear_m" in case]
    discs = [shapely.Point(to_xy(*case["at"])).buffer(case["keep_clear_m"] + 10) for case in cases]
    hole = city.grid.burn(discs, [1] * len(discs), touched=True) > 0
    for value in weight.values():
        value[hole] = 0.0


def _names(city: City, xy: NDArray[np.float64]) -> tuple[list[str], list[str]]:
    """County and nearest township of points."""
    row, col = city.grid.pixel(xy[:, 0], xy[:, 1])
    counties = [c["name"] for c in city.facts["counties"]]
    at = cKDTree(np.array([(t["x_m"], t["y_m"]) for t in city.towns]))
    near = at.query(xy)[1]
    county = [counties[k - 1] if k else "" for k in city.county[row, col].tolist()]
    return county, [city.towns[k]["name"].removeprefix("示例") for k in near.tolist()]


def _on_air(count: int, rng: np.random.Generator) -> list[str]:
    """Who is on air with what."""
    mobile = ["移动:n41"]
    joint = [["电信:n78"], ["联通:n78"], ["电信:n78", "联通:n78"]]
    out = []
    for draw, k in zip(rng.random(count), rng.integers(0, 3, count), strict=True):
        parts = mobile if draw < 0.38 else joint[k] if draw < 0.68 else mobile + joint[k]
        out.append(";".join(parts))
    return out


def existing(city: City, weight: dict[str, NDArray[np.float64]]) -> gpd.GeoDataFrame:
    """The tower company's places; 520 of them carry 5G."""
    rng = stream("existing")
    kinds = {
        "urban": (["楼面抱杆", "楼面支撑杆", "景观塔"], (22, 36)),
        "seat": (["楼面抱杆", "楼面支撑杆", "单管塔"], (22, 38)),
        "town": (["单管塔", "三管塔", "角钢塔"], (30, 42)),
        "park": (["单管塔", "楼面抱杆"], (25, 40)),
        "road": (["单管塔", "三管塔"], (32, 48)),
        "village": (["单管塔", "三管塔", "角钢塔"], (32, 50)),
    }
    tables, taken = [], []
    for where, count in EXISTING.items():
        xy = _spread(weight[where], count, 2.0 * GAP_M[where] if where != "village" else 900, taken, city, rng)
        taken += [tuple(p) for p in xy.tolist()]
        types, (low, high) = kinds[where]
        table = pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], "where": where})
        table["tower_type"] = rng.choice(types, count)
        table["height_agl_m"] = np.round(rng.uniform(low, high, count))
        table["on_air"] = ""
        on = np.sort(rng.permutation(count)[: ON_AIR.get(where, 0)])
        table.loc[on, "on_air"] = _on_air(on.size, rng)
        tables.append(table)
    out = pd.concat(tables, ignore_index=True)
    return _describe_existing(city, out, rng)


def _describe_existing(city: City, out: pd.DataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    n = len(out)
    xy = out[["x", "y"]].to_numpy()
    county, town = _names(city, xy)
    out["place_id"] = [f"LC{k + 1:05d}" for k in range(n)]
    out["name"] = [f"示例{t}{k + 1:04d}站" for k, t in enumerate(town)]
    out["county"] = county
    operators = ["中国移动聊城分公司", "中国联通聊城分公司", "中国电信聊城分公司"]
    out["owner"] = np.where(rng.random(n) < 0.93, "中国铁塔聊城分公司", rng.choice(operators, n))
    out.loc[rng.permutation(n)[:90], "height_agl_m"] = np.nan  # the tower company does not always know
    turn = (rng.integers(0, 12, n) * 10).tolist()
    style = rng.random(n)
    out["azimuths_deg"] = [
        "" if s > 0.85 else "0/120/240" if s < 0.6 else "/".join(str((k + a) % 360) for a in (0, 120, 240))
        for s, k in zip(style, turn, strict=True)
    ]
    out["free_levels"] = rng.choice(4, n, p=[0.22, 0.38, 0.27, 0.13])
    out["power_supply"] = np.where(rng.random(n) < 0.62, "直供", "转供")
    out["power_kw"] = rng.choice([10.0, 15.0, 20.0, 25.0, 30.0], n, p=[0.2, 0.3, 0.3, 0.12, 0.08])
    is_on = out["on_air"] != ""
    out["on_air_year"] = pd.array(np.where(rng.random(n) < 0.3, 2019, 2020), dtype="Int64")
    out.loc[~is_on, "on_air_year"] = pd.NA
    return gpd.GeoDataFrame(out, geometry=shapely.points(xy), crs=CRS)


def public(city: City, weight: dict[str, NDArray[np.float64]], taken: NDArray[np.float64]) -> gpd.GeoDataFrame:
    """Public resources of the kinds the document opens; heights, ranks and costs by ``rules/site_kinds.toml``."""
    rng = stream("public")
    table = rules.load("site_kinds")
    streets = city.lines["roads"][city.lines["roads"]["class"] == "urban_trunk"]
    near_street = city.grid.burn(streets.geometry.buffer(110), [1] * len(streets)) > 0
    used = [tuple(p) for p in taken.tolist()]
    rows = []
    for kind, places in PUBLIC.items():
        for where, count in places.items():
            pole = kind == "street_pole" and where in ("urban", "seat")
            chance = weight[where] * np.where(near_street, 1.0, 0.05) if pole else weight[where]
            xy = _spread(chance, count, GAP_M[where], used, city, rng)
            used += [tuple(p) for p in xy.tolist()]
            rows += [(kind, where, x, y) for x, y in xy.tolist()]
    out = pd.DataFrame(rows, columns=["host_kind", "where", "x", "y"])
    row = out["host_kind"].map(table)
    n = len(out)
    height = row.map(lambda r: r["height_agl_m"]).to_numpy() * rng.uniform(0.8, 1.2, n)
    height = np.where(
        out["where"].isin(["village", "town"]) & ~out["host_kind"].eq("street_pole"), 0.8 * height, height
    )
    out["height_agl_m"] = np.round(height, 1)
    out["host_rank"] = row.map(lambda r: r["rank"]).astype(int)
    out["cost"] = np.round(row.map(lambda r: r["cost"]).to_numpy() * rng.uniform(0.95, 1.05, n), 2)
    rule = row.map(lambda r: r["opening"]).to_numpy()
    out["opening"] = [rng.choice(OPENING, p=CHANCES[r]) for r in rule]
    out["power_supply"] = np.where(
        rng.random(n) < np.where(out["host_kind"] == "residential", 0.3, 0.6), "direct", "resold"
    )
    market = rng.integers(6, 41, n) * 500.0
    some = np.where(rng.random(n) < 0.2, rng.integers(1, 5, n) * 500.0, 0.0)
    out["fee_yuan"] = np.select([rule == "market", rule == "facilitate"], [market, some], 0.0)
    wrong = np.flatnonzero((rule == "free") & out["opening"].isin(["open", "asked"]).to_numpy())
    wrong = np.sort(wrong[rng.permutation(wrong.size)[:WRONGLY_CHARGED]])
    out.loc[wrong, "fee_yuan"] = rng.integers(2, 13, WRONGLY_CHARGED) * 500.0
    county, town = _names(city, out[["x", "y"]].to_numpy())
    out["place_id"] = [f"GG{k + 1:05d}" for k in range(n)]
    zh = out["host_kind"].map(lambda kind: table[kind]["name_zh"].replace("/", ""))
    out["name"] = [f"示例{t}{k}{i + 1:04d}" for i, (t, k) in enumerate(zip(town, zh, strict=True))]
    out["county"], out["source"] = county, "public"
    out["owner"] = [f"示例{c}{k}产权单位" for c, k in zip(county, zh, strict=True)]
    return gpd.GeoDataFrame(out, geometry=shapely.points(out[["x", "y"]].to_numpy()), crs=CRS)


def _gaps(xy: NDArray[np.float64], macro: NDArray[np.float64], count: int, apart_m: float) -> NDArray[np.int64]:
    """Greedy: the candidates farthest from any host first, kept ``apart_m`` from each other."""
    gap = cKDTree(macro).query(xy)[0]
    tree = cKDTree(xy)
    alive = np.ones(len(xy), dtype=bool)
    out = []
    for k in np.argsort(-gap, kind="stable").tolist():
        if alive[k]:
            out.append(k)
            alive[tree.query_ball_point(xy[k], apart_m)] = False
            if len(out) == count:
                return np.array(out)
    raise RuntimeError(f"only {len(out)} of {count} infill places fit")


def infill(city: City, macro: NDArray[np.float64]) -> gpd.GeoDataFrame:
    """New towers where no host is near: an even jittered net on road-side, green and village-edge land.

    A share stands on purpose in permanent farmland, in the redline or within road and railway setbacks.
    """
    rng = stream("infill")
    pitch = 420.0
    x, y = np.meshgrid(
        np.arange(city.grid.x0_m, city.grid.x0_m + city.grid.cols * 100, pitch),
        np.arange(city.grid.y0_m - city.grid.rows * 100, city.grid.y0_m, pitch),
    )
    xy = np.column_stack([x.ravel(), y.ravel()]) + rng.uniform(-180, 180, (x.size, 2))
    row, col = city.grid.pixel(xy[:, 0], xy[:, 1])
    inside = (row >= 0) & (row < city.grid.rows) & (col >= 0) & (col < city.grid.cols)
    xy, row, col = xy[inside], row[inside], col[inside]
    point = shapely.points(xy)
    shut = {kind: _within(city.restricted[city.restricted["kind"] == kind], point) for kind in ("farmland", "redline")}
    special = _within(city.restricted[~city.restricted["kind"].isin(shut)], point)
    land_ok = _inner(city)[row, col] & ~np.isin(city.cover[row, col], (land.WATER, land.CORRIDOR)) & ~special
    near_line = _near_lines(city, point, 55.0)
    case = city.facts["cases"]["aggregate"]
    away = np.hypot(*(xy - np.array(to_xy(*case["at"]))).T)
    land_ok &= away > case["keep_clear_m"]
    fit = np.flatnonzero(land_ok & ~shut["farmland"] & ~shut["redline"] & ~near_line)
    picked = {"fill": xy[fit[_gaps(xy[fit], macro, INFILL["fill"], 900.0)]]}
    for kind in ("farmland", "redline"):
        fit = np.flatnonzero(land_ok & shut[kind] & ~near_line)
        picked[kind] = xy[fit[_gaps(xy[fit], macro, INFILL[kind], 900.0 if kind == "farmland" else 500.0)]]
    picked["setback"] = _at_lines(city, INFILL["setback"], rng)
    out = pd.concat([pd.DataFrame(p, columns=["x", "y"]).assign(why=k) for k, p in picked.items()], ignore_index=True)
    return _describe_infill(city, out.iloc[rng.permutation(len(out))].reset_index(drop=True), rng)


def _inner(city: City) -> NDArray[np.bool_]:
    """Pixels of the city whose neighbours are in the city too."""
    return ndimage.minimum_filter(city.county, 3) > 0


def _within(shapes: gpd.GeoDataFrame, point: NDArray[Any]) -> NDArray[np.bool_]:
    out = np.zeros(point.size, dtype=bool)
    out[shapely.STRtree(point).query(shapes.geometry.to_numpy(), predicate="contains")[1]] = True
    return out


def _near_lines(city: City, point: NDArray[Any], distance_m: float) -> NDArray[np.bool_]:
    roads = city.lines["roads"][city.lines["roads"]["class"] != "urban_trunk"]
    lines = np.concatenate([roads.geometry.to_numpy(), city.lines["rail"].geometry.to_numpy()])
    out = np.zeros(point.size, dtype=bool)
    out[shapely.STRtree(point).query(lines, predicate="dwithin", distance=distance_m)[1]] = True
    return out


def _at_lines(city: City, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Points 3 to 12 m beside railways, motorways and national roads, inside the city."""
    roads = city.lines["roads"]
    inner = _inner(city)
    lines = [*city.lines["rail"].geometry, *roads.loc[roads["class"].isin(["motorway", "national"]), "geometry"]]
    out: list[tuple[float, float]] = []
    while len(out) < count:
        line = lines[len(out) % len(lines)]
        at, ahead = (line.interpolate(d) for d in rng.uniform(0.02, 0.97) * line.length + np.array([0.0, 10.0]))
        off = rng.uniform(3, 12) / max(at.distance(ahead), 1e-6)
        px, py = at.x - (ahead.y - at.y) * off, at.y + (ahead.x - at.x) * off
        row, col = (int(v) for v in city.grid.pixel(px, py))
        inside = 0 <= row < city.grid.rows and 0 <= col < city.grid.cols
        if inside and inner[row, col] and city.cover[row, col] != land.WATER:
            out.append((px, py))
    return np.array(out)


def _describe_infill(city: City, out: pd.DataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    kind = rules.load("site_kinds")["new_tower"]
    n = len(out)
    out[["x", "y"]] = out[["x", "y"]].round(1)
    county, town = _names(city, out[["x", "y"]].to_numpy())
    out["place_id"] = [f"BD{k + 1:05d}" for k in range(n)]
    out["name"] = [f"示例{t}补点{k + 1:04d}" for k, t in enumerate(town)]
    out["source"], out["county"] = "infill", county
    out["host_kind"] = rng.choice(["路侧", "绿地", "新建塔", "落地塔"], n, p=[0.4, 0.3, 0.2, 0.1])
    out["owner"] = [f"示例{c}土地权属单位" for c in county]
    out["height_agl_m"] = np.round(kind["height_agl_m"] * rng.uniform(0.86, 1.3, n))
    out.loc[rng.permutation(n)[:60], "height_agl_m"] = np.nan
    out["power_supply"] = np.where(rng.random(n) < 0.8, "direct", "resold")
    out["cost"] = np.round(kind["cost"] * rng.uniform(0.92, 1.08, n), 2)
    return gpd.GeoDataFrame(out, geometry=shapely.points(out[["x", "y"]].to_numpy()), crs=CRS)


def all_hosts(city: City) -> dict[str, gpd.GeoDataFrame]:
    """Existing, public and infill places."""
    weight = strata(city)
    _keep_clear(city, weight)
    old = existing(city, weight)
    have = old[["x", "y"]].to_numpy()
    resources = public(city, weight, have)
    tall = resources[resources["host_kind"] != "street_pole"][["x", "y"]].to_numpy()
    return {"existing": old, "public": resources, "infill": infill(city, np.vstack([have, tall]))}
