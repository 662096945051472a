"""Guard 9, ``lease``: nobody else is changing the target."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from remediator.core.plugins import Permission, on_target
from remediator.core.text import plain
from remediator.core.times import SECOND, Millis
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class LeaseGuard:
    """Takes the target's lease, whose epoch every change tests. Asked again before each change."""

    name: ClassVar[str] = "lease"
    asks: ClassVar[str] = "that nobody else is changing the target"
    again: ClassVar[bool] = True
    permissions: ClassVar[tuple[Permission, ...]] = (
        replace(
            on_target(
                "patch", "write the lease's epoch onto it, so that no older owner can change it", acting=True
            ),
            claiming=True,
        ),
    )

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """A target that somebody else holds may be free in a moment."""
        target = request.target
        if target is None:
            return Verdict(guard=self.name, allowed=False, text="there is no target to lease")
        lease = await ports.lease(target.path)
        if isinstance(lease, str):
            text = f"{target} is being worked on by {plain(lease)}"
            return Verdict(guard=self.name, allowed=False, text=text, retry_after=Millis(2 * SECOND))
        text = f"{target} is ours, epoch {lease.epoch}"
        if request.withheld:
            text = f"{target} is not taken: the change is withheld"
        return Verdict(guard=self.name, allowed=True, text=text)
