"""Second-order score of a chosen network: SINR, overlap and pilot pollution, station by station.

The ranking counts who is covered; how stations get along with each other is judged afterwards, on the coverage
predicted, and outside the certificate.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import rules, schema
from lcsiting.errors import RangeError
from lcsiting.geo import grid as raster
from lcsiting.model import Coverage, Plan, Project

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COUNTED_SECTORS = 4  # the overlap layer counts no further
FLAGS = ("", "low_sinr", "pilot_pollution", "low_sinr_pilot_pollution")
SERVES_NOTHING = "serves_nothing"
KEY_SPAN_DB = 4096.0  # wider than any decibel figure: keys of different stations never mix


def quality_rules(root: "Path") -> dict[str, Any]:
    """``rules/second_order`` of a project as name to value.

    Raises
    ------
    RangeError
        More overlapping sectors asked for than the layer counts.
    """
    values = {key: row["value"] for key, row in rules.load("second_order", root / "rules").items()}
    if not 1 <= values["overlap_sectors"] <= COUNTED_SECTORS:
        raise RangeError(
            f"rules/second_order: overlap_sectors {values['overlap_sectors']:g} must be 1 to {COUNTED_SECTORS}; "
            "the overlap layer counts no further"
        )
    return values


def first_outdoor(services: "Iterable[Any]") -> str:
    """Name of the first outdoor service; the first of all if every one is indoor."""
    known = list(services)
    return next((service.name for service in known if not service.indoor), known[0].name)


def _medians(station: NDArray[np.int64], values: NDArray[Any], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median of the values of each station; NaN without any. One sort of keys ``station * span + value``."""
    out = np.full(len(count), np.nan)
    keys = np.sort(station * KEY_SPAN_DB + values.astype(np.float64))
    some = np.flatnonzero(count)
    start = (np.cumsum(count) - count)[some]
    low, high = keys[start + (count[some] - 1) // 2], keys[start + count[some] // 2]
    out[some] = (low + high) / 2 - some * KEY_SPAN_DB
    return out


def _sums(project: Project, coverage: Coverage, network: str, owner: NDArray[np.int64], limits: dict[str, Any]) -> Any:
    """Figures of one network by station (``owner``: station of each sector number)."""
    layers, total = coverage.layers[network], int(owner.max(initial=-1)) + 1
    best = np.asarray(raster.pixels(layers["best_sector"]))
    service = np.asarray(raster.pixels(layers[first_outdoor(project.config.services)]))
    served = (best >= 0) & (service == 1)
    station = owner[best[served]]
    sinr = np.asarray(raster.pixels(layers["sinr_db"]))[served]
    rsrp = np.asarray(raster.pixels(layers["rsrp_dbm"]))[served]
    overlap = np.asarray(raster.pixels(layers["overlap"]))[served]
    people = np.zeros(len(station))
    if project.population is not None:
        people = np.asarray(raster.pixels(project.population))[served].astype(np.float64)
    low = sinr < limits["sinr_floor_db"]
    crowded = (overlap >= limits["overlap_sectors"]) & (rsrp >= limits["pilot_level_dbm"])
    polluted = crowded & (sinr < limits["pilot_sinr_db"])
    count = np.bincount(station, minlength=total)
    return {
        "pixels": count,
        "served_people": np.bincount(station, people, total).astype(np.float64),  # an empty count is int
        "low_pixels": np.bincount(station[low], minlength=total),
        "low_sinr_people": np.bincount(station[low], people[low], total).astype(np.float64),
        "polluted_pixels": np.bincount(station[polluted], minlength=total),
        "median_rsrp_dbm": _medians(station, rsrp, count),
        "median_sinr_db": _medians(station, sinr, count),
    }


def station_quality(project: Project, plan: Plan | None, coverage: Coverage) -> pd.DataFrame:
    """SINR, overlap and pilot pollution of every station on air in the coverage's year.

    A station's *served* pixels are those where one of its sectors is the best and the first outdoor service
    holds (with several bands on a pixel, the strongest one's station has it). Its flags follow
    ``rules/second_order``: ``low_sinr`` from a share of served pixels below the SINR floor, ``pilot_pollution`` from
    a share of polluted ones, ``serves_nothing`` without any. A pixel is polluted where the best sector is strong
    (``pilot_level_dbm``), ``overlap_sectors`` or more, itself included, lie within the overlap window, and the SINR
    is below ``pilot_sinr_db``: no sector dominates, and tilts, azimuths or power of those overlapping are at fault.

    Parameters
    ----------
    project : Project
    plan : Plan or None
        None for today's network. Gives the rows their order: that of the plan, then of ``Project.stations``.
    coverage : Coverage
        ``predict_coverage(project, plan, year)``, in memory or on disk.

    Returns
    -------
    DataFrame
        Schema table ``station_quality``; shares are of served pixels and NaN where there are none.

    Raises
    ------
    RangeError
        ``overlap_sectors`` beyond what the layer counts.
    """
    limits = quality_rules(project.root)
    columns = list(schema.table("station_quality").columns)
    numbers, ids = pd.factorize(coverage.sectors["station_id"])
    if not len(ids):
        return pd.DataFrame(columns=columns)
    owner = numbers.astype(np.int64)
    table = coverage.sectors.drop_duplicates("station_id").reset_index(drop=True)[["station_id", "network", "band"]]
    figures: dict[str, NDArray[Any]] = {}
    for network in table["network"].unique():
        mine = (table["network"] == network).to_numpy()
        for name, values in _sums(project, coverage, network, owner, limits).items():
            figures.setdefault(name, np.zeros(len(table), values.dtype))[mine] = values[mine]
    pixels = figures["pixels"]
    some = np.where(pixels > 0, pixels, np.nan)
    low, polluted = figures["low_pixels"] / some, figures["polluted_pixels"] / some
    code = (low >= limits["low_sinr_share"]) + 2 * (polluted >= limits["pilot_pollution_share"])
    table = table.assign(
        place_id=table["station_id"].map(project.stations.set_index("station_id")["place_id"]),
        year=coverage.year,
        sectors=np.bincount(owner),
        served_km2=pixels * (project.grid.resolution_m / 1000.0) ** 2,
        served_people=figures["served_people"],
        median_rsrp_dbm=figures["median_rsrp_dbm"],
        median_sinr_db=figures["median_sinr_db"],
        low_sinr_share=low,
        low_sinr_people=figures["low_sinr_people"],
        overlap_share=polluted,
        quality_flag=np.where(pixels > 0, np.array(FLAGS, object)[code], SERVES_NOTHING),
    )
    order = pd.Index(project.stations["station_id"])
    if plan is not None:
        order = pd.Index(plan.stations["station_id"]).append(order).unique()
    rank = np.argsort(order.get_indexer(table["station_id"]), kind="stable")
    return table.iloc[rank].reset_index(drop=True)[columns]


def worst_stations(quality: pd.DataFrame, count: int) -> list[str]:
    """At most ``count`` flagged stations worth refining: most people with low SINR first, then the larger share
    of pilot pollution, then the table's order. Those that serve nothing come last."""
    flagged = quality[quality["quality_flag"] != ""].fillna({"low_sinr_people": 0.0, "overlap_share": -1.0})
    ordered = flagged.sort_values(["low_sinr_people", "overlap_share"], ascending=False, kind="stable")
    return ordered["station_id"].head(count).tolist()
