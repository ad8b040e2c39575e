"""Points in restricted polygons, and names fit for a line of text."""

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString, Point, Polygon, box

from lcsiting.screening.restricted import inside, quoted


def areas(*rows):
    return gpd.GeoDataFrame(
        {"name": [name for name, _ in rows]}, geometry=[shape for _, shape in rows], crs="EPSG:4548"
    )


def points(*xy):
    return np.array([Point(at) for at in xy], dtype=object)


def test_inside_edge_hole_and_outside():
    ring = Polygon(box(0, 0, 10, 10).exterior, [box(4, 4, 6, 6).exterior])
    hit, names = inside(points((1, 1), (10, 5), (5, 5), (11, 5)), areas(("示例图斑12", ring)))
    assert hit.tolist() == [True, True, False, False]
    assert names == ['"示例图斑12"', '"示例图斑12"', "", ""]


def test_several_areas_are_named_in_layer_order_at_most_three():
    rows = [(f"图斑{k}", box(0, 0, 10 + k, 10)) for k in range(5)]
    _, names = inside(points((5, 5), (13.5, 5)), areas(*rows))
    assert names == ['"图斑0"、"图斑1"、"图斑2"等5处', '"图斑4"']


def test_an_area_without_name_still_holds():
    hit, names = inside(points((1, 1)), areas((None, box(0, 0, 2, 2))))
    assert (hit.tolist(), names) == ([True], [""])


def test_lines_empty_and_missing_shapes_hold_nothing():
    rows = [("河", LineString([(0, 0), (10, 10)])), ("空", Polygon()), ("无", None)]
    hit, _ = inside(points((5, 5)), areas(*rows))
    assert hit.tolist() == [False]


def test_agrees_with_every_pair_tried():
    rng = np.random.default_rng(3)
    shapes = [Point(rng.uniform(0, 100, 2)).buffer(rng.uniform(2, 15)) for _ in range(30)]
    places = points(*rng.uniform(0, 100, (400, 2)))
    hit, _ = inside(places, areas(*[(str(k), shape) for k, shape in enumerate(shapes)]))
    assert hit.tolist() == [any(shape.intersects(place) for shape in shapes) for place in places]
    assert 0 < hit.sum() < 400


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("莘县\r\n图斑\t1", '"莘县 图斑 1"'),
        ("a\x00b\u2028c", '"a b c"'),
        ("长" * 50, '"' + "长" * 39 + '…"'),
        ("  ", ""),
        (None, ""),
        (float("nan"), ""),
        (12, '"12"'),
    ],
)
def test_names_stay_on_one_line(name, shown):
    assert quoted(name) == shown
