"""Kernels of one station's window: P.1812 by shared radials with its near field, line of sight by own profiles."""

import lcsiting._cache  # noqa: F401, I001
import math

import numpy as np
from numba import njit

from lcsiting.coverage.radials import CLEAR_AIR, centre, local, site_disc
from lcsiting.radio import p1812, pathloss
from lcsiting.radio.plane import along, ray
from lcsiting.radio.profile import INLAND
from lcsiting.radio.radial import latitude_at
from lcsiting.radio.terrain import clutter_at, ground_at, zone_at
from lcsiting.radio.zones import lengths_of

SLANT_MIN_M = 1.0
NEAREST_M = 10.0  # depression angles nearer than this are those of this distance, as in K1
BEYOND_DB = 1000.0  # loss outside the reach
A1, B1, C1, BP, A2, B2, A3, B3, DH, NEAR = (
    pathloss.A1, pathloss.B1, pathloss.C1, pathloss.BP, pathloss.A2, pathloss.B2, pathloss.A3, pathloss.B3,
    pathloss.DH, pathloss.NEAR,
)  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _ground(terrain, x, y):
    return ground_at(terrain.ground_m, terrain.x0_m, terrain.y0_m, terrain.pixel_m, x, y)


@njit(cache=True, nogil=True, error_model="numpy")
def _clutter(terrain, x, y):
    return clutter_at(
        terrain.clutter_m, terrain.clutter_x0_m, terrain.clutter_y0_m, terrain.clutter_pixel_m, x, y
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _profile(terrain, site, place, east, north, length_m, step_m, buffers):
    """Fill the profile of the geodesic toward (east, north), any length; the number of its last point. Bare ends."""
    km, low, high, zone = buffers
    far = math.hypot(east, north)
    sine, cosine = (east / far, north / far) if far > 0.0 else (0.0, 1.0)
    curve = ray(place.plane, site.x_m, site.y_m, sine, cosine)
    n = max(2, math.ceil(length_m / step_m))
    for k in range(n + 1):
        t = k / n
        x, y = along(curve, t * length_m)
        height = _ground(terrain, x, y)
        km[k], low[k], high[k] = t * length_m * 1e-3, height, height
        if 0 < k < n:
            high[k] = height + _clutter(terrain, x, y)
        if terrain.zone.size > 0:
            zone[k] = zone_at(terrain, x, y)
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _free_space_db(mhz, d, dh):
    """ITU-R P.525-4 over the slant distance."""
    metres = max(math.hypot(d, dh), SLANT_MIN_M)
    return 20.0 * math.log10(4.0 * math.pi * metres * mhz * 1e6 / 299_792_458.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _near_field_db(area, d, near_m, terrain, site, place, east, north, step_m, buffers, rx_ground):
    """Free space plus the share d / near_m of P.1812's excess over it at near_m on the same bearing."""
    km, low, high, zone = buffers
    n = _profile(terrain, site, place, east, north, near_m, step_m, buffers)
    zones = lengths_of(km[: n + 1], zone[: n + 1], area.dct, area.dcr)
    cosine = north / max(math.hypot(east, north), 1e-9)
    q = p1812.Question(area.wave, area.p, area.ae, area.troposcatter_db)
    terms = p1812.path_terms(
        q, km[: n + 1], low[: n + 1], high[: n + 1], zone[: n + 1], site.tx_height_m, site.rx_height_m,
        latitude_at(place, cosine, near_m * 1e-3), zones.dct, zones.dcr, False,
    )  # fmt: skip
    mast, mhz = low[0] + site.tx_height_m, area.wave.f_ghz * 1e3
    excess = max(terms.Lb0p, terms.Lbc) - _free_space_db(mhz, near_m, mast - low[n] - site.rx_height_m)
    return _free_space_db(mhz, d, mast - rx_ground - site.rx_height_m) + d / near_m * excess


@njit(cache=True, nogil=True, error_model="numpy")
def _depression_deg(mast_m, receiver_m, d):
    return math.degrees(math.atan2(mast_m - receiver_m, max(d, NEAREST_M)))


@njit(cache=True, nogil=True, error_model="numpy")
def _buffers(size):
    return np.empty(size), np.empty(size), np.empty(size), np.full(size, INLAND)


@njit(cache=True, nogil=True, error_model="numpy")
def p1812_window(area, terrain, frame, site, place, reach_m, rays, step_m, near_m, loss, drop):
    """Loss and depression of one station's window by P.1812.

    Parameters
    ----------
    area : radio.radial.AreaQuestion
    terrain, frame, site, place : Terrain, Frame, Site, Place
        As for the sweep; the frame is the window.
    reach_m, rays, step_m, near_m : float, int, float, float
    loss, drop : float32 (rows * cols,)
        Out: dB (``BEYOND_DB`` beyond the reach) and degrees below the horizon.
    """
    swept = np.full(frame.rows * frame.cols, np.nan)
    site_disc(CLEAR_AIR, area, terrain, frame, site, place, reach_m, rays, step_m, swept)
    buffers = _buffers(math.ceil(near_m / step_m) + 4)
    mast = _ground(terrain, site.x_m, site.y_m) + site.tx_height_m
    for at in range(swept.size):
        x, y = centre(frame, at)
        east, north = local(place, site, x, y)
        d = math.hypot(east, north)
        value = swept[at]
        loss[at], drop[at] = BEYOND_DB, 0.0
        if d > reach_m:
            continue
        ground = _ground(terrain, x, y)
        if d < near_m:
            value = _near_field_db(area, d, near_m, terrain, site, place, east, north, step_m, buffers, ground)
        if not math.isnan(value):
            loss[at], drop[at] = value, _depression_deg(mast, ground + site.rx_height_m, d)


@njit(cache=True, nogil=True, error_model="numpy")
def _in_sight(n, km, high, tx_m, rx_m, earth_km):
    """Whether no point of the surface rises above the ray over the effective Earth."""
    total = km[n]
    for k in range(1, n):
        ray = tx_m + (rx_m - tx_m) * km[k] / total - 500.0 / earth_km * km[k] * (total - km[k])
        if high[k] > ray:
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _state_db(c, d, sight):
    """LOS or NLOS loss of a coefficient row (``pathloss.COLUMNS``)."""
    far = max(d, c[NEAR])
    slant = math.hypot(far, c[DH])
    lg = math.log10(slant)
    los = c[A1] + c[B1] * lg + c[C1] * slant if far <= c[BP] else c[A2] + c[B2] * lg
    return los if sight else max(los, c[A3] + c[B3] * lg)


@njit(cache=True, nogil=True, error_model="numpy")
def los_window(c, terrain, frame, site, place, reach_m, step_m, earth_km, loss, drop):
    """Loss and depression of one station's window by a model of TR 38.901 whose state the terrain decides.

    ``c``: coefficient row, float64 (13,). The decision is made on every pixel's own profile.
    """
    buffers = _buffers(math.ceil((reach_m + 2 * frame.pixel_m) / step_m) + 4)
    km, low, high, _ = buffers
    for at in range(frame.rows * frame.cols):
        x, y = centre(frame, at)
        east, north = local(place, site, x, y)
        d = math.hypot(east, north)
        loss[at], drop[at] = BEYOND_DB, 0.0
        if d > reach_m:
            continue
        n = _profile(terrain, site, place, east, north, d, step_m, buffers)
        mast, receiver = low[0] + site.tx_height_m, low[n] + site.rx_height_m
        if math.isnan(mast + receiver):
            continue
        sight = d < SLANT_MIN_M or _in_sight(n, km, high, mast, receiver, earth_km)
        loss[at], drop[at] = _state_db(c, d, sight), _depression_deg(mast, receiver, d)
