"""When files may have changed: told by the system where it can, and looked at now and then anyway."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import structlog

from remediator.core.ports import Runtime

LOOK_EVERY = 5.0
"""Seconds between two looks when nothing is told: on file systems that tell nothing, when a folder is gone or
another has come to its place, and when the system has no more watches to give."""
GATHER = 200
"""Milliseconds in which what is told counts as one change."""
_log = structlog.get_logger(__name__)


class FileWatch:
    """Watches a folder with everything in it; of a file, the folder that it lies in."""

    def __init__(self, path: Path, runtime: Runtime, *, look_every: float = LOOK_EVERY) -> None:
        self._path, self._runtime, self._every = path, runtime, look_every
        self._told = True

    async def hints(self) -> AsyncGenerator[None, None]:
        """One at once and then one whenever something may have changed, at the latest every few seconds."""
        yield
        while True:
            watched = await self._identity()
            if watched is not None:
                async with aclosing(self._notified()) as notified:
                    async for _ in notified:
                        yield
                        if await self._identity() != watched:
                            break
            await self._runtime.sleep(self._every if watched is None or not self._told else 0)
            yield

    async def _notified(self) -> AsyncGenerator[None, None]:
        """Ends when the system cannot tell."""
        from watchfiles import awatch  # needed by nothing else, and not at the start

        folder = self._path if self._path.is_dir() else self._path.parent
        try:
            async for _ in awatch(
                folder,
                watch_filter=None,
                debounce=GATHER,
                rust_timeout=int(self._every * 1000),
                yield_on_timeout=True,
                recursive=folder == self._path,
                ignore_permission_denied=True,
            ):
                self._told = True
                yield
        except Exception as error:  # noqa: BLE001  # the library raises errors of its own in Rust, among them OSError
            if self._told:
                _log.warning(
                    "the system does not tell when policies change, so they are looked at",
                    every=self._every, error=str(error),
                )  # fmt: skip
            self._told = False

    async def _identity(self) -> tuple[int, int] | None:
        try:
            known = await self._runtime.in_thread(self._path.stat)
        except OSError:
            return None
        return known.st_dev, known.st_ino
