"""The coordination profile: which bands are in its scope, which distances and limits it sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules
from lcsiting.errors import ConfigError

Row = dict[str, Any]


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
    """The bands in which coordination is required, low and high edge in MHz.

    Raises
    ------
    ConfigError
        The profile has no ``scope_...`` row.
    """
    found = [(row["low_mhz"], row["high_mhz"]) for key, row in tables.profile.items() if key.startswith("scope_")]
    if not found:
        raise ConfigError(f"rules/{tables.name}.toml: no [scope_...] row; add low_mhz and high_mhz with their source")
    return found


def overlaps_mhz(low_1: Any, high_1: Any, low_2: Any, high_2: Any) -> Any:
    """Whether two bands share more than an edge; arrays broadcast."""
    return (np.asarray(low_1) < np.asarray(high_2)) & (np.asarray(low_2) < np.asarray(high_1))


def in_scope_bands(tables: RuleTables) -> set[str]:
    """Bands (ids of ``rules/bands.toml``) whose transmit band lies wholly or partly in the scope."""
    return {
        key
        for key, band in tables.bands.items()
        if any(overlaps_mhz(band["tx_low_mhz"], band["tx_high_mhz"], *edge) for edge in scope_mhz(tables))
    }


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
