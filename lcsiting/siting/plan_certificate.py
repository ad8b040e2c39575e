"""The certificate of a plan, and the plan improved: from tables to the engine and back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.errors import RangeError
from lcsiting.model import Cover, Project
from lcsiting.siting import certificate, dual, engine, improve, outcome, presolve, problem
from lcsiting.siting.limits import Limits, achieved, cost_by_phase, keywords, relaxed
from lcsiting.siting.plan_tables import Chosen, _typed
from lcsiting.siting.traffic import added_rows

if TYPE_CHECKING:
    from lcsiting.siting.phases import Items

BUDGET_TRIES = 5
ARRAYS = ("multipliers", "cost_multipliers", "added_rows")  # of a certificate, beside its figures
SCOPE = {"zh": "在给定的候选基站和本覆盖矩阵范围内", "en": "over the given items and this cover matrix"}


def labels_of(items: "Items", rows: pd.DataFrame, phases: int) -> NDArray[np.int8]:
    """Phase each item enters in: 0 for what is on air, ``phases`` if never, (n_items,).

    An item enters with the last of its stations; of the modes of a place, the one that has all of them.
    """
    entered = np.full(int(items.members.max(initial=-1)) + 1, phases, np.int8)
    entered[rows["position"].to_numpy(np.int64)] = np.maximum(rows["phase"].to_numpy(), 0)
    label = np.maximum.reduceat(entered[items.members], items.member_ptr[:-1])
    if items.modes is not None:
        here, size = np.flatnonzero((label < phases) & (items.modes >= 0)), np.diff(items.member_ptr)
        most = pd.Series(size[here]).groupby(items.modes[here]).transform("max")
        label[here[size[here] < most]] = phases
    return label


def dense_resources(items: "Items", resources: tuple[Any, Any] | None) -> tuple[Any, Any] | None:
    """Loads (n_resources, n_items) and limits (n_phases, n_resources) as the engine takes them.

    What is on air is taken off the limits already, so it loads nothing.
    """
    if resources is None or not resources[1].size:
        return None
    (indptr, indices, loads), limits = resources
    item = np.repeat(np.arange(len(items.units)), np.diff(indptr))
    dense = np.zeros((limits.shape[1], len(items.units)))
    np.add.at(dense, (indices, item), loads)
    dense[:, items.locked] = 0.0
    return dense, limits


def _together(first: tuple[Any, Any] | None, second: tuple[Any, Any] | None) -> tuple[Any, Any] | None:
    """Resources of two kinds as one."""
    if first is None or second is None:
        return first or second
    return np.vstack([first[0], second[0]]), np.hstack([first[1], second[1]])


def request_of(
    project: Project, items: "Items", label: NDArray[np.int8], limits: Limits, resources: tuple[Any, Any] | None = None,
    *, held: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The plan's targets and limits as keywords of a request. A target that is exceeded on air is what is on air.

    ``held``: costs that no exchange can make too small (``limits.held_costs``) instead of those that prove a bound.
    """
    weights = [phase.weight for phase in project.config.phases]
    targets = [phase.target for phase in project.config.phases]
    used = [int(items.units[label <= t].sum()) for t in range(len(targets))]
    terms = keywords(items, limits, label, held=held)
    return {
        "phases": np.maximum.accumulate(np.maximum(targets, used)).tolist(),
        "units": items.units,
        "locked": np.flatnonzero(items.locked),
        "modes": items.modes,
        "resources": _together(dense_resources(items, resources), terms.pop("held", None)),
        "phase_weights": None if len(set(weights)) == 1 else weights,
    } | terms


