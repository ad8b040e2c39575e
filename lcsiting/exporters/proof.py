"""How far a plan is from the best possible, and which of its limits bind: the lines and tables every output shows."""

from typing import Any

import pandas as pd

from lcsiting import rules, schema
from lcsiting.model import Result
from lcsiting.siting.plan_certificate import SCOPE, certificate_rows

SHOWN = 12  # limits named one by one; the rest is in the workbook
TEXTS = {
    "zh": {
        "head": "距最优的差距（{scope}；{check}）：联合不超过 {joint:.2f}%",
        "passed": "独立核验通过", "failed": "独立核验未通过，不可引用",
        "phase": "{year} 年：加权覆盖 {value:,.0f} 人当量，任何方案不超过 {bound:,.0f}，差距不超过 {gap:.2f}%",
        "matrix": "单期差距含分期嵌套的代价；覆盖矩阵 SHA-256 {matrix}",
        "limits": "数量与覆盖约束：{n} 项，起作用 {binding} 项，未满足 {unmet} 项",
        "limit": "{year} 年 {kind}：要求 {limit}，方案 {value}（不设约束时 {free}）{unmet}",
        "unmet": "【{outcome}，最好找到 {best}，任何方案的界 {bound}】",
        "cost": "{year} 年最小造价：方案 {value:,.1f}，达到该期覆盖率的任何方案不低于 {bound:,.1f}"
        "（差距 {gap:.2f}%，含分期与共址）",
        "no_cost": "{year} 年最小造价：方案 {value:,.1f}；已证明没有方案能满足该期全部要求，无下界可比",
        "more": "其余 {n} 项见工作簿“数量与覆盖约束”表",
    },
    "en": {
        "head": "Distance from the best possible ({scope}; {check}): jointly at most {joint:.2f}%",
        "passed": "independently checked", "failed": "the independent check FAILED, do not quote",
        "phase": "{year}: weighted coverage {value:,.0f} people-equivalents, no plan exceeds {bound:,.0f}, "
        "gap at most {gap:.2f}%",
        "matrix": "A phase's own gap contains the price of nesting; cover matrix SHA-256 {matrix}",
        "limits": "Quotas, floors and budgets: {n}, of which {binding} bind and {unmet} are not met",
        "limit": "{year} {kind}: asked {limit}, plan {value} (without limits {free}){unmet}",
        "unmet": " [{outcome}; best found {best}, bound on any plan {bound}]",
        "cost": "{year} least cost: plan {value:,.1f}, no plan of that share costs less than {bound:,.1f} "
        "(gap {gap:.2f}%)",
        "no_cost": "{year} least cost: plan {value:,.1f}; proven that no plan meets all the phase asks, "
        "so no bound compares",
        "more": "{n} more in the workbook's sheet of limits",
    },
}  # fmt: skip


def tables(result: Result) -> dict[str, pd.DataFrame]:
    """Schema tables ``certificate`` and ``limits``, as far as the plan has them."""
    out = {}
    if result.plan.certificate is not None:
        unit = rules.load("ranking", result.project.root / "rules")["weight_unit"]["value"]
        out["certificate"] = certificate_rows(result.plan.certificate, unit)
    if result.plan.limits is not None:
        out["limits"] = result.plan.limits
    return out


def certificate_lines(result: Result, lang: str = "zh") -> list[str]:
    """A headline with the joint gap, then a line per phase and what the bound is about; empty without a certificate."""
    found, text = tables(result).get("certificate"), TEXTS[lang]
    if found is None:
        return []
    check = text["passed" if found["checked"].all() else "failed"]
    joint = found[found["phase_year"] == 0].iloc[0]
    lines = [text["head"].format(scope=SCOPE[lang], check=check, joint=joint["gap_pct"])]
    for row in found[found["phase_year"] > 0].itertuples():
        lines.append(text["phase"].format(year=row.phase_year, value=row.value, bound=row.upper_bound, gap=row.gap_pct))
    return [*lines, text["matrix"].format(matrix=joint["matrix"])]


def _figure(value: Any, unit: str) -> str:
    if value != value:
        return "—"
    return f"{value:.1%}" if unit == "share" else f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}"


def limit_lines(result: Result, lang: str = "zh") -> list[str]:
    """A headline, then the limits that are not met and those that bind; empty if the project asks for none."""
    table, text = result.plan.limits, TEXTS[lang]
    if table is None or not len(table):
        return []
    unmet = table["outcome"].isin(["unmet", "impossible"])
    binding = table["outcome"] == "binding"
    lines = [text["limits"].format(n=len(table), binding=binding.sum(), unmet=unmet.sum())]
    for row in table[table["kind"] == "least_cost"].itertuples():
        gap = 100 * (1 - row.bound / row.value) if row.value > 0 else 0.0
        words = text["cost"] if pd.notna(row.bound) else text["no_cost"]
        lines.append(words.format(year=row.year, value=row.value, bound=row.bound, gap=gap))
    told = pd.concat([table[unmet], table[binding]])
    for row in told.head(SHOWN).itertuples():
        best, bound = _figure(row.best, row.unit), _figure(row.bound, row.unit)
        worse = text["unmet"].format(outcome=schema.value_label(row.outcome, lang), best=best, bound=bound)
        lines.append(
            text["limit"].format(
                year=row.year, kind=f"{schema.value_label(row.kind, lang)} {row.area}".strip(),
                limit=_figure(row.limit, row.unit), value=_figure(row.value, row.unit),
                free=_figure(row.free_value, row.unit), unmet=worse if row.outcome in ("unmet", "impossible") else "",
            )
        )  # fmt: skip
    if len(told) > SHOWN:
        lines.append(text["more"].format(n=len(told) - SHOWN))
    return lines
