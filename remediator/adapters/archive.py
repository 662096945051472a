"""``core.archive.Archive`` as files in a folder, or on standard output.

A thread of its own writes, so that no disk, however slow or full, delays an answer; what waits for it is
bounded. Each start of a daemon begins a file of its own, so that a line torn by ``kill -9`` stays the last of
its file.
Lines are written whole; where a disk takes only a part of one, that part is taken back.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import ENOSPC, EPIPE
from itertools import islice
from pathlib import Path
from typing import Protocol

from remediator.core.alerts import Notification
from remediator.core.archive import ArchiveObserver, Kept, archive_lines
from remediator.core.times import DAY, HOUR, SECOND, Instant, Millis

PATTERN = "intake-*.jsonl"
LARGEST_WAIT = 32 << 20
"""Bytes of notifications that wait to be written; more than that are lost to the archive."""
LEAVES_FREE = 64 << 20
"""Bytes of the file system that are left to others: the store's own file may be on it."""
REST = 0.1
"""Seconds between two writes, so that a storm is written in large pieces."""
CLOSES_WITHIN = 3.0
"""Seconds for the last lines, when the daemon ends."""
BLOCK = 4096
"""Bytes that the smallest file takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How large a file and all of them together may become, in bytes, and how old a file."""

    file_size: int = 16 << 20
    total_size: int = 256 << 20
    retention: Millis = Millis(30 * DAY)


class Sink(Protocol):
    """Where lines go."""

    def write(self, lines: Sequence[bytes], at: Instant) -> None:
        """All of them, or those before the one at which OSError is raised (``Partly``)."""

    def tidy(self, at: Instant) -> None:
        """What is due from time to time."""

    def close(self) -> None:
        """No more lines come."""


