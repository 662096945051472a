"""Runbook progress: which attempt runs, what it does next, how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from remediator.core import escalation, paging, verification
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
from remediator.core.journal import (
    Act,
    Acted,
    ActResult,
    Checked,
    Diagnose,
    Diagnosed,
    EffectLost,
    Kind,
    Verify,
)
from remediator.core.pinning import pin
from remediator.core.policies import Mode, Policy
from remediator.core.text import plain
from remediator.core.times import MINUTE, SECOND, format_duration

POLL_EVERY = SECOND
"""Between two rounds of a verification, in its first half minute."""
POLL_LATER = 5 * SECOND
"""Between two rounds after that."""
ACT_WITHIN = 5 * MINUTE
"""How long a step may be put off (the target is leased, the API server busy) before it counts as blocked."""
ACT_AGAIN = 2 * SECOND
KEPT_FINDINGS = 20
KEPT_CHANGES = 40
KEPT_OF_OLD = 5
"""Changes that are told of an attempt, and of one that another has followed."""
ASKING = (Phase.WAITING, Phase.VERIFYING)
"""Phases that ask checks again and again until they hold."""


def start_next(draft: Draft, policy: Policy) -> None:
    """Begin the next planned runbook, unless one runs. A runbook that is gone from the policy blocks."""
    incident = draft.incident
    if incident.active is not None or incident.status in (Status.HELD, Status.RESOLVED):
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
            pinned, trouble = pin(runbook, draft.incident, policy)
            attempt = _start(draft, Attempt(
                number=draft.incident.attempt_count + 1,
                runbook=pinned,
                rule=planned.rule,
                started_at=draft.at,
                phase=Phase.DIAGNOSING,
                phase_at=draft.at,
                target=_target(draft.incident.service, policy),
            ))  # fmt: skip
            if not trouble:
                _set_out(draft, attempt)
                return
            _conclude(draft, attempt, Outcome.BLOCKED, trouble)
            missing = f"runbook {runbook.name} {Outcome.BLOCKED}: {trouble}"
            continue
        missing = f"runbook {planned.runbook} is gone from the policy"
        draft.say(Kind.GUARD, missing, guard="policy", verdict="blocks")
    if missing:
        escalation.remediation_failed(draft, policy, missing)


def _target(name: str, policy: Policy) -> str:
    service = policy.services.get(name)
    return service.workload.path if service is not None and service.workload is not None else ""


def _start(draft: Draft, attempt: Attempt) -> Attempt:
    # what older ones found is on the timeline: the incident's value stays small
    older = draft.incident.attempts[-(KEPT_ATTEMPTS - 1) :]
    kept = [replace(old, findings=(), changes=_told(old.changes, KEPT_OF_OLD)) for old in older]
    draft.change(attempts=(*kept, attempt), attempt_count=attempt.number, status=Status.REMEDIATING)
    draft.say(
        Kind.ATTEMPT_STARTED,
        f"attempt {attempt.number}: runbook {attempt.runbook.name}, for rule {attempt.rule}",
        runbook=attempt.runbook.name,
        attempt=attempt.number,
    )
    return attempt


def _told(changes: Sequence[str], most: int = KEPT_CHANGES) -> tuple[str, ...]:
    """The changes in words, as an incident keeps them: names of pods are long, and there can be many."""
    told = tuple(plain(change) for change in changes)
    return told if len(told) <= most else (*told[: most - 1], "and more")


def _set_out(draft: Draft, attempt: Attempt) -> None:
    if attempt.runbook.diagnose:
        _send(draft, attempt)
    else:
        _enter_step(draft, attempt, 0)


def _send(draft: Draft, attempt: Attempt) -> None:
    """Send out the effect that the attempt's phase asks for."""
    incident = draft.incident
    effect = EffectId(f"{incident.id}/{attempt.number}/{attempt.phase}/{attempt.step}.{attempt.rounds}")
    attempt = draft.change_attempt(replace(attempt, pending=effect, rounds=attempt.rounds + 1))
    match attempt.phase:
        case Phase.DIAGNOSING:
            draft.effects.append(Diagnose(id=effect, incident=incident.id, attempt=attempt.number))
        case Phase.ACTING:
            step, at = attempt.step, attempt.phase_at
            act = Act(id=effect, incident=incident.id, attempt=attempt.number, step=step, at=at)
            draft.effects.append(act)
        case Phase.WAITING | Phase.VERIFYING:
            draft.effects.append(Verify(id=effect, incident=incident.id, attempt=attempt.number))
        case Phase.ENDED:
            return
        case _:
            assert_never(attempt.phase)


