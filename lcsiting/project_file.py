"""``project.toml`` to a checked :class:`~lcsiting.config.Config`.

An unknown key is an error that says which key was probably meant.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any, get_args

import pyproj
from pydantic import BaseModel, ValidationError

from lcsiting import rules, schema
from lcsiting.config import RASTERS, Config, LayerSource
from lcsiting.errors import ConfigError


def _source(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _split_layers(raw: dict[str, Any]) -> dict[str, Any]:
    """Move rasters out of ``[layers]`` and turn plain paths into sources."""
    layers = dict(raw.get("layers", {}))
    known = [*schema.layers(), *RASTERS]
    for name in layers:
        if name not in known:
            raise ConfigError(f"project.toml: [layers] has no layer {name!r}{_hint(name, known)}")
    out = {key: value for key, value in raw.items() if key != "layers"}
    for name in RASTERS:
        if name in layers:
            out[name] = _source(layers.pop(name))
    out["layers"] = {
        name: [_source(v) for v in value] if isinstance(value, list) else _source(value)
        for name, value in layers.items()
    }
    return out


def _hint(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


def _model_at(loc: tuple[int | str, ...]) -> type[BaseModel]:
    """The model an error location points into, for the hint."""
    field = Config.model_fields.get(str(loc[0])) if len(loc) > 1 else None
    kinds = [LayerSource] if loc[0] == "layers" else [field.annotation, *get_args(field.annotation)] if field else []
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), Config)


def _explain(error: ValidationError, path: Path) -> str:
    lines = []
    for item in error.errors():
        loc = item["loc"]
        where = ".".join(str(part) for part in loc if not str(part).startswith(("LayerSource", "list[")))
        if item["type"] == "extra_forbidden":
            lines.append(f"unknown key {where!r}{_hint(str(loc[-1]), list(_model_at(loc).model_fields))}")
        else:
            lines.append(f"{where or 'project'}: {item['msg'].removeprefix('Value error, ')}")
    return f"{path}: " + "; ".join(dict.fromkeys(lines))


def _check_names(config: Config, path: Path) -> None:
    """Names that point into rule tables must exist there."""
    override = path.parent / "rules"
    bands = rules.load("bands", override)
    for network in config.networks:
        for band in network.bands.values():
            if band not in bands:
                raise ConfigError(f"{path}: network {network.name} uses band {band!r}{_hint(band, list(bands))}")
        for band in network.patterns:
            if band not in bands:
                raise ConfigError(f"{path}: network {network.name}: pattern of {band!r}{_hint(band, list(bands))}")
    grades = rules.load("grades", override)
    areas = [row["name_zh"] for row in rules.load("tiers", override).values()]
    for target in config.targets:
        if target.grade not in grades:
            raise ConfigError(f"{path}: targets.grade {target.grade!r}{_hint(target.grade, list(grades))}")
        if target.area not in areas:
            raise ConfigError(f"{path}: targets.area {target.area!r}{_hint(target.area, areas)}")
    _check_limits(config, path)
    rules.load(config.coordination.profile, override)
    limits = rules.load("limits", override)
    enforced = config.screening.enforce_unverified
    for name in enforced if isinstance(enforced, list) else []:
        if name not in limits:
            raise ConfigError(f"{path}: screening.enforce_unverified has {name!r}{_hint(name, list(limits))}")
    try:
        crs = pyproj.CRS(config.project.crs)
    except pyproj.exceptions.CRSError as error:
        raise ConfigError(f"{path}: project.crs {config.project.crs!r} is not a coordinate system") from error
    if not crs.is_projected or crs.axis_info[0].unit_name != "metre":
        raise ConfigError(f"{path}: project.crs {config.project.crs!r} must be projected in metres, e.g. EPSG:4548")


def _check_limits(config: Config, path: Path) -> None:
    """Quotas and floors name years, services and networks the project has (areas are known once it is open)."""
    years = [phase.year for phase in config.phases]
    for quota in config.quotas:
        if quota.year is not None and quota.year not in years:
            raise ConfigError(f"{path}: quotas.year {quota.year} is no phase year ({', '.join(map(str, years))})")
    for floor in config.floors:
        if floor.by > years[-1]:
            raise ConfigError(f"{path}: floors.by {floor.by} lies behind the last phase year {years[-1]}")
        for what, name, known in (
            ("service", floor.service, [service.name for service in config.services]),
            ("network", floor.network, [network.name for network in config.networks]),
        ):
            if name and name not in known:
                raise ConfigError(f"{path}: floors.{what} {name!r}{_hint(name, known)}")


def parse_config(raw: dict[str, Any], path: Path) -> Config:
    """Check a parsed project file.

    Parameters
    ----------
    raw : dict
        What ``tomllib`` gave.
    path : Path
        The file, for messages and for the project's own ``rules/`` folder.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        Unknown keys, values out of range, names that no rule table has.
    """
    try:
        config = Config.model_validate(_split_layers(raw))
    except ValidationError as error:
        raise ConfigError(_explain(error, path)) from error
    _check_names(config, path)
    return config


def read_config(path: str | Path) -> Config:
    """Read ``project.toml`` (UTF-8, a BOM is fine).

    Parameters
    ----------
    path : str or Path
        The project file.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        The file is missing, not TOML, or says something impossible.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such project file. Make one with: lcsiting new DIR") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8; save it as UTF-8 in the editor") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    return parse_config(raw, path)
