"""Which pods an action on pods is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal

from pydantic import Field

from remediator.core.cluster import Need, Pod, Snapshot
from remediator.core.errors import Refused, Retryable
from remediator.core.holdings import PodUsage
from remediator.core.plugins import Params, Permission
from remediator.core.policies import WorkloadRef

OVER = frozenset(("Succeeded", "Failed"))
"""Phases of pods that will never run again, such as evicted ones: others stand in for them already."""


class PickParams(Params):
    """Parameters of actions on pods. Labels never choose a pod: its state does."""

    which: Literal["not_ready", "crash_looping", "most_restarts", "most_memory", "oldest"] = Field(
        default="not_ready",
        description="The pods that are not ready, those that crash again and again, the one with the most "
        "restarts, the one that uses the most memory (where metrics.k8s.io tells it), or the oldest.",
    )
    at_most: int = Field(default=1, ge=1, le=50, description="How many pods at most.")

    @property
    def needs(self) -> frozenset[Need]:
        """What its pods use, where that decides."""
        return frozenset({Need.USAGE}) if self.which == "most_memory" else frozenset()


MEASURING = Permission(
    group="metrics.k8s.io",
    resource="pods",
    verbs=("list",),
    given=("which", "most_memory"),
    why="find the pod that uses the most memory",
)


def pick(params: Params, seen: Snapshot) -> tuple[Pod, ...]:
    """The pods that are meant, the worst first.

    Raises Refused when there are none, and Retryable while it cannot be told which.
    """
    assert isinstance(params, PickParams)
    there = [
        pod
        for pod in seen.pods
        if _made_by(seen.workload.ref, pod) and not pod.terminating and pod.phase not in OVER
    ]
    rank: Callable[[Pod], Decimal] = lambda pod: Decimal(-pod.restarts)  # noqa: E731 - one of three
    match params.which:
        case "not_ready":
            found = [pod for pod in there if not pod.ready]
        case "crash_looping":
            found = [pod for pod in there if not pod.ready and pod.state.startswith("CrashLoopBackOff")]
        case "most_restarts":
            found = [pod for pod in there if pod.restarts]
        case "most_memory":
            memory = _memory(there, seen.usage)
            found = [pod for pod in there if pod.uid in memory]
            rank = lambda pod: -memory[pod.uid]  # noqa: E731
        case "oldest":
            found = there
            rank = lambda pod: Decimal(pod.created_at)  # noqa: E731
    if not found:
        wanted = _SAID.get(params.which, f"is {params.which.replace('_', ' ')}")
        raise Refused(f"no pod of {seen.workload.ref} {wanted}: there is none to take away")
    found.sort(key=lambda pod: (rank(pod), pod.name))
    return tuple(found[: params.at_most])


_SAID = {"most_restarts": "has restarted", "most_memory": "was measured", "oldest": "is there"}


def _memory(pods: Sequence[Pod], usage: Sequence[PodUsage]) -> dict[str, Decimal]:
    """By UID, in bytes. Raises Retryable while a pod that runs was not measured: it may be the hungriest.

    A measurement from before a pod was made is that of another of the same name.
    """
    measured = {one.pod: one for one in usage}
    found: dict[str, Decimal] = {}
    for pod in pods:
        own = measured.get(pod.name)
        if own is not None and own.at >= pod.created_at:
            found[pod.uid] = own.memory
        elif pod.ready:
            raise Retryable(f"which pod uses the most memory cannot be told yet: {pod.name} was not measured")
    return found


def _made_by(workload: WorkloadRef, pod: Pod) -> bool:
    """Whether the workload made it and makes another. Labels can select pods of others, or of nobody.

    A Deployment makes ReplicaSets of its own name and a hash, which has no dash.
    """
    kind, _, name = pod.controller.partition("/")
    if workload.kind == "deployment":
        return kind == "replicaset" and name.rpartition("-")[0] == workload.name
    return (kind, name) == (workload.kind, workload.name)
