"""``promql``: what a query gives now."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Params, Permission, Sight
from remediator.core.samples import NO_PROMETHEUS, QueryParams, say_series, say_value

SHOWN = 10


class PromqlSamples:
    """The value of each series of a query, at most ten of them, in the order of Prometheus."""

    name: ClassVar[str] = "promql"
    params: ClassVar[type[Params]] = QueryParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[str] = "promql: {query: 'up{service=\"{{ service.name }}\"}'}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """A line for each series."""
        assert isinstance(params, QueryParams)
        if sight.metrics is None:
            return (f"promql: {NO_PROMETHEUS}",)
        samples = await sight.metrics.query(params.query)
        lines = [f"{say_series(labels) or 'promql'}: {say_value(value)}" for labels, value in samples[:SHOWN]]
        if len(samples) > SHOWN:
            lines.append(f"and {len(samples) - SHOWN} more series")
        return tuple(lines) or ("promql: the query gives no series",)
