"""Rasters and villages: terrain, land cover, people."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from scipy import ndimage
from shapely import LineString

from .areas import county_people
from .basis import PIXEL_M, RING_M, noise, project, shares, stream, to_xy

WATER, OPEN, VILLAGE, SUBURB, URBAN, DENSE, INDUSTRY, TREES, CORRIDOR = range(1, 10)
VILLAGES = 6000
VILLAGE_GAP_PX = 6
FAMILIES = (
    "王李张刘陈杨赵孙周吴徐郭马朱胡林何高罗郑梁谢宋唐许韩冯邓曹彭曾萧田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢"
    "姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤"
)
TOWN_PEOPLE = 7000  # mean people in the built-up part of a township, project assumption


@dataclass(frozen=True)
class Frame:
    """North-up 100 m frame, edges on multiples of 100 m."""

    x0_m: float
    y0_m: float
    rows: int
    cols: int

    @property
    def affine(self) -> Affine:
        return Affine(PIXEL_M, 0, self.x0_m, 0, -PIXEL_M, self.y0_m)

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.cols

    def centres(self, row: Any, col: Any) -> tuple[Any, Any]:
        return self.x0_m + (np.asarray(col) + 0.5) * PIXEL_M, self.y0_m - (np.asarray(row) + 0.5) * PIXEL_M

    def pixel(self, x_m: Any, y_m: Any) -> tuple[Any, Any]:
        row = np.floor((self.y0_m - np.asarray(y_m)) / PIXEL_M).astype(int)
        return row, np.floor((np.asarray(x_m) - self.x0_m) / PIXEL_M).astype(int)

    def burn(self, shapes: Any, values: Any, touched: bool = False) -> NDArray[np.int32]:
        pairs = list(zip(shapes, (int(v) for v in values), strict=True))
        if not pairs:
            return np.zeros(self.shape, dtype=np.int32)
        return features.rasterize(pairs, self.shape, 0, transform=self.affine, all_touched=touched, dtype="int32")


def frame(bounds: tuple[float, float, float, float], margin_m: float) -> Frame:
    """The frame round some bounds."""
    x0, y0 = ((np.floor(v / 1000) * 1000 - margin_m) for v in bounds[:2])
    x1, y1 = ((np.ceil(v / 1000) * 1000 + margin_m) for v in bounds[2:])
    return Frame(float(x0), float(y1), round((y1 - y0) / PIXEL_M), round((x1 - x0) / PIXEL_M))


def terrain(facts: dict[str, Any], city: Frame) -> tuple[Frame, NDArray[np.int16]]:
    """Ground height: a plain falling to the north-east, river levees, residual hills, far foothills."""
    rng = stream("terrain")
    grid = Frame(
        city.x0_m - RING_M,
        city.y0_m + RING_M,
        city.rows + int(2 * RING_M / PIXEL_M),
        city.cols + int(2 * RING_M / PIXEL_M),
    )
    row, col = np.mgrid[: grid.rows, : grid.cols]
    x, y = grid.centres(row, col)
    (xa, ya), (xb, yb) = to_xy(115.36, 35.82), to_xy(116.44, 36.96)
    along = ((x - xa) * (xb - xa) + (y - ya) * (yb - ya)) / ((xb - xa) ** 2 + (yb - ya) ** 2)
    z = facts["terrain_sw_m"] + np.clip(along, -0.5, 1.4) * (facts["terrain_ne_m"] - facts["terrain_sw_m"])
    z += 0.8 * noise(grid.shape, 45, rng) + 0.35 * noise(grid.shape, 12, rng)
    river = project(LineString(next(r["vertices"] for r in facts["lines"] if r["name"] == "黄河")))
    (xs, ys), (xe, ye) = river.coords[0], river.coords[-1]
    beyond = ((y - ys) * (xe - xs) - (x - xs) * (ye - ys)) / -np.hypot(xe - xs, ye - ys)  # metres SE of the river
    z += 4.0 * np.exp(-((beyond / 1500) ** 2)) * ((x > xs) & (x < xe + 40_000))
    ridge = np.abs(noise(grid.shape, 60, rng)) + 0.35 * np.abs(noise(grid.shape, 20, rng))
    ramp = np.clip((beyond - 7000) / 40_000, 0, 1)
    z += ramp * (60 + 260 * ridge)
    tops = [(*to_xy(*hill["at"]), hill["top_m"]) for hill in facts["hills"]]
    for k in range(9):  # ten residual hills in all, along the river in 东阿
        at = river.interpolate(0.30 + 0.062 * k, normalized=True)
        away = rng.uniform(900, 2600)
        tops.append((at.x - away * 0.55, at.y + away * 0.83, float(rng.uniform(50, 68))))
    for hx, hy, top in tops:
        r, c = (int(v) for v in grid.pixel(hx, hy))
        bump = np.exp(-(((x - x[r, c]) ** 2 + (y - y[r, c]) ** 2) / (2 * 260.0**2)))
        z = z + bump * (top - z[r, c])
    return grid, np.clip(np.round(z), 5, 900).astype(np.int16)


def _village_points(
    facts: dict[str, Any], county: NDArray[np.int32], free: NDArray[np.bool_], rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """(row, col, county index): random but nowhere closer than ``VILLAGE_GAP_PX`` pixels."""
    people = county_people(facts)
    rural = []
    for c in facts["counties"]:
        built = c.get("seat_people", facts["urban"]["people"])
        rural.append(people[c["code"]] - built - c["townships"] * TOWN_PEOPLE)
    wanted = shares(rural, VILLAGES)
    reach = VILLAGE_GAP_PX
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = dy * dy + dx * dx <= reach * reach
    blocked = np.pad(~free, reach)
    out = []
    for index, count in enumerate(wanted.tolist()):
        row, col = np.nonzero((county == index + 1) & free)
        got = 0
        for k in rng.permutation(row.size).tolist():
            r, c = int(row[k]), int(col[k])
            if blocked[r + reach, c + reach]:
                continue
            blocked[r : r + 2 * reach + 1, c : c + 2 * reach + 1] |= disc
            out.append((r, c, index))
            got += 1
            if got == count:
                break
        if got < count:
            raise RuntimeError(f"only {got} of {count} villages fit in county {index}")
    return out


def _grow_villages(points: list[tuple[int, int, int]], free: NDArray[np.bool_], rng: np.random.Generator) -> Any:
    """Footprints of 4 to 80 pixels: label raster (0 none, k for village k - 1)."""
    label = np.zeros(free.shape, dtype=np.int32)
    reach = 6
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    sizes = np.clip(rng.lognormal(np.log(17), 0.5, len(points)), 5, 80).astype(int)
    for k, (r, c, _) in enumerate(points):
        score = (dy * dy + dx * dx) * rng.uniform(0.6, 1.4, dy.shape)
        window = (slice(max(r - reach, 0), r + reach + 1), slice(max(c - reach, 0), c + reach + 1))
        score = score[max(reach - r, 0) :, max(reach - c, 0) :][: label[window].shape[0], : label[window].shape[1]]
        usable = free[window] & (label[window] == 0)
        limit = np.sort(score[usable], kind="stable")[: sizes[k]][-1]
        label[window][usable & (score <= limit)] = k + 1
        label[r, c] = k + 1
    return label


def _built_up(grid: Frame, areas: gpd.GeoDataFrame, out: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Towns, county seats, the city and parks, densest in the middle."""
    town = grid.burn(areas.loc[areas["level"] == "town", "geometry"], [1] * int((areas["level"] == "town").sum()))
    out[town > 0] = SUBURB
    texture = noise(grid.shape, 6, rng)
    green = noise(grid.shape, 4, rng)
    for level, dense, urban in (("county_seat", 0.80, 0.30), ("urban", 0.60, 0.22)):
        for shape in areas.loc[areas["level"] == level, "geometry"]:
            mask = grid.burn([shape], [1]) > 0
            depth = ndimage.distance_transform_edt(mask)
            depth = depth / depth.max() + 0.07 * texture
            out[mask] = np.where(depth > dense, DENSE, np.where(depth > urban, URBAN, SUBURB))[mask]
            out[mask & (green > 2.1)] = TREES
    for shape, name in zip(*(areas.loc[areas["level"] == "park", key] for key in ("geometry", "name")), strict=True):
        mask = grid.burn([shape], [1]) > 0
        agri = "农业" in name
        out[mask & ((texture > 0.9) if agri else (texture > -1.3))] = INDUSTRY
        out[mask & ((texture <= 0.9) if agri else (texture <= -1.3))] = OPEN


