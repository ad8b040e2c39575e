"""A newly applied earth station against what is on air, by hand."""

import dataclasses

import pytest
from coordination_cases import with_protected, with_stations

from lcsiting.coordination.newcomer import assess_application
from lcsiting.errors import LayerError


@pytest.fixture
def project(tiny_project):
    there = with_protected(tiny_project, {"licensed_since": None, "user_unit": "示例台"})
    shared = {"operators": "电信+联通", "on_air_year": 2020}
    out = with_stations(there, [{"at": (0, 2000), "on_air": True, **shared}, {"at": (0, 1000), **shared}])
    out.places["name"] = ["示例甲", "示例乙"]
    return out


def test_only_what_is_on_air_counts_and_the_applicant_gives_way(project):
    found = assess_application(project, project.layers["protected_stations"])
    assert set(found.verdicts["station_id"]) == {"S0"}, "S1 is not on air"
    later = found.verdicts[found.verdicts["principle"] == "later_yields"]
    assert len(later) and set(later["yields"]) == {"protected_station"}
    assert set(found.pairs["operator"]) == {"电信", "联通"}
    assert set(found.pairs["status"]) == {"draft"}


def test_its_own_measures_are_asked_for(project):
    """A wide block 2 km from a base station on air is overloaded; a filter (45 dB) clears it."""
    row = assess_application(project, project.layers["protected_stations"]).stations.iloc[0]
    assert row["needed_overload_db"] > 0
    assert (row["outcome"], row["measures"], row["changed"]) == ("cleared_by_measures", "加装滤波器", 0)


def test_another_crs_is_refused(project):
    layer = project.layers["protected_stations"].to_crs("EPSG:4490")
    with pytest.raises(LayerError, match="first"):
        assess_application(project, layer)


def test_nothing_on_air_nothing_to_do(project):
    quiet = dataclasses.replace(project, stations=project.stations.assign(on_air=False))
    found = assess_application(quiet, project.layers["protected_stations"])
    assert found.pairs.empty
    assert found.stations["outcome"].tolist() == ["clear"]
