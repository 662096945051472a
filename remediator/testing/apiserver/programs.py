"""What a container does, run after run: a program that does not exist, described by a test.

Times are seconds of the cluster (``Pace.second`` says how long one is), counted from the start of the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

OOM_KILLED = "OOMKilled"
KILLED = 137
"""Exit code of a process that SIGKILL ended."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a container.

    ``ready``: whether its readiness probe succeeds. ``ends_after``: when the process exits (None: never; 0:
    before anybody sees it running). ``exit_code`` and ``reason``: how (without a reason ``Completed`` or
    ``Error``). ``message``: its termination message. ``hangs_after``: when its probes begin to fail; with a
    liveness probe it is then killed and restarted. ``log``: what it writes.
    """

    ready: bool = True
    ends_after: float | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    hangs_after: float | None = None
    log: str = ""

    @property
    def ending(self) -> str:
        """The reason of its termination."""
        return self.reason or ("Error" if self.exit_code else "Completed")


@dataclass(frozen=True, kw_only=True)
class Program:
    """The runs of a container in their order; the last is repeated.

    ``container`` names the container it is about; the others, or all without a name, run and are ready.
    """

    runs: tuple[Run, ...] = (Run(),)
    container: str = ""

    def run(self, number: int, container: str) -> Run:
        """The run after so many restarts."""
        if self.container not in {"", container}:
            return Run()
        return self.runs[min(number, len(self.runs) - 1)]

    @classmethod
    def crashes(cls, *, exit_code: int = 1, after: float = 1.0, log: str = "") -> Program:
        """Exits again and again: a crash loop, with its back-off."""
        return cls(runs=(Run(ends_after=after, exit_code=exit_code, log=log),))

    @classmethod
    def runs_out_of_memory(cls, *, after: float = 1.0, once: bool = False) -> Program:
        """Killed at its memory limit, every time or once."""
        killed = Run(ends_after=after, exit_code=KILLED, reason=OOM_KILLED)
        return cls(runs=(killed, Run()) if once else (killed,))

    @classmethod
    def hangs(cls, *, after: float = 1.0, once: bool = False) -> Program:
        """Stops answering its probes, every time or once."""
        hanging = Run(hangs_after=after)
        return cls(runs=(hanging, Run()) if once else (hanging,))

    @classmethod
    def completes(cls, *, after: float = 1.0, log: str = "") -> Program:
        """Exits with 0, as a Job's should."""
        return cls(runs=(Run(ends_after=after, log=log),))

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Program:
        """From JSON with the same names. Raises ValueError."""
        known = {field.name for field in fields(Run)}
        runs = [dict(entry) for entry in document.get("runs", ())]
        odd = [name for entry in runs for name in entry if name not in known]
        odd += [name for name in document if name not in {"runs", "container"}]
        if odd or not runs:
            raise ValueError(f"a program is made of runs with {', '.join(sorted(known))}; not of {odd}")
        return cls(runs=tuple(Run(**entry) for entry in runs), container=str(document.get("container", "")))
