"""Diffraction common to ITU-R P.452-18 (section 4.2) and P.1812 (section 4.3): delta-Bullington.

Kernels work in the Recommendations' units: km along the path, m in height,
GHz. A profile is ``distance_km[0 .. n-1]`` before the receiver; the receiver
stands at ``total_km``. Equation numbers are those of P.452-18.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import njit

EARTH_RADIUS_KM = 6371.0
BETA_EARTH_RADIUS_KM = 3.0 * EARTH_RADIUS_KM  # eq. (6b): exceeded for beta0 per cent of the time


class Wave(NamedTuple):
    """What depends on frequency and polarization alone, computed once per map."""

    f_ghz: float
    log_f: float
    f_third: float  # cube root of f_ghz
    wavelength_m: float
    k_land: float  # eq. (30) times the cube root of the Earth radius
    k_sea: float


class Diffraction(NamedTuple):
    """Parts of the delta-Bullington loss, dB."""

    Lbulla: float  # Bullington on the profile
    Lbulls: float  # Bullington on the smooth profile
    Ldsph: float  # spherical Earth
    Ld: float


@njit(cache=True, nogil=True, error_model="numpy")
def _surface_term(f_ghz: float, permittivity: float, conductivity: float, vertical: bool) -> float:
    loss = 18.0 * conductivity / f_ghz
    k = 0.036 * (1.0 / f_ghz) ** (1.0 / 3.0) * ((permittivity - 1.0) ** 2 + loss * loss) ** -0.25
    if vertical:
        k *= math.sqrt(permittivity * permittivity + loss * loss)
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def wave(f_ghz: float, vertical: bool) -> Wave:
    """Frequency-only terms; land and sea constants of P.452-18 section 4.2.2.1."""
    return Wave(
        f_ghz,
        math.log10(f_ghz),
        f_ghz ** (1.0 / 3.0),
        0.2998 / f_ghz,
        _surface_term(f_ghz, 22.0, 0.003, vertical),
        _surface_term(f_ghz, 80.0, 5.0, vertical),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def inverse_normal(x: float) -> float:
    """Inverse complementary cumulative normal function I(x), approximation of P.452-18 Attachment 3.

    ``x`` is a share in 0 to 1, held off the ends by 1e-6 as the Recommendation does.
    """
    tail = x if x <= 0.5 else 1.0 - x
    t = math.sqrt(-2.0 * math.log(max(tail, 1e-6)))
    numerator = (0.010328 * t + 0.802853) * t + 2.515516698
    value = t - numerator / (((0.001308 * t + 0.189269) * t + 1.432788) * t + 1.0)
    return value if x <= 0.5 else -value


@njit(cache=True, nogil=True, error_model="numpy")
def knife_edge_db(nu: float) -> float:
    """Single knife-edge loss J(nu), eq. (13), dB."""
    if nu <= -0.78:
        return 0.0
    return 6.9 + 20.0 * math.log10(math.sqrt((nu - 0.1) ** 2 + 1.0) + nu - 0.1)


@njit(cache=True, nogil=True, error_model="numpy")
def bullington_db(knife_db: float, total_km: float) -> float:
    """Bullington loss from its knife-edge loss, eq. (22), dB."""
    return knife_db + (1.0 - math.exp(-knife_db / 6.0)) * (10.0 + 0.02 * total_km)


@njit(cache=True, nogil=True, error_model="numpy")
def bullington_point_nu(
    stim: float, srim: float, tx_m: float, rx_m: float, total_km: float, wavelength_m: float
) -> float:
    """Diffraction parameter of the Bullington point of a trans-horizon path, eqs. (19)-(20)."""
    point = (rx_m - tx_m + srim * total_km) / (stim + srim)
    height = tx_m + stim * point - (tx_m * (total_km - point) + rx_m * point) / total_km
    return height * math.sqrt(0.002 * total_km / (wavelength_m * point * (total_km - point)))


# The three scans may be reordered by the compiler: they are maxima, so the result is the same
# value. Callers keep NaN out.
@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _max_slope_from_tx(distance_km, height_m, n, total_km, tx_m, curvature):
    top = -1e300
    bulge = 500.0 * curvature
    for i in range(1, n):
        x = distance_km[i]
        slope = (height_m[i] + bulge * x * (total_km - x) - tx_m) / x
        if slope > top:
            top = slope
    return top


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _max_slope_from_rx(distance_km, height_m, n, total_km, rx_m, curvature):
    top = -1e300
    bulge = 500.0 * curvature
    for i in range(1, n):
        x = distance_km[i]
        slope = (height_m[i] + bulge * x * (total_km - x) - rx_m) / (total_km - x)
        if slope > top:
            top = slope
    return top


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _max_nu(distance_km, height_m, n, total_km, tx_m, rx_m, curvature, wavelength_m):
    top = -1e300
    bulge = 500.0 * curvature
    scale = 0.002 * total_km / wavelength_m
    slope = (rx_m - tx_m) / total_km
    for i in range(1, n):
        x = distance_km[i]
        span = x * (total_km - x)
        nu = (height_m[i] + bulge * span - tx_m - slope * x) * math.sqrt(scale / span)
        if nu > top:
            top = nu
    return top


@njit(cache=True, nogil=True, error_model="numpy")
def bullington_profile_db(
    distance_km: np.ndarray,
    height_m: np.ndarray,
    n: int,
    total_km: float,
    tx_m: float,
    rx_m: float,
    earth_radius_km: float,
    wavelength_m: float,
) -> float:
    """Bullington loss of a profile, eqs. (14)-(22), dB.

    Parameters
    ----------
    distance_km, height_m : numpy.ndarray
        Profile, m above sea level with clutter; points 1 .. n-1 lie between the ends.
    n : int
        Number of points before the receiver.
    total_km : float
        Distance of the receiver.
    tx_m, rx_m : float
        Antennas, m above sea level.
    earth_radius_km, wavelength_m : float
        Effective Earth radius; wavelength.
    """
    curvature = 1.0 / earth_radius_km
    stim = _max_slope_from_tx(distance_km, height_m, n, total_km, tx_m, curvature)
    if stim < (rx_m - tx_m) / total_km:
        nu = _max_nu(distance_km, height_m, n, total_km, tx_m, rx_m, curvature, wavelength_m)
    else:
        srim = _max_slope_from_rx(distance_km, height_m, n, total_km, rx_m, curvature)
        nu = bullington_point_nu(stim, srim, tx_m, rx_m, total_km, wavelength_m)
    return bullington_db(knife_edge_db(nu), total_km)


@njit(cache=True, nogil=True, error_model="numpy")
def _height_gain_db(b: float, floor_db: float) -> float:
    if b > 2.0:
        gain = 17.6 * math.sqrt(b - 1.1) - 5.0 * math.log10(b - 1.1) - 8.0
    else:
        gain = 20.0 * math.log10(b + 0.1 * b * b * b)
    return max(gain, floor_db)


@njit(cache=True, nogil=True, error_model="numpy")
def _first_term_db(
    k_surface: float, f_third: float, total_km: float, tx_m: float, rx_m: float, radius_km: float
) -> float:
    radius_third = radius_km ** (1.0 / 3.0)
    k = k_surface / radius_third
    k2 = k * k
    k4 = k2 * k2
    beta = (1.0 + 1.6 * k2 + 0.67 * k4) / (1.0 + 4.5 * k2 + 1.53 * k4)
    x = 21.88 * beta * f_third / (radius_third * radius_third) * total_km
    if x >= 1.6:
        distance_db = 11.0 + 10.0 * math.log10(x) - 17.6 * x
    else:
        distance_db = -20.0 * math.log10(x) - 5.6488 * x**1.425
    height = 0.9575 * beta * beta * f_third * f_third / radius_third
    floor_db = 2.0 + 20.0 * math.log10(k)
    return -distance_db - _height_gain_db(height * tx_m, floor_db) - _height_gain_db(height * rx_m, floor_db)


@njit(cache=True, nogil=True, error_model="numpy")
def first_term_db(w: Wave, total_km: float, tx_m: float, rx_m: float, radius_km: float, omega: float) -> float:
    """First term of the residue series, eqs. (29)-(36), land and sea mixed by ``omega``, dB."""
    loss = 0.0
    if omega < 1.0:
        loss += (1.0 - omega) * _first_term_db(w.k_land, w.f_third, total_km, tx_m, rx_m, radius_km)
    if omega > 0.0:
        loss += omega * _first_term_db(w.k_sea, w.f_third, total_km, tx_m, rx_m, radius_km)
    return loss


@njit(cache=True, nogil=True, error_model="numpy")
def spherical_earth_db(w: Wave, total_km: float, tx_m: float, rx_m: float, radius_km: float, omega: float) -> float:
    """Spherical-Earth diffraction, section 4.2.2, dB; heights above the smooth surface."""
    horizon_km = math.sqrt(2.0 * radius_km) * (math.sqrt(0.001 * tx_m) + math.sqrt(0.001 * rx_m))
    if total_km >= horizon_km:
        return first_term_db(w, total_km, tx_m, rx_m, radius_km, omega)
    both = tx_m + rx_m
    c = (tx_m - rx_m) / both
    m = 250.0 * total_km * total_km / (radius_km * both)
    cosine = max(-1.0, min(1.0, 1.5 * c * math.sqrt(3.0 * m / (m + 1.0) ** 3)))
    b = 2.0 * math.sqrt((m + 1.0) / (3.0 * m)) * math.cos((math.pi + math.acos(cosine)) / 3.0)
    near = total_km / 2.0 * (1.0 + b)
    far = total_km - near
    clearance = (tx_m - 500.0 * near * near / radius_km) * far + (rx_m - 500.0 * far * far / radius_km) * near
    clearance /= total_km
    needed = 17.456 * math.sqrt(near * far * w.wavelength_m / total_km)
    if clearance > needed:
        return 0.0
    marginal_km = 500.0 * (total_km / (math.sqrt(tx_m) + math.sqrt(rx_m))) ** 2
    loss = first_term_db(w, total_km, tx_m, rx_m, marginal_km, omega)
    return 0.0 if loss < 0.0 else (1.0 - clearance / needed) * loss


@njit(cache=True, nogil=True, error_model="numpy")
def delta_bullington(
    w: Wave,
    distance_km: np.ndarray,
    height_m: np.ndarray,
    flat_m: np.ndarray,
    n: int,
    total_km: float,
    tx_m: float,
    rx_m: float,
    smooth_tx_m: float,
    smooth_rx_m: float,
    radius_km: float,
    omega: float,
) -> Diffraction:
    """Complete delta-Bullington loss for one Earth radius, eqs. (37)-(40).

    ``flat_m`` is an array of zeros as long as the profile; ``smooth_tx_m`` and
    ``smooth_rx_m`` are hstd and hsrd. Other arguments as :func:`bullington_profile_db`.
    """
    rough = bullington_profile_db(distance_km, height_m, n, total_km, tx_m, rx_m, radius_km, w.wavelength_m)
    tx, rx = tx_m - smooth_tx_m, rx_m - smooth_rx_m
    smooth = bullington_profile_db(distance_km, flat_m, n, total_km, tx, rx, radius_km, w.wavelength_m)
    sphere = spherical_earth_db(w, total_km, tx, rx, radius_km, omega)
    return Diffraction(rough, smooth, sphere, rough + max(sphere - smooth, 0.0))
