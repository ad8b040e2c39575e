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
from lcsiting.model import Coverage, Grid, Plan, Project, Result
from lcsiting.screening.eligibility import screen
from lcsiting.siting.cover import cover
from lcsiting.siting.phases import rank

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
    bar = tqdm(total=6 + len(years), disable=not progress, unit="步", leave=False, delay=3)

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
    plan = step("排序", partial(rank, resources=limits), project, matrix, eligible, verdicts)
    today = step("现状评价", assess, project)
    coverages = {year: step(f"{year}年覆盖", predict_coverage, project, plan, year) for year in years}
    zones = step("隔离区", separation_zones, project)
    bar.close()
    tables = {"budgets": aggregate.judge_plan(project, budgets, plan), "zones": zones}
    result = Result(project, verdicts, eligible, plan, today, coverages, summary={}, cover=matrix, **tables)
    summary = summarise(result) | {"run": run_record(time.perf_counter() - started)}
    return replace(result, summary=summary)


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


def unverified_rules(project: Project) -> list[str]:
    """Rows of the coordination profile and the land limits that no source confirms."""
    override = project.root / "rules"
    out = []
    for name in (project.config.coordination.profile, "limits", "grades"):
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
                hashes[file.relative_to(project.root).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()
    return dict(sorted(hashes.items()))


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
    worst = plan.stations["coordination"].value_counts()
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
        "hosts": {str(key): int(n) for key, n in places["source"].value_counts().sort_index().items()},
        "phases": _records(plan.phases),
        "counties": _records(plan.counties),
        "statistics": _records(statistics),
        "reach": _records(reach),
        "grades": _records(pd.concat(graded, ignore_index=True)),
        "refused": _records(refused.reset_index()),
        "coordination": {str(key): int(n) for key, n in worst.sort_index().items()},
        "budgets": [] if result.budgets is None else _records(result.budgets),
    }


# ---------------------------------------------------------------- saving and opening


PLAN_TABLES = ("stations", "places", "phases", "counties", "refused")


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
    for network, layers in coverage.layers.items():
        for name, layer in layers.items():
            raster.write_raster(folder / network / f"{name}.tif", layer)
    for name in ("sectors", "statistics", "reach"):
        _save_table(getattr(coverage, name), folder / f"{name}.csv")


def _open_coverage(folder: Path, year: int) -> Coverage:
    layers = {
        network.name: {path.stem: raster.open_raster(path) for path in sorted(network.glob("*.tif"))}
        for network in sorted(path for path in folder.iterdir() if path.is_dir())
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
    try:
        _save_project(result.project, part / "project")
        for name in PLAN_TABLES:
            _save_table(getattr(result.plan, name), part / "plan" / f"{name}.csv")
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
        plan=Plan(**tables),
        today=_open_coverage(folder / "coverage" / "today", years[0] - 1),
        coverages={year: _open_coverage(folder / "coverage" / str(year), year) for year in years},
        summary=summary,
    )
