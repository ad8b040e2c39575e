"""The protected stations of a project, ready for computing: defaults filled in and listed."""

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting import schema
from lcsiting.coordination.profile import Row, RuleTables, overlaps_mhz, profile_row, scope_mhz
from lcsiting.errors import LayerError
from lcsiting.geo import crs as coordinates
from lcsiting.inputs.stations import EARTH_STATION_CLASSES
from lcsiting.model import Project
from lcsiting.radio import antenna


def isotropic_gain_dbi(off_axis_deg: ArrayLike, **_: float) -> NDArray[np.float64]:
    """The 0 dBi side lobe that ITU-R RA.769-2 takes for a radio telescope, wherever it points."""
    return np.zeros_like(np.asarray(off_axis_deg, dtype=float))


PATTERNS = {"s465": antenna.s465_gain_dbi, "s580": antenna.s580_gain_dbi, "ra769": isotropic_gain_dbi}

# Whose absence matters to which mechanism; each default used is listed with the verdict.
DECIDING = {
    "co_channel": (
        "licensed_since", "noise_temperature_k", "shielding_db", "height_agl_m", "diameter_m", "antenna_pattern",
        "antenna_efficiency", "satellite_lon_deg",
    ),
    "adjacent": (
        "licensed_since", "lnb_type", "filter_rejection_db", "noise_temperature_k", "shielding_db", "height_agl_m",
        "diameter_m", "antenna_pattern", "antenna_efficiency", "satellite_lon_deg",
    ),
    "overload": (
        "licensed_since", "lnb_type", "filter_rejection_db", "shielding_db", "height_agl_m", "diameter_m",
        "antenna_pattern", "antenna_efficiency", "satellite_lon_deg",
    ),
}  # fmt: skip


def _column(layer: pd.DataFrame, name: str) -> pd.Series:
    """A column of the layer, empty where the file had none."""
    return layer[name] if name in layer else pd.Series(np.nan, index=layer.index, dtype=object)


def _number(layer: pd.DataFrame, name: str) -> pd.Series:
    return pd.to_numeric(_column(layer, name), errors="coerce").astype(float)


def _text(layer: pd.DataFrame, name: str) -> pd.Series:
    return _column(layer, name).astype(object).where(_column(layer, name).notna(), "").astype(str).str.strip()


def _refuse(layer: gpd.GeoDataFrame, bad: pd.Series, what: str, remedy: str) -> None:
    if bad.any():
        ids = ", ".join(_text(layer, "station_id")[bad].head(5))
        rows = "row has" if bad.sum() == 1 else "rows have"
        raise LayerError(f"protected_stations: {int(bad.sum())} {rows} {what} (station_id {ids}). {remedy}")


def _require_usable(layer: gpd.GeoDataFrame) -> None:
    _refuse(layer, layer.geometry.isna() | layer.geometry.is_empty, "no position", "Fill 经度/纬度 or delete the row.")
    low, high = _number(layer, "rx_low_mhz"), _number(layer, "rx_high_mhz")
    _refuse(layer, low.isna() | high.isna(), "no receive band", "Fill 接收频率下限/上限 (MHz).")
    _refuse(layer, low >= high, "a reversed receive band", "Lower edge first: swap 接收频率下限/上限.")
    blind = _number(layer, "pointing_azimuth_deg").isna() | _number(layer, "pointing_elevation_deg").isna()
    link = _text(layer, "class") == "fixed"
    _refuse(layer, blind & link, "no pointing, a fixed link has no satellite", "Fill 天线方位角 and 天线仰角.")


def _filled(layer: gpd.GeoDataFrame, name: str, defaults: dict[str, Row], used: dict[str, pd.Series]) -> pd.Series:
    """A numeric column with the default in its gaps; where the default went is noted in ``used``."""
    values = _number(layer, name)
    used[name] = values.isna()
    return values.fillna(float(defaults[name]["value"]))


def _filled_text(
    layer: gpd.GeoDataFrame, name: str, known: tuple[str, ...], defaults: dict[str, Row], used: dict[str, pd.Series]
) -> pd.Series:
    values, row = _text(layer, name).str.lower(), defaults[name]
    used[name] = ~values.isin(known)
    default = _text(layer, "class").map(lambda kind: str(row.get(f"{kind}_text", row["text"])))
    return values.where(~used[name], default)


