"""The HorizontalPodAutoscalers that scale a workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.listing import Listing, collect
from remediator.adapters.kubernetes.managers import managers_of
from remediator.adapters.kubernetes.paths import AUTOSCALERS, group_path
from remediator.core.cluster import Autoscaler
from remediator.core.objects import HPA, ObjectRef
from remediator.core.policies import WorkloadRef

Json: TypeAlias = Mapping[str, Any]


async def read_autoscalers(api: Api, ref: WorkloadRef, deadline: Deadline) -> tuple[Autoscaler, ...]:
    """Those whose target the workload is, by name. Raises NotFound, Refused, Retryable."""
    listing = Listing(
        resource=str(AUTOSCALERS),
        namespace=ref.namespace,
        path=group_path(AUTOSCALERS.group, ref.namespace, AUTOSCALERS.plural, version=AUTOSCALERS.version),
    )
    found = await collect(
        api, listing, lambda obj: autoscaler_of(obj) if scales(obj, ref) else None, deadline
    )
    return tuple(sorted(found, key=lambda each: each.ref.name))


def scales(obj: Json, ref: WorkloadRef) -> bool:
    """Whether the workload is its target. An autoscaler that is on its way out still scales."""
    target = obj["spec"]["scaleTargetRef"]
    return (str(target["kind"]).lower(), target["name"]) == (ref.kind, ref.name)


def autoscaler_of(obj: Json) -> Autoscaler:
    """The autoscaler, its defaults filled in as the API server does."""
    meta, spec = obj["metadata"], obj["spec"]
    return Autoscaler(
        ref=ObjectRef(kind=HPA, namespace=meta["namespace"], name=meta["name"]),
        uid=meta["uid"],
        least=spec.get("minReplicas", 1),
        most=spec["maxReplicas"],
        generation=meta.get("generation", 0),
        annotations=dict(meta.get("annotations") or {}),
        labels=dict(meta.get("labels") or {}),
        managers=managers_of(obj),
    )
