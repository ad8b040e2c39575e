"""What is ranked: the stations of a cover, or its places with all their networks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.errors import ConfigError, LayerError
from lcsiting.model import Cover, Project
from lcsiting.siting.cellmap import AS_PLANNED

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Items:
    """What is ranked: stations, or places with all their eligible networks.

    Attributes
    ----------
    indptr, indices : ndarray
        The cover by item.
    member_ptr, members : ndarray of int
        Stations of each item, as positions in the cover (compressed).
    place_of : ndarray of int, (n_items,)
        Position in ``Project.places``.
    units : int64 (n_items,)
        What an item uses up of a target.
    locked : bool (n_items,)
        On air.
    modes : int64 (n_items,) or None
        Items with the same number (-1: none) are modes of one station and exclude each other.
    steps, sibling_steps : float64 (n_items,)
        Preference as a share of the block's median first gain; ``sibling_steps`` once the place is open.
    """

    indptr: Ints
    indices: NDArray[np.int32]
    member_ptr: Ints
    members: NDArray[np.int64]
    place_of: NDArray[np.int32]
    units: Ints
    locked: NDArray[np.bool_]
    steps: NDArray[np.float64]
    sibling_steps: NDArray[np.float64]
    modes: Ints | None = None


def gather(indptr: Ints, indices: NDArray[np.int32], order: Ints) -> tuple[Ints, NDArray[np.int32]]:
    """The rows of a compressed matrix in another order."""
    if np.array_equal(order, np.arange(len(indptr) - 1)):
        return indptr, indices
    parts = [indices[indptr[i] : indptr[i + 1]] for i in order]
    lengths = np.array([len(part) for part in parts], np.int64)
    return np.concatenate([[0], np.cumsum(lengths)]), np.concatenate([np.empty(0, np.int32), *parts])


def _preference(project: Project, stations: pd.DataFrame, table: dict[str, Any]) -> tuple[Any, Any]:
    """Preference of each station, as shares of a median gain: its own, and when its place is open."""
    if not project.config.ranking.preference:
        return np.zeros(len(stations)), np.zeros(len(stations))
    rank = project.places["host_rank"].to_numpy(float)[stations["place"]]
    cost, second = stations["cost"].to_numpy(float), stations["second_cost"].to_numpy(float)
    per_cost = table["preference_per_cost_unit"]["value"]
    own = table["preference_per_rank_step"]["value"] * (rank.max(initial=0) - rank)
    own += per_cost * (cost.max(initial=0) - cost)
    return own, table["preference_shared_place"]["value"] + per_cost * np.maximum(cost - second, 0)


def station_modes(project: Project, cover: Cover) -> tuple[Ints | None, NDArray[np.bool_]]:
    """Mode group of each item of a cover (-1: its station has no other) and whether it is the plain one, (n_items,)."""
    n = len(cover.station_rows)
    if cover.modes is None:
        return None, np.ones(n, bool)
    if project.config.phases[0].unit == "place":
        raise ConfigError(
            'phases: stations are offered in several modes, which is ranked by station only; set unit = "station" '
            "in [[phases]], or leave the modes out."
        )
    rows = pd.Series(cover.station_rows)
    plain = ~rows.duplicated().to_numpy()
    wrong = plain != (cover.modes == AS_PLANNED)
    if wrong.any():
        names = ", ".join(dict.fromkeys(cover.station_ids[wrong][:5]))
        raise LayerError(
            f"cover: {wrong.sum()} items are not one {AS_PLANNED!r} item per station before its other modes "
            f"(stations {names}). Build the cover with the plain mode first."
        )
    return np.where(rows.duplicated(keep=False), rows, -1).astype(np.int64), plain


def make_items(project: Project, cover: Cover) -> Items:
    """Group the stations of a cover into the items of the project's unit.

    With ``unit = "place"`` an item carries every eligible network of its place. What is on air on a
    place is an item of its own; the place's other networks are a second item that uses no unit.

    Parameters
    ----------
    project : Project
        For the unit, the preference and the costs.
    cover : Cover
        Its stations.

    Returns
    -------
    Items
        What is on air is locked as it is planned; its other modes can then not be chosen.

    Raises
    ------
    ConfigError
        Modes are ranked with ``unit = "place"``.
    LayerError
        The plain mode of a station does not come first.
    """
    modes, plain = station_modes(project, cover)
    stations = project.stations.iloc[cover.station_rows]
    table = rules.load("ranking", project.root / "rules")
    place, on_air = stations["place"].to_numpy(np.int64), stations["on_air"].to_numpy(bool)
    own, sibling = _preference(project, stations, table)
    if project.config.phases[0].unit == "station":
        order, first = np.arange(len(place)), np.ones(len(place), bool)
    else:
        order = np.lexsort((stations["network_index"].to_numpy(), ~on_air, place))
        key = np.column_stack([place, on_air])[order]
        first = np.ones(len(place), bool)
        first[1:] = (key[1:] != key[:-1]).any(axis=1)
    indptr, indices = gather(cover.indptr, cover.indices, order)
    heads = np.flatnonzero(first)
    member_ptr = np.append(heads, len(order)).astype(np.int64)
    lead = order[heads]
    live = np.zeros(len(project.places), bool)
    live[place[on_air]] = True
    free = live[place[lead]] & ~on_air[lead] & (project.config.phases[0].unit == "place")
    return Items(
        indptr=indptr[member_ptr],
        indices=indices,
        member_ptr=member_ptr,
        members=order,
        place_of=place[lead].astype(np.int32),
        units=np.where(free, 0, 1).astype(np.int64),
        locked=on_air[lead] & plain[lead],
        steps=own[lead],
        sibling_steps=sibling[lead],
        modes=modes,
    )
