"""Coverage of an area of any size, block by block, straight into tiled GeoTIFFs.

A block is a band of rows of all networks. Workers (threads or processes here, processes of a ``dask.distributed``
cluster anywhere) run one function, :func:`stream_block`, which leaves its pixels in files and returns counts, never
arrays; the caller appends the bands in order. Areas are drawn, and terrain, clutter and population of a project
opened with ``rasters="disk"`` read, a band at a time. So memory is that of a few blocks whatever the area, and the
pixels are those of :func:`lcsiting.coverage.coverage.predict_coverage`.

Other processes read the job and its rasters from files, too: a cluster needs a folder that all its workers see.
"""

import os
import pickle
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting.coverage import layerops, statistics
from lcsiting.coverage.block import Block, NetworkJob, compute_block
from lcsiting.coverage.coverage import (
    RADIO_NODATA,
    flag_counts,
    job_flags,
    morphology_of_class,
    network_jobs,
    on_air_rows,
    sector_table,
)
from lcsiting.errors import RangeError
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Grid, Plan, Project, Raster

PIXELS_PER_BLOCK = 2_000_000  # about 100 MB of arrays a worker
DECIBEL_SCALE, DECIBEL_NODATA = 0.01, -32768
LAYER_TYPES = {"rsrp_dbm": "float32", "sinr_db": "float32", "best_sector": "int32", "overlap": "uint8"}


@dataclass(frozen=True)
class StreamJob:
    """All a worker needs, whichever block it is given.

    Attributes
    ----------
    networks : tuple of NetworkJob
        On one grid, with the same services.
    areas : GeoDataFrame
        Areas that make up the city or province, in order; pixels outside are blank.
    clutter, population : Raster or None
        In memory or on disk, on the networks' grid; a file is read band by band.
    morphology_of : int8 (256,)
        Order code of each clutter class; of all pixels without clutter, that of class 0.
    compact : bool
        Decibels as int16 hundredths instead of float32.
    """

    networks: tuple[NetworkJob, ...]
    areas: gpd.GeoDataFrame
    clutter: Raster | None
    population: Raster | None
    morphology_of: NDArray[np.int8]
    compact: bool = False

    @property
    def grid(self) -> Grid:
        """The networks' common frame."""
        return self.networks[0].grid


class BlockResult(NamedTuple):
    """What a worker returns: the files of its band and its share of every count."""

    rows: tuple[int, int]
    parts: dict[tuple[str, str], Path]
    pixels: NDArray[np.int64]
    people: NDArray[np.float64]
    flags: dict[str, dict[str, int]]


def stream_job(project: Project, plan: Plan | None, year: int, *, compact: bool = False) -> StreamJob:
    """The job of a project's coverage in a year (:func:`lcsiting.coverage.coverage.on_air_rows`)."""
    active = on_air_rows(project, plan, year)
    jobs = network_jobs(project, active)
    boundaries = project.layers["boundaries"]
    areas = boundaries[boundaries["level"].isin(derive.city_levels(boundaries))].reset_index(drop=True)
    lookup = morphology_of_class(project)
    return StreamJob(tuple(jobs), areas, project.clutter, project.population, lookup, compact)


def blocks(grid: Grid, pixels: int = PIXELS_PER_BLOCK) -> list[tuple[int, int]]:
    """Bands of rows of at most about ``pixels`` pixels, each beginning at a multiple of the tile height."""
    return raster.row_bands(grid, pixels)


def _band(source: Raster | None, frame: Grid, dtype: Any) -> NDArray[Any]:
    if source is None:
        return np.zeros((frame.rows, frame.cols), dtype=dtype)
    part = raster.window(source, raster.bounds(frame))
    if (part.grid.rows, part.grid.cols) != (frame.rows, frame.cols):
        raise RangeError("streaming: clutter and population must lie on the working grid")
    return np.ascontiguousarray(part.array, dtype=dtype)


def _hundredths(array: NDArray[np.float32]) -> NDArray[np.int16]:
    finite = np.isfinite(array)
    return np.where(finite, np.rint(np.where(finite, array, 0.0) / DECIBEL_SCALE), DECIBEL_NODATA).astype(np.int16)


def _layers(job: StreamJob, network: NetworkJob, block: Block) -> dict[str, NDArray[Any]]:
    out: dict[str, NDArray[Any]] = {**block.layers._asdict(), **block.services}
    if network.has_flags:
        out["model_flags"] = block.flags
    if job.compact:
        out |= {name: _hundredths(out[name]) for name in ("rsrp_dbm", "sinr_db")}
    return out


