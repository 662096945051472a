"""Scheduler and kubelet: pods get a node, start, become what their behaviour says, and stop."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.behaviour import Behaviour, Health, revision_of
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import PODS, REPLICA_SETS
from remediator.testing.apiserver.objects import Json, Key, clone, condition, deleting, key_of
from remediator.testing.apiserver.store import Event

_FINISHED = {"Succeeded", "Failed"}
_EXIT = 1
_RESTARTS = 5


class Kubelet:
    """Answers for pods. Counts the addresses it hands out."""

    def __init__(self) -> None:
        self._scheduled = 0
        self._stopping: set[str] = set()
        self._starting: set[str] = set()

    def keys(self, _cluster: Cluster, event: Event) -> Iterable[Key]:
        """Every pod that changes."""
        if event.kind is PODS and event.type != "DELETED":
            yield event.key

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Schedule a new pod, start it, or stop one that is being deleted."""
        pod = cluster.store.get(PODS, key)
        if pod is None:
            return
        uid = pod["metadata"]["uid"]
        if deleting(pod):
            if uid not in self._stopping:
                self._stopping.add(uid)
                self._stop(cluster, key, uid)
        elif _unschedulable(pod):
            return
        elif "startTime" not in pod["status"]:
            self._schedule(cluster, pod)
        elif uid not in self._starting and "podIP" not in pod["status"]:
            self._starting.add(uid)
            delay = cluster.behaviours.ready_after(workload_of(cluster, pod), cluster.pace.ready_after)
            cluster.after(delay, lambda: self._started(cluster, key, uid))

    def _schedule(self, cluster: Cluster, pod: Json) -> None:
        bound = clone(pod)
        if "nodeName" not in bound["spec"]:
            if not cluster.nodes:
                return
            bound["spec"]["nodeName"] = cluster.nodes[self._scheduled % len(cluster.nodes)]
            self._scheduled += 1
        now = cluster.timestamp()
        bound["status"]["conditions"] = _conditions(now, [], ready=False, started=False)
        bound["status"] |= {"hostIP": _host_ip(cluster, bound), "hostIPs": [{"ip": _host_ip(cluster, bound)}]}
        bound["status"]["startTime"] = now
        cluster.store.put(PODS, bound)

    def _started(self, cluster: Cluster, key: Key, uid: str) -> None:
        self._starting.discard(uid)
        pod = cluster.store.get(PODS, key)
        if pod is None or pod["metadata"]["uid"] != uid or deleting(pod):
            return
        address = sum(map(int, pod["metadata"]["resourceVersion"])) + int(pod["metadata"]["resourceVersion"])
        address_text = f"10.244.{address // 250 % 250}.{address % 250 + 2}"
        started = clone(pod)
        started["status"] |= {"podIP": address_text, "podIPs": [{"ip": address_text}]}
        health = cluster.behaviours.health_of(workload_of(cluster, pod), revision_of(pod))
        cluster.moments[uid] = cluster.clock()
        cluster.store.put(PODS, with_health(started, health, cluster.timestamp()))

    def _stop(self, cluster: Cluster, key: Key, uid: str) -> None:
        def present() -> Json | None:
            pod = cluster.store.get(PODS, key)
            return pod if pod is not None and pod["metadata"]["uid"] == uid else None

        def killed() -> None:
            if (pod := present()) is not None:
                dead = with_health(clone(pod), Health.UNREADY, cluster.timestamp())
                cluster.set_status(PODS, key, dead["status"] | {"phase": "Failed"})

        def gone() -> None:
            self._stopping.discard(uid)
            if present() is not None:
                cluster.store.remove(PODS, key)

        cluster.after(cluster.pace.stop_after / 2, killed)
        cluster.after(cluster.pace.stop_after, gone)


def _unschedulable(pod: Json) -> bool:
    """Whether its status says that no node fits it; a restored pod stays so."""
    found = condition(pod, "PodScheduled")
    return found is not None and found["status"] == "False"


