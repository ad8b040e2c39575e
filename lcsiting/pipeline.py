"""Passes tables between the stages; saves and opens results."""

import hashlib
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
from tqdm.auto import tqdm

import lcsiting
from lcsiting import rules, schema
from lcsiting.config import Config
from lcsiting.coordination import aggregate
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.zones import separation_zones
from lcsiting.coverage.coverage import predict_coverage
from lcsiting.coverage.grades import grade_report
from lcsiting.errors import ExportError, LayerError
from lcsiting.geo import grid as raster
from lcsiting.inputs.as_built import read_as_built
from lcsiting.model import Cover, Coverage, Grid, Plan, Project, Result
from lcsiting.screening.eligibility import screen
from lcsiting.siting.compare import compare_as_built, compare_plans
from lcsiting.siting.cover import cover, demand_coverage
from lcsiting.siting.demands import demand_fates
from lcsiting.siting.explain import explain
from lcsiting.siting.indoor import indoor_buildings, micro_forecast
from lcsiting.siting.phases import rank
from lcsiting.siting.plan_certificate import certificate_figures, open_certificate, save_certificate
from lcsiting.siting.traffic import Load, station_load, with_capacity_demand

CONSULTED = ("limits", "grades", "bands", "morphology", "radio", "earth_stations", "site_kinds", "ranking")
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
    bar = tqdm(total=7 + len(years), disable=not progress, unit="步", leave=False, delay=3)

    def step(label: str, work: Callable[..., Any], *args: Any) -> Any:
        bar.set_description(label)
        value = work(*args)
        bar.update()
        return value

    coordination = step("干扰协调", evaluate, project)
    verdicts, budgets = coordination.verdicts, coordination.budgets
    eligible = step("合规筛查", screen, project, verdicts)
    matrix = step("覆盖矩阵", cover, project, eligible)
    limits = aggregate.resources(budgets, matrix.station_rows)
    plan, load = step("排序", partial(_rank_for_load, resources=limits), project, matrix, eligible, verdicts)
    plan = replace(plan, demands=demand_fates(project, plan.stations))
    today = step("现状评价", assess, project)
    coverages = {year: step(f"{year}年覆盖", predict_coverage, project, plan, year) for year in years}
    tables = step("逐站说明", _further_tables, project, matrix, plan, load)
    zones = step("隔离区", separation_zones, project)
    bar.close()
    judged = aggregate.judge_plan(project, budgets, plan)
    result = Result(project, verdicts, eligible, plan, today, coverages, {}, matrix, tables, judged, zones)
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
    project: Project, matrix: Cover, eligible: pd.DataFrame, verdicts: pd.DataFrame, resources: Any = None
) -> tuple[Plan, Load | None]:
    """Rank; where the busy-hour layer says that stations are full, rank once more with demand beside them."""
    plan = rank(project, matrix, eligible, verdicts, resources=resources)
    load = station_load(project, matrix, plan)
    if load is None or not load.stations["full"].any():
        return plan, load
    plan = rank(*with_capacity_demand(project, matrix, load), eligible, verdicts, resources=resources)
    return plan, station_load(project, matrix, plan)


def _further_tables(project: Project, matrix: Cover, plan: Plan, load: Load | None) -> dict[str, pd.DataFrame]:
    """Explanations, the indoor list, the micro forecast and the load: what ``Result.tables`` holds."""
    tables = explain(project, matrix, plan)
    offered, excess = (None, None) if load is None else (load.offered_mbps.sum(axis=0), load.excess_mbps.sum(axis=0))
    further = {
        "indoor_buildings": indoor_buildings(project, matrix.cells),
        "micro_forecast": micro_forecast(project, matrix, plan, offered, excess),
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


def coverage_check(result: Result) -> pd.DataFrame:
    """Coverage of the whole city on the fine raster beside that on the demand cells, per phase."""
    parts = []
    for year, coverage in result.coverages.items():
        stations = result.plan.stations
        assert result.cover is not None
        cells = demand_coverage(result.cover, stations.loc[stations["phase_year"] <= year, "station_id"])
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
        "demands": _counts(plan.demands["fate"]),
        "coordination": _counts(plan.stations["coordination"]),
        "budgets": [] if result.budgets is None else _records(result.budgets),
        "model_flags": {str(coverage.year): coverage.flags for coverage in coverages},
    } | ({} if plan.certificate is None else {"certificate": certificate_figures(plan.certificate)})


