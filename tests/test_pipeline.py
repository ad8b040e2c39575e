"""The chain on the tiny city: the same twice, saved and opened again, adding up."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

import lcsiting as lc
from lcsiting import schema
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.moving import move_targets
from lcsiting.coverage.antennas import station_antennas, with_settings
from lcsiting.errors import ExportError, LayerError
from lcsiting.geo import grid as raster
from lcsiting.held import unrestricted
from lcsiting.model import Raster
from lcsiting.pipeline import coverage_lost
from lcsiting.siting.cover import cover_rows


@pytest.fixture(scope="module")
def result(tiny_project):
    return lc.run(tiny_project, progress=False)


def test_public_names_resolve():
    for name in lc.__all__:
        assert getattr(lc, name) is not None
    with pytest.raises(AttributeError, match="sites"):
        _ = lc.sites


def test_the_same_inputs_give_the_same_bytes(tiny_project, result):
    again = lc.run(build_tiny_project(), progress=False)
    for name in ("stations", "places", "phases", "counties", "refused"):
        first, second = getattr(result.plan, name), getattr(again.plan, name)
        assert first.to_csv() == second.to_csv(), name
    for year, coverage in result.coverages.items():
        for network, layers in coverage.layers.items():
            for layer, pixels in layers.items():
                other = again.coverages[year].layers[network][layer].array
                assert pixels.array.tobytes() == other.tobytes(), (year, network, layer)
    assert {k: v for k, v in result.summary.items() if k != "run"} == {
        k: v for k, v in again.summary.items() if k != "run"
    }


def test_phases_count_stations_and_places(result):
    phases = result.plan.phases.set_index("year")
    assert phases.loc[2020, "stations"] == 12 and phases.loc[2023, "stations"] == 40
    chosen = result.plan.stations[result.plan.stations["phase_year"] <= 2020]
    assert len(chosen) == 12 and phases.loc[2020, "places"] == chosen["place_id"].nunique()
    assert phases.loc[2020, "sharing"] == pytest.approx(12 / chosen["place_id"].nunique())
    reused = chosen.drop_duplicates("place_id")["source"].eq("existing").mean()
    assert phases.loc[2020, "reuse_share"] == pytest.approx(reused)


def test_what_is_on_air_is_locked_and_counts(result):
    on_air = result.plan.stations[result.plan.stations["status"] == "on_air"]
    assert sorted(on_air["station_id"]) == ["LC000-N1", "LC000-N2", "LC001-N1", "LC003-N2"]
    assert (on_air["rank"] == 0).all()


def test_coverage_grows_with_the_phases(result):
    def people(coverage):
        rows = coverage.statistics.query("level == 'city' and service == 'outdoor'")
        return rows.set_index("network")["covered_people"]

    today, first, last = people(result.today), people(result.coverages[2020]), people(result.coverages[2023])
    assert (first >= today).all() and (last >= first).all() and (last > today).all()


@pytest.mark.parametrize("column", ["area_km2", "people", "covered_area_km2", "covered_people"])
def test_statistics_by_county_add_up_to_the_city(result, column):
    for coverage in (result.today, *result.coverages.values()):
        table = coverage.statistics
        keys = ["network", "service"]
        city = table[table["level"] == "city"].set_index(keys)[column]
        counties = table[table["level"] == "county"].groupby(keys)[column].sum()
        pd.testing.assert_series_equal(city.sort_index(), counties.sort_index(), check_names=False, rtol=1e-9)


def test_a_refused_owner_is_refused_and_listed(result):
    refused = result.plan.refused[result.plan.refused["place_id"] == "GG009"]
    assert set(refused["rule"]) == {"owner_refused"}
    assert not result.plan.stations["place_id"].eq("GG009").any()


def test_unverified_rules_are_named_in_the_summary(result):
    named = result.summary["unverified_rules"]
    assert {"miit_266_136.radius_co_channel", "clutter.3"} <= set(named)
    assert "propagation.p1812_slope_db_per_decade" not in named, "no terrain model is asked for"


def test_what_a_model_does_not_state_is_counted_in_the_summary(result):
    """Demo masts are not all 25 or 10 m high: flagged, counted, said in the text."""
    from lcsiting.exporters.text import summary_text

    last = result.summary["model_flags"]["2023"]
    assert set(last) == {network.name for network in result.project.config.networks}
    chosen = result.plan.stations["station_id"]
    stations = result.project.stations.set_index("station_id").loc[chosen]
    off = (stations["model"] == "uma") & (stations["height_agl_m"] != 25)
    off |= (stations["model"] == "umi") & (stations["height_agl_m"] != 10)
    assert sum(counts["mast_off_nominal"] for counts in last.values()) == off.sum() > 0
    assert "站高非模型标称值" in summary_text(result, "zh")
    assert "masts off the model's own height" in summary_text(result, "en")


def test_a_saved_result_opens_as_it_was(result, tmp_path):
    folder = lc.save(result, tmp_path / "结果")
    opened = lc.open_result(folder)
    for name in ("stations", "places", "phases", "counties", "refused"):
        first, second = getattr(result.plan, name), getattr(opened.plan, name)
        pd.testing.assert_frame_equal(
            pd.DataFrame(first.drop(columns="geometry", errors="ignore")),
            pd.DataFrame(second.drop(columns="geometry", errors="ignore")),
            check_dtype=False,
            check_categorical=False,
        )
    rest = {name: (getattr(result, name), getattr(opened, name)) for name in ("verdicts", "eligible", "budgets")}
    rest |= {name: (table, opened.tables[name]) for name, table in result.tables.items()}
    for name, (first, second) in rest.items():
        words = [one for one in first.columns if first[one].dtype.kind not in "ifbM" and one != "geometry"]
        mine, saved = (
            pd.DataFrame(table.drop(columns="geometry", errors="ignore")).assign(
                **{word: table[word].astype(object).where(table[word].notna(), "").astype(str) for word in words}
            )
            for table in (first, second)
        )
        pd.testing.assert_frame_equal(mine, saved, check_dtype=False, check_index_type=False, obj=name)
    assert len(opened.budgets) and set(opened.tables) == set(result.tables)
    assert opened.project.config == result.project.config
    assert opened.summary == json.loads(json.dumps(result.summary))
    assert np.array_equal(opened.project.places.geometry.x, result.project.places.geometry.x)
    assert set(opened.coverages) == {2020, 2023}
    for name in ("station_ids", "station_rows", "indptr", "indices", "row_weight"):
        assert np.array_equal(getattr(opened.cover, name), getattr(result.cover, name)), name
    assert (opened.cover.networks, opened.cover.services) == (result.cover.networks, result.cover.services)
    pd.testing.assert_frame_equal(opened.cover.cells, result.cover.cells, check_dtype=False, check_categorical=False)
    assert opened.cover.modes is None and np.array_equal(opened.resources[1], result.resources[1])


def test_a_saved_cover_keeps_its_modes(result, tmp_path):
    n = len(result.cover.station_ids)
    modes = np.array(["as_planned", *["site_tilt+site_beam"] * (n - 1)], object)
    loads = (np.arange(n + 1), np.arange(n) % 2, np.linspace(0, 1, n))
    changed = dataclasses.replace(
        result, cover=dataclasses.replace(result.cover, modes=modes), resources=(loads, np.ones((2, 2)))
    )
    opened = lc.open_result(lc.save(changed, tmp_path / "r"))
    assert opened.cover.modes.tolist() == modes.tolist()
    for got, want in zip(opened.resources[0], loads, strict=True):
        assert np.array_equal(got, want)


def test_antenna_settings_are_saved_with_the_stations(result, tmp_path):
    project = with_settings(result.project, [3, 5], azimuths_deg=[(10.0, 130.5), None], power_offset_db=[-3.0, 0.0])
    project = with_settings(project, [5, 6], exclusions=[((225.3, 10.0, 12.0), (0.1 + 0.2, 7.5, 3.0)), None])
    opened = lc.open_result(lc.save(replace(result, project=project), tmp_path / "r")).project
    for mine, saved in zip(station_antennas(project), station_antennas(opened), strict=True):
        assert np.array_equal(mine, saved)
    assert len(station_antennas(opened, [5]).excluded) == 2
    assert opened.stations["exclusions"][5] == project.stations["exclusions"][5]
    assert opened.stations["azimuths_deg"][3] == (10.0, 130.5) and opened.stations["azimuths_deg"][5] is None


def test_saving_never_clobbers_by_accident(result, tmp_path):
    folder = lc.save(result, tmp_path / "r")
    with pytest.raises(ExportError, match="overwrite"):
        lc.save(result, folder)
    lc.save(result, folder, overwrite=True)
    stranger = tmp_path / "照片"
    stranger.mkdir()
    (stranger / "a.jpg").write_text("x")
    with pytest.raises(ExportError, match="不是 lcsiting 的结果目录"):
        lc.save(result, stranger, overwrite=True)
    assert (stranger / "a.jpg").exists()
    assert not list(tmp_path.glob(".part-*"))


def test_opening_something_else_is_refused(tmp_path):
    with pytest.raises(LayerError, match="lcsiting run"):
        lc.open_result(tmp_path)


def test_one_word_changes_the_unit_to_places():
    phases = [{"year": 2020, "target": 10, "unit": "place"}, {"year": 2023, "target": 20, "unit": "place"}]
    plan = lc.run(build_tiny_project(tiny_config(phases=phases)), progress=False).plan
    assert plan.phases["places"].tolist() == [10, 20]
    assert (plan.phases["stations"] >= plan.phases["places"]).all()


def test_stages_on_an_opened_result_see_its_rasters(result, tmp_path):
    """Rasters of an opened result lie on disk; people and land classes must not read as none."""
    opened = lc.open_result(lc.save(result, tmp_path / "r"))
    again = lc.predict_coverage(opened.project, opened.plan, 2023)
    pd.testing.assert_frame_equal(again.statistics, result.coverages[2023].statistics)
    assert lc.cover(opened.project, opened.eligible).cells["people"].sum() > 50_000


def test_a_saved_result_keeps_its_radio_zones(result, tmp_path):
    zones = Raster(
        result.project.grid, array=np.full((result.project.grid.rows, result.project.grid.cols), 3, np.uint8)
    )
    coastal = replace(result, project=replace(result.project, radio_zones=zones))
    opened = lc.open_result(lc.save(coastal, tmp_path / "r")).project.radio_zones
    np.testing.assert_array_equal(raster.pixels(opened), zones.array)


def test_a_network_may_have_any_name(tmp_path):
    """A name is text; it never becomes a folder."""
    networks = [{**RAW_CONFIG["networks"][0], "name": "../../A/B:C*"}, RAW_CONFIG["networks"][1]]
    result = lc.run(build_tiny_project(tiny_config(networks=networks)), progress=False)
    opened = lc.open_result(lc.save(result, tmp_path / "r"))
    assert list(opened.coverages[2023].layers) == ["../../A/B:C*", "电联"]
    for name in opened.coverages[2023].layers:
        assert set(opened.coverages[2023].layers[name]) == set(result.coverages[2023].layers[name])
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_every_coordination_of_the_plan_is_listed(result, tmp_path):
    """One row per operator, band and protected station that a planned station must settle; nothing else."""
    listed, verdicts = result.tables["coordination_list"], result.verdicts
    planned = set(result.plan.stations["station_id"])
    asked = verdicts[verdicts[["rule_verdict", "physics_verdict"]].isin(["coordinate", "excluded"]).any(axis=1)]
    pairs = {pair for pair in zip(asked["station_id"], asked["protected_id"], strict=True) if pair[0] in planned}
    assert set(zip(listed["station_id"], listed["protected_id"], strict=True)) == pairs and pairs
    assert not listed.duplicated(["operator", "band", "station_id", "protected_id"]).any()
    assert set(listed["status"]) == {"draft"} and not listed["may_switch_on"].any(), "no log, so nothing is settled"
    opened = lc.open_result(lc.save(result, tmp_path / "r")).tables["coordination_list"]
    assert opened["station_id"].tolist() == listed["station_id"].tolist()
    assert opened["may_switch_on"].dtype == bool


def test_the_link_budgets_are_a_table_of_the_run(result, tmp_path):
    budgets = result.tables["link_budget"]
    config = result.project.config
    assert len(budgets) == 5 * len(config.networks) * len(config.services)
    assert list(budgets.columns) == list(schema.table("link_budget").columns)
    opened = lc.open_result(lc.save(result, tmp_path / "r")).tables["link_budget"]
    pd.testing.assert_frame_equal(opened, budgets, check_dtype=False)


def test_the_whole_chain_by_p1812(result):
    """Every network over the terrain, from the cover to the last phase: no hole, near field flagged, cells agree."""
    networks = [{**network, "model": "p1812"} for network in RAW_CONFIG["networks"]]
    found = lc.run(build_tiny_project(tiny_config(networks=networks)), progress=False)
    assert set(found.project.stations["model"]) == {"p1812"}
    assert found.plan.phases["reached"].all() and len(found.plan.stations) == len(result.plan.stations)
    for year, coverage in found.coverages.items():
        for name, layers in coverage.layers.items():
            flags, rsrp = layers["model_flags"].array, layers["rsrp_dbm"].array
            assert coverage.flags[name]["near_field_pixels"] == (flags[np.isfinite(rsrp)] > 0).sum() > 0, (year, name)
            plain = result.coverages[year].layers[name]["rsrp_dbm"].array
            assert np.nanmedian(np.abs(rsrp - plain)) > 1.0, "another model, other levels"
    assert "propagation.p1812_slope_db_per_decade" in found.summary["unverified_rules"]
    check = found.summary["coverage_check"]
    assert len(check) == 2 * len(networks) * 2
    for row in check:
        assert row["people_share_cells"] == pytest.approx(row["people_share_raster"], abs=0.05)


def test_measures_are_listed_unless_the_project_declines(result):
    declined = lc.run(build_tiny_project(tiny_config(coordination={"remedies": False})), progress=False)
    assert "remedies" not in declined.tables and declined.summary["remedies"] == {}
    listed = set(result.project.layers["protected_stations"]["station_id"])
    assert set(result.tables["remedies"]["protected_id"]) == listed
    assert sum(result.summary["remedies"].values()) == len(result.tables["remedies"])
    # Only listed: the plan and the budgets are those of a run without them.
    assert declined.plan.stations["station_id"].tolist() == result.plan.stations["station_id"].tolist()
    pd.testing.assert_frame_equal(declined.budgets, result.budgets)
    # What the unrestricted plan needs is told either way.
    pd.testing.assert_frame_equal(declined.tables["needs"], result.tables["needs"])
    assert set(result.tables["needs"]["protected_id"]) == listed
    # With nothing enforced that plan is this one; the measures are for it, and may move its stations.
    project, planned = result.project, result.plan.stations
    brought = lc.coordinate(project).contributions
    level = brought[brought["station_id"].isin(planned["station_id"])].groupby(["protected_id", "mechanism"])
    mw, top = level["contribution_mw"].sum(), level["envelope_mw"].sum()
    for row in result.tables["needs"].itertuples():
        there = float(mw.get((row.protected_id, row.mechanism), 0.0))
        assert row.plan_dbm == (pytest.approx(10 * np.log10(there)) if there else -999.0)
        most = float(top.get((row.protected_id, row.mechanism), 0.0))
        assert row.envelope_dbm == (pytest.approx(10 * np.log10(most)) if most else -999.0)
        assert row.envelope_dbm > row.plan_dbm or not there
        assert row.needed_db == pytest.approx(max(0.0, row.plan_dbm - row.limit_dbm))
        assert row.plan_dbm <= row.candidates_dbm + 1e-9
    found = evaluate(project)
    lost = coverage_lost(project, found, result.cover, planned["station_id"])
    again = lc.remedies(project, found, planned["station_id"], lost=lost, eligible=result.eligible)
    pd.testing.assert_frame_equal(again.stations, result.tables["remedies"])
    assert set(result.tables.get("remedy_modes", again.modes)["station_id"]) <= set(planned["station_id"])


def test_moving_is_asked_of_the_stations_of_a_plan(result):
    """What a move loses: the own cells that the other place does not cover; of the plan's new stations only."""
    project, matrix = result.project, result.cover
    found = evaluate(project)
    assert "site_move" not in coverage_lost(project, found, matrix)
    profile = found.tables.profile
    farther = profile | {"site_move": profile["site_move"] | {"within_m": 3000.0}}
    near = dataclasses.replace(found, tables=dataclasses.replace(found.tables, profile=farther))
    planned = result.plan.stations.loc[result.plan.stations["status"] == "planned", "station_id"].tolist()[:20]
    lost = coverage_lost(project, near, matrix, planned)
    target = move_targets(project, near.tables, planned)
    rows = np.flatnonzero(np.isfinite(lost["site_move"]))
    ids = project.stations["station_id"].to_numpy(object)
    assert len(rows) and set(ids[rows]) <= set(planned)
    at = {int(row): k for k, row in enumerate(matrix.station_rows)}
    cells = {row: set(matrix.indices[matrix.indptr[k] : matrix.indptr[k + 1]].tolist()) for row, k in at.items()}
    for row in rows:
        own, there = cells[row], cells[int(target[row])]
        gone = sum(int(matrix.row_weight[c]) for c in own - there) / sum(int(matrix.row_weight[c]) for c in own)
        assert lost["site_move"][row] == pytest.approx(gone)
    others = np.setdiff1d(matrix.station_rows, np.flatnonzero(np.isin(ids, planned)))
    assert np.isnan(lost["site_power_6"][others]).all(), "nobody else is asked"


