"""Rule tables: every number has a source; a planner's file overrides row by row."""

from importlib import resources

import pytest

from lcsiting import rules
from lcsiting.errors import ConfigError

TABLES = sorted(p.name[:-5] for p in resources.files("lcsiting.rules").iterdir() if p.name.endswith(".toml"))


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_a_source_and_says_whether_it_is_verified(name):
    for key, row in rules.load(name).items():
        assert row["source"].strip(), key
        assert isinstance(row["verified"], bool), key


def test_unpublished_distances_are_not_called_verified():
    profile = rules.load("miit_266_136")
    assert {key for key in profile if key.startswith("radius_")}
    assert not any(row["verified"] for key, row in profile.items() if key.startswith("radius_"))


def test_the_scope_is_the_published_one():
    profile = rules.load("miit_266_136")
    scope = sorted((row["low_mhz"], row["high_mhz"]) for key, row in profile.items() if key.startswith("scope_"))
    assert scope == [(3300.0, 4200.0), (4500.0, 5000.0)]


def test_a_project_overrides_one_field_and_adds_a_row(tmp_path):
    (tmp_path / "bands.toml").write_text(
        '[n78]\npower_w = 240.0\n[n8]\npower_w = 80.0\nsource = "x"\nverified = false\n', encoding="utf-8-sig"
    )
    table = rules.load("bands", tmp_path)
    assert table["n78"]["power_w"] == 240.0
    assert table["n78"]["gain_dbi"] == rules.load("bands")["n78"]["gain_dbi"]
    assert table["n8"]["power_w"] == 80.0


def test_a_new_row_without_source_is_refused(tmp_path):
    (tmp_path / "bands.toml").write_text("[n8]\npower_w = 80.0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"row \[n8\] lacks source and verified"):
        rules.load("bands", tmp_path)


def test_an_unknown_table_lists_the_known_ones():
    with pytest.raises(ConfigError, match="bands"):
        rules.load("band")


def test_host_order_is_that_of_the_citys_own_plan():
    """政府机构办公 → 行政事业单位 → 市政公用 → 公共服务 → 商业办公 → 工业和仓储 → 居住 → 新建塔 (4G plan 2015–2020)."""
    kinds = rules.load("site_kinds")
    order = ["government", "institution", "municipal", "school", "commercial", "industry", "residential", "new_tower"]
    assert [kinds[kind]["rank"] for kind in order] == [1, 2, 3, 4, 5, 6, 7, 8]
