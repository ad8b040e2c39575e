"""Shapefiles read back by GDAL with its defaults, and the GeoPackage."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from handmade import HOSTILE, NETWORKS, RARE

from lcsiting import rules, schema
from lcsiting.exporters import tables, vector

LAYERS = {"TXJZ_P", "TXZZ_P", "XZQ_A", "BHTZ_P", "XTFW_A", "WRX_P"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_result):
    target = tmp_path_factory.mktemp("导出") / "shp"
    with pytest.warns(UserWarning, match=r"TXJZ_P\.DJSM: 2 cut"):
        vector.write_shapefiles(tiny_result, target)
    return target


def test_chinese_comes_back_with_gdals_defaults(folder, tiny_result):
    frame = gpd.read_file(folder / "TXJZ_P.shp")
    assert len(frame) == len(tiny_result.plan.stations)
    assert set(frame["XZQMC"]) == {"茌平区", "莘县"}
    assert set(frame["YYS"]) == set(NETWORKS)
    assert set(frame["JCZT"]) == {"现网", "规划"}
    assert frame.geometry.geom_equals_exact(tiny_result.plan.stations.geometry, 1e-6).all()
    assert np.array_equal(frame["RANK"], tiny_result.plan.stations["rank"])


def test_each_layer_has_gbk_esri_prj_and_one_geometry(folder):
    assert {path.stem for path in folder.glob("*.shp")} == LAYERS
    for name in LAYERS:
        assert (folder / f"{name}.cpg").read_text() == "GBK"
        assert "CGCS2000_3_Degree_GK_CM_117E" in (folder / f"{name}.prj").read_text()
        info = pyogrio.read_info(folder / f"{name}.shp")
        assert info["geometry_type"] == ("Point" if name.endswith("_P") else "Polygon")
        assert all(field.isascii() and len(field) <= 10 for field in info["fields"])


def test_what_is_on_air_has_no_planned_year(folder, package, tiny_result):
    """Empty, not 0: a year 0 would count as a phase in anybody's statistics."""
    for frame, year, status in (
        (gpd.read_file(folder / "TXJZ_P.shp"), "GHNX", tiny_result.plan.stations["status"]),
        (gpd.read_file(folder / "TXZZ_P.shp"), "GHNX", tiny_result.plan.places["status"]),
        (gpd.read_file(package, layer="stations"), "phase_year", tiny_result.plan.stations["status"]),
        (gpd.read_file(package, layer="places"), "phase_year", tiny_result.plan.places["status"]),
    ):
        assert frame[year].isna().tolist() == (status == "on_air").tolist()
        assert set(frame[year].dropna()) == {2020, 2023}
    for path, layer, year in ((folder / "TXJZ_P.shp", None, "GHNX"), (package, "places", "phase_year")):
        info = pyogrio.read_info(path, layer=layer)
        assert dict(zip(info["fields"], info["dtypes"], strict=True))[year].startswith("int")


def test_an_unverified_basis_is_said_in_every_layer_it_touches(folder, package, tiny_result):
    assert set(gpd.read_file(folder / "TXJZ_P.shp")["XTHS"]) == {"未核实"}
    assert set(gpd.read_file(folder / "TXZZ_P.shp")["XTHS"]) == {"未核实"}
    assert gpd.read_file(folder / "XTFW_A.shp")["YJHS"].tolist() == ["未核实"]
    assert not gpd.read_file(package, layer="stations")["coordination_verified"].any()
    said = pyogrio.read_dataframe(package, layer="metadata").set_index("key")["value"]["unverified_rules"]
    assert "4 条规则数值未经核实" in said
    assert "干扰协调规则 miit_266_136 2 条：radius_co_channel、加装滤波器" in said
    assert "用地限制 1 条：倒塔距离" in said and "无线参数 1 条" in said
    fields = pd.read_csv(folder / vector.DICTIONARY, encoding="utf-8-sig")
    assert fields["图层"].str.contains("radius_co_channel").any()


def test_verified_stations_are_not_tarred_with_the_same_brush(tmp_path, tiny_result):
    stations = tiny_result.plan.stations
    known = stations.assign(coordination_verified=stations["network"] == NETWORKS[0])
    result = dataclasses.replace(tiny_result, plan=dataclasses.replace(tiny_result.plan, stations=known))
    words = tables.translated(known, "stations", result)["coordination_verified"]
    assert (words == np.where(known["network"] == NETWORKS[0], "已核实", "未核实")).all()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_word_the_tool_has_for_a_code_fits_its_field(lang):
    """Rule tables, values and tiers in both languages: nothing of the vocabulary is ever cut."""
    codes = {
        "status": ["on_air", "expand", "planned"], "basis": ["on_air", "coverage", "capacity"],
        "source": ["existing", "public", "infill", "proposed"], "action": ["reuse", "refit", "new"],
        "coordination": ["clear", "coordinate", "excluded", "outside", "not_assessed"],
        "mechanism": ["co_channel", "adjacent", "overload"], "host_kind": list(rules.load("site_kinds")),
        "tier": list(rules.load("tiers")), "rule": [*rules.load("limits"), "earth_station", "not_selected"],
    }  # fmt: skip
    seen = set()
    protected = schema.layer("protected_stations")
    for table in (*map(schema.table, ("stations", "places", "refused", "rings")), protected):
        for column in table.columns.values():
            if column.dtype == "bool":
                words = [schema.value_label(word, lang) for word in tables.BASIS]
            else:
                words = [tables.word(column.name, code, lang) for code in codes.get(column.name, column.values)]
            for word in words if column.shp_width.startswith("C") else []:
                text, cut, swapped = vector.fit_text(word, int(column.shp_width[1:]))
                assert (text, cut, swapped) == (word, False, False), f"{table.name}.{column.shp}: {word}"
                seen.add(column.name)
    assert seen >= {*codes, "class", "lnb_type", "coordination_verified"}


