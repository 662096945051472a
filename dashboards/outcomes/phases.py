"""Times, held against what the policy promises."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import KEPT, About, Look
from dashboards.panels import Panel, bars, lines, number, ranking
from dashboards.queries import RANGE, SEVERITY, Ask, grew, of

WORDS = {
    "detect": "from the start of the alert, as Prometheus tells it, to the incident",
    "acknowledge": "from the incident to the person who took it on",
    "mitigate": "from the incident to a verified fix",
    "resolve": "from the incident to its end",
}
WHAT_TO_DO = {
    "detect": "It is mostly `group_wait` and `group_interval` of Alertmanager and the store's speed.",
    "acknowledge": "Above the line: the first level is asked too late, or does not hear it.",
    "mitigate": "Above the line, the fix came later than the end was promised: shorter waits and checks, or "
    "another runbook.",
    "resolve": "Above the line: more runbooks, or another promise.",
}
LINE = {"acknowledge": "acknowledge", "mitigate": "resolve", "resolve": "resolve"}
"""The promise that a phase is held against. None is made of detecting; a fix has to come before the end."""


def time_to(phase: str) -> Panel:
    chosen = (SEVERITY, f'phase="{phase}"')
    asks = [
        Ask(
            query=f"max by (severity) ({of(f'remediator:response_seconds:{name}_7d', *chosen)})",
            legend=f"{{{{severity}}}} {percent} %",
        )
        for name, percent in (("p50", 50), ("p90", 90))
    ]
    line = ""
    if phase in LINE:
        line = " Dashed: what the policy promises" + (" for the end." if phase == "mitigate" else ".")
        promise = of("severity_promise_seconds", SEVERITY, f'phase="{LINE[phase]}"')
        asks.append(Ask(query=f"max by (severity) ({promise})", legend="promised {{severity}}", bound=True))
    return lines(
        About(
            title=f"Time to {phase}",
            shows=f"How long it took {WORDS[phase]}: half and 90 % of the last 7 days, to a bucket of "
            f"the histogram.{line}",
            do=WHAT_TO_DO[phase],
        ),
        *asks,
        look=Look(unit="s", span=12, at_least="1m", empty="no incidents yet"),
    )


TOTAL = grew("phase", "response_seconds_sum", SEVERITY, over=RANGE)
COUNT = grew("phase", "response_seconds_count", SEVERITY, over=RANGE)
PROMISES_KEPT = of("remediator:promise_kept:ratio7d", SEVERITY)
BREACHES = grew("severity, phase", "sla_breaches_total", SEVERITY)
ROW = Row(
    title="Times against promises",
    panels=(
        number(
            About(
                title="Mean times",
                shows="To detect, acknowledge, mitigate and resolve, over the range.",
                do="Means hide the bad nights: see the 90 % below.",
            ),
            Ask(query=f"{TOTAL} / ({COUNT} > 0)", legend="{{phase}}"),
            look=Look(unit="s", span=8, first="text", empty="no incidents"),
        ),
        ranking(
            About(
                title="Promises kept, over 7 days",
                shows="The share of incidents of the last week that were taken on (`acknowledge`) and over "
                "(`resolve`) as soon as their severity promises. Of several deployments, the worst.",
                do="Below 80 %: see which phase is late, in the graphs beside.",
                pages=("runbooks/RemediatorPromiseMissed.md",),
            ),
            Ask(query=f"sort(min by (severity, phase) ({PROMISES_KEPT}))", legend="{{severity}} {{phase}}"),
            look=KEPT,
        ),
        bars(
            About(
                title="Promises broken",
                shows="Phases that took longer than promised, when they were over.",
                do="Each is a late answer to somebody. Its timeline says what was waited for.",
            ),
            Ask(query=BREACHES, legend="{{severity}} {{phase}}"),
        ),
        *(time_to(phase) for phase in WORDS),
    ),
)
