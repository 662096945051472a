"""The kubelets: pods with a node are taken in, their containers started, and pods being deleted stopped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.behaviour import Behaviour
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers import pod_status
from remediator.testing.apiserver.controllers.containers import Containers
from remediator.testing.apiserver.controllers.pods import is_finished, owners, workload_of
from remediator.testing.apiserver.kinds import PODS
from remediator.testing.apiserver.logs import Logs
from remediator.testing.apiserver.machines import address_of
from remediator.testing.apiserver.objects import Json, Key, clone, condition, deleting, key_of
from remediator.testing.apiserver.programs import KILLED
from remediator.testing.apiserver.store import Event


class Kubelet:
    """Answers for the pods of every node. On a dead node nothing happens until its kubelet is back."""

    def __init__(self, logs: Logs) -> None:
        self.containers = Containers(logs)
        self._stopping: set[str] = set()
        self._starting: set[str] = set()
        self._waiting: deque[Callable[[], None]] = deque()

    def keys(self, _cluster: Cluster, event: Event) -> Iterable[Key]:
        """Every pod that changes."""
        if event.kind is not PODS:
            return
        if event.type == "DELETED":
            self.containers.forget(event.obj["metadata"]["uid"])
            self.containers.logs.forget(event.key)
        else:
            yield event.key

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Take in a new pod, start it, or stop one that is being deleted."""
        pod = cluster.store.get(PODS, key)
        if pod is None or pod["spec"].get("nodeName", "") in {"", *cluster.dead_nodes}:
            return
        uid = pod["metadata"]["uid"]
        if deleting(pod):
            self._end(cluster, key, pod)
        elif is_finished(pod) or condition(pod, "PodScheduled") is None:
            return
        elif "startTime" not in pod["status"]:
            host = address_of(cluster, pod["spec"]["nodeName"])
            cluster.store.put(PODS, pod_status.accepted(pod, host, cluster.timestamp()))
        elif "podIP" in pod["status"]:
            _look_at_gates(cluster, pod)
        elif uid not in self._starting:
            self._start_later(cluster, key, pod)

    def _start_later(self, cluster: Cluster, key: Key, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        delay = cluster.behaviours.ready_after(owners(cluster, pod), cluster.pace.ready_after)
        self._starting.add(uid)

        def start() -> None:
            self._starting.discard(uid)
            present = cluster.store.get(PODS, key)
            if present is not None and present["metadata"]["uid"] == uid and not deleting(present):
                self.containers.start(cluster, present)

        def due() -> None:
            self._waiting.append(start)
            if len(self._waiting) == 1:
                self._start_next(cluster)

        self.containers.frozen.later(cluster, pod["spec"]["nodeName"], delay, due, deadline=False)

    def _start_next(self, cluster: Cluster) -> None:
        """Start the first pod that is due, and the next one later, counted from when this one came up."""
        self._waiting[0]()
        if cluster.pace.spread:
            cluster.after(cluster.pace.spread, lambda: self._started(cluster))
        else:
            self._started(cluster)

    def _started(self, cluster: Cluster) -> None:
        self._waiting.popleft()
        if self._waiting:
            self._start_next(cluster)

    def _end(self, cluster: Cluster, key: Key, pod: Json) -> None:
        meta = pod["metadata"]
        if meta.get("deletionGracePeriodSeconds") == 0 and is_finished(pod):
            if not meta.get("finalizers"):
                cluster.store.remove(PODS, key)
            return
        if meta["uid"] in self._stopping:
            return
        self._stopping.add(meta["uid"])
        self.containers.forget(meta["uid"])
        if "podIP" in pod["status"]:
            _note_deletion(cluster, pod)
        self._later_still(cluster, key, pod, cluster.pace.stop_after / 2, self._stopped)

    def _later_still(
        self, cluster: Cluster, key: Key, pod: Json, delay: float, act: Callable[[Cluster, Key, Json], None]
    ) -> None:
        """Do something later with the pod as it is then, if it is still there."""
        uid = pod["metadata"]["uid"]

        def fire() -> None:
            present = cluster.store.get(PODS, key)
            if present is not None and present["metadata"]["uid"] == uid:
                act(cluster, key, present)
            else:
                self._stopping.discard(uid)

        self.containers.frozen.later(cluster, pod["spec"]["nodeName"], delay, fire, deadline=False)

    def _stopped(self, cluster: Cluster, key: Key, pod: Json) -> None:
        now = cluster.timestamp()
        if any("waiting" in one["state"] for one in pod["status"].get("containerStatuses", ())):
            cluster.store.put(PODS, pod_status.refresh(clone(pod), now, sandbox=False))
        cluster.store.put(PODS, _with_dead_containers(pod, now))
        self._later_still(cluster, key, pod, cluster.pace.stop_after / 2, self._gone)

    def _gone(self, cluster: Cluster, key: Key, pod: Json) -> None:
        """The kubelet confirms the end: a deletion without grace, which takes the pod away."""
        self._stopping.discard(pod["metadata"]["uid"])
        cluster.store.put(PODS, cluster.mark_deleting(PODS, pod, 0))
        if not pod["metadata"].get("finalizers"):
            cluster.store.remove(PODS, key)

    def apply(self, cluster: Cluster, key: Key, behaviour: Behaviour, revision: str | None) -> None:
        """Give a workload (or a bare pod) a behaviour, and turn its present pods to it."""
        cluster.behaviours.assign(key, behaviour, revision)
        if behaviour.present is None:
            return
        for pod in cluster.store.list(PODS, key[0]):
            if workload_of(cluster, pod) == key and "podIP" in pod["status"] and not deleting(pod):
                self.containers.turn(cluster, pod, behaviour.present)

    def kill(self, cluster: Cluster, node: str) -> None:
        """The kubelet of a node dies: its containers go on running, but nothing is reported or changed."""
        cluster.dead_nodes.add(node)

    def revive(self, cluster: Cluster, node: str) -> None:
        """The kubelet of a node is started again, and looks at its pods."""
        cluster.dead_nodes.discard(node)
        self.containers.frozen.thaw(node)
        for pod in cluster.store.list(PODS):
            if pod["spec"].get("nodeName") == node:
                cluster.enqueue(self, key_of(pod))
                if not deleting(pod):
                    self.containers.probe_anew(pod)


def _look_at_gates(cluster: Cluster, pod: Json) -> None:
    """Whoever answers for a readiness gate may have said another word: the pod is ready by it, or not."""
    if pod["spec"].get("readinessGates"):
        said = pod_status.refresh(clone(pod), cluster.timestamp())
        if said["status"] != pod["status"]:
            cluster.store.put(PODS, said)


def _note_deletion(cluster: Cluster, pod: Json) -> None:
    """What a kubelet writes when it learns of a deletion, before anything has stopped."""
    noted = clone(pod)
    for one in noted["status"].get("containerStatuses", ()):
        if "waiting" in one["state"] and not one["lastState"]:
            one["state"] = pod_status.waiting("ContainerCreating")
        elif "running" in one["state"]:
            message = f"Stopping container {one['name']}"
            host = pod["spec"]["nodeName"]
            announce(cluster, pod, "kubelet", "Killing", message, host=host, container=one["name"])
    cluster.store.put(PODS, pod_status.in_order(noted))


def _with_dead_containers(pod: Json, now: str) -> Json:
    dead = clone(pod)
    for one in dead["status"].setdefault("containerStatuses", []):
        state = one["state"]
        if "running" in state:
            started = state["running"].get("startedAt")
            one["state"] = pod_status.terminated(KILLED, "Error", started=started, finished=now)
        elif "waiting" in state and one["lastState"]:
            one["state"] = one["lastState"]
        elif "waiting" in state:
            message = "The container could not be located when the pod was terminated"
            one["state"] = pod_status.terminated(
                KILLED, pod_status.UNKNOWN, started=None, finished=None, message=message
            )
        one |= {"ready": False, "started": False}
    return pod_status.refresh(dead, now, sandbox=False)
