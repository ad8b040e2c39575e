"""What a ranking gives back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shortfall:
    """A part of a request that does not hold.

    Attributes
    ----------
    name : str
        ``floor[0]``, or a limit as ``certificate`` names it.
    phase : int
        Where.
    need, best, bound : float
        What was asked, the best found, and what no choice can exceed that meets the rest of the phase's request
        (for an upper limit: the least use).
    """

    name: str
    phase: int
    need: float
    best: float
    bound: float

    @property
    def proven(self) -> bool:
        """Whether the bound shows that nothing can meet it."""
        from_below = self.name.startswith("floor") or self.name.endswith(">=")
        return self.bound < self.need if from_below else self.bound > self.need


@dataclass(frozen=True)
class Ranking:
    """A nested ranking of items.

    Attributes
    ----------
    order : int32 (k,)
        Items: locked ones first, by index, then by rank.
    gain : int64 (k,)
        Newly covered weight of each.
    ends : int64 (n_phases,)
        Length of ``order`` at the end of each phase.
    value : int64 (n_phases,)
        Covered weight, and bonus of the chosen, at the end of each phase.
    shortfalls : tuple of Shortfall
        What of the request does not hold; empty if all does.
    upper_bound, gap_pct : (n_phases,)
        What no choice can exceed in this phase alone, and how far below it ``value`` is. The gap
        contains the price of nesting.
    joint_value, joint_bound, joint_gap_pct : int, int, float
        The same for ``sum_t alpha_t value_t`` over nested choices.
    dual : Certificate or None
        The multipliers; see ``certificate`` and ``dual.verify_certificate``, for the least cost
        ``cost_check.verify_least_cost``.
    cost, lower_bound : float or None
        If the least cost was asked for: what the choice costs, and what no choice can be below.
    """

    order: NDArray[np.int32]
    gain: Ints
    ends: Ints
    value: Ints
    shortfalls: tuple[Shortfall, ...] = ()
    upper_bound: Ints | None = None
    gap_pct: NDArray[np.float64] | None = None
    joint_value: int | None = None
    joint_bound: int | None = None
    joint_gap_pct: float | None = None
    dual: Any = None
    cost: float | None = None
    lower_bound: float | None = None
