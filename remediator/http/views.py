"""What the API shows: core values as plain data for JSON. Times are RFC 3339, durations are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remediator.core.alerts import Alert
from remediator.core.breakers import Breaker
from remediator.core.evidence import Evidence
from remediator.core.incident import Attempt, Incident, Isolation, PageState
from remediator.core.journal import Entry
from remediator.core.pauses import EVERYTHING, Pause, PauseScope
from remediator.core.store import Buried
from remediator.core.text import plain
from remediator.core.times import format_instant
from remediator.core.undone import Undoing

Data = dict[str, Any]


def show_incident(incident: Incident) -> Data:
    """An incident. ``alerts``: how many of its alerts fire now; ``alerts_total``: how many ever did."""
    return {
        "id": incident.id,
        "service": incident.service,
        "severity": incident.severity,
        "status": incident.status.value,
        "rule": incident.rule,
        "title": incident.title,
        "opened_at": format_instant(incident.opened_at),
        "resolved_at": _time(incident.resolved_at),
        "alerts": incident.alerts,
        "alerts_total": incident.alerts_total,
        "attempts": [_attempt(attempt) for attempt in incident.attempts],
        "pages": [_page(page) for page in incident.pages],
        "isolated": [_isolation(isolation) for isolation in incident.isolations],
        "grouped_by": dict(incident.grouped_by),
        "reopened": incident.reopened,
        "attached_to": incident.attached_to,
        "target": _target(incident),
        "level": incident.level,
        "page_deadline_at": _time(incident.deadline_at),
        "raise_at": _time(incident.raise_at),
        "verified_at": _time(incident.verified_at),
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_at": _time(incident.acknowledged_at),
        "links": dict(incident.links),
        "policy": incident.policy,
    }


def _target(incident: Incident) -> Data | None:
    aim = incident.aim
    if aim is None:
        return None
    owner = aim.owner.path if aim.owner is not None else None
    return {"named": aim.told, "workload": owner, "uid": aim.uid or None, "trouble": aim.trouble or None}


def _attempt(attempt: Attempt) -> Data:
    undoing = attempt.undoing if attempt.undoing is not None else Undoing(why="")
    return {
        "number": attempt.number,
        "runbook": attempt.runbook.name,
        "rule": attempt.rule,
        "phase": attempt.phase.value,
        "outcome": attempt.outcome.value if attempt.outcome is not None else None,
        "reason": attempt.reason,
        "started_at": format_instant(attempt.started_at),
        "ended_at": _time(attempt.ended_at),
        "findings": list(attempt.findings),
        "changes": list(attempt.changes),
        "undone": list(undoing.undone),
        "not_undone": list(undoing.kept),
        "left_in_place": list(undoing.left),
        "asks": _asks(attempt),
        "approved_by": attempt.approved.by if attempt.approved is not None else None,
        "approved_at": _time(attempt.approved.at if attempt.approved is not None else None),
    }


def _asks(attempt: Attempt) -> Data | None:
    """What people are asked to agree to now."""
    request = attempt.request
    if request is None:
        return None
    return {
        "digest": request.plan.digest,
        "plan": list(request.plan.lines),
        "by": list(request.by),
        "asked_at": format_instant(request.asked_at),
        "until": format_instant(request.until),
    }


def _isolation(isolation: Isolation) -> Data:
    return {"workload": isolation.target, "until": _time(isolation.until)}


def _page(page: PageState) -> Data:
    return {
        "channel": page.channel,
        "level": page.level,
        "reason": page.reason,
        "queued_at": format_instant(page.queued_at),
        "trigger": page.trigger.value,
        "resolve": page.resolve.value if page.resolve is not None else None,
        "accepted_at": _time(page.accepted_at),
        "asks": bool(page.asks),
    }


def show_entry(entry: Entry) -> Data:
    """A line of a timeline."""
    return {
        "at": format_instant(entry.at),
        "kind": entry.kind.value,
        "text": entry.text,
        "data": dict(entry.data),
    }


def show_evidence(evidence: Evidence) -> Data:
    """What one attempt kept before it changed anything."""
    return {
        "attempt": evidence.attempt,
        "at": format_instant(evidence.at),
        "pieces": [
            {
                "source": piece.source,
                "about": piece.about,
                "trouble": piece.trouble or None,
                "lines": list(piece.lines),
            }
            for piece in evidence.pieces
        ],
    }


def show_breaker(breaker: Breaker) -> Data:
    """A breaker. ``within``: milliseconds, in which so many attempts failed."""
    return {
        "runbook": breaker.runbook,
        "open": breaker.open,
        "opened_at": format_instant(breaker.opened_at),
        "failures": breaker.failures,
        "within": breaker.within,
        "by_attempt": breaker.by_attempt,
        "closed_at": _time(breaker.closed_at),
        "closed_by": breaker.closed_by or None,
        "note": breaker.note,
    }


def show_pauses(pauses: Sequence[Pause]) -> Data:
    """The kill switch: whether all changes are paused, and every pause in force, this one included."""
    whole = next((_pause(pause) for pause in pauses if pause.scope == EVERYTHING), None)
    members = ("reason", "by", "since", "until")
    return {
        "paused": whole is not None,
        **{member: whole[member] if whole is not None else None for member in members},
        "pauses": [{"scope": _scope(pause.scope), **_pause(pause)} for pause in pauses],
    }


def _pause(pause: Pause) -> Data:
    return {
        "reason": pause.reason,
        "by": pause.by,
        "since": format_instant(pause.since),
        "until": _time(pause.until),
    }


def _scope(scope: PauseScope) -> Data | None:
    """As it is sent: all changes have none."""
    return None if scope == EVERYTHING else {scope.kind.value: scope.name}


def show_dead_letter(buried: Buried) -> Data:
    """A dead letter, with what it held."""
    letter = buried.letter
    return {
        "id": buried.id,
        "at": format_instant(buried.at),
        "queue": letter.queue,
        "reason": letter.reason,
        "tries": letter.tries,
        "payload": letter.payload,
    }


def show_alert(alert: Alert, rule: str) -> Data:
    """An alert that no rule matched, and a rule to begin with."""
    return {
        "fingerprint": alert.fingerprint,
        "labels": _plain(alert.labels),
        "annotations": _plain(alert.annotations),
        "starts_at": alert.starts_at,
        "rule": rule,
    }


def _plain(texts: Mapping[str, str]) -> Data:
    return {plain(name, 200): plain(value, 1000) for name, value in texts.items()}


def _time(at: int | None) -> str | None:
    return None if at is None else format_instant(at)
