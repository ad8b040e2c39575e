"""Stations that form no beams in some directions: every kernel against the plain formula less the reduction."""

from dataclasses import replace

import coverage_oracle as oracle
import numpy as np
import pytest
from scene import random_sectors
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

from lcsiting.coverage import pairs, statistical, streaming
from lcsiting.coverage.antennas import (
    Exclusions,
    excluded_db,
    exclusions_of,
    exclusions_text,
    exclusions_tuple,
    some_exclusions,
    station_antennas,
    with_settings,
)
from lcsiting.coverage.coverage import predict_coverage
from lcsiting.coverage.refine_window import subset
from lcsiting.coverage.sectors import build_sectors, kernel_tables
from lcsiting.errors import LayerError
from lcsiting.geo import geodesic
from lcsiting.inputs import antenna_files as af
from lcsiting.inputs import derive
from lcsiting.siting.cover import cover_rows

EDGE_DEG = 0.001  # the kernel's angles are right to 1e-4 degrees; so near an edge a pixel may fall on either side


def reduction_db(wedges, bearing_deg):
    """The deepest of the wedges a true bearing lies in, and whether it lies on an edge."""
    out, edge = np.zeros(np.shape(bearing_deg)), np.zeros(np.shape(bearing_deg), bool)
    for centre, half, db in wedges:
        away = np.degrees(np.arccos(np.clip(np.cos(np.radians(bearing_deg - centre)), -1, 1)))
        out = np.where((away <= half) & (db > out), db, out)
        edge |= np.abs(away - half) < EDGE_DEG
    return out, edge


def some_wedges(count, seed=0):
    """None, one, or several that overlap, one of them across the north and one all around."""
    rng = np.random.default_rng(seed)
    kinds = [
        (),
        ((rng.uniform(0, 360), 10.0, 12.0),),
        ((355.0, 20.0, 12.0), (10.0, 8.0, 15.0), (200.0, 60.0, 3.0)),
        ((77.7, 180.0, 6.0),),
    ]
    return [kinds[k % 4] for k in range(count)]


def map_by_hand(sectors, wedges, grid):
    """Strongest level of every pixel, the second, and where an edge of a wedge leaves it open."""
    top, second = np.full((2, grid.rows, grid.cols), -np.inf)
    open_to_doubt = np.zeros(top.shape, bool)
    for k in range(len(sectors)):
        rows, cols, levels = oracle.station_window(sectors, k, grid)
        x = grid.x0_m + (np.arange(grid.cols)[cols] + 0.5) * grid.resolution_m
        y = grid.y0_m - (np.arange(grid.rows)[rows] + 0.5) * grid.resolution_m
        bearing = np.degrees(np.arctan2(*np.meshgrid(x - sectors.x_m[k], y - sectors.y_m[k])))
        if sectors.convergence_deg is not None:
            bearing = bearing + sectors.convergence_deg[k]
        less, edge = reduction_db(wedges[k], bearing)
        open_to_doubt[rows, cols] |= edge
        for level in levels - less:
            second[rows, cols] = np.maximum(second[rows, cols], np.minimum(top[rows, cols], level))
            top[rows, cols] = np.maximum(top[rows, cols], level)
    return top, second, open_to_doubt


@pytest.mark.parametrize("turned", [False, True], ids=["grid north", "3 degrees off it"])
def test_the_map_kernel_lowers_every_sector_inside_the_wedges_and_nothing_outside(turned):
    sectors, grid = random_sectors(40, 3000.0, seed=4), oracle.PlainGrid(0.0, 3000.0, 25.0, 120, 120)
    if turned:
        sectors = replace(sectors, convergence_deg=np.linspace(-3, 3, 40))
    wedges = some_wedges(40)
    excluded = replace(sectors, exclusions=exclusions_of(wedges))
    plain, layers = (statistical.best_server(one, grid, noise_dbm=-120.0) for one in (sectors, excluded))
    top, _, doubt = map_by_hand(sectors, wedges, grid)
    sure = np.isfinite(top) & ~doubt
    np.testing.assert_allclose(layers.rsrp_dbm[sure], top[sure], atol=0.001)
    changed = sure & (layers.rsrp_dbm < plain.rsrp_dbm - 0.01)
    assert changed.mean() > 0.1 and sure.mean() > 0.95
    # Turned the wrong way by the convergence the pixels beside the edges would differ by the whole reduction.
    if turned:
        wrong = map_by_hand(replace(sectors, convergence_deg=-sectors.convergence_deg), wedges, grid)[0]
        assert (np.abs(layers.rsrp_dbm[sure] - wrong[sure]) > 1.0).any()


