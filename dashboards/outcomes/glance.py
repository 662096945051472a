"""At a glance: the number to show, and what is open."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import COUNT, GOOD_SHARE, About, Look
from dashboards.panels import number
from dashboards.queries import RANGE, RUNBOOK, SERVICE, SEVERITY, Ask, grew, or_none, share, told

ENDED = grew("", "incidents_resolved_total", SEVERITY, SERVICE, over=RANGE)
MENDED = grew("", "incidents_resolved_total", SEVERITY, SERVICE, 'how="verified"', over=RANGE)
VERIFIED = grew("", "attempts_total", RUNBOOK, SERVICE, 'outcome="verified"', over=RANGE)
TRIED = grew("", "attempts_total", RUNBOOK, SERVICE, 'outcome=~"verified|failed|unknown"', over=RANGE)
SHARES = Look(
    unit="percentunit", span=4, height=4, decimals=0, first="red", levels=GOOD_SHARE.levels, highest=1,
    empty="none yet",
)  # fmt: skip
ROW = Row(
    title="At a glance",
    panels=(
        number(
            About(
                title="Pages avoided",
                shows="Incidents that a verified fix ended without paging anybody, over the range.",
                do="This is what the daemon is worth. See below which services still wake people.",
            ),
            Ask(query=or_none(grew("", "pages_avoided_total", SEVERITY, over=RANGE))),
            look=Look(span=4, height=4, decimals=0),
        ),
        number(
            About(
                title="Ended without people",
                shows="Of the incidents that are over, the share that a verified fix ended and nobody was "
                "paged for.",
                do="If it is low: look whether attempts fail (a runbook that does not help), are blocked (a "
                "guard), or whether there is none (rules that only observe).",
            ),
            Ask(query=share(MENDED, ENDED)),
            look=SHARES,
        ),
        number(
            About(
                title="Attempts that helped",
                shows="Of the attempts that changed something, the share that was verified.",
                do="Below 80 %, see the table by runbook: whose verification fails helps nobody.",
            ),
            Ask(query=share(VERIFIED, TRIED)),
            look=SHARES,
        ),
        number(
            About(
                title="Incidents",
                shows="Incidents that were opened over the range.",
                do="How much happens at all. Policy tuning tells which alerts are behind it.",
            ),
            Ask(query=or_none(grew("", "incidents_total", SEVERITY, over=RANGE))),
            look=COUNT,
        ),
        number(
            About(
                title="Open now",
                shows="Incidents that are not resolved.",
                do="`GET /v1/incidents` lists them. One that stays open for days has an alert that "
                "should be silenced or mended.",
            ),
            Ask(query=told("", "incidents_open", SEVERITY, each="severity")),
            look=COUNT,
        ),
        number(
            About(
                title="Later than promised, now",
                shows="Open incidents that nobody took on in time, or that are not over in time.",
                do="Take them on. `GET /v1/incidents` names them.",
                pages=("runbooks/RemediatorPromiseMissed.md",),
            ),
            Ask(query=told("", "incidents_overdue", SEVERITY, each="severity, phase")),
        ),
    ),
)
