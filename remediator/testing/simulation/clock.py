"""Virtual seconds as instants and stamps."""

from __future__ import annotations

from datetime import UTC, datetime

from remediator.core.times import Instant, Stamp

BASE = 1_795_400_000
"""The virtual clock starts at that many seconds since the epoch."""


def instant(at: float) -> Instant:
    """Milliseconds since the epoch."""
    return Instant(int((BASE + at) * 1000))


def stamp(at: float) -> Stamp:
    """Whole seconds."""
    moment = datetime.fromtimestamp(BASE + int(at), UTC)
    return Stamp(moment.strftime("%Y-%m-%dT%H:%M:%S") + ".000000000Z")
