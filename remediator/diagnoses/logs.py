"""``logs``: the last lines of the containers that are in trouble."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, cast

from pydantic import Field

from remediator.core.cluster import ClusterReader, Pod
from remediator.core.errors import NotFound, RemediatorError, StoreUnavailable
from remediator.core.expressions import expression
from remediator.core.plugins import Params, Permission, Sight, on_target
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
        on_target("get", "know which pods are its own"),
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
    found: list[tuple[str, tuple[str, ...] | str]] = []
    for previous in _runs(pod, wanted):
        name = f"{pod.name}/{container}" + (", the run before" if previous else "")
        try:
            lines = await cluster.logs(namespace, pod.name, container, tail=wanted.tail, previous=previous)
        except StoreUnavailable:
            raise
        except NotFound as error:
            found.append((name, plain(str(error), LONGEST_SHOWN)))
        except RemediatorError as error:  # of one pod; the others may tell
            return name, plain(str(error), LONGEST_SHOWN)
        else:
            if _matching(lines, wanted):
                return name, lines
            found.append((name, lines))
    read = (one for one in found if not isinstance(one[1], str))
    return next(read, found[0])  # that nothing in a log matches says more than that there is none


def _runs(pod: Pod, wanted: LogsParams) -> tuple[bool, ...]:
    """Which runs are looked into, until one tells something: the one before is True.

    In a crash loop this run has not come far; after any other restart the one before may tell what this one
    does not.
    """
    if isinstance(wanted.previous, bool):
        return (wanted.previous,)
    if "CrashLoopBackOff" in pod.state:
        return True, False
    return (False, True) if pod.restarts else (False,)


def _matching(lines: tuple[str, ...], wanted: LogsParams) -> list[int]:
    """The numbers of the lines that match, in their order."""
    searched = expression(wanted.match)
    return [
        number
        for number, line in enumerate(lines)
        if line.strip() and searched.search(line[:LONGEST_SEARCHED])
    ]


def _told(name: str, read: tuple[str, ...] | str, wanted: LogsParams, limit: int) -> list[str]:
    if isinstance(read, str):
        return [f"{name}: {read}"]
    shown = hide_keys([line[:LONGEST_SEARCHED] for line in read])
    matching = _matching(read, wanted)
    lines = Counter(shown[number] for number in reversed(matching))
    newest = [_line(line, times) for line, times in list(lines.items())[:limit]]
    what = f"{len(matching)} of {len(read)} lines match" if wanted.match else f"{len(read)} lines"
    left = len(lines) - limit
    return [f"{name}: {what}" + (f", {left} not shown" if left > 0 else ""), *reversed(newest)]


def _line(line: str, times: int) -> str:
    return f"  {plain(redact(line), LONGEST_SHOWN)}" + (f" ({times} times)" if times > 1 else "")
