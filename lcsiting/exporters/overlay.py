"""Coverage as palette PNGs in Web Mercator, for the map.

A raster in degrees would be stretched wrongly by the browser (up to 280 m off in
the middle of a city); pixels are therefore warped to EPSG:3857 first.
"""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine, array_bounds
from rasterio.warp import Resampling, calculate_default_transform, reproject, transform_bounds

from lcsiting.exporters.raster import OUTSIDE, pixels
from lcsiting.geo import grid as frame
from lcsiting.model import Coverage, Grid

MAX_SIDE_PX = 4096
NONE, SOME, EVERY = 0, 1, 2


@dataclass(frozen=True)
class Overlay:
    """A picture and where it lies.

    Attributes
    ----------
    png : bytes
        Palette PNG, north up, EPSG:3857 pixels.
    bounds_deg : list
        ``[[south, west], [north, east]]`` in degrees, of the outer pixel edges.
    """

    png: bytes
    bounds_deg: list[list[float]]

    def url(self) -> str:
        """The picture as a ``data:`` URL."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def classes(coverage: Coverage, service: str) -> tuple[NDArray[np.uint8], Grid] | None:
    """How many networks serve each pixel: 0 none, 1 some, 2 every one.

    Returns
    -------
    tuple or None
        Codes and their grid; None if no network has this service.
    """
    found = [layers[service] for layers in coverage.layers.values() if service in layers]
    if not found:
        return None
    count = np.zeros((found[0].grid.rows, found[0].grid.cols), dtype=np.uint8)
    for raster in found:
        array = pixels(raster)
        count += (array != 0) & (array != OUTSIDE)
    codes = np.where(count == 0, NONE, np.where(count == len(found), EVERY, SOME)).astype(np.uint8)
    return codes, found[0].grid


def warp(codes: NDArray[np.uint8], grid: Grid) -> tuple[NDArray[np.uint8], Affine]:
    """Codes on a north-up EPSG:3857 frame of at most ``MAX_SIDE_PX`` a side, nearest neighbour."""
    source, target = CRS.from_user_input(grid.crs), CRS.from_epsg(3857)
    affine, width, height = calculate_default_transform(source, target, grid.cols, grid.rows, *frame.bounds(grid))
    if max(width, height) > MAX_SIDE_PX:
        coarser = affine.a * max(width, height) / MAX_SIDE_PX
        affine, width, height = calculate_default_transform(
            source, target, grid.cols, grid.rows, *frame.bounds(grid), resolution=coarser
        )
    out = np.zeros((min(height, MAX_SIDE_PX), min(width, MAX_SIDE_PX)), dtype=np.uint8)
    reproject(
        codes,
        out,
        src_transform=frame.transform(grid),
        src_crs=source,
        dst_transform=affine,
        dst_crs=target,
        resampling=Resampling.nearest,
    )
    return out, affine


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def picture(codes: NDArray[np.uint8], colours: tuple[str, str], opacity: float) -> bytes:
    """A two-bit palette PNG: class 0 transparent, 1 and 2 in ``colours``."""
    from PIL import Image

    image = Image.frombytes("P", (codes.shape[1], codes.shape[0]), np.ascontiguousarray(codes).tobytes())
    image.putpalette([255, 255, 255, *_rgb(colours[0]), *_rgb(colours[1])])
    alpha = round(255 * opacity)
    out = io.BytesIO()
    image.save(out, "PNG", bits=2, transparency=bytes([0, alpha, alpha]), compress_level=9)
    return out.getvalue()


def coverage_overlay(coverage: Coverage, service: str, colours: tuple[str, str], opacity: float) -> Overlay | None:
    """The overlay of one service in one year, networks combined.

    Parameters
    ----------
    coverage : Coverage
        Of that year.
    service : str
        ``outdoor``, ``indoor`` ...
    colours : tuple of str
        Of pixels some and every network serves, ``#rrggbb``.
    opacity : float
        0-1.

    Returns
    -------
    Overlay or None
        None if the service was not computed.
    """
    found = classes(coverage, service)
    if found is None:
        return None
    warped, affine = warp(*found)
    west, south, east, north = array_bounds(warped.shape[0], warped.shape[1], affine)
    left, bottom, right, top = transform_bounds("EPSG:3857", "EPSG:4326", west, south, east, north)
    return Overlay(picture(warped, colours, opacity), [[bottom, left], [top, right]])
