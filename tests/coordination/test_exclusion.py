"""Beam exclusion: toward whom, what it takes off a pair, and that the joint choice with it is the least one."""

import dataclasses

import numpy as np
import pytest
from coordination_cases import open_land, with_protected, with_stations
from pyproj import Geod

from lcsiting.coordination import exclusion, modes
from lcsiting.coordination.cases import make_case, make_scene
from lcsiting.coordination.interference import evaluate
from lcsiting.coordination.profile import load_tables
from lcsiting.coordination.reachable import otherwise, site_side_db
from lcsiting.coordination.remedies import remedies
from lcsiting.coverage.antennas import with_settings
from lcsiting.geo import crs as coordinates
from lcsiting.siting.mode_cover import settings_applied

TABLES = load_tables()
HALF, REDUCTION = 10.0, 12.0
FULL = {"rx_low_mhz": 3400, "lnb_type": "compliant", "shielding_db": 15.0, "filter_rejection_db": 45.0}


def bearing_deg(project, place, protected):
    """True bearing from a base station to a protected one, by another library's geodesic."""
    x = [project.places.geometry.x[place], project.layers["protected_stations"].geometry.x[protected]]
    y = [project.places.geometry.y[place], project.layers["protected_stations"].geometry.y[protected]]
    lon, lat = coordinates.transform(np.array(x), np.array(y), project.config.project.crs, "EPSG:4490")
    return Geod(ellps="GRS80").inv(lon[0], lat[0], lon[1], lat[1])[0] % 360.0


def two_dishes(tiny_project, rows, first=FULL, second=FULL, east_m=9000.0):
    """Two protected stations, the second to the east of the first."""
    project = with_protected(tiny_project, first, second)
    layer = project.layers["protected_stations"]
    moved = layer.geometry.translate(0.0, 0.0)
    moved.iloc[1] = moved.iloc[0].__class__(moved.iloc[0].x + east_m, moved.iloc[0].y)
    project = dataclasses.replace(project, layers={**project.layers, "protected_stations": layer.set_geometry(moved)})
    built = with_stations(open_land(project), [{"azimuths_deg": "0/120/240", **row} for row in rows])
    built.places["name"] = [f"示例{k}" for k in range(len(rows))]
    return built


@pytest.fixture(scope="module")
def project(tiny_project):
    """One dish receives where the base stations transmit, the other beside it, without a filter."""
    beside = {"rx_low_mhz": 3700, "lnb_type": "wide", "filter_rejection_db": 0.0}
    rows = [
        {"at": (3000, 0)},
        {"at": (6000, 0), "azimuths_deg": None},  # between the dishes, one sector aimed at the first
        {"at": (12000, 0)},  # both on nearly one bearing
        {"at": (1500, 4000), "micro": True},
        {"at": (2000, -3000), "on_air": True},
    ]
    return two_dishes(tiny_project, rows, second=beside)


@pytest.fixture(scope="module")
def before(project):
    return evaluate(project, threads=1)


def pair(found, station, protected):
    return int(np.flatnonzero((found.pairs.tx == station) & (found.pairs.protected == protected))[0])


def test_only_what_beams_carry_is_weaker_and_only_in_the_wedge(project, before):
    centre = bearing_deg(project, 1, 0) + 9.9
    after = evaluate(with_settings(project, [1], exclusions=[((centre, HALF, REDUCTION),)]), threads=1)
    inside, outside = pair(before, 1, 0), pair(before, 1, 1)
    assert before.pairs.co[inside] and not before.pairs.co[outside]
    factor = 10 ** (-REDUCTION / 10)
    for name in ("average_mw", "envelope_mw", "overload_mw", "overload_envelope_mw"):
        old, new = getattr(before.levels, name), getattr(after.levels, name)
        assert new[inside] == pytest.approx(old[inside] * factor, rel=1e-12, abs=0.0) and old[inside] > 0, name
        others = np.arange(len(old)) != inside
        np.testing.assert_array_equal(new[others], old[others])
    # Toward the dish beside the band the total power is weaker, the unwanted emissions are not.
    centre = bearing_deg(project, 1, 1) - 9.9
    after = evaluate(with_settings(project, [1], exclusions=[((centre, HALF, REDUCTION),)]), threads=1)
    for name in ("average_mw", "envelope_mw"):
        np.testing.assert_array_equal(getattr(after.levels, name), getattr(before.levels, name))
    weaker = before.levels.overload_mw[outside] * factor
    assert after.levels.overload_mw[outside] == pytest.approx(weaker, rel=1e-12, abs=0.0)
    # A tenth of a degree beyond the edge nothing is.
    beside = evaluate(with_settings(project, [1], exclusions=[((centre - 0.2, HALF, REDUCTION),)]), threads=1)
    np.testing.assert_array_equal(beside.levels.overload_mw, before.levels.overload_mw)


