"""A person's agreement: what is asked, who may answer, and that an answer binds to the plan that was shown.

Asking is a phase of the attempt: nothing happens in it, and a durable timer ends it. The question is a
message of its own to whoever would be paged first. It is no page: no level is asked by it, and no deadline of
a page is put off by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace

from remediator.core import paging
from remediator.core.changes import Change
from remediator.core.decision import Draft
from remediator.core.incident import Attempt, Incident, Phase, Request, ShownPlan, Status
from remediator.core.journal import Kind
from remediator.core.patience import level_of
from remediator.core.policies import ApprovalTerms, Mode, Policy, Runbook
from remediator.core.text import plain
from remediator.core.times import MINUTE, Instant, Millis, format_duration, format_instant

APPROVE_WITHIN = Millis(15 * MINUTE)
"""How long an answer is waited for where the runbook does not say."""
TIMER = "approval"
_DIGITS = 16


def must_ask(mode: Mode, runbook: Runbook, severity: str) -> bool:
    """Whether a person has to agree before the runbook changes anything, for a rule in that mode."""
    if mode is Mode.AUTO:
        return runbook.approval is not None and severity in runbook.approval.asked_for
    return mode is Mode.APPROVE


def terms_of(runbook: Runbook) -> ApprovalTerms:
    """Its own, or the daemon's."""
    return runbook.approval or ApprovalTerms(asked_for=(), within=APPROVE_WITHIN)


def describe_terms(runbook: Runbook) -> str:
    """``by sre-team within 10m``."""
    terms = terms_of(runbook)
    who = " or ".join(terms.by) or "anyone who may operate the daemon"
    return f"by {who} within {format_duration(terms.within)}"


def may_answer(by: Collection[str], name: str, roles: Collection[str]) -> bool:
    """Whether that person is among those who may; nobody named: any operator."""
    return not by or name in by or not set(by).isdisjoint(roles)


# --- the plan ---


def digest_changes(changes: Sequence[Change]) -> str:
    """Of what exactly would be changed, and on which objects; not of when."""
    return _digest([[str(each), each.fenced_on.path, each.uid, each.target.path] for each in changes])


def digest_plan(incident: Incident, attempt: Attempt, steps: Sequence[str]) -> str:
    """Of the runbook as it is pinned, whom it is for, and what each step would change."""
    pinned = asdict(attempt.runbook)
    return _digest([incident.id, attempt.number, attempt.rule, attempt.target, pinned, list(steps)])


def _digest(what: object) -> str:
    text = json.dumps(what, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def differs(attempt: Attempt, step: int, changes: Sequence[Change]) -> bool:
    """Whether that is not what was agreed to for the step."""
    shown = attempt.asked.plan.steps if attempt.asked is not None and attempt.approved is not None else ()
    return step >= len(shown) or shown[step] != digest_changes(changes)


# --- asking ---


def ask(draft: Draft, attempt: Attempt, plan: ShownPlan, policy: Policy) -> None:
    """Wait for a person, and tell whoever would be paged first that something waits."""
    terms = terms_of(attempt.runbook)
    again = attempt.approved is not None
    stop_asking(draft)
    request = Request(plan=plan, asked_at=draft.at, until=Instant(draft.at + terms.within), by=terms.by)
    attempt = draft.change_attempt(
        replace(
            attempt,
            phase=Phase.APPROVING,
            phase_at=draft.at,
            pending=None,
            asked=request,
            asked_times=attempt.asked_times + 1,
            approved=None,
        )
    )
    draft.change(status=Status.REMEDIATING)
    draft.arm(TIMER, request.until)
    why = "what was agreed to is not what would be done by now, so it is asked anew" if again else "asks"
    draft.say(
        Kind.APPROVAL,
        f"attempt {attempt.number}: {why}: approval {describe_terms(attempt.runbook)} of plan {plan.digest}: "
        f"{plain('; '.join(plan.lines), 500)}",
        outcome="changed" if again else "asked",
        attempt=attempt.number,
        runbook=attempt.runbook.name,
        digest=plan.digest,
    )
    _tell(draft, attempt, request, policy)


def _tell(draft: Draft, attempt: Attempt, request: Request, policy: Policy) -> None:
    level = level_of(draft.incident.levels, max(draft.incident.level, 1))
    channels = level.channels if level is not None else policy.operator
    until = format_instant(request.until)
    text = f"asks for approval until {until}: {plain('; '.join(request.plan.lines), 300)}"
    paging.put_question(draft, channels, attempt.request_name, text)


def stop_asking(draft: Draft) -> None:
    """Nothing waits for an answer any more: no timer, and the question is taken back where it arrived."""
    incident = draft.incident
    if incident.active is None or incident.active.request is None:
        return
    draft.cancel(TIMER)
    paging.take_back(draft, incident.active.request_name)
