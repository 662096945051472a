"""Performs ``Weigh``: whether a condition to raise the severity holds, by the newest policy."""

from __future__ import annotations

import asyncio

from remediator.core.incident import Incident
from remediator.core.journal import CheckResult, Weigh, Weighed, Weighing
from remediator.core.policies import Scope, StillOpen
from remediator.core.raising import Watched, describe_condition, watched
from remediator.core.weighing import Scales, weigh
from remediator.workers.means import Means

AT_ONCE = 4
"""Questions at a time. They share the runner's places with steps, which must not wait for Prometheus."""
WITHIN = 20.0
"""Seconds for all conditions of one incident."""


class Weigher:
    """Answers ``Weigh`` effects."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._asking = 0

    async def weigh(self, effect: Weigh, incident: Incident | None) -> Weighed | None:
        """What holds, and what nothing is known of. None: nobody waits for it any more.

        Where too much is asked at once nothing is answered, and it is asked again soon. Raises
        StoreUnavailable.
        """
        if incident is None or incident.resolved or incident.weighing != effect.id:
            return None
        if self._asking >= AT_ONCE:
            return Weighed(effect=effect.id)
        self._asking += 1
        try:
            return await self._answer(effect, incident)
        finally:
            self._asking -= 1

    async def _answer(self, effect: Weigh, incident: Incident) -> Weighed:
        policy, means = self._means.policy(), self._means
        conditions = [
            each
            for each in watched(policy, incident.severity, incident.fed_by)
            if not isinstance(each.when, StillOpen)
        ]
        scope = Scope(
            incident=incident.id,
            severity=incident.severity,
            service=incident.service,
            entry=policy.services.get(incident.service),
            target=incident.aim.owner if incident.aim is not None else None,
        )
        scales = Scales(metrics=means.metrics, services=means.incidents.open_services)
        try:
            async with asyncio.timeout(WITHIN):
                results = await weigh(conditions, scope, policy, scales)
        except TimeoutError:
            late = CheckResult(holds=None, observed=f"no answer within {WITHIN:.0f}s")
            results = (late,) * len(conditions)
        pairs = zip(conditions, results, strict=True)
        return Weighed(
            effect=effect.id, found=tuple(_found(*pair) for pair in pairs if pair[1].holds is not False)
        )


def _found(condition: Watched, result: CheckResult) -> Weighing:
    return Weighing(
        to=condition.to,
        condition=describe_condition(condition.when),
        holds=result.holds,
        observed=result.observed,
    )
