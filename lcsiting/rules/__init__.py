"""Rule tables: every regulatory and default number, with its source.

A table is a TOML file; its top-level tables are rows keyed by id. Each row
carries ``source`` (text) and ``verified`` (bool). A planner overrides rows by
putting a file of the same name into the project's ``rules/`` folder.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lcsiting.errors import ConfigError

Row = dict[str, Any]


@cache
def _shipped(name: str) -> str:
    path = resources.files(__package__).joinpath(f"{name}.toml")
    if not path.is_file():
        known = sorted(p.name[:-5] for p in resources.files(__package__).iterdir() if p.name.endswith(".toml"))
        raise ConfigError(f"no rule table {name!r}; known: {', '.join(known)}")
    return path.read_text(encoding="utf-8")


def _check(rows: dict[str, Row], where: str) -> None:
    for key, row in rows.items():
        missing = [field for field in ("source", "verified") if field not in row]
        if missing:
            raise ConfigError(f"{where}: row [{key}] lacks {' and '.join(missing)}; every number needs its source")


def load(name: str, override: Path | None = None) -> dict[str, Row]:
    """Read a rule table.

    Parameters
    ----------
    name : str
        Name of the table, e.g. ``"bands"``.
    override : Path, optional
        A folder; ``<name>.toml`` in it replaces rows field by field and may add rows.

    Returns
    -------
    dict
        Row id to row; each row has ``source`` and ``verified``.

    Raises
    ------
    ConfigError
        Unknown table, unreadable override, or a row without source or verified.
    """
    rows: dict[str, Row] = tomllib.loads(_shipped(name))
    _check(rows, f"rules/{name}.toml")
    path = override / f"{name}.toml" if override else None
    if path is None or not path.is_file():
        return rows
    try:
        changes = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error})") from error
    for key, row in changes.items():
        if not isinstance(row, dict):
            raise ConfigError(f"{path}: {key} is not a row; write [{key}] and its fields below")
        rows[key] = {**rows.get(key, {}), **row}
    _check(rows, str(path))
    return rows


def row_named(rows: Mapping[str, Row], word: str, prefix: str) -> str | None:
    """The id of the row a word means: the id, with or without its prefix, or the Chinese or English name.

    Parameters
    ----------
    rows : mapping
        A rule table.
    word : str
        As a planner wrote it.
    prefix : str
        Only rows whose id begins so.

    Returns
    -------
    str or None
        None where no row is meant.
    """
    asked = word.strip().lower()
    for key, row in rows.items():
        names = (key, key.removeprefix(prefix), row.get("name_zh", ""), row.get("name_en", ""))
        if asked and key.startswith(prefix) and asked in {str(name).lower() for name in names}:
            return key
    return None
