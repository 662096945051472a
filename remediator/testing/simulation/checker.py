"""Holds a history to the promises. Knows what is promised, nothing of how the program keeps it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from remediator.core.incident import Incident, Status
from remediator.core.journal import Entry, PageKind
from remediator.core.store import DELIVERIES, Buried, Gauges
from remediator.testing.simulation.changes import change_checks
from remediator.testing.simulation.deadlines import deadlines, only_rises, raised
from remediator.testing.simulation.history import Answered, Committed, History, PagerGot
from remediator.testing.simulation.scenario import Scenario
from remediator.testing.simulation.told import told_truthfully


def violations(
    history: History,
    scenario: Scenario,
    incidents: tuple[Incident, ...],
    timelines: Mapping[str, Sequence[Entry]],
    gauges: Gauges,
    dead_letters: Sequence[Buried],
) -> list[str]:
    """Every promise that was broken, in words; empty when all were kept."""
    checks = [
        _p1_accepted_is_processed(history, scenario),
        _p6_nothing_is_left(gauges, dead_letters),
        *change_checks(history, scenario),
        _p11_order(history),
        only_rises(history),
    ]
    given_up = [b for b in dead_letters if b.letter.tries >= DELIVERIES]
    checks.append(_p6_people_are_told(history, given_up))
    dependent = (
        _p6_nobody_waits(incidents),
        _p11_delivered(history),
        deadlines(history, scenario),
        raised(history, scenario),
        told_truthfully(history, timelines),
        _ends_well(incidents),
    )
    # what died with its process five times waits for a person, and so may the incident it belongs to
    excused = _incidents_of(given_up, history)
    checks += [(text for text in check if not any(name in text for name in excused)) for check in dependent]
    return [text for check in checks for text in check]


def _p1_accepted_is_processed(history: History, scenario: Scenario) -> Iterator[str]:
    joined = {fp for commit in history.of(Committed) for fp in commit.joined}
    held = {rule.name.removesuffix("-down") for rule in scenario.policy.rules if rule.hold}
    may_pass_unseen = {outage.fingerprint for outage in scenario.outages if outage.service in held}
    for answer in history.of(Answered):
        if answer.firing and answer.fingerprint not in joined | may_pass_unseen:
            yield f"P1: alert {answer.fingerprint} was answered 2xx at {answer.at:.1f} and never processed"


def _p6_nothing_is_left(gauges: Gauges, dead_letters: Sequence[Buried]) -> Iterator[str]:
    for queue, left in gauges.backlog.items():
        if left:
            yield f"P6: {left} entries are left in {queue}"
    if gauges.timer_lag:
        yield f"P12: a timer is overdue by {gauges.timer_lag} ms"
    for buried in dead_letters:
        if buried.letter.tries < DELIVERIES and buried.letter.queue != "outbox":
            yield f"P6: {buried.letter.payload} was given up after {buried.letter.tries} tries"


def _incidents_of(given_up: Sequence[Buried], history: History) -> set[str]:
    """Incidents that a dead letter names, by id or by an alert; a timer names none, so it may be of any."""
    incidents: dict[str, set[str]] = defaultdict(set)
    for commit in history.of(Committed):
        incidents[commit.incident].update(commit.joined)
    payloads = [buried.letter.payload for buried in given_up]
    if any('"due":' in payload for payload in payloads):
        return set(incidents)
    return {
        incident
        for incident, alerts in incidents.items()
        if any(
            incident in payload or any(f'"{alert}"' in payload for alert in alerts) for payload in payloads
        )
    }


def _p6_people_are_told(history: History, given_up: Sequence[Buried]) -> Iterator[str]:
    told = {got.dedup_key for got in history.of(PagerGot) if got.dedup_key.startswith("dead/")}
    if len(told) < len(given_up):
        yield f"P6: {len(given_up)} entries were given up, and people were told of {len(told)}"


def _p6_nobody_waits(incidents: tuple[Incident, ...]) -> Iterator[str]:
    for incident in incidents:
        if incident.active is not None:
            yield f"P6: {incident.id} still waits for {incident.active.pending or 'a timer'}"
        if incident.status is Status.HELD:
            yield f"P12: {incident.id} is still held"


def _p11_order(history: History) -> Iterator[str]:
    decided: set[tuple[str, PageKind]] = set()
    triggered: set[str] = set()
    for record in history.records:
        if isinstance(record, Committed):
            decided.update(record.queued_pages)
            decided.update((key, PageKind.TRIGGER) for key in record.notices)
        elif isinstance(record, PagerGot):
            if (record.dedup_key, record.kind) not in decided and not record.dedup_key.startswith("dead/"):
                yield f"P11: {record.kind} of {record.dedup_key} was sent before it was committed"
            if record.kind is PageKind.TRIGGER:
                triggered.add(record.dedup_key)
            elif record.dedup_key not in triggered:
                yield f"P11: {record.dedup_key} was resolved before it was triggered"


def _p11_delivered(history: History) -> Iterator[str]:
    decided = {page for commit in history.of(Committed) for page in commit.queued_pages}
    delivered = {(got.dedup_key, got.kind) for got in history.of(PagerGot)}
    for dedup_key, kind in sorted(decided - delivered):
        yield f"P11: {kind} of {dedup_key} was decided and never delivered"


def _ends_well(incidents: tuple[Incident, ...]) -> Iterator[str]:
    for incident in incidents:
        if incident.resolved or incident.status is Status.HELD:
            continue
        if incident.alerts:
            yield f"P5: {incident.id} counts {incident.alerts} firing alerts, but all outages are over"
        elif not incident.level and incident.severity != "SEV-3":
            yield f"P14: {incident.id} is left open and nobody was paged"
