"""Time, chance, tasks and threads as ports, so that the whole daemon can run in a simulation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Protocol, TypeVar

from remediator.core.alerts import Disposition
from remediator.core.classify import Match
from remediator.core.decision import Decision
from remediator.core.verdicts import Verdict

T = TypeVar("T")


class Runtime(Protocol):
    """What the program may ask of the machine it runs on."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    async def sleep(self, seconds: float) -> None:
        """Let others run for that long."""

    def random(self) -> float:
        """A number from 0 up to 1, for jitter. Never for anything that must not be guessed."""

    def spawn(self, work: Coroutine[object, object, None], name: str) -> Awaitable[None]:
        """Run beside; the answer ends with it and can be cancelled."""

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run a blocking call without blocking the others."""


class Observer(Protocol):
    """Who hears of everything that happened: the metrics and the log."""

    def arrived(self, dispositions: Sequence[Disposition]) -> None:
        """Alerts were taken in."""

    def committed(self, decision: Decision, matches: Sequence[Match]) -> None:
        """A decision was committed; ``matches`` are the rules that won on the way."""

    def judged(self, incident: str, verdicts: Sequence[Verdict]) -> None:
        """Guards were asked."""

    def buried(self, queue: str, reason: str) -> None:
        """Something became a dead letter."""

    def trouble(self, where: str, error: BaseException) -> None:
        """A task met something it could not handle and goes on."""
