"""Stations offered in modes: which, with what loads, and back to one column each."""

import dataclasses
import types

import numpy as np
import pandas as pd
import pytest
from coordination_cases import with_protected, with_stations

from lcsiting.coordination import aggregate, budget_tables, offers
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.modes import mode_settings
from lcsiting.siting.mode_cover import settings_applied

RING = [(2500, 0), (0, 2500), (-2500, 0), (0, -2500), (9000, 0), (0, 30_000)]


@pytest.fixture(scope="module")
def held(tiny_project):
    """Six masts of three sectors around a compliant block inside whose receive band they transmit, physics binding."""
    rows = [{"at": at, "height_agl_m": 30.0, "azimuths_deg": "0/120/240"} for at in RING]
    rows[4]["on_air"] = True
    base = with_stations(
        with_protected(tiny_project, {"rx_low_mhz": 3400, "lnb_type": "compliant", "shielding_db": 15.0}), rows
    )
    section = base.config.coordination.model_copy(update={"enforce": "physics"})
    return dataclasses.replace(base, config=base.config.model_copy(update={"coordination": section}))


def test_what_is_offered_loads_a_budget_and_brings_less(held):
    found = evaluate(held)
    settings, share = offers.worth_offering(held, found, found.budgets, np.arange(6, dtype=np.int32))
    offered = set().union(*(frame.index for frame in settings.values()))
    plain = share.xs(aggregate.AS_PLANNED, level=1)
    assert offered and offered <= set(plain.index) and 4 not in plain.index, "what is on air stays as it is"
    assert (plain >= 0.01).all() and any("site_beam" in mode for mode in settings)
    for (row, mode), one in share.items():
        assert mode == aggregate.AS_PLANNED or (one <= 1.2 and one <= 0.9 * plain[row])


def test_the_loads_of_a_mode_are_those_of_its_settings(held):
    """Each column against a whole evaluation of the project with the settings, station by station."""
    found = evaluate(held)
    settings, _ = offers.worth_offering(held, found, found.budgets, np.arange(6, dtype=np.int32))
    settings = {mode: frame[::-1] for mode, frame in settings.items()}  # in whatever order
    settled = {mode: settings_applied(held, frame) for mode, frame in settings.items()}
    wide = offers.with_offers(held, found, found.budgets, settled, settings)
    for mode, frame in settings.items():
        again = evaluate(settled[mode]).budgets
        mine, own = (
            aggregate.columns_of(wide, frame.index, [mode] * len(frame)),
            aggregate.columns_of(again, frame.index),
        )
        for a, b in zip(mine, own, strict=True):
            one, other = (
                aggregate.used_mw(budgets, np.arange(len(budgets.station_rows)) == k)
                for budgets, k in ((wide, a), (again, b))
            )
            assert one == pytest.approx(other, rel=1e-12, abs=0)
    assert wide.remaining_mw is found.budgets.remaining_mw


def test_back_to_one_column_each_in_the_mode_chosen(held):
    found = evaluate(held)
    settings, _ = offers.worth_offering(held, found, found.budgets, np.arange(6, dtype=np.int32))
    settled = {mode: settings_applied(held, frame) for mode, frame in settings.items()}
    wide = offers.with_offers(held, found, found.budgets, settled, settings)
    mode, frame = next(iter(settings.items()))
    row = int(frame.index[0])
    plan = pd.DataFrame({"station_id": held.stations["station_id"], "mode": ""})
    plan.loc[row, "mode"] = mode
    back = offers.settled(held, wide, types.SimpleNamespace(stations=plan))
    again = evaluate(settings_applied(held, frame.loc[[row]])).budgets
    assert back.modes is None and np.array_equal(back.station_rows, again.station_rows)
    assert np.array_equal(back.indptr, again.indptr) and np.array_equal(back.indices, again.indices)
    assert back.mw == pytest.approx(again.mw, rel=1e-12, abs=0)


