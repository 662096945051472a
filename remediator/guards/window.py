"""Guard 6 too, ``window``: the runbook may change something at this time."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.intervals import begins, ends, holds
from remediator.core.plugins import Permission
from remediator.core.remedy import ACT_WITHIN
from remediator.core.times import Millis, format_instant
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class Window:
    """Blocks outside of the time intervals that ``during`` of the runbook names.

    The names are those that the attempt pinned, what they mean is always the newest; one that the policy no
    longer knows blocks. A step whose window begins within a few minutes waits for that.
    """

    name: ClassVar[str] = "window"
    asks: ClassVar[str] = "that it is within the runbook's time"
    again: ClassVar[bool] = True
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """By the store's clock: within which, and until when; or when the next one begins."""
        runbook, known = request.attempt.runbook, request.policy.time_intervals
        if not runbook.during:
            text = f"runbook {runbook.name} may be performed at any time"
            return Verdict(guard=self.name, allowed=True, text=text)
        gone = next((name for name in runbook.during if name not in known), None)
        if gone is not None:
            text = f"time interval {gone}, which runbook {runbook.name} asks for, is gone from the policy"
            return Verdict(guard=self.name, allowed=False, text=text)
        at = await ports.now()
        every = [interval for name in runbook.during for interval in known[name]]
        if holding := [name for name in runbook.during if holds(known[name], at)]:
            over = ends(every, at)
            until = "for more than a year" if over is None else f"until {format_instant(over)}"
            return Verdict(guard=self.name, allowed=True, text=f"{' and '.join(holding)} {until}")
        following = begins(every, at)
        when = "never begins again" if following is None else f"begins at {format_instant(following)}"
        text = f"runbook {runbook.name} is for {', '.join(runbook.during)}, which {when}"
        soon = following is not None and following - at < ACT_WITHIN
        again = Millis(following - at) if following is not None and soon else None
        return Verdict(guard=self.name, allowed=False, text=text, retry_after=again)

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """The names under ``during`` of the runbook."""
        return request.attempt.runbook.during
