"""Passes tables between the stages."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

import lcsiting
from lcsiting import rules
from lcsiting.config import RASTERS
from lcsiting.coordination import aggregate, budget_tables, offers
from lcsiting.coordination.exclusion import beam_wedges
from lcsiting.coordination.interference import Evaluation, evaluate
from lcsiting.coordination.modes import MOVE, mode_settings
from lcsiting.coordination.moving import move_targets
from lcsiting.coordination.procedure import coordination_list
from lcsiting.coordination.remedies import remedies
from lcsiting.coordination.zones import separation_zones
from lcsiting.coverage.budget import link_budget_table
from lcsiting.coverage.coverage import predict_coverage, require_memory
from lcsiting.coverage.grades import grade_report
from lcsiting.coverage.second_order import station_quality
from lcsiting.coverage.sectors import TERRAIN_MODELS
from lcsiting.held import as_chosen, held_to, ranked, unrestricted
from lcsiting.inputs.as_built import read_as_built
from lcsiting.model import Cover, Coverage, Plan, Project, Result
from lcsiting.screening.eligibility import screen
from lcsiting.siting.compare import compare_as_built, compare_plans
from lcsiting.siting.cover import cover, demand_coverage
from lcsiting.siting.demands import demand_fates
from lcsiting.siting.explain import explain
from lcsiting.siting.indoor import indoor_buildings, micro_forecast
from lcsiting.siting.mode_cover import (
    lost_shares,
    moved_shares,
)
from lcsiting.siting.plan_certificate import certificate_figures
from lcsiting.siting.restated import with_verdicts
from lcsiting.siting.traffic import Load
from lcsiting.storage import open_result
from lcsiting.tuning import Tuned, refine_plan

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

    Raises
    ------
    RangeError
        The coverages of all phases would not fit in memory (``[project] max_memory_gb``).
    """
    started = time.perf_counter()
    years = [phase.year for phase in project.config.phases]
    require_memory(project, len(years) + 1)
    binding = project.config.coordination.enforce == "physics"
    steps = 9 + binding + project.config.ranking.refine + len(years)
    bar = tqdm(total=steps, disable=not progress, unit="步", leave=False, delay=3)

    def step(label: str, work: Callable[..., Any], *args: Any) -> Any:
        bar.set_description(label)
        value = work(*args)
        bar.update()
        return value

    coordination = step("干扰协调", evaluate, project)
    verdicts = coordination.verdicts
    eligible = step("合规筛查", screen, project, verdicts)
    matrix = step("覆盖矩阵", cover, project, eligible)
    budgets = coordination.budgets
    if binding:
        free = step("不加限制的排序", unrestricted, project, matrix, eligible, verdicts)
        measures, budgets = step("协调措施", _measures, project, coordination, matrix, eligible, free)
    held = step("协调模式", held_to, project, coordination, budgets, eligible, matrix)
    held, plan, load = step("排序", ranked, project, coordination, budgets, eligible, matrix, held)
    if not binding:
        measures, budgets = step("协调措施", _measures, project, coordination, matrix, eligible, plan)
    eligible, matrix, budgets = held.eligible, held.matrix, held.budgets
    planned, project = project, as_chosen(project, plan, held.settings)
    if project is not planned:  # what is said of a station, and its refinement, go by its antennas as chosen
        coordination = evaluate(project)
        plan = with_verdicts(project, plan, verdicts, coordination.verdicts)
        verdicts = coordination.verdicts
    budgets = offers.settled(project, budgets, plan)
    tuned = Tuned(project, plan, matrix, verdicts, budgets)
    if project.config.ranking.refine:
        tuned = step("天线优化", refine_plan, project, plan, matrix, coordination, budgets)
        project, plan, verdicts = tuned.project, tuned.plan, tuned.verdicts
    today = step("现状评价", assess, project)
    coverages = {year: step(f"{year}年覆盖", predict_coverage, project, plan, year) for year in years}
    tables = step("逐站说明", _further_tables, project, matrix, plan, load, verdicts) | measures | tuned.tables
    tables["station_quality"] = station_quality(project, plan, coverages[years[-1]])
    zones = step("隔离区", separation_zones, project)
    bar.close()
    judged = aggregate.judge_plan(project, tuned.budgets, plan)
    result = Result(
        project, verdicts, eligible, plan, today, coverages, {}, matrix, tables, judged, zones, resources=held.limits
    )
    summary = summarise(result, tuned.cover) | tuned.figures | {"run": run_record(time.perf_counter() - started)}
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


