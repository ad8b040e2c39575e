"""The budgets of protected stations, kept while single base stations of a plan get other antennas."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.coordination import measures, paths, physics
from lcsiting.coordination.aggregate import Budgets, level_dbm
from lcsiting.coordination.interference import Evaluation, _table, _verdict_parts
from lcsiting.model import Plan, Project

SLACK = 1e-12  # relative: the same sum added up in another order

Floats = NDArray[np.float64]


class _Station(NamedTuple):
    """What one base station brings (``entries`` of the budgets' matrix, mW), and what is said of it.

    ``pairs``: verdict code by protected station and mechanism; ``worst``: the worst code, how many protected
    stations are behind it, whether it is verified.
    """

    entries: NDArray[np.int64]
    mw: Floats
    pairs: dict[tuple[str, str], int]
    worst: tuple[int, int, bool]


class KeptBudgets:
    """Sums at protected stations in every phase, and the verdict on each base station, none of which may get worse.

    A change is refused where it lifts what new stations bring beyond what remained to them, or beyond what the plan
    took already if that was more, whether the budget binds or not; and where it alters what the plan says about the
    coordination of the station.

    Parameters
    ----------
    project, evaluation, budgets : Project, Evaluation, Budgets
        As the plan was ranked; the pairs of the evaluation are those of the budgets.
    plan : Plan
        Only its planned stations may be changed, not what is on air.
    """

    def __init__(self, project: Project, evaluation: Evaluation, budgets: Budgets, plan: Plan) -> None:
        years = np.array([phase.year for phase in project.config.phases])
        self._project, self._base, self._budgets = project, evaluation, budgets
        self._land, self._sets = paths.read_land(project), measures.measure_sets(evaluation.tables)
        table = plan.stations[plan.stations["status"] != "on_air"]
        rows = pd.Index(project.stations["station_id"]).get_indexer(pd.Index(table["station_id"]))
        start = np.full(len(project.stations), years[-1] + 1)
        start[rows] = table["phase_year"]
        self._in_service = start[evaluation.tx.row][:, None] <= years
        self._position = {int(row): k for k, row in enumerate(evaluation.tx.row)}
        self._which = np.repeat(np.arange(len(budgets.rows)), np.diff(budgets.indptr))
        self._mw = budgets.mw
        self._most = np.maximum(budgets.remaining_mw, self._used(self._mw)) * (1 + SLACK)
        self._recorded: dict[int, _Station] = {}

    def change(self, project: Project, station_row: int) -> Floats | None:
        """What all stations bring if a planned one is as ``project`` has it; None if something gets worse."""
        if station_row not in self._position:
            return self._mw
        if station_row not in self._recorded:
            self._recorded[station_row] = self._of(self._project, station_row)
        old, new = self._recorded[station_row], self._of(project, station_row)
        if new.worst != old.worst or any(code > old.pairs.get(key, 0) for key, code in new.pairs.items()):
            return None
        mw = self._mw.copy()
        mw[new.entries] = new.mw
        return None if (self._used(mw) > self._most).any() else mw

    def take(self, change: Floats) -> None:
        """A change is so from now on."""
        self._mw = change

    def _used(self, mw: Floats) -> Floats:
        """What the planned stations in service bring to each budget in each phase."""
        loads = mw[:, None] * self._in_service[self._budgets.indices]
        columns = [np.bincount(self._which, weights=one, minlength=len(self._budgets.rows)) for one in loads.T]
        return np.stack(columns, axis=1)

    def _of(self, project: Project, station_row: int) -> _Station:
        base, budgets = self._base, self._budgets
        tx = paths.transmitters(project, base.tables, station_rows=[station_row])
        pairs, levels = physics.pairs_of(tx, base.protected, self._land, base.tables)
        parts = _verdict_parts(project, tx, base.protected, pairs, levels, base.tables, self._sets)
        verdicts = _table(parts, project, base.protected, self._sets, base.tables)
        at = np.flatnonzero(base.pairs.tx == self._position[station_row])
        entries, mw = [], []
        for r, (k, mechanism) in enumerate(zip(budgets.rows["protected"], budgets.rows["mechanism"], strict=True)):
            for one, p in enumerate(at):
                if base.pairs.protected[p] == k:
                    entry = budgets.indptr[r] + p - base.pairs.first[k]
                    name = "overload_mw" if mechanism == "overload" else "average_mw"
                    entries.append(entry)
                    mw.append(budgets.mw[entry] * _ratio(getattr(levels, name)[one], getattr(base.levels, name)[p]))
        codes = verdicts["verdict"].cat.codes.to_numpy(np.int64)
        keys = zip(verdicts["protected_id"].astype(str), verdicts["mechanism"].astype(str), strict=True)
        worst = codes == codes.max(initial=0)
        behind = int(verdicts.loc[worst, "protected_id"].nunique())
        summary = (int(codes.max(initial=0)), behind, bool(verdicts.loc[worst, "verified"].all()))
        return _Station(
            np.array(entries, np.int64), np.array(mw), dict(zip(keys, codes.tolist(), strict=True)), summary
        )


def _ratio(new: NDArray[np.float64], old: NDArray[np.float64]) -> Floats:
    """New over old level; 1 where nothing arrives at all."""
    return np.asarray(np.divide(new, old, out=np.ones_like(np.asarray(new, float)), where=np.asarray(old) > 0))


def with_levels(budgets: Budgets, before: Evaluation, after: Evaluation) -> Budgets:
    """Budgets with the levels of another evaluation of the same pairs; limits and measures decided on stay.

    Parameters
    ----------
    budgets : Budgets
        Made with the pairs of ``before``.
    before, after : Evaluation
        Of one project with two settings of antennas that are not on air: what remains to new stations is the same.
    """
    mw, top = budgets.mw.copy(), budgets.envelope_mw.copy()
    for r, (k, mechanism) in enumerate(zip(budgets.rows["protected"], budgets.rows["mechanism"], strict=True)):
        mine, pairs = slice(budgets.indptr[r], budgets.indptr[r + 1]), slice(*before.pairs.first[k : k + 2])
        names = ("overload_mw", "overload_envelope_mw") if mechanism == "overload" else ("average_mw", "envelope_mw")
        for values, name in zip((mw, top), names, strict=True):
            values[mine] *= _ratio(getattr(after.levels, name)[pairs], getattr(before.levels, name)[pairs])
    changed = replace(budgets, mw=mw, envelope_mw=top)
    every = np.ones(len(budgets.station_rows), bool)
    candidates = level_dbm(changed, every)
    rows = budgets.rows.assign(
        candidates_dbm=candidates,
        envelope_dbm=level_dbm(changed, every, envelope=True),
        needed_db=np.maximum(candidates - budgets.rows["limit_dbm"].to_numpy(float), 0.0),
    )
    return replace(changed, rows=rows)
