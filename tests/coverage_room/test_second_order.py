"""Second-order score and refinement, against pictures made by hand and searches done the plain way."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_coverage import plan_of
from tiny_city import CRS, build_tiny_project, tiny_config

from lcsiting import schema
from lcsiting.coverage.antennas import with_settings
from lcsiting.coverage.block import network_job
from lcsiting.coverage.coverage import on_air_rows, predict_coverage
from lcsiting.coverage.refine import refine
from lcsiting.coverage.refine_window import Ground, keeps_cover, station_window, subset
from lcsiting.coverage.second_order import station_quality, worst_stations
from lcsiting.coverage.sectors import build_sectors, noise_dbm, radio_values, thresholds_dbm
from lcsiting.coverage.statistical import best_server
from lcsiting.errors import LayerError, RangeError
from lcsiting.inputs import derive
from lcsiting.model import Coverage, Raster

NOTHING = np.nan


def picture(project, best, sinr, overlap, outdoor, rsrp=None):
    """A coverage whose first rows of pixels of the first network are given; the rest is empty."""
    grid = project.grid
    ids = project.stations.loc[project.stations["network_index"] == 0, "station_id"].head(3).to_list()
    arrays = {
        "best_sector": (best, -1, np.int32),
        "sinr_db": (sinr, NOTHING, np.float32),
        "overlap": (overlap, 0, np.uint8),
        "outdoor": (outdoor, 0, np.uint8),
        "rsrp_dbm": (sinr if rsrp is None else rsrp, NOTHING, np.float32),
    }
    layers = {}
    for name, (values, fill, dtype) in arrays.items():
        array = np.full((grid.rows, grid.cols), fill, dtype)
        array[0, : len(values)] = values
        layers[name] = Raster(grid, array=array)
    network = project.config.networks[0].name
    sectors = pd.DataFrame({"station_id": [ids[0], ids[0], ids[1], ids[2]], "network": network, "band": "n41"})
    sectors = sectors.assign(azimuth_deg=0.0, tilt_deg=5.0)
    return ids, Coverage(2023, {network: layers}, sectors, pd.DataFrame(), pd.DataFrame())


def test_figures_and_flags_by_hand(tiny_project):
    people = np.zeros_like(tiny_project.population.array)
    people[0, :8] = [1, 2, 4, 8, 16, 32, 64, 128]
    project = replace(tiny_project, population=replace(tiny_project.population, array=people))
    # station 0 has sectors 0 and 1, station 1 sector 2, station 2 sector 3, which serves nothing outdoors
    ids, coverage = picture(
        project,
        best=[0, 1, 1, 0, 2, 2, 2, 3],
        sinr=[5.0, -3.0, -3.5, 9.0, -1.0, 2.0, -20.0, 30.0],
        overlap=[1, 2, 3, 3, 4, 1, 4, 4],
        outdoor=[1, 1, 1, 1, 1, 1, 0, 0],
    )
    table = station_quality(project, None, coverage).set_index("station_id")
    pixel_km2 = (project.grid.resolution_m / 1000) ** 2
    assert table.loc[ids, "served_km2"].tolist() == [4 * pixel_km2, 2 * pixel_km2, 0.0]
    assert table.loc[ids, "served_people"].tolist() == [15.0, 48.0, 0.0]
    assert table.loc[ids, "sectors"].tolist() == [2, 1, 1]
    np.testing.assert_allclose(table.loc[ids, "median_sinr_db"], [1.0, 0.5, np.nan])  # of -3.5 -3 5 9, of -1 2
    np.testing.assert_allclose(table.loc[ids, "low_sinr_share"], [0.25, 0.0, np.nan])  # -3.0 itself is enough
    assert table.loc[ids, "low_sinr_people"].tolist() == [4.0, 0.0, 0.0]
    np.testing.assert_allclose(table.loc[ids, "overlap_share"], [0.0, 0.5, np.nan])
    assert table.loc[ids, "quality_flag"].tolist() == ["low_sinr", "pilot_pollution", "serves_nothing"]


def test_a_station_can_have_both_flags_or_none(tiny_project):
    ids, coverage = picture(tiny_project, [0, 2, 2], [-9.0, 8.0, 9.0], [4, 1, 3], [1, 1, 1])
    flags = station_quality(tiny_project, None, coverage).set_index("station_id")["quality_flag"]
    assert flags[ids[0]] == "low_sinr_pilot_pollution"
    assert flags[ids[1]] == ""
    assert schema.value_label(flags[ids[0]]) == "SINR偏低、导频污染"
    assert schema.value_label(flags[ids[2]], "en") == "Serves nothing"


def test_pollution_needs_many_sectors_a_good_level_and_a_bad_sinr(tiny_project):
    """One pixel of ten short of one condition each; the rest meet all three exactly or nearly."""
    n = 10
    sinr, overlap, rsrp = np.full(n, -0.01), np.full(n, 4), np.full(n, -95.0)
    sinr[0], overlap[1], rsrp[2] = 0.0, 3, -95.01
    _, coverage = picture(tiny_project, np.full(n, 2), sinr, overlap, np.ones(n), rsrp)
    row = station_quality(tiny_project, None, coverage).set_index("quality_flag").loc["pilot_pollution"]
    assert row["overlap_share"] == pytest.approx(0.7) and row["low_sinr_share"] == 0.0


def test_a_threshold_the_layer_cannot_show_is_refused(tiny_project, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "second_order.toml").write_text("[overlap_sectors]\nvalue = 5\n", encoding="utf-8")
    _, coverage = picture(tiny_project, [0], [1.0], [1], [1])
    with pytest.raises(RangeError, match="overlap_sectors 5 must be 1 to 4"):
        station_quality(replace(tiny_project, root=tmp_path), None, coverage)


@pytest.fixture(scope="module")
def plan(tiny_project):
    air = np.flatnonzero(tiny_project.stations["on_air"])
    new = np.setdiff1d(np.arange(len(tiny_project.stations)), air)
    return plan_of(tiny_project, np.concatenate([air, new]), np.concatenate([np.zeros(len(air), int), 2023 + 0 * new]))


@pytest.fixture(scope="module")
def coverage(tiny_project, plan):
    return predict_coverage(tiny_project, plan, 2023)


def test_quality_of_a_city_equals_a_loop_over_stations(tiny_project, plan, coverage):
    table = station_quality(tiny_project, plan, coverage)
    assert list(table.columns) == list(schema.table("station_quality").columns)
    on_air = tiny_project.stations["station_id"].iloc[on_air_rows(tiny_project, plan, 2023)]
    assert table["station_id"].tolist() == [name for name in plan.stations["station_id"] if name in set(on_air)]
    people = tiny_project.population.array
    for row in table.itertuples():
        layers = {name: layer.array for name, layer in coverage.layers[row.network].items()}
        numbers = np.flatnonzero(coverage.sectors["station_id"] == row.station_id)
        mine = np.isin(layers["best_sector"], numbers) & (layers["outdoor"] == 1)
        sinr = layers["sinr_db"][mine].astype(float)
        assert row.served_km2 == pytest.approx(mine.sum() * 0.05**2)
        assert row.served_people == pytest.approx(people[mine].astype(float).sum())
        if mine.any():
            assert row.median_sinr_db == pytest.approx(np.median(sinr), abs=1e-6)
            assert row.median_rsrp_dbm == pytest.approx(np.median(layers["rsrp_dbm"][mine].astype(float)), abs=1e-6)
            assert row.low_sinr_share == pytest.approx((sinr < -3).mean())
            polluted = (layers["overlap"][mine] >= 4) & (layers["rsrp_dbm"][mine] >= -95) & (sinr < 0)
            assert row.overlap_share == pytest.approx(polluted.mean())


class City:
    """Every pixel of one network computed at once, antennas by band as arrays: the plain way to judge a change."""

    def __init__(self, project, plan, network):
        self.project, self.radio = project, radio_values(project)
        rows = on_air_rows(project, plan, 2023)
        stations = project.stations.iloc[rows]
        mine = (stations["network"] == network).to_numpy()
        self.bands = {
            band: build_sectors(project, rows[mine & (stations["band"] == band).to_numpy()])
            for band in sorted(set(stations.loc[mine, "band"]))
        }
        self.need = {band: thresholds_dbm(project, s).astype(np.float32) for band, s in self.bands.items()}
        self.morphology = derive.morphology_codes(project.clutter.array, project.root)
        self.people = np.rint(project.population.array.astype(float) * 2**20).astype(np.int64)
        self.inside = np.ones(self.people.shape, bool)  # the tiny city fills its grid

    def counts(self):
        """By service: people (integers) covered, covered with SINR >= 0 dB, pixels covered."""
        level = np.full(self.people.shape, -np.inf, np.float32)
        sinr = np.full(self.people.shape, -np.inf, np.float32)
        served = np.zeros((len(self.project.config.services), *self.people.shape), bool)
        for band, sectors in self.bands.items():
            one = best_server(
                sectors, self.project.grid, noise_dbm=noise_dbm(self.project, band),
                load=self.radio["network_load"], window_db=self.radio["overlap_window_db"],
            )  # fmt: skip
            got = one.best_sector >= 0
            klass = np.repeat(sectors.klass, np.diff(sectors.first))[one.best_sector]
            for s in range(len(served)):
                served[s] |= got & (one.rsrp_dbm >= self.need[band][klass, self.morphology, s])
            stronger = got & (one.rsrp_dbm > level)
            level, sinr = np.where(stronger, one.rsrp_dbm, level), np.where(stronger, one.sinr_db, sinr)
        return [
            (int(self.people[one].sum()), int(self.people[one & (sinr >= 0)].sum()), int((one & self.inside).sum()))
            for one in served
        ]

    def judged(self):
        """People and pixels covered by each service, none of which may fall; weight with good SINR."""
        counts = self.counts()
        weights = [round(service.weight * 2**10) for service in self.project.config.services]
        good = sum(w * row[1] for w, row in zip(weights, counts, strict=True))
        return np.array([(row[0], row[2]) for row in counts]), good

    def sector(self, station_id, number):
        """Band and position of sector ``number`` (from 1) of a station."""
        for band, sectors in self.bands.items():
            names = self.project.stations["station_id"].to_numpy()[sectors.station_rows]
            for i in np.flatnonzero(names == station_id):
                return band, int(sectors.first[i]) + number - 1
        raise KeyError(station_id)


@pytest.fixture(scope="module")
def chosen(tiny_project, plan, coverage):
    """The two stations of the first network with the lowest SINR (no micro: they have one sector)."""
    table = station_quality(tiny_project, plan, coverage)
    mine = table[(table["network"] == tiny_project.config.networks[0].name) & (table["sectors"] == 3)]
    return mine.nsmallest(2, "median_sinr_db")["station_id"].tolist()


@pytest.fixture(scope="module")
def found(tiny_project, plan, chosen):
    return refine(tiny_project, plan, 2023, station_ids=chosen)


def test_the_search_is_the_one_over_the_whole_city(tiny_project, plan, chosen):
    """Coordinate by coordinate, two directions each, every trial judged on all pixels of the city."""
    city = City(tiny_project, plan, tiny_project.config.networks[0].name)
    cover, good = city.judged()
    start, expected = good, {}
    for _ in range(2):
        for name in chosen:
            for number in (1, 2, 3):
                band, m = city.sector(name, number)
                for kind, step in (("tilt_deg", 3.0), ("azimuth_deg", 15.0)):
                    values = getattr(city.bands[band], kind)
                    recorded = expected.setdefault((name, number, kind), [values[m], values[m]])[0]
                    best = (good, cover, values[m])
                    for option in (values[m] - step, values[m] + step):
                        if kind == "tilt_deg" and not min(2.0, recorded) <= option <= max(12.0, recorded):
                            continue
                        if kind == "azimuth_deg" and abs((option - recorded + 180) % 360 - 180) > 30.0:
                            continue
                        values[m] = option % 360.0 if kind == "azimuth_deg" else option
                        new_cover, new_good = city.judged()
                        if new_good > best[0] and (new_cover >= cover).all():
                            best = (new_good, new_cover, values[m])
                    good, cover, values[m] = best
                    expected[name, number, kind][1] = best[2]
    got = refine(tiny_project, plan, 2023, station_ids=chosen, steps_deg={"tilt": [3.0], "azimuth": [15.0]})
    assert good > start  # the case is one where the search finds something
    assert got.gain == (good - start) / 2**30
    rows = got.changes.set_index(["station_id", "sector"])
    moved = {(name, number) for (name, number, _), (old, new) in expected.items() if old != new}
    assert set(rows.index) == moved
    for name, number in moved:
        for kind in ("tilt_deg", "azimuth_deg"):
            assert rows.loc[(name, number), kind] == expected[name, number, kind][1]


def test_never_worse_on_the_whole_city_with_the_changes_entered(tiny_project, plan, found):
    city = City(tiny_project, plan, tiny_project.config.networks[0].name)
    cover, good = city.judged()
    before = city.counts()
    for row in found.changes.itertuples():
        band, m = city.sector(row.station_id, row.sector)
        assert city.bands[band].azimuth_deg[m] == row.azimuth_before_deg
        assert city.bands[band].tilt_deg[m] == row.tilt_before_deg
        city.bands[band].azimuth_deg[m], city.bands[band].tilt_deg[m] = row.azimuth_deg, row.tilt_deg
    new_cover, new_good = city.judged()
    assert (new_cover >= cover).all()
    assert new_good > good
    assert found.gain == (new_good - good) / 2**30 == found.changes["gain_weight"].sum()
    table = found.services[found.services["network"] == tiny_project.config.networks[0].name]
    for row, old, new in zip(table.itertuples(), before, city.counts(), strict=True):
        assert (row.people_before, row.good_people_before) == (old[0] / 2**20, old[1] / 2**20)
        assert (row.people, row.good_people) == (new[0] / 2**20, new[1] / 2**20)
        assert (row.km2_before, row.km2) == pytest.approx((old[2] / 400, new[2] / 400))
    other = found.services[found.services["network"] != tiny_project.config.networks[0].name]
    assert (other["good_people"] == other["good_people_before"]).all()


def test_changes_stay_within_the_limits(found):
    turn = (found.changes["azimuth_deg"] - found.changes["azimuth_before_deg"] + 180) % 360 - 180
    assert turn.abs().max() <= 30.0
    assert found.changes["tilt_deg"].between(2.0, 12.0).all()
    assert (found.changes["gain_weight"] > 0).all()


def test_same_result_whatever_the_threads_and_however_often(tiny_project, plan, chosen, found):
    again = refine(tiny_project, plan, 2023, station_ids=chosen, threads=1)
    pd.testing.assert_frame_equal(again.changes, found.changes, check_exact=True)
    pd.testing.assert_frame_equal(again.services, found.services, check_exact=True)
    assert again.gain == found.gain


def test_without_a_list_the_worst_are_taken(tiny_project, plan, coverage):
    worst = worst_stations(station_quality(tiny_project, plan, coverage), 1)
    assert worst
    got = refine(tiny_project, plan, 2023, count=1, coverage=coverage, steps_deg={"tilt": [], "azimuth": []})
    assert got.stations == worst
    assert got.changes.empty and got.gain == 0.0
    assert list(got.changes.columns) == list(schema.table("refined_sectors").columns)


def test_the_worst_are_those_with_most_people_in_low_sinr():
    table = pd.DataFrame(
        {
            "station_id": list("abcde"),
            "quality_flag": ["", "low_sinr", "low_sinr", "pilot_pollution", "serves_nothing"],
            "low_sinr_people": [999.0, 5.0, 50.0, 0.0, 0.0],
            "overlap_share": [0.0, 0.0, 0.0, 0.4, np.nan],
        }
    )
    assert worst_stations(table, 9) == ["c", "b", "d", "e"]
    assert worst_stations(table, 1) == ["c"]


def test_a_station_not_on_air_is_named(tiny_project):
    later = SimpleNamespace(
        stations=pd.DataFrame({"station_id": ["GG000-N1"], "status": ["planned"], "phase_year": [2023]})
    )
    with pytest.raises(LayerError, match=r"1 stations are not on air in 2020 \(GG000-N1\)"):
        refine(tiny_project, later, 2020, station_ids=["GG000-N1"])


def test_steps_out_of_range_are_refused(tiny_project, plan):
    with pytest.raises(RangeError, match="above 0"):
        refine(tiny_project, plan, 2023, station_ids=[], steps_deg={"tilt": [0.0]})


def test_a_subset_of_stations_keeps_their_sectors(tiny_project):
    sectors = build_sectors(tiny_project)
    part = subset(sectors, np.array([5, 2, 11]))
    for position, station in enumerate((5, 2, 11)):
        old = slice(sectors.first[station], sectors.first[station + 1])
        new = slice(part.first[position], part.first[position + 1])
        for name in ("azimuth_deg", "tilt_deg", "eirp_dbm", "vertical_beamwidth_deg"):
            np.testing.assert_array_equal(getattr(part, name)[new], getattr(sectors, name)[old])
        assert part.x_m[position] == sectors.x_m[station]
        assert part.convergence_deg[position] == sectors.convergence_deg[station]


def test_windows_of_some_tiles_add_up_to_the_city(plan):
    """On 20 m pixels a window is a part of 5 x 5 tiles; its gains are those of the whole city to the last digit."""
    project = build_tiny_project(tiny_config(project={"name": "微型示例", "crs": CRS, "resolution_m": 20}))
    ids = ["LC001-N1", "GG002-N2", "LC007-N1"]
    job = network_job(project, "", on_air_rows(project, plan, 2023), ["n41"])
    names = project.stations["station_id"].to_numpy()[job.bands[0].sectors.station_rows]
    ground = Ground(np.ones((600, 600), np.int64), np.zeros((600, 600), np.int8), np.ones(2, np.int64), -3.0, 1)
    window = station_window(job, 0, int(np.flatnonzero(names == "LC001-N1")[0]), ground)
    assert window.people.size < 600 * 600 / 2
    found = refine(project, plan, 2023, station_ids=ids, steps_deg={"tilt": [2.0], "azimuth": [10.0]})
    assert found.gain == found.changes["gain_weight"].sum() > 0
    assert set(found.changes["network"]) == {"移动广电", "电联"}
    weight = {service.name: round(service.weight * 2**10) / 2**10 for service in project.config.services}
    table = found.services
    added = (table["good_people"] - table["good_people_before"]) * table["service"].map(weight)
    assert added.sum() == pytest.approx(found.gain, rel=1e-9)


def test_cover_is_not_given_up_for_sinr(tiny_project, plan, chosen, tmp_path):
    """Counting 12 dB as good, much could be gained by serving fewer people better; every service keeps its own."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "second_order.toml").write_text("[refine_sinr_db]\nvalue = 12.0\n", encoding="utf-8")
    table = refine(replace(tiny_project, root=tmp_path), plan, 2023, station_ids=chosen).services
    weight = table["service"].map({s.name: s.weight for s in tiny_project.config.services})
    assert ((table["good_people"] - table["good_people_before"]) * weight).sum() > 0
    assert (table["people"] >= table["people_before"]).all() and (table["km2"] >= table["km2_before"]).all()


