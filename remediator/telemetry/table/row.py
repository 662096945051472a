"""What is said of a metric, once: the daemon builds it from this, and docs/metrics.md is written from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

PREFIX = "remediator_"


class Type(StrEnum):
    """As Prometheus has them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Origin(StrEnum):
    """Who knows the value: decides how the series of several replicas are put together."""

    REPLICA = "replica"
    """Each replica tells of itself: ``sum`` them, or look at each."""
    DEPLOYMENT = "deployment"
    """All replicas tell the same, from the store or the policies: take the ``max``, never the ``sum``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A label. Its values are ``closed``, or bounded by what ``bound`` says; no alert ever chooses one."""

    name: str
    closed: tuple[str, ...] = ()
    bound: str = ""

    @property
    def text(self) -> str:
        """Its values, as the documentation tells them."""
        return ", ".join(f"`{value}`" for value in self.closed) if self.closed else self.bound


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One metric. ``name``: without prefix, with its unit; of a counter with ``_total``.

    ``told``: what it counts or measures. ``use``: what to do with it. ``buckets``: in its unit.
    """

    name: str
    type: Type
    told: str
    use: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    origin: Origin = Origin.REPLICA
    zeros: bool = True
    """Whether every series is there from the start, where all labels are closed: then the first event shows
    as an increase."""

    @property
    def full_name(self) -> str:
        """As Prometheus knows it."""
        return PREFIX + self.name

    @property
    def series_names(self) -> tuple[str, ...]:
        """What queries select: of a histogram there are three."""
        if self.type is Type.HISTOGRAM:
            return tuple(f"{self.full_name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.full_name,)

    @property
    def label_names(self) -> tuple[str, ...]:
        """In their order."""
        return tuple(label.name for label in self.labels)

    def first_series(self) -> Iterator[tuple[str, ...]]:
        """The label values of the series that are there from the start."""
        if self.zeros and self.labels and all(label.closed for label in self.labels):
            yield from product(*(label.closed for label in self.labels))


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rows that are told of together."""

    title: str
    text: str
    rows: tuple[Row, ...]
