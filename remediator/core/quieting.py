"""What an attempt silences, and its end: with the attempt, whatever comes of it. Pure.

Alertmanager ends every silence by itself, at a time that is known from the start. This only makes it sooner:
once nothing is being done any more people are to be told again. So nobody is paged where it cannot be ended.
It is known in the very commit that sends the step out, and tried until it would be over anyway.
"""

from __future__ import annotations

from dataclasses import replace

from remediator.core.decision import Draft
from remediator.core.incident import Attempt, EffectId, Quiet
from remediator.core.journal import Acted, ActResult, EffectLost, EndSilences, Kind
from remediator.core.text import plain
from remediator.core.times import MINUTE, Instant, format_instant, parse_duration

SILENCE, TIMER = "silence", "silence/"
KEPT = 10
AGAIN = MINUTE
"""Between two tries of what is put off: an Alertmanager may answer by then, a pause be over."""


def expect(draft: Draft, attempt: Attempt) -> None:
    """A step is sent out. If it silences, that is to end with the attempt from now on."""
    step = attempt.runbook.steps[attempt.step]
    name = f"{attempt.number}.{attempt.step}"
    if step.action != SILENCE or _named(draft, name) is not None:
        return
    quiet = Quiet(
        name=name,
        runbook=attempt.runbook.name,
        rule=attempt.rule,
        until=Instant(attempt.phase_at + parse_duration(str(step.params["for"]))),
    )
    draft.change(quiets=(*draft.incident.quiets, quiet)[-KEPT:])


def judge(draft: Draft, attempt: Attempt, event: Acted) -> None:
    """A step came back and is not put off any more. What it surely did not silence nobody has to end."""
    quiet = _named(draft, f"{attempt.number}.{attempt.step}")
    if quiet is not None and not (event.changes or event.in_doubt or event.result is ActResult.UNKNOWN):
        _forget(draft, quiet)


def end_with(draft: Draft, attempt: Attempt) -> None:
    """The attempt is over, and its silences are."""
    for quiet in draft.incident.quiets:
        if quiet.name.partition(".")[0] == str(attempt.number):
            _end(draft, quiet)


def due(draft: Draft, timer: str) -> None:
    """It is to be tried once more."""
    quiet = _named(draft, timer.removeprefix(TIMER))
    if quiet is not None and quiet.pending is None:
        _end(draft, quiet)


def ended(draft: Draft, event: Acted | EffectLost) -> bool:
    """What became of an end that was asked for. False: the event is about something else."""
    quiet = next((each for each in draft.incident.quiets if each.pending == event.effect), None)
    if quiet is None:
        return False
    if isinstance(event, Acted) and event.result is ActResult.DONE:
        draft.say(Kind.STEP, f"its silence ends with the attempt: {plain(event.reason, 300)}")
        _forget(draft, quiet)
        return True
    again_at = Instant(draft.at + AGAIN)
    if again_at < quiet.until:
        if quiet.tries == 1:
            why = f"{plain(event.reason, 300)}; it ends by itself at {format_instant(quiet.until)}"
            draft.say(Kind.STEP, f"its silence is not ended with the attempt yet: {why}")
        _keep(draft, replace(quiet, pending=None))
        draft.arm(TIMER + quiet.name, again_at)
    else:
        _forget(draft, quiet)
    return True


def _end(draft: Draft, quiet: Quiet) -> None:
    if draft.at >= quiet.until:
        _forget(draft, quiet)
        return
    incident = draft.incident.id
    effect = EffectId(f"{incident}/{TIMER}{quiet.name}/{quiet.tries}")
    _keep(draft, replace(quiet, pending=effect, tries=quiet.tries + 1))
    draft.effects.append(EndSilences(id=effect, incident=incident, name=quiet.name, at=draft.at))


def _named(draft: Draft, name: str) -> Quiet | None:
    return next((each for each in draft.incident.quiets if each.name == name), None)


def _keep(draft: Draft, quiet: Quiet) -> None:
    known = draft.incident.quiets
    draft.change(quiets=tuple(quiet if each.name == quiet.name else each for each in known))


def _forget(draft: Draft, quiet: Quiet) -> None:
    draft.change(quiets=tuple(each for each in draft.incident.quiets if each.name != quiet.name))
    if draft.is_armed(TIMER + quiet.name):
        draft.cancel(TIMER + quiet.name)
