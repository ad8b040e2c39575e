"""Rasters of the terrain models against the models themselves on profiles sampled here, in plain NumPy."""

from dataclasses import replace

import coverage_oracle as oracle
import numpy as np
import pytest
from pyproj import Geod
from scene import random_sectors
from scipy import ndimage
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

from lcsiting.coverage import pairs, statistical, sweep
from lcsiting.coverage.block import TERRAIN_ROWS
from lcsiting.coverage.refine_window import subset
from lcsiting.coverage.rowmath import LOS, P1812
from lcsiting.coverage.sectors import NEAR_FIELD
from lcsiting.coverage.terrain import Terrain, project_terrain, station_windows, window_frame, window_shapes
from lcsiting.errors import LayerError, RangeError
from lcsiting.geo import crs as coordinates
from lcsiting.geo.grid import write_raster
from lcsiting.model import Grid, Raster
from lcsiting.radio import p1812, pathloss

# A plane that is the land within a millimetre here, so that plain NumPy on straight lines is the oracle.
CRS = "+proj=tmerc +lat_0=36.5 +lon_0=116 +k=1 +x_0=3000 +y_0=3000 +ellps=GRS80 +units=m +type=crs"
GRID = Grid(0.0, 6000.0, 50.0, 120, 120, CRS)
MHZ = 3450.0
RNG = np.random.default_rng(3)
HILLS = np.cumsum(np.cumsum(RNG.normal(0, 3, (90, 90)), 0), 1).astype(np.float32)
HILLS = 60 * (HILLS - HILLS.min()) / np.ptp(HILLS)
CLUTTER = np.where(RNG.random((120, 120)) < 0.3, 12.0, 0.0).astype(np.float32)
TERRAIN = Terrain(
    ground=Raster(Grid(-1500.0, 7500.0, 100.0, 90, 90, CRS), array=HILLS),
    clutter=Raster(GRID, array=CLUTTER),
    n0=320.5,
    delta_n=40.06,
    latitude_deg=36.5,
)
# Sea in the east, a coastal strip before it, and a small time percentage, at which zones matter.
ZONES = np.where(np.arange(120) > 62, 3, np.where(np.arange(120) > 50, 1, 2)) * np.ones((120, 1), int)
COAST = replace(TERRAIN, zones=Raster(GRID, array=ZONES.astype(np.uint8)), time_pct=1.0)


def stations(count: int, kind: int, *, reach_m: float = 2000.0, model: str = "free_space", height_m: float = 35.0):
    sectors = random_sectors(count, 6000.0, seed=8, models=(0,), reach_m=reach_m)
    height = np.full(count, height_m)
    return replace(
        sectors,
        height_agl_m=height,
        coefficients=pathloss.coefficients(model, MHZ, height),
        terrain=np.full(count, kind, np.uint8),
        frequency_mhz=np.full(count, MHZ),
    )


def ground_at(x, y):
    """Bilinear between the DEM's pixel centres."""
    col, row = (np.atleast_1d(x) + 1500) / 100 - 0.5, (7500 - np.atleast_1d(y)) / 100 - 0.5
    return ndimage.map_coordinates(HILLS.astype(float), [row, col], order=1)


def profile(x0, y0, x1, y1, length=None):
    """Distance, ground and clutter at points at most 50 m apart; ``length`` where rounding would add one."""
    length = np.hypot(x1 - x0, y1 - y0) if length is None else length
    t = np.linspace(0, 1, max(2, int(np.ceil(length / TERRAIN.step_m))) + 1)
    x, y = x0 + t * (x1 - x0), y0 + t * (y1 - y0)
    row, col = np.floor((6000 - y) / 50).astype(int), np.floor(x / 50).astype(int)
    inside = (row >= 0) & (row < 120) & (col >= 0) & (col < 120)
    clutter = np.where(inside, CLUTTER[np.clip(row, 0, 119), np.clip(col, 0, 119)], 0.0)
    return t * length, ground_at(x, y), clutter


def at(windows, k, shapes, row, col):
    top, left, _, wide = shapes[k]
    return windows.loss_db[windows.index[k, 0] + (row - top) * wide + col - left]


