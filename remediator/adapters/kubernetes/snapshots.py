"""From the API server's JSON to the snapshots that decisions look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from remediator.adapters.kubernetes.managers import managers_of
from remediator.adapters.kubernetes.strategies import is_heedless, max_unavailable
from remediator.core.cluster import IGNORE_ANNOTATION, Condition, Container, Endpoints, Pod, Workload
from remediator.core.nodes import UNSCHEDULABLE_TAINT, NodeState, is_control_plane
from remediator.core.objects import NODE, Anchor, ObjectRef
from remediator.core.owners import Named
from remediator.core.ownership import UNSCHEDULABLE
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant, parse_stamp, stamp_instant

Json: TypeAlias = Mapping[str, Any]

MIRROR = "kubernetes.io/config.mirror"
"""On pods that a kubelet runs from files of its own. Source: ``types.ConfigMirrorAnnotationKey``."""
_HARD = ("NoSchedule", "NoExecute")
_UNTOLD = {"", "Error", "Completed"}
"""Reasons of an earlier end that tell nothing beyond "it ended"."""
_STARTING = {"ContainerCreating", "PodInitializing"}


def instant_of(text: str | None) -> Instant:
    """A time as the server writes it; 0 where it tells none."""
    try:
        return stamp_instant(parse_stamp(text)) if text else Instant(0)
    except ValueError:
        return Instant(0)


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
        max_unavailable=max_unavailable(ref.kind, spec, counts["desired"]),
        heedless=is_heedless(ref.kind, spec),
        paused=bool(spec.get("paused")),
        annotations=dict(meta.get("annotations") or {}),
        labels=dict(meta.get("labels") or {}),
        managers=managers_of(obj),
        containers=_containers(spec),
        conditions={entry["type"]: _condition(entry) for entry in status.get("conditions") or ()},
    )


def node_of(obj: Json) -> Workload:
    """The node, as one pod that is ready while it is. A kubelet that has fallen silent is not ready."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    conditions = {entry["type"]: _condition(entry) for entry in status.get("conditions") or ()}
    health = conditions.get("Ready", Condition(status="Unknown", reason="NeverReported"))
    ready, managers = int(health.status == "True"), managers_of(obj)
    labels = dict(meta.get("labels") or {})
    return Workload(
        ref=WorkloadRef(kind=NODE, namespace="", name=meta["name"]),
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        observed_generation=meta.get("generation", 0),
        desired=1,
        total=1,
        updated=1,
        ready=ready,
        available=ready,
        annotations=dict(meta.get("annotations") or {}),
        labels=labels,
        managers=managers,
        conditions=conditions,
        node=NodeState(
            cordoned=bool(spec.get("unschedulable")),
            control_plane=is_control_plane(labels),
            trouble="" if ready else health.reason or "NotReady",
            taints=tuple(
                one["key"]
                for one in spec.get("taints") or ()
                if one.get("effect") in _HARD and one["key"] != UNSCHEDULABLE_TAINT
            ),
            cordoned_by=tuple(one.name for one in managers if UNSCHEDULABLE in one.owns),
        ),
    )


