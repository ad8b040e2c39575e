"""A whole project on disk: opened, filled in where layers are missing, checked."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from files import EAST, LAT, LON, NORTH, hosts, said, write_csv
from shapely import box
from shapely.affinity import translate

from lcsiting import schema
from lcsiting.errors import ConfigError, LayerError
from lcsiting.geo import crs
from lcsiting.geo import grid as raster
from lcsiting.inputs.check import check
from lcsiting.inputs.project import open_project
from lcsiting.model import Raster

HEAD = """
[project]
name = "示例"
resolution_m = 100
[[networks]]
name = "移动广电"
operators = ["移动", "广电"]
bands = {dense_urban = "n41", urban = "n41", suburban = "n41", village = "n28", rural = "n28"}
[[services]]
name = "outdoor"
[[phases]]
year = 2020
target = 2
[layers]
"""
WEST_HALF = box(396_000, 4_026_000, 406_000, 4_046_000)
EAST_HALF = box(406_000, 4_026_000, 416_000, 4_046_000)
URBAN = box(407_000, 4_034_000, 410_000, 4_037_000)


def boundaries(**changes) -> gpd.GeoDataFrame:
    data = {
        "级别": ["县", "区", "市城区"],
        "代码": ["371502", "371523", "SCQ"],
        "名称": ["东昌府区", "茌平县", "市城区"],
        "常住人口": ["30,000", "20000", ""],
    } | changes
    return gpd.GeoDataFrame(data, geometry=[WEST_HALF, EAST_HALF, URBAN], crs="EPSG:4548")


def points(count: int = 30, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(397_000, 415_000, count), rng.uniform(4_027_000, 4_045_000, count)


@pytest.fixture
def folder(tmp_path):
    """A folder with a Chinese name and a space, boundaries inside."""
    path = tmp_path / "聊城 规划"
    path.mkdir()
    pyogrio.write_dataframe(boundaries(), path / "范围.gpkg")
    return path


def write(folder, layers: str):
    (folder / "project.toml").write_text(HEAD + layers, encoding="utf-8-sig")
    return folder


def test_a_project_of_boundaries_and_one_list(folder):
    east, north = points()
    frame = pd.DataFrame({"编号": [f"G{i}" for i in range(30)], "类型": "机关", "x": east, "y": north})
    write_csv(folder / "公共资源.csv", frame)
    write(folder, 'boundaries = "范围.gpkg"\ncandidates = {path = "公共资源.csv", crs = "EPSG:4548"}')
    project = open_project(folder)
    assert len(project.places) == 30 and len(project.stations) == 30
    np.testing.assert_allclose(project.layers["candidates"].geometry.x, east, atol=1e-6)
    assert set(project.places["county_code"]) == {"371502", "371503"}  # 371523 is today's 371503
    assert project.layers["boundaries"]["population"].tolist()[:2] == [30_000, 20_000]
    for name, table in schema.layers().items():  # layers nobody gave are empty but complete
        assert [*table.columns, "geometry"] == list(project.layers[name].columns)
        assert str(project.layers[name].crs) == "EPSG:4548"


def test_land_and_people_without_rasters(folder):
    project = open_project(write(folder, 'boundaries = "范围.gpkg"'))
    people = project.population.array
    labels = raster.rasterize([WEST_HALF, EAST_HALF], [1, 2], project.grid)
    assert people[labels == 1].sum() == pytest.approx(30_000, rel=1e-5)
    assert people[labels == 2].sum() == pytest.approx(20_000, rel=1e-5)
    inside = raster.rasterize([URBAN], [1], project.grid) == 1
    assert set(np.unique(project.clutter.array[inside])) == {5}
    assert set(np.unique(project.clutter.array[~inside])) == {2}
    # the urban area is 4.0 against 0.02 a pixel: nearly all of its county's people
    assert people[inside].sum() > 0.85 * 20_000
    assert said(project.problems, "地物", severity="info") and said(project.problems, "人口栅格", severity="info")


def test_rasters_are_resampled_and_people_kept(folder):
    grid = raster.frame((390_000, 4_020_000, 420_000, 4_050_000), 250, "EPSG:4548")
    rng = np.random.default_rng(1)
    people = rng.uniform(0, 9, (grid.rows, grid.cols)).astype(np.float32)
    raster.write_raster(folder / "人口.tif", Raster(grid, array=people))
    raster.write_raster(folder / "地物.tif", Raster(grid, array=np.full(people.shape, 3, np.uint8)))
    raster.write_raster(folder / "dem.tif", Raster(grid, array=np.full(people.shape, 33, np.int16)))
    layers = 'boundaries = "范围.gpkg"\npopulation = "人口.tif"\nclutter = "地物.tif"\ndem = "dem.tif"'
    project = open_project(write(folder, layers))
    west, south, east, north = raster.bounds(project.grid)
    x, y = raster.cell_centres(grid)
    window = people[np.ix_((y > south) & (y < north), (x > west) & (x < east))]
    assert project.population.array.sum() == pytest.approx(window.sum(), rel=1e-4)
    assert set(np.unique(project.clutter.array)) == {3}
    assert project.dem.grid.resolution_m == 250  # its own frame, beyond the city
    assert said(check(project), "人口栅格", "相差", severity="warning")  # 23 000 against 50 000


def test_heights_missing_in_the_city_are_counted_not_taken_as_zero(folder):
    grid = raster.frame((390_000, 4_020_000, 420_000, 4_050_000), 250, "EPSG:4548")
    heights = np.full((grid.rows, grid.cols), 33, np.int16)
    heights[:, :2] = -32768  # beyond the city
    raster.write_raster(folder / "dem.tif", Raster(grid, array=heights, nodata=-32768))
    layers = 'boundaries = "范围.gpkg"\ndem = "dem.tif"'
    assert not said(check(open_project(write(folder, layers))), "无值")
    row, col, _ = (int(v) for v in raster.row_col(grid, *URBAN.centroid.coords[0]))
    heights[row : row + 2, col : col + 3] = -32768
    raster.write_raster(folder / "dem.tif", Raster(grid, array=heights, nodata=-32768))
    project = open_project(write(folder, layers))
    assert project.dem.nodata == -32768
    assert said(check(project), "6 个像元无值", severity="warning")


def test_radio_zones_keep_their_codes_and_other_codes_are_refused(folder):
    grid = raster.frame((390_000, 4_020_000, 420_000, 4_050_000), 250, "EPSG:4548")
    codes = np.full((grid.rows, grid.cols), 2, np.uint8)
    codes[:, 60:], codes[:, 50:60], codes[:, :5] = 3, 1, 255
    raster.write_raster(folder / "zones.tif", Raster(grid, array=codes, nodata=255))
    layers = 'boundaries = "范围.gpkg"\nradio_zones = "zones.tif"'
    project = open_project(write(folder, layers))
    assert project.radio_zones.array.dtype == np.uint8
    np.testing.assert_array_equal(project.radio_zones.array, np.where(codes == 255, 2, codes))
    raster.write_raster(folder / "zones.tif", Raster(grid, array=codes))
    with pytest.raises(LayerError, match=r"radio_zones.*255"):
        open_project(write(folder, layers))
    assert said(check(folder), "沿海陆地", severity="error")


def test_one_clear_error_stops_and_check_lists_them_all(folder):
    write_csv(folder / "a.csv", hosts().assign(经度=LON, 纬度=LAT))
    write_csv(folder / "b.csv", pd.DataFrame({"编号": ["X"], "经度": [115.98], "纬度": [36.45]}))
    layers = (
        'boundaries = "范围.gpkg"\ncandidates = "a.csv"\ndemands = {path = "b.csv", datum = "wgs84"}\n'
        'existing = "没有.xlsx"\nclutter = "也没有.tif"'
    )
    with pytest.raises(LayerError):
        open_project(write(folder, layers))
    problems = check(folder)
    errors = problems[problems["severity"] == "error"]
    assert list(errors["layer"]) == ["existing", "candidates", "demands", "clutter"]
    assert list(problems.columns) == list(schema.table("problems").columns)
    assert said(errors, "没有.xlsx") and said(errors, "datum") and said(errors, "运营商") and said(errors, "也没有.tif")
    assert errors["fix"].str.len().min() > 0


def test_check_without_a_usable_project_file(tmp_path):
    assert check(tmp_path)["severity"].tolist() == ["error"]
    (tmp_path / "project.toml").write_text(HEAD.replace("[layers]", "[layer]"), encoding="utf-8")
    assert said(check(tmp_path), "layers", severity="error")
    with pytest.raises(ConfigError):
        open_project(tmp_path)


def test_a_project_without_boundaries(tmp_path):
    (tmp_path / "project.toml").write_text(HEAD, encoding="utf-8")
    with pytest.raises(LayerError, match="boundaries"):
        open_project(tmp_path)
    assert said(check(tmp_path), "boundaries", severity="error")


def test_candidates_in_gcj02_declared_as_wgs84_are_suspected_by_their_county(folder):
    east, north = points(600)
    lon, lat = crs.wgs84_to_gcj02(*crs.transform(east, north, "EPSG:4548", crs.GEOGRAPHIC))
    county = np.where(east < 406_000, "东昌府区", "茌平区")
    frame = pd.DataFrame(
        {
            "编号": [f"G{i}" for i in range(600)],
            "类型": "机关",
            "县区": county,
            "经度": lon,
            "纬度": lat,
        }
    )
    write_csv(folder / "a.csv", frame)
    layers = 'boundaries = "范围.gpkg"\ncandidates = {path = "a.csv", datum = "%s"}'
    assert said(check(write(folder, layers % "wgs84")), "GCJ-02", "所属县", severity="warning")
    assert not said(check(write(folder, layers % "gcj02")), "很可能是 GCJ-02")


def test_same_names_half_a_kilometre_apart_are_suspected(folder):
    east, north = points(20)
    lon, lat = crs.transform(east, north, "EPSG:4548", crs.GEOGRAPHIC)
    names = [f"示例村{i}" for i in range(20)]
    write_csv(folder / "村.csv", pd.DataFrame({"村名": names, "经度": lon, "纬度": lat}))
    gcj_lon, gcj_lat = crs.wgs84_to_gcj02(lon, lat)
    frame = pd.DataFrame({"编号": names, "名称": names, "类型": "机关", "经度": gcj_lon, "纬度": gcj_lat})
    write_csv(folder / "资源.csv", frame)
    layers = (
        'boundaries = "范围.gpkg"\nvillages = {path = "村.csv", datum = "wgs84"}\n'
        'candidates = {path = "资源.csv", datum = "%s"}'
    )
    assert said(check(write(folder, layers % "wgs84")), "同名点", "GCJ-02", severity="warning")
    assert not said(check(write(folder, layers % "gcj02")), "同名点")


def test_an_outline_shifted_against_its_counties(folder):
    shift = crs.gcj_offset_m(115.98, 36.45)
    areas = boundaries()
    city = gpd.GeoDataFrame(
        {"级别": ["市"], "代码": ["371500"], "名称": ["聊城市"], "常住人口": [""]},
        geometry=[translate(WEST_HALF.union(EAST_HALF), *shift)],
        crs=areas.crs,
    )
    pyogrio.write_dataframe(pd.concat([areas, city]), folder / "范围.gpkg")
    assert said(check(write(folder, 'boundaries = "范围.gpkg"')), "轮廓", "GCJ-02", severity="warning")


def test_counties_overlapping_are_named(folder):
    areas = boundaries()
    areas.loc[1, "geometry"] = EAST_HALF.union(box(405_000, 4_026_000, 406_000, 4_046_000))
    pyogrio.write_dataframe(areas, folder / "范围.gpkg")
    assert said(check(write(folder, 'boundaries = "范围.gpkg"')), "东昌府区", "重叠 20.00 km²", severity="warning")


def test_fees_on_air_entries_and_repeats(folder):
    east, north = EAST[0], NORTH[0]
    frame = pd.DataFrame(
        {
            "编号": ["G1", "G2", "G3"],
            "名称": ["甲", "甲", "乙"],
            "类型": ["机关", "机关", "居住"],
            "场租": [500, 0, 500],
            "x": [east, east, east + 50],
            "y": north,
        }
    )
    write_csv(folder / "a.csv", frame)
    old = pd.DataFrame(
        {
            "站址编码": ["L1", "L2", "L3", "L4"],
            "已开通5G": ["移动:n41", "联通:n78", "移动:n999", "有"],
            "x": [east, east + 100, east + 200, east + 300],
            "y": north,
        }
    )
    write_csv(folder / "b.csv", old)
    layers = (
        'boundaries = "范围.gpkg"\ncandidates = {path = "a.csv", crs = "EPSG:4548"}\n'
        'existing = {path = "b.csv", crs = "EPSG:4548"}'
    )
    problems = check(write(folder, layers))
    assert said(problems, "场租", "行 G1", severity="warning") and not said(problems, "场租", "G3")
    assert said(problems, "运营商不在", "行 L2", severity="warning")
    assert said(problems, "频段不认识", "行 L3", severity="warning")
    assert said(problems, "格式不认识", "行 L4", severity="warning")
    assert said(problems, "重复登记", "行 G1, G2", severity="warning")
    assert said(problems, "没有天线挂高", severity="info")


def test_check_of_an_open_project_says_the_same(folder):
    write_csv(folder / "a.csv", hosts().assign(x=EAST, y=NORTH))
    write(folder, 'boundaries = "范围.gpkg"\ncandidates = {path = "a.csv", crs = "EPSG:4548"}')
    pd.testing.assert_frame_equal(check(open_project(folder)), check(folder))


def test_targets_beyond_what_there_is(folder):
    write(folder, 'boundaries = "范围.gpkg"')
    assert said(check(folder), "目标 2", "只有 0", severity="warning")


def test_rows_set_aside_are_in_the_project(folder):
    frame = hosts().astype(object).assign(x=[EAST[0], "", EAST[0] + 9, 1e9], y=[NORTH[0]] * 4)
    write_csv(folder / "a.csv", frame)
    project = open_project(write(folder, 'boundaries = "范围.gpkg"\ncandidates = {path = "a.csv", crs = "EPSG:4548"}'))
    aside = project.set_aside["candidates"]
    assert aside[["file", "row"]].to_numpy().tolist() == [["a.csv", "3"], ["a.csv", "5"]]
    assert project.layers["candidates"]["place_id"].tolist() == ["GG0", "GG2"]
    assert list(aside.columns) == ["layer", "file", "row", "reason", "record"]


def test_every_problem_row_has_words_and_a_known_severity(folder):
    write_csv(folder / "a.csv", hosts().assign(经度=LAT, 纬度=LON))
    problems = check(write(folder, 'boundaries = "范围.gpkg"\ncandidates = {path = "a.csv", datum = "bd09"}'))
    assert set(problems["severity"]) <= {"error", "warning", "info"}
    assert problems["problem"].str.len().min() > 0
    order = problems["severity"].map({"error": 0, "warning": 1, "info": 2})
    assert order.is_monotonic_increasing


def test_a_county_drawn_in_two_rows_is_one_county(folder):
    """An exclave as a row of its own; its population stands once, on both rows or on one."""
    areas = boundaries()
    exclave = areas.iloc[[0]].assign(geometry=[box(390_000, 4_026_000, 394_000, 4_030_000)])
    pyogrio.write_dataframe(pd.concat([areas, exclave], ignore_index=True), folder / "范围.gpkg")
    east, north = points()
    frame = pd.DataFrame({"编号": [f"G{i}" for i in range(30)], "类型": "机关", "x": east, "y": north})
    write_csv(folder / "a.csv", frame)
    write(folder, 'boundaries = "范围.gpkg"\ncandidates = {path = "a.csv", crs = "EPSG:4548"}')
    project = open_project(folder)
    areas = project.layers["boundaries"]
    assert areas["code"].tolist() == ["371502", "371503", "SCQ"] and areas["population"].tolist()[:2] == [
        30_000,
        20_000,
    ]
    assert areas.geometry[0].area == pytest.approx(WEST_HALF.area + 16e6)
    assert said(project.problems, "已按代码合并", "东昌府区", severity="info")


def test_one_number_in_both_lists_is_the_existing_place(folder):
    east, north = points(len(hosts()))
    hosts().assign(x=east, y=north).to_csv(folder / "a.csv", index=False)
    number = hosts().iloc[0, 0]
    pd.DataFrame({"站址编码": [number, "L2"], "方位角": ["abc", "10/130/250"], "x": east[:2], "y": north[:2]}).to_csv(
        folder / "b.csv", index=False
    )
    write(
        folder,
        'boundaries = "范围.gpkg"\ncandidates = {path = "a.csv", crs = "EPSG:4548"}\n'
        'existing = {path = "b.csv", crs = "EPSG:4548"}',
    )
    project = open_project(folder)
    assert project.places["place_id"].is_unique and len(project.places) == len(hosts()) + 1
    assert project.places.set_index("place_id").loc[number, "source"] == "existing"
    assert project.set_aside["candidates"]["reason"].tolist() == ["编号与存量站址相同"]
    assert said(project.problems, "编号与存量站址相同", number, severity="warning")
    assert said(project.problems, "方位角无法识别", "abc", severity="warning")
    assert project.places.set_index("place_id")["azimuths_deg"].to_dict()[number] == ""


def test_what_the_cross_checks_find_is_known_to_the_run(folder):
    """Not only ``check``: an on-air entry nobody can read stands in the opened project too."""
    pd.DataFrame({"站址编码": ["L1"], "已开通5G": ["n78(电信)"], "x": EAST[:1], "y": NORTH[:1]}).to_csv(
        folder / "b.csv", index=False
    )
    write(folder, 'boundaries = "范围.gpkg"\nexisting = {path = "b.csv", crs = "EPSG:4548"}')
    assert said(open_project(folder).problems, "格式不认识", "L1", severity="warning")