def p1812_here(x0, y0, x1, y1, length=None, **changes):
    distance, ground, clutter = profile(x0, y0, x1, y1, length)
    terms = {"time_pct": 50.0, "tx_height_agl_m": 35.0, "rx_height_agl_m": 1.5, **changes}
    return p1812.loss_db(
        distance, ground, clutter_m=clutter, frequency_mhz=MHZ, path_latitude_deg=36.5, delta_n=40.06, n0=320.5, **terms
    )


@pytest.mark.parametrize("terrain", [TERRAIN, COAST], ids=["inland", "coast"])
def test_p1812_raster_is_the_sweep_outside_the_near_field(terrain):
    sites = stations(4, P1812)
    windows, shapes = station_windows(sites, terrain, GRID), window_shapes(sites, GRID)
    for k in range(4):
        swept = sweep.sweep_loss_db(
            "p1812", TERRAIN.ground, TERRAIN.clutter, zones=terrain.zones, tx_x_m=sites.x_m[k], tx_y_m=sites.y_m[k],
            tx_height_agl_m=35.0, rx_height_agl_m=1.5, radius_m=sites.reach_m[k], frequency_mhz=MHZ,
            time_pct=terrain.time_pct, grid=GRID, delta_n=40.06, n0=320.5, path_latitude_deg=36.5,
        ).array  # fmt: skip
        answered = np.argwhere(np.isfinite(swept))
        assert len(answered) > 500
        mine = np.array([at(windows, k, shapes, row, col) for row, col in answered])
        np.testing.assert_allclose(mine, swept[tuple(answered.T)], atol=1e-4)


def test_p1812_raster_is_near_the_model_on_the_pixels_own_profile():
    """Sharing radials is a sampling choice, and clutter drawn at random pixel by pixel its worst case."""
    sites = stations(6, P1812)
    windows, shapes = station_windows(sites, TERRAIN, GRID), window_shapes(sites, GRID)
    off = []
    for k in range(6):
        for row, col in RNG.integers(0, 120, (150, 2)):
            x, y = (col + 0.5) * 50.0, 6000.0 - (row + 0.5) * 50.0
            d = np.hypot(x - sites.x_m[k], y - sites.y_m[k])
            if 250.0 <= d <= sites.reach_m[k]:
                off.append(at(windows, k, shapes, row, col) - p1812_here(sites.x_m[k], sites.y_m[k], x, y))
    assert len(off) > 40
    assert np.median(np.abs(off)) < 4.0
    assert abs(np.mean(off)) < 2.0


def test_near_field_is_free_space_at_the_mast_and_joins_p1812():
    """Along one bearing, in steps of a metre, from the mast to beyond 250 m."""
    site = stations(1, P1812, reach_m=600.0)
    site = replace(site, x_m=np.array([3000.5]), y_m=np.array([3000.5]), reach_m=np.array([600.0]))
    fine = Grid(2700.0, 3001.0, 1.0, 1, 601, CRS)
    windows, shapes = station_windows(site, TERRAIN, fine), window_shapes(site, fine)
    assert shapes[0, 1] == 0
    loss = np.array([at(windows, 0, shapes, 0, j) for j in range(601)])
    assert np.isfinite(loss).all(), "no hole at the mast"
    mast = 20 * np.log10(4 * np.pi * 33.5 * MHZ * 1e6 / 299_792_458.0)
    assert loss[300] == pytest.approx(mast, abs=0.01)
    assert abs(loss[550] - loss[549]) < 0.5, "no step where P.1812 begins"
    assert loss[550] == pytest.approx(p1812_here(3000.5, 3000.5, 3250.5, 3000.5), abs=1e-3)
    assert (np.abs(np.diff(loss[305:549])) < 2.0).all()


