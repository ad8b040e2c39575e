"""需求整合: which chosen place each of the operators' demands ends up on."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lcsiting import rules, schema
from lcsiting.geo import crs
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Project


def consolidation_m(project: Project, x_m: NDArray[Any], y_m: NDArray[Any]) -> NDArray[np.float64]:
    """How far a demand may be served from, by the morphology it stands in (``rules/morphology.toml``)."""
    table = rules.load("morphology", project.root / "rules")
    by_code = np.array([table[key]["consolidation_m"] for key in derive.morphology_ids(project.root)])
    if project.clutter is None:
        return np.full(len(x_m), by_code[-1])
    return by_code[derive.morphology_codes(raster.sample(project.clutter, x_m, y_m, fill=0), project.root)]


def _nearest(
    points: NDArray[np.float64], stations: pd.DataFrame, limit_m: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Station (position) that serves each point first: earliest phase, then nearest; -1 if none is in reach."""
    found, distance = np.full(len(points), -1), np.full(len(points), np.nan)
    if not len(stations) or not len(points):
        return found, distance
    xy = stations[["x_m", "y_m"]].to_numpy(float)
    years = stations["phase_year"].to_numpy()
    for k, near in enumerate(cKDTree(xy).query_ball_point(points, limit_m)):
        if near:
            d = np.hypot(*(xy[near] - points[k]).T)
            best = np.lexsort((near, d, years[near]))[0]
            found[k], distance[k] = near[best], d[best]
    return found, distance


def _fate(year: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.object_]:
    """Of demands that are met in ``year`` (0: on air)."""
    late = (year > wanted) & ~np.isnan(wanted)
    return np.where(year == 0, "met_on_air", np.where(late, "met_late", "met")).astype(object)


def demand_fates(project: Project, stations: gpd.GeoDataFrame) -> pd.DataFrame:
    """The fate of every demand: met by which station, in which phase, how far away, or not at all.

    A demand is met by a chosen station of its operator's network within the
    consolidation distance; demands near each other thereby share one place. One that asks for a band (an id of
    ``rules/bands``) is met by a station of that band; where only others are in reach it says so (``met_other_band``).

    Parameters
    ----------
    project : Project
        Its ``demands`` layer; may be empty.
    stations : GeoDataFrame
        ``Plan.stations``.

    Returns
    -------
    DataFrame
        Schema table ``demands``, in the order of the layer; every demand keeps its id.
    """
    layer = project.layers["demands"]
    x_m, y_m = layer.geometry.x.to_numpy(float), layer.geometry.y.to_numpy(float)
    limit_m = consolidation_m(project, x_m, y_m)
    wanted = pd.to_numeric(layer["year"]).to_numpy(float)
    out = pd.DataFrame({key: layer[key].to_numpy() for key in ("demand_id", "operator", "band", "priority", "year")})
    out = out.assign(
        fate="no_network", station_id="", place_id="", phase_year=np.nan, distance_m=np.nan, limit_m=limit_m
    )
    asked = layer["band"].astype(object).fillna("").astype(str).str.strip().str.lower().to_numpy(object)
    asked = np.where(np.isin(asked, list(rules.load("bands", project.root / "rules"))), asked, "")
    for network in project.config.networks:
        rows = np.flatnonzero(layer["operator"].isin(network.operators))
        mine = stations[stations["network"] == network.name].reset_index(drop=True)
        points = np.column_stack([x_m, y_m])[rows]
        found, distance = _nearest(points, mine, limit_m[rows])
        for band in sorted(set(asked[rows]) - {""}):  # its own band first, however late or far
            own, same = np.flatnonzero(asked[rows] == band), np.flatnonzero(mine["band"] == band)
            near, away = _nearest(points[own], mine.iloc[same], limit_m[rows][own])
            there = near >= 0
            found[own[there]], distance[own[there]] = same[near[there]], away[there]
        out.loc[rows, "fate"] = "unmet"
        hit, at = rows[found >= 0], found[found >= 0]
        years = mine["phase_year"].to_numpy(float)[at]
        other = (asked[hit] != "") & (asked[hit] != mine.get("band", pd.Series("", mine.index)).to_numpy(object)[at])
        out.loc[hit, "fate"] = np.where(other, "met_other_band", _fate(years, wanted[hit]))
        out.loc[hit, "station_id"] = mine["station_id"].to_numpy(object)[at]
        out.loc[hit, "place_id"] = mine["place_id"].to_numpy(object)[at]
        out.loc[hit, "phase_year"] = years
        out.loc[hit, "distance_m"] = np.round(distance[found >= 0], 1)
    lon, lat = crs.transform(x_m, y_m, project.config.project.crs, crs.GEOGRAPHIC)
    kinds = {"float": "float64", "str": "object"}
    columns = schema.table("demands").columns
    table = out.assign(lon=lon, lat=lat, band=out["band"].astype(object).where(out["band"].notna(), ""))[list(columns)]
    return table.astype({name: kinds[column.dtype] for name, column in columns.items()})
