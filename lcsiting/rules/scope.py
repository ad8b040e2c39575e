"""The band gate: which bands a coordination profile asks about."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lcsiting.errors import ConfigError

Rows = Mapping[str, Mapping[str, Any]]


def scope_mhz(profile: Rows, name: str) -> list[tuple[float, float]]:
    """The bands in which coordination is required, low and high edge in MHz.

    Parameters
    ----------
    profile : mapping
        Rows of a coordination profile.
    name : str
        Its name, for the message.

    Raises
    ------
    ConfigError
        The profile has no ``scope_...`` row.
    """
    found = [(row["low_mhz"], row["high_mhz"]) for key, row in profile.items() if key.startswith("scope_")]
    if not found:
        raise ConfigError(f"rules/{name}.toml: no [scope_...] row; add low_mhz and high_mhz with their source")
    return found


def overlaps_mhz(low_1: Any, high_1: Any, low_2: Any, high_2: Any) -> Any:
    """Whether two bands share more than an edge; arrays broadcast."""
    return (np.asarray(low_1) < np.asarray(high_2)) & (np.asarray(low_2) < np.asarray(high_1))


def in_scope_bands(profile: Rows, bands: Rows, name: str) -> set[str]:
    """Bands (ids of ``rules/bands.toml``) whose transmit band lies wholly or partly in the scope.

    n78 and n79 are inside 3300-4200 and 4500-5000 MHz; n41, n28 and n1 are not.
    """
    edges = scope_mhz(profile, name)
    return {
        key
        for key, band in bands.items()
        if any(overlaps_mhz(band["tx_low_mhz"], band["tx_high_mhz"], *edge) for edge in edges)
    }
