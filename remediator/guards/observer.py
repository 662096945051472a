"""Guard 8, ``observer``: it is not so bad everywhere at once that what we see must be wrong."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.cluster import Workload
from remediator.core.plugins import Permission
from remediator.core.policies import Policy, WorkloadRef
from remediator.core.verdicts import ChangeRequest, GuardPorts, Measure, Verdict

SUSPECT = 3
"""So many services without any ready pod, at the same time, and the observer is suspected."""
NAMED = 5


class Observer:
    """Blocks every change while three or more services of the catalog have no ready pod at all.

    Services rarely die together; what watches them does: a network between nodes and the API server, an API
    server that answers from a stale cache. Every workload of the catalog in ``guards.namespaces`` is looked
    at, with one list for each kind in each namespace. One that asks for no pods is not unhealthy. With fewer
    than three of them there is nothing to compare, and nothing is read.
    """

    name: ClassVar[str] = "observer"
    asks: ClassVar[str] = "that not so many services look dead at once that what we see must be wrong"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            group="apps",
            resource="{kind}s",
            verbs=("list",),
            catalog=True,
            why="see whether the other services look dead, too",
        ),
    )

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """A workload of the catalog that does not exist is not counted: nothing is seen of it."""
        refs = observed(request.policy)
        if not refs:
            text = f"fewer than {SUSPECT} services could be compared"
            return Verdict(guard=self.name, allowed=True, text=text)
        seen = await ports.workloads(refs)
        dead = sorted(str(each.ref) for each in seen if _is_dead(each))
        measure = Measure(
            what="services without a ready pod", observed=len(dead), allowed=SUSPECT - 1, of=len(seen)
        )
        text = f"{len(dead)} of {len(seen)} services have no ready pod, at most {SUSPECT - 1} allowed"
        if len(dead) < SUSPECT:
            return Verdict(guard=self.name, allowed=True, text=text, measures=(measure,))
        named = ", ".join(dead[:NAMED]) + (", …" if len(dead) > NAMED else "")
        text = f"{text}: {named}; that they all died is less likely than that they cannot be seen"
        return Verdict(guard=self.name, allowed=False, text=text, measures=(measure,))


def _is_dead(workload: Workload) -> bool:
    return workload.desired > 0 and workload.ready <= 0


def observed(policy: Policy) -> tuple[WorkloadRef, ...]:
    """The workloads that are compared, each once; none where there are too few."""
    allowed = frozenset(policy.guards.namespaces)
    named = (service.workload for service in policy.services.values())
    found = {ref.path: ref for ref in named if ref is not None and ref.namespace in allowed}
    return tuple(found[path] for path in sorted(found)) if len(found) >= SUSPECT else ()
