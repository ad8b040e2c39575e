"""Geometry as the layers need it: valid, two-dimensional, of one kind."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

POINTS = (GeometryType.POINT, GeometryType.MULTIPOINT)
LINES = (GeometryType.LINESTRING, GeometryType.LINEARRING, GeometryType.MULTILINESTRING)
AREAS = (GeometryType.POLYGON, GeometryType.MULTIPOLYGON)
NAMES = {"Point": "点", "Line": "线", "Polygon": "面"}
Remarks = list[tuple[str, str, str, NDArray[np.bool_]]]


def repair(shapes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Make areas valid without losing parts.

    Of the two ways to rebuild (merged shells, or every edge kept) the one that
    keeps more area is taken: a self-crossing ring keeps both lobes, overlapping
    parts do not punch holes into each other.

    Returns
    -------
    shapes, repaired : ndarray (n,)
    """
    kinds = shapely.get_type_id(shapes)
    bad = np.isin(kinds, AREAS) & ~shapely.is_valid(shapes)
    if not bad.any():
        return shapes, bad
    merged = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
    edges = shapely.make_valid(shapes[bad])
    edges = np.array([_areas_of(shape) for shape in edges], dtype=object)
    best = np.where(shapely.area(edges) > shapely.area(merged) * (1 + 1e-9), edges, merged)
    out = shapes.copy()
    out[bad] = best
    return out, bad


def _areas_of(shape: Any) -> Any:
    """The polygons of whatever make_valid returned."""
    parts = [part for part in shapely.get_parts(shape) if shapely.get_type_id(part) in AREAS]
    if not parts:
        return shapely.from_wkt("POLYGON EMPTY")
    return shapely.unary_union(parts) if len(parts) > 1 else parts[0]


def _from_collections(shapes: NDArray[Any], kind: str) -> NDArray[Any]:
    """The parts of geometry collections that have the layer's kind."""
    wanted = {"Point": POINTS, "Line": LINES, "Polygon": AREAS}.get(kind)
    mixed = shapely.get_type_id(shapes) == GeometryType.GEOMETRYCOLLECTION
    if wanted is None or not mixed.any():
        return shapes
    shapes = shapes.copy()
    for i in np.flatnonzero(mixed):
        parts = [p for p in shapely.get_parts(shapes[i]) if shapely.get_type_id(p) in wanted]
        shapes[i] = shapely.union_all(parts) if parts else shapes[i]
    return shapes


def conform(shapes: NDArray[Any], kind: str) -> tuple[NDArray[Any], NDArray[Any], Remarks]:
    """Geometry of the layer's kind.

    Parameters
    ----------
    shapes : ndarray of shapely geometry or None (n,)
    kind : str
        ``Point``, ``Line``, ``Polygon`` or ``Any``.

    Returns
    -------
    shapes : ndarray (n,)
    reason : ndarray of str (n,)
        Why a row's geometry cannot be used.
    remarks : list of (severity, problem, fix, row mask)
    """
    remarks: Remarks = []
    shapes = _from_collections(np.asarray(shapes, dtype=object), kind)
    shapes, _ = repair(shapes)  # what the transformation broke; the file's own faults are repaired before it
    here = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    reason = np.where(here, "", "几何为空").astype(object)
    kinds = shapely.get_type_id(shapes)
    if kind == "Point":
        shapes, wrong = _to_points(shapes, kinds, here, remarks)
    else:
        wanted = {"Line": LINES, "Polygon": AREAS}.get(kind, (*POINTS, *LINES, *AREAS))
        wrong = here & ~np.isin(kinds, wanted)
    reason[wrong] = f"几何类型不对，应为{NAMES.get(kind, '点、线或面')}"
    return shapes, reason, remarks


def _to_points(
    shapes: NDArray[Any], kinds: NDArray[np.int64], here: NDArray[np.bool_], remarks: Remarks
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    shapes = shapes.copy()
    multi = here & (kinds == GeometryType.MULTIPOINT)
    many = multi & (shapely.get_num_geometries(shapes) > 1)
    shapes[multi] = shapely.get_geometry(shapes[multi], 0)
    if many.any():
        remarks.append(("warning", "一行有多个点，只取第一个", "请拆成多行", many))
    areas = here & np.isin(kinds, AREAS)
    shapes[areas] = shapely.point_on_surface(shapes[areas])
    if areas.any():
        remarks.append(("info", "面已取面内一点", "", areas))
    return shapes, here & ~multi & ~areas & (kinds != GeometryType.POINT)