@pytest.mark.parametrize("terrain", [TERRAIN, COAST], ids=["inland", "coast"])
def test_the_near_field_takes_its_share_of_p1812_s_excess(terrain):
    """A low mast behind its hill, over the sea: free space and d / 250 of the excess on the same bearing."""
    x0, y0 = 4020.0, 3020.0
    site = replace(stations(1, P1812, height_m=3.0), x_m=np.array([x0]), y_m=np.array([y0]))
    windows, shapes = station_windows(site, terrain, GRID), window_shapes(site, GRID)
    ends = {"tx_height_agl_m": 3.0, "time_pct": terrain.time_pct}
    seen = 0.0
    for row in range(54, 66):
        for col in range(75, 86):
            x, y = (col + 0.5) * 50.0, 6000.0 - (row + 0.5) * 50.0
            d = np.hypot(x - x0, y - y0)
            if not 30.0 < d < 249.0:
                continue
            far = (x0 + (x - x0) * 250 / d, y0 + (y - y0) * 250 / d)
            inland = p1812_here(x0, y0, *far, 250.0, **ends)
            excess = inland
            if terrain is COAST:  # all over the sea
                excess = p1812_here(x0, y0, *far, 250.0, zone=np.full(6, 3), tx_coast_km=0.0, rx_coast_km=0.0, **ends)
            seen = max(seen, abs(excess - inland))
            mast = ground_at(x0, y0)[0] + 3.0
            slant = [np.hypot(r, mast - ground_at(*p)[0] - 1.5) for r, p in ((d, (x, y)), (250.0, far))]
            free = [20 * np.log10(4 * np.pi * s * MHZ * 1e6 / 299_792_458.0) for s in slant]
            expected = free[0] + d / 250 * (excess - free[1])
            assert at(windows, 0, shapes, row, col) == pytest.approx(expected, abs=1e-3)
    assert (seen > 0.05) == (terrain is COAST), seen


def in_sight(x0, y0, x1, y1):
    distance, ground, clutter = profile(x0, y0, x1, y1)
    top = ground + clutter
    curve = distance * (distance[-1] - distance) / (2 * 6_371_000.0 * 4 / 3)
    ray = np.linspace(ground[0] + 35.0, ground[-1] + 1.5, len(distance)) - curve
    return bool((top[1:-1] <= ray[1:-1]).all())


@pytest.mark.parametrize(("wall_m", "seen"), [(17.6, True), (17.9, False), (18.2, False)])
def test_the_bulge_of_the_earth_hides_what_a_straight_line_would_see(wall_m, seen):
    """4 950 m over level ground, a wall half way: the ray is 18.08 m high there and the 4/3 Earth rises 0.36 m."""
    level = Raster(TERRAIN.ground.grid, array=np.zeros_like(HILLS))
    wall = np.zeros((120, 120), np.float32)
    wall[:, 60] = wall_m
    site = replace(stations(1, LOS, model="uma"), x_m=np.array([525.0]), y_m=np.array([3025.0]))
    site = replace(site, reach_m=np.array([5000.0]))
    windows = station_windows(site, replace(TERRAIN, ground=level, clutter=Raster(GRID, array=wall)), GRID)
    model = pathloss.uma_los_db if seen else pathloss.uma_nlos_db
    loss = at(windows, 0, window_shapes(site, GRID), 59, 109)
    assert loss == pytest.approx(model(4950.0, MHZ, bs_height_m=35.0), abs=1e-3)


def test_the_cover_reaches_as_far_as_one_sees():
    """In sight the loss is less than the mean the formula gives: its reach does not bound the cells served."""
    level = Raster(TERRAIN.ground.grid, array=np.zeros_like(HILLS))
    site = replace(stations(1, LOS, model="uma"), x_m=np.array([525.0]), y_m=np.array([3025.0]))
    site = replace(site, reach_m=np.array([5000.0]), horizontal_beamwidth_deg=np.full(len(site.azimuth_deg), np.inf))
    site = replace(site, vertical_beamwidth_deg=np.full(len(site.azimuth_deg), np.inf))
    windows = station_windows(site, replace(TERRAIN, ground=level, clutter=None), GRID)
    row, col = np.indices((120, 120)).reshape(2, -1)
    cells = pairs.demand_raster(
        row, col, np.zeros(14_400), rows=120, cols=120, x0_m=0.0, y0_m=6000.0, resolution_m=50.0
    )
    need = site.eirp_dbm.max() - pathloss.uma_los_db(3000.0, MHZ, bs_height_m=35.0)
    required = np.full((len(site.classes), 1, 1), need)
    _, served = pairs.fill_pairs(
        site, cells, required, pairs.count_pairs(site, cells, required, windows=windows), windows=windows
    )
    distance = np.hypot((col + 0.5) * 50 - 525.0, 6000 - (row + 0.5) * 50 - 3025.0)
    assert pairs.useful_reach_m(site, need)[0] < 2000.0
    np.testing.assert_array_equal(np.sort(served), np.flatnonzero(distance <= 3000.0))


