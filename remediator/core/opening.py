"""How alerts open an incident, wait, join, leave, and open it again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from remediator.core import (
    attaching,
    attempts,
    ending,
    hindsight,
    locating,
    paging,
    raising,
    recurring,
    trust,
)
from remediator.core.alertmanagers import MOST_NAMES
from remediator.core.alerts import Alert
from remediator.core.classify import Match
from remediator.core.decision import Draft
from remediator.core.incident import (
    KEPT_REOPENINGS,
    GroupKey,
    Incident,
    IncidentId,
    Outcome,
    Planned,
    Status,
)
from remediator.core.journal import Fired, Kind, Resolved
from remediator.core.policies import Policy, severity_rank
from remediator.core.storms import opening_member
from remediator.core.text import plain
from remediator.core.times import HOUR, Instant, format_duration, stamp_instant

REOPENS_WITHIN = HOUR
"""An alert that fires again within that time reopens its incident instead of opening another."""
SPELLED_OUT = 5
"""Alerts of one commit that get a timeline line of their own; the rest share one."""
KEPT_LINKS = 8
LINK_LENGTH = 500
NAME_LENGTH = 200


def fired(draft: Draft, event: Fired, policy: Policy) -> None:
    """An episode opened."""
    alert, match = event.alert, event.match
    over = alert.fingerprint in draft.facts.over
    if draft.exists and alert.fingerprint in draft.members:
        return
    if not draft.exists or _long_over(draft.incident, draft.at):
        if over and match.rule.hold:
            return  # it did not fire for long enough to be an incident
        _begin(draft, match, alert, policy)
    elif _is_quiet(draft):
        _fires_again(draft, match, policy)
    _join(draft, alert, match, policy)
    if over:
        draft.leave(alert.fingerprint, match.rule.name)
    else:
        _adopt_rule(draft, match, policy)
    if _waits(draft, match):
        return
    if draft.firing == 0 and draft.incident.active is None:
        ending.resolve(draft, "its alerts had resolved before anything was done")
        return
    attempts.set_going(draft, policy)


def _join(draft: Draft, alert: Alert, match: Match, policy: Policy) -> None:
    if len(draft.joined) < SPELLED_OUT:
        name = plain(alert.labels.get("alertname", "an alert"), 100)
        draft.say(Kind.ALERT_FIRED, f"{name} fires", fingerprint=alert.fingerprint)
    _keep_name(draft, alert.labels.get("alertname", ""))
    first = draft.firing == 0
    locating.aim_at(draft, match)
    draft.join(alert, match.rule.name)
    _note(draft, alert, policy, first=first)


def _keep_name(draft: Draft, name: str) -> None:
    """Alertmanagers and Prometheus are asked by name. One more than is asked for says that there are more."""
    name = name if len(name) <= NAME_LENGTH else ""
    known = draft.incident.alert_names
    if name not in known and len(known) <= MOST_NAMES:
        draft.change(alert_names=(*known, name))


def _is_quiet(draft: Draft) -> bool:
    """Whether a firing alert is a new outage: the last one is over, or was left to people and fell silent."""
    incident = draft.incident
    if incident.status is Status.HELD:
        return False
    return incident.resolved or (draft.firing == 0 and incident.active is None)


def _waits(draft: Draft, match: Match) -> bool:
    """Whether nothing is to happen before a hold is over. A rule without one ends the wait of all."""
    incident = draft.incident
    if not (incident.status is Status.HELD or incident.resolved):
        return False
    if draft.firing == 0:
        return True
    if match.rule.hold:
        if not draft.is_armed("hold"):
            draft.arm("hold", draft.at + match.rule.hold)
        return True
    end_hold(draft)
    return False


def end_hold(draft: Draft) -> None:
    """It has fired for long enough: a new incident opens, an old one opens again."""
    draft.cancel("hold")
    if draft.incident.status is Status.HELD:
        draft.change(status=Status.OPEN, opened_at=draft.at)
        _say_opened(draft)
    else:
        _reopen(draft, [rule for rule, count in draft.by_rule.items() if count > 0])


def _long_over(incident: Incident, at: Instant) -> bool:
    return incident.resolved_at is not None and at - incident.resolved_at > REOPENS_WITHIN


def _begin(draft: Draft, match: Match, alert: Alert, policy: Policy) -> None:
    rule = match.rule
    incident = Incident(
        id=new_id(draft.at, match.service, match.group, draft.facts.ordinal),
        group=match.group,
        grouped_by=match.grouped_by,
        service=match.service,
        severity=rule.severity,
        status=Status.HELD if rule.hold else Status.OPEN,
        rule=rule.name,
        title=plain(alert.labels.get("alertname") or rule.name, 120),
        opened_at=draft.at,
        started_at=stamp_instant(alert.starts_at),
        levels=policy.levels(rule.severity),
    )
    draft.begin(incident)
    if rule.hold:
        draft.say(
            Kind.HELD, f"waits {format_duration(rule.hold)} to see whether it still fires", rule=rule.name
        )
    else:
        _say_opened(draft)


def _say_opened(draft: Draft) -> None:
    incident = draft.incident
    draft.opened[opening_member(incident.id, incident.reopened)] = None
    began = incident.started_at if incident.started_at is not None else draft.at
    draft.say(
        Kind.OPENED,
        f"{incident.severity} {incident.title} on {incident.service}, by rule {incident.rule}",
        severity=incident.severity,
        service=incident.service,
        rule=incident.rule,
        detected_after=max(draft.at - began, 0),
    )


def new_id(at: Instant, service: str, group: GroupKey, ordinal: int) -> IncidentId:
    """``YYYY-MM-DD-HHmm-service``, lower case, UTC; with a piece of the group's digest when that is taken."""
    minute = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d-%H%M")
    name = f"{minute}-{service.lower()}"
    if ordinal == 1:
        return IncidentId(name)
    return IncidentId(f"{name}-{group[:8]}" + (f"-{ordinal}" if ordinal > 2 else ""))


