"""Recount a plan and its lower bound from the raw tables: plain NumPy and a KD-tree, no engine, no shared code."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

REACH = {0: 10.0, 1: 30.0}
PRICE = {0: 1, 1: 10}
SAME = 1e-9  # a point exactly on a sector's edge is served


def served(points: Any, x: float, y: float, reach: float, directions_deg: Any | None) -> NDArray[np.bool_]:
    """Which points a site serves; all round without directions."""
    dx, dy = points[:, 0] - x, points[:, 1] - y
    away = np.sqrt(dx * dx + dy * dy)
    if directions_deg is None:
        return away <= reach
    out = away == 0
    for d in directions_deg:
        off = np.abs((np.degrees(np.arctan2(dy, dx)) - d + 180.0) % 360.0 - 180.0)
        out |= (off <= 60.0 + SAME) & (away <= reach * (1.0 - off / 120.0) + SAME)
    return out


def recount(points: Any, traffic: Any, existing: Any, sites: Any, kinds: Any, directions_deg: Any = None) -> dict:
    """Cost, share, and the number of violations of each kind.

    Parameters
    ----------
    points, traffic, existing : ndarray
        (n, 2), (n,), (m, 2).
    sites, kinds : ndarray
        (k, 2), and 0 micro or 1 macro, (k,).
    directions_deg : ndarray, (k, 3), optional
        Main directions; served all round without.
    """
    points, sites = np.asarray(points, float), np.asarray(sites, float).reshape(-1, 2)
    tree, hit = cKDTree(points), np.zeros(len(points), bool)
    for k, (x, y) in enumerate(sites):
        near = np.array(tree.query_ball_point((x, y), REACH[int(kinds[k])] + 1e-6), int)
        if len(near):
            toward = None if directions_deg is None else directions_deg[k]
            hit[near[served(points[near], x, y, REACH[int(kinds[k])], toward)]] = True
    close = len(cKDTree(sites).query_pairs(10.0)) if len(sites) else 0
    away = cKDTree(np.asarray(existing, float)).query(sites)[0] if len(existing) and len(sites) else np.full(1, 99.0)
    turned = 0
    if directions_deg is not None and len(sites):
        ordered = np.sort(np.asarray(directions_deg, float) % 360.0, axis=1)
        gaps = np.diff(np.column_stack([ordered, ordered[:, 0] + 360.0]), axis=1)
        turned = int((gaps < 45.0).any(axis=1).sum())
    return {
        "cost": int(sum(PRICE[int(k)] for k in kinds)),
        "micro": int((np.asarray(kinds) == 0).sum()),
        "macro": int((np.asarray(kinds) == 1).sum()),
        "share": float(traffic[hit].sum() / traffic.sum()),
        "too_close_new": close,
        "too_close_existing": int((away <= 10.0).sum()),
        "off_lattice": int((sites != np.rint(sites)).any(axis=1).sum()),
        "directions_too_close": turned,
    }


def violations(count: dict) -> int:
    """All of them."""
    return sum(count[k] for k in ("too_close_new", "too_close_existing", "off_lattice", "directions_too_close"))


def cost_bound(
    cover: Any, traffic: Any, items: Any, u: Any, price: float, share: float, clique: Any, limit: Any = None
) -> float:
    """Lower bound on the cost of any spaced choice among the items, on the traffic as it is in the table.

    ``pi T - sum (pi w - u) - sum over cliques of max(0, max (c_i - cost_i))`` with u cut to ``pi w``; c_i is
    the sum of u over an item's points, or ``limit`` if a larger set of choices is meant. A clique must have
    no two positions more than 10 apart, which is checked here; a plan has at most one site in each.
    """
    u = np.clip(u, 0.0, price * traffic)
    sums = np.concatenate([[0.0], np.cumsum(u[cover[1]])])
    worth = sums[cover[0][1:]] - sums[cover[0][:-1]] if limit is None else np.asarray(limit)
    order = np.argsort(clique, kind="stable")
    starts = np.flatnonzero(np.diff(np.asarray(clique)[order], prepend=-1))
    xy = np.asarray(items.xy, float)
    for members in np.split(order, starts[1:]):
        if len(members) > 1:
            apart = ((xy[members, None] - xy[None, members]) ** 2).sum(axis=2)
            if apart.max() > 100.0:
                raise ValueError("bound: a clique holds two positions more than 10 apart")
    best = np.maximum.reduceat((worth - items.cost)[order], starts) if len(order) else np.zeros(0)
    return float(price * share * traffic.sum() - (price * traffic - u).sum() - np.maximum(best, 0.0).sum())
