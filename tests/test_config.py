"""The project file: what is accepted, and what the refusal says."""

from pathlib import Path

import pytest
from tiny_city import RAW_CONFIG, tiny_config

from lcsiting.errors import ConfigError
from lcsiting.project_file import parse_config, read_config

SKETCH = """
[project]
name = "某市"
[layers]
boundaries = "boundaries.gpkg"
existing = {path = "铁塔存量站.xlsx", datum = "gcj02"}
restricted = ["永久基本农田.shp", "生态保护红线.shp"]
dem = "dem.tif"
[[networks]]
name = "电联"
operators = ["电信", "联通"]
bands = {dense_urban = "n78", urban = "n78", suburban = "n78", village = "n1", rural = "n1"}
[[services]]
name = "outdoor"
[[phases]]
year = 2023
target = 10
"""


def test_a_byte_order_mark_and_plain_paths_are_fine(tmp_path):
    path = tmp_path / "project.toml"
    path.write_text(SKETCH, encoding="utf-8-sig")
    config = read_config(path)
    assert config.layers["boundaries"].path == "boundaries.gpkg"
    assert [source.path for source in config.layers["restricted"]] == ["永久基本农田.shp", "生态保护红线.shp"]
    assert config.dem.path == "dem.tif"
    assert config.phases[0].unit == "station"


@pytest.mark.parametrize(
    ("section", "value", "expected"),
    [
        ("project", {"name": "x", "resolution": 50}, "did you mean 'resolution_m'"),
        ("layers", {"boundry": "a.gpkg"}, "did you mean 'boundaries'"),
        ("layers", {"existing": {"path": "a.csv", "datun": "wgs84"}}, "datun"),
        ("phases", [{"year": 2023, "target": 5, "unit": "sites"}], "'station' or 'place'"),
        ("phases", [{"year": 2023, "target": 5}, {"year": 2020, "target": 9}], "years must increase"),
        ("phases", [{"year": 2020, "target": 5}, {"year": 2023, "target": 9, "unit": "place"}], "same unit"),
        ("targets", [{"area": "市城区", "grade": "ful", "by": 2020}], "did you mean 'full'"),
        ("targets", [{"area": "市区", "grade": "full", "by": 2020}], "did you mean '市城区'"),
        ("coordination", {"profile": "miit"}, "no rule table 'miit'"),
        ("demand", {"resolution_m": 25}, "must not be finer"),
        ("services", [{"name": "rsrp_dbm"}], "used by the tables"),
        ("services", [{"name": "室外/夜间"}], "services.0.name"),
        ("services", [{"name": "outdoor", "reliability_pct": 99.995}], "reliability_pct"),
        ("project", {"name": "x", "crs": "EPSG:4490"}, "projected in metres"),
        ("project", {"name": "x", "crs": "EPSG:99999"}, "not a coordinate system"),
        ("screening", {"enforce_unverified": ["farmlands"]}, "did you mean 'farmland'"),
    ],
)
def test_refusals_name_the_key_and_the_remedy(section, value, expected):
    with pytest.raises(ConfigError, match=r"project\.toml|no rule table") as caught:
        tiny_config(**{section: value})
    assert expected in str(caught.value)


def test_a_network_without_a_band_for_a_morphology_is_refused():
    network = {**RAW_CONFIG["networks"][0], "bands": {"urban": "n41"}}
    with pytest.raises(ConfigError, match="no band for dense_urban, suburban, village, rural"):
        tiny_config(networks=[network])


def test_a_network_may_not_be_called_all():
    with pytest.raises(ConfigError, match="used by the tables"):
        tiny_config(networks=[{**RAW_CONFIG["networks"][0], "name": "all"}])


def test_an_unknown_band_is_refused():
    bands = {**RAW_CONFIG["networks"][0]["bands"], "rural": "n288"}
    with pytest.raises(ConfigError, match="did you mean 'n28'"):
        tiny_config(networks=[{**RAW_CONFIG["networks"][0], "bands": bands}])


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(ConfigError, match="lcsiting new"):
        read_config(tmp_path / "project.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[project\nname=", encoding="utf-8")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_config(broken)
    gbk = tmp_path / "gbk.toml"
    gbk.write_bytes(SKETCH.encode("gbk"))
    with pytest.raises(ConfigError, match="UTF-8"):
        read_config(gbk)


def test_a_config_survives_json():
    config = tiny_config()
    assert type(config).model_validate(config.model_dump(mode="json")) == config


def test_a_saved_project_file_is_read_through_the_same_checks():
    with pytest.raises(ConfigError, match="networks"):
        parse_config({**RAW_CONFIG, "networks": []}, Path("project.toml"))


def test_model_patterns_and_propagation_are_checked():
    networks = [{**RAW_CONFIG["networks"][0], "model": "p1812"}, RAW_CONFIG["networks"][1]]
    config = tiny_config(networks=networks, propagation={"los": "dem", "n0": 325.0})
    assert [network.model for network in config.networks] == ["p1812", ""]
    assert (config.propagation.n0, config.propagation.delta_n) == (325.0, None)
    with pytest.raises(ConfigError, match="did you mean 'delta_n'"):
        tiny_config(propagation={"deltan": 40.0})
    with pytest.raises(ConfigError, match="los"):
        tiny_config(propagation={"los": "always"})


def test_quotas_floors_and_budgets_are_checked():
    phases = [{"year": 2020, "target": 12, "budget": 5.5, "weight": 2}, {"year": 2023, "target": 40}]
    config = tiny_config(
        phases=phases,
        quotas=[{"county": "茌平区", "year": 2020, "min": 3}, {"max_share": 0.6}],
        floors=[{"area": "市城区", "service": "indoor", "network": "电联", "share": 0.5, "by": 2021}],
    )
    assert (config.phases[0].budget, config.phases[1].budget, config.phases[0].weight) == (5.5, None, 2.0)
    assert type(config).model_validate(config.model_dump(mode="json")) == config
    for fields, message in (
        ({"quotas": [{"county": "茌平区"}]}, "needs min, max, min_share or max_share"),
        ({"quotas": [{"minimum": 3}]}, "did you mean 'min"),
        ({"quotas": [{"min": 3, "year": 2021}]}, r"2021 is no phase year \(2020, 2023\)"),
        ({"floors": [{"share": 0.5, "by": 2024}]}, "behind the last phase year 2023"),
        ({"floors": [{"share": 0.5, "by": 2020, "service": "indor"}]}, "did you mean 'indoor'"),
        ({"floors": [{"share": 0.5, "by": 2020, "networks": "电联"}]}, "did you mean 'network'"),
        ({"phases": [{"year": 2020, "target": 12, "bugdet": 3.0}]}, "did you mean 'budget'"),
        ({"phases": [{"year": 2020, "target": 9, "target_share": 0.5}, phases[1]]}, "in every phase, or in none"),
        ({"phases": [{"year": 2020, "target": 9, "target_share": 0.5, "budget": 3.0}]}, "leave budget out"),
    ):
        with pytest.raises(ConfigError, match=message):
            tiny_config(**fields)
