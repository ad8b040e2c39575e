"""``map.html``: one file that opens on a PC without internet, and the map in a notebook cell."""

import html
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import geopandas as gpd
import pandas as pd

from lcsiting import schema
from lcsiting.errors import ExportError
from lcsiting.exporters import caveats, mapdata, proof, style, vector
from lcsiting.exporters.mapdata import script_json
from lcsiting.exporters.offline import leaflet_assets, self_contained
from lcsiting.exporters.overlay import coverage_overlay
from lcsiting.inputs import derive
from lcsiting.model import Result

__all__ = ["Preview", "explore", "leaflet_assets", "render", "write_map"]

PANES = {"lc-areas": 320, "lc-coverage": 350, "lc-lines": 380, "lc-borders": 390}
WORDS = {
    "zh": {
        "stations": "5G 基站", "coverage": "网络覆盖（浅：部分网络，深：全部网络）", "coordination": "干扰协调",
        "base": "底图", "subtitle": "5G 基站站址规划图", "search": "按站址名称或编号查找", "sources": "资料来源",
        "counties": "县（市、区）界与名称", "built": "市城区 / 县城区 / 园区", "towns": "乡镇", "zones": "市属开发区",
        "lines": "道路、铁路、水系", "cover": "{year} 年{service}覆盖",
        "count": "（{stations} 个基站，涉及 {places} 处）",
        "phase": "{year} 年累计 {stations} 个基站、{places} 处站址", "crs": "坐标系", "as_of": "数据日期",
        "colon": "：", "semicolon": "；", "city": "市界与名称",
    },
    "en": {
        "stations": "5G stations", "coverage": "Coverage (light: some networks, dark: every network)",
        "coordination": "Coordination", "base": "Base map", "subtitle": "5G siting plan",
        "search": "Find a place by name or ID", "sources": "Sources", "counties": "County borders and names",
        "built": "Urban area / county seats / parks", "towns": "Towns", "zones": "Zones",
        "lines": "Roads, railways, water", "count": "({stations} stations on {places} places)",
        "cover": "{service} coverage {year}", "phase": "{stations} stations on {places} places by {year}",
        "crs": "CRS", "colon": ": ", "semicolon": "; ", "as_of": "Date of the data", "city": "City border and name",
    },
}  # fmt: skip


def _asset(name: str) -> str:
    return resources.files("lcsiting.exporters").joinpath("assets", name).read_text(encoding="utf-8")


def _swatch(*looks: style.Style, dot: bool = False) -> str:
    cells = []
    for look in looks:
        border = f"{max(1, round(look.weight))}px {'dashed' if look.dash else 'solid'} {look.color}"
        back = f"{look.fill}{round(255 * (look.opacity or 1)):02x}" if look.fill else "transparent"
        cells.append(f'<i class="lc-sw{" lc-dot" if dot else ""}" style="background:{back};border:{border}"></i>')
    return "".join(cells)


def _station_layers(page: Any, result: Result, lang: str) -> None:
    data = mapdata.station_data(result, lang)
    page.define("stations", script_json(data))
    for i, look in enumerate(data["classes"]):
        swatch = _swatch(style.Style("", "", look["color"], look["fillColor"]), dot=True)
        count = WORDS[lang]["count"].format(stations=f"{look['stations']:,}", places=f"{look['places']:,}")
        page.layer(f"lcsiting.places(LC.stations,{i},map)", f"{swatch}{html.escape(look['label'])} {count}", "stations")


def _coverage_layers(page: Any, result: Result, lang: str) -> None:
    years = sorted(result.coverages)
    if not years:
        return
    services = result.project.config.services
    first = {kind: next((s.name for s in services if s.indoor == (kind == "indoor")), None) for kind in style.KINDS}
    wanted = [("last", "outdoor", years[-1]), ("last", "indoor", years[-1]), ("first", "outdoor", years[0])]
    for when, kind, year in wanted if len(years) > 1 else wanted[:2]:
        service = first[kind]
        if service is None:
            continue
        colours = style.COVERAGE[(when, kind)]
        overlay = coverage_overlay(result.coverages[year], service, colours, style.COVERAGE_OPACITY)
        if overlay is None:
            continue
        label = WORDS[lang]["cover"].format(year=year, service=schema.value_label(service, lang))
        swatch = _swatch(*(style.Style("", "", c, c) for c in colours))
        page.image(
            overlay.url(), overlay.bounds_deg, f"{swatch}{html.escape(label)}", "coverage", show=len(page.images) == 0
        )


def _coordination_layers(page: Any, result: Result, lang: str) -> None:
    protected = result.project.layers.get("protected_stations")
    if protected is None or not len(protected):
        return
    page.define("protected", script_json(mapdata.protected_data(protected, lang)))
    look = style.PROTECTED
    page.layer(
        f"lcsiting.protectedStations(LC.protected,{script_json(look.fill)})",
        f'<span style="color:{look.fill}">▲</span> {html.escape(look.label(lang))}({len(protected)})',
        "coordination",
    )
    _zone_layer(page, result, lang)
    rings = vector.rings(result)
    if len(rings):
        tips = [
            f"{name} · {schema.value_label(kind, lang)} · {radius / 1000:.1f} km"
            for name, kind, radius in zip(rings["protected_name"], rings["mechanism"], rings["radius_m"], strict=True)
        ]
        label = caveats.with_basis(style.RING.label(lang), bool(rings["verified"].all()), lang)
        _shapes(page, "rings", rings, ["ring"] * len(rings), {"ring": style.RING}, tips, label,
                group="coordination", show=False)  # fmt: skip


