"""Passes tables between the stages."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

import lcsiting
from lcsiting import rules
from lcsiting.coordination import aggregate, budget_tables, offers
from lcsiting.coordination.interference import Evaluation, evaluate
from lcsiting.coordination.modes import MOVE, mode_settings
from lcsiting.coordination.moving import move_targets
from lcsiting.coordination.procedure import coordination_list
from lcsiting.coordination.profile import profile_row
from lcsiting.coordination.remedies import remedies
from lcsiting.coordination.zones import separation_zones
from lcsiting.coverage.coverage import predict_coverage
from lcsiting.coverage.grades import grade_report
from lcsiting.coverage.second_order import station_quality
from lcsiting.inputs.as_built import read_as_built
from lcsiting.model import Cover, Coverage, Plan, Project, Result
from lcsiting.rules.modes import AS_PLANNED
from lcsiting.screening.eligibility import screen
from lcsiting.siting.compare import compare_as_built, compare_plans
from lcsiting.siting.cover import cover, demand_coverage
from lcsiting.siting.demands import demand_fates
from lcsiting.siting.explain import explain
from lcsiting.siting.indoor import indoor_buildings, micro_forecast
from lcsiting.siting.mode_cover import (
    covered_weights,
    lost_shares,
    moved_shares,
    settings_applied,
    some_items,
    with_modes,
)
from lcsiting.siting.phases import rank
from lcsiting.siting.plan_certificate import certificate_figures
from lcsiting.siting.traffic import Load, station_load, with_capacity_demand
from lcsiting.storage import open_result

CONSULTED = (
    "limits",
    "grades",
    "bands",
    "morphology",
    "radio",
    "earth_stations",
    "site_kinds",
    "ranking",
    "second_order",
)
LIBRARIES = ("geopandas", "numba", "numpy", "pandas", "pyogrio", "pyproj", "rasterio", "scipy", "shapely")


def assess(project: Project) -> Coverage:
    """现状评价: the radio coverage of what is on air today.

    Parameters
    ----------
    project : Project
        An opened project.

    Returns
    -------
    Coverage
        ``year`` is the year before the first phase; ``statistics`` and ``reach`` by area.
    """
    return predict_coverage(project, None, project.config.phases[0].year - 1)


def run(project: Project, progress: bool = True) -> Result:
    """The main job: coordinate, screen, cover, rank, predict the coverage of every phase.

    Parameters
    ----------
    project : Project
        An opened project.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Result
        Ready for :func:`lcsiting.export` and :func:`save`.
    """
    started = time.perf_counter()
    years = [phase.year for phase in project.config.phases]
    bar = tqdm(total=9 + len(years), disable=not progress, unit="步", leave=False, delay=3)

    def step(label: str, work: Callable[..., Any], *args: Any) -> Any:
        bar.set_description(label)
        value = work(*args)
        bar.update()
        return value

    coordination = step("干扰协调", evaluate, project)
    verdicts = coordination.verdicts
    eligible = step("合规筛查", screen, project, verdicts)
    matrix = step("覆盖矩阵", cover, project, eligible)
    measures, budgets = step("协调措施", _measures, project, coordination, matrix)
    held = step("协调模式", _held, project, coordination, budgets, eligible, matrix)
    held, plan, load = step("排序", _ranked, project, coordination, budgets, eligible, matrix, held)
    eligible, matrix, budgets = held.eligible, held.matrix, held.budgets
    project = as_chosen(project, plan, held.settings)
    today = step("现状评价", assess, project)
    coverages = {year: step(f"{year}年覆盖", predict_coverage, project, plan, year) for year in years}
    tables = step("逐站说明", _further_tables, project, matrix, plan, load, verdicts) | measures
    tables["station_quality"] = station_quality(project, plan, coverages[years[-1]])
    zones = step("隔离区", separation_zones, project)
    bar.close()
    judged = aggregate.judge_plan(project, budgets, plan)
    result = Result(
        project, verdicts, eligible, plan, today, coverages, {}, matrix, tables, judged, zones, resources=held.limits
    )
    summary = summarise(result) | {"run": run_record(time.perf_counter() - started)}
    return replace(result, summary=summary)


def compare(
    before: Result | str | Path, after: Result | pd.DataFrame | str | Path, *, date: str | None = None
) -> dict[str, pd.DataFrame]:
    """Two plans, or a plan and what was built by a date.

    Parameters
    ----------
    before : Result or path
        A result, or the folder of a saved one.
    after : Result, path or DataFrame
        Another result (or its folder), or an as-built table (or its file): place_id, operator, band,
        on_date.
    date : str, optional
        For an as-built table: the day to look at; the project's ``as_of`` if omitted.

    Returns
    -------
    dict of DataFrame
        ``changes`` (in, out, moved …) and ``county_changes`` (coverage by county, before and after).

    Raises
    ------
    LayerError
        A folder is no result, or the as-built table cannot be used.
    """
    first = before if isinstance(before, Result) else open_result(before)
    if isinstance(after, str | Path):
        after = open_result(after) if Path(after).is_dir() else read_as_built(after)
    if isinstance(after, Result):
        return compare_plans(first, after)
    return compare_as_built(first, after, date or first.project.config.project.as_of)


def _rank_for_load(
    project: Project, matrix: Cover, eligible: pd.DataFrame, verdicts: pd.DataFrame, held_to: dict[str, Any]
) -> tuple[Plan, Load | None]:
    """Rank; where the busy-hour layer says that stations are full, rank once more with demand beside them."""
    plan = rank(project, matrix, eligible, verdicts, **held_to)
    load = station_load(project, matrix, plan)
    if load is None or not load.stations["full"].any():
        return plan, load
    plan = rank(*with_capacity_demand(project, matrix, load), eligible, verdicts, **held_to)
    return plan, station_load(project, matrix, plan)


@dataclass(frozen=True)
class Held:
    """What a plan is ranked from under the budgets: stations in their modes, without those no plan could carry."""

    eligible: pd.DataFrame
    matrix: Cover
    budgets: aggregate.Budgets
    settings: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def limits(self) -> tuple[Any, Any]:
        """The budgets as the ranking wants them."""
        return aggregate.resources(self.budgets, self.matrix.station_rows, self.matrix.modes)


def _held(
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
    hopeless = budget_tables.alone_over(project, budgets)
    if hopeless.empty:
        return Held(eligible, matrix, budgets, settings)
    row_of = pd.Series(np.arange(len(project.stations)), index=project.stations["station_id"])
    both = pd.concat([eligible, hopeless], ignore_index=True)
    order = np.argsort(row_of.loc[both["station_id"]].to_numpy(), kind="stable")
    column = aggregate.columns_of(budgets, matrix.station_rows, matrix.modes)
    useless = (column >= 0) & budget_tables.hopeless_columns(budgets)[column]
    plain = np.ones(len(column), bool) if matrix.modes is None else matrix.modes == AS_PLANNED
    gone = np.isin(matrix.station_rows, row_of.loc[hopeless["station_id"]])
    kept = some_items(matrix, np.flatnonzero(~gone & (plain | ~useless)))
    return Held(both.iloc[order].reset_index(drop=True), kept, budgets, settings)


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


def _ranked(
    project: Project, coordination: Evaluation, budgets: aggregate.Budgets, eligible: pd.DataFrame, matrix: Cover,
    held: Held,
) -> tuple[Held, Plan, Load | None]:  # fmt: skip
    """The plan; where modes are offered the better one of those with and without them.

    The greedy order takes the largest gain first, whatever it uses of a budget: with more to choose from it may end
    lower. Ranked both ways, modes never cost coverage.
    """

    def ranked(one: Held) -> tuple[Held, Plan, Load | None]:
        held_to = {"resources": one.limits, "resource_names": budget_tables.resource_names(one.budgets)}
        return one, *_rank_for_load(project, one.matrix, one.eligible, coordination.verdicts, held_to)

    found = ranked(held)
    if not held.settings:
        return found
    plain = ranked(_held(project, coordination, budgets, eligible, matrix, modes=False))
    return max(found, plain, key=lambda some: some[1].phases["covered_weight_share"].tolist()[::-1])


def as_chosen(project: Project, plan: Plan, settings: dict[str, pd.DataFrame]) -> Project:
    """The project with the antennas of the plan's stations as the modes chosen set them."""
    mode = plan.stations["mode"].to_numpy(object)
    row = pd.Index(project.stations["station_id"]).get_indexer(plan.stations["station_id"])
    frames = [frame[frame.index.isin(row[mode == name])] for name, frame in settings.items()]
    return settings_applied(project, pd.concat(frames)) if any(map(len, frames)) else project


