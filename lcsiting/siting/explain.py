"""Why a station is in the plan, who could stand in for it, and why another is out or late.

Everything is read off the plan and its cover; nothing is chosen again. *Taken* means: a row belongs
to the first station of the plan that covers it. *Lost* means: covered by this station alone at the
end of the plan. Weights are in people-equivalents, people and area are those of the station's own
network and the first service (outdoors).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules, schema
from lcsiting.model import Cover, Plan, Project
from lcsiting.siting import _explain, cellmap
from lcsiting.siting.cover import cover as build_cover
from lcsiting.siting.explain_words import WORDS, stand_ins, why_not_in_english
from lcsiting.siting.plan_tables import AREA_UNIT_KM2, _typed, cell_measures

Ints = NDArray[np.int64]
CHOICES = 3
NAMES_SHOWN = 3
SHARE_SHOWN = 0.005  # smaller takers are not worth a word
TABLES = ("why_chosen", "substitutes", "why_not")


@dataclass(frozen=True)
class Service:
    """A plan laid over its cover.

    Attributes
    ----------
    order : int64 (k,)
        Positions in the cover, in the order of the plan.
    owner : int32 (n_rows,)
        Turn of the first station on each row, -1 if there is none.
    serving : int32 (n_rows,)
        Stations of the plan on each row.
    measures : int64 (2, n_cells)
        People and area of each cell in whole units.
    unit : float
        People per unit of weight and of the first measure.
    """

    order: Ints
    owner: NDArray[np.int32]
    serving: NDArray[np.int32]
    measures: Ints
    unit: float


def lay_over(project: Project, cover: Cover, plan: Plan) -> Service:
    """Who covers what first, and how many do.

    Raises
    ------
    LayerError
        The plan has stations the cover lacks.
    """
    order = cellmap.plan_order(cover, plan)
    owner, serving = np.full(len(cover.row_weight), -1, np.int32), np.zeros(len(cover.row_weight), np.int32)
    _explain.first_servers(cover.indptr, cover.indices, order, owner, serving)
    unit = rules.load("ranking", project.root / "rules")["weight_unit"]["value"]
    return Service(order, owner, serving, cell_measures(cover.cells, unit), unit)


def unused_positions(cover: Cover, service: Service) -> Ints:
    """Stations of the cover that the plan does not use, as planned."""
    used = np.isin(cover.station_rows, cover.station_rows[service.order])
    return np.flatnonzero(~used & (cellmap.mode_names(cover, slice(None)) == ""))


def _areas_gained(project: Project, cover: Cover, service: Service, shapes: Any, names: Any) -> pd.DataFrame:
    """Per turn: how many of the shapes it is the first to reach, and their names (the first few)."""
    shape, cell = cellmap.shape_cells(project, cover.cells, shapes)
    n_cells, services = len(cover.cells), len(cover.services)
    parts = []
    for network in range(len(cover.networks)):
        turn = service.owner[network * services * n_cells + cell]
        parts.append(pd.DataFrame({"turn": turn, "shape": shape}).query("turn >= 0"))
    pairs = pd.concat(parts).drop_duplicates().sort_values(["turn", "shape"])
    text = pairs["shape"].map(dict(enumerate(map(str, names))))
    groups = text.groupby(pairs["turn"])
    listed = groups.agg(
        lambda values: "、".join(values.iloc[:NAMES_SHOWN]) + ("等" if len(values) > NAMES_SHOWN else "")
    )
    out = pd.DataFrame({"count": groups.size(), "names": listed})
    out = out.reindex(range(len(service.order)))
    return out.assign(count=out["count"].fillna(0).astype(int), names=out["names"].astype(object).fillna(""))


def _substitute_rows(
    project: Project, cover: Cover, plan: Plan, service: Service, lost: Ints, lost_sums: Ints
) -> pd.DataFrame:
    """Schema table ``substitutes``: up to three for each planned station."""
    count = len(service.order)
    best, gain = np.full((count, CHOICES), -1, np.int64), np.zeros((count, CHOICES), np.int64)
    unused = unused_positions(cover, service)
    _explain.substitutes(
        cover.indptr, cover.indices, unused, service.owner, service.serving, cover.row_weight, best, gain
    )
    planned = (plan.stations["status"] != "on_air").to_numpy(bool)
    turn, choice = np.nonzero((best >= 0) & planned[:, None])
    item, sums = best[turn, choice], np.zeros((len(turn), 2), np.int64)
    _explain.replacement_sums(
        cover.indptr, cover.indices, item, turn, service.owner, service.serving, service.measures,
        len(cover.services), sums,
    )  # fmt: skip
    stations = project.stations.iloc[cover.station_rows[item]]
    places = project.places.iloc[stations["place"]]
    chosen = plan.stations.iloc[turn]
    away = np.hypot(
        places.geometry.x.to_numpy() - chosen["x_m"].to_numpy(), places.geometry.y.to_numpy() - chosen["y_m"].to_numpy()
    )
    frame = pd.DataFrame(
        {
            "station_id": chosen["station_id"].to_numpy(),
            "place_id": chosen["place_id"].to_numpy(),
            "choice": choice + 1,
            "substitute_id": stations["station_id"].to_numpy(),
            "substitute_place_id": stations["place_id"].to_numpy(),
            "substitute_name": places["name"].to_numpy(),
            "host_kind": places["host_kind"].to_numpy(),
            "distance_m": away,
            "loss_weight": (lost[turn] - gain[turn, choice]) * service.unit,
            "loss_people": (lost_sums[turn, 0] - sums[:, 0]) * service.unit,
            "loss_area_km2": (lost_sums[turn, 1] - sums[:, 1]) * AREA_UNIT_KM2,
        }
    )
    return _typed(frame, "substitutes")


def _chosen_rows(
    project: Project, cover: Cover, plan: Plan, service: Service, lost: Ints, lost_sums: Ints
) -> pd.DataFrame:
    """Schema table ``why_chosen`` of the planned stations, without the substitutes' text."""
    boundaries, key_places = project.layers["boundaries"], project.layers.get("key_places")
    parks = boundaries[boundaries["level"] == "park"]
    at_parks = _areas_gained(project, cover, service, parks.geometry, parks["name"])
    none = pd.DataFrame({"count": 0, "names": ""}, index=at_parks.index)
    at_places = none
    if key_places is not None and len(key_places):
        at_places = _areas_gained(project, cover, service, key_places.geometry, key_places["name"])
    frame = pd.DataFrame(plan.stations.drop(columns="geometry")).assign(
        parks=at_parks["count"].to_numpy(),
        park_names=at_parks["names"].to_numpy(),
        key_places=at_places["count"].to_numpy(),
        key_place_names=at_places["names"].to_numpy(),
        lost_weight=lost * service.unit,
        lost_people=lost_sums[:, 0] * service.unit,
        lost_area_km2=lost_sums[:, 1] * AREA_UNIT_KM2,
    )
    return frame[(frame["status"] != "on_air").to_numpy(bool)]


