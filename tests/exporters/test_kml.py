"""``plan.kml`` read back: every place once, true positions, Chinese names, nothing that runs."""

import dataclasses
import xml.etree.ElementTree as ET

import numpy as np
import pyogrio
import pytest
from handmade import CRS, HOSTILE, RARE, make_rings, make_zones

from lcsiting import exporters
from lcsiting.exporters.kml import write_kml

KML = "{http://www.opengis.net/kml/2.2}"
TITLES = ["规划站址", "受保护无线电台站", "规则协调距离（需协调，非禁设）", "隔离区(物理计算)"]


@pytest.fixture(scope="module")
def planned(tiny_result):
    return dataclasses.replace(tiny_result, zones=make_zones())


@pytest.fixture(scope="module")
def path(planned, tmp_path_factory):
    (path,) = exporters.export(planned, tmp_path_factory.mktemp("kml"), ["kml"])
    assert path.name == "plan.kml"
    return path


def folder(path, title):
    return pyogrio.read_dataframe(path, layer=title)


def test_a_folder_for_each_kind(path):
    assert [row[0] for row in pyogrio.list_layers(path)] == TITLES


def test_one_placemark_a_place_where_it_stands(path, planned):
    marks, places = folder(path, TITLES[0]), planned.plan.places
    assert len(marks) == len(places) == places["place_id"].nunique()
    assert marks["站址编号"].tolist() == places["place_id"].tolist()
    assert marks.crs.to_epsg() == 4326
    # CGCS2000 and WGS-84 agree to a few centimetres, 1e-6 degrees is a decimetre.
    assert np.allclose(marks.geometry.x, places["lon"], atol=1e-6)
    assert np.allclose(marks.geometry.y, places["lat"], atol=1e-6)


def test_names_come_back_as_text(path, planned):
    names = folder(path, TITLES[0])["Name"].tolist()
    assert names == planned.plan.places["name"].tolist() and {RARE, *HOSTILE} <= set(names)
    tags = {element.tag.removeprefix(KML) for element in ET.parse(path).iter()}
    assert not tags & {"script", "img", "href", "NetworkLink"}


def test_words_instead_of_codes_and_no_year_zero(path):
    marks = folder(path, TITLES[0])
    assert set(marks["状态"]) == {"现网", "规划"} and set(marks["依托主体"]) == {"政府机关"}
    assert marks.loc[marks["状态"] == "现网", "规划年份"].isna().all()
    assert set(marks["规划年份"].dropna().astype(int)) == {2020, 2023}


def test_areas_keep_their_shape_and_say_what_is_unverified(path, planned):
    for title, source in ((TITLES[2], make_rings()), (TITLES[3], planned.zones)):
        marks = folder(path, title).to_crs(CRS)
        assert np.allclose(marks.geometry.area, source.geometry.area, rtol=1e-6)
        assert ["依据未核实" in name for name in marks["Name"]] == [not known for known in source["verified"]]
    assert folder(path, TITLES[3])["Name"].tolist() == [
        "示例地球站 · 邻频 · 5.0 km（依据未核实）",
        "示例地球站 · 饱和 · 0.9 km",
    ]


def test_every_style_named_is_there(path):
    root = ET.parse(path).getroot()
    styles = {element.get("id") for element in root.iter(f"{KML}Style")}
    named = [element.text[1:] for element in root.iter(f"{KML}styleUrl")]
    assert len(named) == len(list(root.iter(f"{KML}Placemark"))) and set(named) <= styles
    assert {"year_0", "year_2020", "year_2023", "zone_overload", "ring"} <= set(named)


def test_the_same_bytes_twice(path, planned, tmp_path):
    write_kml(planned, tmp_path / "a.kml")
    assert (tmp_path / "a.kml").read_bytes() == path.read_bytes()


def test_only_when_named(planned, tmp_path):
    from lcsiting.cli import DEFAULT_FORMATS

    assert "kml" in exporters.FORMATS and "kml" not in DEFAULT_FORMATS
    assert [p.name for p in exporters.export(planned, tmp_path, ["csv"])] == ["refused.csv"]


def test_without_zones_and_stations(tiny_result, tmp_path):
    """A project with no protected station still has its places."""
    empty = tiny_result.project.layers["protected_stations"].iloc[:0]
    project = dataclasses.replace(
        tiny_result.project, layers={**tiny_result.project.layers, "protected_stations": empty}
    )
    write_kml(dataclasses.replace(tiny_result, project=project), tmp_path / "a.kml", lang="en")
    assert [row[0] for row in pyogrio.list_layers(tmp_path / "a.kml")] == ["Places"]
