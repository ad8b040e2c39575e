"""The map: offline in a real browser, every station on it, hostile names inert."""

import dataclasses
import html
import json
import re
import shutil

import geopandas as gpd
import numpy as np
import pytest
from handmade import HOSTILE, make_zones
from shapely.geometry import shape

import lcsiting as lc
from lcsiting.errors import ExportError
from lcsiting.exporters import mapdata
from lcsiting.exporters.html import render


@pytest.fixture(scope="module")
def page(tiny_result):
    return render(tiny_result)


def defined(page: str, key: str):
    """The data the page defines as ``LC.<key>``."""
    return json.loads(re.search(rf"^\s*LC\.{key} = (.*);\s*$", page, re.MULTILINE)[1])


def readable(page: str) -> str:
    """The page with the escaped characters of the layer control in the clear."""
    return re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), page)


def test_all_stations_are_on_the_page(page, tiny_result):
    data = defined(page, "stations")
    ids = [place[3] + station[1] for place in data["places"] for station in place[-1]]
    assert sorted(ids) == sorted(tiny_result.plan.stations["station_id"])
    assert [(look["stations"], look["places"]) for look in data["classes"]] == [(12, 6), (21, 12), (87, 45)]


def test_positions_are_those_of_the_plan(page, tiny_result):
    plan = tiny_result.plan.places.set_index("place_id")
    for lon, lat, name, place_id, *_ in defined(page, "stations")["places"]:
        assert (lon, lat) == (round(plan.lon[place_id], 6), round(plan.lat[place_id], 6))
        assert name == plan["name"][place_id]


def test_the_legend_counts_stations_and_the_places_they_touch(page):
    """A place that gets its two networks in two phases is touched twice, so the words do not say "new"."""
    assert "2020 年新增 （21 个基站，涉及 12 处）" in readable(page)
    assert "2023 年新增 （87 个基站，涉及 45 处）" in readable(page)


def test_unverified_rules_and_verdicts_are_said(page, tiny_result):
    panel = re.search(r'<details class="lc-folded lc-caveats">.*?</details>', page)[0]
    assert "4 条规则数值未经核实" in panel and "radius_co_channel、加装滤波器" in panel
    assert "需协调（依据未核实）" in defined(page, "stations")["words"]
    assert "规则协调距离（需协调，非禁设）（依据未核实）" in readable(page)
    stations = tiny_result.plan.stations.assign(coordination_verified=True)
    plan = dataclasses.replace(tiny_result.plan, stations=stations)
    data = mapdata.station_data(dataclasses.replace(tiny_result, plan=plan))
    assert "需协调" in data["words"] and not [word for word in data["words"] if "依据未核实" in word]
    assert 'lc-caveats">' not in render(dataclasses.replace(tiny_result, summary={}))


def test_separation_zones_are_a_layer_of_their_own_off_at_first(tiny_result):
    """Named as computed and unverified; simplified, but not by more than the step it was computed in."""
    zones = make_zones()
    page = render(dataclasses.replace(tiny_result, zones=zones))
    shapes = defined(page, "separation")["features"]
    assert [f["properties"]["k"] for f in shapes] == ["adjacent", "overload"]
    assert "2.0–5.0 km" in shapes[0]["properties"]["t"]
    drawn = gpd.GeoSeries([shape(f["geometry"]) for f in shapes], crs="EPSG:4490").to_crs(zones.crs)
    assert (drawn.hausdorff_distance(zones.geometry.reset_index(drop=True)) < 110).all()
    assert len(drawn[0].exterior.coords) < len(zones.geometry[0].exterior.coords)
    label = "隔离区(物理计算，依据未核实)"
    name = re.search(rf'"[^"\n]*{re.escape(label)}[^\n]*" : (\w+)', readable(page))
    assert name, "in the control"
    assert f"{name[1]}.addTo(" not in page, "off at first"
    checked = render(dataclasses.replace(tiny_result, zones=zones.assign(verified=True)))
    assert "隔离区(物理计算)" in readable(checked) and label not in readable(checked)


def test_a_city_without_counties_is_shown_whole(page, tiny_result):
    """The map opens on the city outline and draws it."""
    project = tiny_result.project
    bounds = project.layers["boundaries"]
    layers = project.layers | {"boundaries": bounds[bounds["level"] != "county"]}
    text = render(dataclasses.replace(tiny_result, project=dataclasses.replace(project, layers=layers)))
    view = re.compile(r"fitBounds\((\[\[.*?\]\])\)")
    assert json.loads(view.search(text)[1]) == pytest.approx(np.array(json.loads(view.search(page)[1])), abs=1e-6)
    assert len(defined(text, "counties")["features"]) == 1
    assert "市界与名称" in readable(text) and "县（市、区）界与名称" not in readable(text)


