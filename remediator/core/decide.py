"""``decide``: from an incident and what happened to it, to everything that follows. Pure.

The daemon, ``explain`` and the simulation all run this very function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from remediator.core import (
    answers,
    approval,
    attaching,
    attempts,
    checking,
    ending,
    escalation,
    hindsight,
    isolating,
    locating,
    opening,
    paging,
    quieting,
    raising,
    remedy,
)
from remediator.core.decision import Decision, Draft, Facts
from remediator.core.incident import Incident, Status
from remediator.core.journal import (
    Acknowledged,
    Acted,
    Checked,
    Closed,
    Diagnosed,
    EffectLost,
    Event,
    Fired,
    Located,
    Paged,
    PlanApproved,
    PlanRejected,
    Resolved,
    TimerDue,
    Weighed,
)
from remediator.core.policies import Policy
from remediator.core.text import plain
from remediator.core.times import Instant


def decide(
    incident: Incident | None, events: Sequence[Event], facts: Facts, policy: Policy, at: Instant
) -> Decision:
    """Fold ``events``, in their order, into ``incident``.

    ``incident`` None: there is none yet for the group. ``at``: the store's time now, in milliseconds.
    """
    draft = Draft(incident, facts, at)
    for event in events:
        _apply(draft, event, policy)
    opening.tell_alerts(draft)
    if draft.exists and draft.incident.status is Status.HELD and draft.firing == 0:
        draft.drop()
    if draft.exists:
        attempts.keep_attached(draft, policy)
        raising.keep_watch(draft, policy)
    return draft.finish(policy)


def _apply(draft: Draft, event: Event, policy: Policy) -> None:
    if isinstance(event, Fired):
        opening.fired(draft, event, policy)
        return
    if not draft.exists:
        return  # what it speaks of was never opened, or is forgotten
    match event:
        case Resolved():
            opening.resolved(draft, event, policy)
        case TimerDue():
            _timer(draft, event, policy)
        case Diagnosed():
            remedy.diagnosed(draft, event, policy)
        case Acted():
            if not (isolating.ended(draft, event, policy) or quieting.ended(draft, event)):
                remedy.acted(draft, event, policy)
        case Checked():
            checking.checked(draft, event, policy)
        case Weighed():
            raising.weighed(draft, event, policy)
        case Located():
            if locating.located(draft, event, policy):
                attempts.set_going(draft, policy)
        case EffectLost():
            if locating.lost(draft, event):
                attempts.set_going(draft, policy)
            raising.lost(draft, event)
            isolating.ended(draft, event, policy)
            quieting.ended(draft, event)
            remedy.lost(draft, event, policy)
        case Paged():
            escalation.paged(draft, event, policy)
        case Acknowledged():
            escalation.acknowledged(draft, event)
        case PlanApproved():
            answers.approved(draft, event)
        case PlanRejected():
            answers.rejected(draft, event, policy)
        case Closed():
            _closed(draft, event, policy)
        case _:
            assert_never(event)


def _timer(draft: Draft, event: TimerDue, policy: Policy) -> None:
    name = draft.rang(event.name)
    match name:
        case None:
            return  # it was disarmed, or armed anew, while its event was on the way
        case "hold":
            if draft.firing > 0:
                opening.end_hold(draft)
                attempts.set_going(draft, policy)
        case "poll" if remedy.is_pausing(draft):
            remedy.pause_over(draft, policy)
        case "poll" | "act":
            attempts.proceed(draft, name)
        case approval.TIMER:
            answers.expired(draft, policy)
        case hindsight.TIMER:
            hindsight.time_is_over(draft)
        case "linger":
            escalation.lingers(draft, policy)
        case "deadline":
            escalation.deadline(draft, policy)
        case "escalate":
            escalation.climb(draft, policy)
        case "progress":
            escalation.stalled(draft, policy)
        case "raise":
            raising.still_open(draft, policy)
        case "weigh":
            raising.ask_again(draft, policy)
        case locating.TIMER:
            locating.rang(draft)
            attempts.set_going(draft, policy)
        case attaching.TIMER:
            pass  # what it waits for is looked at after every event
        case _ if name.startswith(isolating.TIMER):
            isolating.due(draft, name)
        case _ if name.startswith(quieting.TIMER):
            quieting.due(draft, name)
        case _:
            paging.retry(draft, name)


def _closed(draft: Draft, event: Closed, policy: Policy) -> None:
    incident = draft.incident
    if incident.resolved or draft.firing or incident.active is not None:
        return
    note = f": {plain(event.note)}" if event.note else ""
    ending.resolve(draft, f"closed by {plain(event.by, 60)}{note}")
