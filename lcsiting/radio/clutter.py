"""Clutter and building loss: ITU-R P.2108-1, P.2109, 3GPP TR 38.901 outdoor-to-indoor.

All functions take scalars or arrays (broadcast together) and answer NaN with NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from lcsiting.errors import RangeError
from lcsiting.radio.ranges import require_choice, require_range

# P.2108-1 Table 3: default representative clutter height, m; whether eq. (2a) applies.
CLUTTER_TYPES: dict[str, tuple[float, bool]] = {
    "water": (10.0, False),
    "open": (10.0, False),
    "suburban": (10.0, True),
    "urban": (15.0, True),
    "trees": (15.0, True),
    "dense_urban": (20.0, True),
}

# P.2109-1 Table 1: r, s, t, u, v, w, x, y, z.
BUILDING_TYPES: dict[str, tuple[float, ...]] = {
    "traditional": (12.64, 3.72, 0.96, 9.6, 2.0, 9.1, -3.0, 4.5, -2.0),
    "thermally_efficient": (28.19, -3.00, 8.48, 13.5, 3.8, 27.8, -2.9, 9.4, -2.1),
}

# TR 38.901 Table 7.4.3-1: loss through a material = a + b f (GHz), dB.
MATERIALS_DB: dict[str, dict[int, tuple[float, float]]] = {
    "glass": {16: (2.0, 0.2), 19: (2.0, 0.2)},
    "irr_glass": {16: (23.0, 0.3), 19: (25.4, 0.11)},
    "concrete": {16: (5.0, 4.0), 19: (5.0, 4.0)},
    "wood": {16: (4.85, 0.12), 19: (4.85, 0.12)},
}

# TR 38.901 Table 7.4.3-2: share of the first material, the material, the rest, sigma dB.
O2I_MODELS: dict[str, tuple[float, str, float, str, float]] = {
    "low": (0.3, "glass", 0.7, "concrete", 4.4),
    "high": (0.7, "irr_glass", 0.3, "concrete", 6.5),
}


def terminal_clutter_db(
    frequency_mhz: ArrayLike,
    antenna_height_m: ArrayLike,
    clutter_type: str,
    *,
    clutter_height_m: ArrayLike | None = None,
    street_width_m: ArrayLike = 27.0,
) -> np.ndarray:
    """Loss of the clutter around a terminal, ITU-R P.2108-1 section 3.1 (height-gain model).

    Parameters
    ----------
    frequency_mhz : array_like
        30 to 3000 MHz.
    antenna_height_m : array_like
        Antenna above ground, above 0 m. No loss at or above the clutter.
    clutter_type : {"water", "open", "suburban", "urban", "trees", "dense_urban"}
        The first two use eq. (2b), the others knife-edge eq. (2a).
    clutter_height_m : array_like, optional
        Representative clutter height, above 0 m; Table 3 by type if left out.
    street_width_m : array_like
        Above 0 m, 27 where unknown.

    Returns
    -------
    numpy.ndarray
        Loss A_h, dB.

    Raises
    ------
    RangeError
        A value outside its range.
    """
    require_choice("clutter_type", clutter_type, tuple(CLUTTER_TYPES))
    default_height, knife_edge = CLUTTER_TYPES[clutter_type]
    f = np.asarray(frequency_mhz, dtype=float) / 1000.0
    h = np.asarray(antenna_height_m, dtype=float)
    top = np.asarray(default_height if clutter_height_m is None else clutter_height_m, dtype=float)
    width = np.asarray(street_width_m, dtype=float)
    source = "P.2108-1 section 3.1"
    require_range("frequency_mhz", frequency_mhz, 30.0, 3000.0, "MHz", source)
    for name, value in (("antenna_height_m", h), ("clutter_height_m", top), ("street_width_m", width)):
        require_range(name, value, np.nextafter(0, 1), 1e4, "m", f"{source}, above 0")
    gap = np.maximum(top - h, 0.0)
    if knife_edge:
        nu = 0.342 * np.sqrt(f) * np.sqrt(gap * np.degrees(np.arctan2(gap, width)))
        loss = _knife_edge_db(nu) - 6.03
    else:
        loss = -(21.8 + 6.2 * np.log10(f)) * np.log10(h / top)
    return np.where(np.isnan(h + top + f + width), np.nan, np.where(h >= top, 0.0, loss))


def _knife_edge_db(nu: np.ndarray) -> np.ndarray:
    return np.where(nu <= -0.78, 0.0, 6.9 + 20 * np.log10(np.sqrt((nu - 0.1) ** 2 + 1) + nu - 0.1))


def terrestrial_clutter_db(
    frequency_mhz: ArrayLike, distance_m: ArrayLike, location_pct: ArrayLike, *, both_ends: bool = False
) -> np.ndarray:
    """Statistical clutter loss at one terminal below the roofs, ITU-R P.2108-1 section 3.2.

    Parameters
    ----------
    frequency_mhz : array_like
        500 to 67 000 MHz.
    distance_m : array_like
        Path length, from 250 m, or from 1 km when the loss is applied at
        ``both_ends``. Beyond 2 km the loss is that at 2 km.
    location_pct : array_like
        Percentage of locations, above 0 and below 100.
    both_ends : bool
        Whether the caller applies the loss at both terminals.

    Returns
    -------
    numpy.ndarray
        Loss not exceeded at ``location_pct`` of the locations, dB, per terminal.

    Raises
    ------
    RangeError
        A value outside its range.
    """
    source = "P.2108-1 section 3.2"
    shortest = 1000.0 if both_ends else 250.0
    require_range("frequency_mhz", frequency_mhz, 500.0, 67_000.0, "MHz", source)
    require_range("distance_m", distance_m, shortest, np.inf, "m", source)
    _require_open_pct("location_pct", location_pct, source)
    f = np.asarray(frequency_mhz, dtype=float) / 1000.0
    p = np.asarray(location_pct, dtype=float)
    d = np.asarray(distance_m, dtype=float) / 1000.0
    return np.minimum(_terrestrial_db(f, d, p), _terrestrial_db(f, np.where(np.isnan(d), np.nan, 2.0), p))


def _terrestrial_db(f_ghz: np.ndarray, d_km: np.ndarray, pct: np.ndarray) -> np.ndarray:
    long_loss = -2 * np.log10(10 ** (-5 * np.log10(f_ghz) - 12.5) + 10**-16.5)
    short_loss = 32.98 + 23.9 * np.log10(d_km) + 3 * np.log10(f_ghz)
    long_weight, short_weight = 10 ** (-0.2 * long_loss), 10 ** (-0.2 * short_loss)
    both = long_weight + short_weight
    sigma = np.sqrt((4.0**2 * long_weight + 6.0**2 * short_weight) / both)
    return -5 * np.log10(both) + sigma * ndtri(pct / 100)


def _require_open_pct(name: str, value: ArrayLike, source: str) -> None:
    values = np.asarray(value, dtype=float)
    if ((values <= 0) | (values >= 100)).any():
        raise RangeError(f"{name}: values must lie above 0 and below 100 per cent ({source}).")


def entry_loss_db(
    frequency_mhz: ArrayLike,
    probability_pct: ArrayLike,
    building: str = "traditional",
    elevation_deg: ArrayLike = 0.0,
) -> np.ndarray:
    """Building entry loss not exceeded with a probability, ITU-R P.2109-1.

    Parameters
    ----------
    frequency_mhz : array_like
        80 to 100 000 MHz.
    probability_pct : array_like
        Above 0 and below 100 per cent of buildings and places inside.
    building : {"traditional", "thermally_efficient"}
    elevation_deg : array_like
        Elevation of the path at the facade, -90 to 90 degrees.

    Returns
    -------
    numpy.ndarray
        Loss, dB.

    Raises
    ------
    RangeError
        A value outside its range.
    """
    source = "P.2109-1"
    require_choice("building", building, tuple(BUILDING_TYPES))
    require_range("frequency_mhz", frequency_mhz, 80.0, 100_000.0, "MHz", source)
    require_range("elevation_deg", elevation_deg, -90.0, 90.0, "degrees", source)
    _require_open_pct("probability_pct", probability_pct, source)
    r, s, t, u, v, w, x, y, z = BUILDING_TYPES[building]
    log_f = np.log10(np.asarray(frequency_mhz, dtype=float) / 1000.0)
    quantile = ndtri(np.asarray(probability_pct, dtype=float) / 100.0)
    horizontal = r + s * log_f + t * log_f**2
    a = quantile * (u + v * log_f) + horizontal + 0.212 * np.abs(np.asarray(elevation_deg, dtype=float))
    b = quantile * (y + z * log_f) + w + x * log_f
    return 10 * np.log10(10 ** (0.1 * a) + 10 ** (0.1 * b) + 10**-0.3)


def o2i_wall_db(frequency_mhz: ArrayLike, model: str = "low", *, release: int = 16) -> np.ndarray:
    """Loss through the outer wall of a building, 3GPP TR 38.901 Table 7.4.3-2, dB.

    Parameters
    ----------
    frequency_mhz : array_like
        500 to 100 000 MHz.
    model : {"low", "high"}
        Low: 30 % plain glass, 70 % concrete. High: 70 % infrared-reflecting glass, 30 % concrete.
    release : {16, 19}
        Release 19 changed the infrared-reflecting glass.

    Raises
    ------
    RangeError
        Frequency, model or release not covered.
    """
    require_range("frequency_mhz", frequency_mhz, 500.0, 100_000.0, "MHz", "TR 38.901 section 7.4.3")
    require_choice("model", model, tuple(O2I_MODELS))
    if release not in (16, 19):
        raise RangeError(f"release: {release} is not one of 16, 19 (TR 38.901).")
    f = np.asarray(frequency_mhz, dtype=float) / 1000.0
    first_share, first, second_share, second, _ = O2I_MODELS[model]
    through = first_share * 10 ** (-0.1 * _material_db(first, f, release))
    through = through + second_share * 10 ** (-0.1 * _material_db(second, f, release))
    return 5.0 - 10 * np.log10(through)


def _material_db(material: str, f_ghz: np.ndarray, release: int) -> np.ndarray:
    constant, slope = MATERIALS_DB[material][release]
    return constant + slope * f_ghz


def o2i_loss_db(
    frequency_mhz: ArrayLike, indoor_m: ArrayLike = 0.0, model: str = "low", *, release: int = 16
) -> np.ndarray:
    """Mean outdoor-to-indoor loss, wall plus 0.5 dB per metre inside, TR 38.901 section 7.4.3.1, dB.

    Parameters
    ----------
    frequency_mhz, model, release
        As in :func:`o2i_wall_db`.
    indoor_m : array_like
        Distance inside the building, 0 to 25 m.
    """
    require_range("indoor_m", indoor_m, 0.0, 25.0, "m", "TR 38.901 section 7.4.3.1")
    return o2i_wall_db(frequency_mhz, model, release=release) + 0.5 * np.asarray(indoor_m, dtype=float)


def o2i_sigma_db(model: str = "low") -> float:
    """Standard deviation of the outdoor-to-indoor loss, TR 38.901 Table 7.4.3-2, dB."""
    require_choice("model", model, tuple(O2I_MODELS))
    return O2I_MODELS[model][-1]
