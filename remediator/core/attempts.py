"""An attempt on its way: how it begins, what it does next, how it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from remediator.core import approval, attaching, escalation, isolating, locating, quieting, trust
from remediator.core.aiming import is_sought, target_of, uid_of
from remediator.core.decision import Draft
from remediator.core.incident import (
    KEPT_ATTEMPTS,
    Attempt,
    CheckProgress,
    EffectId,
    Outcome,
    Phase,
    Status,
)
from remediator.core.journal import Act, Diagnose, Kind, Undo, Verify
from remediator.core.pinning import pin
from remediator.core.policies import Policy
from remediator.core.text import plain
from remediator.core.times import Millis

LONGEST_REASON = 500
KEPT_CHANGES = 40
KEPT_OF_OLD = 5
"""Changes that are told of an attempt, and of one that another has followed."""
ASKING = (Phase.WAITING, Phase.SETTLING, Phase.VERIFYING)
"""Phases that ask checks again and again until they hold."""
CHANGING = (Phase.ACTING, Phase.UNDOING)
"""Phases that change something, and may be put off."""


def set_going(draft: Draft, policy: Policy, *, anew: bool = False) -> None:
    """It is open: what it depends on comes first; else people are asked in time and a runbook begins.

    ``anew``: it waited for something else until now.
    """
    locating.seek(draft)
    attaching.attach(draft, policy)
    escalation.apply_page_policy(draft, policy, anew=anew)
    start_next(draft, policy)


def keep_attached(draft: Draft, policy: Policy) -> None:
    """Look anew at what it waits for, if it waits; once that is over, it is decided again."""
    if draft.incident.status in (Status.HELD, Status.RESOLVED):
        attaching.let_go(draft)
    elif attaching.look_again(draft, policy):
        set_going(draft, policy, anew=True)
    elif draft.incident.attached_to is not None:
        escalation.apply_page_policy(draft, policy)  # where that hides no page any more


def start_next(draft: Draft, policy: Policy) -> None:
    """Begin the next planned runbook, unless one runs. A runbook that is gone from the policy blocks."""
    incident = draft.incident
    if incident.active is not None or incident.status in (Status.HELD, Status.RESOLVED):
        return
    if incident.plan and (is_sought(incident) or attaching.attach(draft, policy)):
        return
    missing = ""
    while draft.incident.plan:
        planned, *rest = draft.incident.plan
        draft.change(plan=tuple(rest))
        runbook = policy.runbooks.get(planned.runbook)
        if runbook is not None:
            if draft.incident.verified_at is not None:
                escalation.apply_page_policy(draft, policy)  # what was verified is in doubt again
                draft.change(verified_at=None)
            rule = policy.rule(planned.rule)
            pinned, trouble = pin(runbook, draft.incident, policy, planned.rule)
            target = target_of(draft.incident, rule, policy)
            attempt = _start(draft, Attempt(
                number=draft.incident.attempt_count + 1,
                runbook=pinned,
                rule=planned.rule,
                started_at=draft.at,
                phase=Phase.DIAGNOSING,
                phase_at=draft.at,
                target=target.path if target is not None else "",
                target_uid=uid_of(draft.incident, rule) if target is not None else "",
            ))  # fmt: skip
            if not trouble:
                _set_out(draft, attempt)
                return
            conclude(draft, attempt, Outcome.BLOCKED, trouble)
            missing = f"runbook {runbook.name} {Outcome.BLOCKED}: {trouble}"
            continue
        missing = f"runbook {planned.runbook} is gone from the policy"
        draft.say(Kind.GUARD, missing, guard="policy", verdict="blocks")
    if missing:
        escalation.remediation_failed(draft, policy, missing)


def _start(draft: Draft, attempt: Attempt) -> Attempt:
    # what older ones found is on the timeline: the incident's value stays small
    older = draft.incident.attempts[-(KEPT_ATTEMPTS - 1) :]
    kept = [replace(old, findings=(), changes=told(old.changes, KEPT_OF_OLD), undoing=None) for old in older]
    draft.change(attempts=(*kept, attempt), attempt_count=attempt.number, status=Status.REMEDIATING)
    draft.say(
        Kind.ATTEMPT_STARTED,
        f"attempt {attempt.number}: runbook {attempt.runbook.name}, for rule {attempt.rule}",
        runbook=attempt.runbook.name,
        attempt=attempt.number,
    )
    return attempt


def told(changes: Sequence[str], most: int = KEPT_CHANGES) -> tuple[str, ...]:
    """The changes in words, as an incident keeps them: names of pods are long, and there can be many."""
    told = tuple(plain(change) for change in changes)
    return told if len(told) <= most else (*told[: most - 1], "and more")


def _set_out(draft: Draft, attempt: Attempt) -> None:
    if attempt.runbook.diagnose or attempt.runbook.evidence:
        _send(draft, attempt)
    else:
        enter_step(draft, attempt, 0)


def _send(draft: Draft, attempt: Attempt) -> None:
    """Send out the effect that the attempt's phase asks for."""
    incident = draft.incident
    if attempt.phase in (Phase.APPROVING, Phase.ENDED):
        return
    effect = EffectId(f"{incident.id}/{attempt.number}/{attempt.phase}/{attempt.step}.{attempt.rounds}")
    attempt = draft.change_attempt(replace(attempt, pending=effect, rounds=attempt.rounds + 1))
    match attempt.phase:
        case Phase.DIAGNOSING:
            draft.effects.append(Diagnose(id=effect, incident=incident.id, attempt=attempt.number))
        case Phase.ACTING:
            step, at = attempt.step, attempt.phase_at
            act = Act(id=effect, incident=incident.id, attempt=attempt.number, step=step, at=at)
            draft.effects.append(act)
            isolating.expect(draft, attempt)
            quieting.expect(draft, attempt)
        case Phase.UNDOING:
            step, at = attempt.step, attempt.phase_at
            undo = Undo(id=effect, incident=incident.id, attempt=attempt.number, step=step, at=at)
            draft.effects.append(undo)
        case Phase.DECIDING | Phase.WAITING | Phase.SETTLING | Phase.VERIFYING:
            draft.effects.append(Verify(id=effect, incident=incident.id, attempt=attempt.number))
        case Phase.PAUSING | Phase.APPROVING | Phase.ENDED:
            return  # time passes, a person answers, or nobody any more
        case _:
            assert_never(attempt.phase)


