"""Antennas and pointing: ITU-R S.465-6, S.580-6, F.1336-5, the TR 38.901 sector element, look angles.

All functions take scalars or arrays (broadcast together) and answer NaN with
NaN. Azimuths of sector antennas are relative to the boresight, elevations
above the horizontal; a downtilt is positive. Arrays with beams are in
:mod:`lcsiting.radio.antenna_array`, pattern files in ``inputs``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from lcsiting.radio.ranges import require_range

SPEED_OF_LIGHT_M_S = 299_792_458.0
EARTH_TO_GSO_RADIUS = 6378.137 / 42164.17


def _diameter_in_wavelengths(diameter_m: float, frequency_mhz: float) -> float:
    require_range("diameter_m", diameter_m, 0.05, 100.0, "m", "size of an earth-station dish")
    return diameter_m * frequency_mhz * 1e6 / SPEED_OF_LIGHT_M_S


def peak_gain_dbi(diameter_m: float, frequency_mhz: float, efficiency: float = 0.65) -> float:
    """Gain of a circular aperture, ``10 log10(efficiency (pi D / lambda)^2)``.

    Parameters
    ----------
    diameter_m : float
        Dish diameter, 0.05 to 100 m.
    frequency_mhz : float
        Frequency, MHz.
    efficiency : float
        Aperture efficiency, above 0 up to 1; 0.65 where nothing is known.

    Returns
    -------
    float
        Peak gain, dBi.
    """
    require_range("efficiency", efficiency, 0.01, 1.0, "", "share of the aperture")
    ratio = _diameter_in_wavelengths(diameter_m, frequency_mhz)
    return 10 * math.log10(efficiency * (math.pi * ratio) ** 2)


def s465_gain_dbi(
    off_axis_deg: ArrayLike, *, diameter_m: float, frequency_mhz: float, peak_gain_dbi: float | None = None
) -> np.ndarray:
    """Reference side-lobe mask of an earth station, ITU-R S.465-6 recommends 2.

    ``32 - 25 log10(phi)`` dBi from ``phi_min`` to 48 degrees, -10 dBi beyond.
    ``phi_min`` is max(1, 100 lambda/D) degrees for D/lambda >= 50, else
    max(2, 114 (D/lambda)^-1.09). The Recommendation says nothing inside
    ``phi_min``; the peak gain stands there.

    Parameters
    ----------
    off_axis_deg : array_like
        Angle off the main axis, 0 to 180 degrees.
    diameter_m : float
        Dish diameter, m.
    frequency_mhz : float
        2000 to 31 000 MHz.
    peak_gain_dbi : float, optional
        Known peak gain; otherwise that of the aperture with 65 % efficiency.

    Returns
    -------
    numpy.ndarray
        Gain, dBi, shape of ``off_axis_deg`` (0-d for a scalar).

    Raises
    ------
    RangeError
        Angle, diameter or frequency outside its range.
    """
    phi = np.asarray(off_axis_deg, dtype=float)
    require_range("off_axis_deg", phi, 0.0, 180.0, "degrees", "S.465-6")
    require_range("frequency_mhz", frequency_mhz, 2000.0, 31000.0, "MHz", "S.465-6 recommends 2")
    ratio = _diameter_in_wavelengths(diameter_m, frequency_mhz)
    peak = _aperture_peak(ratio) if peak_gain_dbi is None else peak_gain_dbi
    phi_min = max(1.0, 100 / ratio) if ratio >= 50 else max(2.0, 114 * ratio**-1.09)
    # log10 of the clipped angle: a zero off-axis angle belongs to the main lobe and must not warn.
    mask = np.where(phi < 48, 32 - 25 * np.log10(np.maximum(phi, phi_min)), -10.0)
    return np.where(np.isnan(phi), np.nan, np.where(phi < phi_min, peak, mask))


def s580_gain_dbi(
    off_axis_deg: ArrayLike, *, diameter_m: float, frequency_mhz: float, peak_gain_dbi: float | None = None
) -> np.ndarray:
    """Design-objective side lobes of a newer earth station, ITU-R S.580-6 recommends 1.

    ``29 - 25 log10(phi)`` dBi from ``phi_min`` = max(1, 100 lambda/D) to 20
    degrees; beyond 20 degrees, and for dishes of D/lambda < 50 to which the
    objective does not apply, S.465-6. The step up at 20 degrees is theirs.

    Parameters, returns and errors as :func:`s465_gain_dbi`.
    """
    phi = np.asarray(off_axis_deg, dtype=float)
    wide = s465_gain_dbi(phi, diameter_m=diameter_m, frequency_mhz=frequency_mhz, peak_gain_dbi=peak_gain_dbi)
    ratio = _diameter_in_wavelengths(diameter_m, frequency_mhz)
    if ratio < 50:
        return wide
    phi_min = max(1.0, 100 / ratio)
    objective = 29 - 25 * np.log10(np.maximum(phi, phi_min))
    return np.where((phi >= phi_min) & (phi <= 20), objective, wide)


def _aperture_peak(ratio: float, efficiency: float = 0.65) -> float:
    return 10 * math.log10(efficiency * (math.pi * ratio) ** 2)


def gso_look_angles(
    lat_deg: ArrayLike, lon_deg: ArrayLike, satellite_lon_deg: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth and elevation from a place on the (spherical) Earth to a geostationary satellite.

    Parameters
    ----------
    lat_deg, lon_deg : array_like
        Place, degrees north and east.
    satellite_lon_deg : array_like
        Sub-satellite longitude, degrees east.

    Returns
    -------
    azimuth_deg, elevation_deg : numpy.ndarray
        Azimuth clockwise from north in [0, 360); elevation above the
        horizontal, negative below the horizon. Refraction is not included.
    """
    require_range("lat_deg", lat_deg, -90.0, 90.0, "degrees", "latitude")
    lat = np.radians(np.asarray(lat_deg, dtype=float))
    delta = np.radians(np.asarray(satellite_lon_deg, dtype=float) - np.asarray(lon_deg, dtype=float))
    cos_gamma = np.clip(np.cos(lat) * np.cos(delta), -1.0, 1.0)
    elevation = np.degrees(np.arctan2(cos_gamma - EARTH_TO_GSO_RADIUS, np.sqrt(1 - cos_gamma**2)))
    azimuth = np.degrees(np.arctan2(np.sin(delta), -np.sin(lat) * np.cos(delta))) % 360.0
    return azimuth, elevation


