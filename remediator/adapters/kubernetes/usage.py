"""What pods use, as the metrics API (``metrics.k8s.io/v1beta1``) tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.listing import Listing, collect
from remediator.adapters.kubernetes.paths import group_path
from remediator.adapters.kubernetes.snapshots import instant_of
from remediator.core.errors import NotFound
from remediator.core.holdings import ContainerUsage, PodUsage
from remediator.core.quantities import measured

Json: TypeAlias = Mapping[str, Any]
GROUP, VERSION = "metrics.k8s.io", "v1beta1"


async def read_usage(api: Api, namespace: str, selector: str, deadline: Deadline) -> tuple[PodUsage, ...]:
    """What the pods with these labels use, by name. Raises NotFound (no metrics API), Refused, Retryable."""
    if not selector:
        return ()
    path = group_path(GROUP, namespace, "pods", version=VERSION)
    listing = Listing(resource=f"pods.{GROUP}", namespace=namespace, path=path, labels=selector)
    try:
        found = await collect(api, listing, usage_of, deadline)
    except NotFound as error:
        raise NotFound("no metrics API here (metrics.k8s.io): install metrics-server") from error
    return tuple(sorted(found, key=lambda one: one.pod))


def usage_of(obj: Json) -> PodUsage:
    """What was measured of one pod. Raises ValueError for what is no quantity."""
    return PodUsage(
        pod=obj["metadata"]["name"],
        at=instant_of(obj.get("timestamp")),
        containers=tuple(
            ContainerUsage(
                name=one["name"],
                cpu=measured(str(one["usage"].get("cpu", "0"))),
                memory=measured(str(one["usage"].get("memory", "0"))),
            )
            for one in obj.get("containers") or ()
        ),
    )
