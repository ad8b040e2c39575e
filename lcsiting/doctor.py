"""What ``lcsiting doctor`` looks at on this machine."""

import sys
import tempfile
from importlib import metadata
from pathlib import Path

import pyogrio
import pyproj
from rasterio.drivers import raster_driver_extensions

from lcsiting._cache import set_cache_dir
from lcsiting.errors import LcsitingError
from lcsiting.exporters.html import leaflet_assets
from lcsiting.inputs.demo import demo_path


def machine_rows() -> list[tuple[bool, str, str]]:
    """Whether everything the tool leans on is there.

    Returns
    -------
    list of tuple
        (ok, what, what to do) of Python, libraries, GDAL drivers, PROJ, the kernel cache and the demo data.
    """
    rows = [(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "需要 Python ≥ 3.11")]
    for name in ("geopandas", "numba", "numpy", "pyogrio", "rasterio", "shapely"):
        rows.append((True, f"{name} {metadata.version(name)}", ""))
    drivers = pyogrio.list_drivers()
    for name in ("GPKG", "ESRI Shapefile", "OpenFileGDB", "LIBKML", "GeoJSON"):
        rows.append((name in drivers, f"GDAL {name}", "重新安装 pyogrio"))
    rows.append(("tif" in raster_driver_extensions(), "GDAL GTiff", "重新安装 rasterio"))
    try:
        name = pyproj.CRS("EPSG:4548").name
        rows.append((True, f"PROJ {name}", ""))
    except pyproj.exceptions.CRSError:
        rows.append((False, "PROJ EPSG:4548", "重新安装 pyproj"))
    try:
        rows.append((bool(leaflet_assets()), "Leaflet (离线地图)", ""))
    except LcsitingError as error:
        rows.append((False, "Leaflet (离线地图)", str(error)))
    cache = Path(set_cache_dir())
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            rows.append((True, f"缓存目录 / cache {cache}", ""))
    except OSError:
        rows.append((False, f"缓存目录 / cache {cache}", "设置环境变量 LCSITING_CACHE_DIR 到可写目录"))
    try:
        rows.append((True, f"演示数据 / demo {demo_path().parent}", ""))
    except LcsitingError as error:
        rows.append((False, "演示数据 / demo", str(error)))
    return rows
