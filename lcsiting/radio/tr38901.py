"""3GPP TR 38.901 path loss and line-of-sight probability: UMa, UMi street canyon, RMa.

Distances are horizontal and in metres, frequencies in MHz, heights above ground in metres.
Scalars give floats, arrays give arrays, NaN stays NaN.

Three choices of ours, not of the report:

* the *mean* loss (:func:`uma`, :func:`umi`, :func:`rma`) weights the two states in dB,
  ``P_LOS * LOS + (1 - P_LOS) * NLOS``; the report itself draws the state per link;
* mast heights off the report's 25 m (UMa) and 10 m (UMi) are computed within the stated
  ``RANGES``; ``radio.pathloss.off_nominal`` flags them;
* UMa's effective environment height is 1 m for every terminal; the report draws it at random for those above 13 m
  (maps refuse those, see ``radio.pathloss.coefficients``).
"""

from math import pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting.radio.ranges import require_range

Floats = NDArray[np.float64]

SPEED_OF_LIGHT = 3.0e8  # as printed in Table 7.4.1-1, note 1
ENVIRONMENT_HEIGHT_M = 1.0  # h_E for terminals below 13 m
BUILDING_M, STREET_M = 5.0, 20.0  # RMa defaults h and W

# smallest and largest distance, frequency, mast height, terminal height; "rma_los": RMa in line of sight alone
RANGES = {
    "uma": ((10.0, 5e3), (500.0, 1e5), (10.0, 60.0), (1.5, 22.5)),
    "umi": ((10.0, 5e3), (500.0, 1e5), (5.0, 25.0), (1.5, 22.5)),
    "rma": ((10.0, 5e3), (500.0, 3e4), (10.0, 150.0), (1.0, 10.0)),
    "rma_los": ((10.0, 1e4), (500.0, 3e4), (10.0, 150.0), (1.0, 10.0)),
}


def checked_inputs(
    model: str,
    ranges: tuple[tuple[float, float], ...],
    distance_m: ArrayLike,
    frequency_mhz: ArrayLike,
    bs_height_m: ArrayLike,
    ue_height_m: ArrayLike,
) -> tuple[Floats, Floats, Floats, Floats]:
    """The four inputs as float64 arrays, each inside the model's range or RangeError."""
    names = (("distance_m", "m"), ("frequency_mhz", "MHz"), ("bs_height_m", "m"), ("ue_height_m", "m"))
    arrays = [np.asarray(v, dtype=np.float64) for v in (distance_m, frequency_mhz, bs_height_m, ue_height_m)]
    for (name, unit), array, (low, high) in zip(names, arrays, ranges, strict=True):
        require_range(name, array, low, high, unit, model)
    return arrays[0], arrays[1], arrays[2], arrays[3]


def plain(value: Any) -> Any:
    """A float for a scalar, the array otherwise."""
    return float(value) if np.ndim(value) == 0 else value


def _inputs(model: str, distance_m, frequency_mhz, bs_height_m, ue_height_m) -> tuple[Floats, Floats, Floats, Floats]:
    return checked_inputs(model, RANGES[model], distance_m, frequency_mhz, bs_height_m, ue_height_m)


def log_distance_3d(d: Floats, bs: Floats, ue: Floats) -> Floats:
    """lg of the slant distance."""
    return np.log10(np.hypot(d, bs - ue))


def breakpoint_m(model: str, frequency_mhz: ArrayLike, bs_height_m: ArrayLike, ue_height_m: ArrayLike = 1.5) -> Any:
    """Break point distance of UMa, UMi (d'BP, note 1) and RMa (dBP, note 5).

    Parameters
    ----------
    model : {"uma", "umi", "rma"}
    frequency_mhz, bs_height_m, ue_height_m : array_like

    Returns
    -------
    float or ndarray
        Metres. For UMa and UMi the effective environment height is 1 m, which the report
        gives for terminals below 13 m.
    """
    f, bs, ue = (np.asarray(v, dtype=np.float64) for v in (frequency_mhz, bs_height_m, ue_height_m))
    wave_number = f * 1e6 / SPEED_OF_LIGHT
    if model == "rma":
        return plain(2 * pi * bs * ue * wave_number)
    return plain(4 * (bs - ENVIRONMENT_HEIGHT_M) * (ue - ENVIRONMENT_HEIGHT_M) * wave_number)


