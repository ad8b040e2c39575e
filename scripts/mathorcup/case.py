"""The case (weak points, existing sites), sums over discs of the lattice, candidates, cover and conflicts.

Sites stand on whole coordinates of the area. Micro and macro are two kinds of item; an item is a row of
``Items``. The order of the items is by cell of 8 x 8 positions: no two positions of a cell are more than
sqrt(98) < 10 apart, so the greedy cliques of the engine are (at least) the cells.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
RADIUS = np.array([10, 30])  # micro, macro
COST = np.array([1, 10])
SPACING = 10
CELL = 8  # side of a cell of mutually exclusive positions
CHUNK = 4_000


@dataclass(frozen=True)
class Case:
    """Weak points ``xy`` (n, 2) with ``traffic`` (n,), existing sites (m, 2), the area's corners."""

    xy: Ints
    traffic: Floats
    existing: Ints
    low: Ints
    high: Ints


@dataclass(frozen=True)
class Items:
    """Candidates: position (k, 2), kind (k,) 0 micro or 1 macro."""

    xy: Ints
    kind: Ints

    @property
    def cost(self) -> Ints:
        """Cost of each, (k,)."""
        return COST[self.kind]


def read_case(folder: Path, window: tuple[int, int, int, int] | None = None) -> Case:
    """Read the two tables; with a window (x0, y0, x1, y1; last one outside) only what lies in it."""
    weak = np.loadtxt(folder / "mathorcup2022d_weak_grid.csv", delimiter=",", skiprows=1)
    sites = np.loadtxt(folder / "mathorcup2022d_existing_sites.csv", delimiter=",", skiprows=1)[:, 1:]
    low, high = np.array([0, 0]), np.array([2500, 2500])
    if window is not None:
        low, high = np.array(window[:2]), np.array(window[2:])
        weak = weak[((weak[:, :2] >= low) & (weak[:, :2] < high)).all(axis=1)]
        # sites a little outside still block the border
        sites = sites[((sites >= low - SPACING) & (sites < high + SPACING)).all(axis=1)]
    return Case(weak[:, :2].astype(np.int64), weak[:, 2], sites.astype(np.int64), low, high)


def disc_sums(case: Case, values: Any, radius: int) -> Floats:
    """Sum of point values within ``radius`` of every position of the area, (height, width)."""
    width, height = case.high - case.low
    ends = np.zeros((height + 2 * radius, width + 2 * radius + 1))
    np.add.at(ends, (case.xy[:, 1] - case.low[1] + radius, case.xy[:, 0] - case.low[0] + radius + 1), values)
    np.cumsum(ends, axis=1, out=ends)
    out = np.zeros((height, width))
    for dy in range(-radius, radius + 1):
        half = int(np.sqrt(radius**2 - dy**2))
        rows = ends[radius + dy : radius + dy + height]
        out += rows[:, radius + half + 1 : radius + half + 1 + width]
        out -= rows[:, radius - half : radius - half + width]
    return out


def blocked(case: Case) -> NDArray[np.bool_]:
    """Positions not more than the spacing away from an existing site, (height, width)."""
    out = np.zeros(tuple(case.high - case.low)[::-1], bool)
    for x, y in case.existing - case.low:
        y0, x0 = max(y - SPACING, 0), max(x - SPACING, 0)
        part = out[y0 : y + SPACING + 1, x0 : x + SPACING + 1]
        dy, dx = np.ogrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
        part |= (dy - y) ** 2 + (dx - x) ** 2 <= SPACING**2
    return out


def best_of_cells(score: Floats, cell: int) -> tuple[Ints, Ints, Floats]:
    """Row, column and score of the best position of every cell with a finite one, first one in a tie."""
    height, width = score.shape
    down, across = -(-height // cell), -(-width // cell)
    padded = np.full((down * cell, across * cell), -np.inf)
    padded[:height, :width] = score
    tiles = padded.reshape(down, cell, across, cell).transpose(0, 2, 1, 3).reshape(down * across, cell * cell)
    at = tiles.argmax(axis=1)
    best = tiles[np.arange(len(at)), at]
    keep = np.flatnonzero(np.isfinite(best))
    row, column = keep // across * cell + at[keep] // cell, keep % across * cell + at[keep] % cell
    return row, column, best[keep]


def first_items(case: Case, closed: NDArray[np.bool_], cells: tuple[int, int], least: tuple[float, float]) -> Items:
    """The position with the most traffic within reach of every cell, if it is at least ``least``; by kind."""
    parts = []
    for kind in (0, 1):
        traffic = disc_sums(case, case.traffic, int(RADIUS[kind]))
        row, column, best = best_of_cells(np.where(closed, -np.inf, traffic), cells[kind])
        keep = best >= least[kind]
        parts.append(np.column_stack([column[keep], row[keep], np.full(keep.sum(), kind)]))
    return arrange(case, np.concatenate(parts))


def arrange(case: Case, table: Ints) -> Items:
    """Items from rows (column, row, kind), each once, cell by cell."""
    table = np.unique(table, axis=0)
    cell = table[:, 1] // CELL * 10_000 + table[:, 0] // CELL
    table = table[np.lexsort((table[:, 2], table[:, 0], table[:, 1], cell))]
    return Items(table[:, :2] + case.low, table[:, 2])


def table_of(case: Case, items: Items) -> Ints:
    """The inverse of :func:`arrange`."""
    return np.column_stack([items.xy - case.low, items.kind])


def cover_of(case: Case, items: Items) -> tuple[Ints, NDArray[np.int32]]:
    """Points within reach of every item, compressed."""
    tree = cKDTree(case.xy)
    lengths, parts = [np.zeros(1, np.int64)], [np.empty(0, np.int32)]
    for start in range(0, len(items.kind), CHUNK):
        xy, kind = items.xy[start : start + CHUNK], items.kind[start : start + CHUNK]
        found = tree.query_ball_point(xy, RADIUS[kind], return_sorted=True)
        lengths.append(np.array([len(f) for f in found], np.int64))
        parts += [np.array(f, np.int32) for f in found]
    return np.cumsum(np.concatenate(lengths)), np.concatenate(parts)


def conflicts_of(items: Items) -> Ints:
    """Pairs not more than the spacing apart, (k, 2)."""
    pairs = cKDTree(items.xy).query_pairs(SPACING, output_type="ndarray")
    return pairs.astype(np.int64)
