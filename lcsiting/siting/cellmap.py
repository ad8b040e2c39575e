"""Which demand cells a shape lies on, and where a plan's stations stand in its cover."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lcsiting.errors import LayerError
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Cover, Plan, Project
from lcsiting.rules.modes import AS_PLANNED


def cell_numbers(project: Project, cells: pd.DataFrame) -> NDArray[np.int32]:
    """Number of the demand cell on every pixel of the demand grid, -1 outside the city, (rows, cols)."""
    grid = derive.demand_grid(project)
    out = np.full((grid.rows, grid.cols), -1, np.int32)
    out[cells["row"].to_numpy(), cells["col"].to_numpy()] = np.arange(len(cells), dtype=np.int32)
    return out


def _inside(shape: Any, grid: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns whose centre lies in a polygon."""
    west, south, east, north = shape.bounds
    size = grid.resolution_m
    cols = np.arange(max(int((west - grid.x0_m) // size), 0), min(int((east - grid.x0_m) // size) + 1, grid.cols))
    rows = np.arange(max(int((grid.y0_m - north) // size), 0), min(int((grid.y0_m - south) // size) + 1, grid.rows))
    if not len(cols) or not len(rows):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    x, y = np.meshgrid(grid.x0_m + (cols + 0.5) * size, grid.y0_m - (rows + 0.5) * size)
    r, c = np.nonzero(shapely.contains_xy(shape, x, y))
    return rows[r], cols[c]


def shape_cells(
    project: Project, cells: pd.DataFrame, shapes: gpd.GeoSeries
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The demand cells of each shape.

    Parameters
    ----------
    project : Project
        Its demand grid.
    cells : DataFrame
        ``Cover.cells``.
    shapes : GeoSeries
        Working CRS. A polygon has the cells whose centre it contains; a point, a line, or a polygon
        smaller than that has the cell of its representative point.

    Returns
    -------
    shape, cell : ndarray of int64
        Pairs, ordered by shape then cell; a shape outside the city has none.
    """
    grid, number = derive.demand_grid(project), cell_numbers(project, cells)
    shape_of, cell_of = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for k, shape in enumerate(shapes):
        if shape is None or shape.is_empty:
            continue
        found = np.empty(0, np.int64)
        if shape.geom_type in ("Polygon", "MultiPolygon"):
            found = number[_inside(shape, grid)].astype(np.int64)
        if not len(found):
            point = shape.representative_point()
            row, col, inside = raster.row_col(grid, np.array([point.x]), np.array([point.y]))
            found = number[row[inside], col[inside]].astype(np.int64)
        found = np.sort(found[found >= 0])
        shape_of.append(np.full(len(found), k))
        cell_of.append(found)
    return np.concatenate(shape_of), np.concatenate(cell_of)


def positions(cover: Cover, station_ids: Any, modes: Any = None) -> NDArray[np.int64]:
    """Position of each station in the cover, in the given modes (none or empty: as planned); -1 where it lacks it."""
    names = pd.Index(cover.station_ids), pd.Index(np.asarray(station_ids, object))
    if cover.modes is not None:
        given = [AS_PLANNED] * len(names[1]) if modes is None else [mode or AS_PLANNED for mode in modes]
        names = pd.MultiIndex.from_arrays([names[0], cover.modes]), pd.MultiIndex.from_arrays([names[1], given])
    return names[0].get_indexer(names[1]).astype(np.int64)


def mode_names(cover: Cover, items: Any) -> NDArray[Any]:
    """Mode of each of some items, empty as planned."""
    if cover.modes is None:
        return np.full(len(cover.station_ids[items]), "", object)
    return np.where(cover.modes[items] == AS_PLANNED, "", cover.modes[items]).astype(object)


def plan_order(cover: Cover, plan: Plan) -> NDArray[np.int64]:
    """Positions of a plan's stations in the cover, in the order of the plan.

    Raises
    ------
    LayerError
        The plan has stations the cover lacks: it was made from another cover.
    """
    order = positions(cover, plan.stations["station_id"], plan.stations.get("mode"))
    if (order < 0).any():
        missing = plan.stations["station_id"].to_numpy()[order < 0]
        raise LayerError(
            f"plan: {len(missing)} stations are not in the cover ({', '.join(missing[:3])} …). "
            "Build the cover again from the plan's project and eligibility."
        )
    return order
