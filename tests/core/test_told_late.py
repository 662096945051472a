"""What a step changed is on the timeline: though somebody else reported first, though it was stopped then."""

from __future__ import annotations

from remediator.core.alerts import Lane, Notification
from remediator.core.classify import Classifier
from remediator.core.incident import IncidentId
from remediator.core.journal import Act, Acted, ActResult, Kind
from remediator.core.store import Queue
from remediator.core.times import Millis
from remediator.journey import Journey
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from tests.core.builders import NOW, alert, policy

DONE = "evict pod web-1 of deployment/web"


class Deployment:
    """A store with one incident whose first step waits to be performed, and the journey of a replica."""

    def __init__(self) -> None:
        self.store = MemoryStore(lambda: NOW)
        of = policy()
        self.journey = Journey(
            intake=self.store,
            queues=self.store,
            incidents=self.store,
            rules=lambda: Classifier(of),
            observer=Silent(),
            consumer="stopped",
        )

    async def open(self) -> None:
        """The alert arrives and is decided upon."""
        one = Notification(receiver="r", group_key="", external_url="", truncated=0, alerts=(alert(),))
        await self.journey.receive(one)
        await self.decide()

    async def decide(self) -> None:
        """Everything that has happened."""
        for delivery in await self.store.take([Queue.URGENT, Queue.NORMAL], "clerk", 100, Millis(0)):
            batches, _ = await self.journey.sort([delivery])
            for batch in batches:
                await self.journey.advance(batch)

    async def steps(self, incident: str) -> list[str]:
        """What its timeline tells of steps."""
        entries = await self.store.timeline(IncidentId(incident))
        return [entry.text for entry in entries if entry.kind is Kind.STEP]


def blocked(effect: Act) -> Acted:
    return Acted(effect=effect.id, result=ActResult.BLOCKED, reason="kill_switch: paused by ada")


async def test_what_a_stopped_process_changed_after_it_was_given_up_is_told() -> None:
    """Another has taken the step over, and was not let: that is not all there is to tell of it."""
    world = Deployment()
    await world.open()
    (delivery,) = await world.store.take([Queue.EFFECTS], "stopped", 1, Millis(0))

    async def perform(effect: Act) -> Acted:
        (again,) = await world.store.reclaim(Queue.EFFECTS, "heir", Millis(0), 1)
        follow_up = [(effect.incident, blocked(effect), Lane.URGENT)]
        assert await world.store.settle(again, "heir", follow_up)
        await world.decide()
        return Acted(effect=effect.id, result=ActResult.DONE, reason=DONE, changes=(DONE,))

    await world.journey.perform(delivery, perform)
    await world.decide()
    told = await world.steps(delivery.incident)
    assert told == ["restart: blocked: kill_switch: paused by ada", f"reported late: {DONE}"]


async def test_what_changed_nothing_and_comes_late_is_not_told() -> None:
    """Whoever took it over has told what there is to tell."""
    world = Deployment()
    await world.open()
    (delivery,) = await world.store.take([Queue.EFFECTS], "stopped", 1, Millis(0))

    async def perform(effect: Act) -> Acted:
        (again,) = await world.store.reclaim(Queue.EFFECTS, "heir", Millis(0), 1)
        assert await world.store.settle(again, "heir", [(effect.incident, blocked(effect), Lane.URGENT)])
        return blocked(effect)

    await world.journey.perform(delivery, perform)
    await world.decide()
    assert await world.steps(delivery.incident) == ["restart: blocked: kill_switch: paused by ada"]


async def test_what_was_done_before_a_step_was_stopped_is_told_with_it() -> None:
    """One of two pods is gone when the last look objects."""
    world = Deployment()
    await world.open()
    (delivery,) = await world.store.take([Queue.EFFECTS], "stopped", 1, Millis(0))

    async def perform(effect: Act) -> Acted:
        why = "stopped at the last look: kill_switch: paused by ada"
        return Acted(effect=effect.id, result=ActResult.BLOCKED, reason=why, changes=(DONE,))

    await world.journey.perform(delivery, perform)
    await world.decide()
    (told,) = await world.steps(delivery.incident)
    assert told.endswith(f"kill_switch: paused by ada; done before that: {DONE}")
