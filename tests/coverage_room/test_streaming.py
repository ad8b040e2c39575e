"""Coverage in blocks and from files is the coverage in memory, whoever computes it and however large the area is."""

import itertools
import tracemalloc
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
from scene import random_sectors
from shapely import box
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

from lcsiting.coverage import statistical, streaming
from lcsiting.coverage.block import Band, NetworkJob
from lcsiting.coverage.coverage import predict_coverage
from lcsiting.geo import grid as raster
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
    layers, counts, sectors = streaming.stream_coverage(
        project, None, 2019, tmp_path, executor=executor, threads=2, pixels_per_block=128 * 240
    )
    assert len(streaming.blocks(project.grid, 128 * 240)) > 1, "more than one block"
    assert_same(layers, in_memory)
    assert sectors.equals(in_memory.sectors)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".part-")], "nothing left behind"
    county = in_memory.statistics.query("level == 'county'").reset_index(drop=True)
    np.testing.assert_allclose(counts["covered_km2"].sum(), county["covered_area_km2"].sum(), rtol=1e-9)
    np.testing.assert_allclose(counts["covered_people"].sum(), county["covered_people"].sum(), rtol=1e-6)


def test_a_cluster_maps_the_same_function(project, in_memory, tmp_path):
    distributed = pytest.importorskip("distributed", reason="install lcsiting[cluster] to test the cluster")
    with distributed.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        layers, _, _ = streaming.stream_coverage(
            project, None, 2019, tmp_path, executor=client, pixels_per_block=128 * 240
        )
    assert_same(layers, in_memory)


def test_compact_files_hold_hundredths(project, in_memory, tmp_path):
    layers, _, _ = streaming.stream_coverage(project, None, 2019, tmp_path, compact=True)
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
