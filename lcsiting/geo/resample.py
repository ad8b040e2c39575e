"""Raster files of any frame and CRS onto a grid, band of rows by band of rows."""

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform, reproject

from lcsiting.geo import grid as raster
from lcsiting.model import Grid, Raster

SOURCE_PAD = 8  # source pixels read around a band: more than any resampling kernel reaches


def read_raster(
    path: Path, grid: Grid, how: str = "nearest", fill: float | None = 0, *, into: Path | None = None
) -> Raster:
    """Read a raster of any CRS onto a grid.

    Parameters
    ----------
    path : Path
        Any raster GDAL reads.
    grid : Grid
        Where the pixels go.
    how : str
        ``nearest``, ``mode``, ``average``, ``bilinear``; ``sum`` keeps the total of a count
        (people per pixel) that falls on the grid, whatever the two pixel sizes are.
    fill : float or None
        Value outside the file and at its nodata pixels; None leaves them unknown (``Raster.nodata``).
    into : Path, optional
        Leave the pixels in this GeoTIFF, band by band; memory is that of a band.

    Raises
    ------
    LayerError, CrsError
        Not a raster, or without CRS.
    """
    with raster.open_file(Path(path)) as src:
        if how == "sum":
            return raster.from_rows(grid, np.float32, _count_rows(src, grid), into)
        nodata = _unknown(src) if fill is None else src.nodata
        with WarpedVRT(
            src,
            crs=grid.crs,
            transform=raster.transform(grid),
            width=grid.cols,
            height=grid.rows,
            resampling=Resampling[how],
            nodata=nodata,
        ) as vrt:

            def rows(first: int, last: int) -> NDArray[Any]:
                part = rasterio.windows.Window(0, first, grid.cols, last - first)
                array = vrt.read(1, window=part, masked=True)
                return np.ma.filled(array, np.asarray(nodata if fill is None else fill, dtype=array.dtype))

            return raster.from_rows(grid, vrt.dtypes[0], rows, into, nodata if fill is None else None)


def _unknown(src: rasterio.DatasetReader) -> float:
    """The file's own nodata value, or one nobody measures."""
    if src.nodata is not None:
        return float(src.nodata)
    dtype = np.dtype(src.dtypes[0])
    return float("nan") if dtype.kind == "f" else float(np.iinfo(dtype).min)


def _count_rows(src: rasterio.DatasetReader, grid: Grid) -> raster.Rows:
    """Counts per pixel, spread by area: exact where frames nest, else rescaled to the source's total."""
    kernel = Resampling.average if src.transform.a / grid.resolution_m < 1 else Resampling.nearest
    people_per_pixel = (grid.resolution_m / _pixel_m(src)) ** 2

    @lru_cache(maxsize=1)  # a grid of one band is resampled once
    def spread(first: int, last: int) -> NDArray[np.float64]:
        part = raster.rows_of(grid, first, last)
        out = np.zeros((part.rows, part.cols), dtype=np.float64)
        window = _source_window(src, part)
        if window.width and window.height:
            reproject(
                _count_window(src, window),
                out,
                src_transform=src.window_transform(window),
                src_crs=src.crs,
                dst_transform=raster.transform(part),
                dst_crs=grid.crs,
                resampling=kernel,
            )
        return out * people_per_pixel

    inside = _inside_total(src, grid)
    found = sum(float(spread(first, last).sum()) for first, last in raster.row_bands(grid))
    scale = inside / found if inside > 0 and found > 0 else 1.0
    return lambda first, last: (spread(first, last) * scale).astype(np.float32)


