"""The other band of a station: which one, and the same station as one declared in it from the start."""

import numpy as np
import pandas as pd
import pytest
from tiny_city import RAW_CONFIG, build_tiny_project, tiny_config

from lcsiting.config import Network
from lcsiting.coverage.antennas import with_settings
from lcsiting.inputs.derive import morphology_ids
from lcsiting.inputs.other_band import band_settings, other_band, other_bands

KINDS = ("dense_urban", "urban", "suburban", "village", "rural")


def network(*bands):
    return Network(name="电联", operators=["电信", "联通"], bands=dict(zip(KINDS, bands, strict=True)))


@pytest.mark.parametrize(
    ("bands", "morphology", "expected"),
    [
        (("n78", "n78", "n78", "n1", "n1"), "dense_urban", "n1"),
        (("n78", "n78", "n41", "n1", "n28"), "urban", "n41"),  # the nearest, not the last
        (("n78", "n78", "n41", "n1", "n28"), "village", "n1"),  # on air in n78 where the table says n1
        (("n41", "n78", "n1", "n1", "n1"), "urban", "n1"),  # both next to it: the less built-up one's
        (("n41", "n79", "n78", "n78", "n28"), "suburban", "n28"),  # two steps either way: again
        (("n78", "n79", "n78", "n78", "n78"), "urban", ""),
    ],
)
def test_the_band_used_in_the_nearest_morphology(bands, morphology, expected):
    assert tuple(morphology_ids(build_tiny_project().root)) == KINDS
    assert other_band(network(*bands), list(KINDS), morphology, {"n78", "n79"}) == expected


def test_only_stations_inside_have_one(tiny_project):
    stations = tiny_project.stations
    found = other_bands(tiny_project, {"n78"})
    assert (found[stations["band"] == "n78"] == "n1").all() and (found[stations["band"] != "n78"] == "").all()
    rows = np.flatnonzero(stations["band"] == "n78")[::-1]
    assert other_bands(tiny_project, {"n78"}, rows).tolist() == ["n1"] * len(rows)
    # n41 inside as well: the other network has n28 left, also where the table says n41.
    both = other_bands(tiny_project, {"n78", "n41"})
    assert set(both[stations["band"] == "n41"]) == {"n28"}


@pytest.mark.parametrize("model", ["", "p1812"])
def test_as_a_station_declared_in_that_band_from_the_start(model):
    """Band, model and carrier against the derivation of a project whose table says n1 everywhere."""
    first, second = ({**one, "model": model} for one in RAW_CONFIG["networks"])
    project = build_tiny_project(tiny_config(networks=[first, second]))
    declared = build_tiny_project(
        tiny_config(networks=[first, {**second, "bands": dict.fromkeys(second["bands"], "n1")}])
    )
    bands = other_bands(project, {"n78"})
    rows = np.flatnonzero((bands != "") & ~project.stations["on_air"].to_numpy(bool))
    assert len(rows) and len(set(project.stations["model"].iloc[rows])) == (1 if model else 2)
    frame = band_settings(project, rows, bands[rows])
    changed = with_settings(project, rows, **{name: frame[name].tolist() for name in frame})
    pd.testing.assert_frame_equal(changed.stations.iloc[rows], declared.stations.iloc[rows])
    others = np.delete(np.arange(len(project.stations)), rows)
    pd.testing.assert_frame_equal(changed.stations.iloc[others], project.stations.iloc[others])
