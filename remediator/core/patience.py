"""How long people have: the level that was asked to acknowledge, and whoever acknowledged to make progress.

Each is a durable timer. What happens when one rings is told in ``escalation``.
"""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core import paging
from remediator.core.decision import Draft
from remediator.core.policies import Level
from remediator.core.times import Instant, Millis


def level_of(levels: Sequence[Level], number: int) -> Level | None:
    """The level of that number, if there is one."""
    return next((level for level in levels if level.level == number), None)


def expect_answer(draft: Draft, level: Level) -> None:
    """A channel took the level's page: from now on people have so long to acknowledge it."""
    if level.acknowledge_within is not None and draft.incident.acknowledged_at is None:
        draft.arm("escalate", draft.at + level.acknowledge_within)


def expect_progress(draft: Draft) -> None:
    """Whoever took it on has so long to bring it to an end; the time that runs already stands."""
    incident = draft.incident
    level = level_of(incident.levels, incident.level)
    if incident.acknowledged_at is None or level is None or level.progress_within is None:
        return
    if not draft.is_armed("progress"):
        draft.arm("progress", draft.at + level.progress_within)


def hasten(draft: Draft, before: Sequence[Level]) -> None:
    """The times of the level that was asked run from now, unless what runs already ends sooner."""
    incident = draft.incident
    level, was = level_of(incident.levels, incident.level), level_of(before, incident.level)
    if level is None:
        return
    if incident.acknowledged_at is not None:
        ran = was.progress_within if was is not None else None
        _at_the_latest(draft, "progress", level.progress_within, incident.acknowledged_at, ran)
    elif (accepted := _accepted_at(draft)) is not None:  # else the time begins when a channel takes the page
        ran = was.acknowledge_within if was is not None else None
        _at_the_latest(draft, "escalate", level.acknowledge_within, accepted, ran)


def _at_the_latest(
    draft: Draft, timer: str, within: Millis | None, since: Instant, ran: Millis | None
) -> None:
    """The timer rings ``within`` from now, or as it would have: it ``ran`` ``since`` then."""
    if within is None:
        return
    if not draft.is_armed(timer) or ran is None or draft.at + within < since + ran:
        draft.arm(timer, draft.at + within)


def _accepted_at(draft: Draft) -> Instant | None:
    """When a channel first took a page of the level that was asked."""
    incident = draft.incident
    taken = [
        page.accepted_at
        for page in incident.pages
        if page.level == incident.level and page.accepted_at is not None and paging.is_current(draft, page)
    ]
    return min(taken, default=None)
