"""Buildings with indoor systems of their own, and micro sites by number per hot zone."""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from lcsiting import rules, schema
from lcsiting.geo import crs
from lcsiting.inputs import derive
from lcsiting.model import Cover, Plan, Project
from lcsiting.siting import _explain, cellmap
from lcsiting.siting.plan_tables import _typed

# Buildings that are not finished have no people in the population yet.
UNFINISHED = ("planning", "design", "construction")
M2_PER_KM2 = 1e6


def _duty_rows(project: Project, buildings: pd.DataFrame) -> pd.DataFrame:
    """Duty, clause and whether it is verified, by the first rule row that fits; empty duty if none does."""
    table = rules.load("building_standard", project.root / "rules")
    use = buildings["use"].to_numpy(object)
    sizes = {"min_area_m2": "area_m2", "min_floors": "floors", "min_seats": "seats"}
    chosen = np.full(len(buildings), "", object)
    for key, row in table.items():
        fits = np.isin(use, row["uses"]) | ("*" in row["uses"])
        fits &= ~np.isin(use, row.get("except_uses", []))
        for name, column in sizes.items():
            if name in row:
                fits &= pd.to_numeric(buildings[column]).fillna(0).to_numpy(float) >= row[name]
        chosen[(chosen == "") & fits] = key
    none = {"duty": "", "clause": "", "verified": True}
    return pd.DataFrame([table.get(key, none) for key in chosen], columns=["duty", "clause", "verified"])


def _people(project: Project, buildings: pd.DataFrame) -> NDArray[np.float64]:
    """People of each building: as listed, else its seats, else by floor area and use."""
    uses = rules.load("building_uses", project.root / "rules")
    per_person = np.array([uses.get(use, uses["other"])["m2_per_person"] for use in buildings["use"]], float)
    seats = pd.to_numeric(buildings["seats"]).to_numpy(float)
    by_area = buildings["area_m2"].to_numpy(float) / per_person
    listed = pd.to_numeric(buildings["people"]).to_numpy(float)
    return np.where(np.isfinite(listed), listed, np.where(np.nan_to_num(seats) > 0, seats, by_area))