def off_axis_deg(
    azimuth_1_deg: ArrayLike, elevation_1_deg: ArrayLike, azimuth_2_deg: ArrayLike, elevation_2_deg: ArrayLike
) -> np.ndarray:
    """Angle between two directions given as azimuth and elevation.

    Parameters
    ----------
    azimuth_1_deg, elevation_1_deg, azimuth_2_deg, elevation_2_deg : array_like
        Directions, degrees.

    Returns
    -------
    numpy.ndarray
        0 to 180 degrees. Written with half-angle sines, so that a few
        thousandths of a degree off the beam are not lost to rounding.
    """
    az1, el1 = np.radians(np.asarray(azimuth_1_deg, float)), np.radians(np.asarray(elevation_1_deg, float))
    az2, el2 = np.radians(np.asarray(azimuth_2_deg, float)), np.radians(np.asarray(elevation_2_deg, float))
    half = np.sin((el1 - el2) / 2) ** 2 + np.cos(el1) * np.cos(el2) * np.sin((az1 - az2) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))


def wrap_azimuth_deg(azimuth_deg: ArrayLike) -> np.ndarray:
    """Any azimuth folded to -180 (inclusive) .. 180 degrees."""
    return (np.asarray(azimuth_deg, dtype=float) + 180.0) % 360.0 - 180.0


