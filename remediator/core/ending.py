"""How an attempt ends and what follows from it, and how an incident ends. Pure."""

from __future__ import annotations

from remediator.core import approval, attaching, escalation, hindsight, locating, paging, trust, undoing
from remediator.core.attempts import conclude, enter, start_next
from remediator.core.decision import Draft
from remediator.core.incident import Attempt, Outcome, Phase, Status
from remediator.core.journal import Kind
from remediator.core.policies import Policy
from remediator.core.text import plain
from remediator.core.times import format_duration


def end(draft: Draft, attempt: Attempt, outcome: Outcome, reason: str, policy: Policy) -> None:
    """The attempt is over; what follows is the next runbook, or people, or the end of the incident."""
    if outcome is not Outcome.VERIFIED:
        reason = with_what_is_there(attempt, reason)
    attempt = conclude(draft, attempt, outcome, reason)
    if outcome in trust.GOES_WRONG:
        draft.fail(attempt)
    trust.judge(draft, attempt, policy)
    failed = f"runbook {attempt.runbook.name} {outcome}: {attempt.reason}"
    left = attempt.undoing is not None and attempt.undoing.left
    if left:
        escalation.left_in_place(draft, policy, failed)
    match outcome:
        case Outcome.VERIFIED:
            draft.change(verified_at=draft.at, plan=())
            if draft.firing == 0:
                resolve(draft, f"runbook {attempt.runbook.name} was verified and its alerts have resolved")
            else:
                escalation.expect_resolution(draft)
        case Outcome.ABANDONED:
            resolve(draft, "its alerts have resolved")
        case Outcome.UNKNOWN:
            draft.change(plan=())
            if not left:  # people have just been asked, with all that is known
                escalation.remediation_failed(draft, policy, failed, unknown=True)
        case Outcome.OBSERVED | Outcome.SUGGESTED:
            others = tuple(planned for planned in draft.incident.plan if planned.rule != attempt.rule)
            draft.change(plan=others)
            if draft.firing == 0:
                resolve(draft, "its alerts have resolved")
            elif others:
                start_next(draft, policy)
            else:
                escalation.remediation_failed(draft, policy, f"nothing was changed: {attempt.reason}")
        case Outcome.FAILED | Outcome.BLOCKED:
            # With nothing firing any more no other runbook starts; but a change that could not be
            # verified is not "fixed" because its alert went silent: people hear of it.
            if draft.firing == 0:
                draft.change(plan=())
            if draft.incident.plan:
                start_next(draft, policy)
            else:
                escalation.remediation_failed(draft, policy, failed)


def end_undone(draft: Draft, ended: undoing.Ended | None, policy: Policy) -> None:
    """As what undoes it says; None: it is not over."""
    attempt = draft.incident.active
    if ended is not None and attempt is not None:
        end(draft, attempt, *ended, policy)


def with_what_is_there(attempt: Attempt, reason: str) -> str:
    """The reason, and what the attempt leaves in place."""
    if not attempt.made or attempt.undoing is not None:
        return reason
    there = ", ".join(made.text for made in attempt.made)
    return f"{plain(reason, undoing.LONGEST_WHY)}; not undone, as no verification failed: {there}"


def blocked(draft: Draft, attempt: Attempt, reason: str, policy: Policy) -> None:
    """The attempt cannot go on. Where nothing fires any more, what was done is verified instead."""
    approval.stop_asking(draft)
    if draft.firing > 0:
        end(draft, attempt, Outcome.BLOCKED, reason, policy)
    elif attempt.changes:
        enter(draft, attempt, Phase.VERIFYING)
    else:
        end(draft, attempt, Outcome.ABANDONED, "its alerts resolved before anything was changed", policy)


def resolve(draft: Draft, reason: str) -> None:
    """The incident is over: nothing is armed any more but what the outbox still owes."""
    hindsight.nothing_fires(draft)
    draft.change(status=Status.RESOLVED, resolved_at=draft.at, plan=(), deadline_at=None)
    attaching.let_go(draft)
    locating.stop(draft)
    draft.cancel("poll", "act", approval.TIMER, "deadline", "escalate", "progress", "linger", "hold")
    took = draft.at - draft.incident.open_since
    draft.say(
        Kind.RESOLVED,
        f"resolved after {format_duration(took)}: {reason}",
        took=took,
        paged=draft.incident.level > 0 or _was_asked(draft),
    )
    paging.resolve_pages(draft)


def _was_asked(draft: Draft) -> bool:
    """Whether people were asked for approval since it last opened: they were not spared."""
    return any(page.asks and paging.is_current(draft, page) for page in draft.incident.pages)
