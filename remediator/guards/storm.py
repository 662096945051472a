"""Guard 7, ``storm``: not so much is failing at once that the trouble is elsewhere."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.remedy import ACT_WITHIN
from remediator.core.times import Millis, format_duration, format_instant
from remediator.core.verdicts import ChangeRequest, GuardPorts, Measure, Verdict


class StormGuard:
    """Blocks every change for ``guards.storm.stop_for`` after ``incidents`` opened ``within`` a span.

    Every incident counts, whatever its rule is trusted with; one that opens again and again counts once. A
    step for which the stop is over within a few minutes waits for that.
    """

    name: ClassVar[str] = "storm"
    asks: ClassVar[str] = "that no storm of incidents is on"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """By the store's clock, from the incidents that it saw open: the same on every replica."""
        bound = request.policy.guards.storm
        if bound is None:
            return Verdict(guard=self.name, allowed=True, text="guards.storm is not set")
        openings = await ports.openings(Millis(bound.within + bound.stop_for))
        storm, span = openings.storm(bound), format_duration(bound.within)
        if storm is None:
            count, most = openings.within(bound.within), bound.incidents - 1
            measure = Measure(what="incidents opened", observed=count, allowed=most, within=bound.within)
            text = f"{count} opened in the last {span}, at most {most} allowed"
            return Verdict(guard=self.name, allowed=True, text=text, measures=(measure,))
        text = (
            f"{storm.incidents} incidents opened within {span}, at most {bound.incidents - 1} allowed: "
            f"nothing is changed before {format_instant(storm.until)}"
        )
        measure = Measure(
            what="incidents opened",
            observed=storm.incidents,
            allowed=bound.incidents - 1,
            within=bound.within,
        )
        left = Millis(storm.until - openings.at)
        again = left if left < ACT_WITHIN else None
        return Verdict(guard=self.name, allowed=False, text=text, retry_after=again, measures=(measure,))

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """``guards.storm``."""
        bound = request.policy.guards.storm
        if bound is None:
            return ()
        within, stop = format_duration(bound.within), format_duration(bound.stop_for)
        return (f"at most {bound.incidents - 1} incidents opened within {within}, else nothing for {stop}",)
