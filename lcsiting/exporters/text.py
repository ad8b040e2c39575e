"""A result in a few lines: what the command line prints and what a planner quotes."""

from pathlib import Path
from typing import Any

from lcsiting import rules, schema
from lcsiting.exporters import caveats, proof
from lcsiting.exporters.tables import plain, word
from lcsiting.model import Result
from lcsiting.rules.modes import mode_label

NEEDS = 10  # needs told in the text; all of them are in the tables
SHOWN_LEVELS = ("city", "urban", "county_seat", "town", "park")
TEXTS = {
    "zh": {
        "title": "{name}：规划结果摘要",
        "hosts": "站址资源：{hosts}",
        "phases": "分期目标与规模",
        "phase": "  {year} 年（目标 {target} {unit}）：基站 {stations} 个、站址 {places} 处，"
        "共享率 {sharing} 个/处，利旧率 {reuse}，每万人 {per10k} 个，加权覆盖率 {cover}{short}",
        "short": "【未达目标】",
        "coverage": "覆盖率（室外/室内，面积·人口，任一网络）",
        "check": "全市人口覆盖率：精细栅格 / 需求栅格",
        "reach": "通达率",
        "demands": "需求落实（条）：{items}",
        "grades": "目标等级",
        "grade": "  {year} {area} {grade}（{network}）：{items}",
        "refused": "未入选（按原因，个）：{items}",
        "coordination": "干扰协调（入选基站）：{items}",
        "needs": "不加限制的规划在受保护台站处所需衰减（需要的 {n} 个台站，从大到小）：{items}{more}",
        "need": "{station} {mechanism} {needed:.1f} dB{unverified}",
        "more": "；其余 {n} 个台站见表 needs",
        "others": "；另有 {n} 种",
        "unverified": "(依据未核实)",
        "remedies": "协调措施：{items}；台站侧费用 {station_cost:.2f}，基站侧费用 {site_cost:.2f}，"
        "调整基站 {changed} 个（其中取消或迁移 {dropped} 个），损失覆盖折合 {lost:.1f} 个基站",
        "unmet": "  {station}：{outcome}；最优可行方案余量 {margin} dB，涉及基站损失覆盖折合 {lost:.1f} 个基站"
        "（其中 {shared:.1f} 个也为其他台站），限值每放宽 1 dB 的价值 {shadow}；费用承担：{bearer}",
        "unagreed": "注意：本方案计入了尚未商定的台站侧措施，否则下列台站集总预算被突破：{items}。"
        "商定后填入图层 station_measures；[coordination] remedies = false 只按已商定的措施排序",
        "in_modes": "按协调方式（非原规划天线）开通的基站 {n} 个：{items}；协调结论、覆盖与集总预算均按所选方式计算",
        "refined": "天线优化（排序之后）：质量最差的 {stations} 个规划站中调整 {changed} 个站、{sectors} 个扇区"
        "的方位角或下倾角，SINR 达标加权人口增加 {gain}；加权覆盖率 {shares}。"
        "排名、新增覆盖、忙时容量与证书按原天线计算，"
        "覆盖图与统计、协调结论与集总预算按优化后的天线计算",
        "nothing": "无数据",
        "flags": "超出传播模型适用条件、已计算并标记（{year} 年）：{items}",
    },
    "en": {
        "title": "{name}: summary of the plan",
        "hosts": "Hosts: {hosts}",
        "phases": "Phases",
        "phase": "  {year} (target {target} {unit}): {stations} stations on {places} places, "
        "{sharing} stations per place, reuse {reuse}, {per10k} per 10 000 people, weighted coverage {cover}{short}",
        "short": " [target not reached]",
        "coverage": "Coverage (outdoor/indoor, area · people, any network)",
        "check": "People covered in the city: fine raster / demand cells",
        "reach": "Reach",
        "demands": "Operators' demands: {items}",
        "grades": "Grades",
        "grade": "  {year} {area} {grade} ({network}): {items}",
        "refused": "Not chosen, by reason (stations): {items}",
        "coordination": "Coordination (chosen stations): {items}",
        "needs": "Attenuation the unrestricted plan needs ({n} protected stations, most first): {items}{more}",
        "need": "{station} {mechanism} {needed:.1f} dB{unverified}",
        "more": "; {n} more in table needs",
        "others": "; and {n} more",
        "unverified": " (unverified)",
        "remedies": "Measures: {items}; cost at the stations {station_cost:.2f}, at the base stations {site_cost:.2f}, "
        "{changed} base stations changed ({dropped} dropped or moved), coverage lost of {lost:.1f} base stations",
        "unmet": "  {station}: {outcome}; margin of the best feasible plan {margin} dB, coverage lost of "
        "{lost:.1f} base stations ({shared:.1f} of them for others too), worth of 1 dB {shadow}; who pays: {bearer}",
        "unagreed": "Note: the plan counts on measures at protected stations that nobody has agreed to yet; without "
        "them the budgets there would be exceeded: {items}. Once agreed, list them in layer station_measures; "
        "[coordination] remedies = false ranks by what is agreed alone",
        "in_modes": "{n} stations are put up in a mode other than as planned: {items}; verdicts, coverage and budgets "
        "are those of the modes",
        "refined": "Antennas refined after ranking: of the {stations} planned stations with the worst quality "
        "{changed} ({sectors} sectors) have another azimuth or tilt; weighted people with good SINR {gain} more; "
        "weighted coverage {shares}. Ranks, gains, busy-hour load and certificate rest on the recorded antennas; "
        "coverage maps and statistics, coordination verdicts and budgets on the refined ones",
        "nothing": "no data",
        "flags": "Computed outside what the path-loss models state, and flagged ({year}): {items}",
    },
}


