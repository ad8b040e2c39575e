"""Range checks of the radio models: the name, the value, the range and its unit in one sentence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lcsiting.errors import RangeError


def require_range(name: str, value: ArrayLike, low: float, high: float, unit: str, source: str) -> None:
    """Raise unless every value lies in ``[low, high]``. NaN passes: models answer NaN with NaN.

    Parameters
    ----------
    name : str
        Argument name as the caller writes it.
    value : array_like
        Values to look at, any shape.
    low, high : float
        Inclusive limits; ``inf`` for none.
    unit : str
        Unit of value and limits, ``""`` for none.
    source : str
        Who sets the limits, with the clause.

    Raises
    ------
    RangeError
        Names how many values are outside and the first of them.
    """
    if isinstance(value, float | int) and not (value < low or value > high):
        return
    values = np.atleast_1d(np.asarray(value, dtype=float))
    outside = (values < low) | (values > high)
    if outside.any():
        first = float(values[outside].flat[0])
        count = f"{int(outside.sum())} of {values.size} values" if values.size > 1 else "value"
        gap = f" {unit}" if unit else ""
        raise RangeError(f"{name}: {count} outside {low:g} to {high:g}{gap} ({source}); first {first:g}{gap}.")


def require_ranges(values: dict[str, float], table: dict[str, tuple[float, float, str, str]]) -> bool:
    """Check scalars against a table of ``name: (low, high, unit, source)``; whether one of them is NaN."""
    for name, value in values.items():
        require_range(name, value, *table[name])
    return any(value != value for value in values.values())


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise :class:`RangeError` unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise RangeError(f"{name}: {value!r} is not one of {', '.join(choices)}.")
