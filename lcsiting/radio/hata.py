"""Okumura-Hata, COST-231-Hata and free space: median loss over horizontal distance.

Metres, MHz, dB. Scalars give floats, arrays give arrays, NaN stays NaN.
"""

from math import pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lcsiting.errors import RangeError
from lcsiting.radio.ranges import require_choice
from lcsiting.radio.tr38901 import Floats, checked_inputs, log_distance_3d, plain

# smallest and largest distance, frequency, mast height, terminal height
RANGES = {
    "okumura_hata": ((1e3, 2e4), (150.0, 1500.0), (30.0, 200.0), (1.0, 10.0)),
    "cost231_hata": ((1e3, 2e4), (1500.0, 2e3), (30.0, 200.0), (1.0, 10.0)),
    "free_space": ((1.0, 1e6), (1.0, 3e5), (0.0, 1e4), (0.0, 1e4)),
}
AREAS = ("urban", "large_city", "suburban", "open")


def _mobile_height_db(f: Floats, ue: Floats, area: str) -> Floats:
    """a(hm): Hata's correction for the terminal's height."""
    if area == "large_city":
        low = 8.29 * np.log10(1.54 * ue) ** 2 - 1.1
        return np.where(f < 300.0, low, 3.2 * np.log10(11.75 * ue) ** 2 - 4.97)
    return (1.1 * np.log10(f) - 0.7) * ue - (1.56 * np.log10(f) - 0.8)


def hata_at_1_km(f: Floats, bs: Floats, ue: Floats, area: str, formula: str) -> Floats:
    """Loss at 1 km, dB; frequency ``f`` in MHz, base ``bs`` and mobile ``ue`` heights in m; see the models below."""
    require_choice("area", area, AREAS)
    constant, slope = (69.55, 26.16) if formula == "okumura_hata" else (46.3, 33.9)
    loss = constant + slope * np.log10(f) - 13.82 * np.log10(bs) - _mobile_height_db(f, ue, area)
    if formula == "cost231_hata":
        return loss + (3.0 if area == "large_city" else 0.0)
    if area == "suburban":
        return loss - 2 * np.log10(f / 28.0) ** 2 - 5.4
    if area == "open":
        return loss - 4.78 * np.log10(f) ** 2 + 18.33 * np.log10(f) - 40.94
    return loss


def hata_slope(bs: Floats) -> Floats:
    """Loss per decade of distance, dB, of a base station ``bs`` metres high; the same in both models."""
    return 44.9 - 6.55 * np.log10(bs)


def _hata(formula: str, area: str, args: tuple) -> Any:
    d, f, bs, ue = checked_inputs(formula, RANGES[formula], *args)
    return plain(hata_at_1_km(f, bs, ue, area, formula) + hata_slope(bs) * np.log10(d / 1e3))


def okumura_hata(
    distance_m: ArrayLike,
    frequency_mhz: ArrayLike,
    *,
    bs_height_m: ArrayLike = 30.0,
    ue_height_m: ArrayLike = 1.5,
    area: str = "urban",
) -> Any:
    """Okumura-Hata median loss.

    69.55 + 26.16 lg f - 13.82 lg hb - a(hm) + (44.9 - 6.55 lg hb) lg d, d in km;
    suburban: - 2 (lg(f/28))^2 - 5.4; open: - 4.78 (lg f)^2 + 18.33 lg f - 40.94.

    Parameters
    ----------
    distance_m, frequency_mhz : array_like
        1 to 20 km; 150 to 1500 MHz.
    bs_height_m, ue_height_m : array_like
        30 to 200 m; 1 to 10 m.
    area : {"urban", "large_city", "suburban", "open"}
        ``urban`` is Hata's medium or small city.

    Returns
    -------
    float or ndarray
        dB.

    Raises
    ------
    RangeError
        An input outside its range.

    References
    ----------
    M. Hata, "Empirical formula for propagation loss in land mobile radio services",
    IEEE Trans. Veh. Technol. VT-29(3), 1980.
    """
    return _hata("okumura_hata", area, (distance_m, frequency_mhz, bs_height_m, ue_height_m))


def cost231_hata(
    distance_m: ArrayLike,
    frequency_mhz: ArrayLike,
    *,
    bs_height_m: ArrayLike = 30.0,
    ue_height_m: ArrayLike = 1.5,
    area: str = "urban",
) -> Any:
    """COST-231-Hata median loss, 1500 to 2000 MHz; other ranges and errors as :func:`okumura_hata`.

    46.3 + 33.9 lg f - 13.82 lg hb - a(hm) + (44.9 - 6.55 lg hb) lg d + C, C = 3 dB for
    ``area="large_city"`` (metropolitan centres), 0 dB for ``"urban"`` (medium city) and
    ``"suburban"``. The source has no open-area term.

    References
    ----------
    COST Action 231 final report, chapter 4, section 4.4.1 (1999).
    """
    if area == "open":
        raise RangeError("cost231_hata: the source has no open-area term; use area='suburban' or another model")
    # a(hm) is the medium-city formula for both C = 0 and C = 3 dB
    extra = 3.0 if area == "large_city" else 0.0
    base_area = "urban" if area == "large_city" else area
    base = _hata("cost231_hata", base_area, (distance_m, frequency_mhz, bs_height_m, ue_height_m))
    return base + extra


def free_space(
    distance_m: ArrayLike, frequency_mhz: ArrayLike, *, bs_height_m: ArrayLike = 1.5, ue_height_m: ArrayLike = 1.5
) -> Any:
    """Free-space basic transmission loss over the slant distance.

    20 lg(4 pi d3D f / c), c = 299 792 458 m/s.

    Parameters
    ----------
    distance_m, frequency_mhz : array_like
        Horizontal distance 1 m to 1000 km; 1 to 300 000 MHz.
    bs_height_m, ue_height_m : array_like
        0 to 10 000 m; equal heights make slant and horizontal distance the same.

    Returns
    -------
    float or ndarray
        dB.

    Raises
    ------
    RangeError
        An input outside its range.

    References
    ----------
    ITU-R P.525-4, equation (4).
    """
    d, f, bs, ue = checked_inputs(
        "free_space", RANGES["free_space"], distance_m, frequency_mhz, bs_height_m, ue_height_m
    )
    return plain(free_space_constant(f) + 20 * log_distance_3d(d, bs, ue))


def free_space_constant(f: Floats) -> Floats:
    """Free-space loss at 1 m, dB, of frequency ``f`` (MHz): 20 lg(4 pi f / c)."""
    return 20 * np.log10(4 * pi * f * 1e6 / 299_792_458.0)
