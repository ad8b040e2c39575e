"""Azimuths, tilts and power of the stations' sectors: as recorded, by default, or as set for a plan.

A station may carry settings of its own in ``Project.stations``: ``azimuths_deg`` (one per sector), ``tilts_deg``
and ``power_offset_db``; its band, with path-loss model and carrier, is a setting, too. Coverage, coordination and
traffic all read them here, so that a station turned, tilted, turned down, robbed of a sector or put up in another
band is the same station everywhere.
"""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting import rules
from lcsiting.errors import LayerError
from lcsiting.radio import linkbudget

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lcsiting.model import Project

Floats = NDArray[np.float64]

DEFAULT_AZIMUTHS = (0.0, 120.0, 240.0)
SETTINGS = ("azimuths_deg", "tilts_deg", "power_offset_db")
BAND_SETTINGS = ("band", "model", "frequency_mhz")


class Antennas(NamedTuple):
    """Sectors of n stations, m in all.

    Attributes
    ----------
    first : int64 (n + 1,)
        Sectors of station k are ``first[k]:first[k + 1]``.
    azimuth_deg : float64 (m,)
        Clockwise from north.
    tilt_deg : float64 (m,)
        Total tilt below the horizon, mechanical and electrical.
    power_offset_db : float64 (n,)
        Added to the EIRP of every sector.
    """

    first: NDArray[np.int64]
    azimuth_deg: Floats
    tilt_deg: Floats
    power_offset_db: Floats


def parse_azimuths(text: Any) -> tuple[float, ...]:
    """``"0/120/240"`` to degrees in [0, 360); empty text or none gives 0, 120, 240.

    Raises
    ------
    LayerError
        The text is not numbers with separators between.
    """
    if not isinstance(text, str) or not text.strip():
        return DEFAULT_AZIMUTHS
    parts = [part for part in re.split(r"[/,;、，；\s]+", text.strip().replace("°", "")) if part]
    try:
        return tuple(float(part) % 360.0 for part in parts)
    except ValueError as error:
        raise LayerError(f"azimuths_deg: {text!r} is not degrees like 0/120/240. Correct the column.") from error


def station_antennas(project: "Project", station_rows: ArrayLike | None = None) -> Antennas:
    """Sectors of some of a project's stations.

    Azimuths are the station's own, else those recorded for its place, else 0/120/240; a micro station has one
    omnidirectional sector. Tilts are the station's own, else follow the spacing of the place's morphology
    (:func:`radio.linkbudget.default_tilt_deg`).

    Parameters
    ----------
    project : Project
    station_rows : array_like of int, optional
        Positions in ``project.stations``; all if omitted.

    Raises
    ------
    LayerError
        A station's own settings are not numbers, or as many tilts as azimuths, or several sectors of a micro station.
    """
    rows = np.arange(len(project.stations)) if station_rows is None else np.asarray(station_rows, dtype=np.int64)
    stations = project.stations.iloc[rows]
    recorded = _recorded_azimuths(project, stations)
    own = _own(stations, "azimuths_deg")
    azimuths = [base if mine is None else mine for base, mine in zip(recorded, own, strict=True)]
    tilts = _own(stations, "tilts_deg")
    _check(stations, azimuths, own, tilts)
    count = np.array([len(one) for one in azimuths], dtype=np.int64)
    tilt = np.repeat(_default_tilts_deg(project, stations), count)
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    for k, mine in enumerate(tilts):
        if mine is not None:
            tilt[first[k] : first[k + 1]] = mine
    offset = np.zeros(len(rows))
    if "power_offset_db" in stations:
        offset = np.nan_to_num(stations["power_offset_db"].to_numpy(np.float64))
    return Antennas(first, np.array([a % 360.0 for one in azimuths for a in one], np.float64), tilt, offset)


def with_settings(
    project: "Project",
    station_rows: ArrayLike,
    *,
    azimuths_deg: "Sequence[Sequence[float] | None] | None" = None,
    tilts_deg: "Sequence[Sequence[float] | None] | None" = None,
    power_offset_db: ArrayLike | None = None,
    band: "Sequence[str] | None" = None,
    model: "Sequence[str] | None" = None,
    frequency_mhz: ArrayLike | None = None,
) -> "Project":
    """A project in which some stations have antenna settings of their own; nothing is changed in place.

    Parameters
    ----------
    project : Project
    station_rows : array_like of int (n,)
        Positions in ``project.stations``, without repeats.
    azimuths_deg : sequence of n sequences of float or None, optional
        Azimuth of every sector that is to be on; None for a station: as recorded. Omitted: left as they are.
    tilts_deg : sequence of n sequences of float or None, optional
        Total tilt (mechanical and electrical), one per sector; None for a station: by default.
    power_offset_db : array_like of float (n,), optional
        Added to the EIRP of every sector; 0 for none.
    band, model : sequence of n str, optional
        Band and path-loss model; default tilts follow the band. Omitted: left as they are, like ``frequency_mhz``.
    frequency_mhz : array_like of float (n,), optional
        Carrier.

    Raises
    ------
    LayerError
        As :func:`station_antennas`.
    """
    rows = np.asarray(station_rows, dtype=np.int64)
    stations = project.stations.copy()
    for name, values in (("azimuths_deg", azimuths_deg), ("tilts_deg", tilts_deg)):
        if values is None:
            continue
        column = np.full(len(stations), None, dtype=object)
        if name in stations:
            column[:] = stations[name].to_numpy(object)
        for row, value in zip(rows, values, strict=True):
            column[row] = None if value is None else tuple(float(v) for v in value)
        stations[name] = column
    if power_offset_db is not None:
        offset = np.zeros(len(stations))
        if "power_offset_db" in stations:
            offset = stations["power_offset_db"].to_numpy(np.float64).copy()
        offset[rows] = power_offset_db
        stations["power_offset_db"] = offset
    for name, plain in zip(BAND_SETTINGS, (band, model, frequency_mhz), strict=True):
        if plain is not None:
            stations.loc[rows, name] = plain
    changed = replace(project, stations=stations)
    station_antennas(changed, rows)
    return changed


