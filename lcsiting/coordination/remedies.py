"""What clears every protected station of a project: needs, least-cost measures, who pays, what is lost.

Joins the computed contributions (``interference.evaluate``) with the choice of ``clearing``. The
same modes, without a choice, are offered to a ranking by :func:`alternatives`.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import schema
from lcsiting.coordination import clearing, physics
from lcsiting.coordination.interference import Evaluation
from lcsiting.coordination.measures import (
    COMPONENTS,
    MEMBERS,
    StationMeasure,
    noise_penalty_db,
    station_measures,
    who_pays,
)
from lcsiting.coordination.modes import AS_PLANNED, SiteModes, site_modes
from lcsiting.coordination.paths import Transmitters, transmitters
from lcsiting.coordination.profile import in_scope_bands, profile_row
from lcsiting.model import Project

# Exact up to this many base stations; beyond, the search may stop this close to the best.
EXACT_UP_TO, GAP = 300, 2e-3
OUTCOME = {"clear": "clear", "cleared": "cleared_by_measures", "curtailed": "curtailed", "broken": "broken"}


@dataclass(frozen=True)
class Remedies:
    """Measures for a whole project.

    Attributes
    ----------
    stations : DataFrame
        Schema table ``remedies``, one row per protected station.
    modes : DataFrame
        Schema table ``remedy_modes``, the base stations that change.
    measures : dict
        ``protected_id`` to the measures taken there, as ``aggregate.make_budgets`` wants them.
    """

    stations: pd.DataFrame
    modes: pd.DataFrame
    measures: dict[str, tuple[StationMeasure, ...]]


@dataclass(frozen=True)
class _Case:
    """One protected station's problem."""

    k: int
    record: Any
    tx: NDArray[np.int64]
    modes: SiteModes
    budget_mw: NDArray[np.float64]
    fixed_mw: NDArray[np.float64]
    members: NDArray[np.float64]
    verified: bool


def remedies(
    project: Project,
    evaluation: Evaluation,
    station_ids: Iterable[str] | None = None,
    as_of: datetime.date | None = None,
    lang: str = "zh",
    only: Iterable[str] | None = None,
) -> Remedies:
    """The least-cost joint choice at every protected station.

    Each protected station is solved on its own: a base station changed for two of them appears
    twice, and the sum of the costs is an upper bound.

    Parameters
    ----------
    project : Project
    evaluation : Evaluation
        From :func:`lcsiting.coordination.interference.evaluate`.
    station_ids : iterable of str, optional
        The new base stations of a plan; by default every one in the scope (the unrestricted plan).
        What is on air always counts, and cannot be changed.
    as_of : date, optional
        From which lead times run; ``project.as_of`` by default.
    lang : str
        Language of the labels.
    only : iterable of str, optional
        Some protected stations, by ``protected_id``.

    Returns
    -------
    Remedies
    """
    as_of = as_of or project.config.project.as_of
    wanted, asked = (None if ids is None else set(ids) for ids in (station_ids, only))
    tilted = _tilted(project, evaluation)
    share = float(profile_row(evaluation.tables, "broken_budget", "new_share")["new_share"])
    rows, parts, taken = [], [], {}
    for k, record in enumerate(evaluation.protected.itertuples(index=False)):
        if asked is not None and record.protected_id not in asked:
            continue
        case = _case(project, evaluation, tilted, k, record, wanted, lang)
        left = measures_left(evaluation, record, as_of, lang)
        gap = 0.0 if len(case.tx) <= EXACT_UP_TO else GAP
        found = clearing.clear_station(case.modes, left, case.budget_mw, case.fixed_mw, gap, share, case.members)
        taken[record.protected_id] = found.measures
        rows.append(_row(project, evaluation, case, found, lang))
        parts.append(_changed(project, evaluation, case, found))
    columns = list(schema.table("remedies").columns)
    table = pd.DataFrame(rows, columns=columns)
    table["effective"] = pd.to_datetime(table["effective"]).astype("datetime64[s]")
    empty = pd.DataFrame(columns=list(schema.table("remedy_modes").columns))
    changed = [part for part in parts if len(part)]
    return Remedies(table, pd.concat(changed, ignore_index=True) if changed else empty, taken)


