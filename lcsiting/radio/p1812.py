"""ITU-R P.1812-8: path-specific prediction for point-to-area services, 30 MHz to 6 GHz.

P.1812-8 gives on the published validation paths what P.1812-6 gives; equation
numbers in the code are those of P.1812-6. :func:`loss_db` answers for one
profile. Engines that ask about many paths build a :class:`Question` once and
call the kernel :func:`path_terms`.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from lcsiting.errors import RangeError
from lcsiting.radio.clearair import (
    Climate,
    combine,
    ducting_db,
    horizon_blend,
    line_of_sight,
    troposcatter_frequency_db,
)
from lcsiting.radio.clutter import BUILDING_TYPES, entry_loss_db
from lcsiting.radio.diffraction import (
    BETA_EARTH_RADIUS_KM,
    Diffraction,
    Wave,
    delta_bullington,
    inverse_normal,
    wave,
)
from lcsiting.radio.profile import (
    SEA,
    beta0_pct,
    checked_profile,
    median_earth_radius_km,
    path_geometry,
    path_kind,
    zone_lengths,
)
from lcsiting.radio.ranges import require_choice, require_range

RANGES = {
    "frequency_mhz": (30.0, 6000.0, "MHz", "P.1812-6 section 1"),
    "time_pct": (1.0, 50.0, "per cent", "P.1812-6 section 1"),
    "location_pct": (1.0, 99.0, "per cent", "P.1812-6 section 1"),
    "tx_height_agl_m": (1.0, 3000.0, "m", "P.1812-6 section 1"),
    "rx_height_agl_m": (1.0, 3000.0, "m", "P.1812-6 section 1"),
    "rx_clutter_m": (0.0, 500.0, "m", "height above ground"),
    "path_latitude_deg": (-90.0, 90.0, "degrees", "latitude"),
    "delta_n": (0.0, 150.0, "N-units/km", "P.1812-6 eq. (6), a positive number below 157"),
    "n0": (100.0, 500.0, "N-units", "sea-level surface refractivity"),
    "tx_coast_km": (0.0, math.inf, "km", "distance"),
    "rx_coast_km": (0.0, math.inf, "km", "distance"),
    "location_sigma_db": (0.0, 30.0, "dB", "P.1812-6 section 4.7"),
    "resolution_m": (1.0, 1000.0, "m", "P.1812-6 section 4.7"),
    "distance_m": (250.0, 3e6, "m", "P.1812-6 section 1, path length"),
}


FURTHER_TERMS = (  # of loss_db's details beside Terms
    "htc", "hrc", "htc_prime", "hrc_prime", "Lloc", "sigma_loc", "Lb", "Ep", "DN", "N0", "path",
)  # fmt: skip


class Question(NamedTuple):
    """All that P.1812 asks beside the path."""

    wave: Wave
    p: float  # time percentage
    ae: float  # median effective Earth radius, km
    troposcatter_db: float  # terms of eq. (44) without the path


class Terms(NamedTuple):
    """Intermediates under the Recommendation's names; lengths km, heights m, angles mrad, losses dB.

    As in the published logs Lbulla, Lbulls and Ldsph are those of the beta0
    Earth radius (they make Ldb); the median ones end in 50 (they make Ld50).
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
    Lbfs: float
    Lb0p: float
    Lb0b: float
    Lbulla50: float
    Lbulls50: float
    Ldsph50: float
    Ld50: float
    Lbulla: float
    Lbulls: float
    Ldsph: float
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
    Lbc: float


@njit(cache=True, nogil=True, error_model="numpy")
def question(f_ghz: float, p: float, vertical: bool, delta_n: float, n0: float) -> Question:
    """Terms that do not depend on the path."""
    w = wave(f_ghz, vertical)
    scatter = 190.1 + troposcatter_frequency_db(w.log_f) - 0.15 * n0 - 10.125 * math.log10(50.0 / p) ** 0.7
    return Question(w, p, median_earth_radius_km(delta_n), scatter)


