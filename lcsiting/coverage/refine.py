"""Tilts and azimuths of chosen stations, refined by coordinate search on the real coverage.

A station changes no pixel beyond its reach, so a trial is computed by the coverage's own kernels in a window of
whole tiles around it, with all stations that reach in: the pixels are those of the whole city. People are
counted in integers, so the gains of the windows add up to the gain of the whole, which is computed anew at the end.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import schema
from lcsiting.coverage.block import NetworkJob, network_job
from lcsiting.coverage.coverage import network_bands, on_air_rows, predict_coverage
from lcsiting.coverage.refine_window import Ground, station_window, trial_counts, weighed, whole_counts, window_counts
from lcsiting.coverage.second_order import quality_rules, station_quality, worst_stations
from lcsiting.coverage.sectors import Sectors, radio_values
from lcsiting.errors import LayerError, RangeError
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Coverage, Plan, Project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PEOPLE_STEP, WEIGHT_STEP = 2.0**-20, 2.0**-10  # people and service weights as integers: sums are exact


class Refinement(NamedTuple):
    """What the search found, schema tables and figures.

    ``changes`` and ``services`` are schema tables ``refined_sectors`` and ``refined_services``; ``gain`` the
    added weight with good SINR (people x service weight, summed over networks); ``stations`` those looked at.
    """

    changes: pd.DataFrame
    gain: float
    services: pd.DataFrame
    stations: list[str]


class _Limits(NamedTuple):
    tilt_steps: tuple[float, ...]
    azimuth_steps: tuple[float, ...]
    turn_max_deg: float
    tilt_deg: tuple[float, float]


def _options(name: str, value: float, recorded: float, limits: _Limits) -> list[float]:
    """Values of a coordinate one step away and within the limits, in a fixed order."""
    steps = limits.tilt_steps if name == "tilt_deg" else limits.azimuth_steps
    moved = [value + sign * step for step in steps for sign in (-1.0, 1.0)]
    if name == "tilt_deg":  # a recorded tilt outside the limits may come back, never go further
        low, high = min(limits.tilt_deg[0], recorded), max(limits.tilt_deg[1], recorded)
        return [v for v in moved if low <= v <= high]
    return [v % 360.0 for v in moved if abs((v - recorded + 180.0) % 360.0 - 180.0) <= limits.turn_max_deg]


def _refine_station(
    job: NetworkJob, band: int, station: int, recorded: Sectors, limits: _Limits, ground: Ground
) -> dict[int, int]:
    """One pass over a station's sectors; the job's arrays take what is accepted. Gain by sector of the band."""
    sectors = job.bands[band].sectors
    gains: dict[int, int] = {}
    mine = range(sectors.first[station], sectors.first[station + 1])
    turnable = [m for m in mine if np.isfinite(sectors.horizontal_beamwidth_deg[m])]
    window = station_window(job, band, station, ground) if turnable else None
    if window is None:
        return {}
    shift = int(window.sectors.first[window.own]) - int(sectors.first[station])
    cover, good = weighed(window_counts(window.pictures, window.people, ground.floor_db), ground)
    for m in turnable:
        for name in ("tilt_deg", "azimuth_deg"):
            values = getattr(window.sectors, name)
            best = (good, cover, values[m + shift])
            for option in _options(name, float(best[2]), float(getattr(recorded, name)[m]), limits):
                values[m + shift] = option
                new_cover, new_good = weighed(trial_counts(job, job.bands[band], window, ground), ground)
                if new_good > best[0] and new_cover >= cover:
                    best = (new_good, new_cover, option)
            values[m + shift] = best[2]
            getattr(sectors, name)[m] = best[2]
            if best[0] > good:
                gains[m] = gains.get(m, 0) + best[0] - good
            good, cover = best[0], best[1]
    return gains


def _ground(project: Project, floor_db: float, threads: int | None) -> Ground:
    boundaries, grid = project.layers["boundaries"], project.grid
    labels, _ = derive.area_labels(boundaries, derive.city_levels(boundaries), grid)
    shape = (grid.rows, grid.cols)
    people, rural = np.zeros(shape, np.int64), derive.morphology_ids(project.root).index("rural")
    if project.population is not None:
        people = np.rint(np.asarray(raster.pixels(project.population), np.float64) / PEOPLE_STEP).astype(np.int64)
    morphology = np.full(shape, rural, dtype=np.int8)
    if project.clutter is not None:
        morphology = derive.morphology_codes(raster.pixels(project.clutter), project.root)
    weights = np.array([max(round(s.weight / WEIGHT_STEP), 1) for s in project.config.services], np.int64)
    return Ground(np.where(labels > 0, people, 0), morphology, weights, floor_db, threads)


def _limits(project: Project, values: dict[str, Any], steps_deg: "Mapping[str, Sequence[float]] | None") -> _Limits:
    steps = {"tilt": values["tilt_steps_deg"], "azimuth": values["azimuth_steps_deg"], **(steps_deg or {})}
    if set(steps) != {"tilt", "azimuth"} or any(not 0 < s <= 90 for one in steps.values() for s in one):
        raise RangeError(f"refine: steps_deg {steps_deg!r}; give 'tilt' and 'azimuth', steps above 0 and at most 90")
    radio = radio_values(project)
    tilt = (radio["tilt_min_deg"], radio["tilt_max_deg"])
    return _Limits(tuple(steps["tilt"]), tuple(steps["azimuth"]), float(values["azimuth_turn_max_deg"]), tilt)


def _jobs(project: Project, rows: NDArray[np.int64]) -> list[NetworkJob]:
    network_of = project.stations["network_index"].to_numpy()[rows]
    jobs: list[NetworkJob] = []
    number, terrain = 0, None
    for k, network in enumerate(project.config.networks):
        mine = rows[network_of == k]
        job = network_job(project, network.name, mine, network_bands(project, mine), number, terrain)
        number, terrain = number + job.sector_count, job.terrain
        jobs.append(job)
    return jobs


def _movable(job: NetworkJob) -> NetworkJob:
    """The job with azimuths and tilts of its own, to be changed in place."""
    bands = []
    for band in job.bands:
        moved = replace(
            band.sectors, azimuth_deg=band.sectors.azimuth_deg.copy(), tilt_deg=band.sectors.tilt_deg.copy()
        )
        bands.append(replace(band, sectors=moved))
    return replace(job, bands=tuple(bands))


def refine(
    project: Project,
    plan: Plan | None,
    year: int,
    *,
    station_ids: "Sequence[str] | None" = None,
    count: int = 20,
    coverage: Coverage | None = None,
    steps_deg: "Mapping[str, Sequence[float]] | None" = None,
    threads: int | None = None,
) -> Refinement:
    """Better tilts and azimuths for a few stations of the network on air in a year.

    The objective is, summed over networks and services, service weight x people who have the service *and* a
    SINR of at least ``sinr_floor_db``. Sector by sector, first the tilt and then the azimuth takes the best of
    a few steps, if the objective rises strictly and the weight covered at any SINR does not fall; so neither is
    ever worse (a single service may give way to another of more weight). Both are computed anew over the
    whole city at the end; should rounding ever make a network worse there, it keeps its recorded antennas.
    A micro's omnidirectional sector is left alone.

    Cost: a station takes about ``sweeps x sectors x (tilt + azimuth steps) x 2`` coverages (48 with the shipped
    rules and three sectors) of the whole tiles (128 x 128 pixels) within its reach, and the whole city twice;
    terrain models also compute the losses of all stations in the window once per sweep, which then dominates.
    About half a second a station on two cores at 50 m with formulas: for tens to hundreds of stations, not for all.

    Parameters
    ----------
    project : Project
    plan : Plan or None
        None for today's network.
    year : int
        As for ``predict_coverage``.
    station_ids : sequence of str, optional
        Stations to refine, in this order; if omitted the ``count`` worst by :func:`station_quality`.
    count : int
        How many if ``station_ids`` is omitted.
    coverage : Coverage, optional
        Of this plan and year, for choosing the worst; predicted if omitted.
    steps_deg : mapping, optional
        ``{"tilt": [...], "azimuth": [...]}`` in place of those of ``rules/second_order``; an empty list
        leaves the coordinate alone.
    threads : int, optional
        All cores if omitted; the result does not depend on it.

    Returns
    -------
    Refinement
        Nothing of the project is changed: coordination verdicts and the siting cover rest on the recorded
        antennas until the changes are entered in the layers and both are computed again.

    Raises
    ------
    LayerError
        A station is not on air in that year.
    RangeError
        Steps out of range.
    """
    values = quality_rules(project.root)
    limits, ground = _limits(project, values, steps_deg), _ground(project, float(values["sinr_floor_db"]), threads)
    rows = on_air_rows(project, plan, year)
    if station_ids is None:
        seen = coverage if coverage is not None else predict_coverage(project, plan, year, threads=threads)
        station_ids = worst_stations(station_quality(project, plan, seen), count)
    wanted = list(dict.fromkeys(station_ids))
    recorded = _jobs(project, rows)
    at = _positions(project, recorded)
    missing = [name for name in wanted if name not in at]
    if missing:
        raise LayerError(
            f"refine: {len(missing)} stations are not on air in {year} ({', '.join(missing[:5])}). Take them from "
            "the plan's stations of that year or earlier."
        )
    moved = [_movable(job) for job in recorded]
    gains: dict[tuple[int, int, int, int], int] = {}
    for _ in range(int(values["sweeps"])):
        better = 0
        for name in wanted:
            k, b, i = at[name]
            for m, gain in _refine_station(moved[k], b, i, recorded[k].bands[b].sectors, limits, ground).items():
                gains[k, b, i, m] = gains.get((k, b, i, m), 0) + gain
                better += gain
        if not better:
            break
    return _outcome(project, recorded, moved, gains, ground, wanted)


def _positions(project: Project, jobs: list[NetworkJob]) -> dict[str, tuple[int, int, int]]:
    """Network, band and position in the band of every station."""
    names = project.stations["station_id"].to_numpy(object)
    return {
        names[row]: (k, b, i)
        for k, job in enumerate(jobs)
        for b, band in enumerate(job.bands)
        for i, row in enumerate(band.sectors.station_rows)
    }


def _outcome(
    project: Project,
    recorded: list[NetworkJob],
    moved: list[NetworkJob],
    gains: dict[tuple[int, int, int, int], int],
    ground: Ground,
    wanted: list[str],
) -> Refinement:
    """Both states over the whole city, and the tables."""
    rows, unit, total = [], PEOPLE_STEP * WEIGHT_STEP, 0
    touched = {key[0] for key in gains}
    for k, job in enumerate(recorded):
        before = whole_counts(job, ground)
        after = whole_counts(moved[k], ground) if k in touched else before
        (cover, good), (new_cover, new_good) = weighed(before, ground), weighed(after, ground)
        if new_good < good or new_cover < cover:
            gains = {key: gain for key, gain in gains.items() if key[0] != k}
            after, new_good = before, good
        total += new_good - good
        for s, service in enumerate(job.services):
            people = [float(n) * PEOPLE_STEP for n in (before[s, 0], after[s, 0], before[s, 1], after[s, 1])]
            rows.append([job.network, service, *people])
    services = pd.DataFrame(rows, columns=list(schema.table("refined_services").columns))
    return Refinement(_changes(project, recorded, moved, gains, unit), total * unit, services, wanted)


def _changes(
    project: Project, recorded: list[NetworkJob], moved: list[NetworkJob], gains: dict[Any, int], unit: float
) -> pd.DataFrame:
    rows, names = [], project.stations["station_id"].to_numpy(object)
    for (k, b, i, m), gain in sorted(gains.items()):
        old, new = recorded[k].bands[b].sectors, moved[k].bands[b].sectors
        if old.azimuth_deg[m] == new.azimuth_deg[m] and old.tilt_deg[m] == new.tilt_deg[m]:
            continue  # a later sweep brought it back
        rows.append(
            {
                "station_id": names[old.station_rows[i]],
                "network": recorded[k].network,
                "band": recorded[k].bands[b].name,
                "sector": m - int(old.first[i]) + 1,
                "azimuth_before_deg": old.azimuth_deg[m],
                "azimuth_deg": new.azimuth_deg[m],
                "tilt_before_deg": old.tilt_deg[m],
                "tilt_deg": new.tilt_deg[m],
                "gain_weight": gain * unit,
            }
        )
    return pd.DataFrame(rows, columns=list(schema.table("refined_sectors").columns))
