"""How patient replicas are with each other."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.core.times import SECOND, Millis


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """The times after which the living take over from the dead. The defaults suit a production network.

    They belong together: three heartbeats may be lost before a consumer is taken for dead (``idle``), and a
    lease outlives the longest single call to the cluster (10 s), so that a live owner never loses it between
    a look and a change.
    """

    heartbeat: float = 4.0
    """Seconds between two signs of life of a consumer."""
    idle: Millis = Millis(15 * SECOND)
    """A consumer that has been silent for that long is succeeded."""
    lease: Millis = Millis(20 * SECOND)
    """How long a target stays leased without being prolonged."""


DEFAULT_PACE = Pace()
