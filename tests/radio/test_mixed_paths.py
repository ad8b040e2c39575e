"""Land, coast and sea in one path: the closed forms written once more, plainly, and fed with our own geometry.

The published rows know one mixed path, both ends far from the coast. Here the ducting, troposcatter and combination
formulas of P.452-18 (sections 3.2.1, 4.3, 4.4, 4.6) and P.1812 stand as the text prints them, on random zones, uneven
steps and ends near the coast.
"""

import math
from itertools import groupby

import numpy as np
import pytest

from lcsiting.radio import p452, p1812
from lcsiting.radio.diffraction import inverse_normal
from lcsiting.radio.gas import gas_db_km

CLIMATE = {"path_latitude_deg": 36.456, "delta_n": 40.06, "n0": 320.5}


def mixed_path(seed: int) -> dict:
    """Random runs of zones on uneven steps; every third path is mostly sea, every fourth smooth and short."""
    rng = np.random.default_rng(seed)
    count = 25 if seed % 4 == 1 else int(rng.integers(60, 200))
    distance = np.concatenate([[0.0], np.cumsum(rng.uniform(50.0, 900.0, count - 1))])
    shares = (0.1, 0.05, 0.85) if seed % 3 == 0 else (0.3, 0.4, 0.3)
    zone = np.repeat(rng.choice([1, 2, 3], count, p=shares), 8)[:count]
    ground = np.where(zone == 3, 0.0, np.abs(np.cumsum(rng.normal(0, 0.2 if seed % 4 == 1 else 4.0, count))))
    return {"distance_m": distance, "ground_m": ground, "zone": zone}


def plain_zones(path: dict) -> tuple[float, float, float]:
    """dtm, dlm in km and omega: each point stands for the half steps around it."""
    d = path["distance_m"] / 1000.0
    middle = np.concatenate([d[:1], (d[1:] + d[:-1]) / 2, d[-1:]])
    width = np.diff(middle)

    def longest(chosen):
        runs = groupby(range(len(d)), key=lambda i: bool(chosen[i]))
        return max((sum(width[i] for i in run) for inside, run in runs if inside), default=0.0)

    return longest(path["zone"] != 3), longest(path["zone"] == 2), float(width[path["zone"] == 3].sum() / d[-1])


def plain_ducting(t: dict, f: float, p: float, dct: float, dcr: float, dlm: float, gas: float) -> float:
    """Lba, eqs. (46)-(57)."""

    def shield(theta, horizon):
        over = theta - 0.1 * horizon
        if over <= 0:
            return 0.0
        return 20 * math.log10(1 + 0.361 * over * math.sqrt(f * horizon)) + 0.264 * over * f ** (1 / 3)

    def sea(coast, horizon, antenna):
        if t["omega"] < 0.75 or coast > horizon or coast > 5:
            return 0.0
        return -3 * math.exp(-0.25 * coast**2) * (1 + math.tanh(0.07 * (50 - antenna)))

    alf = 45.375 - 137.0 * f + 92.5 * f**2 if f < 0.5 else 0.0
    fixed = 102.45 + 20 * math.log10(f) + 20 * math.log10(t["dlt"] + t["dlr"]) + alf
    fixed += shield(t["theta_t"], t["dlt"]) + shield(t["theta_r"], t["dlr"])
    fixed += sea(dct, t["dlt"], t["hts"]) + sea(dcr, t["dlr"], t["hrs"])
    specific = 5e-5 * t["ae"] * f ** (1 / 3)
    angle = 1e3 * t["dtot"] / t["ae"] + min(t["theta_t"], 0.1 * t["dlt"]) + min(t["theta_r"], 0.1 * t["dlr"])
    tau = 1 - math.exp(-(4.12e-4 * dlm**2.41))
    alpha = max(-0.6 - 3.5 * 1e-9 * t["dtot"] ** 3.1 * tau, -3.4)
    mu2 = min((500 / t["ae"] * t["dtot"] ** 2 / (math.sqrt(t["hte"]) + math.sqrt(t["hre"])) ** 2) ** alpha, 1)
    between = min(t["dtot"] - t["dlt"] - t["dlr"], 40)
    mu3 = 1.0 if t["hm"] <= 10 else math.exp(-4.6e-5 * (t["hm"] - 10) * (43 + 6 * between))
    beta = t["b0"] * mu2 * mu3
    lg = math.log10(beta)
    gamma = 1.076 / (2.0058 - lg) ** 1.012 * math.exp(-(9.51 - 4.8 * lg + 0.198 * lg**2) * 1e-6 * t["dtot"] ** 1.13)
    time = -12 + (1.2 + 3.7e-3 * t["dtot"]) * math.log10(p / beta) + 12 * (p / beta) ** gamma
    return fixed + specific * angle + time + gas * t["dtot"]


