"""The StatefulSet controller: numbered pods, made in order and replaced from the highest down.

As in Kubernetes, with ``podManagementPolicy: OrderedReady`` a pod that is not ready stops everything, an
update too: a restart does not heal a broken pod, its deletion does.
"""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers import revisions
from remediator.testing.apiserver.controllers.availability import count_available
from remediator.testing.apiserver.controllers.making import make_pod, owners_with_room, tell_refused
from remediator.testing.apiserver.controllers.pods import is_ready
from remediator.testing.apiserver.kinds import PODS, STATEFUL_SETS
from remediator.testing.apiserver.objects import Json, Key, deleting, key_of
from remediator.testing.apiserver.store import Event


class StatefulSets:
    """Creates, replaces and deletes numbered pods."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """StatefulSets that change, and owners of pods that do."""
        if event.kind is STATEFUL_SETS and event.type != "DELETED":
            yield event.key
        elif event.kind is PODS:
            yield from revisions.owner_keys(STATEFUL_SETS, event.obj)
        else:
            yield from owners_with_room(cluster, STATEFUL_SETS, event)

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """One step towards the wanted pods, then the status."""
        owner = cluster.store.get(STATEFUL_SETS, key)
        if owner is None:
            return
        if deleting(owner):
            self._write_status(cluster, key)
            return
        update = f"{key[1]}-{revisions.ensure_revision(cluster, owner)}"
        current = owner["status"].get("currentRevision", update)
        if self._missing(cluster, owner):
            self._write_status(cluster, key, update)
        if not self._fill(cluster, owner, current, update) and not self._shrink(cluster, owner):
            self._replace(cluster, owner, update)
        self._write_status(cluster, key, update)

    def _missing(self, cluster: Cluster, owner: Json) -> list[int]:
        present = {_ordinal(pod) for pod in revisions.owned_pods(cluster, owner)}
        return [number for number in range(owner["spec"]["replicas"]) if number not in present]

    def _fill(self, cluster: Cluster, owner: Json, current: str, update: str) -> bool:
        """Create what is missing; True when the rest has to wait."""
        pods = {_ordinal(pod): pod for pod in revisions.owned_pods(cluster, owner)}
        ordered = owner["spec"]["podManagementPolicy"] == "OrderedReady"
        partition = owner["spec"]["updateStrategy"].get("rollingUpdate", {}).get("partition", 0)
        created = False
        for number in range(owner["spec"]["replicas"]):
            if number not in pods:
                if not _create(cluster, owner, number, update if number >= partition else current):
                    return True
                created = True
            if ordered and (number not in pods or not is_ready(pods[number]) or deleting(pods[number])):
                return True
        return created

    def _shrink(self, cluster: Cluster, owner: Json) -> bool:
        """Delete what is too much, the highest first; True while that goes on."""
        surplus = [
            pod
            for pod in sorted(revisions.owned_pods(cluster, owner), key=_ordinal, reverse=True)
            if _ordinal(pod) >= owner["spec"]["replicas"]
        ]
        ordered = owner["spec"]["podManagementPolicy"] == "OrderedReady"
        for pod in surplus[:1] if ordered else surplus:
            if not deleting(pod):
                _delete(cluster, owner, pod)
        return bool(surplus)

    def _replace(self, cluster: Cluster, owner: Json, update: str) -> None:
        """Delete the highest pod of an older template, once every one above it is ready."""
        strategy = owner["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        partition = strategy.get("rollingUpdate", {}).get("partition", 0)
        for pod in sorted(revisions.owned_pods(cluster, owner), key=_ordinal, reverse=True):
            if _ordinal(pod) < partition or deleting(pod):
                return
            if pod["metadata"]["labels"][revisions.HASH] != update:
                _delete(cluster, owner, pod)
                return
            if not is_ready(pod):
                return

    def _write_status(self, cluster: Cluster, key: Key, update: str | None = None) -> None:
        owner = cluster.store.get(STATEFUL_SETS, key)
        if owner is None:
            return
        newest = update or owner["status"].get("updateRevision", "")
        pods = revisions.owned_pods(cluster, owner)
        current = owner["status"].get("currentRevision", newest)
        ready = sum(map(is_ready, pods))
        if _count(pods, newest) == len(pods) == ready == owner["spec"]["replicas"]:
            current = newest
        available = count_available(cluster, owner, pods, lambda: cluster.enqueue(self, key))
        counts = {
            "readyReplicas": ready,
            "currentReplicas": _count(pods, current),
            "updatedReplicas": _count(pods, newest),
        }
        status = {"observedGeneration": owner["metadata"]["generation"], "replicas": len(pods)}
        status |= {name: count for name, count in counts.items() if count}
        revision = {"currentRevision": current, "updateRevision": newest, "collisionCount": 0}
        cluster.set_status(STATEFUL_SETS, key, {**status, **revision, "availableReplicas": available})


def _count(pods: list[Json], revision: str) -> int:
    return sum(pod["metadata"]["labels"][revisions.HASH] == revision and not deleting(pod) for pod in pods)


def _ordinal(pod: Json) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _create(cluster: Cluster, owner: Json, number: int, revision: str) -> bool:
    """Make a pod; False when it is refused."""
    name = f"{owner['metadata']['name']}-{number}"
    labels = {
        revisions.HASH: revision,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(number),
    }
    pod = revisions.pod_from(owner, revisions.template_of(cluster, owner, revision), name, labels)
    pod["spec"].setdefault("hostname", name)
    pod["spec"].setdefault("subdomain", owner["spec"].get("serviceName", ""))
    if refused := make_pod(cluster, pod):
        tell_refused(cluster, owner, "statefulset-controller", refused)
        return False
    _tell(cluster, owner, "create", name)
    return True


def _delete(cluster: Cluster, owner: Json, pod: Json) -> None:
    cluster.delete(PODS, key_of(pod))
    _tell(cluster, owner, "delete", pod["metadata"]["name"])


def _tell(cluster: Cluster, owner: Json, verb: str, pod: str) -> None:
    message = f"{verb} Pod {pod} in StatefulSet {owner['metadata']['name']} successful"
    announce(cluster, owner, "statefulset-controller", f"Successful{verb.title()}", message)
