"""How a base station could be operated otherwise: mutually exclusive modes, for the joint choice and the ranking.

A mode is the same thing whoever looks at it: what it sets (azimuths, sectors, tilts, power, wedges without beams, or
the band) follows from its id, the wedges beside it from the station (``exclusion.beam_wedges``), so contributions at
every protected station and coverage are computed from the same settings (:func:`mode_settings`). In its operator's
other band a station is outside the scope and brings nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting.coordination.measures import COMPONENTS
from lcsiting.coordination.profile import RuleTables, own_other_bands, profile_row
from lcsiting.coverage.antennas import Wedge, station_antennas
from lcsiting.inputs.other_band import band_settings
from lcsiting.model import Project
from lcsiting.rules import modes as names

AS_PLANNED = names.AS_PLANNED
BEAM, TILT, TURN, OFF = "site_beam", "site_tilt", "site_turn", "site_sector_off"
BEAMED = np.array([name != "unwanted" for name in COMPONENTS])  # what beams carry
OTHER_BAND, MOVE, DROP = names.OTHER_BAND, "site_move", "site_drop"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SiteModes:
    """The ways each of n base stations could be operated; exactly one is chosen.

    Attributes
    ----------
    ids : tuple of str (M,)
        ``as_planned`` first; rows of the profile joined by ``+`` where they are taken together, with
        ``:degrees`` for a turn (``@number`` if of one sector only) and ``:numbers`` for sectors turned off (counted
        from 1).
    labels : tuple of str (M,)
    mw : float64 (n, M, 4)
        Contribution at the protected station by component, milliwatts.
    cost, lost : float64 (n, M)
        Relative cost; share of the station's coverage lost (0-1).
    offered : bool (n, M)
    last : bool (M,)
        A last resort: used only where nothing else suffices.
    verified : bool (M,)
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    mw: Floats
    cost: Floats
    lost: Floats
    offered: NDArray[np.bool_]
    last: NDArray[np.bool_]
    verified: NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """What a mode sets at a station's antennas.

    Attributes
    ----------
    turn_deg : float
        Azimuths, clockwise.
    turned : tuple of int
        The sectors turned, counted from 0; empty for all.
    tilt_deg : float
        More down-tilt.
    power_db : float
        0 or less.
    off : tuple of int
        Sectors turned off, counted from 0.
    beam : bool
        No beams toward the protected stations that notice the station.
    other_band : bool
        In the operator's own band outside the scope.
    """

    turn_deg: float = 0.0
    turned: tuple[int, ...] = ()
    tilt_deg: float = 0.0
    power_db: float = 0.0
    off: tuple[int, ...] = ()
    beam: bool = False
    other_band: bool = False

    def turn_of(self, sector: int) -> float:
        """By how much a sector is turned, degrees."""
        return self.turn_deg if not self.turned or sector in self.turned else 0.0


def setting_of(mode: str, tables: RuleTables) -> Setting:
    """The setting a mode id stands for; moving and dropping set nothing."""
    turn, turned, tilt, power, off = 0.0, (), 0.0, 0.0, ()
    for key, value in (part.partition(":")[::2] for part in mode.split("+")):
        if key == TURN:
            degrees, _, sector = value.partition("@")
            turn, turned = float(degrees), (int(sector) - 1,) if sector else ()
        elif key == TILT:
            tilt = float(profile_row(tables, key, "tilt_deg")["tilt_deg"])
        elif key == OFF:
            off = tuple(int(number) - 1 for number in value.split(","))
        elif key.startswith("site_power_"):
            power -= float(profile_row(tables, key, "effects_db")["effects_db"]["co_channel"])
    keys = mode.split("+")
    return Setting(turn, turned, tilt, power, off, BEAM in keys, OTHER_BAND in keys)


def mode_ids(tables: RuleTables, sectors: int = 3) -> list[str]:
    """Every mode in which a station stays where it is, as planned first.

    Every joint use of tilt, beam exclusion and one step of power; each turn of all sectors or of one; one or two
    sectors off; the operator's other band.

    Parameters
    ----------
    tables : RuleTables
        With ``site_...`` rows.
    sectors : int
        The most sectors of any station.
    """
    sets: list[tuple[str, ...]] = [()]
    steps = [key for key in tables.profile if key.startswith("site_power_")]
    for choices in ([TILT], [BEAM], steps):
        there = [key for key in choices if key in tables.profile]
        sets = sets + [(*taken, key) for taken in sets for key in there]
    out = ["+".join(taken) or AS_PLANNED for taken in sorted(sets, key=len)]
    row = tables.profile.get(TURN, {})
    out += [f"{TURN}:{step:g}" for step in row.get("steps_deg", ())]
    alone = row.get("one_sector_steps_deg", ())
    out += [f"{TURN}:{step:g}@{k + 1}" for k in range(sectors) for step in alone if sectors > 1]
    if OFF in tables.profile:
        out += [
            f"{OFF}:{','.join(str(k + 1) for k in some)}" for r in (1, 2) for some in combinations(range(sectors), r)
        ]
    return out + [OTHER_BAND] * (OTHER_BAND in tables.profile)


