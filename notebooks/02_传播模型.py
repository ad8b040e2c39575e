# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 传播模型：公式、剖面、覆盖图
#
# 各模型随距离的损耗；一条地形剖面上的菲涅耳区与绕射点；小范围内 P.1812 与 UMa 的覆盖并列比较；链路预算表。
# 打开环境变量 `LCSITING_PROJECT` 指定的项目（缺省为演示城市聊城，演示数据，非实测）。
# 没有中文字体的电脑上图内文字为英文。

# %%
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import lcsiting as lc
from lcsiting.coverage import statistical
from lcsiting.coverage.budget import link_budget_table
from lcsiting.coverage.sectors import build_sectors, noise_dbm
from lcsiting.coverage.terrain import project_terrain, station_windows
from lcsiting.exporters.style import cjk_font
from lcsiting.geo import grid as raster
from lcsiting.radio import p1812, pathloss

project = lc.open_project(os.environ.get("LCSITING_PROJECT", lc.demo_path()))
font = cjk_font()
plt.rcParams.update({"font.family": [font, "DejaVu Sans"] if font else ["DejaVu Sans"], "axes.unicode_minus": False})


def say(zh: str, en: str) -> str:
    return zh if font else en


# %% [markdown]
# ## 损耗与距离
#
# TR 38.901 的 UMa、UMi、RMa（视距概率加权的平均值，视距与非视距两条细线），自由空间，
# 以及平地上的 P.1812（50 % 时间、50 % 地点，0.25 km 起）。3.45 GHz；站高取各模型标称值。

# %%
distance_m = np.geomspace(10, 5000, 200)
terrain = project_terrain(project)
figure, axis = plt.subplots(figsize=(9, 5))
for name, colour in (("uma", "#0072b2"), ("umi", "#d55e00"), ("rma", "#009e73")):
    model = pathloss.MODELS[name]
    height = model.default_bs_height_m
    axis.semilogx(
        distance_m, model.loss_db(distance_m, 3450.0, bs_height_m=height), color=colour, label=f"{name} ({height:g} m)"
    )
    for state in ("los", "nlos"):
        loss = getattr(pathloss, f"{name}_{state}_db")(distance_m, 3450.0, bs_height_m=height)
        axis.semilogx(distance_m, loss, color=colour, lw=0.6, ls="--" if state == "los" else ":")
free_db = pathloss.free_space(distance_m, 3450.0, bs_height_m=25.0)
axis.semilogx(distance_m, free_db, "k-", lw=1, label=say("自由空间", "free space"))
climate = {"path_latitude_deg": terrain.latitude_deg, "delta_n": terrain.delta_n, "n0": terrain.n0}
asked = {"frequency_mhz": 3450.0, "time_pct": 50.0, "rx_height_agl_m": 1.5, **climate}
flat_m = np.arange(250.0, 5001.0, 50.0)
steps = [np.arange(0, d + 1, 50.0) for d in flat_m]
flat_db = [p1812.loss_db(step, 0 * step, tx_height_agl_m=25.0, **asked) for step in steps]
axis.semilogx(flat_m, flat_db, color="#cc79a7", label=say("P.1812，平地", "P.1812, flat"))
axis.set_xlabel(say("水平距离 (m)", "horizontal distance (m)"))
axis.set_ylabel(say("路径损耗 (dB)", "path loss (dB)"))
axis.invert_yaxis()
axis.grid(alpha=0.3)
axis.legend()
plt.show()

# %% [markdown]
# Okumura–Hata（150–1500 MHz）与 COST-231-Hata（1500–2000 MHz）从 1 km 起有效；
# 地图中更近处外推，不低于自由空间，并逐像元标记、计数。

# %%
hata_m = np.geomspace(1000, 20000, 50)
figure, axis = plt.subplots(figsize=(9, 4))
for area in ("urban", "suburban", "open"):
    axis.semilogx(hata_m / 1e3, pathloss.okumura_hata(hata_m, 773.0, area=area), label=f"Okumura–Hata 773 MHz, {area}")
axis.semilogx(hata_m / 1e3, pathloss.cost231_hata(hata_m, 1900.0), label="COST-231 1900 MHz, urban")
axis.set_xlabel(say("距离 (km)", "distance (km)"))
axis.set_ylabel(say("路径损耗 (dB)", "path loss (dB)"))
axis.invert_yaxis()
axis.grid(alpha=0.3)
axis.legend()
plt.show()

# %% [markdown]
# ## 一条地形剖面
#
# 起点为第一个现网站，终点在 6 km 外起伏最大的方向。图中为地面与地物、考虑等效地球半径后的视线、
# 第一菲涅耳区，以及收发两端的视平线点（Bullington 绕射由这两点的切线确定）。

# %%
stations = project.stations
start = int(np.flatnonzero(stations["on_air"])[0]) if stations["on_air"].any() else 0
origin = project.places.geometry.iloc[stations["place"].iloc[start]]
mast_m, terminal_m, length_m = float(stations["height_agl_m"].iloc[start]), 1.5, 6000.0
along_m = np.linspace(0, length_m, 121)


