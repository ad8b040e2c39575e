"""K2: losses and lines of sight over terrain around one site, by radials that pixels share.

A radial's profile is sampled once; its horizon state moves outwards with the receiver
(:mod:`lcsiting.radio.horizon`), so a pixel costs about the same at 50 km as at 5 km. Two accuracies, never to be
taken for each other:

* the sweep against the scans of the point-to-point models *on the radial's profile*: 1e-9 dB on every pixel
  (``scan=True`` computes the second);
* the map against profiles of each pixel's own: a *sampling* error, which :func:`sampling_error_db` reports
  and ``radials=2``, ``3`` or ``"exact"`` reduce or remove. The receiver's own end (distance, ground) is exact.

Radials and profiles are geodesics, distances geodesic (:mod:`lcsiting.geo.geodesic`), whatever the projection: the map
between pixels and (azimuth, distance) errs by 0.2 mm at 50 km. Straight lines of a 3-degree Gauss-Krueger zone would be
up to 1.1 m aside at 50 km and 0.04 per cent off in length, 0.003 dB of free space (``geodesic.line_error``).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.coverage import radials as kernel
from lcsiting.coverage.disc import in_threads, rays_around
from lcsiting.coverage.radials import BULLINGTON, CLEAR_AIR, SIGHT, Frame, Site
from lcsiting.errors import LayerError, RangeError
from lcsiting.geo import crs as coordinates
from lcsiting.geo import geodesic
from lcsiting.geo import grid as raster
from lcsiting.model import Grid, Raster
from lcsiting.radio import p452, p1812, radial
from lcsiting.radio.plane import reach_m
from lcsiting.radio.profile import COASTAL, INLAND, SEA
from lcsiting.radio.radial import AreaQuestion, Place
from lcsiting.radio.ranges import require_choice, require_ranges
from lcsiting.radio.terrain import Terrain

MODELS = ("p452", "p1812", "bullington")
RAYS_PER_TASK, PIXELS_PER_TASK = 32, 2048  # small enough that threads finish together
NO_CLUTTER = np.zeros((0, 0), np.float32)


def terrain_of(
    dem: Raster, clutter_heights: Raster | None = None, extent: tuple | None = None, zones: Raster | None = None
) -> Terrain:
    """Rasters in the form the kernels read.

    Parameters
    ----------
    dem : Raster
        Ground, m above sea level; its nodata value and NaN are unknown.
    clutter_heights : Raster, optional
        Clutter, m above ground, on any frame of the same CRS; bare outside it.
    extent : (west, south, east, north), optional
        Only this part (and a pixel around it).
    zones : Raster, optional
        Radio-climatic zones, 1 coastal land, 2 inland, 3 sea, on any frame of the same CRS; inland outside it, where
        its nodata value or 0 stands, and everywhere without it.

    Raises
    ------
    LayerError
        Another number among the zones.
    """
    clutter = _layer(clutter_heights, extent) if clutter_heights else _no_layer()
    return Terrain(*_layer(dem, extent), *clutter, *(zone_codes(*_layer(zones, extent)) if zones else ()))


def zone_codes(
    codes: NDArray[np.float32], x0_m: float, y0_m: float, pixel_m: float
) -> tuple[NDArray[np.uint8], float, float, float]:
    """Radio-climatic zones as the kernels read them, inland where unknown.

    Raises
    ------
    LayerError
        A number that is no zone.
    """
    codes = np.where(np.isnan(codes) | (codes == 0), INLAND, codes)
    wrong = np.setdiff1d(codes, (COASTAL, INLAND, SEA))
    if wrong.size:
        raise LayerError(
            f"radio_zones: {wrong.size} other numbers than 1 (coastal land), 2 (inland), 3 (sea), the first "
            f"{wrong[0]:g}. Recode the raster."
        )
    return np.ascontiguousarray(codes, dtype=np.uint8), x0_m, y0_m, pixel_m


def _no_layer() -> tuple[NDArray[np.float32], float, float, float]:
    return NO_CLUTTER, 0.0, 0.0, 1.0


def known_metres(pixels: Any, nodata: float | None) -> NDArray[np.float32]:
    """Heights of pixels as the kernels read them: NaN where the nodata value stands."""
    metres = np.array(pixels, dtype=np.float32, order="C")
    if nodata is not None and not np.isnan(nodata):
        metres[np.asarray(pixels) == nodata] = np.nan
    return metres


def _layer(source: Raster, extent: tuple | None) -> tuple[NDArray[np.float32], float, float, float]:
    size = source.grid.resolution_m
    if extent is None:
        extent = raster.bounds(source.grid)
    west, south, east, north = extent
    part = raster.window(source, (west - size, south - size, east + size, north + size))
    heights = known_metres(part.array, source.nodata)
    if heights.size == 0 and source.grid.rows * source.grid.cols:
        heights = np.full((1, 1), np.nan, np.float32)  # the site lies off the layer: nothing is known
    return heights, float(part.grid.x0_m), float(part.grid.y0_m), float(size)


def place_of(crs: str, x_m: float, y_m: float, radius_m: float, path_latitude_deg: float | None = None) -> Place:
    """Geodesics around a site out to a radius, and the latitude of the path centres; one for all paths if given.

    Raises
    ------
    RangeError
        As :func:`lcsiting.geo.geodesic.local_planes`.
    """
    _, lat = coordinates.transform(x_m, y_m, crs, coordinates.GEOGRAPHIC)
    angle = float(np.radians(lat))
    fixed = np.nan if path_latitude_deg is None else float(path_latitude_deg)
    return Place(geodesic.local_plane(crs, x_m, y_m, radius_m), float(np.sin(angle)), float(np.cos(angle)), fixed)


def area_question(
    model: str,
    *,
    frequency_mhz: float,
    time_pct: float = 50.0,
    tx_height_agl_m: float,
    rx_height_agl_m: float,
    polarization: str = "vertical",
    delta_n: float,
    n0: float,
    gains_dbi: float = 0.0,
    excess_db: float = 0.0,
    pressure_hpa: float = 1013.25,
    temperature_c: float = 15.0,
) -> AreaQuestion:
    """What a model asks beside the path, checked against its ranges.

    Parameters
    ----------
    model : {"p452", "p1812", "bullington"}
    gains_dbi : float
        P.452: sum of both ends' gains, for the coupling loss only.
    excess_db : float
        P.1812: location variability and entry loss at the wanted share of places over the median.

    Raises
    ------
    RangeError
        A value outside the model's range.
    """
    require_choice("model", model, MODELS)
    require_choice("polarization", polarization, ("vertical", "horizontal"))
    ranges = p1812.RANGES if model == "p1812" else p452.RANGES
    values = {
        "frequency_mhz": frequency_mhz,
        "time_pct": time_pct,
        "tx_height_agl_m": tx_height_agl_m,
        "rx_height_agl_m": rx_height_agl_m,
        "delta_n": delta_n,
        "n0": n0,
    }
    if model == "p452":
        values |= {"tx_gain_dbi": gains_dbi, "pressure_hpa": pressure_hpa, "temperature_c": temperature_c}
    if require_ranges(values, ranges) or np.isnan(excess_db):
        raise RangeError(f"{model}: a setting of the map is NaN ({values | {'excess_db': excess_db}}).")
    vertical = polarization == "vertical"
    common = float(frequency_mhz), float(time_pct), vertical, float(delta_n), float(n0)
    if model == "p1812":
        return radial.question_p1812(*common, float(excess_db))
    return radial.question_p452(*common, float(gains_dbi), float(pressure_hpa), float(temperature_c))


def disc_grid(grid: Grid, x_m: float, y_m: float, radius_m: float) -> Grid:
    """Pixels of a grid's lattice that can lie within a radius in the plane; not clipped to the grid."""
    size = grid.resolution_m
    col0, col1 = (int(np.floor((x_m + side * radius_m - grid.x0_m) / size)) for side in (-1, 1))
    row0, row1 = (int(np.floor((grid.y0_m - y_m + side * radius_m) / size)) for side in (-1, 1))
    return raster.part_of(grid, (row0, row1 + 1, col0, col1 + 1))


