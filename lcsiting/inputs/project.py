"""``open_project``: a project file to a :class:`lcsiting.model.Project`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules, schema
from lcsiting.config import Config, LayerSource
from lcsiting.errors import LayerError, LcsitingError, RangeError
from lcsiting.geo import grid as raster
from lcsiting.geo import resample
from lcsiting.inputs import derive, notes, read
from lcsiting.model import Grid, Project, Raster
from lcsiting.project_file import read_config
from lcsiting.radio.profile import COASTAL, INLAND, SEA

PROJECT_FILE = "project.toml"
AZIMUTHS = r"\s*\d{1,3}(\.\d+)?°?(\s*[/,;，；、\s]\s*\d{1,3}(\.\d+)?°?)*\s*"


@dataclass
class Opening:
    """A project on its way in: what has been read so far and what went wrong.

    With ``strict`` the first error stops; without, it becomes a row of the problems table.
    """

    strict: bool = True
    problems: list[dict[str, str]] = field(default_factory=list)
    aside: list[dict[str, str]] = field(default_factory=list)
    failed: bool = False

    def attempt(self, layer: str, file: str, step: Callable[[], Any]) -> Any:
        """Result of ``step``, or None after an error that was noted."""
        try:
            return step()
        except LcsitingError as error:
            if self.strict:
                raise
            self.failed = True
            row = notes.Notes(layer)
            row.add("error", file, str(error), "改正后重新运行 lcsiting check")
            self.problems += row.problems
            return None

    def say(self, severity: str, layer: str, file: str, problem: str, fix: str = "") -> None:
        """One row of the problems table."""
        row = notes.Notes(layer)
        row.add(severity, file, problem, fix)
        self.problems += row.problems


@dataclass
class Layers:
    """The input side of a project, as far as it could be read."""

    config: Config
    root: Path
    layers: dict[str, gpd.GeoDataFrame]
    grid: Grid | None = None
    dem: Raster | None = None
    clutter: Raster | None = None
    radio_zones: Raster | None = None
    population: Raster | None = None
    population_given: bool = False
    workdir: Path | None = None  # where DEM, clutter and population lie as files; in memory if None


def project_file(path: str | Path) -> Path:
    """The project file: the path itself, or ``project.toml`` in the folder."""
    path = Path(path)
    return path / PROJECT_FILE if path.is_dir() else path


def city_shape(boundaries: gpd.GeoDataFrame) -> Any:
    """The city in the working CRS: the union of its counties if there are any, else its outline.

    Raises
    ------
    LayerError
        Neither is there.
    """
    areas = boundaries[boundaries["level"].isin(derive.city_levels(boundaries))]
    if areas.empty:
        raise LayerError(
            "行政与规划范围（boundaries）：既没有 county 级也没有 city 级范围。请在“级别”列填写 县/区 或 市。"
        )
    return areas.union_all()


def open_project(path: str | Path, *, rasters: str = "memory", workdir: str | Path | None = None) -> Project:
    """Read, check and derive everything a project file names.

    Parameters
    ----------
    path : str or Path
        ``project.toml`` or the folder it lies in.
    rasters : "memory" or "disk"
        Where the DEM, and clutter and population on the working grid are kept. The pixels are the same.
    workdir : str or Path, optional
        With "disk": the folder of ``dem.tif``, ``clutter.tif`` and ``population.tif``, which the project reads
        from then on.

    Returns
    -------
    Project
        Layers in the working CRS; ``problems`` and ``set_aside`` say what was noticed.

    Raises
    ------
    ConfigError
        The project file cannot be used.
    LayerError, CrsError
        The first layer that cannot be used. ``check`` lists all of them.
    RangeError
        ``rasters`` is neither, or "disk" without ``workdir``.
    """
    if rasters not in ("memory", "disk"):
        raise RangeError(f'open_project: rasters is "memory" or "disk", not {rasters!r}')
    if rasters == "disk" and workdir is None:
        raise RangeError('open_project: rasters="disk" needs workdir, the folder its GeoTIFFs go to')
    folder = Path(workdir) if rasters == "disk" and workdir is not None else None
    opening = Opening(strict=True)
    from lcsiting.inputs import cross  # it reads Layers, defined here

    there = read_inputs(path, opening, folder)
    assert there is not None
    opening.problems += cross.cross_checks(there)
    return assemble(there, opening)


def _merge_parts(there: Layers, opening: Opening) -> None:
    """One row per area: a county drawn as several rows of one code is one area."""
    areas = there.layers["boundaries"]
    again = areas.duplicated(["level", "code"], keep=False)
    if not again.any():
        return
    merged = areas.dissolve(by=["level", "code"], sort=False, as_index=False, aggfunc="first")
    people = areas.groupby(["level", "code"], sort=False)["population"].agg(_population_of_parts)
    merged["population"] = people.to_numpy(dtype=float)
    there.layers["boundaries"] = merged[areas.columns].set_crs(areas.crs, allow_override=True)
    names = "、".join(dict.fromkeys(areas.loc[again, "name"].astype(str)))
    text = f"{int(again.sum())} 行级别与代码相同，已按代码合并为一个范围：{names}"
    opening.say("info", "boundaries", _files(there.config, "boundaries"), text)


def _population_of_parts(values: pd.Series) -> float:
    """Parts that repeat their area's population name it once; different numbers add up."""
    known = pd.to_numeric(values).dropna()
    if known.empty:
        return np.nan
    return float(known.iloc[0] if (known == known.iloc[0]).all() else known.sum())


