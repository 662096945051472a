"""What a backtest found, as values: the same for the terminal, for Markdown and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from remediator.core.times import Instant, format_instant
from remediator.policy.differences import Changed
from remediator.rehearsal.backtest.tally import Example

SCHEMA = 1
"""Grows when a program that reads the JSON could misunderstand it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadLines:
    """What was read. ``unreadable``: where the first of such lines stand, and what is wrong with them."""

    record: str
    begins: Instant | None
    ends: Instant | None
    notifications: int
    alerts: int
    untimed: int
    """Notifications of which nobody noted when they came: their alerts' own times were taken."""
    backwards: int
    """Those that stand behind later ones; they were taken to come at once."""
    unreadable_count: int
    unreadable: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRow:
    """What came of one rule.

    ``attempts``: how many ended with which outcome. ``guards``: to how many of them each guard objected.
    ``targets``: the most that were touched in an hour.
    """

    rule: str
    severity: str
    alerts: int
    incidents: int
    pages: int
    attempts: Mapping[str, int]
    guards: Mapping[str, int]
    targets: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardRow:
    """A guard that would have blocked: how many attempts, of which rules, and how it put it first."""

    guard: str
    attempts: int
    rules: Mapping[str, int]
    text: str
    incident: str
    at: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    """The worst hour of something: how many, when it ended, and what it was."""

    most: int
    ended_at: Instant | None
    names: tuple[str, ...]
    more: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UnmatchedRow:
    """Alerts that no rule matches, with a rule to begin with."""

    count: int
    skeleton: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """What one policy made of the record."""

    policy: str
    digest: str
    rules: tuple[RuleRow, ...]
    dispositions: Mapping[str, int]
    incidents: Mapping[str, int]
    """That opened, by the severity they came to."""
    reopened: int
    late: Mapping[str, int]
    """Resolved later than their severity promises, by severity."""
    pages: Mapping[str, int]
    """By channel."""
    outcomes: Mapping[str, int]
    """Of attempts."""
    guards: tuple[GuardRow, ...]
    worst_pages: Hour
    worst_targets: Hour
    unmatched: tuple[UnmatchedRow, ...]
    unmatched_more: int
    """Alerts of further kinds."""
    troubles: tuple[tuple[str, int], ...]
    """What should not happen in a replay."""

    @property
    def figures(self) -> tuple[object, ...]:
        """What is counted, and is told where it is not the same with another policy."""
        guards = [(guard.guard, guard.attempts) for guard in self.guards]
        return self.incidents, self.pages, self.outcomes, self.late, guards, self.reopened


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveRow:
    """Alerts that go from one rule, and its severity, to another; None where no rule matches."""

    count: int
    rule: str | None
    severity: str | None
    to_rule: str | None
    to_severity: str | None
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentRow:
    """One incident in an example, beside its counterparts with the other policy."""

    id: str
    service: str
    rule: str
    severity: str
    opened_at: Instant
    first: Example
    pages: tuple[str, ...]
    attempts: tuple[str, ...]
    raised: tuple[str, ...]
    other_pages: tuple[str, ...]
    other_attempts: tuple[str, ...]
    other_raised: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """How many incidents, and the first of them."""

    count: int
    first: tuple[IncidentRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What only one of the policies has; see ``comparison.Difference``."""

    incidents: Rows
    paged: Rows
    sooner: Rows
    raised: Rows
    attempted: Rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What would change from the current policy to the candidate."""

    severity: tuple[MoveRow, ...]
    severity_count: int
    rule: tuple[MoveRow, ...]
    """The rule alone."""
    rule_count: int
    unlisted: int
    """Alerts of further kinds of moves."""
    gained: Part
    lost: Part

    @property
    def any(self) -> bool:
        """Whether anything changes."""
        counts = [
            rows.count
            for part in (self.gained, self.lost)
            for rows in (part.incidents, part.paged, part.sooner, part.raised, part.attempted)
        ]
        return bool(self.severity_count or self.rule_count or self.unlisted or any(counts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything. ``candidate`` and ``changes`` are None where one policy was replayed alone.

    ``differences``: what the candidate's files say otherwise, whatever came of it over this record.
    """

    read: ReadLines
    current: Side
    candidate: Side | None
    changes: Changes | None
    differences: tuple[Changed, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the candidate would have changed anything over this record."""
        if self.candidate is None or self.changes is None:
            return False
        return self.changes.any or self.current.figures != self.candidate.figures

    def as_data(self) -> dict[str, object]:
        """Plain values; times as RFC 3339."""
        return {"version": SCHEMA, **_object(self)}


_INSTANTS = frozenset(("at", "begins", "ends", "ended_at", "opened_at"))
"""Fields that are times; a channel may be called so, too."""


def _object(value: Any) -> dict[str, object]:
    found = {each.name: getattr(value, each.name) for each in fields(value)}
    return {
        name: format_instant(each) if name in _INSTANTS and isinstance(each, int) else _plain(each)
        for name, each in found.items()
    }


def _plain(value: object) -> object:
    if is_dataclass(value):
        return _object(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
