"""What the map shows, as plain data: compact rows for the stations, GeoJSON for the rest."""

import json
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from lcsiting import schema
from lcsiting.exporters import caveats, style, tables
from lcsiting.model import Result

DEGREE_DECIMALS = 6
SHAPE_DECIMALS = 5
SIMPLIFY_M = 12.0
ZONE_SIMPLIFY_M = 100.0  # separation zones: tens of kilometres wide, computed in steps of that size
TEXTS = {
    "zh": {
        "height": "挂高", "rank": "排名", "id": "基站编号", "year": "年份", "tier": "层级", "gain": "新增覆盖",
        "people": "人", "action": "建设方式", "coordination": "干扰协调", "reasons": "选址依据",
    },
    "en": {
        "height": "height", "rank": "Rank", "id": "Station", "year": "Year", "tier": "Tier", "gain": "Added coverage",
        "people": "people", "action": "Action", "coordination": "Coordination", "reasons": "Reasons",
    },
}  # fmt: skip


def script_json(value: Any) -> str:
    """JSON that is safe inside a ``<script>`` element, whatever the texts contain."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class _Words:
    """Repeated texts, stored once."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}

    def __call__(self, value: Any) -> int:
        text = tables.plain(value)
        return self.index.setdefault("" if text is None else str(text), len(self.index))


def phase_years(result: Result) -> list[int]:
    """Phase years, ascending."""
    return [phase.year for phase in result.project.config.phases]


def station_classes(result: Result, lang: str) -> list[dict[str, Any]]:
    """The point classes: on air, then one per phase.

    Later phases are drawn larger and below earlier ones, so that a place with
    stations of two phases shows both.
    """
    years = phase_years(result)
    looks = {0: style.ON_AIR, **style.phases(years)}
    return [
        {
            "year": year,
            "label": look.label(lang),
            "color": look.color,
            "fillColor": look.fill,
            "fillOpacity": look.opacity,
            "extra": round(0.3 * i, 2),
        }
        for i, (year, look) in enumerate(looks.items())
    ]


def _column(frame: pd.DataFrame, name: str, fill: Any = None) -> list[Any]:
    return [tables.plain(v) for v in frame[name].tolist()] if name in frame else [fill] * len(frame)


def _station_rows(stations: pd.DataFrame, years: list[int], words: _Words) -> list[list[Any]]:
    classes = {year: i + 1 for i, year in enumerate(years)}
    on_air = [status == "on_air" or status == "现网" or rank == 0 for status, rank in zip(
        _column(stations, "status"), _column(stations, "rank", 1), strict=True)]  # fmt: skip
    rows = []
    places, ids = _column(stations, "place_id"), _column(stations, "station_id")
    columns = [
        "network",
        "band",
        "phase_year",
        "tier",
        "gain_people",
        "gain_area_km2",
        "action",
        "coordination",
        "reasons",
    ]
    values = zip(*(_column(stations, name) for name in columns), strict=True)
    for place, station, rank, air, row in zip(places, ids, _column(stations, "rank", 0), on_air, values, strict=True):
        network, band, year, tier, people, area, action, coordination, reasons = row
        tail = station[len(place) :] if station.startswith(place) else f"={station}"
        rows.append([
            0 if air else classes.get(year, len(years)), tail, rank, words(network), words(band), 0 if air else year,
            words(tier), None if people is None else round(people), None if area is None else round(area, 3),
            words(action), words(coordination), words(reasons),
        ])  # fmt: skip
    return rows


