"""Discs of the rule distances."""

import dataclasses

import numpy as np
import pytest
from coordination_cases import open_land, with_protected, with_stations
from pyproj import Geod
from shapely import Point

from lcsiting import schema
from lcsiting.coordination.coordinate import coordinate
from lcsiting.coordination.zones import rule_rings, separation_zones
from lcsiting.errors import LayerError
from lcsiting.geo import crs as coordinates
from lcsiting.model import Grid, Raster


def test_discs_of_a_wide_block_and_a_co_channel_station(tiny_project):
    base = with_protected(tiny_project, {}, {"rx_low_mhz": 3400, "lnb_type": "standard"})
    rings = rule_rings(with_stations(base, [{"at": (0, 500), "height_agl_m": 30.0}]))
    assert rings[["protected_id", "mechanism"]].to_numpy().tolist() == [
        ["ES0", "adjacent"],
        ["ES0", "overload"],
        ["ES1", "co_channel"],
        ["ES1", "overload"],
    ]
    radii = dict(zip(zip(rings["protected_id"], rings["mechanism"], strict=True), rings["radius_m"], strict=True))
    assert radii["ES0", "adjacent"] == 20_000
    assert radii["ES1", "co_channel"] == 42_500
    # 3500 MHz, -10 dBi, -60 dBm: 15.3 km.
    assert radii["ES0", "overload"] == pytest.approx(15_300, rel=0.01)
    assert not rings["verified"].any()
    assert rings.crs == tiny_project.places.crs
    assert np.allclose(rings.geometry.area, np.pi * rings["radius_m"] ** 2, rtol=2e-3)


def test_a_filter_shrinks_the_overload_disc_to_86_m(tiny_project):
    base = with_protected(tiny_project, {"filter_rejection_db": 45.0})
    rings = rule_rings(with_stations(base, [{"at": (0, 500)}])).set_index("mechanism")
    assert rings.loc["overload", "radius_m"] == pytest.approx(86, abs=1)
    assert rings.loc["adjacent", "radius_m"] == 100


def test_a_point_in_the_disc_has_the_verdict_of_the_table(tiny_project):
    base = with_protected(tiny_project, {"lnb_type": "standard"})
    rows = [{"at": (1990 * np.sin(a), 1990 * np.cos(a))} for a in np.linspace(0, 6, 25)]
    rows += [{"at": (2010 * np.sin(a), 2010 * np.cos(a))} for a in np.linspace(0, 6, 25)]
    project = with_stations(base, rows)
    disc = rule_rings(project).set_index("mechanism").geometry["adjacent"]
    table = coordinate(project)
    adjacent = table[table["mechanism"] == "adjacent"].set_index("station_id")["verdict"]
    inside = [disc.contains(Point(point)) for point in project.places.geometry]
    assert (adjacent.loc[project.stations["station_id"]] == "coordinate").tolist() == inside


def test_without_stations_in_scope_there_are_no_discs(tiny_project):
    rings = rule_rings(with_stations(with_protected(tiny_project, {}), [{"at": (0, 50), "band": "n28"}]))
    assert rings.empty
    assert rings.crs == tiny_project.places.crs


def test_discs_and_zones_are_geodesic_circles(tiny_project):
    """Near the edge of the zone, where a metre of the plane is not one of the ground and north is not up."""
    record = {"rx_low_mhz": 3400, "pointing_azimuth_deg": 0.0, "pointing_elevation_deg": 89.0}
    away = with_protected(tiny_project, record, lon_lat=(115.4, 36.2))
    base = open_land(with_stations(away, [{"at": (0, 500)}]))
    ring = rule_rings(base).set_index("mechanism").loc["co_channel"]
    zone = separation_zones(base, radials=8).set_index("mechanism").loc["co_channel"]
    for row, radius in ((ring, ring["radius_m"]), (zone, zone["farthest_m"])):
        x, y = np.array(row.geometry.exterior.coords).T
        lon, lat = coordinates.transform(x, y, tiny_project.config.project.crs, "EPSG:4490")
        azimuth, _, length = Geod(ellps="GRS80").inv(np.full(len(x), 115.4), np.full(len(x), 36.2), lon, lat)
        assert np.abs(length - radius).max() < 0.01
        assert np.abs((azimuth - np.linspace(0, 360, len(x)) + 180) % 360 - 180).max() < 1e-6