def land_cover(
    facts: dict[str, Any], grid: Frame, areas: gpd.GeoDataFrame, lines: dict[str, gpd.GeoDataFrame]
) -> tuple[NDArray[np.uint8], NDArray[np.int32], list[tuple[int, int, int]], NDArray[np.int32]]:
    """Clutter classes (``rules/clutter.toml``), county index raster, village centres and labels.

    ``areas`` in metres. Village k - 1 owns the pixels labelled k.
    """
    rng = stream("land")
    counties = areas[areas["level"] == "county"]
    county = grid.burn(counties.geometry, range(1, len(counties) + 1))
    out = np.full(grid.shape, OPEN, dtype=np.uint8)
    wet = lines["water"]
    rivers = wet[wet["kind"] != "lake"]
    banks = grid.burn(rivers.geometry.buffer(350), [1] * len(rivers)) > 0
    orchard = noise(grid.shape, 14, rng) + 0.5 * (county == 6)  # 冠县 grows pears
    out[orchard > 1.85] = TREES
    out[banks & (noise(grid.shape, 5, rng) > 0.2)] = TREES
    _built_up(grid, areas, out, rng)
    built = np.isin(out, (SUBURB, URBAN, DENSE, INDUSTRY))
    corridor = grid.burn(lines["rail"].geometry, [1] * len(lines["rail"])) > 0
    main = lines["roads"][lines["roads"]["class"].isin(["motorway", "national"])]
    corridor |= grid.burn(main.geometry, [1] * len(main)) > 0
    out[corridor & ~built] = CORRIDOR
    wide = [g.buffer(w / 2) for g, w in zip(rivers.geometry, rivers["width_m"], strict=True)]
    flow = grid.burn(wide, [1] * len(wide)) > 0
    flow |= grid.burn(rivers.geometry, [1] * len(rivers)) > 0
    lake = wet[wet["kind"] == "lake"]
    flow |= grid.burn(lake.geometry, [1] * len(lake)) > 0
    out[flow] = WATER
    inside = ndimage.binary_erosion(county > 0, iterations=3)
    inner = areas[areas["level"].isin(["urban", "county_seat", "park"])].geometry.buffer(150)
    free = inside & np.isin(out, (OPEN, TREES)) & (grid.burn(inner, [1] * len(inner)) == 0)
    free &= ndimage.minimum_filter(county, 3) == ndimage.maximum_filter(county, 3)  # not on a county border
    points = _village_points(facts, county, free, rng)
    label = _grow_villages(points, free, rng)
    out[label > 0] = VILLAGE
    return out, county, points, label


