"""The folium page under the map: panes, layers, control. Imported only when a map is made.

Everything folium renders goes through a template engine, twice; a name such as
``{{ ... }}`` would be executed. Texts therefore enter as tokens and are put in
place after folium is done.
"""

import html
import re
from typing import Any

import folium
from branca.element import MacroElement
from folium.map import CustomPane, Layer, LayerControl
from jinja2 import Template

from lcsiting.exporters.mapdata import script_json
from lcsiting.exporters.offline import stable_ids


class _Header(MacroElement):
    _template = Template(
        """
        {% macro header(this, kwargs) %}
        <title>{{ this.title }}</title>
        <style>{{ this.css }}</style>
        <script>{{ this.js }}</script>
        {% endmacro %}
        """
    )

    def __init__(self, title: str, css: str, js: str) -> None:
        super().__init__()
        self.title, self.css, self.js = title, css, js


class _Text(MacroElement):
    """HTML and script put on the page as they are."""

    _template = Template(
        """
        {% macro html(this, kwargs) %}{{ this.body }}{% endmacro %}
        {% macro script(this, kwargs) %}{{ this.code }}{% endmacro %}
        """
    )

    def __init__(self, body: str = "", code: str = "") -> None:
        super().__init__()
        self.body, self.code = body, code


class _Call(Layer):
    """A Leaflet layer made by a JavaScript expression; ``map`` in it is the map."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        var {{ this.get_name() }} = (function (map) { return {{ this.call }}; })({{ this._parent.get_name() }});
        {% endmacro %}
        """
    )

    def __init__(self, call: str, name: str, show: bool) -> None:
        super().__init__(name=name, overlay=True, control=True, show=show)
        self._name = "Call"
        self.call = call


class _Control(LayerControl):
    """A layer control that lists layers in its own order, not in that of drawing."""

    def __init__(self, layers: list[Layer]) -> None:
        super().__init__(collapsed=False, autoZIndex=False)
        self.listed = layers

    def render(self, **kwargs: Any) -> None:
        self.reset()
        self.overlays.update({layer.layer_name: layer.get_name() for layer in self.listed})
        MacroElement.render(self, **kwargs)


class Page:
    """Collects the layers of a map, then renders it.

    Parameters
    ----------
    panes : dict
        Name to z-index of the panes below the markers.
    css, js : str
        The map's own style sheet and script.
    title : str
        Of the browser window.
    """

    def __init__(self, panes: dict[str, int], css: str, js: str, title: str) -> None:
        # maxZoom goes to Leaflet itself: folium's max_zoom only reaches a tile layer.
        self.map = folium.Map(
            tiles=None, prefer_canvas=True, control_scale=False, zoomSnap=0.25, minZoom=6, maxZoom=19,
            attributionControl=False,
        )  # fmt: skip
        self.texts: list[str] = []
        self.map.add_child(_Header(*(self._token(text) for text in (html.escape(title), css, js))))
        for name, z_index in panes.items():
            self.map.add_child(CustomPane(name, z_index=z_index))
        self.map.add_child(_Text(code="var LC = {};"))
        self.layers: list[tuple[str, Layer]] = []
        self.images: list[Layer] = []

    def _token(self, text: str) -> str:
        """A stand-in for a text, which no template engine gets to see."""
        self.texts.append(text)
        return f"@lcsiting-text-{len(self.texts) - 1}@"

    def define(self, key: str, data: str) -> None:
        """Put JSON (made by ``script_json``) on the page as ``LC.<key>``."""
        self.map.add_child(_Text(code=f"LC.{key} = {self._token(data)};"))

    def layer(self, call: str, name: str, group: str, show: bool = True) -> None:
        """Add a layer; ``name`` is HTML for the control, ``group`` its heading."""
        self.layers.append((group, _Call(call, name, show)))

    def image(self, url: str, bounds_deg: list[list[float]], name: str, group: str, show: bool = True) -> None:
        """Add a picture between south-west and north-east corners."""
        overlay = folium.raster_layers.ImageOverlay(
            image=url, bounds=bounds_deg, name=name, pixelated=True, show=show, pane="lc-coverage", interactive=False
        )
        self.images.append(overlay)
        self.layers.append((group, overlay))

    def tiles(self, template: str) -> None:
        """Add an online backdrop."""
        self.map.add_child(folium.TileLayer(tiles=template, attr=" ", overlay=True, control=False))

    def render(self, panel: str, groups: dict[str, str], bounds_deg: list[list[float]], lang: str) -> str:
        """The page, layers grouped under headings in the order of ``groups``.

        Parameters
        ----------
        panel : str
            HTML of the title panel.
        groups : dict
            Group to heading, in order.
        bounds_deg : list
            ``[[south, west], [north, east]]`` shown first.
        lang : str
            Of the page.
        """
        self.map.add_child(_Text(code=f"{self.map.get_name()}.fitBounds({bounds_deg});"))
        members = {group: [layer for name, layer in self.layers if name == group] for group in groups}
        # Drawn from the bottom up, the last group first; within a group in reverse where it is points.
        for group in reversed(groups):
            for layer in members[group] if group == "base" else reversed(members[group]):
                self.map.add_child(layer)
        heads, position = [], 0
        for group, heading in groups.items():
            if members[group]:
                heads.append([position, heading])
            position += len(members[group])
        control = _Control([layer for group in groups for layer in members[group]])
        self.map.add_child(control)
        self.map.add_child(_Text(body=self._token(panel), code=self._finish(control, heads)))
        page = stable_ids(self.map.get_root().render())
        page = page.replace("<html>", f'<html lang="{"zh-CN" if lang == "zh" else "en"}">', 1)
        return re.sub(r"@lcsiting-text-(\d+)@", lambda match: self.texts[int(match[1])], page)

    def _finish(self, control: LayerControl, heads: list[Any]) -> str:
        name = self.map.get_name()
        return (
            f"lcsiting.headings({control.get_name()},{script_json(heads)});"
            f"L.control.scale({{imperial: false}}).addTo({name});"
            f"lcsiting.far({name});"
            f'lcsiting.search(LC.stations,{name},document.getElementById("lc-input"),document.getElementById("lc-hits"));'
            f"lcsiting.map = {name};"
        )