def _enter_step(draft: Draft, attempt: Attempt, step: int) -> None:
    """The step of that number, or the verification after the last one."""
    steps = attempt.runbook.steps
    if step >= len(steps):
        _enter(draft, attempt, Phase.VERIFYING)
    else:
        _enter(draft, attempt, Phase.ACTING if steps[step].wait is None else Phase.WAITING, step)


def _enter(draft: Draft, attempt: Attempt, phase: Phase, step: int = 0) -> None:
    attempt = replace(attempt, phase=phase, phase_at=draft.at, step=step, rounds=0, checks=())
    if phase in ASKING:
        attempt = replace(attempt, checks=tuple(CheckProgress() for _ in attempt.awaited))
    draft.change_attempt(attempt)
    draft.change(status=Status.VERIFYING if phase is Phase.VERIFYING else Status.REMEDIATING)
    _send(draft, attempt)


def proceed(draft: Draft, timer: str) -> None:
    """A poll or a put-off step is due."""
    attempt = draft.incident.active
    waits_in = ASKING if timer == "poll" else (Phase.ACTING,)
    if attempt is not None and attempt.pending is None and attempt.phase in waits_in:
        _send(draft, attempt)


def hurry(draft: Draft) -> None:
    """The last alert resolved: look again at once instead of at the next poll."""
    attempt = draft.incident.active
    if attempt is not None and attempt.phase is Phase.VERIFYING and attempt.pending is None:
        draft.arm("poll", draft.at)


def _awaited(draft: Draft, effect: EffectId) -> Attempt | None:
    """The running attempt, if it waits for this very effect. Anything else came late, or twice."""
    attempt = draft.incident.active
    return attempt if attempt is not None and attempt.pending == effect else None


def diagnosed(draft: Draft, event: Diagnosed, policy: Policy) -> None:
    """Keep what was found, then act."""
    attempt = _awaited(draft, event.effect)
    if attempt is None:
        return
    findings = tuple(plain(line, 300) for line in event.findings)[:KEPT_FINDINGS]
    for line in findings:
        draft.say(Kind.DIAGNOSED, line, attempt=attempt.number)
    attempt = draft.change_attempt(replace(attempt, findings=findings))
    _enter_step(draft, attempt, 0)


def acted(draft: Draft, event: Acted, policy: Policy) -> None:
    """A step came back: go on, put it off, or end the attempt."""
    attempt = _awaited(draft, event.effect)
    if attempt is None:
        if event.changes:
            draft.say(Kind.STEP, f"reported late: {'; '.join(event.changes)}", result=event.result)
        return
    for verdict in event.verdicts:
        verdict_text = "allows" if verdict.allowed else "blocks"
        draft.say(Kind.GUARD, f"{verdict.guard}: {verdict.text}", guard=verdict.guard, verdict=verdict_text)
    action = attempt.runbook.steps[attempt.step].action
    reason = plain(event.reason, 300)
    draft.say(Kind.STEP, f"{action}: {event.result}: {reason}", action=action, result=event.result)
    attempt = replace(attempt, pending=None, changes=_told((*attempt.changes, *event.changes)))
    draft.change_attempt(attempt)
    again_at = draft.at + max(event.retry_after or 0, ACT_AGAIN)
    match event.result:
        case ActResult.DONE:
            _enter_step(draft, attempt, attempt.step + 1)
        case ActResult.RETRY if again_at - attempt.phase_at < ACT_WITHIN:
            draft.arm("act", again_at)
        case ActResult.RETRY if event.in_doubt:
            _end(
                draft, attempt, Outcome.UNKNOWN, f"whether {action} took effect is unknown: {reason}", policy
            )
        case ActResult.RETRY | ActResult.BLOCKED:
            _blocked(draft, attempt, reason, policy)
        case ActResult.WITHHELD if attempt.changes:  # the mode is a new one: what was begun is left half done
            _blocked(draft, attempt, reason, policy)
        case ActResult.WITHHELD:
            rule = policy.rule(attempt.rule)
            suggested = rule is not None and rule.mode is not Mode.OBSERVE
            _end(draft, attempt, Outcome.SUGGESTED if suggested else Outcome.OBSERVED, reason, policy)
        case ActResult.FAILED:
            _end(draft, attempt, Outcome.FAILED, f"{action} failed: {reason}", policy)
        case ActResult.UNKNOWN:
            _end(
                draft, attempt, Outcome.UNKNOWN, f"whether {action} took effect is unknown: {reason}", policy
            )


