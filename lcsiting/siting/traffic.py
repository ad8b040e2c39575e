"""Busy-hour traffic: the load of every station, which are full, and demand for more where they are."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.config import Service
from lcsiting.coverage.antennas import station_antennas
from lcsiting.errors import LayerError
from lcsiting.model import Cover, Plan, Project
from lcsiting.siting import _explain, cellmap
from lcsiting.siting.plan_tables import _typed

Floats = NDArray[np.float64]
ADDED = ("capacity", "carried")


@dataclass(frozen=True)
class Load:
    """Busy-hour load of a plan.

    Attributes
    ----------
    stations : DataFrame
        Schema table ``station_load``, in the order of the plan.
    items : int64 (n_stations,)
        Their positions in the cover, in the modes chosen.
    offered_mbps : float64 (n_networks, n_cells)
        Traffic of each cell.
    excess_mbps : float64 (n_networks, n_cells)
        The part of it that full stations cannot carry.
    unserved_mbps : float
        Traffic of cells that no station of its network serves.
    """

    stations: pd.DataFrame
    items: NDArray[np.int64]
    offered_mbps: Floats
    excess_mbps: Floats
    unserved_mbps: float


def cell_traffic(project: Project, cover: Cover) -> Floats | None:
    """Busy-hour traffic of each network in each demand cell, (n_networks, n_cells); None without the layer.

    A row counts in the cells under its shape, evenly; without a network it is split evenly among all.

    Raises
    ------
    LayerError
        A row names a network the project lacks.
    """
    layer = project.layers.get("traffic")
    if layer is None or not len(layer):
        return None
    layer = layer.reset_index(drop=True)
    named = layer["network"].astype(object).where(layer["network"].notna(), "").astype(str)
    strange = sorted(set(named) - {"", *cover.networks})
    if strange:
        raise LayerError(
            f"traffic: unknown networks {', '.join(strange)}; the project has {', '.join(cover.networks)}. "
            "Correct the names, or leave the column empty to split the traffic evenly."
        )
    row, cell = cellmap.shape_cells(project, cover.cells, layer.geometry)
    each = layer["traffic_mbps"].to_numpy(float)[row] / np.bincount(row, minlength=len(layer))[row]
    out = np.zeros((len(cover.networks), len(cover.cells)))
    for k, network in enumerate(cover.networks):
        share = np.where(named == network, 1.0, np.where(named == "", 1.0 / len(cover.networks), 0.0))
        out[k] = np.bincount(cell, weights=each * share[row], minlength=len(cover.cells))
    return out


def usable_mbps(project: Project, station_rows: Any) -> Floats:
    """What each station may carry in the busy hour (``rules/capacity``), Mbit/s.

    sectors x bandwidth x downlink share x spectral efficiency x highest utilisation.

    Parameters
    ----------
    project : Project
    station_rows : array of int
        Rows of ``project.stations``.
    """
    bands, table = rules.load("bands", project.root / "rules"), rules.load("capacity", project.root / "rules")
    stations = project.stations.iloc[station_rows]
    count = np.diff(station_antennas(project, station_rows).first)
    out = []
    for band, micro, sectors in zip(stations["band"], stations["micro"], count, strict=True):
        row = bands[band]
        efficiency = table["micro" if micro else row["antenna"]]["efficiency_bps_hz"]
        out.append(sectors * row["bandwidth_mhz"] * row["tdd_downlink_share"] * efficiency)
    return np.array(out, float) * table["max_utilisation"]["value"]


def _on_rows(cover: Cover, by_cell: Floats) -> Floats:
    """A (network, cell) value on the rows of the first service, zero on the others."""
    out = np.zeros((len(cover.networks), len(cover.services), len(cover.cells)))
    out[:, 0] = by_cell
    return out.reshape(-1)


def station_load(project: Project, cover: Cover, plan: Plan) -> Load | None:
    """Busy-hour load of every station at the end of the plan.

    The traffic of a cell is shared evenly by the stations of its network that serve it outdoors (the
    first service).

    Parameters
    ----------
    project, cover, plan : Project, Cover, Plan
        The plan and the cover it was made from.

    Returns
    -------
    Load or None
        None when the project has no layer ``traffic``.
    """
    offered = cell_traffic(project, cover)
    if offered is None:
        return None
    order = cellmap.plan_order(cover, plan)
    serving = np.zeros(len(cover.row_weight), np.int32)
    _explain.first_servers(cover.indptr, cover.indices, order, np.full(len(serving), -1, np.int32), serving)
    rows = _on_rows(cover, offered)
    share = np.divide(rows, serving, out=np.zeros_like(rows), where=serving > 0)
    load = np.array([share[cover.indices[cover.indptr[i] : cover.indptr[i + 1]]].sum() for i in order])
    usable = usable_mbps(project, cover.station_rows[order])
    over = np.maximum(load - usable, 0.0)
    part = np.divide(over, load, out=np.zeros_like(load), where=load > 0)
    excess = np.zeros(len(rows))
    for i, p in zip(order[part > 0], part[part > 0], strict=True):
        mine = cover.indices[cover.indptr[i] : cover.indptr[i + 1]]
        excess[mine] += share[mine] * p
    shape = (len(cover.networks), len(cover.services), len(cover.cells))
    table = pd.DataFrame(plan.stations.drop(columns="geometry", errors="ignore")).assign(
        load_mbps=load, capacity_mbps=usable, utilisation_share=load / usable, full=over > 0, excess_mbps=over
    )
    unserved = float(rows[serving == 0].sum())
    return Load(_typed(table, "station_load"), order, offered, excess.reshape(shape)[:, 0].copy(), unserved)


def _home_cells(project: Project, cover: Cover, items: Any) -> NDArray[np.int64]:
    """The demand cell nearest to each station's place among those it serves."""
    points = project.places.geometry.iloc[project.stations["place"].to_numpy()[cover.station_rows[items]]]
    x, y, n = cover.cells["x_m"].to_numpy(), cover.cells["y_m"].to_numpy(), len(cover.cells)
    out = []
    for item, point in zip(items, points, strict=True):
        cells = cover.indices[cover.indptr[item] : cover.indptr[item + 1]] % n
        out.append(cells[np.argmin(np.hypot(x[cells] - point.x, y[cells] - point.y))])
    return np.array(out, np.int64)


