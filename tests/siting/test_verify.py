"""Anyone can check a saved plan's certificate again."""

from dataclasses import replace

import pytest
from tiny_city import build_tiny_project, tiny_config

import lcsiting as lc
from lcsiting.errors import LayerError


@pytest.fixture(scope="module")
def certified():
    """Held to the physics, refined, with a quota and a floor: all that a certificate has to count."""
    config = tiny_config(
        ranking={"certificate": True, "refine": True, "improve": True},
        coordination={"enforce": "physics"},
        quotas=[{"county": "茌平区", "max": 40}],
        floors=[{"area": "茌平区", "share": 0.1, "by": 2023}],
    )
    return lc.run(build_tiny_project(config), progress=False)


def test_a_saved_certificate_holds_on_its_own_cover(certified, tmp_path):
    for result in (certified, lc.open_result(lc.save(certified, tmp_path / "r"))):
        checked = lc.verify_plan(result)
        assert checked.ok, checked.problems


def test_a_plan_that_was_changed_no_longer_matches(certified):
    plan = certified.plan
    first = plan.stations.index[plan.stations["phase_year"] > 0][0]
    without = replace(certified, plan=replace(plan, stations=plan.stations.drop(index=first)))
    assert not lc.verify_plan(without).ok
    late = plan.stations.copy()
    late.loc[first, "phase_year"] = 2023
    assert late.loc[first, "phase_year"] != plan.stations.loc[first, "phase_year"]
    assert not lc.verify_plan(replace(certified, plan=replace(plan, stations=late))).ok


def test_another_cover_or_no_certificate_is_named(certified):
    cover = certified.cover
    other = replace(certified, cover=replace(cover, row_weight=cover.row_weight + 1))
    assert any("matrix" in problem for problem in lc.verify_plan(other).problems)
    with pytest.raises(LayerError, match="certificate = true"):
        lc.verify_plan(replace(certified, plan=replace(certified.plan, certificate=None)))


def test_places_in_modes_are_checked_as_wholes():
    """A station taken out of its place, put into another phase, or set back to as planned."""
    years = [{"year": 2020, "target": 8, "unit": "place"}, {"year": 2023, "target": 18, "unit": "place"}]
    config = tiny_config(
        ranking={"certificate": True}, coordination={"enforce": "physics", "remedies": False}, phases=years
    )
    result = lc.run(build_tiny_project(config), progress=False)
    stations = result.plan.stations
    checked = lc.verify_plan(result)
    assert checked.ok, checked.problems
    pairs = stations[(stations["phase_year"] > 0) & stations.duplicated("place_id", keep=False)]
    moved = pairs.index[pairs["phase_year"] == 2020][0]
    in_mode = stations.index[stations["mode"] != ""]
    assert len(in_mode)
    changes = {
        "torn": stations.drop(index=pairs.index[0]),
        "two phases": stations.assign(phase_year=stations["phase_year"].mask(stations.index == moved, 2023)),
        "as planned": stations.assign(mode=stations["mode"].mask(stations.index.isin(in_mode), "")),
    }
    for name, table in changes.items():
        told = lc.verify_plan(replace(result, plan=replace(result.plan, stations=table)))
        assert any(("limit" if name == "as planned" else "places:") in problem for problem in told.problems), name
