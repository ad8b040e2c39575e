"""Which demand cells each station serves: the counts first, then the pairs themselves.

The engine of the cover matrix::

    cells = demand_raster(row, col, morphology, rows, cols, x0_m, y0_m, resolution_m)
    counts = count_pairs(sectors, cells, thresholds)          # (stations, services): estimate, then decide
    indptr, indices = fill_pairs(sectors, cells, thresholds, counts)

Both passes compute the same float32 levels with the same code, so a pair counted is a pair filled,
whatever the number of threads.
"""

import lcsiting._cache  # noqa: F401, I001
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit, uintp
from numpy.typing import ArrayLike, NDArray

from lcsiting.coverage import rowmath
from lcsiting.coverage.antennas import Exclusions
from lcsiting.coverage.rowmath import (
    NEG,
    WIDTH,
    F,
    Windows,
    exclude_row,
    group_end,
    padded,
    pattern_buffers,
    pattern_levels,
    sector_level,
    station_row,
    window_row,
)
from lcsiting.radio import pathloss

if TYPE_CHECKING:
    from lcsiting.coverage.sectors import Sectors

BLOCK = 256  # stations per task


@dataclass(frozen=True)
class DemandRaster:
    """Demand cells on their regular grid.

    Attributes
    ----------
    index : int32 (rows, cols)
        Number of the cell, -1 where there is none; north row first. Numbers ascend in row-major order.
    morphology : uint8 (n_cells,)
        Order code of each cell.
    x0_m, y0_m, resolution_m : float
        Outer corner at the upper left, cell size.
    """

    index: NDArray[np.int32]
    morphology: NDArray[np.uint8]
    x0_m: float
    y0_m: float
    resolution_m: float


def demand_raster(
    row: ArrayLike,
    col: ArrayLike,
    morphology: ArrayLike,
    *,
    rows: int,
    cols: int,
    x0_m: float,
    y0_m: float,
    resolution_m: float,
) -> DemandRaster:
    """Put a cell table (row, col, morphology; one line per cell, row-major) on its grid.

    Raises
    ------
    ValueError
        The cells are not in row-major order without repeats.
    """
    row, col = np.asarray(row, dtype=np.int64), np.asarray(col, dtype=np.int64)
    if np.any(np.diff(row * cols + col) <= 0):
        raise ValueError("demand cells: not in row-major order, or a cell stands twice; sort by row, then col")
    index = np.full((rows, cols), -1, dtype=np.int32)
    index[row, col] = np.arange(len(row), dtype=np.int32)
    codes = np.ascontiguousarray(morphology, dtype=np.uint8)
    return DemandRaster(index, codes, float(x0_m), float(y0_m), float(resolution_m))


def useful_reach_m(sectors: "Sectors", level_dbm: ArrayLike) -> NDArray[np.float64]:
    """Distance up to which a station's main beam reaches a level, never beyond its reach.

    Parameters
    ----------
    sectors : Sectors
    level_dbm : array_like
        One level, or one per station.

    Returns
    -------
    float64 (n_stations,)
        Upper bound (the beam's peak everywhere), by bisection to 1 m; 0 if out of reach at the mast.
    """
    n = len(sectors)
    if n == 0:
        return np.zeros(0)
    strongest = np.maximum.reduceat(sectors.eirp_dbm, sectors.first[:-1])
    allowed = strongest - np.broadcast_to(np.asarray(level_dbm, dtype=np.float64), (n,))
    low, high = np.zeros(n), sectors.reach_m.copy()
    high[pathloss.generic_loss_db(sectors.coefficients, np.zeros(n)) > allowed] = 0.0
    full = pathloss.generic_loss_db(sectors.coefficients, high) <= allowed
    for _ in range(int(np.ceil(np.log2(max(high.max(), 2.0))))):
        middle = (low + high) / 2
        enough = pathloss.generic_loss_db(sectors.coefficients, middle) <= allowed
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return np.where(full, np.where(high > 0, sectors.reach_m, 0.0), np.minimum(high + 1.0, sectors.reach_m))


def sector_parameters(sectors: "Sectors") -> NDArray[np.float32]:
    """Antenna rows as ``rowmath.sector_level`` reads them, and the number of the pattern table (-1: formula).

    float32 (n_sectors, 8). Azimuths are turned from true north to that of the grid.
    """
    root12 = np.sqrt(12.0)
    out = np.full((len(sectors.azimuth_deg), 8), -1.0)
    azimuth = sectors.azimuth_deg
    if sectors.convergence_deg is not None:
        azimuth = azimuth - np.repeat(sectors.convergence_deg, np.diff(sectors.first))
    out[:, 0] = (azimuth + 180.0) % 360.0 - 180.0
    out[:, 1], out[:, 2] = sectors.tilt_deg, sectors.eirp_dbm
    out[:, 3], out[:, 4] = root12 / sectors.horizontal_beamwidth_deg, root12 / sectors.vertical_beamwidth_deg
    out[:, 5], out[:, 6] = sectors.front_to_back_db, sectors.side_lobe_db
    if sectors.pattern is not None:
        out[:, 7] = sectors.pattern
    return out.astype(np.float32)