@njit(cache=True, nogil=True, error_model="numpy")
def surface_heights(ground_m: np.ndarray, clutter_m: np.ndarray) -> np.ndarray:
    """Ground plus clutter; the two end points are bare ground, eq. (1c)."""
    surface = ground_m + clutter_m
    surface[0] = ground_m[0]
    surface[-1] = ground_m[-1]
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
    dct: float,
    dcr: float,
    all_terms: bool,
) -> Terms:
    """All terms of one path for half of the locations. No checks.

    ``all_terms`` asks for Ldb also at 50 per cent of the time, where the answer does not need it.
    """
    n = distance_km.size - 1
    zones = zone_lengths(distance_km, zone)
    c = Climate(q.p, beta0_pct(latitude_deg, zones.dtm, zones.dlm), q.ae, zones.dlm, zones.omega, dct, dcr)
    g = path_geometry(distance_km, ground_m, tx_height_m, rx_height_m, q.ae)
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
    los = line_of_sight(q.wave, c, g, 0.0)
    lba = ducting_db(q.wave, c, g, 0.0)
    lbs = q.troposcatter_db + 20.0 * math.log10(g.dtot) + 0.573 * g.theta
    m = combine(c, los, g.dtot, median.Ld, beta.Ld, lba, lbs, horizon_blend(g.theta - 0.3))
    return Terms(
        q.ae, g.dtot, g.hts, g.hrs, g.theta_t, g.theta_r, g.theta, g.hst_n, g.hsr_n, g.hst, g.hsr, g.hm,
        g.hte, g.hre, g.hstd, g.hsrd, g.dlt, g.dlr, g.transhorizon, zones.dtm, zones.dlm, c.b0, zones.omega,
        los.free, los.Lb0p, los.Lb0b, median.Lbulla, median.Lbulls, median.Ldsph, median.Ld,
        beta.Lbulla, beta.Lbulls, beta.Ldsph, beta.Ld, m.Ldp, m.Lbd50, m.Lbd,
        m.Lminb0p, m.Fi, m.Fj, m.Fk, lba, m.Lminbap, m.Lbda, m.Lbam, lbs, m.total,
    )  # fmt: skip


def outdoor_sigma_db(frequency_mhz: float, resolution_m: float, rx_height_agl_m: float, rx_clutter_m: float) -> float:
    """Standard deviation of location variability outdoors, P.1812-6 section 4.7, dB.

    ``(0.52 + 0.024 f) w^0.28 u(h)`` with f in GHz and w the prediction
    resolution in m; u falls from 1 at the height of the clutter around the
    receiver to 0 at 10 m above it.

    Parameters
    ----------
    frequency_mhz : float
        30 to 6000 MHz.
    resolution_m : float
        Width of the square the variability belongs to, 1 to 1000 m.
    rx_height_agl_m, rx_clutter_m : float
        Receiver and representative clutter around it, m above ground.
    """
    require_range("resolution_m", resolution_m, *RANGES["resolution_m"])
    share = min(1.0, max(0.0, 1.0 - (rx_height_agl_m - rx_clutter_m) / 10.0))
    return (0.52 + 0.024 * frequency_mhz / 1000.0) * resolution_m**0.28 * share


def _entry(entry_loss, frequency_mhz: float, location_pct: float) -> tuple[float, float]:
    """Median entry loss and its excess over the median at ``location_pct`` (signed), dB."""
    if entry_loss is None:
        return 0.0, 0.0
    if isinstance(entry_loss, str):
        require_choice("entry_loss", entry_loss, tuple(BUILDING_TYPES))
        if math.isnan(frequency_mhz + location_pct):
            return math.nan, math.nan
        median = float(entry_loss_db(frequency_mhz, 50.0, entry_loss))
        return median, float(entry_loss_db(frequency_mhz, location_pct, entry_loss)) - median
    median, sigma = entry_loss if isinstance(entry_loss, tuple | list) else (float(entry_loss), 0.0)
    require_range("entry_loss", median, 0.0, 100.0, "dB", "median building entry loss")
    require_range("entry_loss sigma", sigma, 0.0, 30.0, "dB", "P.1812-6 section 4.8")
    return float(median), -sigma * inverse_normal(location_pct / 100.0)


