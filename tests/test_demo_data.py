"""The shipped demo city is what its data dictionary says, and the generator makes it again."""

import hashlib
import re
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
import scipy
import shapely
from rasterio import features
from scipy.spatial import cKDTree

from lcsiting import rules, schema
from lcsiting.config import RASTERS, Config
from lcsiting.project_file import parse_config, read_config

ROOT = Path(__file__).resolve().parents[1]
CITY = ROOT / "data" / "liaocheng"
SCRIPT = ROOT / "scripts" / "make_demo_data.py"
LABEL = "演示数据，非实测 / demonstration, not survey data"
# Libraries the shipped files were made with; others may round a vertex or draw a number differently.
MADE_WITH = {"numpy": "2.4", "scipy": "1.17", "geos": "3.14"}

# 聊城市第七次全国人口普查公报; the others follow from the 2023 communique and the total.
CENSUS = {"371500": 5_952_128, "371502": 1_488_900, "371503": 517_600, "371524": 346_100}
ZONES = {"371502Z1": 209_200, "371502Z2": 149_400, "371502Z3": 121_700}


@pytest.fixture(scope="module")
def boundaries() -> gpd.GeoDataFrame:
    return gpd.read_file(CITY / "boundaries.gpkg")


@pytest.fixture(scope="module")
def existing() -> pd.DataFrame:
    return pd.read_excel(CITY / "铁塔存量站.xlsx")


@pytest.fixture(scope="module")
def public() -> gpd.GeoDataFrame:
    return gpd.read_file(CITY / "公共资源.gpkg")


@pytest.fixture(scope="module")
def infill() -> pd.DataFrame:
    return pd.read_csv(CITY / "新建补点.csv")


def metres(table: pd.DataFrame) -> gpd.GeoSeries:
    """Points of a lon/lat table in CGCS2000 or WGS84."""
    return gpd.GeoSeries(gpd.points_from_xy(table["经度"], table["纬度"]), crs="EPSG:4490").to_crs("EPSG:4548")


def people_in(shape) -> float:
    with rasterio.open(CITY / "population.tif") as source:
        inside = features.geometry_mask([shape], source.shape, source.transform, invert=True)
        return float(source.read(1)[inside].sum(dtype="float64"))


def test_population_adds_up_to_the_census(boundaries):
    with rasterio.open(CITY / "population.tif") as source:
        people = source.read(1)
    assert people.sum(dtype="float64") == 5_952_128
    assert (people >= 0).all()
    counted = boundaries.to_crs("EPSG:4548")
    counted = counted[counted["level"].isin(["city", "county", "zone"])].set_index("code")
    for code, area in counted.iterrows():
        assert people_in(area.geometry) == area.population, code
        assert area.population == {**CENSUS, **ZONES}.get(code, area.population)
    assert counted.loc[counted["level"] == "county", "population"].sum() == 5_952_128


def test_areas_are_complete_valid_and_nested(boundaries):
    assert boundaries.is_valid.all()
    count = boundaries["level"].value_counts().to_dict()
    assert count == {"city": 1, "county": 8, "zone": 3, "urban": 1, "county_seat": 7, "town": 136, "park": 16}
    assert boundaries["code"].is_unique
    level = {key: table.to_crs("EPSG:4548") for key, table in boundaries.groupby("level")}
    assert set(level["county"]["code"]) >= {"371502", "371503", "371581"}
    assert "371523" not in set(boundaries["code"]), "茌平 became 371503 in 2019"
    city = level["city"].geometry.iloc[0]
    assert level["county"].union_all().symmetric_difference(city).area < 1
    assert abs(level["county"].area.sum() - city.area) < 1, "counties do not overlap"
    home = level["county"].set_index("code").geometry["371502"]
    zones = level["zone"].geometry
    # Stored to 1e-7 degrees, about 1 cm: along 12 km of common border that is some square metres.
    assert all(zone.difference(home).area < 200 for zone in zones)
    assert abs(zones.area.sum() - zones.union_all().area) < 200, "zones do not overlap"
    assert level["urban"].area.sum() == pytest.approx(150e6, rel=0.01)
    for key in ("urban", "county_seat", "town", "park"):
        assert level[key].difference(city.buffer(1)).area.max() < 1
    area_km2 = boundaries[boundaries["level"] == "county"].to_crs("EPSG:6933").area.sum() / 1e6
    assert area_km2 == pytest.approx(8628, rel=0.01), "official area of the city"


