"""Keeps tasks running: one that dies by an unexpected exception is reported and started again.

While one is down the daemon is not ready; the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from remediator.core.ports import Observer, Runtime

Work = Callable[[], Awaitable[None]]

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0
"""Seconds between a task's death and its next start."""
SETTLED = 5.0
"""Seconds a task must have run for its earlier deaths to be forgiven."""


class Supervisor:
    """Tasks by name. ``work`` runs until cancelled; when it returns or raises, it is started again."""

    def __init__(self, runtime: Runtime, observer: Observer) -> None:
        self._runtime, self._observer = runtime, observer
        self._tasks: dict[str, asyncio.Future[None]] = {}
        self._down: dict[str, str] = {}

    def start(self, name: str, work: Work) -> None:
        """Begin to run ``work`` and keep it running. Names are unique."""
        assert name not in self._tasks
        self._tasks[name] = asyncio.ensure_future(self._runtime.spawn(self._keep(name, work), name))

    async def _keep(self, name: str, work: Work) -> None:
        pause = FIRST_PAUSE
        while True:
            started = self._runtime.monotonic()
            try:
                await work()
                error: Exception = RuntimeError("it ended, which it never should")
            except Exception as died:  # noqa: BLE001  # the boundary of a task
                error = died
            self._down[name] = f"{type(error).__name__}: {error}"
            self._observer.trouble(name, error)
            if self._runtime.monotonic() - started > SETTLED:
                pause = FIRST_PAUSE
            await self._runtime.sleep(pause * (0.5 + self._runtime.random()))
            pause = min(pause * 2, LONGEST_PAUSE)
            del self._down[name]

    def trouble(self) -> str | None:
        """Which tasks are down just now, or None."""
        if not self._down:
            return None
        return "; ".join(f"{name} is down and will be started again" for name in sorted(self._down))

    async def stop(self, *names: str) -> None:
        """Cancel these tasks, or all, and wait until they have ended."""
        tasks = [self._tasks.pop(name) for name in names or tuple(self._tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
