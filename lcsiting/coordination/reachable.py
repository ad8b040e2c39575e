"""How much a base station could be turned down for one protected station without being given up.

What a verdict ``excluded`` rests on: the deepest of the modes that ``modes.site_modes`` offers, last resorts left out,
at the strongest beams and full power.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.coordination import paths
from lcsiting.coordination.measures import MEMBERS
from lcsiting.coordination.modes import site_modes
from lcsiting.coordination.paths import Pairs, Transmitters
from lcsiting.coordination.profile import RuleTables, has_other_band
from lcsiting.model import Project

Floats = NDArray[np.float64]


def tilted_down(project: Project, tables: RuleTables) -> Transmitters | None:
    """The transmitters with the additional down-tilt of the profile; None where it offers none."""
    row = tables.profile.get("site_tilt")
    return None if row is None else paths.transmitters(project, tables, float(row["tilt_deg"]))


def sector_envelopes(tx: Transmitters, tables: RuleTables, pairs: Pairs, at: NDArray[np.int64]) -> Floats:
    """Gain of each sector of some pairs at the strongest beam, by ``measures.COMPONENTS``, (n, sectors, 4)."""
    gains = {kind: paths.sector_gains(tx, tables, pairs, kind, at) for kind in ("average", "envelope", "unwanted")}
    co = pairs.co[at][:, None]
    top, leaked = gains["envelope"], np.maximum(gains["unwanted"], gains["average"])
    return np.stack([top * co, leaked * ~co, top * co, top * ~co], axis=-1)


def site_side_db(
    project: Project, tx: Transmitters, tilted: Transmitters | None, tables: RuleTables, pairs: Pairs,
    at: NDArray[np.int64],
) -> Floats:  # fmt: skip
    """Greatest reduction that site-side measures reach, for interference density and for overload.

    Parameters
    ----------
    project, tx, tilted, tables, pairs : Project, Transmitters, Transmitters or None, RuleTables, Pairs
        ``tilted`` from :func:`tilted_down`.
    at : ndarray of int (n,)
        Some of the pairs.

    Returns
    -------
    ndarray (n, 2)
        dB, 0 or more; infinite where the network has a band outside the scope it could use instead.
    """
    other = has_other_band(project, tables)[tx.row[pairs.tx[at]]]
    out = np.where(other, np.inf, 0.0)[:, None].repeat(2, axis=1)
    left = np.flatnonzero(~other)
    if not len(left):
        return out
    mw = sector_envelopes(tx, tables, pairs, at[left])
    lower = None if tilted is None else sector_envelopes(tilted, tables, pairs, at[left])
    ways: Any = site_modes(mw, tables, budget_mw=np.ones(len(MEMBERS)), tilted_mw=lower)
    level = np.where((ways.offered & ~ways.last)[:, :, None], ways.mw @ np.array(MEMBERS, dtype=float).T, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = 10 * np.log10(level[:, 0] / level.min(axis=1))
    out[left] = np.nan_to_num(np.maximum(gained, 0.0), nan=0.0, posinf=np.inf)
    return out