def test_villages_stand_apart_on_village_ground(boundaries):
    villages = gpd.read_file(CITY / "villages.gpkg")
    assert len(villages) == 6000
    assert villages["name"].str.startswith("示例").all()
    assert villages["name"].is_unique
    at = villages.to_crs("EPSG:4548")
    xy = shapely.get_coordinates(at.geometry.to_numpy())
    assert cKDTree(xy).query(xy, k=2)[0][:, 1].min() >= 300
    with rasterio.open(CITY / "clutter.tif") as clutter:
        assert {int(v[0]) for v in clutter.sample(xy)} == {3}
    counties = boundaries[boundaries["level"] == "county"].to_crs("EPSG:4548")[["name", "geometry"]]
    joined = at.sjoin(counties.rename(columns={"name": "lies_in"}), predicate="within")
    assert (joined["county"] == joined["lies_in"]).all()
    assert len(joined) == 6000


def test_hosts_are_enough_and_described(existing, public, infill):
    assert len(existing) == 3500
    assert existing["站址编码"].is_unique
    on_air = existing["已开通5G"].dropna()
    assert 400 <= len(on_air) <= 600
    assert on_air.str.fullmatch(r"((移动|联通|电信):n(41|78);?)+").all()
    assert existing.loc[on_air.index, "5G开通年份"].isin([2019, 2020]).all()
    assert len(public) == 8000
    assert set(public["source"]) == {"public"}
    assert len(existing) + len(public) + len(infill) >= 14_000
    ids = pd.concat([existing["站址编码"], public["place_id"], infill["编号"]])
    assert ids.is_unique
    kinds = rules.load("site_kinds")
    assert set(public["host_kind"]) <= set(kinds)
    assert set(infill["依托主体"]) <= set(kinds["new_tower"]["synonyms"])
    assert set(public["opening"]) == set(schema.layer("candidates").columns["opening"].values)


def test_free_hosts_charge_nothing_but_twelve(public):
    kinds = rules.load("site_kinds")
    free = public["host_kind"].map(lambda kind: kinds[kind]["opening"] == "free")
    assert (free & (public["fee_yuan"] > 0)).sum() == 12
    market = public["host_kind"].map(lambda kind: kinds[kind]["opening"] == "market")
    assert (public.loc[market, "fee_yuan"] > 0).all()


def test_existing_places_lie_in_the_city_once_gcj02_is_undone(boundaries, existing):
    """GCJ-02 is about 0.0057 degrees east and 0.0001 north of WGS84 here (facts, section 1)."""
    city = boundaries.loc[boundaries["level"] == "city", "geometry"].iloc[0].buffer(0.002)
    lon, lat = existing["经度"], existing["纬度"]
    assert shapely.contains_xy(city, lon - 0.0058, lat - 0.0002).all()
    with rasterio.open(CITY / "clutter.tif") as clutter:

        def on_village(shift: float) -> float:
            villages = existing.tail(1600)
            at = metres(villages.assign(经度=villages["经度"] - shift, 纬度=villages["纬度"] - shift / 25))
            return float(np.mean([v[0] == 3 for v in clutter.sample(shapely.get_coordinates(at.to_numpy()))]))

        assert on_village(0.0058) > 0.85
        assert on_village(0.0) < 0.5


def test_infill_gives_screening_work(infill):
    at = metres(infill)
    inside = {}
    for name in ("永久基本农田", "生态保护红线"):
        areas = gpd.read_file(CITY / f"{name}.shp")
        assert areas.is_valid.all()
        inside[name] = np.unique(at.sindex.query(areas.geometry, predicate="contains")[1]).size
    assert inside["永久基本农田"] >= 340
    assert inside["生态保护红线"] >= 40
    lines = [gpd.read_file(CITY / "rail.gpkg").geometry]
    roads = gpd.read_file(CITY / "roads.gpkg")
    lines.append(roads.loc[roads["class"].isin(["motorway", "national"]), "geometry"])
    gap = at.distance(pd.concat(lines).union_all())
    assert 130 <= (gap < 15).sum() <= 200


def test_protected_stations(boundaries):
    stations = pd.read_csv(CITY / "地球站.csv")
    assert len(stations) == 28
    assert stations["台站名称"].str.startswith("示例").all()
    columns = schema.layer("protected_stations").columns
    assert set(stations["台站类别"]) <= set(columns["class"].values)
    assert set(stations["高频头类型"].dropna()) == set(columns["lnb_type"].values)
    assert (stations["接收频率上限(MHz)"] == 4200).all()
    assert (stations["接收频率下限(MHz)"] == 3400).sum() == 2
    assert (stations["接收频率下限(MHz)"].isin([3400, 3700])).all()
    assert stations.isna().any(axis=1).sum() >= 8, "some records are incomplete on purpose"
    city = boundaries.loc[boundaries["level"] == "city", "geometry"].iloc[0]
    assert shapely.contains_xy(city, stations["经度"], stations["纬度"]).all()
    # Published look angles for a station at 115.98 E, 36.45 N (facts, section 6).
    central = stations[(stations["经度"] - 115.98).abs() < 0.02].dropna(subset=["天线方位角(°)"])
    for satellite, azimuth, elevation in ((115.5, 180.8, 47.7), (125.0, 165.0, 46.6), (76.5, 234.2, 30.9)):
        row = central[central["卫星轨道经度(°E)"] == satellite].iloc[0]
        assert row["天线方位角(°)"] == pytest.approx(azimuth, abs=0.15)
        assert row["天线仰角(°)"] == pytest.approx(elevation, abs=0.15)


