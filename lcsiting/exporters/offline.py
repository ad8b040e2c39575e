"""A folium page made self-contained: Leaflet inlined, nothing left to fetch.

Leaflet's files come from the installed ``django-js-lib-leaflet`` package, read as
plain data; Django is not imported.
"""

import base64
import html
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from lcsiting.errors import ExportError

DISTRIBUTION = "django-js-lib-leaflet"
FOLDER = "js_lib_leaflet/static/js_lib_leaflet"
INLINED = ("leaflet.js", "leaflet.css")
# folium asks for these on every page; nothing on our map uses them.
UNUSED = {
    "jquery-3.7.1.min.js", "bootstrap.bundle.min.js", "bootstrap.min.css", "bootstrap-glyphicons.css", "all.min.css",
    "leaflet.awesome-markers.js", "leaflet.awesome-markers.css", "leaflet.awesome.rotate.min.css",
}  # fmt: skip
FETCHING = {"src", "href", "data", "action", "poster", "srcset", "background", "formaction", "xlink:href"}


def _leaflet_folder() -> Path:
    try:
        folder = Path(str(distribution(DISTRIBUTION).locate_file(FOLDER)))
    except PackageNotFoundError as error:
        raise ExportError(f"html: package {DISTRIBUTION} is not installed; pip install {DISTRIBUTION}") from error
    missing = [name for name in INLINED if not (folder / name).is_file()]
    if missing:
        raise ExportError(f"html: package {DISTRIBUTION} lacks {', '.join(missing)}; install version 1.9.4 or later")
    return folder


def leaflet_script() -> str:
    """Leaflet's JavaScript, safe inside a ``<script>`` element."""
    text = (_leaflet_folder() / "leaflet.js").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^//# sourceMappingURL=.*$", "", text)
    if "</script" in text.lower():
        raise ExportError("html: leaflet.js closes its own script element; install another version")
    return text


def leaflet_style() -> str:
    """Leaflet's style sheet, its images as ``data:`` URLs."""
    folder = _leaflet_folder()

    def embed(match: re.Match[str]) -> str:
        picture = folder / match[1]
        if not picture.is_file():
            return match[0]
        kind = "svg+xml" if picture.suffix == ".svg" else picture.suffix.lstrip(".")
        return f"url(data:image/{kind};base64,{base64.b64encode(picture.read_bytes()).decode('ascii')})"

    return re.sub(r"""url\(["']?([^"')]+)["']?\)""", embed, (folder / "leaflet.css").read_text(encoding="utf-8"))


def leaflet_assets() -> dict[str, str]:
    """Leaflet as it is inlined, by file name.

    Raises
    ------
    ExportError
        The package that ships Leaflet is missing or too old.
    """
    return {"leaflet.js": leaflet_script(), "leaflet.css": leaflet_style()}


def _swap(tag: str, asset: Callable[[], str]) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        name = match[1].rsplit("/", 1)[-1]
        if name in UNUSED:
            return ""
        if name not in INLINED:
            raise ExportError(f"html: the page asks for {match[1]}, which cannot be inlined")
        return f"<{tag}>{asset()}</{tag}>"

    return replace


class _Addresses(HTMLParser):
    """Collects what elements of a page would fetch."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.in_style = tag == "style"
        for name, value in attrs:
            if tag != "a" and name in FETCHING and value and not value.strip().startswith(("data:", "#")):
                self.found.append(value.strip())
            if name == "style" and value:
                self._styles(value)

    def handle_endtag(self, tag: str) -> None:
        self.in_style = False

    def handle_data(self, data: str) -> None:
        if self.in_style:
            self._styles(data)

    def _styles(self, text: str) -> None:
        urls = re.findall(r"""url\(\s*["']?([^"')]+)""", text)
        self.found += [url for url in urls if not url.startswith(("data:", "#"))]
        self.found += re.findall(r"@import[^;]+", text)


def external_addresses(page: str) -> list[str]:
    """Everything the elements and styles of a page would fetch from outside it."""
    parser = _Addresses()
    parser.feed(page)
    parser.close()
    return parser.found


def stable_ids(page: str) -> str:
    """Number folium's random element ids, so that the same result gives the same bytes."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"_{numbers.setdefault(match[1], len(numbers)):04d}"

    return re.sub(r"_([0-9a-f]{32})(?![0-9a-f])", number, page)


def self_contained(page: str, allowed: str | None = None) -> str:
    """Inline Leaflet into a rendered folium page and forbid every other request.

    Parameters
    ----------
    page : str
        ``map.get_root().render()``.
    allowed : str, optional
        Source of an online basemap (scheme and host, ``*`` for sub-domains), the only one the
        page's content policy lets through.

    Returns
    -------
    str
        One page that needs nothing else.

    Raises
    ------
    ExportError
        The page asks for something that is not shipped, or an address is left.
    """
    page = re.sub(r'<script src="(https?://[^"]+)"></script>', _swap("script", leaflet_script), page)
    page = re.sub(r'<link rel="stylesheet" href="(https?://[^"]+)"\s*/?>', _swap("style", leaflet_style), page)
    images = " ".join(filter(None, ["data:", allowed]))
    policy = f"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src {images}"
    page = page.replace(
        "<head>", f'<head>\n    <meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">', 1
    )
    left = external_addresses(page)
    if left:
        raise ExportError(f"html: the map would still need the internet: {', '.join(left[:5])}")
    return page
