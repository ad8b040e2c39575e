"""``check``: every problem of every layer at once."""

from pathlib import Path

import pandas as pd

from lcsiting.errors import LcsitingError
from lcsiting.inputs import cross, notes, project
from lcsiting.model import Project


def check(project_or_path: Project | str | Path) -> pd.DataFrame:
    """List what is wrong with a project's data, and what to do about it.

    Parameters
    ----------
    project_or_path : Project, str or Path
        An open project, ``project.toml`` or its folder. A path is read leniently: a layer that
        cannot be used becomes an ``error`` row and the others are still checked.

    Returns
    -------
    DataFrame
        Schema table ``problems``: severity (error, warning, info; in this order), layer, file,
        row (as the planner counts, or ids), field, problem, fix.
    """
    if isinstance(project_or_path, Project):
        return _of_project(project_or_path)
    opening = project.Opening(strict=False)
    there = project.read_inputs(project_or_path, opening)
    if there is None:
        return notes.problems_table(opening.problems)
    rows = opening.problems + cross.cross_checks(there)
    if there.grid is not None and there.clutter is not None and not opening.failed:
        try:
            rows += _targets(project.assemble(there, opening))
        except LcsitingError as error:
            note = notes.Notes("project")
            note.add("error", "", str(error), "改正后重新运行 lcsiting check")
            rows += note.problems
    return notes.problems_table(rows)


def _of_project(opened: Project) -> pd.DataFrame:
    there = project.Layers(
        config=opened.config,
        root=opened.root,
        layers=opened.layers,
        grid=opened.grid,
        dem=opened.dem,
        clutter=opened.clutter,
        population=opened.population,
        radio_zones=opened.radio_zones,
        population_given=opened.config.population is not None,
    )
    rows = opened.problems.astype(object).to_dict("records")
    return notes.problems_table(rows + cross.cross_checks(there) + _targets(opened)).drop_duplicates(ignore_index=True)


def _targets(opened: Project) -> list[dict[str, str]]:
    """Phase targets that the places at hand cannot reach."""
    note = notes.Notes("project")
    for phase in opened.config.phases:
        there = len(opened.stations) if phase.unit == "station" else len(opened.places)
        if phase.target > there:
            unit = "个基站" if phase.unit == "station" else "处站址"
            text = f"{phase.year} 年目标 {phase.target} {unit}，而存量与候选合计只有 {there} {unit}"
            note.add("warning", project.PROJECT_FILE, text, "补充候选站址，或调整目标")
    return note.problems
