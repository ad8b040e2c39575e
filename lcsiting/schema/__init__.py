"""Every layer's and every table's columns, once: types, units, labels, shapefile names.

The tables themselves are TOML files beside this module; this is their reader.
"""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from lcsiting.errors import ConfigError


@dataclass(frozen=True)
class Column:
    """One column of a layer or table.

    Attributes
    ----------
    name : str
        Name inside the program.
    dtype : str
        ``str``, ``int``, ``float``, ``bool`` or ``date``.
    zh, en : str
        What a planner sees.
    unit : str
        Unit shown behind the label, empty if none.
    required, unique : bool
        A layer without a required column cannot be used.
    min, max : float or None
        Range in which a value is believed.
    synonyms : tuple of str
        Headers under which planners' files carry this column.
    values : tuple of str
        Allowed codes; empty if free.
    value_synonyms : dict of str to list of str
        Words under which planners' files carry a code.
    shp, shp_width : str
        Shapefile name (at most 10 ASCII bytes) and dBASE type, e.g. ``C12``, ``N10.3``.
    """

    name: str
    dtype: str = "str"
    zh: str = ""
    en: str = ""
    unit: str = ""
    required: bool = False
    unique: bool = False
    min: float | None = None
    max: float | None = None
    synonyms: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    value_synonyms: dict[str, list[str]] = field(default_factory=dict)
    shp: str = ""
    shp_width: str = ""

    def label(self, lang: str = "zh") -> str:
        """Header for people: label and unit."""
        text = self.zh if lang == "zh" else self.en
        return f"{text}({self.unit})" if self.unit else text


@dataclass(frozen=True)
class Table:
    """A layer (with geometry) or a table (without)."""

    name: str
    zh: str
    en: str
    columns: dict[str, Column]
    geometry: str = ""
    required_layer: bool = False

    def label(self, lang: str = "zh") -> str:
        """Name for people."""
        return self.zh if lang == "zh" else self.en


def _column(row: dict[str, Any]) -> Column:
    lists: dict[str, Any] = {key: tuple(row[key]) for key in ("synonyms", "values") if key in row}
    return Column(**(row | lists))


@cache
def _read(file: str) -> dict[str, Table]:
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    tables = {}
    for name, body in tomllib.loads(text).items():
        columns = {row["name"]: _column(row) for row in body.pop("columns")}
        tables[name] = Table(name=name, columns=columns, **body)
    return tables


def layers() -> dict[str, Table]:
    """All input layers by name."""
    return _read("layers.toml")


def layer(name: str) -> Table:
    """One input layer.

    Raises
    ------
    ConfigError
        If there is no layer of that name.
    """
    if name not in layers():
        raise ConfigError(f"no layer {name!r} in the schema; known: {', '.join(layers())}")
    return layers()[name]


def table(name: str) -> Table:
    """One table the tool makes.

    Raises
    ------
    ConfigError
        If there is no table of that name.
    """
    tables = _read("tables.toml")
    if name not in tables:
        raise ConfigError(f"no table {name!r} in the schema; known: {', '.join(tables)}")
    return tables[name]


def labels(name: str, lang: str = "zh") -> dict[str, str]:
    """Column name to header for people, e.g. for ``DataFrame.rename``."""
    return {column.name: column.label(lang) for column in table(name).columns.values()}


def value_label(value: Any, lang: str = "zh") -> Any:
    """The word a planner sees for a code; anything else is returned as it is."""
    columns = table("values").columns
    return columns[value].label(lang) if isinstance(value, str) and value in columns else value
