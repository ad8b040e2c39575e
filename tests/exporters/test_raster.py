"""Coverage GeoTIFFs: cloud-optimised, in place, small without losing 0.01 dB."""

import numpy as np
import pytest
import rasterio
from handmade import build_result

from lcsiting.exporters import raster


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A result whose rasters exceed one tile, so that overviews must exist."""
    result = build_result(20, 30_000.0, 50.0)
    folder = tmp_path_factory.mktemp("tif") / "tif"
    raster.write_rasters(result, folder)
    return result, folder


def test_one_file_per_year_network_and_layer(big):
    _, folder = big
    names = {path.name for path in folder.iterdir()}
    assert len(names) == 2 * 2 * 6
    assert "2023_移动广电_rsrp_dbm.tif" in names


def test_layout_is_cloud_optimised(big):
    for path in big[1].iterdir():
        with rasterio.open(path) as src:
            assert src.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert src.block_shapes == [(512, 512)]
            assert src.overviews(1)
            assert src.profile["compress"] == "deflate"
            assert src.crs.to_epsg() == 4548


def test_decibels_keep_a_hundredth_and_their_holes(big):
    result, folder = big
    with rasterio.open(folder / "2020_电联_rsrp_dbm.tif") as src:
        stored = src.read(1, masked=True)
        values = stored * src.scales[0]
        bounds = src.bounds
    original = result.coverages[2020].layers["电联"]["rsrp_dbm"]
    assert np.abs(values - np.ma.masked_invalid(original.array)).max() <= 0.00501
    assert np.array_equal(np.ma.getmaskarray(values), ~np.isfinite(original.array))
    grid = original.grid
    assert (bounds.left, bounds.top) == (grid.x0_m, grid.y0_m)


def test_services_stay_zero_one_and_outside(big):
    result, folder = big
    with rasterio.open(folder / "2023_移动广电_outdoor.tif") as src:
        assert src.nodata == raster.OUTSIDE
        assert np.array_equal(src.read(1), result.coverages[2023].layers["移动广电"]["outdoor"].array)
        tags = src.tags()
    assert (tags["YEAR"], tags["NETWORK"]) == ("2023", "移动广电")
    assert "示例" in tags["NOTICE"]
    assert "4 条规则数值未经核实" in tags["UNVERIFIED_RULES"]


def test_names_of_networks_become_safe_file_names():
    assert raster.safe_name('移动/广电: "A"') == "移动_广电_A"
    assert raster.safe_name("..") == "network"


def test_different_networks_never_share_a_file():
    names = raster.safe_names(["A B", "A_B", "a-b", "A_B_2", "A B"])
    assert names == {"A B": "A_B", "A_B": "A_B_2", "a-b": "a_b_3", "A_B_2": "A_B_2_2"}
    assert len({name.casefold() for name in names.values()}) == 4
