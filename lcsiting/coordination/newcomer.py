"""A newly applied earth station against the base stations already licensed: the computation read the other way.

266号 holds in both directions (第三条), and who comes later gives way (后用让先用): the applicant
coordinates with the licence holders, and its own measures are asked for first.
"""

import dataclasses
import datetime

import geopandas as gpd
import pandas as pd

from lcsiting import schema
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.procedure import coordination_list
from lcsiting.coordination.remedies import remedies
from lcsiting.errors import LayerError
from lcsiting.model import Project


@dataclasses.dataclass(frozen=True)
class Application:
    """What a newly applied station means.

    Attributes
    ----------
    verdicts : DataFrame
        Schema table ``verdicts``, base stations on air against the applied stations.
    pairs : DataFrame
        Schema table ``coordination_list``: with whom the applicant coordinates.
    stations : DataFrame
        Schema table ``remedies``: the attenuation each applied station needs, and which of its own
        measures give it; ``broken`` where none do.
    """

    verdicts: pd.DataFrame
    pairs: pd.DataFrame
    stations: pd.DataFrame


def assess_application(
    project: Project, applied: gpd.GeoDataFrame, as_of: datetime.date | None = None, lang: str = "zh"
) -> Application:
    """Judge applied-for protected stations against the base stations on air.

    Parameters
    ----------
    project : Project
        ``stations`` that are on air count as licensed.
    applied : GeoDataFrame
        Columns of the layer ``protected_stations``, working CRS. ``licensed_since`` is not looked at.
    as_of : date, optional
        Date of the application; ``project.as_of`` by default.
    lang : str
        Language of labels.

    Returns
    -------
    Application

    Raises
    ------
    LayerError
        Another CRS, no position, an impossible receive band.
    """
    as_of = as_of or project.config.project.as_of
    if applied.crs is not None and applied.crs != project.places.crs:
        working = project.config.project.crs
        raise LayerError(f"applied stations: CRS {applied.crs.name}; bring them into {working} first")
    columns = [*schema.layer("protected_stations").columns, "geometry"]
    layer = applied.reindex(columns=columns).assign(licensed_since=pd.Timestamp(as_of))
    there = project.stations[project.stations["on_air"].astype(bool)].reset_index(drop=True)
    reverse = dataclasses.replace(
        project, layers={**project.layers, "protected_stations": layer, "coordination_log": None}, stations=there
    )
    evaluation = evaluate(reverse)
    verdicts = evaluation.verdicts
    # The applicant is the later one even where the base station went on air in the same year.
    later = (verdicts["principle"].astype("str") == "later_yields").to_numpy()
    yields = verdicts["yields"].astype(object).where(~later, "protected_station")
    verdicts = verdicts.assign(yields=pd.Categorical(yields, categories=verdicts["yields"].cat.categories))
    pairs = coordination_list(reverse, verdicts, as_of, lang=lang)
    return Application(verdicts, pairs, remedies(reverse, evaluation, as_of=as_of, lang=lang).stations)
