"""A newly applied earth station against the base stations already licensed: the computation read the other way.

266号 holds in both directions (第三条), and who comes later gives way (后用让先用): the applicant
coordinates with the licence holders, and its own measures are asked for first.
"""

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd

from lcsiting import schema
from lcsiting.config import LayerSource
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.procedure import coordination_list
from lcsiting.coordination.remedies import remedies
from lcsiting.errors import LayerError
from lcsiting.inputs.read import read_layer
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


def read_application(project: Project, path: str | Path, datum: Any = None) -> gpd.GeoDataFrame:
    """Read applied-for stations from a file, as the layer ``protected_stations`` is read.

    Parameters
    ----------
    project : Project
        Its working CRS.
    path : path
        CSV, Excel, or a vector file.
    datum : {"cgcs2000", "wgs84", "gcj02", "bd09"}, optional
        Needed where a table gives longitude and latitude.

    Raises
    ------
    LayerError, CrsError
        The file or one of its rows cannot be used.
    """
    path = Path(path).absolute()
    source = LayerSource(path=path.name, datum=datum)
    layer, _, aside = read_layer("protected_stations", source, path.parent, project.config)
    if aside:
        rows = "、".join(f"{row['row']}（{row['reason']}）" for row in aside[:5])
        raise LayerError(f"{path.name}：{len(aside)} 行不能使用：第 {rows} 行。请改正后重试。")
    return layer


def assess_application(
    project: Project,
    applied: gpd.GeoDataFrame | str | Path,
    as_of: datetime.date | None = None,
    lang: str = "zh",
    datum: Any = None,
) -> Application:
    """Judge applied-for protected stations against the base stations on air.

    Parameters
    ----------
    project : Project
        ``stations`` that are on air count as licensed.
    applied : GeoDataFrame or path
        Columns of the layer ``protected_stations``, working CRS; or a file of them (:func:`read_application`).
        ``licensed_since`` is not looked at.
    as_of : date, optional
        Date of the application; ``project.as_of`` by default.
    lang : str
        Language of labels.
    datum : str, optional
        Of a file that gives longitude and latitude.

    Returns
    -------
    Application

    Raises
    ------
    LayerError
        The file cannot be used, another CRS, no position, an impossible receive band.
    """
    as_of = as_of or project.config.project.as_of
    if isinstance(applied, str | Path):
        applied = read_application(project, applied, datum)
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
    later = verdicts["principle"].isin(["later_yields", "unplanned_yields"]).to_numpy()
    changed = {"yields": "protected_station", "principle": "later_yields"}
    verdicts = verdicts.assign(
        **{
            name: pd.Categorical(
                verdicts[name].astype(object).where(~later, to), categories=verdicts[name].cat.categories
            )
            for name, to in changed.items()
        }
    )
    pairs = coordination_list(reverse, verdicts, as_of, lang=lang)
    return Application(verdicts, pairs, remedies(reverse, evaluation, as_of=as_of, lang=lang).stations)
