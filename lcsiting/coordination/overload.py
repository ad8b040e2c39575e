"""Overload of an earth station's low-noise block, by closed form.

``P_LNB = EIRP + G_es(psi) - L_fs - A_filter - A_shield`` against the limit of the block. Free space
holds in radio line of sight only; beyond the 4/3-Earth horizon of the two antennas no overload is
claimed here. Full power, no TDD or load factor; smooth Earth, no buildings.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SPEED_OF_LIGHT_M_S = 299_792_458.0
EARTH_RADIUS_M = 6_371_000.0
EFFECTIVE_EARTH_FACTOR = 4.0 / 3.0
MIN_DISTANCE_M = 1.0

Floats = NDArray[np.float64]


def free_space_loss_db(distance_m: ArrayLike, frequency_mhz: ArrayLike) -> Floats:
    """Free-space basic transmission loss, ``20 log10(4 pi d f / c)`` (ITU-R P.525).

    Distances below 1 m count as 1 m.
    """
    distance = np.maximum(np.asarray(distance_m, dtype=float), MIN_DISTANCE_M)
    return 20 * np.log10(4 * np.pi * distance * np.asarray(frequency_mhz, dtype=float) * 1e6 / SPEED_OF_LIGHT_M_S)


def radio_horizon_m(height_1_m: ArrayLike, height_2_m: ArrayLike) -> Floats:
    """Line of sight over a smooth Earth of 4/3 radius, ``sqrt(2 k R) (sqrt(h1) + sqrt(h2))``.

    Heights above ground, metres; 30 m and 5 m give 31.8 km.
    """
    roots = np.sqrt(np.maximum(height_1_m, 0.0)) + np.sqrt(np.maximum(height_2_m, 0.0))
    return np.sqrt(2 * EFFECTIVE_EARTH_FACTOR * EARTH_RADIUS_M) * roots


def element_discrimination_db(angle_deg: ArrayLike, beamwidth_deg: float, side_lobe_db: float) -> Floats:
    """Loss off the horizontal of one antenna element, ``min(12 (angle/beamwidth)^2, SLA_V)``.

    3GPP TR 38.901 Table 7.3-1, vertical cut. A beam may be steered anywhere in its sector, so the
    envelope of an array falls off as its element does and no faster.
    """
    return np.minimum(12 * (np.asarray(angle_deg, dtype=float) / beamwidth_deg) ** 2, side_lobe_db)


def lnb_level_dbm(
    eirp_dbm: ArrayLike,
    es_gain_dbi: ArrayLike,
    distance_m: ArrayLike,
    frequency_mhz: ArrayLike,
    filter_db: ArrayLike = 0.0,
    shielding_db: ArrayLike = 0.0,
) -> Floats:
    """Total power at the input of the low-noise block, dBm, in free space.

    Parameters
    ----------
    eirp_dbm : array_like
        Radiated toward the earth station, whole carrier.
    es_gain_dbi : array_like
        Earth-station gain toward the base station.
    distance_m, frequency_mhz : array_like
        Slant distance and frequency.
    filter_db, shielding_db : array_like
        Attenuation at the earth station, 0 or more.
    """
    loss = free_space_loss_db(distance_m, frequency_mhz) + np.asarray(filter_db) + np.asarray(shielding_db)
    return np.asarray(eirp_dbm, dtype=float) + np.asarray(es_gain_dbi) - loss


def overload_distance_m(
    eirp_dbm: ArrayLike,
    es_gain_dbi: ArrayLike,
    limit_dbm: ArrayLike,
    frequency_mhz: ArrayLike,
    attenuation_db: Any = 0.0,
) -> Floats:
    """Free-space distance at which the level at the block equals its limit.

    77 dBm, -10 dBi, -60 dBm at 3500 MHz give 15.3 km; -20 dBm gives 153 m. Line of sight is not
    looked at here.
    """
    loss = np.asarray(eirp_dbm, dtype=float) + np.asarray(es_gain_dbi) - np.asarray(limit_dbm) - attenuation_db
    return 10 ** (loss / 20) * SPEED_OF_LIGHT_M_S / (4 * np.pi * np.asarray(frequency_mhz, dtype=float) * 1e6)
