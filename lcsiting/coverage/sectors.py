"""From stations to sectors: flat arrays with antenna, power, path-loss vector, reach and thresholds."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting import rules
from lcsiting.coverage import rowmath
from lcsiting.coverage.antennas import Exclusions, station_antennas
from lcsiting.inputs import antenna_files
from lcsiting.radio import linkbudget, pathloss

if TYPE_CHECKING:
    from lcsiting.model import Project

Floats = NDArray[np.float64]

OFF_NOMINAL = 1  # mast height the report does not give itself
CLIPPED = 2  # mast height outside the stated range: loss computed at the nearest bound
FREQUENCY = 4  # Hata's formula beyond its frequencies
HATA = ("okumura_hata", "cost231_hata")
TERRAIN_MODELS = ("p1812",)
LOS_MODELS = ("uma", "umi", "rma")
NEAR_FIELD, EXTRAPOLATED = 1, 2  # what a pixel's flag says


@dataclass(frozen=True)
class Sectors:
    """Stations and their sectors as flat arrays.

    Attributes
    ----------
    station_rows : int32 (n,)
        Row of each station in ``Project.stations``.
    x_m, y_m, height_agl_m : float64 (n,)
        Position in the working CRS and antenna height.
    network, klass : int16 (n,)
        Network index; index into ``classes``.
    classes : tuple of (band, model)
        What thresholds depend on.
    coefficients : float64 (n, 13)
        ``radio.pathloss.COLUMNS`` of each station.
    reach_m : float64 (n,)
        Beyond it a station is not computed: the band's range, within the model's validity.
    flags : uint8 (n,)
        ``OFF_NOMINAL``, ``CLIPPED``.
    first : int64 (n + 1,)
        Sectors of station k are ``first[k]:first[k + 1]``.
    azimuth_deg, tilt_deg, eirp_dbm : float64 (m,)
        Clockwise from true north, as recorded; below the horizon; SSB EIRP per resource element at the beam's peak.
    electrical_tilt_deg : float64 (m,) or None
        What a pattern file brings of the total tilt, beside ``tilt_deg``; None for none.
    horizontal_beamwidth_deg, vertical_beamwidth_deg : float64 (m,)
        3 dB widths; ``inf`` for an omnidirectional cut.
    front_to_back_db, side_lobe_db, ue_height_m : float
        A_max, SLA_V and the terminal's height, for all sectors.
    pattern : int16 (m,) or None
        Number of the sector's table in ``patterns``; -1, and None for all: the formula of TR 38.901.
    frequency_mhz : float64 (n,) or None
        Carrier; needed by terrain models only.
    terrain : uint8 (n,) or None
        ``coverage.terrain`` FORMULA, P1812 or LOS of each station; None where all are formulas.
    convergence_deg : float64 (n,) or None
        True azimuth of the working CRS's north at each station, up to 1 degree in a 3-degree zone: the kernels turn
        the sectors by it into the grid. None for 0.
    exclusions : Exclusions or None
        Bearings in which a station forms no beams; None where none does so.
    patterns : float32 (n_patterns, 3, 362)
        ``inputs.antenna_files.kernel_table`` of each pattern file.
    """

    station_rows: NDArray[np.int32]
    x_m: Floats
    y_m: Floats
    height_agl_m: Floats
    network: NDArray[np.int16]
    klass: NDArray[np.int16]
    classes: tuple[tuple[str, str], ...]
    coefficients: Floats
    reach_m: Floats
    flags: NDArray[np.uint8]
    first: NDArray[np.int64]
    azimuth_deg: Floats
    tilt_deg: Floats
    eirp_dbm: Floats
    horizontal_beamwidth_deg: Floats
    vertical_beamwidth_deg: Floats
    front_to_back_db: float = 30.0
    side_lobe_db: float = 30.0
    ue_height_m: float = 1.5
    pattern: NDArray[np.int16] | None = None
    electrical_tilt_deg: Floats | None = None
    frequency_mhz: Floats | None = None
    terrain: NDArray[np.uint8] | None = None
    convergence_deg: Floats | None = None
    exclusions: Exclusions | None = None
    patterns: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 3, 362), np.float32))

    def __len__(self) -> int:
        return len(self.x_m)


def radio_values(project: "Project") -> dict[str, float]:
    """``rules/radio`` of a project as name to number."""
    return {key: float(row["value"]) for key, row in rules.load("radio", project.root / "rules").items()}


def _per_station(table: dict[str, rules.Row], keys: NDArray[Any], field: str) -> Floats:
    """A rule field for each station by its key."""
    names, inverse = np.unique(keys.astype(str), return_inverse=True)
    return np.array([float(table[name][field]) for name in names])[inverse]


def path_loss_rows(
    model: NDArray[Any], frequency_mhz: Floats, height_agl_m: Floats, ue_height_m: float
) -> tuple[Floats, NDArray[np.uint8]]:
    """Coefficient row and height flags of each station.

    A mast outside the model's stated range is computed at the nearest bound and flagged ``CLIPPED``;
    one off the report's own height is flagged ``OFF_NOMINAL``; Hata beyond its frequencies ``FREQUENCY``.
    A terrain model's row is free space: its loss comes from a raster.

    Returns
    -------
    rows, flags : float64 (n, 13), uint8 (n,)
    """
    rows = np.empty((len(model), len(pathloss.COLUMNS)))
    flags = np.zeros(len(model), dtype=np.uint8)
    for name in np.unique(model.astype(str)):
        mine = model == name
        if name in TERRAIN_MODELS:
            rows[mine] = pathloss.coefficients("free_space", frequency_mhz[mine], height_agl_m[mine], ue_height_m)
            continue
        valid = pathloss.MODELS[name]
        low, high = valid.bs_height_m
        height, mhz = height_agl_m[mine], frequency_mhz[mine]
        clipped, beyond = np.clip(height, low, high), np.zeros(mine.sum(), bool)
        if name in HATA:
            beyond = (mhz < valid.frequency_mhz[0]) | (mhz > valid.frequency_mhz[1])
            rows[mine] = valid.rows(mhz, clipped, np.full(len(mhz), ue_height_m))
        else:
            rows[mine] = pathloss.coefficients(name, mhz, clipped, ue_height_m)
        flags[mine] = (
            OFF_NOMINAL * pathloss.off_nominal(name, height) + CLIPPED * (height != clipped) + FREQUENCY * beyond
        )
    return rows, flags


def _longest_m(model: str) -> float:
    return np.inf if model in TERRAIN_MODELS else pathloss.MODELS[model].distance_m[1]


def _terrain_kind(project: "Project", model: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Which stations take their loss from a raster; None if none does."""
    kind = np.full(len(model), rowmath.FORMULA, dtype=np.uint8)
    kind[np.isin(model.astype(str), TERRAIN_MODELS)] = rowmath.P1812
    if project.config.propagation.los == "dem":
        kind[np.isin(model.astype(str), LOS_MODELS)] = rowmath.LOS
    return kind if kind.any() else None


