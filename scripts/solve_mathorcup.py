"""A real case end to end: ``python scripts/solve_mathorcup.py [FOLDER] [--window X0 Y0 X1 Y1] [--json PATH]``.

MathorCup 2022 D: weak points with traffic on a 2 500 x 2 500 lattice, existing sites; a macro reaches 30 and
costs 10, a micro reaches 10 and costs 1; new sites stand more than 10 from every other site, existing ones
included; at least 90 % of the traffic at least cost. Then three sectors a site: +-60 degrees, reach falling
linearly to half at the edge, main directions at least 45 degrees apart. Existing sites serve none of the
weak points; they only take up room.

Candidates: the position with the most traffic around it of every small cell, then, round by round, the
positions the multipliers of the last round price best. The lower bound is over the candidates of the last
round, with the spacing inside; the multipliers also price every other position of the lattice, which gives
a bound over all of them.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mathorcup import recount
from mathorcup.case import (
    CELL,
    RADIUS,
    Case,
    Items,
    arrange,
    best_of_cells,
    blocked,
    conflicts_of,
    cover_of,
    disc_sums,
    first_items,
    read_case,
    table_of,
)

from lcsiting.siting import cost_check, ranking
from lcsiting.siting.engine import Effort

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "sites"
SHARE = 0.9
ROOM = 1e-5  # asked on top of the share: weights are whole tenths of the traffic
TENTHS = 10
FIRST_CELLS, FIRST_TRAFFIC = (8, 16), (20.0, 400.0)
LATER_CELLS = (CELL, 2 * CELL)
TURNS = 4
AIMS = 4  # rounds of directions
NEAR = (0.5, 0.3)  # of the cost: how far a micro, a macro may be priced too dear and still enter


@dataclass(frozen=True)
class Solved:
    """What the engine found for some items; ``u`` (n_points,) and ``price`` per traffic, in cost units.

    ``checked`` is what the library's checker said; ``bound`` is counted without it.
    """

    plan: ranking.Ranking
    u: Any
    price: float
    bound: float
    checked: str


def solve(case: Case, items: Items, cover: Any, iterations: int, say: Any) -> Solved:
    """Least cost over the items; the bound is counted anew on the traffic of the table."""
    began = time.perf_counter()
    weights = np.rint(case.traffic * TENTHS).astype(np.int64)
    request = {"phases": [len(items.kind)], "conflicts": conflicts_of(items)}
    asked = {"costs": items.cost, "target_share": SHARE + ROOM}
    plan = ranking.rank_cover(cover, weights, **request, **asked, effort=Effort(True, True, iterations))
    check = cost_check.verify_least_cost(
        cover, weights, plan.order, plan.dual, **request, **asked, cost=plan.cost, lower_bound=plan.lower_bound
    )
    verdict = "ok" if check.ok else "; ".join(check.problems)
    proof = plan.dual.phases[0]
    u, price = proof.u.astype(float) / plan.dual.scale, float(proof.floor[-1]) / plan.dual.scale * TENTHS
    bound = recount.cost_bound(cover, case.traffic, items, u, price, SHARE, plan.dual.clique)
    say(
        f"  {len(items.kind)} candidates ({int((items.kind == 1).sum())} macro), {len(cover[1])} pairs, "
        f"{len(request['conflicts'])} pairs too close: cost {plan.cost:.0f}, bound {bound:.1f}, engine's bound "
        f"{plan.lower_bound:.0f}, checker {verdict}, {time.perf_counter() - began:.0f} s"
    )
    return Solved(plan, u, price, bound, verdict)


def priced_lattice(case: Case, closed: Any, found: Solved) -> tuple[list[Any], float]:
    """Reduced cost of every position by kind (-inf where closed), and the bound over all positions."""
    score = []
    for kind, cost in ((0, 1), (1, 10)):
        score.append(np.where(closed, -np.inf, disc_sums(case, found.u, int(RADIUS[kind])) - cost))
    u = np.minimum(found.u, found.price * case.traffic)
    const = found.price * SHARE * case.traffic.sum() - (found.price * case.traffic - u).sum()
    both = np.maximum(np.maximum(*score), 0)
    shifts = [(a, b) for a in range(0, CELL, 4) for b in range(0, CELL, 4)]  # any tiling makes a bound
    loss = min(best_of_cells(np.pad(both, ((a, 0), (b, 0))), CELL)[2].sum() for a, b in shifts)
    return score, float(const - loss)


def next_items(case: Case, items: Items, score: list[Any], chosen: Any) -> Items:
    """The chosen, and the best position of every cell by kind if it is not priced too dear.

    One a cell: many near-equal positions that exclude each other make the multipliers slow to settle.
    """
    parts = [table_of(case, items)[chosen]]
    for kind, cost in ((0, 1), (1, 10)):
        row, column, best = best_of_cells(score[kind], LATER_CELLS[kind])
        near = best > -NEAR[kind] * cost
        parts.append(np.column_stack([column[near], row[near], np.full(near.sum(), kind)]))
    return arrange(case, np.concatenate(parts))


def report(name: str, count: dict, bound: float, say: Any) -> dict:
    """Print and return the figures of one plan, all recounted."""
    bound = float(np.ceil(bound - 1e-6))  # costs are whole
    gap = 100 * (count["cost"] - bound) / count["cost"] if count["cost"] else 0.0
    say(
        f"{name}: cost {count['cost']} ({count['macro']} macro, {count['micro']} micro), share {count['share']:.6f}"
        f"{'' if count['share'] >= SHARE else ' SHORT OF ' + str(SHARE)}, lower bound over the candidates {bound:.0f}, "
        f"gap {gap:.2f} %, violations {recount.violations(count)}"
    )
    return {**count, "bound": bound, "gap_pct": gap, "violations": recount.violations(count)}


def all_round(case: Case, rounds: int, iterations: int, say: Any) -> tuple[Items, Any, Solved, dict]:
    """The first question: sites that serve all round."""
    closed, everywhere = blocked(case), 0.0
    items = first_items(case, closed, FIRST_CELLS, FIRST_TRAFFIC)
    for r in range(rounds + 1):
        cover = cover_of(case, items)
        found = solve(case, items, cover, iterations, say)
        score, lattice = priced_lattice(case, closed, found)
        everywhere = max(everywhere, lattice)
        if r < rounds:
            items = next_items(case, items, score, found.plan.order)
    chosen = found.plan.order
    count = recount.recount(case.xy, case.traffic, case.existing, items.xy[chosen], items.kind[chosen])
    out = report("all round", count, found.bound, say)
    out |= {"bound_all_positions": everywhere, "candidates": len(items.kind), "checked": found.checked}
    say(f"  bound over every position of the lattice {everywhere:.1f}")
    return items, cover, found, out


def three_sectors(case: Case, items: Items, disc: Any, before: Solved, iterations: int, say: Any) -> dict:
    """The second question: each position with several triples of directions, at most one of them chosen.

    Aimed at the traffic, at the row prices of the first question, and then, round by round, the best at the
    row prices of the round before. Any row prices give a bound over all directions; the best one counts.
    """
    from mathorcup import sectors

    points = (case.xy[:, 0].copy(), case.xy[:, 1].copy())
    reach, free = RADIUS[items.kind], 0.0
    aims = [sectors.aim_all(*disc, items.xy, reach, *points, v)[0] for v in (case.traffic, before.u)]
    for _ in range(AIMS):
        twin, steps, found = _aimed(case, items, disc, aims, iterations, say)
        pair, wide = Items(items.xy[twin], items.kind[twin]), _rows_of(disc, twin)
        fresh, served = sectors.aim_all(*disc, items.xy, reach, *points, found.u)
        limit = sectors.most_of_any(*disc, items.xy, reach, items.cost, *points, found.u, fresh, served)
        clique = found.plan.dual.clique
        any_way = recount.cost_bound(wide, case.traffic, pair, found.u, found.price, SHARE, clique, limit[twin])
        say(f"    bound over all directions in steps of {sectors.STEP_DEG} degrees: {any_way:.1f}")
        free = max(free, any_way)
        aims.append(fresh)

    def figures(name: str, chosen: Any, turned: Any, bound: float) -> dict:
        sites, kinds = pair.xy[chosen], pair.kind[chosen]
        count = recount.recount(case.xy, case.traffic, case.existing, sites, kinds, turned * sectors.STEP_DEG)
        return report(name, count, bound, say)

    order = np.sort(found.plan.order)
    out = {"as_generated": figures("three sectors, directions as generated", order, steps[order], found.bound)}
    mine, turned, keep = _rows_of(wide, order), steps[order].copy(), np.ones(len(order), bool)
    sites, goal = (pair.xy[order], RADIUS[pair.kind[order]], pair.cost[order]), SHARE * case.traffic.sum() + 1e-6
    for _ in range(TURNS):
        sectors.turn_and_drop(*mine, *sites, *points, case.traffic, turned, keep, goal)
    name = f"three sectors, turned (bound: all directions in steps of {sectors.STEP_DEG} degrees)"
    out["turned"] = figures(name, order[keep], turned[keep], free)
    return out | {"checked": found.checked}


def _aimed(case: Case, items: Items, disc: Any, aims: Any, iterations: int, say: Any) -> tuple[Any, Any, Solved]:
    """Solve with every position once for each of its different triples of directions; they stand side by side."""
    from mathorcup import sectors

    steps = np.sort(np.stack(aims, axis=1), axis=2)
    fresh = np.ones(steps.shape[:2], bool)
    for k in range(1, len(aims)):
        fresh[:, k] = ~(steps[:, :k] == steps[:, k : k + 1]).all(axis=2).any(axis=1)
    twin, steps = np.nonzero(fresh)[0], np.ascontiguousarray(steps[fresh])
    pair, wide = Items(items.xy[twin], items.kind[twin]), _rows_of(disc, twin)
    points = (case.xy[:, 0].copy(), case.xy[:, 1].copy())
    narrow = sectors.sector_cover(*wide, pair.xy, RADIUS[pair.kind], *points, steps)
    return twin, steps, solve(case, pair, narrow, iterations, say)


def _rows_of(cover: Any, items: Any) -> tuple[Any, Any]:
    """The compressed cover of some items, in the order given."""
    length = np.diff(cover[0])[items]
    ptr = np.concatenate([[0], np.cumsum(length)])
    at = np.repeat(cover[0][items] - ptr[:-1], length) + np.arange(ptr[-1])
    return ptr, cover[1][at]


def run(
    folder: Path, window: Any = None, *, rounds: int = 3, iterations: int = 300, say: Any = print
) -> dict[str, dict]:
    """Both questions on the case or a window of it; the figures printed."""
    case = read_case(folder, window)
    say(f"{len(case.xy)} weak points, traffic {case.traffic.sum():.0f}, {len(case.existing)} existing sites")
    items, disc, found, first = all_round(case, rounds, iterations, say)
    return {"all_round": first, "sectors": three_sectors(case, items, disc, found, iterations, say)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where the two tables are")
    parser.add_argument("--window", nargs=4, type=int, metavar=("X0", "Y0", "X1", "Y1"))
    parser.add_argument("--rounds", type=int, default=3, help="rounds of new candidates")
    parser.add_argument("--iterations", type=int, default=300, help="of the multipliers at every price of coverage")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    began = time.process_time()
    figures = run(args.folder, args.window, rounds=args.rounds, iterations=args.iterations)
    print(f"{time.process_time() - began:.0f} CPU seconds")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
