"""``pods``: the pods of the workload and what is wrong with them."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.cluster import Pod
from remediator.core.plugins import NoParams, Params, Permission, Sight, on_target
from remediator.core.text import plain
from remediator.diagnoses.telling import bounded, nothing, worst_first

SHOWN = 10


class Pods:
    """How many pods there are; the unready ones with their state, restarts and how they last ended.

    Pods that are ready again after a restart are shown too: a process that is killed for its memory every
    hour looks well in between.
    """

    name: ClassVar[str] = "pods"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("get", "know which pods are its own"),
        Permission(group="", resource="pods", verbs=("list",), why="tell what is wrong with its pods"),
    )
    example: ClassVar[str] = "pods: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """A count, then at most ten pods that are unready or were restarted, a line each."""
        if sight.cluster is None or sight.target is None:
            return nothing(self.name)
        pods = await sight.cluster.pods(await sight.cluster.workload(sight.target))
        unready = sum(not pod.ready for pod in pods)
        told = [pod for pod in worst_first(pods) if not pod.ready or pod.last_end]
        return (f"{len(pods)} pods, {unready} not ready", *bounded([_line(pod) for pod in told], SHOWN + 1))


def _line(pod: Pod) -> str:
    state = "ready" if pod.ready else plain(pod.state or pod.phase, 80)
    parts = [f"{pod.name}: {state}", f"{pod.restarts} restarts"]
    if pod.last_end:
        parts.append(f"last ended {plain(pod.last_end, 60)}")
    if len(pod.containers) > 1 and pod.suspect:
        parts.append(f"container {pod.suspect}")
    if pod.node:
        parts.append(f"on {pod.node}")
    return ", ".join(parts)
