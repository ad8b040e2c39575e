"""Radio climate: N0 and delta-N from the rules, from numbers in the project file, or from the user's own map."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from lcsiting import rules
from lcsiting.errors import LayerError
from lcsiting.geo import grid as raster
from lcsiting.model import Project

LIMITS = {"n0": (100.0, 500.0), "delta_n": (0.0, 150.0)}
GRID_ROWS = 20  # a table this wide is a world grid, not lines of longitude, latitude, value


def _table(path: Path) -> NDArray[np.float64]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LayerError(f"{path.name}: the map cannot be read ({error.strerror}). Check the path.") from error
    rows = [line.replace(",", " ").replace(";", " ").split() for line in text.splitlines()]
    rows = [row for row in rows if row and not row[0].startswith("#")]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]  # a heading
    if not rows or len({len(row) for row in rows}) != 1:
        raise LayerError(f"{path.name}: the lines do not all have the same number of values.")
    try:
        return np.array(rows, dtype=float)
    except ValueError as error:
        raise LayerError(f"{path.name}: not a table of numbers ({error}).") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _world_grid(table: NDArray[np.float64], lon: float, lat: float) -> float:
    """Bilinear in a grid from 90 N to 90 S and 0 to 360 E, edges included (the layout of the ITU's digital maps)."""
    rows, cols = table.shape
    row = (90.0 - lat) / (180.0 / (rows - 1))
    col = (lon % 360.0) / (360.0 / (cols - 1))
    i, j = min(int(row), rows - 2), min(int(col), cols - 2)
    a, b = row - i, col - j
    top = (1 - b) * table[i, j] + b * table[i, j + 1]
    return float((1 - a) * top + a * ((1 - b) * table[i + 1, j] + b * table[i + 1, j + 1]))


def _points(table: NDArray[np.float64], lon: float, lat: float) -> float:
    """Inverse-distance mean of the four nearest points; the point itself where it is one."""
    east = (table[:, 0] - lon) * np.cos(np.radians(lat))
    square = east**2 + (table[:, 1] - lat) ** 2
    near = np.argsort(square, kind="stable")[:4]
    if square[near[0]] < 1e-12:
        return float(table[near[0], 2])
    weight = 1 / square[near]
    return float((weight * table[near, 2]).sum() / weight.sum())


def read_map_value(path: str | Path, lon: float, lat: float) -> float:
    """Value of a text map at one place.

    Parameters
    ----------
    path : path
        Lines of ``longitude latitude value`` (spaces, commas or semicolons; a heading and lines from ``#`` are
        skipped), or a world grid: rows from 90 N to 90 S, columns from 0 to 360 E, edges included.
    lon, lat : float
        Degrees east and north.

    Returns
    -------
    float
        Bilinear in a grid; of points the inverse-distance mean of the nearest four.

    Raises
    ------
    LayerError
        Unreadable, not a table, or neither of the two forms.
    """
    path = Path(path)
    table = _table(path)
    if table.shape[1] == 3:
        return _points(table, lon, lat)
    if min(table.shape) >= GRID_ROWS:
        return _world_grid(table, lon, lat)
    raise LayerError(
        f"{path.name}: {table.shape[0]} x {table.shape[1]} values; give lines of longitude latitude value, "
        "or a world grid from 90 N to 90 S and 0 to 360 E."
    )


def centre_lon_lat(project: Project) -> tuple[float, float]:
    """Longitude and latitude of the middle of the working grid, degrees."""
    west, south, east, north = raster.bounds(project.grid)
    to_degrees = Transformer.from_crs(project.grid.crs, "EPSG:4490", always_xy=True)
    lon, lat = to_degrees.transform((west + east) / 2, (south + north) / 2)
    return float(lon), float(lat)


def radio_climate(project: Project) -> dict[str, float]:
    """``n0`` (N-units), ``delta_n`` (N-units/km) and ``latitude_deg`` of a project.

    A number in ``[propagation]`` wins, then the user's own map file, then ``rules/propagation``.

    Raises
    ------
    LayerError
        A map's value is outside what the models take.
    """
    given, table = project.config.propagation, rules.load("propagation", project.root / "rules")
    lon, lat = centre_lon_lat(project)
    out = {"latitude_deg": lat}
    for name, (low, high) in LIMITS.items():
        value, path = getattr(given, name), getattr(given, f"{name}_map")
        if value is None and path:
            value = read_map_value(project.root / path, lon, lat)
            if not low <= value <= high:
                raise LayerError(f"{path}: {name} {value:g} at {lon:.2f} E {lat:.2f} N is outside {low:g} to {high:g}.")
        out[name] = float(table[name]["value"] if value is None else value)
    return out
