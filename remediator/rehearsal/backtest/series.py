"""Notifications out of Prometheus' ``ALERTS`` series: which alerts fired from when to when.

What is written is lines of the archive. A series has no annotations, no external labels and no delay of an
Alertmanager; an alert fires at the first step at which it has a sample and has resolved at the first at which
it has none, so both are late by a step at most.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import IO, Protocol

from remediator.adapters.prometheus import Prometheus, Series, TooLarge
from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Notification
from remediator.core.archive import archive_line
from remediator.core.times import Instant, Stamp, format_instant, parse_stamp

QUERY = 'ALERTS{alertstate="firing"}'
WITHIN = 60.0
"""Seconds for one answer."""
POINTS = 720
"""Samples of a series in one answer."""
TOGETHER = 500
"""Alerts in one line: as many as the intake takes at once."""
OWN_LABELS = ("__name__", "alertstate")


class Range(Protocol):
    """Answers range queries."""

    def __call__(self, promql: str, start: float, end: float, step: float) -> Awaitable[tuple[Series, ...]]:
        """As ``Prometheus.query_range``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """From when to when, and how often in between. In milliseconds; both ends are included."""

    start: Instant
    end: Instant
    step: int


@dataclass(kw_only=True, slots=True)
class _Firing:
    since: Instant
    last: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """How much was written: ``fired`` and ``resolved`` alerts."""

    fired: int
    resolved: int


async def write_series(
    ask: Range,
    span: Span,
    out: IO[bytes],
    progress: Callable[[float], None] = lambda share: None,
    *,
    points: int = POINTS,
) -> Written:
    """Ask for the span in chunks, and write what fired and resolved, in its order. Raises RemediatorError.

    ``progress`` hears which share of the span is done, from 0 to 1. ``points``: steps in one chunk; fewer
    where an answer is too large.
    """
    writer = _Writer(span, out)
    start = int(span.start)
    while start <= span.end:
        end = start + min(points - 1, (span.end - start) // span.step) * span.step
        try:
            series = await ask(QUERY, start / 1000, end / 1000, span.step / 1000)
        except TooLarge:
            if points == 1:
                raise
            points = max(points // 4, 1)
            continue
        writer.write(series, Instant(start), Instant(end))
        start = end + span.step
        progress(min((start - span.start) / max(span.end - span.start, 1), 1.0))
    return Written(fired=writer.fired, resolved=writer.resolved)


async def fetch_series(
    url: str,
    token: str | None,
    span: Span,
    out: IO[bytes],
    progress: Callable[[float], None] = lambda share: None,
) -> Written:
    """``write_series`` from the Prometheus at ``url``. Raises RemediatorError."""
    async with Prometheus.connected(url, token=token, within=WITHIN) as prometheus:
        return await write_series(prometheus.query_range, span, out, progress)


class _Writer:
    def __init__(self, span: Span, out: IO[bytes]) -> None:
        self._span, self._out = span, out
        self._firing: dict[tuple[tuple[str, str], ...], _Firing] = {}
        self.fired = self.resolved = 0

    def write(self, series: tuple[Series, ...], start: Instant, end: Instant) -> None:
        """One chunk; the next begins a step after ``end``."""
        events: list[tuple[Instant, Alert]] = []
        for labels, samples in series:
            key = tuple(sorted((n, v) for n, v in labels.items() if n not in OWN_LABELS))
            for moment, _ in samples:
                self._see(key, Instant(round(moment * 1000)), events)
        for key in [key for key, firing in self._firing.items() if firing.last < end]:
            self._resolve(key, events)
        events.sort(key=lambda event: event[0])
        self._tell(events)

    def _see(
        self, key: tuple[tuple[str, str], ...], at: Instant, events: list[tuple[Instant, Alert]]
    ) -> None:
        firing = self._firing.get(key)
        if firing is not None and at - firing.last > self._span.step * 3 // 2:
            self._resolve(key, events)
            firing = None
        if firing is None:
            self._firing[key] = _Firing(since=at, last=at)
            self.fired += 1
            events.append((at, _alert(key, since=at)))
        else:
            firing.last = at

    def _resolve(self, key: tuple[tuple[str, str], ...], events: list[tuple[Instant, Alert]]) -> None:
        firing = self._firing.pop(key)
        at = Instant(firing.last + self._span.step)
        self.resolved += 1
        events.append((at, _alert(key, since=firing.since, until=at)))

    def _tell(self, events: list[tuple[Instant, Alert]]) -> None:
        """A line for each moment, or more where it holds many alerts."""
        begun = 0
        for number in range(1, len(events) + 1):
            at = events[begun][0]
            if number == len(events) or events[number][0] != at or number - begun == TOGETHER:
                alerts = tuple(alert for _, alert in events[begun:number])
                self._out.write(archive_line(_notification(alerts), at))
                begun = number


def _notification(alerts: tuple[Alert, ...]) -> Notification:
    return Notification(receiver="prometheus", group_key=QUERY, external_url="", truncated=0, alerts=alerts)


def _alert(key: tuple[tuple[str, str], ...], *, since: Instant, until: Instant | None = None) -> Alert:
    labels = dict(key)
    return Alert(
        fingerprint=fingerprint(labels),
        status=AlertStatus.FIRING if until is None else AlertStatus.RESOLVED,
        labels=labels,
        annotations={},
        starts_at=_stamp(since),
        ends_at=None if until is None else _stamp(until),
    )


def _stamp(at: Instant) -> Stamp:
    return parse_stamp(format_instant(at))


def fingerprint(labels: Mapping[str, str]) -> Fingerprint:
    """As Alertmanager computes it: FNV-1a of 64 bits over the sorted names and values.

    Source: https://github.com/prometheus/common/blob/main/model/signature.go (LabelSet fingerprints).
    """
    digest = 0xCBF29CE484222325
    for name, value in sorted(labels.items()):
        for byte in (*name.encode(), 255, *value.encode(), 255):
            digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return Fingerprint(f"{digest:016x}")
