"""Base-station antennas seen from afar: average and envelope of the beams, over the sectors of a station.

A panel of rules row ``antenna = "64T64R"`` is the ITU-R M.2101 array of
:class:`lcsiting.radio.antenna_array.ArrayAntenna`; its beams point in azimuth over the sector and in elevation around
the down-tilt. The *average* is the linear mean over the beams, each radiating the power it is fed (its mean over the
sphere is 0 dBi); the *envelope* is the strongest beam, its peak set to the gain of the rules row; *unwanted* is one
element, for emissions that no beam forms. Other antennas have one pattern, TR 38.901's sector; a micro station is
omnidirectional in azimuth.
"""

import lcsiting._cache  # noqa: F401, I001
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lcsiting.radio.antenna import sector_gain_dbi
from lcsiting.radio.antenna_array import ArrayAntenna

Floats = NDArray[np.float64]

AZIMUTHS_DEG = np.arange(-180.0, 180.5, 1.0)
# Nodes in the sine of elevation, symmetric about the horizon and finest there: far stations lie at the horizon.
ELEVATIONS_DEG = np.concatenate(
    [np.arange(-90.0, -20.0, 1.0), np.arange(-20.0, 20.0, 0.25), np.arange(20.0, 90.5, 1.0)]
)
KINDS = ("average", "envelope", "unwanted")


@dataclass(frozen=True)
class Beams:
    """Where the beams of a panel point: azimuths off the boresight, elevations off the down-tilt, degrees."""

    azimuths_deg: tuple[float, ...]
    elevations_deg: tuple[float, ...]


def _factor(count: int, step: Floats) -> Floats:
    """``|sum exp(j 2 pi k step)|^2 / count`` (M.2101 Table 4, uniform weights)."""
    half = np.pi * (step - np.round(step))
    small = np.abs(half) < 1e-9
    ratio = np.sin(count * half) / np.where(small, 1.0, np.sin(half))
    return np.where(small, float(count), ratio**2 / count)


def _sphere_weights() -> Floats:
    """Share of the sphere of each table point, (elevations, azimuths)."""
    edges = np.sin(np.radians(np.concatenate([[-90.0], (ELEVATIONS_DEG[1:] + ELEVATIONS_DEG[:-1]) / 2, [90.0]])))
    around = np.full(len(AZIMUTHS_DEG), 1.0)
    around[[0, -1]] = 0.5
    return np.outer(np.diff(edges) / 2, around / around.sum())