def _said(value: Any, form: str, text: dict[str, str]) -> str:
    """A number in words; what is missing is said, never shown as 0."""
    known = plain(value)
    return text["nothing"] if known is None else format(known, form)


def _phase_line(row: dict[str, Any], text: dict[str, str], lang: str) -> str:
    return text["phase"].format(
        year=row["year"],
        target=row["target"],
        unit=schema.value_label(row["unit"], lang),
        stations=row["stations"],
        places=row["places"],
        sharing=_said(row["sharing"], ".2f", text),
        reuse=_said(row["reuse_share"], ".1%", text),
        per10k=_said(row["stations_per_10k"], ".1f", text),
        cover=_said(row["covered_weight_share"], ".1%", text),
        short="" if row["reached"] else text["short"],
    )


def _share(rows: list[dict[str, Any]], part: str, whole: str) -> float | None:
    """Share of several areas together; None where there is nothing to cover."""
    known = [r for r in rows if plain(r[part]) is not None and plain(r[whole]) is not None]
    total = sum(r[whole] for r in known)
    return sum(r[part] for r in known) / total if total else None


def _coverage_lines(statistics: list[dict[str, Any]], text: dict[str, str], lang: str) -> list[str]:
    lines = []
    services = list(dict.fromkeys(row["service"] for row in statistics))
    for year in dict.fromkeys(row["year"] for row in statistics):
        for level in SHOWN_LEVELS:
            parts = []
            for service in services:
                rows = [
                    r
                    for r in statistics
                    if (r["year"], r["level"], r["service"], r["network"]) == (year, level, service, "all")
                ]
                if rows:
                    area = _said(_share(rows, "covered_area_km2", "area_km2"), ".1%", text)
                    people = _said(_share(rows, "covered_people", "people"), ".1%", text)
                    parts.append(f"{schema.value_label(service, lang)} {area} · {people}")
            if parts:
                lines.append(f"  {year} {schema.value_label(level, lang)}: {'，'.join(parts)}")
    return lines


def _check_lines(rows: list[dict[str, Any]], text: dict[str, str], lang: str) -> list[str]:
    return [
        f"  {r['year']} {r['network']} {schema.value_label(r['service'], lang)}: "
        f"{_said(r['people_share_raster'], '.1%', text)} / {_said(r['people_share_cells'], '.1%', text)}"
        for r in rows
    ]


def _reach_lines(reach: list[dict[str, Any]], lang: str) -> list[str]:
    lines = []
    for key in dict.fromkeys((row["year"], row["measure"]) for row in reach):
        rows = [r for r in reach if (r["year"], r["measure"]) == key and r["network"] == "all"]
        total, reached = (sum(plain(r[name]) or 0 for r in rows) for name in ("total", "reached"))
        if total:
            lines.append(f"  {key[0]} {schema.value_label(key[1], lang)}: {reached}/{total} = {reached / total:.1%}")
    return lines