def improved(
    project: Project, cover: Cover, items: "Items", chosen: Chosen, unit: float, *, limits: Limits,
    resources: tuple[Any, Any] | None = None,
) -> Chosen:  # fmt: skip
    """Exchange items between the phases and with those outside while weighted coverage rises.

    The number of units of every phase stays. The order inside a phase is by new coverage; tiers no
    longer bind, so ``tier`` is empty. With a budget the engine's own choice is one more start.

    Parameters
    ----------
    project, cover, items, chosen : Project, Cover, Items, Chosen
        The plan as the tiers made it.
    unit : float
        People of a weight unit.
    limits : Limits
        Quotas, floors and budgets; those that hold do so afterwards, floors that do not are mended if possible.
    resources : tuple, optional
        ``((indptr, indices, loads), limits)`` by item, in whole quanta, as the plan was made with; they hold
        afterwards as before.

    Returns
    -------
    Chosen

    Raises
    ------
    RangeError
        The plan to be improved breaks a budget.
    """
    phases = len(project.config.phases)
    label = labels_of(items, chosen.rows, phases)
    asked = replace(relaxed(items, limits, *achieved(cover, items, limits, label)), need=limits.need)
    terms = request_of(project, items, label, asked, resources, held=True)
    request = problem.make_problem((items.indptr, items.indices), cover.row_weight, **terms)
    reduced = presolve.presolve(request)
    walk = improve.make_walk(request, reduced)
    improve.restart(walk, request, label)
    if (walk.slack < 0).any():
        broken = sorted({request.sides.names[s] for s in np.nonzero(walk.slack < 0)[1]})
        raise RangeError(
            f"ranking: the plan breaks {len(broken)} limits ({', '.join(broken[:5])}) before any exchange; "
            'set [ranking] improve = false, or [coordination] enforce = "report"'
        )
    best = before = improve.state_of(walk)
    for mend in (False, True) if before.broken else (False,):
        improve.restart(walk, request, before.label)
        if mend:
            improve.mend_floors(walk, request, np.ones(request.need.shape))
        improve.improve(walk)
        here = improve.state_of(walk)
        over = cost_by_phase(items, limits, here.label) > limits.budget * (1 + 1e-9)
        if not over.any() and improve.ahead(here, best):
            best = here
    if limits.has_budget and (found := _within_budget(project, cover, items, label, limits, asked, resources)):
        best = found if improve.ahead(found, best) else best
    if best is before:
        return chosen
    return rows_of(cover, items, request, reduced, best.label, unit)


def _within_budget(
    project: Project, cover: Cover, items: "Items", label: NDArray[np.int8], limits: Limits, asked: Limits,
    resources: tuple[Any, Any] | None,
) -> improve.Nested | None:  # fmt: skip
    """The engine's own choice at what it really costs; None if no try keeps the budgets.

    The engine counts the shared costs of the bound, which are too small: its budgets shrink until the real cost fits.
    """
    matrix, tried = (items.indptr, items.indices), asked
    for _ in range(BUDGET_TRIES):
        terms = request_of(project, items, label, tried, resources)
        effort = replace(engine.EFFORTS["best"], certify=False)
        request = problem.make_problem(matrix, cover.row_weight, **terms)
        found, _, _ = engine.solve(request, effort=effort, threads=engine.processors())
        cost = cost_by_phase(items, limits, found.label)
        if (cost <= limits.budget * (1 + 1e-9)).all():
            break
        tried = replace(tried, budget=tried.budget * np.minimum(limits.budget / np.maximum(cost, 1e-9), 1.0))
    else:
        return None
    request = problem.make_problem(
        matrix, cover.row_weight, **request_of(project, items, found.label, asked, resources, held=True)
    )
    walk = improve.make_walk(request, presolve.presolve(request))
    improve.restart(walk, request, found.label)
    start = improve.state_of(walk)
    improve.improve(walk)
    here = improve.state_of(walk)
    over = (cost_by_phase(items, limits, here.label) > limits.budget * (1 + 1e-9)).any()
    return start if over or improve.ahead(start, here) else here


