"""Ranking under the budgets of the protected stations: stations in their modes, without those no plan could carry."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from lcsiting.coordination import aggregate, budget_tables, offers
from lcsiting.coordination.interference import Evaluation
from lcsiting.coordination.modes import OTHER_BAND, mode_settings
from lcsiting.coordination.profile import profile_row
from lcsiting.model import Cover, Plan, Project
from lcsiting.rules.modes import AS_PLANNED
from lcsiting.siting.mode_cover import covered_weights, settings_applied, some_items, with_modes
from lcsiting.siting.phases import rank
from lcsiting.siting.traffic import Load, station_load, with_capacity_demand


@dataclass(frozen=True)
class Held:
    """What a plan is ranked from under the budgets: stations in their modes, without those no plan could carry.

    ``whole`` is the cover with those, where modes are asked for.
    """

    eligible: pd.DataFrame
    matrix: Cover
    budgets: aggregate.Budgets
    settings: dict[str, pd.DataFrame] = field(default_factory=dict)
    whole: Cover | None = None

    @property
    def limits(self) -> tuple[Any, Any]:
        """The budgets as the ranking wants them."""
        return aggregate.resources(self.budgets, self.matrix.station_rows, self.matrix.modes)


def held_to(
    project: Project,
    coordination: Evaluation,
    budgets: aggregate.Budgets,
    eligible: pd.DataFrame,
    matrix: Cover,
    modes: bool = True,
) -> Held:
    """Stations offered in modes where the project asks for it; those that alone break a budget taken out."""
    asked, unit = project.config.coordination, project.config.phases[0].unit
    settings: dict[str, pd.DataFrame] = {}
    if modes and asked.modes and asked.enforce == "physics" and unit == "station":
        matrix, budgets, settings = _in_modes(project, coordination, budgets, matrix)
        return _carried(project, Held(eligible, matrix, budgets, settings, whole=matrix))
    return _carried(project, Held(eligible, matrix, budgets, settings))


def _carried(project: Project, held: Held) -> Held:
    """What is left when base stations and modes that alone break a budget are taken out."""
    eligible, matrix, budgets = held.eligible, held.matrix, held.budgets
    hopeless = budget_tables.alone_over(project, budgets)
    if hopeless.empty:
        return held
    row_of = pd.Series(np.arange(len(project.stations)), index=project.stations["station_id"])
    both = pd.concat([eligible, hopeless], ignore_index=True)
    order = np.argsort(row_of.loc[both["station_id"]].to_numpy(), kind="stable")
    column = aggregate.columns_of(budgets, matrix.station_rows, matrix.modes)
    useless = (column >= 0) & budget_tables.hopeless_columns(budgets)[column]
    plain = np.ones(len(column), bool) if matrix.modes is None else matrix.modes == AS_PLANNED
    gone = np.isin(matrix.station_rows, row_of.loc[hopeless["station_id"]])
    kept = some_items(matrix, np.flatnonzero(~gone & (plain | ~useless)))
    return replace(held, eligible=both.iloc[order].reset_index(drop=True), matrix=kept)


def _in_modes(
    project: Project, coordination: Evaluation, budgets: aggregate.Budgets, matrix: Cover
) -> tuple[Cover, aggregate.Budgets, dict[str, pd.DataFrame]]:
    """The cover and the budgets with the modes worth offering, and what those set."""
    possible, share = offers.worth_offering(project, coordination, budgets, matrix.station_rows)
    wide = with_modes(project, matrix, possible)
    assert wide.modes is not None
    weight = pd.Series(covered_weights(wide), index=pd.MultiIndex.from_arrays([wide.station_rows, wide.modes]))
    most = int(profile_row(coordination.tables, "mode_offer", "most")["most"])
    chosen = offers.least_covering(share, weight, most)
    settings = {}
    for mode, frame in possible.items():
        mine = frame.index.isin(chosen[chosen.get_level_values(1) == mode].get_level_values(0))
        if mine.any():
            settings[mode] = frame[mine]
    settled = {mode: settings_applied(project, frame) for mode, frame in settings.items()}
    keep = (wide.modes == AS_PLANNED) | weight.index.isin(chosen)
    wider = offers.with_offers(project, coordination, budgets, settled, settings)
    return some_items(wide, np.flatnonzero(keep)), wider, settings


def _with_other_band(
    project: Project, coordination: Evaluation, eligible: pd.DataFrame, held: Held, plan: Plan
) -> Held | None:
    """What a plan is ranked from once those it had no room for are offered in their operator's other band, too.

    None where there are none. Only these: the other band is the dearest measure short of giving a station up, and a
    station that fits otherwise stays in the band the operator planned, whatever the other one would cover. Offered
    once: who loses its room to what is chosen then is refused for the budget.
    """
    if held.whole is None or OTHER_BAND not in coordination.tables.profile:
        return None
    refused = plan.refused.loc[plan.refused["rule"] == budget_tables.RULE, "station_id"]
    rows = np.flatnonzero(project.stations["station_id"].isin(set(refused)).to_numpy())
    rows = rows[np.isin(rows, held.whole.station_rows) & np.isin(rows, coordination.tx.row)]
    settings = mode_settings(project, coordination.tables, rows, [OTHER_BAND])
    if settings[OTHER_BAND].empty:
        return None
    budgets = offers.with_offers(
        project, coordination, held.budgets, {OTHER_BAND: settings_applied(project, settings[OTHER_BAND])}, settings
    )
    matrix = with_modes(project, held.whole, settings)
    return _carried(project, Held(eligible, matrix, budgets, held.settings | settings, whole=matrix))


def _rank_for_load(project: Project, held: Held, verdicts: pd.DataFrame) -> tuple[Plan, Load | None]:
    """Rank; where the busy-hour layer says that stations are full, rank once more with demand beside them."""
    matrix, eligible = held.matrix, held.eligible
    bound: dict[str, Any] = {
        "resources": held.limits, "resource_names": budget_tables.resource_names(held.budgets),
    }  # fmt: skip
    plan = rank(project, matrix, eligible, verdicts, **bound)
    load = station_load(as_chosen(project, plan, held.settings), matrix, plan)
    if load is None or not load.stations["full"].any():
        return plan, load
    plan = rank(*with_capacity_demand(project, matrix, load), eligible, verdicts, **bound)
    return plan, station_load(as_chosen(project, plan, held.settings), matrix, plan)


def ranked(
    project: Project, coordination: Evaluation, budgets: aggregate.Budgets, eligible: pd.DataFrame, matrix: Cover,
    held: Held,
) -> tuple[Held, Plan, Load | None]:  # fmt: skip
    """The plan; where modes are offered the best one of those with them, without them, and with other bands as well.

    The greedy order takes the largest gain first, whatever it uses of a budget: with more to choose from it may end
    lower. Ranked all these ways, modes never cost coverage, nor a quota or floor.
    """
    found = held, *_rank_for_load(project, held, coordination.verdicts)
    if held.settings:
        alone = held_to(project, coordination, budgets, eligible, matrix, modes=False)
        plain = alone, *_rank_for_load(project, alone, coordination.verdicts)
        found = max(found, plain, key=lambda some: _worth(some[1]))
    wider = _with_other_band(project, coordination, eligible, held, found[1])
    if wider is None:
        return found
    return max(found, (wider, *_rank_for_load(project, wider, coordination.verdicts)), key=lambda some: _worth(some[1]))


def _worth(plan: Plan) -> tuple[float, ...]:
    """How good a plan is: limits it misses (how many, how far), then covered shares, the last phase first."""
    missed = (0, 0.0)
    if plan.limits is not None:
        short = plan.limits[plan.limits["outcome"].isin(["unmet", "impossible"])]
        far = (short["value"] - short["limit"]).abs() / short["limit"].abs().clip(lower=1e-9)
        missed = len(short), float(far.sum())
    return -missed[0], -missed[1], *plan.phases["covered_weight_share"].tolist()[::-1]


def as_chosen(project: Project, plan: Plan, settings: dict[str, pd.DataFrame]) -> Project:
    """The project with the stations of the plan as the modes chosen set them."""
    mode = plan.stations["mode"].to_numpy(object)
    row = pd.Index(project.stations["station_id"]).get_indexer(plan.stations["station_id"])
    for name, frame in settings.items():  # one by one: modes need not set the same columns
        mine = frame[frame.index.isin(row[mode == name])]
        project = settings_applied(project, mine) if len(mine) else project
    return project
