"""What stations in other modes cover: tilted, turned, turned down, without sectors or beams, or in another band."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.coverage.antennas import with_settings
from lcsiting.model import Cover, Project
from lcsiting.siting.cellmap import AS_PLANNED
from lcsiting.siting.cover import cover_rows
from lcsiting.siting.items import gather


def lost_shares(
    project: Project, matrix: Cover, settings: Mapping[str, pd.DataFrame], *, threads: int | None = None
) -> dict[str, NDArray[np.float64]]:
    """Share of its covered weight each station loses in each mode.

    Parameters
    ----------
    project : Project
    matrix : Cover
        The stations as planned.
    settings : mapping
        Mode to a frame indexed by row of ``Project.stations`` with what it sets (:func:`settings_applied`).
    threads : int, optional
        All cores if omitted; the result does not depend on it.

    Returns
    -------
    dict
        Mode to float64 over ``Project.stations``, 0-1; 0 where more is covered than before, NaN where the station is
        not in ``matrix``, covers nothing, or has no such mode.
    """
    plain = np.zeros(len(project.stations))
    plain[matrix.station_rows] = _weights(matrix.indptr, matrix.indices, matrix.row_weight)
    ranked = np.zeros(len(project.stations), dtype=bool)
    ranked[matrix.station_rows] = True
    out = {}
    for mode, frame in settings.items():
        mine = frame[ranked[frame.index.to_numpy()]]
        rows = mine.index.to_numpy(np.int64)
        share = np.full(len(project.stations), np.nan)
        changed = settings_applied(project, mine)
        left = _weights(*cover_rows(changed, rows, matrix.cells, threads=threads), matrix.row_weight)
        with np.errstate(invalid="ignore", divide="ignore"):
            share[rows] = np.where(plain[rows] > 0, np.clip(1.0 - left / plain[rows], 0.0, 1.0), np.nan)
        out[mode] = share
    return out


def moved_shares(project: Project, matrix: Cover, target: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of its covered weight each station loses by standing at another place instead.

    Parameters
    ----------
    project : Project
    matrix : Cover
    target : int64 (n_stations,)
        Row of ``Project.stations`` it moves to, -1 for none (``coordination.moving.move_targets``).

    Returns
    -------
    float64 (n_stations,)
        NaN where there is no target, the station covers nothing, or one of the two is not in ``matrix``.
    """
    item = np.full(len(project.stations) + 1, -1, dtype=np.int64)
    item[matrix.station_rows] = np.arange(len(matrix.station_rows))
    out = np.full(len(project.stations), np.nan)
    for row in np.flatnonzero((target >= 0) & (item[:-1] >= 0) & (item[target] >= 0)):
        mine, other = (matrix.indices[matrix.indptr[k] : matrix.indptr[k + 1]] for k in (item[row], item[target[row]]))
        whole = matrix.row_weight[mine].sum()
        if whole > 0:
            out[row] = 1.0 - matrix.row_weight[np.intersect1d(mine, other, assume_unique=True)].sum() / whole
    return out


def _weights(indptr: NDArray[np.int64], indices: NDArray[np.int32], weight: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight covered by each station."""
    total = np.concatenate([[0], np.cumsum(weight[indices], dtype=np.int64)])
    return (total[indptr[1:]] - total[indptr[:-1]]).astype(np.float64)


def some_items(matrix: Cover, keep: NDArray[np.int64]) -> Cover:
    """A cover of some of its items, in the order given."""
    indptr, indices = gather(matrix.indptr, matrix.indices, keep)
    return replace(
        matrix,
        station_ids=matrix.station_ids[keep],
        station_rows=matrix.station_rows[keep],
        indptr=indptr,
        indices=indices,
        modes=None if matrix.modes is None else matrix.modes[keep],
    )


def settings_applied(project: Project, frame: pd.DataFrame) -> Project:
    """The project with the settings of a frame indexed by station row: its columns, arguments of ``with_settings``."""
    return with_settings(
        project, frame.index.to_numpy(np.int64), **{name: frame[name].tolist() for name in frame.columns}
    )


def with_modes(
    project: Project, matrix: Cover, settings: Mapping[str, pd.DataFrame], *, threads: int | None = None
) -> Cover:
    """The stations of a cover in further modes, each beside the items it has.

    Parameters
    ----------
    project : Project
    matrix : Cover
        The stations as planned, or in modes already.
    settings : mapping
        As for :func:`lost_shares`; rows of stations that ``matrix`` lacks are left out.
    threads : int, optional
        All cores if omitted; the result does not depend on it.

    Returns
    -------
    Cover
        In the order of ``matrix``, each station's further modes behind what it has there, in the order given.
    """
    there = np.full(len(matrix.station_rows), AS_PLANNED, object) if matrix.modes is None else matrix.modes
    rows, names, counts, parts = [matrix.station_rows], [there], [], []
    for mode, every in settings.items():
        frame = every[np.isin(every.index.to_numpy(), matrix.station_rows)]
        mine = frame.index.to_numpy(np.int64)
        indptr, indices = cover_rows(settings_applied(project, frame), mine, matrix.cells, threads=threads)
        rows.append(mine.astype(np.int32))
        names.append(np.full(len(mine), mode, object))
        counts.append(np.diff(indptr))
        parts.append(indices)
    row = np.concatenate(rows)
    both = replace(
        matrix,
        station_ids=project.stations["station_id"].to_numpy(object)[row],
        station_rows=row,
        indptr=np.concatenate([[0], np.cumsum(np.concatenate([np.diff(matrix.indptr), *counts]))]).astype(np.int64),
        indices=np.concatenate([matrix.indices, *parts]),
        modes=np.concatenate(names),
    )
    place = np.empty(len(project.stations), dtype=np.int64)
    place[matrix.station_rows] = np.arange(len(matrix.station_rows))
    return some_items(both, np.argsort(place[row], kind="stable"))


def covered_weights(matrix: Cover) -> NDArray[np.float64]:
    """Weight each item of a cover covers."""
    return _weights(matrix.indptr, matrix.indices, matrix.row_weight)
