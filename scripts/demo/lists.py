"""Lists other people hand in: key places, operators' demands, protected earth stations."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely import box

from .areas import SHORT
from .basis import CRS, stream, to_lonlat, to_xy
from .hosts import City, strata
from .land import Frame

DEMAND_SPOTS = 640
DEMANDS = 1500


def key_places(city: City) -> gpd.GeoDataFrame:
    """Places the document names, the parks, and examples for every one of its ten fields."""
    rng = stream("key_places")
    rows = []
    for place in city.facts["key_places"]:
        x, y = (round(float(v), 1) for v in to_xy(*place["at"]))
        half = place.get("size_m", 0) / 2
        shape = box(x - half, y - half, x + half, y + half) if half else shapely.Point(x, y)
        indoor = place.get("indoor", False)
        rows.append((place["name"], place["kind"], place["scenario"], indoor, 2.0, place["confidence"], shape))
    parks = city.areas[city.areas["level"] == "park"]
    for fact, shape in zip(city.facts["parks"], parks.geometry, strict=True):
        scenario = fact.get("scenario", 1)
        kind = "农业园区" if scenario == 4 else "产业园区"
        rows.append((fact["name"], kind, scenario, False, 1.5, fact.get("confidence", "L"), shape))
    weight = strata(city)
    for scenario, kind, count, indoor, where in city.facts["generated"]["key_places"]:
        row, col = np.nonzero(weight[where])
        chance = weight[where][row, col]
        pick = rng.choice(row.size, count, replace=False, p=chance / chance.sum())
        x, y = city.grid.centres(row[pick], col[pick])
        for k in range(count):
            rows.append((f"示例{kind}{k + 1:02d}", kind, scenario, indoor, 1.0, "L", shapely.Point(x[k], y[k])))
    columns = ["name", "kind", "scenario", "indoor", "weight", "confidence", "geometry"]
    return gpd.GeoDataFrame(rows, columns=columns, geometry="geometry", crs=CRS)


def demands(city: City, hosts: dict[str, gpd.GeoDataFrame]) -> pd.DataFrame:
    """What the operators ask for: spots near hosts, up to four operators at a spot within 120 m."""
    rng = stream("demands")
    old = hosts["existing"]
    chance = old["where"].map({"urban": 3.0, "seat": 2.6, "town": 1.6, "park": 1.5, "road": 0.8, "village": 0.6})
    chance = np.where(old["on_air"] != "", 0.4, 1.0) * chance.to_numpy()
    spots = rng.choice(len(old), DEMAND_SPOTS, replace=False, p=chance / chance.sum())
    x, y = old["x"].to_numpy()[spots], old["y"].to_numpy()[spots]
    rural = old["where"].isin(["village", "road"]).to_numpy()[spots]
    rows = []
    while len(rows) < DEMANDS:
        k = len(rows) % DEMAND_SPOTS if len(rows) < DEMAND_SPOTS else int(rng.integers(DEMAND_SPOTS))
        operator = str(rng.choice(["移动", "电信", "联通", "广电"], p=[0.40, 0.27, 0.25, 0.08]))
        band = {"移动": "n28" if rural[k] else "n41", "广电": "n28"}.get(operator, "n1" if rural[k] else "n78")
        distance, angle = rng.uniform(5, 120), rng.uniform(0, 2 * np.pi)
        year = int(rng.choice([2020, 2021, 2022, 2023], p=[0.1, 0.2, 0.3, 0.4] if rural[k] else [0.45, 0.25, 0.2, 0.1]))
        at = x[k] + distance * np.cos(angle), y[k] + distance * np.sin(angle)
        rows.append((operator, band, int(rng.integers(1, 4)), year, *at))
    out = pd.DataFrame(rows, columns=["operator", "band", "priority", "year", "x", "y"])
    out.insert(0, "demand_id", [f"XQ{k + 1:05d}" for k in range(len(out))])
    return out


def look_angles(lon: float, lat: float, satellite_lon: float) -> tuple[float, float]:
    """Azimuth (clockwise from north) and elevation of a geostationary satellite, spherical Earth, degrees."""
    d, phi = np.deg2rad(satellite_lon - lon), np.deg2rad(lat)
    cos_c = np.cos(phi) * np.cos(d)
    elevation = np.arctan2(cos_c - 6378.137 / 42164.0, np.sqrt(1 - cos_c**2))
    azimuth = np.arctan2(np.sin(d), -np.sin(phi) * np.cos(d))
    return round(float(np.rad2deg(azimuth)) % 360, 1), round(float(np.rad2deg(elevation)), 1)


def _ordinary(city: City) -> list[dict[str, Any]]:
    """Twenty-four stations such as a city has: broadcasters, cable headends, weather, emergency, banks."""
    rows: list[dict[str, Any]] = []
    for county in city.facts["counties"]:
        lon, lat = county["seat"]
        short = SHORT[county["name"]]
        at = (lon + 0.012, lat + 0.004) if county["code"] == "371502" else (lon + 0.006, lat - 0.003)
        rows.append({"name": f"示例{short}广播电视台地球站", "at": at, "sat": "中星6E", "d": 4.5})
        if county["code"] != "371502":
            rows.append(
                {"name": f"示例{short}广电网络前端地球站", "at": (lon - 0.008, lat + 0.006), "sat": "中星6D", "d": 3.7}
            )
    more = [
        ("示例市广电网络前端地球站", (115.9865, 36.4685), "中星6D", 6.2),
        ("示例市气象局地球站", (115.992, 36.437), "亚太7号", 3.0),
        ("示例临清气象局地球站", (115.716, 36.851), "亚太7号", 2.4),
        ("示例莘县气象局地球站", (115.652, 36.246), "亚太7号", 2.4),
        ("示例应急指挥地球站", (116.012, 36.470), "亚太6C", 3.0),
        ("示例金融数据地球站", (115.972, 36.470), "亚洲5号", 3.7),
        ("示例高校卫星教育地球站", (116.0105, 36.4315), "中星12号", 3.0),
        ("示例卫星监测站", (115.905, 36.515), "亚洲7号", 4.5),
        ("示例高唐转播台地球站", (116.262, 36.905), "中星6C", 3.0),
    ]
    rows += [{"name": n, "at": at, "sat": sat, "d": d} for n, at, sat, d in more]
    return rows


def _cases(city: City, old: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """The four constructed coordination cases."""
    cases = city.facts["cases"]
    near = np.array(to_xy(*cases["hopeless"]["near"]))
    idle = old[(old["where"] == "urban") & (old["on_air"] == "") & old["height_agl_m"].notna()]
    mast = idle.iloc[int(np.argmin(np.hypot(idle["x"] - near[0], idle["y"] - near[1])))]
    roof = tuple(float(v) for v in to_lonlat(mast["x"] + 18, mast["y"] + 17))
    co = {"low": 3400.0, "lnb": "wide", "filter": None, "shield": None}
    return [
        {"name": "示例扩展C波段地球站", "at": cases["extended"]["at"], "sat": "亚洲7号", "d": 4.5} | co,
        {"name": "示例市广播电视台地球站(老旧宽带高频头)", "at": cases["legacy"]["at"], "sat": "中星6E", "d": 6.2,
         "lnb": "wide", "filter": None, "shield": None, "since": "2008-09-01", "safe": True},
        {"name": "示例湖西上行地球站(集总干扰)", "at": cases["aggregate"]["at"], "sat": "亚洲9号", "d": 7.3,
         "lnb": "standard", "filter": 45.0, "shield": 20.0, "h": 20.0, "class": "es_txrx", "since": "2012-04-01"},
        {"name": "示例楼顶扩展C波段地球站(无可行措施)", "at": roof, "sat": "亚太7号", "d": 1.8, "shield": 15.0,
         "h": float(mast["height_agl_m"]) + 1.0, "since": "2011-05-01"} | {k: co[k] for k in ("low", "lnb", "filter")},
    ]  # fmt: skip


def protected_stations(city: City, old: gpd.GeoDataFrame, frame: Frame, height: NDArray[np.int16]) -> pd.DataFrame:
    """28 example stations; some fields are left empty on purpose, as in real lists."""
    rng = stream("stations")
    rows = []
    for k, row in enumerate(_ordinary(city) + _cases(city, old)):
        lon, lat = (round(float(v), 6) for v in row["at"])
        satellite = city.facts["satellites"][row["sat"]]
        azimuth, elevation = look_angles(lon, lat, satellite)
        r, c = (int(v) for v in frame.pixel(*to_xy(lon, lat)))
        lnb = row.get("lnb", str(rng.choice(["wide", "standard", "compliant"], p=[0.4, 0.4, 0.2])))
        wave = 299.792458 / 3950.0
        rows.append(
            {
                "station_id": f"ES{k + 1:03d}", "name": row["name"],
                "user_unit": row["name"].split("(")[0].removesuffix("地球站") + "(示例单位)",
                "licence_no": f"示例-{k + 1:04d}", "class": _class(row), "ground_amsl_m": float(height[r, c]),
                "height_agl_m": row.get("h", float(rng.choice([4.0, 5.0, 6.0, 12.0, 18.0]))), "diameter_m": row["d"],
                "gain_dbi": round(float(10 * np.log10(0.6 * (np.pi * row["d"] / wave) ** 2)), 1),
                "rx_low_mhz": row.get("low", 3700.0), "rx_high_mhz": 4200.0, "satellite_lon_deg": satellite,
                "pointing_azimuth_deg": azimuth, "pointing_elevation_deg": elevation,
                "noise_temperature_k": float(rng.choice([80.0, 90.0, 100.0, 110.0])), "antenna_pattern": "s465",
                "lnb_type": lnb,
                "filter_rejection_db": row["filter"] if "filter" in row else _maybe(45.0, 0.3, rng),
                "shielding_db": row["shield"] if "shield" in row else _maybe(10.0, 0.2, rng),
                "licensed_since": row.get("since", f"{rng.integers(2005, 2019)}-{rng.integers(1, 13):02d}-15"),
                "safe_broadcast": row.get("safe", "广播电视台" in row["name"] or "转播台" in row["name"]),
                "list_date": "2020-03-31", "lon": lon, "lat": lat,
            }
        )  # fmt: skip
    return _with_gaps(pd.DataFrame(rows))


def _maybe(value: float, share: float, rng: np.random.Generator) -> float:
    return value if rng.random() < share else np.nan


def _class(row: dict[str, Any]) -> str:
    if "监测" in row["name"]:
        return "monitor"
    two_way = "应急" in row["name"] or "金融" in row["name"]
    return row.get("class", "es_txrx" if two_way else "es_rx")


def _with_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Empty fields where a real list would have them; one station younger than the first 5G sites."""
    gaps = {
        "diameter_m": ["ES004", "ES012"],
        "gain_dbi": ["ES004", "ES006", "ES009", "ES012", "ES020"],
        "height_agl_m": ["ES006", "ES014"],
        "noise_temperature_k": ["ES003", "ES006", "ES011", "ES018", "ES024"],
        "antenna_pattern": ["ES002", "ES006", "ES008", "ES015"],
        "lnb_type": ["ES005", "ES010", "ES013"],
        "pointing_azimuth_deg": ["ES007", "ES012", "ES017"],
        "pointing_elevation_deg": ["ES007", "ES012", "ES017"],
        "satellite_lon_deg": ["ES012"],
        "ground_amsl_m": ["ES001", "ES009", "ES016", "ES021"],
        "licensed_since": ["ES008", "ES019"],
    }
    out = table.astype({"licensed_since": object})
    for column, ids in gaps.items():
        out.loc[out["station_id"].isin(ids), column] = None if column in ("lnb_type", "antenna_pattern") else np.nan
    out.loc[out["station_id"] == "ES022", "licensed_since"] = "2020-02-20"
    return out
