"""A result built by hand: two counties, hostile and rare names, two phases, two networks."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import LineString, Point, box

from lcsiting import schema
from lcsiting.coverage.budget import link_budget_table
from lcsiting.geo import grid as raster
from lcsiting.model import Coverage, Plan, Project, Raster, Result
from lcsiting.project_file import parse_config

CRS = "EPSG:4548"
X0, Y0 = 400_000.0, 4_030_000.0
NETWORKS = ("移动广电", "电联")
HOSTILE = [
    "</script><script>window.__pwned=1</script>",
    '"><img src=x onerror="window.__pwned=2">',
    "<img src=http://example.invalid/x.png onerror=window.__pwned=3>",
    '=HYPERLINK("http://example.invalid","茌平")',
    "茌平区{{ 7*7 }}莘县'站",
]
UNVERIFIED = [
    "miit_266_136.radius_co_channel", "miit_266_136.measure_filter", "limits.fall_distance", "radio.load",
]  # fmt: skip
RARE = "䶮村𠮷站"  # 䶮 is in GB 18030 but not in GBK, 𠮷 lies outside the basic plane


def make_config(name: str = "聊城市5G基站站址规划(示例)"):
    bands = [dict.fromkeys(("dense_urban", "urban", "suburban"), b) for b in ("n41", "n78")]
    rural = [dict.fromkeys(("village", "rural"), b) for b in ("n28", "n1")]
    networks = [
        {"name": n, "operators": o, "bands": {**b, **r}}
        for n, o, b, r in zip(NETWORKS, (["移动", "广电"], ["电信", "联通"]), bands, rural, strict=True)
    ]
    return parse_config(
        {
            "project": {"name": name, "crs": CRS, "as_of": "2020-05-21"},
            "networks": networks,
            "services": [{"name": "outdoor"}, {"name": "indoor", "indoor": True, "weight": 0.6}],
            "phases": [{"year": 2020, "target": 10}, {"year": 2023, "target": 30}],
        },
        Path("project.toml"),
    )


def layer(name: str, rows: list[dict]) -> gpd.GeoDataFrame:
    frame = pd.DataFrame(rows, columns=[*schema.layer(name).columns, "geometry"])
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=CRS)


def make_layers(size_m: float) -> dict[str, gpd.GeoDataFrame]:
    half = size_m / 2
    west, east = box(X0, Y0, X0 + half, Y0 + size_m), box(X0 + half, Y0, X0 + size_m, Y0 + size_m)
    centre = Point(X0 + size_m * 0.3, Y0 + size_m * 0.45)
    areas = [
        ("city", "371500", "聊城市", box(X0, Y0, X0 + size_m, Y0 + size_m)),
        ("county", "371503", "茌平区", west),
        ("county", "371522", "莘县", east),
        ("zone", "GXQ", HOSTILE[1], centre.buffer(size_m * 0.12)),
        ("urban", "SCQ", "市城区", centre.buffer(size_m * 0.08)),
        ("county_seat", "XCQ", "莘县城区", Point(X0 + size_m * 0.75, Y0 + size_m * 0.6).buffer(size_m * 0.04)),
        ("town", "XZ1", HOSTILE[0], box(X0 + half, Y0, X0 + half + 1500, Y0 + 1500)),
        ("park", "YQ1", "示例园区", box(X0 + 500, Y0 + 500, X0 + 1500, Y0 + 1200)),
    ]
    protected = dict(
        station_id="ES1", name=HOSTILE[2], user_unit="示例台", diameter_m=3.7, rx_low_mhz=3700.0, rx_high_mhz=4200.0,
        lnb_type="wide", height_agl_m=5.0, geometry=Point(X0 + half, Y0 + half), **{"class": "es_rx"},
    )  # fmt: skip
    line = LineString([(X0, Y0 + half), (X0 + half, Y0 + half * 1.1), (X0 + size_m, Y0 + half)])
    return {
        "boundaries": layer(
            "boundaries", [dict(zip(("level", "code", "name", "geometry"), a, strict=True)) for a in areas]
        ),
        "roads": layer("roads", [{"name": HOSTILE[0], "class": "motorway", "geometry": line}]),
        "rail": layer(
            "rail",
            [{"name": "京九", "class": "railway", "geometry": LineString([(X0, Y0), (X0 + size_m, Y0 + size_m)])}],
        ),
        "water": layer(
            "water",
            [{"name": "徒骇河", "kind": "river", "geometry": LineString([(X0, Y0 + size_m), (X0 + size_m, Y0)])}],
        ),
        "protected_stations": layer("protected_stations", [protected]),
    }


def make_stations(n_places: int, size_m: float) -> gpd.GeoDataFrame:
    """Two stations a place; a tenth on air, a fifth of the rest in 2020; some places split over two phases."""
    rng = np.random.default_rng(7)
    x, y = X0 + rng.uniform(200, size_m - 200, n_places), Y0 + rng.uniform(200, size_m - 200, n_places)
    lonlat = gpd.GeoSeries.from_xy(x, y, crs=CRS).to_crs("EPSG:4490")
    rows = []
    for i in range(n_places):
        name = HOSTILE[i] if i < len(HOSTILE) else RARE if i == len(HOSTILE) else f"示例站址{i}号莘县"
        for k, network in enumerate(NETWORKS):
            on_air = i % 10 == 0
            year = 2020 if i % 5 == 1 and not (i % 25 == 1 and k) else 2023
            rows.append(
                {
                    "rank": 0 if on_air else 1, "station_id": f"GG{i:05d}-N{k + 1}", "place_id": f"GG{i:05d}",
                    "name": name, "network": network, "band": ("n41", "n78")[k], "phase_year": 0 if on_air else year,
                    "status": "on_air" if on_air else "planned", "tier": "rural" if i % 3 else "county",
                    "basis": "coverage", "gain_people": float(rng.uniform(0, 5000)), "gain_area_km2": 0.1234567,
                    "county_code": "371503" if x[i] < X0 + size_m / 2 else "371522",
                    "county": "茌平区" if x[i] < X0 + size_m / 2 else "莘县", "source": "public",
                    "host_kind": "government", "host_rank": 1, "action": "new", "owner": f"示例单位{i % 400}",
                    "cost": 1.0, "height_agl_m": 24.0, "azimuths_deg": "0/120/240", "tilts_deg": "6/6/6",
                    "excluded_deg": "",
                    "morphology": "village", "mode": "site_tilt" if k and i == 4 else "",
                    "coordination": "coordinate" if k else "outside", "coordination_verified": False,
                    "reasons": f"新增覆盖{i * 13 % 5000}人;依托政府机关;距现网{i % 900} m" * (12 if i == 7 else 1),
                    "x_m": x[i], "y_m": y[i], "lon": lonlat[i].x, "lat": lonlat[i].y,
                }
            )  # fmt: skip
    frame = pd.DataFrame(rows).sort_values(["rank", "phase_year"], kind="stable").reset_index(drop=True)
    planned = frame["rank"] > 0
    frame.loc[planned, "rank"] = np.arange(1, planned.sum() + 1)
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame.x_m, frame.y_m), crs=CRS)


def make_places(stations: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    places = stations.drop_duplicates("place_id").rename(columns={"network": "networks", "band": "bands"})
    return places.assign(stations=2).reset_index(drop=True)


def make_coverage(year: int, grid, seed: int) -> Coverage:
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(grid.rows // 20 + 2, grid.cols // 20 + 2)).astype(np.float32)
    smooth = np.kron(coarse, np.ones((20, 20), dtype=np.float32))[: grid.rows, : grid.cols]
    layers = {}
    for k, network in enumerate(NETWORKS):
        rsrp = (-100 + 12 * smooth + rng.normal(size=smooth.shape) + k).astype(np.float32)
        rsrp[:3, :] = np.nan
        outdoor = (rsrp > -105).astype(np.uint8)
        indoor = (rsrp > -95).astype(np.uint8)
        outdoor[:3, :] = indoor[:3, :] = 255
        arrays = {
            "rsrp_dbm": rsrp, "sinr_db": rsrp + 110, "best_sector": (rsrp > -120).astype(np.int32) - 1,
            "overlap": np.ones_like(outdoor), "outdoor": outdoor, "indoor": indoor,
        }  # fmt: skip
        layers[network] = {name: Raster(grid, array=array) for name, array in arrays.items()}
    statistics = pd.DataFrame(
        [
            (year, "all", s, "county", "371503", "茌平区", 100.0, 5e5, 90.0, 4.5e5, 0.9, 0.9)
            for s in ("outdoor", "indoor")
        ],
        columns=list(schema.table("statistics").columns),
    )
    reach = pd.DataFrame(
        [(year, "village_reach", "all", "莘县", 9, 10, 0.9)], columns=list(schema.table("reach").columns)
    )
    return Coverage(year, layers, pd.DataFrame(), statistics, reach)


def make_tables() -> dict[str, pd.DataFrame]:
    verdicts = [
        (
            "GG00001-N2",
            "ES1",
            "示例地球站",
            "adjacent",
            900.0,
            20000.0,
            np.nan,
            "coordinate",
            "rule",
            False,
            "加装滤波器",
            "",
        ),
        ("GG00001-N1", "ES1", "示例地球站", "adjacent", 900.0, 20000.0, np.nan, "outside", "rule", True, "", ""),
    ]
    eligible = [
        ("GG00002-N1", "farmland", False, 1.0, 0.0, True, "位于永久基本农田"),
        ("GG00003-N1", "farmland", True, 0.0, 0.0, True, ""),
    ]
    refused = [
        ("GG90001-N1", "GG90001", HOSTILE[3], NETWORKS[0], "莘县", "farmland", "位于永久基本农田", 115.9, 36.41),
        ("GG90001-N2", "GG90001", HOSTILE[3], NETWORKS[1], "莘县", "farmland", "位于永久基本农田", 115.9, 36.41),
        ("GG90002-N1", "GG90002", "-1+1", NETWORKS[0], "茌平区", "not_chosen", "+新增覆盖不足", 115.92, 36.42),
    ]
    problems = [("warning", "candidates", "候选.xlsx", "3", "经度", "@缺坐标", "补填")]
    rows = {"verdicts": verdicts, "eligible": eligible, "refused": refused, "problems": problems}
    tables = {name: pd.DataFrame(data, columns=_columns(name)) for name, data in rows.items()}
    both = {
        "rule_verdict": tables["verdicts"]["verdict"],
        "physics_verdict": "",
        "agree": True,
        "yields": "base_station",
    }
    verdicts = tables["verdicts"].assign(**both).reindex(columns=list(schema.table("verdicts").columns))
    return tables | {"verdicts": verdicts}


def _columns(name: str) -> list[str]:
    later = ("loss_db", "rule_verdict", "physics_verdict", "agree", "yields", "principle")
    return [column for column in schema.table(name).columns if name != "verdicts" or column not in later]


def build_result(n_places: int = 60, size_m: float = 12_000.0, resolution_m: float = 100.0) -> Result:
    config, layers, tables = make_config(), make_layers(size_m), make_tables()
    grid = raster.frame((X0, Y0, X0 + size_m, Y0 + size_m), resolution_m, CRS)
    stations = make_stations(n_places, size_m)
    phases = pd.DataFrame(
        [
            (2020, "station", 10, 10, 6, 4, 3, True, 1.66, 0.5, 0.17, 0.7, 8.0),
            (2023, "station", 30, len(stations), n_places, 20, 9, True, 2.0, 0.4, 0.5, 0.95, 25.5),
        ],
        columns=list(schema.table("phases").columns),
    )
    counties = pd.DataFrame(
        [
            (y, c, n, 5e5, 40, 20, 4, 2.0, 0.4, 0.8, 20.0)
            for y in (2020, 2023)
            for c, n in (("371503", "茌平区"), ("371522", "莘县"))
        ],
        columns=list(schema.table("counties").columns),
    )
    places = make_places(stations)
    # As if on air: their bands are made up, and follow no morphology.
    own = stations.drop(columns="geometry").assign(
        on_air=True, place=pd.Index(places["place_id"]).get_indexer(stations["place_id"])
    )
    project = Project(
        config=config, root=Path("nowhere"), layers=layers, grid=grid, dem=None, clutter=None, population=None,
        places=places, stations=own, problems=tables["problems"],
    )  # fmt: skip
    plan = Plan(stations, make_places(stations), phases, counties, tables["refused"])
    return Result(
        project=project, verdicts=tables["verdicts"], eligible=tables["eligible"], plan=plan,
        today=make_coverage(2019, grid, 1), summary={"unverified_rules": UNVERIFIED},
        coverages={2020: make_coverage(2020, grid, 2), 2023: make_coverage(2023, grid, 3)},
        tables={"link_budget": link_budget_table(project)},
    )  # fmt: skip


def make_rings() -> gpd.GeoDataFrame:
    data = {
        "protected_id": ["ES1"],
        "protected_name": [HOSTILE[2]],
        "mechanism": ["adjacent"],
        "radius_m": [2000.0],
        "verified": [False],
    }
    return gpd.GeoDataFrame(data, geometry=[Point(X0 + 6000, Y0 + 6000).buffer(2000)], crs=CRS)


def make_zones() -> gpd.GeoDataFrame:
    centre = Point(X0 + 6000, Y0 + 6000)
    data = {
        "protected_id": "ES1", "protected_name": "示例地球站", "mechanism": ["adjacent", "overload"],
        "nearest_m": [2000.0, 100.0], "farthest_m": [5000.0, 900.0], "verified": [False, True],
    }  # fmt: skip
    return gpd.GeoDataFrame(data, geometry=[centre.buffer(5000), centre.buffer(900)], crs=CRS)