def rows_of(
    cover: Cover, items: "Items", request: problem.Problem, reduced: presolve.Reduced, label: NDArray[np.int8],
    unit: float,
) -> Chosen:  # fmt: skip
    """The plan's rows of nested choices; ``unit``: people of a weight unit."""
    order, gain, _ = engine.ordered(request, reduced, label)
    counts = np.diff(items.member_ptr)[order]
    locked = request.locked[order]
    phase = np.where(locked, -1, label[order])
    basis = np.where(locked, "on_air", np.where(gain > 0, "coverage", "capacity"))
    members = [items.members[items.member_ptr[i] : items.member_ptr[i + 1]] for i in order]
    rows = pd.DataFrame(
        {
            "position": np.concatenate([np.empty(0, np.int64), *members]),
            "block_gain": np.repeat(np.where(locked, 0, gain).astype(float), counts),
            "phase": np.repeat(phase, counts), "tier": "", "basis": np.repeat(basis, counts),
            "block": np.repeat(phase + 1, counts),
        }
    )  # fmt: skip
    covered = np.zeros(len(cover.row_weight), bool)
    for i in order:
        covered[items.indices[items.indptr[i] : items.indptr[i + 1]]] = True
    left = dual.item_sums(cover.indptr, cover.indices, np.where(covered, 0, cover.row_weight))
    return Chosen(rows, left.astype(float) * unit)


