"""Areas around the protected stations as polygons, for maps and files: rule distances, and the separation needed.

The rule rings are discs. A separation zone is what the physics asks of one reference base station (a row of the
profile) on the terrain: outside it that station alone would stay within the summed criterion on the pair's own path.
"""

import os
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import Polygon

from lcsiting.coordination import overload, paths
from lcsiting.coordination.criteria import criterion
from lcsiting.coordination.interference import MECHANISMS
from lcsiting.coordination.paths import Transmitters, transmitters
from lcsiting.coordination.profile import RuleTables, clutter_model, load_tables, overlaps_mhz, profile_row
from lcsiting.coordination.protected import overload_terms, read_protected, toward_gain_dbi
from lcsiting.errors import LayerError
from lcsiting.geo import geodesic
from lcsiting.model import Project
from lcsiting.radio import p452_contour

VERTICES = 128  # of a disc
RADIALS = 360
ZONE_COLUMNS = ("protected_id", "protected_name", "mechanism", "nearest_m", "farthest_m", "clutter", "verified")
# What stands in for the land's clutter. P.2108 belongs to an end at a place: where the transmitter might stand is open.
CLUTTER = {"path": "path_clutter", "p2108": "no_p2108", "none": "no_clutter"}


def rule_rings(project: Project) -> gpd.GeoDataFrame:
    """One disc per protected station and mechanism that the project's own bands can cause.

    Parameters
    ----------
    project : Project
        As for :func:`lcsiting.coordination.coordinate.coordinate`.

    Returns
    -------
    GeoDataFrame
        protected_id, protected_name, mechanism, radius_m, verified, geometry (Polygon, working CRS),
        largest disc of a station first so that a map draws the smaller on top. ``co_channel`` and
        ``adjacent`` are the profile's distances. ``overload`` is the free-space distance of the
        strongest base station against the block as equipped, with the gain at the antenna's own
        azimuth on the horizon (the worst direction), at most the horizon of the highest base station.
    """
    tables = load_tables(project.config.coordination.profile, project.root / "rules")
    protected = read_protected(project, tables)
    tx = transmitters(project, tables)
    rows = []
    for record in protected.itertuples(index=False):
        co = overlaps_mhz(tx.tx_low_mhz, tx.tx_high_mhz, record.rx_low_mhz, record.rx_high_mhz)
        wanted = {
            "co_channel": ("radius_co_channel", co.any(), record.known_co_channel),
            "adjacent": (record.adjacent, (~co).any(), record.known_adjacent),
        }
        for mechanism, (key, present, known) in wanted.items():
            rule = profile_row(tables, key, "value_m")
            if present:
                rows.append((record, mechanism, float(rule["value_m"]), bool(rule["verified"] and known)))
        if record.earth_station and len(tx.row):
            rows.append((record, "overload", *_overload_radius(record, tx, co, tables)))
    rows.sort(key=lambda row: (row[0].protected_id, -row[2], MECHANISMS.index(row[1])))
    data = {
        "protected_id": [record.protected_id for record, *_ in rows],
        "protected_name": [record.protected_name for record, *_ in rows],
        "mechanism": [row[1] for row in rows],
        "radius_m": [row[2] for row in rows],
        "verified": np.array([row[3] for row in rows], dtype=bool),
    }
    crs, bearings = project.config.project.crs, np.arange(VERTICES) * 360.0 / VERTICES
    discs = [_area(crs, record, bearings, np.full(VERTICES, radius)) for record, _, radius, _ in rows]
    return gpd.GeoDataFrame(data, geometry=gpd.GeoSeries(discs, crs=crs))


def _area(crs: str, record: Any, bearings_deg: Any, reach_m: Any) -> Polygon:
    """The polygon at geodesic distances from a protected station."""
    plane = geodesic.local_plane(crs, record.x_m, record.y_m, max(float(reach_m.max()), 1.0))
    return Polygon(geodesic.circle(plane, record.x_m, record.y_m, bearings_deg, reach_m))


def _overload_radius(record: Any, tx: Transmitters, co_channel: Any, tables: RuleTables) -> tuple[float, bool]:
    """Largest free-space overload distance over the base stations, and whether it rests on verified rows."""
    limit, attenuation, known = overload_terms(record, co_channel, tables)
    efficiency = float(tables.defaults["antenna_efficiency"]["value"])
    radius = np.zeros(len(tx.row))
    for frequency in np.unique(tx.frequency_mhz):
        at = tx.frequency_mhz == frequency
        gain = float(toward_gain_dbi(record, record.azimuth_deg, 0.0, float(frequency), efficiency))
        radius[at] = overload.overload_distance_m(tx.eirp_dbm[at], gain, limit[at], frequency, attenuation[at])
    radius = np.minimum(radius, overload.radio_horizon_m(tx.height_agl_m, record.height_agl_m))
    worst = int(np.argmax(radius))
    return float(radius[worst]), bool(known[worst] and tx.verified[worst])


