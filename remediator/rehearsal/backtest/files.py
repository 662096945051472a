"""Recorded notifications in files, line by line: a million of them need the memory of one.

A file holds JSON lines, one JSON document or several, or one list of them; compressed by gzip or not. In a
directory the files of several replicas are merged by the time at which each line was taken in.
"""

from __future__ import annotations

import gzip
import heapq
import io
import json
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from remediator.rehearsal.backtest.lines import Line, received_at

LONGEST_LINE = 16 << 20
LARGEST_DOCUMENT = 64 << 20
"""Bytes of a file that is not JSON lines, which must be held whole."""
SUFFIXES = (".jsonl", ".json", ".ndjson", ".jsonl.gz", ".json.gz", ".ndjson.gz")
STDIN = "-"
_UNREADABLE = (OSError, EOFError, zlib.error)
_MAGIC = b"\x1f\x8b"


class NoRecord(Exception):
    """There is nothing to read; the text says why and what to name instead."""


class Record:
    """What was recorded under ``path``: a file, a directory or ``-``. Iterate it once.

    ``broken``: files that could not be read to their end, and why. ``longest``: bytes of a line that is read.
    """

    def __init__(self, path: str, stdin: IO[bytes] | None = None, *, longest: int = LONGEST_LINE) -> None:
        self.path = path
        self._longest = longest
        self.broken: list[tuple[str, str]] = []
        self._stdin = stdin
        self._open: dict[Path, IO[bytes]] = {}
        self._read = 0
        self.files = () if path == STDIN else self._find(Path(path))
        self.size = sum(map(_size, self.files))
        """Bytes on the disk; 0 when that is not known."""

    @property
    def position(self) -> int:
        """Bytes of them that were read."""
        return self._read + sum(opened.tell() for opened in self._open.values())

    def __iter__(self) -> Iterator[Line]:
        if self.path == STDIN:
            stdin = self._stdin if self._stdin is not None else sys.stdin.buffer
            yield from self._lines("standard input", stdin)
        elif len(self.files) == 1:
            yield from self._of(self.files[0])
        else:
            yield from self._merged()

    def _find(self, path: Path) -> tuple[Path, ...]:
        """The files there. Raises NoRecord."""
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            text = f"{path} does not exist; name a file of notifications, or the archive's folder"
            raise NoRecord(text) from None
        except OSError as error:
            raise NoRecord(f"{path} cannot be read ({error.strerror})") from None
        if not is_folder:
            return (path,)
        hidden: list[OSError] = []
        found = sorted(
            each for each in _walk(path, hidden.append) if each.name.endswith(SUFFIXES) and each.is_file()
        )
        self.broken += [(str(error.filename), str(error.strerror)) for error in hidden]
        if found:
            return tuple(found)
        if hidden:
            raise NoRecord("{} cannot be read ({})".format(*self.broken[0]))
        raise NoRecord(f"{path} holds no files that end in {', '.join(SUFFIXES[:3])}, with or without .gz")

    def _merged(self) -> Iterator[Line]:
        """By the time of each line; a line without one comes right after the one before it in its file."""
        waiting = [(_begins(file), number, file) for number, file in enumerate(self.files)]
        waiting.sort(reverse=True)
        heap: list[tuple[str, int, Line, Iterator[Line]]] = []
        while waiting or heap:
            while waiting and (not heap or waiting[-1][0] <= heap[0][0]):
                begins, number, file = waiting.pop()
                self._push(heap, begins, number, self._of(file))
            if heap:
                time, number, line, rest = heapq.heappop(heap)
                yield line
                self._push(heap, time, number, rest)

    def _push(
        self, heap: list[tuple[str, int, Line, Iterator[Line]]], time: str, number: int, lines: Iterator[Line]
    ) -> None:
        line = next(lines, None)
        if line is not None:
            heapq.heappush(heap, (received_at(line.raw) or time, number, line, lines))

    def _of(self, file: Path) -> Iterator[Line]:
        try:
            with file.open("rb") as opened:
                self._open[file] = opened
                yield from self._lines(str(file), opened)
        except OSError as error:
            if len(self.files) == 1:
                raise NoRecord(f"{file} cannot be read ({error.strerror or error})") from None
            self.broken.append((str(file), error.strerror or str(error)))
        finally:
            self._open.pop(file, None)
            self._read += _size(file)

    def _lines(self, name: str, raw: IO[bytes]) -> Iterator[Line]:
        buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)  # type: ignore[type-var]
        packed = buffered.peek(2)[:2] == _MAGIC
        text: Any = gzip.GzipFile(fileobj=buffered) if packed else buffered
        number = 0
        try:
            blanks, first = _first(text, self._longest)
            if first.lstrip().startswith(b"[") or _is_spread(first):
                for number, document in enumerate(_documents(first, text), 1):
                    yield Line(where=f"{name}, notification {number}", raw=document)
                return
            for number, line in enumerate(_numbered(first, text, self._longest), blanks + 1):
                if not line.isspace():
                    yield Line(where=f"{name}:{number}", raw=line)
        except _UNREADABLE as error:
            self.broken.append((f"{name}:{number + 1}", f"the rest cannot be read: {error}"))


