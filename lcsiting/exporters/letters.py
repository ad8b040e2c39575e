"""Coordination letters: one for each operator x station user, in Chinese, copied to the radio authority.

A folder: the letters (.docx), for each the whole list of its base stations (.csv), nothing about
persons. The letter shows the most unfavourable base stations; the list has all of them.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from lcsiting import rules, schema
from lcsiting.coordination.measures import NOT_ENOUGH, SITE_SIDE
from lcsiting.errors import ExportError
from lcsiting.exporters.tables import plain, word, yes_no
from lcsiting.geo import crs
from lcsiting.model import Result

SHOWN_ROWS = 40
FONT, EAST_ASIA_FONT, HEADING_FONT = "Times New Roman", "宋体", "黑体"
AUTHORITY = "当地无线电管理机构"
UNKNOWN_USER = "使用单位未登记"
LIST_COLUMNS = (
    "station_id", "place_name", "band", "protected_id", "distance_m", "mechanisms", "rule_verdict", "physics_verdict",
    "margin_db", "measure",
)  # fmt: skip
RECORD_COLUMNS = (
    "station_id", "name", "class", "rx_low_mhz", "rx_high_mhz", "satellite_lon_deg", "diameter_m", "lnb_type",
    "licensed_since",
)  # fmt: skip
SAFE_NAME = re.compile(r'[\\/:*?"<>|\s\x00-\x1f]+')


def write_letters(result: Result, path: Path, lang: str = "zh") -> None:
    """Write the letters of a plan's base stations into a folder.

    Parameters
    ----------
    result : Result
    path : Path
        Folder; made.
    lang : str
        Language of the lists' headers. The letters are Chinese: their readers are.

    Raises
    ------
    ExportError
        python-docx is not installed, or the result has no coordination list.
    """
    try:
        import docx  # noqa: F401
    except ImportError as error:
        raise ExportError('letters: needs python-docx. Install it with: pip install "lcsiting[docs]"') from error
    path.mkdir(parents=True, exist_ok=True)
    listed = coordination_rows(result)
    for (operator, unit), part in listed.groupby(["operator", "user_unit"], sort=True):
        name = SAFE_NAME.sub("_", f"{operator}致{unit or UNKNOWN_USER}")[:80]
        _letter(result, str(operator), str(unit), part).save(str(path / f"协调函_{name}.docx"))
        table = _annex(part, result, lang)
        table.to_csv(path / f"附件_{name}.csv", index=False, encoding="utf-8-sig", lineterminator="\n")
    if listed.empty:
        (path / "无需协调.txt").write_text("规划基站均无需与受保护台站协调。\n", encoding="utf-8")


def coordination_rows(result: Result) -> pd.DataFrame:
    """The coordination list of the plan's base stations, as the run made it.

    Raises
    ------
    ExportError
        The result has none.
    """
    if "coordination_list" not in result.tables:
        raise ExportError("letters: 结果中没有协调清单（早期版本所存）。请重新运行 lcsiting run。")
    return result.tables["coordination_list"]


def _annex(part: pd.DataFrame, result: Result, lang: str) -> pd.DataFrame:
    """The whole list, with what the station's user needs to check it: position, height, frequencies."""
    project = result.project
    columns = [name for name in schema.table("coordination_list").columns if name in part]
    table = _translated(part, result, columns, lang)
    rows = project.stations.set_index("station_id").loc[part["station_id"]]
    points = project.places.geometry.iloc[rows["place"].to_numpy(dtype="int64")]
    lon, lat = crs.transform(points.x.to_numpy(), points.y.to_numpy(), project.config.project.crs, crs.GEOGRAPHIC)
    columns = schema.table("stations").columns
    extra = {"lon": lon.round(6), "lat": lat.round(6), "height_agl_m": rows["height_agl_m"].to_numpy()}
    for k, (name, values) in enumerate(extra.items()):
        table.insert(4 + k, columns[name].label(lang), values)
    holders = list(zip(part["band"], part["operator"], strict=True))
    licence = {who: _licensed(result, *who) for who in dict.fromkeys(holders)}
    table.insert(7, "许可频率(MHz)" if lang == "zh" else "Licensed frequencies(MHz)", [licence[who] for who in holders])
    return table