def test_a_city_without_counties_is_one_outline(tiny_result):
    bounds = tiny_result.project.layers["boundaries"]
    outline = bounds[bounds["level"] != "county"]
    city = tiny_result.plan.counties.assign(county_code="371500", county="聊城市")
    result = dataclasses.replace(
        tiny_result,
        project=dataclasses.replace(tiny_result.project, layers=tiny_result.project.layers | {"boundaries": outline}),
        plan=dataclasses.replace(tiny_result.plan, counties=city.drop_duplicates("year")),
    )
    table = vector.boundary_table(result)
    assert table["county"].tolist() == ["聊城市"]
    assert table["stations"].tolist() == [40]


def test_numbers_with_gaps_stay_numbers():
    frame = vector._storable(pd.DataFrame({"share": pd.Series([0.5, None], dtype=object), "n": [1, 2]}))
    assert frame["share"].dtype == float and frame["share"].isna().tolist() == [False, True]


def test_texts_are_cut_by_bytes_and_counted(folder, tiny_result):
    frame = gpd.read_file(folder / "TXJZ_P.shp")
    for column in schema.table("stations").columns.values():
        if column.shp_width.startswith("C"):
            longest = frame[column.shp].fillna("").map(lambda text: len(text.encode("gbk"))).max()
            assert longest <= int(column.shp_width[1:])
    long = tiny_result.plan.stations.set_index("station_id").loc["GG00007-N1", "reasons"]
    cut = frame.set_index("BSM").loc["GG00007-N1", "DJSM"]
    assert long.startswith(cut)
    assert len(cut.encode("gbk")) in (253, 254)
    fields = pd.read_csv(folder / vector.DICTIONARY, encoding="utf-8-sig").set_index(["文件", "字段名"])
    assert fields.loc[("TXJZ_P.shp", "DJSM"), "截断行数"] == 2
    assert fields.loc[("TXJZ_P.shp", "ZDMC"), "替换字符行数"] == 2
    assert fields.loc[("TXJZ_P.shp", "GAIN_KM2"), "中文名"] == "新增覆盖面积(km²)"


def test_characters_gbk_lacks_are_replaced(folder):
    names = gpd.read_file(folder / "TXJZ_P.shp").set_index("BSM")["ZDMC"]
    assert names["GG00005-N1"] == "?村?站"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("茌平区", 6, ("茌平区", False, False)),
        ("茌平区", 5, ("茌平", True, False)),  # never half a character
        ("a茌平", 4, ("a茌", True, False)),
        (RARE, 20, ("?村?站", False, True)),
        ("", 5, ("", False, False)),
    ],
)
def test_fit_text(text, width, expected):
    assert vector.fit_text(text, width) == expected


def test_a_county_carries_the_indicators_of_the_last_phase(folder, tiny_result):
    frame = gpd.read_file(folder / "XZQ_A.shp").set_index("XZQDM")
    assert set(frame.index) == {"371503", "371522"}
    assert set(frame["GHNX"]) == {2023}
    assert (frame["JZS"] == 40).all()


def test_a_layer_of_mixed_geometry_is_refused(tmp_path):
    from shapely import LineString, Point

    mixed = gpd.GeoSeries([Point(0, 0), LineString([(0, 0), (1, 1)])], crs="EPSG:4548")
    with pytest.raises(vector.ExportError, match="mixes LineString, Point"):
        vector._write_shapefile(tmp_path / "A_P.shp", {"A": np.array([1, 2])}, mixed)


@pytest.fixture(scope="module")
def package(tmp_path_factory, tiny_result):
    path = tmp_path_factory.mktemp("gpkg") / "plan.gpkg"
    vector.write_geopackage(tiny_result, path)
    return path


def test_geopackage_holds_every_table(package):
    layers = dict(pyogrio.list_layers(package))
    assert {
        "stations", "places", "counties", "boundaries", "protected_stations", "rings", "refused",
        "eligibility_failures", "verdicts", "statistics", "reach", "phases", "problems", "metadata",
    } <= set(layers)  # fmt: skip
    assert layers["stations"] == "Point"
    assert layers["rings"] == "Polygon"
    assert layers["verdicts"] is None


def test_geopackage_keeps_texts_in_full(package, tiny_result):
    stations = gpd.read_file(package, layer="stations")
    assert list(stations["reasons"]) == list(tiny_result.plan.stations["reasons"])
    assert {*HOSTILE, RARE} <= set(stations["name"])
    assert stations.crs.to_epsg() == 4548


def test_geopackage_lists_all_refusals_and_only_failures(package, tiny_result):
    refused = gpd.read_file(package, layer="refused")
    assert list(refused["station_id"]) == list(tiny_result.plan.refused["station_id"])
    back = refused.geometry.to_crs("EPSG:4490")
    assert np.allclose(back.x, tiny_result.plan.refused["lon"], atol=1e-9)
    assert len(pyogrio.read_dataframe(package, layer="eligibility_failures")) == 1
    metadata = pyogrio.read_dataframe(package, layer="metadata").set_index("key")["value"]
    assert "示例" in metadata["notice"]