def plain_beta0(latitude: float, dtm: float, dlm: float) -> float:
    """Eqs. (2)-(4), latitudes up to 70 degrees."""
    tau = 1 - math.exp(-(4.12e-4 * dlm**2.41))
    mu1 = min((10 ** (-dtm / (16 - 6.6 * tau)) + 10 ** -(2.48 + 1.77 * tau)) ** 0.2, 1)
    return 10 ** (-0.015 * latitude + 1.67) * mu1 * 10 ** ((-0.935 + 0.0176 * latitude) * math.log10(mu1))


def plain_total(t: dict, p: float, free: float) -> float:
    """Eqs. (41)-(44), (59)-(64) from the terms of the mechanisms; Fj is given."""
    fi = inverse_normal(p / 100) / inverse_normal(t["b0"] / 100) if p > t["b0"] else 1.0
    ldp = t["Ld50"] + fi * (t["Ldb"] - t["Ld50"])
    lbd50, lbd = free + t["Ld50"], t["Lb0p"] + ldp
    if p < t["b0"]:
        lmin = t["Lb0p"] + (1 - t["omega"]) * ldp
    else:
        lmin = lbd50 + (t["Lb0b"] + (1 - t["omega"]) * ldp - lbd50) * fi
    lminbap = 2.5 * math.log(math.exp(t["Lba"] / 2.5) + math.exp(t["Lb0p"] / 2.5))
    fk = 1 - 0.5 * (1 + math.tanh(3 * 0.5 * (t["dtot"] - 20) / 20))
    lbda = lbd if lminbap > lbd else lminbap + (lbd - lminbap) * fk
    lbam = lbda + (lmin - lbda) * t["Fj"]
    return -5 * math.log10(10 ** (-0.2 * t["Lbs"]) + 10 ** (-0.2 * lbam))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("polarization", ["vertical", "horizontal"])
@pytest.mark.parametrize(
    ("model", "f", "p"), [(p452, 0.35, 0.05), (p452, 3.5, 20.0), (p1812, 0.05, 1.0), (p1812, 5.9, 35.0)]
)
def test_mixed_paths_by_the_printed_formulas(seed, polarization, model, f, p):
    path = mixed_path(seed)
    rng = np.random.default_rng(100 + seed)
    dct, dcr = rng.uniform(0.0, 7.0, 2)
    ends = {"tx_height_agl_m": rng.uniform(5, 120), "rx_height_agl_m": rng.uniform(2, 60)}
    question = {**path, **CLIMATE, **ends, "frequency_mhz": 1000 * f, "time_pct": p, "polarization": polarization}
    t = model.loss_db(**question, tx_coast_km=dct, rx_coast_km=dcr, details=True)
    dtm, dlm, omega = plain_zones(path)
    assert (t["dtm"], t["dlm"], t["omega"]) == pytest.approx((dtm, dlm, omega), rel=1e-12)
    assert t["b0"] == pytest.approx(plain_beta0(36.456, dtm, dlm), rel=1e-12)
    gas = scatter_gas = 0.0
    free = t.get("Lbfsg", t.get("Lbfs"))
    if model is p452:
        gas, scatter_gas = (gas_db_km(f, 1013.25, 15.0, rho) for rho in (7.5 + 2.5 * omega, 3.0))
    assert t["Lba"] == pytest.approx(plain_ducting(t, f, p, dct, dcr, dlm, gas), abs=1e-9)
    lf = 25 * math.log10(f) - 2.5 * math.log10(f / 2) ** 2
    if model is p452:
        scatter = 190 + lf + 0.051 + 20 * math.log10(t["dtot"]) + 0.573 * t["theta"] - 0.15 * CLIMATE["n0"]
        scatter += scatter_gas * t["dtot"] - 10.1 * (-math.log10(p / 50)) ** 0.7
    else:
        scatter = 190.1 + lf + 20 * math.log10(t["dtot"]) + 0.573 * t["theta"] - 0.15 * CLIMATE["n0"]
        scatter -= 10.125 * math.log10(50 / p) ** 0.7
    assert t["Lbs"] == pytest.approx(scatter, abs=1e-9)
    assert t["Lb" if model is p452 else "Lbc"] == pytest.approx(plain_total(t, p, free), abs=1e-9)


def test_the_random_paths_reach_every_branch():
    """Mostly sea and not, over the horizon and in sight, rough and smooth."""
    seen = set()
    for seed in range(12):
        t = p452.loss_db(
            **mixed_path(seed), **CLIMATE, frequency_mhz=3500.0, time_pct=20.0, tx_height_agl_m=60.0,
            rx_height_agl_m=10.0, details=True,
        )  # fmt: skip
        seen |= {("sea", t["omega"] >= 0.75), ("rough", t["hm"] > 10), ("over", t["transhorizon"])}
    assert seen == {(key, value) for key in ("sea", "rough", "over") for value in (True, False)}
