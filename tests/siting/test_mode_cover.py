"""Coverage lost in other modes: each share against sets of rows counted one by one."""

import numpy as np
import pandas as pd
import pytest

from lcsiting.coverage.antennas import with_settings
from lcsiting.siting import cover as siting_cover
from lcsiting.siting.mode_cover import lost_shares, moved_shares


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