def test_behind_a_wall_the_loss_is_never_below_that_in_sight():
    """RMa from 150 m: near the mast its NLOS line runs below the LOS line."""
    wall = np.zeros((120, 120), np.float32)
    wall[:, 60] = 140.0
    level = Raster(TERRAIN.ground.grid, array=np.zeros_like(HILLS))
    site = replace(stations(1, LOS, model="rma", height_m=150.0), x_m=np.array([2975.0]), y_m=np.array([3025.0]))
    windows = station_windows(site, replace(TERRAIN, ground=level, clutter=Raster(GRID, array=wall)), GRID)
    row = site.coefficients[0]
    bare = row[pathloss.A3] + row[pathloss.B3] * np.log10(np.hypot(100.0, row[pathloss.DH]))
    expected = pathloss.rma_nlos_db(100.0, MHZ, bs_height_m=150.0)
    assert bare < expected - 1.0
    assert at(windows, 0, window_shapes(site, GRID), 59, 61) == pytest.approx(expected, abs=1e-3)


def test_line_of_sight_decides_between_the_two_losses_of_the_report():
    sites = stations(6, LOS, model="uma")
    windows, shapes = station_windows(sites, TERRAIN, GRID), window_shapes(sites, GRID)
    seen = []
    for k in range(6):
        for row, col in RNG.integers(0, 120, (150, 2)):
            x, y = (col + 0.5) * 50.0, 6000.0 - (row + 0.5) * 50.0
            d = np.hypot(x - sites.x_m[k], y - sites.y_m[k])
            if 10.0 <= d <= sites.reach_m[k]:
                seen.append(in_sight(sites.x_m[k], sites.y_m[k], x, y))
                model = pathloss.uma_los_db if seen[-1] else pathloss.uma_nlos_db
                assert at(windows, k, shapes, row, col) == pytest.approx(model(d, MHZ, bs_height_m=35.0), abs=1e-4)
    assert 0.1 < np.mean(seen) < 0.95, "both states occur"


def test_rows_of_a_window_are_the_whole_windows_rows_and_threads_do_not_matter():
    sites = stations(9, P1812)
    whole, shapes = station_windows(sites, TERRAIN, GRID, threads=1), window_shapes(sites, GRID)
    again = station_windows(sites, TERRAIN, GRID, threads=3)
    np.testing.assert_array_equal(whole.loss_db, again.loss_db)
    part, small = station_windows(sites, TERRAIN, GRID, rows=(40, 70)), window_shapes(sites, GRID, (40, 70))
    for k in np.flatnonzero(small[:, 2]):
        top, left, high, wide = small[k]
        start = whole.index[k, 0] + (top - shapes[k, 0]) * shapes[k, 3] + (left - shapes[k, 1])
        rows = [whole.loss_db[start + i * shapes[k, 3] :][:wide] for i in range(high)]
        begin = part.index[k, 0]
        np.testing.assert_array_equal(np.concatenate(rows), part.loss_db[begin : begin + high * wide])


