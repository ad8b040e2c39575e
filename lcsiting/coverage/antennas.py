"""Azimuths, tilts, power and excluded beams of the stations' sectors: as recorded, by default, or as set for a plan.

A station may carry settings of its own in ``Project.stations``: ``azimuths_deg`` (one per sector), ``tilts_deg``,
``power_offset_db`` and ``exclusions`` (wedges in which it forms no beams); its band, with path-loss model and carrier,
is a setting, too. Coverage, coordination and traffic all read them here, so that a station turned, tilted, turned down,
robbed of a sector or of beams, or put up in another band is the same station everywhere.
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
SETTINGS = ("azimuths_deg", "tilts_deg", "power_offset_db", "exclusions")
BAND_SETTINGS = ("band", "model", "frequency_mhz")
Wedge = tuple[float, float, float]  # true bearing and half width in degrees, reduction in dB


class Exclusions(NamedTuple):
    """Wedges in which n stations form no beams.

    What a station radiates into a wedge, its edges included, is weaker by the reduction, whichever sector it comes
    from; where several overlap the deepest counts.

    Attributes
    ----------
    first : int64 (n + 1,)
        Wedges of station k are ``first[k]:first[k + 1]``.
    wedge : float64 (k, 3)
        True bearing and half width, degrees; reduction, dB.
    """

    first: NDArray[np.int64]
    wedge: NDArray[Any]


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
    excluded_first, excluded : int64 (n + 1,), float64 (k, 3)
        Wedges in which no beams are formed, see :class:`Exclusions`.
    """

    first: NDArray[np.int64]
    azimuth_deg: Floats
    tilt_deg: Floats
    power_offset_db: Floats
    excluded_first: NDArray[np.int64]
    excluded: Floats

    @property
    def exclusions(self) -> Exclusions:
        """Wedges in which no beams are formed."""
        return Exclusions(self.excluded_first, self.excluded)


def exclusions_of(wedges: "Sequence[Sequence[Wedge] | None]") -> Exclusions:
    """Wedges of each station, one after the other."""
    counts = [len(one or ()) for one in wedges]
    flat = np.array([wedge for one in wedges for wedge in one or ()], dtype=np.float64).reshape(-1, 3)
    return Exclusions(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), flat)


def some_exclusions(exclusions: Exclusions, stations: ArrayLike) -> Exclusions:
    """Those of some stations, in the order given."""
    at = np.asarray(stations, dtype=np.int64)
    count = np.diff(exclusions.first)[at]
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    which = np.repeat(exclusions.first[at] - first[:-1], count) + np.arange(first[-1])
    return Exclusions(first, exclusions.wedge[which])