def _noise_temperature(
    layer: gpd.GeoDataFrame, diameter_m: pd.Series, tables: RuleTables, used: dict[str, pd.Series]
) -> pd.Series:
    """As recorded, else the default: that of a fixed link's criterion, a warmer one for small dishes."""
    values, row = _number(layer, "noise_temperature_k"), tables.defaults["noise_temperature_k"]
    used["noise_temperature_k"] = values.isna()
    small = diameter_m < float(row["small_dish_below_m"])
    default = small.map({True: float(row["small_dish_value"]), False: float(row["value"])})
    link = tables.profile.get("criterion_fixed", {}).get("noise_temperature_k")
    if link is not None:
        default = default.where(_text(layer, "class") != "fixed", float(link))
    return values.fillna(default)


def _pointing(
    layer: gpd.GeoDataFrame, lon: Any, lat: Any, defaults: dict[str, Row], used: dict[str, pd.Series]
) -> tuple[Any, Any]:
    """Azimuth and elevation: as recorded, else toward the satellite, else toward the default satellite."""
    azimuth, elevation = _number(layer, "pointing_azimuth_deg"), _number(layer, "pointing_elevation_deg")
    recorded = azimuth.notna() & elevation.notna()
    satellite = _filled(layer, "satellite_lon_deg", defaults, used)
    used["satellite_lon_deg"] &= ~recorded
    look = antenna.gso_look_angles(lat, lon, satellite.to_numpy())
    return np.where(recorded, azimuth, look[0]), np.where(recorded, elevation, look[1])


def _list_defaults(out: pd.DataFrame, used: dict[str, pd.Series], tables: RuleTables) -> pd.DataFrame:
    """``defaults_<mechanism>``: names of the defaults used; ``known_<mechanism>``: those used are verified.

    Only those that decide: a fixed link has no low-noise block, an observatory's limit no noise temperature, and the
    side lobe of RA.769 no antenna.
    """
    for idle, names in (
        (~out["earth_station"], ("lnb_type", "filter_rejection_db")),
        (out["kind"] == "ras", ("noise_temperature_k",)),
        (out["pattern"] == "ra769", ("diameter_m", "antenna_efficiency", "satellite_lon_deg")),
    ):
        for name in names:
            used[name] = used[name] & ~idle
    for mechanism, names in DECIDING.items():
        listed = [[name for name in names if used[name].iloc[row]] for row in range(len(out))]
        out[f"defaults_{mechanism}"] = [";".join(row) for row in listed]
        out[f"known_{mechanism}"] = [all(tables.defaults[name]["verified"] for name in row) for row in listed]
    return out


def _layer_in_scope(project: Project, tables: RuleTables) -> gpd.GeoDataFrame:
    """The usable layer, stations receiving wholly outside the scope left out."""
    layer = project.layers.get("protected_stations")
    if layer is None:
        layer = gpd.GeoDataFrame({"station_id": []}, geometry=[], crs=project.config.project.crs)
    layer = layer.reset_index(drop=True)
    _require_usable(layer)
    low, high = _number(layer, "rx_low_mhz"), _number(layer, "rx_high_mhz")
    touched = np.zeros(len(layer), dtype=bool)
    for edge in scope_mhz(tables):
        touched |= overlaps_mhz(low, high, *edge)
    return layer[touched].reset_index(drop=True)


