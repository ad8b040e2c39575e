"""Make the demo city ``data/liaocheng`` from ``scripts/demo/facts.toml``.

Self-made, seeded, the same content on every run. Usage::

    python scripts/make_demo_data.py [--out DIR]

``project.toml`` and ``README.md`` of the folder are written by hand and left alone.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from demo import areas, basis, hosts, land, lists, restricted, write

ROOT = Path(__file__).resolve().parents[1]
EXISTING_ZH = {
    "place_id": "站址编码", "name": "站址名称", "county": "县(市、区)", "lon": "经度", "lat": "纬度",
    "owner": "产权单位", "tower_type": "塔型", "height_agl_m": "挂高(m)", "azimuths_deg": "方位角",
    "free_levels": "空闲平台数", "power_supply": "供电方式", "power_kw": "用电容量(kW)",
    "on_air": "已开通5G", "on_air_year": "5G开通年份",
}  # fmt: skip
INFILL_ZH = {
    "place_id": "编号", "name": "名称", "source": "来源", "county": "县(市、区)", "lon": "经度", "lat": "纬度",
    "host_kind": "依托主体", "owner": "产权单位", "height_agl_m": "高度(m)", "power_supply": "供电方式",
    "cost": "相对造价",
}  # fmt: skip
DEMANDS_ZH = {
    "demand_id": "需求编号", "operator": "运营商", "band": "频段", "priority": "优先级", "year": "需求年份",
    "lon": "经度", "lat": "纬度",
}  # fmt: skip
STATIONS_ZH = {
    "station_id": "台站编号", "name": "台站名称", "user_unit": "使用单位", "licence_no": "执照编号",
    "class": "台站类别", "lon": "经度", "lat": "纬度", "ground_amsl_m": "地面海拔(m)", "height_agl_m": "天线离地高(m)",
    "diameter_m": "天线口径(m)", "gain_dbi": "天线增益(dBi)", "rx_low_mhz": "接收频率下限(MHz)",
    "rx_high_mhz": "接收频率上限(MHz)", "satellite_lon_deg": "卫星轨道经度(°E)",
    "pointing_azimuth_deg": "天线方位角(°)", "pointing_elevation_deg": "天线仰角(°)",
    "noise_temperature_k": "系统噪声温度(K)", "antenna_pattern": "天线方向图", "lnb_type": "高频头类型",
    "filter_rejection_db": "滤波器抑制(dB)", "shielding_db": "屏蔽衰减(dB)", "licensed_since": "许可日期",
    "safe_broadcast": "安全播出", "list_date": "清单日期",
}  # fmt: skip
CANDIDATES = [
    "place_id", "name", "source", "county", "host_kind", "host_rank", "opening", "owner", "height_agl_m",
    "power_supply", "fee_yuan", "cost", "geometry",
]  # fmt: skip


def build() -> dict[str, Any]:
    """The whole city, in memory."""
    facts = basis.facts()
    town_rows = areas.towns(facts)
    boundaries = areas.boundaries(facts, town_rows)
    metres = gpd.GeoDataFrame(
        boundaries.drop(columns="geometry"), geometry=basis.project(boundaries.geometry.to_numpy()), crs=basis.CRS
    )
    lines = {"roads": areas.roads(facts, metres, town_rows), "rail": areas.rail(facts), "water": areas.water(facts)}
    city_m = metres.loc[metres["level"] == "city", "geometry"].iloc[0]
    grid = land.frame(city_m.bounds, 0.0)
    cover, county, points, label = land.land_cover(facts, grid, metres, lines)
    head = land.people(facts, grid, metres, cover, county, label)
    names, codes = ([c[key] for c in facts["counties"]] for key in ("name", "code"))
    villages = land.villages(grid, points, label, head, town_rows, names, codes)
    built_levels = metres["level"].isin(["urban", "county_seat", "town", "park"])
    built = shapely.union_all(metres.loc[built_levels, "geometry"].to_numpy())
    red = restricted.redline(facts, city_m, built, lines["water"])
    spots = shapely.get_coordinates(villages.geometry.to_numpy())
    fields = restricted.farmland(grid, city_m, built, spots, np.bincount(label.ravel())[1:], lines, red)
    special = restricted.special(facts, lines["water"])
    shut = pd.concat([fields, red, special], ignore_index=True)
    city = hosts.City(facts, grid, cover, county, metres, town_rows, villages, lines, shut)
    places = hosts.all_hosts(city)
    dem_frame, height = land.terrain(facts, grid)
    return {
        "boundaries": boundaries, "lines": lines, "grid": grid, "clutter": cover, "population": head,
        "dem": (dem_frame, height), "villages": villages, "farmland": fields, "redline": red, "special": special,
        "hosts": places, "key_places": lists.key_places(city), "demands": lists.demands(city, places),
        "stations": lists.protected_stations(city, places["existing"], dem_frame, height),
    }  # fmt: skip


def _with_lonlat(table: pd.DataFrame, gcj: bool = False) -> pd.DataFrame:
    lon, lat = basis.to_lonlat(table["x"].to_numpy(), table["y"].to_numpy())
    lon, lat = basis.gcj02(lon, lat) if gcj else (lon, lat)
    return table.assign(lon=np.round(lon, 6), lat=np.round(lat, 6))


def _chinese(table: pd.DataFrame, headers: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(table)[list(headers)].rename(columns=headers)


def _write_vectors(city: dict[str, Any], out: Path) -> None:
    write.gpkg(city["boundaries"], out / "boundaries.gpkg", "boundaries")
    villages = city["villages"].set_geometry(
        basis.unproject(city["villages"].geometry.to_numpy()), crs=basis.GEOGRAPHIC
    )
    write.gpkg(villages, out / "villages.gpkg", "villages")
    write.gpkg(city["key_places"], out / "key_places.gpkg", "key_places")
    for name, table in city["lines"].items():
        write.gpkg(table, out / f"{name}.gpkg", name)
    zh = {"kind": "类别", "name": "图斑编号"}
    write.shapefile(city["farmland"].rename(columns=zh), out / "永久基本农田.shp")
    write.shapefile(city["redline"].rename(columns={**zh, "name": "名称"}), out / "生态保护红线.shp")
    special = city["special"].set_geometry(basis.unproject(city["special"].geometry.to_numpy()), crs=basis.GEOGRAPHIC)
    write.geojson(special, out / "文物与景区.geojson")


def _write_places(city: dict[str, Any], out: Path) -> None:
    existing = _with_lonlat(city["hosts"]["existing"], gcj=True)
    notes = ['坐标:GCJ-02(火星坐标),与高德地图一致;读取时须声明 datum = "gcj02"', "站址编码、名称均为示例"]
    write.xlsx(_chinese(existing, EXISTING_ZH), out / "铁塔存量站.xlsx", "存量站址", notes)
    write.gpkg(city["hosts"]["public"][CANDIDATES], out / "公共资源.gpkg", "candidates")
    write.csv(_chinese(_with_lonlat(city["hosts"]["infill"]), INFILL_ZH), out / "新建补点.csv", "utf-8-sig")
    write.csv(_chinese(_with_lonlat(city["demands"]), DEMANDS_ZH), out / "运营商需求.csv", "gbk")
    stations = city["stations"].assign(safe_broadcast=np.where(city["stations"]["safe_broadcast"], "是", "否"))
    write.csv(_chinese(stations, STATIONS_ZH), out / "地球站.csv", "utf-8-sig")


def save(city: dict[str, Any], out: Path) -> None:
    """Write every generated file of the demo folder."""
    out.mkdir(parents=True, exist_ok=True)
    _write_vectors(city, out)
    _write_places(city, out)
    dem_frame, height = city["dem"]
    write.raster(height, dem_frame, out / "dem.tif", "地面高程 m / ground height", 2, None)
    write.raster(city["clutter"], city["grid"], out / "clutter.tif", "地物类别 / clutter class", 1, 0)
    write.raster(city["population"], city["grid"], out / "population.tif", "人/像元 / people per pixel", 3, None)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "liaocheng")
    out = parser.parse_args().out
    start = time.perf_counter()
    save(build(), out)
    size = sum(p.stat().st_size for p in out.iterdir() if p.is_file())
    print(f"{out}: {len(list(out.iterdir()))} files, {size / 1e6:.2f} MB, {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
