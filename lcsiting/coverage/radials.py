"""Kernels of K2: which pixel belongs to which radial, and the walk along the radials."""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lcsiting.radio import p1812
from lcsiting.radio.clearair import FREE_SPACE_DB
from lcsiting.radio.diffraction import bullington_profile_db
from lcsiting.radio.horizon import (
    CLUTTER,
    GROUND,
    MEDIAN,
    MEDIAN_EDGE,
    SURFACE,
    X,
    advance,
    begin,
    bullington_at,
    new_state,
    top_slope,
)
from lcsiting.radio.plane import cubic, ray, reach_m
from lcsiting.radio.radial import (
    AreaQuestion,
    Place,
    begin_radial,
    cover_ground,
    latitude_at,
    loss_at,
    profile_db,
)
from lcsiting.radio.profile import INLAND
from lcsiting.radio.terrain import Terrain, ground_at, sample_line, sample_zones, zone_at
from lcsiting.radio.zones import begin_sums, inland, lengths_at, new_sums

CLEAR_AIR, BULLINGTON, SIGHT = 0, 1, 2  # what is asked of a path
P1812_NEAREST_KM = p1812.RANGES["distance_m"][0] / 1000.0


class Frame(NamedTuple):
    """Pixels of the answer, north-up."""

    x0_m: float
    y0_m: float
    pixel_m: float
    rows: int
    cols: int


class Site(NamedTuple):
    """The transmitter and the height of the receivers above ground, m."""

    x_m: float
    y_m: float
    tx_height_m: float
    rx_height_m: float


class Rays(NamedTuple):
    """Pixels by radial, each radial outwards: those of radial a are ``start[a] .. start[a + 1] - 1``."""

    start: np.ndarray
    pixel: np.ndarray  # row * cols + col
    distance_km: np.ndarray
    step_km: float


