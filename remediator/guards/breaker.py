"""Guard 10, ``breaker``: the runbook has not failed so often that it is not tried any more."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.times import format_duration
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class BreakerGuard:
    """Blocks every change of a runbook whose breaker is open, on any replica, until a person closes it.

    It opens when ``guards.breaker.failures`` attempts of the runbook ended failed or unknown ``within`` a
    span, or were verified and an alert of their rule came back. One that is open stays so under whatever
    policy.
    """

    name: ClassVar[str] = "breaker"
    asks: ClassVar[str] = "that the runbook's breaker is closed"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Names when it opened, why, and how a person closes it."""
        runbook = request.attempt.runbook.name
        breaker = await ports.breaker(runbook)
        if breaker is None:
            return Verdict(guard=self.name, allowed=True, text=f"that of {runbook} is closed")
        text = f"{breaker}; once you know why: remediator close {runbook}"
        return Verdict(guard=self.name, allowed=False, text=text)

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """``guards.breaker``."""
        bound = request.policy.guards.breaker
        if bound is None:
            return ()
        runbook, within = request.attempt.runbook.name, format_duration(bound.within)
        return (f"at most {bound.failures - 1} attempts of {runbook} failed within {within}",)
