"""What becomes of an attempt when one of its effects has come back, and how it ends."""

from __future__ import annotations

from dataclasses import replace

from remediator.core import attaching, escalation, isolating, locating, paging, undoing, verification
from remediator.core.attempts import awaited, conclude, enter, enter_step, start_next, told
from remediator.core.decision import Draft
from remediator.core.incident import (
    Attempt,
    Outcome,
    Phase,
    Planned,
    Status,
)
from remediator.core.journal import (
    Acted,
    ActResult,
    Checked,
    Diagnosed,
    EffectLost,
    Kind,
)
from remediator.core.policies import Mode, Policy
from remediator.core.roots import DEPENDENCY
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


def diagnosed(draft: Draft, event: Diagnosed, policy: Policy) -> None:
    """Keep what was found, then act."""
    attempt = awaited(draft, event.effect)
    if attempt is None:
        return
    findings = tuple(plain(line, 300) for line in event.findings)[:KEPT_FINDINGS]
    for line in findings:
        draft.say(Kind.DIAGNOSED, line, attempt=attempt.number)
    attempt = draft.change_attempt(replace(attempt, findings=findings))
    enter_step(draft, attempt, 0)


def acted(draft: Draft, event: Acted, policy: Policy) -> None:
    """A step came back: go on, put it off, or end the attempt."""
    attempt = awaited(draft, event.effect)
    if attempt is None:
        if event.changes:
            draft.say(Kind.STEP, f"reported late: {'; '.join(event.changes)}", result=event.result)
        return
    for verdict in event.verdicts:
        verdict_text = "allows" if verdict.allowed else "blocks"
        draft.say(Kind.GUARD, f"{verdict.guard}: {verdict.text}", guard=verdict.guard, verdict=verdict_text)
    action = attempt.runbook.steps[attempt.step].action
    undoes = attempt.phase is Phase.UNDOING
    _tell(draft, event, action, undoes=undoes)
    attempt = replace(attempt, pending=None, changes=told((*attempt.changes, *event.changes)))
    attempt = draft.change_attempt(attempt if undoes else undoing.keep(attempt, event))
    again_at = draft.at + max(event.retry_after or 0, ACT_AGAIN)
    put_off = event.result is ActResult.RETRY or (undoes and _comes_second(event))
    if put_off and again_at - attempt.phase_at < ACT_WITHIN:
        draft.arm("act", again_at)
        return
    if undoes:
        _end_undone(draft, undoing.undone(draft, attempt, event), policy)
    else:
        isolating.judge(draft, attempt, event)
        _go_on(draft, attempt, event, policy, again_at)


def _tell(draft: Draft, event: Acted, action: str, *, undoes: bool) -> None:
    word, label = (f"undo {action}", f"undo:{action}") if undoes else (action, action)
    text = f"{word}: {event.result}: {plain(event.reason, 300)}"
    if (
        undoes and event.result is ActResult.DONE and not event.changes
    ):  # nothing was done, so none is counted
        draft.say(Kind.STEP, f"{word}: nothing is taken back: {plain(event.reason, 300)}")
    else:
        draft.say(Kind.STEP, text, action=label, result=event.result)


def _go_on(draft: Draft, attempt: Attempt, event: Acted, policy: Policy, again_at: int) -> None:
    """After a step that is not put off any more."""
    action, reason = attempt.runbook.steps[attempt.step].action, plain(event.reason, 300)
    match event.result:
        case ActResult.DONE:
            enter_step(draft, attempt, attempt.step + 1)
        case ActResult.RETRY if event.in_doubt:
            _end(
                draft, attempt, Outcome.UNKNOWN, f"whether {action} took effect is unknown: {reason}", policy
            )
        case ActResult.BLOCKED if draft.firing > 0 and _comes_second(event):
            _give_way(draft, attempt, reason, policy, again_at)
        case ActResult.RETRY | ActResult.BLOCKED:
            _blocked(draft, attempt, reason, policy)
        case ActResult.WITHHELD if attempt.changes:  # the mode is a new one: what was begun is left half done
            _blocked(draft, attempt, reason, policy)
        case ActResult.WITHHELD:
            observed = event.mode in (None, Mode.OBSERVE)  # None: an older version did not say
            _end(draft, attempt, Outcome.OBSERVED if observed else Outcome.SUGGESTED, reason, policy)
        case ActResult.FAILED:
            _end(draft, attempt, Outcome.FAILED, f"{action} failed: {reason}", policy)
        case ActResult.UNKNOWN:
            _end(
                draft, attempt, Outcome.UNKNOWN, f"whether {action} took effect is unknown: {reason}", policy
            )


def _comes_second(event: Acted) -> bool:
    """Whether it was stopped because something that its service depends on has an open incident."""
    last = event.verdicts[-1] if event.verdicts else None
    return last is not None and not last.allowed and last.guard == DEPENDENCY


