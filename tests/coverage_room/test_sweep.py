"""K2: the sweep equals the scans of the published models on the same profile, pixel by pixel, and is honest elsewhere.

The scans are those of ``p452.path_terms`` and ``p1812.path_terms``, which the ITU's own rows test; here they see the
radial's profile with the receiver at its end.
"""

import math

import numpy as np
import pytest
from pyproj import Geod
from skips import SHARED

from lcsiting.coverage import sweep
from lcsiting.errors import LayerError, RangeError
from lcsiting.geo import crs as coordinates
from lcsiting.geo import grid as raster
from lcsiting.geo import resample
from lcsiting.model import Grid, Raster
from lcsiting.radio import p452, p1812
from lcsiting.radio.diffraction import inverse_normal
from lcsiting.radio.terrain import clutter_heights_at, heights_at

CRS, GEOD = "EPSG:4548", Geod(ellps="GRS80")
SIZE, PIXEL_M = 121, 100.0
CLIMATE = {"delta_n": 40.06, "n0": 320.5}
MODELS = ["p452", "p1812", "bullington"]
REAL = {"texas_srtm3_gentle": "EPSG:32614", "zion_srtm3_hills": "EPSG:32612",
        "N49W123_srtm3_flat_delta_and_mountains": "EPSG:32610", "luxembourg_elev_30as": "EPSG:32632"}  # fmt: skip


def synthetic(kind: str, pixel_m: float = PIXEL_M) -> Raster:
    """Spectral terrain: a plain of 4 m, hills of 120 m standard deviation, or land as flat as a table."""
    rng = np.random.default_rng(7)
    fy, fx = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :]
    wave_number = np.hypot(fy, fx)
    wave_number[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE, SIZE))) * wave_number**-1.65
    spectrum[0, 0] = 0.0
    z = np.fft.irfft2(spectrum, s=(SIZE, SIZE))
    z = 40.0 + {"plain": 4.0, "hills": 120.0, "table": 0.0}[kind] * z / z.std()
    return Raster(Grid(400_000.0, 4_050_000.0, pixel_m, SIZE, SIZE, CRS), array=z.astype(np.float32))


def clutter_on(dem: Raster) -> Raster:
    """Blocks of buildings and trees, 3 to 30 m, on three tenths of the pixels."""
    rng = np.random.default_rng(8)
    shape = (dem.grid.rows, dem.grid.cols)
    heights = np.where(rng.random(shape) < 0.3, rng.uniform(3.0, 30.0, shape), 0.0)
    return Raster(dem.grid, array=heights.astype(np.float32))


def question(dem: Raster, radius_m: float = 5500.0, **changes) -> dict:
    """A site a little off the middle pixel."""
    grid = dem.grid
    return {
        "tx_x_m": grid.x0_m + (grid.cols / 2 + 0.3) * grid.resolution_m,
        "tx_y_m": grid.y0_m - (grid.rows / 2 - 0.2) * grid.resolution_m,
        "tx_height_agl_m": 30.0,
        "rx_height_agl_m": 5.0,
        "radius_m": radius_m,
        "frequency_mhz": 3500.0,
        "time_pct": 10.0,
        **CLIMATE,
        **changes,
    }


def distance_m(grid: Grid, asked: dict) -> np.ndarray:
    """Geodesic distance of every pixel from the site."""
    x, y = np.meshgrid(*raster.cell_centres(grid))
    lon, lat = coordinates.transform(asked["tx_x_m"], asked["tx_y_m"], grid.crs, "EPSG:4490")
    there = coordinates.transform(x, y, grid.crs, "EPSG:4490")
    return GEOD.inv(np.full(x.shape, lon), np.full(x.shape, lat), *there)[2]


def largest_difference(model, dem, clutter, **asked) -> float:
    swept = sweep.sweep_loss_db(model, dem, clutter, **asked).array
    scanned = sweep.sweep_loss_db(model, dem, clutter, scan=True, **asked).array
    np.testing.assert_array_equal(np.isnan(swept), np.isnan(scanned))
    assert np.isfinite(swept).sum() > 4000
    return float(np.nanmax(np.abs(swept - scanned)))