def stream_block(job: StreamJob, rows: tuple[int, int], folder: str | Path) -> BlockResult:
    """Compute one band of rows and leave its layers in files.

    Parameters
    ----------
    job : StreamJob
    rows : tuple of int
        One of :func:`blocks`.
    folder : path
        Where the band's files go.

    Returns
    -------
    BlockResult
        ``pixels``, ``people`` by area and flag (``coverage.statistics.service_bits``; the last column: all).
    """
    folder, frame = Path(folder), raster.rows_of(job.grid, *rows)
    labels = raster.rasterize(job.areas.geometry, range(1, len(job.areas) + 1), frame, "int32")
    inside = labels > 0
    morphology = job.morphology_of[_band(job.clutter, frame, np.uint8)]
    served: dict[str, dict[str, NDArray[np.uint8]]] = {}
    parts: dict[tuple[str, str], Path] = {}
    flags: dict[str, dict[str, int]] = {}
    for k, network in enumerate(job.networks):
        name = network.network
        served[name], flags[name] = _one_network(job, k, rows, morphology, inside, folder, parts)
    bits = statistics.service_bits(served)
    del served, morphology
    people = _band(job.population, frame, np.float32)
    count = (len(job.networks) + 1) * len(job.networks[0].services)
    pixels, total = layerops.tally(labels, inside, bits, people, len(job.areas), count)
    return BlockResult(rows, parts, pixels, total, flags)


def _one_network(
    job: StreamJob, k: int, rows: tuple[int, int], morphology: Any, inside: Any, folder: Path, parts: Any
) -> tuple[dict[str, NDArray[np.uint8]], dict[str, int]]:
    """Services and flag counts of a network in a band, its layers left in files: nothing else of it stays."""
    network = job.networks[k]
    block = compute_block(network, rows, morphology, threads=1)
    counts = flag_counts(block, inside)
    layerops.blank_outside(inside, *block.layers)
    for service in block.services.values():
        service[~inside] = layerops.OUTSIDE
    for name, array in _layers(job, network, block).items():
        path = folder / f"{k}-{name}-{rows[0]}.npy"
        np.save(path, array)
        parts[network.network, name] = path
    return block.services, counts


def _left_on_disk(job: StreamJob, folder: Path) -> StreamJob:
    """The job with every raster in a file: what lies in memory is written into the folder."""
    written: dict[int, Raster] = {}

    def left(source: Raster | None) -> Raster | None:
        if source is None or source.array is None:
            return source
        if id(source) not in written:
            path = raster.write_raster(folder / f"raster-{len(written)}.tif", source)
            written[id(source)] = replace(source, array=None, path=path)
        return written[id(source)]

    def grounded(network: NetworkJob) -> NetworkJob:
        terrain = network.terrain
        if terrain is None:
            return network
        files = {name: left(getattr(terrain, name)) for name in ("ground", "clutter", "zones")}
        return replace(network, terrain=replace(terrain, **files))

    networks = tuple(grounded(network) for network in job.networks)
    return replace(job, networks=networks, clutter=left(job.clutter), population=left(job.population))


@lru_cache(maxsize=1)
def _job_of(path: Path) -> StreamJob:
    return pickle.loads(path.read_bytes())


def _block_of_file(path: Path, rows: tuple[int, int], folder: Path) -> BlockResult:
    """:func:`stream_block` in another process, which reads the job once."""
    with raster.bounded_cache():
        return stream_block(_job_of(path), rows, folder)


def _results(
    job: StreamJob, bands: list[tuple[int, int]], folder: Path, executor: Any, threads: int | None
) -> Iterator[BlockResult]:
    """Block results in order, never more under way than workers plus one."""
    if executor == "serial":
        yield from (stream_block(job, rows, folder) for rows in bands)
        return
    with ExitStack() as stack:
        workers = threads or os.cpu_count() or 1
        if executor == "threads":
            pool: Any = stack.enter_context(ThreadPoolExecutor(workers))
            work, given = stream_block, job
        else:  # processes: of a concurrent.futures.Executor or a dask.distributed.Client
            pool, work, given = executor, _block_of_file, folder / "job.pickle"
            given.write_bytes(pickle.dumps(_left_on_disk(job, folder)))
            if hasattr(executor, "nthreads"):
                workers = sum(executor.nthreads().values()) or 1
        waiting: deque[Any] = deque()
        for rows in bands:
            waiting.append(pool.submit(work, given, rows, folder))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _type_and_nodata(job: StreamJob, name: str) -> tuple[str, float | None, float]:
    if job.compact and name in ("rsrp_dbm", "sinr_db"):
        return "int16", DECIBEL_NODATA, DECIBEL_SCALE
    if name in RADIO_NODATA:
        return LAYER_TYPES[name], RADIO_NODATA[name], 1.0
    return "uint8", None if name == "model_flags" else float(layerops.OUTSIDE), 1.0