def _measures(
    project: Project, coordination: Evaluation, matrix: Cover
) -> tuple[dict[str, pd.DataFrame], aggregate.Budgets]:
    """What each protected station needs, who breaks budgets on air, the least-cost measures if asked for, and the
    budgets a plan is held to.
    """
    tables = {
        "broken_budgets": budget_tables.worst_on_air(project, coordination.budgets),
        "needs": aggregate.needs(coordination.budgets),
    }
    if project.config.coordination.remedies:
        found = remedies(project, coordination, lost=coverage_lost(project, coordination, matrix))
        tables |= {"remedies": found.stations, "remedy_modes": found.modes}
    tables = {name: table for name, table in tables.items() if len(table)}
    if not project.config.coordination.remedies or project.config.coordination.enforce != "physics":
        return tables, coordination.budgets
    # The pairs do not change with the measures, so only the budgets are made anew.
    pairs = (coordination.tx, coordination.protected, coordination.pairs, coordination.levels, coordination.tables)
    return tables, aggregate.make_budgets(project, *pairs, found.measures)


def coverage_lost(
    project: Project, coordination: Evaluation, matrix: Cover, station_ids: Collection[str] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Share of its covered weight each new base station in the scope loses in each mode, for ``remedies``.

    With the ``station_ids`` of a plan moving to places nearby is counted too; the cover holds what is eligible.
    """
    rows = coordination.tx.row
    rows = np.intersect1d(rows[~project.stations["on_air"].to_numpy(bool)[rows]], matrix.station_rows)
    lost = lost_shares(project, matrix, mode_settings(project, coordination.tables, rows))
    if station_ids is not None:
        lost[MOVE] = moved_shares(project, matrix, move_targets(project, coordination.tables, station_ids))
    return lost


def _further_tables(
    project: Project, matrix: Cover, plan: Plan, load: Load | None, verdicts: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """What ``Result.tables`` holds: explanations, demands, indoor list, micro forecast, load, coordination list."""
    tables = explain(project, matrix, plan)
    offered, excess = (None, None) if load is None else (load.offered_mbps.sum(axis=0), load.excess_mbps.sum(axis=0))
    further = {
        "demands": demand_fates(project, plan.stations),
        "indoor_buildings": indoor_buildings(project, matrix.cells),
        "micro_forecast": micro_forecast(project, matrix, plan, offered, excess),
        "coordination_list": coordination_list(project, verdicts, station_ids=plan.stations["station_id"]),
    }
    if load is not None:
        further["station_load"] = load.stations
    return tables | {name: table for name, table in further.items() if len(table)}


def run_record(seconds: float) -> dict[str, Any]:
    """What may differ between two runs on the same inputs: machine, versions, duration."""
    return {
        "lcsiting": lcsiting.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "seconds": round(seconds, 1),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records", double_precision=6, force_ascii=False))


def _counts(codes: pd.Series) -> dict[str, int]:
    return {str(key): int(n) for key, n in codes.value_counts().sort_index().items()}


def unverified_rules(project: Project) -> list[str]:
    """Rows of the rule tables a result rests on that no source confirms, as ``table.row``."""
    override = project.root / "rules"
    out = []
    for name in (project.config.coordination.profile, *CONSULTED):
        out += [f"{name}.{key}" for key, row in rules.load(name, override).items() if not row["verified"]]
    return out


def input_hashes(project: Project) -> dict[str, str]:
    """SHA-256 of every file the project file names (and the siblings of shapefiles)."""
    config = project.config
    sources: list[Any] = [config.dem, config.clutter, config.population]
    for value in config.layers.values():
        sources += value if isinstance(value, list) else [value]
    hashes = {}
    for source in sources:
        if source is None:
            continue
        path = project.root / source.path
        files = sorted(path.rglob("*")) if path.is_dir() else sorted(path.parent.glob(f"{path.stem}.*"))
        for file in files if path.suffix.lower() in {".shp", ".gdb"} else [path]:
            if file.is_file():
                own = file.is_relative_to(project.root)
                name = file.relative_to(project.root).as_posix() if own else file.name
                hashes[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return dict(sorted(hashes.items()))


def _remedy_totals(tables: dict[str, pd.DataFrame]) -> dict[str, float]:
    """Cost and loss of all measures together; every base station has one row and counts once."""
    if "remedies" not in tables:
        return {}
    stations, modes = tables["remedies"], tables.get("remedy_modes", pd.DataFrame({"cost": [], "lost": []}))
    return {
        "station_cost": round(float(stations["station_cost"].sum()), 6),
        "site_cost": round(float(modes["cost"].sum()), 6),
        "changed": len(modes),
        "dropped": int(stations["dropped"].sum()),
        "lost": round(float(modes["lost"].sum()), 6),
    }


def coverage_check(result: Result) -> pd.DataFrame:
    """Coverage of the whole city on the fine raster beside that on the demand cells, per phase."""
    parts = []
    for year, coverage in result.coverages.items():
        stations = result.plan.stations[result.plan.stations["phase_year"] <= year]
        assert result.cover is not None
        cells = demand_coverage(result.cover, stations["station_id"], stations["mode"])
        fine = coverage.statistics.query("level == 'city'")[["network", "service", "people_share", "area_share"]]
        both = fine.merge(cells, on=["network", "service"], suffixes=("_raster", "_cells"))
        parts.append(both.assign(year=year))
    return pd.concat(parts, ignore_index=True)


def summarise(result: Result) -> dict[str, Any]:
    """The figures a planner quotes; the same for the same inputs."""
    project, plan = result.project, result.plan
    coverages = [result.today, *result.coverages.values()]
    statistics = pd.concat([c.statistics for c in coverages], ignore_index=True)
    reach = pd.concat([c.reach for c in coverages], ignore_index=True)
    graded = [grade_report(project, coverage) for coverage in result.coverages.values()]
    refused = plan.refused.groupby("rule", sort=True).agg(
        stations=("station_id", "size"), places=("place_id", "nunique")
    )
    places = project.places
    return {
        "name": project.config.project.name,
        "notice": project.config.project.notice,
        "sources": project.config.project.sources,
        "as_of": project.config.project.as_of.isoformat(),
        "config": project.config.model_dump(mode="json"),
        "inputs": input_hashes(project),
        "unverified_rules": unverified_rules(project),
        "defaults": {"height_agl_m": int(places["height_default"].sum())},
        "set_aside": {layer: len(rows) for layer, rows in sorted(project.set_aside.items())},
        "hosts": _counts(places["source"]),
        "phases": _records(plan.phases),
        "counties": _records(plan.counties),
        "statistics": _records(statistics),
        "coverage_check": _records(coverage_check(result)),
        "reach": _records(reach),
        "grades": _records(pd.concat(graded, ignore_index=True)),
        "refused": _records(refused.reset_index()),
        "demands": _counts(result.tables["demands"]["fate"]) if "demands" in result.tables else {},
        "coordination": _counts(plan.stations["coordination"]),
        "modes": _counts(plan.stations.loc[plan.stations["mode"] != "", "mode"]),
        "remedies": _counts(result.tables["remedies"]["outcome"]) if "remedies" in result.tables else {},
        "needs": _records(result.tables["needs"]) if "needs" in result.tables else [],
        "remedy_totals": _remedy_totals(result.tables),
        "budgets": [] if result.budgets is None else _records(result.budgets),
        "model_flags": {str(coverage.year): coverage.flags for coverage in coverages},
    } | ({} if plan.certificate is None else {"certificate": certificate_figures(plan.certificate)})
