"""The clerk lets the receiver go first in a storm, and never for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.store import Delivered
from remediator.journey import Journey
from remediator.routing import Batch
from remediator.workers.clerk import REST, STORM, Clerk


class Slept(AsyncioRuntime):
    """Notes how long it was to sleep, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """At once."""
        self.rests.append(seconds)


class Busy:
    """A journey on which so many notifications wait for their answer, and nothing else happens."""

    def __init__(self, receiving: int) -> None:
        self.receiving = receiving
        self.sorted = 0

    async def sort(self, deliveries: Sequence[Delivered]) -> tuple[list[Batch], list[object]]:
        """Nothing follows."""
        self.sorted += 1
        return [], []


async def test_events_wait_once_in_a_storm_and_not_at_all_out_of_one() -> None:
    for receiving, rests in ((0, []), (STORM - 1, []), (STORM, [REST])):
        runtime, journey = Slept(), Busy(receiving)
        await Clerk(cast(Journey, journey), runtime).handle([])
        assert (runtime.rests, journey.sorted) == (rests, 1)
        runtime.close()
