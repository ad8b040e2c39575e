"""Every base station against every protected station in reach: by rule distance, and overload by physics.

Three mechanisms. A base station whose transmit band overlaps the receive band is ``co_channel``, any
other in the scope is ``adjacent``: both are judged by the rule distance of the profile (inside:
``coordinate``, never ``excluded``). ``overload`` is computed: full power, envelope pattern, free
space in radio line of sight; beyond the horizon no overload is claimed.

Distances are taken in the working CRS, divided by its scale at the protected station, azimuths are
corrected by its meridian convergence: in a 3-degree Gauss-Kruger zone the error at 40 km is below
0.01 % and 0.3 degrees.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lcsiting import schema
from lcsiting.coordination import measures, overload
from lcsiting.coordination.profile import RuleTables, in_scope, load_tables, overlaps_mhz, profile_row
from lcsiting.coordination.protected import overload_terms, read_protected, toward_gain_dbi
from lcsiting.model import Project

MECHANISMS = ("co_channel", "adjacent", "overload")
VERDICTS = ("clear", "coordinate", "excluded")
STATION_VERDICTS = ("outside", *VERDICTS)
METHODS = ("rule", "physics")


@dataclass(frozen=True)
class Transmitters:
    """The stations inside the scope, as arrays.

    Attributes
    ----------
    row : int32 (n,)
        Row in ``Project.stations``.
    x_m, y_m, height_agl_m : float64 (n,)
        Antenna position in the working CRS, height above ground.
    eirp_dbm, frequency_mhz, tx_low_mhz, tx_high_mhz : float64 (n,)
        Peak radiated power of the whole carrier, its centre, edges of the transmit band.
    verified : bool (n,)
        Power and gain come from verified rows.
    """

    row: NDArray[np.int32]
    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    height_agl_m: NDArray[np.float64]
    eirp_dbm: NDArray[np.float64]
    frequency_mhz: NDArray[np.float64]
    tx_low_mhz: NDArray[np.float64]
    tx_high_mhz: NDArray[np.float64]
    verified: NDArray[np.bool_]


def transmitters(project: Project, tables: RuleTables) -> Transmitters:
    """What the band gate lets through, with power and position (see :class:`Transmitters`)."""
    row = np.flatnonzero(in_scope(project.stations, tables)).astype(np.int32)
    stations = project.stations.iloc[row]
    points = project.places.geometry.iloc[stations["place"].to_numpy()]
    micro = stations["micro"].to_numpy(bool)
    band = stations["band"]

    def of(field: str) -> NDArray[np.float64]:
        return band.map({key: value[field] for key, value in tables.bands.items()}).to_numpy(float)

    power_w = np.where(micro, tables.radio["micro_power_w"]["value"], of("power_w"))
    gain_dbi = np.where(micro, tables.radio["micro_gain_dbi"]["value"], of("gain_dbi"))
    micro_known = tables.radio["micro_power_w"]["verified"] and tables.radio["micro_gain_dbi"]["verified"]
    return Transmitters(
        row=row,
        x_m=points.x.to_numpy(float),
        y_m=points.y.to_numpy(float),
        height_agl_m=stations["height_agl_m"].to_numpy(float),
        eirp_dbm=10 * np.log10(power_w * 1000.0) + gain_dbi,
        frequency_mhz=stations["frequency_mhz"].to_numpy(float),
        tx_low_mhz=of("tx_low_mhz"),
        tx_high_mhz=of("tx_high_mhz"),
        verified=np.where(micro, micro_known, of("verified") > 0).astype(bool),
    )


def _part(k: int, row: Any, **columns: Any) -> dict[str, NDArray[Any]]:
    """Compact columns of some pairs of protected station ``k``."""
    n = len(row)
    kinds = {
        "mechanism": np.int8, "distance_m": np.float32, "limit_m": np.float32, "margin_db": np.float32,
        "verdict": np.int8, "method": np.int8, "verified": np.bool_, "measure": np.int16,
    }  # fmt: skip
    out = {"row": np.asarray(row, dtype=np.int32), "protected": np.full(n, k, dtype=np.int16)}
    return out | {name: np.broadcast_to(np.asarray(columns[name], dtype=kind), n) for name, kind in kinds.items()}


def _rule_part(
    tx: Transmitters, k: int, record: Any, tables: RuleTables, distance_m: NDArray[Any], extra: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Rule distance of the pairs in reach, and of the ``extra`` ones wherever they are.

    The reach is the co-channel distance, or the widest adjacent distance of the profile: so the
    list shows what a filter or another block has already cleared.
    """
    co = overlaps_mhz(tx.tx_low_mhz, tx.tx_high_mhz, record.rx_low_mhz, record.rx_high_mhz)
    rows = {0: profile_row(tables, "radius_co_channel", "value_m"), 1: profile_row(tables, record.adjacent, "value_m")}
    widest = max(float(r["value_m"]) for key, r in tables.profile.items() if key.startswith("radius_adjacent"))
    kind = np.where(co, 0, 1)
    limit = np.where(co, rows[0]["value_m"], rows[1]["value_m"]).astype(float)
    keep = (distance_m <= np.where(co, limit, widest)) | extra
    known = {
        0: rows[0]["verified"] and record.known_co_channel,
        1: rows[1]["verified"] and record.known_adjacent,
    }
    return _part(
        k,
        tx.row[keep],
        mechanism=kind[keep],
        distance_m=distance_m[keep],
        limit_m=limit[keep],
        margin_db=np.nan,
        verdict=np.where(distance_m <= limit, 1, 0)[keep],
        method=0,
        verified=np.where(co, known[0], known[1])[keep],
        measure=-2,
    )


