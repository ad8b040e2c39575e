"""Swaps judged on the running sums against everything counted anew from the stations in service."""

import dataclasses

import numpy as np
import pytest

from lcsiting.config import Phase, Quota
from lcsiting.siting import cellmap, keep, phases


def counted(project, cover, entry, loads, by_place):
    """Resource use, units by county and cost of what is new by each phase; ``entry`` phase by item."""
    stations = project.stations.iloc[cover.station_rows].reset_index(drop=True)
    county = project.places["county"].to_numpy()[stations["place"]]
    live = set(stations["place"][stations["on_air"]])
    use, units, spent = [], [], []
    for t in range(2):
        there = stations[[entry.get(i, 2) <= t for i in range(len(stations))]]
        new = there[~there["on_air"]]
        use.append(loads[new.index].sum())
        key = there.drop_duplicates("place") if by_place else there
        units.append({c: int((county[key.index] == c).sum()) for c in ("东昌府区", "茌平区")})
        first = ~new["place"].duplicated() & ~new["place"].isin(live)
        spent.append(np.where(first, new["cost"], new["second_cost"]).sum())
    return np.array(use), units, np.array(spent)


@pytest.mark.parametrize("unit", ["station", "place"])
@pytest.mark.parametrize("seed", range(3))
def test_swaps_are_accepted_exactly_when_nothing_that_held_is_broken(
    tiny_project, cover, eligible, verdicts, unit, seed
):
    steps = [Phase(year=2020, target=10, unit=unit), Phase(year=2023, target=20, unit=unit)]
    config = tiny_project.config.model_copy(update={"phases": steps})
    plan = phases.rank(dataclasses.replace(tiny_project, config=config), cover, eligible, verdicts, threads=1)
    rng = np.random.default_rng(seed)
    n = len(cover.station_ids)
    loads = rng.integers(0, 8, n) / 8.0
    order = cellmap.plan_order(cover, plan).tolist()
    on_air = (plan.stations["status"] == "on_air").tolist()
    year = plan.stations["phase_year"].tolist()
    entry = {i: 0 if air or y == 2020 else 1 for i, air, y in zip(order, on_air, year, strict=True)}
    use, units, spent = counted(tiny_project, cover, entry, loads, unit == "place")
    quotas = [
        Quota(
            county=c,
            year=y,
            min=max(units[t][c] - int(rng.integers(0, 3)), 0),
            max=units[t][c] + int(rng.integers(0, 4)),
        )
        for t, y in enumerate((2020, 2023))
        for c in units[t]
    ]
    paid = [s.model_copy(update={"budget": float(b) + 0.3}) for s, b in zip(steps, spent, strict=True)]
    config = config.model_copy(update={"phases": paid, "quotas": quotas})
    project = dataclasses.replace(tiny_project, config=config)
    limit = use + 0.25
    state = keep.Keep(project, cover, plan, ((np.arange(n + 1), np.zeros(n, np.int64), loads), limit[:, None]))
    assert state.asks and state.use[:, 0] == pytest.approx(use) and state.spent == pytest.approx(spent)
    answers = []
    for _ in range(60):
        out = int(rng.choice([i for i, air in zip(order, on_air, strict=True) if not air and i in entry]))
        into = int(rng.choice([i for i in range(n) if i not in entry]))
        then = {k: v for k, v in entry.items() if k != out} | {into: entry[out]}
        use2, units2, spent2 = counted(tiny_project, cover, then, loads, unit == "place")
        now = counted(tiny_project, cover, entry, loads, unit == "place")
        good = ((use2 <= limit + 1e-9) | (use2 <= now[0] + 1e-9)).all()
        good &= ((spent2 <= np.array([p.budget for p in paid]) + 1e-9) | (spent2 <= now[2] + 1e-9)).all()
        for quota in quotas:
            t = 0 if quota.year == 2020 else 1
            before, after = now[1][t][quota.county], units2[t][quota.county]
            good &= (after <= quota.max or after <= before) and (after >= quota.min or after >= before)
        assert state.swap([(out, entry[out], 2)], [(into, entry[out], 2)]) == good
        answers.append(bool(good))
        if good:
            order[order.index(out)] = into
            entry = then
    assert True in answers and False in answers
