"""When an open incident becomes more severe by itself: ``raise`` of its severity and of rules that fed it.

What only time decides is one durable timer. What has to be looked at is asked by an effect, again and again,
whose answer is an event like any other. Both go by the newest policy. A severity never falls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from remediator.core import escalation
from remediator.core.decision import Draft
from remediator.core.incident import EffectId, Incident, Status
from remediator.core.journal import EffectLost, Kind, Weigh, Weighed
from remediator.core.policies import (
    Policy,
    QueryBound,
    RaiseCondition,
    ServicesAffected,
    StillOpen,
    severity_rank,
)
from remediator.core.samples import say_value
from remediator.core.text import plain
from remediator.core.times import MINUTE, SECOND, Instant, format_duration

WEIGH_EVERY = 30 * SECOND
"""From one answer to the next question."""
WEIGH_WITHIN = 5 * MINUTE
"""A question that nobody has answered by then is asked anew, whatever became of it."""
WEIGH_AFTER_LOSS = 10 * MINUTE
"""What became a dead letter would likely become one again: it is not asked as often."""
KEPT_RULES = 100
"""Rules that fed an incident and whose conditions count; more of them are one storm."""
MOST_CONDITIONS = 20
"""Conditions of one incident that are looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """A condition that would make an incident more severe. ``by``: who names it, ``SEV-2`` or ``rule x``."""

    to: str
    when: RaiseCondition
    by: str
    where: str = ""


def watched(policy: Policy, severity: str, rules: Sequence[str]) -> tuple[Watched, ...]:
    """What would raise an incident of that severity, fed by those rules; the most severe first."""
    known = policy.severities.get(severity)
    named = [(severity, known.raises)] if known is not None and known.raises else []
    for name in rules:
        rule = policy.rule(name)
        if rule is not None and rule.raises:
            named.append((f"rule {name}", rule.raises))
    worse = [
        Watched(to=each.to, when=each.when, by=by, where=each.where)
        for by, raises in named
        for each in raises
        if _is_worse(policy, each.to, severity)
    ]
    return tuple(sorted(worse, key=lambda each: severity_rank(each.to)))


def _is_worse(policy: Policy, to: str, than: str) -> bool:
    return to in policy.severities and severity_rank(to) < severity_rank(than)


def describe_condition(when: RaiseCondition) -> str:
    """The condition as a person says it, on one line."""
    match when:
        case StillOpen(after=after):
            return f"still open after {format_duration(after)}"
        case QueryBound():
            return f"{plain(when.promql, 120)} {describe_bound(when)}"
        case ServicesAffected(at_least=1):
            return "at least 1 service has an open incident"
        case ServicesAffected(at_least=count):
            return f"at least {count} services have an open incident"
        case _:
            assert_never(when)


def describe_bound(when: QueryBound) -> str:
    """``above 0.25``."""
    return (
        f"above {say_value(when.above)}" if when.above is not None else f"below {say_value(when.below or 0)}"
    )


def keep_watch(draft: Draft, policy: Policy) -> None:
    """Arm, ask or stand down, as the incident now stands under the newest policy."""
    incident = draft.incident
    if incident.status in (Status.HELD, Status.RESOLVED):
        _stand_down(draft)
        return
    wanted = watched(policy, incident.severity, incident.fed_by)
    due = min(
        (_due(incident, each.when) for each in wanted if isinstance(each.when, StillOpen)), default=None
    )
    if due is None:
        _disarm(draft, "raise")
        if incident.raise_at is not None:
            draft.change(raise_at=None)
    elif due != incident.raise_at or not draft.is_armed("raise"):
        draft.change(raise_at=due)
        draft.arm("raise", due)
    if all(isinstance(each.when, StillOpen) for each in wanted):
        _disarm(draft, "weigh")
        if incident.weighing is not None:
            draft.change(weighing=None)
    elif incident.weighing is None and not draft.is_armed("weigh"):
        _ask(draft)


