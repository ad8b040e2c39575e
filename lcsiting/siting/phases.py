"""From a cover to a phased plan: what is on air, then for every phase the tiers in order, then the rest.

Blocks of a phase, in this order (see ``blocks`` for what a block is):

1. one block per coverage floor that is due and one per county below its lower quota (``limits``; see :func:`choose`
   for what cannot be met); upper quotas and budgets are checked wherever a station is chosen;
2. one block per tier (``rules/tiers.toml``), counting only the demand rows inside its areas; it ends
   when its grade is reached, when no station gains ``tier_stop_gain`` in it, or when its
   ``max_share`` of the phase target is used;
3. a block over all rows, until the target is reached or no row gains any more;
4. a block by load relief: every further station takes over an even share of the people of each cell
   it reaches, and the one that takes most comes first.

Later phases continue where earlier ones stopped, so the sets are nested.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.model import Cover, Plan, Project
from lcsiting.siting import blocks, dual, plan_certificate, plan_limits, plan_tables
from lcsiting.siting import limits as limits_of
from lcsiting.siting.blocked import blocked_reasons
from lcsiting.siting.cheapest import bound_problems, choose_cheapest, chosen_of, with_costs
from lcsiting.siting.items import Items, make_items
from lcsiting.siting.plan_tables import Chosen, cell_measures
from lcsiting.siting.problem import conflict_graph

Ints = NDArray[np.int64]
# Indoor service or not, row of the cell measures (people, area, villages), field of rules/grades.toml.
GRADE_NEEDS = (
    (False, 0, "outdoor_people_pct"),
    (False, 1, "outdoor_area_pct"),
    (False, 2, "village_reach_pct"),
    (True, 0, "indoor_people_pct"),
)


def grade_of(project: Project, tier: dict[str, Any], year: int) -> list[str]:
    """Grades a tier should reach by the end of a phase: the next ones due, or the last that were."""
    targets = [t for t in project.config.targets if t.area == tier["name_zh"]]
    ahead = [t.by for t in targets if t.by >= year]
    due = min(ahead) if ahead else max((t.by for t in targets), default=0)
    return [t.grade for t in targets if t.by == due]


def needs_of(project: Project, cover: Cover, grades: list[str], measures: Ints, cells: Any) -> Ints:
    """Covered sums that make a grade, (n_measures, n_classes).

    People and area of the first outdoor service, people of the first indoor service, for each
    network; villages (``village_reach_pct``) for each network's outdoor service. Connectedness is
    not steered here; the statistics report it.

    Parameters
    ----------
    project, cover : Project, Cover
        Services and networks.
    grades : list of str
        Rows of ``rules/grades.toml``; the strictest number counts.
    measures : int64 (3, n_cells)
        People, area, villages of each cell, in whole units.
    cells : ndarray of bool, (n_cells,)
        Cells of the tier.

    Returns
    -------
    ndarray of int64
    """
    table = rules.load("grades", project.root / "rules")
    total = measures[:, cells].sum(axis=1)
    indoor = [service.indoor for service in project.config.services]
    needs = np.zeros((len(measures), len(cover.networks) * len(indoor)), np.int64)
    for inside, k, name in GRADE_NEEDS:
        hundredths = max((round(100 * table[grade].get(name, 0.0)) for grade in grades), default=0)
        if inside in indoor:
            needs[k, indoor.index(inside) :: len(indoor)] = -(-int(total[k]) * hundredths // 10_000)
    return needs


def _villages(project: Project, cells: pd.DataFrame) -> Ints:
    """Administrative-village points in each cell."""
    villages, count = project.layers.get("villages"), np.zeros(len(cells), np.int64)
    if villages is None or not len(villages) or not len(cells):
        return count
    size = project.config.demand.resolution_m
    x0, y0 = cells["x_m"].min() - size / 2, cells["y_m"].min() - size / 2
    points = villages.geometry.representative_point()
    key = np.floor((cells["y_m"] - y0) / size).to_numpy() * 1e6 + np.floor((cells["x_m"] - x0) / size).to_numpy()
    wanted = np.floor((points.y - y0) / size).to_numpy() * 1e6 + np.floor((points.x - x0) / size).to_numpy()
    order = np.argsort(key, kind="stable")
    found = np.minimum(np.searchsorted(key[order], wanted), len(key) - 1)
    hit = key[order[found]] == wanted
    np.add.at(count, order[found[hit]], 1)
    return count


def _first_service_load(cover: Cover, people: Ints) -> Ints:
    """People of every row of the first service, nobody in the other rows, (n_rows,)."""
    load = np.zeros((len(cover.networks), len(cover.services), len(people)), np.int64)
    load[:, 0] = people
    return load.reshape(-1)


def _bonuses(items: Items, state: blocks.State, gains: Ints, stop_gain: int) -> tuple[Ints, Ints]:
    """Preference in weight: shares of the (lower) median of what the block's items gain at its start."""
    usable = np.sort(gains[(state.taken == 0) & (gains >= stop_gain) & ~items.further_modes])
    typical = int(usable[(len(usable) - 1) // 2]) if len(usable) else 0
    return (
        np.rint(items.steps * typical).astype(np.int64),
        np.rint(items.sibling_steps * typical).astype(np.int64),
    )


def _run(
    items: Items, state: blocks.State, block: blocks.Block, costs: Any, threads: int
) -> blocks.Picks | None:  # fmt: skip
    """One block with its preference; None if there is nothing to do."""
    if block.max_units <= 0 or not block.in_block.any():
        return None
    if block.needs.any():
        done = blocks.covered_measures(state, block.in_block, block.measures)
        if (done >= block.needs).all():
            return None
    if block.rows is not None:
        enough = block.enough - int(state.weights[block.rows & (state.serving > 0)].sum())
        if enough <= 0:
            return None
        block = replace(block, enough=enough)
    left = blocks.remaining(state, block)
    gains = blocks.item_gains(state, left, threads=threads)
    bonus, sibling = _bonuses(items, state, gains, max(block.stop_gain, 1))
    picks = blocks.run_block(
        state, block, left=left, gains=gains, bonus=bonus, sibling_bonus=sibling, units=items.units, costs=costs
    )
    return picks if len(picks.order) else None


def _blocks(
    project: Project, cover: Cover, measures: Ints, tiers: dict[str, rules.Row], year: int
) -> list[tuple[str, str, blocks.Block]]:
    """Tier id (empty: all rows), basis and block of everything a phase runs, in order."""
    table = rules.load("ranking", project.root / "rules")
    stop_gain = max(round(table["tier_stop_gain"]["value"] / table["weight_unit"]["value"]), 1)
    out = []
    for name, tier in tiers.items():
        inside = cover.cells["tier"].to_numpy() == tier["order"]
        needs = needs_of(project, cover, grade_of(project, tier, year), measures, inside)
        block = blocks.Block(inside.astype(np.uint8), stop_gain=stop_gain, measures=measures, needs=needs)
        out.append((name, "coverage", block))
    everywhere = np.ones(len(cover.cells), np.uint8)
    load = _first_service_load(cover, measures[0])
    return [
        *out,
        ("", "coverage", blocks.Block(everywhere)),
        ("", "capacity", blocks.Block(everywhere, load=load)),
    ]


def _forced(
    cover: Cover, items: Items, limits: limits_of.Limits, phase: int, quotas_first: bool
) -> list[tuple[str, int, blocks.Block]]:
    """Basis, county (-1: none) and block of what a phase must hold before its tiers: floors and lower quotas.

    A floor that all items together do not reach comes last, so that it takes nothing from the others.
    """
    everywhere, able = np.ones(len(cover.cells), np.uint8), np.zeros(len(cover.row_weight), bool)
    able[items.indices] = True
    floors: list[tuple[str, int, blocks.Block]] = []
    hopeless: list[tuple[str, int, blocks.Block]] = []
    for r, mask in enumerate(limits.floor_rows):
        if need := int(limits.need[phase, r]):
            part = hopeless if need > cover.row_weight[mask & able].sum() else floors
            part.append(("floor", -1, blocks.Block(everywhere, rows=mask, enough=need)))
    quotas = [
        ("quota", int(c), blocks.Block(everywhere, items=limits.county == c))
        for c in np.flatnonzero(limits.lower[phase])
    ]
    return (quotas + floors if quotas_first else floors + quotas) + hopeless


def _start(
    project: Project, cover: Cover, items: Items, limits: limits_of.Limits, resources: Any
) -> tuple[blocks.State, Any]:
    """What is on air in service, and what there is of every resource by phase."""
    needed, left = limits_of.with_uppers(items, limits, *limits_of.by_item(items, resources))
    state = blocks.new_state(
        items.indptr, items.indices, cover.row_weight, n_cells=len(cover.cells), place_of=items.place_of,
        resources=(needed, left[0]), mates=conflict_graph(len(items.units), None, items.modes),
    )  # fmt: skip
    blocks.lock(state, np.flatnonzero(items.locked))
    return state, left


def _choose_once(
    project: Project, cover: Cover, items: Items, limits: limits_of.Limits, resources: Any, by_cost: bool,
    quotas_first: bool, threads: int,
) -> tuple[pd.DataFrame, blocks.State]:  # fmt: skip
    """Rows of the plan and what is in service at its end; ``by_cost``: by gain per cost where there is a budget."""
    table = rules.load("tiers", project.root / "rules")
    tiers = dict(sorted(table.items(), key=lambda row: row[1]["order"]))
    unit = rules.load("ranking", project.root / "rules")["weight_unit"]["value"]
    measures = np.vstack([cell_measures(cover.cells, unit), _villages(project, cover.cells)])
    state, left = _start(project, cover, items, limits, resources)
    air = np.flatnonzero(items.locked)
    rows = [_rows(items, air, np.zeros(len(air)), phase=-1, tier="", basis="on_air", block=0)]
    home = project.places["tier"].to_numpy()[items.place_of[air]]
    used_by = {name: int(items.units[air][home == tier["order"]].sum()) for name, tier in tiers.items()}
    used, used_by[""] = int(items.units[air].sum()), 0
    number = 0
    load = _first_service_load(cover, measures[0])
    for p, phase in enumerate(project.config.phases):
        if p:
            state.res_left[:] += left[p] - left[p - 1]
        costs = (limits.cost, limits.opened_cost) if by_cost and np.isfinite(limits.budget[p:]).any() else None
        for basis, county, block in _forced(cover, items, limits, p, quotas_first):
            number += 1
            room = phase.target - used
            for one in (block, replace(block, load=load)) if county >= 0 else (block,):
                if county >= 0:
                    there = limits_of.units_in(items, limits, state.taken == 1)[county]
                    room = min(phase.target - used, int(limits.lower[p, county] - there))
                if picks := _run(items, state, replace(one, max_units=room), costs, threads):
                    used += picks.units
                    rows.append(_rows(items, picks.order, picks.block_gain, p, "", basis, number))
        for name, basis, block in _blocks(project, cover, measures, tiers, phase.year):
            number += 1
            share = tiers[name]["max_share"] if name else 1.0
            room = min(phase.target - used, int(share * phase.target) - used_by[name])
            if picks := _run(items, state, replace(block, max_units=room), costs, threads):
                used, used_by[name] = used + picks.units, used_by[name] + picks.units
                rows.append(_rows(items, picks.order, picks.block_gain, p, name, basis, number))
    return pd.concat(rows, ignore_index=True), state


def _weighted(project: Project, cover: Cover, items: Items, label: NDArray[Any]) -> float:
    """Covered weight of all phases, each by the weight of its phase."""
    done, total = np.zeros(len(cover.row_weight), bool), 0.0
    for t, phase in enumerate(project.config.phases):
        for i in np.flatnonzero(label == t):
            done[items.indices[items.indptr[i] : items.indptr[i + 1]]] = True
        total += phase.weight * int(cover.row_weight[done].sum())
    return total


def choose(
    project: Project, cover: Cover, items: Items, *, limits: limits_of.Limits | None = None,
    resources: tuple[Any, Any] | None = None, threads: int = 1,
) -> Chosen:  # fmt: skip
    """Run every block of every phase.

    Where a floor or a lower quota of a later phase does not fit any more, all is chosen again with it asked
    for one phase earlier. Where there is a budget, this is done by gain and by gain per cost; where something does
    not hold, also with the lower quotas before the floors, so that a floor that takes too much takes no unit and no
    budget from them. What breaks least is kept, then what covers most (weighted over the phases), the first at equal
    numbers.

    Parameters
    ----------
    project, cover, items : Project, Cover, Items
        What to rank.
    limits : Limits, optional
        Quotas, floors and budgets; those of the project by default.
    resources : tuple, optional
        ``(A, b)``: as in :func:`rank`.
    threads : int
        The order does not depend on it.

    Returns
    -------
    Chosen
        Stations in the order of the plan.
    """
    asked = limits_of.make_limits(project, cover, items) if limits is None else limits
    best: tuple[Any, ...] | None = None
    both, broken = bool(asked.lower.any() and asked.need.any()), 0
    for by_cost, quotas_first in product((False, True) if asked.has_budget else (False,), (False, True)):
        if quotas_first and not (both and broken):
            continue
        tried = asked
        for _ in project.config.phases:
            rows, state = _choose_once(project, cover, items, tried, resources, by_cost, quotas_first, threads)
            label = plan_certificate.labels_of(items, rows, len(project.config.phases))
            units, covered = limits_of.achieved(cover, items, asked, label)
            short = units < asked.lower, covered < asked.need
            broken = int(short[0].sum() + short[1].sum())
            worth = -broken, _weighted(project, cover, items, label)
            if best is None or worth > best[0]:
                best = worth, rows, state
            earlier = limits_of.advanced(tried, *short)
            if not broken or (np.array_equal(earlier.lower, tried.lower) and np.array_equal(earlier.need, tried.need)):
                break
            tried = earlier
    assert best is not None
    _, rows, state = best
    unit = rules.load("ranking", project.root / "rules")["weight_unit"]["value"]
    left = blocks.remaining(state, blocks.Block(blocks.everywhere(state)))
    return Chosen(rows, dual.item_sums(cover.indptr, cover.indices, left).astype(float) * unit)


def _rows(items: Items, order: Any, block_gain: Any, phase: int, tier: str, basis: str, block: int) -> pd.DataFrame:
    """The stations of chosen items."""
    counts = np.diff(items.member_ptr)[order]
    members = [items.members[items.member_ptr[i] : items.member_ptr[i + 1]] for i in order]
    return pd.DataFrame(
        {
            "position": np.concatenate([np.empty(0, np.int64), *members]),
            "block_gain": np.repeat(np.asarray(block_gain, float), counts),
            "phase": phase, "tier": tier, "basis": basis, "block": block,
        }
    )  # fmt: skip


def rank(
    project: Project,
    cover: Cover,
    eligible: pd.DataFrame,
    verdicts: pd.DataFrame,
    *,
    resources: tuple[Any, Any] | None = None,
    resource_names: Sequence[str] = (),
    threads: int | None = None,
) -> Plan:
    """Rank the eligible stations into the project's phases.

    Parameters
    ----------
    project : Project
        Phases, targets and preference from its configuration.
    cover : Cover
        From :func:`lcsiting.siting.cover.cover`.
    eligible : DataFrame
        Schema table ``eligible``; the first failed rule of a station is why it is refused.
    verdicts : DataFrame
        Schema table ``verdicts``; the worst verdict of a station is shown with it.
    resources : tuple, optional
        ``((indptr, indices, loads), b)``: linear budgets. What each station of the cover needs of each, compressed
        by station, non-negative, and what there is in each phase, (n_phases, n_resources), what is on air taken off.
        A station that would break a budget is passed over, also when stations are exchanged
        (``[ranking] improve``); the certificate counts the budgets among its limits.
    resource_names : sequence of str
        What a planner calls each resource: a station that finds no room says which.
    threads : int, optional
        As many as there are processors by default; the result does not depend on it.

    Returns
    -------
    Plan
        A target that cannot be reached is no error: its phase says ``reached = False``; nor is a quota or floor
        that cannot be met: it is named in ``Plan.limits``.
    """
    items = make_items(project, cover)
    threads = threads or os.cpu_count() or 1
    limits = limits_of.make_limits(project, cover, items)
    budgets = limits_of.by_item(items, resources) if resources is not None else None
    unit = rules.load("ranking", project.root / "rules")["weight_unit"]["value"]
    cheap = project.config.phases[0].target_share is not None
    if cheap:
        label, alone = choose_cheapest(project, cover, items, limits, resources=budgets, threads=threads)
        chosen = chosen_of(project, cover, items, label, unit)
    else:
        chosen = choose(project, cover, items, limits=limits, resources=resources, threads=threads)
    if project.config.ranking.improve and not cheap:
        chosen = plan_certificate.improved(project, cover, items, chosen, unit, limits=limits, resources=budgets)
    blocked = None
    if resources is not None and resource_names:
        blocked = blocked_reasons(cover, items, chosen, resources, resource_names)
    plan = plan_tables.build(project, cover, eligible, verdicts, chosen, blocked)
    if limits.any:
        free = choose(project, cover, items, limits=limits_of.nothing(limits), resources=resources, threads=threads)
        table = plan_limits.limit_rows(project, cover, items, limits, chosen, free, resources=budgets, threads=threads)
        plan = replace(plan, limits=table)
    if cheap:
        bounds = [one.lower_bound or 0.0 for one in alone]
        table = with_costs(project, cover, items, limits, label, bounds, plan.limits)
        plan = replace(plan, limits=table)
    if not project.config.ranking.certificate:
        return plan
    proof = plan_certificate.certify(project, cover, items, chosen, limits=limits, resources=budgets, threads=threads)
    if cheap:
        proof["cost_multipliers"] = tuple(one.dual for one in alone)
        claimed = table[table["kind"] == "least_cost"]
        wrong = bound_problems(project, cover, items, limits, claimed, proof["cost_multipliers"], resources=budgets)
        proof["checked"] &= not wrong
    return replace(plan, certificate=proof)
