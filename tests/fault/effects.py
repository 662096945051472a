"""Every action on its real adapter, performed by replicas of the whole journey, each of which can be killed.

The replicas share nothing but the store and the world.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from remediator.adapters.kubernetes import Limits
from remediator.core.alerts import AlertStatus, Notification
from remediator.core.classify import Classifier
from remediator.core.incident import Attempt, Incident
from remediator.core.journal import Entry, Kind, PageKind
from remediator.core.plugins import ChannelMessage
from remediator.core.policies import Check, Policy
from remediator.core.ports import Runtime
from remediator.core.store import IncidentFilter, IncidentStore, IntakeStore, Limit, Queue, QueueStore
from remediator.core.times import SECOND, Instant, Millis
from remediator.journey import Journey
from remediator.testing.apiserver import Fault, FaultKind
from remediator.testing.simulation.world import Silent
from remediator.workers.courier import Courier
from remediator.workers.runner import Runner
from tests.core.builders import alert, stamp
from tests.fault.effect_scenes import Scene, Struck
from tests.fault.step_stage import LEASE, Fuse, Killed

PATIENT = Limits(connect=5.0, request=5.0, operation=10.0, probe=5.0, backoff=0.01)
"""Whatever is slow here is a busy machine."""
NO_LABELS: Mapping[str, str] = {}
IDLE = LEASE
"""After so long nobody works on a delivery any more: another replica takes it over."""


@dataclass(kw_only=True)
class Home:
    """A world in which replicas live, die and succeed each other."""

    scene: Scene
    struck: Struck
    rules: Classifier
    pages: list[ChannelMessage] = field(default_factory=list)
    observer: Silent = field(default_factory=Silent)
    replicas: int = 0

    @property
    def count(self) -> int:
        """How often the step took effect."""
        return self.struck.count()

    def strike(self, kind: FaultKind, **more: int) -> None:
        """The next request by which it takes effect fares so."""
        method, path = self.scene.request
        self.struck.faults(Fault(kind=kind, method=method or None, path_regex=path, **more))  # type: ignore[arg-type]  # by name

    @property
    def pending(self) -> bool:
        """Whether what was to fail has not failed yet."""
        return bool(self.struck.stage.server.faults.pending() or self.struck.lost)

    @property
    def asked(self) -> list[ChannelMessage]:
        """What people were told that needs them."""
        return [page for page in self.pages if page.kind is PageKind.TRIGGER]

    def pass_by(self) -> None:
        """So much time passes that nobody holds anything any more."""
        life = self.struck.stage.life
        life.at = Instant(life.at + 2 * LEASE)

    async def send(self, message: ChannelMessage) -> str:
        """The channel."""
        self.pages.append(message)
        return "taken"

    async def alert(
        self, status: AlertStatus = AlertStatus.FIRING, *, labels: Mapping[str, str] = NO_LABELS
    ) -> None:
        """Alertmanager tells of it."""
        over = stamp(9) if status is AlertStatus.RESOLVED else None
        one = replace(alert("aa", status), ends_at=over)
        one = replace(one, labels={**labels, **one.labels})
        envelope = Notification(receiver="r", group_key="g", external_url="", truncated=0, alerts=(one,))
        await self._journey(Fuse(), "door").receive(envelope)

    def _journey(self, fuse: Fuse, name: str) -> Journey:
        store = fuse.wrap(self.struck.stage.store)
        return Journey(
            intake=cast(IntakeStore, store),
            queues=cast(QueueStore, store),
            incidents=cast(IncidentStore, store),
            rules=lambda: self.rules,
            observer=self.observer,
            consumer=name,
        )

    async def live(self, fuse: Fuse | None = None, *, ends: bool = True) -> bool:
        """A new replica works until nothing is left to do. False: it was killed, and is idle long enough.

        ``ends``: time passes as timers need it, until the attempt is over.
        """
        self.replicas += 1
        try:
            await Living(self, fuse or Fuse(), f"replica-{self.replicas}").work(ends=ends)
        except Killed:
            self.pass_by()
            await self.struck.stage.server.settled()
            return False
        return True

    async def incident(self) -> Incident:
        """The only one."""
        [found] = (await self.struck.stage.store.incidents(IncidentFilter(), 10, None)).items
        return found

    async def attempt(self) -> Attempt:
        """The only one."""
        [found] = (await self.incident()).attempts
        return found

    async def told(self, kind: Kind) -> list[str]:
        """What the timeline tells of that kind."""
        entries: list[Entry] = list(await self.struck.stage.store.timeline((await self.incident()).id))
        return [entry.text for entry in entries if entry.kind is kind]

    async def used(self) -> int:
        """How many changes the limit of the whole cluster has counted."""
        limit = Limit(
            name="rate/cluster", rate=self.struck.stage.life.policy.guards.rate.cluster, text="changes"
        )
        [use] = await self.struck.stage.store.use_limits([limit], "somebody else", take=False)
        return use.used


class Living:
    """One replica, from its start to its end."""

    def __init__(self, home: Home, fuse: Fuse, name: str) -> None:
        stage = home.struck.stage
        self._home, self._name, self._store = home, name, fuse.wrap(stage.store)
        self._journey = home._journey(fuse, name)
        means = replace(stage.means(fuse), incidents=cast(IncidentStore, self._store), replica=name)
        self._runner = Runner(means)
        self._courier = Courier(
            incidents=cast(IncidentStore, self._store),
            policy=lambda: stage.life.policy,
            channel=lambda spec: home,
            runtime=cast(Runtime, None),  # for retries of notices alone, and none is made here
        )

    async def work(self, *, ends: bool) -> None:
        """Until nothing is left to do."""
        for _ in range(400):
            if await self._round():
                continue
            if not ends or (await self._home.attempt()).outcome is not None:
                return
            await self._home.struck.stage.server.settled()
            await self._pass_time()
        raise AssertionError("it never comes to an end")

    async def _pass_time(self) -> None:
        """As far as the next timer; and nobody who is dead holds anything by then."""
        life, due = self._home.struck.stage.life, self._home.struck.stage.store.next_timer()
        assert due is not None, "nothing is waited for, and the attempt is not over"
        life.at = max(life.at, due[0])
        await self._store.fire_due(100)

    async def _round(self) -> bool:
        """Whether there was anything to do."""
        store, journey, name = self._store, self._journey, self._name
        events = [
            *await store.take([Queue.URGENT, Queue.NORMAL], name, 100, Millis(0)),
            *await store.reclaim(Queue.URGENT, name, IDLE, 100),
            *await store.reclaim(Queue.NORMAL, name, IDLE, 100),
        ]
        batches, unreadable = await journey.sort(events)
        assert not unreadable
        for batch in batches:
            await journey.advance(batch)
        did = bool(events)
        for queue, performer in (
            (Queue.EFFECTS, self._runner.perform),
            (Queue.OUTBOX, self._courier.deliver),
        ):
            mine = await store.take([queue], name, 100, Millis(0))
            for delivery in [*mine, *await store.reclaim(queue, name, IDLE, 100)]:
                did = True
                await journey.perform(delivery, cast(Callable[[object], Awaitable[None]], performer))
        return did


@asynccontextmanager
async def at_home(
    directory: Path,
    scene: Scene,
    *,
    limits: Limits = PATIENT,
    undo: bool = False,
    labels: Mapping[str, str] = NO_LABELS,
) -> AsyncIterator[Home]:
    """The service is broken, its alert is known, with these labels too, and nobody has done anything yet."""
    async with scene.opening(directory, scene.step, limits) as struck:
        life = struck.stage.life
        life.policy = hurried(life.policy, undo=undo)
        home = Home(scene=scene, struck=struck, rules=Classifier(life.policy))
        await home.alert(labels=labels)
        yield home
        assert home.observer.troubles == []


def hurried(of: Policy, *, undo: bool) -> Policy:
    """Verified within three seconds, so that what is broken is found out soon."""
    quick = (Check(check="ready", stable=Millis(2 * SECOND), within=Millis(3 * SECOND)),)
    books = {name: replace(book, verify=quick, undo=undo) for name, book in of.runbooks.items()}
    return replace(of, runbooks=books)