def frame_of(grid: Grid) -> Frame:
    """A grid in the form the kernels read."""
    return Frame(float(grid.x0_m), float(grid.y0_m), float(grid.resolution_m), grid.rows, grid.cols)


def ray_count(radials: int, radius_m: float, pixel_m: float) -> int:
    """Radials so that neighbours are ``1 / radials`` pixels apart at the radius."""
    return int(np.ceil(radials * 2.0 * np.pi * radius_m / pixel_m))


def _map(
    asked: int,
    q: AreaQuestion,
    dem: Raster,
    clutter_heights: Raster | None,
    zones: Raster | None,
    site: Site,
    radius_m: float,
    grid: Grid | None,
    step_m: float | None,
    radials: int | str,
    path_latitude_deg: float | None,
    scan: bool,
    threads: int | None,
) -> Raster:
    """Run one question over the disc around a site."""
    if radials not in (1, 2, 3, "exact"):
        raise RangeError(f'radials: {radials!r} is not one of 1, 2, 3, "exact".')
    if not 0.0 < radius_m <= 1e6:
        raise RangeError(f"radius_m: {radius_m:g} outside 0 to 1e6 m.")
    place = place_of(dem.grid.crs, site.x_m, site.y_m, radius_m, path_latitude_deg)
    reach = reach_m(place.plane, float(radius_m))
    target = disc_grid(dem.grid, site.x_m, site.y_m, reach) if grid is None else grid
    step = target.resolution_m if step_m is None else step_m
    if not 1.0 <= step <= radius_m:
        raise RangeError(f"step_m: {step:g} outside 1 m to the radius ({radius_m:g} m).")
    extent = (site.x_m - reach, site.y_m - reach, site.x_m + reach, site.y_m + reach)
    terrain, frame = terrain_of(dem, clutter_heights, extent, zones), frame_of(target)
    out = np.full(target.rows * target.cols, np.nan)
    own = radials == "exact"
    count = ray_count(1 if own else int(radials), radius_m, target.resolution_m)
    rays = rays_around(frame, site, place, float(radius_m), count, float(step), threads)

    def shared(first: int, end: int) -> None:
        kernel.ray_block(first, end, asked, scan, q, terrain, frame, site, place, rays, out)

    def alone(first: int, end: int) -> None:
        kernel.own_block(first, end, asked, q, terrain, frame, site, place, rays, out)

    if own:
        in_threads(alone, len(rays.pixel), PIXELS_PER_TASK, threads)
    else:
        in_threads(shared, count, RAYS_PER_TASK, threads)
    return Raster(target, array=out.reshape(target.rows, target.cols), nodata=float("nan"))


