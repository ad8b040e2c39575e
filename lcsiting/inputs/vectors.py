"""Files with geometry: GeoPackage, shapefile, GeoJSON, KML, file geodatabase."""

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import shapely

from lcsiting.errors import LayerError
from lcsiting.inputs.raw import Raw

OVITAL = (".ovkml", ".ovkmz")
GEOJSON = (".geojson", ".json")
KML = (".kml", ".kmz")


def looks_mojibake(text: str) -> bool:
    """Whether Latin-1 text is Chinese in GBK that was read with the wrong encoding."""
    high = [ch for ch in text if "\x80" <= ch <= "\xff"]
    if not high:
        return False
    try:
        there = text.encode("latin-1").decode("gb18030")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False
    return any("\u4e00" <= ch <= "\u9fff" for ch in there)


def _shapefile_encoding(path: Path, declared: str | None) -> tuple[str | None, list[tuple[str, str, str]]]:
    """Encoding to read a dBASE file with, and what to say about it.

    Without a .cpg GDAL believes the language byte, and reads Latin-1 if there is none.
    """
    if declared:
        return declared, []
    if any(path.with_suffix(suffix).exists() for suffix in (".cpg", ".CPG")):
        return None, []
    dbf = next((path.with_suffix(s) for s in (".dbf", ".DBF") if path.with_suffix(s).exists()), None)
    if dbf is None:
        return None, []
    data = dbf.read_bytes()
    if len(data) > 29 and data[29] in (0x4D, 0x7A):  # CP936, set by Windows programs and FoxPro
        return "gb18030", []
    text = _dbf_text(data)
    if text.isascii():
        return None, []
    guess, name = ("utf-8", "UTF-8") if _mostly_utf8(text) else ("gb18030", "GBK")
    return guess, [("info", f"没有 .cpg 文件，属性文字按 {name} 读取", "如有乱码，请在 project.toml 声明 encoding")]


def _dbf_text(data: bytes, limit: int = 2_000_000) -> bytes:
    """Field names and records of a dBASE file, without the binary parts of its header."""
    names = []
    start = 32
    while start + 32 <= len(data) and data[start] != 0x0D:
        names.append(data[start : start + 11].split(b"\x00")[0])
        start += 32
    header = int.from_bytes(data[8:10], "little")
    return b" ".join(names) + data[header : header + limit]


def _mostly_utf8(text: bytes) -> bool:
    """Whether text is UTF-8 but for characters cut at the end of a field."""
    broken = text.decode("utf-8", errors="replace").count("\ufffd")
    return broken <= 0.02 * sum(byte > 127 for byte in text)


