"""Coverage lost in other modes: each share against sets of rows counted one by one."""

import numpy as np
import pandas as pd
import pytest
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

from lcsiting.coverage.antennas import with_settings
from lcsiting.inputs.other_band import band_settings, other_bands
from lcsiting.siting import cover as siting_cover
from lcsiting.siting.mode_cover import lost_shares, moved_shares, with_modes


@pytest.fixture(scope="module")
def real(tiny_project, eligible):
    return siting_cover.cover(tiny_project, eligible, threads=1)


def rows_of(matrix, item):
    return set(matrix.indices[matrix.indptr[item] : matrix.indptr[item + 1]].tolist())


def weight(matrix, rows):
    return sum(int(matrix.row_weight[r]) for r in rows)


def test_shares_are_those_of_a_project_with_the_settings(tiny_project, real):
    rows = [int(real.station_rows[k]) for k in (0, 1, 2)]
    outside = sorted(set(range(len(tiny_project.stations))) - set(real.station_rows.tolist()))[:1]
    frame = pd.DataFrame(
        {"azimuths_deg": [(10.0,)] * 4, "tilts_deg": [(6.0,)] * 4, "power_offset_db": -3.0}, index=rows + outside
    )
    frame = frame[~tiny_project.stations["micro"].to_numpy(bool)[frame.index]]
    found = lost_shares(tiny_project, real, {"one": frame})["one"]
    assert np.isnan(found).sum() == len(found) - len(set(frame.index) - set(outside))
    for row in set(frame.index) - set(outside):
        changed = with_settings(tiny_project, [row], azimuths_deg=[(10.0,)], tilts_deg=[(6.0,)], power_offset_db=[-3.0])
        _, left = siting_cover.cover_rows(changed, [row], real.cells)
        item = int(np.flatnonzero(real.station_rows == row)[0])
        assert found[row] == pytest.approx(1 - weight(real, left) / weight(real, rows_of(real, item)))
        assert 0 < found[row] <= 1


def test_as_planned_nothing_is_lost(tiny_project, real):
    row = int(real.station_rows[0])
    frame = pd.DataFrame({"azimuths_deg": [None], "tilts_deg": [None], "power_offset_db": [0.0]}, index=[row])
    assert lost_shares(tiny_project, real, {"plain": frame})["plain"][row] == 0.0


def test_moved_to_another_place(tiny_project, real):
    target = np.full(len(tiny_project.stations), -1)
    network = tiny_project.stations["network_index"].to_numpy()[real.station_rows]
    first, second = np.flatnonzero(network == network[0])[:2]
    a, b = real.station_rows[[first, second]]
    target[a], target[b] = b, b
    found = moved_shares(tiny_project, real, target)
    kept = weight(real, rows_of(real, first) & rows_of(real, second))
    assert found[a] == pytest.approx(1 - kept / weight(real, rows_of(real, first)))
    assert found[b] == 0.0 and np.isnan(np.delete(found, [a, b])).all()


def test_in_another_band_the_cover_is_that_of_stations_declared_in_it(tiny_project, real):
    """Rows of the mode against the cover of a project whose table of bands says n1 from the start."""
    second = {**RAW_CONFIG["networks"][1], "bands": dict.fromkeys(RAW_CONFIG["networks"][1]["bands"], "n1")}
    declared = build_tiny_project(tiny_config(networks=[RAW_CONFIG["networks"][0], second]))
    bands, new = other_bands(tiny_project, {"n78"}), ~tiny_project.stations["on_air"].to_numpy(bool)
    rows = np.intersect1d(np.flatnonzero((bands != "") & new), real.station_rows)
    frame = band_settings(tiny_project, rows, bands[rows])
    wide = with_modes(tiny_project, real, {"other": frame})
    other = siting_cover.cover_rows(declared, rows, real.cells)
    mine = [rows_of(wide, item) for item in np.flatnonzero(wide.modes == "other")]
    assert mine == [set(other[1][a:b].tolist()) for a, b in zip(other[0], other[0][1:], strict=False)]
    assert any(mine), "they cover something"
    n = len(real.services) * len(real.cells)
    assert all(row // n == 1 for one in mine for row in one), "rows of their own network"
    # The share lost, counted one by one; further modes beside those there already.
    lost = lost_shares(tiny_project, real, {"other": frame})["other"]
    for row, one in zip(rows, mine, strict=True):
        whole = weight(real, rows_of(real, int(np.flatnonzero(real.station_rows == row)[0])))
        assert lost[row] == pytest.approx(max(0.0, 1 - weight(real, one) / whole)), row
    turned = with_settings_frame(rows)
    both = with_modes(tiny_project, with_modes(tiny_project, real, {"low": turned}), {"other": frame})
    once = with_modes(tiny_project, real, {"low": turned, "other": frame})
    for name in ("station_ids", "modes", "indptr", "indices"):
        assert np.array_equal(getattr(both, name), getattr(once, name)), name


def with_settings_frame(rows):
    return pd.DataFrame({"power_offset_db": -6.0}, index=rows)
