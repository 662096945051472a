"""The part of the in-memory store that carries streams and dead letters."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from remediator.core import codec
from remediator.core.alerts import Lane
from remediator.core.codec import Recorded
from remediator.core.decision import DeadLetter
from remediator.core.incident import EffectId, IncidentId
from remediator.core.journal import Notice
from remediator.core.store import NOTICED_FOR, Buried, Delivered, Queue, lane_queue
from remediator.core.times import Instant, Millis
from remediator.testing.memory_trust import MemoryTrust


@dataclass(kw_only=True)
class _Pending:
    entry: Delivered
    consumer: str
    since: int


@dataclass
class _Stream:
    last: int = 0
    waiting: OrderedDict[str, Delivered] = field(default_factory=OrderedDict)
    pending: OrderedDict[str, _Pending] = field(default_factory=OrderedDict)


class MemoryQueues(MemoryTrust):
    """``core.store.QueueStore`` and ``NoticeStore`` in memory."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._streams = {queue: _Stream() for queue in Queue}
        self._arrived = asyncio.Event()
        self._dead: OrderedDict[str, tuple[Buried, Delivered | None]] = OrderedDict()
        self._buried = 0
        self._told: dict[EffectId, Instant] = {}

    def _add(self, queue: Queue, incident: str, kind: str, data: str) -> None:
        stream = self._streams[queue]
        stream.last += 1
        entry_id = f"{stream.last:012d}-0"
        stream.waiting[entry_id] = Delivered(
            queue=queue, id=entry_id, incident=incident, kind=kind, data=data
        )
        self._arrived.set()

    def _add_event(self, incident: IncidentId, event: Recorded, lane: Lane) -> None:
        self._add(lane_queue(lane), incident, *codec.pack(event))

    async def take(self, queues: Sequence[Queue], consumer: str, count: int, wait: Millis) -> list[Delivered]:
        """As the Protocol says."""
        taken = self._take(queues, consumer, count)
        if taken or wait <= 0:
            return taken
        try:
            async with asyncio.timeout(wait / 1000):
                while not (taken := self._take(queues, consumer, count)):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return []
        return taken

    def _take(self, queues: Sequence[Queue], consumer: str, count: int) -> list[Delivered]:
        taken = []
        for queue in queues:
            stream = self._streams[queue]
            for _ in range(min(count, len(stream.waiting))):
                entry_id, entry = stream.waiting.popitem(last=False)
                stream.pending[entry_id] = _Pending(entry=entry, consumer=consumer, since=self.clock())
                taken.append(entry)
        return taken

    async def reclaim(self, queue: Queue, consumer: str, idle: Millis, count: int) -> list[Delivered]:
        """As the Protocol says."""
        stale = [p for p in self._streams[queue].pending.values() if self.clock() - p.since >= idle][:count]
        for pending in stale:
            pending.consumer, pending.since = consumer, self.clock()
            pending.entry = replace(pending.entry, tries=pending.entry.tries + 1)
        return [pending.entry for pending in stale]

    async def extend(self, deliveries: Sequence[Delivered], consumer: str) -> None:
        """As the Protocol says."""
        for delivery in deliveries:
            pending = self._streams[delivery.queue].pending.get(delivery.id)
            if pending is not None and pending.consumer == consumer:
                pending.since = self.clock()

    async def failed(self, delivery: Delivered) -> int:
        """As the Protocol says."""
        pending = self._streams[delivery.queue].pending.get(delivery.id)
        if pending is None:
            return delivery.tries
        pending.entry = replace(pending.entry, tries=pending.entry.tries + 1)
        return pending.entry.tries

    async def settle(
        self, delivery: Delivered, consumer: str, follow_up: Sequence[tuple[IncidentId, Recorded, Lane]] = ()
    ) -> bool:
        """As the Protocol says."""
        if self._streams[delivery.queue].pending.pop(delivery.id, None) is None:
            return False
        for incident, event, lane in follow_up:
            self._add_event(incident, event, lane)
        return True

    async def bury(
        self,
        delivery: Delivered,
        consumer: str,
        reason: str,
        follow_up: Sequence[tuple[IncidentId, Recorded, Lane]] = (),
        notices: Sequence[Notice] = (),
    ) -> bool:
        """As the Protocol says."""
        if not await MemoryQueues.settle(self, delivery, consumer, follow_up):
            return False
        letter = DeadLetter(queue=delivery.queue, reason=reason, payload=delivery.data, tries=delivery.tries)
        self._bury(letter, delivery)
        for notice in notices:
            self._add(Queue.NOTICES, "", *codec.pack(notice))
        return True

    async def notify(self, notices: Sequence[Notice]) -> int:
        """As the Protocol says."""
        now = self.clock()
        fresh = [one for one in notices if self._told.get(one.id, now) <= now]
        for notice in fresh:
            self._told[notice.id] = Instant(now + NOTICED_FOR)
            self._add(Queue.NOTICES, "", *codec.pack(notice))
        return len(fresh)

    def _bury(self, letter: DeadLetter, delivery: Delivered | None) -> None:
        self._buried += 1
        dead_id = f"{self._buried:012d}-0"
        self._dead[dead_id] = Buried(id=dead_id, at=Instant(self.clock()), letter=letter), delivery

    async def dead_letters(self, count: int) -> list[Buried]:
        """As the Protocol says."""
        return [buried for buried, _ in reversed(self._dead.values())][:count]

    async def revive(self, dead_id: str) -> bool:
        """As the Protocol says."""
        _, delivery = self._dead.get(dead_id, (None, None))
        if delivery is None:
            return False
        del self._dead[dead_id]
        self._add(delivery.queue, delivery.incident, delivery.kind, delivery.data)
        return True

    async def drop_dead(self, dead_id: str) -> bool:
        """As the Protocol says."""
        return self._dead.pop(dead_id, None) is not None