def _licensed(result: Result, band: str, operator: str) -> str:
    """The frequencies an operator is licensed to use in a band, MHz."""
    from lcsiting.coordination.procedure import licence_mhz

    low, high = licence_mhz(rules.load("bands", result.project.root / "rules"), band, operator)
    return f"{low:g}–{high:g}"


def _translated(table: pd.DataFrame, result: Result, columns: list[str], lang: str) -> pd.DataFrame:
    """Chosen columns of the coordination list with headers and words for people."""
    shown = schema.table("coordination_list").columns
    root = result.project.root
    out = {}
    for name in columns:
        values = table[name]
        if name == "mechanisms":
            words = ["、".join(schema.value_label(c, lang) for c in str(v).split(";") if c) for v in values]
        elif shown[name].dtype == "date":
            words = ["" if pd.isna(v) else f"{v:%Y-%m-%d}" for v in values]
        elif shown[name].dtype == "bool":
            words = yes_no(values.to_frame(), lang)[name].tolist()
        elif shown[name].dtype == "float":
            words = ["" if pd.isna(v) else f"{v:.0f}" if name == "distance_m" else f"{v:.1f}" for v in values]
        else:
            words = ["" if pd.isna(v) else plain(word(name, str(v), lang, root)) for v in values]
        out[shown[name].label(lang)] = words
    return pd.DataFrame(out)


# ---------------------------------------------------------------- the letter


def _letter(result: Result, operator: str, unit: str, part: pd.DataFrame) -> Any:
    import docx
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Cm

    document = docx.Document()
    _fonts(document)
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.2)
    as_of = result.project.config.project.as_of
    _properties(document, operator, unit, as_of)
    title = document.add_paragraph(style="Title")
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    title.add_run("5G基站与卫星地球站等无线电台（站）干扰协调函")
    document.add_paragraph(f"{unit or UNKNOWN_USER}：")
    for text in _body(result, operator, part, as_of):
        document.add_paragraph(text, style="Body Text")
    _add_table(document, "受保护台站", _records(result, part), (1.5, 3.5, 1.9, 1.7, 1.7, 1.6, 1.3, 1.6, 1.8))
    shown = part.sort_values(["margin_db", "distance_m", "station_id"], kind="stable").head(SHOWN_ROWS)
    title_text = (
        f"所涉基站（共 {part['station_id'].nunique()} 个、{len(part)} 对，以下列最不利的 {len(shown)} 对，全部见附件）"
    )
    widths = (2.2, 3.0, 0.9, 1.4, 1.3, 1.5, 1.4, 1.4, 1.3, 2.2)
    _add_table(document, title_text, _translated(shown, result, list(LIST_COLUMNS), "zh"), widths)
    document.add_heading("未经核实的数值", level=2)
    for text in _unverified(result, part):
        last = document.add_paragraph(text, style="Body Text")
    last.paragraph_format.keep_with_next = True  # seal and date never stand on a page alone
    for text in (f"{operator}（盖章）", f"{as_of.year}年{as_of.month}月{as_of.day}日"):
        line = document.add_paragraph(text)
        line.alignment, line.paragraph_format.keep_with_next = WD_ALIGN_PARAGRAPH.RIGHT, True
    document.add_paragraph(f"抄送：{_authority(result)}")
    return document