def _fires_again(draft: Draft, match: Match, policy: Policy) -> None:
    """A new outage on an incident that is over, or was left to people: everything begins anew."""
    if draft.is_armed("hold"):
        return  # it waits for its hold already
    hindsight.nothing_fires(draft)
    paging.resolve_pages(draft)
    draft.cancel("deadline", "escalate", "progress", "linger", "raise", "weigh")
    attaching.let_go(draft)
    locating.forget(draft)
    draft.change(
        plan=(),
        tried=(),
        level=0,
        deadline_at=None,
        verified_at=None,
        acknowledged_by=None,
        acknowledged_at=None,
        stalled=0,
        fed_by=(),
        raise_at=None,
        weighing=None,
        unweighed=(),
        levels=policy.levels(draft.incident.severity),
    )
    if not draft.incident.resolved:
        _reopen(draft, [match.rule.name])


def _reopen(draft: Draft, rules: Collection[str]) -> None:
    """``rules``: those that fire again."""
    incident = draft.incident
    again = incident.reopened + 1
    if incident.attempts and _is_undone(incident, rules):
        draft.fail(incident.attempts[-1])
        draft.mark(incident.attempts[-1].rule, trust.Mark.RECURRED)
    draft.change(
        status=Status.OPEN,
        resolved_at=None,
        reopened=again,
        reopened_at=draft.at,
        reopenings=(*incident.reopenings, draft.at)[-KEPT_REOPENINGS:],
        recurred=recurring.recurred(incident, draft.at),
    )
    draft.opened[opening_member(incident.id, again)] = None
    draft.say(Kind.REOPENED, f"fires again, reopened for the {_ordinal(again)} time")