def stream(
    job: StreamJob,
    folder: str | Path,
    *,
    executor: Any = "threads",
    threads: int | None = None,
    pixels_per_block: int = PIXELS_PER_BLOCK,
) -> tuple[dict[str, dict[str, Raster]], pd.DataFrame, dict[str, dict[str, int]]]:
    """Compute and write every layer of every network.

    Parameters
    ----------
    job : StreamJob
    folder : path
        ``<folder>/<network>/<layer>.tif``; each appears when complete.
    executor : "threads", "serial", concurrent.futures.Executor or distributed.Client
        Who runs :func:`stream_block`. Pixels are the same.
    threads : int, optional
        Threads of this machine, or blocks under way in an executor's processes; all cores if omitted.
    pixels_per_block : int
        Smaller blocks take less memory and a little more time.

    Returns
    -------
    layers : dict of dict of Raster
        On disk, as in ``Coverage.layers``.
    counts : DataFrame
        area (position in ``job.areas``), network ("all": any), service, km2, covered_km2, people, covered_people.
    flags : dict of dict of int
        As ``Coverage.flags``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".part-", dir=folder)).resolve()  # workers may stand elsewhere
    paths = {
        (network.network, name): folder / _safe(network.network) / f"{name}.tif"
        for network in job.networks
        for name in [*RADIO_NODATA, *network.services, *(["model_flags"] if network.has_flags else [])]
    }
    pixels: Any = 0
    people: Any = 0.0
    flags = {network.network: job_flags(network) for network in job.networks}
    try:
        with ExitStack() as stack:
            stack.enter_context(raster.bounded_cache())
            writers: dict[tuple[str, str], Callable[[int, NDArray[Any]], None]] = {}
            for (network, name), path in paths.items():
                dtype, nodata, scale = _type_and_nodata(job, name)
                target = raster.stream_raster(path, job.grid, dtype, nodata=nodata, scale=scale, description=name)
                writers[network, name] = stack.enter_context(target)
            for result in _results(job, blocks(job.grid, pixels_per_block), scratch, executor, threads):
                for key, part in result.parts.items():
                    writers[key](result.rows[0], np.load(part))
                    part.unlink()
                pixels, people = pixels + result.pixels, people + result.people
                for network, counts in result.flags.items():
                    for key, number in counts.items():
                        flags[network][key] = flags[network].get(key, 0) + number
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    layers: dict[str, dict[str, Raster]] = {}
    for (network, name), path in paths.items():
        layers.setdefault(network, {})[name] = Raster(job.grid, path=path, nodata=_type_and_nodata(job, name)[1])
    return layers, _counts(job, pixels, people), flags


def _safe(name: str) -> str:
    return "".join("_" if c in '\\/:*?"<>|' or c.isspace() else c for c in name).strip(".") or "network"


def _counts(job: StreamJob, pixels: NDArray[np.int64], people: NDArray[np.float64]) -> pd.DataFrame:
    km2 = (job.grid.resolution_m / 1000.0) ** 2
    names = [*(network.network for network in job.networks), statistics.ANY_NETWORK]
    rows = []
    for area in range(len(job.areas)):
        flag = 0
        for network in names:
            for service in job.networks[0].services:
                size, everyone = pixels[area, -1] * km2, people[area, -1]
                served = pixels[area, flag] * km2, people[area, flag]
                rows.append((area, network, service, size, served[0], everyone, served[1]))
                flag += 1
    columns = ["area", "network", "service", "km2", "covered_km2", "people", "covered_people"]
    return pd.DataFrame(rows, columns=columns)


def stream_coverage(
    project: Project, plan: Plan | None, year: int, folder: str | Path, *, compact: bool = False, **options: Any
) -> tuple[dict[str, dict[str, Raster]], pd.DataFrame, pd.DataFrame, dict[str, dict[str, int]]]:
    """Coverage of a year as files, for areas too large for :func:`lcsiting.coverage.coverage.predict_coverage`.

    Memory does not grow with the area if the project was opened with ``rasters="disk"``.

    Parameters
    ----------
    project, plan, year
        As for ``predict_coverage``.
    folder : path
        Where the GeoTIFFs go.
    compact : bool
        Decibels as int16 hundredths: half the size, rounded to 0.01 dB.
    **options
        ``executor``, ``threads``, ``pixels_per_block`` of :func:`stream`.

    Returns
    -------
    layers, counts : dict of dict of Raster, DataFrame
        As :func:`stream`.
    sectors : DataFrame
        What ``best_sector`` numbers.
    flags : dict of dict of int
        As ``Coverage.flags``: pixels and stations that a model answered beyond its own range.
    """
    job = stream_job(project, plan, year, compact=compact)
    layers, counts, flags = stream(job, folder, **options)
    return layers, counts, sector_table(project, job.networks), flags
