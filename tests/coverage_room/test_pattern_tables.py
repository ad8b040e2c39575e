"""Sectors by antenna file: the kernel's gathers against the plain formula, and what a file changes in a project."""

from dataclasses import replace

import coverage_oracle as oracle
import numpy as np
import pytest
from scene import random_sectors
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

from lcsiting.coverage import pairs, statistical
from lcsiting.coverage.antennas import with_settings
from lcsiting.coverage.sectors import build_sectors, kernel_tables
from lcsiting.errors import LayerError
from lcsiting.inputs import antenna_files as af

DEGREES = np.arange(360)


def lobes(peak_deg: float, width_deg: float, ripple: float) -> np.ndarray:
    away = (DEGREES - peak_deg + 180) % 360 - 180
    return np.minimum(12 * (away / width_deg) ** 2, 28.0) + ripple * np.sin(np.radians(7 * away)) ** 2


PATTERNS = [
    af.Pattern("a", 17.0, 2100.0, lobes(0, 65, 1.0), lobes(4, 10, 2.0)),
    af.Pattern("b", 19.0, 2100.0, lobes(-40, 33, 0.5), lobes(0, 7, 3.0)),
]


def mixed_sectors():
    """Every third sector keeps the formula."""
    sectors = random_sectors(40, 3000.0, seed=4)
    pattern = (np.arange(len(sectors.azimuth_deg)) % 3 - 1).astype(np.int16)
    return replace(sectors, pattern=pattern, patterns=kernel_tables(PATTERNS))


def level_by_hand(sectors, k, m, grid):
    """Level of sector m at every pixel, or None where it goes by the formula."""
    number = sectors.pattern[m]
    rows, cols, levels = oracle.station_window(sectors, k, grid)
    if number < 0:
        return rows, cols, levels[m - sectors.first[k]]
    step = grid.resolution_m
    dx = grid.x0_m + (np.arange(grid.cols)[cols] + 0.5) * step - sectors.x_m[k]
    dy = grid.y0_m - (np.arange(grid.rows)[rows] + 0.5) * step - sectors.y_m[k]
    dx, dy = np.meshgrid(dx, dy)
    distance = np.hypot(dx, dy)
    loss = oracle.pathloss.generic_loss_db(sectors.coefficients[k], distance)
    drop = np.degrees(np.arctan2(sectors.height_agl_m[k] - 1.5, np.maximum(distance, 10.0)))
    azimuth = np.degrees(np.arctan2(dx, dy)) - sectors.azimuth_deg[m]
    weaker = af.attenuation_db(PATTERNS[number], azimuth, np.clip(drop - sectors.tilt_deg[m], -90, 90))
    return rows, cols, np.where(distance > sectors.reach_m[k], -np.inf, sectors.eirp_dbm[m] - weaker - loss)


def test_map_kernel_reads_the_tables():
    sectors, grid = mixed_sectors(), oracle.PlainGrid(0.0, 3000.0, 25.0, 120, 120)
    layers = statistical.best_server(sectors, grid, noise_dbm=-120.0)
    top = np.full((grid.rows, grid.cols), -np.inf)
    best = np.full(top.shape, -1)
    second = top.copy()
    for k in range(len(sectors)):
        for m in range(sectors.first[k], sectors.first[k + 1]):
            rows, cols, level = level_by_hand(sectors, k, m, grid)
            part = top[rows, cols]
            best[rows, cols] = np.where(level > part, m, best[rows, cols])
            second[rows, cols] = np.maximum(second[rows, cols], np.minimum(part, level))
            top[rows, cols] = np.maximum(part, level)
    found = np.isfinite(top)
    np.testing.assert_allclose(layers.rsrp_dbm[found], top[found], atol=0.005)
    clear = found & (top - second > 0.02)
    np.testing.assert_array_equal(layers.best_sector[clear], best[clear])
    assert {-1, 0, 1} == set(sectors.pattern[best[found]]), "formula and both tables serve somewhere"


