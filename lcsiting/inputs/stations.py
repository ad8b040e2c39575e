"""Checks of the protected stations' records, of the coordination log and of dated measures."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lcsiting import rules
from lcsiting.geo import crs
from lcsiting.inputs.notes import Notes
from lcsiting.radio import antenna
from lcsiting.rules import scope

if TYPE_CHECKING:
    from lcsiting.inputs.project import Layers

# Classes that look at satellites, through a low-noise block; fixed links and observatories do neither.
EARTH_STATION_CLASSES = ("es_rx", "es_txrx", "ttc", "monitor")
# A recorded pointing this far from the recorded satellite contradicts it (beamwidths are below 3 degrees).
POINTING_TOLERANCE_DEG = 3.0


def _numbers(layer: pd.DataFrame, *names: str) -> list[np.ndarray]:
    return [pd.to_numeric(layer[name], errors="coerce").to_numpy(float) for name in names]


def protected_checks(there: "Layers") -> list[dict[str, str]]:
    """Problem rows about protected stations: none listed, reversed bands, satellites below the horizon, dates."""
    layer = there.layers["protected_stations"]
    note = Notes("protected_stations")
    if layer.empty:
        text = "没有受保护台站清单，未作协调评估：基站的“无需协调”不说明附近没有卫星地球站"
        note.add("warning", "", text, "向无线电管理机构取得台站资料，填入图层 protected_stations")
        return note.problems
    low, high = _numbers(layer, "rx_low_mhz", "rx_high_mhz")
    ids = layer["station_id"].to_numpy(dtype=object)
    with np.errstate(invalid="ignore"):
        crossed = low >= high
    if crossed.any():
        text = f"{int(crossed.sum())} 个台站的接收频率下限不小于上限"
        note.add("error", "", text, "对调“接收频率下限/上限”，单位 MHz", ids[crossed], "接收频率")
    _pointing(there, layer, note, ids)
    _scope(there, low, high, note, ids)
    as_of = pd.Timestamp(there.config.project.as_of)
    late = (pd.to_datetime(layer["licensed_since"]) > as_of).to_numpy(bool)
    if late.any():
        text = f"{int(late.sum())} 个台站的设置许可日期晚于规划基准日 {as_of.date()}：基准日时尚未取得许可"
        fix = "核对日期；确属新申请的，按后用让先用由其与已许可的5G基站协调，或调整 project.as_of"
        note.add("warning", "", text, fix, ids[late], "许可日期")
    return note.problems


def _scope(there: "Layers", low: np.ndarray, high: np.ndarray, note: Notes, ids: np.ndarray) -> None:
    """Stations that receive outside every band the profile asks about are not assessed."""
    name = there.config.coordination.profile
    edges = scope.scope_mhz(rules.load(name, there.root / "rules"), name)
    outside = (low < high) & ~np.any([scope.overlaps_mhz(low, high, *edge) for edge in edges], axis=0)
    if outside.any():
        bands = "、".join(f"{a:g}–{b:g}" for a, b in edges)
        text = f"{int(outside.sum())} 个台站的接收频段在协调频段（{bands} MHz）之外，不作协调评估"
        note.add("info", "", text, "核对接收频率的单位（MHz）", ids[outside], "接收频率")


def _pointing(there: "Layers", layer: pd.DataFrame, note: Notes, ids: np.ndarray) -> None:
    """Where the antenna points, as recorded and toward the recorded satellite."""
    lon, lat = crs.transform(layer.geometry.x, layer.geometry.y, there.config.project.crs, crs.GEOGRAPHIC)
    satellite, azimuth, elevation = _numbers(
        layer, "satellite_lon_deg", "pointing_azimuth_deg", "pointing_elevation_deg"
    )
    look_azimuth, look_elevation = antenna.gso_look_angles(lat, lon, np.nan_to_num(satellite))
    link = (layer["class"] == "fixed").to_numpy(bool)
    blind = link & ~(np.isfinite(azimuth) & np.isfinite(elevation))
    if blind.any():
        text = f"{int(blind.sum())} 个固定业务台站没有登记天线指向，无法计算对其的干扰"
        note.add("error", "", text, "填写“天线方位角”和“天线仰角”（指向对端）", ids[blind], "天线方位角")
    space = layer["class"].isin(EARTH_STATION_CLASSES).to_numpy(bool)
    known = np.isfinite(satellite) & space
    below = known & (look_elevation <= 0)
    if below.any():
        text = f"{int(below.sum())} 个台站的卫星在地平线以下"
        note.add("error", "", text, "核对卫星轨道经度（东经为正）或台站坐标", ids[below], "卫星轨道经度")
    with np.errstate(invalid="ignore"):
        low = (elevation <= 0) & space
    if low.any():
        note.add("error", "", f"{int(low.sum())} 个台站的天线仰角不大于 0°", "核对天线仰角", ids[low], "天线仰角")
    recorded = known & ~below & np.isfinite(azimuth) & np.isfinite(elevation) & ~low
    apart = np.zeros(len(layer))
    apart[recorded] = antenna.off_axis_deg(
        look_azimuth[recorded], look_elevation[recorded], azimuth[recorded], elevation[recorded]
    )
    off = apart > POINTING_TOLERANCE_DEG
    if off.any():
        worst = float(apart[off].max())
        text = f"{int(off.sum())} 个台站登记的方位/仰角与卫星方向不符（最大相差 {worst:.1f}°），按登记的方位/仰角计算"
        note.add("warning", "", text, "核对卫星轨道经度与天线指向", ids[off], "天线方位角")


def log_checks(there: "Layers") -> list[dict[str, str]]:
    """Problem rows about the coordination log: unknown stations and operators, entries after ``as_of``."""
    note = Notes("coordination_log")
    log = there.layers.get("coordination_log")
    if log is None or log.empty:
        return note.problems
    rows = log.index.to_numpy() + 1
    known = set(there.layers["protected_stations"]["station_id"])
    lost = ~log["protected_id"].isin(known).to_numpy()
    if lost.any():
        text = (
            f"{int(lost.sum())} 条记录的受保护台站不在台站清单中：{'、'.join(sorted(set(log['protected_id'][lost])))}"
        )
        note.add("warning", "", text, "核对台站编号", rows[lost], "受保护台站编号")
    operators = {name for network in there.config.networks for name in network.operators}
    stranger = ~log["operator"].isin(operators).to_numpy()
    if stranger.any():
        text = f"{int(stranger.sum())} 条记录的运营商不在任何网络中"
        note.add("warning", "", text, "核对运营商，或在 [[networks]] 的 operators 中补上", rows[stranger], "运营商")
    note.problems += _unknown_entries(there, log, rows)
    as_of = pd.Timestamp(there.config.project.as_of)
    later = (pd.to_datetime(log["date"]) > as_of).to_numpy(bool)
    if later.any():
        text = f"{int(later.sum())} 条记录晚于规划基准日 {as_of.date()}，不计入协调状态"
        note.add("info", "", text, "需要计入时把 project.as_of 改到其后", rows[later], "日期")
    return note.problems


def _unknown_entries(there: "Layers", log: pd.DataFrame, rows: np.ndarray) -> list[dict[str, str]]:
    """Entries of the log for a band or a base station that does not exist: they would count for nobody."""
    note = Notes("coordination_log")
    named = log["band"].notna().to_numpy() & (log["band"].astype(str) != "").to_numpy()
    wrong = named & ~log["band"].isin(set(rules.load("bands", there.root / "rules"))).to_numpy()
    if wrong.any():
        text = f"{int(wrong.sum())} 条记录的频段不认识，不计入协调状态：{'、'.join(sorted(set(log['band'][wrong])))}"
        note.add("warning", "", text, "写成 n78、n79 等，或留空表示全部频段", rows[wrong], "频段")
    places = {str(one) for name in ("existing", "candidates") for one in there.layers[name]["place_id"]}
    given = log["station_id"].astype(object).where(log["station_id"].notna(), "").astype(str)
    place = given.str.extract(r"^(.+)-N\d+(?:-\w+)?$")[0]  # place-N1, place-N2-n78
    lost = ((given != "") & ~place.isin(places)).to_numpy()
    if lost.any():
        text = f"{int(lost.sum())} 条记录的基站编号不是规划表中的编号，不计入协调状态：{'、'.join(given[lost][:5])}"
        fix = "用规划表的基站编号（站址编号-N1 等），或留空表示全部基站"
        note.add("warning", "", text, fix, rows[lost], "基站编号")
    return note.problems


def measure_checks(there: "Layers") -> list[dict[str, str]]:
    """Problem rows about dated measures: unknown stations and measures, negative effects, dates before the licence."""
    note = Notes("station_measures")
    layer = there.layers.get("station_measures")
    if layer is None or layer.empty:
        return note.problems
    rows = layer.index.to_numpy() + 1
    stations = there.layers["protected_stations"].drop_duplicates("station_id").set_index("station_id")
    lost = ~layer["protected_id"].isin(stations.index).to_numpy(bool)
    if lost.any():
        named = "、".join(sorted(set(layer["protected_id"][lost])))
        text = f"{int(lost.sum())} 项措施的受保护台站不在台站清单中，不计入：{named}"
        note.add("error", "", text, "核对台站编号", rows[lost], "受保护台站编号")
    profile = rules.load(there.config.coordination.profile, there.root / "rules")
    known = [rules.row_named(profile, str(word), "measure_") is not None for word in layer["measure"]]
    unknown = ~np.array(known, dtype=bool)
    if unknown.any():
        named = "、".join(sorted(set(layer["measure"][unknown].astype(str))))
        may = "、".join(str(row["name_zh"]) for key, row in profile.items() if key.startswith("measure_"))
        text = f"{int(unknown.sum())} 项措施不是规则表中的台站侧措施，不计入：{named}"
        note.add("error", "", text, f"写成 {may} 之一，或在项目 rules/ 中增加 measure_ 行", rows[unknown], "措施")
    with np.errstate(invalid="ignore"):
        negative = _numbers(layer, "effect_db")[0] < 0
    if negative.any():
        text = f"{int(negative.sum())} 项措施的衰减为负，不计入"
        note.add("error", "", text, "衰减填正数 (dB)，或留空取规则表的数值", rows[negative], "抑制/衰减")
    since = pd.to_datetime(layer["protected_id"].map(stations["licensed_since"]), errors="coerce")
    early = (pd.to_datetime(layer["effective"]) < since).to_numpy(bool)
    if early.any():
        text = f"{int(early.sum())} 项措施的生效日期早于台站的设置许可日期"
        note.add("warning", "", text, "核对生效日期与许可日期", rows[early], "生效日期")
    planned = (layer["status"] == "planned").to_numpy(bool)
    if planned.any():
        text = f"{int(planned.sum())} 项措施只是计划，仍自生效日期起计入干扰预算"
        note.add("info", "", text, "未落实的请删除该行或推迟生效日期", rows[planned], "状态")
    return note.problems
