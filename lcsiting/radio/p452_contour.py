"""Separation a receiver needs, by ITU-R P.452-18 on radials: the farthest distance at which the loss is too small."""

import lcsiting._cache  # noqa: F401, I001
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from lcsiting.radio.clearair import FREE_SPACE_DB
from lcsiting.radio.diffraction import Wave
from lcsiting.radio.p452 import RANGES, Question, is_bare, question
from lcsiting.radio.p452_batch import path_losses_db
from lcsiting.radio.plane import Plane, flat_plane, ray
from lcsiting.radio.profile import INLAND
from lcsiting.radio.ranges import require_choice, require_range, require_ranges
from lcsiting.radio.terrain import Terrain, sample_held_line, sample_zones, without_clutter
from lcsiting.radio.zones import COAST_KM, inland, lengths_of

RADIALS_AT_A_TIME = 8


@njit(cache=True, nogil=True, error_model="numpy")
def _free_space_db(w: Wave, distance_km: float) -> float:
    return FREE_SPACE_DB + 20.0 * w.log_f + 20.0 * math.log10(distance_km)


@njit(cache=True, nogil=True, error_model="numpy")
def _least_db(q: Question, distance_km: float) -> float:
    """No path of this length loses less, dB: farther out than it allows nothing need be computed.

    Focusing takes at most 2.6 lg(50 / p) from free space (section 4.1), and the sum of troposcatter and the rest
    (section 4.6) lies at most 5 lg 2 below the lesser of both.
    """
    focused = _free_space_db(q.wave, 1.0) + 2.6 * math.log10(q.p / 50.0)
    return min(focused, q.troposcatter_db) - 5.0 * math.log10(2.0) + 20.0 * math.log10(distance_km)


@njit(cache=True, nogil=True, error_model="numpy")
def _radial_km(
    terrain: Terrain, q: Question, plane: Plane, x_m: float, y_m: float, east: float, north: float, step_km: float,
    count: int, needed_db: float, tx_height_m: float, rx_height_m: float, latitude_deg: float, free_in_sight: bool,
) -> float:  # fmt: skip
    """Farthest distance on one radial at which the loss is below ``needed_db``; NaN where a height is unknown."""
    if math.isnan(needed_db):
        return math.nan
    while count > 2 and _least_db(q, (count - 1) * step_km) > needed_db:  # one point beyond, for the crossing
        count -= 1
    distances, ground, clutter = np.arange(count + 1) * step_km, np.empty(count + 1), np.zeros(count + 1)
    curve = ray(plane, x_m, y_m, east, north)
    if sample_held_line(terrain, curve, count, distances, ground, clutter) <= count:
        return math.nan
    zoned = terrain.zone.size > 0
    zone, toward = np.full(count + 1 if zoned else 0, INLAND), np.full(count + 1 if zoned else 0, INLAND)
    if zoned:
        sample_zones(terrain, curve, count, distances, zone)
    distance, bare, surface, flat = np.empty(count + 1), np.empty(count + 1), np.empty(count + 1), np.zeros(count + 1)
    beyond = -1.0  # how much the loss is above what is needed one step farther out
    for n in range(count, 1, -1):
        total = n * step_km
        for i in range(n + 1):
            d = i * step_km
            distance[i] = d
            bare[i] = ground[n - i]
            surface[i] = bare[i]
            if not is_bare(d, total):
                surface[i] += clutter[n - i]
            if zoned:
                toward[i] = zone[n - i]
        zones = inland(total, COAST_KM, COAST_KM)
        if zoned:
            zones = lengths_of(distance[: n + 1], toward[: n + 1], COAST_KM, COAST_KM)
        loss, _, over = path_losses_db(
            q, q.p, 0.0, distance[: n + 1], bare[: n + 1], surface[: n + 1], flat[: n + 1], tx_height_m, rx_height_m,
            latitude_deg, zones,
        )  # fmt: skip
        if free_in_sight and not over:
            rise = 0.001 * (bare[0] + tx_height_m - bare[n] - rx_height_m)
            loss = _free_space_db(q.wave, math.sqrt(total * total + rise * rise))
        if loss < needed_db:
            short = needed_db - loss
            return total if beyond < 0.0 else total + step_km * short / (short + beyond)
        beyond = loss - needed_db
    # Nearer than two steps the land between does not matter.
    return min(2.0 * step_km, 10.0 ** ((needed_db - _free_space_db(q.wave, 1.0)) / 20.0))


