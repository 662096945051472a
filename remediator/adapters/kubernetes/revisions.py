"""The revisions of a workload, from the objects in which its controller keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.listing import Listing, collect
from remediator.adapters.kubernetes.paths import group_path
from remediator.adapters.kubernetes.selectors import label_selector
from remediator.adapters.kubernetes.snapshots import instant_of
from remediator.core.cluster import Revision
from remediator.core.policies import WorkloadRef

Json: TypeAlias = Mapping[str, Any]

NUMBER_ANNOTATION = "deployment.kubernetes.io/revision"
CAUSE_ANNOTATION = "kubernetes.io/change-cause"


async def read_revisions(api: Api, ref: WorkloadRef, obj: Json, deadline: Deadline) -> tuple[Revision, ...]:
    """The revisions of the workload that ``obj`` is, newest first. Raises NotFound, Refused, Retryable."""
    resource = "replicasets" if ref.kind == "deployment" else "controllerrevisions"
    selector = label_selector(obj)
    if not selector:
        return ()
    listing = Listing(
        resource=f"{resource}.apps",
        namespace=ref.namespace,
        path=group_path("apps", ref.namespace, resource),
        labels=selector,
    )
    return revisions_of(obj, await collect(api, listing, lambda one: revision_of(obj, one), deadline))


def revisions_of(workload: Json, found: tuple[Revision, ...]) -> tuple[Revision, ...]:
    """Newest first, and the newest marked when the workload does not say which is current."""
    ordered = sorted(found, key=lambda one: one.number, reverse=True)
    if ordered and not any(one.current for one in ordered):
        ordered[0] = replace(ordered[0], current=True)
    return tuple(ordered)


def revision_of(workload: Json, keeper: Json) -> Revision | None:
    """What a ReplicaSet or ControllerRevision keeps; None when it is another workload's or has no number."""
    meta = keeper["metadata"]
    owners = meta.get("ownerReferences") or ()
    if not any(one.get("controller") and one["uid"] == workload["metadata"]["uid"] for one in owners):
        return None
    annotations = meta.get("annotations") or {}
    in_pods = "data" not in keeper  # a ReplicaSet
    number = _whole(annotations.get(NUMBER_ANNOTATION) if in_pods else keeper.get("revision"))
    if number is None:
        return None
    status = keeper.get("status") or {}
    template = _spec(keeper if in_pods else keeper["data"]).get("template") or {}
    return Revision(
        number=number,
        name=meta["name"],
        uid=meta["uid"],
        current=_is_current(workload, meta["name"], number),
        images=tuple(str(one.get("image", "")) for one in _spec(template).get("containers") or ()),
        created_at=instant_of(meta.get("creationTimestamp")),
        cause=str(annotations.get(CAUSE_ANNOTATION, "")),
        pods=int(status.get("replicas", 0)) if in_pods else None,
        ready=int(status.get("readyReplicas", 0)) if in_pods else None,
    )


def _is_current(workload: Json, name: str, number: int) -> bool:
    """A Deployment says its revision's number, a StatefulSet its name; a DaemonSet says nothing."""
    told = (workload["metadata"].get("annotations") or {}).get(NUMBER_ANNOTATION)
    if told is not None:
        return _whole(told) == number
    return (workload.get("status") or {}).get("updateRevision") == name


def _spec(obj: Json) -> Json:
    found: Json = obj.get("spec") or {}
    return found


def _whole(value: object) -> int | None:
    """What annotations and fields hold as a revision's number; None for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
