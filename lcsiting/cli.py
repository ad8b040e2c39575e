"""The command line: thin verbs over the public functions.

Exit codes: 0 ok, 1 problems in the data, 2 usage.
"""

import os
import shutil
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import click

import lcsiting as lc
from lcsiting import schema
from lcsiting.errors import LcsitingError
from lcsiting.exporters import FORMATS
from lcsiting.exporters.tables import is_formula
from lcsiting.inputs.demo import demo_path

DEFAULT_FORMATS = ("html", "shp", "gpkg", "tif", "xlsx", "csv")

lang_option = click.option(
    "--lang", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="输出语言 / language"
)
quiet_option = click.option("--quiet", is_flag=True, help="只报告错误 / errors only")
overwrite_option = click.option("--overwrite", is_flag=True, help="允许覆盖已有输出 / replace earlier output")
format_option = click.option(
    "--format",
    "formats",
    multiple=True,
    help=(
        f"输出格式，可重复 / may be repeated: {', '.join(DEFAULT_FORMATS)}; "
        f"须点名 / only when named: {', '.join(name for name in FORMATS if name not in DEFAULT_FORMATS)}"
    ),
)


class _Group(click.Group):
    """Turns the package's own errors into one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LcsitingError as error:
            click.echo(f"错误 / error: {error}", err=True)
            sys.exit(1)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as one line for a planner, without the place in the source."""
    click.echo(f"提示 / note: {message}", err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(lc.__version__, prog_name="lcsiting")
def main() -> None:
    """5G 基站站址规划：覆盖、干扰协调、排序与成果输出。

    5G base-station siting plans: coverage, coordination, ranking, delivery.
    """
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def new(folder: Path) -> None:
    """新建项目：把演示城市复制到 FOLDER，立即可运行，再逐个替换图层。

    Start a project as a copy of the demo city; it runs at once.
    """
    if folder.exists() and any(folder.iterdir()):
        raise LcsitingError(f"{folder}: 目录非空，不予覆盖 / folder is not empty")
    shutil.copytree(demo_path().parent, folder, dirs_exist_ok=True)
    click.echo(f"已建立 / created: {folder / 'project.toml'}")
    click.echo(f"下一步 / next: lcsiting check {folder} && lcsiting run {folder} --out {folder / 'out'}")


def _project_file(path: Path) -> Path:
    return path / "project.toml" if path.is_dir() else path


@main.command()
@click.argument("project", type=click.Path(path_type=Path))
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), help="另存问题清单 / also write the list")
@lang_option
@quiet_option
def check(project: Path, csv_path: Path | None, lang: str, quiet: bool) -> None:
    """检查数据：逐条列出问题、所在文件与行、处理办法。

    List every problem of the input with file, row and remedy.
    """
    problems = lc.check(_project_file(project))
    labels = schema.labels("problems", lang)
    if csv_path:
        table = problems.assign(severity=[schema.value_label(v, lang) for v in problems["severity"]])
        table.rename(columns=labels).to_csv(csv_path, index=False, encoding="utf-8-sig")
    for row in problems.itertuples():
        if quiet and row.severity != "error":
            continue
        where = " · ".join(
            str(part) for part in (row.layer, row.file, row.row, row.field) if str(part) not in ("", "nan")
        )
        remedy = f" → {row.fix}" if row.fix else ""
        click.echo(f"[{schema.value_label(row.severity, lang)}] {where}: {row.problem}{remedy}")
    counts = problems["severity"].value_counts()
    numbers = "，".join(f"{schema.value_label(k, lang)} {counts.get(k, 0)}" for k in ("error", "warning", "info"))
    click.echo(numbers)
    if counts.get("error", 0):
        sys.exit(1)


def _run(project_file: Path, out: Path, formats: tuple[str, ...], lang: str, quiet: bool, overwrite: bool) -> None:
    from lcsiting.exporters.text import summary_text

    folder = out / "result"
    if folder.exists() and not overwrite:
        raise LcsitingError(f"{folder}: 已存在，换一个 --out 或加 --overwrite / exists; add --overwrite")
    project = lc.open_project(project_file)
    if not quiet:
        _report_problems(project.problems, lang)
    progress = not quiet and sys.stderr.isatty()
    result = lc.run(project, progress=progress)
    lc.save(result, folder, overwrite=overwrite)
    chosen = formats or DEFAULT_FORMATS
    written = lc.export(result, out, formats=chosen, lang=lang, overwrite=overwrite, progress=progress)
    if not quiet:
        click.echo(summary_text(result, lang))
        click.echo("输出文件 / files:")
        click.echo(f"  {folder}{os.sep}")
        _list_files(out, written)


def _list_files(out: Path, written: list[Path]) -> None:
    """Files of the output folder; a subfolder as one line with its number of files."""
    tops = Counter(path.relative_to(out).parts[0] for path in written)
    for name, count in tops.items():
        more = f"{os.sep} ({count} 个文件 / files)" if (out / name).is_dir() else ""
        click.echo(f"  {out / name}{more}")


