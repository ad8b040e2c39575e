"""Which column of a planner's file is which column of the schema."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from lcsiting import schema

_BRACKETS = re.compile(r"[(\[{<【〔「][^)\]}>】〕」]*[)\]}>】〕」]")
_NOISE = re.compile(r"[\s_\-:;,.、/\\*#'\"]+")
_UNIT = re.compile(r"(米|千瓦|兆赫|mhz|kw|dbi|db|元年|元|人|度|°|m|k)$")
_DATUM = re.compile(r"(wgs84|wgs1984|cgcs2000|国家2000|gcj02|bd09|火星|百度|高德|gps|2000坐标系|2000)")

LON = ("经度", "东经", "lon", "lng", "long", "longitude", "经度坐标", "x经度")
LAT = ("纬度", "北纬", "lat", "latitude", "纬度坐标", "y纬度")
EAST = ("x", "x坐标", "坐标x", "xm", "xcoord", "pointx", "easting", "东坐标", "横坐标", "e", "东", "x东")
NORTH = ("y", "y坐标", "坐标y", "ym", "ycoord", "pointy", "northing", "北坐标", "纵坐标", "n", "北", "y北")
PAIR = ("经纬度", "坐标", "lonlat", "location", "经纬度坐标", "位置坐标")
# Degrees, minutes, seconds and (optional) hemisphere in columns of their own, longitude then latitude.
DMS = (
    (("longitudedegrees", "londeg", "经度度", "东经度"), ("longitudeminutes", "lonmin", "经度分", "东经分"),
     ("longitudeseconds", "lonsec", "经度秒", "东经秒"), ("longitudedirection", "londir", "经度方向")),
    (("latitudedegrees", "latdeg", "纬度度", "北纬度"), ("latitudeminutes", "latmin", "纬度分", "北纬分"),
     ("latitudeseconds", "latsec", "纬度秒", "北纬秒"), ("latitudedirection", "latdir", "纬度方向")),
)  # fmt: skip
WKT = ("wkt", "geometry", "geom", "the_geom", "几何")


@cache
def normalise(header: str) -> str:
    """Header without case, width, spaces, brackets with their content, punctuation."""
    text = unicodedata.normalize("NFKC", str(header)).strip().lower().lstrip("\ufeff")
    bare = _NOISE.sub("", _BRACKETS.sub("", text))
    return bare or _NOISE.sub("", re.sub(r"[()\[\]【】〔〕]", "", text))


def _bare(key: str) -> str:
    """Normalised header without a trailing unit."""
    return _UNIT.sub("", key) or key


@cache
def _keys(layer: str) -> dict[str, tuple[str, ...]]:
    """Column name to its normalised headers, best first."""
    out = {}
    for column in schema.layer(layer).columns.values():
        words = [column.name, column.zh, *column.synonyms, column.en]
        out[column.name] = tuple(dict.fromkeys(normalise(word) for word in words if word))
    return out


@dataclass(frozen=True)
class Coordinates:
    """Headers that carry the position: a pair of columns, one column with both, or WKT.

    ``dms`` are two rows of headers (longitude, latitude): degrees, minutes, seconds, hemisphere (may be empty).
    """

    first: str = ""
    second: str = ""
    pair: str = ""
    wkt: str = ""
    dms: tuple[tuple[str, ...], ...] = ()

    def __bool__(self) -> bool:
        """Whether any were found."""
        return bool(self.first or self.pair or self.wkt or self.dms)


def known(layer: str) -> set[str]:
    """All normalised headers that mean something for a layer, to find the header row of a sheet."""
    words = {key for keys in _keys(layer).values() for key in keys}
    parts = [word for axis in DMS for some in axis for word in some]
    return words | {normalise(word) for word in (*LON, *LAT, *EAST, *NORTH, *PAIR, *WKT, *parts)}


def match(layer: str, file_headers: list[str], declared: dict[str, str]) -> dict[str, str]:
    """Schema column to header of the file.

    Parameters
    ----------
    layer : str
        Layer of the schema.
    file_headers : list of str
        As in the file.
    declared : dict
        ``columns`` of the project file, our name to the file's header or ``"=value"``; wins.

    Returns
    -------
    dict
        Columns that were found. A declared header that the file does not have is left out.
    """
    by_key: dict[str, list[str]] = {}
    for header in file_headers:
        key = normalise(header)
        for k in dict.fromkeys((key, _bare(key))):
            by_key.setdefault(k, []).append(header)
    out: dict[str, str] = {}
    taken: set[str] = set()
    for name, header in declared.items():
        if header in file_headers or header.startswith("="):
            out[name] = header  # one header may serve two columns when the planner says so
    for depth in range(max(len(keys) for keys in _keys(layer).values())):
        for name, keys in _keys(layer).items():
            if name in out or name in declared or depth >= len(keys):
                continue
            for header in by_key.get(keys[depth], []):
                if header not in taken:
                    out[name] = header
                    taken.add(header)
                    break
    return out | _cut_short(layer, [h for h in file_headers if h not in taken], {*out, *declared})


def _cut_short(layer: str, left: list[str], found: set[str]) -> dict[str, str]:
    """Headers that a shapefile cut at 10 bytes (3 characters in UTF-8, 5 in GBK), where only one column fits."""
    out: dict[str, str] = {}
    for header in left:
        key = normalise(header)
        if not (8 < len(header.encode()) <= 10 or len(header.encode("gb18030")) == 10):
            continue
        fits = [
            name
            for name, keys in _keys(layer).items()
            if name not in found and any(word.startswith(key) and word != key for word in keys)
        ]
        if len(fits) == 1 and fits[0] not in out:
            out[fits[0]] = header
    return out


def coordinates(file_headers: list[str], declared: dict[str, str]) -> Coordinates:
    """Headers of the position; declared ones (``lon``, ``lat``, ``x``, ``y``) win."""
    for a, b in (("lon", "lat"), ("x", "y"), ("x_m", "y_m")):
        if declared.get(a) in file_headers and declared.get(b) in file_headers:
            return Coordinates(first=declared[a], second=declared[b])
    keys = {header: _DATUM.sub("", normalise(header)) or normalise(header) for header in file_headers}

    def find(words: tuple[str, ...]) -> str:
        wanted = [normalise(word) for word in words]
        hits = [(wanted.index(k), i, h) for i, (h, k) in enumerate(keys.items()) if k in wanted]
        return min(hits)[2] if hits else ""

    dms = tuple(tuple(find(words) for words in axis) for axis in DMS)
    if all(header for axis in dms for header in axis[:3]):
        return Coordinates(dms=dms)
    for first, second in ((LON, LAT), (EAST, NORTH)):
        a, b = find(first), find(second)
        if a and b:
            return Coordinates(first=a, second=b)
    if wkt := find(WKT):
        return Coordinates(wkt=wkt)
    return Coordinates(pair=find(PAIR))
