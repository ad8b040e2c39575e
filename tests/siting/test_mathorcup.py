"""The real case of the script ``solve_mathorcup.py`` on a cut-out, against counts that share nothing with it."""

import importlib
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from skips import SHARED

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
FOLDER = SHARED / "sites"
WINDOW = (0, 1000, 400, 1400)


@pytest.fixture(scope="module")
def script():
    """The script and its parts as modules."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        names = ("solve_mathorcup", "mathorcup.case", "mathorcup.recount", "mathorcup.sectors")
        yield {name.split(".")[-1]: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(SCRIPTS))


def small_case(case, seed=3, side=60, n=300):
    """A few clusters of points on a small lattice, one existing site in the middle."""
    rng = np.random.default_rng(seed)
    xy = np.unique(np.clip(rng.normal(rng.integers(5, side - 5, (6, 1, 2)), 7, (6, n // 6, 2)), 0, side - 1), axis=1)
    xy = np.unique(xy.reshape(-1, 2).astype(np.int64), axis=0)
    corners = np.array([0, 0]), np.array([side, side])
    return case.Case(xy, rng.exponential(50, len(xy)), np.array([[30, 30]]), *corners)


@pytest.mark.parametrize("radius", [10, 30])
def test_disc_sums_are_the_sums_over_discs(script, radius):
    case = small_case(script["case"])
    sums = script["case"].disc_sums(case, case.traffic, radius)
    for x, y in [(0, 0), (59, 13), (30, 30), (17, 59)]:
        near = ((case.xy - [x, y]) ** 2).sum(axis=1) <= radius**2
        assert sums[y, x] == pytest.approx(case.traffic[near].sum())


def test_closed_positions_are_those_within_the_spacing(script):
    closed = script["case"].blocked(small_case(script["case"]))
    y, x = np.mgrid[:60, :60]
    assert (closed == ((y - 30) ** 2 + (x - 30) ** 2 <= 100)).all()


def test_the_best_three_directions_are_those_of_brute_force(script):
    sectors, recount = script["sectors"], script["recount"]
    case = small_case(script["case"], seed=5)
    px, py = case.xy[:, 0].copy(), case.xy[:, 1].copy()
    site = np.array([[28, 31], [40, 12]])
    ptr, rows = script["case"].cover_of(case, script["case"].Items(site, np.ones(2, int)))
    steps, served = sectors.aim_all(ptr, rows, site, np.array([30, 30]), px, py, case.traffic)
    most = sectors.most_of_any(
        ptr, rows, site, np.array([30, 30]), np.array([10, 10]), px, py, case.traffic, steps, served
    )
    wheel = [
        (a, b, c) for a, b, c in itertools.combinations(range(72), 3) if b - a > 8 and c - b > 8 and a + 72 - c > 8
    ]
    for k, (x, y) in enumerate(site):
        one = np.array([recount.served(case.xy, x, y, 30.0, [5.0 * d]) for d in range(72)])
        best = max(case.traffic[one[a] | one[b] | one[c]].sum() for a, b, c in wheel)
        assert most[k] == pytest.approx(best) and served[k] <= best + 1e-6 and served[k] >= 0.9 * best
        mine = one[steps[k]].any(axis=0)
        assert case.traffic[mine].sum() == pytest.approx(best) or case.traffic[mine].sum() == pytest.approx(served[k])


def test_the_sector_cover_is_what_the_formula_serves(script):
    sectors, recount = script["sectors"], script["recount"]
    case = small_case(script["case"], seed=6)
    site = np.array([[28, 31], [40, 12], [10, 50]])
    items = script["case"].Items(site, np.array([1, 0, 1]))
    steps = np.array([[0, 9, 40], [5, 30, 60], [1, 20, 71 - 8]])
    disc = script["case"].cover_of(case, items)
    reach = script["case"].RADIUS[items.kind]
    ptr, rows = sectors.sector_cover(*disc, site, reach, case.xy[:, 0].copy(), case.xy[:, 1].copy(), steps)
    for k in range(3):
        want = np.flatnonzero(recount.served(case.xy, *site[k], float(reach[k]), 5.0 * steps[k]))
        assert np.array_equal(rows[ptr[k] : ptr[k + 1]], want) and len(want)


def test_the_recount_sees_what_is_wrong(script):
    recount = script["recount"]
    points, traffic, existing = np.array([[0, 0], [50, 0], [200, 0]]), np.array([1.0, 2.0, 5.0]), np.array([[100, 0]])
    fine = recount.recount(points, traffic, existing, [[0, 0], [50, 11]], [0, 1])
    assert (fine["cost"], fine["share"], recount.violations(fine)) == (11, 3 / 8, 0)
    close = recount.recount(points, traffic, existing, [[0, 0], [6, 8], [100, 10]], [0, 0, 0])
    assert (close["too_close_new"], close["too_close_existing"]) == (1, 1)
    turned = recount.recount(points, traffic, existing, [[0, 0]], [0], [[0, 44, 180]])
    assert turned["directions_too_close"] == 1


def close_pairs(sites):
    """Pairs of sites at 10 or less, by all differences."""
    apart = ((sites[:, None] - sites[None]) ** 2).sum(axis=2)
    return int((apart[np.triu_indices(len(sites), 1)] <= 100).sum())


@pytest.mark.shared("sites/mathorcup2022d_weak_grid.csv")
def test_a_cut_out_of_the_case(script, capsys):
    solve, case_of = script["solve_mathorcup"], script["case"]
    figures = solve.run(FOLDER, WINDOW, rounds=1, iterations=200)
    capsys.readouterr()
    for plan in (figures["all_round"], figures["sectors"]["as_generated"], figures["sectors"]["turned"]):
        assert plan["violations"] == 0 and plan["share"] >= 0.9
        assert 0 < plan["bound"] <= plan["cost"]
    assert figures["all_round"]["checked"] == figures["sectors"]["checked"] == "ok"
    assert figures["all_round"]["gap_pct"] < 5 and figures["sectors"]["as_generated"]["gap_pct"] < 8
    assert figures["sectors"]["turned"]["cost"] <= figures["sectors"]["as_generated"]["cost"]

    # the same plan again: candidates, spacing, share and cost by plain differences
    case = case_of.read_case(FOLDER, WINDOW)
    items, cover, found, first = solve.all_round(case, 1, 200, lambda _: None)
    sites, kinds = items.xy[found.plan.order], items.kind[found.plan.order]
    assert first["cost"] == figures["all_round"]["cost"] == np.where(kinds == 1, 10, 1).sum()
    assert close_pairs(sites) == 0
    assert (((sites[:, None] - case.existing[None]) ** 2).sum(axis=2) > 100).all()
    away = ((case.xy[:, None] - sites[None]) ** 2).sum(axis=2)
    served = (away <= np.where(kinds == 1, 900, 100)).any(axis=1)
    assert case.traffic[served].sum() / case.traffic.sum() == pytest.approx(first["share"]) and first["share"] >= 0.9
    # nobody can do with less than the cheapest traffic per cost, spacing forgotten
    best = max(
        case.traffic[cover[1][a:b]].sum() / c for a, b, c in zip(cover[0], cover[0][1:], items.cost, strict=False)
    )
    assert 0.9 * case.traffic.sum() / best <= first["cost"]
