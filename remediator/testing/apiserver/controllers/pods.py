"""What controllers ask of pods."""

from __future__ import annotations

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import JOBS, REPLICA_SETS, Kind
from remediator.testing.apiserver.objects import Json, Key, deleting, key_of

FINISHED = {"Succeeded", "Failed"}
_BETWEEN: dict[str, Kind] = {"ReplicaSet": REPLICA_SETS, "Job": JOBS}
"""Owners that may have an owner themselves: a Deployment, a CronJob."""


def is_ready(pod: Json) -> bool:
    """Whether its Ready condition is true."""
    return any(
        entry["type"] == "Ready" and entry["status"] == "True"
        for entry in pod["status"].get("conditions", ())
    )


def is_finished(pod: Json) -> bool:
    """Whether it has ended for good."""
    return pod["status"].get("phase") in FINISHED


def is_active(pod: Json) -> bool:
    """Whether it counts: neither finished nor being deleted."""
    return not deleting(pod) and not is_finished(pod)


def owners(cluster: Cluster, pod: Json) -> list[Key]:
    """Who may be meant when somebody speaks of this pod's workload: the pod, its owner, the owner's owner."""
    namespace, name = key_of(pod)
    found = [(namespace, name)]
    obj: Json | None = pod
    while obj is not None:
        owner = next(
            (one for one in obj["metadata"].get("ownerReferences", ()) if one.get("controller")), None
        )
        if owner is None:
            break
        found.append((namespace, owner["name"]))
        kind = _BETWEEN.get(owner["kind"])
        obj = None if kind is None else cluster.store.get(kind, (namespace, owner["name"]))
    return found


def workload_of(cluster: Cluster, pod: Json) -> Key:
    """The workload a person would name for this pod: its Deployment, StatefulSet, Job or so, or itself."""
    namespace, name = key_of(pod)
    for owner in pod["metadata"].get("ownerReferences", ()):
        if not owner.get("controller"):
            continue
        name = owner["name"]
        found = cluster.store.get(REPLICA_SETS, (namespace, name)) if owner["kind"] == "ReplicaSet" else None
        for above in (found or {"metadata": {}})["metadata"].get("ownerReferences", ()):
            name = above["name"]
    return namespace, name
