"""Heights under a band of stations, read by window: memory is that of the band, whatever the terrain's size.

Each station's profiles run over a cut of its own, on the lattice of the whole raster. So no height depends on the
other stations of the band or on where a block of rows begins: the pixels of a city are those of its blocks.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lcsiting.coverage.sweep import NO_CLUTTER, known_metres, zone_codes
from lcsiting.errors import LayerError
from lcsiting.geo import grid as raster
from lcsiting.model import Grid, Raster
from lcsiting.radio.profile import INLAND
from lcsiting.radio.terrain import Terrain as KernelTerrain

if TYPE_CHECKING:
    from lcsiting.coverage.terrain import Terrain

EDGE_PIXELS = 2  # of the DEM: a frame that ends this little short of the pixels is carried on
Extent = tuple[float, float, float, float]  # west, south, east, north


class Heights(NamedTuple):
    """A part of a raster as it is stored; heights are made of it station by station.

    ``grid`` is the whole raster's frame, ``nodata`` what is unknown, ``table`` the height of each class if the
    pixels are classes.
    """

    values: NDArray[Any]
    part: raster.Span
    grid: Grid
    nodata: float | None
    table: NDArray[np.float32] | None


class Land(NamedTuple):
    """Ground, clutter heights and zones under some stations; clutter, zones None where there are none anywhere."""

    ground: Heights
    clutter: Heights | None
    zones: Heights | None = None


def _reaching(grid: Grid, extent: Extent, beyond: int) -> raster.Span:
    """The span under an extent and a pixel around it: heights between pixel centres need both."""
    west, south, east, north = extent
    size = grid.resolution_m
    return raster.span(grid, (west - size, south - size, east + size, north + size), beyond)


def _heights(source: Raster, extent: Extent, beyond: int, table: NDArray[np.float32] | None) -> Heights:
    part = _reaching(source.grid, extent, beyond)
    return Heights(raster.read_span(source, part), part, source.grid, source.nodata, table)


def read_land(terrain: "Terrain", grid: Grid, extent: Extent) -> Land:
    """Heights under an extent of a grid's pixels.

    Parameters
    ----------
    terrain : coverage.terrain.Terrain
        In memory or on disk.
    grid : Grid
        The pixels that ask; inside it the DEM must cover the extent.
    extent : (west, south, east, north)

    Raises
    ------
    LayerError
        The DEM ends more than ``EDGE_PIXELS`` of its pixels short.
    """
    own, size = raster.bounds(terrain.ground.grid), terrain.ground.grid.resolution_m
    west, south, east, north = raster.bounds(grid)
    west, south = max(extent[0], west), max(extent[1], south)
    east, north = min(extent[2], east), min(extent[3], north)
    missing = max(own[0] - west, own[1] - south, east - own[2], north - own[3])
    if missing > EDGE_PIXELS * size:
        raise LayerError(
            f"dem: does not cover the area by up to {missing:.0f} m. A terrain model needs terrain under every "
            "pixel: give a larger DEM, or check its coordinate system."
        )
    clutter = terrain.clutter and _heights(terrain.clutter, extent, 0, terrain.clutter_height_m)
    zones = terrain.zones and _heights(terrain.zones, extent, 0, None)
    return Land(_heights(terrain.ground, extent, EDGE_PIXELS, None), clutter, zones)


def _metres(heights: Heights, raw: NDArray[Any]) -> NDArray[np.float32]:
    """Heights of some of the pixels, NaN where unknown."""
    if heights.table is not None:
        return heights.table[raw.astype(np.uint8)]
    return known_metres(raw, heights.nodata)


def _cut(
    heights: Heights, extent: Extent, beyond: int, nothing: float
) -> tuple[NDArray[np.float32], float, float, float]:
    part = _reaching(heights.grid, extent, beyond)
    row, col = part[0] - heights.part[0], part[2] - heights.part[2]
    frame = raster.part_of(heights.grid, part)
    values = _metres(heights, heights.values[row : row + frame.rows, col : col + frame.cols])
    if not values.size:
        values = np.full((1, 1), nothing, np.float32)
    return values, float(frame.x0_m), float(frame.y0_m), float(frame.resolution_m)


def cut_land(land: Land, extent: Extent) -> KernelTerrain:
    """The part of the land under an extent as the kernels read it; the extent lies in the land's."""
    clutter = (NO_CLUTTER, 0.0, 0.0, 1.0) if land.clutter is None else _cut(land.clutter, extent, 0, 0.0)
    ground = _cut(land.ground, extent, EDGE_PIXELS, np.nan)
    zones = () if land.zones is None else zone_codes(*_cut(land.zones, extent, 0, INLAND))
    return KernelTerrain(*ground, *clutter, *zones)
