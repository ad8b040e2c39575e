"""Tilts and azimuths of chosen stations, refined by coordinate search on the real coverage.

A station changes no pixel beyond its reach, so a trial is computed by the coverage's own kernels in a window of
whole tiles around it, with all stations that reach in: the pixels are those of the whole city. People are
counted in integers, so the gains of the windows add up to the gain of the whole, which is computed anew at the end.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from lcsiting import schema
from lcsiting.coverage.antennas import station_antennas
from lcsiting.coverage.block import NetworkJob
from lcsiting.coverage.coverage import city_pixels, morphology_pixels, network_jobs, on_air_rows, predict_coverage
from lcsiting.coverage.refine_window import (
    Counts,
    Ground,
    View,
    good_weight,
    keeps_cover,
    station_window,
    whole_counts,
    window_counts,
)
from lcsiting.coverage.second_order import quality_rules, station_quality, worst_stations
from lcsiting.coverage.sectors import radio_values
from lcsiting.coverage.statistics import PEOPLE_STEP
from lcsiting.errors import LayerError, RangeError
from lcsiting.geo import grid as raster
from lcsiting.model import Coverage, Plan, Project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WEIGHT_STEP = 2.0**-10  # people (statistics.PEOPLE_STEP) and service weights as integers: sums are exact
Angles = tuple[float, ...]


class Guard(Protocol):
    """What else a better setting must not harm; asked before one is taken, told when it is.

    A protocol, with no code of its own: the cover and the budgets a caller may guard with lie in rooms above this one.
    """

    def allows(self, station_row: int, azimuths_deg: Angles, tilts_deg: Angles) -> bool:
        """Whether the station (row of ``Project.stations``) may have these settings, all others as taken so far."""

    def take(self) -> None:
        """What was allowed last is so from now on."""


class Refinement(NamedTuple):
    """What the search found, schema tables and figures.

    ``changes`` and ``services`` are schema tables ``refined_sectors`` and ``refined_services``; ``gain`` the
    added weight with good SINR (people x service weight, summed over networks); ``stations`` those looked at;
    ``settings`` azimuths and total tilts of each changed station by its row in ``Project.stations``, for
    :func:`lcsiting.coverage.antennas.with_settings`.
    """

    changes: pd.DataFrame
    gain: float
    services: pd.DataFrame
    stations: list[str]
    settings: dict[int, tuple[Angles, Angles]]


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


class _Search(NamedTuple):
    """Networks of every year, the year refined for first: as recorded, as moved, and where each station stands.

    ``recorded`` and ``settings``: azimuths and total tilts of a station by name; the latter change.
    """

    before: list[list[NetworkJob]]
    moved: list[list[NetworkJob]]
    positions: list[dict[str, tuple[int, int, int]]]
    recorded: dict[str, tuple[Angles, Angles]]
    settings: dict[str, tuple[Angles, Angles]]
    rows: dict[str, int]


def _views(search: _Search, name: str, ground: Ground) -> list[View]:
    out = []
    for jobs, at in zip(search.moved, search.positions, strict=True):
        if name not in at:
            continue
        k, band, station = at[name]
        window = station_window(jobs[k], band, station, ground)
        if window is None:
            return []
        out.append(View(jobs[k], band, station, window))
    return out


def _with(settings: tuple[Angles, Angles], name: str, sector: int, value: float) -> tuple[Angles, Angles]:
    parts = [list(one) for one in settings]
    parts[name == "tilt_deg"][sector] = value
    return tuple(parts[0]), tuple(parts[1])


def _refine_station(search: _Search, name: str, limits: _Limits, ground: Ground, guard: Guard | None) -> dict[int, int]:
    """One pass over a station's sectors; what is accepted is kept in the jobs. Gain by sector of the station."""
    k, band, station = search.positions[0][name]
    sectors = search.moved[0][k].bands[band].sectors
    mine = np.arange(sectors.first[station], sectors.first[station + 1])
    turnable = np.flatnonzero(np.isfinite(sectors.horizontal_beamwidth_deg[mine]))
    views = _views(search, name, ground) if len(turnable) else []
    if not views:
        return {}
    electrical = np.zeros(len(mine)) if sectors.electrical_tilt_deg is None else sectors.electrical_tilt_deg[mine]
    counts = [window_counts(view.window.pictures, view.window.people, ground.floor_db) for view in views]
    gains: dict[int, int] = {}
    for sector in turnable.tolist():
        for coordinate in ("tilt_deg", "azimuth_deg"):
            which, less = int(coordinate == "tilt_deg"), electrical[sector] if coordinate == "tilt_deg" else 0.0
            now, recorded = search.settings[name][which][sector], search.recorded[name][which][sector]
            best, gain = now, 0
            kept = counts
            for option in _options(coordinate, now, recorded, limits):
                for view in views:
                    view.set(coordinate, sector, _set_to(coordinate, option, less))
                trial = _with(search.settings[name], coordinate, sector, option)
                found = _better(views, counts, gain, ground, guard, search.rows[name], trial)
                if found is not None:
                    best, kept = option, found
                    gain = good_weight(kept[0], ground) - good_weight(counts[0], ground)
            for view in views:
                view.set(coordinate, sector, _set_to(coordinate, best, less), keep=True)
            counts = kept
            if gain:
                search.settings[name] = _with(search.settings[name], coordinate, sector, best)
                gains[sector] = gains.get(sector, 0) + gain
                if guard is not None:
                    guard.take()
    return gains


