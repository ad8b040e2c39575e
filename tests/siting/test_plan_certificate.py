"""The certificate of the tiny city's plan."""

import dataclasses

import numpy as np
import pytest

from lcsiting.config import Ranking
from lcsiting.siting import dual, phases, plan_certificate


def with_ranking(project, **fields):
    """The project with other ranking switches."""
    return dataclasses.replace(project, config=project.config.model_copy(update={"ranking": Ranking(**fields)}))


@pytest.fixture(scope="module")
def certified(tiny_project, cover, eligible, verdicts):
    return phases.rank(with_ranking(tiny_project, certificate=True), cover, eligible, verdicts, threads=1)


@pytest.fixture(scope="module")
def better(tiny_project, cover, eligible, verdicts):
    project = with_ranking(tiny_project, certificate=True, improve=True)
    return phases.rank(project, cover, eligible, verdicts, threads=1)


def covered_weight(cover, stations, year):
    """Weight of the rows somebody chosen by a year covers."""
    position = {s: k for k, s in enumerate(cover.station_ids)}
    done = np.zeros(len(cover.row_weight), bool)
    for station in stations.loc[stations["phase_year"] <= year, "station_id"]:
        i = position[station]
        done[cover.indices[cover.indptr[i] : cover.indptr[i + 1]]] = True
    return int(cover.row_weight[done].sum())


def test_no_certificate_unless_asked(tiny_project, cover, eligible, verdicts):
    assert phases.rank(tiny_project, cover, eligible, verdicts, threads=1).certificate is None


def test_values_are_the_plans_and_bounds_are_above(certified, cover):
    proof = certified.certificate
    assert proof["checked"] and proof["multipliers"].matrix == proof["matrix"]
    for row in proof["phases"]:
        assert row["value"] == covered_weight(cover, certified.stations, row["year"]) <= row["upper_bound"]
        assert row["gap_pct"] == pytest.approx(100 * (1 - row["value"] / row["upper_bound"]), abs=1e-3)
    assert proof["joint"]["value"] == sum(row["value"] for row in proof["phases"]) <= proof["joint"]["upper_bound"]


def test_improving_never_lowers_the_joint_value_and_keeps_the_numbers(certified, better, cover):
    assert better.certificate["joint"]["value"] >= certified.certificate["joint"]["value"]
    assert better.certificate["checked"]
    assert better.phases["stations"].tolist() == certified.phases["stations"].tolist()
    for row in better.certificate["phases"]:
        assert row["value"] == covered_weight(cover, better.stations, row["year"])
    air = better.stations["status"] == "on_air"
    assert set(better.stations.loc[air, "station_id"]) == set(
        certified.stations.loc[certified.stations["status"] == "on_air", "station_id"]
    )


def test_multipliers_survive_saving(certified, cover, tmp_path):
    plan_certificate.save_certificate(certified.certificate, tmp_path)
    again = plan_certificate.open_certificate(tmp_path)
    first, second = certified.certificate["multipliers"], again.pop("multipliers")
    assert again == {k: v for k, v in certified.certificate.items() if k != "multipliers"}
    assert first.upper_bound == second.upper_bound and first.joint_bound == second.joint_bound
    curve = [dual.bound_curve(c, (cover.indptr, cover.indices), cover.row_weight) for c in (first, second)]
    assert (curve[0] == curve[1]).all()
    assert plan_certificate.open_certificate(tmp_path / "nothing") is None
