"""Measure the radial sweep and the P.452 batch: cost per pixel, ratio to own profiles, exactness, sampling, threads.

    python scripts/bench_sweep.py --json sweep.json

Ratios are taken within one run, rounds interleaved; CPU time unless it says wall. The speed-up of threads needs
idle cores.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from bench import report, row, timed

from lcsiting.coverage import disc, sweep
from lcsiting.coverage import radials as kernel
from lcsiting.geo import geodesic
from lcsiting.model import Grid, Raster
from lcsiting.radio.p452_batch import pair_losses_db
from lcsiting.radio.plane import Plane
from lcsiting.radio.radial import Place

CRS, LATITUDE = "EPSG:4548", 36.45
CLIMATE = {"delta_n": 40.06, "n0": 320.5}
ROUNDS = 5
OWN_CHUNKS, OWN_PIXELS = 40, 1024  # sample of pixels the own-profile engine is timed on


def terrain(size: int, pixel_m: float, sigma_m: float, seed: int = 1) -> Raster:
    """Spectral ground, rough down to the pixel."""
    rng = np.random.default_rng(seed)
    number = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    number[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) * number**-1.65
    spectrum[0, 0] = 0.0
    z = np.fft.irfft2(spectrum, s=(size, size))
    z = 40.0 + sigma_m * z / z.std()
    return Raster(
        Grid(400_000.0, 4_100_000.0, pixel_m, size, size, CRS), array=(z - min(z.min(), 0)).astype(np.float32)
    )


def clutter(dem: Raster, seed: int = 2) -> Raster:
    """Clutter of 3 to 30 m on three tenths of the pixels."""
    rng = np.random.default_rng(seed)
    shape = dem.array.shape
    return Raster(dem.grid, array=np.where(rng.random(shape) < 0.3, rng.uniform(3, 30, shape), 0).astype(np.float32))


class Scene:
    """One site in the middle of a terrain, ready to be timed."""

    def __init__(self, asked, model, radius_m, pixel_m, sigma_m, covered=False, time_pct=1.0, rx_height_m=10.0):
        size = 2 * int(radius_m / pixel_m) + 9
        dem = terrain(size, pixel_m, sigma_m)
        heights = {"tx_height_agl_m": 30.0, "rx_height_agl_m": rx_height_m}
        self.q = sweep.area_question(model, frequency_mhz=3500.0, time_pct=time_pct, **heights, **CLIMATE)
        self.asked, self.terrain = asked, sweep.terrain_of(dem, clutter(dem) if covered else None)
        self.frame = sweep.frame_of(dem.grid)
        half = (size / 2 + 0.2) * pixel_m
        self.site = kernel.Site(dem.grid.x0_m + half, dem.grid.y0_m - half, 30.0, rx_height_m)
        self.place = sweep.place_of(CRS, self.site.x_m, self.site.y_m, radius_m)
        self.radius_m, self.pixel_m = radius_m, pixel_m
        self.rays = self.sort(1)

    def sort(self, radials, threads=1):
        count = sweep.ray_count(radials, self.radius_m, self.pixel_m)
        return disc.rays_around(self.frame, self.site, self.place, self.radius_m, count, self.pixel_m, threads)

    @property
    def pixels(self) -> int:
        return len(self.rays.pixel)

    def empty(self):
        return np.full(self.frame.rows * self.frame.cols, np.nan)

    def sweep(self, out, threads=1, scan=False, radials=1):
        rays = self.sort(radials, threads)

        def work(first, end):
            kernel.ray_block(
                first, end, self.asked, scan, self.q, self.terrain, self.frame, self.site, self.place, rays, out
            )

        disc.in_threads(work, len(rays.start) - 1, sweep.RAYS_PER_TASK, threads)

    def own(self, out) -> int:
        """Own profiles of a sample of pixels; how many."""
        done = 0
        for first in np.linspace(0, max(self.pixels - OWN_PIXELS, 0), OWN_CHUNKS).astype(int):
            end = min(int(first) + OWN_PIXELS, self.pixels)
            kernel.own_block(
                int(first), end, self.asked, self.q, self.terrain, self.frame, self.site, self.place, self.rays, out
            )
            done += end - int(first)
        return done


def against_own(scene: Scene, rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds per pixel of sweep and own profiles, interleaved rounds, medians."""
    out = scene.empty()
    scene.sweep(out)
    scene.own(out)
    swept, two, own = [], [], []
    for _ in range(rounds):
        swept.append(timed(lambda: scene.sweep(out)))
        two.append(timed(lambda: scene.sweep(out, threads=2)))
        count = OWN_CHUNKS * min(OWN_PIXELS, scene.pixels)
        own.append(timed(lambda: scene.own(out))[0] / count)
    cpu = float(np.median([c for c, _ in swept]))
    return {
        "us": 1e6 * cpu / scene.pixels,
        "own_us": 1e6 * float(np.median(own)),
        "ratio": float(np.median(own)) * scene.pixels / cpu,
        "speed_up": min(w for _, w in swept) / min(w for _, w in two),
        "two_cpu": float(np.median([c for c, _ in two])) / cpu,
    }


