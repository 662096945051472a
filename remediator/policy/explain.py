"""What a policy would make of alerts, and why not something else. Changes nothing.

The answer comes from the daemon's own functions: its classifier, ``decide``, the actions' plans and the
guards. How the world looks is asked of whoever calls, because only a running daemon can look at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Notification
from remediator.core.classify import Classifier, Match, Miss
from remediator.core.incident import Incident, Status
from remediator.core.journal import Located
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import Mode, Rule, Scope
from remediator.core.steps import Steps, with_breaks
from remediator.core.text import plain
from remediator.core.times import Instant, format_instant
from remediator.core.trust import LOWERED_TO, describe_lowering
from remediator.core.verdicts import NotAskedError
from remediator.policy.explained import (
    AlertExplanation,
    Explanation,
    Fate,
    IncidentPlan,
    NearMiss,
    OpenIncident,
    RuleNote,
    TargetNote,
)
from remediator.policy.foresee import Foreseen, Standing, foresee
from remediator.policy.people import plan_severity, span
from remediator.policy.present import Nowhere, Present
from remediator.policy.remedies import NOBODY, Remedies

__all__ = ["Explainer", "Explanation", "explain", "skeleton"]

SHOWN_MISSES = 3
MOST_MISSES = 20_000
"""Rules that do not match, told of all alerts of one notification together: five hundred of them times all
rules is too much."""
STEP = 100
"""Rules that are put into words between two breaks."""


async def explain(
    rules: Classifier,
    notification: Notification,
    *,
    ceiling: Mode = Mode.AUTO,
    present: Present | None = None,
) -> Explanation:
    """What the rules would make of a notification. ``present``: how the world looks, where that is known."""
    return await Explainer(rules, ceiling=ceiling, present=present).notification(notification)


class Explainer:
    """Explains alerts under one policy and one ceiling. Remembers which of them it was told to fire.

    However many rules there are, others are heard after every few of them.
    """

    def __init__(
        self, rules: Classifier, *, ceiling: Mode = Mode.AUTO, present: Present | None = None
    ) -> None:
        self._rules, self._policy = rules, rules.policy
        self._ceiling = ceiling
        self._present = present if present is not None else Nowhere()
        self._remedies = Remedies(self._policy, ceiling, self._present)
        self._firing: set[Fingerprint] = set()

    async def notification(self, notification: Notification) -> Explanation:
        """Alert by alert. Raises StoreUnavailable."""
        most = MOST_MISSES // max(len(notification.alerts), 1)
        alerts = [await self.alert(alert, most=most) for alert in notification.alerts]
        return Explanation(
            policy=self._policy.digest,
            ceiling=self._ceiling,
            live=self._present.live,
            alerts=tuple(alerts),
            rejected=tuple(plain(each.reason, 300) for each in notification.rejected),
        )

    async def alert(self, alert: Alert, *, most: int = MOST_MISSES) -> AlertExplanation:
        """What would become of one alert. ``most``: how many rules that do not match are told."""
        labels, match = alert.labels, self._rules.match(alert.labels)
        compared = await with_breaks(self._rules.compare(labels), _give_way)
        misses = compared.misses
        foreign = next((each for each in self._policy.guards.accept if not each.matches(labels)), None)
        unmatched = AlertExplanation(
            fingerprint=alert.fingerprint,
            name=plain(labels.get("alertname", ""), 100),
            status=str(alert.status),
            fate=Fate.UNMATCHED,
            because="no rule matches: it is counted and listed, nothing else",
            rule=None,
            too_late=tuple(map(self._rule, compared.covered[1:])),
            near=tuple(map(self._miss, islice((miss for miss in misses if miss.held), SHOWN_MISSES))),
            others=await with_breaks(self._told(misses[:most]), _give_way),
            others_left_out=max(len(misses) - most, 0),
            severity=None,
            incident=None,
            runbooks=(),
            foreign=None if foreign is None else str(foreign),
            skeleton=skeleton(labels) if match is None else None,
        )
        if match is not None:
            return await self._matched(unmatched, alert, match)
        if alert.status is AlertStatus.RESOLVED:  # it may have fired by a rule that has gone
            fate, because = self._ended(alert, await self._present.standing(alert, None))
            return replace(unmatched, fate=fate, because=because)
        return unmatched

    async def _matched(self, told: AlertExplanation, alert: Alert, match: Match) -> AlertExplanation:
        before = await self._present.standing(alert, match)
        found = await self._located(alert, match)
        before = await self._present.surrounded(before, found)
        foreseen = foresee(self._policy, match, alert, before, found)
        fate, because = self._fate(alert, match, before, foreseen)
        told = replace(
            told,
            fate=fate,
            because=because,
            rule=await self._trusted(match.rule),
            incident=self._incident(match, before.incident, foreseen),
        )
        after = foreseen.incident
        if alert.status is AlertStatus.RESOLVED or after is None:
            return told
        joins = before.incident is not None and before.incident.id == after.id
        if not joins:
            after = replace(after, id=NOBODY)
        scope = Scope(
            incident=after.id,
            severity=after.severity,
            service=after.service,
            entry=self._policy.services.get(after.service),
            target=after.aim.owner if after.aim is not None else None,
        )
        at = before.at if self._present.live else Instant(0)
        return replace(
            told,
            severity=await plan_severity(self._policy, match.rule, foreseen, before, self._present, scope),
            runbooks=await self._remedies.notes(match, after, scope, before.incident if joins else None, at),
        )

    async def _located(self, alert: Alert, match: Match) -> Located | None:
        """What the daemon would find out about the object that the alert names, where that can be known."""
        if match.target is None or alert.status is AlertStatus.RESOLVED:
            return None
        try:
            return await self._present.located(alert, match)
        except NotAskedError:
            return None

    def _fate(self, alert: Alert, match: Match, before: Standing, foreseen: Foreseen) -> tuple[Fate, str]:
        fires = alert.status is AlertStatus.FIRING
        known = alert.fingerprint in self._firing
        if alert.fingerprint:
            (self._firing.add if fires else self._firing.discard)(alert.fingerprint)
        if not fires:
            return self._ended(alert, before)
        if self._present.live:
            return _live_fate(alert, match, before, foreseen)
        if known:
            return Fate.DUPLICATE, "it was told to fire before: nothing new follows"
        return (
            Fate.OPENS_OR_JOINS,
            "it joins the incident of its group, or opens one: the running daemon knows",
        )

    def _ended(self, alert: Alert, before: Standing) -> tuple[Fate, str]:
        if not self._present.live:
            return Fate.ENDS, "it ends its episode; it opens nothing"
        if before.incident is None or alert.fingerprint not in before.facts.members:
            return Fate.NOTHING, "no incident has it as firing: nothing follows"
        left = before.facts.firing - 1
        rest = f"{left} of its alerts fire on" if left else "it was the last of its alerts"
        return Fate.ENDS, f"it ends its episode in incident {before.incident.id}: {rest}"

    def _rule(self, rule: Rule) -> RuleNote:
        mode = rule.mode.capped(self._ceiling)
        return RuleNote(name=rule.name, where=rule.where, mode=mode, lowered=rule.lowered)

    async def _trusted(self, rule: Rule) -> RuleNote:
        """The rule that won, with what its record makes of its mode."""
        told, lowering = self._rule(rule), await self._present.lowered(rule.name)
        if lowering is None or told.mode.capped(LOWERED_TO) is told.mode:
            return told
        return replace(told, mode=LOWERED_TO, lowered=describe_lowering(lowering))

    def _told(self, misses: Sequence[Miss]) -> Steps[tuple[NearMiss, ...]]:
        told: list[NearMiss] = []
        for number, miss in enumerate(misses):
            if number % STEP == 0:
                yield
            told.append(self._miss(miss))
        return tuple(told)

    def _miss(self, miss: Miss) -> NearMiss:
        return NearMiss(
            rule=self._rule(miss.rule),
            matcher=str(miss.matcher),
            saw=plain(miss.saw, 100),
            held=miss.held,
            of=len(miss.rule.matchers),
        )

    def _incident(self, match: Match, before: Incident | None, foreseen: Foreseen) -> IncidentPlan:
        after = foreseen.incident
        name = match.service if after is None else after.service
        service = self._policy.services.get(name)
        return IncidentPlan(
            service=name,
            target=_target(match, after),
            in_catalog=service is not None,
            grouped_by=dict(match.grouped_by),
            group=match.group,
            hold=span(match.rule.hold or None),
            waits_for=() if service is None else service.depends_on,
            attached_to=None if after is None else after.attached_to,
            severity=match.rule.severity if after is None else after.severity,
            now=None if before is None else _open_incident(before),
        )


def _target(match: Match, after: Incident | None) -> TargetNote | None:
    if match.rule.target is None:
        return None
    aim = after.aim if after is not None else None
    trouble = "" if match.target is not None else f"{match.told} cannot be the name of any object"
    if aim is None or aim.owner is None:
        return TargetNote(named=match.told, workload=None, trouble=(aim.trouble if aim else "") or trouble)
    return TargetNote(named=match.told, workload=aim.owner.path, trouble=aim.trouble)


async def _give_way() -> None:
    await asyncio.sleep(0)


def _open_incident(incident: Incident) -> OpenIncident:
    return OpenIncident(
        id=incident.id,
        status=str(incident.status),
        severity=incident.severity,
        opened_at=format_instant(incident.opened_at),
        alerts=incident.alerts,
        attempts=incident.attempt_count,
        level=incident.level,
        acknowledged_by=incident.acknowledged_by,
    )


def _live_fate(alert: Alert, match: Match, before: Standing, foreseen: Foreseen) -> tuple[Fate, str]:
    incident, after = before.incident, foreseen.incident
    member = alert.fingerprint in before.facts.members
    waits = f"it must still fire after {span(match.rule.hold)}"
    if incident is None or after is None or after.id != incident.id:
        return (Fate.WAITS, waits) if match.rule.hold else (Fate.OPENS, "no incident of its group is open")
    if member and not incident.resolved:
        return Fate.DUPLICATE, f"incident {incident.id} has it as firing already: nothing new follows"
    if incident.status is Status.HELD:
        return Fate.WAITS, f"others of its group wait already; {waits}"
    if after.reopened > incident.reopened:
        held = f"; {waits}" if match.rule.hold and incident.resolved else ""
        return Fate.REOPENS, f"incident {incident.id} is over, but not for long{held}"
    return Fate.JOINS, f"incident {incident.id} is open"


def _telling(labels: Mapping[str, str]) -> list[str]:
    """Labels by which an alert without the usual ones can be told: those that can be written as they are."""
    pairs = [(key, value) for key, value in labels.items() if value]
    return sorted(key for key, value in pairs if plain(key, 100) == key and plain(value, 100) == value)[:3]


def skeleton(labels: Mapping[str, str]) -> str:
    """A rule to begin with, for an alert that no rule matches. YAML."""
    name = "".join(c if c.isascii() and c.isalnum() else "-" for c in labels.get("alertname", "new-rule"))
    wanted = [key for key in ("alertname", "namespace") if labels.get(key)] or _telling(labels)
    lines = [f"- name: {name.strip('-').lower()[:63] or 'new-rule'}", "  match:"]
    for key in wanted:
        text = str(Matcher(name=key, op=MatchOp.EQUAL, value=plain(labels[key], 100))).replace("'", "''")
        lines.append(f"    - '{text}'")
    if not wanted:
        lines[-1] = "  match: []  # everything: say which alerts are meant"
    return "\n".join((*lines, "  severity: SEV-3", ""))
