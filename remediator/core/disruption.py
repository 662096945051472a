"""How many healthy pods some changes would take away, at their worst moment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from remediator.core.changes import (
    Change,
    CordonNode,
    CreateSilence,
    DeletePod,
    EndSilence,
    EvictPod,
    IsolateWorkload,
    PodChange,
    RestartWorkload,
    RestoreWorkload,
    RollBackWorkload,
    RunJob,
    RunProgram,
    ScaleWorkload,
    SendRequest,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
    UncordonNode,
)
from remediator.core.cluster import Pod, Workload


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
            case RestartWorkload() | RollBackWorkload() | SetContainerImage() | SetContainerResources():
                taken += workload.taken_by_rollout
            case ScaleWorkload(replicas=replicas):
                taken += _given_up(workload, replicas)
            case IsolateWorkload():
                taken += _given_up(workload, 0)
            case RestoreWorkload(replicas=replicas):
                taken += _given_up(workload, replicas) if replicas < workload.desired else 0
            case SetAutoscalerBounds(most=most):
                taken += _given_up(workload, most) if most < workload.desired else 0
            case CordonNode() | UncordonNode():
                pass  # what runs there runs on
            case RunJob():
                pass  # it adds pods, and takes none of the workload's away
            case DeletePod() | EvictPod():
                taken += change.pod_uid in ready
            case RunProgram() | SendRequest():
                pass  # what those do to pods nobody can tell
            case CreateSilence() | EndSilence():
                pass  # nothing of the cluster is touched
            case _:
                assert_never(change)
    return min(taken, workload.ready)


def _given_up(workload: Workload, replicas: int) -> int:
    """How many ready pods go when so many are asked for.

    A ReplicaSet gives up unready pods first. A StatefulSet gives up the last ones, however they are, and
    between the ReplicaSets of a rollout it is shared out: there, every pod that goes may be a ready one.
    """
    if workload.ref.kind == "deployment" and workload.total <= workload.updated:
        return max(0, workload.ready - replicas)
    return min(workload.ready, max(0, max(workload.total, workload.desired) - replicas))