def _patterns(
    project: "Project", network: NDArray[Any], band: NDArray[Any], micro: NDArray[np.bool_]
) -> tuple[list[antenna_files.Pattern], NDArray[np.int16]]:
    """Antenna files in use and the number of each station's, -1 for the formula (always for a micro)."""
    read: list[antenna_files.Pattern] = []
    numbers = np.full(len(band), -1, dtype=np.int16)
    for k, one in enumerate(project.config.networks):
        for name, path in one.patterns.items():
            mine = (network == k) & (band == name) & ~micro
            if mine.any():
                numbers[mine] = len(read)
                read.append(antenna_files.read_pattern(project.root / path))
    return read, numbers


def _by_file(
    files: list[antenna_files.Pattern], pattern: NDArray[np.int16], gain_dbi: Floats, owner: NDArray[Any], tilt: Floats
) -> tuple[Any, dict[str, Any]]:
    """What antenna files change: each station's gain over ``gain_dbi``, that of its band, and fields of Sectors.

    The file's gain counts where it has one; of the tilt, what the file's electrical tilt leaves to do.
    """
    if not files:
        return 0.0, {"tilt_deg": tilt}
    own_dbi, built_in = np.array([(p.gain_dbi, p.electrical_tilt_deg) for p in files]).T[:, pattern]
    electrical = np.where(pattern >= 0, built_in, 0.0)[owner]
    return np.where((pattern >= 0) & np.isfinite(own_dbi), own_dbi - gain_dbi, 0.0), {
        "tilt_deg": np.where(pattern[owner] >= 0, np.maximum(tilt - electrical, 0.0), tilt),
        "pattern": pattern[owner],
        "patterns": kernel_tables(files),
        "electrical_tilt_deg": electrical,
    }