def _measures(
    project: Project, coordination: Evaluation, matrix: Cover, eligible: pd.DataFrame, free: Plan
) -> tuple[dict[str, pd.DataFrame], aggregate.Budgets]:
    """What each protected station needs for a plan that knows no budgets, who breaks them on air, the least-cost
    measures if asked for, and the budgets a plan is held to.
    """
    tables = {
        "broken_budgets": budget_tables.worst_on_air(project, coordination.budgets),
        "needs": budget_tables.needs(project, coordination.budgets, free),
    }
    budgets, asked = coordination.budgets, project.config.coordination
    if asked.remedies:
        planned = free.stations["station_id"].tolist()
        lost = coverage_lost(project, coordination, matrix, planned)
        found = remedies(project, coordination, planned, lost=lost, eligible=eligible)
        tables |= {"remedies": found.stations, "remedy_modes": found.modes}
        if asked.enforce == "physics":
            # The pairs do not change with the measures, so only the budgets are made anew.
            pairs = (coordination.tx, coordination.protected, coordination.pairs, coordination.levels)
            known = (coordination.tables, found.measures)
            budgets = aggregate.make_budgets(project, *pairs, *known, outside=coordination.outside)
    return {name: table for name, table in tables.items() if len(table)}, budgets


def coverage_lost(
    project: Project, coordination: Evaluation, matrix: Cover, station_ids: Collection[str] | None = None
) -> dict[str, NDArray[np.float64]]:
    """Share of its covered weight each new base station in the scope loses in each mode, for ``remedies``.

    With the ``station_ids`` of a plan only those, moving to places nearby counted too; the cover holds the eligible.
    """
    asked = ~project.stations["on_air"].to_numpy(bool)
    if station_ids is not None:
        asked &= project.stations["station_id"].isin(set(station_ids)).to_numpy(bool)
    rows = np.intersect1d(coordination.tx.row[asked[coordination.tx.row]], matrix.station_rows)
    wedges = beam_wedges(project, coordination)
    lost = lost_shares(project, matrix, mode_settings(project, coordination.tables, rows, wedges=wedges))
    if station_ids is not None:
        lost[MOVE] = moved_shares(project, matrix, move_targets(project, coordination.tables, station_ids))
    return lost


def _further_tables(
    project: Project, matrix: Cover, plan: Plan, load: Load | None, verdicts: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """What ``Result.tables`` holds: explanations, demands, indoor list, forecast, load, coordination, link budgets."""
    tables = explain(project, matrix, plan)
    offered, excess = (None, None) if load is None else (load.offered_mbps.sum(axis=0), load.excess_mbps.sum(axis=0))
    further = {
        "demands": demand_fates(project, plan.stations),
        "indoor_buildings": indoor_buildings(project, matrix.cells),
        "micro_forecast": micro_forecast(project, matrix, plan, offered, excess),
        "coordination_list": coordination_list(project, verdicts, station_ids=plan.stations["station_id"]),
        "link_budget": link_budget_table(project),
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
    terrain = project.config.propagation.los == "dem" or project.stations["model"].isin(TERRAIN_MODELS).any()
    further = [name for name, used in (("clutter", project.clutter is not None), ("propagation", terrain)) if used]
    for name in (project.config.coordination.profile, *CONSULTED, *further):
        out += [f"{name}.{key}" for key, row in rules.load(name, override).items() if not row["verified"]]
    return out


def input_hashes(project: Project) -> dict[str, str]:
    """SHA-256 of every file the project file names (and the siblings of shapefiles)."""
    config = project.config
    sources: list[Any] = [getattr(config, name) for name in RASTERS]
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


def coverage_check(result: Result, matrix: Cover) -> pd.DataFrame:
    """Coverage of the whole city on the fine raster beside that on the demand cells, per phase.

    ``matrix`` is the cover with the antennas the coverages were predicted with.
    """
    parts = []
    for year, coverage in result.coverages.items():
        stations = result.plan.stations[result.plan.stations["phase_year"] <= year]
        cells = demand_coverage(matrix, stations["station_id"], stations["mode"])
        fine = coverage.statistics.query("level == 'city'")[["network", "service", "people_share", "area_share"]]
        both = fine.merge(cells, on=["network", "service"], suffixes=("_raster", "_cells"))
        parts.append(both.assign(year=year))
    return pd.concat(parts, ignore_index=True)


def summarise(result: Result, matrix: Cover) -> dict[str, Any]:
    """The figures a planner quotes; the same for the same inputs. ``matrix``: see :func:`coverage_check`."""
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
        "coverage_check": _records(coverage_check(result, matrix)),
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
