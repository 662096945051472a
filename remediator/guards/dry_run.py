"""Guard 12, ``dry_run``: the API server would accept the change, from us."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class DryRun:
    """Has the server check every change, permissions and admission included, without making it."""

    name: ClassVar[str] = "dry_run"
    asks: ClassVar[str] = "that the API server would accept the change, from us"
    again: ClassVar[bool] = False
    # The server checks the very change that the action asks for, under the action's own permissions.
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """A refusal names the server's reason; so does an action that makes no sense on the target."""
        changes = "; ".join(await ports.dry_run())
        text = f"the server would accept: {changes}" if changes else "there is nothing to change"
        if changes and request.withheld and not request.asks:
            text = f"{changes} (withheld, so the server was not asked)"
        return Verdict(guard=self.name, allowed=True, text=text)
