"""Series that are replaced all at once: what was seen at the last look, never half of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remediator.telemetry.table import outcomes, tuning
from remediator.telemetry.table.row import Row

ROWS: tuple[Row, ...] = (
    tuning.RULE_INFO,
    tuning.RULES,
    tuning.RECORD,
    tuning.ADVICE,
    outcomes.INCIDENTS_OVERDUE,
)
Seen = Mapping[Row, Mapping[tuple[str, ...], float]]
"""Of rows, the values by their labels."""


class Looked(Collector):
    """The gauges of ``ROWS``. A scrape may come at any moment of a look, in another thread."""

    def __init__(self) -> None:
        self._seen: Seen = {row: dict.fromkeys(row.first_series(), 0.0) for row in ROWS}

    def show(self, seen: Seen) -> None:
        """From now on this, and nothing of what was before."""
        self._seen = seen

    def describe(self) -> Iterable[Metric]:
        """Nothing: there are no others of these names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """As they were seen last."""
        seen = self._seen
        for row in ROWS:
            family = GaugeMetricFamily(row.full_name, row.told, labels=row.label_names)
            for labels, value in seen.get(row, {}).items():
                family.add_metric(labels, value)
            yield family
