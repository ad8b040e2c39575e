"""ITU-R P.452-18 for many pairs at once, each on its own profile cut from a terrain and a clutter grid.

The profile of a pair follows the curve through its ends and two points between them, which
:func:`lcsiting.geo.geodesic.lines` puts on the geodesic. Terrain is interpolated bilinearly, clutter is that of
the nearest pixel. The kernels are those of :mod:`lcsiting.radio.p452`; median and beta0 diffraction are computed
once and serve two time percentages.
"""

import lcsiting._cache  # noqa: F401, I001
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from lcsiting.errors import RangeError
from lcsiting.radio.clearair import Climate, combine, ducting_db, horizon_blend, line_of_sight
from lcsiting.radio.diffraction import BETA_EARTH_RADIUS_KM, delta_bullington
from lcsiting.radio.gas import gas_db_km
from lcsiting.radio.p452 import RANGES, Question, is_bare, question
from lcsiting.radio.plane import Curve, through
from lcsiting.radio.profile import INLAND, beta0_pct, path_geometry
from lcsiting.radio.ranges import require_choice, require_range, require_ranges
from lcsiting.radio.terrain import Terrain, sample_held_line, sample_line, sample_zones, without_clutter
from lcsiting.radio.zones import COAST_KM, Lengths, inland, lengths_of

CHUNK = 128  # pairs a thread takes at a time; the answer does not depend on it


class Cut(NamedTuple):
    """How profiles are cut."""

    step_km: float  # longest step
    edge_holds: bool  # off the terrain its nearest edge pixel counts, else nothing is known


class Ends(NamedTuple):
    """Transmitters and receivers, float64; plane metres, heights above ground."""

    tx_x_m: np.ndarray
    tx_y_m: np.ndarray
    tx_height_m: np.ndarray
    rx_x_m: np.ndarray
    rx_y_m: np.ndarray
    rx_height_m: np.ndarray
    rx_latitude_deg: np.ndarray


class Pairs(NamedTuple):
    """Positions of the ends, true length, aperture-to-medium coupling and way of each pair."""

    tx: np.ndarray
    rx: np.ndarray
    length_km: np.ndarray
    coupling_db: np.ndarray
    way_m: np.ndarray  # (n, 4): x, y at a third and x, y at two thirds of the length


@njit(cache=True, nogil=True, error_model="numpy")
def _points_before_rx(length_km: float, step_km: float) -> int:
    # A length that is a whole number of steps must not gain one by rounding.
    return max(math.ceil(length_km / step_km - 1e-9), 2)


@njit(cache=True, nogil=True, error_model="numpy")
def cut_profile(
    terrain: Terrain, cut: Cut, curve: Curve, length_km: float, distance_km: np.ndarray, ground_m: np.ndarray,
    surface_m: np.ndarray,
) -> int:  # fmt: skip
    """Fill the first n + 1 points of a profile and return n, at least 2; -1 where a height is unknown.

    Steps are equal and at most ``cut.step_km``.
    """
    n = _points_before_rx(length_km, cut.step_km)
    for i in range(n + 1):
        distance_km[i] = length_km * (i / n)
        surface_m[i] = 0.0  # stays so without a clutter layer
    if cut.edge_holds:
        known = sample_held_line(terrain, curve, n, distance_km, ground_m, surface_m)
    else:
        known = sample_line(terrain, curve, n, distance_km, ground_m, surface_m)
    for i in range(n + 1):
        surface_m[i] = ground_m[i] + (0.0 if is_bare(distance_km[i], length_km) else surface_m[i])
    return n if known > n else -1