def _set_to(coordinate: str, value: float, electrical: float) -> float:
    """What a sector is set to: of a total tilt, the part its pattern file leaves."""
    return max(value - electrical, 0.0) if coordinate == "tilt_deg" and electrical else value


def _better(
    views: list[View],
    before: list[Counts],
    gain: int,
    ground: Ground,
    guard: Guard | None,
    row: int,
    trial: tuple[Angles, Angles],
) -> list[Counts] | None:
    """Counts of every year, if the first gains more than ``gain``, none loses cover, and the guard allows it."""
    after = [views[0].counts(ground)]
    if good_weight(after[0], ground) - good_weight(before[0], ground) <= gain or not keeps_cover(after[0], before[0]):
        return None
    for view, old in zip(views[1:], before[1:], strict=True):
        after.append(view.counts(ground))
        if not keeps_cover(after[-1], old):
            return None
    return after if guard is None or guard.allows(row, *trial) else None


def _ground(project: Project, floor_db: float, threads: int | None) -> Ground:
    people = np.zeros((project.grid.rows, project.grid.cols), np.int64)
    if project.population is not None:
        people = np.rint(np.asarray(raster.pixels(project.population), np.float64) / PEOPLE_STEP).astype(np.int64)
    weights = np.array([max(round(s.weight / WEIGHT_STEP), 1) for s in project.config.services], np.int64)
    inside = city_pixels(project)
    return Ground(np.where(inside, people, -1), morphology_pixels(project), weights, floor_db, threads)


def _limits(project: Project, values: dict[str, Any], steps_deg: "Mapping[str, Sequence[float]] | None") -> _Limits:
    steps = {"tilt": values["tilt_steps_deg"], "azimuth": values["azimuth_steps_deg"], **(steps_deg or {})}
    if set(steps) != {"tilt", "azimuth"} or any(not 0 < s <= 90 for one in steps.values() for s in one):
        raise RangeError(f"refine: steps_deg {steps_deg!r}; give 'tilt' and 'azimuth', steps above 0 and at most 90")
    radio = radio_values(project)
    tilt = (radio["tilt_min_deg"], radio["tilt_max_deg"])
    return _Limits(tuple(steps["tilt"]), tuple(steps["azimuth"]), float(values["azimuth_turn_max_deg"]), tilt)


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
    keep_years: "Sequence[int]" = (),
    guard: Guard | None = None,
    coverage: Coverage | None = None,
    steps_deg: "Mapping[str, Sequence[float]] | None" = None,
    threads: int | None = None,
) -> Refinement:
    """Better tilts and azimuths for a few stations of the network on air in a year.

    The objective is, summed over networks and services, service weight x people who have the service *and* a
    SINR of at least ``refine_sinr_db`` (``rules/second_order``). Sector by sector, first the tilt and then the
    azimuth takes the best of a few steps, if the objective rises strictly and no service covers fewer people or
    less area, in this year and in every one of ``keep_years``; so no coverage is ever worse. All is computed anew
    over the whole city at the end; should rounding ever make a network worse there, it keeps its recorded antennas.
    A micro's omnidirectional sector is left alone.

    Cost: a station takes about ``sweeps x sectors x (tilt + azimuth steps) x 2`` coverages (48 with the shipped
    rules and three sectors) of the whole tiles (128 x 128 pixels) within its reach, and the whole city twice per
    year; terrain models also compute the losses of all stations in the window once per sweep, which then dominates.
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
    keep_years : sequence of int, optional
        Other years in whose network no service may lose coverage by a change.
    guard : Guard, optional
        Judges every setting that would be taken, e.g. by the budgets of protected stations.
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
        antennas until ``settings`` are given to it and both are computed again.

    Raises
    ------
    LayerError
        A station is not on air in that year.
    RangeError
        Steps out of range.
    """
    values = quality_rules(project.root)
    limits, ground = _limits(project, values, steps_deg), _ground(project, float(values["refine_sinr_db"]), threads)
    if station_ids is None:
        seen = coverage if coverage is not None else predict_coverage(project, plan, year, threads=threads)
        station_ids = worst_stations(station_quality(project, plan, seen), count)
    wanted = list(dict.fromkeys(station_ids))
    years = [year, *dict.fromkeys(other for other in keep_years if other != year)]
    search = _search(project, plan, years)
    missing = [name for name in wanted if name not in search.positions[0]]
    if missing:
        raise LayerError(
            f"refine: {len(missing)} stations are not on air in {year} ({', '.join(missing[:5])}). Take them from "
            "the plan's stations of that year or earlier."
        )
    gains: dict[tuple[str, int], int] = {}
    for _ in range(int(values["sweeps"])):
        better = 0
        for name in wanted:
            for sector, gain in _refine_station(search, name, limits, ground, guard).items():
                gains[name, sector] = gains.get((name, sector), 0) + gain
                better += gain
        if not better:
            break
    return _outcome(search, years, gains, ground, wanted)


