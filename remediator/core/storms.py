"""Storms: so many outages begin at once that the trouble is elsewhere. Pure.

Whether one holds follows from when outages began and from nothing else: no replica has to have noticed it,
and a policy that is loaded in the middle of a storm sees it as if it had been there from the start.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from remediator.core.policies import StormBound
from remediator.core.times import DAY, Instant, Millis

KEPT_OPENINGS = 2_000
"""So many of the newest are kept: twice as many as ``storm.incidents`` can be."""
OPENINGS_FOR = Millis(2 * DAY)
"""For so long they are kept: as long as ``within`` and ``stop_for`` of a storm can be together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """An incident opened, or opened again, then. ``member`` is unique, and is told apart by that."""

    member: str
    at: Instant

    @property
    def incident(self) -> str:
        """Which one."""
        return self.member.partition("#")[0]


def opening_member(incident: str, reopened: int) -> str:
    """The same however often it is written."""
    return f"{incident}#{reopened}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Storm:
    """A storm as of a moment: ``incidents`` opened within the span by ``seen_at``, and it lasts ``until``."""

    incidents: int
    seen_at: Instant
    until: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Openings:
    """What the store knows of outages that began, oldest first, and the store's own time."""

    at: Instant
    items: tuple[Opening, ...] = ()

    def within(self, span: Millis) -> int:
        """How many incidents opened in the last ``span``. One that opened again and again counts once."""
        return len({each.incident for each in self.items if each.at > self.at - span})

    def storm(self, bound: StormBound) -> Storm | None:
        """The storm that holds now, as it was last seen; None: there is none, or it is over."""
        last = _last_reached(self.items, bound)
        if last is None:
            return None
        seen_at, incidents = last
        until = Instant(seen_at + bound.stop_for)
        return Storm(incidents=incidents, seen_at=seen_at, until=until) if until > self.at else None


def _last_reached(openings: Sequence[Opening], bound: StormBound) -> tuple[Instant, int] | None:
    """The last opening with which there were enough within the span, and how many there were."""
    window: deque[Opening] = deque()
    counts: Counter[str] = Counter()
    found: tuple[Instant, int] | None = None
    for opening in openings:
        window.append(opening)
        counts[opening.incident] += 1
        while window[0].at <= opening.at - bound.within:
            old = window.popleft()
            counts[old.incident] -= 1
            if not counts[old.incident]:
                del counts[old.incident]
        if len(counts) >= bound.incidents:
            found = opening.at, len(counts)
    return found
