"""Writers: every file carries the demonstration label and no clock."""

import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import rasterio
from numpy.typing import NDArray

from .basis import CRS, LABEL
from .land import Frame

AS_OF = "2020-05-21"
EPOCH = (2020, 5, 21, 0, 0, 0)


def gpkg(table: gpd.GeoDataFrame, path: Path, layer: str) -> None:
    """GeoPackage; the label is the layer's description and a metadata entry."""
    path.unlink(missing_ok=True)
    os.environ["OGR_CURRENT_DATE"] = f"{AS_OF}T00:00:00.000Z"  # GDAL's documented way to fix last_change
    pyogrio.write_dataframe(
        table,
        path,
        layer=layer,
        driver="GPKG",
        layer_options={"SPATIAL_INDEX": "NO", "DESCRIPTION": LABEL},
        layer_metadata={"label": LABEL},
    )


def shapefile(table: gpd.GeoDataFrame, path: Path) -> None:
    """GBK shapefile with Chinese field names, .cpg and .prj, and a side-car text."""
    for old in path.parent.glob(f"{path.stem}.*"):
        old.unlink()
    pyogrio.write_dataframe(
        table,
        path,
        driver="ESRI Shapefile",
        encoding="GBK",
        layer_options={"RESIZE": "YES", "DBF_DATE_LAST_UPDATE": AS_OF, "SPATIAL_INDEX": "NO"},
    )
    path.with_suffix(".cpg").write_text("GBK", encoding="ascii")
    side_car(path)


def geojson(table: gpd.GeoDataFrame, path: Path) -> None:
    """GeoJSON with the label as its description."""
    path.unlink(missing_ok=True)
    pyogrio.write_dataframe(
        table, path, driver="GeoJSON", layer_options={"DESCRIPTION": LABEL, "COORDINATE_PRECISION": "7"}
    )


def side_car(path: Path) -> None:
    """The label beside a file that has no room for it."""
    path.with_name(f"{path.name}.说明.txt").write_text(f"{path.name}: {LABEL}\n", encoding="utf-8")


def csv(table: pd.DataFrame, path: Path, encoding: str) -> None:
    """CSV as Excel writes it, header first, and a side-car text."""
    path.write_bytes(table.to_csv(index=False, lineterminator="\r\n").encode(encoding))
    side_car(path)


def xlsx(table: pd.DataFrame, path: Path, sheet: str, notes: list[str]) -> None:
    """Workbook: the table, then a sheet 说明; the clock openpyxl writes is replaced."""
    book = openpyxl.Workbook(write_only=True)
    rows = book.create_sheet(sheet)
    rows.append(list(table.columns))
    for row in table.astype(object).itertuples(index=False):
        rows.append([None if pd.isna(value) or value == "" else value for value in row])
    about = book.create_sheet("说明")
    for line in (LABEL, *notes):
        about.append([line])
    raw = io.BytesIO()
    book.save(raw)
    stamp = f"{AS_OF}T00:00:00Z".encode()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp, data)
            target.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED, 9)


def raster(array: NDArray[Any], frame: Frame, path: Path, what: str, predictor: int, nodata: float | None) -> None:
    """Tiled, deflated GeoTIFF with the label as a tag."""
    profile = {
        "driver": "GTiff", "height": frame.rows, "width": frame.cols, "count": 1, "dtype": array.dtype.name,
        "crs": CRS, "transform": frame.affine, "compress": "deflate", "predictor": predictor, "zlevel": 9,
        "tiled": True, "blockxsize": 256, "blockysize": 256, "nodata": nodata,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.ascontiguousarray(array), 1)
        target.update_tags(LABEL=LABEL, CONTENT=what)
