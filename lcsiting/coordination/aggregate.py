"""The sum over all base stations, as a linear budget: for each protected station, what may still be added.

Every base station i brings ``a_is`` milliwatts at protected station s; a plan that carries the stations ``y_i`` is
within the budget of a phase if ``sum a_is y_i <= b_s``. There are two budgets per protected station: ``long_term``
(co-channel plus unwanted emissions, mW/MHz) and ``overload`` (total power at the low-noise block, mW). A ranking gets
``(A, b)`` and need not know what an earth station is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting import schema
from lcsiting.coordination.criteria import criterion
from lcsiting.coordination.dated import dated_measures
from lcsiting.coordination.measures import growth_db
from lcsiting.coordination.outside import Outside
from lcsiting.coordination.paths import Pairs, Transmitters
from lcsiting.coordination.physics import Levels
from lcsiting.coordination.profile import RuleTables, profile_row
from lcsiting.coordination.protected import overload_terms
from lcsiting.errors import RangeError
from lcsiting.model import Plan, Project
from lcsiting.rules.modes import AS_PLANNED

MECHANISMS = ("long_term", "overload")
NOTHING_DBM = -999.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Budgets:
    """Linear budgets over base stations.

    Attributes
    ----------
    rows : DataFrame
        One per budget: protected (row of the protected table), protected_id, protected_name, mechanism,
        limit_dbm, on_air_dbm, candidates_dbm (every base station in the scope), envelope_dbm (the same with the
        strongest beams), needed_db (attenuation if every candidate were on air), broken (by what is on air), binding,
        verified, defaults (of the protected station that decided it).
    station_rows : int32 (n,)
        Rows of ``Project.stations`` the columns stand for: the stations in the scope.
    modes : ndarray of str (n,), or None
        In which mode (``modes.mode_ids``); None: all as planned.
    indptr, indices, mw : int64 (n_rows + 1,), int64 (pairs,), float64 (pairs,)
        The matrix A, one row per budget (compressed), milliwatts.
    envelope_mw : float64 (pairs,)
        The same with the strongest beams at full power: the upper case, printed and not judged.
    on_air : bool (n,)
    limit_mw, remaining_mw : float64 (n_rows, n_phases)
        The limit of each phase, measures included, and what new stations may add to what is on air.
    outside_mw, outside_envelope_mw : float64 (n_rows,)
        What base stations on air beyond the city border bring; they have no columns.
    agreed_mw : float64 (n_rows, n_phases)
        What new stations may add if of the measures only those of the layer ``station_measures`` are carried out.
    """

    rows: pd.DataFrame
    station_rows: NDArray[np.int32]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    mw: Floats
    envelope_mw: Floats
    on_air: NDArray[np.bool_]
    limit_mw: Floats
    remaining_mw: Floats
    agreed_mw: Floats
    outside_mw: Floats
    outside_envelope_mw: Floats
    modes: NDArray[Any] | None = None


def columns_of(budgets: Budgets, keys: ArrayLike, modes: ArrayLike | None = None) -> NDArray[np.int64]:
    """Column of each (row of ``Project.stations``, mode); -1 where there is none.

    Empty mode: as planned. Budgets without modes have one column for each station, whatever its mode.
    """
    rows = np.asarray(keys, dtype=np.int64)
    if budgets.modes is None:
        return np.asarray(pd.Index(budgets.station_rows).get_indexer(pd.Index(rows)), dtype=np.int64)
    asked = np.full(len(rows), AS_PLANNED, dtype=object)
    if modes is not None:
        given = np.asarray(modes, dtype=object)
        asked = np.where(given == "", AS_PLANNED, given)
    index = pd.MultiIndex.from_arrays([budgets.station_rows, budgets.modes])
    return np.asarray(index.get_indexer(pd.MultiIndex.from_arrays([rows, asked])), dtype=np.int64)


def aggregate(
    level_dbm: ArrayLike | None = None,
    *,
    power_dbm: ArrayLike = 0.0,
    gain_dbi: ArrayLike = 0.0,
    loss_db: ArrayLike | None = None,
    index: ArrayLike | None = None,
    count: int | None = None,
) -> Floats:
    """Sum levels in milliwatts.

    Parameters
    ----------
    level_dbm : array_like (n,), optional
        Levels at the receiver; or leave it out and give the terms, so that a published case can be replayed with its
        own losses.
    power_dbm, gain_dbi, loss_db : array_like (n,)
        Radiated or fed power (or its density), sum of the gains, loss: the level is
        ``power_dbm + gain_dbi - loss_db``.
    index : array_like of int (n,), optional
        Which sum a level belongs to; one sum of everything by default.
    count : int, optional
        How many sums there are; one more than the largest index by default.

    Returns
    -------
    ndarray (count,)
        dBm (or dBm/MHz); -inf for an empty sum.

    Raises
    ------
    RangeError
        Neither levels nor losses given, or an index below 0.
    """
    if level_dbm is None and loss_db is None:
        raise RangeError("aggregate: give level_dbm, or loss_db with power_dbm and gain_dbi (dB)")
    level = np.asarray(power_dbm, float) + gain_dbi - np.asarray(loss_db, float) if level_dbm is None else level_dbm
    level = np.atleast_1d(np.asarray(level, dtype=float))
    which = np.zeros(level.shape, dtype=np.int64) if index is None else np.asarray(index, dtype=np.int64)
    if which.size and which.min() < 0:
        raise RangeError("aggregate: index must not be negative")
    size = (int(which.max(initial=0)) + 1) if count is None else count
    with np.errstate(divide="ignore"):
        return 10 * np.log10(np.bincount(which, weights=10 ** (0.1 * level), minlength=size))


def _dbm(mw: ArrayLike) -> Floats:
    with np.errstate(divide="ignore"):
        return np.maximum(10 * np.log10(np.asarray(mw, dtype=float)), NOTHING_DBM)


def _limits(record: Any, co: NDArray[np.bool_], tables: RuleTables) -> tuple[Any, Floats]:
    """Limit (dBm) and standing of each budget, and the weight of each pair in the overload budget.

    The long-term limit is the co-channel one where any base station transmits inside the receive band. In the
    overload budget a pair inside the receive band of a compliant block counts against the legacy limit: its power is
    weighted by the ratio of the two.
    """
    long_term = criterion(tables, record, "co_channel" if co.any() else "adjacent")
    out = [(long_term.limit_dbm, long_term.verified)]
    if not record.earth_station:
        return out, np.zeros(len(co))
    limit, _, known = overload_terms(record, co, tables)
    own = float(limit.max(initial=float(profile_row(tables, "overload_legacy", "limit_dbm")["limit_dbm"])))
    out.append((own, bool(known.all())))
    return out, 10 ** (0.1 * (own - limit))


def _loads(
    record: Any, k: int, co: NDArray[np.bool_], levels: Levels, span: slice, outside: Outside, tables: RuleTables
) -> tuple[Any, NDArray[np.bool_], list[tuple[Floats, Floats, float, float]]]:
    """Limits of protected station ``k`` (:func:`_limits`), which components arrive there, and what each budget sums.

    The last by :data:`MECHANISMS`: average and envelope of every pair, then of all beyond the border, mW.
    """
    beyond = np.array([True, False])[outside.average_mw[k, :2] + outside.average_mw[k, 2:] > 0]
    every = np.concatenate([co, beyond])
    terms, weights = _limits(record, every, tables)
    weight, far_weight = weights[: len(co)], np.zeros(2)
    far_weight[np.where(beyond, 0, 1)] = weights[len(co) :]
    far, far_top = outside.average_mw[k], outside.envelope_mw[k]
    loads = [
        (levels.average_mw[span], levels.envelope_mw[span], float(far[:2].sum()), float(far_top[:2].sum())),
        (
            levels.overload_mw[span] * weight, levels.overload_envelope_mw[span] * weight,
            float(far[2:] @ far_weight), float(far_top[2:] @ far_weight),
        ),
    ]  # fmt: skip
    return terms, np.array([every.any(), (~every).any()] * 2), loads


def make_budgets(
    project: Project,
    tx: Transmitters,
    protected: pd.DataFrame,
    pairs: Pairs,
    levels: Levels,
    tables: RuleTables,
    measures: Mapping[str, Sequence[Any]] | None = None,
    *,
    outside: Outside,
) -> Budgets:
    """The budgets of a project's phases.

    Parameters
    ----------
    project, tx, protected, pairs, levels, tables
        As in :func:`lcsiting.coordination.interference.evaluate`.
    measures : mapping, optional
        Measures proposed at protected stations (``protected_id`` to items with ``effect_db`` by
        :data:`measures.COMPONENTS` and an ``effective`` date), beside those of the layer ``station_measures``: a budget
        grows from the phase on in whose year a measure takes effect, by what it takes from every component that
        reaches the station.
    outside : Outside
        What is on air beyond the city border, from :func:`lcsiting.coordination.outside.outside_mw`.

    Returns
    -------
    Budgets
        ``binding`` is set where ``enforce = "physics"``. A budget broken by what is on air leaves new stations
        ``broken_budget.new_share`` of its limit.
    """
    on_air = project.stations["on_air"].to_numpy(bool)[tx.row]
    years = [phase.year for phase in project.config.phases]
    share = float(profile_row(tables, "broken_budget", "new_share")["new_share"])
    binding = project.config.coordination.enforce == "physics"
    dated = dated_measures(project, protected, tables)
    rows, indices, values, tops, limits, left, agreed_left, beyond = [], [], [], [], [], [], [], []
    for k, record in enumerate(protected.itertuples(index=False)):
        span = slice(pairs.first[k], pairs.first[k + 1])
        t = pairs.tx[span]
        agreed = dated.get(record.protected_id, ())
        counted = (*agreed, *(measures or {}).get(record.protected_id, ()))
        terms, present, loads = _loads(record, k, pairs.co[span], levels, span, outside, tables)
        for (limit_dbm, known), mechanism, (mw, top, far, far_top) in zip(terms, MECHANISMS, loads, strict=False):
            over = mechanism == "overload"
            limit, firm = (
                10 ** (0.1 * (limit_dbm + np.array([growth_db(some, present, over, year) for year in years])))
                for some in (counted, agreed)
            )
            air, every = float(mw[on_air[t]].sum()) + far, float(_dbm(mw.sum() + far))
            beyond.append((far, far_top))
            limits.append(limit)
            left.append(np.where(air > limit, share * limit, limit - air))
            agreed_left.append(np.where(air > firm, share * firm, firm - air))
            indices.append(t)
            values.append(mw)
            tops.append(top)
            known_defaults = record.known_overload if over else record.known_co_channel
            defaults = record.defaults_overload if over else record.defaults_co_channel
            firmly = bool(known and known_defaults and tx.verified[t].all())
            rows.append(
                (
                    k, record.protected_id, record.protected_name, mechanism, limit_dbm, float(_dbm(air)), every,
                    float(_dbm(top.sum() + far_top)), max(0.0, every - limit_dbm), air > limit[0], binding, firmly,
                    defaults,
                )
            )  # fmt: skip
    shape = (len(rows), len(years))
    return Budgets(
        rows=pd.DataFrame(rows, columns=ROW_COLUMNS),
        station_rows=tx.row,
        indptr=np.concatenate([[0], np.cumsum([len(part) for part in values])]).astype(np.int64),
        indices=np.concatenate([np.zeros(0, np.int64), *indices]),
        mw=np.concatenate([np.zeros(0), *values]),
        envelope_mw=np.concatenate([np.zeros(0), *tops]),
        on_air=on_air,
        limit_mw=np.array(limits).reshape(shape),
        remaining_mw=np.array(left).reshape(shape),
        agreed_mw=np.array(agreed_left).reshape(shape),
        outside_mw=np.array(beyond).reshape(-1, 2)[:, 0],
        outside_envelope_mw=np.array(beyond).reshape(-1, 2)[:, 1],
    )


ROW_COLUMNS = [
    "protected", "protected_id", "protected_name", "mechanism", "limit_dbm", "on_air_dbm", "candidates_dbm",
    "envelope_dbm", "needed_db", "broken", "binding", "verified", "defaults",
]  # fmt: skip


def used_mw(budgets: Budgets, chosen: ArrayLike, envelope: bool = False) -> Floats:
    """What a set of base stations brings to each budget, (n_rows,).

    Parameters
    ----------
    budgets : Budgets
    chosen : array_like of bool (n,)
        Over ``station_rows``; include what is on air to get the whole sum.
    envelope : bool
        Sum the upper case instead.
    """
    load = (budgets.envelope_mw if envelope else budgets.mw) * np.asarray(chosen, dtype=bool)[budgets.indices]
    which = np.repeat(np.arange(len(budgets.rows)), np.diff(budgets.indptr))
    return np.asarray(np.bincount(which, weights=load, minlength=len(budgets.rows)), dtype=np.float64)


def level_mw(budgets: Budgets, service: ArrayLike, envelope: bool = False) -> Floats:
    """What arrives at each budget with some base stations in service: theirs, and what is on air beyond the border."""
    return used_mw(budgets, service, envelope) + (budgets.outside_envelope_mw if envelope else budgets.outside_mw)


def level_dbm(budgets: Budgets, service: ArrayLike, envelope: bool = False) -> Floats:
    """:func:`level_mw` in dBm; ``NOTHING_DBM`` where nothing arrives."""
    return _dbm(level_mw(budgets, service, envelope))


def judge(budgets: Budgets, first_year: ArrayLike, years: Sequence[int]) -> pd.DataFrame:
    """A plan against the budgets, summed anew from the matrix.

    Parameters
    ----------
    budgets : Budgets
    first_year : array_like of int (n,)
        Year from which each station of ``station_rows`` is in service; 0 where it is on air, a year after the last
        phase where it is not in the plan.
    years : sequence of int
        The phases, as many as ``remaining_mw`` has columns.

    Returns
    -------
    DataFrame
        The budget rows for every phase: phase_year, limit_dbm (measures included), level_dbm of all stations in
        service and of what is on air beyond the border, envelope_dbm (their upper case), margin_db, added_dbm of the
        new ones, remaining_dbm, within (new ones within what remained), unagreed (only because of measures that
        nobody has agreed to).
    """
    start = np.asarray(first_year)
    parts = []
    for p, year in enumerate(years):
        service = start <= year
        level, new = level_dbm(budgets, service), used_mw(budgets, service & ~budgets.on_air)
        limit, room = budgets.limit_mw[:, p], budgets.remaining_mw[:, p]
        within = new <= room * (1 + 1e-9)
        parts.append(
            budgets.rows.drop(columns=["limit_dbm", "needed_db", "candidates_dbm", "envelope_dbm"]).assign(
                phase_year=year,
                limit_dbm=_dbm(limit),
                level_dbm=level,
                envelope_dbm=level_dbm(budgets, service, envelope=True),
                margin_db=_dbm(limit) - level,
                added_dbm=_dbm(new),
                remaining_dbm=_dbm(room),
                within=within,
                unagreed=within & (new > budgets.agreed_mw[:, p] * (1 + 1e-9)),
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else budgets.rows.copy()


def judge_plan(project: Project, budgets: Budgets, plan: Plan) -> pd.DataFrame:
    """A plan's phases against the budgets, as the schema table ``budgets`` (see :func:`judge`)."""
    years = [phase.year for phase in project.config.phases]
    stations = plan.stations
    start = np.where(stations["status"] == "on_air", 0, stations["phase_year"]).astype(np.int64)
    rows = pd.Index(project.stations["station_id"]).get_indexer(stations["station_id"])
    column = columns_of(budgets, rows, stations.get("mode"))
    first = np.full(len(budgets.station_rows), max(years) + 1, dtype=np.int64)
    first[column[column >= 0]] = start[column >= 0]
    return judge(budgets, first, years)[list(schema.table("budgets").columns)]


