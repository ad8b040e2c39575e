"""K1: best server, RSRP, SINR and overlap of a network by statistical models, tile by tile.

A tile of 128 x 128 pixels keeps the four strongest levels, the sum of all weaker ones and the best
sector while the stations within reach pass over it: no raster per station ever exists. Tiles are
independent and their stations come in a fixed order, so pixels do not depend on the number of threads.
"""

import lcsiting._cache  # noqa: F401, I001
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit, uintp
from numpy.typing import NDArray

from lcsiting.coverage import rowmath
from lcsiting.coverage.pairs import grid_exclusions, sector_parameters
from lcsiting.coverage.rowmath import (
    DB,
    INV_DB,
    NEG,
    WIDTH,
    F,
    Windows,
    exclude_row,
    exp2_short,
    group_end,
    log2,
    padded,
    pattern_buffers,
    pattern_levels,
    sector_level,
    station_row,
    window_row,
)
from lcsiting.errors import RangeError

if TYPE_CHECKING:
    from lcsiting.coverage.sectors import Sectors
    from lcsiting.model import Grid

TILE = WIDTH
TILES_PER_TASK = 4
STRICT = {"contract", "arcp", "nsz", "reassoc"}  # fastmath that keeps NaN: the layers say NaN where nothing is received


class Layers(NamedTuple):
    """What :func:`best_server` fills, each (rows, cols).

    ``rsrp_dbm`` and ``sinr_db`` float32, NaN where no station reaches; ``best_sector`` int32, -1
    there; ``overlap`` uint8: sectors within the window of the best, the best included, up to 4.
    """

    rsrp_dbm: NDArray[np.float32]
    sinr_db: NDArray[np.float32]
    best_sector: NDArray[np.int32]
    overlap: NDArray[np.uint8]


def empty_layers(rows: int, cols: int) -> Layers:
    """Arrays for :func:`best_server` to fill; give ``np.memmap`` arrays instead to stay off the heap."""
    shape = (rows, cols)
    return Layers(
        np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.int32), np.empty(shape, np.uint8)
    )


@njit(inline="always")
def _enter(r, j, v, number):
    """Enter one level into pixel j's state.

    ``r``: six runs of TILE floats: the four strongest, best first; the sum of the others' powers
    (the weaker of newcomer and best is added, so nothing cancels in float32); the best's number.
    """
    b = r[j]
    r[j + 4 * TILE] += exp2_short(min(v, b) * INV_DB)
    r[j + 5 * TILE] = number if v > b else r[j + 5 * TILE]
    r[j] = max(b, v)
    v = min(b, v)
    b = r[j + TILE]
    r[j + TILE] = max(b, v)
    v = min(b, v)
    b = r[j + 2 * TILE]
    r[j + 2 * TILE] = max(b, v)
    v = min(b, v)
    r[j + 3 * TILE] = max(r[j + 3 * TILE], v)


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _sector_row(work, n, a, number, r):
    """One sector by formula over n pixels."""
    for j in range(n):
        _enter(r, j, sector_level(work, j, a), number)


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _level_row(level, begin, n, number, r):
    """One sector whose levels are known."""
    for j in range(n):
        _enter(r, j, level[uintp(begin + j)], number)


@njit(fastmath=STRICT, error_model="numpy", nogil=True, cache=True)
def _finish_row(r, n, load, noise_mw, window_db, rsrp, sinr, best, overlap):
    """One row of tile state to the four layers."""
    nothing = F(np.nan)
    for j in range(n):
        b = r[j]
        found = r[j + 5 * TILE] >= F(0)
        edge = b - window_db
        count = 1 + (r[j + TILE] >= edge) + (r[j + 2 * TILE] >= edge) + (r[j + 3 * TILE] >= edge)
        rsrp[j] = b if found else nothing
        sinr[j] = b - DB * log2(load * r[j + 4 * TILE] + noise_mw) if found else nothing
        best[j] = np.int32(r[j + 5 * TILE])
        overlap[j] = np.uint8(count) if found else np.uint8(0)