def station_data(result: Result, lang: str = "zh") -> dict[str, Any]:
    """Every station of the plan, grouped by place, for ``assets/map.js``.

    Returns
    -------
    dict
        ``words``, ``classes``, ``text`` and ``places``; one row per place holds all its stations.
    """
    words = _Words()
    plan = result.plan
    stations = tables.translated(plan.stations, "stations", result, lang)
    verified = _column(plan.stations, "coordination_verified", True)
    stations["coordination"] = [
        caveats.with_basis(word, known is not False, lang) if word else word
        for word, known in zip(_column(stations, "coordination"), verified, strict=True)
    ]
    stations["status"] = plan.stations["status"].to_numpy() if "status" in plan.stations else None
    rows = _station_rows(stations, phase_years(result), words)
    first = stations.drop_duplicates("place_id")
    wanted = ["lon", "lat", "name", "place_id", "county", "host_kind", "owner", "height_agl_m"]
    head = zip(*(_column(first, name) for name in wanted), strict=True)
    places: dict[str, list[Any]] = {}
    for lon, lat, name, place, county, kind, owner, height in head:
        shown_height = None if height is None else round(height, 1)
        places[place] = [
            round(lon, DEGREE_DECIMALS), round(lat, DEGREE_DECIMALS), name or "", place,
            words(county), words(kind), words(owner), shown_height, [],
        ]  # fmt: skip
    for place, row in zip(_column(stations, "place_id"), rows, strict=True):
        places[place][-1].append(row)
    for place_row in places.values():
        place_row[-1].sort(key=lambda row: (row[0], row[2]))
    classes = station_classes(result, lang)
    counts = [[0, 0] for _ in classes]
    for place_row in places.values():
        for k in {row[0] for row in place_row[-1]}:
            counts[k][1] += 1
        for row in place_row[-1]:
            counts[row[0]][0] += 1
    for look, (n_stations, n_places) in zip(classes, counts, strict=True):
        look["stations"], look["places"] = n_stations, n_places
    return {"words": list(words.index), "classes": classes, "text": TEXTS[lang], "places": list(places.values())}


def shape_data(
    frame: gpd.GeoDataFrame, keys: list[str], tips: list[str] | None = None, tolerance_m: float = SIMPLIFY_M
) -> dict[str, Any]:
    """GeoJSON of a layer in degrees, simplified and rounded.

    Parameters
    ----------
    frame : GeoDataFrame
        Any projected layer.
    keys : list of str
        Style key of each row.
    tips : list of str, optional
        Tooltip of each row.
    tolerance_m : float
        Simplification.
    """
    simple = gpd.GeoSeries(frame.geometry.simplify(tolerance_m).to_numpy(), crs=frame.crs).to_crs("EPSG:4490")
    degrees = shapely.transform(simple.to_numpy(), lambda xy: xy.round(SHAPE_DECIMALS))
    features = []
    for i, geometry in enumerate(degrees):
        if geometry is None or geometry.is_empty:
            continue
        properties = {"k": keys[i]} | ({"t": tips[i]} if tips and tips[i] else {})
        features.append(
            {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(geometry))}
        )
    return {"type": "FeatureCollection", "features": features}


def leaflet_styles(looks: dict[str, style.Style]) -> dict[str, dict[str, Any]]:
    """Styles as Leaflet path options."""
    out = {}
    for key, look in looks.items():
        options: dict[str, Any] = {"color": look.color, "weight": look.weight, "opacity": 0.9, "fill": bool(look.fill)}
        if look.fill:
            options |= {"fillColor": look.fill, "fillOpacity": look.opacity}
        out[key] = options | ({"dashArray": look.dash} if look.dash else {})
    return out


def line_key(layer: str, code: Any, kind: str) -> str:
    """Style key of a road, railway or water feature; ``kind`` is its type of geometry."""
    if layer == "water":
        return "water" if kind.endswith("Polygon") else "river"
    aliases = {"township": "township", "county": "county_road"}
    key = aliases.get(str(code), str(code))
    return key if key in style.LINES else ("railway" if layer == "rail" else "township")


def label_points(areas: gpd.GeoDataFrame) -> list[list[Any]]:
    """A point inside each polygon, in degrees, with its name."""
    inside = gpd.GeoSeries(areas.geometry.representative_point().to_numpy(), crs=areas.crs).to_crs("EPSG:4490")
    names = [tables.plain(name) or "" for name in areas["name"].tolist()]
    return [[round(p.x, 5), round(p.y, 5), name] for p, name in zip(inside, names, strict=True)]


def protected_data(frame: gpd.GeoDataFrame, lang: str) -> list[list[Any]]:
    """Protected stations: position and rows for the popup."""
    layer = schema.layer("protected_stations")
    points = frame.geometry.to_crs("EPSG:4490")
    shown = [c for c in layer.columns.values() if c.name in frame.columns and c.name != "name"]
    out = []
    for i, point in enumerate(points):
        row = frame.iloc[i]
        pairs = [["", str(tables.plain(row.get("name")) or row["station_id"])]]
        for column in shown:
            value = row[column.name]
            missing = value is None or value is pd.NaT or value != value
            text = None if missing else tables.plain(value.item() if hasattr(value, "item") else value)
            if text is not None:
                pairs.append([column.label(lang), schema.value_label(text, lang)])
        out.append([round(point.x, DEGREE_DECIMALS), round(point.y, DEGREE_DECIMALS), pairs])
    return out
