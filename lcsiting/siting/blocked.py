"""Which stations were passed over because a budget had no room for them, in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lcsiting.model import Cover
from lcsiting.siting.plan_tables import Chosen

ROUNDING = 1e-8  # share of a budget: loads are rounded up when ranked
NAMES_SHOWN = 2


def blocked_reasons(cover: Cover, chosen: Chosen, resources: Any, names: Sequence[str]) -> "pd.Series[str]":
    """Reason of every station that would still add weight but fits no budget in any of its modes.

    Parameters
    ----------
    cover, chosen : Cover, Chosen
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
    owner = np.repeat(np.arange(len(cover.station_rows)), np.diff(indptr))
    taken = np.zeros(len(cover.station_rows), bool)
    taken[chosen.rows["position"].to_numpy(np.int64)] = True
    scale = np.maximum(room, 1e-300)
    np.subtract.at(room, indices[taken[owner]], loads[taken[owner]])
    wants = ~taken & (chosen.unused_gain > 0)
    over = wants[owner] & (loads > room[indices] - ROUNDING * scale[indices])
    fits = wants.copy()
    fits[owner[over]] = False
    pairs = pd.DataFrame({"row": cover.station_rows[owner[over]], "resource": indices[over]}).drop_duplicates()
    pairs = pairs[~pairs["row"].isin(cover.station_rows[fits])]
    out = {}
    for row, group in pairs.groupby("row", sort=True)["resource"]:
        shown = "、".join(names[k] for k in group.iloc[:NAMES_SHOWN])
        more = f"等{len(group)}项" if len(group) > NAMES_SHOWN else ""
        out[row] = f"加入后将超出{shown}{more}"
    return pd.Series(out, dtype=object)
