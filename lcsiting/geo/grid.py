"""The one raster frame, and the only opener and writer of raster files (``geo.resample`` brings others onto it).

Rows run north to south; a pixel belongs to an area when its centre does.
"""

import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import ArrayLike, NDArray
from rasterio.features import rasterize as _burn
from rasterio.transform import Affine

from lcsiting.errors import CrsError, LayerError
from lcsiting.model import Grid, Raster

STREAM_ROWS = 128  # height of the tiles of a streamed GeoTIFF
BAND_PIXELS = 2_000_000  # of a band of rows where a raster is made band by band
CACHE_BYTES = 64_000_000  # of GDAL's tiles while bands are read and written
SNAP_PIXELS = 1e-6  # an extent this near a pixel's edge ends there, whatever the rounding of its metres
Rows = Callable[[int, int], NDArray[Any]]  # pixels of the rows first .. last (exclusive)
Span = tuple[int, int, int, int]  # first row, last row, first column, last column; the last exclusive


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
    west, south, east, north = bounds(grid)
    shapes = []
    for geometry, value in zip(geometries, values, strict=True):
        if geometry is None or geometry.is_empty:
            continue
        left, low, right, high = geometry.bounds  # a band of rows is burnt with the areas it meets, not with all
        if left <= east and right >= west and low <= north and high >= south:
            shapes.append((geometry, value))
    if not shapes:
        return np.full((grid.rows, grid.cols), fill, dtype=dtype)
    return _burn(shapes, out_shape=(grid.rows, grid.cols), fill=fill, transform=transform(grid), dtype=dtype)


def pixels(raster: Raster) -> NDArray[Any]:
    """All pixels of a raster, from memory or from its file."""
    if raster.array is not None:
        return raster.array
    with rasterio.open(raster.path) as src:
        return src.read(1)


def span(grid: Grid, extent: tuple[float, float, float, float], beyond: int = 0) -> Span:
    """The rows and columns that cover ``extent`` (west, south, east, north), clipped to the grid.

    ``beyond``: so many rows and columns off every edge of the grid count as its own.
    """
    west, south, east, north = extent
    col0 = max(-beyond, math.floor((west - grid.x0_m) / grid.resolution_m + SNAP_PIXELS))
    col1 = min(grid.cols + beyond, math.ceil((east - grid.x0_m) / grid.resolution_m - SNAP_PIXELS))
    row0 = max(-beyond, math.floor((grid.y0_m - north) / grid.resolution_m + SNAP_PIXELS))
    row1 = min(grid.rows + beyond, math.ceil((grid.y0_m - south) / grid.resolution_m - SNAP_PIXELS))
    return row0, max(row0, row1), col0, max(col0, col1)


def part_of(grid: Grid, part: Span) -> Grid:
    """The frame of a span of a grid; it may reach beyond the grid."""
    row0, row1, col0, col1 = part
    size = grid.resolution_m
    return Grid(grid.x0_m + col0 * size, grid.y0_m - row0 * size, size, row1 - row0, col1 - col0, grid.crs)


def read_span(raster: Raster, part: Span) -> NDArray[Any]:
    """Pixels of a span, from memory (a view) or from the file; beyond the grid those of its nearest edge."""
    row0, row1, col0, col1 = part
    rows, cols = raster.grid.rows, raster.grid.cols
    top, left = min(max(row0, 0), rows - 1), min(max(col0, 0), cols - 1)
    bottom, right = max(min(row1, rows), top), max(min(col1, cols), left)
    if raster.array is not None:
        array = raster.array[top:bottom, left:right]
    else:
        with rasterio.open(raster.path) as src:
            array = src.read(1, window=rasterio.windows.Window(left, top, right - left, bottom - top))
    if (top, bottom, left, right) == part or not array.size:
        return array
    row = np.clip(np.arange(row0, row1), top, bottom - 1) - top
    col = np.clip(np.arange(col0, col1), left, right - 1) - left
    return array[np.ix_(row, col)]


