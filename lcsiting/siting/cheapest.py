"""The cheapest stations that cover a share of the demand, phase by phase (``[[phases]] target_share``).

Each phase adds to what earlier ones built. Costs are the fair ones of ``limits``: what opens a place is
shared by its stations, so no choice costs less than they add up to and the bound holds for real costs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.model import Cover, Project
from lcsiting.siting import least_cost, outcome, plan_certificate, presolve, problem
from lcsiting.siting.certificate import Certificate
from lcsiting.siting.cost_check import SAME, verify_least_cost
from lcsiting.siting.items import Items
from lcsiting.siting.limits import Limits, cost_by_phase, fair_costs, keywords, relaxed
from lcsiting.siting.plan_tables import Chosen, _typed


def _asked(
    project: Project, items: Items, limits: Limits, resources: Any, phase: int, fixed: NDArray[np.bool_]
) -> dict[str, Any]:
    """The request of one phase as keywords, with what is built already locked."""
    dense = plan_certificate.dense_resources(items, resources)
    held = relaxed(items, limits, limits.lower, limits.need)
    terms = keywords(items, held, np.zeros(len(fixed)), held=False)
    if "quotas" in terms:
        terms["quotas"] = {name: tuple(bound[[phase]] for bound in both) for name, both in terms["quotas"].items()}
    if "floors" in terms:
        terms["floors"] = [(rows, need[[phase]]) for rows, need in terms["floors"]]
    used = int(items.units[fixed].sum())
    return {
        "phases": [max(project.config.phases[phase].target, used)], "units": items.units,
        "locked": np.flatnonzero(fixed), "modes": items.modes,
        "resources": None if dense is None else (dense[0], dense[1][[phase]]),
    } | terms  # fmt: skip


def choose_cheapest(
    project: Project, cover: Cover, items: Items, limits: Limits, *, resources: Any = None, threads: int = 1
) -> tuple[NDArray[np.int8], list[outcome.Ranking]]:
    """Phase each item enters in, and the ranking of each phase for itself: no choice costs less than its bound.

    Parameters
    ----------
    project, cover, items, limits : Project, Cover, Items, Limits
        Quotas and floors hold where they can.
    resources : tuple, optional
        From :func:`limits.by_item`.
    threads : int
        The result does not depend on it.

    Returns
    -------
    label : int8 (n_items,)
        The number of phases if never.
    alone : list of Ranking
        ``lower_bound`` and its proof ``dual``: of any choice that reaches the share of that phase, beside what is on
        air; checked by :func:`bound_problems`.
    """
    phases, matrix = project.config.phases, (items.indptr, items.indices)
    label = np.where(items.locked, 0, len(phases)).astype(np.int8)
    fair, alone = fair_costs(items, limits), []
    for t, phase in enumerate(phases):
        assert phase.target_share is not None
        fixed = label < len(phases)
        opened = np.isin(items.place_of, items.place_of[fixed])
        costs = np.where(fixed, 0.0, np.where(opened, limits.opened_cost, fair))
        request = problem.make_problem(matrix, cover.row_weight, **_asked(project, items, limits, resources, t, fixed))
        found = least_cost.least_cost(request, costs, phase.target_share, threads=threads)
        label[found.order[~fixed[found.order]]] = t
        if t:
            terms = _asked(project, items, limits, resources, t, items.locked)
            request = problem.make_problem(matrix, cover.row_weight, **terms)
            found = least_cost.least_cost(request, fair, phase.target_share, threads=threads)
        alone.append(found)
    return label, alone


def bound_problems(
    project: Project, cover: Cover, items: Items, limits: Limits, claimed: pd.DataFrame,
    proofs: Sequence[Certificate], *, resources: Any = None,
) -> list[str]:  # fmt: skip
    """What is wrong with the lower bounds on the cost of each phase, added up anew from their multipliers.

    Parameters
    ----------
    project, cover, items, limits, resources
        As for :func:`choose_cheapest`.
    claimed : DataFrame
        The rows ``least_cost`` of :func:`with_costs`, a phase each.
    proofs : sequence of Certificate
        What the bounds rest on, a phase each (``Ranking.dual``).
    """
    if len(claimed) != len(project.config.phases) or len(proofs) != len(claimed):
        return ["least cost: not one bound and one certificate for every phase"]
    matrix, fair, out = (items.indptr, items.indices), fair_costs(items, limits), []
    for t, (phase, row, proof) in enumerate(zip(project.config.phases, claimed.itertuples(), proofs, strict=True)):
        none = bool(np.isnan(row.bound))
        checked = verify_least_cost(
            matrix, cover.row_weight, None, proof, costs=fair, target_share=phase.target_share or 0.0,
            lower_bound=None if none else row.bound, **_asked(project, items, limits, resources, t, items.locked),
        )  # fmt: skip
        wrong = [*checked.problems]
        if none and checked.lower_bound <= row.value:
            wrong.append(f"a request nothing can meet was claimed, the bound is {checked.lower_bound}")
        out += [f"least cost {phase.year}: {text}" for text in wrong]
    return out


def with_costs(
    project: Project, cover: Cover, items: Items, limits: Limits, label: NDArray[np.int8], bounds: Sequence[float],
    table: pd.DataFrame | None,
) -> pd.DataFrame:  # fmt: skip
    """Schema table ``limits`` with the share each phase reaches, and its cost beside the lower bound.

    A bound above what the plan costs proves that no choice meets what the phase asks: it is left empty.
    """
    cost, rows, done = cost_by_phase(items, limits, label), [], np.zeros(len(cover.row_weight), bool)
    whole = max(int(cover.row_weight.sum()), 1)
    most = float(cover.row_weight[np.unique(items.indices)].sum() / whole)
    for t, phase in enumerate(project.config.phases):
        for i in np.flatnonzero(label == t):
            done[items.indices[items.indptr[i] : items.indptr[i + 1]]] = True
        asked, share = phase.target_share or 0.0, float(cover.row_weight[done].sum() / whole)
        good = share >= asked - 1e-9
        state = "binding" if good else "unmet" if most >= asked else "impossible"
        best = (np.nan, np.nan) if good else (share, most)
        rows.append((phase.year, "target_share", "", "share", asked, share, state, np.nan, *best))
        bound = bounds[t] if bounds[t] <= cost[t] * (1 + SAME) else np.nan
        rows.append((phase.year, "least_cost", "", "", np.nan, cost[t], "kept", np.nan, cost[t], bound))
    columns = ["year", "kind", "area", "unit", "limit", "value", "outcome", "free_value", "best", "bound"]
    own = _typed(pd.DataFrame(rows, columns=columns), "limits")
    return own if table is None else pd.concat([own, table], ignore_index=True)


def chosen_of(project: Project, cover: Cover, items: Items, label: NDArray[np.int8], unit: float) -> Chosen:
    """The plan's rows of nested choices, each phase in the order of what its items add."""
    phases = len(project.config.phases)
    request = problem.make_problem(
        (items.indptr, items.indices), cover.row_weight, phases=[len(label)] * phases, units=items.units,
        locked=np.flatnonzero(items.locked), modes=items.modes,
    )  # fmt: skip
    reduced = presolve.presolve(request)
    return plan_certificate.rows_of(cover, items, request, reduced, label, unit)
