"""The values that travel between the stages. Frozen dataclasses, no logic."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.config import Config


@dataclass(frozen=True)
class Grid:
    """A north-up raster frame.

    Attributes
    ----------
    x0_m, y0_m : float
        Outer corner at the upper left: smallest x, largest y.
    resolution_m : float
        Pixel size; pixel (row, col) has its centre at
        ``x0_m + (col + 0.5) * resolution_m``, ``y0_m - (row + 0.5) * resolution_m``.
    rows, cols : int
        Size.
    crs : str
        Projected CRS in metres.
    """

    x0_m: float
    y0_m: float
    resolution_m: float
    rows: int
    cols: int
    crs: str


@dataclass(frozen=True)
class Raster:
    """Pixels on a grid: an array in memory or a file on disk (read with ``geo.grid.window``)."""

    grid: Grid
    array: NDArray[Any] | None = None
    path: Path | None = None
    nodata: float | None = None


@dataclass(frozen=True)
class Project:
    """A city's layers, checked and in the working CRS.

    Attributes
    ----------
    config, root : Config, Path
        The project file and the folder it lies in.
    layers : dict of GeoDataFrame
        Input layers by schema name, columns as in ``schema/layers.toml``, RangeIndex.
    grid : Grid
        The working raster frame (``project.resolution_m``), covering the city.
    dem, clutter, population : Raster or None
        Resampled to ``grid``: metres (float32), class codes (uint8), people per pixel (float32).
        ``dem`` may extend beyond the city on its own frame.
    radio_zones : Raster or None
        Radio-climatic zones on a frame of their own (uint8): 1 coastal land, 2 inland, 3 sea; inland beyond.
    places : GeoDataFrame
        Existing and candidate places, one row each, RangeIndex (see ``inputs.derive``).
    stations : DataFrame
        Place x network, RangeIndex; ``place`` is the position in ``places``.
    problems : DataFrame
        Everything the reading noticed (schema table ``problems``).
    set_aside : dict of DataFrame
        Rows that could not be used, by layer, with file, row and reason.
    """

    config: Config
    root: Path
    layers: dict[str, gpd.GeoDataFrame]
    grid: Grid
    dem: Raster | None
    clutter: Raster | None
    population: Raster | None
    places: gpd.GeoDataFrame
    stations: pd.DataFrame
    problems: pd.DataFrame
    set_aside: dict[str, pd.DataFrame] = field(default_factory=dict)
    radio_zones: Raster | None = None


@dataclass(frozen=True)
class Cover:
    """Which station covers which demand row.

    Demand row ``(network * n_services + service) * n_cells + cell``.

    Attributes
    ----------
    station_ids : ndarray of str, (n_items,)
        The items, in the order of ``Project.stations`` rows in ``station_rows``.
    station_rows : int32 (n_items,)
        Row of each item in ``Project.stations``.
    indptr, indices : int64 (n_items + 1,), int32 (pairs,)
        CSR without values; the rows of an item ascend.
    row_weight : int64 (n_rows,)
        Quantised weight, unit 0.01 people.
    networks, services : tuple of str
        Names, in row order.
    cells : DataFrame
        x_m, y_m, people, area_km2, morphology (order code), county (code str), tier (order).
    modes : ndarray of str, (n_items,), or None
        How each item is built: ``as_planned``, or the id of a mode. Items of one station (equal
        ``station_rows``) exclude each other, its plain one first. None: all as planned.
    """

    station_ids: NDArray[Any]
    station_rows: NDArray[np.int32]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    row_weight: NDArray[np.int64]
    networks: tuple[str, ...]
    services: tuple[str, ...]
    cells: pd.DataFrame
    modes: NDArray[Any] | None = None


@dataclass(frozen=True)
class Plan:
    """A nested, phased siting plan.

    Attributes
    ----------
    stations, places : GeoDataFrame
        Schema tables of those names, by rank; what is on air first, with rank 0.
    phases, counties, refused : DataFrame
        Schema tables of those names.
    certificate : dict or None
        Upper bound and multipliers, once computed (``siting.plan_certificate.certify``).
    limits : DataFrame or None
        Schema table of that name: quotas, floors and budgets, if the project has any.
    """

    stations: gpd.GeoDataFrame
    places: gpd.GeoDataFrame
    phases: pd.DataFrame
    counties: pd.DataFrame
    refused: pd.DataFrame
    certificate: dict[str, Any] | None = None
    limits: pd.DataFrame | None = None


@dataclass(frozen=True)
class Coverage:
    """Radio coverage of what is on air in one year.

    Attributes
    ----------
    year : int
        Phase year; the year before the first phase's means today's network.
    layers : dict of dict of Raster
        Network name to ``rsrp_dbm`` (float32), ``sinr_db`` (float32), ``best_sector`` (int32, -1
        none), ``overlap`` (uint8), ``outdoor`` and further services (uint8 0/1, 255 outside).
    sectors : DataFrame
        Row ``best_sector`` names: station_id, azimuth_deg, tilt_deg, band, network.
    statistics, reach : DataFrame
        Schema tables of those names.
    flags : dict of dict of int
        By network: stations and pixels computed outside what their model states (``coverage.sectors.count_flags``,
        near-field and extrapolated pixels). Empty for a coverage opened from files.
    """

    year: int
    layers: dict[str, dict[str, Raster]]
    sectors: pd.DataFrame
    statistics: pd.DataFrame
    reach: pd.DataFrame
    flags: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """Everything a run made; what exporters read.

    ``budgets`` and ``zones`` are schema tables of those names; ``tables`` holds further ones by name:
    why_chosen, substitutes, why_not, demands, indoor_buildings, micro_forecast, station_load,
    coordination_list, broken_budgets, needs, remedies, remedy_modes, station_quality, refined_sectors,
    refined_services, link_budget, as far as they were made. ``cover`` is that of the ranking; where modes were chosen
    or antennas refined, ``project`` holds the antennas as they are to be. ``resources`` are the linear budgets the
    plan was held to, by item of the cover (``siting.phases.rank``).
    """

    project: Project
    verdicts: pd.DataFrame
    eligible: pd.DataFrame
    plan: Plan
    today: Coverage
    coverages: dict[int, Coverage]
    summary: dict[str, Any]
    cover: Cover | None = None
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    budgets: pd.DataFrame | None = None
    zones: gpd.GeoDataFrame | None = None
    resources: tuple[Any, Any] | None = None
