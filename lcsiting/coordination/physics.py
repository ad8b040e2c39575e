"""What arrives: interference density and power at the low-noise block, for every pair in reach.

``I = P + G_bs + G_es - L - A_shield``, per megahertz inside the receive band; the power at the block is that of the
whole carrier and is lowered by a filter as well, unless the base station transmits inside the receive band. The
*average* (mean over the beams, TDD and load; overload: full power) is what is summed and judged; the *envelope*
(strongest beam, full power) is what one station alone is judged by, and the upper case of the sum. A station that
transmits inside the receive band counts with its carrier's density, any other with its unwanted emissions; carriers
in different parts of the receive band are added as if they met in one megahertz. Where a station forms no beams its
carrier is weaker, its unwanted emissions are not.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.coordination import overload, paths
from lcsiting.coordination.criteria import criterion
from lcsiting.coordination.paths import Pairs, Transmitters
from lcsiting.coordination.profile import RuleTables, profile_row
from lcsiting.coordination.protected import toward_gain_dbi
from lcsiting.radio.terrain import Terrain

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Levels:
    """What each pair brings, milliwatts at the receiver, as the protected station is equipped today.

    Attributes
    ----------
    average_mw, envelope_mw : float64 (n,)
        Density in the receive band, mW/MHz: long term; one station at its worst.
    overload_mw, overload_envelope_mw : float64 (n,)
        Total power at the low-noise block, mW; 0 where there is none.
    """

    average_mw: Floats
    envelope_mw: Floats
    overload_mw: Floats
    overload_envelope_mw: Floats


def emission_mw(tx: Transmitters, protected: pd.DataFrame, pairs: Any, tables: RuleTables) -> Floats:
    """Density a sector radiates into the receive band, mW/MHz over the sphere: carrier or unwanted emissions.

    Nearer to the receive band than ``unwanted_aclr.within_mhz`` the adjacent-channel leakage ratio holds, if it
    gives more.
    """
    row = profile_row(tables, "unwanted_aclr", "value_db")
    t, k = pairs["tx"], pairs["protected"]
    low, high = protected["rx_low_mhz"].to_numpy(float)[k], protected["rx_high_mhz"].to_numpy(float)[k]
    gap = np.maximum(low - tx.tx_high_mhz[t], tx.tx_low_mhz[t] - high)
    carrier = tx.power_mw[t] / tx.bandwidth_mhz[t]
    leaked = np.where(gap < float(row["within_mhz"]), carrier * 10 ** (-0.1 * float(row["value_db"])), 0.0)
    return np.where(pairs["co"], carrier, np.maximum(tx.unwanted_mw[t], leaked))


def _toward(protected: pd.DataFrame, pairs: Any, tables: RuleTables, frequency_mhz: Floats) -> Floats:
    """Gain of the protected antennas toward the base stations from the true off-axis angle, linear."""
    out = np.empty(len(frequency_mhz))
    efficiency = float(tables.defaults["antenna_efficiency"]["value"])
    for k, record in enumerate(protected.itertuples(index=False)):
        span = slice(pairs["first"][k], pairs["first"][k + 1])
        frequency = frequency_mhz[span]
        back = (pairs["bearing_deg"][span] + 180.0) % 360.0
        for value in np.unique(frequency):
            at = np.flatnonzero(frequency == value) + span.start
            gain = toward_gain_dbi(record, back[at - span.start], pairs["back_deg"][at], float(value), efficiency)
            out[at] = 10 ** (0.1 * gain)
    return out


def _times(protected: pd.DataFrame, pairs: Any, tables: RuleTables) -> tuple[Floats, Floats]:
    """Time percentage of the summed and of the single criterion, for each pair."""
    names = (("adjacent", "co_channel"), ("single_adjacent", "single_co_channel"))
    records = list(protected.itertuples(index=False))
    pct = np.array([[[criterion(tables, r, name).time_pct for name in pair] for r in records] for pair in names])
    if not records:
        return np.zeros(0), np.zeros(0)
    side = pairs["co"].astype(np.int64)
    return pct[0][pairs["protected"], side], pct[1][pairs["protected"], side]


def _losses(
    tx: Transmitters, protected: pd.DataFrame, pairs: Any, land: Terrain, tables: RuleTables, gains: Any, threads: int
) -> dict[str, NDArray[Any]]:
    """Losses of every pair: summed criterion, single criterion, overload."""
    frequency, carrier, gain_rx, gain_tx = gains
    summed, single = _times(protected, pairs, tables)
    loss, alone = np.empty(len(summed)), np.empty(len(summed))
    beyond = np.zeros(len(summed), dtype=bool)
    for first, second in sorted(set(zip(summed.tolist(), single.tolist(), strict=True))):
        at = np.flatnonzero((summed == first) & (single == second))
        part = {name: pairs[name][at] for name in ("tx", "protected", "distance_m", "bearing_deg")}
        both, beyond[at] = paths.pair_losses(
            tx, protected, part, land, tables, frequency_mhz=frequency[at],
            gains_dbi=10 * np.log10(gain_rx[at] * np.maximum(gain_tx[at], 1e-10)),
            time_pct=(first, second), threads=threads,
        )  # fmt: skip
        loss[at], alone[at] = both.T
    free = overload.free_space_loss_db(pairs["slant_m"], carrier)
    at = np.flatnonzero(beyond & protected["earth_station"].to_numpy(bool)[pairs["protected"]])
    if len(at):
        pct = float(profile_row(tables, "path_loss", "overload_time_pct")["overload_time_pct"])
        part = {name: pairs[name][at] for name in ("tx", "protected", "distance_m", "bearing_deg")}
        free[at] = paths.pair_losses(
            tx, protected, part, land, tables, frequency_mhz=carrier[at], gains_dbi=np.zeros(len(at)),
            time_pct=(pct, pct), threads=threads,
        )[0][:, 0]  # fmt: skip
    return {"loss_db": loss, "single_loss_db": alone, "overload_loss_db": free, "beyond": beyond}


def pairs_of(
    tx: Transmitters, protected: pd.DataFrame, land: Terrain, tables: RuleTables, *, threads: int = 1
) -> tuple[Pairs, Levels]:
    """Every pair in reach with its losses, and what it brings.

    Parameters
    ----------
    tx, protected, land, tables
        From :func:`paths.transmitters`, :func:`protected.read_protected`, :func:`paths.read_land`, and the profile.
    threads : int
        The answer does not depend on it.
    """
    found = paths.find_pairs(tx, protected, land, tables)
    if not len(protected) or not len(found["tx"]):
        return _no_pairs(len(protected))
    low, high = (protected[f"rx_{edge}_mhz"].to_numpy(float)[found["protected"]] for edge in ("low", "high"))
    carrier = tx.frequency_mhz[found["tx"]]
    frequency = paths.received_mhz(low, high, carrier, found["co"])
    gain_rx, gain_over = _toward(protected, found, tables, frequency), _toward(protected, found, tables, carrier)
    average = paths.sector_gains(tx, tables, found, "average").sum(axis=1)
    losses = _losses(tx, protected, found, land, tables, (frequency, carrier, gain_rx, average), threads)
    pairs = Pairs(
        **{k: v for k, v in found.items() if k != "back_deg"}, **losses, rx_gain=gain_rx, overload_gain=gain_over
    )
    envelope = paths.sector_gains(tx, tables, found, "envelope").sum(axis=1)
    element = paths.sector_gains(tx, tables, found, "unwanted").sum(axis=1)
    return pairs, _levels(tx, protected, pairs, tables, average, envelope, element)


def _no_pairs(n_protected: int) -> tuple[Pairs, Levels]:
    kinds: dict[str, Any] = {"tx": np.int64, "protected": np.int64, "co": np.bool_, "beyond": np.bool_}
    empty: dict[str, NDArray[Any]] = {f.name: np.zeros(0, dtype=kinds.get(f.name, np.float64)) for f in fields(Pairs)}
    empty["first"] = np.zeros(n_protected + 1, dtype=np.int64)
    return Pairs(**empty), Levels(*(np.zeros(0) for _ in range(4)))


def receiving_factors(protected: pd.DataFrame, pairs: Pairs) -> tuple[Floats, Floats, Floats]:
    """What is left of a radiated milliwatt: for the sum, for a single station, at the low-noise block."""
    shield = protected["shielding_db"].to_numpy(float)[pairs.protected]
    rejected = np.where(pairs.co, 0.0, protected["filter_db"].to_numpy(float)[pairs.protected])
    block = protected["earth_station"].to_numpy(bool)[pairs.protected]
    summed = pairs.rx_gain * 10 ** (-0.1 * (pairs.loss_db + shield))
    single = pairs.rx_gain * 10 ** (-0.1 * (pairs.single_loss_db + shield))
    over = pairs.overload_gain * 10 ** (-0.1 * (pairs.overload_loss_db + shield + rejected))
    return summed, single, np.where(block, over, 0.0)


def _levels(
    tx: Transmitters,
    protected: pd.DataFrame,
    pairs: Pairs,
    tables: RuleTables,
    average: Any,
    envelope: Any,
    element: Any,
) -> Levels:
    summed, single, over = receiving_factors(protected, pairs)
    density = emission_mw(tx, protected, vars(pairs), tables)
    beamed = 10 ** (-0.1 * pairs.excluded_db)
    power, duty = tx.power_mw[pairs.tx] * beamed, tx.duty[pairs.tx]
    return Levels(
        average_mw=density * np.where(pairs.co, beamed, 1.0) * duty * average * summed,
        # Nobody forms beams for unwanted emissions, yet what leaks through them must not exceed this upper case.
        envelope_mw=density * np.where(pairs.co, envelope * beamed, np.maximum(element, average)) * single,
        overload_mw=power * average * over,
        overload_envelope_mw=power * envelope * over,
    )


def component_weights(tx: Transmitters, protected: pd.DataFrame, pairs: Pairs, tables: RuleTables) -> Floats:
    """What one unit of average gain of a sector brings, (pairs, 4) by :data:`measures.COMPONENTS`.

    mW/MHz for the first two components, mW for the others; times ``paths.sector_gains(..., "average")`` it is the
    contribution of each sector. For other tilts and azimuths losses and weights stay, gains change.
    """
    summed, _, over = receiving_factors(protected, pairs)
    density = emission_mw(tx, protected, vars(pairs), tables) * tx.duty[pairs.tx] * summed
    beamed = 10 ** (-0.1 * pairs.excluded_db)
    power, co = tx.power_mw[pairs.tx] * beamed * over, pairs.co
    return np.stack([density * beamed * co, density * ~co, power * co, power * ~co], axis=-1)