@njit(nogil=True, cache=True)
def _stations(state, x_m, work, buffers, top, left, height, width, frame, members, site):
    """All stations of one tile into its state. ``site``: places to exclusions as :func:`best_server` lines them up."""
    places, stations, first, antennas, patterns, windows, exclusions = site
    index, pair, cuts, levels = buffers
    x0, y0, step = frame
    west, north = x0 + left * step, y0 - top * step
    for k in members:
        x, y, reach = places[k, 0] - west, places[k, 1] - north, places[k, 2]
        p, info = stations[k], windows.index[k]
        cx = F(x)
        low = max(math.floor((-y - reach) / step), 0)
        high = min(math.floor((-y + reach) / step) + 1, height)
        for i in range(low, high):
            dy = -(i + 0.5) * step - y
            rest = reach * reach - dy * dy
            if rest <= 0.0:
                continue
            half = math.sqrt(rest)
            begin = max(math.floor((x - half) / step), 0)
            end = min(math.floor((x + half) / step) + 1, width)
            n = end - begin
            if n <= 0:
                continue
            wide = padded(n)  # what is computed beyond begin and end is out of reach and changes nothing
            start = min(begin, TILE - wide)
            station_row(x_m[start:], wide, cx, F(dy), p, work)
            if info[0] >= 0:
                window_row(work, begin - start, n, top + i, left + begin, info, windows.loss_db, windows.depression_deg)
            if exclusions.first[k] < exclusions.first[k + 1]:
                exclude_row(work, wide, exclusions.wedge, exclusions.first[k], exclusions.first[k + 1])
            row = state[i, start:]
            group = ready = first[k]
            for m in range(first[k], first[k + 1]):
                a = antennas[m]
                if a[7] < F(0):
                    _sector_row(work, wide, a, F(m), row)
                    continue
                if m >= ready:
                    group, ready = m, group_end(antennas, m, first[k + 1])
                    pattern_levels(work, wide, antennas, group, ready, patterns, index, pair, cuts, levels)
                _level_row(levels, (m - group) * TILE, wide, F(m), row)


