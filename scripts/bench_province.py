"""A province beside cities: peak memory, CPU and time per pixel of opening a project and streaming all its layers.

    python scripts/bench_province.py --json province.json            # 4, 25 and 400 million pixels, some ten minutes
    python scripts/bench_province.py --widths-km 40 100              # the cities only

Pixels of 20 m; 64 counties and 1 600 towns on the province's 400 x 400 km, stations at one density whatever the area:
30 000 by the statistical models, 2 000 by P.1812 over a DEM of 30 m. Project, rasters and outputs lie in a
temporary folder; every area is measured in a process of its own, the writing of its inputs left out.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from bench import peak_resident_mb, report, row

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PROVINCE_KM, PIXEL_M, DEM_M = 400.0, 20.0, 30.0
WIDTHS_KM = (40.0, 100.0, PROVINCE_KM)
STATISTICAL, BY_TERRAIN, TOWNS = 30_000, 2_000, 1_600  # on the province
X0_M, Y0_M = 300_000.0, 3_900_000.0
BYTES_PER_PIXEL = 40  # of disk: outputs, rasters and scratch, with room to spare
FACTOR = 1.5  # of the larger city's memory that a province may take: bands are at least a tile high, stations many
PROJECT = """
[project]
name = "示例省"
resolution_m = {pixel:g}
[[networks]]
name = "移动广电"
operators = ["移动", "广电"]
bands = {{dense_urban = "n41", urban = "n41", suburban = "n41", village = "n41", rural = "n41"}}
[[networks]]
name = "电联"
operators = ["电信", "联通"]
bands = {{dense_urban = "n78", urban = "n78", suburban = "n78", village = "n78", rural = "n78"}}
model = "p1812"
[[services]]
name = "outdoor"
[[services]]
name = "indoor"
indoor = true
[[phases]]
year = 2020
target = 2
[layers]
boundaries = "范围.gpkg"
existing = {{path = "存量.csv", crs = "EPSG:4548"}}
dem = "高程.tif"
"""


def write_areas(folder: Path, width_m: float, towns: np.ndarray) -> None:
    """Square counties of at most 50 km with a million people each, and towns of 3 km."""
    import geopandas as gpd
    import pyogrio
    from shapely import Point, box

    side = int(np.ceil(width_m / 50_000))
    step = width_m / side
    corners = [(X0_M + i * step, Y0_M + j * step) for j in range(side) for i in range(side)]
    shapes = [box(x, y, x + step, y + step) for x, y in corners] + [Point(x, y).buffer(1500, 8) for x, y in towns]
    counties = len(corners)
    table = {
        "级别": ["县"] * counties + ["乡镇"] * len(towns),
        "代码": [f"{370000 + k}" for k in range(counties)] + [f"Z{k}" for k in range(len(towns))],
        "名称": [f"示例县{k}" for k in range(counties)] + [f"示例镇{k}" for k in range(len(towns))],
        "常住人口": ["1000000"] * counties + [""] * len(towns),
    }
    pyogrio.write_dataframe(gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:4548"), folder / "范围.gpkg")


def write_stations(folder: Path, width_m: float, towns: np.ndarray, rng: np.random.Generator) -> int:
    """Places on air, four of five around a town; how many."""
    import pandas as pd

    parts = []
    for number, on_air in ((STATISTICAL, "移动:n41"), (BY_TERRAIN, "电信:n78")):
        count = max(round(number * (width_m / 1000 / PROVINCE_KM) ** 2), 2)
        spread = rng.uniform(0, width_m, (count, 2)) + (X0_M, Y0_M)
        near = towns[rng.integers(0, len(towns), count)] + rng.normal(0, 2500, (count, 2))
        xy = np.clip(
            np.where(rng.random((count, 1)) < 0.8, near, spread), (X0_M, Y0_M), (X0_M + width_m, Y0_M + width_m)
        )
        parts.append(pd.DataFrame({"已开通5G": on_air, "x": xy[:, 0].round(1), "y": xy[:, 1].round(1)}))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "站址编码", [f"L{k}" for k in range(len(table))])
    table.assign(天线挂高=rng.uniform(25, 40, len(table)).round(1)).to_csv(folder / "存量.csv", index=False)
    return len(table)


def write_dem(folder: Path, width_m: float) -> None:
    """Hills of some 10 km with some roughness, a kilometre beyond the area on every side, band by band."""
    from lcsiting.geo import grid as raster

    grid = raster.frame((X0_M - 1000, Y0_M - 1000, X0_M + width_m + 1000, Y0_M + width_m + 1000), DEM_M, "EPSG:4548")
    x_m, y_m = raster.cell_centres(grid)

    def rows(first: int, last: int) -> np.ndarray:
        y, rough = y_m[first:last, None], np.random.default_rng(first).normal(0, 3, (last - first, grid.cols))
        hills = np.sin(x_m / 9000) * np.cos(y / 7000) + 0.5 * np.sin((x_m + y) / 2300) * np.cos((x_m - y) / 3100)
        return (150 + 80 * hills + rough).astype(np.int16)

    raster.from_rows(grid, np.int16, rows, folder / "高程.tif")


def write_project(folder: Path, width_m: float) -> int:
    """The input files; the number of stations."""
    rng = np.random.default_rng(5)
    towns = rng.uniform(2000, width_m - 2000, (max(round(TOWNS * (width_m / 1000 / PROVINCE_KM) ** 2), 1), 2))
    towns += (X0_M, Y0_M)
    write_areas(folder, width_m, towns)
    write_dem(folder, width_m)
    (folder / "project.toml").write_text(PROJECT.format(pixel=PIXEL_M), encoding="utf-8")
    return write_stations(folder, width_m, towns, rng)


def measure(folder: Path) -> dict[str, float]:
    """Open the project with its rasters on disk and stream its coverage, two threads; figures of this process."""
    import lcsiting as lc

    wall = time.perf_counter()
    project = lc.open_project(folder, rasters="disk", workdir=folder / "work")
    opened, open_mb = time.process_time(), peak_resident_mb()
    layers, counts, *_ = lc.stream_coverage(project, None, 2020, folder / "out", threads=2)
    served = counts.query("network == 'all' and service == 'outdoor'")
    return {
        "pixels": project.grid.rows * project.grid.cols,
        "files": sum(len(one) for one in layers.values()),
        "open_cpu_s": opened,
        "open_mb": open_mb,
        "stream_cpu_s": time.process_time() - opened,
        "peak_mb": peak_resident_mb(),
        "wall_s": time.perf_counter() - wall,
        "covered_share": float(served["covered_km2"].sum() / served["km2"].sum()),
    }


def of_width(width_km: float) -> dict[str, float]:
    """Figures of one area in a process of its own; its files are removed."""
    with tempfile.TemporaryDirectory(prefix="province-") as name:
        folder = Path(name)
        stations = write_project(folder, 1000 * width_km)
        command = [sys.executable, __file__, "--measure", str(folder)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
        size = sum(path.stat().st_size for path in (folder / "out").rglob("*.tif"))
        return json.loads(done.stdout) | {"stations": stations, "output_gb": size / 1e9}


def rows_of(found: dict[float, dict[str, float]]) -> list[dict]:
    """Rows as ``scripts/bench.py`` prints them."""
    rows = []
    for figures in found.values():
        what = f"streaming {figures['pixels'] / 1e6:.0f} Mpx"
        cpu_s = figures["open_cpu_s"] + figures["stream_cpu_s"]
        rows += [
            row(f"{what}: stations", figures["stations"], ""),
            row(f"{what}: peak memory, project opened", figures["open_mb"], "MB"),
            row(f"{what}: peak memory", figures["peak_mb"], "MB"),
            row(f"{what}: CPU of opening", figures["open_cpu_s"], "s"),
            row(f"{what}: CPU of {figures['files']:.0f} layers, written", figures["stream_cpu_s"], "s"),
            row(f"{what}: CPU per pixel, both", cpu_s / figures["pixels"] * 1e6, "us/px"),
            row(f"{what}: wall, 2 threads", figures["wall_s"], "s"),
            row(f"{what}: files", figures["output_gb"], "GB"),
        ]
    cities = [figures["peak_mb"] for width, figures in found.items() if width < PROVINCE_KM]
    if cities and PROVINCE_KM in found:
        ratio = found[PROVINCE_KM]["peak_mb"] / max(cities)
        rows.append(row("streaming: memory of the province over the city's", ratio, "x", "<=", FACTOR))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--widths-km", type=float, nargs="+", default=WIDTHS_KM, help="sides of the squares")
    parser.add_argument("--measure", type=Path, help="measure this project (used by the bench itself)")
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure)))
        return
    found = {}
    for width in arguments.widths_km:
        needed, free = BYTES_PER_PIXEL * (1000 * width / PIXEL_M) ** 2, shutil.disk_usage(tempfile.gettempdir()).free
        if needed > free:
            print(f"{width:g} km left out: needs {needed / 1e9:.0f} GB of disk, {free / 1e9:.0f} GB are free")
            continue
        found[width] = of_width(width)
    report(rows_of(found), arguments.json)


if __name__ == "__main__":
    main()
