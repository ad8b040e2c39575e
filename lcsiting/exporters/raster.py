"""Coverage as cloud-optimised GeoTIFFs: one file per year, network and layer."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lcsiting.geo import grid as frame
from lcsiting.model import Raster, Result

# Decibels are stored as hundredths in int16: half the size of float32, and its exact 0.01 dB.
DECIBEL_SCALE = 0.01
DECIBEL_NODATA = -32768
OUTSIDE = 255
DESCRIPTIONS = {
    "rsrp_dbm": "SSB RSRP per resource element, dBm",
    "sinr_db": "SINR, dB",
    "best_sector": "Number of the best sector, -1 none",
    "overlap": "Sectors within the overlap window",
    "model_flags": "Bits: 1 near-field model answered (inside 0.25 km), 2 formula extrapolated",
}


def safe_name(text: str) -> str:
    """A network's name as part of a file name on any system."""
    return re.sub(r'[\\/:*?"<>|\s.=+@-]+', "_", text).strip("_") or "network"


def safe_names(texts: Iterable[str]) -> dict[str, str]:
    """Different file names for different names, also where a system ignores case."""
    out: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(texts):
        base = name = safe_name(text)
        k = 1
        while name.casefold() in taken:
            k += 1
            name = f"{base}_{k}"
        taken.add(name.casefold())
        out[text] = name
    return out


def hundredths(array: NDArray[np.float32]) -> NDArray[np.int16]:
    """dB values as int16 hundredths; what is not finite becomes the nodata value."""
    finite = np.isfinite(array)
    clipped = np.clip(np.where(finite, array, 0.0), -327.0, 327.0)
    return np.where(finite, np.rint(clipped / DECIBEL_SCALE), DECIBEL_NODATA).astype(np.int16)


def pixels(raster: Raster) -> NDArray:
    """All pixels of a raster, from memory or from its file."""
    return frame.window(raster, frame.bounds(raster.grid)).array


def write_rasters(result: Result, folder: Path, lang: str = "zh") -> None:
    """Write every layer of every phase.

    Files are named ``<year>_<network>_<layer>.tif`` (names made safe, numbered where they would collide):
    ``rsrp_dbm`` and ``sinr_db`` as int16 with
    scale 0.01, services as 0/1 with nodata 255 outside the city.

    Parameters
    ----------
    result : Result
        Its ``coverages`` by year.
    folder : Path
        Made here.
    lang : str
        Unused: names and band descriptions stay ASCII where networks' names are.
    """
    from lcsiting.exporters import caveats, style

    folder.mkdir(parents=True, exist_ok=True)
    config = result.project.config
    services = {service.name for service in config.services}
    said = {"NOTICE": style.notice(result, lang), "UNVERIFIED_RULES": "; ".join(caveats.lines(result, lang)[:1])}
    said = {key: text for key, text in said.items() if text}
    for year, coverage in sorted(result.coverages.items()):
        # by the project's order, so that a name means the same file in every year
        networks = safe_names([*(n.name for n in config.networks), *coverage.layers])
        for network, layers in coverage.layers.items():
            files = safe_names(layers)
            for name, raster in layers.items():
                array = pixels(raster)
                scale, nodata = 1.0, raster.nodata
                if name.endswith(("_dbm", "_db")):
                    array, scale, nodata = hundredths(array), DECIBEL_SCALE, DECIBEL_NODATA
                elif name in services:
                    nodata = OUTSIDE
                elif name == "best_sector":
                    nodata = -1
                tags = {"PROJECT": config.project.name, "YEAR": str(year), "NETWORK": network, "LAYER": name}
                frame.write_raster(
                    folder / f"{year}_{networks[network]}_{files[name]}.tif",
                    Raster(raster.grid, array=array, nodata=nodata),
                    cog=True,
                    tags=tags | said,
                    scale=scale,
                    description=DESCRIPTIONS.get(name, f"{name}: 1 served, 0 not, {OUTSIDE} outside"),
                )
