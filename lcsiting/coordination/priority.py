"""Who gives way: 频带外让频带内、次要业务让主要业务、后用让先用、无规划让有规划, from the records.

The four principles of 工信部无〔2018〕266号 第四条 are asked in that order and the first that tells the two sides
apart decides. Unwanted emissions reach into another's receive band, so the base station yields. A protected station
recorded as secondary yields. Then the later one yields, as far as the dates tell: a base station not on air is later
than any station on the list, one on air is compared by the year. Of equal years, or where no licence date is
recorded, the side whose use of its band no frequency plan provides for yields (``planned`` of the protected station's
record, ``planned`` of the band's row in ``rules/bands.toml``). Where that tells nothing either, the base station
yields, under the third principle: its side asks for coordination.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

YIELDS = ("base_station", "protected_station")
PRINCIPLES = ("out_of_band", "secondary", "later_yields", "unplanned_yields")


def who_yields(
    record: Any, on_air_year: NDArray[Any], mechanism: NDArray[Any], planned: ArrayLike = True
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The side that yields and the principle, for pairs of one protected station.

    Parameters
    ----------
    record : row of :func:`lcsiting.coordination.protected.read_protected`
        ``licensed_since`` (NaT: not recorded), ``allocation``, ``planned`` (None: not recorded).
    on_air_year : ndarray of int (n,)
        Year a base station went on air; 0: not on air.
    mechanism : ndarray of int (n,)
        0 co-channel, 1 adjacent, 2 overload.
    planned : array_like of bool (n,)
        A frequency plan provides for the base station's use of its band.

    Returns
    -------
    yields, principle : ndarray of int8 (n,)
        Positions in :data:`YIELDS` and :data:`PRINCIPLES`.
    """
    year, provided = np.asarray(on_air_year), np.broadcast_to(np.asarray(planned, dtype=bool), len(on_air_year))
    dated = not pd.isna(record.licensed_since)
    licensed = record.licensed_since.year if dated else 0
    yields = ((year > 0) & (licensed > year)).astype(np.int8)
    principle = np.full(len(year), PRINCIPLES.index("later_yields"), dtype=np.int8)
    if record.planned is not None:
        undecided = (year > 0) & ((licensed == year) | (not dated)) & (provided != record.planned)
        yields[undecided] = provided[undecided]
        principle[undecided] = PRINCIPLES.index("unplanned_yields")
    if record.allocation == "secondary":
        yields[:], principle[:] = 1, PRINCIPLES.index("secondary")
    outside = np.asarray(mechanism) == 1
    yields[outside], principle[outside] = 0, PRINCIPLES.index("out_of_band")
    return yields, principle
