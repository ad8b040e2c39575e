"""Closed forms common to ITU-R P.452-18 and P.1812: line of sight, ducting, troposcatter, combination.

Everything after the scans of the profile. Names of results are those of the
Recommendations; equation numbers are those of P.452-18. Kernels, km and GHz.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

from numba import njit

from lcsiting.radio.diffraction import Wave, inverse_normal
from lcsiting.radio.profile import Path

FREE_SPACE_DB = 92.4  # eq. (8): km and GHz


class Climate(NamedTuple):
    """Time and place of a path."""

    p: float  # time percentage
    b0: float  # beta0, per cent
    ae: float  # median effective Earth radius, km
    dlm: float  # longest inland section, km
    omega: float  # share over sea
    dct: float  # distance of the transmitter from the coast, km
    dcr: float


class LineOfSight(NamedTuple):
    """Basic loss of the line-of-sight mechanism, dB."""

    free: float  # Lbfsg of P.452, Lbfs of P.1812
    Lb0p: float
    Lb0b: float


class Combined(NamedTuple):
    """How the mechanisms meet, dB and interpolation factors."""

    Fi: float
    Fj: float
    Fk: float
    Ldp: float
    Lbd50: float
    Lbd: float
    Lminb0p: float
    Lminbap: float
    Lbda: float
    Lbam: float
    total: float  # Lbp of P.452, Lbc of P.1812


@njit(cache=True, nogil=True, error_model="numpy")
def line_of_sight(w: Wave, c: Climate, path: Path, gas_db_km: float) -> LineOfSight:
    """Free space with multipath and focusing, section 4.1, eqs. (8)-(12)."""
    distance = math.sqrt(path.dtot**2 + (0.001 * (path.hts - path.hrs)) ** 2)
    free = FREE_SPACE_DB + 20.0 * w.log_f + 20.0 * math.log10(distance) + gas_db_km * distance
    focusing = 2.6 * (1.0 - math.exp(-0.1 * (path.dlt + path.dlr)))
    return LineOfSight(free, free + focusing * math.log10(c.p / 50.0), free + focusing * math.log10(c.b0 / 50.0))


@njit(cache=True, nogil=True, error_model="numpy")
def troposcatter_frequency_db(log_f: float) -> float:
    """Frequency-dependent loss Lf of troposcatter, eq. (45a), dB."""
    half = log_f - math.log10(2.0)
    return 25.0 * log_f - 2.5 * half * half


@njit(cache=True, nogil=True, error_model="numpy")
def _site_shielding_db(theta: float, horizon_km: float, w: Wave) -> float:
    raised = theta - 0.1 * horizon_km
    if raised <= 0.0:
        return 0.0
    shield = 1.0 + 0.361 * raised * math.sqrt(w.f_ghz * horizon_km)
    return 20.0 * math.log10(shield) + 0.264 * raised * w.f_third


@njit(cache=True, nogil=True, error_model="numpy")
def _sea_coupling_db(omega: float, coast_km: float, horizon_km: float, antenna_m: float) -> float:
    if omega < 0.75 or coast_km > 5.0 or coast_km > horizon_km:
        return 0.0
    return -3.0 * math.exp(-0.25 * coast_km * coast_km) * (1.0 + math.tanh(0.07 * (50.0 - antenna_m)))


@njit(cache=True, nogil=True, error_model="numpy")
def _duct_time_db(c: Climate, path: Path) -> float:
    """Time variability A(p) of ducting, eqs. (53)-(57)."""
    d = path.dtot
    tau = 1.0 - math.exp(-4.12e-4 * c.dlm**2.41)
    alpha = max(-0.6 - 3.5e-9 * d**3.1 * tau, -3.4)
    heights = math.sqrt(path.hte) + math.sqrt(path.hre)
    mu2 = min((500.0 / c.ae * d * d / (heights * heights)) ** alpha, 1.0)
    mu3 = 1.0
    if path.hm > 10.0:
        between = min(d - path.dlt - path.dlr, 40.0)
        mu3 = math.exp(-4.6e-5 * (path.hm - 10.0) * (43.0 + 6.0 * between))
    beta = max(c.b0 * mu2 * mu3, 2.2e-16)  # very rough long paths would take the logarithm of zero
    log_beta = math.log10(beta)
    shape = 9.51 - 4.8 * log_beta + 0.198 * log_beta * log_beta
    gamma = 1.076 / (2.0058 - log_beta) ** 1.012 * math.exp(-shape * 1e-6 * d**1.13)
    ratio = c.p / beta
    return -12.0 + (1.2 + 3.7e-3 * d) * math.log10(ratio) + 12.0 * ratio**gamma


@njit(cache=True, nogil=True, error_model="numpy")
def ducting_db(w: Wave, c: Climate, path: Path, gas_db_km: float) -> float:
    """Ducting and layer reflection, section 4.4, eqs. (46)-(57): Lba, dB."""
    low = 45.375 - 137.0 * w.f_ghz + 92.5 * w.f_ghz**2 if w.f_ghz < 0.5 else 0.0
    fixed = 102.45 + 20.0 * w.log_f + 20.0 * math.log10(path.dlt + path.dlr) + low
    fixed += _site_shielding_db(path.theta_t, path.dlt, w) + _site_shielding_db(path.theta_r, path.dlr, w)
    fixed += _sea_coupling_db(c.omega, c.dct, path.dlt, path.hts)
    fixed += _sea_coupling_db(c.omega, c.dcr, path.dlr, path.hrs)
    angle = 1000.0 * path.dtot / c.ae + min(path.theta_t, 0.1 * path.dlt) + min(path.theta_r, 0.1 * path.dlr)
    return fixed + 5e-5 * c.ae * w.f_third * angle + _duct_time_db(c, path) + gas_db_km * path.dtot


@njit(cache=True, nogil=True, error_model="numpy")
def horizon_blend(excess: float) -> float:
    """Interpolation factor Fj, eq. (58), with xi = 0.8 and Theta = 0.3.

    ``excess`` is Stim - Str in P.452-18, the path angular distance less Theta in P.1812.
    """
    return 1.0 - 0.5 * (1.0 + math.tanh(3.0 * 0.8 * excess / 0.3))


@njit(cache=True, nogil=True, error_model="numpy")
def combine(
    c: Climate, los: LineOfSight, total_km: float, ld50: float, ldb: float, lba: float, lbs: float, fj: float
) -> Combined:
    """Join the mechanisms, sections 4.2.4 and 4.6, eqs. (41)-(44) and (58)-(64).

    ``ldb`` is not looked at for 50 per cent of the time and more.
    """
    fi = 1.0
    if c.p > c.b0:
        fi = inverse_normal(c.p / 100.0) / inverse_normal(c.b0 / 100.0)
    ldp = ld50 + fi * (ldb - ld50) if c.p < 50.0 else ld50
    lbd50 = los.free + ld50
    lbd = los.Lb0p + ldp
    lmin = los.Lb0p + (1.0 - c.omega) * ldp
    if c.p >= c.b0:
        lmin = lbd50 + (los.Lb0b + (1.0 - c.omega) * ldp - lbd50) * fi
    # The larger term is taken out so that the exponentials of long paths stay finite.
    top = max(lba, los.Lb0p)
    lminbap = top + 2.5 * math.log(math.exp((lba - top) / 2.5) + math.exp((los.Lb0p - top) / 2.5))
    fk = 1.0 - 0.5 * (1.0 + math.tanh(3.0 * 0.5 * (total_km - 20.0) / 20.0))
    lbda = lminbap + (lbd - lminbap) * fk if lminbap <= lbd else lbd
    lbam = lbda + (lmin - lbda) * fj
    best = min(lbs, lbam)
    total = best - 5.0 * math.log10(10.0 ** (-0.2 * (lbs - best)) + 10.0 ** (-0.2 * (lbam - best)))
    return Combined(fi, fj, fk, ldp, lbd50, lbd, lmin, lminbap, lbda, lbam, total)