def _source_window(src: rasterio.DatasetReader, grid: Grid) -> rasterio.windows.Window:
    """The source pixels under a grid and some around it; width or height 0 where there are none."""
    west, south, east, north = rasterio.warp.transform_bounds(grid.crs, src.crs, *raster.bounds(grid), densify_pts=101)
    inverse = ~src.transform
    corners = np.array([(x, y, 1.0) for x in (west, east) for y in (south, north)])
    cols, rows = corners @ inverse[:3], corners @ inverse[3:6]
    col0, row0 = math.floor(cols.min()) - SOURCE_PAD, math.floor(rows.min()) - SOURCE_PAD
    col1, row1 = math.ceil(cols.max()) + SOURCE_PAD, math.ceil(rows.max()) + SOURCE_PAD
    col0, row0 = max(col0, 0), max(row0, 0)
    width, height = max(min(col1, src.width) - col0, 0), max(min(row1, src.height) - row0, 0)
    return rasterio.windows.Window(col0, row0, width, height)


def _count_window(src: rasterio.DatasetReader, window: rasterio.windows.Window) -> NDArray[np.float64]:
    """Counts of some source pixels, 0 where there are none."""
    array = _masked(src.read(1, window=window).astype(np.float64), src.nodata, 0.0)
    array[~np.isfinite(array)] = 0.0
    return array


def _pixel_m(src: rasterio.DatasetReader) -> float:
    """Pixel size in metres; geographic files by the cosine of their middle latitude."""
    if not src.crs.is_geographic:
        return float(math.sqrt(abs(src.transform.a * src.transform.e)))
    middle = math.radians((src.bounds.bottom + src.bounds.top) / 2)
    return float(math.sqrt(abs(src.transform.a * src.transform.e) * math.cos(middle)) * 111_320.0)


def _inside_total(src: rasterio.DatasetReader, grid: Grid) -> float:
    """Total of the source pixels whose centre falls on the grid, some rows of the source at a time."""
    west, south, east, north = raster.bounds(grid)
    same = str(src.crs) == str(rasterio.crs.CRS.from_user_input(grid.crs))
    part = _source_window(src, grid)
    step = max(raster.BAND_PIXELS // max(part.width, 1), 1)
    total = 0.0
    for first in range(part.row_off, part.row_off + part.height, step):
        height = min(step, part.row_off + part.height - first)
        window = rasterio.windows.Window(part.col_off, first, part.width, height)
        array = _count_window(src, window)
        rows, cols = np.nonzero(array)
        if not rows.size:
            continue
        x, y = rasterio.transform.xy(src.window_transform(window), rows, cols)
        if not same:
            x, y = rasterio.warp.transform(src.crs, grid.crs, x, y)
        x, y = np.asarray(x), np.asarray(y)
        inside = (x >= west) & (x < east) & (y > south) & (y <= north)
        total += float(array[rows, cols][inside].sum())
    return total


def _masked(array: NDArray[Any], nodata: float | None, fill: float) -> NDArray[Any]:
    if nodata is None:
        return array
    hole = np.isnan(array) if np.isnan(nodata) else array == nodata
    return np.where(hole, np.asarray(fill, dtype=array.dtype), array)


def read_own_frame(
    path: Path, crs: str, fill: float | None = 0, resampling: str = "bilinear", *, into: Path | None = None
) -> Raster:
    """Read a whole raster into the working CRS on a frame of its own (terrain beyond the border).

    With ``into`` the pixels, the same, are left in that GeoTIFF band by band; ``fill`` as for :func:`read_raster`.
    """
    with raster.open_file(Path(path)) as src:
        target = rasterio.crs.CRS.from_user_input(crs)
        if src.crs == target and src.transform.a == -src.transform.e:
            grid = Grid(src.transform.c, src.transform.f, src.transform.a, src.height, src.width, crs)

            def rows(first: int, last: int) -> NDArray[Any]:
                array = src.read(1, window=rasterio.windows.Window(0, first, grid.cols, last - first))
                return array if fill is None else _masked(array, src.nodata, fill)

            return raster.from_rows(grid, src.dtypes[0], rows, into, src.nodata if fill is None else None)
        step = calculate_default_transform(src.crs, target, src.width, src.height, *src.bounds)[0].a
        west, south, east, north = rasterio.warp.transform_bounds(src.crs, target, *src.bounds)
        grid = raster.frame((west, south, east, north), round(step, 3), crs)
    return read_raster(path, grid, resampling, fill, into=into)
