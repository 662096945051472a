"""Guard 4, ``still_firing``: the alert still fires, and it is ours."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class Ours:
    """Blocks when an alert of the incident is not ours: what ``still_firing`` asks first.

    For checks, which prove that it is over when no alert fires any more.
    """

    name: ClassVar[str] = "still_firing"
    asks: ClassVar[str] = "that the alert is ours"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """By the incident and the newest policy."""
        objection = _not_ours(request)
        return Verdict(guard=self.name, allowed=not objection, text=objection or "the alerts are ours")


class StillFiring:
    """Blocks when no alert that the rule brought fires any more, or when one is of another cluster."""

    name: ClassVar[str] = "still_firing"
    asks: ClassVar[str] = "that the alert still fires and is ours"
    again: ClassVar[bool] = True
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Reads the episodes anew; ``guards.accept`` was compared when the alert came."""
        if objection := _not_ours(request):
            return Verdict(guard=self.name, allowed=False, text=objection)
        if request.expires:
            text = "it ends a change whose time is over, whether an alert fires or not"
            return Verdict(guard=self.name, allowed=True, text=text)
        firing = await ports.firing()
        text = f"{firing} alert{'' if firing == 1 else 's'} of the rule still firing"
        if not firing:
            text = "no alert of the rule fires any more"
        return Verdict(guard=self.name, allowed=firing > 0, text=text)


def _not_ours(request: ChangeRequest) -> str:
    """Why an alert of the incident is not ours; empty when all are."""
    if request.incident.foreign:
        return f"an alert is not ours to act upon: it fails guards.accept {request.incident.foreign}"
    fresh = [str(m) for m in request.policy.guards.accept if str(m) not in request.incident.accepted]
    if fresh:
        return f"guards.accept asks for {fresh[0]} since its alerts came, and they were not held to it"
    return ""