def mode_settings(
    project: Project,
    tables: RuleTables,
    station_rows: ArrayLike,
    modes: Sequence[str] | None = None,
    wedges: Mapping[int, tuple[Wedge, ...]] | None = None,
) -> dict[str, pd.DataFrame]:
    """What each mode sets at each station, as columns of ``Project.stations`` (``antennas.with_settings``).

    Parameters
    ----------
    project : Project
    tables : RuleTables
    station_rows : array_like of int (n,)
        Rows of ``Project.stations``.
    modes : sequence of str, optional
        Mode ids; by default those of :func:`mode_ids` that set something.
    wedges : mapping, optional
        Station row to what beam exclusion sets there (``exclusion.beam_wedges``).

    Returns
    -------
    dict
        Mode id to a frame indexed by station row with azimuths_deg, tilts_deg (tuples, total tilt), power_offset_db
        and exclusions; the other band (``profile.own_other_bands``) with band, model and frequency_mhz. A station that
        a mode is not for (a sector it does not have, a turn of an omnidirectional antenna, nobody to exclude beams for,
        no other band) has no row.
    """
    rows = np.asarray(station_rows, dtype=np.int64)
    antennas = station_antennas(project, rows)
    count = np.diff(antennas.first)
    micro = project.stations["micro"].to_numpy(bool)[rows]
    if modes is None:
        every = mode_ids(tables, int(count.max(initial=1)))
        modes = [mode for mode in every if mode != AS_PLANNED]
    azimuths = [tuple(part) for part in np.split(antennas.azimuth_deg, antennas.first[1:-1])]
    tilts = [tuple(part) for part in np.split(antennas.tilt_deg, antennas.first[1:-1])]
    excluded = antennas.exclusions
    own = [tuple(map(tuple, part.tolist())) for part in np.split(excluded.wedge, excluded.first[1:-1])]
    more = [(wedges or {}).get(row, ()) for row in rows.tolist()]
    watched = np.array([len(some) > 0 for some in more], dtype=bool)
    out = {}
    for mode in modes:
        one = setting_of(mode, tables)
        if one.other_band:
            bands = own_other_bands(project, tables, rows)
            out[mode] = band_settings(project, rows[bands != ""], bands[bands != ""])
            continue
        fits = _fits(one, count, micro)
        at = np.flatnonzero(fits & watched if one.beam else fits)
        kept = [[s for s in range(count[k]) if s not in one.off] for k in at]
        out[mode] = pd.DataFrame(
            {
                "azimuths_deg": [
                    tuple((azimuths[k][s] + one.turn_of(s)) % 360.0 for s in left)
                    for k, left in zip(at, kept, strict=True)
                ],
                "tilts_deg": [
                    tuple(tilts[k][s] + one.tilt_deg for s in left) for k, left in zip(at, kept, strict=True)
                ],
                "power_offset_db": antennas.power_offset_db[at] + one.power_db,
                "exclusions": [tuple(sorted({*own[k], *more[k]})) if one.beam else own[k] for k in at],
            },
            index=pd.Index(rows[at], name="station_row"),
        )
    return out


def _fits(one: Setting, count: Any, micro: Any) -> NDArray[np.bool_]:
    """Stations a setting is for: something must be left on, only a sector can be turned, only an array forms beams."""
    enough = (count > len(one.off)) & (count > max((*one.off, *one.turned), default=-1))
    enough &= (count > 1) | (len(one.turned) == 0)
    return enough & ~(np.asarray(micro, dtype=bool) & (one.turn_deg != 0 or one.beam))


# ---------------------------------------------------------------- for one protected station


