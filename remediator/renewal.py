"""Credentials and certificates that are renewed in their files are taken up without a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from remediator.core.errors import SettingsError
from remediator.core.ports import Runtime

EVERY = 10.0
"""Seconds between two looks. What is mounted from a Secret is a minute behind it anyway."""
_log = structlog.get_logger(__name__)

T = TypeVar("T")
Stamp = tuple[tuple[int, int, int] | None, ...]
"""Of each file: when it was changed, how large it is and which it is. None: it is not there."""


@dataclass(slots=True)
class _Kept:
    what: str
    paths: tuple[Path, ...]
    renew: Callable[[], Awaitable[None]]
    stamp: Stamp


class Renewal:
    """Looks now and then whether such files have changed, and has their readers read them anew.

    What cannot be used is told, once for each change; what was read before stays in force.
    """

    def __init__(self, runtime: Runtime, every: float = EVERY) -> None:
        self._runtime, self._every = runtime, every
        self._kept: list[_Kept] = []

    def keep(
        self, what: str, paths: Iterable[Path | None], read: Callable[[], T], take: Callable[[T], None]
    ) -> None:
        """From now on. Call it before the files are first read, so that no change is missed.

        ``read`` is called in a thread, ``take`` with its answer in the loop; either may raise SettingsError
        where what was read is of no use.
        """
        named = tuple(path for path in paths if path is not None)

        async def renew() -> None:
            take(await self._runtime.in_thread(read))

        if named:
            self._kept.append(_Kept(what=what, paths=named, renew=renew, stamp=_stamp(named)))

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._runtime.sleep(self._every)
            for kept in self._kept:
                await self._look(kept)

    async def _look(self, kept: _Kept) -> None:
        stamp = await self._runtime.in_thread(partial(_stamp, kept.paths))
        if stamp == kept.stamp:
            return
        kept.stamp = stamp
        try:
            await kept.renew()
        except SettingsError as error:
            text = "what was renewed cannot be used; the one before stays in force"
            _log.error(text, what=kept.what, why=str(error))
        else:
            _log.info("renewed", what=kept.what)


def _stamp(paths: Iterable[Path]) -> Stamp:
    return tuple(map(_stamp_of, paths))


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        seen = path.stat()  # of what a link leads to: a Secret is renewed by swapping one
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