@njit(cache=True, nogil=True, error_model="numpy")
def centre(frame: Frame, pixel: int) -> tuple[float, float]:
    """Centre of a pixel in the plane."""
    x = frame.x0_m + (pixel % frame.cols + 0.5) * frame.pixel_m
    return x, frame.y0_m - (pixel // frame.cols + 0.5) * frame.pixel_m


@njit(cache=True, nogil=True, error_model="numpy")
def local(place: Place, site: Site, x: float, y: float) -> tuple[float, float]:
    """East and north of a point of the plane, m along the geodesic from the site."""
    c = place.plane.to_local
    return cubic(c, 0, x - site.x_m, y - site.y_m), cubic(c, 1, x - site.x_m, y - site.y_m)


@njit(cache=True, nogil=True, error_model="numpy")
def rows_within(frame: Frame, site: Site, place: Place, radius_m: float) -> tuple[int, int]:
    """First and behind the last row of pixels that may lie within the radius."""
    reach = reach_m(place.plane, radius_m)
    first = max(math.floor((frame.y0_m - site.y_m - reach) / frame.pixel_m - 0.5), 0)
    return first, max(min(math.ceil((frame.y0_m - site.y_m + reach) / frame.pixel_m) + 1, frame.rows), first)


@njit(cache=True, nogil=True, error_model="numpy")
def pixels_within(frame: Frame, site: Site, place: Place, radius_m: float, count: int, first_row: int, end_row: int):
    """Pixels of some rows whose centre lies within the radius, distances (m), the nearest of ``count`` radials."""
    reach = reach_m(place.plane, radius_m)
    first_col = max(math.floor((site.x_m - reach - frame.x0_m) / frame.pixel_m - 0.5), 0)
    end_col = min(math.ceil((site.x_m + reach - frame.x0_m) / frame.pixel_m) + 1, frame.cols)
    room = max(end_row - first_row, 0) * max(end_col - first_col, 0)
    pixel, distance, nearest = np.empty(room, np.int32), np.empty(room), np.empty(room, np.int32)
    n = 0
    for row in range(first_row, end_row):
        for col in range(first_col, end_col):
            p = row * frame.cols + col
            x, y = centre(frame, p)
            east, north = local(place, site, x, y)
            d = math.sqrt(east * east + north * north)
            if d <= radius_m:
                pixel[n], distance[n] = p, d
                nearest[n] = math.floor(math.atan2(north, east) / (2.0 * math.pi) * count + 0.5) % count
                n += 1
    return pixel[:n], distance[:n], nearest[:n]


@njit(cache=True, nogil=True)
def _grouped(key: np.ndarray, groups: int):
    """Stable order by an integer key, and where each group starts."""
    start = np.zeros(groups + 1, np.int64)
    for k in key:
        start[k + 1] += 1
    for g in range(groups):
        start[g + 1] += start[g]
    order, place = np.empty(key.size, np.int32), start[:-1].copy()
    for i in range(key.size):
        order[place[key[i]]] = i
        place[key[i]] += 1
    return order, start


@njit(cache=True, nogil=True, error_model="numpy")
def sorted_rays(frame: Frame, radius_m: float, count: int, step_m: float, pixel, distance, nearest) -> Rays:
    """Pixels, in their order, by nearest radial and distance.

    ``count`` radials, the first to the east, counter-clockwise; equal distances keep the order of the pixels.
    """
    rings = int(4.0 * radius_m / frame.pixel_m) + 1
    ring = np.empty(pixel.size, np.int32)
    for i in range(pixel.size):
        ring[i] = min(int(4.0 * distance[i] / frame.pixel_m), rings - 1)
    order, _ = _grouped(ring, rings)
    within, start = _grouped(nearest[order], count)
    out, km = np.empty(pixel.size, np.int32), np.empty(pixel.size)
    for i in range(pixel.size):
        out[i] = pixel[order[within[i]]]
        km[i] = 0.001 * distance[order[within[i]]]
    for a in range(count):  # rings left the radials almost sorted
        for i in range(start[a] + 1, start[a + 1]):
            p, d = out[i], km[i]
            j = i - 1
            while j >= start[a] and km[j] > d:
                out[j + 1], km[j + 1] = out[j], km[j]
                j -= 1
            out[j + 1], km[j + 1] = p, d
    return Rays(start, out, km, 0.001 * step_m)


@njit(cache=True, nogil=True, error_model="numpy")
def rays_of(frame: Frame, site: Site, place: Place, radius_m: float, count: int, step_m: float) -> Rays:
    """Sort the pixels around a site by nearest radial and distance (:func:`sorted_rays`)."""
    first, end = rows_within(frame, site, place, radius_m)
    pixel, distance, nearest = pixels_within(frame, site, place, radius_m, count, first, end)
    return sorted_rays(frame, radius_m, count, step_m, pixel, distance, nearest)


@njit(cache=True, nogil=True, error_model="numpy")
def _over_free_space(q: AreaQuestion, diffraction_db: float, total: float, tx_m: float, rx_m: float) -> float:
    distance = math.sqrt(total * total + (0.001 * (tx_m - rx_m)) ** 2)
    return FREE_SPACE_DB + 20.0 * q.wave.log_f + 20.0 * math.log10(distance) + diffraction_db


@njit(cache=True, nogil=True, error_model="numpy")
def own_profile_db(
    asked: int, q: AreaQuestion, distance_km: np.ndarray, ground_m: np.ndarray, clutter_m: np.ndarray,
    zone: np.ndarray, site: Site, latitude_deg: float,
) -> float:  # fmt: skip
    """The answer for one profile, receiver included, by scans: the reference of the sweep."""
    if asked == CLEAR_AIR:
        return profile_db(q, distance_km, ground_m, clutter_m, zone, site.tx_height_m, site.rx_height_m, latitude_deg)
    if math.isnan(ground_m.sum() + clutter_m.sum()):
        return math.nan
    n = distance_km.size - 1
    total = distance_km[n]
    tx, rx = ground_m[0] + site.tx_height_m, ground_m[n] + site.rx_height_m
    surface = ground_m + clutter_m if clutter_m.size > 0 else ground_m
    if asked == SIGHT:
        for i in range(1, n):
            x = distance_km[i]
            if (surface[i] + 500.0 / q.ae * x * (total - x) - tx) / x >= (rx - tx) / total:
                return 0.0
        return 1.0
    loss = bullington_profile_db(distance_km, surface, n, total, tx, rx, q.ae, q.wave.wavelength_m)
    return _over_free_space(q, loss, total, tx, rx)


@njit(cache=True, nogil=True, error_model="numpy")
def _swept_db(asked, q, real, index, last, total, rx_ground, tx, rx, latitude_deg, zones, clutter):
    """The answer for one receiver of a radial, by the horizon state."""
    if asked == CLEAR_AIR:
        return loss_at(q, real, index, last, total, rx_ground, tx, rx, latitude_deg, zones, clutter)
    bulge = 500.0 / q.ae
    if asked == SIGHT:
        return 1.0 if top_slope(real, MEDIAN, last) + bulge * total < (rx - tx) / total else 0.0
    advance(real, index, MEDIAN, last)
    loss = bullington_at(real, index, MEDIAN, MEDIAN_EDGE, last, last, total, tx, rx, bulge, q.wave.wavelength_m)
    return _over_free_space(q, loss, total, tx, rx)


@njit(cache=True, nogil=True, error_model="numpy")
def _line_db(
    asked: int, q: AreaQuestion, terrain: Terrain, site: Site, place: Place, distance_km: np.ndarray, east: float,
    north: float, rx_ground: float, rx_zone: int,
) -> float:  # fmt: skip
    """The answer over the geodesic of azimuth (east, north), a unit vector; ground and zone are the receiver's."""
    n = distance_km.size - 1
    ground = np.empty(n + 1)
    clutter = np.zeros(n + 1 if terrain.clutter_m.size > 0 else 0)
    curve = ray(place.plane, site.x_m, site.y_m, east, north)
    if sample_line(terrain, curve, n - 1, distance_km, ground, clutter) < n:
        return math.nan
    ground[n] = rx_ground
    if clutter.size > 0:
        clutter[0] = 0.0
    zone = np.full(n + 1 if terrain.zone.size > 0 else 0, rx_zone)
    if terrain.zone.size > 0:
        sample_zones(terrain, curve, n - 1, distance_km, zone)
    latitude = latitude_at(place, north, distance_km[n])
    return own_profile_db(asked, q, distance_km, ground, clutter, zone, site, latitude)


@njit(cache=True, nogil=True, error_model="numpy")
def _own_distances(total: float, step_km: float) -> np.ndarray:
    """Multiples of the step and the receiver, the last gap half to one and a half steps; at least three points."""
    last = math.floor(total / step_km - 0.5)
    if last < 1:
        return np.array([0.0, 0.5 * total, total])
    distance = np.arange(last + 2) * step_km
    distance[last + 1] = total
    return distance


@njit(cache=True, nogil=True, error_model="numpy")
def own_block(
    first: int, end: int, asked: int, q: AreaQuestion, terrain: Terrain, frame: Frame, site: Site, place: Place,
    rays: Rays, out: np.ndarray,
) -> None:  # fmt: skip
    """Pixels ``first .. end - 1`` of ``rays``, each over a profile of its own."""
    for i in range(first, end):
        p, d = rays.pixel[i], rays.distance_km[i]
        if d < (P1812_NEAREST_KM if q.p1812 and asked == CLEAR_AIR else 1e-6):
            continue
        x, y = centre(frame, p)
        east, north = local(place, site, x, y)
        distance = _own_distances(d, rays.step_km)
        height = ground_at(terrain.ground_m, terrain.x0_m, terrain.y0_m, terrain.pixel_m, x, y)
        east, north = 0.001 * east / d, 0.001 * north / d
        out[p] = _line_db(asked, q, terrain, site, place, distance, east, north, height, zone_at(terrain, x, y))


@njit(cache=True, nogil=True, error_model="numpy")
def _scanned_db(asked, q, real, last, total, rx_ground, zone, site, latitude_deg, clutter):
    """The answer for one receiver of a radial, by scans of the radial's own profile."""
    distance, ground = real[X, : last + 2].copy(), real[GROUND, : last + 2].copy()
    distance[last + 1], ground[last + 1] = total, rx_ground
    cover = real[CLUTTER, : last + 2 if clutter else 0].copy()
    if clutter:
        cover[0] = cover[last + 1] = 0.0
    return own_profile_db(asked, q, distance, ground, cover, zone, site, latitude_deg)


@njit(cache=True, nogil=True, error_model="numpy")
def _begin_ray(asked, q, real, index, last, tx_height_m, clutter):
    if asked == CLEAR_AIR:
        begin_radial(q, real, index, last, tx_height_m, clutter)
        return
    cover_ground(real, last, 0.0)
    begin(real, index, MEDIAN, SURFACE, last, real[GROUND, 0] + tx_height_m, 500.0 / q.ae)
    index[0, MEDIAN_EDGE] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def ray_block(
    first: int, end: int, asked: int, scan: bool, q: AreaQuestion, terrain: Terrain, frame: Frame, site: Site,
    place: Place, rays: Rays, out: np.ndarray,
) -> None:  # fmt: skip
    """Radials ``first .. end - 1``; pixels that get no answer keep what ``out`` (flat) holds.

    ``scan`` takes the same profiles through the scans, O(n) per pixel.
    """
    step, start, pixel, distance_km = rays.step_km, rays.start, rays.pixel, rays.distance_km
    z, x0, y0, size = terrain.ground_m, terrain.x0_m, terrain.y0_m, terrain.pixel_m
    clutter = terrain.clutter_m.size > 0
    farthest = 0.0
    for a in range(first, end):
        if start[a + 1] > start[a]:
            farthest = max(farthest, distance_km[start[a + 1] - 1])
    real, index = new_state(int(farthest / step) + 3, step)
    zoned = asked == CLEAR_AIR and terrain.zone.size > 0
    sums, zone = new_sums(real.shape[1] if zoned else 0)
    nearest = P1812_NEAREST_KM if q.p1812 and asked == CLEAR_AIR else 1e-6
    for a in range(first, end):
        if start[a] == start[a + 1]:
            continue
        angle = 2.0 * math.pi * a / (start.size - 1)
        east, north = math.cos(angle), math.sin(angle)
        last = max(math.floor(distance_km[start[a + 1] - 1] / step - 0.5), 0)
        curve = ray(place.plane, site.x_m, site.y_m, east, north)
        known = sample_line(terrain, curve, last, real[X], real[GROUND], real[CLUTTER])
        if zoned:
            sample_zones(terrain, curve, last, real[X], zone)
            begin_sums(sums, zone, real[X], last)
        if known > 0:
            _begin_ray(asked, q, real, index, known - 1, site.tx_height_m, clutter)
        tx = real[GROUND, 0] + site.tx_height_m
        for i in range(start[a], start[a + 1]):
            p, d = pixel[i], distance_km[i]
            x, y = centre(frame, p)
            height = ground_at(z, x0, y0, size, x, y)
            last = math.floor(d / step - 0.5)
            if d < nearest or last >= known or math.isnan(height):
                continue
            latitude = latitude_at(place, north, d)
            rx_zone = zone_at(terrain, x, y) if zoned else INLAND
            if last < 1:
                e, n = local(place, site, x, y)
                distance, e, n = _own_distances(d, step), 0.001 * e / d, 0.001 * n / d
                out[p] = _line_db(asked, q, terrain, site, place, distance, e, n, height, rx_zone)
            elif scan:
                path = np.append(zone[: last + 1], rx_zone) if zoned else zone[:0]
                out[p] = _scanned_db(asked, q, real, last, d, height, path, site, latitude, clutter)
            else:
                zones = inland(d, q.dct, q.dcr)
                if zoned:
                    zones = lengths_at(sums, zone, real[X], last, d, rx_zone, q.dct, q.dcr)
                rx = height + site.rx_height_m
                out[p] = _swept_db(asked, q, real, index, last, d, height, tx, rx, latitude, zones, clutter)


@njit(cache=True, nogil=True, error_model="numpy")
def site_disc(
    asked: int, q: AreaQuestion, terrain: Terrain, frame: Frame, site: Site, place: Place, radius_m: float,
    count: int, step_m: float, out: np.ndarray,
) -> None:  # fmt: skip
    """All radials of one site in one call: for cities, where threads run over sites.

    ``out`` is flat, ``frame.rows * frame.cols``; pixels without an answer are not written.
    """
    rays = rays_of(frame, site, place, radius_m, count, step_m)
    ray_block(0, count, asked, False, q, terrain, frame, site, place, rays, out)
