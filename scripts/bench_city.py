"""Whole cities by terrain models and antenna files.

Terrain: 10 000 sites, 2 km, 50 m, three sectors a site, hills; one call of the block function. Patterns: the tile
kernel with gathers beside formulas, same run.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench import report, rows_of, timed

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "coverage_room")]

SITES, REACH_M, PIXEL_M, MHZ = 10_000, 2000.0, 50.0, 3450.0
SAMPLE = 400  # sites whose windows are timed with one and two threads


def city(count: int):
    """Sites at the density of a city, its terrain with clutter on a third of the pixels, and its grid."""
    from scene import random_sectors

    from lcsiting.coverage.rowmath import P1812
    from lcsiting.coverage.terrain import Terrain
    from lcsiting.model import Grid, Raster
    from lcsiting.radio import pathloss

    size = int(np.ceil(np.sqrt(count) * 935.0 / PIXEL_M))  # 10 000 sites on 8 740 km2
    grid = Grid(0.0, size * PIXEL_M, PIXEL_M, size, size, "EPSG:4548")
    rng = np.random.default_rng(0)
    walk = np.cumsum(np.cumsum(rng.normal(size=(size, size)), axis=0), axis=1)
    hills = (120.0 * (walk - walk.mean()) / walk.std()).astype(np.float32)
    clutter = np.where(rng.random((size, size)) < 0.3, 12.0, 0.0).astype(np.float32)
    terrain = Terrain(Raster(grid, array=hills), Raster(grid, array=clutter), 320.5, 40.06, 36.5)
    sectors = random_sectors(count, size * PIXEL_M, seed=1, models=(0,))
    height = np.full(count, 30.0)
    sectors = replace(
        sectors,
        reach_m=np.full(count, REACH_M),
        height_agl_m=height,
        coefficients=pathloss.coefficients("uma", MHZ, height),
        terrain=np.full(count, P1812, np.uint8),
        frequency_mhz=np.full(count, MHZ),
    )
    return sectors, terrain, grid


def network(sectors, terrain, grid):
    """The block function's job for one band."""
    from lcsiting.coverage.block import Band, NetworkJob

    required = np.full((len(sectors.classes), 5, 1), -95.0, np.float32)
    near = np.full(len(sectors), 0.0 if terrain is None else terrain.near_field_m)
    band = Band("n78", sectors, -120.0, required, 0, near, np.ones(len(sectors), np.uint8))
    return NetworkJob(grid, "one", (band,), ("outdoor",), 0.5, 6.0, terrain)


def terrain_city() -> dict[str, float]:
    """CPU of a whole city by P.1812, and the share of its windows alone with one and two threads."""
    from lcsiting.coverage.block import compute_block
    from lcsiting.coverage.terrain import station_windows

    small = city(9)
    compute_block(network(*small), (0, small[2].rows), np.zeros((small[2].rows, small[2].cols), np.int8))
    sectors, terrain, grid = city(SITES)
    job, morphology = network(sectors, terrain, grid), np.zeros((grid.rows, grid.cols), np.int8)
    cpu, wall = timed(lambda: compute_block(job, (0, grid.rows), morphology, threads=2))
    sample, ground, frame = city(SAMPLE)
    one = min(timed(lambda: station_windows(sample, ground, frame, threads=1)) for _ in range(3))
    two = min(timed(lambda: station_windows(sample, ground, frame, threads=2))[1] for _ in range(3))
    pixels = SAMPLE * np.pi * (REACH_M / PIXEL_M) ** 2
    return {
        "p1812_city_cpu_s": cpu,
        "p1812_city_wall_s": wall,
        "p1812_us_per_pixel": one[0] / pixels * 1e6,
        "p1812_speed_up": one[1] / two,
    }


def pattern_kernel() -> dict[str, float]:
    """The tile kernel by formula and by gathers on the same sectors, interleaved."""
    from lcsiting.coverage import statistical

    sectors, _, grid = city(2500)
    sectors = replace(sectors, terrain=None)
    table = np.zeros((1, 3, 362), np.float32)
    table[0, 0, :361] = 12 * (((np.arange(361) + 180) % 360 - 180) / 65.0) ** 2
    tabled = replace(sectors, pattern=np.zeros(len(sectors.azimuth_deg), np.int16), patterns=np.minimum(table, 30))
    plain, gathers = [], []
    for _ in range(4):
        plain.append(timed(lambda: statistical.best_server(sectors, grid, noise_dbm=-120.0, threads=1))[0])
        gathers.append(timed(lambda: statistical.best_server(tabled, grid, noise_dbm=-120.0, threads=1))[0])
    return {"pattern_ratio": min(gathers[1:]) / min(plain[1:])}


FIGURES = {  # figure: name, unit, comparison, target
    "p1812_city_cpu_s": ("city by P.1812, 10 000 sites, 2 km, 50 m: CPU", "s", "<=", 180.0),
    "p1812_city_wall_s": ("city by P.1812: wall, 2 threads", "s", "", 0.0),
    "p1812_us_per_pixel": ("station windows by P.1812, 2 km at 50 m", "us/px", "", 0.0),
    "p1812_speed_up": ("station windows: speed-up of 2 threads", "x", ">=", 1.7),
    "pattern_ratio": ("tile kernel: pattern tables over formulas, CPU", "x", "", 0.0),
}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the rows here")
    arguments = parser.parse_args()
    report(rows_of(terrain_city() | pattern_kernel(), FIGURES), arguments.json)


if __name__ == "__main__":
    main()
