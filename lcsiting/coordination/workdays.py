"""Chinese working days: weekends, public holidays, make-up workdays.

From the yearly notices of the State Council's office as the library ``chinesecalendar`` keeps them
(2004 on, no network), or from the rows of ``rules/workdays.toml``. Of a year nobody knows yet only
the weekends are known, and every date that rests on it says so.
"""

import datetime
from pathlib import Path

import chinese_calendar
import pandas as pd

from lcsiting import rules
from lcsiting.errors import RangeError

LONGEST_TERM_DAYS = 1000


def is_workday(day: datetime.date, override: Path | None = None) -> tuple[bool, bool]:
    """Whether a day is worked, and whether the calendar of its year is known.

    Parameters
    ----------
    day : date
    override : Path, optional
        The project's ``rules/`` folder; ``workdays.toml`` in it wins over the library.

    Returns
    -------
    (worked, known)
        Where not known: Monday to Friday.
    """
    row = rules.load("workdays", override).get(str(day.year))
    if row is not None:
        if day in row.get("workdays", ()):
            return True, True
        return day.weekday() < 5 and day not in row.get("holidays", ()), True
    try:
        return bool(chinese_calendar.is_workday(day)), True
    except NotImplementedError:
        return day.weekday() < 5, False


def add_working_days(start: datetime.date, days: int, override: Path | None = None) -> tuple[datetime.date, bool]:
    """The last day of a term of working days; the day it starts from is not counted.

    Parameters
    ----------
    start : date
        Day of the event, e.g. of the request.
    days : int
        1 to 1000.
    override : Path, optional
        The project's ``rules/`` folder.

    Returns
    -------
    (due, known)
        ``known`` is False where the term runs into a year without a known calendar.

    Raises
    ------
    RangeError
        ``days`` out of range.
    """
    if not 1 <= days <= LONGEST_TERM_DAYS:
        raise RangeError(f"add_working_days: days = {days}; a term has 1 to {LONGEST_TERM_DAYS} working days")
    day, left, sure = start, days, True
    while left:
        day += datetime.timedelta(days=1)
        worked, known = is_workday(day, override)
        sure &= known
        left -= worked
    return day, sure


def add_months(start: datetime.date, months: int) -> datetime.date:
    """The same day some months on, or the last day of a shorter month (31 December + 2 months: 28 February)."""
    return (pd.Timestamp(start) + pd.DateOffset(months=months)).date()
