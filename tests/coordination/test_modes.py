"""Modes of a base station: what they set, and that contributions and settings are one and the same thing."""

import dataclasses

import numpy as np
import pytest
from coordination_cases import open_land, with_protected, with_stations

from lcsiting.coordination import modes
from lcsiting.coordination.cases import make_case, make_scene
from lcsiting.coordination.exclusion import beam_wedges
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.profile import load_tables
from lcsiting.coordination.remedies import remedies
from lcsiting.coverage.antennas import with_settings

TABLES = load_tables()
ROWS = [
    {"at": (3000, 0), "azimuths_deg": "270/30/150"},
    {"at": (0, 4000), "azimuths_deg": "0/120/240"},
    {"at": (-2500, 1000), "azimuths_deg": "100/200"},
    {"at": (2000, 2000), "micro": True},
]


@pytest.fixture(scope="module")
def project(tiny_project):
    built = with_stations(open_land(with_protected(tiny_project, {"rx_low_mhz": 3400})), ROWS)
    built.places["name"] = [f"示例{k}" for k in range(len(ROWS))]
    return built


@pytest.fixture(scope="module")
def evaluation(project):
    return evaluate(project)


@pytest.fixture(scope="module")
def case(project, evaluation):
    return make_case(project, evaluation, make_scene(project, evaluation, None, None), 0, [], (), None, "zh")


def test_ids_name_what_is_set():
    every = modes.mode_ids(TABLES, 3)
    assert every[0] == "as_planned" and len(set(every)) == len(every)
    assert "site_tilt+site_beam+site_power_6" in every and "site_power_3+site_power_6" not in every
    assert {"site_turn:30", "site_turn:-60@2", "site_sector_off:2", "site_sector_off:1,3"} <= set(every)
    assert modes.setting_of("site_turn:60+site_tilt", TABLES) == modes.Setting(turn_deg=60.0, tilt_deg=4.0)
    assert modes.setting_of("site_turn:-60@2", TABLES) == modes.Setting(turn_deg=-60.0, turned=(1,))
    assert modes.setting_of("site_beam+site_power_6", TABLES) == modes.Setting(power_db=-6.0, beam=True)
    assert modes.setting_of("site_sector_off:1,3", TABLES).off == (0, 2)
    assert modes.mode_label("site_turn:30", TABLES) == "调整方位角+30°"
    assert modes.mode_label("site_turn:-60@2", TABLES) == "调整方位角-60°(扇区2)"
    assert modes.mode_label("site_sector_off:1,3", TABLES) == "关闭扇区1、3"
    assert modes.mode_label("site_sector_off:1,3", TABLES, "en") == "sector off 1, 3"


def test_settings_of_a_station(project):
    wedges = {0: ((40.0, 10.0, 12.0),), 3: ((50.0, 10.0, 12.0),)}
    found = modes.mode_settings(project, TABLES, np.arange(4), wedges=wedges)
    turned = found["site_turn:30"]
    assert turned.loc[0, "azimuths_deg"] == (300.0, 60.0, 180.0)
    assert 3 not in turned.index, "an omnidirectional antenna cannot be turned"
    assert found["site_turn:-60@3"].loc[0, "azimuths_deg"] == (270.0, 30.0, 90.0)
    off = found["site_sector_off:1,2"]
    assert off.loc[0, "azimuths_deg"] == (150.0,) and len(off.loc[0, "tilts_deg"]) == 1
    assert list(off.index) == [0, 1], "something must be left on"
    lower = np.subtract(found["site_tilt"].loc[0, "tilts_deg"], turned.loc[0, "tilts_deg"])
    assert lower == pytest.approx(4.0)
    assert (found["site_power_6"]["power_offset_db"] == -6.0).all()
    assert turned["exclusions"].tolist() == [()] * len(turned)
    beam = found["site_tilt+site_beam+site_power_3"]
    assert list(beam.index) == [0], "nobody to exclude beams for, or one antenna that forms none"
    assert beam.loc[0, "exclusions"] == wedges[0] and beam.loc[0, "power_offset_db"] == -3.0
    assert beam.loc[0, "tilts_deg"] == found["site_tilt"].loc[0, "tilts_deg"]
    own = with_settings(project, [0], exclusions=[((200.0, 5.0, 6.0),)])
    again = modes.mode_settings(own, TABLES, np.arange(4), ["site_beam", "site_tilt"], wedges)
    assert again["site_beam"].loc[0, "exclusions"] == ((40.0, 10.0, 12.0), (200.0, 5.0, 6.0))
    assert again["site_tilt"].loc[0, "exclusions"] == ((200.0, 5.0, 6.0),)