def separation_m(
    terrain: Terrain,
    x_m: float,
    y_m: float,
    needed_db: ArrayLike,
    *,
    bearings_deg: ArrayLike,
    frequency_mhz: float,
    time_pct: float,
    tx_height_agl_m: float,
    rx_height_agl_m: float,
    latitude_deg: float,
    delta_n: float,
    n0: float,
    plane: Plane | None = None,
    polarization: str = "vertical",
    reach_m: float = 50_000.0,
    step_m: float = 100.0,
    path_clutter: bool = True,
    free_in_sight: bool = False,
    threads: int = 1,
) -> NDArray[np.float64]:
    """How far a transmitter must stay away, on each radial from a receiver.

    Every radial is searched from ``reach_m`` inward, each point with the profile of its own, until the loss falls
    below what is needed; the crossing is interpolated. So nothing outside the contour is too near, while inside it
    land may shield single places.

    Parameters
    ----------
    terrain : Terrain
        Off its ground the nearest edge pixel counts.
    x_m, y_m : float
        Receiver in the plane.
    needed_db : array_like, shape (n,)
        Basic loss needed on each radial.
    bearings_deg : array_like, shape (n,)
        Azimuths from true north; without ``plane`` from the north of the plane.
    frequency_mhz, time_pct : float
    tx_height_agl_m, rx_height_agl_m : float
        Above ground.
    latitude_deg, delta_n, n0 : float
    plane : Plane, optional
        The plane around the receiver out to ``reach_m`` (``geodesic.local_plane``): radials are geodesics. Without it
        they are straight lines and the plane's lengths are true.
    polarization : {"vertical", "horizontal"}
    reach_m, step_m : float
        Where the search starts; distance between points, 10 to 1000 m.
    path_clutter : bool
        Clutter along the path.
    free_in_sight : bool
        Free space where the bare ground leaves line of sight, P.452 beyond.
    threads : int
        The answer is the same for any number.

    Returns
    -------
    ndarray (n,)
        True distance, m; ``reach_m`` where even there the loss is too small; NaN where the need or a
        height on the way is unknown.

    Raises
    ------
    RangeError
        A value outside its range.
    """
    require_choice("polarization", polarization, ("vertical", "horizontal"))
    values = {"frequency_mhz": frequency_mhz, "time_pct": time_pct, "delta_n": delta_n, "n0": n0}
    require_ranges(values | {"tx_height_agl_m": tx_height_agl_m, "rx_height_agl_m": rx_height_agl_m}, RANGES)
    require_range("step_m", step_m, 10.0, 1000.0, "m", "P.452-18 profile")
    vertical = polarization == "vertical"
    q = question(frequency_mhz / 1000.0, float(time_pct), vertical, float(delta_n), float(n0), 0.0, 1013.25, 15.0)
    bearings = np.radians(np.asarray(bearings_deg, dtype=float))
    needed = np.broadcast_to(np.asarray(needed_db, dtype=float), bearings.shape)
    around = flat_plane() if plane is None else plane
    heights = terrain if path_clutter else without_clutter(terrain)
    out, count = np.empty(bearings.shape), max(round(reach_m / step_m), 3)

    def work(first: int) -> None:
        for k in range(first, min(first + RADIALS_AT_A_TIME, len(bearings))):
            out[k] = 1000.0 * _radial_km(
                heights, q, around, float(x_m), float(y_m), np.sin(bearings[k]), np.cos(bearings[k]), step_m / 1000.0,
                count, needed[k], float(tx_height_agl_m), float(rx_height_agl_m), float(latitude_deg), free_in_sight,
            )  # fmt: skip

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        list(pool.map(work, range(0, len(bearings), RADIALS_AT_A_TIME)))
    return np.minimum(out, reach_m)
