"""Concurrent webhooks share one round trip to the store, and with it one fsync (P1).

While one trip is under way the next batch gathers. What one caller's cancellation, or one caller's alerts,
do to the batch is nothing: the trip belongs to a task of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from remediator.core.alerts import Disposition, Rejected
from remediator.core.errors import StoreUnavailable
from remediator.core.store import CHUNK, Arrival, IntakeStore

TRIPS = 4
"""At most so many trips at once. A second starts only when a whole batch waits: with WAITAOF a trip can take
as long as the server's next fsync."""

CALLS = 4
"""Turns of the event loop before a trip departs, microseconds when nobody else wants one: notifications that
were read together, but need a turn or two more, come along. Fuller trips cost every one of them less."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    arrivals: Sequence[Arrival]
    rejected: Sequence[Rejected]
    answer: asyncio.Future[list[Disposition]]

    @property
    def size(self) -> int:
        return len(self.arrivals) + len(self.rejected)


class IntakeBatcher:
    """``core.store.IntakeStore`` on top of another one, for notifications of any size."""

    def __init__(self, store: IntakeStore) -> None:
        self._store = store
        self._waiting: deque[_Ticket] = deque()
        self._size = 0
        self._trips: set[asyncio.Task[None]] = set()

    async def admit(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> list[Disposition]:
        """As the Protocol says, for any number of arrivals; answers when the last of them is durable."""
        if len(arrivals) + len(rejected) <= CHUNK:
            return await self._enqueue(arrivals, rejected)
        parts = [
            *(self._enqueue(arrivals[i : i + CHUNK], ()) for i in range(0, len(arrivals), CHUNK)),
            *(self._enqueue((), rejected[i : i + CHUNK]) for i in range(0, len(rejected), CHUNK)),
        ]
        return [disposition for part in await asyncio.gather(*parts) for disposition in part]

    def _enqueue(
        self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]
    ) -> asyncio.Future[list[Disposition]]:
        loop = asyncio.get_running_loop()
        ticket = _Ticket(arrivals, rejected, loop.create_future())
        self._waiting.append(ticket)
        self._size += ticket.size
        self._depart(loop)
        return ticket.answer

    def _depart(self, loop: asyncio.AbstractEventLoop) -> None:
        under_way = len(self._trips)
        if self._waiting and (under_way == 0 or (under_way < TRIPS and self._size >= CHUNK)):
            trip = loop.create_task(self._trip())
            self._trips.add(trip)

    async def _trip(self) -> None:
        batch: list[_Ticket] = []
        try:
            for _ in range(CALLS):
                await asyncio.sleep(0)
            batch = self._board()
            if batch:
                await self._carry(batch)
        finally:
            for ticket in batch:
                if not ticket.answer.done():
                    ticket.answer.cancel()
            current = asyncio.current_task()
            if current is not None:
                self._trips.discard(current)
            self._depart(asyncio.get_running_loop())

    def _board(self) -> list[_Ticket]:
        """The tickets of the next trip. Whoever gave up while waiting is left out."""
        batch: list[_Ticket] = []
        room = CHUNK
        while self._waiting and self._waiting[0].size <= room:
            ticket = self._waiting.popleft()
            self._size -= ticket.size
            if not ticket.answer.done():
                batch.append(ticket)
                room -= ticket.size
        return batch

    async def _carry(self, batch: Sequence[_Ticket]) -> None:
        arrivals = [arrival for ticket in batch for arrival in ticket.arrivals]
        rejected = [one for ticket in batch for one in ticket.rejected]
        try:
            dispositions = await self._store.admit(arrivals, rejected)
        except StoreUnavailable as error:
            # Those who wait behind would wait for the same fault again, and past their own deadline (P2).
            _refuse([*batch, *self._waiting], error)
            self._waiting.clear()
            self._size = 0
            return
        except Exception as error:  # noqa: BLE001  # handed to every caller, who raises it
            _refuse(batch, error)
            return
        start = 0
        for ticket in batch:
            end = start + len(ticket.arrivals)
            if not ticket.answer.done():
                ticket.answer.set_result(dispositions[start:end])
            start = end

    async def drain(self) -> None:
        """Wait until nothing is under way any more."""
        while self._trips:
            await asyncio.wait(set(self._trips))


def _refuse(tickets: Sequence[_Ticket], error: Exception) -> None:
    for ticket in tickets:
        if not ticket.answer.done():
            ticket.answer.set_exception(error)
