"""N0 and delta-N: numbers, the user's own map, the cited values."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lcsiting.config import Propagation
from lcsiting.errors import LayerError
from lcsiting.inputs.refractivity import radio_climate, read_map_value


def with_propagation(project, root, **values):
    config = SimpleNamespace(propagation=Propagation(**values))
    return replace(project, config=config, root=root)


def test_the_cited_values_stand_where_nothing_is_said(tiny_project, tmp_path):
    climate = radio_climate(with_propagation(tiny_project, tmp_path))
    assert (climate["n0"], climate["delta_n"]) == (320.5, 40.06)
    assert 36 < climate["latitude_deg"] < 37


def test_a_number_wins_over_a_map(tiny_project, tmp_path):
    (tmp_path / "dn.txt").write_text("lon lat dn\n116 36 55\n")
    both = with_propagation(tiny_project, tmp_path, delta_n=44.0, delta_n_map="dn.txt")
    only = with_propagation(tiny_project, tmp_path, delta_n_map="dn.txt")
    assert radio_climate(both)["delta_n"] == 44.0
    assert radio_climate(only)["delta_n"] == pytest.approx(55.0)


def test_world_grid_is_bilinear(tmp_path):
    """A plane is reproduced exactly by bilinear interpolation, across the seam of 360 degrees too."""
    lat, lon = np.meshgrid(np.linspace(90, -90, 121), np.linspace(0, 360, 241), indexing="ij")
    np.savetxt(tmp_path / "n.txt", 300 + 0.5 * lat + 0.1 * lon)
    for x, y in ((115.98, 36.456), (0.7, -89.2), (359.9, 12.3)):
        assert read_map_value(tmp_path / "n.txt", x, y) == pytest.approx(300 + 0.5 * y + 0.1 * x, abs=1e-9)


def test_points_come_back_and_blend(tmp_path):
    (tmp_path / "p.csv").write_text("# own map\n115,36,320\n117,36,330\n")
    assert read_map_value(tmp_path / "p.csv", 115, 36) == 320
    assert read_map_value(tmp_path / "p.csv", 116, 36) == pytest.approx(325)


@pytest.mark.parametrize(("text", "says"), [("1 2\n3 4\n", "2 x 2"), ("1 2 3\n4 5\n", "same number"), ("", "same")])
def test_other_files_are_refused(tmp_path, text, says):
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(LayerError, match=says):
        read_map_value(tmp_path / "x.txt", 116, 36)


def test_a_value_no_model_takes_is_refused(tiny_project, tmp_path):
    (tmp_path / "dn.txt").write_text("116 36 400\n")
    with pytest.raises(LayerError, match="outside 0 to 150"):
        radio_climate(with_propagation(tiny_project, tmp_path, delta_n_map="dn.txt"))
