"""What a backtest found, as values: the same for the terminal, for Markdown and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from remediator.core.policies import SEVERITIES, Policy
from remediator.core.times import Instant, format_instant
from remediator.rehearsal.backtest.comparison import Comparison, Difference, Group, Listed, Moves, Unmatched
from remediator.rehearsal.backtest.tally import Example, Note, Tally, WorstHour

SCHEMA = 1
"""Grows when a program that reads the JSON could misunderstand it."""
LISTED_GROUPS = 20
"""Kinds of moves and of unmatched alerts that are told; the rest is counted."""
LISTED_TARGETS = 10


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
    """What came of one rule. ``attempts``: how many ended with which outcome."""

    rule: str
    severity: str
    alerts: int
    incidents: int
    pages: int
    attempts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardRow:
    """A guard that would have blocked: how many attempts, and how it put it the first time."""

    guard: str
    attempts: int
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
    other_pages: tuple[str, ...]
    other_attempts: tuple[str, ...]


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
        parts = (self.gained, self.lost)
        counts = [rows.count for p in parts for rows in (p.incidents, p.paged, p.sooner, p.attempted)]
        return bool(self.severity_count or self.rule_count or self.unlisted or any(counts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything. ``candidate`` and ``changes`` are None where one policy was replayed alone."""

    read: ReadLines
    current: Side
    candidate: Side | None
    changes: Changes | None

    def as_data(self) -> dict[str, object]:
        """Plain values; times as RFC 3339."""
        return {"version": SCHEMA, **{name: _plain(value) for name, value in asdict(self).items()}}


_INSTANTS = frozenset(("at", "begins", "ends", "ended_at", "opened_at"))


def _plain(value: object, name: str = "") -> object:
    if name in _INSTANTS and isinstance(value, int):
        return format_instant(value)
    if isinstance(value, dict):
        return {str(key): _plain(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def side_of(path: str, policy: Policy, tally: Tally, unmatched: Unmatched) -> Side:
    """What one replay came to."""
    opened = [note for note in tally.notes.values() if note.opened_at is not None]
    groups = sorted(unmatched.found.items(), key=lambda item: -item[1].count)
    told = groups[:LISTED_GROUPS]
    return Side(
        policy=path,
        digest=policy.digest,
        rules=_rule_rows(policy, tally, opened),
        dispositions={str(name): count for name, count in sorted(tally.dispositions.items())},
        incidents=_in_order(Counter(note.severity for note in opened)),
        reopened=sum(note.reopened for note in opened),
        late=_in_order(tally.late),
        pages=_sorted(Counter(channel for note in opened for _, _, channel in note.pages)),
        outcomes=_sorted(Counter(outcome for note in opened for _, outcome in note.attempts)),
        guards=_guard_rows(tally),
        worst_pages=_hour(tally.pages),
        worst_targets=_hour(tally.targets),
        unmatched=tuple(
            UnmatchedRow(count=group.count, skeleton=rule, examples=tuple(group.examples))
            for rule, group in told
        ),
        unmatched_more=unmatched.others + sum(group.count for _, group in groups[LISTED_GROUPS:]),
        troubles=tuple(tally.troubles.most_common(5)),
    )


def _rule_rows(policy: Policy, tally: Tally, opened: Sequence[Note]) -> tuple[RuleRow, ...]:
    incidents = Counter(note.rule for note in opened)
    pages: Counter[str] = Counter()
    attempts: dict[str, Counter[str]] = {}
    for note in opened:
        pages[note.rule] += len(note.pages)
        attempts.setdefault(note.rule, Counter()).update(outcome for _, outcome in note.attempts)
    return tuple(
        RuleRow(
            rule=rule.name,
            severity=rule.severity,
            alerts=tally.alerts[rule.name],
            incidents=incidents[rule.name],
            pages=pages[rule.name],
            attempts=_sorted(attempts.get(rule.name, Counter())),
        )
        for rule in policy.rules
    )


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {severity: counts[severity] for severity in SEVERITIES if counts.get(severity)}


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts)}


def _guard_rows(tally: Tally) -> tuple[GuardRow, ...]:
    rows = [
        GuardRow(guard=guard, attempts=each.attempts, text=each.text, incident=each.incident, at=each.at)
        for guard, each in tally.objections.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.attempts, row.guard)))


def _hour(hour: WorstHour) -> Hour:
    return Hour(
        most=hour.most,
        ended_at=hour.ended_at,
        names=hour.held[:LISTED_TARGETS],
        more=max(len(hour.held) - LISTED_TARGETS, 0),
    )


def changes_of(moves: Moves, comparison: Comparison) -> Changes:
    """What two replays differ in."""
    rows = [_move(asdict(move), group) for move, group in moves.found.items()]
    rows.sort(key=lambda row: (-row.count, row.rule or "", row.to_rule or ""))
    severity = [row for row in rows if row.severity != row.to_severity]
    rule = [row for row in rows if row.severity == row.to_severity]
    told = (*severity[:LISTED_GROUPS], *rule[:LISTED_GROUPS])
    return Changes(
        severity=tuple(severity[:LISTED_GROUPS]),
        severity_count=sum(row.count for row in severity),
        rule=tuple(rule[:LISTED_GROUPS]),
        rule_count=sum(row.count for row in rule),
        unlisted=moves.others + sum(row.count for row in rows) - sum(row.count for row in told),
        gained=_part(comparison.gained),
        lost=_part(comparison.lost),
    )


def _move(move: Mapping[str, str | None], group: Group) -> MoveRow:
    return MoveRow(count=group.count, examples=tuple(group.examples), **move)


def _part(difference: Difference) -> Part:
    return Part(
        incidents=_rows(difference.incidents),
        paged=_rows(difference.paged),
        sooner=_rows(difference.sooner),
        attempted=_rows(difference.attempted),
    )


def _rows(listed: Listed) -> Rows:
    return Rows(count=listed.count, first=tuple(_incident(note, others) for note, others in listed.first))


def _incident(note: Note, others: Sequence[Note]) -> IncidentRow:
    assert note.opened_at is not None
    return IncidentRow(
        id=note.id,
        service=note.service,
        rule=note.rule,
        severity=note.severity,
        opened_at=note.opened_at,
        first=note.first,
        pages=_pages([note]),
        attempts=_attempts([note]),
        other_pages=_pages(others),
        other_attempts=_attempts(others),
    )


SHOWN = 6


def _pages(notes: Iterable[Note]) -> tuple[str, ...]:
    """``oncall at 04:24:11``."""
    pages = sorted(page for note in notes for page in note.pages)
    return tuple(f"{channel} at {format_instant(at)[11:19]}" for at, _, channel in pages[:SHOWN])


def _attempts(notes: Iterable[Note]) -> tuple[str, ...]:
    attempts = [attempt for note in notes for attempt in note.attempts]
    return tuple(f"{runbook}: {outcome}" for runbook, outcome in attempts[:SHOWN])
