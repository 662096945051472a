"""Breakers and storms of the in-memory store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from remediator.core.breakers import MOST_FAILURES, Breaker, Failure, in_order
from remediator.core.storms import KEPT_OPENINGS, OPENINGS_FOR, Opening, Openings
from remediator.core.times import Instant, Millis
from remediator.testing.memory_pauses import MemoryPauses


class MemoryBreakers(MemoryPauses):
    """``core.store.BreakerStore`` in memory, and what ``GuardStore`` asks of it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._openings: dict[str, int] = {}
        self._failures: dict[str, dict[str, int]] = {}
        self._breakers: dict[str, Breaker] = {}

    def _note_openings(self, members: Sequence[str]) -> None:
        if not members:
            return
        now = self.clock()
        for member in members:
            self._openings.setdefault(member, now)
        kept = [item for item in self._openings.items() if item[1] > now - OPENINGS_FOR]
        self._openings = dict(sorted(kept, key=lambda item: (item[1], item[0]))[-KEPT_OPENINGS:])

    def _count_failures(self, failures: Sequence[Failure]) -> list[Failure]:
        """Those that opened a breaker."""
        opening = []
        for failure in failures:
            now, bound = self.clock(), failure.bound
            counted = self._failures.get(failure.runbook, {})
            counted.setdefault(failure.member, now)
            kept = [item for item in counted.items() if item[1] > now - bound.within]
            counted = dict(sorted(kept, key=lambda item: item[1])[-MOST_FAILURES:])
            self._failures[failure.runbook] = counted
            known = self._breakers.get(failure.runbook)
            if len(counted) < bound.failures or (known is not None and known.open):
                continue
            self._breakers[failure.runbook] = Breaker(
                runbook=failure.runbook,
                opened_at=Instant(now),
                failures=len(counted),
                within=bound.within,
                by_attempt=failure.member,
            )
            opening.append(failure)
        return opening

    async def openings(self, span: Millis) -> Openings:
        """As the Protocol says."""
        now = self.clock()
        items = (Opening(member=member, at=Instant(at)) for member, at in self._openings.items())
        recent = sorted((each for each in items if each.at > now - span), key=lambda each: each.at)
        return Openings(at=Instant(now), items=tuple(recent))

    async def breaker(self, runbook: str) -> Breaker | None:
        """As the Protocol says."""
        known = self._breakers.get(runbook)
        return known if known is not None and known.open else None

    async def breakers(self) -> tuple[Breaker, ...]:
        """As the Protocol says: every one that ever was."""
        return in_order(list(self._breakers.values()))

    async def close_breaker(self, runbook: str, by: str, note: str) -> Breaker | None:
        """As the Protocol says."""
        known = await self.breaker(runbook)
        if known is None:
            return None
        self._failures.pop(runbook, None)
        closed = replace(known, closed_at=Instant(self.clock()), closed_by=by, note=note)
        self._breakers[runbook] = closed
        return closed
