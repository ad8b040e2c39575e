"""先建后拆: loss, ranked replacements, dates."""

import dataclasses

import geopandas as gpd
import numpy as np
import pytest
from shapely import Point, Polygon, box

from lcsiting.config import Floor, Quota
from lcsiting.errors import LayerError
from lcsiting.siting import mode_cover, phases, relocation


@pytest.fixture(scope="module")
def plan(tiny_project, cover, eligible, verdicts):
    return phases.rank(tiny_project, cover, eligible, verdicts, threads=1)


@pytest.fixture(scope="module")
def site(tiny_project):
    """A demolition around the existing place LC000 (both networks on air)."""
    places = tiny_project.places.set_index("place_id").geometry
    return places["LC000"].buffer(200)


@pytest.fixture(scope="module")
def told(tiny_project, cover, plan, site):
    return relocation.relocate(tiny_project, cover, plan, site, "2021-06-30")


def rows_of(cover, station):
    k = cover.station_ids.tolist().index(station)
    return set(cover.indices[cover.indptr[k] : cover.indptr[k + 1]].tolist())


def weight_of(cover, stations):
    return int(cover.row_weight[sorted(set().union(*(rows_of(cover, s) for s in stations)))].sum())


def in_service(plan, year):
    table = plan.stations
    return table.loc[(table["status"] == "on_air") | (table["phase_year"] <= year), "station_id"].tolist()


def lost_rows(cover, plan, affected, year=2020):
    there = in_service(plan, year)
    stay = set().union(*(rows_of(cover, s) for s in there if s not in affected))
    return set().union(*(rows_of(cover, s) for s in affected)) - stay


def test_nobody_inside_the_demolition_is_a_candidate(tiny_project, cover, plan):
    """A wide one takes unused places with it, some of which would restore most."""
    wide = tiny_project.places.set_index("place_id").geometry["LC000"].buffer(1500)
    told = relocation.relocate(tiny_project, cover, plan, wide, "2021-06-30")
    places = tiny_project.places.set_index("place_id").geometry
    affected = told["relocation_affected"].query("status == 'on_air' or on_date <= '2021-06-30'")["station_id"].tolist()
    lost, used = lost_rows(cover, plan, affected), set(plan.stations["station_id"])
    inside = [s for s in cover.station_ids if s not in used and places[s[:5]].intersects(wide)]
    assert any(rows_of(cover, s) & lost for s in inside)
    assert len(told["relocation_candidates"])
    assert not places[told["relocation_candidates"]["place_id"]].intersects(wide).any()