def test_pairs_see_the_same_levels_as_the_map():
    """A cell is served where the map's level reaches the threshold, patterns or not."""
    sectors, grid = mixed_sectors(), oracle.PlainGrid(0.0, 3000.0, 50.0, 60, 60)
    row, col = np.divmod(np.arange(3600), 60)
    frame = {"rows": 60, "cols": 60, "x0_m": 0.0, "y0_m": 3000.0, "resolution_m": 50.0}
    cells = pairs.demand_raster(row, col, np.zeros(3600, int), **frame)
    threshold = -72.0
    required = np.full((len(sectors.classes), 1, 1), threshold)
    counts = pairs.count_pairs(sectors, cells, required)
    indptr, indices = pairs.fill_pairs(sectors, cells, required, counts)
    for k in range(0, len(sectors), 5):
        levels = [level_by_hand(sectors, k, m, grid) for m in range(sectors.first[k], sectors.first[k + 1])]
        full = np.full((60, 60), -np.inf)
        full[levels[0][0], levels[0][1]] = np.max([level for *_, level in levels], axis=0)
        mine = np.zeros(3600, bool)
        mine[indices[indptr[k] : indptr[k + 1]]] = True
        sure = np.abs(full.ravel() - threshold) > 0.01
        np.testing.assert_array_equal(mine[sure], (full.ravel() >= threshold)[sure])


def write_pattern(path):
    lines = ["NAME own", "FREQUENCY 2600", "GAIN 18.85 dBd", "HORIZONTAL 360"]
    lines += [f"{a} {v:.2f}" for a, v in enumerate(lobes(0, 65, 0))]
    lines += ["VERTICAL 360", *(f"{a} {v:.2f}" for a, v in enumerate(lobes(3, 10, 0)))]
    path.write_text("\n".join(lines))


def test_a_project_names_files_by_band(tmp_path):
    write_pattern(tmp_path / "own.msi")
    networks = [{**RAW_CONFIG["networks"][0], "patterns": {"n41": "own.msi"}}, RAW_CONFIG["networks"][1]]
    project = replace(build_tiny_project(tiny_config(networks=networks)), root=tmp_path)
    plain = build_sectors(build_tiny_project())
    sectors = build_sectors(project)
    stations = project.stations
    owner = np.repeat(sectors.station_rows, np.diff(sectors.first))
    mine = ((stations["band"] == "n41") & ~stations["micro"]).to_numpy()[owner]
    np.testing.assert_array_equal(sectors.pattern >= 0, mine)
    assert mine.any() and not mine.all()
    np.testing.assert_allclose(sectors.eirp_dbm[mine], plain.eirp_dbm[mine] + (18.85 + 2.15) - 24.0)
    np.testing.assert_allclose(sectors.tilt_deg[mine], np.maximum(plain.tilt_deg[mine] - 3.0, 0.0))
    np.testing.assert_array_equal(sectors.eirp_dbm[~mine], plain.eirp_dbm[~mine])


def test_a_missing_file_is_named(tmp_path):
    networks = [{**RAW_CONFIG["networks"][0], "patterns": {"n41": "gone.msi"}}, RAW_CONFIG["networks"][1]]
    project = replace(build_tiny_project(tiny_config(networks=networks)), root=tmp_path)
    with pytest.raises(LayerError, match=r"gone\.msi"):
        build_sectors(project)


def test_of_a_stations_own_tilt_the_file_brings_its_part(tmp_path):
    write_pattern(tmp_path / "own.msi")
    networks = [{**RAW_CONFIG["networks"][0], "patterns": {"n41": "own.msi"}}]
    project = replace(build_tiny_project(tiny_config(networks=networks)), root=tmp_path)
    row = int(np.flatnonzero((project.stations["band"] == "n41") & ~project.stations["micro"])[0])
    sectors = build_sectors(with_settings(project, [row], tilts_deg=[(8.0, 3.5, 2.0)]), [row])
    np.testing.assert_allclose(sectors.tilt_deg, [5.0, 0.5, 0.0])