@pytest.mark.parametrize("service", [0, 1])
def test_no_service_may_lose_people_or_area(service):
    """Columns: people covered, those with good SINR (they may), pixels covered."""
    before = np.array([[900, 500, 40], [600, 300, 25]])
    assert keeps_cover(before, before)
    for column, kept in ((0, False), (1, True), (2, False)):
        less = before + 7
        less[service, column] = before[service, column] - 1
        assert keeps_cover(less, before) is kept


def test_a_window_is_a_cutting_of_the_city(tiny_project, plan):
    """Bit for bit, every interferer included."""
    network = tiny_project.config.networks[0].name
    rows = on_air_rows(tiny_project, plan, 2023)
    rows = rows[(tiny_project.stations["network"].iloc[rows] == network).to_numpy()]
    job = network_job(tiny_project, network, rows, ["n28", "n41"])
    shape = (tiny_project.grid.rows, tiny_project.grid.cols)
    ground = Ground(np.ones(shape, np.int64), np.zeros(shape, np.int8), np.ones(2, np.int64), -3.0, 1)
    whole = City(tiny_project, plan, network)
    for station in range(0, len(job.bands[1].sectors), 5):
        window = station_window(job, 1, station, ground)
        top = round((tiny_project.grid.y0_m - window.grid.y0_m) / tiny_project.grid.resolution_m)
        left = round((window.grid.x0_m - tiny_project.grid.x0_m) / tiny_project.grid.resolution_m)
        part = (slice(top, top + window.grid.rows), slice(left, left + window.grid.cols))
        for band, got in zip(("n28", "n41"), window.pictures, strict=True):
            want = best_server(
                whole.bands[band], tiny_project.grid, noise_dbm=noise_dbm(tiny_project, band),
                load=whole.radio["network_load"], window_db=whole.radio["overlap_window_db"],
            )  # fmt: skip
            np.testing.assert_array_equal(got.sinr_db, want.sinr_db[part])
            np.testing.assert_array_equal(got.rsrp_dbm, want.rsrp_dbm[part])


