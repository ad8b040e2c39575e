"""Changes of single stations against evaluations of whole projects."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from coordination_cases import open_land, with_protected, with_stations

from lcsiting.coordination.aggregate import judge_plan
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.kept_budgets import KeptBudgets, with_levels
from lcsiting.coverage.antennas import with_settings

ROWS = [
    {"at": (0, 9000), "azimuths_deg": "90"},
    {"at": (8000, 0), "azimuths_deg": "0/120/240"},
    {"at": (0, -7000), "on_air": True, "on_air_year": 2019},
]


def scene(project, enforce="physics"):
    coordination = project.config.coordination.model_copy(update={"enforce": enforce})
    project = replace(project, config=project.config.model_copy(update={"coordination": coordination}))
    return with_stations(with_protected(open_land(project), {}, {"rx_low_mhz": 3400, "height_agl_m": 30.0}), ROWS)


PLAN = SimpleNamespace(
    stations=pd.DataFrame(
        {"station_id": ["S2", "S0", "S1"], "status": ["on_air", "planned", "planned"], "phase_year": [0, 2020, 2023]}
    )
)


@pytest.fixture(scope="module")
def case(tiny_project):
    project = scene(tiny_project, "rule")
    return project, evaluate(project, threads=1)


def test_levels_of_a_change_are_those_of_the_whole_evaluation(case):
    project, before = case
    tuned = with_settings(project, [0, 1], azimuths_deg=[(150.0,), (10.0, 130.0, 250.0)], tilts_deg=[(6.0,), None])
    after = evaluate(tuned, threads=1)
    found = with_levels(before.budgets, before, after)
    np.testing.assert_allclose(found.mw, after.budgets.mw, rtol=1e-12)
    np.testing.assert_allclose(found.envelope_mw, after.budgets.envelope_mw, rtol=1e-12)
    pd.testing.assert_frame_equal(found.rows, after.budgets.rows, rtol=1e-9)
    np.testing.assert_array_equal(found.remaining_mw, before.budgets.remaining_mw)
    assert (np.abs(10 * np.log10(found.mw / before.budgets.mw)) > 1).any()


def added_mw(project, budgets, plan=PLAN):
    """What new stations bring, (budgets, phases), as the whole plan is judged."""
    return 10 ** (0.1 * judge_plan(project, budgets, plan)["added_dbm"].to_numpy()).reshape(2, -1).T


def test_a_change_is_allowed_as_the_whole_judges_it(case):
    """Allowed: no budget gets more than remained or was used already, and no verdict changes."""
    project, before = case
    used = added_mw(project, before.budgets)
    exceeded = KeptBudgets(project, before, replace(before.budgets, remaining_mw=used * 0.5), PLAN)
    roomy = KeptBudgets(project, before, replace(before.budgets, remaining_mw=used * 1e9), PLAN)
    answers = []
    for turn in (-60.0, -30.0, -5.0, 0.0, 5.0, 30.0, 60.0, 180.0):
        trial = with_settings(project, [0], azimuths_deg=[(90.0 + turn,)])
        after = evaluate(trial, threads=1)
        same = after.verdicts["verdict"].equals(before.verdicts["verdict"])
        less = bool((used * (1 + 1e-9) >= added_mw(trial, after.budgets)).all())
        assert (exceeded.change(trial, 0) is not None) == (less and same)
        assert (roomy.change(trial, 0) is not None) == same
        answers.append((less, same))
    assert {(True, True), (False, True)} <= set(answers)


def test_room_made_by_one_station_is_there_for_another(case):
    project, before = case
    used = added_mw(project, before.budgets)
    kept = KeptBudgets(project, before, replace(before.budgets, remaining_mw=used), PLAN)
    louder = with_settings(project, [0], power_offset_db=[0.5])
    assert kept.change(louder, 0) is None
    quiet = with_settings(project, [1], power_offset_db=[-20.0])
    change = kept.change(quiet, 1)
    assert change is not None
    kept.take(change)
    # S1 is on air from 2023 on, S0 from 2020: the earlier phase has no room even now
    assert kept.change(with_settings(quiet, [0], power_offset_db=[0.5]), 0) is None
    later = SimpleNamespace(stations=PLAN.stations.assign(phase_year=[0, 2023, 2023]))
    used = added_mw(project, before.budgets, later)
    kept = KeptBudgets(project, before, replace(before.budgets, remaining_mw=used), later)
    kept.take(kept.change(quiet, 1))
    assert kept.change(with_settings(quiet, [0], power_offset_db=[0.5]), 0) is not None


def test_a_verdict_that_would_change_is_refused(tiny_project):
    """By physics, a sector turned from its back to its front toward the protected station fails there."""
    project = scene(tiny_project)
    before = evaluate(project, threads=1)
    trial = with_settings(project, [0], azimuths_deg=[(180.0,)])
    mine = [e.verdicts.query("station_id == 'S0'")["verdict"].astype(str).tolist() for e in (before, evaluate(trial))]
    assert mine[0] != mine[1], "the case is one where the verdict changes"
    generous = replace(before.budgets, remaining_mw=before.budgets.remaining_mw * 1e12 + 1e12)
    assert KeptBudgets(project, before, generous, PLAN).change(trial, 0) is None
    same = with_settings(project, [0], azimuths_deg=[(91.0,)])
    assert KeptBudgets(project, before, generous, PLAN).change(same, 0) is not None


def test_bands_outside_the_scope_and_no_protected_station_bind_nothing(tiny_project):
    project = scene(tiny_project)
    outside = replace(project, stations=project.stations.assign(band=["n28", "n78", "n78"]))
    evaluation = evaluate(outside, threads=1)
    kept = KeptBudgets(outside, evaluation, evaluation.budgets, PLAN)
    assert kept.change(with_settings(outside, [0], power_offset_db=[30.0]), 0) is not None
    nobody = project.layers["protected_stations"].iloc[:0]
    empty = replace(project, layers={**project.layers, "protected_stations": nobody})
    evaluation = evaluate(empty, threads=1)
    kept = KeptBudgets(empty, evaluation, evaluation.budgets, PLAN)
    assert kept.change(with_settings(empty, [0], power_offset_db=[30.0]), 0) is not None
