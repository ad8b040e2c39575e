"""A tiny city, built in code: two counties, one urban area, a county seat, a town, villages, fields."""

import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import LineString, Point, box

from lcsiting import schema
from lcsiting.config import Config
from lcsiting.geo import grid as raster
from lcsiting.inputs import derive
from lcsiting.model import Project, Raster
from lcsiting.project_file import parse_config

CRS = "EPSG:4548"
X0, Y0, SIZE = 400_000.0, 4_030_000.0, 12_000.0
HOSTILE = '=1+1</script><img src=x onerror="window.__pwned=1">茌平'

RAW_CONFIG = {
    "project": {"name": "微型示例", "crs": CRS, "resolution_m": 50},
    "networks": [
        {
            "name": "移动广电",
            "operators": ["移动", "广电"],
            "bands": {"dense_urban": "n41", "urban": "n41", "suburban": "n41", "village": "n28", "rural": "n28"},
        },
        {
            "name": "电联",
            "operators": ["电信", "联通"],
            "bands": {"dense_urban": "n78", "urban": "n78", "suburban": "n78", "village": "n1", "rural": "n1"},
        },
    ],
    "services": [
        {"name": "outdoor", "rsrp_dbm": -105, "reliability_pct": 95, "weight": 1.0},
        {"name": "indoor", "rsrp_dbm": -105, "reliability_pct": 95, "indoor": True, "weight": 0.6},
    ],
    "phases": [
        {"year": 2020, "target": 12, "unit": "station"},
        {"year": 2023, "target": 40, "unit": "station"},
    ],
    "screening": {"enforce_unverified": ["farmland", "redline"]},
    "targets": [
        {"area": "市城区", "grade": "full", "by": 2020},
        {"area": "县城区/园区", "grade": "quality", "by": 2020},
    ],
}


def tiny_config(**changes) -> Config:
    """The tiny city's project file, with whole sections replaced."""
    return parse_config({**RAW_CONFIG, **changes}, Path("project.toml"))


def _frame(layer: str, rows: list[dict]) -> gpd.GeoDataFrame:
    columns = [*schema.layer(layer).columns, "geometry"]
    frame = pd.DataFrame(rows, columns=columns) if rows else pd.DataFrame(columns=columns)
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=CRS)


def _boundaries() -> gpd.GeoDataFrame:
    half = X0 + SIZE / 2
    counties = [
        dict(level="county", code="371502", name="东昌府区", population=60_000, geometry=box(X0, Y0, half, Y0 + SIZE)),
        dict(
            level="county",
            code="371503",
            name="茌平区",
            population=20_000,
            geometry=box(half, Y0, X0 + SIZE, Y0 + SIZE),
        ),
    ]
    others = [
        dict(level="city", code="371500", name="聊城市", population=80_000, geometry=box(X0, Y0, X0 + SIZE, Y0 + SIZE)),
        dict(level="urban", code="SCQ", name="市城区", geometry=box(X0 + 1000, Y0 + 1000, X0 + 5000, Y0 + 4000)),
        dict(
            level="county_seat",
            code="371503X",
            name="茌平城区",
            geometry=box(half + 1000, Y0 + 6000, half + 3000, Y0 + 8000),
        ),
        dict(level="town", code="371502101", name="示例镇", geometry=box(X0 + 2000, Y0 + 8000, X0 + 3000, Y0 + 9000)),
        dict(level="park", code="YQ01", name="示例园区", geometry=box(half + 3500, Y0 + 6000, half + 4500, Y0 + 7000)),
    ]
    return _frame("boundaries", counties + others)


def _clutter(grid) -> np.ndarray:
    areas = _boundaries().set_index("level").geometry
    core = areas["urban"].buffer(-700)
    villages = [Point(X0 + x, Y0 + y).buffer(250) for x, y in VILLAGES]
    shapes = [*villages, areas["town"], areas["park"], areas["county_seat"], areas["urban"], core]
    codes = [3] * len(villages) + [4, 7, 5, 5, 6]
    return raster.rasterize(shapes, codes, grid, "uint8", fill=2)


VILLAGES = [(500, 6000), (1500, 11000), (4500, 7000), (5200, 10500), (7500, 2000), (10500, 1500), (11000, 10500)]
PEOPLE_BY_CLASS = {2: 0.05, 3: 15.0, 4: 10.0, 5: 25.0, 6: 60.0, 7: 5.0}


def _existing() -> list[dict]:
    points = [
        (1500, 1500),
        (2500, 2500),
        (4200, 3200),
        (7800, 7000),
        (2500, 8500),
        (7500, 2100),
        (5200, 10400),
        (9800, 6500),
    ]
    on_air = ["移动:n41;电信:n78", "移动:n41", "", "电信:n78", "", "", "", ""]
    return [
        dict(
            place_id=f"LC{i:03d}",
            name=f"示例存量站{i}",
            owner="中国铁塔聊城分公司",
            tower_type="落地塔",
            height_agl_m=30.0,
            free_levels=i % 3,
            power_supply="direct",
            power_kw=10.0,
            on_air=air,
            on_air_year=2019 if air else None,
            geometry=Point(X0 + x, Y0 + y),
        )
        for i, ((x, y), air) in enumerate(zip(points, on_air, strict=True))
    ]