@njit(nogil=True, cache=True)
def _tiles(begin, end, first_row, pointers, members, frame, site, radio, rsrp, sinr, best, overlap):
    """Some tiles, one after the other in one set of buffers.

    ``first_row``: row of the frame the outputs begin with. ``radio``: load, noise in mW, overlap window in dB.
    """
    rows, cols = rsrp.shape
    across = (cols + TILE - 1) // TILE
    state = np.empty((TILE, 6 * TILE), np.float32)
    work, x_m, buffers = np.empty(3 * TILE, np.float32), np.empty(TILE, np.float32), pattern_buffers()
    for j in range(TILE):
        x_m[j] = F((j + 0.5) * frame[2])
    for t in range(begin, end):
        top, left = (t // across) * TILE, (t % across) * TILE
        height, width = min(TILE, rows - top), min(TILE, cols - left)
        state[:height, : 4 * TILE] = NEG
        state[:height, 4 * TILE : 5 * TILE] = F(0)
        state[:height, 5 * TILE :] = F(-1)
        inside = members[pointers[t] : pointers[t + 1]]
        _stations(state, x_m, work, buffers, first_row + top, left, height, width, frame, inside, site)
        right = left + width
        for i in range(height):
            _finish_row(
                state[i], width, radio[0], radio[1], radio[2], rsrp[top + i, left:right], sinr[top + i, left:right],
                best[top + i, left:right], overlap[top + i, left:right],
            )  # fmt: skip


def tile_members(
    x_m: NDArray[Any], y_m: NDArray[Any], reach_m: NDArray[Any], grid: "Grid", rows: tuple[int, int] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Stations whose reach touches each tile, ascending; ``rows`` as for :func:`best_server`.

    Returns
    -------
    pointers : int64 (n_tiles + 1,)
    members : int32
        Stations of tile t (row-major): ``members[pointers[t]:pointers[t + 1]]``.
    """
    size = TILE * grid.resolution_m
    begin, stop = (0, grid.rows) if rows is None else rows
    above, across, down = begin // TILE, -(-grid.cols // TILE), -(-stop // TILE)
    x, y = x_m - grid.x0_m, grid.y0_m - y_m
    west, east = np.floor((x - reach_m) / size), np.floor((x + reach_m) / size)
    north, south = np.floor((y - reach_m) / size), np.floor((y + reach_m) / size)
    west, north = np.maximum(west, 0).astype(np.int64), np.maximum(north, above).astype(np.int64)
    wide = np.maximum(np.minimum(east, across - 1).astype(np.int64) - west + 1, 0)
    high = np.maximum(np.minimum(south, down - 1).astype(np.int64) - north + 1, 0)
    count = np.where(reach_m > 0, wide * high, 0)
    station = np.repeat(np.arange(len(x), dtype=np.int32), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    row, col = north[station] + step // wide[station], west[station] + step % wide[station]
    dx = np.maximum(np.maximum(col * size - x[station], x[station] - (col + 1) * size), 0.0)
    dy = np.maximum(np.maximum(row * size - y[station], y[station] - (row + 1) * size), 0.0)
    touched = dx * dx + dy * dy <= reach_m[station] ** 2
    tile, station = ((row - above) * across + col)[touched], station[touched]
    order = np.argsort(tile, kind="stable")
    pointers = np.searchsorted(tile[order], np.arange(across * (down - above) + 1)).astype(np.int64)
    return pointers, station[order]


def best_server(
    sectors: "Sectors",
    grid: "Grid",
    *,
    noise_dbm: float,
    load: float = 0.5,
    window_db: float = 6.0,
    windows: Windows | None = None,
    rows: tuple[int, int] | None = None,
    out: Layers | None = None,
    threads: int | None = None,
) -> Layers:
    """Coverage of stations that share one band.

    Mean RSRP by each station's coefficient vector and sector pattern; SINR with every other sector
    of ``sectors`` transmitting a share ``load`` of the time on the same element:
    ``RSRP / (load sum of the others + noise)``. Nearer to a mast than the model's nearest distance
    (10 m) a pixel takes the loss and depression angle of that distance.

    Parameters
    ----------
    sectors : Sectors
        Up to 16.7 million sectors.
    grid : Grid
        Pixels; any object with ``x0_m, y0_m, resolution_m, rows, cols``.
    noise_dbm : float
        Noise per resource element.
    load : float
        Network load, 0 to 1.
    window_db : float
        Sectors within this of the best count as overlap.
    windows : Windows, optional
        Losses of terrain models (``coverage.terrain.station_windows``); where a station has one it replaces
        the coefficient vector.
    rows : tuple of int, optional
        Compute only these rows of the grid, first to last exclusive; the first a multiple of ``TILE``. The
        pixels are those of the whole grid, bit for bit.
    out : Layers, optional
        C-contiguous arrays to fill (``np.memmap`` is fine); made if omitted.
    threads : int, optional
        Threads; all cores if omitted. Pixels do not depend on it.

    Returns
    -------
    Layers
        ``best_sector`` numbers the sectors of ``sectors``.

    Raises
    ------
    RangeError
        Load, window or number of sectors out of range.
    """
    if not 0.0 <= load <= 1.0 or window_db < 0.0:
        raise RangeError(f"coverage: load {load:g} must be 0 to 1 and the overlap window {window_db:g} dB not negative")
    if len(sectors.azimuth_deg) > 2**24:
        raise RangeError(f"coverage: {len(sectors.azimuth_deg)} sectors at once; split by band or area (limit 2**24)")
    first_row, last_row = (0, grid.rows) if rows is None else rows
    if first_row % TILE:
        raise RangeError(f"coverage: a band of rows begins at {first_row}; begin at a multiple of {TILE}")
    layers = empty_layers(last_row - first_row, grid.cols) if out is None else out
    reach = np.ascontiguousarray(sectors.reach_m, dtype=np.float64)
    above = sectors.height_agl_m - sectors.ue_height_m
    pointers, members = tile_members(sectors.x_m, sectors.y_m, reach, grid, (first_row, last_row))
    site = (
        np.column_stack([sectors.x_m, sectors.y_m, reach]),
        rowmath.station_parameters(sectors.coefficients, above, reach),
        sectors.first,
        sector_parameters(sectors),
        rowmath.packed_patterns(sectors.patterns),
        rowmath.no_windows(len(sectors)) if windows is None else windows,
        grid_exclusions(sectors),
    )
    frame = (float(grid.x0_m), float(grid.y0_m), float(grid.resolution_m))
    radio = (F(load), F(10 ** (noise_dbm / 10)), F(window_db))
    shared = (first_row, pointers, members, frame, site, radio, *(np.asarray(layer) for layer in layers))
    tiles = len(pointers) - 1
    starts = range(0, tiles, TILES_PER_TASK)
    workers = threads or os.cpu_count() or 1
    if workers == 1:
        _tiles(0, tiles, *shared)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda begin: _tiles(begin, min(begin + TILES_PER_TASK, tiles), *shared), starts))
    return layers
