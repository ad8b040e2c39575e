"""P.452-18 for many pairs of stations at once, profiles taken from terrain on the way.

Same kernels as :func:`lcsiting.radio.p452.loss_db`; what depends on neither path nor gains is computed once.
Profiles are straight lines of the terrain's CRS with equal steps; all land is inland.
"""

import lcsiting._cache  # noqa: F401, I001
import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from lcsiting.errors import RangeError
from lcsiting.radio.p452 import RANGES
from lcsiting.radio.radial import AreaQuestion, profile_db, question_p452
from lcsiting.radio.ranges import require_choice, require_range, require_ranges
from lcsiting.radio.terrain import Terrain, sample_line

PAIRS_PER_TASK = 128
COLUMNS = (
    "tx_x_m", "tx_y_m", "tx_height_agl_m", "rx_x_m", "rx_y_m", "rx_height_agl_m", "gains_dbi", "path_latitude_deg"
)  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _coupled(q: AreaQuestion, gains_dbi: float) -> AreaQuestion:
    """The question with the coupling loss of eq. (45b) for other gains than zero."""
    coupling = 0.051 * (math.exp(0.055 * gains_dbi) - 1.0)
    return AreaQuestion(
        q.p1812, q.wave, q.p, q.ae, q.pressure_hpa, q.temperature_c, q.gas_db_km, q.troposcatter_gas_db_km,
        q.troposcatter_db + coupling, q.bare_km, q.excess_db, q.dct, q.dcr,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def pair_block(
    first: int, end: int, q: AreaQuestion, terrain: Terrain, pairs: np.ndarray, step_km: float, out: np.ndarray
) -> None:
    """Loss of pairs ``first .. end - 1``, dB; columns of ``pairs`` as in ``COLUMNS``; ``q`` with gains of 0 dBi."""
    longest = 0.0
    for i in range(first, end):
        longest = max(longest, math.hypot(pairs[i, 3] - pairs[i, 0], pairs[i, 4] - pairs[i, 1]))
    points = int(0.001 * longest / step_km) + 4
    distance, ground, clutter = np.empty(points), np.empty(points), np.zeros(points)
    covered = terrain.clutter_m.size > 0
    for i in range(first, end):
        dx, dy = pairs[i, 3] - pairs[i, 0], pairs[i, 4] - pairs[i, 1]
        length = math.hypot(dx, dy)
        out[i] = math.nan
        if not 0.0 < length < 1e300 or math.isnan(pairs[i].sum()):
            continue
        n = max(2, int(0.001 * length / step_km + 0.5))
        for k in range(n + 1):
            distance[k] = 0.001 * length * k / n
        known = sample_line(terrain, pairs[i, 0], pairs[i, 1], dx / length, dy / length, n, distance, ground, clutter)
        if known <= n:
            continue
        out[i] = profile_db(
            _coupled(q, pairs[i, 6]), distance[: n + 1], ground[: n + 1], clutter[: n + 1 if covered else 0],
            pairs[i, 2], pairs[i, 5], pairs[i, 7],
        )  # fmt: skip


def pairs_loss_db(
    terrain: Terrain,
    tx_x_m: ArrayLike,
    tx_y_m: ArrayLike,
    tx_height_agl_m: ArrayLike,
    rx_x_m: ArrayLike,
    rx_y_m: ArrayLike,
    rx_height_agl_m: ArrayLike,
    *,
    frequency_mhz: float,
    time_pct: float,
    path_latitude_deg: ArrayLike,
    delta_n: float,
    n0: float,
    gains_dbi: ArrayLike = 0.0,
    polarization: str = "vertical",
    pressure_hpa: float = 1013.25,
    temperature_c: float = 15.0,
    step_m: float = 100.0,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Clear-air basic transmission loss of ITU-R P.452-18 between many pairs of stations.

    Parameters
    ----------
    terrain : Terrain
        Ground and clutter.
    tx_x_m, tx_y_m, rx_x_m, rx_y_m : array_like, broadcast to (n,)
        Ends, working CRS of the terrain, m.
    tx_height_agl_m, rx_height_agl_m : array_like
        Antennas, 0.1 to 10 000 m above ground.
    path_latitude_deg : array_like
        Latitude of the path centres.
    gains_dbi : array_like
        Sum of both ends' gains along the path; it enters only the coupling loss.
    frequency_mhz, time_pct, delta_n, n0, polarization, pressure_hpa, temperature_c
        As in :func:`lcsiting.radio.p452.loss_db`.
    step_m : float
        Distance between points of a profile, 1 to 10 000 m; rounded so that the steps are equal.
    threads : int, optional
        All cores if omitted; no value depends on it.

    Returns
    -------
    ndarray (n,)
        dB; NaN where an input is NaN, the ends coincide, or a height on the way is unknown.

    Raises
    ------
    RangeError
        A value outside its range, arrays of different lengths.
    """
    columns = (tx_x_m, tx_y_m, tx_height_agl_m, rx_x_m, rx_y_m, rx_height_agl_m, gains_dbi, path_latitude_deg)
    try:
        arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(c, dtype=float)) for c in columns))
    except ValueError as error:
        raise RangeError(f"pairs: lengths do not agree ({error}).") from error
    pairs = np.ascontiguousarray(np.stack(arrays, axis=-1).reshape(-1, len(COLUMNS)))
    for name, column in (("tx_height_agl_m", 2), ("rx_height_agl_m", 5), ("path_latitude_deg", 7)):
        require_range(name, pairs[:, column], *RANGES[name])
    require_choice("polarization", polarization, ("vertical", "horizontal"))
    scalars = {
        "frequency_mhz": frequency_mhz,
        "time_pct": time_pct,
        "delta_n": delta_n,
        "n0": n0,
        "pressure_hpa": pressure_hpa,
        "temperature_c": temperature_c,
    }
    out = np.full(len(pairs), np.nan)
    if require_ranges(scalars, RANGES):
        return out
    require_range("step_m", step_m, 1.0, 10_000.0, "m", "step of a profile")
    q = question_p452(
        float(frequency_mhz), float(time_pct), polarization == "vertical", float(delta_n), float(n0), 0.0,
        float(pressure_hpa), float(temperature_c),
    )  # fmt: skip
    starts = range(0, len(pairs), PAIRS_PER_TASK)
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(
            pool.map(
                lambda first: pair_block(
                    first, min(first + PAIRS_PER_TASK, len(pairs)), q, terrain, pairs, 0.001 * float(step_m), out
                ),
                starts,
            )
        )
    return out
