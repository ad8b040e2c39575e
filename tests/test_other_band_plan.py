"""A plan in which only the operator's other band fits: chosen, out of the scope, and said so everywhere."""

import dataclasses

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from shapely import Point
from tiny_city import CRS, build_tiny_project, tiny_config

import lcsiting as lc
from lcsiting import rules
from lcsiting.coordination.interference import evaluate
from lcsiting.siting.cellmap import positions

MODE = "site_other_band"


def city(**coordination):
    """The tiny city with the n78 carriers inside the receive band of its earth station, held to the physics."""
    section = {"enforce": "physics", "remedies": False, **coordination}
    project = build_tiny_project(tiny_config(coordination=section, ranking={"certificate": True}))
    protected = project.layers["protected_stations"].assign(rx_low_mhz=3400.0)
    points = project.places.geometry[project.places["place_id"].isin(["LC000", "GG004", "GG010"])]
    asked = {"demand_id": ["D0", "D1", "D2"], "band": ["n78", "n78", "n1"]}
    wanted = gpd.GeoDataFrame(
        {**asked, "operator": "电信", "priority": 1, "year": 2023},
        geometry=[Point(p.x, p.y) for p in points], crs=CRS,
    )  # fmt: skip
    traffic = gpd.GeoDataFrame({"network": ["电联"], "traffic_mbps": [1.0]}, geometry=[points.iloc[0]], crs=CRS)
    layers = {"protected_stations": protected, "demands": wanted, "traffic": traffic}
    return dataclasses.replace(project, layers={**project.layers, **layers})


@pytest.fixture(scope="module")
def result():
    return lc.run(city(), progress=False)


@pytest.fixture(scope="module")
def moved(result):
    table = result.plan.stations
    return table[table["mode"] == MODE].set_index("station_id")


def new_mw(project, ids):
    """Long-term and overload sums of some stations at the earth station, from the pairs of an evaluation."""
    found = evaluate(project)
    there = np.isin(project.stations["station_id"].to_numpy(object)[found.tx.row[found.pairs.tx]], list(ids))
    return found.levels.average_mw[there].sum(), found.levels.overload_mw[there].sum()


def test_only_the_other_band_fits_and_is_chosen(result, moved):
    without = lc.run(city(modes=False), progress=False)
    new = without.plan.stations.query("status == 'planned'")
    assert set(new["band"]) == {"n41", "n28", "n1"} and (new["mode"] == "").all()
    refused = without.plan.refused.query("rule == 'protection_budget'")
    assert len(moved) and set(moved.index) <= set(refused["station_id"])
    shares = [one.plan.phases["covered_weight_share"].iloc[-1] for one in (without, result)]
    assert shares[1] > shares[0] + 0.01


def test_out_of_the_scope_and_out_of_every_budget(result, moved):
    """Summed by hand: nothing from the moved ones; in the band planned they would break what is left by far."""
    last = result.budgets[result.budgets["phase_year"] == 2023].set_index("mechanism")
    room = 10 ** (0.1 * last.loc[["long_term", "overload"], "remaining_dbm"].to_numpy())
    new = result.plan.stations.query("status == 'planned'")["station_id"]
    assert new_mw(result.project, new) == (0.0, 0.0) and last["within"].all() and (last["added_dbm"] < -900).all()
    planned = np.array(new_mw(city(), moved.index))
    assert (planned > 10 * room).any(), "the check above can fail"
    assert not result.verdicts["station_id"].isin(moved.index).any()
    assert (moved["coordination"] == "outside").all() and moved["coordination_verified"].all()
    assert not result.tables["coordination_list"]["station_id"].isin(moved.index).any()


