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
# # 站址排序：差多少、为什么、换谁、怎么迁
#
# 排序给出名次，还要能回答四个问题：离最优还差多少（上界曲线）；某处为什么没有入选、需求由谁承接；
# 站址落空换哪里、损失多少；拆迁时先建哪里。项目由环境变量 `LCSITING_PROJECT` 指定（缺省为演示城市，演示数据，非实测）。

# %%
import dataclasses
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import lcsiting as lc
from lcsiting.siting import dual, explain, ranking
from lcsiting.siting.replace import replacements

plt.rcParams["font.sans-serif"] = [
    "Microsoft YaHei", "SimHei", "PingFang SC", "WenQuanYi Micro Hei", "Noto Sans CJK SC", "DejaVu Sans"
]  # fmt: skip
plt.rcParams["axes.unicode_minus"] = False
project = lc.open_project(os.environ.get("LCSITING_PROJECT", lc.demo_path()))
switches = project.config.ranking.model_copy(update={"certificate": True})  # [ranking] certificate = true
project = dataclasses.replace(project, config=project.config.model_copy(update={"ranking": switches}))
result = lc.run(project, progress=False)
plan, cover = result.plan, result.cover
plan.phases[["year", "stations", "places", "covered_weight_share", "cost"]]

# %% [markdown]
# ## 覆盖曲线与上界曲线
#
# 实线是本方案前 k 个基站的加权覆盖率；虚线是**任何** k 个基站都超不过的上界（在同一候选与同一覆盖矩阵上，
# 由一组对偶乘子得到，任何人都可用 `lcsiting.siting.dual.verify_certificate` 复核）。
# 点线是同一候选不分层级、只按覆盖择优的名次：它与实线之差是“层级先行”的代价；
# 它与虚线之差里，还有一部分来自现网在用站必须计入（虚线没有这条约束）。

