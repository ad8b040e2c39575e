"""Time the plain ranking on synthetic cities: ``python scripts/bench_siting.py [--json PATH] [NAMES]``.

The cities are made here, from a seed: eight county seats, 130 towns, 6 000 villages in a square of
93 km; hosts clustered as people are, plus a scatter in the fields; irregular footprints of twelve
sectors, wider in the open. ``city`` has the shape of the demo project: every 100 m cell, two networks
and two services.
"""

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
from numba import njit

from lcsiting.siting import ranking

SIDE_M, BUCKET_M, PETALS = 93_000.0, 500.0, 12
# name: hosts, demand points (0: every 100 m cell), networks, footprint factor of each service, K
INSTANCES = {
    "S": (2_000, 20_000, 1, (1.0,), 200),
    "M": (10_000, 200_000, 1, (1.0,), 1_500),
    "LD": (40_000, 1_000_000, 1, (0.42,), 10_000),
    "L2": (40_000, 1_000_000, 1, (1.083, 0.455), 10_000),  # 40 million pairs, 2 million rows
    "city": (14_000, 0, 2, (1.85, 1.15), 10_000),
}
TARGETS = {"L2": 5.0, "city": 8.0}  # CPU seconds


def settlements(rng: np.random.Generator):
    """Centres, spread and people of seats, towns and villages."""
    xy = np.concatenate([rng.uniform(0.08, 0.92, (8, 2)), rng.uniform(0.02, 0.98, (6_130, 2))]) * SIDE_M
    people = np.concatenate([rng.uniform(2e5, 9e5, 8), rng.lognormal(9.1, 0.5, 130), rng.lognormal(6.2, 0.55, 6_000)])
    spread_m = np.concatenate([900 + 2.2 * np.sqrt(people[:8]), np.full(130, 500.0), np.full(6_000, 180.0)])
    return xy, spread_m, people


def scatter(rng, xy, spread_m, share, count):
    """Points around the settlements, ``share`` of the count to each."""
    home = rng.choice(len(xy), count, p=share / share.sum())
    return np.clip(xy[home] + rng.normal(size=(count, 2)) * spread_m[home, None], 0, SIDE_M - 1), home


