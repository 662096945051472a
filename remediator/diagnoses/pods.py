"""``pods``: the pods of the workload and what is wrong with them."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.cluster import Pod
from remediator.core.plugins import NoParams, Params, Permission, Sight
from remediator.core.text import plain

SHOWN = 10


class Pods:
    """How many pods there are, and the unready ones with their state and restarts."""

    name: ClassVar[str] = "pods"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="pods", verbs=("get", "list"), why="tell what is wrong with its pods"),
    )
    example: ClassVar[str] = "pods: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """A count, then at most ten unready pods, a line each."""
        if sight.cluster is None or sight.target is None:
            return ("pods: nothing to look at: no cluster, or no workload in the catalog",)
        pods = await sight.cluster.pods(await sight.cluster.workload(sight.target))
        unready = [pod for pod in pods if not pod.ready]
        lines = [f"{len(pods)} pods, {len(unready)} not ready"]
        lines += [_line(pod) for pod in unready[:SHOWN]]
        if len(unready) > SHOWN:
            lines.append(f"and {len(unready) - SHOWN} more")
        return tuple(lines)


def _line(pod: Pod) -> str:
    state = plain(pod.state or pod.phase, 80)
    return f"{pod.name}: {state}, {pod.restarts} restarts" + (f", on {pod.node}" if pod.node else "")
