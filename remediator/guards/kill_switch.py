"""Guard 1, ``kill_switch``: nobody has paused the daemon."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.text import plain
from remediator.core.times import format_instant
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class KillSwitch:
    """Blocks while the daemon is paused. Reads the pause from the store, again before each change."""

    name: ClassVar[str] = "kill_switch"
    asks: ClassVar[str] = "that nobody has paused the daemon"
    again: ClassVar[bool] = True
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Says who paused it, why and until when."""
        pause = await ports.paused()
        if pause is None:
            return Verdict(guard=self.name, allowed=True, text="not paused")
        until = f" until {format_instant(pause.until)}" if pause.until is not None else ""
        return Verdict(
            guard=self.name,
            allowed=False,
            text=f"paused by {plain(pause.by, 60)}{until}: {plain(pause.reason)}",
        )
