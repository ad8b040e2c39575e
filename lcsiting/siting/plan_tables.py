"""The tables of a plan: stations, places, phases, counties, and why the others are not in it."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules, schema
from lcsiting.coverage.antennas import antenna_texts
from lcsiting.geo import crs
from lcsiting.inputs import derive
from lcsiting.inputs.other_band import other_bands
from lcsiting.model import Cover, Plan, Project
from lcsiting.rules.modes import OTHER_BAND, mode_label
from lcsiting.rules.scope import in_scope_bands
from lcsiting.siting import _heap, cellmap

AREA_UNIT_KM2 = 1e-6
WORST_FIRST = ("excluded", "coordinate", "not_assessed", "clear", "outside")
UNVERIFIED = "（依据未核实）"
NO_ROOM = "protection_budget"


@dataclass(frozen=True)
class Chosen:
    """What the blocks chose.

    Attributes
    ----------
    rows : DataFrame
        In the order of the plan, on air first: position (in the cover), phase (-1: on air), tier
        (id, empty outside tier blocks), basis, block, block_gain (weight units of the item).
    unused_gain : float64 (n_items of the cover,)
        What each station would still cover after the last phase, in people-equivalents.
    """

    rows: pd.DataFrame
    unused_gain: NDArray[np.float64]


def cell_measures(cells: pd.DataFrame, people_unit: float) -> NDArray[np.int64]:
    """People (in ``people_unit``) and area (in ``AREA_UNIT_KM2``) of each cell, whole, (2, n_cells)."""
    people = np.rint(cells["people"].to_numpy(float) / people_unit)
    return np.vstack([people, np.rint(cells["area_km2"].to_numpy(float) / AREA_UNIT_KM2)]).astype(np.int64)


def failures(eligible: pd.DataFrame) -> pd.DataFrame:
    """The first failed rule of every station that failed one, by station_id."""
    failed = eligible[~eligible["passed"].astype(bool)]
    return failed.drop_duplicates("station_id").set_index("station_id")


def worst_verdicts(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Per station_id: worst verdict, number of protected stations behind it, whether its basis is verified."""
    order = {verdict: k for k, verdict in enumerate(WORST_FIRST)}
    table = pd.DataFrame(
        {
            "station_id": verdicts["station_id"],
            "severity": verdicts["verdict"].astype(object).map(order).fillna(order["coordinate"]).astype(int),
            "protected_id": verdicts["protected_id"],
            "verified": verdicts["verified"].fillna(False).astype(bool),
        }
    )
    worst = table.groupby("station_id")["severity"].transform("min")
    groups = table[table["severity"] == worst].groupby("station_id")
    out = groups.agg(severity=("severity", "first"), count=("protected_id", "nunique"), verified=("verified", "all"))
    out["coordination"] = [WORST_FIRST[k] for k in out["severity"]]
    return out


def _gains(project: Project, cover: Cover, chosen: Chosen) -> pd.DataFrame:
    """What each station newly covers, in the order of the plan.

    People and area are those of the station's own network and the first service: outdoors, not yet
    served by that network.
    """
    table = rules.load("ranking", project.root / "rules")
    unit = table["weight_unit"]["value"]
    order = chosen.rows["position"].to_numpy(np.int64)
    gain, sums = np.zeros(len(order), np.int64), np.zeros((len(order), len(cover.services), 2), np.int64)
    _heap.replay(cover.indptr, cover.indices, order, cover.row_weight, cell_measures(cover.cells, unit), gain, sums)
    return pd.DataFrame(
        {
            "gain_people": sums[:, 0, 0] * unit,
            "gain_area_km2": sums[:, 0, 1] * AREA_UNIT_KM2,
            "further_people": list(sums[:, 1:, 0] * unit),
            "gain_weight": gain * unit,
            "block_gain": chosen.rows["block_gain"] * unit,
            "cumulative_share": np.cumsum(gain) / max(int(cover.row_weight.sum()), 1),
        }
    )


def _typed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The schema's columns, in its order and types."""
    kinds = {"int": "int64", "float": "float64", "bool": "bool", "str": "object"}
    columns = schema.table(name).columns
    out = frame[list(columns)].reset_index(drop=True)
    return out.astype({key: kinds[column.dtype] for key, column in columns.items()})


def _as_layer(frame: pd.DataFrame, name: str, project: Project, place: Any) -> gpd.GeoDataFrame:
    """Add coordinates, keep the schema's columns."""
    geometry = project.places.geometry.iloc[place]
    x_m, y_m = geometry.x.to_numpy(), geometry.y.to_numpy()
    lon, lat = crs.transform(x_m, y_m, project.config.project.crs, crs.GEOGRAPHIC)
    table = _typed(frame.assign(x_m=x_m, y_m=y_m, lon=lon, lat=lat), name)
    return gpd.GeoDataFrame(table, geometry=geometry.to_numpy(), crs=project.config.project.crs)


