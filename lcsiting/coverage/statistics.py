"""Coverage as figures: share of area and people by administrative area, reach of villages and key places."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import schema
from lcsiting.coverage import layerops
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Grid, Project

LEVELS = ("county", "zone", "urban", "county_seat", "town", "park")
ANY_NETWORK = "all"
POLYGON_SHARE = 0.95  # of a key place's polygon; its definition in the measure, not a tunable
# Figures are rounded to powers of two, so that adding counties in any order gives the city to the last bit.
PEOPLE_STEP, KM2_STEP = 2.0**-20, 2.0**-30

Served = dict[str, dict[str, NDArray[np.uint8]]]


def _names(served: Served) -> tuple[list[str], list[str]]:
    networks = list(served)
    return networks, list(served[networks[0]])


def service_bits(served: Served) -> NDArray[np.uint32]:
    """One bit per pair (network or "all", service): bit ``network * n_services + service``.

    The networks come in their order, "all" (at least one network serves) last.

    Raises
    ------
    ValueError
        More than 32 pairs.
    """
    networks, services = _names(served)
    if (len(networks) + 1) * len(services) > 32:
        raise ValueError(f"statistics: {len(networks)} networks x {len(services)} services; at most 32 with 'all'")
    shape = served[networks[0]][services[0]].shape
    bits = np.zeros(shape, dtype=np.uint32)
    for s, service in enumerate(services):
        for k, network in enumerate(networks):
            here = (served[network][service] == 1).astype(np.uint32)
            bits |= here << np.uint32(k * len(services) + s)
            bits |= here << np.uint32(len(networks) * len(services) + s)
    return bits


def label_batches(shapes: gpd.GeoSeries, grid: Grid) -> list[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    """Label rasters of areas that may overlap: each batch holds areas that do not.

    Returns
    -------
    list of (positions, labels)
        Pixel value k belongs to the area at ``positions[k - 1]``.
    """
    left, right = shapes.sindex.query(shapes.geometry, predicate="intersects")
    pairs = [
        (a, b) for a, b in zip(left, right, strict=True) if a < b and shapes.iloc[a].intersection(shapes.iloc[b]).area
    ]
    batch = np.zeros(len(shapes), dtype=np.int64)
    for b in range(len(shapes)):
        taken = {int(batch[a]) for a, other in pairs if other == b}
        batch[b] = next(i for i in range(len(shapes) + 1) if i not in taken)
    out = []
    for number in range(int(batch.max(initial=-1)) + 1):
        positions = np.flatnonzero(batch == number)
        out.append((positions, raster.rasterize(shapes.iloc[positions], range(1, len(positions) + 1), grid, "int32")))
    return out


def _people(project: Project) -> NDArray[np.float32]:
    if project.population is None:
        return np.zeros((project.grid.rows, project.grid.cols), dtype=np.float32)
    return raster.pixels(project.population)


def _tally_areas(
    shapes: gpd.GeoSeries, project: Project, inside: NDArray[np.bool_], bits: NDArray[np.uint32], flags: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixels and people of each area by flag; the last column is the whole area."""
    pixels = np.zeros((len(shapes), flags + 1), dtype=np.int64)
    people = np.zeros((len(shapes), flags + 1))
    for positions, labels in label_batches(shapes, project.grid):
        counted = layerops.tally(labels, inside, bits, _people(project), len(positions), flags)
        pixels[positions], people[positions] = counted
    return pixels, people


def _area_rows(level: str, codes: Any, names: Any, km2: Any, people: Any, pairs: list[tuple[str, str]]) -> list[dict]:
    """Rows of the schema table for some areas of one level; ``km2`` and ``people`` (areas, flags + 1)."""
    rows = []
    for i, (code, name) in enumerate(zip(codes, names, strict=True)):
        for f, (network, service) in enumerate(pairs):
            size, everyone = float(km2[i, -1]), float(people[i, -1])
            rows.append(
                {
                    "network": network,
                    "service": service,
                    "level": level,
                    "code": str(code),
                    "name": str(name),
                    "area_km2": size,
                    "people": everyone,
                    "covered_area_km2": float(km2[i, f]),
                    "covered_people": float(people[i, f]),
                    "area_share": float(km2[i, f]) / size if size else np.nan,
                    "people_share": float(people[i, f]) / everyone if everyone else np.nan,
                }
            )
    return rows