def _body(result: Result, operator: str, part: pd.DataFrame, as_of: Any) -> list[str]:
    """What is asked for, by when, what is proposed, who pays."""
    profile = _profile(result)
    terms = profile.get("procedure", {})
    bands = [f"{band}（{_licensed(result, band, operator)}MHz）" for band in sorted(set(part["band"]))]
    lines = [
        "根据《3000～5000MHz频段第五代移动通信基站与卫星地球站等无线电台（站）干扰协调管理办法》（工信部无〔2018〕266号）"
        f"和《干扰协调指南》（工信部无〔2019〕136号），{operator}在{'、'.join(bands)}频段设置、使用"
        f"5G基站，其中 {part['station_id'].nunique()} 个与贵单位 {part['protected_id'].nunique()} 个台站须"
        "进行干扰协调，现主动发起协调，请予配合。"
    ]
    if terms:
        mark = "" if terms["verified"] else "（期限引自二手资料，以主管部门文本为准）"
        lines.append(
            f"请在收到本函后 {terms['confirm_working_days']} 个工作日内核对下列台站与基站信息并予以确认；"
            f"{terms['agree_months']} 个月内未能达成一致的，双方可提请无线电管理机构协助{mark}。"
        )
    measures = {item for text in part["measure"].astype(str) for item in text.split(";") if item}
    if enough := sorted(measures - {NOT_ENOUGH, SITE_SIDE}):
        lines.append(f"按计算，可采取的台站侧措施为：{'；'.join(enough)}。具体措施由双方协商并经联合测试确认。")
    if measures & {NOT_ENOUGH, SITE_SIDE}:
        n = int(part["measure"].astype(str).str.contains(f"{NOT_ENOUGH}|{SITE_SIDE}").sum())
        lines.append(f"其中 {n} 对仅靠台站侧措施不足，我方将同时采取调整天线、降低功率、改用其他频段或迁移站址等措施。")
    lines += [f"费用：{text}。" for text in _bearers(result, part)]
    if "switch_on" in profile:
        lines.append(f"{profile['switch_on']['text_zh']}。{_in_service(part)}")
    dates = part["requested_on"].dropna()
    if len(dates):
        lines.append(f"本项协调已于 {dates.min():%Y-%m-%d} 发起，状态截至 {as_of:%Y-%m-%d}：{_states(part)}。")
    return lines


def _in_service(part: pd.DataFrame) -> str:
    """What is on air already cannot wait for the coordination; the others do."""
    stations = part.drop_duplicates("station_id")
    there, count = int(stations["on_air"].sum()), len(stations)
    if there == count:
        return "上述基站均已启用。"
    return f"上述基站中 {there} 个已启用，其余将在协调完成后启用。" if there else "上述基站将在协调完成后启用。"


def _states(part: pd.DataFrame) -> str:
    return "，".join(f"{schema.value_label(k)} {n} 对" for k, n in part["status"].value_counts().sort_index().items())


def _bearers(result: Result, part: pd.DataFrame) -> list[str]:
    """The rules on costs that hold for this user's stations."""
    from lcsiting.coordination.measures import who_pays
    from lcsiting.coordination.profile import load_tables

    project = result.project
    tables = load_tables(project.config.coordination.profile, project.root / "rules")
    layer = project.layers["protected_stations"]
    mine = layer[layer["station_id"].isin(set(part["protected_id"]))]
    texts = [who_pays(tables, r["class"], r["rx_low_mhz"], r["rx_high_mhz"]).text for _, r in mine.iterrows()]
    return list(dict.fromkeys(texts))


def _profile(result: Result) -> dict[str, Any]:
    return rules.load(result.project.config.coordination.profile, result.project.root / "rules")


def _authority(result: Result) -> str:
    return str(_profile(result).get("letters", {}).get("authority_zh", AUTHORITY))


def _unverified(result: Result, part: pd.DataFrame) -> list[str]:
    """Which numbers no public source confirms, and which defaults decided."""
    rows = {key: row for key, row in _profile(result).items() if not row["verified"]}
    names = {"radius": "协调距离", "criterion": "干扰准则", "measure": "措施效果与费用", "site": "基站侧措施效果与费用"}
    kinds = {names.get(key.split("_")[0], "计算参数") for key in rows}
    out = []
    pairs = int((~part["verified"].astype(bool)).sum())
    if pairs:
        text = (
            f"本函 {len(part)} 对中有 {pairs} 对的结论依据未经核实的数值（{'、'.join(sorted(kinds))}），"
            "最终以266号办法附件和主管部门意见为准。"
        )
        out.append(text)
    used = sorted({item for text in part["defaults"].astype(str) for item in text.split(";") if item})
    if used:
        named = word("defaults", ";".join(used), "zh", result.project.root)
        out.append(f"台站资料中缺少、按缺省值计算的项目：{named}。请贵单位补充。")
    if not bool(part["calendar_known"].all()):
        out.append("确认期限所在年份的节假日安排尚未公布，期限可能变动。")
    notice = result.project.config.project.notice
    return [*out, *([notice] if notice else [])] or ["无。"]


