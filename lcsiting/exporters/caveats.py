"""What a result rests on without a source that confirms it, in words for every output."""

from lcsiting import rules, schema
from lcsiting.model import Result

TEXTS = {
    "zh": {
        "head": "注意：{n} 条规则数值未经核实（verified = false），相关结论仅供参考",
        "group": "{table} {n} 条",
        "these": "：",
        "and": "、",
        "basis": "（依据未核实）",
    },
    "en": {
        "head": "Note: {n} rule values are unverified (verified = false); what rests on them is indicative",
        "group": "{table} {n}",
        "these": ": ",
        "and": ", ",
        "basis": " (basis unverified)",
    },
}


def unverified(result: Result) -> dict[str, list[str]]:
    """Unverified rows by rule table, in the order of ``summary["unverified_rules"]`` (``table.row``)."""
    out: dict[str, list[str]] = {}
    for entry in result.summary.get("unverified_rules", []):
        table, _, row = entry.partition(".")
        out.setdefault(table, []).append(row)
    return out


def _named(result: Result, table: str, rows: list[str], lang: str) -> list[str]:
    """Rows by their names for people; ids where they have none."""
    known = rules.load(table, result.project.root / "rules")
    return [str(known.get(row, {}).get(f"name_{lang}", row)) for row in rows]


def lines(result: Result, lang: str = "zh") -> list[str]:
    """A headline, then the unverified rows by rule table; empty if everything is verified.

    Coordination profile and land limits get a line each that names their rows; the other tables are
    counted in one line.

    Parameters
    ----------
    result : Result
        What a run made.
    lang : str
        ``zh`` or ``en``.
    """
    groups, words = unverified(result), TEXTS[lang]
    if not groups:
        return []
    titles = schema.table("rule_tables").columns
    profile = result.project.config.coordination.profile
    named, counted = [], []
    for table, rows in groups.items():
        key = "profile" if table == profile else table
        title = titles[key].label(lang) if key in titles else table
        text = words["group"].format(table=f"{title} {table}" if table == profile else title, n=len(rows))
        if table in (profile, "limits"):
            named.append(text + words["these"] + words["and"].join(_named(result, table, rows, lang)))
        else:
            counted.append(text)
    rest = [words["and"].join(counted)] if counted else []
    return [words["head"].format(n=sum(map(len, groups.values()))), *named, *rest]


def with_basis(text: str, verified: bool, lang: str = "zh") -> str:
    """A verdict's word, with the caveat where its basis is unverified."""
    return text if verified else text + TEXTS[lang]["basis"]
