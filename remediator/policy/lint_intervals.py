"""Lints of time intervals: those that never come, never end, or mean another time on another machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remediator.core.intervals import LOOK_AHEAD, Interval, begins, can_hold, ends, holds
from remediator.core.times import Instant, Millis
from remediator.policy.draft import SINGLE
from remediator.policy.lint_view import Note, View
from remediator.policy.zones import MACHINE

SOME_MONDAY = Instant(1_767_571_200_000)
"""2026-01-05. Lints ask no clock: what never ends does not end after any day."""
LEAP_CYCLE = Millis(5 * LOOK_AHEAD)
"""Five years: a leap day is among them."""
MOST_WINDOWS = 1_000
"""Windows that are compared with a freeze: more than two years of daily ones."""
MOST_COMPARED = 20
"""Intervals that are looked at together: looking far ahead takes a moment for each."""


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
    names, endless = view.policy.guards.freeze, _endless(view)
    if len(endless) <= MOST_COMPARED and ends(endless, SOME_MONDAY, LEAP_CYCLE) is None:
        text = (
            f"{' and '.join(names)} leave no time at which anything is changed; narrow them, or remove them"
        )
        yield Note(at=view.spot("guards", SINGLE, "freeze"), code="G422", message=text)


def frozen_windows(view: View) -> Iterator[Note]:
    """G425: a runbook whose every window lies within a freeze."""
    frozen, known = _endless(view), dict[tuple[str, ...], bool]()
    for name, runbook in view.policy.runbooks.items() if 0 < len(frozen) <= MOST_COMPARED else ():
        windows = _named(view, runbook.during)
        if runbook.during not in known and len(known) < MOST_COMPARED and len(windows) <= MOST_COMPARED:
            known[runbook.during] = _is_frozen(windows, frozen)
        if known.get(runbook.during):
            text = (
                f"runbook '{name}' is for {', '.join(runbook.during)}, and all of that is within "
                "guards.freeze: it never changes anything; let it have a time that is not frozen"
            )
            yield Note(at=view.spot("runbooks", name, "during"), code="G425", message=text)


def _endless(view: View) -> list[Interval]:
    """The intervals under ``freeze`` that come again for ever."""
    return [each for each in _named(view, view.policy.guards.freeze) if not each.years]


def _named(view: View, names: Sequence[str]) -> list[Interval]:
    return [each for name in names for each in view.policy.time_intervals.get(name, ())]


def _is_frozen(windows: Sequence[Interval], frozen: Sequence[Interval]) -> bool:
    """Whether no moment of a window is free, as far as is looked. What never begins is not claimed to be."""
    at = SOME_MONDAY
    for _ in range(MOST_WINDOWS):
        begin = begins(windows, at)
        if begin is None:
            return False
        over = ends(frozen, begin)
        if over is None:
            return True
        if over == begin or holds(windows, over):
            return False
        at = over
    return True


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