def test_constructed_cases_stand_where_the_dictionary_says(boundaries, existing, public, infill):
    stations = pd.read_csv(CITY / "地球站.csv").set_index("台站编号")
    at = metres(stations)
    at.index = stations.index
    urban = boundaries[boundaries["level"] == "urban"].to_crs("EPSG:4548").geometry.iloc[0]
    assert at.loc[["ES025", "ES026", "ES027", "ES028"]].within(urban).all()
    masts = metres(existing.assign(经度=existing["经度"] - 0.00572, 纬度=existing["纬度"] - 0.00012))
    macro = public.loc[public["host_kind"] != "street_pole", "geometry"]
    hosts = pd.concat([masts, public.geometry, metres(infill)])
    assert hosts.distance(at["ES027"]).min() > 420
    assert (macro.distance(at["ES027"]) < 2000).sum() > 50
    assert masts.distance(at["ES028"]).min() < 60, "on the same roof (GCJ-02 undone to about 30 m here)"
    joint = existing["已开通5G"].fillna("").str.contains("n78")
    assert (masts[joint].distance(at["ES026"]) < 1500).sum() >= 5


def test_terrain_falls_from_south_west_to_north_east(boundaries):
    with rasterio.open(CITY / "dem.tif") as source:
        assert source.dtypes[0] == "int16"
        height = source.read(1)
        left, bottom, right, top = source.bounds
        city = boundaries[boundaries["level"] == "city"].to_crs("EPSG:4548").geometry.iloc[0]
        west, south, east, north = city.bounds
        assert min(west - left, south - bottom, right - east, top - north) >= 50_000
        inside = features.geometry_mask([city], source.shape, source.transform, invert=True)
        spots = gpd.GeoSeries(gpd.points_from_xy([115.36, 116.44, 116.2], [35.82, 36.96, 36.215]), crs=4490)
        found = [int(v[0]) for v in source.sample(shapely.get_coordinates(spots.to_crs(4548).to_numpy()))]
    assert found[0] == pytest.approx(49, abs=3)
    assert found[1] == pytest.approx(27.5, abs=3)
    assert found[2] == 82 == height[inside].max()


def test_rasters_share_a_frame_on_whole_hundreds():
    frames = {}
    for name in ("dem", "clutter", "population"):
        with rasterio.open(CITY / f"{name}.tif") as source:
            assert source.crs.to_epsg() == 4548
            assert source.res == (100.0, 100.0)
            assert all(v % 100 == 0 for v in source.bounds)
            frames[name] = source.bounds
    assert frames["clutter"] == frames["population"]
    with rasterio.open(CITY / "clutter.tif") as source:
        assert set(np.unique(source.read(1)).tolist()) == {int(code) for code in rules.load("clutter")}


def test_key_places_fill_every_scenario():
    """The document aims at 10, 10, 10, 5, 10, 20, 10, 5, 20 and some scenes in its ten fields."""
    places = gpd.read_file(CITY / "key_places.gpkg")
    count = places["scenario"].value_counts()
    for field, least in zip(range(1, 11), (10, 10, 10, 5, 10, 20, 10, 5, 20, 1), strict=True):
        assert count[field] >= least
    assert set(places["confidence"]) == {"H", "M", "L"}
    text = (ROOT / "scripts" / "demo" / "facts.toml").read_text(encoding="utf-8")
    named = [row["name"] for row in tomllib.loads(text)["key_places"]]
    assert set(named) <= set(places["name"])


def test_columns_and_codes_follow_the_schema():
    for name in ("boundaries", "villages", "key_places", "roads", "rail", "water"):
        table = gpd.read_file(CITY / f"{name}.gpkg")
        layer = schema.layer(name)
        assert {c.name for c in layer.columns.values() if c.required} <= set(table.columns)
        assert set(table.columns) - set(layer.columns) <= {"geometry", "width_m"}
        for column in layer.columns.values():
            if column.values:
                assert set(table[column.name]) <= set(column.values), (name, column.name)
    known = schema.layer("demands").columns
    demands = pd.read_csv(CITY / "运营商需求.csv", encoding="gbk")
    assert len(demands) == 1500
    assert set(demands["运营商"]) <= set(known["operator"].values)
    assert set(demands["频段"]) <= set(rules.load("bands"))


