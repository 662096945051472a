"""Questions that would be answered as they were just before, skipped: the incident as they leave it. Pure.

An attempt that waits asks its checks every few seconds, an open incident what would raise it. Where nothing
can have changed until some moment, asking again gives the same answers, and all that comes of it is counted:
when it was last asked, how often, under which numbers. So hours of waiting cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from remediator.core import attaching, verification
from remediator.core.attaching import ATTACH_EVERY
from remediator.core.attempts import ASKING
from remediator.core.checking import POLL_EVERY, POLL_LATER
from remediator.core.incident import Incident
from remediator.core.raising import WEIGH_EVERY
from remediator.core.times import SECOND, Instant
from remediator.core.verification import UNWATCHED

TIMELESS = frozenset(("ready", "rollout", "alert", "endpoints", "promql", "http", "logs", "job")).union(
    ("no_recurrence", "recent_rollout", "dependencies")
)
"""Checks whose answer depends on the world alone and not on what time it is, as that of a guard may."""
POLL = "poll"
WEIGH = "weigh"
ATTACH = attaching.TIMER


@dataclass(frozen=True, kw_only=True, slots=True)
class Jump:
    """The incident as the skipped rounds leave it, and the poll that is armed then."""

    incident: Incident
    timer: str
    due: Instant


def is_idle(incident: Incident, timer: str, due: Instant) -> bool:
    """Whether the timer only asks again what was asked just before."""
    name, _, number = timer.rpartition("#")
    if number != str(incident.timers.get(name)):
        return False
    if name == POLL:
        return _is_idle_poll(incident, due)
    return (name == WEIGH and incident.weighing is None) or name == ATTACH


def _is_idle_poll(incident: Incident, due: Instant) -> bool:
    attempt = incident.active
    if attempt is None or attempt.pending is not None or attempt.phase not in ASKING:
        return False
    return all(
        check.check in TIMELESS and seen.asked_at is not None and due - seen.asked_at <= UNWATCHED
        for check, seen in zip(attempt.awaited, attempt.checks, strict=True)
    )


def idle_until(incident: Incident, timer: str) -> Instant | None:
    """From when on a round that answers the same would end the asking: held for long enough, or too late.

    None: it goes on for ever.
    """
    if not timer.startswith(POLL):
        return None
    attempt = incident.active
    assert attempt is not None
    over, late = verification.complete(attempt), verification.latest(attempt)
    return late if over is None else min(over, late)


def skip_rounds(incident: Incident, timer: str, due: Instant, horizon: Instant) -> Jump:
    """The rounds from ``due`` on that come before ``horizon`` have answered what the last one did."""
    if timer.startswith(POLL):
        return _skip_polls(incident, due, horizon)
    if timer.startswith(ATTACH):
        count = max(-((due - horizon) // ATTACH_EVERY), 0)
        return _armed(incident, ATTACH, count, Instant(due + count * ATTACH_EVERY), armings=1, commits=1)
    count = max(-((due - horizon) // WEIGH_EVERY), 0)
    after = incident.evolve(weighed=incident.weighed + count) if count else incident
    return _armed(after, WEIGH, count, Instant(due + count * WEIGH_EVERY), armings=2)


def _skip_polls(incident: Incident, due: Instant, horizon: Instant) -> Jump:
    attempt, end = incident.active, idle_until(incident, POLL)
    assert attempt is not None
    assert end is not None
    count, last, moment, stop = 0, due, int(due), min(horizon, end)
    while moment < stop:
        often = moment - attempt.phase_at < 30 * SECOND
        pause = POLL_EVERY if often else POLL_LATER
        skipped = 1 if often else -((moment - stop) // pause)  # as many as fit before it
        count, last = count + skipped, Instant(moment + (skipped - 1) * pause)
        moment = min(last + pause, end)
    if count:
        asked = tuple(replace(check, asked_at=last) for check in attempt.checks)
        incident = incident.with_attempt(replace(attempt, checks=asked, rounds=attempt.rounds + count))
    return _armed(incident, POLL, count, Instant(moment), armings=1)


def _armed(
    incident: Incident, name: str, rounds: int, due: Instant, *, armings: int, commits: int = 2
) -> Jump:
    """A round is two commits, its question and its answer, and arms its timer ``armings`` times.

    One commit is enough for what is looked at while deciding.
    """
    armed = incident.timers_armed + armings * rounds
    number = armed if rounds else incident.timers[name]
    after = incident.evolve(
        version=incident.version + commits * rounds,
        timers={**incident.timers, name: number},
        timers_armed=armed,
    )
    return Jump(incident=after, timer=f"{name}#{number}", due=due)
