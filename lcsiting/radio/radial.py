"""P.452-18 and P.1812 at every receiver of one radial, from the horizon state of :mod:`lcsiting.radio.horizon`.

The closed forms are those of the point-to-point modules; only the scans of
the profile are replaced. The same profile gives the same loss within 1e-9 dB.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import njit

from lcsiting.radio import p452, p1812
from lcsiting.radio.clearair import Climate, combine, ducting_db, horizon_blend, line_of_sight
from lcsiting.radio.diffraction import BETA_EARTH_RADIUS_KM, EARTH_RADIUS_KM, Wave, spherical_earth_db
from lcsiting.radio.gas import gas_db_km
from lcsiting.radio.horizon import (
    BETA,
    BETA_EDGE,
    CLUTTER,
    EARTH,
    EARTH_EDGE,
    FLAT,
    GROUND,
    LEVEL,
    MEDIAN,
    MEDIAN_EDGE,
    SMOOTH_BETA_EDGE,
    SMOOTH_EDGE,
    SURFACE,
    TILT,
    X,
    advance,
    begin,
    bullington_at,
    bullington_from,
    extreme,
    flat_bullington_at,
    nearest_edge,
    tangent,
    top_point,
    top_slope,
)
from lcsiting.radio.plane import Plane
from lcsiting.radio.profile import INLAND, Path, _roughness, beta0_pct
from lcsiting.radio.zones import Lengths, lengths_of


class AreaQuestion(NamedTuple):
    """What a Recommendation asks beside the path, in one form for both."""

    p1812: bool
    wave: Wave
    p: float  # time percentage
    ae: float  # median effective Earth radius, km
    pressure_hpa: float
    temperature_c: float
    gas_db_km: float  # 0 in P.1812
    troposcatter_gas_db_km: float
    troposcatter_db: float  # terms of troposcatter without the path
    bare_km: float  # clutter strictly nearer to either end is left out
    excess_db: float  # P.1812: location variability and entry loss over the median outdoor loss
    dct: float  # distance of the ends from the coast where the path meets none, km
    dcr: float


class Place(NamedTuple):
    """Where on the Earth the transmitter stands: geodesics in the working CRS, latitude of the path centres."""

    plane: Plane
    sin_latitude: float
    cos_latitude: float
    fixed_deg: float  # latitude of every path, NaN: of its own centre


def question_p452(
    frequency_mhz: float,
    time_pct: float,
    vertical: bool,
    delta_n: float,
    n0: float,
    gains_dbi: float = 0.0,
    pressure_hpa: float = 1013.25,
    temperature_c: float = 15.0,
    tx_coast_km: float = 500.0,
    rx_coast_km: float = 500.0,
) -> AreaQuestion:
    """P.452-18's question; arguments as in :func:`lcsiting.radio.p452.loss_db`, unchecked."""
    q = p452.question(frequency_mhz / 1000.0, time_pct, vertical, delta_n, n0, gains_dbi, pressure_hpa, temperature_c)
    return AreaQuestion(
        False, q.wave, q.p, q.ae, pressure_hpa, temperature_c, q.inland_gas_db_km, q.troposcatter_gas_db_km,
        q.troposcatter_db, p452.BARE_KM, 0.0, tx_coast_km, rx_coast_km,
    )  # fmt: skip


def question_p1812(
    frequency_mhz: float,
    time_pct: float,
    vertical: bool,
    delta_n: float,
    n0: float,
    excess_db: float = 0.0,
    tx_coast_km: float = 500.0,
    rx_coast_km: float = 500.0,
) -> AreaQuestion:
    """P.1812's question; ``excess_db`` is added to the median before the floor Lb0p is applied."""
    q = p1812.question(frequency_mhz / 1000.0, time_pct, vertical, delta_n, n0)
    return AreaQuestion(
        True, q.wave, q.p, q.ae, 1013.25, 15.0, 0.0, 0.0, q.troposcatter_db, 0.0, excess_db, tx_coast_km, rx_coast_km
    )