def rotate_downtilt(azimuth_deg: ArrayLike, elevation_deg: ArrayLike, downtilt_deg: float) -> tuple:
    """Direction as an antenna sees it whose mast bracket is tilted down, ITU-R F.1336-5 eqs. (3b), (3c).

    Parameters
    ----------
    azimuth_deg, elevation_deg : array_like
        Direction relative to the untilted boresight, degrees.
    downtilt_deg : float
        Mechanical downtilt, -90 to 90 degrees.

    Returns
    -------
    azimuth_deg, elevation_deg : numpy.ndarray
        Direction relative to the tilted boresight.
    """
    require_range("downtilt_deg", downtilt_deg, -90.0, 90.0, "degrees", "mechanical downtilt")
    az, el = np.radians(np.asarray(azimuth_deg, float)), np.radians(np.asarray(elevation_deg, float))
    tilt = math.radians(downtilt_deg)
    up = np.sin(el) * math.cos(tilt) + np.cos(el) * np.cos(az) * math.sin(tilt)
    ahead = np.cos(el) * np.cos(az) * math.cos(tilt) - np.sin(el) * math.sin(tilt)
    tilted_azimuth = np.degrees(np.arctan2(np.cos(el) * np.sin(az), ahead))
    return tilted_azimuth, np.degrees(np.arcsin(np.clip(up, -1.0, 1.0)))


def sector_gain_dbi(
    azimuth_deg: ArrayLike,
    elevation_deg: ArrayLike,
    *,
    peak_gain_dbi: float = 8.0,
    horizontal_beamwidth_deg: float = 65.0,
    vertical_beamwidth_deg: float = 65.0,
    front_to_back_db: float = 30.0,
    side_lobe_db: float = 30.0,
    electrical_tilt_deg: float = 0.0,
    mechanical_tilt_deg: float = 0.0,
) -> np.ndarray:
    """Single sector antenna or element, 3GPP TR 38.901 Table 7.3-1 (the defaults are its numbers).

    ``G - min(-(A_V + A_H), A_max)`` with
    ``A_V = -min(12 ((el + tilt) / theta_3dB)^2, SLA_V)`` and
    ``A_H = -min(12 (az / phi_3dB)^2, A_max)``. M.2101 writes its element the
    same way.

    Parameters
    ----------
    azimuth_deg, elevation_deg : array_like
        Direction relative to the boresight, degrees; azimuths are wrapped.
    peak_gain_dbi : float
        Gain on the boresight.
    horizontal_beamwidth_deg, vertical_beamwidth_deg : float
        3 dB widths, 1 to 360 degrees.
    front_to_back_db, side_lobe_db : float
        A_max and SLA_V, dB.
    electrical_tilt_deg : float
        Downtilt that shifts the vertical pattern alike in every azimuth.
    mechanical_tilt_deg : float
        Downtilt that turns the whole antenna (:func:`rotate_downtilt`).

    Returns
    -------
    numpy.ndarray
        Gain, dBi.
    """
    for name, width in (("horizontal", horizontal_beamwidth_deg), ("vertical", vertical_beamwidth_deg)):
        require_range(f"{name}_beamwidth_deg", width, 1.0, 360.0, "degrees", "TR 38.901 Table 7.3-1")
    require_range("elevation_deg", elevation_deg, -90.0, 90.0, "degrees", "elevation")
    az, el = np.asarray(azimuth_deg, dtype=float), np.asarray(elevation_deg, dtype=float)
    if mechanical_tilt_deg != 0.0:
        az, el = rotate_downtilt(az, el, mechanical_tilt_deg)
    across = np.minimum(12 * (wrap_azimuth_deg(az) / horizontal_beamwidth_deg) ** 2, front_to_back_db)
    along = np.minimum(12 * ((el + electrical_tilt_deg) / vertical_beamwidth_deg) ** 2, side_lobe_db)
    return peak_gain_dbi - np.minimum(across + along, front_to_back_db)


