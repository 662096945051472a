"""A decision, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remediator.adapters.redis.base import Part
from remediator.adapters.redis.lua import Call
from remediator.core.alerts import Alert, Fingerprint
from remediator.core.breakers import MOST_FAILURES, Failure
from remediator.core.codec import alert_json, entry_json, evidence_text, incident_json, pack
from remediator.core.decision import DeadLetter, Decision
from remediator.core.evidence import KEPT
from remediator.core.incident import Incident, IncidentId, Status
from remediator.core.listing import listing
from remediator.core.policies import SEVERITIES
from remediator.core.store import ROW_AFTER, Commit, CommitResult, Queue
from remediator.core.storms import KEPT_OPENINGS, OPENINGS_FOR

KEPT_TIMELINE = 2_000


class CommitPart(Part):
    """``core.store.IncidentStore.commit``."""

    async def commit(self, commit: Commit) -> CommitResult:
        """As the Protocol says."""
        call = Call()
        self._write_keys(call, commit)
        self._write_checks(call, commit)
        call.arg(self._bounds.retention)
        self._write_dead(call, commit.decision)
        self._write_unmatched(call, commit.unmatched)
        self._write_trust(call, commit.decision)
        after = commit.decision.incident
        if after is not None:
            before = commit.before
            same = before is not None and before.id == after.id
            version = before.version + 1 if same and before is not None else 1
            self._write_incident(call, replace(after, version=version))
            self._write_about(call, before, after)
            self._write_rest(call, commit.decision)
            self._write_counts(call, commit.decision)
        elif commit.before is not None:
            call.each(commit.decision.cancel, call.arg)
        reply = await self._run_durably("commit", call)
        return CommitResult(reply.decode())

    def _write_keys(self, call: Call, commit: Commit) -> None:
        keys = self._keys
        before, after = commit.before, commit.decision.incident
        some = after or before
        call.key(keys.dead, keys.queue(Queue.EFFECTS), keys.queue(Queue.OUTBOX), keys.timers)
        call.key(keys.index, keys.ends, keys.calm)
        call.key(keys.unused if some is None else keys.group(some.group))
        for incident in (before, after):
            call.key(*keys.incident(incident.id if incident is not None else IncidentId("")))
        call.each(SEVERITIES, lambda severity: call.key(keys.open[severity]))
        call.each(Queue, lambda queue: call.key(keys.queue(queue), keys.tries(queue)))
        call.key(*keys.unmatched, keys.trust, *keys.lowered)
        call.key(keys.openings, keys.breakers, keys.queue(Queue.NOTICES))

    def _write_checks(self, call: Call, commit: Commit) -> None:
        before, after = commit.before, commit.decision.incident
        call.arg(before.id if before else "", before.version if before else 0, after.id if after else "")

        def write(fingerprint: Fingerprint) -> None:
            call.key(self._keys.episode(fingerprint))
            call.arg(1 if fingerprint in commit.facts.over else 0)

        call.each(commit.fingerprints, write)
        order = list(Queue)
        call.each(commit.settles, lambda one: call.arg(order.index(one.queue) + 1, one.id))
        standing = commit.relies_on
        call.arg("" if standing is None else standing.rule, 0 if standing is None else standing.in_a_row)

    def _write_dead(self, call: Call, decision: Decision) -> None:
        def write(letter: DeadLetter) -> None:
            call.arg(letter.queue, letter.reason, letter.payload, letter.tries)

        call.each(decision.dead, write)

    def _write_unmatched(self, call: Call, alerts: Sequence[Alert]) -> None:
        def write(alert: Alert) -> None:
            call.key(self._keys.episode(alert.fingerprint))
            call.arg(alert_json(alert))

        call.each(alerts, write)

    def _write_trust(self, call: Call, decision: Decision) -> None:
        call.each(decision.marks, lambda mark: call.arg(*mark, ROW_AFTER.get(mark[1], "")))
        lowering = decision.lowering
        call.arg("" if lowering is None else lowering.rule)
        if lowering is not None:
            call.arg(lowering.at, lowering.why)

    def _write_incident(self, call: Call, after: Incident) -> None:
        counted = after.status not in (Status.HELD, Status.RESOLVED) and after.severity in SEVERITIES
        call.arg(1 if after.resolved else 0, KEPT_TIMELINE, KEPT)
        call.arg(incident_json(after), after.version, after.status, after.severity, after.service)
        call.arg(after.opened_at, 0 if after.status is Status.HELD else 1)
        call.arg(SEVERITIES.index(after.severity) + 1 if counted else 0, 1 if after.urgent else 0)
        call.arg("" if after.active is None else after.active.rule)

    def _write_about(self, call: Call, before: Incident | None, after: Incident) -> None:
        gone, there = listing(before, after)

        def list_it(name: str) -> None:
            call.key(self._keys.about(name))
            call.arg(there[name])

        call.each(gone, lambda name: call.key(self._keys.about(name)))
        call.each(there, list_it)

    def _write_rest(self, call: Call, decision: Decision) -> None:
        def join(alert: Alert) -> None:
            call.key(self._keys.episode(alert.fingerprint))
            call.arg(alert.fingerprint, alert.starts_at)

        call.each(decision.join, join)
        call.each(decision.leave, call.arg)
        call.each(decision.timeline, lambda entry: call.arg(entry_json(entry)))
        call.each(decision.evidence, lambda kept: call.arg(evidence_text(kept)))
        call.each(decision.effects, lambda effect: call.arg(*pack(effect)))
        call.each(decision.messages, lambda message: call.arg(*pack(message)))
        call.each(decision.cancel, call.arg)
        call.each(decision.arm.items(), lambda timer: call.arg(*timer))

    def _write_counts(self, call: Call, decision: Decision) -> None:
        def count(failure: Failure) -> None:
            call.key(self._keys.failures(failure.runbook), self._keys.breaker(failure.runbook))
            call.arg(failure.runbook, failure.member, failure.bound.failures, failure.bound.within)
            call.each(failure.notices, lambda notice: call.arg(*pack(notice)))

        call.arg(KEPT_OPENINGS, OPENINGS_FOR)
        call.each(decision.opened, call.arg)
        call.arg(MOST_FAILURES)
        call.each(decision.failures, count)