def _report_problems(problems: Any, lang: str) -> None:
    counts = problems["severity"].value_counts()
    if len(counts):
        numbers = "，".join(f"{schema.value_label(k, lang)} {n}" for k, n in counts.items())
        click.echo(f"数据问题 / problems: {numbers}（lcsiting check 查看明细）")


@main.command()
@click.argument("project", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="输出目录 / output folder")
@format_option
@lang_option
@quiet_option
@overwrite_option
def run(project: Path, out: Path, formats: tuple[str, ...], lang: str, quiet: bool, overwrite: bool) -> None:
    """完成主要工作：评价、协调、筛查、排序、覆盖预测，并输出成果。

    The whole job, from the project file to the files of the plan.
    """
    _run(_project_file(project), out, formats, lang, quiet, overwrite)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("lcsiting-demo"), show_default=True)
@format_option
@lang_option
@quiet_option
@overwrite_option
def demo(out: Path, formats: tuple[str, ...], lang: str, quiet: bool, overwrite: bool) -> None:
    """在演示城市（聊城，演示数据）上运行全部流程。

    Run everything on the demo city.
    """
    _run(demo_path(), out, formats, lang, quiet, overwrite)


@main.command()
@click.argument("result_dir", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="输出目录 / output folder")
@format_option
@lang_option
@overwrite_option
def export(result_dir: Path, out: Path, formats: tuple[str, ...], lang: str, overwrite: bool) -> None:
    """从已保存的结果再次输出成果。

    Write files again from a saved result.
    """
    result = lc.open_result(_result_folder(result_dir))
    _list_files(out, lc.export(result, out, formats=formats or DEFAULT_FORMATS, lang=lang, overwrite=overwrite))


def _result_folder(path: Path) -> Path:
    """The saved result in an output folder, or the folder itself."""
    return path / "result" if (path / "result" / "result.json").is_file() else path


@main.command()
@click.argument("before", metavar="A", type=click.Path(path_type=Path))
@click.argument("after", metavar="B", type=click.Path(path_type=Path))
@click.option("--date", help="B 为竣工表时的核对日期 / day to look at when B is an as-built table")
@click.option("--out", type=click.Path(path_type=Path), help="另存为 CSV 的目录 / also write CSV files here")
@lang_option
@overwrite_option
def compare(before: Path, after: Path, date: str | None, out: Path | None, lang: str, overwrite: bool) -> None:
    """比较两个方案，或方案与竣工表：新进、退出、移位，分县覆盖前后对照。

    Two saved results, or a result and an as-built table (CSV, Excel).
    """
    found = lc.compare(_result_folder(before), _result_folder(after), date=date)
    for name, count in found["changes"]["change"].value_counts(sort=False).items():
        click.echo(f"{schema.value_label(name, lang)}: {count}")
    counties = found["county_changes"]
    for row in counties[counties["network"] == "all"].itertuples():
        click.echo(
            f"{row.year} {row.county} {schema.value_label(row.service, lang)}: "
            f"{row.people_share_a:.1%} → {row.people_share_b:.1%}"
        )
    if out:
        _write_tables(found, out, lang, overwrite)


@main.command()
@click.argument("result_dir", metavar="RESULT", type=click.Path(path_type=Path))
@click.option("--polygon", type=click.Path(path_type=Path), required=True, help="拆除范围(矢量文件) / demolition")
@click.option("--date", required=True, help="拆除日期 / removal date, e.g. 2021-06-30")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="CSV 输出目录 / output folder")
@lang_option
@overwrite_option
def relocate(result_dir: Path, polygon: Path, date: str, out: Path, lang: str, overwrite: bool) -> None:
    """先建后拆：受影响基站、覆盖损失、备选站址排序、拆除前核查。

    What a demolition takes off the air, what replaces it, and whether that comes first.
    """
    import geopandas as gpd

    if not polygon.exists():
        raise LcsitingError(f"{polygon}: 找不到文件 / no such file")
    result = lc.open_result(_result_folder(result_dir))
    found = lc.relocate(
        result.project, _cover(result), result.plan, gpd.read_file(polygon), date, resources=result.resources
    )
    _write_tables(found, out, lang, overwrite)
    for row in found["relocation_check"].itertuples():
        click.echo(f"{'✓' if row.passed else '✗'} {row.check}: {row.value} ({row.limit})")


@main.command()
@click.argument("project", type=click.Path(path_type=Path))
@click.argument("stations", type=click.Path(path_type=Path))
@click.option(
    "--datum", type=click.Choice(["cgcs2000", "wgs84", "gcj02", "bd09"]), help="经纬度表的基准 / of longitude, latitude"
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="CSV 输出目录 / output folder")
@lang_option
@overwrite_option
def application(project: Path, stations: Path, datum: str | None, out: Path, lang: str, overwrite: bool) -> None:
    """新申请的地球站(STATIONS 文件)对现网 5G 基站：须与谁协调、自身须采取的措施(后用让先用)。

    Newly applied earth stations against the base stations on air.
    """
    found = lc.assess_application(lc.open_project(_project_file(project)), stations, lang=lang, datum=datum)
    tables = {"verdicts": found.verdicts, "coordination_list": found.pairs, "remedies": found.stations}
    _write_tables(tables, out, lang, overwrite)
    for row in found.stations.itertuples():
        pairs = int((found.pairs["protected_id"] == row.protected_id).sum())
        more = f"，{row.measures}" if row.measures else ""
        click.echo(
            f"{row.protected_id} {row.protected_name}: {schema.value_label(row.outcome, lang)}{more}"
            f"，需协调 {pairs} 项 / to coordinate: {pairs}"
        )


