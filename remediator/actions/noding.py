"""What actions on nodes have in common: what they see, and what they may do."""

from __future__ import annotations

from remediator.core.cluster import Snapshot
from remediator.core.errors import Refused
from remediator.core.nodes import NodeState
from remediator.core.plugins import Permission

NODE_LISTED = Permission(
    group="",
    resource="nodes",
    verbs=("list",),
    cluster_wide=True,
    why="see that other nodes can take pods, and that not so many look dead that what we see must be wrong",
)
NODE_PATCHED = Permission(
    group="",
    resource="nodes",
    verbs=("get", "patch"),
    acting=True,
    cluster_wide=True,
    why="write the lease's epoch onto the node, and whether pods are placed there",
)


def node_of(seen: Snapshot) -> NodeState:
    """The node that was seen. Raises Refused for what is none."""
    if seen.workload.node is None:
        raise Refused(f"{seen.workload.ref} is no node")
    return seen.workload.node