def _scope_bands(project: Project) -> set[str]:
    """The bands that need coordination at all, by the project's profile."""
    name, override = project.config.coordination.profile, project.root / "rules"
    return in_scope_bands(rules.load(name, override), rules.load("bands", override), name)


def _station_rows(project: Project, cover: Cover, chosen: Chosen, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Everything of the stations table except reasons and coordinates."""
    stations = project.stations.iloc[cover.station_rows[chosen.rows["position"]]].reset_index(drop=True)
    places = project.places.iloc[stations["place"]].reset_index(drop=True)
    modes = cellmap.mode_names(cover, chosen.rows["position"].to_numpy(np.int64))
    stations = stations.assign(mode=modes, band=_bands(project, cover.station_rows[chosen.rows["position"]], modes))
    tiers = {row["order"]: key for key, row in rules.load("tiers", project.root / "rules").items()}
    years = np.array([0, *(phase.year for phase in project.config.phases)])
    from_place = [
        "name",
        "county_code",
        "county",
        "source",
        "host_kind",
        "host_rank",
        "owner",
        "morphology",
    ]
    own = ["station_id", "place_id", "place", "network", "band", "mode", "action", "height_agl_m", "on_air",
           "on_air_holders"]  # fmt: skip
    table = pd.concat([stations[own], places[from_place], _gains(project, cover, chosen)], axis=1)
    on_air = stations["on_air"].to_numpy(bool)
    further = stations["place"].duplicated().to_numpy()
    home = places["tier"].map(tiers)
    return table.assign(
        **antenna_texts(project, cover.station_rows[chosen.rows["position"]]),
        phase_year=years[chosen.rows["phase"].to_numpy() + 1],
        rank=np.where(on_air, 0, np.cumsum(~on_air)),
        status=np.where(on_air, "on_air", "planned"),
        chosen_in=chosen.rows["tier"],
        tier=np.where(chosen.rows["tier"] == "", home, chosen.rows["tier"]),
        basis=chosen.rows["basis"],
        block=chosen.rows["block"],
        further=further,
        cost=np.where(on_air, 0.0, np.where(further, stations["second_cost"], stations["cost"])),
        **coordination_columns(project, stations, verdicts),
    )


def _bands(project: Project, station_rows: Any, modes: NDArray[Any]) -> NDArray[Any]:
    """Bands of stations in their modes."""
    band = project.stations["band"].to_numpy(object)[station_rows]
    moved = np.flatnonzero(modes == OTHER_BAND)
    if len(moved):
        other = other_bands(project, _scope_bands(project), station_rows[moved])
        band[moved] = np.where(other == "", band[moved], other)  # a project as chosen says so itself
    return band


def coordination_columns(project: Project, stations: pd.DataFrame, verdicts: pd.DataFrame) -> dict[str, Any]:
    """The columns of the stations table that say what coordination asks of them."""
    worst = worst_verdicts(verdicts).reindex(stations["station_id"])
    # every station in the scope has a row as soon as there is a station to protect in it
    listed = len(project.layers["protected_stations"]) > 0
    inside = stations["band"].isin(_scope_bands(project)).to_numpy(bool)
    nothing = np.where(inside, "clear" if listed else "not_assessed", "outside").astype(object)
    # in its operator's other band nothing that was said of a station holds
    unseen = worst["coordination"].isna().to_numpy() | (stations["mode"] == OTHER_BAND).to_numpy()
    return {
        "coordination": np.where(unseen, nothing, worst["coordination"].astype(object)),
        "coordination_verified": np.where(unseen, nothing != "not_assessed", worst["verified"].eq(True)),
        "coordinate_count": np.where(unseen, 0, worst["count"].astype(float).fillna(0)).astype(int),
    }


def worst_of_places(stations: pd.DataFrame) -> pd.DataFrame:
    """The worst that is said of the stations of each place."""
    severity = {verdict: k for k, verdict in enumerate(WORST_FIRST)}
    groups = stations.assign(severity=stations["coordination"].map(severity)).groupby("place_id", sort=False)
    worst = [WORST_FIRST[k] for k in groups["severity"].min()]
    verified = groups["coordination_verified"].all()
    return pd.DataFrame({"coordination": worst, "coordination_verified": verified}, index=verified.index)


def _added(row: Any, services: list[str]) -> str:
    """What a station newly covers, by service, in words."""
    parts = []
    if row.gain_people >= 0.5 or row.gain_area_km2 >= 0.005:
        parts.append(f"{services[0]}{row.gain_people:.0f}人、{row.gain_area_km2:.2f}平方公里")
    parts += [f"{name}{n:.0f}人" for name, n in zip(services[1:], row.further_people, strict=True) if n >= 0.5]
    return "新增覆盖" + "，".join(parts) if parts else f"新增加权覆盖{row.gain_weight:.1f}人当量"


def coordination_words(row: Any) -> str:
    """What coordination asks of a station, in words; empty if nothing."""
    caveat = "" if row.coordination_verified else UNVERIFIED
    if row.coordination == "coordinate":
        return f"需与{row.coordinate_count}个台站协调{caveat}"
    if row.coordination == "excluded":
        return f"与{row.coordinate_count}个台站的物理计算不满足，台站侧与基站侧措施均不足{caveat}，须移址或取消"
    return "无受保护台站清单，未作协调评估" if row.coordination == "not_assessed" else ""


def _reasons(project: Project, table: pd.DataFrame) -> list[str]:
    """One line per station: host, what it adds, why now, shared place, coordination."""
    override = project.root / "rules"
    kinds, tiers = rules.load("site_kinds", override), rules.load("tiers", override)
    measures = rules.load(project.config.coordination.profile, override)
    services = [schema.value_label(service.name) for service in project.config.services]
    out = []
    for row in table.itertuples(index=False):
        kind = kinds[row.host_kind]["name_zh"]
        if row.status == "on_air":
            parts = [f"现网在用（{row.on_air_holders}）" if row.on_air_holders else "现网在用"]
        else:
            parts = [f"{kind}，{schema.value_label(row.action)}"]
        if row.basis == "capacity":
            parts.append(f"覆盖已满足，分担约{row.block_gain:.0f}人")
        else:
            parts.append(_added(row, services))
        if row.basis in ("floor", "quota"):
            parts.append("为覆盖底线入选" if row.basis == "floor" else "为区县数量下限入选")
        if row.basis == "coverage":
            parts.append(f"{tiers[row.chosen_in]['name_zh']}优先" if row.chosen_in else "全市择优")
        if row.further:
            parts.append("与已选网络共址")
        if row.mode:
            parts.append(f"按“{mode_label(row.mode, measures)}”开通")
        parts.append(coordination_words(row))
        out.append("；".join(part for part in parts if part))
    return out


def _place_rows(table: pd.DataFrame, project: Project) -> pd.DataFrame:
    """One row per place: purely on air first, then in the order of the first planned station.

    Year, tier, action and cost are those of the planned part; gains are sums over all networks.
    ``status`` is ``expand`` where a place on air gets a further network.
    """
    groups = table.groupby("place", sort=False)
    kept = ["place_id", "name", "phase_year", "status", "tier", "county_code", "county", "source", "host_kind",
            "host_rank", "owner", "action"]  # fmt: skip
    air, new = table[table["status"] == "on_air"], table[table["status"] != "on_air"]
    whole = air[~air["place"].isin(new["place"])]
    out = pd.concat([whole, new]).drop_duplicates("place").set_index("place")[kept]
    planned = (out["status"] != "on_air").to_numpy()
    out.loc[planned & out.index.isin(air["place"]), "status"] = "expand"
    out["stations"] = groups.size()
    out["networks"] = groups["network"].agg("+".join)
    out["bands"] = groups["band"].agg("/".join)
    for name in ("gain_people", "gain_area_km2", "cost"):
        out[name] = groups[name].sum()
    worst = worst_of_places(table).loc[out["place_id"]]
    out["coordination"], out["coordination_verified"] = (worst[name].to_numpy() for name in worst)
    out["height_agl_m"] = project.places["height_agl_m"].to_numpy()[out.index]
    return out.assign(rank=np.where(planned, np.cumsum(planned), 0)).reset_index()


def _figures(stations: pd.DataFrame, population: float) -> dict[str, Any]:
    """Counts and ratios of a set of stations."""
    places = stations.drop_duplicates("place")
    n, n_places = len(stations), len(places)
    return {
        "stations": n,
        "places": n_places,
        "sharing": n / n_places if n_places else 0.0,
        "reuse_share": float((places["source"] == "existing").mean()) if n_places else 0.0,
        "stations_per_10k": n / population * 1e4 if population > 0 else 0.0,
        "cost": float(stations["cost"].sum()),
    }


def _phase_rows(project: Project, table: pd.DataFrame, population: float) -> pd.DataFrame:
    rows, before = [], _figures(table[table["phase_year"] == 0], population)
    for phase in project.config.phases:
        until = table[table["phase_year"] <= phase.year]
        figures = _figures(until, population)
        share = float(until["cumulative_share"].max()) if len(until) else 0.0
        rows.append(
            {
                "year": phase.year, "unit": phase.unit, "target": phase.target, **figures,
                "new_stations": figures["stations"] - before["stations"],
                "new_places": figures["places"] - before["places"],
                "reached": figures[f"{phase.unit}s"] >= phase.target
                if phase.target_share is None else share >= phase.target_share - 1e-9,
                "covered_weight_share": share,
            }
        )  # fmt: skip
        before = figures
    return _typed(pd.DataFrame(rows), "phases")


def county_names(project: Project) -> dict[str, str]:
    """County code to name, in the order of the boundaries; places outside come last."""
    areas = project.layers["boundaries"]
    areas = areas[areas["level"].isin(derive.city_levels(areas))]
    return dict(zip(areas["code"].astype(str), areas["name"].astype(str), strict=True))


def _county_rows(project: Project, table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    people = cells.groupby(cells["county"].astype(str), observed=True)["people"].sum()
    names = county_names(project)
    outside = [code for code in table["county_code"].unique() if code not in names]
    names |= dict.fromkeys(outside, "市域范围外")
    rows = []
    for phase in project.config.phases:
        until = table[table["phase_year"] <= phase.year]
        for code, name in names.items():
            own, population = until[until["county_code"] == code], float(people.get(code, 0.0))
            rows.append(
                {
                    "year": phase.year, "county_code": code, "county": name, "population": population,
                    "on_air_stations": int((own["status"] == "on_air").sum()), **_figures(own, population),
                }
            )  # fmt: skip
    return _typed(pd.DataFrame(rows), "counties")


def _refused_rows(project: Project, cover: Cover, eligible: pd.DataFrame, chosen: Chosen, blocked: Any) -> pd.DataFrame:
    """Stations that screening refused (first failed rule), then eligible ones that were not chosen."""
    stations, places = project.stations, project.places
    first = failures(eligible)
    of_item = pd.DataFrame({"gain": chosen.unused_gain, "size": np.diff(cover.indptr)})
    best = of_item.groupby(cover.station_rows).max().reindex(range(len(stations)))  # of its modes
    gain, size = best["gain"], best["size"].fillna(0)
    taken = np.zeros(len(stations), bool)
    taken[cover.station_rows[chosen.rows["position"]]] = True
    out = stations[~taken][["station_id", "place_id", "place", "network"]]
    failed = out["station_id"].isin(first.index).to_numpy()
    lines = [
        "覆盖范围内没有需求" if n == 0
        else "覆盖范围已由入选基站覆盖" if g == 0
        else f"各期目标已满，尚可新增加权覆盖{g:.0f}（人当量），排序靠后"
        for n, g in zip(size[~taken], gain[~taken], strict=True)
    ]  # fmt: skip
    no_room = pd.Series("", index=out.index, dtype=object) if blocked is None else blocked.reindex(out.index)
    no_room = no_room.fillna("").to_numpy(object)
    lines = [text or line for text, line in zip(no_room, lines, strict=True)]
    at = first.reindex(out["station_id"])
    geometry = places.geometry.iloc[out["place"]]
    lon, lat = crs.transform(geometry.x.to_numpy(), geometry.y.to_numpy(), project.config.project.crs, crs.GEOGRAPHIC)
    table = out.assign(
        name=places["name"].to_numpy()[out["place"]],
        county=places["county"].to_numpy()[out["place"]],
        rule=np.where(failed, at["rule"].to_numpy(object), np.where(no_room != "", NO_ROOM, "not_selected")),
        reason=np.where(failed, at["reason"].astype(object).fillna("").to_numpy(object), lines),
        lon=lon,
        lat=lat,
    )
    return _typed(table.iloc[np.argsort(~failed, kind="stable")], "refused")


def build(
    project: Project, cover: Cover, eligible: pd.DataFrame, verdicts: pd.DataFrame, chosen: Chosen, blocked: Any = None
) -> Plan:
    """Make the plan's tables.

    Parameters
    ----------
    project, cover, eligible, verdicts : Project, Cover, DataFrame, DataFrame
        As in :func:`lcsiting.siting.phases.rank`.
    chosen : Chosen
        What the blocks chose.
    blocked : Series of str, optional
        Why budgets had no room for a station, by row of ``project.stations``.

    Returns
    -------
    Plan
        On air: rank 0, phase year 0, cost 0; a place on air that gets a further network is ``expand``,
        with year, rank and cost of that network. ``gain_weight`` and ``block_gain`` are in people-equivalents;
        ``block_gain`` is what the ranked item added inside its block, or the load it takes over.
    """
    table = _station_rows(project, cover, chosen, verdicts)
    table["reasons"] = _reasons(project, table)
    places = _place_rows(table, project)
    population = float(cover.cells["people"].sum())
    return Plan(
        stations=_as_layer(table, "stations", project, table["place"]),
        places=_as_layer(places, "places", project, places["place"]),
        phases=_phase_rows(project, table, population),
        counties=_county_rows(project, table, cover.cells),
        refused=_refused_rows(project, cover, eligible, chosen, blocked),
    )
