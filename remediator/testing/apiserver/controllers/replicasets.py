"""The ReplicaSet controller: as many pods as it says, and a status that counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.availability import count_available
from remediator.testing.apiserver.controllers.making import make_pod, owners_with_room, tell_refused
from remediator.testing.apiserver.controllers.pods import is_active, is_ready
from remediator.testing.apiserver.kinds import PODS, REPLICA_SETS
from remediator.testing.apiserver.objects import (
    Json,
    Key,
    condition,
    deleting,
    digest,
    key_of,
    owner_reference,
    owner_uid,
)
from remediator.testing.apiserver.store import Event

_FAILURE = "ReplicaFailure"


class ReplicaSets:
    """Creates and deletes pods."""

    def __init__(self) -> None:
        self._named = 0

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """ReplicaSets that change, and owners of pods that do."""
        if event.kind is REPLICA_SETS:
            yield event.key
        elif event.kind is PODS:
            for reference in event.obj["metadata"].get("ownerReferences", ()):
                if reference["kind"] == "ReplicaSet":
                    yield event.obj["metadata"]["namespace"], reference["name"]
        else:
            yield from owners_with_room(cluster, REPLICA_SETS, event)

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Count, then create or delete what is missing or too much; that is counted at the next look."""
        replica_set = cluster.store.get(REPLICA_SETS, key)
        if replica_set is None:
            return
        pods = active_pods(cluster, replica_set)
        status = _status(cluster, replica_set, pods, lambda: cluster.enqueue(self, key))
        missing = replica_set["spec"]["replicas"] - len(pods)
        if missing > 0 and (failed := condition(replica_set, _FAILURE)) is not None:
            status["conditions"] = [failed]
        cluster.set_status(REPLICA_SETS, key, status)
        if deleting(replica_set):
            return
        for _ in range(missing):
            if refused := self._create(cluster, replica_set):
                self._fail(cluster, key, refused)
                break
        for pod in sorted(pods, key=_least_useful)[: max(0, -missing)]:
            cluster.delete(PODS, key_of(pod))
            self._tell(cluster, replica_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _tell(self, cluster: Cluster, replica_set: Json, reason: str, message: str) -> None:
        announce(cluster, replica_set, "replicaset-controller", reason, message)

    def _fail(self, cluster: Cluster, key: Key, why: str) -> None:
        """Say that pods cannot be made."""
        replica_set = cluster.store.get(REPLICA_SETS, key)
        assert replica_set is not None
        if condition(replica_set, _FAILURE) is None:
            since = {"lastTransitionTime": cluster.timestamp(), "reason": "FailedCreate", "message": why}
            failed = {"type": _FAILURE, "status": "True", **since}
            cluster.set_status(REPLICA_SETS, key, replica_set["status"] | {"conditions": [failed]})
            tell_refused(cluster, replica_set, "replicaset-controller", why)

    def _create(self, cluster: Cluster, replica_set: Json) -> str:
        """Make one pod; why it was refused, or nothing."""
        self._named += 1
        template, (namespace, name) = replica_set["spec"]["template"], key_of(replica_set)
        meta = {
            "name": f"{name}-{digest([name, self._named])[-5:]}",
            "generateName": f"{name}-",
            "namespace": namespace,
            "ownerReferences": [owner_reference(replica_set)],
        }
        for field in ("labels", "annotations"):
            if template["metadata"].get(field):
                meta[field] = template["metadata"][field]
        refused = make_pod(cluster, {"metadata": meta, "spec": template["spec"]})
        if not refused:
            self._tell(cluster, replica_set, "SuccessfulCreate", f"Created pod: {meta['name']}")
        return refused


def _least_useful(pod: Json) -> tuple[bool, bool, int]:
    """First to go: not yet scheduled, then not ready, then the youngest."""
    return bool(pod["spec"].get("nodeName")), is_ready(pod), -int(pod["metadata"]["resourceVersion"])


def active_pods(cluster: Cluster, owner: Json) -> list[Json]:
    """The pods of an owner that count."""
    uid = owner["metadata"]["uid"]
    pods = cluster.store.list(PODS, owner["metadata"]["namespace"])
    return [pod for pod in pods if owner_uid(pod) == uid and is_active(pod)]


def _status(cluster: Cluster, replica_set: Json, pods: list[Json], again: Callable[[], None]) -> Json:
    ready, available = sum(map(is_ready, pods)), count_available(cluster, replica_set, pods, again)
    labels = replica_set["spec"]["template"]["metadata"].get("labels", {}).items()
    labelled = sum(labels <= pod["metadata"].get("labels", {}).items() for pod in pods)
    status: Json = {"replicas": len(pods)}
    counts = {"fullyLabeledReplicas": labelled, "readyReplicas": ready, "availableReplicas": available}
    status |= {name: count for name, count in counts.items() if count}
    return status | {"observedGeneration": replica_set["metadata"]["generation"]}