def certify(
    project: Project, cover: Cover, items: "Items", chosen: Chosen, *, limits: Limits,
    resources: tuple[Any, Any] | None = None, threads: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """How far every phase of a plan, and all together, are from the best possible.

    Parameters
    ----------
    project, cover, items, chosen : Project, Cover, Items, Chosen
        The plan.
    limits, resources : Limits, tuple
        As for :func:`improved`; the bound and the check count them, lower quotas and floors as far as the plan
        meets them.
    threads : int
        The result does not depend on it.

    Returns
    -------
    dict
        ``scope``, ``matrix`` (hash of cover and weights), ``checked`` (the independent checker agrees),
        ``phases`` (year, value and upper bound in weight units, gap_pct), ``joint`` (value, bound, gap_pct),
        ``multipliers`` (:class:`certificate.Certificate`). Where the least cost is asked for,
        :func:`lcsiting.siting.phases.rank` adds ``cost_multipliers``, those of each phase's lower bound. Where the
        cover has demand for full stations, ``added_rows`` (:func:`traffic.added_rows`) says which.
    """
    phases = len(project.config.phases)
    label = labels_of(items, chosen.rows, phases)
    asked = relaxed(items, limits, *achieved(cover, items, limits, label))
    terms = request_of(project, items, label, asked, resources)
    request = problem.make_problem((items.indptr, items.indices), cover.row_weight, **terms)
    best, proof, reduced = engine.solve(request, effort=engine.EFFORTS["bound"], threads=threads, given=label)
    assert proof is not None
    order, gain, ends = engine.ordered(request, reduced, best.label)
    plan = outcome.Ranking(order, gain, ends, np.concatenate([[0], np.cumsum(gain)])[ends])
    plan = engine.with_bounds(request, reduced, plan, proof)
    checked = dual.verify_certificate(
        (items.indptr, items.indices), cover.row_weight, order, ends, proof, value=[int(v) for v in plan.value],
        **terms,
    )  # fmt: skip
    assert plan.upper_bound is not None and plan.gap_pct is not None
    added = added_rows(cover)
    return {
        "scope": " / ".join(SCOPE.values()),
        "matrix": proof.matrix,
        "checked": checked.ok,
        "phases": [
            {"year": phase.year, "value": int(v), "upper_bound": int(b), "gap_pct": round(float(g), 4)}
            for phase, v, b, g in zip(project.config.phases, plan.value, plan.upper_bound, plan.gap_pct, strict=True)
        ],
        "joint": {
            "value": plan.joint_value,
            "upper_bound": plan.joint_bound,
            "gap_pct": round(float(plan.joint_gap_pct or 0.0), 4),
        },
        "multipliers": proof,
    } | ({} if added is None else {"added_rows": added})


def save_multipliers(proof: certificate.Certificate, path: Path) -> None:
    """Write a certificate's multipliers, compressed (``.npz``)."""
    arrays: dict[str, Any] = {
        "matrix": proof.matrix, "scale": proof.scale, "price_bits": proof.price_bits, "alpha": proof.alpha,
        "side_names": np.array(proof.side_names), "side_shift": proof.side_shift, "clique": proof.clique,
        "upper_bound": np.array([str(v) for v in proof.upper_bound]), "joint_bound": str(proof.joint_bound),
    }  # fmt: skip
    for kind, duals in (("phases", proof.phases), ("joint", proof.joint)):
        for t, one in enumerate(duals):
            for name in ("factor", "u", "price", "floor"):
                arrays[f"{kind}{t}_{name}"] = getattr(one, name)
    np.savez_compressed(path, **arrays)


def open_multipliers(path: Path) -> certificate.Certificate:
    """Read what :func:`save_multipliers` wrote."""
    with np.load(path) as data:
        parts = {
            kind: tuple(
                certificate.Dual(
                    int(data[f"{kind}{t}_factor"]),
                    data[f"{kind}{t}_u"],
                    data[f"{kind}{t}_price"],
                    data[f"{kind}{t}_floor"],
                )
                for t in range(sum(key.startswith(kind) and key.endswith("_factor") for key in data.files))
            )
            for kind in ("phases", "joint")
        }
        return certificate.Certificate(
            matrix=str(data["matrix"]), scale=int(data["scale"]), price_bits=int(data["price_bits"]),
            side_names=tuple(map(str, data["side_names"])), side_shift=data["side_shift"], clique=data["clique"],
            alpha=data["alpha"], upper_bound=tuple(map(int, data["upper_bound"])),
            joint_bound=int(str(data["joint_bound"])), **parts,
        )  # fmt: skip


def certificate_figures(proof: dict[str, Any]) -> dict[str, Any]:
    """A plan's certificate without its multipliers, fit for JSON."""
    return {key: value for key, value in proof.items() if key not in ARRAYS}


def certificate_rows(proof: dict[str, Any], unit: float) -> pd.DataFrame:
    """Schema table ``certificate``: each phase, then all jointly (year 0); ``unit``: people of a weight unit."""
    rows = [*proof["phases"], proof["joint"] | {"year": 0}]
    frame = pd.DataFrame(
        {
            "phase_year": [row["year"] for row in rows],
            "value": [row["value"] * unit for row in rows],
            "upper_bound": [row["upper_bound"] * unit for row in rows],
            "gap_pct": [row["gap_pct"] for row in rows],
            "checked": bool(proof["checked"]),
            "matrix": proof["matrix"],
        }
    )
    return _typed(frame, "certificate")


def save_certificate(proof: dict[str, Any] | None, folder: Path) -> None:
    """Write ``certificate.json`` and its multipliers (``.npz``) into a folder; nothing without a certificate."""
    if proof is None:
        return
    text = json.dumps(certificate_figures(proof), ensure_ascii=False, indent=1)
    (folder / "certificate.json").write_text(text, encoding="utf-8")
    save_multipliers(proof["multipliers"], folder / "certificate.npz")
    for t, one in enumerate(proof.get("cost_multipliers", ())):
        save_multipliers(one, folder / f"certificate_cost{t}.npz")
    if "added_rows" in proof:
        np.savez_compressed(folder / "certificate_added.npz", **proof["added_rows"])


def open_certificate(folder: Path) -> dict[str, Any] | None:
    """Read what :func:`save_certificate` wrote; None if it wrote nothing."""
    if not (folder / "certificate.json").is_file():
        return None
    figures = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    figures["multipliers"] = open_multipliers(folder / "certificate.npz")
    count = len(list(folder.glob("certificate_cost*.npz")))
    if count:
        figures["cost_multipliers"] = tuple(open_multipliers(folder / f"certificate_cost{t}.npz") for t in range(count))
    if (folder / "certificate_added.npz").is_file():
        with np.load(folder / "certificate_added.npz") as data:
            figures["added_rows"] = dict(data)
    return figures
