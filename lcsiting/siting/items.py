"""What is ranked: the stations of a cover, or its places with all their networks."""

import math
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.errors import LayerError
from lcsiting.model import Cover, Project
from lcsiting.siting import dual
from lcsiting.siting.cellmap import AS_PLANNED

Ints = NDArray[np.int64]
AWAY = -1  # a station that its place does without


@dataclass(frozen=True)
class Items:
    """What is ranked: stations, or places with all their eligible networks.

    Attributes
    ----------
    indptr, indices : ndarray
        The cover by item.
    member_ptr, members : ndarray of int
        Stations of each item, as positions in the cover (compressed). A position is in several items where its
        place is offered in several modes; those may have different numbers of stations.
    place_of : ndarray of int, (n_items,)
        Position in ``Project.places``.
    units : int64 (n_items,)
        What an item uses up of a target.
    locked : bool (n_items,)
        On air.
    modes : int64 (n_items,) or None
        Items with the same number (-1: none) are modes of one station, or one place, and exclude each other.
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

    @property
    def further_modes(self) -> NDArray[np.bool_]:
        """Items that are another mode of an item before them, so that a station or place counts once, (n_items,)."""
        if self.modes is None:
            return np.zeros(len(self.units), bool)
        return pd.Series(self.modes).duplicated().to_numpy() & (self.modes >= 0)


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


def _plain(cover: Cover) -> NDArray[np.bool_]:
    """Whether each item of a cover is its station as planned, (n_items,)."""
    if cover.modes is None:
        return np.ones(len(cover.station_rows), bool)
    plain = ~pd.Series(cover.station_rows).duplicated().to_numpy()
    wrong = plain != (cover.modes == AS_PLANNED)
    if wrong.any():
        names = ", ".join(dict.fromkeys(cover.station_ids[wrong][:5]))
        raise LayerError(
            f"cover: {wrong.sum()} items are not one {AS_PLANNED!r} item per station before its other modes "
            f"(stations {names}). Build the cover with the plain mode first."
        )
    return plain


def _by_station(cover: Cover) -> tuple[Ints, Ints, Ints | None]:
    """Members, their ends and mode groups where every item of the cover is one to rank."""
    n = len(cover.station_rows)
    rows = pd.Series(cover.station_rows)
    modes = None if cover.modes is None else np.where(rows.duplicated(keep=False), rows, -1).astype(np.int64)
    return np.arange(n), np.arange(n + 1), modes


def _ways(offered: list[list[int]], weight: Ints, most: int) -> list[tuple[int, ...]]:
    """Every combination of the modes of a place's stations, as planned first; at least one station in each.

    ``offered``: positions of each station, as planned first; ``AWAY`` among them if it may stay away. If there are more
    combinations than ``most``, the station with the most modes offers one less: of those between the one that covers
    most and the one that covers least, then the one that covers most.
    """
    kept = list(offered)
    while math.prod(map(len, kept)) > most:
        k = max(range(len(kept)), key=lambda at: len(kept[at]))
        modes = sorted(kept[k][1:], key=lambda position: 0 if position == AWAY else -weight[position])
        gone = modes[(len(modes) - 1) // 2]
        kept[k] = [position for position in kept[k] if position != gone]
    some = (tuple(position for position in way if position != AWAY) for way in product(*kept))
    return [way for way in some if way]


def _by_place(
    cover: Cover, stations: pd.DataFrame, plain: NDArray[np.bool_], most: int
) -> tuple[Ints, Ints, Ints | None]:
    """Members, their ends and mode groups of places: each combination of the modes of its stations, plain first."""
    place, on_air = stations["place"].to_numpy(np.int64), stations["on_air"].to_numpy(bool)
    at = np.flatnonzero(plain)
    order = at[np.lexsort((stations["network_index"].to_numpy()[at], ~on_air[at], place[at]))]
    key = np.column_stack([place, on_air])[order]
    first = np.ones(len(order), bool)
    first[1:] = (key[1:] != key[:-1]).any(axis=1)
    ends = np.append(np.flatnonzero(first), len(order)).astype(np.int64)
    if cover.modes is None:
        return order, ends, None
    offered = pd.Series(range(len(plain))).groupby(cover.station_rows).agg(list).to_dict()
    for row in np.unique(cover.station_rows[~plain & ~on_air]):
        offered[row].append(AWAY)
    weight = dual.item_sums(cover.indptr, cover.indices, cover.row_weight)
    ways = [_ways([offered[row] for row in cover.station_rows[order[a:b]]], weight, most) for a, b in pairwise(ends)]
    count = np.array([len(some) for some in ways], np.int64)
    size = np.array([len(way) for some in ways for way in some], np.int64)
    members = np.array([k for some in ways for way in some for k in way], np.int64)
    modes = np.repeat(np.where(count > 1, np.arange(len(ways)), -1), count)
    return members, np.concatenate([[0], np.cumsum(size)]).astype(np.int64), modes


def make_items(project: Project, cover: Cover) -> Items:
    """Group the stations of a cover into the items of the project's unit.

    With ``unit = "place"`` an item carries every eligible network of its place. What is on air on a
    place is an item of its own; the place's other networks are a second item that uses no unit. Where
    stations are offered in modes, every combination of those of an item's stations is one more item, and so is
    every combination without some of these stations: a place need not wait for the one that finds no room. There
    are at most ``place_ways`` (``rules/ranking``) of a place.

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
    LayerError
        The plain mode of a station does not come first.
    """
    plain = _plain(cover)
    stations = project.stations.iloc[cover.station_rows]
    table = rules.load("ranking", project.root / "rules")
    place, on_air = stations["place"].to_numpy(np.int64), stations["on_air"].to_numpy(bool)
    own, sibling = _preference(project, stations, table)
    by_place = project.config.phases[0].unit == "place"
    if by_place:
        most = int(table["place_ways"]["value"])
        members, member_ptr, modes = _by_place(cover, stations, plain, most)
    else:
        members, member_ptr, modes = _by_station(cover)
    indptr, indices = gather(cover.indptr, cover.indices, members)
    heads = member_ptr[:-1]
    lead = members[heads]
    live = np.zeros(len(project.places), bool)
    live[place[on_air]] = True
    free = live[place[lead]] & ~on_air[lead] & by_place
    return Items(
        indptr=indptr[member_ptr],
        indices=indices,
        member_ptr=member_ptr,
        members=members,
        place_of=place[lead].astype(np.int32),
        units=np.where(free, 0, 1).astype(np.int64),
        locked=on_air[lead] & np.logical_and.reduceat(plain[members], heads),
        steps=own[lead],
        sibling_steps=sibling[lead],
        modes=modes,
    )
