"""全覆盖 / 优质覆盖 / 连续覆盖 / 逐步延伸 as numbers: is the grade of a tier reached?"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from lcsiting import rules
from lcsiting.config import Target
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Coverage, Project

EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)
COLUMNS = ["year", "area", "grade", "network", "measure", "value", "required", "reached"]


def _service_layer(coverage: Coverage, network: str, indoor: bool, project: Project) -> NDArray[Any] | None:
    """Covered pixels of the first outdoor or indoor service of a network."""
    names = [service.name for service in project.config.services if service.indoor == indoor]
    if not names:
        return None
    return raster.pixels(coverage.layers[network][names[0]]) == 1


def largest_part_pct(covered: NDArray[np.bool_]) -> float:
    """Share (0-100) of the covered pixels in their largest 8-connected part; 0 if nothing is covered."""
    labels, parts = ndimage.label(covered, structure=EIGHT_NEIGHBOURS)
    if not parts:
        return 0.0
    return float(np.bincount(labels.ravel())[1:].max() / covered.sum() * 100.0)


def largest_hole_km2(covered: NDArray[np.bool_], area: NDArray[np.bool_], pixel_km2: float) -> float:
    """Size of the largest 4-connected uncovered part of an area."""
    labels, parts = ndimage.label(area & ~covered)
    return float(np.bincount(labels.ravel())[1:].max() * pixel_km2) if parts else 0.0


def _share_pct(covered: NDArray[np.bool_], weight: NDArray[Any]) -> float:
    """Covered share of a weight; NaN where there is none to cover."""
    total = float(weight.sum())
    return float(weight[covered].sum()) / total * 100.0 if total else np.nan


def _village_reach_pct(coverage: Coverage, network: str) -> float:
    rows = coverage.reach.query("measure == 'village_reach' and network == @network")
    total = rows["total"].sum()
    return float(rows["reached"].sum() / total * 100.0) if total else np.nan


def _continuity(covered: NDArray[np.bool_], labels: NDArray[np.int32], pixel_km2: float) -> tuple[float, float]:
    """Worst connectedness and largest hole of the areas of a tier, each area by itself."""
    parts, holes = [100.0], [0.0]
    for k, window in enumerate(ndimage.find_objects(labels), start=1):
        if window is not None:
            area = labels[window] == k
            parts.append(largest_part_pct(covered[window] & area))
            holes.append(largest_hole_km2(covered[window], area, pixel_km2))
    return min(parts), max(holes)


def measures(
    project: Project, coverage: Coverage, network: str, area: NDArray[np.bool_], labels: NDArray[np.int32]
) -> dict[str, float]:
    """Every figure a grade may ask for, of one network in one tier.

    Area and people are judged over the whole tier, connectedness and holes in
    each of its areas (every county seat by itself), the worst counting.

    Parameters
    ----------
    project, coverage : Project, Coverage
        City and predicted coverage; layers in memory.
    network : str
        Name of the network.
    area : bool ndarray (rows, cols)
        Pixels of the tier on the working grid.
    labels : int32 ndarray (rows, cols)
        Its areas, numbered from 1; 0 elsewhere.

    Returns
    -------
    dict
        Keys as in ``rules/grades.toml``; shares 0-100; NaN where there is no such service, or nobody to cover.
    """
    outdoor = _service_layer(coverage, network, False, project)
    indoor = _service_layer(coverage, network, True, project)
    people = np.zeros(area.shape) if project.population is None else raster.pixels(project.population)
    part_pct, hole_km2, outdoor_area, outdoor_people = np.nan, np.nan, np.nan, np.nan
    if outdoor is not None:
        part_pct, hole_km2 = _continuity(outdoor & area, labels, (project.grid.resolution_m / 1000.0) ** 2)
        outdoor_area = _share_pct(outdoor[area], np.ones(int(area.sum())))
        outdoor_people = _share_pct(outdoor[area], people[area])
    return {
        "outdoor_area_pct": outdoor_area,
        "outdoor_people_pct": outdoor_people,
        "indoor_people_pct": _share_pct(indoor[area], people[area]) if indoor is not None else np.nan,
        "largest_part_pct": part_pct,
        "largest_hole_km2": hole_km2,
        "village_reach_pct": _village_reach_pct(coverage, network),
    }


def _rows(target: Target, row: rules.Row, network: str, year: int, found: dict[str, float]) -> list[tuple[Any, ...]]:
    out = []
    for measure, value in found.items():
        required = row.get(measure, 0.0)
        if required:
            reached = value <= required if measure.startswith("largest_hole") else value >= required
            out.append((year, target.area, target.grade, network, measure, value, required, bool(reached)))
    return out


def grade_report(project: Project, coverage: Coverage) -> pd.DataFrame:
    """Targets due by the coverage's year, measure by measure.

    Returns
    -------
    DataFrame
        year, area, grade, network, measure, value, required, reached; empty if no target is due.
        What cannot be measured (NaN) is not reached.
    """
    override = project.root / "rules"
    grades = rules.load("grades", override)
    by_name = {row["name_zh"]: row for row in rules.load("tiers", override).values()}
    boundaries = project.layers["boundaries"]
    city, _ = derive.area_labels(boundaries, derive.city_levels(boundaries), project.grid)
    tiers = derive.tier_raster(project.root, boundaries, project.grid)
    rows: list[tuple[Any, ...]] = []
    for target in project.config.targets:
        if target.by > coverage.year:
            continue
        tier = by_name[target.area]
        area = (tiers == tier["order"]) & (city > 0)
        if not area.any():
            continue
        labels = area.astype(np.int32)
        if "*" not in tier["levels"]:
            labels *= derive.area_labels(boundaries, tier["levels"], project.grid)[0]
        for network in coverage.layers:
            found = measures(project, coverage, network, area, labels)
            rows += _rows(target, grades[target.grade], network, coverage.year, found)
    return pd.DataFrame(rows, columns=COLUMNS)