def test_project_file_is_valid_and_names_every_layer():
    config = read_config(CITY / "project.toml")
    sources = [s for v in config.layers.values() for s in (v if isinstance(v, list) else [v])]
    sources += [config.dem, config.clutter, config.population]
    named = {source.path for source in sources}
    assert all((CITY / path).is_file() for path in named)
    shipped = {p.name for p in CITY.iterdir() if p.suffix in (".gpkg", ".shp", ".csv", ".xlsx", ".tif", ".geojson")}
    assert named == shipped
    assert [(p.year, p.target, p.unit) for p in config.phases] == [(2020, 1500, "station"), (2023, 10000, "station")]


def test_every_file_is_labelled():
    beside = {".shp", ".shx", ".dbf", ".prj", ".cpg", ".csv"}
    for path in sorted(CITY.iterdir()):
        if path.suffix == ".gpkg":
            with sqlite3.connect(path) as db:
                said = [row[0] for row in db.execute("select description from gpkg_contents")]
            assert said == [LABEL], path.name
        elif path.suffix == ".tif":
            with rasterio.open(path) as source:
                assert source.tags()["LABEL"] == LABEL
        elif path.suffix == ".xlsx":
            book = openpyxl.load_workbook(path, read_only=True)
            assert next(book["说明"].values)[0] == LABEL
            book.close()
        elif path.suffix in beside:
            main = path.with_suffix(".shp") if path.suffix != ".csv" else path
            assert LABEL in main.with_name(f"{main.name}.说明.txt").read_text(encoding="utf-8")
        else:
            assert "演示数据，非实测" in path.read_text(encoding="utf-8"), path.name


def test_folder_is_small():
    assert sum(path.stat().st_size for path in CITY.iterdir()) <= 10_000_000


def content(path: Path) -> object:
    """What a file says, without clocks and library stamps."""
    if path.suffix in (".gpkg", ".shp", ".geojson"):
        table = gpd.read_file(path)
        shape = shapely.to_wkb(shapely.normalize(shapely.set_precision(table.geometry.to_numpy(), 1e-7)))
        return hashlib.sha256(table.drop(columns="geometry").to_csv().encode() + b"".join(shape)).hexdigest()
    if path.suffix == ".tif":
        with rasterio.open(path) as source:
            return hashlib.sha256(source.read(1).tobytes() + str(source.transform).encode()).hexdigest()
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path, read_only=True)
        return [list(sheet.values) for sheet in book]
    return path.read_bytes()


def test_generator_makes_the_same_city_again(tmp_path):
    """All files, from scratch (about 10 s)."""
    versions = {"numpy": np.__version__, "scipy": scipy.__version__, "geos": shapely.geos_version_string}
    subprocess.run([sys.executable, SCRIPT, "--out", tmp_path], check=True, capture_output=True, timeout=300)
    made = {p.name for p in tmp_path.iterdir()}
    assert made | {"README.md", "project.toml"} == {p.name for p in CITY.iterdir()}
    same = all(versions[name].startswith(f"{version}.") for name, version in MADE_WITH.items())
    for name in sorted(made - {n for n in made if n.endswith((".dbf", ".shx", ".prj"))}):
        if not same:
            assert (tmp_path / name).stat().st_size == pytest.approx((CITY / name).stat().st_size, rel=0.05), name
        else:
            assert content(tmp_path / name) == content(CITY / name), name


def test_project_file_lists_every_optional_setting():
    text = (CITY / "project.toml").read_text(encoding="utf-8")
    settings = tomllib.loads(re.sub(r"(?m)^# (?=\[|[a-z_0-9]+ = )", "", text))
    kinds = {name: get_args(field.annotation) or (field.annotation,) for name, field in Config.model_fields.items()}
    for name, (kind, *_) in kinds.items():
        if name in ("layers", *RASTERS):
            continue
        section = settings[name][0] if isinstance(settings[name], list) else settings[name]
        offered = set(section) | {word for word in kind.model_fields if re.search(rf"(?m)^#.*\b{word}\b", text)}
        assert offered >= set(kind.model_fields), name
    assert set(settings["layers"]) == {*schema.layers(), *RASTERS}
    for phase in settings["phases"]:
        phase.pop("target_share", None)  # stands in every phase or in none
    parse_config(settings, CITY / "project.toml")