def area_statistics(project: Project, served: Served, inside: NDArray[np.bool_], year: int) -> pd.DataFrame:
    """Share of area and of people by network, service and administrative area.

    The city is the union of its counties, and its figures are the sums of theirs, exactly. Zones
    and the other levels are "of which". An area is its pixels (centre rule) inside the city, so a
    polygon smaller than a pixel can have none; where there is nothing to cover the share is NaN.

    Parameters
    ----------
    project : Project
    served : dict of dict of uint8 (rows, cols)
        Network name to service name to 0/1/255.
    inside : bool (rows, cols)
        Pixels of the city.
    year : int

    Returns
    -------
    DataFrame
        Schema table ``statistics``; network ``"all"`` means at least one network.
    """
    networks, services = _names(served)
    pairs = [(network, service) for network in [*networks, ANY_NETWORK] for service in services]
    bits = service_bits(served)
    boundaries = project.layers["boundaries"]
    base = derive.city_levels(boundaries)[0]
    rows: list[dict] = []
    for level in dict.fromkeys([base, *LEVELS]):
        areas = boundaries[boundaries["level"] == level].reset_index(drop=True)
        if areas.empty:
            continue
        if level == base:  # one raster, later outlines win: a pixel belongs to one county
            labels, _ = derive.area_labels(boundaries, [level], project.grid)
            pixels, people = layerops.tally(labels, inside, bits, _people(project), len(areas), len(pairs))
        else:
            pixels, people = _tally_areas(areas.geometry, project, inside, bits, len(pairs))
        km2 = np.rint(pixels * (project.grid.resolution_m / 1000.0) ** 2 / KM2_STEP) * KM2_STEP
        people = np.rint(people / PEOPLE_STEP) * PEOPLE_STEP
        if level == base:
            code, name = _city_name(project, boundaries)
            rows += _area_rows("city", [code], [name], km2.sum(axis=0)[None], people.sum(axis=0)[None], pairs)
        if level != "city":
            rows += _area_rows(level, areas["code"], areas["name"], km2, people, pairs)
    return pd.DataFrame(rows).assign(year=year)[list(schema.table("statistics").columns)]


def _city_name(project: Project, boundaries: gpd.GeoDataFrame) -> tuple[str, str]:
    outline = boundaries[boundaries["level"] == "city"]
    if outline.empty:
        return "", project.config.project.name
    return str(outline["code"].iloc[0]), str(outline["name"].iloc[0])


def _bits_at(points: gpd.GeoSeries, grid: Grid, inside: NDArray[np.bool_], bits: NDArray[np.uint32]) -> Any:
    """Bits and city pixel of each point; on the border the nearest city pixel of the 3 x 3 around it."""
    row, col, _ = raster.row_col(grid, points.x, points.y)
    found = np.zeros(len(points), dtype=np.uint32)
    place = np.full((len(points), 2), -1)
    for i in range(len(points)):
        best = np.inf
        for r in range(max(row[i] - 1, 0), min(row[i] + 2, grid.rows)):
            for c in range(max(col[i] - 1, 0), min(col[i] + 2, grid.cols)):
                away = (r - row[i]) ** 2 + (c - col[i]) ** 2
                if inside[r, c] and away < best:
                    best, found[i], place[i] = away, bits[r, c], (r, c)
    return found, place


def _county_of(project: Project, places: NDArray[Any], recorded: pd.Series) -> NDArray[Any]:
    """County under each city pixel; outside the city what the layer records."""
    boundaries = project.layers["boundaries"]
    labels, counties = derive.area_labels(boundaries, derive.city_levels(boundaries), project.grid)
    names = counties["name"].astype(str).to_numpy(object)
    out = recorded.astype(object).fillna("").astype(str).to_numpy(object)
    known = places[:, 0] >= 0
    out[known] = names[labels[places[known, 0], places[known, 1]] - 1]
    return out


