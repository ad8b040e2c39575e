"""Every base station against every protected station in reach: by rule distance and by physics, side by side.

Three mechanisms. A base station whose transmit band overlaps the receive band is ``co_channel``, any other in the
scope is ``adjacent``; both have a rule distance (inside: ``coordinate``, never ``excluded``) and a single-entry
criterion of the physics (envelope of the beams, P.452 on the pair's own profile). ``overload`` is physics alone: full
power, envelope pattern, free space in line of sight, P.452 beyond. ``enforce`` in the project file says which of the
two is the verdict; the other stands beside it, and so does whether they agree. ``excluded`` means that no measure at
the protected station and no mode of the base station but giving it up (:mod:`reachable`) makes the pair pass.

Distances, bearings and profiles are those of the geodesic, in whatever CRS the project works. Where the DEM has no
height the nearest known pixel counts (:func:`lcsiting.coordination.paths.read_land`).
"""

import datetime
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import schema
from lcsiting.coordination import aggregate, measures, paths, physics
from lcsiting.coordination.criteria import criterion
from lcsiting.coordination.paths import Pairs, Transmitters, transmitters
from lcsiting.coordination.priority import PRINCIPLES, YIELDS, who_yields
from lcsiting.coordination.profile import RuleTables, load_tables, overlaps_mhz, own_other_bands, profile_row
from lcsiting.coordination.protected import overload_terms, read_protected
from lcsiting.coordination.reachable import otherwise, site_side_db
from lcsiting.model import Project

MECHANISMS = ("co_channel", "adjacent", "overload")
VERDICTS = ("clear", "coordinate", "excluded")
METHODS = ("rule", "physics")
# What all measures but giving a base station up could take from some pairs of a protected station, (n, 2) dB.
Could = Callable[[Any, NDArray[np.int64]], NDArray[np.float64]]
NO_VERDICT = -1  # not looked at: no rule distance for an overload, a pair out of the reach of the physics


@dataclass(frozen=True)
class Evaluation:
    """Everything a coordination computed.

    Attributes
    ----------
    verdicts : DataFrame
        Schema table ``verdicts``.
    tables : RuleTables
    tx : Transmitters
        The stations in the scope.
    protected : DataFrame
        From :func:`lcsiting.coordination.protected.read_protected`.
    pairs, levels : Pairs, Levels
        Every pair in reach and what it brings.
    budgets : Budgets
        The sums, as linear budgets.
    """

    verdicts: pd.DataFrame
    tables: RuleTables
    tx: Transmitters
    protected: pd.DataFrame
    pairs: Pairs
    levels: physics.Levels
    budgets: aggregate.Budgets


KINDS: dict[str, Any] = {
    "mechanism": np.int8, "distance_m": np.float32, "limit_m": np.float32, "loss_db": np.float32,
    "margin_db": np.float32, "rule": np.int8, "physics": np.int8, "verified": np.bool_, "measure": np.int16,
    "yields": np.int8, "principle": np.int8,
}  # fmt: skip


def _part(k: int, row: Any, **columns: Any) -> dict[str, NDArray[Any]]:
    """Compact columns of some pairs of protected station ``k``."""
    n = len(row)
    out: dict[str, NDArray[Any]] = {"row": np.asarray(row, dtype=np.int32), "protected": np.full(n, k, dtype=np.int16)}
    return out | {name: np.broadcast_to(np.asarray(columns[name], dtype=kind), n) for name, kind in KINDS.items()}


