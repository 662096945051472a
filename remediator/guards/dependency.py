"""Guard 4, ``dependency``: nothing that the service depends on has an open incident."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.roots import DEPENDENCY, dependencies, first_cause
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class Dependency:
    """Blocks while an incident of something that the service depends on, directly or in turn, is open.

    Then the incident attaches to that one, and its runbook gets another turn when that one is over. What ends
    an earlier change whose time is over is no remedy, and waits for nothing.
    """

    name: ClassVar[str] = DEPENDENCY
    asks: ClassVar[str] = "that nothing it depends on has an open incident"
    again: ClassVar[bool] = True
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """By the newest catalog and the incidents that are open now: dependants often fire first."""
        if request.expires:
            text = "it ends a change whose time is over, whatever else is open"
            return Verdict(guard=self.name, allowed=True, text=text)
        names = self.bounds(request)
        if not names:
            text = f"{request.incident.service} depends on nothing in the catalog"
            return Verdict(guard=self.name, allowed=True, text=text)
        open_ones = [one for one in await ports.open_about(names) if one.incident != request.incident.id]
        root = first_cause(open_ones, request.policy)
        if root is not None:
            return Verdict(guard=self.name, allowed=False, text=f"{root}, and it comes first")
        text = f"no incident of {', '.join(names)} is open"
        return Verdict(guard=self.name, allowed=True, text=text)

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """What the service depends on."""
        return tuple(sorted(dependencies(request.incident.service, request.policy.services)))
