"""``time_intervals``: spans of time by clock and calendar, in Alertmanager's own syntax.

Source: Alertmanager ``timeinterval/timeinterval.go``: words in any case, ranges as ``first:last``, both ends
included (of ``times`` the second is not), days of the month from the end as negative numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, PlainValidator, RootModel, model_validator

from remediator.core.intervals import Interval, Range
from remediator.core.text import plain
from remediator.core.values import said
from remediator.policy.model import Model
from remediator.policy.values import refusal
from remediator.policy.zones import MACHINE, WITHOUT_DATABASE, known_zones, zone_of

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
MOST = 100
"""Entries of one list."""

_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,4}", re.ASCII)


def _refuse(why: str, offset: int | None = None) -> Exception:
    return refusal("P022", why, offset)


def _clock(value: object) -> int:
    """Minutes since midnight."""
    if not isinstance(value, str) or _CLOCK.fullmatch(value) is None:
        shown = f"'{plain(value, 40)}'" if isinstance(value, str) else "that"
        raise _refuse(f"{shown} is no time of day; write one such as '09:00', up to '24:00', in quotes")
    return int(value[:2]) * 60 + int(value[3:])


def _ranges(
    what: str, words: Sequence[str], least: int, most: int, example: str
) -> Callable[[object], Range]:
    """Reads ``first`` or ``first:last``, each a number from ``least`` to ``most`` or one of ``words``."""

    def number(text: str, at: int) -> int:
        lowered = text.strip().lower()
        if lowered in words:
            return words.index(lowered) + least
        if _NUMBER.fullmatch(lowered) and what != "weekday":
            found = int(lowered)
            if least <= found <= most and (found or least >= 0):
                return found
        raise _refuse(f"'{plain(text, 40)}' is no {what}; write {example}", at)

    def read(value: object) -> Range:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str):
            raise _refuse(f"expected a {what} or a range of them; write {example}")
        parts = text.split(":")
        if len(parts) > 2:
            raise _refuse(f"a range has two ends; write {example}")
        first = number(parts[0], 0)
        last = number(parts[1], len(parts[0]) + 1) if len(parts) == 2 else first
        _check_order(what, first, last, text)
        return first, last

    return read


def _check_order(what: str, first: int, last: int, text: str) -> None:
    shown = plain(text, 40)
    if what != "day of the month":
        if last < first:
            raise _refuse(f"'{shown}' ends before it begins; write two ranges instead")
        return
    if first < 0 < last:
        raise _refuse(
            f"'{shown}' begins at the end of the month: its last day must be negative too, such as -3:-1"
        )
    shortest = [28 + day if day < 0 else day for day in (first, last)]
    if shortest[0] > shortest[1]:
        raise _refuse(f"'{shown}' always ends before it begins; write two ranges instead")


def _location(value: object) -> str:
    if not isinstance(value, str):
        raise _refuse("expected a time zone such as Europe/Berlin")
    if value in WITHOUT_DATABASE:
        return value
    if not known_zones():
        raise _refuse("this machine knows no time zones; install the package tzdata")
    if value not in known_zones():
        # the nearest is looked for when the finding is written: there may be a million of them
        raise refusal("P022", f"'{plain(value, 60)}' is no time zone", nearest=(value[:60], ZONES))
    try:
        zone_of(value)
    except LookupError as error:
        raise _refuse(str(error)) from error
    return value


ZONES = "zones"
NEAREST: Mapping[str, Callable[[], frozenset[str]]] = {ZONES: known_zones}
"""What a refused word may have meant; see ``remediator.policy.validate``."""

_NUMBER_OR_TEXT = ["string", "integer"]

ClockText = Annotated[
    int, BeforeValidator(_clock), said("A time of day.", "09:00", "24:00", pattern="^[0-2][0-9]:[0-5][0-9]$")
]
WeekdayText = Annotated[
    Range,
    PlainValidator(_ranges("weekday", WEEKDAYS, 0, 6, "'saturday' or 'monday:friday'")),
    said("A weekday, or a range of them.", "saturday", "monday:friday"),
]
DayText = Annotated[
    Range,
    PlainValidator(_ranges("day of the month", (), -31, 31, "'1', '1:7' or '-3:-1'")),
    said(
        "A day of the month, or a range; negative days count from its end.",
        "1",
        "1:7",
        "-3:-1",
        type=_NUMBER_OR_TEXT,
    ),
]
MonthText = Annotated[
    Range,
    PlainValidator(_ranges("month", MONTHS, 1, 12, "'march', '3' or '4:6'")),
    said("A month by name or number, or a range of them.", "march", "3", "4:6", type=_NUMBER_OR_TEXT),
]
YearText = Annotated[
    Range,
    PlainValidator(_ranges("year", (), 1, 9999, "'2026' or '2026:2028'")),
    said("A year, or a range of them.", "2026", "2026:2028", type=_NUMBER_OR_TEXT),
]
LocationText = Annotated[
    str, BeforeValidator(_location), said("A time zone of the IANA database.", "Europe/Berlin", "UTC")
]


class TimesModel(Model):
    """A span of the day: from ``start_time`` until before ``end_time``."""

    start_time: ClockText = Field(description="When it begins.")
    end_time: ClockText = Field(description="When it is over; this minute is not part of it.")

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end_time <= self.start_time:
            why = "the end must be later than the start; write two spans for one over midnight"
            raise refusal("P022", why, key="end_time")
        return self


class IntervalModel(Model):
    """One interval of time: it is within when every kind that is given has an entry that is."""

    times: list[TimesModel] | None = Field(
        default=None, min_length=1, max_length=MOST, description="Spans of the day. Default: all day."
    )
    weekdays: list[WeekdayText] | None = Field(
        default=None, min_length=1, max_length=MOST, description="Days of the week. Default: all."
    )
    days_of_month: list[DayText] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST,
        description="Days of the month; -1 is the last. Default: all.",
    )
    months: list[MonthText] | None = Field(
        default=None, min_length=1, max_length=MOST, description="Months. Default: all."
    )
    years: list[YearText] | None = Field(
        default=None, min_length=1, max_length=MOST, description="Years. Default: all."
    )
    location: LocationText = Field(
        default="UTC",
        description=f"The time zone whose clock and calendar count; `{MACHINE}` is the daemon's own.",
    )

    def build(self) -> Interval:
        """The core value."""
        return Interval(
            times=tuple((each.start_time, each.end_time) for each in self.times or ()),
            weekdays=tuple(self.weekdays or ()),
            days_of_month=tuple(self.days_of_month or ()),
            months=tuple(self.months or ()),
            years=tuple(self.years or ()),
            location=self.location,
            zone=zone_of(self.location),
        )


class TimeIntervalModel(RootModel[Annotated[list[IntervalModel], Field(min_length=1, max_length=MOST)]]):
    """An entry of ``time_intervals``: it is within when one of its intervals is."""

    def build(self) -> tuple[Interval, ...]:
        """The core values."""
        return tuple(each.build() for each in self.root)
