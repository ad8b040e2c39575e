"""Antenna pattern files: Planet/MSI (.msi, .pln) and Radio Mobile v3 (.ant).

Both give two cuts, one attenuation per degree. What makers write differently is accepted: tabs or
spaces, ``\\r\\n``, any case, a decimal comma, gain in dBd or dBi or without a unit (then dBd, as the
format says), cuts whose peak does not lie at 0 degrees, steps other than one degree.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcsiting.errors import LayerError

DBD_TO_DBI = 2.15  # gain of a half-wave dipole, 1.64, in dB
EXTENSIONS = (".msi", ".pln", ".ant")
SLIGHTLY_NEGATIVE_DB = 0.5  # rounding of makers' tables; more than that means gains instead of attenuations
DEGREES = 360


@dataclass(frozen=True)
class Pattern:
    """Two cuts of an antenna.

    Attributes
    ----------
    name : str
        As in the file, else the file's name.
    gain_dbi : float
        Peak gain; NaN where the file does not say it (.ant).
    frequency_mhz : float
        NaN where the file does not say it.
    horizontal_db : float64 (360,)
        Attenuation below the peak at azimuths 0..359 clockwise from the antenna's own zero.
    vertical_db : float64 (360,)
        Attenuation at angles 0..359 *below* the horizon: 0 ahead, 90 down, 180 behind, 270 up.
    electrical_tilt_deg : float
        Where the vertical cut peaks: positive below the horizon.
    """

    name: str
    gain_dbi: float
    frequency_mhz: float
    horizontal_db: NDArray[np.float64]
    vertical_db: NDArray[np.float64]

    @property
    def horizontal_peak_deg(self) -> float:
        """Azimuth of the strongest direction, -180..180."""
        return _peak_deg(self.horizontal_db)

    @property
    def electrical_tilt_deg(self) -> float:
        """Angle below the horizon of the strongest direction, -180..180."""
        return _peak_deg(self.vertical_db)


def _peak_deg(cut: NDArray[np.float64]) -> float:
    """Middle of the flat top around the smallest attenuation (tables are rounded to 0.1 dB)."""
    start = int(np.argmin(cut))
    top = cut[start] + 1e-9
    low, high = start, start
    while high - start < DEGREES and cut[(high + 1) % DEGREES] <= top:
        high += 1
    while start - low < DEGREES - 1 and cut[(low - 1) % DEGREES] <= top:
        low -= 1
    if high - low >= DEGREES - 1:  # omnidirectional
        return 0.0
    return float(((low + high) / 2 + 180.0) % 360.0 - 180.0)


def _number(text: str, what: str, path: Path, line: int) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise LayerError(f"{path.name}: line {line}: {what} {text!r} is not a number. Correct the file.") from error


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LayerError(f"{path.name}: the antenna file cannot be read ({error.strerror}). Check the path.") from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding).splitlines()
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1").splitlines()


def _gain_dbi(text: str, path: Path, line: int) -> float:
    match = re.match(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(dBd|dBi)?\s*$", text, re.IGNORECASE)
    if match is None:
        raise LayerError(f"{path.name}: line {line}: gain {text!r}; write it like 15.5 dBd or 17.65 dBi.")
    gain = _number(match[1], "gain", path, line)
    return gain if (match[2] or "dBd").lower() == "dbi" else gain + DBD_TO_DBI


def _full_circle(angles: NDArray[Any], values: NDArray[Any], cut: str, path: Path) -> NDArray[np.float64]:
    """One value per whole degree, linear between the file's angles, around the circle."""
    angles = np.asarray(angles, dtype=float) % DEGREES
    order = np.argsort(angles, kind="stable")
    angles, values = angles[order], np.asarray(values, dtype=float)[order]
    keep = np.concatenate([[True], np.diff(angles) > 1e-9])  # 360 repeats 0
    angles, values = angles[keep], values[keep]
    gaps = np.diff(np.concatenate([angles, [angles[0] + DEGREES]]))
    if len(angles) < 4 or gaps.max() > 30.0:
        raise LayerError(
            f"{path.name}: the {cut} cut has {len(angles)} angles with a gap of {gaps.max():g} degrees; "
            "a full circle is needed. Export the pattern again."
        )
    return np.interp(np.arange(DEGREES), angles, values, period=DEGREES)


def _attenuation(values: NDArray[Any], path: Path, cut: str) -> NDArray[np.float64]:
    low = float(values.min())
    if low < -SLIGHTLY_NEGATIVE_DB:
        raise LayerError(
            f"{path.name}: the {cut} cut goes to {low:g} dB; attenuations below the peak are expected, "
            "not negative. Change their sign."
        )
    return np.maximum(values, 0.0)


