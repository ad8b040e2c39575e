"""Pixels around a site sorted by radial: on any number of threads as by the kernel alone, and as by NumPy."""

import numpy as np
import pytest

from lcsiting.coverage import radials
from lcsiting.coverage.disc import rays_around
from lcsiting.coverage.sweep import frame_of, place_of
from lcsiting.model import Grid

CRS = "EPSG:4548"
GRID = Grid(400_000.0, 4_050_000.0, 100.0, 90, 70, CRS)


def found(x_m, y_m, radius_m, threads):
    site = radials.Site(x_m, y_m, 30.0, 1.5)
    place = place_of(CRS, x_m, y_m, radius_m)
    return rays_around(frame_of(GRID), site, place, radius_m, 200, 100.0, threads), (frame_of(GRID), site, place)


@pytest.mark.parametrize(
    ("x_m", "y_m"), [(403_512.0, 4_045_530.0), (400_020.0, 4_049_990.0), (399_000.0, 4_052_000.0)],
    ids=["inside", "corner", "outside"],
)  # fmt: skip
def test_threads_do_not_matter(x_m, y_m):
    one, where = found(x_m, y_m, 3000.0, 1)
    alone = radials.rays_of(*where, 3000.0, 200, 100.0)
    for threads in (1, 2, 3):
        many = found(x_m, y_m, 3000.0, threads)[0]
        for name in ("start", "pixel", "distance_km"):
            assert np.array_equal(getattr(many, name), getattr(one, name))
            assert np.array_equal(getattr(many, name), getattr(alone, name))
    # The second way: every pixel whose centre lies within the radius, once, outwards on each radial.
    cols, rows = np.meshgrid(np.arange(70), np.arange(90))
    away = np.hypot(400_000 + (cols + 0.5) * 100 - x_m, 4_050_000 - (rows + 0.5) * 100 - y_m) / 1000
    inside, near = away < 2.999, away < 3.001
    assert set(np.flatnonzero(inside)) <= set(one.pixel) <= set(np.flatnonzero(near)) and inside.any()
    assert len(set(one.pixel)) == len(one.pixel) == one.start[-1]
    assert one.distance_km == pytest.approx(away.ravel()[one.pixel], rel=5e-4)
    assert all((np.diff(one.distance_km[a:b]) >= 0).all() for a, b in zip(one.start[:-1], one.start[1:], strict=True))


def test_pixels_reach_the_sorting_in_their_order(monkeypatch):
    """Whichever thread is done first: equal distances keep the order of the pixels."""
    seen = []
    monkeypatch.setattr(radials, "sorted_rays", lambda *given: seen.append(given[4]))
    found(403_512.0, 4_045_530.0, 3000.0, 3)
    assert seen[0].size > 1000 and (np.diff(seen[0]) > 0).all()


def test_a_site_out_of_reach_has_no_pixels():
    assert found(400_000.0, 4_100_000.0, 3000.0, 2)[0].pixel.size == 0
    assert found(400_000.0, 3_900_000.0, 3000.0, 2)[0].pixel.size == 0