def demand(rng, places, count):
    """Points and people, ordered by kilometre for locality; or all 100 m cells, row by row."""
    xy, spread_m, people = places
    if count:
        points, home = scatter(rng, xy, spread_m, people**0.7, count)
        weight = rng.lognormal(0, 0.7, count) * (people / people**0.7)[home]
        order = np.lexsort((points[:, 0] // 1000, points[:, 1] // 1000))
        points, weight = points[order], weight[order] / weight.sum() * 6e6
        return points, np.maximum(1, np.rint(weight * 100)).astype(np.int64)
    n = int(SIDE_M // 100)
    heads, _ = scatter(rng, xy, spread_m, people, 3_000_000)
    count_of = np.bincount((heads[:, 1] // 100).astype(int) * n + (heads[:, 0] // 100).astype(int), minlength=n * n)
    row, col = np.divmod(np.arange(n * n), n)
    return np.column_stack([col * 100.0 + 50, row * 100.0 + 50]), count_of.astype(np.int64) * 200 + 50


def hosts(rng, places, count):
    """Positions, range in metres and petals of the hosts."""
    xy, spread_m, people = places
    near, _ = scatter(rng, xy, spread_m, people, int(0.7 * count))
    points = np.concatenate([near, rng.uniform(0, SIDE_M, (count - len(near), 2))])
    away = np.min([np.hypot(*(points - xy[k]).T) / spread_m[k] for k in range(8)], axis=0)
    zone = np.digitize(away, [1.0, 2.0])
    reach_m = rng.uniform(np.array([300, 600, 1000])[zone], np.array([450, 900, 2000])[zone])
    order = np.lexsort((points[:, 0] // 1000, points[:, 1] // 1000))
    return points[order], reach_m[order], np.clip(rng.lognormal(-0.08, 0.18, (count, PETALS)), 0.55, 1.2)


@njit(nogil=True)
def footprint(x, y, reach_m, petals, start, members, points, n_side, out):
    """Demand points within an irregular reach; the number found, and themselves if there is room."""
    found = 0
    far = reach_m * petals.max()
    for r in range(max(0, int((y - far) / BUCKET_M)), min(n_side - 1, int((y + far) / BUCKET_M)) + 1):
        for c in range(max(0, int((x - far) / BUCKET_M)), min(n_side - 1, int((x + far) / BUCKET_M)) + 1):
            for t in range(start[r * n_side + c], start[r * n_side + c + 1]):
                dx, dy = points[members[t], 0] - x, points[members[t], 1] - y
                turn = (np.arctan2(dy, dx) / (2 * np.pi) % 1.0) * PETALS
                k = int(turn) % PETALS
                edge = reach_m * (petals[k] + (turn - int(turn)) * (petals[(k + 1) % PETALS] - petals[k]))
                if dx * dx + dy * dy <= edge * edge:
                    if out.shape[0]:
                        out[found] = members[t]
                    found += 1
    return found


@njit(nogil=True)
def footprints(xy, reach_m, petals, start, members, points, n_side, indptr, indices):
    """Count (``indices`` empty: lengths into ``indptr[1:]``) or fill the cover of one service."""
    for i in range(xy.shape[0]):
        if indices.shape[0]:
            out = indices[indptr[i] : indptr[i + 1]]
            if out.shape[0]:
                footprint(xy[i, 0], xy[i, 1], reach_m[i], petals[i], start, members, points, n_side, out)
                out.sort()
        else:
            indptr[i + 1] = footprint(
                xy[i, 0], xy[i, 1], reach_m[i], petals[i], start, members, points, n_side, indices
            )


def make(name: str, seed: int = 1, points_too: bool = False):
    """A cover and its weights.

    Returns
    -------
    indptr, indices, weights, place_of, k
        Items host-major, then by network; rows network x service x point. With ``points_too`` the positions of the
        hosts and of the points stand in the place of ``place_of``.
    """
    n_hosts, n_points, networks, factors, k = INSTANCES[name]
    rng = np.random.default_rng(seed)
    places = settlements(rng)
    points, people = demand(rng, places, n_points)
    xy, reach_m, petals = hosts(rng, places, n_hosts)
    n_side = int(np.ceil(SIDE_M / BUCKET_M))
    bucket = (points[:, 1] // BUCKET_M).astype(int) * n_side + (points[:, 0] // BUCKET_M).astype(int)
    start = np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=n_side * n_side))])
    members = np.argsort(bucket, kind="stable").astype(np.int32)
    parts = []
    for factor in factors:
        indptr = np.zeros(n_hosts + 1, np.int64)
        footprints(xy, reach_m * factor, petals, start, members, points, n_side, indptr, np.empty(0, np.int32))
        indptr = np.cumsum(indptr)
        indices = np.empty(indptr[-1], np.int32)
        footprints(xy, reach_m * factor, petals, start, members, points, n_side, indptr, indices)
        parts.append((indptr, indices))
    lengths = np.repeat(np.sum([np.diff(p[0]) for p in parts], axis=0), networks)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.concatenate(
        [
            p[1][p[0][i] : p[0][i + 1]] + np.int32((n * len(factors) + s) * len(points))
            for i in range(n_hosts)
            for n in range(networks)
            for s, p in enumerate(parts)
        ]
    )
    weights = np.concatenate(
        [people if s == 0 else people * 6 // 10 for _ in range(networks) for s in range(len(factors))]
    )
    if points_too:
        return indptr, indices, weights, xy, points, k
    return indptr, indices, weights, np.repeat(np.arange(n_hosts), networks), k


def measure(name: str, threads: int) -> dict:
    """Make an instance and rank it."""
    indptr, indices, weights, place_of, k = make(name)
    start, cpu = time.perf_counter(), time.process_time()
    plan = ranking.rank_cover(
        (indptr, indices), weights, phases=[k], groups={"place": place_of}, effort="greedy", threads=threads
    )
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    return {
        "instance": name, "items": len(indptr) - 1, "rows": len(weights), "pairs": len(indices), "k": k,
        "ranked": len(plan.order), "covered_share": round(float(plan.value[-1] / weights.sum()), 5),
        "wall_s": round(wall_s, 4), "cpu_s": round(cpu_s, 4),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def report(result: dict) -> list[dict]:
    """The rows ``bench.py`` gathers."""
    name = f"ranking {result['instance']}: {result['pairs'] / 1e6:.1f} M pairs, K = {result['k']:,}"
    target = TARGETS.get(result["instance"])
    return [
        {"name": f"{name}: CPU", "value": result["cpu_s"], "unit": "s", "target": f"<= {target}" if target else "",
         "met": result["cpu_s"] <= target if target else None},
        {"name": f"{name}: covered", "value": result["covered_share"], "unit": "share", "target": "", "met": None},
    ]  # fmt: skip


def growth(results: list[dict], names: tuple[str, ...] = ("S", "M", "L2")) -> list[dict]:
    """Slope of log CPU over log pairs, if all of these were run."""
    found = {result["instance"]: result for result in results}
    if not found.keys() >= set(names):
        return []
    x, y = (np.log([found[name][key] for name in names]) for key in ("pairs", "cpu_s"))
    slope = round(float(np.polyfit(x, y, 1)[0]), 3)
    name = f"ranking: growth of CPU with pairs over {', '.join(names)}: exponent"
    return [{"name": name, "value": slope, "unit": "", "target": "<= 1.1", "met": slope <= 1.1}]


def main() -> None:
    """Print a table; write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(INSTANCES), help=", ".join(INSTANCES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    one = (np.array([0, 1]), np.array([0], np.int32))
    ranking.rank_cover(one, np.array([1]), phases=[1], effort="greedy")  # compile
    rows, results = [], []
    for name in args.names:
        result = measure(name, args.threads)
        results.append(result)
        if not rows:
            print("".join(f"{key:>14}" for key in result))
        print("".join(f"{value:>14}" for value in result.values()), flush=True)
        rows += report(result)
    for line in (slope := growth(results)):
        print(f"{line['name']}: {line['value']}")
    rows += slope
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