@njit(cache=True, nogil=True, error_model="numpy")
def begin_radial(
    q: AreaQuestion, real: np.ndarray, index: np.ndarray, last: int, tx_height_m: float, clutter: bool
) -> None:
    """Build the state of a radial whose rows GROUND (and CLUTTER) hold points 0 .. last."""
    tx = real[GROUND, 0] + tx_height_m
    for k in range(1, last + 1):
        a, b, low, high = real[X, k - 1], real[X, k], real[GROUND, k - 1], real[GROUND, k]
        real[LEVEL, k] = real[LEVEL, k - 1] + (b - a) * (high + low)
        real[TILT, k] = real[TILT, k - 1] + (b - a) * (high * (2.0 * b + a) + low * (b + 2.0 * a))
    begin(real, index, FLAT, GROUND, last, tx, 0.0)
    begin(real, index, EARTH, GROUND, last, tx, 500.0 / q.ae)
    if clutter:
        cover_ground(real, last, q.bare_km)
        begin(real, index, MEDIAN, SURFACE, last, tx, 500.0 / q.ae)
    if q.p < 50.0:
        begin(real, index, BETA, SURFACE if clutter else GROUND, last, tx, 500.0 / BETA_EARTH_RADIUS_KM)
    for edge in range(EARTH_EDGE, SMOOTH_BETA_EDGE + 1):
        index[0, edge] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def cover_ground(real: np.ndarray, last: int, bare_km: float) -> None:
    """Row SURFACE: ground and clutter, bare at the transmitter and strictly nearer to it than ``bare_km``."""
    real[SURFACE, 0] = real[GROUND, 0]
    for k in range(1, last + 1):
        real[SURFACE, k] = real[GROUND, k] + (real[CLUTTER, k] if real[X, k] >= bare_km else 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _smooth_at(real, index, last, total, rx_ground, tx, rx):
    """Smooth surface at a receiver, eqs. (161)-(167): hst_n, hsr_n, hstd, hsrd."""
    x, far, near = real[X, last], real[GROUND, last], real[GROUND, 0]
    level = real[LEVEL, last] + (total - x) * (rx_ground + far)
    tilt = real[TILT, last] + (total - x) * (rx_ground * (2.0 * total + x) + far * (total + 2.0 * x))
    hst = (2.0 * level * total - tilt) / (total * total)
    hsr = (tilt - level * total) / (total * total)
    hstd, hsrd = hst, hsr
    slope = (rx - tx) / total
    slope_tx = top_slope(real, FLAT, last) - slope
    if slope_tx > 0.0:  # else no point stands above the line between the antennas
        i = extreme(real, index, FLAT, slope)
        x = real[X, i]
        highest = real[GROUND, i] - (tx * (total - x) + rx * x) / total
        i = tangent(real, index, FLAT, total, rx)
        slope_rx = (real[GROUND, i] - rx) / (total - real[X, i]) + slope
        if highest > 0.0:
            hstd -= highest * slope_tx / (slope_tx + slope_rx)
            hsrd -= highest * slope_rx / (slope_tx + slope_rx)
    return hst, hsr, min(hstd, near), min(hsrd, rx_ground)


@njit(cache=True, nogil=True, error_model="numpy")
def path_at(
    real: np.ndarray,
    index: np.ndarray,
    last: int,
    total: float,
    rx_ground: float,
    tx: float,
    rx: float,
    earth_km: float,
) -> tuple[Path, int]:
    """The results of :func:`lcsiting.radio.profile.path_geometry`, from the state advanced to ``last``.

    The second value is the point of the receiver's horizon, or the edge of a clear path.
    """
    bulge = 500.0 / earth_km
    hst_n, hsr_n, hstd, hsrd = _smooth_at(real, index, last, total, rx_ground, tx, rx)
    hst, hsr = min(hst_n, real[GROUND, 0]), min(hsr_n, rx_ground)
    rise = (hsr - hst) / total
    slope = (rx - tx) / total
    to_rx, to_tx = slope - bulge * total, -slope - bulge * total
    rx_z = rx - bulge * total * total
    top_tx = top_slope(real, EARTH, last)
    transhorizon = top_tx > to_rx
    if transhorizon:
        at_tx = top_point(index, EARTH, last)
        at_rx = tangent(real, index, EARTH, total, rx_z)
        rest = total - real[X, at_rx]
        top_rx = (real[GROUND, at_rx] - rx) / rest - bulge * rest
        theta_t = 1000.0 * math.atan(0.001 * top_tx)
        theta_r = 1000.0 * math.atan(0.001 * max(top_rx, to_tx))
        i = extreme(real, index, FLAT, rise)
        if at_tx <= i <= at_rx:
            hm = real[GROUND, i] - (hst + rise * real[X, i])
        else:
            hm = _roughness(real[X], real[GROUND], at_tx, at_rx, hst, rise)
    else:
        theta_t = 1000.0 * math.atan(0.001 * to_rx)
        theta_r = 1000.0 * math.atan(0.001 * to_tx)
        at_tx = nearest_edge(real, index, EARTH, total, (rx_z - tx) / total, 1e300, 1.0, EARTH_EDGE)[0]
        at_rx = at_tx
        hm = real[GROUND, at_tx] - (hst + rise * real[X, at_tx])
    path = Path(
        total, tx, rx, hst_n, hsr_n, hst, hsr, hstd, hsrd, tx - hst, rx - hsr, hm, theta_t, theta_r,
        1000.0 * total / earth_km + theta_t + theta_r, real[X, at_tx], total - real[X, at_rx], transhorizon,
        top_tx + bulge * total,
    )  # fmt: skip
    return path, at_rx


@njit(cache=True, nogil=True, error_model="numpy")
def _delta_db(q, index, edge, step_km, last, g, radius, omega, rough):
    """Delta-Bullington loss from that of the surface, eqs. (38)-(40), dB; ``edge``: counter of the smooth Earth."""
    tx, rx = g.hts - g.hstd, g.hrs - g.hsrd
    sphere = spherical_earth_db(q.wave, g.dtot, tx, rx, radius, omega)
    if sphere <= 0.0:  # eq. (40) takes nothing from it
        return rough
    smooth = flat_bullington_at(index, edge, step_km, last, g.dtot, tx, rx, 500.0 / radius, q.wave.wavelength_m)
    return rough + max(sphere - smooth, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def advance_radial(q: AreaQuestion, real: np.ndarray, index: np.ndarray, last: int, total: float, clutter: bool) -> int:
    """Move the receiver out to ``total``; the last point that may carry clutter."""
    advance(real, index, FLAT, last)
    advance(real, index, EARTH, last)
    pushed = last
    if clutter:
        # The very comparison of p452.surface_heights, so that equal distances fall on the same side.
        while pushed > 0 and real[X, pushed] > total - q.bare_km:
            pushed -= 1
        advance(real, index, MEDIAN, pushed)
    if q.p < 50.0:
        advance(real, index, BETA, pushed)
    return pushed


@njit(cache=True, nogil=True, error_model="numpy")
def latitude_at(place: Place, cos_bearing: float, total: float) -> float:
    """Latitude of the great-circle point half a path length out, degrees."""
    if not math.isnan(place.fixed_deg):
        return place.fixed_deg
    arc = 0.5 * total / EARTH_RADIUS_KM
    return math.degrees(
        math.asin(place.sin_latitude * math.cos(arc) + place.cos_latitude * math.sin(arc) * cos_bearing)
    )


@njit(cache=True, nogil=True, error_model="numpy")
def loss_at(
    q: AreaQuestion, real: np.ndarray, index: np.ndarray, last: int, total: float, rx_ground: float, tx: float,
    rx: float, latitude_deg: float, zones: Lengths, clutter: bool,
) -> float:  # fmt: skip
    """Basic transmission loss at a receiver ``total`` km out, past the points up to ``last``, dB.

    Receivers come in the order of their distance; ``tx`` and ``rx`` are the antennas above sea level.
    """
    pushed = advance_radial(q, real, index, last, total, clutter)
    g, at = path_at(real, index, last, total, rx_ground, tx, rx, q.ae)
    b0 = beta0_pct(latitude_deg, zones.dtm, zones.dlm)
    c = Climate(q.p, b0, q.ae, zones.dlm, zones.omega, zones.dct, zones.dcr)
    bulge, length, step = 500.0 / q.ae, q.wave.wavelength_m, real[X, 1]
    if clutter:
        rough = bullington_at(real, index, MEDIAN, MEDIAN_EDGE, pushed, last, total, tx, rx, bulge, length)
    else:
        rough = bullington_from(real, EARTH, at, g.transhorizon, last, total, tx, rx, bulge, length)
    ld50 = _delta_db(q, index, SMOOTH_EDGE, step, last, g, q.ae, c.omega, rough)
    ldb = math.nan
    if q.p < 50.0:
        bulge = 500.0 / BETA_EARTH_RADIUS_KM
        rough = bullington_at(real, index, BETA, BETA_EDGE, pushed, last, total, tx, rx, bulge, length)
        ldb = _delta_db(q, index, SMOOTH_BETA_EDGE, step, last, g, BETA_EARTH_RADIUS_KM, c.omega, rough)
    return closed_form_db(q, c, g, ld50, ldb)


@njit(cache=True, nogil=True, error_model="numpy")
def closed_form_db(q: AreaQuestion, c: Climate, g: Path, ld50: float, ldb: float) -> float:
    """All that follows the scans."""
    gas = q.gas_db_km
    if c.omega > 0.0 and not q.p1812:
        gas = gas_db_km(q.wave.f_ghz, q.pressure_hpa, q.temperature_c, 7.5 + 2.5 * c.omega)
    los = line_of_sight(q.wave, c, g, gas)
    lba = ducting_db(q.wave, c, g, gas)
    lbs = q.troposcatter_db + 20.0 * math.log10(g.dtot) + 0.573 * g.theta + q.troposcatter_gas_db_km * g.dtot
    blend = g.theta - 0.3 if q.p1812 else g.stim - (g.hrs - g.hts) / g.dtot
    m = combine(c, los, g.dtot, ld50, ldb, lba, lbs, horizon_blend(blend))
    return max(los.Lb0p, m.total + q.excess_db) if q.p1812 else m.total


@njit(cache=True, nogil=True, error_model="numpy")
def profile_db(
    q: AreaQuestion,
    distance_km: np.ndarray,
    ground_m: np.ndarray,
    clutter_m: np.ndarray,
    zone: np.ndarray,
    tx_height_m: float,
    rx_height_m: float,
    latitude_deg: float,
) -> float:
    """The same question answered by the point-to-point kernels and their scans, dB: the reference of the sweep.

    ``clutter_m`` and ``zone`` may be empty: bare, inland. NaN where a height is unknown.
    """
    if math.isnan(ground_m.sum() + clutter_m.sum()):
        return math.nan
    dct, dcr = q.dct, q.dcr
    if zone.size > 0:
        zones = lengths_of(distance_km, zone, dct, dcr)
        dct, dcr = zones.dct, zones.dcr
    else:
        zone = np.full(distance_km.size, INLAND)
    if q.p1812:
        surface = p1812.surface_heights(ground_m, clutter_m) if clutter_m.size > 0 else ground_m
        a = p1812.path_terms(
            p1812.Question(q.wave, q.p, q.ae, q.troposcatter_db), distance_km, ground_m, surface, zone, tx_height_m,
            rx_height_m, latitude_deg, dct, dcr, False,
        )  # fmt: skip
        return max(a.Lb0p, a.Lbc + q.excess_db)
    surface = p452.surface_heights(distance_km, ground_m, clutter_m) if clutter_m.size > 0 else ground_m
    question = p452.Question(
        q.wave, q.p, q.ae, q.pressure_hpa, q.temperature_c, q.gas_db_km, q.troposcatter_gas_db_km, q.troposcatter_db
    )
    b = p452.path_terms(
        question, distance_km, ground_m, surface, zone, tx_height_m, rx_height_m, latitude_deg, math.nan, dct, dcr,
        False,
    )  # fmt: skip
    return b.Lb
