"""Kernels of the terrain models: one profile and one answer for every pixel of a station's window."""

import lcsiting._cache  # noqa: F401, I001
import math

import numpy as np
from numba import njit

from lcsiting.radio import p1812, pathloss
from lcsiting.radio.profile import INLAND

LOS = 2  # kind of station: LOS or NLOS of TR 38.901; anything else is P.1812
COAST_KM = 500.0  # P.1812's value for "far from the sea"
SLANT_MIN_M = 1.0
BEYOND_DB = 1000.0  # loss outside the reach
A1, B1, C1, BP, A2, B2, A3, B3, DH, NEAR = (
    pathloss.A1, pathloss.B1, pathloss.C1, pathloss.BP, pathloss.A2, pathloss.B2, pathloss.A3, pathloss.B3,
    pathloss.DH, pathloss.NEAR,
)  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _profile(x0, y0, x1, y1, length_m, step_m, ground, gframe, clutter, cframe, km, low, high):
    """Fill a profile from (x0, y0) to (x1, y1); the number of its last point."""
    n = max(2, math.ceil(length_m / step_m))
    grows, gcols = ground.shape
    crows, ccols = clutter.shape
    for k in range(n + 1):
        t = k / n
        x, y = x0 + t * (x1 - x0), y0 + t * (y1 - y0)
        col = min(max(math.floor((x - gframe[0]) / gframe[2]), 0), gcols - 1)
        row = min(max(math.floor((gframe[1] - y) / gframe[2]), 0), grows - 1)
        height = float(ground[row, col])
        km[k], low[k], high[k] = t * length_m * 1e-3, height, height
        if 0 < k < n:
            col = math.floor((x - cframe[0]) / cframe[2])
            row = math.floor((cframe[1] - y) / cframe[2])
            if 0 <= row < crows and 0 <= col < ccols:
                high[k] = height + clutter[row, col]
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def _free_space_db(mhz, d, dh):
    return 20.0 * math.log10(max(math.hypot(d, dh), SLANT_MIN_M)) + 20.0 * math.log10(mhz) - 27.55221678


@njit(cache=True, nogil=True, error_model="numpy")
def _p1812_db(q, mhz, d, near_m, n, km, low, high, zone, tx_h, rx_h, latitude, rx_ground):
    """P.1812's loss of a profile, or the near-field model's of a pixel at ``d`` on a profile of ``near_m``."""
    terms = p1812.path_terms(
        q, km[: n + 1], low[: n + 1], high[: n + 1], zone[: n + 1], tx_h, rx_h, latitude, COAST_KM, COAST_KM, False
    )
    loss = max(terms.Lb0p, terms.Lbc)
    if d >= near_m:
        return loss
    excess = loss - _free_space_db(mhz, near_m, low[0] + tx_h - low[n] - rx_h)
    return _free_space_db(mhz, d, low[0] + tx_h - rx_ground - rx_h) + d / near_m * excess


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
def fill(
    kind, q, mhz, c, place, heights, latitude, limits, frame, corner, shape, ground, gframe, clutter, cframe, loss, drop
):
    """One station's window.

    Parameters
    ----------
    kind : int
        ``LOS`` or P.1812.
    q, mhz : p1812.Question, float
    c : float64 (13,)
        Coefficient row (``pathloss.COLUMNS``) for ``LOS``.
    place : x_m, y_m, reach_m
    heights : mast and terminal, m above ground
    latitude : float
    limits : longest step, near field (both m), effective Earth radius (km)
    frame : x0_m, y0_m, resolution_m of the pixels
    corner, shape : first row and column, rows and columns of the window
    ground, gframe, clutter, cframe : float32 arrays, m, and their frames
    loss, drop : float32 (rows * cols,)
        Out: dB and degrees below the horizon.
    """
    x0, y0, reach = place
    tx_h, rx_h = heights
    step_m, near_m, earth_km = limits
    size = math.ceil((reach + 2 * frame[2] + near_m) / step_m) + 3
    km, low, high, zone = np.empty(size), np.empty(size), np.empty(size), np.full(size, INLAND)
    for i in range(shape[0]):
        y = frame[1] - (corner[0] + i + 0.5) * frame[2]
        for j in range(shape[1]):
            x = frame[0] + (corner[1] + j + 0.5) * frame[2]
            d = math.hypot(x - x0, y - y0)
            at = i * shape[1] + j
            if d > reach + frame[2]:
                loss[at], drop[at] = BEYOND_DB, 0.0
                continue
            n = _profile(x0, y0, x, y, d, step_m, ground, gframe, clutter, cframe, km, low, high)
            rx_ground, tx_m = low[n], low[0] + tx_h
            drop[at] = math.degrees(math.atan2(tx_m - rx_ground - rx_h, max(d, 10.0)))
            if kind == LOS:
                sight = d < SLANT_MIN_M or _in_sight(n, km, high, tx_m, rx_ground + rx_h, earth_km)
                loss[at] = _state_db(c, d, sight)
                continue
            if d < near_m:  # the profile goes on to the near field's edge
                east = (x - x0) / d if d > 0 else 0.0
                north = (y - y0) / d if d > 0 else 1.0
                xe, ye = x0 + near_m * east, y0 + near_m * north
                n = _profile(x0, y0, xe, ye, near_m, step_m, ground, gframe, clutter, cframe, km, low, high)
            loss[at] = _p1812_db(q, mhz, d, near_m, n, km, low, high, zone, tx_h, rx_h, latitude, rx_ground)