def _footprints_km2(buildings: pd.DataFrame, area_m2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area of the outline, or floor area over floors for a point."""
    floors = np.maximum(pd.to_numeric(buildings["floors"]).fillna(1).to_numpy(float), 1.0)
    return np.where(area_m2 > 0, area_m2, buildings["area_m2"].to_numpy(float) / floors) / M2_PER_KM2


def _taken_by_cell(
    project: Project, cells: pd.DataFrame, listed: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Building, cell and (people, area) a building takes there; never more than the cell holds.

    A building spreads evenly over its cells. Buildings take from a cell in the order of the layer.
    """
    building, cell = cellmap.shape_cells(project, cells, listed.geometry)
    spread = np.bincount(building, minlength=len(listed))[building]
    wanted = np.column_stack([listed["people_in"].to_numpy()[building], listed["footprint"].to_numpy()[building]])
    taken = wanted / np.maximum(spread, 1)[:, None]
    room = {c: np.array([cells["people"].iloc[c], cells["area_km2"].iloc[c]], float) for c in np.unique(cell)}
    for k, c in enumerate(cell):
        taken[k] = np.minimum(taken[k], room[c])
        room[c] = room[c] - taken[k]
    return building, cell, taken


def _listed(project: Project) -> pd.DataFrame | None:
    """The buildings with a duty, with people, footprint and whether they leave the macro indoor demand."""
    layer = project.layers.get("buildings")
    if layer is None or not len(layer):
        return None
    layer = layer.reset_index(drop=True)
    duties = _duty_rows(project, layer)
    table = layer.assign(
        duty=duties["duty"], clause=duties["clause"], verified=duties["verified"],
        people_in=_people(project, layer), footprint=_footprints_km2(layer, layer.geometry.area.to_numpy()),
    )  # fmt: skip
    table["leaves"] = (table["duty"] == "must") & ~table["stage"].isin(UNFINISHED)
    return table[table["duty"] != ""].reset_index(drop=True)


def indoor_demand_taken(project: Project, cells: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """People and area that finished buildings with a duty take out of the macro stations' indoor demand.

    Parameters
    ----------
    project : Project
        With or without a layer ``buildings``.
    cells : DataFrame
        Demand cells (row, col, people, area_km2).

    Returns
    -------
    people, area_km2 : ndarray of float64 (n_cells,)
        Never more than the cell holds; zero without buildings.
    """
    people, area = np.zeros(len(cells)), np.zeros(len(cells))
    listed = _listed(project)
    if listed is not None and listed["leaves"].any():
        _, cell, taken = _taken_by_cell(project, cells, listed[listed["leaves"]].reset_index(drop=True))
        np.add.at(people, cell, taken[:, 0])
        np.add.at(area, cell, taken[:, 1])
    return people, area


def indoor_buildings(project: Project, cells: pd.DataFrame) -> pd.DataFrame:
    """The indoor-distribution list: buildings over the thresholds, and whether they reserve enough.

    Thresholds in ``rules/building_standard``, reserves in ``rules/building_reserve`` (per started area).

    Parameters
    ----------
    project : Project
        With or without a layer ``buildings``.
    cells : DataFrame
        Demand cells.

    Returns
    -------
    DataFrame
        Schema table ``indoor_buildings``. ``people`` and ``footprint_km2``: what the building takes out
        of the macro indoor demand (0 where the duty is only recommended or the building unfinished).
        ``reserve``: reserved, or missing where room or power is less than needed or not recorded.
    """
    listed = _listed(project)
    if listed is None or listed.empty:
        return _typed(pd.DataFrame(columns=list(schema.table("indoor_buildings").columns)), "indoor_buildings")
    taken = np.zeros((len(listed), 2))
    leaving = np.flatnonzero(listed["leaves"])
    if len(leaving):
        building, _, part = _taken_by_cell(project, cells, listed.iloc[leaving].reset_index(drop=True))
        np.add.at(taken, leaving[building], part)
    need = rules.load("building_reserve", project.root / "rules")
    area = listed["area_m2"].to_numpy(float)
    room, power = (
        need[key]["value"] * np.ceil(area / need[key]["per_area_m2"]) for key in ("room_m2", "power_kw")
    )  # fmt: skip
    kept = [pd.to_numeric(listed[name]).fillna(0).to_numpy(float) for name in ("reserved_room_m2", "reserved_kw")]
    points = listed.geometry.representative_point()
    lon, lat = crs.transform(points.x.to_numpy(), points.y.to_numpy(), project.config.project.crs, crs.GEOGRAPHIC)
    where = pd.Series("", index=listed.index)
    counties = project.layers["boundaries"].query("level == 'county'")
    for row in counties.itertuples():
        where[points.within(row.geometry) & (where == "")] = row.name
    out = pd.DataFrame(listed.drop(columns="geometry")).assign(
        county=where, people=taken[:, 0], footprint_km2=taken[:, 1], room_needed_m2=room, power_needed_kw=power,
        reserved_room_m2=kept[0], reserved_kw=kept[1],
        reserve=np.where((kept[0] >= room) & (kept[1] >= power), "reserved", "missing"), lon=lon, lat=lat,
        name=_text(listed["name"]), stage=_text(listed["stage"]),
        floors=pd.to_numeric(listed["floors"]).fillna(0).astype(int),
        seats=pd.to_numeric(listed["seats"]).fillna(0).astype(int),
    )  # fmt: skip
    return _typed(out, "indoor_buildings")


def _text(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna(), "")


def hot_zones(
    project: Project, cells: pd.DataFrame, traffic_mbps: NDArray[np.float64] | None = None
) -> NDArray[np.int32]:
    """Zone number of each cell, from 1 in row-major order; 0 outside (``rules/micro``).

    A zone is a group of touching cells (corners count) that are each dense enough in people or traffic.
    """
    table, grid = rules.load("micro", project.root / "rules"), derive.demand_grid(project)
    size = cells["area_km2"].to_numpy(float)
    hot = cells["people"].to_numpy(float) >= table["hot_people_per_km2"]["value"] * size
    if traffic_mbps is not None:
        hot |= traffic_mbps >= table["hot_mbps_per_km2"]["value"] * size
    mask = np.zeros((grid.rows, grid.cols), bool)
    row, col = cells["row"].to_numpy(), cells["col"].to_numpy()
    mask[row[hot], col[hot]] = True
    zone = ndimage.label(mask, structure=np.ones((3, 3)))[0][row, col]
    area = np.bincount(zone, weights=size)
    large = area >= table["min_zone_km2"]["value"] - 1e-9
    large[0] = False
    return np.where(large, np.cumsum(large), 0)[zone].astype(np.int32)


def micro_forecast(
    project: Project,
    cover: Cover,
    plan: Plan,
    traffic_mbps: NDArray[np.float64] | None = None,
    excess_mbps: NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """Micro sites needed in each hot zone at the end of the plan.

    For coverage: the area where no network has the (first) indoor service, over the area of a micro
    site. For capacity: busy-hour traffic the macro stations cannot carry, over what a micro site
    carries. A micro site does both, so the larger number counts.

    Parameters
    ----------
    project, cover, plan : Project, Cover, Plan
        The plan and the cover it was made from.
    traffic_mbps, excess_mbps : ndarray of float64 (n_cells,), optional
        Busy-hour traffic, and the part of it beyond the stations' capacity.

    Returns
    -------
    DataFrame
        Schema table ``micro_forecast``.
    """
    cells, table = cover.cells, rules.load("micro", project.root / "rules")
    zone = hot_zones(project, cells, traffic_mbps)
    serving = np.zeros(len(cover.row_weight), np.int32)
    order = cellmap.plan_order(cover, plan)
    _explain.first_servers(cover.indptr, cover.indices, order, np.full(len(serving), -1, np.int32), serving)
    inside = [service.indoor for service in project.config.services]
    service = inside.index(True) if any(inside) else 0
    by_class = serving.reshape(len(cover.networks), len(cover.services), len(cells))
    bare = (by_class[:, service] == 0).all(axis=0)
    excess = np.zeros(len(cells)) if excess_mbps is None else excess_mbps
    frame = pd.DataFrame(
        {
            "zone": zone, "county": cells["county"].astype(str), "area_km2": cells["area_km2"],
            "people": cells["people"], "uncovered_indoor_km2": np.where(bare, cells["area_km2"], 0.0),
            "excess_mbps": excess, "x_m": cells["x_m"], "y_m": cells["y_m"],
        }
    )  # fmt: skip
    groups = frame[frame["zone"] > 0].groupby("zone")
    sums = ["area_km2", "people", "uncovered_indoor_km2", "excess_mbps"]
    out = groups[sums].sum().join(groups[["x_m", "y_m"]].mean()).join(groups["county"].first()).reset_index()
    names = project.layers["boundaries"].drop_duplicates("code").set_index("code")["name"]
    lon, lat = crs.transform(out["x_m"].to_numpy(), out["y_m"].to_numpy(), project.config.project.crs, crs.GEOGRAPHIC)
    out = out.assign(
        for_coverage=_ceil(out["uncovered_indoor_km2"], table["micro_area_km2"]["value"]),
        for_capacity=_ceil(out["excess_mbps"], table["micro_mbps"]["value"]),
        county=out["county"].map(names).fillna(""), lon=lon, lat=lat,
    )  # fmt: skip
    return _typed(out.assign(micro_sites=out[["for_coverage", "for_capacity"]].max(axis=1)), "micro_forecast")


def _ceil(amount: pd.Series, each: float) -> list[int]:
    return [math.ceil(value / each - 1e-9) for value in amount]