@lru_cache(maxsize=8)
def _across(array: ArrayAntenna, azimuths_deg: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Element gain times fixed sub-array, (el, az), and horizontal array factor of each beam, (beam, el, az)."""
    el, az = np.meshgrid(np.radians(ELEVATIONS_DEG), np.radians(AZIMUTHS_DEG), indexing="ij")
    element = sector_gain_dbi(
        np.degrees(az), np.degrees(el), peak_gain_dbi=array.element_gain_dbi,
        horizontal_beamwidth_deg=array.horizontal_beamwidth_deg, vertical_beamwidth_deg=array.vertical_beamwidth_deg,
        front_to_back_db=array.front_to_back_db, side_lobe_db=array.side_lobe_db,
    )  # fmt: skip
    fixed = np.sin(np.radians(array.subarray_tilt_deg))
    linear = 10 ** (0.1 * element) * _factor(array.subarray_elements, array.subarray_spacing * (np.sin(el) + fixed))
    step = array.column_spacing * (np.cos(el) * np.sin(az))
    turned = np.array([array.column_spacing * np.sin(np.radians(a)) for a in azimuths_deg])
    return linear, np.array([_factor(array.columns, step - one) for one in turned])


@lru_cache(maxsize=256)
def panel_tables(array: ArrayAntenna, beams: Beams, tilt_deg: float) -> dict[str, Floats]:
    """Gain tables of one panel, linear, over ``ELEVATIONS_DEG`` x ``AZIMUTHS_DEG``.

    Parameters
    ----------
    array : ArrayAntenna
        The panel.
    beams : Beams
        Directions; their horizontal steering counts the cosine of the beam's elevation as 1 (within 2 % below 12
        degrees), so that one horizontal factor serves all elevations.
    tilt_deg : float
        Electrical down-tilt of the beams' centre.

    Returns
    -------
    dict
        ``average`` (mean 1 over the sphere), ``envelope`` (1 at the panel's nominal peak), ``unwanted`` (element,
        peak its gain).
    """
    element, across = _across(array, beams.azimuths_deg)
    sine = np.sin(np.radians(ELEVATIONS_DEG))
    weights = _sphere_weights() * element
    average, tallest = np.zeros(element.shape), np.zeros(len(sine))
    for offset in beams.elevations_deg:
        along = _factor(array.rows, array.row_spacing * (sine - np.sin(np.radians(offset - tilt_deg))))
        power = np.einsum("e,bea,ea->b", along, across, weights, optimize=True)
        average += along[:, None] * np.einsum("b,bea->ea", 1.0 / power, across, optimize=True)
        tallest = np.maximum(tallest, along)
    average *= element / (len(beams.azimuths_deg) * len(beams.elevations_deg))
    envelope = element * tallest[:, None] * across.max(axis=0)
    single = sector_gain_dbi(
        AZIMUTHS_DEG[None, :], ELEVATIONS_DEG[:, None], peak_gain_dbi=array.element_gain_dbi,
        horizontal_beamwidth_deg=array.horizontal_beamwidth_deg, vertical_beamwidth_deg=array.vertical_beamwidth_deg,
        front_to_back_db=array.front_to_back_db, side_lobe_db=array.side_lobe_db,
    )  # fmt: skip
    best = 10 ** (0.1 * array.element_gain_dbi) * array.rows * array.columns * array.subarray_elements
    return {"average": average, "envelope": envelope / best, "unwanted": 10 ** (0.1 * single)}


@lru_cache(maxsize=256)
def sector_tables(horizontal_deg: float, vertical_deg: float, tilt_deg: float, omni: bool) -> dict[str, Floats]:
    """The same three tables for an antenna with one fixed pattern: the envelope is the pattern, the average its mean 1.

    ``omni`` switches the horizontal cut off.
    """
    across = 360.0 if omni else horizontal_deg
    azimuth = np.zeros_like(AZIMUTHS_DEG) if omni else AZIMUTHS_DEG
    gain = sector_gain_dbi(
        azimuth[None, :], ELEVATIONS_DEG[:, None], peak_gain_dbi=0.0, horizontal_beamwidth_deg=across,
        vertical_beamwidth_deg=vertical_deg, electrical_tilt_deg=tilt_deg,
    )  # fmt: skip
    pattern = np.broadcast_to(10 ** (0.1 * gain), (len(ELEVATIONS_DEG), len(AZIMUTHS_DEG)))
    average = pattern / (pattern * _sphere_weights()).sum()
    return {"average": average, "envelope": pattern / pattern.max(), "unwanted": average}


def look_up(table: Floats, azimuth_deg: Floats, elevation_deg: Floats) -> Floats:
    """Bilinear (linear power) values of a table at directions relative to the boresight."""
    azimuth = (np.asarray(azimuth_deg, dtype=float) + 180.0) % 360.0
    column = np.minimum(azimuth.astype(np.int64), len(AZIMUTHS_DEG) - 2)
    u = azimuth - column
    row = np.clip(np.searchsorted(ELEVATIONS_DEG, elevation_deg, side="right") - 1, 0, len(ELEVATIONS_DEG) - 2)
    low, high = ELEVATIONS_DEG[row], ELEVATIONS_DEG[row + 1]
    v = np.clip((elevation_deg - low) / (high - low), 0.0, 1.0)
    near = table[row, column] * (1 - u) + table[row, column + 1] * u
    far = table[row + 1, column] * (1 - u) + table[row + 1, column + 1] * u
    return near * (1 - v) + far * v


def tables_of(key: tuple[bool, float, float, float, bool], array: ArrayAntenna, beams: Beams) -> dict[str, Floats]:
    """Tables of a pattern key: panel or not, tilt, horizontal and vertical 3 dB width, omnidirectional."""
    panel, tilt, horizontal, vertical, omni = key
    return panel_tables(array, beams, tilt) if panel else sector_tables(horizontal, vertical, tilt, omni)


@njit(cache=True, nogil=True)
def sum_sectors(tables, elevations, table_of, first, azimuths, who, bearing, elevation, out):
    """Gain of every sector of ``who[k]`` toward ``bearing[k]``, ``elevation[k]``, into ``out[k]``.

    Bilinear in the sector's own table, ``tables[table_of[sector]]``.
    """
    last_row, last_col = tables.shape[1] - 2, tables.shape[2] - 2
    for k in range(who.shape[0]):
        t = who[k]
        row = np.searchsorted(elevations, elevation[k], side="right") - 1
        row = min(max(row, 0), last_row)
        v = (elevation[k] - elevations[row]) / (elevations[row + 1] - elevations[row])
        v = min(max(v, 0.0), 1.0)
        for s in range(first[t], first[t + 1]):
            turn = (bearing[k] - azimuths[s] + 180.0) % 360.0
            col = min(int(turn), last_col)
            u = turn - col
            table = tables[table_of[s]]
            near = table[row, col] * (1.0 - u) + table[row, col + 1] * u
            far = table[row + 1, col] * (1.0 - u) + table[row + 1, col + 1] * u
            out[k, s - first[t]] = near * (1.0 - v) + far * v
