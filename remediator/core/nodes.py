"""Nodes: what is known of one, and which actions are for them. Pure.

A node is in no namespace. As the target of a step it is seen as a ``core.cluster.Workload`` of one pod, which
is ready while the node is: so guards, marks and epochs speak of it as of any other object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remediator.core.objects import NODE

MANAGER = "remediator"
"""Under which name we write fields (``metadata.managedFields``)."""
NODE_ACTIONS = frozenset(("cordon", "drain", "uncordon"))
"""Actions whose target is a node. Those of all others is a workload."""
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
"""Labels of nodes on which the API server itself runs: such a node is never changed."""
UNSCHEDULABLE_TAINT = "node.kubernetes.io/unschedulable"
"""What a cordoned node carries as well."""
CORDONED_AT = "remediator/cordoned-at"
"""On a Node: when we cordoned it. It counts only while we own the field that says so, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeState:
    """What a Node is beyond being an object. ``trouble``: why it is not ready, as its kubelet says.

    ``taints``: keys of those that keep pods away, beside its being cordoned. ``cordoned_by``: who last set
    that no pods are placed there, as far as the API server tells.
    """

    cordoned: bool = False
    control_plane: bool = False
    trouble: str = ""
    taints: tuple[str, ...] = ()
    cordoned_by: tuple[str, ...] = ()


def ours(state: NodeState, annotations: Mapping[str, str]) -> bool:
    """Whether it is we who cordoned it, and nobody else since.

    Our annotation stays where somebody uncordons the node and cordons it again; the API server's own record
    of who wrote the field tells that. Where it tells nothing, it is not known to be ours.
    """
    return state.cordoned and CORDONED_AT in annotations and MANAGER in state.cordoned_by


def is_control_plane(labels: Mapping[str, str]) -> bool:
    """Whether the API server, or what it needs, runs there."""
    return any(label in labels for label in CONTROL_PLANE)


def mismatch(action: str, kind: str, target: str) -> str:
    """Why the action is not for a target of that kind; empty when it is."""
    if action in NODE_ACTIONS and kind != NODE:
        return f"{action} changes a node, and {target} is none; give the rule target: {{node: …}}"
    if kind == NODE and action not in NODE_ACTIONS:
        return f"{action} needs a workload, and the target is {target}"
    return ""