MEASURES = {
    "outdoor_area_pct": ("室外面积", "outdoor area", "%"),
    "outdoor_people_pct": ("室外人口", "outdoor people", "%"),
    "indoor_people_pct": ("室内人口", "indoor people", "%"),
    "largest_part_pct": ("最大连片", "largest part", "%"),
    "largest_hole_km2": ("最大空洞", "largest hole", " km²"),
    "village_reach_pct": ("行政村通达", "village reach", "%"),
}


def _graded(row: dict[str, Any], text: dict[str, str], lang: str) -> str:
    """One measure of a grade: figure, requirement and a mark; no mark where there is no figure."""
    zh, en, unit = MEASURES[row["measure"]]
    relation = "≤" if row["measure"] == "largest_hole_km2" else "≥"
    required = f"({relation} {row['required']:g}{unit})"
    label = zh if lang == "zh" else en
    if plain(row["value"]) is None:
        return f"{label} {text['nothing']} {required}"
    return f"{label} {row['value']:.1f}{unit} {required} {'✓' if row['reached'] else '✗'}"


def _grade_lines(rows: list[dict[str, Any]], text: dict[str, str], lang: str, root: Path) -> list[str]:
    grades = rules.load("grades", root / "rules")
    lines = []
    for key in dict.fromkeys((r["year"], r["area"], r["grade"], r["network"]) for r in rows):
        items = [_graded(r, text, lang) for r in rows if (r["year"], r["area"], r["grade"], r["network"]) == key]
        names = grades.get(key[2], {})  # a project's own grade need not have a name in both languages
        grade = names.get(f"name_{lang}") or names.get("name_zh") or key[2]
        line = text["grade"].format(year=key[0], area=key[1], grade=grade, network=key[3], items="，".join(items))
        lines.append(line)
    return lines


def _flag_line(flags: dict[str, dict[str, dict[str, int]]], text: dict[str, str], lang: str) -> list[str]:
    """What the last year's coverage computed outside the models' own conditions, if anything."""
    if not flags:
        return []
    year = max(flags)
    items = [
        f"{network} {schema.value_label(key, lang)} {n}"
        for network, counts in flags[year].items()
        for key, n in counts.items()
        if n
    ]
    return (
        [text["flags"].format(year=year, items="；".join(items) if lang == "zh" else "; ".join(items))] if items else []
    )


def _need_lines(result: Result, text: dict[str, str], lang: str) -> list[str]:
    """What the unrestricted plan needs, and what the measures give and cost."""
    needs = [row for row in result.summary.get("needs", []) if row["needed_db"] > 0]
    needs.sort(key=lambda row: -row["needed_db"])
    said = [
        text["need"].format(
            station=row["protected_id"],
            mechanism=schema.value_label(row["mechanism"], lang),
            needed=row["needed_db"],
            unverified="" if row["verified"] else text["unverified"],
        )
        for row in needs
    ]
    lines, joint = [], "；" if lang == "zh" else "; "
    if said:
        stations = len({row["protected_id"] for row in needs})
        left = len({row["protected_id"] for row in needs[NEEDS:]} - {row["protected_id"] for row in needs[:NEEDS]})
        more = text["more"].format(n=left) if left else ""
        lines.append(text["needs"].format(n=stations, items=joint.join(said[:NEEDS]), more=more))
    if totals := result.summary.get("remedy_totals"):
        items = "，".join(f"{schema.value_label(k, lang)} {n}" for k, n in result.summary["remedies"].items())
        lines.append(text["remedies"].format(items=items, **totals))
        rows = result.tables["remedies"].to_dict("records")
        lines += [_unmet_line(row, text, lang) for row in rows if row["outcome"] in ("broken", "curtailed")]
    return lines + _plan_lines(result, text, lang)


