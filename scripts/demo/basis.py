"""What every part of the generator uses: facts, random streams, projections, shapes, noise."""

import tomllib
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

LABEL = "演示数据，非实测 / demonstration, not survey data"
CRS = "EPSG:4548"
GEOGRAPHIC = "EPSG:4490"
PIXEL_M = 100.0
RING_M = 50_000.0
SEED = 371500

_TO_XY = Transformer.from_crs(GEOGRAPHIC, CRS, always_xy=True)
_TO_LONLAT = Transformer.from_crs(CRS, GEOGRAPHIC, always_xy=True)


def facts() -> dict[str, Any]:
    """The published facts and the generator's assumptions."""
    return tomllib.loads(Path(__file__).with_name("facts.toml").read_text(encoding="utf-8"))


def stream(stage: str) -> np.random.Generator:
    """A random stream of its own per stage, so that editing one stage leaves the others alone."""
    return np.random.default_rng([SEED, zlib.crc32(stage.encode())])


def to_xy(lon: Any, lat: Any) -> tuple[Any, Any]:
    """Degrees to metres in the working CRS."""
    return _TO_XY.transform(lon, lat)


def to_lonlat(x_m: Any, y_m: Any) -> tuple[Any, Any]:
    """Metres in the working CRS to degrees."""
    return _TO_LONLAT.transform(x_m, y_m)


def project(geometry: Any) -> Any:
    """Geometry (or array of them) in degrees to metres, vertex by vertex."""
    return shapely.transform(geometry, lambda xy: np.column_stack(to_xy(xy[:, 0], xy[:, 1])))


def unproject(geometry: Any, digits: int = 7) -> Any:
    """Geometry (or array of them) in metres to rounded degrees."""
    return shapely.transform(geometry, lambda xy: np.round(np.column_stack(to_lonlat(xy[:, 0], xy[:, 1])), digits))


def gcj02(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """WGS84 degrees to GCJ-02 degrees (the widely published series on the Krasovsky ellipsoid)."""
    a, e2 = 6378245.0, 0.00669342162296594323
    x, y = lon - 105.0, lat - 35.0
    common = (20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi)) * 2 / 3
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + common
    d_lat += (20 * np.sin(y * np.pi) + 40 * np.sin(y / 3 * np.pi)) * 2 / 3
    d_lat += (160 * np.sin(y / 12 * np.pi) + 320 * np.sin(y * np.pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + common
    d_lon += (20 * np.sin(x * np.pi) + 40 * np.sin(x / 3 * np.pi)) * 2 / 3
    d_lon += (150 * np.sin(x / 12 * np.pi) + 300 * np.sin(x / 30 * np.pi)) * 2 / 3
    phi = np.deg2rad(lat)
    magic = 1 - e2 * np.sin(phi) ** 2
    d_lat = d_lat * 180 / (a * (1 - e2) / (magic * np.sqrt(magic)) * np.pi)
    d_lon = d_lon * 180 / (a / np.sqrt(magic) * np.cos(phi) * np.pi)
    return lon + d_lon, lat + d_lat


def blob(x_m: float, y_m: float, area_km2: float, rng: np.random.Generator, rough: float = 0.12) -> Polygon:
    """An irregular round polygon of a given area; vertices on whole metres."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = np.ones_like(angle)
    for k in range(2, 7):
        radius += rough / k * 2 * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) * rng.uniform(0.3, 1.0)
    shape = Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]))
    scale = np.sqrt(area_km2 * 1e6 / shape.area)
    return Polygon(np.round(np.asarray(shape.exterior.coords) * scale + [x_m, y_m]))


def noise(shape: tuple[int, int], scale_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth random field, mean about 0 and standard deviation 1, features of about ``scale_px``."""
    rows, cols = (int(np.ceil(n / scale_px)) + 3 for n in shape)
    lattice = rng.standard_normal((rows, cols))
    row = np.linspace(1, 1 + shape[0] / scale_px, shape[0], endpoint=False)
    col = np.linspace(1, 1 + shape[1] / scale_px, shape[1], endpoint=False)
    wide = ndimage.map_coordinates(lattice, np.meshgrid(row, np.arange(cols), indexing="ij"), order=1)
    out = ndimage.map_coordinates(wide, np.meshgrid(np.arange(shape[0]), col, indexing="ij"), order=1)
    out = ndimage.gaussian_filter(out, scale_px / 3)
    return ((out - out.mean()) / out.std()).astype(np.float32)


def shares(weights: Any, total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to the weights that add up to ``total`` exactly (largest remainder)."""
    exact = np.asarray(weights, dtype=np.float64) / np.sum(weights) * total
    out = np.floor(exact + 1e-9).astype(np.int64)
    rest = np.argsort(-(exact - out), kind="stable")[: total - int(out.sum())]
    out[rest] += 1
    return out


def parts(geometry: BaseGeometry) -> list[Polygon]:
    """Polygons of whatever an overlay returned."""
    return [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon" and part.area > 0]
