"""The raster frame: pixels land where they should, counts keep their total."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely import box

from lcsiting.errors import CrsError, LayerError
from lcsiting.geo import grid as raster
from lcsiting.geo import resample
from lcsiting.model import Raster

CRS = "EPSG:4548"


@pytest.fixture
def grid():
    return raster.frame((400_010, 4_030_020, 400_990, 4_030_480), 100, CRS)


def test_frames_align_to_multiples_and_cover(grid):
    assert (grid.x0_m, grid.y0_m, grid.rows, grid.cols) == (400_000, 4_030_500, 5, 10)
    assert raster.bounds(grid) == (400_000, 4_030_000, 401_000, 4_030_500)
    x_m, y_m = raster.cell_centres(grid)
    assert x_m[0] == 400_050 and y_m[0] == 4_030_450


def test_sampling_reads_the_pixel_under_the_point(grid):
    values = np.arange(50, dtype=np.float32).reshape(5, 10)
    layer = Raster(grid, array=values)
    got = raster.sample(layer, [400_050, 400_999, 399_999], [4_030_450, 4_030_001, 4_030_100])
    assert got[0] == 0 and got[1] == 49 and np.isnan(got[2])


def test_burning_uses_the_centre_point(grid):
    labels = raster.rasterize(
        [box(400_000, 4_030_000, 400_149, 4_030_500), box(400_151, 0, 400_300, 9e6)], [1, 2], grid
    )
    assert labels[0].tolist() == [1, 0, 2, 0, 0, 0, 0, 0, 0, 0]


def _write(path, array, transform, crs=CRS, nodata=None):
    profile = dict(driver="GTiff", height=array.shape[0], width=array.shape[1], count=1, dtype=array.dtype.name)
    with rasterio.open(path, "w", crs=crs, transform=transform, nodata=nodata, **profile) as dst:
        dst.write(array, 1)
    return path


@pytest.mark.parametrize("resolution_m", [30, 50, 100, 250])
def test_people_keep_their_total_at_any_resolution(tmp_path, resolution_m):
    people = np.random.default_rng(1).uniform(0, 50, (40, 60)).astype(np.float32)
    path = _write(tmp_path / "p.tif", people, from_origin(400_000, 4_034_000, 100, 100))
    grid = raster.frame((400_000, 4_030_000, 406_000, 4_034_000), resolution_m, CRS)
    got = resample.read_raster(path, grid, "sum").array
    assert got.sum() == pytest.approx(people.sum(), rel=1e-5)


def test_people_on_a_nested_frame_are_spread_exactly(tmp_path):
    people = np.array([[4.0, 0.0], [0.0, 8.0]], dtype=np.float32)
    path = _write(tmp_path / "p.tif", people, from_origin(400_000, 4_030_200, 100, 100))
    got = resample.read_raster(path, raster.frame((400_000, 4_030_000, 400_200, 4_030_200), 50, CRS), "sum").array
    assert np.array_equal(got[:2, :2], np.ones((2, 2))) and np.array_equal(got[2:, 2:], np.full((2, 2), 2.0))


def test_a_geographic_raster_lands_in_place(tmp_path):
    """A single marked pixel, 0.001 degrees wide at 115.98 E 36.45 N, is found at E 408557 N 4035960 (domain, 5.1)."""
    array = np.zeros((100, 100), dtype=np.uint8)
    array[50, 50] = 7
    path = _write(tmp_path / "g.tif", array, from_origin(115.9295, 36.5005, 0.001, 0.001), "EPSG:4490")
    grid = raster.frame((404_000, 4_031_000, 413_000, 4_041_000), 20, CRS)
    rows, cols = np.nonzero(resample.read_raster(path, grid, "nearest").array == 7)
    x_m, y_m = raster.cell_centres(grid)
    assert x_m[cols].mean() == pytest.approx(408_557, abs=15)
    assert y_m[rows].mean() == pytest.approx(4_035_960, abs=15)


def test_nodata_and_outside_become_the_fill(tmp_path, grid):
    array = np.full((2, 2), -999, dtype=np.int16)
    array[0, 0] = 12
    path = _write(tmp_path / "d.tif", array, from_origin(400_000, 4_030_500, 100, 100), nodata=-999)
    got = resample.read_raster(path, grid, "nearest", fill=3).array
    assert got[0, 0] == 12 and got[0, 1] == 3 and got[4, 9] == 3


def test_a_window_of_memory_and_of_a_file_agree(tmp_path, grid):
    layer = Raster(grid, array=np.arange(50, dtype=np.int32).reshape(5, 10))
    path = raster.write_raster(tmp_path / "w.tif", layer)
    extent = (400_250, 4_030_120, 400_460, 4_030_333)
    here, there = raster.window(layer, extent), raster.window(raster.open_raster(path), extent)
    assert here.grid == there.grid
    assert np.array_equal(here.array, there.array) and here.array.shape == (3, 3)


def test_a_span_beyond_the_grid_carries_the_nearest_edge(tmp_path, grid):
    layer = Raster(grid, array=np.arange(50, dtype=np.int32).reshape(5, 10))
    there = raster.open_raster(raster.write_raster(tmp_path / "s.tif", layer))
    padded = np.pad(layer.array, 2, mode="edge")
    for part in [(-2, 7, -2, 12), (-2, 1, 3, 5), (1, 4, 9, 12), (5, 7, 10, 12), (2, 3, 0, 10)]:
        expected = padded[part[0] + 2 : part[1] + 2, part[2] + 2 : part[3] + 2]
        for source in (layer, there):
            assert np.array_equal(raster.read_span(source, part), expected), part
    extent = (399_000, 4_030_120, 400_150, 4_030_333)
    assert raster.span(grid, extent) == (1, 4, 0, 2) and raster.span(grid, extent, 2) == (1, 4, -2, 2)
    assert raster.bounds(raster.part_of(grid, (1, 4, -2, 2))) == (399_800, 4_030_100, 400_200, 4_030_400)


def test_a_band_of_rows_is_burnt_as_the_whole_is(grid):
    """Areas that only touch a band, lie beside it or are empty change nothing."""
    rng = np.random.default_rng(4)
    boxes = [box(x, y, x + 300, y + 90) for x, y in rng.uniform((399_800, 4_029_900), (401_000, 4_030_500), (40, 2))]
    boxes += [box(400_000, 4_030_300, 400_500, 4_030_400), box(0, 0, 0, 0).intersection(boxes[0]), None]
    whole = raster.rasterize(boxes, range(1, len(boxes) + 1), grid)
    for first in range(5):
        band = raster.rasterize(boxes, range(1, len(boxes) + 1), raster.rows_of(grid, first, first + 1))
        assert np.array_equal(band[0], whole[first])


def test_cloud_optimised_files_are_tiled_and_keep_tags(tmp_path):
    grid = raster.frame((400_000, 4_000_000, 440_000, 4_040_000), 50, CRS)
    layer = Raster(grid, array=np.random.default_rng(2).normal(size=(800, 800)).astype(np.float32), nodata=np.nan)
    path = raster.write_raster(tmp_path / "c.tif", layer, cog=True, tags={"NOTE": "演示"}, description="rsrp")
    with rasterio.open(path) as src:
        assert src.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert src.overviews(1) and src.tags()["NOTE"] == "演示"
        assert np.array_equal(src.read(1), layer.array)


def test_unusable_files_say_what_to_do(tmp_path, grid):
    (tmp_path / "x.tif").write_text("no raster")
    with pytest.raises(LayerError, match=r"x\.tif.*GeoTIFF"):
        resample.read_raster(tmp_path / "x.tif", grid)
    path = tmp_path / "n.tif"
    with rasterio.open(path, "w", driver="GTiff", height=2, width=2, count=1, dtype="uint8") as dst:
        dst.write(np.ones((2, 2), dtype=np.uint8), 1)
    with pytest.raises(CrsError, match=r"n\.tif.*coordinate system"):
        resample.read_raster(path, grid)


def test_a_failed_write_leaves_nothing_behind(tmp_path, grid):
    with pytest.raises((TypeError, ValueError, KeyError)):
        raster.write_raster(tmp_path / "bad.tif", Raster(grid, array=np.zeros((3, 3), dtype=np.complex256)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("crs", ["EPSG:4548", "EPSG:4547"])
@pytest.mark.parametrize("nodata", [-9999, None])
def test_unknown_heights_stay_unknown_in_memory_and_on_disk(tmp_path, crs, nodata):
    """A hole of a DEM is no height of 0 m, nor is what lies off a frame that was turned."""
    frame = raster.frame((500_000, 4_000_000, 504_000, 4_004_000), 100.0, CRS)
    heights = np.full((40, 40), 31, np.int16)
    heights[10:14, 20:24] = 31 if nodata is None else nodata
    path = raster.write_raster(tmp_path / "dem.tif", Raster(frame, array=heights, nodata=nodata))
    read = resample.read_own_frame(path, crs, None)
    left = resample.read_own_frame(path, crs, None, into=tmp_path / "left.tif")
    np.testing.assert_array_equal(raster.pixels(read), raster.pixels(left))
    assert read.nodata == left.nodata
    known = np.asarray(read.array) != read.nodata
    assert set(np.unique(np.asarray(read.array)[known])) == {31}
    turned = crs != CRS
    assert (~known).sum() == (0 if nodata is None else 16) or (turned and 16 < (~known).sum() < 200)


def test_a_written_raster_is_shared_like_its_folder(tmp_path, grid):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    path = raster.write_raster(shared / "a.tif", Raster(grid, array=np.zeros((5, 10), np.uint8)))
    with raster.stream_raster(shared / "b.tif", grid, "uint8") as write:
        write(0, np.zeros((5, 10), np.uint8))
    assert {file.stat().st_mode & 0o777 for file in (path, shared / "b.tif")} == {0o644}