def _records(result: Result, part: pd.DataFrame) -> pd.DataFrame:
    """The user's stations as recorded."""
    layer = result.project.layers["protected_stations"]
    mine = layer[layer["station_id"].isin(set(part["protected_id"]))]
    columns = schema.layer("protected_stations").columns
    out = {}
    for name in RECORD_COLUMNS:
        values = mine[name] if name in mine else pd.Series([None] * len(mine))
        if columns[name].dtype == "date":
            texts = ["" if pd.isna(v) else f"{pd.Timestamp(v):%Y-%m-%d}" for v in values]
        elif columns[name].dtype == "float":
            texts = ["" if pd.isna(v) else f"{float(v):g}" for v in values]
        else:
            texts = ["" if pd.isna(v) else plain(schema.value_label(str(v))) for v in values]
        out[columns[name].label()] = texts
    return pd.DataFrame(out)


# ---------------------------------------------------------------- docx


def _properties(document: Any, operator: str, unit: str, as_of: Any) -> None:
    """No author, no clock: the same letter for the same inputs."""
    import datetime

    stamp = datetime.datetime(as_of.year, as_of.month, as_of.day)
    properties = document.core_properties
    properties.author, properties.last_modified_by = "lcsiting", "lcsiting"
    properties.title, properties.comments = f"干扰协调函：{operator}致{unit or UNKNOWN_USER}", ""
    properties.created = properties.modified = stamp


def _fonts(document: Any) -> None:
    """Chinese fonts in every style used: Word takes them from w:eastAsia, not from the Latin name."""
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt, RGBColor

    sizes = {"Normal": 11, "Body Text": 11, "Title": 16, "Heading 2": 12, "Table Grid": 8}
    for name, size in sizes.items():
        style = document.styles[name]
        heading = name in ("Title", "Heading 2")
        style.font.name, style.font.size, style.font.color.rgb = FONT, Pt(size), RGBColor(0, 0, 0)
        style.font.bold = False  # 黑体 is what makes a heading; only its Latin letters would become bold
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for key in [key for key in fonts.attrib if key.endswith("Theme")]:
            del fonts.attrib[key]
        fonts.set(qn("w:eastAsia"), HEADING_FONT if heading else EAST_ASIA_FONT)
        fonts.set(qn("w:hAnsi"), FONT)
    title = document.styles["Title"].element.get_or_add_pPr()
    for border in title.findall(qn("w:pBdr")):  # the template rules a blue line below it
        title.remove(border)
    body = document.styles["Body Text"].paragraph_format
    body.first_line_indent, body.space_after, body.line_spacing = Cm(0.78), Pt(3), 1.25


def _add_table(document: Any, title: str, table: pd.DataFrame, widths_cm: tuple[float, ...]) -> None:
    """A heading and a grid; the header row repeats on every page."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Cm

    document.add_heading(title, level=2)
    grid = document.add_table(rows=1 + len(table), cols=len(table.columns), style="Table Grid")
    grid.autofit = False
    texts = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    size = document.styles["Table Grid"].font.size
    for column, width in zip(grid.columns, widths_cm, strict=True):
        column.width = Cm(width)
    for k, (row, values) in enumerate(zip(grid.rows, texts, strict=True)):
        for cell, value, width in zip(row.cells, values, widths_cm, strict=True):
            cell.width = Cm(width)
            cell.paragraphs[0].add_run(str(value)).font.size = size
        for tag in ("w:cantSplit", *(("w:tblHeader",) if k == 0 else ())):
            mark = OxmlElement(tag)
            mark.set(qn("w:val"), "true")
            row._tr.get_or_add_trPr().append(mark)
