"""What a condition of ``raise`` looks like now.

For the runner, which asks again and again, and for explanations, which ask once.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from remediator.core.errors import RemediatorError, Retryable, StoreUnavailable
from remediator.core.journal import CheckResult
from remediator.core.plugins import Metrics
from remediator.core.policies import (
    Diagnosis,
    Policy,
    QueryBound,
    Runbook,
    Scope,
    ServicesAffected,
    StillOpen,
)
from remediator.core.raising import MOST_CONDITIONS, Watched, describe_bound
from remediator.core.samples import NO_PROMETHEUS, say_series, say_value
from remediator.core.text import plain

MOST_QUERIES = 10
"""Different queries that are asked for one incident at a time."""
NAMED = 5
"""Services that are told by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scales:
    """What conditions are found out with. ``metrics`` None: no Prometheus is configured.

    ``services``: names of services with an open incident; it may stop looking at so many.
    """

    metrics: Metrics | None
    services: Callable[[int], Awaitable[frozenset[str]]]


async def weigh(
    conditions: Sequence[Watched], scope: Scope, policy: Policy, scales: Scales
) -> tuple[CheckResult, ...]:
    """What each looks like now, in their order; time is not looked at here. Raises StoreUnavailable.

    One after the other, which is gentle on Prometheus; once it does not answer, it is not asked further.
    """
    weighing = _Weighing(scope, policy, scales, _most(conditions))
    return tuple(
        [
            await weighing.find_out(each)
            if number < MOST_CONDITIONS
            else CheckResult(holds=None, observed=f"not looked at: there are more than {MOST_CONDITIONS}")
            for number, each in enumerate(conditions)
        ]
    )


def _most(conditions: Sequence[Watched]) -> int:
    counts = [each.when.at_least for each in conditions if isinstance(each.when, ServicesAffected)]
    return max(counts, default=0)


class _Weighing:
    """One look at all conditions of one incident."""

    def __init__(self, scope: Scope, policy: Policy, scales: Scales, most: int) -> None:
        self._scope, self._policy, self._scales, self._most = scope, policy, scales, most
        self._asked: dict[str, tuple[tuple[str, float], ...]] = {}
        self._silent = ""
        self._services: frozenset[str] | None = None

    async def find_out(self, condition: Watched) -> CheckResult:
        when = condition.when
        try:
            match when:
                case StillOpen():
                    return CheckResult(holds=False, observed="a matter of time")
                case ServicesAffected():
                    return await self._count(when)
                case QueryBound():
                    return await self._query(when)
                case _:
                    assert_never(when)
        except StoreUnavailable:
            raise
        except RemediatorError as error:
            return CheckResult(holds=None, observed=plain(str(error), 200))

    async def _count(self, when: ServicesAffected) -> CheckResult:
        """This incident's own service counts, too."""
        if self._services is None:
            self._services = await self._scales.services(self._most) | {self._scope.service}
        names = sorted(self._services)
        shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
        said = f"{len(names)} service has" if len(names) == 1 else f"{len(names)} services have"
        observed = f"{said} an open incident ({shown}), at least {when.at_least}"
        return CheckResult(holds=len(names) >= when.at_least, observed=observed)

    async def _query(self, when: QueryBound) -> CheckResult:
        if self._scales.metrics is None:
            return CheckResult(holds=None, observed=NO_PROMETHEUS)
        query = rendered(when.promql, self._scope, self._policy)
        if query not in self._asked:
            if self._silent:
                return CheckResult(holds=None, observed=self._silent)
            if len(self._asked) >= MOST_QUERIES:
                return CheckResult(
                    holds=None, observed=f"not asked: there are more than {MOST_QUERIES} queries"
                )
            try:
                samples = await self._scales.metrics.query(query)
            except Retryable as error:
                self._silent = plain(str(error), 200)
                raise
            self._asked[query] = tuple((say_series(labels), value) for labels, value in samples)
        return judge_bound(when, query, self._asked[query])


def rendered(promql: str, scope: Scope, policy: Policy) -> str:
    """The query as it is asked: rendered as that of the diagnosis ``promql``. Raises Refused."""
    one = Runbook(name="raise", diagnose=(Diagnosis(diagnosis="promql", params={"query": promql}),))
    return str(policy.render(one, scope).diagnose[0].params["query"])


def judge_bound(when: QueryBound, query: str, samples: Sequence[tuple[str, float]]) -> CheckResult:
    """One sample beyond the bound is enough. NaN is no number and is beyond nothing; so is no series."""
    numbers = [(series, value) for series, value in samples if not math.isnan(value)]
    if not numbers:
        what = "gives no number" if samples else "gives no series"
        return CheckResult(holds=False, observed=f"{plain(query, 120)} {what}")
    if when.above is not None:
        series, value = max(numbers, key=lambda sample: sample[1])
        holds = value > when.above
    else:
        series, value = min(numbers, key=lambda sample: sample[1])
        holds = value < (when.below if when.below is not None else -math.inf)
    name = plain(query, 120) if not series or len(numbers) == 1 else series
    told = describe_bound(when) if holds else f"not {describe_bound(when)}"
    return CheckResult(holds=holds, observed=f"{name} is {say_value(value)}, {told}")
