"""predict_coverage on the tiny city, against per-pixel figures by the oracle."""

import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import coverage_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from square import write_square

import lcsiting
from lcsiting.coverage.coverage import memory_gb, on_air_rows, predict_coverage
from lcsiting.coverage.sectors import build_sectors, noise_dbm, thresholds_dbm
from lcsiting.errors import RangeError
from lcsiting.inputs import derive
from lcsiting.inputs.project import open_project


def plan_of(project, rows, years):
    """What ``predict_coverage`` reads of a plan: station_id, status, phase_year."""
    stations = project.stations
    table = pd.DataFrame(
        {
            "station_id": stations["station_id"].iloc[rows].to_numpy(),
            "status": np.where(stations["on_air"].iloc[rows], "on_air", "planned"),
            "phase_year": years,
        }
    )
    return SimpleNamespace(stations=table)


@pytest.fixture(scope="module")
def plan(tiny_project):
    air = np.flatnonzero(tiny_project.stations["on_air"])
    new = np.setdiff1d(np.arange(0, 60, 3), air)
    years = np.where(np.arange(len(new)) % 2, 2020, 2023)
    return plan_of(tiny_project, np.concatenate([air, new]), np.concatenate([np.zeros(len(air), int), years]))


@pytest.fixture(scope="module")
def coverage(tiny_project, plan):
    return predict_coverage(tiny_project, plan, 2023)


def test_who_is_on_air_when(tiny_project, plan):
    today = np.flatnonzero(tiny_project.stations["on_air"])
    np.testing.assert_array_equal(on_air_rows(tiny_project, None, 2030), today)
    np.testing.assert_array_equal(on_air_rows(tiny_project, plan, 2019), today)
    first, last = on_air_rows(tiny_project, plan, 2020), on_air_rows(tiny_project, plan, 2023)
    assert set(today) < set(first) < set(last)
    assert len(last) == len(plan.stations)


def test_layers_equal_the_plain_way_band_by_band(tiny_project, plan, coverage):
    """Best band serves; a service holds if any band meets its own threshold."""
    project, grid = tiny_project, tiny_project.grid
    stations = project.stations.iloc[on_air_rows(project, plan, 2023)]
    network = project.config.networks[0].name
    morphology = derive.morphology_codes(project.clutter.array, project.root)
    expected = np.full((grid.rows, grid.cols), -np.inf)
    outdoor = np.zeros((grid.rows, grid.cols), bool)
    near_threshold = np.zeros_like(outdoor)
    bands = stations.loc[stations["network"] == network, "band"].unique()
    assert len(bands) == 2
    for band in bands:
        rows = stations.index[(stations["network"] == network) & (stations["band"] == band)]
        sectors = build_sectors(project, rows)
        rsrp, _, best, _, gap, _ = oracle.best_server(sectors, grid, noise_dbm=noise_dbm(project, band))
        expected = np.fmax(expected, rsrp)
        klass = np.repeat(sectors.klass, np.diff(sectors.first))[best]
        margin = rsrp - thresholds_dbm(project, sectors)[klass, morphology, 0]
        outdoor |= margin >= 0
        near_threshold |= (np.abs(margin) < 0.002) | (gap < 0.002)
    layers = coverage.layers[network]
    found = np.isfinite(expected)
    np.testing.assert_allclose(layers["rsrp_dbm"].array[found], expected[found], atol=0.001)
    assert np.isnan(layers["rsrp_dbm"].array[~found]).all()
    np.testing.assert_array_equal(layers["outdoor"].array[~near_threshold], outdoor[~near_threshold])
    assert 0 < outdoor.mean() < 1


def test_best_sector_names_a_row_of_its_network(coverage):
    assert list(coverage.sectors.columns) == ["station_id", "network", "band", "azimuth_deg", "tilt_deg"]
    for network, layers in coverage.layers.items():
        numbers = np.unique(layers["best_sector"].array)
        rows = coverage.sectors.iloc[numbers[numbers >= 0]]
        assert len(rows)
        assert set(rows["network"]) == {network}


def test_more_stations_never_serve_less(tiny_project, plan, coverage):
    today = predict_coverage(tiny_project, plan, 2019)
    for network, layers in coverage.layers.items():
        for service in ("outdoor", "indoor"):
            assert np.all(layers[service].array >= today.layers[network][service].array)


def test_indoors_is_harder_than_outdoors(coverage):
    for layers in coverage.layers.values():
        assert np.all(layers["indoor"].array <= layers["outdoor"].array)