# ---------------------------------------------------------------- saving and opening


PLAN_TABLES = ("stations", "places", "phases", "counties", "refused", "demands")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(table.drop(columns="geometry", errors="ignore")).to_csv(path, index=False, encoding="utf-8")


def _read_csv(path: Path) -> pd.DataFrame:
    """Texts stay texts (codes keep their zeros); numbers and booleans are recognised by the saved types."""
    types = json.loads(path.with_suffix(".types.json").read_text(encoding="utf-8"))
    table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""], encoding="utf-8")
    texts = [name for name, dtype in types.items() if dtype == "str"]
    table[texts] = table[texts].fillna("")
    return table


def _save_table(table: pd.DataFrame, path: Path) -> None:
    _write_csv(table, path)
    columns = [name for name in table.columns if name != "geometry"]
    plain = {"i": "Int64", "u": "Int64", "f": "float64", "b": "boolean"}
    types = {name: plain.get(getattr(table[name].dtype, "kind", "O"), "str") for name in columns}
    path.with_suffix(".types.json").write_text(json.dumps(types, ensure_ascii=False), encoding="utf-8")


def _open_table(path: Path) -> pd.DataFrame:
    table = _read_csv(path)
    for name in table.columns:
        kind = str(table[name].dtype)
        if kind == "Int64" and not table[name].isna().any():
            table[name] = table[name].astype("int64")
        elif kind == "Int64":
            table[name] = table[name].astype("float64")
        elif kind == "boolean":
            table[name] = table[name].fillna(False).astype(bool)
    return table


def _points(table: pd.DataFrame, crs: str, x: str = "x_m", y: str = "y_m") -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table[x], table[y]), crs=crs)


def _save_coverage(coverage: Coverage, folder: Path) -> None:
    folder.mkdir(parents=True)
    names = {f"N{n}": network for n, network in enumerate(coverage.layers, start=1)}  # a name may be no file name
    (folder / "networks.json").write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    for key, network in names.items():
        for name, layer in coverage.layers[network].items():
            raster.write_raster(folder / key / f"{name}.tif", layer)
    for name in ("sectors", "statistics", "reach"):
        _save_table(getattr(coverage, name), folder / f"{name}.csv")


def _open_coverage(folder: Path, year: int) -> Coverage:
    names = json.loads((folder / "networks.json").read_text(encoding="utf-8"))
    layers = {
        network: {path.stem: raster.open_raster(path) for path in sorted((folder / key).glob("*.tif"))}
        for key, network in names.items()
    }
    tables = [_open_table(folder / f"{name}.csv") for name in ("sectors", "statistics", "reach")]
    return Coverage(year, layers, *tables)


