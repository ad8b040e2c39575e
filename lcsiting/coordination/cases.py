"""Each protected station's problem: who brings how much in which mode, and what is left to do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting.coordination import joint, paths, physics
from lcsiting.coordination.exclusion import Wedges, beam_exclusion_db, beam_wedges
from lcsiting.coordination.interference import Evaluation
from lcsiting.coordination.measures import COMPONENTS, MEMBERS, StationMeasure, attenuation_db
from lcsiting.coordination.modes import site_modes
from lcsiting.coordination.moving import move_targets
from lcsiting.coordination.profile import own_other_bands, profile_row
from lcsiting.coordination.reachable import otherwise
from lcsiting.model import Project

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """What all protected stations share.

    Attributes
    ----------
    weights : float64 (pairs, 4)
        ``physics.component_weights``.
    gains : dict
        ``(turn_deg, tilt_deg)`` to the gain of each sector toward the protected station, (pairs, sectors).
    beam_db : float64 (pairs,)
        ``exclusion.beam_exclusion_db``.
    new : bool (n,)
        Over ``Evaluation.tx``: the base stations to decide on.
    target : int64 (n,)
        Position in ``Evaluation.tx`` a base station could be moved to: -1 outside the scope, -2 nowhere.
    """

    weights: Floats
    gains: dict[tuple[float, float], Floats]
    beam_db: Floats
    new: NDArray[np.bool_]
    target: NDArray[np.int64] | None
    target_row: NDArray[np.int64] | None


def by_the_last_phase(project: Project, dated: Sequence[StationMeasure]) -> list[StationMeasure]:
    """The dated measures of a protected station that are in effect in the last phase: the plan is solved for then."""
    last = project.config.phases[-1].year
    return [item for item in dated if item.effective.year <= last]


def make_scene(
    project: Project,
    evaluation: Evaluation,
    station_ids: Collection[str] | None,
    eligible: pd.DataFrame | None,
    wedges: Wedges | None = None,
) -> Scene:
    """What all protected stations share: gains in every mode, the base stations to decide on, where they could move.

    ``station_ids``, ``eligible`` as for :func:`lcsiting.coordination.remedies.remedies`; without a plan nothing moves.
    ``wedges`` (``exclusion.beam_wedges``): those of the evaluation's own budgets by default.
    """
    tables, tx, pairs = evaluation.tables, evaluation.tx, evaluation.pairs
    turned = otherwise(project, tx, tables).items()
    gains = {key: paths.sector_gains(one, tables, pairs, "average") for key, one in turned}
    new = ~project.stations["on_air"].to_numpy(bool)[tx.row]
    target = row = None
    if station_ids is not None:
        new &= project.stations["station_id"].isin(set(station_ids)).to_numpy()[tx.row]
        row = move_targets(project, tables, station_ids, eligible)[tx.row]
        position = np.full(len(project.stations) + 1, -1, dtype=np.int64)
        position[tx.row] = np.arange(len(tx.row))
        target = np.where(row < 0, -2, position[row])
    beam_db = beam_exclusion_db(evaluation, beam_wedges(project, evaluation) if wedges is None else wedges)
    weights = physics.component_weights(tx, evaluation.protected, pairs, tables)
    return Scene(weights, gains, beam_db, new, target, row)


def budget_terms(evaluation: Evaluation, k: int) -> tuple[Floats, Floats, bool]:
    """Budgets (mW), what each sums, and whether they are verified, of protected station ``k``.

    Inside the receive band a compliant block is no better than another: there its contribution is
    weighted up to the legacy limit.
    """
    rows = evaluation.budgets.rows
    mine = rows[rows["protected"] == k]
    limit = 10 ** (0.1 * mine["limit_dbm"].to_numpy(float))
    members = np.array(MEMBERS, dtype=float)[: len(mine)]
    if len(mine) > 1:
        legacy = float(profile_row(evaluation.tables, "overload_legacy", "limit_dbm")["limit_dbm"])
        members[1, COMPONENTS.index("overload_in")] = 10 ** (0.1 * (mine["limit_dbm"].iloc[1] - legacy))
    return limit, members, bool(mine["verified"].all())


def make_case(
    project: Project,
    evaluation: Evaluation,
    scene: Scene,
    k: int,
    left: list[StationMeasure],
    there: Sequence[StationMeasure],
    lost: Mapping[str, ArrayLike] | None,
    lang: str,
) -> joint.Case:
    """One protected station's problem; measures that are there already weaken every contribution."""
    tables, tx, pairs = evaluation.tables, evaluation.tx, evaluation.pairs
    span = slice(pairs.first[k], pairs.first[k + 1])
    at = pairs.tx[span]
    weights = scene.weights[span] * 10 ** (-attenuation_db(list(there)) / 10)
    mw = {key: gain[span][:, :, None] * weights[:, None, :] for key, gain in scene.gains.items()}
    rows, new = tx.row[at], scene.new[at]
    plain = mw.pop((0.0, 0.0))
    moved = None if scene.target is None else _moved(scene.target, at, plain.sum(axis=1), len(tx.row))[new]
    ways = site_modes(
        plain[new],
        tables,
        otherwise_mw={key: value[new] for key, value in mw.items()},
        sectors=np.diff(tx.first)[at[new]],
        micro=project.stations["micro"].to_numpy(bool)[rows[new]],
        beam_db=scene.beam_db[span][new],
        other_band=own_other_bands(project, tables, rows[new]) != "",
        moved_mw=moved,
        lost=None if lost is None else {mode: np.asarray(share)[rows[new]] for mode, share in lost.items()},
        lang=lang,
    )
    budget, members, _ = budget_terms(evaluation, k)
    on_air = project.stations["on_air"].to_numpy(bool)[rows]
    beyond = evaluation.outside.average_mw[k] * 10 ** (-attenuation_db(list(there)) / 10)
    return joint.Case(at[new], ways, left, budget, plain[on_air].sum(axis=(0, 1)) + beyond, members)


def _moved(target: NDArray[np.int64], at: NDArray[np.int64], planned_mw: Floats, n: int) -> Floats:
    """What each base station would bring from the place it could be moved to; NaN where there is none."""
    whole = np.zeros((n + 1, planned_mw.shape[1]))
    whole[at] = planned_mw
    goal = target[at]
    return np.where((goal == -2)[:, None], np.nan, whole[goal])  # -1, outside the scope: the last row, nothing