def loss_db(
    distance_m: ArrayLike,
    ground_m: ArrayLike,
    *,
    clutter_m: ArrayLike | None = None,
    zone: ArrayLike | None = None,
    frequency_mhz: float,
    time_pct: float,
    location_pct: float = 50.0,
    location_sigma_db: float | None = None,
    resolution_m: float | None = None,
    tx_height_agl_m: float,
    rx_height_agl_m: float,
    rx_clutter_m: float = 0.0,
    entry_loss: float | tuple[float, float] | str | None = None,
    polarization: str = "vertical",
    path_latitude_deg: float,
    delta_n: float,
    n0: float,
    tx_coast_km: float = 500.0,
    rx_coast_km: float = 500.0,
    details: bool = False,
) -> float | dict[str, float | str]:
    """Basic transmission loss of ITU-R P.1812 not exceeded for ``time_pct`` of time and ``location_pct`` of places.

    Parameters
    ----------
    distance_m : array_like, shape (n,)
        From the transmitter along the great circle: starts at 0, increases,
        250 m to 3000 km long, m.
    ground_m : array_like, shape (n,)
        Ground, m above sea level.
    clutter_m : array_like, shape (n,), optional
        Clutter, m above ground; only the two end points are always bare.
    zone : array_like of int, shape (n,), optional
        1 coastal land, 2 inland (default), 3 sea.
    frequency_mhz : float
        30 to 6000 MHz.
    time_pct : float
        1 to 50 per cent.
    location_pct : float
        1 to 99 per cent of the places around the receiver.
    location_sigma_db : float, optional
        Standard deviation of location variability as it is to be used;
        overrides ``resolution_m``.
    resolution_m : float, optional
        Prediction resolution the deviation is computed from
        (:func:`outdoor_sigma_db`). One of the two is needed off 50 per cent.
        Over sea (zone 3 at the receiver) there is no variability.
    tx_height_agl_m, rx_height_agl_m : float
        Antenna centres, 1 to 3000 m above ground.
    rx_clutter_m : float
        Representative clutter around the receiver, m above ground.
    entry_loss : float, (float, float) or {"traditional", "thermally_efficient"}, optional
        Indoor receiver: median entry loss in dB, or median and standard
        deviation, or a building type of P.2109 at horizontal incidence. The
        deviation joins that of location as a root of squares; for P.2109,
        whose distribution is not normal, its excess over the median at
        ``location_pct`` takes the deviation's part.
    polarization : {"vertical", "horizontal"}
    path_latitude_deg, delta_n, n0, tx_coast_km, rx_coast_km
        As in :func:`lcsiting.radio.p452.loss_db`.
    details : bool
        Return the intermediates instead.

    Returns
    -------
    float or dict
        Basic transmission loss Lb, dB; NaN where any input is NaN. With
        ``details`` a dict of the Recommendation's names (:class:`Terms`) and
        ``Lloc`` (median entry loss), ``sigma_loc`` (outdoor deviation used),
        ``Lb``, ``Ep`` (field strength for 1 kW e.r.p., dBuV/m, eq. (70)) and
        ``path`` "Line of Sight" or "Trans-Horizon".

    Raises
    ------
    RangeError
        A value outside its range, a path shorter than 250 m, a profile that
        cannot be used, or ``location_pct`` off 50 without a deviation.
    """
    if location_sigma_db is None and resolution_m is None and location_pct != 50.0 and not math.isnan(location_pct):
        raise RangeError("location_pct: off 50 per cent give location_sigma_db (dB) or resolution_m (m).")
    scalars = {
        "frequency_mhz": frequency_mhz, "time_pct": time_pct, "location_pct": location_pct,
        "tx_height_agl_m": tx_height_agl_m, "rx_height_agl_m": rx_height_agl_m, "rx_clutter_m": rx_clutter_m,
        "path_latitude_deg": path_latitude_deg, "delta_n": delta_n, "n0": n0, "tx_coast_km": tx_coast_km,
        "rx_coast_km": rx_coast_km, "location_sigma_db": location_sigma_db,
        "resolution_m": resolution_m if location_sigma_db is None else None,
    }  # fmt: skip
    path, missing = checked_profile(distance_m, ground_m, clutter_m, zone, polarization, scalars, RANGES)
    entry_median, entry_excess = _entry(entry_loss, frequency_mhz, location_pct)
    if missing or math.isnan(entry_median + entry_excess):
        return dict.fromkeys((*Terms._fields, *FURTHER_TERMS), math.nan) if details else math.nan
    sigma = 0.0 if location_sigma_db is None else float(location_sigma_db)
    if location_sigma_db is None and resolution_m is not None:
        sigma = outdoor_sigma_db(frequency_mhz, resolution_m, rx_height_agl_m, rx_clutter_m)
    if path.zone[-1] == SEA:
        sigma = 0.0
    q = question(frequency_mhz / 1000.0, float(time_pct), polarization == "vertical", float(delta_n), float(n0))
    terms = path_terms(
        q, path.distance_km, path.ground_m, surface_heights(path.ground_m, path.clutter_m), path.zone,
        float(tx_height_agl_m), float(rx_height_agl_m), float(path_latitude_deg), float(tx_coast_km),
        float(rx_coast_km), bool(details),
    )  # fmt: skip
    outdoor = -sigma * inverse_normal(location_pct / 100.0)
    # Both excesses carry the sign of location_pct - 50, so the root of squares does too.
    spread = math.copysign(math.hypot(outdoor, entry_excess), location_pct - 50.0)
    loss = max(terms.Lb0p, terms.Lbc + entry_median + spread)
    if not details:
        return float(loss)
    field = 199.36 + 20.0 * math.log10(frequency_mhz / 1000.0) - loss
    heights = terms.hts, terms.hrs, terms.hts - terms.hstd, terms.hrs - terms.hsrd
    further = (*heights, entry_median, sigma, loss, field, float(delta_n), float(n0), path_kind(terms.transhorizon))
    return terms._asdict() | dict(zip(FURTHER_TERMS, further, strict=True))
