"""The scheduler: a node for every pod, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from remediator.testing.apiserver.announcing import SCHEDULER, announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.pods import is_finished
from remediator.testing.apiserver.kinds import NODES, PODS
from remediator.testing.apiserver.kinds.pod_template import quantity
from remediator.testing.apiserver.objects import Json, Key, clone, condition, deleting, key_of
from remediator.testing.apiserver.store import Event

_SELECTOR = "node(s) didn't match Pod's node affinity/selector"
_CORDONED = "node.kubernetes.io/unschedulable"
_HARD = {"NoSchedule", "NoExecute"}


class Scheduler:
    """Binds pods to nodes, in turn among those that fit. Looks again at the others when a node changes."""

    def __init__(self) -> None:
        self._bound = 0

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """New pods; every waiting pod when a node changes."""
        if event.kind is PODS and event.type == "ADDED" and condition(event.obj, "PodScheduled") is None:
            yield event.key
        elif event.kind is NODES:
            yield from (key_of(pod) for pod in cluster.store.list(PODS) if "nodeName" not in pod["spec"])

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Bind one pod, or say why not."""
        pod = cluster.store.get(PODS, key)
        if pod is None or deleting(pod) or is_finished(pod) or "phase" not in pod["status"]:
            return
        if "nodeName" in pod["spec"]:
            if condition(pod, "PodScheduled") is None:
                self._bind(cluster, pod, pod["spec"]["nodeName"])
            return
        nodes = cluster.store.list(NODES)
        refused = {node["metadata"]["name"]: _refusal(cluster, node, pod) for node in nodes}
        fitting = [name for name, why in refused.items() if not why]
        if not fitting:
            _refuse(cluster, pod, [why for why in refused.values() if why])
            return
        name = fitting[self._bound % len(fitting)]
        self._bound += 1
        self._bind(cluster, pod, name)

    def _bind(self, cluster: Cluster, pod: Json, node: str) -> None:
        bound = clone(pod)
        bound["spec"]["nodeName"] = node
        bound["status"]["conditions"] = [_scheduled(cluster, "True", {})]
        cluster.store.put(PODS, bound)
        namespace, name = key_of(pod)
        announce(cluster, pod, SCHEDULER, "Scheduled", f"Successfully assigned {namespace}/{name} to {node}")


def _scheduled(cluster: Cluster, status: str, why: Json) -> Json:
    now = cluster.timestamp()
    return {"type": "PodScheduled", "status": status, "lastProbeTime": None, "lastTransitionTime": now, **why}


def _refuse(cluster: Cluster, pod: Json, reasons: Sequence[str]) -> None:
    counted = ", ".join(f"{number} {why}" for why, number in sorted(Counter(reasons).items()))
    total = len(reasons)
    short = all(why.startswith("Insufficient") for why in reasons)
    help_text = (
        "No preemption victims found for incoming pod"
        if short
        else "Preemption is not helpful for scheduling"
    )
    message = f"0/{total} nodes are available: {counted}. "
    message += f"preemption: 0/{total} nodes are available: {total} {help_text}."
    before = condition(pod, "PodScheduled")
    if before is not None and before.get("message") == message:
        return
    why = {"reason": "Unschedulable", "message": message}
    changed = clone(pod)
    changed["status"]["conditions"] = [_scheduled(cluster, "False", why)]
    cluster.store.put(PODS, changed)
    announce(cluster, pod, SCHEDULER, "FailedScheduling", message, warning=True)


def _refusal(cluster: Cluster, node: Json, pod: Json) -> str:
    """Why the pod cannot run there, or nothing."""
    spec, name = pod["spec"], node["metadata"]["name"]
    if node["spec"].get("unschedulable") and not tolerates(pod, {"key": _CORDONED, "effect": "NoSchedule"}):
        return "node(s) were unschedulable"
    for taint in node["spec"].get("taints", ()):
        if taint["effect"] in _HARD and taint["key"] != _CORDONED and not tolerates(pod, taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    labels = node["metadata"].get("labels", {})
    if not spec.get("nodeSelector", {}).items() <= labels.items() or name not in _wanted_names(spec, name):
        return _SELECTOR
    return _lacking(cluster, node, pod)


def _wanted_names(spec: Json, name: str) -> set[str]:
    """The nodes that the affinity of a DaemonSet's pod names; without one, this."""
    affinity = spec.get("affinity", {}).get("nodeAffinity", {})
    terms = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {}).get("nodeSelectorTerms", ())
    fields = [field for term in terms for field in term.get("matchFields", ())]
    return {value for field in fields for value in field["values"]} if fields else {name}


def tolerates(pod: Json, taint: Json) -> bool:
    """Whether some toleration of the pod covers the taint."""
    return toleration(pod, taint) is not None


def toleration(pod: Json, taint: Json) -> Json | None:
    """The toleration that covers the taint."""
    for one in pod["spec"].get("tolerations", ()):
        named = one.get("key") in {None, "", taint["key"]}
        same = one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", "")
        if named and same and one.get("effect") in {None, "", taint["effect"]}:
            found: Json = one
            return found
    return None


def _lacking(cluster: Cluster, node: Json, pod: Json) -> str:
    for resource in ("cpu", "memory"):
        wanted = requested(pod, resource)
        if not wanted:
            continue
        others = [
            one
            for one in cluster.store.list(PODS)
            if one["spec"].get("nodeName") == node["metadata"]["name"] and not is_finished(one)
        ]
        taken = sum((requested(one, resource) for one in others), Decimal(0))
        if taken + wanted > quantity(node["status"]["allocatable"][resource]):
            return f"Insufficient {resource}"
    return ""


def requested(pod: Json, resource: str) -> Decimal:
    """How much of a resource the containers of a pod ask for."""
    amounts = [
        one.get("resources", {}).get("requests", {}).get(resource, "0") for one in pod["spec"]["containers"]
    ]
    return sum(map(quantity, amounts), Decimal(0))
