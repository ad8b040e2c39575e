"""Rule distances around the protected stations as polygons, for maps and files."""

from typing import Any

import geopandas as gpd
import numpy as np

from lcsiting.coordination import overload
from lcsiting.coordination.interference import MECHANISMS
from lcsiting.coordination.paths import Transmitters, transmitters
from lcsiting.coordination.profile import RuleTables, load_tables, overlaps_mhz, profile_row
from lcsiting.coordination.protected import overload_terms, read_protected, toward_gain_dbi
from lcsiting.model import Project

SEGMENTS_PER_QUARTER = 32


def rule_rings(project: Project) -> gpd.GeoDataFrame:
    """One disc per protected station and mechanism that the project's own bands can cause.

    Parameters
    ----------
    project : Project
        As for :func:`lcsiting.coordination.interference.coordinate`.

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
    x_m, y_m = [row[0].x_m for row in rows], [row[0].y_m for row in rows]
    # A true distance is longer in the plane by the scale of the projection.
    plane_m = np.array([row[2] * row[0].scale for row in rows], dtype=float)
    points = gpd.GeoSeries(gpd.points_from_xy(x_m, y_m), crs=project.config.project.crs)
    return gpd.GeoDataFrame(data, geometry=points.buffer(plane_m, quad_segs=SEGMENTS_PER_QUARTER))


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
