"""A plan with what is said of its stations anew, once the modes chosen or refined antennas are theirs."""

from dataclasses import replace

import pandas as pd

from lcsiting.coverage.antennas import antenna_texts
from lcsiting.model import Plan, Project
from lcsiting.siting.plan_tables import coordination_columns, coordination_words, worst_of_places


def with_verdicts(project: Project, plan: Plan, before: pd.DataFrame, verdicts: pd.DataFrame) -> Plan:
    """A plan made with the verdicts ``before``, with what others say of its stations and places, and with the antennas
    ``project`` gives them.
    """
    stations, places = with_antennas(project, plan).stations, plan.places
    said = [stations.assign(**coordination_columns(project, stations, one)) for one in (before, verdicts)]
    texts = ([coordination_words(row) for row in one.itertuples(index=False)] for one in said)
    reasons = [
        "；".join(part for part in (reason.removesuffix(old).removesuffix("；"), new) if part)
        for reason, old, new in zip(stations["reasons"], *texts, strict=True)
    ]
    table = said[1].drop(columns="coordinate_count").assign(reasons=reasons)
    return replace(
        plan,
        stations=table,
        places=places.assign(**worst_of_places(table).loc[places["place_id"]].to_dict("list")),
    )


def with_antennas(project: Project, plan: Plan) -> Plan:
    """The plan with the azimuths, tilts and excluded beams its stations have in the project."""
    rows = pd.Index(project.stations["station_id"]).get_indexer(pd.Index(plan.stations["station_id"]))
    return replace(plan, stations=plan.stations.assign(**antenna_texts(project, rows)))
