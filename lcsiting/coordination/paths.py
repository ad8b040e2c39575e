"""Pairs of base station and protected station: geometry, antenna gains, path losses on the pair's own profile."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from lcsiting.coordination import patterns
from lcsiting.coordination.profile import RuleTables, clutter_model, in_scope, overlaps_mhz, profile_row
from lcsiting.coverage.antennas import Exclusions, excluded_db, station_antennas
from lcsiting.coverage.sweep import terrain_of
from lcsiting.coverage.terrain import clutter_heights
from lcsiting.errors import LayerError
from lcsiting.geo import geodesic
from lcsiting.geo import grid as raster
from lcsiting.model import Grid, Project, Raster
from lcsiting.radio import p452_batch
from lcsiting.radio.antenna_array import ArrayAntenna
from lcsiting.radio.clutter import terrestrial_clutter_db
from lcsiting.radio.p452 import RANGES
from lcsiting.radio.terrain import Terrain, clutter_heights_at, heights_at

MIN_DISTANCE_M = 1.0
EARTH_RADIUS_M = 8_500_000.0  # effective, for the angle under which far stations are seen
TILT_STEP_DEG = 0.5  # stations whose tilt rounds to the same value share a pattern
PANEL = "64T64R"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Transmitters:
    """The stations inside the scope, as arrays.

    Attributes
    ----------
    crs : str
        The working CRS.
    row : int32 (n,)
        Row in ``Project.stations``.
    x_m, y_m, height_agl_m : float64 (n,)
        Antenna position, height above ground.
    frequency_mhz, bandwidth_mhz, tx_low_mhz, tx_high_mhz : float64 (n,)
        Carrier; edges of the transmit band.
    power_mw, gain, duty : float64 (n,)
        Power of a sector, peak gain (linear), TDD downlink share times network load.
    unwanted_mw : float64 (n,)
        Unwanted emissions of a sector far from the band edge, radiated, mW/MHz.
    pattern_keys : tuple
        What a pattern depends on: panel or not, tilt, 3 dB widths, omnidirectional.
    first : int64 (n + 1,)
        Sectors of station k are ``first[k]:first[k + 1]``.
    azimuth_deg, tilt_deg, pattern : float64, float64, int64 (m,)
        True azimuth and down-tilt of each sector; row of ``pattern_keys``.
    exclusions : Exclusions
        Wedges in which a station forms no beams.
    verified : bool (n,)
        Power and gain come from verified rows.
    planned : bool (n,)
        A frequency plan provides for the band (``planned`` of its row; it does unless the row says no).
    """

    crs: str
    row: NDArray[np.int32]
    x_m: Floats
    y_m: Floats
    height_agl_m: Floats
    frequency_mhz: Floats
    bandwidth_mhz: Floats
    tx_low_mhz: Floats
    tx_high_mhz: Floats
    power_mw: Floats
    gain: Floats
    duty: Floats
    unwanted_mw: Floats
    pattern_keys: tuple[tuple[bool, float, float, float, bool], ...]
    first: NDArray[np.int64]
    azimuth_deg: Floats
    tilt_deg: Floats
    pattern: NDArray[np.int64]
    exclusions: Exclusions
    verified: NDArray[np.bool_]
    planned: NDArray[np.bool_]

    @property
    def eirp_dbm(self) -> Floats:
        """Peak radiated power of one sector, whole carrier."""
        return 10 * np.log10(self.power_mw * self.gain)


def transmitters(
    project: Project, tables: RuleTables, extra_tilt_deg: float = 0.0, *, station_rows: ArrayLike | None = None
) -> Transmitters:
    """What the band gate lets through, with power, position and antennas (see :class:`Transmitters`).

    ``extra_tilt_deg`` lowers every beam, for what a measure would do; ``station_rows`` takes only some stations.
    A station's power offset lowers its carrier and its unwanted emissions alike.
    """
    inside = in_scope(project.stations, tables)
    if station_rows is not None:
        inside = inside & np.isin(np.arange(len(inside)), station_rows)
    row = np.flatnonzero(inside).astype(np.int32)
    stations = project.stations.iloc[row]
    places = project.places.iloc[stations["place"].to_numpy()]
    micro = stations["micro"].to_numpy(bool)
    band = stations["band"]

    def of(field: str) -> Any:
        return band.map({key: value[field] for key, value in tables.bands.items()}).to_numpy()

    panel = (of("antenna") == PANEL) & ~micro
    power_w = np.where(micro, tables.radio["micro_power_w"]["value"], of("power_w")).astype(float)
    gain_dbi = np.where(micro, tables.radio["micro_gain_dbi"]["value"], of("gain_dbi")).astype(float)
    micro_known = tables.radio["micro_power_w"]["verified"] and tables.radio["micro_gain_dbi"]["verified"]
    height, vertical = stations["height_agl_m"].to_numpy(float), of("vertical_beamwidth_deg").astype(float)
    antennas = station_antennas(project, row)
    tilt, offset = antennas.tilt_deg + extra_tilt_deg, 10 ** (0.1 * antennas.power_offset_db)
    kinds = (panel, of("horizontal_beamwidth_deg").astype(float), vertical, micro)
    wide = [values[np.repeat(np.arange(len(row)), np.diff(antennas.first))].tolist() for values in kinds]
    rounded = (np.round(tilt / TILT_STEP_DEG) * TILT_STEP_DEG).tolist()
    keys = list(zip(wide[0], rounded, *wide[1:], strict=True))
    known = tuple(dict.fromkeys(keys))
    position = {key: k for k, key in enumerate(known)}
    spurious = profile_row(tables, "unwanted_spurious", "dbm_per_mhz")
    unwanted_dbm = float(spurious["dbm_per_mhz"]) + np.where(panel, float(spurious["array_db"]), 0.0)
    return Transmitters(
        crs=project.config.project.crs,
        row=row,
        x_m=places.geometry.x.to_numpy(float),
        y_m=places.geometry.y.to_numpy(float),
        height_agl_m=height,
        frequency_mhz=stations["frequency_mhz"].to_numpy(float),
        bandwidth_mhz=of("bandwidth_mhz").astype(float),
        tx_low_mhz=of("tx_low_mhz").astype(float),
        tx_high_mhz=of("tx_high_mhz").astype(float),
        power_mw=power_w * 1000.0 * offset,
        gain=10 ** (0.1 * gain_dbi),
        duty=of("tdd_downlink_share").astype(float) * float(tables.radio["network_load"]["value"]),
        unwanted_mw=10 ** (0.1 * unwanted_dbm) * offset,
        pattern_keys=known,
        first=antennas.first,
        azimuth_deg=antennas.azimuth_deg,
        tilt_deg=tilt,
        pattern=np.array([position[key] for key in keys], dtype=np.int64),
        exclusions=antennas.exclusions,
        verified=np.where(micro, micro_known, of("verified") > 0).astype(bool),
        planned=band.map({key: bool(row.get("planned", True)) for key, row in tables.bands.items()}).to_numpy(bool),
    )


def read_land(project: Project) -> Terrain:
    """Terrain, clutter heights and zones for the path kernels; without a DEM the land is level at 0 m.

    A verdict must not hang on a hole in the DEM: as the nearest edge pixel counts off its frame, so does the nearest
    known pixel where its nodata value or NaN stands (a DEM cut along a border, corners of a turned one, voids).

    Raises
    ------
    LayerError
        The DEM knows no height at all.
    """
    level = Raster(Grid(0.0, 1.0, 1.0, 1, 1, project.config.project.crs), array=np.zeros((1, 1), dtype=np.float32))
    clutter = None
    if project.clutter is not None:
        classes = raster.window(project.clutter, raster.bounds(project.clutter.grid))
        heights = clutter_heights(project)[np.asarray(classes.array, dtype=np.uint8)]
        clutter = Raster(classes.grid, array=heights)
    land = terrain_of(level if project.dem is None else project.dem, clutter, zones=project.radio_zones)
    unknown = np.isnan(land.ground_m)
    if unknown.all():
        raise LayerError("dem: no pixel has a height, all are nodata. Check the file and its nodata value.")
    if not unknown.any():
        return land
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return land._replace(ground_m=np.ascontiguousarray(land.ground_m[tuple(nearest)]))


@dataclass(frozen=True)
class Pairs:
    """Base stations within physical reach of protected stations, ordered by protected station, then station.

    Attributes
    ----------
    tx : int64 (n,)
        Position in :class:`Transmitters`.
    protected : int64 (n,)
        Row of the protected table; its pairs are ``first[k]:first[k + 1]``.
    first : int64 (n_protected + 1,)
    co : bool (n,)
        The transmit band overlaps the receive band; ``in_band_mhz`` by how much.
    in_band_mhz, distance_m, slant_m : float64 (n,)
        Length of the geodesic, and distance between the antennas.
    bearing_deg, elevation_deg : float64 (n,)
        From the base station toward the protected one; the bearing is true.
    excluded_db : float64 (n,)
        By how much the base station's beams are weaker on this bearing (``coverage.antennas.Exclusions``); its
        unwanted emissions are not.
    loss_db, single_loss_db, overload_loss_db : float64 (n,)
        P.452 at the time percentages of the summed and the single criterion and the frequency received; for
        overload free space in line of sight, beyond it P.452 at the carrier. Clutter included once.
    rx_gain, overload_gain : float64 (n,)
        Gain of the protected antenna toward the base station, linear, at the two frequencies.
    beyond : bool (n,)
        Trans-horizon over bare ground.
    """

    tx: NDArray[np.int64]
    protected: NDArray[np.int64]
    first: NDArray[np.int64]
    co: NDArray[np.bool_]
    in_band_mhz: Floats
    distance_m: Floats
    slant_m: Floats
    bearing_deg: Floats
    elevation_deg: Floats
    excluded_db: Floats
    loss_db: Floats
    single_loss_db: Floats
    overload_loss_db: Floats
    rx_gain: Floats
    overload_gain: Floats
    beyond: NDArray[np.bool_]


def received_mhz(low_mhz: Any, high_mhz: Any, carrier_mhz: Any, co: Any) -> Any:
    """Frequency at which a base station is received: its carrier, or the nearer edge of the receive band."""
    return np.where(co, carrier_mhz, np.clip(carrier_mhz, low_mhz, high_mhz))


def distances(tx: Transmitters, record: Any) -> tuple[Floats, Floats]:
    """Geodesic distance (m, at least 1) and true bearing (degrees) from every transmitter to a protected station."""
    length, azimuth = geodesic.inverse(tx.crs, tx.x_m, tx.y_m, record.x_m, record.y_m)
    return np.maximum(length, MIN_DISTANCE_M), azimuth


def find_pairs(tx: Transmitters, protected: pd.DataFrame, land: Terrain, tables: RuleTables) -> dict[str, NDArray[Any]]:
    """Pairs within ``reach_...`` and their geometry: the fields of :class:`Pairs` without losses and gains."""
    reach = {
        name: float(profile_row(tables, f"reach_{name}", "value_m")["value_m"]) for name in ("co_channel", "adjacent")
    }
    mast = heights_at(land, tx.x_m, tx.y_m) + tx.height_agl_m
    own = heights_at(land, protected["x_m"], protected["y_m"]) + protected["height_agl_m"].to_numpy(float)
    found: list[dict[str, NDArray[Any]]] = []
    for k, record in enumerate(protected.itertuples(index=False)):
        co = overlaps_mhz(tx.tx_low_mhz, tx.tx_high_mhz, record.rx_low_mhz, record.rx_high_mhz)
        distance, bearing = distances(tx, record)
        at = np.flatnonzero(distance <= np.where(co, reach["co_channel"], reach["adjacent"]))
        d, rise = distance[at], own[k] - mast[at]
        shared = np.minimum(tx.tx_high_mhz, record.rx_high_mhz) - np.maximum(tx.tx_low_mhz, record.rx_low_mhz)
        bend = np.degrees(d / (2 * EARTH_RADIUS_M))
        angle = np.degrees(np.arctan2(rise, d))
        found.append(
            {
                "tx": at,
                "protected": np.full(len(at), k),
                "co": co[at],
                "in_band_mhz": np.maximum(shared[at], 0.0),
                "distance_m": d,
                "slant_m": np.hypot(d, rise),
                "bearing_deg": bearing[at],
                "elevation_deg": angle - bend,
                "excluded_db": excluded_db(tx.exclusions, at, bearing[at]),
                "back_deg": -angle - bend,
            }
        )
    first = np.concatenate([[0], np.cumsum([len(part["tx"]) for part in found])]).astype(np.int64)
    names = found[0] if found else {}
    return {"first": first} | {name: np.concatenate([part[name] for part in found]) for name in names}


def pair_losses(
    tx: Transmitters,
    protected: pd.DataFrame,
    pairs: dict[str, NDArray[Any]],
    land: Terrain,
    tables: RuleTables,
    *,
    frequency_mhz: Floats,
    gains_dbi: Floats,
    time_pct: tuple[float, float],
    threads: int = 1,
) -> tuple[Floats, NDArray[np.bool_]]:
    """P.452 loss of all pairs at two time percentages, (n, 2), and whether the path is trans-horizon.

    Clutter by the profile's ``path_loss`` row: along the path, or P.2108 section 3.2 at an end below its
    surrounding clutter, or none.
    """
    row, clutter = profile_row(tables, "path_loss", "delta_n"), clutter_model(tables)
    lowest = RANGES["rx_height_agl_m"][0]  # a dish may be given on the ground, the model starts above it
    loss, beyond = p452_batch.pair_losses_db(
        land,
        pairs["tx"],
        pairs["protected"],
        frequency_mhz=frequency_mhz,
        length_m=pairs["distance_m"],
        way_m=geodesic.way_m(
            tx.crs, tx.x_m[pairs["tx"]], tx.y_m[pairs["tx"]], pairs["bearing_deg"], pairs["distance_m"]
        ),
        tx_x_m=tx.x_m,
        tx_y_m=tx.y_m,
        tx_height_agl_m=np.maximum(tx.height_agl_m, lowest),
        rx_x_m=protected["x_m"],
        rx_y_m=protected["y_m"],
        rx_height_agl_m=np.maximum(protected["height_agl_m"], lowest),
        rx_latitude_deg=protected["lat_deg"],
        gains_dbi=gains_dbi,
        time_pct=time_pct[0],
        second_time_pct=time_pct[1],
        polarization=str(row["polarization"]),
        delta_n=float(row["delta_n"]),
        n0=float(row["n0"]),
        step_m=float(row["step_m"]),
        path_clutter=clutter == "path",
        threads=threads,
    )
    if clutter == "p2108":
        ends = terminal_losses_db(tx, protected, pairs, land, frequency_mhz, float(row["location_pct"]))
        loss = loss + ends[:, None]
    return loss, beyond


def terminal_losses_db(
    tx: Transmitters,
    protected: pd.DataFrame,
    pairs: dict[str, NDArray[Any]],
    land: Terrain,
    frequency_mhz: Floats,
    location_pct: float,
) -> Floats:
    """P.2108 section 3.2 at each end that stands below its clutter, within the section's distances."""
    low_tx = tx.height_agl_m < clutter_heights_at(land, tx.x_m, tx.y_m)
    x_m, y_m = protected["x_m"].to_numpy(float), protected["y_m"].to_numpy(float)
    low_rx = protected["height_agl_m"].to_numpy(float) < clutter_heights_at(land, x_m, y_m)
    ends = low_tx[pairs["tx"]].astype(int) + low_rx[pairs["protected"]].astype(int)
    out = np.zeros(len(ends))
    for count, least in ((1, 250.0), (2, 1000.0)):
        at = (ends == count) & (pairs["distance_m"] >= least)
        if at.any():
            both = count == 2
            one = terrestrial_clutter_db(frequency_mhz[at], pairs["distance_m"][at], location_pct, both_ends=both)
            out[at] = count * one
    return out