def difference(scene: Scene) -> float:
    """Largest difference between sweep and scans on the same profiles, dB, all pixels."""
    swept, scanned = scene.empty(), scene.empty()
    scene.sweep(swept, threads=2)
    scene.sweep(scanned, threads=2, scan=True)
    assert (np.isnan(swept) == np.isnan(scanned)).all()
    return float(np.nanmax(np.abs(swept - scanned)))


def sampling(scene: Scene, radials: int) -> dict[str, float]:
    """Error of shared radials on the sampled pixels."""
    shared, own = scene.empty(), scene.empty()
    scene.sweep(shared, threads=2, radials=radials)
    scene.own(own)
    return sweep.sampling_error_db(Raster(None, array=shared), Raster(None, array=own))


def contours() -> list[dict]:
    """P.452, 50 km at 100 m."""
    rows = []
    for label, sigma, covered in (("hills", 120.0, False), ("plain", 4.0, False), ("hills, clutter", 120.0, True)):
        scene = Scene(kernel.CLEAR_AIR, "p452", 50_000.0, 100.0, sigma, covered)
        name = f"P.452 contour 50 km at 100 m, {label}"
        figures = against_own(scene)
        rows += [
            row(f"{name}: sweep", figures["us"], "us/pixel", "<=", 1.8),
            row(f"{name}: own profiles", figures["own_us"], "us/pixel"),
            row(f"{name}: ratio", figures["ratio"], "x", ">=", 6.0),
            row(f"{name}: speed-up of 2 threads", figures["speed_up"], "x", ">=", 1.7),
            row(f"{name}: CPU of 2 threads over 1", figures["two_cpu"], "x", "<=", 1.1),
            row(f"{name}: largest difference to the scans", difference(scene), "dB", "<=", 1e-9),
        ]
        for radials in (1, 2):
            error = sampling(scene, radials)
            rows.append(row(f"{name}: sampling error, radials={radials}, rms", error["rms_db"], "dB"))
            rows.append(row(f"{name}: sampling error, radials={radials}, p95", error["p95_db"], "dB"))
    return rows


def one_cell() -> list[dict]:
    """P.1812, one site of 5 km at 30 m."""
    scene = Scene(kernel.CLEAR_AIR, "p1812", 5000.0, 30.0, 60.0, True, time_pct=50.0, rx_height_m=1.5)
    figures, error = against_own(scene, 9), sampling(scene, 1)
    name = "P.1812 one site 5 km at 30 m, hills, clutter"
    return [
        row(f"{name}: sweep", figures["us"], "us/pixel"),
        row(f"{name}: own profiles", figures["own_us"], "us/pixel"),
        row(f"{name}: ratio", figures["ratio"], "x"),
        row(f"{name}: speed-up of 2 threads", figures["speed_up"], "x", ">=", 1.7),
        row(f"{name}: largest difference to the scans", difference(scene), "dB", "<=", 1e-9),
        row(f"{name}: sampling error, rms", error["rms_db"], "dB"),
        row(f"{name}: sampling error, p95", error["p95_db"], "dB"),
    ]


def city() -> list[dict]:
    """P.1812 around 10 000 sites: 2 km, 50 m pixels, DEM of 30 m, clutter."""
    sites, radius, pixel, side = 10_000, 2000.0, 50.0, 90_000.0
    dem = terrain(3000, 30.0, 8.0)
    ground = sweep.terrain_of(dem, clutter(dem))
    q = sweep.area_question(
        "p1812", frequency_mhz=3500.0, time_pct=50.0, tx_height_agl_m=30.0, rx_height_agl_m=1.5, **CLIMATE
    )
    rng = np.random.default_rng(0)
    x = dem.grid.x0_m + rng.uniform(radius, side - radius, sites)
    y = dem.grid.y0_m - rng.uniform(radius, side - radius, sites)
    count = sweep.ray_count(1, radius, pixel)
    answered = np.zeros(sites)

    def one(k: int, planes: Plane) -> None:
        frame = sweep.frame_of(sweep.disc_grid(Grid(0.0, 0.0, pixel, 1, 1, CRS), x[k], y[k], 1.001 * radius))
        place = Place(Plane(planes.to_plane[k], planes.to_local[k]), 0.0, 1.0, LATITUDE)
        out = np.full(frame.rows * frame.cols, np.nan)
        site = kernel.Site(x[k], y[k], 30.0, 1.5)
        kernel.site_disc(kernel.CLEAR_AIR, q, ground, frame, site, place, radius, count, pixel, out)
        answered[k] = np.isfinite(out).sum()

    def run(threads: int, number: int) -> None:
        planes = geodesic.local_planes(CRS, x[:number], y[:number], radius)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda k: one(k, planes), range(number)))

    run(1, 20)
    sample = 1000
    walls = [[timed(lambda n=n: run(n, sample))[1] for n in (1, 2)] for _ in range(3)]
    cpu = timed(lambda: run(os.cpu_count() or 1, sites))[0]
    name = "P.1812 city, 10 000 sites, 2 km at 50 m"
    return [
        row(f"{name}: CPU", cpu, "s", "<=", 180.0),
        row(f"{name}: sweep", 1e6 * cpu / answered.sum(), "us/pixel"),
        row(f"{name}: speed-up of 2 threads", min(w[0] for w in walls) / min(w[1] for w in walls), "x", ">=", 1.7),
    ]


