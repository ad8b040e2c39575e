"""Sums over base stations: by hand, as budgets, and as what a ranking receives."""

import dataclasses
import datetime
import types

import numpy as np
import pandas as pd
import pytest
from coordination_cases import open_land, with_protected, with_stations
from pyproj import Geod

from lcsiting import schema
from lcsiting.coordination import aggregate, patterns, physics
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.profile import load_tables
from lcsiting.errors import RangeError
from lcsiting.geo import crs as coordinates
from lcsiting.radio import antenna_array, p452

SITES = [{"at": (0, 3000), "height_agl_m": 30.0}, {"at": (4000, 0), "height_agl_m": 30.0},
         {"at": (-3000, -4000), "height_agl_m": 30.0}]  # fmt: skip


def test_sums_by_hand():
    assert aggregate.aggregate([-100.0, -100.0]) == pytest.approx([-96.9897], abs=1e-4)
    given = aggregate.aggregate(power_dbm=[37, 37, 40], gain_dbi=-10, loss_db=[120, 123.0103, 130], index=[0, 0, 2])
    assert given == pytest.approx([-91.2391, -np.inf, -100.0], abs=1e-4)
    assert aggregate.aggregate([], count=2).tolist() == [-np.inf, -np.inf]
    with pytest.raises(RangeError, match="give level_dbm, or loss_db"):
        aggregate.aggregate(power_dbm=[1.0])


def test_the_city_wide_sum_of_the_reference(capsys):
    """10 000 sites spread evenly over the city's 8 628 km2 at 37 dBm/MHz, no clutter: I/N about +57 dB.

    The published figure says neither the ring nor the smallest distance; here a disc of the same area from 200 m on.
    """
    rng = np.random.default_rng(3)
    edge = np.sqrt(8628 / np.pi)
    away = np.sqrt(rng.uniform(0.2**2, edge**2, 10_000))
    table = {1: 103.2, 5: 116.8, 10: 122.6, 20: 132.4, 30: 145.4, 40: 156.8, 50: 169.3, 60: 181.3}  # p = 20 %
    loss = np.interp(np.log10(away), np.log10(list(table)), list(table.values()))
    loss = np.where(away < 1, 103.2 + 20 * np.log10(away), loss)
    i_n = aggregate.aggregate(power_dbm=37.0, gain_dbi=-10.0, loss_db=loss)[0] + 118.60
    with capsys.disabled():
        print(f"\n10 000 sites, no clutter: I/N {i_n:+.1f} dB")
    assert 50 < i_n < 64


@pytest.fixture
def three(tiny_project):
    """Three masts around a co-channel station, level land: north, east, south-west."""
    return open_land(with_stations(with_protected(tiny_project, {"rx_low_mhz": 3400}), SITES))


def by_hand_mw(distance_m, bearing_back_deg):
    """One mast's average density, 200 W in 100 MHz at 0.75 x 0.5, and its power at the block, 200 W in free space.

    Mean beam toward the dish, S.465 dish, P.452.
    """
    beams = load_tables().profile["beam_set"]
    tilt = round(2 * (np.degrees(np.arctan(28.5 / 1080)) + 3.0)) / 2
    down = -np.degrees(np.arctan2(25, distance_m) + distance_m / 1.7e7)
    table = patterns.panel_tables(
        antenna_array.ArrayAntenna(),
        patterns.Beams(tuple(beams["azimuths_deg"]), tuple(beams["elevations_deg"])),
        tilt,
    )  # against the array's own formula in test_patterns
    mean_dbi = 10 * np.log10(patterns.look_up(table["average"], np.array([0.0]), np.array([down]))[0])
    n = int(np.ceil(distance_m / 100)) + 1
    loss = p452.loss_db(
        np.linspace(0, distance_m, n), np.zeros(n), frequency_mhz=3500.0, time_pct=20.0, tx_height_agl_m=30.0,
        rx_height_agl_m=5.0, tx_gain_dbi=mean_dbi - 10, polarization="horizontal", path_latitude_deg=36.456,
        delta_n=40.06, n0=320.5,
    )  # fmt: skip
    # 47.7 degrees up to 115.5 E: 48 degrees and more off axis except near the azimuth of 181 degrees.
    up = np.degrees(np.arctan2(25, distance_m) - distance_m / 1.7e7)
    az, el = np.radians(180.81 - bearing_back_deg), np.radians([47.72, up])
    off = np.degrees(np.arccos(np.sin(el[0]) * np.sin(el[1]) + np.cos(el[0]) * np.cos(el[1]) * np.cos(az)))
    dish_dbi = 32 - 25 * np.log10(off) if off < 48 else -10.0
    free = 92.45 + 20 * np.log10(3.5) + 20 * np.log10(np.hypot(distance_m, 25) / 1000)
    gains = mean_dbi + dish_dbi
    return 10 ** (0.1 * (10 * np.log10(200_000 / 100 * 0.375) + gains - loss)), 200_000 * 10 ** (0.1 * (gains - free))


