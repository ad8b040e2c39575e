"""Coverage in blocks and from files is the coverage in memory, whoever computes it and however large the area is."""

import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from scene import random_sectors
from shapely import box
from square import write_square
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

from lcsiting.coverage import statistical, streaming
from lcsiting.coverage.block import Band, NetworkJob
from lcsiting.coverage.coverage import predict_coverage
from lcsiting.errors import RangeError
from lcsiting.geo import grid as raster
from lcsiting.geo import resample
from lcsiting.inputs.project import open_project
from lcsiting.model import Grid


@pytest.fixture(scope="module")
def project():
    """One network by P.1812, one by the models of its morphologies."""
    networks = [{**RAW_CONFIG["networks"][0], "model": "p1812"}, RAW_CONFIG["networks"][1]]
    return build_tiny_project(tiny_config(networks=networks))


@pytest.fixture(scope="module")
def in_memory(project):
    return predict_coverage(project, None, 2019)


def pixels(layer):
    return raster.window(layer, raster.bounds(layer.grid)).array


def assert_same(layers, coverage):
    for network, expected in coverage.layers.items():
        assert set(layers[network]) == set(expected)
        for name, layer in expected.items():
            np.testing.assert_array_equal(pixels(layers[network][name]), layer.array, err_msg=f"{network} {name}")


@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_streamed_pixels_are_the_pixels_in_memory(project, in_memory, tmp_path, executor):
    layers, counts, sectors, _ = streaming.stream_coverage(
        project, None, 2019, tmp_path, executor=executor, threads=2, pixels_per_block=128 * 240
    )
    assert len(streaming.blocks(project.grid, 128 * 240)) > 1, "more than one block"
    assert_same(layers, in_memory)
    assert sectors.equals(in_memory.sectors)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".part-")], "nothing left behind"
    county = in_memory.statistics.query("level == 'county'").reset_index(drop=True)
    np.testing.assert_allclose(counts["covered_km2"].sum(), county["covered_area_km2"].sum(), rtol=1e-9)
    np.testing.assert_allclose(counts["covered_people"].sum(), county["covered_people"].sum(), rtol=1e-6)


def test_worker_processes_of_a_cluster_give_the_same_pixels(project, in_memory, tmp_path):
    """Terrain, clutter and population lie in memory here; the workers read them, and the job, from files."""
    distributed = pytest.importorskip("distributed", reason="install lcsiting[cluster] to test the cluster")
    local = {"processes": True, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster, distributed.Client(cluster) as client:
        workers = client.run(os.getpid)
        layers, counts, *_ = streaming.stream_coverage(
            project, None, 2019, tmp_path / "cluster", executor=client, pixels_per_block=128 * 240
        )
    assert len(set(workers.values()) | {os.getpid()}) == 3, "two workers, and neither is this process"
    assert_same(layers, in_memory)
    _, same, *_ = streaming.stream_coverage(project, None, 2019, tmp_path / "one", executor="serial")
    np.testing.assert_array_equal(counts["covered_km2"], same["covered_km2"])


def test_without_clutter_all_is_rural_by_the_project_s_own_codes(tiny_project, tmp_path):
    codes = "[rural]\norder = 0\n[dense_urban]\norder = 4\n"
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "morphology.toml").write_text(codes, encoding="utf-8")
    bare = replace(tiny_project, clutter=None)
    recoded = replace(bare, root=tmp_path)
    layers, *_ = streaming.stream_coverage(recoded, None, 2019, tmp_path / "out", executor="serial")
    assert_same(layers, predict_coverage(recoded, None, 2019))
    assert_same(layers, predict_coverage(bare, None, 2019))  # the codes are only names


def test_compact_files_hold_hundredths(project, in_memory, tmp_path):
    layers, *_ = streaming.stream_coverage(project, None, 2019, tmp_path, compact=True)
    network = project.config.networks[0].name
    stored = pixels(layers[network]["rsrp_dbm"])
    assert stored.dtype == np.int16
    expected = in_memory.layers[network]["rsrp_dbm"].array
    found = np.isfinite(expected)
    np.testing.assert_allclose(stored[found] * 0.01, expected[found], atol=0.0051)
    assert (stored[~found] == -32768).all()


def test_a_band_of_rows_is_the_whole_bit_for_bit():
    sectors = random_sectors(30, 8000.0, seed=2)
    grid = Grid(0.1, 8000.3, 33.3, 250, 240, "EPSG:4548")  # a resolution no power of two divides
    whole = statistical.best_server(sectors, grid, noise_dbm=-120.0)
    for rows in ((0, 128), (128, 250)):
        part = statistical.best_server(sectors, grid, noise_dbm=-120.0, rows=rows)
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_array_equal(a[slice(*rows)], b)