def _cover(result: Any) -> Any:
    """The cover a saved plan was made from; built again where an earlier version saved none."""
    return result.cover if result.cover is not None else lc.cover(result.project, result.eligible)


@main.command()
@click.argument("result_dir", metavar="RESULT", type=click.Path(path_type=Path))
@click.argument("places", metavar="PLACE...", nargs=-1, required=True)
@click.option("--reason", default="", help="原因，写入未入选清单 / why they fell through")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="CSV 输出目录 / output folder")
@lang_option
@overwrite_option
def replace(result_dir: Path, places: tuple[str, ...], reason: str, out: Path, lang: str, overwrite: bool) -> None:
    """站址落空：只换这几处，其余基站的站址、年份、排名不变；协调预算与各项约束照旧。

    Swap failed places (ids); the rest of the plan stays, and so does every budget and quota.
    """
    from lcsiting.siting.replace import replacements

    result = lc.open_result(_result_folder(result_dir))
    project, cover, plan = result.project, _cover(result), result.plan
    after = lc.replace(
        project, cover, plan, places, eligible=result.eligible, verdicts=result.verdicts, resources=result.resources,
        reason=reason,
    )  # fmt: skip
    swaps = replacements(project, cover, plan, after)
    _write_tables({"replacements": swaps, "stations": after.stations.drop(columns="geometry")}, out, lang, overwrite)
    text = (
        "{failed_id} → {substitute_id} {substitute_name}：相距 {distance_m:.0f} m，净损失 {loss_people:.0f} 人、"
        "{loss_area_km2:.2f} km²"
        if lang == "zh"
        else "{failed_id} → {substitute_id} {substitute_name}: {distance_m:.0f} m away, net loss {loss_people:.0f} "
        "people, {loss_area_km2:.2f} km²"
    )
    for row in swaps.to_dict("records"):
        click.echo(text.format(**row))


@main.command()
@click.argument("result_dir", metavar="RESULT", type=click.Path(path_type=Path))
@click.argument("places", metavar="PLACE...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), help="另存为 CSV 的目录 / also write CSV files here")
@lang_option
@overwrite_option
def explain(result_dir: Path, places: tuple[str, ...], out: Path | None, lang: str, overwrite: bool) -> None:
    """逐站说明：为何入选、缺它失多少、谁可替代；为何未入选或延后、需求由谁承接。

    Why places (ids) are in the plan, or not, or late; who could stand in.
    """
    from lcsiting.siting.explain import TABLES, describe

    result = lc.open_result(_result_folder(result_dir))
    tables = {name: result.tables[name] for name in TABLES if name in result.tables}
    if len(tables) < len(TABLES):
        tables = lc.explain(result.project, _cover(result), result.plan)
    known, on_air = set(result.project.places["place_id"]), set(result.plan.stations["place_id"])
    for place in places:
        nothing = "现网在用，无规划基站" if lang == "zh" else "on air, nothing planned"
        nobody = "没有这个站址编号" if lang == "zh" else "no such place"
        text = describe(tables, place, lang) or (nothing if place in on_air & known else nobody)
        click.echo(f"{place}\n" + "\n".join(f"  {line}" for line in text.splitlines()))
    if out:
        told = {name: table[table["place_id"].isin(places)] for name, table in tables.items()}
        _write_tables(told, out, lang, overwrite)
    if set(places) - known:
        sys.exit(1)


def _write_tables(tables: dict[str, Any], out: Path, lang: str, overwrite: bool) -> None:
    """Schema tables as CSV files with headers for people; refuses to clobber before anything is written."""
    there = [str(out / f"{name}.csv") for name in tables if (out / f"{name}.csv").exists()]
    if there and not overwrite:
        raise LcsitingError(f"{there[0]}: 已存在，加 --overwrite / exists; add --overwrite")
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        shown = table.map(lambda value: schema.value_label(value, lang)).rename(columns=schema.labels(name, lang))
        for column in shown.select_dtypes(exclude="number").columns:
            shown[column] = [f"'{v}" if is_formula(v) else v for v in shown[column]]
        part = out / f".part-{name}.csv"
        shown.to_csv(part, index=False, encoding="utf-8-sig")
        part.replace(out / f"{name}.csv")
        click.echo(f"  {out / name}.csv")


@main.command()
def doctor() -> None:
    """检查本机环境：依赖、GDAL 驱动、缓存目录、演示数据。

    Check this machine.
    """
    from lcsiting.doctor import machine_rows

    rows = machine_rows()
    for ok, what, remedy in rows:
        click.echo(f"{'✓' if ok else '✗'} {what}" + ("" if ok else f" → {remedy}"))
    if not all(ok for ok, _, _ in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
