"""Guard 7, ``flapping``: the incident does not come back again and again."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.times import format_duration
from remediator.core.verdicts import ChangeRequest, GuardPorts, Measure, Verdict


class FlappingGuard:
    """Blocks changes for an incident that was reopened ``guards.flapping.reopened`` times ``within`` a span.

    What was done for it before has not helped for long. It is for a person then.
    """

    name: ClassVar[str] = "flapping"
    asks: ClassVar[str] = "that the incident does not come back again and again"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """From what the incident itself knows, by the store's clock."""
        bound = request.policy.guards.flapping
        if bound is None:
            return Verdict(guard=self.name, allowed=True, text="guards.flapping is not set")
        since = await ports.now() - bound.within
        times, most = sum(at > since for at in request.incident.reopenings), bound.reopened - 1
        measure = Measure(what="reopenings", observed=times, allowed=most, within=bound.within)
        text = f"reopened {_times(times)} in the last {format_duration(bound.within)}, at most {most} allowed"
        allowed = times <= most
        return Verdict(guard=self.name, allowed=allowed, text=text, measures=(measure,))

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """``guards.flapping``."""
        bound = request.policy.guards.flapping
        if bound is None:
            return ()
        return (f"reopened at most {_times(bound.reopened - 1)} within {format_duration(bound.within)}",)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
