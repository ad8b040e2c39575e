"""Losses that no formula of the distance gives: P.1812 over the terrain, line of sight from terrain and clutter.

Each station gets a raster (``rowmath.Windows``) that its sectors share: P.1812's loss for half of the time and
places by the radial sweep (``coverage.sweep``: pixels share radials), or the LOS or NLOS loss of TR 38.901 as each
pixel's own profile decides. Nearer than P.1812's 250 m the *near-field model* answers: free space over the
slant distance plus the share ``d / 250 m`` of what P.1812 has above free space at 250 m on the same bearing, so that
the loss is free space at the mast, joins P.1812 there and leaves no hole.

Profiles are geodesics with points ``step_m`` apart, bilinear ground, the clutter of the pixel under each point,
bare ground at both ends. Whether a pixel lies within a station's reach is asked of the geodesic distance here and of
the distance in the plane by the models without terrain; a working CRS of 3 degrees parts them by at most 0.04 per cent.
"""

import math
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.coverage import land, pathwise, sweep
from lcsiting.coverage.radials import Frame, Site
from lcsiting.coverage.rowmath import FORMULA, LOS, Windows
from lcsiting.errors import LayerError
from lcsiting.geo import geodesic
from lcsiting.inputs import refractivity
from lcsiting.model import Grid, Project, Raster
from lcsiting.radio import p1812
from lcsiting.radio.diffraction import EARTH_RADIUS_KM
from lcsiting.radio.plane import Plane
from lcsiting.radio.radial import Place
from lcsiting.radio.ranges import require_range

if TYPE_CHECKING:
    from lcsiting.coverage.sectors import Sectors

EXACT = 2.0**20  # metres rounded to its inverse add without rounding
IN_MEMORY_BYTES = 400e6  # windows beyond this go to an unnamed temporary file


@dataclass(frozen=True)
class Terrain:
    """The ground a city stands on, and its radio climate.

    Attributes
    ----------
    ground : Raster
        Terrain height, m above sea level; in memory or on disk.
    clutter : Raster or None
        Clutter height above ground, m, or with ``clutter_height_m`` clutter classes; 0 outside it.
    n0, delta_n, latitude_deg, time_pct : float
        As P.1812 takes them; one latitude for the whole city.
    near_field_m : float
        Shortest path of P.1812.
    earth_factor : float
        Effective Earth radius over the true one, for the line of sight.
    step_m : float
        Largest distance between points of a profile.
    clutter_height_m : float32 (256,) or None
        Height of each clutter class.
    zones : Raster, optional
        Radio-climatic zones for P.1812; all inland without it.
    """

    ground: Raster
    clutter: Raster | None
    n0: float
    delta_n: float
    latitude_deg: float
    time_pct: float = 50.0
    near_field_m: float = 250.0
    earth_factor: float = 4.0 / 3.0
    step_m: float = 50.0
    clutter_height_m: NDArray[np.float32] | None = None
    zones: Raster | None = None


def clutter_heights(project: Project) -> NDArray[np.float32]:
    """Height above ground of every clutter class, m, float32 (256,)."""
    heights = np.zeros(256, dtype=np.float32)
    for code, row in rules.load("clutter", project.root / "rules").items():
        heights[int(code)] = row["height_m"]
    return heights


def project_terrain(project: Project) -> Terrain:
    """The terrain of a project.

    Raises
    ------
    LayerError
        The project has no DEM.
    RangeError
        A near field that ends before P.1812 begins: a ring without an answer.
    """
    if project.dem is None:
        raise LayerError(
            'dem: a network asks for a terrain model (model = "p1812" or [propagation] los = "dem"), but the project '
            "has no terrain. Name a DEM in [layers] dem, or leave the model out."
        )
    values = {key: float(row["value"]) for key, row in rules.load("propagation", project.root / "rules").items()}
    shortest, _, unit, source = p1812.RANGES["distance_m"]
    require_range("rules/propagation near_field_m", values["near_field_m"], shortest, math.inf, unit, source)
    climate = refractivity.radio_climate(project)
    return Terrain(
        ground=project.dem,
        clutter=project.clutter,
        clutter_height_m=clutter_heights(project),
        time_pct=values["time_pct"],
        near_field_m=values["near_field_m"],
        earth_factor=values["effective_earth_factor"],
        step_m=min(project.grid.resolution_m, project.dem.grid.resolution_m),
        zones=project.radio_zones,
        **climate,
    )


def _flat(size: int) -> NDArray[np.float32]:
    """A float32 array; a large one lies in a temporary file that vanishes with it."""
    if 4 * size <= IN_MEMORY_BYTES / 2:
        return np.empty(size, dtype=np.float32)
    with tempfile.TemporaryFile(prefix="lcsiting-") as file:
        return np.asarray(np.memmap(file, dtype=np.float32, mode="w+", shape=(size,)))


