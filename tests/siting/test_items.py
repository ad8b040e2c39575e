"""Places offered in every combination of their stations' modes, against enumerations written out."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lcsiting.config import Phase, Ranking
from lcsiting.errors import LayerError
from lcsiting.siting import items as items_of
from lcsiting.siting import mode_cover, phases, plan_certificate, replace
from lcsiting.siting.limits import make_limits

MODES = {"site_tilt": 0.8, "site_sector_off:1": 0.5}


def by_place(project, targets=(8, 15), **switches):
    steps = [Phase(year=year, target=n, unit="place") for year, n in zip((2020, 2023), targets, strict=False)]
    config = project.config.model_copy(update={"phases": steps, "ranking": Ranking(preference=False, **switches)})
    return dataclasses.replace(project, config=config)


def offered(project, cover, networks=(0, 1), modes=MODES, every=1):
    """The stations of some networks that are not on air (each ``every``-th) also in modes; a mode keeps some rows."""
    stations = project.stations.iloc[cover.station_rows]
    new = np.flatnonzero(~stations["on_air"].to_numpy(bool) & stations["network_index"].isin(networks).to_numpy())
    new = new[::every]
    plain = [cover.indices[cover.indptr[i] : cover.indptr[i + 1]] for i in range(len(cover.station_rows))]
    rows = [*plain, *(plain[i][: round(share * len(plain[i]))] for share in modes.values() for i in new)]
    at = np.concatenate([np.arange(len(plain)), *([new] * len(modes))])
    wide = dataclasses.replace(
        cover,
        station_ids=cover.station_ids[at],
        station_rows=cover.station_rows[at],
        indptr=np.concatenate([[0], np.cumsum([len(r) for r in rows])]).astype(np.int64),
        indices=np.concatenate(rows).astype(np.int32),
        modes=np.repeat(np.array(["as_planned", *modes], object), [len(plain), *([len(new)] * len(modes))]),
    )
    return mode_cover.some_items(wide, np.argsort(at, kind="stable"))


def members_of(items):
    return [items.members[a:b].tolist() for a, b in itertools.pairwise(items.member_ptr)]


@pytest.mark.parametrize(("networks", "every"), [((0, 1), 1), ((1,), 1), ((0, 1), 3)])
def test_items_are_all_combinations_of_a_place(tiny_project, cover, networks, every):
    project, many = by_place(tiny_project), offered(tiny_project, cover, networks, every=every)
    items = items_of.make_items(project, many)
    stations = project.stations.iloc[many.station_rows]
    place, on_air = stations["place"].to_numpy(), stations["on_air"].to_numpy(bool)
    wanted, groups = {}, set()
    for p, air in itertools.product(np.unique(place), (True, False)):
        mine = np.flatnonzero((place == p) & (on_air == air))
        ways = []
        for row in np.unique(many.station_rows[mine]):
            own = mine[many.station_rows[mine] == row].tolist()
            ways.append([[k] for k in own] + ([[]] if len(own) > 1 else []))
        some = [sorted(itertools.chain(*way)) for way in itertools.product(*ways)]
        some = [tuple(way) for way in some if way] if len(mine) else []
        wanted |= {way: (p, air, len(some) > 1) for way in some}
        if len(some) > 1:
            groups.add((p, air))
    got = [tuple(sorted(one)) for one in members_of(items)]
    assert len(got) == len(set(got)) and set(got) == set(wanted)
    live = set(place[on_air])
    for k, way in enumerate(got):
        p, air, several = wanted[way]
        assert items.place_of[k] == p and items.locked[k] == air
        assert items.units[k] == (0 if p in live and not air else 1)
        rows = np.sort(np.concatenate([many.indices[many.indptr[i] : many.indptr[i + 1]] for i in way]))
        assert np.array_equal(np.sort(items.indices[items.indptr[k] : items.indptr[k + 1]]), rows)
        assert (np.diff(rows) > 0).all(), "a row counts once in an item"
        assert (items.modes[k] >= 0) == several
    owner = pd.Series([wanted[way][:2] for way in got])[items.modes >= 0].groupby(items.modes[items.modes >= 0])
    assert set(owner.first()) == groups and owner.agg(lambda p: len(set(p)) == 1).all() and len(owner) == len(groups)
    # The first of a group is the whole place as planned; the others are its further modes.
    heads = [got[i] for i in np.flatnonzero(~items.further_modes)]
    everyone = many.modes == "as_planned"
    assert all(everyone[list(way)].all() for way in heads) and sum(map(len, heads)) == everyone.sum()


def test_what_is_on_air_stays_and_its_place_may_be_joined_in_modes(tiny_project, cover):
    project, many = by_place(tiny_project), offered(tiny_project, cover)
    items = items_of.make_items(project, many)
    air = project.stations["on_air"].to_numpy(bool)[many.station_rows]
    inside = [air[one].all() if air[one].any() else None for one in members_of(items)]
    assert True in inside and False not in inside, "what is on air shares no item with what is new"
    joined = np.flatnonzero((items.units == 0) & (items.modes >= 0))
    assert len(joined) and not items.locked[joined].any()
    costs = make_limits(project, many, items)
    assert (costs.cost[joined] == costs.opened_cost[joined]).all(), "the place is paid for"


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 40), st.data())
@settings(deadline=None, max_examples=100)
def test_too_many_combinations_lose_modes_in_the_middle(counts, most, data):
    weight = np.array([data.draw(st.integers(0, 9)) for _ in range(sum(counts))])
    ends = np.cumsum([0, *counts])
    lists = [list(range(a, b)) for a, b in itertools.pairwise(ends)]
    ways = items_of._ways(lists, weight, most)
    every = list(itertools.product(*lists))
    assert len(ways) == len(set(ways)) <= max(most, 1) and set(ways) <= set(every) and ways[0] == every[0]
    if len(every) <= most:
        assert ways == every
    for k, one in enumerate(lists):
        kept = {way[k] for way in ways}
        if len(kept) > 1:  # the lightest mode is the last to go
            assert min(weight[one[1:]]) in weight[sorted(kept - {one[0]})]


def test_a_place_has_no_more_ways_than_the_rules_say(tiny_project, cover, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "ranking.toml").write_text("[place_ways]\nvalue = 6\n", encoding="utf-8")
    many = offered(tiny_project, cover)
    free, held = by_place(tiny_project), dataclasses.replace(by_place(tiny_project), root=tmp_path)
    sizes = [np.bincount(items_of.make_items(p, many).modes + 1)[1:].max() for p in (free, held)]
    assert sizes[0] == 15 and sizes[1] <= 6  # (1 + 2 modes + away) for each of two networks, not both away


def test_the_label_is_that_of_the_whole_choice(tiny_project, cover):
    """The item that has exactly what entered, not one that is part of it or shares a station with it."""
    project, many = by_place(tiny_project), offered(tiny_project, cover)
    items = items_of.make_items(project, many)
    whole = members_of(items)
    group = items.modes[np.flatnonzero(items.units * (items.modes >= 0))[0]]
    for k in np.flatnonzero(items.modes == group):
        rows = pd.DataFrame({"position": whole[k], "phase": 1})
        assert np.flatnonzero(plan_certificate.labels_of(items, rows, 2) < 2).tolist() == [k]


def test_the_plain_mode_comes_first(tiny_project, cover):
    many = offered(tiny_project, cover)
    with pytest.raises(LayerError, match="Build the cover with the plain mode first"):
        items_of.make_items(by_place(tiny_project), dataclasses.replace(many, modes=many.modes[::-1]))


def few_places(project, cover, count=4, modes=MODES):
    """On air, and the first few places that have nothing on air; both networks in modes."""
    stations = project.stations.iloc[cover.station_rows]
    air = stations["on_air"].to_numpy(bool)
    live = set(stations["place"][air])
    new = [p for p in stations["place"].unique() if p not in live][:count]
    kept = np.flatnonzero(air | stations["place"].isin(new).to_numpy())
    return offered(project, mode_cover.some_items(cover, kept), modes=modes), new


def needs_of(many, project, needs):
    """One budget: what each mode needs, of network 1 ten times as much."""
    network = project.stations["network_index"].to_numpy()[many.station_rows]
    air = project.stations["on_air"].to_numpy(bool)[many.station_rows]
    loads = np.array([needs[mode] for mode in many.modes]) * np.where(network == 1, 10.0, 1.0) * ~air
    return loads, (np.arange(len(loads) + 1), np.zeros(len(loads), np.int32), loads)


def best_by_hand(project, many, new, loads, target, room):
    """Most covered weight of at most ``target`` places of ``new`` in any modes within the room: every choice tried."""
    place = project.stations["place"].to_numpy()[many.station_rows]
    on_air = project.stations["on_air"].to_numpy(bool)[many.station_rows]
    rows = [many.indices[many.indptr[i] : many.indptr[i + 1]] for i in range(len(place))]
    base = np.zeros(len(many.row_weight), bool)
    for i in np.flatnonzero(on_air):
        base[rows[i]] = True
    ways = []
    for p in new:
        per_station = [
            [[], *([i] for i in np.flatnonzero(many.station_rows == row))]
            for row in np.unique(many.station_rows[(place == p) & ~on_air])
        ]
        ways.append([list(itertools.chain(*way)) for way in itertools.product(*per_station)])
    best = 0
    for choice in itertools.product(*ways):
        some = list(itertools.chain(*choice))
        if sum(map(bool, choice)) > target or loads[some].sum() > room:
            continue
        done = base.copy()
        for i in some:
            done[rows[i]] = True
        best = max(best, int(many.row_weight[done].sum()))
    return best


NEEDS = {"as_planned": 1.0, "site_tilt": 0.3, "site_sector_off:1": 0.1}


@pytest.mark.parametrize("room", [0.5, 1.2, 2.0, 3.5, 13.5, 100.0])
def test_the_plan_is_the_best_of_all_combinations(tiny_project, cover, eligible, verdicts, room):
    """Three places, two networks, three modes or none each: with exchanges, what brute force finds."""
    many, new = few_places(tiny_project, cover, 3)
    stations = tiny_project.stations.iloc[many.station_rows]
    target = stations["place"][stations["on_air"].to_numpy(bool)].nunique() + 2
    project = by_place(tiny_project, (target,), improve=True, certificate=True)
    loads, needed = needs_of(many, project, NEEDS)
    plan = phases.rank(project, many, eligible, verdicts, resources=(needed, np.array([[room]])), threads=1)
    table = plan.stations[plan.stations["status"] == "planned"]
    at = pd.MultiIndex.from_arrays([many.station_ids, many.modes])
    used = loads[
        at.get_indexer(pd.MultiIndex.from_arrays([table["station_id"], table["mode"].replace("", "as_planned")]))
    ]
    assert used.sum() <= room and table["station_id"].is_unique
    assert table["place_id"].nunique() <= 2 and plan.phases["places"].iloc[0] <= target
    assert plan.certificate["checked"]
    best = best_by_hand(project, many, new, loads, 2, room)
    assert plan.certificate["joint"]["value"] == best <= plan.certificate["joint"]["upper_bound"]
    if room < 10:
        assert (table.loc[table["network"] == "电联", "mode"] != "").all(), "only in a mode does it fit"


def test_a_place_that_fits_in_no_combination_says_so(tiny_project, cover, eligible, verdicts):
    """Each station fits alone, the two of a place only in modes, until there is no room at all."""
    project, needs = by_place(tiny_project, (30,)), {"as_planned": 1.0, "site_tilt": 0.3}
    many, new = few_places(tiny_project, cover, 3, {"site_tilt": 0.8})
    plain = mode_cover.some_items(many, np.flatnonzero(many.modes == "as_planned"))

    def told(some, needed, room):
        resources = needed, np.array([[room]])
        plan = phases.rank(project, some, eligible, verdicts, resources=resources, resource_names=["甲预算"])
        refused = plan.refused[plan.refused["place_id"].isin(tiny_project.places["place_id"].iloc[new])]
        return plan.stations.query("status == 'planned'"), refused.set_index("station_id")

    bare, needed = dataclasses.replace(plain, modes=None), needs_of(plain, project, needs)[1]
    chosen, refused = told(bare, needed, 10.5)
    assert chosen.empty and len(refused) == 6 and (refused["rule"] == "protection_budget").all()
    assert refused["reason"].eq("加入后将超出甲预算").all()
    chosen, refused = told(many, needs_of(many, project, needs)[1], 10.5)
    assert chosen["place_id"].nunique() == 3 and chosen["mode"].eq("site_tilt").sum() == 2
    assert len(refused) == 1 and refused["reason"].eq("加入后将超出甲预算").all(), "1 + 3 twice, and 1 at the third"
    chosen, refused = told(many, needs_of(many, project, needs)[1], 0.2)
    assert chosen.empty and len(refused) == 6 and refused["reason"].eq("加入后将超出甲预算").all()
    # The other network loads nothing: it waits for its place.
    second = project.stations["network_index"].to_numpy()[plain.station_rows] == 1
    air = project.stations["on_air"].to_numpy(bool)[plain.station_rows]
    mine = second & ~air
    needed = np.concatenate([[0], np.cumsum(mine)]), np.zeros(mine.sum(), np.int32), np.full(mine.sum(), 10.0)
    chosen, refused = told(bare, needed, 9.0)
    expected = np.where(refused["network"] == "电联", "", "所在站址")
    assert chosen.empty and refused["reason"].tolist() == [f"{where}加入后将超出甲预算" for where in expected]
    # Where it is offered in modes, the place does without it.
    wide = offered(tiny_project, bare, networks=(1,), modes={"site_tilt": 0.8})
    mine = project.stations["network_index"].to_numpy()[wide.station_rows] == 1
    mine &= ~project.stations["on_air"].to_numpy(bool)[wide.station_rows]
    needed = np.concatenate([[0], np.cumsum(mine)]), np.zeros(mine.sum(), np.int32), np.full(mine.sum(), 10.0)
    chosen, refused = told(wide, needed, 9.0)
    assert set(chosen["network"]) == {"移动广电"} and set(refused["network"]) == {"电联"} and len(chosen) == 3
    assert refused["reason"].eq("加入后将超出甲预算").all()


def test_substitutes_are_tried_in_every_combination(tiny_project, cover, eligible, verdicts):
    """Only (tilt, sector off) keeps the budgets at the one place left."""
    project = by_place(tiny_project, (9, 10))
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    many = offered(tiny_project, cover)
    failed = plan.places.loc[(plan.places["status"] == "planned") & (plan.places["stations"] == 2), "place_id"].iloc[0]
    network = project.stations["network_index"].to_numpy()[many.station_rows]
    place = project.stations["place_id"].to_numpy()[many.station_rows]
    mine = np.isin(many.station_ids, plan.stations["station_id"])
    fits = np.where(network == 0, many.modes == "site_tilt", many.modes == "site_sector_off:1")
    loads = np.where(mine & (place != failed), 0.0, np.where(mine | fits, 0.4, 0.6))
    loads[project.stations["on_air"].to_numpy(bool)[many.station_rows]] = 0.0
    needed = np.arange(len(loads) + 1), np.zeros(len(loads), np.int32), loads
    after = replace.replace(
        project, many, plan, [failed], eligible=eligible, verdicts=verdicts, resources=(needed, np.full((2, 1), 0.8))
    )
    new = after.stations[~after.stations["station_id"].isin(plan.stations["station_id"])].set_index("network")
    assert new["mode"].to_dict() == {"移动广电": "site_tilt", "电联": "site_sector_off:1"}
    assert len(set(new["place_id"])) == 1
