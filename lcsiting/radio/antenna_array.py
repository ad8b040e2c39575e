"""Active antenna arrays: ITU-R M.2101 section 5 with sub-arrays, as a beam, an envelope or an average.

Azimuths are relative to the panel's boresight, elevations above the
horizontal; a beam below the horizon has a negative elevation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from lcsiting.errors import RangeError
from lcsiting.radio.antenna import rotate_downtilt, sector_gain_dbi
from lcsiting.radio.ranges import require_range

Beams = ArrayLike  # (n, 2): azimuth and elevation of each beam, degrees


@dataclass(frozen=True)
class ArrayAntenna:
    """A panel of ``rows x columns`` ports, each a column of ``subarray_elements`` elements.

    Spacings are in wavelengths between ports; a single-polarized panel. The
    defaults are the 64-port macro panel of the sharing studies (WP 5D): 4 x 8
    ports of three elements with a fixed downtilt of 3 degrees.
    """

    rows: int = 4
    columns: int = 8
    row_spacing: float = 2.1
    column_spacing: float = 0.5
    element_gain_dbi: float = 6.4
    horizontal_beamwidth_deg: float = 90.0
    vertical_beamwidth_deg: float = 65.0
    front_to_back_db: float = 30.0
    side_lobe_db: float = 30.0
    subarray_elements: int = 3
    subarray_spacing: float = 0.7
    subarray_tilt_deg: float = 3.0
    mechanical_tilt_deg: float = 0.0

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "subarray_elements"):
            require_range(name, getattr(self, name), 1, 1024, "", "M.2101 section 5")
        for name in ("row_spacing", "column_spacing", "subarray_spacing"):
            require_range(name, getattr(self, name), 0.01, 10.0, "wavelengths", "M.2101 section 5")


def beam_gain_dbi(
    array: ArrayAntenna,
    azimuth_deg: ArrayLike,
    elevation_deg: ArrayLike,
    beam_azimuth_deg: ArrayLike,
    beam_elevation_deg: ArrayLike,
    *,
    normalised: bool = False,
) -> np.ndarray:
    """Gain of one beam, ITU-R M.2101 Table 4: element, sub-array and array factor.

    ``|sum w v|^2`` of the uniform weights is written as the closed Dirichlet
    form per dimension, which is the same number.

    Parameters
    ----------
    array : ArrayAntenna
        The panel.
    azimuth_deg, elevation_deg : array_like
        Directions asked about, degrees.
    beam_azimuth_deg, beam_elevation_deg : array_like
        Where the beam points in the panel's own axes (before any mechanical tilt), degrees.
    normalised : bool
        Lower (or raise) the pattern so that it radiates exactly the power it
        is fed: M.2101's product of element and array factor does not by
        itself. Beam directions must then be scalars.

    Returns
    -------
    numpy.ndarray
        Gain, dBi; -inf never: nulls end at -300 dB below the element.
    """
    require_range("elevation_deg", elevation_deg, -90.0, 90.0, "degrees", "elevation")
    require_range("beam_elevation_deg", beam_elevation_deg, -90.0, 90.0, "degrees", "elevation")
    az, el = np.asarray(azimuth_deg, dtype=float), np.asarray(elevation_deg, dtype=float)
    if array.mechanical_tilt_deg != 0.0:
        az, el = rotate_downtilt(az, el, array.mechanical_tilt_deg)
    gain = _local_gain_dbi(array, az, el, np.asarray(beam_azimuth_deg, float), np.asarray(beam_elevation_deg, float))
    if normalised:
        gain = gain - radiated_power_db(
            array, float(np.asarray(beam_azimuth_deg)), float(np.asarray(beam_elevation_deg))
        )
    return gain


def _local_gain_dbi(array, az, el, beam_az, beam_el) -> np.ndarray:
    """Gain in the panel's own axes."""
    element = sector_gain_dbi(
        az,
        el,
        peak_gain_dbi=array.element_gain_dbi,
        horizontal_beamwidth_deg=array.horizontal_beamwidth_deg,
        vertical_beamwidth_deg=array.vertical_beamwidth_deg,
        front_to_back_db=array.front_to_back_db,
        side_lobe_db=array.side_lobe_db,
    )
    up, beam_up = np.sin(np.radians(el)), np.sin(np.radians(beam_el))
    across = np.cos(np.radians(el)) * np.sin(np.radians(az))
    beam_across = np.cos(np.radians(beam_el)) * np.sin(np.radians(beam_az))
    power = _array_factor(array.rows, array.row_spacing * (up - beam_up))
    power = power * _array_factor(array.columns, array.column_spacing * (across - beam_across))
    fixed = np.sin(np.radians(array.subarray_tilt_deg))
    power = power * _array_factor(array.subarray_elements, array.subarray_spacing * (up + fixed))
    return element + 10 * np.log10(np.maximum(power, 1e-30))