def _zone_layer(page: Any, result: Result, lang: str) -> None:
    """Separation zones, switched off at first; coarse, because they are wide and many."""
    zones = result.zones
    if zones is None or not len(zones):
        return
    tips = [
        f"{name} · {schema.value_label(kind, lang)} · {near / 1000:.1f}–{far / 1000:.1f} km"
        for name, kind, near, far in zip(
            zones["protected_name"], zones["mechanism"], zones["nearest_m"], zones["farthest_m"], strict=True
        )
    ]
    title, said = style.ZONE[0 if lang == "zh" else 1], caveats.TEXTS[lang]["basis"]
    if not zones["verified"].all():
        title = f"{title[:-1]}{'，' if lang == 'zh' else '; '}{said.strip(' ()（）')})"
    kinds = list(zones["mechanism"].astype(str))
    looks = {kind: look for kind, look in style.ZONES.items() if kind in kinds}
    _shapes(page, "separation", zones, kinds, looks, tips, title,
            group="coordination", show=False, tolerance_m=mapdata.ZONE_SIMPLIFY_M)  # fmt: skip


def _shapes(page: Any, key: str, frame: gpd.GeoDataFrame, keys: list[str], looks: dict[str, style.Style],
            tips: list[str] | None, label: str, *, group: str = "base", pane: str = "overlayPane",
            show: bool = True, swatches: int = 3, tolerance_m: float = mapdata.SIMPLIFY_M) -> None:  # fmt: skip
    """Register one GeoJSON layer."""
    page.define(key, script_json(mapdata.shape_data(frame, keys, tips, tolerance_m)))
    arguments = [f"LC.{key}", *map(script_json, (mapdata.leaflet_styles(looks), pane, bool(tips)))]
    call = f"lcsiting.shapes({','.join(arguments)})"
    page.layer(call, _swatch(*list(looks.values())[:swatches]) + html.escape(label), group, show=show)


def _base_layers(page: Any, result: Result, lang: str) -> None:
    bounds = result.project.layers["boundaries"]
    words = WORDS[lang]
    groups = {"towns": ["town"], "built": ["urban", "county_seat", "park"], "zones": ["zone"]}
    counties = _city_areas(result)
    _county_layer(page, counties, bounds[bounds["level"] == "town"], lang)
    for key, levels in groups.items():
        part = bounds[bounds["level"].isin(levels)]
        if not len(part):
            continue
        # Town outlines are many and lie under the coverage; the rest is interactive and lies above.
        looks = {level: style.AREAS[level] for level in levels if (part["level"] == level).any()}
        tips = [
            f"{name} · {schema.value_label(level, lang)}"
            for name, level in zip(part["name"], part["level"], strict=True)
        ]
        pane = "overlayPane" if key == "zones" else "lc-areas"
        _shapes(page, key, part, list(part["level"]), looks, tips if key == "zones" else None, words[key], pane=pane)
    frames, keys = [], []
    for layer in ("water", "roads", "rail"):
        frame = result.project.layers.get(layer)
        if frame is None or not len(frame):
            continue
        frames.append(frame.geometry)
        codes = frame["kind" if layer == "water" else "class"]
        keys += [mapdata.line_key(layer, code, kind) for code, kind in zip(codes, frame.geom_type, strict=True)]
    if frames:
        lines = gpd.GeoDataFrame(geometry=pd.concat(frames, ignore_index=True), crs=frames[0].crs)
        looks = {key: style.LINES[key] for key in style.LINES if key in keys}
        shown = {key: looks[key] for key in ("river", "motorway", "railway") if key in looks}
        _shapes(
            page, "lines", lines, keys, {**shown, **looks}, None, words["lines"], pane="lc-lines", swatches=len(shown)
        )


def _county_layer(page: Any, counties: gpd.GeoDataFrame, towns: gpd.GeoDataFrame, lang: str) -> None:
    """County fills below, borders and names above, as one entry of the control."""
    look = style.AREAS["county"]
    label = WORDS[lang]["counties" if (counties["level"] == "county").any() else "city"]
    page.define("counties", script_json(mapdata.shape_data(counties, ["county"] * len(counties))))
    page.define("names", script_json([mapdata.label_points(counties), mapdata.label_points(towns)]))
    fill = mapdata.leaflet_styles({"county": look})["county"] | {"stroke": False}
    line = mapdata.leaflet_styles({"county": look})["county"] | {"fill": False}
    parts = [
        f'lcsiting.shapes(LC.counties,{script_json({"county": fill})},"lc-areas",false)',
        f'lcsiting.shapes(LC.counties,{script_json({"county": line})},"lc-borders",false)',
        'lcsiting.labels(LC.names[0],"lc-county")',
        'lcsiting.labels(LC.names[1],"lc-town")',
    ]
    page.layer(f"L.layerGroup([{','.join(parts)}])", _swatch(look) + html.escape(label), "base")