def test_a_mode_loses_what_the_cover_says(result):
    """Every share of coverage lost against a cover built anew."""
    project, matrix = result.project, result.cover
    lost = coverage_lost(project, evaluate(project), matrix)
    weight = matrix.row_weight
    plain = {
        int(row): weight[matrix.indices[matrix.indptr[k] : matrix.indptr[k + 1]]].sum()
        for k, row in enumerate(matrix.station_rows)
    }
    rows = np.flatnonzero(np.isfinite(lost["site_power_6"]))
    assert len(rows) and set(rows) <= set(plain)
    row = int(rows[0])
    weaker = with_settings(project, [row], power_offset_db=[-6.0])
    indices = cover_rows(weaker, [row], matrix.cells)[1]
    assert lost["site_power_6"][row] == pytest.approx(1 - weight[indices].sum() / plain[row])
    assert 0 < lost["site_power_3"][row] < lost["site_power_6"][row] < 1
    moved = with_settings(project, [row], band=["n1"], model=[project.stations["model"][row]], frequency_mhz=[2130.0])
    indices = cover_rows(moved, [row], matrix.cells)[1]
    assert lost["site_other_band"][row] == pytest.approx(max(0.0, 1 - weight[indices].sum() / plain[row]))
    single = [lost[f"site_sector_off:{k}"][row] for k in (1, 2, 3)]
    assert sum(single) <= 1 + 1e-12, "what only one sector serves, at most the whole"
    for k, name in ((0, "site_sector_off:2,3"), (1, "site_sector_off:1,3"), (2, "site_sector_off:1,2")):
        assert lost[name][row] >= max(single[:k] + single[k + 1 :])


