"""What can be done: at a protected station, at a base station; what it does, costs, and who pays.

Interference is counted in four components, because no measure acts on all of them alike:
``co_channel`` and ``unwanted`` (emissions inside the receive band), ``overload_in`` and
``overload_out`` (total power at the low-noise block, from a base station transmitting inside or
outside the receive band). The joint choice for one protected station is made in ``clearing``.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting.coordination.profile import RuleTables, overlaps_mhz, profile_row

COMPONENTS = ("co_channel", "unwanted", "overload_in", "overload_out")
# The long-term allowance covers co-channel plus unwanted emissions; overload is one total power.
MEMBERS = ((1, 1, 0, 0), (0, 0, 1, 1))

FILTER, LNB, SHIELDING = "measure_filter", "measure_lnb", "measure_shielding"
NONE_NEEDED, NOT_ENOUGH = "", "现有措施均不足"
SITE_SIDE = "台站侧措施不足，须基站侧措施配合"


@dataclass(frozen=True)
class MeasureSet:
    """Measures taken together.

    Attributes
    ----------
    ids : tuple of str
        Rows of the profile.
    label : str
        Chinese names joined by ``+``.
    cost : float
        Sum of the relative costs.
    verified : bool
        Every row is verified.
    """

    ids: tuple[str, ...]
    label: str
    cost: float
    verified: bool


def measure_sets(tables: RuleTables) -> list[MeasureSet]:
    """Every non-empty combination of the profile's ``measure_...`` rows, cheapest first.

    Ties go to fewer measures, then to the order of the profile.
    """
    ids = [key for key in tables.profile if key.startswith("measure_")]
    sets = []
    for size in range(1, len(ids) + 1):
        for chosen in combinations(ids, size):
            rows = [profile_row(tables, key, "effects_db") for key in chosen]
            label = "+".join(str(row["name_zh"]) for row in rows)
            cost = round(sum(float(row["cost"]) for row in rows), 9)
            sets.append(MeasureSet(chosen, label, cost, all(row["verified"] for row in rows)))
    return sorted(sets, key=lambda item: item.cost)


def cheapest_set(shortfall_db: ArrayLike, sets: list[MeasureSet], effects_db: Mapping[str, float]) -> NDArray[np.int16]:
    """The cheapest combination that makes up each shortfall.

    Parameters
    ----------
    shortfall_db : array_like, (n,)
        Decibels missing, positive where something is missing.
    sets : list of MeasureSet
        Cheapest first, from :func:`measure_sets`.
    effects_db : mapping
        Decibels per measure, added up within a set.

    Returns
    -------
    ndarray of int16, (n,)
        Position in ``sets``; -1 where all measures together do not suffice.
    """
    shortfall = np.asarray(shortfall_db, dtype=float)
    out = np.full(shortfall.shape, -1, dtype=np.int16)
    for position, item in enumerate(sets):
        total = sum(effects_db.get(key, 0.0) for key in item.ids)
        out[(out < 0) & (shortfall <= total)] = position
    return out


# ---------------------------------------------------------------- at the protected station


@dataclass(frozen=True)
class StationMeasure:
    """A measure at one protected station, as it would act there.

    Attributes
    ----------
    id, label : str
        Row of the profile and its name.
    effect_db : tuple of float (4,)
        Attenuation still to be gained, by :data:`COMPONENTS`.
    cost : float
        Relative to a new base station.
    effective : date
        When it can take effect.
    noise_k : float
        Noise its insertion loss adds.
    verified : bool
    """

    id: str
    label: str
    effect_db: tuple[float, ...]
    cost: float
    effective: datetime.date
    noise_k: float
    verified: bool


def installed_db(filter_db: float, shielding_db: float, compliant: bool) -> dict[str, float]:
    """What each measure already gives at a station as equipped, dB by row of the profile."""
    return {FILTER: filter_db, SHIELDING: shielding_db, LNB: np.inf if compliant else 0.0}


def station_measures(
    tables: RuleTables,
    as_of: datetime.date,
    *,
    earth_station: bool = True,
    filter_db: float = 0.0,
    shielding_db: float = 0.0,
    compliant: bool = False,
    planned: Mapping[str, datetime.date] | None = None,
    lang: str = "zh",
) -> list[StationMeasure]:
    """The measures left to a protected station, in the order of the profile.

    What is installed counts once: a filter of 30 dB leaves 15 of 45. Fixed links and observatories
    have no low-noise block of this kind and are left shielding only.

    Parameters
    ----------
    tables : RuleTables
        With ``measure_...`` rows: ``effects_db`` by component, ``cost``, ``lead_months``, ``noise_k``.
    as_of : date
        From which the lead time runs.
    earth_station : bool
    filter_db, shielding_db : float
        Installed already, 0 or more.
    compliant : bool
        The low-noise block is compliant already.
    planned : mapping, optional
        Row id to the agreed date, instead of the lead time.
    lang : str
        Language of the labels.
    """
    done = installed_db(filter_db, shielding_db, compliant)
    out = []
    for key in (key for key in tables.profile if key.startswith("measure_")):
        row = profile_row(tables, key, "effects_db")
        if not earth_station and key in (FILTER, LNB):
            continue
        effects = tuple(max(0.0, float(row["effects_db"].get(c, 0.0)) - done.get(key, 0.0)) for c in COMPONENTS)
        if not any(effects):
            continue
        lead = pd.Timestamp(as_of) + pd.DateOffset(months=int(row.get("lead_months", 0)))
        out.append(
            StationMeasure(
                id=key,
                label=str(row[f"name_{lang}"]),
                effect_db=effects,
                cost=float(row["cost"]),
                effective=(planned or {}).get(key, lead.date()),
                noise_k=0.0 if done.get(key, 0.0) > 0 else float(row.get("noise_k", 0.0)),
                verified=bool(row["verified"]),
            )
        )
    return out


def measures_left(
    tables: RuleTables, record: Any, as_of: datetime.date, lang: str = "zh", there: Sequence[StationMeasure] = ()
) -> list[StationMeasure]:
    """The measures a protected station still has, as it is equipped and as dated measures will equip it.

    Parameters
    ----------
    tables : RuleTables
    record : row of :func:`lcsiting.coordination.protected.read_protected`
    as_of : date
        From which the lead times run.
    lang : str
    there : sequence of StationMeasure
        Dated measures, as if they were installed.
    """
    gained = {item.id: max(item.effect_db) for item in there}
    return station_measures(
        tables,
        as_of,
        earth_station=bool(record.earth_station),
        filter_db=float(record.filter_db) + gained.get(FILTER, 0.0),
        shielding_db=float(record.shielding_db) + gained.get(SHIELDING, 0.0),
        compliant=record.lnb_type == "compliant" or LNB in gained,
        lang=lang,
    )


def growth_db(taken: Sequence[StationMeasure], present: NDArray[np.bool_], overload: bool, year: int) -> float:
    """By how much a budget grows by a year: what the measures in effect take from every component ``present``."""
    mine = [k for k, name in enumerate(COMPONENTS) if present[k] and name.startswith("overload") == overload]
    total = attenuation_db(list(taken), datetime.date(year, 12, 31))
    return float(total[mine].min()) if mine else 0.0


def attenuation_db(chosen: list[StationMeasure], on: datetime.date | None = None) -> NDArray[np.float64]:
    """Attenuation of measures taken together, by component, of those in effect ``on`` a date (None: all).

    Returns
    -------
    ndarray (4,)
    """
    taken = [item.effect_db for item in chosen if on is None or item.effective <= on]
    return np.sum(taken, axis=0) if taken else np.zeros(len(COMPONENTS))


def gained_db(left: list[StationMeasure], component: str) -> dict[str, float]:
    """What each measure left still takes from one of :data:`COMPONENTS`, dB by row of the profile."""
    at = COMPONENTS.index(component)
    return {item.id: item.effect_db[at] for item in left}


def noise_penalty_db(noise_temperature_k: float, chosen: list[StationMeasure]) -> float:
    """Sensitivity a station loses to the insertion loss of its measures, ``10 log10((T + dT) / T)``.

    The allowance for interference stays on the noise *before* the measures: noise that a filter
    adds does not entitle anybody to interfere more. A filter of 28 K at 100 K costs 1.07 dB.
    """
    added = sum(item.noise_k for item in chosen)
    return float(10 * np.log10((noise_temperature_k + added) / noise_temperature_k))


@dataclass(frozen=True)
class Bearer:
    """Who pays for measures at a protected station.

    Attributes
    ----------
    text : str
        The rule's words; a sentence that there is none, where no rule covers the station.
    holders : tuple of str
        Licence holders meant, as far as the bands table knows them.
    source : str
    verified : bool
    """

    text: str
    holders: tuple[str, ...]
    source: str
    verified: bool


NO_BEARER = {
    "zh": "没有公布的费用承担规定，由双方按136号指南协商",
    "en": "no published rule; to be negotiated under the guide of notice 136",
}


def who_pays(tables: RuleTables, station_class: str, rx_low_mhz: float, rx_high_mhz: float, lang: str = "zh") -> Bearer:
    """Who bears the cost of measures at one protected station, by the ``bearer_...`` rows.

    Parameters
    ----------
    tables : RuleTables
    station_class : str
        Class of the station in the schema, e.g. ``es_rx``.
    rx_low_mhz, rx_high_mhz : float
        Its receive band.
    lang : str
    """
    for row in (row for key, row in tables.profile.items() if key.startswith("bearer_")):
        edges = (row.get("rx_low_mhz", 0.0), row.get("rx_high_mhz", np.inf))
        if station_class not in row["classes"] or not overlaps_mhz(rx_low_mhz, rx_high_mhz, *edges):
            continue
        payers = (row.get("payer_low_mhz", rx_low_mhz), row.get("payer_high_mhz", rx_high_mhz))
        holders = [
            holder
            for band in tables.bands.values()
            if overlaps_mhz(band["tx_low_mhz"], band["tx_high_mhz"], *payers)
            for holder in band["holders"]
        ]
        known = tuple(dict.fromkeys(holders))
        return Bearer(str(row[f"text_{lang}"]), known, str(row["source"]), bool(row["verified"]))
    return Bearer(NO_BEARER[lang], (), "", False)
