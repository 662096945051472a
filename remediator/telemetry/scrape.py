"""What one scrape shows: what was counted, and what is read for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remediator.core.pauses import ScopeKind
from remediator.core.policies import SEVERITIES
from remediator.core.store import Gauges
from remediator.core.times import SECOND
from remediator.telemetry.table import daemon, outcomes, tuning
from remediator.telemetry.table.row import Row


class Work(NamedTuple):
    """What a worker is at work on, and how much of that it does at most."""

    now: int
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Scraped:
    """What is read at a scrape. ``gauges`` None: the store did not answer. ``work``: by worker."""

    gauges: Gauges | None
    ready: bool = False
    work: Mapping[str, Work] = field(default_factory=dict)


def render(registry: CollectorRegistry, scraped: Scraped, accept: str) -> tuple[bytes, str]:
    """The body of a scrape and its content type, in the format that the scraper accepts."""
    encode, content_type = choose_encoder(accept)
    return encode(_Everything(registry, scraped)), content_type


class _Everything(CollectorRegistry):
    def __init__(self, registry: CollectorRegistry, scraped: Scraped) -> None:
        super().__init__()
        self.register(_Counted(registry))
        self.register(_Read(scraped))


class _Counted(Collector):
    """Without ``_created`` samples: they double the number of series and tell nothing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class _Read(Collector):
    def __init__(self, scraped: Scraped) -> None:
        self._scraped = scraped

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        scraped, gauges = self._scraped, self._scraped.gauges
        yield _one(daemon.READY, scraped.ready)
        yield _one(daemon.STORE_UP, gauges is not None)
        yield _many(daemon.IN_FLIGHT, {worker: work.now for worker, work in scraped.work.items()})
        yield _many(daemon.IN_FLIGHT_LIMIT, {worker: work.most for worker, work in scraped.work.items()})
        if gauges is not None:  # absent rather than wrong
            yield from _of_store(gauges)


def _of_store(gauges: Gauges) -> Iterator[Metric]:
    yield _many(daemon.BACKLOG, gauges.backlog)
    opened = {severity: gauges.open_by_severity.get(severity, 0) for severity in SEVERITIES}
    yield _many(outcomes.INCIDENTS_OPEN, opened)
    yield _one(daemon.TIMER_LAG, gauges.timer_lag / SECOND)
    yield _one(daemon.DEAD, gauges.dead_letters)
    yield _one(tuning.DEMOTED, gauges.rules_lowered)
    yield _one(daemon.PAUSED, gauges.paused.get(ScopeKind.ALL, 0))
    yield _many(daemon.PAUSED_SCOPES, {kind.value: gauges.paused.get(kind, 0) for kind in ScopeKind})
    yield _many(tuning.BREAKER, dict(sorted(gauges.breakers.items())))


def _one(row: Row, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(row.full_name, row.told, value=float(value))


def _many(row: Row, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(row.full_name, row.told, labels=row.label_names)
    for label, value in values.items():
        family.add_metric([label], float(value))
    return family
