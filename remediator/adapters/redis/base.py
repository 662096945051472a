"""What every part of the store is made of: keys, scripts and one way to call the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from remediator.adapters.redis.durability import Examiner, confirm
from remediator.adapters.redis.faults import unavailable
from remediator.adapters.redis.keys import Keys
from remediator.adapters.redis.link import Command, Link
from remediator.adapters.redis.lua import Call, script
from remediator.core.alerts import Lane
from remediator.core.codec import Recorded, pack
from remediator.core.incident import IncidentId
from remediator.core.times import DAY, Millis


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How much and how long is kept. ``retention`` in milliseconds, ``max_queue`` in alerts."""

    retention: Millis = Millis(30 * DAY)
    max_queue: int = 100_000


class Part:
    """Base of the parts that ``RedisStore`` is put together from."""

    def __init__(self, link: Link, blocking: Link, examiner: Examiner, keys: Keys, bounds: Bounds) -> None:
        self._link = link
        self._blocking = blocking
        self._examiner = examiner
        self._keys = keys
        self._bounds = bounds

    async def _ask(self, *commands: Command) -> list[Any]:
        """Several commands in one trip."""
        try:
            return await self._link.run(*commands)
        except ResponseError as error:
            raise unavailable(error) from error

    async def _run(self, name: str, call: Call) -> Any:
        """A script whose effect need not outlive a crash of the server."""
        try:
            return (await self._link.script(script(name), call))[0]
        except ResponseError as error:
            raise unavailable(error) from error

    async def _run_durably(self, name: str, call: Call) -> Any:
        """A script whose effect has reached the disk, and a replica where there are any, when it returns."""
        assured = await self._examiner.assurance()
        try:
            reply, *waited = await self._link.script(script(name), call, *assured.waits)
        except ResponseError as error:
            raise unavailable(error) from error
        confirm(assured.waits, waited)
        await self._examiner.insist(assured)
        return reply

    async def _ask_durably(self, *commands: Command) -> list[Any]:
        """Commands whose effect has reached the disk, and a replica where there are any."""
        assured = await self._examiner.assurance()
        replies = await self._ask(*commands, *assured.waits)
        confirm(assured.waits, replies[len(commands) :])
        await self._examiner.insist(assured)
        return replies[: len(commands)]


def write_follow_up(call: Call, follow_up: Sequence[tuple[IncidentId, Recorded, Lane]]) -> None:
    """Events that follow, as ``settle.lua`` reads them."""

    def write(item: tuple[IncidentId, Recorded, Lane]) -> None:
        incident, event, lane = item
        kind, data = pack(event)
        call.arg(lane.value, incident, kind, data)

    call.each(follow_up, write)
