"""The in-memory store, with everything it takes written into the history."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remediator.core.incident import EffectId, Incident, Outcome
from remediator.core.journal import Kind, Page
from remediator.core.objects import Anchor
from remediator.core.pauses import EVERYTHING, Pause, PauseScope
from remediator.core.store import Commit, CommitResult, Lease, Limit, LimitUse
from remediator.core.times import Instant, Millis
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.history import (
    Began,
    Committed,
    Granted,
    History,
    Intended,
    LimitsRefunded,
    LimitsTaken,
    Paused,
    Verified,
)
from remediator.testing.simulation.machines import Machine


class RecordingStore(MemoryStore):
    """One store for all replicas. ``machine_of`` answers the workload of a service."""

    def __init__(
        self, clock: Callable[[], int], history: History, machine_of: Callable[[str], Machine | None]
    ) -> None:
        super().__init__(clock)
        self._history, self._machine_of = history, machine_of
        self._begun: set[str] = set()

    async def commit(self, commit: Commit) -> CommitResult:
        """Recorded when it is taken, whether or not the answer arrives."""
        result = await super().commit(commit)
        after = commit.decision.incident
        if result is CommitResult.COMMITTED and after is not None:
            ended = tuple(
                (int(entry.data["attempt"] or 0), Outcome(str(entry.data["outcome"])))
                for entry in commit.decision.timeline
                if entry.kind is Kind.ATTEMPT_ENDED
            )
            self._history.add(
                Committed(
                    incident=after.id,
                    service=after.service,
                    severity=after.severity,
                    attached=after.attached_to is not None,
                    status=after.status,
                    reopened=after.reopened,
                    firing=after.alerts,
                    joined=tuple(alert.fingerprint for alert in commit.decision.join),
                    queued_pages=tuple(
                        (m.dedup_key, m.kind) for m in commit.decision.messages if isinstance(m, Page)
                    ),
                    notices=tuple(each.id for one in commit.decision.failures for each in one.notices),
                    ended=ended,
                    at=self._history.now(),
                )
            )
            self._note_attempt(after)
            if any(outcome is Outcome.VERIFIED for _, outcome in ended):
                machine, now = self._machine_of(after.service), self._history.now()
                if machine is not None:
                    self._history.add(
                        Verified(
                            incident=after.id,
                            target=machine.ref.path,
                            healthy=machine.healthy(now),
                            broke_at=machine.broke_at,
                            at=now,
                        )
                    )
        return result

    def _note_attempt(self, after: Incident) -> None:
        attempt = after.active
        name = f"{after.id}/{attempt.number}" if attempt is not None else ""
        if attempt is None or name in self._begun:
            return
        self._begun.add(name)
        terms = attempt.runbook.approval
        self._history.add(
            Began(
                attempt=name,
                incident=after.id,
                service=after.service,
                rule=attempt.rule,
                runbook=attempt.runbook.name,
                steps=tuple(step.action for step in attempt.runbook.steps),
                asks_for=terms.asked_for if terms is not None else (),
                at=self._history.now(),
            )
        )

    async def acquire(self, target: str, owner: str, ttl: Millis) -> Lease | str:
        """Recorded when it is given."""
        lease = await super().acquire(target, owner, ttl)
        if isinstance(lease, Lease):
            replica = owner.partition("/")[0]
            self._history.add(Granted(replica=replica, epoch=lease.epoch, at=self._history.now()))
        return lease

    async def use_limits(self, limits: Sequence[Limit], member: str, *, take: bool) -> list[LimitUse]:
        """Recorded when taken."""
        uses = await super().use_limits(limits, member, take=take)
        if take and not any(use.exceeded for use in uses):
            self.record_taken(limits, member)
        return uses

    def record_taken(self, limits: Sequence[Limit], member: str) -> None:
        """The limits are spent."""
        told = tuple((limit.name, limit.rate.count, limit.rate.per) for limit in limits)
        clock = self.clock() / 1000
        self._history.add(LimitsTaken(member=member, limits=told, at=self._history.now(), clock=clock))

    async def refund(self, limits: Sequence[Limit], member: str, effect: EffectId, lease: Lease) -> None:
        """Recorded."""
        if effect in self._intents or not self._holds(lease):
            return
        await super().refund(limits, member, effect, lease)
        self._history.add(LimitsRefunded(member=member, at=self._history.now()))

    async def intend(
        self,
        effect: EffectId,
        lease: Lease,
        before: str,
        pods: frozenset[str] = frozenset(),
        on: Anchor | None = None,
        planned: str = "",
    ) -> bool:
        """Recorded when it is taken."""
        taken = await super().intend(effect, lease, before, pods, on, planned)
        if taken:
            self._history.add(Intended(effect=effect, pods=pods, at=self._history.now()))
        return taken

    async def pause(
        self, reason: str, by: str, until: Instant | None, scope: PauseScope = EVERYTHING
    ) -> Pause:
        """Recorded."""
        self._history.add(Paused(on=True, scope=scope, at=self._history.now()))
        return await super().pause(reason, by, until, scope)

    async def resume(self, scope: PauseScope = EVERYTHING) -> Pause | None:
        """Recorded."""
        self._history.add(Paused(on=False, scope=scope, at=self._history.now()))
        return await super().resume(scope)
