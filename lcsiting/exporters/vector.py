"""Vector files: the shapefile set a bureau's software accepts, and ``plan.gpkg``."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from lcsiting import __version__, schema
from lcsiting.errors import ExportError
from lcsiting.exporters import caveats, proof, style, tables
from lcsiting.inputs import derive
from lcsiting.model import Result

ENCODING = "GBK"
DEFAULT_WIDTHS = {"str": "C100", "int": "N9", "float": "N16.4", "bool": "N1", "date": "C10"}
DICTIONARY = "字段说明.csv"
# Tables of a result with positions: layers of the GeoPackage.
POINT_TABLES = ("why_not", "indoor_buildings", "micro_forecast", "coordination_list")


@dataclass
class _Log:
    """What a shapefile could not hold, by field."""

    truncated: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, cut: int, swapped: int) -> None:
        if cut:
            self.truncated[name] = cut
        if swapped:
            self.replaced[name] = swapped


def fit_text(text: str, width: int, encoding: str = ENCODING) -> tuple[str, bool, bool]:
    """Make a text fit a dBASE field.

    Parameters
    ----------
    text : str
        Any text.
    width : int
        Bytes the field has.
    encoding : str
        Of the file.

    Returns
    -------
    tuple
        The text that fits; whether it was cut (never inside a character); whether characters the
        encoding lacks became ``?``.
    """
    raw = text.encode(encoding, errors="replace")
    swapped = raw.decode(encoding) != text
    cut = len(raw) > width
    return raw[:width].decode(encoding, errors="ignore"), cut, swapped


def rings(result: Result) -> gpd.GeoDataFrame:
    """Rule-distance rings of the protected stations, columns of the schema table ``rings``."""
    from lcsiting.coordination.zones import rule_rings

    return rule_rings(result.project)


def boundary_table(result: Result) -> gpd.GeoDataFrame:
    """County polygons (the city outline where there are none) with their indicators of the last phase."""
    bounds = result.project.layers["boundaries"]
    counties = bounds[bounds["level"].isin(derive.city_levels(bounds))][["code", "name", "geometry"]]
    counties = counties.astype({"code": str})
    table = result.plan.counties
    last = table[table["year"] == table["year"].max()].drop(columns=["county"], errors="ignore")
    merged = counties.rename(columns={"code": "county_code", "name": "county"}).merge(
        last.astype({"county_code": str}), on="county_code", how="left"
    )
    return gpd.GeoDataFrame(merged, geometry="geometry", crs=bounds.crs)


def _points(frame: pd.DataFrame, crs: str) -> gpd.GeoDataFrame:
    """A table with lon/lat as points in the working CRS."""
    points = gpd.GeoSeries.from_xy(frame["lon"], frame["lat"], crs="EPSG:4490", index=frame.index).to_crs(crs)
    return gpd.GeoDataFrame(frame, geometry=points)


def _located(result: Result, name: str) -> gpd.GeoDataFrame:
    """A table of the result at its own positions, or at those of the planned stations it names."""
    table, crs = result.tables[name], result.project.config.project.crs
    if "lon" in table.columns:
        return _points(table, crs)
    stations = result.plan.stations.drop_duplicates("station_id").set_index("station_id")
    geometry = stations.geometry.to_crs(crs).reindex(table["station_id"].astype(object))
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(geometry.to_numpy(), index=table.index, crs=crs))


def _spatial(result: Result) -> Iterator[tuple[str, str, schema.Table, gpd.GeoDataFrame]]:
    """Shapefile name, plain name, schema table and rows of every spatial layer."""
    plan, project = result.plan, result.project
    crs = project.config.project.crs
    yield "TXJZ_P", "stations", schema.table("stations"), plan.stations
    yield "TXZZ_P", "places", schema.table("places"), plan.places
    yield "XZQ_A", "counties", schema.table("counties"), boundary_table(result)
    protected = project.layers.get("protected_stations")
    if protected is not None:
        yield "BHTZ_P", "protected_stations", schema.layer("protected_stations"), protected
        yield "XTFW_A", "rings", schema.table("rings"), rings(result)
    if result.zones is not None and len(result.zones):
        yield "GLFW_A", "zones", schema.table("zones"), result.zones
    yield "WRX_P", "refused", schema.table("refused"), _points(plan.refused, crs)


def _number(values: pd.Series, width: str) -> Any:
    digits, _, decimals = width[1:].partition(".")
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    if decimals:
        return numbers.round(int(decimals)).to_numpy()
    whole = numbers.round(0).astype("Int32" if int(digits) < 10 else "Int64")
    return whole.array if whole.isna().any() else whole.to_numpy(whole.dtype.numpy_dtype)


def _text(values: pd.Series, width: int, log: _Log, name: str) -> np.ndarray:
    fitted, cut, swapped = [], 0, 0
    for value in values:
        value = tables.plain(None if value is None or value is pd.NaT or value != value else value)
        if value is None:
            fitted.append(None)
            continue
        text, was_cut, was_swapped = fit_text(re.sub(r"[\r\n\t]+", " ", str(value)), width)
        fitted.append(text)
        cut, swapped = cut + was_cut, swapped + was_swapped
    log.add(name, cut, swapped)
    return np.array(fitted, dtype=object)


def shapefile_frame(frame: pd.DataFrame, table: schema.Table, log: _Log) -> dict[str, Any]:
    """The columns a table's schema sends to a shapefile, under their dBASE names and within their widths."""
    out = {}
    for column in table.columns.values():
        if not column.shp or column.name not in frame.columns:
            continue
        width = column.shp_width or DEFAULT_WIDTHS[column.dtype]
        values = frame[column.name]
        if width[0] == "C":
            out[column.shp] = _text(values, min(int(width[1:]), 254), log, column.shp)
        else:
            out[column.shp] = _number(values, width)
    return out


