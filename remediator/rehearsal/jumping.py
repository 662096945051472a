"""Rounds of a verification that would answer what the last one did, folded into one.

An attempt that waits asks its checks every few seconds. Where nothing can have changed until some moment,
asking again gives the same answers, and what comes of them is the incident as before with a later
``asked_at``. That is worked out here, so that hours of waiting cost nothing. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from remediator.core.attempts import ASKING
from remediator.core.incident import Incident
from remediator.core.remedy import POLL_EVERY, POLL_LATER
from remediator.core.times import SECOND, Instant
from remediator.core.verification import UNWATCHED

TIMELESS = frozenset(("ready", "rollout", "alert", "endpoints", "promql", "http", "exec", "logs"))
"""Checks whose answer depends on the world alone and not on what time it is."""
POLL = "poll"


@dataclass(frozen=True, kw_only=True, slots=True)
class Jump:
    """The incident as the skipped rounds leave it, and the poll that is armed then."""

    incident: Incident
    timer: str
    due: Instant


def is_idle_poll(incident: Incident, timer: str, due: Instant) -> bool:
    """Whether the timer is the poll of checks that were asked just before, and would be asked the same."""
    attempt, (name, _, number) = incident.active, timer.rpartition("#")
    if name != POLL or attempt is None or number != str(incident.timers.get(POLL)):
        return False
    return (
        attempt.pending is None
        and attempt.phase in ASKING
        and all(
            check.check in TIMELESS and seen.asked_at is not None and due - seen.asked_at <= UNWATCHED
            for check, seen in zip(attempt.awaited, attempt.checks, strict=True)
        )
    )


def last_idle_moment(incident: Incident, due: Instant) -> Instant:
    """From when on a round that answers the same would end the asking: held for long enough, or too late."""
    attempt = incident.active
    assert attempt is not None
    ends = [attempt.phase_at + max(check.within for check in attempt.awaited)]
    stable = [
        seen.since + check.stable
        for check, seen in zip(attempt.awaited, attempt.checks, strict=True)
        if seen.since is not None
    ]
    if len(stable) == len(attempt.awaited):
        ends.append(max(stable))
    return Instant(min(ends))


def skip_rounds(incident: Incident, due: Instant, horizon: Instant) -> Jump:
    """The rounds from ``due`` on that come before ``horizon`` have answered what the last one did."""
    attempt = incident.active
    assert attempt is not None
    end = last_idle_moment(incident, due)
    count, last, moment, stop = 0, due, int(due), min(horizon, end)
    while moment < stop:
        often = moment - attempt.phase_at < 30 * SECOND
        pause = POLL_EVERY if often else POLL_LATER
        skipped = 1 if often else -((moment - stop) // pause)  # as many as fit before it
        count, last = count + skipped, Instant(moment + (skipped - 1) * pause)
        moment = min(last + pause, end)
    if not count:
        return Jump(incident=incident, timer=f"{POLL}#{incident.timers[POLL]}", due=due)
    armed = incident.timers_armed + count
    asked = tuple(replace(check, asked_at=last) for check in attempt.checks)
    after = incident.with_attempt(replace(attempt, checks=asked, rounds=attempt.rounds + count))
    after = replace(
        after,
        version=incident.version + 2 * count,
        timers={**incident.timers, POLL: armed},
        timers_armed=armed,
    )
    return Jump(incident=after, timer=f"{POLL}#{armed}", due=Instant(moment))