def test_pixels_of_a_window_lie_where_they_do_whatever_rows_a_block_leaves_of_it():
    """Bit for bit also where no power of two divides the pixel, and where they are by definition."""
    grid = Grid(400_000.1, 4_050_000.7, 33.3, 3000, 400, "EPSG:4548")
    sites = replace(stations(40, P1812), y_m=RNG.uniform(3_960_000, 4_040_000, 40), x_m=np.full(40, 405_000.0))

    def rows_of(shape, frame):
        return {int(shape[0]) + i: frame.y0_m - (i + 0.5) * frame.pixel_m for i in range(frame.rows)}

    whole = window_shapes(sites, grid)
    for k, shape in enumerate(whole):
        y = rows_of(shape, window_frame(grid, sites.y_m[k], shape))
        parts = {}
        for first in range(0, grid.rows, 128):
            cut = window_shapes(sites, grid, (first, min(first + 128, grid.rows)))[k]
            parts |= rows_of(cut, window_frame(grid, sites.y_m[k], cut))
        assert parts == y and len(y) == shape[2] > 50
        expected = grid.y0_m - (np.array(list(y)) + 0.5) * grid.resolution_m
        np.testing.assert_allclose(list(y.values()), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dem_m", [100.0, 33.3])
@pytest.mark.parametrize("kind", [P1812, LOS])
def test_a_stations_window_is_its_own_whatever_the_others_and_wherever_the_rasters_lie(tmp_path, kind, dem_m):
    """Alone, among others and from files, bit for bit; also where no power of two divides the DEM's pixels."""
    sites = stations(7, kind, model="uma")
    frame = Grid(-1500.3, 7500.1, dem_m, 90 * 100 // int(dem_m), 90 * 100 // int(dem_m), "EPSG:4548")
    ground = np.round(ndimage.zoom(HILLS, frame.rows / 90, order=1)).astype(np.int16)
    classes = Raster(GRID, array=RNG.integers(0, 5, (120, 120)).astype(np.uint8))
    table = np.zeros(256, np.float32)
    table[1:5] = 3.0, 9.0, 14.0, 25.0
    kept = replace(TERRAIN, ground=Raster(frame, array=ground), clutter=classes, clutter_height_m=table)
    files = {name: write_raster(tmp_path / f"{name}.tif", getattr(kept, name)) for name in ("ground", "clutter")}
    left = replace(kept, **{name: replace(getattr(kept, name), array=None, path=files[name]) for name in files})
    heights = replace(kept, clutter=Raster(GRID, array=table[classes.array]), clutter_height_m=None)
    together = station_windows(sites, kept, GRID)
    for other in (left, heights):
        np.testing.assert_array_equal(together.loss_db, station_windows(sites, other, GRID).loss_db)
    for k in range(7):
        lone = subset(sites, np.array([k]))
        begin = together.index[k, 0]
        own = station_windows(lone, left, GRID)
        np.testing.assert_array_equal(own.loss_db, together.loss_db[begin : begin + own.loss_db.size])
        np.testing.assert_array_equal(own.depression_deg, together.depression_deg[begin : begin + own.loss_db.size])


def test_distances_are_geodesic_at_the_edge_of_a_zone():
    """On bare level land a UMa station's loss is that of the ellipsoid's distance, 0.03 per cent off the plane's."""
    x0, y0, crs = 350_000.0, 4_030_000.0, "EPSG:4548"
    grid = Grid(x0, y0 + 6000.0, 50.0, 120, 120, crs)
    level = Raster(Grid(x0 - 1000.0, y0 + 7000.0, 100.0, 80, 80, crs), array=np.zeros((80, 80), np.float32))
    land = replace(TERRAIN, ground=level, clutter=Raster(grid, array=np.zeros((120, 120), np.float32)))
    sites = stations(2, LOS, model="uma")
    sites = replace(sites, x_m=sites.x_m + x0, y_m=sites.y_m + y0)
    windows, shapes = station_windows(sites, land, grid), window_shapes(sites, grid)
    for k in range(2):
        top, left, high, wide = shapes[k]
        x, y = np.meshgrid(*(v[a : a + n] for v, a, n in zip(centres(grid), (left, top), (wide, high), strict=True)))
        lon, lat = coordinates.transform(x, y, crs, "EPSG:4490")
        start = coordinates.transform(sites.x_m[k], sites.y_m[k], crs, "EPSG:4490")
        d = Geod(ellps="GRS80").inv(*np.broadcast_arrays(*start, lon, lat))[2]
        first = windows.index[k, 0]
        loss = windows.loss_db[first : first + high * wide].reshape(high, wide)
        inside = (d > 10.0) & (d <= sites.reach_m[k])
        assert inside.sum() > 500
        np.testing.assert_allclose(loss[inside], pathloss.uma_los_db(d[inside], MHZ, bs_height_m=35.0), atol=2e-5)
        plane = np.hypot(x - sites.x_m[k], y - sites.y_m[k])[inside]
        assert np.median(np.abs(pathloss.uma_los_db(plane, MHZ, bs_height_m=35.0) - loss[inside])) > 2e-3


def test_the_kernel_takes_the_raster_loss_and_the_terrains_depression():
    lone = stations(1, P1812)
    lone = replace(
        lone,
        x_m=np.array([2999.0]), y_m=np.array([3001.0]),
        first=np.array([0, 1]), azimuth_deg=np.zeros(1), tilt_deg=np.array([5.0]), eirp_dbm=np.array([30.0]),
        horizontal_beamwidth_deg=np.array([np.inf]), vertical_beamwidth_deg=np.array([12.0]),
    )  # fmt: skip
    windows, shapes = station_windows(lone, TERRAIN, GRID), window_shapes(lone, GRID)
    layers = statistical.best_server(lone, GRID, noise_dbm=-120.0, windows=windows)
    mast = ground_at(2999.0, 3001.0)[0] + 35.0
    for row, col in ((59, 75), (40, 52), (70, 60), (60, 60)):
        x, y = (col + 0.5) * 50.0, 6000.0 - (row + 0.5) * 50.0
        drop = np.degrees(np.arctan2(mast - ground_at(x, y)[0] - 1.5, max(np.hypot(x - 2999, y - 3001), 10.0)))
        expected = 30.0 - min(12 * ((drop - 5.0) / 12.0) ** 2, 30.0) - at(windows, 0, shapes, row, col)
        assert layers.rsrp_dbm[row, col] == pytest.approx(expected, abs=0.002)


@pytest.fixture(scope="module")
def p1812_city():
    networks = [{**RAW_CONFIG["networks"][0], "model": "p1812"}, RAW_CONFIG["networks"][1]]
    return build_tiny_project(tiny_config(networks=networks))


def test_a_network_by_p1812_has_no_holes_and_counts_its_near_field(p1812_city):
    from lcsiting.coverage.coverage import predict_coverage

    project = p1812_city
    first, second = (network.name for network in project.config.networks)
    today = predict_coverage(project, None, 2019)
    layers = today.layers[first]
    rsrp, flags = layers["rsrp_dbm"].array, layers["model_flags"].array
    best = layers["best_sector"].array
    stations = project.stations[project.stations["on_air"] & (project.stations["network"] == first)]
    assert (stations["model"] == "p1812").all()
    x, y = np.meshgrid(*centres(project.grid))
    nearest = np.full(x.shape, np.inf)
    for point in project.places.geometry.iloc[stations["place"]]:
        nearest = np.minimum(nearest, np.hypot(x - point.x, y - point.y))
    assert np.isfinite(rsrp[nearest < 2900.0]).all()
    assert ((flags == NEAR_FIELD)[nearest < 249.0]).mean() > 0.9
    owner = today.sectors["station_id"].to_numpy()
    place = project.stations.set_index("station_id")["place"]
    at = project.places.geometry.iloc[place.loc[owner]]
    d = np.hypot(x - at.x.to_numpy()[best], y - at.y.to_numpy()[best])
    np.testing.assert_array_equal(flags == NEAR_FIELD, (best >= 0) & (d < 250.0))
    assert today.flags[first]["near_field_pixels"] == (flags == NEAR_FIELD).sum()
    assert "model_flags" not in today.layers[second], "the other network keeps its statistical models"
    assert TERRAIN_ROWS % statistical.TILE == 0


def centres(grid):
    from lcsiting.geo.grid import cell_centres

    return cell_centres(grid)


def test_the_cover_counts_what_the_rasters_say(p1812_city):
    """Pairs of some stations against levels formed here from the windows."""
    from lcsiting.coverage.sectors import build_sectors, thresholds_dbm
    from lcsiting.inputs import derive

    project = p1812_city
    rows = np.flatnonzero(project.stations["network_index"] == 0)[:6]
    sites, grid, cells = build_sectors(project, rows), derive.demand_grid(project), derive.demand_cells(project)
    frame = {k: getattr(grid, k) for k in ("rows", "cols", "x0_m", "y0_m", "resolution_m")}
    demand = pairs.demand_raster(cells["row"], cells["col"], cells["morphology"], **frame)
    windows, shapes = station_windows(sites, project_terrain(project), grid), window_shapes(sites, grid)
    required = thresholds_dbm(project, sites)
    counts = pairs.count_pairs(sites, demand, required, windows=windows)
    indptr, indices = pairs.fill_pairs(sites, demand, required, counts, windows=windows)
    assert counts.sum() == len(indices) == indptr[-1] > 0
    for k in range(len(sites)):
        top, left, high, wide = shapes[k]
        piece = slice(windows.index[k, 0], windows.index[k, 0] + high * wide)
        loss, drop = (array[piece].reshape(high, wide) for array in (windows.loss_db, windows.depression_deg))
        x, y = centres(grid)
        dx, dy = np.meshgrid(x[left : left + wide] - sites.x_m[k], y[top : top + high] - sites.y_m[k])
        azimuth = np.degrees(np.arctan2(dx, dy)) + sites.convergence_deg[k]
        level = np.full(loss.shape, -np.inf)
        for m in range(sites.first[k], sites.first[k + 1]):
            turn = np.abs((azimuth - sites.azimuth_deg[m] + 180) % 360 - 180) / sites.horizontal_beamwidth_deg[m]
            down = (drop - sites.tilt_deg[m]) / sites.vertical_beamwidth_deg[m]
            weaker = np.minimum(np.minimum(12 * turn**2, 30) + np.minimum(12 * down**2, 30), 30)
            level = np.maximum(level, sites.eirp_dbm[m] - weaker - loss)
        cell = demand.index[top : top + high, left : left + wide]
        need = required[sites.klass[k]][demand.morphology[cell], 0]
        reached = (level >= need) & (cell >= 0) & (np.hypot(dx, dy) <= sites.reach_m[k])
        ties = (np.abs(level - need) < 0.002).sum() + (np.abs(np.hypot(dx, dy) - sites.reach_m[k]) < 100.0).sum()
        assert abs(int(reached.sum()) - int(counts[k, 0])) <= ties


def test_without_a_dem_the_project_says_so(p1812_city):
    with pytest.raises(LayerError, match="DEM"):
        project_terrain(replace(p1812_city, dem=None))


def test_a_near_field_shorter_than_the_model_is_refused(p1812_city, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "propagation.toml").write_text("[near_field_m]\nvalue = 100.0\n", encoding="utf-8")
    with pytest.raises(RangeError, match=r"near_field_m.* 250 .*first 100 m"):
        project_terrain(replace(p1812_city, root=tmp_path))


def test_stations_by_formula_need_no_raster():
    assert station_windows(random_sectors(3, 1000.0), None, GRID) is None
    plain = oracle.PlainGrid(0.0, 1000.0, 20.0, 50, 50)
    a = statistical.best_server(random_sectors(3, 1000.0), plain, noise_dbm=-120.0)
    assert np.isfinite(a.rsrp_dbm).any()


def test_large_windows_lie_in_a_file_and_are_the_same(monkeypatch):
    from lcsiting.coverage import terrain

    sites = stations(5, P1812)
    memory = station_windows(sites, TERRAIN, GRID)
    monkeypatch.setattr(terrain, "IN_MEMORY_BYTES", 0.0)
    file = station_windows(sites, TERRAIN, GRID)
    for a, b in zip(memory, file, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_dem_that_ends_too_early_is_an_error_a_pixel_short_is_not():
    sites = stations(5, LOS, model="uma")
    part = Grid(0.0, 6000.0, 100.0, 60, 59, CRS)
    short = replace(TERRAIN, ground=Raster(part, array=HILLS[15:75, 15:74].copy()))
    assert np.isfinite(station_windows(sites, short, GRID).loss_db).all()
    far = Grid(0.0, 6000.0, 100.0, 60, 30, CRS)
    with pytest.raises(LayerError, match="larger DEM"):
        station_windows(sites, replace(TERRAIN, ground=Raster(far, array=HILLS[15:75, 15:45].copy())), GRID)