def measures_left(evaluation: Evaluation, record: Any, as_of: datetime.date, lang: str = "zh") -> list[StationMeasure]:
    """The measures a protected station still has, as it is equipped."""
    return station_measures(
        evaluation.tables,
        as_of,
        earth_station=bool(record.earth_station),
        filter_db=float(record.filter_db),
        shielding_db=float(record.shielding_db),
        compliant=record.lnb_type == "compliant",
        lang=lang,
    )


def _tilted(project: Project, evaluation: Evaluation) -> Transmitters | None:
    row = evaluation.tables.profile.get("site_tilt")
    return None if row is None else transmitters(project, evaluation.tables, float(row["tilt_deg"]))


def _terms(evaluation: Evaluation, k: int) -> tuple[NDArray[Any], NDArray[Any], bool]:
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


def _case(
    project: Project,
    evaluation: Evaluation,
    tilted: Transmitters | None,
    k: int,
    record: Any,
    wanted: set[str] | None,
    lang: str,
) -> _Case:
    tables, protected = evaluation.tables, evaluation.protected
    at, mw = physics.component_mw(evaluation.tx, protected, evaluation.pairs, tables, k)
    lower = None if tilted is None else physics.component_mw(tilted, protected, evaluation.pairs, tables, k)[1]
    rows = evaluation.tx.row[at]
    on_air = project.stations["on_air"].to_numpy(bool)[rows]
    new = ~on_air
    if wanted is not None:
        new &= project.stations["station_id"].isin(wanted).to_numpy()[rows]
    budget, members, known = _terms(evaluation, k)
    ways = site_modes(
        mw[new],
        tables,
        budget_mw=budget,
        tilted_mw=None if lower is None else lower[new],
        other_band=_has_other_band(project, evaluation)[rows[new]],
        members=members,
        lang=lang,
    )
    return _Case(k, record, at[new], ways, budget, mw[on_air].sum(axis=(0, 1)), members, known)


def _has_other_band(project: Project, evaluation: Evaluation) -> NDArray[np.bool_]:
    """Whether the network of each station has a band outside the scope."""
    inside = in_scope_bands(evaluation.tables)
    outside = {net.name for net in project.config.networks if set(net.bands.values()) - inside}
    return project.stations["network"].isin(outside).to_numpy(bool)


def _row(project: Project, evaluation: Evaluation, case: _Case, found: clearing.Clearing, lang: str) -> dict[str, Any]:
    record, modes = case.record, case.modes
    layer = project.layers["protected_stations"]
    user = layer.loc[layer["station_id"] == record.protected_id, "user_unit"]
    bearer = who_pays(evaluation.tables, record.kind, record.rx_low_mhz, record.rx_high_mhz, lang)
    with np.errstate(divide="ignore"):
        margin = 10 * np.log10(case.budget_mw / found.used_mw)
    pad = lambda values: (*values, np.nan)[:2]  # noqa: E731  stations without a block have no overload budget
    needed, after, shadow = pad(found.needed_db), pad(margin), pad(found.shadow_db)
    in_effect = [item.effective for item in found.measures]
    chosen = modes.verified[found.mode][found.mode > 0]
    return {
        "protected_id": record.protected_id,
        "protected_name": record.protected_name,
        "user_unit": "" if user.empty or pd.isna(user.iloc[0]) else str(user.iloc[0]),
        "outcome": OUTCOME[found.status],
        "base_stations": len(case.tx),
        "needed_long_term_db": needed[0],
        "needed_overload_db": needed[1],
        "measures": "+".join(item.label for item in found.measures),
        "effective": max(in_effect) if in_effect else None,
        "station_cost": found.station_cost,
        "changed": int((found.mode > 0).sum()),
        "dropped": int(modes.last[found.mode].sum()),
        "site_cost": found.site_cost,
        "lost": float(found.lost.sum()),
        "margin_long_term_db": after[0],
        "margin_overload_db": after[1],
        "shadow_long_term_db": shadow[0],
        "shadow_overload_db": shadow[1],
        "noise_penalty_db": noise_penalty_db(float(record.noise_temperature_k), list(found.measures)),
        "bearer": bearer.text if found.measures or found.mode.any() else "",
        "verified": case.verified and all(item.verified for item in found.measures) and bool(chosen.all()),
    }


