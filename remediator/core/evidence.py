"""What is kept of a target before anything of it is restarted or taken away. Pure.

Logs go with their pod, events after an hour, and what a process used with the process. So an attempt that may
take pods away first keeps what there is: bounded, on plain lines, obvious secrets hidden.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from remediator.core.redact import hide_keys, may_hold_secret, redact
from remediator.core.text import plain
from remediator.core.times import Instant

LINES = 200
"""Lines of one log, the newest."""
LOG_BYTES = 64 * 2**10
"""Bytes of one log, the newest."""
LONGEST_LINE = 2_000
"""Characters of a line."""
ALL_BYTES = 256 * 2**10
"""Bytes of all that one attempt keeps."""
KEPT = 3
"""Attempts of an incident whose evidence is kept, the newest."""
NO_ROOM = f"left out: more than {ALL_BYTES >> 10} KiB are not kept of one attempt"
LOGS, PREVIOUS = "logs", "logs of the run before"


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """One thing that was looked at. ``about``: whose, such as ``web-1/app``; empty: the target itself.

    ``trouble``: why nothing, or not all of it, is known; empty when it is.
    """

    source: str
    about: str = ""
    lines: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(len(line.encode()) + 1 for line in self.lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What one attempt kept, and when."""

    attempt: int
    at: Instant
    pieces: tuple[Piece, ...]

    def __str__(self) -> str:
        """For the timeline: what there is, and how much could not be read."""
        read = Counter(piece.source for piece in self.pieces if piece.lines)
        kept = [_counted(name, count) for name, count in read.items()]
        troubled = [piece for piece in self.pieces if piece.trouble]
        text = f"evidence kept: {', '.join(kept)}" if kept else "evidence kept: none"
        if troubled:
            first = troubled[0]
            whose = f"{first.source} {first.about}".strip()
            text += f"; {len(troubled)} could not be read, such as {whose}: {first.trouble}"
        return plain(text, 300)


def _counted(source: str, count: int) -> str:
    if source not in (LOGS, PREVIOUS):
        return source
    return f"{count} {source if count > 1 else source.replace('logs', 'log')}"


def log_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """The newest lines of a log that may be kept: plain, without obvious secrets, within the bounds."""
    newest = [line[:LONGEST_LINE] for line in lines[-LINES:]]
    if may_hold_secret("\n".join(newest)):
        newest = [redact(line) for line in hide_keys(newest)]
    found: list[str] = []
    size = 0
    for line in reversed(newest):
        shown = _indented(line)
        size += len(shown.encode()) + 1
        if size > LOG_BYTES:
            break
        found.append(shown)
    return tuple(reversed(found))


def _indented(line: str) -> str:
    """On one line, and where it began: a stack trace is read by that."""
    bare = line.lstrip(" \t")
    return " " * (len(line) - len(bare)) + plain(bare, LONGEST_LINE)


def bounded(pieces: Iterable[Piece], most: int = ALL_BYTES) -> tuple[Piece, ...]:
    """The pieces in their order, as far as they fit; of what does not, that it was left out."""
    found: list[Piece] = []
    for piece in pieces:
        if piece.size <= most:
            most -= piece.size
            found.append(piece)
        else:
            found.append(replace(piece, lines=(), trouble=NO_ROOM))
    return tuple(found)