def _write_shapefile(path: Path, columns: dict[str, Any], geometry: gpd.GeoSeries) -> None:
    import pyogrio

    kinds = {kind.removeprefix("Multi") for kind in geometry.geom_type.dropna()}
    if len(kinds) > 1:
        raise ExportError(f"shp: {path.stem} mixes {', '.join(sorted(kinds))}; a shapefile holds one kind of geometry")
    kind = kinds.pop() if kinds else ("Point" if path.stem.endswith("_P") else "Polygon")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*geometry types.*")
        pyogrio.write_dataframe(
            gpd.GeoDataFrame(pd.DataFrame(columns), geometry=gpd.GeoSeries(geometry.to_numpy(), crs=geometry.crs)),
            path,
            driver="ESRI Shapefile",
            encoding=ENCODING,
            geometry_type=kind,
        )


def write_shapefiles(result: Result, folder: Path, lang: str = "zh") -> None:
    """Write the shapefile set and its field dictionary.

    GBK with ``.cpg``, ESRI ``.prj`` in the project's CRS, field names of at most ten ASCII bytes.
    Texts are cut by bytes, characters GBK lacks become ``?``; both are counted per field in
    ``字段说明.csv`` and announced in one warning.

    Parameters
    ----------
    result : Result
        What a run made.
    folder : Path
        Made here.
    lang : str
        Words and labels.

    Raises
    ------
    ExportError
        A layer that mixes kinds of geometry.
    """
    folder.mkdir(parents=True, exist_ok=True)
    crs = result.project.config.project.crs
    rows, lost = [], []
    for name, _, table, frame in _spatial(result):
        log = _Log()
        source = tables.without_year_zero(tables.translated(frame, table, result, lang))
        _write_shapefile(folder / f"{name}.shp", shapefile_frame(source, table, log), frame.geometry.to_crs(crs))
        rows += _dictionary(name, table, source, log, lang)
        lost += [f"{name}.{key}: {count} cut" for key, count in log.truncated.items()]
        lost += [f"{name}.{key}: {count} with characters outside {ENCODING}" for key, count in log.replaced.items()]
    _write_dictionary(folder / DICTIONARY, rows, result, lang)
    if lost:
        warnings.warn(
            f"shp: some texts did not fit ({'; '.join(lost)}). plan.gpkg holds them in full; see {DICTIONARY}.",
            stacklevel=2,
        )


def _dictionary(layer: str, table: schema.Table, frame: pd.DataFrame, log: _Log, lang: str) -> list[tuple[Any, ...]]:
    return [
        (
            f"{layer}.shp",
            table.label(lang),
            column.shp,
            column.label(lang),
            column.shp_width or DEFAULT_WIDTHS[column.dtype],
            column.name,
            log.truncated.get(column.shp, 0),
            log.replaced.get(column.shp, 0),
        )
        for column in table.columns.values()
        if column.shp and column.name in frame.columns
    ]


def _write_dictionary(path: Path, rows: list[tuple[Any, ...]], result: Result, lang: str) -> None:
    headers = (
        ["文件", "图层", "字段名", "中文名", "类型与宽度", "内部名", "截断行数", "替换字符行数"]
        if lang == "zh"
        else ["File", "Layer", "Field", "Meaning", "Type and width", "Internal name", "Rows cut", "Rows with ?"]
    )
    for text in filter(None, (style.notice(result, lang), *caveats.lines(result, lang))):
        rows = [*rows, ("*.shp", text, *[""] * (len(headers) - 2))]
    frame = pd.DataFrame(rows, columns=headers, dtype=object)
    frame.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")


