"""Saves a result to a folder and opens it again."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from lcsiting import schema
from lcsiting.config import RASTERS, Config
from lcsiting.coverage.antennas import exclusions_text, exclusions_tuple, settings_text, settings_tuple
from lcsiting.errors import ExportError, LayerError
from lcsiting.geo import grid as raster
from lcsiting.model import Cover, Coverage, Grid, Plan, Project, Result
from lcsiting.siting.plan_certificate import open_certificate, save_certificate

PLAN_TABLES = ("stations", "places", "phases", "counties", "refused")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(table.drop(columns="geometry", errors="ignore")).to_csv(path, index=False, encoding="utf-8")


def _read_csv(path: Path) -> pd.DataFrame:
    """Texts stay texts (codes keep their zeros); numbers, booleans and dates are recognised by the saved types."""
    types = json.loads(path.with_suffix(".types.json").read_text(encoding="utf-8"))
    dates = [name for name, dtype in types.items() if dtype == "datetime64[s]"]
    read_as = {name: dtype for name, dtype in types.items() if name not in dates}
    table = pd.read_csv(path, dtype=read_as, keep_default_na=False, na_values=[""], encoding="utf-8")
    for name in dates:
        table[name] = pd.to_datetime(table[name]).dt.as_unit("s")
    texts = [name for name, dtype in types.items() if dtype == "str"]
    table[texts] = table[texts].fillna("")
    return table


def _save_table(table: pd.DataFrame, path: Path) -> None:
    _write_csv(table, path)
    columns = [name for name in table.columns if name != "geometry"]
    plain = {"i": "Int64", "u": "Int64", "f": "float64", "b": "boolean", "M": "datetime64[s]"}
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


def _settings(stations: pd.DataFrame, angles: Callable[[Any], Any], wedges: Callable[[Any], Any]) -> pd.DataFrame:
    """Stations with the antenna settings that are tuples in memory and text in a file changed into the other."""
    change = {"azimuths_deg": angles, "tilts_deg": angles, "exclusions": wedges}
    return stations.assign(
        **{
            name: pd.Series(list(map(one, stations[name])), index=stations.index, dtype=object)
            for name, one in change.items()
            if name in stations
        }
    )


def _save_project(project: Project, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, layer in project.layers.items():
        if len(layer):
            pyogrio.write_dataframe(layer, folder / "layers.gpkg", layer=name, driver="GPKG")
    for name in RASTERS:
        value = getattr(project, name)
        if value is not None:
            raster.write_raster(folder / f"{name}.tif", value)
    places = project.places.assign(x_m=project.places.geometry.x, y_m=project.places.geometry.y)
    _save_table(places, folder / "places.csv")
    _save_table(_settings(project.stations, settings_text, exclusions_text), folder / "stations.csv")
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
        for name in RASTERS
    }
    return Project(
        config=config,
        root=folder,
        layers=layers,
        grid=Grid(**json.loads((folder / "grid.json").read_text(encoding="utf-8"))),
        places=_points(_open_table(folder / "places.csv"), crs).drop(columns=["x_m", "y_m"]),
        stations=_settings(_open_table(folder / "stations.csv"), settings_tuple, exclusions_tuple),
        problems=_open_table(folder / "problems.csv"),
        set_aside={path.stem: _open_table(path) for path in sorted((folder / "set_aside").glob("*.csv"))},
        **rasters,
    )


def _save_cover(cover: Cover, resources: tuple[Any, Any] | None, path: Path) -> None:
    """Arrays of a cover and of the budgets of its items, compressed; row numbers as steps, which are mostly 1."""
    arrays: dict[str, Any] = {
        "station_ids": np.array(cover.station_ids, str), "station_rows": cover.station_rows, "indptr": cover.indptr,
        "steps": np.diff(cover.indices, prepend=np.int32(0)), "row_weight": cover.row_weight,
        "networks": np.array(cover.networks), "services": np.array(cover.services),
    }  # fmt: skip
    if cover.modes is not None:
        arrays["modes"] = np.array(cover.modes, str)
    for name in cover.cells.columns:
        values = cover.cells[name]
        arrays[f"cell_{name}"] = np.array(values.astype(str), str) if values.dtype.kind in "O" else values.to_numpy()
    if resources is not None:
        (ptr, idx, load), limits = resources
        arrays |= {"res_ptr": ptr, "res_idx": idx, "res_load": load, "res_limits": limits}
    np.savez_compressed(path, **arrays)


def _open_cover(path: Path) -> tuple[Cover | None, tuple[Any, Any] | None]:
    """What :func:`_save_cover` wrote; nothing where there is none (results of earlier versions)."""
    if not path.is_file():
        return None, None
    with np.load(path) as data:
        cells = pd.DataFrame({name[5:]: data[name] for name in data.files if name.startswith("cell_")})
        cells["county"] = pd.Categorical(cells["county"].astype(object))
        cover = Cover(
            data["station_ids"].astype(object), data["station_rows"], data["indptr"],
            np.cumsum(data["steps"], dtype=np.int32), data["row_weight"], tuple(map(str, data["networks"])),
            tuple(map(str, data["services"])), cells, data["modes"].astype(object) if "modes" in data.files else None,
        )  # fmt: skip
        parts = [data[name] for name in ("res_ptr", "res_idx", "res_load", "res_limits") if name in data.files]
    return cover, ((parts[0], parts[1], parts[2]), parts[3]) if parts else None


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
        if result.plan.limits is not None:
            _save_table(result.plan.limits, part / "plan" / "limits.csv")
        save_certificate(result.plan.certificate, part / "plan")
        if result.cover is not None:
            _save_cover(result.cover, result.resources, part / "cover.npz")
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

    Parameters
    ----------
    folder : str or Path
        What :func:`save` wrote (``lcsiting run`` puts it into ``result/`` of its output folder).

    Returns
    -------
    Result

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
    if (folder / "plan" / "limits.csv").is_file():
        tables["limits"] = _open_table(folder / "plan" / "limits.csv")
    for name in ("stations", "places"):
        tables[name] = _points(tables[name], config.project.crs)
    years = [phase.year for phase in config.phases]
    cover, resources = _open_cover(folder / "cover.npz")
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
        cover=cover,
        tables={path.stem: _open_table(path) for path in sorted((folder / "tables").glob("*.csv"))},
        resources=resources,
    )
