"""Coverage pictures: in the right place, transparent where nothing is served."""

import io

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer

from lcsiting.exporters import overlay
from lcsiting.geo import grid as raster
from lcsiting.model import Coverage, Raster

# A frame as far from the central meridian as the city reaches: the warp turns it by about a degree.
GRID = raster.frame((345_000.0, 3_970_000.0, 405_000.0, 4_050_000.0), 100.0, "EPSG:4548")


def decode(made: overlay.Overlay) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(made.png)))


def on_map(made: overlay.Overlay, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a browser draws pixel centres: linear in Web Mercator between the corners."""
    mercator = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    (south, west), (north, east) = made.bounds_deg
    (left, right), (bottom, top) = mercator.transform([west, east], [south, north])
    height, width = decode(made).shape
    x = left + (cols + 0.5) / width * (right - left)
    y = top - (rows + 0.5) / height * (top - bottom)
    return Transformer.from_crs("EPSG:3857", GRID.crs, always_xy=True).transform(x, y)


@pytest.mark.parametrize(("row", "col"), [(0, 0), (0, -1), (-1, 0), (-1, -1), (400, 300)])
def test_a_known_pixel_lies_within_half_a_cell(row, col):
    served = np.zeros((GRID.rows, GRID.cols), dtype=np.uint8)
    block = [slice(r - 1 if r < 0 else r, None if r == -1 else r + 2) for r in (row, col)]
    served[block[0], block[1]] = 1
    coverage = Coverage(2023, {"a": {"outdoor": Raster(GRID, array=served)}}, None, None, None)
    made = overlay.coverage_overlay(coverage, "outdoor", ("#ff0000", "#00ff00"), 0.5)
    x, y = on_map(made, *np.nonzero(decode(made)))
    x_m, y_m = raster.cell_centres(GRID)
    rows, cols = np.nonzero(served)
    assert abs(x.mean() - x_m[cols].mean()) < GRID.resolution_m / 2
    assert abs(y.mean() - y_m[rows].mean()) < GRID.resolution_m / 2


def test_networks_are_counted_and_outside_is_not_served():
    first = np.array([[1, 1, 0, 255]], dtype=np.uint8)
    second = np.array([[1, 0, 0, 255]], dtype=np.uint8)
    grid = raster.frame((400_000.0, 4_000_000.0, 400_400.0, 4_000_100.0), 100.0, "EPSG:4548")
    layers = {name: {"outdoor": Raster(grid, array=array)} for name, array in (("a", first), ("b", second))}
    codes, _ = overlay.classes(Coverage(2023, layers, None, None, None), "outdoor")
    assert codes.tolist() == [[overlay.EVERY, overlay.SOME, overlay.NONE, overlay.NONE]]
    assert overlay.classes(Coverage(2023, layers, None, None, None), "indoor") is None


def test_the_picture_is_a_palette_with_transparent_ground():
    image = Image.open(io.BytesIO(overlay.picture(np.array([[0, 1, 2]], dtype=np.uint8), ("#112233", "#445566"), 0.6)))
    assert image.mode == "P"
    colours = np.array(image.convert("RGBA"))[0].tolist()
    assert colours[0][3] == 0
    assert colours[1:] == [[0x11, 0x22, 0x33, 153], [0x44, 0x55, 0x66, 153]]


def test_large_frames_stay_within_what_a_browser_draws():
    grid = raster.frame((300_000.0, 3_900_000.0, 420_000.0, 4_050_000.0), 25.0, "EPSG:4548")
    warped, affine = overlay.warp(np.ones((grid.rows, grid.cols), dtype=np.uint8), grid)
    assert max(warped.shape) <= overlay.MAX_SIDE_PX < max(grid.rows, grid.cols)
    assert affine.a == -affine.e