def _walk(folder: Path, hidden: Callable[[OSError], None]) -> Iterator[Path]:
    """All files of a folder; ``hidden`` hears of folders that cannot be looked into."""
    for parent, _, names in os.walk(folder, onerror=hidden):
        yield from (Path(parent) / name for name in names)


def _size(file: Path) -> int:
    """In bytes; 0 where it is gone by now: an archive tidies itself."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _begins(file: Path) -> str:
    """When the first line of a file was taken in; empty when it does not say."""
    try:
        with file.open("rb") as opened:
            packed = opened.peek(2)[:2] == _MAGIC
            head = (gzip.GzipFile(fileobj=opened) if packed else opened).read(64)
    except _UNREADABLE:
        return ""
    return received_at(head) or ""


def _first(text: IO[bytes], longest: int) -> tuple[int, bytes]:
    """How many blank lines come first, and the line after them."""
    blanks = 0
    while (line := text.readline(longest + 1)).isspace():
        blanks += 1
    return blanks, line


def _is_spread(first: bytes) -> bool:
    """Whether a document begins that goes on over several lines."""
    begun = first.strip()
    return begun.startswith(b"{") and not begun.endswith(b"}") and first.endswith(b"\n")


def _numbered(first: bytes, text: IO[bytes], longest: int) -> Iterator[bytes]:
    """Lines; of one that is too long only the beginning, which then is none."""
    line = first
    while line:
        yield line
        while len(line) > longest and not line.endswith(b"\n"):
            line = text.readline(longest + 1)
        line = text.readline(longest + 1)


def _documents(first: bytes, text: IO[bytes]) -> Iterator[bytes]:
    """The notifications of JSON documents that stand one after the other, or of lists of them.

    What cannot be read is answered as it is, so that whoever reads lines says what is wrong with it.
    """
    whole = first + text.read(LARGEST_DOCUMENT + 1)
    if len(whole) > LARGEST_DOCUMENT:
        raise OSError(f"it is no JSON lines and larger than {LARGEST_DOCUMENT >> 20} MiB; write one a line")
    try:
        rest = whole.decode().strip()
    except UnicodeDecodeError:
        yield whole
        return
    decoder, at = json.JSONDecoder(), 0
    while at < len(rest):
        try:
            found, end = decoder.raw_decode(rest, at)
        except (ValueError, RecursionError):
            yield rest[at:].encode()
            return
        if isinstance(found, list):
            yield from (json.dumps(item).encode() for item in found)
        else:
            yield rest[at:end].encode()
        while end < len(rest) and rest[end] in " \t\r\n,":
            end += 1
        at = end