def test_three_sites_by_hand(three):
    found = evaluate(three)
    x_m, y_m = found.protected[["x_m", "y_m"]].to_numpy()[0]
    plane = np.array([(0, 0), *(site["at"] for site in SITES)]) + (x_m, y_m)
    lon, lat = coordinates.transform(*plane.T, three.config.project.crs, "EPSG:4490")
    away = [Geod(ellps="GRS80").inv(lon[0], lat[0], lon[k], lat[k])[2] for k in (1, 2, 3)]
    hand, power = np.transpose([by_hand_mw(d, b) for d, b in zip(away, (0.0, 90.0, 216.87), strict=True)])
    assert 10 * np.log10(found.levels.average_mw) == pytest.approx(10 * np.log10(hand), abs=0.01)
    row = found.budgets.rows.set_index("mechanism").loc["overload"]
    assert row["candidates_dbm"] == pytest.approx(10 * np.log10(sum(power)), abs=0.01), "at full power"
    row = found.budgets.rows.set_index("mechanism").loc["long_term"]
    assert row["candidates_dbm"] == pytest.approx(10 * np.log10(sum(hand)), abs=0.01)
    assert row["limit_dbm"] == pytest.approx(-118.60 - 12.2, abs=0.01)
    assert row["needed_db"] == pytest.approx(10 * np.log10(sum(hand)) + 118.60 + 12.2, abs=0.01)


def test_what_a_filter_does_and_what_it_does_not(tiny_project):
    plain, filtered, shielded = (
        evaluate(with_stations(with_protected(tiny_project, record), SITES)).budgets.rows.set_index("mechanism")
        for record in ({}, {"filter_rejection_db": 45.0}, {"shielding_db": 15.0})
    )
    drop = {m: plain.loc[m, "candidates_dbm"] - filtered.loc[m, "candidates_dbm"] for m in aggregate.MECHANISMS}
    assert drop == {"long_term": pytest.approx(0.0), "overload": pytest.approx(45.0)}
    for mechanism in aggregate.MECHANISMS:
        assert plain.loc[mechanism, "candidates_dbm"] - shielded.loc[mechanism, "candidates_dbm"] == pytest.approx(15.0)


def enforced(project, enforce="physics"):
    section = project.config.coordination.model_copy(update={"enforce": enforce})
    return dataclasses.replace(project, config=project.config.model_copy(update={"coordination": section}))


def test_a_budget_broken_by_what_is_on_air_leaves_a_share(three):
    stations = three.stations.assign(on_air=[True, False, False], on_air_year=[2019, 0, 0])
    budgets = evaluate(enforced(dataclasses.replace(three, stations=stations))).budgets
    row = list(budgets.rows["mechanism"]).index("long_term")
    assert budgets.rows["broken"][row] and budgets.rows["binding"].all()
    assert budgets.remaining_mw[row] == pytest.approx(0.01 * budgets.limit_mw[row], rel=1e-9, abs=0)


def test_the_limit_by_where_the_base_stations_transmit(tiny_project):
    """6 % of the noise inside the receive band, 1 % where all of them are outside it."""
    limits = {}
    for low in (3400, 3700):
        rows = evaluate(with_stations(with_protected(tiny_project, {"rx_low_mhz": low}), SITES)).budgets.rows
        limits[low] = rows.set_index("mechanism").loc["long_term", "limit_dbm"]
    assert limits == {3400: pytest.approx(-118.60 - 12.2, abs=0.01), 3700: pytest.approx(-118.60 - 20.0, abs=0.01)}


def test_what_is_radiated_into_the_receive_band(tiny_project):
    """Inside 33 dBm/MHz; 50 MHz off 45 dB less; from 100 MHz on -30 dBm/MHz, and 9 dB for an array of a macro."""
    bands = ({"rx_low_mhz": 3400}, {"rx_low_mhz": 3650}, {"rx_low_mhz": 3700})
    project = with_stations(with_protected(tiny_project, *bands), [SITES[0], SITES[1] | {"micro": True}])
    found = evaluate(project)
    table = physics.emission_mw(found.tx, found.protected, vars(found.pairs), found.tables).reshape(3, 2)
    assert 10 * np.log10(table[:, 0]) == pytest.approx([33.01, 33.01 - 45, -30 + 9], abs=0.01)
    assert 10 * np.log10(table[2, 1]) == pytest.approx(-30, abs=0.01)


def test_a_compliant_block_is_no_better_inside_its_band(tiny_project):
    """n79 inside the band counts against -60 dBm, n78 outside against -20: the ratio weighs them together."""
    record = {"lnb_type": "compliant", "rx_low_mhz": 4500, "rx_high_mhz": 4850}
    rows = [SITES[0] | {"band": "n79", "frequency_mhz": 4850.0}, SITES[1]]
    found = evaluate(with_stations(with_protected(tiny_project, record), rows))
    row = found.budgets.rows.set_index("mechanism").loc["overload"]
    inside, outside = found.levels.overload_mw
    shares = inside / 10**-6 + outside / 10**-2
    assert row["needed_db"] == pytest.approx(max(0.0, 10 * np.log10(shares)), abs=1e-6) and row["needed_db"] > 0
    assert row["candidates_dbm"] - row["limit_dbm"] == pytest.approx(10 * np.log10(shares), abs=1e-6)


