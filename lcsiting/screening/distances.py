"""Distances from places to railways and roads: set-back by class, fall of a tower."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lcsiting.errors import LayerError
from lcsiting.screening.restricted import quoted

CLASS_ZH = {
    "railway": "铁路",
    "hsr": "高速铁路",
    "motorway": "高速公路",
    "national": "国道",
    "provincial": "省道",
    "county": "县道",
    "township": "乡道",
    "urban_trunk": "城市主干路",
}


@dataclass(frozen=True)
class Clearance:
    """How far places are from the line that matters most to each.

    Attributes
    ----------
    distance_m, required_m : float64 (n,)
        Distance to that line and the distance it asks for; NaN where there is no line.
    line : list of str, (n,)
        The line, e.g. ``高速公路"青银高速"``.
    """

    distance_m: NDArray[np.float64]
    required_m: NDArray[np.float64]
    line: list[str]


def segments(lines: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Lines cut into straight pieces, and the line each piece comes from.

    A tree of short pieces finds the nearest much faster than one of long lines.
    """
    parts, part_owner = shapely.get_parts(lines, return_index=True)
    # Pieces join consecutive corners of the same part, never the end of one part to the next.
    xy, part = shapely.get_coordinates(parts, return_index=True)
    owner = part_owner[part]
    same = part[1:] == part[:-1]
    pieces = shapely.linestrings(np.stack([xy[:-1][same], xy[1:][same]], axis=1)) if same.any() else np.array([])
    return pieces, owner[:-1][same]


def nearest_line(points: NDArray[Any], lines: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance to the nearest line and its position; inf and -1 if there are no lines.

    Parameters
    ----------
    points : ndarray of shapely.Point, (n,)
        Places.
    lines : ndarray of LineString or MultiLineString, (m,)
        Same CRS, metres. Of equally near lines the first counts.
    """
    distance = np.full(len(points), np.inf)
    which = np.full(len(points), -1, dtype=np.int64)
    pieces, owner = segments(lines)
    if not len(points) or not len(pieces):
        return distance, which
    (point, piece), found = shapely.STRtree(pieces).query_nearest(points, return_distance=True)
    order = np.lexsort((owner[piece], point))[::-1]
    distance[point[order]] = found[order]
    which[point[order]] = owner[piece[order]]
    return distance, which


def _lines_of(layer: gpd.GeoDataFrame, kinds: list[str]) -> gpd.GeoDataFrame:
    return layer[layer["class"].isin(kinds) & layer.geometry.notna()]


def _line_name(kind: str, name: Any) -> str:
    return CLASS_ZH.get(kind, kind) + quoted(name)


def _names(lines: gpd.GeoDataFrame) -> pd.Series:
    return lines["name"] if "name" in lines else pd.Series("", index=lines.index)


def setback(points: NDArray[Any], layer: gpd.GeoDataFrame, rule: dict[str, Any], layer_name: str) -> Clearance:
    """Clearance by class of line: the line that leaves a place least room counts.

    Parameters
    ----------
    points : ndarray of shapely.Point, (n,)
        Places.
    layer : GeoDataFrame
        Roads or railways with ``class`` and ``name``.
    rule : dict
        Row of ``rules/limits.toml`` with ``<class>_m`` for every class; 0 asks for nothing.
    layer_name : str
        For messages.

    Raises
    ------
    LayerError
        A class the rule does not know.
    """
    kinds = sorted(layer["class"].dropna().astype(str).unique())
    unknown = [kind for kind in kinds if f"{kind}_m" not in rule]
    if unknown:
        count = int(layer["class"].isin(unknown).sum())
        raise LayerError(
            f"{layer_name}: {count} lines have a class no set-back is known for ({', '.join(unknown)}). "
            f"Correct the class or add {unknown[0]}_m to the rule in rules/limits.toml of the project."
        )
    slack = np.full(len(points), np.inf)
    out = Clearance(np.full(len(points), np.nan), np.full(len(points), np.nan), [""] * len(points))
    for kind in kinds:
        required = float(rule[f"{kind}_m"])
        lines = _lines_of(layer, [kind])
        if required <= 0 or lines.empty:
            continue
        distance, which = nearest_line(points, lines.geometry.to_numpy())
        labels = [_line_name(kind, name) for name in _names(lines)]
        for k in np.flatnonzero(distance - required < slack):
            slack[k] = distance[k] - required
            out.distance_m[k], out.required_m[k], out.line[k] = distance[k], required, labels[which[k]]
    return out


def fall_clearance(
    points: NDArray[Any], height_agl_m: NDArray[Any], rail: Any, roads: Any, fall_factor: float
) -> Clearance:
    """Distance to the nearest railway or motorway against tower height times the factor.

    Parameters
    ----------
    points, height_agl_m : ndarray (n,)
        Places and their antenna height, taken for the height of the tower.
    rail, roads : GeoDataFrame or None
        Every railway and, of the roads, the motorways count.
    fall_factor : float
        1.0: the tower must not reach the line if it falls.
    """
    parts = [layer for layer in (rail, None if roads is None else _lines_of(roads, ["motorway"])) if layer is not None]
    parts = [layer[layer.geometry.notna()] for layer in parts]
    lines = np.concatenate([np.zeros(0, dtype=object), *(part.geometry.to_numpy() for part in parts)])
    labels = [
        _line_name(str(kind), name) for part in parts for kind, name in zip(part["class"], _names(part), strict=True)
    ]
    distance, which = nearest_line(points, lines)
    found = which >= 0
    required = np.asarray(height_agl_m, dtype=float) * fall_factor
    return Clearance(
        np.where(found, distance, np.nan),
        np.where(found, required, np.nan),
        [labels[k] if k >= 0 else "" for k in which],
    )
