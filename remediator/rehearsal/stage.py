"""The stage: the daemon's own journey and crew on a virtual clock, moved on by events alone.

What polls in the daemon (consumers, timekeeper, supervisor) is replaced by one pump: what waits in the
streams is worked off; then the clock goes to the next timer, the next scripted moment, or the end of a step
that takes time. Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Self, TypeVar

from remediator.core.alerts import Alert, Lane, Notification, Rejected
from remediator.core.classify import Classifier
from remediator.core.codec import Recorded
from remediator.core.incident import Incident, IncidentId, Status
from remediator.core.journal import Act, Effect, Entry, Undo, Weigh
from remediator.core.policies import Mode, Policy
from remediator.core.store import CHUNK, Delivered, Queue
from remediator.core.times import Instant, Millis
from remediator.rehearsal.jumping import ATTACH, POLL
from remediator.rehearsal.keeping import EVENTS, WORK, StageStore
from remediator.rehearsal.runtime import StageRuntime
from remediator.rehearsal.silencing import silences
from remediator.rehearsal.watching import EFFECT, Judged, PageSent, Watch, WatchedJourney, Watcher
from remediator.rehearsal.world import Working, World
from remediator.testing.virtual import VirtualLoop
from remediator.workers.crew import Crew, Ports

T = TypeVar("T")
START = Instant(1_767_600_000_000)
"""Monday, 2026-01-05T08:00:00Z: when a rehearsal begins unless it is told otherwise."""
REPLICA = "rehearsal"
NOW = Millis(0)
_CREW = {Queue.OUTBOX: "courier", Queue.EFFECTS: "runner", Queue.NOTICES: "notices"}

Deed = Callable[["Stage"], Awaitable[object] | None]
"""Something that a script lets happen at a moment."""


class Stage:
    """One rehearsal of one policy. Close it, or use it as a context manager.

    ``at`` is milliseconds since the epoch everywhere; the clock begins at ``start_at``.
    """

    def __init__(
        self,
        rules: Policy | Classifier,
        world: World | None = None,
        *,
        start_at: Instant = START,
        ceiling: Mode = Mode.AUTO,
        watchers: Sequence[Watcher] = (),
        jumps: bool = True,
        store: Callable[[Callable[[], int]], StageStore] = StageStore,
    ) -> None:
        classifier = rules if isinstance(rules, Classifier) else Classifier(rules)
        self.rules, self.policy = classifier, classifier.policy
        self.world = world if world is not None else World()
        self._start, self._jumps = start_at, jumps
        self._loop = VirtualLoop()
        self.store = store(self.now)
        self._watch = Watch(watchers)
        self._watch.now = self.now
        self._script: list[tuple[Instant, int, Deed]] = []
        self._sleepers: list[tuple[Instant, int, asyncio.Future[None]]] = []
        self._told = 0
        self._running: set[asyncio.Task[None]] = set()
        if silences(self.policy):
            self.world.be_silenced()
        services = self.policy.services.values()
        self.world.workloads = [each.workload for each in services if each.workload is not None]
        self.world.now, self.world.working, self.world.sleep = self.now, self._working, self.sleep
        self._crew = Crew(
            Ports(
                store=self.store,
                intake=self.store,
                runtime=StageRuntime(self._loop, self.sleep),
                observer=self._watch,
                rules=lambda: classifier,
                channel=self.world.channel,
                reader=self.world.reader,
                executor=self.world.executor,
                ceiling=ceiling,
                replica=REPLICA,
                metrics=self.world.metrics,
                alertmanagers=self.world.alertmanager,
                http=self.world.http,
                programs=self.world.programs,
                sender=self.world.sender,
                silencer=self.world.silencer,
                checks=self.world.checks,
                diagnoses=self.world.diagnoses,
            ),
            journey=WatchedJourney,
        )
        journey = self._crew.journey
        assert isinstance(journey, WatchedJourney)
        journey.watch, journey.stamp = self._watch, self._asked_under
        self._journey = journey

    # --- what is to happen ---

    def call(self, at: Instant, deed: Deed) -> None:
        """Let something happen then; at one moment in the order of these calls, before timers."""
        self._told += 1
        heapq.heappush(self._script, (at, self._told, deed))

    def deliver(self, what: Notification | Sequence[Alert], at: Instant) -> None:
        """Let Alertmanager send this then."""
        notification = what if isinstance(what, Notification) else notify(what)
        self.call(at, lambda stage: stage.receive(notification))

    def tell_incident(self, incident: IncidentId, event: Recorded) -> Awaitable[None]:
        """An event that comes from people. For a deed: it happens now."""
        known = self.store.find(incident)
        lane = Lane.URGENT if known is not None and known.urgent else Lane.NORMAL
        return self.store.append(incident, event, lane)

    async def receive(self, notification: Notification) -> None:
        """Take a notification in. For a deed: it happens now."""
        alerts = notification.alerts
        if self.world.alertmanager is not None:
            for alert in alerts:
                self.world.alertmanager.hear(alert)
        if len(alerts) <= CHUNK:
            await self._journey.receive(notification)
            return
        for start in range(0, len(alerts), CHUNK):
            rejected = () if start else notification.rejected
            await self._journey.receive(notify(alerts[start : start + CHUNK], rejected=rejected))

    # --- what happened ---

    def now(self) -> Instant:
        """The virtual time."""
        return Instant(self._start + round(self._loop.time() * 1000))

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Every incident that opened, oldest first."""
        return tuple(one for one in self.store.every() if one.status is not Status.HELD)

    def timeline(self, incident: IncidentId) -> tuple[Entry, ...]:
        """What happened to an incident, oldest first."""
        return self.store.entries(incident)

    @property
    def pages(self) -> Sequence[PageSent]:
        """Every page that a channel took, in order."""
        return self._watch.pages

    @property
    def verdicts(self) -> Sequence[Judged]:
        """What guards said, in order."""
        return self._watch.verdicts

    @property
    def watch(self) -> Watch:
        """Everything that was heard."""
        return self._watch

    def ask(self, question: Coroutine[None, None, T]) -> T:
        """The answer to a question that is put between two moments."""
        return self._loop.run_until_complete(question)

    # --- the pump ---

    def run_until(self, at: Instant) -> None:
        """Let time pass until ``at``, with everything that happens at that moment too."""
        self._loop.run_until_complete(self._pump(at))

    async def _pump(self, until: Instant) -> None:
        while True:
            await self._work_off()
            self._jump(until)
            moment = self._next_moment()
            if moment is None or moment > until:
                break
            self._go_to(moment)
            await self._let_happen(moment)
        self._go_to(until)

    async def _work_off(self) -> None:
        """Until nothing waits and everybody who is at work sleeps."""
        clerk, running, sleepers = self._crew.consumers["clerk"], self._running, self._sleepers
        while True:
            if events := self.store.take_at_once(EVENTS):
                await clerk.work_off(events)
            elif work := self.store.take_at_once(WORK):
                for delivery in work:
                    await self._perform(delivery)
            elif len(running) > len(sleepers):
                await asyncio.sleep(0)
            else:
                return

    async def _perform(self, delivery: Delivered) -> None:
        """Beside the others where it may take time, else at once: that is cheaper."""
        work = self._crew.consumers[_CREW[delivery.queue]].work_off((delivery,))
        is_step = delivery.kind in (Act.__name__, Undo.__name__)
        if (is_step and self.world.takes_time) or delivery.queue is Queue.NOTICES:
            task = self._loop.create_task(work)
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        else:
            await work

    def _next_moment(self) -> Instant | None:
        moments = [heap[0][0] for heap in (self._script, self._sleepers) if heap]
        if (timer := self.store.next_timer()) is not None:
            moments.append(timer[0])
        return min(moments, default=None)

    def _go_to(self, moment: Instant) -> None:
        self._loop.jump((moment - self._start) / 1000)

    async def _let_happen(self, moment: Instant) -> None:
        """What is due: first what the script says, then who wakes, then timers."""
        if self._script and self._script[0][0] <= moment:
            while self._script and self._script[0][0] <= moment:
                _, _, deed = heapq.heappop(self._script)
                if (doing := deed(self)) is not None:
                    await doing
        elif self._sleepers and self._sleepers[0][0] <= moment:
            while self._sleepers and self._sleepers[0][0] <= moment:
                heapq.heappop(self._sleepers)[2].set_result(None)
            await asyncio.sleep(0)
        else:
            await self.store.fire_due(CHUNK)

    def _jump(self, until: Instant) -> None:
        """Go past rounds of verifications that would answer what the last ones did."""
        heaps = (self._script, self._sleepers)
        moments = [Instant(until + 1), *(heap[0][0] for heap in heaps if heap)]
        if (change := self.world.next_change()) is not None:
            moments.append(change)
        if self._jumps:
            self.store.jump(min(moments), self._may_skip)

    def _may_skip(self, incident: Incident, timer: str) -> bool:
        """Whether the answers would be those that were given last."""
        if timer.startswith(POLL):
            return self._watch.asked.get(incident.id) == self._stamp(incident)
        if timer.startswith(ATTACH):
            return self._watch.looked.get(incident.id) == self._watch.shifts
        return self._watch.weighed.get(incident.id) == self._scales()

    def _asked_under(self, effect: Effect) -> tuple[int, ...]:
        """What the answer to a question depends on, as it is now."""
        if isinstance(effect, Weigh):
            return self._scales()
        known = self.store.find(effect.incident)
        return () if known is None else self._stamp(known)

    def _scales(self) -> tuple[int, ...]:
        return self.world.version, self._watch.shifts

    def _stamp(self, incident: Incident) -> tuple[int, ...]:
        """What the answers of an incident's checks depend on."""
        attempt = incident.active
        touched = self.world.touched(attempt.target if attempt else "")
        return self.world.version, touched, incident.alerts, incident.alerts_at or 0

    # --- what the daemon asks of the machine ---

    def _working(self) -> Working | None:
        effect = EFFECT.get()
        incident = self.store.find(effect.incident) if effect is not None else None
        if isinstance(effect, Weigh) or effect is None or incident is None or incident.active is None:
            return None
        return incident, incident.active, effect if isinstance(effect, Act | Undo) else None

    async def sleep(self, span: Millis) -> None:
        """Virtual milliseconds. For whoever works beside the pump."""
        self._told += 1
        wake: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._sleepers, (Instant(self.now() + span), self._told, wake))
        await wake

    def close(self) -> None:
        """End it; what still runs is given up."""
        for task in self._running:
            task.cancel()
        if self._running:
            self._loop.run_until_complete(asyncio.gather(*self._running, return_exceptions=True))
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def notify(alerts: Sequence[Alert], *, rejected: Sequence[Rejected] = ()) -> Notification:
    """A notification that holds these alerts."""
    return Notification(
        receiver=REPLICA,
        group_key="",
        external_url="",
        truncated=0,
        alerts=tuple(alerts),
        rejected=tuple(rejected),
    )
