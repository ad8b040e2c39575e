"""The other band of a station: what its network uses elsewhere and could use here instead."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from lcsiting import rules
from lcsiting.config import Network
from lcsiting.inputs.derive import model_of, morphology_ids
from lcsiting.model import Project


def other_band(network: Network, morphologies: list[str], morphology: str, inside: Collection[str]) -> str:
    """The band a network could use in a morphology instead of one of some bands.

    Parameters
    ----------
    network : Network
        Its table of bands; no other band is known to be its own.
    morphologies : list of str
        Morphology ids in their order, the most built-up first.
    morphology : str
    inside : collection of str
        Bands that are no way out.

    Returns
    -------
    str
        Of its bands outside ``inside`` the one it uses in the nearest morphology of that order, of two equally near
        the less built-up one's; empty where it has none.
    """
    at = morphologies.index(morphology)
    nearest = sorted(morphologies, key=lambda name: (abs(morphologies.index(name) - at), -morphologies.index(name)))
    return next((network.bands[name] for name in nearest if network.bands[name] not in inside), "")


def other_bands(
    project: Project, inside: Collection[str], station_rows: ArrayLike | None = None
) -> NDArray[np.object_]:
    """The other band (:func:`other_band`) of some of a project's stations; empty where there is none.

    Parameters
    ----------
    project : Project
    inside : collection of str
        The bands to leave; a station in none of them stays where it is.
    station_rows : array_like of int (n,), optional
        Rows of ``project.stations``; all if omitted.
    """
    every = np.arange(len(project.stations)) if station_rows is None else np.asarray(station_rows, dtype=np.int64)
    stations, order = project.stations.iloc[every], morphology_ids(project.root)
    morphology = project.places["morphology"].to_numpy(object)[stations["place"].to_numpy()]
    known = {
        (net.name, name): other_band(net, order, name, inside) for net in project.config.networks for name in order
    }
    found = [known.get(key, "") for key in zip(stations["network"], morphology, strict=True)]
    return np.where(stations["band"].isin(inside).to_numpy(bool), np.array(found, dtype=object), "")


def band_settings(project: Project, station_rows: ArrayLike, bands: ArrayLike) -> pd.DataFrame:
    """What stations are in given bands, as columns of ``project.stations``.

    Parameters
    ----------
    project : Project
    station_rows : array_like of int (n,)
        Rows of ``project.stations``.
    bands : array_like of str (n,)

    Returns
    -------
    DataFrame
        band, model, frequency_mhz, indexed by station row: as ``inputs.derive`` gives a station declared so.
    """
    rows = np.asarray(station_rows, dtype=np.int64)
    stations = project.stations.iloc[rows]
    table, morphologies = (rules.load(name, project.root / "rules") for name in ("bands", "morphology"))
    morphology = project.places["morphology"].to_numpy(object)[stations["place"].to_numpy()]
    network = [project.config.networks[k] for k in stations["network_index"]]
    names, height = np.asarray(bands, dtype=object), stations["height_agl_m"].to_numpy(float)
    return pd.DataFrame(
        {
            "band": names,
            "model": [
                model_of(net, table[band], morphologies[kind], kind, metres)
                for net, band, kind, metres in zip(network, names, morphology, height, strict=True)
            ],
            "frequency_mhz": [float(table[band]["frequency_mhz"]) for band in names],
        },
        index=pd.Index(rows, name="station_row"),
    )