def grid_exclusions(sectors: "Sectors") -> Exclusions:
    """Wedges as ``rowmath.exclude_row`` reads them: float32, turned from true north to that of the grid."""
    if sectors.exclusions is None:
        return Exclusions(np.zeros(len(sectors) + 1, np.int64), np.zeros((0, 3), np.float32))
    first, wedge = sectors.exclusions.first, sectors.exclusions.wedge.copy()
    if sectors.convergence_deg is not None:
        wedge[:, 0] -= np.repeat(sectors.convergence_deg, np.diff(first))
    wedge[:, 0] = (wedge[:, 0] + 180.0) % 360.0 - 180.0
    return Exclusions(first, wedge.astype(np.float32))


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _stronger(level, begin, n, best):
    for j in range(n):
        best[j] = max(best[j], level[uintp(begin + j)])


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _strongest_row(work, n, antennas, begin, end, patterns, index, pair, cuts, levels, level):
    """Best sector of one station over n pixels."""
    for j in range(n):
        level[j] = NEG
    m = begin
    while m < end:
        a = antennas[m]
        if a[7] < F(0):
            for j in range(n):
                level[j] = max(level[j], sector_level(work, j, a))
            m += 1
            continue
        stop = group_end(antennas, m, end)
        pattern_levels(work, n, antennas, m, stop, patterns, index, pair, cuts, levels)
        for k in range(stop - m):
            _stronger(levels, k * WIDTH, n, level)
        m = stop


@njit(nogil=True, cache=True)
def _served(
    station, place, frame, station_p, first, antennas, patterns, windows, exclusions, klass, index, morphology,
    thresholds, counts, ends, out,
):  # fmt: skip
    """Count (``out`` empty) or write the cells one station serves, row by row from the north.

    ``place``: x, y, reach. ``frame``: x0, y0, resolution. ``ends[s]``: where the next cell of service s goes.
    """
    x, y, reach = place
    x0, y0, step = frame
    rows, cols = index.shape
    levels = thresholds[klass]
    services = levels.shape[1]
    x_m, work, level = np.empty(WIDTH, np.float32), np.empty(3 * WIDTH, np.float32), np.empty(WIDTH, np.float32)
    places_of, pair, cuts, each = pattern_buffers()
    info = windows.index[station]
    top = max(int(np.floor((y0 - y - reach) / step)), 0)
    bottom = min(int(np.floor((y0 - y + reach) / step)) + 1, rows)
    for i in range(top, bottom):
        dy = y0 - (i + 0.5) * step - y
        rest = reach * reach - dy * dy
        if rest <= 0.0:
            continue
        half = np.sqrt(rest)
        left = max(int(np.floor((x - half - x0) / step)), 0)
        right = min(int(np.floor((x + half - x0) / step)) + 1, cols)
        for start in range(left, right, WIDTH):
            n = min(WIDTH, right - start)
            for j in range(WIDTH):
                x_m[j] = F((j + 0.5) * step)
            wide = padded(n)
            station_row(x_m, wide, F(x - x0 - start * step), F(dy), station_p, work)
            if info[0] >= 0:
                window_row(work, 0, n, i, start, info, windows.loss_db, windows.depression_deg)
            if exclusions.first[station] < exclusions.first[station + 1]:
                exclude_row(work, wide, exclusions.wedge, exclusions.first[station], exclusions.first[station + 1])
            _strongest_row(
                work, wide, antennas, first[station], first[station + 1], patterns, places_of, pair, cuts, each, level
            )  # fmt: skip
            for j in range(n):
                cell = index[i, start + j]
                if cell >= 0:
                    for s in range(services):
                        if level[j] >= levels[morphology[cell], s]:
                            if out.size:
                                out[ends[s]] = cell
                                ends[s] += 1
                            else:
                                counts[s] += 1


@njit(nogil=True, cache=True)
def _block(
    begin, end, places, frame, stations, first, antennas, patterns, windows, exclusions, klass, index, morphology,
    thresholds, counts, ends, out,
):  # fmt: skip
    """The stations of one task."""
    for k in range(begin, end):
        place = (places[k, 0], places[k, 1], places[k, 2])
        _served(
            k, place, frame, stations[k], first, antennas, patterns, windows, exclusions, klass[k], index, morphology,
            thresholds, counts[k], ends[k], out,
        )  # fmt: skip


