"""What is told of how alerts come in."""

from __future__ import annotations

from remediator.core.alerts import Disposition
from remediator.telemetry.table import labels as on
from remediator.telemetry.table.row import Group, Label, Row, Type

STATUSES = (200, 400, 401, 403, 404, 405, 408, 413, 415, 503)
"""Of webhooks: their series are there from the start."""
RECOVERABLE = (Disposition.NEW, Disposition.RESOLVED, Disposition.UNMATCHED)

REQUESTS = Row(
    name="webhook_requests_total",
    type=Type.COUNTER,
    told="Webhooks answered, by HTTP status.",
    use="`4..` is alarmed by `RemediatorWebhooksRejected`: Alertmanager will not soon send it again. `503` "
    "is the store or a full queue: it will.",
    labels=(Label(name="code", bound="the HTTP statuses that the receiver answers"),),
)
DURATION = Row(
    name="webhook_duration_seconds",
    type=Type.HISTOGRAM,
    told="Until a webhook was answered, durably.",
    use="Mostly the store's disk. Alertmanager waits for about ten seconds.",
    buckets=on.MOMENTS,
)
LAST_WEBHOOK = Row(
    name="webhook_last_success_timestamp_seconds",
    type=Type.GAUGE,
    told="When a webhook was last answered 2xx; 0: not since the start.",
    use="Alarmed by `RemediatorNoNotifications`. Let an alert that always fires reach the daemon, so that "
    "silence means trouble.",
)
ALERTS = Row(
    name="alerts_total",
    type=Type.COUNTER,
    told="Alerts taken in, by what became of them.",
    use="`unmatched`: no rule is for it, see `GET /v1/unmatched`. `dead_letter`: it was no proper alert.",
    labels=(Label(name="disposition", closed=tuple(Disposition)),),
)
RECOVERED = Row(
    name="alerts_recovered_total",
    type=Type.COUNTER,
    told="Alerts whose delivery went missing, found by asking Alertmanager.",
    use="More than a few: notifications do not reach the daemon.",
    labels=(Label(name="disposition", closed=tuple(RECOVERABLE)),),
)
POLLS = Row(
    name="alertmanager_polls_total",
    type=Type.COUNTER,
    told="Times that an Alertmanager was asked.",
    use="While one does not answer, nothing is changed.",
    labels=(on.ALERTMANAGER, Label(name="outcome", closed=("answered", "failed"))),
)
POLLED_AT = Row(
    name="alertmanager_last_success_timestamp_seconds",
    type=Type.GAUGE,
    told="When an Alertmanager last answered.",
    use="Alarmed by `RemediatorAlertmanagerSilent`.",
    labels=(on.ALERTMANAGER,),
)
ARCHIVED = Row(
    name="archive_notifications_total",
    type=Type.COUNTER,
    told="Notifications for the intake archive, by what became of them.",
    use="`lost` are missing from later backtests.",
    labels=(Label(name="outcome", closed=("written", "lost")),),
)
ARCHIVE_FAILING = Row(
    name="archive_failing",
    type=Type.GAUGE,
    told="Whether the archive could not be written to last time.",
    use="Mostly a full disk. Alerts are taken in all the same.",
)
GROUP = Group(
    title="Intake",
    text="How alerts come in.",
    rows=(REQUESTS, DURATION, LAST_WEBHOOK, ALERTS, RECOVERED, POLLS, POLLED_AT, ARCHIVED, ARCHIVE_FAILING),
)
