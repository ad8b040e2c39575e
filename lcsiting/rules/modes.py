"""Names of the modes in which a base station can be operated."""

from collections.abc import Mapping
from typing import Any

AS_PLANNED = "as_planned"
OTHER_BAND = "site_other_band"


def mode_label(mode: str, profile: Mapping[str, Mapping[str, Any]], lang: str = "zh") -> str:
    """Name of a mode for people: the names of its rows joined by ``+``, degrees and sectors behind them.

    Parameters
    ----------
    mode : str
        Rows of the coordination profile joined by ``+``, with ``:degrees`` for a turn (``@sector`` for one alone) and
        ``:numbers`` for sectors turned off; ``as_planned``, or empty (empty again).
    profile : mapping
        Rows of the profile.
    lang : str
    """
    if mode == AS_PLANNED:
        return "按规划" if lang == "zh" else "as planned"
    words = []
    for key, _, value in (part.partition(":") for part in mode.split("+")):
        text = str(profile.get(key, {}).get(f"name_{lang}", key))
        if value and key == "site_turn":
            degrees, _, sector = value.partition("@")
            alone = {"zh": f"(扇区{sector})", "en": f" (sector {sector})"}[lang] if sector else ""
            text += f"{float(degrees):+g}°{alone}"
        elif value:
            text += f"{'' if lang == 'zh' else ' '}{value.replace(',', '、' if lang == 'zh' else ', ')}"
        words.append(text)
    return "+".join(words)
