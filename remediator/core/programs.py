"""Programs that are run in containers: what is run, how it ended, and the port that runs it.

A program is a list of words. No shell reads it, nothing is written to its standard input, and it has no
terminal.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from remediator.core.policies import WorkloadRef
from remediator.core.redact import hide_keys, redact
from remediator.core.text import plain
from remediator.core.times import Millis

KEPT = 64 * 1024
"""Bytes that are kept of what a program writes to each of its streams: the last ones."""
_SHOWN = 120
_LONGEST_LINE = 240


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What is to be run, and where: ``container`` of the pod of that name and UID, which is one of ``of``.

    ``within``: milliseconds after which nobody waits for its end any more.
    """

    of: WorkloadRef
    pod: str
    uid: str
    container: str
    command: tuple[str, ...]
    within: Millis

    def __str__(self) -> str:
        return f"run {say_command(self.command)} in {self.pod}/{self.container}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """What a program wrote to one of its streams. ``cut``: it wrote more, of which this is the end."""

    text: str = ""
    cut: bool = False

    def lines(self) -> tuple[str, ...]:
        """Its lines as people may see them: secrets hidden, on one line each, none empty."""
        found = self.text.splitlines()
        if self.cut:
            found = found[1:]  # the first is a part of a line: what hid a secret in it may be gone
        told = (plain(redact(line), _LONGEST_LINE) for line in hide_keys(found))
        return tuple(line for line in told if line)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A program came to its end."""

    exit_code: int
    stdout: Stream = Stream()
    stderr: Stream = Stream()

    def __str__(self) -> str:
        """The exit code and the end of both streams."""
        told = [f"ended with {self.exit_code}"]
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            if text := _end(" ".join(stream.lines())):
                told.append(f"{name}: {text}")
        return "; ".join(told)

    def lines(self) -> tuple[str, ...]:
        """All lines of both streams that are kept, as people may see them, and of which stream they are."""
        both = (("stdout", self.stdout), ("stderr", self.stderr))
        return tuple(f"{name}: {line}" for name, stream in both for line in stream.lines())


class ProgramRunner(Protocol):
    """Runs programs. Whether that may be is asked before; this asks nobody."""

    async def permit(self, program: Program) -> None:
        """Have the server say that we may. Runs nothing. Raises Refused, Retryable."""

    async def run(self, program: Program) -> Ended:
        """Run it, once.

        Raises NotFound, Refused and Retryable, when it surely did not begin, and Unknown when it may have, or
        did not come to its end in time.
        """


def say_command(command: Sequence[str]) -> str:
    """The words for people: as a shell would quote them, secrets hidden."""
    return plain(redact(shlex.join(command)), _SHOWN)


def _end(text: str) -> str:
    return text if len(text) <= _SHOWN else f"…{text[-_SHOWN + 1 :]}"
