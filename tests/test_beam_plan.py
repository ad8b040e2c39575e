"""A plan whose budget fits by beam exclusion alone, end to end: what it is computed from, saved, exported, refined."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from pyproj import Geod
from tiny_city import build_tiny_project, tiny_config

import lcsiting as lc
from lcsiting.coordination.interference import evaluate
from lcsiting.coverage.antennas import with_settings
from lcsiting.geo import crs as coordinates

FACTOR = 10**-1.2


def city(**sections):
    """The tiny city with a shielded dish inside whose receive band the n78 stations transmit, physics binding."""
    project = build_tiny_project(tiny_config(coordination={"enforce": "physics", "remedies": False}, **sections))
    layer = project.layers["protected_stations"].assign(
        rx_low_mhz=3400, lnb_type="compliant", filter_rejection_db=45.0, shielding_db=22.0
    )
    return dataclasses.replace(project, layers={**project.layers, "protected_stations": layer})


@pytest.fixture(scope="module")
def result():
    return lc.run(city(ranking={"certificate": True}), progress=False)


@pytest.fixture(scope="module")
def beamed(result):
    """Rows of ``Project.stations`` in the plan by beam exclusion."""
    stations = result.plan.stations
    assert set(stations["mode"]) == {"", "site_beam"}
    return pd.Index(result.project.stations["station_id"]).get_indexer(
        stations.loc[stations["mode"] == "site_beam", "station_id"]
    )


def bearing_deg(project, row):
    """True bearing of the dish from a station, by another library's geodesic."""
    points = [project.places.geometry.iloc[project.stations["place"].iloc[row]]]
    points.append(project.layers["protected_stations"].geometry.iloc[0])
    x, y = np.array([(point.x, point.y) for point in points]).T
    lon, lat = coordinates.transform(x, y, project.config.project.crs, "EPSG:4490")
    return Geod(ellps="GRS80").inv(lon[0], lat[0], lon[1], lat[1])[0] % 360.0


def test_the_budget_fits_because_of_it_and_only_so(result, beamed):
    """Summed by hand from the stations as planned, those in the mode times 10^-1.2: within; without the factor: not."""
    planned = evaluate(city())
    assert len(beamed) and planned.pairs.co[np.isin(planned.tx.row[planned.pairs.tx], beamed)].all()
    rows, brings = planned.tx.row[planned.pairs.tx], planned.levels.average_mw
    names = city().stations["station_id"].to_numpy(object)[rows]
    year = result.plan.stations.set_index("station_id")["phase_year"].reindex(names).fillna(9999).to_numpy()
    air = city().stations["on_air"].to_numpy(bool)[rows]
    noise = 10 * np.log10(1.380649e-23 * planned.protected["noise_temperature_k"].iloc[0] * 1e6) + 30
    room = 10 ** (0.1 * (noise + planned.tables.profile["criterion_co_channel"]["limit"])) - brings[air].sum()
    judged = result.budgets.query("mechanism == 'long_term'").set_index("phase_year")
    for phase in (2020, 2023):
        new = (year <= phase) & ~air
        without = brings[new].sum()
        added = (brings * np.where(np.isin(rows, beamed), FACTOR, 1.0))[new].sum()
        assert added <= room * (1 + 1e-9)
        assert 10 ** (0.1 * judged.loc[phase, "added_dbm"]) == pytest.approx(added, rel=1e-6, abs=0.0)
    assert without > room, "as planned the last phase would break it"


def test_the_stations_carry_the_wedge_and_everything_follows(result, beamed):
    project, stations = result.project, result.plan.stations.set_index("station_id")
    ids = project.stations["station_id"].to_numpy(object)
    for row in beamed:
        assert project.stations["exclusions"].iloc[row] == ((round(bearing_deg(project, row), 1), 10.0, 12.0),)
        assert stations.loc[ids[row], "excluded_deg"] == f"{round(bearing_deg(project, row), 1):g}±10"
    others = np.setdiff1d(np.arange(len(ids)), beamed)
    assert project.stations["exclusions"].iloc[others].isna().all()
    assert stations.loc[~stations.index.isin(ids[beamed]), "excluded_deg"].eq("").all()
    # The cover the plan was ranked from is the one of these settings, and it lost something.
    fresh, planned = lc.cover(project, result.eligible), lc.cover(city(), result.eligible)
    keys = pd.MultiIndex.from_arrays([result.cover.station_ids, result.cover.modes])
    lost = 0
    for row in beamed:
        item = keys.get_loc((ids[row], "site_beam"))
        mine, now, before = (
            one.indices[one.indptr[k] : one.indptr[k + 1]]
            for one, k in (
                (result.cover, item),
                (fresh, list(fresh.station_ids).index(ids[row])),
                (planned, list(planned.station_ids).index(ids[row])),
            )
        )
        np.testing.assert_array_equal(mine, now)
        assert set(now) <= set(before)
        lost += len(before) - len(now)
    assert lost > 0
    # The raster knows it, too: without the wedges more is received.
    free = with_settings(project, beamed, exclusions=[None] * len(beamed))
    network = project.stations["network"].iloc[beamed[0]]
    with_wedge, without = (
        lc.predict_coverage(one, result.plan, 2023).layers[network]["rsrp_dbm"].array for one in (project, free)
    )
    assert (without >= with_wedge)[np.isfinite(without)].all() and (without > with_wedge + 5).any()
    np.testing.assert_array_equal(result.coverages[2023].layers[network]["rsrp_dbm"].array, with_wedge)


def test_it_is_saved_exported_and_checked_again(result, beamed, tmp_path):
    import geopandas as gpd

    opened = lc.open_result(lc.save(result, tmp_path / "r"))
    assert opened.project.stations["exclusions"].iloc[beamed].tolist() == [
        result.project.stations["exclusions"].iloc[row] for row in beamed
    ]
    assert lc.verify_plan(opened).ok
    again = lc.predict_coverage(opened.project, opened.plan, 2023)
    pd.testing.assert_frame_equal(again.statistics, result.coverages[2023].statistics)
    pd.testing.assert_frame_equal(evaluate(opened.project).verdicts, evaluate(result.project).verdicts)
    lc.export(opened, tmp_path / "out", formats=["shp"])
    layers = [gpd.read_file(path) for path in sorted((tmp_path / "out").glob("shp/**/*.shp"))]
    table = next(layer for layer in layers if "KTFS" in layer).set_index("BSM")
    mine = table.loc[result.project.stations["station_id"].iloc[beamed]]
    assert mine["KTFS"].eq("波束避让").all() and mine["BSBR"].str.endswith("±10").all()


def test_refinement_leaves_the_wedges_alone(result, beamed, tmp_path):
    (tmp_path / "rules").mkdir()
    text = "[refine_stations]\nvalue = 6\n[sweeps]\nvalue = 1\n[tilt_steps_deg]\nvalue = [2.0]\n"
    (tmp_path / "rules" / "second_order.toml").write_text(text, encoding="utf-8")
    refined = lc.run(dataclasses.replace(city(ranking={"refine": True}), root=tmp_path), progress=False)
    assert len(refined.tables["refined_sectors"])
    for name in ("exclusions", "azimuths_deg"):
        column = refined.project.stations[name].iloc[beamed].tolist()
        assert column == result.project.stations[name].iloc[beamed].tolist()
    assert refined.budgets["within"].all()