def _save_project(project: Project, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, layer in project.layers.items():
        if len(layer):
            pyogrio.write_dataframe(layer, folder / "layers.gpkg", layer=name, driver="GPKG")
    for name in ("dem", "clutter", "population"):
        value = getattr(project, name)
        if value is not None:
            raster.write_raster(folder / f"{name}.tif", value)
    places = project.places.assign(x_m=project.places.geometry.x, y_m=project.places.geometry.y)
    _save_table(places, folder / "places.csv")
    _save_table(project.stations, folder / "stations.csv")
    _save_table(project.problems, folder / "problems.csv")
    for name, rows in project.set_aside.items():
        _save_table(rows, folder / "set_aside" / f"{name}.csv")
    (folder / "grid.json").write_text(json.dumps(asdict(project.grid)), encoding="utf-8")
    if (project.root / "rules").is_dir():
        shutil.copytree(project.root / "rules", folder / "rules")


def _open_project(folder: Path, config: Config) -> Project:
    crs = config.project.crs
    saved = [row[0] for row in pyogrio.list_layers(folder / "layers.gpkg")]
    layers = {}
    for name, table in schema.layers().items():
        if name in saved:
            layers[name] = gpd.read_file(folder / "layers.gpkg", layer=name, engine="pyogrio")
        else:
            layers[name] = gpd.GeoDataFrame({key: [] for key in table.columns}, geometry=[], crs=crs)
    rasters = {
        name: raster.open_raster(folder / f"{name}.tif") if (folder / f"{name}.tif").is_file() else None
        for name in ("dem", "clutter", "population")
    }
    return Project(
        config=config,
        root=folder,
        layers=layers,
        grid=Grid(**json.loads((folder / "grid.json").read_text(encoding="utf-8"))),
        places=_points(_open_table(folder / "places.csv"), crs).drop(columns=["x_m", "y_m"]),
        stations=_open_table(folder / "stations.csv"),
        problems=_open_table(folder / "problems.csv"),
        set_aside={path.stem: _open_table(path) for path in sorted((folder / "set_aside").glob("*.csv"))},
        **rasters,
    )


def save(result: Result, folder: str | Path, overwrite: bool = False) -> Path:
    """Save a result so that it can be exported or looked at later.

    Parameters
    ----------
    result : Result
        What :func:`run` gave.
    folder : path
        A folder of its own; written in one step.
    overwrite : bool
        Replace an earlier result; a folder that is not a result is never replaced.

    Returns
    -------
    Path
        ``folder``.

    Raises
    ------
    ExportError
        The folder exists and ``overwrite`` is off, or it is not a result.
    """
    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise ExportError(f"{folder}: 已存在。换一个目录，或加 --overwrite / overwrite=True。")
    if folder.exists() and any(folder.iterdir()) and not (folder / "result.json").is_file():
        raise ExportError(f"{folder}: 不是 lcsiting 的结果目录，不予覆盖。")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    part.chmod(folder.parent.stat().st_mode)  # mkdtemp makes it private; a result is shared like its folder
    try:
        _save_project(result.project, part / "project")
        for name in PLAN_TABLES:
            _save_table(getattr(result.plan, name), part / "plan" / f"{name}.csv")
        save_certificate(result.plan.certificate, part / "plan")
        for name, table in result.tables.items():
            _save_table(table, part / "tables" / f"{name}.csv")
        _save_table(result.verdicts, part / "verdicts.csv")
        _save_table(result.eligible, part / "eligible.csv")
        if result.budgets is not None:
            _save_table(result.budgets, part / "budgets.csv")
        if result.zones is not None and len(result.zones):
            pyogrio.write_dataframe(result.zones, part / "zones.gpkg", layer="zones", driver="GPKG")
        _save_coverage(result.today, part / "coverage" / "today")
        for year, coverage in result.coverages.items():
            _save_coverage(coverage, part / "coverage" / str(year))
        text = json.dumps(result.summary, ensure_ascii=False, indent=1)
        (part / "result.json").write_text(text, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def open_result(folder: str | Path) -> Result:
    """Open a saved result; rasters stay on disk until they are needed.

    Raises
    ------
    LayerError
        The folder is not a saved result.
    """
    folder = Path(folder)
    if not (folder / "result.json").is_file():
        raise LayerError(f"{folder}: 不是 lcsiting 的结果目录(没有 result.json)。先运行 lcsiting run。")
    summary = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    config = Config.model_validate(summary["config"])
    project = _open_project(folder / "project", config)
    tables = {name: _open_table(folder / "plan" / f"{name}.csv") for name in PLAN_TABLES}
    for name in ("stations", "places"):
        tables[name] = _points(tables[name], config.project.crs)
    years = [phase.year for phase in config.phases]
    return Result(
        project=project,
        verdicts=_open_table(folder / "verdicts.csv"),
        eligible=_open_table(folder / "eligible.csv"),
        budgets=_open_table(folder / "budgets.csv") if (folder / "budgets.csv").is_file() else None,
        zones=gpd.read_file(folder / "zones.gpkg", engine="pyogrio") if (folder / "zones.gpkg").is_file() else None,
        plan=Plan(**tables, certificate=open_certificate(folder / "plan")),
        today=_open_coverage(folder / "coverage" / "today", years[0] - 1),
        coverages={year: _open_coverage(folder / "coverage" / str(year), year) for year in years},
        summary=summary,
        tables={path.stem: _open_table(path) for path in sorted((folder / "tables").glob("*.csv"))},
    )
