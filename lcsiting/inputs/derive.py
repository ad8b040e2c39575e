"""From the layers to what the stages work on: places, stations, demand cells.

A *place* is a physical host, a *station* is place x network, a *demand cell*
is a square of ``[demand] resolution_m`` whose centre lies in the city.
"""

import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.config import Config, Network
from lcsiting.geo import grid as raster
from lcsiting.model import Grid, Project, Raster

ON_AIR_ENTRY = re.compile(r"(移动|联通|电信|广电)\s*[::：]?\s*(n\d+)", re.IGNORECASE)


def parse_on_air(text: Any) -> list[tuple[str, str]]:
    """``"移动:n41;电信 n78"`` to ``[("移动", "n41"), ("电信", "n78")]``; empty if nothing is on air."""
    if not isinstance(text, str):
        return []
    return [(operator, band.lower()) for operator, band in ON_AIR_ENTRY.findall(text)]


def _texts(column: pd.Series, default: str = "") -> pd.Series:
    """A column as text, whatever dtype an empty or missing one came with."""
    return column.astype(object).where(column.notna(), default).astype(str)


def morphology_ids(root: Path) -> list[str]:
    """Morphology ids by their order code."""
    table = rules.load("morphology", root / "rules")
    return sorted(table, key=lambda key: table[key]["order"])


def morphology_codes(clutter: NDArray[Any], root: Path) -> NDArray[np.int8]:
    """Clutter classes to morphology order codes; unknown classes count as rural."""
    ids = morphology_ids(root)
    lookup = np.full(256, ids.index("rural"), dtype=np.int8)
    for code, row in rules.load("clutter", root / "rules").items():
        lookup[int(code)] = ids.index(row["morphology"])
    return lookup[clutter.astype(np.uint8)]


def area_labels(
    boundaries: gpd.GeoDataFrame, levels: list[str], grid: Grid
) -> tuple[NDArray[np.int32], gpd.GeoDataFrame]:
    """Label raster of the areas of some levels: 0 outside, k for row k-1 of the returned table."""
    areas = boundaries[boundaries["level"].isin(levels)].reset_index(drop=True)
    return raster.rasterize(areas.geometry, range(1, len(areas) + 1), grid, "int32"), areas


def city_levels(boundaries: gpd.GeoDataFrame) -> list[str]:
    """The level that makes up the city: its counties if there are any, else the city outline."""
    return ["county"] if (boundaries["level"] == "county").any() else ["city"]


def tier_raster(config_root: Path, boundaries: gpd.GeoDataFrame, grid: Grid) -> NDArray[np.int8]:
    """Tier order of every pixel; earlier tiers win where areas overlap, the rest is the last tier."""
    table = rules.load("tiers", config_root / "rules")
    rows = sorted(table.values(), key=lambda row: row["order"])
    out = np.full((grid.rows, grid.cols), rows[-1]["order"], dtype=np.int8)
    for row in reversed(rows[:-1]):
        labels, _ = area_labels(boundaries, row["levels"], grid)
        out[labels > 0] = row["order"]
    return out


def _existing_table(existing: gpd.GeoDataFrame, actions: dict[str, rules.Row]) -> gpd.GeoDataFrame:
    free = pd.to_numeric(existing["free_levels"]).fillna(0)
    on_air = existing["on_air"].map(lambda text: bool(parse_on_air(text))).astype(bool)
    reuse = on_air | (free >= actions["reuse"]["min_free_levels"])
    return existing.assign(
        source="existing",
        host_kind="existing",
        opening="",
        fee_yuan=0.0,
        action=np.where(reuse, "reuse", "refit"),
        cost=np.where(reuse, actions["reuse"]["cost"], actions["refit"]["cost"]),
    )


