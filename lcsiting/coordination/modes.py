"""How a base station could be operated otherwise: mutually exclusive modes, for the joint choice and the ranking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting.coordination.measures import COMPONENTS, MEMBERS
from lcsiting.coordination.profile import RuleTables, profile_row


@dataclass(frozen=True)
class SiteModes:
    """The ways each of n base stations could be operated; exactly one is chosen.

    Attributes
    ----------
    ids : tuple of str (M,)
        ``as_planned`` first; rows of the profile joined by ``+`` where they are taken together.
    labels : tuple of str (M,)
    mw : float64 (n, M, 4)
        Contribution at the protected station by component, milliwatts.
    cost, lost : float64 (n, M)
        Relative cost; share of the station's coverage lost (0-1).
    offered : bool (n, M)
    last : bool (M,)
        A last resort: used only where nothing else suffices.
    verified : bool (M,)
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    mw: NDArray[np.float64]
    cost: NDArray[np.float64]
    lost: NDArray[np.float64]
    offered: NDArray[np.bool_]
    last: NDArray[np.bool_]
    verified: NDArray[np.bool_]


AS_PLANNED = "as_planned"


def _soft_sets(tables: RuleTables) -> list[tuple[str, ...]]:
    """Every joint use of tilt, beam exclusion and one step of power, nothing first."""
    sets = [()]
    for choices in (("site_tilt",), ("site_beam",), ("site_power_3", "site_power_6")):
        there = [key for key in choices if key in tables.profile]
        sets = sets + [(*taken, key) for taken in sets for key in there]
    return sorted(sets, key=len)


def site_modes(
    sector_mw: ArrayLike,
    tables: RuleTables,
    *,
    budget_mw: ArrayLike,
    tilted_mw: ArrayLike | None = None,
    other_band: ArrayLike | bool = False,
    changeable: ArrayLike | bool = True,
    members: ArrayLike = MEMBERS,
    lang: str = "zh",
) -> SiteModes:
    """The mutually exclusive ways of operating each base station, for one protected station.

    Parameters
    ----------
    sector_mw : array_like, (n, sectors, 4)
        Contribution of each sector as planned, milliwatts by :data:`COMPONENTS`.
    tables : RuleTables
        With ``site_...`` rows.
    budget_mw : array_like, (B,)
        Limits, milliwatts; they decide which sector is the worst one.
    tilted_mw : array_like, (n, sectors, 4), optional
        The same with the additional down-tilt; without it tilting is not offered.
    other_band : array_like of bool, (n,) or bool
        The operator has a band outside the scope it could use here.
    changeable : array_like of bool, (n,) or bool
        False: the station stays as it is (a single mode).
    members : array_like of 0 and 1, (B, 4)
        Which components each budget sums.
    lang : str

    Returns
    -------
    SiteModes
        Reductions of measures taken together multiply; costs add; coverage shares lost combine as
        ``1 - prod(1 - share)``.
    """
    sectors = np.asarray(sector_mw, dtype=float)
    n = len(sectors)
    tilted = sectors if tilted_mw is None else np.asarray(tilted_mw, dtype=float)
    parts: list[tuple[Any, ...]] = []  # id, mw, cost, lost, offered, last, verified

    def row(key: str) -> Mapping[str, Any]:
        return profile_row(tables, key, "coverage_lost_share")

    for taken in _soft_sets(tables):
        if "site_tilt" in taken and tilted_mw is None:
            continue
        base = (tilted if "site_tilt" in taken else sectors).sum(axis=1)
        loss_db = np.sum([_effects(row(key)) for key in taken], axis=0) if taken else np.zeros(len(COMPONENTS))
        kept = float(np.prod([1 - row(key)["coverage_lost_share"] for key in taken]))
        cost = round(sum(float(row(key)["cost"]) for key in taken), 9)
        known = all(row(key)["verified"] for key in taken)
        parts.append(("+".join(taken) or AS_PLANNED, base * 10 ** (-loss_db / 10), cost, 1 - kept, True, False, known))
    there = np.maximum((sectors.sum(axis=2) > 0).sum(axis=1), 1)
    for k in range(1, sectors.shape[1]):
        if "site_sector_off" in tables.profile:
            off = row("site_sector_off")
            load = sectors @ np.asarray(members, dtype=float).T / np.asarray(budget_mw, dtype=float)
            mw = _without_worst(sectors, load, k)
            name = "site_sector_off" if k == 1 else f"site_sector_off*{k}"
            parts.append((name, mw, k * float(off["cost"]), k / there, there > k, False, bool(off["verified"])))
    for key, offered in (("site_other_band", np.broadcast_to(other_band, n)), ("site_drop", True)):
        if key in tables.profile:
            item = row(key)
            nothing = np.zeros((n, len(COMPONENTS)))
            lost, last = float(item["coverage_lost_share"]), item.get("stage") == 2
            parts.append((key, nothing, float(item["cost"]), lost, offered, last, bool(item["verified"])))
    return _stacked(parts, n, np.broadcast_to(changeable, n), tables, lang)


def _effects(row: Mapping[str, Any]) -> NDArray[np.float64]:
    return np.array([float(row.get("effects_db", {}).get(name, 0.0)) for name in COMPONENTS])


def _without_worst(sectors: NDArray[np.float64], load: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Sum over the sectors but the ``k`` that take the largest share of any budget; ``load`` (n, sectors, B)."""
    order = np.argsort(-load.max(axis=2), axis=1, kind="stable")
    return np.take_along_axis(sectors, order[:, k:, None], axis=1).sum(axis=1)


def _stacked(parts: list[Any], n: int, changeable: NDArray[np.bool_], tables: RuleTables, lang: str) -> SiteModes:
    ids = tuple(part[0] for part in parts)
    offered = np.stack([np.broadcast_to(part[4], n) for part in parts], axis=1)
    offered = offered & (changeable[:, None] | (np.arange(len(ids)) == 0))
    return SiteModes(
        ids=ids,
        labels=tuple(mode_label(name, tables, lang) for name in ids),
        mw=np.stack([part[1] for part in parts], axis=1),
        cost=np.broadcast_to([part[2] for part in parts], (n, len(ids))).copy(),
        lost=np.minimum(np.stack([np.broadcast_to(part[3], n) for part in parts], axis=1), 1.0),
        offered=offered,
        last=np.array([part[5] for part in parts]),
        verified=np.array([part[6] for part in parts]),
    )


def mode_label(mode: str, tables: RuleTables, lang: str = "zh") -> str:
    """Name of a mode for people: the names of its rows joined by ``+``."""
    if mode == AS_PLANNED:
        return "按规划" if lang == "zh" else "as planned"
    words = []
    for part in mode.split("+"):
        key, _, times = part.partition("*")
        words.append(str(tables.profile[key][f"name_{lang}"]) + (f"×{times}" if times else ""))
    return "+".join(words)