def _single_entry(
    tx: Transmitters, k: int, record: Any, tables: RuleTables, pairs: Pairs, levels: physics.Levels, could: Could
) -> dict[str, NDArray[Any]]:
    """Margin of one base station alone, over all transmitters: NaN beyond the reach of the physics."""
    span = slice(pairs.first[k], pairs.first[k + 1])
    margin, loss = np.full(len(tx.row), np.nan), np.full(len(tx.row), np.nan)
    limits = [criterion(tables, record, name) for name in ("single_adjacent", "single_co_channel")]
    side = pairs.co[span].astype(int)
    limit = np.array([item.limit_dbm for item in limits])[side]
    known = np.array([item.verified for item in limits])
    with np.errstate(divide="ignore"):
        margin[pairs.tx[span]] = limit - 10 * np.log10(levels.envelope_mw[span])
    loss[pairs.tx[span]] = pairs.single_loss_db[span]
    gained = np.zeros(len(tx.row))
    short = np.arange(span.start, span.stop)[margin[pairs.tx[span]] < 0]
    gained[pairs.tx[short]] = could(record, short)[:, 0]
    return {"margin": margin, "loss": loss, "known": known, "gained": gained}


def _gained_db(
    record: Any, tables: RuleTables, co: NDArray[np.bool_], site_db: NDArray[Any], as_of: datetime.date
) -> NDArray[np.float64]:
    """What every measure left at the protected station and the deepest site-side mode take from a pair, dB.

    ``site_db`` (n, 2) as :func:`reachable.site_side_db` gives it; the answer (n, 2) for density and overload.
    """
    left = measures.station_measures(
        tables, as_of, earth_station=record.earth_station, filter_db=record.filter_db,
        shielding_db=record.shielding_db, compliant=record.lnb_type == "compliant",
    )  # fmt: skip
    by_component = measures.attenuation_db(left)
    inside, outside = by_component[[0, 2]], by_component[[1, 3]]
    return np.asarray(site_db + np.where(co[:, None], inside, outside), dtype=np.float64)


def _rule_part(
    tx: Transmitters,
    k: int,
    record: Any,
    tables: RuleTables,
    distance_m: NDArray[Any],
    alone: Any,
    extra: Any,
    years: Any,
) -> dict[str, NDArray[Any]]:
    """Rule distance and single-entry criterion of the pairs in reach, and of the ``extra`` ones wherever they are.

    The reach is the co-channel distance, or the widest adjacent distance of the profile: so the
    list shows what a filter or another block has already cleared. Beyond it a pair is listed if the physics fails.
    """
    co = overlaps_mhz(tx.tx_low_mhz, tx.tx_high_mhz, record.rx_low_mhz, record.rx_high_mhz)
    rows = {0: profile_row(tables, "radius_co_channel", "value_m"), 1: profile_row(tables, record.adjacent, "value_m")}
    widest = max(float(r["value_m"]) for key, r in tables.profile.items() if key.startswith("radius_adjacent"))
    kind = np.where(co, 0, 1)
    limit = np.where(co, float(rows[0]["value_m"]), float(rows[1]["value_m"]))
    margin = alone["margin"]
    keep = (distance_m <= np.where(co, limit, widest)) | extra | (margin < 0)
    failing = np.where(-margin <= alone["gained"], 1, 2)
    by_physics = np.where(np.isnan(margin), NO_VERDICT, np.where(margin >= 0, 0, failing))
    by_rule = np.where(distance_m <= limit, 1, 0)
    rule_known = np.where(
        co, rows[0]["verified"] and record.known_co_channel, rows[1]["verified"] and record.known_adjacent
    )
    physics_known = (
        alone["known"][co.astype(int)] & tx.verified & np.where(co, record.known_co_channel, record.known_adjacent)
    )
    decided = decide(by_rule, by_physics, tables)[1] == 1
    yields, principle = who_yields(record, years, np.where(co, 0, 1), tx.planned)
    return _part(
        k,
        tx.row[keep],
        mechanism=kind[keep],
        distance_m=distance_m[keep],
        limit_m=limit[keep],
        loss_db=alone["loss"][keep],
        margin_db=margin[keep],
        rule=by_rule[keep],
        physics=by_physics[keep],
        verified=np.where(decided, physics_known, rule_known)[keep],
        measure=-2,
        yields=yields[keep],
        principle=principle[keep],
    )


