"""One class table: the colours and words every exporter uses.

Colours follow the Okabe-Ito set, which stays distinguishable with the common
colour-vision deficiencies; classes also differ in size or shape.
"""

from dataclasses import dataclass
from pathlib import Path

from lcsiting.model import Result


@dataclass(frozen=True)
class Style:
    """How one class looks.

    Attributes
    ----------
    zh, en : str
        Label.
    color : str
        Outline or line colour, ``#rrggbb``.
    fill : str
        Fill colour, empty for none.
    opacity : float
        Fill opacity, 0-1.
    weight : float
        Line width in pixels.
    dash : str
        SVG dash pattern, empty for a solid line.
    """

    zh: str
    en: str
    color: str
    fill: str = ""
    opacity: float = 0.0
    weight: float = 1.0
    dash: str = ""

    def label(self, lang: str = "zh") -> str:
        """Label for people."""
        return self.zh if lang == "zh" else self.en


AREAS = {
    "county": Style("县（市、区）界", "County border", "#5f5f5f", "#fdfcf8", 1.0, 1.4),
    "zone": Style("市属开发区", "Zone", "#7a5195", "#7a5195", 0.05, 1.6, "6 4"),
    "urban": Style("市城区", "Urban area", "#8c6d31", "#d9b36c", 0.22, 1.2),
    "county_seat": Style("县城区", "County seat", "#8c6d31", "#e6cf9f", 0.28, 1.0),
    "town": Style("乡镇", "Town", "#a8a29a", "#efe9dd", 0.35, 0.7),
    "park": Style("园区", "Park", "#6b6b6b", "#bdbdbd", 0.3, 1.0, "3 3"),
}
LINES = {
    "water": Style("水面", "Water", "#86b6d9", "#b9d7ea", 0.7, 1.0),
    "river": Style("河流、运河", "River, canal", "#7fb2d8", weight=1.6),
    "township": Style("乡道", "Township road", "#d9d3c7", weight=0.6),
    "county_road": Style("县道", "County road", "#cfc6b4", weight=0.9),
    "provincial": Style("省道", "Provincial road", "#d7bd83", weight=1.2),
    "national": Style("国道", "National road", "#d3a24b", weight=1.6),
    "motorway": Style("高速公路", "Motorway", "#c98b2b", weight=2.4),
    "urban_trunk": Style("城市主干路", "Urban trunk road", "#cfc6b4", weight=1.2),
    "railway": Style("铁路", "Railway", "#6f6f6f", weight=1.4, dash="8 4"),
    "hsr": Style("高速铁路", "High-speed railway", "#3f3f3f", weight=2.0, dash="10 4"),
}
ON_AIR = Style("现网", "On air", "#1a1a1a", "#4d4d4d", 0.95)
PHASE_COLOURS = ("#b34700", "#c48a00", "#a0527f", "#004c7a")
PHASE_FILLS = ("#e8641b", "#f0b429", "#cc79a7", "#0072b2")
PROTECTED = Style("受保护无线电台站", "Protected station", "#7b0d5e", "#c2188f", 1.0)
RING = Style(
    "规则协调距离（需协调，非禁设）", "Rule distance (coordinate, not exclude)", "#a3277f", weight=1.2, dash="5 5"
)
ZONE = ("隔离区(物理计算)", "Separation needed (computed)")
ZONES = {
    "co_channel": Style("同频", "Co-channel", "#7b3294", "#7b3294", 0.03, 1.4),
    "adjacent": Style("邻频", "Adjacent band", "#008080", "#008080", 0.03, 1.4),
    "overload": Style("饱和", "Overload", "#b2182b", "#b2182b", 0.03, 1.4),
}

# Coverage classes: one network only (lighter), every network (darker).
KINDS = ("outdoor", "indoor")  # kinds of service, each drawn by its first one
COVERAGE = {
    ("last", "outdoor"): ("#a9dcc9", "#45b08c"),
    ("last", "indoor"): ("#cfc3e6", "#8f78c4"),
    ("first", "outdoor"): ("#f3df9d", "#dcb33c"),
}
COVERAGE_OPACITY = 0.6


def phases(years: list[int]) -> dict[int, Style]:
    """Style of each phase year; first and last keep their colours whatever lies between.

    Parameters
    ----------
    years : list of int
        Phase years, ascending.

    Returns
    -------
    dict
        Year to style, in order.
    """
    out = {}
    for i, year in enumerate(years):
        last = i == len(years) - 1
        k = len(PHASE_FILLS) - 1 if last and i else i % (len(PHASE_FILLS) - 1)
        out[year] = Style(f"{year} 年新增", f"Added by {year}", PHASE_COLOURS[k], PHASE_FILLS[k], 0.9)
    return out


def notice(result: Result, lang: str = "zh") -> str:
    """The line that says what kind of data this is, empty if nothing is to be said.

    ``summary["notice"]`` (text, or a dict by language) wins; a project that calls
    itself a demonstration is labelled without it.
    """
    said = result.summary.get("notice", "")
    if isinstance(said, dict):
        said = said.get(lang) or said.get("zh", "")
    if said:
        return str(said)
    if any(word in result.project.config.project.name.lower() for word in ("示例", "演示", "demo")):
        return "示例数据，非实测数据" if lang == "zh" else "Demonstration, not survey data"
    return ""


def sources(result: Result, lang: str = "zh") -> str:
    """What the result rests on, for the foot of a map."""
    said = result.summary.get("sources", "")
    if isinstance(said, dict):
        said = said.get(lang) or said.get("zh", "")
    if isinstance(said, list | tuple):
        said = "; ".join(str(item) for item in said)
    own = "项目图层与 lcsiting 计算结果" if lang == "zh" else "project layers, computed with lcsiting"
    return str(said) or own


# Font files that hold Chinese, best first; compared without case, spaces and hyphens.
CJK_FONTS = (
    "notosanscjk", "sourcehansans", "notosanssc", "msyh", "simhei", "pingfang", "wqymicrohei", "wqyzenhei", "simsun",
)  # fmt: skip


def cjk_font(font_path: str = "") -> str:
    """Family name of a font with Chinese for matplotlib, empty if this computer has none.

    The disk is scanned and the file added by path: matplotlib's own list does not know a font that was
    installed after its cache was made, and its fallback font answers to every glyph with boxes.

    Parameters
    ----------
    font_path : str
        A file to take instead of looking for one.

    Returns
    -------
    str
        For ``rc_context({"font.family": [name, "DejaVu Sans"], "axes.unicode_minus": False})``. Empty: use
        English labels.
    """
    from matplotlib import font_manager

    if font_path:
        chosen = font_path
    else:
        found: dict[int, str] = {}
        for path in sorted(font_manager.findSystemFonts()):
            name = Path(path).stem.lower().replace("-", "").replace("_", "").replace(" ", "")
            rank = next((i for i, key in enumerate(CJK_FONTS) if name.startswith(key)), None)
            if rank is not None and "bold" not in name and "light" not in name:
                found.setdefault(rank, path)
        if not found:
            return ""
        chosen = found[min(found)]
    font_manager.fontManager.addfont(chosen)
    return str(font_manager.get_font(chosen).family_name)
