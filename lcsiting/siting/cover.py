"""Which station serves which demand: the sparse cover the ranking works on."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting import rules
from lcsiting.coverage import pairs, sectors, terrain
from lcsiting.errors import LayerError, LcsitingError
from lcsiting.inputs import derive
from lcsiting.model import Cover, Project
from lcsiting.siting import cellmap
from lcsiting.siting.indoor import indoor_demand_taken


def candidate_rows(project: Project, eligible: pd.DataFrame) -> NDArray[np.int32]:
    """Rows of ``Project.stations`` that may be ranked: on air, or failed by no rule."""
    failed = set(eligible.loc[~eligible["passed"].astype(bool), "station_id"])
    stations = project.stations
    usable = stations["on_air"].to_numpy(bool) | ~stations["station_id"].isin(failed).to_numpy()
    return np.flatnonzero(usable).astype(np.int32)


def row_weights(project: Project, cells: pd.DataFrame) -> NDArray[np.int64]:
    """Quantised weight of every demand row: service weight x (people + area term).

    Indoor services leave out what buildings with indoor systems of their own take (layer
    ``buildings``, ``siting.indoor``).

    Parameters
    ----------
    project : Project
        Services and networks; ``rules/ranking`` gives area weight and unit.
    cells : DataFrame
        people, area_km2 of each demand cell.

    Returns
    -------
    ndarray of int64, (n_networks * n_services * n_cells,)
        In ``weight_unit`` people; row ``(network * n_services + service) * n_cells + cell``.
    """
    table = rules.load("ranking", project.root / "rules")
    area_weight, unit = table["area_weight_per_km2"]["value"], table["weight_unit"]["value"]
    value = cells["people"].to_numpy(float) + area_weight * cells["area_km2"].to_numpy(float)
    people, area_km2 = indoor_demand_taken(project, cells)
    left = value - (people + area_weight * area_km2)
    one = [
        np.rint(service.weight * (left if service.indoor else value) / unit).astype(np.int64)
        for service in project.config.services
    ]
    return np.tile(np.concatenate(one), len(project.config.networks))


def cover(project: Project, eligible: pd.DataFrame, *, threads: int | None = None) -> Cover:
    """Build the cover of the eligible stations over the demand cells.

    A station serves a cell for a service when the mean RSRP of its best sector, by its path-loss model
    (its network's, or that of its place's morphology), reaches the service's threshold plus shadow margin
    and, indoors, penetration (``coverage.sectors.thresholds_dbm``).

    Parameters
    ----------
    project : Project
        An opened project.
    eligible : DataFrame
        Schema table ``eligible``; a station that failed a rule is left out unless it is on air.
    threads : int, optional
        All cores if omitted; the result does not depend on it.

    Returns
    -------
    Cover
        Items in the order of ``Project.stations``.

    Raises
    ------
    LayerError
        No demand cell lies in the city.
    LcsitingError
        More pairs than ``[demand] max_pairs``; nothing has been built yet.
    """
    cells = derive.demand_cells(project)
    if cells.empty:
        raise LayerError(
            "boundaries: no demand cell has its centre in the city. Check the CRS of the boundaries, "
            "or lower [demand] resolution_m."
        )
    station_rows = candidate_rows(project, eligible)
    indptr, indices = cover_rows(project, station_rows, cells, threads=threads)
    return Cover(
        station_ids=project.stations["station_id"].to_numpy(object)[station_rows],
        station_rows=station_rows,
        indptr=indptr,
        indices=indices,
        row_weight=row_weights(project, cells),
        networks=tuple(network.name for network in project.config.networks),
        services=tuple(service.name for service in project.config.services),
        cells=cells,
    )


def cover_rows(
    project: Project, station_rows: ArrayLike, cells: pd.DataFrame, *, threads: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The demand rows some stations serve, with the antennas ``Project.stations`` sets them.

    Parameters
    ----------
    project : Project
        See :func:`lcsiting.coverage.antennas.with_settings` for a station in another mode.
    station_rows : array_like of int (n,)
        Positions in ``project.stations``, in any order, repeats allowed.
    cells : DataFrame
        ``Cover.cells`` (:func:`lcsiting.inputs.derive.demand_cells`), or some of its rows in their order.
    threads : int, optional
        All cores if omitted; the result does not depend on it.

    Returns
    -------
    indptr : int64 (n + 1,)
    indices : int32 (pairs,)
        Rows ``(network * n_services + service) * len(cells) + cell``, ascending within a station.

    Raises
    ------
    LcsitingError
        More pairs than ``[demand] max_pairs``; nothing has been built yet.
    """
    config = project.config
    sites = sectors.build_sectors(project, station_rows)
    grid = derive.demand_grid(project)
    raster = pairs.demand_raster(
        cells["row"], cells["col"], cells["morphology"],
        rows=grid.rows, cols=grid.cols, x0_m=grid.x0_m, y0_m=grid.y0_m, resolution_m=grid.resolution_m,
    )  # fmt: skip
    thresholds = sectors.thresholds_dbm(project, sites)
    ground = None if sites.terrain is None else terrain.project_terrain(project)
    windows = terrain.station_windows(sites, ground, grid, threads=threads)
    counts = pairs.count_pairs(sites, raster, thresholds, windows=windows, threads=threads)
    total = int(counts.sum())
    if total > config.demand.max_pairs:
        raise LcsitingError(
            f"cover: {len(sites)} stations on {len(cells)} demand cells make {total:,} pairs, more than "
            f"[demand] max_pairs = {config.demand.max_pairs:,}. Raise [demand] resolution_m (twice the size makes "
            f"about a quarter of the pairs), raise max_pairs (4 bytes a pair), or screen out more places."
        )
    return pairs.fill_pairs(
        sites, raster, thresholds, counts, networks=len(config.networks), windows=windows, threads=threads
    )


def demand_coverage(matrix: Cover, station_ids: Collection[str], modes: Collection[str] | None = None) -> pd.DataFrame:
    """What some stations cover, counted on the demand cells.

    Parameters
    ----------
    matrix : Cover
        The cover.
    station_ids : collection of str
        Stations on air.
    modes : collection of str, optional
        Mode of each (empty: as planned).

    Returns
    -------
    DataFrame
        network, service, people_share, area_share; one row per network x service.
    """
    covered = np.zeros(len(matrix.row_weight), dtype=bool)
    items = cellmap.positions(matrix, list(station_ids), modes)
    for item in items[items >= 0]:
        covered[matrix.indices[matrix.indptr[item] : matrix.indptr[item + 1]]] = True
    by_row = covered.reshape(len(matrix.networks), len(matrix.services), -1)
    people, area = matrix.cells["people"].to_numpy(float), matrix.cells["area_km2"].to_numpy(float)
    rows = [
        (network, service, by_row[n, s] @ people / max(people.sum(), 1e-9), by_row[n, s] @ area / max(area.sum(), 1e-9))
        for n, network in enumerate(matrix.networks)
        for s, service in enumerate(matrix.services)
    ]
    return pd.DataFrame(rows, columns=["network", "service", "people_share", "area_share"])
