"""Guard 2, ``clock``: the clock that limits and timers go by has not jumped."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.times import SECOND, Millis
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class ClockGuard:
    """Blocks for a while after the store's clock jumped: limits and cooldowns cannot be trusted then."""

    name: ClassVar[str] = "clock"
    asks: ClassVar[str] = "that the store's clock has not jumped"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Compares how far the store's clock and this process's monotonic clock have come."""
        trouble = ports.clock_trouble()
        if trouble is None:
            return Verdict(guard=self.name, allowed=True, text="runs steadily")
        return Verdict(guard=self.name, allowed=False, text=trouble, retry_after=Millis(10 * SECOND))
