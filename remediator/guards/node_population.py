"""Guard 8 of a node, for ``population``: another node is left that takes pods."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core.changes import Change, UncordonNode
from remediator.core.cluster import Workload
from remediator.core.policies import WorkloadRef


def last_node(target: WorkloadRef, changes: Sequence[Change], nodes: Sequence[Workload]) -> tuple[str, bool]:
    """What is to be said of the nodes that are left, and whether they are enough.

    Whether the target itself is ready does not matter: what it can take, nobody will take when it is out.
    """
    if all(isinstance(change, UncordonNode) for change in changes):
        return "no node is taken out", True
    left = sum(takes_pods(one) for one in nodes if one.ref.path != target.path)
    if not left:
        return f"{target} is the last node: no other one is ready and takes pods", False
    return ("1 other node takes pods" if left == 1 else f"{left} other nodes take pods"), True


def takes_pods(node: Workload) -> bool:
    """Whether a pod that tolerates nothing could be placed there now."""
    return node.ready > 0 and node.node is not None and not (node.node.cordoned or node.node.taints)