def sector_gains(
    tx: Transmitters, tables: RuleTables, pairs: Any, kind: str, at: NDArray[np.int64] | None = None
) -> Floats:
    """Linear gain of each sector toward the protected station, (pairs, most sectors), 0 where there is none.

    Parameters
    ----------
    tx : Transmitters
    tables : RuleTables
        With ``beam_set``.
    pairs : Pairs or dict
        ``tx``, ``bearing_deg``, ``elevation_deg``.
    kind : {"average", "envelope", "unwanted"}
        Mean over the beams (1 over the sphere); strongest beam times the rules row's gain; one element.
    at : ndarray of int, optional
        Some of the pairs.
    """
    get = pairs.__getitem__ if isinstance(pairs, dict) else lambda name: getattr(pairs, name)
    pick = slice(None) if at is None else at
    row = profile_row(tables, "beam_set", "azimuths_deg")
    beams = patterns.Beams(tuple(map(float, row["azimuths_deg"])), tuple(map(float, row["elevations_deg"])))
    stack = np.stack(
        [patterns.tables_of(key, ArrayAntenna(), beams)[kind].astype(np.float32) for key in tx.pattern_keys]
    ) if tx.pattern_keys else np.zeros((1, 2, 2), dtype=np.float32)  # fmt: skip
    who = get("tx")[pick]
    most = int(np.diff(tx.first).max(initial=1))
    out = np.zeros((len(who), most))
    patterns.sum_sectors(
        stack, patterns.ELEVATIONS_DEG, tx.pattern, tx.first, tx.azimuth_deg, who, get("bearing_deg")[pick],
        get("elevation_deg")[pick], out,
    )  # fmt: skip
    return out * tx.gain[who][:, None] if kind == "envelope" else out
