"""The FCC's lists of protected earth stations, read as they are and run under the profile ``cbrs``."""

import dataclasses
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from skips import SHARED

from lcsiting.config import LayerSource
from lcsiting.coordination.coordinate import coordinate
from lcsiting.coordination.profile import load_tables
from lcsiting.geo import crs
from lcsiting.inputs.read import read_layer
from lcsiting.project_file import parse_config

FOLDER = SHARED / "earth_stations"
LIST, SITES = "fcc_cbrs_3550_3700_grandfathered_fss.csv", "fcc_protected_fss_sites.geojson"
UTM = "EPSG:32618"


def config():
    """A project in the eastern United States with one network in the CBRS band."""
    bands = dict.fromkeys(("dense_urban", "urban", "suburban", "village", "rural"), "n48")
    raw = {
        "services": [{"name": "outdoor"}],
        "phases": [{"year": 2020, "target": 1}],
        "project": {"name": "CBRS", "crs": UTM},
        "networks": [{"name": "CBRS", "operators": ["A"], "bands": bands}],
        "coordination": {"profile": "cbrs"},
    }
    return parse_config(raw, Path("project.toml"))


def read(name, **columns):
    source = LayerSource(path=name, datum="wgs84", columns={"class": "=es_rx", "station_id": "=#", **columns})
    return read_layer("protected_stations", source, FOLDER, config())


def lon_lat(frame):
    return crs.transform(frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy(), UTM, crs.GEOGRAPHIC)


def test_the_published_figures_are_in_the_profile():
    """WINNF-TS-0112 R2-SGN-16: -129 dBm/MHz and -60 dBm, 150 km and 40 km, aggregate, median loss."""
    rows = load_tables("cbrs").profile
    assert (rows["criterion_co_channel"]["limit"], rows["criterion_co_channel"]["time_pct"]) == (-129.0, 50.0)
    assert rows["overload_legacy"]["limit_dbm"] == -60.0
    assert (rows["radius_co_channel"]["value_m"], rows["radius_adjacent_wide"]["value_m"]) == (150_000.0, 40_000.0)
    for key in ("criterion_co_channel", "overload_legacy", "radius_co_channel", "radius_adjacent_wide"):
        assert rows[key]["verified"], key


class TestFiles:
    pytestmark = pytest.mark.shared("earth_stations")

    def test_grandfathered_list_with_degrees_in_columns(self):
        """108 rows below a title line; the second row is Andover: 44-38-1.2 N, 70-41-51.3 W, 3625-3700 MHz."""
        frame, problems, aside = read(LIST)
        assert len(frame) == 108 and not aside
        lon, lat = lon_lat(frame)
        assert lon[1] == pytest.approx(-(70 + 41 / 60 + 51.3 / 3600), abs=1e-6)
        assert lat[1] == pytest.approx(44 + 38 / 60 + 1.2 / 3600, abs=1e-6)
        assert frame.loc[1, ["rx_low_mhz", "rx_high_mhz"]].tolist() == [3625.0, 3700.0]
        assert frame["licensed_since"].iloc[0] == pd.Timestamp("2004-06-10")
        assert not any(row["severity"] == "error" for row in problems)

    def test_sites_with_numbers_as_text(self):
        """286 sites, "4,200"; positions as the file's own latitude and longitude columns say."""
        frame, problems, aside = read(SITES)
        truth = [f["properties"] for f in json.loads((FOLDER / SITES).read_text(encoding="utf-8"))["features"]]
        assert len(frame) == len(truth) == 286 and not aside
        lon, lat = lon_lat(frame)
        assert np.allclose(lon, [p["longitude"] for p in truth], atol=1e-5)
        assert np.allclose(lat, [p["latitude"] for p in truth], atol=1e-5)
        wanted = [float(p["upper_frequency"].replace(",", "")) for p in truth]
        assert frame["rx_high_mhz"].tolist() == wanted
        assert frame["gain_dbi"].tolist() == [p["antenna_gain"] for p in truth]
        assert not any(row["severity"] == "error" for row in problems)

    def test_both_lists_run_under_the_profile(self, tiny_project):
        """Base stations 0.3 and 60 km from Andover: 50 dBm overload a block to 0.7 km, co-channel reaches 150 km."""
        frames = [read(LIST)[0], read(SITES)[0]]
        layer = pd.concat(frames, ignore_index=True)
        andover = layer.geometry.iloc[1]
        rows = [(andover.x + 300, andover.y), (andover.x, andover.y - 60_000), (andover.x, andover.y - 1_500_000)]
        places = gpd.GeoDataFrame(
            {"place_id": ["P0", "P1", "P2"], "name": ["a", "b", "c"], "azimuths_deg": "", "micro": False},
            geometry=gpd.points_from_xy(*zip(*rows, strict=True)), crs=UTM,
        )  # fmt: skip
        places["morphology"], places["tower_type"] = "rural", ""
        stations = pd.DataFrame(
            {
                "station_id": ["S0", "S1", "S2"], "place": [0, 1, 2], "network": "CBRS", "network_index": 0,
                "operators": "A", "band": "n48", "frequency_mhz": 3625.0, "height_agl_m": 20.0, "micro": False,
                "on_air": False, "on_air_year": 0,
            }
        )  # fmt: skip
        project = dataclasses.replace(
            tiny_project, config=config(), layers={**tiny_project.layers, "protected_stations": layer}, places=places,
            stations=stations, dem=None, clutter=None,
        )  # fmt: skip
        verdicts = coordinate(project)
        near = verdicts[(verdicts["station_id"] == "S0") & (verdicts["distance_m"] < 1_000)]
        assert {"co_channel", "overload"} <= set(near["mechanism"])
        assert (near.loc[near["mechanism"] == "co_channel", "rule_verdict"] == "coordinate").all()
        far = verdicts[(verdicts["station_id"] == "S1") & (verdicts["rule_verdict"] == "coordinate")]
        assert set(far["mechanism"]) == {"co_channel"} and far["distance_m"].max() <= 150_000
        assert "S2" in set(verdicts["station_id"])
