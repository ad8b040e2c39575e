"""The plan's antennas refined after ranking: what a change must not harm, and what follows from it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lcsiting.coordination.aggregate import Budgets
from lcsiting.coordination.interference import Evaluation, evaluate
from lcsiting.coordination.kept_budgets import KeptBudgets, with_levels
from lcsiting.coverage.antennas import SETTINGS, with_settings
from lcsiting.coverage.coverage import predict_coverage
from lcsiting.coverage.refine import Angles, refine
from lcsiting.coverage.second_order import quality_rules, station_quality, worst_stations
from lcsiting.model import Cover, Plan, Project
from lcsiting.siting.kept_cover import KeptCover, with_stations_anew
from lcsiting.siting.restated import with_antennas


@dataclass(frozen=True)
class Tuned:
    """A plan after its antennas were refined.

    Attributes
    ----------
    project : Project
        The refined stations carry their settings (``coverage.antennas``).
    plan : Plan
        Azimuths and tilts in ``stations``; ranks, gains, phases and certificate are those of the ranking, which
        knew the recorded antennas.
    cover : Cover
        The ranking's, with the rows of the refined stations computed anew.
    verdicts, budgets : DataFrame, Budgets
        With the refined antennas; limits and measures are those the plan was ranked with.
    tables : dict of DataFrame
        Schema tables ``refined_sectors``, ``refined_services``.
    figures : dict
        What the summary says about it.
    """

    project: Project
    plan: Plan
    cover: Cover
    verdicts: pd.DataFrame
    budgets: Budgets
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)


class _Guard:
    """Covered weight, budgets and verdicts, all of which must stand; they remember what was taken."""

    def __init__(self, project: Project, cover: KeptCover, budgets: KeptBudgets) -> None:
        self.project, self.cover, self.budgets = project, cover, budgets
        self.allowed: tuple[Any, Any] | None = None

    def allows(self, station_row: int, azimuths_deg: Angles, tilts_deg: Angles) -> bool:
        """Whether the station may have these settings, all others as taken so far."""
        trial = with_settings(self.project, [station_row], azimuths_deg=[azimuths_deg], tilts_deg=[tilts_deg])
        rows = self.cover.change(trial, station_row)
        levels = None if rows is None else self.budgets.change(trial, station_row)
        if levels is None:
            return False
        self.allowed = (rows, levels)
        return True

    def take(self) -> None:
        """What was allowed last is so from now on."""
        assert self.allowed is not None
        self.cover.take(self.allowed[0])
        self.budgets.take(self.allowed[1])


def refine_plan(
    project: Project,
    plan: Plan,
    cover: Cover,
    coordination: Evaluation,
    budgets: Budgets,
    *,
    threads: int | None = None,
) -> Tuned:
    """Refine tilts and azimuths of the planned stations with the worst radio quality in the last phase.

    ``refine_stations`` (``rules/second_order``) of them: the flagged ones, worst first, then those of the lowest SINR.

    What is on air keeps its antennas, and so does a station that has settings of its own already (a measure for
    a protected station). A change is taken if more people have a good SINR in the last phase
    (:func:`lcsiting.coverage.refine.refine`), and in no phase any service of a network covers fewer people or less
    area of the city on the raster, or less weight on the demand cells (a single county may, and what any network
    covers); no budget of a protected station is exceeded that held, or exceeded further; and the coordination
    verdict of the station stands.

    Parameters
    ----------
    project, plan, cover : Project, Plan, Cover
        The plan and the cover it was made from.
    coordination, budgets : Evaluation, Budgets
        As the plan was ranked.
    threads : int, optional
        All cores if omitted; the result does not depend on it.

    Returns
    -------
    Tuned
    """
    years = [phase.year for phase in project.config.phases]
    quality = station_quality(project, plan, predict_coverage(project, plan, years[-1], threads=threads))
    quality = quality[quality["station_id"].isin(_free(project, plan))]
    count = int(quality_rules(project.root)["refine_stations"])
    flagged, weakest = worst_stations(quality, count), quality.sort_values("median_sinr_db", kind="stable")
    worst = list(dict.fromkeys([*flagged, *weakest["station_id"]]))[:count]
    kept = KeptCover(project, plan, cover, threads=threads)
    before = kept.shares()
    guard = _Guard(project, kept, KeptBudgets(project, coordination, budgets, plan))
    found = refine(project, plan, years[-1], station_ids=worst, keep_years=years[:-1], guard=guard, threads=threads)
    tables = {"refined_sectors": found.changes, "refined_services": found.services}
    said = {
        "stations": len(worst),
        "changed_stations": len(found.settings),
        "changed_sectors": len(found.changes),
        "gain_weight": found.gain,
        "phases": [
            {"year": year, "covered_weight_share_before": old, "covered_weight_share": new}
            for year, old, new in zip(years, before, kept.shares(), strict=True)
        ],
    }
    figures = {"refinement": said}
    rows = np.array(sorted(found.settings), dtype=np.int64)
    if not len(rows):
        return Tuned(project, plan, cover, coordination.verdicts, budgets, tables, figures)
    azimuths, tilts = zip(*(found.settings[row] for row in rows.tolist()), strict=True)
    tuned = with_settings(project, rows, azimuths_deg=azimuths, tilts_deg=tilts)
    after = evaluate(tuned, threads=threads)
    return Tuned(
        project=tuned,
        plan=with_antennas(tuned, plan),
        cover=with_stations_anew(tuned, cover, rows, threads=threads),
        verdicts=after.verdicts,
        budgets=with_levels(budgets, coordination, after),
        tables=tables,
        figures=figures,
    )


def _free(project: Project, plan: Plan) -> set[str]:
    """Planned stations in no mode and without settings of their own."""
    stations = project.stations
    own = np.zeros(len(stations), bool)
    for name in SETTINGS:
        if name in stations:
            own |= (stations[name].notna() & (stations[name] != 0)).to_numpy(bool)
    table = plan.stations
    planned = table.loc[(table["status"] != "on_air") & (table["mode"] == ""), "station_id"]
    return set(planned) - set(stations.loc[own, "station_id"])