def test_the_tables_say_the_band(result, moved):
    stations = result.project.stations.set_index("station_id")
    assert (moved["band"] == "n1").all() and (stations.loc[moved.index, "band"] == "n1").all()
    assert (stations.loc[moved.index, "frequency_mhz"] == 2130.0).all()
    assert not moved["reasons"].str.contains("协调").any() and moved["reasons"].str.contains("其他频段").all()
    for place_id, mine in result.plan.stations.groupby("place_id"):
        bands = result.plan.places.set_index("place_id").loc[place_id, "bands"]
        assert sorted(bands.split("/")) == sorted(mine["band"])
    sectors = result.coverages[2023].sectors.drop_duplicates("station_id").set_index("station_id")["band"]
    assert sectors.to_dict() == result.plan.stations.set_index("station_id")["band"].to_dict()
    budgets = result.tables["link_budget"].query("network == '电联'")
    assert {("urban", "n78"), ("urban", "n1")} <= set(zip(budgets["morphology"], budgets["band"], strict=True))
    assert result.summary["modes"] == {MODE: len(moved)}
    band, table = rules.load("bands")["n1"], rules.load("capacity")
    kind = np.where(stations.loc[moved.index, "micro"], "micro", band["antenna"])
    each = band["bandwidth_mhz"] * np.array([table[one]["efficiency_bps_hz"] for one in kind])
    load = result.tables["station_load"].set_index("station_id").loc[moved.index, "capacity_mbps"]
    sectors = result.coverages[2023].sectors.groupby("station_id").size().loc[moved.index]
    assert load.to_numpy() == pytest.approx(sectors.to_numpy() * each * table["max_utilisation"]["value"])


def test_what_is_planned_is_what_a_cover_of_these_stations_says(result, moved):
    fresh = lc.cover(result.project, result.eligible)
    mine = positions(result.cover, moved.index, moved["mode"])
    for a, b in zip(mine, positions(fresh, moved.index), strict=True):
        one, two = (c.indices[c.indptr[k] : c.indptr[k + 1]] for c, k in ((result.cover, a), (fresh, b)))
        assert len(one) and np.array_equal(one, two)


def test_a_demand_for_n78_is_not_met_by_n1_in_silence(result, moved):
    fates = result.tables["demands"].set_index("demand_id")
    assert fates["fate"].tolist() == ["met_on_air", "met_other_band", "met"]
    assert fates["station_id"].tolist() == ["LC000-N2", "GG004-N2", "GG010-N2"]
    assert {"GG004-N2", "GG010-N2"} <= set(moved.index)
    assert result.summary["demands"] == {"met": 1, "met_on_air": 1, "met_other_band": 1}


def test_saved_opened_exported_and_verified(result, moved, tmp_path):
    opened = lc.open_result(lc.save(result, tmp_path / "r"))
    names = ["station_id", "band", "mode", "coordination"]
    pd.testing.assert_frame_equal(opened.plan.stations[names], result.plan.stations[names], check_dtype=False)
    assert opened.project.stations["band"].tolist() == result.project.stations["band"].tolist()
    again = lc.predict_coverage(opened.project, opened.plan, 2023)
    pd.testing.assert_frame_equal(again.statistics, result.coverages[2023].statistics)
    for one in (result, opened):
        assert lc.verify_plan(one).ok, lc.verify_plan(one).problems
    assert all(table.empty for name, table in lc.compare(result, opened).items() if name == "changes")
    lc.export(opened, tmp_path / "out", formats=["xlsx"])
    book = openpyxl.load_workbook(tmp_path / "out" / "plan.xlsx", read_only=True)
    rows = list(book["规划基站"].iter_rows(values_only=True))
    header = next(row for row in rows if row and "基站编号" in row)
    ident, mode, band = (header.index(name) for name in ("基站编号", "开通方式(空为按规划)", "频段"))
    shown = {row[ident]: (row[mode], row[band]) for row in rows if len(row) > ident and row[ident] in moved.index}
    assert set(shown) == set(moved.index) and set(shown.values()) == {("改用本运营商其他频段", "n1")}


def test_a_place_that_falls_through_is_replaced_within_the_budgets(result, moved):
    """Every substitute of a moved station is in its own other band, or planned outside the scope."""
    place = moved["place_id"].iloc[0]
    after = lc.replace(
        result.project, result.cover, result.plan, [place], eligible=result.eligible, verdicts=result.verdicts,
        resources=result.resources,
    )  # fmt: skip
    before = set(result.plan.stations["station_id"])
    new = after.stations[~after.stations["station_id"].isin(before)]
    assert len(new) == (result.plan.stations["place_id"] == place).sum() and place not in set(
        after.stations["place_id"]
    )
    assert (new.loc[new["network"] == "电联", "band"] == "n1").all() and (new["coordination"] == "outside").all()
    still = after.stations[after.stations["mode"] == MODE]
    assert (still["band"] == "n1").all() and (still["coordination"] == "outside").all()
    point = result.project.places.set_index("place_id").geometry[moved["place_id"].iloc[1]]
    found = lc.relocate(
        result.project, result.cover, result.plan, point.buffer(30.0), "2024-01-01", resources=result.resources
    )
    assert moved.index[1] in set(found["relocation_affected"]["station_id"])
