"""Guard 3, ``mode``: the rule is trusted to act, and so is the daemon."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.policies import Mode
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class ModeGuard:
    """Withholds changes of rules below ``auto``, and of all rules while the daemon's ceiling is below it."""

    name: ClassVar[str] = "mode"
    asks: ClassVar[str] = "that the rule is trusted to act"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Reads the newest policy: a rule that has gone blocks."""
        rule = request.rule
        if rule is None:
            gone = f"rule {request.attempt.rule} is gone from the policy"
            return Verdict(guard=self.name, allowed=False, text=gone)
        text = f"rule {rule.name} is in mode {rule.mode}" + (
            f", lowered {rule.lowered}" if rule.lowered else ""
        )
        if request.cap is not Mode.AUTO:
            text += f", held to {request.cap} while its service's error budget is nearly spent"
        if request.ceiling is not Mode.AUTO:
            text += f", the daemon allows {request.ceiling} at most"
        return Verdict(guard=self.name, allowed=not request.withheld, text=text, withholds=request.withheld)
