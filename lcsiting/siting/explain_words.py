"""The sentences of the explanations, in Chinese and English."""

from typing import Any

import numpy as np
import pandas as pd

from lcsiting import schema

WORDS = {
    "zh": {
        "chosen": "{network}：{phase_year}年第{rank}位，新增{gain_people:.0f}人、{gain_area_km2:.2f}平方公里"
        "，重点场所{key_places}处；缺它将失{lost_people:.0f}人；备选：{stand_ins}",
        "worse": "{place}（失{people}人）", "better": "{place}（多{people}人）", "and": "、",
        "nobody": "无可替代站址", "spare": "撤除不影响覆盖",
    },
    "en": {
        "chosen": "{network}: no. {rank}, {phase_year}; adds {gain_people:.0f} people, {gain_area_km2:.2f} km², "
        "{key_places} key places; without it {lost_people:.0f} people are lost; could stand in: {stand_ins}",
        "worse": "{place} (loses {people} people)", "better": "{place} (gains {people} people)", "and": ", ",
        "nobody": "no place", "spare": "not needed, nothing is lost without it",
        "not": "{network}: {status}, {why}{by}", "late": "{status} ({year})",
        "by": "; {share:.0%} of its demand is covered by {takers}",
        "empty": "no demand within its reach", "covered": "stations before it cover its demand",
        "left": "{left:.1f} people-equivalents were left for it when the phase it missed was full",
    },
}  # fmt: skip


def stand_ins(chosen: pd.DataFrame, table: pd.DataFrame, lang: str = "zh") -> list[str]:
    """One line per chosen station: its substitutes and what each loses."""
    words, people = WORDS[lang], table["loss_people"].round(0).astype(int)
    lines = [
        words["worse" if n >= 0 else "better"].format(place=place, people=abs(n))
        for place, n in zip(table["substitute_place_id"], people, strict=True)
    ]
    by_station = (
        pd.Series(lines, table.index, dtype=object).groupby(table["station_id"], sort=False).agg(words["and"].join)
    )
    text = by_station.reindex(chosen["station_id"]).astype(object).fillna("").to_numpy(object)
    spare = np.where(chosen["lost_weight"].to_numpy(float) > 0, words["nobody"], words["spare"])
    return [a or b for a, b in zip(text, spare, strict=True)]


def why_not_in_english(row: Any) -> str:
    """A row of ``why_not`` in a sentence; what its Chinese reason says beyond the rule stays in the table."""
    words, status = WORDS["en"], schema.value_label(row.status, "en")
    if row.status == "late":
        status = words["late"].format(status=status, year=row.phase_year)
    if row.status == "refused" and row.rule != "not_selected":
        why = schema.value_label(row.rule, "en")
    elif row.demand_weight == 0:
        return words["not"].format(network=row.network, status=status, why=words["empty"], by="")
    else:
        why = words["left"].format(left=row.left_weight) if row.left_weight else words["covered"]
    by = words["by"].format(share=row.taken_share, takers=row.takers.replace("、", words["and"])) if row.takers else ""
    return words["not"].format(network=row.network, status=status, why=why, by=by)
