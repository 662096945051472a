"""At a glance: whether it is well."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import About, Columns, Look
from dashboards.panels import grid, number
from dashboards.queries import Ask, of, or_none, told

ERRORS = 'kind="bug"'
BUGS = f"sum ({of('troubles_total', ERRORS)})"
FIRING = 'ALERTS{alertname=~"Remediator.*"}'
VERSIONS = f"count by (version, python) ({of('build_info')})"
ROW = Row(
    title="At a glance",
    panels=(
        number(
            About(
                title="Replicas ready",
                shows="Replicas to which alerts should be sent.",
                do="0: no alert is taken in. `/-/ready` says why, and Alertmanager sends again.",
                pages=("runbooks/RemediatorNotReady.md", "runbooks/RemediatorAbsent.md"),
            ),
            Ask(query=or_none(f"sum ({of('ready')})")),
            look=Look(span=3, height=4, decimals=0, first="red", levels=((1, "green"),)),
        ),
        number(
            About(
                title="Reach the store",
                shows="Replicas whose store answered the last scrape.",
                do="Fewer than there are replicas: webhooks are answered 503, nothing is changed, no page "
                "leaves.",
                pages=("runbooks/RemediatorStoreDown.md",),
            ),
            Ask(query=or_none(f"sum ({of('store_up')})")),
            look=Look(span=3, height=4, decimals=0, first="red", levels=((1, "green"),)),
        ),
        number(
            About(
                title="Timer lag",
                shows="How late the next timer is.",
                do="Pages and deadlines are that late: no replica works, or the store is slow.",
                pages=("runbooks/RemediatorTimerLag.md",),
            ),
            Ask(query=or_none(f"max ({of('timer_lag_seconds')})")),
            look=Look(unit="s", span=3, height=4, levels=((5, "orange"), (30, "red"))),
        ),
        number(
            About(
                title="Dead letters",
                shows="What could not be processed and waits for a person.",
                do="`GET /v1/dead-letters` lists them; retry or drop each.",
                pages=("runbooks/RemediatorDeadLetters.md",),
            ),
            Ask(query=or_none(told("", "dead_letters"))),
            look=Look(span=3, height=4, decimals=0, levels=((1, "red"),)),
        ),
        number(
            About(
                title="Channels that fail",
                shows="Channels that did not accept what was last said to them.",
                do="Pages go to the next channel or level meanwhile. Repair it, then drill it.",
                pages=("runbooks/RemediatorChannelFailing.md",),
            ),
            Ask(query=or_none(f"sum (min by (job, namespace, channel) ({of('channel_failing')}))")),
            look=Look(span=3, height=4, decimals=0, levels=((1, "red"),)),
        ),
        number(
            About(
                title="Paused",
                shows="Scopes that are paused now: everything, namespaces, services, rules, runbooks.",
                do="`remediator pauses` says who, why and until when.",
                pages=("runbooks/RemediatorPaused.md", "runbooks/RemediatorScopePaused.md"),
            ),
            Ask(query=or_none(told("", "paused_scopes", each="kind"))),
            look=Look(span=3, height=4, decimals=0, levels=((1, "orange"),)),
        ),
        number(
            About(
                title="Errors of its own",
                shows="Errors that the program does not expect, since its replicas started.",
                do="Each has a traceback in the log: send it to us.",
                pages=("runbooks/RemediatorBug.md",),
            ),
            Ask(query=or_none(BUGS)),
            look=Look(span=3, height=4, decimals=0, levels=((1, "red"),)),
        ),
        number(
            About(
                title="Different policies",
                shows="How many policies are in force among the replicas: 1, but for a roll-out.",
                do="More for long: one of them reads other files, or refuses them.",
                pages=("runbooks/RemediatorPoliciesDiffer.md", "runbooks/RemediatorReloadFailed.md"),
            ),
            Ask(query=or_none(f"count (count by (job, namespace, digest) ({of('policy_info')}))")),
            look=Look(span=3, height=4, decimals=0, levels=((2, "orange"),)),
        ),
        grid(
            About(
                title="Alerts about the daemon",
                shows="Which of the shipped alerts fire, or are about to.",
                do="The name leads to the page that says what to do.",
                pages=("runbooks/README.md",),
            ),
            Columns(
                hidden=("Value",),
                named={"alertname": "alert", "alertstate": "state"},
                link=("alert", "${docs}/runbooks/${__value.text}.md"),
            ),
            Ask(query=f"max without (instance, pod, container, endpoint) ({FIRING})"),
            look=Look(span=16, empty="none of them"),
        ),
        grid(
            About(
                title="Versions",
                shows="What runs, and on how many replicas.",
                do="More than one for long: a roll-out that does not end.",
                pages=("upgrade.md",),
            ),
            Columns(named={"Value": "replicas"}),
            Ask(query=or_none(VERSIONS, "version")),
            look=Look(decimals=0),
        ),
    ),
)
