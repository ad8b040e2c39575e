"""Refinement as a stage of the run: never worse anywhere, and what follows from it, judged anew from outside."""

import json
from dataclasses import replace

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from tiny_city import build_tiny_project, tiny_config

import lcsiting as lc
from lcsiting import tuning
from lcsiting.coordination import aggregate
from lcsiting.coordination.interference import evaluate
from lcsiting.coverage.antennas import station_antennas, with_settings
from lcsiting.coverage.refine import refine
from lcsiting.exporters.text import summary_text
from lcsiting.siting.cover import demand_coverage
from lcsiting.tuning import refine_plan

STATIONS = 8


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder whose rules refine a few stations, once."""
    folder = tmp_path_factory.mktemp("city")
    (folder / "rules").mkdir()
    text = f"[refine_stations]\nvalue = {STATIONS}\n[sweeps]\nvalue = 1\n[tilt_steps_deg]\nvalue = [2.0]\n"
    (folder / "rules" / "second_order.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def plain(root):
    return lc.run(replace(build_tiny_project(), root=root), progress=False)


@pytest.fixture(scope="module")
def refined(root):
    return lc.run(replace(build_tiny_project(tiny_config(ranking={"refine": True})), root=root), progress=False)


def test_the_ranking_is_untouched_and_some_antennas_changed(plain, refined):
    changing = ["azimuths_deg", "tilts_deg"]
    before, after = plain.plan.stations, refined.plan.stations
    said_anew = [*changing, "excluded_deg"]
    pd.testing.assert_frame_equal(before.drop(columns=said_anew), after.drop(columns=said_anew))
    assert before["excluded_deg"].eq("").all() and after["excluded_deg"].eq("").all()
    for name in ("places", "phases", "counties", "refused"):
        pd.testing.assert_frame_equal(getattr(plain.plan, name), getattr(refined.plan, name))
    said = refined.summary["refinement"]
    moved = set(refined.tables["refined_sectors"]["station_id"])
    assert said["stations"] == STATIONS and said["changed_stations"] == len(moved) > 2
    different = (before[changing] != after[changing]).any(axis=1)
    assert set(after.loc[different, "station_id"]) == moved
    assert (after.loc[different, "status"] == "planned").all(), "what is on air keeps its antennas"
    assert "refinement" not in plain.summary and "refined_sectors" not in plain.tables


def test_no_phase_covers_less_people_or_area_in_any_service(plain, refined):
    key = ["level", "code", "network", "service"]
    for year in (2020, 2023):
        old, new = (r.coverages[year].statistics.query("level == 'city'").set_index(key) for r in (plain, refined))
        names = [n.name for n in refined.project.config.networks]
        own = old.index.get_level_values("network").isin(names)
        for share in ("people_share", "area_share"):
            assert (new[share][own] >= old[share][own] - 1e-9).all()
    assert (refined.coverages[2023].statistics["people_share"] > plain.coverages[2023].statistics["people_share"]).any()
    pd.testing.assert_frame_equal(refined.today.statistics, plain.today.statistics)


def _weights(matrix, plan):
    """Covered weight on the demand cells by phase and service."""
    out = []
    for year in (2020, 2023):
        there = plan.stations.loc[plan.stations["phase_year"] <= year, "station_id"]
        items = np.flatnonzero(np.isin(matrix.station_ids, there))
        rows = np.unique(np.concatenate([matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]] for i in items]))
        service = rows // len(matrix.cells) % len(matrix.services)
        out.append(np.bincount(service, weights=matrix.row_weight[rows], minlength=len(matrix.services)))
    return np.array(out)


def test_no_phase_covers_less_on_the_demand_cells(plain, refined):
    """With the cover of the refined project built from nothing."""
    anew = lc.cover(refined.project, refined.eligible)
    stations = refined.plan.stations
    total = plain.cover.row_weight.sum()
    before, after = (_weights(matrix, refined.plan) for matrix in (plain.cover, anew))
    assert (after >= before).all() and after[-1].sum() > before[-1].sum()
    for t, said in enumerate(refined.summary["refinement"]["phases"]):
        there = stations.loc[stations["phase_year"] <= said["year"], "station_id"]
        assert said["covered_weight_share_before"] == pytest.approx(before[t].sum() / total, rel=1e-12)
        assert said["covered_weight_share"] == pytest.approx(after[t].sum() / total, rel=1e-12)
        cells = demand_coverage(anew, there).sort_values(["network", "service"], ignore_index=True)
        check = pd.DataFrame(refined.summary["coverage_check"]).query(f"year == {said['year']}")
        check = check.sort_values(["network", "service"], ignore_index=True)
        np.testing.assert_allclose(check["people_share_cells"], cells["people_share"], atol=1e-6)


def test_outputs_rest_on_the_refined_antennas(refined):
    project, stations = refined.project, refined.plan.stations.set_index("station_id")
    found, names = station_antennas(project), project.stations["station_id"]
    for row in refined.tables["refined_sectors"].itertuples():
        k = int(np.flatnonzero(names == row.station_id)[0])
        m = int(found.first[k]) + row.sector - 1
        assert (found.azimuth_deg[m], found.tilt_deg[m]) == (row.azimuth_deg, row.tilt_deg)
        shown = stations.loc[row.station_id]
        assert float(shown["azimuths_deg"].split("/")[row.sector - 1]) == pytest.approx(row.azimuth_deg, abs=0.05)
        assert float(shown["tilts_deg"].split("/")[row.sector - 1]) == pytest.approx(row.tilt_deg, abs=0.05)
        sector = refined.coverages[2023].sectors.query("station_id == @row.station_id").iloc[row.sector - 1]
        assert (sector["azimuth_deg"], sector["tilt_deg"]) == (row.azimuth_deg, row.tilt_deg)
    services = refined.tables["refined_services"].query("year == 2023").set_index(["network", "service"])
    people = project.population.array.sum(dtype=float)
    city = refined.coverages[2023].statistics.query("level == 'city'").set_index(["network", "service"])
    np.testing.assert_allclose(services["people"] / people, city["people_share"].reindex(services.index), rtol=1e-6)


def test_budgets_and_verdicts_are_those_of_the_refined_project(plain, refined):
    anew = evaluate(refined.project)
    pd.testing.assert_frame_equal(
        refined.budgets, aggregate.judge_plan(refined.project, anew.budgets, refined.plan), rtol=1e-9
    )
    pd.testing.assert_frame_equal(refined.verdicts, anew.verdicts)
    assert not (plain.budgets["within"] & ~refined.budgets["within"]).any()
    order = {"outside": 0, "clear": 1, "coordinate": 2, "excluded": 3}
    planned = plain.plan.stations["station_id"]
    old, new = (
        r.verdicts.assign(worst=r.verdicts["verdict"].map(order)).groupby("station_id")["worst"].max().reindex(planned)
        for r in (plain, refined)
    )
    assert old.notna().any()
    pd.testing.assert_series_equal(old, new)  # what the plan says about coordination is still so


def test_the_planner_reads_what_changed(plain, refined, tmp_path):
    said = refined.summary["refinement"]
    text = summary_text(refined, "zh")
    assert f"调整 {said['changed_stations']} 个站、{said['changed_sectors']} 个扇区" in text
    assert "排名、新增覆盖、忙时容量与证书按原天线计算" in text and "天线优化" not in summary_text(plain, "zh")
    assert "rest on the recorded antennas" in summary_text(refined, "en")
    lc.export(refined, tmp_path / "out", formats=["xlsx", "shp", "gpkg"])
    book = openpyxl.load_workbook(next((tmp_path / "out").rglob("*.xlsx")), read_only=True)
    assert {"天线优化", "天线优化前后覆盖"} <= set(book.sheetnames)
    heads = [[cell.value for cell in row] for row in book["规划基站"].iter_rows(max_row=8)]
    assert any({"方位角(°)", "下倾角(°)"} <= set(row) for row in heads), heads
    shown = gpd.read_file(next((tmp_path / "out").rglob("*.gpkg")), layer="stations")
    assert sorted(shown["tilts_deg"]) == sorted(refined.plan.stations["tilts_deg"])
    shapes = [gpd.read_file(path) for path in (tmp_path / "out").rglob("*.shp")]
    assert any({"FWJ", "XQJ"} <= set(frame.columns) for frame in shapes)


def test_a_saved_result_keeps_the_antennas(refined, tmp_path):
    opened = lc.open_result(lc.save(refined, tmp_path / "r"))
    for mine, saved in zip(station_antennas(refined.project), station_antennas(opened.project), strict=True):
        np.testing.assert_array_equal(mine, saved)
    assert opened.summary["refinement"] == json.loads(json.dumps(refined.summary["refinement"]))
    again = lc.predict_coverage(opened.project, opened.plan, 2023)
    pd.testing.assert_frame_equal(again.statistics, refined.coverages[2023].statistics)


def _unguarded(project, plan, ids):
    """The project after the search on some stations alone, with nothing but the raster's coverage to keep."""
    free = refine(project, plan, 2023, station_ids=ids, keep_years=[2020])
    rows = list(free.settings)
    angles = [[free.settings[row][k] for row in rows] for k in (0, 1)]
    return with_settings(project, rows, azimuths_deg=angles[0], tilts_deg=angles[1]) if rows else project


