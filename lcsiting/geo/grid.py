"""The one raster frame, and the only opener and writer of raster files.

Rows run north to south; a pixel belongs to an area when its centre does.
"""

import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import ArrayLike, NDArray
from rasterio.enums import Resampling
from rasterio.features import rasterize as _burn
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform, reproject

from lcsiting.errors import CrsError, LayerError
from lcsiting.model import Grid, Raster

STREAM_ROWS = 128  # height of the tiles of a streamed GeoTIFF
BAND_PIXELS = 2_000_000  # of a band of rows where a raster is made band by band
SOURCE_PAD = 8  # source pixels read around a band: more than any resampling kernel reaches
SNAP_PIXELS = 1e-6  # an extent this near a pixel's edge ends there, whatever the rounding of its metres
Rows = Callable[[int, int], NDArray[Any]]  # pixels of the rows first .. last (exclusive)


def frame(bounds: tuple[float, float, float, float], resolution_m: float, crs: str) -> Grid:
    """Grid covering ``bounds`` (west, south, east, north), aligned to multiples of its resolution."""
    west, south, east, north = bounds
    col0, col1 = math.floor(west / resolution_m), math.ceil(east / resolution_m)
    row0, row1 = math.floor(south / resolution_m), math.ceil(north / resolution_m)
    return Grid(col0 * resolution_m, row1 * resolution_m, resolution_m, row1 - row0, col1 - col0, crs)


def bounds(grid: Grid) -> tuple[float, float, float, float]:
    """Outer edges of a grid: west, south, east, north."""
    return (
        grid.x0_m,
        grid.y0_m - grid.rows * grid.resolution_m,
        grid.x0_m + grid.cols * grid.resolution_m,
        grid.y0_m,
    )


def transform(grid: Grid) -> Affine:
    """The grid's affine transform (pixel to metres)."""
    return Affine(grid.resolution_m, 0.0, grid.x0_m, 0.0, -grid.resolution_m, grid.y0_m)


