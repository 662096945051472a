"""The timeline, counted: what happened to incidents, attempts and people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from remediator.core.incident import Incident, Outcome
from remediator.core.journal import Entry, Kind, PageKind, PageResult
from remediator.core.policies import Policy, Severity
from remediator.core.times import SECOND
from remediator.telemetry.build import Builder
from remediator.telemetry.table import outcomes
from remediator.telemetry.table.labels import OTHER

if TYPE_CHECKING:
    from prometheus_client import Counter


class Told:
    """Counts timeline entries. ``service`` and ``rule`` are those of the policy, or ``other``."""

    def __init__(self, build: Builder) -> None:
        self.incidents = build.counter(outcomes.INCIDENTS)
        self.resolved = build.counter(outcomes.INCIDENTS_RESOLVED)
        self.reopened = build.counter(outcomes.INCIDENTS_REOPENED)
        self.attempts = build.counter(outcomes.ATTEMPTS)
        self.undone = build.counter(outcomes.UNDONES)
        self.attempt_duration = build.histogram(outcomes.ATTEMPT_DURATION)
        self.steps = build.counter(outcomes.STEPS)
        self.pages = build.counter(outcomes.PAGES)
        self.pages_avoided = build.counter(outcomes.PAGES_AVOIDED)
        self.escalations = build.counter(outcomes.ESCALATIONS)
        self.response = build.histogram(outcomes.RESPONSE)
        self.breaches = build.counter(outcomes.BREACHES)
        self.severity_raised = build.counter(outcomes.RAISED)
        self.approvals = build.counter(outcomes.APPROVALS)
        self.attached = build.counter(outcomes.ATTACHED)
        self.located = build.counter(outcomes.LOCATED)

    def told(self, incident: Incident, entries: Sequence[Entry], policy: Policy) -> None:
        """Count what the timeline tells of. ``incident``: as it is after that."""
        promised = policy.severities.get(incident.severity)
        for entry in entries:
            self._tell(incident, entry, policy)
            if promised is not None:
                self._count_breach(entry, promised)
        paged = {e.data["level"] for e in entries if e.kind is Kind.PAGE and "level" in e.data}
        for level in paged:
            self.escalations.labels(str(level)).inc()

    def _tell(self, incident: Incident, entry: Entry, policy: Policy) -> None:
        data, severity = entry.data, incident.severity
        match entry.kind:
            case Kind.OPENED:
                self.incidents.labels(severity).inc()
                self._phase(severity, "detect", data["detected_after"])
                foretell(self.resolved, (severity, _service(incident, policy)), outcomes.ENDINGS)
                foretell(self.reopened, (_service(incident, policy),), (_rule(incident, policy),))
            case Kind.REOPENED:
                self.reopened.labels(_service(incident, policy), _rule(incident, policy)).inc()
            case Kind.ATTEMPT_STARTED:
                on = (str(data["runbook"]), _service(incident, policy))
                foretell(self.attempts, on, tuple(Outcome))
                foretell(self.undone, on, outcomes.UNDONE)
            case Kind.ATTEMPT_ENDED:
                self._attempt_ended(incident, entry, _service(incident, policy))
            case Kind.STEP if "action" in data:
                self.steps.labels(str(data["action"]), str(data["result"])).inc()
            case Kind.RESOLVED:
                self._resolved(incident, entry, _service(incident, policy))
            case Kind.ACKNOWLEDGED if "took" in data:
                self._phase(severity, "acknowledge", data["took"])
            case Kind.PAGE if "channel" in data:
                foretell(self.pages, (str(data["channel"]),), tuple(PageResult))
            case Kind.PAGE_DELIVERY if data["message"] == PageKind.TRIGGER:
                self.pages.labels(str(data["channel"]), str(data["outcome"])).inc()
            case _:
                self._tell_on_the_way(entry, policy)

    def _tell_on_the_way(self, entry: Entry, policy: Policy) -> None:
        data = entry.data
        match entry.kind:
            case Kind.APPROVAL if "outcome" in data:
                self.approvals.labels(str(data["outcome"])).inc()
            case Kind.LOCATED:
                self.located.labels("found" if data["found"] else "none").inc()
            case Kind.ATTACHED:
                root = str(data["root"])
                self.attached.labels(root if root in policy.services else OTHER).inc()
            case Kind.SEVERITY_RAISED:
                self.severity_raised.labels(str(data["from"]), str(data["severity"])).inc()
            case _:
                pass  # counted elsewhere, or of interest to readers alone

    def _attempt_ended(self, incident: Incident, entry: Entry, service: str) -> None:
        data = entry.data
        runbook, outcome = str(data["runbook"]), str(data["outcome"])
        self.attempts.labels(runbook, service, outcome).inc()
        self.attempt_duration.labels(runbook).observe(_seconds(data["took"]))
        if outcome == Outcome.VERIFIED:
            self._phase(incident.severity, "mitigate", entry.at - incident.open_since)
        number = data.get("attempt")
        attempt = next((one for one in incident.attempts if one.number == number), None)
        if attempt is not None and attempt.undoing is not None:
            self.undone.labels(runbook, service, "left" if attempt.undoing.left else "undone").inc()

    def _resolved(self, incident: Incident, entry: Entry, service: str) -> None:
        severity, paged = incident.severity, bool(entry.data["paged"])
        self._phase(severity, "resolve", entry.data["took"])
        how = "paged" if paged else "verified" if incident.verified_at is not None else "alone"
        self.resolved.labels(severity, service, how).inc()
        if how == "verified":
            self.pages_avoided.labels(severity).inc()

    def _count_breach(self, entry: Entry, promised: Severity) -> None:
        """A promise that was kept too late is counted when it was kept."""
        phases = {Kind.ACKNOWLEDGED: "acknowledge", Kind.RESOLVED: "resolve"}
        phase = phases.get(entry.kind)
        bound, took = promised.promise(phase) if phase else None, entry.data.get("took")
        if phase is not None and bound is not None and isinstance(took, int | float) and took > bound:
            self.breaches.labels(promised.name, phase).inc()

    def _phase(self, severity: str, phase: str, took: object) -> None:
        self.response.labels(severity, phase).observe(_seconds(took))


def _service(incident: Incident, policy: Policy) -> str:
    return incident.service if incident.service in policy.services else OTHER


def _rule(incident: Incident, policy: Policy) -> str:
    return incident.rule if policy.rule(incident.rule) is not None else OTHER


def foretell(counter: Counter, first: tuple[str, ...], last: Sequence[str]) -> None:
    """Series that may count soon are there before they do, so that their first event shows as an increase."""
    for value in last:
        counter.labels(*first, value)


def _seconds(took: object) -> float:
    """Seconds of milliseconds that a timeline entry carries."""
    return took / SECOND if isinstance(took, int | float) else 0.0