def sweep_loss_db(
    model: str,
    dem: Raster,
    clutter_heights: Raster | None = None,
    *,
    zones: Raster | None = None,
    tx_x_m: float,
    tx_y_m: float,
    tx_height_agl_m: float,
    rx_height_agl_m: float,
    radius_m: float,
    frequency_mhz: float,
    time_pct: float = 50.0,
    grid: Grid | None = None,
    step_m: float | None = None,
    radials: int | str = 1,
    polarization: str = "vertical",
    delta_n: float,
    n0: float,
    gains_dbi: float = 0.0,
    excess_db: float = 0.0,
    pressure_hpa: float = 1013.25,
    temperature_c: float = 15.0,
    path_latitude_deg: float | None = None,
    scan: bool = False,
    threads: int | None = None,
) -> Raster:
    """Basic transmission loss from one transmitter to every pixel within a radius, over terrain and clutter.

    Parameters
    ----------
    model : {"p452", "p1812", "bullington"}
        ITU-R P.452-18 (clear air; contours of earth stations), ITU-R P.1812, or free space plus Bullington
        diffraction over the median Earth.
    dem : Raster
        Ground, m above sea level, in a projected CRS in metres.
    clutter_heights : Raster, optional
        Clutter, m above ground, same CRS, any frame. P.452 leaves it out strictly nearer than 50 m to either end,
        the others at the two end points.
    zones : Raster, optional
        Radio-climatic zones, see :func:`terrain_of`; all inland without it. Distances of the ends from the coast are
        those along the path, 500 km where it meets no sea.
    tx_x_m, tx_y_m, tx_height_agl_m : float
        Transmitter; its ground is the DEM's there.
    rx_height_agl_m : float
        Receivers, m above the ground of their pixel.
    radius_m : float
        Pixels whose centre lies within it are answered: geodesic distance, as far as the geodesics of the CRS can be
        mapped (460 km in a 3-degree Gauss-Krueger zone).
    frequency_mhz, time_pct, polarization, delta_n, n0, pressure_hpa, temperature_c
        As in :func:`lcsiting.radio.p452.loss_db` and :func:`lcsiting.radio.p1812.loss_db`.
    grid : Grid, optional
        Pixels of the answer; by default the DEM's, cut to the disc.
    step_m : float, optional
        Distance between points of a profile; by default the pixel size.
    radials : {1, 2, 3, "exact"}
        Radials per pixel of circumference, or a profile of its own for every pixel.
    gains_dbi : float
        P.452: both ends' gains toward the horizon, summed; they enter only the coupling loss.
    excess_db : float
        P.1812: added to the median before the floor Lb0p, on land and at sea alike.
    path_latitude_deg : float, optional
        One latitude for all paths; by default that of each path's centre.
    scan : bool
        Take the radials through the O(n) scans instead: the check of the sweep.
    threads : int, optional
        All cores if omitted; no value depends on it.

    Returns
    -------
    Raster
        float64 dB; NaN beyond the radius, where a height on the way is unknown, at the transmitter itself, and
        in P.1812 nearer than 250 m.

    Raises
    ------
    RangeError
        A value outside the model's range.
    """
    q = area_question(
        model, frequency_mhz=frequency_mhz, time_pct=time_pct, tx_height_agl_m=tx_height_agl_m,
        rx_height_agl_m=rx_height_agl_m, polarization=polarization, delta_n=delta_n, n0=n0, gains_dbi=gains_dbi,
        excess_db=excess_db, pressure_hpa=pressure_hpa, temperature_c=temperature_c,
    )  # fmt: skip
    site = Site(float(tx_x_m), float(tx_y_m), float(tx_height_agl_m), float(rx_height_agl_m))
    asked = BULLINGTON if model == "bullington" else CLEAR_AIR
    return _map(
        asked, q, dem, clutter_heights, zones, site, radius_m, grid, step_m, radials, path_latitude_deg, scan, threads
    )