def _metadata(result: Result, lang: str) -> pd.DataFrame:
    config = result.project.config
    items = {
        "project": config.project.name,
        "as_of": config.project.as_of.isoformat(),
        "crs": config.project.crs,
        "networks": "; ".join(f"{n.name}({'+'.join(n.operators)})" for n in config.networks),
        "phases": "; ".join(f"{p.year}: {p.target} {p.unit}" for p in config.phases),
        "coordination": " / ".join(
            [config.coordination.profile, config.coordination.enforce, *["remedies"] * config.coordination.remedies]
        ),
        "notice": style.notice(result, lang),
        "unverified_rules": "\n".join(caveats.lines(result, lang)),
        "sources": style.sources(result, lang),
        "software": f"lcsiting {__version__}",
    }
    return pd.DataFrame({"key": list(items), "value": list(items.values())})


def _plain_tables(result: Result, lang: str) -> Iterator[tuple[str, pd.DataFrame]]:
    plan = result.plan
    coverages = [result.today, *(result.coverages[year] for year in sorted(result.coverages))]
    yield "eligibility_failures", tables.failures(result)
    yield "verdicts", tables.verdicts_to_settle(result)
    yield "statistics", pd.concat([c.statistics for c in coverages], ignore_index=True)
    yield "reach", pd.concat([c.reach for c in coverages], ignore_index=True)
    yield "phases", plan.phases
    yield "county_indicators", plan.counties
    yield from proof.tables(result).items()
    for name, table in result.tables.items():
        if name not in POINT_TABLES:
            yield name, table
    yield "problems", result.project.problems
    if result.budgets is not None:
        yield "budgets", result.budgets
    yield "metadata", _metadata(result, lang)


def write_geopackage(result: Result, path: Path, lang: str = "zh") -> None:
    """Write every table and layer of the plan into one GeoPackage.

    Codes stay codes (the file is meant for further work); column names are the internal ones,
    explained in layer ``fields``.

    Parameters
    ----------
    result : Result
        What a run made.
    path : Path
        Target file.
    lang : str
        Language of the labels in ``fields``.
    """
    import pyogrio

    crs = result.project.config.project.crs
    layers: dict[str, schema.Table] = {}
    for _, name, table, frame in _spatial(result):
        layers[name] = table
        storable = _storable(tables.without_year_zero(frame.drop(columns="geometry")))
        spatial = gpd.GeoDataFrame(storable, geometry=frame.geometry.to_crs(crs))
        _append(pyogrio, path, name, spatial)
    for name in POINT_TABLES:
        if name in result.tables:
            layers[name] = schema.table(name)
            points = _located(result, name)
            spatial = gpd.GeoDataFrame(_storable(points.drop(columns="geometry")), geometry=points.geometry)
            _append(pyogrio, path, name, spatial)
    further = ("why_chosen", "substitutes", "needs", "remedies", "remedy_modes")
    layers |= {name: schema.table(name) for name in further if name in result.tables}
    layers |= {name: schema.table(name) for name in proof.tables(result)}
    bounds = result.project.layers["boundaries"]
    _append(
        pyogrio,
        path,
        "boundaries",
        gpd.GeoDataFrame(_storable(bounds.drop(columns="geometry")), geometry=bounds.geometry.to_crs(crs)),
    )
    for name, frame in _plain_tables(result, lang):
        _append(pyogrio, path, name, _storable(frame))
    fields = pd.DataFrame(
        [
            (name, column.name, column.label(lang), column.shp)
            for name, table in layers.items()
            for column in table.columns.values()
        ],
        columns=["layer", "column", "label", "shp"],
    )
    _append(pyogrio, path, "fields", fields)


def _storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns GDAL can store: numbers with gaps stay numbers; dates and mixed objects become text."""
    out = pd.DataFrame(index=pd.RangeIndex(len(frame)))
    for name in frame.columns:
        values = frame[name].infer_objects()
        if values.dtype.kind in "ifb":
            out[name] = values.array
        else:
            cleaned = [tables.plain(None if v is None or v is pd.NaT or v != v else v) for v in values]
            out[name] = np.array([None if v is None else str(v) for v in cleaned], dtype=object)
    return out


def _append(pyogrio: Any, path: Path, layer: str, frame: pd.DataFrame) -> None:
    options: dict[str, Any] = {"driver": "GPKG", "layer": layer, "append": path.exists()}
    if isinstance(frame, gpd.GeoDataFrame):
        options["geometry_type"] = common_type(frame)
        options["promote_to_multi"] = options["geometry_type"].startswith("Multi")
        frame = gpd.GeoDataFrame(frame.drop(columns="geometry"), geometry=frame.geometry.to_numpy(), crs=frame.crs)
    pyogrio.write_dataframe(frame, path, **options)


def common_type(frame: gpd.GeoDataFrame) -> str:
    """The one geometry type a layer can be written with: single, its multi form, or ``Unknown`` for a mixture."""
    kinds = sorted(set(frame.geometry.geom_type.dropna()))
    bases = {kind.removeprefix("Multi") for kind in kinds}
    if len(bases) != 1:
        return "Unknown"
    return kinds[0] if len(kinds) == 1 else f"Multi{bases.pop()}"
