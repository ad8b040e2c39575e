"""Working days against the notices of the State Council's office, counted by hand."""

import datetime

import pytest

from lcsiting.coordination.workdays import add_months, add_working_days, is_workday
from lcsiting.errors import RangeError


def day(text):
    return datetime.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "due"),
    [
        # 国办发明电〔2019〕16号 and the extension of 2020-01-26: Sunday 19 January worked, off 24 January to
        # 2 February (so Saturday 1 February, first a make-up day, is off): 19-23 January are 5, 3-14 February 10.
        ("2020-01-17", "2020-02-14"),
        # Labour Day 2020: off 1-5 May, worked Sunday 26 April and Saturday 9 May: 21-24, 26-30 April are 9,
        # 6-9 May 4, 11 and 12 May.
        ("2020-04-20", "2020-05-12"),
        # 国办发明电〔2018〕15号: National Day 2019 off 1-7 October, worked 29 September and 12 October:
        # 24-27, 29, 30 September are 6, 8-12 October 5, 14-17 October 4.
        ("2019-09-23", "2019-10-17"),
        # 国办发明电〔2022〕16号: off 21-27 January 2023, worked 28 and 29 January: 17-20 January are 4,
        # 28-31 January 4, 1-3 February 3, 6-9 February 4.
        ("2023-01-16", "2023-02-09"),
        # Three plain weeks.
        ("2020-05-21", "2020-06-11"),
    ],
)
def test_fifteen_working_days(start, due):
    assert add_working_days(day(start), 15) == (day(due), True)


@pytest.mark.parametrize(
    ("text", "worked"),
    [("2020-01-19", True), ("2020-01-31", False), ("2020-02-01", False), ("2020-02-03", True), ("2020-10-08", False),
     ("2019-05-05", True), ("2019-05-03", False), ("2020-06-28", True)],
)  # fmt: skip
def test_single_days_of_the_notices(text, worked):
    assert is_workday(day(text)) == (worked, True)


def test_a_year_without_calendar_says_so():
    assert is_workday(day("2060-05-01")) == (False, False), "a Saturday"
    assert add_working_days(day("2060-05-03"), 5) == (day("2060-05-10"), False)


def test_the_projects_own_rows_win(tmp_path):
    row = '[2060]\nholidays = [2060-05-03]\nworkdays = [2060-05-01]\nsource = "notice"\nverified = true\n'
    (tmp_path / "workdays.toml").write_text(row, encoding="utf-8")
    assert is_workday(day("2060-05-01"), tmp_path) == (True, True)
    assert is_workday(day("2060-05-03"), tmp_path) == (False, True)
    assert is_workday(day("2060-05-04"), tmp_path) == (True, True)
    assert add_working_days(day("2060-04-30"), 2, tmp_path) == (day("2060-05-04"), True)


def test_two_months():
    assert add_months(day("2020-05-21"), 2) == day("2020-07-21")
    assert add_months(day("2020-12-31"), 2) == day("2021-02-28")


def test_a_term_has_days():
    with pytest.raises(RangeError, match="1 to 1000"):
        add_working_days(day("2020-05-21"), 0)
