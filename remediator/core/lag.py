"""How long an alert's own rule takes to notice that something has changed. Pure.

An alert that resolves at once proves nothing: its condition may have had no data for a moment, as while pods
are replaced, and if it holds still, the alert fires again only after `for`. And one that fires on disproves
nothing before `keep_firing_for` is over. So a verification by an alert or by a query is neither believed nor
given up before the slower of the two, and one evaluation more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from remediator.core.policies import Check
from remediator.core.text import plain
from remediator.core.times import Millis, format_duration

LAGGING = frozenset(("alert", "promql"))
"""Checks that see what happened through Prometheus."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertingRule:
    """An alerting rule of Prometheus.

    It ``waits`` before it fires (``for``), and ``keeps`` firing after its condition has gone
    (``keep_firing_for``). It is evaluated ``every`` so often.
    """

    name: str
    waits: Millis
    keeps: Millis
    every: Millis = Millis(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lag:
    """How long it takes at least, and why. ``span`` None: it could not be found out just now."""

    span: Millis | None
    text: str


def lags(checks: Iterable[Check]) -> bool:
    """Whether one of them sees what happened late."""
    return any(check.check in LAGGING for check in checks)


def find_lag(names: Collection[str], rules: Iterable[AlertingRule]) -> Lag:
    """That of the slowest rule with one of these names."""
    if not names:
        return Lag(
            span=Millis(0),
            text="its alerts have no names, so how long their rules take is not known",
        )
    found = [rule for rule in rules if rule.name in names]
    if not found:
        shown = plain(", ".join(sorted(names)), 120)
        text = f"Prometheus has no alerting rule {shown}: how long it takes to notice is not known"
        return Lag(span=Millis(0), text=text)
    slowest = max(found, key=lag_of)
    why = f"for {format_duration(slowest.waits)}, keep_firing_for {format_duration(slowest.keeps)}, "
    why += f"evaluated every {format_duration(slowest.every)}"
    span = lag_of(slowest)
    text = f"not believed before {format_duration(span)}: so long {plain(slowest.name, 80)} takes ({why})"
    return Lag(span=span, text=text)


def lag_of(rule: AlertingRule) -> Millis:
    """Of one rule."""
    return Millis(max(rule.waits, rule.keeps) + rule.every)
