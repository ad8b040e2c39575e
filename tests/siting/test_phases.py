"""The phased plan of the tiny city, on a cover of plain discs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from lcsiting import rules, schema
from lcsiting.config import Phase, Ranking, Target
from lcsiting.siting import phases, ranking


def changed(project, **fields):
    """The project with other fields in its configuration."""
    return dataclasses.replace(project, config=project.config.model_copy(update=fields))


@pytest.fixture(scope="module")
def plan(tiny_project, cover, eligible, verdicts):
    return phases.rank(tiny_project, cover, eligible, verdicts, threads=1)


def test_tables_have_the_columns_and_types_of_the_schema(plan):
    kinds = {"int": "i", "float": "f", "bool": "b", "str": "OTU"}
    for name in ("stations", "places", "phases", "counties", "refused"):
        table = getattr(plan, name)
        columns = schema.table(name).columns
        assert [c for c in table.columns if c != "geometry"] == list(columns)
        assert not table.isna().any().any()
        for column in columns.values():
            assert table[column.name].dtype.kind in kinds[column.dtype], (name, column.name)


def test_what_is_on_air_comes_first_covers_and_counts(plan, tiny_project):
    air = plan.stations[plan.stations["status"] == "on_air"]
    assert sorted(air["station_id"]) == sorted(tiny_project.stations.query("on_air")["station_id"])
    assert air.index.tolist() == list(range(len(air))) and (air["rank"] == 0).all()
    assert (air["cost"] == 0).all() and (air["basis"] == "on_air").all() and (air["block"] == 0).all()
    assert plan.phases["stations"].tolist() == [12, 40]
    assert plan.phases["new_stations"].tolist() == [12 - len(air), 28]
    assert plan.phases["reached"].all()


def test_ranks_count_up_and_blocks_and_years_follow(plan):
    new = plan.stations[plan.stations["status"] == "planned"]
    assert new["rank"].tolist() == list(range(1, len(new) + 1))
    assert new["block"].is_monotonic_increasing and new["phase_year"].is_monotonic_increasing
    assert plan.stations["cumulative_share"].is_monotonic_increasing


def test_phases_are_nested(tiny_project, cover, eligible, verdicts, plan):
    first = changed(tiny_project, phases=tiny_project.config.phases[:1])
    short = phases.rank(first, cover, eligible, verdicts, threads=1).stations
    assert short["station_id"].tolist() == plan.stations["station_id"][: len(short)].tolist()


def test_counties_add_up_to_the_city(plan, cover):
    sums = plan.counties.groupby("year")[["stations", "places", "population", "cost"]].sum()
    for phase in plan.phases.itertuples():
        county = sums.loc[phase.year]
        assert (county["stations"], county["places"]) == (phase.stations, phase.places)
        assert county["population"] == pytest.approx(cover.cells["people"].sum())
        assert county["cost"] == pytest.approx(phase.cost)


def test_gains_add_up_to_what_is_covered(plan, cover):
    position = {station: k for k, station in enumerate(cover.station_ids)}
    rows = [cover.indices[cover.indptr[i] : cover.indptr[i + 1]] for i in plan.stations["station_id"].map(position)]
    covered = np.unique(np.concatenate(rows))
    assert plan.stations["gain_weight"].sum() * 100 == pytest.approx(cover.row_weight[covered].sum())
    assert plan.stations["cumulative_share"].iloc[-1] == pytest.approx(
        cover.row_weight[covered].sum() / cover.row_weight.sum()
    )
    n = len(cover.cells)
    outdoor = [covered[covered // n == k] % n for k in (0, 2)]
    people = sum(cover.cells["people"].to_numpy()[cells].sum() for cells in outdoor)
    assert plan.stations["gain_people"].sum() == pytest.approx(people, abs=0.01 * n)
    assert plan.stations["gain_area_km2"].sum() == pytest.approx(0.01 * sum(map(len, outdoor)))


def test_every_station_is_in_the_plan_or_refused_with_a_reason(plan, tiny_project):
    ids = sorted([*plan.stations["station_id"], *plan.refused["station_id"]])
    assert ids == sorted(tiny_project.stations["station_id"])
    refused = plan.refused.set_index("station_id")
    last = tiny_project.stations["station_id"].iloc[-2:]
    assert refused.loc[last, "rule"].tolist() == ["farmland", "farmland"], "the first rule that failed"
    assert refused.loc[last, "reason"].tolist() == ["位于示例图斑1内"] * 2
    others = refused.drop(last)
    assert (others["rule"] == "not_selected").all() and (others["reason"] != "").all()


def test_places_gather_their_stations(plan, tiny_project):
    assert plan.places["stations"].sum() == len(plan.stations)
    assert plan.places["gain_people"].sum() == pytest.approx(plan.stations["gain_people"].sum())
    assert plan.places["cost"].sum() == pytest.approx(plan.stations["cost"].sum())
    assert len(plan.places) == plan.phases["places"].iloc[-1]
    both = plan.places[plan.places["stations"] == 2]
    assert (both["networks"].str.count(r"\+") == 1).all() and len(both)
    row = plan.phases.iloc[-1]
    assert row["sharing"] == pytest.approx(row["stations"] / row["places"])
    assert row["reuse_share"] == pytest.approx((plan.places["source"] == "existing").mean())


def test_a_second_network_costs_only_equipment(plan, tiny_project):
    stations = plan.stations.merge(tiny_project.stations[["station_id", "second_cost"]], on="station_id")
    later = stations["place_id"].duplicated() & (stations["status"] == "planned")
    assert later.any() and (stations["cost"] == stations["second_cost"])[later].all()
    assert stations["reasons"][later].str.contains("共址").all()


def test_reasons_say_what_a_station_adds(plan):
    for row in plan.stations.itertuples():
        if row.gain_people >= 0.5:
            assert f"新增覆盖室外{row.gain_people:.0f}人、{row.gain_area_km2:.2f}平方公里" in row.reasons
    assert (plan.stations["reasons"].str.encode("gbk").str.len() <= 254).all(), "fits the shapefile field"


def test_the_worst_verdict_stands_with_the_station(plan):
    stations = plan.stations.set_index("station_id")
    assert stations.loc["LC000-N1", ["coordination", "coordination_verified"]].tolist() == ["coordinate", False]
    assert stations.loc["LC000-N2", "coordination"] == "outside"
    assert "需与1个台站协调（依据未核实）" in stations.loc["LC000-N1", "reasons"]
    others = stations.drop(["LC000-N1", "LC000-N2"])
    silent = np.where(others["band"] == "n78", "clear", "outside")  # no row: the band gate decides
    assert others["coordination"].tolist() == silent.tolist() and set(silent) == {"clear", "outside"}
    assert not stations["reasons"].drop("LC000-N1").str.contains("未核实").any()
    places = plan.places.set_index("place_id")
    unverified = ~places["coordination_verified"]
    assert unverified[unverified].index.tolist() == ["LC000"], "one unverified station makes its place unverified"
    assert places.loc["LC000", "coordination"] == "coordinate"


@pytest.mark.parametrize(
    ("verdict", "verified", "sentence"),
    [
        ("coordinate", True, "；需与2个台站协调"),
        ("coordinate", False, "；需与2个台站协调（依据未核实）"),
        ("excluded", True, "；与2个台站的物理计算不满足，台站侧与基站侧措施均不足，须移址或取消"),
        ("excluded", False, "；与2个台站的物理计算不满足，台站侧与基站侧措施均不足（依据未核实），须移址或取消"),
        ("not_assessed", False, "；无受保护台站清单，未作协调评估"),
    ],
)
def test_reasons_say_what_coordination_asks(tiny_project, cover, eligible, verdict, verified, sentence):
    station = tiny_project.stations["station_id"].iloc[0]
    rows = [(station, "ES1", verdict, verified), (station, "ES2", verdict, verified), (station, "ES3", "clear", True)]
    verdicts = pd.DataFrame(rows, columns=["station_id", "protected_id", "verdict", "verified"])
    stations = phases.rank(tiny_project, cover, eligible, verdicts, threads=1).stations.set_index("station_id")
    assert stations.loc[station, "reasons"].endswith(sentence)
    assert stations.loc[station, ["coordination", "coordination_verified"]].tolist() == [verdict, verified]
    assert len(stations.loc[station, "reasons"].encode("gbk")) <= 254, "fits the shapefile field"


def test_without_a_list_of_protected_stations_nothing_was_assessed(tiny_project, cover, eligible, verdicts):
    layers = tiny_project.layers | {"protected_stations": tiny_project.layers["protected_stations"].iloc[:0]}
    project = dataclasses.replace(tiny_project, layers=layers)
    stations = phases.rank(project, cover, eligible, verdicts.iloc[:0], threads=1).stations
    inside = stations["band"].isin(["n78"])
    assert inside.any() and set(stations["band"][~inside]) == {"n41", "n28", "n1"}
    assert (stations["coordination"][inside] == "not_assessed").all()
    assert not stations["coordination_verified"][inside].any()
    assert stations["reasons"][inside].str.contains("未作协调评估").all()
    # The band gate needs no list: these need no coordination, whoever is to be protected.
    assert (stations["coordination"][~inside] == "outside").all() and stations["coordination_verified"][~inside].all()
    assert not stations["reasons"][~inside].str.contains("未作协调评估").any()


def test_a_place_on_air_that_gets_a_further_network_shows_the_planned_part(tiny_project, cover, eligible, verdicts):
    project = changed(tiny_project, phases=[Phase(year=2020, target=30), Phase(year=2023, target=40)])
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    groups = dict(list(plan.stations.groupby("place_id")))
    kinds = set()
    for place in plan.places.itertuples():
        air = groups[place.place_id].query("status == 'on_air'")
        new = groups[place.place_id].query("status == 'planned'")
        kind = "planned" if air.empty else "on_air" if new.empty else "expand"
        kinds.add(kind)
        assert place.status == kind
        assert place.phase_year == (0 if new.empty else new["phase_year"].min())
        assert (place.rank == 0) == new.empty
        assert place.cost == pytest.approx(new["cost"].sum())
        if len(new):
            first = new.iloc[0]
            assert (place.tier, place.action) == (first["tier"], first["action"])
    assert kinds == {"on_air", "expand", "planned"}
    ranks = plan.places["rank"]
    assert ranks[ranks > 0].tolist() == list(range(1, (ranks > 0).sum() + 1)) and ranks.is_monotonic_increasing


def test_coverage_gains_fall_within_a_tier_block_without_preference(tiny_project, cover, eligible, verdicts):
    project = changed(tiny_project, ranking=Ranking(preference=False), targets=[])
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    chosen = plan.stations[plan.stations["basis"] == "coverage"]
    assert len(set(chosen["block"])) > 1
    for _, block in chosen.groupby("block"):
        assert block["block_gain"].is_monotonic_decreasing
        assert (block["block_gain"] <= block["gain_weight"] + 1e-9).all()


def test_a_tier_stops_when_its_grade_is_reached(tiny_project, cover):
    project = changed(tiny_project, phases=[Phase(year=2020, target=40)])
    items = phases.make_items(project, cover)
    chosen = phases.choose(project, cover, items).rows
    tiers = rules.load("tiers")
    urban = chosen[chosen["tier"] == "urban"]
    upto = chosen[: urban.index[-1] + 1]
    cells, n = cover.cells, len(cover.cells)
    inside = (cells["tier"] == tiers["urban"]["order"]).to_numpy()

    def outdoor_shares(rows):
        covered = np.unique(
            np.concatenate([cover.indices[cover.indptr[i] : cover.indptr[i + 1]] for i in rows["position"]])
        )
        for network in (0, 1):
            hit = np.zeros(n, bool)
            hit[covered[covered // n == 2 * network] % n] = True
            yield cells["people"][hit & inside].sum() / cells["people"][inside].sum()
            yield (hit & inside).sum() / inside.sum()

    assert min(outdoor_shares(upto)) >= 0.95
    assert min(outdoor_shares(upto[:-1])) < 0.95, "one station fewer had not reached it"


def test_the_grade_due_next_counts_then_the_last_one(tiny_project):
    targets = [Target(area="市城区", grade="full", by=2020), Target(area="市城区", grade="quality", by=2023)]
    project, urban = changed(tiny_project, targets=targets), rules.load("tiers")["urban"]
    assert [phases.grade_of(project, urban, year) for year in (2019, 2020, 2021, 2023, 2025)] == [
        ["full"], ["full"], ["quality"], ["quality"], ["quality"]
    ]  # fmt: skip
    assert phases.grade_of(project, rules.load("tiers")["rural"], 2020) == []


def test_villages_are_counted_in_their_cells(tiny_project, cover):
    count = phases._villages(tiny_project, cover.cells)
    villages = tiny_project.layers["villages"].geometry
    assert count.sum() == len(villages)
    cells = cover.cells[count > 0]
    for point in villages:
        assert ((cells["x_m"] - point.x).abs().le(50) & (cells["y_m"] - point.y).abs().le(50)).any()


def test_a_target_out_of_reach_is_said_not_raised(tiny_project, wide_cover, eligible, verdicts):
    project = changed(tiny_project, phases=[Phase(year=2020, target=5000)])
    plan = phases.rank(project, wide_cover, eligible, verdicts, threads=1)
    assert plan.phases["reached"].tolist() == [False]
    assert plan.phases["stations"].tolist() == [len(tiny_project.stations) - 2]
    assert plan.refused["rule"].tolist() == ["farmland", "farmland"], "everything else was used"


def test_the_tail_takes_load_where_most_people_share_a_station(tiny_project, wide_cover, eligible, verdicts):
    project = changed(tiny_project, phases=[Phase(year=2020, target=5000)], ranking=Ranking(preference=False))
    stations = phases.rank(project, wide_cover, eligible, verdicts, threads=1).stations
    tail = stations[stations["basis"] == "capacity"]
    assert len(tail) > 3 and (tail["gain_weight"] == 0).all() and tail["block_gain"].is_monotonic_decreasing
    assert stations["basis"].iloc[-len(tail) :].eq("capacity").all()
    # by the definition: an even share of the people of each cell of the first service
    cover, n = wide_cover, len(wide_cover.cells)
    position = {s: k for k, s in enumerate(cover.station_ids)}
    serving, people = np.zeros(len(cover.row_weight)), np.rint(cover.cells["people"].to_numpy() * 100)
    for row in stations.itertuples():
        i = position[row.station_id]
        mine = cover.indices[cover.indptr[i] : cover.indptr[i + 1]]
        outdoor = mine[mine // n % 2 == 0]
        if row.basis == "capacity":
            assert row.block_gain * 100 == pytest.approx((people[outdoor % n] // (serving[outdoor] + 1)).sum())
        serving[mine] += 1


def test_max_share_leaves_room_for_the_next_tier(tiny_project, cover, eligible, verdicts, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "tiers.toml").write_text("[urban]\nmax_share = 0.5\n", encoding="utf-8")
    project = dataclasses.replace(changed(tiny_project, targets=[]), root=tmp_path)
    stations = phases.rank(project, cover, eligible, verdicts, threads=1).stations
    first = stations[stations["phase_year"] <= 2020]
    assert (first["tier"] == "urban").sum() == 6
    assert set(first["tier"]) > {"urban"}


def test_places_as_unit_carry_all_their_networks(tiny_project, cover, eligible, verdicts):
    project = changed(
        tiny_project, phases=[Phase(year=2020, target=8, unit="place"), Phase(year=2023, target=15, unit="place")]
    )
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    assert plan.phases["places"].tolist() == [8, 15] and plan.phases["reached"].all()
    new = plan.places[plan.places["status"] == "planned"]
    assert (new["stations"] == 2).all(), "both networks are eligible everywhere in the cover"
    assert plan.counties.groupby("year")["places"].sum().tolist() == [8, 15]


def test_place_items_are_the_merged_rows_of_their_stations(tiny_project, cover):
    project = changed(tiny_project, phases=[Phase(year=2020, target=8, unit="place")])
    items = phases.make_items(project, cover)
    assert sorted(items.members) == list(range(len(cover.station_ids)))
    place = tiny_project.stations["place"].to_numpy()[cover.station_rows]
    for k in range(len(items.place_of)):
        members = items.members[items.member_ptr[k] : items.member_ptr[k + 1]]
        assert (place[members] == items.place_of[k]).all()
        rows = np.concatenate([cover.indices[cover.indptr[i] : cover.indptr[i + 1]] for i in members])
        assert items.indices[items.indptr[k] : items.indptr[k + 1]].tolist() == rows.tolist()
    air = tiny_project.stations["on_air"].to_numpy()[cover.station_rows]
    half = [p for p in np.unique(place) if 0 < air[place == p].sum() < (place == p).sum()]
    assert half and all(sorted(items.units[items.place_of == p]) == [0, 1] for p in half)


def test_preference_moves_better_hosts_forward(tiny_project, cover, eligible, verdicts, plan):
    plain = phases.rank(changed(tiny_project, ranking=Ranking(preference=False)), cover, eligible, verdicts)
    assert plan.phases["cost"].iloc[0] <= plain.phases["cost"].iloc[0]
    assert plan.phases["sharing"].iloc[-1] >= plain.phases["sharing"].iloc[-1]
    assert plan.stations["station_id"].tolist() != plain.stations["station_id"].tolist()


def test_same_bytes_on_one_and_two_threads(tiny_project, cover, eligible, verdicts, plan):
    two = phases.rank(tiny_project, cover, eligible, verdicts, threads=2)
    pd.testing.assert_frame_equal(pd.DataFrame(plan.stations), pd.DataFrame(two.stations), check_exact=True)


def test_no_tiers_no_preference_is_the_plain_ranking(tiny_project, cover, eligible, verdicts, tmp_path):
    (tmp_path / "rules").mkdir()
    text = "".join(f"[{name}]\nmax_share = 0.0\n" for name in rules.load("tiers"))
    (tmp_path / "rules" / "tiers.toml").write_text(text, encoding="utf-8")
    project = dataclasses.replace(changed(tiny_project, ranking=Ranking(preference=False)), root=tmp_path)
    stations = phases.rank(project, cover, eligible, verdicts, threads=1).stations
    air = np.flatnonzero(tiny_project.stations["on_air"].to_numpy()[cover.station_rows])
    plain = ranking.rank_cover(
        (cover.indptr, cover.indices), cover.row_weight, phases=[12, 40], locked=air, effort="greedy"
    )
    n = len(plain.order)
    assert stations["station_id"][:n].tolist() == cover.station_ids[plain.order].tolist()


def test_nothing_eligible_is_an_empty_plan(tiny_project, no_cover, eligible, verdicts):
    stations = tiny_project.stations.assign(on_air=False)
    project = dataclasses.replace(tiny_project, stations=stations)
    plan = phases.rank(project, no_cover, eligible, verdicts.iloc[:0])
    assert plan.stations.empty and plan.places.empty and len(plan.refused) == len(stations)
    assert plan.phases["reached"].tolist() == [False, False] and (plan.counties["stations"] == 0).all()
