"""Beam exclusion: toward which bearings a base station would form no beams, and what that takes off.

A station excludes the beams toward every protected station at which it brings at least ``mode_offer.min_share`` of
what the last phase leaves of a budget, counting what beams carry: its carrier inside the receive band and at the
low-noise block, not its unwanted emissions. Each is one wedge, ``site_beam.half_width_deg`` to either side of the
bearing. The wedges are a setting of the station like its azimuths: they mean the same to every protected station and
to coverage.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lcsiting.coordination.aggregate import Budgets
from lcsiting.coordination.interference import Evaluation
from lcsiting.coordination.modes import BEAM, beam_reduction_db
from lcsiting.coordination.profile import profile_row
from lcsiting.coverage.antennas import Wedge, excluded_db, exclusions_of
from lcsiting.model import Project

BEARING_DIGITS = 1  # a setting somebody has to enter; receivers on one ground share a wedge

Floats = NDArray[np.float64]
Wedges = Mapping[int, tuple[Wedge, ...]]


def beam_wedges(project: Project, evaluation: Evaluation, budgets: Budgets | None = None) -> Wedges:
    """The wedges beam exclusion would set at each base station.

    Parameters
    ----------
    project, evaluation : Project, Evaluation
    budgets : Budgets, optional
        Of the same pairs, with other limits (measures decided on); those of the evaluation by default.

    Returns
    -------
    dict
        Row of ``Project.stations`` to wedges by ascending bearing. What is on air, what has one omnidirectional
        antenna, and who loads no budget noticeably is not in it, nor anybody where the profile has no beam exclusion.
    """
    tables, tx, pairs = evaluation.tables, evaluation.tx, evaluation.pairs
    if BEAM not in tables.profile:
        return {}
    shape = float(profile_row(tables, BEAM, "half_width_deg")["half_width_deg"]), beam_reduction_db(tables)
    least = float(profile_row(tables, "mode_offer", "min_share")["min_share"])
    noticed = _noticed_shares(evaluation, budgets or evaluation.budgets) >= least
    fixed = (project.stations["on_air"] | project.stations["micro"]).to_numpy(bool)[tx.row]
    found: dict[int, set[Wedge]] = {}
    for p in np.flatnonzero(noticed & ~fixed[pairs.tx]):
        bearing = round(float(pairs.bearing_deg[p]), BEARING_DIGITS) % 360.0
        found.setdefault(int(tx.row[pairs.tx[p]]), set()).add((bearing, *shape))
    return {station: tuple(sorted(wedges)) for station, wedges in sorted(found.items())}


def _noticed_shares(evaluation: Evaluation, budgets: Budgets) -> Floats:
    """What each pair's beams take of what the last phase leaves of a budget, the larger share of its two budgets."""
    pairs = evaluation.pairs
    out = np.zeros(len(pairs.tx))
    for r, (k, mechanism) in enumerate(zip(budgets.rows["protected"], budgets.rows["mechanism"], strict=True)):
        span = slice(*pairs.first[k : k + 2])
        mw = budgets.mw[budgets.indptr[r] : budgets.indptr[r + 1]]  # in the order of the pairs
        beamed = mw if mechanism == "overload" else mw * pairs.co[span]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(beamed > 0, beamed / budgets.remaining_mw[r, -1], 0.0)
        out[span] = np.maximum(out[span], share)
    return out


def beam_exclusion_db(evaluation: Evaluation, wedges: Wedges) -> Floats:
    """What beam exclusion takes off each pair beyond what the station excludes already.

    Returns
    -------
    float64 (pairs,)
        dB: 0 outside the wedges; NaN where the station has none to exclude.
    """
    tx, pairs = evaluation.tx, evaluation.pairs
    mine = [wedges.get(int(row), ()) for row in tx.row]
    reduced = excluded_db(exclusions_of(mine), pairs.tx, pairs.bearing_deg)
    there = np.array([len(one) > 0 for one in mine], dtype=bool)
    return np.where(there[pairs.tx], np.maximum(reduced - pairs.excluded_db, 0.0), np.nan)
