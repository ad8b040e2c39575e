"""Re-check a least-cost choice and its lower bound from the original arrays, in plain NumPy.

Nothing here uses the engine. With the target T as one more floor over all rows, price pi (further floors,
limits and locked items as in ``certificate``), and ``c_i`` the sum of ``u`` over the rows of item i::

    0 <= u <= pi w
    LB = pi T - sum_j (pi w_j - u_j) - sum_locked (c_i - cost_i) - sum_Q max(0, max_{i in Q} (c_i - cost_i))

All in whole numbers; costs are rounded down. Where the costs are whole themselves, LB is rounded up.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lcsiting.errors import RangeError
from lcsiting.siting import dual, request_check
from lcsiting.siting.certificate import Certificate, matrix_hash

SAME = 1e-9  # relative: sums of costs in another order


@dataclass(frozen=True)
class CostVerification:
    """What the checker found.

    Attributes
    ----------
    problems : tuple of str
        Everything that is not as claimed; empty if all is well.
    covered, target : int
        Weight the choice covers, and the weight asked for.
    cost, lower_bound : float
        What the choice costs, and what no choice that meets the request can be below.
    """

    problems: tuple[str, ...]
    covered: int
    target: int
    cost: float
    lower_bound: float

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_least_cost(
    cover: tuple[Any, Any],
    weights: Any,
    order: Any,
    certificate: Certificate,
    *,
    costs: Any,
    target_share: float,
    cost: float | None = None,
    lower_bound: float | None = None,
    **request: Any,
) -> CostVerification:
    """Check feasibility of every constraint, the coverage, the cost and the lower bound.

    Parameters
    ----------
    cover, weights : as for ``ranking.rank_cover``
        The original arrays.
    order : ndarray of int or None
        The chosen items; None: only the bound is checked, not a choice (``covered`` is then 0, ``cost`` infinite).
    certificate : Certificate
        ``Ranking.dual`` of a ranking with ``target_share``.
    costs : float (n_items,)
        Non-negative.
    target_share : float
        0 to 1, of the whole weight.
    cost, lower_bound : float, optional
        Claimed figures (``Ranking.cost``, ``Ranking.lower_bound``).
    **request
        The other keywords that ``ranking.rank_cover`` was given. A budget and a bonus have no part in it.

    Returns
    -------
    CostVerification

    Raises
    ------
    RangeError
        Costs that are negative or do not fit the cover; several phases.
    """
    indptr, indices, weights = np.asarray(cover[0], np.int64), np.asarray(cover[1]), np.asarray(weights, np.int64)
    costs, n = np.asarray(costs, float), len(indptr) - 1
    if costs.shape != (n,) or (costs < 0).any() or len(request["phases"]) != 1:
        raise RangeError(f"least cost: {n} costs of 0 or more and one phase are needed")
    target = int(np.ceil(target_share * int(weights.sum())))
    floors = [*request_check.floors_of(request, 1), (np.arange(len(weights)), np.array([target]))]
    limits = list(request_check.limits_of(n, {**request, "budget": None}))
    names = (*(name for name, *_ in limits), "budget")
    problems = []
    if matrix_hash(indptr, indices, weights) != certificate.matrix:
        problems.append("matrix: another cover or weights")
    if len(certificate.phases) != 1 or not dual.same_shape(certificate, n, len(weights), names, len(floors)):
        problems.append("limits: the certificate was made for others")
        return CostVerification(tuple(problems), 0, target, 0.0, 0.0)
    locked, excluded = request_check.locked_of(request), request_check.excluded_pairs(n, request)
    matrix, shifts, none = (indptr, indices), certificate.side_shift, np.zeros(n, int)
    covered, total = 0, np.inf
    if order is not None:
        got, broken = dual.check_choice(
            matrix, weights, order, [len(order)], floors, limits, none, shifts, locked, excluded
        )  # fmt: skip
        problems += broken
        covered, total = got[0], _total(costs, order)
        if covered < target:
            problems.append(f"coverage: {target} asked for, {covered} covered")
    free = request_check.free_items(n, locked, excluded, limits, shifts[:-1])
    at = np.flatnonzero(costs)
    limits.append(("budget", at, costs[at], np.zeros(1)))
    problems += request_check.check_cliques(matrix, certificate.clique, excluded, free, limits, shifts, none)
    counted, wrong = _counted(matrix, weights, floors, limits, certificate, locked, free)
    problems += wrong
    whole = bool((costs == np.rint(costs)).all())
    bound = float(max(-(counted // certificate.scale), 0)) if whole else max(-counted / certificate.scale, 0.0)
    if cost is not None and abs(cost - total) > SAME * max(abs(total), 1.0):
        problems.append(f"cost: claimed {cost}, counted {total}")
    if lower_bound is not None and abs(lower_bound - bound) > SAME * max(bound, 1.0):
        problems.append(f"lower bound: claimed {lower_bound}, counted {bound}")
    return CostVerification(tuple(problems), covered, target, total, bound)


def _total(costs: Any, order: Any) -> float:
    """What the chosen items cost; infinite if some do not exist."""
    chosen = np.asarray(order, np.int64)
    return (
        float(costs[chosen].sum()) if not len(chosen) or (chosen.min() >= 0 and chosen.max() < len(costs)) else np.inf
    )


def _counted(
    cover: Any, weights: Any, floors: Any, limits: Any, certificate: Certificate, locked: Any, free: Any
) -> tuple[int, list[str]]:
    """The negative lower bound in ``1 / scale``, and what is wrong with the multipliers."""
    proof = certificate.phases[0]
    none = np.zeros(len(cover[0]) - 1, np.int64)
    const, score, wrong = dual.phase_scores(cover, weights, floors, limits, none, proof, 0, certificate)
    problems = [f"multipliers, {text}" for text in wrong]
    if proof.factor:
        problems.append(f"multipliers: coverage has weight {proof.factor} in the objective, wanted 0")
    unit = (certificate.scale << certificate.price_bits) / 2.0 ** int(certificate.side_shift[-1])
    if int(proof.price[-1]) > unit:  # less than one is weaker, but still a bound
        problems.append("multipliers: the price of cost is above one")
    counted = const + int(score[locked].sum()) + dual.best_of_cliques(certificate.clique, free, score)
    if (counted,) != certificate.upper_bound:
        problems.append(f"bound: claimed {certificate.upper_bound}, counted {counted}")
    return counted, problems
