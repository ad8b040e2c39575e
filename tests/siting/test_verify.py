"""Anyone can check a saved plan's certificate again."""

from dataclasses import replace

import pytest
from tiny_city import build_tiny_project, tiny_config

import lcsiting as lc
from lcsiting.errors import LayerError
from lcsiting.exporters.proof import limit_lines


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


@pytest.fixture(scope="module")
def cheapest():
    """The least cost for two shares, with a quota."""
    phases = [{"year": year, "target": 80, "target_share": share} for year, share in ((2020, 0.4), (2023, 0.55))]
    config = tiny_config(ranking={"certificate": True}, phases=phases, quotas=[{"county": "茌平区", "min": 9}])
    return lc.run(build_tiny_project(config), progress=False)


def test_the_bounds_on_the_cost_are_checked_too(cheapest, tmp_path):
    assert cheapest.plan.certificate["checked"]
    for result in (cheapest, lc.open_result(lc.save(cheapest, tmp_path / "r"))):
        checked = lc.verify_plan(result)
        assert checked.ok, checked.problems


def with_plan(result, **changes):
    return lc.verify_plan(replace(result, plan=replace(result.plan, **changes))).problems


@pytest.mark.parametrize(
    ("kind", "column"), [("least_cost", "bound"), ("least_cost", "value"), ("target_share", "value")]
)
def test_a_cheaper_claim_is_named(cheapest, kind, column):
    limits = cheapest.plan.limits.copy()
    limits.loc[(limits["kind"] == kind) & (limits["year"] == 2023), column] *= 1.001
    problems = with_plan(cheapest, limits=limits)
    assert len(problems) == 1 and "least cost" in problems[0] and "claimed" in problems[0]


def test_that_nothing_can_meet_a_phase_is_checked_too(cheapest):
    limits = cheapest.plan.limits.copy()
    limits.loc[(limits["kind"] == "least_cost") & (limits["year"] == 2023), "bound"] = float("nan")
    problems = with_plan(cheapest, limits=limits)
    assert len(problems) == 1 and "nothing can meet" in problems[0]
    config = cheapest.project.config
    phases = [config.phases[0], config.phases[1].model_copy(update={"target_share": 1.0})]
    asked = replace(cheapest.project, config=config.model_copy(update={"phases": phases}))
    plan = lc.rank(asked, cheapest.cover, cheapest.eligible, cheapest.verdicts)
    assert lc.verify_plan(replace(cheapest, project=asked, plan=plan, resources=None)).ok
    lines = limit_lines(replace(cheapest, project=asked, plan=plan))
    assert sum("没有方案能满足" in line for line in lines) == 1 and not any("nan" in line for line in lines)


def test_what_a_cost_bound_rests_on_must_be_there_and_fit(cheapest):
    phases = cheapest.plan.phases.assign(cost=cheapest.plan.phases["cost"] - 1)
    assert any("table of phases" in problem for problem in with_plan(cheapest, phases=phases))
    proof = cheapest.plan.certificate
    bare = {key: value for key, value in proof.items() if key != "cost_multipliers"}
    assert any("keeps no bound" in problem for problem in with_plan(cheapest, certificate=bare))
    swapped = proof | {"cost_multipliers": proof["cost_multipliers"][::-1]}
    assert any("2020" in problem for problem in with_plan(cheapest, certificate=swapped))
    raised = replace(proof["cost_multipliers"][1].phases[0], u=proof["cost_multipliers"][1].phases[0].u + 10**9)
    tampered = replace(proof["cost_multipliers"][1], phases=(raised,))
    problems = with_plan(cheapest, certificate=proof | {"cost_multipliers": (proof["cost_multipliers"][0], tampered)})
    assert any("outside 0 .. w" in problem for problem in problems)


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