def build_sectors(project: "Project", station_rows: ArrayLike | None = None) -> Sectors:
    """Sectors of some of a project's stations.

    Parameters
    ----------
    project : Project
    station_rows : array_like of int, optional
        Positions in ``project.stations``; all if omitted.

    Returns
    -------
    Sectors
        In the order given. Azimuths, tilts, power offsets and exclusions are those of
        :func:`antennas.station_antennas`; a micro station has one omnidirectional sector of ``rules/radio`` micro power
        and gain. A pattern file brings its own gain; its electrical tilt is taken off the sector's.
    """
    from lcsiting.geo import geodesic  # here, so that the kernels load without the file libraries

    chosen = np.arange(len(project.stations)) if station_rows is None else np.asarray(station_rows, dtype=np.int64)
    stations = project.stations.iloc[chosen]
    bands = rules.load("bands", project.root / "rules")
    radio = radio_values(project)
    band, model = stations["band"].to_numpy(object), stations["model"].to_numpy(object)
    height = stations["height_agl_m"].to_numpy(np.float64)
    micro = stations["micro"].to_numpy(bool)
    place = stations["place"].to_numpy()
    x, y = (part.to_numpy()[place] for part in (project.places.geometry.x, project.places.geometry.y))
    antennas = station_antennas(project, chosen)
    owner = np.repeat(np.arange(len(chosen)), np.diff(antennas.first))
    pairs = [(str(b), str(m)) for b, m in zip(band, model, strict=True)]
    classes = tuple(sorted(set(pairs)))
    positions = {pair: i for i, pair in enumerate(classes)}
    frequency = stations["frequency_mhz"].to_numpy(np.float64)
    rows, flags = path_loss_rows(model, frequency, height, radio["ue_height_m"])
    eirp = _eirp(bands, radio, band, micro) + antennas.power_offset_db
    files, pattern = _patterns(project, stations["network_index"].to_numpy(), band, micro)
    gain_db, by_file = _by_file(files, pattern, _per_station(bands, band, "gain_dbi"), owner, antennas.tilt_deg)
    horizontal = np.where(micro, np.inf, _per_station(bands, band, "horizontal_beamwidth_deg"))
    return Sectors(
        station_rows=chosen.astype(np.int32),
        x_m=x,
        y_m=y,
        height_agl_m=height,
        network=stations["network_index"].to_numpy(np.int16),
        klass=np.array([positions[pair] for pair in pairs], dtype=np.int16),
        classes=classes,
        coefficients=rows,
        reach_m=np.minimum(_per_station(bands, band, "range_m"), [_longest_m(name) for name in model]),
        flags=flags,
        first=antennas.first,
        azimuth_deg=antennas.azimuth_deg,
        eirp_dbm=(eirp + gain_db)[owner],
        horizontal_beamwidth_deg=horizontal[owner],
        vertical_beamwidth_deg=_per_station(bands, band, "vertical_beamwidth_deg")[owner],
        front_to_back_db=radio["front_to_back_db"],
        side_lobe_db=radio["side_lobe_db"],
        ue_height_m=radio["ue_height_m"],
        frequency_mhz=frequency,
        terrain=_terrain_kind(project, model),
        convergence_deg=geodesic.convergence_deg(project.config.project.crs, x, y),
        exclusions=antennas.exclusions if len(antennas.exclusions.wedge) else None,
        **by_file,
    )


def kernel_tables(files: list[antenna_files.Pattern]) -> NDArray[np.float32]:
    """Tables of some patterns, (n_patterns, 3, 362)."""
    return np.stack([antenna_files.kernel_table(pattern) for pattern in files])