def excluded_db(exclusions: Exclusions, stations: ArrayLike, bearing_deg: ArrayLike) -> Floats:
    """By how much each of some stations is weaker toward a bearing, dB; 0 outside its wedges.

    Parameters
    ----------
    exclusions : Exclusions
    stations : array_like of int (m,)
        Positions in ``exclusions``; a station may stand there several times.
    bearing_deg : array_like (m,)
        True bearings.
    """
    mine = some_exclusions(exclusions, stations)
    pair = np.repeat(np.arange(len(mine.first) - 1), np.diff(mine.first))
    turn = np.abs((np.asarray(bearing_deg, dtype=np.float64)[pair] - mine.wedge[:, 0] + 180.0) % 360.0 - 180.0)
    out = np.zeros(len(mine.first) - 1)
    np.maximum.at(out, pair, np.where(turn <= mine.wedge[:, 1], mine.wedge[:, 2], 0.0))
    return out


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
        A station's own settings are not numbers, or as many tilts as azimuths, or several sectors of a micro station,
        or an exclusion is not a bearing, a half width of 0 to 180 degrees and a reduction that is not negative.
    """
    rows = np.arange(len(project.stations)) if station_rows is None else np.asarray(station_rows, dtype=np.int64)
    stations = project.stations.iloc[rows]
    recorded = _recorded_azimuths(project, stations)
    own = _own(stations, "azimuths_deg")
    azimuths = [base if mine is None else mine for base, mine in zip(recorded, own, strict=True)]
    tilts = _own(stations, "tilts_deg")
    wedges = _own(stations, "exclusions")
    _check(stations, azimuths, own, tilts, wedges)
    count = np.array([len(one) for one in azimuths], dtype=np.int64)
    tilt = np.repeat(_default_tilts_deg(project, stations), count)
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    for k, mine in enumerate(tilts):
        if mine is not None:
            tilt[first[k] : first[k + 1]] = mine
    offset = np.zeros(len(rows))
    if "power_offset_db" in stations:
        offset = np.nan_to_num(stations["power_offset_db"].to_numpy(np.float64))
    azimuth = np.array([a % 360.0 for one in azimuths for a in one], np.float64)
    return Antennas(first, azimuth, tilt, offset, *exclusions_of(wedges))


def with_settings(
    project: "Project",
    station_rows: ArrayLike,
    *,
    azimuths_deg: "Sequence[Sequence[float] | None] | None" = None,
    tilts_deg: "Sequence[Sequence[float] | None] | None" = None,
    power_offset_db: ArrayLike | None = None,
    exclusions: "Sequence[Sequence[Wedge] | None] | None" = None,
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
    exclusions : sequence of n sequences of (bearing, half width, reduction) or None, optional
        Wedges in which no beams are formed, see :class:`Exclusions`; None or empty for none.
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
    if exclusions is not None:
        column = np.full(len(stations), None, dtype=object)
        if "exclusions" in stations:
            column[:] = stations["exclusions"].to_numpy(object)
        for row, wedges in zip(rows, exclusions, strict=True):
            column[row] = tuple(tuple(map(float, wedge)) for wedge in wedges) if wedges else None
        stations["exclusions"] = column
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


def exclusions_text(wedges: "Sequence[Wedge] | None") -> str:
    """``((225.3, 10.0, 12.0),)`` as ``"225.3:10:12"``, to be read back exactly; empty for none."""
    return "/".join(settings_text(wedge).replace("/", ":") for wedge in wedges or ())


def exclusions_tuple(text: str) -> tuple[tuple[float, ...], ...] | None:
    """The reverse of :func:`exclusions_text`."""
    return tuple(tuple(map(float, part.split(":"))) for part in text.split("/")) if text else None


def antenna_texts(project: "Project", station_rows: ArrayLike) -> dict[str, list[str]]:
    """Azimuths, total tilts and wedges without beams of some stations for people.

    As ``"0/120/240"``, ``"6.2/6.2/6.2"`` and ``"225.3±10"``; a micro station has no azimuth, most have no wedge.
    """
    rows = np.asarray(station_rows, dtype=np.int64)
    found, micro = station_antennas(project, rows), project.stations["micro"].to_numpy(bool)[rows]

    def text(values: Floats) -> str:
        return "/".join(f"{round(v, 1):g}" for v in values.tolist())

    def around(wedges: Floats) -> str:
        return "/".join(f"{round(bearing, 1):g}±{half:g}" for bearing, half, _ in wedges.tolist())

    spans = [slice(*found.first[k : k + 2]) for k in range(len(rows))]
    excluded = found.exclusions
    return {
        "azimuths_deg": ["" if m else text(found.azimuth_deg[s]) for s, m in zip(spans, micro, strict=True)],
        "tilts_deg": [text(found.tilt_deg[s]) for s in spans],
        "excluded_deg": [around(excluded.wedge[slice(*excluded.first[k : k + 2])]) for k in range(len(rows))],
    }


def _own(stations: "pd.DataFrame", name: str) -> list[tuple[Any, ...] | None]:
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


def _check(stations: "pd.DataFrame", azimuths: list[Any], own: list[Any], tilts: list[Any], wedges: list[Any]) -> None:
    micro, names = stations["micro"].to_numpy(bool), stations["station_id"].to_numpy(object)
    wrong = []
    for k, (mine, tilt, excluded) in enumerate(zip(own, tilts, wedges, strict=True)):
        if mine is None and tilt is None and excluded is None:
            continue
        values = (*azimuths[k], *(tilt or ()))
        fits = len(azimuths[k]) > 0 and (tilt is None or len(tilt) == len(azimuths[k]))
        fits = fits and all(map(_is_wedge, excluded or ()))
        if not fits or not np.isfinite(values).all() or (micro[k] and len(azimuths[k]) != 1):
            wrong.append(names[k])
    if wrong:
        raise LayerError(
            f"stations: {len(wrong)} have antenna settings that do not fit ({', '.join(map(str, wrong[:5]))}). Give at "
            "least one azimuth in degrees, one tilt per azimuth, one sector for a micro station, and exclusions as "
            "true bearing, half width (0 to 180 degrees) and reduction (dB, not negative)."
        )


def _is_wedge(wedge: Any) -> bool:
    return len(wedge) == 3 and bool(np.isfinite(wedge).all()) and 0.0 <= wedge[1] <= 180.0 and wedge[2] >= 0.0
