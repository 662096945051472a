"""The disruption controller: how many pods of each PodDisruptionBudget may go now.

Source of the arithmetic: ``pkg/controller/disruption`` of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.pods import is_ready
from remediator.testing.apiserver.controllers.progress import portion
from remediator.testing.apiserver.kinds import (
    DEPLOYMENTS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
from remediator.testing.apiserver.objects import Json, Key, clone, condition, deleting
from remediator.testing.apiserver.selectors import of_object
from remediator.testing.apiserver.store import Event

_FORGET_AFTER = 120.0
"""Seconds for which a pod that was to be evicted counts as gone although it is still there."""
_SCALES = {"ReplicaSet": REPLICA_SETS, "StatefulSet": STATEFUL_SETS, "Deployment": DEPLOYMENTS}


class Budgets:
    """Keeps the status of every PodDisruptionBudget."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Budgets that change, and those whose pods do."""
        if event.kind is POD_DISRUPTION_BUDGETS and event.type != "DELETED":
            yield event.key
        elif event.kind is PODS:
            yield from (_key(one) for one in budgets_of(cluster, event.obj))
        elif event.kind in _SCALES.values():
            namespace = event.key[0]
            yield from (_key(one) for one in cluster.store.list(POD_DISRUPTION_BUDGETS, namespace))

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Count the pods and write what follows."""
        budget = cluster.store.get(POD_DISRUPTION_BUDGETS, key)
        if budget is None:
            return
        pods = [pod for pod in cluster.store.list(PODS, key[0]) if _covers(budget, pod)]
        status = clone(budget["status"])
        disrupted = self._still_disrupted(cluster, budget, pods)
        status.pop("disruptedPods", None)
        if disrupted:
            status["disruptedPods"] = disrupted
        healthy = sum(
            is_ready(pod) and not deleting(pod) and pod["metadata"]["name"] not in disrupted for pod in pods
        )
        status["observedGeneration"] = budget["metadata"]["generation"]
        if (wanted := _wanted(cluster, budget, pods)) is None:
            status["disruptionsAllowed"] = 0
            _allow(cluster, status, budget, "SyncFailed", "found no controllers for a pod")
        else:
            expected, desired = wanted
            allowed = max(0, healthy - desired) if expected > 0 else 0
            counts = {"currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected}
            status |= counts | {"disruptionsAllowed": allowed}
            note_allowed(cluster, status, budget)
        if not pods:
            announce(cluster, budget, "controllermanager", "NoPods", "No matching pods found")
        cluster.set_status(POD_DISRUPTION_BUDGETS, key, status)

    def _still_disrupted(self, cluster: Cluster, budget: Json, pods: Sequence[Json]) -> dict[str, str]:
        """Evictions that were allowed and have not begun; looks again when the oldest has to be forgotten."""
        noted = budget["status"].get("disruptedPods", {})
        present = {pod["metadata"]["name"] for pod in pods if not deleting(pod)}
        key, now, left = _key(budget), cluster.clock(), {}
        for name, at in noted.items():
            moment = f"{budget['metadata']['uid']} {name} {at}"
            since = cluster.moments.setdefault(moment, now)
            remaining = _FORGET_AFTER * cluster.pace.second - (now - since)
            if name in present and remaining > 0:
                left[name] = at
                cluster.after(remaining, lambda: cluster.enqueue(self, key), deadline=True)
        return left


def _key(obj: Json) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _covers(budget: Json, pod: Json) -> bool:
    selector = budget["spec"].get("selector")
    return selector is not None and of_object(selector).matches(pod["metadata"].get("labels", {}))


def budgets_of(cluster: Cluster, pod: Json) -> list[Json]:
    """The budgets that cover a pod."""
    found = cluster.store.list(POD_DISRUPTION_BUDGETS, pod["metadata"]["namespace"])
    return [budget for budget in found if _covers(budget, pod)]


def _wanted(cluster: Cluster, budget: Json, pods: Sequence[Json]) -> tuple[int, int] | None:
    """How many pods there should be, and how many must be healthy; None: cannot be known."""
    spec = budget["spec"]
    least = spec.get("minAvailable")
    if isinstance(least, int):
        return len(pods), least
    scales: dict[str, int] = {}
    for pod in pods:
        if (scale := _scale(cluster, pod)) is None:
            name = pod["metadata"]["name"]
            why = f'Failed to calculate the number of expected pods: found no controllers for pod "{name}"'
            announce(
                cluster, budget, "controllermanager", "CalculateExpectedPodCountFailed", why, warning=True
            )
            return None
        scales |= dict([scale])
    expected = sum(scales.values())
    if least is not None:
        return expected, portion(least, expected, up=True)
    return expected, max(0, expected - portion(spec.get("maxUnavailable", 0), expected, up=True))


def _scale(cluster: Cluster, pod: Json) -> tuple[str, int] | None:
    """The controller at the top of a pod and how many pods it is to have."""
    found, obj = None, pod
    while True:
        owner = next(
            (one for one in obj["metadata"].get("ownerReferences", ()) if one.get("controller")), None
        )
        kind = _SCALES.get(owner["kind"]) if owner else None
        present = (
            cluster.store.get(kind, (pod["metadata"]["namespace"], owner["name"])) if kind and owner else None
        )
        if present is None:
            return found
        found, obj = (present["metadata"]["uid"], int(present["spec"]["replicas"])), present


def note_allowed(cluster: Cluster, status: Json, budget: Json) -> None:
    """Keep the condition true to the number of disruptions that are allowed (``status`` is changed)."""
    reason = "SufficientPods" if status["disruptionsAllowed"] > 0 else "InsufficientPods"
    _allow(cluster, status, budget, reason, "")


def _allow(cluster: Cluster, status: Json, budget: Json, reason: str, message: str) -> None:
    holds = str(reason == "SufficientPods")
    before = condition({"status": status}, "DisruptionAllowed")
    same = before is not None and before["status"] == holds
    since = before["lastTransitionTime"] if before is not None and same else cluster.timestamp()
    entry = {"type": "DisruptionAllowed", "status": holds, "lastTransitionTime": since}
    entry |= {"observedGeneration": budget["metadata"]["generation"], "reason": reason, "message": message}
    status["conditions"] = [entry]
