"""One block of rows of one network: the function that threads, processes and a cluster all call.

A block begins at a multiple of the tile height, and tiles are independent; so the pixels of a city computed in
blocks are those computed at once, bit for bit, whoever computes them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lcsiting.coverage import layerops
from lcsiting.coverage.sectors import Sectors, build_sectors, near_limits, noise_dbm, radio_values, thresholds_dbm
from lcsiting.coverage.statistical import TILE, Layers, best_server, empty_layers
from lcsiting.coverage.terrain import FORMULA, Terrain, project_terrain, station_windows
from lcsiting.model import Grid, Project

if TYPE_CHECKING:
    from collections.abc import Iterable

TERRAIN_ROWS = 8 * TILE  # rows at a time where stations have rasters of their own: memory stays that of a band


@dataclass(frozen=True)
class Band:
    """One band of a network: who transmits, and what a service needs.

    ``required_dbm`` float32 (classes, morphologies, services); ``first_number`` of the first sector;
    ``near_m`` and ``near_flag``: below which distance a station's pixels are flagged, and how.
    """

    name: str
    sectors: Sectors
    noise_dbm: float
    required_dbm: NDArray[np.float32]
    first_number: int
    near_m: NDArray[np.float64]
    near_flag: NDArray[np.uint8]


@dataclass(frozen=True)
class NetworkJob:
    """All a worker needs to know of a network, whatever block it is given."""

    grid: Grid
    network: str
    bands: tuple[Band, ...]
    services: tuple[str, ...]
    load: float
    window_db: float
    terrain: Terrain | None = None

    @property
    def sector_count(self) -> int:
        """Sectors of all bands."""
        return sum(len(band.sectors.azimuth_deg) for band in self.bands)

    @property
    def has_flags(self) -> bool:
        """Whether a station's model has pixels it does not cover itself."""
        return any((band.near_m > 0).any() for band in self.bands)


class Block(NamedTuple):
    """Pixels of a network in some rows: ``services`` by name 0/1, ``flags`` uint8 (``sectors.NEAR_FIELD`` ...)."""

    layers: Layers
    services: dict[str, NDArray[np.uint8]]
    flags: NDArray[np.uint8]


def network_job(
    project: Project,
    network: str,
    station_rows: NDArray[Any],
    bands: "Iterable[str]",
    first_number: int = 0,
    terrain: Terrain | None = None,
) -> NetworkJob:
    """Everything the blocks of a network share.

    Parameters
    ----------
    project : Project
    network : str
        Name, for the reader only.
    station_rows : ndarray of int
        The network's stations on air.
    bands : iterable of str
        Bands in the order they are computed. Only stations of the same band interfere.
    first_number : int
        Number of the first sector.
    terrain : Terrain, optional
        The project's, if it has been read already.
    """
    radio, out, number = radio_values(project), [], first_number
    band_of = project.stations["band"].to_numpy(object)[station_rows]
    for name in bands:
        rows = station_rows[band_of == name]
        if not rows.size:
            continue
        sectors = build_sectors(project, rows)
        if sectors.terrain is not None and terrain is None:
            terrain = project_terrain(project)
        near_m, near_flag = near_limits(sectors, terrain.near_field_m if terrain else 0.0)
        required = thresholds_dbm(project, sectors).astype(np.float32)
        out.append(Band(name, sectors, noise_dbm(project, name), required, number, near_m, near_flag))
        number += len(sectors.azimuth_deg)
    return NetworkJob(
        grid=project.grid,
        network=network,
        bands=tuple(out),
        services=tuple(service.name for service in project.config.services),
        load=radio["network_load"],
        window_db=radio["overlap_window_db"],
        terrain=terrain,
    )


def empty_block(rows: int, cols: int, services: "Iterable[str]") -> Block:
    """Arrays for :func:`compute_block` to fill."""
    names = {name: np.zeros((rows, cols), np.uint8) for name in services}
    return Block(empty_layers(rows, cols), names, np.zeros((rows, cols), np.uint8))


def _nothing(layers: Layers) -> None:
    layers.rsrp_dbm.fill(np.nan)
    layers.sinr_db.fill(np.nan)
    layers.best_sector.fill(-1)
    layers.overlap.fill(0)


def _add_band(
    job: NetworkJob, band: Band, rows: tuple[int, int], block: Block, scratch: Layers | None, morphology, threads
) -> None:
    """Compute one band and merge it into the block.

    The first band is computed in place. A pixel has a service when the best server of *any* band reaches
    that band's threshold: a terminal may use 700 MHz indoors under a stronger 3.5 GHz.
    """
    target, sectors = block.layers if scratch is None else scratch, band.sectors
    windows = station_windows(sectors, job.terrain, job.grid, rows=rows, threads=threads)
    best_server(
        sectors, job.grid, noise_dbm=band.noise_dbm, load=job.load, window_db=job.window_db, windows=windows, rows=rows,
        out=target, threads=threads,
    )  # fmt: skip
    owner = np.repeat(np.arange(len(sectors)), np.diff(sectors.first))
    klass = sectors.klass[owner]
    for s, service in enumerate(block.services.values()):
        required = np.ascontiguousarray(band.required_dbm[:, :, s])
        layerops.apply_threshold(target.rsrp_dbm, target.best_sector, klass, morphology, required, service)
    frame = (job.grid.x0_m, job.grid.y0_m - rows[0] * job.grid.resolution_m, job.grid.resolution_m)
    places = np.column_stack([sectors.x_m, sectors.y_m, band.near_m])
    if scratch is None:
        layerops.flag_near(target.best_sector, owner, places, band.near_flag, frame, block.flags)
        if band.first_number:
            best = target.best_sector
            np.add(best, band.first_number, out=best, where=best >= 0)
    else:
        fresh = np.zeros_like(block.flags)
        layerops.flag_near(target.best_sector, owner, places, band.near_flag, frame, fresh)
        layerops.merge_band(*block.layers, block.flags, *scratch, fresh, band.first_number)


def compute_block(
    job: NetworkJob,
    rows: tuple[int, int],
    morphology: NDArray[np.int8],
    *,
    out: Block | None = None,
    threads: int | None = None,
) -> Block:
    """Layers and services of a network in some rows of its grid.

    Parameters
    ----------
    job : NetworkJob
    rows : tuple of int
        First and last (exclusive); the first a multiple of ``TILE`` (128).
    morphology : int8 (rows, cols)
        Order codes of these rows.
    out : Block, optional
        C-contiguous arrays to fill; made if omitted.
    threads : int, optional
        All cores if omitted; pixels do not depend on it.

    Returns
    -------
    Block
    """
    first, last = rows
    block = empty_block(last - first, job.grid.cols, job.services) if out is None else out
    if not job.bands:
        _nothing(block.layers)
        return block
    own = any(b.sectors.terrain is not None and (b.sectors.terrain != FORMULA).any() for b in job.bands)
    step = TERRAIN_ROWS if own else last - first
    for top in range(first, last, step):
        part = slice(top - first, min(top + step, last) - first)
        piece = Block(
            Layers(*(array[part] for array in block.layers)),
            {name: array[part] for name, array in block.services.items()},
            block.flags[part],
        )
        height = part.stop - part.start
        scratch = empty_layers(height, job.grid.cols) if len(job.bands) > 1 else None
        for k, band in enumerate(job.bands):
            _add_band(job, band, (top, top + height), piece, scratch if k else None, morphology[part], threads)
    return block
