"""The stage ``coordinate``: verdicts, with what every base station contributes and what remains of every budget."""

from typing import ClassVar

import numpy as np
import pandas as pd

from lcsiting import schema
from lcsiting.coordination import aggregate
from lcsiting.coordination.interference import Evaluation, evaluate
from lcsiting.model import Project


class Verdicts(pd.DataFrame):
    """Schema table ``verdicts`` with the sums behind it; what is selected from it is a plain table.

    Attributes
    ----------
    contributions : DataFrame
        Schema table ``contributions``: what each base station brings to each budget, mW, on air or not; those of the
        layer ``neighbours`` stand in the budgets only.
    budgets : DataFrame
        Schema table ``budgets`` with nothing new on air: limit, what is on air, and what new stations may add, by
        protected station, mechanism and phase.
    evaluation : Evaluation
        The arrays, for :func:`lcsiting.remedies` and :func:`lcsiting.coordination.aggregate.resources`.
    """

    _metadata: ClassVar[list[str]] = ["evaluation", "_project"]

    def __init__(self, project: Project, evaluation: Evaluation) -> None:
        super().__init__(evaluation.verdicts)
        self._project, self.evaluation = project, evaluation

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    @property
    def contributions(self) -> pd.DataFrame:
        """What each base station brings to each budget."""
        found, stations = self.evaluation.budgets, self._project.stations["station_id"].to_numpy(object)
        which = np.repeat(np.arange(len(found.rows)), np.diff(found.indptr))
        named = found.rows[["protected_id", "protected_name", "mechanism"]].iloc[which].reset_index(drop=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = found.mw / found.limit_mw[which, 0]
        table = named.assign(
            station_id=stations[found.station_rows[found.indices]], on_air=found.on_air[found.indices],
            contribution_mw=found.mw, envelope_mw=found.envelope_mw, share=share,
        )  # fmt: skip
        return table[list(schema.table("contributions").columns)].astype({"station_id": "str"})

    @property
    def budgets(self) -> pd.DataFrame:
        """What remains of each budget after what is on air."""
        found, years = self.evaluation.budgets, [phase.year for phase in self._project.config.phases]
        start = np.where(found.on_air, 0, max(years) + 1)
        return aggregate.judge(found, start, years)[list(schema.table("budgets").columns)]


def coordinate(project: Project) -> Verdicts:
    """What every base station in the scope means for every protected station in its reach, alone and in sum.

    Parameters
    ----------
    project : Project
        ``stations``, ``places``, ``layers["protected_stations"]`` (those beyond the city border
        count), ``dem``, ``clutter``, and the profile named in ``config.coordination``.

    Returns
    -------
    Verdicts
        A table (schema ``verdicts``) in station order, with ``contributions`` and remaining ``budgets``, to which
        :func:`lcsiting.rank` holds a plan under ``enforce = "physics"``. Rule rows reach as far as the co-channel
        distance, or as the widest adjacent distance, and farther where a single station fails the physics; overload
        rows as far as a legacy block without filter would be overloaded. A station in the scope that is out of every
        reach has one row, its nearest protected station. So, as long as there is a protected station in the scope,
        **a station without rows is outside the bands**. ``margin_db`` is limit minus level of this station alone at
        its worst (envelope); ``limit_m`` is the rule distance, or the free-space distance at which this pair's
        overload margin would be 0. ``rule_verdict`` and ``physics_verdict`` stand side by side; ``verdict`` and
        ``method`` follow ``enforce`` (:func:`interference.decide`). ``measure`` is the cheapest station-side set that
        clears the pair. ``yields`` says who gives way, by which ``principle``. Verdicts are ordered,
        clear < coordinate < excluded.

    Raises
    ------
    LayerError, ConfigError
        As :func:`interference.evaluate`.
    """
    return Verdicts(project, evaluate(project))
