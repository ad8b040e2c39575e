"""``project.toml`` to a checked :class:`Config`.

An unknown key is an error that says which key was probably meant.
"""

import datetime
import difflib
import tomllib
from pathlib import Path
from typing import Any, Literal

import pyproj
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lcsiting import rules, schema
from lcsiting.errors import ConfigError

DATUMS = ("cgcs2000", "wgs84", "gcj02", "bd09")
MORPHOLOGIES = ("dense_urban", "urban", "suburban", "village", "rural")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectSection(_Section):
    """``[project]``: name, working CRS (projected, metres), raster resolution, date.

    ``notice`` and ``sources`` are printed on every output. Coverage that would need more than ``max_memory_gb``
    is refused before it is computed.
    """

    name: str
    crs: str = "EPSG:4548"
    resolution_m: float = Field(50.0, ge=5, le=1000)
    as_of: datetime.date = datetime.date(2020, 1, 1)
    notice: str = ""
    sources: str = ""
    max_memory_gb: float = Field(16.0, gt=0)


class LayerSource(_Section):
    """Where a layer lies and how to read it.

    ``datum`` is needed for longitude/latitude tables; ``crs`` for projected
    tables that do not say it; ``columns`` maps our names to the file's.
    """

    path: str
    datum: Literal["cgcs2000", "wgs84", "gcj02", "bd09"] | None = None
    crs: str | None = None
    layer: str | None = None
    encoding: str | None = None
    columns: dict[str, str] = {}


PathLoss = Literal["", "uma", "umi", "rma", "okumura_hata", "cost231_hata", "free_space", "p1812"]


class Network(_Section):
    """``[[networks]]``: operators sharing a radio network, band by morphology.

    ``model`` is the path-loss model of all its stations; empty, it follows the morphology.
    ``patterns`` names an antenna file (.msi, .pln, .ant) by band.
    """

    name: str = Field(min_length=1, max_length=40)
    operators: list[str] = Field(min_length=1)
    bands: dict[Literal["dense_urban", "urban", "suburban", "village", "rural"], str]
    model: PathLoss = ""
    patterns: dict[str, str] = {}


class Service(_Section):
    """``[[services]]``: a threshold people need. The name also names raster files."""

    name: str = Field(pattern=r"^[\w\-]{1,30}$")
    rsrp_dbm: float = Field(-105.0, ge=-160, le=-30)
    reliability_pct: float = Field(95.0, ge=1, le=99.99)
    indoor: bool = False
    weight: float = Field(1.0, gt=0, le=100)


class Phase(_Section):
    """``[[phases]]``: a year and its cumulative target, what is on air included.

    ``target_share``: instead of ``target`` stations, the cheapest that cover this share of the weighted demand;
    ``target`` is then the most there may be. ``budget``: relative cost of everything new by then. ``weight``: what
    the year's coverage counts for in the joint objective (``improve``, ``certificate``).
    """

    year: int = Field(ge=2018, le=2100)
    target: int = Field(ge=1)
    unit: Literal["station", "place"] = "station"
    target_share: float | None = Field(None, gt=0, le=1)
    budget: float | None = Field(None, ge=0)
    weight: float = Field(1.0, ge=1 / 64, le=64)


class Quota(_Section):
    """``[[quotas]]``: least and most a county gets, cumulative, what is on air included.

    In the unit of the phases, as a number or as a share of the phase's target. Without ``county`` every
    county, without ``year`` every phase.
    """

    county: str = ""
    year: int | None = None
    min: int | None = Field(None, ge=0)
    max: int | None = Field(None, ge=0)
    min_share: float | None = Field(None, ge=0, le=1)
    max_share: float | None = Field(None, ge=0, le=1)

    @model_validator(mode="after")
    def _asks_something(self) -> "Quota":
        if all(value is None for value in (self.min, self.max, self.min_share, self.max_share)):
            raise ValueError("a quota needs min, max, min_share or max_share")
        return self


class Floor(_Section):
    """``[[floors]]``: share of an area's weighted demand that must be covered by a year.

    ``area``: a tier, a county (name or code), or empty for the city; ``service``, ``network``: empty for all together.
    """

    area: str = ""
    service: str = ""
    network: str = ""
    share: float = Field(gt=0, le=1)
    by: int


class Target(_Section):
    """``[[targets]]``: the grade a tier should reach, and when."""

    area: str
    grade: str
    by: int


class Demand(_Section):
    """``[demand]``: the cells people are counted on."""

    resolution_m: float = Field(100.0, ge=20, le=1000)
    max_pairs: int = Field(150_000_000, ge=1000)


class Screening(_Section):
    """``[screening]``: which unverified limits remove a station; the others only warn.

    ``true`` for all, or the ids of rows of ``rules/limits.toml``.
    """

    enforce_unverified: bool | list[str] = False


