"""Changes of single stations against the covers of whole projects built from nothing."""

import numpy as np
import pandas as pd
import pytest

from lcsiting.coverage.antennas import with_settings
from lcsiting.siting import cover as siting_cover
from lcsiting.siting import phases
from lcsiting.siting.kept_cover import KeptCover, station_cover, with_stations_anew


@pytest.fixture(scope="module")
def real(tiny_project, eligible):
    return siting_cover.cover(tiny_project, eligible, threads=1)


@pytest.fixture(scope="module")
def plan(tiny_project, real, eligible, verdicts):
    return phases.rank(tiny_project, real, eligible, verdicts, threads=1)


def shares(project, plan, eligible):
    """Covered weight by phase and service, from the cover of the whole project."""
    matrix = siting_cover.cover(project, eligible, threads=1)
    out = []
    for phase in project.config.phases:
        there = plan.stations.loc[plan.stations["phase_year"] <= phase.year, "station_id"]
        rows = set()
        for i in np.flatnonzero(np.isin(matrix.station_ids, there)):
            rows |= set(matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]].tolist())
        rows = np.array(sorted(rows))
        service = rows // len(matrix.cells) % 2
        out.append(np.bincount(service, weights=matrix.row_weight[rows], minlength=2))
    return np.array(out)


def test_allowed_is_what_no_phase_and_service_loses_by(tiny_project, real, plan, eligible):
    before = shares(tiny_project, plan, eligible)
    kept = KeptCover(tiny_project, plan, real)
    assert kept.shares() == pytest.approx((before.sum(axis=1) / real.row_weight.sum()).tolist())
    names = plan.stations.loc[(plan.stations["status"] == "planned") & (plan.stations["azimuths_deg"] != "")]
    rows = np.flatnonzero(tiny_project.stations["station_id"].isin(names["station_id"].iloc[::4]))
    answers = []
    for row in rows:
        for settings in ({"power_offset_db": [-6.0]}, {"tilts_deg": [(2.0,) * 3]}, {"azimuths_deg": [(0.0, 120.0)]}):
            trial = with_settings(tiny_project, [row], **settings)
            expected = bool((shares(trial, plan, eligible) >= before).all())
            assert (kept.change(trial, int(row)) is not None) == expected
            answers.append(expected)
    assert True in answers and False in answers


def test_what_is_taken_counts_for_the_next(tiny_project, real, plan, eligible):
    """Stations turned up one after the other, then one turned back: the sums are those of the last project."""
    planned = plan.stations.loc[plan.stations["status"] == "planned", "station_id"].head(4)
    rows = np.flatnonzero(tiny_project.stations["station_id"].isin(planned)).tolist()
    kept, project = KeptCover(tiny_project, plan, real), tiny_project
    for row in rows:
        project = with_settings(project, [row], power_offset_db=[3.0])
        change = kept.change(project, row)
        assert change is not None and len(change.won) and not len(change.lost)
        kept.take(change)
    total = real.row_weight.sum()
    assert kept.shares() == pytest.approx((shares(project, plan, eligible).sum(axis=1) / total).tolist())
    back = with_settings(project, rows[:1], power_offset_db=[0.0])
    assert kept.change(back, rows[0]) is None
    np.testing.assert_array_equal(
        station_cover(back, rows[0], real.cells), station_cover(tiny_project, rows[0], real.cells)
    )


def test_rows_anew_are_those_of_the_whole(tiny_project, real, eligible):
    rows = real.station_rows[[1, 4, 9]]
    project = with_settings(tiny_project, rows, power_offset_db=-4.0)
    spliced = with_stations_anew(project, real, rows)
    whole = siting_cover.cover(project, eligible, threads=1)
    np.testing.assert_array_equal(spliced.indptr, whole.indptr)
    np.testing.assert_array_equal(spliced.indices, whole.indices)
    assert len(whole.indices) < len(real.indices)
    pd.testing.assert_frame_equal(spliced.cells, whole.cells)
