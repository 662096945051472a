"""The API server, whoever is told, the disk of the archive."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import OFTEN, About, Look
from dashboards.panels import bars, lines, number
from dashboards.queries import Ask, grew, of, or_none, quantile, told

ASKED = grew("code", "kubernetes_requests_total")
FAILING = of("remediator:kubernetes_failures:ratio5m")
SLOW = quantile(0.99, "verb", "kubernetes_request_duration_seconds")
CHANNELS = grew("channel, outcome", "pages_total")
BROKEN = f"max by (channel) ({of('channel_failing')})"
HEARD = f"time() - max by (channel) ({of('channel_last_success_timestamp_seconds')})"
ROW = Row(
    title="Whom it works with",
    panels=(
        bars(
            About(
                title="Kubernetes, by answer",
                shows="HTTP statuses; `timeout`: no answer in time; `error`: no connection.",
                do="403: a permission is missing (`remediator rbac`). 409: others change the same objects. "
                "429 and 5..: it is overloaded.",
                pages=("runbooks/RemediatorKubernetesFailing.md", "permissions.md"),
            ),
            Ask(query=or_none(ASKED, "code"), legend="{{code}}"),
            look=OFTEN,
        ),
        lines(
            About(
                title="Kubernetes fails",
                shows="The share of requests in 5 minutes that failed: 429, 5.., no answer.",
                do="Above the line changes become unknown, and people are paged instead.",
                pages=("runbooks/RemediatorKubernetesFailing.md",),
            ),
            Ask(query=or_none(f"max ({FAILING})"), legend="failed"),
            look=Look(unit="percentunit", highest=1, levels=((0.2, "red"),)),
        ),
        lines(
            About(
                title="Until Kubernetes answers (99 %)",
                shows="By HTTP method; of a WebSocket, until it was open.",
                do="A slow API server makes remediations slow and in the end unknown.",
                pages=("runbooks/RemediatorKubernetesFailing.md",),
            ),
            Ask(query=or_none(SLOW, "verb"), legend="{{verb}}"),
            look=Look(unit="s", levels=((1, "orange"), (5, "red")), at_least="1m"),
        ),
        bars(
            About(
                title="Pages",
                shows="What was handed to channels, and whether it was accepted.",
                do="`refused`: routing key or address are wrong. `retry`: it is tried again until its "
                "deadline.",
                pages=("runbooks/RemediatorChannelFailing.md",),
            ),
            Ask(query=or_none(CHANNELS, "channel"), legend="{{channel}} {{outcome}}"),
            look=OFTEN,
        ),
        lines(
            About(
                title="Channels that do not accept",
                shows="1 while what was last said to a channel was not accepted, on any replica.",
                do="Repair it, then drill it.",
                pages=("runbooks/RemediatorChannelFailing.md",),
            ),
            Ask(query=or_none(BROKEN, "channel"), legend="{{channel}}"),
            look=Look(decimals=0, highest=1),
        ),
        number(
            About(
                title="Since a channel accepted something",
                shows="How long ago, by channel.",
                do="One that accepted nothing for months may not work any more: drill it.",
            ),
            Ask(query=or_none(HEARD, "channel"), legend="{{channel}}"),
            look=Look(unit="s", first="text"),
        ),
        bars(
            About(
                title="Archive of notifications",
                shows="`written`, or `lost`: missing from later backtests.",
                do="`lost` is mostly a full disk. Alerts are taken in all the same.",
                pages=("runbooks/RemediatorArchiveFailing.md", "backtest.md"),
            ),
            Ask(query=grew("outcome", "archive_notifications_total"), legend="{{outcome}}"),
            look=OFTEN,
        ),
        lines(
            About(
                title="Archive fails",
                shows="Replicas that could not write to it the last time.",
                do="Free its disk, or give it another folder.",
                pages=("runbooks/RemediatorArchiveFailing.md",),
            ),
            Ask(query=f"sum ({of('archive_failing')})", legend="replicas"),
            look=Look(decimals=0),
        ),
        lines(
            About(
                title="Paused scopes",
                shows="Scopes that are paused, by kind. `all`: every change.",
                do="Pauses that were forgotten: `remediator pauses`, `remediator resume`.",
                pages=("runbooks/RemediatorPaused.md", "pausing.md"),
            ),
            Ask(query=told("kind", "paused_scopes"), legend="{{kind}}"),
            look=Look(decimals=0),
        ),
    ),
)
