"""Overload of an earth station's low-noise block in line of sight, by closed form: free space, smooth Earth.

``P_LNB = EIRP + G_es(psi) - L_fs - A_filter - A_shield`` against the limit of the block; full power, no TDD or load
factor. What is beyond the horizon is P.452's, see :mod:`physics`.
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
