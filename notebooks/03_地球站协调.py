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
# # 地球站协调：一个台站、它的协调范围、最不利的十个基站、措施与费用
#
# 打开环境变量 `LCSITING_PROJECT` 指定的项目（缺省为演示城市聊城，演示数据，非实测）。
# 规则结论与计算结论并列给出；凡依据未经核实的数值，表中“依据已核实”为否。

# %%
import os

import matplotlib.pyplot as plt

import lcsiting as lc
from lcsiting import schema
from lcsiting.coordination.procedure import switch_on
from lcsiting.coordination.zones import rule_rings, separation_zones

project = lc.open_project(os.environ.get("LCSITING_PROJECT", lc.demo_path()))
verdicts = lc.coordinate(project)
evaluation = verdicts.evaluation

# %% [markdown]
# 每个受保护台站：全部候选基站都建时，长期干扰（同频＋无用发射）与高频头饱和各需多少衰减。
# 下面的例子取“只有饱和、没有长期干扰”的台站中所需衰减最大的一个（没有就取所需衰减最大的）；
# 也可以直接写 `station = "ES025"`。

# %%
needs = evaluation.budgets.rows.pivot(index=["protected_id", "protected_name"], columns="mechanism", values="needed_db")
needs.sort_values("overload", ascending=False).round(1)

# %%
needed = needs.reset_index("protected_name", drop=True).fillna(0.0)
only_overload = (
    needed[needed["long_term"] <= 0] if "overload" in needed and (needed["long_term"] <= 0).any() else needed
)
station = only_overload.max(axis=1).idxmax()
station

# %% [markdown]
# ## 协调范围
#
# 规则距离（虚线圆）与按地形、参考基站计算的所需隔离范围（实线）；红为同频，橙为邻频，蓝为饱和。

# %%
zones = separation_zones(project, only=[station])
zones.drop(columns="geometry").rename(columns=schema.labels("zones"))

# %%
layer = project.layers["protected_stations"]
here = layer[layer["station_id"] == station].geometry.iloc[0]
figure, axis = plt.subplots(figsize=(6, 6))
colours = {"co_channel": "tab:red", "adjacent": "tab:orange", "overload": "tab:blue"}
rings = rule_rings(project)
for areas, line in ((zones, "-"), (rings[rings["protected_id"] == station], "--")):
    edges = [colours[name] for name in areas["mechanism"]]
    areas.plot(ax=axis, facecolor="none", edgecolor=edges, linestyle=line)
stations = project.places.iloc[project.stations.iloc[evaluation.tx.row]["place"]]
axis.plot(stations.geometry.x, stations.geometry.y, ".", markersize=1, color="0.7")
axis.plot(here.x, here.y, "k^")
axis.set_aspect("equal")
axis.set_xlabel("x_m")
axis.set_ylabel("y_m")
plt.show()

# %% [markdown]
# ## 最不利的十个基站

# %%
mine = verdicts[verdicts["protected_id"].astype(str) == station]
worst = mine.sort_values("margin_db", kind="stable").head(10)
worst.astype({"verdict": object, "mechanism": object}).map(schema.value_label).rename(columns=schema.labels("verdicts"))

# %% [markdown]
# ## 集总预算
#
# 每项预算扣除现网后还可新增多少，以及各基站的贡献（毫瓦）。`enforce = "physics"` 时 `lc.rank` 以此为约束。

# %%
budgets = verdicts.budgets[verdicts.budgets["protected_id"] == station]
budgets.map(schema.value_label).rename(columns=schema.labels("budgets")).T

# %%
brought = verdicts.contributions.query("protected_id == @station").nlargest(10, "share")
brought.map(schema.value_label).rename(columns=schema.labels("contributions"))

# %% [markdown]
# ## 措施与费用
#
# 台站侧与基站侧措施一并求最小费用；仍不满足时给出须取消的基站、损失的覆盖和限值放宽 1 dB 的价值。
# 费用为相对值（新建一个基站为 1）；谁承担按规定列出。先只看这一个台站：

# %%
solved = lc.remedies(project, evaluation, only=[station])
solved.stations.map(schema.value_label).rename(columns=schema.labels("remedies")).T

# %%
solved.modes.head(10).rename(columns=schema.labels("remedy_modes"))

# %% [markdown]
# ## 所有台站一起求解
#
# 一个基站常同时影响几个台站：联合求解时每个基站只有一种方式，费用只计一次。
# 图中每个台站一条：全部候选基站都建时所需衰减（两种机理中大的；某个方案的见其“所需衰减”表），颜色为结果。
# 这些措施只是建议；商定后填入图层 `station_measures`（措施、生效日期），自那一期起计入预算。

# %%
together = lc.remedies(project, evaluation)
table = together.stations
figure, axis = plt.subplots(figsize=(8, 4))
outcomes = {"clear": "tab:green", "cleared_by_measures": "tab:blue", "curtailed": "tab:orange", "broken": "tab:red"}
most = table[["needed_long_term_db", "needed_overload_db"]].max(axis=1)
for outcome, colour in outcomes.items():
    mine = most[table["outcome"] == outcome]
    if mine.empty:
        continue
    axis.bar(mine.index, mine, color=colour, label=schema.value_label(outcome, "en"))
axis.set_xticks(table.index, table["protected_id"], rotation=90)
axis.set_ylabel("needed_db")
axis.legend()
plt.show()

# %%
shown = ["protected_id", "outcome", "measures", "effective", "station_cost", "changed", "site_cost", "lost", "bearer"]
table[shown].map(schema.value_label).rename(columns=schema.labels("remedies"))

# %%
together.totals

# %% [markdown]
# ## 程序：每个运营商与该台站的协调状态，能否启用
#
# 状态来自协调台账（图层 `coordination_log`），没有台账即未发起。协调工作完成前不得启用。

# %%
listed = lc.coordination_list(project, verdicts)
listed[listed["protected_id"] == station].groupby(["operator", "status"]).size().rename("对数").reset_index()

# %%
switch_on(project, listed).groupby(["operator", "may_switch_on"]).size().rename("基站数").reset_index()
