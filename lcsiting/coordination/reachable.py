"""How much a base station could be turned down for one protected station without being given up.

What a verdict ``excluded`` rests on: the deepest of the modes that ``modes.site_modes`` offers, last resorts left out,
at the strongest beams and full power.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lcsiting.coordination import paths
from lcsiting.coordination.measures import MEMBERS
from lcsiting.coordination.modes import beam_reduction_db, mode_ids, setting_of, site_modes
from lcsiting.coordination.paths import Pairs, Transmitters
from lcsiting.coordination.profile import RuleTables
from lcsiting.model import Project

Floats = NDArray[np.float64]


Otherwise = Mapping[tuple[float, float], Transmitters]


def otherwise(project: Project, tx: Transmitters, tables: RuleTables) -> Otherwise:
    """The transmitters turned and tilted as the modes want them, by (turn, tilt) in degrees."""
    every = {(one.turn_deg, one.tilt_deg) for one in (setting_of(mode, tables) for mode in mode_ids(tables))}
    lowered = {tilt: paths.transmitters(project, tables, tilt) if tilt else tx for _, tilt in every}
    return {
        (turn, tilt): replace(lowered[tilt], azimuth_deg=(lowered[tilt].azimuth_deg + turn) % 360.0)
        for turn, tilt in sorted(every)
    }


def sector_envelopes(tx: Transmitters, tables: RuleTables, pairs: Pairs, at: NDArray[np.int64]) -> Floats:
    """Gain of each sector of some pairs at the strongest beam, by ``measures.COMPONENTS``, (n, sectors, 4)."""
    gains = {kind: paths.sector_gains(tx, tables, pairs, kind, at) for kind in ("average", "envelope", "unwanted")}
    co = pairs.co[at][:, None]
    top, leaked = gains["envelope"], np.maximum(gains["unwanted"], gains["average"])
    return np.stack([top * co, leaked * ~co, top * co, top * ~co], axis=-1)


def site_side_db(
    project: Project, there: Otherwise, tables: RuleTables, pairs: Pairs, at: NDArray[np.int64],
    other: NDArray[np.bool_],
) -> Floats:  # fmt: skip
    """Greatest reduction that site-side measures reach, for interference density and for overload.

    Parameters
    ----------
    project, tables, pairs : Project, RuleTables, Pairs
    there : mapping
        From :func:`otherwise`.
    at : ndarray of int (n,)
        Some of the pairs.
    other : ndarray of bool (n,)
        The base station could use a band outside the scope instead (``profile.own_other_bands``).

    Returns
    -------
    ndarray (n, 2)
        dB, 0 or more; infinite where there is another band.
    """
    tx = there[0.0, 0.0]
    row = tx.row[pairs.tx[at]]
    out = np.where(other, np.inf, 0.0)[:, None].repeat(2, axis=1)
    left = np.flatnonzero(~other)
    if not len(left):
        return out
    mw = {key: sector_envelopes(one, tables, pairs, at[left]) for key, one in there.items()}
    ways = site_modes(
        mw.pop((0.0, 0.0)), tables, otherwise_mw=mw, sectors=np.diff(tx.first)[pairs.tx[at[left]]],
        micro=project.stations["micro"].to_numpy(bool)[row[left]],
        beam_db=np.maximum(beam_reduction_db(tables) - pairs.excluded_db[at[left]], 0.0),
    )  # fmt: skip
    level = np.where((ways.offered & ~ways.last)[:, :, None], ways.mw @ np.array(MEMBERS, dtype=float).T, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = 10 * np.log10(level[:, 0] / level.min(axis=1))
    out[left] = np.nan_to_num(np.maximum(gained, 0.0), nan=0.0, posinf=np.inf)
    return out
