"""The volume controller: claims get volumes that were made by hand, and keep them while they are in use.

Source: ``k8s.io/kubernetes/pkg/controller/volume``, without provisioning: a claim that no volume fits waits.
"""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.pods import is_finished
from remediator.testing.apiserver.kinds import CLAIMS, PODS, VOLUMES
from remediator.testing.apiserver.kinds.pod_template import quantity
from remediator.testing.apiserver.kinds.storage import CLAIM_PROTECTION, VOLUME_PROTECTION, storage_of
from remediator.testing.apiserver.objects import Json, Key, clone, deleting, key_of
from remediator.testing.apiserver.store import Event

_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
_COMPLETED = "pv.kubernetes.io/bind-completed"


class Claims:
    """Binds claims, and lets those go that are deleted and used by no pod."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Claims that change; those that wait when a volume changes; those of a namespace a pod leaves."""
        if event.kind is CLAIMS:
            yield event.key
        elif event.kind is VOLUMES:
            yield from (key_of(claim) for claim in cluster.store.list(CLAIMS) if not _bound(claim))
        elif event.kind is PODS and (event.type == "DELETED" or is_finished(event.obj)):
            yield from (key_of(claim) for claim in cluster.store.list(CLAIMS, event.key[0]))

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """One step for one claim."""
        claim = cluster.store.get(CLAIMS, key)
        if claim is None:
            return
        if deleting(claim):
            if not _used(cluster, claim):
                _release(cluster, claim)
        elif not _bound(claim) and (volume := _fitting(cluster, claim)) is not None:
            _bind(cluster, claim, volume)


def _bound(claim: Json) -> bool:
    return bool(claim["spec"].get("volumeName"))


def _used(cluster: Cluster, claim: Json) -> bool:
    namespace, name = key_of(claim)
    return any(
        volume.get("persistentVolumeClaim", {}).get("claimName") == name
        for pod in cluster.store.list(PODS, namespace)
        if not is_finished(pod)
        for volume in pod["spec"].get("volumes", ())
    )


def _release(cluster: Cluster, claim: Json) -> None:
    left = [one for one in claim["metadata"].get("finalizers", ()) if one != CLAIM_PROTECTION]
    if left:
        cluster.store.put(CLAIMS, {**claim, "metadata": claim["metadata"] | {"finalizers": left}})
    else:
        cluster.store.remove(CLAIMS, key_of(claim))


def _fitting(cluster: Cluster, claim: Json) -> Json | None:
    """The smallest free volume of the claim's class that is large enough and can be used as it asks."""
    wanted, spec = quantity(storage_of(claim)), claim["spec"]
    fitting = [
        volume
        for volume in cluster.store.list(VOLUMES)
        if "claimRef" not in volume["spec"]
        and volume["spec"].get("storageClassName", "") == spec.get("storageClassName", "")
        and set(spec["accessModes"]) <= set(volume["spec"]["accessModes"])
        and quantity(volume["spec"]["capacity"]["storage"]) >= wanted
    ]
    return min(fitting, key=lambda one: quantity(one["spec"]["capacity"]["storage"]), default=None)


def _bind(cluster: Cluster, claim: Json, volume: Json) -> None:
    namespace, name = key_of(claim)
    held, taken = clone(volume), clone(claim)
    held["metadata"].setdefault("annotations", {})[_BY_CONTROLLER] = "yes"
    meta = claim["metadata"]
    held["spec"]["claimRef"] = {
        "kind": "PersistentVolumeClaim",
        "namespace": namespace,
        "name": name,
        "uid": meta["uid"],
        "apiVersion": "v1",
        "resourceVersion": meta["resourceVersion"],
    }
    held["status"] = {"phase": "Bound", "lastPhaseTransitionTime": cluster.timestamp()}
    taken["metadata"].setdefault("annotations", {}).update({_COMPLETED: "yes", _BY_CONTROLLER: "yes"})
    taken["spec"]["volumeName"] = volume["metadata"]["name"]
    spec = volume["spec"]
    taken["status"] = {
        "phase": "Bound",
        "accessModes": spec["accessModes"],
        "capacity": spec["capacity"],
    }
    cluster.store.put(VOLUMES, held)
    cluster.store.put(CLAIMS, taken)


class Volumes:
    """Says whether a volume is free, and what becomes of it without its claim."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Volumes that change, and the one of a claim that is gone."""
        if event.kind is VOLUMES:
            yield event.key
        elif event.kind is CLAIMS and event.type == "DELETED" and _bound(event.obj):
            yield "", event.obj["spec"]["volumeName"]

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Set the phase; a volume nobody holds may go."""
        volume = cluster.store.get(VOLUMES, key)
        if volume is None:
            return
        claim = volume["spec"].get("claimRef")
        held = claim and cluster.store.get(CLAIMS, (claim["namespace"], claim["name"]))
        phase = "Bound" if held else "Released" if claim else "Available"
        if deleting(volume) and phase != "Bound":
            finalizers = [one for one in volume["metadata"]["finalizers"] if one != VOLUME_PROTECTION]
            if not finalizers:
                cluster.store.remove(VOLUMES, key)
        elif volume["status"].get("phase") != phase:
            status = {"phase": phase, "lastPhaseTransitionTime": cluster.timestamp()}
            cluster.set_status(VOLUMES, key, status)