def test_outside_the_wedges_not_a_bit_changes():
    one, grid = random_sectors(1, 1000.0, seed=1), oracle.PlainGrid(-1500.0, 2500.0, 25.0, 160, 160)
    wedges = [((140.0, 25.0, 12.0),)]
    plain, layers = (
        statistical.best_server(s, grid, noise_dbm=-120.0)
        for s in (one, replace(one, exclusions=exclusions_of(wedges)))
    )
    x, y = grid.x0_m + (np.arange(160) + 0.5) * 25.0, grid.y0_m - (np.arange(160) + 0.5) * 25.0
    bearing = np.degrees(np.arctan2(*np.meshgrid(x - one.x_m[0], y - one.y_m[0])))
    less, edge = reduction_db(wedges[0], bearing)
    received = np.isfinite(plain.rsrp_dbm) & ~edge
    outside, inside = received & (less == 0), received & (less > 0)
    assert inside.sum() > 500
    np.testing.assert_array_equal(layers.rsrp_dbm[outside], plain.rsrp_dbm[outside])
    np.testing.assert_array_equal(layers.best_sector[received], plain.best_sector[received])
    np.testing.assert_allclose(layers.rsrp_dbm[inside], plain.rsrp_dbm[inside] - 12.0, atol=2e-5)


def test_sectors_by_antenna_file_lose_the_same():
    away = (np.arange(360) + 180) % 360 - 180
    pattern = af.Pattern("a", 17.0, 2100.0, np.minimum(12 * (away / 65) ** 2, 28.0), np.minimum(abs(away) / 3, 25.0))
    sectors, grid = random_sectors(3, 1500.0, seed=7), oracle.PlainGrid(0.0, 1500.0, 12.5, 120, 120)
    number = (np.arange(len(sectors.azimuth_deg)) % 2 - 1).astype(np.int16)
    sectors = replace(sectors, pattern=number, patterns=kernel_tables([pattern]))
    all_around = exclusions_of([((0.0, 180.0, 12.0),)] * 3)
    plain, layers = (
        statistical.best_server(s, grid, noise_dbm=-120.0) for s in (sectors, replace(sectors, exclusions=all_around))
    )
    np.testing.assert_allclose(layers.rsrp_dbm, plain.rsrp_dbm - 12.0, atol=2e-5)
    np.testing.assert_array_equal(layers.best_sector, plain.best_sector)
    assert {-1, 0} == set(number[plain.best_sector[plain.best_sector >= 0]])


def test_the_demand_cells_see_the_same_levels():
    sectors, grid = random_sectors(40, 3000.0, seed=4), oracle.PlainGrid(0.0, 3000.0, 50.0, 60, 60)
    wedges = some_wedges(40, seed=3)
    sectors = replace(sectors, exclusions=exclusions_of(wedges))
    cells = pairs.demand_raster(
        *np.divmod(np.arange(3600), 60), np.zeros(3600, int), rows=60, cols=60, x0_m=0.0, y0_m=3000.0, resolution_m=50.0
    )
    threshold, fewer = -80.0, 0
    required = np.full((len(sectors.classes), 1, 1), threshold)
    indptr, indices = pairs.fill_pairs(sectors, cells, required, pairs.count_pairs(sectors, cells, required))
    before = pairs.count_pairs(replace(sectors, exclusions=None), cells, required)
    for k in range(len(sectors)):
        alone = subset(replace(sectors, exclusions=None), np.array([k]))
        top, _, doubt = map_by_hand(alone, [wedges[k]], grid)
        mine = np.zeros(3600, bool)
        mine[indices[indptr[k] : indptr[k + 1]]] = True
        sure = (np.abs(top - threshold) > 0.01).ravel() & ~doubt.ravel()
        np.testing.assert_array_equal(mine[sure], (top.ravel() >= threshold)[sure])
        fewer += mine.sum() < before[k, 0]
        assert wedges[k] or mine.sum() == before[k, 0]
    assert fewer > 10


# ---------------------------------------------------------------- projects


@pytest.fixture(scope="module")
def city():
    """One network by P.1812, one by formulas; every macro station of both excludes two directions."""
    networks = [{**RAW_CONFIG["networks"][0], "model": "p1812"}, RAW_CONFIG["networks"][1]]
    plain = build_tiny_project(tiny_config(networks=networks))
    rows = np.flatnonzero(~plain.stations["micro"].to_numpy(bool))
    wedges = [((float(30 * k % 360), 15.0, 12.0), (float(30 * k % 360) + 20.0, 15.0, 6.0)) for k in range(len(rows))]
    return plain, with_settings(plain, rows, exclusions=wedges), rows, wedges