def test_same_pixels_and_figures_on_one_and_two_threads(tiny_project, plan, coverage):
    other = predict_coverage(tiny_project, plan, 2023, threads=1)
    for network, layers in coverage.layers.items():
        for name, raster in layers.items():
            np.testing.assert_array_equal(raster.array, other.layers[network][name].array)
    pd.testing.assert_frame_equal(coverage.statistics, other.statistics)
    pd.testing.assert_frame_equal(coverage.reach, other.reach)


def test_outside_the_city_there_is_nothing(tiny_project, plan):
    boundaries = tiny_project.layers["boundaries"]
    west = boundaries[(boundaries.level != "county") | (boundaries.code == "371502")]
    project = SimpleNamespace(**{**tiny_project.__dict__, "layers": {**tiny_project.layers, "boundaries": west}})
    layers = predict_coverage(project, plan, 2023).layers[project.config.networks[0].name]
    east = np.s_[:, project.grid.cols // 2 :]
    assert np.isnan(layers["rsrp_dbm"].array[east]).all()
    assert np.isnan(layers["sinr_db"].array[east]).all()
    assert (layers["best_sector"].array[east] == -1).all()
    assert (layers["overlap"].array[east] == 0).all()
    assert (layers["outdoor"].array[east] == 255).all()
    assert (layers["outdoor"].array[:, : project.grid.cols // 2] <= 1).all()


def test_statistics_agree_with_the_layers(tiny_project, coverage):
    network = tiny_project.config.networks[0].name
    served = coverage.layers[network]["outdoor"].array == 1
    table = coverage.statistics.query("level == 'city' and service == 'outdoor' and network == @network")
    assert table["covered_area_km2"].item() == pytest.approx(served.sum() * 0.0025)
    people = tiny_project.population.array[served].astype(float).sum()
    assert table["covered_people"].item() == pytest.approx(people, abs=1e-3)


def test_nothing_on_air_is_no_error(tiny_project):
    stations = tiny_project.stations.assign(on_air=False)
    empty = SimpleNamespace(**{**tiny_project.__dict__, "stations": stations})
    coverage = predict_coverage(empty, None, 2019)
    assert len(coverage.sectors) == 0
    assert coverage.statistics["covered_area_km2"].sum() == 0


def test_a_grid_too_large_is_refused_before_anything_is_computed(tiny_project, monkeypatch):
    section = tiny_project.config.project.model_copy(update={"max_memory_gb": 0.004})
    config = tiny_project.config.model_copy(update={"project": section})
    small = replace(tiny_project, config=config)
    assert memory_gb(small) < 0.004 < memory_gb(small, 3)
    assert predict_coverage(small, None, 2019).layers, "within the limit"
    large = replace(small, grid=replace(small.grid, rows=20_000, cols=20_000))
    # Without this a missing guard would fill the machine's memory.
    monkeypatch.setattr("lcsiting.coverage.coverage.city_pixels", lambda project: pytest.fail("work has begun"))
    with pytest.raises(RangeError, match=r"20000 x 20000.*max_memory_gb.*stream_coverage"):
        predict_coverage(large, None, 2019)
    monkeypatch.setattr("lcsiting.pipeline.evaluate", lambda project: pytest.fail("work has begun"))
    with pytest.raises(RangeError, match="stream_coverage"):
        lcsiting.run(small, progress=False)  # today and two phases


def test_the_estimate_of_memory_is_near_what_numpy_takes(tmp_path):
    """A network of two bands, the most that is at work at a time."""
    write_square(tmp_path, 25_000.0, 12.5, 40)
    lines = (tmp_path / "存量.csv").read_text(encoding="utf-8").splitlines()
    lines[1::2] = [line.replace("移动:n41", "广电:n28") for line in lines[1::2]]
    (tmp_path / "存量.csv").write_text("\n".join(lines), encoding="utf-8")
    project = open_project(tmp_path)
    assert set(project.stations["band"]) == {"n41", "n28"}
    predict_coverage(project, None, 2020)  # compiled
    tracemalloc.start()
    coverage = predict_coverage(project, None, 2020)
    peak_gb = tracemalloc.get_traced_memory()[1] / 1e9
    tracemalloc.stop()
    assert len(coverage.layers) == 1
    assert 0.7 * memory_gb(project) < peak_gb < 1.1 * memory_gb(project)