def _los_db(model: str, intercept: float, near: float, height_term: float, args: tuple) -> Any:
    """LOS loss of UMa and UMi, which differ in three numbers."""
    d, f, bs, ue = _inputs(model, *args)
    lg = log_distance_3d(d, bs, ue)
    lf = 20 * np.log10(f / 1e3)
    bp = np.asarray(breakpoint_m(model, f, bs, ue))
    far = intercept + 40 * lg + lf - height_term * np.log10(bp**2 + (bs - ue) ** 2)
    return plain(np.where(d <= bp, intercept + near * lg + lf, far))


def uma_los_db(
    distance_m: ArrayLike, frequency_mhz: ArrayLike, *, bs_height_m: ArrayLike = 25.0, ue_height_m: ArrayLike = 1.5
) -> Any:
    """UMa loss in line of sight.

    PL1 = 28.0 + 22 lg d3D + 20 lg f up to d'BP, then
    PL2 = 28.0 + 40 lg d3D + 20 lg f - 9 lg(d'BP^2 + (hBS - hUT)^2).

    Parameters
    ----------
    distance_m : array_like
        Horizontal distance, 10 m to 5 km.
    frequency_mhz : array_like
        500 to 100 000 MHz.
    bs_height_m, ue_height_m : array_like
        10 to 60 m (the report: 25 m) and 1.5 to 22.5 m.

    Returns
    -------
    float or ndarray
        Loss in dB between isotropic antennas.

    Raises
    ------
    RangeError
        An input outside its range.

    References
    ----------
    3GPP TR 38.901 v16.1.0, Table 7.4.1-1.
    """
    return _los_db("uma", 28.0, 22.0, 9.0, (distance_m, frequency_mhz, bs_height_m, ue_height_m))


def uma_nlos_db(
    distance_m: ArrayLike, frequency_mhz: ArrayLike, *, bs_height_m: ArrayLike = 25.0, ue_height_m: ArrayLike = 1.5
) -> Any:
    """UMa loss without line of sight; ranges, errors and reference as :func:`uma_los_db`.

    max(LOS, 13.54 + 39.08 lg d3D + 20 lg f - 0.6 (hUT - 1.5)).
    """
    los = uma_los_db(distance_m, frequency_mhz, bs_height_m=bs_height_m, ue_height_m=ue_height_m)
    d, f, bs, ue = _inputs("uma", distance_m, frequency_mhz, bs_height_m, ue_height_m)
    nlos = 13.54 + 39.08 * log_distance_3d(d, bs, ue) + 20 * np.log10(f / 1e3) - 0.6 * (ue - 1.5)
    return plain(np.maximum(los, nlos))


def uma_los_probability(distance_m: ArrayLike, *, ue_height_m: ArrayLike = 1.5) -> Any:
    """Probability of line of sight, UMa.

    1 up to 18 m, then ``[18/d + exp(-d/63)(1 - 18/d)] [1 + C' 5/4 (d/100)^3 exp(-d/150)]`` with
    C' = 0 for terminals up to 13 m and ((hUT - 13)/10)^1.5 above (to 23 m).

    References
    ----------
    3GPP TR 38.901 v16.1.0, Table 7.4.2-1.
    """
    d, ue = np.asarray(distance_m, dtype=np.float64), np.asarray(ue_height_m, dtype=np.float64)
    require_range("ue_height_m", ue, 0.0, 23.0, "m", "uma")
    base = _los_probability(d, 63.0)
    high = np.maximum((ue - 13.0) / 10.0, 0.0) ** 1.5
    return plain(np.where(d <= 18.0, base, base * (1 + high * 1.25 * (d / 100) ** 3 * np.exp(-d / 150))))


def _los_probability(d: Floats, scale_m: float) -> Floats:
    share = 18.0 / np.maximum(d, 18.0)
    return share + np.exp(-d / scale_m) * (1 - share)


def _mean_db(los: Any, nlos: Any, probability: Any) -> Any:
    return plain(probability * los + (1 - probability) * nlos)


