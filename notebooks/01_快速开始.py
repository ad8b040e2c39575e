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
# # 快速开始：从城市数据到站址规划
#
# 打开环境变量 `LCSITING_PROJECT` 指定的项目（缺省为演示城市聊城，演示数据，非实测），
# 完成现状评价、干扰协调、合规筛查、排序与覆盖预测，并在单元格内显示离线地图。

# %%
import os

import lcsiting as lc

project = lc.open_project(os.environ.get("LCSITING_PROJECT", lc.demo_path()))

# %% [markdown]
# 先看数据问题：每条都写明文件、行和处理办法。

# %%
lc.check(project).head(20)

# %% [markdown]
# 一步完成全部工作。分期结果同时给出站址（处）与基站（个）。

# %%
result = lc.run(project)
result.plan.phases

# %%
result.plan.stations.drop(columns="geometry").query("rank > 0").head(10)

# %% [markdown]
# 覆盖率：按级别、业务、网络。

# %%
statistics = result.coverages[project.config.phases[-1].year].statistics
statistics.query("level == 'city'")

# %% [markdown]
# 地图不需要互联网。输出文件用 `lc.export(result, "out/")`。

# %%
lc.explore(result)
