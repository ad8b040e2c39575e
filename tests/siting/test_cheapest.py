"""The least cost for a share of the demand, against brute force and the tables."""

import dataclasses
import itertools

import numpy as np
import pytest

from lcsiting.config import Phase, Quota
from lcsiting.siting import cheapest, phases
from lcsiting.siting.items import make_items
from lcsiting.siting.limits import cost_by_phase, make_limits


def asking(project, shares, unit="station", **fields):
    steps = [Phase(year=y, target=80, unit=unit, target_share=s) for y, s in zip((2020, 2023), shares, strict=False)]
    config = project.config.model_copy(update={"phases": steps, **fields})
    return dataclasses.replace(project, config=config)


@pytest.mark.parametrize("unit", ["station", "place"])
def test_every_phase_reaches_its_share_and_the_tables_say_what_it_costs(tiny_project, cover, eligible, verdicts, unit):
    plan = phases.rank(asking(tiny_project, (0.4, 0.6), unit), cover, eligible, verdicts, threads=1)
    assert (plan.phases["covered_weight_share"] >= [0.4, 0.6]).all() and plan.phases["reached"].all()
    rows = plan.limits[plan.limits["kind"] == "least_cost"]
    assert rows["value"].to_numpy() == pytest.approx(plan.phases["cost"].to_numpy())
    assert (rows["bound"] <= rows["value"] + 1e-9).all() and (rows["bound"] > 0.4 * rows["value"]).all()
    assert plan.stations["cumulative_share"].is_monotonic_increasing
    counted = phases.rank(
        dataclasses.replace(
            tiny_project,
            config=tiny_project.config.model_copy(
                update={"phases": [Phase(year=2020, target=int(plan.phases[f"{unit}s"].iloc[0]), unit=unit)]}
            ),
        ),
        cover, eligible, verdicts, threads=1,
    )  # fmt: skip
    assert plan.phases["cost"].iloc[0] <= counted.phases["cost"].iloc[0] + 1e-9 or (
        counted.phases["covered_weight_share"].iloc[0] < 0.4
    )


def test_quotas_hold_and_a_share_out_of_reach_is_named(tiny_project, cover, eligible, verdicts):
    project = asking(tiny_project, (0.4, 0.55), quotas=[Quota(county="茌平区", min=9)])
    plan = phases.rank(project, cover, eligible, verdicts, threads=1)
    assert (plan.stations.query("phase_year <= 2020")["county"] == "茌平区").sum() >= 9
    assert plan.limits.query("kind == 'quota_min'")["outcome"].isin(["kept", "binding"]).all()
    wanting = phases.rank(asking(tiny_project, (0.4, 1.0)), cover, eligible, verdicts, threads=1)
    row = wanting.limits.query("kind == 'target_share' and year == 2023").iloc[0]
    assert row["outcome"] == "impossible" and row["value"] == row["best"] <= row["bound"] < 1.0
    assert not wanting.phases["reached"].iloc[1]
    bounds = wanting.limits[wanting.limits["kind"] == "least_cost"].set_index("year")["bound"]
    assert bounds[2020] > 0 and np.isnan(bounds[2023]), "nothing to compare with where nothing can meet it"


@pytest.mark.parametrize("seed", range(4))
def test_no_choice_is_cheaper_than_the_bound(tiny_project, cover, seed):
    """Every choice of a few stations, counted with the cost of the tables."""
    rng = np.random.default_rng(seed)
    keep = np.sort(rng.choice(len(cover.station_ids), 11, replace=False))
    rows = [cover.indices[cover.indptr[i] : cover.indptr[i + 1]] for i in keep]
    few = dataclasses.replace(
        cover, station_ids=cover.station_ids[keep], station_rows=cover.station_rows[keep],
        indptr=np.concatenate([[0], np.cumsum([len(r) for r in rows])]), indices=np.concatenate(rows),
    )  # fmt: skip
    reach = few.row_weight[np.unique(few.indices)].sum() / few.row_weight.sum()
    share = 0.8 * float(reach)
    project = asking(tiny_project, (share,))
    items = make_items(project, few)
    limits = make_limits(project, few, items)
    label, alone = cheapest.choose_cheapest(project, few, items, limits)
    found = cost_by_phase(items, limits, label)[0]
    best = np.inf
    for inside in itertools.product([0, 1], repeat=len(keep)):
        chosen = np.where(items.locked, 0, 1 - np.array(inside)).astype(np.int8)
        done = np.unique(
            np.concatenate([np.empty(0, np.int32), *(r for r, c in zip(rows, chosen, strict=True) if c == 0)])
        )
        if few.row_weight[done].sum() >= share * few.row_weight.sum():
            best = min(best, cost_by_phase(items, limits, chosen)[0])
    assert alone[0].lower_bound <= best + 1e-9 and best <= found + 1e-9
    assert found <= 1.3 * best + 1e-9
