"""Which stations were passed over because a budget had no room for them, in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.model import Cover
from lcsiting.siting.items import Items, gather
from lcsiting.siting.plan_tables import Chosen

ROUNDING = 1e-8  # share of a budget: loads are rounded up when ranked
NAMES_SHOWN = 2


def _by_item(items: Items, needed: Any, width: int, there: NDArray[np.bool_]) -> tuple[NDArray[Any], ...]:
    """Item, resource and load of all that an item's stations need together beside those that are there, each once."""
    indptr, indices, loads = needed
    ptr, resource = gather(indptr, indices, items.members)
    _, load = gather(indptr, loads, items.members)
    item = np.repeat(np.arange(len(items.units)), np.diff(ptr[items.member_ptr]))
    new = np.repeat(~there[items.members], np.diff(ptr))
    pair, at = np.unique(item[new] * max(width, 1) + resource[new], return_inverse=True)
    return pair // max(width, 1), pair % max(width, 1), np.bincount(at, weights=load[new], minlength=len(pair))


def blocked_reasons(
    cover: Cover, items: Items, chosen: Chosen, resources: Any, names: Sequence[str]
) -> "pd.Series[str]":
    """Reason of every station that would still add weight but fits no budget in any of its modes.

    Where places are ranked, a station fits if its place does, in some combination of modes with this station.

    Parameters
    ----------
    cover, items, chosen : Cover, Items, Chosen
        What was ranked, and what the last phase holds.
    resources : tuple
        As in :func:`lcsiting.siting.phases.rank`.
    names : sequence of str
        What a planner calls each resource.

    Returns
    -------
    Series of str
        By row of ``Project.stations``.
    """
    (indptr, indices, loads), limits = resources
    room = np.atleast_2d(np.asarray(limits, float))[-1].copy()
    scale = np.maximum(room, 1e-300)
    taken = np.zeros(len(cover.station_rows), bool)
    taken[chosen.rows["position"].to_numpy(np.int64)] = True
    used = taken[np.repeat(np.arange(len(taken)), np.diff(indptr))]
    np.subtract.at(room, indices[used], loads[used])
    size, heads = np.diff(items.member_ptr), items.member_ptr[:-1]
    whole, gain = np.logical_and.reduceat(taken[items.members], heads), np.zeros(len(size))
    np.add.at(gain, np.repeat(np.arange(len(size)), size), chosen.unused_gain[items.members])
    wants = ~whole & (gain > 0)
    item, resource, load = _by_item(items, resources[0], len(room), taken)
    over = wants[item] & (load > room[resource] - ROUNDING * scale[resource])
    fits = wants & ~np.isin(np.arange(len(size)), item[over])
    rows = cover.station_rows[items.members]
    fitting = rows[np.repeat(fits, size)]
    parts = [rows[items.member_ptr[i] : items.member_ptr[i + 1]] for i in item[over]]
    pairs = pd.DataFrame(
        {
            "row": np.concatenate([rows[:0], *parts]),
            "resource": np.repeat(resource[over], size[item[over]]),
        }
    ).drop_duplicates()
    gaining = cover.station_rows[chosen.unused_gain > 0]
    pairs = pairs[pairs["row"].isin(gaining) & ~pairs["row"].isin(fitting)]
    owner = np.repeat(cover.station_rows, np.diff(indptr))
    own, out = set(zip(owner.tolist(), indices.tolist(), strict=True)), {}
    for row, group in pairs.groupby("row", sort=True):
        which = group["resource"]
        itself = any((row, k) in own for k in which)
        shown = "、".join(names[k] for k in which.iloc[:NAMES_SHOWN])
        more = f"等{len(which)}项" if len(which) > NAMES_SHOWN else ""
        out[row] = f"{'' if itself else '所在站址'}加入后将超出{shown}{more}"
    return pd.Series(out, dtype=object)
