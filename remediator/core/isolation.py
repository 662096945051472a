"""What an isolated workload carries, so that everybody who looks at it knows what it was and until when.

Both annotations stand on the workload itself: they are there as long as it is, whatever becomes of the
daemon, its store and its incident. Whoever ends an isolation, by a step, when its time is over or by hand,
reads them. They count only
while the workload asks for no pods: whoever scales it up has ended the isolation.
"""

from __future__ import annotations

from collections.abc import Mapping

from remediator.core.times import Instant, format_instant, parse_stamp, stamp_instant

ISOLATED_REPLICAS = "remediator/isolated-replicas"
"""How many pods it asked for before it was isolated."""
ISOLATED_UNTIL = "remediator/isolated-until"
"""Until when it stays so at most, as RFC 3339 in UTC."""
_MOST = 1_000_000


def remembered(annotations: Mapping[str, str]) -> int | None:
    """How many pods an isolated workload had; None when it is not isolated, or nonsense is written there."""
    text = annotations.get(ISOLATED_REPLICAS, "")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))):
        return None
    return int(text) if 1 <= int(text) <= _MOST else None


def isolated_until(annotations: Mapping[str, str]) -> Instant | None:
    """Until when it stays isolated; None when nothing, or nonsense, is written there."""
    try:
        return stamp_instant(parse_stamp(annotations[ISOLATED_UNTIL]))
    except (KeyError, ValueError):
        return None


def say_until(until: Instant) -> str:
    """The end as the annotation holds it."""
    return format_instant(until)
