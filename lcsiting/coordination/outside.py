"""Base stations on air beyond the city border: they load the budgets, and nobody here decides on them.

The layer ``neighbours`` holds their places as the layer ``existing`` holds the city's own. They are no stations of the
plan: no verdicts, no letters, no modes; what they bring is counted with what is on air.
"""

from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import schema
from lcsiting.coordination import paths, physics
from lcsiting.coordination.profile import RuleTables
from lcsiting.inputs import derive
from lcsiting.model import Project
from lcsiting.radio.terrain import Terrain

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outside:
    """What base stations beyond the border bring to each protected station.

    Attributes
    ----------
    average_mw, envelope_mw : float64 (n_protected, 4)
        Sum over them by ``measures.COMPONENTS``, mW/MHz and mW, as the protected station is equipped today; the
        envelope with the strongest beams at full power.
    """

    average_mw: Floats
    envelope_mw: Floats


def beyond_border(project: Project) -> Project | None:
    """The project with the on-air base stations of the layer ``neighbours`` in place of its own; None without any."""
    layer = project.layers.get("neighbours")
    if layer is None or layer.empty or project.clutter is None:
        return None
    columns = [*schema.layer("existing").columns, "geometry"]
    existing = gpd.GeoDataFrame(layer.reindex(columns=columns), geometry="geometry", crs=layer.crs)
    layers = {**project.layers, "existing": existing, "candidates": project.layers["candidates"].iloc[:0]}
    places = derive.derive_places(project.config, project.root, layers, project.clutter, project.grid)
    stations = derive.derive_stations(project.config, project.root, places)
    there = stations[stations["on_air"].astype(bool)].reset_index(drop=True)
    return replace(project, places=places, stations=there) if len(there) else None


def outside_mw(
    project: Project, protected: pd.DataFrame, land: Terrain, tables: RuleTables, *, threads: int = 1
) -> Outside:
    """What the base stations of the layer ``neighbours`` bring, in reach of each protected station.

    Parameters
    ----------
    project, protected, land, tables
        As for :func:`physics.pairs_of`.
    threads : int
        The answer does not depend on it.
    """
    beyond, out = beyond_border(project), Outside(*np.zeros((2, len(protected), 4)))
    if beyond is None:
        return out
    tx = paths.transmitters(beyond, tables)
    pairs, levels = physics.pairs_of(tx, protected, land, tables, threads=threads)
    co = pairs.co
    for sums, density, power in (
        (out.average_mw, levels.average_mw, levels.overload_mw),
        (out.envelope_mw, levels.envelope_mw, levels.overload_envelope_mw),
    ):
        parts = np.stack([density * co, density * ~co, power * co, power * ~co], axis=-1)
        np.add.at(sums, pairs.protected, parts)
    return out
