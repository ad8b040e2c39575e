"""A cover made by hand over the tiny city: discs, no radio."""

import numpy as np
import pandas as pd
import pytest

from lcsiting import rules, schema
from lcsiting.inputs import derive
from lcsiting.model import Cover

REACH_M = {"outdoor": 1300.0, "indoor": 700.0}


def disc_cover(project, station_rows, factor=1.0) -> Cover:
    """Every station serves the cells within a fixed distance."""
    cells = derive.demand_cells(project)
    services = tuple(service.name for service in project.config.services)
    x, y, n = cells["x_m"].to_numpy(), cells["y_m"].to_numpy(), len(cells)
    stations, parts = project.stations.iloc[station_rows], []
    for row in stations.itertuples():
        point = project.places.geometry[row.place]
        away = np.hypot(x - point.x, y - point.y)
        parts.append(
            np.concatenate(
                [
                    np.flatnonzero(away <= factor * REACH_M[service]) + (row.network_index * len(services) + s) * n
                    for s, service in enumerate(services)
                ]
            ).astype(np.int32)
        )
    table = rules.load("ranking")
    value = cells["people"].to_numpy() + table["area_weight_per_km2"]["value"] * cells["area_km2"].to_numpy()
    weight = [np.rint(service.weight * value * 100).astype(np.int64) for service in project.config.services]
    return Cover(
        station_ids=stations["station_id"].to_numpy(object),
        station_rows=np.asarray(station_rows, np.int32),
        indptr=np.concatenate([[0], np.cumsum([len(p) for p in parts])]).astype(np.int64),
        indices=np.concatenate([np.empty(0, np.int32), *parts]),
        row_weight=np.concatenate(weight * len(project.config.networks)),
        networks=tuple(network.name for network in project.config.networks),
        services=services,
        cells=cells,
    )


@pytest.fixture(scope="session")
def verdicts(tiny_project):
    """The first two stations next to an earth station, one of them only outside its bands."""
    ids = tiny_project.stations["station_id"]
    rows = [(ids[0], "ES1", "coordinate", False), (ids[0], "ES2", "clear", True), (ids[1], "ES1", "outside", True)]
    frame = pd.DataFrame(rows, columns=["station_id", "protected_id", "verdict", "verified"])
    return frame.reindex(columns=list(schema.table("verdicts").columns))


@pytest.fixture(scope="session")
def eligible(tiny_project):
    """Everything passes one rule; the last two stations fail two, in this order."""
    ids = tiny_project.stations["station_id"]
    rows = [(station, "farmland", True, "") for station in ids[:-2]]
    for station in ids[-2:]:
        rows += [(station, "farmland", False, "位于示例图斑1内"), (station, "road_setback", False, "距公路太近")]
    frame = pd.DataFrame(rows, columns=["station_id", "rule", "passed", "reason"])
    return frame.reindex(columns=list(schema.table("eligible").columns))


@pytest.fixture(scope="session")
def cover(tiny_project):
    return disc_cover(tiny_project, np.arange(len(tiny_project.stations) - 2))


@pytest.fixture(scope="session")
def wide_cover(tiny_project):
    """Discs so wide that a few stations cover everything."""
    return disc_cover(tiny_project, np.arange(len(tiny_project.stations) - 2), factor=5.0)


@pytest.fixture(scope="session")
def no_cover(tiny_project):
    """Demand without a single station."""
    return disc_cover(tiny_project, np.array([], dtype=np.int32))