def decide(by_rule: Any, by_physics: Any, tables: RuleTables) -> tuple[NDArray[Any], NDArray[Any]]:
    """Verdict and method (0 rule, 1 physics) of pairs with both.

    ``enforce = "physics"`` takes the physics. ``"rule"`` takes the rule, and the physics only for overloads, of which
    the rule is silent: they ask for coordination, and nothing is excluded. ``"report"`` takes the rule; beyond the
    rule distance a failing physics asks for coordination, an overload no measure clears reads ``excluded`` (listed,
    nothing is removed).
    """
    rule, phys = np.asarray(by_rule), np.asarray(by_physics)
    only = (rule == NO_VERDICT) & (phys != NO_VERDICT)
    if tables.enforce == "physics":
        method = phys != NO_VERDICT
        return np.where(method, phys, rule), method.astype(np.int8)
    if tables.enforce == "rule":
        return np.where(only, np.minimum(phys, 1), rule), only.astype(np.int8)
    method = only | ((rule == 0) & (phys > 0))
    return np.where(only, phys, np.where(method, np.minimum(phys, 1), rule)), method.astype(np.int8)


def _overload_part(
    tx: Transmitters, k: int, record: Any, tables: RuleTables, sets: list[measures.MeasureSet], pairs: Pairs,
    levels: physics.Levels, years: Any, could: Could,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Pairs that would overload a legacy block without filter or shielding, judged as equipped."""
    span = np.arange(pairs.first[k], pairs.first[k + 1])
    co = pairs.co[span]
    limit, attenuation, known = overload_terms(record, co, tables)
    with np.errstate(divide="ignore"):
        level = 10 * np.log10(levels.overload_envelope_mw[span])
    keep = level + attenuation > float(profile_row(tables, "overload_legacy", "limit_dbm")["limit_dbm"])
    span, co, limit, known, level = span[keep], co[keep], limit[keep], known[keep], level[keep]
    near = pairs.tx[span]
    margin = limit - level
    chosen = np.full(len(near), -2, dtype=np.int16)
    for same in (False, True):
        short = (margin < 0) & (co == same)
        effects = measures.overload_effects_db(
            tables,
            co_channel=same,
            filter_db=record.filter_db,
            shielding_db=record.shielding_db,
            compliant=record.lnb_type == "compliant",
        )
        chosen[short] = measures.cheapest_set(-margin[short], sets, effects)
    hard = np.flatnonzero(chosen == -1)
    together = -margin[hard] <= could(record, span[hard])[:, 1]
    chosen[hard[together]] = -3
    # -1, "not enough", and -3, "with the base station's", rest on every measure; -2, "none needed", on none.
    every = all(item.verified for item in sets)
    known_set = np.array([*(item.verified for item in sets), every, True, every])
    yields, principle = who_yields(record, years[near], np.full(len(near), 2), tx.planned[near])
    return _part(
        k,
        tx.row[near],
        mechanism=2,
        distance_m=pairs.distance_m[span],
        limit_m=pairs.slant_m[span] * 10 ** (-margin / 20),
        loss_db=pairs.overload_loss_db[span],
        margin_db=margin,
        rule=NO_VERDICT,
        physics=np.where(margin >= 0, 0, np.where(chosen == -1, 2, 1)),
        verified=known & tx.verified[near] & known_set[chosen],
        measure=chosen,
        yields=yields,
        principle=principle,
    )


def _categorical(codes: NDArray[Any], labels: list[str], ordered: bool = False) -> pd.Categorical:
    """Codes into possibly repeated labels, as a categorical; -1 is no value."""
    unique = list(dict.fromkeys(labels))
    lookup = np.array([*(unique.index(label) for label in labels), -1], dtype=np.int16)
    return pd.Categorical.from_codes(lookup[codes], categories=unique, ordered=ordered)


def _table(
    parts: list[dict[str, NDArray[Any]]],
    project: Project,
    protected: pd.DataFrame,
    sets: list[measures.MeasureSet],
    tables: RuleTables,
) -> pd.DataFrame:
    """All pairs in one table, in the order station, protected station, mechanism."""
    empty = _part(0, np.zeros(0, dtype=np.int32), **dict.fromkeys(KINDS, 0))
    joined = {name: np.concatenate([part[name] for part in [empty, *parts]]) for name in empty}
    order = np.lexsort((joined["mechanism"], joined["protected"], joined["row"]))
    at = {name: values[order] for name, values in joined.items()}
    labels = [item.label for item in sets] + [measures.SITE_SIDE, measures.NONE_NEEDED, measures.NOT_ENOUGH]
    listed = [text for name in MECHANISMS for text in protected[f"defaults_{name}"]]
    ids = project.stations["station_id"].to_numpy(dtype=object)
    verdict, method = decide(at["rule"], at["physics"], tables)
    both = (at["rule"] != NO_VERDICT) & (at["physics"] != NO_VERDICT)
    columns = {
        "station_id": pd.Series(ids[at["row"]], dtype="str"),
        "protected_id": _categorical(at["protected"], protected["protected_id"].tolist()),
        "protected_name": _categorical(at["protected"], protected["protected_name"].tolist()),
        "mechanism": _categorical(at["mechanism"], list(MECHANISMS)),
        "distance_m": at["distance_m"],
        "limit_m": at["limit_m"],
        "loss_db": at["loss_db"],
        "margin_db": at["margin_db"],
        "verdict": _categorical(verdict, list(VERDICTS), ordered=True),
        "method": _categorical(method, list(METHODS)),
        "rule_verdict": _categorical(at["rule"], list(VERDICTS), ordered=True),
        "physics_verdict": _categorical(at["physics"], list(VERDICTS), ordered=True),
        "agree": ~both | ((at["rule"] > 0) == (at["physics"] > 0)),
        "verified": at["verified"],
        "measure": _categorical(at["measure"] % len(labels), labels),
        "yields": _categorical(at["yields"], list(YIELDS)),
        "principle": _categorical(at["principle"], list(PRINCIPLES)),
        "defaults": _categorical(at["mechanism"].astype(int) * len(protected) + at["protected"], listed),
    }
    return pd.DataFrame(columns)[list(schema.table("verdicts").columns)]


def _verdict_parts(
    project: Project, tx: Transmitters, protected: pd.DataFrame, pairs: Pairs, levels: physics.Levels,
    tables: RuleTables, sets: list[measures.MeasureSet],
) -> list[dict[str, NDArray[Any]]]:  # fmt: skip
    """Rows of every protected station; a station out of every reach has one row, its nearest protected station."""
    years = project.stations["on_air_year"]
    on_air = project.stations["on_air"].to_numpy(bool)
    since = np.where(on_air, years, 0)[tx.row].astype(np.int64)
    nearest_m, nearest = np.full(len(tx.row), np.inf), np.full(len(tx.row), -1)
    other = own_other_bands(project, tables, tx.row) != ""
    there = {(0.0, 0.0): tx} if other.all() else otherwise(project, tx, tables)

    def could(record: Any, at: NDArray[np.int64]) -> NDArray[np.float64]:
        site_db = site_side_db(project, there, tables, pairs, at, other[pairs.tx[at]])
        return _gained_db(record, tables, pairs.co[at], site_db, project.config.project.as_of)

    reached, nobody = np.zeros(len(project.stations), dtype=bool), np.zeros(len(tx.row), dtype=bool)
    parts, seen = [], []
    for k, record in enumerate(protected.itertuples(index=False)):
        distance_m = paths.distances(tx, record)[0]
        nearest[distance_m < nearest_m] = k
        nearest_m = np.minimum(distance_m, nearest_m)
        alone = _single_entry(tx, k, record, tables, pairs, levels, could)
        seen.append((record, distance_m, alone))
        parts.append(_rule_part(tx, k, record, tables, distance_m, alone, nobody, since))
        if record.earth_station:
            parts.append(_overload_part(tx, k, record, tables, sets, pairs, levels, since, could))
    for part in parts:
        reached[part["row"]] = True
    far = ~reached[tx.row]
    for k in np.unique(nearest[far & (nearest >= 0)]):
        record, distance_m, alone = seen[k]
        part = _rule_part(tx, int(k), record, tables, distance_m, alone, far & (nearest == k), since)
        mine = np.isin(part["row"], tx.row[far & (nearest == k)])
        parts.append({name: values[mine] for name, values in part.items()})
    return parts


def evaluate(
    project: Project, measures_by_id: Mapping[str, Sequence[Any]] | None = None, threads: int | None = None
) -> Evaluation:
    """All pairs, their verdicts and the budgets in one go.

    Parameters
    ----------
    project : Project
        As for :func:`coordinate`; ``dem`` and ``clutter`` give the profiles.
    measures_by_id : mapping, optional
        Measures decided on, see :func:`lcsiting.coordination.aggregate.make_budgets`.
    threads : int, optional
        As many as there are processors by default; the answer does not depend on it.

    Raises
    ------
    LayerError
        A protected station without position or with an impossible receive band.
    ConfigError
        The profile lacks a row it needs.
    """
    tables = load_tables(
        project.config.coordination.profile, project.root / "rules", project.config.coordination.enforce
    )
    protected = read_protected(project, tables)
    tx = transmitters(project, tables)
    sets = measures.measure_sets(tables)
    land = paths.read_land(project)
    pairs, levels = physics.pairs_of(tx, protected, land, tables, threads=threads or os.cpu_count() or 1)
    parts = _verdict_parts(project, tx, protected, pairs, levels, tables, sets)
    verdicts = _table(parts, project, protected, sets, tables)
    budgets = aggregate.make_budgets(project, tx, protected, pairs, levels, tables, measures_by_id)
    return Evaluation(verdicts, tables, tx, protected, pairs, levels, budgets)


def coordinate(project: Project) -> pd.DataFrame:
    """What every base station in the scope means for every protected station in its reach.

    Parameters
    ----------
    project : Project
        ``stations``, ``places``, ``layers["protected_stations"]`` (those beyond the city border
        count), ``dem``, ``clutter``, and the profile named in ``config.coordination``.

    Returns
    -------
    DataFrame
        Schema table ``verdicts``, in station order. Rule rows reach as far as the co-channel distance, or as
        the widest adjacent distance, and farther where a single station fails the physics; overload rows as far
        as a legacy block without filter would be overloaded. A station in the scope that is out of every reach has
        one row, its nearest protected station. So, as long as there is a protected station in the scope, **a station
        without rows is outside the bands**. ``margin_db`` is limit minus level of this station alone at its worst
        (envelope); ``limit_m`` is the rule distance, or the free-space distance at which this pair's overload
        margin would be 0. ``rule_verdict`` and ``physics_verdict`` stand side by side; ``verdict`` and ``method``
        follow ``enforce`` (:func:`decide`). ``measure`` is the cheapest station-side set that clears an overload.
        ``yields`` says who gives way, by which ``principle``. Verdicts are ordered, clear < coordinate < excluded.

    Raises
    ------
    LayerError, ConfigError
        As :func:`evaluate`.

    See Also
    --------
    evaluate : the same with every pair's contribution in milliwatts and the budgets that remain after what is on air;
        :func:`lcsiting.coordination.aggregate.resources` makes them the ``resources`` of :func:`lcsiting.rank`.
    """
    return evaluate(project).verdicts


def budgets(project: Project, measures_by_id: Mapping[str, Sequence[Any]] | None = None) -> aggregate.Budgets:
    """The budgets alone (see :func:`evaluate`, which gives them with the verdicts in one pass)."""
    return evaluate(project, measures_by_id).budgets
