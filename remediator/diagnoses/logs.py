"""``logs``: the last lines of the containers that are in trouble."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, cast

from pydantic import Field

from remediator.core.cluster import ClusterReader, Pod
from remediator.core.errors import NotFound, RemediatorError, StoreUnavailable
from remediator.core.expressions import expression
from remediator.core.plugins import Params, Permission, Sight
from remediator.core.redact import hide_keys, redact
from remediator.core.text import plain
from remediator.core.values import ObjectName, Regex, YesNoAuto
from remediator.diagnoses.telling import LINES, nothing, worst_first

PODS = 3
"""Pods whose logs are read: what one says, its siblings say too."""
LONGEST_SEARCHED = 4_000
"""Characters of a line that are looked at."""
LONGEST_SHOWN = 240


class LogsParams(Params):
    """Parameters of ``logs``."""

    match: Regex = Field(default="", description="Only lines that this regular expression (RE2) matches.")
    tail: int = Field(default=100, ge=1, le=500, description="How many of the last lines are looked at.")
    container: ObjectName = Field(
        default="", description="The container; by default the one in trouble, else the pod's first."
    )
    previous: YesNoAuto = Field(
        default="auto", description="The run before this one; auto: where the container crashed."
    )


class Logs:
    """The last lines of up to three pods, the unready ones first, that match an expression.

    Equal lines are told once, with how often they came. What is obviously a secret (credentials in headers
    and URLs, values named password, token or key, private keys) is hidden.
    """

    name: ClassVar[str] = "logs"
    params: ClassVar[type[Params]] = LogsParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="apps", resource="{kind}s", verbs=("get",), why="know which pods are its own"),
        Permission(group="", resource="pods", verbs=("list",), why="find the pods that are in trouble"),
        Permission(group="", resource="pods/log", verbs=("get",), why="read what they wrote"),
    )
    example: ClassVar[str] = "logs: {match: 'error|exception|panic', tail: 100}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """For each pod a line that says what was read, then its newest matching lines."""
        import asyncio  # here, because whoever only checks policies has no use for it and would wait for it

        wanted = cast("LogsParams", params)
        if sight.cluster is None or sight.target is None:
            return nothing(self.name)
        pods = await sight.cluster.pods(await sight.cluster.workload(sight.target))
        chosen = _chosen(pods)
        if not chosen:
            return ("logs: it has no pods",)
        namespace = sight.target.namespace
        reads = (_read(sight.cluster, namespace, pod, wanted) for pod in chosen)
        each = LINES // len(chosen) - 1
        found = [_told(*read, wanted, each) for read in await asyncio.gather(*reads)]
        return tuple(line for lines in found for line in lines)


def _chosen(pods: tuple[Pod, ...]) -> list[Pod]:
    """The unready pods, the worst first; one that was restarted, or any, when all are ready."""
    ordered = worst_first(pods)
    return [pod for pod in ordered if not pod.ready][:PODS] or ordered[:1]


async def _read(
    cluster: ClusterReader, namespace: str, pod: Pod, wanted: LogsParams
) -> tuple[str, tuple[str, ...] | str]:
    """Whose log it is, and its lines or why there are none."""
    container = wanted.container or pod.suspect or next(iter(pod.containers), "")
    name = f"{pod.name}/{container}"
    previous = _crashed(pod) if wanted.previous == "auto" else wanted.previous is True
    try:
        if previous:
            try:
                lines = await cluster.logs(namespace, pod.name, container, tail=wanted.tail, previous=True)
            except NotFound:
                if wanted.previous is True:
                    raise
            else:
                return f"{name}, the run before", lines
        return name, await cluster.logs(namespace, pod.name, container, tail=wanted.tail)
    except StoreUnavailable:
        raise
    except RemediatorError as error:  # of one pod; the others may tell
        return name, plain(str(error), LONGEST_SHOWN)


def _crashed(pod: Pod) -> bool:
    """Whether what matters was written by the run before: it ended, and this one has not come far."""
    return "CrashLoopBackOff" in pod.state or (not pod.ready and pod.restarts > 0 and pod.phase == "Running")


def _told(name: str, read: tuple[str, ...] | str, wanted: LogsParams, limit: int) -> list[str]:
    if isinstance(read, str):
        return [f"{name}: {read}"]
    searched = expression(wanted.match)
    kept = hide_keys([line[:LONGEST_SEARCHED] for line in read])
    matching = [
        shown
        for line, shown in zip(read, kept, strict=True)
        if line.strip() and searched.search(line[:LONGEST_SEARCHED])
    ]
    lines = Counter(plain(redact(line), LONGEST_SHOWN) for line in reversed(matching))
    newest = [f"  {line}" + (f" ({times} times)" if times > 1 else "") for line, times in lines.items()]
    what = f"{len(matching)} of {len(read)} lines match" if wanted.match else f"{len(read)} lines"
    left = len(newest) - limit
    return [f"{name}: {what}" + (f", {left} not shown" if left > 0 else ""), *reversed(newest[:limit])]
