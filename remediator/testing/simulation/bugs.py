"""Bugs planted on purpose: a checker that finds none of them proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from remediator.core.alerts import Lane
from remediator.core.decide import decide
from remediator.core.errors import RemediatorError
from remediator.core.incident import EffectId
from remediator.core.journal import Page, PlanApproved, TimerDue
from remediator.core.pauses import EVERYTHING, Pause, PauseScope
from remediator.core.plugins import Channel, ChannelMessage
from remediator.core.policies import Policy
from remediator.core.store import Intent, Limit, LimitUse
from remediator.core.times import Millis
from remediator.journey import Journey
from remediator.routing import Batch
from remediator.testing.memory_guards import Window
from remediator.testing.simulation.recording import RecordingStore
from remediator.testing.simulation.replica import Gate, Replica

BUGS = (
    "acknowledge-before-commit",
    "page-before-commit",
    "lease-without-epoch",
    "limit-outside-the-script",
    "timer-popped-before-its-event",
    "pods-meant-anew",
    "raises-forgotten",
    "policy-of-birth",
    "named-pauses-forgotten",
    "agrees-to-anything",
)


def forget_raises(policy: Policy) -> Policy:
    """What a daemon goes by that never raises a severity by itself."""
    severities = {name: replace(severity, raises=()) for name, severity in policy.severities.items()}
    return replace(policy, severities=severities)


class AcknowledgesFirst(Journey):
    """Settles its deliveries, and only then commits what follows from them."""

    async def advance(self, batch: Batch) -> None:
        """As the real one, in the wrong order."""
        for delivery in batch.deliveries:
            await self.queues.settle(delivery, self.consumer)
        await super().advance(replace(batch, deliveries=()))


class AgreesToAnything(Journey):
    """Takes whatever a person agrees to for what was asked."""

    async def advance(self, batch: Batch) -> None:
        """As the real one, with every digest replaced by the one that is asked about."""
        incident = (await self.incidents.load(batch.incident, ())).incident
        request = incident.active.request if incident is not None and incident.active is not None else None
        if request is not None:
            digest = request.plan.digest
            events = tuple(
                replace(e, digest=digest) if isinstance(e, PlanApproved) else e for e in batch.events
            )
            batch = replace(batch, events=events)
        await super().advance(batch)


class PagesFirst(Journey):
    """Pages as soon as it has decided to, and only then commits the decision."""

    pager: Channel | None = None

    async def advance(self, batch: Batch) -> None:
        """As the real one, with a page sent too early."""
        loaded = await self.incidents.load(batch.incident, batch.fingerprints)
        rules = self.rules()
        decision = decide(loaded.incident, batch.events, loaded.facts, rules.policy, loaded.at)
        for message in decision.messages:
            if isinstance(message, Page) and decision.incident is not None:
                await self._send_early(message)
        await super().advance(batch)

    async def _send_early(self, page: Page) -> None:
        assert self.pager is not None
        early = ChannelMessage(
            kind=page.kind, dedup_key=page.dedup_key, summary="early", severity="error", source="bug"
        )
        try:
            await self.pager.send(early)
        except RemediatorError as error:
            self.observer.trouble("early page", error)


class LooksThenTakes:
    """The store of a replica that checks its limits in one call and takes them in another."""

    def __init__(self, store: RecordingStore, replica: Replica) -> None:
        self._store, self._replica, self._gate = store, replica, Gate(replica, "store", store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)

    async def use_limits(self, limits: Sequence[Limit], member: str, *, take: bool) -> list[LimitUse]:
        """Two calls where one script was needed."""

        async def take_blindly() -> None:
            for limit in limits:
                window = self._store._limits.setdefault(limit.name, Window())  # noqa: SLF001  # the bug
                window.take(member, self._store.clock())
            self._store.record_taken(limits, member)

        uses: list[LimitUse] = await self._gate.use_limits(limits, member, take=False)
        if take and not any(use.exceeded for use in uses):
            await self._replica.call("store", "use_limits", take_blindly)
        return uses


class ForgetsPods:
    """The store of a replica whose journal does not say which pods a step was about to take away."""

    def __init__(self, store: RecordingStore, replica: Replica) -> None:
        self._gate = Gate(replica, "store", store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)

    async def intended(self, effect: EffectId) -> Intent | None:
        """As if it had been a change of the workload."""
        intent: Intent | None = await self._gate.intended(effect)
        return None if intent is None else replace(intent, pods=frozenset())


class ForgetsNamedPauses:
    """The store of a replica that knows of a pause only when everything is paused."""

    def __init__(self, store: RecordingStore, replica: Replica) -> None:
        self._gate = Gate(replica, "store", store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """As if no other scope had been asked for."""
        pauses: tuple[Pause, ...] = await self._gate.paused([s for s in scopes if s == EVERYTHING])
        return pauses


class PopsThenTells:
    """The store of a replica that takes due timers off in one call and enqueues their events in others."""

    def __init__(self, store: RecordingStore, replica: Replica) -> None:
        self._store, self._gate = store, Gate(replica, "store", store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)

    async def fire_due(self, count: int) -> tuple[int, Millis | None]:
        """Two calls where one script was needed."""
        timers = self._store._timers  # noqa: SLF001  # the bug
        due = [(at, key) for key, at in timers.items() if at <= self._store.clock()][:count]
        for _, key in due:
            del timers[key]
        for at, (incident, name) in due:
            await self._gate.append(incident, TimerDue(name=name, due=at), Lane.URGENT)
        return await self._gate.fire_due(count)  # type: ignore[no-any-return]
