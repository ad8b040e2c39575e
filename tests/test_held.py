"""Of two plans under the same budgets, with modes and without, the better one is kept."""

import types

import pandas as pd
import pytest

from lcsiting import held
from lcsiting.model import Plan

YEARS = (2020, 2023)


def plan(shares, missed=(), costs=()):
    """Covered shares by phase; (limit, value) of what is missed; the least costs found by phase."""
    rows = [("quota_min", limit, value, "unmet") for limit, value in missed]
    rows += [("least_cost", float("nan"), cost, "kept") for cost in costs]
    limits = pd.DataFrame([*rows, ("floor", 0.9, 0.9, "binding")], columns=["kind", "limit", "value", "outcome"])
    phases = pd.DataFrame({"year": YEARS, "covered_weight_share": shares})
    return Plan(stations=None, places=None, phases=phases, counties=None, refused=None, limits=limits)


def bare(shares):
    """A plan nothing but targets was asked of."""
    phases = pd.DataFrame({"year": YEARS, "covered_weight_share": shares})
    return Plan(stations=None, places=None, phases=phases, counties=None, refused=None)


BETTER_FIRST = [
    pytest.param(bare([0.3, 0.80]), bare([0.4, 0.79]), id="the last phase decides"),
    pytest.param(bare([0.4, 0.80]), bare([0.3, 0.80]), id="then the one before"),
    pytest.param(plan([0.3, 0.7]), plan([0.4, 0.9], [(10.0, 9.0)]), id="a limit weighs more than coverage"),
    pytest.param(
        plan([0.3, 0.7], [(10.0, 1.0)]), plan([0.4, 0.9], [(10.0, 9.9), (10.0, 9.9)]), id="one missed, not two"
    ),
    pytest.param(plan([0.3, 0.7], [(10.0, 9.0)]), plan([0.4, 0.9], [(10.0, 8.0)]), id="missed by less"),
    pytest.param(
        plan([0.3, 0.7], [(100.0, 98.0)]), plan([0.4, 0.9], [(10.0, 9.0)]), id="by less of what is asked, not in units"
    ),
    pytest.param(plan([0.6, 0.8], costs=[5.0, 9.0]), plan([0.7, 0.9], costs=[4.0, 9.5]), id="the least cost, if asked"),
    pytest.param(plan([0.7, 0.9], costs=[5.0, 9.0]), plan([0.7, 0.8], costs=[5.0, 9.0]), id="coverage at equal cost"),
]


@pytest.mark.parametrize(("better", "worse"), BETTER_FIRST)
@pytest.mark.parametrize("modes_win", [True, False])
def test_the_better_of_both_is_kept_with_what_it_was_ranked_from(monkeypatch, better, worse, modes_win):
    wide, alone = (held.Held(None, None, None, settings) for settings in ({"site_tilt": pd.DataFrame()}, {}))
    plans = {id(wide): better if modes_win else worse, id(alone): worse if modes_win else better}
    monkeypatch.setattr(held, "_rank_for_load", lambda project, what, verdicts: (plans[id(what)], None))
    monkeypatch.setattr(held, "held_to", lambda *_, modes: wide if modes else alone)
    kept, found, _ = held.ranked(None, types.SimpleNamespace(verdicts=None), None, None, None, wide)
    assert found is better and kept is (wide if modes_win else alone)


def test_the_modes_stay_where_both_are_alike(monkeypatch):
    wide, alone = (held.Held(None, None, None, settings) for settings in ({"site_tilt": pd.DataFrame()}, {}))
    monkeypatch.setattr(held, "_rank_for_load", lambda *_: (bare([0.4, 0.8]), None))
    monkeypatch.setattr(held, "held_to", lambda *_, modes: wide if modes else alone)
    assert held.ranked(None, types.SimpleNamespace(verdicts=None), None, None, None, wide)[0] is wide


def test_without_modes_it_is_ranked_once(monkeypatch):
    alone, calls = held.Held(None, None, None, {}), []
    monkeypatch.setattr(held, "_rank_for_load", lambda *_: (calls.append(1), (bare([0.4, 0.8]), None))[1])
    held.ranked(None, types.SimpleNamespace(verdicts=None), None, None, None, alone)
    assert len(calls) == 1
