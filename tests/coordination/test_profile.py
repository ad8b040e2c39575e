"""The band gate and what a profile must carry."""

import pandas as pd
import pytest

from lcsiting.coordination.profile import (
    clutter_model,
    in_scope,
    in_scope_bands,
    load_tables,
    overlaps_mhz,
    profile_row,
    scope_mhz,
)
from lcsiting.errors import ConfigError


def test_only_3300_to_4200_and_4500_to_5000_need_coordination():
    tables = load_tables()
    assert scope_mhz(tables) == [(3300.0, 4200.0), (4500.0, 5000.0)]
    assert in_scope_bands(tables) == {"n48", "n78", "n79"}
    stations = pd.DataFrame({"band": ["n41", "n28", "n1", "n78", "n79"]})
    assert in_scope(stations, tables).tolist() == [False, False, False, True, True]


def test_bands_that_only_touch_do_not_overlap():
    assert not overlaps_mhz(3400, 3600, 3600, 4200)
    assert overlaps_mhz(3400, 3600, 3599, 4200)
    assert overlaps_mhz(3400, 3600, 3000, 5000)


def test_a_project_can_widen_the_scope(tmp_path):
    text = '[scope_2500]\nlow_mhz = 2500.0\nhigh_mhz = 2700.0\nsource = "planner"\nverified = false\n'
    (tmp_path / "miit_266_136.toml").write_text(text, encoding="utf-8")
    assert in_scope_bands(load_tables(override=tmp_path)) == {"n41", "n48", "n78", "n79"}


def test_a_missing_row_is_named():
    tables = load_tables()
    with pytest.raises(ConfigError, match=r"miit_266_136.toml: row \[radius_moon\] with value_m is missing"):
        profile_row(tables, "radius_moon", "value_m")


def test_a_word_for_clutter_that_means_nothing_is_refused(tmp_path):
    text = '[path_loss]\nclutter = "both"\nsource = "planner"\nverified = false\n'
    (tmp_path / "miit_266_136.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"clutter = 'both'; use path \| p2108 \| none"):
        clutter_model(load_tables(override=tmp_path))


def test_a_rule_table_without_scope_is_no_profile():
    with pytest.raises(ConfigError, match="no \\[scope_"):
        load_tables("tiers")


def test_no_radius_of_the_shipped_profile_claims_to_be_verified():
    rows = load_tables().profile
    radii = {key: row["verified"] for key, row in rows.items() if key.startswith("radius_")}
    assert set(radii) == {
        "radius_co_channel",
        "radius_adjacent_wide",
        "radius_adjacent_standard",
        "radius_adjacent_filtered",
    }
    assert not any(radii.values())


def test_the_block_measure_is_the_difference_of_the_two_limits():
    rows = load_tables().profile
    assert (
        rows["measure_lnb"]["effects_db"]["overload_out"]
        == rows["overload_compliant"]["limit_dbm"] - rows["overload_legacy"]["limit_dbm"]
    )