def window(raster: Raster, extent: tuple[float, float, float, float]) -> Raster:
    """The part of a raster that covers ``extent`` (west, south, east, north), clipped to it."""
    part = span(raster.grid, extent)
    return Raster(part_of(raster.grid, part), array=read_span(raster, part), nodata=raster.nodata)


def open_file(path: Path) -> rasterio.DatasetReader:
    """A raster file with a coordinate system, opened; the message says what is wrong with any other."""
    try:
        src = rasterio.open(path)
    except rasterio.errors.RasterioIOError as error:
        raise LayerError(f"{path.name}: cannot be read as a raster ({error}). Save it as GeoTIFF.") from error
    if src.crs is None:
        src.close()
        raise CrsError(f"{path.name}: the raster has no coordinate system. Assign one in QGIS and save it again.")
    return src


def row_bands(grid: Grid, pixels: int | None = None) -> list[tuple[int, int]]:
    """Bands of rows (first, last) of about ``pixels`` pixels (:data:`BAND_PIXELS`), in whole tiles of rows."""
    pixels = BAND_PIXELS if pixels is None else pixels
    step = max(pixels // max(grid.cols, 1) // STREAM_ROWS, 1) * STREAM_ROWS
    return [(first, min(first + step, grid.rows)) for first in range(0, grid.rows, step)]


def from_rows(grid: Grid, dtype: Any, rows: Rows, path: Path | None = None, nodata: float | None = None) -> Raster:
    """A raster made band by band, in memory or, with a path, as a tiled GeoTIFF.

    Parameters
    ----------
    grid : Grid
    dtype : dtype
    rows : callable
        ``rows(first, last)``, called once for each of :func:`row_bands`, in order.
    path : Path, optional
        The pixels are the same in memory and on disk.
    nodata : float, optional
        Value of unknown pixels.
    """
    if path is None:
        out = np.empty((grid.rows, grid.cols), dtype=dtype)
        for first, last in row_bands(grid):
            out[first:last] = rows(first, last)
        return Raster(grid, array=out, nodata=nodata)
    with bounded_cache(), stream_raster(path, grid, np.dtype(dtype).name, nodata=nodata) as write:
        for first, last in row_bands(grid):
            write(first, np.asarray(rows(first, last), dtype=dtype))
    return Raster(grid, path=Path(path), nodata=nodata)


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
    with _appearing(path) as temporary, rasterio.open(temporary, "w", **profile) as dst:
        dst.write(array, 1)
        if tags:
            dst.update_tags(**tags)
        if scale != 1.0:
            dst.scales = (scale,)
        if description:
            dst.set_band_description(1, description)
    return path


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A file beside ``path`` that takes its place when all went well; shared like its folder."""
    handle, name = tempfile.mkstemp(suffix=".tif", prefix=".part-", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(path.parent.stat().st_mode & 0o666)  # mkstemp makes it private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def bounded_cache() -> Iterator[None]:
    """Hold GDAL's cache of tiles to :data:`CACHE_BYTES` in this process; by default it grows to 5 % of the memory."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        yield


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
    with _appearing(path) as temporary, rasterio.open(temporary, "w", **profile) as dst:
        if scale != 1.0:
            dst.scales = (scale,)
        if description:
            dst.set_band_description(1, description)

        def write(first_row: int, array: NDArray[Any]) -> None:
            dst.write(array, 1, window=rasterio.windows.Window(0, first_row, array.shape[1], array.shape[0]))

        yield write


def rows_of(grid: Grid, first: int, last: int) -> Grid:
    """The frame of some rows of a grid."""
    return part_of(grid, (first, last, 0, grid.cols))


def open_raster(path: Path) -> Raster:
    """A raster written by :func:`write_raster`, left on disk."""
    with open_file(Path(path)) as src:
        grid = Grid(src.transform.c, src.transform.f, src.transform.a, src.height, src.width, src.crs.to_string())
        return Raster(grid, path=Path(path), nodata=src.nodata)
