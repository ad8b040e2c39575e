"""A plan's certificate checked again from the plan's own tables, also of a saved result."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.errors import LayerError
from lcsiting.model import Cover, Result
from lcsiting.siting import cellmap, dual, plan_certificate
from lcsiting.siting import limits as limits_of
from lcsiting.siting.cheapest import bound_problems
from lcsiting.siting.cost_check import SAME
from lcsiting.siting.items import Items, make_items
from lcsiting.siting.traffic import with_added_rows


def _torn(cover: Cover, items: Items, rows: pd.DataFrame, label: NDArray[np.int8], phases: int) -> list[str]:
    """A problem if stations of a place that is ranked as a whole are missing, or not in one phase."""
    said = np.full(len(cover.station_ids), phases)
    said[rows["position"].to_numpy(np.int64)] = np.maximum(rows["phase"].to_numpy(), 0)
    carried = np.full(len(cover.station_ids), phases)
    np.minimum.at(carried, items.members, np.repeat(label, np.diff(items.member_ptr)))
    torn = cover.station_ids[said != carried]
    return [f"places: {len(torn)} stations stand without the others of their place ({torn[0]} …)"] if len(torn) else []


def verify_plan(result: Result) -> dual.Verification:
    """Check the certificate of a plan on its cover: every constraint, every value, every bound.

    Nothing the ranking computed is taken over: the choice is read from the table of stations, the limits from
    the project, the sums are added up anew (:func:`lcsiting.siting.dual.verify_certificate`). Where the least cost is
    asked for, so are the shares, the costs and their lower bounds
    (:func:`lcsiting.siting.cost_check.verify_least_cost`). Where a traffic layer made stations full, the demand
    that was added beside them is part of the matrix the certificate names.

    Parameters
    ----------
    result : Result
        From :func:`lcsiting.run` or :func:`lcsiting.open_result`, with ``[ranking] certificate = true``.

    Returns
    -------
    Verification
        ``ok``; ``problems`` says what is wrong.

    Raises
    ------
    LayerError
        The result has no certificate or no cover.
    """
    project, cover, plan = result.project, result.cover, result.plan
    if plan.certificate is None or cover is None:
        raise LayerError(
            "结果中没有最优性证书或覆盖矩阵。请在 project.toml 写 [ranking] certificate = true 后重新运行。"
        )
    if "added_rows" in plan.certificate:
        cover = with_added_rows(cover, plan.certificate["added_rows"])
    items = make_items(project, cover)
    years = np.array([phase.year for phase in project.config.phases])
    entered = plan.stations["phase_year"].to_numpy()
    rows = pd.DataFrame(
        {
            "position": cellmap.plan_order(cover, plan),
            "phase": np.where(entered > 0, np.searchsorted(years, entered), -1),
        }
    )
    label = plan_certificate.labels_of(items, rows, len(years))
    limits = limits_of.make_limits(project, cover, items)
    asked = limits_of.relaxed(items, limits, *limits_of.achieved(cover, items, limits, label))
    resources = None if result.resources is None else limits_of.by_item(items, result.resources)
    terms = plan_certificate.request_of(project, items, label, asked, resources)
    order = np.argsort(label, kind="stable")[: int((label < len(years)).sum())]
    ends = np.searchsorted(label[order], np.arange(len(years)), side="right")
    value = [row["value"] for row in plan.certificate["phases"]]
    proof, matrix = plan.certificate["multipliers"], (items.indptr, items.indices)
    checked = dual.verify_certificate(matrix, cover.row_weight, order, ends, proof, value=value, **terms)
    torn = _torn(cover, items, rows, label, len(years))
    costs = _cost_problems(result, cover, items, limits, label, resources, checked.value)
    return replace(checked, problems=(*checked.problems, *torn, *costs))


def _cost_problems(
    result: Result, cover: Cover, items: Items, limits: limits_of.Limits, label: NDArray[np.int8], resources: Any,
    values: tuple[int, ...],
) -> list[str]:  # fmt: skip
    """Where the least cost is asked for: what is wrong with the shares, costs and bounds the plan claims."""
    project, plan, out = result.project, result.plan, []
    if project.config.phases[0].target_share is None:
        return []
    proofs = (plan.certificate or {}).get("cost_multipliers", ())
    claimed = {} if plan.limits is None else dict(list(plan.limits.groupby("kind")))
    if "least_cost" not in claimed or not proofs:
        return ["least cost: the result keeps no bound, or not the multipliers it rests on"]
    costs, shares = claimed["least_cost"], np.array(values) / max(int(cover.row_weight.sum()), 1)
    for what, said, counted in (
        ("cost", costs["value"], limits_of.cost_by_phase(items, limits, label)),
        ("cost in the table of phases", plan.phases["cost"], limits_of.cost_by_phase(items, limits, label)),
        ("share", claimed["target_share"]["value"], shares),
    ):
        if len(said) != len(counted) or not np.allclose(said, counted, rtol=SAME, atol=SAME):
            out.append(f"least cost: {what} claimed {said.tolist()}, counted {counted.tolist()}")
    return out + bound_problems(project, cover, items, limits, costs, proofs, resources=resources)
