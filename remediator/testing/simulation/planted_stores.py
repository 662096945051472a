"""Bugs of how a replica uses its store: what is done in two calls, forgotten, or remembered for too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from remediator.core.alerts import Fingerprint, Lane
from remediator.core.incident import EffectId, IncidentId
from remediator.core.journal import Kind, TimerDue
from remediator.core.pauses import EVERYTHING, Pause, PauseScope
from remediator.core.store import Commit, CommitResult, Intent, Lease, Limit, LimitUse, Loaded
from remediator.core.times import Millis
from remediator.testing.memory_guards import Window
from remediator.testing.simulation.ports import WORKING_ON
from remediator.testing.simulation.recording import RecordingStore
from remediator.testing.simulation.replica import Gate, Replica

KEPT = 60.0
"""Seconds for which a firing alert is remembered that should have been looked for anew."""


class Behind:
    """The store as a replica reaches it, with whatever its class does otherwise."""

    def __init__(self, store: RecordingStore, replica: Replica) -> None:
        self._store, self._replica, self._gate = store, replica, Gate(replica, "store", store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)


class LooksThenTakes(Behind):
    """Checks its limits in one call and takes them in another."""

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


class GivesBackWhatWasSpent(Behind):
    """Gives limits back without looking whether anything was about to be changed under them."""

    async def refund(self, limits: Sequence[Limit], member: str, effect: EffectId, lease: Lease) -> None:
        """Whatever stands in the journal."""
        await self._gate.refund(limits, member, EffectId(f"{effect}/never"), lease)


class ForgetsPods(Behind):
    """Its journal does not say which pods a step was about to take away."""

    async def intended(self, effect: EffectId) -> Intent | None:
        """As if it had been a change of the workload."""
        intent: Intent | None = await self._gate.intended(effect)
        return None if intent is None else replace(intent, pods=frozenset())


class ForgetsPerformances(Behind):
    """Does not find what is never to be repeated: that stands in the journal under its performance."""

    async def intended(self, effect: EffectId) -> Intent | None:
        """As if it had not been begun."""
        intent: Intent | None = await self._gate.intended(effect)
        return None if "/acting/" in effect else intent


class ForgetsNamedPauses(Behind):
    """Knows of a pause only when everything is paused."""

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """As if no other scope had been asked for."""
        pauses: tuple[Pause, ...] = await self._gate.paused([s for s in scopes if s == EVERYTHING])
        return pauses


class RemembersFiring(Behind):
    """Takes an alert that fired a while ago for one that still does."""

    def __init__(self, store: RecordingStore, replica: Replica) -> None:
        super().__init__(store, replica)
        self._fired: dict[IncidentId, tuple[float, Loaded]] = {}

    async def load(self, incident: IncidentId | None, fingerprints: Sequence[Fingerprint]) -> Loaded:
        """As it is, but for what fires: that is what it was."""
        loaded: Loaded = await self._gate.load(incident, fingerprints)
        if incident is None or not WORKING_ON.get()[0] or loaded.incident is None:
            return loaded  # what is decided goes by what is
        now = self._replica.monotonic()
        if loaded.facts.firing:
            self._fired[incident] = now, loaded
            return loaded
        at, before = self._fired.get(incident, (-KEPT, loaded))
        if now - at >= KEPT or before.incident is None:
            return loaded
        rules = before.incident.firing_by_rule
        facts = replace(loaded.facts, firing=before.facts.firing)
        return replace(loaded, facts=facts, incident=loaded.incident.evolve(firing_by_rule=rules))


class PopsThenTells(Behind):
    """Takes due timers off in one call and enqueues their events in others."""

    async def fire_due(self, count: int) -> tuple[int, Millis | None]:
        """Two calls where one script was needed."""
        timers = self._store._timers  # noqa: SLF001  # the bug
        due = [(at, key) for key, at in timers.items() if at <= self._store.clock()][:count]
        for _, key in due:
            del timers[key]
        for at, (incident, name) in due:
            await self._gate.append(incident, TimerDue(name=name, due=at), Lane.URGENT)
        return await self._gate.fire_due(count)  # type: ignore[no-any-return]


class TellsNoDoubt(Behind):
    """Leaves off the timeline that the outcome of a step is unknown."""

    async def commit(self, commit: Commit) -> CommitResult:
        """Without those entries."""
        told = tuple(
            entry
            for entry in commit.decision.timeline
            if not (entry.kind is Kind.STEP and entry.data.get("result") == "unknown")
            and not (entry.kind is Kind.ATTEMPT_ENDED and entry.data.get("outcome") == "unknown")
        )
        decision = replace(commit.decision, timeline=told)
        return await self._gate.commit(replace(commit, decision=decision))  # type: ignore[no-any-return]


STORES: dict[str, Callable[[RecordingStore, Replica], Behind]] = {
    "limit-outside-the-script": LooksThenTakes,
    "spent-limits-given-back": GivesBackWhatWasSpent,
    "timer-popped-before-its-event": PopsThenTells,
    "pods-meant-anew": ForgetsPods,
    "once-done-again": ForgetsPerformances,
    "named-pauses-forgotten": ForgetsNamedPauses,
    "resolution-remembered": RemembersFiring,
    "doubt-untold": TellsNoDoubt,
}
