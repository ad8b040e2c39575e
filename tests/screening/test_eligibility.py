"""Which rule says what about which station."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import LineString, Point, box

from lcsiting import schema
from lcsiting.errors import ConfigError
from lcsiting.screening.eligibility import screen

CRS = "EPSG:4548"
HOSTILE = '=1+1</script>\r\n"茌平"'
NO_VERDICTS = pd.DataFrame(columns=list(schema.table("verdicts").columns))
X0, Y0 = 400_000.0, 4_030_000.0


def city(project, places, layers=None, root=None, **sections):
    """A project of these places (one network each, on the ground, new) and these layers only."""
    full = {
        "source": "infill", "ground": True, "on_air": False, "opening": "", "owner": "", "tower_type": "",
        "height_agl_m": 35.0,
    }  # fmt: skip
    rows = [{"place_id": f"P{k}", **full, **row} for k, row in enumerate(places)]
    points = [Point(X0 + x, Y0 + y) for x, y in (row.pop("at") for row in rows)]
    frame = gpd.GeoDataFrame(pd.DataFrame(rows), geometry=points, crs=CRS)
    stations = pd.DataFrame(
        {
            "station_id": [f"P{k}-N1" for k in range(len(rows))],
            "place": np.arange(len(rows), dtype=np.int32),
            "on_air": frame["on_air"],
        }
    )
    config = project.config
    for section, values in sections.items():
        config = config.model_copy(update={section: getattr(config, section).model_copy(update=values)})
    return dataclasses.replace(
        project, config=config, root=root or project.root, places=frame, stations=stations, layers=layers or {}
    )


def areas(column, *rows):
    data = {column: [kind for kind, _, _ in rows], "name": [name for _, name, _ in rows]}
    shapes = [box(X0 + a, Y0 + b, X0 + c, Y0 + d) for *_, (a, b, c, d) in rows]
    return gpd.GeoDataFrame(data, geometry=shapes, crs=CRS)


def lines(*rows):
    data = {"class": [kind for kind, _, _ in rows], "name": [name for _, name, _ in rows]}
    shapes = [LineString([(X0 - 5000, Y0 + y), (X0 + 5000, Y0 + y)]) for *_, y in rows]
    return gpd.GeoDataFrame(data, geometry=shapes, crs=CRS)


def row_of(table, station, rule):
    found = table[(table["station_id"] == station) & (table["rule"] == rule)]
    assert len(found) == 1
    return found.iloc[0]


def verdict(station, kind, **fields):
    full = {
        "station_id": station, "protected_id": "ES1", "protected_name": "示例地球站", "mechanism": "overload",
        "distance_m": 900.0, "limit_m": 15_300.0, "margin_db": -24.5, "verdict": kind, "method": "physics",
        "verified": True, "measure": "加装滤波器" if kind == "coordinate" else "", "defaults": "",
    }  # fmt: skip
    return {**full, **fields}


def test_a_new_tower_in_permanent_farmland_is_out(tiny_project):
    layers = {"restricted": areas("kind", ("farmland", "示例图斑12", (0, 0, 100, 100)))}
    table = screen(city(tiny_project, [{"at": (50, 50)}, {"at": (150, 50)}], layers), NO_VERDICTS)
    row = row_of(table, "P0-N1", "farmland")
    assert (row["passed"], row["value"], row["limit"], row["verified"]) == (False, 1.0, 0.0, False), (
        "enforced by the planner's list"
    )
    assert row["reason"] == '位于永久基本农田"示例图斑12"内'
    free = row_of(table, "P1-N1", "farmland")
    assert (free["passed"], free["value"], free["reason"]) == (True, 0.0, "")


def test_land_rules_are_for_places_on_their_own_land(tiny_project):
    layers = {"restricted": areas("kind", ("farmland", "", (0, 0, 100, 100)))}
    table = screen(city(tiny_project, [{"at": (50, 50), "ground": False}], layers), NO_VERDICTS)
    assert table["rule"].tolist() == ["owner_refused"]


def test_what_stands_already_passes_and_is_listed(tiny_project):
    layers = {"restricted": areas("kind", ("redline", "示例红线", (0, 0, 100, 100)))}
    places = [{"at": (50, 50), "source": "existing"}, {"at": (50, 50), "on_air": True}]
    table = screen(city(tiny_project, places, layers), NO_VERDICTS)
    for station in ("P0-N1", "P1-N1"):
        row = row_of(table, station, "redline")
        assert row["passed"] and row["value"] == 1.0
        assert row["reason"] == '位于生态保护红线"示例红线"内（现有设施，仅提示）'


def test_an_unverified_rule_warns_until_the_planner_enforces_it(tiny_project):
    layers = {"restricted": areas("kind", ("heritage", "光岳楼", (0, 0, 100, 100)))}
    warned = row_of(screen(city(tiny_project, [{"at": (1, 1)}], layers), NO_VERDICTS), "P0-N1", "heritage")
    assert (warned["passed"], warned["verified"], warned["value"]) == (True, False, 1.0)
    assert warned["reason"] == '位于文物保护与建设控制地带"光岳楼"内（未核实，仅提示）'
    strict = city(tiny_project, [{"at": (1, 1)}], layers, screening={"enforce_unverified": True})
    removed = row_of(screen(strict, NO_VERDICTS), "P0-N1", "heritage")
    assert (removed["passed"], removed["reason"]) == (False, '位于文物保护与建设控制地带"光岳楼"内')


def test_landscape_towers_may_stand_in_scenic_areas(tiny_project):
    layers = {"restricted": areas("kind", ("scenic", "示例景区", (0, 0, 100, 100)))}
    places = [{"at": (1, 1), "tower_type": "景观塔"}, {"at": (1, 1), "tower_type": "落地塔"}]
    table = screen(city(tiny_project, places, layers, screening={"enforce_unverified": True}), NO_VERDICTS)
    assert row_of(table, "P0-N1", "scenic")["passed"]
    assert not row_of(table, "P1-N1", "scenic")["passed"]


def test_no_tower_in_open_water(tiny_project):
    layers = {"water": areas("kind", ("lake", "东昌湖", (0, 0, 100, 100)))}
    row = row_of(screen(city(tiny_project, [{"at": (50, 50)}], layers), NO_VERDICTS), "P0-N1", "water")
    assert (row["passed"], row["reason"]) == (False, '位于水域"东昌湖"内')


def test_an_owner_who_refuses_is_respected_on_roofs_too(tiny_project):
    places = [
        {"at": (0, 0), "source": "public", "ground": False, "opening": "refused", "owner": "示例单位"},
        {"at": (0, 0), "source": "public", "ground": False, "opening": "not_asked", "owner": "示例单位"},
        {"at": (0, 0), "source": "existing", "ground": False},
    ]
    table = screen(city(tiny_project, places), NO_VERDICTS)
    assert table[["station_id", "passed", "reason"]].to_numpy().tolist() == [
        ["P0-N1", False, '产权单位"示例单位"拒绝开放'],
        ["P1-N1", True, ""],
    ]


def test_setbacks_and_fall_distance_in_metres(tiny_project):
    """10 m from a railway, 28 m from a motorway, a 35 m tower: too near by all three rules."""
    layers = {"rail": lines(("railway", "京九铁路", 10)), "roads": lines(("motorway", "青银高速", -28))}
    table = screen(city(tiny_project, [{"at": (0, 0)}], layers), NO_VERDICTS)
    rail, road, fall = (row_of(table, "P0-N1", rule) for rule in ("rail_setback", "road_setback", "fall_distance"))
    assert (rail["passed"], rail["value"], rail["limit"]) == (False, 10.0, 15.0)
    assert rail["reason"] == '距铁路"京九铁路" 10.0 m，小于铁路线路安全保护区要求的 15 m'
    assert (road["passed"], road["value"], road["limit"]) == (False, 28.0, 30.0)
    assert (fall["passed"], fall["verified"], fall["value"], fall["limit"]) == (True, False, 10.0, 35.0)
    assert fall["reason"] == '距铁路"京九铁路" 10.0 m，小于倒塔距离要求的 35 m（未核实，仅提示）'


def test_a_place_far_from_everything_passes_with_its_distance(tiny_project):
    layers = {"rail": lines(("hsr", "郑济高铁", 400))}
    row = row_of(screen(city(tiny_project, [{"at": (0, 0)}], layers), NO_VERDICTS), "P0-N1", "rail_setback")
    assert (row["passed"], row["value"], row["limit"], row["reason"]) == (True, 400.0, 20.0, "")


@pytest.mark.parametrize(
    ("enforce", "on_air", "passed", "note"),
    [
        ("report", False, True, "（仅提示）"),
        ("physics", False, False, ""),
        ("rule", False, True, "（仅提示）"),
        ("physics", True, True, "（现有设施，仅提示）"),
    ],
)
def test_an_excluded_station_goes_only_when_enforced(tiny_project, enforce, on_air, passed, note):
    project = city(tiny_project, [{"at": (0, 0), "on_air": on_air}], coordination={"enforce": enforce})
    verdicts = pd.DataFrame(
        [verdict("P0-N1", "coordinate", mechanism="co_channel", method="rule"), verdict("P0-N1", "excluded")]
    )
    row = row_of(screen(project, verdicts), "P0-N1", "earth_station")
    assert (bool(row["passed"]), row["value"], row["limit"]) == (passed, -24.5, 0.0)
    assert row["reason"] == f'距受保护台站"示例地球站" 0.9 km，饱和余量 -24.5 dB，现有措施均不足{note}'


def test_a_rule_distance_is_listed_and_never_removes(tiny_project):
    project = city(tiny_project, [{"at": (0, 0)}], coordination={"enforce": "rule"})
    rule = verdict(
        "P0-N1", "coordinate", mechanism="co_channel", method="rule", distance_m=12_340.0, limit_m=42_500.0,
        margin_db=np.nan, verified=False,
    )  # fmt: skip
    row = row_of(screen(project, pd.DataFrame([rule])), "P0-N1", "earth_station")
    assert (row["passed"], row["value"], row["limit"], row["verified"]) == (True, 12_340.0, 42_500.0, False)
    assert row["reason"] == '距受保护台站"示例地球站" 12.3 km，在同频协调距离 42.5 km 内，须协调（依据未核实）'


def test_the_worst_of_many_verdicts_is_told(tiny_project):
    project = city(tiny_project, [{"at": (0, 0)}, {"at": (0, 0)}])
    verdicts = pd.DataFrame(
        [
            verdict("P0-N1", "clear", margin_db=3.0),
            verdict("P0-N1", "coordinate", margin_db=-5.0, protected_name="甲站"),
            verdict("P0-N1", "coordinate", margin_db=-9.0, protected_name="乙站"),
            verdict("P1-N1", "clear", margin_db=3.0),
        ]
    )
    table = screen(project, verdicts)
    assert row_of(table, "P0-N1", "earth_station")["reason"] == (
        '距受保护台站"乙站" 0.9 km，饱和余量 -9.0 dB，须协调（加装滤波器）'
    )
    clear = row_of(table, "P1-N1", "earth_station")
    assert (clear["passed"], clear["value"], clear["reason"]) == (True, 3.0, "")


def test_hostile_names_stay_on_one_line(tiny_project):
    layers = {"restricted": areas("kind", ("farmland", HOSTILE, (0, 0, 100, 100)))}
    row = row_of(screen(city(tiny_project, [{"at": (1, 1)}], layers), NO_VERDICTS), "P0-N1", "farmland")
    assert row["reason"] == '位于永久基本农田"=1+1</script> "茌平""内'


def test_a_planners_own_kind_of_area_needs_only_a_row(tiny_project, tmp_path):
    (tmp_path / "rules").mkdir()
    text = '[blast]\nname_zh = "爆炸危险区"\napplies = "all"\nsource = "园区规划"\nverified = true\n'
    (tmp_path / "rules" / "limits.toml").write_text(text, encoding="utf-8")
    layers = {"restricted": areas("kind", ("blast", "罐区", (0, 0, 100, 100)))}
    places = [{"at": (1, 1), "source": "public", "ground": False}]
    row = row_of(screen(city(tiny_project, places, layers, tmp_path), NO_VERDICTS), "P0-N1", "blast")
    assert (row["passed"], row["reason"]) == (False, '位于爆炸危险区"罐区"内')


def test_a_rule_row_must_say_to_what_it_applies(tiny_project, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "limits.toml").write_text('[water]\napplies = "some"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\[water\] applies = 'some'"):
        screen(city(tiny_project, [{"at": (0, 0)}], root=tmp_path), NO_VERDICTS)


def test_the_tiny_city(tiny_project):
    table = screen(tiny_project, NO_VERDICTS)
    assert list(table.columns) == list(schema.table("eligible").columns)
    assert not table.duplicated(["station_id", "rule"]).any()
    out = set(table.loc[~table["passed"], "station_id"])
    assert {"GG009-N1", "GG009-N2"} <= out  # the owner refuses, for either network
    on_air = set(tiny_project.stations.loc[tiny_project.stations["on_air"], "station_id"])
    assert not out & on_air
    # Both networks of a place are told the same.
    land = table.assign(place=table["station_id"].str[:-3]).groupby(["place", "rule"])
    assert (land["passed"].max() == land["passed"].min()).all() and (land.size() == 2).all()


def test_farmland_over_half_of_the_tiny_city_by_brute_force(tiny_project):
    half = areas("kind", ("farmland", "示例图斑", (0, 0, 6000, 12_000)))
    project = dataclasses.replace(tiny_project, layers={**tiny_project.layers, "restricted": half})
    table = screen(project, NO_VERDICTS)
    towers = project.places[project.places["ground"]]
    expected = {p.place_id for p in towers.itertuples() if half.geometry.iloc[0].intersects(p.geometry)}
    assert 0 < len(expected) < len(towers)
    failed = table[(table["rule"] == "farmland") & ~table["passed"]]
    assert sorted(failed["station_id"]) == sorted(f"{place}-N{k}" for place in expected for k in (1, 2))


def test_nothing_applicable_gives_the_empty_table(tiny_project):
    table = screen(city(tiny_project, [{"at": (0, 0), "source": "existing", "ground": False}]), NO_VERDICTS)
    assert table.empty and list(table.columns) == list(schema.table("eligible").columns)
    assert table["passed"].dtype == bool
