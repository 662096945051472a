"""What an attempt isolates, and its end: a timer of its own, whatever becomes of the attempt. Pure.

The timer is armed in the very commit that sends the step out, so that there is no moment at which something
is isolated and nothing will end it. It outlives the attempt and the incident's resolution. When it rings the
workload is brought back, by a change that passes the guards as any other; where that must not be, people are
told once and it is tried again and again.
"""

from __future__ import annotations

from dataclasses import replace

from remediator.core import paging
from remediator.core.decision import Draft
from remediator.core.incident import Attempt, EffectId, Isolation
from remediator.core.journal import Acted, ActResult, EffectLost, EndIsolation, Kind
from remediator.core.patience import level_of
from remediator.core.policies import Policy
from remediator.core.text import plain
from remediator.core.times import DAY, MINUTE, SECOND, Instant, format_duration, parse_duration

ISOLATE, TIMER = "isolate", "isolation/"
KEPT = 10
AGAIN = 5 * MINUTE
"""Between two tries where the guards forbid it: a pause may be over by then."""
SOON, PATIENCE = 2 * SECOND, 5 * MINUTE
"""Between two tries of what is put off, and how long it may be before people are told."""
GIVEN_UP = 7 * DAY
"""After its end nobody tries any more, and people have known for as long."""


def expect(draft: Draft, attempt: Attempt) -> None:
    """A step is sent out. If it isolates, it is known from now on when that ends."""
    step = attempt.runbook.steps[attempt.step]
    known = {each.name for each in draft.incident.isolations}
    name = f"{attempt.number}.{attempt.step}"
    if step.action != ISOLATE or name in known:
        return
    isolation = Isolation(
        name=name,
        runbook=attempt.runbook.name,
        rule=attempt.rule,
        during=attempt.runbook.during,
        target=attempt.target,
        target_uid=attempt.target_uid,
        until=Instant(attempt.phase_at + parse_duration(str(step.params["for"]))),
    )
    draft.change(isolations=(*draft.incident.isolations, isolation)[-KEPT:])
    draft.arm(TIMER + name, isolation.until)


def judge(draft: Draft, attempt: Attempt, event: Acted) -> None:
    """A step came back and is not put off any more. What it surely did not isolate is nobody's to end."""
    if event.changes or event.in_doubt or event.result is ActResult.UNKNOWN:
        expect(draft, attempt)  # should its time have been over before it was done
    elif (isolation := _named(draft, f"{attempt.number}.{attempt.step}")) is not None:
        _forget(draft, isolation)


def due(draft: Draft, timer: str) -> None:
    """Its time is over, or it is to be tried once more."""
    isolation = _named(draft, timer.removeprefix(TIMER))
    if isolation is None or isolation.pending is not None:
        return
    incident = draft.incident
    effect = EffectId(f"{incident.id}/{TIMER}{isolation.name}/{isolation.tries}")
    began = isolation.began_at if isolation.began_at is not None else draft.at
    _keep(draft, replace(isolation, pending=effect, tries=isolation.tries + 1, began_at=began))
    draft.effects.append(
        EndIsolation(id=effect, incident=incident.id, name=isolation.name, at=isolation.until)
    )


def ended(draft: Draft, event: Acted | EffectLost, policy: Policy) -> bool:
    """What became of an end that was asked for. False: the event is about something else."""
    isolation = next((each for each in draft.incident.isolations if each.pending == event.effect), None)
    if isolation is None:
        return False
    isolation = replace(isolation, pending=None)
    match event:
        case EffectLost():
            _in_vain(draft, isolation, event.reason, policy)
        case Acted(result=ActResult.DONE):
            _over(draft, isolation, event)
        case Acted(result=ActResult.RETRY) if draft.at - _began(draft, isolation) < PATIENCE:
            _keep(draft, isolation)
            draft.arm(TIMER + isolation.name, draft.at + max(event.retry_after or 0, SOON))
        case Acted():
            _tell(draft, isolation, event)
            _in_vain(draft, isolation, event.reason, policy)
    return True


def _over(draft: Draft, isolation: Isolation, event: Acted) -> None:
    text = f"the isolation is over: {plain(event.reason, 300)}"
    if event.changes:
        draft.say(Kind.STEP, text, action="end:isolate", result=event.result)
    else:  # there was nothing to end: no step, so none is counted
        draft.say(Kind.STEP, text)
    paging.resolve_apart(draft, TIMER + isolation.name)
    _forget(draft, isolation)


def _tell(draft: Draft, isolation: Isolation, event: Acted) -> None:
    """Told when it is another reason than the last time: it may be tried a thousand times."""
    if event.reason == isolation.told:
        return
    for verdict in event.verdicts:
        if not verdict.allowed:
            draft.say(Kind.GUARD, f"{verdict.guard}: {verdict.text}", guard=verdict.guard, verdict="blocks")
    text = f"the isolation is to end: {event.result}: {plain(event.reason, 300)}"
    draft.say(Kind.STEP, text, action="end:isolate", result=event.result)


def _in_vain(draft: Draft, isolation: Isolation, reason: str, policy: Policy) -> None:
    late = draft.at - isolation.until
    where = isolation.target or draft.incident.service
    again = "nobody tries any more" if late >= GIVEN_UP else f"tried again every {format_duration(AGAIN)}"
    why = f"{where} stays isolated beyond its time, it may have no pods: {plain(reason, 300)}; {again}"
    first = level_of(draft.incident.levels, 1)
    channels = policy.operator or (first.channels if first is not None else ())
    paging.ask_apart(draft, TIMER + isolation.name, channels, why)
    if late >= GIVEN_UP:
        draft.say(Kind.STEP, f"{where} stays isolated: {again}")
        _forget(draft, isolation)
        return
    _keep(draft, replace(isolation, told=reason, began_at=None))
    draft.arm(TIMER + isolation.name, draft.at + AGAIN)


def _began(draft: Draft, isolation: Isolation) -> Instant:
    return isolation.began_at if isolation.began_at is not None else draft.at


def _named(draft: Draft, name: str) -> Isolation | None:
    return next((each for each in draft.incident.isolations if each.name == name), None)


def _keep(draft: Draft, isolation: Isolation) -> None:
    known = draft.incident.isolations
    draft.change(isolations=tuple(isolation if each.name == isolation.name else each for each in known))


def _forget(draft: Draft, isolation: Isolation) -> None:
    known = draft.incident.isolations
    draft.change(isolations=tuple(each for each in known if each.name != isolation.name))
    if draft.is_armed(TIMER + isolation.name):
        draft.cancel(TIMER + isolation.name)