def test_the_cover_of_both_models_loses_the_cells_inside(city):
    """Cell by cell by true bearing: as the plain station outside, as the same turned down by 12 or 6 dB inside."""
    plain, changed, rows, wedges = city
    cells = derive.demand_cells(plain)
    n = len(cells) * len(plain.config.networks) * len(plain.config.services)

    def served(project):
        indptr, indices = cover_rows(project, rows, cells)
        return [np.isin(np.arange(n), part) for part in np.split(indices, indptr[1:-1])]

    full, got = served(plain), served(changed)
    half, least = (served(with_settings(plain, rows, power_offset_db=-db)) for db in (6.0, 12.0))
    frame = derive.demand_grid(plain)
    x = frame.x0_m + (cells["col"].to_numpy() + 0.5) * frame.resolution_m
    y = frame.y0_m - (cells["row"].to_numpy() + 0.5) * frame.resolution_m
    points = plain.places.geometry.iloc[plain.stations["place"].to_numpy()[rows]]
    lost = dict.fromkeys(plain.stations["model"], 0)
    for k, (point, mine) in enumerate(zip(points, got, strict=True)):
        bearing = geodesic.inverse(plain.config.project.crs, point.x, point.y, x, y)[1]
        less, edge = (np.tile(one, n // len(cells)) for one in reduction_db(wedges[k], bearing))
        wanted = np.select([less == 12.0, less == 6.0], [least[k], half[k]], full[k])
        np.testing.assert_array_equal(mine[~edge], wanted[~edge])
        lost[plain.stations["model"].iloc[rows[k]]] += int((full[k] & ~mine).sum())
    assert lost["p1812"] > 100 and sum(lost.values()) > lost["p1812"] + 100


def test_streamed_pixels_know_the_wedges(city, tmp_path):
    plain, changed, *_ = city
    whole = predict_coverage(changed, None, 2019)
    layers, *_ = streaming.stream_coverage(
        changed, None, 2019, tmp_path, executor="threads", threads=2, pixels_per_block=128 * 240
    )
    weaker = 0
    before = predict_coverage(plain, None, 2019)
    for network, expected in whole.layers.items():
        for name, layer in expected.items():
            np.testing.assert_array_equal(streaming.raster.pixels(layers[network][name]), layer.array)
        weaker += (before.layers[network]["rsrp_dbm"].array - expected["rsrp_dbm"].array > 5.9).sum()
    assert weaker > 100


def test_a_subset_keeps_the_wedges_of_its_stations():
    sectors = replace(random_sectors(8, 3000.0), exclusions=exclusions_of(some_wedges(8)))
    part = subset(sectors, np.array([6, 1, 2, 0]))
    assert part.exclusions.first.tolist() == [0, 3, 4, 7, 7]
    wedges = some_wedges(8)
    assert part.exclusions.wedge.tolist() == [list(w) for k in (6, 1, 2, 0) for w in wedges[k]]


# ---------------------------------------------------------------- the setting itself


def test_reduction_toward_a_bearing_is_the_deepest_wedge_around_it():
    wedges = some_wedges(8)
    who, bearing = np.repeat(np.arange(8), 720), np.tile(np.arange(720) / 2.0 + 0.1, 8)
    got = excluded_db(exclusions_of(wedges), who, bearing)
    for k in range(8):
        np.testing.assert_array_equal(got[who == k], reduction_db(wedges[k], bearing[who == k])[0])
    assert excluded_db(exclusions_of([((0.0, 10.0, 12.0),)]), [0, 0, 0, 0], [10, 350, 10.01, 349.99]).tolist() == [
        12.0, 12.0, 0.0, 0.0,
    ]  # fmt: skip
    assert some_exclusions(Exclusions(np.zeros(3, np.int64), np.zeros((0, 3))), [1, 1]).first.tolist() == [0, 0, 0]


def test_a_station_carries_its_wedges(tiny_project):
    row = int(np.flatnonzero(~tiny_project.stations["micro"])[0])
    wedges = ((225.3, 10.0, 12.0), (40.0, 10.0, 12.0))
    changed = with_settings(tiny_project, [row], exclusions=[wedges])
    assert "exclusions" not in tiny_project.stations, "nothing is changed in place"
    found = station_antennas(changed, [row - 1, row] if row else [row, row + 1]).exclusions
    assert found.wedge.tolist() == [list(wedge) for wedge in wedges]
    assert build_sectors(changed, [row]).exclusions.first.tolist() == [0, 2]
    assert build_sectors(tiny_project, [row]).exclusions is None
    turned = with_settings(changed, [row], azimuths_deg=[(10.0, 130.0, 250.0)], tilts_deg=[None])
    assert turned.stations["exclusions"].iloc[row] == wedges, "other settings leave it alone"
    assert with_settings(turned, [row], exclusions=[()]).stations["exclusions"].iloc[row] is None


@pytest.mark.parametrize(
    "wedge", [(10.0, 5.0), (10.0, -1.0, 12.0), (10.0, 181.0, 12.0), (10.0, 5.0, -3.0), (np.nan, 5.0, 12.0)]
)
def test_what_is_no_wedge_is_refused(tiny_project, wedge):
    with pytest.raises(LayerError, match=f"{tiny_project.stations['station_id'].iloc[2]}.*exclusions"):
        with_settings(tiny_project, [2], exclusions=[(wedge,)])


def test_wedges_survive_as_text():
    for wedges in (((225.3, 10.0, 12.0),), ((0.1 + 0.2, 9.75, 12.0), (359.999999999, 10.0, 3.0)), None):
        assert exclusions_tuple(exclusions_text(wedges)) == wedges
    assert exclusions_text(((225.3, 10.0, 12.0), (40.0, 10.0, 12.0))) == "225.3:10:12/40:10:12"
    assert exclusions_text(()) == ""
