"""The schema: labels, shapefile names, no ambiguity for a reader."""

import re

import pytest

from lcsiting import schema
from lcsiting.errors import ConfigError

OUTPUTS = [
    "stations",
    "places",
    "phases",
    "counties",
    "statistics",
    "reach",
    "eligible",
    "refused",
    "verdicts",
    "problems",
]


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output_column_has_both_labels(name):
    for column in schema.table(name).columns.values():
        assert column.zh and column.en, column.name


@pytest.mark.parametrize("name", ["stations", "places"])
def test_shapefile_names_fit_dbase(name):
    names = [column.shp for column in schema.table(name).columns.values() if column.shp]
    assert len(names) == len(set(names))
    for column in schema.table(name).columns.values():
        if column.shp:
            assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,9}", column.shp), column.name
            assert re.fullmatch(r"C\d+|N\d+(\.\d+)?", column.shp_width), column.name


@pytest.mark.parametrize("name", list(schema.layers()))
def test_a_header_means_one_column(name):
    """No synonym of a layer points to two columns."""
    seen: dict[str, str] = {}
    for column in schema.layer(name).columns.values():
        for word in {column.name, column.zh, *column.synonyms}:
            assert seen.setdefault(word, column.name) == column.name, f"{name}: {word}"


def test_labels_carry_units_and_values_translate():
    assert schema.labels("stations")["gain_area_km2"] == "新增覆盖面积(km²)"
    assert schema.labels("stations", "en")["gain_area_km2"] == "Added area(km²)"
    assert schema.value_label("reuse") == "直接利旧"
    assert schema.value_label("reuse", "en") == "Reuse"
    assert schema.value_label("移动广电") == "移动广电"
    assert schema.value_label(3.5) == 3.5


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="known"):
        schema.layer("sites")
    with pytest.raises(ConfigError, match="known"):
        schema.table("sites")