def _one_id_one_place(there: Layers, opening: Opening) -> None:
    """A candidate under the number of an existing place is that place: the existing record counts."""
    candidates = there.layers["candidates"]
    twice = candidates["place_id"].isin(there.layers["existing"]["place_id"])
    if not twice.any():
        return
    file, reason = _files(there.config, "candidates"), "编号与存量站址相同"
    for row in candidates[twice].itertuples():
        record = f"place_id={row.place_id}; name={row.name}"
        opening.aside.append(
            {"layer": "candidates", "file": file, "row": str(row.place_id), "reason": reason, "record": record}
        )
    there.layers["candidates"] = candidates[~twice].reset_index(drop=True)
    some = "、".join(candidates.loc[twice, "place_id"].astype(str)[:5])
    text = f"{int(twice.sum())} 行{reason}，已另列，以存量站址为准：{some}"
    opening.say("warning", "candidates", file, text, "改成不重复的编号，或删除候选中的重复行")


def _readable_azimuths(there: Layers, opening: Opening) -> None:
    """Azimuths nobody can read become blank (three sectors by default), and are named."""
    for name in ("existing", "neighbours"):
        _blank_azimuths(there, name, opening)


def _blank_azimuths(there: Layers, name: str, opening: Opening) -> None:
    existing = there.layers[name]
    text = existing["azimuths_deg"].astype(object).where(existing["azimuths_deg"].notna(), "").astype(str)
    bad = (text.str.strip() != "") & ~text.str.fullmatch(AZIMUTHS)
    if not bad.any():
        return
    there.layers[name] = existing.assign(azimuths_deg=text.where(~bad, ""))
    some = "、".join(f"{i}({t})" for i, t in zip(existing.loc[bad, "place_id"][:5], text[bad][:5], strict=True))
    problem = f"{int(bad.sum())} 处方位角无法识别，按缺省三扇区 0/120/240 计：{some}"
    opening.say("warning", name, _files(there.config, name), problem, "写成 0/120/240 这样的度数")


def read_inputs(path: str | Path, opening: Opening, workdir: Path | None = None) -> Layers | None:
    """All layers and rasters; with a lenient ``opening`` as many as can be read."""
    file = project_file(path)
    config = opening.attempt("project", file.name, lambda: read_config(file))
    if config is None:
        return None
    there = Layers(config, file.parent, {}, workdir=workdir)
    boundaries = _read(there, "boundaries", None, opening)
    city = None
    if len(boundaries):
        city = opening.attempt("boundaries", _files(config, "boundaries"), lambda: city_shape(boundaries))
    elif not opening.failed:
        opening.attempt("boundaries", file.name, _no_boundaries)
    if len(boundaries):
        _merge_parts(there, opening)
    for name in schema.layers():
        if name != "boundaries":
            _read(there, name, city, opening)
    _one_id_one_place(there, opening)
    _readable_azimuths(there, opening)
    if city is not None:
        there.grid = raster.frame(city.bounds, config.project.resolution_m, config.project.crs)
        _read_rasters(there, opening)
    return there