class Partly(OSError):
    """So many lines were written, and then no more: ``written``."""

    def __init__(self, written: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.written = written


def _wall_clock() -> Instant:
    return Instant(time.time_ns() // 1_000_000)


class ThreadedArchive:
    """Hands what it is given to a thread. ``start`` it, and ``close`` it off the event loop."""

    def __init__(
        self,
        sink: Sink,
        observer: ArchiveObserver,
        *,
        parse: Callable[[bytes], Notification],
        clock: Callable[[], Instant] = _wall_clock,
    ) -> None:
        self._sink, self._observer, self._parse, self._clock = sink, observer, parse, clock
        self._waiting: deque[Kept] = deque()
        self._given = self._taken = 0  # bytes: one is counted by whoever gives, the other by the thread
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def keep(self, body: bytes, *, whole: bool) -> None:
        """As the Protocol says. From one thread, the event loop's."""
        if self._given - self._taken + len(body) > LARGEST_WAIT:
            self._observer.not_archived(1, "the disk is too slow: too much waits to be written")
            return
        self._given += len(body)
        self._waiting.append((body, whole, self._clock()))
        if not self._wake.is_set():
            self._wake.set()

    def close(self, within: float = CLOSES_WITHIN) -> None:
        """Write what waits, for at most so many seconds; what is late is lost to the archive."""
        self._ending.set()
        self._wake.set()
        self._thread.join(within)
        if self._waiting:
            self._observer.not_archived(len(self._waiting), "the daemon ended before they were written")

    def _run(self) -> None:
        while not self._ending.is_set() or self._waiting:
            self._wake.wait(HOUR / SECOND)
            self._ending.wait(REST)  # what comes meanwhile is written with it: that costs a third
            self._wake.clear()
            self._tidy()
            self._write()
        self._sink.close()

    def _tidy(self) -> None:
        try:
            self._sink.tidy(self._clock())
        except OSError as error:  # there is a next time, and what waits is written all the same
            self._observer.not_archived(0, _why(error))

    def _write(self) -> None:
        kept = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not kept:
            return
        lines = self._lines(kept)
        try:
            self._sink.write(lines, kept[-1][2])
        except OSError as error:
            written = error.written if isinstance(error, Partly) else 0
            self._observer.archived(written)
            self._observer.not_archived(len(lines) - written, _why(error))
        else:
            self._observer.archived(len(lines))
        self._taken += sum(len(body) for body, _, _ in kept)

    def _lines(self, kept: Sequence[Kept]) -> list[bytes]:
        try:
            return list(archive_lines(kept, self._parse))
        except Exception as error:  # noqa: BLE001  # the boundary of the thread: one of them must not end it
            if len(kept) > 1:
                return [line for each in kept for line in self._lines([each])]
            self._observer.not_archived(1, f"it cannot be written as JSON: {type(error).__name__}")
            return []


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _write_all(file: int, data: bytes) -> int:
    """How many bytes were written before the disk took no more. Raises OSError if it took none."""
    done = 0
    while done < len(data):
        try:
            done += os.write(file, data[done:] if done else data)
        except OSError:
            if not done:
                raise
            break
    return done


class Folder:
    """Files named after the time of their first line. A file ends when it is large, and at midnight UTC."""

    def __init__(self, folder: Path, bounds: Bounds, *, leaves_free: int = LEAVES_FREE) -> None:
        self._folder, self._bounds, self._leaves_free = folder, bounds, leaves_free
        self._mine, self._number = secrets.token_hex(4), 0
        self._file: int | None = None
        self._path: Path | None = None
        self._size = 0
        self._day = -1
        self._tidied_at: Instant | None = None

    def write(self, lines: Sequence[bytes], at: Instant) -> None:
        """As the Protocol says."""
        written = 0
        while written < len(lines):
            try:
                written += self._write_some(lines, written, at)
            except OSError as error:
                self.close()
                raise Partly(written, error) from None

    def _write_some(self, lines: Sequence[bytes], first: int, at: Instant) -> int:
        """As many lines as go into a file, in one piece; how many were written."""
        if self._file is not None and self._is_over(len(lines[first]), at):
            self.close()
        file = self._open(at) if self._file is None else self._file
        ends: list[int] = []
        size = 0
        for line in islice(lines, first, None):
            size += len(line)
            if ends and self._size + size > self._bounds.file_size:
                break
            ends.append(size)
        done = _write_all(file, b"".join(lines[first : first + len(ends)]))
        whole = bisect_right(ends, done)
        self._size += ends[whole - 1] if whole else 0
        if whole < len(ends):  # the disk took a part: take back that of a line, and meet the reason
            os.ftruncate(file, self._size)
            if not whole:
                raise OSError(ENOSPC, os.strerror(ENOSPC))
        return whole

    def _is_over(self, more: int, at: Instant) -> bool:
        assert self._file is not None
        if self._day != at // DAY or self._size + more > self._bounds.file_size:
            return True
        return os.fstat(self._file).st_nlink == 0  # somebody tidied it away

    def _open(self, at: Instant) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._prune(at)
        space = os.statvfs(self._folder)
        if space.f_bavail * space.f_frsize < self._leaves_free + self._bounds.file_size:
            raise OSError(ENOSPC, "No space left on device: the last of it is left to the store")
        self._number += 1  # a storm fills several files in one moment
        moment = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        self._path = self._folder / f"intake-{moment}Z-{self._mine}-{self._number:06}.jsonl"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._size, self._day = 0, at // DAY
        return self._file

    def tidy(self, at: Instant) -> None:
        """Remove what is too old, every hour."""
        if self._tidied_at is None or at - self._tidied_at >= HOUR:
            self._tidied_at = at
            self._prune(at)

    def _prune(self, at: Instant) -> None:
        """Remove what is too old, and the oldest where all together take too much."""
        found = []
        for path in sorted(self._folder.glob(PATTERN)):
            try:
                found.append((path, path.lstat()))
            except FileNotFoundError:  # another replica was quicker
                continue
        taken = sum(max(stat.st_size, BLOCK) for _, stat in found) + self._bounds.file_size
        for path, stat in found:
            old = stat.st_mtime * 1000 < at - self._bounds.retention
            if path != self._path and (old or taken > self._bounds.total_size):
                path.unlink(missing_ok=True)
                taken -= max(stat.st_size, BLOCK)

    def close(self) -> None:
        """The file is over; the next line begins another."""
        if self._file is not None:
            file, self._file, self._path = self._file, None, None
            os.close(file)


class Stdout:
    """Standard output, for whatever collects what containers say."""

    def write(self, lines: Sequence[bytes], at: Instant) -> None:
        """As the Protocol says."""
        file = sys.stdout.fileno()
        for number, line in enumerate(lines):
            try:
                if _write_all(file, line) < len(line):
                    raise OSError(EPIPE, os.strerror(EPIPE))
            except OSError as error:
                raise Partly(number, error) from None

    def tidy(self, at: Instant) -> None:
        """There is nothing to tidy."""

    def close(self) -> None:
        """It belongs to others."""