def test_an_earlier_year_keeps_its_coverage_too(tiny_project):
    """One station on air three years before its neighbours: what they make up for later would be missing until then."""
    stations = tiny_project.stations
    first = int(np.flatnonzero(stations["station_id"] == "GG006-N1")[0])
    air = np.flatnonzero(stations["on_air"])
    order = np.concatenate([air, np.setdiff1d(np.arange(len(stations)), air)])
    phased = plan_of(tiny_project, order, np.where(order == first, 2020, np.where(np.isin(order, air), 0, 2023)))

    def covered(found):
        rows = list(found.settings)
        azimuths, tilts = zip(*(found.settings[row] for row in rows), strict=True)
        tuned = with_settings(tiny_project, rows, azimuths_deg=azimuths, tilts_deg=tilts)
        table = predict_coverage(tuned, phased, 2020).statistics.query("level == 'city'")
        return table[["people_share", "area_share"]].to_numpy()

    before = predict_coverage(tiny_project, phased, 2020).statistics.query("level == 'city'")
    recorded = before[["people_share", "area_share"]].to_numpy()
    free = refine(tiny_project, phased, 2023, station_ids=["GG006-N1"])
    assert (covered(free) < recorded - 0.001).any(), "the case is one where the earlier year would lose"
    kept = refine(tiny_project, phased, 2023, station_ids=["GG006-N1"], keep_years=[2020])
    assert 0 < kept.gain < free.gain
    assert (covered(kept) >= recorded).all()
    table = kept.services
    assert table["year"].tolist() == [2020, 2020, 2023, 2023] * 2
    assert (table["people"] >= table["people_before"]).all() and (table["km2"] >= table["km2_before"]).all()


def test_the_guard_is_asked_for_what_would_be_taken_and_told(tiny_project, plan, chosen, found):
    class Guard:
        def __init__(self, answer):
            self.answer, self.asked, self.taken = answer, [], []

        def allows(self, *trial):
            self.asked.append(trial)
            return self.answer

        def take(self):
            self.taken.append(self.asked[-1])

    never, ever = Guard(False), Guard(True)
    refused = refine(tiny_project, plan, 2023, station_ids=chosen, guard=never)
    assert refused.changes.empty and refused.settings == {} and refused.gain == 0 and never.asked and not never.taken
    allowed = refine(tiny_project, plan, 2023, station_ids=chosen, guard=ever)
    pd.testing.assert_frame_equal(allowed.changes, found.changes)
    last = {row: (azimuths, tilts) for row, azimuths, tilts in ever.taken}
    assert {row: last[row] for row in allowed.settings} == allowed.settings