def window_shapes(sectors: "Sectors", grid: Grid, rows: tuple[int, int] | None = None) -> NDArray[np.int64]:
    """First row, first column, rows and columns of each station's window, (n, 4); 0 rows where it needs none."""
    first, last = (0, grid.rows) if rows is None else rows
    step, reach = grid.resolution_m, sectors.reach_m + grid.resolution_m  # a pixel to spare against rounding
    top = np.clip(np.floor((grid.y0_m - sectors.y_m - reach) / step), first, last).astype(np.int64)
    bottom = np.clip(np.floor((grid.y0_m - sectors.y_m + reach) / step) + 1, first, last).astype(np.int64)
    left = np.clip(np.floor((sectors.x_m - reach - grid.x0_m) / step), 0, grid.cols).astype(np.int64)
    right = np.clip(np.floor((sectors.x_m + reach - grid.x0_m) / step) + 1, 0, grid.cols).astype(np.int64)
    used = np.zeros(len(sectors), bool) if sectors.terrain is None else sectors.terrain != FORMULA
    wide = np.where(used, right - left, 0)
    return np.column_stack([top, left, np.where(wide > 0, bottom - top, 0), wide])


def window_frame(grid: Grid, y_m: float, shape: NDArray[np.int64]) -> Frame:
    """Frame of a station's window, whose pixel centres do not depend on the rows a block leaves of it.

    Rows are counted from the station's own, in metres rounded to 2^-20: their sums are exact, and half a
    micrometre a row is nothing.
    """
    size = round(grid.resolution_m * EXACT) / EXACT
    own = math.floor((grid.y0_m - y_m) / grid.resolution_m)
    north = round((grid.y0_m - own * grid.resolution_m) * EXACT) / EXACT - (int(shape[0]) - own) * size
    return Frame(grid.x0_m + int(shape[1]) * grid.resolution_m, north, size, int(shape[2]), int(shape[3]))


def station_windows(
    sectors: "Sectors",
    terrain: Terrain | None,
    grid: Grid,
    *,
    rows: tuple[int, int] | None = None,
    threads: int | None = None,
) -> Windows | None:
    """Loss and depression rasters of the stations that need them.

    Parameters
    ----------
    sectors : Sectors
    terrain : Terrain or None
        None only where no station needs it.
    grid : Grid
        Frame of the pixels (the working grid or the demand grid).
    rows : tuple of int, optional
        Only these rows of the grid.
    threads : int, optional
        All cores if omitted; no value depends on it.

    Returns
    -------
    Windows or None
        None if no station needs one.
    """
    if sectors.terrain is None or not (sectors.terrain != FORMULA).any():
        return None
    assert terrain is not None and sectors.frequency_mhz is not None
    shapes = window_shapes(sectors, grid, rows)
    sizes = shapes[:, 2] * shapes[:, 3]
    starts = np.cumsum(sizes) - sizes
    index = np.column_stack([np.where(sizes > 0, starts, -1), shapes[:, 0], shapes[:, 1], shapes[:, 3]])
    loss, drop = _flat(int(sizes.sum())), _flat(int(sizes.sum()))
    jobs = np.flatnonzero(sizes)
    if jobs.size:
        around = sectors.reach_m + 4 * grid.resolution_m + terrain.near_field_m
        x, y = sectors.x_m, sectors.y_m
        extents = np.column_stack([x - around, y - around, x + around, y + around])
        here = land.read_land(terrain, grid, (*extents[jobs, :2].min(axis=0), *extents[jobs, 2:].max(axis=0)))
        reach = np.maximum(sectors.reach_m[jobs], terrain.near_field_m)
        planes = geodesic.local_planes(grid.crs, x[jobs], y[jobs], reach)

        def one(job: int) -> None:
            k = int(jobs[job])
            part = slice(starts[k], starts[k] + sizes[k])
            ground = land.cut_land(here, extents[k])
            place = Place(Plane(planes.to_plane[job], planes.to_local[job]), 0.0, 1.0, terrain.latitude_deg)
            _one_window(sectors, terrain, ground, grid, place, k, shapes[k], loss[part], drop[part])

        one(0)  # compile once
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            list(pool.map(one, range(1, jobs.size)))
    return Windows(index.astype(np.int64), loss, drop)


def _one_window(
    sectors: "Sectors",
    terrain: Terrain,
    ground: Any,
    grid: Grid,
    place: Place,
    k: int,
    shape: NDArray[np.int64],
    loss: Any,
    drop: Any,
) -> None:
    """Fill the window of station k."""
    x, y, reach = float(sectors.x_m[k]), float(sectors.y_m[k]), float(sectors.reach_m[k])
    frame = window_frame(grid, y, shape)
    site = Site(x, y, float(sectors.height_agl_m[k]), float(sectors.ue_height_m))
    if sectors.terrain[k] == LOS:  # type: ignore[index]
        earth_km = terrain.earth_factor * EARTH_RADIUS_KM
        pathwise.los_window(
            sectors.coefficients[k], ground, frame, site, place, reach, terrain.step_m, earth_km, loss, drop
        )
        return
    mhz = float(sectors.frequency_mhz[k])  # type: ignore[index]
    area = sweep.area_question(
        "p1812", frequency_mhz=mhz, time_pct=terrain.time_pct, tx_height_agl_m=site.tx_height_m,
        rx_height_agl_m=site.rx_height_m, delta_n=terrain.delta_n, n0=terrain.n0,
    )  # fmt: skip
    rays = sweep.ray_count(1, reach, grid.resolution_m)
    pathwise.p1812_window(
        area, ground, frame, site, place, reach, rays, terrain.step_m, terrain.near_field_m, loss, drop
    )
