"""Metrics of prometheus_client, as the table says."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from remediator.telemetry.table.row import Row, Type

M = TypeVar("M", bound=MetricWrapperBase)
K = TypeVar("K", bound=Hashable)


class Builder:
    """Registers rows of the table, each once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

    def counter(self, row: Row) -> Counter:
        """With its first series."""
        assert row.type is Type.COUNTER
        return _begun(Counter(row.full_name, row.told, row.label_names, registry=self.registry), row)

    def gauge(self, row: Row) -> Gauge:
        """With its first series."""
        assert row.type is Type.GAUGE
        return _begun(Gauge(row.full_name, row.told, row.label_names, registry=self.registry), row)

    def histogram(self, row: Row) -> Histogram:
        """With its first series."""
        assert row.type is Type.HISTOGRAM
        made = Histogram(
            row.full_name, row.told, row.label_names, buckets=row.buckets, registry=self.registry
        )
        return _begun(made, row)


def _begun(metric: M, row: Row) -> M:
    for values in row.first_series():
        metric.labels(*values)
    return metric


class Kept(Generic[M, K]):
    """The series of a metric with one label: looking one up there costs more than counting does."""

    def __init__(self, metric: M) -> None:
        self._metric = metric
        self._series: dict[K, M] = {}

    def of(self, value: K) -> M:
        """The series with that label value."""
        series = self._series.get(value)
        if series is None:
            series = self._series[value] = self._metric.labels(str(value))
        return series