def _plan_lines(result: Result, text: dict[str, str], lang: str) -> list[str]:
    """What the plan itself does for the protected stations: modes, and measures it counts on before they are agreed."""
    lines, joint = [], "；" if lang == "zh" else "; "
    modes, budgets = result.summary.get("modes", {}), result.summary.get("budgets", [])
    if modes:
        rows = rules.load(result.project.config.coordination.profile, result.project.root / "rules")
        named = [f"{mode_label(mode, rows, lang)} ×{n}" for mode, n in modes.items()]
        more = text["others"].format(n=len(named) - NEEDS) if len(named) > NEEDS else ""
        lines.append(text["in_modes"].format(n=sum(modes.values()), items=joint.join(named[:NEEDS]) + more))
    first: dict[str, int] = {}
    for row in budgets:
        if row.get("unagreed") and row["binding"]:
            first.setdefault(row["protected_id"], row["phase_year"])
    if first:
        taken = result.tables["remedies"].set_index("protected_id")["measures"]
        items = [f"{name} {taken[name]}({year})" for name, year in first.items()]
        lines.append(text["unagreed"].format(items=joint.join(items)))
    return lines


def _unmet_line(row: dict[str, Any], text: dict[str, str], lang: str) -> str:
    """A protected station that measures alone do not clear."""
    pair = lambda name, form: " / ".join(  # noqa: E731
        _said(row[f"{name}_{mechanism}_db"], form, text) for mechanism in ("long_term", "overload")
    )
    return text["unmet"].format(
        station=row["protected_id"],
        outcome=schema.value_label(row["outcome"], lang),
        margin=pair("margin", ".1f"),
        lost=row["lost"] + row["lost_shared"],
        shared=row["lost_shared"],
        shadow=pair("shadow", ".3g"),
        bearer=row["bearer"] or text["nothing"],
    )


def _refined_line(said: dict[str, Any] | None, text: dict[str, str]) -> list[str]:
    """What the refinement changed, and which figures follow it."""
    if not said:
        return []
    shares = ", ".join(
        f"{r['year']} {r['covered_weight_share_before']:.2%} → {r['covered_weight_share']:.2%}" for r in said["phases"]
    )
    names = {"stations": said["stations"], "changed": said["changed_stations"], "sectors": said["changed_sectors"]}
    return [text["refined"].format(**names, gain=f"{said['gain_weight']:.0f}", shares=shares)]


def summary_text(result: Result, lang: str = "zh") -> str:
    """The result in plain text.

    Parameters
    ----------
    result : Result
        A run's or an opened result.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    str
        Lines separated by newlines.
    """
    text, summary, root = TEXTS[lang], result.summary, result.project.root
    hosts = "，".join(f"{schema.value_label(k, lang)} {n}" for k, n in summary["hosts"].items())
    lines = [text["title"].format(name=summary["name"]), text["hosts"].format(hosts=hosts), text["phases"]]
    lines += [_phase_line(row, text, lang) for row in summary["phases"]]
    for group in (proof.certificate_lines(result, lang), proof.limit_lines(result, lang)):
        lines += [line if k == 0 else f"  {line}" for k, line in enumerate(group)]
    lines += [text["coverage"], *_coverage_lines(summary["statistics"], text, lang)]
    lines += [text["check"], *_check_lines(summary["coverage_check"], text, lang)]
    if reach := _reach_lines(summary["reach"], lang):
        lines += [text["reach"], *reach]
    if graded := _grade_lines(summary["grades"], text, lang, root):
        lines += [text["grades"], *graded]
    refused = "，".join(f"{word('rule', r['rule'], lang, root)} {r['stations']}" for r in summary["refused"])
    lines.append(text["refused"].format(items=refused or "0"))
    if fates := summary.get("demands"):
        items = "，".join(f"{schema.value_label(k, lang)} {n}" for k, n in fates.items())
        lines.append(text["demands"].format(items=items))
    worst = "，".join(f"{schema.value_label(k, lang)} {n}" for k, n in summary["coordination"].items())
    lines.append(text["coordination"].format(items=worst))
    lines += _need_lines(result, text, lang)
    lines += _refined_line(summary.get("refinement"), text)
    lines += _flag_line(summary.get("model_flags", {}), text, lang)
    lines += [line if k == 0 else f"  {line}" for k, line in enumerate(caveats.lines(result, lang))]
    return "\n".join(lines)
