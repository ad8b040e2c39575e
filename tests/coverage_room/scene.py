"""Random stations without a project: mixed models, heights and beam widths, one or three sectors."""

import numpy as np

from lcsiting.coverage.sectors import Sectors
from lcsiting.radio import pathloss

CLASSES = (("n78", "uma"), ("n28", "rma"), ("n78", "umi"), ("n28", "okumura_hata"))
FREQUENCY_MHZ = (3450.0, 773.0, 3450.0, 773.0)


def random_sectors(count: int, width_m: float, seed: int = 0, models=(0, 1, 2), reach_m: float = 2000.0) -> Sectors:
    """``count`` stations on a square from the origin; every fifth one has a single omnidirectional sector."""
    rng = np.random.default_rng(seed)
    x_m, y_m = rng.uniform(0, width_m, (2, count))
    klass = rng.choice(models, count).astype(np.int16)
    height = np.array([rng.uniform(*[(18, 45), (20, 50), (8, 14), (30, 50)][c]) for c in klass])
    rows = np.vstack(
        [pathloss.coefficients(CLASSES[c][1], FREQUENCY_MHZ[c], h) for c, h in zip(klass, height, strict=True)]
    )
    per_station = np.where(np.arange(count) % 5 == 4, 1, 3)
    first = np.concatenate([[0], np.cumsum(per_station)])
    total = first[-1]
    omni = np.repeat(per_station == 1, per_station)
    azimuth = np.concatenate([np.arange(n) * 120.0 + rng.uniform(0, 120) for n in per_station]) % 360.0
    return Sectors(
        station_rows=np.arange(count, dtype=np.int32),
        x_m=x_m,
        y_m=y_m,
        height_agl_m=height,
        network=(np.arange(count) % 2).astype(np.int16),
        klass=klass,
        classes=CLASSES,
        coefficients=rows,
        reach_m=rng.uniform(0.6, 1.0, count) * reach_m,
        flags=np.zeros(count, np.uint8),
        first=first.astype(np.int64),
        azimuth_deg=azimuth,
        tilt_deg=rng.uniform(2, 12, total),
        eirp_dbm=rng.uniform(18, 38, total),
        horizontal_beamwidth_deg=np.where(omni, np.inf, rng.choice([33.0, 65.0], total)),
        vertical_beamwidth_deg=rng.choice([8.0, 12.0, 30.0], total),
    )