def test_coverage_layers_follow_the_services_of_the_project(tiny_result):
    """Services may have any name and order; the first outdoor and the first indoor one are drawn."""
    config = tiny_result.project.config
    names = {"outdoor": "街面", "indoor": "室内语音"}
    services = [s.model_copy(update={"name": names[s.name]}) for s in reversed(config.services)]
    coverages = {
        year: dataclasses.replace(
            coverage,
            layers={
                network: {names.get(key, key): raster for key, raster in layers.items()}
                for network, layers in coverage.layers.items()
            },
        )
        for year, coverage in tiny_result.coverages.items()
    }
    project = dataclasses.replace(tiny_result.project, config=config.model_copy(update={"services": services}))
    text = render(dataclasses.replace(tiny_result, project=project, coverages=coverages))
    assert all(f"{words}覆盖" in readable(text) for words in ("2023 年街面", "2023 年室内语音", "2020 年街面"))
    assert text.count("data:image/png;base64") == render(tiny_result).count("data:image/png;base64")
    only = project.config.model_copy(update={"services": services[:1]})
    text = render(
        dataclasses.replace(tiny_result, project=dataclasses.replace(project, config=only), coverages=coverages)
    )
    assert "2023 年室内语音覆盖" in readable(text) and "街面" not in readable(text)


def test_the_same_result_gives_the_same_bytes(page, tiny_result):
    assert render(tiny_result) == page


def test_names_never_become_markup(page):
    for name in HOSTILE[:3]:
        assert name not in page
    assert page.count("<script") == page.count("</script>")
    assert "茌平区{{ 7*7 }}莘县" in page  # no template engine touched it


def test_script_json_is_safe_and_reversible():
    value = {"a": "</script><!--\u2028 & '\"\\u003c", "b": [1, None, "茌平"]}
    text = mapdata.script_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value


def test_demonstration_and_sources_are_said(page, tiny_result):
    assert "示例数据，非实测数据" in page
    said = dataclasses.replace(tiny_result, summary={"notice": "<b>演示</b>", "sources": ["统计年鉴", "自制"]})
    text = render(said)
    assert "&lt;b&gt;演示&lt;/b&gt;" in text
    assert "统计年鉴; 自制" in text


def test_english_on_request(tiny_result):
    text = render(tiny_result, lang="en")
    assert "Outdoor coverage 2023" in text
    assert "Added by 2020" in text
    assert '<html lang="en">' in text


def test_basemap_is_the_only_thing_let_through(tiny_result):
    text = render(tiny_result, basemap="https://t{s}.tiles.example.invalid/{z}/{x}/{y}.png?tk=KEY")
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1])
    assert policy.endswith("img-src data: https://*.tiles.example.invalid")
    with pytest.raises(ExportError, match="basemap must be a tile address"):
        render(tiny_result, basemap="javascript:alert(1)")


def test_the_map_in_a_notebook_cell(tiny_result, page):
    cell = lc.explore(tiny_result)._repr_html_()
    inside = re.fullmatch(r'<iframe srcdoc="([^"]*)"[^>]*></iframe>', cell)
    assert inside
    assert html.unescape(inside[1]) == page