@njit(cache=True, nogil=True, error_model="numpy")
def path_losses_db(
    q: Question,
    p_second: float,
    coupling_db: float,
    distance_km: np.ndarray,
    ground_m: np.ndarray,
    surface_m: np.ndarray,
    flat_m: np.ndarray,
    tx_height_m: float,
    rx_height_m: float,
    latitude_deg: float,
    zones: Lengths,
) -> tuple[float, float, bool]:
    """Basic loss of a path at ``q.p`` and at ``p_second``, dB, and whether the path is trans-horizon.

    ``coupling_db`` is the aperture-to-medium loss of eq. (45b) in excess of that of two 0 dBi antennas.
    """
    n = distance_km.size - 1
    b0 = beta0_pct(latitude_deg, zones.dtm, zones.dlm)
    gas = q.inland_gas_db_km
    if zones.omega > 0.0:
        gas = gas_db_km(q.wave.f_ghz, q.pressure_hpa, q.temperature_c, 7.5 + 2.5 * zones.omega)
    g = path_geometry(distance_km, ground_m, tx_height_m, rx_height_m, q.ae)
    median = delta_bullington(
        q.wave, distance_km, surface_m, flat_m, n, g.dtot, g.hts, g.hrs, g.hstd, g.hsrd, q.ae, zones.omega
    ).Ld
    beta = median
    if q.p < 50.0 or p_second < 50.0:
        beta = delta_bullington(
            q.wave,
            distance_km,
            surface_m,
            flat_m,
            n,
            g.dtot,
            g.hts,
            g.hrs,
            g.hstd,
            g.hsrd,
            BETA_EARTH_RADIUS_KM,
            zones.omega,
        ).Ld
    fj = horizon_blend(g.stim - (g.hrs - g.hts) / g.dtot)
    common = q.troposcatter_db + coupling_db + 20.0 * math.log10(g.dtot) + 0.573 * g.theta
    common += q.troposcatter_gas_db_km * g.dtot
    first = second = 0.0
    for k in range(2):
        p = q.p if k == 0 else p_second
        c = Climate(p, b0, q.ae, zones.dlm, zones.omega, zones.dct, zones.dcr)
        los = line_of_sight(q.wave, c, g, gas)
        lba = ducting_db(q.wave, c, g, gas)
        # q.troposcatter_db holds the time term of q.p.
        lbs = common
        if k == 1:
            lbs += 10.1 * ((-math.log10(q.p / 50.0)) ** 0.7 - (-math.log10(p / 50.0)) ** 0.7)
        value = combine(c, los, g.dtot, median, beta, lba, lbs, fj).total
        if k == 0:
            first = value
            if p_second == q.p:
                return first, first, g.transhorizon
        else:
            second = value
    return first, second, g.transhorizon


@njit(cache=True, nogil=True, error_model="numpy")
def _chunk(
    terrain: Terrain, cut: Cut, q: Question, p_second: float, which: np.ndarray, pairs: Pairs, ends: Ends,
    out: np.ndarray, beyond: np.ndarray,
) -> None:  # fmt: skip
    """Fill ``out`` and ``beyond`` of the pairs ``which``; those that have no answer keep what is there."""
    longest = 0.0
    for k in which:
        longest = max(longest, pairs.length_km[k])  # NaN is not larger
    size = _points_before_rx(longest, cut.step_km) + 1
    distance, ground, surface, flat = np.empty(size), np.empty(size), np.empty(size), np.zeros(size)
    zone = np.full(size if terrain.zone.size > 0 else 0, INLAND)
    for k in which:
        t, r, length = pairs.tx[k], pairs.rx[k], pairs.length_km[k]
        plane = ends.tx_x_m[t] + ends.tx_y_m[t] + ends.rx_x_m[r] + ends.rx_y_m[r] + pairs.way_m[k].sum()
        rest = ends.tx_height_m[t] + ends.rx_height_m[r] + ends.rx_latitude_deg[r] + pairs.coupling_db[k]
        if not length > 0.0 or math.isnan(plane + rest):
            continue
        curve = through(ends.tx_x_m[t], ends.tx_y_m[t], pairs.way_m[k], ends.rx_x_m[r], ends.rx_y_m[r], 1000.0 * length)
        n = cut_profile(terrain, cut, curve, length, distance, ground, surface)
        if n < 0:
            continue
        zones = inland(distance[n], COAST_KM, COAST_KM)
        if zone.size > 0:
            sample_zones(terrain, curve, n, distance, zone)
            zones = lengths_of(distance[: n + 1], zone[: n + 1], COAST_KM, COAST_KM)
        first, second, over = path_losses_db(
            q, p_second, pairs.coupling_db[k], distance[: n + 1], ground[: n + 1], surface[: n + 1],
            flat[: n + 1], ends.tx_height_m[t], ends.rx_height_m[r], ends.rx_latitude_deg[r], zones,
        )  # fmt: skip
        out[k, 0], out[k, 1], beyond[k] = first, second, over


def coupling_loss_db(gains_dbi: ArrayLike) -> NDArray[np.float64]:
    """Aperture-to-medium coupling of eq. (45b) in excess of two 0 dBi antennas; ``gains_dbi`` is the sum of both."""
    return 0.051 * (np.exp(0.055 * np.asarray(gains_dbi, dtype=float)) - 1.0)


