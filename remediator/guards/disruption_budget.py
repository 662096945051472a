"""Guard 11, ``disruption_budget``: the PodDisruptionBudgets over the target allow it."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.changes import EvictPod
from remediator.core.disruption import healthy_taken, pod_changes
from remediator.core.objects import NODE
from remediator.core.plugins import Permission
from remediator.core.times import SECOND, Millis
from remediator.core.verdicts import ChangeRequest, GuardPorts, Measure, Verdict
from remediator.guards.evictions import budgets as budgets_of


class DisruptionBudget:
    """Blocks a change that would take away more healthy pods than a PodDisruptionBudget lets go now.

    The API server holds evictions to budgets and nothing else; this guard holds every change to them. Of a
    drain, which evicts one pod after the other and waits for what a budget forbids, it asks only whether that
    is possible.
    """

    name: ClassVar[str] = "disruption_budget"
    asks: ClassVar[str] = "that the disruption budgets over its pods allow it"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            group="policy",
            resource="poddisruptionbudgets",
            verbs=("list",),
            disrupting=True,
            why="find the budgets over its pods",
        ),
    )

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """A budget that is spent now may have room again in a moment."""
        target = request.target
        if target is None:
            return Verdict(guard=self.name, allowed=False, text="there is no target")
        changes = await ports.plan()
        if target.kind == NODE:
            text, allowed = await budgets_of(changes, ports)
            return Verdict(guard=self.name, allowed=allowed, text=text)
        seen, single = await ports.workload(target), pod_changes(changes)
        taken = healthy_taken(changes, seen, await ports.pods() if single else ())
        if not taken and not any(isinstance(change, EvictPod) for change in single):
            return Verdict(guard=self.name, allowed=True, text="no healthy pod is taken away")
        budgets = await ports.budgets()
        if len(budgets) > 1 and any(isinstance(change, EvictPod) for change in single):
            names = ", ".join(budget.name for budget in budgets)
            text = f"budgets {names} select the same pods: the API server evicts none of them"
            return Verdict(guard=self.name, allowed=False, text=text)
        if not budgets:
            return Verdict(guard=self.name, allowed=True, text="no budget selects its pods")
        tightest = min(budgets, key=lambda budget: budget.allowed)
        text = f"budget {tightest.name} lets {tightest.allowed} go, {taken} would be taken away"
        measures = (Measure(what="healthy pods taken away", observed=taken, allowed=tightest.allowed),)
        if taken <= tightest.allowed:
            return Verdict(guard=self.name, allowed=True, text=text, measures=measures)
        again = Millis(10 * SECOND)
        return Verdict(guard=self.name, allowed=False, text=text, retry_after=again, measures=measures)