# ---------------------------------------------------------------- in a browser without network


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine: the map was not opened in a browser (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: the map was not opened in a browser")
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def opened(browser, page, tmp_path_factory):
    """The page in a browser that is offline; everything it asks for or complains about is kept."""
    path = tmp_path_factory.mktemp("地图") / "map.html"
    path.write_text(page, encoding="utf-8")
    context = browser.new_context(viewport={"width": 1200, "height": 800}, offline=True)
    tab = context.new_page()
    tab.requests, tab.complaints = [], []
    tab.on("request", lambda request: tab.requests.append(request.url))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("console", lambda message: tab.complaints.append(message.text) if message.type != "log" else None)
    tab.goto(path.as_uri())
    tab.wait_for_function("lcsiting.map && lcsiting.map._loaded")
    yield tab
    context.close()


COUNT = """() => {
  const count = {circles: 0, polygons: 0, lines: 0, images: 0, labels: 0, protected: 0};
  lcsiting.map.eachLayer(l => {
    if (l instanceof L.CircleMarker) count.circles++;
    else if (l instanceof L.Polygon) count.polygons++;
    else if (l instanceof L.Polyline) count.lines++;
    else if (l instanceof L.ImageOverlay) count.images += l.getElement().naturalWidth > 0 ? 1 : 0;
    else if (l instanceof L.Marker) l.options.icon.options.className == "lc-es" ? count.protected++ : count.labels++;
  });
  return count;
}"""
PAINTED = """() => [...document.querySelectorAll("canvas")].map(c => {
  const pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  let painted = 0;
  for (let i = 3; i < pixels.length; i += 4) painted += pixels[i] > 0;
  return painted;
})"""


@pytest.mark.chromium
def test_nothing_is_requested_and_nothing_fails(opened):
    assert [url for url in opened.requests if not url.startswith("data:")] == [opened.url]
    assert opened.complaints == []


@pytest.mark.chromium
def test_everything_is_drawn(opened):
    count = opened.evaluate(COUNT)
    assert count == {
        "circles": 6 + 12 + 45,
        "polygons": 2 + 2 + 5,  # county fills and borders; zone, urban, seat, town, park
        "lines": 3,  # road, railway, river
        "images": 1,  # the last phase outdoors; the two others are off at first
        "labels": 3,  # two counties and a town
        "protected": 1,
    }
    painted = opened.evaluate(PAINTED)
    assert len(painted) >= 4
    assert all(pixels > 100 for pixels in painted)


@pytest.mark.chromium
def test_every_layer_can_be_switched_on(opened):
    boxes = opened.locator(".leaflet-control-layers-overlays input")
    assert boxes.count() == 3 + 3 + 2 + 5
    for i in range(boxes.count()):
        boxes.nth(i).check()
    opened.wait_for_timeout(200)
    count = opened.evaluate(COUNT)
    assert count["images"] == 3
    assert count["polygons"] == 10  # with the ring
    assert opened.locator(".lc-head").all_inner_texts()[0] == "5G 基站"


@pytest.mark.chromium
def test_a_click_on_a_point_opens_its_place(opened):
    name = HOSTILE[1]
    opened.evaluate(
        """name => {
      const place = LC.stations.places.find(p => p[2] == name);
      lcsiting.map.setView([place[1], place[0]], 15, {animate: false});
    }""",
        name,
    )
    box = opened.locator(".folium-map").bounding_box()
    opened.mouse.move(box["width"] / 2, box["height"] / 2)
    opened.locator(".leaflet-tooltip").wait_for()
    assert opened.locator(".leaflet-tooltip").inner_text().startswith(name)
    opened.mouse.click(box["width"] / 2, box["height"] / 2)
    popup = opened.locator(".leaflet-popup .lc-pop")
    popup.wait_for()
    assert popup.locator("h2").inner_text() == name
    assert popup.locator("table").count() == 2
    opened.evaluate("() => { lcsiting.map.closePopup(); }")
    opened.wait_for_timeout(400)  # popups fade out


@pytest.mark.chromium
def test_hostile_names_are_shown_as_text(opened):
    """Every tooltip and popup is opened; nothing in a name runs or becomes an element."""
    shown = opened.evaluate("""() => {
      let shown = 0;
      lcsiting.map.eachLayer(l => {
        if (l.getPopup && l.getPopup() && l.getLatLng) { l.openPopup(); shown++; }
        if (l.getTooltip && l.getTooltip() && !(l instanceof L.FeatureGroup)) { l.openTooltip(); shown++; }
      });
      lcsiting.map.closePopup();
      return shown;
    }""")
    assert shown >= 2
    opened.wait_for_timeout(400)
    shown = opened.evaluate("""() => LC.stations.places.map(p => {
      const box = lcsiting.placePopup(LC.stations, p);
      document.body.appendChild(box);
      const elements = box.querySelectorAll("img,script").length;
      const found = [p[2], box.querySelector("h2").textContent, elements, box.textContent];
      box.remove();
      return found;
    })""")
    assert {name for name, *_ in shown} >= set(HOSTILE)
    assert all(name == title and elements == 0 for name, title, elements, _ in shown)
    assert sum(text.count("基站编号") for *_, text in shown) == 120  # every station has its block
    opened.fill("#lc-input", "茌平")
    assert opened.locator("#lc-hits li").count() == 2
    opened.locator("#lc-hits li").first.click()
    assert opened.locator(".leaflet-popup .lc-pop").count() == 1
    opened.wait_for_timeout(300)
    assert opened.evaluate("typeof window.__pwned") == "undefined"
    assert opened.evaluate("document.querySelectorAll('img[onerror]').length") == 0
    assert opened.complaints == []


@pytest.mark.chromium
def test_the_notebook_frame_works_offline(browser, tiny_result):
    context = browser.new_context(offline=True)
    tab = context.new_page()
    errors = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_content(lc.explore(tiny_result)._repr_html_())
    frame = tab.frame_locator("iframe")
    frame.locator(".lc-panel h1").wait_for()
    assert "聊城市" in frame.locator(".lc-panel h1").inner_text()
    assert errors == []
    context.close()