def _give_way(draft: Draft, attempt: Attempt, reason: str, policy: Policy, again_at: int) -> None:
    """The incident attaches; its runbook gets another turn when what comes first is over.

    Where that is over already the step is tried again, for as long as any step that is put off.
    """
    if attaching.waits_for(draft, policy) is not None:
        conclude(draft, attempt, Outcome.BLOCKED, _with_what_is_there(attempt, reason))
        again = Planned(runbook=attempt.runbook.name, rule=attempt.rule)
        draft.change(plan=(again, *draft.incident.plan))
        start_next(draft, policy)
    elif again_at - attempt.phase_at < ACT_WITHIN:
        draft.arm("act", again_at)
    else:
        _blocked(draft, attempt, reason, policy)


def _end_undone(draft: Draft, ended: undoing.Ended | None, policy: Policy) -> None:
    attempt = draft.incident.active
    if ended is not None and attempt is not None:
        _end(draft, attempt, *ended, policy)


def _blocked(draft: Draft, attempt: Attempt, reason: str, policy: Policy) -> None:
    if draft.firing > 0:
        _end(draft, attempt, Outcome.BLOCKED, reason, policy)
    elif attempt.changes:
        enter(draft, attempt, Phase.VERIFYING)
    else:
        _end(draft, attempt, Outcome.ABANDONED, "its alerts resolved before anything was changed", policy)


def lost(draft: Draft, event: EffectLost, policy: Policy) -> None:
    """An effect became a dead letter. What a lost step did is unknown; a lost look proves nothing."""
    attempt = awaited(draft, event.effect)
    if attempt is None:
        return
    reason = f"{attempt.phase} could not be performed: {plain(event.reason)}"
    attempt = draft.change_attempt(replace(attempt, pending=None))
    if attempt.phase is Phase.VERIFYING and attempt.made:
        _end_undone(draft, undoing.leave(draft, attempt, reason, "whether it helped is unknown"), policy)
        return
    if attempt.phase is Phase.UNDOING:
        _end_undone(draft, undoing.unknown(draft, attempt, reason), policy)
        return
    outcomes = {Phase.ACTING: Outcome.UNKNOWN, Phase.WAITING: Outcome.FAILED, Phase.VERIFYING: Outcome.FAILED}
    _end(draft, attempt, outcomes.get(attempt.phase, Outcome.BLOCKED), reason, policy)


def checked(draft: Draft, event: Checked, policy: Policy) -> None:
    """A round of checks came back, of a waiting step or the verification: done, again, or too late."""
    attempt = awaited(draft, event.effect)
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
        enter_step(draft, attempt, attempt.step + 1)
        return
    ends_at = attempt.phase_at + max(check.within for check in wanted)
    if draft.at >= ends_at:
        if attempt.phase is Phase.WAITING and not attempt.changes and draft.firing == 0:
            _blocked(draft, attempt, "", policy)
            return
        why = verification.unmet(attempt, draft.at)
        if attempt.phase is Phase.VERIFYING:
            _end_undone(draft, undoing.begin(draft, attempt, why), policy)
        else:
            _end(draft, attempt, Outcome.FAILED, why, policy)
        return
    pause = POLL_EVERY if draft.at - attempt.phase_at < 30 * SECOND else POLL_LATER
    moments = [draft.at + pause, ends_at]
    if all(moment is not None for moment in stable_at):
        moments.append(max(moment for moment in stable_at if moment is not None))
    draft.arm("poll", min(moments))


def _end(draft: Draft, attempt: Attempt, outcome: Outcome, reason: str, policy: Policy) -> None:
    if outcome is not Outcome.VERIFIED:
        reason = _with_what_is_there(attempt, reason)
    attempt = conclude(draft, attempt, outcome, reason)
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


def _with_what_is_there(attempt: Attempt, reason: str) -> str:
    if not attempt.made or attempt.undoing is not None:
        return reason
    there = ", ".join(made.text for made in attempt.made)
    return f"{plain(reason, undoing.LONGEST_WHY)}; not undone, as no verification failed: {there}"


def resolve(draft: Draft, reason: str) -> None:
    """The incident is over: nothing is armed any more but what the outbox still owes."""
    draft.change(status=Status.RESOLVED, resolved_at=draft.at, plan=(), deadline_at=None)
    attaching.let_go(draft)
    locating.stop(draft)
    draft.cancel("poll", "act", "deadline", "escalate", "progress", "linger", "hold")
    took = draft.at - draft.incident.open_since
    draft.say(
        Kind.RESOLVED,
        f"resolved after {format_duration(took)}: {reason}",
        took=took,
        paged=draft.incident.level > 0,
    )
    paging.resolve_pages(draft)