def _array_factor(count: int, step: np.ndarray) -> np.ndarray:
    """``|sum_k exp(j 2 pi k step)|^2 / count``: 'count' where ``step`` is whole."""
    half = np.pi * (step - np.round(step))
    small = np.abs(half) < 1e-9
    ratio = np.sin(count * half) / np.where(small, 1.0, np.sin(half))
    return np.where(small, float(count), ratio**2 / count)


@lru_cache(maxsize=1)
def _sphere_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights in the sine of elevation; an eigenvalue problem, so solved once."""
    return np.polynomial.legendre.leggauss(240)


@lru_cache(maxsize=4096)
def radiated_power_db(array: ArrayAntenna, beam_azimuth_deg: float, beam_elevation_deg: float) -> float:
    """Total radiated power of a beam's pattern over the power fed, dB; 0 for a lossless pattern.

    The mean of the linear gain over the sphere: midpoints of 1 degree in
    azimuth, Gauss-Legendre nodes in the sine of elevation.
    """
    nodes, weights = _sphere_nodes()
    azimuth = np.arange(-179.5, 180.0, 1.0)
    gain = _local_gain_dbi(
        array,
        azimuth[None, :],
        np.degrees(np.arcsin(nodes))[:, None],
        np.asarray(beam_azimuth_deg),
        np.asarray(beam_elevation_deg),
    )
    mean = (10 ** (0.1 * gain)).mean(axis=1) @ weights / 2
    return float(10 * np.log10(mean))


def beam_grid(azimuths_deg: ArrayLike, elevations_deg: ArrayLike) -> np.ndarray:
    """Every pairing of azimuths and elevations as a beam set, shape (n, 2)."""
    az, el = np.meshgrid(np.atleast_1d(azimuths_deg), np.atleast_1d(elevations_deg))
    return np.column_stack([az.ravel(), el.ravel()]).astype(float)


def envelope_gain_dbi(
    array: ArrayAntenna, azimuth_deg: ArrayLike, elevation_deg: ArrayLike, beams: Beams, *, normalised: bool = False
) -> np.ndarray:
    """Highest gain any beam of a set gives in a direction: the worst case at one moment.

    Parameters
    ----------
    array : ArrayAntenna
        The panel.
    azimuth_deg, elevation_deg : array_like
        Directions, degrees.
    beams : array_like, shape (n, 2)
        Azimuth and elevation of each beam (:func:`beam_grid`).
    normalised : bool
        As in :func:`beam_gain_dbi`.

    Returns
    -------
    numpy.ndarray
        Gain, dBi.
    """
    best = None
    for beam_az, beam_el in np.asarray(beams, dtype=float):
        gain = beam_gain_dbi(array, azimuth_deg, elevation_deg, beam_az, beam_el, normalised=normalised)
        best = gain if best is None else np.maximum(best, gain)
    if best is None:
        raise RangeError("beams: the set is empty; give azimuth and elevation of at least one beam (degrees).")
    return best


def average_gain_dbi(
    array: ArrayAntenna,
    azimuth_deg: ArrayLike,
    elevation_deg: ArrayLike,
    beams: Beams,
    weights: ArrayLike | None = None,
) -> np.ndarray:
    """Linear mean of the gain over a beam set, each beam radiating the power it is fed.

    What a victim sees over a long time when the beams are used in turn: the
    mean over the sphere of the answer is 0 dBi.

    Parameters
    ----------
    array : ArrayAntenna
        The panel.
    azimuth_deg, elevation_deg : array_like
        Directions, degrees.
    beams : array_like, shape (n, 2)
        Azimuth and elevation of each beam (:func:`beam_grid`).
    weights : array_like, shape (n,), optional
        Share of time of each beam, any positive scale; equal if left out.

    Returns
    -------
    numpy.ndarray
        Gain, dBi.
    """
    directions = np.asarray(beams, dtype=float)
    if len(directions) == 0:
        raise RangeError("beams: the set is empty; give azimuth and elevation of at least one beam (degrees).")
    share = np.ones(len(directions)) if weights is None else np.asarray(weights, dtype=float)
    share = share / share.sum()
    total = np.zeros(np.broadcast_shapes(np.shape(azimuth_deg), np.shape(elevation_deg)))
    for (beam_az, beam_el), part in zip(directions, share, strict=True):
        gain = beam_gain_dbi(array, azimuth_deg, elevation_deg, beam_az, beam_el, normalised=True)
        total = total + part * 10 ** (0.1 * gain)
    return 10 * np.log10(total)
