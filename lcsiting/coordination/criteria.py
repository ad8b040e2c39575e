"""What a protected station may receive: noise, limits by class and mechanism, RA.769 thresholds."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting.coordination.profile import Row, RuleTables, profile_row
from lcsiting.errors import ConfigError

BOLTZMANN = 1.380649e-23
SPEED_OF_LIGHT_M_S = 299_792_458.0


@dataclass(frozen=True)
class Criterion:
    """A limit on the interference of a protected station.

    Attributes
    ----------
    limit_dbm : float
        Power density at the receiver's input, dBm/MHz.
    time_pct : float
        Of which path loss is asked.
    verified : bool
        Of the row it comes from.
    """

    limit_dbm: float
    time_pct: float
    verified: bool


def noise_dbm_per_mhz(temperature_k: ArrayLike) -> NDArray[np.float64]:
    """``10 log10(k T 1 MHz)`` in dBm; 100 K gives -118.6."""
    return 10 * np.log10(BOLTZMANN * np.asarray(temperature_k, dtype=float) * 1e6) + 30


def ra769_threshold(
    *, frequency_mhz: float, bandwidth_khz: float, antenna_noise_k: float, receiver_noise_k: float, integration_s: float
) -> dict[str, float]:
    """Thresholds of interference detrimental to radio astronomy, ITU-R RA.769-2 Annex 1.

    ``dP = 0.1 k (T_A + T_R) / sqrt(df t) df`` and, with a 0 dBi side lobe, ``pfd = dP 4 pi f^2 / c^2``.

    Parameters
    ----------
    frequency_mhz, bandwidth_khz : float
        Centre frequency; bandwidth of the row.
    antenna_noise_k, receiver_noise_k : float
        Noise temperatures T_A and T_R.
    integration_s : float
        Integration time; 2000 s in the tables.

    Returns
    -------
    dict
        ``input_dbw``, ``pfd_dbw_m2``, ``spectral_pfd_dbw_m2_hz``.
    """
    band = bandwidth_khz * 1e3
    temperature = (antenna_noise_k + receiver_noise_k) / math.sqrt(band * integration_s)
    power = 10 * math.log10(0.1 * BOLTZMANN * temperature * band)
    pfd = power + 10 * math.log10(4 * math.pi) + 20 * math.log10(frequency_mhz * 1e6 / SPEED_OF_LIGHT_M_S)
    return {"input_dbw": power, "pfd_dbw_m2": pfd, "spectral_pfd_dbw_m2_hz": pfd - 10 * math.log10(band)}


def _time_pct(tables: RuleTables, key: str, row: Row) -> float:
    """Time percentage of a criterion; a long-term limit at a short-term one is refused."""
    pct = float(row["time_pct"])
    least = float(profile_row(tables, "long_term", "min_time_pct")["min_time_pct"])
    if row.get("term") == "long" and pct < least:
        raise ConfigError(
            f"rules/{tables.name}.toml: [{key}] is a long-term limit asked at {pct:g} % of the time; "
            f"a long-term limit holds at {least:g} % or more. Raise time_pct, or enter the short-term limit."
        )
    return pct


def criterion(tables: RuleTables, record: Any, name: str) -> Criterion:
    """The limit of one protected station.

    Parameters
    ----------
    tables : RuleTables
        With ``criterion_...`` rows.
    record : row of :func:`lcsiting.coordination.protected.read_protected`
        ``kind``, ``noise_temperature_k`` and the receive band decide.
    name : {"co_channel", "adjacent", "single_co_channel", "single_adjacent"}
        Sum over all base stations, or one; base stations inside or outside the receive band.

    Raises
    ------
    ConfigError
        A row is missing, has an unknown metric, or pairs a long-term limit with a short-term percentage.
    """
    if record.kind == "ras":
        return _ras_criterion(tables, record)
    key = "criterion_fixed" if record.kind == "fixed" else f"criterion_{name}"
    row = profile_row(tables, key, "limit")
    metric, limit = row.get("metric", "i_n_db"), float(row["limit"])
    if metric == "dbm_per_mhz":
        return Criterion(limit, _time_pct(tables, key, row), bool(row["verified"]))
    if metric != "i_n_db":
        raise ConfigError(f"rules/{tables.name}.toml: [{key}] metric {metric!r}; use i_n_db or dbm_per_mhz")
    limit += float(noise_dbm_per_mhz(record.noise_temperature_k))
    return Criterion(limit, _time_pct(tables, key, row), bool(row["verified"]))


def _ras_criterion(tables: RuleTables, record: Any) -> Criterion:
    """The strictest row inside an observatory's band; where none is, the nearest one stands in, unverified."""
    rows = {key: row for key, row in tables.profile.items() if key.startswith("criterion_ras_")}
    if not rows:
        raise ConfigError(
            f"rules/{tables.name}.toml: no [criterion_ras_...] row for a radio observatory; add one with its source"
        )
    at = {key: float(row["frequency_mhz"]) for key, row in rows.items()}
    apart = {key: max(record.rx_low_mhz - mhz, mhz - record.rx_high_mhz, 0.0) for key, mhz in at.items()}
    nearest = min(apart.values())
    density = {key: _ras_dbm_per_mhz(rows[key]) for key, mhz in apart.items() if mhz == nearest}
    key = min(density, key=lambda item: density[item])
    known = nearest == 0 and bool(rows[key]["verified"])
    return Criterion(density[key], _time_pct(tables, key, rows[key]), known)


def _ras_dbm_per_mhz(row: Row) -> float:
    names = ("frequency_mhz", "bandwidth_khz", "antenna_noise_k", "receiver_noise_k", "integration_s")
    threshold = ra769_threshold(**{name: float(row[name]) for name in names})["input_dbw"]
    return threshold + 30 - 10 * math.log10(row["bandwidth_khz"] / 1e3)
