"""How many healthy pods some changes would take away, at their worst moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from remediator.core.cluster import (
    Change,
    DeletePod,
    EvictPod,
    Pod,
    PodChange,
    RestartWorkload,
    RollBackWorkload,
    ScaleWorkload,
    Workload,
)


def pod_changes(changes: Sequence[Change]) -> tuple[PodChange, ...]:
    """Those of single pods."""
    return tuple(change for change in changes if isinstance(change, DeletePod | EvictPod))


def healthy_taken(changes: Sequence[Change], workload: Workload, pods: Sequence[Pod]) -> int:
    """How many of the workload's ready pods. What is down already costs nothing, nor does scaling up.

    ``pods`` is looked at where single pods are taken away only.
    """
    ready = {pod.uid for pod in pods if pod.ready}
    taken = 0
    for change in changes:
        match change:
            case RestartWorkload() | RollBackWorkload():
                taken += workload.taken_by_rollout
            case ScaleWorkload(replicas=replicas):
                taken += max(0, workload.ready - replicas)  # controllers give up unready pods first
            case DeletePod() | EvictPod():
                taken += change.pod_uid in ready
            case _:
                assert_never(change)
    return min(taken, workload.ready)