def _alike(what: str, values: Iterable[ArrayLike]) -> list[NDArray[np.float64]]:
    """Arrays of one length, float64, from arrays and scalars."""
    try:
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(value, dtype=float)) for value in values))
    except ValueError as error:
        raise RangeError(f"{what}: lengths do not agree ({error}).") from error
    return [np.ascontiguousarray(array) for array in arrays]


def _positions(name: str, values: ArrayLike, count: int) -> NDArray[np.int64]:
    out = np.atleast_1d(np.asarray(values, dtype=np.int64))
    wrong = (out < 0) | (out >= count)
    if wrong.any():
        raise RangeError(f"{name}: {int(wrong.sum())} positions outside 0 to {count - 1}; first {out[wrong][0]}.")
    return out


def _lengths_m(length_m: ArrayLike | None, ends: Ends, tx: NDArray[np.int64], rx: NDArray[np.int64]) -> Any:
    """True lengths as given; else those in the plane, NaN where the ends coincide."""
    if length_m is None:
        plane = np.hypot(ends.rx_x_m[rx] - ends.tx_x_m[tx], ends.rx_y_m[rx] - ends.tx_y_m[tx])
        return np.where(plane == 0.0, np.nan, plane)
    given = np.asarray(length_m, dtype=float)
    if (given <= 0.0).any():
        raise RangeError(f"length_m: {int((given <= 0.0).sum())} pairs have no length; leave them out (m).")
    return given


def _ways_m(way_m: ArrayLike | None, ends: Ends, tx: NDArray[np.int64], rx: NDArray[np.int64]) -> Any:
    """Ways as given; else thirds of the straight line."""
    start = np.column_stack([ends.tx_x_m[tx], ends.tx_y_m[tx]])
    step = (np.column_stack([ends.rx_x_m[rx], ends.rx_y_m[rx]]) - start) / 3.0
    straight = np.hstack([start + step, start + 2.0 * step])
    if way_m is None:
        return straight
    given = np.ascontiguousarray(way_m, dtype=float)
    if given.shape != straight.shape:
        raise RangeError(f"way_m: shape {given.shape} is not {straight.shape}: x, y at a third and at two thirds.")
    return given


def _pairs_of(
    tx_of: ArrayLike, rx_of: ArrayLike, length_m: ArrayLike | None, way_m: ArrayLike | None, gains_dbi: ArrayLike,
    frequency_mhz: ArrayLike, ends: Ends,
) -> tuple[Pairs, NDArray[np.float64]]:  # fmt: skip
    """Checked pairs and their frequencies."""
    for name, values in (("tx_height_agl_m", ends.tx_height_m), ("rx_height_agl_m", ends.rx_height_m)):
        require_range(name, values, *RANGES[name])
    require_range("rx_latitude_deg", ends.rx_latitude_deg, *RANGES["path_latitude_deg"])
    tx, rx = _positions("tx_of", tx_of, len(ends.tx_x_m)), _positions("rx_of", rx_of, len(ends.rx_x_m))
    if tx.shape != rx.shape:
        raise RangeError(f"pairs: lengths do not agree (tx_of {tx.shape}, rx_of {rx.shape}).")
    length = _lengths_m(length_m, ends, tx, rx)
    require_range("length_m", length, *RANGES["distance_m"])
    try:
        length, coupling, frequency = (
            np.ascontiguousarray(np.broadcast_to(values, tx.shape), dtype=np.float64)
            for values in (length / 1000.0, coupling_loss_db(gains_dbi), np.asarray(frequency_mhz, dtype=float))
        )
    except ValueError as error:
        raise RangeError(f"pairs: lengths do not agree ({error}).") from error
    return Pairs(tx, rx, length, coupling, _ways_m(way_m, ends, tx, rx)), frequency