def _city_areas(result: Result) -> gpd.GeoDataFrame:
    """The areas that make up the city: its counties, or its outline where there are none."""
    bounds = result.project.layers["boundaries"]
    return bounds[bounds["level"].isin(derive.city_levels(bounds))]


def _folded(lines: list[str], look: str) -> str:
    """A headline that unfolds; nothing without lines."""
    if not lines:
        return ""
    said = [html.escape(line) for line in lines]
    return f'<details class="lc-folded {look}"><summary>{said[0]}</summary>{"<br>".join(said[1:])}</details>'


def _panel(result: Result, lang: str) -> str:
    words, config = WORDS[lang], result.project.config
    phases = result.plan.phases
    lines = [
        words["phase"].format(year=row.year, stations=f"{int(row.stations):,}", places=f"{int(row.places):,}")
        for row in phases.itertuples()
    ]
    notice = style.notice(result, lang)
    facts = {
        "sources": style.sources(result, lang),
        "crs": f"{config.project.crs}, CGCS2000",
        "as_of": config.project.as_of.isoformat(),
    }
    foot = " · ".join(f"{words[key]}{words['colon']}{value}" for key, value in facts.items())
    return (
        f'<div class="lc-panel"><h1>{html.escape(config.project.name)}</h1>'
        f"<p>{html.escape(words['subtitle'] + words['colon'] + words['semicolon'].join(lines))}</p>"
        + (f'<span class="lc-notice">{html.escape(notice)}</span>' if notice else "")
        + _folded(proof.certificate_lines(result, lang), "lc-proof")
        + _folded(proof.limit_lines(result, lang), "lc-proof")
        + _folded(caveats.lines(result, lang), "lc-caveats")
        + f'<div class="lc-search"><input id="lc-input" type="search" placeholder="{html.escape(words["search"])}">'
        f'<ul class="lc-hits" id="lc-hits"></ul></div></div><div class="lc-foot">{html.escape(foot)}</div>'
    )


def render(result: Result, lang: str = "zh", basemap: str | None = None) -> str:
    """The map as one self-contained page.

    Parameters
    ----------
    result : Result
        What a run made.
    lang : str
        ``zh`` or ``en``.
    basemap : str, optional
        URL template of an online tile layer.

    Raises
    ------
    ExportError
        Something on the page would need the internet.
    """
    from lcsiting.exporters.page import Page

    west, south, east, north = _city_areas(result).to_crs("EPSG:4490").total_bounds
    page = Page(panes=PANES, css=_asset("map.css"), js=_asset("map.js"), title=result.project.config.project.name)
    if basemap:
        page.tiles(basemap)
    _station_layers(page, result, lang)
    _coverage_layers(page, result, lang)
    _coordination_layers(page, result, lang)
    _base_layers(page, result, lang)
    groups = {key: WORDS[lang][key] for key in ("stations", "coverage", "coordination", "base")}
    text = page.render(_panel(result, lang), groups, [[float(south), float(west)], [float(north), float(east)]], lang)
    return self_contained(text, _tile_source(basemap) if basemap else None)


def _tile_source(basemap: str) -> str:
    parts = urlsplit(basemap.replace("{s}", "*").replace("t{s}", "*"))
    if parts.scheme not in ("http", "https") or "{x}" not in basemap or "{y}" not in basemap:
        raise ExportError("html: basemap must be a tile address such as https://host/{z}/{x}/{y}.png")
    host = parts.netloc
    return f"{parts.scheme}://{'*.' + host.split('.', 1)[1] if '*' in host.split('.', 1)[0] else host}"


def write_map(result: Result, path: Path, lang: str = "zh", basemap: str | None = None) -> None:
    """Write :func:`render`'s page as UTF-8."""
    path.write_text(render(result, lang, basemap), encoding="utf-8", newline="\n")


class Preview:
    """A map that shows itself in a notebook cell, no internet needed.

    Attributes
    ----------
    page : str
        The self-contained page.
    height_px : int
        Height of the cell.
    """

    def __init__(self, page: str, height_px: int = 640) -> None:
        self.page = page
        self.height_px = height_px

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{html.escape(self.page, quote=True)}" style="width:100%;height:{self.height_px}px;'
            'border:0" sandbox="allow-scripts"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<map, {len(self.page) / 1e6:.1f} MB; lc.export(result, folder, ['html']) writes it>"


def explore(result: Result, lang: str = "zh", height_px: int = 640) -> Preview:
    """Show a result as a map in the notebook cell.

    Parameters
    ----------
    result : Result
        What :func:`lcsiting.run` gave.
    lang : str
        ``zh`` or ``en``.
    height_px : int
        Height of the cell.

    Returns
    -------
    Preview
        Displays itself; ``.page`` is the HTML text.
    """
    return Preview(render(result, lang), height_px)
