"""Base stations beyond the city border load the budgets like those of the city, and are nothing else."""

import dataclasses

import geopandas as gpd
import numpy as np
import pytest
from coordination_cases import with_protected, with_stations
from shapely import Point

from lcsiting import schema
from lcsiting.coordination import aggregate
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.outside import beyond_border
from lcsiting.coordination.remedies import remedies

OWN = {"at": (0, 4000), "height_agl_m": 30.0}
THERE = {"at": (3000, 3000), "height_agl_m": 30.0, "on_air": True, "on_air_year": 2019, "frequency_mhz": 3450.0}


def with_neighbour(project, on_air="联通:n78"):
    """The project with :data:`THERE` as a place of the layer ``neighbours``, aimed like it."""
    origin = project.layers["protected_stations"].geometry.iloc[0]
    x, y = THERE["at"]
    row = {"place_id": "外1", "on_air": on_air, "height_agl_m": 30.0, "azimuths_deg": "225", "on_air_year": 2019}
    columns = [*schema.layer("neighbours").columns, "geometry"]
    layer = gpd.GeoDataFrame([row | {"geometry": Point(origin.x + x, origin.y + y)}], columns=columns, crs=4548)
    return dataclasses.replace(project, layers={**project.layers, "neighbours": layer})


@pytest.fixture(
    params=[{"rx_low_mhz": 3400}, {"lnb_type": "compliant", "filter_rejection_db": 10.0}], ids=["co", "out"]
)
def station(request, tiny_project):
    return with_protected(tiny_project, request.param)


def as_own(station):
    """The second way: the same base station as one of the project's own on air."""
    land = beyond_border(with_neighbour(with_stations(station, [OWN]))).places["morphology"].iloc[0]
    return with_stations(station, [OWN, THERE | {"azimuths_deg": "225", "morphology": land}])


def test_a_base_station_weighs_the_same_on_either_side_of_the_border(station):
    own = evaluate(as_own(station)).budgets
    beyond = evaluate(with_neighbour(with_stations(station, [OWN]))).budgets
    assert len(own.rows) == 2 and np.isfinite(own.rows["on_air_dbm"]).all()
    for name in ("limit_dbm", "on_air_dbm", "candidates_dbm", "envelope_dbm", "needed_db"):
        assert beyond.rows[name].to_numpy() == pytest.approx(own.rows[name].to_numpy(), abs=1e-9), name
    assert beyond.remaining_mw == pytest.approx(own.remaining_mw, rel=1e-12, abs=0)
    assert beyond.rows["broken"].tolist() == own.rows["broken"].tolist()


def test_it_is_judged_with_a_plan_and_by_the_measures(station):
    own = as_own(station)
    beyond = with_neighbour(with_stations(station, [OWN]))
    found, other = evaluate(beyond), evaluate(own)
    years = [phase.year for phase in own.config.phases]
    tables = [
        aggregate.judge(one.budgets, start, years) for one, start in ((found, [years[0]]), (other, [years[0], 0]))
    ]
    for name in ("level_dbm", "envelope_dbm", "margin_db", "added_dbm"):
        assert tables[0][name].to_numpy() == pytest.approx(tables[1][name].to_numpy(), abs=1e-9), name
    ours, theirs = remedies(beyond, found).stations.iloc[0], remedies(own, other).stations.iloc[0]
    for name in ("outcome", "measures"):
        assert ours[name] == theirs[name]
    for name in ("needed_long_term_db", "needed_overload_db", "margin_long_term_db", "margin_overload_db"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-9), name


def test_nobody_coordinates_it_here(station):
    verdicts = evaluate(with_neighbour(with_stations(station, [OWN]))).verdicts
    assert set(verdicts["station_id"]) == {"S0"}


def test_the_band_gate_holds_there_too(station):
    alone = evaluate(with_stations(station, [OWN])).budgets
    gated = evaluate(with_neighbour(with_stations(station, [OWN]), on_air="移动:n41")).budgets
    assert gated.rows.equals(alone.rows)