def test_overlapping_wedges_count_once(project, before):
    centre = bearing_deg(project, 2, 0)
    some = ((centre + 3.0, HALF, REDUCTION), (centre - 3.0, HALF, REDUCTION), (centre, 5.0, 4.0))
    after = evaluate(with_settings(project, [2], exclusions=[some]), threads=1)
    at = pair(before, 2, 0)
    assert after.levels.average_mw[at] == pytest.approx(before.levels.average_mw[at] * 10**-1.2, rel=1e-12, abs=0.0)


def shares_by_hand(project, found):
    """What each pair's beams take of what the last phase leaves of its budgets, from the levels and limits."""
    out = {}
    for r, row in enumerate(found.budgets.rows.itertuples(index=False)):
        left = found.budgets.remaining_mw[r, -1]
        for p in np.flatnonzero(found.pairs.protected == row.protected):
            key = int(found.pairs.tx[p]), int(row.protected)
            mw = found.levels.overload_mw[p] if row.mechanism == "overload" else found.levels.average_mw[p]
            if row.mechanism == "long_term" and not found.pairs.co[p]:
                mw = 0.0
            out[key] = max(out.get(key, 0.0), mw / left)
    return out


def test_beams_are_excluded_toward_those_who_notice(project, before):
    found = exclusion.beam_wedges(project, before)
    share, least = shares_by_hand(project, before), TABLES.profile["mode_offer"]["min_share"]
    wanted = {
        station: sorted(
            {round(bearing_deg(project, station, k), 1) for k in (0, 1) if share.get((station, k), 0.0) >= least}
        )
        for station in (0, 1, 2)
    }
    assert {row: [wedge[0] for wedge in wedges] for row, wedges in found.items()} == {
        k: v for k, v in wanted.items() if v
    }
    assert all(wedge[1:] == (HALF, REDUCTION) for wedges in found.values() for wedge in wedges)
    assert any(len(one) == 2 for one in wanted.values()) and min(share.values()) < least
    assert 3 not in found and 4 not in found, "one omnidirectional antenna; on air"


def test_unwanted_emissions_alone_are_no_reason(tiny_project):
    """A fixed link beside the band has no block to overload: the long-term budget hears no beam."""
    beside = {"class": "fixed", "rx_low_mhz": 3700, "pointing_azimuth_deg": 90.0, "pointing_elevation_deg": 0.0}
    project = two_dishes(tiny_project, [{"at": (300, 0)}], second=beside, east_m=600.0)
    found = evaluate(project)
    p = pair(found, 0, 1)
    row = found.budgets.rows.query("protected == 1").index
    assert found.levels.average_mw[p] > 0.01 * found.budgets.remaining_mw[row[0], -1] and len(row) == 1
    assert [w[0] for w in exclusion.beam_wedges(project, found)[0]] == [round(bearing_deg(project, 0, 0), 1)]


def test_measures_decided_on_leave_fewer_to_notice(project, before):
    grown = dataclasses.replace(before.budgets, remaining_mw=before.budgets.remaining_mw * 1e9)
    assert exclusion.beam_wedges(project, before) and not exclusion.beam_wedges(project, before, grown)
    lacking = dataclasses.replace(
        before,
        tables=dataclasses.replace(
            TABLES, profile={key: row for key, row in TABLES.profile.items() if key != "site_beam"}
        ),
    )
    assert exclusion.beam_wedges(project, lacking) == {}


def test_the_mode_means_the_same_to_every_protected_station(project, before):
    """In every mode with beam exclusion, at both dishes: as if the project had its settings."""
    wedges = exclusion.beam_wedges(project, before)
    scene = make_scene(project, before, None, None)
    cases = [make_case(project, before, scene, k, [], (), None, "zh") for k in (0, 1)]
    ids = cases[0].modes.ids
    settings = modes.mode_settings(project, TABLES, np.arange(5), wedges=wedges)
    beamed = [mode for mode in settings if "site_beam" in mode]
    assert len(beamed) == 6 and all(list(settings[mode].index) == list(wedges) for mode in beamed)
    for mode in beamed:
        after = evaluate(settings_applied(project, settings[mode]), threads=1)
        for k, case in enumerate(cases):
            offered = case.modes.offered[:, ids.index(mode)]
            assert before.tx.row[case.item[offered]].tolist() == list(wedges)
            for i in np.flatnonzero(offered):
                p = pair(after, int(case.item[i]), k)
                density = case.modes.mw[i, ids.index(mode), :2].sum()
                power = case.modes.mw[i, ids.index(mode), 2:].sum()
                # Unwanted emissions and beams pass different P.452 losses only through the gain of a tilted beam.
                assert density == pytest.approx(after.levels.average_mw[p], rel=1e-6, abs=0.0), (mode, k)
                assert power == pytest.approx(after.levels.overload_mw[p], rel=1e-6, abs=0.0), (mode, k)


