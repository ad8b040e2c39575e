"""The plain way: NumPy, float64, one window per station. Slow and easy to read."""

from dataclasses import dataclass

import numpy as np

from lcsiting.radio import pathloss


@dataclass(frozen=True)
class PlainGrid:
    """Stand-in for ``lcsiting.model.Grid``."""

    x0_m: float
    y0_m: float
    resolution_m: float
    rows: int
    cols: int


def station_window(sectors, k, grid):
    """Row and column slices around a station, and the levels (sector, row, col) of its sectors in them."""
    x, y, reach, step = sectors.x_m[k], sectors.y_m[k], sectors.reach_m[k], grid.resolution_m
    rows = slice(max(int((grid.y0_m - y - reach) // step), 0), min(int((grid.y0_m - y + reach) // step) + 1, grid.rows))
    cols = slice(max(int((x - reach - grid.x0_m) // step), 0), min(int((x + reach - grid.x0_m) // step) + 1, grid.cols))
    dx = grid.x0_m + (np.arange(grid.cols)[cols] + 0.5) * step - x
    dy = grid.y0_m - (np.arange(grid.rows)[rows] + 0.5) * step - y
    dx, dy = np.meshgrid(dx, dy)
    distance = np.hypot(dx, dy)
    loss = pathloss.generic_loss_db(sectors.coefficients[k], distance)
    loss[distance > reach] = np.inf
    azimuth = np.degrees(np.arctan2(dx, dy)) + (0.0 if sectors.convergence_deg is None else sectors.convergence_deg[k])
    near = sectors.coefficients[k, pathloss.NEAR]
    depression = np.degrees(np.arctan2(sectors.height_agl_m[k] - sectors.ue_height_m, np.maximum(distance, near)))
    levels = []
    for m in range(sectors.first[k], sectors.first[k + 1]):
        turn = np.abs((azimuth - sectors.azimuth_deg[m] + 180.0) % 360.0 - 180.0)
        horizontal = np.minimum(12 * (turn / sectors.horizontal_beamwidth_deg[m]) ** 2, sectors.front_to_back_db)
        drop = (depression - sectors.tilt_deg[m]) / sectors.vertical_beamwidth_deg[m]
        vertical = np.minimum(12 * drop**2, sectors.side_lobe_db)
        attenuation = np.minimum(horizontal + vertical, sectors.front_to_back_db)
        levels.append(sectors.eirp_dbm[m] - attenuation - loss)
    return rows, cols, np.array(levels)


def best_server(sectors, grid, *, noise_dbm, load=0.5, window_db=6.0, stations=None):
    """RSRP, SINR, best sector, overlap and the margin of the best over the second (for ties)."""
    top = np.full((4, grid.rows, grid.cols), -np.inf)
    power = np.zeros((grid.rows, grid.cols))
    best = np.full((grid.rows, grid.cols), -1)
    for k in range(len(sectors)) if stations is None else stations:
        rows, cols, levels = station_window(sectors, k, grid)
        for m, level in enumerate(levels, start=sectors.first[k]):
            power[rows, cols] += 10 ** (level / 10)
            part = top[:, rows, cols]
            best[rows, cols] = np.where(level > part[0], m, best[rows, cols])
            for rank in range(4):
                part[rank], level = np.maximum(part[rank], level), np.minimum(part[rank], level)
    rsrp = np.where(best >= 0, top[0], np.nan)
    others = np.maximum(power - 10 ** (top[0] / 10), 0.0)
    sinr = rsrp - 10 * np.log10(load * others + 10 ** (noise_dbm / 10))
    overlap = np.where(best >= 0, 1 + (top[1:] >= top[0] - window_db).sum(axis=0), 0)
    gap = np.full(rsrp.shape, np.inf)
    np.subtract(top[0], top[1], out=gap, where=np.isfinite(top[1]))
    return rsrp, sinr, best, overlap, gap, top
