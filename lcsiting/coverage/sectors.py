"""From stations to sectors: flat arrays with antenna, power, path-loss vector, reach and thresholds."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lcsiting import rules
from lcsiting.errors import LayerError
from lcsiting.radio import linkbudget, pathloss

if TYPE_CHECKING:
    from lcsiting.model import Project

Floats = NDArray[np.float64]

DEFAULT_AZIMUTHS = (0.0, 120.0, 240.0)
OFF_NOMINAL = 1  # mast height the report does not give itself
CLIPPED = 2  # mast height outside the stated range: loss computed at the nearest bound


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
        Clockwise from north; below the horizon; SSB EIRP per resource element at the beam's peak.
    horizontal_beamwidth_deg, vertical_beamwidth_deg : float64 (m,)
        3 dB widths; ``inf`` for an omnidirectional cut.
    front_to_back_db, side_lobe_db, ue_height_m : float
        A_max, SLA_V and the terminal's height, for all sectors.
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

    def __len__(self) -> int:
        return len(self.x_m)


def radio_values(project: "Project") -> dict[str, float]:
    """``rules/radio`` of a project as name to number."""
    return {key: float(row["value"]) for key, row in rules.load("radio", project.root / "rules").items()}


def parse_azimuths(text: Any) -> tuple[float, ...]:
    """``"0/120/240"`` to degrees in [0, 360); empty text or none gives 0, 120, 240.

    Raises
    ------
    LayerError
        The text is not numbers with separators between.
    """
    if not isinstance(text, str) or not text.strip():
        return DEFAULT_AZIMUTHS
    parts = [part for part in re.split(r"[/,;、，；\s]+", text.strip().replace("°", "")) if part]
    try:
        return tuple(float(part) % 360.0 for part in parts)
    except ValueError as error:
        raise LayerError(f"azimuths_deg: {text!r} is not degrees like 0/120/240. Correct the column.") from error


def _per_station(table: dict[str, rules.Row], keys: NDArray[Any], field: str) -> Floats:
    """A rule field for each station by its key."""
    names, inverse = np.unique(keys.astype(str), return_inverse=True)
    return np.array([float(table[name][field]) for name in names])[inverse]


def path_loss_rows(
    model: NDArray[Any], frequency_mhz: Floats, height_agl_m: Floats, ue_height_m: float
) -> tuple[Floats, NDArray[np.uint8]]:
    """Coefficient row and height flags of each station.

    A mast outside the model's stated range is computed at the nearest bound and flagged ``CLIPPED``;
    one off the report's own height is flagged ``OFF_NOMINAL``.

    Returns
    -------
    rows, flags : float64 (n, 13), uint8 (n,)
    """
    rows = np.empty((len(model), len(pathloss.COLUMNS)))
    flags = np.zeros(len(model), dtype=np.uint8)
    for name in np.unique(model.astype(str)):
        mine = model == name
        low, high = pathloss.MODELS[name].bs_height_m
        height = height_agl_m[mine]
        rows[mine] = pathloss.coefficients(name, frequency_mhz[mine], np.clip(height, low, high), ue_height_m)
        outside = (height < low) | (height > high)
        flags[mine] = OFF_NOMINAL * pathloss.off_nominal(name, height) + CLIPPED * outside
    return rows, flags


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
        In the order given. Azimuths as recorded, else 0/120/240; a micro station has one
        omnidirectional sector of ``rules/radio`` micro power and gain. Tilt follows the spacing of
        the place's morphology (:func:`radio.linkbudget.default_tilt_deg`).
    """
    count = len(project.stations)
    chosen = np.arange(count) if station_rows is None else np.asarray(station_rows, dtype=np.int64)
    stations = project.stations.iloc[chosen]
    bands = rules.load("bands", project.root / "rules")
    radio = radio_values(project)
    band, model = stations["band"].to_numpy(object), stations["model"].to_numpy(object)
    height = stations["height_agl_m"].to_numpy(np.float64)
    micro = stations["micro"].to_numpy(bool)
    place = stations["place"].to_numpy()
    geometry = project.places.geometry
    azimuths = _azimuths(project.places["azimuths_deg"].to_numpy(object)[place], micro)
    first = np.concatenate([[0], np.cumsum([len(a) for a in azimuths])]).astype(np.int64)
    owner = np.repeat(np.arange(len(chosen)), np.diff(first))
    rows, flags = path_loss_rows(model, stations["frequency_mhz"].to_numpy(np.float64), height, radio["ue_height_m"])
    pairs = [(str(b), str(m)) for b, m in zip(band, model, strict=True)]
    classes = tuple(sorted(set(pairs)))
    positions = {pair: i for i, pair in enumerate(classes)}
    longest = np.array([pathloss.MODELS[name].distance_m[1] for name in model], dtype=np.float64)
    vertical = _per_station(bands, band, "vertical_beamwidth_deg")
    tilt = _tilt(project, radio, place, height, vertical)
    horizontal = np.where(micro, np.inf, _per_station(bands, band, "horizontal_beamwidth_deg"))
    return Sectors(
        station_rows=chosen.astype(np.int32),
        x_m=geometry.x.to_numpy()[place],
        y_m=geometry.y.to_numpy()[place],
        height_agl_m=height,
        network=stations["network_index"].to_numpy(np.int16),
        klass=np.array([positions[pair] for pair in pairs], dtype=np.int16),
        classes=classes,
        coefficients=rows,
        reach_m=np.minimum(_per_station(bands, band, "range_m"), longest),
        flags=flags,
        first=first,
        azimuth_deg=np.array([a for one in azimuths for a in one], dtype=np.float64),
        tilt_deg=tilt[owner],
        eirp_dbm=_eirp(bands, radio, band, micro)[owner],
        horizontal_beamwidth_deg=horizontal[owner],
        vertical_beamwidth_deg=vertical[owner],
        front_to_back_db=radio["front_to_back_db"],
        side_lobe_db=radio["side_lobe_db"],
        ue_height_m=radio["ue_height_m"],
    )


