"""Losses that no formula of the distance gives: P.1812 over the profile, line of sight from terrain and clutter.

Each station gets a raster (``rowmath.Windows``) that its sectors share: P.1812's loss for half of the time and
places, or the LOS or NLOS loss of TR 38.901 as the profile decides. Nearer than P.1812's 250 m the
*near-field model* answers: free space over the slant distance plus the share ``d / 250 m`` of what
P.1812 has above free space at 250 m on the same bearing, so that the loss is free space at the mast, joins P.1812
without a step and leaves no hole.

Profiles are straight lines of the working CRS with points at most ``step_m`` apart; ground and clutter
are those of the pixel under each point. The two ends are bare ground.
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.coverage import pathwise
from lcsiting.coverage.rowmath import Windows
from lcsiting.errors import LayerError
from lcsiting.geo import grid as raster
from lcsiting.inputs import refractivity
from lcsiting.model import Grid, Project, Raster
from lcsiting.radio import p1812
from lcsiting.radio.diffraction import EARTH_RADIUS_KM

if TYPE_CHECKING:
    from lcsiting.coverage.sectors import Sectors

FORMULA, P1812, LOS = 0, 1, pathwise.LOS  # what Sectors.terrain says of a station
IN_MEMORY_BYTES = 400e6  # windows beyond this go to an unnamed temporary file


@dataclass(frozen=True)
class Terrain:
    """The ground a city stands on, and its radio climate.

    Attributes
    ----------
    ground : Raster
        Terrain height, m above sea level; in memory or on disk.
    clutter : Raster
        Clutter height above ground, m; 0 outside it.
    n0, delta_n, latitude_deg, time_pct : float
        As P.1812 takes them; one latitude for the whole city.
    near_field_m : float
        Shortest path of P.1812.
    earth_factor : float
        Effective Earth radius over the true one, for the line of sight.
    step_m : float
        Largest distance between points of a profile.
    """

    ground: Raster
    clutter: Raster
    n0: float
    delta_n: float
    latitude_deg: float
    time_pct: float = 50.0
    near_field_m: float = 250.0
    earth_factor: float = 4.0 / 3.0
    step_m: float = 50.0


def clutter_heights(project: Project) -> Raster:
    """Height above ground of the clutter class of every pixel of the working grid."""
    grid = project.grid
    if project.clutter is None:
        return Raster(grid, array=np.zeros((grid.rows, grid.cols), dtype=np.float32))
    heights = np.zeros(256, dtype=np.float32)
    for code, row in rules.load("clutter", project.root / "rules").items():
        heights[int(code)] = row["height_m"]
    classes = raster.window(project.clutter, raster.bounds(project.clutter.grid))
    return Raster(classes.grid, array=heights[np.asarray(classes.array, dtype=np.uint8)])


def project_terrain(project: Project) -> Terrain:
    """The terrain of a project.

    Raises
    ------
    LayerError
        The project has no DEM.
    """
    if project.dem is None:
        raise LayerError(
            'dem: a network asks for a terrain model (model = "p1812" or [propagation] los = "dem"), but the project '
            "has no terrain. Name a DEM in [layers] dem, or leave the model out."
        )
    values = {key: float(row["value"]) for key, row in rules.load("propagation", project.root / "rules").items()}
    climate = refractivity.radio_climate(project)
    return Terrain(
        ground=project.dem,
        clutter=clutter_heights(project),
        time_pct=values["time_pct"],
        near_field_m=values["near_field_m"],
        earth_factor=values["effective_earth_factor"],
        step_m=min(project.grid.resolution_m, project.dem.grid.resolution_m),
        **climate,
    )


def _flat(size: int) -> NDArray[np.float32]:
    """A float32 array; a large one lies in a temporary file that vanishes with it."""
    if 4 * size <= IN_MEMORY_BYTES / 2:
        return np.empty(size, dtype=np.float32)
    with tempfile.TemporaryFile(prefix="lcsiting-") as file:
        return np.asarray(np.memmap(file, dtype=np.float32, mode="w+", shape=(size,)))


def _frame(grid: Any) -> tuple[float, float, float]:
    return float(grid.x0_m), float(grid.y0_m), float(grid.resolution_m)


def _near(source: Raster, extent: tuple[float, float, float, float], what: str) -> Raster:
    part = raster.window(source, extent)
    if not part.grid.rows or not part.grid.cols:
        raise LayerError(f"{what}: does not cover the stations. Give a larger file, or check its coordinate system.")
    return Raster(part.grid, array=np.ascontiguousarray(part.array, dtype=np.float32))


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
        reach = float(sectors.reach_m[jobs].max()) + 2 * max(grid.resolution_m, terrain.ground.grid.resolution_m)
        reach += terrain.near_field_m
        x, y = sectors.x_m[jobs], sectors.y_m[jobs]
        extent = (x.min() - reach, y.min() - reach, x.max() + reach, y.max() + reach)
        ground, clutter = _near(terrain.ground, extent, "dem"), raster.window(terrain.clutter, extent)
        heights = np.ascontiguousarray(clutter.array, dtype=np.float32)

        def one(k: int) -> None:
            mhz = float(sectors.frequency_mhz[k])  # type: ignore[index]
            q = p1812.question(mhz / 1e3, terrain.time_pct, True, terrain.delta_n, terrain.n0)
            part = slice(starts[k], starts[k] + sizes[k])
            pathwise.fill(
                int(sectors.terrain[k]), q, mhz, sectors.coefficients[k],  # type: ignore[index]
                (float(sectors.x_m[k]), float(sectors.y_m[k]), float(sectors.reach_m[k])),
                (float(sectors.height_agl_m[k]), float(sectors.ue_height_m)), terrain.latitude_deg,
                (terrain.step_m, terrain.near_field_m, terrain.earth_factor * EARTH_RADIUS_KM), _frame(grid),
                (int(shapes[k, 0]), int(shapes[k, 1])), (int(shapes[k, 2]), int(shapes[k, 3])),
                ground.array, _frame(ground.grid), heights, _frame(clutter.grid), loss[part], drop[part],
            )  # fmt: skip

        one(int(jobs[0]))  # compile once
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            list(pool.map(one, jobs[1:].tolist()))
    return Windows(index.astype(np.int64), loss, drop)
