"""From two tallies to the values of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from remediator.core.policies import SEVERITIES, Policy
from remediator.core.times import format_instant
from remediator.rehearsal.backtest.comparison import Comparison, Difference, Group, Listed, Moves, Unmatched
from remediator.rehearsal.backtest.report import (
    Changes,
    GuardRow,
    Hour,
    IncidentRow,
    MoveRow,
    Part,
    Rows,
    RuleRow,
    Side,
    UnmatchedRow,
)
from remediator.rehearsal.backtest.tally import Note, Tally, WorstHour

LISTED_GROUPS = 20
"""Kinds of moves and of unmatched alerts that are told; the rest is counted."""
LISTED_TARGETS = 10


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
        guards=_guard_rows(tally, opened),
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
    guards: dict[str, Counter[str]] = {}
    for note in opened:
        pages[note.rule] += len(note.pages)
        attempts.setdefault(note.rule, Counter()).update(outcome for _, outcome in note.attempts)
        guards.setdefault(note.rule, Counter()).update(guard for _, guard in note.blocked)
    return tuple(
        RuleRow(
            rule=rule.name,
            severity=rule.severity,
            alerts=tally.alerts[rule.name],
            incidents=incidents[rule.name],
            pages=pages[rule.name],
            attempts=_sorted(attempts.get(rule.name, Counter())),
            guards=_sorted(guards.get(rule.name, Counter())),
            targets=tally.targets_of[rule.name].most if rule.name in tally.targets_of else 0,
        )
        for rule in policy.rules
    )


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {severity: counts[severity] for severity in SEVERITIES if counts.get(severity)}


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts)}


def _guard_rows(tally: Tally, opened: Sequence[Note]) -> tuple[GuardRow, ...]:
    rules: dict[str, Counter[str]] = {guard: Counter() for guard in tally.objections}
    for note in opened:
        for _, guard in note.blocked:
            rules[guard][note.rule] += 1
    rows = [
        GuardRow(
            guard=guard,
            attempts=rules[guard].total(),
            rules=_sorted(rules[guard]),
            text=first.text,
            incident=first.incident,
            at=first.at,
        )
        for guard, first in tally.objections.items()
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
        raised=_rows(difference.raised),
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
        raised=_raised([note]),
        other_pages=_pages(others),
        other_attempts=_attempts(others),
        other_raised=_raised(others),
    )


SHOWN = 6


def _pages(notes: Iterable[Note]) -> tuple[str, ...]:
    """``oncall at 04:24:11``."""
    pages = sorted(page for note in notes for page in note.pages)
    return tuple(f"{channel} at {format_instant(at)[11:19]}" for at, _, channel in pages[:SHOWN])


def _attempts(notes: Iterable[Note]) -> tuple[str, ...]:
    attempts = [attempt for note in notes for attempt in note.attempts]
    return tuple(f"{runbook}: {outcome}" for runbook, outcome in attempts[:SHOWN])


def _raised(notes: Iterable[Note]) -> tuple[str, ...]:
    """``to SEV-1 at 05:24:11: still open after 1h``."""
    raised = sorted(each for note in notes for each in note.raised)
    return tuple(f"to {to} at {format_instant(at)[11:19]}: {why}" for at, to, why in raised[:SHOWN])
