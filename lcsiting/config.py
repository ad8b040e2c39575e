"""What ``project.toml`` may say, section by section (:mod:`lcsiting.project_file` reads it)."""

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    """``[[services]]``: a threshold people need. The name also names raster files.

    ``reliability_of``: ``reliability_pct`` is that of a cell's area, or of its edge (the larger margin).
    """

    name: str = Field(pattern=r"^[\w\-]{1,30}$")
    rsrp_dbm: float = Field(-105.0, ge=-160, le=-30)
    reliability_pct: float = Field(95.0, ge=1, le=99.99)
    reliability_of: Literal["area", "edge"] = "area"
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
    ranking in the modes that load it less (tilted, turned, turned down, a sector off, beams excluded), one of which may
    be chosen; what the plan then has no room for, in its operator's other band outside the scope as well. With
    ``unit = "place"`` a place is offered in every combination of the modes of its stations, also without those that
    have modes.
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
