"""Distances to railways and roads."""

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString, MultiLineString, Point

from lcsiting import rules
from lcsiting.errors import LayerError
from lcsiting.screening.distances import fall_clearance, nearest_line, segments, setback

LIMITS = rules.load("limits")


def layer(*rows):
    data = {"class": [kind for kind, _, _ in rows], "name": [name for _, name, _ in rows]}
    return gpd.GeoDataFrame(data, geometry=[shape for *_, shape in rows], crs="EPSG:4548")


def points(*xy):
    return np.array([Point(at) for at in xy], dtype=object)


def east(y_m):
    return LineString([(-1000, y_m), (1000, y_m)])


def test_pieces_never_bridge_two_parts():
    lines = np.array([MultiLineString([[(0, 0), (1, 0)], [(5, 0), (6, 0), (6, 1)]]), LineString([(0, 9), (1, 9)])])
    pieces, owner = segments(lines)
    assert [piece.wkt for piece in pieces] == [
        "LINESTRING (0 0, 1 0)",
        "LINESTRING (5 0, 6 0)",
        "LINESTRING (6 0, 6 1)",
        "LINESTRING (0 9, 1 9)",
    ]
    assert owner.tolist() == [0, 0, 0, 1]


def test_nearest_line_agrees_with_every_pair_tried():
    rng = np.random.default_rng(5)
    lines = np.array([LineString(rng.uniform(0, 1000, (8, 2))) for _ in range(12)], dtype=object)
    places = points(*rng.uniform(0, 1000, (200, 2)))
    distance, which = nearest_line(places, lines)
    every = np.array([[place.distance(line) for line in lines] for place in places])
    assert distance == pytest.approx(every.min(axis=1))
    assert which.tolist() == every.argmin(axis=1).tolist()


def test_of_equally_near_lines_the_first_counts():
    _, which = nearest_line(points((0, 0)), np.array([east(7), east(-7), east(7)]))
    assert which.tolist() == [0]


def test_no_lines_no_distance():
    distance, which = nearest_line(points((0, 0)), np.zeros(0, dtype=object))
    assert np.isinf(distance).all() and which.tolist() == [-1]
    assert np.isnan(setback(points((0, 0)), layer(), LIMITS["road_setback"], "roads").distance_m).all()


def test_the_line_that_leaves_least_room_counts():
    """12 m from a county road (10 m asked) is fine; 25 m from a motorway (30 m asked) is not."""
    roads = layer(("county", "示例县道", east(12)), ("motorway", "青银高速", east(-25)))
    found = setback(points((0, 0), (0, 3)), roads, LIMITS["road_setback"], "roads")
    assert found.distance_m.tolist() == [25.0, 28.0]
    assert found.required_m.tolist() == [30.0, 30.0]
    assert found.line == ['高速公路"青银高速"', '高速公路"青银高速"']


def test_urban_trunk_roads_ask_for_nothing():
    found = setback(points((0, 0)), layer(("urban_trunk", "东昌东路", east(1))), LIMITS["road_setback"], "roads")
    assert np.isnan(found.distance_m).all()


def test_high_speed_rail_asks_for_more_than_rail():
    at = points((0, 0))
    rail = setback(at, layer(("railway", "京九铁路", east(17))), LIMITS["rail_setback"], "rail")
    fast = setback(at, layer(("hsr", "郑济高铁", east(17))), LIMITS["rail_setback"], "rail")
    assert (rail.required_m[0], fast.required_m[0]) == (15.0, 20.0)
    assert fast.line == ['高速铁路"郑济高铁"']


def test_an_unknown_class_is_named():
    with pytest.raises(LayerError, match=r"roads: 2 lines have a class no set-back is known for \(支路\)\. .*支路_m"):
        setback(points((0, 0)), layer(("支路", "", east(1)), ("支路", "", east(2))), LIMITS["road_setback"], "roads")


def test_fall_distance_is_height_times_factor_from_rail_and_motorway_only():
    rail, roads = (
        layer(("railway", "京九铁路", east(50))),
        layer(("national", "G105", east(-5)), ("motorway", "", east(-40))),
    )
    found = fall_clearance(points((0, 0), (0, 10)), np.array([35.0, 45.0]), rail, roads, 1.2)
    assert found.distance_m.tolist() == [40.0, 40.0]
    assert found.required_m == pytest.approx([42.0, 54.0])
    assert found.line == ["高速公路", '铁路"京九铁路"']


def test_fall_distance_without_layers():
    found = fall_clearance(points((0, 0)), np.array([35.0]), None, None, 1.0)
    assert np.isnan(found.distance_m).all() and found.line == [""]
