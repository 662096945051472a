"""What came of attempts and incidents."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import KEPT, About, Look, Matrix
from dashboards.panels import bars, grid, lines, ranking
from dashboards.queries import RANGE, RUNBOOK, SERVICE, SEVERITY, Ask, grew, of, or_none, quantile


def by(label: str) -> str:
    """Attempts and what was taken back of them: the outcomes of the two are not the same words."""
    ended = grew(f"{label}, outcome", "attempts_total", RUNBOOK, SERVICE, over=RANGE)
    undone = grew(f"{label}, outcome", "attempts_undone_total", RUNBOOK, SERVICE, over=RANGE)
    return or_none(f"({ended} or {undone})", label)


OUTCOMES = or_none(grew("outcome", "attempts_total", RUNBOOK, SERVICE), "outcome")
RESOLVED = (SEVERITY, SERVICE)
ENDINGS = or_none(grew("how", "incidents_resolved_total", *RESOLVED), "how")
BY_SERVICE = or_none(grew("service, how", "incidents_resolved_total", *RESOLVED, over=RANGE), "service")
WORDS = (
    "`verified`: proven to have helped. `failed`, `unknown`: not. `undone`: taken back after that; `left`: "
    "something of it is still in place. `blocked`: a guard said no. `observed`, `suggested`: the rule may "
    "not act yet. An attempt that was undone has failed, too: it is counted in both columns."
)
ROW = Row(
    title="What came of it",
    panels=(
        bars(
            About(
                title="Attempts by outcome",
                shows="Attempts that ended. " + WORDS,
                do="`failed` again and again: open the table for the runbook. `unknown`: see Kubernetes on "
                "Daemon health.",
            ),
            Ask(
                query=OUTCOMES,
                legend="{{outcome}}",
            ),
        ),
        bars(
            About(
                title="How incidents ended",
                shows="`verified`: by a fix, nobody paged. `paged`: people were. `alone`: neither.",
                do="Many `alone`: these alerts go away by themselves, so lengthen their `for`.",
            ),
            Ask(
                query=ENDINGS,
                legend="{{how}}",
            ),
        ),
        bars(
            About(
                title="Taken back",
                shows="Attempts that did not help, whose changes were all taken back (`undone`) or not "
                "(`left`).",
                do="`left`: look at the workload, something that proved no good is still in place.",
            ),
            Ask(
                query=or_none(grew("outcome", "attempts_undone_total", RUNBOOK, SERVICE), "outcome"),
                legend="{{outcome}}",
            ),
        ),
        grid(
            About(
                title="By runbook",
                shows="Attempts over the range. " + WORDS,
                do="A runbook with more `failed` than `verified` does not mend what it is used for: change "
                "its steps, its verification or its rules.",
                pages=("runbooks/RemediatorBreakerOpen.md",),
            ),
            Matrix(rows="runbook", columns="outcome"),
            Ask(query=by("runbook")),
            look=Look(span=12, decimals=0),
        ),
        grid(
            About(
                title="By service",
                shows="Attempts over the range. " + WORDS,
                do="A service that only fails needs people who look at the cause, not another restart.",
            ),
            Matrix(rows="service", columns="outcome"),
            Ask(query=by("service")),
            look=Look(span=12, decimals=0),
        ),
        ranking(
            About(
                title="Verified share by runbook, over 7 days",
                shows="Of the attempts that changed something, how many were verified. Whatever the range "
                "is, it is that of the last week.",
                do="Below one half: take its rules back to `approve` until it is better.",
            ),
            Ask(
                query=f"sort_desc(min by (runbook) ({of('remediator:runbook_verified:ratio7d', RUNBOOK)}))",
                legend="{{runbook}}",
            ),
            look=KEPT,
        ),
        ranking(
            About(
                title="Verified share by service, over 7 days",
                shows="The same by the service that was to be mended.",
                do="Low for one service and high for the runbook: this service has another trouble.",
            ),
            Ask(
                query=f"sort_desc(min by (service) ({of('remediator:service_verified:ratio7d', SERVICE)}))",
                legend="{{service}}",
            ),
            look=KEPT,
        ),
        lines(
            About(
                title="How long attempts take (90 %)",
                shows="From an attempt's start to its end, however it ended; over the range until then.",
                do="It belongs below `unless_verified_within` of the severities, or people are paged before "
                "a fix can be proven.",
            ),
            Ask(
                query=quantile(0.9, "runbook", "attempt_duration_seconds", RUNBOOK, over="1d"),
                legend="{{runbook}}",
            ),
            look=Look(unit="s", at_least="5m", empty="no attempts yet"),
        ),
        grid(
            About(
                title="How incidents ended, by service",
                shows="Over the range: by a fix and nobody paged (`verified`), with people (`paged`), or by "
                "themselves (`alone`).",
                do="Services with many `paged` are where another runbook pays.",
            ),
            Matrix(rows="service", columns="how"),
            Ask(
                query=BY_SERVICE,
            ),
            look=Look(span=12, decimals=0),
        ),
        grid(
            About(
                title="Steps",
                shows="What was done to the cluster, over the range. `undo:` takes a step back.",
                do="`unknown` and `retry` tell of an API server that is slow or cannot be reached.",
                pages=("runbooks/RemediatorKubernetesFailing.md",),
            ),
            Matrix(rows="action", columns="outcome"),
            Ask(query=or_none(grew("action, outcome", "steps_total", over=RANGE), "action")),
            look=Look(span=12, decimals=0),
        ),
    ),
)
