"""Time intervals broken: an hour, a day, a month or a year more or less at each end, or another zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC

from remediator.core.intervals import Interval, Range
from remediator.core.policies import Policy
from remediator.policy.intervals import MONTHS, WEEKDAYS
from remediator.rehearsal.mutants.base import Mutant
from remediator.rehearsal.places import Places

HOUR = 60
DAY = 24 * HOUR
STEPS = (
    ("times", HOUR, 0, DAY),
    ("weekdays", 1, 0, 6),
    ("days_of_month", 1, -31, 31),
    ("months", 1, 1, 12),
    ("years", 1, 1, 9999),
)
"""By how much the ends of each kind of range are moved, and between which bounds."""
HINT = (
    "let tests begin (start) just within and just outside of each end of it, and expect blocked_by: freeze "
    "(or window), or a change"
)
Changed = tuple[tuple[str, ...], str, Interval]
"""Keys, what is changed in words, and the interval then."""


def mutants_of_intervals(policy: Policy, places: Places) -> Iterator[Mutant]:
    """Every interval that a freeze or a runbook of a rule names."""
    used = {name for rule in policy.rules for name in rule.runbooks}
    named = [name for book in used & policy.runbooks.keys() for name in policy.runbooks[book].during]
    for name in policy.time_intervals:
        if name in (*policy.guards.freeze, *named):
            yield from _of_one(policy, places, name)


def _of_one(policy: Policy, places: Places, name: str) -> Iterator[Mutant]:
    intervals = policy.time_intervals[name]
    for number, interval in enumerate(intervals):
        others = intervals[:number], intervals[number + 1 :]
        changes: list[tuple[tuple[str, ...], str, tuple[Interval, ...]]] = [
            (keys, words, (changed,)) for keys, words, changed in _changes(interval)
        ]
        if len(intervals) > 1:
            changes.insert(0, ((), "interval removed", ()))
        for keys, words, kept in changes:
            at = places.find("time_intervals", name, str(number), *keys)
            if at is None:
                continue
            whole = {**policy.time_intervals, name: (*others[0], *kept, *others[1])}
            yield Mutant(
                section="time_intervals",
                subject=f"time interval {name}",
                where=str(at),
                change=words,
                hint=HINT,
                policy=replace(policy, time_intervals=whole),
                touches=("time_intervals", name),
            )


def _changes(interval: Interval) -> Iterator[Changed]:
    for kind, step, least, most in STEPS:
        ranges: tuple[Range, ...] = getattr(interval, kind)
        for number, each in enumerate(ranges):
            for other in _moved(each, step, least, most):
                moved = (*ranges[:number], other, *ranges[number + 1 :])
                words = f"{kind} {_said(kind, each)} -> {_said(kind, other)}"
                yield (kind, str(number)), words, _with(interval, kind, moved)
        if ranges:
            yield (kind,), f"{kind} removed", _with(interval, kind, ())
    if interval.location != "UTC":
        changed = replace(interval, location="UTC", zone=UTC)
        yield ("location",), f"location {interval.location} -> UTC", changed


def _with(interval: Interval, kind: str, ranges: tuple[Range, ...]) -> Interval:
    values: dict[str, object] = {kind: ranges}
    return replace(interval, **values)  # type: ignore[arg-type]  # checked by the dataclass


def _moved(span: Range, step: int, least: int, most: int) -> Iterator[Range]:
    """Each end a step earlier and later, as far as that is a range of the files still."""
    first, last = span
    for other in ((first - step, last), (first + step, last), (first, last - step), (first, last + step)):
        kept = other[0] < other[1] if most == DAY else other[0] <= other[1] or other[0] > 0 > other[1]
        if kept and least <= other[0] and other[1] <= most and _same_sides(span, other, least):
            yield other


def _same_sides(span: Range, other: Range, least: int) -> bool:
    """Days of a month that count from its end do so still: there is no day 0."""
    return least >= 0 or all(before * after > 0 for before, after in zip(span, other, strict=True))


def _said(kind: str, span: Range) -> str:
    """A range as the files write it."""
    words = [_word(kind, each) for each in span]
    return "-".join(words) if kind == "times" else ":".join(dict.fromkeys(words))


def _word(kind: str, number: int) -> str:
    match kind:
        case "times":
            return f"{number // HOUR:02d}:{number % HOUR:02d}"
        case "weekdays":
            return WEEKDAYS[number]
        case "months":
            return MONTHS[number - 1]
        case _:
            return str(number)