def _azimuths(texts: NDArray[Any], micro: NDArray[np.bool_]) -> list[tuple[float, ...]]:
    known: dict[Any, tuple[float, ...]] = {}
    out = []
    for text, small in zip(texts, micro, strict=True):
        if small:
            out.append((0.0,))
        else:
            if text not in known:
                known[text] = parse_azimuths(text)
            out.append(known[text])
    return out


def _tilt(project: "Project", radio: dict[str, float], place: NDArray[Any], height: Floats, vertical: Floats) -> Floats:
    morphology = rules.load("morphology", project.root / "rules")
    spacing = _per_station(morphology, project.places["morphology"].to_numpy(object)[place], "spacing_m")
    return linkbudget.default_tilt_deg(
        height,
        spacing,
        vertical,
        ue_height_m=radio["ue_height_m"],
        spacing_factor=radio["tilt_spacing_factor"],
        limits_deg=(radio["tilt_min_deg"], radio["tilt_max_deg"]),
    )


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
    }


def noise_dbm(project: "Project", band: str) -> float:
    """Terminal noise per resource element in a band."""
    row = rules.load("bands", project.root / "rules")[band]
    return linkbudget.noise_per_re_dbm(row["scs_khz"], radio_values(project)["noise_figure_db"])


def thresholds_dbm(project: "Project", sectors: Sectors) -> Floats:
    """Outdoor mean RSRP that serves, by station class, cell morphology and service.

    ``rsrp_dbm + shadow margin + penetration``. The margin is that of the service's *area*
    reliability with the sigma of the cell's morphology and the NLOS slope of the station's model
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
        slope = pathloss.slope_db_per_decade(model)
        for j, morphology in enumerate(morphologies):
            inside = max(0.0, morphology["penetration_db"] + bands[band]["penetration_offset_db"])
            for k, service in enumerate(services):
                margin = linkbudget.shadow_margin_db(service.reliability_pct, morphology["sigma_db"], slope)
                out[i, j, k] = service.rsrp_dbm + margin + body + (inside if service.indoor else 0.0)
    return out
