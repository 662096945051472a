"""Events about a workload, the objects in which it keeps its newest revisions, and its pods.

Every question costs the server a walk through all events of the namespace, with a selector or without. Few
objects are asked for one by one, which sends no more than is wanted; for many, one walk that sends everything
is cheaper for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.listing import Listing, collect
from remediator.adapters.kubernetes.paths import core_path
from remediator.adapters.kubernetes.snapshots import instant_of
from remediator.core.cluster import ClusterEvent
from remediator.core.text import plain
from remediator.core.times import Instant

Json: TypeAlias = Mapping[str, Any]

FEW = 8
"""Up to so many objects are asked for one by one."""
MOST_READ = 5_000
"""Events of a namespace that are read at most; those of an hour, as servers keep them, are seldom more."""
MOST_TOLD = 500
LONGEST_MESSAGE = 1_000


async def read_events(
    api: Api, namespace: str, uids: Sequence[str], deadline: Deadline
) -> tuple[ClusterEvent, ...]:
    """Events about the objects with these UIDs, newest first, at most 500. Raises Refused, Retryable."""
    wanted = frozenset(filter(None, uids))
    if len(wanted) <= FEW:
        found: list[ClusterEvent] = []
        for uid in sorted(wanted):
            asked = _listing(namespace, f"involvedObject.uid={uid}", MOST_TOLD)
            found += await collect(api, asked, event_of, deadline)
    else:
        whole = _listing(namespace, "", MOST_READ)
        found = [*await collect(api, whole, lambda obj: _about_one(obj, wanted), deadline)]
    return tuple(sorted(found, key=lambda event: event.at, reverse=True)[:MOST_TOLD])


def _listing(namespace: str, fields: str, most: int) -> Listing:
    path = core_path(namespace, "events")
    return Listing(resource="events", namespace=namespace, path=path, fields=fields, most=most)


def _about_one(obj: Json, wanted: frozenset[str]) -> ClusterEvent | None:
    return event_of(obj) if (obj.get("involvedObject") or {}).get("uid") in wanted else None


def event_of(obj: Json) -> ClusterEvent:
    """An Event of either form: older recorders count in the event itself, newer ones in its series."""
    about, series = obj.get("involvedObject") or {}, obj.get("series") or {}
    return ClusterEvent(
        at=_last_seen(obj, series),
        warning=obj.get("type") == "Warning",
        reason=plain(str(obj.get("reason") or ""), 100),
        about=f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}",
        message=plain(str(obj.get("message") or ""), LONGEST_MESSAGE),
        count=max(int(series.get("count") or obj.get("count") or 1), 1),
    )


def _last_seen(obj: Json, series: Json) -> Instant:
    told = (
        series.get("lastObservedTime"),
        obj.get("lastTimestamp"),
        obj.get("eventTime"),
        obj.get("firstTimestamp"),
        obj["metadata"].get("creationTimestamp"),
    )
    return instant_of(next(filter(None, told), None))
