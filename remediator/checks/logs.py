"""``logs``: few enough lines of the workload's logs match an expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from remediator.checks.looking import read_target
from remediator.core.cluster import ClusterReader, Pod
from remediator.core.errors import NotFound, RemediatorError, StoreUnavailable
from remediator.core.expressions import expression
from remediator.core.journal import CheckResult
from remediator.core.plugins import Params, Permission, Sight, on_target
from remediator.core.redact import hide_keys, redact
from remediator.core.spans import Span
from remediator.core.text import plain
from remediator.core.times import MINUTE, Millis, format_duration
from remediator.core.values import ObjectName, Regex

PODS = 50
"""Pods whose logs are read; of more it cannot be known whether it holds."""
AT_ONCE = 4
TAIL = 5_000
"""Lines of a container that are read; where it wrote more, the newest are counted."""
LONGEST_SEARCHED = 4_000
LONGEST_SHOWN = 160


class LogsCheckParams(Params):
    """Parameters of the check ``logs``."""

    match: Annotated[Regex, Field(min_length=1)] = Field(
        description="The regular expression (RE2) that lines are held against."
    )
    at_most: int = Field(default=0, ge=0, le=100_000, description="How many lines may match it.")
    since: Span = Field(default=5 * MINUTE, description="How far back lines are looked at.")
    container: ObjectName = Field(default="", description="The container. Default: all of them.")


class LogsCheck:
    """Holds while at most so many lines of its logs match an expression.

    All its pods are read, and of containers that restarted the run before as well. While one of the logs
    cannot be read, or has more lines than are read, few lines elsewhere prove nothing: it is unknown.
    """

    name: ClassVar[str] = "logs"
    params: ClassVar[type[Params]] = LogsCheckParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("get", "know which pods are its own"),
        Permission(group="", resource="pods", verbs=("list",), why="find its pods"),
        Permission(group="", resource="pods/log", verbs=("get",), why="count what they wrote"),
    )
    example: ClassVar[str] = "logs: {match: 'error|exception|panic', at_most: 3, since: 2m}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Counts the matching lines of every container; tells the newest one that was found."""
        assert isinstance(params, LogsCheckParams)
        seen = await read_target(sight)
        if isinstance(seen, CheckResult):
            return seen
        assert sight.cluster is not None, "the target was read"
        try:
            pods = await sight.cluster.pods(seen)
        except StoreUnavailable:
            raise
        except RemediatorError as error:
            return CheckResult(holds=None, observed=f"its pods could not be read: {error}")
        if not pods:
            return CheckResult(holds=None, observed="it has no pods, so no logs")
        counts = await _count(sight.cluster, seen.ref.namespace, pods, params)
        return judge(params, counts, len(pods))


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """What was found in a log. ``newest``: the last line that matches, fit to be shown.

    ``trouble``: why there may be more than was counted; empty when there is not.
    """

    matching: int
    newest: str = ""
    trouble: str = ""


def judge(params: LogsCheckParams, counts: list[Count], pods: int) -> CheckResult:
    """What these counts mean: too many are too many, whatever else could not be read."""
    matching = sum(count.matching for count in counts)
    observed = (
        f"{matching} lines of {pods} pods match in the last {format_duration(params.since)}, "
        f"at most {params.at_most} wanted"
    )
    newest = next((count.newest for count in reversed(counts) if count.newest), "")
    shown = f"; such as: {newest}" if newest else ""
    if matching > params.at_most:
        return CheckResult(holds=False, observed=observed + shown)
    trouble = next((count.trouble for count in counts if count.trouble), "")
    if pods > PODS:
        trouble = f"it has {pods} pods, and the logs of {PODS} are read"
    if trouble:
        return CheckResult(holds=None, observed=f"{observed}; but {trouble}")
    return CheckResult(holds=True, observed=observed + shown)


async def _count(
    cluster: ClusterReader, namespace: str, pods: tuple[Pod, ...], wanted: LogsCheckParams
) -> list[Count]:
    import asyncio  # here, because whoever only checks policies has no use for it and would wait for it

    places = asyncio.Semaphore(AT_ONCE)

    async def one(pod: Pod, container: str, *, previous: bool) -> Count:
        async with places:
            return await _read(cluster, namespace, pod, container, wanted, previous=previous)

    return list(
        await asyncio.gather(
            *(
                one(pod, container, previous=previous)
                for pod in pods[:PODS]
                for container in ((wanted.container,) if wanted.container else pod.containers)
                for previous in ((True, False) if pod.restarts else (False,))
            )
        )
    )


async def _read(
    cluster: ClusterReader,
    namespace: str,
    pod: Pod,
    container: str,
    wanted: LogsCheckParams,
    *,
    previous: bool,
) -> Count:
    """What matches in one log. That there was no run before is no trouble; that nothing runs yet is."""
    try:
        lines = await cluster.logs(
            namespace, pod.name, container, tail=TAIL, previous=previous, since=Millis(wanted.since)
        )
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        if previous and isinstance(error, NotFound):
            return Count(matching=0)
        return Count(matching=0, trouble=plain(str(error), LONGEST_SHOWN))
    searched = expression(wanted.match)
    found = [n for n, line in enumerate(lines) if searched.search(line[:LONGEST_SEARCHED])]
    more = f"{pod.name}/{container} wrote more than the {len(lines)} lines that are read"
    newest = ""
    if found:
        shown = hide_keys([line[:LONGEST_SEARCHED] for line in lines])[found[-1]]
        newest = f"{pod.name}: {plain(redact(shown), LONGEST_SHOWN)}"
    return Count(matching=len(found), newest=newest, trouble=more if len(lines) >= TAIL else "")