def enter_step(draft: Draft, attempt: Attempt, step: int) -> None:
    """The step of that number, or the verification after the last one."""
    steps = attempt.runbook.steps
    if step >= len(steps):
        enter(draft, attempt, Phase.VERIFYING)
    elif steps[step].when is not None:
        enter(draft, attempt, Phase.DECIDING, step)
    else:
        begin_step(draft, attempt, step)


def begin_step(draft: Draft, attempt: Attempt, step: int) -> None:
    """The step of that number, whatever it depends on."""
    wanted = attempt.runbook.steps[step]
    if wanted.pause is not None:
        _pause(draft, attempt, step, wanted.pause)
    else:
        enter(draft, attempt, Phase.ACTING if wanted.wait is None else Phase.WAITING, step)


def _pause(draft: Draft, attempt: Attempt, step: int, span: Millis) -> None:
    """Nothing is asked and nobody is busy: only a timer runs."""
    attempt = replace(attempt, settling=None)
    paused = replace(attempt, phase=Phase.PAUSING, phase_at=draft.at, step=step, rounds=0, checks=())
    draft.change_attempt(paused)
    draft.change(status=Status.REMEDIATING)
    draft.arm("poll", draft.at + span)


def enter(draft: Draft, attempt: Attempt, phase: Phase, step: int = 0) -> None:
    settling = attempt.settling if phase is Phase.SETTLING else None
    attempt = replace(
        attempt, phase=phase, phase_at=draft.at, step=step, rounds=0, checks=(), settling=settling
    )
    if phase in ASKING or phase is Phase.DECIDING:
        attempt = replace(attempt, checks=tuple(CheckProgress() for _ in attempt.awaited))
    draft.change_attempt(attempt)
    draft.change(status=Status.VERIFYING if phase is Phase.VERIFYING else Status.REMEDIATING)
    _send(draft, attempt)


def act_on(draft: Draft, attempt: Attempt) -> None:
    """Go on with the step before which people were asked. Its effects go on being numbered."""
    attempt = draft.change_attempt(replace(attempt, phase=Phase.ACTING, phase_at=draft.at))
    _send(draft, attempt)


def proceed(draft: Draft, timer: str) -> None:
    """A poll or a put-off step is due."""
    attempt = draft.incident.active
    waits_in = ASKING if timer == "poll" else CHANGING
    if attempt is not None and attempt.pending is None and attempt.phase in waits_in:
        _send(draft, attempt)


def hurry(draft: Draft) -> None:
    """The last alert resolved: look again at once instead of at the next poll."""
    attempt = draft.incident.active
    if attempt is not None and attempt.phase is Phase.VERIFYING and attempt.pending is None:
        draft.arm("poll", draft.at)


def awaited(draft: Draft, effect: EffectId) -> Attempt | None:
    """The running attempt, if it waits for this very effect. Anything else came late, or twice."""
    attempt = draft.incident.active
    return attempt if attempt is not None and attempt.pending == effect else None


def conclude(draft: Draft, attempt: Attempt, outcome: Outcome, reason: str) -> Attempt:
    approval.stop_asking(draft)
    attempt = draft.change_attempt(
        replace(
            attempt,
            runbook=replace(attempt.runbook, diagnose=(), steps=(), verify=()),  # nobody performs it any more
            phase=Phase.ENDED,
            settling=None,
            pending=None,
            asked=None,
            made=(),
            outcome=outcome,
            reason=plain(reason, LONGEST_REASON),
            ended_at=draft.at,
        )
    )
    trust.ended(draft, attempt, outcome)
    quieting.end_with(draft, attempt)
    draft.cancel("poll", "act")
    draft.change(status=Status.ESCALATED if draft.incident.level else Status.OPEN)
    draft.say(
        Kind.ATTEMPT_ENDED,
        f"attempt {attempt.number}: {outcome}: {attempt.reason}",
        runbook=attempt.runbook.name,
        outcome=outcome,
        attempt=attempt.number,
        took=draft.at - attempt.started_at,
    )
    return attempt


def say_step(draft: Draft, attempt: Attempt, text: str, result: str) -> None:
    """Tell of a step for which nothing was performed. Steps count from 0."""
    action, runbook = attempt.runbook.steps[attempt.step].action, attempt.runbook.name
    draft.say(Kind.STEP, text, action=action, result=result, runbook=runbook, step=attempt.step)
