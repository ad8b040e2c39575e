"""The pixels around a site sorted by radial, on several threads."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lcsiting.coverage import radials as kernel
from lcsiting.coverage.radials import Frame, Site
from lcsiting.radio.radial import Place

ROWS_PER_TASK = 32


def in_threads(work: Callable[[int, int], None], count: int, size: int, threads: int | None) -> None:
    """Run ``work(first, end)`` over chunks of ``size`` of ``count``, all cores if ``threads`` is None."""
    starts = range(0, count, size)
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(lambda first: work(first, min(first + size, count)), starts))


def rays_around(
    frame: Frame, site: Site, place: Place, radius_m: float, count: int, step_m: float, threads: int | None = None
) -> kernel.Rays:
    """:func:`radials.rays_of` with the distances computed on several threads; the same for any number of them."""
    first, end = kernel.rows_within(frame, site, place, radius_m)
    parts = {-1: kernel.pixels_within(frame, site, place, radius_m, count, first, first)}  # of no row

    def rows(begin: int, stop: int) -> None:
        parts[begin] = kernel.pixels_within(frame, site, place, radius_m, count, first + begin, first + stop)

    in_threads(rows, end - first, ROWS_PER_TASK, threads)
    found = [np.concatenate(one) for one in zip(*(parts[k] for k in sorted(parts)), strict=True)]
    return kernel.sorted_rays(frame, radius_m, count, step_m, *found)
