"""Breakers: a runbook that fails again and again is not tried any more, until a person allows it. Pure.

Failures are counted by the store, over all incidents and replicas, by the very commit that ends an attempt.
The one that makes them too many opens the breaker and enqueues the notice, so that it is told once. It stays
open until a person closes it: neither time nor another policy does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remediator.core.incident import EffectId
from remediator.core.journal import Notice
from remediator.core.policies import BreakerBound, Policy
from remediator.core.text import plain
from remediator.core.times import Instant, Millis, format_duration, format_instant

MOST_FAILURES = 1_000
"""So many of the newest failures of one runbook are kept: as many as ``breaker.failures`` can be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An attempt of a runbook that counts against it.

    ``member``: names the attempt, which counts once. ``notices``: told if this one opens the breaker.
    """

    runbook: str
    member: str
    bound: BreakerBound
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """A breaker that was opened: why, and whether a person has closed it since.

    ``failures`` attempts failed ``within`` a span; ``by_attempt`` was the last of them.
    """

    runbook: str
    opened_at: Instant
    failures: int
    within: Millis
    by_attempt: str = ""
    closed_at: Instant | None = None
    closed_by: str = ""
    note: str = ""

    @property
    def open(self) -> bool:
        """Whether nobody has closed it."""
        return self.closed_at is None

    def __str__(self) -> str:
        text = (
            f"breaker of {self.runbook} is open since {format_instant(self.opened_at)}: "
            f"{self.failures} attempts failed within {format_duration(self.within)}"
        )
        if self.closed_at is None:
            return text
        return f"{text}; closed by {plain(self.closed_by, 60)} at {format_instant(self.closed_at)}"


def failures_of(attempts: Sequence[tuple[str, str]], policy: Policy) -> tuple[Failure, ...]:
    """What counts against breakers: of pairs of a runbook and an attempt. Nothing where none is asked for."""
    bound = policy.guards.breaker
    if bound is None:
        return ()
    return tuple(
        Failure(
            runbook=runbook,
            member=member,
            bound=bound,
            notices=_notices(runbook, member, bound, policy.operator),
        )
        for runbook, member in attempts
    )


def _notices(runbook: str, member: str, bound: BreakerBound, operator: Sequence[str]) -> tuple[Notice, ...]:
    return tuple(
        Notice(
            id=EffectId(f"breaker/{runbook}/{member}/{channel}"),
            channel=channel,
            summary=f"remediator: runbook {runbook} is not tried any more, it failed too often",
            details={
                "reason": f"{bound.failures} attempts failed within {format_duration(bound.within)}",
                "the last of them": member,
                "what to do": f"find out why it does not help, then: remediator close {runbook}",
            },
        )
        for channel in operator
    )


def in_order(breakers: Sequence[Breaker]) -> tuple[Breaker, ...]:
    """The open ones first, by name."""
    return tuple(sorted(breakers, key=lambda each: (not each.open, each.runbook)))
