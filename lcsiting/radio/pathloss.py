"""The statistical path-loss models as one registry, and each as one short vector for the map kernels.

:data:`MODELS` names every model with its ranges and source; the formulas themselves stand in
``radio.tr38901`` and ``radio.hata`` and are re-exported here. :func:`coefficients` writes any
of them as a row of :data:`COLUMNS`, so that one kernel serves them all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting.errors import RangeError
from lcsiting.radio import hata, tr38901
from lcsiting.radio.hata import cost231_hata, free_space, okumura_hata
from lcsiting.radio.ranges import require_range
from lcsiting.radio.tr38901 import (
    breakpoint_m,
    rma,
    rma_los_db,
    rma_los_probability,
    rma_nlos_db,
    uma,
    uma_los_db,
    uma_los_probability,
    uma_nlos_db,
    umi,
    umi_los_db,
    umi_los_probability,
    umi_nlos_db,
)

__all__ = [
    "COLUMNS",
    "MODELS",
    "Model",
    "breakpoint_m",
    "coefficients",
    "cost231_hata",
    "free_space",
    "generic_loss_db",
    "off_nominal",
    "okumura_hata",
    "rma",
    "rma_los_db",
    "rma_los_probability",
    "rma_nlos_db",
    "slope_db_per_decade",
    "uma",
    "uma_los_db",
    "uma_los_probability",
    "uma_nlos_db",
    "umi",
    "umi_los_db",
    "umi_los_probability",
    "umi_nlos_db",
]

Floats = NDArray[np.float64]
NEAR_M = 10.0  # the report starts at 10 m; nearer pixels of a map take the value at 10 m


@dataclass(frozen=True)
class Model:
    """A path-loss model and the range it is computed in.

    Attributes
    ----------
    loss_db : callable
        ``loss_db(distance_m, frequency_mhz, *, bs_height_m, ue_height_m)``: mean loss.
    rows : callable
        ``rows(frequency_mhz, bs_height_m, ue_height_m)``: what :func:`coefficients` returns.
    distance_m, frequency_mhz, bs_height_m, ue_height_m : tuple of float
        Smallest and largest value.
    nominal_bs_height_m : tuple of float
        Mast heights the source itself gives; others inside ``bs_height_m`` are flagged.
    default_bs_height_m : float
        Mast height where one number must stand for the model.
    reference : str
        Where the formula stands.
    """

    loss_db: Callable[..., Any]
    rows: Callable[..., Floats]
    distance_m: tuple[float, float]
    frequency_mhz: tuple[float, float]
    bs_height_m: tuple[float, float]
    ue_height_m: tuple[float, float]
    nominal_bs_height_m: tuple[float, float]
    default_bs_height_m: float
    reference: str


# Columns of coefficients(). lg is log10(d3D), d3D = hypot(max(d2D, NEAR), DH):
# PL1 = A1 + B1 lg + C1 d3D up to BP (horizontal), PL2 = A2 + B2 lg beyond, NLOS = max(PL, A3 + B3 lg),
# P_LOS = u + exp(-(d2D - D0)/K)(1 - u), u = U 18/max(d2D, 18), loss = P_LOS PL + (1 - P_LOS) NLOS.
COLUMNS = ("A1", "B1", "C1", "BP", "A2", "B2", "A3", "B3", "U", "D0", "K", "DH", "NEAR")
A1, B1, C1, BP, A2, B2, A3, B3, U, D0, K, DH, NEAR = range(len(COLUMNS))
ALWAYS_NLOS = (0.0, 0.0, 1e-3)  # U, D0, K: P_LOS vanishes from the first metre on


def _rows(n: int, **columns: Any) -> Floats:
    out = np.zeros((n, len(COLUMNS)))
    for name, value in columns.items():
        out[:, COLUMNS.index(name)] = value
    return out


def _street_rows(model: str, f: Floats, bs: Floats, ue: Floats) -> Floats:
    """UMa and UMi."""
    intercept, near, term, scale = (28.0, 22.0, 9.0, 63.0) if model == "uma" else (32.4, 21.0, 9.5, 36.0)
    require_range("ue_height_m", ue, 1.5, 13.0, "m", f"{model} on a map")  # above 13 m P_LOS has another form
    lf = 20 * np.log10(f / 1e3)
    bp = np.asarray(breakpoint_m(model, f, bs, ue))
    far = intercept + lf - term * np.log10(bp**2 + (bs - ue) ** 2)
    if model == "uma":
        a3, b3 = 13.54 + lf - 0.6 * (ue - 1.5), 39.08
    else:
        a3, b3 = 22.4 + 21.3 * np.log10(f / 1e3) - 0.3 * (ue - 1.5), 35.3
    first = intercept + lf
    return _rows(
        f.size, A1=first, B1=near, BP=bp, A2=far, B2=40.0, A3=a3, B3=b3, U=1.0, K=scale, DH=bs - ue, NEAR=NEAR_M
    )


def _uma_rows(f: Floats, bs: Floats, ue: Floats) -> Floats:
    return _street_rows("uma", f, bs, ue)


def _umi_rows(f: Floats, bs: Floats, ue: Floats) -> Floats:
    return _street_rows("umi", f, bs, ue)


def _rma_rows(f: Floats, bs: Floats, ue: Floats) -> Floats:
    constant, slope, per_m = tr38901.rma_near_terms(f, tr38901.BUILDING_M)
    bp = np.asarray(breakpoint_m("rma", f, bs, ue))
    far = constant + (slope - 40) * np.log10(bp) + per_m * bp
    a3, b3 = tr38901.rma_nlos_terms(f, bs, ue, tr38901.BUILDING_M, tr38901.STREET_M)
    near = {"A1": constant, "B1": slope, "C1": per_m, "BP": bp}
    return _rows(f.size, **near, A2=far, B2=40.0, A3=a3, B3=b3, D0=10.0, K=1000.0, DH=bs - ue, NEAR=NEAR_M)


def _hata_rows(formula: str, f: Floats, bs: Floats, ue: Floats) -> Floats:
    """Nearer than 1 km: the same line, but never less than free space."""
    free, slope = hata.free_space_constant(f), hata.hata_slope(bs)
    a3 = hata.hata_at_1_km(f, bs, ue, "urban", formula) - 3 * slope
    u, d0, k = ALWAYS_NLOS
    return _rows(f.size, A1=free, B1=20.0, BP=1e9, A2=free, B2=20.0, A3=a3, B3=slope, U=u, D0=d0, K=k, NEAR=NEAR_M)


def _okumura_rows(f: Floats, bs: Floats, ue: Floats) -> Floats:
    return _hata_rows("okumura_hata", f, bs, ue)


def _cost231_rows(f: Floats, bs: Floats, ue: Floats) -> Floats:
    return _hata_rows("cost231_hata", f, bs, ue)


def _free_space_rows(f: Floats, bs: Floats, ue: Floats) -> Floats:
    free = hata.free_space_constant(f)
    columns = {"A1": free, "B1": 20.0, "BP": 1e9, "A2": free, "B2": 20.0, "A3": -1000.0}
    return _rows(f.size, **columns, K=1.0, DH=bs - ue, NEAR=1.0)


def coefficients(model: str, frequency_mhz: ArrayLike, bs_height_m: ArrayLike, ue_height_m: ArrayLike = 1.5) -> Floats:
    """A model as the short vector the map kernels evaluate.

    Parameters
    ----------
    model : str
        Key of :data:`MODELS`. Hata is taken in its ``urban`` form.
    frequency_mhz, bs_height_m, ue_height_m : array_like
        One value or one per station; the same ranges as the model (UMa, UMi: terminal to 13 m).

    Returns
    -------
    ndarray of float64, (n_stations, 13)
        Columns as in :data:`COLUMNS`. :func:`generic_loss_db` of a row equals the model's mean
        loss inside its range. Nearer than ``NEAR`` the loss is that at ``NEAR``. Hata between
        10 m and 1 km is the extrapolated line, never below free space: callers flag it.

    Raises
    ------
    RangeError
        Unknown model or a value outside its range.
    """
    if model not in MODELS:
        raise RangeError(f"path loss: no model {model!r}; known: {', '.join(MODELS)}")
    valid = MODELS[model]
    ranges = (valid.distance_m, valid.frequency_mhz, valid.bs_height_m, valid.ue_height_m)
    inputs = (valid.distance_m[1], frequency_mhz, bs_height_m, ue_height_m)
    _, f, bs, ue = tr38901.checked_inputs(model, ranges, *inputs)
    f, bs, ue = (np.array(v, dtype=np.float64) for v in np.broadcast_arrays(*np.atleast_1d(f, bs, ue)))
    return valid.rows(f, bs, ue)


def generic_loss_db(rows: ArrayLike, distance_m: ArrayLike) -> Floats:
    """Evaluate coefficient rows.

    Parameters
    ----------
    rows : array_like, (..., 13)
        From :func:`coefficients`.
    distance_m : array_like
        Horizontal distance; broadcasts against the rows' leading shape.

    Returns
    -------
    ndarray
        Mean loss in dB.
    """
    c = np.moveaxis(np.asarray(rows, dtype=np.float64), -1, 0)
    d = np.maximum(np.asarray(distance_m, dtype=np.float64), c[NEAR])
    d3 = np.hypot(d, c[DH])
    lg = np.log10(d3)
    los = np.where(d <= c[BP], c[A1] + c[B1] * lg + c[C1] * d3, c[A2] + c[B2] * lg)
    nlos = np.maximum(los, c[A3] + c[B3] * lg)
    share = c[U] * 18.0 / np.maximum(d, 18.0)
    probability = share + np.exp(-(d - c[D0]) / c[K]) * (1 - share)
    return nlos + probability * (los - nlos)


def slope_db_per_decade(model: str) -> float:
    """NLOS slope of a model at its default mast height, e.g. 39.08 for UMa.

    The exponent of the area-reliability formula (``radio.linkbudget.shadow_margin_db``).
    """
    valid = MODELS[model]
    row = coefficients(model, valid.frequency_mhz[0], valid.default_bs_height_m)[0]
    return float(row[B3]) if row[B3] > 0 else float(row[B1])


def off_nominal(model: str, bs_height_m: ArrayLike) -> NDArray[np.bool_]:
    """Mast heights the source does not give itself, though they are computed."""
    low, high = MODELS[model].nominal_bs_height_m
    height = np.asarray(bs_height_m, dtype=np.float64)
    return (height < low) | (height > high)


_TR = "3GPP TR 38.901 v16.1.0, Tables 7.4.1-1 and 7.4.2-1"
_HATA = "M. Hata, IEEE Trans. Veh. Technol. VT-29(3), 1980"
_COST = "COST Action 231 final report, section 4.4.1"

MODELS: dict[str, Model] = {
    "uma": Model(uma, _uma_rows, *tr38901.RANGES["uma"], (25.0, 25.0), 25.0, _TR),
    "umi": Model(umi, _umi_rows, *tr38901.RANGES["umi"], (10.0, 10.0), 10.0, _TR),
    "rma": Model(rma, _rma_rows, *tr38901.RANGES["rma"], (10.0, 150.0), 35.0, _TR),
    "okumura_hata": Model(okumura_hata, _okumura_rows, *hata.RANGES["okumura_hata"], (30.0, 200.0), 30.0, _HATA),
    "cost231_hata": Model(cost231_hata, _cost231_rows, *hata.RANGES["cost231_hata"], (30.0, 200.0), 30.0, _COST),
    "free_space": Model(free_space, _free_space_rows, *hata.RANGES["free_space"], (0.0, 1e4), 1.5, "ITU-R P.525-4"),
}
