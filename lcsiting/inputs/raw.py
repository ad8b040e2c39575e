"""What a file holds before the schema is applied."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Raw:
    """One file (or sheet, or layer of a file) as it is.

    Attributes
    ----------
    frame : DataFrame
        Columns named as in the file, RangeIndex.
    rows : ndarray of int (n,)
        Row as the planner counts it: line of the CSV or sheet including the header; else the
        feature's number from 1.
    file : str
        File name for messages.
    geometry : ndarray of shapely geometry (n,), or None for tables
    crs : str or None
        CRS the file itself states (WKT or EPSG), if any.
    datum : str or None
        Datum that belongs to the format (KML: wgs84, ovkml: gcj02), if any.
    stem : str
        File name without suffix, may say what the layer is.
    remarks : list of (severity, problem, fix)
        What was noticed while reading.
    """

    frame: pd.DataFrame
    rows: NDArray[np.int64]
    file: str
    geometry: NDArray[Any] | None = None
    crs: str | None = None
    datum: str | None = None
    stem: str = ""
    remarks: list[tuple[str, str, str]] = field(default_factory=list)
