"""The taint of cordoned nodes, as the node lifecycle controller keeps it."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import NODES
from remediator.testing.apiserver.objects import Key, clone
from remediator.testing.apiserver.store import Event

_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class Cordons:
    """Nothing new is scheduled where ``spec.unschedulable`` says so: a taint says it, too."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Nodes that change."""
        if event.kind is NODES and event.type != "DELETED":
            yield event.key

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Set the taint, or take it away."""
        node = cluster.store.get(NODES, key)
        if node is None:
            return
        wanted = bool(node["spec"].get("unschedulable"))
        taints = node["spec"].get("taints", [])
        others = [taint for taint in taints if _TAINT.items() - taint.items()]
        if wanted == (len(others) < len(taints)):
            return
        changed = clone(node)
        changed["spec"].pop("taints", None)
        if wanted:
            others = [*others, {**_TAINT, "timeAdded": cluster.timestamp()}]
        if others:
            changed["spec"]["taints"] = others
        cluster.store.put(NODES, changed)
