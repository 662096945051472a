"""From the API server's JSON to the snapshots that decisions look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from remediator.core.cluster import Condition, Pod, Workload
from remediator.core.policies import WorkloadRef

Json: TypeAlias = Mapping[str, Any]

_UNTOLD = {"", "Error", "Completed"}
"""Reasons of an earlier end that tell nothing beyond "it ended"."""
_STARTING = {"ContainerCreating", "PodInitializing"}


def workload_of(ref: WorkloadRef, obj: Json) -> Workload:
    """The workload, its counts read as ``kubectl rollout status`` reads them for its kind."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    counts = _COUNTS[ref.kind](spec, status)
    return Workload(
        ref=ref,
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        desired=counts["desired"],
        total=counts["total"],
        updated=counts["updated"],
        ready=counts["ready"],
        available=counts["available"],
        paused=bool(spec.get("paused")),
        annotations=dict(meta.get("annotations") or {}),
        conditions={entry["type"]: _condition(entry) for entry in status.get("conditions") or ()},
    )


def _condition(entry: Json) -> Condition:
    return Condition(
        status=entry.get("status", "Unknown"),
        reason=entry.get("reason", ""),
        message=entry.get("message", ""),
    )


def _deployment(spec: Json, status: Json) -> dict[str, int]:
    return {
        "desired": spec.get("replicas", 1),
        "total": status.get("replicas", 0),
        "updated": status.get("updatedReplicas", 0),
        "ready": status.get("readyReplicas", 0),
        "available": status.get("availableReplicas", 0),
    }


def _stateful_set(spec: Json, status: Json) -> dict[str, int]:
    """Pods below ``partition`` keep the old template on purpose: they count as updated."""
    total = status.get("replicas", 0)
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    updated = min(status.get("updatedReplicas", 0) + rolling.get("partition", 0), total)
    revision = status.get("updateRevision")
    if revision is not None and revision == status.get("currentRevision"):
        updated = total
    return _deployment(spec, status) | {"updated": updated}


def _daemon_set(_spec: Json, status: Json) -> dict[str, int]:
    return {
        "desired": status.get("desiredNumberScheduled", 0),
        "total": status.get("currentNumberScheduled", 0),
        "updated": status.get("updatedNumberScheduled", 0),
        "ready": status.get("numberReady", 0),
        "available": status.get("numberAvailable", 0),
    }


_COUNTS = {"deployment": _deployment, "statefulset": _stateful_set, "daemonset": _daemon_set}
KINDS = {kind: f"{kind}s" for kind in _COUNTS}
"""Kinds as policies name them, and their resources in the API group ``apps``."""


def label_selector(obj: Json) -> str:
    """The workload's selector as a query parameter; empty when it selects nothing."""
    selector = (obj.get("spec") or {}).get("selector") or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or ():
        key, operator = rule["key"], rule["operator"]
        values = ",".join(rule.get("values") or ())
        match operator:
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
            case _:  # In, NotIn
                parts.append(f"{key} {operator.lower()} ({values})")
    return ",".join(parts)


def pod_of(obj: Json) -> Pod:
    """The pod, with the one reason a person would look for."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    conditions = {entry["type"]: entry for entry in status.get("conditions") or ()}
    containers, init = status.get("containerStatuses") or (), status.get("initContainerStatuses") or ()
    return Pod(
        name=obj["metadata"]["name"],
        phase=status.get("phase", "Unknown"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        restarts=sum(entry.get("restartCount", 0) for entry in (*containers, *init)),
        state=_state(obj, conditions),
        node=spec.get("nodeName", ""),
    )


def _state(obj: Json, conditions: Mapping[str, Json]) -> str:
    """As the STATUS column of ``kubectl get pods``, and beyond it why a container last ended."""
    status = obj.get("status") or {}
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if status.get("reason"):  # Evicted, NodeLost, DeadlineExceeded, ...
        return str(status["reason"])
    init = _worst(status.get("initContainerStatuses") or ())
    if init and init not in _STARTING:
        return f"Init:{init}"
    if worst := _worst(status.get("containerStatuses") or ()):
        return worst
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return str(scheduled.get("reason", "Unschedulable"))
    ready = conditions.get("Ready", {})
    if status.get("phase") == "Running" and ready.get("status") != "True":
        return str(ready.get("reason", "NotReady"))
    return ""


def _worst(containers: Iterable[Json]) -> str:
    """The reason of the container that is worst off; empty when none has one."""
    found: list[tuple[int, str]] = []
    for container in containers:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting"), state.get("terminated")
        if waiting:
            reason = waiting.get("reason") or "Waiting"
            found.append((2 if reason in _STARTING else 0, reason + _last_end(container)))
        elif ended and (ended.get("exitCode") or ended.get("signal")):
            found.append((1, _ended(ended)))
    return min(found)[1] if found else ""


def _ended(ended: Json) -> str:
    told = ended.get("reason")
    return str(told) if told else f"ExitCode:{ended.get('exitCode', 0)}"


def _last_end(container: Json) -> str:
    last = (container.get("lastState") or {}).get("terminated") or {}
    reason = last.get("reason", "")
    return "" if reason in _UNTOLD else f" ({reason})"
