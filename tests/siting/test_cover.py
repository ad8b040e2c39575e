"""The cover of the tiny city."""

import dataclasses

import numpy as np
import pytest

from lcsiting.config import Demand
from lcsiting.coverage import antennas, sectors
from lcsiting.errors import LcsitingError
from lcsiting.radio import pathloss
from lcsiting.siting import cover as siting_cover
from lcsiting.siting import phases


@pytest.fixture(scope="module")
def real(tiny_project, eligible):
    return siting_cover.cover(tiny_project, eligible, threads=1)


def test_items_are_what_passed_every_rule_or_is_on_air(tiny_project, eligible, real):
    stations = tiny_project.stations
    assert real.station_ids.tolist() == stations["station_id"][:-2].tolist()
    flipped = eligible.assign(passed=~stations["on_air"].to_numpy(bool)[0] & eligible["passed"])
    rows = siting_cover.candidate_rows(tiny_project, flipped)
    assert stations["station_id"].iloc[rows].tolist() == stations.query("on_air")["station_id"].tolist()


def test_rows_are_people_and_land_by_service_weight(tiny_project, real):
    n = len(real.cells)
    assert len(real.row_weight) == 4 * n and real.row_weight.dtype == np.int64
    assert real.row_weight[:n].sum() == pytest.approx(100 * (real.cells["people"].sum() + 50 * 144), rel=1e-3)
    assert real.row_weight[n : 2 * n].tolist() == pytest.approx((0.6 * real.row_weight[:n]).tolist(), abs=1)
    assert (real.row_weight[: 2 * n] == real.row_weight[2 * n :]).all(), "both networks need the same"


def test_rows_of_a_station_ascend_and_stay_in_its_network(tiny_project, real):
    n = len(real.cells)
    network = tiny_project.stations["network_index"].to_numpy()[real.station_rows]
    for k in range(len(real.station_ids)):
        rows = real.indices[real.indptr[k] : real.indptr[k + 1]]
        assert (np.diff(rows) > 0).all()
        assert (rows // (2 * n) == network[k]).all()


def test_indoor_cells_are_served_outdoors_too(real):
    n = len(real.cells)
    for k in range(len(real.station_ids)):
        rows = real.indices[real.indptr[k] : real.indptr[k + 1]]
        outdoor, indoor = rows[rows // n % 2 == 0], rows[rows // n % 2 == 1]
        assert np.isin(indoor - n, outdoor).all() and len(outdoor)


def test_an_omnidirectional_pole_serves_a_disc_of_its_link_budget(tiny_project, real):
    """Second method: level of one street pole at one cell, without the kernel."""
    row = int(np.flatnonzero(tiny_project.stations["micro"])[0])
    one = sectors.build_sectors(tiny_project, [row])
    level = sectors.thresholds_dbm(tiny_project, one)[0][:, 0]
    k = int(np.flatnonzero(real.station_rows == row)[0])
    rows = real.indices[real.indptr[k] : real.indptr[k + 1]]
    n = len(real.cells)
    served = np.isin(np.arange(n), rows[rows // n % 2 == 0] % n)
    away = np.hypot(real.cells["x_m"] - one.x_m[0], real.cells["y_m"] - one.y_m[0]).to_numpy()
    near = (away > 20) & (away < one.reach_m[0])
    loss = pathloss.generic_loss_db(np.repeat(one.coefficients, near.sum(), axis=0), away[near])
    down = np.degrees(np.arctan2(one.height_agl_m[0] - one.ue_height_m, away[near])) - one.tilt_deg[0]
    tilt_loss = np.minimum(12 * (down / one.vertical_beamwidth_deg[0]) ** 2, one.side_lobe_db)
    margin = one.eirp_dbm[0] - loss - tilt_loss - level[real.cells["morphology"].to_numpy()[near]]
    clear = np.abs(margin) > 0.1
    assert (served[near][clear] == (margin[clear] > 0)).all() and served.any()


def test_too_many_pairs_are_refused_before_they_are_built(tiny_project, eligible):
    config = tiny_project.config.model_copy(update={"demand": Demand(max_pairs=1000)})
    with pytest.raises(LcsitingError, match=r"make [\d,]+ pairs.*max_pairs = 1,000.*resolution_m"):
        siting_cover.cover(dataclasses.replace(tiny_project, config=config), eligible)


def test_the_chain_ranks_the_real_cover(tiny_project, eligible, verdicts, real):
    plan = phases.rank(tiny_project, real, eligible, verdicts)
    assert plan.phases["reached"].all() and plan.phases["covered_weight_share"].is_monotonic_increasing
    assert plan.phases["covered_weight_share"].iloc[-1] > 0.5


def test_demand_coverage_counts_each_cell_once(real):
    """Against plain sets of cells."""
    table = siting_cover.demand_coverage(real, list(real.station_ids[:5])).set_index(["network", "service"])
    people = real.cells["people"].to_numpy()
    n_cells = len(people)
    rows = set(real.indices[: real.indptr[5]].tolist())
    assert rows
    for n, network in enumerate(real.networks):
        for s, service in enumerate(real.services):
            first = (n * len(real.services) + s) * n_cells
            cells = [row - first for row in rows if first <= row < first + n_cells]
            assert table.loc[(network, service), "area_share"] == pytest.approx(len(cells) / n_cells)
            assert table.loc[(network, service), "people_share"] == pytest.approx(people[cells].sum() / people.sum())


def _rows(csr, k):
    return csr[1][csr[0][k] : csr[0][k + 1]]


def test_rows_of_any_stations_are_those_of_the_cover(tiny_project, real):
    wanted = [7, 3, 7]
    found = siting_cover.cover_rows(tiny_project, real.station_rows[wanted], real.cells, threads=1)
    for k, item in enumerate(wanted):
        np.testing.assert_array_equal(_rows(found, k), _rows((real.indptr, real.indices), item))


def test_rows_follow_the_antennas_of_the_station(tiny_project, real):
    row = int(np.flatnonzero(~tiny_project.stations["micro"])[0])
    plain = set(_rows(siting_cover.cover_rows(tiny_project, [row], real.cells), 0).tolist())

    def served(**settings):
        project = antennas.with_settings(tiny_project, [row], **{k: [v] for k, v in settings.items()})
        return set(_rows(siting_cover.cover_rows(project, [row], real.cells), 0).tolist())

    assert served(power_offset_db=-6.0) < plain
    assert served(azimuths_deg=(240.0, 0.0, 120.0)) == plain
    alone = [served(azimuths_deg=(a,)) for a in (0.0, 120.0, 240.0)]
    assert set.union(*alone) == plain
    assert served(azimuths_deg=(0.0, 240.0)) == alone[0] | alone[2] != plain
