"""The year of the made-up schools: its days, and the days on which a student is absent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from eduguard.portability.generation.dice import Draw, below

YEAR = 2026
_FIRST, _LAST = date(YEAR, 3, 4), date(YEAR, 12, 4)
_BREAKS = (
    (date(YEAR, 6, 22), date(YEAR, 7, 3)),  # winter
    (date(YEAR, 9, 14), date(YEAR, 9, 18)),  # around Independence Day
)
_HOLIDAYS = {
    date(YEAR, *day) for day in ((4, 3), (5, 1), (5, 21), (6, 29), (7, 16), (10, 12))
}  # the holidays of Chile in 2026 that are weekdays of the school year and outside the breaks
_WINTER_TIME = (date(YEAR, 4, 5), date(YEAR, 9, 5))  # in Chile, four hours behind UTC; three hours before and after
_COLD_MONTHS = range(5, 9)
_SUNDAY_NEAR = {0, 4}  # Monday and Friday: a few more students are absent

PRESENT, LATE, ABSENT, EXCUSED = "present", "late", "absent", "excused"
_LONG = 3  # days; from this length on, most absences have a doctor's note


@dataclass(frozen=True, slots=True)
class Day:
    """A school day; the offset from UTC is in hours, in the form that PostgreSQL reads."""

    date: date
    number: int
    """the day's number in the school year, from 0"""
    offset: str

    @property
    def weekday(self) -> int:
        """Return 0 on Monday, 4 on Friday."""
        return self.date.weekday()

    @property
    def risk(self) -> float:
        """Return how much more likely somebody is to fall ill or stay at home than on other days."""
        return (1.6 if self.date.month in _COLD_MONTHS else 1.0) * (1.25 if self.weekday in _SUNDAY_NEAR else 1.0)


def school_days() -> tuple[Day, ...]:
    """Return the days of the school year: weekdays that are neither holidays nor in a break."""
    every = (_FIRST + timedelta(days) for days in range((_LAST - _FIRST).days + 1))
    return tuple(
        Day(each, number, "-04" if _WINTER_TIME[0] <= each <= _WINTER_TIME[1] else "-03")
        for number, each in enumerate(filter(_is_school_day, every))
    )


def _is_school_day(day: date) -> bool:
    in_break = any(first <= day <= last for first, last in _BREAKS)
    return day.weekday() <= 4 and day not in _HOLIDAYS and not in_break  # noqa: PLR2004 -- Friday


def attend(draw: Draw, risks: Sequence[float]) -> list[str]:
    """Return a student's attendance status on each day; absences come in spells, and a few students have many.

    Args:
        draw: the student's own stream.
        risks: the risk of each day.
    """
    frailty, lateness = 0.012 + 0.06 * draw() ** 3, 0.06 * draw() ** 2
    statuses, spell, reason = list[str](), 0, ABSENT
    for risk in risks:
        chance = draw()
        if not spell and chance < frailty * risk:
            spell = 1 + below(draw, 2) + (below(draw, 5) if draw() < 0.3 else 0)  # noqa: PLR2004 -- a share
            reason = EXCUSED if draw() < (0.75 if spell >= _LONG else 0.25) else ABSENT
        if spell:
            statuses.append(reason)
            spell -= 1
        else:
            statuses.append(LATE if chance > 1 - lateness else PRESENT)
    return statuses
