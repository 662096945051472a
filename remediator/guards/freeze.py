"""Guard 6, ``freeze``: it is no time at which nothing may be changed."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.intervals import begins, ends, holds
from remediator.core.plugins import Permission
from remediator.core.remedy import ACT_WITHIN
from remediator.core.times import Millis, format_instant
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class Freeze:
    """Blocks while one of the time intervals that ``guards.freeze`` names holds.

    A step for which it is over within a few minutes waits for that. A name that the policy no longer knows
    blocks.
    """

    name: ClassVar[str] = "freeze"
    asks: ClassVar[str] = "that no freeze holds"
    again: ClassVar[bool] = True
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """By the store's clock: which hold, and until when."""
        names, known = request.policy.guards.freeze, request.policy.time_intervals
        if not names:
            return Verdict(guard=self.name, allowed=True, text="guards.freeze is not set")
        gone = next((name for name in names if name not in known), None)
        if gone is not None:
            text = f"time interval {gone} is gone from the policy: whether it holds is unknown"
            return Verdict(guard=self.name, allowed=False, text=text)
        at = await ports.now()
        every = [interval for name in names for interval in known[name]]
        holding = [name for name in names if holds(known[name], at)]
        if not holding:
            following = begins(every, at)
            when = "ever again" if following is None else f"before {format_instant(following)}"
            return Verdict(guard=self.name, allowed=True, text=f"no freeze {when}: {', '.join(names)}")
        over = ends(every, at)
        until = "for more than a year" if over is None else f"before {format_instant(over)}"
        text = f"{' and '.join(holding)}: nothing is changed {until}"
        soon = over is not None and over - at < ACT_WITHIN
        again = Millis(over - at) if over is not None and soon else None
        return Verdict(guard=self.name, allowed=False, text=text, retry_after=again)

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """The names under ``guards.freeze``."""
        return request.policy.guards.freeze
