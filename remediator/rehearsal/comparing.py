"""What was expected against what is seen, with the reason why it is so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from remediator.core.incident import Incident
from remediator.core.journal import Entry, Kind
from remediator.core.times import Instant
from remediator.rehearsal.cases import Case, Expectation, ExpectedAttempt
from remediator.rehearsal.language import APPROVING, RUNNING
from remediator.rehearsal.names import NOTHING
from remediator.rehearsal.reasons import Reasons
from remediator.rehearsal.stage import Stage
from remediator.rehearsal.telling import in_test_time


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One key of an expectation that is not as it says. ``why``: the reason, as far as it is known."""

    key: str
    expected: str
    seen: str
    why: str = ""


def compare(each: Expectation, case: Case, stage: Stage, start: Instant) -> tuple[Difference, ...]:
    """Everything that is not as expected now."""
    found = _Comparing(each, case, stage, start).differences()
    return tuple(replace(one, why=in_test_time(one.why, start)) for one in found)


class _Comparing:
    """One expectation, at its moment."""

    def __init__(self, each: Expectation, case: Case, stage: Stage, start: Instant) -> None:
        self._each, self._stage, self._start = each, stage, start
        self._reasons = Reasons(case, stage, start)
        incidents = stage.incidents
        if each.service is not None:
            incidents = tuple(one for one in incidents if one.service == each.service)
        self._incidents = incidents

    def differences(self) -> Iterator[Difference]:
        """In the order in which people ask."""
        each = self._each
        if each.incidents is not None and each.incidents != len(self._incidents):
            yield self._count(each.incidents)
        if each.about_incident:
            yield from self._of_incident()
        if each.pages is not None:
            yield from self._pages(each.pages)

    def _count(self, expected: int) -> Difference:
        seen = ", ".join(f"{one.service} ({one.rule})" for one in self._incidents)
        fewer = len(self._incidents) < expected
        return Difference(
            key="incidents",
            expected=str(expected),
            seen=f"{len(self._incidents)}{': ' + seen if seen else ''}",
            why=self._reasons.no_incident(self._each.service) if fewer else self._reasons.groups(),
        )

    def _of_incident(self) -> Iterator[Difference]:
        whose = f" of {self._each.service}" if self._each.service is not None else ""
        if not self._incidents:
            why = self._reasons.no_incident(self._each.service)
            if self._each.rule is not None:
                why = "; ".join(filter(None, (why, self._reasons.rule_lost(self._each.rule))))
            yield Difference(key=self._first_key(), expected=f"an incident{whose}", seen="none", why=why)
            return
        services = sorted({one.service for one in self._incidents})
        if self._each.service is None and len(services) > 1:
            names = ", ".join(services)
            why = "say which one is meant: add service: NAME to the expectation"
            yield Difference(
                key=self._first_key(), expected="one incident", seen=f"incidents of {names}", why=why
            )
            return
        incident = self._incidents[-1]
        yield from self._plain(incident)
        yield from self._attached(incident)
        yield from self._remediation(incident)
        yield from self._said(incident)

    def _first_key(self) -> str:
        return next((key for key in self._each.places if key not in ("at", "service", "pages")), "at")

    def _plain(self, incident: Incident) -> Iterator[Difference]:
        each, reasons = self._each, self._reasons
        if each.rule is not None and each.rule != incident.rule:
            yield Difference(
                key="rule", expected=each.rule, seen=incident.rule, why=reasons.rule_lost(each.rule, incident)
            )
        if each.severity is not None and each.severity != incident.severity:
            why = reasons.severity(each.severity, incident)
            yield Difference(key="severity", expected=each.severity, seen=incident.severity, why=why)
        if each.status is not None and each.status != incident.status:
            why = reasons.status(each.status, incident)
            yield Difference(key="status", expected=each.status, seen=incident.status, why=why)
        if each.reopened is not None and each.reopened != incident.reopened:
            yield Difference(key="reopened", expected=_times(each.reopened), seen=_times(incident.reopened))
        if each.level is not None and each.level != incident.level:
            seen = f"level {incident.level}" if incident.level else "nobody was asked"
            yield Difference(
                key="level", expected=f"level {each.level}", seen=seen, why=reasons.paging(incident)
            )

    def _attached(self, incident: Incident) -> Iterator[Difference]:
        wanted = self._each.attached_to
        root = None if incident.attached_to is None else self._stage.store.find(incident.attached_to)
        seen = NOTHING if root is None else root.service
        if wanted is not None and wanted != seen:
            why = self._reasons.attached(wanted, incident)
            yield Difference(key="attached_to", expected=wanted, seen=seen, why=why)

    def _remediation(self, incident: Incident) -> Iterator[Difference]:
        each, reasons = self._each, self._reasons
        if each.attempts is not None:
            tried = tuple(_attempts(self._stage.timeline(incident.id), incident))
            fits = len(each.attempts) == len(tried) and all(map(_fits, each.attempts, tried))
            if not fits:
                known = [
                    seen.number
                    for wanted, seen in zip(each.attempts, tried, strict=False)
                    if _fits(wanted, seen)
                ]
                wanted = [f"{one.runbook}: {one.outcome or 'whatever'}" for one in each.attempts]
                seen = [f"{one.runbook}: {one.outcome}" for one in tried]
                yield Difference(
                    key="attempts",
                    expected=_listed(wanted),
                    seen=_listed(seen),
                    why=reasons.attempts(incident, known),
                )
        if each.changes is not None:
            changes = self._stage.watch.changes.get(incident.id, [])
            if Counter(changes) != Counter(each.changes):
                yield Difference(
                    key="changes",
                    expected=_listed(each.changes),
                    seen=_listed(changes),
                    why=reasons.attempts(incident),
                )
        if each.blocked_by is not None:
            blocked = reasons.blocked(incident)
            missing = [guard for guard in each.blocked_by if guard not in blocked]
            if missing:
                yield Difference(
                    key="blocked_by",
                    expected=", ".join(each.blocked_by),
                    seen=", ".join(blocked) or "no guard blocked",
                    why=reasons.not_blocked(incident, missing),
                )

    def _said(self, incident: Incident) -> Iterator[Difference]:
        each, timeline = self._each, self._stage.timeline(incident.id)
        if each.raised_to is not None:
            raised = [e.data.get("severity") for e in timeline if e.kind is Kind.SEVERITY_RAISED]
            if each.raised_to not in raised:
                seen = f"raised to {raised[-1]}" if raised else f"{incident.severity}, never raised"
                yield Difference(
                    key="raised_to",
                    expected=each.raised_to,
                    seen=seen,
                    why=self._reasons.not_raised(each.raised_to, incident),
                )
        for text in each.timeline or ():
            if not any(text in said for entry in timeline for said in self._spellings(entry.text)):
                yield Difference(key="timeline", expected=f"“{text}”", seen="no such entry")

    def _spellings(self, text: str) -> tuple[str, ...]:
        """As the daemon says it, and as failures tell it."""
        return text, in_test_time(text, self._start)

    def _pages(self, expected: object) -> Iterator[Difference]:
        each = self._each
        own = {one.id for one in self._incidents}
        sent = [page for page in self._stage.pages if each.service is None or page.incident in own]
        counts = Counter(page.channel for page in sent)
        for channel, wanted in (each.pages or {}).items():
            if counts[channel] != wanted:
                yield Difference(
                    key="pages",
                    expected=f"{channel}: {wanted}",
                    seen=f"{channel}: {counts[channel]}",
                    why=self._reasons.pages(channel, wanted, sent, self._incidents, each.service),
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tried:
    """An attempt, and how it ended or that it runs."""

    number: int
    runbook: str
    outcome: str


def _attempts(timeline: Sequence[Entry], incident: Incident) -> Iterator[_Tried]:
    """All of them, in order: the incident itself keeps the last few alone."""
    begun = [entry.data for entry in timeline if entry.kind is Kind.ATTEMPT_STARTED]
    ended = {
        entry.data["attempt"]: str(entry.data["outcome"])
        for entry in timeline
        if entry.kind is Kind.ATTEMPT_ENDED
    }
    if incident.active is not None and incident.active.request is not None:
        ended[incident.active.number] = APPROVING
    for data in begun:
        number = data["attempt"]
        assert isinstance(number, int)
        yield _Tried(number=number, runbook=str(data["runbook"]), outcome=ended.get(number, RUNNING))


def _fits(wanted: ExpectedAttempt, seen: _Tried) -> bool:
    outcomes = (None, seen.outcome, RUNNING if seen.outcome == APPROVING else seen.outcome)
    return wanted.runbook == seen.runbook and wanted.outcome in outcomes


def _times(number: int) -> str:
    return {0: "never", 1: "once"}.get(number, f"{number} times")


def _listed(texts: object) -> str:
    assert isinstance(texts, list | tuple)
    return ", ".join(map(str, texts)) or "none"
