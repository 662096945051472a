"""The kill switch of the in-memory store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from remediator.core.errors import Refused
from remediator.core.pauses import EVERYTHING, MOST_PAUSES, Pause, PauseScope, in_order
from remediator.core.times import Instant


class MemoryPauses:
    """``core.store.PauseStore`` in memory, and what ``GuardStore`` asks of it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self._pauses: dict[PauseScope, Pause] = {}

    def _in_force(self) -> dict[PauseScope, Pause]:
        now = self.clock()
        return {s: p for s, p in self._pauses.items() if p.until is None or p.until > now}

    def _count_paused(self) -> Counter[str]:
        return Counter(scope.kind.value for scope in self._in_force())

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """As the Protocol says."""
        pauses = self._in_force()
        return tuple(pauses[scope] for scope in scopes if scope in pauses)

    async def pauses(self) -> tuple[Pause, ...]:
        """As the Protocol says."""
        return in_order(list(self._in_force().values()))

    async def pause(
        self, reason: str, by: str, until: Instant | None, scope: PauseScope = EVERYTHING
    ) -> Pause:
        """As the Protocol says."""
        self._pauses = self._in_force()
        named = sum(each != EVERYTHING for each in self._pauses)
        if scope != EVERYTHING and scope not in self._pauses and named >= MOST_PAUSES:
            raise Refused(f"{MOST_PAUSES} scopes are paused already; lift some, or pause all changes")
        pause = Pause(scope=scope, reason=reason, by=by, since=Instant(self.clock()), until=until)
        self._pauses[scope] = pause
        return pause

    async def resume(self, scope: PauseScope = EVERYTHING) -> Pause | None:
        """As the Protocol says."""
        was = self._in_force().get(scope)
        self._pauses.pop(scope, None)
        return was
