"""Radio coverage of what is on air in one year: layers by network, statistics, reach."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.coverage import layerops, statistics
from lcsiting.coverage.block import Block, NetworkJob, compute_block, network_job
from lcsiting.coverage.sectors import EXTRAPOLATED, NEAR_FIELD, Sectors, count_flags
from lcsiting.errors import RangeError
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Coverage, Plan, Project, Raster

if TYPE_CHECKING:
    from collections.abc import Iterable

SECTOR_COLUMNS = ["station_id", "network", "band", "azimuth_deg", "tilt_deg"]
RADIO_NODATA = {"rsrp_dbm": np.nan, "sinr_db": np.nan, "best_sector": -1.0, "overlap": None}  # layers of every network


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


def city_pixels(project: Project) -> NDArray[np.bool_]:
    """Pixels of the working grid that lie in the city."""
    boundaries = project.layers["boundaries"]
    labels, _ = derive.area_labels(boundaries, derive.city_levels(boundaries), project.grid)
    return labels > 0


def morphology_of_class(project: Project) -> NDArray[np.int8]:
    """Morphology order code of each clutter class, int8 (256,); rural for all in a project without clutter."""
    if project.clutter is None:
        return np.full(256, derive.morphology_ids(project.root).index("rural"), dtype=np.int8)
    return derive.morphology_codes(np.arange(256, dtype=np.uint8), project.root)


def morphology_pixels(project: Project) -> NDArray[np.int8]:
    """Morphology order code of every pixel of the working grid."""
    shape = (project.grid.rows, project.grid.cols)
    classes = np.zeros(shape, np.uint8) if project.clutter is None else raster.pixels(project.clutter)
    return morphology_of_class(project)[classes.astype(np.uint8)]


def _sector_rows(project: Project, sectors: Sectors) -> pd.DataFrame:
    owner = np.repeat(sectors.station_rows, np.diff(sectors.first))
    table = project.stations.iloc[owner][["station_id", "network", "band"]].reset_index(drop=True)
    return table.assign(azimuth_deg=sectors.azimuth_deg, tilt_deg=sectors.tilt_deg)


def sector_table(project: Project, jobs: "Iterable[NetworkJob]") -> pd.DataFrame:
    """``SECTOR_COLUMNS`` of the sectors of some networks, in the order of their numbers."""
    tables = [_sector_rows(project, band.sectors) for job in jobs for band in job.bands]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=SECTOR_COLUMNS)


def network_bands(project: Project, station_rows: NDArray[Any]) -> list[str]:
    """Bands of some stations in the order they are computed."""
    return sorted(set(project.stations["band"].to_numpy(object)[station_rows]))


def network_jobs(project: Project, station_rows: NDArray[Any]) -> list[NetworkJob]:
    """The job of every network for some stations; sectors are numbered through, the terrain is shared."""
    network_of = project.stations["network_index"].to_numpy()[station_rows]
    jobs: list[NetworkJob] = []
    number, terrain = 0, None
    for k, network in enumerate(project.config.networks):
        mine = station_rows[network_of == k]
        job = network_job(project, network.name, mine, network_bands(project, mine), number, terrain)
        number, terrain = number + job.sector_count, job.terrain
        jobs.append(job)
    return jobs


def flag_counts(block: Block, inside: NDArray[np.bool_]) -> dict[str, int]:
    """Pixels in the city that the near-field model or an extrapolated formula answered."""
    return {
        "near_field_pixels": int(((block.flags & NEAR_FIELD) > 0)[inside].sum()),
        "extrapolated_pixels": int(((block.flags & EXTRAPOLATED) > 0)[inside].sum()),
    }


def memory_gb(project: Project, coverages: int = 1) -> float:
    """Estimated memory of predicting and keeping the coverage of some years, GB.

    Per pixel and network the layers kept (RSRP and SINR 4 bytes each, best sector 4, overlap, flags and services
    1 each), and once those at work: a second band's layers, areas, morphology, people and service bits.
    """
    kept = len(project.config.networks) * (14 + len(project.config.services))
    return project.grid.rows * project.grid.cols * (kept * coverages + 21) / 1e9


def require_memory(project: Project, coverages: int = 1) -> None:
    """Refuse what would not fit, before anything is computed.

    Raises
    ------
    RangeError
        An estimate above ``[project] max_memory_gb``.
    """
    needed, limit, grid = memory_gb(project, coverages), project.config.project.max_memory_gb, project.grid
    if needed > limit:
        raise RangeError(
            f"coverage: {grid.rows} x {grid.cols} pixels of {grid.resolution_m:g} m need about {needed:.0f} GB in "
            f"memory, more than [project] max_memory_gb = {limit:g}. Open the project with "
            'lc.open_project(path, rasters="disk", workdir=folder) and write files with lc.stream_coverage(project, '
            "plan, year, folder), which needs no more for a province than for a city; or take a larger resolution_m "
            "(twice the size needs a quarter); or raise max_memory_gb on a machine that has it."
        )


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
        from the same network and band. Where a network's model has a nearest distance of its own (P.1812,
        Hata), ``model_flags`` marks the pixels served from nearer (bits ``sectors.NEAR_FIELD``,
        ``EXTRAPOLATED``); ``flags`` counts them, and the stations off their model's heights and frequencies.

    Raises
    ------
    LayerError
        A terrain model without a DEM.
    RangeError
        A grid too large for the memory (:func:`require_memory`); ``stream_coverage`` takes any.
    """
    require_memory(project)
    grid = project.grid
    inside, morphology = city_pixels(project), morphology_pixels(project)
    layers: dict[str, dict[str, Raster]] = {}
    served: dict[str, dict[str, NDArray[np.uint8]]] = {}
    flags: dict[str, dict[str, int]] = {}
    jobs = network_jobs(project, on_air_rows(project, plan, year))
    for job in jobs:
        block = compute_block(job, (0, grid.rows), morphology, threads=threads)
        flags[job.network] = job_flags(job) | flag_counts(block, inside)
        layerops.blank_outside(inside, *block.layers)
        for service in block.services.values():
            service[~inside] = layerops.OUTSIDE
        served[job.network] = block.services
        layers[job.network] = _rasters(grid, block, job.has_flags)
    figures, reach = statistics.area_statistics, statistics.reach
    return Coverage(
        year=year,
        layers=layers,
        sectors=sector_table(project, jobs),
        statistics=figures(project, served, inside, year),
        reach=reach(project, served, inside, year),
        flags=flags,
    )


def job_flags(job: NetworkJob) -> dict[str, int]:
    """Stations of a network computed off their model's own heights or frequencies."""
    counts = [count_flags(band.sectors) for band in job.bands]
    return {key: sum(count[key] for count in counts) for key in (counts[0] if counts else {})}


def _rasters(grid: Any, block: Block, flagged: bool) -> dict[str, Raster]:
    out = {name: Raster(grid, array=array, nodata=RADIO_NODATA[name]) for name, array in block.layers._asdict().items()}
    for name, array in block.services.items():
        out[name] = Raster(grid, array=array, nodata=float(layerops.OUTSIDE))
    return out | ({"model_flags": Raster(grid, array=block.flags)} if flagged else {})