def heights(bearing_deg: float) -> tuple[np.ndarray, np.ndarray]:
    angle = np.radians(bearing_deg)
    x, y = origin.x + along_m * np.sin(angle), origin.y + along_m * np.cos(angle)
    return (
        raster.sample(terrain.ground, x, y).astype(float),
        terrain.clutter_height_m[raster.sample(terrain.clutter, x, y, fill=0)],
    )


profiles = {bearing: heights(bearing) for bearing in range(0, 360, 10)}
whole = {bearing: pair for bearing, pair in profiles.items() if np.isfinite(pair[0]).all()}
bearing = max(whole, key=lambda b: np.ptp(whole[b][0] + whole[b][1]))
ground_m, clutter_m = whole[bearing]
clutter_m[[0, -1]] = 0.0
details = p1812.loss_db(along_m, ground_m, clutter_m=clutter_m, tx_height_agl_m=mast_m, details=True, **asked)

# %%
radius_m = details["ae"] * 1000.0
bulge_m = along_m * (length_m - along_m) / (2 * radius_m)
surface_m = ground_m + clutter_m + bulge_m
ends_m = ground_m[0] + mast_m, ground_m[-1] + terminal_m
ray_m = np.linspace(*ends_m, len(along_m))
fresnel_m = np.sqrt(299.792458 / 3450.0 * along_m * (length_m - along_m) / length_m)
inner = slice(1, -1)
horizon_tx = 1 + int(np.argmax((surface_m[inner] - ends_m[0]) / along_m[inner]))
horizon_rx = 1 + int(np.argmax((surface_m[inner] - ends_m[1]) / (length_m - along_m[inner])))
figure, axis = plt.subplots(figsize=(10, 4.5))
axis.fill_between(along_m, surface_m.min() - 5, ground_m + bulge_m, color="#b08d57", label=say("地面", "ground"))
axis.fill_between(along_m, ground_m + bulge_m, surface_m, color="#7fae6f", label=say("地物", "clutter"))
axis.plot(along_m, ray_m, "k-", lw=1, label=say("视线", "ray"))
axis.fill_between(
    along_m,
    ray_m - fresnel_m,
    ray_m + fresnel_m,
    color="#0072b2",
    alpha=0.15,
    label=say("第一菲涅耳区", "first Fresnel zone"),
)
for k, text in (
    (horizon_tx, say("发端视平线点", "transmitter's horizon")),
    (horizon_rx, say("收端视平线点", "receiver's horizon")),
):
    axis.plot(along_m[k], surface_m[k], "v", ms=9, label=text)
axis.set_xlabel(say("距发射端 (m)", "from the transmitter (m)"))
axis.set_ylabel(say("高程 (m，含地球凸起)", "height (m, Earth bulge included)"))
sight = say("裸地判为", "by bare ground") + " " + details["path"]
axis.set_title(f"P.1812: Lb = {details['Lb']:.1f} dB, Ld50 = {details['Ld50']:.1f} dB ({sight})")
axis.legend(ncol=3, fontsize=8)
plt.show()

# %% [markdown]
# ## P.1812 与 UMa 的覆盖图
#
# 同一批宏站、同一天线与功率，只换模型。P.1812 在 0.25 km 以内由近场模型（自由空间加渐增的附加损耗）给出，无空洞。

# %%
band = str(stations["band"].iloc[start])
place = stations["place"].to_numpy()
x_m, y_m = project.places.geometry.x.to_numpy()[place], project.places.geometry.y.to_numpy()[place]
half_m = 2500.0
near = (np.abs(x_m - origin.x) < 2 * half_m) & (np.abs(y_m - origin.y) < 2 * half_m)
chosen = np.flatnonzero(near & (stations["band"] == band).to_numpy() & ~stations["micro"].to_numpy())[:60]
area = (origin.x - half_m, origin.y - half_m, origin.x + half_m, origin.y + half_m)
frame = raster.window(
    raster.Raster(project.grid, array=np.zeros((project.grid.rows, project.grid.cols), np.uint8)), area
).grid
maps = {}
for model in ("uma", "p1812"):
    same = replace(project, stations=stations.assign(model=model))
    sectors = build_sectors(same, chosen)
    windows = station_windows(sectors, terrain, frame)
    maps[model] = statistical.best_server(sectors, frame, noise_dbm=noise_dbm(project, band), windows=windows).rsrp_dbm
figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True)
for axis, (model, rsrp_dbm) in zip(axes, maps.items(), strict=True):
    image = axis.imshow(rsrp_dbm, vmin=-110, vmax=-60, extent=(-half_m, half_m, -half_m, half_m), cmap="viridis")
    axis.set_title(f"{model.upper()}  {band}  {say('平均', 'mean')} {np.nanmean(rsrp_dbm):.1f} dBm")
    axis.set_xlabel("m")
figure.colorbar(image, ax=axes, label="SSB RSRP (dBm)")
plt.show()

# %% [markdown]
# ## 链路预算
#
# 每个网络、区域类型与业务一行；功率、增益、穿透损耗等缺省值见规则表，可在项目的 `rules/` 中改。

# %%
link_budget_table(project).round(1)
