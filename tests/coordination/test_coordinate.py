"""The stage ``coordinate``: verdicts with contributions and what remains of the budgets."""

import pickle
from dataclasses import replace

import pandas as pd
import pytest
from tiny_city import build_tiny_project, tiny_config

import lcsiting as lc
from lcsiting import schema
from lcsiting.coordination.interference import evaluate


@pytest.fixture(scope="module")
def project():
    return build_tiny_project(tiny_config(coordination={"enforce": "physics"}))


@pytest.fixture(scope="module")
def verdicts(project):
    return lc.coordinate(project)


def test_it_is_the_table_of_verdicts(project, verdicts):
    assert isinstance(verdicts, pd.DataFrame)
    pd.testing.assert_frame_equal(pd.DataFrame(verdicts), evaluate(project).verdicts)
    assert type(verdicts.query("verdict == 'clear'")) is pd.DataFrame, "a selection has no sums"


def test_contributions_add_up_to_what_the_budgets_say(project, verdicts):
    """On air: the sums of the contributions. Remaining: the limit less those, or the share left of a broken one."""
    brought, budgets = verdicts.contributions, verdicts.budgets
    assert list(brought.columns) == list(schema.table("contributions").columns)
    assert list(budgets.columns) == list(schema.table("budgets").columns)
    assert len(brought) and brought["contribution_mw"].gt(0).any()
    keys = ["protected_id", "mechanism"]
    air = brought[brought["on_air"]].groupby(keys)["contribution_mw"].sum()
    assert len(air) and set(brought["station_id"]) <= set(project.stations["station_id"])
    some = 0
    for row in budgets.itertuples():
        limit, there = 10 ** (0.1 * row.limit_dbm), float(air.get((row.protected_id, row.mechanism), 0.0))
        left = limit - there if there <= limit else 0.01 * limit
        assert 10 ** (0.1 * row.remaining_dbm) == pytest.approx(left, rel=1e-9, abs=0)
        assert row.added_dbm == -999.0 and row.broken == (there > limit)
        some += there > 0
    assert some, "something is on air"
    # The upper case: strongest beams, as the budgets' own rows sum them over every candidate.
    top = brought.groupby(keys)["envelope_mw"].sum()
    rows = verdicts.evaluation.budgets.rows.set_index(keys)
    assert (brought["envelope_mw"] >= brought["contribution_mw"]).all()
    assert top.to_numpy() == pytest.approx(
        10 ** (0.1 * rows.loc[top.index, "envelope_dbm"].to_numpy()), rel=1e-9, abs=0
    )
    first = budgets.drop_duplicates(keys).set_index(keys)["limit_dbm"]
    limit = 10 ** (0.1 * first.loc[pd.MultiIndex.from_frame(brought[keys])].to_numpy())
    assert brought["share"].to_numpy() == pytest.approx(brought["contribution_mw"].to_numpy() / limit, rel=1e-9, abs=0)


def test_it_survives_a_pickle(verdicts):
    again = pickle.loads(pickle.dumps(verdicts))
    pd.testing.assert_frame_equal(again.contributions, verdicts.contributions)


def test_no_protected_station_no_rows(project):
    layers = {name: layer for name, layer in project.layers.items() if name != "protected_stations"}
    bare = lc.coordinate(replace(project, layers=layers))
    assert bare.empty and bare.contributions.empty and bare.budgets.empty
    assert list(bare.budgets.columns) == list(schema.table("budgets").columns)
