"""A result in a few lines: what the command line prints and what a planner quotes."""

from typing import Any

from lcsiting import rules, schema
from lcsiting.exporters.tables import word
from lcsiting.model import Result

SHOWN_LEVELS = ("city", "urban", "county_seat", "town", "park")
TEXTS = {
    "zh": {
        "title": "{name}：规划结果摘要",
        "hosts": "站址资源：{hosts}",
        "phases": "分期目标与规模",
        "phase": "  {year} 年（目标 {target} {unit}）：基站 {stations} 个、站址 {places} 处，"
        "共享率 {sharing:.2f} 个/处，利旧率 {reuse:.1%}，每万人 {per10k:.1f} 个，加权覆盖率 {cover:.1%}{short}",
        "short": "【未达目标】",
        "coverage": "覆盖率（室外/室内，面积·人口，任一网络）",
        "reach": "通达率",
        "grades": "目标等级",
        "grade": "  {year} {area} {grade}（{network}）：{items}",
        "refused": "未入选（按原因，个）：{items}",
        "coordination": "干扰协调（入选基站）：{items}",
        "flags": "超出传播模型适用条件、已计算并标记（{year} 年）：{items}",
        "unverified": "注意：{n} 条规则数值未经核实（verified = false），相关结论仅供参考：{rows}",
    },
    "en": {
        "title": "{name}: summary of the plan",
        "hosts": "Hosts: {hosts}",
        "phases": "Phases",
        "phase": "  {year} (target {target} {unit}): {stations} stations on {places} places, "
        "{sharing:.2f} stations per place, reuse {reuse:.1%}, {per10k:.1f} per 10 000 people, "
        "weighted coverage {cover:.1%}{short}",
        "short": " [target not reached]",
        "coverage": "Coverage (outdoor/indoor, area · people, any network)",
        "reach": "Reach",
        "grades": "Grades",
        "grade": "  {year} {area} {grade} ({network}): {items}",
        "refused": "Not chosen, by reason (stations): {items}",
        "coordination": "Coordination (chosen stations): {items}",
        "flags": "Computed outside what the path-loss models state, and flagged ({year}): {items}",
        "unverified": "Note: {n} rule values are unverified; what rests on them is indicative: {rows}",
    },
}


def _phase_line(row: dict[str, Any], text: dict[str, str], lang: str) -> str:
    return text["phase"].format(
        year=row["year"],
        target=row["target"],
        unit=schema.value_label(row["unit"], lang),
        stations=row["stations"],
        places=row["places"],
        sharing=row["sharing"],
        reuse=row["reuse_share"],
        per10k=row["stations_per_10k"],
        cover=row["covered_weight_share"],
        short="" if row["reached"] else text["short"],
    )


def _merged(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Area and people share of several areas together."""
    area, people = sum(r["area_km2"] for r in rows), sum(r["people"] for r in rows)
    covered_area, covered = sum(r["covered_area_km2"] for r in rows), sum(r["covered_people"] for r in rows)
    return (covered_area / area if area else 0.0, covered / people if people else 0.0)


def _coverage_lines(statistics: list[dict[str, Any]], lang: str) -> list[str]:
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
                    area, people = _merged(rows)
                    parts.append(f"{schema.value_label(service, lang)} {area:.1%} · {people:.1%}")
            if parts:
                lines.append(f"  {year} {schema.value_label(level, lang)}: {'，'.join(parts)}")
    return lines


def _reach_lines(reach: list[dict[str, Any]], lang: str) -> list[str]:
    lines = []
    for key in dict.fromkeys((row["year"], row["measure"]) for row in reach):
        rows = [r for r in reach if (r["year"], r["measure"]) == key and r["network"] == "all"]
        total, reached = sum(r["total"] for r in rows), sum(r["reached"] for r in rows)
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


def _grade_lines(rows: list[dict[str, Any]], text: dict[str, str], lang: str) -> list[str]:
    grades = rules.load("grades")
    lines = []
    for key in dict.fromkeys((r["year"], r["area"], r["grade"], r["network"]) for r in rows):
        items = []
        for r in rows:
            if (r["year"], r["area"], r["grade"], r["network"]) == key:
                zh, en, unit = MEASURES[r["measure"]]
                mark = "✓" if r["reached"] else "✗"
                relation = "≤" if r["measure"] == "largest_hole_km2" else "≥"
                label = zh if lang == "zh" else en
                items.append(f"{label} {r['value']:.1f}{unit} ({relation} {r['required']:g}{unit}) {mark}")
        grade = grades[key[2]][f"name_{lang}"]
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
    lines += [text["coverage"], *_coverage_lines(summary["statistics"], lang)]
    if reach := _reach_lines(summary["reach"], lang):
        lines += [text["reach"], *reach]
    if graded := _grade_lines(summary["grades"], text, lang):
        lines += [text["grades"], *graded]
    refused = "，".join(f"{word('rule', r['rule'], lang, root)} {r['stations']}" for r in summary["refused"])
    lines.append(text["refused"].format(items=refused or "0"))
    worst = "，".join(f"{schema.value_label(k, lang)} {n}" for k, n in summary["coordination"].items())
    lines.append(text["coordination"].format(items=worst))
    lines += _flag_line(summary.get("model_flags", {}), text, lang)
    if unverified := summary["unverified_rules"]:
        lines.append(text["unverified"].format(n=len(unverified), rows="、".join(unverified)))
    return "\n".join(lines)
