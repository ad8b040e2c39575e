"""A square project of any size on disk: one county, stations on air at one density, no rasters given or both."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from shapely import box

from lcsiting.geo import grid as raster
from lcsiting.model import Grid, Raster

X0_M, Y0_M = 400_000.0, 4_000_000.0
TEXT = """
[project]
name = "方形示例"
resolution_m = {resolution:g}
[[networks]]
name = "移动广电"
operators = ["移动", "广电"]
bands = {{dense_urban = "n41", urban = "n41", suburban = "n41", village = "n41", rural = "n41"}}
[[services]]
name = "outdoor"
[[phases]]
year = 2020
target = 2
[layers]
boundaries = "范围.gpkg"
existing = {{path = "存量.csv", crs = "EPSG:4548"}}
"""


def write_square(
    folder: Path,
    width_m: float,
    resolution_m: float,
    sites: int,
    rasters_m: float | None = None,
    halves: int = 1,
    dem_m: float | None = None,
) -> Path:
    """Write the project; ``rasters_m`` is the pixel of its clutter and population files, None for no files.

    ``halves`` counties side by side, of different populations. With ``dem_m``, the pixel of a hilly DEM, the
    network is computed by P.1812.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = width_m / halves
    areas = {
        "级别": ["县"] * halves + ["市城区"],
        "代码": [f"37150{k + 2}" for k in range(halves)] + ["SCQ"],
        "名称": [f"示例县{k}" for k in range(halves)] + ["市城区"],
        "常住人口": [str(30_000 * (k + 1)) for k in range(halves)] + [""],
    }
    shapes = [box(X0_M + k * part, Y0_M, X0_M + (k + 1) * part, Y0_M + width_m) for k in range(halves)]
    middle = box(X0_M + 0.4 * width_m, Y0_M + 0.4 * width_m, X0_M + 0.6 * width_m, Y0_M + 0.6 * width_m)
    frame = gpd.GeoDataFrame(areas, geometry=[*shapes, middle], crs="EPSG:4548")
    pyogrio.write_dataframe(frame, folder / "范围.gpkg")
    rng = np.random.default_rng(7)
    x_m, y_m = rng.uniform(0, width_m, (2, sites))
    table = {"站址编码": [f"L{i}" for i in range(sites)], "已开通5G": "移动:n41", "天线挂高": 30.0}
    pd.DataFrame({**table, "x": X0_M + x_m, "y": Y0_M + y_m}).to_csv(folder / "存量.csv", index=False)
    text = TEXT.format(resolution=resolution_m)
    if rasters_m:
        size = int(np.ceil(width_m / rasters_m)) + 6
        grid = Grid(X0_M - 3.3 * rasters_m, Y0_M + width_m + 2.6 * rasters_m, rasters_m, size, size, "EPSG:4548")
        people = rng.uniform(0, 9, (size, size)).astype(np.float32)
        raster.write_raster(folder / "人口.tif", Raster(grid, array=people))
        raster.write_raster(folder / "地物.tif", Raster(grid, array=rng.integers(1, 8, people.shape).astype(np.uint8)))
        text += 'population = "人口.tif"\nclutter = "地物.tif"\n'
    if dem_m:
        size = int(np.ceil(width_m / dem_m)) + 10
        grid = Grid(X0_M - 4.7 * dem_m, Y0_M + width_m + 4.7 * dem_m, dem_m, size, size, "EPSG:4548")
        walk = np.cumsum(np.cumsum(rng.normal(0, 1, (size, size)), 0), 1)
        hills = np.round(120 * (walk - walk.min()) / np.ptp(walk)).astype(np.int16)
        hills[:2] = -9999  # unknown far in the north
        raster.write_raster(folder / "高程.tif", Raster(grid, array=hills, nodata=-9999))
        text = text.replace("[[services]]", 'model = "p1812"\n[[services]]') + 'dem = "高程.tif"\n'
    (folder / "project.toml").write_text(text, encoding="utf-8")
    return folder / "project.toml"
