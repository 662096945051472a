"""What becomes of an attempt when one of its effects has come back, and how it ends."""

from __future__ import annotations

from dataclasses import replace

from remediator.core import (
    approval,
    attaching,
    escalation,
    hindsight,
    isolating,
    locating,
    paging,
    trust,
    undoing,
    verification,
)
from remediator.core.attempts import (
    awaited,
    begin_step,
    conclude,
    enter,
    enter_step,
    start_next,
    told,
)
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
    CheckResult,
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
LONGEST_END = 1_000
"""Characters that are told of how something long ended: the last lines of a log may be among them."""


def diagnosed(draft: Draft, event: Diagnosed, policy: Policy) -> None:
    """Keep what was found, then act."""
    attempt = awaited(draft, event.effect)
    if attempt is None:
        return
    findings = tuple(plain(line, 300) for line in event.findings)[:KEPT_FINDINGS]
    for line in findings:
        draft.say(Kind.DIAGNOSED, line, attempt=attempt.number)
    if event.evidence is not None:  # durable with this decision, and nothing is done before
        draft.evidence.append(event.evidence)
        draft.say(Kind.DIAGNOSED, str(event.evidence), attempt=attempt.number, evidence=True)
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
        verdict_text = "allows" if verdict.allowed else "asks" if verdict.asks else "blocks"
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
    reason = plain(event.reason, 300)
    if undoes and event.result is ActResult.DONE and not event.changes:  # nothing was done: none is counted
        draft.say(Kind.STEP, f"{word}: nothing is taken back: {reason}")
    else:
        result = "begun" if event.settles is not None else event.result
        draft.say(Kind.STEP, f"{word}: {result}: {reason}", action=label, result=result)
    for line in event.output[-KEPT_FINDINGS:]:
        draft.say(Kind.OUTPUT, f"{word}: {plain(line, 300)}", action=label)


def _go_on(draft: Draft, attempt: Attempt, event: Acted, policy: Policy, again_at: int) -> None:
    """After a step that is not put off any more."""
    action, reason = attempt.runbook.steps[attempt.step].action, plain(event.reason, 300)
    match event.result:
        case ActResult.DONE if event.settles is not None:
            enter(draft, replace(attempt, settling=event.settles), Phase.SETTLING, attempt.step)
        case ActResult.DONE:
            enter_step(draft, attempt, attempt.step + 1)
        case ActResult.RETRY if event.in_doubt:
            _end(
                draft, attempt, Outcome.UNKNOWN, f"whether {action} took effect is unknown: {reason}", policy
            )
        case ActResult.BLOCKED if draft.firing > 0 and _comes_second(event):
            _give_way(draft, attempt, reason, policy, again_at)
        case ActResult.RETRY | ActResult.BLOCKED:
            blocked(draft, attempt, reason, policy)
        case ActResult.ASKS if draft.firing == 0:
            blocked(draft, attempt, reason, policy)
        case ActResult.ASKS:
            assert event.plan is not None
            approval.ask(draft, attempt, event.plan, policy)
        case ActResult.WITHHELD if attempt.changes:  # the mode is a new one: what was begun is left half done
            blocked(draft, attempt, reason, policy)
        case ActResult.WITHHELD:
            hindsight.watch(draft, attempt, event.verdicts)
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
        blocked(draft, attempt, reason, policy)


def _end_undone(draft: Draft, ended: undoing.Ended | None, policy: Policy) -> None:
    attempt = draft.incident.active
    if ended is not None and attempt is not None:
        _end(draft, attempt, *ended, policy)


def blocked(draft: Draft, attempt: Attempt, reason: str, policy: Policy) -> None:
    """The attempt cannot go on. Where nothing fires any more, what was done is verified instead."""
    approval.stop_asking(draft)
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
    outcomes = {
        **dict.fromkeys((Phase.ACTING, Phase.SETTLING), Outcome.UNKNOWN),
        **dict.fromkeys((Phase.WAITING, Phase.VERIFYING), Outcome.FAILED),
    }
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
            _end(draft, attempt, Outcome.VERIFIED, observed, policy)
            return
        if attempt.phase is Phase.SETTLING:
            text = f"{attempt.runbook.steps[attempt.step].action}: done: {plain(observed, 300)}"
            _say_step(draft, attempt, text, ActResult.DONE)
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
                _end_undone(draft, undoing.begin(draft, attempt, unmet), policy)
            case _:
                _end(draft, attempt, Outcome.FAILED, unmet, policy)
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
            _say_step(draft, attempt, text, "skipped")
            enter_step(draft, attempt, attempt.step + 1)
        case None:
            text = f"whether {step.action} is meant is unknown: {asked}: {observed}"
            draft.say(Kind.GUARD, f"when: {text}", guard="when", verdict="blocks")
            blocked(draft, attempt, text, policy)


def _not_settled(draft: Draft, attempt: Attempt, seen: CheckResult, why: str, policy: Policy) -> None:
    """What a step began did not end well; where that cannot be found out, nothing else is tried."""
    failed, action = seen.holds is False, attempt.runbook.steps[attempt.step].action
    result = ActResult.FAILED if failed else ActResult.UNKNOWN
    _say_step(draft, attempt, f"{action}: {result}: {plain(why, LONGEST_END)}", result)
    reason = f"{action} failed: {why}" if failed else f"how {action} ended is unknown: {why}"
    _end(draft, attempt, Outcome.FAILED if failed else Outcome.UNKNOWN, reason, policy)


def is_pausing(draft: Draft) -> bool:
    """Whether an attempt lets time pass."""
    attempt = draft.incident.active
    return attempt is not None and attempt.phase is Phase.PAUSING


def pause_over(draft: Draft, policy: Policy) -> None:
    """The time of a pausing step is over: go on, unless its alerts resolved with nothing changed."""
    attempt = draft.incident.active
    assert attempt is not None
    if draft.firing == 0 and not attempt.changes:
        blocked(draft, attempt, "", policy)
        return
    _say_step(draft, attempt, f"pause: done after {format_duration(draft.at - attempt.phase_at)}", "done")
    enter_step(draft, attempt, attempt.step + 1)


def _say_step(draft: Draft, attempt: Attempt, text: str, result: str) -> None:
    """Tell of a step for which nothing was performed. Steps count from 0."""
    action, runbook = attempt.runbook.steps[attempt.step].action, attempt.runbook.name
    draft.say(Kind.STEP, text, action=action, result=result, runbook=runbook, step=attempt.step)


def _end(draft: Draft, attempt: Attempt, outcome: Outcome, reason: str, policy: Policy) -> None:
    if outcome is not Outcome.VERIFIED:
        reason = _with_what_is_there(attempt, reason)
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


def _with_what_is_there(attempt: Attempt, reason: str) -> str:
    if not attempt.made or attempt.undoing is not None:
        return reason
    there = ", ".join(made.text for made in attempt.made)
    return f"{plain(reason, undoing.LONGEST_WHY)}; not undone, as no verification failed: {there}"


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
