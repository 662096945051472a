"""``events``: what Kubernetes told of the workload and its pods."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from remediator.core.cluster import ClusterEvent, Pod
from remediator.core.plugins import NoParams, Params, Permission, Sight, on_target
from remediator.core.redact import redact
from remediator.core.text import plain
from remediator.core.times import Instant
from remediator.diagnoses.telling import LINES, bounded, nothing, when, worst_first

ASKED = 5
"""Pods whose events are asked for, the worst first: what is wrong with one is wrong with its siblings."""
_UID = re.compile(r"\(?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)?")


class Events:
    """Events about the workload, its newest revisions and up to five of its pods, the unready ones first.

    Warnings come first. What was told of several pods is one line, with how often and how long ago.
    """

    name: ClassVar[str] = "events"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="events", verbs=("list",), why="read what Kubernetes tells"),
        on_target("get", "know which pods are its own"),
        Permission(
            group="apps",
            resource="replicasets",
            verbs=("list",),
            kinds=("deployment",),
            why="read events of its revisions",
        ),
        Permission(group="", resource="pods", verbs=("list",), why="read events of its pods"),
    )
    example: ClassVar[str] = "events: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """At most 20 lines."""
        if sight.cluster is None or sight.target is None:
            return nothing(self.name)
        workload = await sight.cluster.workload(sight.target)
        pods = worst_first(await sight.cluster.pods(workload))[:ASKED]
        groups = _grouped(await sight.cluster.events(workload, pods), pods)
        if not groups:
            return (f"no events about {workload.ref} and its pods: the server keeps them for about an hour",)
        return bounded([_line(group, sight.at) for group in groups], LINES)


def _grouped(events: Iterable[ClusterEvent], pods: Sequence[Pod]) -> list[list[ClusterEvent]]:
    """What tells the same thing, together; warnings first, then what was seen last."""
    groups: dict[tuple[bool, str, str, str], list[ClusterEvent]] = {}
    for event in events:
        kind = event.about.partition("/")[0]
        key = (event.warning, event.reason, kind, _without_names(event.message, pods))
        groups.setdefault(key, []).append(event)
    return sorted(groups.values(), key=lambda group: (not group[0].warning, -_last(group)))


def _without_names(message: str, pods: Sequence[Pod]) -> str:
    for pod in pods:
        message = message.replace(pod.name, "")
    return _UID.sub("", message)


def _last(group: Sequence[ClusterEvent]) -> Instant:
    return max(event.at for event in group)


def _line(group: Sequence[ClusterEvent], now: Instant | None) -> str:
    newest = max(group, key=lambda event: event.at)
    about = {event.about for event in group}
    kind = newest.about.partition("/")[0]
    whom = plain(newest.about, 120) if len(about) == 1 else f"{len(about)} {plain(kind, 40)}s"
    times = sum(event.count for event in group)
    often = "once" if times == 1 else f"{times} times, last"
    word = "Warning " if newest.warning else ""
    message = plain(redact(_UID.sub("", newest.message)), 240)
    return f"{word}{newest.reason}, {whom}, {often} {when(newest.at, now)}: {message}"