def pair_losses_db(
    terrain: Terrain,
    tx_of: ArrayLike,
    rx_of: ArrayLike,
    *,
    frequency_mhz: ArrayLike,
    length_m: ArrayLike | None = None,
    way_m: ArrayLike | None = None,
    tx_x_m: ArrayLike,
    tx_y_m: ArrayLike,
    tx_height_agl_m: ArrayLike,
    rx_x_m: ArrayLike,
    rx_y_m: ArrayLike,
    rx_height_agl_m: ArrayLike,
    rx_latitude_deg: ArrayLike,
    gains_dbi: ArrayLike = 0.0,
    time_pct: float = 20.0,
    second_time_pct: float = 50.0,
    polarization: str = "vertical",
    delta_n: float,
    n0: float,
    pressure_hpa: float = 1013.25,
    temperature_c: float = 15.0,
    step_m: float = 100.0,
    path_clutter: bool = True,
    edge_holds: bool = True,
    threads: int = 1,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Basic transmission loss of P.452-18 for pairs of base stations and receivers.

    Parameters
    ----------
    terrain : Terrain
        Ground, clutter and zones; without zones all paths are inland.
    tx_of, rx_of : array_like of int, shape (n,)
        Positions of each pair's ends in the arrays of transmitters and receivers.
    frequency_mhz : array_like, shape (n,)
        Frequency asked about.
    length_m : array_like, shape (n,), optional
        True path length, above 0 m; that in the plane if omitted.
    way_m : array_like, shape (n, 4), optional
        Where in the plane the path is at a third (x, y) and at two thirds (x, y) of its length: those of the geodesic
        are ``geodesic.lines(crs, ...).way_m``. The straight line of the plane if omitted.
    tx_x_m, tx_y_m, tx_height_agl_m : array_like, shape (n_tx,)
        Transmitters; heights 0.1 to 10 000 m above ground.
    rx_x_m, rx_y_m, rx_height_agl_m, rx_latitude_deg : array_like, shape (n_rx,)
        Receivers. Their latitude stands for that of the path: 0.2 degrees change beta0 by 0.7 per cent of itself.
    gains_dbi : array_like, shape (n,)
        Sum of both antennas' gains along the path; enters the troposcatter coupling only.
    time_pct, second_time_pct : float
        Two time percentages, answered from one pass.
    polarization : {"vertical", "horizontal"}
    delta_n, n0, pressure_hpa, temperature_c : float
        As in :func:`lcsiting.radio.p452.loss_db`.
    step_m : float
        Longest step of a profile, 10 to 1000 m; the steps of a profile are equal.
    path_clutter : bool
        Clutter along the path (P.452-18); switch it off where P.2108 is applied at a terminal instead.
    edge_holds : bool
        Off the terrain its nearest edge pixel counts; otherwise nothing is known there.
    threads : int
        The answer is the same for any number.

    Returns
    -------
    loss_db : float64 (n, 2)
        At the two time percentages; NaN where an input is NaN, a height on the way is unknown or, with ``length_m``
        omitted, the ends coincide.
    beyond : bool (n,)
        The path is trans-horizon (over bare ground); False where the loss is NaN.

    Raises
    ------
    RangeError
        A value outside its range, arrays of different lengths, a pair given without length.
    """
    require_choice("polarization", polarization, ("vertical", "horizontal"))
    if not 10.0 <= step_m <= 1000.0:
        raise RangeError(f"step_m: {step_m:g} m is not between 10 and 1000 m.")
    ends = Ends(
        *_alike("transmitters", (tx_x_m, tx_y_m, tx_height_agl_m)),
        *_alike("receivers", (rx_x_m, rx_y_m, rx_height_agl_m, rx_latitude_deg)),
    )
    pairs, frequency = _pairs_of(tx_of, rx_of, length_m, way_m, gains_dbi, frequency_mhz, ends)
    climate = {"delta_n": delta_n, "n0": n0, "pressure_hpa": pressure_hpa, "temperature_c": temperature_c}
    unknown = require_ranges(climate | {"time_pct": time_pct}, RANGES)
    unknown |= require_ranges({"time_pct": second_time_pct}, RANGES)
    require_range("frequency_mhz", frequency, *RANGES["frequency_mhz"])
    out, beyond = np.full((len(pairs.tx), 2), np.nan), np.zeros(len(pairs.tx), np.bool_)
    if unknown:
        return out, beyond
    cut, heights = Cut(step_m / 1000.0, bool(edge_holds)), terrain if path_clutter else without_clutter(terrain)
    tasks: list[tuple[Question, NDArray[np.int64]]] = []
    for value in np.unique(frequency[~np.isnan(frequency)]):
        q = question(
            float(value) / 1000.0, float(time_pct), polarization == "vertical", float(delta_n), float(n0), 0.0,
            float(pressure_hpa), float(temperature_c),
        )  # fmt: skip
        which = np.flatnonzero(frequency == value)
        tasks += [(q, which[first : first + CHUNK]) for first in range(0, len(which), CHUNK)]

    def work(task: tuple[Question, NDArray[np.int64]]) -> None:
        _chunk(heights, cut, task[0], float(second_time_pct), task[1], pairs, ends, out, beyond)

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        list(pool.map(work, tasks))
    return out, beyond
