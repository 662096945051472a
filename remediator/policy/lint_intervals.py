"""Lints of time intervals: those that never come, never end, or mean another time on another machine."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.core.intervals import LOOK_AHEAD, can_hold, ends
from remediator.core.times import Instant, Millis
from remediator.policy.draft import SINGLE
from remediator.policy.lint_view import Note, View
from remediator.policy.zones import MACHINE

SOME_MONDAY = Instant(1_767_571_200_000)
"""2026-01-05. Lints ask no clock: what never ends does not end after any day."""
LEAP_CYCLE = Millis(5 * LOOK_AHEAD)
"""Five years: a leap day is among them."""


def empty_intervals(view: View) -> Iterator[Note]:
    """G421: an interval in which no day of the calendar is."""
    for name, intervals in view.policy.time_intervals.items():
        for number, interval in enumerate(intervals):
            if not can_hold(interval):
                text = (
                    f"no day is in this interval of '{name}': no month that it names has such a day; "
                    "write other days or months, or remove it"
                )
                yield Note(at=view.spot("time_intervals", name, str(number)), code="G421", message=text)


def endless_freeze(view: View) -> Iterator[Note]:
    """G422: the time intervals under ``freeze`` leave no time at which anything may be changed."""
    names = view.policy.guards.freeze
    known = [each for name in names for each in view.policy.time_intervals.get(name, ())]
    endless = [each for each in known if not each.years]
    if ends(endless, SOME_MONDAY, LEAP_CYCLE) is None:
        text = (
            f"{' and '.join(names)} leave no time at which anything is changed; narrow them, or remove them"
        )
        yield Note(at=view.spot("guards", SINGLE, "freeze"), code="G422", message=text)


def zones_of_machines(view: View) -> Iterator[Note]:
    """G424: an interval that is another time wherever else it is read."""
    for name, intervals in view.policy.time_intervals.items():
        for number, interval in enumerate(intervals):
            if interval.location == MACHINE:
                text = (
                    f"{MACHINE} is the zone of the machine that reads it, another where it is tested than "
                    "where the daemon runs; write the zone that is meant, such as Europe/Berlin"
                )
                at = view.spot("time_intervals", name, str(number), "location")
                yield Note(at=at, code="G424", message=text)
