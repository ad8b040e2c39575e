"""``plan.xlsx``: the plan as sheets a planner can filter, written as a stream."""

import re
from collections.abc import Iterable
from math import ceil
from pathlib import Path
from typing import Any

import pandas as pd

from lcsiting import schema
from lcsiting.exporters import caveats, proof, style, tables
from lcsiting.model import Result

MAX_ROWS = {"verdicts": 20_000, "problems": 20_000, "why_chosen": 10_000, "why_not": 5_000, "station_load": 10_000,
            "coordination_list": 20_000, "remedy_modes": 20_000}  # fmt: skip
EXCEL_ROWS = 1_048_000
WIDTHS = (6, 40)
A4, A3 = 9, 8  # paper sizes, ECMA-376 18.3.1.63
A4_WIDTH, A3_WIDTH = 180, 260  # characters of a landscape page that can still be read
SHARES = ("share", "_share")
SHEETS = {
    "phases": ("汇总", "Summary"),
    "certificate": ("最优性证书", "Certificate"),
    "limits": ("数量与覆盖约束", "Limits"),
    "counties": ("分县指标", "By county"),
    "statistics": ("覆盖统计", "Coverage"),
    "reach": ("通达率", "Reach"),
    "stations": ("规划基站", "Stations"),
    "places": ("规划站址", "Places"),
    "refused": ("未入选原因汇总", "Refused by reason"),
    "why_chosen": ("入选说明", "Why chosen"),
    "why_not": ("未入选与延后", "Why not, or late"),
    "demands": ("需求落实", "Demands"),
    "station_quality": ("网络质量", "Network quality"),
    "refined_sectors": ("天线优化", "Refined antennas"),
    "refined_services": ("天线优化前后覆盖", "Refinement by service"),
    "indoor_buildings": ("室内分布清单", "Indoor list"),
    "micro_forecast": ("微站预测", "Micro forecast"),
    "station_load": ("忙时容量", "Busy-hour load"),
    "coordination_list": ("协调清单(按运营商×频段)", "Coordination list"),
    "broken_budgets": ("现网已超限的预算", "Broken budgets"),
    "needs": ("所需衰减", "Attenuation needed"),
    "budgets": ("集总干扰预算", "Aggregate budgets"),
    "remedies": ("协调措施方案", "Measures"),
    "remedy_modes": ("基站侧措施", "Base-station measures"),
    "verdicts": ("协调结论", "Verdicts"),
    "link_budget": ("链路预算", "Link budget"),
    "problems": ("数据问题", "Data problems"),
    "fields": ("字段说明", "Fields"),
}

NOTE_WIDTH = 120  # characters of Latin width
CHINESE_TEXTS = "Reasons (Stations, Refused), measures and remedies are sentences written in Chinese in every language."


SCENARIO = ("network", "band", "morphology", "service")


def _pick(pair: tuple[str, str], lang: str) -> str:
    return pair[0 if lang == "zh" else 1]