def test_what_is_excluded_already_is_not_taken_off_twice(project, before):
    own = with_settings(project, [1], exclusions=[((bearing_deg(project, 1, 0), 20.0, 9.0),)])
    found = evaluate(own, threads=1)
    case = make_case(own, found, make_scene(own, found, None, None), 0, [], (), None, "zh")
    beam, at = case.modes.ids.index("site_beam"), int(np.flatnonzero(case.item == 1)[0])
    brings = found.levels.average_mw[pair(found, 1, 0)]
    assert case.modes.mw[at, 0, 0] == pytest.approx(brings, rel=1e-9, abs=0.0), "the wedge it has counts as planned"
    ratio = case.modes.mw[at, beam, 0] / case.modes.mw[at, 0, 0]
    assert ratio == pytest.approx(10 ** (-(REDUCTION - 9.0) / 10))
    # Nor when a verdict asks how far the base station could be turned down.
    one = np.array([pair(before, 1, 0)])
    nobody, gained = np.array([False]), []
    for some, evaluation in ((project, before), (own, found)):
        there = otherwise(some, evaluation.tx, TABLES)
        gained.append(site_side_db(some, there, TABLES, evaluation.pairs, one, nobody)[0])
    assert gained[0] - gained[1] == pytest.approx([9.0, 9.0])


SCENES = [
    ((7845, 3325), (3967, -4161), (8223, -3761)),
    ((-5461, -7313), (8265, -8258), (-4246, 3692)),
]


@pytest.mark.parametrize("places", SCENES, ids=["near", "far"])
def test_the_joint_choice_with_beams_is_the_cheapest_of_all(tiny_project, places):
    """Two dishes, three masts, no measure left at the dishes: each choice of modes, evaluated from its settings."""
    screened = {**FULL, "shielding_db": 38.0}
    rows = [{"at": at, "height_agl_m": 10.0} for at in places]
    project = two_dishes(tiny_project, rows, screened, screened)
    nets = [net.model_copy(update={"bands": dict.fromkeys(net.bands, "n78")}) for net in project.config.networks]
    project = dataclasses.replace(project, config=project.config.model_copy(update={"networks": nets}))
    base = evaluate(project)
    settings = modes.mode_settings(project, TABLES, np.arange(3), wedges=exclusion.beam_wedges(project, base))
    limit = base.budgets.remaining_mw[:, -1]
    loads, price = {"as_planned": dense(base)}, {"as_planned": 0.0}
    for mode, frame in settings.items():
        loads[mode] = dense(evaluate(settings_applied(project, frame)))
        loads[mode][:, ~np.isin(np.arange(3), frame.index)] = np.inf
        parts = [part.partition(":") for part in mode.split("+")]
        price[mode] = sum(
            TABLES.profile[key]["cost"] * (len(value.split(",")) if key == "site_sector_off" else 1)
            for key, _, value in parts
        )

    def least(names):
        """Cost and modes of the cheapest of all choices that fit."""
        one = np.stack([loads[name].T for name in names])  # mode, mast, budget
        total = one[:, None, None, 0] + one[None, :, None, 1] + one[None, None, :, 2]
        own = np.array([price[name] for name in names])
        cost = own[:, None, None] + own[None, :, None] + own[None, None, :]
        cost = np.where((total <= limit).all(axis=-1), cost, np.inf)
        return cost.min(), [names[k] for k in np.unravel_index(cost.argmin(), cost.shape)]

    best, chosen = least(list(loads))
    found = remedies(project, base)
    assert found.stations["measures"].eq("").all() and found.totals["dropped"] == 0
    assert found.totals["site_cost"] == pytest.approx(best) and 0 < best < np.inf
    assert any("site_beam" in mode for mode in chosen) and found.modes["mode"].str.contains("site_beam").any()
    # Without beam exclusion it costs more: the choice could not do without it.
    assert least([mode for mode in loads if "site_beam" not in mode])[0] > best + 0.005


def dense(found):
    """Contributions by budget and base station."""
    out = np.zeros((len(found.budgets.rows), len(found.tx.row)))
    which = np.repeat(np.arange(len(out)), np.diff(found.budgets.indptr))
    out[which, found.budgets.indices] = found.budgets.mw
    return out