def _no_boundaries() -> None:
    raise LayerError(
        '行政与规划范围（boundaries）：没有可用的行。请在 project.toml 的 [layers] 写 boundaries = "文件"。'
    )


def _files(config: Config, name: str) -> str:
    value = config.layers.get(name)
    return "、".join(Path(s.path).name for s in read.sources_of(value)) if value else ""


def _read(there: Layers, name: str, city: Any, opening: Opening) -> gpd.GeoDataFrame:
    config = there.config
    empty = read.empty_layer(name, config.project.crs)
    if name not in config.layers:
        there.layers[name] = empty
        return empty
    noted = notes.Notes(name)
    sources = config.layers[name]
    try:
        frame = opening.attempt(
            name,
            _files(config, name),
            lambda: read.read_noted(name, sources, there.root, config, city, noted),
        )
    finally:
        opening.problems += noted.problems
        opening.aside += noted.aside
    there.layers[name] = empty if frame is None else frame
    return there.layers[name]


def _raster_path(there: Layers, name: str, source: LayerSource) -> Path:
    path = there.root / source.path
    if not path.exists():
        raise LayerError(f"{name}：找不到栅格文件 {source.path}。请检查 project.toml 中的路径。")
    return path


def _read_zones(path: Path, crs: str) -> Raster:
    found = resample.read_own_frame(path, crs, INLAND, "nearest")
    codes = np.asarray(found.array)
    wrong = np.setdiff1d(codes, (0, COASTAL, INLAND, SEA))
    if wrong.size:
        raise LayerError(
            f"radio_zones：{path.name} 有 1（沿海陆地）、2（内陆）、3（海）以外的代码，共 {wrong.size} 种，"
            f"如 {wrong[0]:g}。请重新编码。"
        )
    return Raster(found.grid, array=np.where(codes == 0, INLAND, codes).astype(np.uint8))


def _read_rasters(there: Layers, opening: Opening) -> None:
    config, frame = there.config, there.grid
    assert frame is not None

    def load(name: str, source: LayerSource | None, reader: Callable[[Path], Raster]) -> Raster | None:
        if source is None:
            return None
        file = Path(source.path).name
        return opening.attempt(name, file, lambda: reader(_raster_path(there, name, source)))

    names = ("dem", "clutter", "population")
    into = {name: None if there.workdir is None else there.workdir / f"{name}.tif" for name in names}
    there.dem = load(
        "dem", config.dem, lambda p: resample.read_own_frame(p, config.project.crs, None, into=into["dem"])
    )
    there.radio_zones = load("radio_zones", config.radio_zones, lambda p: _read_zones(p, config.project.crs))
    there.clutter = load(
        "clutter", config.clutter, lambda p: resample.read_raster(p, frame, "nearest", into=into["clutter"])
    )
    there.population = load(
        "population", config.population, lambda p: resample.read_raster(p, frame, "sum", into=into["population"])
    )
    there.population_given = there.population is not None
    boundaries = there.layers["boundaries"]
    if there.clutter is None:
        there.clutter = clutter_from_levels(boundaries, frame, there.root, into["clutter"])
        if config.clutter is None:
            text = "没有地物栅格，按范围级别取：市城区/县城区为城区，乡镇/园区为郊区，其余为农村"
            opening.say("info", "clutter", "", text, '有地物分类栅格时，在 [layers] 写 clutter = "文件.tif"')
    if there.population is None:
        there.population = population_from_counties(boundaries, there.clutter, there.root, into["population"])
        if config.population is None and there.population is not None:
            text = "没有人口栅格，按县（市、区）常住人口和地物权重（rules/population.toml）分摊"
            opening.say("info", "population", "", text, '有人口栅格时，在 [layers] 写 population = "文件.tif"')
        if there.population is None:
            text = "没有人口：既没有人口栅格，范围图层也没有“常住人口”，只按面积规划"
            opening.say("warning", "population", "", text, "给 boundaries 补上常住人口，或提供人口栅格")


