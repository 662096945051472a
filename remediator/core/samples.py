"""Answers of Prometheus in words."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import Field

from remediator.core.plugins import Params
from remediator.core.templated import PromqlTemplate
from remediator.core.text import plain

NO_PROMETHEUS = "no Prometheus is configured; set REMEDIATOR_PROMETHEUS_URL"


class QueryParams(Params):
    """What Prometheus is asked."""

    query: PromqlTemplate = Field(min_length=1, description="PromQL that gives a vector or a scalar.")


def say_series(labels: Mapping[str, str]) -> str:
    """A series as PromQL names it, on one line; at most 120 characters. A scalar is nameless."""
    own = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in sorted(labels.items())
        if name != "__name__"
    )
    name = labels.get("__name__", "")
    return plain(f"{name}{{{own}}}" if own else name, 120)


def say_value(value: float) -> str:
    """A value as short as it can be told, such as ``0.25``, ``NaN`` and ``+Inf``."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.6g}"