def refused_cover(project: Project, cover: Cover, plan: Plan, *, threads: int | None = None) -> Cover | None:
    """The cover of the stations that screening refused, so that one can say who took their demand.

    Parameters
    ----------
    project, cover, plan : Project, Cover, Plan
        Refused are the stations of ``plan.refused`` that ``cover`` lacks.
    threads : int, optional
        As for :func:`lcsiting.cover`.

    Returns
    -------
    Cover or None
        Rows as in ``cover``; on-air stations are in it too. None if nothing was screened out.
    """
    missing = cellmap.positions(cover, plan.refused["station_id"]) < 0
    if not missing.any():
        return None
    others = ~project.stations["station_id"].isin(plan.refused["station_id"][missing])
    keep_out = pd.DataFrame({"station_id": project.stations["station_id"][others], "passed": False})
    return build_cover(project, keep_out, threads=threads)


@dataclass(frozen=True)
class _Taken:
    """Takers of n stations: turns and weights (n, CHOICES), whole demand and what was left (n,)."""

    taker: Ints
    taken: Ints
    total: Ints
    left: Ints


def _nothing_taken(n: int) -> _Taken:
    pairs = np.full((n, CHOICES), -1, np.int64), np.zeros((n, CHOICES), np.int64)
    return _Taken(*pairs, np.zeros(n, np.int64), np.zeros(n, np.int64))