def test_contributions_are_those_of_the_settings(project, evaluation, case):
    """Each mode of every station, set in the project and evaluated anew: the same milliwatts at the station."""
    wedges = beam_wedges(project, evaluation)
    assert set(wedges) == {0, 1, 2}
    for mode, frame in modes.mode_settings(project, TABLES, np.arange(4), wedges=wedges).items():
        at = frame.index.to_numpy()
        after = evaluate(with_settings(project, at, **{name: frame[name].tolist() for name in frame})).levels
        mine = case.modes.mw[:, case.modes.ids.index(mode)]
        assert case.modes.offered[:, case.modes.ids.index(mode)].nonzero()[0].tolist() == at.tolist()
        if mode == modes.OTHER_BAND:
            assert not mine.any() and not len(after.average_mw), "outside the scope nothing arrives"
            continue
        assert mine[at, 0] == pytest.approx(after.average_mw[at], rel=1e-6, abs=0), mode
        assert mine[at, 2] == pytest.approx(after.overload_mw[at], rel=1e-6, abs=0), mode


def test_turning_helps_as_far_as_the_pattern_says(case):
    """Sector 1 of the first station is aimed at the protected one: turned by 60 alone it looks past it."""
    ids, row = case.modes.ids, TABLES.profile["site_turn"]
    steps = ("as_planned", "site_turn:60", "site_turn:60@1", "site_turn:60@2")
    planned, every, aimed, other = (10 * np.log10(case.modes.mw[0, ids.index(mode), 0]) for mode in steps)
    assert planned - aimed > 2 and other > aimed
    assert abs(every - planned) < 1, "three sectors all around, turned together, hide nothing from anybody"
    assert "effects_db" not in row, "computed, not a constant"


def test_a_cover_s_loss_takes_the_place_of_the_estimate(project, evaluation):
    lost = {"site_tilt": np.array([0.4, np.nan, 0.0, 0.2]), "as_planned": np.zeros(4)}
    lost["site_tilt+site_beam"] = np.array([0.45, 0.1, np.nan, np.nan])
    scene = make_scene(project, evaluation, None, None)
    ways = make_case(project, evaluation, scene, 0, [], (), lost, "zh").modes
    share = {mode: ways.lost[:, k] for k, mode in enumerate(ways.ids)}
    estimate = TABLES.profile["site_tilt"]["coverage_lost_share"]
    beam = TABLES.profile["site_beam"]["coverage_lost_share"]
    assert share["site_tilt"] == pytest.approx([0.4, estimate, 0.0, 0.2])
    assert share["site_tilt+site_beam"][:2] == pytest.approx([0.45, 0.1])
    assert share["site_tilt+site_beam"][2] == pytest.approx(1 - (1 - estimate) * (1 - beam)), "where nothing is known"
    assert share["site_beam"] == pytest.approx(beam)


def test_moved_to_a_place_nearby_that_is_not_in_the_plan(tiny_project):
    """Inside the receive band nothing less than giving up or moving helps; the other place lies behind 40 km."""
    rows = [{"at": (400, 0)}, {"at": (900, 0), "band": "n1", "frequency_mhz": 2100.0}, {"at": (30_000, 0)}]
    project = with_stations(open_land(with_protected(tiny_project, {"rx_low_mhz": 3400})), rows)
    project.places["name"] = [f"示例{k}" for k in range(len(rows))]
    nets = [net.model_copy(update={"bands": dict.fromkeys(net.bands, "n78")}) for net in project.config.networks]
    project = dataclasses.replace(project, config=project.config.model_copy(update={"networks": nets}))
    found = remedies(project, evaluate(project), station_ids=["S0"])
    assert found.modes[["station_id", "mode", "moved_to"]].to_numpy().tolist() == [["S0", "site_move", "S1"]]
    assert found.stations.iloc[0]["outcome"] == "curtailed"
    assert found.totals["dropped"] == 1 and found.totals["changed"] == 1
    # A place that fails the screening is no place to move to, nor is one of the plan.
    eligible = found.modes.assign(passed=False).assign(station_id="S1")
    for asked in ({"station_ids": ["S0"], "eligible": eligible}, {"station_ids": ["S0", "S1"]}):
        assert "site_move" not in set(remedies(project, evaluate(project), **asked).modes["mode"])