def _run(sectors, cells, thresholds, counts, ends, out, windows, threads) -> None:
    thresholds = np.ascontiguousarray(thresholds, dtype=np.float64)
    floor = thresholds.min(axis=(1, 2))[sectors.klass]
    windows = rowmath.no_windows(len(sectors)) if windows is None else windows
    reach = useful_reach_m(sectors, floor - 0.01)  # float32 levels may round up
    reach = np.where(windows.index[:, 0] >= 0, sectors.reach_m, reach)  # no formula bounds a terrain model
    places = np.column_stack([sectors.x_m, sectors.y_m, reach])
    above = sectors.height_agl_m - sectors.ue_height_m
    stations = rowmath.station_parameters(sectors.coefficients, above, reach)
    frame = (cells.x0_m, cells.y0_m, cells.resolution_m)
    shared = (
        places, frame, stations, sectors.first, sector_parameters(sectors), rowmath.packed_patterns(sectors.patterns),
        windows, grid_exclusions(sectors), sectors.klass, cells.index, cells.morphology, thresholds.astype(np.float32),
        counts, ends, out,
    )  # fmt: skip
    starts = range(0, len(sectors), BLOCK)
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(lambda begin: _block(begin, min(begin + BLOCK, len(sectors)), *shared), starts))


def count_pairs(
    sectors: "Sectors",
    cells: DemandRaster,
    thresholds_dbm: ArrayLike,
    *,
    windows: Windows | None = None,
    threads: int | None = None,
) -> NDArray[np.int64]:
    """How many demand cells each station serves, by service.

    A cell is served when the mean RSRP of the station's best sector reaches the threshold of the
    service at the cell's morphology (:func:`lcsiting.coverage.sectors.thresholds_dbm`).

    Parameters
    ----------
    sectors : Sectors
        n stations.
    cells : DemandRaster
    thresholds_dbm : array_like, (n_classes, n_morphologies, n_services)
        Required mean RSRP per resource element, dBm.
    windows : Windows, optional
        Losses of terrain models on the cells' frame (``coverage.terrain.station_windows``).
    threads : int, optional
        Threads; all cores if omitted. The result does not depend on it.

    Returns
    -------
    int64 (n, n_services)
    """
    services = np.shape(thresholds_dbm)[2]
    counts = np.zeros((len(sectors), services), dtype=np.int64)
    _run(sectors, cells, thresholds_dbm, counts, counts, np.empty(0, dtype=np.int32), windows, threads)
    return counts


def fill_pairs(
    sectors: "Sectors",
    cells: DemandRaster,
    thresholds_dbm: ArrayLike,
    counts: NDArray[np.int64],
    *,
    networks: int | None = None,
    windows: Windows | None = None,
    threads: int | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The served demand rows of every station as CSR without values.

    Parameters
    ----------
    sectors, cells, thresholds_dbm, windows, threads
        As given to :func:`count_pairs`.
    counts : int64 (n, n_services)
        What :func:`count_pairs` returned.
    networks : int, optional
        Given: rows are numbered ``(network * n_services + service) * n_cells + cell`` with the
        station's network. Omitted: as if there were one network.

    Returns
    -------
    indptr : int64 (n + 1,)
    indices : int32 (pairs,)
        Ascending within a station.

    Raises
    ------
    ValueError
        More demand rows than int32 can number.
    """
    services, n_cells = counts.shape[1], len(cells.morphology)
    if (networks or 1) * services * n_cells > np.iinfo(np.int32).max:
        raise ValueError("demand rows: more than int32 can number; use a coarser [demand] resolution_m")
    stops = np.cumsum(counts.ravel()).reshape(counts.shape)
    starts = stops - counts
    indptr = np.concatenate([[0], stops[:, -1]]).astype(np.int64)
    indices = np.empty(int(indptr[-1]), dtype=np.int32)
    if indices.size:
        _run(sectors, cells, thresholds_dbm, counts, starts.copy(), indices, windows, threads)
        network = sectors.network.astype(np.int64) if networks else np.zeros(len(sectors), dtype=np.int64)
        base = (network[:, None] * services + np.arange(services)) * n_cells
        _shift(indices, starts, counts, base)
    return indptr, indices


@njit(nogil=True, cache=True)
def _shift(indices, starts, counts, base):
    """Cell numbers to demand row numbers."""
    for k in range(starts.shape[0]):
        for s in range(starts.shape[1]):
            shift = np.int32(base[k, s])
            for i in range(starts[k, s], starts[k, s] + counts[k, s]):
                indices[i] += shift
