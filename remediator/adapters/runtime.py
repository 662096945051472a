"""``core.ports.Runtime`` on asyncio: the machine as it is."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

THREADS = 16
"""Blocking calls at the same time: messages to channels and policy files being read."""


class AsyncioRuntime:
    """Time, chance, tasks and threads of this process. ``close`` it when the daemon ends."""

    def __init__(self, *, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="blocking")
        self._chance = random.Random()  # noqa: S311  # jitter, and names that nobody must guess
        self._tasks: set[asyncio.Task[None]] = set()

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let others run for that long."""
        await asyncio.sleep(seconds)

    def random(self) -> float:
        """A number from 0 up to 1."""
        return self._chance.random()

    def spawn(self, work: Coroutine[object, object, None], name: str) -> asyncio.Task[None]:
        """A task; it is kept from the garbage collector until it ends."""
        task = asyncio.ensure_future(work)
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run a blocking call in one of a bounded number of threads; more of them wait for their turn.

        Cancelling gives up waiting for it; the call itself goes on to its own deadline.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def drain(self, seconds: float) -> int:
        """Let what was spawned finish for so long, then cancel the rest; how many were cancelled."""
        _, late = await asyncio.wait(self._tasks, timeout=seconds) if self._tasks else ((), set())
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=seconds)
        return len(late)

    def close(self) -> None:
        """Take no more calls. Those that run end by themselves, at their own deadlines."""
        self._threads.shutdown(wait=False, cancel_futures=True)
