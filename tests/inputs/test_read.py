"""Odd files, each read to the right place or refused with one clear message."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from files import (
    CITY,
    EAST,
    LAT,
    LON,
    NAMES,
    NORTH,
    dms,
    hosts,
    off_m,
    read,
    said,
    write_csv,
    write_gbk_shapefile,
)
from shapely import LineString, MultiPolygon, Point, Polygon, box

from lcsiting.config import LayerSource
from lcsiting.errors import CrsError, LayerError
from lcsiting.geo import crs
from lcsiting.inputs.read import find_file

# --- coordinates -------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "gb18030", "utf-16"])
def test_csv_of_any_encoding(tmp_path, encoding):
    path = write_csv(tmp_path / "公共资源 表.csv", hosts().assign(经度=LON, 纬度=LAT), encoding)
    layer, problems, aside = read(path, datum="cgcs2000")
    assert off_m(layer) < 0.01
    assert layer["name"].tolist() == NAMES
    assert layer["host_kind"].tolist() == ["government", "school", "hospital", "street_pole"]
    assert not aside
    assert said(problems, "GBK") == (encoding == "gb18030")


def test_degrees_without_datum_are_refused_with_what_to_declare(tmp_path):
    path = write_csv(tmp_path / "a.csv", hosts().assign(经度=LON, 纬度=LAT))
    with pytest.raises(CrsError, match="datum") as refused:
        read(path)
    assert all(word in str(refused.value) for word in ("gcj02", "bd09", "wgs84", "cgcs2000", "a.csv"))


def test_gcj02_workbook(tmp_path):
    lon, lat = crs.wgs84_to_gcj02(LON, LAT)
    path = tmp_path / "高德.xlsx"
    hosts().assign(经度=lon, 纬度=lat).to_excel(path, index=False)
    layer, problems, _ = read(path, datum="gcj02")
    assert off_m(layer) < 0.01
    assert said(problems, "GCJ-02", severity="info")
    untreated, _, _ = read(path, datum="wgs84")  # the planner's word is taken: half a kilometre off
    assert 490 < off_m(untreated) < 550


def test_bd09_table_is_not_gcj02(tmp_path):
    lon, lat = crs.gcj02_to_bd09(*crs.wgs84_to_gcj02(LON, LAT))
    path = write_csv(tmp_path / "百度.csv", hosts().assign(lng=lon, lat=lat))
    assert off_m(read(path, datum="bd09")[0]) < 0.02
    assert off_m(read(path, datum="gcj02")[0]) > 500


def test_degrees_minutes_seconds(tmp_path):
    frame = hosts().assign(东经=[dms(v) for v in LON], 北纬=[f"N{dms(v)}" for v in LAT])
    layer, _, _ = read(write_csv(tmp_path / "a.csv", frame), datum="wgs84")
    assert off_m(layer) < 0.3  # 0.01 of a second


@pytest.mark.parametrize("order", ["经度,纬度", "纬度,经度"])
def test_one_column_with_both(tmp_path, order):
    pairs = zip(LON, LAT, strict=True) if order.startswith("经") else zip(LAT, LON, strict=True)
    frame = hosts().assign(经纬度=[f"{a:.7f},{b:.7f}" for a, b in pairs])
    assert off_m(read(write_csv(tmp_path / "a.csv", frame), datum="wgs84")[0]) < 0.1


def test_longitude_and_latitude_swapped_are_put_right_and_said(tmp_path):
    path = write_csv(tmp_path / "a.csv", hosts().assign(经度=LAT, 纬度=LON))
    layer, problems, _ = read(path, datum="wgs84")
    assert off_m(layer) < 0.01
    assert said(problems, "写反", severity="info")


def test_one_swapped_row_is_named(tmp_path):
    lon, lat = LON.copy(), LAT.copy()
    lon[2], lat[2] = lat[2], lon[2]
    layer, problems, _ = read(write_csv(tmp_path / "a.csv", hosts().assign(经度=lon, 纬度=lat)), datum="wgs84")
    assert off_m(layer) < 0.01
    assert said(problems, "写反", "行 4", severity="warning")  # header is row 1


def test_survey_axes_x_is_north(tmp_path):
    path = write_csv(tmp_path / "a.csv", hosts().assign(X=NORTH, Y=EAST + 39e6), "gb18030")
    layer, problems, _ = read(path)
    assert off_m(layer) < 0.01
    assert said(problems, "X 为北", severity="info")
    assert said(problems, "EPSG:4527")


def test_zones_mixed_in_one_file(tmp_path):
    east_38, north_38 = crs.transform(LON, LAT, crs.GEOGRAPHIC, "EPSG:4526")
    east, north = EAST + 39e6, NORTH.copy()
    east[1], north[1] = east_38[1], north_38[1]
    layer, problems, _ = read(write_csv(tmp_path / "a.csv", hosts().assign(X坐标=east, Y坐标=north)))
    assert off_m(layer) < 0.01
    assert said(problems, "EPSG:4526", "行 3")
    assert said(problems, "中央经线不同", severity="warning")


def test_zone_without_prefix_is_told_by_the_city(tmp_path):
    east_38, north_38 = crs.transform(LON, LAT, crs.GEOGRAPHIC, "EPSG:4547")
    path = write_csv(tmp_path / "a.csv", hosts().assign(x=east_38, y=north_38))
    layer, problems, _ = read(path)
    assert off_m(layer) < 0.01
    assert said(problems, "EPSG:4547")
    with pytest.raises(CrsError, match="crs"):
        read(path, city=None)


def test_declared_crs_without_prefix_and_numbers_with_prefix(tmp_path):
    path = write_csv(tmp_path / "a.csv", hosts().assign(x=EAST + 39e6, y=NORTH))
    layer, problems, _ = read(path, crs="EPSG:4548")
    assert off_m(layer) < 0.01
    assert said(problems, "带号与声明不同", severity="info")


def test_gcj02_under_a_projection(tmp_path):
    east, north = crs.transform(*crs.wgs84_to_gcj02(LON, LAT), crs.GEOGRAPHIC, "EPSG:4548")
    path = write_csv(tmp_path / "a.csv", hosts().assign(x=east, y=north))
    assert off_m(read(path, crs="EPSG:4548", datum="gcj02")[0]) < 0.01


def test_other_national_datums_are_transformed_and_doubted(tmp_path):
    east, north = crs.transform(LON, LAT, crs.GEOGRAPHIC, "EPSG:2363")  # Xian 1980, zone 39
    assert 39.3e6 < east.min() < 39.5e6
    layer, problems, _ = read(write_csv(tmp_path / "a.csv", hosts().assign(x=east, y=north)), crs="EPSG:2363")
    assert off_m(layer) < 0.01
    assert said(problems, "Xian 1980", "上百米", severity="warning")


def test_positions_as_wkt(tmp_path):
    frame = hosts().assign(WKT=[f"POINT ({x} {y})" for x, y in zip(LON, LAT, strict=True)])
    assert off_m(read(write_csv(tmp_path / "a.csv", frame), datum="cgcs2000")[0]) < 0.01


def test_coordinates_that_are_neither_are_refused(tmp_path):
    path = write_csv(tmp_path / "a.csv", hosts().assign(x=[1.0, 2, 3, 4], y=[500.0, 501, 502, 503]))
    with pytest.raises(CrsError, match=r"4 行.*既不是"):
        read(path)


def test_bad_rows_are_set_aside_with_row_and_reason(tmp_path):
    frame = hosts().astype(object).assign(经度=LON.astype(object), 纬度=LAT)
    more = [
        {"资源编号": "GG10", "名称": "无坐标", "类型": "机关", "经度": "", "纬度": ""},
        {"资源编号": "GG11", "名称": "零", "类型": "机关", "经度": 0, "纬度": 0},
        {"资源编号": "GG12", "名称": "广州", "类型": "机关", "经度": 113.26, "纬度": 23.13},
        {"资源编号": "GG13", "名称": "邻市", "类型": "机关", "经度": 116.6, "纬度": 36.4},
        {"资源编号": "GG0", "名称": "重复", "类型": "机关", "经度": 115.9, "纬度": 36.4},
        {"资源编号": "", "名称": "无号", "类型": "机关", "经度": 115.9, "纬度": 36.4},
        {"资源编号": "GG14", "名称": "怪", "类型": "飞碟基地", "经度": 115.9, "纬度": 36.4},
    ]
    path = write_csv(tmp_path / "a.csv", pd.concat([frame, pd.DataFrame(more)]))
    layer, problems, aside = read(path, datum="cgcs2000")
    assert layer["place_id"].tolist() == ["GG0", "GG1", "GG2", "GG3"]
    assert off_m(layer) < 0.01  # geometry stays with its row
    reasons = {row["row"]: row["reason"] for row in aside}
    assert set(reasons) == {"6", "7", "8", "9", "10", "11", "12"}
    assert "没有坐标" in reasons["6"] and "0,0" in reasons["7"] and "50 km" in reasons["8"]
    assert "市域外" in reasons["9"] and "重复" in reasons["10"] and "资源编号" in reasons["11"]
    assert "依托主体" in reasons["12"]
    assert said(problems, "飞碟基地", "政府机关", severity="warning")
    assert next(row["record"] for row in aside if row["row"] == "8").startswith("资源编号=GG12; 名称=广州")


def test_what_is_on_air_beyond_the_border_has_a_layer_of_its_own(tmp_path):
    """In the list of existing places it is set aside, and that says where it belongs; the other way round too."""
    frame = pd.DataFrame(
        {"站址编码": ["N1", "N2"], "经度": [115.9, 116.6], "纬度": [36.4, 36.4], "已开通5G": ["联通:n78", "电信:n78"]}
    )
    path = write_csv(tmp_path / "a.csv", frame)
    layer, problems, aside = read(path, "existing", datum="cgcs2000")
    assert layer["place_id"].tolist() == ["N1"] and aside[0]["reason"] == "在市域外"
    assert problems["fix"].str.contains("neighbours").sum() == 1
    layer, _, aside = read(path, "neighbours", datum="cgcs2000")
    assert layer["place_id"].tolist() == ["N2"] and aside[0]["reason"] == "在市域内"


def test_protected_stations_may_lie_outside_the_city(tmp_path):
    frame = pd.DataFrame(
        {
            "台站编号": ["ES1", "ES2"],
            "类别": ["地球站", "单收站"],
            "频率下限": ["3.7GHz", 3700],
            "频率上限": [4200, "4,200"],
            "经度": [117.0, 113.26],
            "纬度": [36.65, 23.13],
            "许可日期": ["2015年3月1日", "2015/3/1"],
            "安播": ["是", ""],
        }
    )
    layer, _, aside = read(write_csv(tmp_path / "a.csv", frame), "protected_stations", datum="wgs84")
    assert layer["station_id"].tolist() == ["ES1"]  # Jinan stays, Guangzhou is beyond belief
    assert "150 km" in aside[0]["reason"]
    row = layer.iloc[0]
    assert (row["rx_low_mhz"], row["rx_high_mhz"], row["class"]) == (3700.0, 4200.0, "es_rx")
    assert row["licensed_since"] == pd.Timestamp("2015-03-01") and row["safe_broadcast"]


# --- headers and values ------------------------------------------------------------------------


def test_headers_in_many_spellings(tmp_path):
    frame = pd.DataFrame(
        {
            "站点 编号": ["LC1"],
            "站名": ["甲"],
            "挂高（米）": ["30米"],
            "经度(°)": [LON[0]],
            "纬 度": [LAT[0]],
            "空闲平台": ["２"],
            "供电": ["转供电"],
            "已开通5G": ["移动:n41"],
            "开通年份": ["2019年"],
        }
    )
    layer, _, _ = read(write_csv(tmp_path / "a.csv", frame), "existing", datum="wgs84")
    row = layer.iloc[0]
    assert (row["place_id"], row["name"], row["height_agl_m"], row["free_levels"]) == ("LC1", "甲", 30.0, 2)
    assert (row["power_supply"], row["on_air"], row["on_air_year"]) == ("resold", "移动:n41", 2019)


def test_title_rows_above_the_header_of_a_sheet(tmp_path):
    path = tmp_path / "站址.xlsx"
    frame = hosts().assign(经度=LON, 纬度=LAT)
    rows = [
        ["聊城市公共资源一览表", *[None] * 4],
        ["2020年5月", *[None] * 4],
        list(frame.columns),
        *frame.to_numpy().tolist(),
    ]
    with pd.ExcelWriter(path) as book:
        pd.DataFrame(rows).to_excel(book, index=False, header=False, sheet_name="资源")
        pd.DataFrame({"说明": ["别的"]}).to_excel(book, index=False, sheet_name="说明")
    layer, problems, _ = read(path, datum="wgs84")
    assert off_m(layer) < 0.01
    assert said(problems, "2 张表", "资源")
    with pytest.raises(LayerError, match="汇总"):
        read(path, datum="wgs84", layer="汇总")


def test_a_workbook_with_a_wrong_extent_is_read_whole(tmp_path):
    import zipfile

    path = tmp_path / "a.xlsx"
    hosts().assign(经度=LON, 纬度=LAT).to_excel(tmp_path / "good.xlsx", index=False)
    with zipfile.ZipFile(tmp_path / "good.xlsx") as good, zipfile.ZipFile(path, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name).replace(b'ref="A1:E5"', b'ref="A1"'))
    assert len(read(path, datum="wgs84")[0]) == 4


def test_columns_can_be_declared_and_fixed_values_given(tmp_path):
    frame = pd.DataFrame({"甲": ["A1", "A2"], "乙": LON[:2], "丙": LAT[:2]})
    path = write_csv(tmp_path / "a.csv", frame)
    columns = {"place_id": "甲", "lon": "乙", "lat": "丙", "host_kind": "=机关"}
    layer, _, _ = read(path, datum="wgs84", columns=columns)
    assert layer["place_id"].tolist() == ["A1", "A2"]
    assert set(layer["host_kind"]) == {"government"}
    with pytest.raises(LayerError, match="丁"):
        read(path, datum="wgs84", columns={**columns, "name": "丁"})
    with pytest.raises(LayerError, match="place_id"):
        read(path, datum="wgs84", columns={**columns, "placeid": "甲"})


def test_missing_columns_are_all_named_at_once(tmp_path):
    path = write_csv(tmp_path / "a.csv", pd.DataFrame({"名称": ["甲"], "经度": [116.0], "纬度": [36.5]}))
    with pytest.raises(LayerError) as refused:
        read(path, datum="wgs84")
    text = str(refused.value)
    assert all(word in text for word in ("资源编号", "依托主体类型", "place_id", "a.csv", "columns"))


def test_absurd_and_unreadable_numbers_are_blanked_and_said(tmp_path):
    frame = hosts().assign(挂高=["30", "3000", "约二十米", ""], 场租=["4,200", 0, "1.2万", ""], 经度=LON, 纬度=LAT)
    layer, problems, _ = read(write_csv(tmp_path / "a.csv", frame), datum="wgs84")
    np.testing.assert_array_equal(layer["height_agl_m"], [30.0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(layer["fee_yuan"], [4200.0, 0.0, 12000.0, np.nan])
    assert said(problems, "不合理", "3000", "3–150", "行 3")
    assert said(problems, "无法识别", "约二十米", "行 4")


def test_hostile_names_stay_as_they_are(tmp_path):
    names = ['=1+1</script><img src=x onerror="x">', "', DROP TABLE--", "NULL", "  空格  "]
    layer, _, _ = read(write_csv(tmp_path / "a.csv", hosts().assign(名称=names, 经度=LON, 纬度=LAT)), datum="wgs84")
    assert layer["name"].tolist() == [*names[:3], "空格"]


# --- files with geometry -----------------------------------------------------------------------


def test_gbk_shapefile_without_cpg_and_prj(tmp_path):
    folder = tmp_path / "现状 资料"
    folder.mkdir()
    layer, problems, _ = read(write_gbk_shapefile(folder / "公共资源.shp", EAST + 39e6, NORTH))
    assert layer["name"].tolist() == NAMES
    assert off_m(layer) < 0.01
    assert said(problems, ".cpg", "GBK", severity="info")
    assert said(problems, "未声明坐标系", "EPSG:4527", severity="warning")


def test_shapefile_in_degrees_without_prj_is_refused(tmp_path):
    path = write_gbk_shapefile(tmp_path / "a.shp", LON, LAT)
    with pytest.raises(CrsError, match="datum"):
        read(path)
    assert off_m(read(path, datum="wgs84")[0]) < 0.01


def test_shapefile_of_the_neighbour_zone_warns(tmp_path):
    east, north = crs.transform(LON, LAT, crs.GEOGRAPHIC, "EPSG:4547")
    frame = gpd.GeoDataFrame(hosts(), geometry=gpd.points_from_xy(east, north), crs="EPSG:4547")
    pyogrio.write_dataframe(frame, tmp_path / "a.shp", encoding="UTF-8")
    layer, problems, _ = read(tmp_path / "a.shp")
    assert off_m(layer) < 0.01
    assert said(problems, "EPSG:4547", severity="warning")


def test_a_prj_that_lies_is_caught(tmp_path):
    frame = gpd.GeoDataFrame(hosts(), geometry=gpd.points_from_xy(-LON, LAT * 20), crs="EPSG:4326")
    pyogrio.write_dataframe(frame, tmp_path / "a.shp", encoding="UTF-8")
    with pytest.raises(CrsError, match="WGS 84"):
        read(tmp_path / "a.shp")


@pytest.mark.parametrize(("suffix", "driver"), [(".geojson", "GeoJSON"), (".gpkg", "GPKG"), (".kml", "KML")])
def test_degrees_in_gis_formats(tmp_path, suffix, driver):
    frame = gpd.GeoDataFrame(hosts(), geometry=gpd.points_from_xy(LON, LAT, [30.0] * 4), crs="EPSG:4326")
    path = tmp_path / f"图层{suffix}"
    pyogrio.write_dataframe(frame, path, driver=driver)
    layer, problems, _ = read(path)
    assert off_m(layer) < 0.02
    assert not layer.geometry.has_z.any()
    assert layer["place_id"].tolist() == ["GG0", "GG1", "GG2", "GG3"]
    assert said(problems, "WGS84", "相同", severity="info")
    assert 490 < off_m(read(path, datum="gcj02")[0]) < 550  # a declared datum wins


def test_ovital_kml_is_gcj02(tmp_path):
    frame = gpd.GeoDataFrame(hosts(), geometry=gpd.points_from_xy(*crs.wgs84_to_gcj02(LON, LAT)), crs="EPSG:4326")
    pyogrio.write_dataframe(frame, tmp_path / "a.kml", driver="KML")
    path = (tmp_path / "a.kml").rename(tmp_path / "奥维.ovkml")
    layer, problems, _ = read(path)
    assert off_m(layer) < 0.1
    assert said(problems, "奥维", "GCJ-02")


@pytest.mark.parametrize("zipped", [False, True])
def test_file_geodatabase(tmp_path, zipped):
    import shutil

    frame = gpd.GeoDataFrame(hosts(), geometry=gpd.points_from_xy(EAST + 39e6, NORTH), crs="EPSG:4527")
    path = tmp_path / "聊城 资源.gdb"
    pyogrio.write_dataframe(frame, path, driver="OpenFileGDB", layer="公共资源")
    if zipped:
        path = shutil.make_archive(str(tmp_path / "聊城资源"), "zip", tmp_path, path.name)
        path = tmp_path / "聊城资源.zip"
    layer, _, _ = read(path)
    assert off_m(layer) < 0.01
    assert layer["name"].tolist() == NAMES


def test_land_survey_text(tmp_path):
    ring = [(EAST[0] + dx + 39e6, NORTH[0] + dy) for dx, dy in [(0, 0), (0, 900), (700, 900), (700, 0), (0, 0)]]
    hole = [(EAST[0] + dx + 39e6, NORTH[0] + dy) for dx, dy in [(100, 100), (200, 100), (200, 200), (100, 100)]]
    lines = [
        "[属性描述]",
        "坐标系=2000国家大地坐标系",
        "几度分带=3",
        "带号=39",
        "[地块坐标]",
        "9,0,1,示例地块,面,,,农田,@",
    ]
    lines += [f"J{i},1,{n:.3f},{e:.3f}" for i, (e, n) in enumerate(ring)]
    lines += [f"K{i},2,{n:.3f},{e:.3f}" for i, (e, n) in enumerate(hole)]
    path = tmp_path / "永久基本农田.txt"
    path.write_bytes("\n".join(lines).encode("gb18030"))
    layer, problems, _ = read(path, "restricted")
    assert layer["kind"].tolist() == ["farmland"]  # from the file name
    assert layer["name"].tolist() == ["示例地块"]
    shape = layer.geometry[0]
    assert shape.area == pytest.approx(700 * 900 - 5000, rel=1e-6)
    assert shape.bounds[:2] == pytest.approx((EAST[0], NORTH[0]), abs=0.01)
    assert said(problems, "带号 39", severity="info") and said(problems, "文件名", severity="info")


def test_areas_invalid_clockwise_and_of_another_kind(tmp_path):
    bow_tie = Polygon([(0, 0), (1000, 1000), (1000, 0), (0, 1000)])
    overlapping = MultiPolygon([box(0, 0, 1000, 1000), box(500, 0, 1500, 1000)])
    clockwise = Polygon([(0, 0), (0, 500), (500, 500), (500, 0)])
    assert not clockwise.exterior.is_ccw and not bow_tie.is_valid and not overlapping.is_valid
    shapes = [bow_tie, overlapping, clockwise, LineString([(0, 0), (9, 9)]), Polygon()]
    moved = [shapely.affinity.translate(s, 400_000, 4_030_000) for s in shapes]
    frame = gpd.GeoDataFrame({"类别": ["永久基本农田"] * 5, "名称": list("abcde")}, geometry=moved, crs="EPSG:4548")
    pyogrio.write_dataframe(frame, tmp_path / "限制.gpkg")
    layer, problems, aside = read(tmp_path / "限制.gpkg", "restricted")
    assert layer["name"].tolist() == ["a", "b", "c"]
    assert layer.geometry.is_valid.all()
    # both lobes of the bow tie, the union of the overlapping parts
    np.testing.assert_allclose(layer.area, [500_000, 1_500_000, 250_000], rtol=1e-9)
    assert said(problems, "已修复", "行 1, 2", severity="warning")
    assert [(row["row"], row["reason"]) for row in aside] == [("4", "几何类型不对，应为面"), ("5", "几何为空")]


def test_old_division_codes_are_brought_up_to_date(tmp_path):
    frame = gpd.GeoDataFrame(
        {"adcode": [371523, 371523104], "name": ["茌平县", "示例镇"], "level": ["district", "乡镇"]},
        geometry=[box(116.0, 36.5, 116.3, 36.7), box(116.0, 36.5, 116.1, 36.6)],
        crs="EPSG:4490",
    )
    pyogrio.write_dataframe(frame, tmp_path / "a.gpkg")
    layer, problems, _ = read(tmp_path / "a.gpkg", "boundaries", city=None)
    assert layer["code"].tolist() == ["371503", "371503104"]
    assert layer["level"].tolist() == ["county", "town"]
    assert said(problems, "371523", "371503", severity="info")


def test_polygons_and_multipoints_become_one_point(tmp_path):
    x, y = EAST[0], NORTH[0]
    shapes = [box(x, y, x + 100, y + 100), shapely.MultiPoint([(x, y), (x + 9, y)]), Point(x, y), Point(x, y)]
    pyogrio.write_dataframe(gpd.GeoDataFrame(hosts(), geometry=shapes, crs="EPSG:4548"), tmp_path / "a.gpkg")
    layer, problems, _ = read(tmp_path / "a.gpkg")
    assert set(layer.geom_type) == {"Point"}
    assert box(x, y, x + 100, y + 100).contains(layer.geometry[0])
    assert said(problems, "面内") and said(problems, "第一个", "行 2", severity="warning")


def test_several_files_make_one_layer(tmp_path):
    from files import CONFIG

    from lcsiting.inputs.read import read_layer

    write_csv(tmp_path / "a.csv", hosts().iloc[:2].assign(经度=LON[:2], 纬度=LAT[:2]))
    write_csv(tmp_path / "b.csv", hosts().iloc[1:].assign(x=EAST[1:], y=NORTH[1:]))
    sources = [LayerSource(path="a.csv", datum="wgs84"), LayerSource(path="b.csv", crs="EPSG:4548")]
    layer, _, aside = read_layer("candidates", sources, tmp_path, CONFIG, CITY)
    assert layer["place_id"].tolist() == ["GG0", "GG1", "GG2", "GG3"]
    assert off_m(layer) < 0.01
    assert [(row["file"], row["row"]) for row in aside] == [("b.csv", "2")]  # GG1 again: the first one stays


def test_files_that_cannot_be_read_say_why(tmp_path):
    (tmp_path / "站址.xlsx").write_bytes(b"not a workbook")
    (tmp_path / "a.shp").write_bytes(b"\x00" * 100)
    (tmp_path / "b.csv").write_bytes(b"")
    (tmp_path / "c.docx").write_bytes(b"x")
    (tmp_path / "d.xls").write_bytes(b"x")
    for name, word in [
        ("站址.xlsx", "Excel"),
        ("a.shp", "无法读取"),
        ("b.csv", "空"),
        ("c.docx", "不支持"),
        ("d.xls", "另存为"),
    ]:
        with pytest.raises(LayerError, match=word) as refused:
            read(tmp_path / name, datum="wgs84")
        assert name in str(refused.value)
    with pytest.raises(LayerError, match=r"站址\.xlsx"):
        find_file(tmp_path, LayerSource(path="站址.xls"), "existing")
