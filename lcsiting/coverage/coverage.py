"""Radio coverage of what is on air in one year: layers by network, statistics, reach."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.coverage import layerops, statistics
from lcsiting.coverage.sectors import Sectors, build_sectors, noise_dbm, radio_values, thresholds_dbm
from lcsiting.coverage.statistical import Layers, best_server, empty_layers
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Coverage, Plan, Project, Raster

if TYPE_CHECKING:
    from collections.abc import Iterable

SECTOR_COLUMNS = ["station_id", "network", "band", "azimuth_deg", "tilt_deg"]


def on_air_rows(project: Project, plan: Plan | None, year: int) -> NDArray[np.int64]:
    """Rows of ``project.stations`` on air in a year.

    What is on air today always is; a planned station from its phase year on. Without a plan, or
    before its first phase, that is today's network.
    """
    stations = project.stations
    active = stations["on_air"].to_numpy(bool).copy()
    if plan is not None and len(plan.stations):
        table = plan.stations
        built = (table["status"] == "on_air") | ((table["phase_year"] > 0) & (table["phase_year"] <= year))
        active |= stations["station_id"].isin(set(table.loc[built, "station_id"])).to_numpy()
    return np.flatnonzero(active)


def _city(project: Project) -> NDArray[np.bool_]:
    boundaries = project.layers["boundaries"]
    labels, _ = derive.area_labels(boundaries, derive.city_levels(boundaries), project.grid)
    return labels > 0


def _morphology(project: Project) -> NDArray[np.int8]:
    shape = (project.grid.rows, project.grid.cols)
    if project.clutter is None:
        return np.full(shape, derive.morphology_ids(project.root).index("rural"), dtype=np.int8)
    return derive.morphology_codes(raster.pixels(project.clutter), project.root)


def _add_band(
    project: Project,
    sectors: Sectors,
    band: str,
    first_number: int,
    layers: Layers,
    scratch: Layers | None,
    services: dict[str, NDArray[np.uint8]],
    morphology: NDArray[np.int8],
    threads: int | None,
) -> None:
    """Compute one band and merge it into a network's layers.

    The first band of a network is computed in place. A pixel has a service when the best server of
    *any* band reaches that band's threshold: a terminal may use 700 MHz indoors under a stronger 3.5 GHz.
    """
    radio = radio_values(project)
    target = layers if scratch is None else scratch
    best_server(
        sectors,
        project.grid,
        noise_dbm=noise_dbm(project, band),
        load=radio["network_load"],
        window_db=radio["overlap_window_db"],
        out=target,
        threads=threads,
    )
    required = thresholds_dbm(project, sectors).astype(np.float32)
    klass = np.repeat(sectors.klass, np.diff(sectors.first))
    for s, service in enumerate(services.values()):
        values = np.ascontiguousarray(required[:, :, s])
        layerops.apply_threshold(target.rsrp_dbm, target.best_sector, klass, morphology, values, service)
    if scratch is not None:
        layerops.merge_band(*layers, *scratch, first_number)
    elif first_number:
        np.add(layers.best_sector, first_number, out=layers.best_sector, where=layers.best_sector >= 0)


def _nothing(layers: Layers) -> None:
    layers.rsrp_dbm.fill(np.nan)
    layers.sinr_db.fill(np.nan)
    layers.best_sector.fill(-1)
    layers.overlap.fill(0)


def _sector_rows(project: Project, sectors: Sectors) -> pd.DataFrame:
    owner = np.repeat(sectors.station_rows, np.diff(sectors.first))
    table = project.stations.iloc[owner][["station_id", "network", "band"]].reset_index(drop=True)
    return table.assign(azimuth_deg=sectors.azimuth_deg, tilt_deg=sectors.tilt_deg)


def network_layers(
    project: Project,
    station_rows: NDArray[Any],
    bands: "Iterable[str]",
    *,
    first_number: int = 0,
    morphology: NDArray[np.int8] | None = None,
    threads: int | None = None,
) -> tuple[Layers, dict[str, NDArray[np.uint8]], pd.DataFrame]:
    """Layers of one network, not yet cut to the city.

    Parameters
    ----------
    project : Project
    station_rows : ndarray of int
        The network's stations on air.
    bands : iterable of str
        Bands in the order they are computed. Only stations of the same band interfere.
    first_number : int
        Number of the first sector in ``best_sector``.
    morphology : int8 (rows, cols), optional
        Order codes on the working grid; derived from the clutter if omitted.
    threads : int, optional
        All cores if omitted; pixels do not depend on it.

    Returns
    -------
    layers : Layers
    services : dict of uint8 (rows, cols)
        1 served, 0 not, by service name.
    sectors : DataFrame
        ``SECTOR_COLUMNS``; row i has number ``first_number + i``.
    """
    grid = project.grid
    morphology = _morphology(project) if morphology is None else morphology
    layers, scratch = empty_layers(grid.rows, grid.cols), None
    services = {s.name: np.zeros((grid.rows, grid.cols), dtype=np.uint8) for s in project.config.services}
    tables: list[pd.DataFrame] = []
    band_of = project.stations["band"].to_numpy(object)[station_rows]
    for band in bands:
        rows = station_rows[band_of == band]
        if not rows.size:
            continue
        if tables and scratch is None:
            scratch = empty_layers(grid.rows, grid.cols)
        sectors = build_sectors(project, rows)
        number = first_number + sum(map(len, tables))
        _add_band(project, sectors, band, number, layers, scratch, services, morphology, threads)
        tables.append(_sector_rows(project, sectors))
    if not tables:
        _nothing(layers)
        return layers, services, pd.DataFrame(columns=SECTOR_COLUMNS)
    return layers, services, pd.concat(tables, ignore_index=True)


def predict_coverage(project: Project, plan: Plan | None, year: int, *, threads: int | None = None) -> Coverage:
    """Coverage of what is on air in a year on the working grid.

    Parameters
    ----------
    project : Project
    plan : Plan or None
        Stations with their phase year; None for today's network.
    year : int
        A phase year; a year before the first phase gives today's network.
    threads : int, optional
        All cores if omitted; pixels do not depend on it.

    Returns
    -------
    Coverage
        Per network: mean SSB RSRP (dBm per resource element), SINR, best sector, overlap, and one
        0/1/255 layer per service. Per pixel the band with the best RSRP serves; interference comes
        from the same network and band.
    """
    grid, stations = project.grid, project.stations
    active = on_air_rows(project, plan, year)
    network_of = stations["network_index"].to_numpy()[active]
    inside, morphology = _city(project), _morphology(project)
    layers: dict[str, dict[str, Raster]] = {}
    served: dict[str, dict[str, NDArray[np.uint8]]] = {}
    tables: list[pd.DataFrame] = []
    for k, network in enumerate(project.config.networks):
        rows = active[network_of == k]
        bands = sorted(set(stations["band"].to_numpy(object)[rows]))
        number = sum(map(len, tables))
        radio, services, table = network_layers(
            project, rows, bands, first_number=number, morphology=morphology, threads=threads
        )
        layerops.blank_outside(inside, *radio)
        for service in services.values():
            service[~inside] = layerops.OUTSIDE
        tables.append(table)
        served[network.name] = services
        layers[network.name] = _rasters(grid, radio, services)
    figures, reach = statistics.area_statistics, statistics.reach
    return Coverage(
        year=year,
        layers=layers,
        sectors=pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)[SECTOR_COLUMNS],
        statistics=figures(project, served, inside, year),
        reach=reach(project, served, inside, year),
    )


def _rasters(grid: Any, radio: Layers, services: dict[str, NDArray[np.uint8]]) -> dict[str, Raster]:
    nodata = {"rsrp_dbm": np.nan, "sinr_db": np.nan, "best_sector": -1.0, "overlap": None}
    out = {name: Raster(grid, array=array, nodata=nodata[name]) for name, array in radio._asdict().items()}
    return out | {name: Raster(grid, array=array, nodata=float(layerops.OUTSIDE)) for name, array in services.items()}