class _Sheet:
    """One streaming sheet: styles are made once, rows are appended."""

    def __init__(self, book: Any, title: str) -> None:
        from openpyxl.styles import Alignment, Font, PatternFill

        self.sheet = book.create_sheet(title)
        self.header = {
            "font": Font(bold=True),
            "fill": PatternFill("solid", fgColor="DCE6F1"),
            "alignment": Alignment(vertical="center", wrap_text=True),
        }

    def _cell(self, value: Any, **look: Any) -> Any:
        from openpyxl.cell import WriteOnlyCell

        cell = WriteOnlyCell(self.sheet, value)
        for name, setting in look.items():
            setattr(cell, name, setting)
        if tables.is_formula(value):  # text, whatever it begins with
            cell.data_type = "s"
        return cell

    def note(self, text: str) -> None:
        self.sheet.append([self._text(tables.plain(text))])

    def _text(self, value: Any) -> Any:
        return self._cell(value, quotePrefix=True) if tables.is_formula(value) else value

    def widths(self, columns: list[int]) -> None:
        from openpyxl.utils import get_column_letter

        low, high = WIDTHS
        shown = [min(max(width + 2, low), high) for width in columns]
        for i, width in enumerate(shown, start=1):
            self.sheet.column_dimensions[get_column_letter(i)].width = width
        self._print(sum(shown))

    def _print(self, width: float) -> None:
        """Landscape, as few pages wide as can be read: one of A4, or of A3, or several."""
        from openpyxl.worksheet.properties import PageSetupProperties

        self.sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        setup = self.sheet.page_setup
        setup.orientation, setup.fitToWidth, setup.fitToHeight = "landscape", ceil(width / A3_WIDTH), 0
        setup.paperSize = A4 if width <= A4_WIDTH else A3
        self.sheet.oddFooter.center.text = "&A  &P / &N"

    def table(self, frame: pd.DataFrame, headers: list[str], first_row: int, notes: Iterable[str] = ()) -> None:
        """Notes, a frozen header with filter, then the rows. Widths come from the first rows."""
        from openpyxl.utils import get_column_letter

        columns = [[tables.plain(v) for v in frame[name].astype(object).tolist()] for name in frame.columns]
        self.widths(
            [
                max(tables.text_width(header), *(tables.text_width(v) for v in values[:200]), 0)
                for header, values in zip(headers, columns, strict=True)
            ]
        )
        self.sheet.freeze_panes = f"A{first_row + 1}"
        self.sheet.print_title_rows = f"{first_row}:{first_row}"
        for text in notes:
            self.note(text)
        self.sheet.append([self._cell(tables.plain(h), **self.header) for h in headers])
        for i, name in enumerate(frame.columns):
            if str(name).endswith(SHARES):
                columns[i] = [None if v is None else self._cell(v, number_format="0.0%") for v in columns[i]]
            elif frame[name].dtype.kind not in "ifb":
                columns[i] = [self._text(v) for v in columns[i]]
        for row in zip(*columns, strict=True):
            self.sheet.append(row)
        last = get_column_letter(max(1, len(headers)))
        self.sheet.auto_filter.ref = f"A{first_row}:{last}{first_row + len(frame)}"


def _lines(note: str) -> list[str]:
    """A note in rows a page is wide, broken behind its commas; a long list in one cell would shrink the print."""
    lines = [""] if note else []
    for part in re.split(r"(?<=[、，；,;])", note) if note else []:
        if lines[-1] and tables.text_width(lines[-1] + part) > NOTE_WIDTH:
            lines.append("    ")
        lines[-1] += part
    return lines


def _add(book: Any, result: Result, name: str, frame: pd.DataFrame, lang: str) -> None:
    """A schema table as a sheet, with a note where rows are left to the GeoPackage."""
    cap = MAX_ROWS.get(name, EXCEL_ROWS)
    shown = tables.yes_no(tables.rounded(tables.translated(frame.head(cap), name, result, lang)), lang)
    labels = schema.labels(name, lang)
    notes = [style.notice(result, lang)]
    if name == "phases":
        notes += caveats.lines(result, lang)
    if name == "certificate":
        notes += proof.certificate_lines(result, lang)
    if name == "limits":
        notes += proof.limit_lines(result, lang)[:1]
    if len(frame) > cap:
        notes.append(
            f"共 {len(frame)} 行,此处列出前 {cap} 行;全部见 plan.gpkg 的 {name} 图层。"
            if lang == "zh"
            else f"{len(frame)} rows, the first {cap} here; all of them in layer {name} of plan.gpkg."
        )
    notes = [line for note in notes for line in _lines(note)]
    sheet = _Sheet(book, _pick(SHEETS[name], lang))
    sheet.table(shown, [labels[column] for column in shown.columns], len(notes) + 1, notes)


def _refused(book: Any, result: Result, lang: str) -> None:
    frame = tables.refused_counts(result, lang)
    headers = ["规则", "基站(个)", "站址(处)", "示例"] if lang == "zh" else ["Rule", "Stations", "Places", "Example"]
    total = len(result.plan.refused)
    note = (
        f"共 {total} 个基站未入选;逐个原因见 refused.csv 与 plan.gpkg 的 refused 图层。"
        if lang == "zh"
        else f"{total} stations refused; every one with its reason in refused.csv and layer refused of plan.gpkg."
    )
    notes = [text for text in (style.notice(result, lang), note) if text]
    _Sheet(book, _pick(SHEETS["refused"], lang)).table(frame, headers, len(notes) + 1, notes)


