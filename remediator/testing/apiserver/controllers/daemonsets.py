"""The DaemonSet controller: one pod on every node, replaced a few nodes at a time.

``maxSurge`` is taken as if it were ``maxUnavailable``: a node never has two pods here.
"""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers import revisions
from remediator.testing.apiserver.controllers.availability import count_available
from remediator.testing.apiserver.controllers.making import make_pod, owners_with_room, tell_refused
from remediator.testing.apiserver.controllers.pods import is_ready
from remediator.testing.apiserver.controllers.progress import portion
from remediator.testing.apiserver.kinds import DAEMON_SETS, NODES, PODS
from remediator.testing.apiserver.objects import Json, Key, deleting, digest, key_of
from remediator.testing.apiserver.store import Event

_TOLERATIONS = tuple(
    {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": effect}
    for effect, names in {
        "NoExecute": ("not-ready", "unreachable"),
        "NoSchedule": ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"),
    }.items()
    for what in names
)


class DaemonSets:
    """Creates and replaces a pod on each node."""

    def __init__(self) -> None:
        self._named = 0

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """DaemonSets that change, and owners of pods that do."""
        if event.kind is DAEMON_SETS and event.type != "DELETED":
            yield event.key
        elif event.kind is PODS:
            yield from revisions.owner_keys(DAEMON_SETS, event.obj)
        else:
            yield from owners_with_room(cluster, DAEMON_SETS, event)

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Create what is missing, take away what is old, then count."""
        owner = cluster.store.get(DAEMON_SETS, key)
        if owner is None:
            return
        if not deleting(owner):
            revision = revisions.ensure_revision(cluster, owner)
            self._fill(cluster, owner, revision)
            self._replace(cluster, owner, revision)
        self._write_status(cluster, key)

    def _fill(self, cluster: Cluster, owner: Json, revision: str) -> None:
        taken = {_node_of(pod) for pod in revisions.owned_pods(cluster, owner)}
        for node in _nodes(cluster):
            if node in taken:
                continue
            self._named += 1
            name = f"{owner['metadata']['name']}-{digest([node, self._named])[-5:]}"
            generation = str(owner["metadata"]["generation"])
            labels = {revisions.HASH: revision, "pod-template-generation": generation}
            pod = revisions.pod_from(owner, owner["spec"]["template"], name, labels)
            pod["metadata"]["generateName"] = f"{owner['metadata']['name']}-"
            pod["spec"] |= {"affinity": _only_on(node), "tolerations": [*_TOLERATIONS]}
            if refused := make_pod(cluster, pod):
                tell_refused(cluster, owner, "daemonset-controller", refused)
                return
            announce(cluster, owner, "daemonset-controller", "SuccessfulCreate", f"Created pod: {name}")

    def _replace(self, cluster: Cluster, owner: Json, revision: str) -> None:
        strategy = owner["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        rolling, nodes = strategy["rollingUpdate"], len(_nodes(cluster))
        allowed = portion(rolling["maxUnavailable"], nodes, up=True) or portion(
            rolling["maxSurge"], nodes, up=True
        )
        pods = revisions.owned_pods(cluster, owner)
        up = [pod for pod in pods if is_ready(pod) and not deleting(pod)]
        room = allowed - (nodes - len(up))
        old = [pod for pod in pods if not deleting(pod) and not _is_of(pod, revision)]
        for pod in old:
            if is_ready(pod) and room <= 0:
                continue
            room -= is_ready(pod)
            cluster.delete(PODS, key_of(pod))
            message = f"Deleted pod: {pod['metadata']['name']}"
            announce(cluster, owner, "daemonset-controller", "SuccessfulDelete", message)

    def _write_status(self, cluster: Cluster, key: Key) -> None:
        owner = cluster.store.get(DAEMON_SETS, key)
        if owner is None:
            return
        pods = revisions.owned_pods(cluster, owner)
        if any(deleting(pod) and not is_ready(pod) for pod in pods):
            return  # the next count comes with the pod that replaces this one
        revision = digest(owner["spec"]["template"])
        available = count_available(cluster, owner, pods, lambda: cluster.enqueue(self, key))
        status = {
            "currentNumberScheduled": len(pods),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": len(_nodes(cluster)),
            "numberReady": sum(map(is_ready, pods)),
            "observedGeneration": owner["metadata"]["generation"],
        }
        optional = {
            "updatedNumberScheduled": sum(_is_of(pod, revision) for pod in pods),
            "numberAvailable": available,
            "numberUnavailable": len(_nodes(cluster)) - available,
        }
        status |= {name: count for name, count in optional.items() if count}
        cluster.set_status(DAEMON_SETS, key, status)


def _is_of(pod: Json, revision: str) -> bool:
    return bool(pod["metadata"]["labels"].get(revisions.HASH) == revision)


def _nodes(cluster: Cluster) -> list[str]:
    return [node["metadata"]["name"] for node in cluster.store.list(NODES)]


def _only_on(node: str) -> Json:
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _node_of(pod: Json) -> str:
    """Where it runs, or where it is meant to."""
    if "nodeName" in pod["spec"]:
        return str(pod["spec"]["nodeName"])
    affinity = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(affinity["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])
