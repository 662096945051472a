"""What would happen to an alert, by the very function that decides it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from remediator.core.alerts import Alert, AlertStatus
from remediator.core.classify import Match
from remediator.core.decide import decide
from remediator.core.decision import Decision, Facts
from remediator.core.incident import Incident, Status
from remediator.core.journal import Fired, Located, Page, Resolved, TimerDue
from remediator.core.policies import Policy
from remediator.core.times import Instant, Millis


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How things stand before the alert. The newest incident of its group, and whether it fires in there."""

    at: Instant = Instant(0)
    incident: Incident | None = None
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """What follows from such an alert.

    ``incident``: as it is then; ``continues``: it is open already. ``page_at``: milliseconds from the
    opening, or from now where it continues, to the page at the latest; None: there will be none, or it
    has been.
    ``story``: what its timeline would say.
    """

    incident: Incident | None
    continues: bool
    page_at: Millis | None
    story: tuple[str, ...]


def foresee(
    policy: Policy, match: Match, alert: Alert, standing: Standing, found: Located | None = None
) -> Foreseen:
    """Decide as the daemon would, now; a hold is waited out.

    ``found``: what would be answered to the question which workload owns the object that the alert names.
    """
    if alert.status is AlertStatus.RESOLVED:
        facts = replace(standing.facts, over=frozenset({alert.fingerprint}))
        ended = Resolved(fingerprint=alert.fingerprint, rule=match.rule.name)
        return _foreseen(standing, [decide(standing.incident, [ended], facts, policy, standing.at)])
    facts = replace(standing.facts, over=frozenset())
    fired = Fired(alert=alert, match=match)
    decisions = [decide(standing.incident, [fired], facts, policy, standing.at)]
    after = decisions[0].incident
    if after is not None and "hold" in after.timers:
        name = f"hold#{after.timers['hold']}"
        due = decisions[0].arm.get(name, Instant(standing.at + match.rule.hold))
        facts = Facts(firing=after.alerts, members=frozenset({alert.fingerprint}), roots=standing.facts.roots)
        decisions.append(decide(after, [TimerDue(name=name, due=due)], facts, policy, due))
        standing = replace(standing, at=due)
        after = decisions[-1].incident
    asking = after.aim.asking if after is not None and after.aim is not None else None
    if found is not None and asking is not None:
        answer, facts = replace(found, effect=asking, again=False), replace(facts, firing=1)
        decisions.append(decide(after, [answer], facts, policy, standing.at))
    return _foreseen(standing, decisions)


def _foreseen(standing: Standing, decisions: list[Decision]) -> Foreseen:
    story = tuple(entry.text for decision in decisions for entry in decision.timeline)
    last, before = decisions[-1], standing.incident
    after = last.incident
    continues = (
        before is not None
        and after is not None
        and (before.id, before.reopened) == (after.id, after.reopened)
        and before.status is not Status.HELD
    )
    return Foreseen(incident=after, continues=continues, page_at=_page_at(last, standing.at), story=story)


def _page_at(decision: Decision, now: Instant) -> Millis | None:
    if any(isinstance(message, Page) for message in decision.messages):
        return Millis(0)
    incident = decision.incident
    if incident is None or incident.deadline_at is None or incident.status is Status.RESOLVED:
        return None
    return Millis(max(incident.deadline_at - now, 0))
