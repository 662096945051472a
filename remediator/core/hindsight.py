"""Whether it would have been right to act, found out from what then happened without it.

A rule that only observes or suggests says what it would have done. Had it acted, its runbook would have had a
certain time to be verified. What its alerts do until then tells, as far as anything can:

right      they fire on: nothing and nobody had repaired it by then, so trying would have been justified
needless   they have resolved by themselves
unclear    they have resolved, but a person had taken it on, or another rule's fix was verified
held back  another guard would have forbidden the change anyway: nothing follows

``right`` is no promise that the fix would have worked; that, only attempts that were made can tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core.decision import Draft
from remediator.core.incident import Attempt, Observed
from remediator.core.journal import Kind, VerdictNote
from remediator.core.policies import Runbook
from remediator.core.times import MINUTE, Instant, Millis, format_duration
from remediator.core.trust import Mark

TIMER = "hindsight"
WITHOUT_PROOF = Millis(5 * MINUTE)
"""The horizon of a runbook that proves nothing."""
MOST = 20
"""Observations of one incident that are waited for."""
_MODE = "mode"


def horizon(runbook: Runbook) -> Millis:
    """How long it takes at most from its first step until it is verified, or has failed."""
    waits = sum(step.wait.within for step in runbook.steps if step.wait is not None)
    return Millis(waits + max((check.within for check in runbook.verify), default=WITHOUT_PROOF))


def watch(draft: Draft, attempt: Attempt, verdicts: Sequence[VerdictNote]) -> None:
    """From now on it shows whether acting would have been right. Before the attempt ends."""
    if draft.firing == 0:
        return
    if any(not verdict.allowed and verdict.guard != _MODE for verdict in verdicts):
        draft.mark(attempt.rule, Mark.HELD_BACK)
        return
    until = Instant(draft.at + horizon(attempt.runbook))
    seen = Observed(rule=attempt.rule, attempt=attempt.number, since=draft.at, until=until)
    draft.change(observed=(*draft.incident.observed, seen)[-MOST:])
    _arm(draft)


def _arm(draft: Draft) -> None:
    waiting = [each.until for each in draft.incident.observed]
    if waiting:
        draft.arm(TIMER, min(waiting))
    else:
        draft.cancel(TIMER)


def time_is_over(draft: Draft) -> None:
    """A runbook would have had to be verified by now."""
    now = max(draft.at, min((each.until for each in draft.incident.observed), default=draft.at))
    due = [each for each in draft.incident.observed if each.until <= now]
    draft.change(observed=tuple(each for each in draft.incident.observed if each.until > now))
    for each in due:
        _tell(draft, each)
    _arm(draft)


def nothing_fires(draft: Draft) -> None:
    """The incident is over, or fell silent: what is still waited for has shown itself."""
    for each in draft.incident.observed:
        _tell(draft, each)
    if draft.incident.observed:
        draft.change(observed=())
        draft.cancel(TIMER)


def _tell(draft: Draft, seen: Observed) -> None:
    incident, took = draft.incident, format_duration(draft.at - seen.since)
    if draft.firing and draft.by_rule[seen.rule]:
        mark, text = Mark.RIGHT, f"{took} later its alerts fire on: acting would have been right"
    elif incident.acknowledged_at is not None or incident.verified_at is not None:
        mark, text = Mark.UNCLEAR, f"its alerts resolved within {took}, but not untouched: nothing is known"
    else:
        mark, text = Mark.NEEDLESS, f"its alerts resolved by themselves within {took}: acting was not needed"
    draft.mark(seen.rule, mark)
    draft.say(
        Kind.TRUST,
        f"attempt {seen.attempt}, for rule {seen.rule}: {text}",
        rule=seen.rule,
        hindsight=mark.value,
    )
