"""Guard 8, ``observer``: it is not so bad everywhere at once that what we see must be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from remediator.core.cluster import Workload
from remediator.core.objects import NODE
from remediator.core.plugins import Permission
from remediator.core.policies import Policy, WorkloadRef
from remediator.core.verdicts import ChangeRequest, GuardPorts, Measure, Verdict

SUSPECT = 3
"""So many services without any ready pod, at the same time, and the observer is suspected."""
NAMED = 5
_MEASURED = {"services": "services without a ready pod", "nodes": "nodes that are not ready"}


class Observer:
    """Blocks every change while three or more services of the catalog have no ready pod at all.

    Services rarely die together; what watches them does: a network between nodes and the API server, an API
    server that answers from a stale cache. Every workload of the catalog in ``guards.namespaces`` is looked
    at, with one list for each kind in each namespace. One that asks for no pods is not unhealthy. With fewer
    than three of them there is nothing to compare, and nothing is read. Where the target is a node, every
    node is looked at as well: nodes rarely die together, either.
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
        nodes: Sequence[Workload] = ()
        if request.target is not None and request.target.kind == NODE:
            nodes = await ports.nodes()
            silent = [each for each in nodes if not each.ready]
            if len(silent) >= SUSPECT:
                return self._blocked(silent, len(nodes), "nodes", "are not ready")
        refs = observed(request.policy)
        if not refs and nodes:
            text = f"fewer than {SUSPECT} of {len(nodes)} nodes are not ready"
            return Verdict(guard=self.name, allowed=True, text=text)
        if not refs:
            text = f"fewer than {SUSPECT} services could be compared"
            return Verdict(guard=self.name, allowed=True, text=text)
        seen = await ports.workloads(refs)
        dead = [each for each in seen if _is_dead(each)]
        if len(dead) >= SUSPECT:
            return self._blocked(dead, len(seen), "services", "have no ready pod")
        measure = Measure(what=_MEASURED["services"], observed=len(dead), allowed=SUSPECT - 1, of=len(seen))
        text = f"{len(dead)} of {len(seen)} services have no ready pod, at most {SUSPECT - 1} allowed"
        return Verdict(guard=self.name, allowed=True, text=text, measures=(measure,))

    def _blocked(self, dead: Sequence[Workload], of: int, what: str, how: str) -> Verdict:
        names = sorted(str(each.ref) for each in dead)
        named = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
        measure = Measure(what=_MEASURED[what], observed=len(dead), allowed=SUSPECT - 1, of=of)
        text = (
            f"{len(dead)} of {of} {what} {how}, at most {SUSPECT - 1} allowed: {named}; that they all died "
            "is less likely than that they cannot be seen"
        )
        return Verdict(guard=self.name, allowed=False, text=text, measures=(measure,))


def _is_dead(workload: Workload) -> bool:
    return workload.desired > 0 and workload.ready <= 0


def observed(policy: Policy) -> tuple[WorkloadRef, ...]:
    """The workloads that are compared, each once; none where there are too few."""
    allowed = frozenset(policy.guards.namespaces)
    named = (service.workload for service in policy.services.values())
    found = {ref.path: ref for ref in named if ref is not None and ref.namespace in allowed}
    return tuple(found[path] for path in sorted(found)) if len(found) >= SUSPECT else ()
