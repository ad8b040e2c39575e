"""The coordination profile: which bands are in its scope, which distances and limits it sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting import rules
from lcsiting.errors import ConfigError
from lcsiting.inputs.other_band import other_bands
from lcsiting.model import Project
from lcsiting.rules import scope

Row = dict[str, Any]
overlaps_mhz = scope.overlaps_mhz


@dataclass(frozen=True)
class RuleTables:
    """The rule tables a coordination rests on, the project's own rows included.

    Attributes
    ----------
    name : str
        Name of the profile, e.g. ``miit_266_136``.
    profile, bands, radio, defaults : dict
        Rows by id: scope, distances, limits and measures; the bands as deployed; link-budget
        values; what is assumed of a protected station whose record is silent.
    enforce : {"report", "rule", "physics"}
        What binds, from the project file.
    """

    name: str
    profile: Mapping[str, Row]
    bands: Mapping[str, Row]
    radio: Mapping[str, Row]
    defaults: Mapping[str, Row]
    enforce: str = "report"


def load_tables(name: str = "miit_266_136", override: Path | None = None, enforce: str = "report") -> RuleTables:
    """Read the profile and the tables it works with.

    Parameters
    ----------
    name : str
        Profile, a rule table.
    override : Path, optional
        The project's ``rules/`` folder.
    enforce : {"report", "rule", "physics"}
        ``[coordination] enforce`` of the project file.

    Raises
    ------
    ConfigError
        Unknown profile, or a profile without a scope.
    """
    profile = rules.load(name, override)
    tables = RuleTables(
        name=name,
        profile=profile,
        bands=rules.load("bands", override),
        radio=rules.load("radio", override),
        defaults=rules.load("earth_stations", override),
        enforce=enforce,
    )
    scope_mhz(tables)
    return tables


def profile_row(tables: RuleTables, key: str, field: str) -> Row:
    """A row of the profile that must carry a field.

    Raises
    ------
    ConfigError
        The profile lacks the row or the field.
    """
    row = tables.profile.get(key)
    if row is None or field not in row:
        raise ConfigError(f"rules/{tables.name}.toml: row [{key}] with {field} is missing; add it with its source")
    return row


def scope_mhz(tables: RuleTables) -> list[tuple[float, float]]:
    """The bands in which coordination is required, see :func:`lcsiting.rules.scope.scope_mhz`."""
    return scope.scope_mhz(tables.profile, tables.name)


def in_scope_bands(tables: RuleTables) -> set[str]:
    """The bands inside the scope, see :func:`lcsiting.rules.scope.in_scope_bands`."""
    return scope.in_scope_bands(tables.profile, tables.bands, tables.name)


def own_other_bands(project: Project, tables: RuleTables, station_rows: ArrayLike | None = None) -> NDArray[np.object_]:
    """The band outside the scope each of some stations could use instead; empty where there is none.

    Its network's own (:func:`lcsiting.inputs.other_band.other_band`); a station outside the scope has no need of one.
    """
    return other_bands(project, in_scope_bands(tables), station_rows)


def in_scope(stations: pd.DataFrame, tables: RuleTables) -> NDArray[np.bool_]:
    """The band gate: which stations need coordination at all.

    Parameters
    ----------
    stations : DataFrame
        ``Project.stations``; column ``band`` is used.
    tables : RuleTables
        From :func:`load_tables`.

    Returns
    -------
    ndarray of bool, (n_stations,)
        n78 and n79 are inside 3300-4200 and 4500-5000 MHz; n41, n28 and n1 are not.
    """
    return stations["band"].isin(in_scope_bands(tables)).to_numpy()
