"""Protected stations and base stations set out around one point, for cases worked by hand."""

import dataclasses
import math

import geopandas as gpd
import pandas as pd
from shapely import Point

from lcsiting import schema
from lcsiting.geo import crs as coordinates

LIAOCHENG = (115.98, 36.456)


def with_protected(project, *rows, lon_lat=LIAOCHENG):
    """The project with these protected stations, complete records unless a field is set to None."""
    x_m, y_m = coordinates.transform(*lon_lat, "EPSG:4490", project.config.project.crs)
    full = {
        "name": "示例地球站", "class": "es_rx", "rx_low_mhz": 3700, "rx_high_mhz": 4200, "height_agl_m": 5.0,
        "diameter_m": 3.7, "gain_dbi": 41.0, "satellite_lon_deg": 115.5, "antenna_pattern": "s465",
        "noise_temperature_k": 100.0,
        "lnb_type": "wide", "filter_rejection_db": 0.0, "shielding_db": 0.0, "licensed_since": "2015-01-01",
        "geometry": Point(float(x_m), float(y_m)),
    }  # fmt: skip
    records = [{"station_id": f"ES{k}", **full, **row} for k, row in enumerate(rows)]
    frame = pd.DataFrame(records, columns=[*schema.layer("protected_stations").columns, "geometry"])
    layer = gpd.GeoDataFrame(frame, geometry="geometry", crs=project.config.project.crs)
    return dataclasses.replace(project, layers={**project.layers, "protected_stations": layer})


def with_stations(project, rows):
    """The project with stations at ``(east_m, north_m)`` of the protected station, n78 at 5 m unless said.

    Each has one sector, aimed at the protected station, on open land, unless ``azimuths_deg`` or ``morphology`` say
    otherwise.
    """
    origin = project.layers["protected_stations"].geometry.iloc[0]
    full = {
        "network": "电联", "network_index": 1, "band": "n78", "frequency_mhz": 3500.0, "height_agl_m": 5.0,
        "micro": False, "on_air": False, "on_air_year": 0, "azimuths_deg": None, "morphology": "rural",
    }  # fmt: skip
    stations = pd.DataFrame([{**full, "station_id": f"S{k}", "place": k, **row} for k, row in enumerate(rows)])
    where = [row["at"] for row in rows]
    points = gpd.points_from_xy([origin.x + x for x, _ in where], [origin.y + y for _, y in where])
    aimed = [f"{math.degrees(math.atan2(-x, -y)) % 360:.6f}" for x, y in where]
    places = gpd.GeoDataFrame(
        {
            "place_id": [f"P{k}" for k in range(len(rows))],
            "azimuths_deg": [
                own if isinstance(own, str) else aim for own, aim in zip(stations["azimuths_deg"], aimed, strict=True)
            ],
            "morphology": stations["morphology"],
        },
        geometry=points,
        crs=project.places.crs,
    )
    stations = stations.drop(columns=["azimuths_deg", "morphology"])
    return dataclasses.replace(project, places=places, stations=stations)


def open_land(project):
    """The project without terrain and clutter: level, bare land."""
    return dataclasses.replace(project, dem=None, clutter=None)
