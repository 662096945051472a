"""A round of checks came back: of a verification, of a step that waits, settles, or depends on one. Pure."""

from __future__ import annotations

from dataclasses import replace

from remediator.core import undoing, verification
from remediator.core.attempts import awaited, begin_step, enter_step, say_step
from remediator.core.decision import Draft
from remediator.core.ending import blocked, end, end_undone
from remediator.core.incident import Attempt, Outcome, Phase
from remediator.core.journal import ActResult, Checked, CheckResult, Kind
from remediator.core.policies import Policy
from remediator.core.text import plain
from remediator.core.times import SECOND

POLL_EVERY = SECOND
"""Between two rounds of a verification, in its first half minute."""
POLL_LATER = 5 * SECOND
"""Between two rounds after that."""
LONGEST_END = 1_000
"""Characters that are told of how something long ended: the last lines of a log may be among them."""


def checked(draft: Draft, event: Checked, policy: Policy) -> None:
    """A round of checks came back, of a waiting step or the verification: done, again, or too late."""
    attempt = awaited(draft, event.effect)
    if attempt is None:
        return
    checks = tuple(
        verification.progress(before, result, draft.at)
        for before, result in zip(attempt.checks, event.results, strict=True)
    )
    attempt = draft.change_attempt(replace(_with_lag(draft, attempt, event), pending=None, checks=checks))
    if attempt.phase is Phase.DECIDING:
        _decided(draft, attempt, event.results[0], policy)
        return
    if attempt.phase is Phase.SETTLING and event.results[0].final and not event.results[0].holds:
        _not_settled(draft, attempt, event.results[0], event.results[0].observed, policy)
        return
    complete_at = verification.complete(attempt)
    if complete_at is not None and complete_at <= draft.at:
        observed = "; ".join(p.observed for p in checks)
        if attempt.phase is Phase.VERIFYING:
            end(draft, attempt, Outcome.VERIFIED, observed, policy)
            return
        if attempt.phase is Phase.SETTLING:
            text = f"{attempt.runbook.steps[attempt.step].action}: done: {plain(observed, 300)}"
            say_step(draft, attempt, text, ActResult.DONE)
        else:
            text = f"wait: done: {plain(observed, 300)}"
            draft.say(Kind.STEP, text, action="wait", result=ActResult.DONE)
        enter_step(draft, attempt, attempt.step + 1)
        return
    ends_at = verification.latest(attempt)
    if draft.at >= ends_at:
        if attempt.phase is Phase.WAITING and not attempt.changes and draft.firing == 0:
            blocked(draft, attempt, "", policy)
            return
        unmet = verification.unmet(attempt, draft.at)
        match attempt.phase:
            case Phase.SETTLING:
                _not_settled(draft, attempt, event.results[0], unmet, policy)
            case Phase.VERIFYING:
                end_undone(draft, undoing.begin(draft, attempt, unmet), policy)
            case _:
                end(draft, attempt, Outcome.FAILED, unmet, policy)
        return
    pause = POLL_EVERY if draft.at - attempt.phase_at < 30 * SECOND else POLL_LATER
    moments = [draft.at + pause, ends_at]
    if complete_at is not None:
        moments.append(complete_at)
    draft.arm("poll", min(moments))


def _with_lag(draft: Draft, attempt: Attempt, event: Checked) -> Attempt:
    """How long to wait at least is pinned as soon as it is known: a rule that changes later counts not."""
    lag = event.lag
    if lag is None or attempt.lag is not None or attempt.phase is not Phase.VERIFYING:
        return attempt
    unread = lag.span is None
    if lag.text and not (unread and attempt.lag_unread):
        draft.say(Kind.VERIFICATION, plain(lag.text, 300), attempt=attempt.number, lag=lag.span)
    return replace(attempt, lag=lag.span, lag_unread=unread)


def _decided(draft: Draft, attempt: Attempt, seen: CheckResult, policy: Policy) -> None:
    """Whether a step is performed: what it depends on was asked. Where that is unknown nothing is changed."""
    step = attempt.runbook.steps[attempt.step]
    assert step.when is not None
    asked, observed = f"when {step.when.check}", plain(seen.observed, 250)
    match seen.holds:
        case True:
            draft.say(Kind.GUARD, f"{asked}: {observed}", guard="when", verdict="allows")
            begin_step(draft, attempt, attempt.step)
        case False:
            text = f"{step.action}: skipped: {asked} does not hold: {observed}"
            say_step(draft, attempt, text, "skipped")
            enter_step(draft, attempt, attempt.step + 1)
        case None:
            text = f"whether {step.action} is meant is unknown: {asked}: {observed}"
            draft.say(Kind.GUARD, f"when: {text}", guard="when", verdict="blocks")
            blocked(draft, attempt, text, policy)


def _not_settled(draft: Draft, attempt: Attempt, seen: CheckResult, why: str, policy: Policy) -> None:
    """What a step began did not end well; where that cannot be found out, nothing else is tried."""
    failed, action = seen.holds is False, attempt.runbook.steps[attempt.step].action
    result = ActResult.FAILED if failed else ActResult.UNKNOWN
    say_step(draft, attempt, f"{action}: {result}: {plain(why, LONGEST_END)}", result)
    reason = f"{action} failed: {why}" if failed else f"how {action} ended is unknown: {why}"
    end(draft, attempt, Outcome.FAILED if failed else Outcome.UNKNOWN, reason, policy)
