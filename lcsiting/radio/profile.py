"""The path profile of ITU-R P.452-18 (Attachment 2) and P.1812 (Attachment 1): zones, horizons, smooth surface.

Kernels work in km along the path and m in height; a profile is
``distance_km[0 .. n]``, the transmitter at point 0, the receiver at point
``n``. Zones are 1 coastal land, 2 inland, 3 sea. Equation numbers are those
of P.452-18.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from lcsiting.errors import RangeError
from lcsiting.radio.diffraction import EARTH_RADIUS_KM
from lcsiting.radio.ranges import require_choice, require_range, require_ranges

COASTAL, INLAND, SEA = 1, 2, 3


class Zones(NamedTuple):
    """Radio-climatic lengths of a path."""

    dtm: float  # longest continuous land section, km
    dlm: float  # longest continuous inland section, km
    omega: float  # share of the path over sea


class Smooth(NamedTuple):
    """Smooth-Earth surface under the two ends, m above sea level."""

    hst: float  # least-squares surface, eq. (163)
    hsr: float  # eq. (164)
    hstd: float  # raised obstruction removed, for diffraction, eq. (167)
    hsrd: float


class Path(NamedTuple):
    """Geometry of a path: what the mechanisms need from the profile."""

    dtot: float  # km
    hts: float  # antenna, m above sea level
    hrs: float
    hst_n: float  # smooth surface, m above sea level, eqs. (163), (164)
    hsr_n: float
    hst: float  # the same not above the ground, for ducting, eq. (168)
    hsr: float
    hstd: float  # for diffraction, eq. (167)
    hsrd: float
    hte: float  # effective antenna height for ducting, m, eq. (169)
    hre: float
    hm: float  # terrain roughness, m, eq. (171)
    theta_t: float  # horizon elevation angle, mrad
    theta_r: float
    theta: float  # path angular distance, mrad, eq. (159)
    dlt: float  # horizon distance, km
    dlr: float
    transhorizon: bool
    stim: float  # steepest slope from the transmitter over the bare profile, m/km, eq. (14)


@njit(cache=True, nogil=True, error_model="numpy")
def zone_lengths(distance_km: np.ndarray, zone: np.ndarray) -> Zones:
    """Longest land and inland sections and sea share; a point stands for half the gap on either side."""
    last = distance_km.size - 1
    total = distance_km[last] - distance_km[0]
    land = inland = longest_land = longest_inland = sea = 0.0
    all_sea = True
    for i in range(last + 1):
        before = (distance_km[i] - distance_km[i - 1]) / 2.0 if i > 0 else 0.0
        after = (distance_km[i + 1] - distance_km[i]) / 2.0 if i < last else 0.0
        length = before + after
        if zone[i] == SEA:
            sea += length
            land = inland = 0.0
        else:
            all_sea = False
            land += length
            inland = inland + length if zone[i] == INLAND else 0.0
        longest_land = max(longest_land, land)
        longest_inland = max(longest_inland, inland)
    return Zones(longest_land, longest_inland, 1.0 if all_sea else sea / total)


@njit(cache=True, nogil=True, error_model="numpy")
def beta0_pct(latitude_deg: float, dtm: float, dlm: float) -> float:
    """Time percentage of strong refractivity gradients beta0, eqs. (2)-(4a), per cent."""
    tau = 1.0 - math.exp(-4.12e-4 * dlm**2.41)
    mu1 = (10.0 ** (-dtm / (16.0 - 6.6 * tau)) + 10.0 ** (-5.0 * (0.496 + 0.354 * tau))) ** 0.2
    mu1 = min(mu1, 1.0)
    latitude = abs(latitude_deg)
    if latitude <= 70.0:
        mu4 = mu1 ** (-0.935 + 0.0176 * latitude)
        return 10.0 ** (-0.015 * latitude + 1.67) * mu1 * mu4
    return 4.17 * mu1 * mu1**0.3


@njit(cache=True, nogil=True, error_model="numpy")
def median_earth_radius_km(delta_n: float) -> float:
    """Median effective Earth radius, eqs. (5)-(6a), km."""
    return EARTH_RADIUS_KM * 157.0 / (157.0 - delta_n)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _surface_sums(distance_km, ground_m, n):
    level = 0.0
    tilt = 0.0
    for i in range(1, n + 1):
        a, b = distance_km[i - 1], distance_km[i]
        step = b - a
        level += step * (ground_m[i] + ground_m[i - 1])
        tilt += step * (ground_m[i] * (2.0 * b + a) + ground_m[i - 1] * (b + 2.0 * a))
    return level, tilt


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _obstruction(distance_km, ground_m, n, tx_m, rx_m):
    total = distance_km[n]
    highest = slope_tx = slope_rx = -1e300
    for i in range(1, n):
        x = distance_km[i]
        height = ground_m[i] - (tx_m * (total - x) + rx_m * x) / total
        if height > highest:
            highest = height
        if height / x > slope_tx:
            slope_tx = height / x
        if height / (total - x) > slope_rx:
            slope_rx = height / (total - x)
    return highest, slope_tx, slope_rx


@njit(cache=True, nogil=True, error_model="numpy")
def smooth_surface(distance_km: np.ndarray, ground_m: np.ndarray, n: int, tx_m: float, rx_m: float) -> Smooth:
    """Smooth-Earth surface of a profile, Attachment 2 sections 5.1.6.2 and 5.1.6.3."""
    total = distance_km[n]
    level, tilt = _surface_sums(distance_km, ground_m, n)
    hst = (2.0 * level * total - tilt) / (total * total)
    hsr = (tilt - level * total) / (total * total)
    highest, slope_tx, slope_rx = _obstruction(distance_km, ground_m, n, tx_m, rx_m)
    hstd, hsrd = hst, hsr
    if highest > 0.0:
        hstd -= highest * slope_tx / (slope_tx + slope_rx)
        hsrd -= highest * slope_rx / (slope_tx + slope_rx)
    return Smooth(hst, hsr, min(hstd, ground_m[0]), min(hsrd, ground_m[n]))


@njit(cache=True, nogil=True, error_model="numpy")
def _horizons(distance_km, ground_m, n, tx_m, rx_m, earth_km):
    """Horizon slopes (m/m) over interior points and their indices, eqs. (151)-(158)."""
    total = distance_km[n]
    top_tx = top_rx = -1e300
    at_tx = at_rx = 1
    for i in range(1, n):
        x, rest = distance_km[i], total - distance_km[i]
        slope = (ground_m[i] - tx_m) / (1000.0 * x) - x / (2.0 * earth_km)
        if slope > top_tx:
            top_tx, at_tx = slope, i
        slope = (ground_m[i] - rx_m) / (1000.0 * rest) - rest / (2.0 * earth_km)
        if slope >= top_rx:
            top_rx, at_rx = slope, i
    return top_tx, at_tx, top_rx, at_rx


@njit(cache=True, nogil=True, error_model="numpy")
def _line_of_sight_edge(distance_km, ground_m, n, tx_m, rx_m, earth_km):
    """Index of the point with the largest diffraction parameter of a line-of-sight path, eq. (155b)."""
    total = distance_km[n]
    top = -1e300
    edge = 1
    for i in range(1, n):
        x, rest = distance_km[i], total - distance_km[i]
        height = ground_m[i] + 500.0 / earth_km * x * rest - (tx_m * rest + rx_m * x) / total
        nu = height / math.sqrt(x * rest)
        if nu >= top:
            top, edge = nu, i
    return edge


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _roughness(distance_km, ground_m, first, last, hst, slope):
    top = -1e300
    for i in range(first, last + 1):
        rise = ground_m[i] - (hst + slope * distance_km[i])
        if rise > top:
            top = rise
    return top


@njit(cache=True, nogil=True, error_model="numpy")
def path_geometry(
    distance_km: np.ndarray, ground_m: np.ndarray, tx_height_m: float, rx_height_m: float, earth_km: float
) -> Path:
    """Everything the closed forms need from a profile of bare ground.

    Parameters
    ----------
    distance_km, ground_m : numpy.ndarray
        At least three points; ground m above sea level.
    tx_height_m, rx_height_m : float
        Antennas, m above ground.
    earth_km : float
        Median effective Earth radius.
    """
    n = distance_km.size - 1
    total = distance_km[n]
    hts, hrs = ground_m[0] + tx_height_m, ground_m[n] + rx_height_m
    smooth = smooth_surface(distance_km, ground_m, n, hts, hrs)
    top_tx, at_tx, top_rx, at_rx = _horizons(distance_km, ground_m, n, hts, hrs, earth_km)
    to_rx = (hrs - hts) / (1000.0 * total) - total / (2.0 * earth_km)
    to_tx = (hts - hrs) / (1000.0 * total) - total / (2.0 * earth_km)
    transhorizon = top_tx > to_rx
    if transhorizon:
        theta_t = 1000.0 * math.atan(top_tx)
        theta_r = 1000.0 * math.atan(max(top_rx, to_tx))
    else:
        theta_t = 1000.0 * math.atan(to_rx)
        theta_r = 1000.0 * math.atan(to_tx)
        at_tx = at_rx = _line_of_sight_edge(distance_km, ground_m, n, hts, hrs, earth_km)
    hst, hsr = min(smooth.hst, ground_m[0]), min(smooth.hsr, ground_m[n])
    return Path(
        total,
        hts,
        hrs,
        smooth.hst,
        smooth.hsr,
        hst,
        hsr,
        smooth.hstd,
        smooth.hsrd,
        hts - hst,
        hrs - hsr,
        _roughness(distance_km, ground_m, at_tx, at_rx, hst, (hsr - hst) / total),
        theta_t,
        theta_r,
        1000.0 * total / earth_km + theta_t + theta_r,
        distance_km[at_tx],
        total - distance_km[at_rx],
        transhorizon,
        1000.0 * top_tx + 500.0 / earth_km * total,
    )


class Profile(NamedTuple):
    """A checked profile: float64 ``distance_km, ground_m, clutter_m`` (above ground), int64 ``zone``."""

    distance_km: np.ndarray
    ground_m: np.ndarray
    clutter_m: np.ndarray
    zone: np.ndarray


def profile_arrays(
    distance_m: ArrayLike, ground_m: ArrayLike, clutter_m: ArrayLike | None, zone: ArrayLike | None
) -> Profile:
    """Check a profile and give it the form the kernels take.

    Parameters
    ----------
    distance_m : array_like
        From the transmitter, starting at 0 and increasing, m; at least 3 points.
    ground_m : array_like
        Ground, m above sea level.
    clutter_m : array_like, optional
        Clutter, m above ground, not negative; none if left out.
    zone : array_like, optional
        1 coastal land, 2 inland, 3 sea; inland if left out.

    Returns
    -------
    Profile

    Raises
    ------
    RangeError
        Lengths differ, distances do not start at 0 or do not increase, a
        clutter height is negative, a zone is not 1, 2 or 3.
    """
    distance = np.ascontiguousarray(distance_m, dtype=float) / 1000.0
    ground = np.ascontiguousarray(ground_m, dtype=float)
    clutter = np.zeros_like(ground) if clutter_m is None else np.ascontiguousarray(clutter_m, dtype=float)
    zones = np.full(ground.shape, INLAND) if zone is None else np.asarray(zone, dtype=float)
    for name, values in (("distance_m", distance), ("ground_m", ground), ("clutter_m", clutter), ("zone", zones)):
        if values.ndim != 1 or values.shape != distance.shape:
            raise RangeError(
                f"{name}: shape {values.shape} is not that of distance_m, {distance.shape}; give 1-D arrays."
            )
    if distance.size < 3:
        raise RangeError(f"distance_m: {distance.size} points; a path needs the two ends and one point between.")
    if distance[0] != 0.0 and not math.isnan(distance[0]):
        raise RangeError(f"distance_m: starts at {1000 * distance[0]:g} m; the transmitter stands at 0 m.")
    if (np.diff(distance) <= 0).any():
        raise RangeError(f"distance_m: {int((np.diff(distance) <= 0).sum())} steps do not increase (m).")
    require_range("ground_m", ground, -500.0, 9000.0, "m", "height of the Earth's surface")
    require_range("clutter_m", clutter, 0.0, 500.0, "m", "height above ground")
    if np.isnan(zones).any() or not np.isin(zones, (COASTAL, INLAND, SEA)).all():
        raise RangeError("zone: give 1 (coastal land), 2 (inland) or 3 (sea) at every point.")
    return Profile(distance, ground, clutter, zones.astype(np.int64))


def checked_profile(
    distance_m: ArrayLike,
    ground_m: ArrayLike,
    clutter_m: ArrayLike | None,
    zone: ArrayLike | None,
    polarization: str,
    scalars: dict[str, float | None],
    ranges: dict[str, tuple[float, float, str, str]],
) -> tuple[Profile, bool]:
    """Everything P.452 and P.1812 look at before they compute.

    Parameters
    ----------
    distance_m, ground_m, clutter_m, zone
        As for :func:`profile_arrays`.
    polarization : {"vertical", "horizontal"}
    scalars : dict
        The other arguments by name; None where one was left out.
    ranges : dict
        ``name: (low, high, unit, source)``; that of ``distance_m`` is the path's length.

    Returns
    -------
    profile, missing : Profile, bool
        ``missing``: something is NaN, so that the answer is.

    Raises
    ------
    RangeError
        A value outside its range or a profile that cannot be used.
    """
    path = profile_arrays(distance_m, ground_m, clutter_m, zone)
    require_choice("polarization", polarization, ("vertical", "horizontal"))
    given = {name: value for name, value in scalars.items() if value is not None}
    missing = require_ranges(given | {"distance_m": 1000.0 * float(path.distance_km[-1])}, ranges)
    return path, missing or math.isnan(path.distance_km.sum() + path.ground_m.sum() + path.clutter_m.sum())


def path_kind(transhorizon: bool) -> str:
    """What the published logs call a path."""
    return "Trans-Horizon" if transhorizon else "Line of Sight"


def mid_path_latitude_deg(
    tx_latitude_deg: float, tx_longitude_deg: float, rx_latitude_deg: float, rx_longitude_deg: float, length_m: float
) -> float:
    """Latitude of the great-circle point half a path length from the transmitter (Earth radius 6371 km).

    The profile's own length counts, which may differ a little from that
    between the coordinates; the mean of the two latitudes is another point.

    Parameters
    ----------
    tx_latitude_deg, tx_longitude_deg, rx_latitude_deg, rx_longitude_deg : float
        Ends, degrees north and east.
    length_m : float
        Length of the profile, m.

    Returns
    -------
    float
        Latitude, degrees.
    """
    lat_t, lat_r = math.radians(tx_latitude_deg), math.radians(rx_latitude_deg)
    delta = math.radians(rx_longitude_deg - tx_longitude_deg)
    bearing = math.atan2(
        math.sin(delta) * math.cos(lat_r),
        math.cos(lat_t) * math.sin(lat_r) - math.sin(lat_t) * math.cos(lat_r) * math.cos(delta),
    )
    arc = length_m / 2000.0 / EARTH_RADIUS_KM
    sine = math.sin(lat_t) * math.cos(arc) + math.cos(lat_t) * math.sin(arc) * math.cos(bearing)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))
