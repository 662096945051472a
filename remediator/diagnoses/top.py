"""``top``: what the pods use now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from remediator.core.cluster import Pod
from remediator.core.errors import NotFound
from remediator.core.holdings import ContainerUsage, PodUsage
from remediator.core.plugins import Params, Permission, Sight, on_target
from remediator.core.quantities import amount, say_bytes, say_cores
from remediator.core.text import plain
from remediator.diagnoses.telling import bounded, nothing

SHOWN = 18
NAMED = 3
"""Pods that are named among those that were not measured."""
Resources: TypeAlias = Mapping[str, Mapping[str, Any]]


class TopParams(Params):
    """Parameters of ``top``."""

    by: Literal["memory", "cpu"] = Field(default="memory", description="What the pods are ordered by.")
    containers: bool = Field(default=False, description="Whether containers are told one by one.")


class Top:
    """What the pods use now, the hungriest first, as ``kubectl top pods``.

    Beside it stands how much that is of what they may have at most, or of what they ask for. It needs
    metrics-server, or what else serves ``metrics.k8s.io``; without it that is said.
    """

    name: ClassVar[str] = "top"
    params: ClassVar[type[Params]] = TopParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("get", "know which pods are its own"),
        Permission(group="", resource="pods", verbs=("list",), why="know what they may use"),
        Permission(group="metrics.k8s.io", resource="pods", verbs=("list",), why="read what they use"),
    )
    example: ClassVar[str] = "top: {by: memory}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """The sum, then a line for each pod or container, then who was not measured."""
        assert isinstance(params, TopParams)
        if sight.cluster is None or sight.target is None:
            return nothing(self.name)
        workload = await sight.cluster.workload(sight.target)
        try:
            measured = await sight.cluster.usage(workload)
        except NotFound as error:
            return (f"top: {plain(str(error), 200)}",)
        pods = {pod.name: pod for pod in await sight.cluster.pods(workload)}
        return _told(params, pods, [one for one in measured if one.pod in pods])


def _told(params: TopParams, pods: Mapping[str, Pod], measured: Sequence[PodUsage]) -> tuple[str, ...]:
    unmeasured = sorted(pods.keys() - {one.pod for one in measured})
    lines = [f"top: {_sum(measured)}", *bounded(_lines(params, pods, measured), SHOWN)]
    if unmeasured:
        more = f" and {len(unmeasured) - NAMED} more" if len(unmeasured) > NAMED else ""
        lines.append(f"not measured: {', '.join(unmeasured[:NAMED])}{more}")
    return tuple(lines)


def _sum(measured: Sequence[PodUsage]) -> str:
    if not measured:
        return "none of its pods was measured"
    memory = say_bytes(sum((one.memory for one in measured), Decimal(0)))
    cpu = say_cores(sum((one.cpu for one in measured), Decimal(0)))
    return f"{len(measured)} pods use {memory} of memory and {cpu} of cpu"


def _lines(params: TopParams, pods: Mapping[str, Pod], measured: Sequence[PodUsage]) -> list[str]:
    """The hungriest first."""
    rows: list[tuple[Decimal, str]] = []
    for one in measured:
        asked = pods[one.pod].resources
        if params.containers:
            rows += [
                (_key(params, each), _line(f"{one.pod}/{each.name}", each, _only(asked, each)))
                for each in one.containers
            ]
        else:
            names = {each.name for each in one.containers}
            rows.append((_key(params, one), _line(one.pod, one, asked if names <= asked.keys() else {})))
    return [line for _, line in sorted(rows, key=lambda row: (-row[0], row[1]))]


def _key(params: TopParams, used: PodUsage | ContainerUsage) -> Decimal:
    return used.memory if params.by == "memory" else used.cpu


def _only(asked: Resources, used: ContainerUsage) -> Resources:
    return {used.name: asked[used.name]} if used.name in asked else {}


def _line(name: str, used: PodUsage | ContainerUsage, asked: Resources) -> str:
    memory = f"memory {say_bytes(used.memory)}{_share(used.memory, asked, 'memory')}"
    return f"{plain(name, 130)}: {memory}, cpu {say_cores(used.cpu)}{_share(used.cpu, asked, 'cpu')}"


def _share(used: Decimal, asked: Resources, resource: str) -> str:
    """How much it is of the limit; of the request where nothing limits it; nothing where neither is said."""
    for key, word in (("limits", "limit"), ("requests", "request")):
        whole = _summed(asked, key, resource)
        if whole:
            return f" ({used / whole:.0%} of its {word})"
    return ""


def _summed(asked: Resources, key: str, resource: str) -> Decimal | None:
    """Of all containers; None where one of them says nothing, or something that is no quantity."""
    total = Decimal(0)
    for own in asked.values():
        try:
            total += amount(str((own.get(key) or {})[resource]))
        except (KeyError, ValueError):
            return None
    return total
