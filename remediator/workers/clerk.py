"""The clerk: takes events and has each incident's decided and committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from remediator.core.store import CHUNK, Delivered
from remediator.journey import Journey
from remediator.routing import Batch
from remediator.workers.consumer import Failure

AT_ONCE = 16
"""Incidents decided at the same time: bounds the connections that a storm takes."""


class Clerk:
    """Handles what the event lanes deliver, up to CHUNK entries at a time."""

    batch = CHUNK

    def __init__(self, journey: Journey) -> None:
        self._journey = journey

    async def handle(self, deliveries: Sequence[Delivered]) -> list[Failure]:
        """Every incident's batch is tried, whatever becomes of the others; what failed, with its reason."""
        free = asyncio.Semaphore(AT_ONCE)
        failures: list[Failure] = []

        async def one(batch: Batch) -> None:
            async with free:
                try:
                    await self._journey.advance(batch)
                except Exception as error:  # noqa: BLE001  # the boundary of one incident
                    failures.append((batch.deliveries, error))

        await asyncio.gather(*map(one, await self._journey.sort(deliveries)))
        return failures
