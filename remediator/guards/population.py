"""Guard 8, ``population``: enough healthy pods are left."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.disruption import healthy_taken, pod_changes
from remediator.core.objects import NODE
from remediator.core.plugins import Permission
from remediator.core.policies import WorkloadRef
from remediator.core.times import SECOND, Millis
from remediator.core.verdicts import ChangeRequest, GuardPorts, Measure, Verdict
from remediator.guards.evictions import population
from remediator.guards.node_population import last_node


class Population:
    """Blocks a change that would leave more than ``guards.max_unavailable`` of the target's pods unavailable.

    Only healthy pods that would be taken away count against it: acting on what is down already, and scaling
    up, cost nothing. Whoever else is at work there, such as a rollout, counts too. The last node that is
    ready and takes pods is never taken out.
    """

    name: ClassVar[str] = "population"
    asks: ClassVar[str] = "that enough healthy pods are left"
    again: ClassVar[bool] = False
    # It looks at the target and at what the plan was made from, which have been read by then.
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Plans the step and counts. While pods are being made it may be otherwise in a moment."""
        bound, target = request.policy.guards.max_unavailable, request.target
        if target is not None and target.kind == NODE:
            return await self._of_node(target, request, ports)
        if bound is None or target is None:
            return Verdict(guard=self.name, allowed=True, text="guards.max_unavailable is not set")
        changes = await ports.plan()
        seen = await ports.workload(target)
        pods = await ports.pods() if pod_changes(changes) else ()
        taken = healthy_taken(changes, seen, pods)
        if not taken:
            return Verdict(guard=self.name, allowed=True, text="no healthy pod is taken away")
        down, allowed = max(seen.desired - seen.ready, 0) + taken, bound.of(seen.desired)
        text = f"{down} of {seen.desired} unavailable, at most {allowed} allowed"
        measures = (Measure(what="pods unavailable", observed=down, allowed=allowed, of=seen.desired),)
        if down <= allowed:
            return Verdict(guard=self.name, allowed=True, text=text, measures=measures)
        again = None if seen.rolled_out else Millis(10 * SECOND)
        return Verdict(
            guard=self.name, allowed=False, text=f"{text} ({bound})", retry_after=again, measures=measures
        )

    async def _of_node(self, target: WorkloadRef, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        changes = await ports.plan()
        text, enough = last_node(target, changes, await ports.nodes())
        if not enough:
            return Verdict(guard=self.name, allowed=False, text=text)
        more, enough, measures = await population(changes, request, ports)
        text = f"{text}; {more}" if more and enough else more or text
        return Verdict(guard=self.name, allowed=enough, text=text, measures=measures)

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """``guards.max_unavailable``."""
        bound = request.policy.guards.max_unavailable
        return () if bound is None else (f"at most {bound} of its pods unavailable",)
