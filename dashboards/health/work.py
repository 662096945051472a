"""Whether there is room."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import OFTEN, About, Look
from dashboards.panels import bars, lines
from dashboards.queries import Ask, grew, of, or_none, told

LATE = f"max ({of('timer_lag_seconds')})"
BURIED = grew("queue", "buried_total")
BAD = grew("", "alerts_total", 'disposition="dead_letter"')
ROW = Row(
    title="Work",
    panels=(
        lines(
            About(
                title="Backlog",
                shows="Entries that wait or are being worked on. `urgent` and `normal`: events; `effects`: "
                "looks and changes; `outbox` and `notices`: messages to people.",
                do="Above the line for minutes: see what is slow below, or add a replica.",
                pages=("runbooks/RemediatorBacklog.md", "runbooks/RemediatorPagesWaiting.md"),
            ),
            Ask(query=told("queue", "backlog"), legend="{{queue}}"),
            look=Look(decimals=0, levels=((500, "red"),)),
        ),
        lines(
            About(
                title="At work, and the most at a time",
                shows="What the workers of all replicas do side by side. Dashed: what they may.",
                do="At the dashed line for long, while there is a backlog: what it waits for is slow.",
            ),
            Ask(query=f"sum by (worker) ({of('in_flight')})", legend="{{worker}}"),
            Ask(
                query=f"sum by (worker) ({of('in_flight_limit')})",
                legend="most of {{worker}}",
                bound=True,
            ),
            look=Look(decimals=0),
        ),
        lines(
            About(
                title="Timers late by",
                shows="How late the next timer is. Pages and deadlines are timers.",
                do="Over 30 s people are paged late: is a replica up, is the store fast?",
                pages=("runbooks/RemediatorTimerLag.md",),
            ),
            Ask(query=or_none(LATE), legend="timers"),
            look=Look(unit="s", levels=((30, "red"),)),
        ),
        bars(
            About(
                title="Became dead letters",
                shows="Entries of queues, and single alerts of webhooks that were no proper alerts.",
                do="`GET /v1/dead-letters` says why each.",
                pages=("runbooks/RemediatorDeadLetters.md",),
            ),
            Ask(query=BURIED, legend="{{queue}}"),
            Ask(query=BAD, legend="bad alerts"),
            look=OFTEN,
        ),
        bars(
            About(
                title="Troubles",
                shows="What tasks met and went on from. `expected`: a peer that does not answer; `bug`: an "
                "error of the program.",
                do="`expected`: see that peer. `bug`: its traceback is in the log.",
                pages=("runbooks/RemediatorBug.md",),
            ),
            Ask(query=or_none(grew("where, kind", "troubles_total"), "where"), legend="{{where}} {{kind}}"),
            look=OFTEN,
        ),
        bars(
            About(
                title="Policies read",
                shows="`loaded`, `unchanged` or `refused`. The policies from before stay in force when they "
                "are refused.",
                do="`refused`: `remediator check` of the files says what is wrong.",
                pages=("runbooks/RemediatorReloadFailed.md",),
            ),
            Ask(query=grew("outcome", "policy_reloads_total"), legend="{{outcome}}"),
            look=OFTEN,
        ),
    ),
)
