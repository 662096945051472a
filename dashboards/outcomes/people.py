"""Who was asked, and what spreads."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import HOURLY, About, Look
from dashboards.panels import bars, lines
from dashboards.queries import SEVERITY, Ask, grew, or_none, told

ROW = Row(
    title="People, and what spreads",
    panels=(
        bars(
            About(
                title="Pages by channel",
                shows="Pages that were handed to channels, and whether they were accepted.",
                do="`retry` and `refused`: this channel does not work.",
                pages=("runbooks/RemediatorChannelFailing.md",),
            ),
            Ask(
                query=or_none(grew("channel, outcome", "pages_total"), "channel"),
                legend="{{channel}} {{outcome}}",
            ),
        ),
        bars(
            About(
                title="Levels that were asked",
                shows="How often each level of the escalations was asked.",
                do="Level 2 and above: the first one did not answer in time.",
            ),
            Ask(query=or_none(grew("level", "escalations_total"), "level"), legend="level {{level}}"),
        ),
        bars(
            About(
                title="Became more severe",
                shows="Open incidents whose severity was raised.",
                do="Often, and soon after the opening: the rule's first severity is too low.",
            ),
            Ask(
                query=or_none(grew("from, to", "severity_raised_total"), "from"),
                legend="{{from}} to {{to}}",
            ),
        ),
        bars(
            About(
                title="Waited for what they depend on",
                shows="Incidents that waited for one of a service that theirs depends on, by that service.",
                do="A service that takes others down with it deserves its own runbook first.",
            ),
            Ask(query=or_none(grew("root", "incidents_attached_total"), "root"), legend="{{root}}"),
            look=HOURLY,
        ),
        lines(
            About(
                title="Open incidents",
                shows="Incidents that are not resolved, by severity.",
                do="A level that never falls is an alert that nobody mends or silences.",
            ),
            Ask(
                query=told("severity", "incidents_open", SEVERITY),
                legend="{{severity}}",
            ),
            look=Look(decimals=0),
        ),
        lines(
            About(
                title="Later than promised",
                shows="Open incidents of which a promise is broken already, at each moment.",
                do="`acknowledge`: nobody has taken it on. `resolve`: it is not over.",
                pages=("runbooks/RemediatorPromiseMissed.md",),
            ),
            Ask(
                query=told("severity, phase", "incidents_overdue", SEVERITY),
                legend="{{severity}} {{phase}}",
            ),
            look=Look(decimals=0),
        ),
    ),
)
