"""Two plans side by side, or a plan and what was built by a date: in, out, moved, coverage by county."""

import dataclasses
import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.coverage.coverage import predict_coverage
from lcsiting.coverage.statistics import ANY_NETWORK
from lcsiting.geo import crs
from lcsiting.inputs.as_built import check_as_built
from lcsiting.model import Coverage, Plan, Result
from lcsiting.siting.plan_tables import _typed

MOVED_M = 1.0  # less than what a survey repeats is no move
SET = ("mode", "band", "azimuths_deg", "tilts_deg", "excluded_deg")  # how a station is put up
AREAS = ("city", "county")


def _years(plan: Plan) -> pd.DataFrame:
    """Stations of a plan with the year they come on air, 0 for today's network."""
    table = pd.DataFrame(plan.stations.drop(columns="geometry", errors="ignore"))
    return table.assign(year=np.where(table["status"] == "on_air", 0, table["phase_year"]))


def plan_changes(before: Plan, after: Plan) -> pd.DataFrame:
    """Stations that two plans treat differently.

    Parameters
    ----------
    before, after : Plan
        Of the same city; stations are matched by ``station_id``.

    Returns
    -------
    DataFrame
        Schema table ``changes``. ``change``: out, in, built (planned then on air), earlier, later, moved (same phase,
        more than a metre apart), or reset (same phase and place; another mode, band or antenna setting). Year 0 and
        rank 0: on air or not in that plan.
    """
    a, b = _years(before), _years(after)
    both = a.merge(b, on="station_id", how="outer", suffixes=("_a", "_b"), indicator=True, sort=False)
    for name in ("year", "rank"):
        for side in "ab":
            both[f"{name}_{side}"] = both[f"{name}_{side}"].fillna(0).astype(int)
    away = np.hypot(both["x_m_a"] - both["x_m_b"], both["y_m_a"] - both["y_m_b"]).fillna(0.0)
    year_a, year_b = both["year_a"], both["year_b"]
    told = [name for name in SET if name in a and name in b]
    other = pd.concat([both[f"{name}_a"] != both[f"{name}_b"] for name in told], axis=1).any(axis=1)
    conditions = {
        "out": both["_merge"] == "left_only",
        "in": both["_merge"] == "right_only",
        "built": (year_b == 0) & (year_a > 0),
        "earlier": year_b < year_a,
        "later": year_b > year_a,
        "moved": away > MOVED_M,
        "reset": (both["_merge"] == "both") & other,
    }
    both["change"] = np.select(list(conditions.values()), list(conditions), default="")
    there = both["_merge"].ne("left_only")
    for name in ("place_id", "name", "network", "county", "lon", "lat"):
        both[name] = both[f"{name}_b"].where(there, both[f"{name}_a"])
    order = {change: k for k, change in enumerate(conditions)}
    both["distance_m"] = away
    rows = both[both["change"] != ""]
    rows = rows.sort_values(
        ["change", "rank_b", "rank_a", "station_id"],
        key=lambda column: column.map(order) if column.name == "change" else column, kind="stable",
    )  # fmt: skip
    return _typed(rows, "changes")


def _areas(coverage: Coverage) -> pd.DataFrame:
    table = coverage.statistics
    keep = table[table["level"].isin(AREAS)].astype({"code": str})
    return keep[["network", "service", "level", "code", "name", "people", "covered_people", "people_share",
                 "covered_area_km2", "area_share"]]  # fmt: skip


def _counts(plan: Plan, year: int, networks: list[str], city: str) -> dict[tuple[str, str], int]:
    """Stations in service by (network, county code); the city under its own code."""
    table = _years(plan)
    table = table[table["year"] <= year]
    out: dict[tuple[str, str], int] = {}
    for network in networks:
        own = table if network == ANY_NETWORK else table[table["network"] == network]
        out |= {(network, str(code)): int(n) for code, n in own["county_code"].value_counts().items()}
        out[network, city] = len(own)
    return out


def county_changes(year: int, before: tuple[Coverage, Plan, int], after: tuple[Coverage, Plan, int]) -> pd.DataFrame:
    """Coverage by county of two states of the network.

    Parameters
    ----------
    year : int
        What to write into ``year``.
    before, after : tuple of (Coverage, Plan, int)
        Coverage, the plan whose stations are counted, and the year up to which.

    Returns
    -------
    DataFrame
        Schema table ``county_changes``: the city first, then its counties, by network and service.
    """
    a, b = _areas(before[0]), _areas(after[0])
    both = a.merge(b, on=["network", "service", "level", "code"], how="outer", suffixes=("_a", "_b"), sort=False)
    networks = list(dict.fromkeys(both["network"]))
    city = str(next(iter(both.loc[both["level"] == "city", "code"]), ""))
    for side, (_, plan, until) in (("a", before), ("b", after)):
        counts = _counts(plan, until, networks, city)
        both[f"stations_{side}"] = [counts.get(key, 0) for key in zip(both["network"], both["code"], strict=True)]
    table = both.assign(
        year=year,
        county_code=both["code"],
        county=both["name_b"].fillna(both["name_a"]),
        people=both["people_b"].fillna(both["people_a"]),
        people_change=both["covered_people_b"].fillna(0) - both["covered_people_a"].fillna(0),
        area_change_km2=both["covered_area_km2_b"].fillna(0) - both["covered_area_km2_a"].fillna(0),
    )
    return _typed(table, "county_changes")