def uma(
    distance_m: ArrayLike, frequency_mhz: ArrayLike, *, bs_height_m: ArrayLike = 25.0, ue_height_m: ArrayLike = 1.5
) -> Any:
    """UMa mean loss, P_LOS LOS + (1 - P_LOS) NLOS in dB; inputs and errors as :func:`uma_los_db`."""
    heights = {"bs_height_m": bs_height_m, "ue_height_m": ue_height_m}
    los, nlos = uma_los_db(distance_m, frequency_mhz, **heights), uma_nlos_db(distance_m, frequency_mhz, **heights)
    return _mean_db(los, nlos, uma_los_probability(distance_m, ue_height_m=ue_height_m))


def umi_los_db(
    distance_m: ArrayLike, frequency_mhz: ArrayLike, *, bs_height_m: ArrayLike = 10.0, ue_height_m: ArrayLike = 1.5
) -> Any:
    """UMi street-canyon loss in line of sight.

    PL1 = 32.4 + 21 lg d3D + 20 lg f up to d'BP, then
    PL2 = 32.4 + 40 lg d3D + 20 lg f - 9.5 lg(d'BP^2 + (hBS - hUT)^2).

    Parameters
    ----------
    distance_m, frequency_mhz : array_like
        10 m to 5 km horizontal; 500 to 100 000 MHz.
    bs_height_m, ue_height_m : array_like
        5 to 25 m (the report: 10 m) and 1.5 to 22.5 m.

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
    3GPP TR 38.901 v16.1.0, Table 7.4.1-1.
    """
    return _los_db("umi", 32.4, 21.0, 9.5, (distance_m, frequency_mhz, bs_height_m, ue_height_m))


def umi_nlos_db(
    distance_m: ArrayLike, frequency_mhz: ArrayLike, *, bs_height_m: ArrayLike = 10.0, ue_height_m: ArrayLike = 1.5
) -> Any:
    """UMi loss without line of sight; ranges, errors and reference as :func:`umi_los_db`.

    max(LOS, 22.4 + 35.3 lg d3D + 21.3 lg f - 0.3 (hUT - 1.5)).
    """
    los = umi_los_db(distance_m, frequency_mhz, bs_height_m=bs_height_m, ue_height_m=ue_height_m)
    d, f, bs, ue = _inputs("umi", distance_m, frequency_mhz, bs_height_m, ue_height_m)
    nlos = 22.4 + 35.3 * log_distance_3d(d, bs, ue) + 21.3 * np.log10(f / 1e3) - 0.3 * (ue - 1.5)
    return plain(np.maximum(los, nlos))


def umi_los_probability(distance_m: ArrayLike) -> Any:
    """Probability of line of sight, UMi: 1 up to 18 m, then 18/d + exp(-d/36)(1 - 18/d).

    References
    ----------
    3GPP TR 38.901 v16.1.0, Table 7.4.2-1.
    """
    return plain(_los_probability(np.asarray(distance_m, dtype=np.float64), 36.0))


def umi(
    distance_m: ArrayLike, frequency_mhz: ArrayLike, *, bs_height_m: ArrayLike = 10.0, ue_height_m: ArrayLike = 1.5
) -> Any:
    """UMi mean loss, P_LOS LOS + (1 - P_LOS) NLOS in dB; inputs and errors as :func:`umi_los_db`."""
    heights = {"bs_height_m": bs_height_m, "ue_height_m": ue_height_m}
    los, nlos = umi_los_db(distance_m, frequency_mhz, **heights), umi_nlos_db(distance_m, frequency_mhz, **heights)
    return _mean_db(los, nlos, umi_los_probability(distance_m))


def rma_near_terms(f: Floats, building_height_m: float) -> tuple[Floats, float, float]:
    """Constant, slope per decade and slope per metre of RMa PL1."""
    h = building_height_m
    constant = 20 * np.log10(40 * pi * f / 1e3 / 3) - min(0.044 * h**1.72, 14.77)
    return constant, 20 + min(0.03 * h**1.72, 10.0), 0.002 * float(np.log10(h))


def rma_nlos_terms(f: Floats, bs: Floats, ue: Floats, h: float, street_m: float) -> tuple[Floats, Floats]:
    """Constant and slope per decade of d3D of the RMa NLOS term."""
    slope = 43.42 - 3.1 * np.log10(bs)
    constant = (
        161.04
        - 7.1 * np.log10(street_m)
        + 7.5 * np.log10(h)
        - (24.37 - 3.7 * (h / bs) ** 2) * np.log10(bs)
        - 3 * slope
        + 20 * np.log10(f / 1e3)
        - (3.2 * np.log10(11.75 * ue) ** 2 - 4.97)
    )
    return constant, slope