def apply_behaviour(cluster: Cluster, key: Key, behaviour: Behaviour, revision: str | None) -> None:
    """Give a workload (or a bare pod) a behaviour, and turn its present pods to it."""
    cluster.behaviours.assign(key, behaviour, revision)
    if behaviour.present is None:
        return
    for pod in cluster.store.list(PODS, key[0]):
        if workload_of(cluster, pod) == key and "podIP" in pod["status"] and not deleting(pod):
            cluster.moments[pod["metadata"]["uid"]] = cluster.clock()
            cluster.store.put(PODS, with_health(clone(pod), behaviour.present, cluster.timestamp()))


def workload_of(cluster: Cluster, pod: Json) -> Key:
    """The workload a person would name for this pod: its Deployment, StatefulSet, DaemonSet, or itself."""
    namespace, name = key_of(pod)
    for owner in pod["metadata"].get("ownerReferences", ()):
        if not owner.get("controller"):
            continue
        name = owner["name"]
        replica_set = (
            cluster.store.get(REPLICA_SETS, (namespace, name)) if owner["kind"] == "ReplicaSet" else None
        )
        for above in (replica_set or {"metadata": {}})["metadata"].get("ownerReferences", ()):
            name = above["name"]
    return namespace, name


def is_ready(pod: Json) -> bool:
    """Whether its Ready condition is true."""
    return any(
        entry["type"] == "Ready" and entry["status"] == "True"
        for entry in pod["status"].get("conditions", ())
    )


def is_active(pod: Json) -> bool:
    """Whether it counts: neither finished nor being deleted."""
    return not deleting(pod) and pod["status"].get("phase") not in _FINISHED


def with_health(pod: Json, health: Health, now: str) -> Json:
    """The pod with the status of containers in that health (changed in place, and returned)."""
    status = pod["status"]
    ready = health is Health.HEALTHY
    names = [container["name"] for container in pod["spec"]["containers"]]
    status["phase"] = "Running"
    status["conditions"] = _conditions(now, [] if ready else names, ready=ready, started=True)
    status["containerStatuses"] = [_container(pod, entry, health, now) for entry in pod["spec"]["containers"]]
    return pod


def _container(pod: Json, container: Json, health: Health, now: str) -> Json:
    uid, (namespace, name) = pod["metadata"]["uid"], key_of(pod)
    crashing = health is Health.CRASHING
    state: Json = {"running": {"startedAt": now}}
    last: Json = {}
    if crashing:
        where = f"container={container['name']} pod={name}_{namespace}({uid})"
        message = f"back-off 5m0s restarting failed {where}"
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        last = {"terminated": {"exitCode": _EXIT, "reason": "Error", "startedAt": now, "finishedAt": now}}
    return {
        "name": container["name"],
        "state": state,
        "lastState": last,
        "ready": health is Health.HEALTHY,
        "restartCount": _RESTARTS if crashing else 0,
        "image": container.get("image", ""),
        "imageID": "",
        "started": not crashing,
    }


def _conditions(now: str, unready: list[str], *, ready: bool, started: bool) -> list[Json]:
    def entry(of: str, holds: bool, why: Json) -> Json:
        return {"type": of, "status": str(holds), "lastProbeTime": None, "lastTransitionTime": now} | why

    why: Json = {}
    if unready:
        why = {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(unready)}]",
        }
    return [
        entry("PodReadyToStartContainers", started, {}),
        entry("Initialized", True, {}),
        entry("Ready", ready, why),
        entry("ContainersReady", ready, why),
        entry("PodScheduled", True, {}),
    ]


def _host_ip(cluster: Cluster, pod: Json) -> str:
    node = pod["spec"]["nodeName"]
    return f"10.99.0.{cluster.nodes.index(node) + 1 if node in cluster.nodes else 250}"
