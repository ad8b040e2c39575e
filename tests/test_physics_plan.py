"""A plan held to the physics, end to end: every satisfiable budget of every phase, summed again without the ranking."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

import lcsiting as lc
from lcsiting import held
from lcsiting.coordination import aggregate, budget_tables
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.modes import OTHER_BAND as OTHER
from lcsiting.coordination.modes import mode_settings
from lcsiting.coordination.profile import load_tables
from lcsiting.siting.cover import cover_rows
from lcsiting.siting.mode_cover import settings_applied

YEARS = (2020, 2023)


FAR = ["ES002", "ES020"]  # in the next counties; the co-channel ones there are left out, they let no n78 station fit
NEAR = ["ES008", "ES009"]  # overloaded by what is on air as long as they have no filter


def county(path, filtered=NEAR, unit="station", **sections):
    """The county with two phases on a coarse raster, held to the physics; some of its earth stations with a filter."""
    coarse = path.with_name("coarse.toml")
    text = path.read_text(encoding="utf-8").replace("resolution_m = 50", "resolution_m = 200")
    coarse.write_text(text.replace("resolution_m = 100", "resolution_m = 200"), encoding="utf-8")
    project = lc.open_project(coarse)
    layer = project.layers["protected_stations"]
    layer = layer[layer["station_id"].isin(FAR + NEAR)].reset_index(drop=True)
    rejection = layer["filter_rejection_db"].where(~layer["station_id"].isin(filtered), 45.0)
    layers = {**project.layers, "protected_stations": layer.assign(filter_rejection_db=rejection)}
    config = project.config
    phases = [phase.model_copy(update={"unit": unit}) for phase in config.phases]
    held = {"coordination": {"enforce": "physics", "remedies": False}, **sections}
    changed = {name: getattr(config, name).model_copy(update=values) for name, values in held.items()}
    return dataclasses.replace(project, layers=layers, config=config.model_copy(update={"phases": phases, **changed}))


def sums_by_hand(project, plan):
    """Level, limit and room of every budget and phase in NumPy: from the pairs of a second evaluation.

    Limits from the noise and the rule rows; inside the receive band of a compliant block the legacy limit holds.
    """
    found = evaluate(project)
    rules, stations = found.tables.profile, plan.stations.set_index("station_id")
    ids = project.stations["station_id"].to_numpy(object)[found.tx.row[found.pairs.tx]]
    start = stations["phase_year"].reindex(ids).fillna(9999).to_numpy()
    air = (stations["status"] == "on_air").reindex(ids).fillna(False).to_numpy(bool)
    rows = []
    for k, record in enumerate(found.protected.itertuples(index=False)):
        mine = found.pairs.protected == k
        co = found.pairs.co[mine]
        noise = 10 * np.log10(1.380649e-23 * record.noise_temperature_k * 1e6) + 30
        key = "criterion_co_channel" if co.any() else "criterion_adjacent"
        legacy, compliant = (rules[f"overload_{kind}"]["limit_dbm"] for kind in ("legacy", "compliant"))
        own = compliant if record.lnb_type == "compliant" else legacy
        if len(co) == 0:
            own = legacy
        weight = np.where(co, 10 ** (0.1 * (own - legacy)), 1.0)
        terms = {
            "long_term": (noise + rules[key]["limit"], found.levels.average_mw[mine]),
            "overload": (own, found.levels.overload_mw[mine] * weight),
        }
        for mechanism, (limit_dbm, mw) in terms.items():
            limit, there = 10 ** (0.1 * limit_dbm), mw[air[mine]].sum()
            for year in YEARS:
                new = mw[~air[mine] & (start[mine] <= year)].sum()
                room = 0.01 * limit if there > limit else limit - there
                rows.append((record.protected_id, mechanism, year, limit, there, new, room))
    names = ["protected_id", "mechanism", "phase_year", "limit", "there", "new", "room"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture(scope="module")
def result(county_project):
    return lc.run(county(county_project), progress=False)


VARIANTS = [
    pytest.param(["ES009"], "place", {}, id="places"),
    pytest.param(NEAR, "station", {"ranking": {"improve": True}}, id="improved"),
    pytest.param(NEAR, "place", {"ranking": {"improve": True}}, id="places-improved"),
]


def holds(project, plan):
    """All budgets of all phases, by the sums above."""
    table = sums_by_hand(project, plan)
    assert len(table) == 4 * project.layers["protected_stations"].shape[0]
    return (table["new"] <= table["room"] * (1 + 1e-9)).all()


def test_every_phase_keeps_every_budget(result):
    project = result.project
    assert result.plan.phases["year"].tolist() == list(YEARS)
    by_hand = sums_by_hand(project, result.plan)
    assert (by_hand["new"] <= by_hand["room"] * (1 + 1e-9)).all()
    assert by_hand["new"].gt(0).any(), "the plan loads budgets at all"
    # The table the planner gets says the same, and so does the package's own second sum.
    judged = aggregate.judge_plan(project, evaluate(project).budgets, result.plan)
    for table in (result.budgets, judged):
        merged = table.merge(by_hand, on=["protected_id", "mechanism", "phase_year"])
        assert len(merged) == len(table) and table["within"].all() and table["binding"].all()
        total = 10 * np.log10(merged["there"] + merged["new"])
        assert merged["level_dbm"].to_numpy() == pytest.approx(total.to_numpy(), abs=1e-6)
        assert (merged["broken"] == (merged["there"] > merged["limit"])).all()


def test_the_budgets_bind(result, county_project):
    """The same county held to nothing breaks some of them: the test above can fail."""
    free = county(county_project, coordination={"enforce": "report", "remedies": False})
    verdicts = lc.coordinate(free)
    eligible = lc.screen(free, verdicts)
    plan = lc.rank(free, lc.cover(free, eligible), eligible, verdicts)
    assert not holds(free, plan)


@pytest.mark.parametrize(("filtered", "unit", "sections"), VARIANTS)
def test_broken_budgets_places_and_exchanges_too(county_project, filtered, unit, sections):
    result = lc.run(county(county_project, filtered, unit, **sections), progress=False)
    table = sums_by_hand(result.project, result.plan)
    assert holds(result.project, result.plan) and result.budgets["within"].all()
    assert table["new"].gt(0).any() and result.budgets["broken"].any() == (filtered != NEAR)
    # A place whose n78 finds no room still carries the other network.
    if unit == "place":  # ranked as planned
        assert result.cover.modes is None and (result.plan.stations["mode"] == "").all()
        refused = result.plan.refused.query("rule == 'protection_budget'")
        assert set(refused["network"]) == {"电联"} and refused["place_id"].isin(result.plan.places["place_id"]).any()


def test_what_the_budgets_keep_out_says_so(result):
    refused = result.plan.refused.query("rule == 'protection_budget'")
    names = result.project.layers["protected_stations"]["name"]
    assert len(refused) and refused["reason"].map(lambda text: any(name in text for name in names)).all()
    assert (refused["reason"].str.encode("gbk").str.len() <= 254).all(), "fits the shapefile field"
    why = result.tables["why_not"].query("rule == 'protection_budget'").set_index("station_id")["reason"]
    assert set(why.index) == set(refused["station_id"])
    said = refused.set_index("station_id")["reason"]
    assert all(why[station].startswith(said[station]) for station in why.index)
    # Every one of them does break a budget beside the plan.
    found = evaluate(result.project)
    last = result.budgets.query("phase_year == 2023")
    left = 10 ** (0.1 * last["remaining_dbm"]) - 10 ** (0.1 * last["added_dbm"])
    dense = np.zeros((len(last), len(result.project.stations)))
    rows = np.repeat(np.arange(len(last)), np.diff(found.budgets.indptr))
    dense[rows, found.budgets.station_rows[found.budgets.indices]] = found.budgets.mw
    at = pd.Index(result.project.stations["station_id"]).get_indexer(refused["station_id"])
    assert (dense[:, at] > left.to_numpy()[:, None] * (1 - 1e-6)).any(axis=0).all()


def test_broken_budgets_name_their_ten_worst(county_project):
    project = county(county_project, filtered=[])
    found = evaluate(project)
    table = budget_tables.worst_on_air(project, found.budgets)
    broken = found.budgets.rows.query("broken")
    keys = ["protected_id", "mechanism"]
    assert set(map(tuple, table[keys].to_numpy())) == set(map(tuple, broken[keys].to_numpy())) and len(broken)
    assert set(table["station_id"]) <= set(project.stations.loc[project.stations["on_air"], "station_id"])
    for (protected, mechanism), group in table.groupby(keys):
        k = found.protected["protected_id"].tolist().index(protected)
        mine = (found.pairs.protected == k) & project.stations["on_air"].to_numpy(bool)[found.tx.row[found.pairs.tx]]
        mw = (found.levels.average_mw if mechanism == "long_term" else found.levels.overload_mw)[mine]
        top = np.sort(mw)[::-1][:10]
        assert len(top) == 10 and group["order"].tolist() == list(range(1, 11))
        assert 10 ** (0.1 * group["level_dbm"].to_numpy()) == pytest.approx(top, rel=1e-6)
        assert group["share"].to_numpy() == pytest.approx(top / mw.sum(), rel=1e-6)


def test_the_broken_budgets_stand_in_the_result_and_the_workbook(county_project, tmp_path):
    import openpyxl

    result = lc.run(
        county(county_project, filtered=[], coordination={"enforce": "report", "remedies": False}), progress=False
    )
    assert len(result.tables["broken_budgets"]) == 20 and result.plan.refused["rule"].ne("protection_budget").all()
    lc.export(result, tmp_path, formats=["xlsx"])
    sheet = openpyxl.load_workbook(tmp_path / "plan.xlsx", read_only=True)["现网已超限的预算"]
    assert any("示例东阿" in str(value) for row in sheet.iter_rows(values_only=True) for value in row)


def test_the_rule_keeps_nobody_out(county_project):
    """A rule distance means coordinate: under ``enforce = "rule"`` no budget binds and nothing is excluded."""
    project = county(county_project, coordination={"enforce": "rule", "remedies": False})
    found = evaluate(project)
    assert not found.budgets.rows["binding"].any() and found.verdicts["verdict"].isin(["clear", "coordinate"]).all()
    inside = found.verdicts["rule_verdict"].notna()
    assert (found.verdicts["verdict"][inside] == found.verdicts["rule_verdict"][inside]).all()
    eligible = lc.screen(project, found.verdicts)
    assert eligible.loc[eligible["rule"] == "earth_station", "passed"].all()


@pytest.fixture(scope="module")
def in_modes(county_project):
    """One budget broken, and stations offered in modes."""
    return lc.run(county(county_project, ["ES009"]), progress=False)


def test_with_modes_the_plan_covers_no_less(in_modes, county_project):
    plain = lc.run(
        county(county_project, ["ES009"], coordination={"enforce": "physics", "remedies": False, "modes": False}),
        progress=False,
    )
    assert (plain.plan.stations["mode"] == "").all() and (in_modes.plan.stations["mode"] != "").any()
    last = [result.plan.phases["covered_weight_share"].iloc[-1] for result in (plain, in_modes)]
    assert last[1] >= last[0]
    # Both under the same budgets.
    keys = ["protected_id", "mechanism", "phase_year"]
    one, two = (result.budgets.set_index(keys)["remaining_dbm"] for result in (plain, in_modes))
    pd.testing.assert_series_equal(one, two)


def test_the_other_band_is_for_those_nothing_else_has_room_for(result, county_project, monkeypatch):
    """Covering more is no reason to leave the band planned: only what was refused for the budgets is moved."""
    monkeypatch.setattr(held, "_with_other_band", lambda *_: None)
    first = lc.run(county(county_project), progress=False)
    assert (first.plan.stations["mode"] != "site_other_band").all()
    moved = result.plan.stations.query("mode == 'site_other_band'")
    refused = first.plan.refused.query("rule == 'protection_budget'")
    assert len(moved) and set(moved["station_id"]) <= set(refused["station_id"])
    last = [one.plan.phases["covered_weight_share"].iloc[-1] for one in (first, result)]
    assert last[1] > last[0]
    # Some that load a budget stay in n78 though n1 would cover more.
    stations = result.project.stations
    kept = result.plan.stations.query("band == 'n78' and status == 'planned' and mode == ''")["station_id"]
    rows = np.flatnonzero(stations["station_id"].isin(kept) & (stations["network"] == "电联"))
    wider = settings_applied(result.project, mode_settings(result.project, load_tables(), rows, [OTHER])[OTHER])
    weight = result.cover.row_weight
    one, two = (
        [weight[i[a:b]].sum() for a, b in itertools.pairwise(p)]
        for p, i in (cover_rows(project, rows, result.cover.cells) for project in (result.project, wider))
    )
    assert len(rows) and (np.array(two) > np.array(one)).any()


def test_the_chosen_settings_are_those_everything_is_computed_from(in_modes):
    """The stations of the result carry what their mode sets; a fresh cover and a fresh evaluation agree with it."""
    project, plan = in_modes.project, in_modes.plan
    chosen = plan.stations[plan.stations["mode"] != ""].set_index("station_id")["mode"]
    stations = project.stations.set_index("station_id")
    moved = chosen.index[chosen == "site_other_band"]
    turned = chosen.index.difference(moved)
    assert len(moved) and (stations.loc[moved, "band"] == "n1").all()
    assert len(turned) and stations.loc[turned, "azimuths_deg"].map(type).eq(tuple).all()
    others = stations.drop(turned)
    assert others["azimuths_deg"].isna().all() and others["power_offset_db"].fillna(0).eq(0).all()
    off = chosen[chosen.str.startswith("site_sector_off")]
    assert len(off)
    for station, mode in off.items():
        assert len(stations.loc[station, "azimuths_deg"]) == 3 - len(mode.partition(":")[2].split(","))
    told = plan.stations.set_index("station_id").loc[off.index, "azimuths_deg"]
    assert told.tolist() == ["/".join(f"{a:g}" for a in stations.loc[one, "azimuths_deg"]) for one in off.index]
    # Budgets: summed by hand from pairs of these settings; coverage: a cover of these settings.
    assert holds(project, plan)
    by_hand = sums_by_hand(project, plan)
    merged = in_modes.budgets.merge(by_hand, on=["protected_id", "mechanism", "phase_year"])
    total = 10 * np.log10(merged["there"] + merged["new"])
    assert merged["level_dbm"].to_numpy() == pytest.approx(total.to_numpy(), abs=1e-6)
    # Verdicts: those of a coordination of these settings, in the table, at the stations, at the places, in words.
    pd.testing.assert_frame_equal(in_modes.verdicts, evaluate(project).verdicts)
    said = in_modes.verdicts.assign(code=in_modes.verdicts["verdict"].cat.codes).groupby("station_id")["code"].max()
    words = np.array(in_modes.verdicts["verdict"].cat.categories)
    inside = plan.stations[plan.stations["station_id"].isin(said.index)]
    assert (inside["coordination"].to_numpy() == words[said[inside["station_id"]]]).all()
    assert (inside["reasons"].str.contains("需与") == (inside["coordination"] == "coordinate")).all()
    hard = inside.loc[inside["coordination"] != "clear", "place_id"]
    assert set(plan.places.loc[plan.places["coordination"].isin(words[1:]), "place_id"]) == set(hard)
    fresh = lc.cover(project, in_modes.eligible)
    position = pd.Index(fresh.station_ids).get_indexer(chosen.index)
    kept = pd.MultiIndex.from_arrays([in_modes.cover.station_ids, in_modes.cover.modes])
    for at, key in zip(position, chosen.items(), strict=True):
        item = kept.get_loc(key)
        mine, own = (one.indices[one.indptr[k] : one.indptr[k + 1]] for one, k in ((fresh, at), (in_modes.cover, item)))
        assert np.array_equal(mine, own)


def test_a_plan_says_where_it_counts_on_measures_nobody_has_agreed_to(county_project, in_modes, tmp_path):
    """A filter proposed at the station that is overloaded today: named in the summary, marked in the workbook."""
    import openpyxl

    from lcsiting.exporters.text import summary_text

    proposed = lc.run(county(county_project, ["ES009"], coordination={"enforce": "physics"}), progress=False)
    marked = proposed.budgets[proposed.budgets["unagreed"]]
    assert "ES008" in set(marked["protected_id"]) and not in_modes.budgets["unagreed"].any()
    line = next(line for line in summary_text(proposed).splitlines() if "尚未商定的台站侧措施" in line)
    assert all(name in line for name in marked["protected_id"]) and "加装滤波器" in line
    assert "尚未商定" not in summary_text(in_modes) and "按协调方式" in summary_text(in_modes)
    assert "nobody has agreed to" in summary_text(proposed, "en")
    lc.export(proposed, tmp_path, formats=["xlsx"])
    rows = openpyxl.load_workbook(tmp_path / "plan.xlsx", read_only=True)["集总干扰预算"].iter_rows(values_only=True)
    rows = [row for row in rows if row]
    at = next(k for k, row in enumerate(rows) if "依赖未商定措施" in row)
    column = rows[at].index("依赖未商定措施")
    assert sum(row[column] in (True, "是") for row in rows[at + 1 :]) == len(marked)


def test_prediction_and_files_know_the_modes(in_modes, tmp_path):
    import geopandas as gpd
    import openpyxl

    plan = in_modes.plan
    chosen = plan.stations[plan.stations["mode"] != ""].set_index("station_id")
    sectors = in_modes.coverages[2023].sectors.groupby("station_id").size()
    off = chosen.index[chosen["mode"].str.startswith("site_sector_off")]
    assert (sectors.loc[off] < 3).all()
    assert in_modes.summary["modes"] == chosen["mode"].value_counts().sort_index().to_dict()
    lc.export(in_modes, tmp_path, formats=["xlsx", "shp"])
    rows = list(openpyxl.load_workbook(tmp_path / "plan.xlsx", read_only=True)["规划基站"].iter_rows(values_only=True))
    header = next(row for row in rows if row and "基站编号" in row)
    column, ident = header.index("开通方式(空为按规划)"), header.index("基站编号")
    shown = {row[ident]: row[column] for row in rows if len(row) > ident and row[ident] in chosen.index}
    assert shown and all("关闭扇区" in shown[station] for station in off)
    layers = [gpd.read_file(path) for path in sorted(tmp_path.glob("shp/**/*.shp"))]
    stations = next(layer for layer in layers if "KTFS" in layer)
    assert stations.set_index("BSM").loc[off, "KTFS"].str.startswith("关闭扇区").all()
    opened = lc.open_result(lc.save(in_modes, tmp_path / "r"))
    again = lc.predict_coverage(opened.project, opened.plan, 2023)
    pd.testing.assert_frame_equal(again.statistics, in_modes.coverages[2023].statistics)


def test_refined_antennas_keep_the_modes_and_the_budgets(county_project, in_modes):
    """Refinement after modes: a station in a mode keeps it, and the budgets hold with every setting as it is then."""
    project = county(county_project, ["ES009"], ranking={"refine": True})
    result = lc.run(project, progress=False)
    assert len(result.tables["refined_sectors"]) and holds(result.project, result.plan)
    assert result.budgets["within"].all()
    chosen = result.plan.stations.loc[result.plan.stations["mode"] != "", "station_id"]
    assert len(chosen) and not set(chosen) & set(result.tables["refined_sectors"]["station_id"])
    mine, before = (one.project.stations.set_index("station_id").loc[chosen] for one in (result, in_modes))
    for name in ("azimuths_deg", "tilts_deg", "power_offset_db"):
        assert mine[name].tolist() == before[name].tolist()