def test_stations_that_would_cost_demand_are_held_back(plain, monkeypatch):
    """Some stations, each alone, lose demand of a service in a phase without the guard; none does with it."""
    project, plan, coordination = plain.project, plain.plan, evaluate(plain.project)

    def weights(changed):
        return _weights(lc.cover(changed, plain.eligible), plan)

    before, losing = weights(project), 0
    for one in plan.stations.query("status == 'planned'")["station_id"].iloc[:12]:
        if (weights(_unguarded(project, plan, [one])) >= before).all():
            continue
        losing += 1
        monkeypatch.setattr(tuning, "_free", lambda *_, only=one: {only})
        tuned = refine_plan(project, plan, plain.cover, coordination, coordination.budgets)
        assert (weights(tuned.project) >= before).all(), one
    assert losing > 1


def test_no_verdict_gets_worse(plain):
    """With a filter that just lets a station pass as planned, but not as the search turns it when nothing forbids."""
    plan, layer = plain.plan, plain.project.layers["protected_stations"]
    planned = plan.stations.query("status == 'planned'")["station_id"].to_list()

    def filtered(rejection_db):
        layers = {**plain.project.layers, "protected_stations": layer.assign(filter_rejection_db=rejection_db)}
        return replace(plain.project, layers=layers)

    def overload(project):
        return evaluate(project).verdicts.query("mechanism == 'overload'").set_index("station_id")

    bare = filtered(0.0)
    margin = [overload(one)["margin_db"] for one in (bare, _unguarded(bare, plan, planned))]
    falls = (margin[0] - margin[1])[margin[0] < 0]
    most = falls.idxmax()
    assert falls[most] > 1
    project = filtered(-(margin[0] - falls / 2)[most])
    coordination, loose = evaluate(project), overload(_unguarded(project, plan, planned))
    before = overload(project)
    assert (before.loc[most, "verdict"], loose.loc[most, "verdict"]) == ("clear", "coordinate")
    roomy = replace(coordination.budgets, remaining_mw=coordination.budgets.remaining_mw * 1e9)
    tuned = refine_plan(project, plan, plain.cover, coordination, roomy)
    assert most in set(tuned.tables["refined_sectors"]["station_id"]), "it is looked at, and may be turned elsewhere"
    assert (overload(tuned.project)["verdict"].cat.codes <= before["verdict"].cat.codes).all()


