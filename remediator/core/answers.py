"""What becomes of an attempt that waits for a person: agreed to, refused, or left unanswered."""

from __future__ import annotations

from dataclasses import replace

from remediator.core import approval, attempts, ending, escalation
from remediator.core.decision import Draft
from remediator.core.incident import Approval, Attempt
from remediator.core.journal import Kind, PlanApproved, PlanRejected
from remediator.core.policies import PageNever, Policy
from remediator.core.text import plain
from remediator.core.times import format_duration


def approved(draft: Draft, event: PlanApproved) -> None:
    """Go on with the step, before which every guard is asked as ever."""
    attempt = _answered(draft, event)
    if attempt is None:
        return
    by = plain(event.by, 60)
    _say(draft, attempt, "approved", f"approved by {by}{_note(event)}", by=by)
    approval.stop_asking(draft)
    agreed = Approval(digest=event.digest, by=by, at=draft.at)
    attempts.act_on(draft, replace(attempt, approved=agreed))


def rejected(draft: Draft, event: PlanRejected, policy: Policy) -> None:
    """Nothing of it is done: the next runbook, or people."""
    attempt = _answered(draft, event)
    if attempt is None:
        return
    by = plain(event.by, 60)
    reason = f"rejected by {by}{_note(event)}"
    _say(draft, attempt, "rejected", reason, by=by)
    ending.blocked(draft, attempt, reason, policy)


def expired(draft: Draft, policy: Policy) -> None:
    """Nobody answered in time: people are paged, whatever else is left to try."""
    attempt = draft.incident.active
    if attempt is None or attempt.request is None:
        return
    within = format_duration(attempt.request.until - attempt.request.asked_at)
    reason = f"nobody approved plan {attempt.request.plan.digest} within {within}"
    _say(draft, attempt, "expired", reason)
    if not draft.incident.level and not isinstance(escalation.page_policy(draft, policy), PageNever):
        escalation.ask_level(draft, policy, 1, f"{attempt.runbook.name}: {reason}")
    ending.blocked(draft, attempt, reason, policy)


def _answered(draft: Draft, event: PlanApproved | PlanRejected) -> Attempt | None:
    """The attempt whose question that answers; None, and a line about it, for any other."""
    attempt = draft.incident.active
    request = attempt.request if attempt is not None else None
    if attempt is None or request is None:
        trouble = "nothing waits for it"
    elif request.plan.digest != event.digest:
        trouble = f"another plan, {request.plan.digest}, waits by now"
    elif draft.at >= request.until:
        trouble = "the time to answer is over"
    elif not approval.may_answer(request.by, event.by, event.roles):
        trouble = f"only {' or '.join(request.by)} may answer"
    else:
        return attempt
    by, digest = plain(event.by, 60), plain(event.digest, 40)
    draft.say(Kind.APPROVAL, f"the answer of {by} about plan {digest} changes nothing: {trouble}")
    return None


def _say(draft: Draft, attempt: Attempt, outcome: str, text: str, **data: str) -> None:
    draft.say(
        Kind.APPROVAL,
        f"attempt {attempt.number}: {text}",
        outcome=outcome,
        attempt=attempt.number,
        runbook=attempt.runbook.name,
        **data,
    )


def _note(event: PlanApproved | PlanRejected) -> str:
    return f": {plain(event.note, 300)}" if event.note else ""