def read_protected(project: Project, tables: RuleTables) -> pd.DataFrame:
    """Protected stations whose receive band touches the profile's scope, with defaults filled in.

    Parameters
    ----------
    project : Project
        ``layers["protected_stations"]`` in the working CRS; beyond the city border they count.
    tables : RuleTables
        Profile and defaults.

    Returns
    -------
    DataFrame
        One row per station in layer order: protected_id, protected_name, kind (class), earth_station, x_m,
        y_m, lat_deg, rx_low_mhz, rx_high_mhz, height_agl_m,
        diameter_m, peak_gain_dbi (NaN: from the diameter), azimuth_deg (true north), elevation_deg,
        pattern, lnb_type, filter_db, shielding_db, noise_temperature_k, licensed_since (NaT: not recorded),
        allocation (``secondary`` if recorded so), planned (None: not recorded), adjacent (rule row id), and per
        mechanism the defaults used and whether those are verified.

    Raises
    ------
    LayerError
        No position, no or a reversed receive band, a fixed link without pointing.
    """
    layer = _layer_in_scope(project, tables)
    defaults: dict[str, Row] = dict(tables.defaults)
    used: dict[str, pd.Series] = {}
    x_m, y_m = layer.geometry.x.to_numpy(float), layer.geometry.y.to_numpy(float)
    lon, lat = coordinates.transform(x_m, y_m, project.config.project.crs, "EPSG:4490")
    azimuth, elevation = _pointing(layer, lon, lat, defaults, used)
    lnb_types = schema.layer("protected_stations").columns["lnb_type"].values
    gain = _number(layer, "gain_dbi")
    used["licensed_since"] = _column(layer, "licensed_since").isna()
    used["antenna_efficiency"] = gain.isna()
    out = pd.DataFrame(
        {
            "protected_id": _text(layer, "station_id"),
            "protected_name": _text(layer, "name"),
            "kind": _text(layer, "class"),
            "earth_station": _text(layer, "class").isin(EARTH_STATION_CLASSES),
            "x_m": x_m,
            "y_m": y_m,
            "lat_deg": lat,
            "rx_low_mhz": _number(layer, "rx_low_mhz"),
            "rx_high_mhz": _number(layer, "rx_high_mhz"),
            "height_agl_m": _filled(layer, "height_agl_m", defaults, used),
            "diameter_m": _filled(layer, "diameter_m", defaults, used),
            "peak_gain_dbi": gain,
            "azimuth_deg": azimuth,
            "elevation_deg": elevation,
            "pattern": _filled_text(layer, "antenna_pattern", tuple(PATTERNS), defaults, used),
            "lnb_type": _filled_text(layer, "lnb_type", lnb_types, defaults, used),
            "filter_db": _filled(layer, "filter_rejection_db", defaults, used),
            "shielding_db": _filled(layer, "shielding_db", defaults, used),
            "licensed_since": pd.to_datetime(_column(layer, "licensed_since"), errors="coerce"),
            "allocation": _text(layer, "allocation").str.lower(),
            "planned": pd.Series([None if pd.isna(v) else bool(v) for v in _column(layer, "planned")], dtype=object),
        }
    )
    out["noise_temperature_k"] = _noise_temperature(layer, out["diameter_m"], tables, used)
    out["adjacent"] = [adjacent_rule(row, tables) for row in out.itertuples(index=False)]
    return _list_defaults(out, used, tables)


def adjacent_rule(record: Any, tables: RuleTables) -> str:
    """The profile row whose distance holds for base stations outside the receive band.

    A compliant block, or a filter of at least the row's ``min_filter_db``, takes the filtered
    distance. Fixed links and observatories have no such block: the widest distance holds.
    """
    if not record.earth_station:
        return "radius_adjacent_wide"
    enough = float(profile_row(tables, "radius_adjacent_filtered", "min_filter_db")["min_filter_db"])
    if record.lnb_type == "compliant" or record.filter_db >= enough:
        return "radius_adjacent_filtered"
    return f"radius_adjacent_{record.lnb_type}"


def toward_gain_dbi(record: Any, azimuth_deg: Any, elevation_deg: Any, frequency_mhz: float, efficiency: float) -> Any:
    """Gain of a protected station's antenna toward given directions (true azimuth, elevation)."""
    off_axis = antenna.off_axis_deg(record.azimuth_deg, record.elevation_deg, azimuth_deg, elevation_deg)
    peak = record.peak_gain_dbi
    if np.isnan(peak):
        peak = antenna.peak_gain_dbi(record.diameter_m, frequency_mhz, efficiency)
    return PATTERNS[record.pattern](
        off_axis, diameter_m=record.diameter_m, frequency_mhz=frequency_mhz, peak_gain_dbi=peak
    )


def overload_terms(record: Any, co_channel: Any, tables: RuleTables) -> tuple[Any, Any, Any]:
    """Limit, attenuation and their standing, of a station as it is equipped.

    Inside the receive band neither a filter nor a compliant block helps: its limit holds out of band.

    Parameters
    ----------
    record : row of :func:`read_protected`
        The protected station.
    co_channel : ndarray of bool, (n,)
        Which base stations transmit inside its receive band.
    tables : RuleTables
        With ``overload_legacy`` and ``overload_compliant``.

    Returns
    -------
    limit_dbm, attenuation_db, verified : ndarray (n,)
        Limit at the block, filter plus shielding, whether limit and defaults used are verified.
    """
    legacy = profile_row(tables, "overload_legacy", "limit_dbm")
    own = profile_row(tables, "overload_compliant", "limit_dbm") if record.lnb_type == "compliant" else legacy
    limit = np.where(co_channel, float(legacy["limit_dbm"]), float(own["limit_dbm"]))
    attenuation = np.where(co_channel, 0.0, record.filter_db) + record.shielding_db
    known = bool(record.known_overload)
    verified = np.where(co_channel, bool(legacy["verified"]) and known, bool(own["verified"]) and known)
    return limit, attenuation, verified
