"""Stations in their modes, for a ranking that chooses one of them under the budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting.coordination.cases import make_case, make_scene
from lcsiting.coordination.exclusion import Wedges
from lcsiting.coordination.interference import Evaluation
from lcsiting.coordination.modes import AS_PLANNED, mode_ids
from lcsiting.model import Project

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Alternatives:
    """Stations as mutually exclusive items, one per mode, for ``rank_cover(modes=..., resources=...)``.

    Attributes
    ----------
    station_row : int32 (n,)
        Row of ``Project.stations``, ascending; items of one row exclude each other, the first is as planned.
    mode : ndarray of str (n,)
        ``modes.mode_settings`` says what it sets.
    cost, lost : float64 (n,)
        Relative cost of the measure; share of the coverage lost.
    load_mw : float64 (n, budgets)
        By the rows of ``Budgets``, measures at the protected stations not counted.
    """

    station_row: NDArray[np.int32]
    mode: NDArray[Any]
    cost: Floats
    lost: Floats
    load_mw: Floats


def alternatives(
    project: Project,
    evaluation: Evaluation,
    modes: Sequence[str] | None = None,
    lost: Mapping[str, ArrayLike] | None = None,
    wedges: Wedges | None = None,
) -> Alternatives:
    """Every station in the scope that is not on air, as planned and in each mode that keeps its own place.

    Parameters
    ----------
    project : Project
    evaluation : Evaluation
    modes : sequence of str, optional
        Only these modes beside as planned; all of ``modes.mode_ids`` by default.
    lost : mapping, optional
        As for :func:`lcsiting.coordination.remedies.remedies`.
    wedges : mapping, optional
        What beam exclusion sets (``exclusion.beam_wedges``); by the budgets of the evaluation if omitted.

    Notes
    -----
    Another place and nothing at all are what a ranking does by choosing other stations.
    """
    scene = make_scene(project, evaluation, None, None, wedges)
    tx, rows = evaluation.tx, evaluation.budgets.rows
    new = np.flatnonzero(scene.new)
    position = np.full(len(tx.row), -1)
    position[new] = np.arange(len(new))
    every = mode_ids(evaluation.tables, int(np.diff(tx.first).max(initial=1)))
    names = [mode for mode in every if mode == AS_PLANNED or modes is None or mode in modes]
    load = np.zeros((len(new), len(names), len(rows)))
    cost, share = np.zeros((2, len(new), len(names)))
    offered = np.zeros((len(new), len(names)), dtype=bool)
    offered[:, 0] = True
    for k in range(len(evaluation.protected)):
        case = make_case(project, evaluation, scene, k, [], (), lost, "zh")
        at, pick = position[case.item], [case.modes.ids.index(mode) for mode in names]
        budget_rows = np.flatnonzero(rows["protected"] == k)
        load[np.ix_(at, range(len(names)), budget_rows)] = case.modes.mw[:, pick] @ case.members.T
        cost[at], share[at] = case.modes.cost[:, pick], case.modes.lost[:, pick]
        offered[at] = case.modes.offered[:, pick]
    item, column = np.nonzero(offered)
    return Alternatives(
        station_row=tx.row[new][item],
        mode=np.array(names, dtype=object)[column],
        cost=cost[item, column],
        lost=share[item, column],
        load_mw=load[item, column],
    )