def _candidate_table(candidates: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return candidates.assign(
        source=_texts(candidates["source"], "public"),
        action="new",
        on_air="",
        on_air_year=0,
        tower_type="",
        azimuths_deg="",
        free_levels=0,
        power_kw=np.nan,
    )


PLACE_COLUMNS = [
    "place_id", "name", "source", "host_kind", "host_rank", "county_code", "county", "tier", "morphology",
    "height_agl_m", "height_default", "owner", "tower_type", "opening", "fee_yuan", "cost", "action", "on_air",
    "on_air_text", "on_air_year", "ground", "micro", "azimuths_deg", "free_levels", "power_supply", "power_kw",
    "geometry",
]  # fmt: skip


def derive_places(
    config: Config, root: Path, layers: dict[str, gpd.GeoDataFrame], clutter: Raster, grid: Grid
) -> gpd.GeoDataFrame:
    """One row per physical host: existing places first, then candidates.

    Parameters
    ----------
    config, root : Config, Path
        Project file and its folder (for rule overrides).
    layers : dict of GeoDataFrame
        Validated layers in the working CRS.
    clutter : Raster
        Class codes on the working grid.
    grid : Grid
        The working grid.

    Returns
    -------
    GeoDataFrame
        Columns ``PLACE_COLUMNS``. A missing height takes the default of its kind and is flagged.
    """
    kinds = rules.load("site_kinds", root / "rules")
    parts = [
        _existing_table(layers["existing"], rules.load("actions", root / "rules")),
        _candidate_table(layers["candidates"]),
    ]
    parts = [part for part in parts if len(part)] or parts[:1]
    places = pd.concat(parts, ignore_index=True)
    places = gpd.GeoDataFrame(places, geometry="geometry", crs=config.project.crs)
    kind = places["host_kind"]
    default_rank = kind.map(lambda key: kinds[key]["rank"])
    rank = places["host_rank"] if "host_rank" in places else pd.Series(np.nan, index=places.index)
    places["host_rank"] = pd.to_numeric(rank).fillna(default_rank).astype(int)
    height = pd.to_numeric(places["height_agl_m"])
    places["height_default"] = height.isna()
    places["height_agl_m"] = height.fillna(kind.map(lambda key: kinds[key]["height_agl_m"])).astype(float)
    places["cost"] = pd.to_numeric(places["cost"]).fillna(kind.map(lambda key: kinds[key]["cost"])).astype(float)
    places["fee_yuan"] = pd.to_numeric(places["fee_yuan"]).fillna(0.0)
    places["ground"] = kind.map(lambda key: kinds[key]["ground"]).astype(bool)
    places["micro"] = kind.map(lambda key: kinds[key]["micro"]).astype(bool)
    places["on_air_text"] = _texts(places["on_air"])
    places["on_air"] = places["on_air_text"].map(lambda text: bool(parse_on_air(text))).astype(bool)
    places["on_air_year"] = pd.to_numeric(places["on_air_year"]).fillna(0).astype(int)
    for column in ("name", "owner", "tower_type", "opening", "azimuths_deg", "power_supply"):
        places[column] = _texts(places[column])
    return _locate(places, root, layers["boundaries"], clutter, grid)[PLACE_COLUMNS]


def _locate(
    places: gpd.GeoDataFrame, root: Path, boundaries: gpd.GeoDataFrame, clutter: Raster, grid: Grid
) -> gpd.GeoDataFrame:
    """County, tier and morphology under each place."""
    x_m, y_m = places.geometry.x.to_numpy(), places.geometry.y.to_numpy()
    levels = city_levels(boundaries)
    counties = boundaries[boundaries["level"].isin(levels)]
    last_tier = max(row["order"] for row in rules.load("tiers", root / "rules").values())
    row, col, inside = raster.row_col(grid, x_m, y_m)
    label, tier = np.zeros(len(row), np.int32), np.full(len(row), last_tier)
    for first, last in raster.row_bands(grid):  # areas are drawn a band at a time: memory stays that of a band
        here = inside & (row >= first) & (row < last)
        if here.any():
            part = raster.rows_of(grid, first, last)
            label[here] = area_labels(boundaries, levels, part)[0][row[here] - first, col[here]]
            tier[here] = tier_raster(root, boundaries, part)[row[here] - first, col[here]]
    codes = np.array(["", *counties["code"].astype(str)], dtype=object)
    names = np.array(["", *counties["name"].astype(str)], dtype=object)
    codes_of = morphology_codes(raster.sample(clutter, x_m, y_m, fill=0), root)
    ids = np.array(morphology_ids(root), dtype=object)
    return places.assign(
        county_code=codes[label],
        county=names[label],
        tier=tier.astype(int),
        morphology=ids[codes_of],
    )


def model_of(network: Network, band: rules.Row, morphology: rules.Row, morphology_id: str, height_agl_m: float) -> str:
    """Path-loss model of a station: its network's, or that of its place's morphology, mast height and band."""
    if network.model:
        return network.model
    if height_agl_m <= morphology["micro_below_m"]:
        return str(morphology["micro_model"])
    if morphology_id == "village" and band["village_model"]:
        return str(band["village_model"])
    return str(morphology["model"])


def _on_air_of(place: Any, network: Network, bands: dict[str, rules.Row]) -> dict[str, str]:
    """Bands of a network on air on a place, in the order written, with the operators that hold them."""
    entries = [(op, b) for op, b in parse_on_air(place.on_air_text) if op in network.operators and b in bands]
    return {band: "+".join(dict.fromkeys(op for op, b in entries if b == band)) for _, band in entries}


def derive_stations(config: Config, root: Path, places: gpd.GeoDataFrame) -> pd.DataFrame:
    """Place x network: what is ranked and counted.

    The band follows the network's table by the place's morphology; what is on
    air keeps its own band, and a further band of the same network on air is a
    further station (``…-N1-n28``): it covers and is coordinated on its own.
    The first network on a place costs the place, a second one only equipment
    (``second_cost``).

    Returns
    -------
    DataFrame
        In place order, networks within a place in the order of the project file.
    """
    bands = rules.load("bands", root / "rules")
    morphologies = rules.load("morphology", root / "rules")
    equipment = rules.load("actions", root / "rules")["equipment"]["cost"]
    rows = []
    for position, place in enumerate(places.itertuples(index=False)):
        for k, network in enumerate(config.networks):
            on_air = _on_air_of(place, network, bands)
            for n, band in enumerate(on_air or [network.bands[place.morphology]]):
                rows.append(
                    (
                        f"{place.place_id}-N{k + 1}" + (f"-{band}" if n else ""),
                        position,
                        place.place_id,
                        network.name,
                        k,
                        "+".join(network.operators),
                        band,
                        model_of(
                            network, bands[band], morphologies[place.morphology], place.morphology, place.height_agl_m
                        ),
                        bands[band]["frequency_mhz"],
                        place.height_agl_m,
                        place.micro,
                        bool(on_air),
                        place.on_air_year if on_air else 0,
                        on_air.get(band, ""),
                        place.action,
                        place.cost,
                        min(equipment, place.cost),
                    )
                )
    columns = [
        "station_id", "place", "place_id", "network", "network_index", "operators", "band", "model", "frequency_mhz",
        "height_agl_m", "micro", "on_air", "on_air_year", "on_air_holders", "action", "cost", "second_cost",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype({"place": "int32", "network_index": "int32"})


def demand_grid(project: Project) -> Grid:
    """The frame of the demand cells: the working grid's extent at ``[demand] resolution_m``."""
    return raster.frame(raster.bounds(project.grid), project.config.demand.resolution_m, project.config.project.crs)


def demand_cells(project: Project) -> pd.DataFrame:
    """The cells people are counted on: centre in the city.

    Returns
    -------
    DataFrame
        row, col (in :func:`demand_grid`), x_m, y_m, people, area_km2, morphology (order code), county (code),
        tier (order). Row-major order. People are summed from the working grid by pixel centre.
    """
    grid = demand_grid(project)
    boundaries = project.layers["boundaries"]
    labels, counties = area_labels(boundaries, city_levels(boundaries), grid)
    row, col = np.nonzero(labels)
    x_m, y_m = raster.cell_centres(grid)
    codes = counties["code"].astype(str).to_numpy(dtype=object)
    assert project.clutter is not None
    clutter = raster.sample(project.clutter, x_m[col], y_m[row], fill=0)
    return pd.DataFrame(
        {
            "row": row.astype(np.int32),
            "col": col.astype(np.int32),
            "x_m": x_m[col],
            "y_m": y_m[row],
            "people": _people(project, grid)[row, col],
            "area_km2": (grid.resolution_m / 1000.0) ** 2,
            "morphology": morphology_codes(clutter, project.root),
            "county": pd.Categorical.from_codes(labels[row, col] - 1, categories=codes),
            "tier": tier_raster(project.root, boundaries, grid)[row, col],
        }
    )


def _people(project: Project, grid: Grid) -> NDArray[np.float64]:
    """People per demand cell, from the pixels of the working grid that centre in it, some rows of cells at a time."""
    out = np.zeros((grid.rows, grid.cols))
    if project.population is None:
        return out
    x_m, y_m = raster.cell_centres(project.grid)
    row = np.floor((grid.y0_m - y_m) / grid.resolution_m).astype(int)
    col = np.floor((x_m - grid.x0_m) / grid.resolution_m).astype(int)
    begin = np.searchsorted(row, np.arange(grid.rows + 1))  # first pixel row of each row of cells
    step = max(raster.BAND_PIXELS // len(col) * grid.rows // len(row), 1)
    for first in range(0, grid.rows, step):
        last = min(first + step, grid.rows)
        pixels = slice(int(begin[first]), int(begin[last]))
        if pixels.start == pixels.stop:
            continue  # at the edge: cells in which no pixel centres
        people = raster.read_span(project.population, (pixels.start, pixels.stop, 0, len(col))).astype(np.float64)
        by_row = np.zeros((last - first, len(col)))
        np.add.at(by_row, row[pixels] - first, people)
        by_cell = np.zeros((grid.cols, last - first))
        np.add.at(by_cell, col, by_row.T)
        out[first:last] = by_cell.T
    return out
