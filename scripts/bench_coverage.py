"""Measure the coverage kernel: speed against NumPy and against writing its files, accuracy, memory, threads, start.

    python scripts/bench_coverage.py --json coverage.json

Ratios are taken within one run; absolute times depend on the machine and its load.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from bench import peak_resident_mb, report, rows_of, timed

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "coverage_room"))  # the oracle of the tests

SITES, SIDE_M, PIXEL_M, REACH_M = 10_000, 93_270.0, 20.0, 2_000.0
NOISE_DBM = -122.2
ORACLE_SITES = 60
ROUNDS = 5

COLD_START = """
import time, resource
import lcsiting.radio, lcsiting.coverage
from lcsiting.coverage import statistical
import numpy as np, types
from lcsiting.coverage.sectors import Sectors
from lcsiting.radio import pathloss
one = np.zeros(1)
sectors = Sectors(np.zeros(1, np.int32), one, one, one + 25, np.zeros(1, np.int16), np.zeros(1, np.int16),
    (("n78", "uma"),), pathloss.coefficients("uma", 3450.0, 25.0), one + 2000, np.zeros(1, np.uint8),
    np.array([0, 1]), one, one + 6, one + 38, one + 65, one + 12)
grid = types.SimpleNamespace(x0_m=-1000.0, y0_m=1000.0, resolution_m=20.0, rows=100, cols=100)
layers = statistical.best_server(sectors, grid, noise_dbm=-122.0)
assert np.isfinite(layers.rsrp_dbm).all()
use = resource.getrusage(resource.RUSAGE_SELF)
print(use.ru_utime + use.ru_stime)
"""


def scene():
    """Half the sites in twelve towns, half spread evenly; UMa at 3450 MHz, masts 20 to 45 m."""
    from lcsiting.coverage.sectors import Sectors
    from lcsiting.radio import pathloss

    rng = np.random.default_rng(0)
    towns = rng.uniform(0, SIDE_M, (12, 2))
    inner = np.mod(towns[rng.integers(0, 12, SITES // 2)] + rng.normal(0, 4000, (SITES // 2, 2)), SIDE_M)
    x_m, y_m = np.vstack([inner, rng.uniform(0, SIDE_M, (SITES - SITES // 2, 2))]).T.copy()
    height = rng.uniform(20, 45, SITES)
    total = 3 * SITES
    return Sectors(
        station_rows=np.arange(SITES, dtype=np.int32),
        x_m=x_m,
        y_m=y_m,
        height_agl_m=height,
        network=np.zeros(SITES, np.int16),
        klass=np.zeros(SITES, np.int16),
        classes=(("n78", "uma"),),
        coefficients=pathloss.coefficients("uma", 3450.0, height),
        reach_m=np.full(SITES, REACH_M),
        flags=np.zeros(SITES, np.uint8),
        first=np.arange(0, total + 1, 3),
        azimuth_deg=(rng.uniform(0, 120, (SITES, 1)) + [0, 120, 240]).ravel(),
        tilt_deg=rng.uniform(3, 9, total),
        eirp_dbm=np.full(total, 37.86),
        horizontal_beamwidth_deg=np.full(total, 65.0),
        vertical_beamwidth_deg=np.full(total, 12.0),
    )


def frame():
    from coverage_oracle import PlainGrid

    size = int(SIDE_M / PIXEL_M)
    return PlainGrid(0.0, size * PIXEL_M, PIXEL_M, size, size)


def sector_pixels(sectors, grid, stations) -> int:
    """Pixels within reach and frame, times sectors."""
    x = grid.x0_m + (np.arange(grid.cols) + 0.5) * grid.resolution_m
    y = grid.y0_m - (np.arange(grid.rows) + 0.5) * grid.resolution_m
    total = 0
    for k in stations:
        dx = x[np.abs(x - sectors.x_m[k]) <= REACH_M] - sectors.x_m[k]
        dy = y[np.abs(y - sectors.y_m[k]) <= REACH_M] - sectors.y_m[k]
        inside = int((dy[:, None] ** 2 + dx[None] ** 2 <= REACH_M**2).sum())
        total += inside * int(sectors.first[k + 1] - sectors.first[k])
    return total


def accuracy(sectors, grid) -> dict[str, float]:
    """Largest differences from the oracle on 6 x 6 km full of interferers."""
    import coverage_oracle as oracle

    from lcsiting.coverage import statistical
    from lcsiting.coverage.refine_window import subset

    x0, y0 = np.median(sectors.x_m), np.median(sectors.y_m)
    window = oracle.PlainGrid(x0 - 3000, y0 + 3000, PIXEL_M, 300, 300)
    near = np.flatnonzero((np.abs(sectors.x_m - x0) < 5000) & (np.abs(sectors.y_m - y0) < 5000))
    some = subset(sectors, near)
    layers = statistical.best_server(some, window, noise_dbm=NOISE_DBM)
    rsrp, sinr, best, overlap, _, _ = oracle.best_server(some, window, noise_dbm=NOISE_DBM)
    return {
        "rsrp_error_db": float(np.nanmax(np.abs(layers.rsrp_dbm - rsrp))),
        "sinr_error_db": float(np.nanmax(np.abs(layers.sinr_db - sinr))),
        "server_differs_share": float((layers.best_sector != best).mean()),
        "overlap_differs_share": float((layers.overlap != overlap).mean()),
    }


def write_geotiffs(layers, folder: Path) -> None:
    """The four layers as GDAL writes deflate GeoTIFFs when nothing else is said."""
    import rasterio

    for name, array in layers._asdict().items():
        profile = {"driver": "GTiff", "height": array.shape[0], "width": array.shape[1], "count": 1}
        profile |= {"crs": "EPSG:4548", "transform": rasterio.Affine(PIXEL_M, 0, 4e5, 0, -PIXEL_M, 4e6)}
        with rasterio.open(folder / f"{name}.tif", "w", dtype=array.dtype.name, compress="deflate", **profile) as dst:
            dst.write(array, 1)


def speed() -> dict[str, float]:
    """Everything but memory and cold start; interleaved rounds, medians."""
    import coverage_oracle as oracle

    from lcsiting.coverage import statistical

    sectors, grid = scene(), frame()
    sample = np.random.default_rng(1).choice(SITES, ORACLE_SITES, replace=False)
    out = statistical.empty_layers(grid.rows, grid.cols)
    part = oracle.PlainGrid(grid.x0_m, grid.y0_m, PIXEL_M, grid.rows, grid.cols)

    def kernel(threads):
        statistical.best_server(sectors, grid, noise_dbm=NOISE_DBM, out=out, threads=threads)

    kernel(1)
    one, two, plain, writes = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            one.append(timed(lambda: kernel(1)))
            two.append(timed(lambda: kernel(2)))
            plain.append(timed(lambda: plain_stations(oracle, sectors, sample, part))[0])
            writes.append(timed(lambda: write_geotiffs(out, Path(folder)))[0])
    pixels, sampled = sector_pixels(sectors, grid, range(SITES)), sector_pixels(sectors, grid, sample)
    cpu = float(np.median([c for c, _ in one]))
    return {
        "kernel_cpu_s": cpu,
        "kernel_msectorpx_per_cpu_s": pixels / 1e6 / cpu,
        "numpy_msectorpx_per_cpu_s": sampled / 1e6 / float(np.median(plain)),
        "ratio_to_numpy": (pixels / cpu) / (sampled / float(np.median(plain))),
        "write_cpu_s": float(np.median(writes)),
        "kernel_to_write": cpu / float(np.median(writes)),
        "one_thread_wall_s": min(w for _, w in one),
        "two_threads_wall_s": min(w for _, w in two),
        "two_thread_speed_up": min(w for _, w in one) / min(w for _, w in two),
        **accuracy(sectors, grid),
    }


def plain_stations(oracle, sectors, sample, grid) -> None:
    """The oracle's work per station, each in a frame just large enough, so that no city-wide pass is charged to it."""
    for k in sample:
        reach = sectors.reach_m[k] + PIXEL_M
        left = np.floor((sectors.x_m[k] - reach) / PIXEL_M) * PIXEL_M
        top = np.ceil((sectors.y_m[k] + reach) / PIXEL_M) * PIXEL_M
        size = int(2 * reach / PIXEL_M) + 1
        window = oracle.PlainGrid(max(left, 0.0), min(top, grid.y0_m), PIXEL_M, size, size)
        oracle.best_server(sectors, window, noise_dbm=NOISE_DBM, stations=[k])


