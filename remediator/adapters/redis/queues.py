"""The streams: consumer groups, never a trim; acknowledged and deleted in one script (P6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from remediator.adapters.redis.base import Part, write_follow_up
from remediator.adapters.redis.faults import unavailable
from remediator.adapters.redis.lua import Call
from remediator.core.alerts import Lane
from remediator.core.codec import Recorded, pack
from remediator.core.decision import DeadLetter
from remediator.core.incident import IncidentId
from remediator.core.journal import Notice
from remediator.core.store import NOTICED_FOR, Buried, Delivered, Queue
from remediator.core.times import Instant, Millis

GROUP = "workers"
GRACE = 2.0
"""Seconds that a blocking read may take beyond its wait."""


class QueuePart(Part):
    """``core.store.QueueStore`` and ``NoticeStore``."""

    async def take(self, queues: Sequence[Queue], consumer: str, count: int, wait: Millis) -> list[Delivered]:
        """As the Protocol says."""
        block = ("BLOCK", wait) if wait > 0 else ()
        streams = [self._keys.queue(queue) for queue in queues]
        read = ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, *block, "STREAMS", *streams)
        try:
            return await self._read((*read, *(">" for _ in streams)), queues, wait)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise unavailable(error) from error
        await self._create_groups()
        try:
            return await self._read((*read, *(">" for _ in streams)), queues, wait)
        except ResponseError as error:
            raise unavailable(error) from error

    async def _read(
        self, command: tuple[str | int, ...], queues: Sequence[Queue], wait: Millis
    ) -> list[Delivered]:
        link = self._blocking if wait > 0 else self._link
        (reply,) = await link.run(command, within=max(wait, 0) / 1000 + GRACE)
        by_stream = {self._keys.queue(queue): queue for queue in queues}
        return [
            _delivered(by_stream[stream.decode()], entry_id, fields)
            for stream, entries in reply or ()
            for entry_id, fields in entries
        ]

    async def _create_groups(self) -> None:
        """Anew after a FLUSHALL as at the very first start; from 0, so that nothing enqueued is missed."""
        for queue in Queue:
            try:
                await self._link.run(("XGROUP", "CREATE", self._keys.queue(queue), GROUP, 0, "MKSTREAM"))
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise unavailable(error) from error

    async def reclaim(self, queue: Queue, consumer: str, idle: Millis, count: int) -> list[Delivered]:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.queue(queue), self._keys.tries(queue))
        call.arg(consumer, idle, count)
        try:
            taken = await self._run("reclaim", call)
        except Exception as error:
            if "NOGROUP" not in str(error):
                raise
            await self._create_groups()
            return []
        return [_delivered(queue, entry_id, fields, tries) for entry_id, tries, fields in taken]

    async def extend(self, deliveries: Sequence[Delivered], consumer: str) -> None:
        """As the Protocol says."""
        order = list(Queue)
        call = Call()
        call.each(order, lambda queue: call.key(self._keys.queue(queue)))
        call.arg(consumer)
        call.each(deliveries, lambda one: call.arg(order.index(one.queue) + 1, one.id))
        await self._run("extend", call)

    async def failed(self, delivery: Delivered) -> int:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.queue(delivery.queue), self._keys.tries(delivery.queue))
        call.arg(delivery.id)
        tries = await self._run("failed", call)
        return delivery.tries if tries is None else int(tries)

    async def settle(
        self, delivery: Delivered, consumer: str, follow_up: Sequence[tuple[IncidentId, Recorded, Lane]] = ()
    ) -> bool:
        """As the Protocol says."""
        return await self._settle(delivery, follow_up, (), None)

    async def bury(
        self,
        delivery: Delivered,
        consumer: str,
        reason: str,
        follow_up: Sequence[tuple[IncidentId, Recorded, Lane]] = (),
        notices: Sequence[Notice] = (),
    ) -> bool:
        """As the Protocol says."""
        return await self._settle(delivery, follow_up, notices, reason)

    async def _settle(
        self,
        delivery: Delivered,
        follow_up: Sequence[tuple[IncidentId, Recorded, Lane]],
        notices: Sequence[Notice],
        reason: str | None,
    ) -> bool:
        keys, queue = self._keys, delivery.queue
        call = Call()
        call.key(keys.queue(queue), keys.tries(queue), keys.queue(Queue.URGENT), keys.queue(Queue.NORMAL))
        call.key(keys.dead, keys.queue(Queue.NOTICES))
        call.arg(delivery.id)
        write_follow_up(call, follow_up)
        call.each(notices, lambda notice: call.arg(*pack(notice)))
        one = delivery
        call.each(
            [] if reason is None else [reason],
            lambda why: call.arg(one.queue.value, why, one.data, one.tries, one.incident, one.kind),
        )
        return bool(await self._run_durably("settle", call))

    async def notify(self, notices: Sequence[Notice]) -> int:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.queue(Queue.NOTICES))
        call.arg(NOTICED_FOR)

        def write(notice: Notice) -> None:
            call.key(self._keys.told(notice.id))
            call.arg(*pack(notice))

        call.each(notices, write)
        return int(await self._run_durably("notify", call))

    async def append(self, incident: IncidentId, event: Recorded, lane: Lane) -> None:
        """As the Protocol says."""
        kind, data = pack(event)
        stream = self._keys.queue(Queue.URGENT if lane is Lane.URGENT else Queue.NORMAL)
        await self._ask_durably(("XADD", stream, "*", "i", incident, "k", kind, "d", data))

    async def dead_letters(self, count: int) -> list[Buried]:
        """As the Protocol says."""
        (found,) = await self._ask(("XREVRANGE", self._keys.dead, "+", "-", "COUNT", count))
        return [_buried(entry_id, fields) for entry_id, fields in found]

    async def revive(self, dead_id: str) -> bool:
        """As the Protocol says."""
        if not _is_entry_id(dead_id):
            return False
        call = Call()
        call.key(self._keys.dead)
        call.arg(dead_id)

        def write(queue: Queue) -> None:
            call.arg(queue.value)
            call.key(self._keys.queue(queue))

        call.each(Queue, write)
        return bool(await self._run_durably("revive", call))

    async def drop_dead(self, dead_id: str) -> bool:
        """As the Protocol says."""
        if not _is_entry_id(dead_id):
            return False
        (dropped,) = await self._ask(("XDEL", self._keys.dead, dead_id))
        return bool(dropped)


def _is_entry_id(text: str) -> bool:
    """Whether Redis can have given out that id; anything else would be an error of its own there."""
    first, dash, last = text.partition("-")
    return bool(dash) and all(part.isascii() and part.isdigit() and len(part) < 20 for part in (first, last))


def _pairs(fields: Sequence[bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in zip(fields[::2], fields[1::2], strict=True)}


def _delivered(queue: Queue, entry_id: bytes, fields: Any, tries: int = 0) -> Delivered:
    values = _pairs(fields or ())
    return Delivered(
        queue=queue,
        id=entry_id.decode(),
        incident=values.get("i", ""),
        kind=values.get("k", ""),
        data=values.get("d", ""),
        tries=tries,
    )


def _buried(entry_id: bytes, fields: Sequence[bytes]) -> Buried:
    values = _pairs(fields)
    letter = DeadLetter(
        queue=values["queue"],
        reason=values["reason"],
        payload=values["payload"],
        tries=int(values["tries"]),
    )
    return Buried(id=entry_id.decode(), at=Instant(int(values["at"])), letter=letter)