def people(
    facts: dict[str, Any],
    grid: Frame,
    areas: gpd.GeoDataFrame,
    cover: NDArray[np.uint8],
    county: NDArray[np.int32],
    label: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Whole people per pixel; every county, every zone and the city add up exactly."""
    rng = stream("people")
    density = np.zeros(10)
    density[[VILLAGE, SUBURB, URBAN, DENSE, INDUSTRY]] = 24, 40, 95, 180, 4
    weight = density[cover] * np.exp(0.25 * noise(grid.shape, 5, rng))
    factor = np.concatenate([[1.0], rng.lognormal(0, 0.25, int(label.max()))])
    weight *= factor[label]
    seats = areas[areas["level"] == "county_seat"]
    seat = grid.burn(seats.geometry, [1] * len(seats)) > 0
    zones = areas[areas["level"] == "zone"]
    zone = grid.burn(zones.geometry, range(1, len(zones) + 1))
    out = np.zeros(grid.shape, dtype=np.float32)
    counts = county_people(facts)
    for index, row in enumerate(facts["counties"]):
        mask = county == index + 1
        if "seat_people" not in row:  # 东昌府区: its zones first, then the rest of it
            jobs = [(mask & (zone == k + 1), z["population"]) for k, z in enumerate(facts["zones"])]
            jobs.append((mask & (zone == 0), counts[row["code"]] - sum(n for _, n in jobs)))
        else:
            built = np.isin(cover, (SUBURB, URBAN, DENSE, INDUSTRY))
            in_towns = row["townships"] * TOWN_PEOPLE
            jobs = [(mask & seat, row["seat_people"]), (mask & ~seat & built, in_towns)]
            jobs.append((mask & ~seat & ~built, counts[row["code"]] - row["seat_people"] - in_towns))
        for where, total in jobs:
            out[where] = shares(weight[where], total)
    return out


def villages(
    grid: Frame,
    points: list[tuple[int, int, int]],
    label: NDArray[np.int32],
    head: NDArray[np.float32],
    town_rows: list[dict[str, Any]],
    county_names: list[str],
    county_codes: list[str],
) -> gpd.GeoDataFrame:
    """Administrative villages: a point in the village's centre pixel, its people, its nearest township."""
    rng = stream("villages")
    row, col, index = (np.array(v) for v in zip(*points, strict=True))
    x_m, y_m = grid.centres(row, col)
    x_m, y_m = x_m + rng.uniform(-35, 35, row.size), y_m + rng.uniform(-35, 35, row.size)
    counts = np.bincount(label.ravel(), weights=head.ravel(), minlength=row.size + 1)[1:]
    names = np.array([f"{p}{f}{s}" for p in ["", *"前后东西南北大小"] for f in FAMILIES for s in "庄屯楼堂集营寨"])
    names = names[rng.permutation(names.size)[: row.size]]
    town = []
    for x, y, k in zip(x_m, y_m, index.tolist(), strict=True):
        own = [t for t in town_rows if t["county"] == county_codes[k]]
        town.append(min(own, key=lambda t: (t["x_m"] - x) ** 2 + (t["y_m"] - y) ** 2)["name"])
    return gpd.GeoDataFrame(
        {
            "name": [f"示例{n}村" for n in names],
            "town": town,
            "county": [county_names[k] for k in index],
            "population": counts,
        },
        geometry=shapely.points(np.round(x_m, 1), np.round(y_m, 1)),
        crs="EPSG:4548",
    )