def _find_takers(cover: Cover, at: Ints, cases: pd.DataFrame, service: Service, out: _Taken) -> None:
    """Fill in the rows of ``out`` whose station stands at a position ``at`` >= 0 of this cover."""
    rows = np.flatnonzero(at >= 0)
    found = _nothing_taken(len(rows))
    turns, deadlines = (cases[name].to_numpy(np.int64)[rows] for name in ("turn", "deadline"))
    _explain.takers(
        cover.indptr, cover.indices, at[rows], turns, deadlines, service.owner, cover.row_weight, len(service.order),
        found.taker, found.taken, found.total, found.left,
    )  # fmt: skip
    for name in ("taker", "taken", "total", "left"):
        getattr(out, name)[rows] = getattr(found, name)


def _cases(project: Project, plan: Plan) -> pd.DataFrame:
    """Refused and late stations: place, turn, stations in service at the last phase they missed."""
    everyone, table = len(plan.stations), plan.stations
    first = min(phase.year for phase in project.config.phases)
    late = np.flatnonzero(((table["status"] != "on_air") & (table["phase_year"] > first)).to_numpy(bool))
    year = table["phase_year"].to_numpy()
    before = np.searchsorted(np.where(table["status"] == "on_air", 0, year), year[late], side="left")
    columns = ["station_id", "place_id", "name", "network", "county"]
    refused = plan.refused[[*columns, "rule", "reason", "lon", "lat"]].assign(
        status="refused", phase_year=0, turn=everyone, deadline=everyone
    )
    tardy = table.iloc[late][[*columns, "lon", "lat"]].assign(
        status="late", phase_year=year[late], rule="late", reason="", turn=late, deadline=before
    )
    return pd.concat([refused, pd.DataFrame(tardy)], ignore_index=True)


def _last_gain(plan: Plan) -> dict[int, float]:
    """Smallest added weight among the stations that each phase chose for coverage."""
    chosen = plan.stations[(plan.stations["status"] != "on_air") & (plan.stations["basis"] == "coverage")]
    return chosen.groupby("phase_year")["gain_weight"].min().to_dict()


def _reason(row: Any, missed: int, last: float) -> str:
    """Why, in one line; ``last`` is the smallest gain of the phase ``missed``."""
    by = f"；需求的{row.taken_share:.0%}由{row.takers}承接" if row.takers else ""
    if row.status == "refused" and row.rule != "not_selected":
        return f"{row.reason}{by}"
    if row.demand_weight == 0:
        return "覆盖范围内没有需求"
    if row.left_weight == 0:
        return f"覆盖范围已由入选在先的基站覆盖{by}"
    rest = f"{missed}年目标用满时尚可新增加权覆盖{row.left_weight:.1f}（人当量）"
    rest += f"，低于当期最后入选的{last:.1f}" if row.left_weight < last else "，当期名额已按层级和新增覆盖先行排满"
    return f"{rest}{by}"


def why_not(project: Project, cover: Cover, plan: Plan, service: Service, refused: Cover | None = None) -> pd.DataFrame:
    """Schema table ``why_not``: refused stations, then planned ones of later phases, with their takers.

    Parameters
    ----------
    project, cover, plan : Project, Cover, Plan
        The plan and the cover it was made from.
    service : Service
        From :func:`lay_over`.
    refused : Cover, optional
        From :func:`refused_cover`; without it screened-out stations have no taker.

    Returns
    -------
    DataFrame
        ``taker_place_id`` and ``taker_share``: the place that took most of the demand, and its part.
        ``left_weight``: what the station would have added when the (last missed) phase was full.
    """
    cases = _cases(project, plan)
    out = _nothing_taken(len(cases))
    at = cellmap.positions(cover, cases["station_id"])
    _find_takers(cover, at, cases, service, out)
    if refused is not None:
        screened = np.where(at < 0, cellmap.positions(refused, cases["station_id"]), -1)
        _find_takers(refused, screened, cases, service, out)
    return _why_not_table(project, plan, cases, out, at >= 0, service.unit)


