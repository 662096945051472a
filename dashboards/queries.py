"""PromQL of the panels: every selector is of the chosen deployments, every sum knows of replicas."""

from __future__ import annotations

from dataclasses import dataclass

SCOPE = 'job=~"$job", namespace=~"$namespace"'
"""What tells deployments apart. ``All`` of a variable is ``.*``, which a series without that label fits."""
SEVERITY = 'severity=~"$severity"'
SERVICE = 'service=~"$service"'
RUNBOOK = 'runbook=~"$runbook"'
RULE = 'rule=~"$rule"'
WINDOW = "$__rate_interval"
"""At every point of a graph: a little longer than the way to the point before, so that nothing falls
between two points."""
RANGE = "$__range"
"""All that the dashboard shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A query. ``legend``: of its series. ``bound``: a line that others are held against."""

    query: str
    legend: str = ""
    bound: bool = False


def of(metric: str, *matchers: str) -> str:
    """A selector; ``metric`` without the prefix, or the whole name of what a rule records."""
    name = metric if ":" in metric else f"remediator_{metric}"
    return f"{name}{{{', '.join((SCOPE, *matchers))}}}"


def plain(metric: str, *matchers: str) -> str:
    """A selector of what every Python process tells of itself, of the chosen deployments."""
    return f"{metric}{{{', '.join((SCOPE, *matchers))}}}"


def grew(by: str, metric: str, *matchers: str, over: str = WINDOW) -> str:
    """By how much a counter grew, all replicas together. ``by``: labels, or none."""
    return f"sum{_by(by)} (increase({of(metric, *matchers)}[{over}]))"


def speed(by: str, metric: str, *matchers: str) -> str:
    """The same per second."""
    return f"sum{_by(by)} (rate({of(metric, *matchers)}[{WINDOW}]))"


def told(by: str, metric: str, *matchers: str, each: str = "") -> str:
    """A gauge that all replicas of a deployment tell alike. ``each``: its further labels, summed over."""
    labels = ", ".join(part for part in ("job", "namespace", by, each) if part)
    return f"sum{_by(by)} (max by ({labels}) ({of(metric, *matchers)}))"


def quantile(share: float, by: str, metric: str, *matchers: str, over: str = WINDOW) -> str:
    """Of a histogram; where nothing was observed there is none."""
    labels = f"le, {by}" if by else "le"
    buckets = of(f"{metric}_bucket", *matchers)
    return f"histogram_quantile({share}, sum by ({labels}) (increase({buckets}[{over}])) > 0)"


def share(part: str, whole: str) -> str:
    """Of what there is; where there is nothing there is no share."""
    return f"{part} / ({whole} > 0)"


def or_none(query: str, label: str = "") -> str:
    """0 where nothing was ever counted, with that label ``none``, so that no panel is empty in good times."""
    zero = f'label_replace(vector(0), "{label}", "none", "", "")' if label else "vector(0)"
    return f"{query} or on () {zero}"


def most(number: int, label: str, query: str) -> str:
    """The highest that are not zero, by that label."""
    return or_none(f"topk({number}, {query} > 0)", label)


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
