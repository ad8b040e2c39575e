"""Busy-hour load by hand, and demand where stations are full."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import Point

from lcsiting import schema
from lcsiting.config import Floor
from lcsiting.errors import LayerError
from lcsiting.siting import cellmap, limits, phases, traffic
from lcsiting.siting.items import make_items


def with_traffic(project, rows):
    columns = [*schema.layer("traffic").columns, "geometry"]
    frame = gpd.GeoDataFrame(pd.DataFrame(rows, columns=columns), geometry="geometry", crs=project.config.project.crs)
    return dataclasses.replace(project, layers={**project.layers, "traffic": frame})


@pytest.fixture(scope="module")
def plan(tiny_project, cover, eligible, verdicts):
    return phases.rank(tiny_project, cover, eligible, verdicts, threads=1)


@pytest.fixture(scope="module")
def hot(cover, plan):
    """A cell two stations of the plan serve outdoors in the first network, and others could, one of them also indoors.

    Its number, its point, the servers.
    """
    n = len(cover.cells)
    serving = np.zeros(len(cover.row_weight), int)
    for i in cellmap.plan_order(cover, plan):
        serving[cover.indices[cover.indptr[i] : cover.indptr[i + 1]]] += 1
    able = np.bincount(cover.indices, minlength=4 * n) - serving
    k = int(np.flatnonzero((serving[:n] == 2) & (able[:n] > 0) & (able[n : 2 * n] > 0))[0])
    order = cellmap.plan_order(cover, plan)
    servers = [cover.station_ids[i] for i in order if k in cover.indices[cover.indptr[i] : cover.indptr[i + 1]]]
    return k, Point(cover.cells["x_m"].iloc[k], cover.cells["y_m"].iloc[k]), servers


def test_without_the_layer_there_is_no_load(tiny_project, cover, plan):
    assert traffic.station_load(tiny_project, cover, plan) is None


def test_traffic_is_shared_by_the_stations_that_serve_the_cell(tiny_project, cover, plan, hot):
    project = with_traffic(tiny_project, [dict(traffic_mbps=900.0, network="移动广电", geometry=hot[1])])
    load = traffic.station_load(project, cover, plan)
    busy = load.stations[load.stations["load_mbps"] > 0]
    assert set(busy["station_id"]) == set(hot[2]) and busy["load_mbps"].tolist() == [450.0, 450.0]
    assert load.unserved_mbps == 0


def test_capacity_is_sectors_times_bandwidth_times_efficiency(tiny_project, cover, plan, hot):
    stations = tiny_project.stations
    macro = np.flatnonzero((stations["band"] == "n41") & ~stations["micro"])[:1]
    micro = np.flatnonzero((stations["band"] == "n78") & stations["micro"])[:1]
    rural = np.flatnonzero((stations["band"] == "n28") & ~stations["micro"])[:1]
    # 3 x 100 MHz x 0.75 x 7 x 0.7; 1 x 100 x 0.75 x 3 x 0.7; 3 x 30 x 1 x 2.5 x 0.7
    assert traffic.usable_mbps(tiny_project, macro)[0] == pytest.approx(1102.5)
    assert traffic.usable_mbps(tiny_project, micro)[0] == pytest.approx(157.5)
    assert traffic.usable_mbps(tiny_project, rural)[0] == pytest.approx(157.5)


def test_unnamed_traffic_is_split_and_a_strange_network_refused(tiny_project, cover, hot):
    project = with_traffic(tiny_project, [dict(traffic_mbps=10.0, geometry=hot[1])])
    offered = traffic.cell_traffic(project, cover)
    assert offered[:, hot[0]].tolist() == [5.0, 5.0] and offered.sum() == 10.0
    with pytest.raises(LayerError, match="小灵通"):
        traffic.cell_traffic(
            with_traffic(tiny_project, [dict(traffic_mbps=1, network="小灵通", geometry=hot[1])]), cover
        )


def test_full_stations_leave_an_excess_and_the_next_plan_relieves_them(
    tiny_project, cover, plan, eligible, verdicts, hot
):
    project = with_traffic(tiny_project, [dict(traffic_mbps=20_000.0, network="移动广电", geometry=hot[1])])
    load = traffic.station_load(project, cover, plan)
    full = load.stations.query("full")
    assert set(full["station_id"]) == set(hot[2])
    assert full["excess_mbps"].tolist() == pytest.approx((10_000 - full["capacity_mbps"]).tolist())
    assert load.excess_mbps[0, hot[0]] == pytest.approx(full["excess_mbps"].sum()) and load.excess_mbps[1].sum() == 0

    wider_project, wider = traffic.with_capacity_demand(project, cover, load)
    n = len(cover.cells)
    assert wider.services[-2:] == ("capacity", "carried")
    added = wider.row_weight.reshape(2, 4, n)[:, 2:]
    people_per_mbps = cover.cells["people"].sum() / 20_000
    assert added[0, 0, hot[0]] == pytest.approx(100 * people_per_mbps * full["excess_mbps"].sum(), abs=1)
    assert added[0, 1].sum() == pytest.approx(100 * people_per_mbps * full["capacity_mbps"].sum(), abs=2)
    assert added[0, 0].sum() == added[0, 0, hot[0]] and not added[1].any()
    owner = np.repeat(wider.station_ids, np.diff(wider.indptr))
    able = set(owner[wider.indices == 2 * n + hot[0]])
    near = set(np.repeat(cover.station_ids, np.diff(cover.indptr))[cover.indices == hot[0]])
    assert able == near - set(hot[2])
    assert set(owner[(wider.indices // n) == 3]) == set(hot[2]), "what they carry only they carry"
    for k, station in enumerate(cover.station_ids):  # the rows of before are all there, in order
        mine = wider.indices[wider.indptr[k] : wider.indptr[k + 1]]
        assert (np.diff(mine) > 0).all()
        assert len(mine) == cover.indptr[k + 1] - cover.indptr[k] + (station in able) + (station in hot[2])

    again = traffic.with_added_rows(cover, traffic.added_rows(wider))
    assert traffic.added_rows(cover) is None and again.services == wider.services
    for name in ("indptr", "indices", "row_weight"):
        np.testing.assert_array_equal(getattr(again, name), getattr(wider, name))

    everywhere = Floor(share=0.5, by=2020)  # a floor without a service counts coverage, not what is added here
    asked = dataclasses.replace(wider_project, config=wider_project.config.model_copy(update={"floors": [everywhere]}))
    rows = limits.make_limits(asked, wider, make_items(asked, wider)).floor_rows[0].reshape(2, 4, n)
    assert rows[:, :2].all() and not rows[:, 2:].any()

    again = phases.rank(wider_project, wider, eligible, verdicts, threads=1)
    assert (set(again.stations["station_id"]) - set(plan.stations["station_id"])) & able
    relieved = traffic.station_load(project, cover, again)
    assert relieved.stations["excess_mbps"].sum() < load.stations["excess_mbps"].sum()


def test_a_full_station_counts_in_the_mode_it_has_and_is_no_relief_for_itself(
    tiny_project, cover, plan, eligible, verdicts, hot
):
    """Every station twice: where the plan takes the second item of a full station, that one carries its load."""
    n, cells = len(cover.station_rows), len(cover.cells)
    twice = dataclasses.replace(
        cover,
        station_ids=np.tile(cover.station_ids, 2),
        station_rows=np.tile(cover.station_rows, 2),
        indptr=np.concatenate([cover.indptr, cover.indptr[-1] + cover.indptr[1:]]),
        indices=np.tile(cover.indices, 2),
        modes=np.repeat(np.array(["as_planned", "site_tilt"], object), n),
    )
    tilted = dataclasses.replace(plan, stations=plan.stations.assign(mode="site_tilt"))
    project = with_traffic(tiny_project, [dict(traffic_mbps=20_000.0, network="移动广电", geometry=hot[1])])
    load = traffic.station_load(project, twice, tilted)
    _, wider = traffic.with_capacity_demand(project, twice, load)
    item = np.repeat(np.arange(2 * n), np.diff(wider.indptr))
    carried, relief = item[wider.indices // cells == 3], item[wider.indices // cells == 2]
    assert set(wider.station_ids[carried]) == set(hot[2]) and (carried >= n).all()
    assert len(relief) and not set(wider.station_ids[relief]) & set(hot[2])
