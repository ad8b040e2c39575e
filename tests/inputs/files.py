"""Self-made twins of the odd files planners have, written into a folder.

The points are the same everywhere: a row of four places in the city, in CGCS2000.
"""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from shapely import Point, Polygon

from lcsiting.config import Config, LayerSource
from lcsiting.geo import crs
from lcsiting.inputs.read import read_layer
from lcsiting.project_file import parse_config

NAMES = ["示例古楼站", "示例莘城站", "示例茌平站", "示例临清站"]
LON = np.array([115.98, 115.66, 116.24, 115.71])
LAT = np.array([36.45, 36.24, 36.60, 36.84])
EAST, NORTH = crs.transform(LON, LAT, crs.GEOGRAPHIC, "EPSG:4548")
CITY = Polygon([(345_000, 3_962_000), (459_000, 3_962_000), (459_000, 4_101_000), (345_000, 4_101_000)])

PROJECT = {
    "project": {"name": "测试"},
    "networks": [
        {
            "name": "移动广电",
            "operators": ["移动", "广电"],
            "bands": dict.fromkeys(("dense_urban", "urban", "suburban", "village", "rural"), "n41"),
        }
    ],
    "services": [{"name": "outdoor"}],
    "phases": [{"year": 2020, "target": 1}],
}
CONFIG: Config = parse_config(PROJECT, Path("project.toml"))


def hosts() -> pd.DataFrame:
    """Candidate rows with the headers a planner writes."""
    return pd.DataFrame(
        {"资源编号": [f"GG{i}" for i in range(4)], "名称": NAMES, "类型": ["机关", "学校", "医院", "路灯杆"]}
    )


def read(path: Path, name: str = "candidates", city=CITY, **declared):
    """Layer, problems and rows set aside of one file."""
    source = LayerSource(path=path.name, **declared)
    frame, problems, aside = read_layer(name, source, path.parent, CONFIG, city)
    return frame, pd.DataFrame(problems, columns=["severity", "layer", "file", "row", "field", "problem", "fix"]), aside


def off_m(frame, east=EAST, north=NORTH) -> float:
    """Largest distance of the rows from where they should be."""
    return float(np.hypot(frame.geometry.x - east, frame.geometry.y - north).max())


def said(problems: pd.DataFrame, *words: str, severity: str | None = None) -> bool:
    """Whether one problem row says all the words."""
    rows = problems if severity is None else problems[problems["severity"] == severity]
    text = rows["problem"] + " " + rows["fix"] + " " + rows["field"] + " 行 " + rows["row"]
    return any(all(word in line for word in words) for line in text)


def dms(degrees: float) -> str:
    """115°57′35.51″"""
    whole = int(degrees)
    minutes = int((degrees - whole) * 60)
    return f"{whole}°{minutes:02d}′{(degrees - whole - minutes / 60) * 3600:05.2f}″"


def write_csv(path: Path, frame: pd.DataFrame, encoding: str = "utf-8-sig") -> Path:
    path.write_bytes(frame.to_csv(index=False).encode(encoding))
    return path


def write_gbk_shapefile(path: Path, east, north) -> Path:
    """GBK, Chinese field names, no .cpg, no .prj."""
    frame = gpd.GeoDataFrame(hosts(), geometry=[Point(*p) for p in zip(east, north, strict=True)], crs="EPSG:4527")
    pyogrio.write_dataframe(frame, path, encoding="GBK")
    for suffix in (".cpg", ".prj"):
        path.with_suffix(suffix).unlink()
    return path