def synthetic_job(width_m: float) -> streaming.StreamJob:
    """Stations at the same density, whatever the area."""
    grid = Grid(0.0, width_m, 20.0, int(width_m / 20), int(width_m / 20), "EPSG:4548")
    sectors = random_sectors(int((width_m / 1000) ** 2 / 4), width_m, seed=5, reach_m=1500.0)
    required = np.full((len(sectors.classes), 5, 1), -95.0, np.float32)
    none = np.zeros(len(sectors))
    band = Band("n78", sectors, -120.0, required, 0, none, none.astype(np.uint8))
    network = NetworkJob(grid, "one", (band,), ("outdoor",), 0.5, 6.0)
    areas = gpd.GeoDataFrame(geometry=[box(0, 0, width_m, width_m)], crs="EPSG:4548")
    return streaming.StreamJob((network,), areas, None, None, np.zeros(256, np.int8), compact=True)


def test_memory_does_not_grow_with_the_area(tmp_path):
    """Four times the area, the same peak (arrays of NumPy as Python counts them)."""
    peaks = []
    for width in (16_000.0, 32_000.0):
        job = synthetic_job(width)
        tracemalloc.start()
        streaming.stream(job, tmp_path / f"{width:.0f}", executor="serial", pixels_per_block=256_000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    whole_mb = 1600**2 * 13 / 1e6
    assert peaks[1] < 1.25 * peaks[0]
    assert peaks[1] / 1e6 < whole_mb, "less than one set of layers of the large area"


def test_blocks_tile_the_grid(project):
    for pixels_per_block in (1, 128 * 240, 10**9):
        bands = streaming.blocks(project.grid, pixels_per_block)
        assert bands[0][0] == 0 and bands[-1][1] == project.grid.rows
        assert all(a[1] == b[0] for a, b in itertools.pairwise(bands))
        assert all(first % statistical.TILE == 0 for first, _ in bands)
    empty = replace(project.grid, cols=1)
    assert len(streaming.blocks(empty)) == 1


@pytest.fixture(scope="module", params=[None, 70.0, 230.0], ids=["no rasters", "fine rasters", "coarse rasters"])
def twice(request, tmp_path_factory):
    """The same two counties with their rasters in memory and on disk, made in several bands of rows."""
    folder = tmp_path_factory.mktemp("方 形")
    file = write_square(folder, 16_000.0, 100.0 if request.param else 33.3, 30, request.param, halves=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster, "BAND_PIXELS", 1)
        kept = open_project(file)
        assert len(raster.row_bands(kept.grid)) > 1
        return kept, open_project(file, rasters="disk", workdir=folder / "工作")


def test_rasters_on_disk_are_those_in_memory(twice):
    kept, left = twice
    for name in ("clutter", "population"):
        there, here = getattr(left, name), getattr(kept, name)
        assert there.array is None and there.path.parent.name == "工作"
        np.testing.assert_array_equal(pixels(there), here.array, err_msg=name)
    assert left.places.equals(kept.places), "morphologies sampled from the file"
    assert left.population.path.parent != left.root
    assert not list(left.population.path.parent.glob(".part-*"))


def test_bands_of_a_raster_are_the_whole(twice):
    """People keep their sum, and no seam shows where bands meet."""
    kept, _ = twice
    at_once = open_project(kept.root)  # one band
    assert len(raster.row_bands(kept.grid)) == 1
    np.testing.assert_array_equal(kept.clutter.array, at_once.clutter.array)
    np.testing.assert_allclose(kept.population.array, at_once.population.array, rtol=1e-6)
    total = kept.population.array.sum(dtype=float)
    if kept.config.population is None:
        assert total == pytest.approx(90_000, rel=1e-6)
    else:
        given = raster.open_raster(kept.root / "人口.tif")
        x, y = raster.cell_centres(given.grid)
        west, south, east, north = raster.bounds(kept.grid)
        inside = np.ix_((y > south) & (y <= north), (x >= west) & (x < east))
        assert total == pytest.approx(raster.pixels(given)[inside].sum(dtype=float), rel=1e-6)


def test_warped_bands_are_the_same_in_memory_and_on_disk(tmp_path, monkeypatch):
    """From degrees, where GDAL approximates the way from pixel to pixel band by band."""
    degrees = rasterio.Affine(1 / 1200, 0, 115.7, 0, -1 / 1200, 36.8)
    profile = {"driver": "GTiff", "width": 700, "height": 500, "count": 1, "dtype": "float32", "nodata": -1}
    values = np.random.default_rng(0).uniform(0, 9, (500, 700)).astype(np.float32)
    with rasterio.open(tmp_path / "given.tif", "w", crs="EPSG:4326", transform=degrees, **profile) as dst:
        dst.write(values, 1)
    grid = raster.frame((395_000, 4_035_000, 425_000, 4_060_000), 50, "EPSG:4548")  # beyond the file's west and south
    whole = resample.read_raster(tmp_path / "given.tif", grid, "sum").array
    monkeypatch.setattr(raster, "BAND_PIXELS", 1)
    for how in ("nearest", "sum"):
        kept = resample.read_raster(tmp_path / "given.tif", grid, how).array
        left = resample.read_raster(tmp_path / "given.tif", grid, how, into=tmp_path / f"{how}.tif")
        np.testing.assert_array_equal(pixels(left), kept)
    assert kept.sum(dtype=float) == pytest.approx(whole.sum(dtype=float), rel=1e-6)
    np.testing.assert_allclose(kept, whole, atol=1e-5)


def test_a_project_on_disk_streams_the_same_pixels_and_counts(twice, tmp_path):
    kept, left = twice
    expected = predict_coverage(kept, None, 2020)
    options = {"threads": 2, "pixels_per_block": 1}
    layers, counts, *_ = streaming.stream_coverage(left, None, 2020, tmp_path / "disk", **options)
    _, same, *_ = streaming.stream_coverage(kept, None, 2020, tmp_path / "memory", **options)
    assert_same(layers, expected)
    assert counts.equals(same)
    county = expected.statistics.query("level == 'county'").reset_index(drop=True)
    assert len(county) == len(counts) and set(counts["area"]) == {0, 1}
    for column, name in {"km2": "area_km2", "covered_km2": "covered_area_km2"}.items():
        np.testing.assert_allclose(counts[column], county[name], atol=1e-5)
    for name in ("people", "covered_people"):
        np.testing.assert_allclose(counts[name], county[name], rtol=1e-5, atol=1e-2)


def test_terrain_on_disk_is_terrain_in_memory(tmp_path):
    """A network by P.1812 whose DEM and clutter heights are read band by band."""
    file = write_square(tmp_path, 16_000.0, 50.0, 20, rasters_m=230.0, dem_m=70.0)
    kept, left = open_project(file), open_project(file, rasters="disk", workdir=tmp_path / "work")
    assert left.dem.array is None and left.dem.path.parent == tmp_path / "work"
    np.testing.assert_array_equal(pixels(left.dem), kept.dem.array)
    expected = predict_coverage(kept, None, 2020)
    assert expected.layers["移动广电"]["model_flags"].array.any(), "P.1812 and its near field"
    layers, _, _, flags = streaming.stream_coverage(left, None, 2020, tmp_path / "out", threads=2, pixels_per_block=1)
    assert_same(layers, expected)
    assert flags == expected.flags and flags["移动广电"]["near_field_pixels"] > 0, "counted over all blocks"


def test_little_is_sent_to_other_processes(project, tmp_path):
    """Rasters in memory, the DEM among them, go into files; each is written once."""
    job = streaming.stream_job(project, None, 2019)
    left = streaming._left_on_disk(job, tmp_path)
    assert len(pickle.dumps(job)) > project.grid.rows * project.grid.cols * 5 > 10 * len(pickle.dumps(left))
    assert len(list(tmp_path.glob("*.tif"))) == 3
    assert left.clutter.path == left.networks[0].terrain.clutter.path


def test_rasters_go_where_one_says(tmp_path):
    with pytest.raises(RangeError, match="workdir"):
        open_project(tmp_path, rasters="disk")
    with pytest.raises(RangeError, match="memory"):
        open_project(tmp_path, rasters="tape", workdir=tmp_path)


def test_two_processes_give_the_same_pixels(tmp_path):
    """Processes that know nothing else read the job and the rasters from files."""
    file = write_square(tmp_path, 16_000.0, 33.3, 30, halves=2)
    kept, left = open_project(file), open_project(file, rasters="disk", workdir=tmp_path / "work")
    job = streaming.stream_job(kept, None, 2020)
    alone, same, _ = streaming.stream(job, tmp_path / "one", executor="serial", pixels_per_block=10**9)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        for number, project in enumerate((kept, left)):
            job = streaming.stream_job(project, None, 2020)
            folder = tmp_path / f"two{number}"
            layers, counts, _ = streaming.stream(job, folder, executor=pool, threads=2, pixels_per_block=1)
            for name, layer in alone["移动广电"].items():
                np.testing.assert_array_equal(pixels(layers["移动广电"][name]), pixels(layer), err_msg=name)
            np.testing.assert_array_equal(counts["covered_km2"], same["covered_km2"])
            np.testing.assert_allclose(counts["covered_people"], same["covered_people"], rtol=1e-9)
    assert job.population.array is None, "the last one read its files"


CHILD = """
import pickle, sys
from pathlib import Path
from lcsiting.coverage import streaming
project = pickle.loads(Path(sys.argv[1]).read_bytes())
streaming.stream_coverage(project, None, 2020, sys.argv[2], executor="serial", pixels_per_block=500_000, compact=True)
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_a_project_on_disk_streams_in_the_memory_of_a_quarter(tmp_path):
    """Peak resident memory of a fresh process; the project in memory would hold 5 bytes a pixel more."""
    peaks_mb = {}
    for width in (25_000.0, 50_000.0):
        folder = tmp_path / f"{width:.0f}"
        file = write_square(folder, width, 12.5, int((width / 4000) ** 2))
        project = open_project(file, rasters="disk", workdir=folder / "work")
        (folder / "project.pickle").write_bytes(pickle.dumps(project))
        command = [sys.executable, "-c", CHILD, str(folder / "project.pickle"), str(folder / "out")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks_mb[width] = int(done.stdout) / 1024
    grown_mb = peaks_mb[50_000.0] - peaks_mb[25_000.0]
    assert project.grid.rows * project.grid.cols >= 16_000_000
    assert grown_mb < 0.1 * peaks_mb[25_000.0] and grown_mb < 5 * 12_000_000 / 2**20, peaks_mb
