"""Two plans, and a plan against what was built."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import lcsiting as lc
from lcsiting.cli import main
from lcsiting.errors import LayerError
from lcsiting.inputs.as_built import check_as_built, read_as_built
from lcsiting.siting import replace as swap


@pytest.fixture(scope="module")
def result(tiny_project):
    return lc.run(tiny_project, progress=False)


@pytest.fixture(scope="module")
def failed(result):
    """The first planned place without anything on air."""
    live = set(result.plan.stations.query("status == 'on_air'")["place_id"])
    return next(p for p in result.plan.places["place_id"] if p not in live)


@pytest.fixture(scope="module")
def other(result, failed):
    """The same result with one place replaced."""
    plan = lc.replace(
        result.project, result.cover, result.plan, [failed], eligible=result.eligible, verdicts=result.verdicts
    )
    coverages = {year: lc.predict_coverage(result.project, plan, year) for year in result.coverages}
    return dataclasses.replace(result, plan=plan, coverages=coverages)


def test_a_plan_against_itself_shows_nothing(result):
    found = lc.compare(result, result)
    assert found["changes"].empty
    table = found["county_changes"]
    assert (table[["people_change", "area_change_km2"]] == 0).all(axis=None)
    assert (table["stations_a"] == table["stations_b"]).all()


def test_a_replaced_place_is_out_and_its_substitute_in(result, other, failed):
    found = lc.compare(result, other)
    table = swap.replacements(result.project, result.cover, result.plan, other.plan)
    changes = found["changes"].groupby("change")["station_id"].agg(set)
    assert changes["out"] == set(table["failed_id"]) and changes["in"] == set(table["substitute_id"])
    assert set(found["changes"]["change"]) == {"in", "out"}


def test_counties_add_up_and_are_the_coverages_own_figures(result, other):
    table = lc.compare(result, other)["county_changes"]
    assert set(table["year"]) == {2020, 2023}
    for (_, network, _), rows in table.groupby(["year", "network", "service"]):
        city, counties = rows[rows["county_code"] == "371500"], rows[rows["county_code"] != "371500"]
        assert len(city) == 1 and len(counties) == 2
        assert city["people_change"].iloc[0] == pytest.approx(counties["people_change"].sum())
        if network != "all":
            assert city["stations_b"].iloc[0] == counties["stations_b"].sum()
    one = other.coverages[2023].statistics.query("level == 'county' and network == 'all' and service == 'outdoor'")
    mine = table.query("year == 2023 and network == 'all' and service == 'outdoor' and county_code != '371500'")
    assert mine["people_share_b"].tolist() == one["people_share"].tolist()


def test_phase_and_position_changes_have_their_names(result):
    table = result.plan.stations.copy()
    first = table.index[(table["phase_year"] == 2020) & (table["status"] != "on_air")][:2]
    last = table.index[table["phase_year"] == 2023][:2]
    table.loc[first[0], "phase_year"] = 2023
    table.loc[last[0], "phase_year"] = 2020
    table.loc[first[1], "x_m"] += 40.0
    table.loc[last[1], "status"] = "on_air"
    later = dataclasses.replace(result, plan=dataclasses.replace(result.plan, stations=table))
    changes = lc.compare(result, later)["changes"].set_index("station_id")
    ids = table["station_id"]
    expected = {ids[first[0]]: "later", ids[last[0]]: "earlier", ids[first[1]]: "moved", ids[last[1]]: "built"}
    assert changes["change"].to_dict() == expected
    assert changes.loc[ids[first[1]], "distance_m"] == 40.0


@pytest.fixture(scope="module")
def as_built(result):
    """One planned station built in time, one late, one before its phase, one unplanned, one place nobody knows."""
    table = result.plan.stations
    holder = {"移动广电": "移动", "电联": "电信"}
    first = table[(table["phase_year"] == 2020) & (table["status"] != "on_air")].iloc[:2]
    last = table[table["phase_year"] == 2023].iloc[:1]
    built = zip([*first.itertuples(), *last.itertuples()], ["2020-06-30", "2021-03-01", "2020-12-30"], strict=True)
    rows = [(s.place_id, holder[s.network], s.band, date) for s, date in built]
    spare = result.plan.refused.query("rule == 'not_selected'").iloc[0]
    rows += [(spare.place_id, holder[spare.network], "n78", "2020-09-01"), ("X1", "联通", "n78", "2020/9/1")]
    return pd.DataFrame(rows, columns=["站址编码", "运营商", "频段", "开通日期"])


def test_the_state_of_every_planned_station_at_a_date(result, as_built):
    table = result.plan.stations
    count = table[table["status"] != "on_air"].groupby("phase_year").size()
    early = lc.compare(result, as_built, date="2020-10-01")["changes"]["change"].value_counts().to_dict()
    assert early == {"built": 1, "pending": count.sum() - 1, "unplanned": 1, "unknown": 1}
    late = lc.compare(result, as_built, date="2021-06-30")["changes"]
    counts = late["change"].value_counts().to_dict()
    assert counts == {
        "built": 1, "delayed": 1, "early": 1, "overdue": count[2020] - 2, "pending": count[2023] - 1, "unplanned": 1,
        "unknown": 1,
    }  # fmt: skip
    assert late.set_index("change").loc["early", ["year_a", "year_b"]].tolist() == [2023, 2020]


def test_as_built_coverage_lies_between_today_and_the_plan(result, as_built):
    table = lc.compare(result, as_built, date="2021-06-30")["county_changes"]
    city = table.query("county_code == '371500' and network == 'all' and service == 'outdoor'").iloc[0]
    today = result.today.statistics.query("level == 'city' and network == 'all' and service == 'outdoor'")
    assert today["people_share"].iloc[0] <= city["people_share_b"] < city["people_share_a"]
    on_air = int((result.plan.stations["status"] == "on_air").sum())
    assert city["stations_b"] == on_air + 4, "three planned and one unplanned"


def test_as_built_tables_are_read_from_files(as_built, tmp_path):
    as_built.to_csv(tmp_path / "竣工.csv", index=False, encoding="gbk")
    as_built.to_excel(tmp_path / "竣工.xlsx", index=False)
    first, second = read_as_built(tmp_path / "竣工.csv"), read_as_built(tmp_path / "竣工.xlsx")
    pd.testing.assert_frame_equal(first, second)
    assert first["on_date"].iloc[-1] == pd.Timestamp("2020-09-01") and len(first) == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"运营商": "小灵通"}, "运营商不认识"),
        ({"开通日期": "不久"}, "第 3 行"),
        ({"站址编码": ""}, "没有站址编码"),
    ],
)
def test_rows_that_cannot_be_used_are_named(as_built, change, words):
    broken = as_built.astype(object)
    for name, value in change.items():
        broken.loc[1, name] = value
    with pytest.raises(LayerError, match=words):
        check_as_built(broken)
    with pytest.raises(LayerError, match="缺少列 开通日期"):
        check_as_built(as_built.drop(columns="开通日期"))


def test_the_verb_prints_and_writes(result, other, tmp_path):
    a, b = lc.save(result, tmp_path / "甲"), lc.save(other, tmp_path / "乙")
    words = ["compare", str(a), str(b), "--out", str(tmp_path / "对照")]
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.output
    assert "新进" in ran.output and "茌平区" in ran.output
    head = (tmp_path / "对照" / "changes.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert head.startswith("变化,基站编号")
    assert CliRunner().invoke(main, words).exit_code == 1, "never clobbers"


def test_the_relocation_verb_checks_that_building_comes_first(result, tmp_path):
    place = result.project.places.set_index("place_id").geometry["LC000"]
    area = gpd.GeoDataFrame(geometry=[place.buffer(200)], crs=result.project.config.project.crs)
    area.to_crs("EPSG:4490").to_file(tmp_path / "拆除.geojson", driver="GeoJSON")
    saved = lc.save(result, tmp_path / "r")
    words = ["relocate", str(saved), "--polygon", str(tmp_path / "拆除.geojson"), "--date", "2021-06-30"]
    ran = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "迁改")])
    assert ran.exit_code == 0, ran.output
    assert "✗" in ran.output and "不晚于 2021-06-30" in ran.output
    table = pd.read_csv(tmp_path / "迁改" / "relocation_affected.csv")
    assert "LC000-N1" in set(table["基站编号"])
    assert CliRunner().invoke(main, [*words, "--out", str(tmp_path / "迁改")]).exit_code == 1, "never clobbers"


def test_explanations_travel_with_a_saved_result(result, tmp_path):
    opened = lc.open_result(lc.save(result, tmp_path / "r"))
    assert set(opened.tables) == set(result.tables) >= {"why_chosen", "substitutes", "why_not", "coordination_list"}
    for name, table in result.tables.items():
        first, second = (frame.astype(object).where(frame.notna(), "") for frame in (table, opened.tables[name]))
        pd.testing.assert_frame_equal(pd.DataFrame(first).astype(str), pd.DataFrame(second).astype(str))
    assert np.isfinite(opened.tables["why_chosen"]["lost_weight"]).all()
