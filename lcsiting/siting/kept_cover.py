"""What a plan covers on the demand cells, phase by phase, while single stations get other antennas."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting.coverage.sectors import build_sectors
from lcsiting.model import Cover, Plan, Project
from lcsiting.siting.cover import cover_rows

Rows = NDArray[np.int64]


class Change(NamedTuple):
    """Demand rows a station no longer serves, and those it serves newly."""

    station_row: int
    lost: Rows
    won: Rows


class KeptCover:
    """The covered weight (people and area) of every service in every phase, none of which may fall.

    Parameters
    ----------
    project, plan : Project, Plan
        The plan's stations with the antennas they have so far.
    cover : Cover
        Gives demand cells and weights.
    threads : int, optional
        All cores if omitted; the answers do not depend on it.
    """

    def __init__(self, project: Project, plan: Plan, cover: Cover, *, threads: int | None = None) -> None:
        years = [phase.year for phase in project.config.phases]
        table = plan.stations
        rows = pd.Index(project.stations["station_id"]).get_indexer(pd.Index(table["station_id"])).astype(np.int64)
        start = np.searchsorted(years, np.where(table["status"] == "on_air", 0, table["phase_year"]))
        indptr, indices = cover_rows(project, rows, cover.cells, threads=threads)
        self._cells, self._weight, self._services = cover.cells, cover.row_weight, len(cover.services)
        self._rows = {int(row): indices[indptr[k] : indptr[k + 1]].astype(np.int64) for k, row in enumerate(rows)}
        self._first = dict(zip(rows.tolist(), start.tolist(), strict=True))
        owner = np.repeat(start, np.diff(indptr))
        self._serving = np.cumsum(
            [np.bincount(indices[owner == p], minlength=len(self._weight)) for p in range(len(years))], axis=0
        ).astype(np.int32)

    def shares(self) -> list[float]:
        """Covered share of the weight at the end of each phase."""
        total = max(int(self._weight.sum()), 1)
        return [int(self._weight[one > 0].sum()) / total for one in self._serving]

    def change(self, project: Project, station_row: int) -> Change | None:
        """What changes if a station of the plan is as ``project`` has it; None if a service loses in some phase."""
        old, new = self._rows[station_row], station_cover(project, station_row, self._cells)
        lost, won = np.setdiff1d(old, new, assume_unique=True), np.setdiff1d(new, old, assume_unique=True)
        for serving in self._serving[self._first[station_row] :]:
            gone, new = lost[serving[lost] == 1], won[serving[won] == 0]
            if (self._by_service(new) < self._by_service(gone)).any():
                return None
        return Change(station_row, lost, won)

    def take(self, change: Change) -> None:
        """A change is so from now on."""
        station_row, lost, won = change
        after = self._serving[self._first[station_row] :]
        after[:, lost] -= 1
        after[:, won] += 1
        self._rows[station_row] = np.union1d(np.setdiff1d(self._rows[station_row], lost, assume_unique=True), won)

    def _by_service(self, rows: Rows) -> Rows:
        out = np.zeros(self._services, np.int64)
        np.add.at(out, rows // len(self._cells) % self._services, self._weight[rows])
        return out


def station_cover(project: Project, station_row: int, cells: pd.DataFrame) -> Rows:
    """The demand rows one station serves: :func:`cover.cover_rows` on the cells within its reach."""
    site = build_sectors(project, [station_row])
    reach = site.reach_m[0] + project.config.demand.resolution_m
    near = (np.abs(cells["x_m"].to_numpy() - site.x_m[0]) <= reach) & (
        np.abs(cells["y_m"].to_numpy() - site.y_m[0]) <= reach
    )
    where = np.flatnonzero(near)
    rows = cover_rows(project, [station_row], cells[near], threads=1)[1].astype(np.int64)
    return rows // len(where) * len(cells) + where[rows % len(where)] if len(rows) else rows


def with_stations_anew(project: Project, cover: Cover, station_rows: ArrayLike, **options: Any) -> Cover:
    """A cover in which some stations' rows are computed anew with the antennas ``project`` gives them.

    Parameters
    ----------
    project, cover : Project, Cover
    station_rows : array_like of int
        Rows of ``project.stations``; those the cover lacks are left out.
    **options
        ``threads``, as for :func:`cover.cover_rows`.
    """
    items = np.flatnonzero(np.isin(cover.station_rows, np.asarray(station_rows)))
    indptr, indices = cover_rows(project, cover.station_rows[items], cover.cells, **options)
    parts = [cover.indices[cover.indptr[i] : cover.indptr[i + 1]] for i in range(len(cover.station_ids))]
    for k, item in enumerate(items):
        parts[item] = indices[indptr[k] : indptr[k + 1]]
    stops = np.cumsum([len(part) for part in parts], dtype=np.int64)
    joined = np.concatenate([np.zeros(0, np.int32), *parts])
    return dataclasses.replace(cover, indptr=np.concatenate([[0], stops]).astype(np.int64), indices=joined)