def test_a_plan_held_to_the_physics_counts_on_the_measures_chosen():
    """Each budget grows by what the measures at that station take, from the year they take effect."""
    plain, with_measures = (
        lc.run(build_tiny_project(tiny_config(coordination={"enforce": "physics", "remedies": on})), progress=False)
        for on in (False, True)
    )
    project = with_measures.project
    verdicts = lc.coordinate(project)
    eligible = lc.screen(project, verdicts)
    matrix = lc.cover(project, eligible)
    ids = unrestricted(project, matrix, eligible, verdicts).stations["station_id"]
    lost = coverage_lost(project, verdicts.evaluation, matrix, ids)
    found = lc.remedies(project, verdicts.evaluation, ids, lost=lost, eligible=eligible)
    keys = ["protected_id", "mechanism", "phase_year"]
    before, after = (r.budgets.set_index(keys) for r in (plain, with_measures))
    grown = after["limit_dbm"] - before["limit_dbm"]
    assert (grown >= -1e-9).all() and (grown > 1).any()
    for protected_id, measures in found.measures.items():
        filters = [item for item in measures if item.effective.year <= 2023]
        if not filters:
            assert grown.loc[protected_id].abs().max() < 1e-9
    assert after["binding"].all()
    assert after.loc[~after["broken"], "within"].all(), "and the plan keeps to them"
    new = [int((r.plan.stations["status"] == "planned").sum()) for r in (plain, with_measures)]
    assert new[1] >= new[0]