def separation_zones(
    project: Project, *, radials: int = RADIALS, threads: int | None = None, only: list[str] | None = None
) -> gpd.GeoDataFrame:
    """The separation each protected station needs from the profile's reference base station, on the terrain.

    Parameters
    ----------
    project : Project
        As for :func:`lcsiting.coordination.coordinate.coordinate`; ``dem`` and ``clutter`` give the paths.
    radials : int
        Directions searched; 4 or more.
    threads : int, optional
        As many as there are processors by default; the answer does not depend on it.
    only : list of str, optional
        Some protected stations, by protected_id.

    Returns
    -------
    GeoDataFrame
        Schema table ``zones`` with polygons in the working CRS, one row per protected station and mechanism that the
        project's own bands can cause, the largest of a station first. ``co_channel`` and ``adjacent`` are P.452 at the
        criterion's time percentage (nearest frequency received), ``overload`` free space in line of sight and P.452
        beyond, against the block as equipped. ``farthest_m`` never exceeds the reach of the profile. ``clutter`` says
        what of it counts: with ``path_loss.clutter = "p2108"`` the pairs count P.2108 at an end below its clutter and
        the zones do not, so they are the larger ones.
    """
    tables = load_tables(project.config.coordination.profile, project.root / "rules")
    protected = read_protected(project, tables)
    tx = transmitters(project, tables)
    land = paths.read_land(project)
    crs, bearings = project.config.project.crs, np.arange(radials) * 360.0 / radials
    clutter = CLUTTER[clutter_model(tables)]
    rows, shapes = [], []
    for record in protected.itertuples(index=False):
        if only is not None and record.protected_id not in only:
            continue
        for mechanism, case in _cases(record, tx, tables, bearings).items():
            reach = p452_contour.separation_m(
                land, record.x_m, record.y_m, bearings_deg=bearings, rx_height_agl_m=record.height_agl_m,
                latitude_deg=record.lat_deg, threads=threads or os.cpu_count() or 1,
                plane=geodesic.local_plane(crs, record.x_m, record.y_m, case["reach_m"]),
                **_path_terms(tables), **{key: value for key, value in case.items() if key != "verified"},
            )  # fmt: skip
            _require_known(record, mechanism, reach)
            shapes.append(_area(crs, record, bearings, reach))
            rows.append(
                (
                    record.protected_id, record.protected_name, mechanism, reach.min(), reach.max(), clutter,
                    case["verified"],
                )
            )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(ZONE_COLUMNS)).astype(
        {"nearest_m": float, "farthest_m": float, "verified": bool}
    )
    zones = gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(shapes, crs=crs))
    order = zones.assign(at=zones["mechanism"].map(MECHANISMS.index))
    order = order.sort_values(["protected_id", "farthest_m", "at"], ascending=[True, False, True], kind="stable")
    return order.drop(columns="at").reset_index(drop=True)


def _require_known(record: Any, mechanism: str, reach_m: Any) -> None:
    unknown = int(np.isnan(reach_m).sum())
    if unknown:
        raise LayerError(
            f"protected_stations: {record.protected_id} {mechanism}: no separation in {unknown} of {len(reach_m)} "
            "directions, a height on the way or the loss needed is unknown. Check dem, clutter and the station's row."
        )


def _path_terms(tables: RuleTables) -> dict[str, Any]:
    """What the ``path_loss`` and ``reference_station`` rows say of every path."""
    row = profile_row(tables, "path_loss", "delta_n")
    return {
        "tx_height_agl_m": float(profile_row(tables, "reference_station", "height_agl_m")["height_agl_m"]),
        "delta_n": float(row["delta_n"]),
        "n0": float(row["n0"]),
        "polarization": str(row["polarization"]),
        "step_m": float(row["step_m"]),
        "path_clutter": clutter_model(tables) == "path",
    }


def _cases(record: Any, tx: Transmitters, tables: RuleTables, bearings_deg: Any) -> dict[str, dict[str, Any]]:
    """Loss needed on each bearing, frequency, time percentage and reach of every mechanism of a protected station."""
    reference = profile_row(tables, "reference_station", "power_dbm_per_mhz")
    efficiency = float(tables.defaults["antenna_efficiency"]["value"])
    co = overlaps_mhz(tx.tx_low_mhz, tx.tx_high_mhz, record.rx_low_mhz, record.rx_high_mhz)
    received = paths.received_mhz(record.rx_low_mhz, record.rx_high_mhz, tx.frequency_mhz, co)
    toward = float(reference["gain_dbi"])
    levels = {
        "co_channel": (co, received, float(reference["power_dbm_per_mhz"]) + toward, record.known_co_channel),
        "adjacent": (~co, received, float(reference["unwanted_dbm_per_mhz"]) + toward, record.known_adjacent),
    }
    out: dict[str, dict[str, Any]] = {}

    def gain(frequency_mhz: float) -> Any:
        return toward_gain_dbi(record, bearings_deg, np.zeros(len(bearings_deg)), frequency_mhz, efficiency)

    for mechanism, (mine, frequencies, power, known) in levels.items():
        if mine.any():
            limit, frequency = criterion(tables, record, mechanism), float(frequencies[mine].min())
            out[mechanism] = {
                "needed_db": power + gain(frequency) - record.shielding_db - limit.limit_dbm,
                "frequency_mhz": frequency,
                "time_pct": limit.time_pct,
                "reach_m": float(profile_row(tables, f"reach_{mechanism}", "value_m")["value_m"]),
                "verified": bool(limit.verified and known and reference["verified"]),
            }
    if record.earth_station and len(tx.row):
        limit_dbm, attenuation, known = overload_terms(record, co, tables)
        worst = int(np.argmin(limit_dbm + attenuation))
        frequency = float(tx.frequency_mhz[worst])
        power = float(reference["total_eirp_dbm"])
        out["overload"] = {
            "needed_db": power + gain(frequency) - float((limit_dbm + attenuation)[worst]),
            "frequency_mhz": frequency,
            "time_pct": float(profile_row(tables, "path_loss", "overload_time_pct")["overload_time_pct"]),
            "reach_m": float(profile_row(tables, "reach_adjacent", "value_m")["value_m"]),
            "free_in_sight": True,
            "verified": bool(known[worst] and reference["verified"]),
        }
    return out
