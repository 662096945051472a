"""A progress bar on standard error, where a person looks at it and has to wait."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from remediator.cli.output import console


class Progress:
    """``total`` steps of ``what``. On anything but a terminal it says nothing."""

    def __init__(self, what: str, total: int, *, quiet: bool = False) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        err = console(err=True)
        self._bar = Bar(*columns, console=err, transient=True, disable=quiet or not err.is_terminal)
        self._task = self._bar.add_task(what, total=total)

    def step(self) -> None:
        """One more is done."""
        self._bar.advance(self._task)

    def moved(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._bar.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
