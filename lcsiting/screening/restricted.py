"""Places inside polygons where building is restricted."""

import re
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

UNREADABLE = re.compile(r"[\s\x00-\x1f\x7f\u2028\u2029]+")
MAX_NAME = 40
MAX_LISTED = 3


def shown_name(name: Any) -> str:
    """A name fit for one line of text: no line breaks or control characters, at most 40 characters."""
    if name is None or pd.isna(name):
        return ""
    text = UNREADABLE.sub(" ", str(name)).strip()
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"


def quoted(name: Any) -> str:
    """``"示例图斑12"`` in quotes, or nothing if there is no name."""
    text = shown_name(name)
    return f'"{text}"' if text else ""


def inside(points: NDArray[Any], areas: gpd.GeoDataFrame) -> tuple[NDArray[np.bool_], list[str]]:
    """Which points lie in (or on the edge of) a polygon, and the names of the polygons.

    Parameters
    ----------
    points : ndarray of shapely.Point, (n,)
        In the CRS of ``areas``.
    areas : GeoDataFrame
        Column ``name`` if there is one; geometries other than polygons hold no point.

    Returns
    -------
    hit : ndarray of bool, (n,)
        Inside at least one.
    names : list of str, (n,)
        Quoted names of the areas around a point in layer order, at most three; empty outside.
    """
    is_area = areas.geometry.geom_type.isin(["Polygon", "MultiPolygon", "GeometryCollection"]).to_numpy(bool)
    shapes = areas.geometry.to_numpy()[is_area]
    labels = [quoted(name) for name in (areas["name"] if "name" in areas else [""] * len(areas))]
    labels = [label for label, keep in zip(labels, is_area, strict=True) if keep]
    hit = np.zeros(len(points), dtype=bool)
    names = [""] * len(points)
    if not len(points) or not len(shapes):
        return hit, names
    # The polygons ask a tree of points: each polygon is then prepared once, however many corners it has.
    area, point = shapely.STRtree(points).query(shapes, predicate="intersects")
    hit[point] = True
    around: dict[int, list[str]] = {}
    order = np.lexsort((area, point))
    for k, position in zip(area[order].tolist(), point[order].tolist(), strict=True):
        around.setdefault(position, []).append(labels[k])
    for position, found in around.items():
        names[position] = _joined(found)
    return hit, names


def _joined(labels: list[str]) -> str:
    known = list(dict.fromkeys(label for label in labels if label))
    more = f"等{len(known)}处" if len(known) > MAX_LISTED else ""
    return "、".join(known[:MAX_LISTED]) + more