def _is_undone(incident: Incident, rules: Collection[str]) -> bool:
    """Whether what its last attempt had repaired is broken again."""
    last = incident.attempts[-1]
    lately = last.started_at >= incident.open_since
    return lately and last.outcome is Outcome.VERIFIED and last.rule in rules


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _adopt_rule(draft: Draft, match: Match, policy: Policy) -> None:
    """What a further rule adds to the incident: its severity, if higher, and its runbooks."""
    incident, rule = draft.incident, match.rule
    if severity_rank(rule.severity) < severity_rank(incident.severity):
        draft.change(rule=rule.name)
        raising.rise(draft, policy, rule.severity, f" by rule {rule.name}")
    if rule.name not in incident.fed_by and len(incident.fed_by) < raising.KEPT_RULES:
        draft.change(fed_by=(*incident.fed_by, rule.name))
    fresh = tuple(name for name in rule.runbooks if name not in draft.incident.tried)
    if fresh:
        planned = tuple(Planned(runbook=name, rule=rule.name) for name in fresh)
        draft.change(plan=(*draft.incident.plan, *planned), tried=(*draft.incident.tried, *fresh))


def resolved(draft: Draft, event: Resolved, policy: Policy) -> None:
    """An episode ended."""
    if event.fingerprint not in draft.members or event.fingerprint not in draft.facts.over:
        return  # not a member, or a newer episode of it fires already
    draft.leave(event.fingerprint, event.rule)
    if draft.firing > 0:
        return
    draft.cancel("hold")
    if draft.incident.status is Status.HELD or draft.incident.resolved:
        return
    draft.say(Kind.ALERT_RESOLVED, "the last of its alerts resolved", still_firing=0)
    active = draft.incident.active
    if active is not None and active.request is not None:
        ending.blocked(draft, active, "its alerts resolved while it waited for approval", policy)
    elif active is not None:
        attempts.hurry(draft)
    else:
        ending.resolve(draft, "its alerts have resolved")


def _foreign(alert: Alert, policy: Policy) -> str:
    """The matcher of ``guards.accept`` that the alert fails, if any: then nothing is changed for it."""
    return next((str(matcher) for matcher in policy.guards.accept if not matcher.matches(alert.labels)), "")


def _note(draft: Draft, alert: Alert, policy: Policy, *, first: bool) -> None:
    """What the alert adds to its incident. In a storm nothing, and the incident stays as it is."""
    incident = draft.incident
    links, foreign = _links(incident, alert, policy), _foreign(alert, policy)
    accepted = tuple(map(str, policy.guards.accept))
    if not first:
        foreign = incident.foreign or foreign
        accepted = tuple(text for text in incident.accepted if text in accepted)
    if (links, foreign, accepted) != (incident.links, incident.foreign, incident.accepted):
        draft.change(links=links, foreign=foreign, accepted=accepted)


def _links(incident: Incident, alert: Alert, policy: Policy) -> dict[str, str]:
    """The catalog's links first; what an alert brings along only where it is a plain web address."""
    links = dict(incident.links)
    service = policy.services.get(incident.service)
    if service is not None:
        links.update(service.links)
    for name, url in (("runbook", alert.annotations.get("runbook_url", "")), ("source", alert.generator_url)):
        if name not in links and _is_plain_address(url):
            links[name] = url
    return links if len(links) <= KEPT_LINKS else dict(list(links.items())[:KEPT_LINKS])


def _is_plain_address(url: str) -> bool:
    web = url.startswith(("http://", "https://")) and len(url) <= LINK_LENGTH
    return web and plain(url, LINK_LENGTH) == url


def tell_alerts(draft: Draft) -> None:
    """What a storm brought is told in one line, not in thousands."""
    more = len(draft.joined) - SPELLED_OUT
    if draft.exists and more > 0:
        draft.say(Kind.ALERT_FIRED, f"{more} more alerts fire", count=more)
    if draft.exists and draft.left and draft.firing > 0:
        text = "1 alert resolved" if len(draft.left) == 1 else f"{len(draft.left)} alerts resolved"
        draft.say(Kind.ALERT_RESOLVED, text, count=len(draft.left), still_firing=draft.firing)