def resources(
    budgets: Budgets, station_rows: ArrayLike, modes: ArrayLike | None = None
) -> tuple[tuple[Any, Any, Any], Floats]:
    """The binding budgets as ``(A, b)`` over some stations, for a ranking.

    Parameters
    ----------
    budgets : Budgets
    station_rows : array_like of int (m,)
        Rows of ``Project.stations``, the ranking's items.
    modes : array_like of str (m,), optional
        Their modes; as planned if omitted.

    Returns
    -------
    A : tuple (indptr, indices, loads)
        Compressed by item: which budgets an item loads, and by how much of what remains in the last phase's limit;
        loads are shares of each budget's limit, so that all have one scale. On-air items load nothing: what they
        bring is already taken off.
    b : float64 (n_phases, n_budgets)
        What remains, in the same shares.
    """
    keep = np.flatnonzero(budgets.rows["binding"].to_numpy(bool))
    scale = budgets.limit_mw[:, -1] if budgets.limit_mw.size else np.ones(len(budgets.rows))
    which = np.repeat(np.arange(len(budgets.rows)), np.diff(budgets.indptr))
    place = np.full(len(budgets.rows), -1)
    place[keep] = np.arange(len(keep))
    load = budgets.mw / scale[which] if len(which) else budgets.mw
    used = (place[which] >= 0) & ~budgets.on_air[budgets.indices] & (load > 0)
    items = np.asarray(station_rows, dtype=np.int64)
    position = np.full(len(budgets.station_rows), -1)
    column = columns_of(budgets, items, modes)
    position[column[column >= 0]] = np.flatnonzero(column >= 0)
    item = position[budgets.indices]
    used &= item >= 0
    order = np.lexsort((place[which][used], item[used]))
    counts = np.bincount(item[used], minlength=len(items))
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    matrix = (indptr, place[which][used][order].astype(np.int32), load[used][order])
    return matrix, np.ascontiguousarray((budgets.remaining_mw[keep] / scale[keep, None]).T)
