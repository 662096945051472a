"""Guard 3, ``mode``: the rule is trusted to act, and so is the daemon."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.approval import describe_terms
from remediator.core.plugins import Permission
from remediator.core.policies import Mode
from remediator.core.trust import describe_lowering
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class ModeGuard:
    """Withholds changes of rules below ``auto``, and of all rules while the daemon's ceiling is below it.

    A rule in mode ``approve``, or a runbook that asks for approval, is withheld until a person agrees.
    """

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
        if request.lowered is not None and rule.mode is Mode.AUTO:
            text += f", {describe_lowering(request.lowered)}"
        if request.cap is not Mode.AUTO:
            text += f", held to {request.cap} while its service's error budget is nearly spent"
        if request.ceiling is not Mode.AUTO:
            text += f", the daemon allows {request.ceiling} at most"
        if request.needs_approval:
            text += _approval(request)
        withheld = request.withheld
        return Verdict(
            guard=self.name, allowed=not withheld, text=text, withholds=withheld, asks=request.asks
        )


def _approval(request: ChangeRequest) -> str:
    """Why a person is asked, or who agreed."""
    runbook, agreed = request.attempt.runbook, request.attempt.approved
    if agreed is not None:
        return f"; approved by {agreed.by}"
    why = "" if request.mode is Mode.APPROVE else f", {request.incident.severity} of {runbook.name} needs it"
    return f": waits for approval {describe_terms(runbook)}{why}"
