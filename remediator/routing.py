"""Which lane an alert travels on, which incident an event belongs to, and what is known of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from remediator.core import codec
from remediator.core.aiming import service_of_owner
from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Lane
from remediator.core.classify import Classifier, Match, lane_of
from remediator.core.codec import Recorded
from remediator.core.errors import Permanent
from remediator.core.incident import GroupKey, Incident, IncidentId
from remediator.core.journal import Event, Fired, Located, Resolved
from remediator.core.policies import Policy
from remediator.core.roots import dependencies
from remediator.core.store import Arrival, Delivered, IncidentStore, Loaded, Queue


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Events of one incident, in the order of their delivery, and the deliveries they came in.

    ``group`` is set when they may open an incident. Without an incident and a group there is nothing to
    decide; the deliveries are settled all the same.
    """

    incident: IncidentId | None
    group: GroupKey | None
    events: tuple[Event, ...]
    deliveries: tuple[Delivered, ...]
    fingerprints: tuple[Fingerprint, ...]
    matches: tuple[Match, ...]
    unmatched: tuple[Alert, ...] = ()


Unreadable = tuple[Delivered, Permanent]
Place = tuple[Queue, str]
"""Where a delivery comes from: ids are unique in a queue only."""


@dataclass(slots=True)
class _Gathering:
    incident: IncidentId | None
    group: GroupKey | None = None
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivered] = field(default_factory=list)
    fingerprints: dict[Fingerprint, None] = field(default_factory=dict)
    matches: list[Match] = field(default_factory=list)
    unmatched: list[Alert] = field(default_factory=list)


def meet_at_the_door(alerts: Sequence[Alert], rules: Classifier) -> list[Arrival]:
    """Each with its lane, which is all that is asked of the rules before an alert is durable."""
    met = [(alert, rules.rule(alert.labels)) for alert in alerts]
    return [
        Arrival(alert=alert, lane=lane_of(rule) if rule else Lane.NORMAL, matched=rule is not None)
        for alert, rule in met
    ]


async def gather_batches(
    deliveries: Sequence[Delivered], rules: Classifier, incidents: IncidentStore
) -> tuple[list[Batch], list[Unreadable]]:
    """Sort deliveries by the incident they belong to; and those that cannot be read, with the reason.

    Firing alerts are classified by the newest policy. A resolved alert belongs to the incident that its
    episode joined. What happened to an incident stays apart from alerts of its group: those may open another.
    """
    read, unreadable = _read(deliveries)
    alerts = {place: what for place, what in read.items() if isinstance(what, Alert)}
    won = {
        place: match for place, alert in alerts.items() if (match := rules.match(alert.labels)) is not None
    }
    matches = {place: match for place, match in won.items() if alerts[place].status is AlertStatus.FIRING}
    resolved = [alert.fingerprint for alert in alerts.values() if alert.status is AlertStatus.RESOLVED]
    groups = list({match.group: None for match in matches.values()})
    pointers, homes = await incidents.route(groups, resolved) if alerts else ({}, {})
    gathered: dict[str, _Gathering] = {}
    for delivery in deliveries:
        place = (delivery.queue, delivery.id)
        if place not in read:
            continue
        what, match = read[place], matches.get(place)
        if not isinstance(what, Alert):
            incident: IncidentId | None = IncidentId(delivery.incident)
            key = f"{incident}/own"
        elif match is not None:
            incident = pointers.get(match.group)
            key = incident or match.group
        else:
            incident = homes.get(what.fingerprint) if what.status is AlertStatus.RESOLVED else None
            key = incident or "nowhere"
        _collect(gathered.setdefault(key, _Gathering(incident)), delivery, what, won.get(place))
    return [_batch(gathering) for gathering in gathered.values()], unreadable


async def load_all(
    incidents: IncidentStore,
    incident: IncidentId | None,
    fingerprints: Sequence[Fingerprint],
    events: Sequence[Event],
    policy: Policy,
) -> Loaded:
    """The incident and all facts that a decision may look at, the open incidents that come first included."""
    loaded = await incidents.load(incident, fingerprints)
    names = waited_for(loaded.incident, events, policy)
    if not names:
        return loaded
    return replace(loaded, facts=replace(loaded.facts, roots=await incidents.open_about(sorted(names))))


def waited_for(incident: Incident | None, events: Sequence[Event], policy: Policy) -> set[str]:
    """Under which names whatever may come first is looked for: what its services depend on, its workload."""
    services = {event.match.service for event in events if isinstance(event, Fired)}
    owners = {event.owner for event in events if isinstance(event, Located) and event.owner is not None}
    if incident is not None and not incident.resolved:
        services.add(incident.service)
        if incident.aim is not None and incident.aim.owner is not None:
            owners.add(incident.aim.owner)
    owned = {name for owner in owners if (name := service_of_owner(owner, policy)) is not None}
    names = {name for service in services | owned for name in dependencies(service, policy.services)}
    return names | owned | {owner.path for owner in owners}


def _read(
    deliveries: Sequence[Delivered],
) -> tuple[dict[Place, Alert | Recorded], list[Unreadable]]:
    read: dict[Place, Alert | Recorded] = {}
    unreadable: list[Unreadable] = []
    for delivery in deliveries:
        try:
            is_alert = delivery.kind == codec.ALERT
            read[delivery.queue, delivery.id] = (
                codec.alert_from(delivery.data) if is_alert else codec.unpack(delivery.kind, delivery.data)
            )
        except Permanent as error:
            unreadable.append((delivery, error))
    return read, unreadable


def _collect(into: _Gathering, delivery: Delivered, what: Alert | Recorded, match: Match | None) -> None:
    into.deliveries.append(delivery)
    if not isinstance(what, Alert):
        into.events.append(what)
        return
    into.fingerprints[what.fingerprint] = None
    if what.status is AlertStatus.RESOLVED:
        rule = match.rule.name if match is not None else ""
        into.events.append(Resolved(fingerprint=what.fingerprint, rule=rule))
    elif match is not None:
        into.group = match.group
        into.matches.append(match)
        into.events.append(Fired(alert=what, match=match))
    else:
        into.unmatched.append(what)


def _batch(gathering: _Gathering) -> Batch:
    return Batch(
        incident=gathering.incident,
        group=gathering.group,
        events=tuple(gathering.events),
        deliveries=tuple(gathering.deliveries),
        fingerprints=tuple(gathering.fingerprints),
        matches=tuple(gathering.matches),
        unmatched=tuple(gathering.unmatched),
    )
