"""What becomes of an attempt when a look, a step or its pause is over. Rounds of checks: ``checking``."""

from __future__ import annotations

from dataclasses import replace

from remediator.core import approval, attaching, hindsight, isolating, quieting, undoing
from remediator.core.attempts import awaited, conclude, enter, enter_step, say_step, start_next, told
from remediator.core.decision import Draft
from remediator.core.ending import blocked, end, end_undone, with_what_is_there
from remediator.core.incident import Attempt, Outcome, Phase, Planned
from remediator.core.journal import Acted, ActResult, Diagnosed, EffectLost, Kind
from remediator.core.policies import Mode, Policy
from remediator.core.roots import DEPENDENCY
from remediator.core.text import plain
from remediator.core.times import MINUTE, SECOND, format_duration

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
    if put_off and again_at - attempt.phase_at < (event.patience or ACT_WITHIN):
        draft.arm("act", again_at)
        return
    if undoes:
        end_undone(draft, undoing.undone(draft, attempt, event), policy)
    else:
        isolating.judge(draft, attempt, event)
        quieting.judge(draft, attempt, event)
        _go_on(draft, attempt, event, policy, again_at)


def _tell(draft: Draft, event: Acted, action: str, *, undoes: bool) -> None:
    word, label = (f"undo {action}", f"undo:{action}") if undoes else (action, action)
    reason = plain(event.reason, 300)
    before = [text for text in map(plain, event.changes) if text not in event.reason]
    if before and event.result is not ActResult.DONE:
        reason = f"{reason}; done before that: {plain('; '.join(before), 300)}"
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
            end(draft, attempt, Outcome.UNKNOWN, f"whether {action} took effect is unknown: {reason}", policy)
        case ActResult.RETRY if event.patience is not None:
            late = f"{action} was not over within {format_duration(event.patience)}: {reason}"
            end(draft, attempt, Outcome.FAILED, late, policy)
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
            end(draft, attempt, Outcome.OBSERVED if observed else Outcome.SUGGESTED, reason, policy)
        case ActResult.FAILED:
            end(draft, attempt, Outcome.FAILED, f"{action} failed: {reason}", policy)
        case ActResult.UNKNOWN:
            end(draft, attempt, Outcome.UNKNOWN, f"whether {action} took effect is unknown: {reason}", policy)


def _comes_second(event: Acted) -> bool:
    """Whether it was stopped because something that its service depends on has an open incident."""
    last = event.verdicts[-1] if event.verdicts else None
    return last is not None and not last.allowed and last.guard == DEPENDENCY


def _give_way(draft: Draft, attempt: Attempt, reason: str, policy: Policy, again_at: int) -> None:
    """The incident attaches; its runbook gets another turn when what comes first is over.

    Where that is over already the step is tried again, for as long as any step that is put off.
    """
    if attaching.waits_for(draft, policy) is not None:
        conclude(draft, attempt, Outcome.BLOCKED, with_what_is_there(attempt, reason))
        again = Planned(runbook=attempt.runbook.name, rule=attempt.rule)
        draft.change(plan=(again, *draft.incident.plan))
        start_next(draft, policy)
    elif again_at - attempt.phase_at < ACT_WITHIN:
        draft.arm("act", again_at)
    else:
        blocked(draft, attempt, reason, policy)


def lost(draft: Draft, event: EffectLost, policy: Policy) -> None:
    """An effect became a dead letter. What a lost step did is unknown; a lost look proves nothing."""
    attempt = awaited(draft, event.effect)
    if attempt is None:
        return
    reason = f"{attempt.phase} could not be performed: {plain(event.reason)}"
    attempt = draft.change_attempt(replace(attempt, pending=None))
    if attempt.phase is Phase.VERIFYING and attempt.made:
        end_undone(draft, undoing.leave(draft, attempt, reason, "whether it helped is unknown"), policy)
        return
    if attempt.phase is Phase.UNDOING:
        end_undone(draft, undoing.unknown(draft, attempt, reason), policy)
        return
    outcomes = {
        **dict.fromkeys((Phase.ACTING, Phase.SETTLING), Outcome.UNKNOWN),
        **dict.fromkeys((Phase.WAITING, Phase.VERIFYING), Outcome.FAILED),
    }
    end(draft, attempt, outcomes.get(attempt.phase, Outcome.BLOCKED), reason, policy)


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
    say_step(draft, attempt, f"pause: done after {format_duration(draft.at - attempt.phase_at)}", "done")
    enter_step(draft, attempt, attempt.step + 1)