def test_each_mode_kept_covers_less_and_brings_clearly_less():
    keys = pd.MultiIndex.from_tuples(
        [(3, "as_planned"), (3, "a"), (3, "b"), (3, "c"), (3, "d"), (3, "e"), (7, "as_planned"), (7, "a")]
    )
    share = pd.Series([9.0, 0.9, 0.88, 0.5, 0.95, 0.1, 0.5, 0.4], keys)
    weight = pd.Series([100.0, 90, 80, 70, 60, 0, 50, 60], keys)
    kept = offers.least_covering(share, weight, 3)
    # b brings hardly less than a, d more; e covers nothing; 7 turned covers more and brings less.
    assert kept.tolist() == [(3, "a"), (3, "c"), (7, "a")]
    assert offers.least_covering(share, weight, 1).tolist() == [(3, "a"), (7, "a")]


def test_a_station_is_hopeless_only_in_every_mode(held):
    found = evaluate(held)
    alone = set(budget_tables.alone_over(held, found.budgets)["station_id"])
    settings, _ = offers.worth_offering(held, found, found.budgets, np.arange(6, dtype=np.int32))
    settled = {mode: settings_applied(held, frame) for mode, frame in settings.items()}
    wide = offers.with_offers(held, found, found.budgets, settled, settings)
    left = set(budget_tables.alone_over(held, wide)["station_id"])
    dense = np.zeros((len(wide.rows), len(wide.station_rows)))
    dense[np.repeat(np.arange(len(wide.rows)), np.diff(wide.indptr)), wide.indices] = wide.mw
    fits = (dense <= wide.remaining_mw[:, -1:]).all(axis=0)
    ids = held.stations["station_id"].to_numpy()
    saved = {ids[row] for row in np.unique(wide.station_rows[fits])}
    assert left == alone - saved and alone and alone & saved


def test_another_band_has_columns_without_load_and_leaves_the_scope(held):
    """All five new ones in modes, then offered in n1, which two of them take."""
    found = evaluate(held)
    low, _ = offers.worth_offering(held, found, found.budgets, np.arange(6, dtype=np.int32))
    assert "site_other_band" not in low, "nothing to weigh against the others"
    wide = offers.with_offers(
        held, found, found.budgets, {mode: settings_applied(held, frame) for mode, frame in low.items()}, low
    )
    rows = np.array([0, 1, 2, 3, 5])
    mode, frame = next(iter(mode_settings(held, found.tables, rows, ["site_other_band"]).items()))
    assert frame.index.tolist() == rows.tolist() and set(frame["band"]) == {"n1"}
    wider = offers.with_offers(held, found, wide, {mode: settings_applied(held, frame)}, {mode: frame})
    column = aggregate.columns_of(wider, rows, [mode] * 5)
    assert (column >= 0).all() and not np.isin(column, wider.indices).any()
    assert np.array_equal(wider.mw, wide.mw) and len(wider.on_air) == len(wider.station_rows)
    (indptr, _, _), _ = aggregate.resources(wider, rows, [mode] * 5)
    assert not indptr.any(), "it loads nothing, and the ranking is told so"
    assert budget_tables.alone_over(held, wider).empty, "nobody is hopeless who has another band"
    # Back: the two are in no budget, the others as planned; the same as coordinated anew.
    plan = pd.DataFrame({"station_id": held.stations["station_id"], "mode": ["", mode, "", mode, "", ""]})
    back = offers.settled(held, wider, types.SimpleNamespace(stations=plan))
    again = evaluate(settings_applied(held, frame.loc[[1, 3]])).budgets
    assert np.array_equal(back.station_rows, again.station_rows) and back.station_rows.tolist() == [0, 2, 4, 5]
    assert np.array_equal(back.indptr, again.indptr) and np.array_equal(back.indices, again.indices)
    assert back.mw == pytest.approx(again.mw, rel=1e-12, abs=0.0) and np.array_equal(back.on_air, again.on_air)
