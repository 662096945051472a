"""Which lane an alert travels on, and which incident an event belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from remediator.core import codec
from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Lane
from remediator.core.classify import Classifier, Match, lane_of
from remediator.core.incident import GroupKey, IncidentId
from remediator.core.journal import Event, Fired, Resolved
from remediator.core.store import Arrival, Delivered, IncidentStore


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


@dataclass(slots=True)
class _Gathering:
    incident: IncidentId | None
    group: GroupKey | None = None
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivered] = field(default_factory=list)
    fingerprints: dict[Fingerprint, None] = field(default_factory=dict)
    matches: list[Match] = field(default_factory=list)


def meet_at_the_door(alerts: Sequence[Alert], rules: Classifier) -> list[Arrival]:
    """Each with its lane, which is all that is asked of the rules before an alert is durable."""
    met = [(alert, rules.rule(alert.labels)) for alert in alerts]
    return [
        Arrival(alert=alert, lane=lane_of(rule) if rule else Lane.NORMAL, matched=rule is not None)
        for alert, rule in met
    ]


async def gather_batches(
    deliveries: Sequence[Delivered], rules: Classifier, incidents: IncidentStore
) -> list[Batch]:
    """Sort deliveries by the incident they belong to.

    Firing alerts are classified by the newest policy; one that no rule matches any more belongs nowhere.
    A resolved alert belongs to the incident that its episode joined. Raises Permanent for a delivery that
    cannot be read.
    """
    alerts = {(d.queue, d.id): codec.alert_from(d.data) for d in deliveries if d.kind == codec.ALERT}
    matches = {
        entry: match
        for entry, alert in alerts.items()
        if alert.status is AlertStatus.FIRING and (match := rules.match(alert.labels)) is not None
    }
    resolved = [a.fingerprint for a in alerts.values() if a.status is AlertStatus.RESOLVED]
    groups = list({match.group: None for match in matches.values()})
    pointers, homes = await incidents.route(groups, resolved) if alerts else ({}, {})
    gathered: dict[str, _Gathering] = {}
    for delivery in deliveries:
        place = (delivery.queue, delivery.id)
        alert, match = alerts.get(place), matches.get(place)
        if alert is None:
            incident: IncidentId | None = IncidentId(delivery.incident)
        elif match is not None:
            incident = pointers.get(match.group)
        else:
            incident = homes.get(alert.fingerprint) if alert.status is AlertStatus.RESOLVED else None
        key = incident or (match.group if match is not None else f"nowhere/{delivery.id}")
        _collect(gathered.setdefault(key, _Gathering(incident)), delivery, alert, match)
    return [_batch(gathering) for gathering in gathered.values()]


def _collect(into: _Gathering, delivery: Delivered, alert: Alert | None, match: Match | None) -> None:
    into.deliveries.append(delivery)
    if alert is None:
        into.events.append(codec.unpack(delivery.kind, delivery.data))
        return
    into.fingerprints[alert.fingerprint] = None
    if match is not None:
        into.group = match.group
        into.matches.append(match)
        into.events.append(Fired(alert=alert, match=match))
    elif alert.status is AlertStatus.RESOLVED:
        into.events.append(Resolved(fingerprint=alert.fingerprint))


def _batch(gathering: _Gathering) -> Batch:
    return Batch(
        incident=gathering.incident,
        group=gathering.group,
        events=tuple(gathering.events),
        deliveries=tuple(gathering.deliveries),
        fingerprints=tuple(gathering.fingerprints),
        matches=tuple(gathering.matches),
    )
