"""The coverage around one station, computed again and again with its antennas changed.

A window is whole tiles of the city's own grid and holds every station that reaches in, so its pixels are those
of the whole city; people are integers, so windows and city can be compared exactly.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lcsiting.coverage import layerops
from lcsiting.coverage.antennas import some_exclusions
from lcsiting.coverage.block import Band, NetworkJob, compute_block
from lcsiting.coverage.sectors import Sectors
from lcsiting.coverage.statistical import TILE, best_server
from lcsiting.coverage.streaming import blocks
from lcsiting.coverage.terrain import station_windows
from lcsiting.geo import grid as raster
from lcsiting.model import Grid

STATION_ARRAYS = ("station_rows", "x_m", "y_m", "height_agl_m", "network", "klass", "coefficients", "reach_m", "flags")
SECTOR_ARRAYS = ("azimuth_deg", "tilt_deg", "eirp_dbm", "horizontal_beamwidth_deg", "vertical_beamwidth_deg")
Counts = NDArray[np.int64]  # (services, 3): people covered, those of them with good SINR, pixels of the city covered


class Ground(NamedTuple):
    """People (integer steps; -1 outside the city) and morphology of every pixel; what a trial is judged by."""

    people: NDArray[np.int64]
    morphology: NDArray[np.int8]
    weights: NDArray[np.int64]
    floor_db: float
    threads: int | None


class Picture(NamedTuple):
    """One band in a window: levels, SINR, and the services its best server gives."""

    rsrp_dbm: NDArray[np.float32]
    sinr_db: NDArray[np.float32]
    services: list[NDArray[np.uint8]]


class Window(NamedTuple):
    """Around one station: its band's stations within reach (``own`` is the station's position), pictures by band."""

    grid: Grid
    band: int
    sectors: Sectors
    own: int
    losses: Any
    pictures: list[Picture]
    people: NDArray[np.int64]
    morphology: NDArray[np.int8]


def subset(sectors: Sectors, stations: NDArray[Any]) -> Sectors:
    """Some stations of ``sectors`` with their sectors, in the order given; all arrays are copies."""
    count = np.diff(sectors.first)[stations]
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    which = np.repeat(sectors.first[stations] - first[:-1], count) + np.arange(first[-1])
    parts: dict[str, Any] = {name: getattr(sectors, name)[stations] for name in STATION_ARRAYS}
    parts |= {name: getattr(sectors, name)[which] for name in SECTOR_ARRAYS}
    for name, rows in (("frequency_mhz", stations), ("terrain", stations), ("convergence_deg", stations),
                       ("pattern", which), ("electrical_tilt_deg", which)):  # fmt: skip
        value = getattr(sectors, name)
        parts[name] = None if value is None else value[rows]
    if sectors.exclusions is not None:
        parts["exclusions"] = some_exclusions(sectors.exclusions, stations)
    return replace(sectors, first=first, **parts)


def _count(services: Sequence[NDArray[Any]], sinr: NDArray[Any], people: NDArray[np.int64], floor_db: float) -> Counts:
    good, inside = sinr >= floor_db, people >= 0  # a SINR is NaN where nothing is received
    rows = []
    for one in services:
        served = (one == 1) & inside
        rows.append((people[served].sum(), people[served & good].sum(), served.sum()))
    return np.array(rows, dtype=np.int64)


def good_weight(counts: Counts, ground: Ground) -> int:
    """Weight (people x service weight) with good SINR."""
    return sum(int(w) * int(n) for w, n in zip(ground.weights, counts[:, 1], strict=True))


def keeps_cover(counts: Counts, before: Counts) -> bool:
    """Whether no service covers fewer people or fewer pixels than before."""
    return bool((counts[:, (0, 2)] >= before[:, (0, 2)]).all())


def whole_counts(job: NetworkJob, ground: Ground) -> Counts:
    """A network's counts over the whole city."""
    total = np.zeros((len(job.services), 3), dtype=np.int64)
    for first, last in blocks(job.grid):
        block = compute_block(job, (first, last), ground.morphology[first:last], threads=ground.threads)
        people = ground.people[first:last]
        total += _count(list(block.services.values()), block.layers.sinr_db, people, ground.floor_db)
    return total