@pytest.mark.parametrize("covered", [False, True], ids=["bare", "clutter"])
@pytest.mark.parametrize("terrain", ["plain", "hills", "table"])
@pytest.mark.parametrize("model", MODELS)
def test_sweep_is_the_scan_on_every_pixel(model, terrain, covered):
    dem = synthetic(terrain)
    clutter = clutter_on(dem) if covered else None
    assert largest_difference(model, dem, clutter, **question(dem)) < 1e-9


def coast_on(dem: Raster) -> Raster:
    """Sea in the north-east, a coastal strip and an island before it, inland elsewhere."""
    row, col = np.indices((dem.grid.rows, dem.grid.cols))
    away = col - row + 8 * np.sin(row / 6)
    zone = np.where(away > 12, 3, np.where(away > 2, 1, 2))
    zone[20:26, 90:99] = 2
    return Raster(dem.grid, array=zone.astype(np.uint8))


@pytest.mark.parametrize("covered", [False, True], ids=["bare", "clutter"])
@pytest.mark.parametrize(("model", "time_pct"), [("p452", 1.0), ("p452", 50.0), ("p1812", 10.0)])
def test_sweep_is_the_scan_over_land_and_sea(model, time_pct, covered):
    dem = synthetic("plain")
    clutter, zones = clutter_on(dem) if covered else None, coast_on(dem)
    asked = question(dem, time_pct=time_pct)
    assert largest_difference(model, dem, clutter, zones=zones, **asked) < 1e-9
    inland = sweep.sweep_loss_db(model, dem, clutter, **asked).array
    everywhere = Raster(dem.grid, array=np.full_like(zones.array, 2))
    same = sweep.sweep_loss_db(model, dem, clutter, zones=everywhere, **asked).array
    np.testing.assert_allclose(same, inland, atol=1e-9)
    coastal = sweep.sweep_loss_db(model, dem, clutter, zones=zones, **asked).array
    assert np.nanmax(np.abs(coastal - inland)) > (0.5 if time_pct < 50 else 1e-4)


def test_zones_are_one_two_or_three():
    dem = synthetic("plain")
    zones = Raster(dem.grid, array=np.full((SIZE, SIZE), 7, np.uint8))
    with pytest.raises(LayerError, match=r"radio_zones.* 7"):
        sweep.sweep_loss_db("p452", dem, zones=zones, **question(dem))
    unknown = Raster(dem.grid, array=np.full((SIZE, SIZE), 255, np.uint8), nodata=255)
    answer = sweep.sweep_loss_db("p452", dem, zones=unknown, **question(dem)).array
    np.testing.assert_allclose(answer, sweep.sweep_loss_db("p452", dem, **question(dem)).array, atol=1e-9)


@pytest.mark.parametrize("step_m", [20.0, 30.0, 50.0, 100.0])
@pytest.mark.parametrize("terrain", ["plain", "hills"])
def test_p452_clutter_lags_the_receiver_by_50_m_at_every_step(terrain, step_m):
    dem = synthetic(terrain, pixel_m=step_m)
    asked = question(dem, 55 * step_m, rx_height_agl_m=3.0, frequency_mhz=6000.0, time_pct=1.0)
    assert largest_difference("p452", dem, clutter_on(dem), **asked) < 1e-9