def memory() -> dict[str, float]:
    """Peak resident memory of this process beyond the outputs, after one run of the kernel."""
    from lcsiting.coverage import statistical

    sectors, grid = scene(), frame()
    layers = statistical.best_server(sectors, grid, noise_dbm=NOISE_DBM, threads=2)
    outputs = sum(array.nbytes for array in layers) / 1e6
    peak = peak_resident_mb()
    return {"outputs_mb": outputs, "peak_mb": peak, "beyond_outputs_mb": peak - outputs}


def child(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout


def cold_start() -> dict[str, float]:
    """CPU seconds of a fresh process that imports and calls the kernel once, caches warm."""
    child("-c", COLD_START)
    return {"cold_start_cpu_s": float(np.median([float(child("-c", COLD_START)) for _ in range(3)]))}


FIGURES = {  # figure: name, unit, comparison, target
    "kernel_msectorpx_per_cpu_s": ("coverage kernel, 10 000 sites at 20 m", "M sector-px/CPU s", "", 0.0),
    "numpy_msectorpx_per_cpu_s": ("same by NumPy float64 (60 sites)", "M sector-px/CPU s", "", 0.0),
    "ratio_to_numpy": ("coverage kernel: ratio to NumPy", "x", ">=", 15.0),
    "rsrp_error_db": ("coverage kernel: largest RSRP error", "dB", "<=", 0.001),
    "sinr_error_db": ("coverage kernel: largest SINR error", "dB", "<=", 0.005),
    "server_differs_share": ("coverage kernel: other best server", "share", "", 0.0),
    "overlap_differs_share": ("coverage kernel: other overlap", "share", "", 0.0),
    "kernel_cpu_s": ("coverage kernel: CPU", "s", "", 0.0),
    "write_cpu_s": ("its four default-deflate GeoTIFFs: CPU", "s", "", 0.0),
    "kernel_to_write": ("coverage kernel: CPU over writing", "x", "<=", 1.0),
    "outputs_mb": ("coverage kernel: outputs", "MB", "", 0.0),
    "beyond_outputs_mb": ("coverage kernel: peak memory beyond them", "MB", "<=", 250.0),
    "one_thread_wall_s": ("coverage kernel: wall, 1 thread", "s", "", 0.0),
    "two_threads_wall_s": ("coverage kernel: wall, 2 threads", "s", "", 0.0),
    "two_thread_speed_up": ("coverage kernel: speed-up of 2 threads", "x", ">=", 1.7),
    "cold_start_cpu_s": ("fresh process, warm cache, one kernel call: CPU", "s", "<=", 2.0),
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--memory", action="store_true", help="measure memory only (used by the bench itself)")
    arguments = parser.parse_args()
    if arguments.memory:
        print(json.dumps(memory()))
        return
    report(
        rows_of(speed() | json.loads(child(str(Path(__file__)), "--memory")) | cold_start(), FIGURES), arguments.json
    )


if __name__ == "__main__":
    main()
