"""Reads the published rows in tests/data/oracles (their notice: NOTICE.md there)."""

import csv
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "data" / "oracles"


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """Rows of one oracle file as dicts of text."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _expand(text: str) -> np.ndarray:
    parts = [word.partition("*") for word in text.split()]
    return np.repeat([float(value) for value, _, _ in parts], [int(count or 1) for _, _, count in parts])


@cache
def profile(name: str, path: str) -> dict[str, np.ndarray]:
    """One path profile in the arguments of ``loss_db``."""
    row = next(row for row in rows(name) if row["profile"] == path)
    return {
        "distance_m": _expand(row["distance_km"]) * 1000,
        "ground_m": _expand(row["ground_m"]),
        "clutter_m": _expand(row["clutter_m"]),
        "zone": _expand(row["zone"]),
    }
