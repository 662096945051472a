"""Which pods an action on pods is about."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from remediator.core.cluster import Pod, Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import Params


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
    there = [pod for pod in seen.pods if not pod.terminating]
    match params.which:
        case "not_ready":
            found = [pod for pod in there if not pod.ready]
        case "crash_looping":
            found = [pod for pod in there if not pod.ready and pod.state.startswith("CrashLoopBackOff")]
        case "most_restarts":
            found = [pod for pod in there if pod.restarts]
        case "oldest":
            return tuple(sorted(there, key=lambda pod: (pod.created_at, pod.name))[: params.at_most])
    if not found:
        wanted = {"most_restarts": "has restarted"}.get(params.which, f"is {params.which.replace('_', ' ')}")
        raise Refused(f"no pod of {seen.workload.ref} {wanted}: there is none to take away")
    return tuple(sorted(found, key=lambda pod: (-pod.restarts, pod.name))[: params.at_most])