def clutter_from_levels(boundaries: gpd.GeoDataFrame, frame: Grid, root: Path, into: Path | None = None) -> Raster:
    """Land classes by the level of the areas (``rules/fallback_clutter.toml``), where no raster is given.

    With ``into`` they are left in that GeoTIFF.
    """
    table = rules.load("fallback_clutter", root / "rules")

    def rows(first: int, last: int) -> NDArray[np.uint8]:
        part = raster.rows_of(frame, first, last)
        out = np.zeros((part.rows, part.cols), dtype=np.uint8)
        for row in table.values():
            if "*" in row["levels"]:
                out[:] = row["clutter"]
                continue
            labels, _ = derive.area_labels(boundaries, row["levels"], part)
            out[labels > 0] = row["clutter"]
        return out

    return raster.from_rows(frame, np.uint8, rows, into)


def population_from_counties(
    boundaries: gpd.GeoDataFrame, clutter: Raster, root: Path, into: Path | None = None
) -> Raster | None:
    """Populations of the counties (or the city) spread over their land by class.

    Weights per pixel come from ``rules/population.toml``; every county's pixels add up to its
    population. None when no area has a population. With ``into`` the pixels are left in that GeoTIFF.
    """
    grid, by_class = clutter.grid, _class_weights(root)
    areas = boundaries[boundaries["level"].isin(derive.city_levels(boundaries))]
    people = pd.to_numeric(areas["population"]).to_numpy(dtype=float)
    if not np.isfinite(people).any() or np.nansum(people) <= 0:
        return None

    def land(first: int, last: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        part = raster.rows_of(grid, first, last)
        labels, _ = derive.area_labels(boundaries, derive.city_levels(boundaries), part)
        classes = raster.window(clutter, raster.bounds(part)).array
        return labels, by_class[np.asarray(classes, dtype=np.uint8)]

    total, pixels = np.zeros(len(areas) + 1), np.zeros(len(areas) + 1)
    for first, last in raster.row_bands(grid):
        labels, weights = land(first, last)
        total += np.bincount(labels.ravel(), weights=weights.ravel(), minlength=len(areas) + 1)
        pixels += np.bincount(labels.ravel(), minlength=len(areas) + 1)
    per_weight = np.zeros(len(areas) + 1)
    flat = np.zeros(len(areas) + 1)  # people per pixel where a county has no weighted land at all
    for k, count in enumerate(np.nan_to_num(people), start=1):
        if total[k] > 0:
            per_weight[k] = count / total[k]
        elif pixels[k] > 0:
            flat[k] = count / pixels[k]

    def rows(first: int, last: int) -> NDArray[np.float32]:
        labels, weights = land(first, last)
        return (weights * per_weight[labels] + flat[labels]).astype(np.float32)

    return raster.from_rows(grid, np.float32, rows, into)


def _class_weights(root: Path) -> NDArray[np.float64]:
    out = np.zeros(256)
    for code, row in rules.load("population", root / "rules").items():
        out[int(code)] = row["weight"]
    return out


def assemble(there: Layers, opening: Opening) -> Project:
    """Places and stations, and the finished project."""
    assert there.grid is not None and there.clutter is not None
    places = derive.derive_places(there.config, there.root, there.layers, there.clutter, there.grid)
    stations = derive.derive_stations(there.config, there.root, places)
    aside = notes.aside_table(opening.aside)
    return Project(
        config=there.config,
        root=there.root,
        layers=there.layers,
        grid=there.grid,
        dem=there.dem,
        clutter=there.clutter,
        population=there.population,
        radio_zones=there.radio_zones,
        places=places,
        stations=stations,
        problems=notes.problems_table(opening.problems),
        set_aside={name: part.reset_index(drop=True) for name, part in aside.groupby("layer", sort=False)},
    )
