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
from numba import njit
from numpy.typing import NDArray

from lcsiting.coverage import rowmath
from lcsiting.coverage.pairs import sector_parameters
from lcsiting.coverage.rowmath import DB, INV_DB, NEG, WIDTH, F, exp2_short, log2, sector_level, station_row
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


@njit(fastmath=True, error_model="numpy", nogil=True, cache=True)
def _sector_row(work, n, a, number, r):
    """Enter one sector into n pixels' state.

    ``r``: six runs of TILE floats: the four strongest, best first; the sum of the others' powers
    (the weaker of newcomer and best is added, so nothing cancels in float32); the best's number.
    """
    for j in range(n):
        v = sector_level(work, j, a)
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
def _tile(
    state, x_m, work, top, left, height, width, frame, members, places, stations, first, antennas, load, noise_mw,
    window_db, rsrp, sinr, best, overlap,
):  # fmt: skip
    """All stations of one tile over its pixels."""
    x0, y0, step = frame
    west, north = x0 + left * step, y0 - top * step
    state[:height, : 4 * TILE] = NEG
    state[:height, 4 * TILE : 5 * TILE] = F(0)
    state[:height, 5 * TILE :] = F(-1)
    for k in members:
        x, y, reach = places[k, 0] - west, places[k, 1] - north, places[k, 2]
        p = stations[k]
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
            station_row(x_m[begin:], n, cx, F(dy), p, work)
            row = state[i, begin:]
            for m in range(first[k], first[k + 1]):
                _sector_row(work, n, antennas[m], F(m), row)
    right = left + width
    for i in range(height):
        t = top + i
        _finish_row(
            state[i], width, load, noise_mw, window_db, rsrp[t, left:right], sinr[t, left:right], best[t, left:right],
            overlap[t, left:right],
        )  # fmt: skip


@njit(nogil=True, cache=True)
def _tiles(
    begin, end, pointers, members, frame, places, stations, first, antennas, load, noise_mw, window_db, rsrp, sinr,
    best, overlap,
):  # fmt: skip
    """Some tiles, one after the other in one set of buffers."""
    rows, cols = rsrp.shape
    across = (cols + TILE - 1) // TILE
    state = np.empty((TILE, 6 * TILE), np.float32)
    work, x_m = np.empty(3 * TILE, np.float32), np.empty(TILE, np.float32)
    for j in range(TILE):
        x_m[j] = F((j + 0.5) * frame[2])
    for t in range(begin, end):
        top, left = (t // across) * TILE, (t % across) * TILE
        _tile(
            state, x_m, work, top, left, min(TILE, rows - top), min(TILE, cols - left), frame,
            members[pointers[t] : pointers[t + 1]], places, stations, first, antennas, load, noise_mw, window_db, rsrp,
            sinr, best, overlap,
        )  # fmt: skip


def tile_members(
    x_m: NDArray[Any], y_m: NDArray[Any], reach_m: NDArray[Any], grid: "Grid"
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Stations whose reach touches each tile, ascending.

    Returns
    -------
    pointers : int64 (n_tiles + 1,)
    members : int32
        Stations of tile t (row-major): ``members[pointers[t]:pointers[t + 1]]``.
    """
    size = TILE * grid.resolution_m
    across, down = -(-grid.cols // TILE), -(-grid.rows // TILE)
    x, y = x_m - grid.x0_m, grid.y0_m - y_m
    west, east = np.floor((x - reach_m) / size), np.floor((x + reach_m) / size)
    north, south = np.floor((y - reach_m) / size), np.floor((y + reach_m) / size)
    west, north = np.maximum(west, 0).astype(np.int64), np.maximum(north, 0).astype(np.int64)
    wide = np.maximum(np.minimum(east, across - 1).astype(np.int64) - west + 1, 0)
    high = np.maximum(np.minimum(south, down - 1).astype(np.int64) - north + 1, 0)
    count = np.where(reach_m > 0, wide * high, 0)
    station = np.repeat(np.arange(len(x), dtype=np.int32), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    row, col = north[station] + step // wide[station], west[station] + step % wide[station]
    dx = np.maximum(np.maximum(col * size - x[station], x[station] - (col + 1) * size), 0.0)
    dy = np.maximum(np.maximum(row * size - y[station], y[station] - (row + 1) * size), 0.0)
    touched = dx * dx + dy * dy <= reach_m[station] ** 2
    tile, station = (row * across + col)[touched], station[touched]
    order = np.argsort(tile, kind="stable")
    pointers = np.searchsorted(tile[order], np.arange(across * down + 1)).astype(np.int64)
    return pointers, station[order]


def best_server(
    sectors: "Sectors",
    grid: "Grid",
    *,
    noise_dbm: float,
    load: float = 0.5,
    window_db: float = 6.0,
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
    layers = empty_layers(grid.rows, grid.cols) if out is None else out
    reach = np.ascontiguousarray(sectors.reach_m, dtype=np.float64)
    above = sectors.height_agl_m - sectors.ue_height_m
    pointers, members = tile_members(sectors.x_m, sectors.y_m, reach, grid)
    shared = (
        pointers, members, (float(grid.x0_m), float(grid.y0_m), float(grid.resolution_m)),
        np.column_stack([sectors.x_m, sectors.y_m, reach]),
        rowmath.station_parameters(sectors.coefficients, above, reach), sectors.first, sector_parameters(sectors),
        F(load), F(10 ** (noise_dbm / 10)), F(window_db), *(np.asarray(layer) for layer in layers),
    )  # fmt: skip
    tiles = len(pointers) - 1
    starts = range(0, tiles, TILES_PER_TASK)
    workers = threads or os.cpu_count() or 1
    if workers == 1:
        _tiles(0, tiles, *shared)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda begin: _tiles(begin, min(begin + TILES_PER_TASK, tiles), *shared), starts))
    return layers