def _eirp(bands: dict[str, rules.Row], radio: dict[str, float], band: NDArray[Any], micro: NDArray[np.bool_]) -> Floats:
    """SSB EIRP per resource element; a micro's single beam has no offset to its peak."""
    macro, small = {}, {}
    for name in set(band.astype(str)):
        row = bands[name]
        macro[name] = linkbudget.ssb_eirp_dbm(
            row["power_w"], row["resource_blocks"], row["gain_dbi"], row["ssb_below_peak_db"]
        )
        small[name] = linkbudget.ssb_eirp_dbm(radio["micro_power_w"], row["resource_blocks"], radio["micro_gain_dbi"])
    return np.array([(small if m else macro)[name] for name, m in zip(band, micro, strict=True)], dtype=np.float64)


def count_flags(sectors: Sectors) -> dict[str, int]:
    """Stations computed off the path-loss model's own mast height, and those outside its stated range."""
    return {
        "mast_off_nominal": int((sectors.flags & OFF_NOMINAL > 0).sum()),
        "mast_outside_range": int((sectors.flags & CLIPPED > 0).sum()),
        "frequency_outside_range": int((sectors.flags & FREQUENCY > 0).sum()),
    }


def near_limits(sectors: Sectors, near_field_m: float) -> tuple[Floats, NDArray[np.uint8]]:
    """Distance below which a station's pixels are flagged, and the flag: ``NEAR_FIELD`` or ``EXTRAPOLATED``.

    P.1812 begins at 250 m (the near-field model answers), Hata at 1 km (its line is extrapolated, never below
    free space); the models of TR 38.901 begin at 10 m, less than a pixel, and flag nothing.
    """
    limit, flag = np.zeros(len(sectors)), np.zeros(len(sectors), dtype=np.uint8)
    for k, (_, model) in enumerate(sectors.classes):
        mine = sectors.klass == k
        if model in TERRAIN_MODELS:
            limit[mine], flag[mine] = near_field_m, NEAR_FIELD
        elif model in HATA:
            limit[mine], flag[mine] = pathloss.MODELS[model].distance_m[0], EXTRAPOLATED
    return limit, flag


def noise_dbm(project: "Project", band: str) -> float:
    """Terminal noise per resource element in a band."""
    row = rules.load("bands", project.root / "rules")[band]
    return linkbudget.noise_per_re_dbm(row["scs_khz"], radio_values(project)["noise_figure_db"])


def slope_db_per_decade(project: "Project", model: str) -> float:
    """Slope for the area reliability: a formula's own, or the default of ``rules/propagation`` for a terrain model."""
    if model in TERRAIN_MODELS:
        return float(rules.load("propagation", project.root / "rules")[f"{model}_slope_db_per_decade"]["value"])
    return pathloss.slope_db_per_decade(model)


def thresholds_dbm(project: "Project", sectors: Sectors) -> Floats:
    """Outdoor mean RSRP that serves, by station class, cell morphology and service.

    ``rsrp_dbm + shadow margin + penetration``. The margin is that of the service's reliability (of the area, or
    of the edge where it says so) with the sigma of the cell's morphology and the NLOS slope of the station's model
    at its default mast height (a choice: the cell edge, which decides the margin, lies in NLOS).
    Indoor services add the morphology's penetration and the band's offset, never below 0 dB;
    body loss is added to all.

    Returns
    -------
    float64 (n_classes, n_morphologies, n_services)
        Order of ``sectors.classes``, of the morphology order codes, of ``config.services``.
    """
    override = project.root / "rules"
    morphologies = sorted(rules.load("morphology", override).values(), key=lambda row: row["order"])
    bands = rules.load("bands", override)
    body = radio_values(project)["body_loss_db"]
    services = project.config.services
    out = np.empty((len(sectors.classes), len(morphologies), len(services)))
    for i, (band, model) in enumerate(sectors.classes):
        slope = slope_db_per_decade(project, model)
        for j, morphology in enumerate(morphologies):
            inside = max(0.0, morphology["penetration_db"] + bands[band]["penetration_offset_db"])
            for k, service in enumerate(services):
                margin = linkbudget.shadow_margin_db(
                    service.reliability_pct, morphology["sigma_db"], slope, reliability_of=service.reliability_of
                )
                out[i, j, k] = service.rsrp_dbm + margin + body + (inside if service.indoor else 0.0)
    return out