def test_sweep_is_the_scan_across_powers_masts_and_percentages():
    dem = synthetic("hills")
    for model, mast, mobile, mhz, p in [
        ("p452", 0.5, 0.5, 120.0, 50.0),
        ("p452", 300.0, 1.5, 26_000.0, 0.01),
        ("p1812", 60.0, 60.0, 700.0, 50.0),
        ("p1812", 3.0, 150.0, 6000.0, 1.0),
    ]:
        asked = question(dem, tx_height_agl_m=mast, rx_height_agl_m=mobile, frequency_mhz=mhz, time_pct=p)
        assert largest_difference(model, dem, clutter_on(dem), **asked) < 1e-9


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.shared(f"dem/{name}.tif")) for name in sorted(REAL)]
)
def test_sweep_is_the_scan_on_real_terrain(name):
    dem = resample.read_own_frame(SHARED / "dem" / f"{name}.tif", REAL[name], fill=0)
    dem = Raster(dem.grid, array=np.where(dem.array < -100, 0, dem.array).astype(np.float32))
    for covered in (None, clutter_on(dem)):
        for model in MODELS:
            radius = (min(dem.grid.rows, dem.grid.cols, 240) // 2 - 2) * dem.grid.resolution_m
            assert largest_difference(model, dem, covered, **question(dem, radius)) < 1e-9


@pytest.mark.parametrize("covered", [False, True], ids=["bare", "clutter"])
def test_viewshed_is_the_scan(covered):
    dem = synthetic("hills")
    clutter = clutter_on(dem) if covered else None
    asked = {k: v for k, v in question(dem).items() if k not in ("frequency_mhz", "time_pct", "n0", "delta_n")}
    swept = sweep.viewshed(dem, clutter, **asked).array
    np.testing.assert_array_equal(swept, sweep.viewshed(dem, clutter, scan=True, **asked).array)
    seen = swept[np.isfinite(swept)].mean()
    assert 0.01 < seen < 0.9  # both kinds occur


@pytest.mark.parametrize("sea", [False, True], ids=["inland", "coast"])
@pytest.mark.parametrize("model, module", [("p452", p452), ("p1812", p1812)])
def test_exact_pixels_are_the_public_point_to_point_function(model, module, sea):
    dem = synthetic("hills")
    clutter = clutter_on(dem)
    asked = question(dem)
    zones = coast_on(dem) if sea else None
    own = sweep.sweep_loss_db(model, dem, clutter, zones=zones, radials="exact", **asked)
    grid, terrain = own.grid, sweep.terrain_of(dem, clutter)
    lon, lat = coordinates.transform(asked["tx_x_m"], asked["tx_y_m"], CRS, "EPSG:4490")
    for row, col in [(3, 60), (60, 100), (90, 30), (58, 66)]:
        x = grid.x0_m + (col + 0.5) * grid.resolution_m
        y = grid.y0_m - (row + 0.5) * grid.resolution_m
        azimuth, _, length = GEOD.inv(lon, lat, *coordinates.transform(x, y, CRS, "EPSG:4490"))
        distance = np.append(np.arange(math.floor(length / PIXEL_M - 0.5) + 1) * PIXEL_M, length)
        there = GEOD.fwd(*np.broadcast_arrays(lon, lat, azimuth, distance))[:2]
        points = np.column_stack(coordinates.transform(*there, "EPSG:4490", CRS))
        ground, cover = heights_at(terrain, *points.T), clutter_heights_at(terrain, *points.T)
        same = {k: v for k, v in asked.items() if k not in ("tx_x_m", "tx_y_m", "radius_m")}
        middle = GEOD.fwd(lon, lat, azimuth, length / 2)[1]
        if sea:
            at = ((dem.grid.y0_m - points[:, 1]) // PIXEL_M, (points[:, 0] - dem.grid.x0_m) // PIXEL_M)
            same["zone"] = zones.array[tuple(v.astype(int) for v in at)]
            wet = np.flatnonzero(same["zone"] == 3)
            if wet.size:  # the mast stands inland, the receiver may float
                same["tx_coast_km"] = (distance[wet[0] - 1] + distance[wet[0]]) / 2000
                after = (
                    distance[-1] if wet[-1] == len(distance) - 1 else (distance[wet[-1]] + distance[wet[-1] + 1]) / 2
                )
                same["rx_coast_km"] = (distance[-1] - after) / 1000
        loss = module.loss_db(distance, ground, clutter_m=cover, path_latitude_deg=float(middle), **same)
        # The path centre lies on a sphere in the one and on the ellipsoid in the other.
        assert own.array[row, col] == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize("location_pct", [95.0, 1.0])
def test_a_map_for_other_locations_is_the_public_function_s(location_pct):
    """Variability and entry loss join the median before the floor Lb0p, in the sweep and on own profiles."""
    dem = synthetic("table")
    asked = question(dem, 3000.0, tx_height_agl_m=60.0)
    indoors = {"location_sigma_db": 7.0, "entry_loss": (4.0, 3.0)}
    excess_db = 4.0 - math.hypot(7.0, 3.0) * inverse_normal(location_pct / 100)
    swept, own = (
        sweep.sweep_loss_db("p1812", dem, radials=radials, excess_db=excess_db, path_latitude_deg=36.5, **asked)
        for radials in (1, "exact")
    )
    distance = distance_m(swept.grid, asked)
    median = sweep.sweep_loss_db("p1812", dem, path_latitude_deg=36.5, **asked).array
    rows = np.flatnonzero(np.isfinite(median))[::97]
    terms = {key: asked[key] for key in ("frequency_mhz", "time_pct", "tx_height_agl_m", "rx_height_agl_m", *CLIMATE)}
    floors = 0
    for at in rows:
        length = distance.flat[at]
        points = np.append(np.arange(math.floor(length / PIXEL_M - 0.5) + 1) * PIXEL_M, length)
        alone = p1812.loss_db(
            points, np.full(points.shape, 40.0), location_pct=location_pct, path_latitude_deg=36.5, **indoors, **terms
        )
        assert swept.array.flat[at] == pytest.approx(alone, abs=1e-6)
        assert own.array.flat[at] == pytest.approx(alone, abs=1e-6)
        floors += alone > median.flat[at] + excess_db + 0.1
    assert (floors > 0) == (location_pct < 50), "the floor decides somewhere for few locations"


def test_bullington_in_sight_is_free_space_over_the_slant_distance():
    dem = synthetic("table")
    asked = question(dem, 800.0, tx_height_agl_m=400.0, rx_height_agl_m=100.0)
    for radials in (1, "exact"):
        answer = sweep.sweep_loss_db("bullington", dem, radials=radials, **asked)
        slant_km = np.hypot(distance_m(answer.grid, asked), 300.0) / 1000
        inside = np.isfinite(answer.array)
        free = 92.4 + 20 * math.log10(3.5) + 20 * np.log10(slant_km[inside])
        np.testing.assert_allclose(answer.array[inside], free, atol=1e-6)


def test_any_number_of_threads_gives_the_same_map():
    dem = synthetic("hills")
    for radials in (1, "exact"):
        maps = [sweep.sweep_loss_db("p452", dem, radials=radials, threads=n, **question(dem)).array for n in (1, 2, 5)]
        for other in maps[1:]:
            np.testing.assert_array_equal(maps[0], other)


def test_more_radials_sample_better_and_none_is_free_of_error():
    dem = synthetic("hills")
    own = sweep.sweep_loss_db("p452", dem, radials="exact", **question(dem))
    errors = [
        sweep.sampling_error_db(sweep.sweep_loss_db("p452", dem, radials=n, **question(dem)), own) for n in (1, 2, 3)
    ]
    assert errors[0]["pixels"] == np.isfinite(own.array).sum()
    assert errors[0]["rms_db"] > errors[2]["rms_db"] > 0.0
    assert errors[0]["p95_db"] > errors[1]["p95_db"] > errors[2]["p95_db"]
    assert errors[0]["rms_db"] < 2.5  # fractal down to the pixel, the worst ground there is
    assert sweep.sampling_error_db(own, own)["max_db"] == 0.0


def test_nearest_pixels():
    dem = synthetic("plain")
    asked = question(dem, 500.0)
    near = sweep.sweep_loss_db("p452", dem, **asked)
    distance = distance_m(near.grid, asked)
    np.testing.assert_array_equal(np.isfinite(near.array), distance <= 500.0)  # no hole at the mast
    p1812_map = sweep.sweep_loss_db("p1812", dem, **asked).array
    np.testing.assert_array_equal(np.isfinite(p1812_map), (distance >= 250.0) & (distance <= 500.0))


def test_unknown_ground_is_unknown_behind_it_and_nowhere_else():
    dem = synthetic("plain")
    hole = dem.array.copy()
    hole[60, 80] = np.nan
    whole = sweep.sweep_loss_db("bullington", dem, **question(dem))
    part = sweep.sweep_loss_db("bullington", Raster(dem.grid, array=hole), **question(dem)).array
    lost = np.isnan(part) & np.isfinite(whole.array)
    row = round((whole.grid.y0_m - dem.grid.y0_m) / PIXEL_M)  # the map is cut to the disc
    col = round((dem.grid.x0_m - whole.grid.x0_m) / PIXEL_M)
    assert lost[60 + row, 80 + col]
    assert np.nonzero(lost)[1].min() >= 79 + col  # nothing between it and the mast
    assert 20 < lost.sum() < 400
    np.testing.assert_array_equal(part[~lost], whole.array[~lost])
    nodata = Raster(dem.grid, array=np.where(np.isnan(hole), -32768, hole), nodata=-32768.0)
    again = sweep.sweep_loss_db("bullington", nodata, **question(dem)).array
    np.testing.assert_array_equal(again, part)


def test_beyond_the_terrain_nothing_is_known():
    dem = synthetic("plain")
    far = sweep.sweep_loss_db("p452", dem, **question(dem, 9000.0))
    x, y = raster.cell_centres(far.grid)
    west, south, east, north = raster.bounds(dem.grid)
    outside = (x[None, :] < west) | (x[None, :] > east) | (y[:, None] < south) | (y[:, None] > north)
    assert np.isnan(far.array[outside]).all()
    assert np.isfinite(far.array[~outside]).mean() > 0.95


def test_flat_land_in_sight_is_free_space():
    dem = synthetic("table")
    asked = question(dem, 1000.0, tx_height_agl_m=100.0, rx_height_agl_m=100.0)
    answer = sweep.sweep_loss_db("bullington", dem, **asked)
    distance = distance_m(answer.grid, asked) / 1000
    free = 92.4 + 20 * math.log10(3.5) + 20 * np.log10(distance)
    inside = np.isfinite(answer.array)
    np.testing.assert_allclose(answer.array[inside], free[inside], atol=1e-9)
    order = np.argsort(distance[inside])
    assert (np.diff(answer.array[inside][order]) >= -1e-9).all()  # loss grows with distance


def test_another_grid_of_pixels_gets_its_own_receivers():
    dem = synthetic("hills")
    coarse = Grid(400_000.0, 4_050_000.0, 250.0, 40, 40, CRS)
    answer = sweep.sweep_loss_db("p1812", dem, grid=coarse, step_m=100.0, **question(dem))
    assert answer.grid == coarse
    assert np.isfinite(answer.array).sum() > 1000


def test_refusals():
    dem = synthetic("plain")
    with pytest.raises(RangeError, match="radials"):
        sweep.sweep_loss_db("p452", dem, radials=4, **question(dem))
    with pytest.raises(RangeError, match="time_pct"):
        sweep.sweep_loss_db("p1812", dem, **question(dem, time_pct=0.1))
    with pytest.raises(RangeError, match="model"):
        sweep.sweep_loss_db("itm", dem, **question(dem))
    with pytest.raises(RangeError, match="step_m"):
        sweep.sweep_loss_db("p452", dem, step_m=0.0, **question(dem))
    with pytest.raises(RangeError, match="NaN"):
        sweep.sweep_loss_db("p452", dem, **question(dem, frequency_mhz=math.nan))