def _blocked(draft: Draft, attempt: Attempt, reason: str, policy: Policy) -> None:
    if draft.firing > 0:
        _end(draft, attempt, Outcome.BLOCKED, reason, policy)
    elif attempt.changes:
        _enter(draft, attempt, Phase.VERIFYING)
    else:
        _end(draft, attempt, Outcome.ABANDONED, "its alerts resolved before anything was changed", policy)


def lost(draft: Draft, event: EffectLost, policy: Policy) -> None:
    """An effect became a dead letter. What a lost step did is unknown; a lost look proves nothing."""
    attempt = _awaited(draft, event.effect)
    if attempt is None:
        return
    reason = f"{attempt.phase} could not be performed: {plain(event.reason)}"
    attempt = draft.change_attempt(replace(attempt, pending=None))
    outcomes = {Phase.ACTING: Outcome.UNKNOWN, Phase.WAITING: Outcome.FAILED, Phase.VERIFYING: Outcome.FAILED}
    _end(draft, attempt, outcomes.get(attempt.phase, Outcome.BLOCKED), reason, policy)


def checked(draft: Draft, event: Checked, policy: Policy) -> None:
    """A round of checks came back, of a waiting step or the verification: done, again, or too late."""
    attempt = _awaited(draft, event.effect)
    if attempt is None:
        return
    checks = tuple(
        verification.progress(before, result, draft.at)
        for before, result in zip(attempt.checks, event.results, strict=True)
    )
    attempt = draft.change_attempt(replace(attempt, pending=None, checks=checks))
    wanted = attempt.awaited
    stable_at = [
        None if progress.since is None else progress.since + check.stable
        for check, progress in zip(wanted, checks, strict=True)
    ]
    if all(moment is not None and moment <= draft.at for moment in stable_at):
        observed = "; ".join(p.observed for p in checks)
        if attempt.phase is Phase.VERIFYING:
            _end(draft, attempt, Outcome.VERIFIED, observed, policy)
            return
        draft.say(Kind.STEP, f"wait: done: {plain(observed, 300)}", action="wait", result=ActResult.DONE)
        _enter_step(draft, attempt, attempt.step + 1)
        return
    ends_at = attempt.phase_at + max(check.within for check in wanted)
    if draft.at >= ends_at:
        if attempt.phase is Phase.WAITING and not attempt.changes and draft.firing == 0:
            _blocked(draft, attempt, "", policy)
            return
        _end(draft, attempt, Outcome.FAILED, verification.unmet(attempt, draft.at), policy)
        return
    pause = POLL_EVERY if draft.at - attempt.phase_at < 30 * SECOND else POLL_LATER
    moments = [draft.at + pause, ends_at]
    if all(moment is not None for moment in stable_at):
        moments.append(max(moment for moment in stable_at if moment is not None))
    draft.arm("poll", min(moments))


def _conclude(draft: Draft, attempt: Attempt, outcome: Outcome, reason: str) -> Attempt:
    attempt = draft.change_attempt(
        replace(
            attempt,
            runbook=replace(attempt.runbook, diagnose=(), steps=(), verify=()),  # nobody performs it any more
            phase=Phase.ENDED,
            pending=None,
            outcome=outcome,
            reason=plain(reason, 500),
            ended_at=draft.at,
        )
    )
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


def _end(draft: Draft, attempt: Attempt, outcome: Outcome, reason: str, policy: Policy) -> None:
    attempt = _conclude(draft, attempt, outcome, reason)
    failed = f"runbook {attempt.runbook.name} {outcome}: {attempt.reason}"
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


def resolve(draft: Draft, reason: str) -> None:
    """The incident is over: nothing is armed any more but what the outbox still owes."""
    draft.change(status=Status.RESOLVED, resolved_at=draft.at, plan=(), deadline_at=None)
    draft.cancel("poll", "act", "deadline", "escalate", "linger", "hold")
    took = draft.at - draft.incident.opened_at
    draft.say(
        Kind.RESOLVED,
        f"resolved after {format_duration(took)}: {reason}",
        took=took,
        paged=draft.incident.level > 0,
    )
    paging.resolve_pages(draft)
