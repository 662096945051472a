"""The disruption budgets over a workload's pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.listing import Listing, collect
from remediator.adapters.kubernetes.paths import group_path
from remediator.adapters.kubernetes.selectors import selects
from remediator.core.cluster import Budget
from remediator.core.policies import WorkloadRef

Json: TypeAlias = Mapping[str, Any]


async def read_budgets(api: Api, ref: WorkloadRef, obj: Json, deadline: Deadline) -> tuple[Budget, ...]:
    """Those whose selector lets the labels of its pod template through. Raises Refused, Retryable."""
    labels = ((obj["spec"].get("template") or {}).get("metadata") or {}).get("labels") or {}
    listing = Listing(
        resource="poddisruptionbudgets.policy",
        namespace=ref.namespace,
        path=group_path("policy", ref.namespace, "poddisruptionbudgets"),
    )
    return await collect(api, listing, lambda one: budget_of(one, labels), deadline)


def budget_of(obj: Json, labels: Mapping[str, str]) -> Budget | None:
    """The budget if it is over pods with these labels.

    One whose newest specification its controller has not counted yet allows nothing: the server evicts
    nothing either until then.
    """
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    if not selects(spec.get("selector"), labels):
        return None
    counted = status.get("observedGeneration", 0) >= meta.get("generation", 0)
    return Budget(
        name=meta["name"],
        allowed=status.get("disruptionsAllowed", 0) if counted else 0,
        healthy=status.get("currentHealthy", 0),
        wanted=status.get("desiredHealthy", 0),
    )
