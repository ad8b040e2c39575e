"""The passes over a reduced cover, in chunks cut by size and added in order whatever the number of threads."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.siting import _pdhg
from lcsiting.siting._pdhg import LANES
from lcsiting.siting.presolve import Reduced

Floats = NDArray[np.float64]
CHUNKS = 32  # at most; small covers have fewer
CHUNK_PAIRS = 20_000


class Passes:
    """The chunks of a reduced cover and the threads that run them."""

    def __init__(self, reduced: Reduced, threads: int) -> None:
        self.reduced = reduced
        self.pool = ThreadPoolExecutor(max(threads, 1))
        self.chunks = min(max(len(reduced.indices) // CHUNK_PAIRS, 1), CHUNKS)
        self.weights = reduced.weights.astype(np.float32)
        pairs = len(reduced.indices)
        marks = np.linspace(0, pairs, self.chunks + 1)
        self.rows = np.searchsorted(reduced.row_ptr, marks).astype(int)
        self.items = np.searchsorted(reduced.indptr, marks).astype(int)
        self.rows[-1], self.items[-1] = len(reduced.weights), len(reduced.indptr) - 1
        self.rows[0] = self.items[0] = 0

    def lanes(self, y: Floats) -> NDArray[np.float32]:
        """(n, phases) to bundles of four, (bundles, n, 4)."""
        n, phases = y.shape
        bundles = -(-phases // LANES)
        out = np.zeros((bundles, n, LANES), np.float32)
        for t in range(phases):
            out[t // LANES, :, t % LANES] = y[:, t]
        return out

    def _run(self, call: Any, cuts: Any) -> Floats:
        if self.chunks == 1:
            out = [call(cuts[0], cuts[1])]
        else:
            out = list(self.pool.map(call, cuts[:-1], cuts[1:]))
        return np.sum(out, axis=0) if out and out[0] is not None else np.zeros(0)

    def prices(self, u: NDArray[np.float32], phases: int) -> Floats:
        """Sum of the row prices of every item, (n, phases)."""
        r = self.reduced
        c = np.empty((len(u), len(r.indptr) - 1, LANES), np.float32)
        for b in range(len(u)):
            self._run(lambda lo, hi, b=b: _pdhg.item_pass(r.indptr, r.indices, u[b], lo, hi, c[b]), self.items)
        return np.concatenate(list(c), axis=1)[:, :phases].astype(float)

    def covered(self, y: Floats) -> Floats:
        """Weight covered by a fractional choice, (families, phases)."""
        r, lanes = self.reduced, self.lanes(y)
        families = len(r.member)

        def call(lo: int, hi: int, b: int) -> Floats:
            cut = np.zeros((families, LANES))
            _pdhg.covered_pass(r.row_ptr, r.row_items, lanes[b], self.weights, r.family, lo, hi, cut)
            return cut

        parts = [self._run(lambda lo, hi, b=b: call(lo, hi, b), self.rows) for b in range(len(lanes))]
        return np.concatenate(parts, axis=1)[:, : y.shape[1]]

    def step(self, y: Floats, at: Any, total: Any, factor: Floats, step: Floats, ahead: Floats, top: Any) -> Floats:
        """One row pass; the covered weight of rows under floors by family and phase.

        ``ahead`` (n_families, n_phases) is the step of their covered share, ``top`` (n_phases,) the rows' scale.
        """
        r, lanes, phases = self.reduced, self.lanes(y), y.shape[1]
        wide, tops = (np.zeros((*shape, len(r.member), LANES * len(lanes)), np.float32) for shape in ((), (2,)))
        wide[:, :phases] = factor
        tops[0, :, :phases], tops[1, :, :phases] = ahead, top
        steps = np.zeros(LANES * len(lanes), np.float32)
        steps[:phases] = step
        floored = (ahead > 0).any(axis=1)

        def call(lo: int, hi: int, b: int) -> Floats:
            cut = np.zeros((len(r.member), LANES))
            part = slice(LANES * b, LANES * b + LANES)
            _pdhg.row_pass(
                r.row_ptr, r.row_items, lanes[b], at.u[b], total[b], self.weights, r.family,
                np.ascontiguousarray(wide[:, part]), steps[part], floored, at.z[b],
                np.ascontiguousarray(tops[:, :, part]), lo, hi, cut,
            )  # fmt: skip
            return cut

        parts = [self._run(lambda lo, hi, b=b: call(lo, hi, b), self.rows) for b in range(len(lanes))]
        return np.concatenate(parts, axis=1)[:, :phases]