def settings_text(values: "Sequence[float] | None") -> str:
    """``(0.0, 120.5)`` as ``"0/120.5"``, to be read back exactly; empty for none."""
    return "" if values is None else "/".join(f"{v!r}".removesuffix(".0") for v in map(float, values))


def settings_tuple(text: str) -> tuple[float, ...] | None:
    """The reverse of :func:`settings_text`."""
    return tuple(float(part) for part in text.split("/")) if text else None


def antenna_texts(project: "Project", station_rows: ArrayLike) -> dict[str, list[str]]:
    """Azimuths and total tilts of some stations for people, as ``"0/120/240"`` and ``"6.2/6.2/6.2"``.

    A micro station has no azimuth.
    """
    rows = np.asarray(station_rows, dtype=np.int64)
    found, micro = station_antennas(project, rows), project.stations["micro"].to_numpy(bool)[rows]

    def text(values: Floats) -> str:
        return "/".join(f"{round(v, 1):g}" for v in values.tolist())

    spans = [slice(*found.first[k : k + 2]) for k in range(len(rows))]
    return {
        "azimuths_deg": ["" if m else text(found.azimuth_deg[s]) for s, m in zip(spans, micro, strict=True)],
        "tilts_deg": [text(found.tilt_deg[s]) for s in spans],
    }


def _own(stations: "pd.DataFrame", name: str) -> list[tuple[float, ...] | None]:
    if name not in stations:
        return [None] * len(stations)
    column = stations[name].to_numpy(object)
    return [None if value is None or isinstance(value, float) else tuple(value) for value in column]


def _recorded_azimuths(project: "Project", stations: "pd.DataFrame") -> list[tuple[float, ...]]:
    place, micro = stations["place"].to_numpy(), stations["micro"].to_numpy(bool)
    if "azimuths_deg" not in project.places:
        return [(0.0,) if small else DEFAULT_AZIMUTHS for small in micro]
    known: dict[Any, tuple[float, ...]] = {}
    out = []
    for text, small in zip(project.places["azimuths_deg"].to_numpy(object)[place], micro, strict=True):
        if small:
            out.append((0.0,))
            continue
        if text not in known:
            known[text] = parse_azimuths(text)
        out.append(known[text])
    return out


def _default_tilts_deg(project: "Project", stations: "pd.DataFrame") -> Floats:
    if not len(stations):
        return np.zeros(0)
    override = project.root / "rules"
    radio = {key: float(row["value"]) for key, row in rules.load("radio", override).items()}
    morphology = {key: float(row["spacing_m"]) for key, row in rules.load("morphology", override).items()}
    vertical = {key: float(row["vertical_beamwidth_deg"]) for key, row in rules.load("bands", override).items()}
    spacing = project.places["morphology"].iloc[stations["place"].to_numpy()].map(morphology)
    tilt = linkbudget.default_tilt_deg(
        stations["height_agl_m"].to_numpy(np.float64),
        spacing.to_numpy(np.float64),
        stations["band"].map(vertical).to_numpy(np.float64),
        ue_height_m=radio["ue_height_m"],
        spacing_factor=radio["tilt_spacing_factor"],
        limits_deg=(radio["tilt_min_deg"], radio["tilt_max_deg"]),
    )
    return np.asarray(tilt, dtype=np.float64)


def _check(stations: "pd.DataFrame", azimuths: list[Any], own: list[Any], tilts: list[Any]) -> None:
    micro, names = stations["micro"].to_numpy(bool), stations["station_id"].to_numpy(object)
    wrong = []
    for k, (mine, tilt) in enumerate(zip(own, tilts, strict=True)):
        if mine is None and tilt is None:
            continue
        values = (*azimuths[k], *(tilt or ()))
        fits = len(azimuths[k]) > 0 and (tilt is None or len(tilt) == len(azimuths[k]))
        if not fits or not np.isfinite(values).all() or (micro[k] and len(azimuths[k]) != 1):
            wrong.append(names[k])
    if wrong:
        raise LayerError(
            f"stations: {len(wrong)} have antenna settings that do not fit ({', '.join(map(str, wrong[:5]))}). Give at "
            "least one azimuth in degrees, one tilt per azimuth, and one sector for a micro station."
        )