# %%
order = pd.Index(cover.station_ids).get_indexer(plan.stations["station_id"])
on_air = int((plan.stations["status"] == "on_air").sum())
ends = [int((plan.stations["phase_year"] <= year).sum()) for year in plan.phases["year"]]
matrix = (cover.indptr, cover.indices)
targets = sorted({on_air + (end - on_air) * part // 4 for end in ends for part in (1, 2, 4)})
free = ranking.rank_cover(matrix, cover.row_weight, phases=targets, locked=order[:on_air], effort="bound")
proofs = [free.dual]
if plan.certificate and plan.certificate["matrix"] == free.dual.matrix:  # counted in stations, on this cover
    proofs.append(plan.certificate["multipliers"])
curves = [
    dual.bound_curve(proof, matrix, cover.row_weight, phase) for proof in proofs for phase in range(len(proof.phases))
]
total = cover.row_weight.sum()
best_possible = np.minimum.reduce(curves) / total

figure, axes = plt.subplots(figsize=(7, 4))
k = np.arange(1, len(plan.stations) + 1)
axes.plot(k, plan.stations["cumulative_share"], label="本方案（层级先行）")
axes.plot(np.arange(1, len(free.order) + 1), np.cumsum(free.gain) / total, ":", label="只按覆盖择优")
axes.plot(k, best_possible[1 : len(k) + 1], "--", label="上界：任何 k 个基站")
for year, end in zip(plan.phases["year"], ends, strict=True):
    axes.axvline(end, color="0.7", linewidth=0.8)
    axes.text(end, 1.0, f"{year}年 ", ha="right", va="top", color="0.4")
axes.set(xlabel="基站数（个）", ylabel="加权覆盖率", ylim=(0, 1.02), title="覆盖曲线与上界曲线")
axes.legend(loc="lower right")
plt.show()
share = plan.stations["cumulative_share"].to_numpy()
pd.DataFrame(
    {
        "年份": plan.phases["year"],
        "本方案": [share[end - 1] for end in ends],
        "上界": [best_possible[end] for end in ends],
        "差距(%)": [100 * (1 - share[end - 1] / best_possible[end]) for end in ends],
    }
).round(4)

# %% [markdown]
# 方案自带的证书（现网必须计入，逐期与各期联合），以及独立复核是否一致：

# %%
proof = plan.certificate
print(
    "未计算证书"
    if proof is None
    else f"{proof['scope']}；复核一致：{proof['checked']}；联合差距 {proof['joint']['gap_pct']}%"
)
pd.DataFrame(proof["phases"] if proof else [])

# %% [markdown]
# ## 分期图

# %%
figure, axes = plt.subplots(figsize=(7, 7))
boundaries = project.layers["boundaries"]
boundaries[boundaries["level"].isin(["county", "city"])].boundary.plot(ax=axes, color="0.6", linewidth=0.8)
looks = {0: ("0.2", "现网")} | {
    year: (f"C{i}", f"{year}年") for i, year in enumerate(plan.phases["year"])
}  # fmt: skip
for year in sorted(looks, reverse=True):
    color, label = looks[year]
    rows = plan.stations[plan.stations["phase_year"] == year]
    axes.scatter(rows["x_m"], rows["y_m"], s=6, color=color, label=f"{label} {len(rows)} 个")
axes.set_aspect("equal")
axes.set_axis_off()
axes.legend(loc="upper right")
plt.show()

# %% [markdown]
# ## 为什么没有入选
#
# 三处未入选站址：被规则筛除的、需求已被覆盖的、排在名额之后的（有哪种说哪种），以及各自的需求由谁承接。

# %%
why_not = result.tables["why_not"]
refused = why_not[why_not["status"] == "refused"]
nowhere = refused[~refused["place_id"].isin(plan.places["place_id"])]  # no network of the place is in the plan
refused = nowhere if nowhere["place_id"].nunique() >= 3 else refused
kinds = [
    refused[refused["rule"] != "not_selected"],
    refused[(refused["rule"] == "not_selected") & (refused["left_weight"] == 0)],
    refused[(refused["rule"] == "not_selected") & (refused["left_weight"] > 0)],
]
picked = [rows.sort_values("demand_weight")["place_id"].iloc[-1] for rows in kinds if len(rows)]
picked += [place for place in refused["place_id"].unique() if place not in picked][: 3 - len(picked)]
for place in picked:
    print(f"{place} {refused.loc[refused['place_id'] == place, 'name'].iloc[0]}")
    print(explain.describe(result.tables, place), "\n")

# %%
refused[refused["place_id"].isin(picked)][
    ["place_id", "network", "rule", "demand_weight", "taker_place_id", "taker_share", "left_weight"]
]

# %% [markdown]
# 入选的站各自新增什么、缺了它损失什么、谁可以替它：

# %%
result.tables["why_chosen"][
    ["rank", "place_id", "network", "gain_people", "key_place_names", "lost_people", "stand_ins"]
].head(8)

# %% [markdown]
# ## 站址落空，两个方案对照
#
# 假设最先建的三处新址业主都不同意：其余站址、分期、名次一概不动，只换这三处，再与原方案对照。

# %%
live = set(plan.stations.loc[plan.stations["status"] == "on_air", "place_id"])
failed = [place for place in plan.places["place_id"] if place not in live][:3]
second_plan = lc.replace(
    project, cover, plan, failed, eligible=result.eligible, verdicts=result.verdicts, rule="owner_refused"
)
replacements(project, cover, plan, second_plan).drop(columns=["failed_id", "substitute_id"])

# %%
second = dataclasses.replace(
    result,
    plan=second_plan,
    coverages={year: lc.predict_coverage(project, second_plan, year) for year in result.coverages},
)
found = lc.compare(result, second)
found["changes"][["change", "station_id", "name", "network", "year_a", "year_b", "rank_a", "rank_b"]]

# %%
counties = found["county_changes"].query("network == 'all'")
counties[["year", "county", "service", "people_share_a", "people_share_b", "people_change", "stations_b"]]

# %% [markdown]
# ## 拆迁：先建后拆
#
# 取缺了损失最大的一处站址，假设其周围 150 米在末期次年的年中拆除：损失多少、备选怎么排、替换站是否赶在拆除之前。

# %%
lost = result.tables["why_chosen"].groupby("place_id")["lost_weight"].sum()
site = project.places.set_index("place_id").geometry[lost.idxmax()].buffer(150)
removal = f"{plan.phases['year'].iloc[-1] + 1}-06-30"
told = lc.relocate(project, cover, plan, site, removal)
told["relocation_affected"]

# %%
told["relocation_candidates"].head(6)

# %% [markdown]
# 没有开通日期的备选通不过“先建后拆”核查；给出日期后重新核查。

# %%
first = told["relocation_candidates"]["station_id"].head(6)
in_time = dict.fromkeys(first, f"{plan.phases['year'].iloc[-1] + 1}-05-31")
checked = lc.relocate(project, cover, plan, site, removal, replacements=in_time)
pd.concat({"只有方案": told["relocation_check"], "给出日期": checked["relocation_check"]})