def _containers(spec: Json) -> tuple[Container, ...]:
    """Those of its template, in their order."""
    template = (spec.get("template") or {}).get("spec") or {}
    return tuple(
        Container(name=one["name"], image=one.get("image", ""), resources=one.get("resources"))
        for one in template.get("containers") or ()
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


def pod_of(obj: Json) -> Pod:
    """The pod, with the one reason a person would look for, and the container that gives it."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    conditions = {entry["type"]: entry for entry in status.get("conditions") or ()}
    containers, init = status.get("containerStatuses") or (), status.get("initContainerStatuses") or ()
    return Pod(
        name=meta["name"],
        phase=status.get("phase", "Unknown"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        restarts=sum(entry.get("restartCount", 0) for entry in (*containers, *init)),
        uid=meta["uid"],
        state=_state(obj, conditions),
        node=spec.get("nodeName", ""),
        containers=tuple(entry["name"] for entry in spec.get("containers") or ()),
        created_at=instant_of(meta.get("creationTimestamp")),
        terminating=bool(meta.get("deletionTimestamp")),
        suspect=_suspect(init, containers),
        last_end=_newest_end((*containers, *init)),
        controller=_controller(meta),
        claims=claims_of(meta["name"], spec),
        resources={
            entry["name"]: entry["resources"]
            for entry in spec.get("containers") or ()
            if entry.get("resources")
        },
        namespace=meta.get("namespace", ""),
        fixed=MIRROR in (meta.get("annotations") or {}),
        scratch=any("emptyDir" in volume for volume in spec.get("volumes") or ()),
        ignored=IGNORE_ANNOTATION in (meta.get("annotations") or {}),
    )


def claims_of(pod: str, spec: Json) -> tuple[str, ...]:
    """The PersistentVolumeClaims that a pod of that name and specification mounts, in their order."""
    found = []
    for volume in spec.get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            found.append(str(volume["persistentVolumeClaim"]["claimName"]))
        elif "ephemeral" in volume:  # its claim is made for the pod, and named after both
            found.append(f"{pod}-{volume['name']}")
    return tuple(found)


_OWN_GROUPS = {"ReplicaSet": "apps", "StatefulSet": "apps", "DaemonSet": "apps", "Deployment": "apps"} | {
    "Job": "batch",
    "CronJob": "batch",
}


def named_of(ref: ObjectRef, obj: Json) -> Named:
    """The object as it was found by its name."""
    meta = obj["metadata"]
    return Named(
        ref=ref,
        uid=meta["uid"],
        created_at=instant_of(meta.get("creationTimestamp")),
        controller=_anchor(ref.namespace, meta),
        ignored=IGNORE_ANNOTATION in (meta.get("annotations") or {}),
    )


def _anchor(namespace: str, meta: Json) -> Anchor | None:
    """The owner that manages the object. One of a group that is not Kubernetes' own keeps it in its kind."""
    owners = (one for one in meta.get("ownerReferences") or () if one.get("controller"))
    owner = next(owners, None)
    if owner is None:
        return None
    kind, group = str(owner["kind"]), str(owner.get("apiVersion") or "").rpartition("/")[0]
    said = kind.lower() if _OWN_GROUPS.get(kind) == group else f"{kind.lower()}.{group}"
    return Anchor(ref=ObjectRef(kind=said, namespace=namespace, name=owner["name"]), uid=owner["uid"])


def _controller(meta: Json) -> str:
    """Kind and name of the owner that manages the object; empty when there is none."""
    owner = _anchor("", meta)
    return "" if owner is None else str(owner.ref)


def _state(obj: Json, conditions: Mapping[str, Json]) -> str:
    """As the STATUS column of ``kubectl get pods``, and beyond it why a container last ended."""
    status = obj.get("status") or {}
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if status.get("reason"):  # Evicted, NodeLost, DeadlineExceeded, ...
        return str(status["reason"])
    init = _worst(status.get("initContainerStatuses") or ())
    if init and init[1] not in _STARTING:
        return f"Init:{init[1]}"
    if worst := _worst(status.get("containerStatuses") or ()):
        return worst[1]
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return str(scheduled.get("reason", "Unschedulable"))
    ready = conditions.get("Ready", {})
    if status.get("phase") == "Running" and ready.get("status") != "True":
        return str(ready.get("reason", "NotReady"))
    return ""


def _suspect(init: Sequence[Json], containers: Sequence[Json]) -> str:
    """The container that the state speaks of, else the first that is not ready; empty when all are well."""
    if (worst := _worst(init)) and worst[1] not in _STARTING:
        return worst[2]
    if worst := _worst(containers):
        return worst[2]
    unready = (entry for entry in containers if not entry.get("ready") and _runs(entry))
    return next((str(entry["name"]) for entry in unready), "")


def _runs(container: Json) -> bool:
    return "running" in (container.get("state") or {})


def _worst(containers: Iterable[Json]) -> tuple[int, str, str] | None:
    """The container that is worst off: how badly (0 is worst), the reason, its name. None: all are well."""
    found: list[tuple[int, str, str]] = []
    for container in containers:
        state = container.get("state") or {}
        waiting, ended, name = state.get("waiting"), state.get("terminated"), str(container.get("name", ""))
        if waiting:
            reason = waiting.get("reason") or "Waiting"
            found.append((2 if reason in _STARTING else 0, reason + _last_end(container), name))
        elif ended and (ended.get("exitCode") or ended.get("signal")):
            found.append((1, _ended(ended), name))
    return min(found, default=None)


def _ended(ended: Json) -> str:
    told = ended.get("reason")
    return str(told) if told else f"ExitCode:{ended.get('exitCode', 0)}"


def _last_end(container: Json) -> str:
    last = (container.get("lastState") or {}).get("terminated") or {}
    reason = last.get("reason", "")
    return "" if reason in _UNTOLD else f" ({reason})"


def _newest_end(containers: Iterable[Json]) -> str:
    """How the run before ended that ended last, such as ``OOMKilled (exit 137)``; empty when none did."""
    ends = [(container.get("lastState") or {}).get("terminated") for container in containers]
    newest = max((end for end in ends if end), key=lambda end: str(end.get("finishedAt")), default=None)
    return "" if newest is None else f"{newest.get('reason') or 'ended'} (exit {newest.get('exitCode', 0)})"


def endpoints_of(obj: Json) -> Endpoints:
    """The addresses behind a Service. One that is ready for a port and not for another counts as ready."""
    subsets = obj.get("subsets") or ()
    ready = {one["ip"] for subset in subsets for one in subset.get("addresses") or ()}
    waiting = {one["ip"] for subset in subsets for one in subset.get("notReadyAddresses") or ()}
    return Endpoints(ready=len(ready), not_ready=len(waiting - ready))