def test_a_dated_measure_lets_the_budget_grow(three):
    """15 dB of shielding in effect in mid-2021: the phase of 2020 knows nothing of it, that of 2023 does."""
    shield = types.SimpleNamespace(effect_db=(15.0,) * 4, effective=datetime.date(2021, 6, 1))
    budgets = evaluate(three, {"ES0": [shield]}).budgets
    growth = 10 * np.log10(budgets.limit_mw[:, 1] / budgets.limit_mw[:, 0])
    assert growth == pytest.approx([15.0, 15.0])


def test_what_holds_only_by_a_measure_nobody_has_agreed_to_is_marked(three):
    shield = types.SimpleNamespace(effect_db=(80.0,) * 4, effective=datetime.date(2021, 6, 1))
    start, years = [2023] * 3, [2020, 2023]
    plain = aggregate.judge(evaluate(three).budgets, start, years).set_index(["phase_year", "mechanism"])
    assert not plain.loc[(2023, "long_term"), "within"] and not plain["unagreed"].any()
    proposed = aggregate.judge(evaluate(three, {"ES0": [shield]}).budgets, start, years)
    proposed = proposed.set_index(["phase_year", "mechanism"])
    assert proposed["within"].all()
    assert (proposed["unagreed"] == ~plain["within"]).all()
    layer = pd.DataFrame({"protected_id": ["ES0"], "measure": ["measure_shielding"], "effect_db": [80.0],
                          "effective": [datetime.date(2021, 6, 1)]})  # fmt: skip
    agreed = dataclasses.replace(three, layers={**three.layers, "station_measures": layer})
    agreed = aggregate.judge(evaluate(agreed).budgets, start, years)
    assert agreed["within"].all() and not agreed["unagreed"].any()


def test_a_filter_lets_only_the_overload_of_bands_outside_grow(three, tiny_project):
    item = types.SimpleNamespace(effect_db=(0.0, 0.0, 0.0, 45.0), effective=datetime.date(2019, 1, 1))
    inside = evaluate(three, {"ES0": [item]}).budgets
    outside = evaluate(with_stations(with_protected(tiny_project, {}), SITES), {"ES0": [item]}).budgets
    assert 10 * np.log10(inside.limit_mw[:, 0]) == pytest.approx(inside.rows["limit_dbm"])
    growth = 10 * np.log10(outside.limit_mw[:, 0]) - outside.rows["limit_dbm"]
    assert dict(zip(outside.rows["mechanism"], growth, strict=True)) == {
        "long_term": pytest.approx(0.0, abs=1e-9), "overload": pytest.approx(45.0),
    }  # fmt: skip


def test_only_physics_binds(three):
    for mode, binds in (("report", False), ("rule", False), ("physics", True)):
        budgets = evaluate(enforced(three, mode)).budgets
        assert (budgets.rows["binding"] == binds).all()
        (indptr, indices, loads), left = aggregate.resources(budgets, np.arange(3))
        assert len(loads) == len(indices) == indptr[-1] == (6 if binds else 0)
        assert left.shape == (2, 2 if binds else 0)


def test_resources_are_the_budgets_in_other_units(three):
    budgets = evaluate(enforced(three)).budgets
    (indptr, indices, loads), left = aggregate.resources(budgets, np.array([2, 0]))
    for item, station in enumerate((2, 0)):
        for t in range(indptr[item], indptr[item + 1]):
            alone = aggregate.used_mw(budgets, budgets.station_rows == station)[indices[t]]
            assert loads[t] == pytest.approx(alone / budgets.limit_mw[indices[t], -1], rel=1e-9, abs=0)
    assert left == pytest.approx((budgets.remaining_mw / budgets.limit_mw[:, -1:]).T, rel=1e-9, abs=0)


def test_a_plan_is_judged_phase_by_phase(three):
    budgets = evaluate(three).budgets
    table = aggregate.judge(budgets, [2020, 2023, 2024], [2020, 2023])
    first, second = (
        table[(table["phase_year"] == y) & (table["mechanism"] == "overload")].iloc[0] for y in (2020, 2023)
    )
    mw = budgets.mw[budgets.indptr[1] : budgets.indptr[2]]
    assert first["level_dbm"] == pytest.approx(10 * np.log10(mw[0]))
    assert second["level_dbm"] == pytest.approx(10 * np.log10(mw[0] + mw[1]))
    assert first["envelope_dbm"] > first["level_dbm"]
    assert set(schema.table("budgets").columns) <= set(table.columns)


def test_the_average_pattern_never_exceeds_the_upper_case(tiny_project):
    found = evaluate(tiny_project)
    assert (found.levels.average_mw <= found.levels.envelope_mw * 1.02).all()
    assert (found.levels.overload_mw <= found.levels.overload_envelope_mw * 1.02).all()
    assert patterns.KINDS == ("average", "envelope", "unwanted")