def link_budget_rows(result: Result, lang: str = "zh") -> pd.DataFrame:
    """The link budgets as planners show them: an item a row, a scenario a column."""
    frame = tables.translated(result.tables["link_budget"], "link_budget", result, lang)
    labels = schema.labels("link_budget", lang)
    items = [name for name in frame.columns if name not in SCENARIO]
    out: dict[str, list[Any]] = {"项目" if lang == "zh" else "Item": [labels[name] for name in items]}
    for row in frame.to_dict("records"):
        title = " · ".join(str(row[name]) for name in SCENARIO)
        out[title] = [round(v, 2) if isinstance(v := row[name], float) else v for name in items]
    return pd.DataFrame(out, dtype=object)


def _link_budget(book: Any, result: Result, lang: str) -> None:
    frame = link_budget_rows(result, lang)
    note = (
        "宏站主瓣方向;未经核实的功率、增益与损耗缺省值见规则表,可在项目 rules/ 中覆盖。"
        if lang == "zh"
        else "Macro stations, main beam; unverified default powers, gains and losses are rows of the rule tables."
    )
    notes = [text for text in (style.notice(result, lang), note) if text]
    _Sheet(book, _pick(SHEETS["link_budget"], lang)).table(frame, list(frame.columns), len(notes) + 1, notes)


def field_dictionary(names: Iterable[str], lang: str = "zh") -> pd.DataFrame:
    """Every column of the named schema tables: sheet, header, internal and shapefile name, unit, type."""
    rows = []
    for name in names:
        table = schema.table(name)
        rows += [
            (table.label(lang), column.label(lang), column.name, column.shp, column.unit, column.dtype)
            for column in table.columns.values()
        ]
    return pd.DataFrame(rows, columns=["table", "label", "name", "shp", "unit", "dtype"])


def write_workbook(result: Result, path: Path, lang: str = "zh") -> None:
    """Write the workbook.

    Sheets: phases, the certificate and the limits where there are any,
    counties, coverage statistics, reach, all stations, all places, refused by
    reason, why each station is in or not (and who could stand in), the indoor list, the micro forecast
    and the busy-hour load where they were made, the coordination list by operator and band with status
    and deadlines, the attenuation each protected station needs, the plan against the budgets of every phase, the
    measures where they were solved,
    verdicts that need settling, link budgets, data
    problems, field dictionary. The lists in ``MAX_ROWS``
    stop there and say where the rest is. Texts are never run as formulas.

    Parameters
    ----------
    result : Result
        What a run made.
    path : Path
        Target file.
    lang : str
        ``zh`` or ``en``.
    """
    from openpyxl import Workbook

    plan = result.plan
    book = Workbook(write_only=True)
    coverages = [result.coverages[year] for year in sorted(result.coverages)]
    statistics = pd.concat([result.today.statistics, *(c.statistics for c in coverages)], ignore_index=True)
    reach = pd.concat([result.today.reach, *(c.reach for c in coverages)], ignore_index=True)
    _add(book, result, "phases", plan.phases, lang)
    for name, table in proof.tables(result).items():
        _add(book, result, name, table, lang)
    _add(book, result, "counties", plan.counties, lang)
    _add(book, result, "statistics", statistics, lang)
    _add(book, result, "reach", reach, lang)
    _add(book, result, "stations", plan.stations, lang)
    _add(book, result, "places", plan.places, lang)
    _refused(book, result, lang)
    further = result.tables if result.budgets is None else {**result.tables, "budgets": result.budgets}
    for name in SHEETS:
        if name in further and name != "link_budget":
            _add(book, result, name, further[name], lang)
    _add(book, result, "verdicts", tables.verdicts_to_settle(result), lang)
    if "link_budget" in result.tables:
        _link_budget(book, result, lang)
    _add(book, result, "problems", result.project.problems, lang)
    fields = field_dictionary([n for n in (*SHEETS, "substitutes") if n != "fields"], lang)
    headers = (
        ["表", "字段", "内部名", "shp 字段名", "单位", "类型"]
        if lang == "zh"
        else ["Table", "Column", "Internal name", "Shapefile name", "Unit", "Type"]
    )
    notes = [] if lang == "zh" else [CHINESE_TEXTS]
    _Sheet(book, _pick(SHEETS["fields"], lang)).table(fields, headers, len(notes) + 1, notes)
    book.save(path)
