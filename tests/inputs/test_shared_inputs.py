"""Real third-party files beside the checkout: each in the right place to 10 m, or one clear error.

The oracle is the township table the files were derived from (GCJ-02 points), brought to
CGCS2000 by the scalar formula below and by pyproj, not by the package.
"""

import csv
import math

import numpy as np
import pandas as pd
import pytest
from files import CONFIG
from pyproj import Transformer
from skips import SHARED

import lcsiting as lc
from lcsiting.config import LayerSource
from lcsiting.errors import CrsError, LayerError
from lcsiting.inputs.check import check
from lcsiting.inputs.project import city_shape, open_project
from lcsiting.inputs.read import read_layer

pytestmark = pytest.mark.shared
BOUNDARY = LayerSource(path="boundary/371500_full.datav_gcj02.geojson", datum="gcj02")


def _gcj_by_hand(lon: float, lat: float) -> tuple[float, float]:
    a, ee, pi = 6378245.0, 0.00669342162296594323, math.pi
    x, y = lon - 105.0, lat - 35.0
    wave = (20 * math.sin(6 * x * pi) + 20 * math.sin(2 * x * pi)) * 2 / 3
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + wave
    d_lat += (20 * math.sin(y * pi) + 40 * math.sin(y / 3 * pi)) * 2 / 3
    d_lat += (160 * math.sin(y / 12 * pi) + 320 * math.sin(y * pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + wave
    d_lon += (20 * math.sin(x * pi) + 40 * math.sin(x / 3 * pi)) * 2 / 3
    d_lon += (150 * math.sin(x / 12 * pi) + 300 * math.sin(x / 30 * pi)) * 2 / 3
    magic = 1 - ee * math.sin(math.radians(lat)) ** 2
    d_lat = math.degrees(d_lat / (a * (1 - ee) / (magic * math.sqrt(magic))))
    return lon + math.degrees(d_lon / (a / math.sqrt(magic) * math.cos(math.radians(lat)))), lat + d_lat


def _truth() -> dict[str, list[tuple[float, float]]]:
    """Township name to its possible places (x, y) in EPSG:4548."""
    project = Transformer.from_crs("EPSG:4490", "EPSG:4548", always_xy=True)
    out: dict[str, list[tuple[float, float]]] = {}
    for path in sorted((SHARED / "admin_tables" / "adcode2016").glob("*.csv")):
        for row in csv.reader(path.read_text(encoding="utf-8").splitlines()):
            if len(row) < 14 or row[3] != "town" or not row[12]:
                continue
            there = lon, lat = float(row[12]), float(row[13])
            for _ in range(6):
                gcj = _gcj_by_hand(lon, lat)
                lon, lat = lon - (gcj[0] - there[0]), lat - (gcj[1] - there[1])
            out.setdefault(row[2], []).append(project.transform(lon, lat))
    return out


@pytest.fixture(scope="module")
def city():
    layer, problems, aside = read_layer("boundaries", BOUNDARY, SHARED, CONFIG)
    assert len(layer) == 8 and not aside
    assert layer.geometry.is_valid.all()
    assert any("已修复" in row["problem"] and row["row"] == "4" for row in problems)  # 莘县
    assert set(layer["level"]) == {"county"}
    assert layer["code"].tolist()[1] == "371503"
    shape = city_shape(layer)
    # the fact sheet's polygon area of this very file, 8 644 km2; the grid scale adds up to 0.06 %
    assert shape.area / 1e6 == pytest.approx(8644, rel=0.002)
    return shape


def read(name: str, city, layer: str = "candidates", **declared):
    return read_layer(layer, LayerSource(path=f"bad_inputs/{name}", **declared), SHARED, CONFIG, city)


TOWNS = {
    "towns_gbk_zone39_noprj_nocpg.shp": {"columns": {"place_id": "代码", "host_kind": "=机关"}},
    "towns_gbk_xy_swapped_zone39.csv": {"columns": {"place_id": "名称", "host_kind": "=机关"}},
    "towns_dms_wgs84_utf8bom.csv": {"columns": {"place_id": "站名", "host_kind": "=机关"}, "datum": "wgs84"},
    "towns_gcj02.xlsx": {"columns": {"place_id": "站名", "host_kind": "=机关"}, "datum": "gcj02"},
}


@pytest.mark.parametrize("name", TOWNS)
def test_township_files_lie_where_the_townships_are(name, city):
    layer, _, aside = read(name, city, **TOWNS[name])
    truth = _truth()
    assert len(layer) == 63 and not aside
    for row in layer.itertuples():
        distances = [math.hypot(row.geometry.x - x, row.geometry.y - y) for x, y in truth[row.name]]
        assert min(distances) < 10.0, row.name


@pytest.mark.parametrize("name", ["towns_dms_wgs84_utf8bom.csv", "towns_gcj02.xlsx"])
def test_degrees_without_datum_are_refused(name, city):
    with pytest.raises(CrsError, match="datum"):
        read(name, city, columns=TOWNS[name]["columns"])


def test_land_survey_parcels(city):
    layer, _, _ = read("parcels_land_survey_zone39_gbk.txt", city, "restricted", columns={"kind": "=永久基本农田"})
    assert layer["name"].tolist() == ["测试地块一", "测试地块二"]
    # the file's own first corner, prefix 39 taken off, and its northing
    corner = layer.geometry[0].exterior.coords[0]
    assert corner == pytest.approx((409430.212, 4033730.833), abs=0.01)
    assert layer.area.tolist() == pytest.approx([888.0 * 896.8, 537.8 * 554.9], rel=0.002)


@pytest.mark.parametrize("name", ["mapshaper_gbk.dbf", "mapshaper_ldid_chinese.dbf", "mapshaper_ldid_chinese.shp"])
def test_files_without_a_place_are_refused(name, city):
    with pytest.raises(LayerError, match=name):
        read(name, city, "villages")


@pytest.mark.parametrize("fence", ["371500", "371502", "371522", "371525", "371581"])
def test_bare_polygons_read_in_gcj02(fence, city):
    source = LayerSource(
        path=f"boundary/fences/{fence}.json",
        datum="gcj02",
        columns={"level": "=县", "code": f"={fence}", "name": f"={fence}"},
    )
    layer, _, _ = read_layer("boundaries", source, SHARED, CONFIG)
    assert len(layer) == 1
    # the same counties five years earlier: most of them lie inside today's city
    assert layer.geometry[0].intersection(city).area > 0.93 * layer.geometry[0].area


def test_a_project_of_real_boundaries_and_townships(tmp_path):
    folder = tmp_path / "聊城 实测"
    folder.mkdir()
    bands = 'bands = {dense_urban = "n41", urban = "n41", suburban = "n41", village = "n28", rural = "n28"}'
    shapefile = (SHARED / "bad_inputs" / "towns_gbk_zone39_noprj_nocpg.shp").as_posix()
    text = (
        '[project]\nname = "聊城"\nresolution_m = 100\n'
        f'[[networks]]\nname = "移动广电"\noperators = ["移动", "广电"]\n{bands}\n'
        '[[services]]\nname = "outdoor"\n[[phases]]\nyear = 2020\ntarget = 10\n[layers]\n'
        f'boundaries = {{path = "{(SHARED / BOUNDARY.path).as_posix()}", datum = "gcj02"}}\n'
        f'candidates = {{path = "{shapefile}", columns = {{place_id = "代码", host_kind = "=机关"}}}}\n'
    )
    (folder / "project.toml").write_text(text, encoding="utf-8")
    project = open_project(folder)
    assert len(project.places) == 63
    assert set(project.places["county"]) <= set(project.layers["boundaries"]["name"])
    # the township table says which county each code belongs to (茌平 under its old code)
    codes = pd.Series(project.places["place_id"].str[:6]).replace("371523", "371503")
    assert np.mean(codes.to_numpy() == project.places["county_code"].to_numpy()) > 0.9
    problems = check(project)
    assert not (problems["severity"] == "error").any()

    result = lc.run(project, progress=False)
    stations = result.plan.stations
    assert result.plan.phases["stations"].tolist() == [10] and stations["county"].ne("").all()
    assert city_shape(project.layers["boundaries"]).contains(stations.union_all())
    table = result.coverages[2020].statistics
    assert table.loc[table["level"] == "city", "area_km2"].iloc[0] == pytest.approx(8641, abs=10), "domain 6.1"
    names = {path.name for path in lc.export(result, tmp_path / "成果", formats=["html", "shp", "gpkg", "xlsx", "csv"])}
    assert {"map.html", "plan.gpkg", "plan.xlsx", "refused.csv"} <= names
