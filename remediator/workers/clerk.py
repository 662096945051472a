"""The clerk: takes events and has each incident's decided and committed together.

In a storm it lets the receiver go first: what was not answered in time is sent again, which feeds the storm,
while events that wait a moment are folded together and cost less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from remediator.core.ports import Runtime
from remediator.core.store import CHUNK, Delivered
from remediator.journey import Journey
from remediator.routing import Batch
from remediator.workers.consumer import Failure

AT_ONCE = 16
"""Incidents decided at the same time: bounds the connections that a storm takes."""
STORM = 8
"""Notifications waiting for their answer at the same time: more than an Alertmanager sends in quiet times."""
REST = 0.5
"""Seconds that events wait in a storm before they are decided; then they are, however long it lasts."""


class Clerk:
    """Handles what the event lanes deliver, up to CHUNK entries at a time."""

    batch = CHUNK

    def __init__(self, journey: Journey, runtime: Runtime) -> None:
        self._journey, self._runtime = journey, runtime

    async def handle(self, deliveries: Sequence[Delivered]) -> list[Failure]:
        """Every incident's batch is tried, whatever becomes of the others; what failed, with its reason."""
        if self._journey.receiving >= STORM:
            await self._runtime.sleep(REST)
        batches, unreadable = await self._journey.sort(deliveries)
        failures: list[Failure] = [([delivery], error) for delivery, error in unreadable]
        free = asyncio.Semaphore(AT_ONCE)

        async def in_turn(batches: Sequence[Batch]) -> None:
            async with free:
                for batch in batches:
                    try:
                        await self._journey.advance(batch)
                    except Exception as error:  # noqa: BLE001  # the boundary of one incident
                        failures.append((batch.deliveries, error))

        by_incident: dict[str | int, list[Batch]] = {}
        for batch in batches:
            by_incident.setdefault(batch.incident or id(batch), []).append(batch)
        if len(by_incident) == 1:
            await in_turn(batches)
        else:
            await asyncio.gather(*map(in_turn, by_incident.values()))
        return failures
