"""ITU-R P.452-18: interference between stations on the Earth's surface, clear-air basic transmission loss.

:func:`loss_db` answers for one profile. Engines that ask about many paths
build a :class:`Question` once and call the kernel :func:`path_terms`.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from lcsiting.radio.clearair import (
    Climate,
    combine,
    ducting_db,
    horizon_blend,
    line_of_sight,
    troposcatter_frequency_db,
)
from lcsiting.radio.diffraction import BETA_EARTH_RADIUS_KM, Diffraction, Wave, delta_bullington, wave
from lcsiting.radio.gas import gas_db_km
from lcsiting.radio.profile import beta0_pct as beta0_of_path
from lcsiting.radio.profile import checked_profile, median_earth_radius_km, path_geometry, path_kind, zone_lengths

RANGES = {
    "frequency_mhz": (100.0, 50_000.0, "MHz", "P.452-18 section 1"),
    "time_pct": (0.001, 50.0, "per cent", "P.452-18 section 1"),
    "tx_height_agl_m": (0.1, 10_000.0, "m", "height above ground"),
    "rx_height_agl_m": (0.1, 10_000.0, "m", "height above ground"),
    "tx_gain_dbi": (-100.0, 100.0, "dBi", "antenna gain"),
    "rx_gain_dbi": (-100.0, 100.0, "dBi", "antenna gain"),
    "path_latitude_deg": (-90.0, 90.0, "degrees", "latitude"),
    "delta_n": (0.0, 150.0, "N-units/km", "P.452-18 eq. (5), a positive number below 157"),
    "n0": (100.0, 500.0, "N-units", "sea-level surface refractivity"),
    "beta0_pct": (0.001, 49.9, "per cent", "P.452-18 section 3.2.1"),
    "tx_coast_km": (0.0, math.inf, "km", "distance"),
    "rx_coast_km": (0.0, math.inf, "km", "distance"),
    "pressure_hpa": (300.0, 1100.0, "hPa", "surface pressure"),
    "temperature_c": (-100.0, 60.0, "degrees C", "surface temperature"),
    "distance_m": (0.0, 1e7, "m", "P.452-18 section 1, path length"),
}
BARE_KM = 0.05  # section 3.2.1: clutter nearer than this to either end is left out


class Question(NamedTuple):
    """All that P.452 asks beside the path."""

    wave: Wave
    p: float  # time percentage
    ae: float  # median effective Earth radius, km
    pressure_hpa: float
    temperature_c: float
    inland_gas_db_km: float  # vapour 7.5 g/m3: a path without sea
    troposcatter_gas_db_km: float  # vapour 3 g/m3
    troposcatter_db: float  # terms of eq. (45) without the path


class Terms(NamedTuple):
    """Intermediates under the Recommendation's names; lengths km, heights m, angles mrad, losses dB.

    Lbulla, Lbulls and Ldsph are those of the median Earth radius; Ldb is the loss of the beta0 radius.
    """

    ae: float
    dtot: float
    hts: float
    hrs: float
    theta_t: float
    theta_r: float
    theta: float
    hst_n: float
    hsr_n: float
    hst: float
    hsr: float
    hm: float
    hte: float
    hre: float
    hstd: float
    hsrd: float
    dlt: float
    dlr: float
    transhorizon: bool
    dtm: float
    dlm: float
    b0: float
    omega: float
    gas_db_km: float
    Lbfsg: float
    Lb0p: float
    Lb0b: float
    Lbulla: float
    Lbulls: float
    Ldsph: float
    Ld50: float
    Ldb: float
    Ldp: float
    Lbd50: float
    Lbd: float
    Lminb0p: float
    Fi: float
    Fj: float
    Fk: float
    Lba: float
    Lminbap: float
    Lbda: float
    Lbam: float
    Lbs: float
    Lb: float


@njit(cache=True, nogil=True, error_model="numpy")
def question(
    f_ghz: float,
    p: float,
    vertical: bool,
    delta_n: float,
    n0: float,
    gains_dbi: float,
    pressure_hpa: float,
    temperature_c: float,
) -> Question:
    """Terms that do not depend on the path; ``gains_dbi`` is the sum of both ends' gains."""
    w = wave(f_ghz, vertical)
    scatter = 190.0 + troposcatter_frequency_db(w.log_f) - 0.15 * n0 + 0.051 * math.exp(0.055 * gains_dbi)
    scatter -= 10.1 * (-math.log10(p / 50.0)) ** 0.7
    return Question(
        w,
        p,
        median_earth_radius_km(delta_n),
        pressure_hpa,
        temperature_c,
        gas_db_km(f_ghz, pressure_hpa, temperature_c, 7.5),
        gas_db_km(f_ghz, pressure_hpa, temperature_c, 3.0),
        scatter,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def is_bare(distance_km: float, total_km: float) -> bool:
    """Whether a point is strictly nearer than 50 m to either end, where clutter is left out."""
    return distance_km < BARE_KM or distance_km > total_km - BARE_KM


@njit(cache=True, nogil=True, error_model="numpy")
def surface_heights(distance_km: np.ndarray, ground_m: np.ndarray, clutter_m: np.ndarray) -> np.ndarray:
    """Ground plus clutter, bare strictly within 50 m of either end."""
    surface = ground_m.copy()
    total = distance_km[-1]
    for i in range(surface.size):
        if not is_bare(distance_km[i], total):
            surface[i] += clutter_m[i]
    return surface


@njit(cache=True, nogil=True, error_model="numpy")
def path_terms(
    q: Question,
    distance_km: np.ndarray,
    ground_m: np.ndarray,
    surface_m: np.ndarray,
    zone: np.ndarray,
    tx_height_m: float,
    rx_height_m: float,
    latitude_deg: float,
    beta0: float,
    dct: float,
    dcr: float,
    all_terms: bool,
) -> Terms:
    """All terms of one path. No checks.

    ``beta0`` NaN asks for that of latitude and zones; ``all_terms`` for Ldb
    also at 50 per cent of the time, where the answer does not need it.
    """
    n = distance_km.size - 1
    zones = zone_lengths(distance_km, zone)
    if math.isnan(beta0):
        beta0 = beta0_of_path(latitude_deg, zones.dtm, zones.dlm)
    c = Climate(q.p, beta0, q.ae, zones.dlm, zones.omega, dct, dcr)
    g = path_geometry(distance_km, ground_m, tx_height_m, rx_height_m, q.ae)
    gas = q.inland_gas_db_km
    if zones.omega > 0.0:
        gas = gas_db_km(q.wave.f_ghz, q.pressure_hpa, q.temperature_c, 7.5 + 2.5 * zones.omega)

    flat = np.zeros(n)
    median = delta_bullington(
        q.wave, distance_km, surface_m, flat, n, g.dtot, g.hts, g.hrs, g.hstd, g.hsrd, q.ae, zones.omega
    )
    beta = Diffraction(math.nan, math.nan, math.nan, math.nan)
    if q.p < 50.0 or all_terms:
        radius = BETA_EARTH_RADIUS_KM
        beta = delta_bullington(
            q.wave, distance_km, surface_m, flat, n, g.dtot, g.hts, g.hrs, g.hstd, g.hsrd, radius, zones.omega
        )
    los = line_of_sight(q.wave, c, g, gas)
    lba = ducting_db(q.wave, c, g, gas)
    lbs = q.troposcatter_db + 20.0 * math.log10(g.dtot) + 0.573 * g.theta + q.troposcatter_gas_db_km * g.dtot
    fj = horizon_blend(g.stim - (g.hrs - g.hts) / g.dtot)
    m = combine(c, los, g.dtot, median.Ld, beta.Ld, lba, lbs, fj)
    return Terms(
        q.ae, g.dtot, g.hts, g.hrs, g.theta_t, g.theta_r, g.theta, g.hst_n, g.hsr_n, g.hst, g.hsr, g.hm,
        g.hte, g.hre, g.hstd, g.hsrd, g.dlt, g.dlr, g.transhorizon, zones.dtm, zones.dlm, beta0, zones.omega, gas,
        los.free, los.Lb0p, los.Lb0b, median.Lbulla, median.Lbulls, median.Ldsph, median.Ld, beta.Ld,
        m.Ldp, m.Lbd50, m.Lbd, m.Lminb0p, m.Fi, m.Fj, m.Fk, lba, m.Lminbap, m.Lbda, m.Lbam, lbs, m.total,
    )  # fmt: skip


def loss_db(
    distance_m: ArrayLike,
    ground_m: ArrayLike,
    *,
    clutter_m: ArrayLike | None = None,
    zone: ArrayLike | None = None,
    frequency_mhz: float,
    time_pct: float,
    tx_height_agl_m: float,
    rx_height_agl_m: float,
    tx_gain_dbi: float = 0.0,
    rx_gain_dbi: float = 0.0,
    polarization: str = "vertical",
    path_latitude_deg: float,
    delta_n: float,
    n0: float,
    beta0_pct: float | None = None,
    tx_coast_km: float = 500.0,
    rx_coast_km: float = 500.0,
    pressure_hpa: float = 1013.25,
    temperature_c: float = 15.0,
    details: bool = False,
) -> float | dict[str, float | str]:
    """Clear-air basic transmission loss of ITU-R P.452-18 not exceeded for ``time_pct`` of the time.

    Line of sight with multipath and focusing, delta-Bullington and
    spherical-Earth diffraction over ground and clutter, ducting and layer
    reflection, troposcatter, gaseous attenuation by P.676-11 line by line
    (vapour 7.5 + 2.5 omega g/m3; 3 g/m3 in troposcatter). Hydrometeor
    scatter (section 5) is not included.

    Parameters
    ----------
    distance_m : array_like, shape (n,)
        From the transmitter along the great circle: starts at 0, increases, m.
    ground_m : array_like, shape (n,)
        Ground, m above sea level.
    clutter_m : array_like, shape (n,), optional
        Clutter, m above ground. Points strictly less than 50 m from either
        end count as bare ground, whatever is given there.
    zone : array_like of int, shape (n,), optional
        1 coastal land, 2 inland (default), 3 sea.
    frequency_mhz : float
        100 to 50 000 MHz.
    time_pct : float
        0.001 to 50 per cent.
    tx_height_agl_m, rx_height_agl_m : float
        Antenna centres, 0.1 to 10 000 m above ground.
    tx_gain_dbi, rx_gain_dbi : float
        Gains toward the horizon along the path. They enter only the
        aperture-to-medium coupling loss: the answer is basic loss.
    polarization : {"vertical", "horizontal"}
    path_latitude_deg : float
        Latitude of the path centre: the great-circle point half a path length
        from the transmitter (:func:`lcsiting.radio.profile.mid_path_latitude_deg`).
    delta_n : float
        Average refractivity lapse rate over the lowest 1 km, N-units/km, a
        positive number. Liaocheng 40.06 (P.452's map DN50 at 36.456 N 115.98 E).
    n0 : float
        Sea-level surface refractivity, N-units. Liaocheng 320.5 (map N050).
    beta0_pct : float, optional
        Overrides beta0 of latitude and zones, per cent.
    tx_coast_km, rx_coast_km : float
        Distance of each end from the coast along the path, km; looked at
        where at least 75 per cent of the path is sea.
    pressure_hpa, temperature_c : float
        Dry-air pressure and temperature.
    details : bool
        Return the intermediates instead.

    Returns
    -------
    float or dict
        Basic transmission loss Lb, dB; NaN where any input is NaN. With
        ``details`` a dict of the Recommendation's names (:class:`Terms`, ``Lb``
        among them), ``DN``, ``N0`` and ``path`` "Line of Sight" or "Trans-Horizon".

    Raises
    ------
    RangeError
        A value outside its range or a profile that cannot be used.
    """
    scalars = {
        "frequency_mhz": frequency_mhz, "time_pct": time_pct, "tx_height_agl_m": tx_height_agl_m,
        "rx_height_agl_m": rx_height_agl_m, "tx_gain_dbi": tx_gain_dbi, "rx_gain_dbi": rx_gain_dbi,
        "path_latitude_deg": path_latitude_deg, "delta_n": delta_n, "n0": n0, "tx_coast_km": tx_coast_km,
        "rx_coast_km": rx_coast_km, "pressure_hpa": pressure_hpa, "temperature_c": temperature_c,
        "beta0_pct": beta0_pct,
    }  # fmt: skip
    path, missing = checked_profile(distance_m, ground_m, clutter_m, zone, polarization, scalars, RANGES)
    if missing:
        return dict.fromkeys((*Terms._fields, "DN", "N0", "path"), math.nan) if details else math.nan
    q = question(
        frequency_mhz / 1000.0, float(time_pct), polarization == "vertical", float(delta_n), float(n0),
        float(tx_gain_dbi + rx_gain_dbi), float(pressure_hpa), float(temperature_c),
    )  # fmt: skip
    surface = surface_heights(path.distance_km, path.ground_m, path.clutter_m)
    terms = path_terms(
        q, path.distance_km, path.ground_m, surface, path.zone,
        float(tx_height_agl_m), float(rx_height_agl_m), float(path_latitude_deg),
        math.nan if beta0_pct is None else float(beta0_pct), float(tx_coast_km), float(rx_coast_km), bool(details),
    )  # fmt: skip
    if not details:
        return float(terms.Lb)
    return terms._asdict() | {"DN": float(delta_n), "N0": float(n0), "path": path_kind(terms.transhorizon)}