def cell_centres(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x of every column and y of every row, at pixel centres."""
    x_m = grid.x0_m + (np.arange(grid.cols) + 0.5) * grid.resolution_m
    y_m = grid.y0_m - (np.arange(grid.rows) + 0.5) * grid.resolution_m
    return x_m, y_m


def row_col(
    grid: Grid, x_m: ArrayLike, y_m: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Pixel of each point, and whether it lies inside the grid."""
    col = np.floor((np.asarray(x_m, dtype=float) - grid.x0_m) / grid.resolution_m).astype(np.int64)
    row = np.floor((grid.y0_m - np.asarray(y_m, dtype=float)) / grid.resolution_m).astype(np.int64)
    inside = (row >= 0) & (row < grid.rows) & (col >= 0) & (col < grid.cols)
    return row, col, inside


def sample(raster: Raster, x_m: ArrayLike, y_m: ArrayLike, fill: float = np.nan) -> NDArray[Any]:
    """Value of the pixel under each point; ``fill`` outside the grid."""
    row, col, inside = row_col(raster.grid, x_m, y_m)
    if raster.array is None:
        return _sample_file(raster, row, col, inside, fill)
    array = raster.array
    dtype = np.result_type(array.dtype, np.float32) if np.isnan(fill) else array.dtype
    out = np.full(row.shape, fill, dtype=dtype)
    out[inside] = array[row[inside], col[inside]]
    return out


def _sample_file(
    raster: Raster, row: NDArray[np.int64], col: NDArray[np.int64], inside: NDArray[np.bool_], fill: float
) -> NDArray[Any]:
    """As :func:`sample`, reading only the bands of rows that points lie in."""
    with rasterio.open(raster.path) as src:
        dtype = np.dtype(src.dtypes[0])
        out = np.full(row.shape, fill, dtype=np.result_type(dtype, np.float32) if np.isnan(fill) else dtype)
        for first, last in row_bands(raster.grid):
            here = inside & (row >= first) & (row < last)
            if here.any():
                window = rasterio.windows.Window(0, first, raster.grid.cols, last - first)
                out[here] = src.read(1, window=window)[row[here] - first, col[here]]
    return out


def rasterize(
    geometries: Iterable[Any], values: Iterable[float], grid: Grid, dtype: str = "int32", fill: float = 0
) -> NDArray[Any]:
    """Burn geometries by the centre-point rule; later ones win.

    Returns
    -------
    ndarray (rows, cols)
        ``fill`` where nothing lies.
    """
    shapes = [(g, v) for g, v in zip(geometries, values, strict=True) if g is not None and not g.is_empty]
    if not shapes:
        return np.full((grid.rows, grid.cols), fill, dtype=dtype)
    return _burn(shapes, out_shape=(grid.rows, grid.cols), fill=fill, transform=transform(grid), dtype=dtype)


def pixels(raster: Raster) -> NDArray[Any]:
    """All pixels of a raster, from memory or from its file."""
    if raster.array is not None:
        return raster.array
    with rasterio.open(raster.path) as src:
        return src.read(1)


def window(raster: Raster, extent: tuple[float, float, float, float]) -> Raster:
    """The part of a raster that covers ``extent`` (west, south, east, north), clipped to it."""
    grid = raster.grid
    west, south, east, north = extent
    col0 = max(0, math.floor((west - grid.x0_m) / grid.resolution_m + SNAP_PIXELS))
    col1 = min(grid.cols, math.ceil((east - grid.x0_m) / grid.resolution_m - SNAP_PIXELS))
    row0 = max(0, math.floor((grid.y0_m - north) / grid.resolution_m + SNAP_PIXELS))
    row1 = min(grid.rows, math.ceil((grid.y0_m - south) / grid.resolution_m - SNAP_PIXELS))
    rows, cols = max(0, row1 - row0), max(0, col1 - col0)
    part = Grid(
        grid.x0_m + col0 * grid.resolution_m,
        grid.y0_m - row0 * grid.resolution_m,
        grid.resolution_m,
        rows,
        cols,
        grid.crs,
    )
    if raster.array is not None:
        return Raster(part, array=raster.array[row0 : row0 + rows, col0 : col0 + cols], nodata=raster.nodata)
    with rasterio.open(raster.path) as src:
        array = src.read(1, window=rasterio.windows.Window(col0, row0, cols, rows))
    return Raster(part, array=array, nodata=raster.nodata)


def _open(path: Path) -> rasterio.DatasetReader:
    try:
        src = rasterio.open(path)
    except rasterio.errors.RasterioIOError as error:
        raise LayerError(f"{path.name}: cannot be read as a raster ({error}). Save it as GeoTIFF.") from error
    if src.crs is None:
        src.close()
        raise CrsError(f"{path.name}: the raster has no coordinate system. Assign one in QGIS and save it again.")
    return src


def _masked(array: NDArray[Any], nodata: float | None, fill: float) -> NDArray[Any]:
    if nodata is None:
        return array
    hole = np.isnan(array) if np.isnan(nodata) else array == nodata
    return np.where(hole, np.asarray(fill, dtype=array.dtype), array)


def row_bands(grid: Grid, pixels: int | None = None) -> list[tuple[int, int]]:
    """Bands of rows (first, last) of about ``pixels`` pixels (:data:`BAND_PIXELS`), in whole tiles of rows."""
    pixels = BAND_PIXELS if pixels is None else pixels
    step = max(pixels // max(grid.cols, 1) // STREAM_ROWS, 1) * STREAM_ROWS
    return [(first, min(first + step, grid.rows)) for first in range(0, grid.rows, step)]


def from_rows(grid: Grid, dtype: Any, rows: Rows, path: Path | None = None) -> Raster:
    """A raster made band by band, in memory or, with a path, as a tiled GeoTIFF.

    Parameters
    ----------
    grid : Grid
    dtype : dtype
    rows : callable
        ``rows(first, last)``, called once for each of :func:`row_bands`, in order.
    path : Path, optional
        The pixels are the same in memory and on disk.
    """
    if path is None:
        out = np.empty((grid.rows, grid.cols), dtype=dtype)
        for first, last in row_bands(grid):
            out[first:last] = rows(first, last)
        return Raster(grid, array=out)
    with stream_raster(path, grid, np.dtype(dtype).name) as write:
        for first, last in row_bands(grid):
            write(first, np.asarray(rows(first, last), dtype=dtype))
    return Raster(grid, path=Path(path))


def read_raster(path: Path, grid: Grid, how: str = "nearest", fill: float = 0, *, into: Path | None = None) -> Raster:
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
    fill : float
        Value outside the file and at its nodata pixels.
    into : Path, optional
        Leave the pixels in this GeoTIFF, band by band; memory is that of a band.

    Raises
    ------
    LayerError, CrsError
        Not a raster, or without CRS.
    """
    with _open(Path(path)) as src:
        if how == "sum":
            return from_rows(grid, np.float32, _count_rows(src, grid), into)
        with WarpedVRT(
            src, crs=grid.crs, transform=transform(grid), width=grid.cols, height=grid.rows, resampling=Resampling[how]
        ) as vrt:

            def rows(first: int, last: int) -> NDArray[Any]:
                part = rasterio.windows.Window(0, first, grid.cols, last - first)
                array = vrt.read(1, window=part, masked=True)
                return np.ma.filled(array, np.asarray(fill, dtype=array.dtype))

            return from_rows(grid, vrt.dtypes[0], rows, into)


def _count_rows(src: rasterio.DatasetReader, grid: Grid) -> Rows:
    """Counts per pixel, spread by area: exact where frames nest, else rescaled to the source's total."""
    kernel = Resampling.average if src.transform.a / grid.resolution_m < 1 else Resampling.nearest
    people_per_pixel = (grid.resolution_m / _pixel_m(src)) ** 2

    @lru_cache(maxsize=1)  # a grid of one band is resampled once
    def spread(first: int, last: int) -> NDArray[np.float64]:
        part = rows_of(grid, first, last)
        out = np.zeros((part.rows, part.cols), dtype=np.float64)
        window = _source_window(src, part)
        if window.width and window.height:
            reproject(
                _count_window(src, window),
                out,
                src_transform=src.window_transform(window),
                src_crs=src.crs,
                dst_transform=transform(part),
                dst_crs=grid.crs,
                resampling=kernel,
            )
        return out * people_per_pixel

    inside = _inside_total(src, grid)
    found = sum(float(spread(first, last).sum()) for first, last in row_bands(grid))
    scale = inside / found if inside > 0 and found > 0 else 1.0
    return lambda first, last: (spread(first, last) * scale).astype(np.float32)


def _source_window(src: rasterio.DatasetReader, grid: Grid) -> rasterio.windows.Window:
    """The source pixels under a grid and some around it; width or height 0 where there are none."""
    west, south, east, north = rasterio.warp.transform_bounds(grid.crs, src.crs, *bounds(grid), densify_pts=101)
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
    west, south, east, north = bounds(grid)
    same = str(src.crs) == str(rasterio.crs.CRS.from_user_input(grid.crs))
    part = _source_window(src, grid)
    step = max(BAND_PIXELS // max(part.width, 1), 1)
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


def read_own_frame(path: Path, crs: str, fill: float = 0, resampling: str = "bilinear") -> Raster:
    """Read a whole raster into the working CRS on a frame of its own (terrain beyond the border)."""
    with _open(Path(path)) as src:
        target = rasterio.crs.CRS.from_user_input(crs)
        if src.crs == target and src.transform.a == -src.transform.e:
            grid = Grid(src.transform.c, src.transform.f, src.transform.a, src.height, src.width, crs)
            return Raster(grid, array=_masked(src.read(1), src.nodata, fill))
        step = calculate_default_transform(src.crs, target, src.width, src.height, *src.bounds)[0].a
        west, south, east, north = rasterio.warp.transform_bounds(src.crs, target, *src.bounds)
        grid = frame((west, south, east, north), round(step, 3), crs)
    return read_raster(path, grid, resampling, fill)


def write_raster(
    path: Path,
    raster: Raster,
    *,
    cog: bool = False,
    tags: dict[str, str] | None = None,
    scale: float = 1.0,
    description: str = "",
) -> Path:
    """Write a GeoTIFF atomically.

    Parameters
    ----------
    path : Path
        Target; replaced in one step.
    raster : Raster
        Pixels in memory.
    cog : bool
        Cloud-optimised layout with overviews.
    tags : dict, optional
        GDAL metadata.
    scale : float
        Recorded scale: value = pixel x scale.
    description : str
        Band description.

    Returns
    -------
    Path
        ``path``.
    """
    path = Path(path)
    array = pixels(raster)
    predictor = 3 if array.dtype.kind == "f" else 2
    profile: dict[str, Any] = {
        "driver": "COG" if cog else "GTiff",
        "height": raster.grid.rows,
        "width": raster.grid.cols,
        "count": 1,
        "dtype": array.dtype.name,
        "crs": raster.grid.crs,
        "transform": transform(raster.grid),
        "nodata": raster.nodata,
        "compress": "deflate",
        "predictor": ("floating_point" if predictor == 3 else "standard") if cog else predictor,
    }
    profile |= {"level": 1, "overview_resampling": "nearest"} if cog else {"zlevel": 1, "tiled": True}
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(suffix=".tif", prefix=".part-", dir=path.parent)
    os.close(handle)
    try:
        with rasterio.open(temporary, "w", **profile) as dst:
            dst.write(array, 1)
            if tags:
                dst.update_tags(**tags)
            if scale != 1.0:
                dst.scales = (scale,)
            if description:
                dst.set_band_description(1, description)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


@contextmanager
def stream_raster(
    path: Path, grid: Grid, dtype: str, *, nodata: float | None = None, scale: float = 1.0, description: str = ""
) -> Iterator[Callable[[int, NDArray[Any]], None]]:
    """Write a tiled GeoTIFF band of rows by band of rows; it appears when all are written.

    Yields
    ------
    callable
        ``write(first_row, array)``. Bands that begin at multiples of :data:`STREAM_ROWS` and are as high touch
        each tile once.
    """
    path = Path(path)
    profile: dict[str, Any] = {
        "driver": "GTiff", "height": grid.rows, "width": grid.cols, "count": 1, "dtype": dtype, "crs": grid.crs,
        "transform": transform(grid), "nodata": nodata, "compress": "deflate", "zlevel": 1,
        "predictor": 3 if np.dtype(dtype).kind == "f" else 2, "tiled": True, "blockxsize": 256,
        "blockysize": STREAM_ROWS, "bigtiff": "if_safer",
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(suffix=".tif", prefix=".part-", dir=path.parent)
    os.close(handle)
    try:
        with rasterio.open(temporary, "w", **profile) as dst:
            if scale != 1.0:
                dst.scales = (scale,)
            if description:
                dst.set_band_description(1, description)

            def write(first_row: int, array: NDArray[Any]) -> None:
                dst.write(array, 1, window=rasterio.windows.Window(0, first_row, array.shape[1], array.shape[0]))

            yield write
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def rows_of(grid: Grid, first: int, last: int) -> Grid:
    """The frame of some rows of a grid."""
    return Grid(grid.x0_m, grid.y0_m - first * grid.resolution_m, grid.resolution_m, last - first, grid.cols, grid.crs)


def open_raster(path: Path) -> Raster:
    """A raster written by :func:`write_raster`, left on disk."""
    with _open(Path(path)) as src:
        grid = Grid(src.transform.c, src.transform.f, src.transform.a, src.height, src.width, src.crs.to_string())
        return Raster(grid, path=Path(path), nodata=src.nodata)