def _added(project, budgets, plan):
    return aggregate.judge_plan(project, budgets, plan)["added_dbm"].to_numpy()


def test_a_budget_that_just_held_is_not_broken(plain):
    """What the plan brings is all that remains: without the guard the search breaks it, with it none."""
    project, plan, coordination = plain.project, plain.plan, evaluate(plain.project)
    before = _added(project, coordination.budgets, plan)
    tight = replace(coordination.budgets, remaining_mw=(10 ** (0.1 * before)).reshape(2, -1).T)
    near = plan.stations.query("status == 'planned'")["station_id"].to_list()
    loose = _unguarded(project, plan, near[:STATIONS])
    assert (_added(project, evaluate(loose).budgets, plan) > before + 1e-6).any(), "the case is one that would break"
    tuned = refine_plan(project, plan, plain.cover, coordination, tight)
    assert len(tuned.tables["refined_sectors"]) > 0
    assert (_added(project, tuned.budgets, tuned.plan) <= before + 1e-9).all()
    assert aggregate.judge_plan(project, tuned.budgets, tuned.plan)["within"].all()


def test_a_station_with_settings_of_its_own_is_left_alone(plain, refined):
    moved = refined.tables["refined_sectors"]["station_id"].unique()[:2]
    rows = pd.Index(plain.project.stations["station_id"]).get_indexer(moved)
    project = with_settings(plain.project, rows[:1], power_offset_db=[-3.0])
    project = with_settings(project, rows[1:], exclusions=[((225.0, 10.0, 12.0),)])
    coordination = evaluate(project)
    tuned = refine_plan(project, plain.plan, lc.cover(project, plain.eligible), coordination, coordination.budgets)
    assert not set(moved) & set(tuned.tables["refined_sectors"]["station_id"])
    own = tuned.project.stations.iloc[rows]
    assert own["exclusions"].tolist() == [None, ((225.0, 10.0, 12.0),)]
    assert "azimuths_deg" not in own or own["azimuths_deg"].isna().all()


def test_twice_the_same(plain, refined):
    coordination = evaluate(plain.project)
    one, two = (
        refine_plan(plain.project, plain.plan, plain.cover, coordination, coordination.budgets, threads=n)
        for n in (1, 2)
    )
    for tuned in (one, two):
        pd.testing.assert_frame_equal(tuned.tables["refined_sectors"], refined.tables["refined_sectors"])
    np.testing.assert_array_equal(one.cover.indices, two.cover.indices)
