"""Status, deadlines and the switch-on flag from a log of events."""

import dataclasses
import datetime

import geopandas as gpd
import pandas as pd
import pytest
from coordination_cases import with_protected, with_stations

from lcsiting import schema
from lcsiting.coordination import procedure
from lcsiting.coordination.profile import load_tables

TABLES = load_tables()
CBRS = load_tables("cbrs")


def day(text):
    return datetime.date.fromisoformat(text)


def events(*items):
    return [(day(date), event) for date, event in items]


WHOLE = events(
    ("2020-03-02", "requested"), ("2020-03-20", "confirmed"), ("2020-04-10", "agreed"), ("2020-04-20", "mitigation"),
    ("2020-05-08", "tested"), ("2020-05-15", "cleared"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("as_of", "status"),
    [
        ("2020-03-01", "draft"),
        ("2020-03-02", "requested"),
        ("2020-03-25", "confirmed"),
        ("2020-04-10", "agreed"),
        ("2020-05-07", "mitigation"),
        ("2020-05-14", "tested"),
        ("2020-05-15", "cleared"),
    ],
)
def test_the_whole_way_on_any_date(as_of, status):
    found = procedure.pair_status(WHOLE, day(as_of), TABLES)
    assert found.status == status
    assert found.may_switch_on == (status == "cleared"), "协调工作完成前不得启用"


def test_deadlines_of_a_request_before_the_long_spring_festival():
    """17 January 2020: 15 working days end on 14 February, two months on 17 March."""
    found = procedure.pair_status(events(("2020-01-17", "requested")), day("2020-02-14"), TABLES)
    assert (found.confirm_due, found.agree_due) == (day("2020-02-14"), day("2020-03-17"))
    assert found.overdue == "" and found.calendar_known
    late = procedure.pair_status(events(("2020-01-17", "requested")), day("2020-02-15"), TABLES)
    assert late.overdue == "confirm_overdue"


def test_after_two_months_without_agreement_the_authority_may_be_asked():
    history = events(("2020-01-17", "requested"), ("2020-02-10", "confirmed"))
    assert procedure.pair_status(history, day("2020-03-17"), TABLES).overdue == ""
    assert procedure.pair_status(history, day("2020-03-18"), TABLES).overdue == "agree_overdue"
    asked = procedure.pair_status([*history, (day("2020-03-18"), "escalated")], day("2020-04-01"), TABLES)
    assert (asked.status, asked.overdue) == ("escalated", "")


def test_events_out_of_order_change_nothing_and_are_named():
    found = procedure.pair_status(
        events(("2020-03-02", "cleared"), ("2020-03-03", "requested")), day("2020-04-01"), TABLES
    )
    assert (found.status, found.ignored) == ("requested", ((day("2020-03-02"), "cleared"),))
    assert not found.may_switch_on


def test_a_failed_test_leads_back():
    history = [*WHOLE[:5], (day("2020-05-10"), "mitigation")]
    assert procedure.pair_status(history, day("2020-05-20"), TABLES).status == "mitigation"


def test_a_profile_without_terms_has_no_deadlines():
    found = procedure.pair_status(events(("2020-03-02", "requested")), day("2022-01-01"), CBRS)
    assert (found.confirm_due, found.agree_due, found.overdue) == (None, None, "")


# ---------------------------------------------------------------- the list


def verdict_rows(*rows):
    base = {
        "protected_id": "ES0", "protected_name": "示例地球站", "mechanism": "adjacent", "distance_m": 1000.0,
        "limit_m": 20_000.0, "margin_db": float("nan"), "verdict": "coordinate", "method": "rule", "verified": False,
        "measure": "", "defaults": "",
    }  # fmt: skip
    return pd.DataFrame([base | row for row in rows])


def with_log(project, *rows):
    columns = [*schema.layer("coordination_log").columns, "geometry"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["date"] = pd.to_datetime(frame["date"])
    log = gpd.GeoDataFrame(frame, geometry="geometry", crs=project.config.project.crs)
    return dataclasses.replace(project, layers={**project.layers, "coordination_log": log})


@pytest.fixture
def project(tiny_project):
    with_es = with_protected(tiny_project, {"user_unit": "示例广播电视台"}, {"user_unit": "示例气象局"})
    shared = {"operators": "电信+联通"}
    out = with_stations(with_es, [{"at": (0, 1000), **shared}, {"at": (0, 3000), **shared, "on_air": True}])
    out.places["name"] = ["示例甲", "示例乙"]
    return out


VERDICTS = verdict_rows(
    {"station_id": "S0"},
    {"station_id": "S0", "mechanism": "overload", "method": "physics", "margin_db": -12.0, "measure": "加装滤波器"},
    {"station_id": "S0", "protected_id": "ES1", "verdict": "clear"},
    {"station_id": "S1", "distance_m": 3000.0},
    {"station_id": "S1", "protected_id": "ES1", "distance_m": 3000.0, "defaults": "licensed_since"},
)


def test_each_licence_holder_coordinates_on_its_own(project):
    table = procedure.coordination_list(project, VERDICTS, day("2020-05-21"))
    assert list(table.columns) == list(schema.table("coordination_list").columns)
    got = list(zip(table["operator"], table["protected_id"], table["station_id"], strict=True))
    assert got == [(op, *pair) for op in ("电信", "联通") for pair in (("ES0", "S0"), ("ES0", "S1"), ("ES1", "S1"))]
    assert set(table["band"]) == {"n78"}
    first = table.iloc[0]
    assert (first["mechanisms"], first["rule_verdict"], first["physics_verdict"]) == (
        "adjacent;overload", "coordinate", "coordinate",
    )  # fmt: skip
    assert (first["margin_db"], first["measure"], first["user_unit"], first["place_name"]) == (
        -12.0, "加装滤波器", "示例广播电视台", "示例甲",
    )  # fmt: skip
    assert (table["status"] == "draft").all() and not table["may_switch_on"].any()


def test_a_general_event_holds_for_all_base_stations_a_particular_one_for_its_own(project):
    log = [
        {"protected_id": "ES0", "operator": "电信", "date": "2020-03-02", "event": "requested"},
        {"protected_id": "ES0", "operator": "电信", "station_id": "S1", "date": "2020-03-20", "event": "confirmed"},
    ]
    table = procedure.coordination_list(with_log(project, *log), VERDICTS, day("2020-05-21"))
    status = table.set_index(["operator", "protected_id", "station_id"])["status"]
    assert status["电信", "ES0", "S0"] == "requested"
    assert status["电信", "ES0", "S1"] == "confirmed"
    assert status["联通", "ES0", "S0"] == status["电信", "ES1", "S1"] == "draft"
    row = table.iloc[0]
    assert (row["confirm_due"], row["overdue"]) == (pd.Timestamp("2020-03-23"), "agree_overdue")
    assert row["next_step"] == "可提请无线电管理机构协助"


def test_entries_out_of_order_are_told_in_the_list(project):
    log = [
        {"protected_id": "ES0", "operator": "电信", "date": "2020-03-02", "event": "requested"},
        {"protected_id": "ES0", "operator": "电信", "station_id": "S1", "date": "2020-03-20", "event": "cleared"},
    ]
    table = procedure.coordination_list(with_log(project, *log), VERDICTS, day("2020-05-21"))
    told = table.set_index(["operator", "protected_id", "station_id"])
    assert told.loc[("电信", "ES0", "S1"), "ignored"] == f"2020-03-20 {schema.value_label('cleared')}"
    assert told.loc[("电信", "ES0", "S1"), "status"] == "requested"
    assert not told.loc[("电信", "ES0", "S1"), "may_switch_on"]
    assert (told["ignored"] != "").sum() == 1


def test_switched_on_only_when_every_coordination_of_the_holder_is_complete(project):
    log = [
        {"protected_id": "ES0", "operator": "电信", "date": date.isoformat(), "event": event} for date, event in WHOLE
    ]
    table = procedure.coordination_list(with_log(project, *log), VERDICTS, day("2020-05-21"))
    flags = procedure.switch_on(project, table).set_index(["station_id", "operator"])
    assert flags.loc[("S0", "电信"), "may_switch_on"], "ES0 complete, ES1 clear"
    assert not flags.loc[("S1", "电信"), "may_switch_on"], "ES1 is a draft"
    assert not flags.loc[("S0", "联通"), "may_switch_on"]
    assert flags.loc[("S1", "联通"), "open"] == 2 and flags.loc[("S1", "联通"), "on_air"]


def test_nothing_to_coordinate(project):
    table = procedure.coordination_list(project, VERDICTS.iloc[:0], day("2020-05-21"))
    assert table.empty and list(table.columns) == list(schema.table("coordination_list").columns)
    assert procedure.switch_on(project, table)["may_switch_on"].all()


def test_list_of_a_plan(project):
    table = procedure.coordination_list(project, VERDICTS, day("2020-05-21"), station_ids=["S0"])
    assert set(table["station_id"]) == {"S0"}