def _candidates() -> list[dict]:
    kinds = ["government", "school", "hospital", "municipal", "industry", "street_pole", "residential", "new_tower"]
    rng = np.random.default_rng(20)
    rows = []
    for i in range(32):
        x, y = rng.uniform(300, SIZE - 300, 2) if i >= 12 else rng.uniform((1000, 1000), (5000, 4000))
        kind = kinds[i % len(kinds)]
        rows.append(
            dict(
                place_id=f"GG{i:03d}",
                name=HOSTILE if i == 5 else f"示例资源{i}",
                source="infill" if kind == "new_tower" else "public",
                host_kind=kind,
                opening="refused" if i == 9 else "open",
                owner="示例单位",
                power_supply="direct",
                fee_yuan=0.0,
                geometry=Point(X0 + round(x), Y0 + round(y)),
            )
        )
    return rows


def _others() -> dict[str, gpd.GeoDataFrame]:
    farmland = box(X0 + 8500, Y0 + 500, X0 + 11500, Y0 + 5500)
    stations = [
        dict(
            station_id="ES1",
            name="示例地球站",
            user_unit="示例台",
            **{"class": "es_rx"},
            diameter_m=3.7,
            rx_low_mhz=3700,
            rx_high_mhz=4200,
            satellite_lon_deg=115.5,
            lnb_type="wide",
            height_agl_m=5.0,
            geometry=Point(X0 + 3000, Y0 + 2000),
        )
    ]
    return {
        "villages": _frame(
            "villages",
            [
                dict(
                    name=f"示例村{i}",
                    town="示例镇",
                    county="东昌府区" if x < SIZE / 2 else "茌平区",
                    geometry=Point(X0 + x, Y0 + y),
                )
                for i, (x, y) in enumerate(VILLAGES)
            ],
        ),
        "key_places": _frame(
            "key_places",
            [
                dict(
                    name="示例医院",
                    kind="hospital",
                    scenario=5,
                    indoor=True,
                    weight=1.0,
                    geometry=Point(X0 + 2500, Y0 + 2600),
                ),
                dict(
                    name="示例景区",
                    kind="scenic",
                    scenario=3,
                    indoor=False,
                    weight=1.0,
                    geometry=box(X0 + 4000, Y0 + 9000, X0 + 4600, Y0 + 9500),
                ),
            ],
        ),
        "demands": _frame("demands", []),
        "roads": _frame(
            "roads",
            [
                {
                    "name": "示例高速",
                    "class": "motorway",
                    "geometry": LineString([(X0, Y0 + 5500), (X0 + SIZE, Y0 + 5600)]),
                }
            ],
        ),
        "rail": _frame(
            "rail",
            [
                {
                    "name": "示例铁路",
                    "class": "railway",
                    "geometry": LineString([(X0 + 6500, Y0), (X0 + 6500, Y0 + SIZE)]),
                }
            ],
        ),
        "water": _frame("water", []),
        "restricted": _frame("restricted", [dict(kind="farmland", name="示例图斑1", geometry=farmland)]),
        "protected_stations": _frame("protected_stations", stations),
    }


def build_tiny_project(config: Config | None = None) -> Project:
    """Assemble the tiny city the way ``open_project`` does, without files."""
    config = config or tiny_config()
    root = Path("tiny")
    layers = {
        "boundaries": _boundaries(),
        "existing": _frame("existing", _existing()),
        "candidates": _frame("candidates", _candidates()),
        **_others(),
    }
    grid = raster.frame(tuple(layers["boundaries"].total_bounds), config.project.resolution_m, CRS)
    classes = _clutter(grid)
    people = np.vectorize(PEOPLE_BY_CLASS.get)(classes) * (grid.resolution_m / 100.0) ** 2
    clutter = Raster(grid, array=classes)
    dem_grid = raster.frame(tuple(layers["boundaries"].total_bounds), 100.0, CRS)
    places = derive.derive_places(config, root, layers, clutter, grid)
    return Project(
        config=config,
        root=root,
        layers=layers,
        grid=grid,
        dem=Raster(dem_grid, array=np.full((dem_grid.rows, dem_grid.cols), 35, dtype=np.int16)),
        clutter=clutter,
        population=Raster(grid, array=people.astype(np.float32)),
        places=places,
        stations=derive.derive_stations(config, root, places),
        problems=pd.DataFrame(columns=list(schema.table("problems").columns)),
    )


SMALL_COUNTY = "371524"  # 东阿县


def cut_county(project: Project, code: str, folder: Path) -> Path:
    """Write one county of a project as a project of its own; returns its ``project.toml``."""
    boundaries = project.layers["boundaries"]
    county = boundaries.loc[boundaries["code"] == code, "geometry"].iloc[0]
    sources = []
    for name, layer in project.layers.items():
        inside = layer[
            layer.representative_point().within(county.buffer(20_000 if name == "protected_stations" else 0))
        ]
        if name == "boundaries":
            inside = inside[inside["level"] != "city"]
        if len(inside):
            inside.to_file(folder / f"{name}.gpkg", driver="GPKG")
            sources.append(f'{name} = "{name}.gpkg"')
    for name in ("dem", "clutter", "population"):
        part = raster.window(getattr(project, name), county.buffer(2_000).bounds)
        raster.write_raster(folder / f"{name}.tif", part)
        sources.append(f'{name} = "{name}.tif"')
    text = (project.root / "project.toml").read_text(encoding="utf-8")
    text = re.sub(r"\[layers\].*?(?=\[\[networks\]\])", "[layers]\n" + "\n".join(sources) + "\n\n", text, flags=re.S)
    text = text.replace("target = 1500", "target = 100").replace("target = 10000", "target = 600")
    path = folder / "project.toml"
    path.write_text(text, encoding="utf-8")
    return path