def viewshed(
    dem: Raster,
    clutter_heights: Raster | None = None,
    *,
    tx_x_m: float,
    tx_y_m: float,
    tx_height_agl_m: float,
    rx_height_agl_m: float,
    radius_m: float,
    delta_n: float = 39.0,
    grid: Grid | None = None,
    step_m: float | None = None,
    radials: int | str = 1,
    scan: bool = False,
    threads: int | None = None,
) -> Raster:
    """Which pixels the transmitter sees over terrain and clutter.

    Parameters
    ----------
    delta_n : float
        Refractivity lapse rate, N-units/km, which bends the ray; 39 is close to the 4/3 Earth.
    dem, clutter_heights, tx_x_m, tx_y_m, tx_height_agl_m, rx_height_agl_m, radius_m, grid, step_m, radials, scan, threads
        As in :func:`sweep_loss_db`.

    Returns
    -------
    Raster
        float64: 1 seen, 0 hidden, NaN unknown or beyond the radius.
    """  # noqa: E501
    q = area_question(
        "bullington", frequency_mhz=1000.0, tx_height_agl_m=tx_height_agl_m, rx_height_agl_m=rx_height_agl_m,
        delta_n=delta_n, n0=320.0,
    )  # fmt: skip
    site = Site(float(tx_x_m), float(tx_y_m), float(tx_height_agl_m), float(rx_height_agl_m))
    return _map(SIGHT, q, dem, clutter_heights, None, site, radius_m, grid, step_m, radials, 0.0, scan, threads)


def sampling_error_db(shared: Raster, own: Raster) -> dict[str, float]:
    """Error of a map with shared radials against profiles of each pixel's own.

    Returns
    -------
    dict
        ``pixels``, ``rms_db``, and of the absolute difference ``p50_db``, ``p95_db``, ``p99_db``, ``max_db``.
    """
    difference = np.asarray(shared.array) - np.asarray(own.array)
    size = np.abs(difference[np.isfinite(difference)])
    if size.size == 0:
        return {"pixels": 0.0} | dict.fromkeys(("rms_db", "p50_db", "p95_db", "p99_db", "max_db"), float("nan"))
    p50, p95, p99 = (float(v) for v in np.percentile(size, (50, 95, 99)))
    rms = float(np.sqrt(np.mean(size**2)))
    return {
        "pixels": float(size.size), "rms_db": rms, "p50_db": p50, "p95_db": p95, "p99_db": p99,
        "max_db": float(size.max()),
    }  # fmt: skip
