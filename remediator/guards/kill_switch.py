"""Guard 1, ``kill_switch``: nobody has paused the change."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class KillSwitch:
    """Blocks while all changes are paused, or those of the target's namespace, the service, the rule or the
    runbook. Reads the pauses from the store, again before each change.
    """

    name: ClassVar[str] = "kill_switch"
    asks: ClassVar[str] = "that nobody has paused such changes"
    again: ClassVar[bool] = True
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Says what is paused, by whom, why and until when: each pause that has to be lifted."""
        pauses = await ports.paused(request.subject.scopes())
        if not pauses:
            return Verdict(guard=self.name, allowed=True, text="not paused")
        return Verdict(guard=self.name, allowed=False, text="; ".join(map(str, pauses)))