def test_a_hole_in_the_dem_takes_the_nearest_height_and_no_dem_at_all_is_an_error(tiny_project):
    base = with_stations(with_protected(tiny_project, {"rx_low_mhz": 3400}), [{"at": (0, 500)}])
    dem = base.dem
    heights = np.full((dem.grid.rows, dem.grid.cols), 25.0, dtype=np.float32)
    whole = dataclasses.replace(base, dem=Raster(dem.grid, array=heights, nodata=-32768.0))
    torn = np.where(np.indices(heights.shape).sum(axis=0) % 3 == 0, np.float32(-32768), heights)
    holed = dataclasses.replace(base, dem=Raster(dem.grid, array=torn, nodata=-32768.0))
    for a, b in zip(
        separation_zones(whole, radials=4).geometry, separation_zones(holed, radials=4).geometry, strict=True
    ):
        assert a.equals_exact(b, 0.0)
    assert coordinate(holed)["loss_db"].notna().all()
    nothing = Raster(dem.grid, array=np.full_like(heights, -32768), nodata=-32768.0)
    with pytest.raises(LayerError, match="all are nodata"):
        coordinate(dataclasses.replace(base, dem=nothing))


def test_sea_on_the_way_carries_farther(tiny_project):
    record = {"rx_low_mhz": 3400, "pointing_azimuth_deg": 0.0, "pointing_elevation_deg": 89.0}
    base = open_land(with_stations(with_protected(tiny_project, record), [{"at": (0, 35_000), "height_agl_m": 30.0}]))
    origin = base.layers["protected_stations"].geometry.iloc[0]
    grid = Grid(origin.x - 60_000, origin.y + 60_000, 500.0, 240, 240, base.grid.crs)
    sea = dataclasses.replace(base, radio_zones=Raster(grid, array=np.full((240, 240), 3, np.uint8)))
    losses = [coordinate(project).set_index("mechanism")["loss_db"] for project in (base, sea)]
    assert losses[1]["co_channel"] < losses[0]["co_channel"] - 0.1
    reach = [separation_zones(project, radials=4).set_index("mechanism")["farthest_m"] for project in (base, sea)]
    assert reach[1]["co_channel"] > reach[0]["co_channel"] + 1000.0


def test_a_zone_that_cannot_be_known_names_the_station(tiny_project, monkeypatch):
    from lcsiting.coordination import zones

    base = open_land(with_stations(with_protected(tiny_project, {"rx_low_mhz": 3400}), [{"at": (0, 500)}]))
    reach = np.array([np.nan, 5000.0, 6000.0, np.nan])
    monkeypatch.setattr(zones.p452_contour, "separation_m", lambda *_, **__: reach)
    with pytest.raises(LayerError, match=r"ES0 .* 2 of 4"):
        separation_zones(base, radials=4)


def test_separation_on_level_land_is_that_of_the_reference(tiny_project):
    """37 dBm/MHz toward a dish that shows -10 dBi all around: 40.8 km within 1 %, the same in every direction."""
    record = {"rx_low_mhz": 3400, "pointing_azimuth_deg": 0.0, "pointing_elevation_deg": 89.0}
    base = open_land(with_stations(with_protected(tiny_project, record), [{"at": (0, 500)}]))
    zones = separation_zones(base, radials=12)
    row = zones.set_index("mechanism").loc["co_channel"]
    assert row["nearest_m"] == pytest.approx(40_800, rel=0.01)
    assert row["farthest_m"] == pytest.approx(row["nearest_m"], rel=1e-6)
    assert not row["verified"]
    assert list(zones.columns) == [*schema.table("zones").columns, "geometry"]
    assert zones.geometry.iloc[0].is_valid and zones.crs == tiny_project.places.crs


def test_a_filter_shrinks_the_overload_zone_and_no_other(tiny_project):
    found = [
        separation_zones(
            open_land(with_stations(with_protected(tiny_project, {"filter_rejection_db": db}), [{"at": (0, 500)}])),
            radials=8,
        ).set_index("mechanism")["farthest_m"]
        for db in (0.0, 45.0)
    ]
    assert found[0]["overload"] == pytest.approx(15_500, rel=0.02)
    assert found[1]["overload"] == pytest.approx(87, rel=0.03)
    assert found[0]["adjacent"] == found[1]["adjacent"]


def test_the_table_says_what_clutter_counts(tiny_project, tmp_path):
    """Pairs with P.2108 at an end below its clutter lose more than the zones count: the table says so."""
    (tmp_path / "rules").mkdir()
    base = with_stations(with_protected(tiny_project, {"rx_low_mhz": 3400}), [{"at": (0, 500)}])
    reach = {}
    for kind in ("path", "p2108", "none"):
        text = f'[path_loss]\nclutter = "{kind}"\nsource = "test"\nverified = false\n'
        (tmp_path / "rules" / "miit_266_136.toml").write_text(text, encoding="utf-8")
        zones = separation_zones(dataclasses.replace(base, root=tmp_path), radials=4)
        reach[kind] = (set(zones["clutter"]), zones["farthest_m"].tolist())
    assert [reach[kind][0] for kind in ("path", "p2108", "none")] == [{"path_clutter"}, {"no_p2108"}, {"no_clutter"}]
    assert reach["p2108"][1] == reach["none"][1], "larger than or as large as what the pairs would ask for"
