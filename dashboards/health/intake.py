"""How alerts come in."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import OFTEN, About, Look
from dashboards.panels import bars, lines, number
from dashboards.queries import Ask, grew, of, or_none, quantile

HEARD = f"time() - max ({of('webhook_last_success_timestamp_seconds')} > 0)"
ROW = Row(
    title="Intake",
    panels=(
        bars(
            About(
                title="Webhooks by answer",
                shows="HTTP statuses. 200: durable. 4..: refused, and Alertmanager will not soon send it "
                "again. 503: the store or a full queue, and it will.",
                do="4..: see the body of the answer in Alertmanager's log: token, size or version.",
                pages=(
                    "runbooks/RemediatorWebhooksRejected.md",
                    "runbooks/RemediatorWebhooksUnavailable.md",
                ),
            ),
            Ask(query=grew("code", "webhook_requests_total"), legend="{{code}}"),
            look=Look(at_least="1m"),
        ),
        lines(
            About(
                title="Until a webhook is answered",
                shows="Half and 99 % of them, until they were durable.",
                do="Alertmanager waits for about ten seconds. It is mostly the store's disk.",
            ),
            Ask(query=quantile(0.5, "", "webhook_duration_seconds"), legend="50 %"),
            Ask(query=quantile(0.99, "", "webhook_duration_seconds"), legend="99 %"),
            look=Look(unit="s", levels=((1, "orange"), (5, "red")), at_least="1m", empty="no webhook yet"),
        ),
        number(
            About(
                title="Since the last notification",
                shows="How long ago a webhook was last answered 2xx.",
                do="Let an alert that always fires reach the daemon; then silence means trouble.",
                pages=("runbooks/RemediatorNoNotifications.md",),
            ),
            Ask(query=or_none(HEARD)),
            look=Look(unit="s", levels=((1800, "orange"), (3600, "red"))),
        ),
        bars(
            About(
                title="Alertmanagers asked",
                shows="Times that each Alertmanager was asked what fires. While one does not answer, "
                "nothing is changed.",
                do="`failed`: is it up, and may the daemon reach it?",
                pages=("runbooks/RemediatorAlertmanagerSilent.md",),
            ),
            Ask(
                query=or_none(grew("alertmanager, outcome", "alertmanager_polls_total"), "alertmanager"),
                legend="{{alertmanager}} {{outcome}}",
            ),
            look=OFTEN,
        ),
        lines(
            About(
                title="Since an Alertmanager answered",
                shows="How long ago, of the replica that heard it last.",
                do="It grows: that one does not answer.",
                pages=("runbooks/RemediatorAlertmanagerSilent.md",),
            ),
            Ask(
                query=or_none(
                    "time() - max by (alertmanager) "
                    f"({of('alertmanager_last_success_timestamp_seconds')} > 0)",
                    "alertmanager",
                ),
                legend="{{alertmanager}}",
            ),
            look=Look(unit="s", levels=((300, "red"),)),
        ),
        bars(
            About(
                title="Found by asking",
                shows="Alerts whose delivery went missing, found by asking Alertmanager.",
                do="More than a few: its notifications do not reach the daemon.",
                pages=("alertmanager.md",),
            ),
            Ask(query=grew("disposition", "alerts_recovered_total"), legend="{{disposition}}"),
            look=OFTEN,
        ),
    ),
)