def _search(project: Project, plan: Plan | None, years: list[int]) -> _Search:
    before = [network_jobs(project, on_air_rows(project, plan, year)) for year in years]
    at = [_positions(project, jobs) for jobs in before]
    names = project.stations["station_id"].to_numpy(object)
    found = station_antennas(project)
    recorded = {}
    rows = {name: row for row, name in enumerate(names) if name in at[0]}
    for name, row in rows.items():
        mine = slice(found.first[row], found.first[row + 1])
        recorded[name] = (tuple(found.azimuth_deg[mine].tolist()), tuple(found.tilt_deg[mine].tolist()))
    moved = [[_movable(job) for job in jobs] for jobs in before]
    return _Search(before, moved, at, recorded, dict(recorded), rows)


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
    search: _Search, years: list[int], gains: dict[tuple[str, int], int], ground: Ground, wanted: list[str]
) -> Refinement:
    """Both states over the whole city in every year, and the tables."""
    rows, unit, total = [], PEOPLE_STEP * WEIGHT_STEP, 0
    touched = {search.positions[0][name][0] for name, _ in gains}
    for k in range(len(search.before[0])):
        before = [whole_counts(jobs[k], ground) for jobs in search.before]
        after = [whole_counts(jobs[k], ground) for jobs in search.moved] if k in touched else before
        gained = good_weight(after[0], ground) - good_weight(before[0], ground)
        if gained < 0 or not all(keeps_cover(new, old) for new, old in zip(after, before, strict=True)):
            gains = {key: gain for key, gain in gains.items() if search.positions[0][key[0]][0] != k}
            after, gained = before, 0
        total += gained
        rows += _service_rows(search.before[0][k], years, before, after)
    services = pd.DataFrame(rows, columns=list(schema.table("refined_services").columns))
    changed = {name: search.settings[name] for name in wanted if any(key[0] == name for key in gains)}
    settings = {search.rows[name]: new for name, new in changed.items() if new != search.recorded[name]}
    return Refinement(_changes(search, gains, unit), total * unit, services, wanted, settings)


def _service_rows(job: NetworkJob, years: list[int], before: list[Counts], after: list[Counts]) -> list[list[Any]]:
    km2 = (job.grid.resolution_m / 1000.0) ** 2
    rows = []
    for year, old, new in sorted(zip(years, before, after, strict=True), key=lambda one: one[0]):
        for s, service in enumerate(job.services):
            people = [float(n) * PEOPLE_STEP for n in (old[s, 0], new[s, 0], old[s, 1], new[s, 1])]
            rows.append([year, job.network, service, *people, int(old[s, 2]) * km2, int(new[s, 2]) * km2])
    return rows


def _changes(search: _Search, gains: dict[tuple[str, int], int], unit: float) -> pd.DataFrame:
    rows = []
    for (name, sector), gain in sorted(gains.items(), key=lambda one: (search.positions[0][one[0][0]], one[0][1])):
        old, new = ([part[sector] for part in one[name]] for one in (search.recorded, search.settings))
        if old == new:
            continue  # a later sweep brought it back
        k, band, _ = search.positions[0][name]
        job = search.before[0][k]
        rows.append([name, job.network, job.bands[band].name, sector + 1, old[0], new[0], old[1], new[1], gain * unit])
    return pd.DataFrame(rows, columns=list(schema.table("refined_sectors").columns))