def _zip_member(path: Path) -> str:
    """GDAL path of what lies in a zip: a geodatabase folder, a shapefile, anything."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise LayerError(f"{path.name}：压缩包已损坏。请重新压缩。") from error
    for name in names:
        for part in Path(name).parents:
            if part.suffix.lower() == ".gdb":
                return f"/vsizip/{path.as_posix()}/{part.as_posix()}"
        if name.lower().endswith(".gdbtable"):
            return f"/vsizip/{path.as_posix()}"
    for suffix in (".shp", ".gpkg", ".geojson", ".json", ".kml"):
        for name in names:
            if name.lower().endswith(suffix):
                return f"/vsizip/{path.as_posix()}/{name}"
    raise LayerError(f"{path.name}：压缩包里没有 .gdb、.shp、.gpkg、.geojson 或 .kml。")


def _layer_names(source: str, wanted: str | None, file: str, every: bool) -> list[str]:
    listed = pyogrio.list_layers(source)
    spatial = [str(name) for name, kind in listed if kind is not None]
    if wanted is not None:
        if wanted not in [str(name) for name, _ in listed]:
            raise LayerError(f"{file}：没有名为 {wanted!r} 的图层；现有：{'、'.join(str(n) for n, _ in listed)}。")
        return [wanted]
    if not spatial:
        raise LayerError(f"{file}：没有带几何的图层。")
    return spatial if every else spatial[:1]


def _copy_of(path: Path, folder: str) -> Path:
    """Ovital files are KML/KMZ under other suffixes."""
    target = Path(folder) / ("a.kml" if path.suffix.lower() == ".ovkml" else "a.kmz")
    shutil.copyfile(path, target)
    return target


def read_vector(path: Path, layer: str | None, encoding: str | None) -> Raw:
    """One layer of a vector file (KML: all its folders).

    Parameters
    ----------
    path : Path
        File, ``.gdb`` folder or a zip of either.
    layer : str, optional
        Layer inside the file; default its first spatial one.
    encoding : str, optional
        Of a shapefile's attributes.

    Raises
    ------
    LayerError
        GDAL cannot read it, or there is no such layer.
    """
    suffix = path.suffix.lower()
    remarks: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        source = str(_copy_of(path, folder)) if suffix in OVITAL else str(path)
        if suffix == ".zip":
            source = _zip_member(path)
        if suffix in (".shp", ".dbf"):
            encoding, remarks = _shapefile_encoding(path, encoding)
        try:
            names = _layer_names(source, layer, path.name, every=suffix in (*KML, *OVITAL))
            try:
                parts = [_read_one(source, name, encoding) for name in names]
            except UnicodeDecodeError:  # a wrong .cpg, or characters cut in the middle
                parts = [_read_bytes(source, name) for name in names]
                text = "属性文字有截断或与声明的编码不符，已逐字识别"
                remarks.append(("info", text, "如有乱码，请在 project.toml 声明 encoding"))
        except LayerError:
            raise
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError, ValueError, LookupError) as e:
            raise LayerError(f"{path.name}：无法读取（{e}）。请确认文件完整，或另存为 GeoPackage 再试。") from e
        others = _others(source, names, layer)
    if others and suffix not in (*KML, *OVITAL):
        text = f"文件里还有其他图层未读取：{'、'.join(others)}"
        remarks.append(("info", text, '要读其他图层，请在 project.toml 用 layer = "图层名" 指定'))
    frame = pd.concat([part[0] for part in parts], ignore_index=True)
    geometry = np.concatenate([part[1] for part in parts])
    crs, datum = parts[0][2], None
    if suffix in (*GEOJSON, *KML, *OVITAL):  # the formats are WGS 84 by definition: no statement of the file's own
        datum = "gcj02" if suffix in OVITAL else "wgs84"
        crs = None if suffix not in GEOJSON or _is_4326(crs) else crs
    if suffix in OVITAL:
        remarks.append(("info", "奥维 .ovkml/.ovkmz 按 GCJ-02 读取并改正", "若不是，请声明 datum"))
    if suffix in (*KML, *OVITAL):
        frame = _kml_columns(frame)
    rows = np.arange(1, len(frame) + 1, dtype=np.int64)
    return Raw(frame, rows, path.name, geometry=geometry, crs=crs, datum=datum, stem=path.stem, remarks=remarks)


def _others(source: str, names: list[str], wanted: str | None) -> list[str]:
    if wanted is not None:
        return []
    return [str(n) for n, kind in pyogrio.list_layers(source) if kind is not None and str(n) not in names]


def _is_4326(crs: str | None) -> bool:
    return crs is None or "4326" in crs or "CRS84" in crs or 'WGS 84"' in crs[:40]


def _read_one(source: str, name: str, encoding: str | None) -> tuple[pd.DataFrame, Any, str | None]:
    meta, _, geometry, fields = pyogrio.raw.read(source, layer=name, encoding=encoding, force_2d=True)
    columns = [str(column) for column in meta["fields"]]
    if encoding is None and columns and _any_mojibake(columns, fields):
        meta, _, geometry, fields = pyogrio.raw.read(source, layer=name, encoding="gb18030", force_2d=True)
        columns = [str(column) for column in meta["fields"]]
    count = len(geometry) if geometry is not None else len(fields[0])
    shapes = np.full(count, None, dtype=object)
    if geometry is not None:
        shapes = shapely.from_wkb(geometry)
    frame = pd.DataFrame(dict(zip(columns, fields, strict=True)), index=range(count))
    return frame, np.asarray(shapes, dtype=object), meta["crs"]


def _read_bytes(source: str, name: str) -> tuple[pd.DataFrame, Any, str | None]:
    """Attributes byte by byte, then decoded here: names of 10 bytes may end inside a character."""
    frame, shapes, crs = _read_one(source, name, "ISO-8859-1")
    texts = [c for c in frame.columns if frame[c].dtype == object or str(frame[c].dtype) == "str"]
    data = b" ".join(str(v).encode("latin-1", "ignore") for c in texts for v in [c, *frame[c].dropna()])
    encoding = "utf-8" if _mostly_utf8(data) else "gb18030"

    def decode(value: Any) -> Any:
        return value.encode("latin-1", "ignore").decode(encoding, "ignore") if isinstance(value, str) else value

    for column in texts:
        frame[column] = frame[column].map(decode)
    return frame.rename(columns=decode), shapes, crs


def _any_mojibake(columns: list[str], fields: list[Any]) -> bool:
    texts = list(columns)
    for values in fields:
        if values.dtype == object:
            texts += [str(v) for v in values[:50] if v is not None]
    return any(looks_mojibake(text) for text in texts) and not any("\u4e00" <= ch <= "\u9fff" for ch in "".join(texts))


def _kml_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the columns KML drivers add; ``Name`` stays."""
    added = {
        "timestamp", "begin", "end", "altitudeMode", "tessellate", "extrude", "visibility", "drawOrder", "icon",
        "snippet", "Description", "description",
    }  # fmt: skip
    empty = [c for c in frame.columns if c in added and frame[c].isna().all()]
    gone = empty + [c for c in frame.columns if c in ("tessellate", "extrude", "visibility")]
    return frame.drop(columns=list(dict.fromkeys(gone)))
