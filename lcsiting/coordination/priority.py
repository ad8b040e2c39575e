"""Who gives way: 频带外让频带内、次要业务让主要业务、后用让先用、无规划让有规划, from the records.

The four principles of 工信部无〔2018〕266号 第四条 are asked in that order and the first that tells the two sides
apart decides. Unwanted emissions reach into another's receive band, so the base station yields. A protected station
recorded as secondary yields. Else the later one yields: a base station not on air is later than any licensed station;
equal years, or no licence date, count against the base station. The records say nothing of planning, so the fourth
principle is never reached.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

YIELDS = ("base_station", "protected_station")
PRINCIPLES = ("out_of_band", "secondary", "later_yields")


def who_yields(record: Any, on_air_year: NDArray[Any], mechanism: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The side that yields and the principle, for pairs of one protected station.

    Parameters
    ----------
    record : row of :func:`lcsiting.coordination.protected.read_protected`
        ``licensed_since`` (NaT: not recorded, earlier than every base station), ``allocation``.
    on_air_year : ndarray of int (n,)
        Year a base station went on air; 0: not on air.
    mechanism : ndarray of int (n,)
        0 co-channel, 1 adjacent, 2 overload.

    Returns
    -------
    yields, principle : ndarray of int8 (n,)
        Positions in :data:`YIELDS` and :data:`PRINCIPLES`.
    """
    year = np.asarray(on_air_year)
    licensed = 0 if pd.isna(record.licensed_since) else record.licensed_since.year
    later = (year > 0) & (licensed > year)
    yields = later.astype(np.int8)
    principle = np.full(len(year), 2, dtype=np.int8)
    if record.allocation == "secondary":
        yields[:], principle[:] = 1, 1
    outside = np.asarray(mechanism) == 1
    yields[outside], principle[outside] = 0, 0
    return yields, principle