def _picture(
    job: NetworkJob, band: Band, sectors: Sectors, grid: Grid, losses: Any, morphology: Any, threads: int | None
) -> Picture:
    layers = best_server(
        sectors, grid, noise_dbm=band.noise_dbm, load=job.load, window_db=job.window_db, windows=losses, threads=threads
    )
    klass = np.repeat(sectors.klass, np.diff(sectors.first))
    services = [np.zeros((grid.rows, grid.cols), np.uint8) for _ in job.services]
    for s, service in enumerate(services):
        required = np.ascontiguousarray(band.required_dbm[:, :, s])
        layerops.apply_threshold(layers.rsrp_dbm, layers.best_sector, klass, morphology, required, service)
    return Picture(layers.rsrp_dbm, layers.sinr_db, services)


def window_counts(pictures: list[Picture], people: NDArray[np.int64], floor_db: float) -> Counts:
    """Counts of several bands, merged as ``coverage.block`` does: the stronger one's SINR, any one's service."""
    level, sinr = pictures[0].rsrp_dbm, pictures[0].sinr_db
    services = pictures[0].services
    for one in pictures[1:]:
        stronger = (one.rsrp_dbm > level) | (np.isnan(level) & ~np.isnan(one.rsrp_dbm))
        level, sinr = np.where(stronger, one.rsrp_dbm, level), np.where(stronger, one.sinr_db, sinr)
        services = [a | b for a, b in zip(services, one.services, strict=True)]
    return _count(services, sinr, people, floor_db)


def _frame(grid: Grid, x_m: float, y_m: float, reach_m: float) -> tuple[slice, slice, Grid]:
    """Whole tiles of the city's own that a station reaches: the kernels' arithmetic is that of the city."""
    size = TILE * grid.resolution_m
    x, y = x_m - grid.x0_m, grid.y0_m - y_m
    left, right = (int(np.floor((x - reach_m) / size)) * TILE, int(np.floor((x + reach_m) / size) + 1) * TILE)
    top, bottom = (int(np.floor((y - reach_m) / size)) * TILE, int(np.floor((y + reach_m) / size) + 1) * TILE)
    top, bottom = (int(np.clip(v, 0, grid.rows)) for v in (top, bottom))
    left, right = (int(np.clip(v, 0, grid.cols)) for v in (left, right))
    return slice(top, bottom), slice(left, right), raster.part_of(grid, (top, bottom, left, right))


def _near(sectors: Sectors, grid: Grid) -> NDArray[np.int64]:
    """Stations whose reach touches a frame."""
    west, south, east, north = raster.bounds(grid)
    dx = np.maximum(np.maximum(west - sectors.x_m, sectors.x_m - east), 0.0)
    dy = np.maximum(np.maximum(south - sectors.y_m, sectors.y_m - north), 0.0)
    return np.flatnonzero(dx * dx + dy * dy <= sectors.reach_m**2)


def station_window(job: NetworkJob, band: int, station: int, ground: Ground) -> Window | None:
    """The window of one station, every band computed; None if it reaches no pixel."""
    sectors = job.bands[band].sectors
    place = (float(sectors.x_m[station]), float(sectors.y_m[station]), float(sectors.reach_m[station]))
    rows, cols, grid = _frame(job.grid, *place)
    people, morphology = ground.people[rows, cols], np.ascontiguousarray(ground.morphology[rows, cols])
    if people.size == 0:
        return None
    own = None
    pictures: list[Picture] = []
    for k, one in enumerate(job.bands):
        members = _near(one.sectors, grid)
        if not members.size:
            continue
        part = subset(one.sectors, members)
        losses = station_windows(part, job.terrain, grid, threads=ground.threads)
        if k == band:
            own = (len(pictures), part, int(np.searchsorted(members, station)), losses)
        pictures.append(_picture(job, one, part, grid, losses, morphology, ground.threads))
    assert own is not None
    number, part, position, losses = own
    return Window(grid, number, part, position, losses, pictures, people, morphology)


class View(NamedTuple):
    """A station in the network of one year."""

    job: NetworkJob
    band: int
    station: int
    window: Window

    def set(self, name: str, sector: int, value: float, *, keep: bool = False) -> None:
        """Put a value into the window, or into the job itself as well."""
        sectors, own = self.window.sectors, self.job.bands[self.band].sectors
        getattr(sectors, name)[sectors.first[self.window.own] + sector] = value
        if keep:
            getattr(own, name)[own.first[self.station] + sector] = value

    def counts(self, ground: Ground) -> Counts:
        """Counts of the window as its sectors stand now."""
        window, pictures = self.window, list(self.window.pictures)
        pictures[window.band] = _picture(
            self.job, self.job.bands[self.band], window.sectors, window.grid, window.losses, window.morphology,
            ground.threads,
        )  # fmt: skip
        return window_counts(pictures, window.people, ground.floor_db)