class Coordination(_Section):
    """``[coordination]``: rule profile and what binds.

    ``remedies`` solves the least-cost measures for every protected station in ``run``. With
    ``enforce = "physics"`` the plan then counts on those at the protected stations, agreed or not: the budgets it is
    held to grow from the year each takes effect, and the outputs name the budgets that hold only by what is not agreed
    yet. With ``remedies = false`` only the layer ``station_measures`` counts. What base stations would change stays a
    list, except by ``modes``: under ``enforce = "physics"`` a station that loads a budget noticeably is offered to the
    ranking in the modes that load it less (tilted, turned, turned down, a sector off), one of which may be chosen.
    Only with ``unit = "station"``; places are ranked as planned.
    """

    profile: str = "miit_266_136"
    enforce: Literal["physics", "rule", "report"] = "report"
    remedies: bool = True
    modes: bool = True


class Propagation(_Section):
    """``[propagation]``: radio climate and what the terrain decides.

    ``n0``, ``delta_n`` override ``rules/propagation``; ``n0_map``, ``delta_n_map`` are text files of the
    user's own, read at the middle of the city. ``los = "dem"`` decides the line of sight of UMa,
    UMi and RMa from terrain and clutter instead of by probability.
    """

    n0: float | None = Field(None, ge=100, le=500)
    delta_n: float | None = Field(None, ge=0, le=150)
    n0_map: str = ""
    delta_n_map: str = ""
    los: Literal["probability", "dem"] = "probability"


class Ranking(_Section):
    """``[ranking]``: preference for better hosts; exchange stations across phases while weighted coverage
    rises (tiers then no longer bind); compute how far the plan is from the best possible; after ranking, refine
    tilts and azimuths of the planned stations with the worst radio quality (``rules/second_order``).
    """

    preference: bool = True
    improve: bool = False
    certificate: bool = False
    refine: bool = False


class Config(_Section):
    """A whole project file."""

    project: ProjectSection
    layers: dict[str, LayerSource | list[LayerSource]] = {}
    dem: LayerSource | None = None
    clutter: LayerSource | None = None
    population: LayerSource | None = None
    radio_zones: LayerSource | None = None
    networks: list[Network] = Field(min_length=1)
    services: list[Service] = Field(min_length=1)
    phases: list[Phase] = Field(min_length=1)
    targets: list[Target] = []
    quotas: list[Quota] = []
    floors: list[Floor] = []
    demand: Demand = Demand()
    screening: Screening = Screening()
    coordination: Coordination = Coordination()
    ranking: Ranking = Ranking()
    propagation: Propagation = Propagation()

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        units = {phase.unit for phase in self.phases}
        if len(units) > 1:
            raise ValueError("phases: all phases need the same unit, either station or place")
        years = [phase.year for phase in self.phases]
        targets = [phase.target for phase in self.phases]
        if years != sorted(set(years)) or targets != sorted(targets):
            raise ValueError("phases: years must increase and cumulative targets must not decrease")
        shares = [phase.target_share for phase in self.phases if phase.target_share is not None]
        if shares and (len(shares) < len(self.phases) or shares != sorted(shares)):
            raise ValueError("phases: target_share must stand in every phase, or in none, and must not decrease")
        if shares and any(phase.budget is not None for phase in self.phases):
            raise ValueError("phases: target_share asks for the least cost; leave budget out")
        if self.demand.resolution_m < self.project.resolution_m:
            raise ValueError("demand: resolution_m must not be finer than project.resolution_m")
        for what in ("networks", "services"):
            names = [item.name for item in getattr(self, what)]
            if len(set(names)) != len(names):
                raise ValueError(f"{what}: names must differ, got {', '.join(names)}")
            if taken := set(names) & RESERVED:
                raise ValueError(f"{what}: {', '.join(sorted(taken))} is used by the tables; choose another name")
        for network in self.networks:
            missing = [m for m in MORPHOLOGIES if m not in network.bands]
            if missing:
                raise ValueError(f"networks: {network.name} has no band for {', '.join(missing)}")
        return self


RESERVED = {"all", "rsrp_dbm", "sinr_db", "best_sector", "overlap"}
RASTERS = ("dem", "clutter", "population", "radio_zones")


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
    sections: dict[str, type[BaseModel]] = {
        "project": ProjectSection, "networks": Network, "services": Service, "phases": Phase, "targets": Target,
        "quotas": Quota, "floors": Floor,
        "demand": Demand, "screening": Screening, "coordination": Coordination, "ranking": Ranking,
        "propagation": Propagation,
        "layers": LayerSource, "dem": LayerSource, "clutter": LayerSource, "population": LayerSource,
        "radio_zones": LayerSource,
    }  # fmt: skip
    return sections.get(str(loc[0]), Config) if len(loc) > 1 else Config


def _explain(error: ValidationError, path: Path) -> str:
    lines = []
    for item in error.errors():
        loc = item["loc"]
        where = ".".join(str(part) for part in loc if not str(part).startswith(("LayerSource", "list[")))
        if item["type"] == "extra_forbidden":
            known = [name for name in _model_at(loc).model_fields if loc[0] != "layers" or name]
            lines.append(f"unknown key {where!r}{_hint(str(loc[-1]), known)}")
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
