"""Tables without geometry of their own: CSV, Excel, the land-survey text format."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import shapely

from lcsiting.errors import LayerError
from lcsiting.geo import crs
from lcsiting.inputs import headers
from lcsiting.inputs.raw import Raw

HEADER_SEARCH_ROWS = 10


def decode(data: bytes, encoding: str | None, file: str) -> tuple[str, str]:
    """Text of a file and the encoding that fits: declared, BOM, UTF-8, else GB 18030.

    Raises
    ------
    LayerError
        The declared encoding does not fit, or none does.
    """
    if encoding is None and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    if encoding is None and b"\x00" in data[:4096]:
        raise LayerError(f"{file}：不是文本文件。请另存为 CSV(UTF-8)或 Excel(.xlsx)。")
    for name in [encoding] if encoding else ["utf-8-sig", "gb18030"]:
        try:
            return data.decode(name), name
        except (UnicodeDecodeError, LookupError):
            continue
    raise LayerError(f"{file}：文字编码不是 {encoding or 'UTF-8 也不是 GBK'}。请另存为 UTF-8 再试，或改正 encoding。")


def _header_row(rows: list[list[Any]], layer: str, declared: dict[str, str]) -> int:
    """Position of the header among the first rows: the one with most known headers (titles may stand above)."""
    words = headers.known(layer) | {headers.normalise(h) for h in declared.values() if not h.startswith("=")}
    best, best_hits = -1, 0
    for i, row in enumerate(rows[:HEADER_SEARCH_ROWS]):
        keys = {headers.normalise(str(cell)) for cell in row if cell not in (None, "")}
        hits = len({k for k in keys if k in words or headers.coordinates([k], {})})
        if hits > best_hits:
            best, best_hits = i, hits
    if best >= 0:
        return best
    return next((i for i, row in enumerate(rows) if any(cell not in (None, "") for cell in row)), 0)


def _frame(rows: list[list[Any]], layer: str, declared: dict[str, str], file: str) -> tuple[pd.DataFrame, Any]:
    if not rows:
        raise LayerError(f"{file}：表是空的。")
    top = _header_row(rows, layer, declared)
    names: list[str] = []
    for k, cell in enumerate(rows[top]):
        name = str(cell).strip() if cell not in (None, "") else f"_{k + 1}"
        names.append(name if name not in names else f"{name}.{k + 1}")
    width = len(names)
    body, numbers = [], []
    for i, row in enumerate(rows[top + 1 :], start=top + 2):
        if any(cell is not None and str(cell).strip() for cell in row):
            body.append((list(row) + [None] * width)[:width])
            numbers.append(i)
    frame = pd.DataFrame(body, columns=names, dtype=object)
    keep = [name for name in names if not name.startswith("_") or frame[name].notna().any()]
    return frame[keep], np.array(numbers, dtype=np.int64)


def read_csv(path: Path, layer: str, declared: dict[str, str], encoding: str | None) -> Raw:
    """A CSV (comma, semicolon, tab; UTF-8 with or without BOM, GBK/GB 18030, UTF-16)."""
    text, used = decode(path.read_bytes(), encoding, path.name)
    head = "\n".join(text.splitlines()[:HEADER_SEARCH_ROWS])
    delimiter = max(",\t;|,", key=head.count)
    rows = [list(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]
    frame, numbers = _frame(rows, layer, declared, path.name)
    remarks = []
    if used == "gb18030" and not encoding and any(ord(ch) > 127 for ch in text[:100_000]):
        remarks.append(("info", "文字编码按 GBK/GB 18030 读取", "如有乱码，请在 project.toml 声明 encoding"))
    return Raw(frame, numbers, path.name, stem=path.stem, remarks=remarks)


def read_excel(path: Path, layer: str, declared: dict[str, str], sheet: str | None) -> Raw:
    """A sheet of an Excel workbook (.xlsx, .xlsm); the first one that is not empty unless named.

    Raises
    ------
    LayerError
        Old .xls, a broken file, or no such sheet.
    """
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    if path.suffix.lower() == ".xls":
        raise LayerError(f"{path.name}：旧版 .xls 不能直接读取。请在 Excel 中另存为 .xlsx。")
    broken = (
        InvalidFileException,
        zipfile.BadZipFile,
        ElementTree.ParseError,
        OSError,
        KeyError,
        ValueError,
        TypeError,
    )
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except broken as error:
        raise LayerError(f"{path.name}：不是有效的 Excel 文件（{error}）。请在 Excel 中打开后另存为 .xlsx。") from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise LayerError(f"{path.name}：没有名为 {sheet!r} 的工作表；现有：{'、'.join(book.sheetnames)}。")
        names = [sheet] if sheet else book.sheetnames
        full = {}
        for name in names:
            rows = _sheet_rows(book[name])
            if any(cell is not None for row in rows for cell in row):
                full[name] = rows
                break
    finally:
        book.close()
    if not full:
        raise LayerError(f"{path.name}：工作簿是空的。")
    (name, rows), remarks = next(iter(full.items())), []
    if sheet is None and len(book.sheetnames) > 1:
        problem = f"工作簿有 {len(book.sheetnames)} 张表，只读取“{name}”"
        remarks.append(("info", problem, '要读其他表，请在 project.toml 用 layer = "表名" 指定，可列多个来源'))
    frame, numbers = _frame(rows, layer, declared, path.name)
    return Raw(frame, numbers, path.name, stem=path.stem, remarks=remarks)


def _sheet_rows(sheet: Any) -> list[list[Any]]:
    if not hasattr(sheet, "iter_rows"):  # a chart sheet
        return []
    sheet.reset_dimensions()  # some programs write a wrong extent, and openpyxl would believe it
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def _survey_crs(attributes: dict[str, str]) -> str | None:
    """CRS that the [属性描述] block states, if it does so fully."""
    zone, width = attributes.get("带号", ""), attributes.get("几度分带", "")
    if "2000" not in attributes.get("坐标系", "") or not zone.isdigit():
        return None
    if width == "6":
        return crs.prefix_epsg(int(zone)) if 13 <= int(zone) <= 23 else None
    return crs.zone_epsg(int(zone), prefix=True) if 25 <= int(zone) <= 45 else None


def _survey_geometry(kind: str, rings: dict[str, list[tuple[float, float]]]) -> Any:
    parts = [points for points in rings.values() if points]
    if "点" in kind:
        return shapely.multipoints(np.concatenate([np.array(p) for p in parts])) if parts else None
    if "线" in kind:
        return shapely.multilinestrings([shapely.linestrings(p) for p in parts if len(p) > 1])
    shells = [shapely.polygons(p) for p in parts if len(p) >= 4]
    if not shells:
        return None
    shape = shells[0]
    for ring in shells[1:]:  # later rings are holes where they lie inside, else further parts
        shape = shape.difference(ring) if shape.contains(ring.representative_point()) else shape.union(ring)
    return shape


def read_survey_text(path: Path, encoding: str | None) -> Raw:
    """The land-survey text format: [属性描述], then [地块坐标] with ``点号,圈号,北坐标,东坐标`` rows.

    Raises
    ------
    LayerError
        No coordinates in it.
    """
    text, _ = decode(path.read_bytes(), encoding, path.name)
    attributes: dict[str, str] = {}
    records, rings, broken = [], [], []
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif section == "属性描述" and "=" in line:
            key, _, value = line.partition("=")
            attributes[key.strip()] = value.strip()
        elif section == "地块坐标" and line.endswith("@"):
            cells = [cell.strip() for cell in line[:-1].split(",")]
            cells += [""] * (8 - len(cells))
            records.append({"_row": number, "编号": cells[2], "名称": cells[3], "图形": cells[4], "地类": cells[7]})
            rings.append({})
        elif section == "地块坐标" and line:
            cells = line.split(",")
            try:
                north, east = float(cells[-2]), float(cells[-1])
                rings[-1].setdefault(cells[-3].strip(), []).append((east, north))
            except (ValueError, IndexError):
                broken.append(number)
    if not records:
        raise LayerError(f"{path.name}：没有 [地块坐标] 内容。请按土地勘测定界坐标格式导出。")
    frame = pd.DataFrame(records)
    shapes = np.array([_survey_geometry(r["图形"] or "面", ring) for r, ring in zip(records, rings, strict=True)])
    remarks = []
    if broken:
        remarks.append(("warning", f"第 {', '.join(map(str, broken[:10]))} 行不是坐标，已跳过", "检查该行"))
    state = _survey_crs(attributes)
    if state:
        remarks.append(("info", f"坐标系按文件头：{attributes.get('坐标系')} 带号 {attributes.get('带号')}", ""))
    return Raw(
        frame.drop(columns="_row"), frame["_row"].to_numpy(), path.name, geometry=shapes, crs=state, stem=path.stem,
        remarks=remarks,
    )  # fmt: skip


def is_survey_text(path: Path) -> bool:
    """Whether a text file is of the land-survey format."""
    with path.open("rb") as file:
        head = file.read(4096)
    return any(word.encode(name) in head for word in ("[地块坐标]", "[属性描述]") for name in ("gb18030", "utf-8"))
