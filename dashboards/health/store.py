"""Its store."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import OFTEN, About, Look
from dashboards.panels import bars, lines
from dashboards.queries import Ask, grew, quantile, speed

ROW = Row(
    title="Store",
    panels=(
        lines(
            About(
                title="A trip to the store",
                shows="Half and 99 %: from asking until the answer was read, its disk included.",
                do="Over 0.1 s: its disk, or the way to it.",
                pages=("redis.md",),
            ),
            Ask(query=quantile(0.5, "", "store_trip_seconds"), legend="50 %"),
            Ask(query=quantile(0.99, "", "store_trip_seconds"), legend="99 %"),
            look=Look(unit="s", levels=((0.1, "orange"), (1, "red")), at_least="1m"),
        ),
        bars(
            About(
                title="Trips without an answer",
                shows="Refused, broken or too slow.",
                do="A few at a failover are usual; all of them are tried again.",
                pages=("runbooks/RemediatorStoreDown.md",),
            ),
            Ask(query=grew("", "store_trip_failures_total"), legend="failed"),
            look=OFTEN,
        ),
        lines(
            About(
                title="Trips",
                shows="How many a second, all replicas together.",
                do="Far more than usual with as many alerts: send us the log.",
            ),
            Ask(query=speed("", "store_trip_seconds_count"), legend="trips"),
            look=Look(unit="ops", at_least="1m"),
        ),
    ),
)
