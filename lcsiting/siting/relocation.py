"""先建后拆: what a demolition takes off the air, what could replace it, and whether that comes first.

In service at a date are today's stations and every planned one from the last day of its phase year,
unless its own on-air date is given. *Lost* rows are those that only affected stations serve then.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.errors import LayerError
from lcsiting.model import Cover, Plan, Project
from lcsiting.siting import _explain, cellmap, keep
from lcsiting.siting.plan_tables import AREA_UNIT_KM2, _typed, cell_measures

Ints = NDArray[np.int64]
Dates = Mapping[str, str | datetime.date]


@dataclass(frozen=True)
class _Removal:
    """Positions in the cover of what is affected and of what is in service; rows that are lost, with their sums."""

    affected: Ints
    in_service: Ints
    lost: NDArray[np.bool_]


def _shape(polygon: Any, project: Project) -> Any:
    """One polygon in the working CRS."""
    if isinstance(polygon, gpd.GeoDataFrame | gpd.GeoSeries):
        if polygon.crs is None:
            raise LayerError("relocate: the demolition polygon has no CRS; set it, or give a shape in the working CRS.")
        polygon = polygon.to_crs(project.config.project.crs).union_all()
    if polygon is None or polygon.is_empty or polygon.area <= 0:
        raise LayerError("relocate: the demolition polygon is empty; give a polygon in the working CRS.")
    return polygon


def on_air_dates(project: Project, plan: Plan, given: Dates | None = None) -> pd.Series:
    """Date from which each station of the plan is in service, by station_id.

    Given dates win. Otherwise a planned station counts from the last day of its phase year; today's
    stations from the first day of their recorded year (no record: from ever).
    """
    table = plan.stations
    year = project.stations.set_index("station_id")["on_air_year"].reindex(table["station_id"]).to_numpy()
    known = np.where((year > 0) & pd.notna(year), year, 1970).astype(int)
    on_air = (table["status"] == "on_air").to_numpy(bool)
    text = [f"{y}-01-01" if air else f"{p}-12-31" for y, air, p in zip(known, on_air, table["phase_year"], strict=True)]
    dates = pd.Series(pd.to_datetime(text), index=table["station_id"].to_numpy(object)).astype("datetime64[s]")
    for station, date in (given or {}).items():
        dates[station] = pd.Timestamp(date)
    return dates


def _lost_rows(cover: Cover, affected: Ints, in_service: Ints) -> NDArray[np.bool_]:
    stay = np.setdiff1d(in_service, affected)
    masks = []
    for items in (stay, np.intersect1d(in_service, affected)):
        serving = np.zeros(len(cover.row_weight), np.int32)
        _explain.first_servers(cover.indptr, cover.indices, items, np.zeros(len(serving), np.int32), serving)
        masks.append(serving > 0)
    return masks[1] & ~masks[0]


def _sums(cover: Cover, rows: Ints, measures: Ints) -> Ints:
    """Weight over all rows; people and area over those of the first service."""
    n_cells = len(cover.cells)
    first = rows[(rows // n_cells) % len(cover.services) == 0] % n_cells
    return np.array([cover.row_weight[rows].sum(), *measures[:, first].sum(axis=1)], np.int64)


def _rows_of(cover: Cover, item: int) -> Ints:
    return cover.indices[cover.indptr[item] : cover.indptr[item + 1]].astype(np.int64)


def _affected_rows(
    project: Project, cover: Cover, plan: Plan, removal: _Removal, dates: pd.Series, off: pd.Timestamp, unit: float
) -> pd.DataFrame:
    """Schema table ``relocation_affected``; a station planned for after the removal loses nothing yet."""
    measures = cell_measures(cover.cells, unit)
    working = removal.in_service
    serving = np.zeros(len(cover.row_weight), np.int32)
    _explain.first_servers(cover.indptr, cover.indices, working, np.zeros(len(serving), np.int32), serving)
    alone = []
    for item in removal.affected:
        rows = _rows_of(cover, item)
        alone.append(_sums(cover, rows[serving[rows] == 1] if item in working else rows[:0], measures))
    sums = np.array(alone, np.int64).reshape(-1, 3)
    at = pd.Index(plan.stations["station_id"]).get_indexer(pd.Index(cover.station_ids[removal.affected]))
    table = pd.DataFrame(plan.stations.iloc[at].drop(columns="geometry")).reset_index(drop=True)
    return _typed(
        table.assign(
            on_date=dates[table["station_id"]].dt.strftime("%Y-%m-%d").to_numpy(object),
            off_date=off.strftime("%Y-%m-%d"),
            lost_weight=sums[:, 0] * unit, lost_people=sums[:, 1] * unit, lost_area_km2=sums[:, 2] * AREA_UNIT_KM2,
        ),
        "relocation_affected",
    )  # fmt: skip


def _loss_rows(project: Project, cover: Cover, removal: _Removal, unit: float) -> pd.DataFrame:
    """Schema table ``relocation_loss``: what all affected stations together take away, by county and network."""
    rows = np.flatnonzero(removal.lost)
    n_cells, services = len(cover.cells), len(cover.services)
    measures = cell_measures(cover.cells, unit)
    first = (rows // n_cells) % services == 0
    table = pd.DataFrame(
        {
            "county_code": cover.cells["county"].astype(str).to_numpy()[rows % n_cells],
            "network": np.array(cover.networks, object)[rows // (services * n_cells)],
            "lost_weight": cover.row_weight[rows],
            "lost_people": np.where(first, measures[0, rows % n_cells], 0),
            "lost_area_km2": np.where(first, measures[1, rows % n_cells], 0),
        }
    )
    out = table.groupby(["county_code", "network"], sort=True).sum().reset_index()
    names = project.layers["boundaries"].drop_duplicates("code").set_index("code")["name"]
    out = out.assign(
        county=out["county_code"].map(names).fillna(""), lost_weight=out["lost_weight"] * unit,
        lost_people=out["lost_people"] * unit, lost_area_km2=out["lost_area_km2"] * AREA_UNIT_KM2,
    )  # fmt: skip
    return _typed(out, "relocation_loss")


def _greedy(
    cover: Cover, removal: _Removal, usable: Ints, away: Any, choices: int, accept: Callable[[int], bool]
) -> tuple[list[int], list[Ints]]:
    """Accepted candidates by what they restore of the lost rows, one by one; ties: the nearer, then the first."""
    lost = removal.lost.copy()
    gains = np.zeros(len(usable), np.int64)
    picked: list[int] = []
    restored: list[Ints] = []
    live = np.arange(len(usable))
    while len(picked) < choices and len(live):
        some = np.zeros(len(live), np.int64)
        _explain.item_sums(cover.indptr, cover.indices, usable[live], np.where(lost, cover.row_weight, 0), some)
        gains[live] = some
        live = live[some > 0]
        if not len(live):
            break
        top = live[gains[live] == gains[live].max()]
        k = int(top[np.argmin(away[top])])
        if not accept(int(usable[k])):
            live = live[live != k]
            continue
        rows = _rows_of(cover, usable[k])
        picked.append(k)
        restored.append(rows[lost[rows]])
        lost[rows] = False
        live = live[live != k]
    return picked, restored


def _positions(cover: Cover, plan: Plan, station_ids: Any) -> Ints:
    """Positions of stations in the cover: in the mode the plan has them in, else as planned; -1 where it lacks them."""
    if cover.modes is None:
        return cellmap.positions(cover, station_ids)
    mode = plan.stations.set_index("station_id")["mode"].reindex(station_ids).fillna("")
    return cellmap.positions(cover, station_ids, mode)


def _candidate_rows(
    project: Project, cover: Cover, plan: Plan, removal: _Removal, shape: Any, choices: int, unit: float,
    accept: Callable[[int], bool],
) -> pd.DataFrame:  # fmt: skip
    """Schema table ``relocation_candidates``, in greedy order."""
    stations = project.stations.iloc[cover.station_rows].reset_index(drop=True)
    points = project.places.geometry.to_numpy()[stations["place"]]
    usable = ~np.isin(cover.station_rows, cover.station_rows[removal.in_service])
    usable[np.setdiff1d(np.arange(len(usable)), _positions(cover, plan, np.unique(cover.station_ids)))] = False
    usable &= ~shapely.intersects(shape, points)
    numbers = np.flatnonzero(usable)
    away = shapely.distance(shape, points[numbers])
    picked, restored = _greedy(cover, removal, numbers, away, choices, accept)
    sums = np.array([_sums(cover, rows, cell_measures(cover.cells, unit)) for rows in restored]).reshape(-1, 3)
    rows = stations.iloc[numbers[picked]].reset_index(drop=True)
    places = project.places.iloc[rows["place"]].reset_index(drop=True)
    stay = np.setdiff1d(removal.in_service, removal.affected)
    open_now = rows["place"].isin(set(stations["place"].iloc[stay])) | rows["place"].duplicated()
    planned = plan.stations.set_index("station_id")["phase_year"].reindex(rows["station_id"]).fillna(0)
    whole = max(int(cover.row_weight[removal.lost].sum()), 1)
    return _typed(
        rows.assign(
            choice=np.arange(1, len(rows) + 1), name=places["name"], host_kind=places["host_kind"],
            cost=np.where(open_now, rows["second_cost"], rows["cost"]), planned_year=planned.to_numpy(int),
            distance_m=away[picked], restored_weight=sums[:, 0] * unit, restored_people=sums[:, 1] * unit,
            restored_area_km2=sums[:, 2] * AREA_UNIT_KM2, restored_share=np.cumsum(sums[:, 0]) / whole,
        ),
        "relocation_candidates",
    )  # fmt: skip


def _check_rows(
    project: Project, cover: Cover, removal: _Removal, wanted: list[str], at: Ints, dates: pd.Series,
    off: pd.Timestamp, over: list[str] | None, below: list[str] | None,
) -> pd.DataFrame:  # fmt: skip
    """Schema table ``relocation_check``: every replacement in time, enough of the loss restored in time, limits kept.

    ``at``: positions of the replacements; ``over``: replacements that would break a budget or a quota; ``below``:
    floors that no longer hold; None if nothing is asked.
    """
    rule = rules.load("relocation", project.root / "rules")["restored_min_share"]
    rows = []
    for station in wanted:
        date = dates.get(station, pd.NaT)
        text = "未给出开通日期" if pd.isna(date) else date.strftime("%Y-%m-%d")
        rows.append((f"{station} 先建后拆", bool(date <= off), text, f"不晚于 {off:%Y-%m-%d}", True))
    left = removal.lost.copy()
    for item, ready in zip(at, [row[1] for row in rows], strict=True):
        if ready:
            left[_rows_of(cover, int(item))] = False
    whole = int(cover.row_weight[removal.lost].sum())
    share = 1.0 - int(cover.row_weight[left].sum()) / whole if whole else 1.0
    rows.append(
        ("拆除前覆盖恢复比例", share >= rule["value"], f"{share:.1%}", f"≥ {rule['value']:.0%}", rule["verified"])
    )
    if over is not None:
        rows.append(("协调预算、区县数量与造价约束", not over, "、".join(over) or "未突破", "不突破", True))
    if below is not None:
        rows.append(("覆盖底线", not below, "、".join(below) or "均不因拆除而破", "原满足的仍满足", True))
    return _typed(pd.DataFrame(rows, columns=["check", "passed", "value", "limit", "verified"]), "relocation_check")


def _without(
    project: Project, cover: Cover, plan: Plan, affected: Ints, off: pd.Timestamp, resources: Any
) -> tuple[keep.Keep, Callable[[keep.Keep], Callable[[int], bool]]]:
    """The limits once the affected stations are gone, and how to ask whether one more station keeps them."""
    keeping, order = keep.Keep(project, cover, plan, resources), cellmap.plan_order(cover, plan)
    last = len(keeping.years)
    phase = min(int(np.searchsorted(keeping.years, off.year)), last - 1)
    entry = dict(zip(order.tolist(), keeping.entries(plan).tolist(), strict=True))
    keeping.leave((int(i), max(entry[int(i)], phase), last) for i in affected)

    def enter(state: keep.Keep) -> Callable[[int], bool]:
        """A planned station only comes forward to the phase of the removal."""
        return lambda item: state.swap([], [(item, min(phase, entry.get(item, last)), entry.get(item, last))])

    return keeping, enter


def _floors_lost(
    project: Project, cover: Cover, plan: Plan, affected: Ints, wanted: Ints, off: pd.Timestamp, keeping: keep.Keep
) -> list[str] | None:
    """Floors (with the year) that the plan meets and that fail once the replacements stand; None without floors."""
    limits, years = keeping.limits, keeping.years
    if not limits.need.any():
        return None
    order, entry, last = cellmap.plan_order(cover, plan), keeping.entries(plan), len(keeping.years)
    phase = min(int(np.searchsorted(years, off.year)), last - 1)
    stay = ~np.isin(order, affected)
    some = np.concatenate([order[stay], wanted])  # a station that is in the plan counts from its earlier turn
    turns = np.concatenate([entry[stay], np.full(len(wanted), phase)])
    before = keep.floor_sums(cover, limits, keep.first_phase(cover, order, entry, last)) >= limits.need
    after = keep.floor_sums(cover, limits, keep.first_phase(cover, some, turns, last)) >= limits.need
    lost = before & ~after & (np.arange(last) >= phase)[:, None]
    return [f"{years[t]}年{limits.floors[r]}" for t, r in zip(*np.nonzero(lost), strict=True)]


def relocate(
    project: Project,
    cover: Cover,
    plan: Plan,
    polygon: Any,
    off_date: str | datetime.date,
    *,
    replacements: Dates | None = None,
    on_dates: Dates | None = None,
    choices: int = 20,
    resources: tuple[Any, Any] | None = None,
) -> dict[str, pd.DataFrame]:
    """What a demolition takes away, what replaces it, and whether the replacement comes first.

    Parameters
    ----------
    project, cover, plan : Project, Cover, Plan
        The plan and the cover it was made from.
    polygon : GeoDataFrame, GeoSeries or shapely polygon
        The demolition; a bare shape is in the working CRS.
    off_date : str or date
        Day the stations inside go off the air.
    replacements : mapping of str to date, optional
        Replacement stations (ids of the cover) and when they go on air. Without it the fewest first
        candidates that restore ``rules/relocation`` ``restored_min_share`` are checked, with the dates
        of the plan.
    on_dates : mapping of str to date, optional
        On-air dates of planned stations that are known better than their phase.
    choices : int
        Length of the ranked list.
    resources : tuple, optional
        The coordination budgets as for :func:`lcsiting.rank`. Candidates that would break one of these, a county
        quota or a budget of the project are left out; given replacements are checked. Floors of the project that
        hold are checked with the replacements in service.

    Returns
    -------
    dict of DataFrame
        Schema tables ``relocation_affected`` (stations of the plan inside), ``relocation_loss`` (by
        county and network), ``relocation_candidates`` (each by what it restores beyond those above
        it; planned stations of later phases may come forward), ``relocation_check``.

    Raises
    ------
    LayerError
        An empty polygon, one without CRS, or a replacement that is not an eligible station or lies
        inside the polygon.
    """
    shape, off = _shape(polygon, project), pd.Timestamp(off_date)
    order, table = cellmap.plan_order(cover, plan), plan.stations
    dates = on_air_dates(project, plan, on_dates)
    inside = shapely.intersects(shape, table.geometry.to_numpy())
    in_time = (dates[table["station_id"]] <= off).to_numpy(bool)
    affected, in_service = order[inside], order[in_time]
    removal = _Removal(affected, in_service, _lost_rows(cover, affected, in_service))
    unit = rules.load("ranking", project.root / "rules")["weight_unit"]["value"]
    keeping, enter = _without(project, cover, plan, affected, off, resources)
    candidates = _candidate_rows(project, cover, plan, removal, shape, choices, unit, enter(keeping))
    wanted = _wanted(project, cover, replacements, candidates, shape)
    at = _positions(cover, plan, wanted)
    for station, date in (replacements or {}).items():
        dates[station] = pd.Timestamp(date)
    over = None
    if keeping.asks:
        fits = enter(_without(project, cover, plan, affected, off, resources)[0])
        over = [s for s, k in zip(wanted, at, strict=True) if not fits(int(k))]
    below = _floors_lost(project, cover, plan, affected, at, off, keeping)
    return {
        "relocation_affected": _affected_rows(project, cover, plan, removal, dates, off, unit),
        "relocation_loss": _loss_rows(project, cover, removal, unit),
        "relocation_candidates": candidates,
        "relocation_check": _check_rows(project, cover, removal, wanted, at, dates, off, over, below),
    }


def _wanted(
    project: Project, cover: Cover, replacements: Dates | None, candidates: pd.DataFrame, shape: Any
) -> list[str]:
    """Replacement stations to check."""
    if replacements is None:
        enough = rules.load("relocation", project.root / "rules")["restored_min_share"]["value"]
        first = int((candidates["restored_share"] < enough).sum()) + 1
        return candidates["station_id"].iloc[:first].tolist()
    at = cellmap.positions(cover, list(replacements))
    unknown = [station for station, k in zip(replacements, at, strict=True) if k < 0]
    if unknown:
        raise LayerError(f"relocate: {', '.join(unknown[:5])} are not eligible stations; take ids of the candidates.")
    places = project.stations["place"].to_numpy()[cover.station_rows[at]]
    doomed = shapely.intersects(shape, project.places.geometry.to_numpy()[places])
    if doomed.any():
        names = [station for station, bad in zip(replacements, doomed, strict=True) if bad]
        raise LayerError(f"relocate: {', '.join(names[:5])} stand inside the demolition; choose others.")
    return list(replacements)