def _why_not_table(
    project: Project, plan: Plan, cases: pd.DataFrame, found: _Taken, eligible: NDArray[np.bool_], unit: float
) -> pd.DataFrame:
    """Facts and words of every case."""
    years = [phase.year for phase in project.config.phases]
    ids = np.append(plan.stations["place_id"].to_numpy(object), "")  # taker -1 is nobody
    names = np.append(plan.stations["name"].to_numpy(object), "")
    share = found.taken / np.maximum(found.total, 1)[:, None]
    out = cases.assign(
        taker_place_id=ids[found.taker[:, 0]],
        taker_name=names[found.taker[:, 0]],
        taker_share=share[:, 0],
        taken_share=share.sum(axis=1),
        takers=[
            "、".join(f"{ids[k]}({p:.0%})" for k, p in zip(row, part, strict=True) if p >= SHARE_SHOWN)
            for row, part in zip(found.taker, share, strict=True)
        ],
        demand_weight=found.total * unit,
        left_weight=np.where(eligible, found.left * unit, np.nan),
    )
    missed = [years[-1] if year == 0 else max(v for v in years if v < year) for year in cases["phase_year"]]
    gains = _last_gain(plan)
    out["reason"] = [
        _reason(row, year, gains.get(year, 0.0)) for row, year in zip(out.itertuples(), missed, strict=True)
    ]
    return _typed(out, "why_not")


def explain(
    project: Project,
    cover: Cover,
    plan: Plan,
    *,
    refused: Cover | None = None,
    threads: int | None = None,
) -> dict[str, pd.DataFrame]:
    """Explain a plan, station by station.

    Parameters
    ----------
    project, cover, plan : Project, Cover, Plan
        The plan and the cover it was made from.
    refused : Cover, optional
        From :func:`refused_cover`; built if omitted.
    threads : int, optional
        As for :func:`lcsiting.cover`.

    Returns
    -------
    dict of DataFrame
        Schema tables ``why_chosen`` (every planned station: what it adds at its turn, which parks and
        key places it is the first of its network to reach, what is lost without it), ``substitutes``
        (up to three each, net loss; negative: the substitute covers more), ``why_not`` (every refused
        or late station).

    Raises
    ------
    LayerError
        The plan has stations the cover lacks.
    """
    service = lay_over(project, cover, plan)
    lost, lost_sums = np.zeros(len(service.order), np.int64), np.zeros((len(service.order), 2), np.int64)
    _explain.lost_without(
        service.owner, service.serving, cover.row_weight, service.measures, len(cover.services), lost, lost_sums
    )
    table = _substitute_rows(project, cover, plan, service, lost, lost_sums)
    chosen = _chosen_rows(project, cover, plan, service, lost, lost_sums)
    chosen = _typed(chosen.assign(stand_ins=stand_ins(chosen, table)), "why_chosen")
    screened = refused_cover(project, cover, plan, threads=threads) if refused is None else refused
    return {"why_chosen": chosen, "substitutes": table, "why_not": why_not(project, cover, plan, service, screened)}


def describe(tables: dict[str, pd.DataFrame], place_id: str, lang: str = "zh") -> str:
    """Everything the explanations say about one place, as lines for a planner.

    Parameters
    ----------
    tables : dict of DataFrame
        From :func:`explain`.
    place_id : str
        A place of the plan or a refused one.
    lang : str
        ``"zh"`` or ``"en"``. Which rule refused a station is said in both; what exactly it found only in Chinese
        (column ``reason``).

    Returns
    -------
    str
        One line per station; empty if the place is on air or unknown.
    """
    chosen = tables["why_chosen"].query("place_id == @place_id")
    if lang != "zh":
        found = tables["substitutes"].query("place_id == @place_id")
        chosen = chosen.assign(stand_ins=stand_ins(chosen, found, lang))
    lines = [WORDS[lang]["chosen"].format(**row._asdict()) for row in chosen.itertuples()]
    for row in tables["why_not"].query("place_id == @place_id").itertuples():
        own = f"{row.network}：{schema.value_label(row.status)}，{row.reason}"
        lines.append(own if lang == "zh" else why_not_in_english(row))
    return "\n".join(lines)
