"""A consumer of streams: takes entries, keeps them alive while they are worked on, inherits from the dead.

Infrastructure failures are waited out and count for nothing; a failure that is the entry's own fault is
counted, and after five of them the entry is a dead letter (P6, P15).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from remediator.core.errors import Contended, Permanent, StoreUnavailable
from remediator.core.ports import Observer, Runtime
from remediator.core.store import CHUNK, DELIVERIES, Delivered, Queue, QueueStore
from remediator.core.text import plain
from remediator.core.times import SECOND, Millis
from remediator.workers.lost import lost_outcome, notices_for
from remediator.workers.pace import DEFAULT_PACE, Pace

WAIT = Millis(1 * SECOND)
LONGEST_PAUSE = 5.0

Failure = tuple[Sequence[Delivered], Exception]
Handle = Callable[[Sequence[Delivered]], Awaitable[Sequence[Failure]]]


class Consumer:
    """Reads ``queues`` and hands what comes to ``handle``, at most ``at_once`` calls at a time.

    ``handle`` settles what it was given and answers what it could not, with the reason; it may also raise.
    It gets up to ``batch`` deliveries a call.
    """

    def __init__(
        self,
        *,
        store: QueueStore,
        runtime: Runtime,
        observer: Observer,
        queues: Sequence[Queue],
        name: str,
        handle: Handle,
        at_once: int = 1,
        batch: int = 1,
        operator: Callable[[], Sequence[str]] = tuple,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self._store, self._runtime, self._observer = store, runtime, observer
        self._queues, self._name, self._handle = queues, name, handle
        self._at_once, self._batch, self._operator, self._pace = at_once, batch, operator, pace
        self._held: dict[tuple[Queue, str], Delivered] = {}
        self._running: set[asyncio.Future[None]] = set()

    @property
    def busy(self) -> tuple[int, int]:
        """How many calls of ``handle`` are under way, and how many may be at most."""
        return len(self._running), self._at_once

    async def run(self) -> None:
        """Take and hand out until cancelled."""
        failures = 0
        while True:
            try:
                await self._room()
                room = self._at_once - len(self._running)
                taken = await self._store.take(self._queues, self._name, self._batch * room, WAIT)
                failures = 0
                await self._hand_out(taken)
            except StoreUnavailable as error:
                failures += 1
                self._observer.trouble("consumer", error)
                await self._pause(failures)

    async def keep_alive(self) -> None:
        """Heartbeat for what is being worked on. Waits for no work: a full house must not look dead."""
        while True:
            await self._runtime.sleep(self._pace.heartbeat * (0.9 + 0.2 * self._runtime.random()))
            try:
                held = list(self._held.values())
                for start in range(0, len(held), CHUNK):
                    await self._store.extend(held[start : start + CHUNK], self._name)
            except StoreUnavailable as error:
                self._observer.trouble("heartbeat", error)

    async def inherit(self) -> None:
        """Take over what the dead left behind, when there is room to work on it."""
        while True:
            await self._runtime.sleep(self._pace.heartbeat * (0.9 + 0.2 * self._runtime.random()))
            try:
                for queue in self._queues:
                    await self._room()
                    room = self._batch * (self._at_once - len(self._running))
                    await self._hand_out(
                        await self._store.reclaim(queue, self._name, self._pace.idle, min(room, CHUNK))
                    )
            except StoreUnavailable as error:
                self._observer.trouble("inherit", error)

    async def _room(self) -> None:
        """Wait until another call may begin."""
        while len(self._running) >= self._at_once:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _hand_out(self, deliveries: Sequence[Delivered]) -> None:
        """Begin on all of them; those that must wait for a free place are kept alive meanwhile."""
        fresh = [d for d in deliveries if (d.queue, d.id) not in self._held]
        self._held.update({(d.queue, d.id): d for d in fresh})
        for start in range(0, len(fresh), self._batch):
            await self._room()
            work = self._runtime.spawn(self._work(fresh[start : start + self._batch]), f"{self._name}/work")
            task = asyncio.ensure_future(work)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _work(self, deliveries: Sequence[Delivered]) -> None:
        try:
            await self.work_off(deliveries)
        finally:
            for delivery in deliveries:
                self._held.pop((delivery.queue, delivery.id), None)

    async def work_off(self, deliveries: Sequence[Delivered]) -> None:
        """Hand them in until each is settled or buried."""
        rest, rounds = list(deliveries), 0
        while rest:
            again: list[Delivered] = []
            try:
                for some, error in await self._try(rest):
                    again += await self._after_failure(some, error)
            except StoreUnavailable as error:
                self._observer.trouble("store", error)
                again = rest
            rest, rounds = again, rounds + 1
            if rest:
                await self._pause(rounds)

    async def _try(self, deliveries: Sequence[Delivered]) -> list[Failure]:
        """Hand in what may still be tried; what failed, each with its reason."""
        for spent in [d for d in deliveries if d.tries >= DELIVERIES]:
            await self._bury(spent, f"not settled in {spent.tries} deliveries")
        fresh = [d for d in deliveries if d.tries < DELIVERIES]
        try:
            return list(await self._handle(fresh)) if fresh else []
        except Exception as error:  # noqa: BLE001  # the boundary of some entries: they must not stop the others
            return [(fresh, error)]

    async def _after_failure(self, deliveries: Sequence[Delivered], error: Exception) -> list[Delivered]:
        """What is to be tried again. Poison among several is found by handing in each alone."""
        self._observer.trouble(deliveries[0].kind, error)
        if isinstance(error, StoreUnavailable):
            return list(deliveries)
        if len(deliveries) > 1:
            for delivery in deliveries:
                await self.work_off([delivery])
            return []
        if isinstance(error, Contended):
            return list(deliveries)
        if isinstance(error, Permanent):  # trying again will not help
            await self._bury(deliveries[0], str(error))
            return []
        tries = await self._store.failed(deliveries[0])
        failed = replace(deliveries[0], tries=tries)
        if tries >= DELIVERIES:
            await self._bury(failed, f"{type(error).__name__}: {error}")
            return []
        return [failed]

    async def _bury(self, delivery: Delivered, reason: str) -> None:
        reason = plain(reason, 300)
        follow_up = lost_outcome(delivery, reason)
        notices = notices_for(delivery, reason, self._operator())
        if await self._store.bury(delivery, self._name, reason, follow_up, notices):
            self._observer.buried(delivery.queue, reason)

    async def _pause(self, failures: int) -> None:
        pause = min(0.05 * 2 ** min(failures, 10), LONGEST_PAUSE)
        await self._runtime.sleep(pause * (0.5 + self._runtime.random()))