def _rma_surroundings(building_height_m: float, street_width_m: float) -> None:
    for name, value in (("building_height_m", building_height_m), ("street_width_m", street_width_m)):
        require_range(name, value, 5.0, 50.0, "m", "rma")


def rma_los_db(
    distance_m: ArrayLike,
    frequency_mhz: ArrayLike,
    *,
    bs_height_m: ArrayLike = 35.0,
    ue_height_m: ArrayLike = 1.5,
    building_height_m: float = 5.0,
) -> Any:
    """RMa loss in line of sight.

    PL1 = 20 lg(40 pi d3D f / 3) + min(0.03 h^1.72, 10) lg d3D - min(0.044 h^1.72, 14.77)
    + 0.002 lg(h) d3D up to dBP, then PL1(dBP) + 40 lg(d3D / dBP).

    Parameters
    ----------
    distance_m, frequency_mhz : array_like
        10 m to 10 km horizontal (NLOS and the mean: to 5 km); 500 to 30 000 MHz.
    bs_height_m, ue_height_m : array_like
        10 to 150 m and 1 to 10 m.
    building_height_m : float
        Mean building height h, 5 to 50 m.

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
    3GPP TR 38.901 v16.1.0, Table 7.4.1-1.
    """
    _rma_surroundings(building_height_m, 20.0)
    d, f, bs, ue = _inputs("rma_los", distance_m, frequency_mhz, bs_height_m, ue_height_m)
    constant, slope, per_m = rma_near_terms(f, building_height_m)
    d3 = np.hypot(d, bs - ue)
    bp = np.asarray(breakpoint_m("rma", f, bs, ue))
    at_bp = constant + slope * np.log10(bp) + per_m * bp
    near = constant + slope * np.log10(d3) + per_m * d3
    return plain(np.where(d <= bp, near, at_bp + 40 * np.log10(d3 / bp)))


def rma_nlos_db(
    distance_m: ArrayLike,
    frequency_mhz: ArrayLike,
    *,
    bs_height_m: ArrayLike = 35.0,
    ue_height_m: ArrayLike = 1.5,
    building_height_m: float = 5.0,
    street_width_m: float = 20.0,
) -> Any:
    """RMa loss without line of sight; ranges, errors and reference as :func:`rma_los_db`.

    To 5 km. max(LOS, 161.04 - 7.1 lg W + 7.5 lg h - (24.37 - 3.7 (h/hBS)^2) lg hBS
    + (43.42 - 3.1 lg hBS)(lg d3D - 3) + 20 lg f - (3.2 (lg 11.75 hUT)^2 - 4.97)),
    street width W 5 to 50 m.
    """
    _rma_surroundings(building_height_m, street_width_m)
    los = rma_los_db(
        distance_m,
        frequency_mhz,
        bs_height_m=bs_height_m,
        ue_height_m=ue_height_m,
        building_height_m=building_height_m,
    )
    d, f, bs, ue = _inputs("rma", distance_m, frequency_mhz, bs_height_m, ue_height_m)
    constant, slope = rma_nlos_terms(f, bs, ue, building_height_m, street_width_m)
    return plain(np.maximum(los, constant + slope * log_distance_3d(d, bs, ue)))


def rma_los_probability(distance_m: ArrayLike) -> Any:
    """Probability of line of sight, RMa: 1 up to 10 m, then exp(-(d - 10)/1000).

    References
    ----------
    3GPP TR 38.901 v16.1.0, Table 7.4.2-1.
    """
    return plain(np.exp(-np.maximum(np.asarray(distance_m, dtype=np.float64) - 10.0, 0.0) / 1000.0))


def rma(
    distance_m: ArrayLike, frequency_mhz: ArrayLike, *, bs_height_m: ArrayLike = 35.0, ue_height_m: ArrayLike = 1.5
) -> Any:
    """RMa mean loss for 5 m buildings and 20 m streets; inputs and errors as :func:`rma_los_db`."""
    los = rma_los_db(distance_m, frequency_mhz, bs_height_m=bs_height_m, ue_height_m=ue_height_m)
    nlos = rma_nlos_db(distance_m, frequency_mhz, bs_height_m=bs_height_m, ue_height_m=ue_height_m)
    return _mean_db(los, nlos, rma_los_probability(distance_m))
