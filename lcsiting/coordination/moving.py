"""Where a base station could stand instead: its network's station on a place nearby that is not in the plan."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lcsiting.coordination.modes import MOVE
from lcsiting.coordination.profile import RuleTables
from lcsiting.model import Project


def move_targets(
    project: Project, tables: RuleTables, station_ids: Collection[str], eligible: pd.DataFrame | None = None
) -> NDArray[np.int64]:
    """The station each new base station of a plan could be moved to, nearest first, none promised twice.

    Parameters
    ----------
    project : Project
    tables : RuleTables
        ``site_move`` gives ``within_m``; without the row nothing is moved.
    station_ids : collection of str
        The plan. Every station of it that is on air stays where it is.
    eligible : DataFrame, optional
        Schema table ``eligible``; a station that failed a rule is no target.

    Returns
    -------
    int64 (n_stations,)
        Row of ``Project.stations``; -1 where there is none.
    """
    stations, out = project.stations, np.full(len(project.stations), -1, dtype=np.int64)
    row = tables.profile.get(MOVE)
    if row is None:
        return out
    planned = stations["station_id"].isin(set(station_ids)).to_numpy(bool)
    open_ = ~stations["on_air"].to_numpy(bool)
    target = open_ & ~planned
    if eligible is not None:
        failed = eligible.loc[~eligible["passed"].astype(bool), "station_id"]
        target &= ~stations["station_id"].isin(set(failed)).to_numpy(bool)
    place, network = stations["place"].to_numpy(np.int64), stations["network_index"].to_numpy(np.int64)
    points = np.column_stack([project.places.geometry.x, project.places.geometry.y])[place]
    for one in np.unique(network):
        movers = np.flatnonzero(planned & open_ & (network == one))
        free = np.flatnonzero(target & (network == one))
        if not len(movers) or not len(free):
            continue
        near = cKDTree(points[movers]).sparse_distance_matrix(
            cKDTree(points[free]), float(row["within_m"]), output_type="coo_matrix"
        )
        taken = np.zeros(len(free), dtype=bool)
        for k in np.lexsort((near.col, near.row, near.data)):
            mover, goal = movers[near.row[k]], near.col[k]
            if out[mover] < 0 and not taken[goal] and place[mover] != place[free[goal]]:
                out[mover], taken[goal] = free[goal], True
    return out
