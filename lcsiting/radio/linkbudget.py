"""Link budget on the SSB: power per resource element, noise, shadow margin from area or edge reliability.

All levels are per resource element (RE), dBm; RSRP is then ``eirp_dbm - attenuation - loss``.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from lcsiting.errors import RangeError
from lcsiting.radio.ranges import require_choice, require_range

if TYPE_CHECKING:
    import pandas as pd

BOLTZMANN = 1.380649e-23
T0_K = 290.0
SUBCARRIERS_PER_RB = 12  # TS 38.211 section 4.4.4.1


def power_per_re_dbm(power_w: float, resource_blocks: int) -> float:
    """Transmit power of one resource element, ``10 lg(P / mW) - 10 lg(12 N_RB)``.

    Parameters
    ----------
    power_w : float
        Total power of the sector, above 0 W.
    resource_blocks : int
        N_RB of the carrier (TS 38.101-1 Table 5.3.2-1), e.g. 273 for 100 MHz at 30 kHz.

    Returns
    -------
    float
        dBm; 200 W over 273 RB gives 17.86.

    Raises
    ------
    RangeError
        No power or no resource block.
    """
    require_range("power_w", power_w, 1e-6, 1e6, "W", "linkbudget")
    require_range("resource_blocks", resource_blocks, 1, 10_000, "", "linkbudget")
    return 10 * math.log10(power_w * 1e3) - 10 * math.log10(SUBCARRIERS_PER_RB * resource_blocks)


def ssb_eirp_dbm(power_w: float, resource_blocks: int, gain_dbi: float, ssb_below_peak_db: float = 0.0) -> float:
    """EIRP of one SSB resource element at the beam's peak: power per RE + gain - SSB offset.

    ``ssb_below_peak_db`` is how far the broadcast beam stays below the antenna's peak gain.
    """
    return power_per_re_dbm(power_w, resource_blocks) + gain_dbi - ssb_below_peak_db


def noise_per_re_dbm(scs_khz: float, noise_figure_db: float) -> float:
    """Thermal noise of the terminal in one subcarrier, ``10 lg(k T0 B) + NF`` at 290 K, dBm."""
    require_range("scs_khz", scs_khz, 1.0, 1000.0, "kHz", "linkbudget")
    return 10 * math.log10(BOLTZMANN * T0_K * scs_khz * 1e3 * 1e3) + noise_figure_db


def area_reliability_pct(margin_db: float, sigma_db: float, slope_db_per_decade: float) -> float:
    """Share of a cell's area served when its edge has ``margin_db`` (Jakes).

    ``F = [1 - erf a + exp((1 - 2ab)/b^2) (1 - erf((1 - ab)/b))] / 2`` with
    ``a = -margin/(sigma sqrt 2)`` and ``b = slope lg(e)/(sigma sqrt 2)``.

    Parameters
    ----------
    margin_db : float
        Mean level at the cell edge minus the threshold, within +-100 dB.
    sigma_db : float
        Standard deviation of the shadowing, above 0 to 20 dB.
    slope_db_per_decade : float
        Path-loss slope 10 gamma, 10 to 80 dB per decade.

    Returns
    -------
    float
        Per cent.

    Raises
    ------
    RangeError
        An input outside its range.

    References
    ----------
    W. C. Jakes, Microwave Mobile Communications (1974), section 2.5.3.
    """
    require_range("margin_db", margin_db, -100.0, 100.0, "dB", "Jakes")
    require_range("sigma_db", sigma_db, 0.01, 20.0, "dB", "Jakes")
    require_range("slope_db_per_decade", slope_db_per_decade, 10.0, 80.0, "dB", "Jakes")
    scale = sigma_db * math.sqrt(2)
    a, b = -margin_db / scale, slope_db_per_decade * math.log10(math.e) / scale
    exponent, argument = (1 - 2 * a * b) / b**2, (1 - a * b) / b
    if argument > 5.0:  # exp() overflows while erfc() vanishes: their product by the asymptotic series
        series = 1 - 1 / (2 * argument**2) + 3 / (4 * argument**4)
        tail = math.exp(exponent - argument**2) * series / (argument * math.sqrt(math.pi))
    else:
        tail = math.exp(exponent) * math.erfc(argument)
    return 50.0 * (math.erfc(a) + tail)


def edge_reliability_pct(margin_db: float, sigma_db: float) -> float:
    """Share of the places on the cell's edge served when the edge has ``margin_db``, per cent.

    ``F = 100 Phi(margin / sigma)``; sigma 0 serves all of them from a margin of 0 on.
    """
    if sigma_db == 0.0:
        return 100.0 if margin_db >= 0.0 else 0.0
    return 50.0 * math.erfc(-margin_db / (sigma_db * math.sqrt(2)))


def shadow_margin_db(
    reliability_pct: float, sigma_db: float, slope_db_per_decade: float, *, reliability_of: str = "area"
) -> float:
    """Margin at the cell edge that serves ``reliability_pct`` of the cell's area, or of its edge.

    The inverse of :func:`area_reliability_pct` or :func:`edge_reliability_pct`, by bisection to 1e-9 dB.

    Parameters
    ----------
    reliability_pct : float
        1 to 99.99 %.
    sigma_db, slope_db_per_decade : float
        As in :func:`area_reliability_pct`. Sigma 0 needs no margin.
    reliability_of : {"area", "edge"}

    Returns
    -------
    float
        dB, never below 0: a mean under the threshold is never called covered.

    Raises
    ------
    RangeError
        An input outside its range.
    """
    require_range("reliability_pct", reliability_pct, 1.0, 99.99, "%", "Jakes")
    require_choice("reliability_of", reliability_of, ("area", "edge"))
    if sigma_db == 0.0:
        return 0.0

    def served_pct(margin_db: float) -> float:
        if reliability_of == "edge":
            return edge_reliability_pct(margin_db, sigma_db)
        return area_reliability_pct(margin_db, sigma_db, slope_db_per_decade)

    low, high = 0.0, 99.0
    if served_pct(low) >= reliability_pct:
        return 0.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if served_pct(middle) < reliability_pct:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def default_tilt_deg(
    height_agl_m: ArrayLike,
    spacing_m: ArrayLike,
    vertical_beamwidth_deg: ArrayLike,
    *,
    ue_height_m: float,
    spacing_factor: float,
    limits_deg: tuple[float, float],
) -> Any:
    """Down-tilt from height and spacing, one antenna or arrays.

    ``atan((h - h_ue)/(factor spacing)) + vertical beamwidth / 4``, kept within ``limits_deg``:
    the beam's peak points a quarter beamwidth below the direction of the cell's edge.

    Parameters
    ----------
    height_agl_m, ue_height_m : array_like, float
        Antenna and terminal above ground.
    spacing_m : array_like
        Target spacing of the density zone, above 0.
    vertical_beamwidth_deg : array_like
        Full 3 dB width.
    spacing_factor : float
        Share of the spacing the beam is aimed at (``rules/radio`` tilt_spacing_factor).
    limits_deg : tuple of float
        Smallest and largest tilt.

    Returns
    -------
    float or ndarray
        Degrees below the horizon.
    """
    height, spacing = np.asarray(height_agl_m, dtype=float), np.asarray(spacing_m, dtype=float)
    if (spacing <= 0).any() or spacing_factor <= 0:
        raise RangeError(f"tilt: spacing {spacing.min():g} m x {spacing_factor:g} must be above 0")
    tilt = np.degrees(np.arctan((height - ue_height_m) / (spacing_factor * spacing)))
    tilt = np.clip(tilt + np.asarray(vertical_beamwidth_deg) / 4, *limits_deg)
    return float(tilt) if np.ndim(tilt) == 0 else tilt


def link_budget(
    *,
    power_w: float,
    resource_blocks: int,
    scs_khz: float,
    gain_dbi: float,
    ssb_below_peak_db: float,
    noise_figure_db: float,
    rsrp_dbm: float,
    reliability_pct: float,
    sigma_db: float,
    slope_db_per_decade: float,
    reliability_of: str = "area",
    network_load_share: float = 0.0,
    penetration_db: float = 0.0,
    body_loss_db: float = 0.0,
) -> "pd.DataFrame":
    """The link-budget table planners show, one named row per item.

    Parameters
    ----------
    power_w, resource_blocks, scs_khz, gain_dbi, ssb_below_peak_db, noise_figure_db : float
        The sector and the terminal (``rules/bands``, ``rules/radio``).
    rsrp_dbm, reliability_pct, reliability_of
        The service; see :func:`shadow_margin_db`.
    sigma_db, slope_db_per_decade : float
        Shadowing and path-loss slope for the margin.
    network_load_share : float
        Share of the neighbours' resource elements in use, 0 to 1: it weighs their interference in the SINR of a map
        and is stated here; a level threshold does not depend on it.
    penetration_db, body_loss_db : float
        Losses added to the required outdoor level.

    Returns
    -------
    DataFrame
        Columns ``item`` (code), ``value``, ``unit``. ``reliability_pct`` is that of the area, ``edge_reliability_pct``
        that of the edge at the same margin. ``required_mean_rsrp_dbm`` is the outdoor mean
        that serves; ``max_path_loss_db`` the loss at which it is just met in the main beam.
    """
    import pandas as pd

    per_re = power_per_re_dbm(power_w, resource_blocks)
    eirp = ssb_eirp_dbm(power_w, resource_blocks, gain_dbi, ssb_below_peak_db)
    noise = noise_per_re_dbm(scs_khz, noise_figure_db)
    require_range("network_load_share", network_load_share, 0.0, 1.0, "", "linkbudget")
    margin = shadow_margin_db(reliability_pct, sigma_db, slope_db_per_decade, reliability_of=reliability_of)
    area_pct = reliability_pct
    if reliability_of == "edge":
        area_pct = area_reliability_pct(margin, sigma_db, slope_db_per_decade) if sigma_db else 100.0
    required = rsrp_dbm + margin + penetration_db + body_loss_db
    rows = [
        ("power_w", power_w, "W"),
        ("power_dbm", 10 * math.log10(power_w * 1e3), "dBm"),
        ("resource_blocks", float(resource_blocks), ""),
        ("power_per_re_dbm", per_re, "dBm"),
        ("gain_dbi", gain_dbi, "dBi"),
        ("ssb_below_peak_db", ssb_below_peak_db, "dB"),
        ("ssb_eirp_dbm", eirp, "dBm"),
        ("noise_figure_db", noise_figure_db, "dB"),
        ("noise_per_re_dbm", noise, "dBm"),
        ("network_load_share", network_load_share, ""),
        ("rsrp_dbm", rsrp_dbm, "dBm"),
        ("snr_at_threshold_db", rsrp_dbm - noise, "dB"),
        ("reliability_pct", area_pct, "%"),
        ("edge_reliability_pct", edge_reliability_pct(margin, sigma_db), "%"),
        ("sigma_db", sigma_db, "dB"),
        ("slope_db_per_decade", slope_db_per_decade, "dB"),
        ("shadow_margin_db", margin, "dB"),
        ("penetration_db", penetration_db, "dB"),
        ("body_loss_db", body_loss_db, "dB"),
        ("required_mean_rsrp_dbm", required, "dBm"),
        ("max_path_loss_db", eirp - required, "dB"),
    ]
    return pd.DataFrame(rows, columns=["item", "value", "unit"])