def bullington() -> list[dict]:
    """Cost per pixel of Bullington diffraction near and far, on one pixel size and on one number of pixels."""
    scenes = {
        "5 km at 100 m": Scene(kernel.BULLINGTON, "bullington", 5000.0, 100.0, 120.0, rx_height_m=1.5),
        "5 km at 10 m": Scene(kernel.BULLINGTON, "bullington", 5000.0, 10.0, 60.0, rx_height_m=1.5),
        "50 km at 100 m": Scene(kernel.BULLINGTON, "bullington", 50_000.0, 100.0, 120.0, rx_height_m=1.5),
    }
    repeats = {"5 km at 100 m": 40}
    outs = {key: scene.empty() for key, scene in scenes.items()}
    for key, scene in scenes.items():
        scene.sweep(outs[key])
    cost = {key: [] for key in scenes}
    two = []
    for _ in range(ROUNDS):
        for key, scene in scenes.items():
            times = repeats.get(key, 1)
            used = timed(lambda s=scene, o=outs[key], t=times: [s.sweep(o) for _ in range(t)])
            cost[key].append((used[0] / times / scene.pixels, used[1] / times))
        two.append(timed(lambda: scenes["50 km at 100 m"].sweep(outs["50 km at 100 m"], threads=2))[1])
    median = {key: float(np.median([c for c, _ in values])) for key, values in cost.items()}
    far, name = median["50 km at 100 m"], "Bullington"
    return [
        *(row(f"{name} {key}", 1e9 * value, "ns/pixel") for key, value in median.items()),
        row(f"{name}: 50 km over 5 km, same pixel size", far / median["5 km at 100 m"], "x", "<=", 1.5),
        row(f"{name}: 50 km over 5 km, same number of pixels", far / median["5 km at 10 m"], "x", "<=", 1.5),
        row(f"{name}: speed-up of 2 threads", min(w for _, w in cost["50 km at 100 m"]) / min(two), "x", ">=", 1.7),
    ]


def pairs() -> list[dict]:
    """P.452 between 10 000 pairs 40 km apart, 100 m steps, two time percentages, profiles included."""
    dem = terrain(1200, 90.0, 30.0)
    ground = sweep.terrain_of(dem)
    rng, n = np.random.default_rng(5), 10_000
    angle, side = rng.uniform(0, 2 * np.pi, n), 1200 * 90.0
    middle_x = dem.grid.x0_m + rng.uniform(21_000, side - 21_000, n)
    middle_y = dem.grid.y0_m - rng.uniform(21_000, side - 21_000, n)
    dx, dy = 20_000 * np.cos(angle), 20_000 * np.sin(angle)

    def run(threads: int) -> None:
        tx, rx = (middle_x - dx, middle_y - dy), (middle_x + dx, middle_y + dy)
        found = geodesic.lines(CRS, *tx, *rx)
        losses, _ = pair_losses_db(
            ground, np.arange(n), np.arange(n), tx_x_m=tx[0], tx_y_m=tx[1], tx_height_agl_m=30.0, rx_x_m=rx[0],
            rx_y_m=rx[1], rx_height_agl_m=10.0, rx_latitude_deg=LATITUDE, length_m=found.length_m, way_m=found.way_m,
            frequency_mhz=3500.0, time_pct=1.0, step_m=100.0, edge_holds=False, threads=threads, **CLIMATE,
        )  # fmt: skip
        assert np.isfinite(losses).all()

    run(1)
    one, two = zip(*((timed(lambda: run(1)), timed(lambda: run(2))) for _ in range(ROUNDS)), strict=True)
    name = "P.452, 10 000 paths of 40 km at 100 m"
    return [
        row(f"{name}: CPU", float(np.median([c for c, _ in one])), "s", "<=", 0.4),
        row(f"{name}: speed-up of 2 threads", min(w for _, w in one) / min(w for _, w in two), "x", ">=", 1.7),
    ]


PARTS = {"contours": contours, "one_cell": one_cell, "city": city, "bullington": bullington, "pairs": pairs}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part")
    arguments = parser.parse_args()
    rows = [item for name in arguments.only or PARTS for item in PARTS[name]()]
    report(rows, arguments.json)


if __name__ == "__main__":
    main()
