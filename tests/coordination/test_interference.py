"""Verdicts of single pairs, worked by hand, and what holds for whole tables."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from coordination_cases import open_land, with_protected, with_stations

from lcsiting import schema
from lcsiting.coordination import physics
from lcsiting.coordination.coordinate import coordinate
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.measures import SITE_SIDE
from lcsiting.coordination.paths import read_land, transmitters
from lcsiting.coordination.profile import in_scope, load_tables
from lcsiting.radio import antenna_array, clutter, p452

# Of the beams the strongest toward the horizon lies a little above it: its gain there below the panel's peak. Masts of
# 5 m on open land: tilt atan(3.5 / 1080 m) + 3 = 3.19 degrees, rounded to 3; the beams' elevations are off it.
PANEL = antenna_array.ArrayAntenna()
BEAMS = antenna_array.beam_grid([0.0], [6.0 - 3.0, 2.0 - 3.0, -2.0 - 3.0, -6.0 - 3.0])
PEAK_DBI = 6.4 + 10 * np.log10(4 * 8 * 3)
OFF_PEAK_DB = float(antenna_array.envelope_gain_dbi(PANEL, 0.0, 0.0, BEAMS)) - PEAK_DBI

HOSTILE = '=1+1</script>"茌平",\n示例'


def only(table, mechanism):
    rows = table[table["mechanism"] == mechanism]
    assert len(rows) == 1
    return rows.iloc[0]


def test_overload_of_one_pair_by_hand(tiny_project):
    """2 km, both antennas 5 m high: 53 + 24 dBm, S.465 gain -10 dBi, 109.35 dB free space."""
    project = with_stations(with_protected(tiny_project, {}), [{"at": (0, 2000)}])
    row = only(coordinate(project), "overload")
    distance_m = 2000.0 / 0.99999
    level = (
        10 * np.log10(200_000) + 24 + OFF_PEAK_DB - 10 - (92.45 + 20 * np.log10(3.5) + 20 * np.log10(distance_m / 1000))
    )
    assert row["margin_db"] == pytest.approx(-60 - level, abs=0.05)
    assert row["margin_db"] == pytest.approx(-17.66 - OFF_PEAK_DB, abs=0.08)
    assert row["limit_m"] == pytest.approx(15_300 * 10 ** (OFF_PEAK_DB / 20), rel=0.01)
    assert (row["verdict"], row["method"], row["measure"]) == ("coordinate", "physics", "加装滤波器")
    assert row["defaults"] == ""
    assert not row["verified"]  # power and gain of the band are project defaults


def test_the_gain_is_that_of_the_array_with_tilt_and_azimuth(tiny_project):
    """Three sectors, 35 m up at 300 m, dish to the zenith: the sum of their envelopes by the array formulas."""
    up = {"pointing_azimuth_deg": 0.0, "pointing_elevation_deg": 90.0}
    base = with_stations(
        with_protected(tiny_project, up),
        [{"at": (0, 300), "height_agl_m": 35.0, "azimuths_deg": "20/140/260"}, {"at": (0, 300)}],
    )
    table = coordinate(base)
    high, level = (table[(table["station_id"] == s) & (table["mechanism"] == "overload")].iloc[0] for s in ("S0", "S1"))
    tilt = np.degrees(np.arctan(33.5 / 1080)) + 3.0
    beams = antenna_array.beam_grid(np.arange(-60, 61, 10), np.array([6.0, 2.0, -2.0, -6.0]) - round(2 * tilt) / 2)
    down = np.degrees(np.arctan2(30, 300))
    gains = [antenna_array.envelope_gain_dbi(PANEL, 180.0 - azimuth, -down, beams) for azimuth in (20.0, 140.0, 260.0)]
    expected = 10 * np.log10(sum(10 ** (0.1 * (gain - PEAK_DBI)) for gain in gains))
    slant_db = 20 * np.log10(np.hypot(300, 30) / 300)
    assert level["margin_db"] - high["margin_db"] == pytest.approx(expected - OFF_PEAK_DB - slant_db, abs=0.3)


@pytest.mark.parametrize(
    ("record", "station", "margin_db", "verdict", "measure"),
    [
        ({}, {}, -17.66, "coordinate", "加装滤波器"),
        ({"filter_rejection_db": 45.0}, {}, 27.34, "clear", ""),
        ({"lnb_type": "compliant"}, {}, 22.34, "clear", ""),
        ({"shielding_db": 15.0}, {}, -2.66, "coordinate", "加装滤波器"),
        # 20 W and 11 dBi instead of 200 W and 24 dBi: 23 dB less, 6.9 dB more at 900 m.
        ({}, {"micro": True, "at": (0, 900)}, -1.60, "coordinate", "加装滤波器"),
        # Inside the receive band filter and compliant block do nothing, shielding alone is not enough.
        ({"rx_low_mhz": 3400}, {}, -17.66, "coordinate", SITE_SIDE),
        ({"rx_low_mhz": 3400, "filter_rejection_db": 45.0}, {}, -17.66, "coordinate", SITE_SIDE),
        ({"rx_low_mhz": 3400, "lnb_type": "compliant"}, {}, -17.66, "coordinate", SITE_SIDE),
        ({"rx_low_mhz": 3400}, {"at": (0, 4000)}, -11.64, "coordinate", "加装屏蔽网"),
        # 45 dB of filter are enough from 86 m on; nearer it needs the block as well.
        ({}, {"at": (0, 89)}, -44.69, "coordinate", "加装滤波器"),
        ({}, {"at": (0, 50)}, -49.70, "coordinate", "加装滤波器+更换合规高频头"),
    ],
)  # fmt: skip
def test_overload_as_equipped(tiny_project, record, station, margin_db, verdict, measure):
    project = with_stations(with_protected(tiny_project, record), [{"at": (0, 2000), **station}])
    table = coordinate(project)
    row = only(table, "overload")
    above = -12 * (3 / 12) ** 2 if station.get("micro") else OFF_PEAK_DB
    assert row["margin_db"] == pytest.approx(margin_db - above, abs=0.08)
    assert (row["verdict"], row["measure"]) == (verdict, measure)


def test_what_could_not_even_overload_a_bare_legacy_block_is_not_listed(tiny_project):
    edge = 15_300 * 10 ** (OFF_PEAK_DB / 20)
    project = with_stations(with_protected(tiny_project, {}), [{"at": (0, edge - 150)}, {"at": (0, edge + 150)}])
    table = coordinate(project)
    assert table.loc[table["mechanism"] == "overload", "station_id"].tolist() == ["S0"]


def test_beyond_the_horizon_overload_follows_p452_at_half_the_time(tiny_project):
    """5 m and 5 m see each other for 18.5 km; at 20.5 km the loss is that of the Recommendation, not free space."""
    low = {"pointing_azimuth_deg": 0.0, "pointing_elevation_deg": 2.0}
    base = open_land(with_stations(with_protected(tiny_project, low), [{"at": (0, 18_000)}, {"at": (0, 20_500)}]))
    rows = coordinate(base).query("mechanism == 'overload'").set_index("station_id")
    free = 92.45 + 20 * np.log10(3.5) + 20 * np.log10(rows["distance_m"].astype(float) / 1000)
    assert rows["loss_db"]["S0"] == pytest.approx(free["S0"], abs=0.01)
    distance = np.linspace(0, float(rows["distance_m"]["S1"]), 206)
    reference = p452.loss_db(
        distance, np.zeros(206), frequency_mhz=3500.0, time_pct=50.0, tx_height_agl_m=5.0, rx_height_agl_m=5.0,
        polarization="horizontal", path_latitude_deg=36.456, delta_n=40.06, n0=320.5,
    )  # fmt: skip
    assert reference > free["S1"] + 5
    assert rows["loss_db"]["S1"] == pytest.approx(reference, abs=0.01)


@pytest.mark.parametrize(
    ("record", "distance_m", "mechanism", "limit_m", "verdict"),
    [
        ({"rx_low_mhz": 3400}, 42_499, "co_channel", 42_500, "coordinate"),
        ({"rx_low_mhz": 3400}, 42_501, "co_channel", 42_500, "clear"),
        ({}, 19_999, "adjacent", 20_000, "coordinate"),
        ({}, 20_001, "adjacent", 20_000, "clear"),
        ({"lnb_type": "standard"}, 1_999, "adjacent", 2_000, "coordinate"),
        ({"lnb_type": "standard"}, 2_001, "adjacent", 2_000, "clear"),
        ({"lnb_type": "compliant"}, 99, "adjacent", 100, "coordinate"),
        ({"lnb_type": "compliant"}, 101, "adjacent", 100, "clear"),
        ({"filter_rejection_db": 45.0}, 101, "adjacent", 100, "clear"),
    ],
)
def test_rule_distances(tiny_project, record, distance_m, mechanism, limit_m, verdict):
    base = with_protected(tiny_project, record)
    # True distances: the plane at 115.98 E is a little longer than the ground.
    project = with_stations(base, [{"at": (0, distance_m * 1.0000975)}])
    row = only(coordinate(project), mechanism)
    assert row["distance_m"] == pytest.approx(distance_m, abs=0.7)
    assert row["limit_m"] == limit_m
    assert (row["rule_verdict"], bool(row["verified"])) == (verdict, False)
    if row["physics_verdict"] == "clear":
        assert (row["verdict"], row["method"]) == (verdict, "rule")


def one_band(project):
    """The networks without a second band to turn to."""
    networks = [net.model_copy(update={"bands": dict.fromkeys(net.bands, "n78")}) for net in project.config.networks]
    return dataclasses.replace(project, config=project.config.model_copy(update={"networks": networks}))


def least_level_by_hand(project, shielding_db=15.0):
    """The lowest envelope level any joint use of tilt, beams and power leaves behind a new shield, dBm: brute force.

    Levels of the pair with a tilted antenna come from a project whose mast carries 4 degrees more, so from another
    evaluation than the verdict's.
    """
    levels = []
    found = evaluate(project)
    row = found.tables.profile["site_tilt"]
    lowered = found.tables.profile | {"site_tilt": {**row, "tilt_deg": 0.0}}
    for extra in (0.0, float(row["tilt_deg"])):
        tables = dataclasses.replace(found.tables, profile=lowered)
        tx = transmitters(project, tables, extra)
        _, one = physics.pairs_of(tx, found.protected, read_land(project), tables)
        levels.append(10 * np.log10(one.overload_envelope_mw[0]))
    beam, power = 12.0, 6.0
    return min(levels) - beam - power - shielding_db


@pytest.mark.parametrize("distance_m", [200, 250, 300, 350, 400, 500, 2000])
def test_excluded_means_that_nothing_but_giving_up_the_station_helps(tiny_project, distance_m):
    """Inside the receive band: shielding at the dish, tilt, beam exclusion and 6 dB at the mast, all at once."""
    base = with_protected(tiny_project, {"rx_low_mhz": 3400})
    project = with_stations(base, [{"at": (0, distance_m), "height_agl_m": 30.0}])
    row = only(coordinate(one_band(project)), "overload")
    hopeless = least_level_by_hand(project) > -60.0
    assert row["physics_verdict"] == ("excluded" if hopeless else "coordinate")
    # The operator's own other band would pass, so with one the pair is not hopeless.
    assert only(coordinate(project), "overload")["physics_verdict"] == "coordinate"


def test_a_sector_off_counts_where_another_one_remains(tiny_project):
    """At 230 m 21 dB are missing: 18 dB of beams and power are too little, without the sector that looks 21.6 dB go."""
    base = one_band(with_protected(tiny_project, {"rx_low_mhz": 3400, "shielding_db": 15.0}))
    verdicts = [
        only(coordinate(with_stations(base, [{"at": (0, 230), "azimuths_deg": azimuths}])), "overload")
        for azimuths in ("180", "180/300/60")
    ]
    assert [row["physics_verdict"] for row in verdicts] == ["excluded", "coordinate"]


def test_a_rule_distance_never_excludes(tiny_project):
    base = one_band(with_protected(tiny_project, {"rx_low_mhz": 3400}))
    table = coordinate(with_stations(base, [{"at": (0, 1)}]))
    row = only(table, "co_channel")
    assert (row["verdict"], row["rule_verdict"], row["physics_verdict"]) == ("coordinate", "coordinate", "excluded")


@pytest.mark.parametrize(
    ("record", "mechanism", "distances_km"),
    [({"rx_low_mhz": 3400}, "co_channel", range(3, 60, 4)), ({}, "adjacent", range(1, 42, 4))],
)
def test_what_clears_a_pair_that_fails_in_the_receive_band(tiny_project, record, mechanism, distances_km):
    """Shielding alone acts there, 15 dB of the profile; what it cannot do the base station must."""
    rows = [{"at": (0, 1000 * km), "height_agl_m": 30.0} for km in distances_km]
    project = with_stations(with_protected(open_land(tiny_project), record), rows)
    table = coordinate(project)
    table = table[table["mechanism"] == mechanism]
    margin, named = table["margin_db"].to_numpy(), table["measure"].astype(str).to_numpy()
    expected = np.where(margin >= 0, "", np.where(margin >= -15.0, "加装屏蔽网", SITE_SIDE))
    assert named.tolist() == expected.tolist()
    assert {"", "加装屏蔽网", SITE_SIDE} == set(expected), "all three are met with"
    shielded = coordinate(with_stations(with_protected(open_land(tiny_project), record | {"shielding_db": 15.0}), rows))
    again = shielded[shielded["mechanism"] == mechanism].set_index("station_id")
    cleared = table.loc[named == "加装屏蔽网", "station_id"]
    assert (again.loc[cleared, "physics_verdict"] == "clear").all(), "with the shielding the pair does pass"
    assert "加装屏蔽网" not in set(again["measure"].astype(str)), "what is installed is not proposed again"


def test_fixed_links_and_observatories_have_no_block_to_overload(tiny_project):
    pointing = {"pointing_azimuth_deg": 90.0, "pointing_elevation_deg": 0.0}
    for record in ({"class": "fixed", **pointing}, {"class": "ras"}):
        project = with_stations(with_protected(tiny_project, record), [{"at": (0, 100)}])
        assert coordinate(project)["mechanism"].tolist() == ["adjacent"], record


def test_the_band_gate_comes_first(tiny_project):
    rows = [{"at": (0, 50), "band": band} for band in ("n41", "n28", "n1", "n78", "n79")]
    project = with_stations(with_protected(tiny_project, {}), rows)
    table = coordinate(project)
    assert set(table["station_id"]) == {"S3", "S4"}


def test_a_station_out_of_reach_shows_its_nearest_protected_station(tiny_project):
    base = with_protected(tiny_project, {}, {})
    layer = base.layers["protected_stations"].copy()
    layer.loc[1, "geometry"] = gpd.points_from_xy([layer.geometry.x[0]], [layer.geometry.y[0] + 10_000])[0]
    base = dataclasses.replace(base, layers={**base.layers, "protected_stations": layer})
    table = coordinate(with_stations(base, [{"at": (0, 60_000)}]))
    assert table[["protected_id", "mechanism", "verdict"]].to_numpy().tolist() == [["ES1", "adjacent", "clear"]]
    assert table["distance_m"].iloc[0] == pytest.approx(50_000, rel=1e-3)


def test_stations_and_protected_stations_beyond_the_city_count(tiny_project):
    base = with_protected(tiny_project, {"rx_low_mhz": 3400}, lon_lat=(116.9, 36.6))
    table = coordinate(with_stations(base, [{"at": (-30_000, 0)}]))
    assert only(table, "co_channel")["verdict"] == "coordinate"


def test_the_table_is_that_of_the_schema_even_when_empty(tiny_project):
    full = coordinate(tiny_project)
    empty = coordinate(with_stations(with_protected(tiny_project, {}), [{"at": (0, 50), "band": "n28"}]))
    layers = {key: value for key, value in tiny_project.layers.items() if key != "protected_stations"}
    bare = coordinate(dataclasses.replace(tiny_project, layers=layers))
    for table in (full, empty, bare):
        assert list(table.columns) == list(schema.table("verdicts").columns)
        assert table["verdict"].cat.categories.tolist() == ["clear", "coordinate", "excluded"]
    assert len(full) and not len(empty) and not len(bare)


def test_every_station_in_scope_has_a_row_and_no_other(tiny_project):
    scope = in_scope(tiny_project.stations, load_tables())
    assert set(coordinate(tiny_project)["station_id"]) == set(tiny_project.stations["station_id"][scope])


def test_hostile_names_pass_through_unchanged(tiny_project):
    project = with_stations(with_protected(tiny_project, {"name": HOSTILE, "station_id": HOSTILE}), [{"at": (0, 50)}])
    table = coordinate(project)
    assert set(table["protected_name"]) == {HOSTILE}
    assert set(table["protected_id"]) == {HOSTILE.strip()}


def test_the_same_project_gives_the_same_table(tiny_project):
    pd.testing.assert_frame_equal(coordinate(tiny_project), coordinate(tiny_project))


def test_a_planner_who_verifies_the_radius_gets_a_verified_verdict(tiny_project, tmp_path):
    (tmp_path / "rules").mkdir()
    text = '[radius_adjacent_wide]\nvalue_m = 500.0\nsource = "266号附件1 表2"\nverified = true\n'
    (tmp_path / "rules" / "miit_266_136.toml").write_text(text, encoding="utf-8")
    base = dataclasses.replace(with_protected(tiny_project, {}), root=tmp_path)
    row = only(coordinate(with_stations(base, [{"at": (0, 600)}])), "adjacent")
    assert (row["limit_m"], row["verdict"], bool(row["verified"])) == (500.0, "clear", True)


def enforced(project, enforce):
    section = project.config.coordination.model_copy(update={"enforce": enforce})
    return dataclasses.replace(project, config=project.config.model_copy(update={"coordination": section}))


def test_rule_and_physics_stand_side_by_side(tiny_project):
    """On level, open land at 30 km a mast of 30 m fails a co-channel dish; a street-level one at 41 km does not."""
    rows = [{"at": (0, 30_000), "height_agl_m": 30.0}, {"at": (0, 41_000), "height_agl_m": 5.0}]
    base = open_land(with_stations(with_protected(tiny_project, {"rx_low_mhz": 3400}), rows))
    table = coordinate(base).query("mechanism == 'co_channel'").set_index("station_id")
    assert table["rule_verdict"].tolist() == ["coordinate", "coordinate"]
    assert table["physics_verdict"].tolist() == ["coordinate", "clear"]
    assert table["agree"].tolist() == [True, False]
    assert (table["verdict"] == "coordinate").all() and (table["method"] == "rule").all()
    by_physics = coordinate(enforced(base, "physics")).query("mechanism == 'co_channel'").set_index("station_id")
    assert by_physics["verdict"].tolist() == ["coordinate", "clear"]
    assert (by_physics["method"] == "physics").all()


def test_beyond_the_rule_distance_a_failing_physics_asks_for_coordination(tiny_project):
    """45 km, 45 m mast on level, open land: outside 42.5 km, and a single station still fails -12.2 dB."""
    base = open_land(
        with_stations(with_protected(tiny_project, {"rx_low_mhz": 3400}), [{"at": (0, 45_000), "height_agl_m": 45.0}])
    )
    seen = {}
    for mode in ("report", "rule", "physics"):
        row = only(coordinate(enforced(base, mode)), "co_channel")
        assert (row["rule_verdict"], bool(row["agree"])) == ("clear", False)
        seen[mode] = (row["verdict"], row["method"])
    assert seen["report"] == ("coordinate", "physics")
    assert seen["rule"] == ("clear", "rule")
    assert seen["physics"][0] in ("coordinate", "excluded")


def test_in_the_table_the_margin_of_a_pair_is_limit_minus_level(tiny_project):
    """4 km, level land: envelope 33 + 24 + off-peak dBm/MHz, -10 dBi, loss of the table, N -118.6, limit -12.2 dB."""
    base = open_land(with_stations(with_protected(tiny_project, {"rx_low_mhz": 3400}), [{"at": (0, 4000)}]))
    row = only(coordinate(base), "co_channel")
    level = 33.01 + 24 + OFF_PEAK_DB - 10 - float(row["loss_db"])
    assert row["margin_db"] == pytest.approx(-118.60 - 12.2 - level, abs=0.06)
    # Unwanted emissions: -21 dBm/MHz through one element, 6.4 dBi ahead, or the mean beam if that gives more; 1 %.
    beams = antenna_array.beam_grid(np.arange(-60, 61, 10), [6.0 - 3.0, 2.0 - 3.0, -2.0 - 3.0, -6.0 - 3.0])
    gain = max(6.4, float(antenna_array.average_gain_dbi(PANEL, 0.0, -0.014, beams)))
    base = open_land(with_stations(with_protected(tiny_project, {}), [{"at": (0, 4000)}]))
    row = only(coordinate(base), "adjacent")
    assert row["margin_db"] == pytest.approx(-118.60 - 20 - (-21 + gain - 10 - float(row["loss_db"])), abs=0.06)


def test_p2108_stands_in_for_path_clutter_and_never_beside_it(tiny_project, tmp_path):
    """A 5 m dish in the tiny city's clutter: either way it gains something over bare land, by different amounts."""
    (tmp_path / "rules").mkdir()
    base = with_stations(
        with_protected(tiny_project, {"rx_low_mhz": 3400}, lon_lat=(115.94, 36.40)), [{"at": (0, 3000)}]
    )
    base = dataclasses.replace(base, root=tmp_path, clutter=dataclasses.replace(
        base.clutter, array=np.full_like(base.clutter.array, 5)
    ))  # fmt: skip
    loss = {}
    for kind in ("none", "path", "p2108"):
        text = f'[path_loss]\nclutter = "{kind}"\nsource = "test"\nverified = false\n'
        (tmp_path / "rules" / "miit_266_136.toml").write_text(text, encoding="utf-8")
        loss[kind] = float(only(coordinate(base), "co_channel")["loss_db"])
    assert loss["path"] > loss["none"] + 1
    both_ends = clutter.terrestrial_clutter_db(3500.0, 3000.0, 50.0, both_ends=True)
    assert loss["p2108"] - loss["none"] == pytest.approx(2 * float(both_ends), abs=0.01)
