"""The timekeeper: moves due timers to their events, and watches the store's clock.

Timers live in the store and any replica moves them, so a deadline depends on no single process, and on no
remediation (P12, P18).
"""

from __future__ import annotations

from remediator.core.errors import StoreUnavailable
from remediator.core.ports import Observer, Runtime
from remediator.core.store import CHUNK, TimerStore
from remediator.core.times import MINUTE, SECOND, format_duration

LONGEST_LOOK_AWAY = 0.5
"""Seconds between two looks: another replica may arm a nearer timer at any moment."""
SHORTEST_LOOK_AWAY = 0.005
JUMP = 30 * SECOND
"""So far apart from this process's own clock, the store's clock has jumped."""
DISTRUST = 2 * MINUTE
"""How long no change is made after a jump."""


class ClockWatch:
    """Compares the store's clock with one that never jumps. Fed by whoever learns the store's time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._offset: float | None = None
        self._jumped_at: float | None = None
        self._jump = 0.0

    def saw(self, store_time: int) -> None:
        """The store's clock said ``store_time`` (milliseconds) just now."""
        offset = store_time - self._runtime.monotonic() * 1000
        if self._offset is not None and abs(offset - self._offset) > JUMP:
            self._jumped_at, self._jump = self._runtime.monotonic(), offset - self._offset
        self._offset = offset

    def trouble(self) -> str | None:
        """Why limits and cooldowns cannot be trusted now, or None."""
        if self._jumped_at is None:
            return None
        ago = (self._runtime.monotonic() - self._jumped_at) * 1000
        if ago > DISTRUST:
            return None
        jump = format_duration(int(self._jump))
        return f"the store's clock jumped by {jump}; no changes for {format_duration(DISTRUST)} after that"


class Timekeeper:
    """One replica's share of the timers."""

    def __init__(self, store: TimerStore, runtime: Runtime, observer: Observer) -> None:
        self._store, self._runtime, self._observer = store, runtime, observer

    async def run(self) -> None:
        """Move due timers until cancelled."""
        while True:
            pause = LONGEST_LOOK_AWAY
            try:
                moved, until_next = await self._store.fire_due(CHUNK)
                if moved == CHUNK:
                    pause = 0.0
                elif until_next is not None:
                    pause = min(max(until_next / 1000, SHORTEST_LOOK_AWAY), LONGEST_LOOK_AWAY)
            except StoreUnavailable as error:
                self._observer.trouble("timekeeper", error)
            await self._runtime.sleep(pause)
