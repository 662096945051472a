"""The node controllers: a kubelet that falls silent, taints, and the pods that do not tolerate them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.pod_status import in_order
from remediator.testing.apiserver.controllers.scheduler import toleration
from remediator.testing.apiserver.kinds import NODES, PODS
from remediator.testing.apiserver.machines import with_heartbeat
from remediator.testing.apiserver.objects import Json, Key, clone, condition, deleting, key_of
from remediator.testing.apiserver.store import Event

_SILENCE = 50.0
"""Seconds after which a node that does not report is Unknown (its grace period, and the time to notice)."""
_EVICT_AFTER = 5.0
"""Seconds between a taint that keeps new pods away and the one that drives pods out."""
_ONE_BY_ONE = 4
"""How often the controllers look before the next pod of a lost node is given up."""
_UNREACHABLE = "node.kubernetes.io/unreachable"


class Machines:
    """Keeps the conditions and taints of nodes, and deletes pods that a taint drives out."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Nodes that change, and the node of a pod that does."""
        if event.kind is NODES and event.type != "DELETED":
            yield event.key
        elif event.kind is PODS and event.type != "DELETED" and "nodeName" in event.obj["spec"]:
            node = cluster.store.get(NODES, ("", event.obj["spec"]["nodeName"]))
            if node is not None and any(_drives_out(one) for one in node["spec"].get("taints", ())):
                yield key_of(node)

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """One step for one node."""
        node = cluster.store.get(NODES, key)
        if node is None:
            return
        for pod in cluster.store.list(PODS):
            if pod["spec"].get("nodeName") == key[1] and not deleting(pod):
                self._drive_out(cluster, key, pod)

    def fall_silent(self, cluster: Cluster, name: str) -> None:
        """The kubelet of a node has died."""
        key = ("", name)

        def silent() -> bool:
            return name in cluster.dead_nodes and cluster.store.get(NODES, key) is not None

        def unknown() -> None:
            if silent():
                self._lose(cluster, key)
                _set_taint(cluster, key, {"key": _UNREACHABLE, "effect": "NoSchedule"}, wanted=True)

        def evict() -> None:
            if silent():
                _set_taint(cluster, key, {"key": _UNREACHABLE, "effect": "NoExecute"}, wanted=True)

        second = cluster.pace.second
        cluster.after(_SILENCE * second, unknown, deadline=True)
        cluster.after((_SILENCE + _EVICT_AFTER) * second, evict, deadline=True)

    def _lose(self, cluster: Cluster, key: Key) -> None:
        node = cluster.store.get(NODES, key)
        assert node is not None
        cluster.store.put(NODES, with_heartbeat(node, cluster.timestamp(), alive=False))
        message = f"Node {key[1]} status is now: NodeNotReady"
        announce(cluster, node, "node-controller", "NodeNotReady", message)
        lost = [key_of(pod) for pod in cluster.store.list(PODS) if pod["spec"].get("nodeName") == key[1]]
        for number, pod in enumerate(lost):
            cluster.after(number * _ONE_BY_ONE * cluster.pace.lag, partial(_give_up, cluster, pod))

    def speak_again(self, cluster: Cluster, name: str) -> None:
        """The kubelet of a node is back: it reports, its pods are ready again, the taints go one by one."""
        key = ("", name)
        node = cluster.store.get(NODES, key)
        if node is None:
            return
        cluster.store.put(NODES, with_heartbeat(node, cluster.timestamp(), alive=True))
        _set_taint(cluster, key, {"key": _UNREACHABLE, "effect": "NoSchedule"}, wanted=False)
        for pod in cluster.store.list(PODS):
            if pod["spec"].get("nodeName") == name:
                _ready_again(cluster, pod)

        def let_be() -> None:
            if name not in cluster.dead_nodes:
                _set_taint(cluster, key, {"key": _UNREACHABLE, "effect": "NoExecute"}, wanted=False)

        cluster.after(_EVICT_AFTER * cluster.pace.second, let_be)

    def _drive_out(self, cluster: Cluster, key: Key, pod: Json) -> None:
        """Delete a pod on a node with a NoExecute taint, at once or when its toleration ends."""
        node = cluster.store.get(NODES, key)
        taints = [one for one in (node or {"spec": {}})["spec"].get("taints", ()) if _drives_out(one)]
        uid = pod["metadata"]["uid"]
        if not taints:
            if cluster.moments.pop(f"{uid} tainted", None) is not None:
                message = f"Cancelling deletion of Pod {'/'.join(key_of(pod))}"
                announce(cluster, pod, "taint-eviction-controller", "TaintManagerEviction", message)
            return
        tolerated = [toleration(pod, taint) for taint in taints]
        times = [one["tolerationSeconds"] for one in tolerated if one and "tolerationSeconds" in one]
        if all(tolerated) and not times:
            return
        wait = 0.0 if not all(tolerated) else min(times) * cluster.pace.second
        if f"{uid} tainted" in cluster.moments:
            return
        cluster.moments[f"{uid} tainted"] = cluster.clock()

        def end() -> None:
            present = cluster.store.get(PODS, key_of(pod))
            same = present is not None and present["metadata"]["uid"] == uid
            if present is not None and same and f"{uid} tainted" in cluster.moments:
                _evict(cluster, present)

        cluster.after(wait, end, deadline=True)


