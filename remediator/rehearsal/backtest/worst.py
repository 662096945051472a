"""The worst hours, and the guards that would have blocked, as sections of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from remediator.rehearsal.backtest.report import GuardRow, Hour, Side
from remediator.rehearsal.backtest.words import Item, Name, Section, Text, item, many, minute, second

T = TypeVar("T")
LISTED_RULES = 5
"""Rules that are named of each guard."""


def tell_hours_and_guards(sides: Sequence[Side]) -> Iterator[Section]:
    """Of one policy, or of two; what is the same with both is told once."""
    items = []
    for what, hours in (
        ("pages in the worst hour", [side.worst_pages for side in sides]),
        ("targets touched in the worst hour", [side.worst_targets for side in sides]),
    ):
        items += [_hour_item(f"{who}{what}", hour) for who, hour in _by_side(hours)]
    yield Section(title="Worst hours", items=tuple(items))
    guards = [
        _guard_item(who, row) for who, rows in _by_side([side.guards for side in sides]) for row in rows
    ]
    if guards:
        yield Section(title="Guards that would have blocked", items=tuple(guards))


def _by_side(found: Sequence[T]) -> list[tuple[str, T]]:
    """Whose each is, for a line to begin with; told once where it is the same with both."""
    if len(found) < 2:
        return [("", each) for each in found]
    current, candidate = found
    return (
        [("both: ", current)]
        if current == candidate
        else [("current: ", current), ("candidate: ", candidate)]
    )


def _guard_item(who: str, row: GuardRow) -> Item:
    return Item(
        text=(who, Name(row.guard), f" objects to {many(row.attempts, 'attempt')}: ", *_rules(row.rules)),
        below=((f"{second(row.at)} ", Name(row.incident), ": ", Name(row.text)),),
    )


def _rules(counts: Mapping[str, int]) -> Iterator[str]:
    """``3 of slow, 2 of down``: the most first; one alone by its name."""
    most = sorted(counts.items(), key=lambda each: -each[1])
    for number, (rule, count) in enumerate(most[:LISTED_RULES]):
        yield f"{', ' if number else ''}{f'{count:,} ' if len(counts) > 1 else ''}of "
        yield Name(rule)
    if len(counts) > LISTED_RULES:
        yield f" and {many(len(counts) - LISTED_RULES, 'more rule')}"


def _hour_item(what: str, hour: Hour) -> Item:
    if hour.ended_at is None:
        return item(f"{what}: none")
    names: Text = (Name(", ".join(hour.names)), f" and {hour.more} more" if hour.more else "")
    return Item(text=(f"{what}: {hour.most:,}, until {minute(hour.ended_at)} UTC: ", *names))
