"""Its processes."""

from __future__ import annotations

from dashboards.frame import Row
from dashboards.looks import About, Look
from dashboards.panels import lines, number
from dashboards.queries import WINDOW, Ask, of, plain, quantile


def ours(metric: str, *, rate: bool = False) -> str:
    """Of the processes that are the daemon's: a job may scrape others, too."""
    each = plain(metric)
    told = f"rate({each}[{WINDOW}])" if rate else each
    return f"{told} and on (job, namespace, instance) {of('ready')}"


LAG = quantile(0.99, "instance", "event_loop_lag_seconds")
SINCE = f"time() - {of('policy_last_reload_success_timestamp_seconds')}"
ROW = Row(
    title="Processes",
    panels=(
        lines(
            About(
                title="Event loop late by (99 %)",
                shows="How much later than asked the event loop came back.",
                do="Over 0.1 s: too little CPU, or something that blocks. Answers and heartbeats are that "
                "late.",
                pages=("runbooks/RemediatorLoopLag.md",),
            ),
            Ask(query=LAG, legend="{{instance}}"),
            look=Look(unit="s", levels=((0.1, "orange"), (0.5, "red")), at_least="1m"),
        ),
        lines(
            About(
                title="CPU",
                shows="Seconds of CPU a second, by replica.",
                do="Near the limit of the container: raise it.",
            ),
            Ask(query=ours("process_cpu_seconds_total", rate=True), legend="{{instance}}"),
            look=Look(decimals=2, at_least="1m"),
        ),
        lines(
            About(
                title="Memory",
                shows="Resident memory by replica.",
                do="It should level out. If it grows for days: send us the graph.",
            ),
            Ask(query=ours("process_resident_memory_bytes"), legend="{{instance}}"),
            look=Look(unit="bytes"),
        ),
        lines(
            About(
                title="Open files and sockets",
                shows="Dashed: the most that there can be.",
                do="Near the dashed line: raise the limit of open files.",
            ),
            Ask(query=ours("process_open_fds"), legend="{{instance}}"),
            Ask(query=ours("process_max_fds"), legend="most of {{instance}}", bound=True),
            look=Look(decimals=0),
        ),
        lines(
            About(
                title="Policies could be read",
                shows="Whether the files could be read the last time that they were: 1 or 0.",
                do="0: `remediator check` of the files says what is wrong.",
                pages=("runbooks/RemediatorReloadFailed.md",),
            ),
            Ask(query=of("policy_last_reload_successful"), legend="{{instance}}"),
            look=Look(decimals=0, highest=1),
        ),
        number(
            About(
                title="Age of the policies in force",
                shows="Since when each replica could last read them, at least.",
                do="Older than your last change: does the ConfigMap reach the pod?",
                pages=("reload.md",),
            ),
            Ask(query=SINCE, legend="{{instance}}"),
            look=Look(unit="s", first="text"),
        ),
    ),
)
