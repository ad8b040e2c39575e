"""Station-side measures: what clears a protected station, and the cheapest that does."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting.coordination.profile import RuleTables, profile_row

FILTER, LNB, SHIELDING = "measure_filter", "measure_lnb", "measure_shielding"
NONE_NEEDED, NOT_ENOUGH = "", "现有措施均不足"


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
            rows = [profile_row(tables, key, "effect_db") for key in chosen]
            label = "+".join(str(row["name_zh"]) for row in rows)
            cost = round(sum(float(row["cost"]) for row in rows), 9)
            sets.append(MeasureSet(chosen, label, cost, all(row["verified"] for row in rows)))
    return sorted(sets, key=lambda item: item.cost)


def overload_effects_db(
    tables: RuleTables, *, co_channel: bool, filter_db: float, shielding_db: float, compliant: bool
) -> dict[str, float]:
    """What each measure would still add against overload at one protected station.

    A filter or a compliant block works outside the receive band only: against a base station
    transmitting inside it (``co_channel``) it does nothing. What is already installed counts once.

    Parameters
    ----------
    tables : RuleTables
        With the profile's ``measure_...`` rows (``effect_db``).
    co_channel : bool
        The base station transmits in the receive band.
    filter_db, shielding_db : float
        Installed already, dB.
    compliant : bool
        The low-noise block is compliant already.

    Returns
    -------
    dict
        Row id to decibels gained, 0 or more. Measures of other kinds are not counted here.
    """
    done: dict[str, Any] = {FILTER: filter_db, SHIELDING: shielding_db, LNB: np.inf if compliant else 0.0}
    out = {}
    for key, row in tables.profile.items():
        if key.startswith("measure_"):
            useless = key not in done or (co_channel and key in (FILTER, LNB))
            out[key] = 0.0 if useless else max(0.0, float(row["effect_db"]) - done[key])
    return out


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