def _read_msi(path: Path) -> Pattern:
    header: dict[str, tuple[str, int]] = {}
    cuts: dict[str, tuple[list[float], list[float]]] = {}
    current, wanted = "", 0
    for i, raw in enumerate(_lines(path), start=1):
        words = raw.split(None, 1)
        if not words:
            continue
        key, rest = words[0].upper(), words[1].strip() if len(words) > 1 else ""
        if key in ("HORIZONTAL", "VERTICAL"):
            current, wanted = key, int(_number(rest or "360", "number of angles", path, i))
            cuts[current] = ([], [])
        elif current and wanted > len(cuts[current][0]):
            cuts[current][0].append(_number(words[0], "angle", path, i))
            cuts[current][1].append(_number(rest.split()[0] if rest else "", "attenuation", path, i))
        else:
            header.setdefault(key, (rest, i))
    missing = [name for name in ("HORIZONTAL", "VERTICAL") if not cuts.get(name, ([], []))[0]]
    if missing:
        raise LayerError(f"{path.name}: no {' and no '.join(missing)} section; not an MSI antenna file.")
    if "GAIN" not in header:
        raise LayerError(f"{path.name}: no GAIN line. Add one, e.g. GAIN 15.5 dBd.")
    frequency = header.get("FREQUENCY", ("", 0))
    number = re.match(r"[\d.,]+", frequency[0])
    tables = {name: _full_circle(*(np.array(part) for part in cut), name.lower(), path) for name, cut in cuts.items()}
    return Pattern(
        name=header.get("NAME", (path.stem, 0))[0] or path.stem,
        gain_dbi=_gain_dbi(header["GAIN"][0], path, header["GAIN"][1]),
        frequency_mhz=_number(number[0], "frequency", path, frequency[1]) if number else float("nan"),
        horizontal_db=_attenuation(tables["HORIZONTAL"], path, "horizontal"),
        vertical_db=_attenuation(tables["VERTICAL"], path, "vertical"),
    )


def _read_ant(path: Path) -> Pattern:
    """Radio Mobile version 3: 360 horizontal gains, then 360 vertical ones from +90 (up) to -269, dB below the peak."""
    texts = [(i, text.strip()) for i, text in enumerate(_lines(path), start=1) if text.strip()]
    if len(texts) != 2 * DEGREES:
        raise LayerError(f"{path.name}: {len(texts)} values; a Radio Mobile v3 pattern has 720, one per line.")
    values = np.array([_number(text, "gain", path, i) for i, text in texts])
    vertical = np.empty(DEGREES)
    # value k of the second half belongs to elevation 90 - k, hence to k - 90 degrees below the horizon
    vertical[(np.arange(DEGREES) - 90) % DEGREES] = values[DEGREES:]
    return Pattern(
        name=path.stem,
        gain_dbi=float("nan"),
        frequency_mhz=float("nan"),
        horizontal_db=_attenuation(-values[:DEGREES], path, "horizontal"),
        vertical_db=_attenuation(-vertical, path, "vertical"),
    )


def read_pattern(path: str | Path) -> Pattern:
    """Read an antenna file.

    Parameters
    ----------
    path : path
        ``.msi`` or ``.pln`` (Planet/MSI text), ``.ant`` (Radio Mobile v3: 720 values, gains
        below the peak).

    Returns
    -------
    Pattern
        Attenuations as the file has them: neither cut is turned or shifted, so that a horizontal cut
        taken at the horizon under a tilted beam, or a beam beside 0 degrees, keeps its meaning.

    Raises
    ------
    LayerError
        Unknown ending, unreadable text, a missing section, gains where attenuations belong.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in EXTENSIONS:
        raise LayerError(f"{path.name}: antenna files end in {', '.join(EXTENSIONS)}.")
    return _read_ant(path) if suffix == ".ant" else _read_msi(path)


def attenuation_db(pattern: Pattern, azimuth_deg: Any, depression_deg: Any) -> NDArray[np.float64]:
    """Attenuation in any direction from the two cuts.

    ``H(az) - (1 - w) (H(az0) - V(d)) - w (H(az0 + 180) - V(180 - d))`` with ``w = |az - az0| / 180`` and
    ``az0`` the azimuth of the horizontal peak, never below 0: on the two cuts the files' own values
    come back, between them the vertical cut fades from its front to its back half.

    Parameters
    ----------
    pattern : Pattern
    azimuth_deg, depression_deg : array_like
        Relative to the antenna's zero; below the horizon positive, -90..90.

    Returns
    -------
    ndarray of float64
        dB, linear between whole degrees.
    """
    azimuth, down = np.asarray(azimuth_deg, dtype=float), np.asarray(depression_deg, dtype=float)
    peak = pattern.horizontal_peak_deg
    share = np.abs((azimuth - peak + 180.0) % 360.0 - 180.0) / 180.0

    def cut(table: NDArray[Any], angle: Any) -> NDArray[np.float64]:
        return np.interp(np.asarray(angle) % 360.0, np.arange(DEGREES), table, period=DEGREES)

    front = cut(pattern.horizontal_db, peak) - cut(pattern.vertical_db, down)
    back = cut(pattern.horizontal_db, peak + 180.0) - cut(pattern.vertical_db, 180.0 - down)
    return np.maximum(cut(pattern.horizontal_db, azimuth) - (1 - share) * front - share * back, 0.0)


def kernel_table(pattern: Pattern) -> NDArray[np.float32]:
    """A pattern as the map kernel gathers it.

    Returns
    -------
    float32 (3, 362)
        Row 0: horizontal attenuation at azimuths 0..360, then the peak's azimuth. Rows 1 and 2: the front and
        the back vertical term at depressions -90..90, each less the horizontal value it is anchored to.
    """
    peak = pattern.horizontal_peak_deg
    degrees = np.arange(DEGREES)

    def horizontal(angle: float) -> float:
        return float(np.interp(angle % 360.0, degrees, pattern.horizontal_db, period=DEGREES))

    down = np.arange(-90, 91)
    out = np.zeros((3, DEGREES + 2), dtype=np.float32)
    out[0, : DEGREES + 1] = pattern.horizontal_db[np.arange(DEGREES + 1) % DEGREES]
    out[0, DEGREES + 1] = peak
    out[1, :181] = pattern.vertical_db[down % DEGREES] - horizontal(peak)
    out[2, :181] = pattern.vertical_db[(180 - down) % DEGREES] - horizontal(peak + 180.0)
    return out