def f1336_sector_gain_dbi(
    azimuth_deg: ArrayLike,
    elevation_deg: ArrayLike,
    *,
    peak_gain_dbi: float,
    horizontal_beamwidth_deg: float = 65.0,
    vertical_beamwidth_deg: float | None = None,
    average_side_lobes: bool = False,
    k_side: float = 0.7,
    k_h: float = 0.7,
    k_v: float = 0.3,
    electrical_tilt_deg: float = 0.0,
    mechanical_tilt_deg: float = 0.0,
) -> np.ndarray:
    """Sectoral antenna of 400 MHz to 6 GHz, ITU-R F.1336-5 recommends 3.1.1 (peak) or 3.1.2 (average side lobes).

    Parameters
    ----------
    azimuth_deg, elevation_deg : array_like
        Direction relative to the boresight, degrees; azimuths are wrapped.
    peak_gain_dbi : float
        Gain on the boresight.
    horizontal_beamwidth_deg : float
        3 dB width, 1 to 120 degrees.
    vertical_beamwidth_deg : float, optional
        3 dB width, up to 22 degrees; if left out ``31000 10^(-0.1 G) / phi_3`` of recommends 3.3.
    average_side_lobes : bool
        Average instead of peak side lobes: for sums over many stations.
    k_side, k_h, k_v : float
        The Recommendation's k_p (or k_a), k_h and k_v, 0 to 1.
    electrical_tilt_deg, mechanical_tilt_deg : float
        Downtilts, recommends 3.4 and 3.5, degrees.

    Returns
    -------
    numpy.ndarray
        Gain, dBi.

    Raises
    ------
    RangeError
        A beamwidth, coefficient or angle outside its range.
    """
    width_v = 31000 * 10 ** (-0.1 * peak_gain_dbi) / horizontal_beamwidth_deg
    width_v = width_v if vertical_beamwidth_deg is None else vertical_beamwidth_deg
    source = "F.1336-5 recommends 3.1"
    require_range("horizontal_beamwidth_deg", horizontal_beamwidth_deg, 1.0, 120.0, "degrees", source)
    require_range("vertical_beamwidth_deg", width_v, 0.1, 22.0, "degrees", source)
    require_range("elevation_deg", elevation_deg, -90.0, 90.0, "degrees", "elevation")
    for name, k in (("k_side", k_side), ("k_h", k_h), ("k_v", k_v)):
        require_range(name, k, 0.0, 1.0, "", source)
    az, el = np.asarray(azimuth_deg, dtype=float), np.asarray(elevation_deg, dtype=float)
    if mechanical_tilt_deg != 0.0:
        az, el = rotate_downtilt(az, el, mechanical_tilt_deg)
    lowered = el + electrical_tilt_deg
    el = 90 * lowered / (90 + np.where(lowered >= 0, 1, -1) * electrical_tilt_deg)
    drop = 15.0 if average_side_lobes else 12.0
    floor = -drop + 10 * math.log10(1 + 8 * k_side) - 15 * math.log10(180 / width_v)
    across = _f1336_horizontal_db(np.abs(wrap_azimuth_deg(az)) / horizontal_beamwidth_deg, k_h, floor)
    behind = _f1336_horizontal_db(np.asarray(180 / horizontal_beamwidth_deg), k_h, floor)
    along = _f1336_vertical_db(np.abs(el) / width_v, width_v, k_side, k_v, floor, drop)
    # Gain compression: the vertical pattern fades to nothing toward the back.
    return peak_gain_dbi + across + (across - behind) / -behind * along


def _f1336_horizontal_db(x: np.ndarray, k_h: float, floor: float) -> np.ndarray:
    """Relative gain in azimuth, F.1336-5 eqs. (2b2), (2c2); ``x`` is the angle over the beamwidth."""
    outside = -12 * x ** (2 - k_h) - 3 * (1 - 0.5**-k_h)
    return np.maximum(np.where(x <= 0.5, -12 * x**2, outside), floor)


def _f1336_vertical_db(
    x: np.ndarray, width_deg: float, k_side: float, k_v: float, floor: float, drop: float
) -> np.ndarray:
    """Relative gain in elevation, F.1336-5 eqs. (2b3), (2c3); ``drop`` is 12 (peak) or 15 (average)."""
    edge = math.sqrt(1 - 0.36 * k_v) if drop == 12.0 else math.sqrt(1.33 - 0.33 * k_v)
    at_four = 4**-1.5 + k_v
    steep = 10 * math.log10((180 / width_deg) ** 1.5 * at_four / (1 + 8 * k_side)) / math.log10(22.5 / width_deg)
    safe = np.maximum(x, edge)
    near = -drop + 10 * np.log10(safe**-1.5 + k_v)
    far = -drop + 10 * math.log10(at_four) - steep * np.log10(safe / 4)
    shape = np.where(x < edge, -12 * x**2, np.where(x < 4, near, np.where(x < 90 / width_deg, far, floor)))
    return np.where(np.isnan(x), np.nan, shape)