def test_the_loss_is_what_only_the_affected_stations_served(cover, plan, told):
    affected = told["relocation_affected"]
    assert set(affected["place_id"]) >= {"LC000"} and set(affected["off_date"]) == {"2021-06-30"}
    lost = lost_rows(
        cover, plan, affected.query("status == 'on_air' or on_date <= '2021-06-30'")["station_id"].tolist()
    )
    n = len(cover.cells)
    people = np.rint(cover.cells["people"].to_numpy() * 100) / 100
    outdoors = [row % n for row in lost if (row // n) % 2 == 0]
    loss = told["relocation_loss"]
    assert loss["lost_weight"].sum() == pytest.approx(cover.row_weight[sorted(lost)].sum() / 100)
    assert loss["lost_people"].sum() == pytest.approx(people[outdoors].sum())
    assert loss["lost_area_km2"].sum() == pytest.approx(0.01 * len(outdoors))
    assert set(loss["county"]) <= {"东昌府区", "茌平区"}


def test_candidates_come_in_the_order_of_what_they_restore(tiny_project, cover, plan, told, site):
    """Brute force of the greedy order on the lost rows."""
    affected = told["relocation_affected"].query("status == 'on_air' or on_date <= '2021-06-30'")["station_id"].tolist()
    lost, there = lost_rows(cover, plan, affected), set(in_service(plan, 2020))
    places = tiny_project.places.set_index("place_id").geometry
    outside = [s for s in cover.station_ids if s not in there and not places[s[:5]].intersects(site)]
    whole = cover.row_weight[sorted(lost)].sum()
    restored = 0
    for row in told["relocation_candidates"].itertuples():
        gains = {s: cover.row_weight[sorted(lost & rows_of(cover, s))].sum() for s in outside}
        assert gains[row.station_id] == max(gains.values()) > 0
        assert row.restored_weight == pytest.approx(gains[row.station_id] / 100)
        restored += gains[row.station_id]
        assert row.restored_share == pytest.approx(restored / whole)
        lost -= rows_of(cover, row.station_id)
    assert told["relocation_candidates"]["distance_m"].gt(0).all()


def test_the_plan_alone_does_not_build_in_time(told):
    """Candidates without a date, or of a later phase, fail the check; so does the coverage."""
    check = told["relocation_check"]
    assert not check["passed"].any() and check["check"].iloc[-1] == "拆除前覆盖恢复比例"
    assert not check["verified"].iloc[-1]


def test_a_replacement_built_first_passes_and_one_day_late_fails(tiny_project, cover, plan, told, site):
    candidates = told["relocation_candidates"]
    names = candidates["station_id"].tolist()

    def checked(date):
        dates = {**dict.fromkeys(names, "2021-03-01"), names[0]: date}
        return relocation.relocate(tiny_project, cover, plan, site, "2021-06-30", replacements=dates)

    good, late = checked("2021-06-30")["relocation_check"], checked("2021-07-01")["relocation_check"]
    assert good["passed"].iloc[:-1].all() and late["passed"].iloc[:-1].sum() == len(names) - 1
    assert good["value"].iloc[-1] == f"{candidates['restored_share'].iloc[-1]:.1%}"
    share = [float(table["value"].iloc[-1].rstrip("%")) for table in (good, late)]
    assert share[1] < share[0]


def test_a_station_planned_for_later_is_listed_and_loses_nothing_yet(tiny_project, cover, plan):
    station = plan.stations[plan.stations["phase_year"] == 2023].iloc[0]
    around = Point(station["x_m"], station["y_m"]).buffer(10)
    found = relocation.relocate(tiny_project, cover, plan, around, "2021-06-30")
    mine = found["relocation_affected"].set_index("station_id").loc[station["station_id"]]
    assert (mine["on_date"], mine["lost_weight"]) == ("2023-12-31", 0.0)
    sooner = relocation.relocate(
        tiny_project, cover, plan, around, "2021-06-30", on_dates={station["station_id"]: "2021-01-01"}
    )
    assert sooner["relocation_loss"]["lost_weight"].sum() > 0


def test_a_layer_in_degrees_is_the_same_polygon(tiny_project, cover, plan, told, site):
    layer = gpd.GeoDataFrame(geometry=[site], crs=tiny_project.config.project.crs).to_crs("EPSG:4490")
    again = relocation.relocate(tiny_project, cover, plan, layer, "2021-06-30")
    assert again["relocation_affected"].equals(told["relocation_affected"])


def test_what_makes_no_sense_is_refused(tiny_project, cover, plan, site):
    with pytest.raises(LayerError, match="empty"):
        relocation.relocate(tiny_project, cover, plan, Polygon(), "2021-06-30")
    with pytest.raises(LayerError, match="no CRS"):
        relocation.relocate(tiny_project, cover, plan, gpd.GeoSeries([site]), "2021-06-30")
    with pytest.raises(LayerError, match="not eligible"):
        relocation.relocate(tiny_project, cover, plan, site, "2021-06-30", replacements={"X": "2021-01-01"})
    with pytest.raises(LayerError, match="inside the demolition"):
        relocation.relocate(tiny_project, cover, plan, site, "2021-06-30", replacements={"LC000-N1": "2021-01-01"})
    nowhere = relocation.relocate(tiny_project, cover, plan, box(0, 0, 1, 1), "2021-06-30")
    assert nowhere["relocation_affected"].empty and nowhere["relocation_check"]["passed"].all()


def test_candidates_that_would_break_a_budget_or_a_quota_are_left_out(tiny_project, cover, plan, site, told):
    free = told["relocation_candidates"]
    chosen = set(plan.stations["station_id"])
    first = next(s for s in free["station_id"] if s not in chosen)
    n = len(cover.station_ids)
    loads = np.where(cover.station_ids == first, 5.0, 0.0)
    resources = (np.arange(n + 1), np.zeros(n, np.int64), loads), np.full((2, 1), 4.0)
    held = relocation.relocate(tiny_project, cover, plan, site, "2021-06-30", resources=resources)
    assert first not in set(held["relocation_candidates"]["station_id"])
    rule = held["relocation_check"].set_index("check").loc["协调预算、区县数量与造价约束"]
    assert rule["passed"] and rule["value"] == "未突破"
    given = relocation.relocate(
        tiny_project, cover, plan, site, "2021-06-30", resources=resources, replacements={first: "2021-05-01"}
    )
    rule = given["relocation_check"].set_index("check").loc["协调预算、区县数量与造价约束"]
    assert not rule["passed"] and rule["value"] == first
    assert "协调预算、区县数量与造价约束" not in set(told["relocation_check"]["check"])
    west = plan.stations.query("county == '东昌府区'")
    quota = Quota(county="东昌府区", max=int((west["phase_year"] <= 2020).sum()) - len(told["relocation_affected"]))
    config = tiny_project.config.model_copy(update={"quotas": [quota]})
    project = dataclasses.replace(tiny_project, config=config)
    kept = relocation.relocate(project, cover, plan, site, "2021-06-30")["relocation_candidates"]
    new = kept[~kept["station_id"].isin(chosen)]
    home = project.places.set_index("place_id")["county"]
    assert (home[new["place_id"]] != "东昌府区").all()
    assert (home[free.loc[~free["station_id"].isin(chosen), "place_id"]] == "东昌府区").any()


def test_floors_that_hold_are_checked_with_the_replacements(tiny_project, cover, plan, site, told):
    """A floor at what the plan covers falls with the site; with a replacement that restores all of it, it holds."""
    until = plan.stations["phase_year"] <= 2023
    whole = cover.row_weight.sum()
    share = weight_of(cover, plan.stations.loc[until, "station_id"]) / whole
    config = tiny_project.config.model_copy(update={"floors": [Floor(share=share - 1e-9, by=2023)]})
    project = dataclasses.replace(tiny_project, config=config)
    candidates = told["relocation_candidates"]["station_id"]

    def floor_row(chosen):
        dates = dict.fromkeys(chosen, "2021-05-01")
        checked = relocation.relocate(project, cover, plan, site, "2021-06-30", replacements=dates)["relocation_check"]
        gone = set(told["relocation_affected"]["station_id"])
        left = weight_of(cover, [*(set(plan.stations["station_id"]) - gone), *chosen])
        holds = left >= np.ceil((share - 1e-9) * whole)
        row = checked.set_index("check").loc["覆盖底线"]
        assert row["passed"] == holds and (holds or row["value"] == "2023年全市")
        return bool(row["passed"])

    new = candidates[~candidates.isin(set(plan.stations["station_id"]))].tolist()
    assert not floor_row([]) and len({floor_row(new[:k]) for k in range(len(new) + 1)}) == 2
    assert "覆盖底线" not in set(told["relocation_check"]["check"])


def test_a_station_planned_in_a_mode_comes_forward_in_it(tiny_project, cover, plan):
    """Its own rows restore, its own load counts, and it counts once in the years it was planned for anyway."""
    n, stations = len(cover.station_ids), plan.stations
    later = stations["phase_year"] == 2023
    rows = [cover.indices[cover.indptr[i] : cover.indptr[i + 1]] for i in range(n)]
    half = [some[::2] for some in rows]
    wide = dataclasses.replace(
        cover,
        station_ids=np.tile(cover.station_ids, 2),
        station_rows=np.tile(cover.station_rows, 2),
        indptr=np.concatenate([[0], np.cumsum([len(some) for some in [*rows, *half]])]).astype(np.int64),
        indices=np.concatenate([*rows, *half]).astype(np.int32),
        modes=np.repeat(np.array(["as_planned", "site_tilt"], object), n),
    )
    many = mode_cover.some_items(wide, np.argsort(np.tile(np.arange(n), 2), kind="stable"))
    tilted = dataclasses.replace(plan, stations=stations.assign(mode=np.where(later, "site_tilt", "")))
    new = ~tiny_project.stations["on_air"].to_numpy(bool)[many.station_rows]
    planned = np.isin(many.station_ids, stations.loc[stations["phase_year"] > 0, "station_id"])
    loads = np.where(new, np.where(planned & (many.modes == "site_tilt"), 1.0, 100.0), 0.0)
    loads[np.isin(many.station_ids, stations.loc[stations["phase_year"] == 2020, "station_id"])] = 0.0
    limits = np.full((2, 1), float(later.sum()))
    resources = (np.arange(2 * n + 1), np.zeros(2 * n, np.int32), loads), limits
    turn = {station: k for k, station in enumerate(cover.station_ids)}
    theirs = set(np.concatenate([half[turn[station]] for station in stations.loc[later, "station_id"]]).tolist())
    for point in dict.fromkeys(stations.geometry[~later]):
        site = point.buffer(10)
        affected = stations.loc[stations.geometry.intersects(site) & ~later, "station_id"]
        if (lost := lost_rows(cover, tilted, set(affected))) & theirs:
            break
    found = relocation.relocate(tiny_project, many, tilted, site, "2021-06-30", resources=resources)
    table = found["relocation_candidates"].set_index("station_id")
    assert len(table) and (table["planned_year"] == 2023).all(), "any other would break the budget"
    first = table.index[0]
    mine = set(half[turn[first]].tolist())
    assert table["restored_weight"].iloc[0] == pytest.approx(cover.row_weight[sorted(lost & mine)].sum() / 100)
    check = found["relocation_check"].set_index("check")
    assert check.loc["协调预算、区县数量与造价约束", "passed"]
    # Given by name they are looked at in the same mode.
    dates = dict.fromkeys(table.index, "2021-03-01")
    again = relocation.relocate(
        tiny_project, many, tilted, site, "2021-06-30", replacements=dates, resources=resources
    )["relocation_check"].set_index("check")
    assert again.loc["协调预算、区县数量与造价约束", "passed"]
    assert again.loc["拆除前覆盖恢复比例", "value"] == f"{table['restored_share'].iloc[-1]:.1%}"