def _stand_down(draft: Draft) -> None:
    _disarm(draft, "raise")
    _disarm(draft, "weigh")
    if draft.incident.raise_at is not None or draft.incident.weighing is not None:
        draft.change(raise_at=None, weighing=None)


def _disarm(draft: Draft, timer: str) -> None:
    if draft.is_armed(timer):
        draft.cancel(timer)


def _due(incident: Incident, when: StillOpen) -> Instant:
    return Instant(incident.open_since + when.after)


def _ask(draft: Draft) -> None:
    """Ask now. The timer asks anew should no answer ever come."""
    incident = draft.incident
    effect = EffectId(f"{incident.id}/weigh/{incident.weighed}")
    draft.change(weighing=effect, weighed=incident.weighed + 1)
    draft.effects.append(Weigh(id=effect, incident=incident.id))
    draft.arm("weigh", draft.at + WEIGH_WITHIN)


def ask_again(draft: Draft, policy: Policy) -> None:
    """It is time to look at the conditions, or nobody has answered for far too long."""
    draft.change(weighing=None)
    keep_watch(draft, policy)


def still_open(draft: Draft, policy: Policy) -> None:
    """The timer rang. It is believed: a clock that was set back in between puts nothing off (P12)."""
    incident = draft.incident
    now = max(draft.at, incident.raise_at or draft.at)
    draft.change(raise_at=None)
    for each in watched(policy, incident.severity, incident.fed_by):
        if isinstance(each.when, StillOpen) and _due(incident, each.when) <= now:
            condition = describe_condition(each.when)
            _rise_by_itself(draft, policy, each.to, condition, condition)
            return


def weighed(draft: Draft, event: Weighed, policy: Policy) -> None:
    """What the conditions look like now. Any answer but the one waited for came late."""
    incident = draft.incident
    if incident.weighing != event.effect:
        return
    draft.change(weighing=None)
    draft.arm("weigh", draft.at + WEIGH_EVERY)
    for each in event.found:
        if each.holds is None:
            _tell_once(draft, each.condition, each.observed)
    held = [each for each in event.found if each.holds and _is_worse(policy, each.to, incident.severity)]
    if held:
        worst = min(held, key=lambda each: severity_rank(each.to))
        _rise_by_itself(draft, policy, worst.to, worst.condition, worst.observed)


def lost(draft: Draft, event: EffectLost) -> None:
    """A question became a dead letter: it is asked again, but not soon."""
    if draft.incident.weighing != event.effect:
        return
    draft.change(weighing=None)
    draft.arm("weigh", draft.at + WEIGH_AFTER_LOSS)
    _tell_once(draft, "conditions to raise the severity", event.reason)


def _tell_once(draft: Draft, condition: str, reason: str) -> None:
    """What cannot be found out raises nothing, and is told once since the incident last opened."""
    key = plain(condition, 120)
    told = draft.incident.unweighed
    if key in told or len(told) > MOST_CONDITIONS:
        return
    draft.change(unweighed=(*told, key))
    draft.say(
        Kind.RAISE_UNKNOWN,
        f"whether to raise it cannot be found out, {key}: {plain(reason, 200)}; it is asked again and again",
    )


def _rise_by_itself(draft: Draft, policy: Policy, to: str, condition: str, observed: str) -> None:
    data = {"condition": plain(condition, 300), "observed": plain(observed, 300)}
    rise(draft, policy, to, f": {data['observed']}", **data)
    escalation.apply_page_policy(draft, policy)


def rise(draft: Draft, policy: Policy, to: str, why: str, **data: str) -> None:
    """The incident is more severe from now on: who is asked, and until when, follows the new severity."""
    before, levels = draft.incident.severity, draft.incident.levels
    draft.change(severity=to, levels=policy.levels(to))
    told = {"severity": to, "from": before, **data}
    draft.say(Kind.SEVERITY_RAISED, f"raised from {before} to {to}{why}", **told)
    escalation.widen(draft, policy, levels)
