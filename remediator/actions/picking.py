"""Which pods an action on pods is about."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from remediator.core.cluster import Pod, Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import Params
from remediator.core.policies import WorkloadRef

OVER = frozenset(("Succeeded", "Failed"))
"""Phases of pods that will never run again, such as evicted ones: others stand in for them already."""


class PickParams(Params):
    """Parameters of actions on pods. Labels never choose a pod: its state does."""

    which: Literal["not_ready", "crash_looping", "most_restarts", "oldest"] = Field(
        default="not_ready",
        description="The pods that are not ready, those that crash again and again, the one with the most "
        "restarts, or the oldest.",
    )
    at_most: int = Field(default=1, ge=1, le=50, description="How many pods at most.")


def pick(params: Params, seen: Snapshot) -> tuple[Pod, ...]:
    """The pods that are meant, the worst first. Raises Refused when there are none."""
    assert isinstance(params, PickParams)
    there = [
        pod
        for pod in seen.pods
        if _made_by(seen.workload.ref, pod) and not pod.terminating and pod.phase not in OVER
    ]
    match params.which:
        case "not_ready":
            found = [pod for pod in there if not pod.ready]
        case "crash_looping":
            found = [pod for pod in there if not pod.ready and pod.state.startswith("CrashLoopBackOff")]
        case "most_restarts":
            found = [pod for pod in there if pod.restarts]
        case "oldest":
            found = there
    if not found:
        wanted = {"most_restarts": "has restarted", "oldest": "is there"}.get(
            params.which, f"is {params.which.replace('_', ' ')}"
        )
        raise Refused(f"no pod of {seen.workload.ref} {wanted}: there is none to take away")
    oldest_first = params.which == "oldest"
    found.sort(key=lambda pod: (pod.created_at if oldest_first else -pod.restarts, pod.name))
    return tuple(found[: params.at_most])


def _made_by(workload: WorkloadRef, pod: Pod) -> bool:
    """Whether the workload made it and makes another. Labels can select pods of others, or of nobody.

    A Deployment makes ReplicaSets of its own name and a hash, which has no dash.
    """
    kind, _, name = pod.controller.partition("/")
    if workload.kind == "deployment":
        return kind == "replicaset" and name.rpartition("-")[0] == workload.name
    return (kind, name) == (workload.kind, workload.name)
