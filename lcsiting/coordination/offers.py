"""Base stations in further modes, for a ranking under the budgets: which are worth offering, and what they bring.

Only a station that loads a budget noticeably is offered in modes; the others fit or are what they are. A mode must
bring less and must fit into what the last phase leaves of every budget if it came alone. The operator's other band
brings nothing and often covers more: it is no mode to weigh against these, but for those a plan had no room for
(``held``).
"""

import os
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.coordination import paths, physics
from lcsiting.coordination.aggregate import Budgets, columns_of
from lcsiting.coordination.alternatives import alternatives
from lcsiting.coordination.exclusion import beam_wedges
from lcsiting.coordination.interference import Evaluation
from lcsiting.coordination.modes import AS_PLANNED, OTHER_BAND, mode_ids, mode_settings
from lcsiting.coordination.profile import profile_row
from lcsiting.coordination.protected import overload_terms
from lcsiting.model import Plan, Project

Floats = NDArray[np.float64]
SLACK = 1.2  # a mode this much above what is left is still computed: path losses change a little with the gain
RELIEF = 0.9  # of the load of the next better mode: one that brings hardly less is not offered

Settings = Mapping[str, pd.DataFrame]


def _shares(budgets: Budgets, mw: Floats) -> Floats:
    """Largest share of what the last phase leaves of a binding budget, over the last axis (the budgets)."""
    binding = budgets.rows["binding"].to_numpy(bool)
    room = np.maximum(budgets.remaining_mw[:, -1], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(mw > 0, mw / room, 0.0)[..., binding]
    return np.asarray(share.max(axis=-1, initial=0.0), dtype=np.float64)


def worth_offering(
    project: Project, evaluation: Evaluation, budgets: Budgets, station_rows: NDArray[np.int32]
) -> tuple[Settings, "pd.Series[float]"]:
    """Modes that could be offered, before it is known what they cover.

    Parameters
    ----------
    project, evaluation : Project, Evaluation
    budgets : Budgets
        What the plan is held to.
    station_rows : ndarray of int
        Rows of ``Project.stations`` that can be ranked.

    Returns
    -------
    settings : dict
        Mode id to a frame as :func:`modes.mode_settings` gives it, the stations worth offering in it.
    share : Series
        By (station row, mode), as planned included: the largest share of what is left of a budget it would take.
    """
    row = profile_row(evaluation.tables, "mode_offer", "min_share")
    ids = mode_ids(evaluation.tables, int(np.diff(evaluation.tx.first).max(initial=1)))
    usable = [mode for mode in ids if mode != OTHER_BAND]
    wedges = beam_wedges(project, evaluation, budgets)
    ways = alternatives(project, evaluation, usable, wedges=wedges)
    share = _shares(budgets, ways.load_mw)
    plain = pd.Series(share[ways.mode == AS_PLANNED], index=ways.station_row[ways.mode == AS_PLANNED])
    own = plain.reindex(ways.station_row).to_numpy()
    candidate = np.isin(ways.station_row, station_rows) & (own >= float(row["min_share"]))
    worth = candidate & ((ways.mode == AS_PLANNED) | ((share <= SLACK) & (share <= RELIEF * own)))
    kept = pd.Series(share[worth], index=pd.MultiIndex.from_arrays([ways.station_row[worth], ways.mode[worth]]))
    settings = {}
    for mode in usable[1:]:
        rows = ways.station_row[worth & (ways.mode == mode)]
        if len(rows):
            settings |= mode_settings(project, evaluation.tables, rows, [mode], wedges)
    return settings, kept


def least_covering(share: "pd.Series[float]", weight: "pd.Series[float]", most: int) -> "pd.MultiIndex":
    """The modes to offer: each station's best covering ones, each bringing clearly less than the one before.

    Parameters
    ----------
    share, weight : Series
        By (station row, mode): of :func:`worth_offering`; weight covered, as planned included.
    most : int
        So many modes of a station beside as planned.
    """
    table = pd.DataFrame({"share": share, "weight": weight}).dropna()
    table.index.names = ["row", "mode"]
    table = table.reset_index().sort_values(["row", "weight", "share"], ascending=[True, False, True], kind="stable")
    keep, last, lowest, count = np.zeros(len(table), dtype=bool), -1, np.inf, 0
    for k, (row, mode, one, covered) in enumerate(table[["row", "mode", "share", "weight"]].itertuples(index=False)):
        if row != last:
            last, lowest, count = row, np.inf, 0
        if mode == AS_PLANNED:
            lowest = min(lowest, one)
        elif count < most and one <= RELIEF * lowest and covered > 0:
            keep[k], lowest, count = True, one, count + 1
    chosen = table[keep]
    return pd.MultiIndex.from_arrays([chosen["row"], chosen["mode"]])


def with_offers(
    project: Project, evaluation: Evaluation, budgets: Budgets, settled: Mapping[str, Project], settings: Settings
) -> Budgets:
    """The budgets with a column for each station in each mode offered, from levels computed anew.

    Parameters
    ----------
    project, evaluation, budgets : Project, Evaluation, Budgets
        ``budgets`` with a column for each station as planned, or in modes already.
    settled : mapping
        Mode id to the project with that mode's settings at its stations.
    settings : mapping
        Mode id to the frame of its stations.

    Returns
    -------
    Budgets
        Columns of the modes behind those there, ``modes`` set; a mode that leaves the scope has no load. Not through
        ``component_weights``: path losses of P.452 depend a little on the gains, so each mode's pairs are computed
        from its own settings.
    """
    land = paths.read_land(project)
    which = [np.repeat(np.arange(len(budgets.rows)), np.diff(budgets.indptr))]
    parts = {"indices": [budgets.indices], "mw": [budgets.mw], "envelope_mw": [budgets.envelope_mw]}
    station_rows = [budgets.station_rows]
    plain = np.full(len(budgets.station_rows), AS_PLANNED, dtype=object)
    names = [plain if budgets.modes is None else budgets.modes]
    first = len(budgets.station_rows)
    for mode, frame in settings.items():
        tx = paths.transmitters(settled[mode], evaluation.tables, station_rows=frame.index.to_numpy(np.int64))
        pairs, levels = physics.pairs_of(tx, evaluation.protected, land, evaluation.tables, threads=os.cpu_count() or 1)
        column = frame.index.get_indexer(tx.row)  # who leaves the scope has no pairs
        for b, (k, mechanism, limit_dbm) in enumerate(
            budgets.rows[["protected", "mechanism", "limit_dbm"]].itertuples(index=False)
        ):
            span = slice(pairs.first[k], pairs.first[k + 1])
            mw, top = levels.average_mw[span], levels.envelope_mw[span]
            if mechanism == "overload":
                record = evaluation.protected.iloc[k]
                own = overload_terms(record, pairs.co[span], evaluation.tables)[0]
                weight = 10 ** (0.1 * (limit_dbm - own))
                mw, top = levels.overload_mw[span] * weight, levels.overload_envelope_mw[span] * weight
            which.append(np.full(len(mw), b))
            parts["indices"].append(first + column[pairs.tx[span]])
            parts["mw"].append(mw)
            parts["envelope_mw"].append(top)
        station_rows.append(frame.index.to_numpy(np.int32))
        names.append(np.full(len(frame), mode, dtype=object))
        first += len(frame)
    order = np.argsort(np.concatenate(which), kind="stable")
    counts = np.bincount(np.concatenate(which), minlength=len(budgets.rows))
    rows = np.concatenate(station_rows)
    return replace(
        budgets,
        station_rows=rows,
        modes=np.concatenate(names),
        on_air=np.concatenate([budgets.on_air, np.zeros(len(rows) - len(budgets.on_air), dtype=bool)]),
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        **{name: np.concatenate(values)[order] for name, values in parts.items()},
    )


def settled(project: Project, budgets: Budgets, plan: Plan) -> Budgets:
    """Budgets with one column for each station again: in the mode the plan chose, else as planned.

    The columns of what was offered and not chosen are gone, and so are stations that left the scope; rows and what
    remains stay.
    """
    if budgets.modes is None:
        return budgets
    stations = plan.stations[plan.stations["mode"] != ""]
    rows = pd.Index(project.stations["station_id"]).get_indexer(stations["station_id"])
    plain = budgets.modes == AS_PLANNED
    target = np.where(plain, np.arange(len(plain)), -1)
    chosen, place = columns_of(budgets, rows, stations["mode"]), columns_of(budgets, rows)
    target[place], target[chosen] = -1, place
    plain[place[(stations["mode"] == OTHER_BAND).to_numpy()]] = False
    at = target[budgets.indices]
    keep = np.flatnonzero(at >= 0)
    which = np.repeat(np.arange(len(budgets.rows)), np.diff(budgets.indptr))[keep]
    order = np.lexsort((at[keep], which))
    number = np.cumsum(plain) - 1  # of the columns that stay
    counts = np.bincount(which, minlength=len(budgets.rows))
    return replace(
        budgets,
        station_rows=budgets.station_rows[plain],
        on_air=budgets.on_air[plain],
        modes=None,
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        indices=number[at[keep][order]],
        mw=budgets.mw[keep][order],
        envelope_mw=budgets.envelope_mw[keep][order],
    )
