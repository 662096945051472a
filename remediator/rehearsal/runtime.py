"""What the daemon asks of its machine, on a stage."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from remediator.core.times import Millis

T = TypeVar("T")


class StageRuntime:
    """``core.ports.Runtime`` on a stage: time is virtual, chance is none."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sleep: Callable[[Millis], Awaitable[None]]) -> None:
        self._loop, self._sleep = loop, sleep

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Virtual seconds."""
        await self._sleep(Millis(round(seconds * 1000)))

    def random(self) -> float:
        """Always the same: a rehearsal is repeatable."""
        return 0.5

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """On the stage's own loop."""
        return self._loop.create_task(work, name=name)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """There are no threads here."""
        return call()