def site_modes(
    sector_mw: ArrayLike,
    tables: RuleTables,
    *,
    otherwise_mw: Mapping[tuple[float, float], ArrayLike] | None = None,
    sectors: ArrayLike | None = None,
    micro: ArrayLike | bool = False,
    beam_db: ArrayLike | None = None,
    other_band: ArrayLike | bool = False,
    moved_mw: ArrayLike | None = None,
    lost: Mapping[str, ArrayLike] | None = None,
    lang: str = "zh",
) -> SiteModes:
    """The mutually exclusive ways of operating each base station, for one protected station.

    Parameters
    ----------
    sector_mw : array_like, (n, sectors, 4)
        Contribution of each sector as planned, milliwatts by :data:`COMPONENTS`.
    tables : RuleTables
        With ``site_...`` rows.
    otherwise_mw : mapping, optional
        ``(turn_deg, tilt_deg)`` to the same with the azimuths turned and more down-tilt; what is not given is not
        offered.
    sectors : array_like of int (n,), optional
        How many sectors each station has; as many as ``sector_mw`` by default.
    micro, other_band : array_like of bool, (n,) or bool
        Omnidirectional, cannot be turned and forms no beams; the operator has a band outside the scope it could use.
    beam_db : array_like (n,), optional
        What beam exclusion takes off here, dB (``exclusion.beam_exclusion_db``): 0 outside a station's wedges, NaN
        where it has none. Omitted: this protected station lies in a wedge of each.
    moved_mw : array_like, (n, 4), optional
        Contribution from another place instead, NaN where there is none.
    lost : mapping, optional
        Mode id to the share of each station's covered weight lost, (n,), NaN where unknown;
        the rule row's estimate where nothing is known.
    lang : str

    Returns
    -------
    SiteModes
        Reductions of measures taken together multiply; costs add; coverage shares lost combine as
        ``1 - prod(1 - share)``.
    """
    there = {(0.0, 0.0): np.asarray(sector_mw, dtype=float)} | {
        key: np.asarray(value, dtype=float) for key, value in (otherwise_mw or {}).items()
    }
    n, most, _ = there[0.0, 0.0].shape
    count = np.broadcast_to(most if sectors is None else np.asarray(sectors), n)
    beam = np.broadcast_to(beam_reduction_db(tables) if beam_db is None else np.asarray(beam_db, dtype=float), n)
    beamed = np.where(BEAMED, 10 ** (-0.1 * np.nan_to_num(beam))[:, None], 1.0)
    parts: list[tuple[Any, ...]] = []  # id, mw, cost, lost, offered, last, verified
    for mode in mode_ids(tables, most):
        one = setting_of(mode, tables)
        if (one.turn_deg, one.tilt_deg) not in there or (0.0, one.tilt_deg) not in there:
            continue
        ways = [there[one.turn_of(s), one.tilt_deg][:, s] for s in range(most) if s not in one.off]
        mw = np.sum(ways, axis=0) if ways else np.zeros((n, len(COMPONENTS)))
        mw = mw * 10 ** (0.1 * one.power_db) * (beamed if one.beam else 1.0) * (not one.other_band)
        cost, share, known = _row_terms(mode, tables, count)
        if lost is not None and mode in lost:
            share = np.where(np.isnan(lost[mode]), share, lost[mode])
        offer = _fits(one, count, micro) & ~(np.isnan(beam) & one.beam)
        offer = offer & (np.broadcast_to(other_band, n) | (not one.other_band))
        parts.append((mode, mw, cost, share, offer, tables.profile.get(mode, {}).get("stage") == 2, known))
    nothing = np.zeros((n, len(COMPONENTS)))
    moved = np.full((n, len(COMPONENTS)), np.nan) if moved_mw is None else np.asarray(moved_mw, dtype=float)
    movable = ~np.isnan(moved).any(axis=1)
    further = ((MOVE, np.where(movable[:, None], moved, 0.0), movable), (DROP, nothing, True))
    for key, mw, offered in further:
        if key in tables.profile and (key != MOVE or moved_mw is not None):
            item = profile_row(tables, key, "coverage_lost_share")
            share = np.broadcast_to(float(item["coverage_lost_share"]), n)
            if lost is not None and key in lost:
                share = np.where(np.isnan(lost[key]), share, lost[key])
            offer = np.broadcast_to(offered, n)
            parts.append((key, mw, float(item["cost"]), share, offer, item.get("stage") == 2, bool(item["verified"])))
    return _stacked(parts, n, tables, lang)


def beam_reduction_db(tables: RuleTables) -> float:
    """What beam exclusion takes off inside a wedge, dB; 0 where the profile does not have it."""
    return float(profile_row(tables, BEAM, "reduction_db")["reduction_db"]) if BEAM in tables.profile else 0.0


def _row_terms(mode: str, tables: RuleTables, count: Any) -> tuple[float, Any, bool]:
    """Cost, first estimate of the coverage lost (a sector off: its share of the sectors), whether verified."""
    if mode == AS_PLANNED:
        return 0.0, 0.0, True
    cost, kept, known = 0.0, np.ones(np.shape(count)), True
    for key, _, value in (part.partition(":") for part in mode.split("+")):
        row = profile_row(tables, key, "coverage_lost_share")
        times = len(value.split(",")) if key == OFF else 1
        cost += times * float(row["cost"])
        share = times / np.maximum(count, 1) if key == OFF else float(row["coverage_lost_share"])
        kept, known = kept * (1 - np.minimum(share, 1.0)), known and bool(row["verified"])
    return round(cost, 9), 1 - kept, known


def _stacked(parts: list[Any], n: int, tables: RuleTables, lang: str) -> SiteModes:
    ids = tuple(part[0] for part in parts)
    return SiteModes(
        ids=ids,
        labels=tuple(mode_label(name, tables, lang) for name in ids),
        mw=np.stack([part[1] for part in parts], axis=1),
        cost=np.broadcast_to([part[2] for part in parts], (n, len(ids))).copy(),
        lost=np.clip(np.stack([np.broadcast_to(part[3], n) for part in parts], axis=1), 0.0, 1.0),
        offered=np.stack([np.broadcast_to(part[4], n) for part in parts], axis=1),
        last=np.array([part[5] for part in parts]),
        verified=np.array([part[6] for part in parts]),
    )


def mode_label(mode: str, tables: RuleTables, lang: str = "zh") -> str:
    """Name of a mode for people, see :func:`lcsiting.rules.modes.mode_label`."""
    return names.mode_label(mode, tables.profile, lang)