def _levels(
    tx: Transmitters, record: Any, tables: RuleTables, distance_m: NDArray[Any], near: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Slant distance and level at the block before filter and shielding, for the positions ``near``."""
    ground = distance_m[near]
    rise = tx.height_agl_m[near] - record.height_agl_m
    angle = np.degrees(np.arctan2(rise, np.maximum(ground, overload.MIN_DISTANCE_M)))
    bearing = np.degrees(np.arctan2(tx.x_m[near] - record.x_m, tx.y_m[near] - record.y_m)) + record.convergence_deg
    gain = np.empty(len(near))
    efficiency = float(tables.defaults["antenna_efficiency"]["value"])
    for frequency in np.unique(tx.frequency_mhz[near]):
        at = tx.frequency_mhz[near] == frequency
        gain[at] = toward_gain_dbi(record, bearing[at], angle[at], float(frequency), efficiency)
    slant = np.maximum(np.hypot(ground, rise), overload.MIN_DISTANCE_M)
    beamwidth = float(tables.radio["element_vertical_beamwidth_deg"]["value"])
    down = overload.element_discrimination_db(angle, beamwidth, float(tables.radio["side_lobe_db"]["value"]))
    return slant, overload.lnb_level_dbm(tx.eirp_dbm[near] - down, gain, slant, tx.frequency_mhz[near])


def _overload_part(
    tx: Transmitters,
    k: int,
    record: Any,
    tables: RuleTables,
    sets: list[measures.MeasureSet],
    distance_m: NDArray[Any],
) -> dict[str, NDArray[Any]]:
    """Pairs that would overload a legacy block without filter or shielding, judged as equipped."""
    near = np.flatnonzero(distance_m <= overload.radio_horizon_m(tx.height_agl_m, record.height_agl_m))
    slant, bare = _levels(tx, record, tables, distance_m, near)
    legacy = profile_row(tables, "overload_legacy", "limit_dbm")
    keep = bare > float(legacy["limit_dbm"])
    near, slant, bare = near[keep], slant[keep], bare[keep]
    co = overlaps_mhz(tx.tx_low_mhz[near], tx.tx_high_mhz[near], record.rx_low_mhz, record.rx_high_mhz)
    limit, attenuation, known = overload_terms(record, co, tables)
    margin = limit - (bare - attenuation)
    chosen = np.full(len(near), -2, dtype=np.int16)
    for same in (False, True):
        short = (margin < 0) & (co == same)
        effects = measures.overload_effects_db(
            tables,
            co_channel=same,
            filter_db=record.filter_db,
            shielding_db=record.shielding_db,
            compliant=record.lnb_type == "compliant",
        )
        chosen[short] = measures.cheapest_set(-margin[short], sets, effects)
    verdict = np.where(margin >= 0, 0, np.where(chosen >= 0, 1, 2))
    # -1, "not enough", rests on every measure; -2, "none needed", on none.
    known_set = np.array([*(item.verified for item in sets), True, all(item.verified for item in sets)])
    return _part(
        k,
        tx.row[near],
        mechanism=2,
        distance_m=distance_m[near],
        limit_m=slant * 10 ** (-margin / 20),
        margin_db=margin,
        verdict=verdict,
        method=1,
        verified=known & tx.verified[near] & known_set[chosen],
        measure=chosen,
    )


def _categorical(codes: NDArray[Any], labels: list[str], ordered: bool = False) -> pd.Categorical:
    """Codes into possibly repeated labels, as a categorical."""
    unique = list(dict.fromkeys(labels))
    lookup = np.array([unique.index(label) for label in labels], dtype=np.int16)
    return pd.Categorical.from_codes(lookup[codes] if len(labels) else codes, categories=unique, ordered=ordered)


def _table(
    parts: list[dict[str, NDArray[Any]]], project: Project, protected: pd.DataFrame, sets: list[measures.MeasureSet]
) -> pd.DataFrame:
    """All pairs in one table, in the order station, protected station, mechanism."""
    empty = _part(0, np.zeros(0, dtype=np.int32), **dict.fromkeys(_PART_COLUMNS, 0))
    joined = {name: np.concatenate([part[name] for part in [empty, *parts]]) for name in empty}
    order = np.lexsort((joined["mechanism"], joined["protected"], joined["row"]))
    at = {name: values[order] for name, values in joined.items()}
    labels = [item.label for item in sets] + [measures.NONE_NEEDED, measures.NOT_ENOUGH]
    listed = [text for name in MECHANISMS for text in protected[f"defaults_{name}"]]
    ids = project.stations["station_id"].to_numpy(dtype=object)
    columns = {
        "station_id": pd.Series(ids[at["row"]], dtype="str"),
        "protected_id": _categorical(at["protected"], protected["protected_id"].tolist()),
        "protected_name": _categorical(at["protected"], protected["protected_name"].tolist()),
        "mechanism": _categorical(at["mechanism"], list(MECHANISMS)),
        "distance_m": at["distance_m"],
        "limit_m": at["limit_m"],
        "margin_db": at["margin_db"],
        "verdict": _categorical(at["verdict"], list(VERDICTS), ordered=True),
        "method": _categorical(at["method"], list(METHODS)),
        "verified": at["verified"],
        "measure": _categorical(at["measure"] % len(labels), labels),
        "defaults": _categorical(at["mechanism"].astype(int) * len(protected) + at["protected"], listed),
    }
    return pd.DataFrame(columns)[list(schema.table("verdicts").columns)]


_PART_COLUMNS = ("mechanism", "distance_m", "limit_m", "margin_db", "verdict", "method", "verified", "measure")


def _distances_m(tx: Transmitters, record: Any) -> NDArray[np.float64]:
    return np.hypot(tx.x_m - record.x_m, tx.y_m - record.y_m) / record.scale


def coordinate(project: Project) -> pd.DataFrame:
    """What every base station in the scope means for every protected station in its reach.

    Parameters
    ----------
    project : Project
        ``stations``, ``places``, ``layers["protected_stations"]`` (those beyond the city border
        count) and the profile named in ``config.coordination``.

    Returns
    -------
    DataFrame
        Schema table ``verdicts``, in station order. Rule rows reach as far as the co-channel distance, or as
        the widest adjacent distance; overload rows as far as a legacy block without filter would be
        overloaded. A station in the scope that is out of every reach has one row, its nearest
        protected station. So, as long as there is a protected station in the scope, **a station
        without rows is outside the bands**. ``margin_db`` (overload only) is limit minus level;
        ``limit_m`` is the rule distance, or the free-space distance at which this pair's overload
        margin would be 0. ``measure`` is the cheapest station-side set that clears an overload.
        ``verdict`` is an ordered categorical, clear < coordinate < excluded.

    Raises
    ------
    LayerError
        A protected station without position or with an impossible receive band.
    ConfigError
        The profile lacks a row it needs.
    """
    tables = load_tables(project.config.coordination.profile, project.root / "rules")
    protected = read_protected(project, tables)
    tx = transmitters(project, tables)
    sets = measures.measure_sets(tables)
    nearest_m = np.full(len(tx.row), np.inf)
    nearest = np.full(len(tx.row), -1, dtype=np.int16)
    reached = np.zeros(len(project.stations), dtype=bool)
    parts = []
    nobody = np.zeros(len(tx.row), dtype=bool)
    records = list(protected.itertuples(index=False))
    for k, record in enumerate(records):
        distance_m = _distances_m(tx, record)
        nearest[distance_m < nearest_m] = k
        nearest_m = np.minimum(distance_m, nearest_m)
        parts.append(_rule_part(tx, k, record, tables, distance_m, nobody))
        if record.earth_station:
            parts.append(_overload_part(tx, k, record, tables, sets, distance_m))
    for part in parts:
        reached[part["row"]] = True
    far = ~reached[tx.row]
    for k in np.unique(nearest[far & (nearest >= 0)]):
        mine = far & (nearest == k)
        single = _subset(tx, mine)
        distance_m = _distances_m(single, records[k])
        parts.append(_rule_part(single, int(k), records[k], tables, distance_m, np.ones(len(distance_m), dtype=bool)))
    return _table(parts, project, protected, sets)


def _subset(tx: Transmitters, mask: NDArray[np.bool_]) -> Transmitters:
    return Transmitters(**{name: values[mask] for name, values in vars(tx).items()})


def station_verdict(
    verdicts: pd.DataFrame, stations: pd.DataFrame, scope: NDArray[np.bool_] | None = None
) -> pd.Series:
    """The worst verdict of each station.

    Parameters
    ----------
    verdicts : DataFrame
        From :func:`coordinate`.
    stations : DataFrame
        ``Project.stations``; ``station_id`` is used.
    scope : ndarray of bool, optional
        From :func:`lcsiting.coordination.profile.in_scope`; needed only where a project has no
        protected stations at all, to tell ``clear`` from ``outside``.

    Returns
    -------
    Series
        Ordered categorical outside < clear < coordinate < excluded, on the index of ``stations``,
        named ``coordination``.
    """
    codes = pd.Categorical(verdicts["verdict"], categories=list(VERDICTS), ordered=True).codes.astype(np.int64) + 1
    worst = pd.Series(codes, index=verdicts.index).groupby(verdicts["station_id"].astype("str")).max()
    out = stations["station_id"].map(worst).fillna(0).to_numpy(np.int64)
    if scope is not None:
        out = np.maximum(out, np.asarray(scope, dtype=np.int64))
    return pd.Series(
        pd.Categorical.from_codes(out, categories=list(STATION_VERDICTS), ordered=True),
        index=stations.index,
        name="coordination",
    )
