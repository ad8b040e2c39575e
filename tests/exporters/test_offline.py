"""The inliner: nothing on the page may need the internet."""

import sys

import pytest

from lcsiting.errors import ExportError
from lcsiting.exporters import offline

PAGE = "<html><head>{}</head><body></body></html>"


def test_leaflet_comes_from_the_installed_package_without_django():
    script, style = offline.leaflet_script(), offline.leaflet_style()
    assert "Leaflet 1.9" in script[:200]
    assert "sourceMappingURL" not in script
    assert "</script" not in script
    assert "url(images/" not in style
    assert "data:image/png;base64," in style
    assert "django" not in sys.modules


def test_what_folium_asks_for_is_inlined_or_dropped():
    asked = (
        '<script src="https://cdn.example.invalid/leaflet@1.9.3/dist/leaflet.js"></script>'
        '<script src="https://code.example.invalid/jquery-3.7.1.min.js"></script>'
        '<link rel="stylesheet" href="https://cdn.example.invalid/leaflet.css"/>'
    )
    page = offline.self_contained(PAGE.format(asked))
    assert "example.invalid" not in page
    assert "Leaflet 1.9" in page
    assert "default-src 'none'" in page.replace("&#x27;", "'")


def test_an_unknown_plugin_is_named():
    with pytest.raises(ExportError, match=r"markercluster\.js"):
        offline.self_contained(PAGE.format('<script src="https://a.invalid/leaflet.markercluster.js"></script>'))


@pytest.mark.parametrize(
    "left",
    [
        "<img src='http://a.invalid/x.png'>",
        '<script  type="module" src="//a.invalid/x.js"></script>',
        "<style>@import 'https://a.invalid/x.css';</style>",
        "<style>body{background:url(https://a.invalid/x.png)}</style>",
        '<div style="background:url(https://a.invalid/x.png)"></div>',
        '<video poster="https://a.invalid/x.png"></video>',
    ],
)
def test_any_address_left_is_an_error(left):
    with pytest.raises(ExportError, match=r"a\.invalid"):
        offline.self_contained(PAGE.format(left))


def test_text_that_only_looks_like_an_address_is_no_error():
    harmless = (
        '<script>var name = "\\u003cimg src=http://a.invalid/x.png\\u003e";</script><p title="src=http://a.invalid">'
    )
    assert offline.external_addresses(PAGE.format(harmless)) == []


def test_random_ids_become_numbers():
    page = f"map_{'a' * 32} = layer_{'b' * 32} + map_{'a' * 32}; hash {'c' * 64}"
    assert offline.stable_ids(page) == f"map_0000 = layer_0001 + map_0000; hash {'c' * 64}"
