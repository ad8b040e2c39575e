"""``plan.kml``: the plan for Google Earth and for what engineers carry into the field (WGS-84)."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from lcsiting import schema
from lcsiting.exporters import caveats, style, tables, vector
from lcsiting.model import Result

CRS = "EPSG:4326"  # KML knows nothing else; CGCS2000 agrees with it to centimetres
TAG = "{http://www.opengis.net/kml/2.2}"
PLACE_COLUMNS = (
    "place_id", "networks", "bands", "stations", "phase_year", "status", "county", "host_kind", "action",
    "height_agl_m", "coordination", "coordination_verified",
)  # fmt: skip
STATION_COLUMNS = ("station_id", "class", "user_unit", "rx_low_mhz", "rx_high_mhz", "diameter_m")


def _placemarks(
    frame: gpd.GeoDataFrame, names: list[str], table: schema.Table, columns: Any, result: Result, lang: str
) -> gpd.GeoDataFrame:
    """Rows with their names and chosen columns as texts, headers for people, in WGS-84."""
    shown = tables.rounded(tables.translated(frame, table, result, lang))
    out = {"Name": np.array([tables.plain(name) for name in names], dtype=object)}
    for name in columns:
        if name in shown.columns:
            column = table.columns[name]
            values = [None if v is pd.NA or v != v else tables.plain(v) for v in shown[name].astype(object)]
            out[column.label(lang)] = np.array([None if v is None else str(v) for v in values], dtype=object)
    points = gpd.GeoSeries(frame.geometry.to_numpy(), crs=frame.crs).to_crs(CRS)
    return gpd.GeoDataFrame(pd.DataFrame(out, index=points.index), geometry=points)


def _areas(frame: gpd.GeoDataFrame, distance: str, lang: str) -> list[str]:
    """Name of each area: station, mechanism, distance, and the caveat where its basis is unverified."""
    rows = zip(frame["protected_name"], frame["mechanism"], frame[distance], frame["verified"], strict=True)
    return [
        caveats.with_basis(f"{name} · {schema.value_label(kind, lang)} · {metres / 1000:.1f} km", bool(known), lang)
        for name, kind, metres, known in rows
    ]


@dataclass(frozen=True)
class _Folder:
    """Layer id, title, placemarks, and the name of each placemark's style."""

    layer: str
    title: str
    marks: gpd.GeoDataFrame
    looks: list[str]


def _folders(result: Result, lang: str) -> Iterator[_Folder]:
    places, plan = schema.table("places"), result.plan.places
    names = [str(name or place) for name, place in zip(plan["name"], plan["place_id"], strict=True)]
    marks = _placemarks(plan, names, places, PLACE_COLUMNS, result, lang)
    yield _Folder("places", places.label(lang), marks, [f"year_{int(year)}" for year in plan["phase_year"]])
    protected = result.project.layers.get("protected_stations")
    if protected is not None and len(protected):
        layer = schema.layer("protected_stations")
        named = protected["name"].where(protected["name"].notna(), protected["station_id"])
        marks = _placemarks(protected, list(named.astype(str)), layer, STATION_COLUMNS, result, lang)
        yield _Folder("protected_stations", style.PROTECTED.label(lang), marks, ["protected"] * len(marks))
        rings, table = vector.rings(result), schema.table("rings")
        if len(rings):
            marks = _placemarks(rings, _areas(rings, "radius_m", lang), table, table.columns, result, lang)
            yield _Folder("rings", style.RING.label(lang), marks, ["ring"] * len(marks))
    if result.zones is not None and len(result.zones):
        table = schema.table("zones")
        names = _areas(result.zones, "farthest_m", lang)
        marks = _placemarks(result.zones, names, table, table.columns, result, lang)
        looks = [f"zone_{kind}" for kind in result.zones["mechanism"]]
        yield _Folder("zones", style.ZONE[0 if lang == "zh" else 1], marks, looks)


def _styles(result: Result) -> dict[str, style.Style]:
    years = style.phases([phase.year for phase in result.project.config.phases])
    return {
        "year_0": style.ON_AIR,
        **{f"year_{year}": look for year, look in years.items()},
        "protected": style.PROTECTED,
        "ring": style.RING,
        **{f"zone_{kind}": look for kind, look in style.ZONES.items()},
    }


def _colour(rgb: str, opacity: float) -> str:
    """``#rrggbb`` as KML writes it: aabbggrr."""
    return f"{round(255 * opacity):02x}{rgb[5:7]}{rgb[3:5]}{rgb[1:3]}"


def _style_element(name: str, look: style.Style) -> ET.Element:
    element = ET.Element(f"{TAG}Style", id=name)
    parts = {
        "IconStyle": {"color": _colour(look.fill or look.color, 1.0), "scale": "0.7"},
        "LabelStyle": {"scale": "1" if name == "protected" else "0"},
        "LineStyle": {"color": _colour(look.color, 1.0), "width": f"{look.weight:g}"},
        "PolyStyle": {"color": _colour(look.fill or look.color, look.opacity)},
    }
    for part, values in parts.items():
        child = ET.SubElement(element, f"{TAG}{part}")
        for key, value in values.items():
            ET.SubElement(child, f"{TAG}{key}").text = value
    return element


def _put_styles(path: Path, folders: list[_Folder], styles: dict[str, style.Style]) -> None:
    """Colours, which GDAL takes only from feature styles that the writer cannot pass on."""
    ET.register_namespace("", TAG[1:-1])
    tree = ET.parse(path)
    document = tree.getroot()[0]
    for element in reversed([_style_element(name, look) for name, look in styles.items()]):
        document.insert(0, element)
    inside = {element.get("id"): element for element in document.findall(f"{TAG}Document")}
    for folder in folders:
        for mark, look in zip(inside[folder.layer].iter(f"{TAG}Placemark"), folder.looks, strict=True):
            at = next(i for i, child in enumerate(mark) if child.tag == f"{TAG}ExtendedData")
            url = ET.Element(f"{TAG}styleUrl")
            url.text = f"#{look}"
            mark.insert(at, url)
    tree.write(path, encoding="utf-8", xml_declaration=True)


def write_kml(result: Result, path: Path, lang: str = "zh") -> None:
    """Write places, protected stations, rule rings and separation zones into one KML file.

    A folder each; one placemark per place. Longitude and latitude are WGS-84, as KML prescribes: in a
    viewer whose backdrop is GCJ-02 the points appear shifted by some hundred metres.

    Parameters
    ----------
    result : Result
        What a run made.
    path : Path
        Target file, ending in ``.kml``.
    lang : str
        Headers and words.
    """
    import pyogrio

    folders = [folder for folder in _folders(result, lang) if len(folder.marks)]
    notes = "\n".join(filter(None, (style.notice(result, lang), *caveats.lines(result, lang))))
    for folder in folders:
        options = {"NAME": folder.title, "DESCRIPTION": notes}
        pyogrio.write_dataframe(
            folder.marks, path, driver="LIBKML", layer=folder.layer, append=path.exists(),
            geometry_type=vector.common_type(folder.marks), layer_options=options,
        )  # fmt: skip
    if folders:
        _put_styles(path, folders, _styles(result))
    else:
        path.write_text(f'<kml xmlns="{TAG[1:-1]}"><Document/></kml>', encoding="utf-8")