def _reach_rows(
    measure: str, county: NDArray[Any], reached: NDArray[np.bool_], networks: list[str], order: list[str]
) -> list[dict]:
    """``reached``: (things, networks). Counties in the order of the boundaries."""
    rows = []
    for k, network in enumerate(networks):
        for name in [*order, *sorted(set(county) - set(order))]:
            mine = county == name
            total, number = int(mine.sum()), int(reached[mine, k].sum())
            if total:
                row = {"measure": measure, "network": network, "county": name}
                rows.append({**row, "reached": number, "total": total, "share": number / total})
    return rows


def reach(project: Project, served: Served, inside: NDArray[np.bool_], year: int) -> pd.DataFrame:
    """行政村通达率 and 重点场所通达率 by network and county.

    A village is reached when its pixel has the outdoor service. A key place is reached when at least
    95 % of its polygon (a point: its pixel) has the outdoor service and, where the place asks for it,
    the indoor service too. Outdoor and indoor are the first service of that kind in the project.
    Network ``"all"``: at least one network, pixel by pixel. Points outside the city count as not
    reached under the county they name.

    Returns
    -------
    DataFrame
        Schema table ``reach``: one row per measure, network and county that has any.
    """
    networks, services = _names(served)
    kinds = {service.name: service.indoor for service in project.config.services}
    outdoor = next((i for i, name in enumerate(services) if not kinds[name]), 0)
    indoor = next((i for i, name in enumerate(services) if kinds[name]), outdoor)
    bits = service_bits(served)
    all_networks = [*networks, ANY_NETWORK]
    bit = np.arange(len(all_networks), dtype=np.uint32) * np.uint32(len(services))
    boundaries = project.layers["boundaries"]
    order = list(boundaries.loc[boundaries["level"] == derive.city_levels(boundaries)[0], "name"].astype(str))
    rows: list[dict] = []
    villages = project.layers.get("villages")
    if villages is not None and len(villages):
        found, pixel = _bits_at(villages.geometry, project.grid, inside, bits)
        has = (found[:, None] >> (bit + np.uint32(outdoor))) & 1 == 1
        rows += _reach_rows("village_reach", _county_of(project, pixel, villages["county"]), has, all_networks, order)
    places = project.layers.get("key_places")
    if places is not None and len(places):
        share, pixel = _place_shares(project, places.geometry, inside, bits, len(all_networks) * len(services))
        wanted = places["indoor"].fillna(False).astype(bool).to_numpy()
        has = share[:, bit + np.uint32(outdoor)] >= POLYGON_SHARE
        has &= ~wanted[:, None] | (share[:, bit + np.uint32(indoor)] >= POLYGON_SHARE)
        unnamed = pd.Series([""] * len(places))
        rows += _reach_rows("key_place_reach", _county_of(project, pixel, unnamed), has, all_networks, order)
    columns = list(schema.table("reach").columns)
    return pd.DataFrame(rows, columns=[c for c in columns if c != "year"]).assign(year=year)[columns]


def _place_shares(
    project: Project, shapes: gpd.GeoSeries, inside: NDArray[np.bool_], bits: NDArray[np.uint32], flags: int
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Share of each place's pixels by flag, and the pixel that says its county."""
    shapes = shapes.reset_index(drop=True)
    found, pixel = _bits_at(shapes.representative_point(), project.grid, inside, bits)
    share = ((found[:, None] >> np.arange(flags, dtype=np.uint32)) & 1).astype(np.float64)
    polygons = np.flatnonzero(shapes.geom_type.isin(["Polygon", "MultiPolygon"]))
    if polygons.size:
        pixels, _ = _tally_areas(shapes.iloc[polygons], project, inside, bits, flags)
        large = pixels[:, -1] > 0
        share[polygons[large]] = pixels[large, :-1] / pixels[large, -1:]
    return share, pixel