def _drives_out(taint: Json) -> bool:
    return bool(taint["effect"] == "NoExecute")


def _set_taint(cluster: Cluster, key: Key, taint: Json, *, wanted: bool) -> None:
    node = cluster.store.get(NODES, key)
    if node is None:
        return

    def same(one: Json) -> bool:
        return bool((one["key"], one["effect"]) == (taint["key"], taint["effect"]))

    taints = node["spec"].get("taints", [])
    if any(map(same, taints)) == wanted:
        return
    changed = clone(node)
    left = [one for one in taints if not same(one)]
    changed["spec"]["taints"] = [*left, taint | {"timeAdded": cluster.timestamp()}] if wanted else left
    if not changed["spec"]["taints"]:
        del changed["spec"]["taints"]
    cluster.store.put(NODES, changed)


def _give_up(cluster: Cluster, key: Key) -> None:
    """A pod on a node that does not report is not ready, whatever its containers do."""
    pod = cluster.store.get(PODS, key)
    ready = condition(pod, "Ready") if pod is not None else None
    if pod is None or ready is None or ready["status"] != "True":
        return
    changed = clone(pod)
    for entry in changed["status"]["conditions"]:
        if entry["type"] == "Ready":
            entry |= {"status": "False", "lastTransitionTime": cluster.timestamp()}
    cluster.store.put(PODS, changed)
    announce(cluster, pod, "node-controller", "NodeNotReady", "Node is not ready", warning=True)


def _ready_again(cluster: Cluster, pod: Json) -> None:
    changed = clone(pod)
    containers = condition(pod, "ContainersReady")
    for entry in changed["status"].get("conditions", ()):
        if entry["type"] == "Ready" and containers is not None and entry["status"] != containers["status"]:
            entry |= {"status": containers["status"], "lastTransitionTime": cluster.timestamp()}
    cluster.store.put(PODS, in_order(changed))


def _evict(cluster: Cluster, pod: Json) -> None:
    message = f"Marking for deletion Pod {'/'.join(key_of(pod))}"
    announce(cluster, pod, "taint-eviction-controller", "TaintManagerEviction", message)
    why = {"reason": "DeletionByTaintManager", "message": "Taint manager: deleting due to NoExecute taint"}
    cluster.store.put(PODS, with_disruption(cluster, pod, why))
    cluster.delete(PODS, key_of(pod))


def with_disruption(cluster: Cluster, pod: Json, why: Json) -> Json:
    """A copy of the pod that says that it is about to be disrupted."""
    marked, now = clone(pod), cluster.timestamp()
    entry = {"type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    others = [one for one in marked["status"].get("conditions", ()) if one["type"] != "DisruptionTarget"]
    marked["status"]["conditions"] = [*others, entry | why]
    return marked
