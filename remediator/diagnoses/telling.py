"""How diagnoses say things: when, about which pods first, and that there is nothing to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from remediator.core.cluster import Pod
from remediator.core.times import SECOND, Instant, format_duration, format_instant

LINES = 20
"""Lines a diagnosis may have."""
_UNIT = re.compile(r"[0-9]+[a-z]+")


def nothing(diagnosis: str) -> tuple[str, ...]:
    """Where no cluster is configured, or the service has no workload."""
    return (f"{diagnosis}: nothing to look at: no cluster, or no workload in the catalog",)


def when(then: Instant, now: Instant | None) -> str:
    """``4m ago`` in the two largest units; the time itself where nobody knows what time it is."""
    if not then:
        return "at an unknown time"
    if now is None:
        return f"at {format_instant(then)[:-5]}Z"
    return f"{span(now - then)} ago"


def span(milliseconds: int) -> str:
    """A duration for people, such as ``1h30m``: whole seconds, at most two units, never negative."""
    whole = format_duration(max(milliseconds // SECOND, 0) * SECOND)
    return "".join(_UNIT.findall(whole)[:2])


def worst_first(pods: Iterable[Pod]) -> list[Pod]:
    """Those that are not ready first, of them those that were restarted most; then by name."""
    return sorted(pods, key=lambda pod: (pod.ready, pod.terminating, -pod.restarts, pod.name))


def bounded(lines: Sequence[str], limit: int = LINES) -> tuple[str, ...]:
    """At most so many lines, the last of which says how many are left out."""
    if len(lines) <= limit:
        return tuple(lines)
    return (*lines[: limit - 1], f"and {len(lines) - limit + 1} more")