def compare_plans(a: Result, b: Result) -> dict[str, pd.DataFrame]:
    """Two results of one city.

    Parameters
    ----------
    a, b : Result
        Before and after. Phases are matched by year; if they share none, the last phases are compared.

    Returns
    -------
    dict of DataFrame
        ``changes`` and ``county_changes``, schema tables of those names.
    """
    years = [(y, y) for y in a.coverages if y in b.coverages] or [(max(a.coverages), max(b.coverages))]
    parts = [
        county_changes(later, (a.coverages[first], a.plan, first), (b.coverages[later], b.plan, later))
        for first, later in years
    ]
    return {"changes": plan_changes(a.plan, b.plan), "county_changes": pd.concat(parts, ignore_index=True)}


def _first_dates(result: Result, built: pd.DataFrame) -> pd.DataFrame:
    """First on-air date of each station the table names; place and network of those the project lacks."""
    network_of = {op: n.name for n in result.project.config.networks for op in n.operators}
    rows = built.assign(network=built["operator"].map(network_of))
    rows["network"] = rows["network"].fillna(rows["operator"])
    first = rows.groupby(["place_id", "network"], sort=False)["on_date"].min().reset_index()
    stations = result.project.stations[["station_id", "place_id", "network"]]
    return first.merge(stations, on=["place_id", "network"], how="left")


def _states(planned: pd.DataFrame, on_date: pd.Series, date: pd.Timestamp, years: list[int]) -> NDArray[Any]:
    """State of each planned station at a date; a phase is due on the last day of its year."""
    year = planned["year"].to_numpy()
    starts = {y: (years[k - 1] if k else 0) for k, y in enumerate(years)}
    due = pd.to_datetime([f"{y}-12-31" for y in year])
    begins = np.array([starts[y] for y in year]) + 1
    built = on_date.notna().to_numpy()
    cases = {
        "delayed": built & (on_date.to_numpy() > due.to_numpy()),
        "early": built & (on_date.dt.year.to_numpy() < begins),
        "built": built,
        "overdue": (due < date) & ~built,
        "pending": ~built,
    }
    return np.select(list(cases.values()), list(cases), default="")


def _as_built_plan(result: Result, first: pd.DataFrame, year: int) -> Plan:
    """Today's network and what was built since, as a plan whose coverage can be predicted."""
    project, table = result.project, result.plan.stations
    rows = project.stations[project.stations["station_id"].isin(set(first["station_id"].dropna()))]
    rows = rows[~rows["station_id"].isin(set(table.loc[table["status"] == "on_air", "station_id"]))]
    places = project.places.iloc[rows["place"]]
    new = pd.DataFrame(rows[["station_id", "place_id", "network"]]).assign(
        status="planned", phase_year=year, county_code=places["county_code"].to_numpy()
    )
    kept = pd.DataFrame(table.loc[table["status"] == "on_air", list(new.columns)])
    return dataclasses.replace(result.plan, stations=pd.concat([kept, new], ignore_index=True), certificate=None)


def compare_as_built(
    result: Result, as_built: pd.DataFrame, date: str | datetime.date, *, threads: int | None = None
) -> dict[str, pd.DataFrame]:
    """A plan against what was on air at a date.

    Parameters
    ----------
    result : Result
        The plan.
    as_built : DataFrame
        As :func:`lcsiting.inputs.as_built.check_as_built` wants it; rows after ``date`` do not count.
    date : str or date
        ``"2021-06-30"``.
    threads : int, optional
        Threads of the coverage prediction.

    Returns
    -------
    dict of DataFrame
        ``changes``: every planned station as built, early (before its phase began), delayed (after
        its phase ended), overdue or pending; stations built outside the plan (unplanned) and places the
        project lacks (unknown). ``year_a`` is the planned year, ``year_b`` the year built.
        ``county_changes``: planned coverage of the phase the date lies in, and of what is built.
    """
    when = pd.Timestamp(date)
    built = check_as_built(as_built)
    first = _first_dates(result, built[built["on_date"] <= when])
    years = [phase.year for phase in result.project.config.phases]
    table = _years(result.plan)
    planned = table[table["year"] > 0]
    known = first.dropna(subset=["station_id"]).set_index("station_id")["on_date"]
    on_date = planned["station_id"].map(known).astype("datetime64[s]")
    due = planned.assign(
        change=_states(planned, on_date, when, years), year_a=planned["year"],
        year_b=on_date.dt.year.fillna(0).astype(int), rank_a=planned["rank"],
    )  # fmt: skip
    rest = first[~first["station_id"].isin(set(table["station_id"]))]
    rest = rest.assign(
        change=np.where(rest["station_id"].isna(), "unknown", "unplanned"), year_a=0, year_b=rest["on_date"].dt.year,
        rank_a=0, station_id=rest["station_id"].fillna(""),
    )  # fmt: skip
    rest = rest.merge(_where(result), on="place_id", how="left").fillna({"name": "", "county": ""})
    changes = pd.concat([due, rest], ignore_index=True).assign(rank_b=0, distance_m=0.0)
    phase = next((y for y in years if y >= when.year), years[-1])
    there = _as_built_plan(result, first, when.year)
    now = predict_coverage(result.project, there, when.year, threads=threads)
    counties = county_changes(when.year, (result.coverages[phase], result.plan, phase), (now, there, when.year))
    return {"changes": _typed(changes, "changes"), "county_changes": counties}


def _where(result: Result) -> pd.DataFrame:
    """Name, county and position of every place of the project."""
    places = result.project.places
    x, y = places.geometry.x.to_numpy(), places.geometry.y.to_numpy()
    lon, lat = crs.transform(x, y, result.project.config.project.crs, crs.GEOGRAPHIC)
    return pd.DataFrame(places[["place_id", "name", "county"]]).assign(lon=lon, lat=lat)
