"""The link budget of every network, band, morphology and service as one table."""

import numpy as np
import pandas as pd

from lcsiting import rules
from lcsiting.config import Network
from lcsiting.coverage.sectors import TERRAIN_MODELS, radio_values, slope_db_per_decade
from lcsiting.inputs import derive
from lcsiting.model import Project
from lcsiting.radio import linkbudget, pathloss


def cell_range_m(model: str, frequency_mhz: float, ue_height_m: float, loss_db: float) -> float:
    """Distance at which a model's mean loss is ``loss_db``, at its default mast height and in the main beam.

    Bisection to 1 m within the model's distances; NaN for a terrain model, 0 where the loss is exceeded at the
    mast.
    """
    if model in TERRAIN_MODELS:
        return float("nan")
    valid = pathloss.MODELS[model]
    heights = np.array([valid.default_bs_height_m]), np.array([ue_height_m])
    row = valid.rows(np.array([frequency_mhz]), *heights)[0]
    low, high = 0.0, valid.distance_m[1]
    if pathloss.generic_loss_db(row, high) <= loss_db:
        return high
    if pathloss.generic_loss_db(row, 0.0) > loss_db:
        return 0.0
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (middle, high) if pathloss.generic_loss_db(row, middle) <= loss_db else (low, middle)
    return float(round(low))


def _scenarios(project: Project, network: Network) -> list[tuple[str, str]]:
    """Morphology and band, as the network's table has them and as its new stations are."""
    new = project.stations[(project.stations["network"] == network.name) & ~project.stations["on_air"].astype(bool)]
    kind = project.places["morphology"].to_numpy(object)[new["place"].to_numpy()]
    used = pd.DataFrame({"morphology": kind, "band": new["band"].to_numpy(object)}).drop_duplicates()
    out = []
    for name in derive.morphology_ids(project.root):
        others = sorted(set(used.loc[used["morphology"] == name, "band"]) - {network.bands[name]})
        out += [(name, band) for band in (network.bands[name], *others)]
    return out


def link_budget_table(project: Project) -> pd.DataFrame:
    """Link budgets of macro stations (``radio.linkbudget.link_budget``), one row per scenario.

    Parameters
    ----------
    project : Project

    Returns
    -------
    DataFrame
        Columns of the schema table ``link_budget``: network, band, model, morphology (id), service, frequency_mhz,
        then the items of the budget and ``cell_range_m``. Order: networks, morphologies, services. A band that new
        stations use in a morphology instead of the network's (a mode) follows it.
    """
    override = project.root / "rules"
    bands, morphologies = rules.load("bands", override), rules.load("morphology", override)
    radio = radio_values(project)
    out = []
    for network in project.config.networks:
        for name, band in _scenarios(project, network):
            row, morphology = bands[band], morphologies[name]
            village = row["village_model"] if name == "village" else ""
            model = network.model or village or morphology["model"]
            for service in project.config.services:
                inside = max(0.0, morphology["penetration_db"] + row["penetration_offset_db"])
                items = linkbudget.link_budget(
                    power_w=row["power_w"], resource_blocks=row["resource_blocks"], scs_khz=row["scs_khz"],
                    gain_dbi=row["gain_dbi"], ssb_below_peak_db=row["ssb_below_peak_db"],
                    noise_figure_db=radio["noise_figure_db"], rsrp_dbm=service.rsrp_dbm,
                    reliability_pct=service.reliability_pct, sigma_db=morphology["sigma_db"],
                    slope_db_per_decade=slope_db_per_decade(project, model),
                    reliability_of=service.reliability_of, network_load_share=radio["network_load"],
                    penetration_db=inside if service.indoor else 0.0, body_loss_db=radio["body_loss_db"],
                )  # fmt: skip
                values = dict(zip(items["item"], items["value"], strict=True))
                scenario = {
                    "network": network.name, "band": band, "model": model, "morphology": name,
                    "service": service.name, "frequency_mhz": row["frequency_mhz"],
                }  # fmt: skip
                reach = cell_range_m(model, row["frequency_mhz"], radio["ue_height_m"], values["max_path_loss_db"])
                out.append(scenario | values | {"cell_range_m": reach})
    return pd.DataFrame(out)
