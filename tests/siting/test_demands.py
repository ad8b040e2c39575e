"""Demands: met by the nearest chosen place of the right network, near enough, in time."""

import dataclasses

import geopandas as gpd
import pandas as pd
import pytest
from shapely import Point
from tiny_city import CRS, X0, Y0

from lcsiting.siting.demands import consolidation_m, demand_fates

# Urban spot: consolidation 150 m; open land: 500 m.
URBAN, FIELD = (X0 + 1500, Y0 + 1500), (X0 + 9000, Y0 + 11_500)


def demands(*rows):
    table = pd.DataFrame(rows, columns=["demand_id", "operator", "year", "at"])
    points = [Point(at) for at in table.pop("at")]
    return gpd.GeoDataFrame(table.assign(band="", priority=1), geometry=points, crs=CRS)


def stations(*rows):
    table = pd.DataFrame(rows, columns=["station_id", "network", "phase_year", "x_m", "y_m"])
    return table.assign(place_id=table["station_id"].str[:2])


@pytest.fixture
def fates(tiny_project):
    def run(layer, chosen):
        project = dataclasses.replace(tiny_project, layers={**tiny_project.layers, "demands": layer})
        return demand_fates(project, chosen).set_index("demand_id")

    return run


def test_distances_follow_the_land(tiny_project):
    x, y = zip(URBAN, FIELD, strict=True)
    assert consolidation_m(tiny_project, x, y).tolist() == [150.0, 500.0]


def test_near_enough_counts_and_too_far_does_not(fates):
    chosen = stations(
        ("P1-N1", "移动广电", 2020, URBAN[0] + 149, URBAN[1]), ("P2-N1", "移动广电", 2020, FIELD[0], FIELD[1] - 499)
    )
    table = fates(demands(("D1", "移动", 2020, URBAN), ("D2", "广电", 2020, FIELD)), chosen)
    assert table["fate"].tolist() == ["met", "met"] and table["station_id"].tolist() == ["P1-N1", "P2-N1"]
    assert table["distance_m"].tolist() == [149.0, 499.0]
    moved = chosen.assign(x_m=chosen["x_m"] + [2, 0], y_m=chosen["y_m"] - [0, 2])
    assert (
        fates(demands(("D1", "移动", 2020, URBAN), ("D2", "广电", 2020, FIELD)), moved)["fate"].tolist()
        == ["unmet"] * 2
    )


def test_the_network_and_the_year_matter(fates):
    chosen = stations(
        ("P1-N2", "电联", 2020, URBAN[0], URBAN[1]),
        ("P2-N1", "移动广电", 2023, URBAN[0] + 10, URBAN[1]),
        ("P3-N1", "移动广电", 0, FIELD[0], FIELD[1]),
    )
    layer = demands(
        ("D1", "移动", 2020, URBAN),
        ("D2", "电信", 2020, URBAN),
        ("D3", "移动", 2020, FIELD),
        ("D4", "铁路", 2020, URBAN),
    )
    table = fates(layer, chosen)
    assert table["fate"].to_dict() == {"D1": "met_late", "D2": "met", "D3": "met_on_air", "D4": "no_network"}
    assert table.loc["D1", ["station_id", "phase_year"]].tolist() == ["P2-N1", 2023.0]


def test_the_earlier_phase_wins_over_the_nearer_place(fates):
    chosen = stations(("P1-N1", "移动广电", 2023, *URBAN), ("P2-N1", "移动广电", 2020, URBAN[0] + 100, URBAN[1]))
    assert fates(demands(("D1", "移动", 2020, URBAN)), chosen).loc["D1", "station_id"] == "P2-N1"


def test_no_demands_give_an_empty_table(tiny_project, fates):
    assert fates(tiny_project.layers["demands"], stations(("P1-N1", "移动广电", 2020, *URBAN))).empty


def test_a_demand_that_asks_for_a_band_is_met_by_that_band(fates):
    """Another band beside it does not meet it silently; its own comes first, be it farther and later."""
    x, y = FIELD
    far = (x + 3000, y)
    chosen = stations(("P1-N2", "电联", 2020, x, y), ("P2-N2", "电联", 2023, x + 300, y), ("P3-N2", "电联", 2020, *far))
    chosen = chosen.assign(band=["n1", "n78", "n1"])
    layer = demands(
        ("D1", "电信", 2020, FIELD), ("D2", "电信", 2020, far), ("D3", "电信", 2020, far), ("D4", "电信", 2020, far),
        ("D5", "联通", 2020, (x, y + 2000)),
    ).assign(band=["n78", "N78 ", "", "3.5G", "n78"])  # fmt: skip
    table = fates(layer, chosen)
    assert table["fate"].tolist() == ["met_late", "met_other_band", "met", "met", "unmet"]
    assert table["station_id"].tolist() == ["P2-N2", "P3-N2", "P3-N2", "P3-N2", ""]
    assert table.loc["D1", "distance_m"] == 300.0
