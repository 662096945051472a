"""Writes ``docs/metrics.md`` from the table that the daemon builds its metrics from.

``--check`` writes nothing and ends with 1 when the page is not what it would write; ``make lint`` runs that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from remediator.telemetry.table import GROUPS, Group, Origin, Row

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
HEAD = """# Metrics

Written by `make metrics` from the table that the daemon builds its metrics from. `GET /metrics` of the
operations listener (`:9096`) shows them, in the formats of Prometheus and of OpenMetrics. What the daemon is
alarmed for is in [`chart/files/rules/`](../chart/files/rules), and what to do then in
[runbooks/](runbooks/README.md); [dashboards](dashboards.md) show all of them.

* **Names are stable.** They change with a major version alone, and the [changelog](../CHANGELOG.md) says so.
* **Units are base units**: seconds, and times as seconds since 1970. Counters end with `_total`.
* **No label carries a value that an alert can choose.** Every label below has a closed list of values, or
  takes them from the policies or the settings; what is not of the catalog is `other`. So nobody who can send
  alerts can fill your Prometheus.
* **Replicas.** Metrics *of the replica* are summed over replicas, or looked at one by one. Those *of the
  deployment* are the same on every replica: take `max`, never `sum`.
* **The first event shows.** Series with closed labels are there from the start, those of an attempt from when
  it starts, that of a reopening from when the incident opens, so that `increase()` misses none. Other series
  begin with their first event, which is no increase yet.
* **Scrape with `honor_labels: true`** (`honorLabels` of a ServiceMonitor) where targets get a label
  `service`, as those of Prometheus Operator do: without it ours is called `exported_service`, and
  rules and dashboards miss it.

Beside them stand the usual `process_*` and `python_*` metrics of the process.
"""


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds the page out of date."""
    text = "\n".join(page())
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    if "--check" in arguments:
        sys.stdout.write("docs/metrics.md is out of date; run: make metrics\n")
        return 1
    PAGE.write_text(text)
    return 0


def page() -> Iterator[str]:
    """The page, in pieces."""
    yield HEAD
    for group in GROUPS:
        yield from _group(group)


def _group(group: Group) -> Iterator[str]:
    yield f"## {group.title}\n\n{group.text}\n"
    yield "| metric | type | labels |\n|---|---|---|"
    for row in group.rows:
        labels = ", ".join(f"`{name}`" for name in row.label_names) or "none"
        yield f"| [`{row.full_name}`](#{row.full_name}) | {row.type} | {labels} |"
    yield ""
    for row in group.rows:
        yield from _row(row)


def _row(row: Row) -> Iterator[str]:
    origin = "of the deployment" if row.origin is Origin.DEPLOYMENT else "of the replica"
    yield f"### {row.full_name}\n\n{row.type}, {origin}. {row.told}\n\n*Use*: {row.use}\n"
    for label in row.labels:
        yield f"* `{label.name}`: {label.text}"
    if row.buckets:
        yield f"* buckets (seconds): {', '.join(f'{bound:g}' for bound in row.buckets)}"
    if row.labels or row.buckets:
        yield ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