def _changed(project: Project, evaluation: Evaluation, case: _Case, found: clearing.Clearing) -> pd.DataFrame:
    """The base stations that do not stay as planned."""
    at = np.flatnonzero(found.mode > 0)
    mode, modes = found.mode[at], case.modes
    load = modes.mw @ case.members.T / case.budget_mw
    with np.errstate(divide="ignore", invalid="ignore"):
        reduction = 10 * np.log10(load[at, 0].max(axis=1) / load[at, mode].max(axis=1))
    ids = project.stations["station_id"].to_numpy(dtype=object)[evaluation.tx.row[case.tx[at]]]
    return pd.DataFrame(
        {
            "protected_id": case.record.protected_id,
            "station_id": pd.Series(ids, dtype="str"),
            "mode": np.array(modes.ids, dtype=object)[mode],
            "label": np.array(modes.labels, dtype=object)[mode],
            "reduction_db": reduction,
            "cost": modes.cost[at, mode],
            "lost": found.lost[at],
            "verified": modes.verified[mode],
        }
    )


# ---------------------------------------------------------------- for a ranking


@dataclass(frozen=True)
class Alternatives:
    """Stations as mutually exclusive items, one per mode, for ``rank_cover(modes=..., resources=...)``.

    Attributes
    ----------
    station_row : int32 (n,)
        Row of ``Project.stations``; items of one row exclude each other.
    mode : ndarray of str (n,)
    cost, lost : float64 (n,)
        Relative cost of the measure; first estimate of the share of coverage lost.
    load_mw : float64 (n, budgets)
        By the rows of ``Budgets``, measures at the protected stations not counted.
    """

    station_row: NDArray[np.int32]
    mode: NDArray[Any]
    cost: NDArray[np.float64]
    lost: NDArray[np.float64]
    load_mw: NDArray[np.float64]


def alternatives(project: Project, evaluation: Evaluation) -> Alternatives:
    """Every station in the scope that is not on air, as planned and in each mode that keeps its own band.

    Turning off "the worst sector" means another sector for every protected station, so it is left
    to the choice of one station; dropping is what a ranking does by not choosing.
    """
    tilted = _tilted(project, evaluation)
    n_budgets = len(evaluation.budgets.rows)
    new = np.flatnonzero(~project.stations["on_air"].to_numpy(bool)[evaluation.tx.row])
    position = np.full(len(evaluation.tx.row), -1)
    position[new] = np.arange(len(new))
    loads: dict[str, NDArray[Any]] = {}
    cost, lost = {}, {}
    for k, record in enumerate(evaluation.protected.itertuples(index=False)):
        case = _case(project, evaluation, tilted, k, record, None, "zh")
        budget_rows = np.flatnonzero(evaluation.budgets.rows["protected"] == k)
        for m, name in enumerate(case.modes.ids):
            if name.startswith(("site_sector_off", "site_other_band", "site_drop")):
                continue
            load = loads.setdefault(name, np.zeros((len(new), n_budgets)))
            load[np.ix_(position[case.tx], budget_rows)] = case.modes.mw[:, m] @ case.members.T
            if len(case.tx):
                cost[name], lost[name] = float(case.modes.cost[0, m]), float(case.modes.lost[0, m])
    names = [name for name in loads if name in cost] or [AS_PLANNED]
    return Alternatives(
        station_row=np.repeat(evaluation.tx.row[new], len(names)).astype(np.int32),
        mode=np.tile(np.array(names, dtype=object), len(new)),
        cost=np.tile([cost.get(name, 0.0) for name in names], len(new)),
        lost=np.tile([lost.get(name, 0.0) for name in names], len(new)),
        load_mw=np.stack([loads.get(name, np.zeros((len(new), n_budgets))) for name in names], axis=1).reshape(
            len(new) * len(names), n_budgets
        ),
    )