def with_rows(cover: Cover, items: Any, bands: Any, cells: Any, weight: NDArray[np.int64]) -> Cover:
    """A cover with the two added services behind its own.

    Parameters
    ----------
    cover : Cover
        Without them.
    items, bands, cells : int (k,)
        Who covers which cell of which added service; its number is 2 * network, + 1 for the second one.
    weight : int64 (n_networks, 2, n_cells)
        Of the added rows.
    """
    n, services, networks = len(cover.cells), len(cover.services), len(cover.networks)
    network, rest = np.divmod(cover.indices.astype(np.int64), services * n)
    owner = np.repeat(np.arange(len(cover.station_ids)), np.diff(cover.indptr))
    more = (bands // 2 * (services + 2) + services + bands % 2) * n + cells
    items = np.concatenate([owner, items])
    every = np.concatenate([network * (services + 2) * n + rest, more])
    order = np.lexsort((every, items))
    old = cover.row_weight.reshape(networks, services, n)
    return dataclasses.replace(
        cover,
        indptr=np.concatenate([[0], np.cumsum(np.bincount(items, minlength=len(cover.station_ids)))]).astype(np.int64),
        indices=every[order].astype(np.int32),
        row_weight=np.concatenate([old, weight], axis=1).reshape(-1),
        services=(*cover.services, *ADDED),
    )


def added_rows(cover: Cover) -> dict[str, NDArray[np.int64]] | None:
    """What :func:`with_rows` was given to make a cover, weights as places and values; None if nothing was added."""
    if cover.services[-2:] != ADDED:
        return None
    n, services = len(cover.cells), len(cover.services)
    service = cover.indices // n % services
    mine = service >= services - 2
    owner = np.repeat(np.arange(len(cover.station_ids)), np.diff(cover.indptr))[mine]
    bands = 2 * (cover.indices[mine] // (services * n)) + service[mine] - (services - 2)
    weight = cover.row_weight.reshape(len(cover.networks), services, n)[:, -2:].reshape(-1)
    there = np.flatnonzero(weight)
    parts = {"items": owner, "bands": bands, "cells": cover.indices[mine] % n, "rows": there, "weight": weight[there]}
    return {name: values.astype(np.int64) for name, values in parts.items()}


def with_added_rows(cover: Cover, added: dict[str, NDArray[np.int64]]) -> Cover:
    """A cover with what :func:`added_rows` read off one."""
    weight = np.zeros(2 * len(cover.networks) * len(cover.cells), np.int64)
    weight[added["rows"]] = added["weight"]
    shape = (len(cover.networks), 2, len(cover.cells))
    return with_rows(cover, added["items"], added["bands"], added["cells"], weight.reshape(shape))


def with_capacity_demand(project: Project, cover: Cover, load: Load) -> tuple[Project, Cover]:
    """A project and cover with demand where stations are full.

    Two services are added, weighed in people (traffic times the city's people over its traffic):
    ``capacity`` is the excess in each cell, covered by every station that is not full and serves the
    cell outdoors; ``carried`` is what a full station carries, in the cell it stands in, covered by it
    alone (in the mode the plan has it in). Ranking again therefore keeps the full stations and puts others beside them.

    Parameters
    ----------
    project, cover : Project, Cover
        As they were ranked.
    load : Load
        Of that plan.

    Returns
    -------
    tuple of (Project, Cover)
        For :func:`lcsiting.rank`; the project differs only in its list of services.
    """
    first, n, services, networks = project.config.services[0], len(cover.cells), len(cover.services), cover.networks
    unit = rules.load("ranking", project.root / "rules")["weight_unit"]["value"]
    per_mbps = float(cover.cells["people"].sum()) / max(float(load.offered_mbps.sum()), 1e-9) / unit
    busy, full = load.stations[load.stations["full"]], load.items[load.stations["full"].to_numpy(bool)]
    home = _home_cells(project, cover, full)
    network_of = project.stations["network_index"].to_numpy(np.int64)[cover.station_rows[full]]
    excess, carried = np.rint(load.excess_mbps * per_mbps), np.zeros((len(networks), n))
    np.add.at(carried, (network_of, home), np.rint((busy["load_mbps"] - busy["excess_mbps"]) * per_mbps))
    added = np.stack([excess, carried], axis=1).astype(np.int64)
    item = np.repeat(np.arange(len(cover.station_ids)), np.diff(cover.indptr))
    itself = np.isin(cover.station_rows, cover.station_rows[full])  # another mode of a full station is no relief
    network, cell = cover.indices // (services * n), cover.indices % n
    relief = (cover.indices // n % services == 0) & ~itself[item] & (excess[network, cell] > 0)
    wider = with_rows(
        cover,
        np.concatenate([item[relief], full]),
        np.concatenate([2 * network[relief], 2 * network_of + 1]),
        np.concatenate([cell[relief], home]),
        added,
    )
    level = {key: getattr(first, key) for key in ("rsrp_dbm", "reliability_pct", "reliability_of")}
    more = [Service(name=name, weight=1.0, **level) for name in ADDED]
    config = project.config.model_copy(update={"services": [*project.config.services, *more]})
    return dataclasses.replace(project, config=config), wider
