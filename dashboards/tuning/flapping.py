"""What comes back."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import About
from dashboards.panels import bars, ranking
from dashboards.queries import RANGE, Ask, grew, most, or_none

AGAIN = grew("rule", "incidents_reopened_total", over=RANGE)
ROW = Row(
    title="What comes back",
    panels=(
        ranking(
            About(
                title="Flapping, by rule",
                shows="Incidents that fired again after they were over, by the rule that opened them.",
                do="Lengthen the rule's `hold` or the alert's `for`, or find the cause that the fix does "
                "not mend.",
            ),
            Ask(query=most(15, "rule", AGAIN), legend="{{rule}}"),
        ),
        bars(
            About(
                title="Reopened, by service",
                shows="The same by service, when it was.",
                do="A service at the same hour each day: look at what else happens then.",
            ),
            Ask(
                query=or_none(grew("service", "incidents_reopened_total"), "service"),
                legend="{{service}}",
            ),
        ),
        bars(
            About(
                title="Severity was raised",
                shows="Open incidents that became more severe.",
                do="Often and at once: the rule's first severity is too low.",
            ),
            Ask(query=or_none(grew("to", "severity_raised_total"), "to"), legend="to {{to}}"),
        ),
    ),
)