@pytest.mark.parametrize("remedied", [True, False])
def test_what_is_on_air_beyond_the_border_stays_in_the_budgets_of_a_run(remedied):
    """The tiny city with its own places on air moved into ``neighbours``: also where measures let budgets grow."""
    config = tiny_config(coordination={"enforce": "physics", "remedies": remedied})
    project = build_tiny_project(config)
    near = project.layers["existing"].iloc[:3].assign(on_air="电信:n78")
    project = dataclasses.replace(project, layers={**project.layers, "neighbours": near})
    without = lc.coordinate(build_tiny_project(config)).budgets
    result = lc.run(project, progress=False)
    keys = ["protected_id", "mechanism", "phase_year"]
    both = result.budgets.merge(without, on=keys, suffixes=("", "_without"))
    assert len(both) == len(result.budgets) and (both["on_air_dbm"] > both["on_air_dbm_without"] + 1e-6).any()
    limit, air, left = (10 ** (0.1 * result.budgets[name]) for name in ("limit_dbm", "on_air_dbm", "remaining_dbm"))
    assert left.to_numpy() == pytest.approx(np.where(air > limit, 0.01 * limit, limit - air), rel=1e-6, abs=0)


def test_a_county_ranks_the_same_on_one_and_two_threads(county_project):
    """Real shapes and thousands of people per cell: the same bytes, and counties that add up."""
    project = lc.open_project(county_project)
    verdicts = lc.coordinate(project)
    eligible = lc.screen(project, verdicts)
    plans = []
    for threads in (1, 2):
        matrix = lc.cover(project, eligible, threads=threads)
        plans.append(lc.rank(project, matrix, eligible, verdicts, threads=threads))
    one, two = (plan.stations.to_csv() for plan in plans)
    assert one == two and len(plans[0].stations) == 600
    table = lc.predict_coverage(project, plans[0], 2023).statistics
    city, county = (table[table["level"] == level].set_index(["network", "service"]) for level in ("city", "county"))
    assert (city["covered_people"].sort_index() == county["covered_people"].sort_index()).all()
